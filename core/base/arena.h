/*
 * An arena: allocations that live and die together. A policy, a plan, an error list each own one or borrow one.
 * Allocation failure ends the process with status 125 (nothing useful can be done, and nothing has been started);
 * the supervisor never allocates while it serves, so this cannot happen under a running guest.
 */
#ifndef SANDLOCK_BASE_ARENA_H
#define SANDLOCK_BASE_ARENA_H

#include "base/compiler.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* newest block */
};

/* Zeroed, 16-byte aligned memory of `size` bytes, valid until arena_free(). Never NULL. */
void *arena_alloc(struct arena *arena, size_t size) RETURNS_NONNULL;
/* Room for `count` elements of `size` bytes; the product is checked. */
void *arena_array(struct arena *arena, size_t count, size_t size) RETURNS_NONNULL;
char *arena_strdup(struct arena *arena, const char *s) RETURNS_NONNULL;
char *arena_strndup(struct arena *arena, const char *s, size_t n) RETURNS_NONNULL;
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3) RETURNS_NONNULL;
/* A larger copy of an array: `*items` has `count` elements and room for `*cap`; afterwards room for one more. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *cap, size_t size);
void arena_free(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc(arena, sizeof(type)))

#endif
