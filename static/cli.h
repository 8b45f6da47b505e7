/*
 * What the subcommands share: one table in main.c, one file and one function per subcommand. Only static/ prints and exits.
 */
#ifndef SANDLOCK_STATIC_CLI_H
#define SANDLOCK_STATIC_CLI_H

#include "policy/load.h"

/* Exit statuses (docs/sandlock.1, EXIT STATUS). */
enum {
	EXIT_USAGE = 2,
	EXIT_POLICY = 123,	/* ended by policy */
	EXIT_TIMEOUT = 124,
	EXIT_SANDLOCK = 125,	/* sandlock failed before the command started */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127,
};

struct cli {
	struct surroundings s; /* environment, directories, ids */
	bool json;	       /* --json before or after the subcommand */
	bool quiet;
	bool compat; /* SANDLOCK_EXIT_COMPAT=1: the reference's exit statuses */
};

struct command {
	const char *name;
	const char *alias; /* or NULL */
	/* argv[0] is the subcommand's name; NULL-terminated. Returns the exit status. */
	int (*main)(struct cli *cli, int argc, char **argv);
	const char *help; /* one line; NULL = hidden */
};
extern const struct command commands[];
extern const size_t command_count;

int run_main(struct cli *cli, int argc, char **argv);
int confine_main(struct cli *cli, int argc, char **argv);
int preload_main(struct cli *cli, int argc, char **argv);
int check_main(struct cli *cli, int argc, char **argv);
int policy_main(struct cli *cli, int argc, char **argv);
int completion_main(struct cli *cli, int argc, char **argv);
int man_main(struct cli *cli, int argc, char **argv);
int help_main(struct cli *cli, int argc, char **argv);
int version_main(struct cli *cli, int argc, char **argv);
int supervise_main(struct cli *cli, int argc, char **argv); /* hidden: __supervise FD */

/* Prints the diagnostics on stderr (JSON lines with --json; warnings not with --quiet) and returns `status`, or the
 * reference's status under SANDLOCK_EXIT_COMPAT. */
int cli_report(const struct cli *cli, const struct error *err, int status);
/* stdout, whole; a write error is status 125. */
int cli_print(const struct str *text);
/* Help of one subcommand from options.def: short (-h) or all sections (--help=all). */
void cli_help(const char *subcommand, bool all, struct str *out);

#endif
