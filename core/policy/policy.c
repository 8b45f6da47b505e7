/*
 * A policy as data: adding, taking away, laying one over another, reading. Nothing is derived here; what cannot stand together is
 * check.c's business.
 */
#include "policy/values.h"

#include <string.h>

void policy_init(struct policy *policy, struct arena *arena)
{
	*policy = (struct policy){.arena = arena};
}

/* ---- elements ---- */

/* Length of the part of a map element that names it. */
static size_t key_length(enum option_id id, const char *text)
{
	return strcspn(text, id == OPT_scripts ? ":" : "=");
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool item_matches(enum option_id id, const struct item *a, const struct item *b)
{
	if (options[id].flags & OPTION_MAP) {
		size_t n = key_length(id, a->text);

		return n == key_length(id, b->text) && memcmp(a->text, b->text, n) == 0;
	}
	return text_equal(a->text, b->text) && text_equal(a->text2, b->text2) &&
	       (a->flags & ~(uint32_t)ITEM_OPTIONAL) == (b->flags & ~(uint32_t)ITEM_OPTIONAL) &&
	       (option_text(options[id].words) || (a->num == b->num && a->num2 == b->num2));
}

static uint64_t item_hash(enum option_id id, const struct item *item)
{
	size_t n = options[id].flags & OPTION_MAP ? key_length(id, item->text) : strlen(item->text);
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)item->text[i]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

/* Finding equal elements: by looking at each while there are few, by hash when there are many. */
struct finder {
	enum option_id id;
	struct value *value;
	uint32_t *slots; /* index + 1; NULL = few */
	size_t mask;
	size_t known; /* elements that are in the table */
};

enum { FEW = 32 };

static struct finder finder_new(struct arena *arena, enum option_id id, struct value *value,
				size_t more)
{
	struct finder f = {.id = id, .value = value};
	size_t size = 64;

	if (value->count + more <= FEW)
		return f;
	while (size < (value->count + more) * 2)
		size *= 2;
	f.slots = arena_array(arena, size, sizeof *f.slots);
	f.mask = size - 1;
	return f;
}

/* Index of the element equal to `item`, or the count of elements. */
static size_t finder_find(struct finder *f, const struct item *item)
{
	struct value *v = f->value;

	if (!f->slots) {
		for (size_t i = 0; i < v->count; i++)
			if (item_matches(f->id, &v->items[i], item))
				return i;
		return v->count;
	}
	for (; f->known < v->count; f->known++) {
		size_t slot = item_hash(f->id, &v->items[f->known]) & f->mask;

		while (f->slots[slot])
			slot = (slot + 1) & f->mask;
		f->slots[slot] = (uint32_t)f->known + 1;
	}
	for (size_t slot = item_hash(f->id, item) & f->mask; f->slots[slot];
	     slot = (slot + 1) & f->mask)
		if (item_matches(f->id, &v->items[f->slots[slot] - 1], item))
			return f->slots[slot] - 1;
	return v->count;
}

static void push(struct arena *arena, struct value *value, const struct item *item)
{
	value->items = arena_grow(arena, value->items, value->count, &value->cap, sizeof *item);
	value->items[value->count++] = *item;
	value->set = true;
}

static bool is_many(enum option_id id)
{
	return options[id].flags & (OPTION_LIST | OPTION_MAP);
}

/* The two protection lists share one order (the last word about a protection wins): num2 is an element's place in it. */
static void number_protections(struct policy *policy, enum option_id id, struct value *value)
{
	uint64_t next = 1;

	if (id != OPT_allow_degraded && id != OPT_disable)
		return;
	for (size_t i = 0; i < policy->values[OPT_allow_degraded].count; i++)
		next = MAX(next, policy->values[OPT_allow_degraded].items[i].num2 + 1);
	for (size_t i = 0; i < policy->values[OPT_disable].count; i++)
		next = MAX(next, policy->values[OPT_disable].items[i].num2 + 1);
	for (size_t i = 0; i < value->count; i++)
		value->items[i].num2 += next;
}

/* ---- adding ---- */

bool policy_add_in(struct policy *policy, enum option_id id, const char *text,
		   const struct value_context *context, struct origin origin, struct error *err)
{
	struct value *value = &policy->values[id];
	struct value parsed = {0};

	if (!value_parse(policy->arena, id, text, context, origin, &parsed, err))
		return false;
	number_protections(policy, id, &parsed);
	if (!is_many(id) || parsed.count == 0) /* an empty list says "all" */
		value->count = 0;
	for (size_t i = 0; i < parsed.count; i++)
		push(policy->arena, value, &parsed.items[i]);
	value->set = true;
	return true;
}

static void settle(struct arena *arena, enum option_id id, struct value *value)
{
	struct value kept = {.set = value->set};
	struct finder f = finder_new(arena, id, &kept, value->count);

	for (size_t i = 0; i < value->count; i++) {
		size_t at = finder_find(&f, &value->items[i]);

		if (at < kept.count)
			kept.items[at] = value->items[i];
		else
			push(arena, &kept, &value->items[i]);
	}
	*value = kept;
}

void policy_settle(struct policy *policy)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if ((options[id].flags & OPTION_MAP) && policy->values[id].count > 1)
			settle(policy->arena, id, &policy->values[id]);
}

bool policy_add(struct policy *policy, enum option_id id, const char *text, struct origin origin,
		struct error *err)
{
	if (!policy_add_in(policy, id, text, NULL, origin, err))
		return false;
	if ((options[id].flags & OPTION_MAP) && policy->values[id].count > 1)
		settle(policy->arena, id, &policy->values[id]);
	return true;
}

/* ---- taking away ---- */

void policy_edit(struct policy *policy, enum option_id id, const struct item *item,
		 struct origin origin)
{
	struct edit edit = {.id = id, .reset = !item, .item = {.origin = origin}};

	if (item)
		edit.item = *item;
	policy->edits = arena_grow(policy->arena, policy->edits, policy->edit_count,
				   &policy->edit_cap, sizeof edit);
	policy->edits[policy->edit_count++] = edit;
}

void policy_reset(struct policy *policy, enum option_id id)
{
	policy->values[id] = (struct value){0};
	policy_edit(policy, id, NULL, NO_ORIGIN);
}

/* Into a new array: an older state of the policy may share this one. */
static bool remove_item(struct arena *arena, struct value *value, enum option_id id,
			const struct item *item)
{
	struct value kept = {.set = value->set};

	for (size_t i = 0; i < value->count; i++)
		if (!item_matches(id, &value->items[i], item))
			push(arena, &kept, &value->items[i]);

	bool found = kept.count < value->count;
	*value = kept;
	return found;
}

static bool apply_edit(struct policy *base, const struct edit *edit, struct error *err)
{
	struct value *value = &base->values[edit->id];
	auto_str text = {0};

	if (edit->reset) {
		*value = (struct value){0};
		return true;
	}
	if (remove_item(base->arena, value, edit->id, &edit->item) || !err)
		return true;
	item_render(&edit->item, edit->id, &text);
	error_add(err, edit->item.origin, option_name(&err->arena, edit->id, false),
		  "cannot remove %s: no policy below this one contains it",
		  error_quote(err, str_text(&text)));
	return false;
}

/* ---- laying one over another ---- */

static void merge_value(struct policy *base, enum option_id id, const struct value *over)
{
	struct value *value = &base->values[id];
	struct value result = {.set = true};
	struct value more = *over;

	/* A copy: arrays are changed in place, and that of the other policy is not ours. */
	more.items = arena_array(base->arena, over->count, sizeof *more.items);
	more.cap = more.count;
	if (more.count)
		memcpy(more.items, over->items, more.count * sizeof *more.items);
	if (!is_many(id) || (options[id].flags & OPTION_WHOLE)) {
		*value = more;
		return;
	}

	struct finder f = finder_new(base->arena, id, &result, value->count + more.count);
	number_protections(base, id, &more);
	for (size_t i = 0; i < value->count; i++)
		push(base->arena, &result, &value->items[i]);
	for (size_t i = 0; i < more.count; i++) {
		size_t at = finder_find(&f, &more.items[i]);

		if (at == result.count)
			push(base->arena, &result, &more.items[i]);
		else if ((options[id].flags & OPTION_MAP) || option_text(options[id].words))
			result.items[at] = more.items[i];
		else if (!(more.items[i].flags & ITEM_OPTIONAL))
			result.items[at].flags &= ~(uint32_t)ITEM_OPTIONAL;
	}
	*value = result;
}

static bool lay_over(struct policy *base, const struct policy *over, struct error *err)
{
	bool ok = true;

	for (size_t i = 0; i < over->edit_count; i++)
		ok &= apply_edit(base, &over->edits[i], err);
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		if (over->values[id].set)
			merge_value(base, id, &over->values[id]);
	return ok;
}

void policy_merge(struct policy *base, const struct policy *over)
{
	lay_over(base, over, NULL);
}

bool policy_apply(struct policy *base, const struct policy *over, struct error *err)
{
	return lay_over(base, over, err);
}

/* ---- reading ---- */

static const struct item *last_item(const struct policy *policy, enum option_id id)
{
	const struct value *value = &policy->values[id];

	return value->count ? &value->items[value->count - 1] : NULL;
}

bool policy_bool(const struct policy *policy, enum option_id id, bool fallback)
{
	const struct item *item = last_item(policy, id);

	return item ? item->num != 0 : fallback;
}

uint64_t policy_u64(const struct policy *policy, enum option_id id, uint64_t fallback)
{
	const struct item *item = last_item(policy, id);

	return item ? item->num : fallback;
}

const char *policy_text(const struct policy *policy, enum option_id id, const char *fallback)
{
	const struct item *item = last_item(policy, id);

	return item ? item->text : fallback;
}

struct origin policy_origin(const struct policy *policy, enum option_id id)
{
	const struct item *item = last_item(policy, id);

	return item ? item->origin : NO_ORIGIN;
}
