/* The protections that depend on the Landlock ABI (confinement 2.7), and what this host lacks. */
#include "plan/parts.h"

#include "host/uapi.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

const struct protection protections[PROTECT_COUNT] = {
	[PROTECT_FS_REFER] = {"fs-refer", 2, true},
	[PROTECT_FS_TRUNCATE] = {"fs-truncate", 3, true},
	[PROTECT_NET_TCP] = {"net-tcp", 4, true},
	[PROTECT_FS_IOCTL_DEV] = {"fs-ioctl-dev", 5, true},
	[PROTECT_SIGNAL_SCOPE] = {"signal-scope", 6, true},
	[PROTECT_ABSTRACT_SCOPE] = {"abstract-unix-socket-scope", 6, true},
	[PROTECT_UNIX_RESOLVE] = {"unix-resolve", 9, false},
	[PROTECT_NET_UDP] = {"net-udp", 10, false},
	[PROTECT_ALL_THREADS] = {"all-threads", 8, false},
	[PROTECT_AUDIT_MUTE] = {"audit-mute", 7, false},
};

/* What each protection handles. */
static const struct {
	uint64_t fs, net, scope;
	uint32_t restrict_flags;
} handles[PROTECT_COUNT] = {
	[PROTECT_FS_REFER] = {.fs = LL_REFER},
	[PROTECT_FS_TRUNCATE] = {.fs = LL_TRUNCATE},
	[PROTECT_NET_TCP] = {.net = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP},
	[PROTECT_FS_IOCTL_DEV] = {.fs = LL_IOCTL_DEV},
	[PROTECT_SIGNAL_SCOPE] = {.scope = LL_SCOPE_SIGNAL},
	[PROTECT_ABSTRACT_SCOPE] = {.scope = LL_SCOPE_ABSTRACT_UNIX},
	[PROTECT_UNIX_RESOLVE] = {.fs = LL_RESOLVE_UNIX},
	[PROTECT_NET_UDP] = {.net = LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP},
	[PROTECT_ALL_THREADS] = {.restrict_flags = LL_RESTRICT_TSYNC},
	[PROTECT_AUDIT_MUTE] = {.restrict_flags = LL_RESTRICT_LOG_SUBDOMAINS_OFF},
};

/* What the user said about one protection. */
enum wish { WISH_STRICT, WISH_DEGRADABLE, WISH_DISABLED };

static int find_protection(const char *name)
{
	for (int i = 0; i < PROTECT_COUNT; i++)
		if (!strcasecmp(protections[i].name, name))
			return i;
	return -1;
}

/* Was `a` said before `b`? Known for two lines of one file; elsewhere allow_degraded counts as said first. */
static bool said_before(const struct origin *a, const struct origin *b)
{
	if (!a->line || !b->line || !a->file || !b->file || strcmp(a->file, b->file) != 0)
		return true;
	return a->line < b->line || (a->line == b->line && a->col <= b->col);
}

static bool check_name(struct building *b, const struct item *item, int id, bool disable)
{
	const char *key = disable ? "protection.disable" : "protection.allow_degraded";

	if (id < 0)
		return error_add(b->err, item->origin, key, "there is no protection %s",
				 error_quote(b->err, item->text));
	if (disable && id == PROTECT_FS_REFER)
		return error_add(
			b->err, item->origin, key,
			"fs-refer cannot be disabled: the kernel then refuses every rename "
			"and link between directories");
	return true;
}

static bool read_wishes(struct building *b, enum wish *wishes, struct origin *origins)
{
	const struct value *degraded = policy_value(b->policy, OPT_allow_degraded);
	const struct value *disabled = policy_value(b->policy, OPT_disable);
	bool ok = true;

	for (size_t i = 0; i < degraded->count; i++) {
		int id = find_protection(degraded->items[i].text);

		if (!check_name(b, &degraded->items[i], id, false)) {
			ok = false;
			continue;
		}
		wishes[id] = WISH_DEGRADABLE;
		origins[id] = degraded->items[i].origin;
	}
	for (size_t i = 0; i < disabled->count; i++) {
		int id = find_protection(disabled->items[i].text);

		if (!check_name(b, &disabled->items[i], id, true)) {
			ok = false;
			continue;
		}
		if (wishes[id] != WISH_STRICT && protections[id].strict_by_default &&
		    !said_before(&origins[id], &disabled->items[i].origin))
			continue;
		wishes[id] = WISH_DISABLED;
	}
	return ok;
}

/* All threads matter only where a process that already runs is confined. */
static bool relevant(const struct building *b, int id)
{
	return id != PROTECT_ALL_THREADS || b->request->wanted == PLAN_PRELOAD;
}

static bool landlock_missing(struct building *b)
{
	int why = b->host->landlock_errno;

	error_add(b->err, NO_ORIGIN, NULL, "this kernel has no usable Landlock (%s)",
		  why == EOPNOTSUPP ? "it was disabled at boot"
		  : why == ENOSYS   ? "it is not built in, or a container's filter hides it"
				    : "the query failed");
	error_hint(b->err,
		   "Linux 5.13 or later with \"landlock\" among the security modules (lsm=) is "
		   "needed: nothing is run unconfined");
	return false;
}

static bool decide(struct building *b, int id, enum wish wish)
{
	const struct protection *p = &protections[id];
	enum protection_state *state = &b->plan->protection[id];

	*state = wish == WISH_DISABLED ? PROTECTION_DISABLED : PROTECTION_ACTIVE;
	if (wish == WISH_DISABLED || b->host->landlock_abi >= p->abi)
		return true;
	*state = PROTECTION_DEGRADED;
	if (wish == WISH_DEGRADABLE)
		return true;

	error_add(b->err, NO_ORIGIN, NULL,
		  "protection %s needs Landlock ABI %d, this kernel has ABI %d", p->name, p->abi,
		  b->host->landlock_abi);
	error_hint(b->err, "--allow-degraded %s runs without it%s", p->name,
		   b->host->filtered
			   ? "; inside a sandbox whose supervisor connects or binds for its "
			     "programs no ABI above 3 is offered: run the outer one "
			     "with --no-supervisor"
			   : "");
	return false;
}

bool plan_protections(struct building *b)
{
	struct plan *plan = b->plan;
	enum wish wishes[PROTECT_COUNT];
	struct origin origins[PROTECT_COUNT] = {{0}};
	bool ok;

	if (b->host->landlock_abi < 1)
		return landlock_missing(b);

	for (int i = 0; i < PROTECT_COUNT; i++)
		wishes[i] = protections[i].strict_by_default ? WISH_STRICT : WISH_DEGRADABLE;
	ok = read_wishes(b, wishes, origins);

	plan->handled_fs = landlock_fs_mask(b->host->landlock_abi);
	plan->handled_net = landlock_net_mask(b->host->landlock_abi);
	plan->scoped = landlock_scope_mask(b->host->landlock_abi);
	for (int i = 0; i < PROTECT_COUNT; i++) {
		ok &= decide(b, i, wishes[i]);
		if (plan->protection[i] == PROTECTION_ACTIVE) {
			if (relevant(b, i))
				plan->restrict_flags |= handles[i].restrict_flags;
			continue;
		}
		plan->handled_fs &= ~handles[i].fs;
		plan->handled_net &= ~handles[i].net;
		plan->scoped &= ~handles[i].scope;
	}
	return ok;
}
