/*
 * A plain reading of syscalls.def, to judge compiled filters by: no tree, no merging, one row after the other.
 */
#ifndef SANDLOCK_TESTS_JUDGE_H
#define SANDLOCK_TESTS_JUDGE_H

#include "plan/syscalls.h"

#include "host/uapi.h"

#include <linux/seccomp.h>

#define DENIED(e) (SECCOMP_RET_ERRNO | (e))
/* What `run -r /usr` plans on a recent kernel. */
#define STANDARD                                                                                   \
	(WHEN_LISTENER | WHEN_NO_SYSV | WHEN_STRICT | WHEN_NO_UDP | WHEN_BIND_RULES |              \
	 WHEN_SHARED_PIDS | WHEN_ERRNO_KERNEL | WHEN_CLOSED_UNKNOWN | WHEN_NETLINK |               \
	 WHEN_NO_BIND_PORTS | WHEN_NO_ICMP | WHEN_NO_MULTICAST)
#define KERNEL_ONLY                                                                                \
	((STANDARD & ~(WHEN_LISTENER | WHEN_NETLINK)) | WHEN_NO_LISTENER | WHEN_NO_NETLINK)
/* Below Landlock ABI 9. */
#define GATED (STANDARD | WHEN_TRAP_CONNECT | WHEN_TRAP_SENDTO | WHEN_TRAP_SENDMSG)
#define ALL_FEATURES (((uint32_t)WHEN_TRAP_ACCEPT << 1) - 1)
#define EVERYTHING (ALL_FEATURES & ~(WHEN_NO_LISTENER | WHEN_ERRNO_REFERENCE | WHEN_NO_NETLINK))

struct program {
	struct arena arena;
	const struct sock_filter *code;
	size_t len;
};

struct program compile_for(uint32_t features, uint32_t arch, const int *deny, size_t count);
struct program compile(uint32_t features);
/* The verdict; a program that the interpreter refuses fails the test. */
uint32_t run(const struct program *p, const struct seccomp_data *data);
uint32_t ask(const struct program *p, int nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* What the table says: the stricter of its denials and its traps. */
uint32_t expected(uint32_t features, uint32_t audit_arch, const struct seccomp_data *data);

enum { EDGES = 128 };
struct edges {
	uint64_t value[6][EDGES];
	size_t count[6];
};
/* Values of the arguments at which some row of this number may change its mind. */
struct edges edges_of(int arch, int nr, bool wide);

#endif
