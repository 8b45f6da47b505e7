/* What the subcommands share: reporting, printing, small option lists. */
#include "cli.h"

#include "base/fd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* SANDLOCK_EXIT_COMPAT: the reference ends with 1 when it cannot set a sandbox up, 127 when it cannot execute. */
static int compatible_status(int status)
{
	switch (status) {
	case EXIT_SANDLOCK:
	case EXIT_POLICY:
	case EXIT_TIMEOUT:
		return 1;
	case EXIT_CANNOT_EXEC:
		return EXIT_NOT_FOUND;
	default:
		return status;
	}
}

/* The text again with the word after "sandlock: " in colour. */
static void paint(const char *text, struct str *out)
{
	static const struct {
		const char *word, *color;
	} words[] = {
		{"error:", "\033[1;31m"},
		{"warning:", "\033[1;33m"},
		{"hint:", "\033[1;36m"},
		{"note:", "\033[1m"},
	};
	static const char prefix[] = "sandlock: ";
	const size_t prefix_len = sizeof prefix - 1;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		size_t len = (size_t)(end - text) + (*end != 0);
		size_t at = 0;

		if (len > prefix_len && memcmp(text, prefix, prefix_len) == 0) {
			str_add(out, prefix);
			at = prefix_len;
			for (size_t i = 0; i < ARRAY_LEN(words); i++) {
				size_t n = strlen(words[i].word);

				if (strncmp(text + at, words[i].word, n) != 0)
					continue;
				str_printf(out, "%s%s\033[0m", words[i].color, words[i].word);
				at += n;
				break;
			}
		}
		str_add_bytes(out, text + at, len - at);
		text += len;
	}
}

int cli_report(const struct cli *cli, const struct error *err, int status)
{
	auto_str text = {0};
	auto_str painted = {0};
	struct arena scratch = {0};
	struct error shown = *err;

	if (cli->quiet) {
		shown.list = arena_array(&scratch, err->count + 1, sizeof *shown.list);
		shown.count = 0;
		for (size_t i = 0; i < err->count; i++) {
			if (err->list[i].severity == SEVERITY_ERROR)
				shown.list[shown.count++] = err->list[i];
		}
	}
	if (cli->compat)
		status = compatible_status(status);
	if (cli->json) {
		error_format_json(&shown, status, &text);
	} else {
		error_format(&shown, &text);
		if (status == EXIT_USAGE && cli->command)
			str_printf(&text, "sandlock: hint: see \"sandlock help %s\"\n",
				   cli->command->name);
	}
	if (cli->color && !cli->json)
		paint(str_text(&text), &painted);
	const struct str *out = painted.len ? &painted : &text;
	fd_write_all(STDERR_FILENO, str_text(out), out->len);
	arena_free(&scratch);
	return status;
}

int cli_print(const struct str *text)
{
	int error = fd_write_all(STDOUT_FILENO, str_text(text), text->len);
	auto_str message = {0};

	if (error >= 0)
		return 0;
	str_printf(&message, "sandlock: error: cannot write to standard output: %s\n",
		   strerror(-error));
	fd_write_all(STDERR_FILENO, str_text(&message), message.len);
	return EXIT_SANDLOCK;
}

int cli_usage_error(const struct cli *cli, const char *fmt, ...)
{
	auto_error err = {0};
	auto_str text = {0};
	va_list args;
	char buffer[512];

	va_start(args, fmt);
	vsnprintf(buffer, sizeof buffer, fmt, args);
	va_end(args);
	str_add_escaped(&text, buffer);
	error_add(&err, NO_ORIGIN, NULL, "%s", str_text(&text));
	return cli_report(cli, &err, EXIT_USAGE);
}

const struct command *cli_command(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, name) == 0)
			return c;
		for (const char *alias = c->alias; *alias; alias += strlen(alias) + 1)
			if (strcmp(alias, name) == 0)
				return c;
	}
	return NULL;
}

static const char *listed_word(size_t i, const void *ctx)
{
	return ((const char *const *)ctx)[i];
}

void cli_hint_nearest(struct error *err, const char *word, const char *const *words, size_t count)
{
	const char *nearest = nearest_name(word, count, listed_word, words);

	if (nearest)
		error_hint(err, "did you mean \"%s\"?", nearest);
}

static int unknown_flag(const struct cli *cli, const char *arg, const struct cli_flag *flags,
			size_t count)
{
	auto_error err = {0};
	const char *words[16] = {"help", "json", "quiet", "trust-policy"};
	size_t n = 4;
	size_t len = strcspn(arg, "=");
	const char *name = arena_strndup(&err.arena, arg, len);

	for (size_t i = 0; i < count && n < ARRAY_LEN(words); i++)
		words[n++] = flags[i].name;
	error_add(&err, NO_ORIGIN, NULL, "unknown option %s", error_quote(&err, name));
	if (len > 2 && arg[1] == '-') {
		const char *nearest = nearest_name(name + 2, n, listed_word, words);

		if (nearest)
			error_hint(&err, "did you mean \"--%s\"?", nearest);
	}
	return cli_report(cli, &err, EXIT_USAGE);
}

static const struct cli_flag *find_flag(const char *arg, const struct cli_flag *flags, size_t count,
					const char **value)
{
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1);
	size_t len = is_long ? strcspn(name, "=") : 1;

	*value = name[len] == '=' ? name + len + 1 : !is_long && name[1] ? name + 1 : NULL;
	for (size_t i = 0; i < count; i++) {
		if (is_long ? strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0
			    : flags[i].letter && flags[i].letter == name[0])
			return &flags[i];
	}
	return NULL;
}

int cli_flags(struct cli *cli, int *argc, char **argv, const struct cli_flag *flags, size_t count,
	      char ***rest)
{
	const struct command *command = cli->command;
	bool help = false;
	const char *help_word = NULL;
	const struct cli_flag common[] = {
		{"help", 'h', &help, NULL},
		{"json", 0, &cli->json, NULL},
		{"quiet", 'q', &cli->quiet, NULL},
		{"trust-policy", 0, &cli->s.trust_policy, NULL},
	};
	int operands = 1;

	if (rest)
		*rest = NULL;
	for (int i = 1; i < *argc; i++) {
		char *arg = argv[i];
		const char *value = NULL;

		if (strcmp(arg, "--") == 0) {
			if (rest) {
				*rest = &argv[i + 1];
				break;
			}
			while (++i < *argc)
				argv[operands++] = argv[i];
			break;
		}
		if (arg[0] != '-' || !arg[1]) {
			argv[operands++] = arg;
			continue;
		}
		const struct cli_flag *f = find_flag(arg, common, ARRAY_LEN(common), &value);
		if (f && f->set == &help) {
			help = true;
			help_word = value;
			continue;
		}
		if (!f)
			f = find_flag(arg, flags, count, &value);
		if (!f)
			return unknown_flag(cli, arg, flags, count);
		if (!f->value && value)
			return cli_usage_error(cli, "--%s takes no value", f->name);
		if (f->value) {
			if (!value && (i + 1 >= *argc || argv[i + 1][0] == '-'))
				return cli_usage_error(cli, "--%s needs a value", f->name);
			*f->value = value ? value : argv[++i];
		}
		if (f->set)
			*f->set = true;
	}
	if (help) {
		auto_str out = {0};

		cli_help(command ? command->name : NULL, help_word && strcmp(help_word, "all") == 0,
			 &out);
		return cli_print(&out);
	}
	/* With `rest` the words after "--" stay where they are: the operands never reach them. */
	if (!rest || !*rest)
		argv[operands] = NULL;
	*argc = operands;
	return -1;
}

char **cli_choose_command(const struct policy *policy, char **words, const char *subcommand,
			  struct error *err)
{
	struct arena *arena = policy->arena;
	const char *shell = policy_text(policy, OPT_shell, "/bin/sh");
	const char *script = policy_text(policy, OPT_exec_shell, NULL);
	const char *exec = policy_text(policy, OPT_exec, NULL);
	const struct value *entrypoint = policy_value(policy, OPT_entrypoint);
	const struct value *args = policy_value(policy, OPT_args);
	size_t count = 0, used = 0;

	while (words && words[count])
		count++;
	char **argv = arena_array(arena, count + args->count + entrypoint->count + 5, sizeof *argv);
	if (script) {
		argv[used++] = arena_strdup(arena, shell);
		argv[used++] = arena_strdup(arena, "-c");
		argv[used++] = arena_strdup(arena, script);
	} else if (count) {
		for (size_t i = 0; i < entrypoint->count; i++)
			argv[used++] = arena_strdup(arena, entrypoint->items[i].text);
	} else if (exec) {
		argv[used++] = arena_strdup(arena, exec);
		for (size_t i = 0; i < args->count; i++)
			argv[used++] = arena_strdup(arena, args->items[i].text);
	} else if (policy_bool(policy, OPT_interactive, false) && isatty(0)) {
		argv[used++] = arena_strdup(arena, shell);
	} else {
		error_add(err, NO_ORIGIN, NULL, "no command specified");
		error_hint(err, "write it after --: sandlock %s [options] -- COMMAND ...",
			   subcommand);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		argv[used++] = words[i];
	return argv;
}
