/*
 * A timer for each thread, armed while the thread deals with what is the program's. Its signal does nothing but interrupt, and it
 * comes again until the timer is disarmed: one that arrives just before the call that waits would be lost. Never restarts a call.
 */
#include "supervise/patience.h"

#include "base/compiler.h"
#include "base/sys.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

enum { AGAIN_MS = 2, MS = 1000 * 1000 };

static __thread int timer; /* its number */
static __thread bool ready;

static void interrupt(int signal UNUSED)
{
}

bool patience_prepare(void)
{
	const struct sigaction action = {.sa_handler = interrupt};
	/* The kernel's layout: C libraries hide the member that names the thread. */
	struct {
		union sigval value;
		int signal, notify, thread;
		char room[64];
	} event = {.signal = SIGALRM, .notify = SIGEV_THREAD_ID, .thread = (int)SYS(gettid)};
	sigset_t set;

	if (SYS(timer_create, CLOCK_MONOTONIC, &event, &timer) < 0)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	ready = sigaction(SIGALRM, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0;
	return ready;
}

static void arm(long first, long again)
{
	const struct itimerspec when = {
		.it_value = {first / (1000 * MS), first % (1000 * MS)},
		.it_interval = {0, again},
	};

	if (ready)
		SYS(timer_settime, timer, 0, &when, NULL);
}

void patience_begin(unsigned milliseconds)
{
	arm((long)milliseconds * MS, AGAIN_MS * MS);
}

void patience_end(void)
{
	arm(0, 0);
}
