/*
 * The neighbour that every attack is aimed at: a process of the same user outside the sandbox, with sockets, a shared memory
 * segment and a message queue of its own. Every knock is told, except at one door of TCP and UDP, which rules may open. On each line of its standard input it prints what the world has done to it since the start:
 * one line that must not change.
 *
 * At the open door it can be called: "t" (TCP) or "u" (UDP), the last byte of 127.0.0.N, and a port, high byte first. It comes there from
 * that address, and tells whether anything was said to it.
 *
 *	outsider DIRECTORY ABSTRACT-NAME MQ-NAME
 */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/shm.h>

/* A NUL in an abstract name is a byte like any other. */
static int unix_socket(const char *name, size_t length, int type, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	if (length > sizeof(address.sun_path) - 1)
		return fprintf(stderr, "%s: too long\n", name), exit(1), -1;
	memcpy(address.sun_path + abstract, name, length);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + length)))
		return perror(name), exit(1), -1;
	if (type == SOCK_STREAM)
		listen(fd, 64);
	return fd;
}

/* *port 0: any. -1 when it cannot be had. */
static int try_inet(const char *host, int type, int *port, bool shared)
{
	bool v6 = strchr(host, ':');
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .any.sa_family = v6 ? AF_INET6 : AF_INET };
	socklen_t length = v6 ? sizeof(address.v6) : sizeof(address.v4);
	int fd = socket(address.any.sa_family, type, 0), one = 1;
	inet_pton(address.any.sa_family, host, v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr);
	address.v4.sin_port = htons((uint16_t)*port);
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &address.any, length) || getsockname(fd, &address.any, &length))
		return close(fd), -1;
	if (type == SOCK_STREAM)
		listen(fd, 64);
	*port = ntohs(address.v4.sin_port);
	return fd;
}

/* TCP and UDP of one number, at another address too when `second` is given. */
static int pair_of(const char *host, const char *second, bool shared, int fd[4])
{
	for (int tries = 0; tries < 100; tries++) {
		int port = 0;
		fd[0] = try_inet(host, SOCK_STREAM, &port, shared), fd[1] = try_inet(host, SOCK_DGRAM, &port, shared);
		fd[2] = fd[3] = -1;
		if (second)
			fd[2] = try_inet(second, SOCK_STREAM, &port, false), fd[3] = try_inet(second, SOCK_DGRAM, &port, false);
		/* without IPv6 there is nothing to knock at */
		if (fd[0] >= 0 && fd[1] >= 0 && (!second || strchr(second, ':') || (fd[2] >= 0 && fd[3] >= 0)))
			return port;
		for (int i = 0; i < 4; i++)
			close(fd[i]);
	}
	return fprintf(stderr, "no free pair of ports\n"), exit(1), -1;
}

/* Heard: 'y' or 'n'. */
static char visit(int type, unsigned char host, uint16_t port)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 | host) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { 1, 0 };
	char byte = 0;
	int fd = socket(AF_INET, type, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	bool heard = bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
		     send(fd, "v", 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1;
	close(fd);
	return heard ? 'y' : 'n';
}

/* The door that rules may open: answers everybody and tells nothing. */
static void *talk(void *fd)
{
	unsigned char byte, call[3];
	if (send((int)(intptr_t)fd, "o", 1, MSG_NOSIGNAL) == 1)
		while (recv((int)(intptr_t)fd, &byte, 1, 0) > 0) {
			if ((byte != 't' && byte != 'u') || recv((int)(intptr_t)fd, call, sizeof(call), MSG_WAITALL) != sizeof(call))
				continue;
			char answer = visit(byte == 't' ? SOCK_STREAM : SOCK_DGRAM, call[0], (uint16_t)(call[1] << 8 | call[2]));
			send((int)(intptr_t)fd, &answer, 1, MSG_NOSIGNAL);
		}
	close((int)(intptr_t)fd);
	return NULL;
}
static void *welcome(void *listener)
{
	pthread_t thread;
	for (;;) {
		int fd = accept((int)(intptr_t)listener, NULL, NULL);
		if (fd >= 0 && pthread_create(&thread, NULL, talk, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
		else if (fd >= 0)
			close(fd);
	}
	return NULL;
}
static void *echo(void *socket)
{
	char data[64];
	for (;;) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		ssize_t n = recvfrom((int)(intptr_t)socket, data, sizeof(data), 0, (struct sockaddr *)&from, &length);
		if (n >= 0)
			sendto((int)(intptr_t)socket, data, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&from, length);
	}
	return NULL;
}

static volatile sig_atomic_t signals;
static void count(int signal) { (void)signal, signals++; }

int main(int argc, char **argv)
{
	if (argc != 4)
		return 98;
	for (int s = 1; s < 32; s++)
		if (s != SIGSEGV && s != SIGTERM && s != SIGPIPE)
			signal(s, count);
	char path[2][200], chat[100];
	static const char *const names[] = { "stream.sock", "datagram.sock" };
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", argv[1], names[i]);
	int chat_length = snprintf(chat, sizeof(chat), "%s%cd", argv[2], 0);
	int closed[4], open_door[4], shared[4];
	int closed_port = pair_of("127.0.0.1", "::1", false, closed), open_port = pair_of("127.0.0.1", "127.0.0.2", false, open_door);
	int shared_port = pair_of("127.0.0.1", NULL, true, shared);
	struct pollfd doors[] = {
		{ .fd = unix_socket(path[0], strlen(path[0]), SOCK_STREAM, false) },
		{ .fd = unix_socket(path[1], strlen(path[1]), SOCK_DGRAM, false) },
		{ .fd = unix_socket(argv[2], strlen(argv[2]), SOCK_STREAM, true) },
		{ .fd = unix_socket(chat, (size_t)chat_length, SOCK_DGRAM, true) },
		{ .fd = closed[0] },
		{ .fd = closed[1] },
		{ .fd = closed[2] },
		{ .fd = closed[3] },
		{ .fd = open_door[2] }, /* the open number at another address */
		{ .fd = open_door[3] },
		{ .fd = shared[0] },
		{ .fd = shared[1] },
	};
	pthread_t thread;
	if (pthread_create(&thread, NULL, welcome, (void *)(intptr_t)open_door[0]) || pthread_create(&thread, NULL, echo, (void *)(intptr_t)open_door[1]))
		return perror("pthread_create"), 1;
	const nfds_t door_count = sizeof(doors) / sizeof(*doors);
	for (nfds_t i = 0; i < door_count; i++)
		doors[i].events = POLLIN;
	int shm = shmget((key_t)getpid() + 0x51000000, 4096, IPC_CREAT | 0600);
	char *text = shm >= 0 ? shmat(shm, NULL, 0) : NULL;
	struct {
		long flags, max, size, current, spare[4];
	} queue = { .max = 4, .size = 64 };
	long mq = sys(SYS_mq_open, argv[3], O_CREAT | O_RDWR, 0600, &queue);
	printf("%d %d %d %d %d %#lx\n", closed_port, open_port, shared_port, shm, (int)mq, (unsigned long)&signals);
	fflush(stdout);

	char line[64];
	while (fgets(line, sizeof(line), stdin)) {
		struct rlimit files, cpu, core;
		cpu_set_t cpus;
		char oom[16] = "";
		getrlimit(RLIMIT_NOFILE, &files), getrlimit(RLIMIT_CPU, &cpu), getrlimit(RLIMIT_CORE, &core);
		sched_getaffinity(0, sizeof(cpus), &cpus);
		int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, oom, sizeof(oom) - 1) > 0)
			oom[strcspn(oom, "\n")] = 0;
		close(fd);
		poll(doors, door_count, 0);
		int knocks = 0;
		for (nfds_t i = 0; i < door_count; i++)
			knocks = knocks * 2 + !!(doors[i].revents & POLLIN);
		sys(SYS_mq_getsetattr, mq, NULL, &queue);
		printf("nofile=%lu cpu=%lu core=%lu cpus=%d policy=%d nice=%ld io=%ld oom=%s knocks=%d queued=%ld shm=%d signals=%d\n",
		       (unsigned long)files.rlim_cur, (unsigned long)cpu.rlim_cur, (unsigned long)core.rlim_cur, CPU_COUNT(&cpus),
		       sched_getscheduler(0), sys(SYS_getpriority, 0, 0), sys(SYS_ioprio_get, 1, 0), oom, knocks, queue.current,
		       text && text != (char *)-1 ? text[0] : 0, (int)signals);
		fflush(stdout);
	}
	if (shm >= 0)
		shmctl(shm, IPC_RMID, NULL);
	sys(SYS_mq_unlink, argv[3]);
	return 0;
}
