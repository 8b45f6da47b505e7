/* Addresses, vectors, control data and status texts: what the on-behalf calls decide without asking the kernel. */
#include "net/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include <cmocka.h>

/* ---- addresses ---- */

static union net_address v4(const char *text, uint16_t port, int family)
{
	union net_address a = {.v4 = {.sin_family = (sa_family_t)family, .sin_port = htons(port)}};

	assert_int_equal(inet_pton(AF_INET, text, &a.v4.sin_addr), 1);
	return a;
}

static union net_address v6(const char *text, uint16_t port)
{
	union net_address a = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};

	assert_int_equal(inet_pton(AF_INET6, text, &a.v6.sin6_addr), 1);
	return a;
}

static const struct net_socket tcp4 = {-1, AF_INET, SOCK_STREAM, IPPROTO_TCP, false},
			       udp4 = {-1, AF_INET, SOCK_DGRAM, IPPROTO_UDP, false},
			       tcp6 = {-1, AF_INET6, SOCK_STREAM, IPPROTO_TCP, false},
			       udp6 = {-1, AF_INET6, SOCK_DGRAM, IPPROTO_UDP, false};

static int error_of(const struct net_socket *socket, const union net_address *a, socklen_t len)
{
	struct endpoint to;
	int error = 0;

	return net_endpoint_of(socket, a, len, &to, &error) ? 0 : error;
}

static void endpoints(void **state UNUSED)
{
	union net_address a = v4("10.1.2.3", 443, AF_INET);
	struct endpoint to;
	int error;

	assert_true(net_endpoint_of(&tcp4, &a, 16, &to, &error));
	assert_true(to.address.high == 0 && to.address.low == 0xffff0a010203);
	assert_int_equal(to.port, 443);
	assert_int_equal(to.protocol, ENDPOINT_TCP);
	assert_int_equal(to.direction, ENDPOINT_EGRESS);

	/* An IPv4 address on an IPv6 datagram socket is IPv4; on a stream it is refused. */
	assert_true(net_endpoint_of(&udp6, &a, 16, &to, &error));
	assert_true(to.address.low == 0xffff0a010203 && to.protocol == ENDPOINT_UDP);
	assert_int_equal(error_of(&tcp6, &a, 28), EAFNOSUPPORT);

	/* The kernel's reading of AF_UNSPEC. */
	a = v4("10.1.2.3", 53, AF_UNSPEC);
	assert_true(net_endpoint_of(&udp4, &a, 16, &to, &error));
	assert_true(to.address.low == 0xffff0a010203 && to.port == 53);
	assert_int_equal(error_of(&tcp4, &a, 16), EAFNOSUPPORT);

	/* A mapped address and the IPv4 address are one. */
	a = v6("::ffff:10.1.2.3", 53);
	assert_true(net_endpoint_of(&tcp6, &a, 28, &to, &error));
	assert_true(to.address.high == 0 && to.address.low == 0xffff0a010203);
	a = v6("2001:db8::5", 53);
	assert_true(net_endpoint_of(&udp6, &a, 24, &to, &error));
	assert_true(to.address.high == 0x20010db800000000 && to.address.low == 5);
	assert_int_equal(error_of(&udp4, &a, 28), EAFNOSUPPORT);
}

static void lengths(void **state UNUSED)
{
	union net_address a = v4("10.1.2.3", 1, AF_INET), b = v6("::1", 1);
	static const socklen_t short4[] = {0, 1, 2, 15}, short6[] = {0, 1, 2, 15, 16, 23};

	for (size_t i = 0; i < ARRAY_LEN(short4); i++) {
		assert_int_equal(error_of(&tcp4, &a, short4[i]), EINVAL);
		assert_int_equal(error_of(&udp4, &a, short4[i]), EINVAL);
		assert_int_equal(error_of(&udp6, &a, short4[i]), EINVAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(short6); i++) {
		assert_int_equal(error_of(&tcp6, &b, short6[i]), EINVAL);
		assert_int_equal(error_of(&udp6, &b, short6[i]), EINVAL);
	}
	assert_int_equal(error_of(&tcp6, &b, 24), 0);
	assert_int_equal(error_of(&tcp6, &b, 27), 0);
	assert_int_equal(error_of(&tcp6, &b, 128), 0);

	/* Refused before anything is read. */
	static const uint64_t bad[] = {129, UINT32_MAX, 0x80000000, 1u << 20};
	struct call call = {.pid = -1};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(net_read_address(&call, 1, bad[i], &a), -EINVAL);
	assert_int_equal(net_read_address(&call, 1, 0, &a), 0);
	assert_int_equal(net_read_address(&call, 1, (uint64_t)1 << 32, &a), 0);
}

static void protocols(void **state UNUSED)
{
	struct net_socket s = {.domain = AF_INET, .type = SOCK_STREAM, .protocol = 262};

	assert_int_equal(net_protocol_of(&tcp6), ENDPOINT_TCP);
	assert_int_equal(net_protocol_of(&s), 0); /* MPTCP */
	s.protocol = 132;
	assert_int_equal(net_protocol_of(&s), 0); /* SCTP */
	s = (struct net_socket){.domain = AF_INET6, .type = SOCK_DGRAM, .protocol = 58};
	assert_int_equal(net_protocol_of(&s), ENDPOINT_ICMPV6);
	s = (struct net_socket){.domain = AF_UNIX, .type = SOCK_STREAM};
	assert_int_equal(net_protocol_of(&s), 0);
}

static void loopback(void **state UNUSED)
{
	static const char *const yes[] = {"::", "::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1",
					  "::ffff:127.255.255.255"};
	static const char *const no[] = {
		"::2",	"::ffff:126.255.255.255", "::ffff:128.0.0.0", "::127.0.0.1",
		"1::1", "::ffff:0.0.0.1"};
	struct endpoint to;
	int error;

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		union net_address a = v6(yes[i], 1);
		assert_true(net_endpoint_of(&udp6, &a, 28, &to, &error));
		assert_true(net_is_loopback(to.address));
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		union net_address a = v6(no[i], 1);
		assert_true(net_endpoint_of(&udp6, &a, 28, &to, &error));
		assert_false(net_is_loopback(to.address));
	}
}

static void ports(void **state UNUSED)
{
	union net_address a = v4("127.0.0.1", 1, AF_INET), b = v6("::1", 1);

	net_set_port(&a, 8080);
	net_set_port(&b, 8080);
	assert_int_equal(ntohs(a.v4.sin_port), 8080);
	assert_int_equal(ntohs(b.v6.sin6_port), 8080);
}

/* ---- unix ---- */

static int path_of(const char *bytes, size_t n, socklen_t len, char *path)
{
	union net_address a = {.local = {.sun_family = AF_UNIX}};

	memcpy(a.local.sun_path, bytes, n);
	return unix_path_of(&a, len, path);
}

static void unix_paths(void **state UNUSED)
{
	char path[UNIX_PATH_ROOM], full[108];

	assert_int_equal(path_of("/a/b", 5, 7, path), 4);
	assert_string_equal(path, "/a/b");
	assert_int_equal(path_of("/a/b", 5, 4, path), 2); /* no NUL within the length */
	assert_string_equal(path, "/a");
	assert_int_equal(path_of("/a\0/b", 6, 8, path), 2);
	assert_string_equal(path, "/a");
	memset(full, 'x', sizeof full);
	assert_int_equal(path_of(full, 108, 110, path), 108);
	assert_int_equal(strlen(path), 108);
	assert_int_equal(path_of(full, 108, 111, path), -EINVAL);
	assert_int_equal(path_of("\0abstract", 9, 11, path), 0);
	assert_int_equal(path_of("", 1, 2, path), 0);
	assert_int_equal(path_of("", 1, 0, path), 0);
	assert_int_equal(path_of("", 1, 3, path), 0);
}

static void unix_grants(void **state UNUSED)
{
	assert_true(unix_path_within("/run/app/s", "/run/app"));
	assert_true(unix_path_within("/run/app/s", "/run/app/"));
	assert_true(unix_path_within("/run/app", "/run/app"));
	assert_true(unix_path_within("/anything", "/"));
	assert_false(unix_path_within("/run/apple", "/run/app"));
	assert_false(unix_path_within("/run", "/run/app"));
	assert_false(unix_path_within("/tmp/run/app", "/run/app"));
}

/* ---- vectors ---- */

#define AT(n) ((void *)(uintptr_t)(n))

static void vectors(void **state UNUSED)
{
	const struct iovec in[] = {{AT(1000), 10}, {NULL, 0}, {AT(2000), 5}, {AT(3000), 100}};
	struct iovec out[4];
	uint64_t total;
	size_t len;

	assert_int_equal(vectors_total(in, 4, &total), 0);
	assert_int_equal(total, 115);

	assert_int_equal(vectors_slice(in, 4, 0, 1000, out, &len), 3);
	assert_int_equal(len, 115);
	assert_ptr_equal(out[1].iov_base, AT(2000));

	assert_int_equal(vectors_slice(in, 4, 0, 12, out, &len), 2);
	assert_int_equal(len, 12);
	assert_int_equal(out[1].iov_len, 2);

	assert_int_equal(vectors_slice(in, 4, 12, 1000, out, &len), 2);
	assert_int_equal(len, 103);
	assert_ptr_equal(out[0].iov_base, AT(2002));
	assert_int_equal(out[0].iov_len, 3);

	assert_int_equal(vectors_slice(in, 4, 10, 5, out, &len), 1);
	assert_ptr_equal(out[0].iov_base, AT(2000));
	assert_int_equal(vectors_slice(in, 4, 115, 5, out, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(vectors_slice(in, 4, 4000, 5, out, &len), 0);

	/* NULL with a length is left for the copy to fail on. */
	const struct iovec null[] = {{NULL, 4}};
	assert_int_equal(vectors_slice(null, 1, 0, 10, out, &len), 1);
	assert_int_equal(len, 4);

	const struct iovec negative[] = {{AT(1), 1}, {AT(2), SIZE_MAX}};
	assert_int_equal(vectors_total(negative, 2, &total), -EINVAL);
	const struct iovec huge[] = {{AT(1), SIZE_MAX / 2}, {AT(2), SIZE_MAX / 2}};
	assert_int_equal(vectors_total(huge, 2, &total), 0);
	assert_int_equal(total, 0x7ffff000);
}

/* ---- control data ---- */

static union {
	char bytes[512];
	struct cmsghdr align;
} control;

static size_t put(size_t at, int level, int type, size_t len)
{
	struct cmsghdr header = {.cmsg_len = len, .cmsg_level = level, .cmsg_type = type};

	memcpy(control.bytes + at, &header, sizeof header);
	return at + ((len + 7) & ~(size_t)7);
}

static void control_lists(void **state UNUSED)
{
	static const int good[][2] = {{0, 1},	{0, 2},	   {0, 8},  {0, 52},  {41, 50},
				      {41, 2},	{41, 52},  {41, 8}, {41, 67}, {41, 62},
				      {41, 11}, {17, 103}, {1, 37}, {1, 61},  {1, 12}};
	/* source route, routing headers, options, descriptors, mark, an unknown level */
	static const int bad[][2] = {{0, 7},   {41, 57},  {41, 5},  {41, 54}, {41, 59},
				     {41, 55}, {1, 1},	  {1, 2},   {1, 36},  {0, 4},
				     {6, 1},   {297, 50}, {-1, 50}, {41, -1}, {41, 306}};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(control_check_inet(&control, put(0, good[i][0], good[i][1], 20)),
				 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(control_check_inet(&control, put(0, bad[i][0], bad[i][1], 20)),
				 -EPERM);
		/* not behind a good one either */
		size_t len = put(put(0, 0, 1, 20), bad[i][0], bad[i][1], 16);
		assert_int_equal(control_check_inet(&control, len), -EPERM);
	}
}

static void control_shapes(void **state UNUSED)
{
	assert_int_equal(control_check_inet(&control, 0), 0);
	put(0, 41, 57, 24);
	assert_int_equal(control_check_inet(&control, 15), 0); /* no header: the kernel sees none */
	assert_int_equal(control_check_inet(&control, 16), -EINVAL); /* longer than what is there */
	assert_int_equal(control_check_inet(&control, 24), -EPERM);
	put(0, 0, 1, 15);
	assert_int_equal(control_check_inet(&control, 64), -EINVAL);
	put(0, 0, 1, SIZE_MAX);
	assert_int_equal(control_check_inet(&control, 64), -EINVAL);
	put(0, 0, 1, 0);
	assert_int_equal(control_check_inet(&control, 64), -EINVAL);
	/* The last one's padding may be missing. */
	put(0, 0, 1, 17);
	assert_int_equal(control_check_inet(&control, 17), 0);
}

/* ---- status ---- */

static const char status_text[] =
	"Name:\tSigPnd: 7\nTgid:\t40\nPid:\t41\nUid:\t1000\t1001\t1002\t9\n"
	"Gid:\t5\t5\t5\t6\nNStgid:\t40\t7\n";

static void credentials(void **state UNUSED)
{
	struct ucred ids = {.pid = 7, .uid = 1001, .gid = 5};

	assert_true(control_own_ids(status_text, &ids));
	ids.pid = 40; /* its number elsewhere */
	assert_false(control_own_ids(status_text, &ids));
	ids = (struct ucred){.pid = 7, .uid = 0, .gid = 5};
	assert_false(control_own_ids(status_text, &ids));
	ids = (struct ucred){.pid = 7, .uid = 9, .gid = 5}; /* the file system id is no claim */
	assert_false(control_own_ids(status_text, &ids));
	ids = (struct ucred){.pid = 7, .uid = 1000, .gid = 6};
	assert_false(control_own_ids(status_text, &ids));
	ids.pid = 0;
	assert_false(control_own_ids("", &ids));
}

static enum wait_end end_of(int threads, const char *own, const char *shared, const char *blocked,
			    const char *ignored)
{
	char text[512];

	snprintf(text, sizeof text,
		 "Name:\tx\nTgid:\t4\nPid:\t4\nThreads:\t%d\nSigQ:\t0/9\nSigPnd:\t%s\nShdPnd:\t%s\n"
		 "SigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t0\n",
		 threads, own, shared, blocked, ignored);
	return wait_end_of(text);
}

static void signals(void **state UNUSED)
{
	assert_int_equal(end_of(1, "0", "0", "0", "0"), WAIT_ON);
	assert_int_equal(end_of(9, "2000", "0", "0", "0"), WAIT_INTERRUPTED);
	assert_int_equal(end_of(1, "0", "2000", "0", "0"), WAIT_INTERRUPTED);
	assert_int_equal(end_of(2, "0", "2000", "0", "0"), WAIT_PERHAPS);
	assert_int_equal(end_of(1, "2000", "2000", "2000", "0"), WAIT_ON);
	assert_int_equal(end_of(1, "2000", "2000", "0", "2000"), WAIT_ON);
	assert_int_equal(end_of(1, "8000000000000000", "0", "7fffffffffffffff", "0"),
			 WAIT_INTERRUPTED);
	assert_int_equal(wait_end_of(""), WAIT_ON);
}

static void fields(void **state UNUSED)
{
	assert_string_equal(status_field("A:\t1\nBC:\t2\n", "BC"), "\t2\n");
	assert_null(status_field("A:\t1\nBC:\t2", "BC")); /* cut off */
	assert_null(status_field("ABC:\t2\n", "BC"));
	assert_null(status_field("", "A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints),	 cmocka_unit_test(lengths),
		cmocka_unit_test(protocols),	 cmocka_unit_test(loopback),
		cmocka_unit_test(ports),	 cmocka_unit_test(unix_paths),
		cmocka_unit_test(unix_grants),	 cmocka_unit_test(vectors),
		cmocka_unit_test(control_lists), cmocka_unit_test(control_shapes),
		cmocka_unit_test(credentials),	 cmocka_unit_test(signals),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
