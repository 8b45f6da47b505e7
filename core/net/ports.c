/*
 * Which port inside is which port outside, and whose it is. Fixed tables: numbers are looked up by index, the bindings of a number
 * hang on one chain. Entries are dropped only when somebody asks, by a caller that asks the kernel. Never allocates.
 */
#include "net/ports.h"

#include "base/json.h"
#include "net/diag.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	TCP,
	UDP,
	PROTOCOLS,
	LOOKS = 256, /* bindings that are asked about in one call: some 10 us each, and the loop waits */
};

static struct {
	/* The loop changes, others look: numbers without the lock, bindings with it. */
	pthread_mutex_t lock;
	uint16_t real_of[PROTOCOLS][PORT_COUNT], virtual_of[PROTOCOLS][PORT_COUNT]; /* 0 = none */
	uint16_t chain[PROTOCOLS][PORT_COUNT]; /* by real number: index + 1 of its first binding */
	struct binding bindings[BINDINGS];
	uint16_t next[BINDINGS]; /* on the chain, or of the free ones */
	uint16_t unused,
		fresh; /* index + 1 of the first free one; those from `fresh` on were never used */
} ports = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned row(uint8_t protocol)
{
	return protocol == ENDPOINT_TCP ? TCP : UDP;
}

static uint16_t get(const uint16_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static void set(uint16_t *number, uint16_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

/* ---- numbers ---- */

uint16_t ports_bound(uint8_t protocol, uint16_t port)
{
	return get(&ports.real_of[row(protocol)][port]);
}

uint16_t ports_real(uint8_t protocol, uint16_t port)
{
	uint16_t real = ports_bound(protocol, port);

	return real ? real : port;
}

uint16_t ports_virtual(uint8_t protocol, uint16_t port)
{
	uint16_t number = get(&ports.virtual_of[row(protocol)][port]);

	return number ? number : port;
}

bool ports_free(uint8_t protocol, uint16_t port)
{
	uint16_t number = get(&ports.virtual_of[row(protocol)][port]);
	uint16_t real = ports_bound(protocol, port);

	return (!number || number == port) && (!real || real == port);
}

uint16_t ports_number_for(uint8_t protocol, uint16_t real)
{
	uint16_t number = get(&ports.virtual_of[row(protocol)][real]);

	if (number)
		return number;
	if (ports_free(protocol, real))
		return real;
	for (uint16_t at = PORT_COUNT - 1; at > 1023; at--)
		if (!ports_bound(protocol, at) && ports_free(protocol, at))
			return at;
	return 0;
}

/* ---- bindings ---- */

static uint16_t *chain_of(uint8_t protocol, uint16_t real)
{
	return &ports.chain[row(protocol)][real];
}

bool ports_record(const struct binding *b)
{
	uint16_t *first = chain_of(b->protocol, b->real), at;

	pthread_mutex_lock(&ports.lock);
	at = ports.unused;
	if (at)
		ports.unused = ports.next[at - 1];
	else if (ports.fresh < BINDINGS)
		at = ++ports.fresh;
	if (at) {
		ports.bindings[at - 1] = *b;
		ports.next[at - 1] = *first;
		*first = at;
		set(&ports.real_of[row(b->protocol)][b->port], b->real);
		set(&ports.virtual_of[row(b->protocol)][b->real], b->port);
	}
	pthread_mutex_unlock(&ports.lock);
	return at != 0;
}

/* The first binding on a real number's chain, from `at` on, that fits; NULL: none. */
static const struct binding *search(uint8_t protocol, uint16_t real, const uint64_t *cookie,
				    const struct address *address)
{
	for (uint16_t at = *chain_of(protocol, real); at; at = ports.next[at - 1]) {
		const struct binding *b = &ports.bindings[at - 1];

		if ((!cookie || b->cookie == *cookie) &&
		    (!address || address_equal(b->address, *address)))
			return b;
	}
	return NULL;
}

bool ports_holds(uint8_t protocol, uint16_t real, uint64_t cookie)
{
	bool found;

	pthread_mutex_lock(&ports.lock);
	found = cookie && search(protocol, real, &cookie, NULL);
	pthread_mutex_unlock(&ports.lock);
	return found;
}

bool ports_bound_at(uint8_t protocol, struct address address, uint16_t real)
{
	bool found;

	pthread_mutex_lock(&ports.lock);
	found = search(protocol, real, NULL, &address);
	pthread_mutex_unlock(&ports.lock);
	return found;
}

static void drop(uint16_t *link)
{
	uint16_t at = *link;

	pthread_mutex_lock(&ports.lock);
	*link = ports.next[at - 1];
	ports.next[at - 1] = ports.unused;
	ports.unused = at;
	pthread_mutex_unlock(&ports.lock);
}

/* To the end of its chain: another one is the first to be asked next time. */
static void move_back(uint16_t *link)
{
	uint16_t at = *link, *end = link;

	pthread_mutex_lock(&ports.lock);
	while (*end)
		end = &ports.next[*end - 1];
	if (end != &ports.next[at - 1]) {
		*link = ports.next[at - 1];
		ports.next[at - 1] = 0;
		*end = at;
	}
	pthread_mutex_unlock(&ports.lock);
}

/* Asks about one binding of the port; true when it is there. */
static bool look(uint8_t protocol, uint16_t port, bool (*gone)(const struct binding *))
{
	uint16_t real = ports_bound(protocol, port);
	uint16_t *first = chain_of(protocol, real);

	/* Only the loop changes chains, so that `gone` may ask about them. */
	if (*first && !gone(&ports.bindings[*first - 1])) {
		move_back(first);
		return true;
	}
	if (*first)
		drop(first);
	if (!*first) {
		set(&ports.real_of[row(protocol)][port], 0);
		set(&ports.virtual_of[row(protocol)][real], 0);
	}
	return false;
}

bool ports_prune(uint8_t protocol, uint16_t port, bool (*gone)(const struct binding *))
{
	for (unsigned n = 0; ports_bound(protocol, port); n++)
		if (n == LOOKS || look(protocol, port, gone))
			return true;
	return false;
}

static unsigned chain_length(uint8_t protocol, uint16_t port)
{
	uint16_t real = port ? ports_bound(protocol, port) : 0;
	unsigned n = 0;

	for (uint16_t at = real ? *chain_of(protocol, real) : 0; at; at = ports.next[at - 1])
		n++;
	return n;
}

bool ports_make_room(bool (*gone)(const struct binding *))
{
	static uint32_t at; /* port and protocol; where the search goes on. Loop thread only */
	unsigned looks = 0;

	if (ports.unused || ports.fresh < BINDINGS)
		return true;
	for (unsigned seen = 0; seen < 2 * PORT_COUNT && looks < LOOKS; seen++, at++) {
		uint8_t protocol = at / PORT_COUNT % 2 ? ENDPOINT_UDP : ENDPOINT_TCP;
		uint16_t port = (uint16_t)(at % PORT_COUNT);

		/* A long chain goes round: the next time others of it are asked about. */
		for (unsigned left = chain_length(protocol, port); left && looks < LOOKS; left--) {
			looks++;
			look(protocol, port, gone);
			if (ports.unused)
				return true;
		}
	}
	return false;
}

/* ---- who is there ---- */

static bool ours_at(uint8_t protocol, struct address to, uint16_t real, bool *foreign)
{
	uint64_t cookie;
	int r = diag_find(protocol, to, real, &cookie);
	bool ours = r == 0 && ports_holds(protocol, real, cookie);

	*foreign = r == 0 ? !ours : r != -ENOENT;
	return ours;
}

/* Numbers that are the same inside and outside need no translation, and who may connect to them is for the rules to say. */
static bool translated(uint8_t protocol, uint16_t port)
{
	uint16_t real = ports_bound(protocol, port);

	return real && (real != port || (net.policy.flags & NET_REMAP));
}

bool ports_reach(uint8_t protocol, struct address to, uint16_t port)
{
	bool foreign;

	return translated(protocol, port) &&
	       ours_at(protocol, to, ports_bound(protocol, port), &foreign);
}

bool ports_mapped(uint8_t protocol, uint16_t port)
{
	static const struct address loopback[] = {{0, 0xffff7f000001}, {0, 1}};
	bool ours = false;

	if (!translated(protocol, port))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
		bool foreign;

		ours |= ours_at(protocol, loopback[i], ports_bound(protocol, port), &foreign);
		if (foreign)
			return false;
	}
	return ours;
}

/* ---- the report ---- */

bool ports_next(struct mapped_port *at)
{
	if (!at->protocol)
		*at = (struct mapped_port){.protocol = ENDPOINT_TCP};
	if (!ports.fresh) /* most runs: the tables are not touched */
		return false;
	for (;;) {
		while (++at->port) {
			at->real = ports_bound(at->protocol, at->port);
			if (at->real && at->real != at->port)
				return true;
		}
		if (at->protocol == ENDPOINT_UDP)
			return false;
		at->protocol = ENDPOINT_UDP;
	}
}

void ports_report(struct json *j)
{
	struct mapped_port at = {0};
	uint8_t open = 0; /* the protocol whose object it is */

	while (ports_next(&at)) {
		char number[8];

		if (!open)
			json_object(j, "ports");
		if (open != at.protocol) {
			if (open)
				json_end_object(j);
			json_object(j, at.protocol == ENDPOINT_TCP ? "tcp" : "udp");
		}
		open = at.protocol;
		snprintf(number, sizeof number, "%u", at.port);
		json_u64(j, number, at.real);
	}
	if (open) {
		json_end_object(j);
		json_end_object(j);
	}
}
