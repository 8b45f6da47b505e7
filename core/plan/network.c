/*
 * Network rules that the kernel enforces alone: TCP ports by Landlock, everything else closed by the socket rows of
 * syscalls.def. A rule that names a host or an address needs somebody who compares addresses: an error here, never ignored.
 */
#include "plan/parts.h"

#include "host/uapi.h"

#include <string.h>

enum { PORTS = 65536 };

struct ports {
	uint8_t *access; /* LL_NET_* per port; NULL until the first */
	size_t count[2]; /* bind, connect */
};

static void add_ports(struct building *b, struct ports *ports, uint64_t first, uint64_t last,
		      uint64_t access)
{
	if (!ports->access)
		ports->access = arena_alloc(b->arena, PORTS);
	for (uint64_t port = first; port <= last && port < PORTS; port++) {
		ports->count[access == LL_NET_CONNECT_TCP] += !(ports->access[port] & access);
		ports->access[port] = (uint8_t)(ports->access[port] | access);
	}
}

static void bind_rules(struct building *b, struct ports *ports)
{
	const struct value *value = policy_value(b->policy, OPT_net_allow_bind);

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];

		if ((item->flags & ITEM_ANY) || (item->num == 0 && item->num2 == PORTS - 1))
			b->plan->handled_net &= ~LL_NET_BIND_TCP;
		else
			add_ports(b, ports, item->num, item->num2, LL_NET_BIND_TCP);
	}
}

/* "443", "8000-8010" or "*"; false when it is none of these. */
static bool port_token(const char *text, size_t len, uint64_t *first, uint64_t *last)
{
	uint64_t numbers[2] = {0, 0};
	size_t which = 0, digits = 0;

	if (len == 1 && *text == '*') {
		*first = 1;
		*last = PORTS - 1;
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '-' && digits && !which) {
			which = 1;
			digits = 0;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || ++digits > 5)
			return false;
		numbers[which] = numbers[which] * 10 + (uint64_t)(text[i] - '0');
	}
	*first = numbers[0];
	*last = which ? numbers[1] : numbers[0];
	return digits && *first >= 1 && *last < PORTS && *first <= *last;
}

static bool connect_ports(struct building *b, const struct item *item, const char *list,
			  struct ports *ports)
{
	for (const char *p = list;; p++) {
		uint64_t first, last;

		while (*p == ' ')
			p++;
		size_t len = strcspn(p, ","), used = len;
		while (used && p[used - 1] == ' ')
			used--;
		if (!port_token(p, used, &first, &last)) {
			error_add(b->err, item->origin, "network.allow",
				  "%s has no valid port list", error_quote(b->err, item->text));
			error_hint(
				b->err,
				"write tcp://*:443, tcp://*:80,443, tcp://*:8000-8010 or tcp://*");
			return false;
		}
		if (first == 1 && last == PORTS - 1)
			b->plan->handled_net &= ~LL_NET_CONNECT_TCP;
		else
			add_ports(b, ports, first, last, LL_NET_CONNECT_TCP);
		p += len;
		if (!*p)
			return true;
	}
}

static bool connect_rule(struct building *b, const struct item *item, struct ports *ports)
{
	const char *body = item->text + strlen("tcp://");

	if (!strncmp(item->text, "tcp://", 6)) {
		const char *list = body + (*body == '*');

		if (!strcmp(body, "*")) {
			b->plan->handled_net &= ~LL_NET_CONNECT_TCP;
			return true;
		}
		if (*list == ':')
			return connect_ports(b, item, list + 1, ports);
	}
	error_add(b->err, item->origin, "network.allow",
		  "%s needs the network supervisor, not available in this version",
		  error_quote(b->err, item->text));
	error_hint(b->err, "tcp://*:PORTS allows connecting to these TCP ports of any host");
	return false;
}

static void list_ports(struct building *b, const struct ports *ports)
{
	struct plan *plan = b->plan;

	if (!ports->access)
		return;
	plan->ports = arena_array(b->arena, ports->count[0] + ports->count[1], sizeof *plan->ports);
	for (size_t port = 0; port < PORTS; port++) {
		uint64_t access = ports->access[port] & plan->handled_net;

		if (access)
			plan->ports[plan->port_count++] =
				(struct plan_port){.port = (uint16_t)port, .access = access};
	}
}

bool plan_network(struct building *b)
{
	const struct value *allow = policy_value(b->policy, OPT_net_allow);
	const struct value *bind = policy_value(b->policy, OPT_net_allow_bind);
	struct plan *plan = b->plan;
	struct ports ports = {0};
	bool ok = true;

	bind_rules(b, &ports);
	for (size_t i = 0; i < allow->count; i++)
		ok &= connect_rule(b, &allow->items[i], &ports);
	list_ports(b, &ports);

	plan->features |= WHEN_NO_UDP | WHEN_NO_NETLINK;
	if (!policy_bool(b->policy, OPT_ipv6, true))
		plan->features |= WHEN_NO_INET6;
	/* Where the kernel cannot check ports and none are allowed, no socket is better than an open network. */
	if (policy_bool(b->policy, OPT_no_net, false) ||
	    (plan->protection[PROTECT_NET_TCP] == PROTECTION_DEGRADED && !allow->count &&
	     !bind->count))
		plan->features |= WHEN_NO_INET;
	if ((plan->handled_net & LL_NET_BIND_TCP) && !(plan->features & WHEN_NO_INET)) {
		plan->features |= WHEN_BIND_RULES;
		if (!ports.count[0])
			plan->features |= WHEN_NO_BIND_PORTS;
	}
	return ok;
}
