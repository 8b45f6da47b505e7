/*
 * The asking side: finds the user's sandboxes in the kernel's table of sockets and asks all of them at once. What answers may be another
 * version, stopped, or not sandlock at all: a packet is used only as far as it is there.
 */
#include "control/control.h"

#include "control/name.h"

#include "base/fd.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SANDBOXES = 4096 };

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
	/* Its numbers are ours only if we know itself by the same one. */
	if (state->supervisor == s->supervisor && state->pid > 0)
		s->pid = state->pid;
	s->port_count = state->port_count;
	s->ports = arena_array(arena, s->port_count, sizeof *s->ports);
	memcpy(s->ports, (const char *)packet + state->size, s->port_count * sizeof *s->ports);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void collect(struct sandbox *list, struct pollfd *fds, size_t count, int patience_ms,
		    struct arena *arena)
{
	struct packet *packet = arena_new(arena, struct packet);
	int64_t end = now_ms() + patience_ms;
	size_t open = 0;

	for (size_t i = 0; i < count; i++)
		open += fds[i].fd >= 0;
	while (open) {
		int64_t left = end - now_ms();

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
	char path[32], name[32];

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_all(fd, name, sizeof name - 1);
	if (n <= 0)
		return false;
	name[n] = '\0';
	return strcmp(name, wanted) == 0;
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

/* ---- the list ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sandbox *)a)->name, ((const struct sandbox *)b)->name);
}

static int find(struct arena *arena, struct sandbox **out, size_t *count)
{
	FILE *file = fopen("/proc/net/unix", "re");
	char name[CONTROL_NAME_ROOM] = "";
	size_t cap = 0, room = 0;
	char *line = NULL;

	if (!file)
		return -errno;
	while (*count < MAX_SANDBOXES && getline(&line, &room, file) >= 0)
		if (control_name_of(line, geteuid(), name)) {
			*out = arena_grow(arena, *out, *count, &cap, sizeof **out);
			memcpy((*out)[(*count)++].name, name, sizeof name);
		}
	free(line);
	fclose(file);
	return 0;
}

int control_list(struct arena *arena, int patience_ms, struct sandbox **out, size_t *count)
{
	struct sandbox *list = NULL;
	size_t found = 0, kept = 0;
	int r = find(arena, &list, &found);

	*out = list;
	*count = 0;
	if (r < 0 || !found)
		return r;
	struct pollfd *fds = arena_array(arena, found, sizeof *fds);
	qsort(list, found, sizeof *list, by_name);
	for (size_t i = 0; i < found; i++) {
		struct ucred who = {0};
		int fd = control_connect(geteuid(), list[i].name, &who);

		/* Ended meanwhile, or somebody else under a name of ours. */
		if (fd < 0 && fd != -EAGAIN)
			continue;
		if (fd >= 0 && who.uid != geteuid()) {
			close(fd);
			continue;
		}
		list[kept] = list[i];
		list[kept].supervisor = who.pid;
		fds[kept++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	collect(list, fds, kept, patience_ms, arena);
	for (size_t i = 0; i < kept; i++) {
		fd_close(&fds[i].fd);
		if (!list[i].answered && list[i].supervisor)
			list[i].pid = program_of(list[i].supervisor);
	}
	*count = kept;
	return 0;
}
