/*
 * The guard: the process between supervisor and guest. It shares the supervisor's memory and descriptors, enters the
 * view, makes the guest, adopts and reaps orphans, and reports how the guest ends. It and the supervisor watch each other:
 * whichever is killed, the other ends every process of the sandbox (a PID namespace does that too, where there is one).
 */
#ifndef SANDLOCK_LAUNCH_GUARD_H
#define SANDLOCK_LAUNCH_GUARD_H

#include "launch/child.h"
#include "launch/holder.h"

#include <stddef.h>

enum guard_phase { GUARD_STARTING, GUARD_CONFINED, GUARD_FAILED };

/* Written to the pipe for every change of the guest; its end only while other processes of the sandbox are left. */
struct guard_event {
	int32_t code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED */
	int32_t status;
};

enum { TREE_ROOM = 8192 };

struct guard {
	/* Prepared by the supervisor. */
	int namespace_fd[HOLDER_NAMESPACES]; /* -1: not entered */
	bool view;
	struct child_confine confine;
	const char *const *candidates;
	char *const *argv;
	char *const *envp;
	char **shell_argv;
	const int *keep_fds;
	uint32_t keep_count;
	bool new_session;
	bool scoped; /* this process is in a signal-scoped Landlock layer with only the supervisor and the sandbox */
	int supervisor_pid;
	int event_fd; /* write end of the event pipe */

	/* Shared words. */
	uint32_t phase; /* enum guard_phase; futex */
	uint32_t
		go; /* futex: the guest may exec; 1 from the start unless the supervisor has to do something first */
	int guard_pid, guest_pid, guest_pidfd;
	int listener;
	struct child_failure failure;
	bool all_ended;		 /* the guard left because no process below it is left */
	struct guard_event last; /* with all_ended: how the guest ended */
	int tree[TREE_ROOM];
};

/* Makes the guard, which makes the guest and confines it meanwhile. All signals must be blocked. The guard's exit signal is
 * SIGCHLD. 0, or -errno of the clone; guard_wait() and guard->phase tell the rest. */
int guard_start(struct guard *guard);
/* Until the guest is confined, or one of them has failed. */
void guard_wait(struct guard *guard);
void guard_release(struct guard *guard);

#endif
