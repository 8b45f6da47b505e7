/*
 * Cache entries, structure-aware: the input edits a valid entry (offset, byte pairs), then all hashes and the code under the
 * key are made right again, so that only the checks of content stand between the edit and the policy.
 */
#include "fuzz.h"

#include "policy/cache_file.h"

#include <xxhash.h>

static const char sample[] =
	"version: 1\nfilesystem:\n  read: [/usr, /lib]\n  mount: [\"/a:/b:ro\"]\n  tmpfs: [\"/t:16M\"]\n"
	"program:\n  env: {A: b}\n  exec: /bin/true\nlimits:\n  open_files: 64\n  rlimits: {nproc: 5}\n"
	"network:\n  allow_bind: [80, \"90-95\"]\nlifecycle:\n  timeout: 5s\n";

static unsigned char *make_entry(struct arena *arena, size_t *size)
{
	struct source src =
		fuzz_source(arena, "/p/x.yaml", (const uint8_t *)sample, sizeof sample - 1);
	struct error err = {0};
	struct extends extends = {0};
	struct image_writer w;
	struct policy policy;

	policy_init(&policy, arena);
	if (!yaml_load(&src, &fuzz_surroundings, &policy, &extends, &err))
		abort();
	policy.name = "x";
	policy.dependencies = arena_new(arena, struct dependency);
	policy.dependencies[0] = (struct dependency){.path = "/nowhere/at/all", .missing = true};
	policy.dependency_count = 1;
	image_begin(&w, arena);
	policy_to_image(&policy, &w);
	void *bytes = image_finish(&w, size);
	free((char *)src.text);
	error_free(&err);
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[CACHE_KEY_SIZE] = "fuzz";
	static struct arena kept;
	static unsigned char *entry;
	static size_t entry_size;
	struct arena arena = {0};
	struct policy policy;
	struct image image;

	if (!entry)
		entry = make_entry(&kept, &entry_size);

	unsigned char *copy = malloc(entry_size);
	struct image_header *h = (void *)copy;
	memcpy(copy, entry, entry_size);
	for (size_t i = 0; i + 3 <= size; i += 3)
		copy[((size_t)data[i] << 8 | data[i + 1]) % entry_size] = data[i + 2];
	h->payload_hash = XXH3_64bits(copy + IMAGE_HEADER_SIZE, entry_size - IMAGE_HEADER_SIZE);
	h->header_hash = XXH3_64bits(h, offsetof(struct image_header, header_hash));
	cache_mac(key, copy, entry_size, h->mac);
	if (image_open(copy, entry_size, &image) == 0) {
		policy_init(&policy, &arena);
		if (policy_from_image(&image, &policy)) {
			struct image_writer w;
			size_t again;

			fuzz_use(&policy);
			/* What was accepted can be written again. */
			image_begin(&w, &arena);
			policy_to_image(&policy, &w);
			if (!image_finish(&w, &again))
				abort();
		}
	}
	free(copy);
	arena_free(&arena);
	return 0;
}
