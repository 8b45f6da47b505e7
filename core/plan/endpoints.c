/*
 * Network rules as one ordered list, and the evaluator that everybody asks. Pure; deciding allocates nothing. It must never give an
 * address a better verdict than the address that the kernel would really reach.
 */
#include "plan/endpoints.h"

#include <string.h>

enum { PORTS = 65536, WORD = 64 };

static const struct address loopback4 = {0, 0xffff7f000001};
static const struct address loopback6 = {0, 1};
static const struct address any4 = {0, 0xffff00000000};
static const struct address any6 = {0, 0};

/* ---- addresses ---- */

static struct address ipv4(uint64_t number)
{
	return (struct address){0, 0xffff00000000 | (number & UINT32_MAX)};
}

/* To the kernel the unspecified address is loopback. */
static struct address reached(struct address a)
{
	if (address_equal(a, any4))
		return loopback4;
	return address_equal(a, any6) ? loopback6 : a;
}

/* The IPv4 address that a translator or a tunnel on the way would take out of this one: NAT64, 6to4, IPv4-compatible. */
static bool carried(struct address a, struct address *inner)
{
	if (a.high == 0x0064ff9b00000000 && a.low >> 32 == 0)
		*inner = reached(ipv4(a.low));
	else if (a.high >> 48 == 0x2002)
		*inner = reached(ipv4(a.high >> 16));
	else if (!a.high && a.low >> 32 == 0 && a.low > 1)
		*inner = ipv4(a.low);
	else
		return false;
	return true;
}

static bool in_group(const struct endpoint_table *table, uint8_t group, struct address a)
{
	enum endpoint_group is = address_group(a);

	if (group != NET_GROUP_HOST && group != NET_GROUP_LOCAL)
		return is == group;
	if (is == NET_GROUP_LOOPBACK || (is == NET_GROUP_LINK_LOCAL && group == NET_GROUP_LOCAL))
		return true;
	for (size_t i = 0; i < table->own_count; i++)
		if (address_equal(table->own[i], a))
			return true;
	return false;
}

static bool covers(const struct endpoint_table *table, const struct endpoint_entry *e,
		   struct address a)
{
	if (e->group != NET_GROUP_NONE)
		return in_group(table, e->group, a);
	if (!e->family)
		return true;
	return e->family == address_family(a) && address_within(a, e->first, e->last);
}

/* Of an address that carries another one a deny takes either, and the allowed group has to hold both. */
static bool matches_address(const struct endpoint_table *table, const struct endpoint_entry *e,
			    struct address a)
{
	struct address inner;
	bool match = covers(table, e, a);

	if (match == (e->allow != 0) && carried(a, &inner) &&
	    (!e->allow || e->group != NET_GROUP_NONE))
		match = covers(table, e, inner);
	return match;
}

/* ---- deciding ---- */

static bool is_icmp(uint8_t protocol)
{
	return (protocol & (ENDPOINT_ICMP | ENDPOINT_ICMPV6)) != 0;
}

static bool matches_port(const struct endpoint_table *table, const struct endpoint_entry *e,
			 const struct endpoint *to)
{
	if (!e->port_count)
		return true;
	if (is_icmp(to->protocol))
		return false;
	for (uint32_t i = 0; i < e->port_count; i++) {
		const struct port_range *range = &table->ports[e->ports + i];

		if (to->port >= range->first && to->port <= range->last)
			return true;
	}
	return false;
}

static struct endpoint_verdict decide(const struct endpoint_table *table, const struct endpoint *to,
				      struct address a)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint_entry *e = &table->entries[i];

		if ((e->protocols & to->protocol) && (e->directions & to->direction) &&
		    matches_port(table, e, to) && matches_address(table, e, a))
			return (struct endpoint_verdict){e->allow != 0, (uint32_t)i};
	}
	return (struct endpoint_verdict){
		.allow = to->direction == ENDPOINT_INGRESS ? table->allow_ingress
							   : table->allow_egress,
		.entry = ENTRY_DEFAULT,
	};
}

struct endpoint_verdict endpoint_decide(const struct endpoint_table *table, struct endpoint to)
{
	struct endpoint_verdict verdict = decide(table, &to, reached(to.address));

	/* A socket bound to a mapped address reaches the IPv4 loopback when it connects to "::". */
	if (verdict.allow && address_equal(to.address, any6))
		verdict = decide(table, &to, loopback4);
	return verdict;
}

/* ---- shapes ---- */

void port_set_add(struct port_set *set, unsigned first, unsigned last)
{
	for (unsigned port = first; port <= last && port < PORTS;) {
		if (port % WORD == 0 && last - port >= WORD - 1) {
			set->word[port / WORD] = UINT64_MAX;
			port += WORD;
			continue;
		}
		set->word[port / WORD] |= BIT(port % WORD);
		port++;
	}
}

void port_set_remove(struct port_set *set, unsigned first, unsigned last)
{
	for (unsigned port = first; port <= last && port < PORTS; port++)
		set->word[port / WORD] &= ~BIT(port % WORD);
}

size_t port_set_count(const struct port_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < PORTS / WORD; i++)
		count += (size_t)__builtin_popcountll(set->word[i]);
	return count;
}

/* What is known about each port while the list is walked. */
struct walk {
	struct port_set decided; /* by an entry for every address */
	struct port_set *always,
		*sometimes;	/* the result; always: less what some address is denied */
	struct port_set denied; /* for some address, before it was decided */
};

static void walk_word(struct walk *w, size_t i, uint64_t ports, bool whole, bool allow)
{
	uint64_t open = ports & ~w->decided.word[i];

	if (allow)
		w->sometimes->word[i] |= open;
	else if (!whole)
		w->denied.word[i] |= open;
	if (!whole)
		return;
	if (allow)
		w->always->word[i] |= open & ~w->denied.word[i];
	w->decided.word[i] |= open;
}

static void walk_entry(const struct endpoint_table *table, const struct endpoint_entry *e,
		       struct walk *w)
{
	bool whole = e->group == NET_GROUP_NONE && !e->family;
	struct port_set ports = {{0}};

	if (!e->port_count)
		port_set_add(&ports, 0, PORTS - 1);
	for (uint32_t i = 0; i < e->port_count; i++)
		port_set_add(&ports, table->ports[e->ports + i].first,
			     table->ports[e->ports + i].last);
	for (size_t i = 0; i < PORTS / WORD; i++)
		if (ports.word[i])
			walk_word(w, i, ports.word[i], whole, e->allow);
}

void endpoint_open_ports(const struct endpoint_table *table, uint8_t protocol, uint8_t direction,
			 struct port_set *always, struct port_set *sometimes)
{
	struct walk w = {.always = always, .sometimes = sometimes};
	bool rest = direction == ENDPOINT_INGRESS ? table->allow_ingress : table->allow_egress;

	memset(always, 0, sizeof *always);
	memset(sometimes, 0, sizeof *sometimes);
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint_entry *e = &table->entries[i];

		if ((e->protocols & protocol) && (e->directions & direction) &&
		    !(e->port_count && is_icmp(protocol)))
			walk_entry(table, e, &w);
	}
	for (size_t i = 0; i < PORTS / WORD; i++)
		walk_word(&w, i, UINT64_MAX, true, rest);
	/* No connection goes to port 0. */
	port_set_remove(always, 0, 0);
	port_set_remove(sometimes, 0, 0);
}

bool endpoint_concerned(const struct endpoint_table *table, uint8_t protocol, uint8_t direction)
{
	for (size_t i = 0; i < table->count; i++)
		if ((table->entries[i].protocols & protocol) &&
		    (table->entries[i].directions & direction))
			return true;
	return false;
}

enum endpoint_shape endpoint_shape(const struct endpoint_table *table, uint8_t protocol,
				   uint8_t direction)
{
	struct port_set always, sometimes;
	bool rest = direction == ENDPOINT_INGRESS ? table->allow_ingress : table->allow_egress;

	if (!endpoint_concerned(table, protocol, direction)) /* most starts */
		return rest ? SHAPE_OPEN : SHAPE_CLOSED;
	endpoint_open_ports(table, protocol, direction, &always, &sometimes);
	if (memcmp(&always, &sometimes, sizeof always) != 0)
		return SHAPE_ADDRESSES;

	size_t count = port_set_count(&always);

	return !count ? SHAPE_CLOSED : count == PORTS - 1 ? SHAPE_OPEN : SHAPE_PORTS;
}

/* ---- compiling ---- */

struct compilation {
	struct arena *arena;
	struct endpoint_entry *entries;
	size_t count, cap;
	struct port_range *ports;
	size_t port_count, port_cap;
};

static void add_entry(struct compilation *c, const struct endpoint_entry *e)
{
	c->entries = arena_grow(c->arena, c->entries, c->count, &c->cap, sizeof *c->entries);
	c->entries[c->count++] = *e;
}

static void add_address(struct compilation *c, struct endpoint_entry e, struct address a)
{
	e.first = e.last = reached(a);
	e.family = address_family(e.first);
	add_entry(c, &e);
}

static bool add_name(struct compilation *c, const struct endpoint_facts *facts,
		     const struct endpoint_entry *e, const char *name)
{
	for (size_t i = 0; i < facts->pin_count; i++) {
		const struct name_pin *pin = &facts->pins[i];

		if (strcmp(pin->name, name) != 0)
			continue;
		for (size_t k = 0; k < pin->count; k++)
			add_address(c, *e, pin->addresses[k]);
		return pin->count > 0;
	}
	return false;
}

static bool add_rule(struct compilation *c, const struct endpoint_facts *facts,
		     const struct endpoint_rule *rule, size_t index)
{
	struct endpoint_entry e = {
		.protocols = rule->protocols,
		.directions = rule->directions,
		.allow = rule->allow,
		.ports = (uint32_t)c->port_count,
		.port_count = (uint32_t)rule->port_count,
		.rule = (uint32_t)index,
	};

	for (size_t i = 0; i < rule->port_count; i++) {
		c->ports = arena_grow(c->arena, c->ports, c->port_count, &c->port_cap,
				      sizeof *c->ports);
		c->ports[c->port_count++] = rule->ports[i];
	}
	switch (rule->target) {
	case TARGET_ANY:
		add_entry(c, &e);
		return true;
	case TARGET_NETWORK:
		if (address_equal(rule->first, rule->last)) {
			add_address(c, e, rule->first);
			return true;
		}
		e.family = rule->family;
		e.first = rule->first;
		e.last = rule->last;
		add_entry(c, &e);
		return true;
	case TARGET_GROUP:
		e.group = (uint8_t)rule->group;
		add_entry(c, &e);
		return true;
	case TARGET_NAME:
		return add_name(c, facts, &e, rule->name);
	case TARGET_SUFFIX:
		break;
	}
	return false;
}

bool endpoints_compile(const struct endpoint_rule *rules, size_t count,
		       const struct endpoint_facts *facts, struct arena *arena,
		       struct endpoint_table *out, size_t *bad)
{
	struct compilation c = {.arena = arena};

	for (*bad = 0; *bad < count; ++*bad)
		if (!add_rule(&c, facts, &rules[*bad], *bad))
			return false;
	out->entries = c.entries;
	out->count = c.count;
	out->ports = c.ports;
	out->port_count = c.port_count;
	out->own = facts->own;
	out->own_count = facts->own_count;
	return true;
}
