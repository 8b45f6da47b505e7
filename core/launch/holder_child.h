/* Between holder.c (the launcher's side) and holder_child.c (process 1). Everything here is prepared before the clone. */
#ifndef SANDLOCK_LAUNCH_HOLDER_CHILD_H
#define SANDLOCK_LAUNCH_HOLDER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum holder_step {
	HOLDER_OK,
	HOLDER_PARENT,
	HOLDER_MAPS, /* the launcher could not write the id maps */
	HOLDER_PRIVATE,
	HOLDER_STAGE,
	HOLDER_HOSTNAME,
	HOLDER_COPY,
	HOLDER_ROOT,
	HOLDER_MOUNT,
	HOLDER_PROC,
	HOLDER_SEAL,
};

struct holder_mount {
	const char *target, *source; /* both NULL, source and content: tmpfs */
	const char *content;	     /* a read-only file; lies in the stage until it is mounted */
	size_t size;
	bool skip; /* optional, and not there */
	bool make,
		directory; /* the mount point lies in a tmpfs of ours: make it (a directory, or a file) */
	int tree;	   /* detached copy of the source, taken before anything is covered */
	const char *tmpfs_options;
	unsigned long flags; /* MS_* of a tmpfs */
	uint64_t attributes; /* MOUNT_ATTRIBUTE_* of a bind */
};

/* A private copy of a file, laid over the original. */
struct holder_copy {
	const char *target;
	const void *data;
	size_t size;
	uint32_t mode;
};

/* An entry of "/" that the new root gets, when mounts need directories that the host does not have. */
struct holder_root_entry {
	const char *name; /* without slash */
	const char *link; /* symlink target, or NULL */
	bool directory;
};

struct holder_setup {
	int control_fd;		 /* this side */
	int launcher_control_fd; /* the other side, inherited by accident of clone: closed first */
	const char *hostname;
	size_t hostname_len;
	bool private_proc;
	bool stage; /* a small tmpfs (below /proc) for copies */
	const struct holder_copy *copies;
	size_t copy_count;
	const struct holder_root_entry *root; /* NULL: keep the host's root */
	size_t root_count;
	const char *const *directories; /* to make in the new root, parents first */
	size_t directory_count;
	struct holder_mount *mounts;
	size_t mount_count;
	/* Words shared with the launcher (same memory). */
	uint32_t maps;	/* 0 wait, 1 written, 2 failed: futex */
	uint32_t ready; /* 0 wait, 1 done (step tells how): futex */
	int32_t step, error, index;
};

/* Runs as process 1; never returns. */
int holder_child(void *setup);

#endif
