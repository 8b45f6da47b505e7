/*
 * Ports that may be bound: allow_bind without deny_bind, the published ones, and a free port for UDP that may be sent. Landlock
 * enforces them where the numbers are the same outside and few.
 */
#include "plan/parts.h"

#include "host/uapi.h"
#include "policy/values.h"

static bool of_protocol(const struct item *item, bool udp)
{
	return ((item->flags & ITEM_UDP) != 0) == udp;
}

static bool names_any(const struct value *value, bool udp)
{
	for (size_t i = 0; i < value->count; i++)
		if (of_protocol(&value->items[i], udp))
			return true;
	return false;
}

static bool publishes_any(const struct building *b, bool udp)
{
	const struct value *value = policy_value(b->policy, OPT_publish);

	for (size_t i = 0; i < value->count; i++) {
		struct complaint c = {.arena = b->arena};
		struct endpoint_publish publish;

		if (endpoint_parse_publish(value->items[i].text, &publish, &c) &&
		    (publish.protocol == ENDPOINT_UDP) == udp)
			return true;
	}
	return false;
}

bool network_binds_any(const struct building *b, bool udp)
{
	return names_any(policy_value(b->policy, OPT_net_allow_bind), udp) || publishes_any(b, udp);
}

static bool add_published(struct networking *n, struct port_set *tcp, struct port_set *udp)
{
	const struct value *value = policy_value(n->b->policy, OPT_publish);
	struct plan_net *net = &n->b->plan->net;
	bool ok = true;

	net->published = arena_array(n->b->arena, value->count + 1, sizeof *net->published);
	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		struct complaint c = {.arena = n->b->arena};
		struct endpoint_publish p = {.family = 0};

		if (!endpoint_parse_publish(item->text, &p, &c)) {
			ok = error_add(n->b->err, item->origin, "network.publish", "%s: %s",
				       error_quote(n->b->err, item->text), c.reason);
			continue;
		}
		net->published[net->published_count++] = (struct net_publish){
			.address = {p.address.high, p.address.low},
			.family = p.family,
			.protocol = p.protocol,
			.host = p.host,
			.guest = p.guest,
		};
		port_set_add(p.protocol == ENDPOINT_UDP ? udp : tcp, p.guest, p.guest);
	}
	return ok;
}

static void collect(struct networking *n, bool udp, struct port_set *set)
{
	const struct policy *policy = n->b->policy;
	const struct value *allow = policy_value(policy, OPT_net_allow_bind);
	const struct value *deny = policy_value(policy, OPT_net_deny_bind);

	if (names_any(deny, udp) && endpoint_binds_open(policy))
		port_set_add(set, 0, ALL_PORTS - 1);
	if (udp && n->udp.shape != SHAPE_CLOSED)
		port_set_add(set, 0, 0);
	for (size_t i = 0; i < allow->count; i++)
		if (of_protocol(&allow->items[i], udp))
			port_set_add(set, (unsigned)allow->items[i].num,
				     (unsigned)allow->items[i].num2);
}

static void take_denied(struct networking *n, bool udp, struct port_set *set)
{
	const struct value *deny = policy_value(n->b->policy, OPT_net_deny_bind);

	for (size_t i = 0; i < deny->count; i++)
		if (of_protocol(&deny->items[i], udp))
			port_set_remove(set, (unsigned)deny->items[i].num,
					(unsigned)deny->items[i].num2);
}

/* Root in a view has no rights over the ports of the machine; the supervisor outside has them. */
static bool needs_our_right(const struct networking *n, const struct port_set *ports)
{
	const struct plan *plan = n->b->plan;
	unsigned port = 1;

	if (n->b->host->uid != 0 || !plan->view.wanted ||
	    policy_u64(n->b->policy, OPT_caps, CAPS_FILES) == CAPS_NONE)
		return false;
	while (port < FIRST_UNPRIVILEGED && !port_set_has(ports, port))
		port++;
	return port < FIRST_UNPRIVILEGED;
}

/* Who enforces it: nobody has to, Landlock, or the supervisor. */
static void choose(struct networking *n, struct binding *binding, uint64_t right, bool sockets,
		   enum protection_id protection)
{
	struct plan *plan = n->b->plan;
	bool kernel = (plan->handled_net & right) != 0;
	bool few = binding->port_count <= LANDLOCK_PORTS || !n->answers;
	bool lent = sockets && n->answers && needs_our_right(n, binding->ports);

	if (binding->port_count == ALL_PORTS) {
		plan->handled_net &= ~right;
		binding->judged = (n->mapped && sockets) || lent;
		return;
	}
	/* Switched off by the user: nobody asked for a stand-in, unless the numbers mean something else anyway. */
	if (!kernel && plan->protection[protection] == PROTECTION_DISABLED &&
	    !policy_value(n->b->policy, OPT_net_deny_bind)->count)
		binding->judged = n->mapped && sockets;
	else
		binding->judged = sockets && (n->mapped || !kernel || !few);
	binding->judged |= lent;
}

static void list(struct plan_net *net, uint8_t protocol, const struct port_set *set,
		 struct arena *arena, size_t *cap)
{
	for (unsigned port = 0; port < ALL_PORTS; port++) {
		unsigned first = port;

		if (!set->word[port / 64]) {
			port |= 63;
			continue;
		}
		if (!port_set_has(set, port))
			continue;
		while (port + 1 < ALL_PORTS && port_set_has(set, port + 1))
			port++;
		net->binds =
			arena_grow(arena, net->binds, net->bind_count, cap, sizeof *net->binds);
		net->binds[net->bind_count++] = (struct net_bind){
			.protocol = protocol, .first = (uint16_t)first, .last = (uint16_t)port};
	}
}

bool network_binds(struct networking *n)
{
	const struct policy *policy = n->b->policy;
	struct plan_net *net = &n->b->plan->net;
	static struct port_set nothing; /* never written */
	size_t cap = 0;
	bool ok = true;

	n->bind_tcp.ports = n->bind_udp.ports = &nothing;
	if (policy_value(policy, OPT_net_allow_bind)->count ||
	    policy_value(policy, OPT_net_deny_bind)->count ||
	    policy_value(policy, OPT_publish)->count || n->udp.shape != SHAPE_CLOSED) {
		struct port_set *tcp = arena_new(n->b->arena, struct port_set);
		struct port_set *udp = arena_new(n->b->arena, struct port_set);

		collect(n, false, tcp);
		collect(n, true, udp);
		ok = add_published(n, tcp, udp);
		take_denied(n, false, tcp);
		take_denied(n, true, udp);
		n->bind_tcp = (struct binding){.ports = tcp, .port_count = port_set_count(tcp)};
		n->bind_udp = (struct binding){.ports = udp, .port_count = port_set_count(udp)};
		list(net, ENDPOINT_TCP, tcp, n->b->arena, &cap);
		list(net, ENDPOINT_UDP, udp, n->b->arena, &cap);
	}
	choose(n, &n->bind_tcp, LL_NET_BIND_TCP, true, PROTECT_NET_TCP);
	choose(n, &n->bind_udp, LL_NET_BIND_UDP, n->udp.sockets, PROTECT_NET_UDP);
	return ok;
}
