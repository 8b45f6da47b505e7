/* Group C: descriptors that the guest should not have, and descriptors as a way around paths. */
#include "probe.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

static void inherited(void)
{
	/* The runner leaves a file of the denied tree (rw), its directory, a listening socket and a pipe open. */
	for (int fd = 3; fd < 1024; fd++) {
		if (sys(SYS_fcntl, fd, F_GETFD) < 0)
			continue;
		char what[32];
		snprintf(what, sizeof(what), "descriptor %d", fd);
		attempt(what, fd);
	}
	if (!probe.control)
		attempt("count", probe.escaped ? 0 : -EBADF);
}
static void own_descriptors_twin(void)
{
	long fd = must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY));
	must("lowest number is 3", fd == 3 ? 0 : -EINVAL);
	must("dup3", sys(SYS_dup3, fd, 700, 0));
	must("close_range", sys(436, 700, 800, 0));
	must("stdin", sys(SYS_fcntl, 0, F_GETFD));
	must("stdout", sys(SYS_fcntl, 1, F_GETFD));
	must("stderr", sys(SYS_fcntl, 2, F_GETFD));
}

/* I06: whoever listens for the caller answers for it. */
static void inherited_listener(void)
{
	int accepted = 0;
	for (int fd = 3; fd < 1024; fd++)
		accepted += sys(SYS_accept4, fd, 0, 0, SOCK_NONBLOCK) >= 0;
	attempt("connections to sockets that a careless caller left listening", accepted ? accepted : -EBADF);
}
static void own_listener_twin(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	unsigned length = sizeof(address);
	long server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0)), client = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	must("bind", sys(SYS_bind, server, &address, sizeof(address.sun_family)));
	must("getsockname", sys(SYS_getsockname, server, &address, &length));
	must("listen", sys(SYS_listen, server, 1));
	must("connect", sys(SYS_connect, client, &address, length));
	must("accept", sys(SYS_accept4, server, 0, 0, SOCK_NONBLOCK));
}

static void listener(void)
{
	if (probe.control) {
		struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
		struct sock_fprog program = { 1, code };
		sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		must("listener", sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
	}
	bool found = false;
	for (int fd = 0; fd < 1024; fd++) {
		uint64_t id = 1;
		found |= sys(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == -ENOENT;
	}
	attempt("a descriptor answers as a seccomp listener", found ? 0 : -EBADF);
}

static void ruleset(void)
{
	struct landlock_ruleset_attr attribute = { .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE };
	if (probe.control)
		must("ruleset", sys(444, &attribute, 8, 0));
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_EXECUTE, .parent_fd = -1 };
	bool found = false;
	for (int fd = 0; fd < 1024; fd++) {
		long r = sys(445, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
		/* EBADF for the parent only after the ruleset was accepted; on other files EBADFD comes first */
		if (sys(SYS_fcntl, fd, F_GETFD) >= 0)
			found |= r == -EBADF;
	}
	attempt("a descriptor answers as a Landlock ruleset", found ? 0 : -EBADF);
}

static void received(void)
{
	/* Whoever we could reach could hand us anything: reaching must fail. */
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", world("W_ABSTRACT"));
	size_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(world("W_ABSTRACT"));
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	attempt("connect to an abstract name outside", sys(SYS_connect, fd, &address, length));
}
static void pass_twin(void)
{
	int pair[2];
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	long fd = must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY));
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	int number = (int)fd;
	memcpy(CMSG_DATA(&control.header), &number, sizeof(number));
	struct iovec byte = { "x", 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	must("send a descriptor inside", sys(SYS_sendmsg, pair[0], &message, 0));
	char got;
	struct iovec back = { &got, 1 };
	message.msg_iov = &back;
	must("receive it", sys(SYS_recvmsg, pair[1], &message, 0));
}

static const struct probe_case cases[] = {
	CASE("C01-C16-inherited", inherited, own_descriptors_twin, "", EBADF),
	CASE("I06-inherited-listener", inherited_listener, own_listener_twin, "", EBADF),
	CASE("C15-listener-reachable", listener, own_descriptors_twin, "", EBADF),
	CASE("C16-ruleset-reachable", ruleset, own_descriptors_twin, "", EBADF),
	CASE("C04-C05-receive-from-outside", received, pass_twin, "", EPERM),
};
PROBE_MAIN(cases)
