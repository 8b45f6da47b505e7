/* The network part of a plan in words: protocol by protocol what is open and who enforces it, and the rules in the order they are tried. */
#include "plan/parts.h"

#include "base/json.h"
#include "host/uapi.h"

enum question { CONNECT, BIND };

static const struct {
	char name[5];
	uint8_t protocol;
	uint64_t right[2];
} protocols[] = {
	{"TCP", ENDPOINT_TCP, {LL_NET_CONNECT_TCP, LL_NET_BIND_TCP}},
	{"UDP", ENDPOINT_UDP, {LL_NET_CONNECT_SEND_UDP, LL_NET_BIND_UDP}},
	{"ping", ENDPOINT_ICMP, {0, 0}},
};

static void add_range(struct str *out, bool *any, unsigned first, unsigned last)
{
	str_printf(out, "%s%u", *any ? ", " : "", first);
	if (last > first)
		str_printf(out, "-%u", last);
	*any = true;
}

static void landlock_ports(const struct plan *plan, uint64_t right, struct str *out)
{
	bool any = false;

	for (size_t i = 0; i < plan->port_count; i++) {
		size_t last = i;

		if (!(plan->ports[i].access & right))
			continue;
		while (last + 1 < plan->port_count && (plan->ports[last + 1].access & right) &&
		       plan->ports[last + 1].port == plan->ports[last].port + 1)
			last++;
		add_range(out, &any, plan->ports[i].port, plan->ports[last].port);
		i = last;
	}
	if (!any)
		str_add(out, "none");
}

static void bound_ports(const struct plan *plan, uint8_t protocol, struct str *out)
{
	bool any = false;

	for (size_t i = 0; i < plan->net.bind_count; i++)
		if (plan->net.binds[i].protocol == protocol)
			add_range(out, &any, plan->net.binds[i].first, plan->net.binds[i].last);
	str_add(out, any ? " (supervisor)" : "none (supervisor)");
}

static void answer_words(const struct plan *plan, size_t which, enum question question,
			 struct str *out)
{
	uint8_t protocol = protocols[which].protocol;

	switch (question == CONNECT ? plan_connect_mechanism(plan, protocol)
				    : plan_bind_mechanism(plan, protocol)) {
	case MECHANISM_NO_SOCKET:
		str_add(out, (plan->features & WHEN_NO_INET) ? "none (no network sockets)"
							     : "none (no such sockets)");
		break;
	case MECHANISM_NOTHING:
		str_add(out, "all");
		break;
	case MECHANISM_LANDLOCK:
		landlock_ports(plan, protocols[which].right[question], out);
		break;
	case MECHANISM_SUPERVISOR:
		if (question == BIND)
			bound_ports(plan, protocol, out);
		else
			str_add(out, "by the rules (supervisor)");
		break;
	}
}

static bool rule_allows(const struct plan_net *net, size_t rule)
{
	for (size_t i = 0; i < net->table.count; i++)
		if (net->table.entries[i].rule == rule)
			return net->table.entries[i].allow != 0;
	return false;
}

void describe_network(const struct plan *plan, struct str *out)
{
	const struct plan_net *net = &plan->net;

	for (size_t i = 0; i < 2; i++) {
		str_printf(out, "bind         %s ports: ", protocols[i].name);
		answer_words(plan, i, BIND, out);
		str_add_char(out, '\n');
	}
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		str_printf(out, "connect      %s%s: ", protocols[i].name, i < 2 ? " ports" : "");
		answer_words(plan, i, CONNECT, out);
		str_add_char(out, '\n');
	}
	for (size_t i = 0; i < net->rule_count; i++) {
		auto_str place = {0};

		origin_words(net->rules[i].origin, &place);
		str_printf(out, "rule %-7zu %s ", i + 1, rule_allows(net, i) ? "allow" : "deny ");
		str_add_escaped(out, net->rules[i].text);
		if (place.len)
			str_printf(out, " (%s)", str_text(&place));
		str_add_char(out, '\n');
	}
	if (net->rule_count || !net->table.allow_ingress || net->table.allow_egress)
		str_printf(out, "otherwise    outgoing %s, incoming %s\n",
			   net->table.allow_egress ? "allowed" : "denied",
			   net->table.allow_ingress ? "allowed" : "denied");
	if (plan->features & (WHEN_INGRESS | WHEN_TRAP_ACCEPT))
		str_printf(out, "peers        by the rules (%s)\n",
			   (plan->features & WHEN_TRAP_ACCEPT)
				   ? "supervisor: others connect by TCP and are reset"
				   : "socket filters");
	if (net->record.max_connections)
		str_printf(out, "connections  at most %u\n", net->record.max_connections);
}

static void words_json(const struct plan *plan, size_t which, enum question question,
		       const char *key, struct json *j)
{
	auto_str words = {0};

	answer_words(plan, which, question, &words);
	json_string(j, key, str_text(&words));
}

void describe_network_json(const struct plan *plan, struct json *j)
{
	static const char keys[][5] = {"tcp", "udp", "ping"};
	const struct plan_net *net = &plan->net;

	words_json(plan, 0, BIND, "bind", j);
	words_json(plan, 0, CONNECT, "connect", j);
	json_object(j, "network");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		json_object(j, keys[i]);
		words_json(plan, i, CONNECT, "connect", j);
		json_string(j, "connect_by",
			    mechanism_name(plan_connect_mechanism(plan, protocols[i].protocol)));
		if (i < 2) {
			words_json(plan, i, BIND, "bind", j);
			json_string(
				j, "bind_by",
				mechanism_name(plan_bind_mechanism(plan, protocols[i].protocol)));
		}
		json_end_object(j);
	}
	json_array(j, "rules");
	for (size_t i = 0; i < net->rule_count; i++) {
		auto_str place = {0};

		origin_words(net->rules[i].origin, &place);
		json_object(j, NULL);
		json_string(j, "action", rule_allows(net, i) ? "allow" : "deny");
		json_string(j, "rule", net->rules[i].text);
		json_string(j, "origin", str_text(&place));
		json_end_object(j);
	}
	json_end_array(j);
	json_string(j, "default_egress", net->table.allow_egress ? "allow" : "deny");
	json_string(j, "default_ingress", net->table.allow_ingress ? "allow" : "deny");
	json_string(j, "ingress_by",
		    (plan->features & WHEN_TRAP_ACCEPT) ? mechanism_name(MECHANISM_SUPERVISOR)
		    : (plan->features & WHEN_INGRESS)	? "filter"
							: mechanism_name(MECHANISM_NOTHING));
	json_u64(j, "max_connections", net->record.max_connections);
	json_bool(j, "unix_gate", (net->record.flags & NET_UNIX_GATE) != 0);
	json_end_object(j);
}
