/*
 * A strict parser for TOML 1.0. The first error ends it: what stands behind one is guesswork. Depth, elements and keys are
 * bounded, and no step looks at the text before it again, so that hostile files cost little.
 */
#include "policy/toml_lex.h"

enum { DEPTH_LIMIT = 16, NODE_LIMIT = 20000, KEY_LIMIT = 4096 };

/* ---- places and messages ---- */

static uint32_t column(struct toml_parser *t)
{
	for (; t->mark < t->p; t->mark++)
		t->mark_col += ((unsigned char)*t->mark & 0xc0) != 0x80;
	return t->mark_col;
}

static void new_line(struct toml_parser *t)
{
	t->p++;
	t->line++;
	t->mark = t->p;
	t->mark_col = 1;
}

void toml_excerpt(const struct source *src, uint32_t line, struct error *err)
{
	const char *p = src->text, *end = src->text + src->size;

	for (uint32_t i = 1; p && i < line; i++) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (p)
		error_excerpt(err, p, strcspn(p, "\r\n"), 1);
}

bool toml_fail_at(struct toml_parser *t, uint32_t line, uint32_t col, const char *message)
{
	error_add(t->err, (struct origin){t->src->path, line, col}, NULL, "TOML parse error: %s",
		  message);
	toml_excerpt(t->src, line, t->err);
	return false;
}

bool toml_fail(struct toml_parser *t, const char *message)
{
	return toml_fail_at(t, t->line, column(t), message);
}

static bool duplicate(struct toml_parser *t, const char *key, uint32_t line, uint32_t col)
{
	auto_str text = {0};

	str_add(&text, "duplicate key `");
	str_add_escaped(&text, key);
	str_add(&text, "`");
	return toml_fail_at(t, line, col, str_text(&text));
}

/* ---- blanks ---- */

void toml_skip_blanks(struct toml_parser *t)
{
	while (toml_peek(t) == ' ' || toml_peek(t) == '\t')
		t->p++;
}

static bool skip_comment(struct toml_parser *t)
{
	if (toml_peek(t) != '#')
		return true;
	for (; t->p < t->end && *t->p != '\n'; t->p++) {
		if (*t->p == '\r' && t->p + 1 < t->end && t->p[1] == '\n')
			continue;
		if (toml_is_control(*t->p))
			return toml_fail(t, "control character in a comment");
	}
	return true;
}

bool toml_take_newline(struct toml_parser *t)
{
	if (toml_looking_at(t, "\r\n"))
		t->p++;
	if (toml_peek(t) != '\n' || t->p == t->end)
		return false;
	new_line(t);
	return true;
}

static bool skip_lines(struct toml_parser *t)
{
	do {
		toml_skip_blanks(t);
		if (!skip_comment(t))
			return false;
	} while (toml_take_newline(t));
	return true;
}

/* ---- nodes ---- */

static struct toml_node *new_node(struct toml_parser *t, enum toml_kind kind)
{
	if (++t->nodes > NODE_LIMIT) {
		toml_fail(t, "more than 20000 values");
		return NULL;
	}

	struct toml_node *node = arena_new(t->arena, struct toml_node);
	node->kind = kind;
	node->line = t->line;
	node->col = column(t);
	return node;
}

static void append(struct toml_node *parent, struct toml_node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

static struct toml_node *find(const struct toml_node *table, const char *key)
{
	for (struct toml_node *n = table->first; n; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

/* ---- keys ---- */

static const char *simple_key(struct toml_parser *t)
{
	const char *start = t->p;

	if (toml_peek(t) == '"' || toml_peek(t) == '\'')
		return toml_quoted(t, false);
	while (t->p < t->end && toml_is_word(*t->p))
		t->p++;
	if (t->p == start)
		return toml_fail(t, "expected a key"), NULL;
	return arena_strndup(t->arena, start, (size_t)(t->p - start));
}

static struct toml_node *add_child(struct toml_parser *t, struct toml_node *parent, const char *key,
				   enum toml_kind kind, enum toml_origin how)
{
	struct toml_node *node = new_node(t, kind);

	if (!node)
		return NULL;
	if (parent->count >= KEY_LIMIT)
		return toml_fail(t, "more than 4096 keys in one table"), NULL;
	node->key = key;
	node->how = how;
	append(parent, node);
	return node;
}

/* The table that `key`, which is not the last of a dotted key or header, leads to. */
static struct toml_node *descend(struct toml_parser *t, struct toml_node *table, const char *key,
				 bool header, uint32_t line, uint32_t col)
{
	struct toml_node *next = find(table, key);

	if (!next) {
		next = add_child(t, table, key, TOML_TABLE, header ? TOML_IMPLICIT : TOML_DOTTED);
		if (next) {
			next->key_line = next->line = line;
			next->key_col = next->col = col;
		}
		return next;
	}
	if (header && next->kind == TOML_ARRAY && next->how == TOML_TABLES)
		return next->last;
	/* A dotted key adds only to what dotted keys made, and nothing adds to an inline table. */
	if (next->kind == TOML_TABLE && next->how != TOML_INLINE &&
	    (header || next->how == TOML_DOTTED))
		return next;
	duplicate(t, key, line, col);
	return NULL;
}

static bool value(struct toml_parser *t, struct toml_node **out);

/* KEY[.KEY...] = VALUE into `table`. */
static bool pair(struct toml_parser *t, struct toml_node *table)
{
	for (unsigned depth = 0;; depth++) {
		uint32_t line = t->line, col = column(t);
		const char *key = simple_key(t);
		struct toml_node *node;

		if (!key)
			return false;
		if (depth > DEPTH_LIMIT)
			return toml_fail(t, "nested more than 16 deep");
		toml_skip_blanks(t);
		if (toml_peek(t) == '.') {
			t->p++;
			toml_skip_blanks(t);
			table = descend(t, table, key, false, line, col);
			if (!table)
				return false;
			continue;
		}
		if (toml_peek(t) != '=')
			return toml_fail(t, "expected `.` or `=`");
		if (find(table, key))
			return duplicate(t, key, line, col);
		if (table->count >= KEY_LIMIT)
			return toml_fail(t, "more than 4096 keys in one table");
		t->p++;
		toml_skip_blanks(t);
		if (!value(t, &node))
			return false;
		node->key = key;
		node->key_line = line;
		node->key_col = col;
		append(table, node);
		return true;
	}
}

/* ---- values ---- */

static bool array(struct toml_parser *t, struct toml_node *node)
{
	t->p++;
	for (;;) {
		struct toml_node *child;

		if (!skip_lines(t))
			return false;
		if (toml_peek(t) == ']')
			break;
		if (!value(t, &child))
			return false;
		append(node, child);
		if (!skip_lines(t))
			return false;
		if (toml_peek(t) == ',') {
			t->p++;
			continue;
		}
		if (toml_peek(t) != ']')
			return toml_fail(t, "expected `,` or `]`");
		break;
	}
	t->p++;
	return true;
}

static void close_tables(struct toml_node *table)
{
	table->how = TOML_INLINE;
	for (struct toml_node *n = table->first; n; n = n->next) {
		if (n->kind == TOML_TABLE && n->how == TOML_DOTTED)
			close_tables(n);
	}
}

static bool inline_table(struct toml_parser *t, struct toml_node *node)
{
	t->p++;
	toml_skip_blanks(t);
	if (toml_peek(t) != '}') {
		for (;;) {
			toml_skip_blanks(t);
			if (!pair(t, node))
				return false;
			toml_skip_blanks(t);
			if (toml_peek(t) != ',')
				break;
			t->p++;
		}
	}
	if (toml_peek(t) != '}')
		return toml_fail(t, "expected `,` or `}`");
	t->p++;
	close_tables(node);
	return true;
}

static bool nested(struct toml_parser *t, struct toml_node *node,
		   bool (*parse)(struct toml_parser *, struct toml_node *))
{
	if (++t->depth > DEPTH_LIMIT)
		return toml_fail(t, "nested more than 16 deep");

	bool ok = parse(t, node);
	t->depth--;
	return ok;
}

static bool value(struct toml_parser *t, struct toml_node **out)
{
	struct toml_node *node = new_node(t, TOML_INTEGER);

	*out = node;
	if (!node)
		return false;
	switch (toml_peek(t)) {
	case '"':
	case '\'':
		node->kind = TOML_STRING;
		node->text = toml_quoted(t, true);
		return node->text != NULL;
	case '[':
		node->kind = TOML_ARRAY;
		node->how = TOML_INLINE;
		return nested(t, node, array);
	case '{':
		node->kind = TOML_TABLE;
		node->how = TOML_DOTTED;
		return nested(t, node, inline_table);
	default:
		return toml_word(t, node);
	}
}

/* ---- headers and lines ---- */

static struct toml_node *open_table(struct toml_parser *t, struct toml_node *parent,
				    const char *key, bool list, uint32_t line, uint32_t col)
{
	struct toml_node *node = find(parent, key);

	if (node && list && node->kind == TOML_ARRAY && node->how == TOML_TABLES) {
		struct toml_node *element = new_node(t, TOML_TABLE);

		if (element)
			append(node, element);
		return element;
	}
	if (node && !list && node->kind == TOML_TABLE && node->how == TOML_IMPLICIT) {
		node->how = TOML_HEADER;
		return node;
	}
	if (node)
		return duplicate(t, key, line, col), NULL;
	node = add_child(t, parent, key, list ? TOML_ARRAY : TOML_TABLE,
			 list ? TOML_TABLES : TOML_HEADER);
	if (!node)
		return NULL;
	node->key_line = node->line = line;
	node->key_col = node->col = col;
	return list ? open_table(t, parent, key, list, line, col) : node;
}

static bool header(struct toml_parser *t)
{
	bool list = toml_looking_at(t, "[[");
	struct toml_node *table = t->root;
	unsigned depth = 0;

	t->p += list ? 2 : 1;
	for (;;) {
		toml_skip_blanks(t);
		uint32_t line = t->line, col = column(t);
		const char *key = simple_key(t);
		if (!key)
			return false;
		if (++depth > DEPTH_LIMIT)
			return toml_fail(t, "nested more than 16 deep");
		toml_skip_blanks(t);
		bool last = toml_peek(t) != '.';
		table = last ? open_table(t, table, key, list, line, col)
			     : descend(t, table, key, true, line, col);
		if (!table)
			return false;
		if (last)
			break;
		t->p++;
	}
	if (!toml_looking_at(t, list ? "]]" : "]"))
		return toml_fail(t, list ? "expected `]]`" : "expected `.` or `]`");
	t->p += list ? 2 : 1;
	t->table = table;
	return true;
}

struct toml_node *toml_parse(const struct source *src, struct arena *arena, struct error *err)
{
	struct toml_parser t = {
		.src = src,
		.arena = arena,
		.err = err,
		.p = src->text,
		.end = src->text + src->size,
		.line = 1,
		.mark = src->text,
		.mark_col = 1,
	};

	t.root = t.table = new_node(&t, TOML_TABLE);
	if (!utf8_valid(src->text, src->size)) {
		toml_fail(&t, "the file is not valid UTF-8 text");
		return NULL;
	}
	for (;;) {
		if (!skip_lines(&t))
			return NULL;
		if (t.p == t.end)
			return t.root;
		if (toml_peek(&t) == '[' ? !header(&t) : !pair(&t, t.table))
			return NULL;
		toml_skip_blanks(&t);
		if (!skip_comment(&t))
			return NULL;
		if (t.p < t.end && !toml_take_newline(&t)) {
			toml_fail(&t, "expected a newline");
			return NULL;
		}
	}
}
