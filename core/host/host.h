/*
 * What this machine can do. Probed by doing, never by version. Plain data, so that plan() can be tested for kernels that are
 * not here.
 */
#ifndef SANDLOCK_HOST_HOST_H
#define SANDLOCK_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

enum answer {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_UNKNOWN /* not tried: the launcher finds out by doing */
};

struct host {
	uint32_t audit_arch;
	int landlock_abi;   /* 0: unavailable, landlock_errno says why */
	int landlock_errno; /* ENOSYS not built, EOPNOTSUPP disabled at boot */
	uint32_t landlock_errata;
	bool seccomp_filter;
	bool seccomp_notify;
	bool filtered;	    /* a seccomp filter is in force: a container, or an outer sandbox */
	bool wait_killable; /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19 */
	bool proc_mounted;  /* /proc is a procfs */
	enum answer user_namespace; /* CLONE_NEWUSER for this user, or root */
	enum answer private_proc; /* mounting a fresh procfs in it (containers often mask /proc) */
	const char *user_namespace_reason; /* static text when the answer is NO */
	/* SO_ATTACH_FILTER without capabilities, as the supervisor has none: some kernels refuse it on TCP sockets. */
	enum answer tcp_filter, udp_filter;
	uint32_t uid, gid;
	uint64_t capabilities; /* effective */
	uint32_t cpu_count;    /* in the inherited affinity mask */
	uint64_t cpu_mask[16]; /* 1024 CPUs */
};

/* Cheap facts only (microseconds); the namespace answers stay UNKNOWN. */
void host_probe(struct host *host);
/* Tries what host_probe() leaves open and ingress rules ask for: tcp_filter, udp_filter. */
void host_probe_socket_filters(struct host *host);
/* Also tries what only `check` asks for: namespaces, procfs, pidfd_getfd and process_vm_readv on a forked child. */
struct host_details {
	int process_vm_errno, pidfd_getfd_errno; /* 0 = works */
	int user_namespace_errno, mount_proc_errno, overlay_errno;
	bool sync_wake_up, addfd_send;
	int ptrace_scope; /* -1: no Yama */
	bool cgroup_delegated;
	bool keyring;
	bool ipv6;
};
void host_probe_all(struct host *host, struct host_details *details);
/* Bits that shape compiled policies, for cache keys. */
uint64_t host_features(const struct host *host);

#endif
