/* A policy, a made-up host and the plan for it. */
#ifndef SANDLOCK_TESTS_PLANNING_H
#define SANDLOCK_TESTS_PLANNING_H

#include "plan/plan.h"

struct planning {
	struct arena *arena;
	struct policy policy;
	struct host host;
	struct plan_request request;
	struct plan plan;
	struct error err;
};

/* A host with this Landlock ABI and everything else, an ordinary user 1000:1000, four processors; a supervised run. */
struct planning planning_new(int abi);
void planning_add(struct planning *p, enum option_id id, const char *text);
void planning_add_at(struct planning *p, enum option_id id, const char *text, const char *file,
		     uint32_t line);
bool planning_build(struct planning *p);
/* The rule for exactly this path, or NULL. */
const struct plan_rule *planning_rule(const struct planning *p, const char *path);
/* Does some message, hint or warning contain this? */
bool planning_said(const struct planning *p, const char *text);
void planning_free(struct planning *p);

#endif
