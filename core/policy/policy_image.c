/*
 * A policy as sections of a flat image, and back. Reading trusts nothing: an image that this file accepts is one that
 * policy_add() could have made, as far as ranges go. Must never keep a pointer that is not into the image or the arena.
 */
#include "policy/image.h"
#include "policy/policy.h"

#include <string.h>

/* One option that was given. The hash of its names makes an image of another table an error instead of another policy. */
struct image_option {
	uint32_t hash;
	uint32_t index;
	uint32_t first; /* of IMAGE_ITEMS */
	uint32_t count;
};

/* Most elements are a text and its place: numbers are kept apart and shared. */
struct image_item {
	uint32_t text;
	uint32_t text2;
	uint32_t file;
	uint32_t line;
	uint16_t col;	  /* 0 also when it did not fit */
	uint16_t flags;	  /* enum item_flag */
	uint32_t numbers; /* index + 1 into IMAGE_NUMBERS; 0 = both are zero */
};

struct image_numbers {
	uint64_t num, num2;
};

struct image_dependency {
	uint32_t path;
	uint32_t lookup;
	uint64_t size;
	uint64_t hash[2];
	uint32_t missing;
	uint32_t zero;
};

enum { ITEM_FLAGS_ALL = (ITEM_UDP << 1) - 1 };

static uint32_t add_hash(uint32_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return (hash ^ 0xff) * 16777619u;
}

static uint32_t option_hash(const struct option *o)
{
	return add_hash(
		add_hash(add_hash(2166136261u, option_text(o->section)), option_text(o->key)),
		option_text(o->flag));
}

/* ---- writing ---- */

struct writing {
	struct image_writer *w;
	struct image_option options[OPT_COUNT];
	uint32_t option_count;
	struct image_item *items;
	uint32_t item_count;
	struct image_numbers *numbers;
	uint32_t number_count;
	const char
		*last_file; /* most elements come from one file: its offset without looking it up */
	uint32_t last_file_offset;
};

static uint32_t add_numbers(struct writing *x, uint64_t num, uint64_t num2)
{
	if (!num && !num2)
		return 0;
	if (x->number_count) {
		const struct image_numbers *last = &x->numbers[x->number_count - 1];

		if (last->num == num && last->num2 == num2)
			return x->number_count;
	}
	x->numbers[x->number_count++] = (struct image_numbers){num, num2};
	return x->number_count;
}

static uint32_t add_file(struct writing *x, const char *file)
{
	if (!file)
		return 0;
	if (file != x->last_file) {
		x->last_file = file;
		x->last_file_offset = image_add_text(x->w, file);
	}
	return x->last_file_offset;
}

static void add_value(struct writing *x, enum option_id id, const struct value *value)
{
	x->options[x->option_count++] = (struct image_option){
		.hash = option_hash(&options[id]),
		.index = id,
		.first = x->item_count,
		.count = (uint32_t)value->count,
	};
	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];

		x->items[x->item_count++] = (struct image_item){
			.text = image_add_text(x->w, item->text),
			.text2 = image_add_text(x->w, item->text2),
			.file = add_file(x, item->origin.file),
			.line = item->origin.line,
			.col = (uint16_t)(item->origin.col > UINT16_MAX ? 0 : item->origin.col),
			.flags = (uint16_t)item->flags,
			.numbers = add_numbers(x, item->num, item->num2),
		};
	}
}

static void add_dependencies(const struct policy *policy, struct image_writer *w)
{
	size_t count = policy->dependency_count;
	struct image_dependency *out = arena_array(w->arena, count, sizeof *out);

	for (size_t i = 0; i < count; i++) {
		const struct dependency *d = &policy->dependencies[i];

		out[i] = (struct image_dependency){
			.path = image_add_text(w, d->path),
			.lookup = image_add_text(w, d->lookup),
			.size = d->size,
			.hash = {d->hash[0], d->hash[1]},
			.missing = d->missing,
		};
	}
	image_add(w, IMAGE_DEPENDENCIES, out, (uint32_t)count, sizeof *out);
}

void policy_to_image(const struct policy *policy, struct image_writer *w)
{
	struct writing *x = arena_new(w->arena, struct writing);
	size_t total = 0;

	for (enum option_id id = 0; id < OPT_COUNT; id++)
		total += policy->values[id].count;
	x->w = w;
	x->items = arena_array(w->arena, total, sizeof *x->items);
	x->numbers = arena_array(w->arena, total, sizeof *x->numbers);
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (policy->values[id].set)
			add_value(x, id, &policy->values[id]);
	}

	uint32_t *name = arena_new(w->arena, uint32_t);
	*name = image_add_text(w, policy->name);
	image_add(w, IMAGE_OPTIONS, x->options, x->option_count, sizeof *x->options);
	image_add(w, IMAGE_ITEMS, x->items, x->item_count, sizeof *x->items);
	image_add(w, IMAGE_NUMBERS, x->numbers, x->number_count, sizeof *x->numbers);
	image_add(w, IMAGE_NAME, name, 1, sizeof *name);
	add_dependencies(policy, w);
}

/* ---- reading ---- */

struct reading {
	const struct image *image;
	const struct image_item *items;
	uint32_t item_count;
	const struct image_numbers *numbers;
	uint32_t number_count;
	struct item *out; /* room for all items */
};

/* NULL for offset 0. *bad when it is out of bounds. */
static const char *text_at(const struct image *image, uint32_t offset, bool *bad)
{
	const char *text = offset ? image_text(image, offset) : NULL;

	if (offset && !text)
		*bad = true;
	return text;
}

static uint64_t word_count(const char *words)
{
	uint64_t count = 1;

	for (; *words; words++)
		count += *words == '|';
	return count;
}

static bool in_range(const struct option *o, const struct item *item)
{
	switch (o->kind) {
	case KIND_BOOL:
		return item->num <= 1 && !item->num2;
	case KIND_UINT:
		return item->num >= o->min && item->num <= o->max && !item->num2;
	case KIND_SIZE:
		return item->num >= o->min && (item->num <= INT64_MAX || item->num == UINT64_MAX);
	case KIND_DURATION:
		return item->num >= o->min && item->num < o->max;
	case KIND_TIME:
	case KIND_STRING:
	case KIND_USER:
		return true;
	case KIND_ENUM:
		return item->num < word_count(option_text(o->words));
	case KIND_NAMES:
		return !option_text(o->words) || item->num < word_count(option_text(o->words));
	case KIND_PATH:
		return item->text[0] && !item->num && !item->num2;
	case KIND_ENV:
		return item->text[0] && item->text[0] != '=';
	case KIND_MOUNT:
		return item->text[0] == '/' && item->text2 && item->text2[0] == '/';
	case KIND_TMPFS:
		return item->text[0] == '/' && item->num <= INT64_MAX && item->num2 <= 07777;
	case KIND_RLIMIT:
		return item->num <= item->num2;
	case KIND_PORTS:
		return item->num <= item->num2 && item->num2 <= 65535;
	case KIND_ENDPOINT:
	case KIND_NET_RULES:
	case KIND_PUBLISH:
		return item->text[0] && !item->num &&
		       !item->num2; /* parsed again by whoever needs them */
	}
	return false;
}

static bool read_item(const struct reading *x, const struct option *o,
		      const struct image_item *from, struct item *to)
{
	bool bad = false;

	to->text = text_at(x->image, from->text, &bad);
	to->text2 = text_at(x->image, from->text2, &bad);
	to->origin.file = text_at(x->image, from->file, &bad);
	to->origin.line = from->line;
	to->origin.col = from->col;
	to->flags = from->flags;
	if (from->numbers > x->number_count)
		return false;
	if (from->numbers) {
		to->num = x->numbers[from->numbers - 1].num;
		to->num2 = x->numbers[from->numbers - 1].num2;
	}
	return !bad && to->text && !(from->flags & ~(unsigned)ITEM_FLAGS_ALL) && in_range(o, to);
}

static bool read_option(const struct reading *x, const struct image_option *from, struct value *out)
{
	const struct option *o = &options[from->index];
	bool many = o->flags & (OPTION_LIST | OPTION_MAP);

	if (from->hash != option_hash(o) || from->first > x->item_count ||
	    from->count > x->item_count - from->first || (!many && from->count > 1))
		return false;
	out->set = true;
	out->items = x->out + from->first;
	out->count = from->count;
	out->cap = from->count;
	for (uint32_t i = 0; i < from->count; i++) {
		if (!read_item(x, o, &x->items[from->first + i], &out->items[i]))
			return false;
	}
	return true;
}

static bool read_dependencies(const struct image *image, struct policy *policy)
{
	uint32_t count;
	const struct image_dependency *from =
		image_get(image, IMAGE_DEPENDENCIES, sizeof *from, &count);
	bool bad = !from;

	policy->dependencies = arena_array(policy->arena, count, sizeof *policy->dependencies);
	policy->dependency_count = count;
	policy->dependency_cap = count;
	for (uint32_t i = 0; i < count && !bad; i++) {
		policy->dependencies[i] = (struct dependency){
			.path = text_at(image, from[i].path, &bad),
			.lookup = text_at(image, from[i].lookup, &bad),
			.size = from[i].size,
			.hash = {from[i].hash[0], from[i].hash[1]},
			.missing = from[i].missing,
		};
		bad |= !policy->dependencies[i].path || from[i].missing > 1 || from[i].zero;
	}
	return !bad;
}

bool policy_from_image(const struct image *image, struct policy *policy)
{
	struct reading x = {.image = image};
	struct policy read = {.arena = policy->arena};
	uint32_t count, name_count;
	uint64_t used = 0;
	bool bad = false;
	const struct image_option *from = image_get(image, IMAGE_OPTIONS, sizeof *from, &count);
	const uint32_t *name = image_get(image, IMAGE_NAME, sizeof *name, &name_count);

	x.items = image_get(image, IMAGE_ITEMS, sizeof *x.items, &x.item_count);
	x.numbers = image_get(image, IMAGE_NUMBERS, sizeof *x.numbers, &x.number_count);
	if (!from || !x.items || !x.numbers || !name || name_count != 1 || count > OPT_COUNT)
		return false;
	x.out = arena_array(policy->arena, x.item_count, sizeof *x.out);
	for (uint32_t i = 0; i < count; i++) {
		/* In the order of the table, each once, and no element belongs to two. */
		if (from[i].index >= OPT_COUNT || (i && from[i].index <= from[i - 1].index) ||
		    from[i].first != used ||
		    !read_option(&x, &from[i], &read.values[from[i].index]))
			return false;
		used += from[i].count;
	}
	read.name = text_at(image, *name, &bad);
	if (bad || used != x.item_count || !read_dependencies(image, &read))
		return false;
	*policy = read;
	return true;
}
