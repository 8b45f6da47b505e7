/* What the supervisor is given of the network rules, and what a plan says about them. */
#include "plan/plan.h"

#include "base/json.h"
#include "planning.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_order_and_texts(void **state UNUSED)
{
	WITH(p, 9, {"tcp://10.0.0.0/8", OPT_net_allow}, {"169.254.169.254", OPT_net_deny},
	     {"deny@private, allow@any:udp:53", OPT_net_rules})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.net.rule_count, 4);
		assert_string_equal(p.plan.net.rules[0].text, "169.254.169.254");
		assert_string_equal(p.plan.net.rules[1].text, "deny@private");
		assert_string_equal(p.plan.net.rules[2].text, "allow@any:udp:53");
		assert_string_equal(p.plan.net.rules[3].text, "tcp://10.0.0.0/8");
		assert_int_equal(p.plan.net.table.count, 4);
		assert_int_equal(p.plan.net.table.entries[0].allow, 0);
		assert_int_equal(p.plan.net.table.entries[3].allow, 1);
		assert_int_equal(p.plan.net.table.entries[3].rule, 3);
		assert_false(p.plan.net.table.allow_egress);
		assert_true(p.plan.net.table.allow_ingress);
		assert_int_equal(p.plan.net.record.deny_errno, ECONNREFUSED);
	}
}

static void test_default_verdicts(void **state UNUSED)
{
	static const struct {
		struct pair pair, second;
		bool egress, ingress;
	} cases[] = {
		{{0}, {0}, false, true},
		{{"10.0.0.1", OPT_net_deny}, {0}, true, true},
		{{"10.0.0.1", OPT_net_deny}, {"1.1.1.1", OPT_net_allow}, false, true},
		{{"deny@10.0.0.1", OPT_net_rules}, {0}, false, true},
		{{"allow", OPT_default_egress}, {0}, true, true},
		{{"10.0.0.1", OPT_net_deny}, {"deny", OPT_default_egress}, false, true},
		{{"deny", OPT_default_ingress}, {0}, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		WITH(p, 9, cases[i].pair)
		{
			if (cases[i].second.text)
				planning_add(&p, cases[i].second.id, cases[i].second.text);
			assert_true(planning_build(&p));
			if (p.plan.net.table.allow_egress != cases[i].egress ||
			    p.plan.net.table.allow_ingress != cases[i].ingress)
				fail_msg("case %zu", i);
		}
}

static void test_hosts(void **state UNUSED)
{
	static const struct address a[] = {{0, 0xffff00000000 | 0x01020304},
					   {0x20010db8ULL << 32, 1}};
	static const struct address b[] = {{0, 0xffff00000000 | 0x05060708}};
	static const struct name_pin pins[] = {{"b.example", b, 1}, {"a.example", a, 2}};

	for (int view = 0; view < 2; view++)
		WITH(p, 9, {"tcp://b.example", OPT_net_allow}, {"a.example:443", OPT_net_allow},
		     {"udp://b.example", OPT_net_allow}, {"/etc", OPT_fs_read})
		{
			const struct plan_mount *found = NULL;

			p.request.pins = pins;
			p.request.pin_count = 2;
			if (!view)
				p.host.user_namespace = ANSWER_NO;
			assert_true(planning_build(&p));
			assert_string_equal(p.plan.net.hosts, "127.0.0.1 localhost\n::1 localhost\n"
							      "5.6.7.8 b.example\n"
							      "1.2.3.4 a.example\n"
							      "2001:db8::1 a.example\n");
			for (size_t i = 0; i < p.plan.view.mount_count; i++)
				if (p.plan.view.mounts[i].kind == MOUNT_FILE)
					found = &p.plan.view.mounts[i];
			assert_int_equal(found != NULL, view);
			assert_int_equal(!!(p.plan.features & WHEN_VIRTUAL_FILES), !view);
			if (found) {
				assert_string_equal(found->target, "/etc/hosts");
				assert_string_equal(found->content, p.plan.net.hosts);
			}
		}
	/* Nobody can see the file: no trap on opens. */
	WITH(p, 9, {"tcp://b.example", OPT_net_allow}, {"/usr", OPT_fs_read})
	{
		p.request.pins = pins;
		p.request.pin_count = 2;
		assert_true(planning_build(&p));
		assert_false(p.plan.view.wanted);
		assert_false(p.plan.features & WHEN_VIRTUAL_FILES);
	}
	/* A name that was not resolved. */
	WITH(p, 9, {"tcp://c.example", OPT_net_allow})
	{
		p.request.pins = pins;
		p.request.pin_count = 2;
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "failed to resolve host"));
	}
}

static void test_grants(void **state UNUSED)
{
	WITH(p, 8, {"/usr", OPT_fs_read}, {"/tmp", OPT_fs_write}, {"/run/x", OPT_fs_write})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.net.grant_count, 2);
		assert_string_equal(p.plan.net.grants[0], "/run/x");
		assert_string_equal(p.plan.net.grants[1], "/tmp");
	}
}

static void test_multicast(void **state UNUSED)
{
	static const struct {
		enum option_id option;
		const char *rule;
		bool closed;
	} cases[] = {
		{OPT_net_allow, "udp://*:53", true},
		{OPT_net_allow, "udp://*", false},
		{OPT_net_allow, "udp://multicast", false},
		{OPT_net_allow, "udp://224.0.0.251:5353", false},
		{OPT_net_allow, "tcp://*", true},
		{OPT_net_allow, "udp://10.0.0.0/8", true},
		{OPT_net_deny, "udp://203.0.113.9", false},
		{OPT_net_deny, "udp://multicast", true},
		{OPT_net_deny, "*", true},
		{OPT_net_rules, "allow@multicast:udp,deny@any", false},
		{OPT_net_rules, "deny@any,allow@multicast:udp", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		WITH(p, 10, {cases[i].rule, cases[i].option})
		{
			assert_true(planning_build(&p));
			if (!!(p.plan.features & WHEN_NO_MULTICAST) != cases[i].closed)
				fail_msg("%s", cases[i].rule);
		}
}

/* ---- questions to a plan ---- */

static struct plan_answer connects(const struct planning *p, uint8_t protocol, const char *to,
				   uint16_t port)
{
	struct endpoint e = {.port = port, .protocol = protocol, .direction = ENDPOINT_EGRESS};
	uint8_t family;

	assert_true(address_parse(to, &e.address, &family));
	return plan_judge_connect(&p->plan, e);
}

static void test_questions(void **state UNUSED)
{
	WITH(p, 9, {"tcp://*:443", OPT_net_allow}, {"8080", OPT_net_allow_bind})
	{
		assert_true(planning_build(&p));
		struct plan_answer a = connects(&p, ENDPOINT_TCP, "8.8.8.8", 443);

		assert_true(a.allow);
		assert_int_equal(a.mechanism, MECHANISM_LANDLOCK);
		assert_string_equal(a.rule->text, "tcp://*:443");
		a = connects(&p, ENDPOINT_TCP, "8.8.8.8", 80);
		assert_false(a.allow);
		assert_null(a.rule);
		a = connects(&p, ENDPOINT_UDP, "8.8.8.8", 443);
		assert_false(a.allow);
		assert_int_equal(a.mechanism, MECHANISM_NO_SOCKET);
		assert_true(plan_judge_bind(&p.plan, ENDPOINT_TCP, 8080).allow);
		assert_false(plan_judge_bind(&p.plan, ENDPOINT_TCP, 8081).allow);
		assert_false(plan_judge_bind(&p.plan, ENDPOINT_UDP, 8080).allow);
	}
	WITH(p, 9, {"private", OPT_net_deny}, {"false", OPT_ipv6})
	{
		assert_true(planning_build(&p));
		assert_int_equal(connects(&p, ENDPOINT_TCP, "10.0.0.1", 1).mechanism,
				 MECHANISM_SUPERVISOR);
		assert_false(connects(&p, ENDPOINT_TCP, "10.0.0.1", 1).allow);
		assert_true(connects(&p, ENDPOINT_UDP, "8.8.8.8", 53).allow);
		/* No socket of that family. */
		assert_false(connects(&p, ENDPOINT_TCP, "2606:4700::1", 443).allow);
	}
	/* A rule that nothing enforces is no promise. */
	WITH(p, 9, {"net-tcp", OPT_disable})
	{
		assert_true(planning_build(&p));
		assert_true(connects(&p, ENDPOINT_TCP, "8.8.8.8", 1).allow);
		assert_int_equal(connects(&p, ENDPOINT_TCP, "8.8.8.8", 1).mechanism,
				 MECHANISM_NOTHING);
	}
}

static void test_words(void **state UNUSED)
{
	WITH(p, 9, {"tcp://10.0.0.1:443", OPT_net_allow}, {"8080-8081", OPT_net_allow_bind})
	{
		auto_str text = {0}, object = {0};
		struct json j = {.out = &object};

		planning_add_at(&p, OPT_net_deny, "private", "p.yaml", 4);
		assert_true(planning_build(&p));
		plan_describe(&p.plan, &text);
		assert_non_null(strstr(str_text(&text), "connect      TCP ports: by the rules"));
		assert_non_null(strstr(str_text(&text), "bind         TCP ports: 8080-8081\n"));
		assert_non_null(strstr(str_text(&text), "rule 1       deny  private (p.yaml:4:1)"));
		assert_non_null(strstr(str_text(&text), "rule 2       allow tcp://10.0.0.1:443"));
		assert_non_null(strstr(str_text(&text), "outgoing denied, incoming allowed"));
		assert_non_null(strstr(str_text(&text), "answers      "));
		json_object(&j, NULL);
		plan_describe_json(&p.plan, &j);
		json_end_object(&j);
		assert_non_null(strstr(str_text(&object), "\"connect_by\":\"supervisor\""));
		assert_non_null(strstr(str_text(&object), "\"origin\":\"p.yaml:4:1\""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_texts), cmocka_unit_test(test_default_verdicts),
		cmocka_unit_test(test_hosts),		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_multicast),	cmocka_unit_test(test_questions),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
