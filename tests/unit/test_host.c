/* Facts about this machine agree with what it does when asked directly. */
#include "host/host.h"

#include "base/compiler.h"
#include "host/uapi.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void test_cheap(void **state UNUSED)
{
	struct host host;
	cpu_set_t set;

	host_probe(&host);
	assert_int_equal(host.audit_arch, AUDIT_ARCH_NATIVE);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	assert_int_equal(host.landlock_abi, abi < 0 ? 0 : abi);
	assert_int_equal(host.landlock_errno, abi < 0 ? errno : 0);
	assert_int_equal(host.uid, geteuid());
	assert_int_equal(host.gid, getegid());
	assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
	assert_int_equal(host.cpu_count, CPU_COUNT(&set));
	for (unsigned cpu = 0; cpu < 1024; cpu++)
		assert_int_equal(host.cpu_mask[cpu / 64] >> (cpu % 64) & 1,
				 CPU_ISSET(cpu, &set) != 0);
	/* Not tried: the launcher finds out by doing. */
	assert_int_equal(host.user_namespace, ANSWER_UNKNOWN);
	assert_int_equal(host.private_proc, ANSWER_UNKNOWN);
}

static void test_cheap_is_cheap(void **state UNUSED)
{
	double best = 1e9;

	for (int i = 0; i < 50; i++) {
		struct timespec a, b;
		struct host host;

		clock_gettime(CLOCK_MONOTONIC, &a);
		host_probe(&host);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double us =
			(double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		best = us < best ? us : best;
	}
	print_message("probed in %.1f us\n", best);
	assert_true(best < 500);
}

static enum answer can_filter(int type)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct sock_filter code = {BPF_RET | BPF_K, 0, 0, 0};
		const struct sock_fprog program = {.len = 1, .filter = &code};
		struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
		const struct __user_cap_data_struct none[2] = {{0}};
		int fd = socket(AF_INET, type, 0);

		_exit(syscall(SYS_capset, &header, none) != 0 ||
		      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ANSWER_YES : ANSWER_NO;
}

static void test_socket_filters(void **state UNUSED)
{
	struct host before, after;

	host_probe(&before);
	assert_int_equal(before.tcp_filter, ANSWER_UNKNOWN);
	assert_int_equal(before.udp_filter, ANSWER_UNKNOWN);
	after = before;
	host_probe_socket_filters(&after);
	assert_int_equal(after.tcp_filter, can_filter(SOCK_STREAM));
	assert_int_equal(after.udp_filter, can_filter(SOCK_DGRAM));
	/* The capabilities are back. */
	host_probe(&after);
	assert_true(after.capabilities == before.capabilities);
}

static bool can_unshare(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_all(void **state UNUSED)
{
	struct host host;
	struct host_details details;
	char before[4096], after[4096];

	assert_non_null(getcwd(before, sizeof before));
	host_probe_all(&host, &details);
	assert_int_not_equal(host.user_namespace, ANSWER_UNKNOWN);
	assert_int_not_equal(host.private_proc, ANSWER_UNKNOWN);
	if (host.user_namespace == ANSWER_YES)
		assert_true(can_unshare());
	else
		assert_non_null(host.user_namespace_reason);
	assert_int_equal(host.user_namespace == ANSWER_YES, details.user_namespace_errno == 0);
	assert_in_range(details.ptrace_scope + 1, 0, 4);
	/* Nothing of the tries stays: no child, no mount over /proc, no filter. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_non_null(getcwd(after, sizeof after));
	assert_string_equal(before, after);
	assert_true(syscall(SYS_getppid) > 0);
	assert_int_equal(access("/proc/l", F_OK), -1);
}

static void test_features(void **state UNUSED)
{
	struct host a = {.landlock_abi = 6}, b = a;

	assert_int_equal(host_features(&a), host_features(&b));
	b.landlock_abi = 7;
	assert_int_not_equal(host_features(&a), host_features(&b));
	b = a;
	b.seccomp_notify = true;
	assert_int_not_equal(host_features(&a), host_features(&b));
	b = a;
	b.user_namespace = ANSWER_UNKNOWN;
	assert_int_not_equal(host_features(&a), host_features(&b));
	b = a;
	b.uid = 1; /* in the cache key by itself */
	assert_int_equal(host_features(&a), host_features(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cheap),	       cmocka_unit_test(test_cheap_is_cheap),
		cmocka_unit_test(test_socket_filters), cmocka_unit_test(test_all),
		cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
