/* Tests that are tables: texts and what a parser makes of them, or why it refuses them. */
#ifndef SANDLOCK_TESTS_ROWS_H
#define SANDLOCK_TESTS_ROWS_H

#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EACH(row, table) for (size_t i_ = 0; i_ < ARRAY_LEN(table) && ((row) = &(table)[i_]); i_++)

/* What the parsers allocate in and complain into. */
extern struct arena arena;
extern struct complaint c;

struct refusal {
	const char *text, *reason, *hint; /* parts */
};

void fail_row(const char *text, const char *got);
/* Fail unless the parser refused (`ok`: it did not) for this reason, and with this hint when the row has one. */
void expect_reason(const char *text, bool ok, const char *part);
void expect_refusal(const struct refusal *row, bool ok);

/* For the end of a group of tests. */
int rows_end(void **state);

#endif
