/*
 * Questions to the kernel about the sockets of this network: whose is this port, which connections are still open. One netlink
 * socket, opened before the supervisor closes itself in.
 */
#ifndef SANDLOCK_NET_DIAG_H
#define SANDLOCK_NET_DIAG_H

#include "policy/endpoint.h"

/* Of an inet socket. Addresses as in the rules: IPv4 is ::ffff:a.b.c.d, also of a socket of the other family. */
struct diag_socket {
	struct address local, peer;
	uint64_t cookie; /* SO_COOKIE */
	uint32_t inode;	 /* 0: no descriptor is left */
	uint32_t uid;
	uint16_t local_port, peer_port;
	uint8_t state; /* TCP_ESTABLISHED, ... of <netinet/tcp.h>, for UDP too */
};

/* Before harden_self(). Harmless when called again. */
bool diag_open(void);
/* Every socket of the protocol (ENDPOINT_TCP or ENDPOINT_UDP), both families, in one of the states (bit = 1 << TCP_*). 0 or -errno; a
 * dump that was interrupted or is malformed is an error, and what was seen before counts for nothing. Any thread. */
int diag_dump(uint8_t protocol, uint32_t states,
	      void (*visit)(void *context, const struct diag_socket *socket), void *context);
/* The socket that a connection to this address and port, or a datagram, would reach: its cookie. 0, -ENOENT (nobody there), or
 * -errno. Costs about one system call. Any thread. */
int diag_find(uint8_t protocol, struct address to, uint16_t port, uint64_t *cookie);

/* One datagram of answers to the request `sequence`: 1 when the answer is complete, 0 when more is to come, -errno. Pure. */
int diag_parse(const void *data, size_t len, uint32_t sequence,
	       void (*visit)(void *context, const struct diag_socket *socket), void *context);

#endif
