/*
 * Walks paths component by component and notes who could change what it passes. Every check reads a descriptor that is
 * then used; a name is never looked up twice. Must never wait in an open, and never read what is not a regular file.
 */
#include "policy/checked_open.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LINK_LIMIT = 40 /* as the kernel's path walk */ };

static void close_above(struct walk *walk)
{
	while (walk->depth)
		close(walk->above[--walk->depth].fd);
}

void walk_end(struct walk *walk)
{
	close_above(walk);
	if (walk->dir)
		close(walk->dir - 1);
	walk->dir = 0;
}

/* Back to the directory that the current one was entered from, or to none. */
static void step_back(struct walk *walk)
{
	close(walk->dir - 1);
	walk->dir = 0;
	if (!walk->depth)
		return;
	walk->dir = walk->above[--walk->depth].fd + 1;
	walk->len = walk->above[walk->depth].len;
	walk->path[walk->len] = 0;
}

/* Group 0 is root's own. A user's private group has the user's number. */
static bool group_is_trusted(uint32_t gid, const struct surroundings *s)
{
	return gid == 0 || (gid == s->gid && s->gid == s->uid);
}

enum objection check_owner(const struct stat *st, const struct surroundings *s)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && st->st_uid != s->euid)
		return OBJECTION_OWNER;
	if (S_ISLNK(st->st_mode) || sticky)
		return OBJECTION_NONE;
	if (st->st_mode & S_IWOTH)
		return OBJECTION_WORLD_WRITABLE;
	if ((st->st_mode & S_IWGRP) && !group_is_trusted(st->st_gid, s))
		return OBJECTION_GROUP_WRITABLE;
	return OBJECTION_NONE;
}

/* Notes the first objection; `name` is below walk->path, or "" for the directory itself. */
static void judge(struct walk *walk, const char *name, const struct stat *st,
		  const struct surroundings *s, const char *kind)
{
	if (walk->objection)
		return;
	walk->objection = check_owner(st, s);
	if (!walk->objection)
		return;

	size_t n = strnlen(name, NAME_MAX), len = walk->len;
	memcpy(walk->objection_path, walk->path, len);
	if (len + n + 2 < sizeof walk->objection_path) {
		walk->objection_path[len] = '/';
		memcpy(walk->objection_path + len + 1, name, n);
		len += n ? n + 1 : 0;
	}
	if (len == 0)
		walk->objection_path[len++] = '/';
	walk->objection_path[len] = 0;
	walk->kind = kind;
	walk->uid = st->st_uid;
	walk->gid = st->st_gid;
	walk->mode = st->st_mode & 07777;
}

static int start_at_root(struct walk *walk, const struct surroundings *s)
{
	struct stat st;
	int fd = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	walk_end(walk);
	if (fd < 0)
		return -errno;
	walk->dir = fd + 1;
	walk->len = 0;
	walk->path[0] = 0;
	if (fstat(fd, &st))
		return -errno;
	judge(walk, "", &st, s, "directory");
	return 0;
}

static void replace_dir(struct walk *walk, int fd)
{
	walk_end(walk);
	walk->dir = fd + 1;
}

static int go_up(struct walk *walk, const struct surroundings *s)
{
	int fd = openat(walk->dir - 1, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	replace_dir(walk, fd);
	while (walk->len && walk->path[--walk->len] != '/')
		;
	walk->path[walk->len] = 0;

	/* Not necessarily a directory we came through: somebody may have moved the one below. */
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	judge(walk, "", &st, s, "directory");
	return 0;
}

/* Writes "/name" behind the directory; the caller makes it the directory by adding the length to walk->len. */
static int append_name(struct walk *walk, const char *name)
{
	size_t n = strlen(name);

	if (walk->len + n + 2 > sizeof walk->path)
		return -ENAMETOOLONG;
	walk->path[walk->len] = '/';
	memcpy(walk->path + walk->len + 1, name, n + 1);
	return (int)n + 1;
}

/* Puts the target of a symbolic link in front of what is left of the path, which is empty or starts with a slash.
 * Positive when the target is absolute. */
static int splice_link(struct walk *walk, int at, const char *name, char *rest, int *links)
{
	char target[PATH_MAX];
	size_t rest_len = strlen(rest);
	ssize_t n = readlinkat(at, name, target, sizeof target);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if (++*links > LINK_LIMIT)
		return -ELOOP;
	if ((size_t)n + rest_len + 1 > PATH_MAX)
		return -ENAMETOOLONG;
	memmove(rest + n, rest, rest_len + 1);
	memcpy(rest, target, (size_t)n);
	walk->straight = false;
	return target[0] == '/';
}

/* One component that must lead to a directory. */
static int enter(struct walk *walk, const char *name, char *rest, int *links,
		 const struct surroundings *s)
{
	struct stat st;
	auto_fd fd = openat(walk->dir - 1, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == EMFILE && walk->depth) {
		close_above(walk);
		fd = openat(walk->dir - 1, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		judge(walk, name, &st, s, "symbolic link");
		int ret = splice_link(walk, fd, "", rest, links);
		return ret > 0 ? start_at_root(walk, s) : ret;
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;

	int ret = append_name(walk, name);
	if (ret < 0)
		return ret;
	if (walk->depth == WALK_KEPT)
		close_above(walk);
	walk->above[walk->depth].fd = walk->dir - 1;
	walk->above[walk->depth++].len = walk->len;
	walk->len += (size_t)ret;
	walk->dir = fd_take(&fd) + 1;
	judge(walk, "", &st, s, "directory");
	return 0;
}

/* The last component: a regular file, or a symbolic link that leads on (*followed). */
static int open_last(struct walk *walk, const char *name, char *rest, int *links,
		     const struct surroundings *s, struct stat *st, bool *followed)
{
	int at = walk->dir - 1;
	auto_fd fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno == ELOOP) {
		if (fstatat(at, name, st, AT_SYMLINK_NOFOLLOW))
			return -errno;
		judge(walk, name, st, s, "symbolic link");
		int ret = splice_link(walk, at, name, rest, links);
		*followed = true;
		return ret > 0 ? start_at_root(walk, s) : ret;
	}
	if (fd < 0)
		return errno == ENXIO ? -ENOTSUP : -errno; /* a socket */
	if (fstat(fd, st))
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -ENOTSUP;
	judge(walk, name, st, s, "file");

	int ret = append_name(walk, name);
	return ret < 0 ? ret : fd_take(&fd);
}

/* Takes the next component off `rest`; false at the end. */
static bool next_component(char *rest, char name[NAME_MAX + 1], bool *last, int *error)
{
	char *p = rest + strspn(rest, "/");
	size_t n = strcspn(p, "/");

	*error = 0;
	if (n == 0)
		return false;
	if (n > NAME_MAX) {
		*error = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, p, n);
	name[n] = 0;
	p += n;
	*last = p[strspn(p, "/")] == 0;
	memmove(rest, p, strlen(p) + 1);
	return true;
}

/* `st` NULL: the path is a directory's. */
static int walk_path(struct walk *walk, char rest[PATH_MAX], const struct surroundings *s,
		     struct stat *st)
{
	char name[NAME_MAX + 1];
	int links = 0, ret;
	bool last;

	while (next_component(rest, name, &last, &ret)) {
		bool followed = false, up = strcmp(name, "..") == 0;

		if (strcmp(name, ".") == 0)
			continue;
		if (st && last && !up && !*rest) {
			ret = open_last(walk, name, rest, &links, s, st, &followed);
			if (!followed)
				return ret;
		} else {
			ret = up ? go_up(walk, s) : enter(walk, name, rest, &links, s);
		}
		if (ret < 0)
			return ret;
	}
	return st && !ret ? -EISDIR : ret;
}

static int start(struct walk *walk, const char *path, const struct surroundings *s,
		 const char **from)
{
	size_t len = strlen(path);

	if (path[0] != '/' || len >= PATH_MAX)
		return path[0] == '/' ? -ENAMETOOLONG : -EINVAL;

	/* On from what the last walk has in common with this one, when there was nothing to object to. */
	while (walk->dir && walk->straight && !walk->objection) {
		if (walk->len + 1 < len && memcmp(walk->path, path, walk->len) == 0 &&
		    path[walk->len] == '/') {
			*from = path + walk->len + 1;
			walk->path[walk->len] = 0;
			return 0;
		}
		step_back(walk);
	}
	walk->straight = true;
	walk->objection = OBJECTION_NONE;
	*from = path;
	return start_at_root(walk, s);
}

int walk_directory(struct walk *walk, const char *path, const struct surroundings *s)
{
	char rest[PATH_MAX];
	const char *from;
	int ret = start(walk, path, s, &from);

	if (ret)
		return ret;
	memcpy(rest, from, strlen(from) + 1); /* start() bounds it */
	return walk_path(walk, rest, s, NULL);
}

int walk_file(struct walk *walk, const char *path, const struct surroundings *s, struct stat *st)
{
	char rest[PATH_MAX];
	const char *from;
	int ret = start(walk, path, s, &from);

	if (ret)
		return ret;
	memcpy(rest, from, strlen(from) + 1); /* start() bounds it */
	return walk_path(walk, rest, s, st);
}

const char *objection_text(const struct walk *walk, struct error *err)
{
	const char *path = error_quote(err, walk->objection_path);

	switch (walk->objection) {
	case OBJECTION_NONE:
		return "";
	case OBJECTION_OWNER:
		return arena_printf(&err->arena, "the %s %s belongs to user %u", walk->kind, path,
				    walk->uid);
	case OBJECTION_WORLD_WRITABLE:
		return arena_printf(&err->arena, "everybody can write the %s %s (mode %04o)",
				    walk->kind, path, walk->mode);
	case OBJECTION_GROUP_WRITABLE:
		return arena_printf(&err->arena, "group %u can write the %s %s (mode %04o)",
				    walk->gid, walk->kind, path, walk->mode);
	}
	return "";
}
