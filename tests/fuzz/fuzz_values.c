/* Single values. The first two bytes choose the option and the language; what is accepted must survive rendering: parsing the
 * rendered text gives an equal element. */
#include "fuzz.h"

#include "policy/values.h"

static void check_round_trip(struct arena *arena, enum option_id id, const struct item *item)
{
	struct error err = {0};
	struct value again = {0};
	struct str text = {0};
	struct value_context context = {
		.s = &fuzz_surroundings, .dir = "/d", .syntax = SYNTAX_PLAIN};
	/* Only files can say that a path of a list is optional. */
	bool only_in_files = options[id].kind == KIND_PATH && (item->flags & ITEM_OPTIONAL);

	item_render(item, id, &text);
	/* A comma cannot come from one element of such a list. */
	if ((options[id].flags & OPTION_COMMA) && strchr(str_text(&text), ','))
		abort();
	if (!only_in_files) {
		if (!value_parse(arena, id, str_text(&text), &context, item->origin, &again,
				 &err) ||
		    again.count != 1 || !item_matches(id, &again.items[0], item))
			abort();
	}
	str_free(&text);
	error_free(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct error err = {0};
	struct value value = {0};

	if (size < 2)
		return 0;
	enum option_id id = data[0] % OPT_COUNT;
	struct value_context context = {
		.s = &fuzz_surroundings,
		.dir = data[1] & 4 ? NULL : "/d",
		.policy_dir = data[1] & 8 ? NULL : "/d",
		.syntax = data[1] % 3,
	};
	struct source src = fuzz_source(&arena, "", data + 2, size - 2);
	bool ok = value_parse(&arena, id, src.text, &context, (struct origin){"/p/x.yaml", 1, 1},
			      &value, &err);

	fuzz_judge(ok, &err);
	for (size_t i = 0; ok && i < value.count; i++)
		check_round_trip(&arena, id, &value.items[i]);
	error_free(&err);
	free((char *)src.text);
	arena_free(&arena);
	return 0;
}
