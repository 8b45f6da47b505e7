/*
 * The `sandlock` program: one table of subcommands, the surroundings read once, and a jump.
 * Must never do work that a start pays for and few commands need.
 */
#include "cli.h"

#include "base/fd.h"

#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

const struct command commands[] = {
	{"run", "", IN_SUPERVISED | IN_KERNEL, run_main, "run a command in a sandbox",
	 "[OPTION]... -- COMMAND [ARG]..."},
	{"confine", "", IN_CONFINE, confine_main,
	 "confine by the kernel alone and become the command", "[OPTION]... -- COMMAND [ARG]..."},
	{"preload", "", IN_CONFINE, preload_main,
	 "run a command that confines itself while it starts", "[OPTION]... -- COMMAND [ARG]..."},
	{"check", "", 0, check_main, "what this machine can enforce",
	 "[-p NAME]\n"
	 "  -p, --policy NAME          answer for one policy: which mechanism enforces what\n"},
	{"policy", "profile", 0, policy_main, "list, show, check and compile policies",
	 "VERB [ARG]...\n"
	 "  list                       what can be named with -p, and where it comes from\n"
	 "  show NAME [-- OPTION...]   the resolved policy: --origin, --raw, --yaml, --toml\n"
	 "  check [--strict] FILE...   all errors and warnings; 0 clean, 1 warnings, 125 errors\n"
	 "  explain NAME connect HOST:PORT[/udp] | bind PORT[/udp]\n"
	 "                             allowed here? by which rule, and who enforces it; 0 yes, 1 no\n"
	 "  compile NAME [-o OUT]      the binary form of a policy\n"
	 "  path [NAME]                the file behind a name; alone: where names are looked for\n"
	 "  cache path|list|verify|clear\n"
	 "  import FILE.toml           the YAML form on standard output\n"
	 "  export NAME                the TOML form on standard output\n"
	 "  delete NAME [--yes]        remove a policy of your own\n"},
	{"ps", "list\0ls", 0, ps_main, "list your running sandboxes, with their ports",
	 "[--json]\n"
	 "  --json                     an array: names, process ids, ports, what was trapped and denied\n"},
	{"completion", "", 0, completion_main, "print a completion script", "bash|zsh|fish"},
	{"man", "", 0, man_main, "print a manual page", "[1|5]"},
	{"help", "", 0, help_main, "help on a command", "[COMMAND]"},
	{"version", "", 0, version_main, "name, version and build", NULL},
	{"inspect", "", 0, NULL, "show the policy of a running sandbox", NULL},
	{"kill", "", 0, NULL, "end a running sandbox", NULL},
	{"pause", "", 0, NULL, "stop a running sandbox", NULL},
	{"resume", "", 0, NULL, "continue a paused sandbox", NULL},
	{"wait", "", 0, NULL, "wait for a sandbox to end", NULL},
	{"logs", "", 0, NULL, "show the output of a detached sandbox", NULL},
	{"stats", "", 0, NULL, "show what a sandbox uses", NULL},
	{"exec", "", 0, NULL, "run one more command in a sandbox", NULL},
	{"learn", "", 0, NULL, "watch a command and write a policy", NULL},
	{"explain", "", 0, NULL, "show the last denials", NULL},
	{"branch", "", 0, NULL, "commit or abort a kept branch", NULL},
	{"volume", "", 0, NULL, "manage named volumes", NULL},
	{"msb", "", 0, NULL, "speak microsandbox's dialect", NULL},
	{"__supervise", "", 0, supervise_main, NULL, NULL},
};
const size_t command_count = ARRAY_LEN(commands);

/* The home directory: HOME, unless it is missing or the caller must not choose it. */
static const char *find_home(const struct surroundings *s)
{
	const char *home = s->privileged ? NULL : surroundings_env(s, "HOME");

	if (home && home[0] == '/')
		return home;
	const struct passwd *entry = getpwuid(s->uid);
	return entry && entry->pw_dir && entry->pw_dir[0] == '/' ? strdup(entry->pw_dir) : NULL;
}

/* PREFIX/share/sandlock/policies, where PREFIX/bin holds this program. */
const char *cli_shipped(void)
{
	static const char below[] = "/share/sandlock/policies";
	static char path[PATH_MAX + sizeof below];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (len <= 0)
		return "/usr/local/share/sandlock/policies";
	path[len] = 0;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return "/usr/local/share/sandlock/policies";
		*slash = 0;
	}
	memcpy(path + strlen(path), below, sizeof below);
	return path;
}

static void read_surroundings(struct cli *cli)
{
	static char cwd[PATH_MAX];
	struct surroundings *s = &cli->s;
	const char *cache, *compat;

	/* A directory that was removed, or lies outside the root, has no name: this one still means it. */
	s->cwd = getcwd(cwd, sizeof cwd) && cwd[0] == '/' ? cwd : "/proc/self/cwd";
	s->home = find_home(s);
	cache = surroundings_env(s, "SANDLOCK_CACHE");
	s->use_cache = !cache || strcmp(cache, "off") != 0;
	s->policy_path = s->privileged ? NULL : surroundings_env(s, "SANDLOCK_POLICY_PATH");
	compat = surroundings_env(s, "SANDLOCK_EXIT_COMPAT");
	cli->compat = compat && strcmp(compat, "1") == 0;
}

static bool choose_color(struct cli *cli, const char *word)
{
	const char *none = surroundings_env(&cli->s, "NO_COLOR");

	if (strcmp(word, "always") == 0 || strcmp(word, "never") == 0)
		cli->color = word[0] == 'a';
	else if (strcmp(word, "auto") == 0)
		cli->color = !(none && none[0]) && isatty(STDERR_FILENO);
	else
		return false;
	return true;
}

static int unknown_command(const struct cli *cli, const char *name)
{
	auto_error err = {0};
	const char *words[3 * ARRAY_LEN(commands)];
	size_t n = 0;

	for (size_t i = 0; i < command_count; i++) {
		if (!commands[i].help)
			continue;
		words[n++] = commands[i].name;
		for (const char *alias = commands[i].alias; *alias; alias += strlen(alias) + 1)
			words[n++] = alias;
	}
	error_add(&err, NO_ORIGIN, NULL, "there is no command %s", error_quote(&err, name));
	cli_hint_nearest(&err, name, words, n);
	return cli_report(cli, &err, EXIT_USAGE);
}

static int not_yet(const struct cli *cli, const struct command *command)
{
	auto_error err = {0};

	error_add(&err, NO_ORIGIN, NULL, "%s: not available in this version", command->name);
	return cli_report(cli, &err, EXIT_SANDLOCK);
}

static int print_help(bool all)
{
	auto_str out = {0};

	cli_help(NULL, all, &out);
	return cli_print(&out);
}

/* Options before the subcommand. Returns the index of the subcommand, argc when there is none, or 0 with *status. */
static int global_options(struct cli *cli, int argc, char **argv, int *status)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		const char *equals = strchr(arg, '=');
		size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
		const char *value = equals ? equals + 1 : argv[i + 1];
		bool color = len == 7 && memcmp(arg, "--color", len) == 0;
		bool path = len == 13 && memcmp(arg, "--policy-path", len) == 0;

		if (arg[0] != '-')
			return i;
		if (color || path) {
			i += !equals;
			if (!value)
				*status = cli_usage_error(cli, "%s needs a value", arg);
			else if (color && !choose_color(cli, value))
				*status = cli_usage_error(
					cli, "--color: auto, always or never, not \"%s\"", value);
			else if (path)
				cli->s.policy_path = cli->s.privileged ? NULL : value;
			if (!value || *status >= 0)
				return 0;
			continue;
		}
		if (strcmp(arg, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(arg, "-q") == 0 || strcmp(arg, "--quiet") == 0) {
			cli->quiet = true;
		} else if (strcmp(arg, "--no-cache") == 0) {
			cli->s.use_cache = false;
		} else if (strcmp(arg, "--trust-policy") == 0) {
			cli->s.trust_policy = true;
		} else if (strcmp(arg, "-h") == 0 || strncmp(arg, "--help", len) == 0) {
			*status = print_help(equals && strcmp(value, "all") == 0);
			return 0;
		} else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0) {
			*status = version_main(cli, 1, (char *[]){argv[i], NULL});
			return 0;
		} else {
			*status = cli_usage_error(cli, "unknown option \"%s\"", arg);
			return 0;
		}
	}
	return argc;
}

int main(int argc, char **argv)
{
	if (!fd_open_standard())
		return EXIT_SANDLOCK;

	struct cli cli = {
		.s =
			{
				.environment = environ,
				.uid = getuid(),
				.euid = geteuid(),
				.gid = getgid(),
				.privileged = getauxval(AT_SECURE) != 0,
			},
	};

	/* The re-executed supervisor: its policy comes by descriptor, never from argv or the environment. */
	if (argc > 1 && strcmp(argv[1], "__supervise") == 0)
		return supervise_main(&cli, argc - 1, argv + 1);

	int status = -1;
	read_surroundings(&cli);
	choose_color(&cli, "auto");
	int at = global_options(&cli, argc, argv, &status);
	if (at == 0)
		return status;
	if (at >= argc) {
		auto_str out = {0};

		cli_help(NULL, false, &out);
		fd_write_all(STDERR_FILENO, str_text(&out), out.len);
		return EXIT_USAGE;
	}

	const struct command *command = cli_command(argv[at]);
	if (!command || !command->help)
		return unknown_command(&cli, argv[at]);
	cli.command = command;
	if (!command->main)
		return not_yet(&cli, command);
	/* These two look for themselves when they are given a policy: their start is counted in microseconds. */
	if (command->main != run_main && command->main != confine_main)
		cli.s.shipped = cli_shipped();
	return command->main(&cli, argc - at, argv + at);
}
