/*
 * Two tries that leave traces in whoever makes them, so only forked children do: namespaces with mounts, and a filter with a
 * listener. Must never run in a process that goes on.
 */
#include "host/tries.h"

#include "base/compiler.h"
#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- namespaces ---- */

static int write_text(const char *path, const char *text)
{
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* The caller's own ids: without them the overlay's files would belong to nobody. */
static void map_ids(uid_t uid, gid_t gid)
{
	char text[64];

	snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
	write_text("/proc/self/uid_map", text);
	write_text("/proc/self/setgroups", "deny");
	snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
	write_text("/proc/self/gid_map", text);
}

static int mount_proc(void)
{
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? errno
											  : 0;
}

/* On a tmpfs over /proc: a directory that exists everywhere, in a mount namespace that nobody else sees. */
static int mount_overlay(void)
{
	if (mount("tmpfs", "/proc", "tmpfs", 0, NULL) < 0 || mkdir("/proc/l", 0700) < 0 ||
	    mkdir("/proc/u", 0700) < 0 || mkdir("/proc/w", 0700) < 0 || mkdir("/proc/m", 0700) < 0)
		return errno;
	return mount("overlay", "/proc/m", "overlay", 0,
		     "lowerdir=/proc/l,upperdir=/proc/u,workdir=/proc/w,userxattr") < 0
		       ? errno
		       : 0;
}

enum { TRY_NAMESPACE, TRY_PROC, TRY_OVERLAY, TRIES };

static void namespaces(int result_fd, void *ctx UNUSED)
{
	int errors[TRIES] = {EPERM, EPERM, EPERM};
	uid_t uid = geteuid();
	gid_t gid = getegid();

	/* A user namespace without rights in it (AppArmor) is as good as none: the first mount call tells. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) < 0) {
		errors[TRY_NAMESPACE] = errno;
		goto out;
	}
	map_ids(uid, gid);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		errors[TRY_NAMESPACE] = errno;
		goto out;
	}
	errors[TRY_NAMESPACE] = 0;

	/* A procfs shows the PID namespace of who mounts it, and only the next child lives in the new one. */
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(mount_proc());
	errors[TRY_PROC] = pid < 0 ? errno : ECHILD;
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		errors[TRY_PROC] = WEXITSTATUS(status);
	errors[TRY_OVERLAY] = mount_overlay();
out:
	fd_write_all(result_fd, errors, sizeof errors);
}

void try_namespaces(struct host_details *d)
{
	int errors[TRIES];
	int failed = try_in_child(namespaces, NULL, errors, sizeof errors);

	d->user_namespace_errno = failed ? failed : errors[TRY_NAMESPACE];
	d->mount_proc_errno = failed ? failed : errors[TRY_PROC];
	d->overlay_errno = failed ? failed : errors[TRY_OVERLAY];
}

/* ---- the listener ---- */

/* Traps getppid alone: nothing that runs here needs it. */
static int install_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return (int)SYS(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			&program);
}

/* One trapped call of a child, answered by a descriptor and the reply in one step. */
static bool answer_with_fd(int listener)
{
	/* Larger than any kernel's structure so far, and zero, as the kernel asks. */
	union {
		struct seccomp_notif notif;
		char room[512];
	} request = {.room = {0}};
	struct seccomp_notif_addfd addfd = {.flags = SECCOMP_ADDFD_FLAG_SEND};
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	pid_t pid = fork();
	bool sent = false;

	if (pid == 0)
		_exit(SYS(getppid) < 0);
	if (pid < 0)
		return false;
	if (poll(&ready, 1, 1000) == 1 &&
	    SYS(ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) {
		addfd.id = request.notif.id;
		addfd.srcfd = (uint32_t)listener;
		sent = SYS(ioctl, listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) >= 0;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return sent;
}

static void listener_work(int result_fd, void *ctx UNUSED)
{
	bool works[2] = {false, false};
	int listener = install_listener();

	if (listener >= 0) {
		/* By value: a pointer would be taken for unknown flags. */
		works[0] = SYS(ioctl, listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
			       SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
		works[1] = answer_with_fd(listener);
	}
	fd_write_all(result_fd, works, sizeof works);
}

void try_listener(struct host_details *d)
{
	bool works[2] = {false, false};

	if (try_in_child(listener_work, NULL, works, sizeof works) != 0)
		return;
	d->sync_wake_up = works[0];
	d->addfd_send = works[1];
}
