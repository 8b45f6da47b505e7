/* The pieces of plan_build(), one file each; nobody outside core/plan includes this. All are pure. */
#ifndef SANDLOCK_PLAN_PARTS_H
#define SANDLOCK_PLAN_PARTS_H

#include "plan/plan.h"

struct building {
	const struct policy *policy;
	const struct host *host;
	const struct plan_request *request;
	struct arena *arena;
	struct plan *plan;
	struct error *err;
};

/* protections.c: confinement states of this host, and what is handled. */
bool plan_protections(struct building *b);
/* landlock.c: path rules, behind plan_view() because mounts need rules of their own. */
bool plan_rules(struct building *b);
/* Is anything at or below `path` readable, or anything writable? */
bool plan_grants(const struct plan *plan, const char *path);
/* network.c: who enforces the network rules, protocol by protocol. */
bool plan_network(struct building *b);
/* The same once it is known whether somebody answers: unix paths below Landlock ABI 9, the netlink stand-in. */
void plan_network_answers(struct building *b);

/* Network rules and what is found out about them. */
struct reach {
	enum endpoint_shape shape;
	bool sockets;		      /* such sockets can be made */
	bool judged;		      /* the supervisor compares destinations */
	const struct port_set *ports; /* allowed for some address */
	size_t port_count;
};
struct binding {
	const struct port_set *ports;
	size_t port_count;
	bool judged;
};
struct networking {
	struct building *b;
	bool answers; /* a supervisor can be asked */
	bool mapped;  /* ports have other numbers outside: port_remap, publish */
	struct endpoint_rule *rules;
	size_t rule_count, rule_cap, said_cap;
	size_t denials, ordered; /* of them; the rest are allows */
	struct reach tcp, udp, icmp;
	struct binding bind_tcp, bind_udp;
};
/* More rules than this cost more at the start than being asked. */
enum { LANDLOCK_PORTS = 2048, ALL_PORTS = 65536 };
/* rules.c: network.deny, rules and allow into n->rules and the table. */
bool network_rules(struct networking *n);
/* binds.c: which ports may be bound. Needs n->udp. */
bool network_binds(struct networking *n);
/* Is there a `udp` (else TCP) port that the policy lets the program bind or publishes? */
bool network_binds_any(const struct building *b, bool udp);
/* Says that `what` needs a supervisor, with its place; false. */
bool network_needs(const struct networking *n, enum option_id id, struct origin origin,
		   const char *what, const char *hint);
/* view.c: whether a view is made, by whom, and what is in it. */
bool plan_view(struct building *b);
/* process.c: limits, processors, ids, times. */
bool plan_process(struct building *b);

/* describe_net.c */
struct json;
void describe_network(const struct plan *plan, struct str *out);
void describe_network_json(const struct plan *plan, struct json *j);

/* Does `path` lie at or below `directory`? Both absolute and clean. */
bool path_beneath(const char *path, const char *directory);

#endif
