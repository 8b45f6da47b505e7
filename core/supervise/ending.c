/* Signals to the whole sandbox, by the surest means this host has. */
#include "supervise/session.h"

#include "launch/tree.h"

#include <signal.h>
#include <unistd.h>

void foreign_children(struct session *s)
{
	size_t n = tree_children(getpid(), s->foreign, ARRAY_LEN(s->foreign));

	for (size_t i = 0; i < n; i++)
		if (s->foreign[i] != s->record.holder_pid)
			s->foreign[s->foreign_count++] = s->foreign[i];
}

/* As a subreaper we also adopt what foreign children leave. The scope tells them apart; where there is none, hands off. */
static bool ours(const struct session *s, int pid)
{
	if (pid == s->guard.guard_pid || pid == s->record.holder_pid)
		return false;
	if (s->record.flags & RECORD_SCOPED)
		return kill(pid, 0) == 0;
	return s->foreign_count == 0;
}

bool orphans_signal(struct session *s, int signal)
{
	static int orphans[TREE_ROOM];
	size_t n = tree_children(getpid(), orphans, TREE_ROOM), kept = 0;

	for (size_t i = 0; i < n; i++)
		if (ours(s, orphans[i]))
			orphans[kept++] = orphans[i];
	for (size_t i = 0; i < kept && signal == SIGKILL; i++)
		kill(orphans[i], SIGSTOP); /* no more children meanwhile */
	for (size_t i = 0; i < kept; i++) {
		tree_signal(orphans[i], signal, s->guard.tree, TREE_ROOM);
		kill(orphans[i], signal);
	}
	return kept > 0;
}

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
	if (s->guard_ended)
		orphans_signal(s, signal);
	else
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
