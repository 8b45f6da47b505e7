/* From a plan to the struct that the child side applies. */
#ifndef SANDLOCK_LAUNCH_CONFINE_H
#define SANDLOCK_LAUNCH_CONFINE_H

#include "launch/child.h"
#include "launch/record.h"
#include "plan/plan.h"

/* What --clean-env keeps besides env_pass. */
#define KEPT_VARIABLES "PATH", "HOME", "USER", "TERM", "LANG"

/* Everything but the ruleset descriptor. Limits above the inherited hard limit are clamped, with a warning. */
bool confine_prepare(const struct plan *plan, const struct host *host, struct arena *arena,
		     struct child_confine *out, struct error *err);
/* "--rlimit" or "FILE:LINE:COL" for a failed step, or NULL. */
const char *confine_place(const struct plan *plan, int step, int index, struct error *err);
/* The same for every step that has a place, for the image; returns the count (at most rlimit_count + 4). */
uint32_t confine_origins(const struct plan *plan, struct image_writer *w,
			 struct launch_origin *origins, struct error *err);

char **shell_arguments(char *const *command, struct arena *arena);

#endif
