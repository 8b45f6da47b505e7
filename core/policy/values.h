/*
 * The grammars of single values: text in, number or canonical text out. Pure functions: no file system, no locale, no clock.
 * Each returns false and fills the complaint when the text is not in its language.
 */
#ifndef SANDLOCK_POLICY_VALUES_H
#define SANDLOCK_POLICY_VALUES_H

#include "policy/load.h"

/* Why a value was refused. The caller knows which value and where it stands, and says so. */
struct complaint {
	struct arena *arena; /* for composed texts, canonical texts and paths */
	const char *reason;
	const char *hint; /* what to write instead, or NULL */
};
/* Sets the reason; always false. */
bool complain(struct complaint *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void suggest(struct complaint *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum syntax {
	SYNTAX_PLAIN, /* command line and API: a path is taken as it is */
	SYNTAX_YAML, /* ~/, ${NAME}, ${NAME:-default}, $$; a trailing ? makes a path of a list optional */
	SYNTAX_TOML, /* the reference's profiles: ${HOME} and nothing else */
};

/* What paths depend on. */
struct value_context {
	const struct surroundings *s; /* NULL: nothing is expanded */
	const char *dir;	/* absolute; relative paths start here. NULL: they are errors */
	const char *policy_dir; /* ${POLICY_DIR}; NULL: unset */
	enum syntax syntax;
	struct policy
		*policy; /* records the variables that were used as dependencies; may be NULL */
};

/* policy_add() for text that stands in `context`: file loaders and the flag parser. `context` may be NULL (only absolute paths,
 * no expansion). Maps are appended without looking for the same key: call policy_settle() when all was added. */
bool policy_add_in(struct policy *policy, enum option_id id, const char *text,
		   const struct value_context *context, struct origin origin, struct error *err);
/* Of several map elements with one key, keeps the last. */
void policy_settle(struct policy *policy);
/* Parses without adding: the elements are appended to *into. */
bool value_parse(struct arena *arena, enum option_id id, const char *text,
		 const struct value_context *context, struct origin origin, struct value *into,
		 struct error *err);
/* Records what a layer takes away; item NULL = everything. */
void policy_edit(struct policy *policy, enum option_id id, const struct item *item,
		 struct origin origin);
/* policy_merge() which also complains about removals that match nothing. */
bool policy_apply(struct policy *base, const struct policy *over, struct error *err);
/* locked.c: does `result`, which is `locked` with `layer` laid on top, allow only what `locked` allows? `by` is the position of
 * the word "locked". Reports every option that widens, with both places. */
bool policy_narrows(const struct policy *locked, struct origin by, const struct policy *layer,
		    const struct policy *result, struct error *err);
/* Would giving this item change nothing? (`view: none`, `replace: false`: such values are accepted everywhere.) */
bool item_is_neutral(enum option_id id, const struct item *item);
/* Are these the same element: equal keys in maps, equal values in lists? */
bool item_matches(enum option_id id, const struct item *a, const struct item *b);

/* yaml.c: `assignment` is SECTION.KEY=VALUE, the value as in a file. */
bool yaml_set(const char *assignment, const struct surroundings *s, struct policy *policy,
	      struct origin origin, struct error *err);

/* values.c: numbers and words. `text` is trimmed of blanks where the grammar allows blanks. */
bool value_bool(const char *text, bool *out, struct complaint *c);
/* Decimal, 0x or 0o; no leading zeros, no underscores, no sign. */
bool value_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct complaint *c);
/* Bytes; "unlimited" and "max" give UINT64_MAX. *bare (may be NULL): there was no unit. */
bool value_size(const char *text, uint64_t *out, bool *bare, struct complaint *c);
/* "512M", "1000", "unlimited". */
const char *size_render(struct arena *arena, uint64_t bytes);
/* Nanoseconds. A bare integer is seconds. */
bool value_duration(const char *text, uint64_t *out, struct complaint *c);
/* Nanoseconds since 1970, negative before. RFC 3339 with zone, @SECONDS[.FRACTION]; plain seconds only when `number_ok`. */
bool value_time(const char *text, bool number_ok, int64_t *out, struct complaint *c);
/* One part of a list of ports to bind: N, LO-HI or *, after tcp:// or udp://. Sets num, num2 and flags. */
bool value_ports(const char *text, struct item *out, struct complaint *c);
/* Index in "a|b|c". `fold`: letters of either case. */
bool value_word(const char *text, const char *words, bool fold, uint64_t *index,
		struct complaint *c);
/* The word at `index`, in the complaint's arena style: owned by `arena`. */
const char *word_at(struct arena *arena, const char *words, uint64_t index);

/* words.c: names, identities, environment, limits. */
bool value_name(const char *text, struct complaint *c); /* of a sandbox */
bool name_is_plain(const char *text);			/* [A-Za-z0-9][A-Za-z0-9._-]* */
bool value_hostname(const char *text, struct complaint *c);
/* NAME, PREFIX* (only when `prefix_ok`). */
bool value_identifier(const char *text, bool prefix_ok, struct complaint *c);
bool value_env_key(const char *key, struct complaint *c);
bool value_env(const char *text, struct item *out, struct complaint *c);
bool value_user(const char *text, struct item *out, struct complaint *c);
bool value_rlimit(const char *text, struct item *out, struct complaint *c);

/* paths.c: paths and what is made of them. */
/* Lexically cleaned join: no //, no ., no .., no trailing /. `path` relative to `dir` unless absolute. */
const char *path_clean(struct arena *arena, const char *dir, const char *path);
/* Is `path` equal to `parent` or beneath it? Both cleaned. */
bool path_within(const char *path, const char *parent);
/* Expansion alone, by the context's syntax. */
bool value_expand(const char *text, const struct value_context *context, const char **out,
		  struct complaint *c);
bool value_path(const char *text, const struct value_context *context, const char **out,
		struct complaint *c);
bool value_mount(const char *text, const struct value_context *context, struct item *out,
		 struct complaint *c);
bool value_volume(const char *text, const struct value_context *context, struct item *out,
		  struct complaint *c);
bool value_tmpfs(const char *text, const struct value_context *context, struct item *out,
		 struct complaint *c);
/* Does the dependency "${NAME}=VALUE" still hold here? */
bool variable_unchanged(const char *path, const struct surroundings *s);

#endif
