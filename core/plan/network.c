/*
 * Who enforces the network rules, protocol by protocol: the kernel where it can (closed socket types, ports by Landlock), else the
 * supervisor. A rule that needs somebody who compares addresses, and nobody stays who could: an error here, never ignored.
 */
#include "plan/parts.h"

#include "host/uapi.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool network_needs(const struct networking *n, enum option_id id, struct origin origin,
		   const char *what, const char *hint)
{
	struct building *b = n->b;

	/* Whoever checks the policy has said already that this option does not fit the mode. */
	if (!(options[id].modes & b->request->mode) && b->err->errors)
		return false;
	error_add(b->err, origin, message_key(id, origin, b->err),
		  "%s needs a supervisor that answers system calls%s", what,
		  b->request->wanted != PLAN_SUPERVISE ? ""
						       : ", which this kernel does not support");
	error_hint(b->err, "%s", hint);
	return false;
}

/* ---- protocol by protocol ---- */

static void look(const struct networking *n, uint8_t protocol, struct reach *r)
{
	static struct port_set nothing; /* never written */
	const struct endpoint_table *table = &n->b->plan->net.table;

	r->ports = &nothing;
	r->shape = table->allow_egress ? SHAPE_OPEN : SHAPE_CLOSED;
	r->port_count = table->allow_egress ? ALL_PORTS - 1 : 0;
	if (!endpoint_concerned(table, protocol, ENDPOINT_EGRESS))
		return;

	struct port_set *always = arena_new(n->b->arena, struct port_set);
	struct port_set *sometimes = arena_new(n->b->arena, struct port_set);

	endpoint_open_ports(table, protocol, ENDPOINT_EGRESS, always, sometimes);
	r->ports = sometimes;
	r->port_count = port_set_count(sometimes);
	if (memcmp(always, sometimes, sizeof *always) != 0)
		r->shape = SHAPE_ADDRESSES;
	else
		r->shape = !r->port_count		   ? SHAPE_CLOSED
			   : r->port_count < ALL_PORTS - 1 ? SHAPE_PORTS
							   : SHAPE_OPEN;
}

/* Decides r->judged, and whether Landlock goes on holding `right`. */
static void choose(const struct networking *n, struct reach *r, uint64_t right)
{
	struct plan *plan = n->b->plan;
	bool kernel = (plan->handled_net & right) != 0;
	bool few = r->port_count <= LANDLOCK_PORTS;

	switch (r->shape) {
	case SHAPE_OPEN:
		plan->handled_net &= ~right;
		break;
	case SHAPE_CLOSED:
		r->judged = r->sockets && (!kernel || n->mapped);
		break;
	case SHAPE_PORTS:
		r->judged = n->mapped || !kernel || (!few && n->answers);
		break;
	case SHAPE_ADDRESSES:
		r->judged = true;
		break;
	}
	/* Beside a supervisor the kernel holds the ports that some address may be reached on, where they are few. */
	if (r->judged && !few)
		plan->handled_net &= ~right;
}

static bool user_degraded(const struct building *b, enum protection_id id)
{
	const struct value *value = policy_value(b->policy, OPT_allow_degraded);

	for (size_t i = 0; i < value->count; i++)
		if (!strcasecmp(value->items[i].text, protections[id].name))
			return true;
	return false;
}

static void choose_tcp(struct networking *n)
{
	struct plan *plan = n->b->plan;
	bool kernel = (plan->handled_net & LL_NET_CONNECT_TCP) != 0;

	n->tcp.sockets = true;
	choose(n, &n->tcp, LL_NET_CONNECT_TCP);
	/* The user has accepted what the kernel cannot do: nobody stands in where nobody stays, or where it was switched off
	 * and no rule says anything. */
	if (!kernel && n->tcp.shape != SHAPE_ADDRESSES &&
	    (!n->answers ||
	     (plan->protection[PROTECT_NET_TCP] == PROTECTION_DISABLED && !n->rule_count)))
		n->tcp.judged = n->mapped && n->answers;
	/* Landlock has an errno of its own. */
	if (n->answers && n->tcp.shape != SHAPE_OPEN && policy_is_set(n->b->policy, OPT_deny_errno))
		n->tcp.judged |= plan->net.record.deny_errno != EACCES;
}

/* Below ABI 9 the kernel does not check whose socket a path leads to. A sandbox that is to hold others does without: what is done on
 * behalf would not be held by the inner ones. */
static bool needs_unix_gate(const struct building *b)
{
	return !policy_bool(b->policy, OPT_nestable, false) &&
	       !(b->plan->handled_fs & LL_RESOLVE_UNIX) &&
	       b->plan->protection[PROTECT_UNIX_RESOLVE] == PROTECTION_DEGRADED &&
	       !user_degraded(b, PROTECT_UNIX_RESOLVE);
}

/*
 * C libraries make datagram sockets to sort addresses, and give up where they get none. So where rules say something they can be made, and
 * what they send is judged, as long as that costs nothing: the kernel does it, or sends are trapped anyway.
 */
static bool closed_sockets_exist(const struct networking *n)
{
	const struct building *b = n->b;

	return n->answers && n->rule_count &&
	       (needs_unix_gate(b) || (b->plan->handled_net & LL_NET_CONNECT_SEND_UDP));
}

static void choose_udp(struct networking *n)
{
	n->udp.sockets = n->udp.shape != SHAPE_CLOSED || network_binds_any(n->b, true) ||
			 closed_sockets_exist(n);
	if (n->udp.sockets)
		choose(n, &n->udp, LL_NET_CONNECT_SEND_UDP);
	else
		n->b->plan->features |= WHEN_NO_UDP;
}

static void choose_icmp(struct networking *n)
{
	const struct endpoint_table *table = &n->b->plan->net.table;
	enum endpoint_shape v4 = endpoint_shape(table, ENDPOINT_ICMP, ENDPOINT_EGRESS);
	enum endpoint_shape v6 = endpoint_shape(table, ENDPOINT_ICMPV6, ENDPOINT_EGRESS);

	n->icmp.shape = v4 == v6 ? v4 : SHAPE_ADDRESSES;
	n->icmp.sockets = n->icmp.shape != SHAPE_CLOSED;
	n->icmp.judged = n->icmp.shape == SHAPE_ADDRESSES;
	if (!n->icmp.sockets)
		n->b->plan->features |= WHEN_NO_ICMP;
}

static enum option_id option_of(const struct networking *n, size_t rule)
{
	return rule < n->denials		? OPT_net_deny
	       : rule < n->denials + n->ordered ? OPT_net_rules
						: OPT_net_allow;
}

/* Each rule that the kernel alone cannot enforce. */
static bool refuse_rules(struct networking *n)
{
	const struct plan_net *net = &n->b->plan->net;
	bool ok = true;

	for (size_t i = 0; i < n->rule_count; i++) {
		const struct endpoint_rule *rule = &n->rules[i];
		bool tcp = (rule->protocols & ENDPOINT_TCP) && n->tcp.judged;
		bool udp = (rule->protocols & ENDPOINT_UDP) && n->udp.judged;
		bool icmp = (rule->protocols & (ENDPOINT_ICMP | ENDPOINT_ICMPV6)) && n->icmp.judged;

		if (!udp && !icmp && !(tcp && rule->target != TARGET_ANY))
			continue;
		ok = network_needs(
			n, option_of(n, i), net->rules[i].origin,
			error_quote(n->b->err, net->rules[i].text),
			"the kernel alone enforces tcp://*:PORTS, for any host; `sandlock run` "
			"without --no-supervisor enforces all rules");
	}
	return ok;
}

/* ---- what the rules ask for beyond destinations ---- */

static bool restricts_peers(const struct networking *n, uint8_t protocol)
{
	return endpoint_shape(&n->b->plan->net.table, protocol, ENDPOINT_INGRESS) != SHAPE_OPEN;
}

/* Port 0 is for answers, which come from whoever was asked. */
static bool binds_udp(const struct networking *n)
{
	const struct binding *bind = &n->bind_udp;

	if (!n->udp.sockets)
		return false;
	return bind->port_count > port_set_has(bind->ports, 0) ||
	       (!bind->judged && !(n->b->plan->handled_net & LL_NET_BIND_UDP));
}

/* Peers of TCP are filtered, or judged when they are accepted where that is refused. Not tried: the supervisor finds out, and
 * nothing listens that it cannot filter. */
static bool judges_accept(const struct networking *n)
{
	return restricts_peers(n, ENDPOINT_TCP) && n->b->host->tcp_filter == ANSWER_NO;
}

static bool filters_datagrams(const struct networking *n)
{
	return restricts_peers(n, ENDPOINT_UDP) && binds_udp(n);
}

static bool filters_peers(const struct networking *n)
{
	return (restricts_peers(n, ENDPOINT_TCP) && !judges_accept(n)) || filters_datagrams(n);
}

/* A datagram is in nobody's hands before the program's: without a filter nothing keeps it away. */
static bool refuse_datagrams(const struct networking *n)
{
	struct building *b = n->b;
	const struct plan_net *net = &b->plan->net;
	enum option_id id = OPT_default_ingress;
	struct origin origin = policy_origin(b->policy, id);

	if (b->host->udp_filter != ANSWER_NO || !filters_datagrams(n))
		return true;
	if (!policy_is_set(b->policy, id)) {
		id = OPT_net_default;
		origin = policy_origin(b->policy, id);
	}
	for (size_t i = 0; net->table.allow_ingress && i < n->rule_count; i++)
		if (!n->rules[i].allow && (n->rules[i].directions & ENDPOINT_INGRESS) &&
		    (n->rules[i].protocols & ENDPOINT_UDP)) {
			id = option_of(n, i);
			origin = net->rules[i].origin;
			break;
		}
	error_add(b->err, origin, message_key(id, origin, b->err),
		  "datagrams to UDP ports that may be bound cannot be refused: this host refuses "
		  "socket filters to unprivileged programs");
	error_hint(b->err, "let no UDP port be bound, or let datagrams in: put the rule "
			   "allow:ingress@any:udp first");
	return false;
}

/* May the program join multicast groups? When it may send to some. */
static bool allows_multicast(const struct networking *n)
{
	if (!n->udp.sockets)
		return false;
	/* In the order they are tried. */
	for (size_t i = 0; i < n->rule_count; i++) {
		const struct endpoint_rule *rule = &n->rules[i];
		/* A few ports of everybody's are not about groups. */
		bool any = rule->target == TARGET_ANY && !rule->port_count;
		bool group = rule->target == TARGET_GROUP && rule->group == NET_GROUP_MULTICAST;
		bool network = rule->target == TARGET_NETWORK &&
			       address_group(rule->first) == NET_GROUP_MULTICAST &&
			       address_group(rule->last) == NET_GROUP_MULTICAST;

		if (!(rule->protocols & ENDPOINT_UDP) || !(rule->directions & ENDPOINT_EGRESS))
			continue;
		if (rule->allow && (any || group || network))
			return true;
		if (!rule->allow && (any || (group && !rule->port_count)))
			return false;
	}
	return n->b->plan->net.table.allow_egress;
}

static int deny_errno(const struct policy *policy)
{
	static const int numbers[] = {ECONNREFUSED, EACCES, EPERM, ENETUNREACH, EHOSTUNREACH};

	return numbers[policy_u64(policy, OPT_deny_errno, 0) % ARRAY_LEN(numbers)];
}

/* `ok`: no rule was refused. */
static bool refuse_options(struct networking *n, bool ok)
{
	static const enum option_id ids[] = {OPT_port_remap, OPT_publish, OPT_max_connections,
					     OPT_deny_errno};
	static const char runs[] = "`sandlock run` has one unless --no-supervisor is given";

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		if (!policy_is_set(n->b->policy, ids[i]) ||
		    (ids[i] == OPT_port_remap && !policy_bool(n->b->policy, ids[i], false)) ||
		    (ids[i] == OPT_publish && !policy_value(n->b->policy, ids[i])->count))
			continue;
		ok = network_needs(n, ids[i], policy_origin(n->b->policy, ids[i]),
				   option_name(n->b->arena, ids[i], false), runs);
	}
	bool peers = restricts_peers(n, ENDPOINT_TCP) || restricts_peers(n, ENDPOINT_UDP);
	for (size_t i = 0; peers && i < n->rule_count; i++)
		if (n->rules[i].directions & ENDPOINT_INGRESS)
			ok = network_needs(n, OPT_net_rules, n->b->plan->net.rules[i].origin,
					   error_quote(n->b->err, n->b->plan->net.rules[i].text),
					   runs);
	if (!n->b->plan->net.table.allow_ingress)
		ok = network_needs(n, OPT_default_ingress,
				   policy_origin(n->b->policy, OPT_default_ingress),
				   "a verdict for incoming connections", runs);
	if (ok && n->udp.sockets && n->bind_udp.judged)
		ok = network_needs(n, OPT_net_allow,
				   n->rule_count ? n->b->plan->net.rules[0].origin : NO_ORIGIN,
				   "keeping UDP sockets from binding ports",
				   "--net-allow-bind 'udp://*' lets them bind every port");
	return ok;
}

/* ---- the plan ---- */

static void list_ports(struct networking *n)
{
	static struct port_set nothing;
	struct plan *plan = n->b->plan;
	const struct {
		const struct port_set *ports;
		uint64_t right;
	} lists[] = {
		{n->bind_tcp.judged ? &nothing : n->bind_tcp.ports, LL_NET_BIND_TCP},
		{n->tcp.ports, LL_NET_CONNECT_TCP},
		{n->bind_udp.judged || !n->udp.sockets ? &nothing : n->bind_udp.ports,
		 LL_NET_BIND_UDP},
		{n->udp.sockets ? n->udp.ports : &nothing, LL_NET_CONNECT_SEND_UDP},
	};
	size_t cap = 0;

	if (!n->bind_tcp.port_count && !n->tcp.port_count && !n->bind_udp.port_count &&
	    !n->udp.port_count)
		return;
	for (unsigned word = 0; word < ALL_PORTS / 64; word++) {
		uint64_t any = 0;

		for (size_t i = 0; i < ARRAY_LEN(lists); i++)
			if (plan->handled_net & lists[i].right)
				any |= lists[i].ports->word[word];
		for (unsigned bit = 0; any; any >>= 1, bit++) {
			struct plan_port port = {.port = (uint16_t)(word * 64 + bit)};

			if (!(any & 1))
				continue;
			for (size_t i = 0; i < ARRAY_LEN(lists); i++)
				if ((plan->handled_net & lists[i].right) &&
				    port_set_has(lists[i].ports, port.port))
					port.access |= lists[i].right;
			plan->ports = arena_grow(n->b->arena, plan->ports, plan->port_count, &cap,
						 sizeof *plan->ports);
			plan->ports[plan->port_count++] = port;
		}
	}
}

/* What the supervisor does on behalf has the numbers of the outside, and its own layer must let it. */
static void choose_outer(struct networking *n)
{
	struct plan *plan = n->b->plan;
	uint64_t lost = 0;

	if (n->mapped)
		lost = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP | LL_NET_BIND_UDP |
		       LL_NET_CONNECT_SEND_UDP;
	if (n->bind_tcp.judged)
		lost |= LL_NET_BIND_TCP;
	if (n->bind_udp.judged)
		lost |= LL_NET_BIND_UDP;
	plan->outer_net = plan->handled_net & ~lost;
}

/* A path below a write grant leads to the same directory in the view as outside it, whatever links a program makes meanwhile. */
static bool has_plain_paths(const struct building *b)
{
	const struct plan *plan = b->plan;

	for (size_t i = 0; i < plan->view.mount_count; i++) {
		const char *target = plan->view.mounts[i].target;

		/* One that shows a grant below a tmpfs shows what lies there outside. */
		for (size_t k = 0; !plan->view.mounts[i].implied && k < plan->rule_count; k++)
			if ((plan->rules[k].access & LL_MAKE_SOCK) &&
			    strcmp(target, plan->rules[k].path) != 0 &&
			    path_beneath(target, plan->rules[k].path))
				return false;
	}
	return !b->request->linked_grants;
}

static void set_record(struct networking *n)
{
	struct plan *plan = n->b->plan;
	struct plan_net *net = &plan->net;
	uint32_t flags = 0;

	if (net->table.allow_egress)
		flags |= NET_ALLOW_EGRESS;
	if (net->table.allow_ingress)
		flags |= NET_ALLOW_INGRESS;
	if (policy_bool(n->b->policy, OPT_port_remap, false))
		flags |= NET_REMAP;
	if (n->tcp.judged || n->udp.judged || n->icmp.judged || n->mapped)
		flags |= NET_JUDGE_CONNECT;
	if (n->udp.judged || n->icmp.judged)
		flags |= NET_JUDGE_SEND;
	if (n->bind_tcp.judged || n->bind_udp.judged)
		flags |= NET_JUDGE_BIND;
	if (filters_peers(n))
		flags |= NET_INGRESS;
	if (judges_accept(n))
		flags |= NET_JUDGE_ACCEPT;
	if (has_plain_paths(n->b))
		flags |= NET_PLAIN_PATHS;
	net->record.flags = flags;
	net->record.max_connections = (uint32_t)policy_u64(n->b->policy, OPT_max_connections, 0);
}

static void set_features(struct networking *n)
{
	struct plan *plan = n->b->plan;
	uint32_t flags = plan->net.record.flags;

	if ((flags & NET_JUDGE_CONNECT) || plan->net.record.max_connections)
		plan->features |= WHEN_TRAP_CONNECT;
	if (flags & NET_JUDGE_SEND)
		plan->features |= WHEN_TRAP_SENDTO | WHEN_TRAP_SENDMSG;
	if (flags & NET_JUDGE_BIND)
		plan->features |= WHEN_TRAP_BIND;
	if (flags & NET_INGRESS)
		plan->features |= WHEN_INGRESS;
	if (flags & NET_JUDGE_ACCEPT)
		plan->features |= WHEN_TRAP_ACCEPT;
	if (n->mapped)
		plan->features |= WHEN_TRAP_NAMES;
	if (!allows_multicast(n))
		plan->features |= WHEN_NO_MULTICAST;
	/* Whoever may bind a free port may also listen without asking for one. */
	if (((plan->handled_net & LL_NET_BIND_TCP) && !port_set_has(n->bind_tcp.ports, 0)) ||
	    (flags & NET_JUDGE_BIND)) {
		plan->features |= WHEN_BIND_RULES;
		if (!n->bind_tcp.port_count)
			plan->features |= WHEN_NO_BIND_PORTS;
	}
	/* The other numbers would show in /proc/net, and names must lead to the addresses that were pinned. */
	if (((flags & NET_REMAP) && plan_grants(plan, "/proc")) ||
	    (plan->net.hosts && !plan->view.wanted && n->answers &&
	     plan_grants(plan, "/etc/hosts")))
		plan->features |= WHEN_VIRTUAL_FILES;
}

/* In a view the hosts file lies where programs look for it; unless the user has put one there. */
static void mount_hosts(struct building *b)
{
	static const char path[] = "/etc/hosts";
	struct plan_view *view = &b->plan->view;
	size_t at = 0;

	if (!view->wanted || !b->plan->net.hosts)
		return;
	for (size_t i = 0; i < view->mount_count; i++)
		if (!strcmp(view->mounts[i].target, path))
			return;

	struct plan_mount *mounts = arena_array(b->arena, view->mount_count + 1, sizeof *mounts);

	while (at < view->mount_count && strcmp(view->mounts[at].target, path) < 0)
		at++;
	for (size_t i = 0; i < view->mount_count; i++)
		mounts[i + (i >= at)] = view->mounts[i];
	mounts[at] = (struct plan_mount){
		.kind = MOUNT_FILE,
		.target = path,
		.content = b->plan->net.hosts,
		.flags = ITEM_READ_ONLY | ITEM_OPTIONAL,
		.implied = true,
	};
	view->mounts = mounts;
	view->mount_count++;
}

/* Paths below which the program may make what it wants may also hold the sockets that it talks to. */
static void list_grants(struct building *b)
{
	struct plan *plan = b->plan;

	plan->net.grants = arena_array(b->arena, plan->rule_count + 1, sizeof *plan->net.grants);
	for (size_t i = 0; i < plan->rule_count; i++)
		if ((plan->rules[i].access & LL_RESOLVE_UNIX) && !(plan->rules[i].flags & RULE_OWN))
			plan->net.grants[plan->net.grant_count++] = plan->rules[i].path;
}

/* No socket at all is better than an open network: asked for, or nothing is allowed and the kernel cannot check ports. */
static bool closes_sockets(const struct networking *n)
{
	const struct policy *policy = n->b->policy;

	if (policy_bool(policy, OPT_no_net, false))
		return true;
	return n->b->plan->protection[PROTECT_NET_TCP] == PROTECTION_DEGRADED && !n->rule_count &&
	       !n->b->plan->net.table.allow_egress && !n->mapped &&
	       !policy_value(policy, OPT_net_allow_bind)->count &&
	       !policy_value(policy, OPT_net_deny_bind)->count;
}

bool plan_network(struct building *b)
{
	struct plan *plan = b->plan;
	struct networking n = {
		.b = b,
		.answers = b->request->wanted == PLAN_SUPERVISE && b->host->seccomp_notify,
		.mapped = policy_bool(b->policy, OPT_port_remap, false) ||
			  policy_value(b->policy, OPT_publish)->count > 0,
	};
	bool ok = network_rules(&n);

	plan->net.record.deny_errno = deny_errno(b->policy);
	list_grants(b);
	if (!policy_bool(b->policy, OPT_ipv6, true))
		plan->features |= WHEN_NO_INET6;
	if (!ok)
		return false;
	if (closes_sockets(&n)) {
		plan->features |= WHEN_NO_INET | WHEN_NO_UDP | WHEN_NO_ICMP | WHEN_NO_MULTICAST;
		plan->outer_net = plan->handled_net;
		return true;
	}
	look(&n, ENDPOINT_TCP, &n.tcp);
	look(&n, ENDPOINT_UDP, &n.udp);
	choose_tcp(&n);
	choose_udp(&n);
	choose_icmp(&n);
	ok = network_binds(&n);
	if (!n.answers) {
		ok = refuse_options(&n, refuse_rules(&n) && ok);
		n.bind_tcp.judged = false;
	} else {
		ok = refuse_datagrams(&n) && ok;
	}
	mount_hosts(b);
	list_ports(&n);
	choose_outer(&n);
	set_record(&n);
	set_features(&n);
	return ok;
}

void plan_network_answers(struct building *b)
{
	struct plan *plan = b->plan;

	plan->features |= plan->listener ? WHEN_NETLINK : WHEN_NO_NETLINK;
	if (!plan->listener || !needs_unix_gate(b))
		return;
	plan->net.record.flags |= NET_UNIX_GATE;
	plan->features |= WHEN_TRAP_CONNECT | WHEN_TRAP_SENDTO | WHEN_TRAP_SENDMSG;
}
