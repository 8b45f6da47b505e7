/*
 * One question to a plan: would this connection or this bind be allowed, and who decides it? The same evaluator as enforcement, and
 * the same choice of mechanism; where nothing enforces a rule the answer says so.
 */
#include "plan/plan.h"

#include "host/uapi.h"

/* What stands before the rules: no such socket can be made. */
static bool has_no_socket(const struct plan *plan, uint8_t protocol, uint8_t family)
{
	if (plan->features & WHEN_NO_INET)
		return true;
	if (family == ENDPOINT_IPV6 && (plan->features & WHEN_NO_INET6))
		return true;
	if (protocol == ENDPOINT_UDP)
		return (plan->features & WHEN_NO_UDP) != 0;
	return protocol != ENDPOINT_TCP && (plan->features & WHEN_NO_ICMP);
}

enum mechanism plan_connect_mechanism(const struct plan *plan, uint8_t protocol)
{
	uint32_t flags = plan->net.record.flags;
	uint64_t right = protocol == ENDPOINT_TCP   ? LL_NET_CONNECT_TCP
			 : protocol == ENDPOINT_UDP ? LL_NET_CONNECT_SEND_UDP
						    : 0;

	if (has_no_socket(plan, protocol, 0))
		return MECHANISM_NO_SOCKET;
	if (protocol == ENDPOINT_TCP ? (flags & NET_JUDGE_CONNECT) : (flags & NET_JUDGE_SEND))
		return MECHANISM_SUPERVISOR;
	return plan->handled_net & right ? MECHANISM_LANDLOCK : MECHANISM_NOTHING;
}

enum mechanism plan_bind_mechanism(const struct plan *plan, uint8_t protocol)
{
	uint64_t right = protocol == ENDPOINT_TCP ? LL_NET_BIND_TCP : LL_NET_BIND_UDP;

	if (has_no_socket(plan, protocol, 0))
		return MECHANISM_NO_SOCKET;
	if (plan->net.record.flags & NET_JUDGE_BIND)
		return MECHANISM_SUPERVISOR;
	return plan->handled_net & right ? MECHANISM_LANDLOCK : MECHANISM_NOTHING;
}

const char *mechanism_name(enum mechanism mechanism)
{
	switch (mechanism) {
	case MECHANISM_NOTHING:
		return "nothing";
	case MECHANISM_NO_SOCKET:
		return "closed socket type";
	case MECHANISM_LANDLOCK:
		return "Landlock";
	case MECHANISM_SUPERVISOR:
		return "supervisor";
	}
	return "";
}

struct plan_answer plan_judge_connect(const struct plan *plan, struct endpoint to)
{
	struct endpoint_verdict verdict = endpoint_decide(&plan->net.table, to);
	struct plan_answer answer = {
		.allow = verdict.allow,
		.mechanism = plan_connect_mechanism(plan, to.protocol),
	};

	if (verdict.entry != ENTRY_DEFAULT)
		answer.rule = &plan->net.rules[plan->net.table.entries[verdict.entry].rule];
	if (has_no_socket(plan, to.protocol, address_family(to.address))) {
		answer.mechanism = MECHANISM_NO_SOCKET;
		answer.allow = false;
	} else if (answer.mechanism == MECHANISM_NOTHING) {
		answer.allow = true;
	}
	return answer;
}

struct plan_answer plan_judge_bind(const struct plan *plan, uint8_t protocol, uint16_t port)
{
	struct plan_answer answer = {.mechanism = plan_bind_mechanism(plan, protocol)};

	for (size_t i = 0; i < plan->net.bind_count; i++) {
		const struct net_bind *bind = &plan->net.binds[i];

		answer.allow |=
			bind->protocol == protocol && port >= bind->first && port <= bind->last;
	}
	if (answer.mechanism == MECHANISM_NO_SOCKET)
		answer.allow = false;
	else if (answer.mechanism == MECHANISM_NOTHING)
		answer.allow = true;
	return answer;
}
