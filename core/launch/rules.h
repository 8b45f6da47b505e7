/* Opens what a plan's Landlock rules name and builds the rulesets, before anything is forked, so that errors have a place. */
#ifndef SANDLOCK_LAUNCH_RULES_H
#define SANDLOCK_LAUNCH_RULES_H

#include "plan/plan.h"

/* A path that the supervisor needs besides what its guests may do. */
struct own_rule {
	const char *path;
	uint64_t access;
};

/*
 * *guest gets the plan's rules; *outer (when not NULL) the same plus `own`, because the guest's layer lies inside the
 * supervisor's. Paths are opened below `root_fd` (the view's root) unless that is -1. Both descriptors are close-on-exec.
 */
bool rules_open(const struct plan *plan, int root_fd, const struct own_rule *own, size_t own_count,
		int *guest, int *outer, struct error *err);

#endif
