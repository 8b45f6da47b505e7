/*
 * The compiler of filters against a plain reading of the table: for every number and every edge of every argument the merged program
 * must give the stricter of "denials only" and "traps only".
 */
#include "judge.h"

#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

static const uint32_t arches[] = {AUDIT_ARCH_OF_X86_64, AUDIT_ARCH_OF_AARCH64,
				  AUDIT_ARCH_OF_RISCV64};

/* ---- the sweep ---- */

static void check_one(const struct program *p, uint32_t features, uint32_t arch,
		      const struct seccomp_data *data)
{
	uint32_t want = expected(features, arch, data), got = run(p, data);

	if (want != got)
		fail_msg("features %x arch %x nr %d args %llx %llx %llx %llx: want %x, got %x",
			 features, arch, data->nr, (unsigned long long)data->args[0],
			 (unsigned long long)data->args[1], (unsigned long long)data->args[2],
			 (unsigned long long)data->args[3], want, got);
}

static void check_number(const struct program *p, uint32_t features, uint32_t arch, int nr,
			 bool wide)
{
	struct edges e = edges_of(arch_index(arch), nr, wide);
	struct seccomp_data data = {.nr = nr, .arch = arch};

	for (size_t a = 0; a < e.count[0]; a++)
		for (size_t b = 0; b < e.count[1]; b++)
			for (size_t c = 0; c < e.count[2]; c++)
				for (size_t d = 0; d < e.count[3]; d++)
					for (size_t f = 0; f < e.count[4]; f++) {
						data.args[0] = e.value[0][a];
						data.args[1] = e.value[1][b];
						data.args[2] = e.value[2][c];
						data.args[3] = e.value[3][d];
						data.args[4] = e.value[4][f];
						check_one(p, features, arch, &data);
					}
}

static void check_program(uint32_t features, uint32_t arch, bool wide)
{
	static const uint32_t numbers[] = {UINT32_MAX,	    UINT32_MAX - 1,  0x40000000, 0x40000001,
					   0x40000000 | 41, 0x40000000 | 56, 0x7fffffff, 0x80000000,
					   0x80000000 | 56, 0xbfffffff,	     0xc0000000, 4096,
					   65536,	    0x10000 | 56};
	static const uint32_t foreign[] = {0x40000003,		 0x40000028, 0,
					   UINT32_MAX,		 0xC000003F, AUDIT_ARCH_OF_X86_64,
					   AUDIT_ARCH_OF_AARCH64};
	struct program p = compile_for(features, arch, NULL, 0);
	struct seccomp_data data = {.arch = arch};

	for (int nr = 0; nr < 1024; nr++)
		check_number(&p, features, arch, nr, wide);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		data.nr = (int)numbers[i];
		check_one(&p, features, arch, &data);
	}
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		for (int nr = -1; nr < 512; nr++) {
			data = (struct seccomp_data){.nr = nr, .arch = foreign[i]};
			check_one(&p, features, arch, &data);
		}
	arena_free(&p.arena);
}

static void test_sweep(void **state UNUSED)
{
	static const uint32_t sets[] = {STANDARD, KERNEL_ONLY, EVERYTHING,
					GATED,	  0,	       WHEN_ERRNO_REFERENCE};

	for (size_t a = 0; a < ARRAY_LEN(arches); a++)
		for (size_t i = 0; i < ARRAY_LEN(sets); i++)
			check_program(sets[i], arches[a], a == 0 && i < 4);
}

static void test_sweep_features(void **state UNUSED)
{
	uint64_t random = 88172645463325252ULL;

	/* Every feature alone, all but each, and a few hundred mixtures. */
	for (unsigned bit = 0; 1u << bit < ALL_FEATURES; bit++) {
		check_program(1u << bit, AUDIT_ARCH_NATIVE, false);
		check_program(EVERYTHING & ~(1u << bit), AUDIT_ARCH_NATIVE, false);
	}
	for (int i = 0; i < 40; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		check_program((uint32_t)random & ALL_FEATURES, AUDIT_ARCH_NATIVE, false);
	}
}

/* ---- shape ---- */

static size_t depth(const struct program *p, int nr)
{
	size_t pc = 3, jumps = 0; /* behind the architecture test */

	for (;;) {
		const struct sock_filter *i = &p->code[pc++];
		bool yes = false;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return jumps;
		case BPF_LD:
			if (i->k != offsetof(struct seccomp_data, nr))
				return jumps; /* a block begins */
			continue;
		default:
			break;
		}
		if (BPF_OP(i->code) == BPF_JA) {
			pc += i->k;
			continue;
		}
		yes = BPF_OP(i->code) == BPF_JEQ   ? (uint32_t)nr == i->k
		      : BPF_OP(i->code) == BPF_JGE ? (uint32_t)nr >= i->k
						   : ((uint32_t)nr & i->k) != 0;
		jumps += BPF_OP(i->code) != BPF_JSET;
		pc += yes ? i->jt : i->jf;
	}
}

static void test_size_and_depth(void **state UNUSED)
{
	static const uint32_t sets[] = {STANDARD, KERNEL_ONLY, GATED, EVERYTHING};

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct program p = compile(sets[i]);
		size_t deepest = 0;

		for (int nr = 0; nr <= NEWEST_CALL + 1; nr++)
			deepest = MAX(deepest, depth(&p, nr));
		print_message("features %05x: %zu instructions, depth %zu\n", sets[i], p.len,
			      deepest);
		/* EVERYTHING is more than any plan has. */
		assert_in_range(p.len, 1, sets[i] == EVERYTHING ? 280 : 256);
		assert_in_range(deepest, 1, 8);
		arena_free(&p.arena);
	}
}

static void test_compile_time(void **state UNUSED)
{
	double best = 1e9;

	for (int i = 0; i < 200; i++) {
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		struct program p = compile(STANDARD);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double us =
			(double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		best = us < best ? us : best;
		arena_free(&p.arena);
	}
	print_message("compiled in %.1f us\n", best);
	/* 30 is the target; a sanitizer may take ten times as long. */
	assert_true(best < 500);
}

/* ---- extra denials ---- */

static void check_denials(const int *deny, size_t count)
{
	struct program p = compile_for(EVERYTHING, AUDIT_ARCH_NATIVE, deny, count);
	struct program plain = compile(EVERYTHING);
	static const uint32_t foreign[] = {0x40000003, AUDIT_ARCH_OF_RISCV64, 0};

	for (int nr = -1; nr < 600; nr++) {
		bool denied = false;

		for (size_t i = 0; i < count; i++)
			denied |= deny[i] == nr;
		uint32_t got = ask(&p, nr, 0, 0, 0, 0), before = ask(&plain, nr, 0, 0, 0, 0);

		if (!denied)
			assert_int_equal(got, before);
		else
			assert_int_equal(got & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
		for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
			const struct seccomp_data data = {.nr = nr, .arch = foreign[i]};

			assert_int_equal(run(&p, &data), SECCOMP_RET_KILL_PROCESS);
		}
	}
#if defined(__x86_64__)
	assert_int_equal(ask(&p, 0x40000000, 0, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
#endif
	arena_free(&p.arena);
	arena_free(&plain.arena);
}

static void test_extra_denials(void **state UNUSED)
{
	int deny[NEWEST_CALL + 1];
	size_t n = 0;

	/* Neighbours merge; every second number makes the largest tree: jumps beyond 255 are certain. */
	for (int nr = 0; nr <= NEWEST_CALL; nr++)
		deny[nr] = nr;
	check_denials(deny, 300);
	check_denials(deny, 400);
	check_denials(deny, NEWEST_CALL + 1);
	for (int nr = 0; nr <= NEWEST_CALL; nr += 2)
		deny[n++] = nr;
	check_denials(deny, n);

	struct program p = compile_for(EVERYTHING, AUDIT_ARCH_NATIVE, deny, n);
	assert_in_range(p.len, 300, 4096); /* returns at the end are out of reach */
	arena_free(&p.arena);

	struct error err = {.count = 0};
	struct arena arena = {0};
	const struct sock_filter *code;
	size_t len;
	deny[0] = 600;
	assert_false(
		filter_compile(STANDARD, AUDIT_ARCH_NATIVE, deny, 1, &arena, &code, &len, &err));
	deny[0] = -1;
	assert_false(
		filter_compile(STANDARD, AUDIT_ARCH_NATIVE, deny, 1, &arena, &code, &len, &err));
	assert_false(filter_compile(STANDARD, 0x40000003, NULL, 0, &arena, &code, &len, &err));
	error_free(&err);
	arena_free(&arena);
}

static void test_denial_keeps_graceful_errno(void **state UNUSED)
{
	const int deny[] = {SYS_clone3, SYS_read, SYS_ioctl};
	struct program p = compile_for(STANDARD, AUDIT_ARCH_NATIVE, deny, 3);

	assert_int_equal(ask(&p, SYS_clone3, 0, 0, 0, 0), DENIED(ENOSYS));
	assert_int_equal(ask(&p, SYS_read, 0, 0, 0, 0), DENIED(EPERM));
	assert_int_equal(ask(&p, SYS_ioctl, 0, 0x5401, 0, 0), DENIED(EPERM));
	arena_free(&p.arena);
}

/* ---- the tables ---- */

/* A name that libseccomp knows and nobody here has looked at must not pass unseen. */
static void test_every_name_reviewed(void **state UNUSED)
{
	static const uint32_t tokens[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64, SCMP_ARCH_RISCV64};
	int unreviewed = 0;

	for (size_t a = 0; a < ARRAY_LEN(tokens); a++)
		for (int nr = 0; nr < 1024; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(tokens[a], nr);
			int call = name ? call_find(name) : 0;

			if (name && (call < 0 || call_infos[call].number[a] != nr)) {
				print_error("%s (%d) is not in core/plan/calls.def\n", name, nr);
				unreviewed++;
			}
			free(name);
		}
	assert_int_equal(unreviewed, 0);
}

static void test_tables_agree(void **state UNUSED)
{
	size_t rows[CALL_COUNT] = {0};

	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		rows[row->call]++;
		assert_true(strlen(row_reason(i)) > 0);
		assert_int_equal(row->verdict == SECCOMP_RET_USER_NOTIF,
				 row->handler != HANDLER_NONE);
		/* A trap needs somebody who answers, and comes after the denials of its call. The one of socket() is between
		 * rows of other families; the sweep shows that it opens nothing. */
		if (row->verdict == SECCOMP_RET_USER_NOTIF)
			assert_true(row->when & WHEN_LISTENER);
		if (row->call == CALL_socket)
			continue;
		for (size_t k = i + 1; k < syscall_row_count; k++)
			if (syscall_rows[k].call == row->call &&
			    row->verdict == SECCOMP_RET_USER_NOTIF)
				assert_int_equal(syscall_rows[k].verdict, SECCOMP_RET_USER_NOTIF);
	}
	for (size_t i = 0; i < CALL_COUNT; i++) {
		assert_int_equal(rows[i] > 0, call_infos[i].class == CLASS_RULED);
		assert_true(i == 0 || call_infos[i].group >= call_infos[i - 1].group);
		for (size_t a = 0; a < ARCH_COUNT; a++)
			assert_in_range(call_infos[i].number[a] + 1, 0, NEWEST_CALL + 1);
		for (size_t k = 0; k < i; k++)
			for (size_t a = 0; a < ARCH_COUNT; a++)
				assert_true(call_infos[i].number[a] < 0 ||
					    call_infos[i].number[a] != call_infos[k].number[a]);
	}
	for (int i = 0; i < GROUP_COUNT; i++)
		assert_int_equal(call_find(group_name((enum syscall_group_id)i)), -1);
}

static void test_names(void **state UNUSED)
{
	const char *const *members;
	size_t count = 0;

	assert_int_equal(syscall_number("openat"), SYS_openat);
	assert_int_equal(syscall_number("newfstatat"), SYS_newfstatat);
	assert_int_equal(syscall_number("nonesuch"), -1);
	assert_string_equal(syscall_name(SYS_execve), "execve");
	assert_null(syscall_name(-1));
	assert_null(syscall_name(5000));
	assert_true(syscall_group("sysv_ipc", &members, &count));
	assert_int_equal(count, 12);
	for (size_t i = 0; i < count; i++)
		assert_true(!strncmp(members[i], "shm", 3) || !strncmp(members[i], "msg", 3) ||
			    !strncmp(members[i], "sem", 3));
	assert_false(syscall_group("ptrace", &members, &count));
}

static void test_handlers(void **state UNUSED)
{
	assert_int_equal(filter_handler(STANDARD, SYS_listen), HANDLER_listen);
	assert_int_equal(filter_handler(STANDARD, SYS_prlimit64), HANDLER_own_task);
	assert_int_equal(filter_handler(STANDARD, SYS_connect), HANDLER_netlink);
	assert_int_equal(filter_handler(STANDARD, SYS_getpeername), HANDLER_NONE);
	assert_int_equal(filter_handler(GATED, SYS_sendmmsg), HANDLER_send);
	assert_int_equal(filter_handler(GATED & ~WHEN_NETLINK, SYS_connect), HANDLER_connect);
	assert_int_equal(filter_handler(STANDARD, SYS_socket), HANDLER_socket);
	assert_int_equal(filter_handler(STANDARD, SYS_accept4), HANDLER_NONE);
	assert_int_equal(filter_handler(STANDARD | WHEN_TRAP_ACCEPT, SYS_accept4), HANDLER_accept);
	assert_int_equal(filter_handler(STANDARD | WHEN_TRAP_ACCEPT, SYS_accept), HANDLER_accept);
	assert_int_equal(filter_handler(STANDARD, SYS_clone), HANDLER_NONE);
	assert_int_equal(filter_handler(STANDARD | WHEN_PROCESS_LIMIT, SYS_clone),
			 HANDLER_clone_process);
	assert_int_equal(filter_handler(KERNEL_ONLY, SYS_listen), HANDLER_NONE);
	assert_int_equal(filter_handler(STANDARD, -1), HANDLER_NONE);
	assert_int_equal(filter_handler(STANDARD | WHEN_HOSTNAME, SYS_uname), HANDLER_uname);
	assert_true(rows_trap(STANDARD, AUDIT_ARCH_NATIVE));
	assert_false(rows_trap(KERNEL_ONLY, AUDIT_ARCH_NATIVE));
}

/* ---- sockets: the golden table ---- */

static uint32_t golden_socket(uint32_t features, unsigned domain, unsigned type, unsigned protocol)
{
	if (domain == AF_UNIX)
		return SECCOMP_RET_ALLOW;
	if (domain == AF_NETLINK)
		return (features & WHEN_NO_NETLINK) || protocol != 0 ? DENIED(EAFNOSUPPORT)
		       : (features & WHEN_NETLINK)		     ? SECCOMP_RET_USER_NOTIF
								     : SECCOMP_RET_ALLOW;
	if (features & WHEN_NO_INET)
		return DENIED(EACCES);
	if (domain != AF_INET && domain != AF_INET6)
		return DENIED(EAFNOSUPPORT);
	if (domain == AF_INET6 && (features & WHEN_NO_INET6))
		return DENIED(EAFNOSUPPORT);
	switch (type & 0xf) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP ? SECCOMP_RET_ALLOW
								: DENIED(EPROTONOSUPPORT);
	case SOCK_DGRAM:
		if ((features & WHEN_NO_UDP) && (features & WHEN_NO_ICMP))
			return DENIED(EPERM);
		if (protocol == 0 || protocol == 17)
			return features & WHEN_NO_UDP ? DENIED(EPERM) : SECCOMP_RET_ALLOW;
		if (protocol == 1 || protocol == 58)
			return features & WHEN_NO_ICMP ? DENIED(EPERM) : SECCOMP_RET_ALLOW;
		return DENIED(EPROTONOSUPPORT);
	case SOCK_RAW:
	case SOCK_PACKET:
		return DENIED(EPERM);
	default:
		return DENIED(EPROTONOSUPPORT);
	}
}

static void test_sockets(void **state UNUSED)
{
	static const uint32_t sets[] = {STANDARD,
					STANDARD & ~WHEN_NO_UDP,
					STANDARD & ~WHEN_NO_ICMP,
					STANDARD & ~(WHEN_NO_UDP | WHEN_NO_ICMP),
					STANDARD | WHEN_NO_INET,
					STANDARD | WHEN_NO_INET6,
					STANDARD | WHEN_NO_INET | WHEN_NO_INET6,
					KERNEL_ONLY,
					STANDARD & ~WHEN_NETLINK};
	static const unsigned bits[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK,
					SOCK_CLOEXEC | SOCK_NONBLOCK};
	const uint64_t dirt = 0xabad1deaULL << 32;

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		struct program p = compile(sets[s]);

		for (unsigned domain = 0; domain < 50; domain++)
			for (unsigned type = 0; type < 16; type++)
				for (unsigned protocol = 0; protocol < 270; protocol++) {
					unsigned t = type | bits[(domain + type + protocol) % 4];
					uint32_t want = golden_socket(sets[s], domain, t, protocol);

					if (ask(&p, SYS_socket, domain, t, protocol, 0) != want ||
					    ask(&p, SYS_socket, dirt | domain, dirt | t,
						dirt | protocol, 0) != want)
						fail_msg("socket(%u, %u, %u)", domain, t, protocol);
				}
		arena_free(&p.arena);
	}
}

/* ---- other calls of the network ---- */

static void test_descriptors_of_the_stand_in(void **state UNUSED)
{
	static const int calls[] = {SYS_connect, SYS_bind, SYS_getsockname, SYS_sendto,
				    SYS_sendmsg};
	struct program p = compile(STANDARD), gated = compile(GATED), kernel = compile(KERNEL_ONLY);
	const uint64_t dirt = 0xabad1deaULL << 32;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		static const struct {
			uint64_t fd;
			bool trapped;
		} cases[] = {{0, false},   {959, false},  {960, true},
			     {1023, true}, {1024, false}, {UINT64_MAX, false}};

		for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
			uint32_t want =
				cases[k].trapped ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;

			assert_int_equal(ask(&p, calls[i], cases[k].fd, 0, 0, 0), want);
			assert_int_equal(ask(&p, calls[i], cases[k].fd | dirt, 0, 0, 0), want);
			assert_int_equal(ask(&kernel, calls[i], cases[k].fd, 0, 0, 0),
					 SECCOMP_RET_ALLOW);
		}
	}
	/* Fast open stays closed on them. */
	assert_int_equal(ask(&p, SYS_sendto, 960, 0, 0, 0x20000000), DENIED(EOPNOTSUPP));
	assert_int_equal(ask(&p, SYS_sendmsg, 960, 0, 0x20000000, 0), DENIED(EOPNOTSUPP));
	assert_int_equal(ask(&gated, SYS_connect, 3, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	arena_free(&p.arena);
	arena_free(&gated.arena);
	arena_free(&kernel.arena);
}

static void test_sends(void **state UNUSED)
{
	struct program p = compile(GATED);
	struct seccomp_data to = {.nr = SYS_sendto, .arch = AUDIT_ARCH_NATIVE, .args = {3}};

	/* A connected socket is never asked about, an address above 4 GiB is one. */
	assert_int_equal(run(&p, &to), SECCOMP_RET_ALLOW);
	to.args[4] = 1ULL << 32;
	assert_int_equal(run(&p, &to), SECCOMP_RET_USER_NOTIF);
	to.args[4] = 1;
	assert_int_equal(run(&p, &to), SECCOMP_RET_USER_NOTIF);
	to.args[3] = 0x20000000;
	assert_int_equal(run(&p, &to), DENIED(EOPNOTSUPP));
	assert_int_equal(ask(&p, SYS_sendmsg, 3, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask(&p, SYS_sendmmsg, 3, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(ask(&p, SYS_sendmmsg, 3, 0, 0, 0x20000000), DENIED(EOPNOTSUPP));
	arena_free(&p.arena);
}

static void test_options(void **state UNUSED)
{
	static const struct {
		unsigned level, option;
		uint32_t always, multicast, sends; /* errno; 0 = allowed */
	} rows[] = {
		{0, 4, EPERM, 0, 0},   {0, 19, EPERM, 0, 0},	  {41, 5, EPERM, 0, 0},
		{41, 32, EPERM, 0, 0}, {41, 6, EPERM, 0, 0},	  {41, 54, EPERM, 0, 0},
		{41, 55, EPERM, 0, 0}, {41, 57, EPERM, 0, 0},	  {41, 59, EPERM, 0, 0},
		{41, 75, EPERM, 0, 0}, {6, 19, EPERM, 0, 0},	  {6, 31, ENOENT, 0, 0},
		{0, 35, 0, EPERM, 0},  {0, 39, 0, EPERM, 0},	  {0, 42, 0, EPERM, 0},
		{0, 46, 0, EPERM, 0},  {41, 20, 0, EPERM, 0},	  {41, 42, 0, EPERM, 0},
		{41, 46, 0, EPERM, 0}, {1, 60, 0, 0, EOPNOTSUPP},
	};
	static const uint32_t sets[] = {STANDARD, GATED, STANDARD & ~WHEN_NO_MULTICAST,
					KERNEL_ONLY};

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		struct program p = compile(sets[s]);

		for (unsigned level = 0; level < 300; level++)
			for (unsigned option = 0; option < 100; option++) {
				uint32_t want = SECCOMP_RET_ALLOW;

				for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
					uint32_t error = rows[i].always;

					if (rows[i].level != level || rows[i].option != option)
						continue;
					if (sets[s] & WHEN_NO_MULTICAST)
						error |= rows[i].multicast;
					if (sets[s] & WHEN_TRAP_SENDMSG)
						error |= rows[i].sends;
					if (error)
						want = DENIED(error);
				}
				if (level == 270 && (sets[s] & WHEN_NETLINK))
					want = DENIED(0);
				if (ask(&p, SYS_setsockopt, 3, level, option, 0) != want)
					fail_msg("setsockopt(%u, %u)", level, option);
			}
		arena_free(&p.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_features),
		cmocka_unit_test(test_size_and_depth),
		cmocka_unit_test(test_compile_time),
		cmocka_unit_test(test_extra_denials),
		cmocka_unit_test(test_denial_keeps_graceful_errno),
		cmocka_unit_test(test_every_name_reviewed),
		cmocka_unit_test(test_tables_agree),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_handlers),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_descriptors_of_the_stand_in),
		cmocka_unit_test(test_sends),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
