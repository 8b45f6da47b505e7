/* `sandlock policy show`, `import` and `export`: a policy as text. */
#include "verbs.h"

#include "base/json.h"

#include <string.h>

struct show {
	bool origins, raw, yaml, toml;
};

bool policy_with_flags(struct cli *cli, char *name, char **extra, struct arena *arena,
		       struct policy *out, bool *usage, struct error *err)
{
	struct command_line line = {0};
	size_t count = 0;

	while (extra && extra[count])
		count++;
	char **argv = arena_array(arena, count + 4, sizeof *argv);
	argv[0] = arena_strdup(arena, "show");
	argv[1] = arena_strdup(arena, "-p");
	argv[2] = name;
	for (size_t i = 0; i < count; i++)
		argv[3 + i] = extra[i];
	policy_init(&line.policy, arena);
	if (!flags_parse(argv, &cli->s, &line, usage, err))
		return false;
	cli->s.trust_policy |= policy_bool(&line.policy, OPT_trust_policy, false);
	return policy_resolve(&line, &cli->s, out, err);
}

static void add_json(const char *name, const struct policy *policy, bool origins, struct str *out,
		     struct error *err)
{
	struct json j = {.out = out};

	json_object(&j, NULL);
	json_u64(&j, "schema", 1);
	json_string(&j, "name", name);
	json_array(&j, "sources");
	for (size_t i = 0; i < policy->dependency_count; i++) {
		const struct dependency *d = &policy->dependencies[i];

		/* Variables are dependencies too: "${NAME}=VALUE". */
		if (!d->missing && d->path[0] != '$')
			json_string(&j, NULL, d->path);
	}
	json_end_array(&j);
	json_object(&j, "policy");
	render_json(policy, origins, &j, err);
	json_end_object(&j);
	json_end_object(&j);
	str_add_char(out, '\n');
}

/* Bytes of a file, untouched; `profile show` ends with a newline of its own, as the reference. */
static int show_raw(struct cli *cli, const char *name)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;
	struct source source;

	policy_init(&policy, &arena);
	if (!source_open(name, NULL, &cli->s, &policy, &source, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);
	str_add_bytes(&out, source.text, source.size);
	if (cli->profile)
		str_add_char(&out, '\n');
	return cli_print(&out);
}

static int show(struct cli *cli, char *name, char **extra, const struct show *how)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;
	bool usage = false, ok;

	policy_init(&policy, &arena);
	if (!policy_with_flags(cli, name, extra, &arena, &policy, &usage, &err))
		return cli_report(cli, &err, usage ? EXIT_USAGE : EXIT_SANDLOCK);
	if (cli->json) {
		add_json(name, &policy, how->origins, &out, &err);
		ok = true;
	} else if (how->toml) {
		ok = render_toml(&policy, how->origins, &out, &err);
	} else {
		ok = render_yaml(&policy, how->origins, &out, &err);
	}
	if (!ok)
		return cli_report(cli, &err, EXIT_SANDLOCK);
	if (err.count)
		cli_report(cli, &err, 0);
	return cli_print(&out);
}

int verb_show(struct cli *cli, int argc, char **argv)
{
	struct show how = {0};
	char **extra = NULL;
	const struct cli_flag flags[] = {
		{"origin", 0, &how.origins, NULL},
		{"raw", 0, &how.raw, NULL},
		{"yaml", 0, &how.yaml, NULL},
		{"toml", 0, &how.toml, NULL},
	};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), &extra);

	if (status >= 0)
		return status;
	if (argc != 2)
		return cli_usage_error(cli, "policy show takes one name or file");
	if (how.raw + how.yaml + how.toml + cli->json > 1)
		return cli_usage_error(cli, "only one of --raw, --yaml, --toml and --json");
	if (how.raw && (extra || how.origins))
		return cli_usage_error(cli,
				       "--raw shows the file as it is, without flags or origins");
	return how.raw ? show_raw(cli, argv[1]) : show(cli, argv[1], extra, &how);
}

static int convert(struct cli *cli, int argc, char **argv, bool toml)
{
	const struct show how = {.toml = toml};
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);

	if (status >= 0)
		return status;
	if (argc != 2)
		return cli_usage_error(cli, "policy %s takes one %s", argv[0],
				       toml ? "name or file" : "TOML file");
	cli->json = false;
	return show(cli, argv[1], NULL, &how);
}

int verb_import(struct cli *cli, int argc, char **argv)
{
	return convert(cli, argc, argv, false);
}

int verb_export(struct cli *cli, int argc, char **argv)
{
	return convert(cli, argc, argv, true);
}
