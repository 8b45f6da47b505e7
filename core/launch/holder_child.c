/*
 * Process 1 of the sandbox. Shares the launcher's memory until it is done, so it makes raw system calls only and touches
 * nothing but its struct. Must never read anything the guest can write.
 */
#include "launch/holder_child.h"

#include "base/compiler.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>

enum {
	FLAG_RECURSIVE = 0x8000, /* AT_RECURSIVE */
	TREE_CLONE = 1,		 /* OPEN_TREE_CLONE */
	MOVE_EMPTY_PATH = 4,	 /* MOVE_MOUNT_F_EMPTY_PATH */
	MOVE_TO_SYMLINKS = 0x10, /* MOVE_MOUNT_T_SYMLINKS */
	FLAG_WAIT_EXITED = 4,
	WAIT_ALL = 0,
};

static NORETURN void leave(int status)
{
	for (;;)
		SYS(exit_group, status);
}

static void publish(struct holder_setup *h)
{
	__atomic_store_n(&h->ready, 1, __ATOMIC_SEQ_CST);
	SYS(futex, &h->ready, FUTEX_WAKE, 1, 0, 0, 0);
}

static NORETURN void fail(struct holder_setup *h, enum holder_step step, long result, size_t index)
{
	h->step = (int32_t)step;
	h->error = (int32_t)-result;
	h->index = (int32_t)index;
	publish(h);
	leave(1);
}

/* A path in the new root: "/proc/root" + path, in a buffer of our own. */
static const char *below(char *buffer, size_t size, const char *prefix, const char *path)
{
	size_t n = 0;

	for (; *prefix && n + 1 < size; prefix++)
		buffer[n++] = *prefix;
	for (; *path && n + 1 < size; path++)
		buffer[n++] = *path;
	buffer[n] = '\0';
	return buffer;
}

static long write_file(const char *path, const void *data, size_t size, uint32_t mode)
{
	long fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return fd;
	const char *p = data;
	while (size) {
		long n = SYS(write, fd, p, size);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		p += n;
		size -= (size_t)n;
	}
	SYS(fchmod, fd, mode);
	SYS(close, fd);
	return 0;
}

/* The copies lie in a tmpfs that the fresh /proc later covers: reachable through their mounts alone. */
static void lay_copies(struct holder_setup *h, const char *prefix)
{
	char from[64], to[4096 + 64];

	for (size_t i = 0; i < h->copy_count; i++) {
		const struct holder_copy *copy = &h->copies[i];
		char name[2] = {(char)('a' + (char)i), '\0'};

		below(from, sizeof from, "/proc/", name);
		long r = write_file(from, copy->data, copy->size, copy->mode);
		if (r >= 0)
			r = SYS(mount, from, below(to, sizeof to, prefix, copy->target), 0, MS_BIND,
				0);
		if (r < 0)
			fail(h, HOLDER_COPY, r, i);
	}
}

/* A root of our own: a tmpfs with the host's top-level entries bound into it. */
static void build_root(struct holder_setup *h, const char *prefix)
{
	char from[300], to[300 + 64];

	long r = SYS(mkdirat, AT_FDCWD, prefix, 0755);
	if (r >= 0)
		r = SYS(mount, "tmpfs", prefix, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m");
	if (r < 0)
		fail(h, HOLDER_ROOT, r, h->root_count);
	for (size_t i = 0; i < h->root_count; i++) {
		const struct holder_root_entry *e = &h->root[i];

		below(from, sizeof from, "/", e->name);
		below(to, sizeof to, prefix, from);
		if (e->link) {
			r = SYS(symlinkat, e->link, AT_FDCWD, to);
		} else if (e->directory) {
			r = SYS(mkdirat, AT_FDCWD, to, 0755);
			/* /proc is ours by now; the fresh one is mounted at the end. */
			if (r >= 0 && !(e->name[0] == 'p' && e->name[1] == 'r' &&
					e->name[2] == 'o' && e->name[3] == 'c' && !e->name[4]))
				r = SYS(mount, from, to, 0, MS_BIND | MS_REC, 0);
		} else {
			r = write_file(to, "", 0, 0644);
			if (r >= 0)
				r = SYS(mount, from, to, 0, MS_BIND, 0);
		}
		if (r < 0 && r != -ENOENT && r != -EACCES)
			fail(h, HOLDER_ROOT, r, i);
	}
	for (size_t i = 0; i < h->directory_count; i++) {
		r = SYS(mkdirat, AT_FDCWD, below(to, sizeof to, prefix, h->directories[i]), 0755);
		if (r < 0 && r != -EEXIST)
			fail(h, HOLDER_ROOT, r, h->root_count + 1 + i);
	}
}

/* Sources are the host's, whatever is mounted over them later: copies of their trees, taken first. */
static void take_sources(struct holder_setup *h)
{
	for (size_t i = 0; i < h->mount_count; i++) {
		struct holder_mount *m = &h->mounts[i];

		if (!m->source || m->skip)
			continue;
		long r = SYS(open_tree, AT_FDCWD, m->source,
			     TREE_CLONE | FLAG_RECURSIVE | O_CLOEXEC);
		if (r < 0)
			fail(h, HOLDER_MOUNT, r, i);
		m->tree = (int)r;
	}
}

/* Files with given content: written to the stage and taken from there, so that they can be mounted in their turn. */
static void take_contents(struct holder_setup *h)
{
	char from[64];

	for (size_t i = 0; i < h->mount_count; i++) {
		struct holder_mount *m = &h->mounts[i];
		const char name[3] = {'f', (char)('0' + (char)(i % 64)),
				      (char)('0' + (char)(i / 64 % 64))};

		if (!m->content || m->skip)
			continue;
		long r = write_file(below(from, sizeof from, "/proc/", name), m->content, m->size,
				    0444);
		if (r >= 0)
			r = SYS(open_tree, AT_FDCWD, from, TREE_CLONE | O_CLOEXEC);
		if (r < 0)
			fail(h, HOLDER_MOUNT, r, i);
		m->tree = (int)r;
	}
}

/* Every directory on the way, and the mount point itself. */
static void make_mount_point(char *path, bool directory)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		SYS(mkdirat, AT_FDCWD, path, 0755);
		*p = '/';
	}
	if (directory) {
		SYS(mkdirat, AT_FDCWD, path, 0755);
	} else {
		long fd = SYS(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		if (fd >= 0)
			SYS(close, fd);
	}
}

static void mount_all(struct holder_setup *h, const char *prefix)
{
	char to[4096 + 64];

	for (size_t i = 0; i < h->mount_count; i++) {
		const struct holder_mount *m = &h->mounts[i];
		long r;

		if (m->skip)
			continue;
		below(to, sizeof to, prefix, m->target);
		if (m->make)
			make_mount_point(to, m->directory);
		if (m->source || m->content) {
			struct mount_attributes attributes = {.set = m->attributes};

			r = SYS(move_mount, m->tree, "", AT_FDCWD, to,
				MOVE_EMPTY_PATH | (m->content ? MOVE_TO_SYMLINKS : 0));
			if (r >= 0 && m->attributes)
				r = SYS(mount_setattr, AT_FDCWD, to, FLAG_RECURSIVE, &attributes,
					sizeof attributes);
			SYS(close, m->tree);
			if (m->content && r == -ENOENT)
				continue; /* nothing lies there, so nothing has to be replaced */
		} else {
			r = SYS(mount, "tmpfs", to, "tmpfs", m->flags, m->tmpfs_options);
		}
		if (r < 0)
			fail(h, HOLDER_MOUNT, r, i);
	}
}

/* From here on: say ready, read, wait, exit. */
static long confine_holder(void)
{
#define ALLOW(nr)                                                                                  \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                                           \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* nr: x32 numbers match none of ours */),
		ALLOW(SYS_futex), /* to say that the view stands */
		ALLOW(SYS_read),
		ALLOW(SYS_waitid),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_restart_syscall),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
#undef ALLOW
	const struct sock_fprog program = {.len = ARRAY_LEN(filter), .filter = filter};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};

	long r = SYS(capset, &header, none);
	if (r >= 0)
		r = SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (r >= 0)
		r = SYS(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	return r;
}

int holder_child(void *argument)
{
	struct holder_setup *h = argument;
	const char *prefix = h->root ? "/proc/root" : "";

	SYS(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	SYS(close, h->launcher_control_fd);
	/* getppid() is 0 in a new PID namespace: an already dead launcher shows as a closed pipe. */
	struct pollfd pipe = {.fd = h->control_fd, .events = POLLIN};
	struct timespec now = {0};
	if (SYS(ppoll, &pipe, 1, &now, 0, 8) != 0)
		fail(h, HOLDER_PARENT, -ESRCH, 0);

	while (!__atomic_load_n(&h->maps, __ATOMIC_SEQ_CST))
		SYS(futex, &h->maps, FUTEX_WAIT, 0, 0, 0, 0);
	if (h->maps != 1)
		fail(h, HOLDER_MAPS, -EPERM, 0);

	long r = SYS(mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0);
	if (r < 0)
		fail(h, HOLDER_PRIVATE, r, 0);
	if (h->hostname) {
		r = SYS(sethostname, h->hostname, h->hostname_len);
		if (r < 0)
			fail(h, HOLDER_HOSTNAME, r, 0);
	}
	take_sources(h);
	if (h->stage || h->root) {
		r = SYS(mount, "tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m");
		if (r < 0)
			fail(h, HOLDER_STAGE, r, 0);
	}
	if (h->root)
		build_root(h, prefix);
	take_contents(h);
	lay_copies(h, prefix);
	mount_all(h, prefix);
	if (h->private_proc) {
		char proc[32];

		/* Last: it covers the stage, and the kernel wants to see an unmasked procfs until then. */
		r = SYS(mount, "proc", below(proc, sizeof proc, prefix, "/proc"), "proc",
			MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
		if (r < 0)
			fail(h, HOLDER_PROC, r, 0);
	}
	if (h->root) {
		r = SYS(chdir, prefix);
		if (r >= 0)
			r = SYS(pivot_root, ".", ".");
		if (r >= 0)
			r = SYS(umount2, ".", MNT_DETACH);
		if (r >= 0)
			r = SYS(chdir, "/");
		if (r < 0)
			fail(h, HOLDER_ROOT, r, h->root_count);
	}

	/* SIGCHLD ignored: orphans that come to process 1 are reaped by the kernel. */
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} ignore = {.handler = (void *)1 /* SIG_IGN */};
	SYS(rt_sigaction, SIGCHLD, &ignore, 0, 8);
	/* Nothing but the pipe stays: no descriptor of the caller keeps a file or a terminal busy. */
	int control = h->control_fd;
	if (control != 0) {
		SYS(dup3, control, 0, 0);
		control = 0;
	}
	SYS(close_range, 1, ~0u, 0);
	SYS(chdir, "/");
	r = confine_holder();
	if (r < 0)
		fail(h, HOLDER_SEAL, r, 0);
	publish(h);

	for (;;) {
		char byte;
		long n = SYS(read, control, &byte, 1);

		if (n == -EINTR)
			continue;
		if (n == 1) /* 'w': end when the last process is gone (waitid gives ECHILD then) */
			while (SYS(waitid, WAIT_ALL, 0, 0, FLAG_WAIT_EXITED, 0) == -EINTR)
				;
		leave(0);
	}
}
