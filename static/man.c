/*
 * `sandlock man`: the manual pages from the same tables as the parser. Alone it writes a short page as roff; with --scd it
 * fills the markers (@OPTIONS@, @COMMANDS@, @EXIT@, @KEYS@) in a page of docs/ that comes on standard input.
 */
#include "cli.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_LIMIT = 256 * 1024 };

/* Either roff or the source of scdoc. */
struct page {
	struct str *out;
	bool scd;
};

static const struct {
	char status[6];
	const char *text;
} statuses[] = {
	{"N", "the command's own status"},
	{"2", "a usage error; nothing was started"},
	{"123", "the command was ended by its policy"},
	{"124", "a time limit of the policy ended it"},
	{"125", "sandlock failed before the command started"},
	{"126", "the command was found but cannot be executed"},
	{"127", "the command was not found"},
	{"128+S", "the command was ended by signal S"},
};

static void add_escaped(const struct page *p, const char *text)
{
	for (; *text; text++) {
		if (p->scd && strchr("_*\\`", *text))
			str_printf(p->out, "\\%c", *text);
		else if (!p->scd && *text == '\\')
			str_add(p->out, "\\e");
		else if (!p->scd && *text == '-')
			str_add(p->out, "\\-");
		else
			str_add_char(p->out, *text);
	}
}

static void add_bold(const struct page *p, const char *prefix, const char *text)
{
	str_add(p->out, p->scd ? "*" : "\\fB");
	add_escaped(p, prefix);
	add_escaped(p, text);
	str_add(p->out, p->scd ? "*" : "\\fR");
}

static void begin_label(const struct page *p)
{
	str_add(p->out, p->scd ? "" : ".TP\n");
}

static void end_label(const struct page *p)
{
	str_add(p->out, p->scd ? "\n\t" : "\n");
}

static void end_text(const struct page *p)
{
	str_add(p->out, p->scd ? "\n\n" : "\n");
}

static void add_heading(const struct page *p, const char *title)
{
	str_printf(p->out, p->scd ? "## %s\n\n" : ".SS %s\n", title);
}

static void add_words(const struct page *p, const struct option *o)
{
	if (option_text(o->words) && (o->kind == KIND_ENUM || o->kind == KIND_NAMES)) {
		str_add(p->out, " (");
		for (const char *word = option_text(o->words); *word;) {
			size_t len = strcspn(word, "|");

			str_printf(p->out, "%.*s%s", (int)len, word, word[len] ? ", " : "");
			word += len + (word[len] == '|');
		}
		str_add(p->out, ")");
	}
	if (o->flags & OPTION_LATER)
		str_add(p->out, "; not in this version");
}

static bool in_section(enum option_id id, const char *section)
{
	const char *name = option_text(options[id].section);

	return strcmp(name ? name : "", section) == 0;
}

static void add_options(const struct page *p)
{
	const unsigned modes = IN_SUPERVISED | IN_KERNEL | IN_CONFINE;

	for (size_t s = 0; s < help_section_count; s++) {
		bool titled = false;

		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			const struct option *o = &options[id];

			if (!in_section(id, help_sections[s].name) ||
			    !help_option_listed(id, modes, true))
				continue;
			if (!titled)
				add_heading(p, help_sections[s].title);
			titled = true;
			begin_label(p);
			if (o->letter) {
				add_bold(p, "-", (char[]){o->letter, 0});
				str_add(p->out, ", ");
			}
			add_bold(p, "--", option_text(o->flag));
			if (option_text(o->metavar) && o->kind != KIND_BOOL) {
				str_add_char(p->out, ' ');
				add_escaped(p, option_text(o->metavar));
			}
			end_label(p);
			add_escaped(p, option_text(o->help));
			add_words(p, o);
			end_text(p);
		}
	}
}

static const char *type_of(const struct option *o)
{
	static const char types[][14] = {
		[KIND_BOOL] = "true or false",
		[KIND_UINT] = "number",
		[KIND_SIZE] = "size",
		[KIND_DURATION] = "duration",
		[KIND_TIME] = "time",
		[KIND_STRING] = "text",
		[KIND_ENUM] = "word",
		[KIND_PATH] = "path",
		[KIND_ENV] = "text",
		[KIND_NAMES] = "name",
		[KIND_MOUNT] = "mount",
		[KIND_TMPFS] = "tmpfs",
		[KIND_RLIMIT] = "limit",
		[KIND_PORTS] = "ports",
		[KIND_USER] = "user",
		[KIND_ENDPOINT] = "rule",
		[KIND_NET_RULES] = "ordered rules",
		[KIND_PUBLISH] = "port mapping",
	};

	return types[o->kind];
}

static void add_keys(const struct page *p)
{
	for (size_t s = 0; s < help_section_count; s++) {
		const char *section = help_sections[s].name;
		bool titled = false;

		for (enum option_id id = 0; section[0] && id < OPT_COUNT; id++) {
			const struct option *o = &options[id];

			if (!option_text(o->key) || !in_section(id, section))
				continue;
			if (!titled)
				add_heading(p, section);
			titled = true;
			begin_label(p);
			add_bold(p, option_text(o->key), "");
			str_printf(p->out, " (%s%s)",
				   o->flags & OPTION_MAP    ? "map, each a "
				   : o->flags & OPTION_LIST ? "list, each a "
							    : "",
				   type_of(o));
			end_label(p);
			/* A flag that says "no" has help for false. */
			if (o->flags & OPTION_NEGATIVE)
				str_add(p->out, "false: ");
			add_escaped(p, option_text(o->help));
			add_words(p, o);
			end_text(p);
		}
	}
}

static void add_commands(const struct page *p)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (!c->help || !c->main)
			continue;
		begin_label(p);
		add_bold(p, c->name, "");
		for (const char *alias = c->alias; *alias; alias += strlen(alias) + 1) {
			str_add(p->out, ", ");
			add_bold(p, alias, "");
		}
		if (c->usage) {
			auto_str line = {0};

			str_add_bytes(&line, c->usage, strcspn(c->usage, "\n"));
			str_add_char(p->out, ' ');
			add_escaped(p, str_text(&line));
		}
		end_label(p);
		add_escaped(p, c->help);
		end_text(p);
	}
}

static void add_statuses(const struct page *p)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		begin_label(p);
		add_bold(p, statuses[i].status, "");
		end_label(p);
		add_escaped(p, statuses[i].text);
		end_text(p);
	}
}

static const struct marker {
	char name[12];
	void (*add)(const struct page *);
} markers[] = {
	{"@OPTIONS@", add_options},
	{"@COMMANDS@", add_commands},
	{"@EXIT@", add_statuses},
	{"@KEYS@", add_keys},
};

/* The page on standard input with its markers filled. */
static int fill(const struct cli *cli, struct str *out)
{
	CLEANUP(arena_free) struct arena arena = {0};
	char *text = arena_alloc(&arena, PAGE_LIMIT);
	ssize_t len = fd_read_all(STDIN_FILENO, text, PAGE_LIMIT - 1);
	const struct page page = {out, true};

	if (len < 0) {
		auto_error err = {0};

		error_add_errno(&err, NO_ORIGIN, NULL, (int)-len, "cannot read the page");
		return cli_report(cli, &err, EXIT_SANDLOCK);
	}
	for (char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const struct marker *m = NULL;

		for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
			if (strlen(markers[i].name) == n && memcmp(line, markers[i].name, n) == 0)
				m = &markers[i];
		}
		if (m)
			m->add(&page);
		else
			str_add_bytes(out, line, n + (line[n] == '\n'));
		line += n + (line[n] == '\n');
	}
	return cli_print(out);
}

static void short_page(bool format, struct str *out)
{
	const struct page page = {out, false};

	if (format) {
		str_add(out,
			".TH sandlock\\-policy 5\n.SH NAME\nsandlock\\-policy \\- policy files of "
			"sandlock\n.SH DESCRIPTION\nA policy is a YAML file: \\fBversion: 1\\fR, "
			"optional \\fBname\\fR, \\fBdescription\\fR, \\fBextends\\fR, and the "
			"sections below. What no policy and no flag grants is denied.\n.SH KEYS\n");
		add_keys(&page);
	} else {
		str_add(out, ".TH sandlock 1\n.SH NAME\nsandlock \\- run programs in a sandbox\n"
			     ".SH SYNOPSIS\n\\fBsandlock\\fR [GLOBAL OPTION]... COMMAND [ARG]...\n"
			     ".SH COMMANDS\n");
		add_commands(&page);
		str_add(out, ".SH OPTIONS\n");
		add_options(&page);
		str_add(out, ".SH EXIT STATUS\n");
		add_statuses(&page);
	}
	str_add(out, ".SH SEE ALSO\n\\fBsandlock\\fR(1), \\fBsandlock\\-policy\\fR(5)\n");
}

int man_main(struct cli *cli, int argc, char **argv)
{
	bool scd = false;
	const struct cli_flag flags[] = {{"scd", 0, &scd, NULL}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);
	const char *page = argc > 1 ? argv[1] : "1";
	auto_str out = {0};

	if (status >= 0)
		return status;
	if (argc > 2 || (strcmp(page, "1") != 0 && strcmp(page, "5") != 0))
		return cli_usage_error(cli, "the pages are 1 and 5");
	if (scd)
		return fill(cli, &out);
	short_page(page[0] == '5', &out);
	return cli_print(&out);
}
