/*
 * The tables of system calls as data: calls.def (every reviewed call) and syscalls.def (the judged ones). For the compiler of filters,
 * for explanations and for tests; other rooms use plan.h. No pointers in the tables, so that they cost no relocation at start.
 */
#ifndef SANDLOCK_PLAN_SYSCALLS_H
#define SANDLOCK_PLAN_SYSCALLS_H

#include "plan/plan.h"

/* In the order of calls.def, where the members of a group stand together. */
#define SYSCALL_GROUPS(X)                                                                          \
	X(descriptors)                                                                             \
	X(files)                                                                                   \
	X(metadata)                                                                                \
	X(memory)                                                                                  \
	X(processes)                                                                               \
	X(scheduling)                                                                              \
	X(signals)                                                                                 \
	X(futexes)                                                                                 \
	X(timers)                                                                                  \
	X(sockets)                                                                                 \
	X(identity)                                                                                \
	X(confinement)                                                                             \
	X(system)                                                                                  \
	X(sysv_ipc)                                                                                \
	X(posix_mq)                                                                                \
	X(keyring)                                                                                 \
	X(tracing)                                                                                 \
	X(handles)                                                                                 \
	X(namespaces)                                                                              \
	X(mounts)                                                                                  \
	X(modules)                                                                                 \
	X(clocks)                                                                                  \
	X(io_uring)                                                                                \
	X(admin)                                                                                   \
	X(obsolete)

enum syscall_group_id {
#define X(name) GROUP_##name,
	SYSCALL_GROUPS(X)
#undef X
		GROUP_COUNT
};

enum call_id {
#define CALL(name, ...) CALL_##name,
#include "plan/calls.def"
#undef CALL
	CALL_COUNT
};

enum call_class { CLASS_OPEN, CLASS_RULED };

enum { ARCH_X86_64, ARCH_AARCH64, ARCH_RISCV64, ARCH_COUNT };
/* Numbers from here on are unknown to the tables; NEWEST_CALL is the last one they know, the same on every architecture. */
enum { NUMBER_LIMIT = 512, NEWEST_CALL = 470 };

struct call_info {
	int16_t number[ARCH_COUNT]; /* -1: not on this architecture */
	uint8_t group;		    /* enum syscall_group_id */
	uint8_t class;		    /* enum call_class */
};

enum term_op {
	TERM_NONE,
	TERM_EQ,
	TERM_NE,
	TERM_ANY_BITS, /* argument & a != 0 */
	TERM_NO_BITS,
	TERM_MASKED_EQ, /* (argument & a) == b */
	TERM_RANGE,	/* a <= argument <= b */
	TERM_OUTSIDE,
	TERM_NOT_NULL, /* all 64 bits */
};
enum { TERM_LIMIT = 5 };

struct term {
	uint8_t op;  /* enum term_op */
	uint8_t arg; /* 0..5 */
	uint32_t a, b;
};

struct syscall_row {
	uint16_t call;	  /* enum call_id */
	uint8_t handler;  /* enum handler_id */
	uint8_t graceful; /* EPERM under WHEN_ERRNO_REFERENCE */
	uint32_t when;	  /* enum plan_feature */
	uint32_t verdict; /* SECCOMP_RET_* and data */
	struct term terms[TERM_LIMIT];
};

extern const struct call_info call_infos[CALL_COUNT];
extern const struct syscall_row syscall_rows[];
extern const size_t syscall_row_count;

/* ARCH_* of an AUDIT_ARCH value, -1 when unknown. */
int arch_index(uint32_t audit_arch);
const char *call_name(enum call_id call);
/* -1 when the tables have no such name. */
int call_find(const char *name);
const char *group_name(enum syscall_group_id group);
/* Why row `index` is there. */
const char *row_reason(size_t index);
/* The verdict of an active row under these features. */
uint32_t row_verdict(const struct syscall_row *row, uint32_t features);
static inline bool row_active(const struct syscall_row *row, uint32_t features)
{
	return (row->when & ~features) == 0;
}
/* Is there an active row that traps, on this architecture? */
bool rows_trap(uint32_t features, uint32_t audit_arch);

#endif
