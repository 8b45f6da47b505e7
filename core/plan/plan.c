/* plan_build(): the pieces in order, then the features of the filter and who stays. Makes no system call. */
#include "plan/parts.h"

#include "plan/syscalls.h"

#include <string.h>

enum { UNKNOWN_ENOSYS, UNKNOWN_ALLOW }; /* words of syscalls.unknown */
enum { ERRNO_KERNEL, ERRNO_REFERENCE }; /* words of syscalls.errno_compat */

static bool writable(const struct building *b)
{
	if (policy_value(b->policy, OPT_fs_write)->count ||
	    policy_value(b->policy, OPT_fs_write_if_exists)->count)
		return true;
	for (size_t i = 0; i < b->plan->view.mount_count; i++)
		if (!(b->plan->view.mounts[i].flags & ITEM_READ_ONLY))
			return true;
	return false;
}

static void collect_features(struct building *b)
{
	struct plan *plan = b->plan;
	const struct policy *policy = b->policy;

	plan->features |= policy_bool(policy, OPT_nestable, false) ? 0 : WHEN_STRICT;
	plan->features |= policy_u64(policy, OPT_unknown_syscalls, UNKNOWN_ENOSYS) == UNKNOWN_ALLOW
				  ? 0
				  : WHEN_CLOSED_UNKNOWN;
	plan->features |= policy_u64(policy, OPT_errno_compat, ERRNO_KERNEL) == ERRNO_REFERENCE
				  ? WHEN_ERRNO_REFERENCE
				  : WHEN_ERRNO_KERNEL;
	if (!writable(b))
		plan->features |= WHEN_METADATA_CLOSED;
	if (plan->max_processes)
		plan->features |= WHEN_PROCESS_LIMIT;
	if (plan->hostname) {
		plan->features |= WHEN_HOSTNAME;
		if (plan_grants(plan, "/proc/sys/kernel/hostname") ||
		    plan_grants(plan, "/etc/hostname"))
			plan->features |= WHEN_HOSTNAME_FILES;
	}
	if (!plan->view.wanted) {
		plan->features |= WHEN_SHARED_PIDS;
		if (plan->protection[PROTECT_SIGNAL_SCOPE] == PROTECTION_DEGRADED)
			plan->features |= WHEN_NO_SIGNAL_SCOPE;
	}
}

/* ---- extra_allow, extra_deny ---- */

static const char *known_name(size_t i, const void *ctx UNUSED)
{
	return i < GROUP_COUNT ? group_name((enum syscall_group_id)i)
			       : call_name((enum call_id)(i - GROUP_COUNT));
}

static bool allow_groups(struct building *b)
{
	const struct value *value = policy_value(b->policy, OPT_extra_allow);
	bool ok = true;

	b->plan->features |= WHEN_NO_SYSV;
	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];

		if (!strcmp(item->text, "sysv_ipc")) {
			b->plan->features &= ~(uint32_t)WHEN_NO_SYSV;
			continue;
		}
		ok = error_add(b->err, item->origin, "syscalls.extra_allow",
			       "%s cannot be allowed; only the group sysv_ipc can",
			       error_quote(b->err, item->text));
	}
	return ok;
}

struct denied {
	int *numbers;
	size_t count, cap;
};

static bool deny_one(struct building *b, struct denied *d, const struct item *item,
		     const char *name)
{
	const char *const *members;
	size_t count = 0;
	int number = syscall_number(name);

	if (number < 0) /* not on this architecture: nothing to deny */
		return true;
	if (!(b->plan->features & WHEN_NO_SYSV) && syscall_group("sysv_ipc", &members, &count))
		while (count--)
			if (!strcmp(members[count], name))
				return error_add(
					b->err, item->origin, "syscalls.extra_deny",
					"%s is denied here and allowed by extra_allow (sysv_ipc)",
					name);
	d->numbers = arena_grow(b->arena, d->numbers, d->count, &d->cap, sizeof *d->numbers);
	d->numbers[d->count++] = number;
	return true;
}

static bool deny_names(struct building *b, struct denied *d)
{
	const struct value *value = policy_value(b->policy, OPT_extra_deny);
	bool ok = true;

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		const char *const *members;
		size_t count;

		if (syscall_group(item->text, &members, &count)) {
			for (size_t k = 0; k < count; k++)
				ok &= deny_one(b, d, item, members[k]);
			continue;
		}
		if (call_find(item->text) >= 0) {
			ok &= deny_one(b, d, item, item->text);
			continue;
		}

		const char *near = nearest_name(item->text, (size_t)GROUP_COUNT + CALL_COUNT,
						known_name, NULL);

		ok = error_add(b->err, item->origin, "syscalls.extra_deny",
			       "there is no system call or group %s",
			       error_quote(b->err, item->text));
		if (near)
			error_hint(b->err, "did you mean \"%s\"?", near);
	}
	return ok;
}

/* ---- who stays ---- */

#define NETWORK_TRAPS                                                                              \
	(WHEN_TRAP_CONNECT | WHEN_TRAP_SENDTO | WHEN_TRAP_SENDMSG | WHEN_TRAP_BIND |               \
	 WHEN_TRAP_NAMES | WHEN_INGRESS | WHEN_TRAP_ACCEPT | WHEN_VIRTUAL_FILES)

/* What only a supervisor can answer; NULL when nothing is. */
static const char *needs_listener(const struct plan *plan)
{
	if (plan->features & WHEN_PROCESS_LIMIT)
		return "the process limit";
	if (plan->features & WHEN_HOSTNAME)
		return "a host name without a private view";
	if (plan->features & NETWORK_TRAPS)
		return "a network rule";
	if (plan->features & WHEN_NO_SIGNAL_SCOPE)
		return "keeping signals inside on a kernel without signal scopes";
	return NULL;
}

static bool watched(const struct building *b)
{
	const struct plan *plan = b->plan;

	return plan->descendants != DESCENDANTS_LEAVE || plan->timeout_ns ||
	       plan->max_duration_ns || plan->view.wanted || needs_listener(plan) ||
	       policy_is_set(b->policy, OPT_status_fd) || policy_is_set(b->policy, OPT_report);
}

static bool choose_mode(struct building *b)
{
	struct plan *plan = b->plan;
	const char *need = needs_listener(plan);
	bool notify = b->host->seccomp_notify;

	plan->mode = b->request->wanted;
	if (plan->mode == PLAN_SUPERVISE && !watched(b))
		plan->mode = PLAN_IN_PLACE;
	plan->listener = plan->mode == PLAN_SUPERVISE && notify;
	plan->features |= plan->listener ? WHEN_LISTENER : WHEN_NO_LISTENER;
	plan_network_answers(b);
	if (!need || plan->listener)
		return true;
	/* Signals: said to be acceptable by allow_degraded; the others were asked for. network.c has named the rules already. */
	if (!(plan->features & (WHEN_PROCESS_LIMIT | WHEN_HOSTNAME)) &&
	    (!(plan->features & NETWORK_TRAPS) || b->err->errors))
		return true;
	return error_add(b->err, NO_ORIGIN, NULL,
			 "%s needs a supervisor that answers system calls%s", need,
			 notify ? "" : ", which this kernel does not support");
}

bool plan_build(const struct policy *policy, const struct host *host,
		const struct plan_request *request, struct arena *arena, struct plan *out,
		struct error *err)
{
	struct building b = {.policy = policy,
			     .host = host,
			     .request = request,
			     .arena = arena,
			     .plan = out,
			     .err = err};
	struct denied denied = {0};
	size_t before = err->errors;

	memset(out, 0, sizeof *out);
	if (!host->seccomp_filter)
		return error_add(
			err, NO_ORIGIN, NULL,
			"this kernel has no system call filters (seccomp): nothing is run without");
	/* Each adds its own errors, so that the user sees all of them at once. */
	if (!plan_protections(&b) && host->landlock_abi < 1)
		return false;
	plan_view(&b);
	plan_rules(&b);
	plan_network(&b);
	plan_process(&b);
	collect_features(&b);
	allow_groups(&b);
	deny_names(&b, &denied);
	choose_mode(&b);
	if (err->errors != before)
		return false;
	return filter_compile(out->features, host->audit_arch, denied.numbers, denied.count, arena,
			      &out->filter, &out->filter_len, err);
}
