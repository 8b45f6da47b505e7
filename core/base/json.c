/* JSON writer (RFC 8259). */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

static void quoted(struct str *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	str_add_char(out, '"');
	for (; *p; p++) {
		if (*p == '"' || *p == '\\') {
			str_add_char(out, '\\');
			str_add_char(out, (char)*p);
		} else if (*p < 0x20 || *p == 0x7f) {
			str_printf(out, "\\u%04x", *p);
		} else if (*p < 0x80) {
			str_add_char(out, (char)*p);
		} else {
			size_t left = strlen((const char *)p);
			size_t n = 2;

			while (n <= 4 && !(n <= left && utf8_valid((const char *)p, n)))
				n++;
			if (n > 4) {
				str_add(out, "\xef\xbf\xbd");
				continue;
			}
			str_add_bytes(out, p, n);
			p += n - 1;
		}
	}
	str_add_char(out, '"');
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		str_add_char(j->out, ',');
	if (key) {
		quoted(j->out, key);
		str_add_char(j->out, ':');
	}
	j->comma = true;
}

static void open_with(struct json *j, const char *key, char c)
{
	begin(j, key);
	str_add_char(j->out, c);
	j->comma = false;
}

static void close_with(struct json *j, char c)
{
	str_add_char(j->out, c);
	j->comma = true;
}

void json_object(struct json *j, const char *key)
{
	open_with(j, key, '{');
}

void json_array(struct json *j, const char *key)
{
	open_with(j, key, '[');
}

void json_end_object(struct json *j)
{
	close_with(j, '}');
}

void json_end_array(struct json *j)
{
	close_with(j, ']');
}

void json_string(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	quoted(j->out, value);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	begin(j, key);
	str_printf(j->out, "%" PRIu64, value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	begin(j, key);
	str_printf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	str_add(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	str_add(j->out, "null");
}
