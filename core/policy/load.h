/*
 * From names, files and flags to one policy. The order of layers: policies in the order of -p / --profile-file, each with
 * what it extends before it; then the command line.
 */
#ifndef SANDLOCK_POLICY_LOAD_H
#define SANDLOCK_POLICY_LOAD_H

#include "policy/policy.h"

/* The caller's surroundings, read once in static/; policy/ never calls getenv(). */
struct surroundings {
	char *const *environment;
	const char *cwd;  /* absolute */
	const char *home; /* from HOME or the user database; NULL when neither is usable */
	uint32_t uid, euid, gid;
	bool privileged;	 /* AT_SECURE */
	bool trust_policy;	 /* --trust-policy */
	bool use_cache;		 /* no --no-cache, SANDLOCK_CACHE not "off" */
	const char *policy_path; /* --policy-path or SANDLOCK_POLICY_PATH, NULL when not allowed */
	const char *shipped;	 /* PREFIX/share/sandlock/policies */
};
const char *surroundings_env(const struct surroundings *s, const char *name);

/* One file's bytes, read once from the descriptor whose owner and mode were checked (cli-and-policy 2.8). */
struct source {
	const char *path; /* canonical */
	const char *text; /* NUL-terminated after `size` bytes */
	size_t size;
};

/* search.c */
/* NAME, user:NAME, system:NAME, shipped:NAME, builtin:NAME, a path, "-", "fd:N". Records hits and misses as dependencies of
 * `policy`. `relative_to` is the directory of the including file or NULL. */
bool source_open(const char *name, const char *relative_to, const struct surroundings *s,
		 struct policy *policy, struct source *out, struct error *err);
struct policy_entry { /* one line of `policy list` */
	const char *name, *place /* path, user, profiles, system, shipped, builtin */, *path,
		*description;
	bool locked, shadowed;
};
/* All that can be found, sorted by name then by search order; count in *count. */
struct policy_entry *policy_enumerate(const struct surroundings *s, struct arena *arena,
				      size_t *count);

/* yaml.c, toml.c: one file, `extends` not followed: its names go to *extends. */
struct extends {
	struct item *names;
	size_t count;
	size_t cap;
	bool locked;
};
bool yaml_load(const struct source *src, const struct surroundings *s, struct policy *policy,
	       struct extends *extends, struct error *err);
bool toml_load(const struct source *src, const struct surroundings *s, struct policy *policy,
	       struct error *err);

/* load.c: one named policy with everything it extends, from the cache when that is valid. Fills `policy` (initialised). */
bool policy_load(const char *name, struct origin origin, const struct surroundings *s,
		 struct policy *policy, struct error *err);

/* flags.c */
struct command_line {
	struct policy policy;  /* what the flags said, origin = the flag as typed */
	struct item *policies; /* -p NAME and --profile-file PATH in order */
	size_t policy_count, policy_cap;
	char **command; /* after "--", NULL-terminated; NULL when there is none */
	bool help, help_all;
	bool malformed; /* a usage error to the reference as well, which reads rules, sizes and paths later */
};
/* Parses argv[1..] of a subcommand that takes policy options. Usage errors (exit status 2) set *usage. */
bool flags_parse(char **argv, const struct surroundings *s, struct command_line *out, bool *usage,
		 struct error *err);
/* Everything together: loads the named policies, lays the flags over them. */
bool policy_resolve(const struct command_line *line, const struct surroundings *s,
		    struct policy *policy, struct error *err);

#endif
