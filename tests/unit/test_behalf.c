/*
 * connect and send on behalf against this kernel: a child with a real filter, and the handlers answering it. Where no filter can be
 * installed the tests are skipped.
 */
#include "net/behalf.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DENIED = EHOSTUNREACH };

static struct session session;
static struct arena arena;
static char directory[] = "/tmp/behalf-XXXXXX"; /* granted: its "in"; not granted: its "out" */

/* ---- the policy: 127.0.0.1 and ::1, sockets below "in" ---- */

static void open_policy(void)
{
	struct image_writer *w = arena_new(&arena, struct image_writer);
	struct image image;
	size_t size;
	char path[64];
	static struct net_record record = {
		.flags = NET_UNIX_GATE | NET_JUDGE_CONNECT | NET_JUDGE_SEND,
		.deny_errno = DENIED,
	};
	static const struct endpoint_entry entries[] = {
		{.first = {0, 0xffff7f000001},
		 .last = {0, 0xffff7f000001},
		 .family = 4,
		 .protocols = ENDPOINT_PROTOCOLS,
		 .directions = ENDPOINT_EGRESS,
		 .allow = 1},
		{.first = {0, 1},
		 .last = {0, 1},
		 .family = 6,
		 .protocols = ENDPOINT_PROTOCOLS,
		 .directions = ENDPOINT_EGRESS,
		 .allow = 1},
	};
	static const struct net_bind binds[] = {
		{.protocol = ENDPOINT_TCP, .first = 80, .last = 90},
		{.protocol = ENDPOINT_UDP, .first = 65535, .last = 65535}};
	static struct net_grant grant;

	image_begin(w, &arena);
	snprintf(path, sizeof path, "%s/in", directory);
	grant.path = image_add_text(w, path);
	image_add(w, IMAGE_NET, &record, 1, sizeof record);
	image_add(w, IMAGE_ENDPOINTS, entries, ARRAY_LEN(entries), sizeof *entries);
	image_add(w, IMAGE_NET_BINDS, binds, ARRAY_LEN(binds), sizeof *binds);
	image_add(w, IMAGE_NET_GRANTS, &grant, 1, sizeof grant);
	void *bytes = image_finish(w, &size);
	assert_int_equal(image_open(bytes, size, &image), 0);
	assert_true(net_open(&image, &session));
}

/* ---- the child ---- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(2, "%s:%d: %s (%s)\n", __func__, __LINE__, #condition,             \
				strerror(errno));                                                  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define FAILS(call, error) CHECK((call) < 0 && errno == (error))

static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmmsg, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	const struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)SYS(seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			&program);
}

static void serve_one(void)
{
	struct seccomp_notif request = {0};
	struct call call = {.session = &session};

	if (ioctl(session.listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return;
	call.id = request.id;
	call.pid = (int)request.pid;
	call.nr = request.data.nr;
	memcpy(call.args, request.data.args, sizeof call.args);
	notify_reply(&call, call.nr == SYS_connect ? handle_connect(&call) : handle_send(&call));
}

static void run(void (*program)(void))
{
	int ready[2], status;
	int listener = -1;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		listener = install_filter();
		if (write(ready[1], &listener, sizeof listener) != sizeof listener || listener < 0)
			_exit(2);
		program();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &listener, sizeof listener), sizeof listener);
	close(ready[0]);
	if (listener < 0) {
		waitpid(child, &status, 0);
		skip();
	}
	auto_fd pidfd = (int)SYS(pidfd_open, child, 0);
	session.listener = (int)SYS(pidfd_getfd, pidfd, listener, 0);
	assert_true(session.listener >= 0);
	for (;;) {
		struct pollfd fds[] = {{.fd = session.listener, .events = POLLIN},
				       {.fd = pidfd, .events = POLLIN}};

		assert_true(poll(fds, 2, 20000) > 0);
		if (fds[0].revents & POLLIN)
			serve_one();
		else if (fds[1].revents)
			break;
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	fd_close(&session.listener);
	assert_int_equal(status, 0);
}

/* A helper of the program, which ends with it. */
static pid_t helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static int bound_socket(int type, const char *ip, struct sockaddr_in *address)
{
	int fd = socket(AF_INET, type, 0);
	socklen_t len = sizeof *address;

	*address = (struct sockaddr_in){.sin_family = AF_INET};
	inet_pton(AF_INET, ip, &address->sin_addr);
	CHECK(fd >= 0 && bind(fd, (void *)address, len) == 0);
	CHECK(getsockname(fd, (void *)address, &len) == 0);
	return fd;
}

static int listening(const char *ip, int backlog, struct sockaddr_in *address)
{
	int fd = bound_socket(SOCK_STREAM, ip, address);

	CHECK(listen(fd, backlog) == 0);
	return fd;
}

static int arrived(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0);
}

/* ---- connect ---- */

static void tcp(void)
{
	struct sockaddr_in yes, no, other;
	int server = listening("127.0.0.1", 8, &yes), outside = listening("127.0.0.2", 8, &no);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof other;

	FAILS(connect(fd, (void *)&no, sizeof no), DENIED);
	CHECK(arrived(outside) == 0);
	CHECK(connect(fd, (void *)&yes, sizeof yes) == 0);
	CHECK(getpeername(fd, (void *)&other, &len) == 0 && other.sin_port == yes.sin_port);
	CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	FAILS(connect(fd, (void *)&yes, sizeof yes), EISCONN);

	/* dissolved, then judged again */
	CHECK(connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, 2) == 0);
	FAILS(connect(fd, (void *)&no, sizeof no), DENIED);
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r = connect(fd, (void *)&yes, sizeof yes);
	CHECK(r == 0 || errno == EINPROGRESS);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM, 0);
	close(server);
	FAILS(connect(fd, (void *)&yes, sizeof yes), ECONNREFUSED);
}

static void addresses(void)
{
	struct sockaddr_in yes;
	int tcp_server = listening("127.0.0.1", 8, &yes);
	int fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);
	int file = open("/dev/null", O_RDWR);
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = yes.sin_port};

	static const socklen_t lengths[] = {0, 1, 2, 15, 129, UINT32_MAX, INT32_MAX};
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		CHECK(SYS(connect, fd, &yes, lengths[i]) == -EINVAL);
	CHECK(SYS(connect, fd, 8, sizeof yes) == -EFAULT);
	CHECK(SYS(connect, 77, &yes, sizeof yes) == -EBADF);
	CHECK(SYS(connect, -1, &yes, sizeof yes) == -EBADF);
	CHECK(SYS(connect, file, &yes, sizeof yes) == -ENOTSOCK);
	CHECK(SYS(connect, six, &yes, sizeof yes) < 0);
	yes.sin_family = 77;
	CHECK(SYS(connect, fd, &yes, sizeof yes) == -EAFNOSUPPORT);

	if (six >= 0) { /* one verdict for both forms */
		inet_pton(AF_INET6, "::ffff:127.0.0.2", &mapped.sin6_addr);
		FAILS(connect(six, (void *)&mapped, sizeof mapped), DENIED);
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
		CHECK(connect(six, (void *)&mapped, sizeof mapped) == 0);
		CHECK(arrived(tcp_server) == 1);
	}
}

/* A listener whose queue is full drops what comes: a connect that hangs. */
static int deaf_listener(struct sockaddr_in *address)
{
	int server = listening("127.0.0.1", 0, address);

	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect(fd, (void *)address, sizeof *address);
	}
	usleep(50000);
	return server;
}

static volatile sig_atomic_t rang;
static void ring(int signal UNUSED)
{
	rang++;
}

static void alarm_after(long ms, int flags)
{
	const struct sigaction action = {.sa_handler = ring, .sa_flags = flags};
	const struct itimerval timer = {.it_value = {.tv_usec = ms * 1000}};

	rang = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void waiting(void)
{
	struct sockaddr_in deaf, good, peer;
	socklen_t len = sizeof peer;
	int server = deaf_listener(&deaf), open_server = listening("127.0.0.1", 8, &good);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const struct timeval limit = {.tv_usec = 200000};

	/* Somebody who waits holds nobody up. */
	if (!helper()) {
		int stuck = socket(AF_INET, SOCK_STREAM, 0);

		connect(stuck, (void *)&deaf, sizeof deaf);
		_exit(0);
	}
	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
	uint64_t start = clock_ns();
	FAILS(connect(fd, (void *)&deaf, sizeof deaf), EINPROGRESS);
	CHECK(clock_ns() - start > 150000000 && clock_ns() - start < 2000000000);

	fd = socket(AF_INET, SOCK_STREAM, 0);
	alarm_after(100, 0);
	FAILS(connect(fd, (void *)&deaf, sizeof deaf), EINTR);
	CHECK(rang == 1);

	int quick = socket(AF_INET, SOCK_STREAM, 0);
	start = clock_ns();
	CHECK(connect(quick, (void *)&good, sizeof good) == 0);
	CHECK(clock_ns() - start < 500000000);

	/* Restarted by the kernel, then it succeeds: the queue is emptied. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	alarm_after(100, SA_RESTART);
	if (!helper()) {
		fcntl(server, F_SETFL, O_NONBLOCK);
		for (int i = 0; i < 20; i++) {
			usleep(150000);
			accept(server, NULL, NULL);
		}
		_exit(0);
	}
	CHECK(connect(fd, (void *)&deaf, sizeof deaf) == 0);
	CHECK(rang == 1);
	CHECK(getpeername(fd, (void *)&peer, &len) == 0);
	close(open_server);
}

/* ---- datagrams ---- */

static void udp(void)
{
	struct sockaddr_in yes, no;
	int in = bound_socket(SOCK_DGRAM, "127.0.0.1", &yes),
	    out = bound_socket(SOCK_DGRAM, "127.0.0.2", &no);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char got[32];

	CHECK(sendto(fd, "hello", 5, 0, (void *)&yes, sizeof yes) == 5);
	CHECK(recv(in, got, sizeof got, 0) == 5 && !memcmp(got, "hello", 5));
	FAILS(sendto(fd, "x", 1, 0, (void *)&no, sizeof no), DENIED);
	no.sin_family = yes.sin_family = AF_UNSPEC; /* the kernel takes it for AF_INET */
	FAILS(sendto(fd, "x", 1, 0, (void *)&no, sizeof no), DENIED);
	CHECK(sendto(fd, "", 0, 0, (void *)&yes, sizeof yes) == 0);
	CHECK(recv(in, got, sizeof got, 0) == 0);
	no.sin_family = yes.sin_family = AF_INET;
	FAILS(sendto(fd, "x", 1, 0, (void *)&yes, 2), EINVAL);
	CHECK(SYS(sendto, fd, 8, 1, 0, &yes, sizeof yes) == -EFAULT);

	struct iovec vector = {"ab", 2};
	struct mmsghdr batch[3] = {
		{.msg_hdr = {&yes, sizeof yes, &vector, 1, NULL, 0, 0}},
		{.msg_hdr = {&no, sizeof no, &vector, 1, NULL, 0, 0}},
		{.msg_hdr = {&yes, sizeof yes, &vector, 1, NULL, 0, 0}},
	};
	CHECK(sendmmsg(fd, batch, 3, 0) == 1 && batch[0].msg_len == 2 && batch[2].msg_len == 0);
	FAILS(sendmmsg(fd, batch + 1, 2, 0), DENIED);
	CHECK(sendmmsg(fd, batch, 0, 0) == 0);
	CHECK(recv(in, got, sizeof got, 0) == 2 && arrived(in) == 0);

	static struct mmsghdr many[100];
	for (int i = 0; i < 100; i++)
		many[i] = batch[0];
	CHECK(sendmmsg(fd, many, 100, 0) == 100 && many[99].msg_len == 2);
	while (arrived(in))
		CHECK(recv(in, got, sizeof got, 0) == 2);

	/* connected, no name */
	CHECK(connect(fd, (void *)&yes, sizeof yes) == 0);
	struct msghdr plain = {.msg_iov = &vector, .msg_iovlen = 1};
	CHECK(sendmsg(fd, &plain, 0) == 2);
	plain.msg_iovlen = 1025;
	CHECK(SYS(sendmsg, fd, &plain, 0) == -EMSGSIZE);
	struct iovec null = {NULL, 4};
	plain = (struct msghdr){.msg_iov = &null, .msg_iovlen = 1};
	FAILS(sendmsg(fd, &plain, 0), EFAULT);

	char room[CMSG_SPACE(24)] = {0};
	plain = (struct msghdr){.msg_iov = &vector,
				.msg_iovlen = 1,
				.msg_control = room,
				.msg_controllen = sizeof room};
	struct cmsghdr *header = CMSG_FIRSTHDR(&plain);
	*header = (struct cmsghdr){.cmsg_len = CMSG_LEN(24), .cmsg_level = 41, .cmsg_type = 57};
	FAILS(sendmsg(fd, &plain, 0), EPERM);
	header->cmsg_level = 0;
	header->cmsg_type = 7;
	FAILS(sendmsg(fd, &plain, 0), EPERM);
	header->cmsg_len = 3;
	FAILS(sendmsg(fd, &plain, 0), EINVAL);
	CHECK(arrived(out) == 0);

	/* As long as a datagram can be, and longer. */
	static char big[70000];
	int large = 1 << 20;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
	CHECK(sendto(fd, big, 65507, 0, (void *)&yes, sizeof yes) == 65507);
	FAILS(sendto(fd, big, 65508, 0, (void *)&yes, sizeof yes), EMSGSIZE);
}

/* Another thread changes the address all the time. */
static struct sockaddr_in flipping;
static atomic_int stop;
static void *flip(void *unused UNUSED)
{
	volatile in_addr_t *address = &flipping.sin_addr.s_addr;

	while (!stop) {
		*address = htonl(0x7f000001);
		*address = htonl(0x7f000002);
	}
	return NULL;
}

static void swapped(void)
{
	struct sockaddr_in yes, no;
	int in = bound_socket(SOCK_DGRAM, "127.0.0.1", &yes);
	int out = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
	pthread_t thread;
	int sent = 0, refused = 0;
	char got[8];

	no = yes;
	inet_pton(AF_INET, "127.0.0.2", &no.sin_addr);
	CHECK(bind(out, (void *)&no, sizeof no) == 0);
	flipping = yes;
	CHECK(pthread_create(&thread, NULL, flip, NULL) == 0);
	for (int i = 0; i < 3000; i++) {
		if (sendto(fd, "x", 1, 0, (void *)&flipping, sizeof flipping) == 1)
			sent++;
		else
			refused++;
		while (recv(in, got, sizeof got, MSG_DONTWAIT) > 0)
			;
	}
	stop = 1;
	pthread_join(thread, NULL);
	CHECK(sent && refused);
	CHECK(arrived(out) == 0);
}

/* ---- streams and unix sockets ---- */

static void slow_stream(void)
{
	static char data[4 << 20], got[1 << 16];
	int pair[2], status;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	pid_t reader = helper();
	if (!reader) {
		size_t n = 0;

		close(pair[0]);
		usleep(100000);
		for (ssize_t r; (r = read(pair[1], got, sizeof got)) > 0; n += (size_t)r)
			if (memcmp(got, data + n, (size_t)r) != 0)
				_exit(1);
		_exit(n == sizeof data ? 0 : 1);
	}
	close(pair[1]);
	struct iovec vectors[3] = {
		{data, 1000001}, {data + 1000001, 7}, {data + 1000008, sizeof data - 1000008}};
	struct mmsghdr batch = {.msg_hdr = {.msg_iov = vectors, .msg_iovlen = 3}};
	CHECK(sendmmsg(pair[0], &batch, 1, 0) == 1 && batch.msg_len == sizeof data);
	close(pair[0]);
	CHECK(waitpid(reader, &status, 0) == reader && status == 0);

	/* Nobody reads: what fits, a time limit, a signal. */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	struct msghdr one = {.msg_iov = vectors, .msg_iovlen = 3};
	ssize_t part = sendmsg(pair[0], &one, MSG_DONTWAIT);
	CHECK(part > 0 && (size_t)part < sizeof data);
	/* Small pieces may still fit where a large one did not. */
	while (send(pair[0], data, 1, MSG_DONTWAIT) == 1)
		;
	FAILS(sendmsg(pair[0], &one, MSG_DONTWAIT), EAGAIN);
	const struct timeval limit = {.tv_usec = 100000};
	CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
	FAILS(sendmsg(pair[0], &one, 0), EAGAIN);
	const struct timeval none = {0};
	CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) == 0);
	alarm_after(100, 0);
	FAILS(sendmsg(pair[0], &one, 0), EINTR);
	CHECK(rang == 1);

	/* The other end is gone. */
	close(pair[1]);
	const struct sigaction action = {.sa_handler = ring};
	sigaction(SIGPIPE, &action, NULL);
	rang = 0;
	FAILS(sendmsg(pair[0], &one, MSG_NOSIGNAL), EPIPE);
	CHECK(rang == 0);
	FAILS(sendmsg(pair[0], &one, 0), EPIPE);
	CHECK(rang == 1);
}

static struct sockaddr_un named(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", directory, name);
	return a;
}

static int unix_server(const char *name, int type)
{
	struct sockaddr_un a = named(name);
	int fd = socket(AF_UNIX, type, 0);

	unlink(a.sun_path);
	CHECK(bind(fd, (void *)&a, sizeof a) == 0);
	if (type != SOCK_DGRAM)
		CHECK(listen(fd, 0) == 0);
	return fd;
}

static int unix_connect(const char *path, socklen_t len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(a.sun_path, path, MIN(strlen(path), sizeof a.sun_path));
	int r = connect(fd, (void *)&a, len ? len : (socklen_t)sizeof a) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void unix_sockets(void)
{
	int in = unix_server("in/s", SOCK_STREAM), out = unix_server("out/s", SOCK_STREAM);
	char path[128], got[16];
	struct sockaddr_un a = named("in/s");

	CHECK(unix_connect(a.sun_path, 0) == 0);
	close(accept(in, NULL, NULL));
	CHECK(unix_connect(a.sun_path, (socklen_t)(2 + strlen(a.sun_path))) == 0);
	close(accept(in, NULL, NULL));
	snprintf(path, sizeof path, "%s/out/s", directory);
	CHECK(unix_connect(path, 0) == -EACCES);
	snprintf(path, sizeof path, "%s/in/../out/s", directory);
	CHECK(unix_connect(path, 0) == -EACCES);
	snprintf(path, sizeof path, "%s/in/link", directory);
	char target[128];
	snprintf(target, sizeof target, "%s/out/s", directory);
	unlink(path);
	CHECK(symlink(target, path) == 0);
	CHECK(unix_connect(path, 0) == -EACCES);
	snprintf(path, sizeof path, "/proc/self/root%s/out/s", directory);
	CHECK(unix_connect(path, 0) == -EACCES);
	snprintf(path, sizeof path, "%s/in/none", directory);
	CHECK(unix_connect(path, 0) == -ENOENT);
	snprintf(path, sizeof path, "%s/in/file", directory);
	close(open(path, O_CREAT | O_RDWR, 0600));
	CHECK(unix_connect(path, 0) == -ECONNREFUSED);

	/* relative, also out of the directory */
	snprintf(path, sizeof path, "%s/out", directory);
	CHECK(chdir(path) == 0);
	CHECK(unix_connect("s", 0) == -EACCES);
	CHECK(unix_connect("../in/s", 0) == 0);
	close(accept(in, NULL, NULL));
	snprintf(path, sizeof path, "%s/in", directory);
	CHECK(chdir(path) == 0);
	CHECK(unix_connect("s", 0) == 0);
	CHECK(unix_connect("link", 0) == -EACCES);
	CHECK(arrived(out) == 0);

	/* The queue (of one, above) is full: a blocking connect waits for it. */
	int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(connect(second, (void *)&a, sizeof a), EAGAIN);
	if (!helper()) {
		usleep(100000);
		close(accept(in, NULL, NULL));
		_exit(0);
	}
	uint64_t start = clock_ns();
	CHECK(unix_connect(a.sun_path, 0) == 0);
	CHECK(clock_ns() - start > 50000000);

	/* datagrams */
	int inbox = unix_server("in/d", SOCK_DGRAM), outbox = unix_server("out/d", SOCK_DGRAM);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un to = named("in/d"), forbidden = named("out/d");
	CHECK(sendto(fd, "hi", 2, 0, (void *)&to, sizeof to) == 2);
	CHECK(recv(inbox, got, sizeof got, 0) == 2);
	FAILS(sendto(fd, "hi", 2, 0, (void *)&forbidden, sizeof forbidden), EACCES);
	FAILS(connect(fd, (void *)&forbidden, sizeof forbidden), EACCES);
	CHECK(arrived(outbox) == 0);

	/* its queue is full: wait by the clock */
	while (sendto(fd, "hi", 2, MSG_DONTWAIT, (void *)&to, sizeof to) == 2)
		;
	CHECK(errno == EAGAIN);
	if (!helper()) {
		usleep(100000);
		while (recv(inbox, got, sizeof got, MSG_DONTWAIT) > 0)
			;
		_exit(0);
	}
	CHECK(sendto(fd, "last", 4, 0, (void *)&to, sizeof to) == 4);

	/* abstract */
	struct sockaddr_un hidden = {.sun_family = AF_UNIX};
	socklen_t len =
		(socklen_t)(2 + snprintf(hidden.sun_path + 1, 60, "behalf-%d", getpid()) + 1);
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(server, (void *)&hidden, len) == 0 && listen(server, 1) == 0);
	CHECK(connect(client, (void *)&hidden, len) == 0);
	FAILS(sendto(client, "x", 1, 0, (void *)&hidden, len), EISCONN);
}

static void descriptors(void)
{
	int pair[2], content[2], count = 0;
	char byte = 'x', got[CMSG_SPACE(4 * sizeof(int))];
	struct iovec vector = {&byte, 1};
	union {
		char room[CMSG_SPACE(300 * sizeof(int))];
		struct cmsghdr align;
	} control = {.room = {0}};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(sizeof(int))};

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(content) == 0);
	CHECK(write(content[1], "secret", 6) == 6);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(header), &content[0], sizeof(int));
	CHECK(sendmsg(pair[0], &message, 0) == 1);

	struct msghdr in = {.msg_iov = &vector,
			    .msg_iovlen = 1,
			    .msg_control = got,
			    .msg_controllen = sizeof got};
	CHECK(recvmsg(pair[1], &in, 0) == 1);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&in); h; h = CMSG_NXTHDR(&in, h)) {
		char text[8];
		int fd;

		memcpy(&fd, CMSG_DATA(h), sizeof fd);
		CHECK(read(fd, text, sizeof text) == 6 && !memcmp(text, "secret", 6));
		count++;
	}
	CHECK(count == 1);

	memcpy(CMSG_DATA(header), &(int){77}, sizeof(int));
	FAILS(sendmsg(pair[0], &message, 0), EBADF);
	header->cmsg_len = CMSG_LEN(254 * sizeof(int));
	message.msg_controllen = CMSG_SPACE(254 * sizeof(int));
	FAILS(sendmsg(pair[0], &message, 0), EINVAL);

	struct ucred ids = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
	*header = (struct cmsghdr){CMSG_LEN(sizeof ids), SOL_SOCKET, SCM_CREDENTIALS};
	memcpy(CMSG_DATA(header), &ids, sizeof ids);
	message.msg_controllen = CMSG_SPACE(sizeof ids);
	CHECK(sendmsg(pair[0], &message, 0) == 1);
	ids.pid = 1;
	memcpy(CMSG_DATA(header), &ids, sizeof ids);
	FAILS(sendmsg(pair[0], &message, 0), EPERM);
	header->cmsg_type = 9;
	FAILS(sendmsg(pair[0], &message, 0), EPERM);
}

/* A thread with descriptors of its own is asked itself. */
static void *own_table(void *address)
{
	int fd;

	CHECK(unshare(CLONE_FILES) == 0);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(fd == 3);
	CHECK(sendto(fd, "own", 3, 0, address, sizeof(struct sockaddr_in)) == 3);
	return NULL;
}

static void threads(void)
{
	struct sockaddr_in yes;
	int in = bound_socket(SOCK_DGRAM, "127.0.0.1", &yes);
	pthread_t thread;
	char got[8];

	CHECK(pthread_create(&thread, NULL, own_table, &yes) == 0);
	pthread_join(thread, NULL);
	CHECK(recv(in, got, sizeof got, MSG_DONTWAIT) == 3);
}

/* ---- cmocka ---- */

#define TEST(name)                                                                                 \
	static void test_##name(void **state UNUSED)                                               \
	{                                                                                          \
		run(name);                                                                         \
	}
TEST(tcp)
TEST(addresses)
TEST(waiting)
TEST(udp)
TEST(swapped)
TEST(slow_stream)
TEST(unix_sockets)
TEST(descriptors)
TEST(threads)

static void policy(void **state UNUSED)
{
	assert_int_equal(net.table.count, 2);
	assert_int_equal(net.allow_bind_tcp[10], 0xff);
	assert_int_equal(net.allow_bind_tcp[11], 0x07);
	assert_int_equal(net.allow_bind_tcp[12], 0);
	assert_int_equal(net.allow_bind_udp[PORT_COUNT / 8 - 1], 0x80);
	assert_false(net.table.allow_egress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy),	    cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_addresses),   cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_udp),	    cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_slow_stream), cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_threads),
	};
	char path[64];

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/in", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/out", directory);
	mkdir(path, 0700);
	signal(SIGPIPE, SIG_IGN);
	open_policy();
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof path, "rm -rf %s", directory);
	return system(path) || r;
}
