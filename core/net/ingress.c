/*
 * Ingress rules as a classic BPF socket filter: the SYN of a peer that is not let in is dropped before there is a connection, and
 * accepted sockets inherit the filter. Nothing is decided here: the address space is cut where the verdict may change, and the one
 * evaluator is asked about each piece. Never lets a socket listen with a filter that the program could still take off.
 */
#include "net/ingress.h"

#include "net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EDGES = 8192, WORDS = 4 };

/* ---- where the verdict may change ---- */

/* Starts of pieces, at first anyhow, then sorted and with their verdict. */
static struct {
	struct address at[EDGES];
	bool allow[EDGES];
	size_t count;
	bool full;
} edges;

static void add_edge(struct address a)
{
	if (edges.count < EDGES)
		edges.at[edges.count++] = a;
	else
		edges.full = true;
}

/* An IPv4 edge is one also where the address is carried inside another (network.md: NAT64, 6to4, IPv4-compatible). */
static void add_edges(struct address a)
{
	add_edge(a);
	if (a.high || (a.low & ~0xffffffffULL) != ADDRESS_MAPPED)
		return;
	uint64_t v4 = a.low & 0xffffffff;
	add_edge((struct address){0x0064ff9b00000000, v4});
	add_edge((struct address){0x2002000000000000 | v4 << 16, 0});
	add_edge((struct address){0, v4});
}

static void add_range(struct address first, struct address last)
{
	struct address after = {last.high + (last.low == UINT64_MAX), last.low + 1};

	add_edges(first);
	if (after.high || after.low)
		add_edges(after);
}

static bool concerns(const struct endpoint_table *table, const struct endpoint_entry *e,
		     uint8_t protocol, uint16_t port)
{
	bool match = !e->port_count;

	if (!(e->protocols & protocol) || !(e->directions & ENDPOINT_INGRESS))
		return false;
	for (uint32_t i = 0; i < e->port_count && !match; i++)
		match = port >= table->ports[e->ports + i].first &&
			port <= table->ports[e->ports + i].last;
	return match;
}

static void add_groups(const struct endpoint_table *table)
{
	struct address first, last;

	for (size_t i = 0; address_group_range(i, &first, &last); i++)
		add_range(first, last);
	for (size_t i = 0; i < table->own_count; i++)
		add_range(table->own[i], table->own[i]);
}

static int compare(const void *a, const void *b)
{
	const struct address *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	return x->low < y->low ? -1 : x->low > y->low;
}

static void find_edges(const struct endpoint_table *table, uint8_t protocol, uint16_t port)
{
	bool groups = false;

	edges.count = 0;
	edges.full = false;
	/* The ends of both families and of the carriers are edges in any case. */
	add_range((struct address){0, ADDRESS_MAPPED},
		  (struct address){0, ADDRESS_MAPPED | 0xffffffff});
	add_range((struct address){0, 0}, (struct address){0, 0xffffffff});
	add_range((struct address){0, 1}, (struct address){0, 1});
	add_range((struct address){0x0064ff9b00000000, 0},
		  (struct address){0x0064ff9b00000000, 0xffffffff});
	add_range((struct address){0x2002000000000000, 0},
		  (struct address){0x2002ffffffffffff, UINT64_MAX});
	/* The unspecified address counts as loopback, also inside a carrier. */
	add_range((struct address){0, ADDRESS_MAPPED}, (struct address){0, ADDRESS_MAPPED});
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint_entry *e = &table->entries[i];

		if (!concerns(table, e, protocol, port))
			continue;
		if (e->group != NET_GROUP_NONE)
			groups = true;
		else if (e->family)
			add_range(e->first, e->last);
	}
	if (groups)
		add_groups(table);
	qsort(edges.at, edges.count, sizeof *edges.at, compare);
}

static bool peer_allowed(const struct endpoint_table *table, uint8_t protocol, uint16_t port,
			 struct address peer)
{
	const struct endpoint from = {
		.address = peer,
		.port = port,
		.protocol = protocol,
		.direction = ENDPOINT_INGRESS,
	};

	return endpoint_decide(table, from).allow;
}

static bool is_mapped(struct address a)
{
	return !a.high && a.low >> 32 == 0xffff;
}

/* Asks about each piece of the family and joins neighbours of one verdict. They take the place of the edges from `begin` on;
 * returns where they end. */
static size_t find_pieces(const struct endpoint_table *table, uint8_t protocol, uint16_t port,
			  bool ipv6, bool mapped_open, size_t begin)
{
	size_t out = begin;

	for (size_t i = begin; i < edges.count; i++) {
		struct address a = edges.at[i];
		bool mapped = is_mapped(a);

		/* An IPv6 packet from a mapped address is a lie: nobody, unless it is everybody anyhow. */
		if (ipv6 ? mapped && mapped_open : !mapped)
			continue;
		bool allow = !(mapped && ipv6) && peer_allowed(table, protocol, port, a);
		if (out > begin && edges.allow[out - 1] == allow)
			continue;
		edges.at[out] = a;
		edges.allow[out++] = allow;
	}
	return out;
}

/* ---- the program ---- */

struct program {
	struct sock_filter *code;
	size_t len, room;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->len < p->room)
		p->code[p->len] = (struct sock_filter){code, yes, no, k};
	p->len++;
}

static void emit_return(struct program *p, bool allow)
{
	emit(p, BPF_RET | BPF_K, allow ? UINT32_MAX : 0, 0, 0);
}

static void emit_load(struct program *p, uint16_t size, uint32_t offset)
{
	emit(p, (uint16_t)(BPF_LD | size | BPF_ABS), (uint32_t)SKF_NET_OFF + offset, 0, 0);
}

/* A comparison of the accumulator (IPv4) or of M[0..3] with where a piece begins. Falls through when the address is in it or
 * after it; else jumps over one instruction. */
static void emit_compare(struct program *p, struct address start, bool ipv6)
{
	const uint32_t word[WORDS] = {
		(uint32_t)(start.high >> 32),
		(uint32_t)start.high,
		(uint32_t)(start.low >> 32),
		(uint32_t)start.low,
	};
	unsigned last = WORDS - 1;

	if (!ipv6) {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, word[last], 0, 1);
		return;
	}
	while (last && !word[last]) /* what follows is zero, and nothing is less */
		last--;
	for (unsigned i = 0; i <= last; i++) {
		/* How many instructions of later words there are. */
		uint8_t rest = (uint8_t)(i == last ? 0 : 3 * (last - i - 1) + 2);

		emit(p, BPF_LD | BPF_MEM, i, 0, 0);
		if (i == last) {
			emit(p, BPF_JMP | BPF_JGE | BPF_K, word[i], 0, 1);
		} else {
			emit(p, BPF_JMP | BPF_JGT | BPF_K, word[i], (uint8_t)(rest + 1), 0);
			emit(p, BPF_JMP | BPF_JEQ | BPF_K, word[i], 0, (uint8_t)(rest + 1));
		}
	}
}

/* A tree of comparisons over the pieces begin..end. */
static void emit_tree(struct program *p, size_t begin, size_t end, bool ipv6)
{
	if (end - begin == 1) {
		emit_return(p, edges.allow[begin]);
		return;
	}
	size_t half = begin + (end - begin) / 2, at;

	emit_compare(p, edges.at[half], ipv6);
	at = p->len;
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(p, begin, half, ipv6);
	if (at < p->room)
		p->code[at].k = (uint32_t)(p->len - at - 1);
	emit_tree(p, half, end, ipv6);
}

static void emit_family(struct program *p, size_t begin, size_t end, bool ipv6)
{
	if (!ipv6) {
		emit_load(p, BPF_W, 12);
	} else {
		for (unsigned i = 0; i < WORDS; i++) {
			emit_load(p, BPF_W, 8 + 4 * i);
			emit(p, BPF_ST, i, 0, 0);
		}
	}
	emit_tree(p, begin, end, ipv6);
}

int ingress_compile(const struct endpoint_table *table, uint8_t protocol, uint16_t port, bool ipv6,
		    struct sock_filter *out, size_t room)
{
	struct program p = {.code = out, .room = room};
	size_t middle, end, at;

	find_edges(table, protocol, port);
	if (edges.full)
		return INGRESS_TOO_LARGE;
	/* Pieces take the place of edges; both families need all of them. */
	static struct address copy[EDGES];
	size_t count = edges.count;
	memcpy(copy, edges.at, count * sizeof *copy);
	middle = find_pieces(table, protocol, port, false, false, 0);
	bool open = middle == 1 && edges.allow[0];
	if (middle + count > EDGES)
		return INGRESS_TOO_LARGE;
	memcpy(edges.at + middle, copy, count * sizeof *copy);
	edges.count = middle + count;
	end = find_pieces(table, protocol, port, true, open, middle);
	if (open && (!ipv6 || (end - middle == 1 && edges.allow[middle])))
		return INGRESS_EVERYBODY;

	emit_load(&p, BPF_B, 0);
	emit(&p, BPF_ALU | BPF_AND | BPF_K, 0xf0, 0, 0);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 1); /* the version of the IP header */
	at = p.len;
	emit(&p, BPF_JMP | BPF_JA, 0, 0, 0);
	if (ipv6) {
		emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0x60, 1, 0);
		emit_return(&p, false);
		emit_family(&p, middle, end, true);
	} else {
		emit_return(&p, false);
	}
	if (at < room)
		out[at].k = (uint32_t)(p.len - at - 1);
	emit_family(&p, 0, middle, false);
	return p.len <= room ? (int)p.len : INGRESS_TOO_LARGE;
}

/* ---- sockets ---- */

/* Is the program on the socket this one, locked? What the program inside attached at the same moment is not. */
static bool is_attached(int fd, const struct sock_filter *code, size_t len)
{
	static struct sock_filter now[BPF_MAXINSNS];
	socklen_t count = BPF_MAXINSNS; /* in instructions */
	int locked = 0;
	socklen_t size = sizeof locked;

	return getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &locked, &size) == 0 && locked &&
	       getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, now, &count) == 0 && count == len &&
	       memcmp(now, code, len * sizeof *code) == 0;
}

int ingress_attach(int fd, uint8_t protocol, uint16_t port)
{
	static struct sock_filter code[BPF_MAXINSNS];
	int domain = AF_INET6, on = 1;
	socklen_t size = sizeof domain;

	if (!(net.policy.flags & NET_INGRESS) ||
	    (protocol == ENDPOINT_TCP && (net.policy.flags & NET_JUDGE_ACCEPT)))
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return -errno;
	int len = ingress_compile(&net.table, protocol, port, domain == AF_INET6, code,
				  ARRAY_LEN(code));
	if (len == INGRESS_EVERYBODY)
		return 0;
	if (len < 0)
		return -EACCES;

	const struct sock_fprog program = {.len = (unsigned short)len, .filter = code};
	/* EPERM: locked already, by us when the socket listens a second time. */
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 &&
	    errno != EPERM)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof on) < 0)
		return -errno;
	return is_attached(fd, code, (size_t)len) ? 0 : -EACCES;
}
