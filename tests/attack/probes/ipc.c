/* Group I: System V and POSIX IPC, keyrings. */
#include "probe.h"

#include <sys/ipc.h>
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

static const struct probe_case cases[] = {
	CASE("I07-sysv-ipc", sysv, shared_memory_twin, "", EPERM, ENOSYS),
	CASE("I07-posix-queue", queue, shared_memory_twin, "", EPERM, EACCES, ENOSYS),
	CASE("I08-keyrings", keyrings, shared_memory_twin, "", EPERM, ENOSYS),
};
PROBE_MAIN(cases)
