/*
 * Job control, as if the program had been started by the shell itself: its process group gets the terminal, gives it back when it
 * stops or ends, and the job as a whole stops and continues.
 */
#include "supervise/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Our group is the terminal's foreground group: only then may we decide who is. */
static bool foreground(const struct session *s)
{
	return s->tty_fd >= 0 && tcgetpgrp(s->tty_fd) == getpgrp();
}

void terminal_open(struct session *s)
{
	s->tty_fd = -1;
	/* A pipeline keeps the terminal while its first member reads a pipe; see terminal_stopped(). */
	for (int fd = 0; fd <= 2 && s->tty_fd < 0; fd++)
		if (tcgetpgrp(fd) >= 0 && tcgetattr(fd, &s->modes) == 0)
			s->tty_fd = fd;
	s->guest_modes = s->modes;
	s->tty_flags = s->tty_fd >= 0 ? fcntl(s->tty_fd, F_GETFL) : -1;
}

void terminal_restore(struct session *s)
{
	if (s->tty_fd < 0)
		return;
	if (s->owns_tty) {
		terminal_take(s);
		tcsetattr(s->tty_fd, TCSADRAIN, &s->modes); /* no raw mode of a program that died */
	}
	ioctl(s->tty_fd, TIOCNXCL);
	if (s->tty_flags >= 0)
		fcntl(s->tty_fd, F_SETFL, s->tty_flags);
}

bool terminal_offered(const struct session *s)
{
	return s->tty_fd == 0 && !(s->record.flags & RECORD_NEW_SESSION) && foreground(s);
}

/* SIGTTOU is blocked for all of our life, so tcsetpgrp() from the background is permitted. */
void terminal_give(struct session *s)
{
	if (tcsetpgrp(s->tty_fd, s->guard.guest_pid) == 0)
		s->owns_tty = true;
}

void terminal_take(struct session *s)
{
	if (!s->owns_tty)
		return;
	s->owns_tty = false;
	/* The shell inside may have handed it to any group of the sandbox; a group outside keeps it (EPERM by scope). */
	pid_t owner = tcgetpgrp(s->tty_fd);
	if (owner == getpgrp() || (kill(-owner, 0) < 0 && errno == EPERM))
		return;
	tcgetattr(s->tty_fd, &s->guest_modes);
	tcsetpgrp(s->tty_fd, getpgrp());
}

void terminal_stopped(struct session *s, int signal)
{
	if ((signal == SIGTTIN || signal == SIGTTOU) && !s->owns_tty && foreground(s)) {
		/* It wants the terminal that our group has (a pager at the end of a pipeline). */
		terminal_give(s);
		kill(-s->guard.guest_pid, SIGCONT);
		return;
	}
	if (s->tty_fd < 0)
		return;

	bool owned = s->owns_tty;
	terminal_take(s);
	if (owned)
		tcsetattr(s->tty_fd, TCSADRAIN, &s->modes);
	/* Nobody watches the clock while we stand still: then nobody of the sandbox may run. */
	bool timed = s->timeout_ns || s->max_ns || s->kill_ns;
	if (timed) {
		everything_signal(s, SIGSTOP);
		kill(s->guard.guard_pid, SIGCONT); /* it watches us */
	}
	raise(SIGSTOP); /* the shell sees its job stop; here it goes on after fg or bg */
	if (foreground(s)) {
		tcgetattr(s->tty_fd, &s->modes);
		if (owned)
			tcsetattr(s->tty_fd, TCSADRAIN, &s->guest_modes);
		terminal_give(s);
	}
	if (timed)
		everything_signal(s, SIGCONT);
	else
		kill(-s->guard.guest_pid, SIGCONT);
}
