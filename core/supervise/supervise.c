/*
 * The role supervisor: takes over from the launcher (same process, fresh memory), makes the guest, answers its trapped calls,
 * and ends everything that is left when it ends. Parses nothing but the sealed image.
 */
#include "supervise/supervise.h"

#include "supervise/session.h"

#include "base/fd.h"
#include "base/sys.h"
#include "launch/confine.h"
#include "launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STATUS_SANDLOCK = 125,
	SECOND = 1000000000,
	AGAIN_NS = SECOND / 10,
	REST_MS = 100, /* nothing happened for so long: a program at work or asleep */
};

static struct session session; /* zeroed; the largest object, untouched pages cost nothing */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- the image ---- */

static char **texts(const struct image *image, uint32_t type, struct arena *arena)
{
	uint32_t count;
	const uint32_t *offsets = image_get(image, type, sizeof *offsets, &count);

	if (!offsets)
		return NULL;
	char **list = arena_array(arena, (size_t)count + 1, sizeof *list);
	for (uint32_t i = 0; i < count; i++) {
		const char *text = image_text(image, offsets[i]);

		if (!text)
			return NULL;
		list[i] = (char *)(uintptr_t)text; /* exec does not write to it */
	}
	return list;
}

static const char *optional_text(const struct image *image, uint32_t offset)
{
	return offset ? image_text(image, offset) : NULL;
}

static bool load(struct session *s, const struct image *image, struct arena *arena)
{
	uint32_t count;
	const struct launch_record *record = image_get(image, IMAGE_PLAN, sizeof *record, &count);
	struct guard *g = &s->guard;
	struct child_confine *c = &g->confine;

	if (!record || count != 1)
		return false;
	s->record = *record;
	uint32_t flags = record->flags;

	g->argv = texts(image, IMAGE_ARGV, arena);
	g->envp = texts(image, IMAGE_ENVIRONMENT, arena);
	g->candidates = (const char *const *)texts(image, IMAGE_CANDIDATES, arena);
	*c = (struct child_confine){
		.cpu_mask = flags & RECORD_HAS_CPU_MASK ? s->record.cpu_mask : NULL,
		.cpu_mask_bytes = sizeof s->record.cpu_mask,
		.no_aslr = flags & RECORD_NO_ASLR,
		.no_thp = flags & RECORD_NO_THP,
		.no_core = flags & RECORD_NO_CORE,
		.cwd_fd = -1,
		.cwd = optional_text(image, record->cwd),
		.cwd_fallback = flags & RECORD_CWD_FALLBACK,
		.drop_caps = flags & RECORD_DROP_CAPS,
		.keep_caps = record->keep_caps,
		.ruleset_fd = record->ruleset_fd,
		.restrict_flags = record->restrict_flags,
		.listener = flags & RECORD_LISTENER,
		.wait_killable = flags & RECORD_WAIT_KILLABLE,
		.root_closed = flags & RECORD_ROOT_CLOSED,
		.has_nofile = flags & RECORD_HAS_NOFILE,
		.nofile = record->nofile,
	};
	c->rlimits = image_get(image, IMAGE_RLIMITS, sizeof *c->rlimits, &c->rlimit_count);
	c->filter = image_get(image, IMAGE_FILTER, sizeof *c->filter, &c->filter_len);
	if (!g->argv || !g->argv[0] || !g->envp || !g->candidates || !c->filter)
		return false;
	g->shell_argv = shell_arguments(g->argv, arena);
	memcpy(g->namespace_fd, record->namespace_fd, sizeof g->namespace_fd);
	g->view = flags & RECORD_VIEW;
	g->scoped = flags & RECORD_SCOPED;
	g->new_session = flags & RECORD_NEW_SESSION;
	s->name = optional_text(image, record->name);
	s->hostname = optional_text(image, record->hostname);
	return true;
}

static const char *failure_place(const struct image *image, int step, int index)
{
	uint32_t count;
	const struct launch_origin *origins =
		image_get(image, IMAGE_ORIGINS, sizeof *origins, &count);

	for (uint32_t i = 0; origins && i < count; i++)
		if (origins[i].step == (uint32_t)step && origins[i].index == (uint32_t)index)
			return optional_text(image, origins[i].place);
	return NULL;
}

/* ---- events ---- */

static void start_ending(struct session *s, enum end_reason reason, uint64_t now)
{
	if (s->killed || s->kill_ns)
		return;
	s->reason = reason;
	everything_signal(s, SIGTERM);
	everything_signal(s, SIGCONT); /* a stopped program must wake to hear it */
	s->kill_ns = now + s->record.kill_after_ns;
}

static void on_interrupt(struct session *s, int signal)
{
	uint64_t now = now_ns();

	if (s->interrupted_by && now - s->interrupt_ns < 2ULL * SECOND) {
		s->reason = END_KILLED;
		everything_signal(s, SIGKILL);
		return;
	}
	if (!s->interrupted_by)
		s->interrupted_by = signal;
	s->interrupt_ns = now;
	guest_signal(s, signal);
	if (signal == SIGTERM && s->guest_stopped)
		guest_signal(s, SIGCONT);
	/* An interrupt may be meant for the program's own use (a prompt, a debugger); SIGTERM is meant to end it. */
	if (signal == SIGTERM && !s->kill_ns)
		s->kill_ns = now + s->record.kill_after_ns;
}

static void on_guest_event(struct session *s, struct guard_event event)
{
	switch (event.code) {
	case CLD_STOPPED:
		s->guest_stopped = true;
		terminal_stopped(s, event.status);
		break;
	case CLD_CONTINUED:
		s->guest_stopped = false;
		break;
	default:
		s->guest_ended = true;
		s->code = event.code;
		s->status = event.status;
		if (s->reason == END_EXIT && event.code != CLD_EXITED)
			s->reason = END_SIGNAL;
		break;
	}
}

static void on_guest(struct session *s)
{
	struct guard_event event;

	while (read(s->event_fd, &event, sizeof event) == sizeof event)
		on_guest_event(s, event);
	if (s->guard_ended && s->guard.all_ended && !s->guest_ended && s->guard.last.code)
		on_guest_event(s, s->guard.last);
}

static void on_child(struct session *s)
{
	siginfo_t info;

	while ((info.si_pid = 0, waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid)) {
		if (info.si_pid == s->guard.guard_pid)
			s->guard_ended = true;
		else if (info.si_pid == s->record.holder_pid)
			s->holder_ended = true;
	}
	on_guest(s); /* the guard's last words */
	if ((s->guard_ended || s->holder_ended) && !s->guest_ended && !s->killed)
		everything_signal(
			s,
			SIGKILL); /* somebody killed the one who watches: nothing may survive it */
}

static void on_signals(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
		int signal = (int)info.ssi_signo;

		switch (signal) {
		case SIGCHLD:
			on_child(s);
			break;
		case SIGINT:
		case SIGTERM:
			on_interrupt(s, signal);
			break;
		case SIGHUP:
			guest_signal(s, SIGHUP);
			if (s->guest_stopped) /* else it would never hear it */
				guest_signal(s, SIGCONT);
			break;
		case SIGQUIT:
		case SIGUSR1:
		case SIGUSR2:
		case SIGWINCH:
		case SIGTSTP:
		case SIGCONT:
			guest_signal(s, signal);
			break;
		default:
			break;
		}
	}
}

static void on_deadlines(struct session *s, uint64_t now)
{
	if (s->timeout_ns && now >= s->timeout_ns) {
		s->timeout_ns = 0;
		start_ending(s, END_TIMEOUT, now);
	}
	if (s->max_ns && now >= s->max_ns) {
		s->max_ns = 0;
		start_ending(s, END_MAX_DURATION, now);
	}
	if (s->kill_ns && now >= s->kill_ns) {
		s->kill_ns = now + AGAIN_NS; /* should somebody have been missed */
		if (s->reason == END_EXIT)
			s->reason = END_KILLED;
		everything_signal(s, SIGKILL);
	}
}

static int poll_timeout(const struct session *s)
{
	const uint64_t deadlines[] = {s->timeout_ns, s->max_ns, s->kill_ns};
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++)
		if (deadlines[i] && deadlines[i] < next)
			next = deadlines[i];
	if (next == UINT64_MAX)
		return -1;
	uint64_t now = now_ns();
	if (next <= now)
		return 0;
	return (int)MIN((next - now + 999999) / 1000000, 3600000ULL);
}

/* Everything that the policy wants to wait for is gone. */
static bool finished(const struct session *s)
{
	if (!s->guest_ended)
		return s->guard_ended || s->holder_ended;
	if (s->killed || !(s->record.flags & RECORD_DESCENDANTS_WAIT))
		return true;
	/* In a view the orphans are process 1's: its end says that they are gone. */
	return s->record.flags & RECORD_VIEW ? s->holder_ended : s->guard_ended;
}

void session_attend(struct session *s)
{
	on_guest(s);
	on_signals(s);
	if (s->timeout_ns || s->max_ns || s->kill_ns)
		on_deadlines(s, now_ns());
}

/* How long nothing is due, in milliseconds (-1: for ever); false: the run is over. */
static bool look_ahead(struct session *s, int *timeout)
{
	watch_lock();
	bool over = finished(s);
	*timeout = over ? 0 : poll_timeout(s);
	watch_unlock();
	return !over;
}

static void serve(struct session *s)
{
	bool told_holder = false, rested = false;
	int timeout;

	while (look_ahead(s, &timeout)) {
		struct pollfd fds[] = {
			{.fd = s->listener, .events = POLLIN},
			{.fd = s->signal_fd, .events = POLLIN},
			{.fd = s->event_fd, .events = POLLIN},
			{.fd = netlink_events(), .events = POLLIN},
			{.fd = control_events(s), .events = POLLIN},
		};

		bool tired = !rested && (timeout < 0 || timeout > REST_MS);
		int r = poll(fds, ARRAY_LEN(fds), tired ? REST_MS : timeout);
		if (r < 0 && errno != EINTR)
			break;
		if (r == 0 && tired) {
			rested = true;
			session_rest();
		}
		if (fds[0].revents & POLLIN)
			notify_serve(s);
		if (fds[0].revents & (POLLHUP | POLLERR))
			fd_close(&s->listener); /* the last filtered task is gone */
		if (fds[3].revents)
			netlink_serve();
		if (fds[4].revents & POLLIN)
			control_serve(s);
		if (fds[1].revents || fds[2].revents || timeout >= 0) {
			watch_lock();
			session_attend(s);
			watch_unlock();
		}
		if (s->guest_ended && !told_holder && (s->record.flags & RECORD_VIEW) &&
		    (s->record.flags & RECORD_DESCENDANTS_WAIT)) {
			told_holder = true;
			terminal_take(s);
			fd_write_all(s->record.control_fd, "w", 1);
		}
	}
}

/* No process of the sandbox outlives this function, and its mounts go with the last one. */
static void end_run(struct session *s)
{
	siginfo_t info;

	terminal_restore(s);
	on_guest(s);
	if (!s->guest_ended) { /* killed together with the guard */
		s->code = CLD_KILLED;
		s->status = SIGKILL;
		if (s->reason == END_EXIT)
			s->reason = END_SIGNAL;
	}
	if (s->record.control_fd >= 0)
		fd_close(
			&s->record
				 .control_fd); /* process 1 leaves, the kernel ends its namespace */
	if (!s->guard.all_ended || (s->record.flags & RECORD_VIEW))
		everything_signal(s, SIGKILL);
	if (!s->guard_ended)
		kill(s->guard.guard_pid, SIGKILL);
	if (s->listener >= 0)
		fd_close(&s->listener); /* whoever is blocked in a trap can die now */
	/* Not for all children: a shell that exec'ed us may have left us some of its own. */
	while (!s->guard_ended || (s->record.holder_pid > 0 && !s->holder_ended)) {
		if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) < 0 && errno != EINTR)
			break;
		on_child(s);
	}
	/* What came to us when the guard died; usually there are no children left to look at. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       orphans_signal(s, SIGKILL) && waitid(P_ALL, 0, &info, WEXITED) == 0)
		;
}

/* ---- start ---- */

static bool open_events(struct session *s)
{
	sigset_t all, watched;
	int pipe_fds[2];
	static const int signals[] = {SIGCHLD, SIGINT,	SIGTERM,  SIGHUP,  SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

	/* All but those that say this process is broken: a blocked fault sent by somebody would leave a zombie of a supervisor. */
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		signal(faults[i], SIG_DFL);
		sigdelset(&all, faults[i]);
	}
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return false;
	sigemptyset(&watched);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		signal(signals[i], SIG_DFL); /* an inherited SIG_IGN would hide children's ends */
		sigaddset(&watched, signals[i]);
	}
	s->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0 || pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	s->event_fd = pipe_fds[0];
	s->guard.event_fd = pipe_fds[1];
	return true;
}

static int setup_failed(struct session *s, const struct image *image, struct error *err)
{
	struct child_failure f = s->guard.failure;
	int status =
		launch_explain(f.step, f.error, f.index, failure_place(image, f.step, f.index),
			       s->guard.candidates,
			       f.step == STEP_CWD ? s->guard.confine.cwd : s->guard.argv[0], err);

	if (s->record.flags & RECORD_COMPAT)
		status = f.step == STEP_EXEC ? 127 : 1;
	s->reason = END_SETUP;
	s->code = CLD_EXITED;
	s->status = status;
	return status;
}

/*
 * kill(-1) is the sharpest tool here. It is used only where the layer that the launcher took really confines signals: then our
 * parent, which is outside, is out of reach. A parent that cannot be named (pid 0) proves nothing, so /proc is walked instead.
 */
static bool check_scope(struct session *s)
{
	pid_t parent = getppid();

	if (!(s->record.flags & RECORD_SCOPED))
		return true;
	if (parent > 0)
		return kill(parent, 0) < 0 && errno != ESRCH;
	s->record.flags &= ~(uint32_t)RECORD_SCOPED;
	s->guard.scoped = false;
	return true;
}

int supervise(int image_fd, struct error *err)
{
	struct session *s = &session;
	struct image image;

	s->listener = -1;
	if (image_map(image_fd, &image) < 0 || !load(s, &image, &err->arena)) {
		error_add(err, NO_ORIGIN, NULL, "this is not a policy image of this program");
		return STATUS_SANDLOCK;
	}
	close(image_fd);
	prctl(PR_SET_NAME, "sandlock"); /* exec by descriptor left a number */
	if (!check_scope(s)) {
		error_add(err, NO_ORIGIN, NULL,
			  "Landlock was accepted but does not confine signals on this kernel");
		return STATUS_SANDLOCK;
	}
	/* A reaper for whatever the guard leaves when it is killed. */
	SYS(prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (!open_events(s)) {
		error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot set up the supervisor");
		return STATUS_SANDLOCK;
	}

	if (!(s->record.flags & RECORD_SCOPED)) /* else the scope tells */
		foreign_children(s);
	terminal_open(s);
	s->guard.go = !terminal_offered(s); /* else it may exec only once it has the terminal */
	int r = guard_start(&s->guard);
	if (r < 0) {
		error_add_errno(err, NO_ORIGIN, NULL, -r, "cannot make a process");
		return STATUS_SANDLOCK;
	}
	/* While the guest is being confined on another processor. */
	processes_prepare(s);
	bool hardened = (!(s->record.flags & RECORD_LISTENER) ||
			 (notify_prepare() && net_open(&image, s))) &&
			harden_self(s, err);
	guard_wait(&s->guard);
	fd_close(&s->record.ruleset_fd);
	for (size_t i = 0; i < HOLDER_NAMESPACES; i++)
		fd_close(&s->record.namespace_fd[i]);

	int status = -1;
	if (s->guard.phase != GUARD_CONFINED) {
		status = setup_failed(s, &image, err);
	} else {
		s->listener = s->guard.listener;
		if (s->listener >= 0)
			notify_open(s);
		if (!hardened || !processes_open(s, err)) {
			if (!err->errors)
				error_add(err, NO_ORIGIN, NULL, "cannot set up the supervisor");
			status = STATUS_SANDLOCK;
			s->reason = END_SETUP;
		} else {
			if (s->record.timeout_ns)
				s->timeout_ns = s->record.started_ns + s->record.timeout_ns;
			if (s->record.max_duration_ns)
				s->max_ns = now_ns() + s->record.max_duration_ns;
			if (terminal_offered(s))
				terminal_give(s);
			guard_release(&s->guard);
			serve(s);
		}
	}
	end_run(s);
	if (status < 0)
		status = s->guard.failure.step != STEP_NONE ? setup_failed(s, &image, err)
							    : outcome_status(s);
	outcome_report(s, status, err);
	outcome_message(s, err);
	return status;
}
