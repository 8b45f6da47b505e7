/* Spellings of the names of virtual files. */
#include "proc/virtual_name.h"

#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool suspect(const char *path)
{
	return virtual_name_suspect(path, strlen(path));
}

static void few_names_are_suspect(void **state UNUSED)
{
	static const char *const yes[] = {
		"/etc/hosts",
		"hosts",
		"/proc/net/tcp",
		"/proc/self/net/x",
		"net/anything",
		"../net/tcp6",
		"unix",
		"/etc/../etc/hostname",
		"/proc/net/stat/a",
		"/proc/thread-self/net/dev",
	};
	static const char *const no[] = {
		"",
		"/",
		"/etc/passwd",
		"/etc/hosts.allow",
		"/usr/lib/libc.so.6",
		"tcp udp",
		"hosts ",
		" ",
		"/proc/net",
		"xhosts",
		"/etc/hosts/",
		"a-name-that-is-much-longer-than-every-one-of-the-list",
	};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(suspect(yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(suspect(no[i]));
}

static void paths_are_cleaned(void **state UNUSED)
{
	static const char *const pairs[][2] = {
		{"/", "/"},
		{"//", "/"},
		{"/..", "/"},
		{"/../..//a", "/a"},
		{"/a/./b/", "/a/b"},
		{"//proc//self/./net/../net/tcp", "/proc/self/net/tcp"},
		{"/a/b/../../c", "/c"},
		{"/...", "/..."},
		{"/.a/..b", "/.a/..b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		char path[64];

		strcpy(path, pairs[i][0]);
		virtual_name_clean(path);
		assert_string_equal(path, pairs[i][1]);
	}
}

static void myself_is_the_caller(void **state UNUSED)
{
	static const char *const pairs[][2] = {
		{"/proc/self/net/tcp", "/proc/42/net/tcp"},
		{"/proc/thread-self/net/tcp", "/proc/42/net/tcp"},
		{"/proc/net/unix", "/proc/42/net/unix"},
		{"/proc/selfish", "/proc/selfish"},
		{"/proc/7/net/tcp", "/proc/7/net/tcp"},
		{"/etc/hosts", "/etc/hosts"},
	};
	char out[32];

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_true(virtual_name_own(pairs[i][0], 42, out, sizeof out));
		assert_string_equal(out, pairs[i][1]);
	}
	assert_false(virtual_name_own("/a/path/that/does/not/fit/into/it", 42, out, sizeof out));
}

static void files_of_a_network(void **state UNUSED)
{
	static const char *const pairs[][2] = {
		{"/proc/42/net/tcp", "tcp"},
		{"/proc/42/task/43/net/tcp", "tcp"},
		{"/42/net/stat/arp_cache", "stat/arp_cache"},
		{"/proc/42/net", NULL},
		{"/proc/42/net/", NULL},
		{"/proc/42x/net/tcp", NULL},
		{"/proc/self/net/tcp", NULL},
		{"/proc/42/task/net/tcp", NULL},
		{"/sys/class/net/lo", NULL},
		{"/proc/sys/net/core", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const char *name = virtual_name_net(pairs[i][0]);

		if (pairs[i][1])
			assert_string_equal(name, pairs[i][1]);
		else
			assert_null(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_names_are_suspect),
		cmocka_unit_test(paths_are_cleaned),
		cmocka_unit_test(myself_is_the_caller),
		cmocka_unit_test(files_of_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
