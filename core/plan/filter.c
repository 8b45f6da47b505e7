/*
 * syscalls.def + features -> one BPF program. Numbers with the same answer become ranges, ranges a balanced tree, rows with terms
 * blocks at its leaves. The program is written from its end to its start: every jump goes forward, so its target is
 * already there and the distance is known. A distance that does not fit the 8 bits of a conditional jump gets
 * a copy of the return, or a JA (32 bits), close by: a truncated jump would land behind the checks.
 */
#include "plan/syscalls.h"

#include "host/uapi.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

/* 255, less the two instructions that may come in between for the other target of the same jump. A test lowers it. */
#ifndef FILTER_REACH
#define FILTER_REACH 253
#endif

enum {
	PROGRAM_LIMIT = 1200, /* more than two a number; the kernel takes 4096 */
	REACH = FILTER_REACH,
	RETURN_LIMIT = 16,
	BLOCK_LIMIT = 64,
	BLOCK_ROWS =
		24, /* longer chains are refused: each comparison is paid at installation and at every call */
};

/* Where control goes: a verdict (the nearest return is found when the jump is written) or a written instruction. */
struct label {
	bool verdict;
	uint32_t
		value; /* SECCOMP_RET_*, or the instruction's distance from the end of the program */
};

/* What one number answers: a verdict, or the rows that decide. */
struct block {
	uint16_t rows[BLOCK_ROWS];
	uint8_t count;
	bool written;
	struct label entry;
};

struct range {
	uint32_t first;
	int16_t block; /* -1: verdict */
	uint32_t verdict;
};

struct compiler {
	uint32_t features;
	struct sock_filter reversed[PROGRAM_LIMIT];
	size_t count;
	bool full;
	struct {
		uint32_t verdict, at;
	} returns[RETURN_LIMIT];
	size_t return_count;
	struct block blocks[BLOCK_LIMIT];
	size_t block_count;
	struct range ranges[NUMBER_LIMIT + 4];
	size_t range_count;
};

static struct label to_verdict(uint32_t verdict)
{
	return (struct label){.verdict = true, .value = verdict};
}

static struct label put(struct compiler *c, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (c->count == PROGRAM_LIMIT) {
		c->full = true;
		c->count--;
	}
	c->reversed[c->count] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
	return (struct label){.value = (uint32_t)c->count++};
}

/* Instructions between the next one written and `at`. */
static size_t distance(const struct compiler *c, uint32_t at)
{
	return c->count - at - 1;
}

/* The nearest return of this verdict, written now when there is none in reach. */
static uint32_t return_at(struct compiler *c, uint32_t verdict)
{
	size_t i = 0;

	while (i < c->return_count && c->returns[i].verdict != verdict)
		i++;
	if (i < c->return_count && distance(c, c->returns[i].at) <= REACH)
		return c->returns[i].at;

	uint32_t at = put(c, BPF_RET | BPF_K, 0, 0, verdict).value;

	assert(i < RETURN_LIMIT);
	if (i == c->return_count)
		c->returns[c->return_count++].verdict = verdict;
	c->returns[i].at = at;
	return at;
}

static uint32_t reachable(struct compiler *c, struct label target)
{
	if (target.verdict)
		return return_at(c, target.value);
	if (distance(c, target.value) <= REACH)
		return target.value;
	return put(c, BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(c, target.value)).value;
}

static struct label jump(struct compiler *c, uint16_t op, uint32_t k, struct label yes,
			 struct label no)
{
	uint32_t yes_at = reachable(c, yes), no_at = reachable(c, no);
	size_t jt = distance(c, yes_at), jf = distance(c, no_at);

	assert(c->full || (jt <= UINT8_MAX && jf <= UINT8_MAX));
	return put(c, (uint16_t)(BPF_JMP | op | BPF_K), (uint8_t)jt, (uint8_t)jf, k);
}

/* Falls through into what was written last, so `next` must be that. */
static struct label before(struct compiler *c, struct label next, uint16_t code, uint32_t k)
{
	assert(c->full || (!next.verdict && next.value == c->count - 1));
	return put(c, code, 0, 0, k);
}

static uint32_t arg_low(unsigned arg)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg);
}

/* ---- blocks: the terms of one call ---- */

/* What the accumulator holds on entry to a term: an argument's low half and the mask over it, when all ways agree. */
struct accumulator {
	bool known;
	uint8_t arg;
	uint32_t mask;
};

static struct accumulator after_term(const struct term *term)
{
	switch ((enum term_op)term->op) {
	case TERM_NONE:
	case TERM_NOT_NULL: /* either half */
		return (struct accumulator){0};
	case TERM_MASKED_EQ:
		return (struct accumulator){true, term->arg, term->a};
	case TERM_EQ:
	case TERM_NE:
	case TERM_ANY_BITS:
	case TERM_NO_BITS:
	case TERM_RANGE:
	case TERM_OUTSIDE:
		break;
	}
	return (struct accumulator){true, term->arg, UINT32_MAX};
}

static bool same_accumulator(struct accumulator a, struct accumulator b)
{
	return a.known && b.known && a.arg == b.arg && a.mask == b.mask;
}

static size_t term_count(const struct syscall_row *row)
{
	size_t n = 0;

	while (n < TERM_LIMIT && row->terms[n].op != TERM_NONE)
		n++;
	return n;
}

static bool same_term(const struct term *s, const struct term *t)
{
	return s->op == t->op && s->arg == t->arg && s->a == t->a && s->b == t->b;
}

/* Rows of a block from `first` to before `end` that agree in their terms before `depth`. */
struct run {
	const struct block *block;
	size_t first, end, depth;
};

static const struct syscall_row *row_at(const struct block *block, size_t i)
{
	return &syscall_rows[block->rows[i]];
}

/* The accumulator behind a run in which no row matched: any of its terms may have been the last one looked at. */
static struct accumulator after_run(const struct run *run)
{
	const struct syscall_row *row = row_at(run->block, run->first);
	struct accumulator state = after_term(&row->terms[run->depth]);

	for (size_t i = run->first; i < run->end; i++) {
		row = row_at(run->block, i);
		for (size_t k = run->depth, n = term_count(row); k < n; k++)
			if (!same_accumulator(state, after_term(&row->terms[k])))
				return (struct accumulator){0};
	}
	return state;
}

static struct label write_test(struct compiler *c, const struct term *term, struct label yes,
			       struct label no)
{
	struct label upper;

	switch ((enum term_op)term->op) {
	case TERM_EQ:
	case TERM_NONE:
		return jump(c, BPF_JEQ, term->a, yes, no);
	case TERM_NE:
		return jump(c, BPF_JEQ, term->a, no, yes);
	case TERM_ANY_BITS:
		return jump(c, BPF_JSET, term->a, yes, no);
	case TERM_NO_BITS:
		return jump(c, BPF_JSET, term->a, no, yes);
	case TERM_MASKED_EQ:
		return jump(c, BPF_JEQ, term->b, yes, no);
	case TERM_RANGE:
		upper = jump(c, BPF_JGT, term->b, no, yes);
		return jump(c, BPF_JGE, term->a, upper, no);
	case TERM_OUTSIDE:
		upper = jump(c, BPF_JGT, term->b, yes, no);
		return jump(c, BPF_JGE, term->a, upper, yes);
	case TERM_NOT_NULL:
		upper = jump(c, BPF_JEQ, 0, no, yes);
		upper = before(c, upper, BPF_LD | BPF_W | BPF_ABS, arg_low(term->arg) + 4);
		return jump(c, BPF_JEQ, 0, upper, yes);
	}
	return no;
}

static struct label write_term(struct compiler *c, const struct term *term,
			       struct accumulator state, struct label yes, struct label no)
{
	struct label at = write_test(c, term, yes, no);
	bool loaded = state.known && state.arg == term->arg && state.mask == UINT32_MAX;

	if (term->op == TERM_NOT_NULL)
		loaded = false;
	if (term->op == TERM_MASKED_EQ) {
		if (same_accumulator(state, after_term(term)))
			return at;
		at = before(c, at, BPF_ALU | BPF_AND | BPF_K, term->a);
	}
	return loaded ? at : before(c, at, BPF_LD | BPF_W | BPF_ABS, arg_low(term->arg));
}

/* Neighbours that begin with the same term test it once: what follows it is a run of its own. */
static struct label write_run(struct compiler *c, struct run run, struct accumulator entry,
			      struct label no)
{
	struct label at = no;

	/* What stands behind a row without further terms is never reached. */
	for (size_t i = run.first; i < run.end; i++)
		if (term_count(row_at(run.block, i)) == run.depth) {
			at = to_verdict(row_verdict(row_at(run.block, i), c->features));
			run.end = i;
		}
	for (size_t end = run.end, first; end > run.first; end = first) {
		const struct syscall_row *row = row_at(run.block, end - 1);
		const struct term *term = &row->terms[run.depth];

		first = end - 1;
		while (first > run.first &&
		       same_term(&row_at(run.block, first - 1)->terms[run.depth], term))
			first--;

		const struct run inside = {run.block, first, end, run.depth + 1};
		struct accumulator state = entry;

		if (first > run.first)
			state = after_run(&(struct run){run.block, run.first, first, run.depth});
		at = write_term(c, term, state, write_run(c, inside, after_term(term), at), at);
	}
	return at;
}

static struct label write_block(struct compiler *c, struct block *block)
{
	if (block->written)
		return block->entry;

	const struct run all = {block, 0, block->count, 0};

	block->entry = write_run(c, all, (struct accumulator){0}, to_verdict(SECCOMP_RET_ALLOW));
	block->written = true;
	return block->entry;
}

/* ---- the tree ---- */

static struct label range_label(struct compiler *c, const struct range *range)
{
	return range->block < 0 ? to_verdict(range->verdict)
				: write_block(c, &c->blocks[range->block]);
}

static bool same_answer(const struct range *a, const struct range *b)
{
	return a->block == b->block && (a->block >= 0 || a->verdict == b->verdict);
}

static struct label write_tree(struct compiler *c, size_t first, size_t last)
{
	const struct range *r = c->ranges;

	if (first == last)
		return range_label(c, &r[first]);
	/* One number between equal neighbours: a single comparison instead of two. */
	if (last - first == 2 && same_answer(&r[first], &r[last]) &&
	    r[last].first == r[first + 1].first + 1) {
		struct label inside = range_label(c, &r[first + 1]);

		return jump(c, BPF_JEQ, r[first + 1].first, inside, range_label(c, &r[first]));
	}

	size_t middle = first + (last - first + 1) / 2;
	struct label right = write_tree(c, middle, last), left = write_tree(c, first, middle - 1);

	return jump(c, BPF_JGE, r[middle].first, right, left);
}

/* ---- from rows to ranges ---- */

static bool same_row(const struct compiler *c, const struct syscall_row *x,
		     const struct syscall_row *y)
{
	for (size_t i = 0; i < TERM_LIMIT; i++)
		if (!same_term(&x->terms[i], &y->terms[i]))
			return false;
	return row_verdict(x, c->features) == row_verdict(y, c->features);
}

static bool same_block(const struct compiler *c, const struct block *a, const struct block *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_row(c, &syscall_rows[a->rows[i]], &syscall_rows[b->rows[i]]))
			return false;
	return true;
}

/* Rows at the end that say what is said anyway when they do not match. */
static void drop_idle(const struct compiler *c, struct block *rows)
{
	uint32_t rest = SECCOMP_RET_ALLOW;
	size_t n = rows->count;
	bool whole = n && !term_count(row_at(rows, n - 1));
	uint16_t last = whole ? rows->rows[n - 1] : 0;

	if (whole)
		rest = row_verdict(&syscall_rows[rows->rows[--n]], c->features);
	while (n && row_verdict(row_at(rows, n - 1), c->features) == rest)
		n--;
	if (whole)
		rows->rows[n++] = last;
	rows->count = (uint8_t)n;
}

/* The answer of one number from its active rows; calls with equal rows share a block. */
static bool answer(struct compiler *c, struct block *rows, struct range *out)
{
	drop_idle(c, rows);
	out->block = -1;
	out->verdict = SECCOMP_RET_ALLOW;
	if (rows->count && !term_count(&syscall_rows[rows->rows[0]])) {
		out->verdict = row_verdict(&syscall_rows[rows->rows[0]], c->features);
		return true;
	}
	if (!rows->count)
		return true;

	size_t i = 0;

	while (i < c->block_count && !same_block(c, &c->blocks[i], rows))
		i++;
	if (i == BLOCK_LIMIT)
		return false;
	if (i == c->block_count)
		c->blocks[c->block_count++] = *rows;
	out->block = (int16_t)i;
	return true;
}

static void add_range(struct compiler *c, struct range range)
{
	if (!c->range_count || !same_answer(&c->ranges[c->range_count - 1], &range))
		c->ranges[c->range_count++] = range;
}

/* Rows of one call stand together in the list `head[number]`, in the order of the table. */
struct row_index {
	int16_t head[NUMBER_LIMIT];
	int16_t next[1024];
};

static void index_rows(const struct compiler *c, int arch, struct row_index *index)
{
	assert(syscall_row_count <= ARRAY_LEN(index->next));
	memset(index->head, -1, sizeof index->head);
	for (size_t i = syscall_row_count; i-- > 0;) {
		int number = call_infos[syscall_rows[i].call].number[arch];

		if (number < 0 || !row_active(&syscall_rows[i], c->features))
			continue;
		index->next[i] = index->head[number];
		index->head[number] = (int16_t)i;
	}
}

/* Rows from the first up to one without terms; what stands behind that can never be reached. */
static bool rows_of(const struct row_index *index, uint32_t number, struct block *out)
{
	out->count = 0;
	for (int i = index->head[number]; i >= 0; i = index->next[i]) {
		if (out->count == BLOCK_ROWS)
			return false;
		out->rows[out->count++] = (uint16_t)i;
		if (!term_count(&syscall_rows[i]))
			break;
	}
	return true;
}

static bool make_ranges(struct compiler *c, int arch, const uint8_t *denied, struct error *err)
{
	bool closed = (c->features & WHEN_CLOSED_UNKNOWN) != 0;
	struct range unknown = {
		.first = NEWEST_CALL + 1, .block = -1, .verdict = SECCOMP_RET_ALLOW};
	bool known[NUMBER_LIMIT] = {false};
	struct row_index index;

	if (closed)
		unknown.verdict =
			SECCOMP_RET_ERRNO | ((c->features & WHEN_ERRNO_REFERENCE) ? EPERM : ENOSYS);
	index_rows(c, arch, &index);
	for (size_t i = 0; i < CALL_COUNT; i++)
		if (call_infos[i].number[arch] >= 0)
			known[call_infos[i].number[arch]] = true;

	for (uint32_t number = 0; number <= NEWEST_CALL; number++) {
		struct block rows = {.count = 0};
		struct range range;

		if (!rows_of(&index, number, &rows) || !answer(c, &rows, &range))
			return error_add(err, NO_ORIGIN, NULL,
					 "the table of system calls is too long for the compiler");
		if (!known[number])
			range = unknown;
		/* A call that fails anyway keeps its errno: clone3 must stay ENOSYS for libc to fall back. */
		if (denied[number] &&
		    (range.block >= 0 ||
		     (range.verdict & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO))
			range = (struct range){.block = -1, .verdict = SECCOMP_RET_ERRNO | EPERM};
		range.first = number;
		add_range(c, range);
	}
	add_range(c, unknown);
	/* -1 is what a tracer or a signal leaves to skip a call: the kernel does nothing. */
	if (closed)
		add_range(c, (struct range){.first = UINT32_MAX,
					    .block = -1,
					    .verdict = SECCOMP_RET_ALLOW});
	return true;
}

static void write_program(struct compiler *c, uint32_t audit_arch)
{
	struct label at = write_tree(c, 0, c->range_count - 1);

	/* x32 numbers have the architecture value of x86_64 and would pass every comparison below (killed since
	 * the reference's 0.9.0); first of all, so that no rule can come before it. */
	if (audit_arch == AUDIT_ARCH_OF_X86_64) {
		struct label x32 = jump(c, BPF_JEQ, UINT32_MAX, to_verdict(SECCOMP_RET_ALLOW),
					to_verdict(SECCOMP_RET_KILL_PROCESS));

		at = jump(c, BPF_JSET, X32_BIT, x32, at);
	} else if (at.verdict || at.value != c->count - 1) {
		at = put(c, BPF_JMP | BPF_JA, 0, 0, (uint32_t)distance(c, reachable(c, at)));
	}
	before(c, at, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	/* The kill stands right behind the comparison. */
	put(c, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit_arch);
	put(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
}

bool filter_compile(uint32_t features, uint32_t audit_arch, const int *deny, size_t deny_count,
		    struct arena *arena, const struct sock_filter **out, size_t *len,
		    struct error *err)
{
	int arch = arch_index(audit_arch);
	uint8_t denied[NUMBER_LIMIT] = {0};

	if (arch < 0)
		return error_add(err, NO_ORIGIN, NULL, "unknown architecture 0x%x", audit_arch);
	for (size_t i = 0; i < deny_count; i++) {
		if (deny[i] < 0 || deny[i] > NEWEST_CALL)
			return error_add(err, NO_ORIGIN, NULL,
					 "system call number %d is out of range", deny[i]);
		denied[deny[i]] = 1;
	}

	struct compiler *c = arena_new(arena, struct compiler);
	bool ok;

	c->features = features;
	ok = make_ranges(c, arch, denied, err);
	if (ok) {
		write_program(c, audit_arch);
		ok = !c->full ||
		     error_add(err, NO_ORIGIN, NULL,
			       "the system call filter would pass %d instructions", PROGRAM_LIMIT);
	}
	if (ok) {
		struct sock_filter *program = arena_array(arena, c->count, sizeof *program);

		for (size_t i = 0; i < c->count; i++)
			program[i] = c->reversed[c->count - 1 - i];
		*out = program;
		*len = c->count;
	}
	return ok;
}
