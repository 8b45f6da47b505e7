/*
 * The asking side: finds the user's sandboxes in the kernel's table of sockets and asks all of them at once. What answers may be another
 * version, stopped, or not sandlock at all: a packet is used only as far as it is there.
 */
#include "control/control.h"

#include "control/name.h"

#include "base/fd.h"
#include "base/proc.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_SANDBOXES = 4096,
	SPARE_FDS = 16,
	LAST_LOOK_MS = 400 /* of the time: for those that have said nothing */
};

struct packet {
	struct control_state state;
	char more[4096 + CONTROL_PORTS * sizeof(struct control_port)];
};

/* ---- answers ---- */

static void read_state(struct sandbox *s, const struct packet *packet, size_t len,
		       struct arena *arena)
{
	const struct control_state *state = &packet->state;

	if (len < sizeof *state || state->size < sizeof *state || state->size > len ||
	    state->port_count > (len - state->size) / sizeof *s->ports)
		return;
	s->answered = true;
	s->traps = state->traps;
	s->denials = state->denials;
	/* Its numbers are ours only if we know itself by the same one, and the program is its grandchild: the guard is between. */
	if (state->supervisor == s->supervisor && state->pid > 1) {
		int parent = tree_parent(state->pid);

		if (parent > 1 && tree_parent(parent) == s->supervisor)
			s->pid = state->pid;
	}
	s->port_count = state->port_count;
	s->ports = arena_array(arena, s->port_count, sizeof *s->ports);
	memcpy(s->ports, (const char *)packet + state->size, s->port_count * sizeof *s->ports);
}

int64_t control_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void collect(struct sandbox *list, struct pollfd *fds, size_t count, int64_t end,
		    struct arena *arena)
{
	struct packet *packet = arena_new(arena, struct packet);
	size_t open = 0;

	for (size_t i = 0; i < count; i++)
		open += fds[i].fd >= 0;
	while (open) {
		int64_t left = end - control_now_ms();

		if (left <= 0 || (poll(fds, count, (int)left) < 0 && errno != EINTR))
			return;
		for (size_t i = 0; i < count; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			ssize_t n = recv(fds[i].fd, packet, sizeof *packet, 0);
			if (n > 0)
				read_state(&list[i], packet, (size_t)n, arena);
			fd_close(&fds[i].fd);
			open--;
		}
	}
}

/* ---- who does not answer ---- */

static bool is_named(int pid, const char *wanted)
{
	char name[32];

	return proc_text(pid, "comm", name, sizeof name) > 0 && strcmp(name, wanted) == 0;
}

/* The program is the guard's child, the guard is the supervisor's: that needs nobody's answer. */
static int program_of(int supervisor)
{
	int children[64], pid;
	size_t count = tree_children(supervisor, children, ARRAY_LEN(children));

	for (size_t i = 0; i < count; i++)
		if (is_named(children[i], "guard\n") && tree_children(children[i], &pid, 1) == 1)
			return pid;
	return 0;
}

/* ---- who is inside ---- */

static bool listens(const struct sandbox *list, size_t count, int pid)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].supervisor == pid)
			return true;
	return false;
}

/*
 * A program of a sandbox may listen under such a name too: it has an ancestor that listens, its supervisor. All rows go up one step at a
 * time, so that somebody with thousands of ancestors does not keep the others from being known. Who has ended does not listen.
 */
static void drop_inside(struct sandbox *list, struct pollfd *fds, size_t *count, int64_t end,
			size_t *missed, struct arena *arena)
{
	enum { GONE = -1 };
	int *at = arena_array(arena, *count, sizeof *at);
	size_t kept = 0;
	bool more = true;

	for (size_t i = 0; i < *count; i++)
		at[i] = list[i].supervisor;
	while (more && control_now_ms() < end) {
		more = false;
		for (size_t i = 0; i < *count && control_now_ms() < end; i++) {
			if (at[i] <= 1)
				continue;
			int parent = tree_parent(at[i]);
			if (parent == GONE) /* somebody else is the parent by now */
				parent = at[i] == list[i].supervisor ? GONE : list[i].supervisor;
			else if (parent && listens(list, *count, parent))
				parent = GONE;
			at[i] = parent;
			more = more || parent > 1;
		}
	}
	for (size_t i = 0; i < *count; i++) {
		*missed += at[i] > 1;
		if (at[i] > 1 || at[i] == GONE) {
			fd_close(&fds[i].fd);
			continue;
		}
		list[kept] = list[i];
		fds[kept++] = fds[i];
	}
	*count = kept;
}

/* ---- the list ---- */

struct name {
	char text[CONTROL_NAME_ROOM];
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* What could be names, sorted: a name with line ends in it makes up lines, so all of them are asked. */
static int find(struct arena *arena, int64_t end, struct name **out, size_t *count)
{
	FILE *file = fopen("/proc/net/unix", "re");
	struct name name = {""};
	size_t cap = 0, room = 0;
	char *line = NULL;

	if (!file)
		return -errno;
	while (control_now_ms() < end && getline(&line, &room, file) >= 0)
		if (control_name_of(line, geteuid(), name.text)) {
			*out = arena_grow(arena, *out, *count, &cap, sizeof **out);
			(*out)[(*count)++] = name;
		}
	free(line);
	fclose(file);
	if (*count)
		qsort(*out, *count, sizeof **out, by_text);
	return 0;
}

/* One connection for each that listens as this user. */
static int connect_all(struct arena *arena, const struct name *names, size_t count, int64_t end,
		       struct sandbox *list, struct pollfd *fds, size_t room, size_t *kept,
		       size_t *missed)
{
	bool full = false;

	for (size_t i = 0; i < count; i++) {
		struct ucred who = {0};

		if (i && strcmp(names[i].text, names[i - 1].text) == 0)
			continue;
		if (*kept == room && !full)
			drop_inside(list, fds, kept, end, missed, arena);
		full = *kept == room;
		if (full || control_now_ms() >= end) {
			++*missed;
			continue;
		}
		auto_fd fd = control_connect(geteuid(), names[i].text, &who);
		if (fd == -EMFILE || fd == -ENFILE)
			return fd;
		*missed += fd == -EAGAIN;
		/* Ended meanwhile, full, somebody else's, or another name of one that is there. */
		if (fd < 0 || who.uid != geteuid() || (who.pid && listens(list, *kept, who.pid)))
			continue;
		list[*kept] = (struct sandbox){.supervisor = who.pid};
		memcpy(list[*kept].name, names[i].text, sizeof names[i].text);
		fds[(*kept)++] = (struct pollfd){.fd = fd_take(&fd), .events = POLLIN};
	}
	return 0;
}

/* How many may be open at once. */
static size_t raise_limit(void)
{
	struct rlimit files = {0};

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	return files.rlim_cur > SPARE_FDS ? MIN(files.rlim_cur - SPARE_FDS, MAX_SANDBOXES) : 1;
}

int control_list(struct arena *arena, int64_t end, struct sandbox **out, size_t *count,
		 size_t *missed)
{
	size_t found = 0, kept = 0, room = raise_limit();
	struct name *names = NULL;
	int r = find(arena, end, &names, &found);

	*out = NULL;
	*count = *missed = 0;
	if (r < 0 || !found)
		return r;
	room = MIN(room, found);
	struct sandbox *list = *out = arena_array(arena, room, sizeof *list);
	struct pollfd *fds = arena_array(arena, room, sizeof *fds);
	r = connect_all(arena, names, found, end, list, fds, room, &kept, missed);
	if (r == 0) {
		drop_inside(list, fds, &kept, end, missed, arena);
		collect(list, fds, kept, end - LAST_LOOK_MS, arena);
	}
	for (size_t i = 0; i < kept; i++) {
		fd_close(&fds[i].fd);
		if (r == 0 && !list[i].answered && list[i].supervisor && control_now_ms() < end)
			list[i].pid = program_of(list[i].supervisor);
	}
	*count = r == 0 ? kept : 0;
	return r;
}
