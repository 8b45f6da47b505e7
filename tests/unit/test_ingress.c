/*
 * Ingress filters, run by an interpreter on packets and compared with the evaluator; and one in the kernel, which must drop what it
 * says and cannot be taken off.
 */
#include "net/ingress.h"

#include "net/net.h"

#include "lacking.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAPPED 0xffff00000000ULL
#define V4(n) ((struct address){0, MAPPED | (n)})

static struct sock_filter code[BPF_MAXINSNS];

/* ---- an interpreter ---- */

static uint32_t load(const uint8_t *packet, size_t len, uint32_t k, size_t size)
{
	uint32_t at = k - (uint32_t)SKF_NET_OFF, value = 0;

	assert_true(k >= (uint32_t)SKF_NET_OFF && at + size <= len);
	for (size_t i = 0; i < size; i++)
		value = value << 8 | packet[at + i];
	return value;
}

static uint32_t run(size_t count, const uint8_t *packet, size_t len)
{
	uint32_t a = 0, memory[BPF_MEMWORDS];
	unsigned stored = 0;

	for (size_t pc = 0; pc < count;) {
		const struct sock_filter *i = &code[pc++];

		switch (i->code) {
		case BPF_LD | BPF_B | BPF_ABS:
			a = load(packet, len, i->k, 1);
			break;
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(packet, len, i->k, 4);
			break;
		case BPF_LD | BPF_MEM:
			assert_true(i->k < BPF_MEMWORDS && (stored >> i->k & 1));
			a = memory[i->k];
			break;
		case BPF_ST:
			assert_true(i->k < BPF_MEMWORDS);
			memory[i->k] = a;
			stored |= 1u << i->k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %#x", i->code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

static bool passes(int count, struct address from)
{
	uint8_t packet[40] = {0x60};
	bool v4 = !from.high && from.low >> 32 == 0xffff;

	if (count == INGRESS_EVERYBODY)
		return true;
	assert_true(count > 0);
	if (v4) {
		packet[0] = 0x45;
		for (int i = 0; i < 4; i++)
			packet[12 + i] = (uint8_t)(from.low >> (24 - 8 * i));
	} else {
		for (int i = 0; i < 8; i++) {
			packet[8 + i] = (uint8_t)(from.high >> (56 - 8 * i));
			packet[16 + i] = (uint8_t)(from.low >> (56 - 8 * i));
		}
	}
	uint32_t r = run((size_t)count, packet, v4 ? 20 : 40);
	assert_true(r == 0 || r == UINT32_MAX);
	return r != 0;
}

/* ---- against the evaluator ---- */

static int compile(const struct endpoint_table *table, uint16_t port)
{
	return ingress_compile(table, ENDPOINT_TCP, port, true, code, ARRAY_LEN(code));
}

static bool expected(const struct endpoint_table *table, struct address from, uint16_t port)
{
	return endpoint_decide(table, (struct endpoint){.address = from,
							.port = port,
							.protocol = ENDPOINT_TCP,
							.direction = ENDPOINT_INGRESS})
		.allow;
}

static struct address plus(struct address a, int64_t n)
{
	struct address r = {a.high, a.low + (uint64_t)n};

	if (n > 0 && r.low < a.low)
		r.high++;
	if (n < 0 && r.low > a.low)
		r.high--;
	return r;
}

static const struct address interesting[] = {
	V4(0),
	V4(0x01000000),
	V4(0x0a000000),
	V4(0x0b000000),
	V4(0x64400000),
	V4(0x64800000),
	V4(0x646464c8),
	V4(0x7f000001),
	V4(0x7f000000),
	V4(0x80000000),
	V4(0xa83f8110),
	V4(0xa9fe0000),
	V4(0xa9fea9fe),
	V4(0xa9ff0000),
	V4(0xac100000),
	V4(0xac200000),
	V4(0xc0000000),
	V4(0xc0000100),
	V4(0xc0000200),
	V4(0xc0000300),
	V4(0xc0a80000),
	V4(0xc0a90000),
	V4(0xc6120000),
	V4(0xc6140000),
	V4(0xc6336400),
	V4(0xc6336500),
	V4(0xcb007100),
	V4(0xcb007200),
	V4(0xe0000000),
	V4(0xf0000000),
	V4(0xffffffff),
	V4(0x08080808),
	{0, 0},
	{0, 1},
	{0, 2},
	{0, 0x0a000001},
	{0, 0x08080808},
	{0, 0x100000000},
	{0x0064ff9b00000000, 0},
	{0x0064ff9b00000000, 0x0a000000},
	{0x0064ff9b00000000, 0x7f000001},
	{0x0064ff9b00000000, 0xffffffff},
	{0x0064ff9b00000001, 0},
	{0x0064ff9b00010000, 0},
	{0x0064ff9b0001ffff, UINT64_MAX},
	{0x0100000000000000, 0},
	{0x0100000000000000, UINT64_MAX},
	{0x2001000000000000, 1},
	{0x20010db800000000, 0},
	{0x20010db8ffffffff, UINT64_MAX},
	{0x2002000000000000, 0},
	{0x20020a0000010000, 5},
	{0x20027f0000010000, 0},
	{0x2003000000000000, 0},
	{0xfc00000000000000, 0},
	{0xfd000ec200000000, 0x254},
	{0xfdffffffffffffff, UINT64_MAX},
	{0xfe80000000000000, 0},
	{0xfebfffffffffffff, UINT64_MAX},
	{0xfec0000000000000, 0},
	{0xff00000000000000, 0},
	{0xffffffffffffffff, UINT64_MAX},
};

static uint64_t state_of_random = 88172645463325252u;

static uint64_t random_number(void)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random;
}

static void compare_all(const struct endpoint_table *table, uint16_t port)
{
	int count = compile(table, port);

	for (size_t i = 0; i < ARRAY_LEN(interesting); i++)
		for (int n = -1; n <= 1; n++) {
			struct address a = plus(interesting[i], n);

			if (passes(count, a) != expected(table, a, port))
				fail_msg("%#llx %#llx", (unsigned long long)a.high,
					 (unsigned long long)a.low);
		}
	for (size_t i = 0; i < table->count; i++)
		for (int n = -1; n <= 1; n++) {
			struct address a = plus(table->entries[i].first, n);
			struct address b = plus(table->entries[i].last, n);

			assert_int_equal(passes(count, a), expected(table, a, port));
			assert_int_equal(passes(count, b), expected(table, b, port));
		}
	for (int i = 0; i < 2000; i++) {
		uint64_t r = random_number();
		struct address a =
			i % 2 ? V4(r & 0xffffffff) : (struct address){r, random_number()};

		assert_int_equal(passes(count, a), expected(table, a, port));
	}
}

static struct endpoint_entry network(bool allow, struct address first, struct address last)
{
	return (struct endpoint_entry){
		.first = first,
		.last = last,
		.family = !first.high && first.low >> 32 == 0xffff ? 4 : 6,
		.protocols = ENDPOINT_TCP,
		.directions = ENDPOINT_INGRESS,
		.allow = allow,
	};
}

static void test_groups(void **state UNUSED)
{
	static const struct address own[] = {
		V4(0xc0a80105), {0x20010db800000001, 7}, V4(0x08080404)};

	for (uint8_t group = NET_GROUP_PUBLIC; group < NET_GROUP_COUNT; group++)
		for (int allow = 0; allow < 2; allow++) {
			struct endpoint_entry e = {
				.group = group,
				.allow = (uint8_t)allow,
				.protocols = ENDPOINT_TCP,
				.directions = ENDPOINT_INGRESS,
			};
			struct endpoint_table table = {
				.entries = &e,
				.count = 1,
				.own = own,
				.own_count = ARRAY_LEN(own),
				.allow_ingress = !allow,
			};

			compare_all(&table, 80);
			assert_int_equal(passes(compile(&table, 80), own[2]),
					 expected(&table, own[2], 80));
		}
}

static void test_order_and_ports(void **state UNUSED)
{
	static const struct port_range range[] = {{80, 90}, {443, 443}};
	struct endpoint_entry e[] = {
		network(false, V4(0x0a010000), V4(0x0a01ffff)),
		network(true, V4(0x0a000000), V4(0x0affffff)),
		network(true, (struct address){0xfd00000000000000, 0},
			(struct address){0xfd000000000000ff, 77}),
		network(false, V4(0xc0a80101), V4(0xc0a80101)),
		network(true, V4(0xc0a80000), V4(0xc0a8ffff)),
	};
	struct endpoint_table table = {
		.entries = e, .count = ARRAY_LEN(e), .ports = range, .port_count = 2};

	e[4].port_count = 2;
	compare_all(&table, 80);
	compare_all(&table, 91);
	assert_true(passes(compile(&table, 443), V4(0xc0a80102)));
	assert_false(passes(compile(&table, 443), V4(0xc0a80101)));
	assert_false(passes(compile(&table, 91), V4(0xc0a80102)));
	assert_false(passes(compile(&table, 80), V4(0x0a010203)));
	assert_true(passes(compile(&table, 80), V4(0x0a020203)));
	table.allow_ingress = true;
	compare_all(&table, 80);
	/* What is said about leaving and about other protocols does not matter here. */
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		e[i].directions = ENDPOINT_EGRESS;
	assert_int_equal(compile(&table, 80), INGRESS_EVERYBODY);
	table.allow_ingress = false;
	assert_false(passes(compile(&table, 80), V4(0x0a020203)));
}

static void test_many(void **state UNUSED)
{
	enum { MANY = 600 };
	static struct endpoint_entry e[MANY];
	struct endpoint_table table = {.entries = e, .count = MANY};

	for (unsigned i = 0; i < MANY; i++) {
		unsigned at = 0x0a000000 + i * 512;

		e[i] = network(true, V4(at), V4(at + 255));
	}
	compare_all(&table, 1); /* IPv6 carries none of them */
	for (unsigned i = 0; i < MANY; i++)
		e[i] = network(true, (struct address){0x2001000000000000 + i * 512, 5},
			       (struct address){0x2001000000000000 + i * 512, UINT64_MAX - 5});
	assert_int_equal(compile(&table, 1), INGRESS_TOO_LARGE);
	table.count = 60;
	compare_all(&table, 1);
}

static void test_not_ip(void **state UNUSED)
{
	struct endpoint_entry e = network(false, V4(0x0a000000), V4(0x0affffff));
	struct endpoint_table table = {.entries = &e, .count = 1, .allow_ingress = true};
	const uint8_t packet[40] = {0x75}, v6[40] = {0x60};

	assert_int_equal(run((size_t)compile(&table, 1), packet, sizeof packet), 0);
	/* A socket of IPv4 alone needs no rules for the other. */
	int count = ingress_compile(&table, ENDPOINT_TCP, 1, false, code, ARRAY_LEN(code));
	assert_true(count > 0 && count < 16);
	assert_int_equal(run((size_t)count, v6, sizeof v6), 0);
}

/* ---- in the kernel ---- */

static void test_kernel(void **state UNUSED)
{
	static struct endpoint_entry e;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
	socklen_t len = sizeof to;
	struct timeval soon = {.tv_usec = 200000};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, off = 0;

	const struct sock_filter nobody = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog closed = {.len = 1, .filter = (struct sock_filter *)&nobody};
	const bool refused =
		setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &closed, sizeof closed) < 0;

	e = network(false, V4(0x7f000002), V4(0x7f000002));
	memset(&net, 0, sizeof net);
	net.table = (struct endpoint_table){.entries = &e, .count = 1, .allow_ingress = true};
	assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), 0); /* not asked for: nothing */
	/* Peers of TCP are judged when they are accepted. */
	net.policy.flags = NET_INGRESS | NET_JUDGE_ACCEPT;
	assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ingress_attach(fd, ENDPOINT_UDP, 1), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off), -1);
	close(fd);
	net.policy.flags = NET_INGRESS;
	if (refused) { /* to unprivileged programs: then nothing may listen */
		assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), -EACCES);
		close(listener);
		SKIP("setsockopt(SO_ATTACH_FILTER) fails on a TCP socket");
	}
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), 0); /* the same again */
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off), -1);
	assert_int_equal(errno, EPERM);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
	assert_int_equal(errno, EINPROGRESS); /* nobody answered */
	close(fd);

	/* A filter of the program's own that is locked cannot be replaced: no listening then. */
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	struct sock_fprog program = {.len = 1, .filter = &all};
	int on = 1;

	close(listener);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on), 0);
	assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), -EACCES);
	close(listener);

	/* The kernel accepts what is made for IPv6 too. */
	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener >= 0)
		assert_int_equal(ingress_attach(listener, ENDPOINT_TCP, 1), 0);
	close(listener);
	memset(&net, 0, sizeof net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups), cmocka_unit_test(test_order_and_ports),
		cmocka_unit_test(test_many),   cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
