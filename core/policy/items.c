/* One element of an option: from text by the option's kind, and back to text. */
#include "policy/endpoint.h"

#include <string.h>

struct parse {
	enum option_id id;
	const struct option *option;
	const struct value_context *context;
	struct complaint c;
};

typedef bool parse_function(struct parse *p, const char *text, struct item *item);

static bool is_yaml(const struct parse *p)
{
	return p->context && p->context->syntax == SYNTAX_YAML;
}

static bool parse_bool(struct parse *p, const char *text, struct item *item)
{
	bool value;

	if (!value_bool(text, &value, &p->c))
		return false;
	item->num = value;
	item->text = value ? "true" : "false";
	return true;
}

static bool parse_uint(struct parse *p, const char *text, struct item *item)
{
	if (!value_uint(text, p->option->min, p->option->max, &item->num, &p->c))
		return false;
	item->text = arena_printf(p->c.arena, "%llu", (unsigned long long)item->num);
	return true;
}

static bool parse_size(struct parse *p, const char *text, struct item *item)
{
	bool bare;

	if (!value_size(text, &item->num, &bare, &p->c))
		return false;
	if (item->num < p->option->min) {
		complain(&p->c, "smaller than %s", size_render(p->c.arena, p->option->min));
		if (bare)
			suggest(&p->c, "forgot a suffix? a number alone is bytes; %sM is megabytes",
				text);
		return false;
	}
	item->text = size_render(p->c.arena, item->num);
	return true;
}

static bool parse_duration(struct parse *p, const char *text, struct item *item)
{
	if (!value_duration(text, &item->num, &p->c))
		return false;
	if (item->num < p->option->min)
		return complain(&p->c, "must be longer than 0");
	if (item->num >= p->option->max)
		return complain(&p->c, "must be shorter than 10 years");
	item->text = text;
	return true;
}

static bool parse_time(struct parse *p, const char *text, struct item *item)
{
	int64_t nanoseconds;

	if (!value_time(text, is_yaml(p), &nanoseconds, &p->c))
		return false;
	item->num = (uint64_t)nanoseconds;
	/* A bare number is a time in YAML only; @ means the same everywhere. */
	item->text =
		*text == '@' || strchr(text, ':') ? text : arena_printf(p->c.arena, "@%s", text);
	return true;
}

static bool parse_string(struct parse *p, const char *text, struct item *item)
{
	item->text = text;
	/* What stands in messages and files is text; names of files may be any bytes. */
	if (option_text(p->option->section) && !utf8_valid(text, strlen(text)))
		return complain(&p->c, "not valid UTF-8");
	switch ((int)p->id) {
	case OPT_name:
		return value_name(text, &p->c);
	case OPT_hostname:
		return value_hostname(text, &p->c);
	default:
		return true;
	}
}

static bool parse_enum(struct parse *p, const char *text, struct item *item)
{
	item->text = text;
	return value_word(text, option_text(p->option->words), false, &item->num, &p->c);
}

static bool parse_path(struct parse *p, const char *text, struct item *item)
{
	size_t len = strlen(text);

	if (p->id == OPT_exec && *text && !strchr(text, '/') && *text != '~' && *text != '$') {
		item->text = text; /* a name, looked up on PATH */
		return true;
	}
	if (is_yaml(p) && (p->option->flags & OPTION_LIST) && len > 1 && text[len - 1] == '?') {
		text = arena_strndup(p->c.arena, text, len - 1);
		item->flags |= ITEM_OPTIONAL;
	}
	if (p->id == OPT_fs_read_if_exists || p->id == OPT_fs_write_if_exists)
		item->flags |= ITEM_OPTIONAL;
	if (p->id == OPT_fs_read_noexec)
		item->flags |= ITEM_NOEXEC;
	return value_path(text, p->context, &item->text, &p->c);
}

static bool parse_env(struct parse *p, const char *text, struct item *item)
{
	return value_env(text, item, &p->c);
}

static bool parse_names(struct parse *p, const char *text, struct item *item)
{
	if (!option_text(p->option->words)) {
		item->text = text;
		return value_identifier(text, p->id == OPT_env_pass, &p->c);
	}
	if (!value_word(text, option_text(p->option->words), true, &item->num, &p->c))
		return false;
	item->text = word_at(p->c.arena, option_text(p->option->words), item->num);
	return true;
}

static bool parse_mount(struct parse *p, const char *text, struct item *item)
{
	return p->id == OPT_volume ? value_volume(text, p->context, item, &p->c)
				   : value_mount(text, p->context, item, &p->c);
}

static bool parse_tmpfs(struct parse *p, const char *text, struct item *item)
{
	return value_tmpfs(text, p->context, item, &p->c);
}

static bool parse_rlimit(struct parse *p, const char *text, struct item *item)
{
	return value_rlimit(text, item, &p->c);
}

static bool parse_ports(struct parse *p, const char *text, struct item *item)
{
	if (!value_ports(text, item, &p->c))
		return false;
	if ((item->flags & ITEM_ANY) && p->id == OPT_net_deny_bind) {
		complain(&p->c, "the wildcard is not accepted here");
		suggest(&p->c, "without allow_bind nothing can be bound anyway");
		return false;
	}
	item->text = text;
	return true;
}

static bool parse_endpoint(struct parse *p, const char *text, struct item *item)
{
	struct endpoint_rule rule;

	item->text = text;
	return endpoint_parse(text, p->id == OPT_net_deny, p->c.arena, &rule, &p->c);
}

static bool parse_net_rules(struct parse *p, const char *text, struct item *item)
{
	struct endpoint_rule *rules;
	size_t count;

	item->text = text;
	return endpoint_parse_tokens(text, p->c.arena, &rules, &count, &p->c);
}

static bool parse_publish(struct parse *p, const char *text, struct item *item)
{
	struct endpoint_publish publish;

	item->text = text;
	return endpoint_parse_publish(text, &publish, &p->c);
}

static bool parse_user(struct parse *p, const char *text, struct item *item)
{
	return value_user(text, item, &p->c);
}

static const struct {
	parse_function *parse;
	const char *noun;
} kinds[] = {
	[KIND_BOOL] = {parse_bool, "value"},
	[KIND_UINT] = {parse_uint, "number"},
	[KIND_SIZE] = {parse_size, "size"},
	[KIND_DURATION] = {parse_duration, "duration"},
	[KIND_TIME] = {parse_time, "timestamp"},
	[KIND_STRING] = {parse_string, "value"},
	[KIND_ENUM] = {parse_enum, "word"},
	[KIND_PATH] = {parse_path, "path"},
	[KIND_ENV] = {parse_env, "environment entry"},
	[KIND_NAMES] = {parse_names, "name"},
	[KIND_MOUNT] = {parse_mount, "mount"},
	[KIND_TMPFS] = {parse_tmpfs, "tmpfs"},
	[KIND_RLIMIT] = {parse_rlimit, "limit"},
	[KIND_PORTS] = {parse_ports, "ports"},
	[KIND_USER] = {parse_user, "user"},
	[KIND_ENDPOINT] = {parse_endpoint, "rule"},
	[KIND_NET_RULES] = {parse_net_rules, "rule"},
	[KIND_PUBLISH] = {parse_publish, "port mapping"},
};

const char *message_key(enum option_id id, struct origin origin, struct error *err)
{
	if (origin.file && origin.line == 0 && strcmp(origin.file, "--set") != 0)
		return NULL;
	return option_name(&err->arena, id, !origin.file);
}

/* Accepted, but perhaps not what was meant. */
static void warn_about(enum option_id id, const struct item *item, struct error *err)
{
	const char *key = message_key(id, item->origin, err);

	if (id == OPT_name && !name_is_plain(item->text))
		error_warn(
			err, item->origin, key, "W002",
			"%s is awkward to type; letters, digits, \".\", \"_\" and \"-\" are better",
			error_quote(err, item->text));
	if (options[id].kind == KIND_ENDPOINT && endpoint_is_ambiguous(item->text)) {
		error_warn(err, item->origin, key, "W004",
			   "%s is an IPv6 address with every port, not an address and a port",
			   error_quote(err, item->text));
		error_hint(err, "a port is written behind brackets: [ADDRESS]:PORT");
	}
}

static bool parse_one(struct parse *p, const char *text, struct origin origin, struct value *into,
		      struct error *err)
{
	struct item item = {.origin = origin};

	if (!kinds[p->option->kind].parse(p, text, &item)) {
		error_add(err, origin, message_key(p->id, origin, err), "invalid %s %s: %s",
			  kinds[p->option->kind].noun, error_quote(err, text), p->c.reason);
		if (p->c.hint)
			error_hint(err, "%s", p->c.hint);
		return false;
	}
	warn_about(p->id, &item, err);
	into->items = arena_grow(p->c.arena, into->items, into->count, &into->cap, sizeof item);
	into->items[into->count++] = item;
	into->set = true;
	return true;
}

static bool parse_parts(struct parse *p, const char *text, struct origin origin, struct value *into,
			struct error *err)
{
	const char *scheme = "";
	bool ok = true;

	for (;; text++) {
		size_t n = strcspn(text, ","), start = 0, end = n;

		while (start < end && text[start] == ' ')
			start++;
		while (end > start && text[end - 1] == ' ')
			end--;
		const char *part = arena_strndup(p->c.arena, text + start, end - start);
		/* udp://53,54: the scheme is that of the whole list. */
		if (p->option->kind == KIND_PORTS) {
			const char *colon = strstr(part, "://");

			if (colon)
				scheme =
					arena_strndup(p->c.arena, part, (size_t)(colon - part) + 3);
			else
				part = arena_printf(p->c.arena, "%s%s", scheme, part);
		}
		ok &= parse_one(p, part, origin, into, err);
		text += n;
		if (!*text)
			return ok;
	}
}

bool value_parse(struct arena *arena, enum option_id id, const char *text,
		 const struct value_context *context, struct origin origin, struct value *into,
		 struct error *err)
{
	struct parse p = {
		.id = id,
		.option = &options[id],
		.context = context,
		.c = {.arena = arena},
	};

	into->set = true;
	if ((p.option->flags & OPTION_EMPTY_ALL) &&
	    (strcmp(text, "all") == 0 || strcmp(text, "ALL") == 0))
		return true;
	text = arena_strdup(arena, text);
	if ((p.option->flags & OPTION_COMMA) && strchr(text, ','))
		return parse_parts(&p, text, origin, into, err);
	return parse_one(&p, text, origin, into, err);
}

/* ---- back to text ---- */

static void render_options(const struct item *item, struct str *out, const char *separator)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} words[] = {{ITEM_READ_ONLY, "ro"}, {ITEM_NOEXEC, "noexec"}, {ITEM_OPTIONAL, "or-host"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(item->flags & words[i].flag))
			continue;
		str_printf(out, "%s%s", separator, words[i].word);
		separator = ",";
	}
}

static void render_tmpfs(const struct item *item, struct str *out)
{
	bool words = item->num2 != 01777 ||
		     (item->flags & (ITEM_READ_ONLY | ITEM_NOEXEC | ITEM_OPTIONAL));

	str_add(out, item->text);
	if (item->num || words)
		str_add_char(out, ':');
	if (item->num)
		str_printf(out, "%llu", (unsigned long long)item->num);
	if (!words)
		return;
	if (item->num2 != 01777)
		str_printf(out, ":mode=%o", (unsigned)item->num2);
	render_options(item, out, item->num2 != 01777 ? "," : ":");
}

static void render_limit(uint64_t value, struct str *out)
{
	if (value == UINT64_MAX)
		str_add(out, "unlimited");
	else
		str_printf(out, "%llu", (unsigned long long)value);
}

void item_render(const struct item *item, enum option_id id, struct str *out)
{
	switch ((int)options[id].kind) {
	case KIND_PATH:
		str_add(out, item->text);
		if ((item->flags & ITEM_OPTIONAL) && id != OPT_fs_read_if_exists &&
		    id != OPT_fs_write_if_exists)
			str_add_char(out, '?');
		break;
	case KIND_MOUNT:
		if (id == OPT_volume)
			str_printf(out, "%s:%s", item->text2, item->text);
		else
			str_printf(out, "%s:%s", item->text, item->text2);
		render_options(item, out, ":");
		break;
	case KIND_TMPFS:
		render_tmpfs(item, out);
		break;
	case KIND_RLIMIT:
		str_printf(out, "%s=", item->text);
		render_limit(item->num, out);
		if (item->num2 != item->num) {
			str_add_char(out, ':');
			render_limit(item->num2, out);
		}
		break;
	default:
		str_add(out, item->text ? item->text : "");
		break;
	}
}

/* ---- values that ask for nothing ---- */

bool item_is_neutral(enum option_id id, const struct item *item)
{
	static const struct {
		enum option_id id;
		const char *word;
	} neutral[] = {
		{OPT_view, "none"},
		{OPT_view, "auto"},
		{OPT_backend, "auto"},
		{OPT_descendants, "wait"},
		{OPT_fs_isolation, "none"},
		{OPT_on_exit, "commit"},
		{OPT_on_error, "abort"},
		{OPT_pull, "never"},
		{OPT_memory_action, "enomem"},
		{OPT_default_egress, "deny"},
		{OPT_default_ingress, "allow"},
		{OPT_dns_block_response, "nxdomain"},
		{OPT_log_level, "warn"},
		{OPT_audit_format, "json"},
		{OPT_rename_dirs, "emulate"},
		{OPT_on_secret_violation, "block-and-log"},
		{OPT_deny_errno, "ECONNREFUSED"},
	};
	enum option_kind kind = options[id].kind;

	if (kind == KIND_BOOL)
		return (item->num != 0) == ((options[id].flags & OPTION_NEGATIVE) != 0);
	if (kind == KIND_SIZE)
		return item->num == UINT64_MAX;
	for (size_t i = 0; kind == KIND_ENUM && i < ARRAY_LEN(neutral); i++)
		if (neutral[i].id == id && strcmp(neutral[i].word, item->text) == 0)
			return true;
	return false;
}
