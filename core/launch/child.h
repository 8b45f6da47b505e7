/*
 * What happens between fork and exec, as data. Everything is prepared before the fork: the child side (child.c) makes raw
 * system calls on this struct and nothing else: no allocation, no libc, no TLS. The preload library contains child.c
 * too and fills the same struct from an image.
 */
#ifndef SANDLOCK_LAUNCH_CHILD_H
#define SANDLOCK_LAUNCH_CHILD_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

enum child_step {
	STEP_NONE,
	STEP_GROUP,
	STEP_PARENT_DEATH,
	STEP_SIGNALS,
	STEP_PERSONALITY,
	STEP_AFFINITY,
	STEP_THP,
	STEP_CORE,
	STEP_RLIMIT,
	STEP_CWD,
	STEP_CAPABILITIES,
	STEP_NO_NEW_PRIVS,
	STEP_LANDLOCK,
	STEP_SECCOMP,
	STEP_SWEEP,
	STEP_NOFILE,
	STEP_EXEC,
	STEP_NAMESPACE, /* entering the view */
	STEP_CLONE,
	STEP_CANARY, /* a protection turned out not to be on */
	STEP_COUNT
};

struct child_rlimit {
	int32_t resource;
	uint32_t pad;
	uint64_t soft, hard;
};

/* The confinement proper: the part that `run`, `confine`, --no-supervisor and the preload library share. */
struct child_confine {
	const struct child_rlimit *rlimits; /* without NOFILE */
	uint32_t rlimit_count;
	bool has_nofile;
	struct child_rlimit nofile;
	const uint64_t *cpu_mask; /* NULL: leave */
	uint32_t cpu_mask_bytes;
	bool no_aslr; /* only effective before an exec */
	bool no_thp, no_core;
	int cwd_fd;	   /* O_PATH directory, or -1 */
	const char *cwd;   /* used when cwd_fd is -1 and not NULL */
	bool cwd_fallback; /* a cwd that is not there becomes "/" */
	bool drop_caps;
	uint64_t keep_caps; /* capability bits that stay in permitted and effective */
	int ruleset_fd;	    /* -1: no Landlock */
	uint32_t restrict_flags;
	const struct sock_filter *filter;
	uint32_t filter_len;
	bool listener; /* install with NEW_LISTENER */
	bool wait_killable;
	bool tsync;	  /* preload: all threads */
	bool root_closed; /* "/" is not granted: opening it must fail once Landlock is on (self-test) */
};

/* Where and why it failed; written by the child, read by the parent after the child is gone. */
struct child_failure {
	volatile int32_t step;	/* enum child_step; STEP_NONE = no failure */
	volatile int32_t error; /* errno, positive */
	volatile int32_t index; /* which rlimit, which exec candidate */
};

/* Applies everything but the filter / the filter. 0, or -errno with *failure filled. child_filter returns the listener's
 * descriptor (>= 0) when confine->listener is set, else 0. */
int child_confine(const struct child_confine *confine, struct child_failure *failure);
int child_filter(const struct child_confine *confine, struct child_failure *failure);
/* Closes every descriptor from `first` on except the ones in `keep` (ascending); unshares the table first when asked. */
int child_sweep(int first, const int *keep, uint32_t keep_count, bool unshare);
/* Tries each candidate path in order like execvp: the errno that explains best. Text files without #! run under /bin/sh when
 * `shell_argv` is not NULL (its [1] is replaced by the path). Returns only on failure: -errno. */
int child_exec(const char *const *candidates, char *const *argv, char *const *envp,
	       char **shell_argv);

#endif
