/* A cache of one's own, with a policy "t-root" that extends "t-base". */
#ifndef SANDLOCK_TESTS_CACHING_H
#define SANDLOCK_TESTS_CACHING_H

#include "policy/cache_file.h"
#include "policy/policy.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern char where[600];	     /* the cache, as a variable of the environment */
extern char *environment[3]; /* that one, and one of the test's own */
extern char cwd[600], home[600];
extern struct surroundings around;
extern uint8_t mac_key[CACHE_KEY_SIZE];
extern const char base_text[];

/* Before the tests; then each test is a CACHE_TEST and begins with need_keyring(). */
void caching_begin(void);
int caching_set_up(void **state);
int caching_tear_down(void **state);
#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, caching_set_up, caching_tear_down)
void need_keyring(void);

bool is_cached(const char *name);
/* Loads the policy, which leaves it in the cache. */
void fill(const char *name);
/* Loading once more must work whatever the state of the cache, and repair it. */
void recovers(void);
/* The last file of the cache with this suffix; "" where there is none. */
char *entry_path(const char *suffix);
size_t entry_count(void);
unsigned char *read_entry(size_t *size);
void write_to(const char *path, const void *bytes, size_t size);
/* Writes the hashes of a changed entry again. */
void sign(unsigned char *bytes, size_t size, bool with_mac);

#endif
