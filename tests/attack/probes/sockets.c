/* Group H, what sockets can be told: options, control data, ports of their own, the port space, the limit of connections. */
#include "network.h"

#include <netinet/ip.h>
#include <sys/ioctl.h>

enum { ROUTING_HEADER = 57 };
/* Type 4 (segment routing) with one segment: leaves for that, whatever address was asked for. */
static const unsigned char routing[24] = { 0, 2, 4, 0, 0, 0, 0, 0, [8 + 15] = 1 };

static long set(long fd, int level, int name, const void *value, size_t length)
{
	return sys(SYS_setsockopt, fd, level, name, value, length);
}

/* H10 */
static void ancillary(void)
{
	struct sockaddr_in open_door = loopback("W_OPEN");
	struct iovec part;
	struct msghdr message = message_to(&open_door, sizeof(open_door), &part);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(routing))];
	} control = { .header = { .cmsg_len = CMSG_LEN(8), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RETOPTS } };
	/* four NOPs: an option list that every kernel takes */
	memset(CMSG_DATA(&control.header), 1, 4);
	control.header.cmsg_len = CMSG_LEN(4);
	message.msg_control = &control, message.msg_controllen = CMSG_SPACE(4);
	attempt("IP_RETOPTS", sys(SYS_sendmsg, udp(), &message, 0));
	struct mmsghdr batch[2] = { { .msg_hdr = message }, { .msg_hdr = message } };
	attempt("in a batch", sys(SYS_sendmmsg, udp(), batch, 2, 0));
	attempt("dirty half of the flags", sys(SYS_sendmsg, udp(), &message, HIGH(MSG_NOSIGNAL)));
	if (probe.control)
		return;
	control.header.cmsg_level = IPPROTO_IPV6, control.header.cmsg_type = ROUTING_HEADER;
	control.header.cmsg_len = CMSG_LEN(sizeof(routing));
	memcpy(CMSG_DATA(&control.header), routing, sizeof(routing));
	message.msg_controllen = sizeof(control.room);
	struct sockaddr_in6 mapped = v6("::ffff:127.0.0.1", "W_OPEN");
	message.msg_name = &mapped, message.msg_namelen = sizeof(mapped);
	long six = sys(SYS_socket, AF_INET6, SOCK_DGRAM, 0);
	static const int headers[] = { 3, 4, 5, 54, 55, 57, 59 };
	for (size_t i = 0; six >= 0 && i < sizeof(headers) / sizeof(*headers); i++) {
		char what[40];
		snprintf(what, sizeof(what), "IPv6 control data %d", headers[i]);
		control.header.cmsg_type = headers[i];
		attempt(what, sys(SYS_sendmsg, six, &message, 0));
	}
	/* malformed: nothing may hide behind an element that ends beyond the data, or in one too short to be one */
	allow(EINVAL);
	static const size_t lengths[] = { 0, 1, 15, 1 << 20, (size_t)-1, (size_t)-16 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char what[48];
		snprintf(what, sizeof(what), "element of %zd bytes", (ssize_t)lengths[i]);
		control.header.cmsg_len = lengths[i];
		message.msg_name = &open_door, message.msg_namelen = sizeof(open_door);
		attempt(what, sys(SYS_sendmsg, udp(), &message, 0));
	}
	allow(ENOBUFS), allow(EMSGSIZE), allow(EFAULT);
	message.msg_controllen = (size_t)1 << 32;
	attempt("endless control data", sys(SYS_sendmsg, udp(), &message, 0));
	message.msg_controllen = 0, message.msg_iovlen = 1 << 20;
	attempt("endless vectors", sys(SYS_sendmsg, udp(), &message, 0));
}
static void ancillary_twin(void)
{
	struct sockaddr_in open_door = loopback("W_OPEN");
	struct iovec part;
	struct msghdr message = message_to(&open_door, sizeof(open_door), &part);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(4)];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO } };
	struct in_pktinfo source = { .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK) };
	memcpy(CMSG_DATA(&control.header), &source, sizeof(source));
	message.msg_control = &control, message.msg_controllen = CMSG_SPACE(sizeof(source));
	long fd = udp();
	char byte;
	must("IP_PKTINFO", sys(SYS_sendmsg, fd, &message, 0));
	must("wait for the echo", readable(fd) ? 0 : -ETIMEDOUT);
	must("echo", sys(SYS_recvfrom, fd, &byte, 1, 0, 0, 0));
	both_twin();
}

/* H11: options that lead elsewhere, or away from the rules. */
static void redirecting(void)
{
	static const unsigned char nothing[4] = { 1, 1, 1, 1 };
	const int one = 1;
	long fd = tcp();
	attempt("IP_OPTIONS", set(fd, IPPROTO_IP, IP_OPTIONS, nothing, sizeof(nothing)));
	attempt("IP_OPTIONS, dirty halves", sys(SYS_setsockopt, HIGH(fd), HIGH(IPPROTO_IP), HIGH(IP_OPTIONS), nothing, HIGH(4)));
	long six = sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	if (six >= 0) {
		attempt("IPV6_RTHDR", set(six, IPPROTO_IPV6, ROUTING_HEADER, 0, 0));
		attempt("IPV6_2292PKTOPTIONS", set(six, IPPROTO_IPV6, 6, 0, 0));
	}
	if (probe.control)
		return;
	attempt("IPV6_RTHDR, type 4", set(six, IPPROTO_IPV6, ROUTING_HEADER, routing, sizeof(routing)));
	static const struct {
		int level, name;
		const char *what;
	} rest[] = {
		{ IPPROTO_IP, 19, "IP_TRANSPARENT" },  { IPPROTO_IPV6, 75, "IPV6_TRANSPARENT" }, { IPPROTO_IPV6, 5, "IPV6_2292RTHDR" },
		{ IPPROTO_IPV6, 54, "IPV6_HOPOPTS" },  { IPPROTO_IPV6, 55, "IPV6_RTHDRDSTOPTS" }, { IPPROTO_IPV6, 59, "IPV6_DSTOPTS" },
		{ IPPROTO_TCP, 19, "TCP_REPAIR" },     { SOL_SOCKET, 36, "SO_MARK" },		 { SOL_SOCKET, 33, "SO_RCVBUFFORCE" },
	};
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		attempt(rest[i].what, set(rest[i].level == IPPROTO_IPV6 ? six : fd, rest[i].level, rest[i].name, &one, sizeof(one)));
	/* "smc" makes another kind of socket of it, which Landlock does not know */
	allow(ENOENT);
	/* this one the kernel itself refuses with another errno: it shows that the filter was there first */
	attempt("TCP_ULP mptcp", set(fd, IPPROTO_TCP, 31, "mptcp", 5));
	attempt("TCP_ULP tls", set(fd, IPPROTO_TCP, 31, "tls", 3));
	attempt("TCP_ULP smc", set(fd, IPPROTO_TCP, 31, "smc", 3));
}
static void options_twin(void)
{
	const int one = 1;
	long fd = tcp();
	must("TCP_NODELAY", set(fd, IPPROTO_TCP, 1, &one, sizeof(one)));
	must("SO_KEEPALIVE", set(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)));
	must("SO_REUSEADDR", set(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	must("IP_TOS", set(fd, IPPROTO_IP, IP_TOS, &one, sizeof(one)));
	long six = sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	if (six >= 0)
		must("IPV6_V6ONLY", set(six, IPPROTO_IPV6, 26, &one, sizeof(one)));
	unix_twin();
}

static void multicast(void)
{
	struct ip_mreqn join = { .imr_multiaddr.s_addr = htonl(0xe0000070), .imr_address.s_addr = htonl(INADDR_LOOPBACK) };
	struct {
		struct in6_addr group;
		int interface;
	} join6 = { .interface = 1 };
	struct group_req request = { .gr_interface = 1 };
	struct sockaddr_in group = { .sin_family = AF_INET, .sin_addr = join.imr_multiaddr };
	memcpy(&request.gr_group, &group, sizeof(group));
	inet_pton(AF_INET6, "ff02::70", &join6.group);
	long fd = udp();
	attempt("IP_ADD_MEMBERSHIP", set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)));
	attempt("MCAST_JOIN_GROUP", set(udp(), IPPROTO_IP, MCAST_JOIN_GROUP, &request, sizeof(request)));
	if (has_v6())
		attempt("IPV6_JOIN_GROUP", set(sys(SYS_socket, AF_INET6, SOCK_DGRAM, 0), IPPROTO_IPV6, 20, &join6, sizeof(join6)));
	if (!probe.control)
		attempt("IP_ADD_SOURCE_MEMBERSHIP, dirty halves", sys(SYS_setsockopt, fd, HIGH(IPPROTO_IP), HIGH(39), &join, sizeof(join)));
}
static void zero_copy(void)
{
	const int one = 1;
	attempt("SO_ZEROCOPY", set(tcp(), SOL_SOCKET, 60, &one, sizeof(one)));
}

/* H11: a port that somebody outside has left open to the user's other programs. */
static long bind_shared(int type, int option)
{
	struct sockaddr_in address = loopback("W_SHARED");
	const int one = 1;
	long fd = must("socket", sys(SYS_socket, AF_INET, type, 0));
	must("option", set(fd, SOL_SOCKET, option, &one, sizeof(one)));
	long r = sys(SYS_bind, fd, &address, sizeof(address));
	if (r == 0 && type == SOCK_STREAM)
		r = sys(SYS_listen, fd, 5);
	sys(SYS_close, fd);
	return r;
}
static void steal_tcp(void)
{
	attempt("SO_REUSEPORT", bind_shared(SOCK_STREAM, SO_REUSEPORT));
}
static void steal_udp(void)
{
	attempt("SO_REUSEPORT", bind_shared(SOCK_DGRAM, SO_REUSEPORT));
	attempt("SO_REUSEADDR", bind_shared(SOCK_DGRAM, SO_REUSEADDR));
}
static void own_port(int type, const char *port)
{
	struct sockaddr_in address = loopback(port);
	const int one = 1;
	long fd[2];
	for (int i = 0; i < 2; i++) {
		fd[i] = must("socket", sys(SYS_socket, AF_INET, type, 0));
		must("SO_REUSEPORT", set(fd[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
		must("bind a port of one's own, twice", sys(SYS_bind, fd[i], &address, sizeof(address)));
		if (type == SOCK_STREAM)
			must("listen", sys(SYS_listen, fd[i], 5));
	}
	sys(SYS_close, fd[0]), sys(SYS_close, fd[1]);
}
static void own_tcp_twin(void) { own_port(SOCK_STREAM, "W_FREE"); }
static void own_udp_twin(void) { own_port(SOCK_DGRAM, "W_FREE"); }

/* H12: every way to a port, but the ones that are allowed. */
static void bind_variants(void)
{
	struct sockaddr_in address = loopback("W_FREE2"), wildcard = address, unspecified, any_port;
	struct sockaddr nothing = { .sa_family = AF_UNSPEC };
	wildcard.sin_addr.s_addr = 0, unspecified = wildcard, unspecified.sin_family = AF_UNSPEC;
	any_port = address, any_port.sin_port = 0;
	attempt("tcp", sys(SYS_bind, tcp(), &address, sizeof(address)));
	attempt("tcp, wildcard", sys(SYS_bind, tcp(), &wildcard, sizeof(wildcard)));
	attempt("tcp, AF_UNSPEC", sys(SYS_bind, tcp(), &unspecified, sizeof(unspecified)));
	attempt("tcp, any port", sys(SYS_bind, tcp(), &any_port, sizeof(any_port)));
	attempt("udp", sys(SYS_bind, udp(), &address, sizeof(address)));
	attempt("udp, wildcard", sys(SYS_bind, udp(), &wildcard, sizeof(wildcard)));
	attempt("udp, AF_UNSPEC", sys(SYS_bind, udp(), &unspecified, sizeof(unspecified)));
	attempt("dirty halves", sys(SYS_bind, HIGH(tcp()), &address, HIGH(sizeof(address))));
	struct sockaddr_storage longer = { 0 };
	memcpy(&longer, &address, sizeof(address));
	attempt("longer", sys(SYS_bind, tcp(), &longer, sizeof(longer)));
	if (has_v6()) {
		struct sockaddr_in6 six = v6("::", "W_FREE2"), mapped = v6("::ffff:127.0.0.1", "W_FREE2");
		attempt("tcp6", sys(SYS_bind, sys(SYS_socket, AF_INET6, SOCK_STREAM, 0), &six, sizeof(six)));
		attempt("tcp6, mapped", sys(SYS_bind, sys(SYS_socket, AF_INET6, SOCK_STREAM, 0), &mapped, sizeof(mapped)));
		attempt("tcp6, without scope", sys(SYS_bind, sys(SYS_socket, AF_INET6, SOCK_STREAM, 0), &six, 24));
		attempt("udp6", sys(SYS_bind, sys(SYS_socket, AF_INET6, SOCK_DGRAM, 0), &six, sizeof(six)));
	}
	attempt("listen, never bound", sys(SYS_listen, tcp(), 5));
	/* a port that a connection had, or that a failed bind has left */
	struct sockaddr_in open_door = loopback("W_OPEN");
	long fd = tcp();
	must("connect", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	must("dissolve", sys(SYS_connect, fd, &nothing, sizeof(nothing)));
	attempt("listen, where a connection was", sys(SYS_listen, fd, 5));
	fd = tcp();
	sys(SYS_bind, fd, &address, sizeof(address));
	attempt("listen after a bind that failed", sys(SYS_listen, fd, 5));
	fd = udp();
	must("udp connect", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	must("dissolve", sys(SYS_connect, fd, &nothing, sizeof(nothing)));
	attempt("udp, after AF_UNSPEC", sys(SYS_bind, fd, &address, sizeof(address)));
}
static void close_all(void) /* the control's sockets would be in the way of each other */
{
	for (int fd = 3; fd < 64; fd++)
		sys(SYS_close, fd);
}
static void bind_variants_one_by_one(void)
{
	const int one = 1;
	if (!probe.control) {
		bind_variants();
		close_all();
		return;
	}
	/* unconfined one of each shows it */
	struct sockaddr_in address = loopback("W_FREE2"), unspecified = address;
	unspecified.sin_family = AF_UNSPEC, unspecified.sin_addr.s_addr = 0;
	long fd = tcp();
	set(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	attempt("tcp, AF_UNSPEC", sys(SYS_bind, fd, &unspecified, sizeof(unspecified)));
	attempt("udp", sys(SYS_bind, udp(), &address, sizeof(address)));
	attempt("listen, never bound", sys(SYS_listen, tcp(), 5));
}
static void bind_variants_twin(void)
{
	struct sockaddr_in address = loopback("W_FREE");
	long fd = tcp();
	must("bind the allowed port", sys(SYS_bind, fd, &address, sizeof(address)));
	must("listen", sys(SYS_listen, fd, 5));
	must("udp, the allowed port", sys(SYS_bind, udp(), &address, sizeof(address)));
	both_twin();
}

/* H14 */
static void inherited_socket(void)
{
	int sockets = 0;
	for (int fd = 3; fd < 1024; fd++) {
		int type;
		unsigned length = sizeof(type);
		sockets += sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
	}
	attempt("sockets that a careless caller left open", sockets ? sockets : -EBADF);
}

/* H21 */
static void port_space(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	attempt("the outsider's port, nobody has it inside", sys(SYS_connect, tcp(), &address, sizeof(address)));
	if (probe.control)
		return;
	struct sockaddr_in name, peer;
	unsigned length = sizeof(name);
	long server = tcp(), client = tcp(), accepted;
	must("bind the outsider's number", sys(SYS_bind, server, &address, sizeof(address)));
	must("listen", sys(SYS_listen, server, 5));
	must("getsockname", sys(SYS_getsockname, server, &name, &length));
	attempt("getsockname tells another number", name.sin_port == address.sin_port ? -ECONNREFUSED : 0);
	must("connect to it", sys(SYS_connect, client, &address, sizeof(address)));
	must("getpeername", sys(SYS_getpeername, client, &peer, &length));
	attempt("getpeername tells another number", peer.sin_port == address.sin_port ? -ECONNREFUSED : 0);
	accepted = must("accept", sys(SYS_accept4, server, &peer, &length, 0));
	must("getsockname of the accepted", sys(SYS_getsockname, accepted, &name, &length));
	attempt("the accepted tells another number", name.sin_port == address.sin_port ? -ECONNREFUSED : 0);
	must("getsockname of the client", sys(SYS_getsockname, client, &name, &length));
	attempt("accept tells another peer", name.sin_port == peer.sin_port ? -ECONNREFUSED : 0);
	allow(ENOENT), allow(ENOPROTOOPT), allow(EPERM);
	attempt("SO_ORIGINAL_DST", sys(SYS_getsockopt, client, IPPROTO_IP, 80, &name, &length));
	/* No other number leads anywhere: not to strangers, not to our own port under the number it has outside. */
	for (int port = 1; port < 65536; port++) {
		address.sin_port = htons((uint16_t)port);
		if (port == world_number("W_TCP"))
			continue;
		long fd = sys(SYS_socket, AF_INET, SOCK_STREAM, 0), r = sys(SYS_connect, fd, &address, sizeof(address));
		sys(SYS_close, fd);
		if (r == 0) {
			char what[32];
			snprintf(what, sizeof(what), "port %d", port);
			attempt(what, 0);
		}
	}
}
static void port_space_twin(void)
{
	struct sockaddr_in address = loopback("W_SHARED"), any = address, name;
	unsigned length = sizeof(name);
	long server = tcp();
	must("bind a busy port", sys(SYS_bind, server, &address, sizeof(address)));
	must("listen", sys(SYS_listen, server, 5));
	must("connect", sys(SYS_connect, tcp(), &address, sizeof(address)));
	any.sin_port = 0;
	server = tcp();
	must("bind any port", sys(SYS_bind, server, &any, sizeof(any)));
	must("listen", sys(SYS_listen, server, 5));
	must("getsockname", sys(SYS_getsockname, server, &name, &length));
	must("connect", sys(SYS_connect, tcp(), &name, sizeof(name)));
}

/* H22 */
static void flood(void)
{
	struct sockaddr_in address = loopback("W_OPEN");
	int connected = 0;
	long r = 0;
	for (int i = 0; i < 64; i++) {
		long fd = sys(SYS_socket, AF_INET, SOCK_STREAM | (i & 1 ? SOCK_NONBLOCK : 0), 0);
		r = sys(SYS_connect, fd, &address, sizeof(address));
		connected += r == 0 || r == -EINPROGRESS;
	}
	attempt("64 connections, 8 allowed", connected > 8 ? connected : r);
}
static void flood_twin(void)
{
	for (int i = 0; i < 32; i++) /* one after the other */
		tcp_twin();
}

static const struct probe_case cases[] = {
	CASE("H10-ancillary-data", ancillary, ancillary_twin, "--net-allow 127.0.0.1:@W_OPEN@", EPERM),
	CASE("H11-redirecting-options", redirecting, options_twin, "", EPERM),
	CASE("H11-multicast", multicast, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", EPERM),
	CASE("H11-zero-copy", zero_copy, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", EOPNOTSUPP),
	CASE("H11-shared-port-listed", steal_tcp, own_tcp_twin, "--net-allow-bind @W_SHARED@ --net-allow-bind @W_FREE@", EADDRINUSE),
	CASE("H11-shared-port-judged", steal_tcp, own_tcp_twin, "--net-deny-bind 1", EADDRINUSE),
	CASE("H11-shared-udp-port", steal_udp, own_udp_twin, "--net-allow udp://127.0.0.1 --net-allow-bind udp://@W_SHARED@,@W_FREE@", EADDRINUSE),
	CASE("H12-variants", bind_variants_one_by_one, bind_variants_twin, "--net-allow 127.0.0.1:@W_OPEN@ --net-allow-bind @W_FREE@ --net-allow-bind udp://@W_FREE@", EACCES),
	CASE("H12-variants-judged", bind_variants_one_by_one, bind_variants_twin, "--net-allow 127.0.0.1:@W_OPEN@ --net-deny-bind 0,@W_FREE2@ --net-deny-bind udp://@W_FREE2@", EACCES),
	CASE("H14-inherited-sockets", inherited_socket, tcp_socket_twin, "", EBADF),
	CASE("H21-port-space", port_space, port_space_twin, "--port-remap --net-allow-bind *", ECONNREFUSED, EACCES),
	CASE("H22-connection-limit", flood, flood_twin, "--net-allow tcp://127.0.0.1:@W_OPEN@ --max-connections 8", ECONNREFUSED),
};
PROBE_MAIN(cases)
