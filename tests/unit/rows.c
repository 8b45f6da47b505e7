#include "rows.h"

struct arena arena;
struct complaint c = {.arena = &arena};

void fail_row(const char *text, const char *got)
{
	fail_msg("\"%s\": got %s", text, got ? got : "no complaint");
}

void expect_reason(const char *text, bool ok, const char *part)
{
	if (ok || !strstr(c.reason, part))
		fail_row(text, ok ? "accepted" : c.reason);
}

void expect_refusal(const struct refusal *row, bool ok)
{
	expect_reason(row->text, ok, row->reason);
	if (row->hint && (!c.hint || !strstr(c.hint, row->hint)))
		fail_msg("\"%s\": hint %s", row->text, c.hint ? c.hint : "missing");
}

int rows_end(void **state UNUSED)
{
	arena_free(&arena);
	return 0;
}
