/* What the kernel says of a process. */
#ifndef SANDLOCK_BASE_PROC_H
#define SANDLOCK_BASE_PROC_H

#include <sys/types.h>

/* The text of /proc/PID/NAME, cut off at size - 1 bytes and terminated: its length, or -errno with "" in `text`. */
ssize_t proc_text(int pid, const char *name, char *text, size_t size);

#endif
