/* Flat images from anybody: the reader, then everything in them, then a policy from them. */
#include "fuzz.h"

#include "policy/image.h"

#include <xxhash.h>

static size_t read_all(const struct image *image)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < image->section_count; i++) {
		uint32_t count, size = image->sections[i].element_size;
		const uint8_t *p = image_get(image, image->sections[i].type, size, &count);

		for (size_t k = 0; p && k < (size_t)count * size; k++)
			sum += p[k];
	}
	for (uint32_t i = 0; i < 64; i++) {
		const char *text = image_text(image, i * i);

		sum += text ? strlen(text) : 0;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct policy policy;
	struct image image;
	uint8_t *copy = malloc(size ? size : 1);
	volatile size_t sum;

	memcpy(copy, data, size);
	/* Mutations would hardly ever guess these. */
	if (size >= IMAGE_HEADER_SIZE)
		((struct image_header *)copy)->total_size = (uint32_t)size;
	(void)image_verify(copy, size);
	if (image_open(copy, size, &image) == 0) {
		sum = read_all(&image);
		(void)sum;
		policy_init(&policy, &arena);
		if (policy_from_image(&image, &policy))
			fuzz_use(&policy);
	}
	free(copy);
	arena_free(&arena);
	return 0;
}
