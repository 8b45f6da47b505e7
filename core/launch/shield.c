/* Finds what a write grant must not reach. */
#include "launch/shield.h"

#include "policy/cache.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct grant {
	const char *path; /* resolved */
	struct origin origin;
};

struct shields {
	const struct policy *policy;
	struct arena *arena;
	struct error *err;
	struct grant *grants;
	size_t grant_count;
	struct plan_shield *list;
	size_t count, cap;
};

/* Resolved as far as it exists; the rest as written. */
static const char *resolve(struct arena *arena, const char *path)
{
	char copy[PATH_MAX], real[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof copy)
		return path;
	memcpy(copy, path, len + 1);
	while (!realpath(copy, real)) {
		char *slash = strrchr(copy, '/');

		if (!slash || slash == copy)
			return path;
		*slash = '\0';
	}
	const char *rest = path + strlen(copy);
	return arena_printf(arena, "%s%s", *rest && !strcmp(real, "/") ? "" : real, rest);
}

static bool beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return !strcmp(directory, "/") ||
	       (!strncmp(path, directory, n) && (path[n] == '/' || !path[n]));
}

static void add(struct shields *sh, const char *path, bool read_only, struct origin origin)
{
	for (size_t i = 0; i < sh->count; i++)
		if (!strcmp(sh->list[i].path, path)) {
			sh->list[i].read_only |= read_only;
			return;
		}
	sh->list = arena_grow(sh->arena, sh->list, sh->count, &sh->cap, sizeof *sh->list);
	sh->list[sh->count++] = (struct plan_shield){path, read_only, origin};
}

/* Mounts from the granted directory down to what is protected. */
static bool cover(struct shields *sh, const char *path, const char *grant, struct origin origin,
		  bool directory)
{
	size_t from = strcmp(grant, "/") ? strlen(grant) + 1 : 1;
	struct stat st;

	for (const char *p = path + from;; p++) {
		if (*p && *p != '/')
			continue;
		const char *part = arena_strndup(sh->arena, path, (size_t)(p - path));

		if (stat(part, &st) < 0 &&
		    (!directory || (mkdir(part, 0700) < 0 && errno != EEXIST)))
			return true; /* cannot be made by us, so neither by the guest with our rights */
		add(sh, part, !*p, origin);
		if (!*p)
			return true;
	}
}

/* True when the resolved path of one is another than the written. */
static bool find_grants(struct shields *sh)
{
	const struct value *lists[] = {
		policy_value(sh->policy, OPT_fs_write),
		policy_value(sh->policy, OPT_fs_write_if_exists),
	};
	bool linked = false;

	sh->grants = arena_array(sh->arena, lists[0]->count + lists[1]->count, sizeof *sh->grants);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < lists[i]->count; k++) {
			const struct item *item = &lists[i]->items[k];
			const char *path = resolve(sh->arena, item->text);

			linked |= strcmp(path, item->text) != 0;
			sh->grants[sh->grant_count++] =
				(struct grant){.path = path, .origin = item->origin};
		}
	return linked;
}

static bool protect(struct shields *sh, const char *path, bool directory)
{
	const char *real = resolve(sh->arena, path);

	for (size_t i = 0; i < sh->grant_count; i++) {
		const struct grant *grant = &sh->grants[i];

		if (beneath(grant->path, real)) {
			error_add(
				sh->err, grant->origin, NULL,
				"%s decides what the next sandbox may do; it must not be writable inside",
				error_quote(sh->err, real));
			error_hint(sh->err, "--allow-self-modify permits it");
			return false;
		}
		if (beneath(real, grant->path) &&
		    !cover(sh, real, grant->path, grant->origin, directory))
			return false;
	}
	return true;
}

bool shields_find(const struct policy *policy, const struct surroundings *s, struct arena *arena,
		  struct plan_request *request, struct error *err)
{
	struct shields sh = {.policy = policy, .arena = arena, .err = err};
	const char *config = surroundings_env(s, "XDG_CONFIG_HOME");
	const char *cache;
	bool ok = true;

	request->linked_grants = find_grants(&sh);
	if (policy_bool(policy, OPT_allow_self_modify, false) || !sh.grant_count)
		return true;
	if (s->home)
		ok &= protect(&sh, arena_printf(arena, "%s/.config/sandlock", s->home), true);
	if (config && *config == '/')
		ok &= protect(&sh, arena_printf(arena, "%s/sandlock", config), true);
	cache = s->use_cache ? cache_directory(s, arena) : NULL;
	if (cache)
		ok &= protect(&sh, cache, true);
	ok &= protect(&sh, "/etc/sandlock", false);
	for (size_t i = 0; i < policy->dependency_count; i++) {
		const struct dependency *file = &policy->dependencies[i];

		if (!file->missing && file->path[0] == '/')
			ok &= protect(&sh, file->path, false);
	}
	request->shields = sh.list;
	request->shield_count = sh.count;
	return ok;
}
