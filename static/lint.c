/* Warnings about a correct policy: grants that give more than the author will have meant. */
#include "verbs.h"

#include "policy/cache.h"
#include "policy/endpoint.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Rows of filesystem grants, and what they give. */
static const struct grant {
	enum option_id id;
	bool writes, optional;
} grants[] = {
	{OPT_fs_read, false, false},	      {OPT_fs_write, true, false},
	{OPT_fs_read_if_exists, false, true}, {OPT_fs_write_if_exists, true, true},
	{OPT_fs_read_noexec, false, false},   {OPT_fs_exec, false, false},
};

/* Beneath the home directory. Lists of words, each ended by NUL, the list by an empty one. */
static const char credentials[] =
	".ssh\0.gnupg\0.aws\0.kube\0.docker\0.netrc\0.git-credentials\0.config/gcloud\0"
	".config/gh\0.azure\0.local/share/keyrings\0.password-store\0.mozilla\0"
	".config/chromium\0.bash_history\0";

/* A socket of these is a way out of any sandbox; named only where it exists. */
static const char sockets[] =
	"/run/docker.sock\0/var/run/docker.sock\0/run/podman\0/run/containerd\0"
	"/run/dbus\0/tmp/.X11-unix\0";

/* What programs outside look for or load. */
static const char program_places[] =
	"/bin\0/sbin\0/lib\0/lib64\0/usr/bin\0/usr/sbin\0/usr/lib\0/usr/local/bin\0"
	"/usr/local/sbin\0/usr/local/lib\0/etc/ld.so.preload\0/etc/ld.so.cache\0";

struct lint {
	const struct policy *policy;
	const struct surroundings *s;
	struct error *err;
};

static const char *key(const struct lint *l, enum option_id id)
{
	return option_name(&l->err->arena, id, false);
}

static const char *below(const struct lint *l, const char *parent, const char *name)
{
	return arena_printf(&l->err->arena, "%s/%s", parent, name);
}

/* Warns about the first of the paths in `list` that lies within the grant. */
static bool covers(const struct lint *l, const struct grant *g, const struct item *item,
		   const char *list, const char *parent, const char *id, const char *what)
{
	for (; *list; list += strlen(list) + 1) {
		const char *path = parent ? below(l, parent, list) : list;

		if (!path_within(path, item->text))
			continue;
		error_warn(l->err, item->origin, key(l, g->id), id, "%s covers %s, %s",
			   error_quote(l->err, item->text), path, what);
		return true;
	}
	return false;
}

/* The files it was made from; a grant of the current directory depends on where the run starts. */
static void covers_itself(const struct lint *l, const struct grant *g, const struct item *item)
{
	for (size_t i = 0; i < l->policy->dependency_count; i++) {
		const struct dependency *d = &l->policy->dependencies[i];

		if (d->missing || d->path[0] != '/' || strcmp(item->text, l->s->cwd) == 0 ||
		    !path_within(d->path, item->text))
			continue;
		error_warn(l->err, item->origin, key(l, g->id), "W202",
			   "%s covers %s, a file of this policy: a run would be refused",
			   error_quote(l->err, item->text), d->path);
		return;
	}
}

/* Directories on PATH that lie within the grant. */
static void covers_search_path(const struct lint *l, const struct grant *g, const struct item *item)
{
	const char *path = surroundings_env(l->s, "PATH");

	while (path && *path) {
		size_t len = strcspn(path, ":");
		const char *dir = arena_strndup(&l->err->arena, path, len);

		if (len && dir[0] == '/' && path_within(dir, item->text)) {
			error_warn(l->err, item->origin, key(l, g->id), "W203",
				   "%s covers %s, where your shell looks for programs",
				   error_quote(l->err, item->text), dir);
			return;
		}
		path += len + (path[len] == ':');
	}
}

#define READS "from which sandlock reads policies"

static void lint_write(const struct lint *l, const struct grant *g, const struct item *item)
{
	const char *cache = cache_directory(l->s, &l->err->arena);
	const char *list = cache ? arena_printf(&l->err->arena, "%s%c", cache, 0) : "";

	if (!covers(l, g, item, "/etc/sandlock\0", NULL, "W202", READS) &&
	    !covers(l, g, item, ".config/sandlock\0", l->s->home, "W202", READS))
		covers(l, g, item, list, NULL, "W202", READS);
	covers_itself(l, g, item);
	if (!covers(l, g, item, program_places, NULL, "W203",
		    "from which programs outside are started"))
		covers_search_path(l, g, item);
	if (path_within(item->text, "/proc") || path_within(item->text, "/sys"))
		error_warn(l->err, item->origin, key(l, g->id), "W208",
			   "writing below %s changes the kernel's settings, not files",
			   error_quote(l->err, item->text));
}

static void lint_grant(const struct lint *l, const struct grant *g, const struct item *item)
{
	struct stat st;

	if (!item->text)
		return;
	if (!g->optional && !(item->flags & ITEM_OPTIONAL) && stat(item->text, &st) < 0 &&
	    (errno == ENOENT || errno == ENOTDIR)) {
		error_warn(l->err, item->origin, key(l, g->id), "W205",
			   "%s does not exist here: a run would not start",
			   error_quote(l->err, item->text));
		error_hint(l->err, "%s_if_exists skips it where it is missing",
			   g->writes ? "filesystem.write" : "filesystem.read");
	}
	if (strcmp(item->text, "/") == 0) {
		error_warn(l->err, item->origin, key(l, g->id), "W204",
			   "grants the whole file system for %s",
			   g->writes ? "writing" : "reading");
		return;
	}
	if (l->s->home)
		covers(l, g, item, credentials, l->s->home, "W201",
		       "which holds credentials or private records");
	for (const char *p = sockets; *p; p += strlen(p) + 1) {
		if (stat(p, &st) == 0 && path_within(p, item->text)) {
			error_warn(l->err, item->origin, key(l, g->id), "W209",
				   "%s covers %s, through which services outside can be reached",
				   error_quote(l->err, item->text), p);
			break;
		}
	}
	if (g->writes)
		lint_write(l, g, item);
}

static bool same_file(struct origin a, struct origin b)
{
	return a.file && b.file && strcmp(a.file, b.file) == 0;
}

/* A grant beneath another one of the same file that gives as much says nothing. Layers may overlap. */
static void lint_shadowed(const struct lint *l, const struct grant *g, size_t index)
{
	const struct value *v = policy_value(l->policy, g->id);
	const struct item *item = &v->items[index];

	for (size_t k = 0; k < ARRAY_LEN(grants); k++) {
		const struct grant *other = &grants[k];
		const struct value *w = policy_value(l->policy, other->id);
		bool enough = other->writes || (!g->writes && other->id != OPT_fs_read_noexec);

		for (size_t i = 0; enough && i < w->count; i++) {
			const struct item *wider = &w->items[i];

			if (!same_file(wider->origin, item->origin) ||
			    (wider->flags & ITEM_OPTIONAL) || !wider->text || !item->text ||
			    strcmp(wider->text, item->text) == 0 ||
			    !path_within(item->text, wider->text))
				continue;
			error_warn(l->err, item->origin, key(l, g->id), "W207",
				   "%s adds nothing: %s is granted already",
				   error_quote(l->err, item->text),
				   error_quote(l->err, wider->text));
			return;
		}
	}
}

/* ---- network rules ---- */

struct placed {
	enum option_id id;
	const struct item *item;
	const struct endpoint_rule *rule;
	const char *text;
};

struct placed_list {
	struct placed *list;
	size_t count, cap;
};

static void place(const struct lint *l, enum option_id id, struct placed_list *all)
{
	const struct value *v = policy_value(l->policy, id);
	struct arena *arena = &l->err->arena;
	struct complaint unheard = {.arena = arena};

	for (size_t i = 0; i < v->count; i++) {
		struct endpoint_rule *rules = arena_new(arena, struct endpoint_rule);
		const char *text = v->items[i].text;
		bool ordered = id == OPT_net_rules;
		size_t count = 1;

		if (!(ordered ? endpoint_parse_tokens(text, arena, &rules, &count, &unheard)
			      : endpoint_parse(text, id == OPT_net_deny, arena, rules, &unheard)))
			continue;
		for (size_t k = 0; k < count; k++) {
			all->list = arena_grow(arena, all->list, all->count, &all->cap,
					       sizeof *all->list);
			all->list[all->count++] = (struct placed){id, &v->items[i], &rules[k],
								  ordered ? rules[k].token : text};
		}
	}
}

/* Denials are asked first, then the ordered rules, then the allows. Layers may repeat one another, but not contradict. */
static bool hides(const struct placed *by, const struct placed *p)
{
	bool list = by->id == p->id && p->id != OPT_net_rules;

	return !list && by->id != OPT_net_allow &&
	       (by->rule->allow != p->rule->allow ||
		same_file(by->item->origin, p->item->origin)) &&
	       endpoint_matches_all(by->rule, p->rule);
}

static void lint_rules(const struct lint *l)
{
	static const enum option_id order[] = {OPT_net_deny, OPT_net_rules, OPT_net_allow};
	struct placed_list all = {0};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		place(l, order[i], &all);
	for (size_t i = 0; i < all.count; i++) {
		const struct placed *p = &all.list[i], *by = all.list;

		while (by < p && !hides(by, p))
			by++;
		if (by == p)
			continue;
		error_warn(l->err, p->item->origin, key(l, p->id), "W211",
			   "%s never decides: %s comes first and matches all of it",
			   error_quote(l->err, p->text), error_quote(l->err, by->text));
		error_note(l->err, "%s is given at %s", key(l, by->id),
			   error_place(l->err, by->item->origin));
	}
}

static void lint_deprecated(const struct lint *l)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const char *section = option_text(options[id].section);

		if (!(options[id].flags & OPTION_HIDDEN) || !section || !section[0] ||
		    !policy_is_set(l->policy, id))
			continue;
		error_warn(l->err, policy_origin(l->policy, id), key(l, id), "W206",
			   "an older key that does nothing any more");
	}
	if (policy_value(l->policy, OPT_disable)->count)
		error_warn(l->err, policy_origin(l->policy, OPT_disable), key(l, OPT_disable),
			   "W210", "switches a protection off also where the kernel has it");
}

void policy_lint(const struct policy *policy, const struct surroundings *s, struct error *err)
{
	const struct lint l = {policy, s, err};

	for (size_t k = 0; k < ARRAY_LEN(grants); k++) {
		const struct value *v = policy_value(policy, grants[k].id);

		for (size_t i = 0; i < v->count; i++) {
			lint_grant(&l, &grants[k], &v->items[i]);
			lint_shadowed(&l, &grants[k], i);
		}
	}
	lint_rules(&l);
	lint_deprecated(&l);
}
