/*
 * Numbers and words: booleans, integers, sizes, durations, times, ports, enumerations. Everything is checked for overflow, and
 * nothing depends on the locale. Must never call strtol and friends: they accept signs, blanks and octal by surprise.
 */
#include "policy/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *compose(struct arena *arena, const char *fmt, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);

	size_t size = len < 0 ? 1 : (size_t)len + 1;
	char *text = arena_alloc(arena, size);
	vsnprintf(text, size, fmt, args);

	/* The words of the value stand in it, and they may be any bytes. */
	auto_str safe = {0};
	str_add_escaped(&safe, text);
	return arena_strdup(arena, str_text(&safe));
}

bool complain(struct complaint *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	c->reason = compose(c->arena, fmt, args);
	va_end(args);
	c->hint = NULL;
	return false;
}

void suggest(struct complaint *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	c->hint = compose(c->arena, fmt, args);
	va_end(args);
}

/* ---- scanning ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static bool fold_equal(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Digits of `base` at *p. False on overflow or when there is none. */
static bool scan_digits(const char **p, unsigned base, uint64_t *out)
{
	const char *start = *p;
	uint64_t value = 0;

	for (; digit_value(**p) < (int)base; ++*p)
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit_value(**p), &value))
			return false;
	*out = value;
	return *p > start;
}

/* ".DIGITS" as *numerator of 10^*digits; nothing there is 0 of 1. */
static bool scan_fraction(const char **p, uint64_t *numerator, uint64_t *denominator)
{
	*numerator = 0;
	*denominator = 1;
	if (**p != '.')
		return true;
	++*p;
	const char *start = *p;
	for (; is_digit(**p); ++*p) {
		if (*p - start >= 9)
			return false;
		*numerator = *numerator * 10 + (uint64_t)(**p - '0');
		*denominator *= 10;
	}
	return *p > start;
}

/* (whole + numerator/denominator) * unit, exactly. */
static bool scale(uint64_t whole, uint64_t numerator, uint64_t denominator, uint64_t unit,
		  uint64_t *out)
{
	__extension__ typedef unsigned __int128 wide;
	wide part = (wide)numerator * unit;
	wide all = (wide)whole * unit + part / denominator;

	if (part % denominator || all > INT64_MAX)
		return false;
	*out = (uint64_t)all;
	return true;
}

/* ---- booleans and integers ---- */

bool value_bool(const char *text, bool *out, struct complaint *c)
{
	static const char *const nearly[] = {"yes", "no", "on", "off", "y", "n", "1", "0"};
	size_t len = strlen(text);

	*out = len == 4;
	if ((len == 4 && fold_equal(text, "true", 4)) || (len == 5 && fold_equal(text, "false", 5)))
		return true;
	complain(c, "expected true or false");
	for (size_t i = 0; i < ARRAY_LEN(nearly); i++)
		if (strlen(nearly[i]) == len && fold_equal(text, nearly[i], len))
			suggest(c, "write %s", i % 2 ? "false" : "true");
	return false;
}

bool value_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct complaint *c)
{
	const char *p = text;
	unsigned base = 10;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'o')) {
		base = p[1] == 'x' ? 16 : 8;
		p += 2;
	} else if (p[0] == '0' && is_digit(p[1])) {
		complain(c, "leading zeros are not accepted");
		suggest(c, "0o17 is octal, 17 is decimal");
		return false;
	}
	if (digit_value(*p) >= (int)base)
		return complain(c, "expected an integer");
	if (!scan_digits(&p, base, out) || (*p == '\0' && *out > max))
		return complain(c, "larger than %llu", (unsigned long long)max);
	if (*p)
		return complain(c, "expected an integer");
	if (*out < min)
		return complain(c, "smaller than %llu", (unsigned long long)min);
	return true;
}

/* ---- sizes ---- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"b", 1},	 {"k", BIT(10)},   {"kb", BIT(10)},  {"kib", BIT(10)}, {"m", BIT(20)},
	{"mb", BIT(20)}, {"mib", BIT(20)}, {"g", BIT(30)},   {"gb", BIT(30)},  {"gib", BIT(30)},
	{"t", BIT(40)},	 {"tb", BIT(40)},  {"tib", BIT(40)},
};

static bool is_unlimited(const char *text)
{
	size_t len = strlen(text);

	return (len == 3 && fold_equal(text, "max", 3)) ||
	       (len == 9 && fold_equal(text, "unlimited", 9)) ||
	       (len == 8 && fold_equal(text, "infinity", 8));
}

static const struct unit *find_unit(const char *p)
{
	size_t len = strlen(p);

	for (size_t i = 0; i < ARRAY_LEN(size_units); i++)
		if (strlen(size_units[i].name) == len && fold_equal(p, size_units[i].name, len))
			return &size_units[i];
	return NULL;
}

bool value_size(const char *text, uint64_t *out, bool *bare, struct complaint *c)
{
	uint64_t whole, numerator, denominator;
	char copy[48];
	size_t len;

	text = skip_blanks(text);
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0)
		return complain(c, "empty");
	if (len >= sizeof copy)
		return complain(c, "not a size");
	memcpy(copy, text, len);
	copy[len] = '\0';

	const char *p = copy;
	if (bare)
		*bare = false;
	if (is_unlimited(copy)) {
		*out = UINT64_MAX;
		return true;
	}
	if (*p == '-')
		return complain(c, "negative");
	if (*p == '+')
		p++;
	if (!is_digit(*p)) {
		complain(c, "expected a number with an optional unit");
		suggest(c, "write it like 512M, 1.5G or 1048576; units are B, K, M, G and T");
		return false;
	}
	if (!scan_digits(&p, 10, &whole))
		return complain(c, "too large");
	bool fraction = *p == '.';
	if (!scan_fraction(&p, &numerator, &denominator))
		return complain(c, "a fraction has one to nine digits");
	p = skip_blanks(p);
	const struct unit *unit = *p ? find_unit(p) : &size_units[0];
	if (!unit) {
		complain(c, "unknown unit");
		suggest(c, "units are B, K, M, G and T, each 1024 times the one before");
		return false;
	}
	if (fraction && unit->factor == 1)
		return complain(c, "a fraction needs a unit above B");
	if (whole > INT64_MAX / unit->factor)
		return complain(c, "too large");
	if (!scale(whole, numerator, denominator, unit->factor, out))
		return complain(c, "not a whole number of bytes");
	if (bare)
		*bare = *p == '\0';
	return true;
}

const char *size_render(struct arena *arena, uint64_t bytes)
{
	static const char suffix[] = "GMK";

	if (bytes == UINT64_MAX)
		return "unlimited";
	for (unsigned i = 0; i < 3; i++) {
		unsigned shift = 30 - 10 * i;

		if (bytes >> shift && (bytes >> shift) << shift == bytes)
			return arena_printf(arena, "%llu%c", (unsigned long long)(bytes >> shift),
					    suffix[i]);
	}
	return arena_printf(arena, "%llu", (unsigned long long)bytes);
}

/* ---- durations and times ---- */

#define SECOND 1000000000ULL

static const struct unit time_units[] = {
	{"d", 24 * 3600 * SECOND}, {"h", 3600 * SECOND}, {"ms", SECOND / 1000}, /* before "m" */
	{"m", 60 * SECOND},	   {"s", SECOND},
};

bool value_duration(const char *text, uint64_t *out, struct complaint *c)
{
	const char *p = skip_blanks(text);
	uint64_t total = 0, last = UINT64_MAX;

	if (*p == '\0')
		return complain(c, "empty");
	if (*p == '-')
		return complain(c, "negative");
	while (*p && *p != ' ') {
		uint64_t whole, numerator, denominator, part;
		const struct unit *unit = NULL;

		if (!is_digit(*p)) {
			complain(c, "expected a duration");
			suggest(c,
				"write seconds, or numbers with units: 90, 1h30m, 2.5s, 500ms, 1d");
			return false;
		}
		if (!scan_digits(&p, 10, &whole))
			return complain(c, "too long");
		bool fraction = *p == '.';
		if (!scan_fraction(&p, &numerator, &denominator))
			return complain(c, "a fraction has one to nine digits");
		for (size_t i = 0; i < ARRAY_LEN(time_units) && !unit; i++)
			if (strncmp(p, time_units[i].name, strlen(time_units[i].name)) == 0)
				unit = &time_units[i];
		if (unit) {
			p += strlen(unit->name);
		} else if (last == UINT64_MAX && (*p == '\0' || *p == ' ') && !fraction) {
			unit = &time_units[ARRAY_LEN(time_units) - 1]; /* a bare integer */
		} else {
			complain(c, *p && *p != ' ' ? "unknown unit" : "a unit is missing");
			suggest(c, "units are d, h, m, s and ms");
			return false;
		}
		if (unit->factor >= last)
			return complain(c, "units must fall: d, h, m, s, ms, each once");
		last = unit->factor;
		if (whole > INT64_MAX / unit->factor)
			return complain(c, "too long");
		if (!scale(whole, numerator, denominator, unit->factor, &part))
			return complain(c, "not a whole number of nanoseconds");
		if (__builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return complain(c, "too long");
	}
	if (*skip_blanks(p))
		return complain(c, "blanks inside");
	*out = total;
	return true;
}

/* Exactly `count` digits. */
static bool scan_fixed(const char **p, unsigned count, int *out)
{
	*out = 0;
	for (unsigned i = 0; i < count; i++, ++*p) {
		if (!is_digit(**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool time_total(int64_t seconds, uint64_t nanoseconds, int64_t *out, struct complaint *c)
{
	if (__builtin_mul_overflow(seconds, (int64_t)SECOND, out) ||
	    __builtin_add_overflow(*out, (int64_t)nanoseconds, out))
		return complain(c, "outside the years 1678 to 2261");
	return true;
}

static bool unix_time(const char *p, int64_t *out, struct complaint *c)
{
	uint64_t whole, numerator, denominator;

	if (!scan_digits(&p, 10, &whole) || whole > INT64_MAX ||
	    !scan_fraction(&p, &numerator, &denominator) || *p)
		return complain(c, "expected seconds since 1970");
	return time_total((int64_t)whole, numerator * (SECOND / denominator), out, c);
}

bool value_time(const char *text, bool number_ok, int64_t *out, struct complaint *c)
{
	int year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0;
	uint64_t numerator, denominator;
	const char *p = text;
	bool digits = *p != '\0';

	for (const char *q = p; *q; q++)
		digits &= is_digit(*q) || *q == '.';
	if (*p == '@' || (number_ok && digits))
		return unix_time(p + (*p == '@'), out, c);
	if (!scan_fixed(&p, 4, &year) || *p++ != '-' || !scan_fixed(&p, 2, &month) || *p++ != '-' ||
	    !scan_fixed(&p, 2, &day))
		goto malformed;
	if (*p == '\0') {
		complain(c, "the time of day is missing");
		suggest(c, "write it like 2026-01-01T00:00:00Z");
		return false;
	}
	if ((*p != 'T' && *p != 't' && *p != ' ') || !(p++, scan_fixed(&p, 2, &hour)) ||
	    *p++ != ':' || !scan_fixed(&p, 2, &minute) || *p++ != ':' ||
	    !scan_fixed(&p, 2, &second) || !scan_fraction(&p, &numerator, &denominator))
		goto malformed;
	if (*p == '\0') {
		complain(c, "the time zone is missing");
		suggest(c, "end it with Z or +01:00");
		return false;
	}

	int sign = *p == '-' ? -1 : 1;
	if (*p == 'Z' || *p == 'z')
		p++;
	else if ((*p != '+' && *p != '-') || !(p++, scan_fixed(&p, 2, &zone_hour)) || *p++ != ':' ||
		 !scan_fixed(&p, 2, &zone_minute))
		goto malformed;
	if (*p)
		goto malformed;
	/* Second 60 is a leap second; it is counted as the next second. */
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 60 || zone_hour > 23 || zone_minute > 59)
		return complain(c, "no such date or time");
	return time_total(days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
				  second - sign * (zone_hour * 3600 + zone_minute * 60),
			  numerator * (SECOND / denominator), out, c);
malformed:
	complain(c, "expected a timestamp");
	suggest(c, "write it like 2026-01-01T00:00:00Z or @1767225600");
	return false;
}

/* ---- ports and words ---- */

static bool scan_port(const char **p, uint64_t *out, struct complaint *c)
{
	if (!is_digit(**p))
		return complain(c, "expected a port number");
	if (!scan_digits(p, 10, out) || *out > 65535)
		return complain(c, "a port is at most 65535");
	return true;
}

bool value_ports(const char *text, struct item *out, struct complaint *c)
{
	const char *p = skip_blanks(text);

	out->flags &= ~(uint32_t)(ITEM_ANY | ITEM_UDP);
	if (strncmp(p, "udp://", 6) == 0)
		out->flags |= ITEM_UDP;
	if ((out->flags & ITEM_UDP) || strncmp(p, "tcp://", 6) == 0) {
		p = skip_blanks(p + 6);
	} else if (strstr(p, "://")) {
		complain(c, "unknown scheme, expected tcp:// or udp://");
		suggest(c, "ports of both protocols are two elements");
		return false;
	}
	if (*p == '\0')
		return complain(c, "empty port");
	if (p[0] == '*' && *skip_blanks(p + 1) == '\0') {
		out->flags |= ITEM_ANY;
		out->num = 0;
		out->num2 = 65535;
		return true;
	}
	if (!scan_port(&p, &out->num, c))
		return false;
	out->num2 = out->num;
	p = skip_blanks(p);
	if (*p == '-') {
		p = skip_blanks(p + 1);
		if (!scan_port(&p, &out->num2, c))
			return false;
		if (out->num2 < out->num)
			return complain(c, "the range is reversed");
	}
	if (*skip_blanks(p)) {
		complain(c, "expected a port or a range of ports");
		suggest(c, "write 8080, 9000-9005 or *");
		return false;
	}
	return true;
}

const char *word_at(struct arena *arena, const char *words, uint64_t index)
{
	for (; index; index--)
		words += strcspn(words, "|") + 1;
	return arena_strndup(arena, words, strcspn(words, "|"));
}

static const char *word_name(size_t index, const void *ctx)
{
	return ((const char *const *)ctx)[index];
}

bool value_word(const char *text, const char *words, bool fold, uint64_t *index,
		struct complaint *c)
{
	size_t len = strlen(text);
	const char *names[32];
	size_t count = 0;

	*index = 0;
	for (const char *p = words;; p++, ++*index) {
		size_t n = strcspn(p, "|");

		if (n == len && (fold ? fold_equal(p, text, n) : memcmp(p, text, n) == 0))
			return true;
		p += n;
		if (!*p)
			break;
	}
	while (count < ARRAY_LEN(names) && count <= *index) {
		names[count] = word_at(c->arena, words, count);
		count++;
	}

	auto_str list = {0};
	for (size_t i = 0; i < count; i++) {
		str_add(&list, i == 0 ? "" : i + 1 == count ? " or " : ", ");
		str_add(&list, names[i]);
	}
	const char *near = nearest_name(text, count, word_name, names);
	complain(c, "expected %s", str_text(&list));
	if (near)
		suggest(c, "did you mean \"%s\"?", near);
	return false;
}
