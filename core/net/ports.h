/*
 * The port space of the sandbox, for those who change it (bind.c, listen.c). Inside a socket is bound to a virtual port, outside to a
 * real one; both are the same unless port_remap or a published port makes them differ. One real number has one virtual number.
 */
#ifndef SANDLOCK_NET_PORTS_H
#define SANDLOCK_NET_PORTS_H

#include "net/net.h"

enum { BINDINGS = 4096 };

/* One socket that holds a port. */
struct binding {
	uint64_t cookie;
	struct address address; /* where it is really bound; unspecified = everywhere */
	uint16_t port, real;	/* inside, outside */
	uint8_t protocol;	/* ENDPOINT_TCP or ENDPOINT_UDP */
	uint8_t family;		/* 4 or 6, of the socket */
};

/* The real number that this port is bound to inside, or 0. */
uint16_t ports_bound(uint8_t protocol, uint16_t port);
/* May `port` be bound under its own number, or does that number stand for another port inside? */
bool ports_free(uint8_t protocol, uint16_t port);
/* Under which number a socket that the kernel has bound to `real` is known inside: `real` itself, unless that is taken. 0: none. */
uint16_t ports_number_for(uint8_t protocol, uint16_t real);
/* Remembers a binding; false when there is no room. */
bool ports_record(const struct binding *binding);
/* Does this very socket hold the real port? */
bool ports_holds(uint8_t protocol, uint16_t real, uint64_t cookie);
/* Is a socket of the sandbox bound to exactly this address and real port? */
bool ports_bound_at(uint8_t protocol, struct address address, uint16_t real);
/* Drops the bindings of `port` whose sockets are `gone`; false when none is left, and with it the port. */
bool ports_prune(uint8_t protocol, uint16_t port, bool (*gone)(const struct binding *));
/* Makes room for one more if it can. */
bool ports_make_room(bool (*gone)(const struct binding *));

/* A port whose number is another one outside. Begin with {0}; goes by protocol and number. */
struct mapped_port {
	uint16_t port, real;
	uint8_t protocol;
};
/* The next one; false: there is none any more. */
bool ports_next(struct mapped_port *at);

#endif
