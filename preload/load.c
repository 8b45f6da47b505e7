/*
 * Reads and checks a compiled policy. Integrity comes from who owns the file; the checksum only finds damage.
 * Must never use a byte of the policy before all checks have passed, nor map a file that could still change.
 */
#include "load.h"

#include "environment.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

enum { SOURCE_LIMIT = 1024 * 1024, PATH_ROOM = 4096 };

bool failed(struct failure *failure, const char *step, const char *object, long error,
	    const char *why)
{
	failure->step = step;
	failure->error = error;
	failure->why = why;
	text_copy(failure->object, object ? object : "", sizeof failure->object);
	return false;
}

void describe_failure(const struct failure *failure, struct line *line)
{
	const char *why = failure->why ? failure->why : errno_text((int)-failure->error);

	line_add(line, failure->step);
	if (failure->object[0]) {
		line_add(line, ": ");
		line_add_outside(line, failure->object);
	}
	line_add(line, ": ");
	if (why) {
		line_add(line, why);
	} else {
		line_add(line, "error ");
		line_add_number(line, (uint64_t)-failure->error, 10);
	}
}

static bool check(struct blob *blob, const char *name, struct failure *failure)
{
	const struct image_header *h = blob->data;
	static const char step[] = "policy";

	if (blob->size < IMAGE_HEADER_SIZE || h->magic != IMAGE_MAGIC)
		return failed(failure, step, name, -EINVAL, "it is not a compiled policy");
	if (h->header_hash != hash_64(h, offsetof(struct image_header, header_hash)) ||
	    h->payload_hash != hash_64((const char *)blob->data + IMAGE_HEADER_SIZE,
				       blob->size - IMAGE_HEADER_SIZE))
		return failed(failure, step, name, -EINVAL,
			      "it is damaged (the checksum differs); compile the policy again");
	if (image_open(blob->data, blob->size, &blob->image))
		return failed(failure, step, name, -EINVAL,
			      "it was compiled by another version; compile the policy again");

	const char *wrong = confine_record_read(&blob->image, &blob->parts);
	if (wrong)
		return failed(failure, step, name, -EINVAL, wrong);
	if (blob->parts.refused)
		return failed(failure, step, blob->parts.refused, -EOPNOTSUPP,
			      "not possible in a process that already runs (use sandlock run)");
	blob->id = h->payload_hash;
	return true;
}

static long read_all(int fd, void *data, size_t size)
{
	size_t got = 0;

	while (got < size) {
		long r = SYS(pread64, fd, (char *)data + got, size - got, got);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? r : -EIO; /* shorter than it was a moment ago */
		got += (size_t)r;
	}
	return 0;
}

static bool read_blob(int fd, uint64_t size, struct blob *blob, const char *name,
		      struct failure *failure)
{
	if (size < IMAGE_HEADER_SIZE || size > IMAGE_MAX_SIZE)
		return failed(failure, "policy", name, -EINVAL, "it is not a compiled policy");
	blob->size = (size_t)size;
	blob->data = map_memory(blob->size);
	if (!blob->data)
		return failed(failure, "policy", name, -ENOMEM, NULL);

	long r = read_all(fd, blob->data, blob->size);
	return r < 0 ? failed(failure, "policy", name, r, NULL) : true;
}

/* A regular file that nobody but root and the caller can change; the descriptor, or a negative number. */
static int open_trusted(const char *path, struct statx *st, struct failure *failure)
{
	/* NONBLOCK: a FIFO must not hold the program up. */
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		failed(failure, "open", path, fd, NULL);
		return -1;
	}

	long r = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, st);
	const char *why = NULL;
	if (r >= 0 && (st->stx_mode & S_IFMT) != S_IFREG)
		why = "it is not a regular file";
	else if (r >= 0 && st->stx_uid != 0 && st->stx_uid != (uint32_t)SYS(geteuid))
		why = "it belongs to another user";
	else if (r >= 0 && (st->stx_mode & 0022))
		why = "others can write it (chmod go-w)";
	if (r < 0 || why) {
		failed(failure, "open", path, r < 0 ? r : -EPERM, why);
		SYS(close, fd);
		return -1;
	}
	return (int)fd;
}

static const char stale_text[] = "it changed after it was compiled; compile the policy again";

/* Is the file that was compiled still this file? */
static const char *source_differs(int fd, uint64_t size, const struct confine_source *source)
{
	uint64_t hash[2];
	void *data;
	const char *why = NULL;

	if (size != source->size)
		return stale_text;
	if (size > SOURCE_LIMIT)
		return "it is too large for a policy file";
	data = map_memory((size_t)size + 1);
	if (!data)
		return "no memory for reading it";
	if (read_all(fd, data, (size_t)size) < 0) {
		why = "it cannot be read";
	} else {
		hash_128(data, (size_t)size, hash);
		if (hash[0] != source->hash[0] || hash[1] != source->hash[1])
			why = stale_text;
	}
	unmap_memory(data, (size_t)size + 1);
	return why;
}

/* "${NAME}=VALUE": the policy was compiled where NAME had that value; "${NAME}": where it was unset. */
static bool variable_differs(const char *source)
{
	const char *name = source + 2;
	size_t length = 0;

	while (name[length] && name[length] != '}')
		length++;
	const char *wanted = name[length] ? name + length + 1 : "";
	for (char *const *e = environ; *e; e++)
		if (text_length(*e) > length && memcmp(*e, name, length) == 0 &&
		    (*e)[length] == '=')
			return *wanted != '=' || !text_same(*e + length + 1, wanted + 1);
	return *wanted == '=';
}

/* Every source of a policy that was found by the name of its source must be as it was; `path` must be among them. */
static bool check_sources(const struct blob *blob, const char *path, struct failure *failure)
{
	bool found = false;

	for (uint32_t i = 0; i < blob->parts.source_count; i++) {
		const struct confine_source *source = &blob->parts.sources[i];
		const char *name = image_text(&blob->image, source->path);
		const char *why = NULL;
		struct statx st;

		if (name[0] == '$' && name[1] == '{') {
			if (variable_differs(name))
				return failed(failure, "stale policy", name, -EINVAL,
					      "the variable changed; compile the policy again");
			continue;
		}
		if (source->missing) {
			if (SYS(faccessat, AT_FDCWD, name, 0 /* F_OK */) == 0)
				return failed(failure, "stale policy", name, -EINVAL,
					      "it is new; compile the policy again");
			continue;
		}
		if (*name != '/') /* part of the program that compiled it */
			continue;
		int fd = open_trusted(name, &st, failure);
		if (fd < 0)
			return false;
		why = source_differs(fd, st.stx_size, source);
		SYS(close, fd);
		if (why)
			return failed(failure, "stale policy", name, -EINVAL, why);
		found |= text_same(name, path) ||
			 text_same(image_text(&blob->image, source->lookup), path);
	}
	return found ? true
		     : failed(failure, "stale policy", path, -EINVAL,
			      "the compiled policy beside it was made from another file");
}

static const char *suffix_of(const char *path)
{
	const char *dot = NULL;

	for (; *path; path++)
		if (*path == '/')
			dot = NULL;
		else if (*path == '.')
			dot = path;
	return dot;
}

/* /etc/x.yaml -> /etc/x.slpc; false for files that are not policy sources. */
static bool compiled_name(const char *path, char out[PATH_ROOM])
{
	static const char compiled[] = ".slpc";
	const char *suffix = suffix_of(path);

	if (!suffix || !(text_same(suffix, ".yaml") || text_same(suffix, ".yml") ||
			 text_same(suffix, ".toml")))
		return false;
	size_t n = (size_t)(suffix - path);
	if (n + sizeof compiled > PATH_ROOM)
		return false;
	memcpy(out, path, n);
	memcpy(out + n, compiled, sizeof compiled);
	return true;
}

bool load_path(const char *path, struct blob *blob, struct failure *failure)
{
	char beside[PATH_ROOM];
	struct statx st;
	const char *name = path;

	if (*path != '/')
		return failed(failure, "open", path, -EINVAL, "the path is not absolute");

	bool by_source = compiled_name(path, beside);
	if (by_source)
		name = beside;
	int fd = open_trusted(name, &st, failure);
	if (fd < 0 && by_source && failure->error == -ENOENT)
		return failed(failure, "policy", path, -ENOENT,
			      "there is no compiled policy beside it (sandlock policy compile)");
	if (fd < 0)
		return false;
	bool ok = read_blob(fd, st.stx_size, blob, name, failure) && check(blob, name, failure);
	SYS(close, fd);
	return ok && by_source ? check_sources(blob, path, failure) : ok;
}

bool load_memory_file(int fd, struct blob *blob, struct failure *failure)
{
	static const char name[] = "memory file";
	const long all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct statx st;
	long seals = SYS(fcntl, fd, F_GET_SEALS);

	if (seals < 0)
		return failed(failure, "policy", name, seals, NULL);
	if ((seals & all) != all)
		return failed(failure, "policy", name, -EPERM, "it is not sealed");

	long r = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st);
	if (r < 0)
		return failed(failure, "policy", name, r, NULL);
	return read_blob(fd, st.stx_size, blob, name, failure) && check(blob, name, failure);
}

bool load_bytes(const void *data, size_t size, struct blob *blob, struct failure *failure)
{
	static const char name[] = "blob";

	if (!data || size < IMAGE_HEADER_SIZE || size > IMAGE_MAX_SIZE)
		return failed(failure, "policy", name, -EINVAL, "it is not a compiled policy");
	blob->size = size;
	blob->data = map_memory(size);
	if (!blob->data)
		return failed(failure, "policy", name, -ENOMEM, NULL);
	memcpy(blob->data, data, size);
	return check(blob, name, failure);
}

void unload(struct blob *blob)
{
	unmap_memory(blob->data, blob->size);
	blob->data = NULL;
}
