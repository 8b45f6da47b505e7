/*
 * accept() on behalf, where the host refuses filters on TCP sockets: a connection that the ingress rules do not let in is reset before the
 * program could have it, and the next one is taken. Only the thread of parked calls accepts: the program can make its socket block at
 * the worst moment, and then only its own waiting calls may suffer, never the loop.
 */
#include "net/behalf.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BATCH = 16,	  /* connections looked at before others get their turn */
	MOST_RESET = 4096 /* in a call that does not wait; a queue holds as many by default */
};

/* What a waiting accept keeps. */
struct waiting {
	struct net_socket socket; /* the listening one; its descriptor is the entry's */
	int flags;		  /* of accept4() */
	uint32_t reset;
	bool unsure; /* whether the caller's socket is nonblocking */
};
_Static_assert(sizeof(struct waiting) <= sizeof((struct parked *)0)->state, "fits a parked call");

/* Odd while a socket is nonblocking by our doing: whoever reads its mode meanwhile reads ours. */
static atomic_uint turns;

static bool is_ready(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, 0) > 0;
}

/* The descriptor or -errno. Does not wait, whatever the socket's mode, unless the program changes it right now. */
static int accept_now(int fd, int flags, union net_address *peer, socklen_t *len)
{
	int mode = fcntl(fd, F_GETFL);
	bool blocking = mode >= 0 && !(mode & O_NONBLOCK);

	*len = sizeof *peer;
	if (blocking) {
		atomic_fetch_add(&turns, 1);
		fcntl(fd, F_SETFL, mode | O_NONBLOCK);
	}
	int r = (int)SYS(accept4, fd, peer, len, SOCK_CLOEXEC | (flags & SOCK_NONBLOCK));
	if (blocking) {
		fcntl(fd, F_SETFL, mode);
		atomic_fetch_add(&turns, 1);
	}
	/* The supervisor's own limits. */
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? -ENOBUFS : r;
}

/*
 * The kernel takes a number for the descriptor before it takes the connection, which else stays in the queue. No number can be
 * reserved from here, so this looks whether there is one; a thread of the caller may still be faster.
 */
static bool has_room(const struct call *call)
{
	static const char name[] = "Max open files";
	char path[32], text[1024];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d/fd", call->pid);
	if (stat(path, &st) < 0 || !st.st_size) /* Linux 6.2 says how many there are */
		return true;
	proc_text(call->pid, "limits", text, sizeof text);
	const char *line = strstr(text, name);
	long limit = line ? strtol(line + sizeof name - 1, NULL, 10) : 0;
	return !limit || st.st_size < limit;
}

static bool is_welcome(const struct net_socket *listening, int fd, const union net_address *peer,
		       socklen_t len)
{
	union net_address own = {.room = {0}};
	socklen_t own_len = sizeof own;
	struct endpoint from;
	int error;

	if (listening->domain == AF_UNIX)
		return true;
	if (!net_endpoint_of(listening, peer, len, &from, &error) ||
	    getsockname(fd, &own.any, &own_len) < 0)
		return false;
	from.direction = ENDPOINT_INGRESS;
	from.port = ports_virtual(from.protocol, ntohs(own.v4.sin_port));
	return endpoint_decide(&net.table, from).allow;
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

/* As the kernel: without a place for its address the connection is closed. */
static struct reply hand_over(const struct call *call, const struct waiting *what, int fd,
			      union net_address *peer, socklen_t len)
{
	int r = 0;

	if (call->args[1]) {
		net_name_inside(&what->socket, true, peer, len);
		r = notify_valid(call) ? net_hand_out(call, peer, len) : -ESRCH;
	}
	if (r < 0) {
		close(fd);
		return reply_result(r);
	}
	return reply_fd(fd, what->flags & SOCK_CLOEXEC);
}

/* Nothing to accept now. */
static struct reply go_on(struct parked *p, const struct waiting *what, short events)
{
	if (what->socket.nonblocking)
		return reply_result(-EAGAIN);
	p->events = events;
	memcpy(p->state.room, what, sizeof *what);
	return (struct reply){.kind = REPLY_PARKED};
}

static struct reply resume_accept(struct parked *p, bool timed_out)
{
	struct waiting what;
	union net_address peer;
	socklen_t len;

	if (timed_out)
		return reply_result(-EAGAIN);
	memcpy(&what, p->state.room, sizeof what);
	if (what.unsure) /* the mode is read where it is changed */
		what.socket.nonblocking = fcntl(p->fd, F_GETFL) & O_NONBLOCK;
	what.unsure = false;
	for (unsigned i = 0; i < BATCH; i++) {
		if (!is_ready(p->fd))
			return go_on(p, &what, POLLIN);
		if (!i && !has_room(&p->call))
			return reply_result(-EMFILE);
		int fd = accept_now(p->fd, what.flags, &peer, &len);
		if (fd == -EAGAIN || fd == -EINTR) /* ready for nothing: not at once again */
			return go_on(p, &what, p->events ? 0 : POLLIN);
		if (fd < 0)
			return reply_result(fd);
		if (is_welcome(&what.socket, fd, &peer, len))
			return hand_over(&p->call, &what, fd, &peer, len);
		reset(fd);
	}
	what.reset += BATCH;
	if (what.reset < MOST_RESET || !what.socket.nonblocking) {
		p->events = POLLIN;
		memcpy(p->state.room, &what, sizeof what);
		return (struct reply){.kind = REPLY_PARKED};
	}
	return reply_result(-EAGAIN);
}

/* 0, or what the kernel says to sockets that accept nothing. */
static int check_listening(const struct net_socket *socket)
{
	int listening = 0;
	socklen_t len = sizeof listening;

	if (socket->domain != AF_INET && socket->domain != AF_INET6 && socket->domain != AF_UNIX)
		return -EOPNOTSUPP;
	if (socket->type != SOCK_STREAM && socket->type != SOCK_SEQPACKET)
		return -EOPNOTSUPP;
	if (getsockopt(socket->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return -EINVAL;
	/* MPTCP and the like: no rule knows it. */
	return socket->domain == AF_UNIX || net_protocol_of(socket) == ENDPOINT_TCP ? 0 : -EACCES;
}

struct reply handle_accept(const struct call *call)
{
	struct waiting what = {.flags = call->nr == SYS_accept4 ? (int)call->args[3] : 0};
	unsigned before = atomic_load(&turns);
	auto_socket socket;
	int r = net_socket_of(call, (int)call->args[0], &socket);

	if (r < 0)
		return reply_result(r);
	what.unsure = socket.nonblocking && (before % 2 || before != atomic_load(&turns));
	if (!notify_valid(call))
		return reply_result(-ESRCH);
	if (what.flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return reply_result(-EINVAL);
	r = check_listening(&socket);
	if (r < 0)
		return r == -EACCES ? reply_fail(EACCES) : reply_result(r);
	bool ready = is_ready(socket.fd);
	if (!ready && socket.nonblocking && !what.unsure)
		return reply_result(-EAGAIN);

	struct parked *p = park_new(call);
	if (!p)
		return reply_result(-ENOBUFS);
	what.socket = socket;
	memcpy(p->state.room, &what, sizeof what);
	p->deadline_ns = net_deadline(socket.fd, SO_RCVTIMEO);
	p->fd = fd_take(&socket.fd);
	p->events = ready || !what.unsure ? POLLIN : 0;
	p->resume = resume_accept;
	return park(p);
}
