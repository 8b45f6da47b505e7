/*
 * Calls that name another task: limits, priorities, affinity, and signals where Landlock cannot scope them. The target is a
 * register, so the kernel may run the call once the target is known to be one of ours.
 */
#include "supervise/session.h"

#include "base/sys.h"
#include "launch/tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

bool task_is_ours(const struct session *s, int pid)
{
	if (pid <= 0 || pid == getpid() || pid == s->guard.guard_pid)
		return false;
	/* Our workers have numbers of their own. */
	if (workers_exist() && SYS(tgkill, getpid(), pid, 0) == 0)
		return false;
	/* The kernel's own answer: a signal-scoped layer lets us reach its members and nobody else. */
	if (s->record.flags & RECORD_SCOPED)
		return kill(pid, 0) == 0;
	for (int hops = 0; pid > 1 && hops < 4096; hops++) {
		if (pid == s->guard.guest_pid || pid == s->guard.guard_pid)
			return true;
		pid = tree_parent(pid);
	}
	return false;
}

/* Which argument names the task. */
static const struct {
	long nr;
	int argument;
} target_arguments[] = {
	{SYS_prlimit64, 0},	{SYS_sched_setscheduler, 0}, {SYS_sched_setparam, 0},
	{SYS_sched_setattr, 0}, {SYS_sched_setaffinity, 0},  {SYS_setpriority, 1},
	{SYS_ioprio_set, 1},
};

struct reply handle_own_task(const struct call *call)
{
	for (size_t i = 0; i < ARRAY_LEN(target_arguments); i++) {
		if (target_arguments[i].nr != call->nr)
			continue;
		int pid = (int)(uint32_t)call->args[target_arguments[i].argument];
		/* The kernel's errnos for strangers differ; one that programs expect from all of these. */
		return task_is_ours(call->session, pid) ? reply_proceed() : reply_fail(EPERM);
	}
	return reply_fail(EPERM);
}

struct reply handle_signal(const struct call *call)
{
	int pid = (int)(uint32_t)call->args[0];

	/* pidfd_send_signal names a descriptor, groups and -1 name many: nothing here can be judged one by one. */
	if (call->nr == SYS_pidfd_send_signal || pid < -1)
		return reply_fail(EPERM);
	if (pid == -1 || pid == 0)
		return reply_fail(EPERM);
	return task_is_ours(call->session, pid) ? reply_proceed() : reply_fail(EPERM);
}
