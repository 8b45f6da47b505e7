/*
 * What only a real try tells: namespaces, mounts, another process's memory, a live listener. Every try runs in a forked child, so
 * that nothing of it stays in this process. For `sandlock check`; never on the way to a start.
 */
#include "host/host.h"

#include "base/compiler.h"
#include "base/fd.h"
#include "base/sys.h"
#include "host/tries.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

int try_in_child(void (*work)(int result_fd, void *ctx), void *ctx, void *result, size_t size)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;

	auto_fd read_end = ends[0];
	int write_end = ends[1];
	pid_t pid = fork();

	if (pid < 0) {
		int error = errno;

		fd_close(&write_end);
		return error;
	}
	if (pid == 0) {
		work(write_end, ctx);
		_exit(0);
	}
	fd_close(&write_end);

	ssize_t n = fd_read_all(read_end, result, size);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return n == (ssize_t)size ? 0 : ECHILD;
}

/* ---- memory and descriptors of a child ---- */

struct victim {
	long secret;
	int fd, errors[2]; /* process_vm_readv, pidfd_getfd */
};

/* Runs in the victim's parent, as the supervisor is the guest's. */
static void read_victim(int pid, struct victim *v)
{
	long copy = 0;
	const long local[2] = {(long)&copy, sizeof copy},
		   remote[2] = {(long)&v->secret, sizeof copy};
	long n = SYS(process_vm_readv, pid, local, 1, remote, 1, 0);
	long pidfd = SYS(pidfd_open, pid, 0);

	v->errors[0] = n == sizeof copy && copy == v->secret ? 0 : n < 0 ? (int)-n : EIO;
	if (pidfd < 0) {
		v->errors[1] = (int)-pidfd;
		return;
	}
	long fd = SYS(pidfd_getfd, pidfd, v->fd, 0);

	v->errors[1] = fd < 0 ? (int)-fd : 0;
	if (fd >= 0)
		close((int)fd);
	close((int)pidfd);
}

static void probe_reach(struct host_details *d)
{
	int ends[2];
	struct victim v = {.secret = 0x5a5a5a5a};

	d->process_vm_errno = d->pidfd_getfd_errno = EAGAIN;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;

	auto_fd read_end = ends[0];
	int write_end = ends[1];
	char byte;

	v.fd = ends[0];
	pid_t pid = fork();
	if (pid == 0) { /* waits until the parent closes its end */
		close(write_end);
		_exit(read(read_end, &byte, 1) < 0);
	}
	if (pid > 0)
		read_victim(pid, &v);
	fd_close(&write_end);
	if (pid < 0)
		return;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	d->process_vm_errno = v.errors[0];
	d->pidfd_getfd_errno = v.errors[1];
}

/* ---- small questions ---- */

/* A number in a file of /proc/sys, or `fallback`. */
static int read_number(const char *path, int fallback)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 || fd_read_all(fd, text, sizeof text - 1) <= 0)
		return fallback;
	return atoi(text);
}

static bool probe_ipv6(void)
{
	auto_fd fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
					      .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	return fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
}

/* Delegated: a child group can be made in our own group. */
static bool probe_cgroup(void)
{
	char own[PATH_MAX] = "", path[PATH_MAX + 64];
	struct statfs fs;
	auto_fd fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_all(fd, own, sizeof own - 1) <= 0 ||
	    statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return false;

	char *group = strstr(own, "0::/");
	if (!group)
		return false;
	group += 3;
	group[strcspn(group, "\n")] = '\0';
	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cgroup.procs", group);
	if (access(path, W_OK) < 0)
		return false;
	snprintf(path, sizeof path, "/sys/fs/cgroup%s/sandlock-check-%d", group, getpid());
	if (mkdir(path, 0700) < 0)
		return false;
	return rmdir(path) == 0;
}

static const char *namespace_reason(int error)
{
	if (read_number("/proc/sys/user/max_user_namespaces", 1) == 0)
		return "user.max_user_namespaces is 0";
	if (read_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
		return "kernel.unprivileged_userns_clone is 0";
	if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1)
		return "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns)";
	switch (error) {
	case ENOSPC:
		return "too many user namespaces, or too deeply nested";
	case ENOSYS:
	case EINVAL:
		return "this kernel has no user namespaces";
	case EPERM:
	case EACCES:
		return "a security policy or container forbids user namespaces";
	default:
		return "the kernel refused a user namespace";
	}
}

void host_probe_all(struct host *host, struct host_details *d)
{
	host_probe(host);
	memset(d, 0, sizeof *d);

	try_namespaces(d);
	host->user_namespace = d->user_namespace_errno ? ANSWER_NO : ANSWER_YES;
	host->private_proc = d->mount_proc_errno ? ANSWER_NO : ANSWER_YES;
	if (d->user_namespace_errno)
		host->user_namespace_reason = namespace_reason(d->user_namespace_errno);

	probe_reach(d);
	host_probe_socket_filters(host);
	if (host->seccomp_notify)
		try_listener(d);
	d->ptrace_scope = read_number("/proc/sys/kernel/yama/ptrace_scope", -1);
	d->cgroup_delegated = probe_cgroup();
	d->keyring = SYS(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1) >= 0;
	d->ipv6 = probe_ipv6();
}
