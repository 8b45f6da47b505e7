/* What cache.c and cache_admin.c share: the directory of entries, one entry's checks, and the key that authenticates them. */
#ifndef SANDLOCK_POLICY_CACHE_FILE_H
#define SANDLOCK_POLICY_CACHE_FILE_H

#include "policy/cache.h"
#include "policy/checked_open.h"

#include <sys/stat.h>

enum {
	CACHE_KEY_SIZE = 32,
	CACHE_NAME_SIZE = 32 + 5 + 1, /* 32 hex digits, ".slpc", NUL */
	CACHE_MAX_ENTRIES = 256,
	CACHE_MAX_BYTES = 16 * 1024 * 1024,
	CACHE_TEMPORARY_AGE = 3600, /* seconds */
	CACHE_TOUCH_AGE = 24 * 3600,
};

#define CACHE_POLICY_SUFFIX ".slpc"

/* An O_PATH descriptor of the directory of entries, or -errno. `create` makes what is missing of it. */
int cache_open_directory(struct walk *walk, const struct surroundings *s, struct arena *arena,
			 bool create);
/* The whole entry in `arena` when it is unchanged and was made with the key, by whatever build; else
 * NULL. The file stays open as *fd when that is not NULL. */
const void *cache_check(int dir, const char *file, const struct surroundings *s,
			const uint8_t key[CACHE_KEY_SIZE], struct arena *arena, struct image *image,
			int *fd, struct stat *st);
/* Removes what is too much or too old. */
void cache_collect(int dir);

/* cache_mac.c: the key in the kernel's user keyring; `create` makes one. False: no key, hence no cache. */
bool cache_mac_key(uint8_t key[CACHE_KEY_SIZE], bool create);
/* Over everything but the field itself and the zeros behind it. */
void cache_mac(const uint8_t key[CACHE_KEY_SIZE], const void *image, size_t size, uint8_t mac[32]);
/* XXH3-64 of what identifies this program: entries of another build are never read. */
uint64_t cache_build_id(void);
/* AUDIT_ARCH_* of this program. */
uint32_t cache_arch(void);

#endif
