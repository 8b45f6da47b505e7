/*
 * libsandlock_confine.so: confines the process it is loaded into, before main, with a policy that sandlock compiled.
 *
 * Loaded by LD_PRELOAD it acts on these variables and on nothing else; with none of the first two set it does nothing:
 *   SANDLOCK_CONFINE       absolute path of a compiled policy, or of a policy file with the compiled one beside it (x.yaml, x.slpc)
 *   SANDLOCK_CONFINE_FD    number of a sealed memory file that holds the compiled policy; wins over the path
 *   SANDLOCK_CONFINE_KEEP  1: leave LD_PRELOAD and the variables for children (they inherit the confinement either way)
 *   SANDLOCK_CONFINE_ACK   a descriptor that gets one byte before main: 'y' confined, 'n' failed
 *   SANDLOCK_CONFINE_DEBUG 1: one line on standard error about what was applied
 * Whatever fails ends the process with status 125. Constructors of other libraries may run before it.
 *
 * Must never need anything: no C library, no other library, no thread-local storage.
 */
#ifndef SANDLOCK_CONFINE_H
#define SANDLOCK_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sandlock_confine_flag {
	SANDLOCK_CONFINE_THIS_THREAD = 1, /* only the caller and what it creates later */
	SANDLOCK_CONFINE_ALL_THREADS =
		2, /* -ENOTSUP when the kernel cannot (Landlock ABI below 8) */
	SANDLOCK_CONFINE_NO_SECCOMP = 4, /* Landlock only */
	SANDLOCK_CONFINE_DRY = 8,	 /* validate and report, change nothing */
	SANDLOCK_CONFINE_SWEEP_FDS =
		16, /* close what the policy does not keep, from descriptor 3 on */
};

enum sandlock_confine_applied {
	SANDLOCK_APPLIED_PROCESS =
		1, /* limits, directory, capabilities, no_new_privs: perhaps in part */
	SANDLOCK_APPLIED_LANDLOCK = 2,
	SANDLOCK_APPLIED_SECCOMP = 4,
	SANDLOCK_APPLIED_PARTIAL = 8, /* it failed half way: the process should end */
};

enum sandlock_protection_status {
	SANDLOCK_PROTECTION_UNUSED = 0, /* disabled, or nothing in the policy needs it */
	SANDLOCK_PROTECTION_ACTIVE = 1,
	SANDLOCK_PROTECTION_DEGRADED = 2, /* the kernel lacks it and the policy allows that */
};

/* Filled up to the size the caller passes; later versions append. */
struct sandlock_confine_report {
	uint32_t size;	  /* bytes filled */
	int32_t abi;	  /* Landlock's, 0 when unknown */
	uint32_t applied; /* enum sandlock_confine_applied */
	int32_t error;	  /* errno, 0 = confined */
	uint8_t protection
		[16]; /* fs-refer, fs-truncate, net-tcp, fs-ioctl-dev, signal-scope, abstract-unix-socket-scope,
				   unix-resolve, net-udp, all-threads, audit-mute */
	char field[256]; /* fields of the policy that cannot be applied to a running process */
	char path[256];	 /* the path that could not be opened, or other object of the failed step */
	char message[256];
};

/*
 * Confines the calling process with a compiled policy of `len` bytes. Flags 0: all threads when there are several, else the
 * caller. `report` may be NULL. Not for policies that change the environment (that is done before main only).
 * 0, or -EINVAL bad policy or flags, -ENOTSUP needs a supervisor or a protection the kernel lacks, -ENOENT a path is missing,
 * -EBUSY other threads, -ENOSYS no Landlock, -E2BIG too many Landlock layers, else -errno of the failed step.
 * Call it from one thread at a time.
 */
int sandlock_confine_blob(const void *blob, size_t len, uint64_t flags,
			  struct sandlock_confine_report *report, size_t report_size);

extern const char sandlock_confine_version[];

#ifdef __cplusplus
}
#endif

#endif
