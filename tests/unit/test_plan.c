/* What is decided for which policy on which host: views, modes, listeners, ports, limits, names of system calls. */
#include "plan/plan.h"

#include "base/json.h"
#include "host/uapi.h"
#include "planning.h"

#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

static uint32_t ask(const struct planning *p, int nr, uint64_t a, uint64_t b, uint64_t c)
{
	const struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_NATIVE, .args = {a, b, c}};
	bool bad;
	uint32_t verdict = bpf_run(p->plan.filter, p->plan.filter_len, &data, &bad);

	assert_false(bad);
	return verdict;
}

/* ---- views ---- */

static void test_view_wishes(void **state UNUSED)
{
	static const struct {
		struct pair pair;
		bool wanted, required;
	} cases[] = {
		{{"/usr", OPT_fs_read}, false, false},
		{{"/process", OPT_fs_read}, false, false},
		{{"/proc", OPT_fs_read}, true, false},
		{{"/proc/self", OPT_fs_read}, true, false},
		{{"/proc", OPT_fs_read_if_exists}, true, false},
		{{"/", OPT_fs_read}, true, false},
		{{"box", OPT_hostname}, true, false},
		{{"box", OPT_name}, true, false},
		{{"/data:/usr:ro", OPT_fs_mount}, true, true},
		{{"/usr:/data", OPT_volume}, true, true},
		{{"/scratch", OPT_tmpfs}, true, true},
		{{"0:0", OPT_user}, true, true},
		{{"1000:1000", OPT_user}, false, false},
		{{"private", OPT_view}, true, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		WITH(p, 7, cases[i].pair)
		{
			assert_true(planning_build(&p));
			if (p.plan.view.wanted != cases[i].wanted ||
			    p.plan.view.required != cases[i].required)
				fail_msg("%s", cases[i].pair.text);
			assert_int_equal(!!(p.plan.features & WHEN_SHARED_PIDS), !cases[i].wanted);
			if (cases[i].wanted) {
				assert_true(p.plan.view.private_proc);
				assert_false(p.plan.view.map_all);
				assert_int_equal(p.plan.mode, PLAN_SUPERVISE);
			}
		}
	}
}

static void test_no_namespaces(void **state UNUSED)
{
	static const struct {
		struct pair pair;
		bool works;
		const char *said;
	} cases[] = {
		{{"/proc", OPT_fs_read}, true, "/proc shows the processes of this machine"},
		{{"/usr", OPT_fs_read}, true, NULL},
		{{"box", OPT_hostname}, true, NULL},
		{{"/data:/usr", OPT_fs_mount}, false, "mounts need a private view"},
		{{"/scratch", OPT_tmpfs}, false, "because of the test"},
		{{"5:5", OPT_user}, false, "another user id"},
		{{"private", OPT_view}, false, "a private view is not possible"},
		{{"kernel", OPT_backend}, true, NULL}, /* nothing asks for a view */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		WITH(p, 7, cases[i].pair)
		{
			p.host.user_namespace = ANSWER_NO;
			p.host.user_namespace_reason = "because of the test";
			if (planning_build(&p) != cases[i].works)
				fail_msg("%s", cases[i].pair.text);
			assert_false(p.plan.view.wanted);
			if (cases[i].said)
				assert_true(planning_said(&p, cases[i].said));
			else
				assert_int_equal(p.err.count, 0);
		}
	}
}

static void test_host_name(void **state UNUSED)
{
	WITH(p, 7, {"box", OPT_hostname}, {"/etc", OPT_fs_read}, {"none", OPT_view})
	{
		assert_true(planning_build(&p));
		assert_false(p.plan.view.wanted);
		assert_string_equal(p.plan.hostname, "box");
		assert_null(p.plan.view.hostname);
		assert_int_equal(ask(&p, SYS_uname, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(&p, SYS_openat, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(filter_handler(p.plan.features, SYS_uname), HANDLER_uname);
	}
	/* Nothing that shows the name can be opened: opens stay free. */
	WITH(p, 7, {"box", OPT_hostname}, {"/usr", OPT_fs_read}, {"none", OPT_view})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_uname, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(&p, SYS_openat, 0, 0, 0), SECCOMP_RET_ALLOW);
	}
	WITH(p, 7, {"box", OPT_hostname}, {"/etc", OPT_fs_read})
	{
		assert_true(planning_build(&p));
		assert_string_equal(p.plan.view.hostname, "box");
		assert_null(p.plan.hostname);
		assert_int_equal(ask(&p, SYS_uname, 0, 0, 0), SECCOMP_RET_ALLOW);
	}
	WITH(p, 7, {"box", OPT_hostname}, {"inside", OPT_name}, {"none", OPT_view})
	{
		assert_true(planning_build(&p));
		assert_string_equal(p.plan.hostname, "box");
	}
}

static void test_view_of_root(void **state UNUSED)
{
	WITH(p, 7, {"/proc", OPT_fs_read})
	{
		p.host.uid = p.host.gid = 0;
		p.host.capabilities = ~0ULL;
		assert_true(planning_build(&p));
		assert_true(p.plan.view.map_all);
	}
	WITH(p, 7, {"/proc", OPT_fs_read})
	{ /* root of a container without the right to map */
		p.host.uid = p.host.gid = 0;
		assert_true(planning_build(&p));
		assert_false(p.plan.view.map_all);
	}
	WITH(p, 7, {"/proc", OPT_fs_read})
	{
		p.host.private_proc = ANSWER_NO;
		assert_true(planning_build(&p));
		assert_false(p.plan.view.wanted);
		assert_true(planning_said(&p, "cannot be mounted here"));
	}
	WITH(p, 7, {"nobody", OPT_user})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "write numbers"));
	}
}

static void test_mounts(void **state UNUSED)
{
	WITH(p, 7, {"/b/c", OPT_tmpfs}, {"/a:/usr:ro", OPT_fs_mount}, {"/srv:/b", OPT_volume})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.view.mount_count, 3);
		/* Parents first. */
		assert_string_equal(p.plan.view.mounts[0].target, "/a");
		assert_string_equal(p.plan.view.mounts[1].target, "/b");
		assert_string_equal(p.plan.view.mounts[2].target, "/b/c");
		assert_string_equal(p.plan.view.mounts[0].source, "/usr");
		assert_int_equal(p.plan.view.mounts[2].mode, 01777);
		assert_false(planning_rule(&p, "/a")->access & LL_WRITE_FILE);
		assert_true(planning_rule(&p, "/b")->access & LL_WRITE_FILE);
		assert_true(planning_rule(&p, "/b/c")->access & LL_MAKE_REG);
		assert_false(p.plan.features & WHEN_METADATA_CLOSED);
	}
}

/* ---- who stays ---- */

static void test_modes(void **state UNUSED)
{
	WITH(p, 7, {"/usr", OPT_fs_read})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.mode, PLAN_SUPERVISE);
		assert_true(p.plan.listener);
		assert_int_equal(ask(&p, SYS_listen, 3, 1, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(&p, SYS_prlimit64, 1, 7, 0x1000), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(&p, SYS_clone, 17, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, SYS_openat, 0, 0, 0), SECCOMP_RET_ALLOW);
	}
	WITH(p, 7, {"leave", OPT_descendants})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.mode, PLAN_IN_PLACE);
		assert_false(p.plan.listener);
	}
	static const struct pair keepers[] = {{"5s", OPT_timeout},	{"5s", OPT_max_duration},
					      {"8", OPT_max_processes}, {"3", OPT_status_fd},
					      {"/tmp/r", OPT_report},	{"/proc", OPT_fs_read},
					      {"box", OPT_hostname}};
	for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++) {
		WITH(p, 7, {"leave", OPT_descendants}, keepers[i])
		{
			assert_true(planning_build(&p));
			assert_int_equal(p.plan.mode, PLAN_SUPERVISE);
		}
	}
	/* In place: no view, no traps, no warnings. */
	WITH(p, 7, {"/proc", OPT_fs_read}, {"box", OPT_name})
	{
		p.request.wanted = PLAN_IN_PLACE;
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.mode, PLAN_IN_PLACE);
		assert_false(p.plan.view.wanted);
		assert_null(p.plan.hostname);
		assert_int_equal(p.err.count, 0);
		assert_int_equal(ask(&p, SYS_prlimit64, 1, 7, 0x1000), SECCOMP_RET_ERRNO | 1);
	}
	WITH(p, 7, {"8", OPT_max_processes})
	{
		p.request.wanted = PLAN_IN_PLACE;
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "the process limit needs a supervisor"));
	}
	WITH(p, 7, {"8", OPT_max_processes})
	{
		p.host.seccomp_notify = false;
		assert_false(planning_build(&p));
	}
	WITH(p, 7, {"/usr", OPT_fs_read})
	{ /* an old kernel: supervised, but nothing is answered */
		p.host.seccomp_notify = false;
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.mode, PLAN_SUPERVISE);
		assert_false(p.plan.listener);
	}
	WITH(p, 7, {"/usr", OPT_fs_read})
	{
		p.host.seccomp_filter = false;
		assert_false(planning_build(&p));
	}
	WITH(p, 8, {"/usr", OPT_fs_read})
	{
		p.request.wanted = PLAN_PRELOAD;
		assert_true(planning_build(&p));
		assert_true(p.plan.restrict_flags & LL_RESTRICT_TSYNC);
	}
}

static void test_process_limit(void **state UNUSED)
{
	WITH(p, 7, {"8", OPT_max_processes}, {"private", OPT_view})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.max_processes, 8);
		assert_int_equal(ask(&p, SYS_clone, 17, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(ask(&p, SYS_clone, 0x10000, 0, 0), SECCOMP_RET_ALLOW);
		/* Own process list: nobody outside can be named. */
		assert_int_equal(ask(&p, SYS_prlimit64, 1, 7, 0x1000), SECCOMP_RET_ALLOW);
	}
}

static void test_signals_below_abi_6(void **state UNUSED)
{
	for (int view = 0; view < 2; view++)
		WITH(p, 5, {"signal-scope", OPT_allow_degraded},
		     {"abstract-unix-socket-scope", OPT_allow_degraded},
		     {view ? "private" : "auto", OPT_view})
		{
			assert_true(planning_build(&p));
			assert_int_equal(ask(&p, SYS_kill, 1, 9, 0),
					 view ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF);
		}
	WITH(p, 5, {"signal-scope", OPT_disable},
	     {"abstract-unix-socket-scope", OPT_allow_degraded})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_kill, 1, 9, 0), SECCOMP_RET_ALLOW);
	}
}

/* ---- network ---- */

static uint64_t port_access(const struct planning *p, unsigned port)
{
	for (size_t i = 0; i < p->plan.port_count; i++)
		if (p->plan.ports[i].port == port)
			return p->plan.ports[i].access;
	return 0;
}

static void test_ports(void **state UNUSED)
{
	WITH(p, 7, {"tcp://*:80,443", OPT_net_allow}, {"tcp://:8000-8002", OPT_net_allow},
	     {"443", OPT_net_allow_bind}, {"9000-9001", OPT_net_allow_bind})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.port_count, 7);
		assert_int_equal(port_access(&p, 80), LL_NET_CONNECT_TCP);
		assert_int_equal(port_access(&p, 443), LL_NET_CONNECT_TCP | LL_NET_BIND_TCP);
		assert_int_equal(port_access(&p, 8001), LL_NET_CONNECT_TCP);
		assert_int_equal(port_access(&p, 9001), LL_NET_BIND_TCP);
		assert_int_equal(p.plan.handled_net, 3);
		assert_true(p.plan.features & WHEN_BIND_RULES);
		assert_false(p.plan.features & WHEN_NO_BIND_PORTS);
	}
	static const char *const all[] = {"tcp://*", "tcp://*:*", "tcp://:*", "tcp://*:1-65535",
					  "tcp://*:*,*"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		WITH(p, 7, {all[i], OPT_net_allow})
		{
			assert_true(planning_build(&p));
			assert_int_equal(p.plan.handled_net, LL_NET_BIND_TCP);
			assert_int_equal(p.plan.port_count, 0);
		}
	}
	WITH(p, 7, {"*", OPT_net_allow_bind})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.handled_net, LL_NET_CONNECT_TCP);
		assert_false(p.plan.features & WHEN_BIND_RULES);
	}
	WITH(p, 7, {"0", OPT_net_allow_bind})
	{ /* a free port needs its own rule, which says too that one may listen without asking */
		assert_true(planning_build(&p));
		assert_int_equal(port_access(&p, 0), LL_NET_BIND_TCP);
		assert_false(p.plan.features & WHEN_BIND_RULES);
	}
}

static void test_network_switches(void **state UNUSED)
{
	WITH(p, 7, {"true", OPT_no_net})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_socket, 2, 1, 0), SECCOMP_RET_ERRNO | 13);
		assert_int_equal(ask(&p, SYS_socket, 1, 1, 0), SECCOMP_RET_ALLOW);
		assert_false(p.plan.features & WHEN_BIND_RULES);
	}
	WITH(p, 7, {"false", OPT_ipv6})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_socket, 10, 1, 0), SECCOMP_RET_ERRNO | 97);
		assert_int_equal(ask(&p, SYS_socket, 2, 1, 0), SECCOMP_RET_ALLOW);
	}
	/* Ports cannot be checked and none are allowed: no sockets, rather than an open network. */
	WITH(p, 3, {"net-tcp", OPT_allow_degraded}, {"fs-ioctl-dev", OPT_allow_degraded},
	     {"signal-scope", OPT_allow_degraded},
	     {"abstract-unix-socket-scope", OPT_allow_degraded})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_socket, 2, 1, 0), SECCOMP_RET_ERRNO | 13);
	}
	/* listen without a supervisor: closed only where no unix socket could be made. */
	for (int writable = 0; writable < 2; writable++)
		WITH(p, 7, {"leave", OPT_descendants},
		     {"/tmp", writable ? OPT_fs_write : OPT_fs_read})
		{
			assert_true(planning_build(&p));
			assert_int_equal(ask(&p, SYS_listen, 3, 1, 0),
					 writable ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | 13);
		}
}

/* ---- system calls ---- */

static void test_names_of_calls(void **state UNUSED)
{
	WITH(p, 7, {"sysv_ipc", OPT_extra_allow}, {"mkdirat,keyring", OPT_extra_deny})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_shmget, 0, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, SYS_mkdirat, 0, 0, 0), SECCOMP_RET_ERRNO | 1);
		assert_int_equal(ask(&p, SYS_keyctl, 0, 0, 0), SECCOMP_RET_ERRNO | 1);
	}
	WITH(p, 7, {"mkdrat", OPT_extra_deny})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "did you mean \"mkdirat\"?"));
	}
	WITH(p, 7, {"ptrace", OPT_extra_allow})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "only the group sysv_ipc"));
	}
	WITH(p, 7, {"sysv_ipc", OPT_extra_allow}, {"semop", OPT_extra_deny})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "semop is denied here and allowed"));
	}
	WITH(p, 7, {"sysv_ipc", OPT_extra_allow}, {"sysv_ipc", OPT_extra_deny})
	{
		assert_false(planning_build(&p));
	}
	WITH(p, 7, {"allow", OPT_unknown_syscalls}, {"reference", OPT_errno_compat},
	     {"true", OPT_nestable})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, 600, 0, 0, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(ask(&p, SYS_clone3, 0, 0, 0), SECCOMP_RET_ERRNO | 1);
		assert_int_equal(ask(&p, SYS_ptrace, 0, 0, 0), SECCOMP_RET_ALLOW);
	}
	WITH(p, 7, {"/usr", OPT_fs_read})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_fchmodat, 0, 0, 0), SECCOMP_RET_ERRNO | 1);
	}
	WITH(p, 7, {"/tmp", OPT_fs_write})
	{
		assert_true(planning_build(&p));
		assert_int_equal(ask(&p, SYS_fchmodat, 0, 0, 0), SECCOMP_RET_ALLOW);
	}
}

/* ---- process state ---- */

static void test_limits(void **state UNUSED)
{
	WITH(p, 7, {"64", OPT_open_files}, {"nofile=100:200", OPT_rlimits},
	     {"fsize=1G", OPT_rlimits}, {"2", OPT_cpus})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.rlimit_count, 2);
		assert_int_equal(p.plan.rlimits[0].resource, RLIMIT_FSIZE);
		assert_int_equal(p.plan.rlimits[1].resource, RLIMIT_NOFILE);
		assert_int_equal(p.plan.rlimits[1].soft, 64);
		assert_int_equal(p.plan.rlimits[1].hard, 64);
		assert_true(p.plan.has_cpu_mask);
		assert_int_equal(p.plan.cpu_mask[0], 0x0a);
		assert_true(p.plan.no_core);
		assert_int_equal(p.plan.kill_after_ns, 2000000000);
		assert_int_equal(p.plan.capabilities, CAPS_FILES);
	}
	WITH(p, 7, {"1,6", OPT_cpu_cores})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.cpu_mask[0], 0x42);
	}
	WITH(p, 7, {"1,2", OPT_cpu_cores})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "processor 2 is not among"));
	}
	WITH(p, 7, {"5", OPT_cpus})
	{
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "only 4 processors"));
	}
	WITH(p, 7, {"core=unlimited", OPT_rlimits})
	{ /* an answer about core dumps too */
		assert_true(planning_build(&p));
		assert_false(p.plan.no_core);
	}
	WITH(p, 7, {"false", OPT_no_coredump}, {"none", OPT_caps}, {"90s", OPT_timeout})
	{
		assert_true(planning_build(&p));
		assert_false(p.plan.no_core);
		assert_int_equal(p.plan.capabilities, CAPS_NONE);
		assert_int_equal(p.plan.timeout_ns, 90000000000);
	}
}

/* Every error at once. */
static void test_all_errors(void **state UNUSED)
{
	WITH(p, 7, {"99", OPT_cpus}, {"nonesuch", OPT_extra_deny}, {"example.org", OPT_net_allow})
	{
		assert_false(planning_build(&p));
		assert_int_equal(p.err.errors, 3);
	}
}

static void test_describe(void **state UNUSED)
{
	WITH(p, 10, {"/usr", OPT_fs_read}, {"/scratch:64M", OPT_tmpfs},
	     {"tcp://*:80,81", OPT_net_allow}, {"9", OPT_max_processes})
	{
		auto_str text = {0}, object = {0};
		struct json j = {.out = &object};

		assert_true(planning_build(&p));
		plan_describe(&p.plan, &text);
		assert_non_null(strstr(str_text(&text), "tmpfs /scratch"));
		assert_non_null(strstr(str_text(&text), "connect      TCP ports: 80-81\n"));
		assert_non_null(strstr(str_text(&text), "bind         TCP ports: none\n"));
		assert_non_null(strstr(str_text(&text), "at most 9"));
		json_object(&j, NULL);
		plan_describe_json(&p.plan, &j);
		json_end_object(&j);
		assert_non_null(strstr(str_text(&object), "\"connect\":\"80-81\""));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_view_wishes),    cmocka_unit_test(test_no_namespaces),
		cmocka_unit_test(test_host_name),      cmocka_unit_test(test_view_of_root),
		cmocka_unit_test(test_mounts),	       cmocka_unit_test(test_modes),
		cmocka_unit_test(test_process_limit),  cmocka_unit_test(test_signals_below_abi_6),
		cmocka_unit_test(test_ports),	       cmocka_unit_test(test_network_switches),
		cmocka_unit_test(test_names_of_calls), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_all_errors),     cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
