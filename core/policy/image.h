/*
 * The flat image: the same bytes are a cache file, the sealed memfd of a re-executed supervisor, and what the preload
 * library maps. Little-endian, offsets from the start, no pointers, 8-byte aligned sections. The reader trusts nothing: every
 * accessor checks bounds, so a truncated or hostile image is an error and never a crash. The reader (image_read.c) is free of
 * libc, because the preload library contains it.
 */
#ifndef SANDLOCK_POLICY_IMAGE_H
#define SANDLOCK_POLICY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC 0x43504c53u /* "SLPC": a policy */
#define IMAGE_BYTE_ORDER 0x01020304u
#define IMAGE_CRITICAL 1u /* section flag */
enum { IMAGE_MAJOR = 1, IMAGE_MINOR = 0, IMAGE_HEADER_SIZE = 256, IMAGE_MAX_SECTIONS = 64 };
enum { IMAGE_MAX_SIZE = 4 * 1024 * 1024 };

/* Offsets as in the format description of docs/sandlock-policy.5 ("COMPILED POLICIES"). */
struct image_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t byte_order; /* 0x01020304 */
	uint32_t header_size;
	uint32_t total_size;
	uint32_t section_count;
	uint64_t build_id; /* XXH3-64 of the program's build id */
	uint32_t audit_arch;
	uint32_t landlock_abi;
	uint64_t kernel_features;
	uint32_t euid;
	uint32_t flags;
	uint64_t source_hash[2];
	uint64_t key[2];
	uint64_t created;
	uint64_t payload_hash; /* XXH3-64 of everything behind the header */
	uint64_t header_hash;  /* XXH3-64 of bytes 0..103 */
	uint8_t mac
		[32]; /* HMAC-SHA-256 over bytes 0..111 and the payload; zero when there is no key */
	uint8_t zero[112];
};

struct image_section {
	uint32_t type;	/* enum image_type */
	uint32_t flags; /* bit 0: a reader that does not know the type must refuse the image */
	uint32_t offset, length;
	uint32_t count, element_size;
};

enum image_type {
	IMAGE_STRINGS = 1, /* NUL-terminated, first byte NUL; offset 0 = "absent" */
	IMAGE_DEPENDENCIES = 2,
	IMAGE_OPTIONS = 3, /* struct image_option */
	IMAGE_ITEMS = 4,   /* struct image_item */
	IMAGE_NUMBERS = 5, /* pairs of uint64_t that items refer to */
	IMAGE_FILTER = 19, /* struct sock_filter */
	IMAGE_NAME = 22,   /* one uint32_t: the name the policy was loaded by */
	IMAGE_WARNINGS = 23,
	IMAGE_PLAN = 32, /* one struct image_plan (plan/plan_image.h) */
	IMAGE_RULES = 33,
	IMAGE_PORTS = 34,
	IMAGE_ARGV = 35, /* uint32_t string offsets */
	IMAGE_ENVIRONMENT = 36,
	IMAGE_RLIMITS = 37,
	IMAGE_ENV_EDITS = 38,
	IMAGE_CANDIDATES = 39, /* paths to try for exec, in order */
	IMAGE_KEEP_FDS = 40,
};
/* 48 to 55, one bit each: what a run adds, named by launch/record.h and plan/net_record.h. */
#define IMAGE_OF_A_RUN (0xffULL << 48)

struct image {
	const uint8_t *data;
	size_t size;
	const struct image_section *sections;
	uint32_t section_count;
	const char *strings;
	uint32_t strings_size;
};

/* Checks sizes, magic, version, byte order, hashes are NOT checked here (image_verify does, it needs xxHash): section bounds,
 * alignment, and that the string section ends with NUL. 0 or a negative step number that says what was wrong. */
int image_open(const void *data, size_t size, struct image *out);
/* NULL when there is no such section or its element size differs; *count elements otherwise. */
const void *image_get(const struct image *image, uint32_t type, uint32_t element_size,
		      uint32_t *count);
/* The string at `offset`, "" for 0, NULL when out of bounds. */
const char *image_text(const struct image *image, uint32_t offset);

#ifndef SANDLOCK_FREESTANDING
#include "base/arena.h"

struct image_writer {
	struct arena *arena;
	struct image_section sections[IMAGE_MAX_SECTIONS];
	const void *data[IMAGE_MAX_SECTIONS];
	uint32_t section_count;
	char *strings;
	size_t strings_size, strings_cap;
	uint32_t *slots; /* hash table of string offsets, so that adding text is not quadratic */
	size_t slot_count, slots_used;
	struct image_header header; /* caller fills the key fields */
};

void image_begin(struct image_writer *w, struct arena *arena);
/* Offset of a copy of `text` (equal strings are stored once when adjacent lookups allow); 0 for NULL. */
uint32_t image_add_text(struct image_writer *w, const char *text);
/* `data` must stay valid until image_finish(). */
void image_add(struct image_writer *w, uint32_t type, const void *data, uint32_t count,
	       uint32_t element_size);
/* The finished bytes in the arena, hashes filled in. NULL when they would pass IMAGE_MAX_SIZE. */
void *image_finish(struct image_writer *w, size_t *size);
/* Both hashes. */
bool image_verify(const void *data, size_t size);
/* A sealed (SHRINK|GROW|WRITE|SEAL), close-on-exec memfd holding the bytes, or -errno. */
int image_seal(const void *data, size_t size);
/* Maps a sealed memfd read-only; refuses one without all four seals. 0 or -errno. Unmap with munmap(data, size). */
int image_map(int fd, struct image *out);

struct policy;
/* policy_image.c: options, items, name and dependencies of a resolved policy as sections, and back (origins included). Texts of
 * the policy point into the image afterwards, which must live as long. False leaves *policy as it was. */
void policy_to_image(const struct policy *policy, struct image_writer *w);
bool policy_from_image(const struct image *image, struct policy *policy);
#endif

#endif
