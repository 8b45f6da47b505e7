/* A policy as data: adding, merging, reading back, and what cannot stand together. */
#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct error err;
static struct policy policy;

static const struct surroundings around = {.cwd = "/work/dir", .home = "/home/ann"};

static struct origin at(uint32_t row)
{
	return (struct origin){.file = "a.yaml", .line = row, .col = 3};
}

static int begin(void **state UNUSED)
{
	error_free(&err);
	arena_free(&arena);
	policy_init(&policy, &arena);
	return 0;
}

static void add(enum option_id id, const char *text)
{
	if (!policy_add(&policy, id, text, at(id + 1), &err))
		fail_msg("%s: %s", text, err.list[err.count - 1].message);
}

static const char *said(void)
{
	static struct str text;

	str_free(&text);
	error_format(&err, &text);
	return str_text(&text);
}

static void expect_said(const char *part)
{
	if (!strstr(said(), part))
		fail_msg("\"%s\" is not in:\n%s", part, said());
}

static void reading(void **state UNUSED)
{
	assert_true(policy_bool(&policy, OPT_ipv6, true));
	assert_int_equal(policy_u64(&policy, OPT_timeout, 7), 7);
	assert_string_equal(policy_text(&policy, OPT_shell, "/bin/sh"), "/bin/sh");
	assert_null(policy_origin(&policy, OPT_shell).file);
	assert_false(policy_is_set(&policy, OPT_shell));
	add(OPT_shell, "/bin//bash/");
	add(OPT_ipv6, "false");
	add(OPT_timeout, "2s");
	assert_string_equal(policy_text(&policy, OPT_shell, ""), "/bin/bash");
	assert_false(policy_bool(&policy, OPT_ipv6, true));
	assert_int_equal(policy_u64(&policy, OPT_timeout, 0), 2000000000);
	assert_int_equal(policy_origin(&policy, OPT_shell).line, OPT_shell + 1);
	policy_reset(&policy, OPT_shell);
	assert_false(policy_is_set(&policy, OPT_shell));
}

static void adding(void **state UNUSED)
{
	add(OPT_fs_read, "/a");
	add(OPT_fs_read, "/b");
	add(OPT_timeout, "1s");
	add(OPT_timeout, "2s");
	add(OPT_env, "A=1");
	add(OPT_env, "B=2");
	add(OPT_env, "A=3");
	assert_int_equal(policy.values[OPT_fs_read].count, 2);
	assert_int_equal(policy.values[OPT_timeout].count, 1);
	assert_int_equal(policy.values[OPT_env].count, 2);
	assert_string_equal(policy.values[OPT_env].items[0].text, "A=3");

	/* Without surroundings a path must say where it is. */
	assert_false(policy_add(&policy, OPT_fs_read, "rel", NO_ORIGIN, &err));
	expect_said("--fs-read: invalid path \"rel\": not an absolute path");
	assert_false(policy_add(&policy, OPT_timeout, "x", at(4), &err));
	expect_said("a.yaml:4:3: lifecycle.timeout: invalid duration \"x\"");
	assert_string_equal(policy_text(&policy, OPT_timeout, ""), "2s");
}

static void merging(void **state UNUSED)
{
	struct policy over;

	policy_init(&over, &arena);
	static const struct {
		bool over;
		enum option_id id;
		const char *text;
	} rows[] = {
		{0, OPT_fs_read, "/a"},
		{0, OPT_fs_read, "/b"},
		{1, OPT_fs_read, "/b"},
		{1, OPT_fs_read, "/c"},
		{0, OPT_env, "A=1"},
		{0, OPT_env, "B=1"},
		{1, OPT_env, "B=2"},
		{1, OPT_env, "C=2"},
		{0, OPT_max_processes, "5"},
		{1, OPT_max_processes, "9"},
		{0, OPT_args, "-v"},
		{0, OPT_args, "-x"},
		{1, OPT_args, "-v"},
		{1, OPT_args, "-v"},
		{0, OPT_clean_env, "true"},
		{1, OPT_clean_env, "false"},
		{0, OPT_rlimits, "cpu=1"},
		{1, OPT_rlimits, "core=0"},
		{0, OPT_fs_mount, "/x:/y:ro"},
		{1, OPT_fs_mount, "/x:/y"},
		{0, OPT_gpu, "0"},
		{1, OPT_gpu, "all"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(policy_add(rows[i].over ? &over : &policy, rows[i].id, rows[i].text,
				       NO_ORIGIN, &err));
	policy_merge(&policy, &over);
	assert_int_equal(policy.values[OPT_fs_read].count, 3);
	assert_string_equal(policy.values[OPT_fs_read].items[2].text, "/c");
	assert_int_equal(policy.values[OPT_env].count, 3);
	assert_string_equal(policy.values[OPT_env].items[1].text, "B=2");
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 9);
	assert_int_equal(policy.values[OPT_args].count, 2); /* replaced, repetitions kept */
	assert_false(policy_bool(&policy, OPT_clean_env, true));
	assert_int_equal(policy.values[OPT_rlimits].count, 2);
	assert_int_equal(policy.values[OPT_fs_mount].count,
			 2); /* :ro differs: the check refuses it */
	assert_true(policy_is_set(&policy, OPT_gpu) && policy.values[OPT_gpu].count == 0);

	/* The layer is untouched and can be used again. */
	add(OPT_max_processes, "3");
	assert_int_equal(policy_u64(&over, OPT_max_processes, 0), 9);
	policy_merge(&policy, &over);
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 9);
	assert_int_equal(policy.values[OPT_fs_read].count, 3);
}

/* What is printed is read back as the same element. */
static void round_trip(void **state UNUSED)
{
	static const struct {
		enum option_id id;
		const char *text, *rendered;
	} rows[] = {
		{OPT_clean_env, "TRUE", "true"},
		{OPT_max_processes, "0x10", "16"},
		{OPT_memory, "1.5G", "1536M"},
		{OPT_timeout, "1h30m", "1h30m"},
		{OPT_time_start, "@5", "@5"},
		{OPT_net_allow, "tcp://*:443", "tcp://*:443"},
		{OPT_view, "private", "private"},
		{OPT_fs_read, "/a/../b", "/b"},
		{OPT_fs_read_if_exists, "/b", "/b"},
		{OPT_exec, "make", "make"},
		{OPT_env, "A=b", "A=b"},
		{OPT_env, "A", "A"},
		{OPT_disable, "NET-TCP", "net-tcp"},
		{OPT_fs_mount, "/a:/b:c:ro", "/a:/b:c:ro"},
		{OPT_volume, "/a:/b:ro,noexec", "/a:/b:ro,noexec"},
		{OPT_tmpfs, "/t", "/t"},
		{OPT_tmpfs, "/t:1M", "/t:1048576"},
		{OPT_tmpfs, "/t::ro,mode=700", "/t::mode=700,ro"},
		{OPT_tmpfs, "/t:1M:noexec", "/t:1048576:noexec"},
		{OPT_rlimits, "NPROC=5", "nproc=5"},
		{OPT_rlimits, "stack=8M:unlimited", "stack=8388608:unlimited"},
		{OPT_net_allow_bind, "1-2", "1-2"},
		{OPT_net_allow_bind, "*", "*"},
		{OPT_net_allow_bind, "udp://5000-5010", "udp://5000-5010"},
		{OPT_net_deny, "metadata", "metadata"},
		{OPT_net_rules, "deny@metadata, allow@any:tcp", "deny@metadata, allow@any:tcp"},
		{OPT_publish, "[::1]:8080:80/udp", "[::1]:8080:80/udp"},
		{OPT_deny_errno, "EPERM", "EPERM"},
		{OPT_user, " 1 : 2 ", "1:2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum option_id id = rows[i].id;
		auto_str text = {0};

		begin(NULL);
		add(id, rows[i].text);
		struct item first = policy.values[id].items[0];
		item_render(&first, id, &text);
		assert_string_equal(str_text(&text), rows[i].rendered);
		policy_init(&policy, &arena);
		add(id, str_text(&text));
		struct item again = policy.values[id].items[0];
		assert_true(item_matches(id, &first, &again));
		assert_int_equal(first.flags, again.flags);
		assert_int_equal(first.num, again.num);
		assert_int_equal(first.num2, again.num2);
	}
}

static void later_rows(void **state UNUSED)
{
	add(OPT_fs_deny, "/x");
	add(OPT_fs_deny, "/y");
	add(OPT_on_exit, "keep");
	add(OPT_trust_host_cas, "true");
	add(OPT_backend, "mediated");
	add(OPT_fs_isolation, "overlayfs");
	assert_false(policy_check(&policy, IN_SUPERVISED, &err));
	assert_int_equal(err.errors, 5);
	expect_said("filesystem.deny: not available in this version");
	expect_said("\"mediated\" is not available in this version");

	/* What asks for nothing is no error. */
	begin(NULL);
	add(OPT_on_exit, "commit");
	add(OPT_on_error, "abort");
	add(OPT_trust_host_cas, "false");
	add(OPT_dns_rebind_protection, "true");
	add(OPT_backend, "auto");
	add(OPT_fs_isolation, "none");
	add(OPT_memory, "unlimited");
	assert_true(policy_check(&policy, IN_SUPERVISED, &err));
	assert_true(policy_check(&policy, IN_CONFINE, &err));
	assert_true(policy_check(&policy, 0, &err));
}

static void modes(void **state UNUSED)
{
	struct origin flag = {.file = "-t"};

	add(OPT_fs_read, "/usr");
	add(OPT_rlimits, "core=0");
	add(OPT_net_allow_bind, "80");
	add(OPT_cwd, "/");
	assert_true(policy_check(&policy, IN_SUPERVISED, &err));
	assert_true(policy_check(&policy, IN_KERNEL, &err));
	assert_true(policy_check(&policy, IN_CONFINE, &err));
	add(OPT_max_processes, "5");
	add(OPT_no_randomize_memory, "true");
	assert_true(policy_add(&policy, OPT_timeout, "5", flag, &err));
	assert_true(policy_check(&policy, IN_SUPERVISED, &err));
	assert_false(policy_check(&policy, IN_KERNEL, &err));
	assert_int_equal(err.errors, 2);
	expect_said("-t: needs the supervisor; not possible with --no-supervisor");
	expect_said("limits.processes: needs the supervisor");
	error_free(&err);
	assert_false(policy_check(&policy, IN_CONFINE, &err));
	assert_int_equal(err.errors, 3);
	expect_said("already running");
	error_free(&err);
	assert_true(policy_check(&policy, 0, &err));
}

static void conflicts(void **state UNUSED)
{
	static const struct {
		struct {
			enum option_id id;
			const char *text;
		} given[4];
		const char *says; /* NULL: fine */
	} rows[] = {
		{{{OPT_clean_env, "true"}, {OPT_empty_env, "true"}},
		 "program.empty_env: cannot be combined with program.clean_env"},
		{{{OPT_clean_env, "false"}, {OPT_empty_env, "true"}}, NULL},
		{{{OPT_uid, "1"}}, "program.uid and program.gid must both be set"},
		{{{OPT_gid, "1"}}, "program.uid and program.gid must both be set"},
		{{{OPT_uid, "1"}, {OPT_gid, "1"}}, NULL},
		{{{OPT_uid, "1"}, {OPT_gid, "1"}, {OPT_user, "1:1"}},
		 "program.user: cannot be combined with program.uid"},
		{{{OPT_no_net, "true"}, {OPT_net_allow, "tcp://*:1"}},
		 "network.allow: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_net_allow_bind, "1"}},
		 "network.allow_bind: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_ipv6, "false"}}, NULL},
		{{{OPT_no_net, "false"}, {OPT_net_allow_bind, "1"}}, NULL},
		{{{OPT_net_allow_bind, "*"}, {OPT_net_allow_bind, "80"}}, "the wildcard *"},
		{{{OPT_net_allow_bind, "80,*"}}, "the wildcard *"},
		{{{OPT_net_allow_bind, "*"}}, NULL},
		{{{OPT_net_allow_bind, "*"}, {OPT_net_allow_bind, "udp://53"}}, NULL},
		{{{OPT_net_allow_bind, "udp://*,53"}}, "the wildcard *"},
		{{{OPT_net_allow_bind, "80-90"}, {OPT_net_deny_bind, "85"}}, NULL},
		{{{OPT_net_allow, "*"}, {OPT_net_deny, "private"}}, NULL},
		{{{OPT_net_allow, "*.a.test"}}, "needs the DNS forwarder"},
		{{{OPT_net_rules, "allow@suffix=a.test"}}, "needs the DNS forwarder"},
		{{{OPT_net_rules, "deny@a.test"}}, NULL},
		{{{OPT_net_rules, "allow@a.test,deny@any"}}, NULL},
		{{{OPT_no_net, "true"}, {OPT_net_rules, "deny@any"}},
		 "network.rules: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_publish, "80:80"}},
		 "network.publish: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_net_default, "allow"}},
		 "network.default: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_default_egress, "deny"}},
		 "network.default_egress: cannot be combined with network.disable"},
		{{{OPT_no_net, "true"}, {OPT_default_ingress, "allow"}},
		 "network.default_ingress: cannot be combined with network.disable"},
		{{{OPT_net_default, "deny"}, {OPT_default_ingress, "allow"}},
		 "network.default_ingress: cannot be combined with network.default"},
		{{{OPT_default_egress, "allow"}, {OPT_default_ingress, "deny"}}, NULL},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "8081:80"}},
		 "port 80 of the program is published already"},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "8080:81"}},
		 "port 8080 of this machine is published already"},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "0.0.0.0:8080:81"}},
		 "port 8080 of this machine is published already"},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "[::]:8080:81"}},
		 "port 8080 of this machine is published already"},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "127.0.0.2:8080:81"}}, NULL},
		{{{OPT_publish, "8080:80"}, {OPT_publish, "8080:80/udp"}}, NULL},
		{{{OPT_publish, "8080:80"}, {OPT_net_deny_bind, "79-81"}},
		 "network.publish: \"8080:80\": port 80 of the program may not be bound"},
		{{{OPT_publish, "8080:80/udp"}, {OPT_net_deny_bind, "udp://80"}},
		 "may not be bound"},
		{{{OPT_publish, "8080:80/udp"}, {OPT_net_deny_bind, "8080,80"}}, NULL},
		{{{OPT_extra_allow, "sysv_ipc"}, {OPT_extra_deny, "sysv_ipc"}},
		 "both name the same group"},
		{{{OPT_disable, "fs-refer"}}, "fs-refer cannot be disabled"},
		{{{OPT_allow_degraded, "fs-refer"}}, NULL},
		{{{OPT_cpus, "3"}, {OPT_cpu_cores, "0,1"}}, "more processors than the list has"},
		{{{OPT_cpus, "2"}, {OPT_cpu_cores, "0,1"}}, NULL},
		{{{OPT_fs_mount, "/a:/b:ro"}, {OPT_fs_mount, "/a/:/c"}},
		 "virtual path \"/a\" is mounted more than once"},
		{{{OPT_fs_mount, "/a:/b"}, {OPT_volume, "/b:/a"}}, "mounted more than once"},
		{{{OPT_volume, "/b:/a"}, {OPT_tmpfs, "/a:1M"}}, "mounted more than once"},
		{{{OPT_fs_mount, "/a:/b"}, {OPT_fs_mount, "/a/b:/c"}}, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(NULL);
		for (size_t k = 0; k < 4 && rows[i].given[k].text; k++)
			add(rows[i].given[k].id, rows[i].given[k].text);
		bool ok = policy_check(&policy, IN_SUPERVISED, &err);

		if (ok != !rows[i].says)
			fail_msg("row %zu: %s", i, said());
		if (rows[i].says)
			expect_said(rows[i].says);
	}

	/* Both places are named, a flag as a flag. */
	begin(NULL);
	add(OPT_no_net, "true");
	assert_true(policy_add(&policy, OPT_net_allow, "tcp://*:1",
			       (struct origin){.file = "--net-allow"}, &err));
	assert_false(policy_check(&policy, IN_SUPERVISED, &err));
	expect_said("error: --net-allow: cannot be combined with network.disable");
	expect_said("network.disable is given at a.yaml:");
}

static void locking(void **state UNUSED)
{
	static const struct {
		struct {
			enum option_id id;
			const char *text;
		} base[2], over[2];
		enum option_id reset;
		bool narrows;
	} rows[] = {
		{{{OPT_fs_read, "/usr"}}, {{OPT_fs_read, "/etc"}}, OPT_COUNT, false},
		{{{OPT_fs_read, "/usr"}}, {{OPT_fs_read, "/usr/lib"}}, OPT_COUNT, true},
		{{{OPT_fs_read, "/usr"}}, {{OPT_fs_write, "/usr/lib"}}, OPT_COUNT, false},
		{{{OPT_fs_read_noexec, "/d"}}, {{OPT_fs_read, "/d/e"}}, OPT_COUNT, false},
		{{{OPT_fs_write, "/w"}}, {{OPT_fs_read_noexec, "/w/x"}}, OPT_COUNT, true},
		{{{OPT_fs_read, "/usr"}}, {{0}}, OPT_fs_read, true},
		{{{OPT_extra_deny, "mincore"}}, {{OPT_extra_deny, "ptrace"}}, OPT_COUNT, true},
		{{{OPT_extra_deny, "mincore"}}, {{0}}, OPT_extra_deny, false},
		{{{OPT_max_processes, "5"}}, {{OPT_max_processes, "4"}}, OPT_COUNT, true},
		{{{OPT_max_processes, "5"}}, {{OPT_max_processes, "6"}}, OPT_COUNT, false},
		{{{OPT_max_processes, "5"}}, {{0}}, OPT_max_processes, false},
		{{{0}}, {{OPT_max_processes, "6"}}, OPT_COUNT, true},
		{{{OPT_rlimits, "core=0"}}, {{OPT_rlimits, "core=1"}}, OPT_COUNT, false},
		{{{OPT_rlimits, "core=5"}}, {{OPT_rlimits, "core=1"}}, OPT_COUNT, true},
		{{{OPT_rlimits, "core=5"}}, {{OPT_rlimits, "cpu=1"}}, OPT_COUNT, true},
		{{{OPT_rlimits, "core=5"}}, {{0}}, OPT_rlimits, false},
		{{{OPT_clean_env, "true"}}, {{OPT_clean_env, "false"}}, OPT_COUNT, false},
		{{{OPT_clean_env, "true"}}, {{0}}, OPT_clean_env, false},
		{{{0}}, {{OPT_clean_env, "true"}}, OPT_COUNT, true},
		{{{0}}, {{OPT_supervisor, "false"}}, OPT_COUNT, false},
		{{{OPT_ipv6, "false"}}, {{OPT_ipv6, "true"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_ipv6, "false"}}, OPT_COUNT, true},
		{{{0}}, {{OPT_unknown_syscalls, "allow"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_caps, "keep"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_caps, "none"}}, OPT_COUNT, true},
		{{{0}}, {{OPT_descendants, "wait"}}, OPT_COUNT, false},
		{{{OPT_net_allow_bind, "80-90"}}, {{OPT_net_allow_bind, "85"}}, OPT_COUNT, true},
		{{{OPT_net_allow_bind, "80-90"}}, {{OPT_net_allow_bind, "91"}}, OPT_COUNT, false},
		{{{OPT_net_allow_bind, "80-90"}},
		 {{OPT_net_allow_bind, "udp://85"}},
		 OPT_COUNT,
		 false},
		{{{OPT_net_allow, "10.0.0.0/8"}},
		 {{OPT_net_allow, "10.1.2.3:80"}},
		 OPT_COUNT,
		 true},
		{{{OPT_net_allow, "10.0.0.0/8:80"}},
		 {{OPT_net_allow, "10.1.2.3"}},
		 OPT_COUNT,
		 false},
		{{{OPT_net_allow, "10.0.0.0/8"}}, {{OPT_net_allow, "11.0.0.1"}}, OPT_COUNT, false},
		{{{OPT_net_allow, "tcp://*"}}, {{OPT_net_allow, "udp://*:53"}}, OPT_COUNT, false},
		{{{OPT_net_allow, "a.test"}}, {{OPT_net_deny, "10.0.0.0/8"}}, OPT_COUNT, true},
		/* Denials alone open what they do not name. */
		{{{0}}, {{OPT_net_deny, "10.0.0.0/8"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_net_deny_bind, "22"}}, OPT_COUNT, false},
		{{{OPT_net_allow, "a.test"}, {OPT_net_deny, "10.0.0.0/8"}},
		 {{0}},
		 OPT_net_allow,
		 false},
		{{{OPT_net_deny, "10.0.0.0/8"}}, {{OPT_net_deny, "private"}}, OPT_COUNT, true},
		{{{OPT_net_deny, "10.0.0.0/8"}}, {{0}}, OPT_net_deny, false},
		{{{OPT_net_deny_bind, "22"}}, {{OPT_net_deny_bind, "23"}}, OPT_COUNT, true},
		{{{OPT_net_deny_bind, "22"}}, {{OPT_net_deny_bind, "udp://53"}}, OPT_COUNT, false},
		{{{OPT_net_allow_bind, "1-99"}}, {{OPT_net_deny_bind, "22"}}, OPT_COUNT, true},
		{{{0}}, {{OPT_net_default, "allow"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_net_default, "deny"}}, OPT_COUNT, true},
		{{{OPT_net_default, "deny"}}, {{0}}, OPT_net_default, false},
		{{{OPT_default_ingress, "deny"}}, {{0}}, OPT_default_ingress, false},
		{{{0}}, {{OPT_net_rules, "allow@public"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_net_rules, "deny@public"}}, OPT_COUNT, true},
		{{{OPT_net_rules, "allow@public"}}, {{OPT_net_rules, "deny@any"}}, OPT_COUNT, true},
		{{{OPT_net_rules, "allow@public"}},
		 {{OPT_net_rules, "deny@any,allow@host"}},
		 OPT_COUNT,
		 false},
		{{{OPT_net_rules, "allow@public"}}, {{0}}, OPT_net_rules, true},
		{{{OPT_net_rules, "deny@private"}}, {{0}}, OPT_net_rules, false},
		{{{OPT_net_rules, "deny@private"}, {OPT_net_rules, "allow@any"}},
		 {{OPT_net_rules, "allow@any"}, {OPT_net_rules, "deny@private"}},
		 OPT_net_rules,
		 false},
		{{{OPT_net_rules, "allow@public"}, {OPT_net_rules, "allow@host"}},
		 {{OPT_net_rules, "deny@metadata"}, {OPT_net_rules, "allow@host"}},
		 OPT_net_rules,
		 true},
		{{{0}}, {{OPT_publish, "8080:80"}}, OPT_COUNT, false},
		{{{OPT_max_connections, "5"}}, {{OPT_max_connections, "6"}}, OPT_COUNT, false},
		{{{OPT_cpu_cores, "0,1"}}, {{OPT_cpu_cores, "1"}}, OPT_COUNT, true},
		{{{OPT_cpu_cores, "0,1"}}, {{OPT_cpu_cores, "2"}}, OPT_COUNT, false},
		{{{OPT_cpu_cores, "0,1"}}, {{0}}, OPT_cpu_cores, false},
		{{{0}}, {{OPT_cpu_cores, "2"}}, OPT_COUNT, true},
		{{{OPT_gpu, "0,1"}}, {{OPT_gpu, "1"}}, OPT_COUNT, true},
		{{{OPT_gpu, "0,1"}}, {{OPT_gpu, "all"}}, OPT_COUNT, false},
		{{{OPT_gpu, "all"}}, {{OPT_gpu, "7"}}, OPT_COUNT, true},
		{{{0}}, {{OPT_gpu, "all"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_disable, "net-tcp"}}, OPT_COUNT, false},
		{{{0}}, {{OPT_env, "A=1"}}, OPT_COUNT, true},
		{{{OPT_user, "1:1"}}, {{OPT_user, "0:0"}}, OPT_COUNT, false},
		{{{OPT_user, "1:1"}}, {{0}}, OPT_user, false},
		{{{0}}, {{OPT_user, "0:0"}}, OPT_COUNT, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy locked, over;

		begin(NULL);
		for (size_t k = 0; k < 2 && rows[i].base[k].text; k++)
			add(rows[i].base[k].id, rows[i].base[k].text);
		policy_init(&over, &arena);
		if (rows[i].reset != OPT_COUNT)
			policy_reset(&over, rows[i].reset);
		for (size_t k = 0; k < 2 && rows[i].over[k].text; k++)
			assert_true(policy_add(&over, rows[i].over[k].id, rows[i].over[k].text,
					       at(9), &err));
		locked = policy;
		policy_merge(&policy, &over);
		if (policy_narrows(&locked, at(1), &over, &policy, &err) != rows[i].narrows)
			fail_msg("row %zu: %s", i, said());
		if (!rows[i].narrows)
			expect_said("locked at a.yaml:1:3");
	}
}

static void expansion_only_where_asked(void **state UNUSED)
{
	struct value_context x = {.s = &around, .dir = "/d", .syntax = SYNTAX_YAML};

	assert_true(policy_add_in(&policy, OPT_fs_read, "~/x?", &x, at(1), &err));
	assert_true(policy_add_in(&policy, OPT_env, "A=${HOME}", &x, at(1), &err));
	assert_true(policy_add_in(&policy, OPT_args, "${HOME}", &x, at(1), &err));
	assert_string_equal(policy.values[OPT_fs_read].items[0].text, "/home/ann/x");
	assert_string_equal(policy.values[OPT_env].items[0].text, "A=${HOME}");
	assert_string_equal(policy.values[OPT_args].items[0].text, "${HOME}");
	add(OPT_fs_read, "/a$b?");
	assert_string_equal(policy.values[OPT_fs_read].items[1].text, "/a$b?");
}

static int clean(void **state UNUSED)
{
	begin(NULL);
	arena_free(&arena);
	said();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reading, begin),
		cmocka_unit_test_setup(adding, begin),
		cmocka_unit_test_setup(merging, begin),
		cmocka_unit_test_setup(round_trip, begin),
		cmocka_unit_test_setup(later_rows, begin),
		cmocka_unit_test_setup(modes, begin),
		cmocka_unit_test_setup(conflicts, begin),
		cmocka_unit_test_setup(locking, begin),
		cmocka_unit_test_setup(expansion_only_where_asked, begin),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, clean);
}
