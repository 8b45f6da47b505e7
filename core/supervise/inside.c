/* What a task of the sandbox is called inside: its own PID namespace may count differently. Allocates nothing. */
#include "supervise/session.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int task_inside(int pid)
{
	char path[32], text[4096];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_all(fd, text, sizeof text - 1);
	if (n < 0)
		return pid;
	text[n] = '\0';
	/* One number for each namespace, ours first and the task's own last. */
	char *line = strstr(text, "\nNStgid:");
	if (!line)
		return pid;
	line++;
	line[strcspn(line, "\n")] = '\0';
	const char *last = strrchr(line, '\t');
	int number = last ? (int)strtol(last, NULL, 10) : 0;
	return number > 0 ? number : pid;
}
