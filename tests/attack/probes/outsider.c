/*
 * The neighbour that every attack is aimed at: a process of the same user outside the sandbox, with sockets, a shared memory
 * segment and a message queue of its own. On each line of its standard input it prints what the world has done to it since the start:
 * one line that must not change.
 *
 *	outsider DIRECTORY ABSTRACT-NAME MQ-NAME
 */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static int unix_socket(const char *path, int type, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);
	snprintf(address.sun_path + abstract, sizeof(address.sun_path) - 1, "%s", path);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length))
		return perror(path), exit(1), -1;
	if (type == SOCK_STREAM)
		listen(fd, 64);
	return fd;
}

static int inet_socket(int type, int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || getsockname(fd, (struct sockaddr *)&address, &length))
		return perror("inet"), exit(1), -1;
	if (type == SOCK_STREAM)
		listen(fd, 64);
	*port = ntohs(address.sin_port);
	return fd;
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
	int tcp_port, udp_port;
	char path[4][200];
	static const char *const names[] = { "stream.sock", "datagram.sock" };
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", argv[1], names[i]);
	struct pollfd doors[] = {
		{ .fd = unix_socket(path[0], SOCK_STREAM, false) }, { .fd = unix_socket(path[1], SOCK_DGRAM, false) },
		{ .fd = unix_socket(argv[2], SOCK_STREAM, true) },  { .fd = inet_socket(SOCK_STREAM, &tcp_port) },
		{ .fd = inet_socket(SOCK_DGRAM, &udp_port) },
	};
	const nfds_t door_count = sizeof(doors) / sizeof(*doors);
	for (nfds_t i = 0; i < door_count; i++)
		doors[i].events = POLLIN;
	int shm = shmget((key_t)getpid() + 0x51000000, 4096, IPC_CREAT | 0600);
	char *text = shm >= 0 ? shmat(shm, NULL, 0) : NULL;
	struct {
		long flags, max, size, current, spare[4];
	} queue = { .max = 4, .size = 64 };
	long mq = sys(SYS_mq_open, argv[3], O_CREAT | O_RDWR, 0600, &queue);
	printf("%d %d %d %d %#lx\n", tcp_port, udp_port, shm, (int)mq, (unsigned long)&signals);
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
