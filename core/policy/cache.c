/*
 * Reading and writing compiled policies. Whatever is wrong with an entry, the answer is "not there" and the
 * caller compiles again. Must never print, never fail a run, and never use an entry before every check has passed.
 */
#include "policy/cache_file.h"
#include "policy/checked_open.h"
#include "policy/values.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* ---- which entry ---- */

static void hex_name(const uint64_t key[2], const char *suffix, char out[CACHE_NAME_SIZE])
{
	snprintf(out, CACHE_NAME_SIZE, "%016llx%016llx%s", (unsigned long long)key[0],
		 (unsigned long long)key[1], suffix);
}

/* What is fixed for this program and user. Several builds that share a home directory do not overwrite each other. */
struct key_base {
	uint32_t major, minor;
	uint64_t build;
	uint32_t arch, uid, euid, gid;
	uint32_t trust, zero;
};

static struct key_base key_base(const struct surroundings *s)
{
	return (struct key_base){
		.major = IMAGE_MAJOR,
		.minor = IMAGE_MINOR,
		.build = cache_build_id(),
		.arch = cache_arch(),
		.uid = s->uid,
		.euid = s->euid,
		.gid = s->gid,
		.trust = s->trust_policy,
	};
}

/* Bytes to hash, in arena memory: the heap stays untouched on the way that every start takes. */
struct bytes {
	char *data;
	size_t len, cap;
	struct arena *arena;
};

static void add_bytes(struct bytes *b, const void *data, size_t n)
{
	if (n > b->cap - b->len) {
		char *old = b->data;

		b->cap = (b->cap + n) * 2;
		b->data = arena_alloc(b->arena, b->cap);
		if (b->len)
			memcpy(b->data, old, b->len);
	}
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

static void add_part(struct bytes *b, const char *text)
{
	/* Unset and empty differ, and no text runs into the next. */
	add_bytes(b, text ? "=" : "-", 1);
	if (text)
		add_bytes(b, text, strlen(text) + 1);
}

/* Everything that decides which files a name leads to, apart from the files themselves. */
static void policy_key(const char *name, const struct surroundings *s, struct arena *arena,
		       uint64_t key[2])
{
	struct key_base base = key_base(s);
	struct bytes b = {.data = arena_alloc(arena, 512), .cap = 512, .arena = arena};

	add_bytes(&b, &base, sizeof base);
	add_part(&b, name);
	add_part(&b, name[0] == '/' ? NULL : s->cwd);
	add_part(&b, s->home);
	add_part(&b, surroundings_env(s, "XDG_CONFIG_HOME"));
	add_part(&b, s->policy_path);
	add_part(&b, s->shipped);

	XXH128_hash_t hash = XXH3_128bits(b.data, b.len);
	key[0] = hash.high64;
	key[1] = hash.low64;
}

/* A privileged start must not take anything from where the invoker points; root has a place of its own. */
static bool is_off(const struct surroundings *s)
{
	return !s->use_cache || (s->privileged && s->euid != 0);
}

/* ---- one file ---- */

static bool file_is_ours(const struct stat *st, const struct surroundings *s)
{
	return S_ISREG(st->st_mode) && st->st_uid == s->euid && !(st->st_mode & 077) &&
	       st->st_nlink == 1 && st->st_size >= IMAGE_HEADER_SIZE &&
	       st->st_size <= IMAGE_MAX_SIZE;
}

static bool key_is_name(const struct image_header *h, const char *file)
{
	char name[CACHE_NAME_SIZE];

	hex_name(h->key, CACHE_POLICY_SUFFIX, name);
	return strcmp(name, file) == 0;
}

static bool mac_is_right(const void *data, size_t size, const uint8_t key[CACHE_KEY_SIZE])
{
	const struct image_header *h = data;
	uint8_t mac[32];
	unsigned difference = 0;

	cache_mac(key, data, size, mac);
	for (size_t i = 0; i < sizeof mac; i++)
		difference |= mac[i] ^ h->mac[i];
	return difference == 0;
}

static bool entry_is_intact(const void *data, size_t size, const char *file,
			    const uint8_t key[CACHE_KEY_SIZE])
{
	const struct image_header *h = data;

	return h->total_size == size && h->header_size == IMAGE_HEADER_SIZE &&
	       image_verify(data, size) && key_is_name(h, file) && mac_is_right(data, size, key);
}

/* Landlock ABI and kernel features are 0 here: options and elements do not depend on them, and
 * the caller's key of a filter contains what it was compiled for. */
static bool entry_is_mine(const struct image_header *h, const struct surroundings *s)
{
	return h->build_id == cache_build_id() && h->audit_arch == cache_arch() &&
	       h->landlock_abi == 0 && h->kernel_features == 0 && h->flags == 0 &&
	       h->euid == s->euid;
}

const void *cache_check(int dir, const char *file, const struct surroundings *s,
			const uint8_t key[CACHE_KEY_SIZE], struct arena *arena, struct image *image,
			int *fd_out, struct stat *st)
{
	/* O_NONBLOCK: a FIFO in this place must not stop the start. */
	auto_fd fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) || !file_is_ours(st, s))
		return NULL;

	/* Private memory: a mapping could change after it was verified. */
	size_t size = (size_t)st->st_size;
	void *data = arena_alloc(arena, size);
	if (pread(fd, data, size, 0) != (ssize_t)size || !entry_is_intact(data, size, file, key) ||
	    image_open(data, size, image))
		return NULL;
	if (fd_out)
		*fd_out = fd_take(&fd);
	return data;
}

/* The entry, or NULL after removing whatever is in its place. */
static const void *read_entry(int dir, const char *file, const struct surroundings *s,
			      struct arena *arena, struct image *image, int *fd, struct stat *st)
{
	uint8_t key[CACHE_KEY_SIZE];

	if (!cache_mac_key(key, false))
		return NULL;

	const void *data = cache_check(dir, file, s, key, arena, image, fd, st);
	explicit_bzero(key, sizeof key);
	if (data && entry_is_mine(data, s))
		return data;
	unlinkat(dir, file, 0);
	return NULL;
}

static void write_entry(int dir, const char *file, const void *data, size_t size)
{
	uint8_t random[8];
	char name[CACHE_NAME_SIZE + 48];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return;
	snprintf(name, sizeof name, ".%.32s.%d.%02x%02x%02x%02x%02x%02x%02x", file, (int)getpid(),
		 random[1], random[2], random[3], random[4], random[5], random[6], random[7]);

	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* No fsync: a torn file is found out by its hashes. */
	if (fd_write_all(fd, data, size) || renameat(dir, name, dir, file))
		unlinkat(dir, name, 0);
	if (random[0] % 32 == 0)
		cache_collect(dir);
}

static void store(struct image_writer *w, const uint64_t key[2], const struct surroundings *s)
{
	uint8_t mac_key[CACHE_KEY_SIZE];
	char file[CACHE_NAME_SIZE];
	size_t size;

	auto_walk walk;
	walk_begin(&walk);
	auto_fd dir = cache_open_directory(&walk, s, w->arena, true);
	if (dir < 0 || !cache_mac_key(mac_key, true))
		return;
	w->header.build_id = cache_build_id();
	w->header.audit_arch = cache_arch();
	w->header.euid = s->euid;
	w->header.key[0] = key[0];
	w->header.key[1] = key[1];
	w->header.created = (uint64_t)time(NULL);

	struct image_header *data = image_finish(w, &size);
	if (!data)
		return;
	cache_mac(mac_key, data, size, data->mac);
	explicit_bzero(mac_key, sizeof mac_key);
	hex_name(key, CACHE_POLICY_SUFFIX, file);
	write_entry(dir, file, data, size);
}

/* ---- still the same? ---- */

static bool is_absent(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, 0) && (errno == ENOENT || errno == ENOTDIR);
}

/* Most sources fit into a buffer on the stack: fresh memory costs more than hashing what is read into it. */
static bool content_is(int fd, const struct dependency *d, struct arena *arena)
{
	char small[16 * 1024];
	char *buffer = small;

	if (d->size > POLICY_MAX_SIZE)
		return false;
	if (d->size >= sizeof small)
		buffer = arena_alloc(arena, d->size + 1);
	/* One more byte: it may have grown since fstat(). */
	if (pread(fd, buffer, d->size + 1, 0) != (ssize_t)d->size)
		return false;

	XXH128_hash_t hash = XXH3_128bits(buffer, d->size);
	return hash.low64 == d->hash[0] && hash.high64 == d->hash[1];
}

/* The file is opened as it was when it was compiled: same walk, same rules, same place, same bytes. */
static bool file_is_same(struct walk *walk, const struct dependency *d, struct arena *arena,
			 const struct surroundings *s)
{
	struct stat st;

	if (!d->lookup)
		return false;

	auto_fd fd = walk_file(walk, d->lookup, s, &st);
	return fd >= 0 && !walk->objection && strcmp(walk->path, d->path) == 0 &&
	       (uint64_t)st.st_size == d->size && content_is(fd, d, arena);
}

static bool still_holds(struct walk *walk, const struct policy *policy,
			const struct surroundings *s)
{
	for (size_t i = 0; i < policy->dependency_count; i++) {
		const struct dependency *d = &policy->dependencies[i];
		bool same = d->path[0] == '$' ? variable_unchanged(d->path, s)
			    : d->missing      ? is_absent(d->path)
					      : file_is_same(walk, d, policy->arena, s);

		if (!same)
			return false;
	}
	return true;
}

static void hash_sources(const struct policy *policy, struct arena *arena, uint64_t out[2])
{
	struct bytes b = {.data = arena_alloc(arena, 512), .cap = 512, .arena = arena};

	for (size_t i = 0; i < policy->dependency_count; i++) {
		const struct dependency *d = &policy->dependencies[i];

		add_part(&b, d->path);
		add_bytes(&b, &d->size, sizeof d->size);
		add_bytes(&b, d->hash, sizeof d->hash);
	}

	XXH128_hash_t hash = XXH3_128bits(b.data, b.len);
	out[0] = hash.low64;
	out[1] = hash.high64;
}

/* ---- policies ---- */

/* What comes from a descriptor cannot be looked at again. */
static bool is_descriptor(const char *name)
{
	return strcmp(name, "-") == 0 || strncmp(name, "fd:", 3) == 0 ||
	       strncmp(name, "/dev/", 5) == 0 || strncmp(name, "/proc/", 6) == 0;
}

bool cache_get(const char *name, const struct surroundings *s, struct policy *policy)
{
	struct policy read = {.arena = policy->arena};
	char file[CACHE_NAME_SIZE];
	uint64_t key[2], sources[2];
	struct image image;
	struct stat st;
	auto_fd fd = -1;

	if (is_off(s) || is_descriptor(name))
		return false;

	auto_walk walk;
	walk_begin(&walk);
	auto_fd dir = cache_open_directory(&walk, s, policy->arena, false);
	if (dir < 0)
		return false;
	policy_key(name, s, policy->arena, key);
	hex_name(key, CACHE_POLICY_SUFFIX, file);

	const struct image_header *h = read_entry(dir, file, s, policy->arena, &image, &fd, &st);
	if (!h)
		return false;
	if (policy_from_image(&image, &read) && read.name && strcmp(read.name, name) == 0) {
		hash_sources(&read, read.arena, sources);
		if (sources[0] == h->source_hash[0] && sources[1] == h->source_hash[1] &&
		    still_holds(&walk, &read, s)) {
			/* Tells the collector what is used; once a day is enough. */
			if (time(NULL) - st.st_mtime > CACHE_TOUCH_AGE)
				futimens(fd, NULL);
			*policy = read;
			return true;
		}
	}
	unlinkat(dir, file, 0);
	return false;
}

void cache_put(const char *name, const struct surroundings *s, const struct policy *policy)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct policy named = *policy;
	struct image_writer w;
	uint64_t key[2];

	if (is_off(s) || is_descriptor(name))
		return;
	named.name = name;
	image_begin(&w, &arena);
	policy_to_image(&named, &w);
	hash_sources(&named, &arena, w.header.source_hash);
	policy_key(name, s, &arena, key);
	store(&w, key, s);
}
