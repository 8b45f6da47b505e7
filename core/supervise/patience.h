/*
 * No thread of the supervisor waits for the sandbox. A program has means to make a system call wait that was made so as not to:
 * another of its tasks makes a socket blocking again between two calls of ours, or leaves us the last descriptor of a socket
 * that lingers when it is closed. A timer of the thread's own ends such waits with a signal (EINTR).
 */
#ifndef SANDLOCK_SUPERVISE_PATIENCE_H
#define SANDLOCK_SUPERVISE_PATIENCE_H

#include <stdbool.h>

/* For the calling thread, before the others. False: the kernel gives no timer; its waits are then ended by nobody. */
bool patience_prepare(void);
/* Between the two no wait lasts much longer than this; what is interruptible sees EINTR. */
void patience_begin(unsigned milliseconds);
void patience_end(void);

#endif
