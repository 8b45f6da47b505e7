/* Landlock masks for every ABI, and the rules that grants become. */
#include "plan/plan.h"

#include "host/uapi.h"
#include "planning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_masks(void **state UNUSED)
{
	static const struct {
		uint64_t fs, net, scope;
	} want[] = {
		{0, 0, 0},	{0x1fff, 0, 0},	 {0x3fff, 0, 0},    {0x7fff, 0, 0},
		{0x7fff, 3, 0}, {0xffff, 3, 0},	 {0xffff, 3, 3},    {0xffff, 3, 3},
		{0xffff, 3, 3}, {0x1ffff, 3, 3}, {0x1ffff, 0xf, 3},
	};

	for (int abi = 0; abi <= LANDLOCK_KNOWN_ABI; abi++) {
		assert_int_equal(landlock_fs_mask(abi), want[abi].fs);
		assert_int_equal(landlock_net_mask(abi), want[abi].net);
		assert_int_equal(landlock_scope_mask(abi), want[abi].scope);
	}
	/* Bits of kernels to come are never sent. */
	assert_int_equal(landlock_fs_mask(99), 0x1ffff);
	assert_int_equal(landlock_net_mask(99), 0xf);
	assert_int_equal(landlock_fs_mask(-1), 0);
}

static void test_handled_by_abi(void **state UNUSED)
{
	for (int abi = 1; abi <= LANDLOCK_KNOWN_ABI + 1; abi++) {
		struct planning p = planning_new(abi);

		planning_add(&p, OPT_fs_read, "/usr");
		planning_add(&p, OPT_fs_write, "/tmp");
		for (int i = 0; i < PROTECT_COUNT; i++)
			planning_add(&p, OPT_allow_degraded, protections[i].name);
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.handled_fs, landlock_fs_mask(abi));
		assert_int_equal(p.plan.handled_net, landlock_net_mask(abi));
		assert_int_equal(p.plan.scoped, landlock_scope_mask(abi));
		assert_int_equal(p.plan.restrict_flags,
				 abi >= 7 ? LL_RESTRICT_LOG_SUBDOMAINS_OFF : 0);
		for (int i = 0; i < PROTECT_COUNT; i++)
			assert_int_equal(p.plan.protection[i], abi >= protections[i].abi
								       ? PROTECTION_ACTIVE
								       : PROTECTION_DEGRADED);
		planning_free(&p);
	}
}

static void test_strict(void **state UNUSED)
{
	for (int abi = 0; abi < 6; abi++) {
		struct planning p = planning_new(abi);
		char number[32];

		planning_add(&p, OPT_fs_read, "/usr");
		assert_false(planning_build(&p));
		snprintf(number, sizeof number, "has ABI %d", abi);
		if (abi > 0) {
			assert_true(planning_said(&p, number));
			assert_true(planning_said(&p, "--allow-degraded signal-scope"));
		} else {
			assert_true(planning_said(&p, "no usable Landlock"));
		}
		planning_free(&p);
	}
}

static void test_disabled(void **state UNUSED)
{
	struct planning p = planning_new(10);

	planning_add(&p, OPT_disable, "NET-TCP");
	planning_add(&p, OPT_disable, "signal-scope");
	planning_add(&p, OPT_disable, "unix-resolve");
	assert_true(planning_build(&p));
	assert_int_equal(p.plan.handled_net, LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP);
	assert_int_equal(p.plan.scoped, LL_SCOPE_ABSTRACT_UNIX);
	assert_int_equal(p.plan.handled_fs, landlock_fs_mask(8));
	assert_false(p.plan.features & WHEN_BIND_RULES);
	planning_free(&p);

	p = planning_new(10);
	planning_add(&p, OPT_disable, "fs-refer");
	assert_false(planning_build(&p));
	assert_true(planning_said(&p, "cannot be disabled"));
	planning_free(&p);
}

/* In files the later line wins. */
static void test_last_wins(void **state UNUSED)
{
	for (int order = 0; order < 2; order++) {
		struct planning p = planning_new(7);

		planning_add_at(&p, OPT_disable, "net-tcp", "p.yaml", order ? 3 : 5);
		planning_add_at(&p, OPT_allow_degraded, "net-tcp", "p.yaml", order ? 5 : 3);
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.protection[PROTECT_NET_TCP],
				 order ? PROTECTION_ACTIVE : PROTECTION_DISABLED);
		planning_free(&p);
	}
}

#define READ (LL_EXECUTE | LL_READ_FILE | LL_READ_DIR)

static void test_rights(void **state UNUSED)
{
	struct planning p = planning_new(10);

	planning_add(&p, OPT_fs_read, "/usr");
	planning_add(&p, OPT_fs_read_noexec, "/data");
	planning_add(&p, OPT_fs_write, "/work");
	planning_add(&p, OPT_fs_write, "/dev/pts");
	planning_add(&p, OPT_fs_write_if_exists, "/maybe");
	assert_true(planning_build(&p));

	assert_int_equal(planning_rule(&p, "/usr")->access, READ);
	assert_int_equal(planning_rule(&p, "/data")->access, READ & ~LL_EXECUTE);
	const struct plan_rule *work = planning_rule(&p, "/work");
	/* All but device nodes: mknod of a disk beneath a writable directory, and controls of devices. */
	assert_int_equal(work->access,
			 landlock_fs_mask(10) & ~(LL_MAKE_CHAR | LL_MAKE_BLOCK | LL_IOCTL_DEV));
	assert_true(planning_rule(&p, "/dev/pts")->access & LL_IOCTL_DEV);
	assert_int_equal(planning_rule(&p, "/maybe")->flags, RULE_OPTIONAL);
	assert_int_equal(planning_rule(&p, "/dev/null")->flags, RULE_OWN);
	assert_false(planning_rule(&p, "/dev/null")->access & LL_IOCTL_DEV);
	assert_true(planning_rule(&p, "/dev/tty")->access & LL_IOCTL_DEV);
	for (size_t i = 1; i < p.plan.rule_count; i++)
		assert_true(strcmp(p.plan.rules[i - 1].path, p.plan.rules[i].path) < 0);
	planning_free(&p);
}

static void test_merging(void **state UNUSED)
{
	struct planning p = planning_new(7);

	planning_add(&p, OPT_fs_read_if_exists, "/a");
	planning_add(&p, OPT_fs_write, "/a");
	planning_add(&p, OPT_fs_read, "/a/b");
	planning_add(&p, OPT_fs_read, "/dev/null");
	assert_true(planning_build(&p));
	assert_int_equal(planning_rule(&p, "/a")->flags, 0);
	assert_true(planning_rule(&p, "/a")->access & LL_WRITE_FILE);
	/* A path of the user's may be a link that leads elsewhere, or be missing: it keeps its rule. */
	assert_non_null(planning_rule(&p, "/a/b"));
	assert_int_equal(planning_rule(&p, "/dev/null")->flags, 0);
	assert_true(planning_rule(&p, "/dev/null")->access & LL_WRITE_FILE);
	planning_free(&p);

	/* Ours go where something above gives as much. */
	p = planning_new(7);
	planning_add(&p, OPT_fs_write, "/");
	assert_true(planning_build(&p));
	assert_null(planning_rule(&p, "/dev/null"));
	assert_non_null(planning_rule(&p, "/dev/tty"));
	planning_free(&p);
}

static void test_switches(void **state UNUSED)
{
	struct planning p = planning_new(7);

	planning_add(&p, OPT_default_devices, "false");
	planning_add(&p, OPT_read_only_data, "true");
	planning_add(&p, OPT_fs_read, "/data");
	planning_add(&p, OPT_fs_exec, "/usr");
	planning_add(&p, OPT_gpu, "1");
	assert_true(planning_build(&p));
	assert_null(planning_rule(&p, "/dev/null"));
	assert_int_equal(planning_rule(&p, "/data")->access, READ & ~LL_EXECUTE);
	assert_int_equal(planning_rule(&p, "/usr")->access, READ);
	assert_non_null(planning_rule(&p, "/dev/nvidia1"));
	assert_null(planning_rule(&p, "/dev/nvidia0"));
	assert_null(planning_rule(&p, "/dev/dri"));
	planning_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks),	  cmocka_unit_test(test_handled_by_abi),
		cmocka_unit_test(test_strict),	  cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_last_wins), cmocka_unit_test(test_rights),
		cmocka_unit_test(test_merging),	  cmocka_unit_test(test_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
