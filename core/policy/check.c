/*
 * What cannot stand together: options of later versions, options the chosen mode cannot carry, and contradictions. Everything is
 * reported, each problem with the places of both sides.
 */
#include "policy/endpoint.h"

#include <stdlib.h>
#include <string.h>

struct check {
	const struct policy *policy;
	struct error *err;
	bool ok;
};

static const struct item *first(const struct check *c, enum option_id id)
{
	const struct value *value = &c->policy->values[id];

	return value->count ? &value->items[0] : NULL;
}

static bool on(const struct check *c, enum option_id id)
{
	return policy_bool(c->policy, id, false);
}

/* "--fs-read" for what was given by a flag, "filesystem.read" for what stands in a file. */
static const char *given_name(const struct check *c, enum option_id id, struct origin origin)
{
	return option_name(&c->err->arena, id, origin.line == 0);
}

/* A flag as typed is the place and the name in one. */
static const char *key_of(const struct check *c, enum option_id id, struct origin origin)
{
	return origin.file && origin.line == 0 && origin.file[0] == '-' &&
			       strcmp(origin.file, "--set") != 0
		       ? NULL
		       : given_name(c, id, origin);
}

/* `id` (at `where`) and `other` contradict each other. */
static void conflict(struct check *c, enum option_id id, struct origin where, enum option_id other,
		     const char *why)
{
	struct origin theirs = policy_origin(c->policy, other);

	c->ok = false;
	error_add(c->err, where, key_of(c, id, where), "cannot be combined with %s%s%s",
		  given_name(c, other, theirs), *why ? ": " : "", why);
	if (theirs.line)
		error_note(c->err, "%s is given at %s", given_name(c, other, theirs),
			   error_place(c->err, theirs));
	else
		error_note(c->err, "%s is given on the command line", given_name(c, other, theirs));
}

/* ---- not in this version ---- */

static bool is_later(enum option_id id, const struct item *item)
{
	if (id == OPT_backend)
		return strcmp(item->text, "mediated") == 0;
	if (id == OPT_fs_isolation)
		return !item_is_neutral(id, item);
	return (options[id].flags & OPTION_LATER) && !item_is_neutral(id, item);
}

static void check_later(struct check *c, enum option_id id)
{
	const struct value *value = &c->policy->values[id];

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];

		if (!is_later(id, item))
			continue;
		c->ok = false;
		if (options[id].kind == KIND_ENUM)
			error_add(c->err, item->origin, key_of(c, id, item->origin),
				  "%s is not available in this version",
				  error_quote(c->err, item->text));
		else
			error_add(c->err, item->origin, key_of(c, id, item->origin),
				  "not available in this version");
		return;
	}
}

/* ---- modes ---- */

/* The first element that has no other way where the mode does not fit: "or-host" has one. */
static const struct item *first_firm(const struct check *c, enum option_id id)
{
	const struct value *value = &c->policy->values[id];

	for (size_t i = 0; i < value->count; i++)
		if (id != OPT_tmpfs || !(value->items[i].flags & ITEM_OPTIONAL))
			return &value->items[i];
	return NULL;
}

static void check_mode(struct check *c, enum option_id id, unsigned mode)
{
	const struct item *item = first_firm(c, id);

	if (!mode || (options[id].modes & mode) || !item || item_is_neutral(id, item) ||
	    is_later(id, item))
		return;
	c->ok = false;
	if (mode & IN_CONFINE) {
		error_add(c->err, item->origin, key_of(c, id, item->origin),
			  "cannot be applied to a program that is already running");
		error_hint(c->err, "use: sandlock run");
	} else {
		error_add(c->err, item->origin, key_of(c, id, item->origin),
			  "needs the supervisor; not possible with --no-supervisor");
	}
}

/* ---- contradictions ---- */

static void check_environment(struct check *c)
{
	if (on(c, OPT_clean_env) && on(c, OPT_empty_env))
		conflict(c, OPT_empty_env, policy_origin(c->policy, OPT_empty_env), OPT_clean_env,
			 "");
}

static void check_ids(struct check *c)
{
	const struct item *uid = first(c, OPT_uid), *gid = first(c, OPT_gid);

	const struct item *given = uid ? uid : gid;

	if (given && (!uid || !gid)) {
		struct origin where = given->origin;

		c->ok = false;
		error_add(c->err, where, key_of(c, uid ? OPT_uid : OPT_gid, where),
			  "program.uid and program.gid must both be set");
	}
	if (first(c, OPT_user) && uid)
		conflict(c, OPT_user, policy_origin(c->policy, OPT_user), OPT_uid, "");
	else if (first(c, OPT_user) && gid)
		conflict(c, OPT_user, policy_origin(c->policy, OPT_user), OPT_gid, "");
}

static bool needs_network(enum option_id id)
{
	const struct option *o = &options[id];

	if (!option_text(o->section) || id == OPT_no_net || id == OPT_ipv6)
		return false;
	return strcmp(option_text(o->section), "network") == 0 ||
	       strcmp(option_text(o->section), "http") == 0 ||
	       strcmp(option_text(o->section), "dns") == 0 ||
	       strcmp(option_text(o->section), "tls") == 0 ||
	       strcmp(option_text(o->section), "secrets") == 0 ||
	       strncmp(option_text(o->key), "http_", 5) == 0;
}

static void check_no_net(struct check *c)
{
	if (!on(c, OPT_no_net))
		return;
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct item *item = needs_network(id) ? first(c, id) : NULL;

		/* A word about what happens on the network is about one, also the usual word. */
		if (!item || (options[id].kind != KIND_ENUM && item_is_neutral(id, item)))
			continue;
		conflict(c, id, item->origin, OPT_no_net,
			 "there is no network to allow anything on");
		error_hint(c->err, "drop one of the two; --reset KEY forgets what a policy said");
	}
}

static void check_ports(struct check *c)
{
	const struct value *ports = &c->policy->values[OPT_net_allow_bind];
	const struct item *anys[2] = {NULL, NULL}; /* of TCP, of UDP */

	for (size_t i = 0; i < ports->count; i++) {
		const struct item *item = &ports->items[i];

		if ((item->flags & ITEM_ANY) && !anys[(item->flags & ITEM_UDP) != 0])
			anys[(item->flags & ITEM_UDP) != 0] = item;
	}
	for (size_t i = 0; i < ports->count; i++) {
		const struct item *item = &ports->items[i];
		const struct item *any = anys[(item->flags & ITEM_UDP) != 0];

		if (!any || (item->flags & ITEM_ANY))
			continue;
		c->ok = false;
		error_add(c->err, item->origin, key_of(c, OPT_net_allow_bind, item->origin),
			  "the wildcard * allows every port already; %s says nothing more",
			  error_quote(c->err, item->text));
		error_note(c->err, "the wildcard is given at %s", error_place(c->err, any->origin));
		error_hint(c->err, "give either * or ports");
		return;
	}
}

static void refuse(struct check *c, enum option_id id, const struct item *item, const char *why,
		   const char *hint)
{
	c->ok = false;
	error_add(c->err, item->origin, key_of(c, id, item->origin), "%s %s",
		  error_quote(c->err, item->text), why);
	error_hint(c->err, "%s", hint);
}

/* What the grammar knows and this version cannot keep. */
static void check_rule(struct check *c, enum option_id id, const struct item *item,
		       const struct endpoint_rule *rule)
{
	if (rule->target == TARGET_SUFFIX)
		refuse(c, id, item, "needs the DNS forwarder, not available in this version",
		       "write the names in full");
}

static void check_rules(struct check *c)
{
	const struct value *allow = &c->policy->values[OPT_net_allow];
	const struct value *ordered = &c->policy->values[OPT_net_rules];
	struct complaint unheard = {.arena = &c->err->arena};
	struct endpoint_rule rule, *rules;
	size_t count;

	for (size_t i = 0; i < allow->count; i++)
		if (endpoint_parse(allow->items[i].text, false, unheard.arena, &rule, &unheard))
			check_rule(c, OPT_net_allow, &allow->items[i], &rule);
	for (size_t i = 0; i < ordered->count; i++) {
		if (!endpoint_parse_tokens(ordered->items[i].text, unheard.arena, &rules, &count,
					   &unheard))
			continue;
		for (size_t k = 0; k < count; k++)
			check_rule(c, OPT_net_rules, &ordered->items[i], &rules[k]);
	}
}

static void check_default(struct check *c)
{
	static const enum option_id one[] = {OPT_default_egress, OPT_default_ingress};

	for (size_t i = 0; i < ARRAY_LEN(one); i++)
		if (first(c, OPT_net_default) && first(c, one[i]))
			conflict(c, one[i], policy_origin(c->policy, one[i]), OPT_net_default,
				 "that one is for both directions");
}

static bool is_unspecified(const struct endpoint_publish *p)
{
	return !p->address.high && (p->address.low == 0 || p->address.low == ADDRESS_MAPPED);
}

/* Do both want the same port of this machine? :: takes the port of IPv4 along. */
static bool same_host_port(const struct endpoint_publish *a, const struct endpoint_publish *b)
{
	if (a->protocol != b->protocol || a->host != b->host || !a->host)
		return false;
	if (address_equal(a->address, b->address))
		return true;
	return (is_unspecified(a) && (a->family == b->family || a->family == ENDPOINT_IPV6)) ||
	       (is_unspecified(b) && (a->family == b->family || b->family == ENDPOINT_IPV6));
}

/* Denials win, so nothing would ever stand behind the published port. */
static void check_denied(struct check *c, const struct item *item, const struct endpoint_publish *p)
{
	const struct value *deny = &c->policy->values[OPT_net_deny_bind];

	for (size_t i = 0; i < deny->count; i++) {
		const struct item *d = &deny->items[i];
		bool udp = (d->flags & ITEM_UDP) != 0;

		if (udp != (p->protocol == ENDPOINT_UDP) || p->guest < d->num || p->guest > d->num2)
			continue;
		c->ok = false;
		error_add(c->err, item->origin, key_of(c, OPT_publish, item->origin),
			  "%s: port %u of the program may not be bound",
			  error_quote(c->err, item->text), p->guest);
		error_note(c->err, "denied by %s %s at %s",
			   given_name(c, OPT_net_deny_bind, d->origin),
			   error_quote(c->err, d->text), error_place(c->err, d->origin));
		error_hint(c->err, "drop one of the two; --reset KEY forgets what a policy said");
		return;
	}
}

static void check_published(struct check *c)
{
	const struct value *value = &c->policy->values[OPT_publish];
	struct complaint unheard = {.arena = &c->err->arena};

	if (!value->count)
		return;
	struct endpoint_publish *all = arena_array(unheard.arena, value->count, sizeof *all);

	for (size_t i = 0; i < value->count && c->err->dropped == 0; i++) {
		if (!endpoint_parse_publish(value->items[i].text, &all[i], &unheard))
			continue;
		check_denied(c, &value->items[i], &all[i]);
		for (size_t k = 0; k < i; k++) {
			bool guest =
				all[i].protocol == all[k].protocol && all[i].guest == all[k].guest;

			if (!guest && !same_host_port(&all[i], &all[k]))
				continue;
			c->ok = false;
			error_add(c->err, value->items[i].origin,
				  key_of(c, OPT_publish, value->items[i].origin),
				  "%s: port %u %s is published already",
				  error_quote(c->err, value->items[i].text),
				  guest ? all[i].guest : all[i].host,
				  guest ? "of the program" : "of this machine");
			error_note(c->err, "first by %s at %s",
				   error_quote(c->err, value->items[k].text),
				   error_place(c->err, value->items[k].origin));
			break;
		}
	}
}

static void check_syscalls(struct check *c)
{
	const struct value *allow = &c->policy->values[OPT_extra_allow];
	const struct value *deny = &c->policy->values[OPT_extra_deny];
	const struct value *disable = &c->policy->values[OPT_disable];

	for (size_t i = 0; i < allow->count; i++)
		for (size_t k = 0; k < deny->count; k++)
			if (strcmp(allow->items[i].text, deny->items[k].text) == 0)
				conflict(c, OPT_extra_deny, deny->items[k].origin, OPT_extra_allow,
					 "both name the same group");
	for (size_t i = 0; i < disable->count; i++) {
		if (strcmp(disable->items[i].text, "fs-refer") != 0)
			continue;
		c->ok = false;
		error_add(c->err, disable->items[i].origin,
			  key_of(c, OPT_disable, disable->items[i].origin),
			  "fs-refer cannot be disabled: renaming out of a grant would be possible");
	}
}

static void check_processors(struct check *c)
{
	const struct item *cpus = first(c, OPT_cpus);
	const struct value *cores = &c->policy->values[OPT_cpu_cores];

	if (cpus && cores->count && cpus->num > cores->count)
		conflict(c, OPT_cpus, cpus->origin, OPT_cpu_cores,
			 "more processors than the list has");
}

/* ---- mounts ---- */

struct target {
	const struct item *item;
	enum option_id id;
	size_t order;
};

static int compare_targets(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int order = strcmp(x->item->text, y->item->text);

	return order ? order : x->order < y->order ? -1 : 1;
}

/* The later entry would silently replace the earlier one: a read-only mount could become writable. */
static void check_mounts(struct check *c)
{
	static const enum option_id kinds[] = {OPT_fs_mount, OPT_volume, OPT_tmpfs};
	struct arena *arena = &c->err->arena;
	struct target *targets;
	size_t count = 0, total = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		total += c->policy->values[kinds[i]].count;
	if (total < 2)
		return;
	targets = arena_array(arena, total, sizeof *targets);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (size_t k = 0; k < c->policy->values[kinds[i]].count; k++, count++)
			targets[count] = (struct target){&c->policy->values[kinds[i]].items[k],
							 kinds[i], count};
	qsort(targets, count, sizeof *targets, compare_targets);
	for (size_t i = 1; i < count; i++) {
		const struct item *before = targets[i - 1].item, *item = targets[i].item;

		if (strcmp(before->text, item->text) != 0)
			continue;
		c->ok = false;
		error_add(c->err, item->origin, key_of(c, targets[i].id, item->origin),
			  "virtual path %s is mounted more than once",
			  error_quote(c->err, item->text));
		error_note(c->err, "first mounted at %s", error_place(c->err, before->origin));
	}
}

bool policy_check(const struct policy *policy, unsigned mode, struct error *err)
{
	struct check c = {.policy = policy, .err = err, .ok = true};

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		if (!policy->values[id].count)
			continue;
		check_later(&c, id);
		check_mode(&c, id, mode);
	}
	check_environment(&c);
	check_ids(&c);
	check_no_net(&c);
	check_ports(&c);
	check_rules(&c);
	check_default(&c);
	check_published(&c);
	check_syscalls(&c);
	check_processors(&c);
	check_mounts(&c);
	return c.ok;
}
