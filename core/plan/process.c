/* Process state and supervision: limits, processors, times. */
#include "plan/parts.h"

#include <string.h>

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE},
	{"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},
	{"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

static int find_limit(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (!strcmp(limits[i].name, name))
			return (int)i;
	return -1;
}

static bool plan_limits(struct building *b, bool *core)
{
	const struct value *value = policy_value(b->policy, OPT_rlimits);
	struct plan *plan = b->plan;
	struct plan_rlimit files = {
		.resource = RLIMIT_NOFILE, .soft = UINT64_MAX, .hard = UINT64_MAX};
	bool has_files = false;

	plan->rlimits = arena_array(b->arena, value->count + 1, sizeof *plan->rlimits);
	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		int which = find_limit(item->text);
		struct plan_rlimit limit = {
			.soft = item->num, .hard = item->num2, .origin = item->origin};

		if (which < 0)
			return error_add(b->err, item->origin, "limits.rlimits",
					 "there is no resource limit %s",
					 error_quote(b->err, item->text));
		limit.resource = limits[which].resource;
		*core |= limit.resource == RLIMIT_CORE;
		if (limit.resource == RLIMIT_NOFILE) {
			files = limit;
			has_files = true;
		} else {
			plan->rlimits[plan->rlimit_count++] = limit;
		}
	}
	if (policy_is_set(b->policy, OPT_open_files)) {
		uint64_t n = policy_u64(b->policy, OPT_open_files, 0);

		files.soft = MIN(files.soft, n);
		files.hard = MIN(files.hard, n);
		files.origin = policy_origin(b->policy, OPT_open_files);
		has_files = true;
	}
	if (has_files) /* last: the start itself needs descriptors */
		plan->rlimits[plan->rlimit_count++] = files;
	return true;
}

static bool has_cpu(const uint64_t *mask, uint64_t cpu)
{
	return cpu < 1024 && (mask[cpu / 64] >> (cpu % 64) & 1);
}

static bool plan_processors(struct building *b)
{
	const struct value *cores = policy_value(b->policy, OPT_cpu_cores);
	struct plan *plan = b->plan;
	uint64_t count = policy_u64(b->policy, OPT_cpus, 0), found = 0;
	bool ok = true;

	if (!cores->count && !count)
		return true;
	plan->has_cpu_mask = true;
	for (size_t i = 0; i < cores->count; i++) {
		uint64_t cpu = cores->items[i].num;

		if (!has_cpu(b->host->cpu_mask, cpu))
			ok = error_add(b->err, cores->items[i].origin, "limits.cpu_cores",
				       "processor %llu is not among those this process may use",
				       (unsigned long long)cpu);
		else
			plan->cpu_mask[cpu / 64] |= BIT(cpu % 64);
	}
	if (!cores->count)
		memcpy(plan->cpu_mask, b->host->cpu_mask, sizeof plan->cpu_mask);
	if (!count || !ok)
		return ok;
	for (uint64_t cpu = 0; cpu < 1024; cpu++) {
		if (!has_cpu(plan->cpu_mask, cpu))
			continue;
		if (found == count)
			plan->cpu_mask[cpu / 64] &= ~BIT(cpu % 64);
		else
			found++;
	}
	if (found < count)
		return error_add(b->err, policy_origin(b->policy, OPT_cpus), "limits.cpus",
				 "only %llu processors are available", (unsigned long long)found);
	return true;
}

static void plan_times(struct building *b)
{
	struct plan *plan = b->plan;

	plan->timeout_ns = policy_u64(b->policy, OPT_timeout, 0);
	plan->max_duration_ns = policy_u64(b->policy, OPT_max_duration, 0);
	plan->kill_after_ns = policy_u64(b->policy, OPT_kill_after, 2000000000);
	plan->timeout_origin =
		policy_origin(b->policy, plan->timeout_ns ? OPT_timeout : OPT_max_duration);
	plan->descendants =
		(enum descendants_mode)policy_u64(b->policy, OPT_descendants, DESCENDANTS_KILL);
}

bool plan_process(struct building *b)
{
	struct plan *plan = b->plan;
	bool core_limit = false;
	bool ok = plan_limits(b, &core_limit);

	ok &= plan_processors(b);
	plan_times(b);
	plan->no_aslr = policy_bool(b->policy, OPT_no_randomize_memory, false);
	plan->no_thp = policy_bool(b->policy, OPT_no_huge_pages, false);
	/* On unless refused: core_pattern may start a handler outside as root. An explicit limit is an answer too. */
	plan->no_core = policy_bool(b->policy, OPT_no_coredump, !core_limit);
	plan->capabilities = (enum capability_mode)policy_u64(b->policy, OPT_caps, CAPS_FILES);
	plan->cwd = policy_text(b->policy, OPT_cwd, NULL);
	plan->max_processes = (uint32_t)policy_u64(b->policy, OPT_max_processes, 0);
	return ok;
}
