/*
 * XXH3 out of xxHash's header, inlined. It detects damage, never forgery: who may write the file is checked by load.c.
 * Must never use the parts that allocate.
 */
#include "freestanding.h"

#define XXH_INLINE_ALL
#define XXH_VECTOR 0		  /* scalar: no vector registers in somebody else's constructor */
#define XXH_FORCE_MEMORY_ACCESS 1 /* no memcpy() for each word */
#define XXH_NO_INLINE_HINTS 1
#include <xxhash.h>

uint64_t hash_64(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}

void hash_128(const void *data, size_t size, uint64_t out[2])
{
	XXH128_hash_t hash = XXH3_128bits(data, size);

	out[0] = hash.low64;
	out[1] = hash.high64;
}
