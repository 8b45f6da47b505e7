/* Where named policies are looked for, in order. Shared by search.c and enumerate.c. */
#ifndef SANDLOCK_POLICY_SEARCH_H
#define SANDLOCK_POLICY_SEARCH_H

#include "policy/checked_open.h"

enum { PLACES_MAX = 32, POLICY_NAME_MAX = 64 };

struct place {
	const char *name; /* "user", "profiles", "system", "shipped", "builtin", "path" */
	const char
		*pin; /* the prefix that means this place: "user" also pins profiles; NULL = none */
	const char *dir; /* absolute, without a trailing slash; NULL for the built-in ones */
	bool own;	 /* the caller's: `policy delete` may remove from it */
	bool skip_unsafe; /* root ignores it when somebody else could change it (SANDLOCK_POLICY_PATH) */
};

/* Fills `out`; the count. */
size_t policy_places(const struct surroundings *s, struct arena *arena,
		     struct place out[PLACES_MAX]);

/* ".yaml", ".yml", ".toml", NULL. */
extern const char *const policy_suffixes[];

/* [A-Za-z0-9_][A-Za-z0-9._-]{0,63} without "..". */
bool policy_name_valid(const char *name);

#endif
