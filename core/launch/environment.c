/* The environment of the program, and what its command name can mean. */
#include "launch/launch.h"

#include "launch/confine.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
enum { ENV_FILE_LIMIT = 1024 * 1024 };

static const char *const kept_names[] = {KEPT_VARIABLES};

struct env_list {
	struct arena *arena;
	char **entries;
	uint32_t *hashes; /* of the names: comparing those first makes long lists cheap */
	size_t count, cap, hash_cap;
};

static uint32_t hash_name(const char *entry, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	while (len--)
		hash = (hash ^ (unsigned char)*entry++) * 16777619u;
	return hash;
}

static void append(struct env_list *list, char *entry)
{
	list->hashes = arena_grow(list->arena, list->hashes, list->count, &list->hash_cap,
				  sizeof *list->hashes);
	list->entries = arena_grow(list->arena, list->entries, list->count, &list->cap,
				   sizeof *list->entries);
	list->hashes[list->count] = hash_name(entry, strcspn(entry, "="));
	list->entries[list->count++] = entry;
}

static bool same_name(const char *entry, const char *name, size_t len)
{
	return !strncmp(entry, name, len) && entry[len] == '=';
}

/* Sets "NAME=VALUE", replacing an earlier value in place. */
static void set_entry(struct env_list *list, const char *entry)
{
	size_t len = strcspn(entry, "=");

	uint32_t hash = hash_name(entry, len);
	char *copy = arena_strdup(list->arena, entry);

	for (size_t i = 0; i < list->count; i++) {
		if (list->hashes[i] == hash && same_name(list->entries[i], entry, len)) {
			list->entries[i] = copy;
			return;
		}
	}
	append(list, copy);
}

static bool passes(const char *entry, const struct value *patterns)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i].text;
		size_t n = strlen(pattern);

		if (n && pattern[n - 1] == '*' ? !strncmp(entry, pattern, n - 1)
					       : n == len && !strncmp(entry, pattern, n))
			return true;
	}
	return false;
}

static bool is_kept(const char *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(kept_names); i++)
		if (same_name(entry, kept_names[i], strlen(kept_names[i])))
			return true;
	return false;
}

/* KEY=VALUE lines; blank lines and lines that begin with # are skipped, a leading "export " is ignored, and one pair of
 * quotes around the value is removed. */
static bool read_env_file(struct env_list *list, const struct item *item, struct error *err)
{
	auto_fd fd = open(item->text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_add_errno(err, item->origin, NULL, errno,
				       "cannot read the environment file %s",
				       error_quote(err, item->text));
	if (!S_ISREG(st.st_mode) || st.st_size > ENV_FILE_LIMIT)
		return error_add(err, item->origin, NULL,
				 "%s is not a regular file of at most 1 MiB",
				 error_quote(err, item->text));
	char *text = arena_alloc(list->arena, (size_t)st.st_size + 1);
	ssize_t n = fd_read_all(fd, text, (size_t)st.st_size);
	if (n < 0)
		return error_add_errno(err, item->origin, NULL, (int)-n,
				       "cannot read the environment file %s",
				       error_quote(err, item->text));

	uint32_t number = 0;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		size_t len = strlen(line);
		if (len && line[len - 1] == '\r')
			line[--len] = '\0';
		line += strspn(line, " \t");
		if (!strncmp(line, "export ", 7))
			line += 7;
		if (!*line || *line == '#')
			continue;
		char *equals = strchr(line, '=');
		if (!equals || equals == line) {
			error_add(err, (struct origin){item->text, number, 1}, NULL,
				  "expected KEY=VALUE");
			continue;
		}
		char *value = equals + 1;
		len = strlen(value);
		if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
			value[len - 1] = '\0';
			memmove(value, value + 1, len - 1);
		}
		set_entry(list, line);
	}
	return true;
}

bool environment_build(const struct policy *policy, const struct surroundings *s,
		       struct arena *arena, char ***out, struct error *err)
{
	const struct value *pass = policy_value(policy, OPT_env_pass);
	const struct value *files = policy_value(policy, OPT_env_file);
	const struct value *set = policy_value(policy, OPT_env);
	bool empty = policy_bool(policy, OPT_empty_env, false);
	bool clean = empty || policy_bool(policy, OPT_clean_env, false);
	struct env_list list = {.arena = arena};
	size_t errors = err->errors;

	for (char *const *e = s->environment; *e; e++) {
		/* Our own variables steer the launcher, never the program. */
		if (!strncmp(*e, "SANDLOCK_", 9) || **e == '=' || !strchr(*e, '='))
			continue;
		if (!clean || (!empty && is_kept(*e)) || passes(*e, pass))
			append(&list, *e);
	}
	for (size_t i = 0; i < files->count; i++)
		read_env_file(&list, &files->items[i], err);
	for (size_t i = 0; i < set->count; i++) {
		const struct item *item = &set->items[i];

		if (strchr(item->text, '=')) {
			set_entry(&list, item->text);
			continue;
		}
		const char *value = surroundings_env(s, item->text);
		if (!value)
			error_add(err, item->origin, NULL, "environment variable '%s' is not set",
				  item->text);
		else
			set_entry(&list, arena_printf(arena, "%s=%s", item->text, value));
	}
	const struct value *gpu = policy_value(policy, OPT_gpu);
	if (gpu->set && gpu->count) {
		auto_str indices = {0};

		for (size_t i = 0; i < gpu->count; i++)
			str_printf(&indices, "%s%llu", i ? "," : "",
				   (unsigned long long)gpu->items[i].num);
		set_entry(&list,
			  arena_printf(arena, "CUDA_VISIBLE_DEVICES=%s", str_text(&indices)));
		set_entry(&list,
			  arena_printf(arena, "ROCR_VISIBLE_DEVICES=%s", str_text(&indices)));
	}
	list.entries = arena_grow(arena, list.entries, list.count, &list.cap, sizeof *list.entries);
	list.entries[list.count] = NULL;
	*out = list.entries;
	return err->errors == errors;
}

const char *const *exec_candidates(const char *name, char *const *environment, struct arena *arena)
{
	const char *path = DEFAULT_PATH;

	if (strchr(name, '/') || !*name) {
		const char **one = arena_array(arena, 2, sizeof *one);

		one[0] = name;
		return one;
	}
	for (; *environment; environment++)
		if (!strncmp(*environment, "PATH=", 5))
			path = *environment + 5;

	size_t count = 1;
	for (const char *p = path; *p; p++)
		count += *p == ':';
	const char **list = arena_array(arena, count + 1, sizeof *list);
	size_t used = 0;
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, ":");

		list[used++] = len ? arena_printf(arena, "%.*s/%s", (int)len, p, name)
				   : arena_printf(arena, "./%s", name);
		p += len;
		if (!*p)
			break;
	}
	return list;
}
