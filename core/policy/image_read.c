/*
 * Reads a flat image. Every offset and count is checked here once, so that accessors may hand out pointers.
 * Must never call the C library: the preload library contains this file.
 */
#include "policy/image.h"

/* Section types this reader understands; one bit each. */
#define KNOWN(type) (1ULL << (type))
static const uint64_t known_types =
	KNOWN(IMAGE_STRINGS) | KNOWN(IMAGE_DEPENDENCIES) | KNOWN(IMAGE_OPTIONS) |
	KNOWN(IMAGE_ITEMS) | KNOWN(IMAGE_NUMBERS) | KNOWN(IMAGE_NAME) | KNOWN(IMAGE_FILTER) |
	KNOWN(IMAGE_WARNINGS) | KNOWN(IMAGE_PLAN) | KNOWN(IMAGE_RULES) | KNOWN(IMAGE_PORTS) |
	KNOWN(IMAGE_ARGV) | KNOWN(IMAGE_ENVIRONMENT) | KNOWN(IMAGE_RLIMITS) |
	KNOWN(IMAGE_ENV_EDITS) | KNOWN(IMAGE_CANDIDATES) | KNOWN(IMAGE_KEEP_FDS) | IMAGE_OF_A_RUN;

_Static_assert(sizeof(struct image_header) == IMAGE_HEADER_SIZE, "header is on disk");
_Static_assert(offsetof(struct image_header, build_id) == 24, "header is on disk");
_Static_assert(offsetof(struct image_header, source_hash) == 56, "header is on disk");
_Static_assert(offsetof(struct image_header, payload_hash) == 96, "header is on disk");
_Static_assert(offsetof(struct image_header, header_hash) == 104, "header is on disk");
_Static_assert(offsetof(struct image_header, mac) == 112, "header is on disk");
_Static_assert(sizeof(struct image_section) == 24, "section records are on disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are little-endian");

static int check_section(const struct image_section *s, size_t first, size_t size, uint64_t *seen)
{
	if (s->type >= 64 || !(known_types & KNOWN(s->type)))
		return s->flags & IMAGE_CRITICAL ? -8 : 0;
	/* A second section of one type could be seen by one reader and missed by another. */
	if (*seen & KNOWN(s->type))
		return -9;
	*seen |= KNOWN(s->type);
	if (s->offset % 8 || s->offset < first || s->offset > size || s->length > size - s->offset)
		return -10;
	if ((uint64_t)s->count * s->element_size != s->length)
		return -11;
	return 0;
}

int image_open(const void *data, size_t size, struct image *out)
{
	const struct image_header *h = data;

	if (!data || (uintptr_t)data % 8)
		return -1;
	if (size < IMAGE_HEADER_SIZE || size > IMAGE_MAX_SIZE || h->total_size != size)
		return -2;
	if (h->magic != IMAGE_MAGIC)
		return -3;
	if (h->major != IMAGE_MAJOR)
		return -4;
	if (h->byte_order != IMAGE_BYTE_ORDER)
		return -5;
	if (h->header_size != IMAGE_HEADER_SIZE)
		return -6;
	for (unsigned i = 0; i < sizeof h->zero; i++) /* no hash covers them */
		if (h->zero[i])
			return -6;
	if (h->section_count > IMAGE_MAX_SECTIONS ||
	    h->section_count * sizeof(struct image_section) > size - IMAGE_HEADER_SIZE)
		return -7;

	const struct image_section *sections =
		(const void *)((const char *)data + IMAGE_HEADER_SIZE);
	size_t first = IMAGE_HEADER_SIZE + h->section_count * sizeof *sections;
	uint64_t seen = 0;

	out->data = data;
	out->size = size;
	out->sections = sections;
	out->section_count = h->section_count;
	out->strings = "";
	out->strings_size = 1;
	for (uint32_t i = 0; i < h->section_count; i++) {
		int step = check_section(&sections[i], first, size, &seen);

		if (step)
			return step;
		if (sections[i].type != IMAGE_STRINGS)
			continue;

		const char *strings = (const char *)data + sections[i].offset;
		uint32_t length = sections[i].length;
		if (sections[i].element_size != 1 || !length || strings[0] || strings[length - 1])
			return -12;
		out->strings = strings;
		out->strings_size = length;
	}
	return 0;
}

const void *image_get(const struct image *image, uint32_t type, uint32_t element_size,
		      uint32_t *count)
{
	*count = 0;
	if (type >= 64 || !(known_types & KNOWN(type)))
		return 0;
	for (uint32_t i = 0; i < image->section_count; i++) {
		const struct image_section *s = &image->sections[i];

		if (s->type != type)
			continue;
		if (s->element_size != element_size)
			return 0;
		*count = s->count;
		return image->data + s->offset;
	}
	return 0;
}

const char *image_text(const struct image *image, uint32_t offset)
{
	if (offset >= image->strings_size)
		return 0;
	return image->strings + offset;
}
