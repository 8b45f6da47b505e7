/*
 * The network part of the sealed image: written by the launcher from struct plan_net, read by net_open(). Flat; texts are string
 * offsets.
 */
#ifndef SANDLOCK_PLAN_NET_RECORD_H
#define SANDLOCK_PLAN_NET_RECORD_H

#include <stdint.h>

enum net_flag {
	NET_UNIX_GATE = 1 << 0, /* pathname unix sockets are judged here (no Landlock ABI 9) */
	NET_REMAP = 1 << 1,	/* port_remap */
	NET_JUDGE_CONNECT =
		1 << 2, /* destinations of inet connects are judged; else the kernel does it */
	NET_JUDGE_SEND = 1 << 3,   /* destinations of datagrams are judged */
	NET_JUDGE_BIND = 1 << 4,   /* inet binds are judged */
	NET_INGRESS = 1 << 5,	   /* peers of listening sockets are filtered */
	NET_ALLOW_EGRESS = 1 << 6, /* default of the endpoint list */
	NET_ALLOW_INGRESS = 1 << 7,
	NET_JUDGE_ACCEPT =
		1 << 8, /* peers of TCP sockets are judged when they are accepted, not filtered */
	NET_PLAIN_PATHS =
		1
		<< 9, /* nothing is mounted below a place where sockets may be made: it is the same directory outside */
};

struct net_record {
	uint32_t flags;		  /* enum net_flag */
	uint32_t max_connections; /* 0 = no limit */
	int32_t deny_errno;	  /* what a refused connect or send reports */
	uint32_t hosts;		  /* string: the synthetic /etc/hosts; 0 = none */
};

/* A path under which unix sockets may be reached; canonical as seen inside. */
struct net_grant {
	uint32_t path; /* string */
};

struct net_publish {
	uint64_t address[2]; /* struct address: high, low */
	uint8_t family, protocol;
	uint16_t host, guest;
	uint16_t zero;
};

/* Ports that may be bound: ranges, per protocol. */
struct net_bind {
	uint8_t protocol; /* ENDPOINT_TCP or ENDPOINT_UDP */
	uint8_t zero;
	uint16_t first, last;
	uint16_t pad;
};

/* Ports below are root's (net.ipv4.ip_unprivileged_port_start, as it is unless somebody changed it). */
enum { FIRST_UNPRIVILEGED = 1024 };

enum {
	IMAGE_NET = 49,		   /* one struct net_record */
	IMAGE_ENDPOINTS = 50,	   /* struct endpoint_entry */
	IMAGE_ENDPOINT_PORTS = 51, /* struct port_range */
	IMAGE_OWN_ADDRESSES = 52,  /* struct address */
	IMAGE_NET_GRANTS = 53,	   /* struct net_grant */
	IMAGE_NET_PUBLISHED = 54,
	IMAGE_NET_BINDS = 55,
};

#endif
