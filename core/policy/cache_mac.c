/*
 * Who made a cache entry: a key that only processes of this user outside every sandbox can read, and the code computed with
 * it. xxHash finds corruption; only this finds forgery, which a sandbox that may write to the home directory could try.
 * The key must never reach a file, a message or the guest.
 */
#include "policy/cache_file.h"

#include "base/sys.h"

#include <bearssl.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#ifndef SANDLOCK_BUILD_ID
#define SANDLOCK_BUILD_ID "unknown"
#endif

/* linux/keyctl.h has these; the values are ABI. */
static const char key_type[] = "user";
static const char key_description[] = "sandlock:policy-cache";
/* The possessor may do everything, other processes of the user may look and read: a session keyring of a daemon is often
 * not linked to the user keyring, and then nobody possesses the key. (keyrings(7), KEYCTL_SETPERM) */
static const unsigned key_permissions = 0x3f0b0000;

static bool read_key(uint8_t key[CACHE_KEY_SIZE], long *error)
{
	long id = SYS(keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, key_type, key_description, 0);

	*error = id < 0 ? id : 0;
	return id > 0 && SYS(keyctl, KEYCTL_READ, id, key, CACHE_KEY_SIZE) == CACHE_KEY_SIZE;
}

bool cache_mac_key(uint8_t key[CACHE_KEY_SIZE], bool create)
{
	uint8_t fresh[CACHE_KEY_SIZE];
	long error;

	if (read_key(key, &error))
		return true;
	/* A key that is there but not ours to read is not replaced: others may be using it. */
	if (!create || (error != -ENOKEY && error != -EKEYEXPIRED && error != -EKEYREVOKED))
		return false;
	if (getrandom(fresh, sizeof fresh, 0) != sizeof fresh)
		return false;

	long id =
		SYS(add_key, key_type, key_description, fresh, sizeof fresh, KEY_SPEC_USER_KEYRING);
	explicit_bzero(fresh, sizeof fresh);
	if (id < 0)
		return false;
	SYS(keyctl, KEYCTL_SETPERM, id, key_permissions);
	/* Read back: when two processes came here at once, the later key is the one that stays. */
	return read_key(key, &error);
}

/*
 * SHA-256 in constant-time portable code reads 0.3 bytes a nanosecond: a policy of 2000 lines would cost 0.4 ms at every
 * start. So the payload is reduced by Poly1305 under the secret key first, which is a universal hash and ten times
 * faster, and its result, which nobody sees, is part of what HMAC-SHA-256 covers (Carter and Wegman: hash, then a
 * pseudo-random function). The Poly1305 key is one ChaCha20 block under the same key; HMAC never uses ChaCha20.
 */
void cache_mac(const uint8_t key[CACHE_KEY_SIZE], const void *image, size_t size, uint8_t mac[32])
{
	static const unsigned char nonce[12] = "SLPC payload";
	const size_t covered = offsetof(struct image_header, mac);
	unsigned char digest[16];
	br_hmac_key_context keys;
	br_hmac_context hmac;

	/* The variant with 128-bit products: every architecture here has them. */
	br_poly1305_ctmulq_run(key, nonce, NULL, 0, (const char *)image + IMAGE_HEADER_SIZE,
			       size - IMAGE_HEADER_SIZE, digest, br_chacha20_ct_run, 1);
	br_hmac_key_init(&keys, &br_sha256_vtable, key, CACHE_KEY_SIZE);
	br_hmac_init(&hmac, &keys, 0);
	br_hmac_update(&hmac, image, covered);
	br_hmac_update(&hmac, digest, sizeof digest);
	br_hmac_out(&hmac, mac);
}

/* ---- this program ---- */

extern const ElfW(Ehdr) __ehdr_start __attribute__((weak, visibility("hidden")));

static bool is_build_id(const ElfW(Nhdr) * note)
{
	return note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
	       memcmp(note + 1, "GNU", 4) == 0;
}

/* The linker's hash of everything in the program, from its own mapped headers. */
static bool linked_id(uint64_t *id)
{
	const ElfW(Ehdr) *header = &__ehdr_start;

	/* What follows the header belongs to no object that the compiler knows. */
	__asm__("" : "+r"(header));
	if (!header)
		return false;

	const char *base = (const char *)header;
	const ElfW(Phdr) *ph = (const void *)(base + header->e_phoff);
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (ph[i].p_type != PT_NOTE)
			continue;
		/* The first segment is mapped with the headers, at its link-time address relative to them. */
		const char *p = base + ph[i].p_offset, *end = p + ph[i].p_filesz;
		while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const void *)p;
			const char *content = p + sizeof *note + ((note->n_namesz + 3) & ~3u);

			if (is_build_id(note) && note->n_descsz <= (size_t)(end - content)) {
				*id = XXH3_64bits(content, note->n_descsz);
				return true;
			}
			p = content + ((note->n_descsz + 3) & ~3u);
			if (p > end)
				break;
		}
	}
	return false;
}

uint64_t cache_build_id(void)
{
	static const char text[] = SANDLOCK_VERSION " " SANDLOCK_BUILD_ID;
	uint64_t id;

	return linked_id(&id) ? id : XXH3_64bits(text, sizeof text);
}

uint32_t cache_arch(void)
{
#if defined(__x86_64__)
	return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	return AUDIT_ARCH_AARCH64;
#elif defined(__riscv)
	return AUDIT_ARCH_RISCV64;
#else
#error "unknown architecture"
#endif
}
