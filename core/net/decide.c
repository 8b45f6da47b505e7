/*
 * The verdict for one outgoing operation on a copied address: the one evaluator's, plus the sandbox's own ports, which are reachable
 * under the numbers they have inside. Never looks at the caller's memory.
 */
#include "net/behalf.h"

int net_decide(const struct endpoint *to)
{
	/* A protocol that rules cannot name is not covered by "allow everything" either. */
	if (to->protocol && endpoint_decide(&net.table, *to).allow)
		return 0;
	return net.policy.deny_errno;
}

bool net_is_loopback(struct address address)
{
	uint64_t mapped = address.low >> 32 == 0xffff ? address.low & 0xffffffff : UINT64_MAX;

	if (address.high)
		return false;
	/* ::, ::1, 0.0.0.0 and 127.0.0.0/8: all of them arrive at this host's loopback. */
	return address.low <= 1 || mapped == 0 || mapped >> 24 == 127;
}

/* Who listens there is asked by the address that the connection will really have. */
static struct address arrival(struct address to)
{
	if (to.high || to.low > 0xffff00000000)
		return to;
	return (struct address){.low = to.low <= 1 ? 1 : 0xffff7f000001};
}

int net_judge(const struct net_socket *socket, const struct endpoint *to,
	      union net_address *address)
{
	uint32_t judged = socket->type == SOCK_STREAM ? NET_JUDGE_CONNECT
						      : NET_JUDGE_CONNECT | NET_JUDGE_SEND;

	if (to->protocol & (ENDPOINT_TCP | ENDPOINT_UDP) && net_is_loopback(to->address) &&
	    ports_reach(to->protocol, arrival(to->address), to->port)) {
		net_set_port(address, ports_real(to->protocol, to->port));
		return 0;
	}
	return net.policy.flags & judged ? net_decide(to) : 0;
}
