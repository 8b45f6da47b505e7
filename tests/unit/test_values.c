/* The grammars of single values: what each accepts, and every row of what it refuses. */
#include "policy/values.h"

#include "rows.h"

static void booleans(void **state UNUSED)
{
	bool value;

	assert_true(value_bool("true", &value, &c) && value);
	assert_true(value_bool("True", &value, &c) && value);
	assert_true(value_bool("FALSE", &value, &c) && !value);
	static const char *const bad[] = {"yes", "no", "on", "OFF", "1", "0", "", "truee", "t"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_reason(bad[i], value_bool(bad[i], &value, &c), "expected true or false");
	value_bool("yes", &value, &c);
	assert_string_equal(c.hint, "write true");
	value_bool("OFF", &value, &c);
	assert_string_equal(c.hint, "write false");
}

static void integers(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		const char *reason;
	} rows[] = {
		{"0", 10, 0, NULL},
		{"10", 10, 10, NULL},
		{"0x1F", 100, 31, NULL},
		{"0o17", 100, 15, NULL},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, NULL},
		{"18446744073709551616", UINT64_MAX, 0, "larger than"},
		{"0x10000000000000000", UINT64_MAX, 0, "larger than"},
		{"11", 10, 0, "larger than 10"},
		{"011", 10, 0, "leading zeros"},
		{"00", 10, 0, "leading zeros"},
		{"1_000", 10000, 0, "expected an integer"},
		{"-1", 10, 0, "expected an integer"},
		{"+1", 10, 0, "expected an integer"},
		{" 1", 10, 0, "expected an integer"},
		{"1 ", 10, 0, "expected an integer"},
		{"", 10, 0, "expected an integer"},
		{"0x", 10, 0, "expected an integer"},
		{"0o8", 10, 0, "expected an integer"},
		{"1.5", 10, 0, "expected an integer"},
		{"ten", 10, 0, "expected an integer"},
	};
	const typeof(rows[0]) *row;
	uint64_t value;

	EACH(row, rows)
	{
		bool ok = value_uint(row->text, 0, row->max, &value, &c);

		if (row->reason)
			expect_reason(row->text, ok, row->reason);
		else if (!ok || value != row->value)
			fail_row(row->text, c.reason);
	}
	expect_reason("0", value_uint("0", 1, 10, &value, &c), "smaller than 1");
}

static void sizes(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t value;
		const char *canonical;
	} rows[] = {
		{"0", 0, "0"},
		{"1000", 1000, "1000"},
		{"1024", 1024, "1K"},
		{"+5", 5, "5"},
		{"512M", 512ULL << 20, "512M"},
		{" 512 m ", 512ULL << 20, "512M"},
		{"1.5G", 3ULL << 29, "1536M"},
		{"0.5k", 512, "512"},
		{"2KiB", 2048, "2K"},
		{"2kb", 2048, "2K"},
		{"7B", 7, "7"},
		{"1T", 1ULL << 40, "1024G"},
		{"1TiB", 1ULL << 40, "1024G"},
		{"9223372036854775807", INT64_MAX, "9223372036854775807"},
		{"unlimited", UINT64_MAX, "unlimited"},
		{"MAX", UINT64_MAX, "unlimited"},
	};
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"", "empty"},
		{"  ", "empty"},
		{"-1", "negative"},
		{"M", "expected a number"},
		{"lots", "expected a number"},
		{"1.5", "a fraction needs a unit"},
		{"1.5B", "a fraction needs a unit"},
		{"1.G", "one to nine digits"},
		{"1.1234567891G", "one to nine digits"},
		{"1.3K", "not a whole number of bytes"},
		{"512MX", "unknown unit"},
		{"1E", "unknown unit"},
		{"1 2", "unknown unit"},
		{"0x10", "unknown unit"},
		{"9223372036854775808", "too large"},
		{"8388608T", "too large"},
		{"99999999999999999999999", "too large"},
		{"18446744073709551616", "too large"},
		{"1111111111111111111111111111111111111111111111111111", "not a size"},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;
	uint64_t value;
	bool bare;

	EACH(row, rows)
	{
		if (!value_size(row->text, &value, &bare, &c) || value != row->value)
			fail_row(row->text, c.reason);
		assert_string_equal(size_render(&arena, value), row->canonical);
	}
	EACH(no, bad)
	expect_reason(no->text, value_size(no->text, &value, &bare, &c), no->reason);
	assert_true(value_size("512", &value, &bare, &c) && bare);
	assert_true(value_size("512K", &value, &bare, &c) && !bare);
}

static void durations(void **state UNUSED)
{
	const uint64_t second = 1000000000;
	const struct {
		const char *text;
		uint64_t value;
	} rows[] = {
		{"0", 0},
		{"90", 90 * second},
		{" 90 ", 90 * second},
		{"1h30m", 5400 * second},
		{"2.5s", 2500000000},
		{"500ms", 500000000},
		{"1m500ms", 60 * second + 500000000},
		{"1d", 86400 * second},
		{"1d2h3m4s5ms", (86400 + 7200 + 180 + 4) * second + 5000000},
		{"0.5h", 1800 * second},
	};
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"", "empty"},
		{"-1", "negative"},
		{"1.5", "a unit is missing"},
		{"1h30", "a unit is missing"},
		{"1x", "unknown unit"},
		{"1H", "unknown unit"},
		{"s", "expected a duration"},
		{"1m1h", "units must fall"},
		{"1m1m", "units must fall"},
		{"1h 30m", "blanks inside"},
		{"1.s", "one to nine digits"},
		{"0.0000001ms", "not a whole number"},
		{"99999999999999999999", "too long"},
		{"9223372037", "too long"},
		{"106752d", "too long"},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;
	uint64_t value;

	EACH(row, rows)
	if (!value_duration(row->text, &value, &c) || value != row->value)
		fail_row(row->text, c.reason);
	EACH(no, bad)
	expect_reason(no->text, value_duration(no->text, &value, &c), no->reason);
}

static void times(void **state UNUSED)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-01-01T00:00:00Z", 1767225600000000000},
		{"2026-01-01 01:00:00+01:00", 1767225600000000000},
		{"2025-12-31t22:30:00-01:30", 1767225600000000000},
		{"2026-01-01T00:00:00.25z", 1767225600250000000},
		{"1969-07-20T20:17:00Z", -14182980000000000},
		{"2000-02-29T00:00:00Z", 951782400000000000},
		{"@1767225600", 1767225600000000000},
		{"@1.5", 1500000000},
	};
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"", "expected a timestamp"},
		{"now", "expected a timestamp"},
		{"2026-01-01", "time of day is missing"},
		{"2026-01-01T00:00:00", "time zone is missing"},
		{"2026-01-01T00:00Z", "expected a timestamp"},
		{"2026-13-01T00:00:00Z", "no such date"},
		{"2026-02-29T00:00:00Z", "no such date"},
		{"1900-02-29T00:00:00Z", "no such date"},
		{"2026-01-01T24:00:00Z", "no such date"},
		{"2026-01-01T00:00:00+24:00", "no such date"},
		{"2026-01-01T00:00:00Zjunk", "expected a timestamp"},
		{"2026-01-01T00:00:00+0100", "expected a timestamp"},
		{"1767225600", "expected a timestamp"},
		{"@", "seconds since 1970"},
		{"@-1", "seconds since 1970"},
		{"@99999999999999999999", "seconds since 1970"},
		{"@9999999999999", "outside the years"},
		{"9999-01-01T00:00:00Z", "outside the years"},
		{"0001-01-01T00:00:00Z", "outside the years"},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;
	int64_t value;

	EACH(row, rows)
	if (!value_time(row->text, false, &value, &c) || value != row->value)
		fail_row(row->text, c.reason);
	EACH(no, bad)
	expect_reason(no->text, value_time(no->text, false, &value, &c), no->reason);
	assert_true(value_time("1767225600", true, &value, &c));
	assert_int_equal(value, 1767225600000000000);
}

static void ports(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t lo, hi;
		const char *reason;
	} rows[] = {
		{"0", 0, 0, NULL},
		{"8080", 8080, 8080, NULL},
		{" 9000 - 9005 ", 9000, 9005, NULL},
		{"65535", 65535, 65535, NULL},
		{"*", 0, 65535, NULL},
		{"tcp://80", 80, 80, NULL},
		{"udp://53", 53, 53, NULL},
		{"udp:// 5000-5010 ", 5000, 5010, NULL},
		{"udp://*", 0, 65535, NULL},
		{"udp://", 0, 0, "empty"},
		{"UDP://1", 0, 0, "unknown scheme"},
		{"tcp+udp://1", 0, 0, "unknown scheme"},
		{"udp://udp://1", 0, 0, "expected a port number"},
		{"", 0, 0, "empty"},
		{" ", 0, 0, "empty"},
		{"65536", 0, 0, "at most 65535"},
		{"99999999999999999999", 0, 0, "at most 65535"},
		{"-1", 0, 0, "expected a port number"},
		{"1-", 0, 0, "expected a port number"},
		{"http", 0, 0, "expected a port number"},
		{"9-8", 0, 0, "reversed"},
		{"1-2-3", 0, 0, "expected a port or a range"},
		{"80/tcp", 0, 0, "expected a port or a range"},
		{"**", 0, 0, "expected a port number"},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	{
		struct item item = {0};
		bool ok = value_ports(row->text, &item, &c);

		if (row->reason)
			expect_reason(row->text, ok, row->reason);
		else if (!ok || item.num != row->lo || item.num2 != row->hi ||
			 (item.flags & ITEM_ANY) != (strchr(row->text, '*') ? ITEM_ANY : 0) ||
			 (item.flags & ITEM_UDP) != (row->text[0] == 'u' ? ITEM_UDP : 0))
			fail_row(row->text, c.reason);
	}
}

static void enumerations(void **state UNUSED)
{
	uint64_t index;

	assert_true(value_word("b", "a|b|c", false, &index, &c) && index == 1);
	assert_true(value_word("C", "a|b|c", true, &index, &c) && index == 2);
	expect_reason("C", value_word("C", "a|b|c", false, &index, &c), "expected a, b or c");
	expect_reason("", value_word("", "a|b", false, &index, &c), "expected a or b");
	expect_reason("kil", value_word("kil", "kill|wait", false, &index, &c),
		      "expected kill or wait");
	assert_string_equal(c.hint, "did you mean \"kill\"?");
	assert_string_equal(word_at(&arena, "a|bb|c", 1), "bb");
}

static void names(void **state UNUSED)
{
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"", "must not be empty"},
		{".", "must not be"},
		{"..", "must not be"},
		{"a/b", "must not contain \"/\""},
		{"a b", "whitespace or control characters"},
		{"a\tb", "whitespace or control characters"},
		{"a\x7f", "whitespace or control characters"},
		{"a\x1b[31m", "whitespace or control characters"},
		{"12345678901234567890123456789012345678901234567890123456789012345", "64 bytes"},
	};
	const typeof(bad[0]) *no;

	assert_true(value_name("api.local", &c) && name_is_plain("api.local"));
	assert_true(value_name("\xc3\xa9t\xc3\xa9", &c) && !name_is_plain("\xc3\xa9t\xc3\xa9"));
	assert_false(name_is_plain("-x"));
	EACH(no, bad)
	expect_reason(no->text, value_name(no->text, &c), no->reason);

	assert_true(value_hostname("node-1.example", &c));
	expect_reason("", value_hostname("", &c), "empty");
	expect_reason("a_b", value_hostname("a_b", &c), "letters, digits");
	expect_reason("-a", value_hostname("-a", &c), "starts with");
	expect_reason("long", value_hostname(bad[8].text, &c), "64 bytes");

	assert_true(value_identifier("LC_*", true, &c));
	assert_true(value_identifier("*", true, &c));
	expect_reason("LC_*", value_identifier("LC_*", false, &c), "letters, digits");
	expect_reason("a*b", value_identifier("a*b", true, &c), "letters, digits");
	expect_reason("1a", value_identifier("1a", true, &c), "letters, digits");
	expect_reason("", value_identifier("", true, &c), "empty");
}

static void environment(void **state UNUSED)
{
	struct item item = {0};

	assert_true(value_env("A=b=c", &item, &c) && item.flags == 0);
	assert_string_equal(item.text, "A=b=c");
	assert_true(value_env("A=", &item, &c) && item.flags == 0);
	assert_true(value_env("A", &item, &c) && item.flags == ITEM_PASS);
	expect_reason("=b", value_env("=b", &item, &c), "empty");
	expect_reason("", value_env("", &item, &c), "empty");
	expect_reason("a=b", value_env_key("a=b", &c), "must not contain \"=\"");
	expect_reason("", value_env_key("", &c), "must not be empty");
}

static void users(void **state UNUSED)
{
	static const struct {
		const char *text, *canonical;
		bool numeric;
	} rows[] = {
		{"0:0", "0:0", true},
		{" 1000 : 100 ", "1000:100", true},
		{"1000", "1000", false},
		{"nobody", "nobody", false},
		{"nobody:65534", "nobody:65534", false},
		{"1:users", "1:users", false},
	};
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"", "a part is empty"},
		{":", "a part is empty"},
		{"1:", "a part is empty"},
		{":1", "a part is empty"},
		{"4294967295:0", "larger than"},
		{"0:4294967295", "larger than"},
		{"1:2:3", "expected an integer"},
		{"1x:2", "expected an integer"},
		{"a b", "expected a number or a user name"},
		{"-1:0", "expected a number or a user name"},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;

	EACH(row, rows)
	{
		struct item item = {0};

		if (!value_user(row->text, &item, &c) || strcmp(item.text, row->canonical) != 0 ||
		    !!(item.flags & ITEM_NUMERIC) != row->numeric)
			fail_row(row->text, c.reason);
	}
	EACH(no, bad)
	{
		struct item item = {0};

		expect_reason(no->text, value_user(no->text, &item, &c), no->reason);
	}
}

static void rlimits(void **state UNUSED)
{
	static const struct {
		const char *text, *name;
		uint64_t soft, hard;
	} rows[] = {
		{"nproc=64", "nproc", 64, 64},
		{"NOFILE=10:20", "nofile", 10, 20},
		{"fsize=1G", "fsize", 1 << 30, 1 << 30},
		{"stack=8M:unlimited", "stack", 8 << 20, UINT64_MAX},
		{"core=0:infinity", "core", 0, UINT64_MAX},
		{"cpu=10m", "cpu", 600, 600},
		{"cpu=7", "cpu", 7, 7},
		{"rttime=5ms", "rttime", 5000, 5000},
		{"rttime=7", "rttime", 7, 7},
	};
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"nproc", "expected NAME=SOFT"},
		{"nproc=", "expected an integer"},
		{"nproc=x", "expected an integer"},
		{"nproc=-1", "expected an integer"},
		{"nproc=1M", "expected an integer"},
		{"nproc=1:2:3", "more than one"},
		{"nproc=2:1", "above the hard limit"},
		{"nproc=unlimited:1", "above the hard limit"},
		{"nproc=18446744073709551616", "larger than"},
		{"nprocs=1", "unknown limit"},
		{"=1", "unknown limit"},
		{"cpu=1500ms", "not a whole number of seconds"},
		{"fsize=1X", "unknown unit"},
	};
	const typeof(rows[0]) *row;
	const typeof(bad[0]) *no;

	EACH(row, rows)
	{
		struct item item = {0};

		if (!value_rlimit(row->text, &item, &c) || strcmp(item.text, row->name) != 0 ||
		    item.num != row->soft || item.num2 != row->hard)
			fail_row(row->text, c.reason);
	}
	EACH(no, bad)
	{
		struct item item = {0};

		expect_reason(no->text, value_rlimit(no->text, &item, &c), no->reason);
	}
	struct item item = {0};
	value_rlimit("nprocs=1", &item, &c);
	assert_string_equal(c.hint, "did you mean \"nproc\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booleans),	cmocka_unit_test(integers),
		cmocka_unit_test(sizes),	cmocka_unit_test(durations),
		cmocka_unit_test(times),	cmocka_unit_test(ports),
		cmocka_unit_test(enumerations), cmocka_unit_test(names),
		cmocka_unit_test(environment),	cmocka_unit_test(users),
		cmocka_unit_test(rlimits),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
