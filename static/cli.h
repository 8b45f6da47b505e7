/*
 * What the subcommands share: one table in main.c, one file and one function per subcommand. Only static/ prints and exits.
 */
#ifndef SANDLOCK_STATIC_CLI_H
#define SANDLOCK_STATIC_CLI_H

#include "policy/load.h"

/* Exit statuses (docs/sandlock.1, EXIT STATUS). */
enum {
	EXIT_USAGE = 2,
	EXIT_POLICY = 123, /* ended by policy */
	EXIT_TIMEOUT = 124,
	EXIT_SANDLOCK = 125, /* sandlock failed before the command started */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127,
};

struct command;

struct cli {
	struct surroundings s;	       /* environment, directories, ids */
	const struct command *command; /* the one that runs; NULL before it is known */
	bool json;		       /* --json before or after the subcommand */
	bool quiet;
	bool compat;  /* SANDLOCK_EXIT_COMPAT=1: the reference's exit statuses */
	bool profile; /* called as `sandlock profile`: the reference's forms of output */
	bool color;   /* diagnostics on stderr may be coloured */
};

struct command {
	/* Arrays where a pointer would do: each pointer in a table costs the static program 24 bytes more. */
	char name[12];
	char alias[9];	/* more names, each with its end, then an empty one */
	unsigned modes; /* enum option_mode: which policy options it takes; 0 = none */
	/* argv[0] is the subcommand's name; NULL-terminated. Returns the exit status. NULL: not in this version. */
	int (*main)(struct cli *cli, int argc, char **argv);
	const char *help;  /* one line; NULL = hidden */
	const char *usage; /* the rest of the usage line, then lines on its options; or NULL */
};
extern const struct command commands[];
extern const size_t command_count;

int run_main(struct cli *cli, int argc, char **argv);
int confine_main(struct cli *cli, int argc, char **argv);
int preload_main(struct cli *cli, int argc, char **argv);
int check_main(struct cli *cli, int argc, char **argv);
int policy_main(struct cli *cli, int argc, char **argv);
int ps_main(struct cli *cli, int argc, char **argv);
int completion_main(struct cli *cli, int argc, char **argv);
int man_main(struct cli *cli, int argc, char **argv);
int help_main(struct cli *cli, int argc, char **argv);
int version_main(struct cli *cli, int argc, char **argv);
/* Hidden: __supervise FD. Called first thing, with nothing but the environment and the ids in cli->s. */
int supervise_main(struct cli *cli, int argc, char **argv);

/* Prints the diagnostics on stderr (JSON lines with --json; warnings not with --quiet) and returns `status`, or the
 * reference's status under SANDLOCK_EXIT_COMPAT. With EXIT_USAGE the usage line of the command follows. */
int cli_report(const struct cli *cli, const struct error *err, int status);
/* PREFIX/share/sandlock/policies beside this program; asks /proc, so only where a policy is looked up. */
const char *cli_shipped(void);
/* stdout, whole; a write error is status 125. */
int cli_print(const struct str *text);
/* Help of one subcommand from options.def: short (-h) or everything (--help=all). NULL: the program itself. */
void cli_help(const char *subcommand, bool all, struct str *out);

/* Which program runs: -e, then the words after "--", then what the policy says. In the policy's arena; NULL and a diagnostic
 * when nobody says. */
char **cli_choose_command(const struct policy *policy, char **words, const char *subcommand,
			  struct error *err);

/* run.c: what network rules need to know of the world: addresses of host names, and of this machine; whether it lets peers be filtered. */
struct host;
struct plan_request;
bool network_facts(const struct policy *policy, struct arena *arena, struct host *host,
		   struct plan_request *request, struct error *err);

/* Options of a subcommand that takes none of the policy's. */
struct cli_flag {
	const char *name;   /* "raw", without dashes */
	char letter;	    /* or 0 */
	bool *set;	    /* set to true when given */
	const char **value; /* takes a value; NULL for switches */
};
/* Takes the flags out of argv[1..]: afterwards argv[1..*argc-1] are the operands. Stops at "--" and hands what follows to
 * *rest (NULL: "--" only ends the options). -h, --help, --json, -q and --quiet are always known. Returns -1 to go
 * on, else the exit status. */
int cli_flags(struct cli *cli, int *argc, char **argv, const struct cli_flag *flags, size_t count,
	      char ***rest);
/* One usage error, reported; returns EXIT_USAGE. */
int cli_usage_error(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A command by name or alias, NULL when there is none. */
const struct command *cli_command(const char *name);
/* The hint for a word that is not in a list of `count` words, or nothing. */
void cli_hint_nearest(struct error *err, const char *word, const char *const *words, size_t count);

/* help.c: the options of a section as rows for whoever prints them. */
struct help_section {
	char name[12];	/* as in options.def; "": command line only */
	char title[14]; /* "File system" */
};
extern const struct help_section help_sections[];
extern const size_t help_section_count;
/* "-r, --fs-read PATH"; false when the option has no flag. */
bool help_option_label(enum option_id id, struct str *out);
/* Is it one that `--help` (or `--help=all`) of a command with these modes lists? */
bool help_option_listed(enum option_id id, unsigned modes, bool all);

#endif
