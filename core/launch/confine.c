/* Turns a plan into prepared memory for the child side. */
#include "launch/confine.h"

#include "host/uapi.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>

/* Root keeps what makes files look and behave as usual; never what reaches beyond them (MKNOD, SYS_*, NET_*). */
#define FILE_CAPABILITIES                                                                          \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |              \
	 BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE))

static uint64_t kept_capabilities(const struct plan *plan, const struct host *host)
{
	uint32_t uid = plan->view.wanted ? plan->view.inside_uid : host->uid;

	return plan->capabilities == CAPS_FILES && uid == 0 ? FILE_CAPABILITIES : 0;
}

static struct child_rlimit clamp(const struct plan_rlimit *limit, struct error *err)
{
	struct rlimit now;
	struct child_rlimit out = {
		.resource = limit->resource,
		.soft = limit->soft,
		.hard = limit->hard,
	};

	if (getrlimit((__typeof__(RLIMIT_NOFILE))limit->resource, &now) < 0)
		return out;
	if (out.hard > now.rlim_max) {
		if (out.hard != UINT64_MAX)
			error_warn(err, limit->origin, NULL, "W020",
				   "the limit is lowered to the inherited hard limit %llu",
				   (unsigned long long)now.rlim_max);
		out.hard = now.rlim_max;
	}
	/* A request between the inherited soft and hard limit is no grant either: open files give the smaller. */
	if (limit->resource == RLIMIT_NOFILE && out.soft > now.rlim_cur)
		out.soft = now.rlim_cur;
	out.soft = MIN(out.soft, out.hard);
	return out;
}

bool confine_prepare(const struct plan *plan, const struct host *host, struct arena *arena,
		     struct child_confine *out, struct error *err)
{
	struct child_rlimit *limits = arena_array(arena, plan->rlimit_count + 1, sizeof *limits);

	*out = (struct child_confine){
		.rlimits = limits,
		.cpu_mask = plan->has_cpu_mask ? plan->cpu_mask : NULL,
		.cpu_mask_bytes = sizeof plan->cpu_mask,
		.no_aslr = plan->no_aslr,
		.no_thp = plan->no_thp,
		.no_core = plan->no_core,
		.cwd_fd = -1,
		.cwd = plan->cwd,
		.drop_caps = plan->capabilities != CAPS_KEEP,
		.keep_caps = kept_capabilities(plan, host),
		.ruleset_fd = -1,
		.restrict_flags = plan->restrict_flags,
		.filter = plan->filter,
		.filter_len = (uint32_t)plan->filter_len,
		.listener = plan->listener,
		.wait_killable = host->wait_killable,
		.root_closed = plan->handled_fs & LL_READ_DIR,
	};
	for (size_t i = 0; i < plan->rule_count; i++)
		if (!strcmp(plan->rules[i].path, "/"))
			out->root_closed = false;
	for (size_t i = 0; i < plan->rlimit_count; i++) {
		struct child_rlimit limit = clamp(&plan->rlimits[i], err);

		if (limit.resource == RLIMIT_NOFILE) {
			out->has_nofile = true;
			out->nofile = limit;
		} else {
			limits[out->rlimit_count++] = limit;
		}
	}
	return true;
}

static struct origin step_origin(const struct plan *plan, int step, int index)
{
	size_t n = 0;

	if (step == STEP_RLIMIT || step == STEP_NOFILE)
		for (size_t i = 0; i < plan->rlimit_count; i++) {
			bool nofile = plan->rlimits[i].resource == RLIMIT_NOFILE;

			if (nofile ? step == STEP_NOFILE
				   : step == STEP_RLIMIT && n++ == (size_t)index)
				return plan->rlimits[i].origin;
		}
	if (step == STEP_NAMESPACE)
		return plan->view.origin;
	return NO_ORIGIN;
}

const char *confine_place(const struct plan *plan, int step, int index, struct error *err)
{
	struct origin origin = step_origin(plan, step, index);

	return origin.file ? error_place(err, origin) : NULL;
}

uint32_t confine_origins(const struct plan *plan, struct image_writer *w,
			 struct launch_origin *origins, struct error *err)
{
	static const int steps[] = {STEP_NOFILE, STEP_NAMESPACE};
	uint32_t count = 0;

	for (size_t i = 0; i < plan->rlimit_count + ARRAY_LEN(steps); i++) {
		bool limit = i < plan->rlimit_count;
		int step = limit ? STEP_RLIMIT : steps[i - plan->rlimit_count];
		const char *place = confine_place(plan, step, limit ? (int)i : 0, err);

		if (place)
			origins[count++] = (struct launch_origin){
				.step = (uint32_t)step,
				.index = limit ? (uint32_t)i : 0,
				.place = image_add_text(w, place),
			};
	}
	return count;
}
