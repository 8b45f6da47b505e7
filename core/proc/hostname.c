/*
 * A virtual host name where no UTS namespace can give one: uname() is answered, and opens of the two files that tell the name
 * get a copy. This is cosmetics, not a boundary: what it does not recognise, the kernel opens under the same Landlock rules.
 */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

struct reply handle_uname(const struct call *call)
{
	static struct utsname name; /* the loop is one thread, and nothing in it changes */

	if (!name.sysname[0]) {
		if (SYS(uname, &name) < 0)
			return reply_fail(EFAULT);
		memset(name.nodename, 0, sizeof name.nodename);
		strncpy(name.nodename, call->session->hostname, sizeof name.nodename - 1);
	}
	if (!notify_valid(call))
		return reply_fail(EINTR);
	int r = memory_write(call, call->args[0], &name, sizeof name);
	if (r == -EPERM) /* a program that is not dumpable: the real name is no secret */
		return reply_proceed();
	return r < 0 ? reply_fail(EFAULT) : reply_value(0);
}

/* The path as the caller means it, opened for identification alone: no data, no side effect. */
static int open_as_caller(const struct call *call, int dirfd, const char *path)
{
	char base[64];

	if (*path == '/')
		return open(path, O_PATH | O_CLOEXEC);
	if (dirfd == AT_FDCWD)
		snprintf(base, sizeof base, "/proc/%d/cwd", call->pid);
	else
		snprintf(base, sizeof base, "/proc/%d/fd/%d", call->pid, dirfd);
	auto_fd dir = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : openat(dir, path, O_PATH | O_CLOEXEC);
}

static bool is_hostname_file(int fd)
{
	static const char *const files[] = {"/etc/hostname", "/proc/sys/kernel/hostname"};
	struct stat opened, file;

	if (fstat(fd, &opened) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (stat(files[i], &file) == 0 && file.st_dev == opened.st_dev &&
		    file.st_ino == opened.st_ino)
			return true;
	return false;
}

static struct reply copy_of_name(const struct call *call, uint64_t flags)
{
	char text[80], path[32];
	int len = snprintf(text, sizeof text, "%s\n", call->session->hostname);

	if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)))
		return reply_fail(EACCES);
	auto_fd memory = memfd_create("hostname", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0 || fd_write_all(memory, text, (size_t)len) < 0 ||
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) <
		    0)
		return reply_fail(EIO);
	/* A description of its own, read-only: offset and flags are the caller's alone. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? reply_fail(EIO) : reply_fd(fd, (flags & O_CLOEXEC) != 0);
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
	auto_fd fd = open_as_caller(call, dirfd, path);
	if (fd < 0 || !is_hostname_file(fd))
		return reply_proceed();
	return notify_valid(call) ? copy_of_name(call, flags) : reply_fail(EINTR);
}

struct reply handle_open_hostname(const struct call *call)
{
	char path[4096];
	int at = call->nr == SYS_openat || call->nr == SYS_openat2;
	int len = memory_read_string(call, call->args[at], path, sizeof path);

	/* Every open of the program passes here: only names that end like ours are looked at. */
	if (len < 8 || strcmp(path + len - 8, "hostname") != 0)
		return reply_proceed();
	return reply_later(look_up);
}
