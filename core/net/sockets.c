/*
 * The caller's socket and the address it names, as the kernel would take them. The socket's own domain decides how an address is
 * read, never the family field alone: the kernel takes AF_UNSPEC for AF_INET here and AF_INET for a mapped address there.
 */
#include "net/net.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

enum { IPV6_LEN = 24 }; /* without the scope id, as RFC 2133 had it: the kernel takes that */

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

int net_socket_of(const struct call *call, int fd, struct net_socket *out)
{
	*out = (struct net_socket){.fd = task_fd(call, fd)};
	return out->fd < 0 ? out->fd : net_socket_describe(out);
}

int net_socket_describe(struct net_socket *socket)
{
	int flags = fcntl(socket->fd, F_GETFL);

	socket->domain = option(socket->fd, SO_DOMAIN);
	if (flags < 0 || socket->domain < 0) {
		int error = flags < 0 ? -EBADF : socket->domain; /* ENOTSOCK */

		fd_close(&socket->fd);
		return error;
	}
	socket->type = option(socket->fd, SO_TYPE);
	socket->protocol = option(socket->fd, SO_PROTOCOL);
	socket->nonblocking = flags & O_NONBLOCK;
	return 0;
}

void net_socket_close(struct net_socket *socket)
{
	fd_close(&socket->fd);
}

uint64_t net_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

int net_read_address(const struct call *call, uint64_t from, uint64_t len, union net_address *out)
{
	int size = (int)(uint32_t)len; /* the kernel takes an int */

	memset(out, 0, sizeof *out);
	if (size < 0 || (size_t)size > sizeof *out)
		return -EINVAL;
	return size ? memory_read(call, from, out, (size_t)size) : 0;
}

static struct address address_of_v4(const struct in_addr *v4)
{
	return (struct address){.low = 0xffff00000000u | ntohl(v4->s_addr)};
}

static uint64_t big_endian(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof value; i++)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t net_protocol_of(const struct net_socket *socket)
{
	static const struct {
		int type, protocol;
		uint8_t is;
	} known[] = {
		{SOCK_STREAM, IPPROTO_TCP, ENDPOINT_TCP},
		{SOCK_DGRAM, IPPROTO_UDP, ENDPOINT_UDP},
		{SOCK_DGRAM, IPPROTO_ICMP, ENDPOINT_ICMP},
		{SOCK_DGRAM, IPPROTO_ICMPV6, ENDPOINT_ICMPV6},
	};

	if (socket->domain != AF_INET && socket->domain != AF_INET6)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].type == socket->type && known[i].protocol == socket->protocol)
			return known[i].is;
	return 0;
}

/* The family that the kernel reads the address as; 0 with *error. */
static int family_of(const struct net_socket *socket, const union net_address *address,
		     socklen_t len, int *error)
{
	int family = len >= sizeof(sa_family_t) ? address->any.sa_family : -1;
	bool datagram = socket->type != SOCK_STREAM;

	*error = EINVAL;
	if (family < 0)
		return 0;
	if (socket->domain == AF_INET) {
		if (len < sizeof(struct sockaddr_in))
			return 0;
		if (family == AF_INET || (family == AF_UNSPEC && datagram))
			return AF_INET;
	} else if (family == AF_INET && datagram) {
		return len < sizeof(struct sockaddr_in) ? 0 : AF_INET;
	} else if (len < IPV6_LEN) {
		return 0;
	} else if (family == AF_INET6) {
		return AF_INET6;
	}
	*error = EAFNOSUPPORT;
	return 0;
}

bool net_endpoint_of(const struct net_socket *socket, const union net_address *address,
		     socklen_t len, struct endpoint *out, int *error)
{
	*out = (struct endpoint){.protocol = net_protocol_of(socket), .direction = ENDPOINT_EGRESS};
	switch (family_of(socket, address, len, error)) {
	case AF_INET:
		out->address = address_of_v4(&address->v4.sin_addr);
		out->port = ntohs(address->v4.sin_port);
		return true;
	case AF_INET6:
		out->address = (struct address){
			.high = big_endian(address->v6.sin6_addr.s6_addr),
			.low = big_endian(address->v6.sin6_addr.s6_addr + 8),
		};
		out->port = ntohs(address->v6.sin6_port);
		return true;
	default:
		return false;
	}
}

void net_set_port(union net_address *address, uint16_t port)
{
	/* The same place in both: sin6_port is where sin_port is. */
	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
			       offsetof(struct sockaddr_in6, sin6_port),
		       "one place for the port");
	address->v4.sin_port = htons(port);
}
