/*
 * listen() on a TCP socket that was never bound takes a port by itself, past every bind rule (Landlock has no hook there). It
 * is judged and done on a duplicate of the caller's socket, so that the caller cannot swap it in between.
 */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The thread group of a thread; itself when it cannot be told. pidfd_open() takes group leaders only. */
static int group_of(int tid)
{
	char path[32], line[128];
	int group = tid;

	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return tid;
	while (fgets(line, sizeof line, file))
		if (!strncmp(line, "Tgid:", 5))
			group = (int)strtol(line + 5, NULL, 10);
	fclose(file);
	return group;
}

/*
 * A port that getsockname() tells may be a stale one: a connection that has ended leaves its number behind and none that is
 * held. Only bind() knows: it says EINVAL to a socket that holds a port, after Landlock (the same rules as the caller's) has
 * accepted the number; and a stale number that is accepted is then held.
 */
static bool bound(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len) < 0)
		return false;
	if (!(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port))
		return false;
	return bind(fd, &address.any, len) == 0 || errno == EINVAL;
}

struct reply handle_listen(const struct call *call)
{
	auto_fd pidfd = (int)SYS(pidfd_open, group_of(call->pid), 0);
	if (pidfd < 0)
		return reply_fail(ESRCH);
	auto_fd fd = (int)SYS(pidfd_getfd, pidfd, (int)call->args[0], 0);
	if (fd < 0)
		return reply_fail(fd == -EBADF ? EBADF : EACCES);
	if (!notify_valid(call))
		return reply_fail(ESRCH);

	int domain = AF_UNSPEC;
	socklen_t len = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return reply_fail(errno);
	if (domain != AF_UNIX && !bound(fd))
		return reply_fail(EACCES);
	return listen(fd, (int)(uint32_t)call->args[1]) < 0 ? reply_fail(errno) : reply_value(0);
}
