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
/* For each value one planning_add(). */
struct pair {
	const char *text;
	enum option_id id;
};
struct planning planning_with(int abi, const struct pair *pairs); /* ends with text NULL */
/* A block with a plan to be `p`, which is freed behind it. */
#define WITH(p, abi, ...)                                                                          \
	for (struct planning p = planning_with(abi, (const struct pair[]){__VA_ARGS__, {0}}),      \
			     *once = &p;                                                           \
	     once; planning_free(&p), once = NULL)
/* The rule for exactly this path, or NULL. */
const struct plan_rule *planning_rule(const struct planning *p, const char *path);
/* Does some message, hint or warning contain this? */
bool planning_said(const struct planning *p, const char *text);
void planning_free(struct planning *p);

#endif
