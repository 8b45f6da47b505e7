/* TOML 1.0 as a tree. Numbers with a point and dates are recognised only so that a message can name them. */
#ifndef SANDLOCK_POLICY_TOML_PARSE_H
#define SANDLOCK_POLICY_TOML_PARSE_H

#include "policy/load.h"

enum toml_kind {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOLEAN,
	TOML_DATETIME,
	TOML_ARRAY,
	TOML_TABLE,
};

/* How a table came to be decides what may still be added to it. */
enum toml_origin { TOML_HEADER, TOML_IMPLICIT, TOML_DOTTED, TOML_INLINE, TOML_TABLES /* [[x]] */ };

struct toml_node {
	enum toml_kind kind;
	enum toml_origin how;
	const char *key;  /* NULL in arrays */
	const char *text; /* the string; other scalars as written */
	int64_t number;	  /* integers; booleans 0 or 1 */
	struct toml_node *first, *last, *next;
	size_t count;		    /* of children */
	uint32_t line, col;	    /* of the value */
	uint32_t key_line, key_col; /* of the key */
};

/* The root table, or NULL after one error with its place. */
struct toml_node *toml_parse(const struct source *src, struct arena *arena, struct error *err);
/* Adds line `line` of the source below the newest error. */
void toml_excerpt(const struct source *src, uint32_t line, struct error *err);

#endif
