/* Descriptors owned by scopes. */
#ifndef SANDLOCK_BASE_FD_H
#define SANDLOCK_BASE_FD_H

#include "base/compiler.h"

#include <stdbool.h>
#include <sys/types.h>

/* Closes *fd when it is >= 0 and sets it to -1. errno is kept. */
void fd_close(int *fd);
#define auto_fd CLEANUP(fd_close) int

/* Hands a descriptor on: returns it and leaves -1 behind. */
static inline int fd_take(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

void free_pointer(void *pointer);
#define auto_free CLEANUP(free_pointer)

/* Whole buffer or -errno; EINTR is retried. */
int fd_write_all(int fd, const void *data, size_t len);
/* Up to `len` bytes until end of file; count or -errno. */
ssize_t fd_read_all(int fd, void *data, size_t len);
/* Makes 0, 1 and 2 exist (null device) before anything else is opened, so that no descriptor of ours lands there. */
bool fd_open_standard(void);

#endif
