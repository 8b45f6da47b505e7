/*
 * What the user must read: a list of diagnostics, composed where the facts are known. Functions that can fail for such a
 * reason take `struct error *err` last and return false or -1. Nothing below static/ prints one.
 */
#ifndef SANDLOCK_BASE_ERROR_H
#define SANDLOCK_BASE_ERROR_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

/* Where a value came from. A file position (line >= 1; col >= 1 or 0 when unknown), a flag as typed (line 0, file
 * "--fs-read"), or nothing (file NULL). Strings are borrowed and live as long as the policy. */
struct origin {
	const char *file;
	uint32_t line;
	uint32_t col;
};

enum severity {
	SEVERITY_ERROR,
	SEVERITY_WARNING,
	SEVERITY_NOTE,
	SEVERITY_PLAIN /* "sandlock: text" */
};

/* At most this many errors are collected before "too many errors". */
enum { ERROR_LIMIT = 20 };

struct diagnostic {
	enum severity severity;
	struct origin origin;
	const char *id;	     /* "W012" for warnings, else NULL */
	const char *key;     /* "filesystem.read", or NULL */
	const char *message; /* one sentence: what, which value, why */
	const char *hint;    /* what to do, or NULL */
	const char *note;    /* "first defined at ...", or NULL */
	const char *excerpt; /* the source line, or NULL */
	uint32_t width;	     /* columns to underline in the excerpt, from origin.col */
};

struct error {
	struct arena arena; /* owns every string above */
	struct diagnostic *list;
	size_t count;
	size_t cap;
	size_t errors;	/* how many have SEVERITY_ERROR */
	size_t dropped; /* errors past ERROR_LIMIT */
};

#define auto_error CLEANUP(error_free) struct error
#define NO_ORIGIN ((struct origin){0})

/* Each adds one diagnostic; values from outside must go through %s of already escaped text or error_quote(). `key` may be
 * NULL. Always returns false, so that callers can write `return error_add(...)`. */
bool error_add(struct error *err, struct origin origin, const char *key, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* The same with ": strerror(errnum)" appended. errnum is positive. */
bool error_add_errno(struct error *err, struct origin origin, const char *key, int errnum,
		     const char *fmt, ...) PRINTF_LIKE(5, 6);
void error_warn(struct error *err, struct origin origin, const char *key, const char *id,
		const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Something to read that is neither: "sandlock: timeout after 5s". */
void error_say(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* To the newest diagnostic. */
void error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_note(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_excerpt(struct error *err, const char *line, size_t len, uint32_t width);
/* `text` escaped and in double quotes, cut after 256 bytes; owned by `err`. */
const char *error_quote(struct error *err, const char *text);
/* "file:line:col" or "--flag" or ""; error_place() returns it, owned by `err`. */
void origin_words(struct origin origin, struct str *out);
const char *error_place(struct error *err, struct origin origin);
/* The whole list as text for a terminal:
 *   sandlock: error: FILE:LINE:COL: section.key: message
 *       source line
 *           ^~~~
 *   sandlock: hint: ...                                                        */
void error_format(const struct error *err, struct str *out);
/* The errors as JSON objects {"error":{code,message,file,line,col,key,hint}}, one a line. */
void error_format_json(const struct error *err, int code, struct str *out);
void error_free(struct error *err);

#endif
