/*
 * YAML as a stream of events, with the rules that make it harmless: no anchors, aliases, tags, merge keys or second documents,
 * bounded depth and size, and a place and source line for whatever is wrong.
 */
#include "policy/yaml_events.h"

#include <string.h>

enum { YAML_MAX_DEPTH = 16, YAML_MAX_NODES = 20000 };

/* ---- diagnostics ---- */

static struct origin yaml_place(const struct yaml_reader *l, yaml_mark_t mark)
{
	if (l->fixed.file)
		return l->fixed;
	return (struct origin){l->src->path, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

struct origin yaml_here(const struct yaml_reader *l)
{
	return yaml_place(l, l->event.start_mark);
}

uint32_t yaml_width(const struct yaml_reader *l)
{
	yaml_mark_t a = l->event.start_mark, b = l->event.end_mark;

	return a.line == b.line && b.column > a.column ? (uint32_t)(b.column - a.column) : 1;
}

/* The source line under each diagnostic that was added since there were `from`. */
void yaml_excerpts(struct yaml_reader *l, size_t from, uint32_t width)
{
	const char *end = l->src->text + l->src->size;

	for (size_t i = from; i < l->err->count; i++) {
		struct diagnostic *d = &l->err->list[i];
		const char *line = l->src->text, *stop;

		if (l->fixed.file || d->excerpt || !d->origin.line)
			continue;
		for (uint32_t n = 1; n < d->origin.line && line < end; n++) {
			const char *newline = memchr(line, '\n', (size_t)(end - line));

			line = newline ? newline + 1 : end;
		}
		stop = memchr(line, '\n', (size_t)(end - line));
		d->excerpt = arena_strndup(&l->err->arena, line,
					   MIN((size_t)((stop ? stop : end) - line), (size_t)512));
		d->width = width;
	}
}

/* One error at `origin`; the hint may be NULL. */
void yaml_report(struct yaml_reader *l, struct origin origin, const char *key, uint32_t width,
		 const char *hint, const char *message)
{
	size_t from = l->err->count;

	l->ok = false;
	error_add(l->err, origin, key, "%s", message);
	if (hint)
		error_hint(l->err, "%s", hint);
	yaml_excerpts(l, from, width);
}

void yaml_report_here(struct yaml_reader *l, const char *key, const char *hint, const char *message)
{
	yaml_report(l, yaml_here(l), key, yaml_width(l), hint, message);
}

char *yaml_message(struct yaml_reader *l, const char *before, const char *quoted, const char *after)
{
	return arena_printf(&l->err->arena, "%s%s%s", before, error_quote(l->err, quoted), after);
}

/* ---- events ---- */

static bool says(const char *text, const char *part)
{
	return text && strstr(text, part);
}

static void syntax_error(struct yaml_reader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *hint = NULL, *problem = p->problem ? p->problem : "not valid YAML";
	const char *text = problem;

	if (says(p->context, "an alias") || says(p->context, "an anchor")) {
		text = "a plain value cannot start with * or &";
		hint = "quote it: \"*\"";
	} else if (says(p->context, "flow") || says(problem, "did not find expected ',' or")) {
		hint = "inside [...] and {...}, quote values that contain ${, \": \", # or a comma, or that "
		       "start with *";
	} else if (says(problem, "cannot start any token")) {
		hint = "quote values that start with @, `, % or a tab; indent with blanks";
	} else if (says(problem, "mapping values are not allowed")) {
		hint = "quote values that contain \": \", and indent keys of one level alike";
	}
	if (p->error == YAML_READER_ERROR)
		text = arena_printf(&l->err->arena, "not UTF-8 text: %s", problem);
	yaml_report(l, yaml_place(l, p->problem_mark), NULL, 1, hint, text);
	l->broken = true;
}

/* The next event; false when the input is broken, and then nothing more is read. */
bool yaml_next(struct yaml_reader *l)
{
	if (l->have_event)
		yaml_event_delete(&l->event);
	l->have_event = false;
	if (l->broken)
		return false;
	if (!yaml_parser_parse(&l->parser, &l->event)) {
		syntax_error(l);
		return false;
	}
	l->have_event = true;

	yaml_event_type_t type = l->event.type;
	bool opens = type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
	if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
		l->depth--;
	l->depth += opens;
	l->nodes += opens || type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT;
	if (l->depth > YAML_MAX_DEPTH || l->nodes > YAML_MAX_NODES) {
		yaml_report_here(l, NULL, NULL,
				 l->depth > YAML_MAX_DEPTH ? "nested more than 16 deep"
							   : "more than 20000 values");
		l->broken = true;
	}
	if (l->err->dropped)
		l->broken = true;
	return !l->broken;
}

/* Anchors and tags on the current node: refused, but reading goes on. */
void yaml_check_node(struct yaml_reader *l)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch ((int)l->event.type) {
	case YAML_ALIAS_EVENT:
		yaml_report_here(l, NULL, "if the value is meant, quote it",
				 "aliases are not accepted");
		return;
	case YAML_SCALAR_EVENT:
		anchor = l->event.data.scalar.anchor;
		tag = l->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = l->event.data.sequence_start.anchor;
		tag = l->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = l->event.data.mapping_start.anchor;
		tag = l->event.data.mapping_start.tag;
		break;
	default:
		return;
	}
	if (anchor)
		yaml_report_here(l, NULL, "if the value is meant, quote it",
				 "anchors are not accepted");
	if (tag)
		yaml_report_here(l, NULL, "if the value is meant, quote it",
				 "tags are not accepted");
}

/* Reads past the node that the current event starts. */
void yaml_skip(struct yaml_reader *l)
{
	unsigned depth = 0;

	if (!l->have_event)
		return;
	do {
		switch ((int)l->event.type) {
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			depth++;
			break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			depth--;
			break;
		default:
			break;
		}
	} while (depth && yaml_next(l));
}

bool yaml_is(const struct yaml_reader *l, yaml_event_type_t type)
{
	return l->have_event && l->event.type == type;
}

/* The text of the current scalar, which libyaml ends with NUL; NULL (reported) when it is no scalar or contains NUL. */
const char *yaml_scalar(struct yaml_reader *l, const char *key, const char *expected)
{
	yaml_check_node(l);
	if (yaml_is(l, YAML_ALIAS_EVENT))
		return NULL;
	if (!yaml_is(l, YAML_SCALAR_EVENT)) {
		yaml_report_here(
			l, key, NULL,
			arena_printf(&l->err->arena, "expected %s, not a %s", expected,
				     yaml_is(l, YAML_MAPPING_START_EVENT) ? "mapping" : "list"));
		yaml_skip(l);
		return NULL;
	}

	const char *text = (const char *)l->event.data.scalar.value;
	if (strlen(text) != l->event.data.scalar.length) {
		yaml_report_here(l, key, NULL, "a NUL byte is not accepted");
		return NULL;
	}
	return text;
}

bool yaml_is_null(const struct yaml_reader *l)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (!yaml_is(l, YAML_SCALAR_EVENT) || l->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp((const char *)l->event.data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

/* ---- mappings ---- */

bool yaml_next_key(struct yaml_reader *l, struct yaml_key *key)
{
	while (yaml_next(l) && !yaml_is(l, YAML_MAPPING_END_EVENT)) {
		const char *text = yaml_scalar(l, NULL, "a name as the key");

		*key = (struct yaml_key){.origin = yaml_here(l), .width = yaml_width(l)};
		if (text && strcmp(text, "<<") == 0 &&
		    l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
			yaml_report_here(l, NULL, "use extends",
					 "merge keys (<<) are not accepted");
			text = NULL;
		}
		if (text) {
			key->text = arena_strdup(l->policy->arena, text);
			return yaml_next(l); /* the value is current */
		}
		if (yaml_next(l)) {
			yaml_check_node(l);
			yaml_skip(l);
		}
	}
	return false;
}

void yaml_duplicate(struct yaml_reader *l, const char *key, struct yaml_key k, struct origin first)
{
	size_t from = l->err->count;

	l->ok = false;
	error_add(l->err, k.origin, key, "%s is given twice", error_quote(l->err, k.text));
	error_note(l->err, "first defined at %s", error_place(l->err, first));
	yaml_excerpts(l, from, k.width);
}

/* ---- documents ---- */

void yaml_open(struct yaml_reader *l)
{
	l->ok = true;
	if (!yaml_parser_initialize(&l->parser)) {
		l->broken = true;
		l->ok = error_add(l->err, NO_ORIGIN, NULL, "out of memory");
		return;
	}
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)l->src->text, l->src->size);
}

bool yaml_close(struct yaml_reader *l)
{
	if (l->have_event)
		yaml_event_delete(&l->event);
	yaml_parser_delete(&l->parser);
	policy_settle(l->policy);
	return l->ok;
}

/* Exactly one document, whose root node `read` takes. */
void yaml_document(struct yaml_reader *l, void (*read)(struct yaml_reader *, enum option_id),
		   enum option_id id)
{
	for (int i = 0; i < 2; i++) /* stream start, document start */
		if (!yaml_next(l))
			return;
	if (yaml_is(l, YAML_STREAM_END_EVENT)) {
		yaml_report_here(l, NULL, NULL, "empty: a policy is a mapping of sections");
		return;
	}
	if (!yaml_next(l))
		return;
	read(l, id);
	for (int i = 0; i < 2; i++) /* document end, then stream end or another document */
		if (!yaml_next(l))
			return;
	if (!yaml_is(l, YAML_STREAM_END_EVENT))
		yaml_report_here(l, NULL, NULL, "a second document is not accepted");
}
