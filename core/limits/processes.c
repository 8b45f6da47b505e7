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
	PID_LIMIT = 4 * 1024 * 1024,   /* PID_MAX_LIMIT of 64-bit kernels */
	SETTLE_NS = 100 * 1000 * 1000, /* a permitted call has returned after this long */
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
		int tid;
		uint64_t when;
	} * permits;
	uint32_t permit_count;
	int *scratch;
	size_t room;
} live = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool processes_open(struct session *s)
{
	struct rlimit files;

	live.limit = MIN(s->record.max_processes, (uint32_t)PID_LIMIT);
	if (!live.limit)
		return true;
	/* A descriptor a task: up to the hard limit, which the guest has inherited already. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	live.room = (size_t)live.limit * 2 + 64;
	live.tasks = calloc(live.room, sizeof *live.tasks);
	live.polls = calloc(live.room, sizeof *live.polls);
	live.permits = calloc(live.limit, sizeof *live.permits);
	live.scratch = calloc(live.room, sizeof *live.scratch);
	if (!live.tasks || !live.polls || !live.permits || !live.scratch)
		return false;
	live.tasks[live.count++] =
		(struct task){.pid = s->guard.guest_pid, .pidfd = s->guard.guest_pidfd};
	s->peak_processes = 1;
	return true;
}

static bool is_zombie(int pid)
{
	char path[32], text[512];
	auto_fd fd = -1;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return true;
	text[n] = '\0';
	const char *end = strrchr(text, ')');
	return !end || end[1] != ' ' || end[2] == 'Z' || end[2] == 'X';
}

static void drop_exited(void)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < live.count; i++)
		live.polls[i] = (struct pollfd){.fd = live.tasks[i].pidfd, .events = POLLIN};
	poll(live.polls, live.count, 0);
	for (uint32_t i = 0; i < live.count; i++) {
		struct task *task = &live.tasks[i];
		bool exited = task->pidfd < 0 ? is_zombie(task->pid) : live.polls[i].revents != 0;

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

static void find_new(const struct session *s)
{
	size_t n = tree_list(s->guard.guard_pid, live.scratch, live.room);

	if ((s->record.flags & RECORD_VIEW) && n < live.room) /* orphans are process 1's */
		n += tree_list(s->record.holder_pid, live.scratch + n, live.room - n);
	for (size_t i = 0; i < n && live.count < live.room; i++) {
		int pid = live.scratch[i];

		if (known(pid) || is_zombie(pid))
			continue;
		long pidfd = SYS(pidfd_open, pid, 0);
		live.tasks[live.count++] =
			(struct task){.pid = pid, .pidfd = pidfd < 0 ? -1 : (int)pidfd};
	}
}

/* Has a permitted call come back? While its thread is on a CPU that cannot be told at once. */
static bool returned(const struct permit *permit, int caller, uint64_t now)
{
	char path[48], text[16];

	if (permit->tid == caller || now - permit->when > SETTLE_NS)
		return true;
	snprintf(path, sizeof path, "/proc/%d/syscall", permit->tid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	/* Asleep: in vfork's wait its child exists already, anywhere else the call is over. */
	return n <= 0 || strncmp(text, "running", 7) != 0;
}

static void forget_returned(int caller)
{
	uint64_t now = now_ns();
	uint32_t kept = 0;

	for (uint32_t i = 0; i < live.permit_count; i++)
		if (!returned(&live.permits[i], caller, now))
			live.permits[kept++] = live.permits[i];
	live.permit_count = kept;
}

/* With the lock held. */
static bool permit(const struct call *call)
{
	if (live.count + live.permit_count >= live.limit)
		return false;
	live.permits[live.permit_count++] = (struct permit){.tid = call->pid, .when = now_ns()};
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
		forget_returned(call->pid);
		find_new(call->session);
		drop_exited();
		bool permitted = permit(call);
		bool settled = live.count >= live.limit || !live.permit_count;
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
	bool permitted;

	if (pthread_mutex_trylock(&live.lock) != 0)
		return reply_later(look_again);
	permitted = permit(call);
	pthread_mutex_unlock(&live.lock);
	return permitted ? reply_proceed() : reply_later(look_again);
}
