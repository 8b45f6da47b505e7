/* Group H with rules: one port of the outsider is allowed, and every way is tried from there to the others. */
#include "network.h"

static long connect_new(int domain, int type, const void *address, size_t length)
{
	long fd = sys(SYS_socket, domain, type, 0);
	long r = fd < 0 ? fd : sys(SYS_connect, fd, address, length);
	sys(SYS_close, fd);
	return r;
}
static long send_new(int domain, const void *address, size_t length)
{
	long fd = sys(SYS_socket, domain, SOCK_DGRAM, 0);
	long r = fd < 0 ? fd : sys(SYS_sendto, fd, "x", 1, 0, address, length);
	sys(SYS_close, fd);
	return r;
}
/* By every call that takes a destination. */
static void everywhere(const char *what, int domain, const void *address, size_t length)
{
	char name[96];
	struct iovec part;
	struct mmsghdr message = { .msg_hdr = message_to((void *)(uintptr_t)address, length, &part) };
	long fd = must("socket", sys(SYS_socket, domain, SOCK_DGRAM, 0));
#define EACH(call, r) snprintf(name, sizeof(name), "%s: %s", what, call), attempt(name, r)
	EACH("connect", connect_new(domain, SOCK_STREAM, address, length));
	EACH("sendto", send_new(domain, address, length));
	EACH("sendmsg", sys(SYS_sendmsg, fd, &message.msg_hdr, 0));
	EACH("sendmmsg", sys(SYS_sendmmsg, fd, &message, 1, 0));
	EACH("udp connect", connect_new(domain, SOCK_DGRAM, address, length));
	EACH("sendto, dirty halves", sys(SYS_sendto, HIGH(fd), "x", 1, HIGH(0), address, HIGH(length)));
#undef EACH
	sys(SYS_close, fd);
}

static void other_destinations(void)
{
	struct sockaddr_in port = loopback("W_TCP"), host = v4("127.0.0.2", "W_OPEN");
	everywhere("other port", AF_INET, &port, sizeof(port));
	everywhere("other address", AF_INET, &host, sizeof(host));
}
static void other_protocol(void)
{
	struct sockaddr_in address = loopback("W_OPEN");
	attempt("udp to the port of a tcp rule", send_new(AF_INET, &address, sizeof(address)));
	if (!probe.control) {
		allow(EPROTONOSUPPORT);
		attempt("ping", sys(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
		attempt("udp-lite", sys(SYS_socket, AF_INET, SOCK_DGRAM, 136));
		attempt("raw", sys(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_UDP));
	}
}
static void ping(void)
{
	static const unsigned char echo[] = { 8, 0, 0, 0, 0, 1, 0, 1 };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
	struct iovec part;
	struct msghdr message = message_to(&address, sizeof(address), &part);
	long fd = sys(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	if (probe.control && fd < 0)
		skip("net.ipv4.ping_group_range lets nobody ping");
	part = (struct iovec){ (void *)(uintptr_t)echo, sizeof(echo) };
	attempt("sendto", sys(SYS_sendto, fd, echo, sizeof(echo), 0, &address, sizeof(address)));
	attempt("sendmsg", sys(SYS_sendmsg, fd, &message, 0));
	attempt("connect", sys(SYS_connect, fd, &address, sizeof(address)));
	attempt("udp", sys(SYS_socket, AF_INET, SOCK_DGRAM, 0));
}
static void ping_twin(void)
{
	static const unsigned char echo[] = { 8, 0, 0, 0, 0, 1, 0, 1 };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	long fd = must("ping socket", sys(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	must("ping", sys(SYS_sendto, fd, echo, sizeof(echo), 0, &address, sizeof(address)));
	must("reply", readable(fd) ? 0 : -ETIMEDOUT);
}

/* H04: the family in memory is a claim; what the kernel makes of it depends on the socket. */
static void families(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	struct sockaddr_in unspecified = address;
	unspecified.sin_family = AF_UNSPEC;
	struct iovec part;
	struct msghdr message = message_to(&unspecified, sizeof(unspecified), &part);
	attempt("AF_UNSPEC on udp is AF_INET", send_new(AF_INET, &unspecified, sizeof(unspecified)));
	attempt("the same in a message", sys(SYS_sendmsg, udp(), &message, 0));
	if (has_v6()) {
		attempt("AF_INET on udp6", send_new(AF_INET6, &address, sizeof(address)));
		attempt("AF_INET on udp6, connect", connect_new(AF_INET6, SOCK_DGRAM, &address, sizeof(address)));
	}
	if (probe.control)
		return;
	allow(EAFNOSUPPORT), allow(EINVAL);
	struct sockaddr_in6 mapped = v6("::ffff:127.0.0.1", "W_TCP");
	attempt("AF_INET on tcp6", connect_new(AF_INET6, SOCK_STREAM, &address, sizeof(address)));
	attempt("AF_INET6 on tcp", connect_new(AF_INET, SOCK_STREAM, &mapped, sizeof(mapped)));
	attempt("AF_INET6 on udp", send_new(AF_INET, &mapped, sizeof(mapped)));
	attempt("AF_INET on a unix socket", connect_new(AF_UNIX, SOCK_STREAM, &address, sizeof(address)));
	attempt("AF_INET on a unix datagram socket", send_new(AF_UNIX, &address, sizeof(address)));
	address.sin_family = AF_NETLINK;
	attempt("AF_NETLINK on udp", send_new(AF_INET, &address, sizeof(address)));
	/* a socket that changes its own family between two calls */
	struct sockaddr_in6 open_door = v6("::ffff:127.0.0.1", "W_OPEN");
	int family = AF_INET;
	long fd = sys(SYS_socket, AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		return;
	must("connect", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	must("IPV6_ADDRFORM", sys(SYS_setsockopt, fd, IPPROTO_IPV6, 1, &family, sizeof(family)));
	attempt("AF_UNSPEC on a converted socket", sys(SYS_sendto, fd, "x", 1, 0, &unspecified, sizeof(unspecified)));
	attempt("AF_INET6 on a converted socket", sys(SYS_sendto, fd, "x", 1, 0, &mapped, sizeof(mapped)));
}

/* H05: an association that was judged is no leave for the next one. */
static void reconnect(void)
{
	struct sockaddr_in open_door = loopback("W_OPEN"), address = loopback("W_TCP");
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	struct iovec part;
	struct msghdr message = message_to(&address, sizeof(address), &part);
	long fd = tcp();
	must("connect to the open door", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	must("dissolve", sys(SYS_connect, fd, &unspecified, sizeof(unspecified)));
	attempt("tcp", sys(SYS_connect, fd, &address, sizeof(address)));
	fd = udp();
	must("udp connect", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	attempt("sendto with another address", sys(SYS_sendto, fd, "x", 1, 0, &address, sizeof(address)));
	attempt("sendmsg with another address", sys(SYS_sendmsg, fd, &message, 0));
	attempt("udp, connected over", sys(SYS_connect, fd, &address, sizeof(address)));
	must("dissolve", sys(SYS_connect, fd, &unspecified, sizeof(unspecified.sa_family)));
	attempt("udp, dissolved", sys(SYS_connect, fd, &address, sizeof(address)));
	if (!probe.control) { /* whatever the kernel makes of it: nobody is the peer, or the open door */
		struct sockaddr_in peer = address;
		unsigned length = sizeof(peer);
		peer.sin_family = AF_UNSPEC;
		sys(SYS_connect, fd, &peer, sizeof(peer));
		long r = sys(SYS_getpeername, fd, &peer, &length);
		attempt("the layout of AF_INET under AF_UNSPEC", r == 0 && peer.sin_port == address.sin_port ? 0 : -ECONNREFUSED);
	}
}

/* H06: other spellings of an address. */
static void spellings(const char *const *hosts, size_t count, const char *port, bool reachable)
{
	for (size_t i = 0; i < count; i++) {
		bool six = strchr(hosts[i], ':');
		struct sockaddr_in four_form = { 0 };
		struct sockaddr_in6 six_form = { 0 };
		if (six)
			six_form = v6(hosts[i], port);
		else
			four_form = v4(hosts[i], port);
		if (six && !has_v6())
			continue;
		if (reachable)
			everywhere(hosts[i], six ? AF_INET6 : AF_INET, six ? (void *)&six_form : (void *)&four_form,
				   six ? sizeof(six_form) : sizeof(four_form));
		else if (!probe.control)
			attempt(hosts[i], connect_new(six ? AF_INET6 : AF_INET, SOCK_DGRAM, six ? (void *)&six_form : (void *)&four_form,
						      six ? sizeof(six_form) : sizeof(four_form)));
	}
}
#define SPELLINGS(port, reachable, ...) \
	spellings((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), port, reachable)
static void forms(void)
{
	SPELLINGS("W_TCP", true, "0.0.0.0", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::1", "::");
	SPELLINGS("W_TCP", false, "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "127.1.2.3", "::ffff:127.1.2.3", "fe80::1", "255.255.255.255",
		  "224.0.0.1", "ff02::1", "169.254.169.254", "::ffff:169.254.169.254");
}
/* Denied addresses must be recognised in every form, or the rest of the world is a way around. */
static void denied_forms(void)
{
	SPELLINGS("W_TCP", true, "127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::1", "::");
	SPELLINGS("W_TCP", false, "64:ff9b::7f00:1", "2002:7f00:1::", "2002:7f00:1:1::5", "::127.0.0.1", "127.1.2.3", "127.255.255.254",
		  "::ffff:127.1.2.3", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "::169.254.169.254");
}

/* H07: the length is an int, and nothing may be read beyond it. */
static void lengths(void)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in address = loopback("W_TCP");
	char what[48];
	memcpy(&storage, &address, sizeof(address));
	static const unsigned full[] = { 16, 27, 28, 128 }, odd[] = { 0, 1, 2, 15, 129, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	for (size_t i = 0; i < sizeof(full) / sizeof(*full); i++) {
		snprintf(what, sizeof(what), "connect, length %u", full[i]);
		attempt(what, connect_new(AF_INET, SOCK_STREAM, &storage, full[i]));
		snprintf(what, sizeof(what), "sendto, length %u", full[i]);
		attempt(what, send_new(AF_INET, &storage, full[i]));
	}
	if (probe.control)
		return;
	allow(EINVAL), allow(EDESTADDRREQ);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct iovec part;
		struct msghdr message = message_to(&storage, odd[i], &part);
		snprintf(what, sizeof(what), "connect, length %u", odd[i]);
		attempt(what, connect_new(AF_INET, SOCK_STREAM, &storage, odd[i]));
		snprintf(what, sizeof(what), "udp connect, length %u", odd[i]);
		attempt(what, connect_new(AF_INET, SOCK_DGRAM, &storage, odd[i]));
		snprintf(what, sizeof(what), "sendto, length %u", odd[i]);
		attempt(what, send_new(AF_INET, &storage, odd[i]));
		snprintf(what, sizeof(what), "sendmsg, length %u", odd[i]);
		attempt(what, sys(SYS_sendmsg, udp(), &message, 0));
	}
	allow(EFAULT);
	attempt("connect, unmapped", connect_new(AF_INET, SOCK_STREAM, (void *)8, 16));
	attempt("sendto, unmapped", send_new(AF_INET, (void *)8, 16));
	attempt("sendmsg, unmapped", sys(SYS_sendmsg, udp(), (void *)8, 0));
	attempt("sendmmsg, unmapped", sys(SYS_sendmmsg, udp(), (void *)8, 1, 0));
	/* the last bytes of a page, and the next is not there */
	long page = sys(SYS_mmap, 0, 8192, 3, 0x22, -1, 0);
	sys(SYS_munmap, page + 4096, 4096);
	memcpy((char *)page + 4096 - 8, &address, 8);
	attempt("connect, half of it unmapped", connect_new(AF_INET, SOCK_STREAM, (char *)page + 4096 - 8, 16));
	memcpy((char *)page + 4096 - 16, &address, 16);
	attempt("connect, at the end of a page", connect_new(AF_INET, SOCK_STREAM, (char *)page + 4096 - 16, 16));
}

/* H08: memory and descriptors that change between the look and the use. */
static struct {
	volatile struct sockaddr_in address;
	volatile int stop;
	struct sockaddr_in good, bad;
	long victim, spare[2];
} race;
static void *flip_address(void *unused)
{
	while (!race.stop) {
		race.address.sin_port = race.bad.sin_port;
		race.address.sin_port = race.good.sin_port;
	}
	return unused;
}
static void *flip_descriptor(void *unused)
{
	for (unsigned i = 0; !race.stop; i++)
		sys(SYS_dup3, race.spare[i & 1], race.victim, 0);
	return unused;
}
static void swapped(void)
{
	const int seconds = 2;
	struct iovec part;
	struct timespec now, end;
	struct sockaddr_in peer;
	pthread_t threads[2];
	int reached = 0, sent = 0;
	race.good = loopback("W_OPEN"), race.bad = loopback("W_TCP");
	*(struct sockaddr_in *)(uintptr_t)&race.address = race.good;
	struct msghdr message = message_to((void *)(uintptr_t)&race.address, sizeof(race.address), &part);
	race.spare[0] = udp(), race.spare[1] = tcp();
	race.victim = sys(SYS_fcntl, race.spare[0], F_DUPFD, 500);
	pthread_create(&threads[0], 0, flip_address, 0);
	pthread_create(&threads[1], 0, flip_descriptor, 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		unsigned length = sizeof(peer);
		long fd = tcp();
		if (sys(SYS_connect, fd, &race.address, sizeof(peer)) == 0 && sys(SYS_getpeername, fd, &peer, &length) == 0)
			reached += peer.sin_port == race.bad.sin_port;
		sys(SYS_close, fd);
		/* what arrives is seen by the outsider */
		long one = udp();
		sent += sys(SYS_sendto, one, "x", 1, MSG_NOSIGNAL, &race.address, sizeof(peer)) < 0;
		sys(SYS_sendmsg, one, &message, MSG_NOSIGNAL);
		length = sizeof(peer);
		if (sys(SYS_connect, one, &race.address, sizeof(peer)) == 0 && sys(SYS_getpeername, one, &peer, &length) == 0)
			reached += peer.sin_port == race.bad.sin_port;
		sys(SYS_close, one);
		sys(SYS_sendto, race.victim, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT, &race.address, sizeof(peer));
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (probe.control && reached) /* nobody takes what queues at the outsider */
			break;
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	race.stop = 1;
	pthread_join(threads[0], 0), pthread_join(threads[1], 0);
	attempt("connected to an address that was never judged", reached ? reached : -ECONNREFUSED);
	if (!probe.control)
		must("some were refused: the race was on", sent ? 0 : -ENODATA);
}

/* H09: each entry of a batch is judged, and the count is the kernel's. */
static void batch(void)
{
	struct sockaddr_in open_door = loopback("W_OPEN"), address = loopback("W_TCP");
	struct iovec part;
	struct mmsghdr entries[3];
	for (int i = 0; i < 3; i++)
		entries[i] = (struct mmsghdr){ .msg_hdr = message_to(i == 1 ? &address : &open_door, sizeof(address), &part) };
	long r = sys(SYS_sendmmsg, udp(), entries, 3, 0);
	attempt("the second of three", r > 1 ? r : r == 1 && entries[0].msg_len == 1 ? -ECONNREFUSED : -EBADMSG);
	attempt("the first of two", sys(SYS_sendmmsg, udp(), entries + 1, 2, 0));
	/* a connected socket: no name in the first, one in the second */
	long fd = udp();
	must("connect", sys(SYS_connect, fd, &open_door, sizeof(open_door)));
	entries[0].msg_hdr.msg_name = 0, entries[0].msg_hdr.msg_namelen = 0;
	r = sys(SYS_sendmmsg, fd, entries, 3, 0);
	attempt("a name in the second only", r > 1 ? r : r == 1 ? -ECONNREFUSED : -EBADMSG);
	/* the 1025th of a long batch */
	static struct mmsghdr many[1024];
	for (int i = 0; i < 1024; i++)
		many[i] = (struct mmsghdr){ .msg_hdr = message_to(i == 1023 ? &address : &open_door, sizeof(address), &part) };
	r = sys(SYS_sendmmsg, udp(), many, 1024, 0);
	attempt("the last of many", r == 1024 ? 0 : r > 0 ? -ECONNREFUSED : r);
}

/* J06: no resolver but the one that a rule names. */
static void resolvers(void)
{
	static const struct {
		const char *host;
		unsigned short port;
	} known[] = { { "127.0.0.53", 53 }, { "127.0.0.54", 53 }, { "8.8.8.8", 53 }, { "8.8.8.8", 853 }, { "224.0.0.251", 5353 }, { "224.0.0.252", 5355 },
		      { "255.255.255.255", 137 } };
	struct sockaddr_in address = v4("127.0.0.2", "W_OPEN");
	everywhere("another server", AF_INET, &address, sizeof(address));
	for (size_t i = 0; !probe.control && i < sizeof(known) / sizeof(*known); i++) {
		inet_pton(AF_INET, known[i].host, &address.sin_addr);
		address.sin_port = htons(known[i].port);
		everywhere(known[i].host, AF_INET, &address, sizeof(address));
	}
}

/* H19: a variable that names a proxy is a wish; what does not care for it gets no further. */
static void past_the_proxy(void)
{
	struct sockaddr_in address = loopback("W_TCP");
	everywhere("without the proxy", AF_INET, &address, sizeof(address));
}
static void proxy_twin(void)
{
	const char *colon = strrchr(world("HTTP_PROXY"), ':');
	struct sockaddr_in address = loopback("W_OPEN");
	address.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
	long fd = tcp();
	must("connect to the proxy", sys(SYS_connect, fd, &address, sizeof(address)));
	hear(fd);
}

/* J09: two names at one address are one destination. */
static void shared_address(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: another.test\r\n\r\n";
	struct sockaddr_in address = loopback("W_OPEN");
	long fd = tcp();
	long r = sys(SYS_connect, fd, &address, sizeof(address));
	attempt("another name at the address of an allowed one", r < 0 ? r : sys(SYS_sendto, fd, request, sizeof(request) - 1, MSG_NOSIGNAL, 0, 0));
}

/* H25: a rule for IPv4 says nothing of IPv6, and the answer comes at once. */
static void six(void)
{
	struct timespec begin, end;
	if (!has_v6())
		skip("no IPv6 here");
	struct sockaddr_in6 address = v6("::1", "W_TCP");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	everywhere("::1", AF_INET6, &address, sizeof(address));
	clock_gettime(CLOCK_MONOTONIC, &end);
	must("at once", end.tv_sec - begin.tv_sec < 2 ? 0 : -ETIMEDOUT);
}

static const struct probe_case cases[] = {
	CASE("H00-other-destinations", other_destinations, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H18-other-protocol", other_protocol, tcp_twin, "--net-allow tcp://127.0.0.1:@W_OPEN@", EPERM, ECONNREFUSED, EACCES),
	CASE("H18-ping", ping, ping_twin, "--net-allow icmp://127.0.0.1", ECONNREFUSED, EPERM),
	CASE("H04-families-with-rules", families, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H05-reconnect-with-rules", reconnect, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H06-address-forms", forms, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H06-denied-forms", denied_forms, both_twin, "--net-deny loopback:@W_TCP@ --net-deny metadata:@W_TCP@", ECONNREFUSED),
	CASE("H07-lengths-with-rules", lengths, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H08-swapped", swapped, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H09-batches", batch, udp_twin, "--net-allow udp://127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("H23-deny-wins", other_destinations, both_twin, "--net-allow * --net-deny 127.0.0.1:@W_TCP@ --net-deny 127.0.0.2", ECONNREFUSED),
	CASE("H23-name-and-denied-address", other_destinations, both_twin, "--net-allow localhost --net-allow 127.0.0.2 --net-deny 127.0.0.0/8:@W_TCP@ --net-deny 127.0.0.2:@W_OPEN@", ECONNREFUSED),
	CASE("H25-rules-for-ipv4-only", six, both_twin, "--net-allow 127.0.0.1", ECONNREFUSED),
	CASE("H19-proxy-unaware", past_the_proxy, proxy_twin, "--env HTTP_PROXY=http://127.0.0.1:@W_OPEN@ --net-allow tcp://127.0.0.1:@W_OPEN@ --net-allow udp://127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("J05-decimal-host", other_destinations, both_twin, "--net-allow 2130706433:@W_OPEN@", ECONNREFUSED),
	CASE("J05-hexadecimal-host", other_destinations, both_twin, "--net-allow 0x7f.1:@W_OPEN@", ECONNREFUSED),
	CASE("J05-octal-host", other_destinations, both_twin, "--net-allow 0177.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("J05-short-host", other_destinations, both_twin, "--net-allow 127.1:@W_OPEN@", ECONNREFUSED),
	CASE("J05-mapped-host", other_destinations, both_twin, "--net-allow [::ffff:7f00:1]:@W_OPEN@", ECONNREFUSED),
	CASE("J05-denied-decimal-host", other_destinations, both_twin, "--net-allow * --net-deny 2130706433:@W_TCP@ --net-deny 2130706434", ECONNREFUSED),
	CASE("J05-denied-short-host", other_destinations, both_twin, "--net-allow * --net-deny 0x7f.1:@W_TCP@ --net-deny 0177.2", ECONNREFUSED),
	CASE("J06-other-resolver", resolvers, both_twin, "--net-allow 127.0.0.1:@W_OPEN@", ECONNREFUSED),
	CASE("J09-shared-address", shared_address, tcp_twin, "--net-allow tcp://localhost:@W_OPEN@", ECONNREFUSED),
};
PROBE_MAIN(cases)
