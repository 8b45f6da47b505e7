/*
 * What the user wants: one value per row of options.def, each element with the place it came from. A policy is plain data in
 * an arena; nobody derives anything here (that is plan/). Loaders append, merging is per option kind, readers use the
 * accessors at the end.
 */
#ifndef SANDLOCK_POLICY_POLICY_H
#define SANDLOCK_POLICY_POLICY_H

#include "base/error.h"

enum option_kind {
	KIND_BOOL,     /* num 0/1 */
	KIND_UINT,     /* num, within min..max of the row */
	KIND_SIZE,     /* num bytes; text canonical ("512M") */
	KIND_DURATION, /* num nanoseconds */
	KIND_TIME,     /* num nanoseconds since 1970 as int64 (may be negative), num2 unused */
	KIND_STRING,   /* text, UTF-8 */
	KIND_ENUM,     /* text one of the row's words, num its index */
	KIND_PATH,     /* text absolute, lexically cleaned; flags ITEM_OPTIONAL, ITEM_NOEXEC */
	KIND_ENV,      /* text "KEY=VALUE"; "KEY" alone = copy from the caller (ITEM_PASS) */
	KIND_NAMES,    /* text, a name or "PREFIX*" */
	KIND_MOUNT,    /* text target, text2 source; flags ITEM_READ_ONLY, ITEM_NOEXEC */
	KIND_TMPFS,    /* text target, num size in bytes (0 = kernel default), num2 mode, flags */
	KIND_RLIMIT, /* text canonical lower-case name, num soft, num2 hard; UINT64_MAX = unlimited */
	KIND_PORTS, /* bind ports: num lo, num2 hi; text as written; "*" is 0..65535 with ITEM_ANY; TCP unless ITEM_UDP */
	KIND_USER, /* text "UID:GID" or names as written, resolved at run time; num uid, num2 gid when ITEM_NUMERIC */
	KIND_ENDPOINT,	/* text as written, accepted by endpoint_parse() */
	KIND_NET_RULES, /* text as written, accepted by endpoint_parse_tokens(): one or more rules */
	KIND_PUBLISH,	/* text as written, accepted by endpoint_parse_publish() */
};

enum item_flag {
	ITEM_OPTIONAL = 1 << 0, /* a missing path is skipped silently */
	ITEM_NOEXEC = 1 << 1,	/* without the execute right */
	ITEM_READ_ONLY = 1 << 2,
	ITEM_PASS = 1 << 3, /* environment: value comes from the caller */
	ITEM_ANY = 1 << 4,  /* the wildcard */
	ITEM_NUMERIC = 1 << 5,
	ITEM_UDP = 1 << 6, /* bind ports: of UDP */
};

/* Where an option may be used (column `modes` of options.def). */
enum option_mode {
	IN_SUPERVISED = 1 << 0,
	IN_KERNEL = 1 << 1, /* --no-supervisor: applied before exec, nobody stays */
	IN_CONFINE =
		1
		<< 2, /* confine and the preload library: applied to a process that already runs */
};

enum option_flag {
	OPTION_LIST = 1 << 0, /* repeatable; files may give a list or one scalar */
	OPTION_MAP =
		1
		<< 1, /* written as a mapping in files, repeatable KEY=VALUE on the command line */
	OPTION_COMMA = 1 << 2,	   /* one occurrence may hold several values separated by commas */
	OPTION_EMPTY_ALL = 1 << 3, /* an empty list is a value of its own (gpu_devices) */
	OPTION_NEGATIVE = 1 << 4,  /* the flag says "no": giving it sets false (--no-supervisor) */
	OPTION_LATER = 1 << 5,	   /* known, but an error: "not available in this version" */
	OPTION_DENIES =
		1 << 6, /* elements narrow the policy (locked layers may be extended with them) */
	OPTION_TOML = 1 << 7,	/* key exists in the reference's TOML schema */
	OPTION_HIDDEN = 1 << 8, /* accepted, not listed by --help */
	OPTION_WHOLE =
		1
		<< 9, /* a list that a later layer replaces instead of extending it (program.args) */
};

enum option_id {
#define OPTION(id, ...) OPT_##id,
#include "policy/options.def"
#undef OPTION
	OPT_COUNT
};

/* One row of options.def. Texts are offsets for option_text(). */
struct option {
	uint16_t section; /* "filesystem"; "" = top of a file; NULL = command line only */
	uint16_t key;	  /* "read" */
	uint16_t flag;	  /* "fs-read" without dashes, or NULL: files only */
	uint16_t words;	  /* KIND_ENUM: "commit|abort|keep" */
	uint16_t metavar; /* "PATH" */
	uint16_t help;	  /* one line, lower case, no full stop */
	char letter;	  /* 'r', or 0 */
	uint8_t kind;	  /* enum option_kind */
	uint8_t modes;	  /* enum option_mode */
	uint16_t flags;	  /* enum option_flag */
	uint32_t min;
	uint64_t max;
};

extern const struct option options[OPT_COUNT];

const char *option_text(uint16_t offset);

struct item {
	const char *text;
	const char *text2;
	uint64_t num;
	uint64_t num2;
	uint32_t flags; /* enum item_flag */
	struct origin origin;
};

struct value {
	struct item *items;
	size_t count;
	size_t cap;
	bool set; /* given by somebody; an empty list may be set */
};

/* What a layer takes away from those below it, before its own values are laid on top. */
struct edit {
	enum option_id id;
	bool reset;	  /* everything (--reset, null, {set: ...}); else the one element `item` */
	struct item item; /* what to remove; for resets only its origin */
};

/* A file that took part, for the cache and for `policy show`; or a variable whose value is part of the result, then `path` is
 * "${NAME}=VALUE" (variable_unchanged() in values.h compares it). */
struct dependency {
	const char *path; /* canonical */
	const char *
		lookup; /* as it was looked up, symbolic links included; NULL for what is missing and variables */
	uint64_t size;
	uint64_t hash[2]; /* XXH3-128 of the content */
	bool missing;	  /* a candidate that did not exist when the name was resolved */
};

struct policy {
	struct arena *arena;
	struct value values[OPT_COUNT];
	struct dependency *dependencies;
	size_t dependency_count;
	size_t dependency_cap;
	struct edit *edits; /* of one layer; a resolved policy has none */
	size_t edit_count;
	size_t edit_cap;
	const char *name; /* "python", "shipped:python", a path, or NULL */
};

void policy_init(struct policy *policy, struct arena *arena);

/* Parse `text` as one value of the option and append it (lists), replace (scalars) or merge by key (maps). Diagnostics name
 * the option by key when origin.line is not 0, else by flag. */
bool policy_add(struct policy *policy, enum option_id id, const char *text, struct origin origin,
		struct error *err);
/* Lays `over` on top of `base`: its edits first, then scalars replace, lists append without duplicates, maps per key. Both
 * share one arena, or that of `over` lives as long. */
void policy_merge(struct policy *base, const struct policy *over);
/* Forget what was given (--reset KEY, YAML null), here and, by an edit, in the layers below. */
void policy_reset(struct policy *policy, enum option_id id);
/* Conflicts between options, modes, rows marked OPTION_LATER. All of them, each with its place. */
bool policy_check(const struct policy *policy, unsigned mode, struct error *err);

/* Readers. The default of an unset scalar is the caller's. */
bool policy_bool(const struct policy *policy, enum option_id id, bool fallback);
uint64_t policy_u64(const struct policy *policy, enum option_id id, uint64_t fallback);
const char *policy_text(const struct policy *policy, enum option_id id, const char *fallback);
static inline const struct value *policy_value(const struct policy *policy, enum option_id id)
{
	return &policy->values[id];
}
static inline bool policy_is_set(const struct policy *policy, enum option_id id)
{
	return policy->values[id].set;
}
/* The place of the (last) element, for messages. */
struct origin policy_origin(const struct policy *policy, enum option_id id);

/* Names. Each returns OPT_COUNT when there is none. */
enum option_id option_by_key(const char *section, const char *key);
enum option_id option_by_flag(const char *flag);
enum option_id option_by_letter(char letter);
/* "filesystem.read" or "--fs-read" for messages about the option itself; static storage is not used: text lives in `arena`. */
const char *option_name(struct arena *arena, enum option_id id, bool as_flag);
/* The key for a diagnostic: a flag as typed names the option already (NULL); a file position, --set and the API do not. */
const char *message_key(enum option_id id, struct origin origin, struct error *err);
/* An item rendered so that policy_add() reads it back to the same item. */
void item_render(const struct item *item, enum option_id id, struct str *out);

#endif
