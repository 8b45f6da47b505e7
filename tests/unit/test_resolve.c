/* Names to addresses, as far as a machine without a network can tell. */
#include "host/resolve.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct address v4_loopback = {.low = 0xffff7f000001}, v6_loopback = {.low = 1};

static bool has(const struct address *list, size_t count, struct address address)
{
	for (size_t i = 0; i < count; i++)
		if (address_equal(list[i], address))
			return true;
	return false;
}

static size_t threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void localhost_is_known(void **state UNUSED)
{
	const struct endpoint_name names[] = {{.name = "localhost"}, {.name = "localhost"}};
	struct name_pin pins[2];
	struct arena arena = {0};
	auto_error err = {0};
	size_t before = threads();

	assert_true(resolve_names(names, 2, &arena, pins, &err));
	assert_int_equal(err.errors, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(pins[i].name, "localhost");
		assert_true(pins[i].count >= 1 && pins[i].count <= 2);
		assert_true(has(pins[i].addresses, pins[i].count, v4_loopback) ||
			    has(pins[i].addresses, pins[i].count, v6_loopback));
		for (size_t k = 1; k < pins[i].count; k++)
			assert_false(has(pins[i].addresses, k, pins[i].addresses[k]));
	}
	/* What comes next may need a process of one thread. */
	assert_int_equal(threads(), before);
	arena_free(&arena);
}

static void failures_name_the_host_and_its_rule(void **state UNUSED)
{
	const struct endpoint_name names[] = {
		{.name = "localhost"},
		/* Longer than a label may be: no resolver asks anybody. */
		{.name = "a234567890123456789012345678901234567890123456789012345678901234.test",
		 .origin = {.file = "p.yaml", .line = 7, .col = 3}},
		{.name = "..", .origin = {.file = "--net-allow"}},
	};
	struct name_pin pins[3];
	struct arena arena = {0};
	auto_error err = {0};
	auto_str text = {0};
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_false(resolve_names(names, 3, &arena, pins, &err));
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - start.tv_sec) * 1000 < RESOLVE_DEADLINE_MS + 2000);
	assert_int_equal(err.errors, 2);
	error_format(&err, &text);
	assert_non_null(strstr(str_text(&text), "p.yaml:7:3: failed to resolve host \"a234"));
	assert_non_null(strstr(str_text(&text), "--net-allow: failed to resolve host \"..\""));
	assert_non_null(strstr(str_text(&text), "hint"));
	assert_true(pins[0].count > 0);
	assert_int_equal(pins[1].count, 0);
	arena_free(&arena);
}

static void no_names_are_no_work(void **state UNUSED)
{
	struct arena arena = {0};
	auto_error err = {0};

	assert_true(resolve_names(NULL, 0, &arena, NULL, &err));
	arena_free(&arena);
}

static void this_machine_has_a_loopback(void **state UNUSED)
{
	struct arena arena = {0};
	auto_error err = {0};
	struct address *list;
	size_t count;

	assert_true(own_addresses(&arena, &list, &count, &err));
	assert_true(has(list, count, v4_loopback));
	for (size_t k = 1; k < count; k++)
		assert_false(has(list, k, list[k]));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(localhost_is_known),
		cmocka_unit_test(failures_name_the_host_and_its_rule),
		cmocka_unit_test(no_names_are_no_work),
		cmocka_unit_test(this_machine_has_a_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
