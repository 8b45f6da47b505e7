/*
 * Network operations to be timed bare and confined, all on 127.0.0.2.
 *
 *   network serve                        prints a TCP and a UDP port, then takes whatever comes until its input ends
 *   network connect PORT BATCHES CALLS   socket, connect, close; nanoseconds, a line for each batch
 *   network sendto PORT BATCHES CALLS    one datagram of 64 bytes to an address
 *   network sendmsg PORT BATCHES CALLS   the same by sendmsg
 *   network flood PORT THREADS COUNT     COUNT connections that are open at once, made without waiting by THREADS threads; prints
 *                                        milliseconds in all, and of the longest single connect
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, KEPT = 12000 };

static struct sockaddr_in server = {.sin_family = AF_INET};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "network: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("setrlimit");
}

/* ---- the other side ---- */

static int bound(int type)
{
	struct sockaddr_in address = server;
	socklen_t len = sizeof address;
	int one = 1, fd = socket(AF_INET, type, 0);

	address.sin_port = 0;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("bind");
	printf("%d ", ntohs(address.sin_port));
	return fd;
}

static void serve(void)
{
	static char drop[65536];
	static int kept[KEPT];
	size_t next = 0;
	int tcp = bound(SOCK_STREAM), udp = bound(SOCK_DGRAM);

	many_files();
	if (listen(tcp, 16384) < 0 || fcntl(tcp, F_SETFL, O_NONBLOCK) < 0)
		die("listen");
	printf("\n");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[] = {{0, POLLIN, 0}, {tcp, POLLIN, 0}, {udp, POLLIN, 0}};

		if (poll(fds, 3, -1) < 0)
			die("poll");
		if (fds[0].revents)
			return;
		/* Kept, so that the client decides when a connection ends; the oldest makes room. */
		for (int fd; fds[1].revents && (fd = accept(tcp, NULL, NULL)) >= 0;
		     next = (next + 1) % KEPT) {
			if (kept[next])
				close(kept[next]);
			kept[next] = fd;
		}
		while (fds[2].revents && recv(udp, drop, sizeof drop, MSG_DONTWAIT) >= 0)
			;
	}
}

/* ---- operations ---- */

static void op_connect(int unused)
{
	const struct linger reset = {1, 0}; /* no TIME_WAIT: ports would run out */
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)unused;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ||
	    connect(fd, (struct sockaddr *)&server, sizeof server) < 0)
		die("connect");
	close(fd);
}

static char payload[64];

static void op_sendto(int fd)
{
	if (sendto(fd, payload, sizeof payload, 0, (struct sockaddr *)&server, sizeof server) < 0)
		die("sendto");
}

static void op_sendmsg(int fd)
{
	struct iovec iov = {payload, sizeof payload};
	struct msghdr message = {.msg_name = &server,
				 .msg_namelen = sizeof server,
				 .msg_iov = &iov,
				 .msg_iovlen = 1};

	if (sendmsg(fd, &message, 0) < 0)
		die("sendmsg");
}

static const struct {
	const char *name;
	void (*run)(int fd);
	int datagram;
} operations[] = {{"connect", op_connect, 0}, {"sendto", op_sendto, 1}, {"sendmsg", op_sendmsg, 1}};

static void loop(void (*run)(int), int fd, int batches, int calls)
{
	for (int b = -1; b < batches; b++) {
		uint64_t begin = now_ns();

		for (int i = 0; i < calls; i++)
			run(fd);
		if (b >= 0)
			printf("%.1f\n", (double)(now_ns() - begin) / calls);
	}
}

/* ---- many at once ---- */

static int per_thread;
static uint64_t longest[MAX_THREADS];

static void *flood(void *number)
{
	struct pollfd *fds = calloc((size_t)per_thread, sizeof *fds);
	uint64_t *worst = &longest[(uintptr_t)number];
	/* No TIME_WAIT: the kernel's search for a free port would be what the next run measures. */
	const struct linger reset = {1, 0};
	int open = 0;

	if (!fds)
		die("memory");
	for (int i = 0; i < per_thread; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		uint64_t begin = now_ns();

		if (fd < 0 || (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 &&
			       errno != EINPROGRESS))
			die("connect");
		if (now_ns() - begin > *worst)
			*worst = now_ns() - begin;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		fds[i] = (struct pollfd){fd, POLLOUT, 0};
	}
	while (open < per_thread) {
		if (poll(fds, (nfds_t)per_thread, 10000) <= 0)
			die("poll");
		for (int i = 0; i < per_thread; i++) {
			int error = 0;
			socklen_t len = sizeof error;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (getsockopt(fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ||
			    (errno = error))
				die("connection");
			fds[i].fd = -1; /* stays open */
			open++;
		}
	}
	return NULL;
}

static void floods(int threads, int count)
{
	pthread_t ids[MAX_THREADS];
	uint64_t begin = now_ns(), worst = 0;

	many_files();
	per_thread = count / threads;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, flood, (void *)(uintptr_t)i))
			die("thread");
	for (int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		worst = longest[i] > worst ? longest[i] : worst;
	}
	printf("%.1f %.2f\n", (double)(now_ns() - begin) / 1e6, (double)worst / 1e6);
}

int main(int argc, char **argv)
{
	server.sin_addr.s_addr = htonl(0x7f000002);
	if (argc == 2 && !strcmp(argv[1], "serve")) {
		serve();
		return 0;
	}
	if (argc != 5)
		return 2;
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	if (!strcmp(argv[1], "flood")) {
		floods(atoi(argv[3]) > MAX_THREADS ? MAX_THREADS : atoi(argv[3]), atoi(argv[4]));
		return 0;
	}
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (!strcmp(argv[1], operations[i].name)) {
			loop(operations[i].run,
			     operations[i].datagram ? socket(AF_INET, SOCK_DGRAM, 0) : -1,
			     atoi(argv[3]), atoi(argv[4]));
			return 0;
		}
	fprintf(stderr, "network: there is no operation %s\n", argv[1]);
	return 2;
}
