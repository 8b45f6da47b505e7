/*
 * Who watches the loop. Reading the memory of a program can be made to wait, for as long as the program likes: its tasks hold the lock of
 * its address space in turns, and no signal ends that wait. Time limits, Ctrl-C and SIGTERM must not wait with it: when the loop
 * has been in one read for a while, this thread does what is due, and ending the program is what frees the loop.
 */
#include "supervise/session.h"

#include "base/sys.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { STACK = 64 * 1024, TICK_NS = 50 * 1000 * 1000 };

static struct {
	pthread_mutex_t lock;
	_Atomic uint32_t beat; /* odd: the loop is in a read */
	atomic_bool started, asleep;
	struct session *session;
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *watcher(void *unused UNUSED)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};

	for (;;) {
		uint32_t seen = atomic_load(&watch.beat);

		nanosleep(&tick, NULL);
		if (atomic_load(&watch.beat) != seen)
			continue;
		if (seen & 1) {
			watch_lock();
			/* Back by now, it does what is due itself. */
			if (atomic_load(&watch.beat) == seen)
				session_attend(watch.session);
			watch_unlock();
			continue;
		}
		atomic_store(&watch.asleep, true);
		SYS(futex, &watch.beat, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		atomic_store(&watch.asleep, false);
	}
	return NULL;
}

static void start(struct session *session)
{
	pthread_attr_t attr;
	pthread_t thread;

	watch.session = session;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_store(&watch.started, pthread_create(&thread, &attr, watcher, NULL) == 0);
	pthread_attr_destroy(&attr);
}

void watch_begin(struct session *session)
{
	if (!atomic_load(&watch.started))
		start(session);
	atomic_fetch_add(&watch.beat, 1);
	if (atomic_load(&watch.asleep))
		SYS(futex, &watch.beat, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void watch_end(void)
{
	atomic_fetch_add(&watch.beat, 1);
}

bool watch_exists(void)
{
	return atomic_load(&watch.started);
}

void watch_lock(void)
{
	pthread_mutex_lock(&watch.lock);
}

void watch_unlock(void)
{
	pthread_mutex_unlock(&watch.lock);
}
