#include "caching.h"

#include "lacking.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

char where[600], cwd[600], home[600];
static char shipped[600];
char *environment[3] = {where};
struct surroundings around;
uint8_t mac_key[CACHE_KEY_SIZE];
static bool no_keyring;

const char base_text[] = "version: 1\nfilesystem:\n  read: [/usr, /lib]\n";
static const char root_text[] =
	"version: 1\nextends: t-base\nfilesystem:\n"
	"  read: [/bin, \"${HOME}/x\"]\n  write: [\"${T_DIR:-/tmp}\"]\nlimits:\n  open_files: 64\n";

/* Where keyrings are not permitted (some containers) there is no cache, and nothing to test. */
void caching_begin(void)
{
	no_keyring = !cache_mac_key(mac_key, true);
}

int caching_set_up(void **state)
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

int caching_tear_down(void **state)
{
	(void)state;
	if (!no_keyring)
		scratch_end();
	return 0;
}

void need_keyring(void)
{
	if (no_keyring)
		SKIP("add_key() and keyctl() give no key of the user's keyring: no cache");
}

bool is_cached(const char *name)
{
	CLEANUP(arena_free) struct arena arena = {0};
	struct policy p;

	policy_init(&p, &arena);
	return cache_get(name, &around, &p);
}

void fill(const char *name)
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

void recovers(void)
{
	fill("t-root");
	assert_true(is_cached("t-root"));
}

char *entry_path(const char *suffix)
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

size_t entry_count(void)
{
	size_t count = 0;
	DIR *d = opendir(scratch("cache"));

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		count += e->d_name[0] != '.' || e->d_name[1] > '.';
	if (d)
		closedir(d);
	return count;
}

unsigned char *read_entry(size_t *size)
{
	static unsigned char bytes[64 * 1024];
	int fd = open(entry_path(".slpc"), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	*size = (size_t)read(fd, bytes, sizeof bytes);
	close(fd);
	return bytes;
}

void write_to(const char *path, const void *bytes, size_t size)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

void sign(unsigned char *bytes, size_t size, bool with_mac)
{
	struct image_header *h = (void *)bytes;

	h->payload_hash = XXH3_64bits(bytes + IMAGE_HEADER_SIZE, size - IMAGE_HEADER_SIZE);
	h->header_hash = XXH3_64bits(h, offsetof(struct image_header, header_hash));
	if (with_mac)
		cache_mac(mac_key, bytes, size, h->mac);
}
