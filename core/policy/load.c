/*
 * From names to one policy: each named policy with everything it extends before it, policies in the order given, the command line
 * last. A file that is reached twice counts once, at its first place. Reads files only through source_open().
 */
#include "policy/cache.h"
#include "policy/image.h"
#include "policy/values.h"

#include <string.h>

enum { EXTENDS_DEPTH = 8, EXTENDS_FILES = 64 };

struct loading {
	const struct surroundings *s;
	struct policy *policy; /* the result so far */
	struct error *err;
	const char *done[EXTENDS_FILES]; /* canonical paths */
	size_t done_count;
	const char *chain[EXTENDS_DEPTH + 1]; /* files we are inside of */
	unsigned depth;
	struct policy locked; /* the state that a locked layer left; arena NULL = none */
	struct origin locked_by;
	bool ok;
};

/* ---- laying layers ---- */

static void keep_dependencies(struct policy *policy, const struct policy *from)
{
	for (size_t i = 0; i < from->dependency_count; i++) {
		policy->dependencies =
			arena_grow(policy->arena, policy->dependencies, policy->dependency_count,
				   &policy->dependency_cap, sizeof *policy->dependencies);
		policy->dependencies[policy->dependency_count++] = from->dependencies[i];
	}
}

/* A lock stays: no later layer says "locked: false". */
static void keep_lock(struct policy *policy, struct policy *layer)
{
	if (policy_bool(policy, OPT_locked, false))
		layer->values[OPT_locked] = (struct value){0};
}

static void lay(struct loading *l, struct policy *layer)
{
	bool locks = policy_bool(layer, OPT_locked, false);

	keep_lock(l->policy, layer);
	l->ok &= policy_apply(l->policy, layer, l->err);
	keep_dependencies(l->policy, layer);
	if (l->locked.arena &&
	    !policy_narrows(&l->locked, l->locked_by, layer, l->policy, l->err)) {
		l->ok = false;
		l->locked.arena = NULL; /* said once is enough */
	}
	if (locks) {
		l->locked = *l->policy;
		l->locked_by = policy_origin(l->policy, OPT_locked);
	}
}

/* ---- one file ---- */

static bool has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* What `sandlock policy compile` wrote: it carries no proof of who made it, so it is believed like the file that it is, and
 * every field is checked. */
static bool load_compiled(const struct source *src, struct policy *layer, struct error *err)
{
	struct image image;

	if (image_open(src->text, src->size, &image) == 0 && image_verify(src->text, src->size) &&
	    policy_from_image(&image, layer))
		return true;
	error_add(err, (struct origin){.file = src->path}, NULL,
		  "not a compiled policy of this version, or damaged");
	error_hint(err, "compile it again: sandlock policy compile");
	return false;
}

static bool load_source(const struct loading *l, const struct source *src, struct policy *layer,
			struct extends *extends)
{
	if (has_suffix(src->path, ".slpc"))
		return load_compiled(src, layer, l->err);
	if (has_suffix(src->path, ".toml"))
		return toml_load(src, l->s, layer, l->err);
	return yaml_load(src, l->s, layer, extends, l->err);
}

/* What could not be opened is the fault of whoever named it. */
static void blame(struct error *err, size_t from, struct origin origin)
{
	for (size_t i = from; i < err->count; i++)
		if (!err->list[i].origin.file)
			err->list[i].origin = origin;
}

static bool is_loading(struct loading *l, const char *path, struct origin origin)
{
	unsigned i = 0;
	auto_str chain = {0};

	while (i < l->depth && strcmp(l->chain[i], path) != 0)
		i++;
	if (i == l->depth)
		return false;
	for (; i < l->depth; i++) {
		str_add_escaped(&chain, l->chain[i]);
		str_add(&chain, " -> ");
	}
	str_add_escaped(&chain, path);
	l->ok = error_add(l->err, origin, "extends", "policies extend each other in a cycle: %s",
			  str_text(&chain));
	return true;
}

static bool is_done(const struct loading *l, const char *path)
{
	for (size_t i = 0; i < l->done_count; i++)
		if (strcmp(l->done[i], path) == 0)
			return true;
	return false;
}

static void load_file(struct loading *l, const char *name, struct origin origin, const char *dir)
{
	struct arena *arena = l->policy->arena;
	struct policy layer;
	struct extends extends = {0};
	struct source src = {0};
	size_t from = l->err->count;
	const char *slash;

	if (l->depth > EXTENDS_DEPTH) {
		l->ok = error_add(l->err, origin, "extends",
				  "policies extend each other more than %d deep", EXTENDS_DEPTH);
		return;
	}
	if (!source_open(name, dir, l->s, l->policy, &src, l->err)) {
		blame(l->err, from, origin);
		l->ok = false;
		return;
	}
	if (is_loading(l, src.path, origin) || is_done(l, src.path))
		return;
	if (l->done_count + l->depth >= EXTENDS_FILES) {
		l->ok = error_add(l->err, origin, "extends", "more than %d files", EXTENDS_FILES);
		return;
	}
	policy_init(&layer, arena);
	l->ok &= load_source(l, &src, &layer, &extends);
	slash = src.path[0] == '/' ? strrchr(src.path, '/') : NULL;
	dir = slash ? arena_strndup(arena, src.path,
				    slash == src.path ? 1 : (size_t)(slash - src.path))
		    : NULL;
	l->chain[l->depth++] = src.path;
	for (size_t i = 0; i < extends.count && !l->err->dropped; i++)
		load_file(l, extends.names[i].text, extends.names[i].origin, dir);
	l->depth--;
	l->done[l->done_count++] = src.path;
	lay(l, &layer);
}

bool policy_load(const char *name, struct origin origin, const struct surroundings *s,
		 struct policy *policy, struct error *err)
{
	struct loading l = {.s = s, .policy = policy, .err = err, .ok = true};
	size_t before = err->count;

	policy->name = name;
	if (s->use_cache && cache_get(name, s, policy))
		return true;
	load_file(&l, name, origin, NULL);
	/* With something to say it is said again next time: warnings are not kept. */
	if (l.ok && err->count == before && s->use_cache)
		cache_put(name, s, policy);
	return l.ok;
}

/* ---- everything together ---- */

static bool depends_on(const struct policy *policy, const char *file)
{
	for (size_t i = 0; file && i < policy->dependency_count; i++)
		if (!policy->dependencies[i].missing &&
		    strcmp(policy->dependencies[i].path, file) == 0)
			return true;
	return false;
}

/* What another policy brought from a file that took part already is not said again: it would undo what stands on top of it. */
static void drop_repeated(const struct policy *policy, struct policy *over)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		struct value *value = &over->values[id], kept = {.set = true};

		for (size_t i = 0; i < value->count; i++)
			if (!depends_on(policy, value->items[i].origin.file))
				value->items[kept.count++] = value->items[i];
		if (value->count && !kept.count)
			*value = (struct value){0};
		value->count = kept.count;
	}
}

static bool lay_policy(struct policy *policy, struct policy *over, struct error *err)
{
	struct policy locked = *policy;
	bool lock = policy_bool(policy, OPT_locked, false);
	bool ok;

	keep_lock(policy, over);
	ok = policy_apply(policy, over, err);
	if (lock)
		ok &= policy_narrows(&locked, policy_origin(&locked, OPT_locked), over, policy,
				     err);
	return ok;
}

bool policy_resolve(const struct command_line *line, const struct surroundings *s,
		    struct policy *policy, struct error *err)
{
	struct surroundings mine = *s;
	struct policy flags = line->policy;
	bool ok = true;

	mine.trust_policy |= policy_bool(&flags, OPT_trust_policy, false);
	mine.use_cache &= !policy_bool(&flags, OPT_no_cache, false);
	if (!s->privileged)
		mine.policy_path = policy_text(&flags, OPT_policy_path, s->policy_path);
	for (size_t i = 0; i < line->policy_count; i++) {
		const struct item *named = &line->policies[i];
		struct policy next;

		if (i == 0) {
			ok &= policy_load(named->text, named->origin, &mine, policy, err);
			continue;
		}
		policy_init(&next, policy->arena);
		if (!policy_load(named->text, named->origin, &mine, &next, err)) {
			ok = false;
			continue;
		}
		drop_repeated(policy, &next);
		keep_dependencies(policy, &next);
		ok &= lay_policy(policy, &next, err);
		policy->name = arena_printf(policy->arena, "%s+%s", policy->name, next.name);
	}
	return lay_policy(policy, &flags, err) && ok;
}
