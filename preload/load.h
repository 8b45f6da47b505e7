/* Gets a compiled policy into private memory and checks it: where it came from, its checksums, every reference in it. */
#ifndef SANDLOCK_PRELOAD_LOAD_H
#define SANDLOCK_PRELOAD_LOAD_H

#include "freestanding.h"
#include "launch/confine_image.h"

/* Which step failed on what, for `sandlock-confine: <step>: <object>: <errno text>`. */
struct failure {
	const char *step;
	const char *why; /* static text, or NULL: the text of `error` */
	long error;	 /* -errno */
	char object[320];
};
/* Fills *failure; always false. `object` may be NULL. */
bool failed(struct failure *failure, const char *step, const char *object, long error,
	    const char *why);

/* In words, without prefix and end: "open: /etc/x: Permission denied". */
void describe_failure(const struct failure *failure, struct line *line);

struct blob {
	void *data; /* anonymous memory, map_memory() */
	size_t size;
	struct image image;
	struct confine_parts parts;
	uint64_t id; /* hash of the payload */
};

/* A compiled policy, or a policy file with a fresh compiled one beside it. */
bool load_path(const char *path, struct blob *blob, struct failure *failure);
/* A sealed memory file. The descriptor stays open. */
bool load_memory_file(int fd, struct blob *blob, struct failure *failure);
/* Bytes of the caller, copied. */
bool load_bytes(const void *data, size_t size, struct blob *blob, struct failure *failure);
void unload(struct blob *blob);

#endif
