/* Group I: System V and POSIX IPC, keyrings, locks and shared mappings of files. */
#include "probe.h"

#include <linux/futex.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

static void sysv(void)
{
	long pid = world_number("W_PID");
	if (has_view())
		allow(EINVAL), allow(ENOENT);
	attempt("shmget by key", sys(SYS_shmget, pid + 0x51000000, 4096, 0));
	long text = sys(SYS_shmat, world_number("W_SHM"), 0, 0);
	attempt("shmat by id", text < 0 && text > -4096 ? text : 0);
	attempt("msgget", sys(SYS_msgget, 0x5eed, IPC_CREAT | 0600));
	attempt("semget", sys(SYS_semget, 0x5eed, 1, IPC_CREAT | 0600));
	attempt("semctl", probe.control ? 0 : sys(SYS_semctl, 0, 0, 0));
	if (probe.control) {
		sys(SYS_msgctl, sys(SYS_msgget, 0x5eed, 0), IPC_RMID, 0);
		sys(SYS_semctl, sys(SYS_semget, 0x5eed, 0, 0), 0, IPC_RMID);
	}
}
static void shared_memory_twin(void)
{
	long fd = must("memfd_create", sys(SYS_memfd_create, "shared", 0));
	must("ftruncate", sys(SYS_ftruncate, fd, 4096));
	long p = sys(SYS_mmap, 0, 4096, 3, 1, fd, 0);
	must("mmap shared", p < 0 && p > -4096 ? p : 0);
}
static void queue(void)
{
	if (has_view())
		allow(ENOENT);
	long fd = sys(SYS_mq_open, world("W_MQ"), O_RDWR, 0, 0);
	attempt("mq_open", fd);
	if (fd >= 0)
		attempt("mq_timedsend", sys(SYS_mq_timedsend, fd, "x", 1, 0, 0));
}

static void keyrings(void)
{
	attempt("session keyring", sys(SYS_keyctl, 0 /* GET_KEYRING_ID */, -3, 1));
	attempt("user keyring", sys(SYS_keyctl, 0, -4, 1));
	attempt("add_key", sys(SYS_add_key, "user", "sandlock:probe", "x", 1, -4 /* user */));
	attempt("search", sys(SYS_keyctl, 10 /* SEARCH */, -4, "user", "sandlock:probe", 0));
	if (!probe.control) /* unconfined the answer depends on which keyrings the session has linked */
		attempt("request_key", sys(SYS_request_key, "user", "sandlock:probe", 0, 0));
	if (probe.control)
		sys(SYS_keyctl, 9 /* UNLINK */, sys(SYS_keyctl, 10, -4, "user", "sandlock:probe", 0), -4);
}

/* I09: locks bind those outside who ask for them. */
static long lock_range(long fd, int command, int type)
{
	struct flock lock = { .l_type = (short)type };
	return sys(SYS_fcntl, fd, command, &lock);
}
static void lock_ungranted(void)
{
	long fd = sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_RDWR);
	attempt("flock", fd < 0 ? fd : sys(SYS_flock, fd, 2 /* EX */));
	attempt("fcntl", fd < 0 ? fd : lock_range(fd, F_SETLK, F_WRLCK));
	attempt("a file that says who has it", sys(SYS_openat, AT_FDCWD, in("W_OUT", "pid"), O_CREAT | O_EXCL | O_WRONLY, 0600));
	if (probe.control)
		return;
	allow(EBADF);
	fd = must("O_PATH", sys(SYS_openat, AT_FDCWD, in("W_OUT", "secret"), O_PATH));
	attempt("flock on O_PATH", sys(SYS_flock, fd, 2));
	attempt("fcntl on O_PATH", lock_range(fd, F_SETLK, F_RDLCK));
}
static void lock_read_only(void)
{
	long fd = must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY));
	attempt("flock, exclusive", sys(SYS_flock, fd, 2 | 4 /* EX, NB */));
	attempt("fcntl, against writers", lock_range(fd, F_SETLK, F_RDLCK));
	attempt("of the description", lock_range(fd, 37 /* F_OFD_SETLK */, F_RDLCK));
}
/* Whoever opens the file to write waits for us, at most /proc/sys/fs/lease-break-time. */
static void lease_read_only(void)
{
	attempt("lease", sys(SYS_fcntl, must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY)), F_SETLEASE, F_RDLCK));
}
static void lock_twin(void)
{
	const char *path = in("W_RW", "lock");
	long fd = must("create", sys(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, 0600));
	must("flock", sys(SYS_flock, fd, 2 | 4));
	must("fcntl", lock_range(fd, F_SETLK, F_WRLCK));
	must("of the description", lock_range(must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY)), 37, F_RDLCK));
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, path, 0));
}

/* I10: what may be read is not written through a mapping that others share. */
static long map(const char *path, int flags, int protection, int kind)
{
	long fd = sys(SYS_openat, AT_FDCWD, path, flags), p = fd < 0 ? fd : sys(SYS_mmap, 0, 4096, protection, kind, fd, 0);
	sys(SYS_close, fd);
	return p;
}
static long written(long p)
{
	if (p < 0 && p > -4096)
		return p;
	*(volatile char *)p = 'x';
	return 0;
}
static void shared_mapping(void)
{
	const char *path = in("W_RO", "file");
	attempt("open and map", written(map(path, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED)));
	if (probe.control)
		return;
	allow(EFAULT), allow(EBADF), allow(EIO), allow(EPERM);
	attempt("mapped writable though opened to read", written(map(path, O_RDONLY, PROT_READ | PROT_WRITE, MAP_SHARED)));
	long p = must("map", map(path, O_RDONLY, PROT_READ, MAP_SHARED));
	attempt("mprotect", sys(SYS_mprotect, p, 4096, PROT_READ | PROT_WRITE));
	attempt("pkey_mprotect", sys(329, p, 4096, PROT_READ | PROT_WRITE, -1));
	attempt("MADV_REMOVE", sys(SYS_madvise, p, 4096, 9));
	struct iovec from = { "x", 1 }, to = { (void *)p, 1 };
	attempt("process_vm_writev", sys(SYS_process_vm_writev, sys(SYS_getpid), &from, 1, &to, 1, 0));
	attempt("the kernel writes: read", sys(SYS_read, must("zero", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY)), p, 1));
	attempt("the kernel writes: FUTEX_WAKE_OP", sys(SYS_futex, &probe.tried, FUTEX_WAKE_OP, 1, 1, p, FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)));
	attempt("the kernel writes: FUTEX_TRYLOCK_PI", sys(SYS_futex, p, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR);
	attempt("/proc/self/mem", fd < 0 ? fd : sys(SYS_pwrite64, fd, "x", 1, p));
	char link[64];
	fd = must("open", sys(SYS_openat, AT_FDCWD, path, O_RDONLY));
	snprintf(link, sizeof(link), "/proc/self/fd/%ld", fd);
	attempt("opened once more", written(map(link, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED)));
	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", p, p + 4096);
	attempt("by the mapping's own name", written(map(link, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED)));
	attempt("process_mrelease", sys(448, -1, 0));
}
static void own_mapping_twin(void)
{
	const char *path = in("W_RW", "mapped");
	long fd = must("create", sys(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, 0600));
	must("ftruncate", sys(SYS_ftruncate, fd, 4096));
	must("written for all", written(map(path, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED)));
	must("a copy of what may be read", written(map(in("W_RO", "file"), O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE)));
	must("shared to read", map(in("W_RO", "file"), O_RDONLY, PROT_READ, MAP_SHARED) > 0 ? 0 : -EACCES);
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, path, 0));
}

static const struct probe_case cases[] = {
	CASE("I07-sysv-ipc", sysv, shared_memory_twin, "", EPERM, ENOSYS),
	CASE("I07-posix-queue", queue, shared_memory_twin, "", EPERM, EACCES, ENOSYS),
	CASE("I08-keyrings", keyrings, shared_memory_twin, "", EPERM, ENOSYS),
	CASE("I09-lock-ungranted", lock_ungranted, lock_twin, "", EACCES),
	CASE("I09-lock-read-only", lock_read_only, lock_twin, "", EPERM),
	CASE("I09-lease-read-only", lease_read_only, lock_twin, "", EPERM, EINVAL),
	CASE("I10-shared-mapping", shared_mapping, own_mapping_twin, "-r /proc", EACCES),
};
PROBE_MAIN(cases)
