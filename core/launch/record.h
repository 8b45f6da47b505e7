/*
 * What the launcher hands to the supervisor it becomes: one fixed record in the sealed image, beside the argument vector,
 * the environment, the filter and the rlimits. Descriptors are numbers that survive the exec.
 */
#ifndef SANDLOCK_LAUNCH_RECORD_H
#define SANDLOCK_LAUNCH_RECORD_H

#include "launch/child.h"
#include "launch/guard.h"
#include "policy/image.h"

enum record_flag {
	RECORD_LISTENER = 1 << 0,
	RECORD_WAIT_KILLABLE = 1 << 1,
	RECORD_NO_ASLR = 1 << 2,
	RECORD_NO_THP = 1 << 3,
	RECORD_NO_CORE = 1 << 4,
	RECORD_DROP_CAPS = 1 << 5,
	RECORD_ROOT_CLOSED = 1 << 6,
	RECORD_SCOPED = 1 << 7, /* the outer layer confines signals */
	RECORD_VIEW = 1 << 8,
	RECORD_DESCENDANTS_WAIT = 1 << 9,
	RECORD_NEW_SESSION = 1 << 10,
	RECORD_QUIET = 1 << 11,
	RECORD_COMPAT = 1 << 12, /* the reference's exit statuses */
	RECORD_HAS_CPU_MASK = 1 << 13,
	RECORD_CWD_FALLBACK =
		1 << 14, /* an inherited directory that is not in the view becomes "/" */
	RECORD_HAS_NOFILE = 1 << 15,
};

struct launch_record {
	uint32_t flags;
	uint32_t features; /* enum plan_feature: which rows of syscalls.def are active */
	int32_t ruleset_fd, cwd_fd;
	int32_t control_fd, holder_pid;
	int32_t namespace_fd[HOLDER_NAMESPACES];
	int32_t status_fd, report_fd;
	int32_t registry_fd; /* listens under the sandbox's name; -1: not registered */
	uint32_t restrict_flags;
	uint32_t max_processes;
	uint32_t cwd, name, hostname; /* strings */
	uint64_t keep_caps;
	uint64_t cpu_mask[16];
	uint64_t timeout_ns, max_duration_ns, kill_after_ns;
	uint64_t started_ns; /* CLOCK_MONOTONIC when the launcher started */
	struct child_rlimit nofile;
};

/* Where a setup step's message says "which": the n-th rlimit's origin and the like, as ready text. */
struct launch_origin {
	uint32_t step, index;
	uint32_t place; /* string: "--rlimit" or "FILE:LINE:COL" */
	uint32_t pad;
};
enum { IMAGE_ORIGINS = 48 };

#endif
