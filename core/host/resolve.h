/*
 * Host names to addresses, once, before anything is confined: hosts file and DNS as the C library does it. The only facts
 * about this host that come from the network.
 */
#ifndef SANDLOCK_HOST_RESOLVE_H
#define SANDLOCK_HOST_RESOLVE_H

#include "policy/endpoint.h"

/* The addresses of one name, in the resolver's order, both families, without duplicates. */
struct name_pin {
	const char *name;
	const struct address *addresses;
	size_t count;
};

enum { RESOLVE_DEADLINE_MS = 5000 };

/* All names at once, each on a thread of its own. A name without an address, or none within the deadline, is an error that
 * names it and its rule. Pins are in the order of `names`. */
bool resolve_names(const struct endpoint_name *names, size_t count, struct arena *arena,
		   struct name_pin *out, struct error *err);
/* Addresses of this machine's interfaces (group "host"). */
bool own_addresses(struct arena *arena, struct address **out, size_t *count, struct error *err);

#endif
