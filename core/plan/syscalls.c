/*
 * The tables of system calls, and names for numbers. Texts are kept as one run of NUL-terminated strings and found by walking: they are
 * needed for messages and explanations only, and a table of pointers would cost relocations at every start.
 */
#include "plan/syscalls.h"

#include "host/uapi.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

const struct call_info call_infos[CALL_COUNT] = {
#define CALL(name, x86_64, aarch64, riscv64, group, class)                                         \
	{{x86_64, aarch64, riscv64}, GROUP_##group, CLASS_##class},
#include "plan/calls.def"
#undef CALL
};

static const char call_names[] =
#define CALL(name, ...) #name "\0"
#include "plan/calls.def"
#undef CALL
	;

static const char group_names[] =
#define X(name) #name "\0"
	SYSCALL_GROUPS(X)
#undef X
	;

#define NO_TERMS .terms = {{0}}
#define TERMS(...) .terms = {__VA_ARGS__}
#define EQ(arg, value)                                                                             \
	{                                                                                          \
		TERM_EQ, arg, value, 0                                                             \
	}
#define NE(arg, value)                                                                             \
	{                                                                                          \
		TERM_NE, arg, value, 0                                                             \
	}
#define ANY_BITS(arg, mask)                                                                        \
	{                                                                                          \
		TERM_ANY_BITS, arg, mask, 0                                                        \
	}
#define NO_BITS(arg, mask)                                                                         \
	{                                                                                          \
		TERM_NO_BITS, arg, mask, 0                                                         \
	}
#define MASKED_EQ(arg, mask, value)                                                                \
	{                                                                                          \
		TERM_MASKED_EQ, arg, mask, value                                                   \
	}
#define RANGE(arg, low, high)                                                                      \
	{                                                                                          \
		TERM_RANGE, arg, low, high                                                         \
	}
#define OUTSIDE(arg, low, high)                                                                    \
	{                                                                                          \
		TERM_OUTSIDE, arg, low, high                                                       \
	}
#define NOT_NULL(arg)                                                                              \
	{                                                                                          \
		TERM_NOT_NULL, arg, 0, 0                                                           \
	}
#define ALLOW .verdict = SECCOMP_RET_ALLOW
#define KILL .verdict = SECCOMP_RET_KILL_PROCESS
#define NOTIFY .verdict = SECCOMP_RET_USER_NOTIF
#define ERRNO(e) .verdict = SECCOMP_RET_ERRNO | (e)
#define GRACEFUL(e) .graceful = 1, .verdict = SECCOMP_RET_ERRNO | (e)

const struct syscall_row syscall_rows[] = {
#define ROW(name, condition, arguments, answer, handled, why)                                      \
	{.call = CALL_##name, .handler = HANDLER_##handled, .when = (condition), arguments, answer},
#include "plan/syscalls.def"
};
const size_t syscall_row_count = ARRAY_LEN(syscall_rows);

static const char row_reasons[] =
#define ROW(name, condition, arguments, answer, handled, why) why "\0"
#include "plan/syscalls.def"
	;

static const char *text_at(const char *texts, size_t index)
{
	while (index--)
		texts += strlen(texts) + 1;
	return texts;
}

const char *call_name(enum call_id call)
{
	return text_at(call_names, call);
}

const char *group_name(enum syscall_group_id group)
{
	return text_at(group_names, group);
}

const char *row_reason(size_t index)
{
	return text_at(row_reasons, index);
}

int arch_index(uint32_t audit_arch)
{
	switch (audit_arch) {
	case AUDIT_ARCH_OF_X86_64:
		return ARCH_X86_64;
	case AUDIT_ARCH_OF_AARCH64:
		return ARCH_AARCH64;
	case AUDIT_ARCH_OF_RISCV64:
		return ARCH_RISCV64;
	default:
		return -1;
	}
}

uint32_t row_verdict(const struct syscall_row *row, uint32_t features)
{
	if (row->graceful && (features & WHEN_ERRNO_REFERENCE))
		return SECCOMP_RET_ERRNO | EPERM;
	return row->verdict;
}

bool rows_trap(uint32_t features, uint32_t audit_arch)
{
	int arch = arch_index(audit_arch);

	for (size_t i = 0; arch >= 0 && i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if (row->verdict == SECCOMP_RET_USER_NOTIF && row_active(row, features) &&
		    call_infos[row->call].number[arch] >= 0)
			return true;
	}
	return false;
}

enum handler_id filter_handler(uint32_t features, int nr)
{
	int arch = arch_index(AUDIT_ARCH_NATIVE);

	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if (row->handler != HANDLER_NONE && nr >= 0 &&
		    call_infos[row->call].number[arch] == nr && row_active(row, features))
			return (enum handler_id)row->handler;
	}
	return HANDLER_NONE;
}

int call_find(const char *name)
{
	const char *text = call_names;

	for (int i = 0; i < CALL_COUNT; i++, text += strlen(text) + 1)
		if (!strcmp(text, name))
			return i;
	return -1;
}

int syscall_number(const char *name)
{
	int call = call_find(name);

	return call < 0 ? -1 : call_infos[call].number[arch_index(AUDIT_ARCH_NATIVE)];
}

const char *syscall_name(int nr)
{
	for (size_t i = 0; nr >= 0 && i < CALL_COUNT; i++)
		if (call_infos[i].number[arch_index(AUDIT_ARCH_NATIVE)] == nr)
			return call_name((enum call_id)i);
	return NULL;
}

bool syscall_group(const char *name, const char *const **members, size_t *count)
{
	/* Filled on the first question; every filling writes the same. */
	static const char *names[CALL_COUNT];
	const char *text = call_names;
	size_t group = 0;

	while (group < GROUP_COUNT && strcmp(group_name((enum syscall_group_id)group), name) != 0)
		group++;
	if (group == GROUP_COUNT)
		return false;

	*count = 0;
	for (size_t i = 0; i < CALL_COUNT; i++, text += strlen(text) + 1) {
		names[i] = text;
		if (call_infos[i].group != group)
			continue;
		if (!*count)
			*members = &names[i];
		++*count;
	}
	return true;
}
