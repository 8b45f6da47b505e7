/*
 * Network calls on behalf of the program: what the kernel cannot decide (destinations, names, unix sockets below Landlock ABI
 * 9) is decided here on a copy of the caller's arguments and done on a duplicate of its descriptor, never continued. Everything
 * here runs inside the outer Landlock layer, which holds the same path rules as the program's own.
 */
#ifndef SANDLOCK_NET_NET_H
#define SANDLOCK_NET_NET_H

#include "plan/endpoints.h"
#include "plan/net_record.h"
#include "supervise/session.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PORT_COUNT = 65536 };

/* The caller's address, copied once; nothing reads the caller's memory again. */
union net_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	char room[128]; /* sizeof(struct sockaddr_storage): the kernel's limit */
};

/* A duplicate of the caller's socket and what it is. */
struct net_socket {
	int fd;
	int domain, type, protocol; /* SO_DOMAIN, SO_TYPE, SO_PROTOCOL */
	bool nonblocking;
};

/* One per run; the policy's part is read-only after net_open(). */
struct net {
	struct net_record policy;
	struct endpoint_table table;
	const struct net_grant *grants; /* paths whose unix sockets may be reached */
	size_t grant_count;
	const struct net_publish *published;
	size_t published_count;
	bool ids_change;   /* tasks can become other users */
	const char *hosts; /* synthetic /etc/hosts, or NULL */
	uint8_t allow_bind_tcp[PORT_COUNT / 8],
		allow_bind_udp[PORT_COUNT / 8]; /* bit = may be bound */
};
extern struct net net; /* of this process; zero until net_open() */

/* Descriptors of the netlink stand-in lie here inside, so that the filter can tell them by number. */
enum { NETLINK_FD_FIRST = 960, NETLINK_FD_LAST = 1023 };

/* sockets.c */
/* The caller's descriptor `fd` as a socket. 0, or -errno as the kernel would have it (EBADF, ENOTSOCK). Close out->fd. */
int net_socket_of(const struct call *call, int fd, struct net_socket *out);
/* What `socket->fd`, a duplicate, is; closes it on failure. */
int net_socket_describe(struct net_socket *socket);
void net_socket_close(struct net_socket *socket);
#define auto_socket CLEANUP(net_socket_close) struct net_socket
uint64_t net_cookie(int fd); /* SO_COOKIE: the socket's identity for all tables; 0 = unknown */
/* Copies `len` bytes of a sockaddr; EINVAL past 128 or negative, EFAULT. */
int net_read_address(const struct call *call, uint64_t from, uint64_t len, union net_address *out);
/* Address and port of an inet socket address as the kernel would take it on such a socket (AF_UNSPEC on an IPv4 socket is AF_INET);
 * false: the kernel would refuse it with *error. */
bool net_endpoint_of(const struct net_socket *socket, const union net_address *address,
		     socklen_t len, struct endpoint *out, int *error);
void net_set_port(union net_address *address, uint16_t port); /* of an inet address */
/* enum endpoint_protocol of the socket; 0: none that rules know. */
uint8_t net_protocol_of(const struct net_socket *socket);

/* decide.c: the verdict for an outgoing operation. 0 or the errno to answer (network.deny_errno). */
int net_decide(const struct endpoint *to);

/* layers.c: a task of the sandbox has made a ruleset that can forbid unix sockets. For any thread, atomically. */
extern bool net_own_layers;

/* unix.c: unix sockets under grants. */
/* Opens what `address` names for the caller (its root, its directory), O_PATH, and judges it. A descriptor, or -errno (EACCES: outside
 * every grant), or NET_LATER. Abstract and unnamed addresses need none of this: the outer layer's scope decides. */
int net_unix_target(const struct call *call, const union net_address *address, socklen_t len);

/* ports.c: the port space of the sandbox (port_remap, publish). Changed by the loop thread, asked by any. */
/* What a local port number inside means outside; `port` itself when there is no mapping. */
uint16_t ports_real(uint8_t protocol, uint16_t port);
uint16_t ports_virtual(uint8_t protocol, uint16_t port);
/* Would a connection to `to`, port `port` inside, arrive at a socket of the sandbox that has this number by port_remap or a
 * published port? Asks the kernel who is there now. */
bool ports_reach(uint8_t protocol, struct address to, uint16_t port);
/* The same for both loopback addresses at once: false when a stranger has the number on either. */
bool ports_mapped(uint8_t protocol, uint16_t port);

/* ingress.c: Loop thread only. */
/* Makes `fd`, which is about to receive on the port, deaf to peers that the ingress rules do not let in, for good. 0 or -errno. */
int ingress_attach(int fd, uint8_t protocol, uint16_t port);

/* connections.c: max_connections. */
/* After net_open() and before harden_self(): what asks the kernel about sockets. */
bool connections_open(void);
/* Right before connect() and right after it, by any thread: a socket that does not connect is soon taken for closed. False: the limit is
 * reached. */
bool connections_admit(uint64_t cookie);
/* Would it have to ask about every connection of this machine? Some milliseconds, not for the loop. */
bool connections_full(void);

/* netlink.c: the stand-in for AF_NETLINK, NETLINK_ROUTE. */
bool netlink_is_ours(uint64_t cookie);

#endif
