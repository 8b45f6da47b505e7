/*
 * Reading YAML event by event (libyaml's parser, without its document tree). The reader stands on a current event; functions that
 * read a node start at its first event and end at its last.
 */
#ifndef SANDLOCK_POLICY_YAML_EVENTS_H
#define SANDLOCK_POLICY_YAML_EVENTS_H

#include "policy/values.h"

#include <yaml.h>

struct yaml_reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool have_event;
	const struct source *src;
	struct policy *policy;
	struct extends *extends;
	struct error *err;
	struct value_context context;
	struct origin fixed; /* of --set; file NULL: positions in the file */
	unsigned depth, nodes;
	bool broken; /* nothing more can be read */
	bool ok;
};

struct yaml_key {
	const char *text;
	struct origin origin;
	uint32_t width;
};

void yaml_open(struct yaml_reader *l);
/* Was everything in order? */
bool yaml_close(struct yaml_reader *l);
/* Exactly one document, whose root node `read` takes. */
void yaml_document(struct yaml_reader *l, void (*read)(struct yaml_reader *, enum option_id),
		   enum option_id id);

/* Advances; false when the input is broken or a limit is reached, and then nothing more is read. */
bool yaml_next(struct yaml_reader *l);
bool yaml_is(const struct yaml_reader *l, yaml_event_type_t type);
/* A plain null: empty, ~ or null. */
bool yaml_is_null(const struct yaml_reader *l);
/* Refuses anchors, tags and aliases on the current node; reading goes on. */
void yaml_check_node(struct yaml_reader *l);
/* Reads past the current node. */
void yaml_skip(struct yaml_reader *l);
/* The text of the current scalar, valid until yaml_next(); NULL (reported, node skipped) when it is something else. */
const char *yaml_scalar(struct yaml_reader *l, const char *key, const char *expected);
/* Advances to the next value of the mapping the reader is in; false at its end. Keys that are no text are reported and skipped. */
bool yaml_next_key(struct yaml_reader *l, struct yaml_key *key);

struct origin yaml_here(const struct yaml_reader *l);
uint32_t yaml_width(const struct yaml_reader *l);
/* The source line under each diagnostic that was added since there were `from`. */
void yaml_excerpts(struct yaml_reader *l, size_t from, uint32_t width);
void yaml_report(struct yaml_reader *l, struct origin origin, const char *key, uint32_t width,
		 const char *hint, const char *message);
void yaml_report_here(struct yaml_reader *l, const char *key, const char *hint,
		      const char *message);
void yaml_duplicate(struct yaml_reader *l, const char *key, struct yaml_key k, struct origin first);
/* before "quoted" after */
char *yaml_message(struct yaml_reader *l, const char *before, const char *quoted,
		   const char *after);

#endif
