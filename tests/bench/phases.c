/*
 * Times what happens inside the program before it starts a command, with the program's own objects.
 *
 *   phases LOOPS RUN-OPTIONS... -- COMMAND
 *
 * Goes through the steps of `sandlock run` up to the prepared child LOOPS times, each time from an empty arena, and prints
 * "STEP NANOSECONDS": the first time, then the median of the others as "STEP.warm". The first is what a start pays.
 * Then how long the kernel takes to accept the program's filter and what the supervisor does to itself, in fresh processes.
 */
#include "host/host.h"
#include "launch/confine.h"
#include "launch/launch.h"
#include "supervise/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LOOPS = 1000, INSTALLS = 31 };

enum step { FLAGS, RESOLVE, CHECK, HOST, PLAN, ENVIRONMENT, PREPARE, STEPS };
static const char *const step_names[STEPS] = {
	"flags", "resolve", "check", "host", "plan", "environment", "prepare",
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const struct error *err)
{
	auto_str text = {0};

	error_format(err, &text);
	fprintf(stderr, "phases: %s\n", str_text(&text));
	exit(1);
}

/* One launch up to the child; what it needed stays valid until the arenas are freed. */
struct attempt {
	struct arena arena;
	struct error err;
	struct command_line line;
	struct policy policy;
	struct host host;
	struct plan plan;
	struct child_confine confine;
};

static void attempt(struct attempt *a, char **argv, const struct surroundings *s, uint64_t *spent)
{
	struct plan_request request = {
		.wanted = PLAN_SUPERVISE,
		.mode = IN_SUPERVISED,
		.cwd = s->cwd,
	};
	struct error *err = &a->err;
	bool usage = false, ok;
	char **environment;
	uint64_t at = now_ns(), then;

#define STEP(which, ...)                                                                           \
	do {                                                                                       \
		ok = (__VA_ARGS__);                                                                \
		then = now_ns();                                                                   \
		spent[which] = then - at;                                                          \
		at = then;                                                                         \
		if (!ok || err->errors)                                                            \
			fail(err);                                                                 \
	} while (0)

	policy_init(&a->policy, &a->arena);
	policy_init(&a->line.policy, &a->arena);
	STEP(FLAGS, flags_parse(argv, s, &a->line, &usage, err));
	STEP(RESOLVE, policy_resolve(&a->line, s, &a->policy, err));
	if (!policy_bool(&a->policy, OPT_supervisor, true)) {
		request.wanted = PLAN_IN_PLACE;
		request.mode = IN_KERNEL;
	}
	STEP(CHECK, policy_check(&a->policy, request.mode, err));
	STEP(HOST, (host_probe(&a->host), true));
	STEP(PLAN, plan_build(&a->policy, &a->host, &request, &a->arena, &a->plan, err));
	STEP(ENVIRONMENT, environment_build(&a->policy, s, &a->arena, &environment, err) &&
				  exec_candidates(a->line.command[0], environment, &a->arena));
	STEP(PREPARE, confine_prepare(&a->plan, &a->host, &a->arena, &a->confine, err));
#undef STEP
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count / 2];
}

/* ---- in fresh processes, because none of it can be undone ---- */

static void install_filter(const struct attempt *a)
{
	const struct sock_fprog program = {
		.len = (unsigned short)a->plan.filter_len,
		.filter = (struct sock_filter *)(uintptr_t)a->plan.filter,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(1);
}

static void harden(const struct attempt *a)
{
	static struct session session;
	struct error err = {0};

	session.record.keep_caps = a->confine.keep_caps;
	if (!harden_self(&session, &err))
		_exit(1);
}

static void measure(const char *name, const struct attempt *a, void (*what)(const struct attempt *))
{
	uint64_t values[INSTALLS];
	uint64_t *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		exit(1);
	for (size_t i = 0; i < INSTALLS; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			uint64_t begin = now_ns();
			what(a);
			*shared = now_ns() - begin;
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
			fprintf(stderr, "phases: %s failed\n", name);
			exit(1);
		}
		values[i] = *shared;
	}
	printf("%s %llu\n", name, (unsigned long long)median(values, INSTALLS));
}

int main(int argc, char **argv)
{
	static uint64_t spent[STEPS][MAX_LOOPS];
	static struct attempt last;
	char cwd[4096];
	int loops = argc > 2 ? atoi(argv[1]) : 0;
	const char *home = getenv("HOME");

	if (loops < 1 || loops > MAX_LOOPS || !home || !getcwd(cwd, sizeof cwd))
		return 2;

	const struct surroundings s = {
		.environment = environ,
		.cwd = cwd,
		.home = home,
		.uid = getuid(),
		.euid = geteuid(),
		.gid = getgid(),
		.use_cache = true,
		.shipped = "/usr/local/share/sandlock/policies",
	};

	argv[1] = "run";
	for (int i = 0; i < loops; i++) {
		uint64_t once[STEPS];

		arena_free(&last.arena);
		error_free(&last.err);
		memset(&last, 0, sizeof last);
		attempt(&last, argv + 1, &s, once);
		for (int k = 0; k < STEPS; k++)
			spent[k][i] = once[k];
	}
	for (int k = 0; k < STEPS; k++)
		printf("%s %llu\n", step_names[k], (unsigned long long)spent[k][0]);
	for (int k = 0; k < STEPS && loops > 1; k++)
		printf("%s.warm %llu\n", step_names[k],
		       (unsigned long long)median(spent[k] + 1, (size_t)loops - 1));
	if (loops > 1) {
		printf("instructions %zu\n", last.plan.filter_len);
		measure("install", &last, install_filter);
		measure("harden", &last, harden);
	}
	return 0;
}
