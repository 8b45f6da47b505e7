/*
 * Between the files that do connect(), accept() and send() on behalf: what they share, and the pure parts that tests ask.
 */
#ifndef SANDLOCK_NET_BEHALF_H
#define SANDLOCK_NET_BEHALF_H

#include "net/net.h"

#include <limits.h>
#include <sys/uio.h>

/* open.c */
const char *net_text(uint32_t offset); /* a string of the image; NULL: out of bounds */
uid_t net_own_uid(void);	       /* of this process, at net_open() */

/* decide.c */
/* The verdict for a destination, with the sandbox's own ports: 0 or the errno to answer. Puts the real port into `address`. */
int net_judge(const struct net_socket *socket, const struct endpoint *to,
	      union net_address *address);
bool net_is_loopback(struct address address);

/* connect.c */
uint64_t net_deadline(int fd, int option); /* by SO_SNDTIMEO or SO_RCVTIMEO; 0: none */

/* names.c */
/* The address of a socket's `peer` or its own, made one with the numbers of the inside. */
void net_name_inside(const struct net_socket *socket, bool peer, union net_address *name,
		     socklen_t len);
/* Into the caller's second and third argument as the kernel does it: cut to its room, with the true length. 0 or -errno. */
int net_hand_out(const struct call *call, const union net_address *name, socklen_t len);

/* unix.c */
/* The path in a unix address: its length with the text in `path`, 0 when the address is abstract or unnamed, -EINVAL when the
 * kernel would not take it. */
enum { UNIX_PATH_ROOM = 109 };
int unix_path_of(const union net_address *address, socklen_t len, char path[UNIX_PATH_ROOM]);
/* On the loop a path is followed as far as it is cached: whoever gets this says reply_later(). No errno. */
enum { NET_LATER = INT_MIN };
/* At `grant` or below it? */
bool unix_path_within(const char *path, const char *grant);
/* Is the caller still the user that this process is? Peers of unix sockets are told of this process. */
bool net_same_identity(const struct call *call);
/* The address of an object opened with O_PATH; its length. */
socklen_t unix_address_of(int target, union net_address *out);

#endif
