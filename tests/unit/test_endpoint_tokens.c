/* The languages of network.rules and network.publish: every row of the grammars, and what each refuses and why. */
#include "policy/endpoint.h"

#include "rows.h"

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
		{"allow@any:tcp:1-65535", true, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://*:1-65535"},
		{"allow@any:tcp:443+80+ 81-90 ", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://*:80-90,443"},
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
		{"allow@..example.com..:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://example.com"},
		{"allow@domain=.Example.com.:tcp", true, ENDPOINT_EGRESS, ENDPOINT_TCP,
		 "tcp://example.com"},
		{"deny@host.test:tcp", false, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://host.test"},
		{"deny@domain=single:tcp", false, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://single"},
		{"deny@reserved:tcp", false, ENDPOINT_EGRESS, ENDPOINT_TCP, "tcp://reserved"},
		{"allow:ingress@local:tcp", true, ENDPOINT_INGRESS, ENDPOINT_TCP, "tcp://local"},
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
		{"allow", "no \"@\", expected ACTION[:DIRECTION]@TARGET[:PROTOCOL[:PORTS]]",
		 "allow@TARGET"},
		{"allow@any:tcp:80,443", "no \"@\"", "80+443"},
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
		{"allow@privat", "ambiguous", "\"private\" for the group"},
		{"allow@metadta", "ambiguous", "\"metadata\" for the group"},
		{"allow@Public", "ambiguous", "\"public\" for the group, or domain=Public"},
		{"allow@ANY", "ambiguous", "\"any\" for the group"},
		{"allow:Egress@any", "unknown direction", "\"egress\""},
		{"allow@any:Tcp", "unknown protocol", "\"tcp\""},
		{"allow@Domain=host.test", "letters", NULL},
		{"allow@dns", "\"dns\" is not available in this version", NULL},
		{"allow@unix=/run/x", "not available in this version", NULL},
		{"allow:ingress@host.test", "no name", "for ingress"},
		{"deny:any@domain=host.test:tcp:80", "no name", NULL},
		{"allow:ingress@*.host.test", "no name", NULL},
		{"allow@any:tcp:0", "port 0", "from 1 to 65535"},
		{"allow@any:tcp:0-9", "port 0", NULL},
		{"allow@any:tcp:80+", "port is missing", "80+443"},
		{"allow@any:tcp:80+any", "cannot mix any with ports", NULL},
		{"allow@*", "unknown target", "write any"},
		{"allow@443", "looks like a port", NULL},
		{"allow@10.0.0.0/33", "prefix too large", NULL},
		{"allow@10.0.0.0/x", "invalid prefix", NULL},
		{"allow@10/8", "all four numbers", NULL},
		{"allow@host.test/8", "is no network", NULL},
		{"allow@1.2.3.4.5", "is not a number", NULL},
		{"allow@a..b", "is empty", NULL},
		{"allow@..", "is empty", NULL},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(refused_tokens),
		cmocka_unit_test(published),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
