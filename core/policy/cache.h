/*
 * The compiled policy cache (cli-and-policy part 3): one file per root policy, only in a directory that only its owner can
 * write, verified by hash and by a code under a key in the kernel's user keyring. A cache that is corrupt, foreign or stale is
 * rebuilt silently; it never changes results. Where there is no keyring there is no cache.
 */
#ifndef SANDLOCK_POLICY_CACHE_H
#define SANDLOCK_POLICY_CACHE_H

#include "policy/image.h"
#include "policy/load.h"

/* Replaces `policy` (initialised) by the entry for `name`. False = not there or not valid, never an error, and `policy` is
 * as it was. Valid means: made by this build for this user, unchanged, and every file, variable and absence that went into it is
 * still the same. */
bool cache_get(const char *name, const struct surroundings *s, struct policy *policy);
/* Stores a resolved policy that gave no warnings (they are not replayed). Failure is silent. */
void cache_put(const char *name, const struct surroundings *s, const struct policy *policy);

/* `policy cache path|list|verify|clear` */
/* NULL when there is no place for it. Nothing is created. */
const char *cache_directory(const struct surroundings *s, struct arena *arena);
struct cache_entry {
	const char *file;
	uint64_t size, created;
	bool valid; /* unchanged and made by this user, by whatever build; stale ones count */
};
struct cache_entry *cache_list(const struct surroundings *s, struct arena *arena, size_t *count);
bool cache_clear(const struct surroundings *s, size_t *removed, struct error *err);

#endif
