/*
 * A guest whose calls are answered by the handlers of this process: a child with a real filter, which traps connect and the calls that
 * send. It may reach 127.0.0.1 and ::1, and sockets below "in".
 */
#ifndef SANDLOCK_TESTS_GUEST_H
#define SANDLOCK_TESTS_GUEST_H

#include "net/behalf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { DENIED = EHOSTUNREACH };

extern char directory[]; /* granted: its "in"; not granted: its "out" */

/* Makes the directory and opens the policy. */
void guest_begin(void);
void guest_end(void);
/* Runs the program as the guest until it ends, without a failed CHECK. Skips the test where no filter can be installed. */
void guest_run(void (*program)(void));
#define GUEST_TEST(name)                                                                           \
	static void test_##name(void **state UNUSED)                                               \
	{                                                                                          \
		guest_run(name);                                                                   \
	}

/* ---- what the programs are made of ---- */

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(2, "%s:%d: %s (%s)\n", __func__, __LINE__, #condition,             \
				strerror(errno));                                                  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define FAILS(call, error) CHECK((call) < 0 && errno == (error))

/* Forks a helper of the program, which ends with it. */
pid_t helper(void);
int bound_socket(int type, const char *ip, struct sockaddr_in *address);
int listening(const char *ip, int backlog, struct sockaddr_in *address);
/* Is there something to read? */
int arrived(int fd);
extern volatile sig_atomic_t rang; /* how often ring() was called */
void ring(int signal);
void alarm_after(long ms, int flags);

#endif
