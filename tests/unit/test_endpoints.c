/* The evaluator of network rules: what enforcement, explanations and these tests all ask. */
#include "plan/endpoints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DUAL = ENDPOINT_TCP | ENDPOINT_UDP, PING = ENDPOINT_ICMP | ENDPOINT_ICMPV6 };

static struct arena arena;

static struct address at(const char *text)
{
	struct address address;
	uint8_t family;

	if (!address_parse(text, &address, &family))
		fail_msg("%s is no address", text);
	return address;
}

/* A rule for a network (two addresses), an address, a group's name or "*". */
static struct endpoint_rule rule(bool allow, uint8_t protocols, const char *first, const char *last,
				 uint16_t low, uint16_t high)
{
	struct endpoint_rule r = {
		.allow = allow, .protocols = protocols, .directions = ENDPOINT_EGRESS};

	if (high) {
		struct port_range *ports = arena_new(&arena, struct port_range);

		*ports = (struct port_range){low, high};
		r.ports = ports;
		r.port_count = 1;
	}
	if (!strcmp(first, "*"))
		return r;
	r.target = TARGET_GROUP;
	for (int i = 1; i < NET_GROUP_COUNT; i++)
		if (!strcmp(net_group_name((enum endpoint_group)i), first)) {
			r.group = (enum endpoint_group)i;
			return r;
		}
	r.target = TARGET_NETWORK;
	r.first = at(first);
	r.last = at(last ? last : first);
	r.family = address_family(r.first);
	return r;
}

static struct endpoint_table table_of(const struct endpoint_rule *rules, size_t count, bool open)
{
	static const struct address own[] = {{0, 0xffff00000000 | 0xc0a80105},
					     {0xfd00000000000000, 5}};
	const struct endpoint_facts facts = {.own = own, .own_count = 2};
	struct endpoint_table table = {.allow_egress = open, .allow_ingress = true};
	size_t bad;

	assert_true(endpoints_compile(rules, count, &facts, &arena, &table, &bad));
	return table;
}
#define TABLE(open, ...)                                                                           \
	table_of((struct endpoint_rule[]){__VA_ARGS__},                                            \
		 sizeof((struct endpoint_rule[]){__VA_ARGS__}) / sizeof(struct endpoint_rule),     \
		 open)

static struct endpoint_verdict ask(const struct endpoint_table *t, uint8_t protocol,
				   const char *address, uint16_t port)
{
	return endpoint_decide(t, (struct endpoint){.address = at(address),
						    .port = port,
						    .protocol = protocol,
						    .direction = ENDPOINT_EGRESS});
}
#define ALLOWS(t, ...) assert_true(ask(&(t), __VA_ARGS__).allow)
#define DENIES(t, ...) assert_false(ask(&(t), __VA_ARGS__).allow)

static void test_defaults(void **state UNUSED)
{
	struct endpoint_table t = {.allow_egress = false, .allow_ingress = true};

	DENIES(t, ENDPOINT_TCP, "8.8.8.8", 53);
	assert_int_equal(ask(&t, ENDPOINT_TCP, "8.8.8.8", 53).entry, (uint32_t)ENTRY_DEFAULT);
	assert_true(endpoint_decide(&t, (struct endpoint){.protocol = ENDPOINT_TCP,
							  .direction = ENDPOINT_INGRESS})
			    .allow);
	t.allow_egress = true;
	ALLOWS(t, ENDPOINT_UDP, "::1", 53);
}

static void test_first_match(void **state UNUSED)
{
	struct endpoint_table t =
		TABLE(false, rule(false, DUAL, "10.0.0.0", "10.0.0.255", 0, 0),
		      rule(true, ENDPOINT_TCP, "10.0.0.0", "10.255.255.255", 80, 90),
		      rule(true, ENDPOINT_UDP, "*", NULL, 53, 53));

	DENIES(t, ENDPOINT_TCP, "10.0.0.255", 80);
	assert_int_equal(ask(&t, ENDPOINT_TCP, "10.0.0.255", 80).entry, 0);
	ALLOWS(t, ENDPOINT_TCP, "10.0.1.0", 80);
	assert_int_equal(ask(&t, ENDPOINT_TCP, "10.0.1.0", 80).entry, 1);
	ALLOWS(t, ENDPOINT_TCP, "10.255.255.255", 90);
	DENIES(t, ENDPOINT_TCP, "10.255.255.255", 91);
	DENIES(t, ENDPOINT_TCP, "10.255.255.255", 79);
	DENIES(t, ENDPOINT_TCP, "11.0.0.0", 80);
	/* Protocols do not open each other. */
	DENIES(t, ENDPOINT_UDP, "10.0.1.0", 80);
	DENIES(t, ENDPOINT_TCP, "1.1.1.1", 53);
	ALLOWS(t, ENDPOINT_UDP, "1.1.1.1", 53);
	ALLOWS(t, ENDPOINT_UDP, "2001:db8::1", 53);
	/* In between the order counts: an allow before a deny. */
	struct endpoint_table u = TABLE(true, rule(true, DUAL, "10.0.0.1", NULL, 0, 0),
					rule(false, DUAL, "private", NULL, 0, 0));

	ALLOWS(u, ENDPOINT_TCP, "10.0.0.1", 1);
	DENIES(u, ENDPOINT_TCP, "10.0.0.2", 1);
	ALLOWS(u, ENDPOINT_TCP, "8.8.8.8", 1);
}

static void test_families(void **state UNUSED)
{
	struct endpoint_table four =
		TABLE(false, rule(true, ENDPOINT_TCP, "0.0.0.0", "255.255.255.255", 0, 0));
	struct endpoint_table six =
		TABLE(false, rule(true, ENDPOINT_TCP,
				  "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0));

	ALLOWS(four, ENDPOINT_TCP, "8.8.8.8", 1);
	ALLOWS(four, ENDPOINT_TCP, "::ffff:8.8.8.8", 1);
	DENIES(four, ENDPOINT_TCP, "2606:4700::1", 1);
	DENIES(four, ENDPOINT_TCP, "::1", 1);
	ALLOWS(six, ENDPOINT_TCP, "2606:4700::1", 1);
	DENIES(six, ENDPOINT_TCP, "8.8.8.8", 1);
	/* A mapped rule is an IPv4 rule. */
	struct endpoint_table mapped =
		TABLE(false, rule(true, ENDPOINT_TCP, "::ffff:10.0.0.1", NULL, 0, 0));

	ALLOWS(mapped, ENDPOINT_TCP, "10.0.0.1", 1);
	DENIES(mapped, ENDPOINT_TCP, "10.0.0.2", 1);
}

static void test_unspecified_is_loopback(void **state UNUSED)
{
	struct endpoint_table deny = TABLE(true, rule(false, DUAL, "loopback", NULL, 0, 0));
	struct endpoint_table four =
		TABLE(true, rule(false, DUAL, "127.0.0.0", "127.255.255.255", 0, 0));
	struct endpoint_table allow = TABLE(false, rule(true, DUAL, "loopback", NULL, 0, 0));
	struct endpoint_table one = TABLE(false, rule(true, DUAL, "::1", NULL, 0, 0));
	struct endpoint_table zero = TABLE(true, rule(false, DUAL, "0.0.0.0", NULL, 0, 0));

	DENIES(deny, ENDPOINT_TCP, "0.0.0.0", 80);
	DENIES(deny, ENDPOINT_TCP, "::", 80);
	DENIES(deny, ENDPOINT_TCP, "::ffff:0.0.0.0", 80);
	DENIES(deny, ENDPOINT_TCP, "::1", 80);
	DENIES(four, ENDPOINT_TCP, "0.0.0.0", 80);
	/* "::" may end at either loopback. */
	DENIES(four, ENDPOINT_TCP, "::", 80);
	DENIES(one, ENDPOINT_TCP, "::", 80);
	ALLOWS(one, ENDPOINT_TCP, "::1", 80);
	ALLOWS(allow, ENDPOINT_TCP, "::", 80);
	ALLOWS(allow, ENDPOINT_TCP, "0.0.0.0", 80);
	/* A rule that names the unspecified address means loopback too. */
	DENIES(zero, ENDPOINT_TCP, "127.0.0.1", 80);
	DENIES(zero, ENDPOINT_TCP, "0.0.0.0", 80);
}

static void test_carried_addresses(void **state UNUSED)
{
	static const char *const carriers[] = {"64:ff9b::10.0.0.1", "64:ff9b::a00:1",
					       "2002:a00:1::", "2002:a00:1:ffff::1", "::10.0.0.1"};
	static const char *const harmless[] = {"64:ff9b::8.8.8.8", "2002:808:808::1", "::8.8.8.8",
					       "64:ff9b:1::10.0.0.1", "2003:a00:1::"};
	struct endpoint_table deny =
		TABLE(true, rule(false, DUAL, "10.0.0.0", "10.255.255.255", 0, 0));
	struct endpoint_table group = TABLE(true, rule(false, DUAL, "private", NULL, 0, 0));
	struct endpoint_table allow =
		TABLE(false, rule(true, DUAL, "10.0.0.0", "10.255.255.255", 0, 0));
	struct endpoint_table public = TABLE(false, rule(true, DUAL, "public", NULL, 0, 0));
	struct endpoint_table loopback = TABLE(true, rule(false, DUAL, "loopback", NULL, 0, 0));

	for (size_t i = 0; i < ARRAY_LEN(carriers); i++) {
		DENIES(deny, ENDPOINT_TCP, carriers[i], 80);
		DENIES(group, ENDPOINT_TCP, carriers[i], 80);
		DENIES(allow, ENDPOINT_TCP, carriers[i], 80);
		DENIES(public, ENDPOINT_TCP, carriers[i], 80);
	}
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		ALLOWS(deny, ENDPOINT_TCP, harmless[i], 80);
	DENIES(loopback, ENDPOINT_TCP, "64:ff9b::", 80);
	DENIES(loopback, ENDPOINT_TCP, "2002:7f00:1::", 80);
	DENIES(loopback, ENDPOINT_TCP, "::1", 80);
}

static void test_own_addresses(void **state UNUSED)
{
	struct endpoint_table t = TABLE(true, rule(false, DUAL, "host", NULL, 0, 0));

	DENIES(t, ENDPOINT_TCP, "127.0.0.1", 1);
	DENIES(t, ENDPOINT_TCP, "127.8.8.8", 1);
	DENIES(t, ENDPOINT_TCP, "::", 1);
	DENIES(t, ENDPOINT_TCP, "192.168.1.5", 1);
	DENIES(t, ENDPOINT_TCP, "::ffff:192.168.1.5", 1);
	DENIES(t, ENDPOINT_TCP, "64:ff9b::192.168.1.5", 1);
	DENIES(t, ENDPOINT_TCP, "fd00::5", 1);
	ALLOWS(t, ENDPOINT_TCP, "192.168.1.6", 1);
	ALLOWS(t, ENDPOINT_TCP, "169.254.1.1", 1);

	/* Those and the link's, but not its metadata. */
	struct endpoint_table u = TABLE(true, rule(false, DUAL, "local", NULL, 0, 0));

	DENIES(u, ENDPOINT_TCP, "127.0.0.1", 1);
	DENIES(u, ENDPOINT_TCP, "192.168.1.5", 1);
	DENIES(u, ENDPOINT_TCP, "169.254.1.1", 1);
	DENIES(u, ENDPOINT_TCP, "fe80::1", 1);
	ALLOWS(u, ENDPOINT_TCP, "169.254.169.254", 1);
	ALLOWS(u, ENDPOINT_TCP, "192.168.1.6", 1);
}

static void test_icmp(void **state UNUSED)
{
	struct endpoint_table t = TABLE(false, rule(true, DUAL | PING, "10.0.0.1", NULL, 80, 80),
					rule(true, PING, "10.0.0.2", NULL, 0, 0));

	DENIES(t, ENDPOINT_ICMP, "10.0.0.1", 80);
	DENIES(t, ENDPOINT_ICMP, "10.0.0.1", 0);
	ALLOWS(t, ENDPOINT_ICMP, "10.0.0.2", 0);
	ALLOWS(t, ENDPOINT_ICMP, "10.0.0.2", 1234);
	DENIES(t, ENDPOINT_TCP, "10.0.0.2", 1);
	struct endpoint_table u = TABLE(true, rule(false, PING, "*", NULL, 7, 7));

	ALLOWS(u, ENDPOINT_ICMPV6, "::2", 7);
}

static void test_directions(void **state UNUSED)
{
	struct endpoint_rule in = rule(false, ENDPOINT_TCP, "10.0.0.0", "10.0.0.255", 80, 80);
	in.directions = ENDPOINT_INGRESS;
	struct endpoint_table t = TABLE(true, in);
	struct endpoint peer = {.address = at("10.0.0.7"),
				.port = 80,
				.protocol = ENDPOINT_TCP,
				.direction = ENDPOINT_INGRESS};

	assert_false(endpoint_decide(&t, peer).allow);
	peer.port = 81;
	assert_true(endpoint_decide(&t, peer).allow);
	ALLOWS(t, ENDPOINT_TCP, "10.0.0.7", 80);
	assert_int_equal(endpoint_shape(&t, ENDPOINT_TCP, ENDPOINT_INGRESS), SHAPE_ADDRESSES);
	assert_int_equal(endpoint_shape(&t, ENDPOINT_TCP, ENDPOINT_EGRESS), SHAPE_OPEN);
}

static void test_names(void **state UNUSED)
{
	static const struct address pinned[] = {{0, 0xffff00000000 | 0x5db8d822},
						{0x2606280002200001, 0x02481893025c1946}};
	const struct name_pin pin = {"example.com", pinned, 2};
	const struct endpoint_facts facts = {.pins = &pin, .pin_count = 1};
	struct endpoint_rule r = rule(true, DUAL, "*", NULL, 443, 443);
	struct endpoint_table t = {.allow_egress = false};
	size_t bad = 9;

	r.target = TARGET_NAME;
	r.name = "example.com";
	assert_true(endpoints_compile(&r, 1, &facts, &arena, &t, &bad));
	assert_int_equal(t.count, 2);
	ALLOWS(t, ENDPOINT_TCP, "93.184.216.34", 443);
	ALLOWS(t, ENDPOINT_TCP, "2606:2800:220:1:248:1893:25c:1946", 443);
	DENIES(t, ENDPOINT_TCP, "93.184.216.34", 80);
	DENIES(t, ENDPOINT_TCP, "93.184.216.35", 443);
	/* A name that led nowhere is never "no rule". */
	r.name = "example.org";
	assert_false(endpoints_compile(&r, 1, &facts, &arena, &t, &bad));
	assert_int_equal(bad, 0);
	r.target = TARGET_SUFFIX;
	r.name = "example.com";
	assert_false(endpoints_compile(&r, 1, &facts, &arena, &t, &bad));
}

#define SHAPE(t, protocol) endpoint_shape(&(t), protocol, ENDPOINT_EGRESS)

static void test_shapes(void **state UNUSED)
{
	struct endpoint_table t = {.allow_egress = false};

	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_CLOSED);
	t.allow_egress = true;
	assert_int_equal(SHAPE(t, ENDPOINT_ICMP), SHAPE_OPEN);

	t = TABLE(false, rule(true, ENDPOINT_TCP, "*", NULL, 443, 443));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_PORTS);
	assert_int_equal(SHAPE(t, ENDPOINT_UDP), SHAPE_CLOSED);
	t = TABLE(false, rule(true, DUAL, "*", NULL, 1, 65535));
	assert_int_equal(SHAPE(t, ENDPOINT_UDP), SHAPE_OPEN);
	t = TABLE(false, rule(true, DUAL, "*", NULL, 1, 1000),
		  rule(true, DUAL, "*", NULL, 900, 65535));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_OPEN);
	t = TABLE(false, rule(true, DUAL, "*", NULL, 1, 1000),
		  rule(true, DUAL, "*", NULL, 1002, 65535));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_PORTS);
	t = TABLE(true, rule(false, DUAL, "*", NULL, 25, 25));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_PORTS);
	t = TABLE(true, rule(false, DUAL, "*", NULL, 0, 0));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_CLOSED);

	t = TABLE(false, rule(true, ENDPOINT_TCP, "10.0.0.1", NULL, 0, 0));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_ADDRESSES);
	/* Every address of one family is not every address. */
	t = TABLE(false, rule(true, ENDPOINT_TCP, "0.0.0.0", "255.255.255.255", 0, 0));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_ADDRESSES);
	/* Addresses that change nothing: denied where all is denied, allowed where all is allowed, behind a rule for all. */
	t = TABLE(false, rule(false, DUAL, "10.0.0.1", NULL, 0, 0));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_CLOSED);
	t = TABLE(false, rule(true, DUAL, "10.0.0.1", NULL, 80, 80),
		  rule(true, DUAL, "*", NULL, 80, 81));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_PORTS);
	t = TABLE(false, rule(true, DUAL, "*", NULL, 80, 80),
		  rule(false, DUAL, "private", NULL, 80, 80));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_PORTS);
	t = TABLE(true, rule(false, DUAL, "private", NULL, 80, 80));
	assert_int_equal(SHAPE(t, ENDPOINT_TCP), SHAPE_ADDRESSES);

	t = TABLE(false, rule(true, PING, "*", NULL, 0, 0));
	assert_int_equal(SHAPE(t, ENDPOINT_ICMP), SHAPE_OPEN);
	t = TABLE(false, rule(true, PING, "*", NULL, 7, 7));
	assert_int_equal(SHAPE(t, ENDPOINT_ICMP), SHAPE_CLOSED);
}

/* The sets say for each port what asking about many addresses says. */
static void test_open_ports(void **state UNUSED)
{
	static const char *const addresses[] = {"127.0.0.1", "10.0.0.1", "10.0.0.2",	"8.8.8.8",
						"::1",	     "fd00::1",	 "2606:4700::1"};
	static struct port_set always, sometimes;
	struct endpoint_table t =
		TABLE(false, rule(false, DUAL, "10.0.0.1", NULL, 70, 77),
		      rule(true, ENDPOINT_TCP, "private", NULL, 80, 90),
		      rule(true, DUAL, "*", NULL, 75, 80), rule(false, DUAL, "public", NULL, 0, 0),
		      rule(true, ENDPOINT_TCP, "loopback", NULL, 3, 3));

	endpoint_open_ports(&t, ENDPOINT_TCP, ENDPOINT_EGRESS, &always, &sometimes);
	for (uint16_t port = 1; port < 200; port++) {
		bool all = true, some = false;

		for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
			bool allow = ask(&t, ENDPOINT_TCP, addresses[i], port).allow;

			all &= allow;
			some |= allow;
		}
		if (port_set_has(&always, port))
			assert_true(all);
		assert_int_equal(port_set_has(&sometimes, port), some);
		assert_int_equal(port_set_has(&always, port), all);
	}
	assert_int_equal(port_set_count(&always), 3);
	assert_int_equal(port_set_count(&sometimes), 17);
}

static void test_port_sets(void **state UNUSED)
{
	static struct port_set set;

	memset(&set, 0, sizeof set);
	port_set_add(&set, 0, 65535);
	assert_int_equal(port_set_count(&set), 65536);
	port_set_remove(&set, 65535, 65535);
	port_set_remove(&set, 0, 0);
	assert_int_equal(port_set_count(&set), 65534);
	assert_false(port_set_has(&set, 65535));
	memset(&set, 0, sizeof set);
	port_set_add(&set, 60, 200);
	assert_int_equal(port_set_count(&set), 141);
	assert_false(port_set_has(&set, 59));
	assert_true(port_set_has(&set, 60));
	assert_true(port_set_has(&set, 200));
	assert_false(port_set_has(&set, 201));
	port_set_add(&set, 64, 127);
	assert_int_equal(port_set_count(&set), 141);
}

static int forget(void **state UNUSED)
{
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_first_match),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_unspecified_is_loopback),
		cmocka_unit_test(test_carried_addresses),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_open_ports),
		cmocka_unit_test(test_port_sets),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
