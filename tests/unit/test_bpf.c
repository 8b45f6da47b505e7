/*
 * Programs against others that judge them: our interpreter against malformed programs, the compiler against libseccomp and against the
 * running kernel, and against itself with jumps that reach almost nowhere.
 */
#include "judge.h"

#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A second compiler whose conditional jumps reach four instructions: every detour is taken. */
#define FILTER_REACH 4
#define filter_compile compile_short_reach
bool compile_short_reach(uint32_t features, uint32_t audit_arch, const int *deny, size_t deny_count,
			 struct arena *arena, const struct sock_filter **out, size_t *len,
			 struct error *err);
#include "plan/filter.c"
#undef filter_compile

static void test_short_reach(void **state UNUSED)
{
	struct program normal = compile(EVERYTHING), detours = {.len = 0};
	struct error err = {.count = 0};
	size_t trampolines = 0;

	assert_true(compile_short_reach(EVERYTHING, AUDIT_ARCH_NATIVE, NULL, 0, &detours.arena,
					&detours.code, &detours.len, &err));
	for (size_t i = 0; i < detours.len; i++) {
		trampolines += detours.code[i].code == (BPF_JMP | BPF_JA);
		if (BPF_CLASS(detours.code[i].code) == BPF_JMP &&
		    BPF_OP(detours.code[i].code) != BPF_JA)
			assert_in_range(MAX(detours.code[i].jt, detours.code[i].jf), 0, 6);
	}
	print_message("%zu instructions, %zu trampolines\n", detours.len, trampolines);
	assert_in_range(trampolines, 20, 4096);
	for (int nr = 0; nr < 600; nr++) {
		struct edges e = edges_of(arch_index(AUDIT_ARCH_NATIVE), nr, false);
		struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_NATIVE};

		for (size_t i = 0; i < EDGES * EDGES; i++) {
			for (unsigned arg = 0; arg < 4; arg++)
				data.args[arg] =
					e.value[arg][(arg & 1 ? i / EDGES : i) % e.count[arg]];
			assert_int_equal(run(&normal, &data), run(&detours, &data));
		}
	}
	arena_free(&normal.arena);
	arena_free(&detours.arena);
}

/* ---- the interpreter ---- */

static bool refused(const struct sock_filter *code, size_t len)
{
	const struct seccomp_data data = {.nr = 7, .arch = AUDIT_ARCH_NATIVE};
	bool bad = false;
	uint32_t verdict = bpf_run(code, len, &data, &bad);

	if (bad)
		assert_int_equal(verdict, SECCOMP_RET_KILL_PROCESS);
	return bad;
}

static void test_interpreter_refuses(void **state UNUSED)
{
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		const struct sock_filter code[] = {__VA_ARGS__};                                   \
		assert_true(refused(code, ARRAY_LEN(code)));                                       \
	} while (0)
#define ANSWER BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	const struct sock_filter fine[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), ANSWER};

	assert_false(refused(fine, 2));
	assert_true(refused(fine, 0));
	assert_true(refused(fine, 1)); /* no return */
	assert_true(refused(fine, 5000));
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ANSWER);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ANSWER);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0xfffffffc), ANSWER);
	REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ANSWER);
	REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ANSWER);
	REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ANSWER);
	REFUSED(BPF_STMT(BPF_ST, 99), ANSWER);
	REFUSED(BPF_STMT(BPF_RET | BPF_A, 0));
	REFUSED(BPF_STMT(0xffff, 0), ANSWER);
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), ANSWER);
	REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ANSWER); /* backwards */
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1), ANSWER);
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 0), ANSWER);
	REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 255, 255), ANSWER);
}

/* ---- against libseccomp ---- */

/* Can libseccomp say this row? One comparison per argument, equalities and single bits only. */
static bool expressible(const struct syscall_row *row)
{
	for (size_t i = 0; i < TERM_LIMIT; i++) {
		const struct term *t = &row->terms[i];

		if (t->op != TERM_NONE && t->op != TERM_EQ &&
		    !(t->op == TERM_ANY_BITS && __builtin_popcount(t->a) == 1))
			return false;
		for (size_t k = 0; k < i; k++)
			if (t->op != TERM_NONE && row->terms[k].arg == t->arg)
				return false;
	}
	return (row->verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
}

static bool call_expressible(unsigned call, uint32_t features)
{
	for (size_t i = 0; i < syscall_row_count; i++)
		if (syscall_rows[i].call == call && !(syscall_rows[i].when & ~features) &&
		    !expressible(&syscall_rows[i]))
			return false;
	return true;
}

static struct program from_libseccomp(uint32_t features, bool *compared)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct program p = {.len = 0};
	FILE *file = tmpfile();

	assert_non_null(ctx);
	assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];
		struct scmp_arg_cmp cmp[TERM_LIMIT];
		unsigned n = 0;
		int number = call_infos[row->call].number[arch_index(AUDIT_ARCH_NATIVE)];

		if (row->when & ~features || number < 0 || !call_expressible(row->call, features))
			continue;
		for (; n < TERM_LIMIT && row->terms[n].op; n++)
			cmp[n] = row->terms[n].op == TERM_EQ
					 ? SCMP_CMP64(row->terms[n].arg, SCMP_CMP_EQ,
						      row->terms[n].a)
					 : SCMP_CMP64(row->terms[n].arg, SCMP_CMP_MASKED_EQ,
						      row->terms[n].a, row->terms[n].a);
		uint32_t action = SCMP_ACT_ERRNO(row->verdict & SECCOMP_RET_DATA);
		int r = seccomp_rule_add_exact_array(ctx, action, number, n, cmp);
		if (r != 0)
			fail_msg("libseccomp refuses %s: %d", call_name((enum call_id)row->call),
				 r);
		compared[number] = true;
	}
	assert_int_equal(seccomp_export_bpf(ctx, fileno(file)), 0);
	fseek(file, 0, SEEK_END);
	p.len = (size_t)ftell(file) / sizeof *p.code;
	rewind(file);
	struct sock_filter *code = arena_array(&p.arena, p.len, sizeof *code);
	assert_int_equal(fread(code, sizeof *code, p.len, file), p.len);
	p.code = code;
	fclose(file);
	seccomp_release(ctx);
	return p;
}

static void test_libseccomp(void **state UNUSED)
{
	uint32_t features = KERNEL_ONLY & ~(WHEN_CLOSED_UNKNOWN | WHEN_SHARED_PIDS);
	bool compared[NUMBER_LIMIT] = {false};
	struct program theirs = from_libseccomp(features, compared), ours = compile(features);
	size_t count = 0;

	for (int nr = 0; nr <= NEWEST_CALL; nr++) {
		struct edges e = edges_of(arch_index(AUDIT_ARCH_NATIVE), nr, true);
		struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_NATIVE};

		if (!compared[nr])
			continue;
		count++;
		/* Clean values only: libseccomp compares all 64 bits. */
		for (size_t i = 0; i < EDGES * EDGES; i++) {
			for (unsigned arg = 0; arg < 4; arg++)
				data.args[arg] =
					(uint32_t)
						e.value[arg][(arg ? i / EDGES : i) % e.count[arg]];
			assert_int_equal(run(&ours, &data), run(&theirs, &data));
		}
	}
	print_message("%zu calls compared\n", count);
	assert_in_range(count, 70, NUMBER_LIMIT);
	const struct seccomp_data strange = {.nr = 1, .arch = 0x40000003};
	assert_int_equal(run(&ours, &strange), run(&theirs, &strange));
#if defined(__x86_64__)
	const struct seccomp_data x32 = {.nr = 0x40000000 | 101, .arch = AUDIT_ARCH_NATIVE};
	const struct seccomp_data skip = {.nr = -1, .arch = AUDIT_ARCH_NATIVE};
	assert_int_equal(run(&ours, &x32), run(&theirs, &x32));
	assert_int_equal(run(&ours, &skip), run(&theirs, &skip));
#endif
	arena_free(&ours.arena);
	arena_free(&theirs.arena);
}

/* ---- the real kernel ---- */

static void install(uint32_t features)
{
	struct program p = compile(features);
	struct sock_fprog program = {.len = (unsigned short)p.len,
				     .filter = (struct sock_filter *)(uintptr_t)p.code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		_exit(99);
}

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

/* The first check that fails gives the exit status. */
static int real_checks(void)
{
	int status = 0;

#define CHECK(call, want)                                                                          \
	do {                                                                                       \
		status++;                                                                          \
		if (error_of(call) != (want))                                                      \
			return status;                                                             \
	} while (0)
	CHECK(syscall(SYS_clone3, NULL, 0), ENOSYS);
	CHECK(syscall(SYS_unshare, 0x10000000), EPERM);
	CHECK(syscall(SYS_unshare, 0x200), 0);
	CHECK(syscall(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0), EPERM);
	CHECK(socket(AF_INET, SOCK_STREAM, 262), EPROTONOSUPPORT); /* MPTCP */
	CHECK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0), EPERM);
	CHECK(socket(AF_INET6, SOCK_RAW, 1), EPERM);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
	CHECK(socket(AF_UNIX, SOCK_DGRAM, 0), 0);
	CHECK(syscall(SYS_socket, 0x100000000ULL | AF_INET, SOCK_DGRAM, 0), EPERM);
	CHECK(syscall(SYS_io_uring_setup, 1, NULL), ENOSYS);
	CHECK(syscall(SYS_ptrace, 0, 0, 0, 0), EPERM);
	CHECK(syscall(SYS_shmget, 0, 4096, 01600), EPERM);
	CHECK(syscall(SYS_ioctl, 0, 0xffffffff00005412ULL, "x"), EPERM);
	CHECK(syscall(SYS_personality, 0xffffffff), 0);
	CHECK(syscall(SYS_personality, 0x0400000), EPERM);
	CHECK(sendto(0, "x", 1, MSG_FASTOPEN, NULL, 0), EOPNOTSUPP);
	CHECK(syscall(SYS_setpriority, 0, getppid(), 5), EPERM);
	CHECK(syscall(SYS_setpriority, 0, 0, 5), 0);
	CHECK(syscall(SYS_prlimit64, getppid(), 7, (uint64_t[]){1, 1}, NULL), EPERM);
	CHECK(syscall(SYS_prlimit64, 0, 7, NULL, (uint64_t[2]){0}), 0);
	CHECK(syscall(700), ENOSYS);
	CHECK(syscall(-1), ENOSYS); /* the kernel's own answer */
	CHECK(getpid() < 0 ? -1 : 0, 0);
#undef CHECK
	return 0;
}

static void test_real_kernel(void **state UNUSED)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		install(KERNEL_ONLY);
		_exit(real_checks());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#if defined(__x86_64__)
/* A 32-bit call, and an x32 number, end the process. */
static void test_real_kills(void **state UNUSED)
{
	for (int kind = 0; kind < 2; kind++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			install(KERNEL_ONLY);
			if (kind == 0)
				__asm__ volatile("int $0x80" : : "a"(20) : "memory");
			else
				syscall(0x40000000 | 39);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		/* SIGSEGV: a kernel without 32-bit emulation never comes to the filter. */
		assert_true(WTERMSIG(status) == SIGSYS ||
			    (kind == 0 && WTERMSIG(status) == SIGSEGV));
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_reach),
		cmocka_unit_test(test_interpreter_refuses),
		cmocka_unit_test(test_libseccomp),
		cmocka_unit_test(test_real_kernel),
#if defined(__x86_64__)
		cmocka_unit_test(test_real_kills),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
