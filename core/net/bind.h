/* Binding on behalf: what bind() and listen() share, and the parts that tests ask. */
#ifndef SANDLOCK_NET_BIND_H
#define SANDLOCK_NET_BIND_H

#include "net/ports.h"

/* Address and port as the kernel's bind() takes them on such a socket; AF_UNSPEC becomes AF_INET in the copy. 0 or -errno. */
int bind_endpoint(const struct net_socket *socket, union net_address *address, socklen_t len,
		  struct endpoint *out);
/* May this port be bound? Port 0 is a port like any other. */
bool bind_allowed(uint8_t protocol, uint16_t port);
/* The published port that this one inside stands for, or NULL. */
const struct net_publish *bind_published(uint8_t protocol, uint16_t port);
/* Where a bind of the published port really goes; false: an address of that family cannot stand for it. */
bool bind_publish_address(const struct net_publish *publish, const struct net_socket *socket,
			  struct address asked, struct address *out);
/* The whole bind of an inet socket; `multicast`: groups may be joined. 0 or -errno. Loop thread only. */
int bind_inet(const struct net_socket *socket, const union net_address *address, socklen_t len,
	      bool multicast);
/* After the kernel has chosen a port: how it is known inside. */
bool bind_record_chosen(const struct net_socket *socket);
/* Has the socket of this binding certainly ended? */
bool binding_gone(const struct binding *binding);

/* bind_unix.c: names of sandboxes are the supervisors'. */
bool bind_name_reserved(const union net_address *address, socklen_t len);
/* On a worker. */
struct reply bind_unix(const struct call *call);

#endif
