/* The verbs of `sandlock policy`, one function each: argv[0] is the verb. */
#ifndef SANDLOCK_STATIC_VERBS_H
#define SANDLOCK_STATIC_VERBS_H

#include "cli.h"

struct verb {
	char name[8];
	int (*main)(struct cli *cli, int argc, char **argv); /* NULL: not in this version */
};

int verb_show(struct cli *cli, int argc, char **argv);
int verb_import(struct cli *cli, int argc, char **argv);
int verb_export(struct cli *cli, int argc, char **argv);
int verb_check(struct cli *cli, int argc, char **argv);
int verb_compile(struct cli *cli, int argc, char **argv);
int verb_explain(struct cli *cli, int argc, char **argv);

/* policy_show.c: the named policy with the flags in `extra` (NULL-terminated, or NULL) laid over it. *usage: the flags were wrong. */
bool policy_with_flags(struct cli *cli, char *name, char **extra, struct arena *arena,
		       struct policy *out, bool *usage, struct error *err);

/* render.c: a policy as text that loads again to the same policy. `origins`: where each element came from, as comments. */
bool render_yaml(const struct policy *policy, bool origins, struct str *out, struct error *err);
/* The reference's schema; one error for each option that it cannot hold. */
bool render_toml(const struct policy *policy, bool origins, struct str *out, struct error *err);
/* An object of sections; with origins every value is {"value": ..., "origin": ...}. */
struct json;
void render_json(const struct policy *policy, bool origins, struct json *j, struct error *err);

/* lint.c: warnings about a policy that is correct. */
void policy_lint(const struct policy *policy, const struct surroundings *s, struct error *err);

#endif
