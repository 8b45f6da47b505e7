/*
 * Guard and guest, up to the guest's exec. Both run in the supervisor's memory on stacks of their own: raw system calls
 * only. The guard must never read anything the guest can write.
 */
#include "launch/guard.h"

#include "base/sys.h"
#include "launch/tree.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { STACK_SIZE = 64 * 1024, KERNEL_SIGNALS = 64, SIGSET_BYTES = 8 };

/* rt_sigaction's own layout; no handler is ever set, so the restorer is not needed. */
struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static NORETURN void leave(int status)
{
	for (;;)
		SYS(exit_group, status);
}

static void set_phase(struct guard *g, enum guard_phase phase)
{
	__atomic_store_n(&g->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
	SYS(futex, &g->phase, FUTEX_WAKE, 1, 0, 0, 0);
}

static NORETURN void fail(struct guard *g, enum child_step step, long result, int index)
{
	if (step != STEP_NONE) {
		g->failure.error = (int32_t)-result;
		g->failure.index = index;
		g->failure.step = step;
	}
	set_phase(g, GUARD_FAILED);
	leave(125);
}

static void default_signals(void)
{
	struct kernel_sigaction action = {0};

	for (int sig = 1; sig <= KERNEL_SIGNALS; sig++)
		SYS(rt_sigaction, sig, &action, 0, SIGSET_BYTES); /* KILL and STOP say EINVAL */
}

static int guest_child(void *argument)
{
	struct guard *g = argument;
	uint64_t none = 0;
	long r = g->new_session ? SYS(setsid) : SYS(setpgid, 0, 0);

	if (r < 0)
		fail(g, STEP_GROUP, r, 0);
	SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* In a PID namespace the guard has no number; there the holder's death ends us. */
	if (!g->view && SYS(getppid) != g->guard_pid)
		leave(125);
	default_signals();
	if (child_confine(&g->confine, &g->failure) < 0)
		fail(g, STEP_NONE, 0, 0);
	int listener = child_filter(&g->confine, &g->failure);
	if (listener < 0)
		fail(g, STEP_NONE, 0, 0);
	g->listener = g->confine.listener ? listener : -1;
	/* We may be here before our maker knows our number; the supervisor works with it from the next word on. */
	while (!__atomic_load_n(&g->guest_pid, __ATOMIC_SEQ_CST))
		SYS(futex, &g->guest_pid, FUTEX_WAIT, 0, 0, 0, 0);
	set_phase(g, GUARD_CONFINED);
	while (!__atomic_load_n(&g->go, __ATOMIC_SEQ_CST))
		SYS(futex, &g->go, FUTEX_WAIT, 0, 0, 0, 0);

	/* Until here the descriptor table is the supervisor's: now it becomes our own, and nearly empty. */
	r = child_sweep(3, g->keep_fds, g->keep_count, true);
	if (r < 0)
		fail(g, STEP_SWEEP, r, 0);
	if (g->confine.has_nofile) {
		const struct child_rlimit *limit = &g->confine.nofile;
		uint64_t value[2] = {limit->soft, limit->hard};

		r = SYS(prlimit64, 0, limit->resource, value, 0);
		if (r < 0)
			fail(g, STEP_NOFILE, r, 0);
	}
	r = SYS(rt_sigprocmask, SIG_SETMASK, &none, 0, SIGSET_BYTES);
	if (r < 0)
		fail(g, STEP_SIGNALS, r, 0);
	r = child_exec(g->candidates, g->argv, g->envp, g->shell_argv);
	fail(g, STEP_EXEC, r, 0);
}

static void report(struct guard *g, const struct guard_event *event)
{
	while (SYS(write, g->event_fd, event, sizeof *event) == -EINTR)
		;
}

static NORETURN void end_everything(struct guard *g)
{
	siginfo_t info;

	do {
		if (g->scoped)
			tree_signal_scoped(SIGKILL);
		else
			tree_signal(g->guard_pid, SIGKILL, g->tree, TREE_ROOM);
		/* Reap what died; stop when nobody is left. */
	} while (SYS(waitid, P_ALL, 0, &info, WEXITED, 0) != -ECHILD);
	leave(0);
}

static bool orphaned(const struct guard *g)
{
	return SYS(getppid) != g->supervisor_pid;
}

static int guard_child(void *argument)
{
	static const int type[HOLDER_NAMESPACES] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS,
						    CLONE_NEWUTS, CLONE_NEWIPC};
	struct guard *g = argument;

	/* A name of its own: "killall sandlock" must not hit both of those who watch each other. */
	SYS(prctl, PR_SET_NAME, "guard");
	/* Out of the job's process group: a stop of the job must not stop the one who watches. */
	SYS(setpgid, 0, 0);
	for (int i = 0; i < HOLDER_NAMESPACES; i++) {
		long r = g->namespace_fd[i] < 0 ? 0 : SYS(setns, g->namespace_fd[i], type[i]);

		if (r < 0)
			fail(g, STEP_NAMESPACE, r, i);
	}
	/* After the user namespace, because entering it clears this. The signal is blocked and waited for below. */
	SYS(prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	SYS(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	g->guard_pid = (int)SYS(getpid);
	if (orphaned(g))
		leave(0);

	char *stack = (char *)SYS(mmap, 0, STACK_SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)stack > -4096UL)
		fail(g, STEP_CLONE, (long)stack, 0);
	int pid = clone(guest_child, stack + STACK_SIZE,
			CLONE_VM | CLONE_FILES | CLONE_PIDFD | SIGCHLD, g, &g->guest_pidfd);
	if (pid < 0)
		fail(g, STEP_CLONE, -errno, 0);
	__atomic_store_n(&g->guest_pid, pid, __ATOMIC_SEQ_CST);
	SYS(futex, &g->guest_pid, FUTEX_WAKE, 1, 0, 0, 0);

	const uint64_t wanted = 1ULL << (SIGCHLD - 1) | 1ULL << (SIGTERM - 1);
	const int watched = WEXITED | WSTOPPED | WCONTINUED | WNOHANG | __WALL;
	struct guard_event last = {0};
	bool ended = false;

	for (;;) {
		siginfo_t info;
		long r;

		while ((info.si_pid = 0, r = SYS(waitid, P_ALL, 0, &info, watched, 0)) == 0 &&
		       info.si_pid) {
			if (info.si_pid != g->guest_pid)
				continue;
			last = (struct guard_event){info.si_code, info.si_status};
			if (last.code != CLD_EXITED && last.code != CLD_KILLED &&
			    last.code != CLD_DUMPED)
				report(g, &last);
			else
				ended = true;
		}
		if (orphaned(g))
			end_everything(g);
		if (r == -ECHILD) { /* nobody is left to watch: our own end tells it */
			g->last = last;
			__atomic_store_n(&g->all_ended, true, __ATOMIC_RELEASE);
			leave(0);
		}
		if (ended)
			report(g, &last);
		ended = false;
		SYS(rt_sigtimedwait, &wanted, 0, 0, SIGSET_BYTES);
	}
}

int guard_start(struct guard *g)
{
	char *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -errno;
	g->supervisor_pid = (int)SYS(getpid);
	g->listener = -1;
	g->guest_pidfd = -1;
	int pid = clone(guard_child, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | SIGCHLD, g);
	if (pid < 0)
		return -errno;
	g->guard_pid = pid;
	return 0;
}

void guard_wait(struct guard *g)
{
	struct timespec tenth = {.tv_nsec = 100000000};
	while (__atomic_load_n(&g->phase, __ATOMIC_SEQ_CST) == GUARD_STARTING) {
		siginfo_t info = {0};

		SYS(futex, &g->phase, FUTEX_WAIT, GUARD_STARTING, &tenth, 0, 0);
		/* Killed from outside before it could say so? (WNOWAIT: reaping is the loop's.) */
		if (SYS(waitid, P_PID, g->guard_pid, &info, WEXITED | WNOHANG | WNOWAIT, 0) == 0 &&
		    info.si_pid == g->guard_pid && g->phase == GUARD_STARTING)
			g->phase = GUARD_FAILED;
	}
}

void guard_release(struct guard *g)
{
	__atomic_store_n(&g->go, 1, __ATOMIC_SEQ_CST);
	SYS(futex, &g->go, FUTEX_WAKE, 1, 0, 0, 0);
}
