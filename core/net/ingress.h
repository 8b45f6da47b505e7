/* The ingress filter as a program, apart from sockets. */
#ifndef SANDLOCK_NET_INGRESS_H
#define SANDLOCK_NET_INGRESS_H

#include "plan/endpoints.h"

#include <linux/filter.h>

enum {
	INGRESS_EVERYBODY = 0, /* no program: every peer is let in */
	INGRESS_TOO_LARGE = -1,
};

/* A socket filter that lets in the peers of the port that the table allows; `room` instructions at most. Without `ipv6` only IPv4
 * packets come. Its length, or one of the above. Loop thread only. */
int ingress_compile(const struct endpoint_table *table, uint8_t protocol, uint16_t port, bool ipv6,
		    struct sock_filter *out, size_t room);

#endif
