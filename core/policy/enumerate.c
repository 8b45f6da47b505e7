/*
 * What `policy list` shows: every policy that a name could mean, with the words of its first lines. Files are not parsed
 * here, so a broken policy is listed too. Must never open what the ownership rules forbid.
 */
#include "policy/search.h"

#include "base/fd.h"
#include "policy/builtin.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_SIZE = 16 * 1024 /* description and locked stand at the top */ };

struct list {
	struct arena *arena;
	const struct surroundings *s;
	struct policy_entry *entries;
	size_t count, cap;
};

/* The value of a "key:" line at the left margin: without quotes and comment. NULL when there is none. */
static const char *head_value(struct arena *arena, const char *text, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, key_len) || line[key_len] != ':')
			continue;

		const char *p = line + key_len + 1;
		p += strspn(p, " \t");
		size_t n = strcspn(p, "\r\n");
		if (*p == '"' || *p == '\'') {
			const char *end = memchr(p + 1, *p, n - 1);

			return end ? arena_strndup(arena, p + 1, (size_t)(end - p) - 1) : NULL;
		}
		for (size_t i = 1; i < n; i++) {
			if (p[i] == '#' && p[i - 1] == ' ')
				n = i;
		}
		while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
			n--;
		return n ? arena_strndup(arena, p, n) : NULL;
	}
	return NULL;
}

static void add(struct list *l, struct policy_entry entry, const char *head)
{
	const char *locked = head ? head_value(l->arena, head, "locked") : NULL;

	entry.description = head ? head_value(l->arena, head, "description") : NULL;
	entry.locked = locked && (strcmp(locked, "true") == 0 || strcmp(locked, "True") == 0 ||
				  strcmp(locked, "TRUE") == 0);
	l->entries = arena_grow(l->arena, l->entries, l->count, &l->cap, sizeof *l->entries);
	l->entries[l->count++] = entry;
}

/* The suffix of a policy file's name that leaves a valid policy name, or NULL. */
static const char *suffix_of(const char *file)
{
	size_t len = strlen(file);

	for (size_t i = 0; policy_suffixes[i]; i++) {
		size_t n = strlen(policy_suffixes[i]);

		if (len > n && strcmp(file + len - n, policy_suffixes[i]) == 0)
			return file + len - n;
	}
	return NULL;
}

static void add_file(struct list *l, const struct place *place, const char *file, struct walk *walk)
{
	const char *suffix = suffix_of(file);
	const char *path = arena_printf(l->arena, "%s/%s", place->dir, file);
	char head[HEAD_SIZE + 1];
	struct stat st;
	ssize_t n = 0;

	if (!suffix)
		return;
	const char *name = arena_strndup(l->arena, file, (size_t)(suffix - file));
	if (!policy_name_valid(name))
		return;

	auto_fd fd = walk_file(walk, path, l->s, &st);
	if (fd < 0)
		return;
	if (!walk->objection)
		n = fd_read_all(fd, head, HEAD_SIZE);
	head[MAX(n, 0)] = 0;
	add(l, (struct policy_entry){.name = name, .place = place->name, .path = path},
	    strcmp(suffix, ".toml") ? head : NULL);
}

static void add_directory(struct list *l, const struct place *place)
{
	auto_walk walk;

	walk_begin(&walk);
	if (walk_directory(&walk, place->dir, l->s))
		return;
	if (walk.objection && place->skip_unsafe && l->s->euid == 0)
		return;

	auto_fd fd = openat(walk.dir - 1, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	fd_take(&fd);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		add_file(l, place, e->d_name, &walk);
	closedir(dir);
}

/* Several suffixes of one name in one place: in the order in which they are looked for. */
static int suffix_rank(const struct policy_entry *e)
{
	const char *suffix = e->path ? suffix_of(e->path) : NULL;

	for (int i = 0; suffix && policy_suffixes[i]; i++) {
		if (strcmp(policy_suffixes[i], suffix) == 0)
			return i;
	}
	return 0;
}

/* Insertion of one place's entries keeps the search order among equal names: lists are short. */
static bool comes_before(const struct policy_entry *a, const struct policy_entry *b,
			 bool same_place)
{
	int names = strcmp(a->name, b->name);

	return names < 0 || (names == 0 && same_place && suffix_rank(a) < suffix_rank(b));
}

static void sort_from(struct list *l, size_t first)
{
	for (size_t i = first; i < l->count; i++) {
		struct policy_entry e = l->entries[i];
		size_t at = i;

		while (at && comes_before(&e, &l->entries[at - 1],
					  e.place == l->entries[at - 1].place && e.path &&
						  l->entries[at - 1].path))
			at--;
		memmove(&l->entries[at + 1], &l->entries[at], (i - at) * sizeof e);
		l->entries[at] = e;
	}
}

struct policy_entry *policy_enumerate(const struct surroundings *s, struct arena *arena,
				      size_t *count)
{
	struct list l = {.arena = arena, .s = s};
	struct place places[PLACES_MAX];
	size_t place_count = policy_places(s, arena, places);

	for (size_t i = 0; i < place_count; i++) {
		size_t first = l.count;

		if (places[i].dir)
			add_directory(&l, &places[i]);
		for (size_t j = 0; !places[i].dir && j < builtin_policy_count; j++)
			add(&l,
			    (struct policy_entry){.name = builtin_policies[j].name,
						  .place = places[i].name},
			    builtin_policies[j].text);
		sort_from(&l, first);
	}
	for (size_t i = 1; i < l.count; i++)
		l.entries[i].shadowed = strcmp(l.entries[i - 1].name, l.entries[i].name) == 0;
	*count = l.count;
	return l.entries;
}
