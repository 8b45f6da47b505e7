/* The variables of this library, and the edits of a policy, in the environment of the running process. */
#ifndef SANDLOCK_PRELOAD_ENVIRONMENT_H
#define SANDLOCK_PRELOAD_ENVIRONMENT_H

#include "load.h"

/* The program's environment; NULL entries end it. Weak: not every loader's program has one. */
extern char **environ __attribute__((weak, visibility("default")));

struct settings {
	const char *path; /* SANDLOCK_CONFINE */
	const char *fd;	  /* _FD */
	const char *ack;  /* _ACK */
	const char *done; /* _DONE: the mark of the policy that an ancestor applied */
	bool keep, debug;
};
void settings_read(char *const *environment, struct settings *settings);

/* Removes what must not stay, sets what the policy sets. Strings and, when it must grow, the array are in new memory that
 * stays mapped; the array is edited in place when that is possible, because main's third argument may point to it. */
bool environment_edit(const struct confine_parts *parts, const struct settings *settings,
		      const char *mark, struct failure *failure);

#endif
