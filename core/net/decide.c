/*
 * The verdict for one outgoing operation on a copied address: the one evaluator's, plus the sandbox's own ports, which are reachable
 * under the numbers they have inside. Never looks at the caller's memory.
 */
#include "net/behalf.h"

#include <string.h>

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

/*
 * To the kernel 0.0.0.0 is the socket's own address: the one it is bound to, the one of its device (SO_BINDTODEVICE) or the one that
 * IP_PKTINFO names; loopback only where there is none of these. The rules judge it as loopback, so it becomes loopback. IPv6's
 * is loopback always.
 */
static void pin_unspecified(union net_address *address)
{
	static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
	const uint32_t loopback = htonl(INADDR_LOOPBACK);

	if (address->any.sa_family != AF_INET6) {
		if (address->v4.sin_addr.s_addr == htonl(INADDR_ANY))
			address->v4.sin_addr.s_addr = loopback;
	} else if (!memcmp(&address->v6.sin6_addr, mapped, sizeof mapped)) {
		memcpy(address->v6.sin6_addr.s6_addr + 12, &loopback, sizeof loopback);
	}
}

int net_judge(const struct net_socket *socket, const struct endpoint *to,
	      union net_address *address)
{
	uint32_t judged = socket->type == SOCK_STREAM ? NET_JUDGE_CONNECT
						      : NET_JUDGE_CONNECT | NET_JUDGE_SEND;

	pin_unspecified(address);
	if (to->protocol & (ENDPOINT_TCP | ENDPOINT_UDP) && net_is_loopback(to->address) &&
	    ports_reach(to->protocol, arrival(to->address), to->port)) {
		net_set_port(address, ports_real(to->protocol, to->port));
		return 0;
	}
	return net.policy.flags & judged ? net_decide(to) : 0;
}
