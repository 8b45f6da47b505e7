/* The language of network.allow and network.deny: every row of the grammar, what it refuses and why, rendering. */
#include "policy/endpoint.h"

#include "rows.h"

static const char *label(size_t len)
{
	char *text = arena_alloc(&arena, len + 1);

	memset(text, 'a', len);
	return text;
}

static bool rules_equal(const struct endpoint_rule *a, const struct endpoint_rule *b)
{
	if (a->protocols != b->protocols || a->family != b->family || a->target != b->target ||
	    a->group != b->group || !address_equal(a->first, b->first) ||
	    !address_equal(a->last, b->last) || a->port_count != b->port_count ||
	    !a->name != !b->name || (a->name && strcmp(a->name, b->name) != 0))
		return false;
	return a->port_count == 0 ||
	       memcmp(a->ports, b->ports, a->port_count * sizeof *a->ports) == 0;
}

/* Text and its one canonical form. */
static void accepted(void **state UNUSED)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		/* any */
		{"*", "tcp+udp://*"},
		{":*", "tcp+udp://*"},
		{"*:*", "tcp+udp://*"},
		{":80", "tcp+udp://*:80"},
		{"*:80", "tcp+udp://*:80"},
		{"tcp://*", "tcp://*"},
		{"udp://*", "udp://*"},
		{"tcp://:443", "tcp://*:443"},
		{"*:*,*", "tcp+udp://*"},
		/* names */
		{"host.test", "tcp+udp://host.test"},
		{"host.test:*", "tcp+udp://host.test"},
		{"tcp://host.test:80", "tcp://host.test:80"},
		{"HOST.Test.", "tcp+udp://host.test"},
		{"localhost:80", "tcp+udp://localhost:80"},
		{"_srv._tcp.a_b.test", "tcp+udp://_srv._tcp.a_b.test"},
		{"xn--bcher-kva.example", "tcp+udp://xn--bcher-kva.example"},
		{"1a.test", "tcp+udp://1a.test"},
		{"3com", "tcp+udp://3com"},
		/* IPv4 */
		{"1.2.3.4", "tcp+udp://1.2.3.4"},
		{"1.2.3.4:80", "tcp+udp://1.2.3.4:80"},
		{"10.0.0.0/8", "tcp+udp://10.0.0.0/8"},
		{"10.1.2.3/8:80", "tcp+udp://10.0.0.0/8:80"},
		{"0.0.0.0/0", "tcp+udp://0.0.0.0/0"},
		{"1.2.3.4/32", "tcp+udp://1.2.3.4"},
		{"0.0.0.0", "tcp+udp://0.0.0.0"},
		/* what inet_aton() takes */
		{"2130706433", "tcp+udp://127.0.0.1"},
		{"0x7f.1", "tcp+udp://127.0.0.1"},
		{"0177.0.0.1", "tcp+udp://127.0.0.1"},
		{"127.1", "tcp+udp://127.0.0.1"},
		{"1.1", "tcp+udp://1.0.0.1"},
		{"127.65535:1", "tcp+udp://127.0.255.255:1"},
		{"0x7F000001:80", "tcp+udp://127.0.0.1:80"},
		{"017700000001", "tcp+udp://127.0.0.1"},
		/* IPv6 */
		{"::1", "tcp+udp://::1"},
		{"fc00::/7", "tcp+udp://fc00::/7"},
		{"FC00::1/7", "tcp+udp://fc00::/7"},
		{"[::1]:443", "tcp+udp://[::1]:443"},
		{"[fc00::/7]:443", "tcp+udp://[fc00::/7]:443"},
		{"fc00::/7:443", "tcp+udp://[fc00::/7]:443"},
		{"[::1]:*", "tcp+udp://::1"},
		{"[10.0.0.0/8]:80", "tcp+udp://10.0.0.0/8:80"},
		{"::1:443", "tcp+udp://::1:443"},
		{"::/0", "tcp+udp://::/0"},
		{"2001:db8::/32", "tcp+udp://2001:db8::/32"},
		/* the mapped form is IPv4 */
		{"::ffff:10.0.0.1", "tcp+udp://10.0.0.1"},
		{"[::ffff:7f00:1]:80", "tcp+udp://127.0.0.1:80"},
		{"::ffff:0:0/96", "tcp+udp://0.0.0.0/0"},
		{"::ffff:10.0.0.0/104", "tcp+udp://10.0.0.0/8"},
		/* ports */
		{"*:443,80", "tcp+udp://*:80,443"},
		{"*: 80 , 443 ", "tcp+udp://*:80,443"},
		{"*:8000-8010", "tcp+udp://*:8000-8010"},
		{"*:8000 - 8010,80", "tcp+udp://*:80,8000-8010"},
		{"*:80,80,81,79", "tcp+udp://*:79-81"},
		{"*:10-20,15-30,5", "tcp+udp://*:5,10-30"},
		{"*:1-65535", "tcp+udp://*:1-65535"},
		{"*:65535", "tcp+udp://*:65535"},
		/* schemes */
		{"tcp+udp://host.test:1", "tcp+udp://host.test:1"},
		{"udp+tcp://host.test:1", "tcp+udp://host.test:1"},
		{"icmp://*", "icmp://*"},
		{"icmp://10.0.0.0/8", "icmp://10.0.0.0/8"},
		{"icmp://::1", "icmp://::1"},
		{"icmp://fc00::/7", "icmp://fc00::/7"},
		{"icmp://host.test", "icmp://host.test"},
		{"icmp://private", "icmp://private"},
		{"icmpv4://*", "icmpv4://*"},
		{"icmpv6://::1", "icmpv6://::1"},
		{"tcp+icmp://host.test", "tcp+icmp://host.test"},
		/* groups; a dot makes a name of the word */
		{"public", "tcp+udp://public"},
		{"private:22", "tcp+udp://private:22"},
		{"loopback", "tcp+udp://loopback"},
		{"link-local", "tcp+udp://link-local"},
		{"metadata", "tcp+udp://metadata"},
		{"meta", "tcp+udp://metadata"},
		{"multicast", "tcp+udp://multicast"},
		{"udp://host:53", "udp://host:53"},
		{"Private", "tcp+udp://private"},
		{"private.", "tcp+udp://private."},
		/* wildcards */
		{"*.example.com", "tcp+udp://*.example.com"},
		{"tcp://*.Example.com.:443", "tcp://*.example.com:443"},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	{
		struct endpoint_rule rule, again;

		if (!endpoint_parse(row->text, false, &arena, &rule, &c))
			fail_msg("\"%s\": %s", row->text, c.reason);

		const char *text = endpoint_render(&arena, &rule);
		if (strcmp(text, row->canonical) != 0)
			fail_msg("\"%s\": %s, expected %s", row->text, text, row->canonical);
		if (!endpoint_parse(text, false, &arena, &again, &c) || !rules_equal(&rule, &again))
			fail_msg("\"%s\": %s is another rule", row->text, text);
		assert_true(rule.allow);
		assert_int_equal(rule.directions, ENDPOINT_EGRESS);
	}
}

static void fields(void **state UNUSED)
{
	struct endpoint_rule rule;

	assert_true(endpoint_parse("10.1.0.0/16:80,90-99", false, &arena, &rule, &c));
	assert_int_equal(rule.protocols, ENDPOINT_TCP | ENDPOINT_UDP);
	assert_int_equal(rule.target, TARGET_NETWORK);
	assert_int_equal(rule.family, ENDPOINT_IPV4);
	assert_int_equal(rule.first.low, 0xffff0a010000);
	assert_int_equal(rule.last.low, 0xffff0a01ffff);
	assert_int_equal(rule.port_count, 2);
	assert_int_equal(rule.ports[1].first, 90);
	assert_int_equal(rule.ports[1].last, 99);
	assert_true(endpoint_parse("icmp://*", false, &arena, &rule, &c));
	assert_int_equal(rule.protocols, ENDPOINT_ICMP | ENDPOINT_ICMPV6);
	assert_true(endpoint_parse("::/0", false, &arena, &rule, &c));
	assert_int_equal(rule.family, ENDPOINT_IPV6);
	assert_int_equal(rule.last.high, UINT64_MAX);
	assert_int_equal(rule.last.low, UINT64_MAX);
	assert_true(endpoint_parse("::ffff:0:0/95", false, &arena, &rule, &c));
	assert_int_equal(rule.family, ENDPOINT_IPV6);
	assert_true(endpoint_parse("*.a.test", false, &arena, &rule, &c));
	assert_int_equal(rule.target, TARGET_SUFFIX);
	assert_string_equal(rule.name, "a.test");
	assert_true(endpoint_parse("host.", false, &arena, &rule, &c));
	assert_int_equal(rule.target, TARGET_NAME);
	assert_string_equal(rule.name, "host");
	assert_true(endpoint_parse("metadata", true, &arena, &rule, &c));
	assert_false(rule.allow);
	assert_int_equal(rule.group, NET_GROUP_METADATA);
}

static void refused(void **state UNUSED)
{
	static const struct refusal rows[] = {
		{"", "empty", "write *"},
		{"tcp://", "empty", "write *"},
		{"udp://", "empty", NULL},
		{"icmp", "a protocol alone", "write icmp://*"},
		{"icmp6", "a protocol alone", "write icmp://*"},
		{"udp", "a protocol alone", "write udp://*"},
		{"tcp", "a protocol alone", "write tcp://*"},
		{"raw", "a protocol alone", "always denied"},
		/* schemes */
		{"sctp://x:1", "unknown scheme \"sctp\"", NULL},
		{"icmp-raw://*", "unknown scheme", NULL},
		{"TCP://x", "unknown scheme", NULL},
		{"tpc://x", "unknown scheme", "did you mean tcp://"},
		{"://x", "unknown scheme", NULL},
		{"tcp+://x", "unknown scheme", NULL},
		{"+tcp://x", "unknown scheme", NULL},
		{"tcp:udp://x", "unknown scheme", NULL},
		{"https://host.test/", "unknown scheme", NULL},
		/* icmp */
		{"icmp://", "needs a host/IP or `*`", NULL},
		{"icmp://host:80", "icmp rule takes no port", NULL},
		{"icmp://*:80", "icmp rule takes no port", NULL},
		{"icmp://[::1]:80", "icmp rule takes no port", NULL},
		{"tcp+icmp://host.test:80", "icmp rule takes no port", NULL},
		{"icmp://fc00::/129", "prefix too large", NULL},
		/* ports */
		{"host.test:80,*", "cannot mix", NULL},
		{"host.test:*,80", "cannot mix", NULL},
		{"host.test:", "invalid port", NULL},
		{"host.test:abc", "invalid port", "8000-8010"},
		{"host.test:70000", "invalid port", NULL},
		{"host.test:65536", "invalid port", NULL},
		{"host.test:99999999999999999999999", "invalid port", NULL},
		{"host.test:+80", "invalid port", NULL},
		{"host.test:-80", "invalid port", NULL},
		{"host.test:80,", "invalid port", NULL},
		{"host.test:,80", "invalid port", NULL},
		{"host.test:80,,81", "invalid port", NULL},
		{"host.test:80 81", "invalid port", NULL},
		{"host.test:1-2-3", "invalid port", NULL},
		{"host.test:1-", "invalid port", NULL},
		{"host.test:9-8", "reversed", NULL},
		{"host.test:0", "port 0", NULL},
		{"host.test:0-80", "port 0", NULL},
		{"host.test:80;", "invalid port", NULL},
		/* addresses */
		{"[::1]", "malformed bracketed address", "[ADDRESS]:PORTS"},
		{"[::1:80", "malformed bracketed address", NULL},
		{"[host.test]:80", "malformed bracketed address", NULL},
		{"[]:80", "malformed bracketed address", NULL},
		{"[::1]x:80", "malformed bracketed address", NULL},
		{"10.0.0.0/33", "prefix too large", NULL},
		{"10.0.0.0/33:80", "prefix too large", NULL},
		{"fc00::/129", "prefix too large", NULL},
		{"[fc00::/129]:1", "prefix too large", NULL},
		{"10.0.0.0/x", "invalid prefix length", NULL},
		{"10.0.0.0/", "invalid prefix length", NULL},
		{"10.0.0.0/-1", "invalid prefix length", NULL},
		{"10.0.0.0/8/8", "invalid prefix length", NULL},
		{"10.0.0.0/4294967304", "invalid prefix length", NULL},
		{"10/8", "all four numbers", "10.0.0.0/8"},
		{"10.0.0/8", "all four numbers", NULL},
		{"010.0.0.0/8", "all four numbers", NULL},
		{"fe80::1%eth0", "zone", NULL},
		{"[fe80::1%1]:80", "zone", NULL},
		{"::1::443", "neither an address nor", "[ADDRESS]:PORT"},
		{"1:2:3:80", "neither an address nor", NULL},
		{"443", "looks like a port", "*:443"},
		{"80:443", "looks like a port", NULL},
		{"1.2.3.4.5", "is not a number", NULL},
		{"256.1.1.1", "is not a number", NULL},
		{"1.2.3.256", "is not a number", NULL},
		{"4294967296", "is not a number", NULL},
		{"08.1.1.1", "is not a number", NULL},
		{"1.2.3.0x", "is not a number", NULL},
		{"host.0xff", "is not a number", NULL},
		{"127.0.0.1.", "is not a number", NULL},
		/* names */
		{"a..test", "is empty", NULL},
		{".test", "is empty", NULL},
		{"a.test..", "is empty", NULL},
		{".", "is empty", NULL},
		{"-a.test", "neither starts nor ends", NULL},
		{"a-.test", "neither starts nor ends", NULL},
		{"a b.test", "blanks", NULL},
		{" a.test", "blanks", NULL},
		{"a.test ", "blanks", NULL},
		{"a\t.test", "blanks", NULL},
		{"a\n", "blanks", NULL},
		{"a\x7f.test", "blanks", NULL},
		{"user@host.test", "user or password", NULL},
		{"host.test/path", "no path", NULL},
		{"a%00.test", "zone", NULL},
		{"a#b", "letters, digits", NULL},
		{"a\\b", "letters, digits", NULL},
		{"b\xc3\xbc"
		 "cher.test",
		 "letters, digits", "xn--"},
		{"a.*.test", "stands alone", NULL},
		{"*a.test", "stands alone", NULL},
		{"*.*.test", "stands alone", NULL},
		{"**", "stands alone", NULL},
		{"*.", "is empty", NULL},
		{"*.test", "at least two parts", NULL},
		{"*..a.test", "is empty", NULL},
		{"*.1.2", "is not a number", NULL},
	};
	const typeof(rows[0]) *row;
	struct endpoint_rule rule;

	EACH(row, rows)
	expect_refusal(row, endpoint_parse(row->text, false, &arena, &rule, &c));
}

static void lengths(void **state UNUSED)
{
	const char *l63 = label(63), *l61 = label(61), *l62 = label(62);
	struct endpoint_rule rule;

	assert_true(endpoint_parse(l63, false, &arena, &rule, &c));
	assert_false(endpoint_parse(label(64), false, &arena, &rule, &c));
	assert_non_null(strstr(c.reason, "more than 63"));
	/* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
	assert_true(endpoint_parse(arena_printf(&arena, "%s.%s.%s.%s", l63, l63, l63, l61), false,
				   &arena, &rule, &c));
	assert_true(endpoint_parse(arena_printf(&arena, "%s.%s.%s.%s.", l63, l63, l63, l61), false,
				   &arena, &rule, &c));
	assert_false(endpoint_parse(arena_printf(&arena, "%s.%s.%s.%s", l63, l63, l63, l62), false,
				    &arena, &rule, &c));
	assert_non_null(strstr(c.reason, "at most 253"));
}

static void denials(void **state UNUSED)
{
	static const char *const good[] = {"*",	      "udp://*", "10.0.0.0/8", "[::1]:80",
					   "private", "*:25",	 "icmp://*",   "2130706433"};
	static const struct refusal bad[] = {
		{"host.test", "not an IP or CIDR", "deny its addresses"},
		{"tcp://host.test:80", "not an IP or CIDR", NULL},
		{"icmp://host.test", "not an IP or CIDR", NULL},
		{"*.host.test", "not an IP or CIDR", NULL},
		{"private.", "not an IP or CIDR", NULL},
		{"10.0.0.0/33", "prefix too large", NULL},
	};
	const typeof(bad[0]) *row;
	struct endpoint_rule rule;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(endpoint_parse(good[i], true, &arena, &rule, &c));
		assert_false(rule.allow);
	}
	EACH(row, bad)
	expect_refusal(row, endpoint_parse(row->text, true, &arena, &rule, &c));
}

static void ambiguous(void **state UNUSED)
{
	static const char *const yes[] = {"::1:443", "tcp://::1:443", "fe80::1:80",
					  "2001:db8::1:8080"};
	static const char *const no[] = {"::1",	       "[::1]:443",  "2001:db8::1", "2001:db8::1:2",
					 "1.2.3.4:80", "host:80",    "::ffff",	    "2001:db8::80",
					 "a:b:80",     "::1:80/128", "*:443"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!endpoint_is_ambiguous(yes[i]))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (endpoint_is_ambiguous(no[i]))
			fail_msg("%s", no[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted), cmocka_unit_test(fields),  cmocka_unit_test(refused),
		cmocka_unit_test(lengths),  cmocka_unit_test(denials), cmocka_unit_test(ambiguous),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
