/* Addresses: their spellings, networks, and the group each belongs to. */
#include "policy/endpoint.h"

#include "rows.h"

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
		{"169.254.170.1", NET_GROUP_LINK_LOCAL},
		{"169.254.170.2", NET_GROUP_METADATA},
		{"169.254.170.23", NET_GROUP_METADATA},
		{"64:ff9b::169.254.170.2", NET_GROUP_METADATA},
		{"192.0.0.191", NET_GROUP_RESERVED},
		{"192.0.0.192", NET_GROUP_METADATA},
		{"fd00:ec2::23", NET_GROUP_METADATA},
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
	for (enum endpoint_group g = NET_GROUP_PUBLIC; g < NET_GROUP_COUNT; g++)
		assert_int_equal(net_group_by_name(net_group_name(g)), g);
	assert_int_equal(net_group_by_name("none"), NET_GROUP_NONE);
	assert_int_equal(net_group_by_name("Public"), NET_GROUP_NONE);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups),
		cmocka_unit_test(addresses),
		cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
