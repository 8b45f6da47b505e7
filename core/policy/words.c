/* Names and identities: sandbox and host names, identifiers, environment entries, users, resource limits. */
#include "policy/values.h"

#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- names ---- */

bool value_name(const char *text, struct complaint *c)
{
	if (!*text)
		return complain(c, "a sandbox name must not be empty");
	if (strlen(text) > 64)
		return complain(c, "a sandbox name has at most 64 bytes");
	if (strchr(text, '/'))
		return complain(c, "a sandbox name must not contain \"/\"");
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return complain(c, "a sandbox name must not be \".\" or \"..\"");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return complain(
				c,
				"a sandbox name must not contain whitespace or control characters");
	return true;
}

bool name_is_plain(const char *text)
{
	if (!is_letter(*text) && !is_digit(*text))
		return false;
	for (const char *p = text; *p; p++)
		if (!is_letter(*p) && !is_digit(*p) && !strchr("._-", *p))
			return false;
	return strlen(text) <= 64;
}

bool value_hostname(const char *text, struct complaint *c)
{
	if (!*text)
		return complain(c, "a host name must not be empty");
	if (strlen(text) > 64)
		return complain(c, "a host name has at most 64 bytes");
	for (const char *p = text; *p; p++)
		if (!is_letter(*p) && !is_digit(*p) && *p != '-' && *p != '.')
			return complain(c, "a host name has letters, digits, \"-\" and \".\" only");
	if (*text == '-' || *text == '.')
		return complain(c, "a host name starts with a letter or digit");
	return true;
}

bool value_identifier(const char *text, bool prefix_ok, struct complaint *c)
{
	size_t len = strlen(text);

	if (len == 0)
		return complain(c, "empty name");
	if (prefix_ok && text[len - 1] == '*')
		len--;
	for (size_t i = 0; i < len; i++)
		if (!is_letter(text[i]) && text[i] != '_' && !(i && is_digit(text[i]))) {
			complain(c, "a name has letters, digits and \"_\" only");
			if (prefix_ok)
				suggest(c, "a * may stand at the end: LC_*");
			return false;
		}
	return true;
}

/* ---- environment ---- */

bool value_env_key(const char *key, struct complaint *c)
{
	if (!*key)
		return complain(c, "the name of a variable must not be empty");
	if (strchr(key, '='))
		return complain(c, "the name of a variable must not contain \"=\"");
	return true;
}

bool value_env(const char *text, struct item *out, struct complaint *c)
{
	const char *equals = strchr(text, '=');

	if (!*text || equals == text) {
		complain(c, "the name of the variable is empty");
		suggest(c, "write KEY=VALUE, or KEY to hand on the caller's value");
		return false;
	}
	out->text = text;
	if (!equals)
		out->flags |= ITEM_PASS;
	return true;
}

/* ---- users ---- */

static const char *trim(struct arena *arena, const char *start, size_t len)
{
	while (len && *start == ' ') {
		start++;
		len--;
	}
	while (len && start[len - 1] == ' ')
		len--;
	return arena_strndup(arena, start, len);
}

/* A number or a name; *numeric tells which. */
static bool user_part(const char *text, uint64_t *id, bool *numeric, struct complaint *c)
{
	*numeric = is_digit(*text);
	if (!*text) {
		complain(c, "a part is empty");
		suggest(c, "write UID:GID, or names");
		return false;
	}
	if (*numeric)
		return value_uint(text, 0, UINT32_MAX - 1, id, c);
	for (const char *p = text; *p; p++)
		if (!is_letter(*p) && !is_digit(*p) && !strchr("._-$", *p))
			return complain(c, "expected a number or a user name");
	if (*text == '-')
		return complain(c, "expected a number or a user name");
	return true;
}

bool value_user(const char *text, struct item *out, struct complaint *c)
{
	const char *colon = strchr(text, ':');
	const char *user = trim(c->arena, text, colon ? (size_t)(colon - text) : strlen(text));
	bool number = false, group_number = false;

	if (!user_part(user, &out->num, &number, c))
		return false;
	out->text = user;
	if (!colon)
		return true;

	const char *group = trim(c->arena, colon + 1, strlen(colon + 1));
	if (!user_part(group, &out->num2, &group_number, c))
		return false;
	out->text = arena_printf(c->arena, "%s:%s", user, group);
	if (number && group_number)
		out->flags |= ITEM_NUMERIC;
	return true;
}

/* ---- resource limits ---- */

enum limit_unit { UNIT_NUMBER, UNIT_BYTES, UNIT_SECONDS, UNIT_MICROSECONDS };

static const struct {
	const char *name;
	enum limit_unit unit;
} limits[] = {
	{"cpu", UNIT_SECONDS},	  {"fsize", UNIT_BYTES},
	{"data", UNIT_BYTES},	  {"stack", UNIT_BYTES},
	{"core", UNIT_BYTES},	  {"rss", UNIT_BYTES},
	{"nproc", UNIT_NUMBER},	  {"nofile", UNIT_NUMBER},
	{"memlock", UNIT_BYTES},  {"as", UNIT_BYTES},
	{"locks", UNIT_NUMBER},	  {"sigpending", UNIT_NUMBER},
	{"msgqueue", UNIT_BYTES}, {"nice", UNIT_NUMBER},
	{"rtprio", UNIT_NUMBER},  {"rttime", UNIT_MICROSECONDS},
};

static const char *limit_name(size_t index, const void *ctx UNUSED)
{
	return limits[index].name;
}

static bool limit_value(const char *text, enum limit_unit unit, uint64_t *out, struct complaint *c)
{
	uint64_t per = unit == UNIT_SECONDS ? 1000000000 : 1000;
	bool digits = *text != '\0';

	if (strcmp(text, "unlimited") == 0 || strcmp(text, "infinity") == 0) {
		*out = UINT64_MAX;
		return true;
	}
	for (const char *p = text; *p; p++)
		digits &= is_digit(*p);
	if (digits || unit == UNIT_NUMBER)
		return value_uint(text, 0, UINT64_MAX, out, c);
	if (unit == UNIT_BYTES)
		return value_size(text, out, NULL, c);
	if (!value_duration(text, out, c))
		return false;
	if (*out % per)
		return complain(c, "not a whole number of %s",
				unit == UNIT_SECONDS ? "seconds" : "microseconds");
	*out /= per;
	return true;
}

bool value_rlimit(const char *text, struct item *out, struct complaint *c)
{
	const char *equals = strchr(text, '=');
	size_t i = 0;

	if (!equals) {
		complain(c, "expected NAME=SOFT[:HARD]");
		suggest(c, "write nproc=64, fsize=1G or stack=8M:unlimited");
		return false;
	}

	char *name = arena_strndup(c->arena, text, (size_t)(equals - text));
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	while (i < ARRAY_LEN(limits) && strcmp(limits[i].name, name) != 0)
		i++;
	if (i == ARRAY_LEN(limits)) {
		const char *near = nearest_name(name, ARRAY_LEN(limits), limit_name, NULL);

		complain(c, "unknown limit");
		if (near)
			suggest(c, "did you mean \"%s\"?", near);
		else
			suggest(c,
				"the limits are cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, "
				"as, locks, sigpending, msgqueue, nice, rtprio and rttime");
		return false;
	}

	const char *soft = equals + 1, *colon = strchr(soft, ':');
	if (colon && strchr(colon + 1, ':'))
		return complain(c, "more than one \":\"");
	if (colon)
		soft = arena_strndup(c->arena, soft, (size_t)(colon - soft));
	if (!limit_value(soft, limits[i].unit, &out->num, c))
		return false;
	out->num2 = out->num;
	if (colon && !limit_value(colon + 1, limits[i].unit, &out->num2, c))
		return false;
	if (out->num > out->num2)
		return complain(c, "the soft limit is above the hard limit");
	out->text = limits[i].name;
	return true;
}
