/*
 * Calls that wait: one thread watches all their descriptors, their deadlines, and whether their callers are still there or have
 * a signal to handle (with WAIT_KILLABLE_RECV nothing else ends the caller's wait). Allocates nothing: the pool is static, and pages
 * that were never used cost nothing. Nothing here may block or trust a readiness that the guest arranges to be false.
 */
#include "supervise/session.h"

#include "supervise/patience.h"

#include "base/sys.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	POOL = 16384,
	BATCH = 64,
	RESERVED_FILES =
		128, /* numbers that no waiting call takes: whoever ends the run needs some */
	LOOKS = 128, /* callers looked at in one tick: a status file costs some 15 us */
	STACK = 128 * 1024,
	STATUS_ROOM = 8192,
	MS = 1000 * 1000,
	PATIENCE_MS = 5,
	TICK_NS = 50 * MS,
	RETRY_NS = 10 * MS,
	WAKE = UINT32_MAX, /* epoll's data for `lot.wake`; others are indexes of slots */
};

struct slot {
	struct parked p;   /* first: entries are handed out by its address */
	uint32_t position; /* in `active` */
	bool watched;	   /* epoll has p.fd */
	bool perhaps;	   /* WAIT_PERHAPS at the last look */
	uint64_t retry_ns; /* 0: epoll tells */
};

static struct {
	pthread_mutex_t lock; /* all but the slots' contents, which belong to who has the entry */
	int epoll, wake;
	atomic_bool started;
	int last_file; /* descriptors above are not kept; 0: all are */
	uint32_t used; /* slots from here on were never touched */
	uint32_t free_count, active_count;
	uint64_t next_due; /* no `due` is earlier */
	uint32_t free[POOL], active[POOL];
	uint64_t due[POOL]; /* of the active ones: when time alone resumes them */
	struct slot slots[POOL];
} lot = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct slot *slot_of(struct parked *p)
{
	return (struct slot *)(void *)p;
}

static uint32_t index_of(const struct slot *slot)
{
	return (uint32_t)(slot - lot.slots);
}

bool parked_exist(void)
{
	return atomic_load(&lot.started);
}

/* ---- signals ---- */

static uint64_t mask_of(const char *status, const char *name)
{
	const char *value = status_field(status, name);

	return value ? strtoull(value, NULL, 16) : 0;
}

static long number_of(const char *status, const char *name)
{
	const char *value = status_field(status, name);

	return value ? strtol(value, NULL, 10) : 0;
}

/*
 * A signal that is pending and not blocked has marked some thread as interrupted. A thread's own signal has marked that thread. One
 * for the process marks its leader when the leader does not block it, else any thread that does not; only the marked one
 * understands ERROR_RESTART.
 */
enum wait_end wait_end_of(const char *status)
{
	uint64_t open = ~(mask_of(status, "SigBlk") | mask_of(status, "SigIgn"));

	if (mask_of(status, "SigPnd") & open)
		return WAIT_INTERRUPTED;
	if (!(mask_of(status, "ShdPnd") & open))
		return WAIT_ON;
	return number_of(status, "Threads") == 1 ? WAIT_INTERRUPTED : WAIT_PERHAPS;
}

static bool is_leader(const char *status)
{
	return number_of(status, "Tgid") == number_of(status, "Pid");
}

/* The reply that ends the wait, if the caller has a signal to handle. */
static bool interrupted(struct slot *slot, struct reply *reply)
{
	static char status[STATUS_ROOM]; /* this thread's */

	task_status(&slot->p.call, status, sizeof status);
	enum wait_end end = wait_end_of(status);
	bool before = slot->perhaps;

	slot->perhaps = end == WAIT_PERHAPS;
	/* Another thread would have taken it long before the second look. */
	if (end == WAIT_ON || (end == WAIT_PERHAPS && !before))
		return false;
	/* As the kernel: what was done counts; a call with a time limit is not restarted. */
	if (slot->p.progress)
		*reply = reply_value(slot->p.progress);
	else if (slot->p.deadline_ns || (end == WAIT_PERHAPS && !is_leader(status)))
		*reply = reply_result(-EINTR);
	else
		*reply = reply_result(-ERROR_RESTART);
	return true;
}

/* ---- entries; the lock is held ---- */

static void arm(struct slot *slot, uint64_t now)
{
	struct epoll_event event = {.events = (uint32_t)slot->p.events | EPOLLONESHOT,
				    .data.u32 = index_of(slot)};

	slot->retry_ns = 0;
	if (slot->p.events && epoll_ctl(lot.epoll, slot->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
					slot->p.fd, &event) == 0)
		slot->watched = true;
	else /* not to be watched: by the clock */
		slot->retry_ns = now + RETRY_NS;

	uint64_t due = slot->retry_ns ? slot->retry_ns : UINT64_MAX;
	if (slot->p.deadline_ns)
		due = MIN(due, slot->p.deadline_ns);
	lot.due[slot->position] = due;
	lot.next_due = MIN(lot.next_due, due);
}

static void remove_active(const struct slot *slot)
{
	uint32_t last = --lot.active_count, hole = slot->position;

	lot.active[hole] = lot.active[last];
	lot.due[hole] = lot.due[last];
	lot.slots[lot.active[hole]].position = hole;
}

/* ---- the thread ---- */

static void wake_thread(void)
{
	const uint64_t one = 1;
	ssize_t n = write(lot.wake, &one, sizeof one);

	(void)n; /* a full counter wakes as well */
}

static void drain_wake(void)
{
	uint64_t count;
	ssize_t n = read(lot.wake, &count, sizeof count);

	(void)n; /* this is the only reader */
}

/* `reply` NULL: nobody waits any more. */
static void finish(struct slot *slot, const struct reply *reply)
{
	struct call call = slot->p.call;

	/* Closing would not do: the guest's descriptor keeps the description, and epoll with it. */
	if (slot->watched)
		epoll_ctl(lot.epoll, EPOLL_CTL_DEL, slot->p.fd, NULL);
	if (slot->p.fd >= 0)
		close(slot->p.fd);
	pthread_mutex_lock(&lot.lock);
	remove_active(slot);
	lot.free[lot.free_count++] = index_of(slot);
	pthread_mutex_unlock(&lot.lock);
	if (reply)
		notify_reply(&call, *reply);
}

static void resume(struct slot *slot, bool ready)
{
	struct parked *p = &slot->p;
	uint64_t now = clock_ns();
	bool timed_out = !ready && p->deadline_ns && now >= p->deadline_ns;

	if (!notify_valid(&p->call)) {
		finish(slot, NULL);
		return;
	}
	struct reply reply = p->resume(p, timed_out);
	if (reply.kind != REPLY_PARKED) {
		finish(slot, &reply);
		return;
	}
	if (timed_out)
		p->deadline_ns = 0; /* it was told once */
	pthread_mutex_lock(&lot.lock);
	arm(slot, now);
	pthread_mutex_unlock(&lot.lock);
}

/* Those whose time has come. Only this thread removes entries, so a slot found under the lock stays one. */
static void resume_due(void)
{
	uint64_t now = clock_ns(), next = UINT64_MAX;
	uint32_t found[BATCH];
	size_t count = 0;

	pthread_mutex_lock(&lot.lock);
	if (lot.next_due <= now) {
		for (uint32_t i = 0; i < lot.active_count; i++)
			if (lot.due[i] <= now && count < BATCH)
				found[count++] = lot.active[i];
			else
				next = MIN(next, lot.due[i]);
		lot.next_due = next;
	}
	pthread_mutex_unlock(&lot.lock);
	for (size_t i = 0; i < count; i++)
		resume(&lot.slots[found[i]], false);
}

static void look_at_callers(void)
{
	static uint32_t cursor;

	for (uint32_t looks = 0; looks < LOOKS; looks++) {
		struct slot *slot = NULL;
		struct reply reply;

		pthread_mutex_lock(&lot.lock);
		if (looks < lot.active_count)
			slot = &lot.slots[lot.active[cursor++ % lot.active_count]];
		pthread_mutex_unlock(&lot.lock);
		if (!slot)
			return;
		if (!notify_valid(&slot->p.call))
			finish(slot, NULL);
		else if (interrupted(slot, &reply))
			finish(slot, &reply);
	}
}

static int timeout_ms(uint64_t tick)
{
	uint64_t next, now = clock_ns();
	bool idle;

	pthread_mutex_lock(&lot.lock);
	idle = !lot.active_count;
	next = MIN(tick, lot.next_due);
	pthread_mutex_unlock(&lot.lock);
	if (idle)
		return -1;
	return next <= now ? 0 : (int)((next - now + MS - 1) / MS);
}

static void *watch(void *unused UNUSED)
{
	struct epoll_event events[BATCH];
	uint64_t tick = clock_ns() + TICK_NS;

	patience_prepare(); /* without it one call may keep the others waiting, never the loop */
	for (;;) {
		int n = epoll_wait(lot.epoll, events, BATCH, timeout_ms(tick));

		patience_begin(PATIENCE_MS);
		/* Whoever parks an entry writes to it until it lets go of the lock. */
		pthread_mutex_lock(&lot.lock);
		pthread_mutex_unlock(&lot.lock);
		for (int i = 0; i < n; i++)
			if (events[i].data.u32 != WAKE)
				resume(&lot.slots[events[i].data.u32], true);
			else
				drain_wake();
		resume_due();
		uint64_t now = clock_ns();
		if (now >= tick) {
			look_at_callers();
			tick = now + TICK_NS;
		}
		patience_end();
	}
	return NULL;
}

static bool start_thread(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = WAKE};
	pthread_attr_t attr;
	pthread_t thread;

	lot.next_due = UINT64_MAX;
	lot.epoll = epoll_create1(EPOLL_CLOEXEC);
	lot.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool ready = lot.epoll >= 0 && lot.wake >= 0 &&
		     epoll_ctl(lot.epoll, EPOLL_CTL_ADD, lot.wake, &event) == 0;
	if (ready) {
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, STACK);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		ready = pthread_create(&thread, &attr, watch, NULL) == 0;
		pthread_attr_destroy(&attr);
	}
	if (!ready) {
		if (lot.epoll >= 0)
			close(lot.epoll);
		if (lot.wake >= 0)
			close(lot.wake);
	}
	return ready;
}

/* ---- for handlers ---- */

void park_prepare(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur <= INT_MAX)
		lot.last_file = (int)(files.rlim_cur - MIN(files.rlim_cur / 2, RESERVED_FILES));
}

struct parked *park_new(const struct call *call)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&lot.lock);
	if (!lot.started)
		atomic_store(&lot.started, start_thread());
	if (lot.started && lot.free_count)
		slot = &lot.slots[lot.free[--lot.free_count]];
	else if (lot.started && lot.used < POOL)
		slot = &lot.slots[lot.used++];
	pthread_mutex_unlock(&lot.lock);
	if (!slot)
		return NULL;
	memset(slot, 0, sizeof *slot);
	slot->p.call = *call;
	slot->p.call.may_wait = true; /* once found without waiting, a path mostly is again */
	slot->p.fd = -1;
	return &slot->p;
}

struct reply park(struct parked *p)
{
	struct slot *slot = slot_of(p);
	uint64_t now = clock_ns();

	pthread_mutex_lock(&lot.lock);
	if (lot.last_file && p->fd > lot.last_file) {
		close(p->fd);
		lot.free[lot.free_count++] = index_of(slot);
		pthread_mutex_unlock(&lot.lock);
		return reply_result(-ENOBUFS);
	}
	uint64_t before = lot.active_count ? MIN(lot.next_due, now + TICK_NS) : UINT64_MAX;
	slot->position = lot.active_count;
	lot.active[lot.active_count++] = index_of(slot);
	arm(slot, now);
	bool late =
		MIN(lot.next_due, now + TICK_NS) < before; /* it sleeps longer than this may wait */
	pthread_mutex_unlock(&lot.lock);
	if (late)
		wake_thread();
	return (struct reply){.kind = REPLY_PARKED};
}
