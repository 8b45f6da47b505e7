/* What the network rules of a policy say together, and how they come through the option table. */
#include "policy/endpoint.h"

#include "rows.h"

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
		{"private", "10.0.0.1", true},
		{"private", "10.0.0.0/8", true},
		{"private", "10.0.0.0/7", false},
		{"private", "8.8.8.8", false},
		{"private", "fd00::/16", false}, /* metadata lies in it */
		{"private", "fd01::/16", true},
		{"link-local", "169.254.0.0/16", false},
		{"link-local", "169.254.1.0/24", true},
		{"link-local", "169.254.169.254", false},
		{"public", "8.8.8.0/24", true},
		{"public", "0.0.0.0/0", false},
		{"public", "2606:4700::/32", false},
		{"local", "host", true},
		{"local", "127.0.0.0/8", true},
		{"host", "local", false},
		{"host", "loopback", true},
		{"loopback", "host", false},
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
		cmocka_unit_test(covering),
		cmocka_unit_test(defaults),
		cmocka_unit_test(names),
		cmocka_unit_test(options_of_network),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
