/*
 * The child side between fork and exec; also what the preload library does in its constructor. Raw system calls on memory
 * that was prepared before the fork. Must never allocate, call libc, or touch TLS: the memory may be shared with a running
 * parent.
 */
#include "launch/child.h"

#include "base/compiler.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/resource.h>

/* Newer than the oldest headers we build with. */
enum { CLOSE_RANGE_UNSHARE_FLAG = 1 << 1 };
enum { ADDR_NO_RANDOMIZE_FLAG = 0x0040000 };
enum { CLONE_FILES_FLAG = 0x400 };

static int fail(struct child_failure *failure, enum child_step step, long result, uint32_t index)
{
	failure->error = (int32_t)-result;
	failure->index = (int32_t)index;
	failure->step = (int32_t)step;
	return (int)result;
}

static long set_rlimit(const struct child_rlimit *limit)
{
	uint64_t value[2] = {limit->soft, limit->hard};

	return SYS(prlimit64, 0, limit->resource, value, 0);
}

/*
 * Clears every capability that is not kept from the bounding, ambient, inheritable, permitted and effective sets. The bounding
 * set comes first: dropping from it needs CAP_SETPCAP.
 */
static long drop_capabilities(uint64_t keep)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (keep & BIT(cap))
			continue;
		/* EINVAL: past the last capability this kernel knows. */
		long r = SYS(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL)
			break;
		if (r ==
		    -EPERM) /* no CAP_SETPCAP: nothing to gain from the bounding set under NNP */
			break;
		if (r < 0)
			return r;
	}

	long r = SYS(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (r < 0 && r != -EINVAL) /* EINVAL: before Linux 4.3 */
		return r;

	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	r = SYS(capget, &header, data);
	if (r < 0)
		return r;
	for (unsigned half = 0; half < 2; half++) {
		uint32_t mask = (uint32_t)(keep >> (32 * half));

		data[half].permitted &= mask;
		data[half].effective = data[half].permitted;
		data[half].inheritable = 0;
	}
	return SYS(capset, &header, data);
}

int child_confine(const struct child_confine *c, struct child_failure *failure)
{
	long r;

	if (c->no_aslr) {
		r = SYS(personality, 0xffffffff);
		if (r >= 0)
			r = SYS(personality, r | ADDR_NO_RANDOMIZE_FLAG);
		if (r < 0)
			return fail(failure, STEP_PERSONALITY, r, 0);
	}
	if (c->cpu_mask) {
		r = SYS(sched_setaffinity, 0, c->cpu_mask_bytes, c->cpu_mask);
		if (r < 0)
			return fail(failure, STEP_AFFINITY, r, 0);
	}
	if (c->no_thp) {
		r = SYS(prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
		if (r < 0)
			return fail(failure, STEP_THP, r, 0);
	}
	if (c->no_core) {
		/* 1 and not 0: a pipe in core_pattern ignores 0, and its handler would run outside as root. */
		const struct child_rlimit core = {.resource = RLIMIT_CORE, .soft = 1, .hard = 1};

		r = set_rlimit(&core);
		if (r == -EPERM) { /* the hard limit is 0 already: lower than asked */
			const struct child_rlimit zero = {.resource = RLIMIT_CORE};
			r = set_rlimit(&zero);
		}
		if (r < 0)
			return fail(failure, STEP_CORE, r, 0);
	}
	for (uint32_t i = 0; i < c->rlimit_count; i++) {
		r = set_rlimit(&c->rlimits[i]);
		if (r < 0)
			return fail(failure, STEP_RLIMIT, r, i);
	}
	if (c->cwd_fd >= 0 || c->cwd) {
		r = c->cwd_fd >= 0 ? SYS(fchdir, c->cwd_fd) : SYS(chdir, c->cwd);
		if (r < 0 && c->cwd_fallback)
			r = SYS(chdir, "/");
		if (r < 0)
			return fail(failure, STEP_CWD, r, 0);
	}
	if (c->drop_caps) {
		r = drop_capabilities(c->keep_caps);
		if (r < 0)
			return fail(failure, STEP_CAPABILITIES, r, 0);
	}
	r = SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (r < 0)
		return fail(failure, STEP_NO_NEW_PRIVS, r, 0);
	if (c->ruleset_fd >= 0) {
		r = SYS(landlock_restrict_self, c->ruleset_fd, c->restrict_flags);
		if (r < 0)
			return fail(failure, STEP_LANDLOCK, r, 0);
	}
	if (c->root_closed) {
		/* The negative canary: the root directory was not granted, so listing it must fail now. */
		r = SYS(openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (r != -EACCES)
			return fail(failure, STEP_CANARY, r < 0 ? r : -ENOLCK, STEP_LANDLOCK);
	}
	return 0;
}

int child_filter(const struct child_confine *c, struct child_failure *failure)
{
	if (!c->filter_len)
		return 0;

	struct sock_fprog program = {
		.len = (unsigned short)c->filter_len,
		.filter = (struct sock_filter *)(uintptr_t)c->filter,
	};
	unsigned long flags = 0;

	if (c->listener)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (c->listener && c->wait_killable)
		flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	if (c->tsync)
		flags |= SECCOMP_FILTER_FLAG_TSYNC;

	long r = SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (r == -EINVAL &&
	    (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) /* before Linux 5.19 */
		r = SYS(seccomp, SECCOMP_SET_MODE_FILTER,
			flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (r > 0 && c->tsync) /* the thread that could not be synchronised */
		r = -EBUSY;
	if (r < 0)
		return fail(failure, STEP_SECCOMP, r, 0);

	/* The positive proof that the filter is on: clone3 with no arguments is EINVAL from a kernel that sees it. */
	long canary = SYS(clone3, 0, 0);
	if (canary != -ENOSYS && canary != -EPERM)
		return fail(failure, STEP_CANARY, canary < 0 ? canary : -ENOLCK, STEP_SECCOMP);
	return (int)r;
}

static long close_from(unsigned first, unsigned last, unsigned flags)
{
	long r = SYS(close_range, first, last, flags);

	if (r != -ENOSYS)
		return r;
	/* Before Linux 5.9, or hidden by a container's filter. */
	if (flags & CLOSE_RANGE_UNSHARE_FLAG) {
		r = SYS(unshare, CLONE_FILES_FLAG);
		if (r < 0)
			return r;
	}
	uint64_t limit[2];
	r = SYS(prlimit64, 0, RLIMIT_NOFILE, 0, limit);
	if (r < 0)
		return r;
	for (uint64_t fd = first; fd <= last && fd < limit[1] && fd < 1u << 20; fd++)
		SYS(close, fd);
	return 0;
}

int child_sweep(int first, const int *keep, uint32_t keep_count, bool unshare)
{
	unsigned flags = unshare ? CLOSE_RANGE_UNSHARE_FLAG : 0;
	unsigned from = (unsigned)first;

	for (uint32_t i = 0; i < keep_count; i++) {
		unsigned kept = (unsigned)keep[i];

		if (kept < from)
			continue;
		if (kept > from) {
			long r = close_from(from, kept - 1, flags);

			if (r < 0)
				return (int)r;
			flags = 0;
		}
		from = kept + 1;
	}
	return (int)close_from(from, ~0u, flags);
}

/* What a shell would take for a script: no NUL and no ELF header at its beginning. */
static bool looks_like_text(const char *path)
{
	char start[128];
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	long n = fd < 0 ? fd : SYS(read, fd, start, sizeof start);

	if (fd >= 0)
		SYS(close, fd);
	for (long i = 0; i < n; i++)
		if (!start[i])
			return false;
	return n >= 0 && !(n >= 4 && start[0] == 0x7f && start[1] == 'E' && start[2] == 'L' &&
			   start[3] == 'F');
}

/* Which of two failed tries tells the user more. */
static long worse(long known, long next)
{
	return known == -ENOENT || known == -ENOTDIR ? next : known;
}

int child_exec(const char *const *candidates, char *const *argv, char *const *envp,
	       char **shell_argv)
{
	long result = -ENOENT;

	for (; *candidates; candidates++) {
		long r = SYS(execve, *candidates, argv, envp);

		if (r == -ENOEXEC && shell_argv && looks_like_text(*candidates)) {
			shell_argv[1] = (char *)(uintptr_t)*candidates;
			r = SYS(execve, shell_argv[0], shell_argv, envp);
		}
		if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
			return (int)r;
		result = worse(result, r);
	}
	return (int)result;
}
