/*
 * Locked policies: what may be laid on top of one. A later layer may take grants away, add denials, lower limits and set
 * switches in the safe direction; the result is compared with the locked state, so it does not matter how a layer gets there.
 */
#include "policy/endpoint.h"

#include <string.h>

enum direction {
	MAY_SHRINK,  /* a list of grants: elements may go, none may come */
	MAY_GROW,    /* a list of denials: elements may come, none may go */
	MAY_FALL,    /* a limit: may be set or lowered */
	MAY_BE_TRUE, /* a switch that is safe when true */
	MAY_BE_FALSE,
	MAY_FALL_EACH, /* a map of limits */
	MAY_SELECT,    /* a list where absent means all: a smaller selection */
	FIXED,	       /* what the locked policy says about it stays */
	RANKED,	       /* words, safest first: only towards the front */
};

static const struct rule {
	enum option_id id;
	enum direction direction;
	const char *words;    /* RANKED: safest first */
	const char *fallback; /* RANKED: the word that stands when nothing is said */
} rules[] = {
	{OPT_fs_read, MAY_SHRINK, NULL, NULL},
	{OPT_fs_write, MAY_SHRINK, NULL, NULL},
	{OPT_fs_read_if_exists, MAY_SHRINK, NULL, NULL},
	{OPT_fs_write_if_exists, MAY_SHRINK, NULL, NULL},
	{OPT_fs_read_noexec, MAY_SHRINK, NULL, NULL},
	{OPT_fs_exec, MAY_SHRINK, NULL, NULL},
	{OPT_fs_mount, MAY_SHRINK, NULL, NULL},
	{OPT_volume, MAY_SHRINK, NULL, NULL},
	{OPT_tmpfs, MAY_SHRINK, NULL, NULL},
	{OPT_net_allow, MAY_SHRINK, NULL, NULL},
	{OPT_net_allow_bind, MAY_SHRINK, NULL, NULL},
	{OPT_publish, MAY_SHRINK, NULL, NULL},
	{OPT_http_allow, MAY_SHRINK, NULL, NULL},
	{OPT_credentials, MAY_SHRINK, NULL, NULL},
	{OPT_secrets, MAY_SHRINK, NULL, NULL},
	{OPT_tls_bypass, MAY_SHRINK, NULL, NULL},
	{OPT_extra_allow, MAY_SHRINK, NULL, NULL},
	{OPT_allow_degraded, MAY_SHRINK, NULL, NULL},
	{OPT_disable, MAY_SHRINK, NULL, NULL},
	{OPT_env_pass, MAY_SHRINK, NULL, NULL},
	{OPT_gpu, MAY_SHRINK, NULL, NULL},
	{OPT_fs_deny, MAY_GROW, NULL, NULL},
	{OPT_net_deny, MAY_GROW, NULL, NULL},
	{OPT_net_deny_bind, MAY_GROW, NULL, NULL},
	{OPT_http_deny, MAY_GROW, NULL, NULL},
	{OPT_dns_block_domains, MAY_GROW, NULL, NULL},
	{OPT_dns_block_suffixes, MAY_GROW, NULL, NULL},
	{OPT_extra_deny, MAY_GROW, NULL, NULL},
	{OPT_memory, MAY_FALL, NULL, NULL},
	{OPT_max_processes, MAY_FALL, NULL, NULL},
	{OPT_open_files, MAY_FALL, NULL, NULL},
	{OPT_cpu, MAY_FALL, NULL, NULL},
	{OPT_cpus, MAY_FALL, NULL, NULL},
	{OPT_disk, MAY_FALL, NULL, NULL},
	{OPT_max_connections, MAY_FALL, NULL, NULL},
	{OPT_timeout, MAY_FALL, NULL, NULL},
	{OPT_max_duration, MAY_FALL, NULL, NULL},
	{OPT_idle_timeout, MAY_FALL, NULL, NULL},
	{OPT_rlimits, MAY_FALL_EACH, NULL, NULL},
	{OPT_cpu_cores, MAY_SELECT, NULL, NULL},
	{OPT_read_only_data, MAY_BE_TRUE, NULL, NULL},
	{OPT_no_net, MAY_BE_TRUE, NULL, NULL},
	{OPT_clean_env, MAY_BE_TRUE, NULL, NULL},
	{OPT_empty_env, MAY_BE_TRUE, NULL, NULL},
	{OPT_no_coredump, MAY_BE_TRUE, NULL, NULL},
	{OPT_supervisor, MAY_BE_TRUE, NULL, NULL},
	{OPT_dns_rebind_protection, MAY_BE_TRUE, NULL, NULL},
	{OPT_tls_block_quic, MAY_BE_TRUE, NULL, NULL},
	{OPT_ipv6, MAY_BE_FALSE, NULL, NULL},
	{OPT_default_devices, MAY_BE_FALSE, NULL, NULL},
	{OPT_nestable, MAY_BE_FALSE, NULL, NULL},
	{OPT_allow_self_modify, MAY_BE_FALSE, NULL, NULL},
	{OPT_preserve_ids, MAY_BE_FALSE, NULL, NULL},
	{OPT_trust_host_cas, MAY_BE_FALSE, NULL, NULL},
	{OPT_unknown_syscalls, RANKED, "enosys|allow", "enosys"},
	{OPT_caps, RANKED, "none|files|keep", "files"},
	{OPT_view, RANKED, "private|auto|none", "auto"},
	{OPT_descendants, RANKED, "kill|wait|leave", "kill"},
	{OPT_user, FIXED, NULL, NULL},
	{OPT_uid, FIXED, NULL, NULL},
	{OPT_gid, FIXED, NULL, NULL},
	{OPT_chroot, FIXED, NULL, NULL},
	{OPT_workdir, FIXED, NULL, NULL},
	{OPT_image, FIXED, NULL, NULL},
	{OPT_on_exit, FIXED, NULL, NULL},
	{OPT_on_error, FIXED, NULL, NULL},
};

struct comparison {
	const struct policy *locked, *layer, *result;
	struct origin by;
	struct error *err;
	bool ok;
};

/* Where the layer took something away: its edit, or the lock when the layer left no trace. */
static struct origin edit_origin(const struct comparison *c, enum option_id id)
{
	for (size_t i = 0; i < c->layer->edit_count; i++)
		if (c->layer->edits[i].id == id)
			return c->layer->edits[i].item.origin;
	return c->by;
}

/* The element that the layer gave, else where it took something away. */
static struct origin last_origin(const struct comparison *c, enum option_id id)
{
	static const enum option_id also[] = {OPT_net_default, OPT_net_deny, OPT_net_allow,
					      OPT_net_rules};

	for (size_t i = 0; i <= ARRAY_LEN(also); i++) {
		enum option_id from = i ? also[i - 1] : id;

		if (c->layer->values[from].count)
			return policy_origin(c->layer, from);
		if (id == OPT_net_deny_bind)
			break;
	}
	return edit_origin(c, id == OPT_net_deny_bind ? OPT_net_allow_bind : OPT_net_allow);
}

static void widens(struct comparison *c, enum option_id id, struct origin where,
		   const struct item *item, const char *what)
{
	auto_str text = {0};

	c->ok = false;
	if (item)
		item_render(item, id, &text);
	error_add(c->err, where, option_name(&c->err->arena, id, false),
		  "%s%s%s widens a locked policy", what, item ? " " : "",
		  item ? error_quote(c->err, str_text(&text)) : "");
	error_note(c->err, "locked at %s", error_place(c->err, c->by));
	error_hint(
		c->err,
		"a locked policy may be narrowed only: fewer grants, more denials, lower limits");
}

static bool contains(const struct value *value, enum option_id id, const struct item *item)
{
	for (size_t i = 0; i < value->count; i++)
		if (item_matches(id, &value->items[i], item))
			return true;
	return false;
}

static bool lies_within(const struct value *grants, const struct item *item)
{
	for (size_t i = 0; i < grants->count; i++)
		if (path_within(item->text, grants->items[i].text))
			return true;
	return false;
}

/* A file grant beneath one that the locked policy gives, with no more rights, is nothing new. */
static bool covered_path(const struct policy *locked, enum option_id id, const struct item *item)
{
	static const struct {
		enum option_id id, by;
	} covers[] = {
		{OPT_fs_read, OPT_fs_read},
		{OPT_fs_read, OPT_fs_read_if_exists},
		{OPT_fs_read_if_exists, OPT_fs_read},
		{OPT_fs_read_if_exists, OPT_fs_read_if_exists},
		{OPT_fs_read_noexec, OPT_fs_read_noexec},
		{OPT_fs_read_noexec, OPT_fs_read},
		{OPT_fs_read_noexec, OPT_fs_read_if_exists},
		{OPT_fs_read_noexec, OPT_fs_write},
		{OPT_fs_read_noexec, OPT_fs_write_if_exists},
		{OPT_fs_exec, OPT_fs_exec},
		{OPT_fs_write, OPT_fs_write},
		{OPT_fs_write, OPT_fs_write_if_exists},
		{OPT_fs_write_if_exists, OPT_fs_write},
		{OPT_fs_write_if_exists, OPT_fs_write_if_exists},
	};

	for (size_t i = 0; i < ARRAY_LEN(covers); i++)
		if (covers[i].id == id && lies_within(&locked->values[covers[i].by], item))
			return true;
	return false;
}

static bool covered_ports(const struct value *ports, const struct item *item)
{
	for (size_t i = 0; i < ports->count; i++)
		if ((ports->items[i].flags & ITEM_UDP) == (item->flags & ITEM_UDP) &&
		    ports->items[i].num <= item->num && item->num2 <= ports->items[i].num2)
			return true;
	return false;
}

static bool covered_endpoint(const struct value *allows, const struct item *item,
			     struct arena *arena)
{
	struct complaint unheard = {.arena = arena};
	struct endpoint_rule rule, by;

	if (!endpoint_parse(item->text, false, arena, &rule, &unheard))
		return false;
	for (size_t i = 0; i < allows->count; i++)
		if (endpoint_parse(allows->items[i].text, false, arena, &by, &unheard) &&
		    endpoint_covers(&by, &rule))
			return true;
	return false;
}

static bool covered(const struct comparison *c, enum option_id id, const struct item *item)
{
	const struct value *before = &c->locked->values[id];

	if (contains(before, id, item))
		return true;
	if (id == OPT_net_allow_bind)
		return covered_ports(before, item);
	if (id == OPT_net_allow)
		return covered_endpoint(before, item, &c->err->arena);
	return options[id].kind == KIND_PATH && covered_path(c->locked, id, item);
}

static void compare_grants(struct comparison *c, enum option_id id)
{
	const struct value *before = &c->locked->values[id], *after = &c->result->values[id];
	bool empty_all = options[id].flags & OPTION_EMPTY_ALL;

	if (empty_all && before->set && before->count == 0)
		return;
	if (empty_all && after->set && after->count == 0) {
		const struct value *said = &c->layer->values[id];

		widens(c, id, said->count ? said->items[0].origin : c->by, NULL, "granting all");
		return;
	}
	for (size_t i = 0; i < after->count; i++)
		if (!covered(c, id, &after->items[i]))
			widens(c, id, after->items[i].origin, &after->items[i], "adding");
}

static void compare_denials(struct comparison *c, enum option_id id)
{
	const struct value *before = &c->locked->values[id];

	for (size_t i = 0; i < before->count; i++)
		if (!contains(&c->result->values[id], id, &before->items[i]))
			widens(c, id, edit_origin(c, id), &before->items[i], "removing");
}

static void compare_limit(struct comparison *c, enum option_id id)
{
	const struct value *before = &c->locked->values[id], *after = &c->result->values[id];

	if (!before->count)
		return;
	if (!after->count)
		widens(c, id, edit_origin(c, id), NULL, "dropping the limit");
	else if (after->items[0].num > before->items[0].num)
		widens(c, id, after->items[0].origin, &after->items[0], "raising the limit to");
}

static void compare_limits(struct comparison *c, enum option_id id)
{
	const struct value *before = &c->locked->values[id], *after = &c->result->values[id];

	for (size_t i = 0; i < before->count; i++) {
		const struct item *now = NULL;

		for (size_t k = 0; k < after->count && !now; k++)
			if (item_matches(id, &after->items[k], &before->items[i]))
				now = &after->items[k];
		if (!now)
			widens(c, id, edit_origin(c, id), &before->items[i], "dropping");
		else if (now->num > before->items[i].num || now->num2 > before->items[i].num2)
			widens(c, id, now->origin, now, "raising the limit to");
	}
}

static void compare_selection(struct comparison *c, enum option_id id)
{
	if (!c->locked->values[id].count)
		return;
	if (!c->result->values[id].count)
		widens(c, id, edit_origin(c, id), NULL, "dropping the selection");
	else
		compare_grants(c, id);
}

static void compare_switch(struct comparison *c, enum option_id id, bool safe)
{
	bool fallback = options[id].flags & OPTION_NEGATIVE;
	bool before = policy_bool(c->locked, id, fallback),
	     after = policy_bool(c->result, id, fallback);

	if (before == safe && after != safe)
		widens(c, id,
		       c->result->values[id].count ? policy_origin(c->result, id)
						   : edit_origin(c, id),
		       NULL, after ? "true" : "false");
}

static void compare_words(struct comparison *c, const struct rule *rule)
{
	struct complaint ignored = {.arena = &c->err->arena};
	const char *before = policy_text(c->locked, rule->id, rule->fallback);
	const char *after = policy_text(c->result, rule->id, rule->fallback);
	uint64_t was, is;

	if (value_word(before, rule->words, false, &was, &ignored) &&
	    value_word(after, rule->words, false, &is, &ignored) && is > was)
		widens(c, rule->id,
		       c->result->values[rule->id].count ? policy_origin(c->result, rule->id)
							 : edit_origin(c, rule->id),
		       NULL, arena_printf(&c->err->arena, "\"%s\"", after));
}

static void compare_fixed(struct comparison *c, enum option_id id)
{
	const struct value *before = &c->locked->values[id], *after = &c->result->values[id];

	if (!before->count)
		return;
	if (!after->count)
		widens(c, id, edit_origin(c, id), NULL, "dropping it");
	for (size_t i = 0; i < after->count; i++)
		if (!contains(before, id, &after->items[i]))
			widens(c, id, after->items[i].origin, &after->items[i], "changing it to");
}

/* ---- network ---- */

/* Do all rules of this element deny (or all allow)? */
static bool all_rules(struct comparison *c, const struct item *item, bool allow)
{
	struct complaint unheard = {.arena = &c->err->arena};
	struct endpoint_rule *list;
	size_t count;

	if (!endpoint_parse_tokens(item->text, unheard.arena, &list, &count, &unheard))
		return false;
	for (size_t i = 0; i < count; i++)
		if (list[i].allow != allow)
			return false;
	return true;
}

/* The first match decides, so denials may come anywhere and allows may go; what stays keeps its order. */
static void compare_ordered(struct comparison *c)
{
	const struct value *before = &c->locked->values[OPT_net_rules];
	const struct value *after = &c->result->values[OPT_net_rules];
	size_t next = 0;

	for (size_t i = 0; i <= after->count; i++) {
		const struct item *item = i < after->count ? &after->items[i] : NULL;
		size_t at = next;

		while (at < before->count &&
		       !(item && item_matches(OPT_net_rules, item, &before->items[at])))
			at++;
		if (item && at == before->count) {
			if (!all_rules(c, item, false))
				widens(c, OPT_net_rules, item->origin, item, "adding");
			continue;
		}
		for (; next < at; next++)
			if (!all_rules(c, &before->items[next], true))
				widens(c, OPT_net_rules, edit_origin(c, OPT_net_rules),
				       &before->items[next], "removing or moving");
		next = item ? at + 1 : at;
	}
}

/* Denials of one protocol leave the other as it is. */
static bool opens_binds(const struct policy *policy, uint32_t udp)
{
	const struct value *deny = &policy->values[OPT_net_deny_bind];

	for (size_t i = 0; i < deny->count; i++)
		if ((deny->items[i].flags & ITEM_UDP) == udp)
			return endpoint_binds_open(policy);
	return false;
}

/* Where denials alone open the rest, the first denial and the last allow to go are what widens. */
static void compare_defaults(struct comparison *c)
{
	static const struct {
		enum option_id id;
		enum endpoint_direction direction;
	} ways[] = {{OPT_default_egress, ENDPOINT_EGRESS}, {OPT_default_ingress, ENDPOINT_INGRESS}};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (endpoint_default(c->result, ways[i].direction) &&
		    !endpoint_default(c->locked, ways[i].direction))
			widens(c, ways[i].id, last_origin(c, ways[i].id), NULL,
			       "allowing what no rule names");
	if ((opens_binds(c->result, 0) && !opens_binds(c->locked, 0)) ||
	    (opens_binds(c->result, ITEM_UDP) && !opens_binds(c->locked, ITEM_UDP)))
		widens(c, OPT_net_deny_bind, last_origin(c, OPT_net_deny_bind), NULL,
		       "allowing every port but the denied ones");
}

bool policy_narrows(const struct policy *locked, struct origin by, const struct policy *layer,
		    const struct policy *result, struct error *err)
{
	struct comparison c = {locked, layer, result, by, err, true};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		enum option_id id = rules[i].id;

		switch (rules[i].direction) {
		case MAY_SHRINK:
			compare_grants(&c, id);
			break;
		case MAY_GROW:
			compare_denials(&c, id);
			break;
		case MAY_FALL:
			compare_limit(&c, id);
			break;
		case MAY_FALL_EACH:
			compare_limits(&c, id);
			break;
		case MAY_SELECT:
			compare_selection(&c, id);
			break;
		case MAY_BE_TRUE:
		case MAY_BE_FALSE:
			compare_switch(&c, id, rules[i].direction == MAY_BE_TRUE);
			break;
		case RANKED:
			compare_words(&c, &rules[i]);
			break;
		case FIXED:
			compare_fixed(&c, id);
			break;
		}
	}
	compare_ordered(&c);
	compare_defaults(&c);
	return c.ok;
}
