/*
 * The directory of the cache: where it is, who may have made it, what is in it, and keeping it small. Must never remove or
 * create anything outside a directory that belongs to the effective user alone.
 */
#include "policy/cache_file.h"
#include "policy/checked_open.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- where ---- */

struct location {
	const char *base;      /* checked like the way to a policy */
	const char *levels[2]; /* below it; each only for its owner */
	size_t level_count;
	bool make_base; /* ~/.cache may be missing in a new home */
};

static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

/* SANDLOCK_CACHE=DIR: only DIR itself must be private, it may stand anywhere. */
static bool chosen_location(const char *dir, struct arena *arena, struct location *out)
{
	char *copy = arena_strdup(arena, dir);
	size_t len = strlen(copy);

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = 0;

	char *slash = strrchr(copy, '/');
	if (!slash[1])
		return false;
	*slash = 0;
	*out = (struct location){
		.base = slash == copy ? "/" : copy, .levels = {slash + 1}, .level_count = 1};
	return true;
}

static bool find_location(const struct surroundings *s, struct arena *arena, struct location *out)
{
	const char *chosen = s->privileged ? NULL : surroundings_env(s, "SANDLOCK_CACHE");
	const char *xdg = s->privileged ? NULL : surroundings_env(s, "XDG_CACHE_HOME");

	if (is_absolute(chosen))
		return chosen_location(chosen, arena, out);
	*out = (struct location){.levels = {"sandlock", "policy"}, .level_count = 2};
	if (s->euid == 0) {
		out->base = "/var/cache";
		return true;
	}
	if (s->privileged)
		return false;
	if (is_absolute(xdg))
		out->base = xdg;
	else if (is_absolute(s->home))
		out->base = arena_printf(arena, "%s/.cache", s->home);
	out->make_base = true;
	return out->base != NULL;
}

const char *cache_directory(const struct surroundings *s, struct arena *arena)
{
	struct location at;

	if (!find_location(s, arena, &at))
		return NULL;

	const char *slash = at.base[1] ? "/" : "";
	return at.level_count == 1 ? arena_printf(arena, "%s%s%s", at.base, slash, at.levels[0])
				   : arena_printf(arena, "%s%s%s/%s", at.base, slash, at.levels[0],
						  at.levels[1]);
}

static int enter_private(int at, const char *name, const struct surroundings *s, bool create)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	auto_fd fd = openat(at, name, flags);

	if (fd < 0 && errno == ENOENT && create) {
		if (mkdirat(at, name, 0700) && errno != EEXIST)
			return -errno;
		fd = openat(at, name, flags);
	}
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_uid != s->euid || (st.st_mode & 077))
		return -EPERM;
	return fd_take(&fd);
}

int cache_open_directory(struct walk *walk, const struct surroundings *s, struct arena *arena,
			 bool create)
{
	struct location at;

	if (!find_location(s, arena, &at))
		return -ENOENT;

	int ret = walk_directory(walk, at.base, s);
	if (ret == -ENOENT && create && at.make_base) {
		if (mkdir(at.base, 0700))
			return -errno;
		ret = walk_directory(walk, at.base, s);
	}
	if (ret)
		return ret;
	if (walk->objection)
		return -EPERM;

	auto_fd dir = enter_private(walk->dir - 1, at.levels[0], s, create);
	if (dir < 0 || at.level_count == 1)
		return fd_take(&dir);
	return enter_private(dir, at.levels[1], s, create);
}

/* ---- what is in it ---- */

static bool is_entry(const char *name)
{
	return strlen(name) == CACHE_NAME_SIZE - 1 && strspn(name, "0123456789abcdef") == 32 &&
	       strcmp(name + 32, CACHE_POLICY_SUFFIX) == 0;
}

/* ".KEY.PID.RANDOM" */
static bool is_temporary(const char *name)
{
	return name[0] == '.' && strspn(name + 1, "0123456789abcdef") == 32 && name[33] == '.';
}

static DIR *list_directory(int dir)
{
	auto_fd fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (list)
		fd_take(&fd);
	return list;
}

struct found {
	char name[CACHE_NAME_SIZE];
	struct timespec used;
	uint64_t size;
};

static int newest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec < y->used.tv_sec ? 1 : -1;
	if (x->used.tv_nsec != y->used.tv_nsec)
		return x->used.tv_nsec < y->used.tv_nsec ? 1 : -1;
	return strcmp(x->name, y->name);
}

void cache_collect(int dir)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct found *list = NULL;
	size_t count = 0, cap = 0;
	uint64_t total = 0;
	time_t now = time(NULL);
	DIR *d = list_directory(dir);

	if (!d)
		return;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct stat st;
		bool temporary = is_temporary(e->d_name);

		if ((!temporary && !is_entry(e->d_name)) ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (temporary) {
			if (now - st.st_mtime > CACHE_TEMPORARY_AGE)
				unlinkat(dir, e->d_name, 0);
			continue;
		}
		list = arena_grow(&arena, list, count, &cap, sizeof *list);
		list[count] = (struct found){.used = st.st_mtim, .size = (uint64_t)st.st_size};
		memcpy(list[count++].name, e->d_name, CACHE_NAME_SIZE);
	}
	closedir(d);
	if (count)
		qsort(list, count, sizeof *list, newest_first);
	for (size_t i = 0; i < count; i++) {
		total += list[i].size;
		if (i >= CACHE_MAX_ENTRIES || total > CACHE_MAX_BYTES)
			unlinkat(dir, list[i].name, 0);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cache_entry *)a)->file, ((const struct cache_entry *)b)->file);
}

/* Looks at a copy of the checks' answer only: listing must not remove anything. */
static bool is_valid(int dir, const char *file, const struct surroundings *s, const uint8_t *key,
		     uint64_t *created)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct image image;
	struct stat st;
	const struct image_header *h = cache_check(dir, file, s, key, &arena, &image, NULL, &st);

	*created = h ? h->created : 0;
	return h != NULL;
}

struct cache_entry *cache_list(const struct surroundings *s, struct arena *arena, size_t *count)
{
	struct cache_entry *entries = NULL;
	uint8_t key[CACHE_KEY_SIZE];
	bool have_key = cache_mac_key(key, false);
	size_t cap = 0;
	auto_walk walk;

	walk_begin(&walk);
	auto_fd dir = cache_open_directory(&walk, s, arena, false);
	DIR *d = dir < 0 ? NULL : list_directory(dir);

	*count = 0;
	if (!d)
		return NULL;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct stat st;

		if (!is_entry(e->d_name) || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;

		struct cache_entry entry = {
			.file = arena_strdup(arena, e->d_name),
			.size = (uint64_t)st.st_size,
		};
		entry.valid = have_key && is_valid(dir, e->d_name, s, key, &entry.created);
		if (!entry.created)
			entry.created = (uint64_t)st.st_mtime;
		entries = arena_grow(arena, entries, *count, &cap, sizeof *entries);
		entries[(*count)++] = entry;
	}
	closedir(d);
	explicit_bzero(key, sizeof key);
	if (*count)
		qsort(entries, *count, sizeof *entries, by_name);
	return entries;
}

bool cache_clear(const struct surroundings *s, size_t *removed, struct error *err)
{
	auto_walk walk;

	walk_begin(&walk);
	auto_fd dir = cache_open_directory(&walk, s, &err->arena, false);

	*removed = 0;
	if (dir == -ENOENT)
		return true;

	DIR *d = dir < 0 ? NULL : list_directory(dir);
	if (!d)
		return error_add_errno(err, NO_ORIGIN, NULL, dir < 0 ? -dir : errno,
				       "cannot use the directory of compiled policies");
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!is_entry(e->d_name) && !is_temporary(e->d_name))
			continue;
		if (unlinkat(dir, e->d_name, 0) == 0)
			++*removed;
		else if (errno != ENOENT)
			error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot remove %s",
					error_quote(err, e->d_name));
	}
	closedir(d);
	return err->errors == 0;
}
