/*
 * Policy files in YAML, read from libyaml's events: no tree is built, anchors and aliases are refused, so a file can neither
 * expand nor recurse. Types come from the option table and not from YAML's own guesses. Everything wrong is reported, with the
 * place and the line, up to the limit of the error list. Must never open a file: the bytes are given.
 */
#include "policy/values.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
	YAML_MAX_SIZE = 1024 * 1024,
	YAML_MAX_DEPTH = 16,
	YAML_MAX_NODES = 20000,
	YAML_MAX_SECTIONS = 32,
	POLICY_VERSION = 1,
};

struct loader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool have_event;
	const struct source *src;
	struct policy *policy;
	struct extends *extends;
	struct error *err;
	struct value_context context;
	struct origin fixed; /* of --set; file NULL: positions in the file */
	unsigned depth, nodes;
	bool broken; /* nothing more can be read */
	bool ok;
};

/* ---- diagnostics ---- */

static struct origin place(const struct loader *l, yaml_mark_t mark)
{
	if (l->fixed.file)
		return l->fixed;
	return (struct origin){l->src->path, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static struct origin here(const struct loader *l)
{
	return place(l, l->event.start_mark);
}

static uint32_t event_width(const struct loader *l)
{
	yaml_mark_t a = l->event.start_mark, b = l->event.end_mark;

	return a.line == b.line && b.column > a.column ? (uint32_t)(b.column - a.column) : 1;
}

/* The source line under each diagnostic that was added since there were `from`. */
static void add_excerpts(struct loader *l, size_t from, uint32_t width)
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
static void report(struct loader *l, struct origin origin, const char *key, uint32_t width,
		   const char *hint, const char *message)
{
	size_t from = l->err->count;

	l->ok = false;
	error_add(l->err, origin, key, "%s", message);
	if (hint)
		error_hint(l->err, "%s", hint);
	add_excerpts(l, from, width);
}

static void report_here(struct loader *l, const char *key, const char *hint, const char *message)
{
	report(l, here(l), key, event_width(l), hint, message);
}

static char *message(struct loader *l, const char *before, const char *quoted, const char *after)
{
	return arena_printf(&l->err->arena, "%s%s%s", before, error_quote(l->err, quoted), after);
}

/* ---- events ---- */

static bool says(const char *text, const char *part)
{
	return text && strstr(text, part);
}

static void syntax_error(struct loader *l)
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
	report(l, place(l, p->problem_mark), NULL, 1, hint, text);
	l->broken = true;
}

/* The next event; false when the input is broken, and then nothing more is read. */
static bool next(struct loader *l)
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
		report_here(l, NULL, NULL,
			    l->depth > YAML_MAX_DEPTH ? "nested more than 16 deep" :
							"more than 20000 values");
		l->broken = true;
	}
	if (l->err->dropped)
		l->broken = true;
	return !l->broken;
}

/* Anchors and tags on the current node: refused, but reading goes on. */
static void check_node(struct loader *l)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch ((int)l->event.type) {
	case YAML_ALIAS_EVENT:
		report_here(l, NULL, "if the value is meant, quote it",
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
		report_here(l, NULL, "if the value is meant, quote it",
			    "anchors are not accepted");
	if (tag)
		report_here(l, NULL, "if the value is meant, quote it",
			    "tags are not accepted");
}

/* Reads past the node that the current event starts. */
static void skip_node(struct loader *l)
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
	} while (depth && next(l));
}

static bool is(const struct loader *l, yaml_event_type_t type)
{
	return l->have_event && l->event.type == type;
}

/* The text of the current scalar, which libyaml ends with NUL; NULL (reported) when it is no scalar or contains NUL. */
static const char *scalar(struct loader *l, const char *key, const char *expected)
{
	check_node(l);
	if (is(l, YAML_ALIAS_EVENT))
		return NULL;
	if (!is(l, YAML_SCALAR_EVENT)) {
		report_here(l, key, NULL,
			    arena_printf(&l->err->arena, "expected %s, not a %s", expected,
					 is(l, YAML_MAPPING_START_EVENT) ? "mapping" : "list"));
		skip_node(l);
		return NULL;
	}

	const char *text = (const char *)l->event.data.scalar.value;
	if (strlen(text) != l->event.data.scalar.length) {
		report_here(l, key, NULL, "a NUL byte is not accepted");
		return NULL;
	}
	return text;
}

static bool is_null(const struct loader *l)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (!is(l, YAML_SCALAR_EVENT) ||
	    l->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp((const char *)l->event.data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

/* ---- mappings ---- */

/* Advances to the next key of the mapping we are in. NULL at its end. *text is NULL when the key was no text: its value is
 * skipped already by the caller's loop. */
struct key {
	const char *text;
	struct origin origin;
	uint32_t width;
};

static bool next_key(struct loader *l, struct key *key)
{
	while (next(l) && !is(l, YAML_MAPPING_END_EVENT)) {
		const char *text = scalar(l, NULL, "a name as the key");

		*key = (struct key){.origin = here(l), .width = event_width(l)};
		if (text && strcmp(text, "<<") == 0 &&
		    l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
			report_here(l, NULL, "use extends", "merge keys (<<) are not accepted");
			text = NULL;
		}
		if (text) {
			key->text = arena_strdup(l->policy->arena, text);
			return next(l); /* the value is current */
		}
		if (next(l)) {
			check_node(l);
			skip_node(l);
		}
	}
	return false;
}

static void duplicate(struct loader *l, const char *key, struct key k, struct origin first)
{
	size_t from = l->err->count;

	l->ok = false;
	error_add(l->err, k.origin, key, "%s is given twice", error_quote(l->err, k.text));
	error_note(l->err, "first defined at %s", error_place(l->err, first));
	add_excerpts(l, from, k.width);
}

/* ---- values of options ---- */

static bool add_text(struct loader *l, enum option_id id, const char *text, struct value *into,
		     struct origin origin, uint32_t width)
{
	size_t from = l->err->count;
	bool ok = into ? value_parse(l->policy->arena, id, text, &l->context, origin, into, l->err) :
			 policy_add_in(l->policy, id, text, &l->context, origin, l->err);

	l->ok &= ok;
	add_excerpts(l, from, width);
	return ok;
}

/* The current scalar as one element; into NULL = the policy's own list. */
static void add_element(struct loader *l, enum option_id id, const char *key, struct value *into)
{
	const char *text;

	if (is_null(l) && l->event.data.scalar.length == 0) {
		report_here(l, key, "write \"\" for an empty text", "an element is empty");
		return;
	}
	/* Structured elements exist only for options of later versions: keep the place, check.c refuses it. */
	if ((options[id].flags & OPTION_LATER) && !is(l, YAML_SCALAR_EVENT)) {
		add_text(l, id, "-", into, here(l), 1);
		skip_node(l);
		return;
	}
	text = scalar(l, key, "one value");
	if (text)
		add_text(l, id, text, into, here(l), event_width(l));
}

static void add_sequence(struct loader *l, enum option_id id, const char *key, struct value *into)
{
	check_node(l);
	while (next(l) && !is(l, YAML_SEQUENCE_END_EVENT))
		add_element(l, id, key, into);
}

/* A list or one scalar. */
static void add_elements(struct loader *l, enum option_id id, const char *key, struct value *into)
{
	if (is(l, YAML_SEQUENCE_START_EVENT))
		add_sequence(l, id, key, into);
	else
		add_element(l, id, key, into);
}

/* {add: [...], remove: [...]} or {set: [...]} */
static void edit_list(struct loader *l, enum option_id id, const char *key)
{
	struct origin set = {0}, other = {0};
	struct key k;

	check_node(l);
	while (next_key(l, &k)) {
		if (strcmp(k.text, "add") == 0) {
			other = k.origin;
			add_elements(l, id, key, NULL);
		} else if (strcmp(k.text, "set") == 0) {
			set = k.origin;
			policy_edit(l->policy, id, NULL, k.origin);
			l->policy->values[id].set = true;
			add_elements(l, id, key, NULL);
		} else if (strcmp(k.text, "remove") == 0) {
			struct value gone = {0};

			other = k.origin;
			add_elements(l, id, key, &gone);
			for (size_t i = 0; i < gone.count; i++)
				policy_edit(l->policy, id, &gone.items[i], gone.items[i].origin);
		} else {
			report(l, k.origin, key, k.width, "valid keys: add, remove, set",
			       message(l, "unknown key ", k.text, ""));
			skip_node(l);
		}
	}
	if (set.file && other.file)
		report(l, other, key, 1, NULL, "set replaces the list: it stands alone");
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	return x->origin.line != y->origin.line ? (x->origin.line < y->origin.line ? -1 : 1) :
						  (x->origin.col < y->origin.col ? -1 : 1);
}

/* NAME: VALUE pairs, as the elements NAME=VALUE. */
static void add_map(struct loader *l, enum option_id id, const char *key)
{
	struct arena *arena = l->policy->arena;
	struct key k, *keys = NULL;
	size_t count = 0, cap = 0;
	struct complaint c = {.arena = &l->err->arena};

	check_node(l);
	while (next_key(l, &k)) {
		keys = arena_grow(arena, keys, count, &cap, sizeof *keys);
		keys[count++] = k;
		if (id == OPT_env && !value_env_key(k.text, &c)) {
			report(l, k.origin, key, k.width, NULL, c.reason);
			skip_node(l);
			continue;
		}
		if (is_null(l)) {
			/* Forget what a layer below said about this name. */
			struct item item = {.text = k.text, .origin = k.origin};

			check_node(l);
			if (id == OPT_env || id == OPT_rlimits)
				policy_edit(l->policy, id, &item, k.origin);
			continue;
		}
		const char *text = scalar(l, key, "one value");
		if (text)
			add_text(l, id,
				 arena_printf(arena, id == OPT_scripts ? "%s:%s" : "%s=%s", k.text, text),
				 NULL, k.origin, k.width);
	}
	if (count > 1)
		qsort(keys, count, sizeof *keys, compare_keys);
	for (size_t i = 1; i < count; i++)
		if (strcmp(keys[i - 1].text, keys[i].text) == 0)
			duplicate(l, key, keys[i], keys[i - 1].origin);
}

/* The current node as the value of an option. */
static void read_option(struct loader *l, enum option_id id)
{
	const struct option *o = &options[id];
	const char *key = option_name(&l->err->arena, id, false);
	bool list = o->flags & OPTION_LIST, map = o->flags & OPTION_MAP;

	if (is_null(l)) {
		check_node(l);
		policy_edit(l->policy, id, NULL, here(l));
	} else if (map && is(l, YAML_MAPPING_START_EVENT)) {
		add_map(l, id, key);
	} else if (map) {
		report_here(l, key, NULL, "expected a mapping of names to values");
		skip_node(l);
	} else if (list && is(l, YAML_MAPPING_START_EVENT)) {
		edit_list(l, id, key);
	} else if (list && is(l, YAML_SEQUENCE_START_EVENT)) {
		l->policy->values[id].set = true;
		add_sequence(l, id, key, NULL);
	} else if (list || is(l, YAML_SCALAR_EVENT)) {
		add_element(l, id, key, NULL);
	} else {
		scalar(l, key, "one value");
	}
}

/* ---- sections ---- */

static const struct renamed_key {
	const char *section, *key;
	enum option_id id;
	const char *now;
} renamed[] = {
	{"network", "bind", OPT_net_allow_bind, "network.allow_bind"},
};

static const char *section_key(size_t index, const void *section)
{
	const struct option *o = &options[index];

	return o->section && strcmp(o->section, section) == 0 ? o->key : NULL;
}

static void unknown_key(struct loader *l, const char *section, struct key k)
{
	struct arena *arena = &l->err->arena;
	const char *near = nearest_name(k.text, OPT_COUNT, section_key, section), *elsewhere = NULL;
	auto_str hint = {0};

	for (enum option_id id = 0; id < OPT_COUNT && !near; id++)
		if (options[id].section && options[id].section[0] && strcmp(options[id].key, k.text) == 0)
			elsewhere = option_name(arena, id, false);
	if (near)
		str_printf(&hint, "did you mean \"%s\"? ", near);
	else if (elsewhere)
		str_printf(&hint, "it is written %s. ", elsewhere);
	str_printf(&hint, "valid keys of %s:", section);
	for (size_t i = 0, n = 0; i < OPT_COUNT; i++)
		if (section_key(i, section))
			str_printf(&hint, "%s %s", n++ ? "," : "", options[i].key);
	report(l, k.origin, section, k.width, str_text(&hint), message(l, "unknown key ", k.text, ""));
}

static enum option_id find_key(struct loader *l, const char *section, struct key k)
{
	for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
		if (strcmp(renamed[i].section, section) == 0 && strcmp(renamed[i].key, k.text) == 0) {
			size_t from = l->err->count;

			error_warn(l->err, k.origin, section, "W001", "an older spelling; write %s",
				   renamed[i].now);
			add_excerpts(l, from, k.width);
			return renamed[i].id;
		}
	return option_by_key(section, k.text);
}

static void read_section(struct loader *l, const char *section)
{
	struct origin seen[OPT_COUNT] = {{0}};
	struct key k;

	check_node(l);
	if (is_null(l))
		return; /* a section whose keys are all commented out */
	if (!is(l, YAML_MAPPING_START_EVENT)) {
		report_here(l, section, NULL, "expected a mapping of keys to values");
		skip_node(l);
		return;
	}
	while (next_key(l, &k)) {
		enum option_id id = find_key(l, section, k);

		if (id == OPT_COUNT) {
			unknown_key(l, section, k);
			skip_node(l);
			continue;
		}
		if (seen[id].file) {
			duplicate(l, section, k, seen[id]);
			skip_node(l);
			continue;
		}
		seen[id] = k.origin;
		read_option(l, id);
	}
}

/* ---- the top level ---- */

static void read_version(struct loader *l)
{
	struct complaint c = {.arena = &l->err->arena};
	const char *text = scalar(l, "version", "a number");
	uint64_t version;

	if (!text)
		return;
	if (!value_uint(text, 1, UINT32_MAX, &version, &c))
		report_here(l, "version", NULL, message(l, "invalid number ", text, arena_printf(c.arena, ": %s", c.reason)));
	else if (version > POLICY_VERSION)
		report_here(l, "version", "this file needs a newer sandlock",
			    arena_printf(c.arena, "version %llu is not known; this program knows version 1",
					 (unsigned long long)version));
}

/* The name says which policy this is; a copy under another file name is easily taken for the original. */
static void read_name(struct loader *l)
{
	const char *text = scalar(l, "name", "a text");
	const char *path = l->src->path, *stem = strrchr(path, '/');

	if (!text || !strpbrk(path, "/:.") || strncmp(path, "fd:", 3) == 0)
		return;
	if (!stem)
		stem = strrchr(path, ':');
	stem = stem ? stem + 1 : path;

	size_t len = strlen(stem);
	static const char *const suffixes[] = {".yaml", ".yml"};
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && strcmp(stem + len - n, suffixes[i]) == 0) {
			len -= n;
			break;
		}
	}
	if (strlen(text) != len || memcmp(text, stem, len) != 0)
		report_here(l, "name", "remove the name, or rename the file",
			    message(l, "the name ", text, " differs from the name of the file"));
}

static void read_one_extends(struct loader *l)
{
	const char *text = scalar(l, "extends", "the name of a policy");
	struct extends *e = l->extends;

	if (!text || !e)
		return;
	if (!*text) {
		report_here(l, "extends", NULL, "expected the name of a policy");
		return;
	}
	e->names = arena_grow(l->policy->arena, e->names, e->count, &e->cap, sizeof *e->names);
	e->names[e->count++] = (struct item){
		.text = arena_strdup(l->policy->arena, text),
		.origin = here(l),
	};
}

static void read_extends(struct loader *l)
{
	if (is_null(l))
		return;
	if (!is(l, YAML_SEQUENCE_START_EVENT)) {
		read_one_extends(l);
		return;
	}
	check_node(l);
	while (next(l) && !is(l, YAML_SEQUENCE_END_EVENT))
		read_one_extends(l);
}

static void read_description(struct loader *l)
{
	read_option(l, OPT_description);
}

static void read_locked(struct loader *l)
{
	read_option(l, OPT_locked);
	if (l->extends)
		l->extends->locked = policy_bool(l->policy, OPT_locked, false);
}

static const struct top_key {
	const char *name;
	void (*read)(struct loader *l);
} top_keys[] = {
	{"version", read_version}, {"name", read_name},	    {"description", read_description},
	{"extends", read_extends}, {"locked", read_locked},
};

struct top {
	const char *names[YAML_MAX_SECTIONS]; /* keys of the top level, then sections */
	struct origin seen[YAML_MAX_SECTIONS];
	size_t count;
};

static void list_top(struct top *top)
{
	*top = (struct top){0};
	for (size_t i = 0; i < ARRAY_LEN(top_keys); i++)
		top->names[top->count++] = top_keys[i].name;
	for (size_t i = 0; i < OPT_COUNT; i++) {
		const char *section = options[i].section;
		bool known = !section || !section[0];

		for (size_t k = 0; k < top->count && !known; k++)
			known = strcmp(top->names[k], section) == 0;
		if (!known && top->count < YAML_MAX_SECTIONS)
			top->names[top->count++] = section;
	}
}

static const char *top_name(size_t index, const void *ctx)
{
	return ((const struct top *)ctx)->names[index];
}

static void unknown_top(struct loader *l, const struct top *top, struct key k)
{
	const char *near = nearest_name(k.text, top->count, top_name, top);
	auto_str hint = {0};

	if (near)
		str_printf(&hint, "did you mean \"%s\"? ", near);
	for (enum option_id id = 0; id < OPT_COUNT && !near; id++)
		if (options[id].key && options[id].section[0] && strcmp(options[id].key, k.text) == 0) {
			str_printf(&hint, "it belongs into the section %s. ", options[id].section);
			break;
		}
	str_add(&hint, "valid keys:");
	for (size_t i = 0; i < top->count; i++)
		str_printf(&hint, "%s %s", i ? "," : "", top->names[i]);
	report(l, k.origin, NULL, k.width, str_text(&hint), message(l, "unknown key ", k.text, ""));
}

static void read_root(struct loader *l)
{
	struct top top;
	struct key k;

	check_node(l);
	if (!is(l, YAML_MAPPING_START_EVENT)) {
		report_here(l, NULL, "write SECTION: and below it KEY: VALUE",
			    "a policy is a mapping of sections");
		skip_node(l);
		return;
	}
	list_top(&top);
	while (next_key(l, &k)) {
		size_t i = 0;

		while (i < top.count && strcmp(top.names[i], k.text) != 0)
			i++;
		if (i == top.count) {
			unknown_top(l, &top, k);
			skip_node(l);
		} else if (top.seen[i].file) {
			duplicate(l, NULL, k, top.seen[i]);
			skip_node(l);
		} else {
			top.seen[i] = k.origin;
			if (i < ARRAY_LEN(top_keys))
				top_keys[i].read(l);
			else
				read_section(l, top.names[i]);
		}
	}
}

/* ---- documents ---- */

static void open_loader(struct loader *l)
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

static bool close_loader(struct loader *l)
{
	if (l->have_event)
		yaml_event_delete(&l->event);
	yaml_parser_delete(&l->parser);
	policy_settle(l->policy);
	return l->ok;
}

/* Exactly one document, whose root node `read` takes. */
static void read_document(struct loader *l, void (*read)(struct loader *, enum option_id),
			  enum option_id id)
{
	if (!next(l) || !next(l)) /* stream start, document start */
		return;
	if (is(l, YAML_STREAM_END_EVENT)) {
		report_here(l, NULL, NULL, "empty: a policy is a mapping of sections");
		return;
	}
	if (!next(l))
		return;
	read(l, id);
	if (!next(l) || !next(l)) /* document end, then stream end or another document */
		return;
	if (!is(l, YAML_STREAM_END_EVENT))
		report_here(l, NULL, NULL, "a second document is not accepted");
}

static void read_policy(struct loader *l, enum option_id id UNUSED)
{
	read_root(l);
}

bool yaml_load(const struct source *src, const struct surroundings *s, struct policy *policy,
	       struct extends *extends, struct error *err)
{
	const char *slash = strrchr(src->path, '/');
	const char *dir = src->path[0] == '/' ?
				  arena_strndup(policy->arena, src->path,
						slash == src->path ? 1 : (size_t)(slash - src->path)) :
				  s->cwd;
	struct loader l = {
		.src = src,
		.policy = policy,
		.extends = extends,
		.err = err,
		.context = {.s = s,
			    .dir = dir,
			    .policy_dir = dir,
			    .syntax = SYNTAX_YAML,
			    .policy = policy},
	};
	const char *nul = memchr(src->text, '\0', src->size);

	if (src->size > YAML_MAX_SIZE)
		return error_add(err, (struct origin){.file = src->path}, NULL,
				 "larger than 1 MiB");
	if (nul) {
		uint32_t line = 1;

		for (const char *p = src->text; p < nul; p++)
			line += *p == '\n';
		return error_add(err, (struct origin){src->path, line, 0}, NULL,
				 "a NUL byte is not accepted");
	}
	open_loader(&l);
	read_document(&l, read_policy, OPT_COUNT);
	return close_loader(&l);
}

bool yaml_set(const char *assignment, const struct surroundings *s, struct policy *policy,
	      struct origin origin, struct error *err)
{
	const char *equals = strchr(assignment, '=');
	const char *dot = memchr(assignment, '.', equals ? (size_t)(equals - assignment) : 0);
	struct arena *arena = policy->arena;

	if (!dot || dot == assignment || dot + 1 == equals) {
		error_add(err, origin, NULL, "invalid assignment %s: expected SECTION.KEY=VALUE",
			  error_quote(err, assignment));
		error_hint(err, "for example: %s limits.processes=64", origin.file);
		return false;
	}

	const char *section = arena_strndup(arena, assignment, (size_t)(dot - assignment));
	const char *key = arena_strndup(arena, dot + 1, (size_t)(equals - dot) - 1);
	enum option_id id = option_by_key(section, key);
	struct source src = {.path = origin.file, .text = equals + 1, .size = strlen(equals + 1)};
	struct loader l = {
		.src = &src,
		.policy = policy,
		.err = err,
		.context = {.s = s, .dir = s->cwd, .policy_dir = s->cwd, .syntax = SYNTAX_YAML},
		.fixed = origin,
	};

	if (id == OPT_COUNT) {
		const char *near = nearest_name(key, OPT_COUNT, section_key, section);

		error_add(err, origin, NULL, "unknown key %s",
			  error_quote(err, arena_printf(arena, "%s.%s", section, key)));
		if (near)
			error_hint(err, "did you mean \"%s.%s\"?", section, near);
		return false;
	}
	if (strspn(src.text, " \t") == src.size) {
		policy_edit(policy, id, NULL, origin);
		policy->values[id] = (struct value){0};
		return true;
	}
	open_loader(&l);
	read_document(&l, read_option, id);
	return close_loader(&l);
}
