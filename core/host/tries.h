/* Tries of details.c that need a file of their own. Only core/host includes this. */
#ifndef SANDLOCK_HOST_TRIES_H
#define SANDLOCK_HOST_TRIES_H

#include "host/host.h"

#include <stddef.h>

/* Runs `work` in a forked child; it writes `size` bytes to its descriptor. 0, or an errno when no answer came. */
int try_in_child(void (*work)(int result_fd, void *ctx), void *ctx, void *result, size_t size);

/* User namespace, fresh procfs, overlay: fills the three errnos. */
void try_namespaces(struct host_details *d);
/* A live listener: sync_wake_up, addfd_send. */
void try_listener(struct host_details *d);

#endif
