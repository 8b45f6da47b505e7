/* What the two halves of the TOML parser share: toml_scalar.c reads strings, numbers and words, toml_parse.c the rest. */
#ifndef SANDLOCK_POLICY_TOML_LEX_H
#define SANDLOCK_POLICY_TOML_LEX_H

#include "policy/toml_parse.h"

#include <string.h>

struct toml_parser {
	const struct source *src;
	struct arena *arena;
	struct error *err;
	const char *p, *end;
	uint32_t line;
	const char *mark; /* a place on this line whose column is known */
	uint32_t mark_col;
	unsigned depth;
	size_t nodes;
	struct toml_node *root, *table;
};

/* Each adds the one error that ends parsing, and returns false. */
bool toml_fail_at(struct toml_parser *t, uint32_t line, uint32_t col, const char *message);
bool toml_fail(struct toml_parser *t, const char *message);

/* The next byte, 0 at the end. */
static inline char toml_peek(const struct toml_parser *t)
{
	return t->p < t->end ? *t->p : 0;
}

static inline bool toml_looking_at(const struct toml_parser *t, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(t->end - t->p) >= n && memcmp(t->p, text, n) == 0;
}

static inline bool toml_is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* A byte of a bare key, and of most words. */
static inline bool toml_is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '-';
}

void toml_skip_blanks(struct toml_parser *t);
/* One line end, when there is one. */
bool toml_take_newline(struct toml_parser *t);

/* toml_scalar.c: a string in quotes, NULL after an error. Keys are on one line. */
const char *toml_quoted(struct toml_parser *t, bool multi_ok);
/* A number, boolean or date: kind, text and number of the node, whose place is where it starts. */
bool toml_word(struct toml_parser *t, struct toml_node *node);

#endif
