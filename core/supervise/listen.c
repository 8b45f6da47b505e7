/*
 * listen() on a TCP socket that was never bound takes a port by itself, past every bind rule (Landlock has no hook there). It
 * is judged and done on a duplicate of the caller's socket, so that the caller cannot swap it in between.
 */
#include "supervise/session.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
	auto_fd fd = task_fd(call, (int)call->args[0]);
	if (fd < 0)
		return reply_result(fd);
	if (!notify_valid(call))
		return reply_fail(ESRCH);

	int domain = AF_UNSPEC;
	socklen_t len = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return reply_result(-errno);
	if (domain != AF_UNIX && !bound(fd))
		return reply_fail(EACCES);
	return reply_result(listen(fd, (int)(uint32_t)call->args[1]) < 0 ? -errno : 0);
}
