/*
 * Addresses as numbers: every spelling in, one spelling out, and the group each belongs to. IPv4 lives at ::ffff:0:0/96, so that an
 * address and its mapped form can never be judged differently. Must never resolve a name.
 */
#include "policy/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- text to number ---- */

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* One part of an IPv4 address: decimal, 0octal or 0xhexadecimal. */
static bool scan_part(const char **p, uint64_t *out)
{
	int base = 10;

	if (**p < '0' || **p > '9')
		return false;
	if (**p == '0' && ((*p)[1] | 0x20) == 'x') {
		base = 16;
		*p += 2;
		if (digit_of(**p) > 15)
			return false;
	} else if (**p == '0') {
		base = 8;
	}
	for (*out = 0; digit_of(**p) < base; ++*p) {
		*out = *out * (uint64_t)base + (uint64_t)digit_of(**p);
		if (*out > UINT32_MAX)
			return false;
	}
	return true;
}

/* As inet_aton(): one to four parts, the last one fills the bytes that are left. The C library's own is not used: it also takes
 * what follows a blank. */
static bool parse_ipv4(const char *text, uint32_t *out)
{
	uint64_t value = 0, part = 0;
	unsigned parts = 0;

	for (const char *p = text;; p++) {
		if (!scan_part(&p, &part))
			return false;
		parts++;
		if (*p == '\0')
			break;
		if (*p != '.' || part > 255 || parts == 4)
			return false;
		value = value << 8 | part;
	}

	unsigned left = 8 * (5 - parts);
	if (part >> left)
		return false;
	*out = (uint32_t)(value << left | part);
	return true;
}

bool address_parse(const char *text, struct address *out, uint8_t *family)
{
	unsigned char bytes[16];
	uint32_t ipv4;

	*out = (struct address){0};
	if (!strchr(text, ':')) {
		if (!parse_ipv4(text, &ipv4))
			return false;
		out->low = ADDRESS_MAPPED | ipv4;
	} else {
		if (inet_pton(AF_INET6, text, bytes) != 1)
			return false;
		for (size_t i = 0; i < 8; i++) {
			out->high = out->high << 8 | bytes[i];
			out->low = out->low << 8 | bytes[i + 8];
		}
	}
	*family = address_family(*out);
	return true;
}

/* ---- number to text ---- */

uint8_t address_family(struct address address)
{
	return address.high == 0 && address.low >> 32 == ADDRESS_MAPPED >> 32 ? ENDPOINT_IPV4
									      : ENDPOINT_IPV6;
}

static unsigned ipv6_group(struct address address, unsigned i)
{
	return (unsigned)((i < 4 ? address.high : address.low) >> (48 - 16 * (i % 4))) & 0xffff;
}

/* RFC 5952: the first of the longest runs of two or more zeros becomes "::". */
static const char *render_ipv6(struct arena *arena, struct address address)
{
	unsigned from = 8, most = 1;
	auto_str out = {0};

	for (unsigned i = 0; i < 8; i++) {
		unsigned run = 0;

		while (i + run < 8 && !ipv6_group(address, i + run))
			run++;
		if (run > most) {
			from = i;
			most = run;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == from) {
			str_add(&out, "::");
			i += most - 1;
			continue;
		}
		str_printf(&out, "%s%x", i && i != from + most ? ":" : "", ipv6_group(address, i));
	}
	return arena_strdup(arena, str_text(&out));
}

/* Not by inet_ntop(): C libraries disagree about ::1.2.3.4. */
const char *address_render(struct arena *arena, struct address address)
{
	uint32_t ipv4 = (uint32_t)address.low;

	if (address_family(address) != ENDPOINT_IPV4)
		return render_ipv6(arena, address);
	return arena_printf(arena, "%u.%u.%u.%u", ipv4 >> 24, ipv4 >> 16 & 255, ipv4 >> 8 & 255,
			    ipv4 & 255);
}

void address_network(struct address address, unsigned prefix, struct address *first,
		     struct address *last)
{
	uint64_t high = prefix >= 64 ? 0 : UINT64_MAX >> prefix; /* the bits of the host */
	uint64_t low = prefix >= 128 ? 0 : prefix > 64 ? UINT64_MAX >> (prefix - 64) : UINT64_MAX;

	*first = (struct address){address.high & ~high, address.low & ~low};
	*last = (struct address){address.high | high, address.low | low};
}

/* ---- groups ---- */

#define IPV4(a, b, c, d)                                                                           \
	0, ADDRESS_MAPPED | (uint64_t)(a) << 24 | (uint64_t)(b) << 16 | (uint64_t)(c) << 8 | (d)

/* The first row that fits decides. Prefixes are of the 128 bits: 96 more than IPv4 writes. */
static const struct {
	uint64_t high, low;
	uint8_t prefix, group;
} ranges[] = {
	{IPV4(169, 254, 169, 254), 128, NET_GROUP_METADATA},
	{IPV4(169, 254, 170, 2), 128, NET_GROUP_METADATA},  /* of containers */
	{IPV4(169, 254, 170, 23), 128, NET_GROUP_METADATA}, /* of pods */
	{IPV4(192, 0, 0, 192), 128, NET_GROUP_METADATA},
	{IPV4(100, 100, 100, 200), 128, NET_GROUP_METADATA},
	{IPV4(168, 63, 129, 16), 128, NET_GROUP_METADATA},
	{0xfd000ec200000000, 0x254, 128, NET_GROUP_METADATA},
	{0xfd000ec200000000, 0x23, 128, NET_GROUP_METADATA},
	/* The kernel connects to loopback when asked for the unspecified address. */
	{IPV4(0, 0, 0, 0), 128, NET_GROUP_LOOPBACK},
	{0, 0, 128, NET_GROUP_LOOPBACK},
	{0, 1, 128, NET_GROUP_LOOPBACK},
	{IPV4(127, 0, 0, 0), 96 + 8, NET_GROUP_LOOPBACK},
	{IPV4(10, 0, 0, 0), 96 + 8, NET_GROUP_PRIVATE},
	{IPV4(172, 16, 0, 0), 96 + 12, NET_GROUP_PRIVATE},
	{IPV4(192, 168, 0, 0), 96 + 16, NET_GROUP_PRIVATE},
	{IPV4(100, 64, 0, 0), 96 + 10, NET_GROUP_PRIVATE},
	{0xfc00000000000000, 0, 7, NET_GROUP_PRIVATE},
	{IPV4(169, 254, 0, 0), 96 + 16, NET_GROUP_LINK_LOCAL},
	{0xfe80000000000000, 0, 10, NET_GROUP_LINK_LOCAL},
	{IPV4(224, 0, 0, 0), 96 + 4, NET_GROUP_MULTICAST},
	{0xff00000000000000, 0, 8, NET_GROUP_MULTICAST},
	{IPV4(0, 0, 0, 0), 96 + 8, NET_GROUP_RESERVED},
	{IPV4(192, 0, 0, 0), 96 + 24, NET_GROUP_RESERVED},
	{IPV4(192, 0, 2, 0), 96 + 24, NET_GROUP_RESERVED},
	{IPV4(198, 18, 0, 0), 96 + 15, NET_GROUP_RESERVED},
	{IPV4(198, 51, 100, 0), 96 + 24, NET_GROUP_RESERVED},
	{IPV4(203, 0, 113, 0), 96 + 24, NET_GROUP_RESERVED},
	{IPV4(240, 0, 0, 0), 96 + 4, NET_GROUP_RESERVED},
	{0x0100000000000000, 0, 64, NET_GROUP_RESERVED},
	{0x0064ff9b00010000, 0, 48, NET_GROUP_RESERVED}, /* NAT64 of the local network */
	{0x20010db800000000, 0, 32, NET_GROUP_RESERVED},
	{0xfec0000000000000, 0, 10, NET_GROUP_RESERVED},
};

bool address_group_range(size_t index, struct address *first, struct address *last)
{
	if (index >= ARRAY_LEN(ranges))
		return false;
	address_network((struct address){ranges[index].high, ranges[index].low},
			ranges[index].prefix, first, last);
	return true;
}

static enum endpoint_group listed_group(struct address address)
{
	struct address first, last;

	for (size_t i = 0; address_group_range(i, &first, &last); i++)
		if (address_within(address, first, last))
			return (enum endpoint_group)ranges[i].group;
	return NET_GROUP_PUBLIC;
}

bool address_embedded(struct address address, struct address *ipv4)
{
	uint64_t value;
	bool nat64 = address.high == 0x0064ff9b00000000 && address.low <= UINT32_MAX;
	bool compatible = address.high == 0 && address.low > 1 && address.low <= UINT32_MAX;

	if (nat64 || compatible)
		value = address.low;
	else if (address.high >> 48 == 0x2002)
		value = address.high >> 16 & UINT32_MAX; /* 6to4 */
	else
		return false;
	*ipv4 = (struct address){0, ADDRESS_MAPPED | value};
	return true;
}

enum endpoint_group address_group(struct address address)
{
	enum endpoint_group group = listed_group(address), inner;
	struct address ipv4;

	/* A translator on the way makes it the IPv4 address: an inside address is not public because it is wrapped. */
	if (group != NET_GROUP_PUBLIC || !address_embedded(address, &ipv4))
		return group;
	inner = listed_group(ipv4);
	return inner == NET_GROUP_PUBLIC && address.high == 0 ? NET_GROUP_RESERVED : inner;
}

/* ---- names of groups ---- */

static const char group_names[NET_GROUP_COUNT][11] = {
	[NET_GROUP_NONE] = "none",
	[NET_GROUP_PUBLIC] = "public",
	[NET_GROUP_PRIVATE] = "private",
	[NET_GROUP_LOOPBACK] = "loopback",
	[NET_GROUP_LINK_LOCAL] = "link-local",
	[NET_GROUP_METADATA] = "metadata",
	[NET_GROUP_MULTICAST] = "multicast",
	[NET_GROUP_HOST] = "host",
	[NET_GROUP_RESERVED] = "reserved",
	[NET_GROUP_LOCAL] = "local",
};

const char *net_group_name(enum endpoint_group group)
{
	return group < NET_GROUP_COUNT ? group_names[group] : group_names[NET_GROUP_NONE];
}

enum endpoint_group net_group_by_name(const char *text)
{
	for (enum endpoint_group group = NET_GROUP_PUBLIC; group < NET_GROUP_COUNT; group++)
		if (strcmp(group_names[group], text) == 0)
			return group;
	return strcmp(text, "meta") == 0 ? NET_GROUP_METADATA : NET_GROUP_NONE;
}
