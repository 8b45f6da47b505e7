/*
 * Virtual files: opens of the files that tell the host's name, of /etc/hosts and of /proc/net get a sealed copy of what the sandbox is to see.
 * They are recognised by what the path leads to, whatever its spelling. This is cosmetics, not a boundary: what it does
 * not recognise, or what changes its name in the meantime, the kernel opens under the same Landlock rules.
 */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"
#include "proc/virtual_name.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum virtual_file { NOT_VIRTUAL, FILE_HOSTNAME, FILE_HOSTS, FILE_NET };

struct found {
	enum virtual_file file;
	char name[64]; /* FILE_NET: below /proc/net */
};

static const struct {
	char path[28];
	enum virtual_file file;
} fixed[] = {
	{"/etc/hostname", FILE_HOSTNAME},
	{"/proc/sys/kernel/hostname", FILE_HOSTNAME},
	{"/etc/hosts", FILE_HOSTS},
};

static bool is_served(const struct session *s, enum virtual_file file)
{
	switch (file) {
	case FILE_HOSTNAME:
		return s->hostname && (s->record.features & WHEN_HOSTNAME_FILES);
	case FILE_HOSTS:
		return net_hosts() && (s->record.features & WHEN_VIRTUAL_FILES);
	case FILE_NET:
		return s->record.features & WHEN_VIRTUAL_FILES;
	case NOT_VIRTUAL:
		break;
	}
	return false;
}

/* The caller's path as an absolute one, with the links that mean "myself" spelled for the caller. */
static bool absolute_path(const struct call *call, int dirfd, const char *path, char *out,
			  size_t size)
{
	char base[48], text[4096];
	size_t n = 0;

	if (*path != '/') {
		if (dirfd == AT_FDCWD)
			snprintf(base, sizeof base, "/proc/%d/cwd", call->pid);
		else
			snprintf(base, sizeof base, "/proc/%d/fd/%d", call->pid, dirfd);
		ssize_t len = readlink(base, text, sizeof text);
		if (len <= 0 || *text != '/')
			return false;
		n = (size_t)len;
	}
	int more = snprintf(text + n, sizeof text - n, "/%s", path);
	if (more < 0 || (size_t)more >= sizeof text - n)
		return false;
	virtual_name_clean(text);
	return virtual_name_own(text, task_inside(call->pid), out, size);
}

/* Opened for identification alone: no data, no side effect. */
static int open_as_caller(const struct call *call, const char *path)
{
	char root[32];

	if (!(call->session->record.flags & RECORD_VIEW))
		return open(path, O_PATH | O_CLOEXEC);

	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	snprintf(root, sizeof root, "/proc/%d/root", call->pid);
	auto_fd dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : (int)SYS(openat2, dir, path, &how, sizeof how);
}

static struct found net_file(const char *name)
{
	struct found found = {.file = FILE_NET};

	/* A longer one is none that anybody serves. */
	snprintf(found.name, sizeof found.name, "%s", name);
	return found;
}

static struct found identify(int fd)
{
	struct stat opened, file;
	struct statfs fs;
	char link[32], path[4096];

	if (fstat(fd, &opened) < 0)
		return (struct found){.file = NOT_VIRTUAL};
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (stat(fixed[i].path, &file) == 0 && file.st_dev == opened.st_dev &&
		    file.st_ino == opened.st_ino)
			return (struct found){.file = fixed[i].file};
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return (struct found){.file = NOT_VIRTUAL};
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return (struct found){.file = NOT_VIRTUAL};
	path[n] = '\0';
	const char *name = virtual_name_net(path);
	return name ? net_file(name) : (struct found){.file = NOT_VIRTUAL};
}

static struct found find(const struct call *call, int dirfd, const char *path)
{
	char own[4096];

	if (!absolute_path(call, dirfd, path, own, sizeof own))
		return (struct found){.file = NOT_VIRTUAL};
	const char *name = strncmp(own, "/proc/", 6) ? NULL : virtual_name_net(own);
	if (name)
		return net_file(name);
	auto_fd fd = open_as_caller(call, own);
	return fd < 0 ? (struct found){.file = NOT_VIRTUAL} : identify(fd);
}

/* 0 or -errno. */
static int write_content(const struct call *call, const struct found *found, int fd)
{
	const struct session *s = call->session;
	char line[80];

	switch (found->file) {
	case FILE_HOSTNAME:
		snprintf(line, sizeof line, "%s\n", s->hostname);
		return fd_write_all(fd, line, strlen(line));
	case FILE_HOSTS:
		return fd_write_all(fd, net_hosts(), strlen(net_hosts()));
	case FILE_NET:
		return proc_net_write(call, found->name, fd);
	case NOT_VIRTUAL:
		break;
	}
	return -ENOENT;
}

static struct reply serve(const struct call *call, const struct found *found, uint64_t flags)
{
	enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };
	char path[32];

	auto_fd memory = memfd_create("virtual", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0)
		return reply_fail(errno == EMFILE || errno == ENFILE ? ENFILE : EIO);
	int r = write_content(call, found, memory);
	if (r < 0)
		return reply_fail(r == -ENOENT ? ENOENT : EIO);
	/* After the content: a name that is not there is not there for any kind of open. */
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)))
		return reply_fail(EACCES);
	if (flags & O_DIRECTORY)
		return reply_fail(ENOTDIR);
	if (flags & O_PATH) /* it could be opened again through /proc/self/fd */
		return reply_fail(EOPNOTSUPP);
	fchmod(memory, 0444);
	if (fcntl(memory, F_ADD_SEALS, SEALS) < 0)
		return reply_fail(EIO);
	/* A description of its own, read-only: offset and flags are the caller's alone. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return reply_fail(EIO);
	return notify_valid(call) ? reply_fd(fd, (flags & O_CLOEXEC) != 0)
				  : (close(fd), reply_fail(EINTR));
}

static struct reply look_up(const struct call *call)
{
	char path[4096];
	bool has_dirfd = call->nr == SYS_openat || call->nr == SYS_openat2;
	int dirfd = has_dirfd ? (int)(uint32_t)call->args[0] : AT_FDCWD;
	uint64_t flags = call->args[has_dirfd ? 2 : 1];

	if (memory_read_string(call, call->args[has_dirfd ? 1 : 0], path, sizeof path) < 0)
		return reply_proceed(); /* the kernel knows the right errno */
	if (call->nr == SYS_openat2 && memory_read(call, call->args[2], &flags, sizeof flags) < 0)
		return reply_proceed();
#ifdef SYS_creat
	if (call->nr == SYS_creat)
		flags = O_CREAT | O_WRONLY | O_TRUNC;
#endif
	if (!notify_valid(call))
		return reply_fail(EINTR);
	struct found found = find(call, dirfd, path);
	if (!is_served(call->session, found.file))
		return reply_proceed();
	/* An O_PATH descriptor of a file that holds no secret shows where it is and no more. */
	if ((flags & O_PATH) && found.file != FILE_NET)
		return reply_proceed();
	return serve(call, &found, flags);
}

struct reply handle_open_hostname(const struct call *call)
{
	char path[4096];
	int at = call->nr == SYS_openat || call->nr == SYS_openat2;
	int len = memory_read_string(call, call->args[at], path, sizeof path);

	if (len <= 0 || !virtual_name_suspect(path, (size_t)len))
		return reply_proceed();
	return reply_later(look_up);
}
