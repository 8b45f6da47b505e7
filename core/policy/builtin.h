/* The policies that are part of the program: made by the Makefile from policies/, the last place where a name is looked up. */
#ifndef SANDLOCK_POLICY_BUILTIN_H
#define SANDLOCK_POLICY_BUILTIN_H

#include <stddef.h>

struct builtin_policy {
	const char *name;
	const char *text; /* YAML, NUL-terminated after `length` bytes */
	size_t length;
};

extern const struct builtin_policy builtin_policies[];
extern const size_t builtin_policy_count;

#endif
