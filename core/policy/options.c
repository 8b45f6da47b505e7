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
 * The rows without pointers: in a position-independent program each pointer costs 32 bytes and a relocation at every start, and
 * there are 900. All texts of a row lie in one string, and the table that everybody reads is laid out once, before main.
 */
static const struct {
	char letter;
	uint8_t kind;
	uint8_t modes;
	unsigned flags;
	uint64_t min, max;
} numbers[OPT_COUNT] = {
#define OPTION(id, section, key, flag, letter, kind, flags, min, max, words, metavar, modes, help) \
	[OPT_##id] = {letter, kind, modes, flags, min, max},
#include "policy/options.def"
#undef OPTION
};

#define ABSENT "\001"
#pragma push_macro("NULL")
#undef NULL
#define NULL ABSENT
static const char texts[] =
#define OPTION(id, section, key, flag, letter, kind, flags, min, max, words, metavar, modes, help) \
	section "\0" key "\0" flag "\0" words "\0" metavar "\0" help "\0"
#include "policy/options.def"
#undef OPTION
	;
#pragma pop_macro("NULL")

struct option options[OPT_COUNT];

static const char *next_text(const char **at)
{
	const char *text = *at;

	*at += strlen(text) + 1;
	return text[0] == ABSENT[0] ? NULL : text;
}

__attribute__((constructor)) static void lay_out(void)
{
	const char *at = texts;

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		struct option *o = &options[id];

		o->section = next_text(&at);
		o->key = next_text(&at);
		o->flag = next_text(&at);
		o->words = next_text(&at);
		o->metavar = next_text(&at);
		o->help = next_text(&at);
		o->letter = numbers[id].letter;
		o->kind = numbers[id].kind;
		o->modes = numbers[id].modes;
		o->flags = numbers[id].flags;
		o->min = numbers[id].min;
		o->max = numbers[id].max;
	}
}

static bool same(const char *a, const char *b)
{
	return a && a[0] == b[0] && strcmp(a, b) == 0;
}

enum option_id option_by_key(const char *section, const char *key)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (same(options[id].key, key) && same(options[id].section, section))
			return id;
	return OPT_COUNT;
}

enum option_id option_by_flag(const char *flag)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (same(options[id].flag, flag))
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
	const struct option *o = &options[id];

	if ((as_flag && o->flag) || !o->key)
		return arena_printf(arena, "--%s", o->flag);
	return o->section[0] ? arena_printf(arena, "%s.%s", o->section, o->key) : o->key;
}
