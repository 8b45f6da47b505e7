/*
 * Times single operations in a loop, to be run bare and confined. Prints nanoseconds for one operation, a line for each batch.
 *
 *   micro WHAT BATCHES CALLS            WHAT: see operations[]
 *   micro pingpong BATCHES CALLS A B    two processes and two pipes, a byte there and back; CPUs A and B, -1 = any
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "micro: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- operations ---- */

static void op_getppid(void)
{
	syscall(SYS_getppid);
}

static void op_uname(void)
{
	struct utsname name;

	if (syscall(SYS_uname, &name) < 0)
		die("uname");
}

/* An empty mask is never accepted, so nothing changes even where nobody asks about the target. */
static void op_foreign(void)
{
	syscall(SYS_sched_setaffinity, 1, 0L, NULL);
}

static pid_t self;

static void op_own(void)
{
	syscall(SYS_sched_setaffinity, self, 0L, NULL);
}

static void op_process(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("vfork");
}

static void op_open(void)
{
	int fd = open("/usr/share/doc", O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		die("/usr/share/doc");
	close(fd);
}

static void op_stat(void)
{
	struct stat st;

	if (stat("/usr/share/doc", &st) < 0)
		die("/usr/share/doc");
}

static const struct {
	const char *name;
	void (*run)(void);
} operations[] = {
	{"getppid", op_getppid}, /* never trapped */
	{"uname", op_uname},	 /* answered with a value under --hostname without a view */
	{"foreign", op_foreign}, /* refused by a supervisor without a view */
	{"own", op_own},	 /* checked by it and continued */
	{"process", op_process}, /* checked and continued under a process limit */
	{"open", op_open},	 {"stat", op_stat},
};

static void loop(void (*run)(void), int batches, int calls)
{
	for (int b = -1; b < batches; b++) {
		uint64_t begin = now_ns();

		for (int i = 0; i < calls; i++)
			run();
		if (b >= 0)
			printf("%.1f\n", (double)(now_ns() - begin) / calls);
	}
}

/* ---- the yardstick ---- */

static void keep_on(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		die("sched_setaffinity");
}

static void pass(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		exit(0);
}

static void pingpong(int batches, int calls, int cpu_a, int cpu_b)
{
	int there[2], back[2];

	if (pipe(there) < 0 || pipe(back) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(there[1]);
		keep_on(cpu_b);
		for (;;)
			pass(there[0], back[1]);
	}
	keep_on(cpu_a);
	for (int b = -1; b < batches; b++) {
		uint64_t begin = now_ns();

		for (int i = 0; i < calls; i++) {
			char byte = 0;

			if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
				die("pipe");
		}
		if (b >= 0)
			printf("%.1f\n", (double)(now_ns() - begin) / calls);
	}
	close(there[1]);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int batches = atoi(argv[2]), calls = atoi(argv[3]);

	self = getpid();
	if (!strcmp(argv[1], "pingpong") && argc == 6) {
		pingpong(batches, calls, atoi(argv[4]), atoi(argv[5]));
		return 0;
	}
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
		if (!strcmp(argv[1], operations[i].name)) {
			loop(operations[i].run, batches, calls);
			return 0;
		}
	fprintf(stderr, "micro: there is no operation %s\n", argv[1]);
	return 2;
}
