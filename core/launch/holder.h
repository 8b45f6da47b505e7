/*
 * The holder: process 1 of a sandbox that has a view. It builds the mounts, proves that they are there, then holds the
 * namespaces until its control pipe closes. It is made before the launcher takes its Landlock layer, because Landlock
 * refuses every mount call from inside a layer.
 */
#ifndef SANDLOCK_LAUNCH_HOLDER_H
#define SANDLOCK_LAUNCH_HOLDER_H

#include "plan/plan.h"

enum { HOLDER_NAMESPACES = 5 };

struct holder {
	int pid;
	int control_fd; /* closing it ends the sandbox; a byte 'w' means: end when the last process is gone */
	int root_fd;			     /* O_PATH: the view's root directory, seen from here */
	int namespace_fd[HOLDER_NAMESPACES]; /* user, pid, mnt, uts, ipc: the order of entering */
};

#define NO_HOLDER                                                                                  \
	((struct holder){.control_fd = -1, .root_fd = -1, .namespace_fd = {-1, -1, -1, -1, -1}})

/* What the host said no to, so that a run which can do without it may be planned again. */
enum refusal { REFUSED_NOTHING, REFUSED_NAMESPACES, REFUSED_PROC };

/* Starts the holder and waits until the view stands. On failure nothing is left behind. */
bool holder_start(const struct plan *plan, const struct host *host, struct holder *out,
		  enum refusal *refused, struct error *err);
void holder_close(struct holder *holder);

#endif
