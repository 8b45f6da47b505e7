/* Text building. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reserve(struct str *s, size_t more)
{
	size_t need = s->len + more + 1;

	if (need <= s->cap)
		return;
	size_t cap = MAX(need, s->cap * 2);
	char *data = realloc(s->data, cap < 64 ? 64 : cap);
	if (!data) {
		static const char text[] = "sandlock: error: out of memory\n";
		ssize_t ignored UNUSED = write(2, text, sizeof text - 1);

		_exit(125);
	}
	s->data = data;
	s->cap = cap < 64 ? 64 : cap;
}

void str_add_bytes(struct str *s, const void *bytes, size_t n)
{
	reserve(s, n);
	memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
	str_add_bytes(s, &c, 1);
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len <= 0)
		return;
	reserve(s, (size_t)len);
	va_start(args, fmt);
	vsnprintf(s->data + s->len, (size_t)len + 1, fmt, args);
	va_end(args);
	s->len += (size_t)len;
}

/* Length of the UTF-8 sequence at `p` (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), 0 if invalid. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	if (p[0] < 0x80)
		return 1;

	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_sequence(p + i, len - i);
		if (n == 0 || p[i] == 0)
			return false;
	}
	return true;
}

void str_add_escaped(struct str *s, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = strlen(text);

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(p + i, len - i);
		/* C1 controls (U+0080..U+009F) and the bidirectional overrides drive terminals too. */
		bool control = n == 0 || (n == 1 && (p[i] < 0x20 || p[i] == 0x7f)) ||
			       (n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0) ||
			       (n == 3 && p[i] == 0xe2 && p[i + 1] == 0x80 && p[i + 2] >= 0xaa &&
				p[i + 2] <= 0xae) ||
			       (n == 3 && p[i] == 0xe2 && p[i + 1] == 0x81 && p[i + 2] >= 0xa6 &&
				p[i + 2] <= 0xa9);
		if (control) {
			for (size_t k = 0; k < (n ? n : 1); k++)
				str_printf(s, "\\x%02x", p[i + k]);
		} else {
			str_add_bytes(s, p + i, n);
		}
		i += n ? n : 1;
	}
}

void str_free(struct str *s)
{
	free(s->data);
	*s = (struct str){0};
}

const char *str_text(const struct str *s)
{
	return s->data ? s->data : "";
}

unsigned edit_distance(const char *a, const char *b, unsigned limit)
{
	enum { LONGEST = 64 };
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[LONGEST + 1];

	if (la > LONGEST || lb > LONGEST || (la > lb ? la - lb : lb - la) > limit)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned above = row[j];
			unsigned best = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(best, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return MIN(row[lb], limit + 1);
}

const char *nearest_name(const char *word, size_t count, const char *(*at)(size_t, const void *),
			 const void *ctx)
{
	const char *best = NULL;
	unsigned best_distance = 3;

	for (size_t i = 0; i < count; i++) {
		const char *name = at(i, ctx);
		unsigned distance = name ? edit_distance(word, name, 2) : 3;

		if (distance < best_distance && distance < strlen(word)) {
			best = name;
			best_distance = distance;
		}
	}
	return best;
}
