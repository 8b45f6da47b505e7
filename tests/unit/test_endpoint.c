/* The languages of network rules: every row of the grammars, what each refuses and why, rendering, groups, and what the rules of a
 * policy say together. */
#include "policy/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct complaint c = {.arena = &arena};

#define EACH(row, table) for (size_t i_ = 0; i_ < ARRAY_LEN(table) && ((row) = &(table)[i_]); i_++)

struct refusal {
	const char *text, *reason, *hint; /* parts */
};

static void expect_refusal(const struct refusal *row, bool ok)
{
	if (ok)
		fail_msg("\"%s\": accepted", row->text);
	if (!strstr(c.reason, row->reason))
		fail_msg("\"%s\": %s", row->text, c.reason);
	if (row->hint && (!c.hint || !strstr(c.hint, row->hint)))
		fail_msg("\"%s\": hint %s", row->text, c.hint ? c.hint : "missing");
}

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

/* ---- network.allow ---- */

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

/* ---- addresses ---- */

static struct address parsed(const char *text)
{
	struct address address;
	uint8_t family;

	if (!address_parse(text, &address, &family))
		fail_msg("%s", text);
	assert_int_equal(family, address_family(address));
	return address;
}

static void groups(void **state UNUSED)
{
	static const struct {
		const char *text;
		enum endpoint_group group;
	} rows[] = {
		{"169.254.169.254", NET_GROUP_METADATA},
		{"::ffff:169.254.169.254", NET_GROUP_METADATA},
		{"64:ff9b::169.254.169.254", NET_GROUP_METADATA},
		{"2002:a9fe:a9fe::1", NET_GROUP_METADATA},
		{"::169.254.169.254", NET_GROUP_METADATA},
		{"100.100.100.200", NET_GROUP_METADATA},
		{"168.63.129.16", NET_GROUP_METADATA},
		{"fd00:ec2::254", NET_GROUP_METADATA},
		{"fd00:ec2::253", NET_GROUP_PRIVATE},
		{"168.63.129.15", NET_GROUP_PUBLIC},
		{"127.0.0.0", NET_GROUP_LOOPBACK},
		{"127.255.255.255", NET_GROUP_LOOPBACK},
		{"126.255.255.255", NET_GROUP_PUBLIC},
		{"128.0.0.0", NET_GROUP_PUBLIC},
		{"0.0.0.0", NET_GROUP_LOOPBACK},
		{"::", NET_GROUP_LOOPBACK},
		{"::1", NET_GROUP_LOOPBACK},
		{"64:ff9b::127.0.0.1", NET_GROUP_LOOPBACK},
		{"2002:7f00:1::", NET_GROUP_LOOPBACK},
		{"::127.0.0.1", NET_GROUP_LOOPBACK},
		{"10.0.0.0", NET_GROUP_PRIVATE},
		{"10.255.255.255", NET_GROUP_PRIVATE},
		{"9.255.255.255", NET_GROUP_PUBLIC},
		{"11.0.0.0", NET_GROUP_PUBLIC},
		{"172.15.255.255", NET_GROUP_PUBLIC},
		{"172.16.0.0", NET_GROUP_PRIVATE},
		{"172.31.255.255", NET_GROUP_PRIVATE},
		{"172.32.0.0", NET_GROUP_PUBLIC},
		{"192.167.255.255", NET_GROUP_PUBLIC},
		{"192.168.0.0", NET_GROUP_PRIVATE},
		{"192.168.255.255", NET_GROUP_PRIVATE},
		{"192.169.0.0", NET_GROUP_PUBLIC},
		{"100.63.255.255", NET_GROUP_PUBLIC},
		{"100.64.0.0", NET_GROUP_PRIVATE},
		{"100.127.255.255", NET_GROUP_PRIVATE},
		{"100.128.0.0", NET_GROUP_PUBLIC},
		{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_PUBLIC},
		{"fc00::", NET_GROUP_PRIVATE},
		{"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_PRIVATE},
		{"fe00::", NET_GROUP_PUBLIC},
		{"64:ff9b::10.0.0.1", NET_GROUP_PRIVATE},
		{"64:ff9b::8.8.8.8", NET_GROUP_PUBLIC},
		{"2002:0808:0808::1", NET_GROUP_PUBLIC},
		{"::8.8.8.8", NET_GROUP_RESERVED},
		{"169.253.255.255", NET_GROUP_PUBLIC},
		{"169.254.0.0", NET_GROUP_LINK_LOCAL},
		{"169.254.255.255", NET_GROUP_LINK_LOCAL},
		{"169.255.0.0", NET_GROUP_PUBLIC},
		{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_PUBLIC},
		{"fe80::", NET_GROUP_LINK_LOCAL},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_LINK_LOCAL},
		{"fec0::", NET_GROUP_RESERVED},
		{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_RESERVED},
		{"223.255.255.255", NET_GROUP_PUBLIC},
		{"224.0.0.0", NET_GROUP_MULTICAST},
		{"239.255.255.255", NET_GROUP_MULTICAST},
		{"240.0.0.0", NET_GROUP_RESERVED},
		{"255.255.255.255", NET_GROUP_RESERVED},
		{"ff00::", NET_GROUP_MULTICAST},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_MULTICAST},
		{"0.0.0.1", NET_GROUP_RESERVED},
		{"0.255.255.255", NET_GROUP_RESERVED},
		{"1.0.0.0", NET_GROUP_PUBLIC},
		{"191.255.255.255", NET_GROUP_PUBLIC},
		{"192.0.0.0", NET_GROUP_RESERVED},
		{"192.0.0.255", NET_GROUP_RESERVED},
		{"192.0.1.0", NET_GROUP_PUBLIC},
		{"192.0.2.0", NET_GROUP_RESERVED},
		{"192.0.2.255", NET_GROUP_RESERVED},
		{"192.0.3.0", NET_GROUP_PUBLIC},
		{"198.17.255.255", NET_GROUP_PUBLIC},
		{"198.18.0.0", NET_GROUP_RESERVED},
		{"198.19.255.255", NET_GROUP_RESERVED},
		{"198.20.0.0", NET_GROUP_PUBLIC},
		{"198.51.100.0", NET_GROUP_RESERVED},
		{"198.51.100.255", NET_GROUP_RESERVED},
		{"198.51.101.0", NET_GROUP_PUBLIC},
		{"203.0.113.0", NET_GROUP_RESERVED},
		{"203.0.113.255", NET_GROUP_RESERVED},
		{"203.0.114.0", NET_GROUP_PUBLIC},
		{"100::", NET_GROUP_RESERVED},
		{"100::ffff:ffff:ffff:ffff", NET_GROUP_RESERVED},
		{"100:0:0:1::", NET_GROUP_PUBLIC},
		{"64:ff9b:1::", NET_GROUP_RESERVED},
		{"2001:db8::", NET_GROUP_RESERVED},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", NET_GROUP_RESERVED},
		{"2001:db9::", NET_GROUP_PUBLIC},
		{"2606:4700:4700::1111", NET_GROUP_PUBLIC},
		{"8.8.8.8", NET_GROUP_PUBLIC},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	if (address_group(parsed(row->text)) != row->group)
		fail_msg("%s: %s", row->text, net_group_name(address_group(parsed(row->text))));
	for (enum endpoint_group g = NET_GROUP_PUBLIC; g <= NET_GROUP_HOST; g++)
		assert_int_equal(net_group_by_name(net_group_name(g)), g);
	assert_int_equal(net_group_by_name("none"), NET_GROUP_NONE);
	assert_int_equal(net_group_by_name("reserved"), NET_GROUP_NONE);
	assert_string_equal(net_group_name(NET_GROUP_COUNT), "none");
}

static void addresses(void **state UNUSED)
{
	static const char *const bad[] = {"",	       "x",	     "1.2.3.4.5",  "1..2",  ".1",
					  "1.",	       "1.2.3.4 ",   "0x",	   "08",    "256.1",
					  "1.2.65536", "1.16777216", "-1",	   "+1",    "::g",
					  ":::",       "::1%lo",     "1::2::3",	   "[::1]", "::1 ",
					  "::1.2.3",   "12345::",    "1.2.3.4/32", "0x1x"};
	struct address address;
	uint8_t family;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (address_parse(bad[i], &address, &family))
			fail_msg("%s", bad[i]);
	assert_string_equal(address_render(&arena, parsed("::FFFF:1.2.3.4")), "1.2.3.4");
	assert_string_equal(address_render(&arena, parsed("2001:DB8:0:0::1")), "2001:db8::1");
	assert_string_equal(address_render(&arena, parsed("4294967295")), "255.255.255.255");
	static const char *const same[] = {"::",
					   "::1",
					   "1::",
					   "::1:143",
					   "1:0:0:2::3",
					   "1::2:0:0:3",
					   "1:0:2:3:4:5:6:7",
					   "1:2:3:4:5:6:7:8",
					   "0:1:2:3:4:5:6:7",
					   "1:2:3:4:5:6::",
					   "::3:4:5:6:7:8",
					   "fe80::a:b",
					   "::fffe:102:304"};
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_string_equal(address_render(&arena, parsed(same[i])), same[i]);
	assert_int_equal(address_family(parsed("::fffe:0:0")), ENDPOINT_IPV6);
	assert_true(address_embedded(parsed("64:ff9b::1.2.3.4"), &address));
	assert_true(address_equal(address, parsed("1.2.3.4")));
	assert_true(address_embedded(parsed("2002:102:304:5::6"), &address));
	assert_true(address_equal(address, parsed("1.2.3.4")));
	assert_true(address_embedded(parsed("::1.2.3.4"), &address));
	assert_false(address_embedded(parsed("::1"), &address));
	assert_false(address_embedded(parsed("::"), &address));
	assert_false(address_embedded(parsed("1.2.3.4"), &address));
	assert_false(address_embedded(parsed("2001::1"), &address));
}

static void networks(void **state UNUSED)
{
	struct address all = {UINT64_MAX, UINT64_MAX}, first, last;

	for (unsigned prefix = 0; prefix <= 128; prefix++) {
		unsigned ones = 0;

		address_network(all, prefix, &first, &last);
		assert_true(address_equal(last, all));
		ones = (unsigned)(__builtin_popcountll(first.high) +
				  __builtin_popcountll(first.low));
		assert_int_equal(ones, prefix);
		assert_int_equal(first.high, prefix == 0    ? 0
					     : prefix >= 64 ? UINT64_MAX
							    : ~(UINT64_MAX >> prefix));
	}
}

/* ---- network.rules ---- */

static void tokens(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool allow;
		uint8_t directions, protocols;
		const char *canonical; /* of the rest */
	} rows[] = {
		{"allow@any", true, ENDPOINT_EGRESS, ENDPOINT_PROTOCOLS, "tcp+udp+icmp://*"},
		{"deny@any", false, ENDPOINT_EGRESS, ENDPOINT_PROTOCOLS, "tcp+udp+icmp://*"},
		{"deny:egress@public", false, ENDPOINT_EGRESS, ENDPOINT_PROTOCOLS,
		 "tcp+udp+icmp://public"},
		{"allow:ingress@private:tcp:22", true, ENDPOINT_INGRESS, ENDPOINT_TCP,
		 "tcp://private:22"},
		{"allow:ingress@any", true, ENDPOINT_INGRESS, ENDPOINT_TCP | ENDPOINT_UDP,
		 "tcp+udp://*"},
		{"allow:any@host:any", true, ENDPOINT_EGRESS | ENDPOINT_INGRESS, ENDPOINT_PROTOCOLS,
		 "tcp+udp+icmp://host"},
		{"allow@any:any:443", true, ENDPOINT_EGRESS, ENDPOINT_TCP | ENDPOINT_UDP,
		 "tcp+udp://*:443"},
		{"allow@any:icmp", true, ENDPOINT_EGRESS, ENDPOINT_ICMP | ENDPOINT_ICMPV6,
		 "icmp://*"},
		{"allow@any:tcp:any", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://*"},
		{"allow@any:icmpv4:any", true, ENDPOINT_EGRESS, ENDPOINT_ICMP, "icmpv4://*"},
		{"allow@any:tcp:0-65535", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://*:0-65535"},
		{"allow@10.0.0.1:udp:5000-5010", true, ENDPOINT_EGRESS, ENDPOINT_UDP,
		 "udp://10.0.0.1:5000-5010"},
		{"deny@10.0.0.0/8", false, ENDPOINT_EGRESS, ENDPOINT_PROTOCOLS,
		 "tcp+udp+icmp://10.0.0.0/8"},
		{"allow@[::1]:tcp:80", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://[::1]:80"},
		{"deny@[fc00::/7]", false, ENDPOINT_EGRESS, ENDPOINT_PROTOCOLS,
		 "tcp+udp+icmp://fc00::/7"},
		{"allow@[::ffff:10.0.0.1]:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://10.0.0.1"},
		{"allow@meta:icmpv4", true, ENDPOINT_EGRESS, ENDPOINT_ICMP, "icmpv4://metadata"},
		{"allow@link-local:icmpv6", true, ENDPOINT_EGRESS, ENDPOINT_ICMPV6,
		 "icmpv6://link-local"},
		{"allow@Example.COM.:tcp:443", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://example.com:443"},
		{"allow@domain=single:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://single"},
		{"allow@domain=private:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://private."},
		{"allow@suffix=.Example.com:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://*.example.com"},
		{"allow@*.example.com:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://*.example.com"},
		{"allow@127.1:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://127.0.0.1"},
		{"allow@2130706433:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://127.0.0.1"},
		{" allow@any:tcp ,, ", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://*"},
	};
	const typeof(rows[0]) *row;
	struct endpoint_rule *rules;
	size_t count;

	EACH(row, rows)
	{
		if (!endpoint_parse_tokens(row->text, &arena, &rules, &count, &c))
			fail_msg("\"%s\": %s", row->text, c.reason);
		if (count != 1 || rules[0].allow != row->allow ||
		    rules[0].directions != row->directions || rules[0].protocols != row->protocols)
			fail_msg("\"%s\"", row->text);
		if (strcmp(endpoint_render(&arena, &rules[0]), row->canonical) != 0)
			fail_msg("\"%s\": %s", row->text, endpoint_render(&arena, &rules[0]));
	}
	assert_true(endpoint_parse_tokens("allow@public:tcp:443, deny:ingress@any ,allow@host",
					  &arena, &rules, &count, &c));
	assert_int_equal(count, 3);
	assert_true(rules[0].allow && !rules[1].allow && rules[2].allow);
	assert_int_equal(rules[1].directions, ENDPOINT_INGRESS);
	assert_int_equal(rules[2].group, NET_GROUP_HOST);
}

static void refused_tokens(void **state UNUSED)
{
	static const struct refusal rows[] = {
		{"", "empty", "allow@TARGET"},
		{" , ,", "empty", NULL},
		{"allow", "no \"@\"", "allow@TARGET"},
		{"allow@any:tcp:80,443", "no \"@\"", "repeat the rule"},
		{"allow any", "no \"@\"", NULL},
		{"alow@any", "unknown action \"alow\"", "\"allow\""},
		{"block@any", "unknown action", NULL},
		{"@any", "unknown action", NULL},
		{"Allow@any", "unknown action", "\"allow\""},
		{"allow:egres@any", "unknown direction \"egres\"", "\"egress\""},
		{"allow:@any", "unknown direction", NULL},
		{"allow:egress:x@any", "unknown direction", NULL},
		{"allow:sideways@any", "expected egress, ingress or any", NULL},
		{"allow@", "target is missing", NULL},
		{"allow@:tcp", "target is missing", NULL},
		{"allow@any:tpc", "unknown protocol \"tpc\"", "\"tcp\""},
		{"allow@any:icmpv5", "unknown protocol", "\"icmp"},
		{"allow@any:", "unknown protocol", NULL},
		{"allow@any:443", "port \"443\" stands where", "TARGET:tcp:443"},
		{"allow@any:1-2", "stands where", "TARGET:tcp:1-2"},
		{"allow@localhst", "ambiguous", "domain=localhst"},
		{"allow@privat", "ambiguous", "group \"private\""},
		{"allow@metadta", "ambiguous", "group \"metadata\""},
		{"allow@dns", "ambiguous", NULL},
		{"allow@*", "unknown target", "write any"},
		{"allow@443", "looks like a port", NULL},
		{"allow@10.0.0.0/33", "prefix too large", NULL},
		{"allow@10.0.0.0/x", "invalid prefix", NULL},
		{"allow@10/8", "all four numbers", NULL},
		{"allow@host.test/8", "is no network", NULL},
		{"allow@1.2.3.4.5", "is not a number", NULL},
		{"allow@a..b", "is empty", NULL},
		{"allow@.a.test", "is empty", NULL},
		{"allow@a b.test", "blanks", NULL},
		{"allow@domain=", "is empty", NULL},
		{"allow@suffix=com", "at least two parts", NULL},
		{"allow@suffix=", "is empty", NULL},
		{"allow@*.com", "at least two parts", NULL},
		{"allow@u@h.test", "user or password", NULL},
		{"allow@[10.0.0.1]:tcp", "brackets are for IPv6", NULL},
		{"allow@[host.test]", "brackets are for IPv6", NULL},
		{"allow@[]", "brackets are for IPv6", NULL},
		{"allow@[::1", "not closed", NULL},
		{"allow@[::1]tcp", "after the bracket", NULL},
		{"allow@[::1/129]", "prefix too large", NULL},
		{"allow@[fe80::1%1]", "brackets are for IPv6", NULL},
		{"allow@::1", "stands in brackets", NULL},
		{"allow@::1:tcp:80", "stands in brackets", NULL},
		{"allow@2001:db8:1:2:3:4:5:6", "stands in brackets", NULL},
		{"allow@any:tcp:80:x", "too many fields", NULL},
		{"allow@any:tcp:80:", "too many fields", NULL},
		{"allow@any:tcp:", "invalid port", NULL},
		{"allow@any:tcp:x", "invalid port", "8000-8010"},
		{"allow@any:tcp:65536", "invalid port", NULL},
		{"allow@any:tcp:9-8", "reversed", NULL},
		{"allow@any:icmpv4:80", "icmp has no ports", NULL},
		{"allow:ingress@any:icmpv4", "egress only", NULL},
		{"allow:any@any:icmpv6", "egress only", NULL},
		{"allow@any,deny@nothing", "ambiguous", NULL},
	};
	const typeof(rows[0]) *row;
	struct endpoint_rule *rules;
	size_t count;

	EACH(row, rows)
	expect_refusal(row, endpoint_parse_tokens(row->text, &arena, &rules, &count, &c));
}

/* ---- network.publish ---- */

static void published(void **state UNUSED)
{
	static const struct {
		const char *text, *address;
		uint8_t family, protocol;
		uint16_t host, guest;
	} rows[] = {
		{"8080:80", "127.0.0.1", 4, ENDPOINT_TCP, 8080, 80},
		{" 8080 : 80 ", "127.0.0.1", 4, ENDPOINT_TCP, 8080, 80},
		{"0:80", "127.0.0.1", 4, ENDPOINT_TCP, 0, 80},
		{"8080:80/tcp", "127.0.0.1", 4, ENDPOINT_TCP, 8080, 80},
		{"53:5353/udp", "127.0.0.1", 4, ENDPOINT_UDP, 53, 5353},
		{"0.0.0.0:1:65535", "0.0.0.0", 4, ENDPOINT_TCP, 1, 65535},
		{"[::1]:8080:80/udp", "::1", 6, ENDPOINT_UDP, 8080, 80},
		{"[::]:8080:80", "::", 6, ENDPOINT_TCP, 8080, 80},
		{"[::ffff:10.0.0.1]:1:2", "10.0.0.1", 4, ENDPOINT_TCP, 1, 2},
	};
	static const struct refusal bad[] = {
		{"", "expected HOST:GUEST", NULL},
		{"8080", "expected HOST:GUEST", "8080:8080"},
		{"[::1]", "invalid port", NULL},
		{"8080:", "invalid port", NULL},
		{":80", "invalid port", NULL},
		{":8080:80", "not an address", NULL},
		{"x:80", "invalid port", NULL},
		{"8080:x", "invalid port", "GUEST"},
		{"8080:70000", "invalid port", NULL},
		{"80:0", "GUEST 0", NULL},
		{"80-81:80", "not a range", NULL},
		{"8080:80/sctp", "unknown protocol", NULL},
		{"8080:80/", "unknown protocol", NULL},
		{"8080:80/TCP", "unknown protocol", NULL},
		{"8080:80/tcp/udp", "invalid port", NULL},
		{"localhost:8080:80", "not an address", NULL},
		{"1:2:3", "looks like a port", "[ADDRESS:]HOST:GUEST"},
		{"::1:8080:80", "stands in brackets", NULL},
		{"[127.0.0.1]:8080:80", "brackets are for IPv6", NULL},
		{"[::1]:80", "invalid port", NULL},
		{"[::1]8080:80", "invalid port", NULL},
		{"1.2.3.4.5:1:2", "not an address", NULL},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;
	struct endpoint_publish p;

	EACH(row, rows)
	{
		if (!endpoint_parse_publish(row->text, &p, &c))
			fail_msg("\"%s\": %s", row->text, c.reason);
		assert_string_equal(address_render(&arena, p.address), row->address);
		assert_int_equal(p.family, row->family);
		assert_int_equal(p.protocol, row->protocol);
		assert_int_equal(p.host, row->host);
		assert_int_equal(p.guest, row->guest);
	}
	EACH(no, bad)
	expect_refusal(no, endpoint_parse_publish(no->text, &p, &c));
}

/* ---- a whole policy ---- */

static void covering(void **state UNUSED)
{
	static const struct {
		const char *by, *rule;
		bool covers;
	} rows[] = {
		{"*", "tcp://host.test:80", true},
		{"tcp://*", "*", false},
		{"*:80", "*", false},
		{"*:80", "10.0.0.1:80", true},
		{"*:80-90", "*:85,87-90", true},
		{"*:80-90", "*:85,91", false},
		{"*:80,90", "*:80-90", false},
		{"10.0.0.0/8", "10.1.0.0/16", true},
		{"10.1.0.0/16", "10.0.0.0/8", false},
		{"::/0", "10.0.0.1", false},
		{"0.0.0.0/0", "::1", false},
		{"private", "private:80", true},
		{"private", "10.0.0.1", false},
		{"a.test", "A.test.", true},
		{"a.test", "b.a.test", false},
		{"*.a.test", "a.test", false},
		{"icmp://*", "icmpv4://*", true},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	{
		struct endpoint_rule by, rule;

		assert_true(endpoint_parse(row->by, false, &arena, &by, &c));
		assert_true(endpoint_parse(row->rule, false, &arena, &rule, &c));
		if (endpoint_covers(&by, &rule) != row->covers)
			fail_msg("%s, %s", row->by, row->rule);
	}
}

static void defaults(void **state UNUSED)
{
	static const struct {
		struct {
			enum option_id id;
			const char *text;
		} given[3];
		bool egress, ingress, binds;
	} rows[] = {
		{{{0}}, false, true, false},
		{{{OPT_net_allow, "*:80"}}, false, true, false},
		{{{OPT_net_deny, "*:80"}}, true, true, false},
		{{{OPT_net_deny, "*:80"}, {OPT_net_allow, "*:81"}}, false, true, false},
		{{{OPT_net_deny, "*:80"}, {OPT_net_rules, "deny@host"}}, false, true, false},
		{{{OPT_net_rules, "deny@host"}}, false, true, false},
		{{{OPT_net_deny, "*:80"}, {OPT_default_egress, "deny"}}, false, true, false},
		{{{OPT_default_egress, "allow"}}, true, true, false},
		{{{OPT_default_ingress, "deny"}}, false, false, false},
		{{{OPT_net_default, "allow"}}, true, true, false},
		{{{OPT_net_default, "deny"}, {OPT_net_deny, "*:80"}}, false, false, false},
		{{{OPT_net_deny_bind, "22"}}, false, true, true},
		{{{OPT_net_deny_bind, "22"}, {OPT_net_allow_bind, "1-99"}}, false, true, false},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	{
		struct policy policy;
		auto_error err = {0};

		policy_init(&policy, &arena);
		for (size_t k = 0; k < 3 && row->given[k].text; k++)
			assert_true(policy_add(&policy, row->given[k].id, row->given[k].text,
					       NO_ORIGIN, &err));
		assert_int_equal(endpoint_default(&policy, ENDPOINT_EGRESS), row->egress);
		assert_int_equal(endpoint_default(&policy, ENDPOINT_INGRESS), row->ingress);
		assert_int_equal(endpoint_binds_open(&policy), row->binds);
	}

	/* A list of allows that is empty because somebody emptied it does not open anything. */
	struct policy policy;
	auto_error err = {0};
	policy_init(&policy, &arena);
	assert_true(policy_add(&policy, OPT_net_deny, "*:80", NO_ORIGIN, &err));
	policy.values[OPT_net_allow].set = true;
	assert_false(endpoint_default(&policy, ENDPOINT_EGRESS));
}

static void names(void **state UNUSED)
{
	struct policy policy;
	struct endpoint_name *list;
	size_t count;
	auto_error err = {0};
	struct origin second = {"a.yaml", 7, 3};

	policy_init(&policy, &arena);
	assert_true(endpoint_names(&policy, &arena, &list, &count, &err));
	assert_int_equal(count, 0);
	assert_true(policy_add(&policy, OPT_net_allow, "b.test:80", NO_ORIGIN, &err));
	assert_true(policy_add(&policy, OPT_net_allow, "10.0.0.1", NO_ORIGIN, &err));
	assert_true(policy_add(&policy, OPT_net_allow, "udp://B.test.", NO_ORIGIN, &err));
	assert_true(policy_add(&policy, OPT_net_allow, "private", NO_ORIGIN, &err));
	assert_true(policy_add(&policy, OPT_net_rules, "deny@any,allow@a.test,allow@b.test", second,
			       &err));
	assert_true(endpoint_names(&policy, &arena, &list, &count, &err));
	assert_int_equal(count, 2);
	assert_string_equal(list[0].name, "b.test");
	assert_string_equal(list[1].name, "a.test");
	assert_int_equal(list[1].origin.line, 7);

	/* An image may hold anything. */
	policy.values[OPT_net_allow].items[0].text = "a b";
	assert_false(endpoint_names(&policy, &arena, &list, &count, &err));
	assert_non_null(strstr(err.list[0].message, "blanks"));
}

/* ---- through the option table ---- */

static bool add(struct policy *policy, enum option_id id, const char *text, struct error *err)
{
	policy_init(policy, &arena);
	return policy_add(policy, id, text, (struct origin){.file = "--flag"}, err);
}

static void options_of_network(void **state UNUSED)
{
	struct policy policy;
	auto_error err = {0};

	/* A comma belongs to the ports of the rule. */
	assert_true(add(&policy, OPT_net_allow, "tcp://a.test:80,443", &err));
	assert_int_equal(policy.values[OPT_net_allow].count, 1);
	assert_string_equal(policy.values[OPT_net_allow].items[0].text, "tcp://a.test:80,443");
	assert_int_equal(err.count, 0);

	assert_true(add(&policy, OPT_net_allow, "::1:443", &err));
	assert_int_equal(err.errors, 0);
	assert_int_equal(err.count, 1);
	assert_string_equal(err.list[0].id, "W004");

	assert_true(add(&policy, OPT_net_allow_bind, "80,udp://53,54-55", &err));
	const struct value *ports = &policy.values[OPT_net_allow_bind];
	assert_int_equal(ports->count, 3);
	assert_false(ports->items[0].flags & ITEM_UDP);
	assert_true(ports->items[1].flags & ITEM_UDP);
	assert_true(ports->items[2].flags & ITEM_UDP);
	assert_int_equal(ports->items[2].num, 54);
	assert_string_equal(ports->items[2].text, "udp://54-55");

	assert_true(add(&policy, OPT_deny_errno, "EACCES", &err));
	assert_int_equal(policy.values[OPT_deny_errno].items[0].num, 1);
	assert_int_equal(err.errors, 0);
	assert_false(add(&policy, OPT_deny_errno, "EINVAL", &err));
	assert_false(add(&policy, OPT_net_deny_bind, "udp://*", &err));
	assert_non_null(strstr(err.list[err.count - 1].message, "wildcard"));
	assert_false(add(&policy, OPT_net_deny, "a.test", &err));
	assert_non_null(strstr(err.list[err.count - 1].message, "invalid rule \"a.test\""));
	assert_string_equal(err.list[err.count - 1].origin.file, "--flag");
	assert_false(add(&policy, OPT_publish, "80", &err));
	assert_false(add(&policy, OPT_net_rules, "allow", &err));
	assert_false(add(&policy, OPT_max_connections, "0", &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),	  cmocka_unit_test(fields),
		cmocka_unit_test(refused),	  cmocka_unit_test(lengths),
		cmocka_unit_test(denials),	  cmocka_unit_test(ambiguous),
		cmocka_unit_test(groups),	  cmocka_unit_test(addresses),
		cmocka_unit_test(networks),	  cmocka_unit_test(tokens),
		cmocka_unit_test(refused_tokens), cmocka_unit_test(published),
		cmocka_unit_test(covering),	  cmocka_unit_test(defaults),
		cmocka_unit_test(names),	  cmocka_unit_test(options_of_network),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_free(&arena);
	return failed;
}
