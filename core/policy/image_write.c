/*
 * Makes flat images: in memory, as sealed memory files, and back as read-only mappings.
 * Must never write a byte that depends on a pointer or on uninitialised memory: images are compared and hashed.
 */
#include "policy/image.h"

#include "base/fd.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3: also seals the missing execute bit */
#endif
#ifndef F_SEAL_SEAL
#error "linux/fcntl.h without seals"
#endif

enum { FIRST_SLOTS = 256, FIRST_STRINGS = 4096 };
static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

void image_begin(struct image_writer *w, struct arena *arena)
{
	memset(w, 0, sizeof *w);
	w->arena = arena;
	w->header.magic = IMAGE_MAGIC;
	w->header.major = IMAGE_MAJOR;
	w->header.minor = IMAGE_MINOR;
	w->header.byte_order = IMAGE_BYTE_ORDER;
	w->header.header_size = IMAGE_HEADER_SIZE;
	w->strings_cap = FIRST_STRINGS;
	w->strings = arena_alloc(arena, w->strings_cap);
	w->strings_size = 1;
	w->slot_count = FIRST_SLOTS;
	w->slots = arena_array(arena, w->slot_count, sizeof *w->slots);
}

/* The slot that holds `text`, or the free one where it belongs. Slots hold offsets; 0 is free, and is no text's offset. */
static uint32_t *find_slot(const struct image_writer *w, const char *text, size_t len)
{
	size_t i = (size_t)XXH3_64bits(text, len) & (w->slot_count - 1);

	while (w->slots[i] && strcmp(w->strings + w->slots[i], text))
		i = (i + 1) & (w->slot_count - 1);
	return &w->slots[i];
}

static void grow_slots(struct image_writer *w)
{
	const uint32_t *old = w->slots;
	size_t old_count = w->slot_count;

	w->slot_count *= 2;
	w->slots = arena_array(w->arena, w->slot_count, sizeof *w->slots);
	for (size_t i = 0; i < old_count; i++) {
		if (!old[i])
			continue;
		const char *text = w->strings + old[i];
		*find_slot(w, text, strlen(text)) = old[i];
	}
}

uint32_t image_add_text(struct image_writer *w, const char *text)
{
	if (!text)
		return 0;

	size_t len = strlen(text);
	uint32_t *slot = find_slot(w, text, len);
	if (*slot)
		return *slot;
	if (len >= w->strings_cap - w->strings_size) {
		char *bigger;

		while (len >= w->strings_cap - w->strings_size)
			w->strings_cap *= 2;
		bigger = arena_alloc(w->arena, w->strings_cap);
		memcpy(bigger, w->strings, w->strings_size);
		w->strings = bigger;
	}

	/* Past 4 GiB offsets would wrap; image_finish() refuses such a writer long before (IMAGE_MAX_SIZE). */
	uint32_t offset = (uint32_t)w->strings_size;
	memcpy(w->strings + offset, text, len + 1);
	w->strings_size += len + 1;
	*slot = offset;
	if (++w->slots_used > w->slot_count / 2)
		grow_slots(w);
	return offset;
}

void image_add(struct image_writer *w, uint32_t type, const void *data, uint32_t count,
	       uint32_t element_size)
{
	/* Types are few and distinct; a full table is a mistake that image_finish() turns into a refusal. */
	if (w->section_count >= IMAGE_MAX_SECTIONS - 1) {
		w->section_count = IMAGE_MAX_SECTIONS;
		return;
	}

	struct image_section *s = &w->sections[w->section_count];
	if (__builtin_mul_overflow(count, element_size, &s->length))
		s->length = UINT32_MAX;
	s->type = type;
	s->count = count;
	s->element_size = element_size;
	w->data[w->section_count++] = data;
}

void *image_finish(struct image_writer *w, size_t *size)
{
	*size = 0;
	if (w->section_count >= IMAGE_MAX_SECTIONS || w->strings_size > IMAGE_MAX_SIZE)
		return NULL;
	image_add(w, IMAGE_STRINGS, w->strings, (uint32_t)w->strings_size, 1);

	size_t total = IMAGE_HEADER_SIZE + w->section_count * sizeof *w->sections;
	for (uint32_t i = 0; i < w->section_count; i++) {
		total = (total + 7) & ~(size_t)7;
		w->sections[i].offset = (uint32_t)total;
		total += w->sections[i].length;
		if (total > IMAGE_MAX_SIZE)
			return NULL;
	}

	unsigned char *bytes = arena_alloc(w->arena, total);
	size_t table = w->section_count * sizeof *w->sections;
	memcpy(bytes + IMAGE_HEADER_SIZE, w->sections, table);
	for (uint32_t i = 0; i < w->section_count; i++) {
		if (w->sections[i].length)
			memcpy(bytes + w->sections[i].offset, w->data[i], w->sections[i].length);
	}

	struct image_header *h = &w->header;
	h->total_size = (uint32_t)total;
	h->section_count = w->section_count;
	h->payload_hash = XXH3_64bits(bytes + IMAGE_HEADER_SIZE, total - IMAGE_HEADER_SIZE);
	h->header_hash = XXH3_64bits(h, offsetof(struct image_header, header_hash));
	memcpy(bytes, h, sizeof *h);
	*size = total;
	return bytes;
}

bool image_verify(const void *data, size_t size)
{
	const struct image_header *h = data;

	if (size < IMAGE_HEADER_SIZE)
		return false;
	for (size_t i = 0; i < sizeof h->zero; i++) {
		if (h->zero[i])
			return false;
	}
	return h->header_hash == XXH3_64bits(h, offsetof(struct image_header, header_hash)) &&
	       h->payload_hash == XXH3_64bits((const char *)data + IMAGE_HEADER_SIZE,
					      size - IMAGE_HEADER_SIZE);
}

int image_seal(const void *data, size_t size)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	auto_fd fd = memfd_create("sandlock-policy", flags | MFD_NOEXEC_SEAL);

	/* Before Linux 6.3 the flag is EINVAL; with vm.memfd_noexec=2 only the flag is accepted. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("sandlock-policy", flags);
	if (fd < 0)
		return -errno;

	int ret = fd_write_all(fd, data, size);
	if (ret)
		return ret;
	if (fcntl(fd, F_ADD_SEALS, all_seals))
		return -errno;
	return fd_take(&fd);
}

int image_map(int fd, struct image *out)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return -errno;
	if ((seals & all_seals) != all_seals)
		return -EPERM;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < IMAGE_HEADER_SIZE || st.st_size > IMAGE_MAX_SIZE)
		return -EFBIG;

	size_t size = (size_t)st.st_size;
	void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	if (!image_verify(data, size) || image_open(data, size, out)) {
		munmap(data, size);
		return -EBADMSG;
	}
	return 0;
}
