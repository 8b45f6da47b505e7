/* `sandlock completion bash|zsh|fish`: what the shell offers, from the same tables as the parser. */
#include "cli.h"

#include <string.h>

#define NAMES "sandlock policy list --names 2>/dev/null"

enum { MODES = IN_SUPERVISED | IN_KERNEL | IN_CONFINE };

static bool takes_value(enum option_id id)
{
	return options[id].kind != KIND_BOOL;
}

static bool is_file(enum option_id id)
{
	return options[id].kind == KIND_PATH || id == OPT_profile_file || id == OPT_report ||
	       id == OPT_policy_path;
}

static bool has_words(enum option_id id)
{
	return option_text(options[id].words) &&
	       (options[id].kind == KIND_ENUM || options[id].kind == KIND_NAMES);
}

static void add_words(enum option_id id, struct str *out)
{
	for (const char *p = option_text(options[id].words); *p; p++)
		str_add_char(out, *p == '|' ? ' ' : *p);
}

/* In single quotes of a shell; `drop` are characters that the shell's own format reserves. */
static void add_help(const char *text, const char *drop, struct str *out)
{
	for (; *text; text++) {
		if (*text != '\'' && !strchr(drop, *text))
			str_add_char(out, *text);
	}
}

/* Names of the commands; with `only_modes` those that take policy options. */
static void add_commands(bool only_modes, struct str *out)
{
	const char *blank = "";

	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (!c->help || !c->main || (only_modes && !c->modes))
			continue;
		str_printf(out, "%s%s", blank, c->name);
		blank = " ";
	}
}

static const char verbs[] = "list show check explain compile path cache import export delete";

/* ---- bash ---- */

/* "-r|--fs-read|..." of all options that `pick` takes; false when there is none. */
static bool bash_case(bool (*pick)(enum option_id), struct str *out)
{
	bool any = false;

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (!help_option_listed(id, MODES, false) || !takes_value(id) || !pick(id))
			continue;
		str_printf(out, "%s--%s", any ? "|" : "\t", option_text(options[id].flag));
		if (options[id].letter)
			str_printf(out, "|-%c", options[id].letter);
		any = true;
	}
	return any;
}

static bool is_free(enum option_id id)
{
	return !is_file(id) && !has_words(id) && id != OPT_policy;
}

static void bash(struct str *out)
{
	str_add(out, "_sandlock() {\n"
		     "local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i cmd=\n"
		     "COMPREPLY=()\n"
		     "for ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\tif [[ ${COMP_WORDS[i]} == -- ]]; then\n"
		     "\t\tif ((i == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- \"$cur\"))\n"
		     "\t\telse COMPREPLY=($(compgen -f -- \"$cur\")); fi\n\t\treturn\n\tfi\n"
		     "\t[[ -z $cmd && ${COMP_WORDS[i]} != -* ]] && cmd=${COMP_WORDS[i]}\n"
		     "done\n"
		     "local words=\ncase $prev in\n");
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (!help_option_listed(id, MODES, false) || !has_words(id))
			continue;
		str_printf(out, "\t--%s) words='", option_text(options[id].flag));
		add_words(id, out);
		str_add(out, "' ;;\n");
	}
	str_add(out, "\t-p|--policy|--profile) words=$(" NAMES ") ;;\n");
	if (bash_case(is_file, out))
		str_add(out, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
	if (bash_case(is_free, out))
		str_add(out, ") return ;;\n");
	str_add(out, "esac\nif [[ -z $words ]]; then case $cmd in\n\t'') words='");
	add_commands(false, out);
	str_add(out, "' ;;\n\tpolicy|profile) words=\"");
	str_add(out, verbs);
	str_add(out, " $(" NAMES ")\" ;;\n\tcheck) words='--policy --json' ;;\n"
		     "\tcompletion) words='bash zsh fish' ;;\n\tman) words='1 5' ;;\n");
	for (size_t i = 0; i < command_count; i++) {
		if (!commands[i].help || !commands[i].modes)
			continue;
		str_printf(out, "\t%s) words='--", commands[i].name);
		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			if (help_option_listed(id, commands[i].modes, false))
				str_printf(out, " --%s", option_text(options[id].flag));
		}
		str_add(out, "' ;;\n");
	}
	str_add(out, "esac; fi\nCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
		     "complete -o filenames -F _sandlock sandlock\n");
}

/* ---- zsh ---- */

static void zsh_option(enum option_id id, struct str *out)
{
	const struct option *o = &options[id];

	str_printf(out, "\t\t'%s--%s%s[", o->flags & (OPTION_LIST | OPTION_MAP) ? "*" : "",
		   option_text(o->flag), takes_value(id) ? "=" : "");
	add_help(option_text(o->help), "[]:\\", out);
	str_add(out, "]");
	if (takes_value(id)) {
		str_add(out, ":");
		add_help(option_text(o->metavar) ? option_text(o->metavar) : "value", "[]:\\", out);
		str_add(out, ":");
	}
	if (has_words(id)) {
		str_add(out, "(");
		add_words(id, out);
		str_add(out, ")");
	} else if (id == OPT_policy) {
		str_add(out, "_sandlock_policies");
	} else if (is_file(id)) {
		str_add(out, "_files");
	}
	str_add(out, "'");
	if (o->letter && !takes_value(id))
		str_printf(out, " -%c", o->letter);
	str_add(out, " \\\n");
	if (o->letter && takes_value(id))
		str_printf(out, "\t\t'*-%c+:%s:%s' \\\n", o->letter, option_text(o->flag),
			   id == OPT_policy ? "_sandlock_policies"
			   : is_file(id)    ? "_files"
					    : "");
}

static void zsh(struct str *out)
{
	str_add(out,
		"#compdef sandlock\n"
		"_sandlock_policies() { compadd -- ${(f)\"$(" NAMES ")\"}; _files -g '*.yaml' }\n"
		"_sandlock() {\nlocal cmd=${words[2]}\n"
		"if ((CURRENT == 2)); then compadd -- ");
	add_commands(false, out);
	str_add(out, "; return; fi\nshift words; ((CURRENT--))\ncase $cmd in\n");
	for (size_t i = 0; i < command_count; i++) {
		if (!commands[i].help || !commands[i].modes)
			continue;
		str_printf(out, "\t%s) _arguments -s -S \\\n", commands[i].name);
		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			if (help_option_listed(id, commands[i].modes, false))
				zsh_option(id, out);
		}
		str_add(out, "\t\t'*::command:_normal' ;;\n");
	}
	str_printf(out,
		   "\tpolicy|profile) if ((CURRENT == 2)); then compadd -- %s; else "
		   "_sandlock_policies; fi ;;\n"
		   "\tcheck) _arguments '-p+:policy:_sandlock_policies' --json ;;\n"
		   "\tcompletion) compadd bash zsh fish ;;\n\tman) compadd 1 5 ;;\n"
		   "esac\n}\n_sandlock \"$@\"\n",
		   verbs);
}

/* ---- fish ---- */

static void fish_option(enum option_id id, const char *seen, struct str *out)
{
	const struct option *o = &options[id];

	str_printf(out, "complete -c sandlock -n '__fish_seen_subcommand_from %s' -l %s", seen,
		   option_text(o->flag));
	if (o->letter)
		str_printf(out, " -s %c", o->letter);
	if (takes_value(id))
		str_add(out, is_file(id) ? " -r -F" : " -x");
	if (id == OPT_policy) {
		str_add(out, " -a '(" NAMES ")'");
	} else if (has_words(id)) {
		str_add(out, " -a '");
		add_words(id, out);
		str_add(out, "'");
	}
	str_add(out, " -d '");
	add_help(option_text(o->help), "\\", out);
	str_add(out, "'\n");
}

static void fish(struct str *out)
{
	auto_str confining = {0};

	add_commands(true, &confining);
	str_add(out, "complete -c sandlock -f\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (!c->help || !c->main)
			continue;
		str_printf(out, "complete -c sandlock -n __fish_use_subcommand -a %s -d '",
			   c->name);
		add_help(c->help, "\\", out);
		str_add(out, "'\n");
	}
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (help_option_listed(id, MODES, false))
			fish_option(id, str_text(&confining), out);
	}
	str_printf(
		out,
		"complete -c sandlock -n '__fish_seen_subcommand_from %s' -F\n"
		"complete -c sandlock -n '__fish_seen_subcommand_from policy profile' -F -a '%s (" NAMES
		")'\n"
		"complete -c sandlock -n '__fish_seen_subcommand_from check' -s p -x -a '(" NAMES
		")'\n"
		"complete -c sandlock -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n",
		str_text(&confining), verbs);
}

int completion_main(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(struct str *);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);

	if (status >= 0)
		return status;
	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(shells); i++) {
		if (strcmp(argv[1], shells[i].name) == 0) {
			auto_str out = {0};

			shells[i].write(&out);
			return cli_print(&out);
		}
	}
	return cli_usage_error(cli, "completion: bash, zsh or fish");
}
