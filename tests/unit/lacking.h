/* Tests of what this machine may not have. */
#ifndef SANDLOCK_TESTS_LACKING_H
#define SANDLOCK_TESTS_LACKING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Skips the test and says which probe found out that it cannot be run; tests/run repeats the line. */
#define SKIP(probe)                                                                                \
	do {                                                                                       \
		print_message("skipped: %s\n", probe);                                             \
		skip();                                                                            \
	} while (0)

#endif
