/*
 * Network rules compiled to one ordered list, and the one evaluator: enforcement, `policy explain` and the tests ask the same
 * function. The first entry that matches decides: denies, then ordered rules, then allows, then the default. Flat, so that the list
 * lies in the image as it is.
 */
#ifndef SANDLOCK_PLAN_ENDPOINTS_H
#define SANDLOCK_PLAN_ENDPOINTS_H

#include "host/resolve.h"

/* One line of the list; an element of the image section IMAGE_ENDPOINTS. */
struct endpoint_entry {
	struct address first, last;
	uint8_t family;	   /* 4, 6, or 0: any address of any family */
	uint8_t protocols; /* enum endpoint_protocol */
	uint8_t directions;
	uint8_t allow;
	uint8_t group; /* enum endpoint_group; NET_GROUP_NONE: first..last decide */
	uint8_t zero[3];
	uint32_t ports;	     /* index of the first in the port ranges */
	uint32_t port_count; /* 0 = every port */
	uint32_t rule;	     /* which rule of the policy, for messages: index of plan_net.rules */
	uint32_t pad;
};

struct endpoint_table {
	const struct endpoint_entry *entries;
	size_t count;
	const struct port_range *ports;
	size_t port_count;
	const struct address *own; /* group "host" */
	size_t own_count;
	bool allow_egress, allow_ingress; /* when no entry matches */
};

/* The other end. For ingress `address` is the peer's and `port` the local one. */
struct endpoint {
	struct address address;
	uint16_t port;
	uint8_t protocol; /* one of enum endpoint_protocol */
	uint8_t direction;
};

enum { ENTRY_DEFAULT = UINT32_MAX };

struct endpoint_verdict {
	bool allow;
	uint32_t entry; /* ENTRY_DEFAULT: nobody matched */
};

/* 0.0.0.0 and :: are loopback to the kernel, so they are here. A deny also matches the IPv4 address inside NAT64, 6to4 and
 * IPv4-compatible addresses. */
struct endpoint_verdict endpoint_decide(const struct endpoint_table *table, struct endpoint to);

/* A set of port numbers. */
struct port_set {
	uint64_t word[65536 / 64];
};
static inline bool port_set_has(const struct port_set *set, unsigned port)
{
	return set->word[port / 64] >> (port % 64) & 1;
}
void port_set_add(struct port_set *set, unsigned first, unsigned last);
void port_set_remove(struct port_set *set, unsigned first, unsigned last);
size_t port_set_count(const struct port_set *set);

/* Does an entry speak of this protocol and direction at all? Else the default decides. */
bool endpoint_concerned(const struct endpoint_table *table, uint8_t protocol, uint8_t direction);
/* Ports from 1 on that are allowed whatever the address is, and those that are for some address. ICMP has no ports: all or
 * none. What lies between the two sets needs somebody who compares addresses. */
void endpoint_open_ports(const struct endpoint_table *table, uint8_t protocol, uint8_t direction,
			 struct port_set *always, struct port_set *sometimes);
/* Is the verdict for this protocol and direction the same for every address and port? For every address, port by port? */
enum endpoint_shape { SHAPE_CLOSED, SHAPE_OPEN, SHAPE_PORTS, SHAPE_ADDRESSES };
enum endpoint_shape endpoint_shape(const struct endpoint_table *table, uint8_t protocol,
				   uint8_t direction);

/* Facts of the start that rules need. */
struct endpoint_facts {
	const struct name_pin *pins;
	size_t pin_count;
	const struct address *own;
	size_t own_count;
};
/* Rules in the order in which they are tried; entry.rule is the index in `rules`. Sets entries, ports and the own addresses of
 * `out`; the defaults are the caller's. False: rule *bad has a host name without a pin, or a suffix. */
bool endpoints_compile(const struct endpoint_rule *rules, size_t count,
		       const struct endpoint_facts *facts, struct arena *arena,
		       struct endpoint_table *out, size_t *bad);

#endif
