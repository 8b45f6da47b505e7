/* What fuzz targets of the policy room share: surroundings without a machine behind them, and a policy judged by use. */
#ifndef SANDLOCK_TESTS_FUZZ_H
#define SANDLOCK_TESTS_FUZZ_H

#include "policy/load.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *fuzz_environment[] = {"XDG_STATE_HOME=/home/u/state", "TERM=x", NULL};
static const struct surroundings fuzz_surroundings = {
	.environment = fuzz_environment,
	.cwd = "/work/here",
	.home = "/home/u",
	.uid = 1000,
	.euid = 1000,
	.gid = 1000,
};

/* The input as the bytes of one file. */
static inline struct source fuzz_source(struct arena *arena, const char *path, const uint8_t *data,
					size_t size)
{
	/* From malloc, so that the sanitizer sees a step past the terminating NUL. */
	char *text = malloc(size + 1);
	struct source src = {.path = path, .text = text, .size = size};

	(void)arena;
	memcpy(text, data, size);
	text[size] = 0;
	return src;
}

/* Reads every field of everything, in all the ways the program does. */
static inline void fuzz_use(const struct policy *policy)
{
	CLEANUP(error_free) struct error err = {0};

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct value *v = &policy->values[id];
		struct str text = {0};

		for (size_t i = 0; i < v->count; i++) {
			if (!v->items[i].text)
				abort();
			item_render(&v->items[i], id, &text);
		}
		if (!(options[id].flags & (OPTION_LIST | OPTION_MAP)) && v->count > 1)
			abort();
		str_free(&text);
	}
	policy_check(policy, IN_SUPERVISED, &err);
	policy_check(policy, IN_CONFINE, &err);
}

/* Refused means told why, and told means refused; every error can be printed. */
static inline void fuzz_judge(bool ok, const struct error *err)
{
	struct str text = {0};

	if (ok != (err->errors == 0))
		abort();
	error_format(err, &text);
	error_format_json(err, 125, &text);
	if (!utf8_valid(str_text(&text), text.len))
		abort();
	str_free(&text);
}

#endif
