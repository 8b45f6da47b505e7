/* Arena allocation. Must never be used between fork and exec. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)32 * 1024)
#define POPULATE_MAX ((size_t)512 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	size_t pad; /* keeps data[] 16-byte aligned */
	unsigned char data[];
};

static NORETURN void out_of_memory(void)
{
	static const char text[] = "sandlock: error: out of memory\n";
	ssize_t ignored UNUSED = write(2, text, sizeof text - 1);

	_exit(125);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 4)
		out_of_memory();
	size = (size + 15) & ~(size_t)15;

	struct arena_block *block = arena->head;
	if (!block || block->size - block->used < size) {
		size_t bytes = MAX(size + sizeof *block, BLOCK_SIZE);

		/* Populated: one call instead of a page fault for every page, which is what a start would mostly wait for. */
		block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS |
				     (bytes <= POPULATE_MAX ? MAP_POPULATE : 0),
			     -1, 0);
		if (block == MAP_FAILED)
			out_of_memory();
		block->size = bytes - sizeof *block;
		block->next = arena->head;
		arena->head = block;
	}

	void *p = block->data + block->used;
	block->used += size;
	return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	return arena_alloc(arena, bytes);
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = arena_alloc(arena, len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, SIZE_MAX / 8);
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		out_of_memory();

	char *text = arena_alloc(arena, (size_t)len + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return items;
	*cap = *cap ? *cap * 2 : 8;

	void *bigger = arena_array(arena, *cap, size);
	if (count)
		memcpy(bigger, items, count * size);
	return bigger;
}

void arena_free(struct arena *arena)
{
	for (struct arena_block *block = arena->head, *next; block; block = next) {
		next = block->next;
		munmap(block, block->size + sizeof *block);
	}
	arena->head = NULL;
}
