/*
 * Two halves of the filter. The interpreter gets any bytes as a program (it judges cache files). The compiler gets any table of rows, with
 * jumps that reach four instructions, and must agree with a plain reading of the same rows.
 */
#include "plan/syscalls.h"

#include "host/uapi.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24 };
static struct syscall_row fuzz_rows[ROWS];
static size_t fuzz_row_count;

#define FILTER_REACH 4
#define filter_compile fuzz_compile
#define syscall_rows fuzz_rows
#define syscall_row_count fuzz_row_count
bool fuzz_compile(uint32_t features, uint32_t audit_arch, const int *deny, size_t deny_count,
		  struct arena *arena, const struct sock_filter **out, size_t *len,
		  struct error *err);
#include "plan/filter.c"

struct bytes {
	const uint8_t *data;
	size_t size;
};

static uint8_t byte(struct bytes *b)
{
	if (!b->size)
		return 0;
	b->size--;
	return *b->data++;
}

/* Small numbers, edges, and now and then anything. */
static uint32_t word(struct bytes *b)
{
	static const uint32_t edges[] = {0,	     1,		 0xf,	     0xff,
					 0x7fffffff, 0x80000000, UINT32_MAX, 0x10000};
	uint8_t first = byte(b);

	if (first < 128)
		return first & 0xf;
	if (first < 192)
		return edges[first % ARRAY_LEN(edges)];
	return (uint32_t)first << 24 | (uint32_t)byte(b) << 16 | (uint32_t)byte(b) << 8 | byte(b);
}

static void make_rows(struct bytes *b)
{
	static const uint32_t verdicts[] = {SECCOMP_RET_ALLOW,	    SECCOMP_RET_KILL_PROCESS,
					    SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ERRNO | 1,
					    SECCOMP_RET_ERRNO | 38, SECCOMP_RET_ERRNO};

	memset(fuzz_rows, 0, sizeof fuzz_rows);
	fuzz_row_count = byte(b) % (ROWS + 1);
	for (size_t i = 0; i < fuzz_row_count; i++) {
		struct syscall_row *row = &fuzz_rows[i];

		/* Few calls, so that rows pile up on them. */
		row->call = (uint16_t)(byte(b) % 6);
		row->verdict = verdicts[byte(b) % ARRAY_LEN(verdicts)];
		for (size_t k = 0; k < (size_t)byte(b) % (TERM_LIMIT + 1); k++) {
			row->terms[k].op = (uint8_t)(TERM_EQ + byte(b) % TERM_NOT_NULL);
			row->terms[k].arg = byte(b) % 3;
			row->terms[k].a = word(b);
			row->terms[k].b = word(b);
		}
	}
}

static bool holds(const struct term *t, uint64_t whole)
{
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
	abort();
}

static uint32_t plain(const struct seccomp_data *data, int arch)
{
	for (size_t i = 0; i < fuzz_row_count; i++) {
		const struct syscall_row *row = &fuzz_rows[i];
		bool all = call_infos[row->call].number[arch] == data->nr;

		for (size_t k = 0; all && k < TERM_LIMIT; k++)
			all = holds(&row->terms[k], data->args[row->terms[k].arg]);
		if (all)
			return row->verdict;
	}
	return SECCOMP_RET_ALLOW;
}

static void compiler(struct bytes *b)
{
	struct arena arena = {0};
	struct error err = {.count = 0};
	const struct sock_filter *code;
	size_t len;
	int arch = arch_index(AUDIT_ARCH_NATIVE);

	make_rows(b);
	if (!fuzz_compile(0, AUDIT_ARCH_NATIVE, NULL, 0, &arena, &code, &len, &err))
		abort();
	for (int i = 0; i < 200; i++) {
		struct seccomp_data data = {.arch = AUDIT_ARCH_NATIVE};
		bool bad;

		data.nr = call_infos[i % 7].number[arch];
		for (size_t k = 0; k < 3; k++)
			data.args[k] = word(b) | (uint64_t)(byte(b) & 1) << 40;
		/* Values that the rows name are hit on purpose. */
		if (fuzz_row_count) {
			const struct term *t =
				&fuzz_rows[(size_t)i % fuzz_row_count].terms[i % TERM_LIMIT];

			data.args[t->arg] = i & 1 ? t->a : t->b;
		}
		uint32_t got = bpf_run(code, len, &data, &bad);
		if (bad || (data.nr >= 0 && got != plain(&data, arch)))
			abort();
	}
	arena_free(&arena);
	error_free(&err);
}

static void interpreter(struct bytes *b)
{
	struct sock_filter code[64];
	struct seccomp_data data = {.nr = byte(b), .arch = AUDIT_ARCH_NATIVE, .args = {byte(b)}};
	size_t len = MIN(b->size / sizeof *code, ARRAY_LEN(code));
	bool bad;

	memcpy(code, b->data, len * sizeof *code);
	uint32_t verdict = bpf_run(code, len, &data, &bad);
	if (bad && verdict != SECCOMP_RET_KILL_PROCESS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = {data, size};

	if (byte(&b) & 1)
		compiler(&b);
	else
		interpreter(&b);
	return 0;
}
