/* The launcher's side of the holder: prepares everything, clones process 1, writes its id maps, opens what is needed of it. */
#include "launch/holder.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"
#include "launch/holder_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOLDER_STACK = 64 * 1024, MAX_COPIES = 20, COPY_LIMIT = 64 * 1024 };

static const char *const namespace_names[HOLDER_NAMESPACES] = {"user", "pid", "mnt", "uts", "ipc"};

/* Adds a private copy of `target` when it can be read and is small. */
static void add_copy(struct arena *arena, struct holder_copy *copies, size_t *count,
		     const char *target)
{
	auto_fd fd = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (*count >= MAX_COPIES || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > COPY_LIMIT)
		return;
	char *data = arena_alloc(arena, (size_t)st.st_size + 1);
	ssize_t n = fd_read_all(fd, data, (size_t)st.st_size);
	if (n < 0)
		return;
	copies[(*count)++] = (struct holder_copy){
		.target = target,
		.data = data,
		.size = (size_t)n,
		.mode = st.st_mode & 0777,
	};
}

/* OpenSSH refuses configuration that belongs to neither root nor the caller, and root's files look foreign where a single
 * id is mapped: private copies are laid over them. */
static void copy_ssh_config(struct arena *arena, struct holder_copy *copies, size_t *count)
{
	static const char directory[] = "/etc/ssh/ssh_config.d";
	DIR *dir = opendir(directory);

	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			add_copy(arena, copies, count,
				 arena_printf(arena, "%s/%s", directory, e->d_name));
	closedir(dir);
}

/*
 * Mount points that the host lacks are possible below "/" only: there the view gets a root of its own. Elsewhere a directory
 * would have to be made on the host.
 */
/* The innermost other mount that `target` lies in, NULL when it is the host's. */
static const struct plan_mount *mount_above(const struct plan *plan, const char *target)
{
	const struct plan_mount *above = NULL;

	for (size_t i = 0; i < plan->view.mount_count; i++) {
		const struct plan_mount *m = &plan->view.mounts[i];
		size_t n = strlen(m->target);

		if (target[n] == '/' && !strncmp(target, m->target, n) &&
		    (!above || n > strlen(above->target)))
			above = m;
	}
	return above;
}

static bool find_missing(const struct plan *plan, struct arena *arena, struct holder_setup *h,
			 struct error *err)
{
	const char **directories =
		arena_array(arena, plan->view.mount_count * 16 + 1, sizeof *directories);

	for (size_t i = 0; i < plan->view.mount_count; i++) {
		const struct plan_mount *m = &plan->view.mounts[i];
		struct stat st, source = {.st_mode = S_IFDIR};

		if (m->kind == MOUNT_FILE) /* over what is there, or not at all */
			continue;
		char *top = arena_strdup(arena, m->target);
		char *slash = strchr(top + 1, '/');

		if (m->source && stat(m->source, &source) < 0) {
			if (m->flags & ITEM_OPTIONAL)
				continue;
			error_add_errno(err, m->origin, NULL, errno, "cannot mount %s",
					error_quote(err, m->source));
			continue;
		}
		if (mount_above(plan, m->target)) /* what lies there decides, not the host */
			continue;
		if (stat(m->target, &st) == 0) {
			if (S_ISDIR(st.st_mode) != S_ISDIR(source.st_mode))
				error_add(err, m->origin, NULL, "cannot mount a %s over the %s %s",
					  S_ISDIR(source.st_mode) ? "directory" : "file",
					  S_ISDIR(st.st_mode) ? "directory" : "file",
					  error_quote(err, m->target));
			continue;
		}
		if (m->flags & ITEM_OPTIONAL)
			continue;
		if (slash)
			*slash = '\0';
		if (stat(top, &st) == 0 || !S_ISDIR(source.st_mode)) {
			error_add(err, m->origin, NULL, "the mount point %s does not exist",
				  error_quote(err, m->target));
			error_hint(
				err,
				"create it, or mount below a directory that the host does not have");
			continue;
		}
		if (slash)
			*slash = '/';
		/* The new directory and everything down to the mount point. */
		for (slash = top; slash && h->directory_count < plan->view.mount_count * 16;) {
			slash = strchr(slash + 1, '/');
			directories[h->directory_count++] =
				slash ? arena_strndup(arena, top, (size_t)(slash - top)) : top;
		}
	}
	h->directories = directories;
	return err->errors == 0;
}

static bool list_root(struct arena *arena, struct holder_setup *h, struct error *err)
{
	DIR *dir = opendir("/");
	struct holder_root_entry *entries = NULL;
	size_t cap = 0, count = 0;

	if (!dir)
		return error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot list /");
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;
		char link[4096];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		entries = arena_grow(arena, entries, count, &cap, sizeof *entries);
		struct holder_root_entry *entry = &entries[count++];

		*entry = (struct holder_root_entry){
			.name = arena_strdup(arena, e->d_name),
			.directory = S_ISDIR(st.st_mode),
		};
		if (S_ISLNK(st.st_mode)) {
			ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link);

			if (n < 0)
				count--;
			else
				entry->link = arena_strndup(arena, link, (size_t)n);
		}
	}
	closedir(dir);
	h->root = entries;
	h->root_count = count;
	return true;
}

static void prepare_mounts(const struct plan *plan, struct arena *arena, struct holder_setup *h)
{
	struct holder_mount *mounts =
		arena_array(arena, plan->view.mount_count + 1, sizeof *mounts);

	for (size_t i = 0; i < plan->view.mount_count; i++) {
		const struct plan_mount *m = &plan->view.mounts[i];
		struct holder_mount *out = &mounts[h->mount_count++];
		bool read_only = m->flags & ITEM_READ_ONLY, no_exec = m->flags & ITEM_NOEXEC;

		out->target = m->target;
		const struct plan_mount *above = mount_above(plan, m->target);
		struct stat st = {.st_mode = S_IFDIR};
		bool there = stat(m->kind == MOUNT_BIND ? m->source : m->target, &st) == 0;

		out->make = above && above->kind == MOUNT_TMPFS;
		out->directory =
			m->kind == MOUNT_TMPFS || (m->kind == MOUNT_BIND && S_ISDIR(st.st_mode));
		/* An optional tmpfs over nothing would only hide that there is nothing. */
		out->skip = (m->flags & ITEM_OPTIONAL) && !there && !out->make;
		if (m->kind == MOUNT_FILE) {
			/* What lies in another mount is seen when that is there. */
			out->skip = !above && (!there || !S_ISREG(st.st_mode));
			out->content = m->content;
			out->size = strlen(m->content);
			out->attributes = MOUNT_ATTRIBUTE_RDONLY | MOUNT_ATTRIBUTE_NOEXEC;
			h->stage |= !out->skip;
			continue;
		}
		if (m->kind == MOUNT_BIND) {
			out->skip = (m->flags & ITEM_OPTIONAL) && !there;
			out->source = m->source;
			out->attributes = (read_only ? MOUNT_ATTRIBUTE_RDONLY : 0u) |
					  (no_exec ? MOUNT_ATTRIBUTE_NOEXEC : 0u);
			continue;
		}
		out->flags = MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0u) |
			     (no_exec ? MS_NOEXEC : 0u);
		out->tmpfs_options = m->size ? arena_printf(arena, "mode=%o,size=%llu", m->mode,
							    (unsigned long long)m->size)
					     : arena_printf(arena, "mode=%o", m->mode);
	}
	h->mounts = mounts;
}

static int write_proc(int pid, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Every id that this namespace has, onto itself: what the caller's own map says on its left side. */
static int write_full_map(int pid, const char *name)
{
	char path[64], text[4096], map[4096];
	size_t used = 0;

	snprintf(path, sizeof path, "/proc/self/%s", name);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fd_read_all(fd, text, sizeof text - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		/* inside, outside, count */
		unsigned long inside = strtoul(line, &line, 10);
		strtoul(line, &line, 10);
		unsigned long count = strtoul(line, &line, 10);
		int more = snprintf(map + used, sizeof map - used, "%lu %lu %lu\n", inside, inside,
				    count);
		if (more < 0 || (size_t)more >= sizeof map - used)
			return -E2BIG;
		used += (size_t)more;
	}
	return write_proc(pid, name, map);
}

static int write_maps(int pid, const struct plan *plan, const struct host *host)
{
	char text[64];
	int r;

	if (plan->view.map_all) {
		r = write_full_map(pid, "uid_map");
		return r ? r : write_full_map(pid, "gid_map");
	}
	snprintf(text, sizeof text, "%u %u 1\n", plan->view.inside_uid, host->uid);
	r = write_proc(pid, "uid_map", text);
	if (r)
		return r;
	/* A single group may be mapped only once setgroups is off for good (user_namespaces(7)). */
	r = write_proc(pid, "setgroups", "deny");
	if (r && r != -ENOENT)
		return r;
	snprintf(text, sizeof text, "%u %u 1\n", plan->view.inside_gid, host->gid);
	return write_proc(pid, "gid_map", text);
}

static bool open_namespaces(struct holder *holder, struct error *err)
{
	char path[64];

	for (size_t i = 0; i < HOLDER_NAMESPACES; i++) {
		snprintf(path, sizeof path, "/proc/%d/ns/%s", holder->pid, namespace_names[i]);
		holder->namespace_fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (holder->namespace_fd[i] < 0)
			return error_add_errno(err, NO_ORIGIN, NULL, errno,
					       "cannot open the sandbox's %s namespace",
					       namespace_names[i]);
	}
	snprintf(path, sizeof path, "/proc/%d/root", holder->pid);
	holder->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (holder->root_fd < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno,
				       "cannot open the sandbox's root directory");
	return true;
}

static bool explain(const struct holder_setup *h, const struct plan *plan, enum refusal *refused,
		    struct error *err)
{
	struct origin origin = plan->view.origin;
	int error = h->error;

	switch ((enum holder_step)h->step) {
	case HOLDER_MOUNT: {
		const struct plan_mount *m = &plan->view.mounts[h->index];

		return error_add_errno(err, m->origin, NULL, error, "cannot mount %s at %s",
				       m->content  ? "a file"
				       : m->source ? error_quote(err, m->source)
						   : "a tmpfs",
				       error_quote(err, m->target));
	}
	case HOLDER_ROOT:
		return error_add_errno(err, origin, NULL, error,
				       "cannot build a root directory for the mounts");
	case HOLDER_COPY:
		return error_add_errno(err, origin, NULL, error, "cannot lay a copy over %s",
				       h->copies[h->index].target);
	case HOLDER_PROC:
		*refused = REFUSED_PROC;
		return error_add_errno(err, origin, NULL, error,
				       "this host does not let a sandbox mount its own /proc");
	case HOLDER_MAPS:
	case HOLDER_PRIVATE:
	case HOLDER_STAGE:
	case HOLDER_HOSTNAME:
	case HOLDER_SEAL:
		*refused = REFUSED_NAMESPACES;
		return error_add_errno(err, origin, NULL, error,
				       "this host does not let a user namespace %s",
				       h->step == HOLDER_MAPS ? "map ids" : "be set up");
	case HOLDER_OK:
	case HOLDER_PARENT:
		break;
	}
	return error_add(err, origin, NULL, "the sandbox's first process ended early");
}

bool holder_start(const struct plan *plan, const struct host *host, struct holder *out,
		  enum refusal *refused, struct error *err)
{
	struct arena *arena = &err->arena; /* lives as long as the launcher: until its exec */
	struct holder_copy copies[MAX_COPIES + 1];
	struct holder_setup *h = arena_new(arena, struct holder_setup);
	int control[2];

	*out = NO_HOLDER;
	*refused = REFUSED_NOTHING;
	if (!find_missing(plan, arena, h, err))
		return false;
	if (h->directory_count && !list_root(arena, h, err))
		return false;
	prepare_mounts(plan, arena, h);
	h->private_proc = plan->view.private_proc;
	h->copies = copies;
	if (plan->view.hostname) {
		h->hostname = plan->view.hostname;
		h->hostname_len = strlen(h->hostname);
		if (access("/etc/hostname", F_OK) == 0) {
			char *text = arena_printf(arena, "%s\n", h->hostname);

			copies[h->copy_count++] = (struct holder_copy){
				.target = "/etc/hostname",
				.data = text,
				.size = strlen(text),
				.mode = 0644,
			};
		}
	}
	if (!plan->view.map_all)
		copy_ssh_config(arena, copies, &h->copy_count);
	h->stage |= h->copy_count > 0;

	if (pipe2(control, O_CLOEXEC) < 0)
		return error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot make a pipe");
	h->control_fd = control[0];
	h->launcher_control_fd = out->control_fd = control[1];

	void *stack = mmap(NULL, HOLDER_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int pid = -1;
	if (stack != MAP_FAILED)
		pid = clone(holder_child, (char *)stack + HOLDER_STACK,
			    CLONE_VM | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS |
				    CLONE_NEWIPC | SIGCHLD,
			    h);
	int error = errno;
	close(control[0]);
	if (pid < 0) {
		*refused = REFUSED_NAMESPACES;
		holder_close(out);
		error_add_errno(err, plan->view.origin, NULL, error,
				"this host does not permit user namespaces to uid %u", host->uid);
		error_hint(err, "'sandlock check' tells what stands in the way");
		return false;
	}
	out->pid = pid;

	int r = write_maps(pid, plan, host);
	__atomic_store_n(&h->maps, r ? 2u : 1u, __ATOMIC_SEQ_CST);
	SYS(futex, &h->maps, FUTEX_WAKE, 1, 0, 0, 0);
	while (!__atomic_load_n(&h->ready, __ATOMIC_SEQ_CST)) {
		struct timespec tenth = {.tv_nsec = 100000000};

		SYS(futex, &h->ready, FUTEX_WAIT, 0, &tenth, 0, 0);
		if (waitpid(pid, NULL, WNOHANG) != 0) {
			out->pid = -1;
			break;
		}
	}
	if (h->step != HOLDER_OK || out->pid < 0)
		explain(h, plan, refused, err);
	else if (open_namespaces(out, err))
		return true;
	holder_close(out);
	return false;
}

void holder_close(struct holder *holder)
{
	fd_close(&holder->control_fd);
	fd_close(&holder->root_fd);
	for (size_t i = 0; i < HOLDER_NAMESPACES; i++)
		fd_close(&holder->namespace_fd[i]);
	if (holder->pid > 0) {
		kill(holder->pid, SIGKILL);
		waitpid(holder->pid, NULL, 0);
	}
	holder->pid = -1;
}
