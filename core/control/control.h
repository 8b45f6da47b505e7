/*
 * Running sandboxes. The registry is the kernel's own table of abstract unix sockets: a sandbox is a listening SOCK_SEQPACKET
 * socket "\0sandlock/UID/NAME" that its supervisor holds. Such a name cannot go stale, needs no file and cannot lie about whose it
 * is: the kernel says who listens (SO_PEERCRED). Names are seen within one network namespace.
 *
 * Who connects gets one packet, the state, and the end. Nothing is read from it.
 */
#ifndef SANDLOCK_CONTROL_CONTROL_H
#define SANDLOCK_CONTROL_CONTROL_H

#include "base/error.h"

#include <stdint.h>

enum {
	CONTROL_NAME_ROOM = 65, /* a name has at most 64 bytes */
	CONTROL_PORTS = 4096,	/* mapped ports in one state; more are left out */
	CONTROL_STATE_VERSION = 1,
};

/* The packet, in the byte order of the machine: this, then `port_count` ports. A later version may put more behind the fields: `size`
 * says where the ports begin. */
struct control_state {
	uint32_t version, size;
	int32_t supervisor, pid; /* as the supervisor numbers them; pid 0: not started yet */
	uint32_t port_count;
	uint32_t unused;
	uint64_t traps, denials;
};
struct control_port {
	uint16_t port, real;	  /* inside, outside */
	uint8_t protocol, unused; /* IPPROTO_TCP, IPPROTO_UDP */
};

/*
 * claim.c, for the launcher, before it takes the outer layer (a socket made later would be one that the sandbox may connect to). Claims
 * `name` for this user; NULL: "sandbox-PID", or with a random number behind it. *out is the name (in `arena`), *fd the socket (close-on-exec), or -1 where there can be
 * no registry, as in a sandbox that forbids unix sockets; for other reasons a warning says so. False: a name that was asked for is taken.
 */
bool control_claim(const char *name, struct origin origin, struct arena *arena, const char **out,
		   int *fd, struct error *err);

/* list.c: one running sandbox, as `ps` sees it. */
struct sandbox {
	char name[CONTROL_NAME_ROOM];
	int supervisor;
	int pid; /* of the program; 0: not known */
	bool answered;
	uint64_t traps, denials;
	struct control_port *ports; /* by protocol and number */
	size_t port_count;
};
int64_t control_now_ms(void); /* CLOCK_MONOTONIC */
/*
 * The sandboxes of this user, by name, in `arena`, at the latest when it is `end_ms`; asks all of them at once. *missed: how many names
 * could not be followed up. Raises the soft limit of descriptors. 0 or -errno.
 *
 * Shown is who listens as this user, once, and is not itself inside a sandbox that is shown.
 */
int control_list(struct arena *arena, int64_t end_ms, struct sandbox **out, size_t *count,
		 size_t *missed);

#endif
