/*
 * connect() on behalf: the address is copied once, judged, and used on a duplicate of the caller's socket. Never continued, also where the
 * kernel judges the address: the descriptor could become another socket in between. Never blocks: what waits is parked.
 */
#include "net/behalf.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

/* What a waiting connect keeps. */
struct waiting {
	union net_address address;
	socklen_t len;
};
_Static_assert(sizeof(struct waiting) <= sizeof((struct parked *)0)->state, "fits a parked call");

uint64_t net_deadline(int fd, int option)
{
	struct timeval limit = {0};
	socklen_t len = sizeof limit;

	if (getsockopt(fd, SOL_SOCKET, option, &limit, &len) < 0 ||
	    (!limit.tv_sec && !limit.tv_usec))
		return 0;
	/* Some 292 years are never. */
	uint64_t seconds = MIN((uint64_t)limit.tv_sec, (uint64_t)1 << 32);
	return clock_ns() + seconds * 1000000000u + (uint64_t)limit.tv_usec * 1000;
}

/*
 * Does not wait, whatever the socket's mode. The mode belongs to the description, which the caller shares: it is another one
 * for some microseconds, on a socket that is not connected yet. Another task of the caller's may set it back before connect() looks at
 * it; then patience ends (EINTR) what has begun.
 */
static int connect_now(int fd, const union net_address *address, socklen_t len)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -EBADF;
	bool blocking = !(flags & O_NONBLOCK);
	if (blocking && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -EBADF;
	int r = connect(fd, &address->any, len) < 0 ? -errno : 0;
	/* On this machine the answer has come already, and only its taker is missing. */
	if (blocking && r == -EINPROGRESS)
		r = connect(fd, &address->any, len) < 0 ? -errno : 0;
	if (r == -EINTR)
		r = address->any.sa_family == AF_UNIX ? -EAGAIN : -EINPROGRESS;
	if (blocking)
		fcntl(fd, F_SETFL, flags);
	return r;
}

static struct reply wait_for(const struct call *call, struct net_socket *socket,
			     const struct waiting *what, short events,
			     struct reply (*resume)(struct parked *, bool))
{
	struct parked *p = park_new(call);

	if (!p)
		return reply_result(-ENOBUFS);
	memcpy(p->state.room, what, sizeof *what);
	p->deadline_ns = net_deadline(socket->fd, SO_SNDTIMEO);
	p->fd = fd_take(&socket->fd);
	p->events = events;
	p->resume = resume;
	return park(p);
}

/* ---- IP ---- */

static bool in_progress(int result)
{
	return result == -EINPROGRESS || result == -EALREADY;
}

enum { OVER_LIMIT = INT_MIN + 1 }; /* no errno */

/* One of the connections that are counted. The kernel alone says when it is over: what connect() returns tells nothing about a socket
 * that other tasks connect and disconnect meanwhile. */
static int connect_stream(int fd, const struct waiting *what)
{
	const struct sockaddr nothing = {.sa_family = AF_UNSPEC};
	uint64_t cookie = net.policy.max_connections ? net_cookie(fd) : 0;

	if (!net.policy.max_connections)
		return connect_now(fd, &what->address, what->len);
	if (!connections_admit(cookie))
		return OVER_LIMIT;
	int r = connect_now(fd, &what->address, what->len);
	/* Before it connected, another thread may have taken it for closed. */
	if ((r == 0 || in_progress(r)) && !connections_admit(cookie))
		return connect(fd, &nothing, sizeof nothing.sa_family) < 0 ? -errno : OVER_LIMIT;
	return r;
}

static bool has_ended(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/* Another task may have ended the attempt (shutdown, AF_UNSPEC): connect() would begin anew. Only then the error is ECONNRESET. */
static int take_error(int fd, const struct waiting *what)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error == ECONNRESET)
		return -ECONNRESET;
	/* Tells the socket that it is over; what it answers is known. */
	if (error)
		connect_now(fd, &what->address, what->len);
	return error ? -error : -ECONNABORTED;
}

/* Asking connect() again, not SO_ERROR, takes the result: the socket's state then is what the caller's own connect() would have left. */
static struct reply resume_inet(struct parked *p, bool timed_out)
{
	struct waiting what;

	if (timed_out)
		return reply_result(-EINPROGRESS);
	memcpy(&what, p->state.room, sizeof what);
	int r = has_ended(p->fd) ? take_error(p->fd, &what) : connect_stream(p->fd, &what);
	if (r == OVER_LIMIT)
		return reply_fail(ECONNREFUSED);
	if (in_progress(r)) {
		p->events = p->events ? 0 : POLLOUT; /* woken for nothing: not at once again */
		return (struct reply){.kind = REPLY_PARKED};
	}
	return reply_result(r);
}

static struct reply connect_inet(const struct call *call, struct net_socket *socket,
				 struct waiting *what)
{
	struct endpoint to;
	int error;

	if (!net_endpoint_of(socket, &what->address, what->len, &to, &error))
		return reply_result(-error);
	error = net_judge(socket, &to, &what->address);
	if (error)
		return reply_fail(error);
	bool stream = socket->type == SOCK_STREAM;
	if (stream && net.policy.max_connections && !call->may_wait && connections_full())
		return reply_later(handle_connect);
	/* Datagrams: connect() never waits, and another task may be receiving in this mode. */
	int r = stream ? connect_stream(socket->fd, what)
		       : (connect(socket->fd, &what->address.any, what->len) < 0 ? -errno : 0);
	if (r == OVER_LIMIT)
		return reply_fail(ECONNREFUSED);
	if (stream && !socket->nonblocking && in_progress(r))
		return wait_for(call, socket, what, POLLOUT, resume_inet);
	return reply_result(r);
}

/* ---- unix ---- */

/* The path is resolved and judged again for every try: what was judged is what is connected to. */
static int connect_unix_now(const struct call *call, int fd, const struct waiting *what)
{
	char path[UNIX_PATH_ROOM];
	union net_address pinned;
	int n = unix_path_of(&what->address, what->len, path);

	if (n < 0)
		return n;
	/* Abstract: the outer layer's scope knows which sockets are the sandbox's. Unnamed: the kernel refuses. */
	if (n == 0 || what->address.any.sa_family != AF_UNIX)
		return connect_now(fd, &what->address, what->len);
	auto_fd target = net_unix_target(call, &what->address, what->len);
	if (target < 0)
		return target;
	return connect_now(fd, &pinned, unix_address_of(target, &pinned));
}

static struct reply resume_unix(struct parked *p, bool timed_out)
{
	struct waiting what;

	if (timed_out)
		return reply_result(-EAGAIN);
	memcpy(&what, p->state.room, sizeof what);
	int r = connect_unix_now(&p->call, p->fd, &what);
	return r == -EAGAIN ? (struct reply){.kind = REPLY_PARKED} : reply_result(r);
}

static struct reply connect_unix(const struct call *call, struct net_socket *socket,
				 const struct waiting *what)
{
	int r = net_same_identity(call) ? connect_unix_now(call, socket->fd, what) : -EACCES;

	if (r == NET_LATER)
		return reply_later(handle_connect);
	/* The listener's queue is full. Nothing tells when it is not any more. */
	if (r == -EAGAIN && !socket->nonblocking)
		return wait_for(call, socket, what, 0, resume_unix);
	return r == -EACCES ? reply_fail(EACCES) : reply_result(r);
}

/* ---- the call ---- */

/* AF_UNSPEC ends an association; nothing else of the address counts. */
static struct reply dissolve(const struct net_socket *socket)
{
	const struct sockaddr nothing = {.sa_family = AF_UNSPEC};

	if (connect(socket->fd, &nothing, sizeof nothing.sa_family) < 0)
		return reply_result(-errno);
	return reply_result(0);
}

struct reply handle_connect(const struct call *call)
{
	struct waiting what = {.len = (socklen_t)call->args[2]};
	auto_socket socket;
	int r = net_socket_of(call, (int)call->args[0], &socket);

	if (r < 0)
		return reply_result(r);
	r = net_read_address(call, call->args[1], call->args[2], &what.address);
	if (r < 0)
		return reply_result(r);
	if (!notify_valid(call))
		return reply_result(-ESRCH);
	if (what.len < sizeof(sa_family_t))
		return reply_result(-EINVAL);
	if (what.address.any.sa_family == AF_UNSPEC)
		return dissolve(&socket);
	switch (socket.domain) {
	case AF_INET:
	case AF_INET6:
		return connect_inet(call, &socket, &what);
	case AF_UNIX:
		return connect_unix(call, &socket, &what);
	default:
		return reply_fail(EAFNOSUPPORT);
	}
}
