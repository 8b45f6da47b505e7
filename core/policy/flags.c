/*
 * The command line: every form of a flag, driven by options.def. The command itself stands after "--" only, so that a word of it
 * can never be read as one of ours. Linear in the number of arguments.
 */
#include "policy/values.h"

#include <string.h>

struct parser {
	char **argv;
	size_t next; /* the argument to look at */
	const struct surroundings *s;
	struct command_line *out;
	struct error *err;
	struct value_context context;
	bool ok;
	bool malformed;		      /* by more than values that were read one by one */
	const char *given[OPT_COUNT]; /* the spelling, for "given twice" */
	/* The oldest way to write network rules: hosts and ports apart. */
	struct value hosts, ports;
};

enum alias_kind { ALIAS, OLD, IGNORED, ID, ROOT, HOST, PORT };

static const struct alias {
	const char *flag;
	enum alias_kind kind;
	enum option_id id;
	const char *instead; /* for the warning */
} aliases[] = {
	{"profile", ALIAS, OPT_policy, NULL},
	{"fs-backend", ALIAS, OPT_backend, NULL},
	{"net-bind", OLD, OPT_net_allow_bind, "--net-allow-bind"},
	{"https-ca", OLD, OPT_http_ca, "--http-ca"},
	{"https-key", OLD, OPT_http_key, "--http-key"},
	{"block-syscall", OLD, OPT_extra_deny, "--extra-deny-syscall"},
	{"uid", ID, OPT_user, "--user UID:GID"},
	{"privileged", ROOT, OPT_user, "--user 0:0"},
	{"isolate-ipc", IGNORED, OPT_COUNT, "nothing: it is always on"},
	{"isolate-signals", IGNORED, OPT_COUNT, "nothing: it is always on"},
	{"net-allow-host", HOST, OPT_net_allow, "--net-allow tcp://HOST:PORT"},
	{"net-connect", PORT, OPT_net_allow, "--net-allow tcp://HOST:PORT"},
};

static struct origin typed(const char *flag)
{
	return (struct origin){.file = flag};
}

static void fail(struct parser *p)
{
	p->ok = false;
	p->malformed = true;
}

/* These the reference reads with its arguments; all others it reads later, and ends like with any failure of its own. */
static bool read_early(enum option_kind kind)
{
	return kind == KIND_BOOL || kind == KIND_UINT || kind == KIND_DURATION || kind == KIND_USER;
}

/* ---- unknown flags ---- */

static const char *flag_name(size_t index, const void *ctx UNUSED)
{
	if (index < OPT_COUNT)
		return options[index].flags & OPTION_HIDDEN ? NULL
							    : option_text(options[index].flag);
	return aliases[index - OPT_COUNT].kind == ALIAS ? aliases[index - OPT_COUNT].flag : NULL;
}

static const char *nearest_flag(const char *name)
{
	return nearest_name(name, OPT_COUNT + ARRAY_LEN(aliases), flag_name, NULL);
}

static void unknown_flag(struct parser *p, const char *name)
{
	char *dashed = arena_strdup(&p->err->arena, name);
	const char *near;

	fail(p);
	error_add(p->err, NO_ORIGIN, NULL, "unknown option %s",
		  error_quote(p->err, arena_printf(&p->err->arena, "--%s", name)));
	for (char *c = dashed; *c; c++)
		if (*c == '_')
			*c = '-';
	near = option_by_flag(dashed) != OPT_COUNT ? dashed : nearest_flag(name);
	if (near)
		error_hint(p->err, "did you mean --%s?", near);
	else if (strlen(name) == 1 && option_by_letter(*name) != OPT_COUNT)
		error_hint(p->err, "a single letter takes one dash: -%s", name);
}

/* ---- giving an option a value ---- */

/* A letter that means something else in other tools: NUM:NUM is a port mapping, never a policy. */
static bool looks_like_ports(const char *text)
{
	size_t host = strspn(text, "0123456789");
	size_t guest = host && text[host] == ':' ? strspn(text + host + 1, "0123456789") : 0;

	return guest && text[host + 1 + guest] == '\0';
}

static bool looks_like_env(const char *text)
{
	struct complaint c = {0};
	size_t n = strcspn(text, "=");
	struct arena arena = {0};
	bool yes;

	if (text[n] != '=' || strchr(text, ' '))
		return false;
	c.arena = &arena;
	yes = n && value_identifier(arena_strndup(&arena, text, n), false, &c);
	arena_free(&arena);
	return yes;
}

static void add_policy(struct parser *p, enum option_id id, const char *text, const char *flag)
{
	struct command_line *out = p->out;
	struct arena *arena = out->policy.arena;
	struct item item = {.origin = typed(flag)};

	if (!*text) {
		fail(p);
		error_add(p->err, item.origin, NULL, "the name of a policy must not be empty");
		return;
	}
	if (id == OPT_policy && looks_like_ports(text)) {
		fail(p);
		error_add(p->err, item.origin, NULL, "%s looks like a port mapping, not a policy",
			  error_quote(p->err, text));
		error_hint(p->err, "write --port %s", text);
		return;
	}
	/* A file is a file even when its name looks like a policy's. */
	item.text = id == OPT_profile_file && !strchr(text, '/') && strcmp(text, "-") != 0
			    ? arena_printf(arena, "./%s", text)
			    : arena_strdup(arena, text);
	out->policies =
		arena_grow(arena, out->policies, out->policy_count, &out->policy_cap, sizeof item);
	out->policies[out->policy_count++] = item;
}

static void add_reset(struct parser *p, const char *text, const char *flag)
{
	const char *dot = strchr(text, '.');
	struct arena *arena = &p->err->arena;
	enum option_id id;

	if (dot)
		id = option_by_key(arena_strndup(arena, text, (size_t)(dot - text)), dot + 1);
	else
		id = option_by_flag(strncmp(text, "--", 2) == 0 ? text + 2 : text);
	if (id == OPT_COUNT || !option_text(options[id].section) ||
	    !option_text(options[id].section)[0]) {
		fail(p);
		error_add(p->err, typed(flag), NULL, "%s is not a key of a policy",
			  error_quote(p->err, text));
		error_hint(p->err, "write SECTION.KEY, for example filesystem.read");
		return;
	}
	policy_reset(&p->out->policy, id);
	p->out->policy.edits[p->out->policy.edit_count - 1].item.origin = typed(flag);
}

static void add_value(struct parser *p, enum option_id id, const char *text, const char *flag)
{
	struct policy *policy = &p->out->policy;

	switch ((int)id) {
	case OPT_policy:
	case OPT_profile_file:
		add_policy(p, id, text, flag);
		return;
	case OPT_set:
		if (!yaml_set(text, p->s, policy, typed(flag), p->err))
			fail(p);
		return;
	case OPT_reset:
		add_reset(p, text, flag);
		return;
	case OPT_exec_shell:
		if (looks_like_env(text)) {
			error_warn(p->err, typed(flag), NULL, "W003",
				   "%s is run as a shell command", error_quote(p->err, text));
			error_hint(p->err, "for an environment variable write --env %s",
				   error_quote(p->err, text));
		}
		break;
	default:
		break;
	}
	if (policy_add_in(policy, id, text, &p->context, typed(flag), p->err))
		return;
	p->ok = false;
	p->malformed |= read_early((enum option_kind)options[id].kind);
}

/* Scalars and booleans are given once: the second is more likely a mistake than a change of mind. */
static bool first_time(struct parser *p, enum option_id id, const char *flag)
{
	const char *before = p->given[id];

	if (options[id].flags & (OPTION_LIST | OPTION_MAP))
		return true;
	p->given[id] = flag;
	if (!before)
		return true;
	fail(p);
	error_add(p->err, typed(flag), NULL, "given twice");
	if (strcmp(before, flag) != 0)
		error_note(p->err, "first given as %s", before);
	return false;
}

static bool takes_value(enum option_id id)
{
	return options[id].kind != KIND_BOOL;
}

/* The value in the next argument, or NULL when there is none. */
static const char *detached(struct parser *p, const char *flag, const char *metavar)
{
	const char *value = p->argv[p->next];

	if (value && (value[0] != '-' || value[1] == '\0')) {
		p->next++;
		return value;
	}
	fail(p);
	error_add(p->err, typed(flag), NULL, "a value is missing");
	if (value && strcmp(value, "--") != 0) {
		error_hint(p->err, "for a value that starts with \"-\" write %s=%s", flag,
			   error_quote(p->err, value));
	} else {
		error_hint(p->err, "write %s %s", flag, metavar);
	}
	return NULL;
}

static void give(struct parser *p, enum option_id id, const char *flag, const char *value,
		 bool negated)
{
	bool no = (options[id].flags & OPTION_NEGATIVE) != 0;

	if (!takes_value(id)) {
		if (value) {
			fail(p);
			error_add(p->err, typed(flag), NULL, "takes no value");
			if (option_text(options[id].flag))
				error_hint(p->err, "write %s, or --%s%s for the opposite", flag,
					   no ? "" : "no-",
					   option_text(options[id].flag) + (no ? 3 : 0));
			return;
		}
		if (first_time(p, id, flag))
			add_value(p, id, no != negated ? "false" : "true", flag);
		return;
	}
	if (!value)
		value = detached(p, flag, option_text(options[id].metavar));
	if (value && first_time(p, id, flag))
		add_value(p, id, value, flag);
}

/* ---- older spellings ---- */

static void keep(struct parser *p, struct value *list, const char *text, const char *flag)
{
	struct item item = {.text = text, .origin = typed(flag)};

	list->items =
		arena_grow(p->out->policy.arena, list->items, list->count, &list->cap, sizeof item);
	list->items[list->count++] = item;
}

static void give_alias(struct parser *p, const struct alias *a, const char *flag, const char *value)
{
	struct arena *arena = p->out->policy.arena;

	if (a->kind == ALIAS) {
		give(p, a->id, flag, value, false);
		return;
	}
	error_warn(p->err, typed(flag), NULL, "W001", "an older spelling; write %s", a->instead);
	if (a->kind == IGNORED || a->kind == ROOT) {
		if (a->kind == ROOT && first_time(p, a->id, flag))
			add_value(p, a->id, "0:0", flag);
		return;
	}
	if (a->kind == OLD) {
		give(p, a->id, flag, value, false);
		return;
	}
	if (!value)
		value = detached(p, flag, "VALUE");
	if (!value)
		return;
	if (a->kind == HOST)
		keep(p, &p->hosts, value, flag);
	else if (a->kind == PORT)
		keep(p, &p->ports, value, flag);
	else if (first_time(p, a->id, flag))
		add_value(p, a->id, arena_printf(arena, "%s:%s", value, value), flag);
}

/* Every host with every port, as the release meant that had these flags. */
static void join_hosts_and_ports(struct parser *p)
{
	struct item all = {.text = "*"};
	struct arena *arena = p->out->policy.arena;
	const struct value *hosts = &p->hosts, *ports = &p->ports;
	struct value any = {.items = &all, .count = 1};

	if (!hosts->count && !ports->count)
		return;
	if (!hosts->count)
		hosts = &any;
	for (size_t i = 0; i < hosts->count; i++) {
		const char *host = hosts->items[i].text, *flag = hosts->items[i].origin.file;

		if (!ports->count)
			add_value(p, OPT_net_allow, arena_printf(arena, "tcp://%s", host), flag);
		for (size_t k = 0; k < ports->count; k++)
			add_value(p, OPT_net_allow,
				  arena_printf(arena,
					       strchr(host, ':') ? "tcp://[%s]:%s" : "tcp://%s:%s",
					       host, ports->items[k].text),
				  ports->items[k].origin.file);
	}
}

/* ---- the forms ---- */

static void parse_long(struct parser *p, const char *arg)
{
	const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
	struct arena *arena = p->out->policy.arena;
	const char *flag = equals ? arena_strndup(arena, arg, (size_t)(equals - arg)) : arg;
	const char *name = flag + 2;
	enum option_id id = option_by_flag(name);

	if (id != OPT_COUNT) {
		give(p, id, flag, value, false);
		return;
	}
	if (strcmp(name, "help") == 0) {
		p->out->help = true;
		p->out->help_all = value && strcmp(value, "all") == 0;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].flag, name) == 0) {
			give_alias(p, &aliases[i], flag, value);
			return;
		}
	/* --no-FLAG of a boolean; --supervisor for one whose flag is --no-supervisor. */
	if (strncmp(name, "no-", 3) == 0)
		id = option_by_flag(name + 3);
	else
		id = option_by_flag(arena_printf(arena, "no-%s", name));
	if (id != OPT_COUNT && options[id].kind == KIND_BOOL &&
	    (strncmp(name, "no-", 3) == 0 || (options[id].flags & OPTION_NEGATIVE))) {
		give(p, id, flag, value, true);
		return;
	}
	unknown_flag(p, name);
}

/* -x VALUE, -xVALUE, -x=VALUE; booleans may stand together: -iq, -ir /usr. */
static void parse_short(struct parser *p, const char *arg)
{
	struct arena *arena = p->out->policy.arena;

	for (const char *c = arg + 1; *c; c++) {
		const char *flag = arena_printf(arena, "-%c", *c), *value = NULL;
		enum option_id id = option_by_letter(*c);

		if (*c == 'h' && id == OPT_COUNT) {
			p->out->help = true;
			continue;
		}
		if (id == OPT_COUNT) {
			fail(p);
			error_add(p->err, NO_ORIGIN, NULL, "unknown option %s",
				  error_quote(p->err, arena_printf(arena, "-%.1s", c)));
			if (c == arg + 1 && option_by_flag(c) != OPT_COUNT)
				error_hint(p->err, "did you mean --%s?", c);
			return;
		}
		if (c[1] == '=')
			value = c + 2;
		else if (takes_value(id) && c[1])
			value = c + 1;
		give(p, id, flag, value, false);
		if (value || takes_value(id))
			return;
	}
}

static void unexpected(struct parser *p, const char *arg)
{
	fail(p);
	error_add(p->err, NO_ORIGIN, NULL, "unexpected argument %s", error_quote(p->err, arg));
	error_hint(p->err, "the command goes behind --: %s ... -- %s", p->argv[0],
		   error_quote(p->err, arg));
}

bool flags_parse(char **argv, const struct surroundings *s, struct command_line *out, bool *usage,
		 struct error *err)
{
	struct parser p = {
		.argv = argv,
		.next = argv[0] ? 1 : 0,
		.s = s,
		.out = out,
		.err = err,
		.context = {.s = s, .dir = s->cwd, .syntax = SYNTAX_PLAIN},
		.ok = true,
	};
	const char *arg;

	while ((arg = argv[p.next]) != NULL) {
		p.next++;
		if (arg[0] != '-' || arg[1] == '\0') {
			unexpected(&p, arg); /* what follows is most likely the command */
			break;
		}
		if (arg[1] != '-') {
			parse_short(&p, arg);
		} else if (arg[2] != '\0') {
			parse_long(&p, arg);
		} else {
			out->command = argv[p.next] ? argv + p.next : NULL;
			break;
		}
		if (err->dropped)
			break;
	}
	join_hosts_and_ports(&p);
	policy_settle(&out->policy);
	out->malformed = p.malformed;
	if (!p.ok)
		*usage = true;
	return p.ok;
}
