/* Flat images: what is written is read back, and nothing else is ever accepted. */
#include "policy/image.h"
#include "policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

static struct arena arena;

static void rehash(unsigned char *bytes, size_t size)
{
	struct image_header *h = (void *)bytes;

	h->payload_hash = XXH3_64bits(bytes + IMAGE_HEADER_SIZE, size - IMAGE_HEADER_SIZE);
	h->header_hash = XXH3_64bits(h, offsetof(struct image_header, header_hash));
}

static void *small_image(size_t *size)
{
	static const uint32_t numbers[] = {7, 8, 9};
	struct image_writer *w = arena_new(&arena, struct image_writer);

	image_begin(w, &arena);
	assert_int_equal(image_add_text(w, NULL), 0);
	uint32_t a = image_add_text(w, "alpha"), b = image_add_text(w, "beta"),
		 e = image_add_text(w, "");
	assert_int_equal(image_add_text(w, "alpha"), a);
	assert_true(a != b && e && e != a);
	image_add(w, IMAGE_ARGV, numbers, 3, sizeof *numbers);
	void *bytes = image_finish(w, size);
	assert_non_null(bytes);
	return bytes;
}

static void test_round_trip(void **state)
{
	(void)state;
	struct image image;
	uint32_t count;
	size_t size;
	void *bytes = small_image(&size);

	assert_true(image_verify(bytes, size));
	assert_int_equal(image_open(bytes, size, &image), 0);
	const uint32_t *numbers = image_get(&image, IMAGE_ARGV, sizeof *numbers, &count);
	assert_int_equal(count, 3);
	assert_int_equal(numbers[2], 9);
	assert_null(image_get(&image, IMAGE_ARGV, 8, &count));
	assert_int_equal(count, 0);
	assert_null(image_get(&image, IMAGE_RULES, 4, &count));
	assert_string_equal(image_text(&image, 0), "");
	assert_string_equal(image_text(&image, 1), "alpha");
	assert_null(image_text(&image, image.strings_size));
	assert_null(image_text(&image, UINT32_MAX));
}

static void test_text_is_not_quadratic(void **state)
{
	(void)state;
	struct image_writer *w = arena_new(&arena, struct image_writer);
	char text[32];
	uint32_t offsets[2000];

	image_begin(w, &arena);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 200000; i++) {
			snprintf(text, sizeof text, "%d", i);
			uint32_t offset = image_add_text(w, text);
			if (i < 2000 && round)
				assert_int_equal(offset, offsets[i]);
			else if (i < 2000)
				offsets[i] = offset;
		}
	}
}

static void test_too_large(void **state)
{
	(void)state;
	struct image_writer *w = arena_new(&arena, struct image_writer);
	void *data = arena_alloc(&arena, IMAGE_MAX_SIZE);
	size_t size;

	image_begin(w, &arena);
	image_add(w, IMAGE_ARGV, data, IMAGE_MAX_SIZE / 4, 4);
	assert_null(image_finish(w, &size));
	image_begin(w, &arena);
	image_add(w, IMAGE_ARGV, data, UINT32_MAX, 64);
	assert_null(image_finish(w, &size));
	image_begin(w, &arena);
	for (unsigned i = 0; i < 100; i++)
		image_add(w, i, data, 1, 4);
	assert_null(image_finish(w, &size));
}

/* Reads everything there is; under the sanitizers, any step outside is found. */
static size_t touch(const struct image *image)
{
	size_t sum = 0;

	for (uint32_t type = 0; type < 70; type++) {
		for (uint32_t element = 0; element < 64; element++) {
			uint32_t count;
			const unsigned char *p = image_get(image, type, element, &count);

			for (size_t i = 0; p && i < (size_t)count * element; i++)
				sum += p[i];
		}
	}
	for (uint32_t i = 0; i < image->strings_size; i++)
		sum += strlen(image_text(image, i));
	return sum;
}

static void *exact_copy(const void *bytes, size_t size)
{
	void *copy = malloc(size ? size : 1);

	memcpy(copy, bytes, size);
	return copy;
}

static void test_bits_and_lengths(void **state)
{
	(void)state;
	struct image image;
	size_t size;
	unsigned char *bytes = small_image(&size);

	for (size_t n = 0; n < size; n++) {
		unsigned char *copy = exact_copy(bytes, n);

		assert_int_not_equal(image_open(copy, n, &image), 0);
		assert_false(image_verify(copy, n));
		free(copy);
	}
	for (size_t i = 0; i < size * 8; i++) {
		unsigned char *copy = exact_copy(bytes, size);
		bool in_mac = i / 8 >= offsetof(struct image_header, mac) &&
			      i / 8 < offsetof(struct image_header, zero);

		copy[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_true(in_mac || !image_verify(copy, size));
		if (image_open(copy, size, &image) == 0)
			touch(&image);
		free(copy);
	}
}

static void test_hostile_sections(void **state)
{
	(void)state;
	static const struct {
		struct image_section s;
		bool ok;
	} rows[] = {
		{{IMAGE_ARGV, 0, 304, 12, 3, 4}, true},
		{{IMAGE_ARGV, 0, 304, 12, 3, 8}, false},
		{{IMAGE_ARGV, 0, 304, 12, 0x40000003, 4}, false},
		{{IMAGE_ARGV, 0, 0, 12, 3, 4}, false},	 /* over the header */
		{{IMAGE_ARGV, 0, 256, 12, 3, 4}, false}, /* over the table */
		{{IMAGE_ARGV, 0, 308, 8, 2, 4}, false},	 /* not aligned */
		{{IMAGE_ARGV, 0, 304, 0x7ffffffc, 0x1fffffff, 4}, false},
		{{IMAGE_ARGV, 0, 0xfffffff8, 12, 3, 4}, false},
		{{IMAGE_STRINGS, 0, 304, 12, 12, 1}, false}, /* twice */
		{{60, 0, 1, 2, 3, 4}, true},		     /* unknown, not critical */
		{{60, IMAGE_CRITICAL, 1, 2, 3, 4}, false},
		{{0xffffffff, 0, 1, 2, 3, 4}, true},
		{{0xffffffff, IMAGE_CRITICAL, 1, 2, 3, 4}, false},
	};
	size_t size;
	unsigned char *bytes = small_image(&size);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image image;
		unsigned char *copy = exact_copy(bytes, size);

		memcpy(copy + IMAGE_HEADER_SIZE, &rows[i].s, sizeof rows[i].s);
		if ((image_open(copy, size, &image) == 0) != rows[i].ok)
			fail_msg("row %zu", i);
		if (rows[i].ok)
			touch(&image);
		free(copy);
	}
	/* Strings that do not end, or do not start, with NUL. */
	for (int last = 0; last < 2; last++) {
		struct image image;
		unsigned char *copy = exact_copy(bytes, size);

		assert_int_equal(image_open(bytes, size, &image), 0);
		copy[image.strings - (const char *)bytes + (last ? image.strings_size - 1 : 0)] =
			'x';
		assert_int_not_equal(image_open(copy, size, &image), 0);
		free(copy);
	}
}

static void test_seal_and_map(void **state)
{
	(void)state;
	struct image image;
	size_t size;
	void *bytes = small_image(&size);
	int fd = image_seal(bytes, size);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(image_map(fd, &image), 0);
	assert_memory_equal(image.data, bytes, size);
	munmap((void *)image.data, image.size);
	close(fd);

	/* Unsealed, half sealed, not a memory file, corrupt. */
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(image_map(fd, &image), -EPERM);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(image_map(fd, &image), -EPERM);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL);
	assert_int_equal(image_map(fd, &image), 0);
	munmap((void *)image.data, image.size);
	close(fd);

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(image_map(fd, &image) < 0);
	close(fd);
	unsigned char *copy = exact_copy(bytes, size);
	copy[size - 1] ^= 1;
	fd = image_seal(copy, size);
	assert_int_equal(image_map(fd, &image), -EBADMSG);
	close(fd);
	fd = image_seal(copy, 10);
	assert_int_equal(image_map(fd, &image), -EFBIG);
	close(fd);
	free(copy);
}

/* ---- policies ---- */

static void add(struct policy *p, enum option_id id, const char *text, uint32_t line)
{
	struct error err = {0};
	struct origin origin = {line ? "/etc/p.yaml" : "--flag", line, line ? line + 1 : 0};

	if (!policy_add(p, id, text, origin, &err)) {
		auto_str message = {0};

		error_format(&err, &message);
		fail_msg("%s", str_text(&message));
	}
}

/* A value for every row of the table. */
static const char *sample(enum option_id id)
{
	const struct option *o = &options[id];

	switch ((int)id) {
	case OPT_name:
	case OPT_hostname:
		return "name";
	case OPT_extra_allow:
		return "sysv_ipc";
	}
	switch (o->kind) {
	case KIND_BOOL:
		return "true";
	case KIND_UINT:
		return o->max >= 7 ? "7" : "1";
	case KIND_SIZE:
		return "64M";
	case KIND_DURATION:
		return "1h30m";
	case KIND_TIME:
		return "1969-01-01T00:00:00Z";
	case KIND_ENUM:
		return arena_strndup(&arena, option_text(o->words),
				     strcspn(option_text(o->words), "|"));
	case KIND_PATH:
		return "/some/path";
	case KIND_ENV:
		return "KEY=VALUE";
	case KIND_NAMES:
		return option_text(o->words) ? arena_strndup(&arena, option_text(o->words),
							     strcspn(option_text(o->words), "|"))
					     : "mincore";
	case KIND_MOUNT:
		return id == OPT_volume ? "/out:/in:ro" : "/in:/out:ro";
	case KIND_TMPFS:
		return "/t:16M:mode=700";
	case KIND_RLIMIT:
		return "stack=8M:unlimited";
	case KIND_PORTS:
		return "9000-9005";
	case KIND_USER:
		return "1:2";
	case KIND_ENDPOINT:
		return "tcp://*:80";
	case KIND_NET_RULES:
		return "allow@public:tcp:443,deny@any";
	case KIND_PUBLISH:
		return "127.0.0.2:8080:80/udp";
	case KIND_STRING:
		break;
	}
	return o->flags & OPTION_MAP ? "k=v" : "text";
}

static void make_policy(struct policy *p)
{
	policy_init(p, &arena);
	p->name = "python";
	for (enum option_id id = 0; id < OPT_COUNT; id++)
		add(p, id, sample(id), id % 3 ? id : 0);
	add(p, OPT_fs_read, "/usr", 70000);
	add(p, OPT_fs_read, "/bin", 3);
	add(p, OPT_gpu, "all", 0);
	p->dependencies = arena_array(&arena, 2, sizeof *p->dependencies);
	p->dependency_count = 2;
	p->dependencies[0] = (struct dependency){
		.path = "/etc/p.yaml", .lookup = "/etc/q.yaml", .size = 5, .hash = {1, 2}};
	p->dependencies[1] = (struct dependency){.path = "/nowhere", .missing = true};
}

static void *policy_bytes(size_t *size)
{
	struct policy p;
	struct image_writer *w = arena_new(&arena, struct image_writer);

	make_policy(&p);
	image_begin(w, &arena);
	policy_to_image(&p, w);
	return image_finish(w, size);
}

static void same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(a == b);
}

static void test_policy_round_trip(void **state)
{
	(void)state;
	struct policy p, q;
	struct image image;
	size_t size;
	void *bytes = policy_bytes(&size);

	make_policy(&p);
	policy_init(&q, &arena);
	assert_int_equal(image_open(bytes, size, &image), 0);
	assert_true(policy_from_image(&image, &q));
	assert_string_equal(q.name, "python");
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		assert_int_equal(p.values[id].set, q.values[id].set);
		assert_int_equal(p.values[id].count, q.values[id].count);
		for (size_t i = 0; i < p.values[id].count; i++) {
			const struct item *a = &p.values[id].items[i], *b = &q.values[id].items[i];

			same_text(a->text, b->text);
			same_text(a->text2, b->text2);
			same_text(a->origin.file, b->origin.file);
			assert_int_equal(a->num, b->num);
			assert_int_equal(a->num2, b->num2);
			assert_int_equal(a->flags, b->flags);
			assert_int_equal(a->origin.line, b->origin.line);
			assert_int_equal(a->origin.col > 65535 ? 0 : a->origin.col, b->origin.col);
		}
	}
	assert_int_equal(q.dependency_count, 2);
	same_text(q.dependencies[0].lookup, "/etc/q.yaml");
	assert_int_equal(q.dependencies[0].hash[1], 2);
	assert_true(q.dependencies[1].missing);

	/* Writing what was read gives the same bytes. */
	struct image_writer *w = arena_new(&arena, struct image_writer);
	size_t again_size;
	image_begin(w, &arena);
	policy_to_image(&q, w);
	void *again = image_finish(w, &again_size);
	assert_int_equal(again_size, size);
	assert_memory_equal(again, bytes, size);
}

/* With right hashes, so that only the checks of content stand in the way. */
static void test_policy_flips(void **state)
{
	(void)state;
	size_t size, accepted = 0;
	unsigned char *bytes = policy_bytes(&size);

	for (size_t i = IMAGE_HEADER_SIZE * 8; i < size * 8; i++) {
		CLEANUP(arena_free) struct arena scratch = {0};
		unsigned char *copy = exact_copy(bytes, size);
		struct policy p;
		struct image image;

		copy[i / 8] ^= (unsigned char)(1 << i % 8);
		rehash(copy, size);
		policy_init(&p, &scratch);
		if (image_open(copy, size, &image) == 0 && policy_from_image(&image, &p)) {
			accepted++;
			for (enum option_id id = 0; id < OPT_COUNT; id++) {
				auto_str text = {0};

				for (size_t k = 0; k < p.values[id].count; k++)
					item_render(&p.values[id].items[k], id, &text);
			}
		}
		free(copy);
	}
	assert_true(accepted > 0); /* texts, lines, hashes */
}

static void test_policy_sections_missing(void **state)
{
	(void)state;
	size_t size;
	unsigned char *bytes = policy_bytes(&size);
	struct image_header *h = (void *)bytes;

	for (uint32_t i = 0; i < h->section_count; i++) {
		unsigned char *copy = exact_copy(bytes, size);
		struct image_section *s = (void *)(copy + IMAGE_HEADER_SIZE);
		struct policy p;
		struct image image;

		s[i].type = 61;
		policy_init(&p, &arena);
		assert_int_equal(image_open(copy, size, &image), 0);
		assert_false(policy_from_image(&image, &p));
		assert_null(p.name);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_text_is_not_quadratic),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_bits_and_lengths),
		cmocka_unit_test(test_hostile_sections),
		cmocka_unit_test(test_seal_and_map),
		cmocka_unit_test(test_policy_round_trip),
		cmocka_unit_test(test_policy_flips),
		cmocka_unit_test(test_policy_sections_missing),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_free(&arena);
	return failed;
}
