/* A growing byte string for building text. Allocation failure ends the process, as in arena.h. */
#ifndef SANDLOCK_BASE_STR_H
#define SANDLOCK_BASE_STR_H

#include "base/compiler.h"

#include <stdbool.h>

struct str {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t len;
	size_t cap;
};

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t n);
void str_add_char(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Text from outside (names, paths, arguments): control bytes, ESC, DEL and invalid UTF-8 as \xNN, so that it cannot
 * drive a terminal or break a line. */
void str_add_escaped(struct str *s, const char *text);
void str_free(struct str *s);
/* The text, or "" when nothing was added. Owned by `s`. */
const char *str_text(const struct str *s);

#define auto_str CLEANUP(str_free) struct str

/* Is `text` valid UTF-8 without NUL? */
bool utf8_valid(const char *text, size_t len);
/* Levenshtein distance capped at `limit` + 1; for nearest-name hints. */
unsigned edit_distance(const char *a, const char *b, unsigned limit);
/* Nearest of `count` names (edit distance <= 2, and less than the word's length), or NULL. `at(i, ctx)` gives name i,
 * or NULL to skip it. */
const char *nearest_name(const char *word, size_t count, const char *(*at)(size_t, const void *),
			 const void *ctx);

#endif
