/*
 * `sandlock policy`: the verbs, and those about files: list, path, cache, delete. `sandlock profile` is the same command in
 * the reference's words. Must never delete anything outside the caller's own directories.
 */
#include "verbs.h"

#include "base/json.h"
#include "policy/cache.h"
#include "policy/search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_own(const struct policy_entry *e)
{
	return strcmp(e->place, "user") == 0 || strcmp(e->place, "profiles") == 0;
}

/* ---- list ---- */

static void list_json(const struct policy_entry *list, size_t count, struct str *out)
{
	struct json j = {.out = out};

	json_object(&j, NULL);
	json_u64(&j, "schema", 1);
	json_array(&j, "policies");
	for (size_t i = 0; i < count; i++) {
		json_object(&j, NULL);
		json_string(&j, "name", list[i].name);
		json_string(&j, "source", list[i].place);
		if (list[i].path)
			json_string(&j, "path", list[i].path);
		json_bool(&j, "locked", list[i].locked);
		json_bool(&j, "shadowed", list[i].shadowed);
		json_string(&j, "description", list[i].description ? list[i].description : "");
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	str_add_char(out, '\n');
}

static void list_text(const struct policy_entry *list, size_t count, struct str *out)
{
	int width = 4;

	for (size_t i = 0; i < count; i++)
		width = MAX(width, (int)strlen(list[i].name));
	str_printf(out, "%-*s  %-8s  %-6s  DESCRIPTION\n", width, "NAME", "SOURCE", "LOCKED");
	for (size_t i = 0; i < count; i++) {
		str_printf(out, "%-*s  %-8s  %-6s  %s", width, list[i].name, list[i].place,
			   list[i].locked ? "yes" : "no", list[i].shadowed ? "[shadowed] " : "");
		str_add_escaped(out, list[i].description ? list[i].description : "");
		str_add_char(out, '\n');
	}
}

/* The reference's form: its directory only, two blanks and a name a line. */
static void list_profiles(const struct cli *cli, const struct policy_entry *list, size_t count,
			  struct str *out)
{
	for (size_t i = 0; i < count; i++) {
		if (is_own(&list[i]) && !list[i].shadowed)
			str_printf(out, "  %s\n", list[i].name);
	}
	if (out->len)
		return;
	str_add(out, "No profiles found in ");
	str_add_escaped(out, cli->s.home ? cli->s.home : "~");
	str_add(out, "/.config/sandlock/profiles\n");
}

static int verb_list(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	bool names = false;
	const struct cli_flag flags[] = {{"names", 0, &names, NULL}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);
	auto_str out = {0};
	size_t count = 0;

	if (status >= 0)
		return status;
	if (argc > 1)
		return cli_usage_error(cli, "policy list takes no operand");
	const struct policy_entry *list = policy_enumerate(&cli->s, &arena, &count);
	if (cli->json) {
		list_json(list, count, &out);
	} else if (names) {
		for (size_t i = 0; i < count; i++) {
			if (!list[i].shadowed)
				str_printf(&out, "%s\n", list[i].name);
		}
	} else if (cli->profile) {
		list_profiles(cli, list, count, &out);
	} else {
		list_text(list, count, &out);
	}
	return cli_print(&out);
}

/* ---- path ---- */

/* Where names are looked for, in order. */
static int search_path(struct cli *cli)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct place places[PLACES_MAX];
	size_t count = policy_places(&cli->s, &arena, places);
	auto_str out = {0};
	struct json j = {.out = &out};

	if (cli->json) {
		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_array(&j, "places");
	}
	for (size_t i = 0; i < count; i++) {
		const char *place = places[i].dir ? places[i].dir : "builtin:";

		if (cli->json) {
			json_string(&j, NULL, place);
			continue;
		}
		str_add_escaped(&out, place);
		str_add_char(&out, '\n');
	}
	if (cli->json) {
		json_end_array(&j);
		json_end_object(&j);
		str_add_char(&out, '\n');
	}
	return cli_print(&out);
}

static int verb_path(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;
	struct source source;
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);

	if (status >= 0)
		return status;
	if (argc == 1)
		return search_path(cli);
	if (argc != 2)
		return cli_usage_error(cli, "policy path takes one name");
	policy_init(&policy, &arena);
	if (!source_open(argv[1], NULL, &cli->s, &policy, &source, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);
	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_string(&j, "path", source.path);
		json_end_object(&j);
	} else {
		str_add(&out, source.path);
	}
	str_add_char(&out, '\n');
	return cli_print(&out);
}

/* ---- cache ---- */

static int cache_entries(struct cli *cli, bool verify, struct arena *arena)
{
	auto_str out = {0};
	size_t count = 0, bad = 0;
	const struct cache_entry *list = cache_list(&cli->s, arena, &count);
	struct json j = {.out = &out};

	if (cli->json) {
		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_array(&j, "entries");
	}
	for (size_t i = 0; i < count; i++) {
		const struct cache_entry *e = &list[i];

		bad += !e->valid;
		if (cli->json) {
			json_object(&j, NULL);
			json_string(&j, "file", e->file);
			json_u64(&j, "size", e->size);
			json_u64(&j, "created", e->created);
			json_bool(&j, "valid", e->valid);
			json_end_object(&j);
		} else if (!verify || !e->valid) {
			str_printf(&out, "%8llu  %-7s  ", (unsigned long long)e->size,
				   e->valid ? "valid" : "invalid");
			str_add_escaped(&out, e->file);
			str_add_char(&out, '\n');
		}
	}
	if (cli->json) {
		json_end_array(&j);
		json_end_object(&j);
		str_add_char(&out, '\n');
	} else if (verify) {
		str_printf(&out, "%zu checked, %zu invalid\n", count, bad);
	}
	return cli_print(&out) ? EXIT_SANDLOCK : verify && bad ? 1 : 0;
}

static int cache_remove(struct cli *cli)
{
	auto_error err = {0};
	auto_str out = {0};
	size_t removed = 0;

	if (!cache_clear(&cli->s, &removed, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);
	if (cli->json)
		str_printf(&out, "{\"schema\":1,\"removed\":%zu}\n", removed);
	else if (!cli->quiet)
		str_printf(&out, "%zu removed\n", removed);
	return cli_print(&out);
}

static int verb_cache(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);
	const char *word = argc == 2 ? argv[1] : "";
	const char *directory;
	auto_str out = {0};

	if (status >= 0)
		return status;
	if (strcmp(word, "list") == 0 || strcmp(word, "verify") == 0)
		return cache_entries(cli, word[0] == 'v', &arena);
	if (strcmp(word, "clear") == 0)
		return cache_remove(cli);
	if (strcmp(word, "path") != 0)
		return cli_usage_error(cli, "policy cache: path, list, verify or clear");
	directory = cache_directory(&cli->s, &arena);
	if (!directory) {
		auto_error err = {0};

		error_add(&err, NO_ORIGIN, NULL, "there is no directory for compiled policies");
		error_hint(&err, "it needs a home directory or XDG_CACHE_HOME");
		return cli_report(cli, &err, EXIT_SANDLOCK);
	}
	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_string(&j, "path", directory);
		json_end_object(&j);
	} else {
		str_add(&out, directory);
	}
	str_add_char(&out, '\n');
	return cli_print(&out);
}

/* ---- delete ---- */

static bool confirm(const char *path)
{
	auto_str question = {0};
	char answer[8] = "";

	str_add(&question, "Delete ");
	str_add_escaped(&question, path);
	str_add(&question, "? [y/N] ");
	if (cli_print(&question) || !fgets(answer, sizeof answer, stdin))
		return false;
	return answer[0] == 'y' || answer[0] == 'Y';
}

static const struct policy_entry *own_policy(const struct cli *cli, const char *name,
					     struct arena *arena, struct error *err)
{
	size_t count = 0;
	const struct policy_entry *list = policy_enumerate(&cli->s, arena, &count);
	const struct policy_entry *other = NULL;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) != 0)
			continue;
		if (is_own(&list[i]) && list[i].path)
			return &list[i];
		other = &list[i];
	}
	if (other)
		error_add(err, NO_ORIGIN, NULL, "policy %s belongs to %s, not to you",
			  error_quote(err, name), other->place);
	else
		error_add(err, NO_ORIGIN, NULL, "there is no policy %s of yours",
			  error_quote(err, name));
	return NULL;
}

static int verb_delete(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	bool yes = false;
	const struct cli_flag flags[] = {{"yes", 'y', &yes, NULL}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);

	if (status >= 0)
		return status;
	if (argc != 2)
		return cli_usage_error(cli, "policy delete takes one name");
	const struct policy_entry *e = own_policy(cli, argv[1], &arena, &err);
	if (!e)
		return cli_report(cli, &err, EXIT_SANDLOCK);
	if (!yes && isatty(STDIN_FILENO) && !confirm(e->path))
		return EXIT_SANDLOCK;
	if (unlink(e->path) < 0) {
		error_add_errno(&err, NO_ORIGIN, NULL, errno, "cannot delete %s",
				error_quote(&err, e->path));
		return cli_report(cli, &err, EXIT_SANDLOCK);
	}
	if (cli->json)
		str_add(&out, "{\"schema\":1,\"deleted\":1}\n");
	else if (!cli->quiet)
		str_printf(&out, "Deleted %s '%s'\n", cli->profile ? "profile" : "policy", e->name);
	return cli_print(&out);
}

/* ---- the verbs ---- */

static const struct verb verbs[] = {
	{"list", verb_list},	   {"show", verb_show},	    {"check", verb_check},
	{"compile", verb_compile}, {"path", verb_path},	    {"cache", verb_cache},
	{"import", verb_import},   {"export", verb_export}, {"delete", verb_delete},
	{"explain", verb_explain}, {"diff", NULL},	    {"edit", NULL},
};

int policy_main(struct cli *cli, int argc, char **argv)
{
	const char *words[ARRAY_LEN(verbs)];
	auto_error err = {0};
	int at = 1;

	cli->profile = strcmp(argv[0], "profile") == 0;
	while (at < argc && strcmp(argv[at], "--json") == 0) {
		cli->json = true;
		at++;
	}
	if (at >= argc)
		return cli_usage_error(cli, "%s needs a verb", argv[0]);
	if (argv[at][0] == '-') {
		argc -= at - 1;
		int status = cli_flags(cli, &argc, argv + at - 1, NULL, 0, NULL);

		return status >= 0 ? status : cli_usage_error(cli, "options follow the verb");
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, argv[at]) == 0 && verbs[i].main)
			return verbs[i].main(cli, argc - at, argv + at);
		if (strcmp(verbs[i].name, argv[at]) == 0) {
			error_add(&err, NO_ORIGIN, NULL, "policy %s: not available in this version",
				  verbs[i].name);
			return cli_report(cli, &err, EXIT_SANDLOCK);
		}
		words[i] = verbs[i].name;
	}
	error_add(&err, NO_ORIGIN, NULL, "policy has no verb %s", error_quote(&err, argv[at]));
	cli_hint_nearest(&err, argv[at], words, ARRAY_LEN(words));
	return cli_report(cli, &err, EXIT_USAGE);
}
