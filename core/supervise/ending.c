/* Signals to the whole sandbox, by the surest means this host has. */
#include "supervise/session.h"

#include "launch/tree.h"

#include <signal.h>

void everything_signal(struct session *s, int signal)
{
	if (signal == SIGKILL)
		s->killed = true;
	if (s->record.flags & RECORD_SCOPED) {
		tree_signal_scoped(signal); /* the guard too: it ignores all but SIGKILL */
		return;
	}
	/* Process 1 of a view has adopted the orphans. */
	if (s->record.flags & RECORD_VIEW)
		tree_signal(s->record.holder_pid, signal, s->guard.tree, TREE_ROOM);
	tree_signal(s->guard.guard_pid, signal, s->guard.tree, TREE_ROOM);
}

void guest_signal(struct session *s, int signal)
{
	if (s->guest_ended)
		return;
	/* Its group; a guest that left its group gets it by number. */
	if (kill(-s->guard.guest_pid, signal) < 0)
		kill(s->guard.guest_pid, signal);
}
