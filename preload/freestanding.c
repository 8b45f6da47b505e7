/*
 * Text and memory without a C library. The compiler may call the mem* functions for struct copies.
 * Must never be optimised into calls of itself: see KEEP_LOOP.
 */
#include "freestanding.h"

#include "base/sys.h"

#include <errno.h>
#include <sys/mman.h>

/* In a loop that an optimiser would otherwise recognise as memcpy, memset or strlen, and replace by a call of it. */
#define KEEP_LOOP() __asm__ volatile("")

void *memcpy(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	while (n--) {
		KEEP_LOOP();
		*d++ = *s++;
	}
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if ((uintptr_t)d <= (uintptr_t)s)
		return memcpy(to, from, n);
	while (n--) {
		KEEP_LOOP();
		d[n] = s[n];
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	unsigned char *d = to;

	while (n--) {
		KEEP_LOOP();
		*d++ = (unsigned char)c;
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t text_length(const char *text)
{
	size_t n = 0;

	while (text[n]) {
		KEEP_LOOP();
		n++;
	}
	return n;
}

bool text_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const char *text_after(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return NULL;
	return text;
}

long text_number(const char *text, long max)
{
	long number = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
		if (number > max)
			return -1;
	}
	return number;
}

static void add_char(struct line *line, char c)
{
	if (line->len < sizeof line->text - 1)
		line->text[line->len++] = c;
}

void line_add(struct line *line, const char *text)
{
	while (*text)
		add_char(line, *text++);
}

void line_add_outside(struct line *line, const char *text)
{
	for (; *text; text++)
		add_char(line, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

void line_add_number(struct line *line, uint64_t number, unsigned base)
{
	char digits[24];
	size_t n = 0;

	do
		digits[n++] = "0123456789abcdef"[number % base];
	while ((number /= base));
	while (n)
		add_char(line, digits[--n]);
}

void text_copy(char *to, const char *text, size_t room)
{
	size_t n = MIN(text_length(text), room - 1);

	memcpy(to, text, n);
	to[n] = '\0';
}

const char *errno_text(int error)
{
	/* Arrays and not pointers: nothing to relocate. */
	static const struct {
		int error;
		char text[40];
	} texts[] = {
		{EPERM, "Operation not permitted"},
		{ENOENT, "No such file or directory"},
		{EIO, "Input/output error"},
		{E2BIG, "Too many Landlock layers"},
		{EBADF, "Bad file descriptor"},
		{EAGAIN, "Resource temporarily unavailable"},
		{ENOMEM, "Cannot allocate memory"},
		{EACCES, "Permission denied"},
		{EBUSY, "Other threads are running"},
		{ENOTDIR, "Not a directory"},
		{EISDIR, "Is a directory"},
		{EINVAL, "Invalid argument"},
		{ENFILE, "Too many open files in system"},
		{EMFILE, "Too many open files"},
		{ENAMETOOLONG, "File name too long"},
		{ENOSYS, "Function not implemented"},
		{ELOOP, "It is a symbolic link"},
		{EOPNOTSUPP, "Not available on this kernel"},
		{ENOLCK, "It was not refused"},
		{ENXIO, "No such device or address"},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].error == error)
			return texts[i].text;
	return NULL;
}

void *map_memory(size_t size)
{
	long r = SYS(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return r < 0 && r > -4096 ? NULL : (void *)r;
}

void unmap_memory(void *memory, size_t size)
{
	if (memory)
		SYS(munmap, memory, size);
}
