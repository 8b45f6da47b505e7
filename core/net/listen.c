/*
 * listen() on a TCP socket that was never bound takes a port by itself, past every bind rule (Landlock has no hook there). It
 * is judged and done on a duplicate of the caller's socket, so that the caller cannot swap it in between.
 */
#include "net/bind.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <unistd.h>

static bool local_port(int fd, union net_address *name, socklen_t *len)
{
	*len = sizeof *name;
	return getsockname(fd, &name->any, len) == 0 && name->v4.sin_port;
}

/*
 * A port that getsockname() tells may be a stale one: a connection that has ended leaves its number behind and none that is
 * held. Only bind() knows: it says EINVAL to a socket that holds a port, after Landlock (the same rules as the caller's) has
 * accepted the number; and a stale number that is accepted is then held.
 */
static bool bound(int fd)
{
	union net_address name = {.room = {0}};
	socklen_t len;

	if (!local_port(fd, &name, &len))
		return false;
	return bind(fd, &name.any, len) == 0 || errno == EINVAL;
}

/* What listen() would do by itself, done before it: then the port is known when the filter is made. */
static int bind_any_port(const struct net_socket *socket)
{
	union net_address own = {.room = {0}};
	socklen_t len = sizeof own;

	if (!ports_make_room(binding_gone))
		return -ENOBUFS;
	/* It may have an address and no port. */
	if (getsockname(socket->fd, &own.any, &len) < 0)
		return -errno;
	setsockopt(socket->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(const int){0}, sizeof(int));
	if (bind(socket->fd, &own.any, len) < 0)
		return -errno;
	return bind_record_chosen(socket) ? 0 : -ENOBUFS;
}

static int listen_inet(const struct call *call, const struct net_socket *socket, int backlog)
{
	bool judged = net.policy.flags & NET_JUDGE_BIND, held;
	union net_address name = {.room = {0}};
	socklen_t len;

	switch (net_protocol_of(socket)) {
	case ENDPOINT_TCP:
		break;
	case 0: /* MPTCP and the like: no rule knows it */
		return -EACCES;
	default:
		return -EOPNOTSUPP;
	}
	/* Where binds are judged here, a port is held by whom we gave it: a stale one is not. */
	if (judged)
		held = local_port(socket->fd, &name, &len) &&
		       ports_holds(ENDPOINT_TCP, ntohs(name.v4.sin_port), net_cookie(socket->fd));
	else
		held = bound(socket->fd);
	if (!held && (judged || (call->session->record.features & WHEN_BIND_RULES)) &&
	    !bind_allowed(ENDPOINT_TCP, 0))
		return -EACCES;
	/* Landlock knows the numbers of the rules alone: a port the kernel chose for an allowed bind of port 0 is not among them. */
	if (!held && (judged || !local_port(socket->fd, &name, &len))) {
		int r = bind_any_port(socket);
		if (r < 0)
			return r;
	}
	if (!local_port(socket->fd, &name, &len))
		return -EINVAL;
	int r = ingress_attach(socket->fd, ENDPOINT_TCP,
			       ports_virtual(ENDPOINT_TCP, ntohs(name.v4.sin_port)));
	if (r < 0)
		return r;
	return listen(socket->fd, backlog) < 0 ? -errno : 0;
}

/* Peers would see this process as the one who listens. A name, once there, stays; without one the kernel refuses, and nobody may get
 * one in between. */
static int listen_unix(const struct net_socket *socket, int backlog)
{
	union net_address name = {.room = {0}};
	socklen_t len = sizeof name;

	if (getsockname(socket->fd, &name.any, &len) < 0)
		return -errno;
	if (len <= offsetof(struct sockaddr_un, sun_path))
		return socket->type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
	if (bind_name_reserved(&name, len))
		return -EACCES;
	return listen(socket->fd, backlog) < 0 ? -errno : 0;
}

struct reply handle_listen(const struct call *call)
{
	struct net_socket socket;
	int backlog = (int)(uint32_t)call->args[1];
	int r = net_socket_of(call, (int)(uint32_t)call->args[0], &socket);

	if (r < 0)
		return reply_fail(-r);
	auto_fd fd = socket.fd;
	if (!notify_valid(call))
		return reply_fail(ESRCH);
	if (socket.domain == AF_UNIX)
		r = listen_unix(&socket, backlog);
	else if (socket.domain != AF_INET && socket.domain != AF_INET6)
		r = -EOPNOTSUPP;
	else
		r = listen_inet(call, &socket, backlog);
	return r < 0 ? reply_fail(-r) : reply_value(0);
}
