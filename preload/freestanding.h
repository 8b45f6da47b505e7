/*
 * The few things that a C library would give: text, messages, memory. Everything in this directory runs inside somebody else's
 * program and must never call a C library, keep a descriptor, or use thread-local storage.
 */
#ifndef SANDLOCK_PRELOAD_FREESTANDING_H
#define SANDLOCK_PRELOAD_FREESTANDING_H

#include "base/compiler.h"

#include <stdbool.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t text_length(const char *text);
bool text_same(const char *a, const char *b);
/* What follows `prefix`, or NULL. */
const char *text_after(const char *text, const char *prefix);
/* Decimal digits only, at most `max`; -1 otherwise. */
long text_number(const char *text, long max);

/* A line that is built and then written at once. What does not fit is cut. */
struct line {
	char text[768];
	size_t len;
};
void line_add(struct line *line, const char *text);
/* Text from outside: control characters become '?'. */
void line_add_outside(struct line *line, const char *text);
void line_add_number(struct line *line, uint64_t number, unsigned base);
/* Copies into a field of `room` bytes, ended by NUL. */
void text_copy(char *to, const char *text, size_t room);

/* "Permission denied" for the errnos that our steps meet, else NULL. */
const char *errno_text(int error);

/* Private zeroed memory, NULL when there is none. */
void *map_memory(size_t size);
void unmap_memory(void *memory, size_t size);

/* XXH3 (hash.c). */
uint64_t hash_64(const void *data, size_t size);
void hash_128(const void *data, size_t size, uint64_t out[2]);

#endif
