/*
 * The compiled policy cache (cli-and-policy part 3): one file per root policy, only in a directory that only its owner can
 * write, verified by hash and, when the user keyring works, by HMAC. A cache that is corrupt, foreign or stale is
 * rebuilt silently; it never changes results.
 */
#ifndef SANDLOCK_POLICY_CACHE_H
#define SANDLOCK_POLICY_CACHE_H

#include "policy/image.h"
#include "policy/load.h"

struct cache_key {
	uint64_t hash[2];
	uint32_t landlock_abi;
	uint64_t kernel_features;
};

/* Fills `policy` (and *filter when one was stored for `features`); false = not there or not valid, never an error. */
bool cache_get(const char *name, const struct surroundings *s, struct policy *policy);
void cache_put(const char *name, const struct surroundings *s, const struct policy *policy);
/* Compiled filters, keyed by everything that shapes them. Returns count of instructions copied to `out`, 0 if absent. */
struct sock_filter;
size_t cache_get_filter(const uint64_t key[2], const struct surroundings *s, struct sock_filter *out, size_t room);
void cache_put_filter(const uint64_t key[2], const struct surroundings *s, const struct sock_filter *filter,
		      size_t count);

/* `policy cache path|list|verify|clear` */
const char *cache_directory(const struct surroundings *s, struct arena *arena);
struct cache_entry {
	const char *file;
	uint64_t size, created;
	bool valid;
};
struct cache_entry *cache_list(const struct surroundings *s, struct arena *arena, size_t *count);
bool cache_clear(const struct surroundings *s, size_t *removed, struct error *err);

#endif
