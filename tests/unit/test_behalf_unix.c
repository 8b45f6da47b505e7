/* connect and send on behalf against this kernel: unix sockets and what is passed through them. */
#include "guest.h"

#include "base/sys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

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

/* ---- cmocka ---- */

GUEST_TEST(slow_stream)
GUEST_TEST(unix_sockets)
GUEST_TEST(descriptors)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_stream),
		cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_descriptors),
	};

	guest_begin();
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	guest_end();
	return r;
}
