/* An entry of the cache is used only when it is ours, as we wrote it, and stands where only we can write. */
#include "caching.h"

#include "base/sys.h"

#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_every_bit_and_length),
		CACHE_TEST(test_foreign),
		CACHE_TEST(test_swapped),
		CACHE_TEST(test_kinds_of_file),
		CACHE_TEST(test_directories),
		CACHE_TEST(test_key_rotated),
	};

	caching_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
