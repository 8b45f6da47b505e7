/* Groups A and B: reaching, changing or leaking files outside the grants. */
#include "probe.h"

#include <linux/fs.h>
#include <sys/inotify.h>

static void twin_read(void) { must("read granted file", open_and_show(in("W_RO", "file"), O_RDONLY)); }

static void twin_write(void)
{
	long fd = must("create", sys(SYS_openat, AT_FDCWD, in("W_RW", "twin"), O_CREAT | O_RDWR | O_TRUNC, 0644));
	must("write", sys(SYS_write, fd, "x", 1));
	must("rename", sys(SYS_renameat2, AT_FDCWD, in("W_RW", "twin"), AT_FDCWD, in("W_RW", "twin2"), 0));
	must("link", sys(SYS_linkat, AT_FDCWD, in("W_RW", "twin2"), AT_FDCWD, in("W_RW", "twin3"), 0));
	must("truncate", sys(SYS_truncate, in("W_RW", "twin3"), 0));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "twin2"), 0));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "twin3"), 0));
}

static void direct(void)
{
	attempt("read", open_and_show(in("W_OUT", "secret"), O_RDONLY));
	attempt("write", sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_WRONLY));
	attempt("list", sys(SYS_openat, AT_FDCWD, world("W_OUT"), O_RDONLY | O_DIRECTORY));
	attempt("create", sys(SYS_openat, AT_FDCWD, in("W_OUT", "new"), O_CREAT | O_WRONLY, 0600));
	attempt("write read-only", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_WRONLY));
}

static void proc_root(void)
{
	char path[512];
	static const char *const prefixes[] = { "/proc/self/root", "/proc/thread-self/root" };
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", prefixes[i], in("W_OUT", "secret"));
		attempt(prefixes[i], open_and_show(path, O_RDONLY));
	}
	snprintf(path, sizeof(path), "/proc/%ld/root%s", sys(SYS_getpid), in("W_OUT", "secret"));
	attempt("/proc/PID/root", open_and_show(path, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/root%s", sys(SYS_getpid), sys(SYS_gettid), in("W_OUT", "secret"));
	attempt("/proc/PID/task/TID/root", open_and_show(path, O_RDONLY));
}
static void proc_root_twin(void)
{
	char path[512];
	snprintf(path, sizeof(path), "/proc/self/root%s", in("W_RO", "file"));
	must("granted file by /proc/self/root", open_and_show(path, O_RDONLY));
}

static void proc_cwd_fd(void)
{
	char path[512];
	if (must("chdir", sys(SYS_chdir, world("W_OUT"))) == 0)
		attempt("/proc/self/cwd", open_and_show("/proc/self/cwd/secret", O_RDONLY));
	long fd = must("O_PATH", sys(SYS_openat, AT_FDCWD, world("W_OUT"), O_PATH | O_DIRECTORY));
	snprintf(path, sizeof(path), "/proc/self/fd/%ld/secret", fd);
	attempt("/proc/self/fd/N/x", open_and_show(path, O_RDONLY));
	attempt("openat(O_PATH)", sys(SYS_openat, fd, "secret", O_RDONLY));
	fd = must("O_PATH file", sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_PATH));
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	attempt("/proc/self/fd/N", open_and_show(path, O_RDONLY));
}
static void proc_cwd_twin(void)
{
	must("chdir", sys(SYS_chdir, world("W_RO")));
	must("/proc/self/cwd", open_and_show("/proc/self/cwd/file", O_RDONLY));
}

static void dangling(void)
{
	must("symlink", sys(SYS_symlinkat, in("W_OUT", "planted"), AT_FDCWD, in("W_RW", "dangling")));
	attempt("create through symlink", sys(SYS_openat, AT_FDCWD, in("W_RW", "dangling"), O_CREAT | O_WRONLY, 0600));
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "dangling"), 0);
}

static void dirty_dirfd(void)
{
	attempt("AT_FDCWD with dirty half", sys(SYS_openat, HIGH(AT_FDCWD), in("W_OUT", "secret"), O_RDONLY));
	must("chdir", sys(SYS_chdir, world("W_OUT")));
	attempt("relative", sys(SYS_openat, HIGH(AT_FDCWD), "secret", O_RDONLY));
	attempt("dirty flags", sys(SYS_openat, AT_FDCWD, "secret", HIGH(O_RDWR)));
}
static void dirty_dirfd_twin(void)
{
	must("granted", sys(SYS_openat, HIGH(AT_FDCWD), in("W_RO", "file"), O_RDONLY));
	must("ENOTDIR as the kernel says",
	     sys(SYS_openat, sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY), "x", O_RDONLY) == -ENOTDIR ? 0 : -EINVAL);
	must("EBADF as the kernel says", sys(SYS_openat, 999, "x", O_RDONLY) == -EBADF ? 0 : -EINVAL);
}

static void tmpfile_link(void)
{
	long fd = must("O_TMPFILE", sys(SYS_openat, AT_FDCWD, world("W_RW"), O_TMPFILE | O_RDWR, 0600));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	attempt("linkat(/proc/self/fd)", sys(SYS_linkat, AT_FDCWD, path, AT_FDCWD, in("W_OUT", "linked"), AT_SYMLINK_FOLLOW));
}
static void tmpfile_twin(void)
{
	long fd = must("O_TMPFILE", sys(SYS_openat, AT_FDCWD, world("W_RW"), O_TMPFILE | O_RDWR, 0600));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	must("linkat in one directory", sys(SYS_linkat, AT_FDCWD, path, AT_FDCWD, in("W_RW", "linked"), AT_SYMLINK_FOLLOW));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "linked"), 0));
}

static void by_handle(void)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} handle = { .h = { .handle_bytes = 128 } };
	int mount_id;
	if (probe.control && !is_root())
		skip("open_by_handle_at needs root unconfined");
	long r = sys(SYS_name_to_handle_at, AT_FDCWD, in("W_OUT", "secret"), &handle, &mount_id, 0);
	attempt("name_to_handle_at", r);
	long fd = sys(SYS_openat, AT_FDCWD, world("W_RW"), O_RDONLY | O_DIRECTORY);
	attempt("open_by_handle_at", sys(SYS_open_by_handle_at, fd, &handle, O_RDONLY));
}

static void fanotify(void)
{
	attempt("fanotify_init", sys(300 /* fanotify_init */, 0x200 /* REPORT_FID */, O_RDONLY));
}
static void inotify_outside(void)
{
	long fd = must("inotify_init1", sys(SYS_inotify_init1, IN_CLOEXEC));
	attempt("inotify_add_watch", sys(SYS_inotify_add_watch, fd, world("W_OUT"), IN_ALL_EVENTS));
}
static void inotify_twin(void)
{
	long fd = must("inotify_init1", sys(SYS_inotify_init1, IN_CLOEXEC));
	must("watch a granted directory", sys(SYS_inotify_add_watch, fd, world("W_RW"), IN_CREATE));
}

static void change_root(void)
{
	try_namespace_root();
	attempt("chroot", sys(SYS_chroot, world("W_OUT")));
	if (!probe.control)
		attempt("pivot_root", sys(SYS_pivot_root, ".", "."));
}
static void change_directory_twin(void) { must("chdir", sys(SYS_chdir, world("W_RW"))); }

struct mount_request {
	uint32_t size, spare;
	uint64_t mount, param, space;
};
static void mount_list(void)
{
	static unsigned char buffer[8192];
	struct mount_request list = { .size = 24, .mount = UINT64_MAX };
	long r = sys(458 /* listmount */, &list, buffer, 16, 0);
	if (probe.control && r == -ENOSYS)
		skip("kernel has no listmount");
	attempt("listmount", r);
	struct mount_request info = { .size = 24, .mount = *(uint64_t *)buffer, .param = 1 };
	attempt("statmount", sys(457 /* statmount */, &info, buffer + 64, sizeof(buffer) - 64, 0));
}
static void mount_list_twin(void)
{
	static unsigned char buffer[256];
	must("statx", sys(SYS_statx, AT_FDCWD, in("W_RO", "file"), 0, 0x7ff, buffer));
}

static void opath(void)
{
	char path[64];
	long fd = must("O_PATH", sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_PATH));
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	attempt("reopen for reading", sys(SYS_openat, AT_FDCWD, path, O_RDONLY));
	attempt("reopen for writing", sys(SYS_openat, AT_FDCWD, path, O_RDWR));
	attempt("truncate", sys(SYS_truncate, path, 0));
}
static long exec_opath(void)
{
	long fd = sys(SYS_openat, AT_FDCWD, in("W_OUT", "true"), O_PATH);
	char *argv[] = { "true", NULL };
	return sys(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
}
/* The child's pipe is not close-on-exec: no answer and status 0 means that the program ran. */
static long ran(long r) { return r == -EKILLED ? 0 : r; }
static void opath_exec(void) { attempt("execveat(O_PATH)", ran(in_child(exec_opath))); }
static long exec_granted(void)
{
	char *argv[] = { "true", NULL };
	return sys(SYS_execve, in("W_BIN", "true"), argv, NULL);
}
static void exec_twin(void) { must("exec granted program", ran(in_child(exec_granted))); }

static void mount_calls(void)
{
	try_namespace_root();
	attempt("open_tree", sys(428, AT_FDCWD, world("W_RW"), 1 /* CLONE */));
	attempt("fsopen", sys(430, "tmpfs", 0));
	attempt("fspick", sys(433, AT_FDCWD, "/proc", 0) == -EINVAL ? 0 : sys(433, AT_FDCWD, "/proc", 0));
	attempt("mount", sys(SYS_mount, "none", world("W_RW"), "tmpfs", 0, 0));
	uint64_t attributes[4] = { 0 };
	attempt("mount_setattr", sys(442, AT_FDCWD, world("W_RW"), 0, attributes, sizeof(attributes)));
	attempt("umount2", sys(SYS_umount2, world("W_RW"), 0));
	long tree = probe.control ? sys(428, AT_FDCWD, world("W_RW"), 1) : -1;
	attempt("move_mount", sys(429, tree, "", AT_FDCWD, world("W_RW"), 4 /* F_EMPTY_PATH */));
}

#ifdef SYS_open
static void legacy(void)
{
	attempt("open", sys(SYS_open, in("W_OUT", "secret"), O_RDONLY));
	attempt("creat", sys(SYS_creat, in("W_OUT", "made"), 0600));
	attempt("mkdir", sys(SYS_mkdir, in("W_OUT", "mkdir"), 0700));
	attempt("rename", sys(SYS_rename, in("W_OUT", "dir/f"), in("W_OUT", "moved")));
	attempt("link", sys(SYS_link, in("W_OUT", "secret"), in("W_OUT", "link")));
	attempt("symlink", sys(SYS_symlink, "x", in("W_OUT", "symlink")));
	attempt("unlink", sys(SYS_unlink, in("W_OUT", "victim")));
	attempt("rmdir", sys(SYS_rmdir, in("W_OUT", "empty")));
	attempt("mknod", sys(SYS_mknod, in("W_OUT", "fifo"), S_IFIFO | 0600, 0));
}
static void legacy_twin(void)
{
	must("open", sys(SYS_open, in("W_RO", "file"), O_RDONLY));
	must("creat", sys(SYS_creat, in("W_RW", "made"), 0600));
	must("rename", sys(SYS_rename, in("W_RW", "made"), in("W_RW", "moved")));
	must("unlink", sys(SYS_unlink, in("W_RW", "moved")));
}
#else
static void legacy(void) { skip("this architecture has no legacy calls"); }
static void legacy_twin(void) {}
#endif

static void paths_exact(void)
{
	/* The sandbox must not change what the kernel answers about a path itself. */
	static char name[5000];
	memset(name, 'a', sizeof(name) - 1);
	must("ENAMETOOLONG", sys(SYS_openat, AT_FDCWD, name, O_RDONLY) == -ENAMETOOLONG ? 0 : -EINVAL);
	name[0] = '/';
	for (size_t i = 1; i < sizeof(name) - 1; i += 2)
		name[i] = '.', name[i + 1] = '/';
	name[4095] = 0;
	must("4095 bytes", sys(SYS_openat, AT_FDCWD, name, O_PATH));
	must("empty path", sys(SYS_openat, AT_FDCWD, "", O_RDONLY) == -ENOENT ? 0 : -EINVAL);
	must("EFAULT", sys(SYS_openat, AT_FDCWD, 8, O_RDONLY) == -EFAULT ? 0 : -EINVAL);
	long fd = must("odd bytes", sys(SYS_openat, AT_FDCWD, in("W_RW", "\xff\n\x1b[31m"), O_CREAT | O_WRONLY, 0600));
	must("close", sys(SYS_close, fd));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "\xff\n\x1b[31m"), 0));
}
static void odd_paths(void)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/../out//./secret", world("W_RO"));
	attempt("..", open_and_show(path, O_RDONLY));
	snprintf(path, sizeof(path), "%s/to-out/secret", world("W_RO"));
	attempt("symlinked directory", open_and_show(path, O_RDONLY));
	snprintf(path, sizeof(path), "%s/to-secret", world("W_RO"));
	attempt("symlink", open_and_show(path, O_RDONLY));
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY, 0, 0 };
	attempt("openat2", sys(437, AT_FDCWD, path, &how, sizeof(how)));
}

static void hardlink(void)
{
	attempt("linkat", sys(SYS_linkat, AT_FDCWD, in("W_OUT", "secret"), AT_FDCWD, in("W_RW", "stolen"), 0));
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "stolen"), 0);
	attempt("AT_SYMLINK_FOLLOW", sys(SYS_linkat, AT_FDCWD, in("W_RO", "to-secret"), AT_FDCWD, in("W_RW", "stolen"), AT_SYMLINK_FOLLOW));
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "stolen"), 0);
}
static void hardlink_readonly(void)
{
	long r = attempt("linkat", sys(SYS_linkat, AT_FDCWD, in("W_RO", "file"), AT_FDCWD, in("W_RW", "stolen"), 0));
	if (r >= 0)
		attempt("write", sys(SYS_openat, AT_FDCWD, in("W_RW", "stolen"), O_WRONLY));
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "stolen"), 0);
}
static void hardlink_fd(void)
{
	char path[64];
	long fd = must("O_PATH", sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_PATH));
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	attempt("/proc/self/fd", sys(SYS_linkat, AT_FDCWD, path, AT_FDCWD, in("W_RW", "stolen"), AT_SYMLINK_FOLLOW));
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "stolen"), 0);
	long r = sys(SYS_linkat, fd, "", AT_FDCWD, in("W_RW", "stolen"), AT_EMPTY_PATH);
	if (!probe.control || is_root())
		attempt("AT_EMPTY_PATH", r == -ENOENT ? -EACCES : r);
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "stolen"), 0);
}
static void rename_out(void)
{
	attempt("rename out", sys(SYS_renameat2, AT_FDCWD, in("W_OUT", "victim"), AT_FDCWD, in("W_RW", "stolen"), 0));
	if (probe.control)
		sys(SYS_renameat2, AT_FDCWD, in("W_RW", "stolen"), AT_FDCWD, in("W_OUT", "victim"), 0);
	attempt("exchange", sys(SYS_renameat2, AT_FDCWD, in("W_OUT", "victim"), AT_FDCWD, in("W_RW", "file"), 2));
	attempt("rename in", sys(SYS_renameat2, AT_FDCWD, in("W_RW", "file"), AT_FDCWD, in("W_OUT", "planted"), 0));
	if (probe.control)
		sys(SYS_renameat2, AT_FDCWD, in("W_OUT", "planted"), AT_FDCWD, in("W_RW", "file"), 0);
	attempt("rename over", sys(SYS_renameat2, AT_FDCWD, in("W_RW", "file"), AT_FDCWD, in("W_OUT", "victim"), 0));
}
static void rename_readonly(void)
{
	attempt("read-only over writable", sys(SYS_renameat2, AT_FDCWD, in("W_RO", "file"), AT_FDCWD, in("W_RW", "file"), 0));
	if (probe.control)
		sys(SYS_linkat, AT_FDCWD, in("W_RW", "file"), AT_FDCWD, in("W_RO", "file"), 0);
	attempt("writable over read-only", sys(SYS_renameat2, AT_FDCWD, in("W_RW", "empty"), AT_FDCWD, in("W_RO", "empty"), 0));
	attempt("rename inside read-only", sys(SYS_renameat2, AT_FDCWD, in("W_RO", "file"), AT_FDCWD, in("W_RO", "file2"), 0));
}
static void destroy(void)
{
	char path[64];
	attempt("truncate", sys(SYS_truncate, in("W_RO", "file"), 0));
	attempt("O_TRUNC", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY | O_TRUNC));
	attempt("truncate outside", sys(SYS_truncate, in("W_OUT", "victim"), 0));
	long fd = must("O_PATH", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_PATH));
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	attempt("truncate by O_PATH", sys(SYS_truncate, path, 0));
	attempt("fallocate", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDWR));
	attempt("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RO", "file"), 0));
	attempt("unlink outside", sys(SYS_unlinkat, AT_FDCWD, in("W_OUT", "victim"), 0));
	attempt("rmdir outside", sys(SYS_unlinkat, AT_FDCWD, in("W_OUT", "empty"), AT_REMOVEDIR));
	attempt("mkdir in read-only", sys(SYS_mkdirat, AT_FDCWD, in("W_RO", "made"), 0700));
}
static const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };

static void metadata(void)
{
	const char *path = in("W_OUT", "victim");
	attempt("chmod", sys(SYS_fchmodat, AT_FDCWD, path, 0640));
	attempt("chown", sys(SYS_fchownat, AT_FDCWD, path, sys(SYS_getuid), sys(SYS_getgid), 0));
	attempt("utimensat", sys(SYS_utimensat, AT_FDCWD, path, old, 0));
	attempt("chmod read-only", sys(SYS_fchmodat, AT_FDCWD, in("W_RO", "file"), 0640));
}
/* The same without any write grant: then the whole family is closed. */
static void metadata_readonly(void)
{
	const char *path = in("W_RO", "file");
	attempt("fchmodat", sys(SYS_fchmodat, AT_FDCWD, path, 0640));
	attempt("fchownat", sys(SYS_fchownat, AT_FDCWD, path, sys(SYS_getuid), sys(SYS_getgid), 0));
	attempt("utimensat", sys(SYS_utimensat, AT_FDCWD, path, old, 0));
	long r = sys(SYS_setxattr, path, "user.probe", "x", 1, 0);
	if (!probe.control || r != -EOPNOTSUPP)
		attempt("setxattr", r);
	r = sys(452 /* fchmodat2 */, AT_FDCWD, path, 0640, 0);
	if (!probe.control || r != -ENOSYS)
		attempt("fchmodat2", r);
	long fd = must("open", sys(SYS_openat, AT_FDCWD, path, O_RDONLY));
	attempt("fchmod", sys(SYS_fchmod, fd, 0640));
}
static void metadata_twin(void)
{
	must("chmod own file", sys(SYS_fchmodat, AT_FDCWD, in("W_RW", "file"), 0640));
	must("utimensat own file", sys(SYS_utimensat, AT_FDCWD, in("W_RW", "file"), 0, 0));
}
static void setuid_bit(void)
{
	const char *path = in("W_RW", "suid");
	long fd = must("create", sys(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, 0700));
	attempt("fchmod", sys(SYS_fchmod, fd, 04755));
	attempt("chmod", sys(SYS_fchmodat, AT_FDCWD, path, 06755));
	sys(SYS_unlinkat, AT_FDCWD, path, 0);
	fd = sys(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, 04755);
	struct stat st = { 0 };
	fstat((int)fd, &st);
	attempt("O_CREAT mode", fd < 0 ? fd : st.st_mode & 06000 ? 0 : -EPERM);
	sys(SYS_unlinkat, AT_FDCWD, path, 0);
}
static void device_nodes(void)
{
	attempt("whiteout", sys(SYS_mknodat, AT_FDCWD, in("W_RW", "whiteout"), S_IFCHR | 0600, 0));
	if (probe.control && !is_root())
		return;
	attempt("character device", sys(SYS_mknodat, AT_FDCWD, in("W_RW", "mem"), S_IFCHR | 0600, 0x0101));
	attempt("block device", sys(SYS_mknodat, AT_FDCWD, in("W_RW", "disk"), S_IFBLK | 0600, 0x0800));
}
static void fifo_twin(void)
{
	must("fifo", sys(SYS_mknodat, AT_FDCWD, in("W_RW", "fifo"), S_IFIFO | 0600, 0));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "fifo"), 0));
}
static void devices(void)
{
	static const char *const nodes[] = { "/dev/ptmx", "/dev/mem", "/dev/kmsg", "/dev/port", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/net/tun" };
	int found = 0;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		if (sys(SYS_faccessat, AT_FDCWD, nodes[i], R_OK) < 0)
			continue;
		found++;
		attempt(nodes[i], sys(SYS_openat, AT_FDCWD, nodes[i], O_RDONLY | O_NONBLOCK));
		if (probe.control)
			return; /* one is enough to know that opening works */
	}
	if (!found)
		skip("no device node that this user could open");
}
static void devices_twin(void)
{
	must("/dev/null", sys(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR));
	must("/dev/urandom", sys(SYS_openat, AT_FDCWD, "/dev/urandom", O_RDONLY));
	must("/dev/zero", sys(SYS_openat, AT_FDCWD, "/dev/zero", O_RDONLY));
}

static const struct probe_case cases[] = {
	CASE("A00-direct", direct, twin_read, "", EACCES),
	CASE("A06-dangling-symlink-create", dangling, twin_write, "", EACCES),
	CASE("A08-proc-root-prefix", proc_root, proc_root_twin, "-r /proc", EACCES, EPERM),
	CASE("A09-proc-cwd-fd", proc_cwd_fd, proc_cwd_twin, "-r /proc", EACCES, EPERM),
	CASE("A13-dirty-dirfd", dirty_dirfd, dirty_dirfd_twin, "", EACCES),
	CASE("A18-A22-path-forms", odd_paths, paths_exact, "", EACCES),
	CASE("A31-tmpfile-linkat", tmpfile_link, tmpfile_twin, "-r /proc", EACCES, EXDEV),
	CASE("A32-open-by-handle", by_handle, twin_read, "", EPERM),
	CASE("A33-inotify-outside", inotify_outside, inotify_twin, "", EACCES, EPERM),
	CASE("A33-fanotify", fanotify, inotify_twin, "", EPERM),
	CASE("A34-change-root", change_root, change_directory_twin, "", EPERM),
	CASE("A36-list-mounts", mount_list, mount_list_twin, "", EPERM),
	CASE("A37-opath-reopen", opath, proc_cwd_twin, "-r /proc", EACCES),
	CASE("A37-opath-exec", opath_exec, exec_twin, "", EACCES),
	CASE("A38-mount-calls", mount_calls, change_directory_twin, "", EPERM),
	CASE("A40-legacy-calls", legacy, legacy_twin, "", EACCES),
	CASE("B01-hardlink-denied", hardlink, twin_write, "", EXDEV, EACCES),
	CASE("B02-hardlink-readonly", hardlink_readonly, twin_write, "", EXDEV, EACCES),
	CASE("B03-hardlink-by-fd", hardlink_fd, twin_write, "-r /proc", EXDEV, EACCES),
	CASE("B05-rename-denied", rename_out, twin_write, "", EXDEV, EACCES),
	CASE("B07-rename-readonly", rename_readonly, twin_write, "", EXDEV, EACCES),
	CASE("B08-destroy", destroy, twin_write, "", EACCES),
	CASE("B09-metadata", metadata, metadata_twin, "", EACCES, EPERM),
	CASE("B09-metadata-no-write-grant", metadata_readonly, twin_read, "no-write", EACCES, EPERM),
	CASE("B10-setuid-bit", setuid_bit, metadata_twin, "", EPERM),
	CASE("B11-device-nodes", device_nodes, fifo_twin, "", EACCES, EPERM),
	CASE("L12-devices", devices, devices_twin, "", EACCES),
};
PROBE_MAIN(cases)
