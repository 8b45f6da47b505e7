/*
 * Unix sockets by path. The path is resolved once for the caller, in its root and from its directory; the object that was found is
 * judged by where it really lies, and only that object is connected to, through its descriptor. Never by the path again.
 */
#include "net/behalf.h"

#include "base/fd.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path), TRIES = 16, STATUS_ROOM = 1024 };

int unix_path_of(const union net_address *address, socklen_t len, char path[UNIX_PATH_ROOM])
{
	if (len > sizeof(struct sockaddr_un))
		return -EINVAL;
	if (len <= PATH_AT || !address->local.sun_path[0])
		return 0;
	/* Up to the first NUL, or to the end of what was given: 108 bytes need none. */
	size_t n = strnlen(address->local.sun_path, len - PATH_AT);
	memcpy(path, address->local.sun_path, n);
	path[n] = '\0';
	return (int)n;
}

bool unix_path_within(const char *path, const char *grant)
{
	size_t n = strlen(grant);

	while (n && grant[n - 1] == '/')
		n--;
	return !strncmp(path, grant, n) && (path[n] == '\0' || path[n] == '/');
}

socklen_t unix_address_of(int target, union net_address *out)
{
	memset(out, 0, sizeof *out);
	out->local.sun_family = AF_UNIX;
	snprintf(out->local.sun_path, sizeof out->local.sun_path, "/proc/self/fd/%d", target);
	return (socklen_t)(PATH_AT + strlen(out->local.sun_path) + 1);
}

/* /proc/TID/NAME: "root" or "cwd". */
static int open_of_caller(const struct call *call, const char *name)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/%d/%s", call->pid, name);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Magic links would lead out of the caller's view: openat2() follows none when it is told where to stay. A file system that has to be
 * asked (a network's, or one that a process serves) may take its time: not on the loop. */
static int open_beneath(const struct call *call, int dir, const char *path, uint64_t resolve)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS | (call->may_wait ? 0 : RESOLVE_CACHED),
	};
	long fd = -EAGAIN;

	/* EAGAIN: a rename elsewhere made ".." uncertain. Somebody who renames all the time may not keep us here. */
	for (int tries = 0; tries < (call->may_wait ? TRIES : 1) && fd == -EAGAIN; tries++)
		fd = SYS(openat2, dir, path, &how, sizeof how);
	if (fd == -EAGAIN)
		return call->may_wait ? -EACCES : NET_LATER;
	return (int)fd;
}

/* A relative path that leaves the directory (by ".." or an absolute link) is tried again as an absolute one. */
static int open_relative(const struct call *call, int root, const char *path)
{
	char absolute[PATH_MAX + UNIX_PATH_ROOM], link[48];
	auto_fd dir = open_of_caller(call, "cwd");

	if (dir < 0)
		return dir;
	int fd = open_beneath(call, dir, path, RESOLVE_BENEATH);
	if (fd != -EXDEV)
		return fd;
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, absolute, PATH_MAX);
	if (n <= 0 || n == PATH_MAX || absolute[0] != '/')
		return -ENAMETOOLONG;
	snprintf(absolute + n, sizeof absolute - (size_t)n, "/%s", path);
	return open_beneath(call, root, absolute, RESOLVE_IN_ROOT);
}

static bool granted(int target)
{
	char path[PATH_MAX], link[48];

	if (!(net.policy.flags & NET_UNIX_GATE)) /* the outer layer judges the object */
		return true;
	snprintf(link, sizeof link, "/proc/self/fd/%d", target);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0 || (size_t)n == sizeof path - 1)
		return false;
	path[n] = '\0';
	for (size_t i = 0; i < net.grant_count; i++)
		if (unix_path_within(path, net_text(net.grants[i].path)))
			return true;
	return false;
}

/* Effective and file system id are `own`? */
static bool has_id(const char *status, const char *field, long own)
{
	const char *text = status_field(status, field);
	char *end;

	for (int i = 0; i < 4; i++, text = end) {
		long id = text ? strtol(text, &end, 10) : -1;

		if (!text || end == text || (i % 2 && id != own))
			return false;
	}
	return true;
}

/*
 * The kernel asks whether this process may write to the socket, and the peer is told of this process. A caller that has become
 * another user must not profit from either. Only with the capabilities for it can it become one.
 */
bool net_same_identity(const struct call *call)
{
	char status[STATUS_ROOM];

	if (!net.ids_change)
		return true;
	task_status(call, status, sizeof status);
	return has_id(status, "Uid", (long)net_own_uid()) && has_id(status, "Gid", (long)getegid());
}

int net_unix_target(const struct call *call, const union net_address *address, socklen_t len)
{
	char path[UNIX_PATH_ROOM];
	struct statx found;
	int n = unix_path_of(address, len, path);

	if (n <= 0)
		return n < 0 ? n : -EINVAL;
	auto_fd root = open_of_caller(call, "root");
	if (root < 0)
		return root == -ENOENT ? -ESRCH : root;
	auto_fd target = path[0] == '/' ? open_beneath(call, root, path, RESOLVE_IN_ROOT)
					: open_relative(call, root, path);
	if (target ==
	    -ELOOP) /* a magic link: what is behind it is named by its real path or not at all */
		return -EACCES;
	if (target < 0)
		return target;
	if (!granted(target))
		return -EACCES;
	if (SYS(statx, target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &found) < 0 ||
	    !net_same_identity(call))
		return -EACCES;
	if (!S_ISSOCK(found.stx_mode))
		return -ECONNREFUSED;
	/* All of this was asked of a number; was it still the caller's? */
	return notify_valid(call) ? fd_take(&target) : -ESRCH;
}
