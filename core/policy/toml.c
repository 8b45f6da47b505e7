/*
 * The reference's profiles: eight sections, exactly its keys and types, onto the same rows as every other policy. What a key
 * means is in options.def; here is only which TOML type it takes. Must never accept a key that it does not understand.
 */
#include "policy/toml_parse.h"
#include "policy/values.h"

#include <string.h>

struct load {
	const struct source *src;
	struct policy *policy;
	struct error *err;
	struct value_context context;
	bool chroot; /* the file sets filesystem.chroot */
	bool ok;
};

/* Reference widths of integers; the others are u32. */
static const struct {
	enum option_id id;
	int64_t max;
	const char *name;
} widths[] = {
	{OPT_cpu, UINT8_MAX, "u8"},
	{OPT_http_ports, UINT16_MAX, "u16"},
	{OPT_net_allow_bind, UINT16_MAX, "u16"},
	{OPT_net_deny_bind, UINT16_MAX, "u16"},
	{OPT_random_seed, INT64_MAX, "u64"},
};

/* ---- messages ---- */

static void located(struct load *l, uint32_t line)
{
	toml_excerpt(l->src, line, l->err);
	l->ok = false;
}

static struct origin place(const struct load *l, const struct toml_node *node)
{
	return (struct origin){l->src->path, node->line, node->col};
}

static struct origin key_place(const struct load *l, const struct toml_node *node)
{
	return (struct origin){l->src->path, node->key_line, node->key_col};
}

/* "limits.memory" */
static const char *key_name(struct load *l, enum option_id id)
{
	return option_name(&l->err->arena, id, false);
}

/* "[limits].memory", the reference's way to name a field in a message about its value. */
static const char *field_name(struct load *l, enum option_id id)
{
	return arena_printf(&l->err->arena, "[%s].%s", option_text(options[id].section),
			    option_text(options[id].key));
}

static const char *escaped(struct load *l, const char *text)
{
	auto_str s = {0};

	str_add_escaped(&s, text);
	return arena_strdup(&l->err->arena, str_text(&s));
}

static const char *found(struct load *l, const struct toml_node *node)
{
	switch (node->kind) {
	case TOML_STRING:
		return arena_printf(&l->err->arena, "string %s", error_quote(l->err, node->text));
	case TOML_INTEGER:
		return arena_printf(&l->err->arena, "integer `%lld`", (long long)node->number);
	case TOML_FLOAT:
		return arena_printf(&l->err->arena, "floating point `%s`", escaped(l, node->text));
	case TOML_BOOLEAN:
		return arena_printf(&l->err->arena, "boolean `%s`",
				    node->number ? "true" : "false");
	case TOML_DATETIME:
		return arena_printf(&l->err->arena, "datetime `%s`", escaped(l, node->text));
	case TOML_ARRAY:
		return "sequence";
	case TOML_TABLE:
		return "map";
	}
	return "";
}

static void wrong_type(struct load *l, const char *key, const struct toml_node *node,
		       const char *expected)
{
	error_add(l->err, place(l, node), key, "TOML parse error: invalid type: %s, expected %s",
		  found(l, node), expected);
	if (node->kind == TOML_INTEGER && strcmp(expected, "a string") == 0)
		error_hint(l->err, "write it in quotes");
	located(l, node->line);
}

/* ---- sections and keys ---- */

static bool in_schema(enum option_id id, const char *section)
{
	return (options[id].flags & OPTION_TOML) && option_text(options[id].section) &&
	       (!section || strcmp(option_text(options[id].section), section) == 0);
}

static bool is_first_of_section(enum option_id id)
{
	for (enum option_id other = 0; other < id; other++) {
		if (in_schema(other, option_text(options[id].section)))
			return false;
	}
	return in_schema(id, NULL);
}

/* The names that are valid at the top (section NULL) or in a section. */
static size_t valid_names(const char *section, const char *out[OPT_COUNT])
{
	size_t count = 0;

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (section ? in_schema(id, section) : is_first_of_section(id))
			out[count++] = section ? option_text(options[id].key)
					       : option_text(options[id].section);
	}
	return count;
}

static const char *name_at(size_t i, const void *ctx)
{
	return ((const char *const *)ctx)[i];
}

static void unknown_field(struct load *l, const struct toml_node *node, const char *section)
{
	const char *names[OPT_COUNT];
	size_t count = valid_names(section, names);
	const char *near = nearest_name(node->key, count, name_at, names);
	auto_str list = {0};

	for (size_t i = 0; i < count; i++)
		str_printf(&list, "%s`%s`", i ? ", " : "", names[i]);
	error_add(l->err, key_place(l, node), section,
		  "TOML parse error: unknown field `%s`, expected one of %s", escaped(l, node->key),
		  str_text(&list));
	if (near)
		error_hint(l->err, "did you mean `%s`?", near);
	located(l, node->key_line);
}

/* ---- values ---- */

static bool is_path_kind(enum option_id id)
{
	return options[id].kind == KIND_PATH || options[id].kind == KIND_MOUNT;
}

/* Relative paths mean the current directory here, so the result depends on it. */
static void depend_on_cwd(struct load *l)
{
	struct policy *p = l->policy;
	const char *path = arena_printf(p->arena, "${CWD}=%s", l->context.s->cwd);

	for (size_t i = 0; i < p->dependency_count; i++) {
		if (strcmp(p->dependencies[i].path, path) == 0)
			return;
	}
	p->dependencies = arena_grow(p->arena, p->dependencies, p->dependency_count,
				     &p->dependency_cap, sizeof *p->dependencies);
	p->dependencies[p->dependency_count++] = (struct dependency){.path = path};
}

static void check_path(struct load *l, enum option_id id, const char *text)
{
	const char *colon = strchr(text, ':');
	const char *host = options[id].kind == KIND_MOUNT && colon ? colon + 1 : text;

	if (*host != '/' && *host != '$' && (id != OPT_exec || strchr(host, '/')))
		depend_on_cwd(l);
}

static void add_text(struct load *l, enum option_id id, const char *text,
		     const struct toml_node *node)
{
	size_t before = l->err->count;

	/* Inside another root the caller's home is the wrong name space. */
	if (is_path_kind(id) && l->chroot && id != OPT_chroot &&
	    (strchr(text, '$') || *text == '~')) {
		error_add(l->err, place(l, node), field_name(l, id),
			  "%s: variables are not available together with [filesystem].chroot",
			  error_quote(l->err, text));
		located(l, node->line);
		return;
	}
	if (is_path_kind(id))
		check_path(l, id, text);
	if (policy_add_in(l->policy, id, text, &l->context, place(l, node), l->err))
		return;
	for (size_t i = before; i < l->err->count; i++)
		l->err->list[i].key = field_name(l, id);
	located(l, node->line);
}

static void add_integer(struct load *l, enum option_id id, const struct toml_node *node)
{
	int64_t max = UINT32_MAX;
	const char *name = "u32";

	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		if (widths[i].id == id) {
			max = widths[i].max;
			name = widths[i].name;
		}
	}
	if (node->kind != TOML_INTEGER) {
		wrong_type(l, key_name(l, id), node, name);
	} else if (node->number < 0 || node->number > max) {
		error_add(l->err, place(l, node), key_name(l, id),
			  "TOML parse error: invalid value: integer `%lld`, expected %s",
			  (long long)node->number, name);
		located(l, node->line);
	} else {
		add_text(l, id, arena_printf(l->policy->arena, "%lld", (long long)node->number),
			 node);
	}
}

/* Digits and at most one of K, M and G: the superset of YAML and flags is not part of this format. */
static bool is_reference_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	return digits && (!*unit || (strchr("kKmMgG", *unit) && !unit[1]));
}

static bool is_branch_action(enum option_id id)
{
	return id == OPT_on_exit || id == OPT_on_error;
}

static void add_string(struct load *l, enum option_id id, const struct toml_node *node)
{
	uint64_t index;
	struct complaint c = {.arena = &l->err->arena};

	if (node->kind != TOML_STRING) {
		wrong_type(l, key_name(l, id), node, "a string");
		return;
	}
	if (is_branch_action(id) &&
	    !value_word(node->text, option_text(options[id].words), false, &index, &c)) {
		error_add(
			l->err, place(l, node), field_name(l, id),
			"invalid branch action %s; expected \"commit\" | \"abort\" | \"keep\" | \"defer\"",
			error_quote(l->err, node->text));
		located(l, node->line);
		return;
	}
	if (options[id].kind == KIND_SIZE && !is_reference_size(node->text)) {
		error_add(
			l->err, place(l, node), field_name(l, id),
			"invalid size %s; expected a whole number with an optional suffix K, M or G",
			error_quote(l->err, node->text));
		located(l, node->line);
		return;
	}
	if (options[id].kind == KIND_TIME && node->text[0] == '@') {
		error_add(l->err, place(l, node), field_name(l, id),
			  "invalid timestamp %s; expected RFC 3339",
			  error_quote(l->err, node->text));
		located(l, node->line);
		return;
	}
	add_text(l, id, node->text, node);
}

static void add_boolean(struct load *l, enum option_id id, const struct toml_node *node)
{
	if (node->kind != TOML_BOOLEAN)
		wrong_type(l, key_name(l, id), node, "a boolean");
	else
		add_text(l, id, node->number ? "true" : "false", node);
}

static void add_port(struct load *l, enum option_id id, const struct toml_node *node)
{
	if (node->kind == TOML_STRING)
		add_text(l, id, node->text, node);
	else
		add_integer(l, id, node);
}

static void add_scalar(struct load *l, enum option_id id, const struct toml_node *node)
{
	switch (options[id].kind) {
	case KIND_BOOL:
		add_boolean(l, id, node);
		return;
	case KIND_UINT:
		add_integer(l, id, node);
		return;
	case KIND_PORTS:
		add_port(l, id, node);
		return;
	case KIND_SIZE:
	case KIND_DURATION:
	case KIND_TIME:
	case KIND_STRING:
	case KIND_ENUM:
	case KIND_PATH:
	case KIND_ENV:
	case KIND_NAMES:
	case KIND_MOUNT:
	case KIND_TMPFS:
	case KIND_RLIMIT:
	case KIND_USER:
	case KIND_ENDPOINT:
	case KIND_NET_RULES:
	case KIND_PUBLISH:
		add_string(l, id, node);
		return;
	}
}

static void add_list(struct load *l, enum option_id id, const struct toml_node *node)
{
	if (node->kind != TOML_ARRAY) {
		wrong_type(l, key_name(l, id), node, "a sequence");
		return;
	}
	l->policy->values[id].set = true;
	for (const struct toml_node *n = node->first; n; n = n->next)
		add_scalar(l, id, n);
}

static void add_map(struct load *l, enum option_id id, const struct toml_node *node)
{
	if (node->kind != TOML_TABLE) {
		wrong_type(l, key_name(l, id), node, "a map");
		return;
	}
	for (const struct toml_node *n = node->first; n; n = n->next) {
		if (n->kind != TOML_STRING) {
			wrong_type(l,
				   arena_printf(&l->err->arena, "%s.%s", key_name(l, id),
						escaped(l, n->key)),
				   n, "a string");
		} else if (!*n->key || strchr(n->key, '=')) {
			error_add(l->err, key_place(l, n), field_name(l, id),
				  "invalid variable name %s", error_quote(l->err, n->key));
			located(l, n->key_line);
		} else {
			add_text(l, id, arena_printf(l->policy->arena, "%s=%s", n->key, n->text),
				 n);
		}
	}
}

static const struct toml_node *child(const struct toml_node *table, const char *key)
{
	for (const struct toml_node *n = table ? table->first : NULL; n; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

/* Keys of [network] in earlier releases. Beside today's spelling they are unknown fields, as they are to the reference. */
static enum option_id find_key(struct load *l, const struct toml_node *section,
			       const struct toml_node *node)
{
	static const struct {
		char old[10], now[11];
	} renamed[] = {{"net_bind", "allow_bind"}, {"net_allow", "allow"}, {"net_deny", "deny"}};

	for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
		if (strcmp(section->key, "network") != 0 ||
		    strcmp(node->key, renamed[i].old) != 0 || child(section, renamed[i].now))
			continue;
		error_warn(l->err, key_place(l, node), section->key, "W001",
			   "an older spelling; write %s", renamed[i].now);
		return option_by_key("network", renamed[i].now);
	}
	return option_by_key(section->key, node->key);
}

static void add_section(struct load *l, const struct toml_node *section)
{
	for (const struct toml_node *n = section->first; n; n = n->next) {
		enum option_id id = find_key(l, section, n);

		if (id == OPT_COUNT || !in_schema(id, section->key))
			unknown_field(l, n, section->key);
		else if (options[id].flags & OPTION_MAP)
			add_map(l, id, n);
		else if (options[id].flags & OPTION_LIST)
			add_list(l, id, n);
		else
			add_scalar(l, id, n);
	}
}

/* ---- the whole file ---- */

static bool is_section(const char *name)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (in_schema(id, name))
			return true;
	}
	return false;
}

static bool sets_chroot(const struct toml_node *root)
{
	const struct toml_node *filesystem = child(root, "filesystem");

	return filesystem && filesystem->kind == TOML_TABLE && child(filesystem, "chroot");
}

static void check_ids(struct load *l)
{
	bool uid = policy_is_set(l->policy, OPT_uid), gid = policy_is_set(l->policy, OPT_gid);

	if (uid == gid)
		return;

	struct origin origin = policy_origin(l->policy, uid ? OPT_uid : OPT_gid);
	error_add(l->err, origin, NULL, "program.uid and program.gid must both be set");
	located(l, origin.line);
}

bool toml_load(const struct source *src, const struct surroundings *s, struct policy *policy,
	       struct error *err)
{
	struct load l = {
		.src = src,
		.policy = policy,
		.err = err,
		.context = {.s = s, .dir = s->cwd, .syntax = SYNTAX_TOML, .policy = policy},
		.ok = true,
	};
	CLEANUP(arena_free) struct arena arena = {0};
	const struct toml_node *root = toml_parse(src, &arena, err);

	if (!root)
		return false;
	l.chroot = sets_chroot(root);
	for (const struct toml_node *n = root->first; n; n = n->next) {
		if (!is_section(n->key))
			unknown_field(&l, n, NULL);
		else if (n->kind != TOML_TABLE)
			wrong_type(&l, escaped(&l, n->key), n, "a map");
		else
			add_section(&l, n);
	}
	if (l.ok)
		check_ids(&l);
	return l.ok;
}
