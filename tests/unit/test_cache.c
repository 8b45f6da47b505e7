/* The cache: an entry is used only when nothing about it, and nothing it was made from, has changed; and nobody notices. */
#include "policy/cache_file.h"
#include "policy/policy.h"

#include "base/sys.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

static char where[600], cwd[600], home[600], shipped[600];
static char *environment[] = {where, NULL, NULL};
static struct surroundings around;
static uint8_t mac_key[CACHE_KEY_SIZE];
static bool no_keyring;

static const char base_text[] = "version: 1\nfilesystem:\n  read: [/usr, /lib]\n";
static const char root_text[] =
	"version: 1\nextends: t-base\nfilesystem:\n"
	"  read: [/bin, \"${HOME}/x\"]\n  write: [\"${T_DIR:-/tmp}\"]\nlimits:\n  open_files: 64\n";

static int set_up(void **state)
{
	(void)state;
	if (no_keyring)
		return 0;
	scratch_begin();
	snprintf(where, sizeof where, "SANDLOCK_CACHE=%s", scratch("cache"));
	snprintf(cwd, sizeof cwd, "%s", scratch("cwd"));
	snprintf(home, sizeof home, "%s", scratch("home"));
	snprintf(shipped, sizeof shipped, "%s", scratch("shipped"));
	scratch_dir("cwd", 0755);
	scratch_file("shipped/t-base.yaml", base_text, 0644);
	scratch_file("shipped/t-root.yaml", root_text, 0644);
	scratch_dir("home/.config/sandlock/policies", 0755);
	environment[1] = NULL;
	around = (struct surroundings){
		.environment = environment,
		.cwd = cwd,
		.home = home,
		.shipped = shipped,
		.uid = getuid(),
		.euid = geteuid(),
		.gid = getgid(),
		.use_cache = true,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!no_keyring)
		scratch_end();
	return 0;
}

static void need_keyring(void)
{
	if (no_keyring)
		skip();
}

/* ---- doing ---- */

static bool is_cached(const char *name)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct policy p;

	policy_init(&p, &arena);
	return cache_get(name, &around, &p);
}

static void fill(const char *name)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct error err = {0};
	struct policy p;

	policy_init(&p, &arena);
	if (!policy_load(name, NO_ORIGIN, &around, &p, &err)) {
		auto_str text = {0};

		error_format(&err, &text);
		fail_msg("%s", str_text(&text));
	}
	error_free(&err);
}

/* Loading once more must work whatever the state of the cache, and repair it. */
static void recovers(void)
{
	fill("t-root");
	assert_true(is_cached("t-root"));
}

static char *entry_path(const char *suffix)
{
	static char path[800];
	DIR *d = opendir(scratch("cache"));

	path[0] = 0;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (strstr(e->d_name, suffix) && e->d_name[0] != '.')
			snprintf(path, sizeof path, "%s/%s", scratch("cache"), e->d_name);
	}
	if (d)
		closedir(d);
	return path;
}

static size_t entry_count(void)
{
	size_t count = 0;
	DIR *d = opendir(scratch("cache"));

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		count += e->d_name[0] != '.' || e->d_name[1] > '.';
	if (d)
		closedir(d);
	return count;
}

static unsigned char *read_entry(size_t *size)
{
	static unsigned char bytes[64 * 1024];
	int fd = open(entry_path(".slpc"), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	*size = (size_t)read(fd, bytes, sizeof bytes);
	close(fd);
	return bytes;
}

static void write_to(const char *path, const void *bytes, size_t size)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void sign(unsigned char *bytes, size_t size, bool with_mac)
{
	struct image_header *h = (void *)bytes;

	h->payload_hash = XXH3_64bits(bytes + IMAGE_HEADER_SIZE, size - IMAGE_HEADER_SIZE);
	h->header_hash = XXH3_64bits(h, offsetof(struct image_header, header_hash));
	if (with_mac)
		cache_mac(mac_key, bytes, size, h->mac);
}

/* ---- tests ---- */

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

static void test_every_bit_and_length(void **state)
{
	(void)state;
	need_keyring();
	size_t size;
	char path[800];

	fill("t-root");
	unsigned char *bytes = read_entry(&size), *copy = malloc(size + 1);
	snprintf(path, sizeof path, "%s", entry_path(".slpc"));
	for (size_t i = 0; i < size; i++) {
		memcpy(copy, bytes, size);
		copy[i] ^= (unsigned char)(1 << i % 8);
		write_to(path, copy, size);
		if (is_cached("t-root"))
			fail_msg("byte %zu", i);
		assert_int_equal(access(path, F_OK), -1);
	}
	for (size_t n = 0; n < size; n++) {
		write_to(path, bytes, n);
		assert_false(is_cached("t-root"));
		assert_int_equal(access(path, F_OK), -1);
	}
	memcpy(copy, bytes, size);
	copy[size] = 0;
	write_to(path, copy, size + 1);
	assert_false(is_cached("t-root"));
	write_to(path, bytes, size);
	assert_true(is_cached("t-root"));
	free(copy);
}

static void test_foreign(void **state)
{
	(void)state;
	need_keyring();
#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct image_header, name)                                         \
	}
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = {
		FIELD(magic),		FIELD(major),	   FIELD(byte_order),
		FIELD(header_size),	FIELD(total_size), FIELD(section_count),
		FIELD(build_id),	FIELD(audit_arch), FIELD(landlock_abi),
		FIELD(kernel_features), FIELD(euid),	   FIELD(flags),
		FIELD(source_hash),	FIELD(key),	   FIELD(zero),
	};
	size_t size;
	char path[800];

	fill("t-root");
	unsigned char *bytes = read_entry(&size), *copy = malloc(size);
	snprintf(path, sizeof path, "%s", entry_path(".slpc"));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		memcpy(copy, bytes, size);
		copy[fields[i].offset] ^= 1;
		sign(copy, size, true);
		write_to(path, copy, size);
		if (is_cached("t-root"))
			fail_msg("%s", fields[i].name);
	}
	/* Right hashes, but signed by nobody: a permissive policy that a sandbox wrote. */
	memcpy(copy, bytes, size);
	char *usr = memmem(copy, size, "/usr", 5);
	assert_non_null(usr);
	memcpy(usr, "/etc", 4);
	sign(copy, size, false);
	write_to(path, copy, size);
	assert_false(is_cached("t-root"));
	memset(copy + offsetof(struct image_header, mac), 0, 32);
	write_to(path, copy, size);
	assert_false(is_cached("t-root"));
	recovers();
	free(copy);
}

static void test_swapped(void **state)
{
	(void)state;
	need_keyring();
	char first[800], second[800];
	size_t first_size, second_size;

	fill("t-base");
	snprintf(first, sizeof first, "%s", entry_path(".slpc"));
	unsigned char *bytes = read_entry(&first_size), *a = malloc(first_size);
	memcpy(a, bytes, first_size);
	unlink(first);
	fill("t-root");
	snprintf(second, sizeof second, "%s", entry_path(".slpc"));
	bytes = read_entry(&second_size);

	/* The whole file of one under the name of the other. */
	write_to(second, a, first_size);
	assert_false(is_cached("t-root"));
	/* The header of one with the payload of the other. */
	memcpy(bytes + IMAGE_HEADER_SIZE, a + IMAGE_HEADER_SIZE,
	       MIN(first_size, second_size) - IMAGE_HEADER_SIZE);
	write_to(second, bytes, second_size);
	assert_false(is_cached("t-root"));
	sign(bytes, second_size, false);
	write_to(second, bytes, second_size);
	assert_false(is_cached("t-root"));
	recovers();
	free(a);
}

static void test_kinds_of_file(void **state)
{
	(void)state;
	need_keyring();
	char path[800];
	size_t size;

	fill("t-root");
	unsigned char *bytes = read_entry(&size);
	snprintf(path, sizeof path, "%s", entry_path(".slpc"));

	assert_int_equal(chmod(path, 0640), 0);
	assert_false(is_cached("t-root"));
	recovers();
	assert_int_equal(link(path, scratch("other")), 0);
	assert_false(is_cached("t-root"));
	recovers();
	write_to(scratch("target"), bytes, size);
	unlink(path);
	assert_int_equal(symlink(scratch("target"), path), 0);
	assert_false(is_cached("t-root"));
	assert_int_equal(access(scratch("target"), F_OK), 0);
	recovers();
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(is_cached("t-root"));
	recovers();
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(is_cached("t-root"));
	fill("t-root");
	assert_false(is_cached("t-root"));
	rmdir(path);
	recovers();
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 1234, 0), 0);
		assert_false(is_cached("t-root"));
		recovers();
	}
}

static void test_directories(void **state)
{
	(void)state;
	need_keyring();
	fill("t-root");
	assert_int_equal(chmod(scratch("cache"), 0750), 0);
	assert_false(is_cached("t-root"));
	fill("t-root");
	assert_int_equal(chmod(scratch("cache"), 0700), 0);
	recovers();
	/* A link in the place of the directory; a way to it that others could change. */
	assert_int_equal(rename(scratch("cache"), scratch("elsewhere")), 0);
	assert_int_equal(symlink(scratch("elsewhere"), scratch("cache")), 0);
	assert_false(is_cached("t-root"));
	unlink(scratch("cache"));
	scratch_dir("open", 0777);
	snprintf(where, sizeof where, "SANDLOCK_CACHE=%s", scratch("open/cache"));
	fill("t-root");
	assert_int_equal(access(scratch("open/cache"), F_OK), -1);
	/* Nowhere to write, nothing there, not a place. */
	static const char *const nowhere[] = {"/proc/none/x", "/proc", "/", "/dev/null/x"};
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		snprintf(where, sizeof where, "SANDLOCK_CACHE=%s", nowhere[i]);
		fill("t-root");
		assert_false(is_cached("t-root"));
	}
}

static void test_default_place(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena arena = {0};

	if (no_keyring)
		skip();
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

static void set_key(const uint8_t key[CACHE_KEY_SIZE])
{
	assert_true(SYS(add_key, "user", "sandlock:policy-cache", key, CACHE_KEY_SIZE,
			KEY_SPEC_USER_KEYRING) > 0);
}

static void test_key_rotated(void **state)
{
	(void)state;
	need_keyring();
	uint8_t other[CACHE_KEY_SIZE] = "another key";

	fill("t-root");
	set_key(other);
	bool cached = is_cached("t-root");
	fill("t-root");
	bool again = is_cached("t-root");
	set_key(mac_key);
	assert_false(cached);
	assert_true(again);
	assert_false(is_cached("t-root"));
	recovers();
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
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_cold_is_warm), TEST(test_warnings),	   TEST(test_every_bit_and_length),
		TEST(test_foreign),	 TEST(test_swapped),	   TEST(test_kinds_of_file),
		TEST(test_directories),	 TEST(test_default_place), TEST(test_stale),
		TEST(test_links),	 TEST(test_never_cached),  TEST(test_concurrent_writers),
		TEST(test_key_rotated),	 TEST(test_collect),	   TEST(test_list_and_clear),
	};

	/* Where keyrings are not permitted (some containers) there is no cache, and nothing to test. */
	no_keyring = !cache_mac_key(mac_key, true);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
