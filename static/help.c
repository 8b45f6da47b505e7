/* Help: the commands from their table, the options from options.def, section by section. */
#include "cli.h"

#include <string.h>

/* In the order of printing; every section of options.def stands here (tests/unit/test_cli.c). */
const struct help_section help_sections[] = {
	{"", "This run"},
	{"filesystem", "File system"},
	{"network", "Network"},
	{"http", "HTTP"},
	{"dns", "DNS"},
	{"tls", "TLS"},
	{"secrets", "Secrets"},
	{"program", "Program"},
	{"limits", "Limits"},
	{"lifecycle", "Lifecycle"},
	{"syscalls", "System calls"},
	{"protection", "Protections"},
	{"determinism", "Determinism"},
	{"config", "Sandbox"},
	{"image", "Image"},
	{"audit", "Audit"},
};
const size_t help_section_count = ARRAY_LEN(help_sections);

enum { HELP_COLUMN = 30 };

static const char program_usage[] =
	"usage: sandlock [GLOBAL OPTION]... COMMAND [ARG]...\n"
	"\n"
	"Runs programs in a sandbox, without privileges: what the policy does not grant is denied.\n"
	"  sandlock run -r /usr -r /lib -r /lib64 -w . -- python3 script.py\n"
	"  sandlock run -p python -- python3 script.py\n"
	"\nCommands:\n";

static const char program_options[] =
	"\nGlobal options, before the command:\n"
	"      --json                  machine-readable output and errors\n"
	"      --color WHEN            colour diagnostics: auto, always, never\n"
	"  -q, --quiet                 errors only: no warnings and hints of the run\n"
	"      --policy-path DIRS      look for policies here first\n"
	"      --no-cache              do not use the compiled policy cache\n"
	"  -h, --help[=all]            this help; all: also what later versions bring\n"
	"  -V, --version               name and version\n"
	"\n\"sandlock help COMMAND\" tells more; \"sandlock man\" prints the manual.\n";

static void pad(struct str *out, size_t start)
{
	size_t width = out->len - start;

	if (width + 2 > HELP_COLUMN) {
		str_add_char(out, '\n');
		width = 0;
	}
	for (; width < HELP_COLUMN; width++)
		str_add_char(out, ' ');
}

bool help_option_label(enum option_id id, struct str *out)
{
	const struct option *o = &options[id];

	if (!option_text(o->flag))
		return false;
	if (o->letter)
		str_printf(out, "-%c, ", o->letter);
	else
		str_add(out, "    ");
	str_printf(out, "--%s", option_text(o->flag));
	if (option_text(o->metavar) && o->kind != KIND_BOOL)
		str_printf(out, " %s", option_text(o->metavar));
	return true;
}

bool help_option_listed(enum option_id id, unsigned modes, bool all)
{
	const struct option *o = &options[id];

	if (!option_text(o->flag) || (o->flags & OPTION_HIDDEN) || !(o->modes & modes))
		return false;
	return all || !(o->flags & OPTION_LATER);
}

static void add_option(enum option_id id, struct str *out)
{
	const struct option *o = &options[id];
	size_t start = out->len;

	str_add(out, "  ");
	help_option_label(id, out);
	pad(out, start);
	str_add(out, option_text(o->help) ? option_text(o->help) : "");
	if (o->kind == KIND_ENUM && option_text(o->words))
		str_printf(out, " (%s)", option_text(o->words));
	if (o->flags & OPTION_LATER)
		str_add(out, " [later version]");
	str_add_char(out, '\n');
}

static void add_sections(unsigned modes, bool all, struct str *out)
{
	for (size_t i = 0; i < help_section_count; i++) {
		const struct help_section *section = &help_sections[i];
		bool titled = false;

		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			const char *name = option_text(options[id].section);

			if (strcmp(name ? name : "", section->name) != 0 ||
			    !help_option_listed(id, modes, all))
				continue;
			if (!titled)
				str_printf(out, "\n%s:\n", section->title);
			titled = true;
			add_option(id, out);
		}
	}
}

static void add_commands(bool all, struct str *out)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		size_t start = out->len;

		if (!c->help || (!c->main && !all))
			continue;
		str_printf(out, "  %s", c->name);
		for (const char *alias = c->alias; *alias; alias += strlen(alias) + 1)
			str_printf(out, ", %s", alias);
		pad(out, start);
		str_printf(out, "%s%s\n", c->help, c->main ? "" : " [later version]");
	}
}

void cli_help(const char *subcommand, bool all, struct str *out)
{
	const struct command *c = subcommand ? cli_command(subcommand) : NULL;

	if (!c) {
		str_add(out, program_usage);
		add_commands(all, out);
		if (all)
			add_sections(IN_SUPERVISED | IN_KERNEL | IN_CONFINE, true, out);
		str_add(out, program_options);
		return;
	}
	const char *usage = c->usage ? c->usage : "";
	size_t line = strcspn(usage, "\n");

	str_printf(out, "usage: sandlock %s %.*s\n%s%s\n", c->name, (int)line, usage, c->help,
		   c->main ? "" : " [later version]");
	if (usage[line])
		str_printf(out, "\n%s", usage + line + 1);
	if (!c->modes)
		return;
	add_sections(c->modes, all, out);
	if (!all)
		str_printf(out,
			   "\n\"sandlock %s --help=all\" also lists what later versions bring.\n",
			   c->name);
}

int help_main(struct cli *cli, int argc, char **argv)
{
	bool all = false;
	const struct cli_flag flags[] = {{"all", 'a', &all, NULL}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);
	auto_str out = {0};

	if (status >= 0)
		return status;
	if (argc > 2)
		return cli_usage_error(cli, "help takes one command");
	if (argc == 2) {
		const struct command *c = cli_command(argv[1]);

		if (!c || !c->help)
			return cli_usage_error(cli, "there is no command \"%s\"", argv[1]);
		cli_help(c->name, all, &out);
	} else {
		cli_help(NULL, all, &out);
	}
	return cli_print(&out);
}
