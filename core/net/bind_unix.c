/*
 * bind() of unix sockets on behalf: the kernel must not run the caller's own call, which could name an inet socket by then. Done on a
 * worker, because a file system may be slow, with the caller's umask; where sockets may be made the outer Landlock layer says.
 */
#include "net/bind.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path), PATH_ROOM = 108, TRIES = 16 };

/* ---- the caller ---- */

/* The number after "NAME:" in the caller's status, the `field`-th from 0; -1: not there. */
static long status_number(const char *status, const char *name, int field, int base)
{
	const char *at = strstr(status, name);

	if (!at)
		return -1;
	at += strlen(name);
	for (; field; field--) {
		at += strspn(at, " \t");
		at += strcspn(at, " \t\n");
	}
	at += strspn(at, " \t");
	return *at >= '0' && *at <= '9' ? strtol(at, NULL, base) : -1;
}

struct caller {
	mode_t umask;
	uid_t uid;
	gid_t gid; /* for files */
};

static bool caller_of(const struct call *call, struct caller *out)
{
	char status[2048];

	if (proc_text(call->pid, "status", status, sizeof status) <= 0)
		return false;
	/* The task's name comes first, but the kernel escapes its line ends. */
	long umask = status_number(status, "\nUmask:", 0, 8);
	long uid = status_number(status, "\nUid:", 3, 10);
	long gid = status_number(status, "\nGid:", 3, 10);
	*out = (struct caller){(mode_t)umask & 0777, (uid_t)uid, (gid_t)gid};
	return umask >= 0 && uid >= 0 && gid >= 0;
}

static int open_of_caller(const struct call *call, const char *name)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/%s", call->pid, name);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Do paths mean the same to the caller and to us: one mount namespace and one root? */
static bool same_view(const struct call *call, int root)
{
	struct stat theirs, ours;
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/ns/mnt", call->pid);
	if (stat(path, &theirs) < 0 || stat("/proc/self/ns/mnt", &ours) < 0 ||
	    theirs.st_ino != ours.st_ino)
		return false;
	return fstat(root, &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_ino == ours.st_ino &&
	       theirs.st_dev == ours.st_dev;
}

/* ---- a path of another view ---- */

/* The path's last name, with slashes that follow it. */
static const char *last_name(const char *path)
{
	const char *end = path + strlen(path);

	while (end > path && end[-1] == '/')
		end--;
	while (end > path && end[-1] != '/')
		end--;
	return end;
}

static int open_within(int directory, const char *path, uint64_t resolve)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -EAGAIN;

	/* A rename elsewhere made ".." uncertain. Somebody who renames all the time may not keep the worker. */
	for (int tries = 0; tries < TRIES && (fd == -EAGAIN || fd == -EINTR); tries++)
		fd = SYS(openat2, directory, path, &how, sizeof how);
	return fd == -EAGAIN ? -EACCES : (int)fd;
}

/* The directory that will hold the socket, as the caller sees it: no link leads out of its root. */
static int open_parent(int root, int cwd, const char *path, const char *name)
{
	char parent[PATH_ROOM + 1], full[PATH_MAX + sizeof parent + 1], link[32];

	snprintf(parent, sizeof parent, "%.*s", (int)(name - path), path);
	if (*parent == '/')
		return open_within(root, parent, RESOLVE_IN_ROOT);
	int fd = open_within(cwd, *parent ? parent : ".", RESOLVE_BENEATH);
	if (fd != -EXDEV)
		return fd;
	/* By "..", or by an absolute link: from the root, then. */
	snprintf(link, sizeof link, "/proc/self/fd/%d", cwd);
	ssize_t n = readlink(link, full, PATH_MAX);
	if (n < 0)
		return -errno;
	if (n == PATH_MAX || full[0] != '/')
		return -ENAMETOOLONG;
	snprintf(full + n, sizeof full - (size_t)n, "/%s", parent);
	return open_within(root, full, RESOLVE_IN_ROOT);
}

/* Is the directory of a path, followed from here, the one that the caller sees? It may be another one at the next moment: a link
 * can lead to any place where sockets may be made, so asked only where each of these is the same place here. */
static bool same_parent(int cwd, const char *path, const char *name, int parent)
{
	char text[PATH_ROOM + 1];
	struct stat here, theirs;

	snprintf(text, sizeof text, "%.*s", (int)(name - path), path);
	auto_fd fd = openat(*text == '/' ? AT_FDCWD : cwd, *text ? text : ".",
			    O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && parent >= 0 && fstat(fd, &here) == 0 && fstat(parent, &theirs) == 0 &&
	       here.st_ino == theirs.st_ino && here.st_dev == theirs.st_dev;
}

/* ---- doing it ---- */

/* With a directory and a umask of this thread's own, which are set back: no handler relies on them, and no directory of the
 * caller's stays in use. */
static int bind_in(int fd, int directory, mode_t mask, const union net_address *address,
		   socklen_t len)
{
	static __thread bool own;
	int r = 0;

	if (!own && unshare(CLONE_FS) < 0)
		return -EACCES;
	own = true;
	auto_fd home = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home < 0 || (directory >= 0 && fchdir(directory) < 0))
		return -errno;
	mode_t before = umask(mask);
	if (bind(fd, &address->any, len) < 0)
		r = -errno;
	umask(before);
	return directory >= 0 && fchdir(home) < 0 ? -EIO : r;
}

/* A path that means the same here is bound as it was written, so that its name is the same to everybody who asks. One that leads
 * elsewhere is bound by its last name in the caller's directory: getsockname() and peers then see only that name. */
static int bind_path(const struct call *call, int fd, union net_address *address, socklen_t len)
{
	char path[PATH_ROOM + 1];
	size_t size = strnlen(address->local.sun_path, len - PATH_AT);
	struct caller caller;

	memcpy(path, address->local.sun_path, size);
	path[size] = '\0';
	auto_fd root = open_of_caller(call, "root");
	auto_fd cwd = open_of_caller(call, "cwd");
	if (root < 0 || cwd < 0 || !caller_of(call, &caller))
		return -EACCES;
	/* The file would be ours, and made with our rights. */
	if (caller.uid != geteuid() || caller.gid != getegid())
		return -EACCES;
	bool same = same_view(call, root);
	if (!notify_valid(call))
		return -ESRCH;
	const char *name = last_name(path);
	auto_fd parent = open_parent(root, cwd, path, name);
	if (parent == -ELOOP) /* by /proc/self/fd and the like: it would be our "self" */
		return -EACCES;
	if (same || ((net.policy.flags & NET_PLAIN_PATHS) && same_parent(cwd, path, name, parent)))
		return bind_in(fd, *path == '/' ? -1 : cwd, caller.umask, address, len);
	if (parent < 0)
		return parent;
	size_t name_len = strlen(name);
	memset(address->local.sun_path, 0, sizeof address->local.sun_path);
	memcpy(address->local.sun_path, name, name_len);
	return bind_in(fd, parent, caller.umask, address,
		       (socklen_t)(PATH_AT + MIN(name_len + 1, (size_t)PATH_ROOM)));
}

bool bind_name_reserved(const union net_address *address, socklen_t len)
{
	static const char reserved[] = "\0sandlock/";

	return len >= PATH_AT + sizeof reserved - 1 &&
	       memcmp(address->local.sun_path, reserved, sizeof reserved - 1) == 0;
}

struct reply bind_unix(const struct call *call)
{
	struct net_socket socket;
	union net_address address = {.room = {0}};
	int r = net_socket_of(call, (int)(uint32_t)call->args[0], &socket);

	if (r < 0)
		return reply_fail(-r);
	auto_fd fd = socket.fd;
	if (socket.domain != AF_UNIX) /* swapped since the loop looked */
		return reply_fail(EINVAL);
	r = net_read_address(call, call->args[1], call->args[2], &address);
	if (r < 0)
		return reply_fail(-r);
	socklen_t len = (socklen_t)(uint32_t)call->args[2];
	if (!notify_valid(call))
		return reply_fail(ESRCH);
	if (len > PATH_AT && len <= sizeof address.local && address.any.sa_family == AF_UNIX &&
	    address.local.sun_path[0])
		/* Whose layers may forbid making sockets is not known: nobody's are passed by. */
		r = __atomic_load_n(&net_own_layers, __ATOMIC_SEQ_CST)
			    ? -EACCES
			    : bind_path(call, fd, &address, len);
	else if (bind_name_reserved(&address, len))
		r = -EACCES;
	else /* abstract, without a name, or what the kernel refuses */
		r = bind(fd, &address.any, len) < 0 ? -errno : 0;
	return r < 0 ? reply_fail(-r) : reply_value(0);
}
