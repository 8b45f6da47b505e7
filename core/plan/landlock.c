/*
 * Landlock masks and path rules. Rights are asked for as a whole here; launch/ takes away what a file (not a directory) cannot
 * have and what is not handled, because the kernel refuses both.
 */
#include "plan/parts.h"

#include "host/uapi.h"

#include <stdlib.h>
#include <string.h>

/* MAKE_CHAR and MAKE_BLOCK are handled and never granted: a device node made beneath a writable directory is the disk. */
#define READ_RIGHTS (LL_EXECUTE | LL_READ_FILE | LL_READ_DIR)
#define WRITE_RIGHTS                                                                               \
	(READ_RIGHTS | LL_WRITE_FILE | LL_REMOVE_DIR | LL_REMOVE_FILE | LL_MAKE_DIR |              \
	 LL_MAKE_REG | LL_MAKE_SOCK | LL_MAKE_FIFO | LL_MAKE_SYM | LL_REFER | LL_TRUNCATE |        \
	 LL_RESOLVE_UNIX)
#define DEVICE_RIGHTS (LL_READ_FILE | LL_WRITE_FILE | LL_TRUNCATE)

uint64_t landlock_fs_mask(int abi)
{
	static const uint64_t added[LANDLOCK_KNOWN_ABI + 1] = {
		[1] = LL_REFER - 1, /* bits 0..12 */
		[2] = LL_REFER,	    [3] = LL_TRUNCATE, [5] = LL_IOCTL_DEV, [9] = LL_RESOLVE_UNIX,
	};
	uint64_t mask = 0;

	for (int i = 1; i <= MIN(abi, LANDLOCK_KNOWN_ABI); i++)
		mask |= added[i];
	return mask;
}

uint64_t landlock_net_mask(int abi)
{
	return (abi >= 4 ? LL_NET_BIND_TCP | LL_NET_CONNECT_TCP : 0) |
	       (abi >= 10 ? LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP : 0);
}

uint64_t landlock_scope_mask(int abi)
{
	return abi >= 6 ? LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL : 0;
}

bool path_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (n == 1) /* "/" */
		return true;
	return !strncmp(path, directory, n) && (path[n] == '/' || !path[n]);
}

bool plan_grants(const struct plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->rule_count; i++)
		if (path_beneath(plan->rules[i].path, path) ||
		    path_beneath(path, plan->rules[i].path))
			return true;
	return false;
}

/* ---- collecting ---- */

struct rules {
	struct building *b;
	size_t cap;
	bool data_only; /* read_only_data */
};

static void add_rule(struct rules *r, const char *path, uint64_t access, uint32_t flags,
		     struct origin origin)
{
	struct plan *plan = r->b->plan;

	/* A write grant on a tree is not meant for the devices in it; one on a device is. */
	if ((access & LL_WRITE_FILE) && !(flags & RULE_OWN) && strcmp(path, "/dev") != 0 &&
	    path_beneath(path, "/dev"))
		access |= LL_IOCTL_DEV;
	plan->rules = arena_grow(r->b->arena, plan->rules, plan->rule_count, &r->cap,
				 sizeof *plan->rules);
	plan->rules[plan->rule_count++] = (struct plan_rule){
		.path = path, .access = access, .flags = flags, .origin = origin};
}

static void add_grants(struct rules *r, enum option_id id, uint64_t access, bool optional)
{
	const struct value *value = policy_value(r->b->policy, id);

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		uint64_t rights = access;

		if ((item->flags & ITEM_NOEXEC) || (r->data_only && id != OPT_fs_exec))
			rights &= ~LL_EXECUTE;
		add_rule(r, item->text, rights,
			 optional || (item->flags & ITEM_OPTIONAL) ? RULE_OPTIONAL : 0,
			 item->origin);
	}
}

static void add_devices(struct rules *r)
{
	static const char *const devices[] = {"/dev/full", "/dev/null", "/dev/random",
					      "/dev/urandom", "/dev/zero"};

	if (!policy_bool(r->b->policy, OPT_default_devices, true))
		return;
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		add_rule(r, devices[i], DEVICE_RIGHTS, RULE_OWN, NO_ORIGIN);
	/* Job control on a terminal that the program opens itself. */
	add_rule(r, "/dev/tty", DEVICE_RIGHTS | LL_IOCTL_DEV, RULE_OWN, NO_ORIGIN);
}

/* Mounts of the view: what is shown must be reachable. */
static void add_mounts(struct rules *r)
{
	const struct plan_view *view = &r->b->plan->view;

	for (size_t i = 0; view->wanted && i < view->mount_count; i++) {
		const struct plan_mount *m = &view->mounts[i];
		uint64_t access = (m->flags & ITEM_READ_ONLY) ? READ_RIGHTS : WRITE_RIGHTS;

		if (m->implied)
			continue;
		if ((m->flags & ITEM_NOEXEC) || r->data_only)
			access &= ~LL_EXECUTE;
		add_rule(r, m->target, access, (m->flags & ITEM_OPTIONAL) ? RULE_OPTIONAL : 0,
			 m->origin);
	}
}

/* tmpfs "or-host": without a view the host's own directory. */
static void add_host_directories(struct rules *r)
{
	const struct value *value = policy_value(r->b->policy, OPT_tmpfs);

	for (size_t i = 0; !r->b->plan->view.wanted && i < value->count; i++)
		if (value->items[i].flags & ITEM_OPTIONAL)
			add_rule(r, value->items[i].text, WRITE_RIGHTS, RULE_OPTIONAL,
				 value->items[i].origin);
}

/* Confinement 2.4. Nodes that are not there are skipped; without a list all that could be. */
static void add_gpus(struct rules *r)
{
	static const char *const control[] = {"/dev/nvidiactl", "/dev/nvidia-uvm",
					      "/dev/nvidia-uvm-tools"};
	static const char *const information[] = {"/proc/driver/nvidia", "/sys/bus/pci/devices",
						  "/sys/module/nvidia"};
	const struct value *value = policy_value(r->b->policy, OPT_gpu);
	struct origin origin = policy_origin(r->b->policy, OPT_gpu);
	bool all = value->set && !value->count;
	enum { NODES = 16 };

	if (!value->set)
		return;
	for (size_t i = 0; i < ARRAY_LEN(control); i++)
		add_rule(r, control[i], DEVICE_RIGHTS | LL_IOCTL_DEV, RULE_OWN, origin);
	for (size_t i = 0; i < (all ? NODES : value->count); i++)
		add_rule(r,
			 arena_printf(r->b->arena, "/dev/nvidia%u",
				      all ? (unsigned)i : (unsigned)value->items[i].num),
			 DEVICE_RIGHTS | LL_IOCTL_DEV, RULE_OWN, origin);
	if (all) { /* a directory shows every GPU, so a list of some does not get it */
		add_rule(r, "/dev/dri", DEVICE_RIGHTS | LL_READ_DIR | LL_IOCTL_DEV, RULE_OWN,
			 origin);
		add_rule(r, "/dev/kfd", DEVICE_RIGHTS | LL_IOCTL_DEV, RULE_OWN, origin);
	}
	for (size_t i = 0; i < ARRAY_LEN(information); i++)
		add_rule(r, information[i], LL_READ_FILE | LL_READ_DIR, RULE_OWN, origin);
}

/* ---- sorting and merging ---- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_rule *)a)->path, ((const struct plan_rule *)b)->path);
}

static void merge_same_paths(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->rule_count; i++) {
		struct plan_rule *rule = &plan->rules[i];
		struct plan_rule *last = kept ? &plan->rules[kept - 1] : NULL;

		if (!last || strcmp(last->path, rule->path) != 0) {
			plan->rules[kept++] = *rule;
			continue;
		}
		/* The user's word about the path counts over ours, "must exist" over "if it exists". */
		if ((last->flags & RULE_OWN) || ((last->flags & RULE_OPTIONAL) &&
						 !(rule->flags & (RULE_OWN | RULE_OPTIONAL)))) {
			last->flags = rule->flags;
			last->origin = rule->origin;
		}
		last->access |= rule->access;
	}
	plan->rule_count = kept;
}

/*
 * Only our own rules are dropped when one above gives as much. A rule of the user's may name a symbolic link whose target lies
 * elsewhere, or a path that does not exist and must be reported; this file cannot look.
 */
static bool implied(const struct plan *plan, const struct plan_rule *rule)
{
	for (size_t i = 0; i < plan->rule_count; i++) {
		const struct plan_rule *above = &plan->rules[i];

		if (!(above->flags & (RULE_OWN | RULE_OPTIONAL)) &&
		    path_beneath(rule->path, above->path) &&
		    (rule->access & plan->handled_fs & ~above->access) == 0)
			return true;
	}
	return false;
}

static void drop_implied(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->rule_count; i++)
		if (!(plan->rules[i].flags & RULE_OWN) || !implied(plan, &plan->rules[i]))
			plan->rules[kept++] = plan->rules[i];
	plan->rule_count = kept;
}

bool plan_rules(struct building *b)
{
	struct rules r = {.b = b, .data_only = policy_bool(b->policy, OPT_read_only_data, false)};

	add_grants(&r, OPT_fs_read, READ_RIGHTS, false);
	add_grants(&r, OPT_fs_read_if_exists, READ_RIGHTS, true);
	add_grants(&r, OPT_fs_read_noexec, READ_RIGHTS & ~LL_EXECUTE, false);
	add_grants(&r, OPT_fs_exec, READ_RIGHTS, false);
	add_grants(&r, OPT_fs_write, WRITE_RIGHTS, false);
	add_grants(&r, OPT_fs_write_if_exists, WRITE_RIGHTS, true);
	add_mounts(&r);
	add_host_directories(&r);
	add_gpus(&r);
	add_devices(&r);
	qsort(b->plan->rules, b->plan->rule_count, sizeof *b->plan->rules, by_path);
	merge_same_paths(b->plan);
	drop_implied(b->plan);
	return true;
}
