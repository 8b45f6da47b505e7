/* Group I: unix sockets of others, by every form of their paths and names. */
#include "probe.h"

#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <time.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path) };

struct name {
	struct sockaddr_un address;
	char beyond[64]; /* for lengths that are too long */
	size_t length;
};

static struct name path_name(const char *path)
{
	struct name name = { .address.sun_family = AF_UNIX };
	snprintf(name.address.sun_path, sizeof(name.address.sun_path), "%s", path);
	name.length = PATH_AT + strlen(path) + 1;
	return name;
}
static struct name abstract_name(const char *text, size_t length)
{
	struct name name = { .address.sun_family = AF_UNIX, .length = PATH_AT + 1 + length };
	memcpy(name.address.sun_path + 1, text, length);
	return name;
}
static long stream_to(const struct name *name)
{
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	long r = sys(SYS_connect, fd, &name->address, name->length);
	sys(SYS_close, fd);
	return r;
}
static struct msghdr message_to(const struct name *name, struct iovec *part)
{
	static char byte[] = "x";
	*part = (struct iovec){ byte, 1 };
	return (struct msghdr){ .msg_name = (void *)(uintptr_t)&name->address, .msg_namelen = (socklen_t)name->length, .msg_iov = part, .msg_iovlen = 1 };
}
/* By every call that takes a name. */
static void datagrams_to(const char *what, const struct name *name)
{
	char text[128];
	struct iovec part;
	struct mmsghdr batch[2] = { { .msg_hdr = message_to(name, &part) }, { .msg_hdr = message_to(name, &part) } };
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
#define EACH(call, r) snprintf(text, sizeof(text), "%s: %s", what, call), attempt(text, r)
	EACH("sendto", sys(SYS_sendto, fd, "x", 1, MSG_DONTWAIT, &name->address, name->length));
	EACH("sendmsg", sys(SYS_sendmsg, fd, &batch[0].msg_hdr, MSG_DONTWAIT));
	EACH("sendmmsg", sys(SYS_sendmmsg, fd, batch, 2, MSG_DONTWAIT));
	long r = sys(SYS_connect, fd, &name->address, name->length);
	EACH("connect", r);
	if (r == 0)
		EACH("write", sys(SYS_write, fd, "x", 1));
#undef EACH
	sys(SYS_close, fd);
}

/* PATH without the file, that is bent to exactly `length` bytes by "/./" and "//". */
static void stretch(char *out, const char *directory, const char *file, size_t length)
{
	size_t n = strlen(directory), rest = strlen(file);
	memcpy(out, directory, n);
	while (n + 1 + rest < length)
		out[n++] = '/';
	out[n++] = '/';
	memcpy(out + n, file, rest);
	out[n + rest] = 0;
}

static void path_forms(void)
{
	char path[600];
	struct name name;
	if (strlen(in("W_OUT", "datagram.sock")) > 90)
		skip("TMPDIR is too long for paths of sockets");
#define TRY(what, form) (name = path_name(form), attempt(what, stream_to(&name)))
	TRY("plain", in("W_OUT", "stream.sock"));
	TRY("through a symlink", in("W_RO", "to-out/stream.sock"));
	TRY("up and down", in("W_RW", "../out/stream.sock"));
	if (has_view()) /* what stands for itself in /proc is nobody's there */
		allow(ENOENT);
	/* 108 bytes, and no NUL */
	stretch(path, world("W_OUT"), "stream.sock", sizeof(name.address.sun_path));
	name = path_name("");
	memcpy(name.address.sun_path, path, sizeof(name.address.sun_path));
	name.length = sizeof(struct sockaddr_un);
	attempt("108 bytes without NUL", stream_to(&name));
	/* the kernel stops at the first NUL, whatever follows */
	name = path_name(in("W_OUT", "stream.sock"));
	size_t at = strlen(name.address.sun_path);
	strcpy(name.address.sun_path + at + 1, "x/../../rw");
	name.length = sizeof(struct sockaddr_un);
	attempt("something behind a NUL", stream_to(&name));
	/* without NUL, ended by the length; the next bytes would make another name */
	name = path_name(in("W_OUT", "stream.sock"));
	memcpy(name.address.sun_path + at, "-not", 4);
	name.length = PATH_AT + at;
	attempt("ended by the length", stream_to(&name));
	attempt("dirty halves", sys(SYS_connect, HIGH(sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0)), &name.address, HIGH(name.length)));
	long directory = sys(SYS_openat, AT_FDCWD, world("W_OUT"), O_PATH | O_DIRECTORY);
	if (directory >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%ld/stream.sock", directory);
		TRY("through a descriptor of the directory", path);
		long socket = sys(SYS_openat, directory, "stream.sock", O_PATH);
		snprintf(path, sizeof(path), "/proc/self/fd/%ld", socket);
		if (socket >= 0)
			TRY("a descriptor of the socket itself", path);
		snprintf(path, sizeof(path), "/proc/self/root%s", in("W_OUT", "stream.sock"));
		TRY("through the root", path);
	}
	/* a link of one's own, also one over /proc */
	const char *link = in("W_RW", "innocent.sock");
	sys(SYS_unlinkat, AT_FDCWD, link, 0);
	must("symlink", sys(SYS_symlinkat, in("W_OUT", "stream.sock"), AT_FDCWD, link));
	TRY("an innocent link", link);
	sys(SYS_unlinkat, AT_FDCWD, link, 0);
	if (sys(SYS_chdir, world("W_OUT")) == 0) {
		TRY("relative", "stream.sock");
		TRY("relative, up and down", "../out/./stream.sock");
		TRY("through the working directory", "/proc/self/cwd/stream.sock");
		sys(SYS_chdir, world("W_RW"));
		TRY("relative, out of a granted directory", "../out/stream.sock");
	}
#undef TRY
}
/* A name of its own for a socket that is not granted. */
static void stolen_name(void)
{
	const char *own = in("W_RW", "stolen.sock");
	sys(SYS_unlinkat, AT_FDCWD, own, 0);
	long r = sys(SYS_linkat, AT_FDCWD, in("W_OUT", "stream.sock"), AT_FDCWD, own, 0);
	if (probe.control && r == -EPERM)
		skip("protected_hardlinks");
	attempt("link", r);
	struct name name = path_name(own);
	allow(ENOENT);
	attempt("connect", stream_to(&name));
	sys(SYS_unlinkat, AT_FDCWD, own, 0);
	long fd = sys(SYS_openat, AT_FDCWD, in("W_OUT", "stream.sock"), O_PATH);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%ld", fd);
	if (fd >= 0)
		attempt("link of a descriptor", sys(SYS_linkat, AT_FDCWD, path, AT_FDCWD, own, AT_SYMLINK_FOLLOW));
	sys(SYS_unlinkat, AT_FDCWD, own, 0);
}
static void datagram_forms(void)
{
	struct name name = path_name(in("W_OUT", "datagram.sock"));
	datagrams_to("plain", &name);
	if (probe.control) /* the outsider's queue has room for ten */
		return;
	name = path_name(in("W_RO", "to-out/datagram.sock"));
	datagrams_to("through a symlink", &name);
	if (sys(SYS_chdir, world("W_OUT")) == 0) {
		name = path_name("datagram.sock");
		datagrams_to("relative", &name);
	}
	/* the second of a batch, behind one that is granted */
	struct name own = path_name(in("W_RW", "batch.sock"));
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
	must("bind", sys(SYS_bind, fd, &own.address, own.length));
	name = path_name(in("W_OUT", "datagram.sock"));
	struct iovec part;
	struct mmsghdr batch[2] = { { .msg_hdr = message_to(&own, &part) }, { .msg_hdr = message_to(&name, &part) } };
	long r = sys(SYS_sendmmsg, sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0), batch, 2, MSG_DONTWAIT);
	attempt("the second of a batch", r > 1 ? r : r == 1 ? -EACCES : r);
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
}

/* The name changes hands between the look and the use. */
static struct {
	volatile int stop;
	char link[200], spare[200];
} race;
static void *flip(void *unused)
{
	while (!race.stop)
		sys(SYS_renameat2, AT_FDCWD, race.link, AT_FDCWD, race.spare, 2 /* RENAME_EXCHANGE */);
	return unused;
}
static void swapped(void)
{
	struct name own = path_name(in("W_RW", "own.sock")), link = path_name(in("W_RW", "link.sock"));
	struct timespec now, end;
	struct sockaddr_un peer;
	pthread_t thread;
	int reached = 0, granted = 0;
	long server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	snprintf(race.link, sizeof(race.link), "%s", link.address.sun_path);
	snprintf(race.spare, sizeof(race.spare), "%s", in("W_RW", "spare.sock"));
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
	sys(SYS_unlinkat, AT_FDCWD, race.link, 0), sys(SYS_unlinkat, AT_FDCWD, race.spare, 0);
	must("bind", sys(SYS_bind, server, &own.address, own.length));
	must("listen", sys(SYS_listen, server, 64));
	must("symlink", sys(SYS_symlinkat, own.address.sun_path, AT_FDCWD, race.link));
	must("symlink", sys(SYS_symlinkat, in("W_OUT", "stream.sock"), AT_FDCWD, race.spare));
	pthread_create(&thread, 0, flip, 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 2;
	do {
		unsigned length = sizeof(peer);
		long fd = sys(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (sys(SYS_connect, fd, &link.address, link.length) == 0 && sys(SYS_getpeername, fd, &peer, &length) == 0) {
			reached += strstr(peer.sun_path, "/out/") != 0;
			granted += strstr(peer.sun_path, "/rw/") != 0;
		}
		sys(SYS_close, fd);
		sys(SYS_close, sys(SYS_accept4, server, 0, 0, 0));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!(probe.control && reached) && (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)));
	race.stop = 1;
	pthread_join(thread, 0);
	attempt("connected to the other one", reached ? reached : -EACCES);
	if (!probe.control)
		must("the granted one was reached", granted ? 0 : -ENODATA);
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
	sys(SYS_unlinkat, AT_FDCWD, race.link, 0), sys(SYS_unlinkat, AT_FDCWD, race.spare, 0);
}

static void abstract(void)
{
	const char *word = world("W_ABSTRACT");
	char chat[108];
	size_t length = strlen(word);
	struct name stream = abstract_name(word, length);
	attempt("connect", stream_to(&stream));
	struct sockaddr family = { .sa_family = AF_UNIX };
	long fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	must("autobind", sys(SYS_bind, fd, &family, sizeof(family.sa_family)));
	attempt("connect after autobind", sys(SYS_connect, fd, &stream.address, stream.length));
	snprintf(chat, sizeof(chat), "%s", word);
	chat[length + 1] = 'd'; /* behind the NUL */
	struct name datagram = abstract_name(chat, length + 2);
	datagrams_to("a NUL in the name", &datagram);
	fd = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
	must("autobind", sys(SYS_bind, fd, &family, sizeof(family.sa_family)));
	attempt("sendto after autobind", sys(SYS_sendto, fd, "x", 1, MSG_DONTWAIT, &datagram.address, datagram.length));
	if (probe.control)
		return;
	/* other names are nobody's; none may be cut or stretched until it fits */
	allow(ECONNREFUSED), allow(EINVAL);
	struct name longer = abstract_name(word, length);
	longer.length++;
	attempt("a NUL more", stream_to(&longer));
	longer.length = sizeof(struct sockaddr_un) + 1;
	attempt("too long by one", stream_to(&longer));
	longer.length = 0xffffffff;
	attempt("endless", stream_to(&longer));
	longer.length = PATH_AT;
	attempt("no name", stream_to(&longer));
}

/* I05: nobody may claim to be somebody else. */
static void claim_identity(void)
{
	int pair[2], one = 1;
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair));
	must("SO_PASSCRED", sys(SYS_setsockopt, pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS } };
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room) };
	struct ucred self = { .pid = (pid_t)sys(SYS_getpid), .uid = (uid_t)sys(SYS_getuid), .gid = (gid_t)sys(SYS_getgid) };
	const struct {
		struct ucred claim;
		const char *what;
	} claims[] = {
		{ { (pid_t)world_number("W_PID"), self.uid, self.gid }, "the outsider" },
		{ { 1, self.uid, self.gid }, "process 1" },
		{ { self.pid, self.uid + 1, self.gid }, "another user" },
		{ { self.pid, self.uid, self.gid + 1 }, "another group" },
	};
	if (!is_root())
		assert_only("an ordinary user may not claim them outside either");
	for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++) {
		memcpy(CMSG_DATA(&control.header), &claims[i].claim, sizeof(struct ucred));
		if (has_view() && claims[i].claim.pid != self.pid)
			allow(ESRCH);
		/* whoever may become another user may say so; a supervisor that sends for root does not */
		if (i > 1 && !strcmp(world("W_MODE"), "kernel") && is_root())
			continue;
		attempt(claims[i].what, sys(SYS_sendmsg, pair[0], &message, MSG_DONTWAIT));
	}
}
static void own_identity_twin(void)
{
	int pair[2];
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair));
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS } };
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room) };
	struct ucred self = { .pid = (pid_t)sys(SYS_getpid), .uid = (uid_t)sys(SYS_getuid), .gid = (gid_t)sys(SYS_getgid) };
	memcpy(CMSG_DATA(&control.header), &self, sizeof(self));
	must("my own", sys(SYS_sendmsg, pair[0], &message, MSG_DONTWAIT));
}
static struct ucred seen_by_server(void)
{
	struct name own = path_name(in("W_RW", "peer.sock"));
	struct ucred peer = { 0 };
	unsigned length = sizeof(peer);
	long server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0)), client = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
	must("bind", sys(SYS_bind, server, &own.address, own.length));
	must("listen", sys(SYS_listen, server, 1));
	must("connect", sys(SYS_connect, client, &own.address, own.length));
	long accepted = must("accept", sys(SYS_accept4, server, 0, 0, 0));
	must("SO_PEERCRED", sys(SYS_getsockopt, accepted, SOL_SOCKET, SO_PEERCRED, &peer, &length));
	sys(SYS_unlinkat, AT_FDCWD, own.address.sun_path, 0);
	return peer;
}
static void peer_user(void)
{
	assert_only("unconfined nobody connects for another");
	struct ucred peer = seen_by_server();
	attempt("another user", peer.uid == (uid_t)sys(SYS_geteuid) ? -EPERM : 0);
	attempt("another group", peer.gid == (gid_t)sys(SYS_getegid) ? -EPERM : 0);
}
static void peer_process(void)
{
	assert_only("unconfined nobody connects for another");
	if (sys(444, 0, 0, 1 /* VERSION */) >= 9 && strcmp(world("W_MODE"), "kernel"))
		skip("from ABI 9 on the kernel decides and nobody connects for another");
	attempt("another process", seen_by_server().pid == sys(SYS_getpid) ? -EPERM : 0);
}

static void own_sockets_twin(void)
{
	const char *path = in("W_RW", "twin.sock");
	char word[64];
	struct sockaddr family = { .sa_family = AF_UNIX };
	/* a NUL in the abstract name is a byte like any other */
	int n = snprintf(word, sizeof(word), "sandlock-twin-%ld%cd", sys(SYS_getpid), 0);
	struct name names[2] = { path_name(path), abstract_name(word, (size_t)n) };
	for (int i = 0; i < 2; i++) {
		long server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
		sys(SYS_unlinkat, AT_FDCWD, path, 0);
		must("bind", sys(SYS_bind, server, &names[i].address, names[i].length));
		must("listen", sys(SYS_listen, server, 5));
		must("connect", stream_to(&names[i]));
		sys(SYS_close, server);
		sys(SYS_unlinkat, AT_FDCWD, path, 0);
		server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
		must("bind", sys(SYS_bind, server, &names[i].address, names[i].length));
		struct iovec part;
		struct mmsghdr message = { .msg_hdr = message_to(&names[i], &part) };
		long client = must("socket", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
		must("autobind", sys(SYS_bind, client, &family, sizeof(family.sa_family)));
		must("sendto", sys(SYS_sendto, client, "x", 1, MSG_DONTWAIT, &names[i].address, names[i].length));
		must("sendmsg", sys(SYS_sendmsg, client, &message.msg_hdr, MSG_DONTWAIT));
		must("sendmmsg", sys(SYS_sendmmsg, client, &message, 1, MSG_DONTWAIT));
		must("connect", sys(SYS_connect, client, &names[i].address, names[i].length));
		must("write", sys(SYS_write, client, "x", 1));
		sys(SYS_close, server), sys(SYS_close, client);
	}
	sys(SYS_unlinkat, AT_FDCWD, path, 0);
	/* 108 bytes without NUL: below a directory of one's own, relative */
	struct name full = { .address.sun_family = AF_UNIX, .length = sizeof(struct sockaddr_un) };
	must("chdir", sys(SYS_chdir, world("W_RW")));
	memset(full.address.sun_path, 'a', sizeof(full.address.sun_path));
	full.address.sun_path[0] = '.', full.address.sun_path[1] = '/';
	long server = must("socket", sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	must("bind, 108 bytes", sys(SYS_bind, server, &full.address, full.length));
	must("listen", sys(SYS_listen, server, 5));
	must("connect, 108 bytes", stream_to(&full));
	char last[109] = { 0 };
	memcpy(last, full.address.sun_path, 108);
	must("unlink", sys(SYS_unlinkat, AT_FDCWD, last, 0));
}

static const struct probe_case cases[] = {
	CASE("I01-I02-pathname-socket", path_forms, own_sockets_twin, "", EACCES, EPERM, ECONNREFUSED),
	CASE("I02-proc-pathname-socket", path_forms, own_sockets_twin, "-r /proc", EACCES, EPERM, ECONNREFUSED),
	CASE("I02-stolen-name", stolen_name, own_sockets_twin, "", EACCES, EXDEV),
	CASE("I02-swapped-name", swapped, own_sockets_twin, "", EACCES),
	CASE("I04-pathname-datagram", datagram_forms, own_sockets_twin, "", EACCES, EPERM, ECONNREFUSED),
	CASE("I03-abstract-socket", abstract, own_sockets_twin, "", EPERM),
	CASE("I05-claimed-identity", claim_identity, own_identity_twin, "", EPERM),
	CASE("I05-peer-user", peer_user, own_sockets_twin, "", EPERM),
	CASE("I05-peer-process", peer_process, own_sockets_twin, "", EPERM),
};
PROBE_MAIN(cases)
