/* connect and send on behalf against this kernel: internet sockets. */
#include "guest.h"

#include "base/sys.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

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

GUEST_TEST(tcp)
GUEST_TEST(addresses)
GUEST_TEST(waiting)
GUEST_TEST(udp)
GUEST_TEST(swapped)
GUEST_TEST(threads)

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
		cmocka_unit_test(policy),	  cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_udp),	  cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_threads),
	};

	guest_begin();
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	guest_end();
	return r;
}
