/* Strings, numbers and words of TOML. Must never look past the end of the source, and never step back over a line end. */
#include "policy/toml_lex.h"

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

static bool escape_code(struct toml_parser *t, unsigned digits, struct str *out)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++, t->p++) {
		char d = toml_peek(t);
		unsigned value = d >= '0' && d <= '9'	? (unsigned)(d - '0')
				 : d >= 'a' && d <= 'f' ? (unsigned)(d - 'a' + 10)
				 : d >= 'A' && d <= 'F' ? (unsigned)(d - 'A' + 10)
							: 16;
		if (value > 15)
			return toml_fail(t, "expected a hexadecimal digit");
		c = c << 4 | value;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return toml_fail(t, "not a Unicode scalar value");
	if (c == 0)
		return toml_fail(t, "NUL cannot stand in a policy");
	add_utf8(out, c);
	return true;
}

static bool escape(struct toml_parser *t, bool multi, struct str *out)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *at;
	char c;

	t->p++;
	c = toml_peek(t);
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

		toml_skip_blanks(t);
		if (toml_take_newline(t)) {
			do
				toml_skip_blanks(t);
			while (toml_take_newline(t));
			return true;
		}
		t->p = start;
	}
	return toml_fail(t, "invalid escape sequence");
}

/* The text of a string in quotes of one kind, `multi` when they are three. */
static const char *string_body(struct toml_parser *t, char quote, bool multi)
{
	const char three[] = {quote, quote, quote, 0};
	auto_str out = {0};

	if (multi)
		toml_take_newline(t); /* directly behind the opening quotes it does not count */
	for (;;) {
		if (t->p == t->end)
			return toml_fail(t, "unterminated string"), NULL;
		char c = *t->p;
		if (c == quote && !multi) {
			t->p++;
			break;
		}
		if (c == quote && toml_looking_at(t, three)) {
			t->p += 3;
			/* Up to two quotes may stand directly in front of the closing ones. */
			for (int i = 0; i < 2 && toml_peek(t) == quote; i++, t->p++)
				str_add_char(&out, quote);
			break;
		}
		if (c == '\\' && quote == '"') {
			if (!escape(t, multi, &out))
				return NULL;
		} else if (multi && (c == '\n' || toml_looking_at(t, "\r\n"))) {
			toml_take_newline(t);
			str_add_char(&out, '\n');
		} else if (toml_is_control(c)) {
			return toml_fail(t, c == '\n' || c == '\r'
						    ? "unterminated string"
						    : "control character in a string"),
			       NULL;
		} else {
			str_add_char(&out, c);
			t->p++;
		}
	}
	return arena_strdup(t->arena, str_text(&out));
}

const char *toml_quoted(struct toml_parser *t, bool multi_ok)
{
	char quote = toml_peek(t);
	const char three[] = {quote, quote, quote, 0};
	bool multi = toml_looking_at(t, three);

	if (multi && !multi_ok)
		return toml_fail(t, "a key cannot be a multi-line string"), NULL;
	t->p += multi ? 3 : 1;
	return string_body(t, quote, multi);
}

/* ---- numbers and other words ---- */

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
static bool scan_integer(const char *p, unsigned base, uint64_t *out, const char **end,
			 bool *overflow)
{
	bool digit = false;

	*out = 0;
	*overflow = false;
	for (;; p++) {
		unsigned value = is_digit(*p)		  ? (unsigned)(*p - '0')
				 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
				 : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A' + 10)
							  : 16;
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

static bool integer(struct toml_parser *t, struct toml_node *node)
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
	if (!base || (sign && p[0] == '0' && p[1]) ||
	    !scan_integer(p, base, &value, &end, &overflow) || *end)
		return toml_fail_at(t, node->line, node->col, "invalid value");
	if (overflow || value > (uint64_t)INT64_MAX + minus)
		return toml_fail_at(t, node->line, node->col, "number too large to fit in 64 bits");
	node->number = minus ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

/* A run of letters, digits, signs, points and colons, classified. */
bool toml_word(struct toml_parser *t, struct toml_node *node)
{
	const char *start = t->p;

	while (t->p < t->end &&
	       (toml_is_word(*t->p) || *t->p == '+' || *t->p == '.' || *t->p == ':'))
		t->p++;
	/* A date may be followed by a blank and the time. */
	if (t->p - start == 10 && all_match(start, "0000-00-00") && t->end - t->p > 3 &&
	    all_match(t->p, " 00:")) {
		t->p++;
		while (t->p < t->end &&
		       (toml_is_word(*t->p) || *t->p == '+' || *t->p == '.' || *t->p == ':'))
			t->p++;
	}
	node->text = arena_strndup(t->arena, start, (size_t)(t->p - start));
	if (!*node->text) {
		return toml_fail_at(t, node->line, node->col, "expected a value");
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
	toml_fail_at(t, node->line, node->col, "expected a value");
	error_hint(t->err, "text needs quotes");
	return false;
}
