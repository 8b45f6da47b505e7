/* The registry of running sandboxes: names in the kernel's table, and answers of peers that are not what they seem. */
#include "control/control.h"
#include "control/name.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool named(const char *line, uid_t uid, char *name)
{
	char *copy = strdup(line);
	bool is = control_name_of(copy, uid, name);

	free(copy);
	return is;
}

#define LISTENS "000000006a410f1a: 00000002 00000000 00010000 0005 01 47109 "

static void test_lines(void **state UNUSED)
{
	static const char *const others[] = {
		"Num       RefCount Protocol Flags    Type St Inode Path\n",
		"",
		"\n",
		":",
		"1:",
		"1: 2 3",
		LISTENS,
		LISTENS "\n",
		LISTENS "@sandlock/7\n",
		LISTENS "@sandlock/7/\n",
		LISTENS "@sandlock/70/web\n",
		LISTENS "@sandlock/7/web/more\n",
		LISTENS "sandlock/7/web\n",
		LISTENS "/tmp/@sandlock/7/web\n",
		"000000006a410f1a: 00000003 00000000 00000000 0005 03 47110 @sandlock/7/web\n",
		"000000006a410f1a: 00000002 00000000 00010000 0001 01 47109 @sandlock/7/web\n",
		LISTENS "@sandlock/7/"
			"65-bytes-65-bytes-65-bytes-65-bytes-65-bytes-65-bytes-65-bytes-65\n",
	};
	char name[CONTROL_NAME_ROOM];

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(named(others[i], 7, name));
	assert_true(named(LISTENS "@sandlock/7/web\n", 7, name));
	assert_string_equal(name, "web");
	assert_true(named(LISTENS "@sandlock/7/a@b", 7, name));
	assert_string_equal(name, "a@b");
	assert_true(named(LISTENS
			  "@sandlock/4294967295/"
			  "64-bytes-64-bytes-64-bytes-64-bytes-64-bytes-64-bytes-64-bytes-6\n",
			  4294967295, name));
	assert_int_equal(strlen(name), 64);
}

static char prefix[32];

static const char *own(const char *name)
{
	static char text[CONTROL_NAME_ROOM];

	snprintf(text, sizeof text, "%s%s", prefix, name);
	return text;
}

static void test_claims(void **state UNUSED)
{
	struct error err = {0};
	struct arena arena = {0};
	const char *name;
	int fd, other;

	assert_true(control_claim(own("claim"), NO_ORIGIN, &arena, &name, &fd, &err));
	assert_true(fd >= 0);
	assert_string_equal(name, own("claim"));
	assert_false(control_claim(own("claim"), (struct origin){.file = "--name"}, &arena, &name,
				   &other, &err));
	assert_int_equal(err.errors, 1);
	assert_non_null(strstr(err.list[0].message, "is running already"));
	assert_non_null(strstr(err.list[0].hint, "supervisor"));
	error_free(&err);
	close(fd); /* free at once */
	assert_true(control_claim(own("claim"), NO_ORIGIN, &arena, &name, &fd, &err));
	close(fd);

	/* Names that nobody asked for are found. */
	assert_true(control_claim(NULL, NO_ORIGIN, &arena, &name, &fd, &err));
	const char *second;
	assert_true(control_claim(NULL, NO_ORIGIN, &arena, &second, &other, &err));
	assert_true(fd >= 0 && other >= 0);
	assert_string_not_equal(name, second);
	close(fd);
	close(other);
	arena_free(&arena);
}

static void test_names_taken_in_advance(void **state UNUSED)
{
	struct error err = {0};
	struct arena arena = {0};
	const char *name;
	int taken[9], fd;

	for (int i = 1; i < 9; i++) {
		const char *guess = arena_printf(&arena, i == 1 ? "sandbox-%d" : "sandbox-%d-%d",
						 (int)getpid(), i);

		assert_true(control_claim(guess, NO_ORIGIN, &arena, &name, &taken[i], &err));
		assert_true(taken[i] >= 0);
	}
	assert_true(control_claim(NULL, NO_ORIGIN, &arena, &name, &fd, &err));
	assert_true(fd >= 0);
	assert_int_equal(strlen(name),
			 strlen(arena_printf(&arena, "sandbox-%d-01234567", (int)getpid())));
	assert_int_equal(err.count, 0);
	close(fd);
	for (int i = 1; i < 9; i++)
		close(taken[i]);
	arena_free(&arena);
}

static void test_no_name_at_all_is_told(void **state UNUSED)
{
	struct error err = {0};
	struct arena arena = {0};
	struct rlimit files, none;
	const char *name;
	int fd;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	none = files;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_true(control_claim(NULL, NO_ORIGIN, &arena, &name, &fd, &err));
	setrlimit(RLIMIT_NOFILE, &files);
	assert_int_equal(fd, -1);
	assert_int_equal(err.count, 1);
	assert_int_equal(err.list[0].severity, SEVERITY_WARNING);
	assert_non_null(strstr(err.list[0].message, "sandlock ps"));
	error_free(&err);
	arena_free(&arena);
}

/* ---- answers ---- */

struct peer {
	int listener;
	const void *bytes;
	size_t len;
};

static void *answer(void *argument)
{
	const struct peer *p = argument;
	int fd = accept(p->listener, NULL, NULL);

	if (p->len)
		send(fd, p->bytes, p->len, MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

/* A child's child, as the program of a supervisor is; its parent waits too, until `hold` is closed. */
static int grandchild(int hold[2])
{
	int tell[2], pid = 0;
	char c;

	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(tell), 0);
	int child = fork();
	if (child == 0) {
		close(hold[1]);
		pid = fork();
		if (pid)
			write(tell[1], &pid, sizeof pid);
		_exit(read(hold[0], &c, 1) != 0);
	}
	assert_int_equal(read(tell[0], &pid, sizeof pid), sizeof pid);
	close(tell[0]);
	close(tell[1]);
	return pid;
}

/* What the list says of a sandbox that sends these bytes. */
static struct sandbox ask(struct arena *arena, const void *bytes, size_t len)
{
	struct error err = {0};
	struct peer peer = {.bytes = bytes, .len = len};
	struct sandbox *list, found = {0};
	const char *name;
	size_t count, missed;
	pthread_t thread;

	assert_true(control_claim(own("peer"), NO_ORIGIN, arena, &name, &peer.listener, &err));
	assert_int_equal(fcntl(peer.listener, F_SETFL, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, answer, &peer), 0);
	assert_int_equal(control_list(arena, control_now_ms() + 2000, &list, &count, &missed), 0);
	pthread_join(thread, NULL);
	close(peer.listener);
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, own("peer")) == 0)
			found = list[i];
	assert_string_equal(found.name, own("peer"));
	assert_int_equal(found.supervisor, getpid());
	return found;
}

struct answer {
	struct control_state state;
	struct control_port ports[2];
};

static void test_answers(void **state UNUSED)
{
	int hold[2], program = grandchild(hold);
	const struct answer good = {
		.state = {.version = CONTROL_STATE_VERSION,
			  .size = sizeof good.state,
			  .supervisor = getpid(),
			  .pid = program,
			  .port_count = 2,
			  .traps = 5,
			  .denials = 1},
		.ports = {{.port = 80, .real = 4000, .protocol = IPPROTO_TCP},
			  {.port = 53, .real = 4001, .protocol = IPPROTO_UDP}},
	};
	struct arena arena = {0};
	struct answer a = good;
	struct sandbox s = ask(&arena, &a, sizeof a);

	assert_true(s.answered);
	assert_int_equal(s.pid, program);
	assert_int_equal(s.traps, 5);
	assert_int_equal(s.denials, 1);
	assert_int_equal(s.port_count, 2);
	assert_memory_equal(s.ports, good.ports, sizeof good.ports);

	/* A newer version has more in between. */
	char longer[sizeof a.state + 8 + sizeof a.ports] = {0};
	a.state.size += 8;
	memcpy(longer, &a.state, sizeof a.state);
	memcpy(longer + sizeof a.state + 8, a.ports, sizeof a.ports);
	s = ask(&arena, longer, sizeof longer);
	assert_int_equal(s.port_count, 2);
	assert_memory_equal(s.ports, good.ports, sizeof good.ports);

	/* Another PID namespace: its number says nothing here. */
	a = good;
	a.state.supervisor++;
	assert_int_equal(ask(&arena, &a, sizeof a).pid, 0);

	/* Programs of somebody else. */
	static const int strangers[] = {-1, 0, 1, 2};
	for (size_t i = 0; i < ARRAY_LEN(strangers) + 2; i++) {
		a = good;
		a.state.pid = i < ARRAY_LEN(strangers)	  ? strangers[i]
			      : i == ARRAY_LEN(strangers) ? getpid()
							  : getppid();
		s = ask(&arena, &a, sizeof a);
		assert_true(s.answered);
		assert_int_equal(s.pid, 0);
	}

	/* Cut off at every byte, and sizes that are not there. */
	for (size_t len = 0; len < sizeof good.state + sizeof good.ports; len++)
		assert_false(ask(&arena, &good, len).answered);
	static const uint32_t numbers[] = {0, 1, 39, 41, 44, 52, 53, 0x7fffffff, 0xffffffff};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		a = good;
		a.state.size = numbers[i];
		s = ask(&arena, &a, sizeof a);
		assert_true(!s.answered || s.port_count == 2);
		a = good;
		a.state.port_count = numbers[i];
		s = ask(&arena, &a, sizeof a);
		assert_true(s.answered ? s.port_count <= 2 : s.port_count == 0);
	}
	close(hold[0]);
	close(hold[1]);
	wait(NULL);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_names_taken_in_advance),
		cmocka_unit_test(test_no_name_at_all_is_told),
		cmocka_unit_test(test_answers),
	};

	snprintf(prefix, sizeof prefix, "unit-%d-", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
