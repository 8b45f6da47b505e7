/*
 * A small pool for calls that may block or take long. Threads start with the first such call. A worker asks whether the caller
 * is still there before it works, and again (in the handler) before it acts.
 */
#include "supervise/session.h"

#include "supervise/patience.h"

#include <errno.h>
#include <pthread.h>

enum { WORKERS = 2, QUEUE = 128, WORKER_STACK = 64 * 1024, PATIENCE_MS = 1000 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job {
		struct call call;
		struct reply (*work)(const struct call *call);
	} jobs[QUEUE];
	size_t head, count;
	int threads;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *worker(void *unused UNUSED)
{
	patience_prepare(); /* without it one call may keep this thread, never the loop */
	for (;;) {
		pthread_mutex_lock(&pool.lock);
		while (!pool.count)
			pthread_cond_wait(&pool.wake, &pool.lock);
		struct job job = pool.jobs[pool.head];
		pool.head = (pool.head + 1) % QUEUE;
		pool.count--;
		pthread_mutex_unlock(&pool.lock);

		job.call.may_wait = true;
		if (!notify_valid(&job.call))
			continue;
		patience_begin(PATIENCE_MS);
		struct reply reply = job.work(&job.call);
		patience_end();
		/* No worker hands a call on. */
		notify_reply(&job.call, reply.kind == REPLY_LATER ? reply_fail(EAGAIN) : reply);
	}
	return NULL;
}

bool workers_exist(void)
{
	return pool.threads > 0 || parked_exist() || watch_exists();
}

bool workers_submit(const struct call *call, struct reply (*work)(const struct call *call))
{
	bool queued = false;

	pthread_mutex_lock(&pool.lock);
	while (pool.threads < WORKERS) {
		pthread_attr_t attr;
		pthread_t thread;

		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, WORKER_STACK);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		int r = pthread_create(&thread, &attr, worker, NULL);
		pthread_attr_destroy(&attr);
		if (r != 0)
			break;
		pool.threads++;
	}
	if (pool.threads && pool.count < QUEUE) {
		pool.jobs[(pool.head + pool.count++) % QUEUE] =
			(struct job){.call = *call, .work = work};
		queued = true;
		pthread_cond_signal(&pool.wake);
	}
	pthread_mutex_unlock(&pool.lock);
	return queued;
}
