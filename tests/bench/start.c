/*
 * Times whole commands against a bare one, in pairs: bare, subject, bare, subject ... A machine that gets slower or faster
 * meanwhile does so for both halves of a pair.
 *
 *   start [-n ROUNDS] [-c CPU] [-b SHELL_COMMAND] [-s] -- BARE... --- SUBJECT... [--- SUBJECT...]
 *
 * -b runs before each timed command. -s runs the bare command a few times unmeasured before each pair: what the last subject
 * leaves (cold caches, memory and namespaces that the kernel frees later) must not fall on the bare half of the next pair. Their
 * number is odd: a scheduler may alternate between two CPUs. -c keeps everything on one CPU.
 * Prints one line a pair: subject's index from 1, nanoseconds bare, nanoseconds subject, CPU microseconds of both.
 * A command that fails ends everything: its time would mean nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COLUMNS = 32, WARM_UPS = 2, SETTLING = 5 };

extern char **environ;

struct timing {
	uint64_t wall_ns, cpu_us;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "start: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct timing run(char **argv)
{
	struct rusage usage;
	struct timing timing;
	int status;
	pid_t pid;
	uint64_t begin = now_ns();
	int r = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

	if (r) {
		errno = r;
		die(argv[0]);
	}
	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait4");
	timing.wall_ns = now_ns() - begin;
	if (status) {
		fprintf(stderr, "start: wait status %#x of", (unsigned)status);
		for (; *argv; argv++)
			fprintf(stderr, " %s", *argv);
		fprintf(stderr, "\n");
		exit(1);
	}
	timing.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
			(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	return timing;
}

static void keep_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		die("sched_setaffinity");
}

int main(int argc, char **argv)
{
	char *before[] = {"/bin/sh", "-c", NULL, NULL};
	char **columns[MAX_COLUMNS];
	int rounds = 100, settle = 0, count = 0, option;

	while ((option = getopt(argc, argv, "+n:c:b:s")) != -1) {
		switch (option) {
		case 'n':
			rounds = atoi(optarg);
			break;
		case 'c':
			keep_on(atoi(optarg));
			break;
		case 'b':
			before[2] = optarg;
			break;
		case 's':
			settle = 1;
			break;
		default:
			return 2;
		}
	}
	columns[count++] = argv + optind;
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], "---") && count < MAX_COLUMNS) {
			argv[i] = NULL;
			columns[count++] = argv + i + 1;
		}
	if (count < 2) {
		fprintf(stderr, "start: two commands at least\n");
		return 2;
	}
	/* The commands' output is no part of this: on a terminal it would be measured. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = fcntl(1, F_DUPFD_CLOEXEC, 3);

	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		die("/dev/null");
	FILE *lines = fdopen(out, "w");
	if (!lines)
		die("fdopen");

	for (int round = -WARM_UPS; round < rounds; round++) {
		if (round < 0 && before[2])
			continue; /* long commands warm up by being long */
		for (int i = 1; i < count; i++) {
			struct timing bare, subject;

			for (int k = 0; settle && k < SETTLING; k++)
				run(columns[0]);
			if (before[2])
				run(before);
			bare = run(columns[0]);
			if (before[2])
				run(before);
			subject = run(columns[i]);
			if (round >= 0)
				fprintf(lines, "%d %llu %llu %llu %llu\n", i,
					(unsigned long long)bare.wall_ns,
					(unsigned long long)subject.wall_ns,
					(unsigned long long)bare.cpu_us,
					(unsigned long long)subject.cpu_us);
		}
	}
	return fclose(lines) ? 1 : 0;
}
