/*
 * Policy files in YAML. Types come from the option table and not from YAML's own guesses; every key of the table is a key of the
 * format. Everything wrong is reported, up to the limit of the error list. Must never open a file: the bytes are given.
 */
#include "policy/yaml_events.h"

#include <stdlib.h>
#include <string.h>

enum { YAML_MAX_SIZE = 1024 * 1024, YAML_MAX_SECTIONS = 32, POLICY_VERSION = 1 };

/* ---- values of options ---- */

static bool add_text(struct yaml_reader *l, enum option_id id, const char *text, struct value *into,
		     struct origin origin, uint32_t width)
{
	size_t from = l->err->count;
	bool ok = into ? value_parse(l->policy->arena, id, text, &l->context, origin, into, l->err)
		       : policy_add_in(l->policy, id, text, &l->context, origin, l->err);

	l->ok &= ok;
	yaml_excerpts(l, from, width);
	return ok;
}

/* The current scalar as one element; into NULL = the policy's own list. */
static void add_element(struct yaml_reader *l, enum option_id id, const char *key,
			struct value *into)
{
	const char *text;

	if (yaml_is_null(l) && l->event.data.scalar.length == 0) {
		yaml_report_here(l, key, "write \"\" for an empty text", "an element is empty");
		return;
	}
	/* Structured elements exist only for options of later versions: keep the place, check.c refuses it. */
	if ((options[id].flags & OPTION_LATER) && !yaml_is(l, YAML_SCALAR_EVENT)) {
		add_text(l, id, "-", into, yaml_here(l), 1);
		yaml_skip(l);
		return;
	}
	text = yaml_scalar(l, key, "one value");
	if (text)
		add_text(l, id, text, into, yaml_here(l), yaml_width(l));
}

static void add_sequence(struct yaml_reader *l, enum option_id id, const char *key,
			 struct value *into)
{
	yaml_check_node(l);
	while (yaml_next(l) && !yaml_is(l, YAML_SEQUENCE_END_EVENT))
		add_element(l, id, key, into);
}

/* A list or one scalar. */
static void add_elements(struct yaml_reader *l, enum option_id id, const char *key,
			 struct value *into)
{
	if (yaml_is(l, YAML_SEQUENCE_START_EVENT))
		add_sequence(l, id, key, into);
	else
		add_element(l, id, key, into);
}

/* {add: [...], remove: [...]} or {set: [...]} */
static void edit_list(struct yaml_reader *l, enum option_id id, const char *key)
{
	struct origin set = {0}, other = {0};
	struct yaml_key k;

	yaml_check_node(l);
	while (yaml_next_key(l, &k)) {
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
			yaml_report(l, k.origin, key, k.width, "valid keys: add, remove, set",
				    yaml_message(l, "unknown key ", k.text, ""));
			yaml_skip(l);
		}
	}
	if (set.file && other.file)
		yaml_report(l, other, key, 1, NULL, "set replaces the list: it stands alone");
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_key *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	return x->origin.line != y->origin.line ? (x->origin.line < y->origin.line ? -1 : 1)
						: (x->origin.col < y->origin.col ? -1 : 1);
}

/* NAME: VALUE pairs, as the elements NAME=VALUE. */
static void add_map(struct yaml_reader *l, enum option_id id, const char *key)
{
	struct arena *arena = l->policy->arena;
	struct yaml_key k, *keys = NULL;
	size_t count = 0, cap = 0;
	struct complaint c = {.arena = &l->err->arena};

	yaml_check_node(l);
	while (yaml_next_key(l, &k)) {
		keys = arena_grow(arena, keys, count, &cap, sizeof *keys);
		keys[count++] = k;
		if (id == OPT_env && !value_env_key(k.text, &c)) {
			yaml_report(l, k.origin, key, k.width, NULL, c.reason);
			yaml_skip(l);
			continue;
		}
		if (yaml_is_null(l)) {
			/* Forget what a layer below said about this name. */
			struct item item = {.text = k.text, .origin = k.origin};

			yaml_check_node(l);
			if (id == OPT_env || id == OPT_rlimits)
				policy_edit(l->policy, id, &item, k.origin);
			continue;
		}
		const char *text = yaml_scalar(l, key, "one value");
		if (text)
			add_text(l, id,
				 arena_printf(arena, id == OPT_scripts ? "%s:%s" : "%s=%s", k.text,
					      text),
				 NULL, k.origin, k.width);
	}
	if (count > 1)
		qsort(keys, count, sizeof *keys, compare_keys);
	for (size_t i = 1; i < count; i++)
		if (strcmp(keys[i - 1].text, keys[i].text) == 0)
			yaml_duplicate(l, key, keys[i], keys[i - 1].origin);
}

/* The current node as the value of an option. */
static void read_option(struct yaml_reader *l, enum option_id id)
{
	const struct option *o = &options[id];
	const char *key = option_name(&l->err->arena, id, false);
	bool list = o->flags & OPTION_LIST, map = o->flags & OPTION_MAP;

	if (yaml_is_null(l)) {
		yaml_check_node(l);
		policy_edit(l->policy, id, NULL, yaml_here(l));
	} else if (map && yaml_is(l, YAML_MAPPING_START_EVENT)) {
		add_map(l, id, key);
	} else if (map) {
		yaml_report_here(l, key, NULL, "expected a mapping of names to values");
		yaml_skip(l);
	} else if (list && yaml_is(l, YAML_MAPPING_START_EVENT)) {
		edit_list(l, id, key);
	} else if (list && yaml_is(l, YAML_SEQUENCE_START_EVENT)) {
		l->policy->values[id].set = true;
		add_sequence(l, id, key, NULL);
	} else if (list || yaml_is(l, YAML_SCALAR_EVENT)) {
		add_element(l, id, key, NULL);
	} else {
		yaml_scalar(l, key, "one value");
	}
}

/* ---- sections ---- */

static const struct renamed_key {
	const char *section, *key;
	enum option_id id;
	const char *now;
} renamed[] = {
	{"network", "bind", OPT_net_allow_bind, "network.allow_bind"},
	{"network", "net_bind", OPT_net_allow_bind, "network.allow_bind"},
	{"network", "net_allow", OPT_net_allow, "network.allow"},
	{"network", "net_deny", OPT_net_deny, "network.deny"},
};

static const char *section_key(size_t index, const void *section)
{
	const struct option *o = &options[index];

	return option_text(o->section) && strcmp(option_text(o->section), section) == 0
		       ? option_text(o->key)
		       : NULL;
}

static void unknown_key(struct yaml_reader *l, const char *section, struct yaml_key k)
{
	struct arena *arena = &l->err->arena;
	const char *near = nearest_name(k.text, OPT_COUNT, section_key, section), *elsewhere = NULL;
	auto_str hint = {0};

	for (enum option_id id = 0; id < OPT_COUNT && !near; id++)
		if (option_text(options[id].section) && option_text(options[id].section)[0] &&
		    strcmp(option_text(options[id].key), k.text) == 0)
			elsewhere = option_name(arena, id, false);
	if (near)
		str_printf(&hint, "did you mean \"%s\"? ", near);
	else if (elsewhere)
		str_printf(&hint, "it is written %s. ", elsewhere);
	str_printf(&hint, "valid keys of %s:", section);
	for (size_t i = 0, n = 0; i < OPT_COUNT; i++)
		if (section_key(i, section))
			str_printf(&hint, "%s %s", n++ ? "," : "", option_text(options[i].key));
	yaml_report(l, k.origin, section, k.width, str_text(&hint),
		    yaml_message(l, "unknown key ", k.text, ""));
}

static enum option_id find_key(struct yaml_reader *l, const char *section, struct yaml_key k)
{
	for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
		if (strcmp(renamed[i].section, section) == 0 &&
		    strcmp(renamed[i].key, k.text) == 0) {
			size_t from = l->err->count;

			error_warn(l->err, k.origin, section, "W001", "an older spelling; write %s",
				   renamed[i].now);
			yaml_excerpts(l, from, k.width);
			return renamed[i].id;
		}
	return option_by_key(section, k.text);
}

static void read_section(struct yaml_reader *l, const char *section)
{
	struct origin seen[OPT_COUNT] = {{0}};
	struct yaml_key k;

	yaml_check_node(l);
	if (yaml_is_null(l))
		return; /* a section whose keys are all commented out */
	if (!yaml_is(l, YAML_MAPPING_START_EVENT)) {
		yaml_report_here(l, section, NULL, "expected a mapping of keys to values");
		yaml_skip(l);
		return;
	}
	while (yaml_next_key(l, &k)) {
		enum option_id id = find_key(l, section, k);

		if (id == OPT_COUNT) {
			unknown_key(l, section, k);
			yaml_skip(l);
			continue;
		}
		if (seen[id].file) {
			yaml_duplicate(l, section, k, seen[id]);
			yaml_skip(l);
			continue;
		}
		seen[id] = k.origin;
		read_option(l, id);
	}
}

/* ---- the top level ---- */

static void read_version(struct yaml_reader *l)
{
	struct complaint c = {.arena = &l->err->arena};
	const char *text = yaml_scalar(l, "version", "a number");
	uint64_t version;

	if (!text)
		return;
	if (!value_uint(text, 1, UINT32_MAX, &version, &c))
		yaml_report_here(l, "version", NULL,
				 yaml_message(l, "invalid number ", text,
					      arena_printf(c.arena, ": %s", c.reason)));
	else if (version > POLICY_VERSION)
		yaml_report_here(
			l, "version", "this file needs a newer sandlock",
			arena_printf(c.arena,
				     "version %llu is not known; this program knows version 1",
				     (unsigned long long)version));
}

/* The name says which policy this is; a copy under another file name is easily taken for the original. */
static void read_name(struct yaml_reader *l)
{
	const char *text = yaml_scalar(l, "name", "a text");
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
		yaml_report_here(
			l, "name", "remove the name, or rename the file",
			yaml_message(l, "the name ", text, " differs from the name of the file"));
}

static void read_one_extends(struct yaml_reader *l)
{
	const char *text = yaml_scalar(l, "extends", "the name of a policy");
	struct extends *e = l->extends;

	if (!text || !e)
		return;
	if (!*text) {
		yaml_report_here(l, "extends", NULL, "expected the name of a policy");
		return;
	}
	e->names = arena_grow(l->policy->arena, e->names, e->count, &e->cap, sizeof *e->names);
	e->names[e->count++] = (struct item){
		.text = arena_strdup(l->policy->arena, text),
		.origin = yaml_here(l),
	};
}

static void read_extends(struct yaml_reader *l)
{
	if (yaml_is_null(l))
		return;
	if (!yaml_is(l, YAML_SEQUENCE_START_EVENT)) {
		read_one_extends(l);
		return;
	}
	yaml_check_node(l);
	while (yaml_next(l) && !yaml_is(l, YAML_SEQUENCE_END_EVENT))
		read_one_extends(l);
}

static void read_description(struct yaml_reader *l)
{
	read_option(l, OPT_description);
}

static void read_locked(struct yaml_reader *l)
{
	read_option(l, OPT_locked);
	if (l->extends)
		l->extends->locked = policy_bool(l->policy, OPT_locked, false);
}

static const struct top_key {
	const char *name;
	void (*read)(struct yaml_reader *l);
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
		const char *section = option_text(options[i].section);
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

static void unknown_top(struct yaml_reader *l, const struct top *top, struct yaml_key k)
{
	const char *near = nearest_name(k.text, top->count, top_name, top);
	auto_str hint = {0};

	if (near)
		str_printf(&hint, "did you mean \"%s\"? ", near);
	for (enum option_id id = 0; id < OPT_COUNT && !near; id++)
		if (option_text(options[id].key) && option_text(options[id].section)[0] &&
		    strcmp(option_text(options[id].key), k.text) == 0) {
			str_printf(&hint, "it belongs into the section %s. ",
				   option_text(options[id].section));
			break;
		}
	str_add(&hint, "valid keys:");
	for (size_t i = 0; i < top->count; i++)
		str_printf(&hint, "%s %s", i ? "," : "", top->names[i]);
	yaml_report(l, k.origin, NULL, k.width, str_text(&hint),
		    yaml_message(l, "unknown key ", k.text, ""));
}

static void read_root(struct yaml_reader *l)
{
	struct top top;
	struct yaml_key k;

	yaml_check_node(l);
	if (!yaml_is(l, YAML_MAPPING_START_EVENT)) {
		yaml_report_here(l, NULL, "write SECTION: and below it KEY: VALUE",
				 "a policy is a mapping of sections");
		yaml_skip(l);
		return;
	}
	list_top(&top);
	while (yaml_next_key(l, &k)) {
		size_t i = 0;

		while (i < top.count && strcmp(top.names[i], k.text) != 0)
			i++;
		if (i == top.count) {
			unknown_top(l, &top, k);
			yaml_skip(l);
		} else if (top.seen[i].file) {
			yaml_duplicate(l, NULL, k, top.seen[i]);
			yaml_skip(l);
		} else {
			top.seen[i] = k.origin;
			if (i < ARRAY_LEN(top_keys))
				top_keys[i].read(l);
			else
				read_section(l, top.names[i]);
		}
	}
}

static void read_policy(struct yaml_reader *l, enum option_id id UNUSED)
{
	read_root(l);
}

bool yaml_load(const struct source *src, const struct surroundings *s, struct policy *policy,
	       struct extends *extends, struct error *err)
{
	const char *slash = strrchr(src->path, '/');
	const char *dir =
		src->path[0] == '/'
			? arena_strndup(policy->arena, src->path,
					slash == src->path ? 1 : (size_t)(slash - src->path))
			: s->cwd;
	struct yaml_reader l = {
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
	yaml_open(&l);
	yaml_document(&l, read_policy, OPT_COUNT);
	return yaml_close(&l);
}

bool yaml_set(const char *assignment, const struct surroundings *s, struct policy *policy,
	      struct origin origin, struct error *err)
{
	const char *equals = strchr(assignment, '=');
	const char *dot = memchr(assignment, '.', equals ? (size_t)(equals - assignment) : 0);
	struct arena *arena = policy->arena;

	if (!equals || !dot || dot == assignment || dot + 1 == equals) {
		error_add(err, origin, NULL, "invalid assignment %s: expected SECTION.KEY=VALUE",
			  error_quote(err, assignment));
		error_hint(err, "for example: %s limits.processes=64", origin.file);
		return false;
	}

	const char *section = arena_strndup(arena, assignment, (size_t)(dot - assignment));
	const char *key = arena_strndup(arena, dot + 1, (size_t)(equals - dot) - 1);
	enum option_id id = option_by_key(section, key);
	struct source src = {.path = origin.file, .text = equals + 1, .size = strlen(equals + 1)};
	struct yaml_reader l = {
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
	yaml_open(&l);
	yaml_document(&l, read_option, id);
	return yaml_close(&l);
}
