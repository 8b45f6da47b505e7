/* The cache: what is kept, for how long, and that nobody notices. */
#include "caching.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void same_policy(const struct policy *a, const struct policy *b, struct arena *arena)
{
	const struct policy *both[2] = {a, b};
	const void *bytes[2];
	size_t sizes[2];

	for (int i = 0; i < 2; i++) {
		struct image_writer *w = arena_new(arena, struct image_writer);

		image_begin(w, arena);
		policy_to_image(both[i], w);
		bytes[i] = image_finish(w, &sizes[i]);
	}
	assert_int_equal(sizes[0], sizes[1]);
	assert_memory_equal(bytes[0], bytes[1], sizes[0]);
}

static void test_cold_is_warm(void **state)
{
	(void)state;
	need_keyring();
	CLEANUP(arena_free) struct arena arena = {0};
	struct error err = {0};
	struct policy cold, warm, none;
	struct stat st;

	assert_false(is_cached("t-root"));
	policy_init(&cold, &arena);
	assert_true(policy_load("t-root", NO_ORIGIN, &around, &cold, &err));
	assert_int_equal(stat(scratch("cache"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(entry_path(".slpc"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entry_count(), 1);
	policy_init(&warm, &arena);
	assert_true(cache_get("t-root", &around, &warm));
	same_policy(&cold, &warm, &arena);
	around.use_cache = false;
	policy_init(&none, &arena);
	assert_true(policy_load("t-root", NO_ORIGIN, &around, &none, &err));
	same_policy(&none, &warm, &arena);
	assert_false(is_cached("t-root"));
	around.use_cache = true;
	assert_true(is_cached("t-root"));
	around.privileged = true;
	if (geteuid() != 0)
		assert_false(is_cached("t-root"));
	around.privileged = false;
	error_free(&err);
}

/* A policy that has something to say says it every time. */
static void test_warnings(void **state)
{
	(void)state;
	need_keyring();
	size_t counts[2];

	scratch_file("shipped/t-warn.yaml", "version: 1\nconfig:\n  name: \"a b\"\n", 0644);
	for (int i = 0; i < 2; i++) {
		CLEANUP(arena_free) struct arena arena = {0};
		struct error err = {0};
		struct policy p;

		policy_init(&p, &arena);
		policy_load("t-warn", NO_ORIGIN, &around, &p, &err);
		counts[i] = err.count;
		error_free(&err);
	}
	assert_int_equal(counts[0], counts[1]);
}

static void test_default_place(void **state)
{
	(void)state;
	need_keyring();
	CLEANUP(arena_free) struct arena arena = {0};

	strcpy(where, "X=Y");
	if (geteuid() == 0) {
		assert_string_equal(cache_directory(&around, &arena), "/var/cache/sandlock/policy");
		return;
	}
	struct stat st;
	assert_string_equal(cache_directory(&around, &arena),
			    scratch("home/.cache/sandlock/policy"));
	fill("t-root");
	assert_true(is_cached("t-root"));
	static const char *const levels[] = {"home/.cache", "home/.cache/sandlock",
					     "home/.cache/sandlock/policy"};
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		assert_int_equal(stat(scratch(levels[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_int_equal(chmod(scratch(levels[1]), 0755), 0);
	assert_false(is_cached("t-root"));
	around.privileged = true;
	assert_null(cache_directory(&around, &arena));
	around.privileged = false;
	around.home = NULL;
	assert_null(cache_directory(&around, &arena));
	fill("shipped:t-base");
	snprintf(where, sizeof where, "XDG_CACHE_HOME=%s", scratch("xdg"));
	assert_string_equal(cache_directory(&around, &arena), scratch("xdg/sandlock/policy"));
	/* A home that cannot be written. */
	scratch_dir("readonly", 0500);
	snprintf(where, sizeof where, "XDG_CACHE_HOME=%s", scratch("readonly"));
	fill("shipped:t-base");
	assert_false(is_cached("shipped:t-base"));
}

/* Each change makes the entry stale; undoing it does not matter, loading again does. */
static void test_stale(void **state)
{
	(void)state;
	need_keyring();
	struct timespec times[2];
	struct stat st;

	/* Same size, same times. */
	fill("t-root");
	assert_int_equal(stat(scratch("shipped/t-base.yaml"), &st), 0);
	scratch_file("shipped/t-base.yaml", "version: 1\nfilesystem:\n  read: [/usr, /opt]\n",
		     0644);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	utimensat(AT_FDCWD, scratch("shipped/t-base.yaml"), times, 0);
	assert_false(is_cached("t-root"));
	recovers();

	/* Deleted; and a policy that is no longer there is an error, not a memory. */
	scratch_remove("shipped/t-base.yaml");
	assert_false(is_cached("t-root"));
	scratch_file("shipped/t-base.yaml", base_text, 0644);
	recovers();

	/* A file of the same name in a place that comes first, for the root and for the included one. */
	scratch_file("home/.config/sandlock/policies/t-base.yml", "version: 1\n", 0644);
	assert_false(is_cached("t-root"));
	recovers();
	scratch_file("home/.config/sandlock/profiles/t-root.toml", "", 0644);
	assert_false(is_cached("t-root"));
	recovers();
	scratch_remove("home/.config/sandlock/profiles");
	assert_false(is_cached("t-root"));
	recovers();

	/* Others may write it now. */
	assert_int_equal(chmod(scratch("shipped/t-root.yaml"), 0666), 0);
	assert_false(is_cached("t-root"));
	assert_int_equal(chmod(scratch("shipped/t-root.yaml"), 0644), 0);
	recovers();
	assert_int_equal(chmod(scratch("shipped"), 0777), 0);
	assert_false(is_cached("t-root"));
	assert_int_equal(chmod(scratch("shipped"), 0755), 0);
	recovers();

	/* A variable that was unset is set, and set to something else. */
	environment[1] = "T_DIR=/var/tmp";
	assert_false(is_cached("t-root"));
	recovers();
	environment[1] = "T_DIR=/var";
	assert_false(is_cached("t-root"));
	recovers();
	environment[1] = NULL;
	assert_false(is_cached("t-root"));
	recovers();
	environment[1] = "UNRELATED=1";
	assert_true(is_cached("t-root"));
	environment[1] = NULL;
	around.home = "/elsewhere";
	assert_false(is_cached("t-root"));
	around.home = home;
	assert_true(is_cached("t-root"));
}

static void test_links(void **state)
{
	(void)state;
	need_keyring();
	scratch_file("cwd/a/p.yaml", base_text, 0644);
	scratch_file("cwd/b/p.yaml", base_text, 0644);
	assert_int_equal(symlink("a", scratch("cwd/now")), 0);
	fill("now/p.yaml");
	assert_true(is_cached("now/p.yaml"));
	/* The same bytes elsewhere are another file: relative paths and messages differ. */
	unlink(scratch("cwd/now"));
	assert_int_equal(symlink("b", scratch("cwd/now")), 0);
	assert_false(is_cached("now/p.yaml"));
	fill("now/p.yaml");
	assert_true(is_cached("now/p.yaml"));
	around.cwd = scratch("cwd/a");
	assert_false(is_cached("now/p.yaml"));
	around.cwd = cwd;
}

static void test_never_cached(void **state)
{
	(void)state;
	need_keyring();
	CLEANUP(arena_free) struct arena arena = {0};
	static const char *const names[] = {"-", "fd:3", "/dev/fd/3", "/proc/self/fd/3",
					    "/dev/stdin"};
	struct policy p;

	policy_init(&p, &arena);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cache_put(names[i], &around, &p);
		assert_false(is_cached(names[i]));
	}
	assert_int_equal(entry_count(), 0);
	/* Trusted against the rules: checked anew each time. */
	if (geteuid() != 0) {
		scratch_file("cwd/w.yaml", base_text, 0666);
		around.trust_policy = true;
		fill("w.yaml");
		assert_false(is_cached("w.yaml"));
		around.trust_policy = false;
	}
}

static void test_concurrent_writers(void **state)
{
	(void)state;
	need_keyring();
	enum { CHILDREN = 30 };
	pid_t children[CHILDREN];
	bool ok = true;

	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		for (int round = 0; round < 20; round++) {
			CLEANUP(arena_free) struct arena arena = {0};
			struct error err = {0};
			struct policy p;

			policy_init(&p, &arena);
			if (!policy_load("t-root", NO_ORIGIN, &around, &p, &err) ||
			    p.values[OPT_fs_read].count != 4)
				_exit(1);
			if (round % 5 == i % 5)
				cache_put("t-root", &around, &p);
		}
		_exit(0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		waitpid(children[i], &status, 0);
		ok &= status == 0;
	}
	assert_true(ok);
	assert_true(is_cached("t-root"));
	assert_int_equal(entry_count(), 1); /* no temporary file is left */
}

static void age(const char *path, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
				    {.tv_sec = time(NULL) - seconds}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void test_collect(void **state)
{
	(void)state;
	need_keyring();
	char name[128];

	fill("t-root");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "cache/%032x.slpc", i);
		scratch_file(name, "x", 0600);
		age(scratch(name), 1000 + i);
	}
	scratch_file("cache/.00000000000000000000000000000000.1.2", "old", 0600);
	age(scratch("cache/.00000000000000000000000000000000.1.2"), 7200);
	scratch_file("cache/.00000000000000000000000000000001.1.2", "new", 0600);
	scratch_file("cache/notes", "not ours", 0600);
	CLEANUP(arena_free) struct arena arena = {0};
	auto_walk walk;

	walk_begin(&walk);
	int dir = cache_open_directory(&walk, &around, &arena, false);
	assert_true(dir >= 0);
	cache_collect(dir);
	assert_int_equal(entry_count(), 256 + 2);
	assert_true(is_cached("t-root"));
	snprintf(name, sizeof name, "cache/%032x.slpc", 254);
	assert_int_equal(access(scratch(name), F_OK), 0);
	snprintf(name, sizeof name, "cache/%032x.slpc", 255);
	assert_int_equal(access(scratch(name), F_OK), -1);

	/* By size. */
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "cache/%032x.slpc", 4096 + i);
		scratch_file(name, "x", 0600);
		assert_int_equal(truncate(scratch(name), 4 << 20), 0);
		age(scratch(name), 10 + i);
	}
	cache_collect(dir);
	assert_int_equal(entry_count(), 1 + 3 + 2);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "cache/%032x.slpc", 4096 + i);
		unlink(scratch(name));
	}
	close(dir);

	/* Use is noted, at most once a day. */
	struct stat st;
	char *path = entry_path(".slpc");
	age(path, 3600);
	assert_true(is_cached("t-root"));
	assert_int_equal(stat(path, &st), 0);
	assert_true(time(NULL) - st.st_mtime >= 3600);
	age(path, 2 * 24 * 3600);
	assert_true(is_cached("t-root"));
	assert_int_equal(stat(path, &st), 0);
	assert_true(time(NULL) - st.st_mtime < 3600);
}

static void test_list_and_clear(void **state)
{
	(void)state;
	need_keyring();
	CLEANUP(arena_free) struct arena arena = {0};
	struct error err = {0};
	size_t count, removed;

	assert_null(cache_list(&around, &arena, &count));
	assert_int_equal(count, 0);
	assert_true(cache_clear(&around, &removed, &err));
	assert_int_equal(removed, 0);
	fill("t-root");
	scratch_file("cache/00000000000000000000000000000000.slpc", "x", 0600);
	scratch_file("cache/notes", "not ours", 0600);
	const struct cache_entry *list = cache_list(&around, &arena, &count);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].valid + list[1].valid, 1);
	assert_int_equal(entry_count(), 3); /* listing removes nothing */
	assert_true(cache_clear(&around, &removed, &err));
	assert_int_equal(removed, 2);
	assert_int_equal(entry_count(), 1);
	error_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_cold_is_warm),
		CACHE_TEST(test_warnings),
		CACHE_TEST(test_default_place),
		CACHE_TEST(test_stale),
		CACHE_TEST(test_links),
		CACHE_TEST(test_never_cached),
		CACHE_TEST(test_concurrent_writers),
		CACHE_TEST(test_collect),
		CACHE_TEST(test_list_and_clear),
	};

	caching_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
