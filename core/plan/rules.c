/* The network rules of a policy in the order in which they are tried: denials, ordered rules, allows; with the words for messages. */
#include "plan/parts.h"

#include "policy/values.h"

#include <string.h>

static void add_rule(struct networking *n, const struct endpoint_rule *rule, const char *text,
		     struct origin origin)
{
	struct plan_net *net = &n->b->plan->net;

	n->rules = arena_grow(n->b->arena, n->rules, n->rule_count, &n->rule_cap, sizeof *n->rules);
	n->rules[n->rule_count++] = *rule;
	net->rules = arena_grow(n->b->arena, net->rules, net->rule_count, &n->said_cap,
				sizeof *net->rules);
	net->rules[net->rule_count++] = (struct plan_net_rule){.text = text, .origin = origin};
}

static bool not_a_rule(struct networking *n, enum option_id id, const struct item *item,
		       const struct complaint *c)
{
	error_add(n->b->err, item->origin, message_key(id, item->origin, n->b->err), "%s: %s",
		  error_quote(n->b->err, item->text), c->reason ? c->reason : "not a rule");
	if (c->hint)
		error_hint(n->b->err, "%s", c->hint);
	return false;
}

static bool add_list(struct networking *n, enum option_id id, bool deny)
{
	const struct value *value = policy_value(n->b->policy, id);
	bool ok = true;

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		struct complaint c = {.arena = n->b->arena};
		struct endpoint_rule rule = {0};

		if (endpoint_parse(item->text, deny, n->b->arena, &rule, &c))
			add_rule(n, &rule, item->text, item->origin);
		else
			ok = not_a_rule(n, id, item, &c);
	}
	return ok;
}

static bool add_ordered(struct networking *n)
{
	const struct value *value = policy_value(n->b->policy, OPT_net_rules);
	bool ok = true;

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		struct complaint c = {.arena = n->b->arena};
		struct endpoint_rule *rules = NULL;
		size_t count = 0;

		if (!endpoint_parse_tokens(item->text, n->b->arena, &rules, &count, &c)) {
			ok = not_a_rule(n, OPT_net_rules, item, &c);
			continue;
		}
		for (size_t k = 0; k < count; k++)
			add_rule(n, &rules[k], rules[k].token, item->origin);
	}
	return ok;
}

/* Names that some rule allows: a program inside must find the addresses that were pinned. */
static bool is_allowed(const struct networking *n, const char *name)
{
	for (size_t i = 0; i < n->rule_count; i++)
		if (n->rules[i].allow && n->rules[i].target == TARGET_NAME &&
		    !strcmp(n->rules[i].name, name))
			return true;
	return false;
}

static void make_hosts(struct networking *n)
{
	const struct plan_request *request = n->b->request;
	auto_str text = {0};
	bool any = false;

	if (!request->pin_count)
		return;
	str_add(&text, "127.0.0.1 localhost\n::1 localhost\n");
	for (size_t i = 0; i < request->pin_count; i++) {
		const struct name_pin *pin = &request->pins[i];
		bool known = false;

		for (size_t k = 0; k < i; k++)
			known |= !strcmp(request->pins[k].name, pin->name);
		if (known || !is_allowed(n, pin->name))
			continue;
		any = true;
		for (size_t k = 0; k < pin->count; k++)
			str_printf(&text, "%s %s\n", address_render(n->b->arena, pin->addresses[k]),
				   pin->name);
	}
	if (any)
		n->b->plan->net.hosts = arena_strdup(n->b->arena, str_text(&text));
}

bool network_rules(struct networking *n)
{
	const struct plan_request *request = n->b->request;
	struct plan_net *net = &n->b->plan->net;
	const struct endpoint_facts facts = {
		.pins = request->pins,
		.pin_count = request->pin_count,
		.own = request->own,
		.own_count = request->own_count,
	};
	bool ok = add_list(n, OPT_net_deny, true);
	size_t bad = 0;

	n->denials = n->rule_count;
	ok &= add_ordered(n);
	n->ordered = n->rule_count - n->denials;
	ok &= add_list(n, OPT_net_allow, false);
	if (!ok)
		return false;
	if (!endpoints_compile(n->rules, n->rule_count, &facts, n->b->arena, &net->table, &bad)) {
		const struct plan_net_rule *said = &net->rules[bad];
		bool suffix = n->rules[bad].target == TARGET_SUFFIX;
		enum option_id id = n->rules[bad].token ? OPT_net_rules : OPT_net_allow;

		/* Whoever checks the policy has said already that there is no forwarder. */
		if (suffix && n->b->err->errors)
			return false;
		return error_add(
			n->b->err, said->origin, message_key(id, said->origin, n->b->err),
			suffix ? "%s needs the DNS forwarder, not available in this version"
			       : "%s: failed to resolve host",
			error_quote(n->b->err, said->text));
	}
	net->table.allow_egress = endpoint_default(n->b->policy, ENDPOINT_EGRESS);
	net->table.allow_ingress = endpoint_default(n->b->policy, ENDPOINT_INGRESS);
	make_hosts(n);
	return true;
}
