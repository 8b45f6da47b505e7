/*
 * Opening files that decide what a sandbox may do (cli-and-policy 2.8): the path is walked one component at a time, and the
 * owner and mode of every directory, symbolic link and file on the way are read from the opened descriptors, so what was
 * checked is what is read.
 */
#ifndef SANDLOCK_POLICY_CHECKED_OPEN_H
#define SANDLOCK_POLICY_CHECKED_OPEN_H

#include "policy/load.h"

#include <limits.h>
#include <sys/stat.h>

enum { POLICY_MAX_SIZE = 1024 * 1024, WALK_KEPT = 16 };

enum objection {
	OBJECTION_NONE,
	OBJECTION_OWNER,	  /* neither root nor the effective user */
	OBJECTION_WORLD_WRITABLE, /* and, for a directory, not sticky */
	OBJECTION_GROUP_WRITABLE, /* by a group that is not the user's private one */
};

/* A walk: the canonical place it has reached, and the first thing on the way that others could have changed. Keep one over
 * several calls: what a path has in common with the last one costs no second walk. Starts with walk_begin(), which leaves the large
 * buffers untouched (a page that is not touched costs nothing), ends with walk_end(). */
struct walk {
	int dir;       /* O_PATH descriptor + 1; 0 = none */
	bool straight; /* `path` was reached without symbolic links */
	size_t len;    /* of the directory in `path` */
	char path[PATH_MAX];
	/* The directories on the way, to begin the next walk at. */
	struct {
		int fd;
		size_t len;
	} above[WALK_KEPT];
	size_t depth;
	enum objection objection;
	const char *kind;	 /* "directory", "symbolic link", "file" */
	uint32_t uid, gid, mode; /* of what is objected to */
	size_t objection_len;
	char objection_path[PATH_MAX];
};

static inline void walk_begin(struct walk *walk)
{
	walk->dir = 0;
	walk->straight = false;
	walk->objection = OBJECTION_NONE;
	walk->len = 0;
	walk->depth = 0;
}
void walk_end(struct walk *walk);
#define auto_walk CLEANUP(walk_end) struct walk

/* The directory at an absolute path; afterwards walk->path is its canonical name. 0 or -errno. */
int walk_directory(struct walk *walk, const char *path, const struct surroundings *s);
/* The regular file at an absolute path, opened for reading without blocking; afterwards walk->path is its canonical name.
 * A descriptor or -errno; -ENOTSUP when it is not a regular file. */
int walk_file(struct walk *walk, const char *path, const struct surroundings *s, struct stat *st);
/* For a descriptor that did not come from a walk. */
enum objection check_owner(const struct stat *st, const struct surroundings *s);
/* What is wrong, as one clause for a message; in the arena of `err`. */
const char *objection_text(const struct walk *walk, struct error *err);

#endif
