/* A JSON writer: commas and escaping are its business, nesting is the caller's. Output is one line. */
#ifndef SANDLOCK_BASE_JSON_H
#define SANDLOCK_BASE_JSON_H

#include "base/str.h"

struct json {
	struct str *out;
	bool comma; /* a comma is due before the next element */
};

/* `key` is NULL inside arrays and at the top. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_string(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

#endif
