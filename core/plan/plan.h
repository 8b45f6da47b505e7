/*
 * How this host enforces a policy. Made by pure functions from a policy, host facts and the invocation: no system call here,
 * so every kernel can be planned for on any kernel, and a plan can be printed. Paths are names; launch/ opens them.
 */
#ifndef SANDLOCK_PLAN_PLAN_H
#define SANDLOCK_PLAN_PLAN_H

#include "host/host.h"
#include "plan/endpoints.h"
#include "plan/net_record.h"
#include "policy/policy.h"

#include <linux/filter.h>
#include <sys/resource.h>

/* Who stays after the program has started. */
enum plan_mode {
	PLAN_IN_PLACE, /* nobody: the launcher confines itself and execs */
	PLAN_SUPERVISE, /* the supervisor: waits, ends descendants, and answers traps when plan.listener is set */
	PLAN_PRELOAD, /* the preload library applies it in a running process */
};

/* Conditions of syscalls.def rows (column `when`). A row is active when all its bits are set here. */
enum plan_feature {
	WHEN_ALWAYS = 0,
	WHEN_LISTENER = 1 << 0, /* a supervisor answers */
	WHEN_NO_LISTENER = 1 << 1,
	WHEN_NO_SYSV = 1 << 2, /* sysv_ipc not granted */
	WHEN_STRICT = 1 << 3, /* not --nestable: the rows an inner sandbox would need stay denied */
	WHEN_NO_UDP = 1 << 4,
	WHEN_BIND_RULES =
		1 << 5, /* TCP bind is restricted, so listen() without bind must not autobind */
	WHEN_SHARED_PIDS = 1 << 6, /* no PID namespace: outsiders can be named */
	WHEN_NO_SIGNAL_SCOPE =
		1
		<< 7, /* Landlock cannot confine signals here (ABI < 6) and they were not disabled */
	WHEN_PROCESS_LIMIT = 1 << 8,
	WHEN_HOSTNAME = 1 << 9,		/* virtual host name without a UTS namespace */
	WHEN_ERRNO_KERNEL = 1 << 10,	/* graceful errnos (ENOSYS, EPROTONOSUPPORT) */
	WHEN_ERRNO_REFERENCE = 1 << 11, /* errno_compat: reference: EPERM instead */
	WHEN_CLOSED_UNKNOWN = 1 << 12,	/* numbers newer than the table: ENOSYS */
	WHEN_NO_NETLINK = 1 << 13,
	WHEN_METADATA_CLOSED =
		1 << 14, /* nothing is writable: chmod, chown, xattr... are denied for good */
	WHEN_NO_INET = 1 << 15,	      /* --no-net: no INET or INET6 socket at all */
	WHEN_NO_INET6 = 1 << 16,      /* --no-ipv6 */
	WHEN_NO_BIND_PORTS = 1 << 17, /* not one TCP port may be bound */
	WHEN_HOSTNAME_FILES =
		1 << 18, /* files that show the host name are readable, so opens are trapped too */
	WHEN_TRAP_CONNECT =
		1 << 19, /* destinations or unix paths that only the supervisor can judge */
	WHEN_TRAP_SENDTO = 1 << 20,  /* with an address */
	WHEN_TRAP_SENDMSG = 1 << 21, /* the address is in memory: every sendmsg and sendmmsg */
	WHEN_TRAP_BIND = 1 << 22,
	WHEN_TRAP_NAMES = 1 << 23, /* getsockname, getpeername: ports have other numbers outside */
	WHEN_NETLINK = 1 << 24,	   /* NETLINK_ROUTE is answered by the supervisor */
	WHEN_NO_ICMP = 1 << 25,	   /* no ping sockets */
	WHEN_VIRTUAL_FILES = 1 << 26, /* /etc/hosts or /proc/net are served by the supervisor */
	WHEN_NO_MULTICAST = 1 << 27,
	WHEN_INGRESS = 1 << 28, /* peers are filtered when a socket listens */
	WHEN_TRAP_ACCEPT =
		1
		<< 29, /* no filters on TCP sockets here: peers are judged when they are accepted */
};

enum rule_flag {
	RULE_OPTIONAL = 1 << 0, /* a missing path is skipped */
	RULE_OWN = 1 << 1,	/* ours, not the user's: default devices; skipped when missing */
};

struct plan_rule {
	const char *path;
	uint64_t access; /* LL_* bits before masking for directories and ABI */
	uint32_t flags;
	struct origin origin;
};

struct plan_port {
	uint16_t port;
	uint64_t access; /* LL_NET_* */
};

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS, MOUNT_FILE };
struct plan_mount {
	enum mount_kind kind;
	const char *target;  /* absolute path inside */
	const char *source;  /* host path for binds */
	const char *content; /* text of a MOUNT_FILE; a missing target is skipped */
	uint64_t size;	     /* tmpfs bytes, 0 = kernel default */
	uint32_t mode;	     /* tmpfs root mode, 01777 by default */
	uint32_t flags;	     /* ITEM_READ_ONLY, ITEM_NOEXEC, ITEM_OPTIONAL */
	bool implied;	     /* shows a grant below a tmpfs: gives no rights of its own */
	struct origin origin;
};

struct plan_view {
	bool wanted;
	bool required;	      /* --view private, or something only a view can give: no fallback */
	bool private_proc;    /* mount a fresh /proc */
	bool user_namespace;  /* false only for root that keeps its own (never by default) */
	const char *hostname; /* UTS namespace when not NULL */
	uint32_t inside_uid, inside_gid;
	bool map_all; /* root: map every id onto itself; else the single id above */
	struct plan_mount *mounts;
	size_t mount_count;
	struct origin origin; /* of the option that asked first */
};

struct plan_rlimit {
	int resource;	     /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY = UINT64_MAX */
	struct origin origin;
};

enum capability_mode { CAPS_FILES, CAPS_NONE, CAPS_KEEP };
enum descendants_mode { DESCENDANTS_KILL, DESCENDANTS_WAIT, DESCENDANTS_LEAVE };

/* Protection states after looking at the host (confinement 2.7). */
enum protection_id {
	PROTECT_FS_REFER,
	PROTECT_FS_TRUNCATE,
	PROTECT_NET_TCP,
	PROTECT_FS_IOCTL_DEV,
	PROTECT_SIGNAL_SCOPE,
	PROTECT_ABSTRACT_SCOPE,
	PROTECT_UNIX_RESOLVE,
	PROTECT_NET_UDP,
	PROTECT_ALL_THREADS,
	PROTECT_AUDIT_MUTE,
	PROTECT_COUNT
};
enum protection_state { PROTECTION_ACTIVE, PROTECTION_DEGRADED, PROTECTION_DISABLED };
struct protection {
	const char *name; /* "fs-refer" */
	int abi;
	bool strict_by_default; /* the reference's six */
};
extern const struct protection protections[PROTECT_COUNT];

/* A network rule as it was written, for messages. */
struct plan_net_rule {
	const char *text;
	struct origin origin;
};

/* What the supervisor needs for the network. */
struct plan_net {
	struct net_record record;
	struct endpoint_table table;
	struct plan_net_rule *rules; /* endpoint_entry.rule is an index */
	size_t rule_count;
	const char **grants; /* paths whose unix sockets may be reached */
	size_t grant_count;
	struct net_publish *published;
	size_t published_count;
	struct net_bind *binds;
	size_t bind_count;
	const char *hosts; /* synthetic /etc/hosts, or NULL */
};

struct plan {
	enum plan_mode mode;
	bool listener;	   /* the filter has notify verdicts */
	uint32_t features; /* enum plan_feature */
	struct plan_view view;

	/* Landlock */
	uint64_t handled_fs, handled_net, scoped;
	uint64_t
		outer_net; /* of handled_net: what the layer around supervisor and program holds too */
	uint32_t restrict_flags;
	enum protection_state protection[PROTECT_COUNT];
	struct plan_rule *rules; /* sorted by path, duplicates and implied rules merged */
	size_t rule_count;
	struct plan_port *ports;
	size_t port_count;

	/* seccomp */
	const struct sock_filter *filter;
	size_t filter_len;

	/* process state, in the order of the child sequence */
	struct plan_rlimit *rlimits; /* NOFILE is applied last */
	size_t rlimit_count;
	uint64_t cpu_mask[16];
	bool has_cpu_mask;
	bool no_aslr, no_thp, no_core;
	enum capability_mode capabilities;
	const char *cwd; /* NULL: inherit */

	struct plan_net net;

	/* supervision */
	uint32_t max_processes; /* 0 = no limit */
	const char *hostname;	/* virtual host name by traps (view.hostname is NULL then) */
	enum descendants_mode descendants;
	uint64_t timeout_ns, max_duration_ns, kill_after_ns; /* 0 = none */
	struct origin timeout_origin;
};

/* A mount over itself that keeps a path from being renamed, and from being written when read_only. */
struct plan_shield {
	const char *path;
	bool read_only;
	struct origin origin; /* the grant that reaches it */
};

/* What the caller brings besides the policy. */
struct plan_request {
	enum plan_mode
		wanted; /* PLAN_SUPERVISE for run; IN_PLACE for confine and --no-supervisor; PRELOAD */
	unsigned mode; /* enum option_mode, for messages */
	const char *cwd;
	const struct plan_shield *shields;
	size_t shield_count;
	bool linked_grants; /* something is granted for writing by a path with links in it */
	/* Facts for network rules (host/resolve.h). */
	const struct name_pin *pins;
	size_t pin_count;
	const struct address *own;
	size_t own_count;
};

/* Decides everything. Diagnostics carry the origin of the option that cannot be enforced. All memory is in `arena`. */
bool plan_build(const struct policy *policy, const struct host *host,
		const struct plan_request *request, struct arena *arena, struct plan *out,
		struct error *err);

/* landlock.c */
uint64_t landlock_fs_mask(int abi);
uint64_t landlock_net_mask(int abi);
uint64_t landlock_scope_mask(int abi);
#define LANDLOCK_KNOWN_ABI 10

/* filter.c: syscalls.def + features -> BPF. `deny` are extra syscall numbers (EPERM). Fails only when the program would
 * pass the kernel's 4096 instructions. */
bool filter_compile(uint32_t features, uint32_t audit_arch, const int *deny, size_t deny_count,
		    struct arena *arena, const struct sock_filter **out, size_t *len,
		    struct error *err);
/* bpf_run.c: what the kernel would answer (tests, cache loading, `policy explain`). `data` as struct seccomp_data. */
struct seccomp_data;
uint32_t bpf_run(const struct sock_filter *filter, size_t len, const struct seccomp_data *data,
		 bool *bad);
/* Numbers of this architecture. -1 when unknown. */
int syscall_number(const char *name);
const char *syscall_name(int nr);
/* Group members of the syscall tables; false when there is no such group. */
bool syscall_group(const char *name, const char *const **members, size_t *count);

/* Which handler answers a trapped call: index into the dispatch table that supervise/ builds from the same rows. */
enum handler_id {
	HANDLER_NONE,
	HANDLER_clone_process, /* limits/processes.c */
	HANDLER_own_task,      /* supervise/own_task.c: the target pid must be in the sandbox */
	HANDLER_listen,	       /* net/listen.c: no listen() on an unbound inet socket */
	HANDLER_uname,	       /* proc/hostname.c */
	HANDLER_open_hostname, /* proc/hostname.c */
	HANDLER_signal,	       /* supervise/own_task.c: kill family below Landlock ABI 6 */
	HANDLER_connect,       /* net/connect.c */
	HANDLER_send,	       /* net/send.c: sendto, sendmsg, sendmmsg */
	HANDLER_bind,	       /* net/bind.c */
	HANDLER_socket,	       /* net/netlink.c: AF_NETLINK */
	HANDLER_socket_name,   /* net/names.c: getsockname, getpeername */
	HANDLER_netlink,       /* net/netlink.c: calls on a descriptor of the stand-in's range */
	HANDLER_accept,	       /* net/accept.c: accept, accept4 */
	HANDLER_landlock,      /* net/layers.c: landlock_create_ruleset */
	HANDLER_COUNT
};
/* The handler of a trapped number under these features, HANDLER_NONE when no row is active. Of several rows the first: the one for
 * the descriptors of the stand-in, whose handler hands on what is not its own. */
enum handler_id filter_handler(uint32_t features, int nr);

/* verdict.c: who decides about a protocol, and what the answer would be. */
enum mechanism { MECHANISM_NOTHING, MECHANISM_NO_SOCKET, MECHANISM_LANDLOCK, MECHANISM_SUPERVISOR };
struct plan_answer {
	bool allow;
	enum mechanism mechanism;
	const struct plan_net_rule *rule; /* NULL: the default */
};
/* `protocol`: one of enum endpoint_protocol. */
enum mechanism plan_connect_mechanism(const struct plan *plan, uint8_t protocol);
enum mechanism plan_bind_mechanism(const struct plan *plan, uint8_t protocol);
const char *mechanism_name(enum mechanism mechanism);
struct plan_answer plan_judge_connect(const struct plan *plan, struct endpoint to);
struct plan_answer plan_judge_bind(const struct plan *plan, uint8_t protocol, uint16_t port);

/* Text of a plan for `run --explain` and `policy show`. */
struct json;
void plan_describe(const struct plan *plan, struct str *out);
void plan_describe_json(const struct plan *plan, struct json *j);

#endif
