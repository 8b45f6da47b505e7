/*
 * Reads and edits the environment. Runs before main and before any thread of the program could use it.
 * Must never free or move a string of the program: others may hold pointers to it.
 */
#include "environment.h"

#include <errno.h>

enum { MARK_TEXT_ROOM = 32 };

static const char variable[] = CONFINE_VARIABLE;
static const char preload[] = "LD_PRELOAD=";
static const char done_prefix[] = CONFINE_VARIABLE "_DONE=";

void settings_read(char *const *environment, struct settings *settings)
{
	const char *value;

	*settings = (struct settings){0};
	for (; *environment; environment++) {
		const char *rest = text_after(*environment, variable);

		if (!rest)
			continue;
		if ((value = text_after(rest, "=")))
			settings->path = value; /* an empty one is a mistake, and refused */
		else if ((value = text_after(rest, "_FD=")))
			settings->fd = value;
		else if ((value = text_after(rest, "_ACK=")))
			settings->ack = value;
		else if ((value = text_after(rest, "_DONE=")))
			settings->done = value;
		else if ((value = text_after(rest, "_KEEP=")))
			settings->keep = text_same(value, "1");
		else if ((value = text_after(rest, "_DEBUG=")))
			settings->debug = text_same(value, "1");
	}
}

static bool is_separator(char c)
{
	return c == ':' || c == ' '; /* ld.so(8) takes both */
}

static bool is_ours(const char *entry, size_t length)
{
	static const char name[] = CONFINE_LIBRARY;
	const size_t n = sizeof name - 1;

	return length >= n && memcmp(entry + length - n, name, n) == 0 &&
	       (length == n || entry[length - n - 1] == '/');
}

/* Takes this library out of a list, in place; false when nothing is left. */
static bool strip_preload(char *list)
{
	char *out = list;

	for (const char *in = list; *in;) {
		size_t n = 0;

		while (in[n] && !is_separator(in[n]))
			n++;
		if (n && !is_ours(in, n)) {
			if (out != list)
				*out++ = ':';
			memmove(out, in, n);
			out += n;
		}
		in += n;
		while (is_separator(*in))
			in++;
	}
	*out = '\0';
	return out != list;
}

/* Does NAME or PREFIX* name the entry NAME=VALUE? */
static bool matches(const char *entry, const char *pattern)
{
	const char *e = entry, *p = pattern;

	while (*p && *p == *e && *e != '=')
		p++, e++;
	return (!*p && *e == '=') || (*p == '*' && !p[1]);
}

static bool kept_by_policy(const char *entry, const struct confine_parts *parts)
{
	if (!(parts->record->flags & CONFINE_ONLY_KEPT))
		return true;
	for (uint32_t i = 0; i < parts->env_count && parts->env[i].kind == ENV_KEEP; i++)
		if (matches(entry, image_text(parts->image, parts->env[i].text)))
			return true;
	return false;
}

static bool stays(char *entry, const struct confine_parts *parts, const struct settings *settings)
{
	const char *rest = text_after(entry, variable);
	const char *list = text_after(entry, preload);

	if (rest && *rest != '=' && *rest != '_') /* SANDLOCK_CONFINED is somebody else's */
		rest = NULL;
	if (rest) /* descriptors are closed by now, and the mark is set anew */
		return settings->keep && !text_after(rest, "_FD=") && !text_after(rest, "_ACK=") &&
		       !text_after(rest, "_ROOM=") && !text_after(rest, "_DONE=");
	if (settings->keep && list)
		return true;
	if (!kept_by_policy(entry, parts))
		return false;
	return !list || strip_preload(entry + sizeof preload - 1);
}

/* Where a new entry NAME=VALUE goes: over the old one of that name, or behind the last. */
static void set_entry(char **array, size_t *count, char *entry)
{
	size_t name = 0;

	while (entry[name] != '=')
		name++;
	for (size_t i = 0; i < *count; i++)
		if (memcmp(array[i], entry, MIN(text_length(array[i]), name + 1)) == 0 &&
		    text_length(array[i]) > name) {
			array[i] = entry;
			return;
		}
	array[(*count)++] = entry;
	array[*count] = NULL;
}

bool environment_edit(const struct confine_parts *parts, const struct settings *settings,
		      const char *mark, struct failure *failure)
{
	size_t before = 0, count = 0, added = 0, bytes = sizeof done_prefix + MARK_TEXT_ROOM;
	bool marked = settings->keep && *mark;

	while (environ[before]) {
		char *entry = environ[before++];

		if (stays(entry, parts, settings))
			environ[count++] = entry;
	}
	for (size_t i = count; i < before; i++)
		environ[i] = NULL;

	for (uint32_t i = 0; i < parts->env_count; i++)
		if (parts->env[i].kind == ENV_SET) {
			bytes += text_length(image_text(parts->image, parts->env[i].text)) + 1;
			added++;
		}
	added += marked;
	if (!added)
		return true;

	/* The array first, when the old one has no room: it needs the alignment. */
	size_t slots = count + added > before ? count + added + 1 : 0;
	char *memory = map_memory(slots * sizeof *environ + bytes);
	char **array = environ;
	if (!memory)
		return failed(failure, "environment", NULL, -ENOMEM, NULL);
	if (slots) {
		array = (char **)(void *)memory;
		memcpy(array, environ, count * sizeof *array);
		memory += slots * sizeof *array;
	}
	for (uint32_t i = 0; i < parts->env_count; i++) {
		const char *text = image_text(parts->image, parts->env[i].text);
		size_t n = text_length(text) + 1;

		if (parts->env[i].kind != ENV_SET)
			continue;
		memcpy(memory, text, n);
		set_entry(array, &count, memory);
		memory += n;
	}
	if (marked) {
		memcpy(memory, done_prefix, sizeof done_prefix);
		text_copy(memory + sizeof done_prefix - 1, mark, MARK_TEXT_ROOM);
		set_entry(array, &count, memory);
	}
	environ = array;
	return true;
}
