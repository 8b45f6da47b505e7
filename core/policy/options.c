/* The table of options as data, and looking a row up by its names. */
#include "policy/policy.h"

#include <string.h>

#define SUPERVISED IN_SUPERVISED
#define KERNEL IN_KERNEL
#define ANYWHERE (IN_SUPERVISED | IN_KERNEL | IN_CONFINE)

#define LIST OPTION_LIST
#define MAP OPTION_MAP
#define COMMA OPTION_COMMA
#define EMPTY_ALL OPTION_EMPTY_ALL
#define NEGATIVE OPTION_NEGATIVE
#define LATER OPTION_LATER
#define DENIES OPTION_DENIES
#define TOML OPTION_TOML
#define HIDDEN OPTION_HIDDEN
#define WHOLE OPTION_WHOLE

#define U32_TOP UINT32_MAX
#define ID_TOP (UINT32_MAX - 1) /* (uid_t)-1 means "no change" to the kernel */
#define SIZE_TOP INT64_MAX
#define TIME_TOP (3650ULL * 24 * 3600 * 1000000000) /* ten years */

/* plan/plan.h knows what each stands for; the order is the same. */
#define PROTECTIONS                                                                                \
	"fs-refer|fs-truncate|net-tcp|fs-ioctl-dev|signal-scope|abstract-unix-socket-scope|"       \
	"unix-resolve|net-udp|all-threads|audit-mute"

/*
 * No pointers: in a position-independent program each costs 32 bytes and a relocation at every start, and there would be 900.
 * The texts are members of one constant structure, and a row holds their offsets.
 */
#define IS_TEXT(text, yes, no)                                                                     \
	_Generic((text), char * : (yes), const char * : (yes), default : (no))
#define MEMBER(id, letter, text) char id##_##letter[IS_TEXT(text, sizeof(text), 1)];
#define CONTENT(text) _Generic((text), char * : text, const char * : text, default : "")
#define AT(id, letter, text) IS_TEXT(text, offsetof(struct texts, id##_##letter), 0)

struct texts {
	char none; /* offset 0 is NULL */
#define OPTION(id, section, key, flag, letter, kind, flags, min, max, words, metavar, modes, help) \
	MEMBER(id, s, section)                                                                     \
	MEMBER(id, k, key)                                                                         \
	MEMBER(id, f, flag)                                                                        \
	MEMBER(id, w, words)                                                                       \
	MEMBER(id, m, metavar) MEMBER(id, h, help)
#include "policy/options.def"
#undef OPTION
};

static const struct texts texts = {
	'\0',
#define OPTION(id, section, key, flag, letter, kind, flags, min, max, words, metavar, modes, help) \
	CONTENT(section), CONTENT(key), CONTENT(flag), CONTENT(words), CONTENT(metavar),           \
		CONTENT(help),
#include "policy/options.def"
#undef OPTION
};
_Static_assert(sizeof texts <= UINT16_MAX, "offsets of 16 bits");

const struct option options[OPT_COUNT] = {
#define OPTION(id, section, key, flag, letter, kind, flags, min, max, words, metavar, modes, help) \
	[OPT_##id] = {AT(id, s, section),                                                          \
		      AT(id, k, key),                                                              \
		      AT(id, f, flag),                                                             \
		      AT(id, w, words),                                                            \
		      AT(id, m, metavar),                                                          \
		      AT(id, h, help),                                                             \
		      letter,                                                                      \
		      kind,                                                                        \
		      modes,                                                                       \
		      flags,                                                                       \
		      min,                                                                         \
		      max},
#include "policy/options.def"
#undef OPTION
};

const char *option_text(uint16_t offset)
{
	return offset ? (const char *)&texts + offset : NULL;
}

static bool same(const char *a, const char *b)
{
	return a && a[0] == b[0] && strcmp(a, b) == 0;
}

enum option_id option_by_key(const char *section, const char *key)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (same(option_text(options[id].key), key) &&
		    same(option_text(options[id].section), section))
			return id;
	return OPT_COUNT;
}

enum option_id option_by_flag(const char *flag)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (same(option_text(options[id].flag), flag))
			return id;
	return OPT_COUNT;
}

enum option_id option_by_letter(char letter)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (letter && options[id].letter == letter)
			return id;
	return OPT_COUNT;
}

const char *option_name(struct arena *arena, enum option_id id, bool as_flag)
{
	const char *section = option_text(options[id].section);
	const char *key = option_text(options[id].key);
	const char *flag = option_text(options[id].flag);

	if ((as_flag && flag) || !key)
		return arena_printf(arena, "--%s", flag);
	return section && section[0] ? arena_printf(arena, "%s.%s", section, key) : key;
}
