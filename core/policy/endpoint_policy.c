/*
 * What the network rules of a whole policy say together: what happens where none decides, which names need addresses, and whether one
 * rule says no more than another. Reads rules that were accepted when they were added.
 */
#include "policy/endpoint_parts.h"

#include <string.h>

/* ---- where no rule decides ---- */

static bool given(const struct policy *policy, enum option_id id)
{
	return policy->values[id].count > 0;
}

bool endpoint_default(const struct policy *policy, enum endpoint_direction direction)
{
	enum option_id own =
		direction == ENDPOINT_EGRESS ? OPT_default_egress : OPT_default_ingress;

	if (given(policy, own))
		return strcmp(policy_text(policy, own, ""), "allow") == 0;
	if (given(policy, OPT_net_default))
		return strcmp(policy_text(policy, OPT_net_default, ""), "allow") == 0;
	if (direction == ENDPOINT_INGRESS)
		return true;
	return given(policy, OPT_net_deny) && !policy_is_set(policy, OPT_net_allow) &&
	       !policy_is_set(policy, OPT_net_rules);
}

bool endpoint_binds_open(const struct policy *policy)
{
	return given(policy, OPT_net_deny_bind) && !policy_is_set(policy, OPT_net_allow_bind);
}

/* ---- comparing ---- */

static bool group_within(enum endpoint_group group, enum endpoint_group by)
{
	if (by == NET_GROUP_LOCAL && (group == NET_GROUP_HOST || group == NET_GROUP_LINK_LOCAL))
		return true;
	return group == by ||
	       (group == NET_GROUP_LOOPBACK && (by == NET_GROUP_HOST || by == NET_GROUP_LOCAL));
}

/* Is the whole network of one group that lies within `by`? The first range that it touches decides. */
static bool network_within(const struct endpoint_rule *rule, enum endpoint_group by)
{
	struct address first, last;

	for (size_t i = 0; address_group_range(i, &first, &last); i++) {
		bool starts = address_within(rule->first, first, last);

		if (starts && address_within(rule->last, first, last))
			return group_within(address_group(rule->first), by);
		if (starts || address_within(first, rule->first, rule->last))
			return false;
	}
	/* IPv6 may carry addresses of other groups. */
	return by == NET_GROUP_PUBLIC && rule->family == ENDPOINT_IPV4;
}

static bool covers_target(const struct endpoint_rule *by, const struct endpoint_rule *rule)
{
	if (by->target == TARGET_ANY)
		return true;
	if (by->target == TARGET_GROUP && rule->target == TARGET_NETWORK)
		return network_within(rule, by->group);
	if (by->target != rule->target)
		return false;
	switch (by->target) {
	case TARGET_ANY:
		return true;
	case TARGET_NETWORK:
		return by->family == rule->family &&
		       address_within(rule->first, by->first, by->last) &&
		       address_within(rule->last, by->first, by->last);
	case TARGET_GROUP:
		return group_within(rule->group, by->group);
	case TARGET_NAME:
	case TARGET_SUFFIX:
		return strcmp(by->name, rule->name) == 0;
	}
	return false;
}

static bool covers_ports(const struct endpoint_rule *by, const struct endpoint_rule *rule)
{
	size_t k = 0;

	if (by->port_count == 0)
		return true;
	/* Both are sorted and their ranges do not touch. */
	for (size_t i = 0; i < rule->port_count; i++) {
		while (k < by->port_count && by->ports[k].last < rule->ports[i].last)
			k++;
		if (k == by->port_count || by->ports[k].first > rule->ports[i].first)
			return false;
	}
	return rule->port_count > 0;
}

bool endpoint_matches_all(const struct endpoint_rule *by, const struct endpoint_rule *rule)
{
	return !(rule->protocols & ~by->protocols) && !(rule->directions & ~by->directions) &&
	       covers_target(by, rule) && covers_ports(by, rule);
}

bool endpoint_covers(const struct endpoint_rule *by, const struct endpoint_rule *rule)
{
	return by->allow && rule->allow && endpoint_matches_all(by, rule);
}

/* ---- names ---- */

/* Each costs a lookup at every start. */
enum { NAMES_MAX = 1024 };

struct names {
	struct arena *arena;
	struct error *err;
	struct endpoint_name *list;
	size_t count, cap;
};

static void add_name(struct names *names, const struct endpoint_rule *rule, enum option_id id,
		     struct origin origin)
{
	if (rule->target != TARGET_NAME || names->count > NAMES_MAX)
		return;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i].name, rule->name) == 0)
			return;
	names->list = arena_grow(names->arena, names->list, names->count, &names->cap,
				 sizeof *names->list);
	names->list[names->count++] =
		(struct endpoint_name){rule->name, message_key(id, origin, names->err), origin};
}

/* A policy out of an image was not parsed here. */
static bool refused(const struct item *item, enum option_id id, const struct complaint *c,
		    struct error *err)
{
	error_add(err, item->origin, option_name(&err->arena, id, false), "invalid rule %s: %s",
		  error_quote(err, item->text), c->reason);
	if (c->hint)
		error_hint(err, "%s", c->hint);
	return false;
}

bool endpoint_names(const struct policy *policy, struct arena *arena, struct endpoint_name **out,
		    size_t *count, struct error *err)
{
	const struct value *allow = policy_value(policy, OPT_net_allow);
	const struct value *ordered = policy_value(policy, OPT_net_rules);
	struct complaint c = {.arena = &err->arena};
	struct names names = {.arena = arena, .err = err};
	bool ok = true;

	for (size_t i = 0; i < allow->count; i++) {
		struct endpoint_rule rule;

		if (endpoint_parse(allow->items[i].text, false, arena, &rule, &c))
			add_name(&names, &rule, OPT_net_allow, allow->items[i].origin);
		else
			ok = refused(&allow->items[i], OPT_net_allow, &c, err);
	}
	for (size_t i = 0; i < ordered->count; i++) {
		struct endpoint_rule *rules;
		size_t rule_count;

		if (!endpoint_parse_tokens(ordered->items[i].text, arena, &rules, &rule_count,
					   &c)) {
			ok = refused(&ordered->items[i], OPT_net_rules, &c, err);
			continue;
		}
		for (size_t k = 0; k < rule_count; k++)
			add_name(&names, &rules[k], OPT_net_rules, ordered->items[i].origin);
	}
	if (names.count > NAMES_MAX)
		ok = error_add(err, names.list[NAMES_MAX].origin, NULL,
			       "more than %d host names in network rules", NAMES_MAX);
	*out = names.list;
	*count = names.count;
	return ok;
}
