/*
 * A confine plan as sections of an image: what the preload library applies to the process it is loaded into. The writer is
 * hosted, the reader is freestanding. Rights are stored as on the newest Landlock ABI and masked where they are applied.
 * The reader must never trust a count, an offset or a bit.
 */
#ifndef SANDLOCK_LAUNCH_CONFINE_IMAGE_H
#define SANDLOCK_LAUNCH_CONFINE_IMAGE_H

#include "launch/child.h"
#include "plan/plan.h"
#include "policy/image.h"

#define CONFINE_KIND 0x464e4f43u /* "CONF": tells this record from others in IMAGE_PLAN */

enum confine_flag {
	CONFINE_NO_THP = 1 << 0,
	CONFINE_NO_CORE = 1 << 1,
	CONFINE_DROP_CAPS = 1 << 2,
	CONFINE_ROOT_CLOSED = 1 << 3, /* "/" is not granted: listing it must fail afterwards */
	CONFINE_HAS_CPU_MASK = 1 << 4,
	CONFINE_ONLY_KEPT = 1 << 5, /* of the environment only what an ENV_KEEP names survives */
	CONFINE_FLAGS = (1 << 6) - 1,
};

/* What to do when the running kernel cannot give a protection. */
enum confine_mode { CONFINE_DISABLED, CONFINE_DEGRADABLE, CONFINE_STRICT };

/* IMAGE_PLAN, one element. */
struct confine_record {
	uint32_t kind;
	uint32_t flags; /* enum confine_flag */
	uint64_t handled_fs, handled_net, scoped;
	uint32_t restrict_flags;
	uint32_t features;	/* enum plan_feature the filter was compiled for */
	uint8_t protection[16]; /* enum confine_mode by enum protection_id, the rest zero */
	uint64_t keep_caps;	/* for user 0; others keep none */
	uint64_t cpu_mask[16];
	uint32_t cwd;	  /* string: absolute, or absent */
	uint32_t refused; /* string: the fields that need a supervisor or a fork, or absent */
	uint32_t name;	  /* string: the policy's, or absent */
	uint32_t pad;
};

/* IMAGE_RULES */
struct confine_rule {
	uint64_t access; /* LL_* */
	uint32_t path;	 /* string, absolute */
	uint32_t flags;	 /* enum rule_flag */
};

/* IMAGE_PORTS */
struct confine_port {
	uint64_t access; /* LL_NET_* */
	uint32_t port;
	uint32_t pad;
};

/* IMAGE_ENV_EDITS: ENV_KEEP first, then ENV_SET in the order of the policy. */
enum confine_env_kind {
	ENV_KEEP, /* a name, or PREFIX* */
	ENV_SET,  /* NAME=VALUE */
};
struct confine_env {
	uint32_t kind;
	uint32_t text;
};

/* IMAGE_DEPENDENCIES, as policy_image.c writes them: the files that a compiled policy was made from, files that must stay
 * missing, and variables ("${NAME}=VALUE", or "${NAME}" for unset). */
struct confine_source {
	uint32_t path;
	uint32_t lookup;
	uint64_t size;
	uint64_t hash[2]; /* XXH3-128, low half first */
	uint32_t missing;
	uint32_t zero;
};
/* Further sections: IMAGE_FILTER of struct sock_filter, IMAGE_RLIMITS of struct child_rlimit (NOFILE included; at most one of
 * each resource), IMAGE_KEEP_FDS of int32_t, ascending, at most CONFINE_KEEP_LIMIT. */
enum { CONFINE_KEEP_LIMIT = 256 };

/* A record with everything it refers to; pointers into the image. */
struct confine_parts {
	const struct confine_record *record;
	const struct confine_rule *rules;
	const struct confine_port *ports;
	const struct sock_filter *filter;
	const struct child_rlimit *rlimits;
	const struct confine_env *env;
	const struct confine_source *sources;
	const int32_t *keep_fds;
	uint32_t rule_count, port_count, filter_len, rlimit_count, env_count, source_count;
	uint32_t keep_count;
	const char *cwd, *refused, *name; /* NULL when absent */
	const struct image *image;	  /* for the other strings */
};

/* 0, or a static text that says what is wrong. `image` must outlive `out`. */
const char *confine_record_read(const struct image *image, struct confine_parts *out);

/* What the running kernel gets. */
struct confine_masks {
	uint64_t handled_fs, handled_net, scoped;
	uint32_t restrict_flags;
	uint32_t
		degraded; /* bit per enum protection_id: wanted, not there, and allowed to be missing */
};
/* -1, or the strict protection that Landlock ABI `abi` lacks. */
int confine_masks(const struct confine_record *record, int abi, struct confine_masks *out);
/* Name and ABI of a protection, as in protections[] of the planner. */
const char *confine_protection_name(unsigned protection);
int confine_protection_abi(unsigned protection);

/* What the acknowledging descriptor receives. */
enum { CONFINE_ACK_DONE = 'y', CONFINE_ACK_FAILED = 'n' };

/* The variables by which a policy reaches the library. All others that begin with CONFINE_VARIABLE are reserved. */
#define CONFINE_VARIABLE "SANDLOCK_CONFINE"
#define CONFINE_LIBRARY "libsandlock_confine.so"

#ifndef SANDLOCK_FREESTANDING
/*
 * Adds the sections for `plan` (made for PLAN_PRELOAD) and fills the architecture in the writer's header. With a NULL plan
 * the record says only which fields of the policy stand in the way.
 */
void image_confine_build(const struct policy *policy, const struct plan *plan,
			 struct image_writer *w);
/* "filesystem.deny, program.user": the fields that cannot be applied to a running process; NULL when there is none. */
const char *confine_refused(const struct policy *policy, struct arena *arena);
#endif

#endif
