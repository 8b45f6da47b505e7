/* The caller's environment, as data. */
#include "policy/load.h"

#include <string.h>

const char *surroundings_env(const struct surroundings *s, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = s->environment; e && *e; e++)
		if (!strncmp(*e, name, len) && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}
