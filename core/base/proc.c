/* Never allocates. */
#include "base/proc.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

ssize_t proc_text(int pid, const char *name, char *text, size_t size)
{
	char path[64];

	text[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fd_read_all(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n;
}
