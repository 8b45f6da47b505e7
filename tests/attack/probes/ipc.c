/* Group I: unix sockets, System V and POSIX IPC, keyrings. */
#include "probe.h"

#include <sys/ipc.h>
#include <sys/shm.h>

static size_t unix_address(struct sockaddr_un *address, const char *path, bool abstract)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + abstract, sizeof(address->sun_path) - 1, "%s", path);
	return offsetof(struct sockaddr_un, sun_path) + (abstract ? 1 + strlen(path) : sizeof(address->sun_path));
}
static long connect_to(const char *path, bool abstract)
{
	struct sockaddr_un address;
	size_t length = unix_address(&address, path, abstract);
	return sys(SYS_connect, sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0), &address, length);
}

static void pathname(void)
{
	attempt("connect", connect_to(in("W_OUT", "stream.sock"), false));
	char path[600];
	snprintf(path, sizeof(path), "%s/to-out/stream.sock", world("W_RO"));
	attempt("through a symlink", connect_to(path, false));
	must("chdir", sys(SYS_chdir, world("W_OUT")));
	attempt("relative", connect_to("stream.sock", false));
}
static void pathname_datagram(void)
{
	struct sockaddr_un address;
	size_t length = unix_address(&address, in("W_OUT", "datagram.sock"), false);
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
	attempt("sendto", sys(SYS_sendto, fd, "x", 1, MSG_DONTWAIT, &address, length));
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_name = &address, .msg_namelen = (socklen_t)length, .msg_iov = &part, .msg_iovlen = 1 };
	attempt("sendmsg", sys(SYS_sendmsg, fd, &message, MSG_DONTWAIT));
}
static void abstract(void)
{
	attempt("connect", connect_to(world("W_ABSTRACT"), true));
	struct sockaddr_un address;
	size_t length = unix_address(&address, world("W_ABSTRACT"), true);
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	struct sockaddr family = { .sa_family = AF_UNIX };
	must("autobind", sys(SYS_bind, fd, &family, sizeof(family.sa_family)));
	attempt("connect after autobind", sys(SYS_connect, fd, &address, length));
}
static void own_sockets_twin(void)
{
	struct sockaddr_un address;
	char name[64];
	for (int abstract = 0; abstract < 2; abstract++) {
		snprintf(name, sizeof(name), "sandlock-twin-%ld", sys(SYS_getpid));
		size_t length = unix_address(&address, abstract ? name : in("W_RW", "twin.sock"), abstract);
		long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
		must("bind", sys(SYS_bind, fd, &address, length));
		must("listen", sys(SYS_listen, fd, 5));
		must("connect", sys(SYS_connect, sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0), &address, length));
	}
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "twin.sock"), 0));
}

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
	CASE("I01-I02-pathname-socket", pathname, own_sockets_twin, "", EACCES, EPERM, ECONNREFUSED),
	CASE("I04-pathname-datagram", pathname_datagram, own_sockets_twin, "", EACCES, EPERM, ECONNREFUSED),
	CASE("I03-abstract-socket", abstract, own_sockets_twin, "", EPERM),
	CASE("I07-sysv-ipc", sysv, shared_memory_twin, "", EPERM, ENOSYS),
	CASE("I07-posix-queue", queue, shared_memory_twin, "", EPERM, EACCES, ENOSYS),
	CASE("I08-keyrings", keyrings, shared_memory_twin, "", EPERM, ENOSYS),
};
PROBE_MAIN(cases)
