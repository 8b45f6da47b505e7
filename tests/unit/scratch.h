/* A directory of its own for one test program, with files that look as a policy's owner wants them. */
#ifndef SANDLOCK_TESTS_SCRATCH_H
#define SANDLOCK_TESTS_SCRATCH_H

#include <stddef.h>
#include <sys/types.h>

/* Makes the directory; its canonical path. scratch_end() removes everything. */
const char *scratch_begin(void);
void scratch_end(void);
/* "DIR/NAME", in a ring of buffers that lasts for 16 calls. */
const char *scratch(const char *name);
/* All make the directories above (0755). */
void scratch_dir(const char *name, mode_t mode);
void scratch_file(const char *name, const char *text, mode_t mode);
void scratch_remove(const char *name);

#endif
