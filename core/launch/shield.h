/*
 * A sandbox must never write what decides over the next one: policy files, the policy directories, the cache. Where a write
 * grant covers them, the view lays read-only mounts over them, and mounts over every directory between, so that none
 * can be renamed away (the kernel refuses to rename a mount point). Without a view that cannot be done: an error.
 */
#ifndef SANDLOCK_LAUNCH_SHIELD_H
#define SANDLOCK_LAUNCH_SHIELD_H

#include "plan/plan.h"
#include "policy/load.h"

/* What the request is to know of write grants: the mounts that the policy needs (missing directories are made, 0700; with
 * --allow-self-modify none), and whether there are links in them. */
bool shields_find(const struct policy *policy, const struct surroundings *s, struct arena *arena,
		  struct plan_request *request, struct error *err);

#endif
