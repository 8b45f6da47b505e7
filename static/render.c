/* A resolved policy as YAML, TOML or JSON. What it writes, the loaders read back to the same policy. */
#include "verbs.h"

#include "base/json.h"
#include "policy/endpoint.h"

#include <string.h>
#include <strings.h>

/* Rows that a file can hold, in the order of the help's sections; "" (the top of a file) comes first. */
static bool in_section(enum option_id id, const char *section)
{
	const char *name = option_text(options[id].section);

	return name && strcmp(name, section) == 0 && option_text(options[id].key);
}

static bool section_used(const struct policy *policy, const char *section)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (in_section(id, section) && policy_is_set(policy, id))
			return true;
	}
	return false;
}

/* An element as the text that files hold. *key is for maps: the part before the first '=', else "". */
static const char *element(const struct item *item, enum option_id id, const char **key,
			   struct arena *arena)
{
	auto_str text = {0};

	*key = "";
	if (options[id].kind == KIND_BOOL)
		return item->num ? "true" : "false";
	item_render(item, id, &text);
	char *copy = arena_strdup(arena, str_text(&text));
	if (!(options[id].flags & OPTION_MAP))
		return copy;
	char *equals = strchr(copy, '=');
	*key = copy;
	if (!equals)
		return NULL;
	*equals = 0;
	return equals + 1;
}

static bool is_number(enum option_id id)
{
	return options[id].kind == KIND_UINT;
}

/* Variables are expanded in these, so a dollar sign is written twice. */
static bool is_expanded(enum option_id id)
{
	enum option_kind kind = options[id].kind;

	return kind == KIND_PATH || kind == KIND_MOUNT || kind == KIND_TMPFS;
}

/* ---- quoting ---- */

static bool plain_in_yaml(const char *text)
{
	static const char words[][6] = {"null", "true", "false", "yes", "no", "on", "off"};
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789/._@%+=-:";
	size_t len = strlen(text);

	if (!len || strspn(text, safe) != len || strchr("-@%=:.", text[0]) || text[len - 1] == ':')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	return true;
}

/* Double quotes mean the same in YAML, TOML and JSON for what is written here. */
static void add_quoted(struct str *out, const char *text, bool dollars)
{
	str_add_char(out, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			str_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			str_printf(out, "\\u%04x", c);
		else
			str_add_char(out, *text);
		if (c == '$' && dollars)
			str_add_char(out, '$');
	}
	str_add_char(out, '"');
}

static void add_yaml(struct str *out, enum option_id id, const char *text)
{
	bool quoted = !plain_in_yaml(text);

	/* Other readers would take 3.10 for a number. */
	if (options[id].kind == KIND_STRING || options[id].kind == KIND_ENV)
		quoted |= strspn(text, "0123456789.") == strlen(text);
	if (quoted && options[id].kind != KIND_BOOL)
		add_quoted(out, text, is_expanded(id));
	else
		str_add(out, text);
}

static void add_origin(struct str *out, bool origins, struct origin origin, struct error *err)
{
	if (origins && origin.file)
		str_printf(out, "  # %s", error_place(err, origin));
	str_add_char(out, '\n');
}

/* Files are text: a name in another encoding cannot be written into one. */
static bool is_text(const struct item *item, enum option_id id, const char *text, struct error *err)
{
	if (item->flags & ITEM_PASS) {
		error_add(err, item->origin, option_name(&err->arena, id, false),
			  "%s without a value is possible on the command line only",
			  error_quote(err, item->text));
		error_hint(err, "program.env_pass hands on variables of the caller");
		return false;
	}
	if (!text || utf8_valid(text, strlen(text)))
		return true;
	return error_add(err, item->origin, option_name(&err->arena, id, false),
			 "%s is not UTF-8, and a file cannot hold it", error_quote(err, text));
}

/* ---- YAML ---- */

static bool yaml_option(const struct policy *policy, enum option_id id, const char *indent,
			bool origins, struct str *out, struct error *err)
{
	const struct option *o = &options[id];
	const struct value *v = policy_value(policy, id);
	bool map = (o->flags & OPTION_MAP) != 0;
	bool list = (o->flags & OPTION_LIST) != 0;
	bool ok = true;

	str_printf(out, "%s%s:", indent, option_text(o->key));
	if (!v->count) {
		str_add(out, map ? " {}\n" : list ? " []\n" : " null\n");
		return true;
	}
	if (map || list)
		str_add_char(out, '\n');
	for (size_t i = 0; i < v->count; i++) {
		const char *key;
		const char *text = element(&v->items[i], id, &key, policy->arena);

		ok &= is_text(&v->items[i], id, text, err);
		if (map) {
			str_printf(out, "%s  ", indent);
			add_yaml(out, id, key);
			str_add_char(out, ':');
		} else if (list) {
			str_printf(out, "%s  -", indent);
		}
		if (text) {
			str_add_char(out, ' ');
			add_yaml(out, id, text);
		}
		add_origin(out, origins, v->items[i].origin, err);
	}
	return ok;
}

bool render_yaml(const struct policy *policy, bool origins, struct str *out, struct error *err)
{
	bool ok = true;

	str_add(out, "version: 1\n");
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (in_section(id, "") && policy_is_set(policy, id))
			ok &= yaml_option(policy, id, "", origins, out, err);
	}
	for (size_t s = 0; s < help_section_count; s++) {
		const char *section = help_sections[s].name;

		if (!section[0] || !section_used(policy, section))
			continue;
		str_printf(out, "\n%s:\n", section);
		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			if (in_section(id, section) && policy_is_set(policy, id))
				ok &= yaml_option(policy, id, "  ", origins, out, err);
		}
	}
	return ok;
}

/* ---- TOML ---- */

/* Network rules and ports that are newer than the format: groups, wildcard names, port ranges, other schemes, UDP binds. */
static bool is_new_rule(const struct item *item, enum option_id id, struct arena *arena)
{
	enum option_kind kind = options[id].kind;
	struct complaint unheard = {.arena = arena};
	struct endpoint_rule rule;
	const char *text = item->text ? item->text : "";
	const char *scheme = strstr(text, "://"), *colon = strrchr(text, ':');

	if (kind == KIND_PORTS)
		return scheme != NULL;
	if (kind != KIND_ENDPOINT ||
	    !endpoint_parse(text, id == OPT_net_deny, arena, &rule, &unheard))
		return false;
	return rule.target == TARGET_GROUP || rule.target == TARGET_SUFFIX ||
	       (scheme && strcspn(text, "+v") < (size_t)(scheme - text)) ||
	       (rule.port_count && colon && strchr(colon, '-'));
}

static bool toml_holds(const struct policy *policy, enum option_id id, struct error *err)
{
	const struct value *v = policy_value(policy, id);
	bool ok = true;

	for (size_t i = 0; i < v->count; i++) {
		const struct item *item = &v->items[i];
		const char *name = option_name(&err->arena, id, false);

		if (!(options[id].flags & OPTION_TOML)) {
			if (item_is_neutral(id, item))
				continue;
			return error_add(err, item->origin, name, "TOML profiles have no such key");
		} else if ((item->flags & (ITEM_OPTIONAL | ITEM_NOEXEC | ITEM_PASS)) ||
			   is_new_rule(item, id, policy->arena)) {
			ok = error_add(err, item->origin, name,
				       "%s: TOML profiles cannot express this form",
				       error_quote(err, item->text));
		} else if (is_expanded(id) && item->text && strstr(item->text, "${")) {
			ok = error_add(err, item->origin, name,
				       "%s: TOML profiles would expand the variable",
				       error_quote(err, item->text));
		}
	}
	return ok;
}

static void add_toml(struct str *out, enum option_id id, const char *text)
{
	if (is_number(id) || options[id].kind == KIND_BOOL)
		str_add(out, text);
	else
		add_quoted(out, text, false);
}

static bool toml_option(const struct policy *policy, enum option_id id, bool origins,
			struct str *out, struct error *err)
{
	const struct value *v = policy_value(policy, id);
	bool list = (options[id].flags & OPTION_LIST) != 0;
	bool ok = true;

	str_printf(out, "%s = %s", option_text(options[id].key), list ? "[\n" : "");
	for (size_t i = 0; i < v->count; i++) {
		const char *key;
		const char *text = element(&v->items[i], id, &key, policy->arena);

		ok &= is_text(&v->items[i], id, text, err);
		if (list)
			str_add(out, "  ");
		add_toml(out, id, text ? text : "");
		if (list)
			str_add_char(out, ',');
		add_origin(out, origins, v->items[i].origin, err);
	}
	if (list)
		str_add(out, "]\n");
	return ok;
}

static void toml_table(const struct policy *policy, enum option_id id, bool origins,
		       struct str *out, struct error *err)
{
	const struct value *v = policy_value(policy, id);

	str_printf(out, "\n[%s.%s]\n", option_text(options[id].section),
		   option_text(options[id].key));
	for (size_t i = 0; i < v->count; i++) {
		const char *key;
		const char *text = element(&v->items[i], id, &key, policy->arena);

		add_quoted(out, key, false);
		str_add(out, " = ");
		add_quoted(out, text ? text : "", false);
		add_origin(out, origins, v->items[i].origin, err);
	}
}

bool render_toml(const struct policy *policy, bool origins, struct str *out, struct error *err)
{
	bool ok = true;
	const char *description = policy_text(policy, OPT_description, NULL);

	if (description) {
		str_add(out, "# ");
		str_add_escaped(out, description);
		str_add_char(out, '\n');
	}
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (option_text(options[id].section) && policy_is_set(policy, id) &&
		    id != OPT_description)
			ok &= toml_holds(policy, id, err);
	}
	for (size_t s = 0; ok && s < help_section_count; s++) {
		const char *section = help_sections[s].name;
		bool titled = false;

		/* Tables after plain keys: a table's header ends the section. */
		for (int maps = 0; section[0] && maps < 2; maps++) {
			for (enum option_id id = 0; id < OPT_COUNT; id++) {
				bool map = (options[id].flags & OPTION_MAP) != 0;

				if (!in_section(id, section) || !policy_is_set(policy, id) ||
				    !(options[id].flags & OPTION_TOML) || map != (maps == 1))
					continue;
				if (!titled && !map)
					str_printf(out, "\n[%s]\n", section);
				titled |= !map;
				if (map)
					toml_table(policy, id, origins, out, err);
				else
					ok &= toml_option(policy, id, origins, out, err);
			}
		}
	}
	return ok;
}

/* ---- JSON ---- */

/* One port is a number; ranges, "*" and "udp://53" are text. */
static bool is_decimal(const char *text)
{
	return text && text[strspn(text, "0123456789")] == '\0';
}

static void json_element(const struct policy *policy, enum option_id id, const struct item *item,
			 const char *name, bool origins, struct json *j, struct error *err)
{
	const char *key;
	const char *text = element(item, id, &key, policy->arena);

	if (key[0])
		name = key;
	if (origins) {
		json_object(j, name);
		name = "value";
	}
	if (options[id].kind == KIND_BOOL)
		json_bool(j, name, item->num != 0);
	else if (is_number(id) || (options[id].kind == KIND_PORTS && is_decimal(text)))
		json_u64(j, name, item->num);
	else if (text)
		json_string(j, name, text);
	else
		json_null(j, name);
	if (origins) {
		json_string(j, "origin", error_place(err, item->origin));
		json_end_object(j);
	}
}

static void json_option(const struct policy *policy, enum option_id id, bool origins,
			struct json *j, struct error *err)
{
	const struct option *o = &options[id];
	const struct value *v = policy_value(policy, id);
	bool map = (o->flags & OPTION_MAP) != 0;
	bool list = (o->flags & OPTION_LIST) != 0;

	if (map)
		json_object(j, option_text(o->key));
	else if (list)
		json_array(j, option_text(o->key));
	else if (!v->count)
		json_null(j, option_text(o->key));
	for (size_t i = 0; i < v->count; i++)
		json_element(policy, id, &v->items[i], list ? NULL : option_text(o->key), origins,
			     j, err);
	if (map)
		json_end_object(j);
	else if (list)
		json_end_array(j);
}

void render_json(const struct policy *policy, bool origins, struct json *j, struct error *err)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (in_section(id, "") && policy_is_set(policy, id))
			json_option(policy, id, origins, j, err);
	}
	for (size_t s = 0; s < help_section_count; s++) {
		const char *section = help_sections[s].name;

		if (!section[0] || !section_used(policy, section))
			continue;
		json_object(j, section);
		for (enum option_id id = 0; id < OPT_COUNT; id++) {
			if (in_section(id, section) && policy_is_set(policy, id))
				json_option(policy, id, origins, j, err);
		}
		json_end_object(j);
	}
}
