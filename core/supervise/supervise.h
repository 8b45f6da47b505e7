/* The role supervisor, for static/: everything it needs is in the sealed image behind one descriptor. */
#ifndef SANDLOCK_SUPERVISE_SUPERVISE_H
#define SANDLOCK_SUPERVISE_SUPERVISE_H

#include "base/error.h"

/* Runs the guest to its end and returns the exit status of `sandlock`. The caller must be the process that the launcher
 * exec'ed, single-threaded. */
int supervise(int image_fd, struct error *err);

#endif
