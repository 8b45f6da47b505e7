/*
 * The stand-in for NETLINK_ROUTE: what it answers (netlink_reply.c: bytes in, datagrams out, no system call) and what others of
 * this room ask about it. The sandbox has one interface, lo, with 127.0.0.1/8 and ::1/128, whatever the host has.
 */
#ifndef SANDLOCK_NET_NETLINK_H
#define SANDLOCK_NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_REQUEST_MAX = 8192 };

/* Takes one datagram of an answer; false: it could not be delivered, and the rest is not wanted either. */
typedef bool (*netlink_deliver)(void *context, const void *datagram, size_t len);

/* Answers every request in one datagram of the program's. `port` is the socket's port id. False when `deliver` said so. */
bool netlink_reply(const void *request, size_t len, uint32_t port, netlink_deliver deliver,
		   void *context);

/* Is this the program's end of a stand-in? By inode, for any thread. */
bool netlink_owns_inode(uint64_t inode);

#endif
