/*
 * The supervisor's own cage, closed once the guest exists: it reads what a hostile program gives it, so a bug here must not own
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
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* What the loop, the handlers and the C library beneath them use. No exec, no new process, no socket of its own. */
static const int allowed[] = {
	SYS_read,	   SYS_write,	    SYS_writev,	       SYS_close,
	SYS_ppoll,	   SYS_ioctl,	    SYS_waitid,	       SYS_wait4,
	SYS_kill,	   SYS_tkill,	    SYS_tgkill,	       SYS_futex,	 SYS_exit_group,
	SYS_exit,	   SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_getpid,	   SYS_gettid,	    SYS_getppid,       SYS_getpgid,
	SYS_clock_gettime, SYS_getrusage,   SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_pidfd_open,	   SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_getsockopt,
	SYS_getsockname,   SYS_listen,	    SYS_openat,	       SYS_getdents64,
	SYS_lseek,	   SYS_newfstatat,  SYS_fstat,	       SYS_fcntl,
	SYS_readlinkat,	   SYS_faccessat,   SYS_mmap,	    SYS_munmap,	       SYS_mprotect,	 SYS_madvise,
	SYS_brk,	   SYS_mremap,	    SYS_memfd_create,  SYS_ftruncate,
	SYS_sched_yield,   SYS_nanosleep,   SYS_clock_nanosleep, SYS_set_robust_list,
	SYS_rseq,	   SYS_membarrier,  SYS_restart_syscall, SYS_rt_sigtimedwait,
	SYS_statx,	   SYS_openat2,	    SYS_uname,
#ifdef SYS_getpgrp
	SYS_getpgrp,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_open
	SYS_open,	   SYS_readlink,    SYS_stat,	       SYS_access,
#endif
	/* what a pthread needs and a process does not */
	SYS_rt_sigsuspend, SYS_set_tid_address,
};

static bool install_filter(void)
{
	enum { FIXED = 12 };
	struct sock_filter f[FIXED + 2 * ARRAY_LEN(allowed)];
	unsigned short n = 0;

#define EMIT(...) f[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(member) EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member)))
#define RETURN(value) EMIT(BPF_STMT(BPF_RET | BPF_K, (value)))
	LOAD(arch);
	EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_NATIVE, 1, 0));
	RETURN(SECCOMP_RET_KILL_PROCESS);
	LOAD(nr);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1));
		RETURN(SECCOMP_RET_ALLOW);
	}
	/* clone() of threads alone, for the worker pool. */
	EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
	LOAD(args[0]);
	EMIT(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10000 /* CLONE_THREAD */, 0, 1));
	RETURN(SECCOMP_RET_ALLOW);
	/* Anything else fails rather than kills: a C library that probes for something newer falls back. */
	RETURN(SECCOMP_RET_ERRNO | ENOSYS);
#undef RETURN
#undef LOAD
#undef EMIT
	const struct sock_fprog program = {.len = n, .filter = f};

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

bool harden_self(const struct session *s, struct error *err)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno,
				       "the supervisor cannot protect its memory");
	if (!drop_capabilities(s->record.keep_caps))
		return error_add(err, NO_ORIGIN, NULL, "the supervisor cannot drop capabilities");
	if (!install_filter())
		return error_add(err, NO_ORIGIN, NULL,
				 "the supervisor cannot install its system call filter");
	return true;
}
