/*
 * A strict parser for TOML 1.0. The first error ends it: what stands behind one is guesswork. Depth, elements and keys are
 * bounded, and no step looks at the text before it again, so that hostile files cost little.
 */
#include "policy/toml_parse.h"

#include <string.h>

enum { DEPTH_LIMIT = 16, NODE_LIMIT = 20000, KEY_LIMIT = 4096 };

struct parser {
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

/* ---- places and messages ---- */

static uint32_t column(struct parser *t)
{
	for (; t->mark < t->p; t->mark++)
		t->mark_col += ((unsigned char)*t->mark & 0xc0) != 0x80;
	return t->mark_col;
}

static void new_line(struct parser *t)
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

static bool fail_at(struct parser *t, uint32_t line, uint32_t col, const char *message)
{
	error_add(t->err, (struct origin){t->src->path, line, col}, NULL, "TOML parse error: %s", message);
	toml_excerpt(t->src, line, t->err);
	return false;
}

static bool fail(struct parser *t, const char *message)
{
	return fail_at(t, t->line, column(t), message);
}

static bool duplicate(struct parser *t, const char *key, uint32_t line, uint32_t col)
{
	auto_str text = {0};

	str_add(&text, "duplicate key `");
	str_add_escaped(&text, key);
	str_add(&text, "`");
	return fail_at(t, line, col, str_text(&text));
}

/* ---- blanks ---- */

static char peek(const struct parser *t)
{
	return t->p < t->end ? *t->p : 0;
}

static bool looking_at(const struct parser *t, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(t->end - t->p) >= n && memcmp(t->p, text, n) == 0;
}

static void skip_blanks(struct parser *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->p++;
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool skip_comment(struct parser *t)
{
	if (peek(t) != '#')
		return true;
	for (; t->p < t->end && *t->p != '\n'; t->p++) {
		if (*t->p == '\r' && t->p + 1 < t->end && t->p[1] == '\n')
			continue;
		if (is_control(*t->p))
			return fail(t, "control character in a comment");
	}
	return true;
}

/* One line end, when there is one. */
static bool take_newline(struct parser *t)
{
	if (looking_at(t, "\r\n"))
		t->p++;
	if (peek(t) != '\n' || t->p == t->end)
		return false;
	new_line(t);
	return true;
}

static bool skip_lines(struct parser *t)
{
	do {
		skip_blanks(t);
		if (!skip_comment(t))
			return false;
	} while (take_newline(t));
	return true;
}

/* ---- nodes ---- */

static struct toml_node *new_node(struct parser *t, enum toml_kind kind)
{
	if (++t->nodes > NODE_LIMIT) {
		fail(t, "more than 20000 values");
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

/* ---- strings ---- */

static void add_utf8(struct str *out, uint32_t c)
{
	if (c < 0x80) {
		str_add_char(out, (char)c);
		return;
	}
	unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	str_add_char(out, (char)((0xf00u >> (more + 1) & 0xff) | c >> 6 * more));
	while (more--)
		str_add_char(out, (char)(0x80 | (c >> 6 * more & 0x3f)));
}

static bool escape_code(struct parser *t, unsigned digits, struct str *out)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++, t->p++) {
		char d = peek(t);
		unsigned value = d >= '0' && d <= '9'	? (unsigned)(d - '0') :
				 d >= 'a' && d <= 'f' ? (unsigned)(d - 'a' + 10) :
				 d >= 'A' && d <= 'F' ? (unsigned)(d - 'A' + 10) :
							16;
		if (value > 15)
			return fail(t, "expected a hexadecimal digit");
		c = c << 4 | value;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return fail(t, "not a Unicode scalar value");
	if (c == 0)
		return fail(t, "NUL cannot stand in a policy");
	add_utf8(out, c);
	return true;
}

static bool escape(struct parser *t, bool multi, struct str *out)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *at;
	char c;

	t->p++;
	c = peek(t);
	at = c ? strchr(from, c) : NULL;
	if (at) {
		str_add_char(out, to[at - from]);
		t->p++;
		return true;
	}
	if (c == 'u' || c == 'U') {
		t->p++;
		return escape_code(t, c == 'u' ? 4 : 8, out);
	}
	/* A backslash at the end of a line takes the line end and the blanks behind it away. */
	if (multi) {
		const char *start = t->p;

		skip_blanks(t);
		if (take_newline(t)) {
			do
				skip_blanks(t);
			while (take_newline(t));
			return true;
		}
		t->p = start;
	}
	return fail(t, "invalid escape sequence");
}

/* The text of a string in quotes of one kind, `multi` when they are three. */
static const char *string_body(struct parser *t, char quote, bool multi)
{
	const char three[] = {quote, quote, quote, 0};
	auto_str out = {0};

	if (multi)
		take_newline(t); /* directly behind the opening quotes it does not count */
	for (;;) {
		if (t->p == t->end)
			return fail(t, "unterminated string"), NULL;
		char c = *t->p;
		if (c == quote && !multi) {
			t->p++;
			break;
		}
		if (c == quote && looking_at(t, three)) {
			t->p += 3;
			/* Up to two quotes may stand directly in front of the closing ones. */
			for (int i = 0; i < 2 && peek(t) == quote; i++, t->p++)
				str_add_char(&out, quote);
			break;
		}
		if (c == '\\' && quote == '"') {
			if (!escape(t, multi, &out))
				return NULL;
		} else if (multi && (c == '\n' || looking_at(t, "\r\n"))) {
			take_newline(t);
			str_add_char(&out, '\n');
		} else if (is_control(c)) {
			return fail(t, c == '\n' || c == '\r' ? "unterminated string" :
								"control character in a string"),
			       NULL;
		} else {
			str_add_char(&out, c);
			t->p++;
		}
	}
	return arena_strdup(t->arena, str_text(&out));
}

static const char *quoted(struct parser *t, bool multi_ok)
{
	char quote = peek(t);
	const char three[] = {quote, quote, quote, 0};
	bool multi = looking_at(t, three);

	if (multi && !multi_ok)
		return fail(t, "a key cannot be a multi-line string"), NULL;
	t->p += multi ? 3 : 1;
	return string_body(t, quote, multi);
}

/* ---- numbers and other words ---- */

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '-';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool all_match(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '0' ? !is_digit(*text) : *text != *pattern)
			return false;
	}
	return true;
}

/* Digits of `base` with single underscores between them; *end behind them. */
static bool scan_integer(const char *p, unsigned base, uint64_t *out, const char **end, bool *overflow)
{
	bool digit = false;

	*out = 0;
	*overflow = false;
	for (;; p++) {
		unsigned value = is_digit(*p)		  ? (unsigned)(*p - '0') :
				 *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10) :
				 *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A' + 10) :
							  16;
		if (*p == '_' && digit) {
			digit = false;
			continue;
		}
		if (value >= base)
			break;
		*overflow |= __builtin_mul_overflow(*out, base, out) ||
			     __builtin_add_overflow(*out, value, out);
		digit = true;
	}
	*end = p;
	return digit;
}

static bool is_float(const char *p)
{
	const char *end;
	uint64_t ignored;
	bool overflow;

	p += *p == '+' || *p == '-';
	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0)
		return true;
	if ((p[0] == '0' && is_digit(p[1])) || !scan_integer(p, 10, &ignored, &end, &overflow))
		return false;
	if (*end != '.' && *end != 'e' && *end != 'E')
		return false;
	if (*end == '.' && !scan_integer(end + 1, 10, &ignored, &end, &overflow))
		return false;
	if (*end == 'e' || *end == 'E') {
		end += 1 + (end[1] == '+' || end[1] == '-');
		if (!scan_integer(end, 10, &ignored, &end, &overflow))
			return false;
	}
	return !*end;
}

static bool integer(struct parser *t, struct toml_node *node)
{
	const char *p = node->text, *end;
	bool minus = *p == '-', sign = minus || *p == '+', overflow;
	uint64_t value;
	unsigned base = 10;

	p += sign;
	if (p[0] == '0' && p[1] && !sign) {
		base = p[1] == 'x' ? 16 : p[1] == 'o' ? 8 : p[1] == 'b' ? 2 : 0;
		p += 2;
	}
	if (!base || (sign && p[0] == '0' && p[1]) || !scan_integer(p, base, &value, &end, &overflow) || *end)
		return fail_at(t, node->line, node->col, "invalid value");
	if (overflow || value > (uint64_t)INT64_MAX + minus)
		return fail_at(t, node->line, node->col, "number too large to fit in 64 bits");
	node->number = minus ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

/* A run of letters, digits, signs, points and colons, classified. */
static bool word(struct parser *t, struct toml_node *node)
{
	const char *start = t->p;

	while (t->p < t->end && (is_word(*t->p) || *t->p == '+' || *t->p == '.' || *t->p == ':'))
		t->p++;
	/* A date may be followed by a blank and the time. */
	if (t->p - start == 10 && all_match(start, "0000-00-00") && t->end - t->p > 3 &&
	    all_match(t->p, " 00:")) {
		t->p++;
		while (t->p < t->end && (is_word(*t->p) || *t->p == '+' || *t->p == '.' || *t->p == ':'))
			t->p++;
	}
	node->text = arena_strndup(t->arena, start, (size_t)(t->p - start));
	if (!*node->text) {
		return fail_at(t, node->line, node->col, "expected a value");
	}
	if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
		node->kind = TOML_BOOLEAN;
		node->number = node->text[0] == 't';
		return true;
	}
	if (all_match(node->text, "0000-00-00") || all_match(node->text, "00:00")) {
		node->kind = TOML_DATETIME;
		return true;
	}
	if (is_float(node->text)) {
		node->kind = TOML_FLOAT;
		return true;
	}
	if (is_digit(node->text[0]) || node->text[0] == '+' || node->text[0] == '-')
		return integer(t, node);
	fail_at(t, node->line, node->col, "expected a value");
	error_hint(t->err, "text needs quotes");
	return false;
}

/* ---- keys ---- */

static const char *simple_key(struct parser *t)
{
	const char *start = t->p;

	if (peek(t) == '"' || peek(t) == '\'')
		return quoted(t, false);
	while (t->p < t->end && is_word(*t->p))
		t->p++;
	if (t->p == start)
		return fail(t, "expected a key"), NULL;
	return arena_strndup(t->arena, start, (size_t)(t->p - start));
}

static struct toml_node *add_child(struct parser *t, struct toml_node *parent, const char *key,
				   enum toml_kind kind, enum toml_origin how)
{
	struct toml_node *node = new_node(t, kind);

	if (!node)
		return NULL;
	if (parent->count >= KEY_LIMIT)
		return fail(t, "more than 4096 keys in one table"), NULL;
	node->key = key;
	node->how = how;
	append(parent, node);
	return node;
}

/* The table that `key`, which is not the last of a dotted key or header, leads to. */
static struct toml_node *descend(struct parser *t, struct toml_node *table, const char *key, bool header,
				 uint32_t line, uint32_t col)
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
	if (next->kind == TOML_TABLE && next->how != TOML_INLINE && (header || next->how == TOML_DOTTED))
		return next;
	duplicate(t, key, line, col);
	return NULL;
}

static bool value(struct parser *t, struct toml_node **out);

/* KEY[.KEY...] = VALUE into `table`. */
static bool pair(struct parser *t, struct toml_node *table)
{
	for (unsigned depth = 0;; depth++) {
		uint32_t line = t->line, col = column(t);
		const char *key = simple_key(t);
		struct toml_node *node;

		if (!key)
			return false;
		if (depth > DEPTH_LIMIT)
			return fail(t, "nested more than 16 deep");
		skip_blanks(t);
		if (peek(t) == '.') {
			t->p++;
			skip_blanks(t);
			table = descend(t, table, key, false, line, col);
			if (!table)
				return false;
			continue;
		}
		if (peek(t) != '=')
			return fail(t, "expected `.` or `=`");
		if (find(table, key))
			return duplicate(t, key, line, col);
		if (table->count >= KEY_LIMIT)
			return fail(t, "more than 4096 keys in one table");
		t->p++;
		skip_blanks(t);
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

static bool array(struct parser *t, struct toml_node *node)
{
	t->p++;
	for (;;) {
		struct toml_node *child;

		if (!skip_lines(t))
			return false;
		if (peek(t) == ']')
			break;
		if (!value(t, &child))
			return false;
		append(node, child);
		if (!skip_lines(t))
			return false;
		if (peek(t) == ',') {
			t->p++;
			continue;
		}
		if (peek(t) != ']')
			return fail(t, "expected `,` or `]`");
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

static bool inline_table(struct parser *t, struct toml_node *node)
{
	t->p++;
	skip_blanks(t);
	if (peek(t) != '}') {
		for (;;) {
			skip_blanks(t);
			if (!pair(t, node))
				return false;
			skip_blanks(t);
			if (peek(t) != ',')
				break;
			t->p++;
		}
	}
	if (peek(t) != '}')
		return fail(t, "expected `,` or `}`");
	t->p++;
	close_tables(node);
	return true;
}

static bool nested(struct parser *t, struct toml_node *node, bool (*parse)(struct parser *, struct toml_node *))
{
	if (++t->depth > DEPTH_LIMIT)
		return fail(t, "nested more than 16 deep");

	bool ok = parse(t, node);
	t->depth--;
	return ok;
}

static bool value(struct parser *t, struct toml_node **out)
{
	struct toml_node *node = new_node(t, TOML_INTEGER);

	*out = node;
	if (!node)
		return false;
	switch (peek(t)) {
	case '"':
	case '\'':
		node->kind = TOML_STRING;
		node->text = quoted(t, true);
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
		return word(t, node);
	}
}

/* ---- headers and lines ---- */

static struct toml_node *open_table(struct parser *t, struct toml_node *parent, const char *key, bool list,
				    uint32_t line, uint32_t col)
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
	node = add_child(t, parent, key, list ? TOML_ARRAY : TOML_TABLE, list ? TOML_TABLES : TOML_HEADER);
	if (!node)
		return NULL;
	node->key_line = node->line = line;
	node->key_col = node->col = col;
	return list ? open_table(t, parent, key, list, line, col) : node;
}

static bool header(struct parser *t)
{
	bool list = looking_at(t, "[[");
	struct toml_node *table = t->root;
	unsigned depth = 0;

	t->p += list ? 2 : 1;
	for (;;) {
		skip_blanks(t);
		uint32_t line = t->line, col = column(t);
		const char *key = simple_key(t);
		if (!key)
			return false;
		if (++depth > DEPTH_LIMIT)
			return fail(t, "nested more than 16 deep");
		skip_blanks(t);
		bool last = peek(t) != '.';
		table = last ? open_table(t, table, key, list, line, col) :
			       descend(t, table, key, true, line, col);
		if (!table)
			return false;
		if (last)
			break;
		t->p++;
	}
	if (!looking_at(t, list ? "]]" : "]"))
		return fail(t, list ? "expected `]]`" : "expected `.` or `]`");
	t->p += list ? 2 : 1;
	t->table = table;
	return true;
}

struct toml_node *toml_parse(const struct source *src, struct arena *arena, struct error *err)
{
	struct parser t = {
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
		fail(&t, "the file is not valid UTF-8 text");
		return NULL;
	}
	for (;;) {
		if (!skip_lines(&t))
			return NULL;
		if (t.p == t.end)
			return t.root;
		if (peek(&t) == '[' ? !header(&t) : !pair(&t, t.table))
			return NULL;
		skip_blanks(&t);
		if (!skip_comment(&t))
			return NULL;
		if (t.p < t.end && !take_newline(&t)) {
			fail(&t, "expected a newline");
			return NULL;
		}
	}
}
