/* Applies a checked policy to the running process. */
#ifndef SANDLOCK_PRELOAD_APPLY_H
#define SANDLOCK_PRELOAD_APPLY_H

#include "load.h"

struct request {
	bool this_thread; /* leave other threads as they are */
	bool all_threads; /* several threads are an error only when the kernel cannot confine them all */
	bool no_seccomp;
	bool dry;
	bool sweep;
	int keep_fd; /* one more that the sweep leaves open, or -1 */
};

struct result {
	int abi;
	bool threads; /* there were several */
	struct confine_masks masks;
	uint32_t applied; /* enum sandlock_confine_applied */
};

/* On failure result->applied says how far it came: once something was applied the process should end. */
bool apply(const struct confine_parts *parts, const struct request *request, struct result *result,
	   struct failure *failure);

/* For SANDLOCK_CONFINE_KEEP: a child finds the mark in its environment and the root directory closed, and need not apply the
 * same policy again. The mark of a policy that grants the root directory is empty: nothing would prove it. */
enum { MARK_ROOM = 17 };
void apply_mark(const struct blob *blob, char mark[MARK_ROOM]);
bool apply_is_confined(void);

#endif
