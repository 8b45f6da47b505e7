/*
 * getsockname() and getpeername() where ports have other numbers outside: asked of a duplicate of the socket, and told with the numbers
 * of the inside. Cosmetics, not a boundary: addresses that datagrams come from (recvfrom) keep the outside's number.
 */
#include "net/behalf.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_inet(const union net_address *address)
{
	return address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6;
}

/* Is the peer one that may be a socket of the sandbox: on this host's loopback, or at a published address? */
static bool may_be_inside(const struct endpoint *peer)
{
	static const struct address loopback[] = {{0, 0xffff7f000000}, {0, 0xffff7fffffff}};

	if (address_within(peer->address, loopback[0], loopback[1]) ||
	    address_equal(peer->address, (struct address){0, 1}))
		return true;
	for (size_t i = 0; i < net.published_count; i++) {
		const struct net_publish *p = &net.published[i];

		if (p->protocol == peer->protocol && p->host == peer->port &&
		    address_equal((struct address){p->address[0], p->address[1]}, peer->address))
			return true;
	}
	return false;
}

void net_name_inside(const struct net_socket *socket, bool peer, union net_address *name,
		     socklen_t len)
{
	uint8_t protocol = net_protocol_of(socket);
	struct endpoint at;
	int error;

	if (!(protocol & (ENDPOINT_TCP | ENDPOINT_UDP)) || len > sizeof *name || !is_inet(name) ||
	    !net_endpoint_of(socket, name, len, &at, &error))
		return;
	if (peer && !may_be_inside(&at))
		return;
	/* The port is at the same place in both families. */
	name->v4.sin_port = htons(ports_virtual(protocol, at.port));
}

int net_hand_out(const struct call *call, const union net_address *name, socklen_t len)
{
	int32_t room, whole = (int32_t)len;
	int r = memory_read(call, call->args[2], &room, sizeof room);

	if (r < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	size_t n = MIN((size_t)room, MIN((size_t)len, sizeof *name));
	if (n && memory_write(call, call->args[1], name, n) < 0)
		return -EFAULT;
	return memory_write(call, call->args[2], &whole, sizeof whole) < 0 ? -EFAULT : 0;
}

struct reply handle_socket_name(const struct call *call)
{
	bool peer = call->nr == SYS_getpeername;
	struct net_socket socket;
	union net_address name = {.room = {0}};
	socklen_t len = sizeof name;
	int r = net_socket_of(call, (int)(uint32_t)call->args[0], &socket);

	if (r < 0)
		return reply_fail(-r);
	auto_fd fd = socket.fd;
	if (!notify_valid(call))
		return reply_fail(ESRCH);
	if (socket.domain == AF_UNIX && netlink_is_ours(net_cookie(fd)))
		return handle_netlink(call);
	r = peer ? getpeername(fd, &name.any, &len) : getsockname(fd, &name.any, &len);
	if (r < 0)
		return reply_fail(errno);
	net_name_inside(&socket, peer, &name, len);
	r = net_hand_out(call, &name, len);
	return r < 0 ? reply_fail(-r) : reply_value(0);
}
