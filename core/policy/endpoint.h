/*
 * Who may talk to whom: the rule languages of network.allow, network.deny, network.rules and network.publish as data. Pure: names
 * stay names (host/resolve.h finds their addresses), and nothing is decided here (plan/endpoints.h decides).
 */
#ifndef SANDLOCK_POLICY_ENDPOINT_H
#define SANDLOCK_POLICY_ENDPOINT_H

#include "policy/values.h"

/* An address of either family: IPv4 is ::ffff:a.b.c.d, so that a mapped address and the IPv4 address are one. Numbers of the
 * host's byte order: `high` holds the first eight bytes. */
struct address {
	uint64_t high, low;
};

#define ADDRESS_MAPPED 0xffff00000000ULL /* `low` of ::ffff:0.0.0.0 */

enum { ENDPOINT_IPV4 = 4, ENDPOINT_IPV6 = 6 }; /* families; 0 = either */

enum endpoint_protocol {
	ENDPOINT_TCP = 1 << 0,
	ENDPOINT_UDP = 1 << 1,
	ENDPOINT_ICMP = 1 << 2, /* ICMPv4 */
	ENDPOINT_ICMPV6 = 1 << 3,
	ENDPOINT_PROTOCOLS = (1 << 4) - 1,
};

enum endpoint_direction { ENDPOINT_EGRESS = 1 << 0, ENDPOINT_INGRESS = 1 << 1 };

enum endpoint_target {
	TARGET_ANY,
	TARGET_NETWORK, /* first..last */
	TARGET_GROUP,
	TARGET_NAME,   /* a host name, resolved at start */
	TARGET_SUFFIX, /* "*.example.com" or suffix=: needs a resolver that watches answers */
};

/* address_group() puts every address into one; host and local lie across. Order and ranges: network.md 12.2. */
enum endpoint_group {
	NET_GROUP_NONE,
	NET_GROUP_PUBLIC,
	NET_GROUP_PRIVATE,
	NET_GROUP_LOOPBACK,
	NET_GROUP_LINK_LOCAL,
	NET_GROUP_METADATA,
	NET_GROUP_MULTICAST,
	NET_GROUP_HOST, /* loopback and the own interfaces' addresses: facts of the start, struct plan_request */
	NET_GROUP_RESERVED, /* documentation, benchmarks, 240/4, ...: not public */
	NET_GROUP_LOCAL,    /* host and link-local */
	NET_GROUP_COUNT
};

struct port_range {
	uint16_t first, last;
};

struct endpoint_rule {
	bool allow;
	uint8_t protocols;  /* enum endpoint_protocol, at least one */
	uint8_t directions; /* enum endpoint_direction, at least one */
	uint8_t family;	    /* of TARGET_NETWORK; 0 elsewhere */
	enum endpoint_target target;
	enum endpoint_group group;
	struct address first, last; /* TARGET_NETWORK, both inclusive */
	const char *name;	    /* lower case, no trailing dot */
	const char *token;	    /* of network.rules: as written */
	const struct port_range *ports;
	size_t port_count; /* 0 = every port */
};

/* ADDR:HOST:GUEST/proto: what binds GUEST inside is bound to ADDR:HOST. */
struct endpoint_publish {
	struct address address; /* 127.0.0.1 unless given */
	uint8_t family;
	uint8_t protocol; /* ENDPOINT_TCP or ENDPOINT_UDP */
	uint16_t host, guest;
};

/* network.allow and network.deny: the grammar of 0.8.6 with the additions of network.md 2 (port ranges, tcp+udp://, groups,
 * wildcard names). A rule without a scheme is TCP and UDP. `deny`: names are refused with a hint. */
bool endpoint_parse(const char *text, bool deny, struct arena *arena, struct endpoint_rule *out,
		    struct complaint *c);
/* Is this an IPv6 address that was most likely meant as address and port ("::1:443")? It is read as the address. */
bool endpoint_is_ambiguous(const char *text);
/* Always with a scheme, the protocols joined with '+'; parsing it gives the same rule (action and direction apart). */
const char *endpoint_render(struct arena *arena, const struct endpoint_rule *rule);
/* network.rules: one or more tokens ACTION[:DIRECTION]@TARGET[:PROTOCOL[:PORTS]], separated by commas. */
bool endpoint_parse_tokens(const char *text, struct arena *arena, struct endpoint_rule **out,
			   size_t *count, struct complaint *c);
/* "[ADDRESS:]HOST:GUEST[/tcp|/udp]"; host 0: any free port. */
bool endpoint_parse_publish(const char *text, struct endpoint_publish *out, struct complaint *c);

/* An IP literal in any form inet_aton() or RFC 4291 knows, without zone; false when it is none. Number-like host names
 * ("2130706433", "0x7f.1") are addresses too. */
bool address_parse(const char *text, struct address *out, uint8_t *family);
const char *address_render(struct arena *arena, struct address address);
/* The first and last address that share `prefix` of the 128 bits (IPv4: 96 more than is written). */
void address_network(struct address address, unsigned prefix, struct address *first,
		     struct address *last);
/* The IPv4 address inside one of NAT64 (64:ff9b::/96), 6to4 (2002::/16) or ::a.b.c.d; false when there is none. */
bool address_embedded(struct address address, struct address *ipv4);
/* 4 or 6. */
uint8_t address_family(struct address address);
enum endpoint_group address_group(struct address address); /* never NET_GROUP_HOST or _LOCAL */
/* The ranges that groups consist of, which may lie inside one another; false behind the last one. */
bool address_group_range(size_t index, struct address *first, struct address *last);
const char *net_group_name(enum endpoint_group group);
enum endpoint_group net_group_by_name(
	const char *text); /* NET_GROUP_NONE: not one to write in rules */
static inline bool address_within(struct address a, struct address first, struct address last)
{
	return (a.high > first.high || (a.high == first.high && a.low >= first.low)) &&
	       (a.high < last.high || (a.high == last.high && a.low <= last.low));
}
static inline bool address_equal(struct address a, struct address b)
{
	return a.high == b.high && a.low == b.low;
}

/* ---- the rules of a whole policy ---- */

/* What happens where no rule decides. Leaving: default_egress or default as given; else allowed when there are denials and neither
 * allows nor ordered rules (an empty list of allows is one that allows nothing). Arriving: default_ingress or default as given;
 * else allowed. */
bool endpoint_default(const struct policy *policy, enum endpoint_direction direction);
/* May every port be bound that deny_bind does not name (of the protocols that it names)? With denials and no allow_bind. */
bool endpoint_binds_open(const struct policy *policy);
/* Does `by` match all that `rule` matches, whatever they say of it? False when in doubt. */
bool endpoint_matches_all(const struct endpoint_rule *by, const struct endpoint_rule *rule);
/* Is everything that `rule` says said by `by` as well? Both allow; false when in doubt. */
bool endpoint_covers(const struct endpoint_rule *by, const struct endpoint_rule *rule);

/* Every distinct host name in the policy's rules, in order of first appearance, with the origin of the rule. */
struct endpoint_name {
	const char *name;
	const char *key; /* message_key() */
	struct origin origin;
};
bool endpoint_names(const struct policy *policy, struct arena *arena, struct endpoint_name **out,
		    size_t *count, struct error *err);

#endif
