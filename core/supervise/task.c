/*
 * Descriptors and status of the caller. What is taken here is an object, so that nothing the caller does to its descriptor table
 * afterwards changes what is acted on. Must never be the last step before acting: notify_valid() says whose objects they were.
 */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIDFD_OF_THREAD O_EXCL /* PIDFD_THREAD, Linux 6.9 */

uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void task_status(const struct call *call, char *text, size_t size)
{
	proc_text(call->pid, "status", text, size);
}

const char *status_field(const char *status, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = status; *line;) {
		const char *end = strchr(line, '\n');

		if (!end) /* cut off: its value may be too */
			return NULL;
		if (!strncmp(line, name, len) && line[len] == ':')
			return line + len + 1;
		line = end + 1;
	}
	return NULL;
}

/* The thread group of the caller; its own number when it cannot be told. */
static int group_of(const struct call *call)
{
	char text[256]; /* name, umask, state, group */

	task_status(call, text, sizeof text);
	const char *group = status_field(text, "Tgid");
	return group ? (int)strtol(group, NULL, 10) : call->pid;
}

/* Errnos that only speak of this process become ones that the caller's call may have. */
static int translated(long result)
{
	switch (result) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return -ENOBUFS;
	case -EPERM: /* it is not dumpable: nothing of it can be judged */
		return -EACCES;
	default:
		return (int)result;
	}
}

int task_open(const struct call *call)
{
	/* A thread may have a descriptor table of its own, so the thread is asked; older kernels know processes only. */
	static atomic_bool groups_only;

	if (call->pid <= 0)
		return -ESRCH;
	if (!atomic_load_explicit(&groups_only, memory_order_relaxed)) {
		long fd = SYS(pidfd_open, call->pid, PIDFD_OF_THREAD);

		if (fd != -EINVAL)
			return translated(fd);
		atomic_store_explicit(&groups_only, true, memory_order_relaxed);
	}
	return translated(SYS(pidfd_open, group_of(call), 0));
}

int task_take(int task, int fd)
{
	return translated(SYS(pidfd_getfd, task, fd, 0));
}

int task_fd(const struct call *call, int fd)
{
	auto_fd task = task_open(call);

	return task < 0 ? task : task_take(task, fd);
}
