/* Group H without rules for destinations: every way to a network that no rule names. */
#include "network.h"

static void connect_tcp(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	attempt("connect", sys(SYS_connect, fd, &address, sizeof(address)));
	fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	address.sin_addr.s_addr = 0;
	attempt("connect 0.0.0.0", sys(SYS_connect, fd, &address, sizeof(address)));
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = address.sin_port };
	fd = sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		return;
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	mapped.sin6_addr.s6_addr[12] = 127, mapped.sin6_addr.s6_addr[15] = 1;
	attempt("connect ::ffff:127.0.0.1", sys(SYS_connect, fd, &mapped, sizeof(mapped)));
}
static void connect_lengths(void)
{
	/* The kernel's own errors must come through; none may connect. */
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in address = loopback("W_TCP");
	memcpy(&storage, &address, sizeof(address));
	assert_only("the kernel refuses these lengths as well");
	allow(EFAULT);
	static const unsigned lengths[] = { 0, 1, 2, 15, 129, 4096, 0xffffffff };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char what[32];
		long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
		snprintf(what, sizeof(what), "length %u", lengths[i]);
		attempt(what, sys(SYS_connect, fd, &storage, lengths[i]));
	}
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	attempt("unmapped", sys(SYS_connect, fd, 8, 16));
}
static void dissolve(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	sys(SYS_connect, fd, &unspecified, sizeof(unspecified));
	attempt("connect after AF_UNSPEC", sys(SYS_connect, fd, &address, sizeof(address)));
	if (!probe.control) {
		address.sin_family = AF_UNSPEC;
		allow(EAFNOSUPPORT);
		sys(SYS_connect, fd, &address, sizeof(address));
		unsigned length = sizeof(address);
		long r = sys(SYS_getpeername, fd, &address, &length);
		allow(ENOTCONN);
		attempt("connected by an AF_UNSPEC layout", r);
	}
}

static void mptcp(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	long fd = sys(SYS_socket, AF_INET, SOCK_STREAM, 262);
	if (probe.control && fd < 0)
		skip("kernel has no MPTCP");
	attempt("socket", fd);
	if (fd >= 0)
		attempt("connect", sys(SYS_connect, fd, &address, sizeof(address)));
	attempt("socket6", sys(SYS_socket, AF_INET6, SOCK_STREAM, 262));
	attempt("with flags", sys(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 262));
}

static void fast_open(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	struct iovec part = { "x", 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &part, .msg_iovlen = 1 } };
	const int flag = MSG_FASTOPEN;
	long fd[4];
	for (int i = 0; i < 4; i++)
		fd[i] = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	long r = sys(SYS_sendto, fd[0], "x", 1, flag, &address, sizeof(address));
	if (probe.control && r == -EOPNOTSUPP)
		skip("net.ipv4.tcp_fastopen has the client switched off");
	attempt("sendto", r);
	attempt("sendmsg", sys(SYS_sendmsg, fd[1], &message.msg_hdr, flag));
	attempt("sendmmsg", sys(SYS_sendmmsg, fd[2], &message, 1, flag));
	attempt("sendto, dirty half", sys(SYS_sendto, fd[3], "x", 1, HIGH(flag | MSG_NOSIGNAL), &address, sizeof(address)));
	int one = 1;
	long lazy = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	sys(SYS_setsockopt, lazy, IPPROTO_TCP, 30 /* TCP_FASTOPEN_CONNECT */, &one, sizeof(one));
	allow(EACCES), allow(ECONNREFUSED);
	attempt("TCP_FASTOPEN_CONNECT", sys(SYS_connect, lazy, &address, sizeof(address)));
}
static void send_twin(void)
{
	int pair[2];
	struct iovec part = { "x", 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair));
	must("sendto", sys(SYS_sendto, pair[0], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0));
	must("sendmsg", sys(SYS_sendmsg, pair[0], &message.msg_hdr, MSG_NOSIGNAL));
	must("sendmmsg", sys(SYS_sendmmsg, pair[0], &message, 1, MSG_NOSIGNAL));
}

/* H03: every family, type and protocol. The golden table: what may exist at all. */
static bool golden(int family, int type, int protocol)
{
	if (family == AF_UNIX)
		return true;
	if (family == AF_NETLINK)
		return (type == SOCK_RAW || type == SOCK_DGRAM) && protocol == 0; /* route: reading interfaces, as everybody does */
	return (family == AF_INET || family == AF_INET6) && type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP);
}
static void families(void)
{
	static const int types[] = { 1, 2, 3, 4, 5, 6, 10 };
	int opened = 0, wrong = 0;
	allow(ESOCKTNOSUPPORT), allow(EINVAL);
	for (int family = 0; family < 46; family++)
		for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++)
			for (int protocol = 0; protocol <= 262; protocol++) {
				if (golden(family, types[t], protocol))
					continue;
				/* unconfined a handful shows it; asking for all would have the kernel load modules for minutes */
				if (probe.control && !((family == AF_INET || family == AF_NETLINK) && protocol <= 17))
					continue;
				char what[48];
				long fd = sys(SYS_socket, family, types[t] | SOCK_CLOEXEC, protocol);
				if (fd >= 0) {
					sys(SYS_close, fd);
					opened++;
				}
				if (probe.control)
					continue;
				if (fd >= 0 || (!expected((int)-fd) && wrong++ < 10)) {
					snprintf(what, sizeof(what), "family %d type %d protocol %d", family, types[t], protocol);
					attempt(what, fd);
				}
			}
	if (probe.control)
		printf("  %d combinations open unconfined\n", opened);
	attempt("sockets beyond the table", opened ? 0 : -EAFNOSUPPORT);
}
static void datagram(void)
{
	struct sockaddr_in address = loopback("W_UDP");
	long fd = sys(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	attempt("udp socket", fd);
	if (fd >= 0)
		attempt("sendto", sys(SYS_sendto, fd, "x", 1, 0, &address, sizeof(address)));
	attempt("udp6 socket", sys(SYS_socket, AF_INET6, SOCK_DGRAM, 17));
	if (!probe.control || sys(SYS_socket, AF_INET, SOCK_DGRAM, 136) >= 0)
		attempt("udp-lite", sys(SYS_socket, AF_INET, SOCK_DGRAM, 136));
	if (!probe.control || is_root()) {
		attempt("raw icmp", sys(SYS_socket, AF_INET, SOCK_RAW, 1));
		attempt("packet", sys(SYS_socket, AF_PACKET, SOCK_RAW, 0x0300));
		attempt("ping", probe.control ? 0 : sys(SYS_socket, AF_INET, SOCK_DGRAM, 1));
	}
}

static void bind_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	attempt("bind 0", sys(SYS_bind, fd, &address, sizeof(address)));
	fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	address.sin_port = htons((uint16_t)world_number("W_FREE2")), address.sin_addr.s_addr = 0;
	attempt("bind a port", sys(SYS_bind, fd, &address, sizeof(address)));
}
static void listen_unbound(void)
{
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	attempt("listen without bind", sys(SYS_listen, fd, 5));
	fd = sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	if (fd >= 0)
		attempt("listen without bind, v6", sys(SYS_listen, fd, 5));
}
static void listen_unix_twin(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", in("W_RW", "own.sock"));
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	must("bind", sys(SYS_bind, fd, &address, sizeof(address)));
	must("listen", sys(SYS_listen, fd, 5));
	long client = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	must("connect", sys(SYS_connect, client, &address, sizeof(address)));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, address.sun_path, 0));
}
static void allowed_port_twin(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)world_number("W_FREE")) };
	long fd = must("socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0));
	int one = 1;
	sys(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must("bind the allowed port", sys(SYS_bind, fd, &address, sizeof(address)));
	must("listen", sys(SYS_listen, fd, 5));
}

static const struct probe_case cases[] = {
	CASE("H24-connect-without-rules", connect_tcp, tcp_socket_twin, "", EACCES, ECONNREFUSED),
	CASE("H05-dissolve-reconnect", dissolve, tcp_socket_twin, "", EACCES, ECONNREFUSED),
	CASE("H07-address-lengths", connect_lengths, tcp_socket_twin, "", EINVAL, EACCES, ECONNREFUSED),
	CASE("H01-mptcp", mptcp, tcp_socket_twin, "", EPROTONOSUPPORT),
	CASE("H02-fast-open", fast_open, send_twin, "", EOPNOTSUPP),
	CASE("H03-families", families, unix_twin, "", EAFNOSUPPORT, EPROTONOSUPPORT, EACCES, EPERM),
	CASE("H03-datagram-raw", datagram, unix_twin, "", EAFNOSUPPORT, EPROTONOSUPPORT, EACCES, EPERM),
	CASE("H12-bind", bind_port, listen_unix_twin, "", EACCES, EPERM),
	CASE("H12-listen-unbound", listen_unbound, listen_unix_twin, "", EACCES, EPERM),
	CASE("H12-other-port", bind_port, allowed_port_twin, "--net-allow-bind @W_FREE@", EACCES, EPERM),
};
PROBE_MAIN(cases)
