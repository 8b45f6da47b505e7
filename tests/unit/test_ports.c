/* The port space of the sandbox, what may be bound where, and the kernel's word on who holds a port. */
#include "net/bind.h"
#include "net/diag.h"

#include "lacking.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define V4(n) ((struct address){0, 0xffff00000000 | (n)})

static unsigned looks; /* how often was asked */
static uint64_t gone_cookie;

static bool all_gone(const struct binding *b UNUSED)
{
	looks++;
	return true;
}

static bool none_gone(const struct binding *b UNUSED)
{
	looks++;
	return false;
}

static bool even_gone(const struct binding *b)
{
	return b->cookie % 2 == 0;
}

static bool one_gone(const struct binding *b)
{
	return b->cookie == gone_cookie;
}

static struct binding of(uint8_t protocol, uint64_t cookie, uint16_t port, uint16_t real)
{
	return (struct binding){
		.cookie = cookie,
		.address = V4(0x7f000001),
		.port = port,
		.real = real,
		.protocol = protocol,
		.family = 4,
	};
}

static bool record(uint8_t protocol, uint64_t cookie, uint16_t port, uint16_t real)
{
	struct binding b = of(protocol, cookie, port, real);

	return ports_record(&b);
}

static int empty(void **state UNUSED)
{
	for (unsigned port = 1; port < PORT_COUNT; port++) {
		while (ports_prune(ENDPOINT_TCP, (uint16_t)port, all_gone) ||
		       ports_prune(ENDPOINT_UDP, (uint16_t)port, all_gone))
			;
	}
	memset(&net, 0, sizeof net);
	return 0;
}

static void test_numbers(void **state UNUSED)
{
	assert_int_equal(ports_real(ENDPOINT_TCP, 80), 80);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, 80), 80);
	assert_int_equal(ports_bound(ENDPOINT_TCP, 80), 0);
	assert_true(ports_free(ENDPOINT_TCP, 80));

	assert_true(record(ENDPOINT_TCP, 1, 80, 50000));
	assert_int_equal(ports_real(ENDPOINT_TCP, 80), 50000);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, 50000), 80);
	assert_int_equal(ports_bound(ENDPOINT_TCP, 80), 50000);
	/* The other protocol has numbers of its own. */
	assert_int_equal(ports_real(ENDPOINT_UDP, 80), 80);
	assert_int_equal(ports_virtual(ENDPOINT_UDP, 50000), 50000);
	/* Neither number is to be had under its own name now. */
	assert_false(ports_free(ENDPOINT_TCP, 50000));
	assert_false(ports_free(ENDPOINT_TCP, 80));
	assert_true(ports_free(ENDPOINT_TCP, 81));

	assert_true(record(ENDPOINT_TCP, 2, 81, 81));
	assert_true(ports_free(ENDPOINT_TCP, 81)); /* another address of it */
}

static void test_chosen_number(void **state UNUSED)
{
	assert_int_equal(ports_number_for(ENDPOINT_TCP, 40000), 40000);
	/* The kernel chooses 8080, which is somebody's number inside already. */
	assert_true(record(ENDPOINT_TCP, 1, 8080, 50000));
	uint16_t number = ports_number_for(ENDPOINT_TCP, 8080);

	assert_int_not_equal(number, 8080);
	assert_int_not_equal(number, 0);
	assert_int_equal(ports_bound(ENDPOINT_TCP, number), 0);
	assert_true(record(ENDPOINT_TCP, 2, number, 8080));
	assert_int_equal(ports_virtual(ENDPOINT_TCP, 8080), number);
	assert_int_equal(ports_real(ENDPOINT_TCP, 8080), 50000);
	/* And again the same. */
	assert_int_equal(ports_number_for(ENDPOINT_TCP, 8080), number);
}

static void test_last_owner(void **state UNUSED)
{
	assert_true(record(ENDPOINT_TCP, 1, 80, 50000));
	assert_true(record(ENDPOINT_TCP, 2, 80, 50000));
	assert_true(record(ENDPOINT_TCP, 4, 80, 50000));
	assert_true(ports_holds(ENDPOINT_TCP, 50000, 2));
	assert_false(ports_holds(ENDPOINT_TCP, 50000, 3));
	assert_false(ports_holds(ENDPOINT_TCP, 50000, 0));
	assert_false(ports_holds(ENDPOINT_UDP, 50000, 2));

	assert_true(ports_prune(ENDPOINT_TCP, 80, even_gone));
	assert_true(ports_holds(ENDPOINT_TCP, 50000, 1));
	assert_false(ports_holds(ENDPOINT_TCP, 50000, 2));
	assert_false(ports_holds(ENDPOINT_TCP, 50000, 4));
	assert_int_equal(ports_real(ENDPOINT_TCP, 80), 50000);

	assert_false(ports_prune(ENDPOINT_TCP, 80, all_gone));
	assert_int_equal(ports_real(ENDPOINT_TCP, 80), 80);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, 50000), 50000);
	assert_true(ports_free(ENDPOINT_TCP, 50000));
	assert_false(ports_prune(ENDPOINT_TCP, 80, none_gone));
}

static void test_addresses(void **state UNUSED)
{
	assert_true(record(ENDPOINT_UDP, 1, 53, 53));
	assert_true(ports_bound_at(ENDPOINT_UDP, V4(0x7f000001), 53));
	assert_false(ports_bound_at(ENDPOINT_UDP, V4(0x7f000002), 53));
	assert_false(ports_bound_at(ENDPOINT_TCP, V4(0x7f000001), 53));
}

static void test_full(void **state UNUSED)
{
	unsigned n = 0;

	while (n < BINDINGS + 1 &&
	       record(ENDPOINT_TCP, n + 1, (uint16_t)(1000 + n), (uint16_t)(1000 + n)))
		n++;
	assert_int_equal(n, BINDINGS);
	looks = 0;
	assert_false(ports_make_room(none_gone));
	assert_in_range(looks, 1, 256); /* no bind waits for more questions than that */
	for (n = 0; n < BINDINGS / 2; n++) {
		for (int tries = 0; !ports_make_room(even_gone); tries++)
			assert_true(tries < BINDINGS / 256);
		assert_true(record(ENDPOINT_TCP, 2 * n + 1, 999, 999));
	}
	assert_false(ports_make_room(even_gone));
}

/* Thousands of sockets on one number: each is found in its turn, a few at a time. */
static void test_long_chain(void **state UNUSED)
{
	for (unsigned n = 0; n < BINDINGS; n++)
		assert_true(record(ENDPOINT_UDP, 2 * n + 1, 999, 999));
	looks = 0;
	assert_true(ports_prune(ENDPOINT_UDP, 999, none_gone));
	assert_int_equal(looks, 1);
	gone_cookie = 2 * 77 + 1;
	unsigned calls = 1;
	while (!ports_make_room(one_gone))
		assert_true(++calls <= BINDINGS / 256 + 1);
	assert_false(ports_holds(ENDPOINT_UDP, 999, gone_cookie));
	assert_true(ports_holds(ENDPOINT_UDP, 999, 1));
	looks = 0;
	while (ports_prune(ENDPOINT_UDP, 999, all_gone))
		;
	assert_int_equal(looks, BINDINGS - 1);
}

/* ---- addresses ---- */

static int endpoint(int domain, int family, const void *address, socklen_t len,
		    struct endpoint *out)
{
	struct net_socket socket = {
		.fd = -1, .domain = domain, .type = SOCK_STREAM, .protocol = IPPROTO_TCP};
	union net_address a = {.room = {0}};

	memcpy(&a, address, len);
	a.any.sa_family = (sa_family_t)family;
	return bind_endpoint(&socket, &a, len, out);
}

static void test_endpoints(void **state UNUSED)
{
	struct sockaddr_in v4 = {.sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001)};
	struct sockaddr_in any = {.sin_port = htons(80)};
	struct sockaddr_in6 v6 = {.sin6_port = htons(81), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct endpoint out;

	assert_int_equal(endpoint(AF_INET, AF_INET, &v4, sizeof v4, &out), 0);
	assert_int_equal(out.port, 80);
	assert_true(address_equal(out.address, V4(0x7f000001)));
	assert_int_equal(endpoint(AF_INET, AF_INET, &v4, sizeof v4 - 1, &out), -EINVAL);
	assert_int_equal(endpoint(AF_INET, AF_INET, &v4, 0, &out), -EINVAL);
	/* The kernel binds this one, so it is judged as what it is. */
	assert_int_equal(endpoint(AF_INET, AF_UNSPEC, &any, sizeof any, &out), 0);
	assert_int_equal(out.port, 80);
	assert_int_equal(endpoint(AF_INET, AF_UNSPEC, &v4, sizeof v4, &out), -EAFNOSUPPORT);
	assert_int_equal(endpoint(AF_INET, AF_INET6, &v6, sizeof v6, &out), -EAFNOSUPPORT);

	assert_int_equal(endpoint(AF_INET6, AF_INET6, &v6, 24, &out), 0);
	assert_int_equal(out.port, 81);
	assert_true(address_equal(out.address, (struct address){0, 1}));
	assert_int_equal(endpoint(AF_INET6, AF_INET6, &v6, 23, &out), -EINVAL);
	assert_int_equal(endpoint(AF_INET6, AF_INET, &v6, sizeof v6, &out), -EAFNOSUPPORT);
	assert_int_equal(endpoint(AF_INET6, AF_UNSPEC, &v6, sizeof v6, &out), -EAFNOSUPPORT);
}

static void test_allowed(void **state UNUSED)
{
	static const struct net_publish published[] = {{.address = {0, 0xffff7f000001},
							.family = 4,
							.protocol = ENDPOINT_TCP,
							.host = 8080,
							.guest = 80}};

	assert_true(bind_allowed(ENDPOINT_TCP, 1)); /* the kernel judges */
	net.policy.flags = NET_JUDGE_BIND;
	assert_false(bind_allowed(ENDPOINT_TCP, 0));
	assert_false(bind_allowed(ENDPOINT_TCP, 80));
	net.allow_bind_tcp[0] |= 1;
	net.allow_bind_udp[65535 / 8] |= 1 << 7;
	assert_true(bind_allowed(ENDPOINT_TCP, 0));
	assert_false(bind_allowed(ENDPOINT_TCP, 1));
	assert_false(bind_allowed(ENDPOINT_UDP, 0));
	assert_true(bind_allowed(ENDPOINT_UDP, 65535));
	assert_false(bind_allowed(ENDPOINT_TCP, 65535));
	net.published = published;
	net.published_count = 1;
	assert_true(bind_allowed(ENDPOINT_TCP, 80));
	assert_false(bind_allowed(ENDPOINT_UDP, 80));
	assert_false(bind_allowed(ENDPOINT_TCP, 8080));
}

static void test_published_address(void **state UNUSED)
{
	struct net_publish publish = {.address = {0, 0xffff7f000001}, .family = 4};
	struct net_socket v4 = {.fd = -1, .domain = AF_INET};
	struct net_socket v6 = {.fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0),
				.domain = AF_INET6};
	struct address out, other = V4(0xc0a80105), any4 = V4(0), any6 = {0, 0}, one = {0, 1};
	const int on = 1;

	assert_true(bind_publish_address(&publish, &v4, any4, &out));
	assert_true(address_equal(out, V4(0x7f000001)));
	assert_true(bind_publish_address(&publish, &v4, V4(0x7f000002), &out));
	assert_true(address_equal(out, V4(0x7f000001)));
	assert_true(bind_publish_address(&publish, &v4, other, &out));
	assert_true(address_equal(out, other));
	publish.address[1] = 0xffffc0a80105;
	assert_true(bind_publish_address(&publish, &v4, any4, &out));
	assert_true(address_equal(out, other));
	if (v6.fd < 0)
		SKIP("socket(AF_INET6) fails");
	assert_true(bind_publish_address(&publish, &v6, any6, &out)); /* a mapped address */
	assert_true(address_equal(out, other));
	assert_int_equal(setsockopt(v6.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
	assert_false(bind_publish_address(&publish, &v6, any6, &out));
	publish.address[1] = 0xffff7f000001;
	assert_true(bind_publish_address(&publish, &v6, any6, &out));
	assert_true(address_equal(out, one));
	publish.address[1] = 1;
	assert_true(bind_publish_address(&publish, &v4, any4, &out));
	assert_true(address_equal(out, V4(0x7f000001)));
	close(v6.fd);
}

/* ---- with the kernel ---- */

static int listening(uint16_t *port, uint64_t *cookie)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a, cookie_len = sizeof *cookie;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &cookie_len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void test_liveness(void **state UNUSED)
{
	uint16_t port;
	uint64_t cookie, found;
	int fd = listening(&port, &cookie);

	if (!diag_open() || diag_find(ENDPOINT_TCP, V4(0x7f000001), port, &found) != -ENOENT) {
		close(fd);
		SKIP("socket(NETLINK_SOCK_DIAG) answers nothing about TCP sockets");
	}
	struct binding ours = of(ENDPOINT_TCP, cookie, port, port);
	struct binding earlier = of(ENDPOINT_TCP, cookie + 1000000, port, port);

	/* Bound, not yet listening: nobody finds it, and it is there. */
	assert_true(ports_record(&ours));
	assert_false(binding_gone(&ours));
	net.policy.flags = NET_REMAP;
	assert_false(ports_reach(ENDPOINT_TCP, V4(0x7f000001), port));

	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(diag_find(ENDPOINT_TCP, V4(0x7f000001), port, &found), 0);
	assert_int_equal(found, cookie);
	assert_false(binding_gone(&ours));
	assert_true(ports_reach(ENDPOINT_TCP, V4(0x7f000001), port));
	assert_false(ports_reach(ENDPOINT_TCP, V4(0x7f000002), port));
	assert_true(ports_mapped(ENDPOINT_TCP, port));
	/* Without remapping the number is no translation. */
	net.policy.flags = 0;
	assert_false(ports_reach(ENDPOINT_TCP, V4(0x7f000001), port));
	net.policy.flags = NET_REMAP;

	/* A stranger has the port now. */
	ports_prune(ENDPOINT_TCP, port, all_gone);
	assert_true(ports_record(&earlier));
	assert_true(binding_gone(&earlier));
	assert_false(ports_reach(ENDPOINT_TCP, V4(0x7f000001), port));
	assert_false(ports_mapped(ENDPOINT_TCP, port));
	close(fd);
	assert_true(binding_gone(&ours));
}

static void test_many_connections(void **state UNUSED)
{
	/* The first test: nobody asks the kernel yet, so everything counts as open. */
	net.policy.max_connections = 4000;
	for (uint64_t n = 0; n < 4000; n++)
		assert_true(connections_admit(1 + n * 0x9e3779b9u));
	for (uint64_t n = 0; n < 8000; n++)
		assert_int_equal(connections_admit(1 + n * 0x9e3779b9u), n < 4000);
}

/* ---- binds, with strangers that hold ports ---- */

enum { REUSE_PORT = 1, REUSE_ADDRESS = 2, V6_ONLY = 4, LISTEN = 8 };

static struct net_socket make(int domain, int type, int how)
{
	const int on = 1;
	struct net_socket s = {
		.fd = socket(domain, type | SOCK_CLOEXEC, 0),
		.domain = domain,
		.type = type,
		.protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
	};

	assert_true(s.fd >= 0);
	if (how & REUSE_PORT)
		setsockopt(s.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (how & REUSE_ADDRESS)
		setsockopt(s.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (how & V6_ONLY)
		setsockopt(s.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	return s;
}

static union net_address at(int domain, uint32_t v4, uint16_t port)
{
	union net_address a = {.v4 = {.sin_family = (sa_family_t)domain, .sin_port = htons(port)}};

	if (domain == AF_INET)
		a.v4.sin_addr.s_addr = htonl(v4);
	else
		a.v6.sin6_addr.s6_addr[15] = (uint8_t)v4; /* :: or ::1 */
	return a;
}

static uint16_t real_port(int fd)
{
	union net_address a;
	socklen_t len = sizeof a;

	assert_int_equal(getsockname(fd, &a.any, &len), 0);
	return ntohs(a.v4.sin_port);
}

static int bind_there(const struct net_socket *s, uint32_t v4, uint16_t port)
{
	union net_address a = at(s->domain, v4, port);

	return bind_inet(s, &a, s->domain == AF_INET ? sizeof a.v4 : sizeof a.v6, false);
}

/* A socket of somebody else. */
static struct net_socket stranger(int domain, int type, int how, uint32_t v4, uint16_t *port)
{
	struct net_socket s = make(domain, type, how);
	union net_address a = at(domain, v4, 0);

	assert_int_equal(bind(s.fd, &a.any, domain == AF_INET ? sizeof a.v4 : sizeof a.v6), 0);
	if (how & LISTEN)
		assert_int_equal(listen(s.fd, 8), 0);
	*port = real_port(s.fd);
	return s;
}

static int closed_world(void **state)
{
	empty(state);
	net.policy.flags = NET_JUDGE_BIND;
	memset(net.allow_bind_tcp, 0xff, sizeof net.allow_bind_tcp);
	memset(net.allow_bind_udp, 0xff, sizeof net.allow_bind_udp);
	diag_open();
	return 0;
}

static void test_bind_conflict(void **state UNUSED)
{
	uint16_t port;
	struct net_socket other = stranger(AF_INET, SOCK_STREAM, LISTEN, INADDR_LOOPBACK, &port);
	struct net_socket a = make(AF_INET, SOCK_STREAM, 0), b = make(AF_INET, SOCK_STREAM, 0);

	net.allow_bind_tcp[port / 8] &= (uint8_t) ~(1u << port % 8);
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), -EACCES);
	net.allow_bind_tcp[port / 8] = 0xff;
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), -EADDRINUSE);
	assert_int_equal(real_port(a.fd), 0); /* nothing was taken instead */

	net.policy.flags |= NET_REMAP;
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), 0);
	assert_int_not_equal(real_port(a.fd), port);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, real_port(a.fd)), port);
	assert_int_equal(listen(a.fd, 1), 0);
	/* Inside the number is taken now, as it would be without us. */
	assert_int_equal(bind_there(&b, INADDR_LOOPBACK, port), -EADDRINUSE);
	/* Its real number is another one's: it can be had under a third. */
	assert_int_equal(bind_there(&b, INADDR_LOOPBACK, real_port(a.fd)), 0);
	assert_int_not_equal(real_port(b.fd), real_port(a.fd));
	close(b.fd);
	/* The last owner is gone: the same number again, whatever is behind it. */
	uint16_t before = real_port(a.fd);
	close(a.fd);
	b = make(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind_there(&b, INADDR_LOOPBACK, port), 0);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, real_port(b.fd)), port);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, before),
			 real_port(b.fd) == before ? port : before);
	close(b.fd);
	/* And when the stranger has left too, the number is itself. */
	close(other.fd);
	ports_prune(ENDPOINT_TCP, port, binding_gone);
	b = make(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind_there(&b, INADDR_LOOPBACK, port), 0);
	assert_int_equal(real_port(b.fd), port);
	close(b.fd);
}

static void test_no_sharing(void **state UNUSED)
{
	uint16_t port;
	struct net_socket other =
		stranger(AF_INET, SOCK_STREAM, LISTEN | REUSE_PORT, INADDR_LOOPBACK, &port);
	struct net_socket a = make(AF_INET, SOCK_STREAM, REUSE_PORT | REUSE_ADDRESS);
	struct net_socket b = make(AF_INET, SOCK_STREAM, REUSE_PORT);
	union net_address there = at(AF_INET, INADDR_LOOPBACK, port);

	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), -EADDRINUSE);
	/* The kernel itself would have let it in. */
	assert_int_equal(bind(a.fd, &there.any, sizeof there.v4), 0);
	close(a.fd);
	close(other.fd);
	/* Among the sandbox's own it is allowed, before and after the first one listens. */
	struct net_socket c = make(AF_INET, SOCK_STREAM, REUSE_PORT),
			  d = make(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind_there(&b, INADDR_LOOPBACK, port), 0);
	assert_int_equal(bind_there(&c, INADDR_LOOPBACK, port), 0);
	assert_int_equal(listen(b.fd, 1), 0);
	assert_int_equal(listen(c.fd, 1), 0);
	assert_int_equal(bind_there(&d, INADDR_LOOPBACK, port), -EADDRINUSE);
	close(d.fd);
	d = make(AF_INET, SOCK_STREAM, REUSE_PORT);
	assert_int_equal(bind_there(&d, INADDR_LOOPBACK, port), 0);
	close(b.fd);
	close(c.fd);
	close(d.fd);

	/* A port that the sandbox has at one address is not its at another. */
	other = stranger(AF_INET, SOCK_STREAM, LISTEN | REUSE_PORT, 0x7f000002, &port);
	a = make(AF_INET, SOCK_STREAM, REUSE_PORT);
	b = make(AF_INET, SOCK_STREAM, REUSE_PORT);
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), 0);
	assert_int_equal(bind_there(&b, 0x7f000002, port), -EADDRINUSE);
	assert_int_equal(bind_there(&b, INADDR_ANY, port), -EADDRINUSE);
	close(a.fd);
	close(b.fd);
	close(other.fd);

	for (int how = REUSE_PORT; how <= REUSE_ADDRESS; how++) {
		other = stranger(AF_INET, SOCK_DGRAM, how, INADDR_LOOPBACK, &port);
		a = make(AF_INET, SOCK_DGRAM, how);
		there = at(AF_INET, INADDR_LOOPBACK, port);
		assert_int_equal(bind_there(&a, INADDR_LOOPBACK, port), -EADDRINUSE);
		assert_int_equal(bind(a.fd, &there.any, sizeof there.v4), 0);
		close(a.fd);
		close(other.fd);
	}
}

static void test_both_families(void **state UNUSED)
{
	uint16_t port;
	struct net_socket other = stranger(AF_INET6, SOCK_STREAM, LISTEN, 0, &port);
	struct net_socket a = make(AF_INET6, SOCK_STREAM, 0), b = make(AF_INET, SOCK_STREAM, 0);
	struct net_socket c = make(AF_INET, SOCK_DGRAM, 0);

	net.policy.flags |= NET_REMAP;
	assert_int_equal(bind_there(&a, 0, port), 0);
	assert_int_not_equal(real_port(a.fd), port);
	assert_int_equal(listen(a.fd, 1), 0);
	/* "::" takes the IPv4 half too, under the same number. */
	assert_int_equal(bind_there(&b, INADDR_ANY, port), -EADDRINUSE);
	assert_int_equal(bind_there(&c, INADDR_ANY, port), 0); /* UDP is another space */
	assert_int_equal(real_port(c.fd), port);
	close(a.fd);

	a = make(AF_INET6, SOCK_STREAM, V6_ONLY);
	assert_int_equal(bind_there(&a, 0, port), 0);
	assert_int_equal(bind_there(&b, INADDR_ANY, port), 0);
	assert_int_equal(real_port(a.fd), real_port(b.fd));
	close(a.fd);
	close(b.fd);
	close(c.fd);
	close(other.fd);
}

static void test_publishing(void **state UNUSED)
{
	uint16_t host;
	struct net_socket first = stranger(AF_INET, SOCK_STREAM, 0, INADDR_LOOPBACK, &host);
	struct net_socket a = make(AF_INET, SOCK_STREAM, 0), b = make(AF_INET, SOCK_STREAM, 0);
	struct net_publish publish = {.address = {0, 0xffff7f000001},
				      .family = 4,
				      .protocol = ENDPOINT_TCP,
				      .host = host,
				      .guest = 80};
	union net_address name;
	socklen_t len = sizeof name;

	net.published = &publish;
	net.published_count = 1;
	net.policy.flags |= NET_REMAP;
	memset(net.allow_bind_tcp, 0, sizeof net.allow_bind_tcp);
	assert_int_equal(bind_there(&a, INADDR_ANY, 80), -EADDRINUSE); /* there or nowhere */
	close(first.fd);
	assert_int_equal(bind_there(&a, INADDR_ANY, 80), 0);
	assert_int_equal(getsockname(a.fd, &name.any, &len), 0);
	assert_int_equal(ntohs(name.v4.sin_port), host);
	assert_int_equal(ntohl(name.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ports_virtual(ENDPOINT_TCP, host), 80);
	assert_int_equal(bind_there(&b, INADDR_ANY, 81), -EACCES);
	/* The host's number is kept for it. */
	memset(net.allow_bind_tcp, 0xff, sizeof net.allow_bind_tcp);
	assert_int_equal(bind_there(&b, 0x7f000002, host), 0);
	assert_int_not_equal(real_port(b.fd), host);
	close(a.fd);
	close(b.fd);
}

static void test_any_port(void **state UNUSED)
{
	struct net_socket a = make(AF_INET, SOCK_STREAM, 0);

	net.allow_bind_tcp[0] = 0xfe;
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, 0), -EACCES);
	net.allow_bind_tcp[0] = 1;
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, 0), 0);
	assert_true(ports_holds(ENDPOINT_TCP, real_port(a.fd), net_cookie(a.fd)));
	assert_int_equal(ports_virtual(ENDPOINT_TCP, real_port(a.fd)), real_port(a.fd));
	assert_int_equal(bind_there(&a, INADDR_LOOPBACK, 0), -EINVAL);
	close(a.fd);
}

static void test_limit(void **state UNUSED)
{
	uint16_t port;
	uint64_t cookie[3], unused;
	int listener = listening(&port, &unused), fds[3];
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	assert_int_equal(listen(listener, 8), 0);
	for (int i = 0; i < 3; i++) {
		socklen_t len = sizeof cookie[i];

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &cookie[i], &len), 0);
	}
	assert_true(connections_admit(cookie[0])); /* no limit */
	net.policy.max_connections = 2;
	if (!connections_open())
		SKIP("socket(NETLINK_SOCK_DIAG) hears of no sockets that close");
	for (int i = 0; i < 2; i++) {
		assert_true(connections_admit(cookie[i]));
		assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof to), 0);
	}
	assert_false(connections_admit(cookie[2]));
	assert_false(connections_admit(0));
	assert_true(connections_admit(cookie[1])); /* has its place */
	close(fds[0]);				   /* nobody tells */
	assert_true(connections_admit(cookie[2]));
	close(fds[1]);
	close(fds[2]);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_many_connections, empty),
		cmocka_unit_test_setup(test_numbers, empty),
		cmocka_unit_test_setup(test_chosen_number, empty),
		cmocka_unit_test_setup(test_last_owner, empty),
		cmocka_unit_test_setup(test_addresses, empty),
		cmocka_unit_test_setup(test_full, empty),
		cmocka_unit_test_setup(test_long_chain, empty),
		cmocka_unit_test_setup(test_endpoints, empty),
		cmocka_unit_test_setup(test_allowed, empty),
		cmocka_unit_test_setup(test_published_address, empty),
		cmocka_unit_test_setup(test_liveness, empty),
		cmocka_unit_test_setup(test_limit, empty),
		cmocka_unit_test_setup(test_bind_conflict, closed_world),
		cmocka_unit_test_setup(test_no_sharing, closed_world),
		cmocka_unit_test_setup(test_both_families, closed_world),
		cmocka_unit_test_setup(test_publishing, closed_world),
		cmocka_unit_test_setup(test_any_port, closed_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
