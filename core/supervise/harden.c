/*
 * The supervisor's own cage, closed before anything of the guest's is looked at: it reads what a hostile program gives it, so a bug here must not own
 * the user's account. The outer Landlock layer was taken by the launcher; here go capabilities, readability, core dumps and
 * every system call that the loop does not make.
 */
#include "supervise/session.h"

#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* What the loop, the handlers and the C library beneath them use. No exec, no new process. */
static const int allowed[] = {
	SYS_read,
	SYS_write,
	SYS_writev,
	SYS_close,
	SYS_ppoll,
	SYS_ioctl,
	SYS_waitid,
	SYS_wait4,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_futex,
	SYS_exit_group,
	SYS_exit,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_getpid,
	SYS_geteuid,
	SYS_getegid,
	SYS_gettid,
	SYS_getppid,
	SYS_getpgid,
	SYS_clock_gettime,
	SYS_getrusage,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_getsockname,
	SYS_getpeername,
	SYS_connect,
	SYS_accept4,
	SYS_bind,
	SYS_listen,
	SYS_sendto,
	SYS_sendmsg,
	SYS_sendmmsg,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_socketpair,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_eventfd2,
	SYS_getrandom,
	SYS_landlock_create_ruleset,
	SYS_fchmod,
	SYS_fstatfs,
	SYS_fchdir,
	SYS_umask,
	SYS_openat,
	SYS_getdents64,
	SYS_lseek,
	SYS_newfstatat,
	SYS_fstat,
	SYS_fcntl,
	SYS_readlinkat,
	SYS_faccessat,
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	SYS_mremap,
	SYS_memfd_create,
	SYS_ftruncate,
	SYS_sched_yield,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_membarrier,
	SYS_restart_syscall,
	SYS_rt_sigtimedwait,
	SYS_statx,
	SYS_openat2,
	SYS_uname,
#ifdef SYS_getpgrp
	SYS_getpgrp,
#endif
#ifdef SYS_poll
	SYS_poll,
	SYS_epoll_wait,
	SYS_epoll_create,
	SYS_eventfd,
#endif
#ifdef SYS_open
	SYS_open,
	SYS_readlink,
	SYS_stat,
	SYS_access,
#endif
	/* what a pthread needs and a process does not */
	SYS_timer_create,
	SYS_timer_settime,
	SYS_rt_sigsuspend,
	SYS_set_tid_address,
};

/*
 * The list as a balanced tree of ranges: the kernel evaluates a program once for every number when it is installed, and a chain of
 * comparisons would make that a seventh of the whole start.
 */
enum { NUMBERS = 512, REFUSE = 0, ALLOW = 1, CONDITIONS = 2 };

/* Allowed with certain first arguments; an answer from CONDITIONS on is an index. */
static const struct condition {
	int nr;
	uint16_t test; /* BPF_JSET or BPF_JEQ */
	uint32_t value, other;
} conditions[] = {
	{SYS_clone, BPF_JSET, CLONE_THREAD, 0}, /* the worker pool */
	{SYS_unshare, BPF_JEQ, CLONE_FS,
	 CLONE_FS}, /* a directory and a umask of its own for a worker */
	{SYS_socket, BPF_JEQ, AF_INET, AF_INET6}, /* asks whether a port is free */
};

struct range {
	uint16_t from;
	uint8_t answer;
};

struct program {
	struct sock_filter code[2 * NUMBERS];
	unsigned short len;
};

static void emit(struct program *p, struct sock_filter instruction)
{
	p->code[p->len++] = instruction;
}

static void emit_answer(struct program *p, const struct range *range)
{
	/* Anything else fails rather than kills: a C library that probes for something newer falls back. */
	const struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	if (range->answer >= CONDITIONS) {
		const struct condition *c = &conditions[range->answer - CONDITIONS];
		uint16_t jump = BPF_JMP | BPF_K | c->test;

		emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						     offsetof(struct seccomp_data, args[0])));
		emit(p, (struct sock_filter)BPF_JUMP(jump, c->value, 1, 0));
		emit(p, (struct sock_filter)BPF_JUMP(jump, c->other, 0, 1));
		emit(p, allow);
	}
	emit(p, range->answer == ALLOW ? allow : refuse);
}

static bool emit_tree(struct program *p, const struct range *ranges, size_t count)
{
	if (count == 1) {
		emit_answer(p, ranges);
		return true;
	}

	size_t half = count / 2;
	unsigned short at = p->len;

	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ranges[half].from, 0, 0));
	if (!emit_tree(p, ranges, half) || p->len - at - 1 > 255)
		return false;
	p->code[at].jt = (uint8_t)(p->len - at - 1);
	return emit_tree(p, ranges + half, count - half);
}

static bool install_filter(void)
{
	static struct program p;
	static struct range ranges[NUMBERS];
	uint8_t answers[NUMBERS] = {REFUSE};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		answers[allowed[i]] = ALLOW;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		answers[conditions[i].nr] = (uint8_t)(CONDITIONS + i);
	for (unsigned nr = 0; nr < NUMBERS; nr++)
		if (!nr || answers[nr] != answers[nr - 1])
			ranges[count++] = (struct range){(uint16_t)nr, answers[nr]};

	emit(&p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, arch)));
	emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_NATIVE, 1, 0));
	emit(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	emit(&p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, nr)));
	if (!emit_tree(&p, ranges, count))
		return false;

	const struct sock_fprog program = {.len = p.len, .filter = p.code};

	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* Root's supervisor keeps what it needs to signal and read guests that changed their ids. */
static bool drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (SYS(capget, &header, data) < 0)
		return false;
	for (unsigned half = 0; half < 2; half++) {
		data[half].permitted &= (uint32_t)(keep >> (32 * half));
		data[half].effective = data[half].permitted;
		data[half].inheritable = 0;
	}
	return SYS(capset, &header, data) == 0;
}

/* Of a guest that keeps all of root's: what is done with its rights on its behalf. */
#define FOR_THE_GUEST (BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETUID) | BIT(CAP_SETGID))

bool harden_self(const struct session *s, struct error *err)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno,
				       "the supervisor cannot protect its memory");
	/* A guest that changes its ids must still be answered and ended; the outer layer keeps both inside the sandbox. */
	uint64_t kept = s->record.flags & RECORD_DROP_CAPS ? s->record.keep_caps : FOR_THE_GUEST;
	if (!drop_capabilities(kept | BIT(CAP_KILL) | BIT(CAP_SYS_PTRACE)))
		return error_add(err, NO_ORIGIN, NULL, "the supervisor cannot drop capabilities");
	if (!install_filter())
		return error_add(err, NO_ORIGIN, NULL,
				 "the supervisor cannot install its system call filter");
	return true;
}
