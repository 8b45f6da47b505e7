/*
 * From the name of a policy to its bytes: the search order, who may own what is found, and a record of every file that was
 * read or was not there, so that a cached result can be checked. Must never read a file whose owner was not looked at on
 * the descriptor it is read from, and never look into the current directory for a name without a slash.
 */
#include "policy/search.h"

#include "base/fd.h"
#include "policy/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

const char *const policy_suffixes[] = {".yaml", ".yml", ".toml", NULL};

struct request {
	const char *name;
	const struct surroundings *s;
	struct policy *policy;
	struct source *out;
	struct error *err;
};

/* ---- places ---- */

static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

static const char *directory(struct arena *arena, const char *base, const char *below)
{
	size_t len = strlen(base);

	while (len && base[len - 1] == '/')
		len--;
	return arena_printf(arena, "%.*s%s", (int)MIN(len, (size_t)PATH_MAX), base, below);
}

static size_t add_place(struct place *out, size_t count, struct place place)
{
	if (count < PLACES_MAX - 1)
		out[count++] = place;
	return count;
}

static size_t add_search_path(const struct surroundings *s, struct arena *arena, struct place *out)
{
	size_t count = 0;

	for (const char *p = s->policy_path; p && *p;) {
		size_t n = strcspn(p, ":");

		if (*p == '/')
			count = add_place(
				out, count,
				(struct place){
					.name = "path",
					.dir = directory(arena, arena_strndup(arena, p, n), ""),
					.skip_unsafe = true});
		p += n + (p[n] == ':');
	}
	return count;
}

size_t policy_places(const struct surroundings *s, struct arena *arena,
		     struct place out[PLACES_MAX])
{
	const char *xdg = s->privileged ? NULL : surroundings_env(s, "XDG_CONFIG_HOME");
	const char *home =
		is_absolute(s->home) ? directory(arena, s->home, "/.config/sandlock") : NULL;
	/* A relative value is ignored, as the specification of the variable says. */
	const char *config = is_absolute(xdg) ? directory(arena, xdg, "/sandlock") : home;
	size_t count = add_search_path(s, arena, out);

	if (config) {
		count = add_place(out, count,
				  (struct place){"user", "user",
						 directory(arena, config, "/policies"), true,
						 false});
		count = add_place(out, count,
				  (struct place){"profiles", "user",
						 directory(arena, config, "/profiles"), true,
						 false});
	}
	/* The reference looks below the home directory whatever the variable says. */
	if (home && config && strcmp(home, config))
		count = add_place(out, count,
				  (struct place){"profiles", "user",
						 directory(arena, home, "/profiles"), true, false});
	count = add_place(
		out, count,
		(struct place){"system", "system", "/etc/sandlock/policies", false, false});
	if (is_absolute(s->shipped))
		count = add_place(out, count,
				  (struct place){"shipped", "shipped",
						 directory(arena, s->shipped, ""), false, false});
	out[count++] = (struct place){"builtin", "builtin", NULL, false, false};
	return count;
}

bool policy_name_valid(const char *name)
{
	static const char first[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	static const char more[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);

	return len && len <= POLICY_NAME_MAX && strchr(first, name[0]) &&
	       strspn(name, more) == len && !strstr(name, "..");
}

/* ---- what the result depends on ---- */

static void depend(struct policy *policy, struct dependency d)
{
	for (size_t i = 0; i < policy->dependency_count; i++) {
		const struct dependency *old = &policy->dependencies[i];

		if (old->missing == d.missing && strcmp(old->path, d.path) == 0 &&
		    (d.missing || (old->lookup && strcmp(old->lookup, d.lookup) == 0)))
			return;
	}
	policy->dependencies =
		arena_grow(policy->arena, policy->dependencies, policy->dependency_count,
			   &policy->dependency_cap, sizeof d);
	policy->dependencies[policy->dependency_count++] = d;
}

static void depend_missing(struct policy *policy, const char *path)
{
	depend(policy,
	       (struct dependency){.path = arena_strdup(policy->arena, path), .missing = true});
}

static void depend_file(struct policy *policy, const struct source *source, const char *lookup)
{
	XXH128_hash_t hash = XXH3_128bits(source->text, source->size);

	depend(policy, (struct dependency){
			       .path = source->path,
			       .lookup = arena_strdup(policy->arena, lookup),
			       .size = source->size,
			       .hash = {hash.low64, hash.high64},
		       });
}

/* ---- reading ---- */

static bool too_large(struct request *r)
{
	return error_add(r->err, NO_ORIGIN, NULL, "policy %s is larger than 1 MiB",
			 error_quote(r->err, r->name));
}

static bool read_source(struct request *r, int fd, size_t expected, const char *path)
{
	char *text = arena_alloc(r->policy->arena, expected + 2);
	ssize_t n = fd_read_all(fd, text, expected + 1);

	if (n < 0)
		return error_add_errno(r->err, NO_ORIGIN, NULL, (int)-n, "cannot read policy %s",
				       error_quote(r->err, path));
	if ((size_t)n > expected)
		return expected == POLICY_MAX_SIZE
			       ? too_large(r)
			       : error_add(r->err, NO_ORIGIN, NULL,
					   "policy %s changed while it was read",
					   error_quote(r->err, path));
	text[n] = 0;
	r->out->path = arena_strdup(r->policy->arena, path);
	r->out->text = text;
	r->out->size = (size_t)n;
	return true;
}

/* Only a file that was named by its path may be trusted against the rules, and never by root. */
static bool accept_owner(struct request *r, const struct walk *walk, bool explicit)
{
	const struct surroundings *s = r->s;

	if (!walk->objection || (explicit && s->trust_policy && s->euid != 0))
		return true;
	error_add(r->err, NO_ORIGIN, NULL, "policy %s is not used: %s",
		  error_quote(r->err, r->name), objection_text(walk, r->err));
	if (s->euid == 0)
		error_hint(r->err,
			   "for root, policies and all directories above them must belong to root "
			   "and not be writable by others");
	else
		error_hint(r->err,
			   "policies and all directories above them must belong to you or to root "
			   "and not be writable by others%s",
			   explicit ? "; --trust-policy uses this one anyway" : "");
	return false;
}

static bool finish_file(struct request *r, int fd, const struct stat *st, const struct walk *walk,
			const char *lookup, bool explicit)
{
	if (!accept_owner(r, walk, explicit))
		return false;
	if (st->st_size > POLICY_MAX_SIZE)
		return too_large(r);
	if (!read_source(r, fd, (size_t)st->st_size, walk->path))
		return false;
	depend_file(r->policy, r->out, lookup);
	return true;
}

static bool cannot_open(struct request *r, int errnum, const char *path)
{
	const char *quoted = error_quote(r->err, path);

	if (errnum == ENOTSUP)
		return error_add(r->err, NO_ORIGIN, NULL, "policy %s is not a regular file",
				 quoted);
	return error_add_errno(r->err, NO_ORIGIN, NULL, errnum, "cannot open policy %s", quoted);
}

/* ---- by path and by descriptor ---- */

static bool open_descriptor(struct request *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_add_errno(r->err, NO_ORIGIN, NULL, errno, "cannot read policy %s",
				       error_quote(r->err, r->name));
	if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
		return error_add(r->err, NO_ORIGIN, NULL, "policy %s is not a file",
				 error_quote(r->err, r->name));
	if (S_ISREG(st.st_mode)) {
		struct walk walk;

		walk_begin(&walk);
		walk.objection = check_owner(&st, r->s);
		walk.kind = "file";
		walk.uid = st.st_uid;
		walk.gid = st.st_gid;
		walk.mode = st.st_mode & 07777;
		memcpy(walk.objection_path, r->name,
		       strlen(r->name) + 1); /* descriptor_of() bounds it */
		if (!accept_owner(r, &walk, true))
			return false;
	}
	return read_source(r, fd, POLICY_MAX_SIZE, r->name);
}

/* N of "fd:N", "/dev/fd/N", "/proc/self/fd/N"; 0 for "-" and "/dev/stdin"; else -1. */
static int descriptor_of(const char *name)
{
	static const char *const prefixes[] = {"fd:", "/dev/fd/", "/proc/self/fd/"};
	int fd = 0;

	if (strcmp(name, "-") == 0 || strcmp(name, "/dev/stdin") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], n))
			continue;
		const char *p = name + n;
		if (!*p || strlen(p) > 6 || strspn(p, "0123456789") != strlen(p))
			return -1;
		for (; *p; p++)
			fd = fd * 10 + (*p - '0');
		return fd;
	}
	return -1;
}

static bool open_path(struct request *r, const char *relative_to)
{
	const char *base = relative_to ? relative_to : r->s->cwd;
	const char *path = r->name[0] == '/'
				   ? r->name
				   : arena_printf(r->policy->arena, "%s/%s", base, r->name);
	auto_walk walk;
	struct stat st;

	walk_begin(&walk);
	auto_fd fd = walk_file(&walk, path, r->s, &st);

	if (fd < 0)
		return cannot_open(r, -fd, path);
	return finish_file(r, fd, &st, &walk, path, true);
}

static bool is_path(const char *name)
{
	size_t len = strlen(name);

	if (strchr(name, '/'))
		return true;
	for (size_t i = 0; policy_suffixes[i]; i++) {
		size_t n = strlen(policy_suffixes[i]);

		if (len > n && strcmp(name + len - n, policy_suffixes[i]) == 0)
			return true;
	}
	return false;
}

/* ---- by name ---- */

enum found { FOUND, NOT_FOUND, FAILED };

static enum found open_builtin(struct request *r, const char *name)
{
	for (size_t i = 0; i < builtin_policy_count; i++) {
		if (strcmp(builtin_policies[i].name, name))
			continue;
		r->out->path = arena_printf(r->policy->arena, "builtin:%s", name);
		r->out->text = builtin_policies[i].text;
		r->out->size = builtin_policies[i].length;
		return FOUND;
	}
	return NOT_FOUND;
}

static bool is_missing(int ret)
{
	return ret == -ENOENT || ret == -ENOTDIR;
}

static enum found open_in_place(struct request *r, const struct place *place, const char *name,
				struct walk *walk)
{
	int ret = walk_directory(walk, place->dir, r->s);

	if (is_missing(ret)) {
		depend_missing(r->policy, place->dir);
		return NOT_FOUND;
	}
	if (ret) {
		cannot_open(r, -ret, place->dir);
		return FAILED;
	}
	if (walk->objection && place->skip_unsafe && r->s->euid == 0) {
		/* It is there, so this dependency never holds: nothing that skipped it is taken from the cache. */
		depend_missing(r->policy, place->dir);
		return NOT_FOUND;
	}
	for (size_t i = 0; policy_suffixes[i]; i++) {
		const char *path = arena_printf(r->policy->arena, "%s/%s%s", place->dir, name,
						policy_suffixes[i]);
		struct stat st;
		auto_fd fd = walk_file(walk, path, r->s, &st);

		if (fd >= 0)
			return finish_file(r, fd, &st, walk, path, false) ? FOUND : FAILED;
		if (!is_missing(fd)) {
			cannot_open(r, -fd, path);
			return FAILED;
		}
		depend_missing(r->policy, path);
	}
	return NOT_FOUND;
}

static const char *entry_name(size_t i, const void *ctx)
{
	return ((const struct policy_entry *)ctx)[i].name;
}

static bool no_such_policy(struct request *r)
{
	size_t count;
	const struct policy_entry *entries = policy_enumerate(r->s, &r->err->arena, &count);
	const char *near = nearest_name(r->name, count, entry_name, entries);

	error_add(r->err, NO_ORIGIN, NULL, "there is no policy named %s",
		  error_quote(r->err, r->name));
	if (near)
		error_hint(r->err, "did you mean \"%s\"?", near);
	else
		error_hint(
			r->err,
			"`sandlock policy list` shows what there is; a file is named with a slash, "
			"as in ./%s.yaml",
			policy_name_valid(r->name) ? r->name : "NAME");
	return false;
}

static bool open_name(struct request *r)
{
	struct place places[PLACES_MAX];
	size_t count = policy_places(r->s, r->policy->arena, places);
	const char *colon = strchr(r->name, ':');
	const char *pin =
		colon ? arena_strndup(r->policy->arena, r->name, (size_t)(colon - r->name)) : NULL;
	const char *name = colon ? colon + 1 : r->name;
	bool pin_known = !pin;
	auto_walk walk;

	walk_begin(&walk);
	for (size_t i = 0; i < count && !pin_known; i++)
		pin_known = places[i].pin && strcmp(places[i].pin, pin) == 0;
	if (!policy_name_valid(name) ||
	    (!pin_known && strcmp(pin, "user") && strcmp(pin, "shipped"))) {
		error_add(r->err, NO_ORIGIN, NULL, "%s is not a name of a policy",
			  error_quote(r->err, r->name));
		error_hint(
			r->err,
			"names have letters, digits, \".\", \"_\" and \"-\"; user:, system:, shipped: "
			"or builtin: may stand before one; a path has a slash");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		enum found found;

		if (pin && (!places[i].pin || strcmp(places[i].pin, pin)))
			continue;
		found = places[i].dir ? open_in_place(r, &places[i], name, &walk)
				      : open_builtin(r, name);
		if (found != NOT_FOUND)
			return found == FOUND;
	}
	return no_such_policy(r);
}

bool source_open(const char *name, const char *relative_to, const struct surroundings *s,
		 struct policy *policy, struct source *out, struct error *err)
{
	struct request r = {.name = name, .s = s, .policy = policy, .out = out, .err = err};
	int fd = descriptor_of(name);

	if (fd >= 0 && relative_to)
		return error_add(err, NO_ORIGIN, NULL, "a policy cannot extend %s",
				 error_quote(err, name));
	if (fd >= 0)
		return open_descriptor(&r, fd);
	return is_path(name) ? open_path(&r, relative_to) : open_name(&r);
}
