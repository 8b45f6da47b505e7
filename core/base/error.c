/* Collects and lays out diagnostics. */
#include "base/error.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *format(struct error *err, const char *fmt, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);

	size_t size = len < 0 ? 1 : (size_t)len + 1;
	char *text = arena_alloc(&err->arena, size);
	vsnprintf(text, size, fmt, args);
	return text;
}

static struct diagnostic *append(struct error *err)
{
	err->list = arena_grow(&err->arena, err->list, err->count, &err->cap, sizeof *err->list);
	return &err->list[err->count++];
}

/* The diagnostic to fill, or NULL when the list is full. */
static struct diagnostic *append_error(struct error *err)
{
	if (err->errors == ERROR_LIMIT) {
		err->dropped++;
		return NULL;
	}
	err->errors++;
	return append(err);
}

bool error_add(struct error *err, struct origin origin, const char *key, const char *fmt, ...)
{
	struct diagnostic *d = append_error(err);
	va_list args;

	if (!d)
		return false;
	va_start(args, fmt);
	*d = (struct diagnostic){
		.severity = SEVERITY_ERROR,
		.origin = origin,
		.key = key ? arena_strdup(&err->arena, key) : NULL,
		.message = format(err, fmt, args),
	};
	va_end(args);
	return false;
}

bool error_add_errno(struct error *err, struct origin origin, const char *key, int errnum,
		     const char *fmt, ...)
{
	struct diagnostic *d = append_error(err);
	va_list args;

	if (!d)
		return false;
	va_start(args, fmt);
	const char *what = format(err, fmt, args);
	va_end(args);
	*d = (struct diagnostic){
		.severity = SEVERITY_ERROR,
		.origin = origin,
		.key = key ? arena_strdup(&err->arena, key) : NULL,
		.message = arena_printf(&err->arena, "%s: %s", what, strerror(errnum)),
	};
	return false;
}

void error_warn(struct error *err, struct origin origin, const char *key, const char *id,
		const char *fmt, ...)
{
	struct diagnostic *d = append(err);
	va_list args;

	va_start(args, fmt);
	*d = (struct diagnostic){
		.severity = SEVERITY_WARNING,
		.origin = origin,
		.id = id,
		.key = key ? arena_strdup(&err->arena, key) : NULL,
		.message = format(err, fmt, args),
	};
	va_end(args);
}

void error_say(struct error *err, const char *fmt, ...)
{
	struct diagnostic *d = append(err);
	va_list args;

	va_start(args, fmt);
	*d = (struct diagnostic){.severity = SEVERITY_PLAIN, .message = format(err, fmt, args)};
	va_end(args);
}

static bool full(const struct error *err)
{
	return err->count == 0 || err->dropped;
}

void error_hint(struct error *err, const char *fmt, ...)
{
	va_list args;

	if (full(err))
		return;
	va_start(args, fmt);
	err->list[err->count - 1].hint = format(err, fmt, args);
	va_end(args);
}

void error_note(struct error *err, const char *fmt, ...)
{
	va_list args;

	if (full(err))
		return;
	va_start(args, fmt);
	err->list[err->count - 1].note = format(err, fmt, args);
	va_end(args);
}

void error_excerpt(struct error *err, const char *line, size_t len, uint32_t width)
{
	if (full(err))
		return;
	err->list[err->count - 1].excerpt = arena_strndup(&err->arena, line, MIN(len, (size_t)512));
	err->list[err->count - 1].width = width;
}

const char *error_quote(struct error *err, const char *text)
{
	auto_str s = {0};
	size_t len = strlen(text);

	str_add_char(&s, '"');
	str_add_escaped(&s, len > 256 ? arena_strndup(&err->arena, text, 256) : text);
	str_add(&s, len > 256 ? "...\"" : "\"");
	return arena_strdup(&err->arena, str_text(&s));
}

void origin_words(struct origin origin, struct str *out)
{
	if (!origin.file)
		return;
	str_add_escaped(out, origin.file);
	if (origin.line)
		str_printf(out, ":%u", origin.line);
	if (origin.line && origin.col)
		str_printf(out, ":%u", origin.col);
}

const char *error_place(struct error *err, struct origin origin)
{
	auto_str s = {0};

	origin_words(origin, &s);
	return arena_strdup(&err->arena, str_text(&s));
}

static void add_excerpt(struct str *out, const struct diagnostic *d)
{
	auto_str line = {0};

	str_add_escaped(&line, d->excerpt);
	str_printf(out, "    %s\n", str_text(&line));
	if (!d->origin.col || d->origin.col > strlen(d->excerpt) + 1)
		return;
	str_printf(out, "    %*s^", (int)d->origin.col - 1, "");
	for (uint32_t i = 1; i < d->width && i < 80; i++)
		str_add_char(out, '~');
	str_add_char(out, '\n');
}

void error_format(const struct error *err, struct str *out)
{
	static const char *const severity[] = {"error: ", "warning: ", "note: ", ""};

	for (size_t i = 0; i < err->count; i++) {
		const struct diagnostic *d = &err->list[i];

		str_printf(out, "sandlock: %s", severity[d->severity]);
		if (d->id)
			str_printf(out, "[%s] ", d->id);
		if (d->origin.file) {
			origin_words(d->origin, out);
			str_add(out, ": ");
		}
		if (d->key)
			str_printf(out, "%s: ", d->key);
		str_printf(out, "%s\n", d->message);
		if (d->excerpt)
			add_excerpt(out, d);
		if (d->note)
			str_printf(out, "sandlock: note: %s\n", d->note);
		if (d->hint)
			str_printf(out, "sandlock: hint: %s\n", d->hint);
	}
	if (err->dropped)
		str_printf(out, "sandlock: error: too many errors (%zu more not shown)\n",
			   err->dropped);
}

void error_format_json(const struct error *err, int code, struct str *out)
{
	for (size_t i = 0; i < err->count; i++) {
		const struct diagnostic *d = &err->list[i];
		struct json j = {.out = out};

		json_object(&j, NULL);
		json_object(&j, d->severity == SEVERITY_ERROR ? "error" : "warning");
		json_i64(&j, "code", code);
		json_string(&j, "message", d->message);
		if (d->key)
			json_string(&j, "key", d->key);
		if (d->origin.file)
			json_string(&j, "file", d->origin.file);
		if (d->origin.line)
			json_u64(&j, "line", d->origin.line);
		if (d->origin.col)
			json_u64(&j, "col", d->origin.col);
		if (d->hint)
			json_string(&j, "hint", d->hint);
		json_end_object(&j);
		json_end_object(&j);
		str_add_char(out, '\n');
	}
}

void error_free(struct error *err)
{
	arena_free(&err->arena);
	*err = (struct error){0};
}
