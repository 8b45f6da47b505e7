/* The plain reading: see judge.h. */
#include "judge.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct program compile_for(uint32_t features, uint32_t arch, const int *deny, size_t count)
{
	struct program p = {.len = 0};
	struct error err = {.count = 0};

	assert_true(filter_compile(features, arch, deny, count, &p.arena, &p.code, &p.len, &err));
	assert_int_equal(err.count, 0);
	error_free(&err);
	return p;
}

struct program compile(uint32_t features)
{
	return compile_for(features, AUDIT_ARCH_NATIVE, NULL, 0);
}

uint32_t run(const struct program *p, const struct seccomp_data *data)
{
	bool bad = true;
	uint32_t verdict = bpf_run(p->code, p->len, data, &bad);

	assert_false(bad);
	return verdict;
}

uint32_t ask(const struct program *p, int nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const struct seccomp_data data = {
		.nr = nr, .arch = AUDIT_ARCH_NATIVE, .args = {a, b, c, d}};

	return run(p, &data);
}

/* ---- the plain reading ---- */

static bool holds(const struct term *t, const struct seccomp_data *data)
{
	uint64_t whole = data->args[t->arg];
	uint32_t low = (uint32_t)whole;

	switch ((enum term_op)t->op) {
	case TERM_NONE:
		return true;
	case TERM_EQ:
		return low == t->a;
	case TERM_NE:
		return low != t->a;
	case TERM_ANY_BITS:
		return low & t->a;
	case TERM_NO_BITS:
		return !(low & t->a);
	case TERM_MASKED_EQ:
		return (low & t->a) == t->b;
	case TERM_RANGE:
		return low >= t->a && low <= t->b;
	case TERM_OUTSIDE:
		return low < t->a || low > t->b;
	case TERM_NOT_NULL:
		return whole != 0;
	}
	return false;
}

static bool matches(const struct syscall_row *row, uint32_t features, int arch,
		    const struct seccomp_data *data)
{
	if (row->when & ~features || call_infos[row->call].number[arch] != data->nr || data->nr < 0)
		return false;
	for (size_t i = 0; i < TERM_LIMIT; i++)
		if (!holds(&row->terms[i], data))
			return false;
	return true;
}

static uint32_t first_match(uint32_t features, int arch, const struct seccomp_data *data,
			    bool traps)
{
	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if ((row->verdict == SECCOMP_RET_USER_NOTIF) != traps ||
		    !matches(row, features, arch, data))
			continue;
		if (row->graceful && (features & WHEN_ERRNO_REFERENCE))
			return DENIED(EPERM);
		return row->verdict;
	}
	return SECCOMP_RET_ALLOW;
}

static bool reviewed(int arch, int nr)
{
	for (size_t i = 0; i < CALL_COUNT; i++)
		if (call_infos[i].number[arch] == nr)
			return true;
	return false;
}

uint32_t expected(uint32_t features, uint32_t audit_arch, const struct seccomp_data *data)
{
	int arch = arch_index(audit_arch);

	if (data->arch != audit_arch)
		return SECCOMP_RET_KILL_PROCESS;
	if (data->nr == -1)
		return SECCOMP_RET_ALLOW;
	if (audit_arch == AUDIT_ARCH_OF_X86_64 && (data->nr & (int)X32_BIT))
		return SECCOMP_RET_KILL_PROCESS;
	if (data->nr < 0 || data->nr > NEWEST_CALL || !reviewed(arch, data->nr))
		return !(features & WHEN_CLOSED_UNKNOWN)   ? SECCOMP_RET_ALLOW
		       : (features & WHEN_ERRNO_REFERENCE) ? DENIED(EPERM)
							   : DENIED(ENOSYS);

	uint32_t denial = first_match(features, arch, data, false);
	uint32_t trap = first_match(features, arch, data, true);

	/* The kernel's precedence between stacked filters: the lower action, as a signed number. */
	return (int32_t)(denial & SECCOMP_RET_ACTION_FULL) <=
			       (int32_t)(trap & SECCOMP_RET_ACTION_FULL)
		       ? denial
		       : trap;
}

/* ---- edges ---- */

static void edge(struct edges *e, unsigned arg, uint64_t value)
{
	for (size_t i = 0; i < e->count[arg]; i++)
		if (e->value[arg][i] == value)
			return;
	assert_in_range(e->count[arg], 0, EDGES - 1);
	e->value[arg][e->count[arg]++] = value;
}

/* Values at which some row of this number may change its mind. */
struct edges edges_of(int arch, int nr, bool wide)
{
	struct edges e = {.count = {0}};

	for (unsigned arg = 0; arg < 6; arg++)
		edge(&e, arg, 0);
	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if (call_infos[row->call].number[arch] != nr)
			continue;
		for (size_t k = 0; k < TERM_LIMIT; k++) {
			const struct term *t = &row->terms[k];

			if (t->op == TERM_NONE)
				continue;
			edge(&e, t->arg, t->a);
			if (t->op == TERM_MASKED_EQ || t->op == TERM_RANGE)
				edge(&e, t->arg, t->b);
			edge(&e, t->arg, 0xdeadbeef00000000ULL | t->a);
			edge(&e, t->arg, 0xffffffff);
			if (!wide)
				continue;
			edge(&e, t->arg, (uint32_t)(t->a + 1));
			edge(&e, t->arg, (uint32_t)(t->a - 1));
			if (t->op == TERM_RANGE) {
				edge(&e, t->arg, t->b + 1);
				edge(&e, t->arg, t->b - 1);
			}
			if (t->op == TERM_MASKED_EQ)
				edge(&e, t->arg, t->b | 0x80800);
			edge(&e, t->arg, (uint32_t)~t->a);
			edge(&e, t->arg, 1ULL << 32);
		}
	}
	return e;
}
