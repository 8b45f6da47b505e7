/* What the two rule languages share: targets and ports. Only endpoint*.c includes it. */
#ifndef SANDLOCK_POLICY_ENDPOINT_PARTS_H
#define SANDLOCK_POLICY_ENDPOINT_PARTS_H

#include "policy/endpoint.h"

enum found {
	FOUND_NOT, /* something else: a name, a keyword */
	FOUND_BAD, /* meant so, but wrong: the complaint says how */
	FOUND,
};

/* ADDRESS or ADDRESS/PREFIX. Sets target, family, first and last. */
enum found endpoint_network(const char *text, struct endpoint_rule *out, struct complaint *c);
/* A host name as it is compared: lower case, no trailing dot. NULL after complaining. */
const char *endpoint_host(const char *text, struct arena *arena, struct complaint *c);
/* NAME, and "*.NAME": set target and name. */
bool endpoint_named(const char *name, struct arena *arena, struct endpoint_rule *out,
		    struct complaint *c);
bool endpoint_suffix(const char *name, struct arena *arena, struct endpoint_rule *out,
		     struct complaint *c);
/* The name of a group, in lower case: sets target and group. */
bool endpoint_group(const char *text, struct endpoint_rule *out);
/* A number that is more likely a port than an address ("443" is 0.0.1.187): complains. */
bool endpoint_is_port(const char *text, struct complaint *c);
/* N or LO-HI at most 65535, blanks around the numbers accepted. */
bool endpoint_ports(const char *text, size_t len, struct port_range *out, struct complaint *c);
/* Several of them from 1 on, or the word `every`: sets ports and port_count. */
bool endpoint_port_list(const char *text, const char *separator, const char *every,
			struct arena *arena, struct endpoint_rule *out, struct complaint *c);
/* The text without blanks around it. */
char *endpoint_trim(struct arena *arena, const char *text, size_t len);

#endif
