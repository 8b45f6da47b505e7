/* Who enforces which network rule: over kernels, with a supervisor and without. */
#include "plan/plan.h"

#include "host/uapi.h"
#include "planning.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define WITHOUT_SUPERVISOR(p)                                                                      \
	(p.request.wanted = PLAN_IN_PLACE, p.request.mode = IN_KERNEL, planning_build(&p))

enum {
	TCP = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP,
	UDP = LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP,
	SENDS = WHEN_TRAP_SENDTO | WHEN_TRAP_SENDMSG,
	TRAPS = SENDS | WHEN_TRAP_CONNECT | WHEN_TRAP_BIND | WHEN_TRAP_NAMES | WHEN_INGRESS |
		WHEN_TRAP_ACCEPT | WHEN_VIRTUAL_FILES,
	JUDGES = NET_JUDGE_CONNECT | NET_JUDGE_SEND | NET_JUDGE_BIND | NET_INGRESS | NET_REMAP |
		 NET_UNIX_GATE,
	CLOSED = WHEN_NO_UDP | WHEN_NO_ICMP,
};

/* ABI 3: what is strict must be given up. */
static void give_up(struct planning *p)
{
	static const char *const names[] = {"net-tcp", "fs-ioctl-dev", "signal-scope",
					    "abstract-unix-socket-scope", "unix-resolve"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		planning_add(p, OPT_allow_degraded, names[i]);
}

static uint64_t port_access(const struct planning *p, unsigned port)
{
	for (size_t i = 0; i < p->plan.port_count; i++)
		if (p->plan.ports[i].port == port)
			return p->plan.ports[i].access;
	return 0;
}

static bool may_bind(const struct planning *p, uint8_t protocol, unsigned port)
{
	for (size_t i = 0; i < p->plan.net.bind_count; i++) {
		const struct net_bind *bind = &p->plan.net.binds[i];

		if (bind->protocol == protocol && port >= bind->first && port <= bind->last)
			return true;
	}
	return false;
}

/* ---- mechanisms ---- */

/* Kernels with Landlock for TCP and unix paths and without it for UDP have ABI 9, the newest 10. */
static void test_mechanisms(void **state UNUSED)
{
	static const struct {
		int abi;
		struct pair pairs[2];
		uint32_t traps, flags; /* of TRAPS and JUDGES */
		uint64_t handled, outer;
		uint32_t closed; /* of CLOSED */
	} cases[] = {
		/* Nothing said: closed without a trap. */
		{9, {{0}}, 0, 0, TCP, TCP, CLOSED},
		{10, {{0}}, 0, 0, TCP | UDP, TCP | UDP, CLOSED},
		/* TCP: open, ports, addresses. */
		{9, {{"tcp://*", OPT_net_allow}}, 0, 0, LL_NET_BIND_TCP, LL_NET_BIND_TCP, CLOSED},
		{9, {{"tcp://*:443", OPT_net_allow}}, 0, 0, TCP, TCP, CLOSED},
		{9,
		 {{"tcp://10.0.0.1:443", OPT_net_allow}},
		 WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT,
		 TCP,
		 TCP,
		 CLOSED},
		{9,
		 {{"tcp://10.0.0.1", OPT_net_allow}},
		 WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT,
		 LL_NET_BIND_TCP,
		 LL_NET_BIND_TCP,
		 CLOSED},
		{9,
		 {{"tcp://*:443", OPT_net_allow}, {"private", OPT_net_deny}},
		 WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT,
		 TCP,
		 TCP,
		 CLOSED},
		/* Denials of ports under an open default: dearer to list than to ask. */
		{10,
		 {{"tcp://*:25", OPT_net_deny}},
		 WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT,
		 LL_NET_BIND_TCP | LL_NET_BIND_UDP,
		 LL_NET_BIND_TCP | LL_NET_BIND_UDP,
		 0},
		/* UDP. */
		{10, {{"udp://*:53", OPT_net_allow}}, 0, 0, TCP | UDP, TCP | UDP, WHEN_NO_ICMP},
		{10,
		 {{"udp://*", OPT_net_allow}},
		 0,
		 0,
		 TCP | LL_NET_BIND_UDP,
		 TCP | LL_NET_BIND_UDP,
		 WHEN_NO_ICMP},
		{10,
		 {{"udp://10.0.0.1:53", OPT_net_allow}},
		 SENDS | WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT | NET_JUDGE_SEND,
		 TCP | UDP,
		 TCP | UDP,
		 WHEN_NO_ICMP},
		{9,
		 {{"udp://*:53", OPT_net_allow}},
		 SENDS | WHEN_TRAP_CONNECT | WHEN_TRAP_BIND,
		 NET_JUDGE_CONNECT | NET_JUDGE_SEND | NET_JUDGE_BIND,
		 TCP,
		 TCP,
		 WHEN_NO_ICMP},
		{9,
		 {{"udp://*", OPT_net_allow}},
		 WHEN_TRAP_BIND,
		 NET_JUDGE_BIND,
		 TCP,
		 TCP,
		 WHEN_NO_ICMP},
		{9,
		 {{"udp://*", OPT_net_allow}, {"udp://*", OPT_net_allow_bind}},
		 0,
		 0,
		 TCP,
		 TCP,
		 WHEN_NO_ICMP},
		/* A port to receive on does not open sending. */
		{9,
		 {{"udp://5353", OPT_net_allow_bind}},
		 SENDS | WHEN_TRAP_CONNECT | WHEN_TRAP_BIND,
		 NET_JUDGE_CONNECT | NET_JUDGE_SEND | NET_JUDGE_BIND,
		 TCP,
		 TCP,
		 WHEN_NO_ICMP},
		{10,
		 {{"udp://5353", OPT_net_allow_bind}},
		 0,
		 0,
		 TCP | UDP,
		 TCP | UDP,
		 WHEN_NO_ICMP},
		/* Ping. */
		{9, {{"icmp://*", OPT_net_allow}}, 0, 0, TCP, TCP, WHEN_NO_UDP},
		{9,
		 {{"icmp://10.0.0.1", OPT_net_allow}},
		 SENDS | WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT | NET_JUDGE_SEND,
		 TCP,
		 TCP,
		 WHEN_NO_UDP},
		/* Binds. */
		{9, {{"8080", OPT_net_allow_bind}}, 0, 0, TCP, TCP, CLOSED},
		{9,
		 {{"*", OPT_net_allow_bind}},
		 0,
		 0,
		 LL_NET_CONNECT_TCP,
		 LL_NET_CONNECT_TCP,
		 CLOSED},
		{9,
		 {{"22", OPT_net_deny_bind}},
		 WHEN_TRAP_BIND,
		 NET_JUDGE_BIND,
		 TCP,
		 LL_NET_CONNECT_TCP,
		 CLOSED},
		{9,
		 {{"20-30", OPT_net_allow_bind}, {"22", OPT_net_deny_bind}},
		 0,
		 0,
		 TCP,
		 TCP,
		 CLOSED},
		/* Numbers that are others outside: the layer around the supervisor holds none of them. */
		{9,
		 {{"true", OPT_port_remap}, {"80", OPT_net_allow_bind}},
		 WHEN_TRAP_CONNECT | WHEN_TRAP_BIND | WHEN_TRAP_NAMES,
		 NET_REMAP | NET_JUDGE_CONNECT | NET_JUDGE_BIND,
		 TCP,
		 0,
		 CLOSED},
		{9,
		 {{"8080:80", OPT_publish}},
		 WHEN_TRAP_CONNECT | WHEN_TRAP_BIND | WHEN_TRAP_NAMES,
		 NET_JUDGE_CONNECT | NET_JUDGE_BIND,
		 TCP,
		 0,
		 CLOSED},
		{10,
		 {{"true", OPT_port_remap}, {"udp://*:53", OPT_net_allow}},
		 SENDS | WHEN_TRAP_CONNECT | WHEN_TRAP_BIND | WHEN_TRAP_NAMES,
		 NET_REMAP | NET_JUDGE_CONNECT | NET_JUDGE_SEND | NET_JUDGE_BIND,
		 TCP | UDP,
		 0,
		 WHEN_NO_ICMP},
		/* The rest. */
		{9,
		 {{"deny:ingress@10.0.0.1:tcp:80", OPT_net_rules}},
		 WHEN_INGRESS,
		 NET_INGRESS,
		 TCP,
		 TCP,
		 CLOSED},
		{9, {{"deny", OPT_default_ingress}}, WHEN_INGRESS, NET_INGRESS, TCP, TCP, CLOSED},
		{9, {{"10", OPT_max_connections}}, WHEN_TRAP_CONNECT, 0, TCP, TCP, CLOSED},
		{9,
		 {{"EPERM", OPT_deny_errno}},
		 WHEN_TRAP_CONNECT,
		 NET_JUDGE_CONNECT,
		 TCP,
		 TCP,
		 CLOSED},
		{9, {{"EACCES", OPT_deny_errno}}, 0, 0, TCP, TCP, CLOSED},
		/* Unix paths below ABI 9. */
		{8, {{0}}, SENDS | WHEN_TRAP_CONNECT, NET_UNIX_GATE, TCP, TCP, CLOSED},
		{8, {{"unix-resolve", OPT_allow_degraded}}, 0, 0, TCP, TCP, CLOSED},
		{8, {{"unix-resolve", OPT_disable}}, 0, 0, TCP, TCP, CLOSED},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		WITH(p, cases[i].abi, cases[i].pairs[0], cases[i].pairs[1])
		{
			if (!planning_build(&p))
				fail_msg("case %zu: no plan", i);
			const struct plan *plan = &p.plan;
			uint32_t closed = plan->features & CLOSED;

			if ((plan->features & TRAPS) != cases[i].traps)
				fail_msg("case %zu: traps %x", i, plan->features & TRAPS);
			if ((plan->net.record.flags & JUDGES) != cases[i].flags)
				fail_msg("case %zu: flags %x", i, plan->net.record.flags);
			if (plan->handled_net != cases[i].handled)
				fail_msg("case %zu: handled %llx", i,
					 (unsigned long long)plan->handled_net);
			if (plan->outer_net != cases[i].outer)
				fail_msg("case %zu: outer %llx", i,
					 (unsigned long long)plan->outer_net);
			if (closed != cases[i].closed)
				fail_msg("case %zu: closed %x", i, closed);
			assert_true(plan->listener);
			assert_true(plan->features & WHEN_NETLINK);
			assert_int_equal(plan->mode, PLAN_SUPERVISE);
		}
}

static void test_ports_of_landlock(void **state UNUSED)
{
	WITH(p, 10, {"tcp://*:80,443", OPT_net_allow}, {"tcp://10.0.0.1:22", OPT_net_allow},
	     {"udp://*:53", OPT_net_allow}, {"udp://500", OPT_net_allow_bind},
	     {"443", OPT_net_allow_bind})
	{
		assert_true(planning_build(&p));
		/* Beside the supervisor: every port that some address may be reached on. */
		assert_int_equal(port_access(&p, 22), LL_NET_CONNECT_TCP);
		assert_int_equal(port_access(&p, 80), LL_NET_CONNECT_TCP);
		assert_int_equal(port_access(&p, 443), LL_NET_CONNECT_TCP | LL_NET_BIND_TCP);
		assert_int_equal(port_access(&p, 53), LL_NET_CONNECT_SEND_UDP);
		assert_int_equal(port_access(&p, 500), LL_NET_BIND_UDP);
		/* A free port for what may be sent. */
		assert_int_equal(port_access(&p, 0), LL_NET_BIND_UDP);
		assert_int_equal(p.plan.port_count, 6);
	}
	/* What the supervisor binds needs no rule: the program itself may bind nothing. */
	WITH(p, 9, {"true", OPT_port_remap}, {"80", OPT_net_allow_bind})
	{
		assert_true(planning_build(&p));
		assert_int_equal(port_access(&p, 80), 0);
		assert_true(may_bind(&p, ENDPOINT_TCP, 80));
	}
	/* A long list is dearer than being asked, but without a supervisor it is all there is. */
	WITH(p, 9, {"tcp://*:1024-65535", OPT_net_allow})
	{
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.port_count, 0);
		assert_true(p.plan.features & WHEN_TRAP_CONNECT);
	}
	WITH(p, 9, {"tcp://*:1024-65535", OPT_net_allow})
	{
		assert_true(WITHOUT_SUPERVISOR(p));
		assert_int_equal(p.plan.port_count, 64512);
	}
}

static void test_binds(void **state UNUSED)
{
	WITH(p, 9, {"20-30", OPT_net_allow_bind}, {"22", OPT_net_deny_bind},
	     {"udp://53", OPT_net_allow_bind}, {"udp://10.0.0.1", OPT_net_allow},
	     {"8080:80", OPT_publish}, {"127.0.0.2:99:77/udp", OPT_publish})
	{
		assert_true(planning_build(&p));
		assert_true(may_bind(&p, ENDPOINT_TCP, 21));
		assert_false(may_bind(&p, ENDPOINT_TCP, 22));
		assert_true(may_bind(&p, ENDPOINT_TCP, 30));
		assert_false(may_bind(&p, ENDPOINT_TCP, 31));
		assert_false(may_bind(&p, ENDPOINT_TCP, 0));
		assert_false(may_bind(&p, ENDPOINT_TCP, 53));
		assert_true(may_bind(&p, ENDPOINT_TCP, 80));
		assert_false(may_bind(&p, ENDPOINT_TCP, 8080));
		assert_true(may_bind(&p, ENDPOINT_UDP, 53));
		assert_true(may_bind(&p, ENDPOINT_UDP, 0));
		assert_true(may_bind(&p, ENDPOINT_UDP, 77));
		assert_false(may_bind(&p, ENDPOINT_UDP, 22));
		assert_int_equal(p.plan.net.published_count, 2);
		assert_int_equal(p.plan.net.published[0].host, 8080);
		assert_int_equal(p.plan.net.published[0].guest, 80);
		assert_int_equal(p.plan.net.published[1].protocol, ENDPOINT_UDP);
	}
	/* Denials of TCP alone open TCP, not UDP. */
	WITH(p, 9, {"22", OPT_net_deny_bind})
	{
		assert_true(planning_build(&p));
		assert_true(may_bind(&p, ENDPOINT_TCP, 0));
		assert_true(may_bind(&p, ENDPOINT_TCP, 65535));
		assert_false(may_bind(&p, ENDPOINT_TCP, 22));
		assert_false(may_bind(&p, ENDPOINT_UDP, 1));
		assert_false(p.plan.features & WHEN_NO_BIND_PORTS);
	}
}

/* ---- hosts that refuse socket filters ---- */

static void test_socket_filters(void **state UNUSED)
{
	static const struct {
		int abi;
		struct pair pair[3];
		bool tcp, udp;	     /* somebody must be kept away */
		const char *refused; /* the option that is named without filters on UDP sockets */
	} cases[] = {
		{9, {{"deny", OPT_default_ingress}}, true, false, NULL},
		{9, {{"deny:ingress@10.0.0.1:tcp:80", OPT_net_rules}}, true, false, NULL},
		{9, {{"deny:ingress@10.0.0.1:udp", OPT_net_rules}}, false, false, NULL},
		/* UDP sockets, none of which has a port that others know. */
		{9, {{"udp://*", OPT_net_allow}, {"deny", OPT_default_ingress}}, true, false, NULL},
		{10,
		 {{"udp://*", OPT_net_allow}, {"deny", OPT_default_ingress}},
		 true,
		 false,
		 NULL},
		/* A port that others know, and everybody may send there. */
		{9,
		 {{"udp://53", OPT_net_allow_bind}, {"deny:ingress@any:tcp", OPT_net_rules}},
		 true,
		 false,
		 NULL},
		{9,
		 {{"udp://53", OPT_net_allow_bind},
		  {"allow:ingress@any:udp", OPT_net_rules},
		  {"deny", OPT_default_ingress}},
		 true,
		 false,
		 NULL},
		{9,
		 {{"udp://53", OPT_net_allow_bind}, {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
		{10,
		 {{"udp://53", OPT_net_allow_bind},
		  {"allow:ingress@10.0.0.1", OPT_net_rules},
		  {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
		{10,
		 {{"udp://53", OPT_net_allow_bind}, {"deny", OPT_net_default}},
		 true,
		 true,
		 "network.default"},
		{10,
		 {{"udp://53", OPT_net_allow_bind}, {"deny:ingress@10.0.0.1:udp", OPT_net_rules}},
		 false,
		 true,
		 "network.rules"},
		{9,
		 {{"53:53/udp", OPT_publish}, {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
		{9,
		 {{"udp://*", OPT_net_allow},
		  {"udp://53", OPT_net_deny_bind},
		  {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
		{9,
		 {{"udp://*", OPT_net_allow},
		  {"udp://*", OPT_net_allow_bind},
		  {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
		/* Nobody checks binds. */
		{10,
		 {{"udp://*", OPT_net_allow},
		  {"net-udp", OPT_disable},
		  {"deny", OPT_default_ingress}},
		 true,
		 true,
		 "default_ingress"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned host = 0; host < 4; host++)
			WITH(p, cases[i].abi, cases[i].pair[0])
			{
				bool tcp_filter = host & 1, udp_filter = host & 2;

				for (size_t k = 1; k < 3 && cases[i].pair[k].text; k++)
					planning_add(&p, cases[i].pair[k].id,
						     cases[i].pair[k].text);
				p.host.tcp_filter = tcp_filter ? ANSWER_YES : ANSWER_NO;
				p.host.udp_filter = udp_filter ? ANSWER_YES : ANSWER_NO;
				bool ok = planning_build(&p);
				bool filter = (cases[i].tcp && tcp_filter) || cases[i].udp;
				bool accept = cases[i].tcp && !tcp_filter;

				if (ok != (udp_filter || !cases[i].udp))
					fail_msg("case %zu, host %u", i, host);
				if (!ok) {
					assert_int_equal(p.err.errors, 1);
					assert_non_null(
						strstr(p.err.list[0].key, cases[i].refused));
					assert_true(planning_said(
						&p, "this host refuses socket filters to "
						    "unprivileged programs"));
					continue;
				}
				/* A filter where something listens, or a look at who is accepted. */
				if (((p.plan.features & WHEN_INGRESS) != 0) != filter ||
				    ((p.plan.net.record.flags & NET_INGRESS) != 0) != filter)
					fail_msg("case %zu, host %u: filter", i, host);
				if (((p.plan.features & WHEN_TRAP_ACCEPT) != 0) != accept ||
				    ((p.plan.net.record.flags & NET_JUDGE_ACCEPT) != 0) != accept)
					fail_msg("case %zu, host %u: accept", i, host);
				assert_int_equal(filter_handler(p.plan.features, SYS_accept4),
						 accept ? HANDLER_accept : HANDLER_NONE);
			}
	/* The place of the rule that cannot be kept, not of the first one. */
	WITH(p, 9, {"udp://53", OPT_net_allow_bind})
	{
		p.host.udp_filter = ANSWER_NO;
		planning_add_at(&p, OPT_net_rules, "deny:ingress@10.0.0.1:tcp", "p.yaml", 7);
		planning_add_at(&p, OPT_net_rules, "allow:ingress@10.0.0.1:udp", "p.yaml", 8);
		planning_add_at(&p, OPT_net_rules, "deny:ingress@private:udp", "p.yaml", 9);
		assert_false(planning_build(&p));
		assert_int_equal(p.err.list[0].origin.line, 9);
	}
	/* Not tried: the supervisor finds out. */
	WITH(p, 9, {"deny", OPT_default_ingress}, {"udp://53", OPT_net_allow_bind})
	{
		p.host.tcp_filter = p.host.udp_filter = ANSWER_UNKNOWN;
		assert_true(planning_build(&p));
		assert_true(p.plan.features & WHEN_INGRESS);
		assert_false(p.plan.features & WHEN_TRAP_ACCEPT);
	}
	/* Nothing about peers: nothing of this. */
	WITH(p, 9, {"8080", OPT_net_allow_bind})
	{
		p.host.tcp_filter = p.host.udp_filter = ANSWER_NO;
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.features & TRAPS, 0);
	}
	/* Nobody to judge: the rule is named, once. */
	WITH(p, 10, {"deny:ingress@private", OPT_net_rules})
	{
		p.host.tcp_filter = p.host.udp_filter = ANSWER_NO;
		assert_false(WITHOUT_SUPERVISOR(p));
		assert_int_equal(p.err.errors, 1);
	}
}

/* ---- without a supervisor ---- */

static void test_without_supervisor(void **state UNUSED)
{
	static const struct {
		int abi;
		struct pair pair;
		bool ok;
		const char *said;
	} cases[] = {
		{7, {"tcp://*:443", OPT_net_allow}, true, NULL},
		{7, {"tcp://*", OPT_net_allow}, true, NULL},
		{7, {"443", OPT_net_allow_bind}, true, NULL},
		{7, {"icmp://*", OPT_net_allow}, true, NULL},
		{10, {"udp://*:53", OPT_net_allow}, true, NULL},
		{10, {"*:53", OPT_net_allow}, true, NULL},
		{9, {"udp://*:53", OPT_net_allow}, false, "udp://*:53"},
		{9, {":53", OPT_net_allow}, false, "tcp://*:PORTS"},
		{9, {"udp://*", OPT_net_allow}, false, "udp://*"},
		{10, {"tcp://10.0.0.1:443", OPT_net_allow}, false, "tcp://10.0.0.1:443"},
		{10, {"10.0.0.0/8", OPT_net_deny}, false, "10.0.0.0/8"},
		{10, {"icmp://10.0.0.1", OPT_net_allow}, false, "icmp://10.0.0.1"},
		{10, {"true", OPT_port_remap}, false, "port_remap"},
		{10, {"false", OPT_port_remap}, true, NULL},
		{10, {"80:80", OPT_publish}, false, "publish"},
		{10, {"7", OPT_max_connections}, false, "max_connections"},
		{10, {"deny", OPT_default_ingress}, false, "incoming connections"},
		{10, {"deny:ingress@private", OPT_net_rules}, false, "deny:ingress@private"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		WITH(p, cases[i].abi, cases[i].pair)
		{
			if (WITHOUT_SUPERVISOR(p) != cases[i].ok)
				fail_msg("case %zu", i);
			if (!cases[i].ok) {
				if (!planning_said(&p, cases[i].said))
					fail_msg("case %zu: %s", i, p.err.list[0].message);
				continue;
			}
			assert_false(p.plan.listener);
			assert_false(p.plan.features & (TRAPS | WHEN_NETLINK));
			assert_true(p.plan.features & WHEN_NO_NETLINK);
			assert_int_equal(p.plan.net.record.flags & JUDGES, 0);
		}
	/* A kernel without notifications. */
	WITH(p, 10, {"tcp://10.0.0.1:443", OPT_net_allow})
	{
		p.host.seccomp_notify = false;
		assert_false(planning_build(&p));
		assert_true(planning_said(&p, "this kernel does not support"));
	}
	WITH(p, 8, {"tcp://*:443", OPT_net_allow})
	{
		p.host.seccomp_notify = false;
		assert_true(planning_build(&p));
		assert_true(p.plan.features & WHEN_NO_NETLINK);
	}
	/* Every rule is named, with its place. */
	WITH(p, 9, {"tcp://*:443", OPT_net_allow}, {"10.0.0.1", OPT_net_allow})
	{
		planning_add_at(&p, OPT_net_allow, "tcp://10.0.0.2", "p.yaml", 7);
		assert_false(WITHOUT_SUPERVISOR(p));
		assert_int_equal(p.err.errors, 2);
		assert_int_equal(p.err.list[1].origin.line, 7);
	}
}

/* ---- kernels that cannot check TCP ---- */

static void test_degraded(void **state UNUSED)
{
	WITH(p, 3, {"tcp://*:443", OPT_net_allow})
	{ /* the supervisor stands in */
		give_up(&p);
		assert_true(planning_build(&p));
		assert_int_equal(p.plan.handled_net, 0);
		assert_int_equal(p.plan.net.record.flags & (NET_JUDGE_CONNECT | NET_JUDGE_BIND),
				 NET_JUDGE_CONNECT | NET_JUDGE_BIND);
	}
	WITH(p, 3, {"tcp://*:443", OPT_net_allow})
	{ /* nobody: what was accepted */
		give_up(&p);
		assert_true(WITHOUT_SUPERVISOR(p));
		assert_int_equal(p.plan.port_count, 0);
	}
	WITH(p, 3, {0})
	{
		give_up(&p);
		assert_true(planning_build(&p));
		assert_true(p.plan.features & WHEN_NO_INET);
	}
	WITH(p, 9, {"net-tcp", OPT_disable})
	{ /* switched off: as if it were not there */
		assert_true(planning_build(&p));
		assert_false(p.plan.features & (WHEN_TRAP_CONNECT | WHEN_TRAP_BIND | WHEN_NO_INET));
	}
	WITH(p, 9, {"net-tcp", OPT_disable}, {"tcp://10.0.0.1", OPT_net_allow})
	{
		assert_true(planning_build(&p));
		assert_true(p.plan.features & WHEN_TRAP_CONNECT);
	}
	WITH(p, 8, {"true", OPT_no_net})
	{
		assert_true(planning_build(&p));
		assert_true(p.plan.features & WHEN_NO_INET);
		assert_true(p.plan.features & WHEN_NETLINK);
		assert_int_equal(p.plan.net.record.flags & JUDGES, NET_UNIX_GATE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mechanisms), cmocka_unit_test(test_ports_of_landlock),
		cmocka_unit_test(test_binds),	   cmocka_unit_test(test_without_supervisor),
		cmocka_unit_test(test_degraded),   cmocka_unit_test(test_socket_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
