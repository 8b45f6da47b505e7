/* The pieces of plan_build(), one file each; nobody outside core/plan includes this. All are pure. */
#ifndef SANDLOCK_PLAN_PARTS_H
#define SANDLOCK_PLAN_PARTS_H

#include "plan/plan.h"

struct building {
	const struct policy *policy;
	const struct host *host;
	const struct plan_request *request;
	struct arena *arena;
	struct plan *plan;
	struct error *err;
};

/* protections.c: confinement states of this host, and what is handled. */
bool plan_protections(struct building *b);
/* landlock.c: path rules, behind plan_view() because mounts need rules of their own. */
bool plan_rules(struct building *b);
/* Is anything at or below `path` readable, or anything writable? */
bool plan_grants(const struct plan *plan, const char *path);
/* network.c: ports and handled network rights. */
bool plan_network(struct building *b);
/* view.c: whether a view is made, by whom, and what is in it. */
bool plan_view(struct building *b);
/* process.c: limits, processors, ids, times. */
bool plan_process(struct building *b);

/* Does `path` lie at or below `directory`? Both absolute and clean. */
bool path_beneath(const char *path, const char *directory);

#endif
