/*
 * The process limit: at most N processes of the sandbox live at once; threads are free. Every call that makes a process is
 * trapped; its flags are registers, so the kernel runs it once there is room.
 *
 * The supervisor does not see the new process, only that one was permitted. So it counts what may exist: known tasks (each by a
 * pidfd, which tells of its exit however it is reaped) plus permitted calls not yet accounted for. Only when that bound
 * reaches the limit does a worker look: exited tasks leave the index, /proc shows the new ones, and permitted calls that have
 * returned are forgotten.
 */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/sys.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	PID_LIMIT = 4 * 1024 * 1024, /* PID_MAX_LIMIT of 64-bit kernels */
	SETTLE_NS = 100 * 1000 *
		    1000,    /* a permitted call has returned after this much time on a processor */
	RESERVED_FILES = 32, /* descriptors that the supervisor needs besides those of the tasks */
	WAITING = 256,	     /* more than the queue of the workers */
	PASSES = 16,
	RETRY_NS = 500 * 1000,
};

static struct {
	pthread_mutex_t lock;
	uint32_t limit;
	struct task {
		int pid;
		int pidfd; /* -1: no descriptor was left; looked up in /proc each time */
	} * tasks;
	struct pollfd *polls;
	uint32_t count;
	struct permit {
		int tid, nr;
		uint64_t when;
		bool timed;
		uint64_t cpu_ns; /* when first looked at */
	} * permits;
	uint32_t permit_count;
	int *scratch;
	size_t room;
	int last_file; /* descriptors above are not kept */
	/* Threads that are blocked in another call by now: what they were permitted before has returned. */
	pthread_mutex_t waiting_lock;
	struct {
		int tid; /* 0: free */
		uint64_t id;
	} waiting[WAITING];
} live = {.lock = PTHREAD_MUTEX_INITIALIZER, .waiting_lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool gone(long result)
{
	return result == -ENOENT || result == -ESRCH;
}

/* The tree can be walked: /proc is there, is this PID namespace's, and does not hide the guard (hidepid). */
static bool tree_visible(const struct session *s)
{
	char path[64], text[32];
	ssize_t n = readlink("/proc/self", text, sizeof text - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	if (strtol(text, NULL, 10) != getpid())
		return false;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", s->guard.guard_pid,
		 s->guard.guard_pid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

void processes_prepare(const struct session *s)
{
	struct rlimit files;

	/* A descriptor a task, one a call that waits: up to the hard limit, while the guest has inherited ours. */
	if ((s->record.flags & RECORD_LISTENER) && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

bool processes_open(struct session *s, struct error *err)
{
	struct rlimit files = {0};

	live.limit = MIN(s->record.max_processes, (uint32_t)PID_LIMIT);
	if (!live.limit)
		return true;
	getrlimit(RLIMIT_NOFILE, &files);
	live.last_file = (int)MIN(files.rlim_cur, (rlim_t)1 << 30) - RESERVED_FILES;
	live.room = (size_t)live.limit * 2 + 64;
	live.tasks = calloc(live.room, sizeof *live.tasks);
	live.polls = calloc(live.room, sizeof *live.polls);
	live.permits = calloc(live.limit, sizeof *live.permits);
	live.scratch = calloc(live.room, sizeof *live.scratch);
	if (!live.tasks || !live.polls || !live.permits || !live.scratch)
		return false;
	if (!tree_visible(s)) {
		error_add(err, NO_ORIGIN, NULL,
			  "the process limit needs a /proc that shows the processes of this user");
		error_hint(
			err,
			"here it is not granted, mounted with hidepid, or for another PID namespace");
		return false;
	}
	live.tasks[live.count++] =
		(struct task){.pid = s->guard.guest_pid, .pidfd = s->guard.guest_pidfd};
	s->peak_processes = 1;
	return true;
}

/* Without a descriptor. A leader that has left other threads behind is a zombie by its state and alive as a process. */
static bool has_exited(int pid)
{
	char text[512];
	long n = proc_text(pid, "stat", text, sizeof text);
	const char *p = n > 0 ? strrchr(text, ')') : NULL;

	if (!p)
		return gone(n); /* what cannot be read counts as alive */
	if (p[1] != ' ' || (p[2] != 'Z' && p[2] != 'X'))
		return false;
	for (int field = 2; field < 20 && p; field++) /* num_threads is the 20th */
		p = strchr(p + 1, ' ');
	return !p || strtol(p, NULL, 10) <= 1;
}

static void drop_exited(void)
{
	uint32_t kept = 0, polled = 0;

	for (uint32_t i = 0; i < live.count; i++)
		if (live.tasks[i].pidfd >= 0) /* no more than RLIMIT_NOFILE, or poll() refuses */
			live.polls[polled++] =
				(struct pollfd){.fd = live.tasks[i].pidfd, .events = POLLIN};
	poll(live.polls, polled, 0);
	polled = 0;
	for (uint32_t i = 0; i < live.count; i++) {
		struct task *task = &live.tasks[i];
		bool exited =
			task->pidfd < 0 ? has_exited(task->pid) : live.polls[polled++].revents != 0;

		if (exited)
			fd_close(&task->pidfd);
		else
			live.tasks[kept++] = *task;
	}
	live.count = kept;
}

static bool known(int pid)
{
	for (uint32_t i = 0; i < live.count; i++)
		if (live.tasks[i].pid == pid)
			return true;
	return false;
}

static void add_task(int pid)
{
	int pidfd = (int)SYS(pidfd_open, pid, 0);
	struct pollfd exited = {.fd = pidfd, .events = POLLIN};

	if (pidfd == -ESRCH || (pidfd < 0 && has_exited(pid)))
		return;
	if (pidfd >= 0 && poll(&exited, 1, 0) > 0) {
		close(pidfd);
		return;
	}
	if (pidfd > live.last_file) { /* the walk itself needs some */
		close(pidfd);
		pidfd = -1;
	}
	live.tasks[live.count++] = (struct task){.pid = pid, .pidfd = MAX(pidfd, -1)};
}

/* Adds the tasks that are not known yet. False when not all can be seen: zombies fill the list, or /proc cannot be read. */
static bool find_new(const struct session *s)
{
	uint32_t before;
	int passes = 0;

	if (!tree_visible(s))
		return false;
	/* Again while there is news: an orphan may have moved to where the walk had been. */
	do {
		size_t n = tree_list(s->guard.guard_pid, live.scratch, live.room);

		if ((s->record.flags & RECORD_VIEW) && n < live.room) /* orphans are process 1's */
			n += tree_list(s->record.holder_pid, live.scratch + n, live.room - n);
		if (n >= live.room)
			return false;
		before = live.count;
		for (size_t i = 0; i < n && live.count < live.room; i++)
			if (!known(live.scratch[i]))
				add_task(live.scratch[i]);
	} while (live.count > before && ++passes < PASSES);
	return true;
}

static bool still_waits(struct session *s, size_t i)
{
	const struct call call = {.session = s, .id = live.waiting[i].id};

	return live.waiting[i].tid && notify_valid(&call);
}

static bool waits_again(struct session *s, int tid)
{
	bool found = false;

	pthread_mutex_lock(&live.waiting_lock);
	for (size_t i = 0; i < WAITING && !found; i++)
		found = live.waiting[i].tid == tid && still_waits(s, i);
	pthread_mutex_unlock(&live.waiting_lock);
	return found;
}

static void start_waiting(const struct call *call)
{
	size_t i = 0;

	pthread_mutex_lock(&live.waiting_lock);
	while (i < WAITING && still_waits(call->session, i))
		i++;
	if (i < WAITING) {
		live.waiting[i].tid = call->pid;
		live.waiting[i].id = call->id;
	}
	pthread_mutex_unlock(&live.waiting_lock);
}

static void stop_waiting(const struct call *call)
{
	pthread_mutex_lock(&live.waiting_lock);
	for (size_t i = 0; i < WAITING; i++)
		if (live.waiting[i].id == call->id)
			live.waiting[i].tid = 0;
	pthread_mutex_unlock(&live.waiting_lock);
}

/* Has a permitted call come back? What cannot be told has not. */
static bool returned(struct session *s, struct permit *permit, int caller, uint64_t now)
{
	char text[512];

	if (permit->tid == caller || waits_again(s, permit->tid))
		return true;
	long n = proc_text(permit->tid, "syscall", text, sizeof text);
	if (gone(n))
		return true;
	/* Asleep: elsewhere, or in the call still (memory lock of its siblings, vfork's wait). */
	if (n > 0 && strncmp(text, "running", 7) != 0)
		return strtol(text, NULL, 10) != permit->nr;

	/* Runnable, or not to be read because the program is not dumpable. */
	n = proc_text(permit->tid, "stat", text, sizeof text);
	const char *state = n > 0 ? strrchr(text, ')') : NULL;
	if (!state)
		return gone(n);
	if (strchr("STtZX", state[2])) /* creation sleeps uninterruptibly (D) only */
		return now - permit->when > SETTLE_NS;
	if (state[2] != 'R')
		return false;
	/* Waiting for a processor proves nothing; having had one for long does. */
	n = proc_text(permit->tid, "schedstat", text, sizeof text);
	uint64_t cpu_ns = n > 0 ? strtoull(text, NULL, 10) : now;
	if (!permit->timed) {
		permit->timed = true;
		permit->cpu_ns = cpu_ns;
	}
	return cpu_ns - permit->cpu_ns > SETTLE_NS;
}

static void forget_returned(struct session *s, int caller)
{
	uint64_t now = now_ns();
	uint32_t kept = 0;

	for (uint32_t i = 0; i < live.permit_count; i++)
		if (!returned(s, &live.permits[i], caller, now))
			live.permits[kept++] = live.permits[i];
	live.permit_count = kept;
}

/* With the lock held. */
static bool permit(const struct call *call)
{
	if (live.count + live.permit_count >= live.limit)
		return false;
	live.permits[live.permit_count++] =
		(struct permit){.tid = call->pid, .nr = call->nr, .when = now_ns()};
	call->session->peak_processes =
		MAX(call->session->peak_processes, live.count + live.permit_count);
	return true;
}

static struct reply look_again(const struct call *call)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint64_t start = now_ns();

	for (;;) {
		pthread_mutex_lock(&live.lock);
		/* Permits first: what they made is in the tree when they have returned. */
		forget_returned(call->session, call->pid);
		drop_exited(); /* a number may have a new owner */
		bool seen = find_new(call->session);
		drop_exited();
		stop_waiting(call); /* before there is a permit that it would make look old */
		bool permitted = seen && permit(call);
		bool settled = !seen || live.count >= live.limit || !live.permit_count;
		if (!permitted && !settled)
			start_waiting(call);
		pthread_mutex_unlock(&live.lock);

		if (permitted)
			return notify_valid(call) ? reply_proceed() : reply_fail(EINTR);
		if (settled || now_ns() - start > 2 * (uint64_t)SETTLE_NS)
			return reply_fail(EAGAIN);
		nanosleep(&pause, NULL);
	}
}

struct reply handle_clone_process(const struct call *call)
{
	bool permitted = false;

	if (pthread_mutex_trylock(&live.lock) == 0) {
		permitted = permit(call);
		pthread_mutex_unlock(&live.lock);
	}
	if (permitted)
		return reply_proceed();
	start_waiting(call);
	return reply_later(look_again);
}
