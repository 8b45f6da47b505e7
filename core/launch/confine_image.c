/*
 * Writes and reads the sections of a confine plan. The preload library contains this file, so everything outside the last
 * part must never call the C library.
 */
#include "launch/confine_image.h"

#include "host/uapi.h"

#include <sys/resource.h>

_Static_assert(sizeof(struct confine_record) == 208, "record is on disk");
_Static_assert(sizeof(struct confine_rule) == 16, "record is on disk");
_Static_assert(sizeof(struct confine_port) == 16, "record is on disk");
_Static_assert(sizeof(struct confine_env) == 8, "record is on disk");
_Static_assert(sizeof(struct confine_source) == 40, "record is on disk");
_Static_assert(sizeof(struct child_rlimit) == 24, "record is on disk");
_Static_assert(PROTECT_COUNT <= 16, "room for every protection");

enum { FILTER_LIMIT = 4096 /* BPF_MAXINSNS */, RULE_LIMIT = 65536, FD_LIMIT = 1 << 20 };

/* The planner's table in a form that needs no relocation and no planner; a unit test compares the two. */
static const struct {
	char name[32];
	int abi;
	uint32_t restrict_flags;
	uint64_t fs, net, scoped;
} bits[PROTECT_COUNT] = {
	[PROTECT_FS_REFER] = {"fs-refer", 2, 0, LL_REFER, 0, 0},
	[PROTECT_FS_TRUNCATE] = {"fs-truncate", 3, 0, LL_TRUNCATE, 0, 0},
	[PROTECT_NET_TCP] = {"net-tcp", 4, 0, 0, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP, 0},
	[PROTECT_FS_IOCTL_DEV] = {"fs-ioctl-dev", 5, 0, LL_IOCTL_DEV, 0, 0},
	[PROTECT_SIGNAL_SCOPE] = {"signal-scope", 6, 0, 0, 0, LL_SCOPE_SIGNAL},
	[PROTECT_ABSTRACT_SCOPE] = {"abstract-unix-socket-scope", 6, 0, 0, 0,
				    LL_SCOPE_ABSTRACT_UNIX},
	[PROTECT_UNIX_RESOLVE] = {"unix-resolve", 9, 0, LL_RESOLVE_UNIX, 0, 0},
	[PROTECT_NET_UDP] = {"net-udp", 10, 0, 0, LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP, 0},
	[PROTECT_ALL_THREADS] = {"all-threads", 8, 0, 0, 0,
				 0}, /* the library counts threads itself */
	[PROTECT_AUDIT_MUTE] = {"audit-mute", 7, LL_RESTRICT_LOG_SUBDOMAINS_OFF, 0, 0, 0},
};

#define FS_BASE (LL_REFER - 1) /* ABI 1 */
#define FS_KNOWN ((LL_RESOLVE_UNIX << 1) - 1)
#define NET_KNOWN ((LL_NET_CONNECT_SEND_UDP << 1) - 1)
#define SCOPE_KNOWN (LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL)
#define RESTRICT_LOG                                                                               \
	(LL_RESTRICT_LOG_SAME_EXEC_OFF | LL_RESTRICT_LOG_NEW_EXEC_ON |                             \
	 LL_RESTRICT_LOG_SUBDOMAINS_OFF)
enum { RESTRICT_LOG_ABI = 7 };

const char *confine_protection_name(unsigned protection)
{
	return protection < PROTECT_COUNT ? bits[protection].name : "";
}

int confine_protection_abi(unsigned protection)
{
	return protection < PROTECT_COUNT ? bits[protection].abi : 0;
}

int confine_masks(const struct confine_record *record, int abi, struct confine_masks *out)
{
	out->handled_fs = record->handled_fs & FS_BASE;
	out->handled_net = out->scoped = 0;
	out->restrict_flags = abi >= RESTRICT_LOG_ABI ? record->restrict_flags : 0;
	out->degraded = 0;
	for (unsigned i = 0; i < PROTECT_COUNT; i++) {
		uint64_t fs = record->handled_fs & bits[i].fs;
		uint64_t net = record->handled_net & bits[i].net;
		uint64_t scoped = record->scoped & bits[i].scoped;
		uint32_t flags = record->restrict_flags & bits[i].restrict_flags;

		if (record->protection[i] == CONFINE_DISABLED)
			out->restrict_flags &= ~flags;
		if (record->protection[i] == CONFINE_DISABLED || !(fs || net || scoped || flags))
			continue;
		if (abi < bits[i].abi) {
			if (record->protection[i] == CONFINE_STRICT)
				return (int)i;
			out->degraded |= 1u << i;
			continue;
		}
		out->handled_fs |= fs;
		out->handled_net |= net;
		out->scoped |= scoped;
	}
	return -1;
}

/* ------------------------------------------------------------------------------------------------ reading */

/* Absent is fine where `needed` is false. */
static bool text_ok(const struct image *image, uint32_t offset, bool absolute, bool needed)
{
	const char *text = image_text(image, offset);

	if (!text)
		return false;
	if (!*text)
		return !needed;
	return !absolute || *text == '/';
}

static const char *text_or_null(const struct image *image, uint32_t offset)
{
	return offset ? image_text(image, offset) : 0;
}

static const char *check_record(const struct image *image, const struct confine_record *r)
{
	if (r->kind != CONFINE_KIND)
		return "it is not a policy for the preload library";
	if (r->flags & ~(uint32_t)CONFINE_FLAGS)
		return "it asks for something this library does not know";
	if ((r->handled_fs & ~FS_KNOWN) || (r->handled_net & ~NET_KNOWN) ||
	    (r->scoped & ~SCOPE_KNOWN) || (r->restrict_flags & ~RESTRICT_LOG))
		return "it asks for Landlock rights this library does not know";
	for (unsigned i = 0; i < sizeof r->protection; i++)
		if (r->protection[i] > (i < PROTECT_COUNT ? CONFINE_STRICT : 0))
			return "a protection has no known state";
	if (!text_ok(image, r->cwd, true, false) || !text_ok(image, r->refused, false, false) ||
	    !text_ok(image, r->name, false, false))
		return "a text lies outside the file";
	return 0;
}

static const char *check_rules(const struct image *image, const struct confine_parts *p)
{
	if (p->rule_count > RULE_LIMIT)
		return "it has too many rules";
	for (uint32_t i = 0; i < p->rule_count; i++) {
		const struct confine_rule *rule = &p->rules[i];

		if (rule->access & ~FS_KNOWN)
			return "a rule grants a right this library does not know";
		if (rule->flags & ~(uint32_t)(RULE_OPTIONAL | RULE_OWN))
			return "a rule has a flag this library does not know";
		if (!text_ok(image, rule->path, true, true))
			return "a rule has no absolute path";
	}
	for (uint32_t i = 0; i < p->port_count; i++)
		if ((p->ports[i].access & ~NET_KNOWN) || p->ports[i].port > 65535)
			return "a port rule is not valid";
	return 0;
}

static const char *check_rest(const struct image *image, const struct confine_parts *p)
{
	bool sets = false;

	if (!p->filter_len || p->filter_len > FILTER_LIMIT)
		return "it has no system call filter";
	if (p->rlimit_count > RLIM_NLIMITS)
		return "it has too many resource limits";
	for (uint32_t i = 0; i < p->rlimit_count; i++)
		if (p->rlimits[i].resource < 0 || p->rlimits[i].resource >= RLIM_NLIMITS ||
		    p->rlimits[i].soft > p->rlimits[i].hard)
			return "a resource limit is not valid";
	for (uint32_t i = 0; i < p->env_count; i++) {
		const struct confine_env *edit = &p->env[i];
		const char *text = image_text(image, edit->text);
		bool equals = false;

		if (!text || !*text || *text == '=' || edit->kind > ENV_SET ||
		    (sets && edit->kind == ENV_KEEP))
			return "an environment entry is not valid";
		sets = edit->kind == ENV_SET;
		for (const char *c = text; *c; c++)
			equals |= *c == '=';
		if (equals != sets)
			return "an environment entry is not valid";
	}
	for (uint32_t i = 0; i < p->source_count; i++)
		if (!text_ok(image, p->sources[i].path, false, true) ||
		    !text_ok(image, p->sources[i].lookup, false, false))
			return "a source has no name";
	if (p->keep_count > CONFINE_KEEP_LIMIT)
		return "it keeps too many descriptors";
	for (uint32_t i = 0; i < p->keep_count; i++)
		if (p->keep_fds[i] < 0 || p->keep_fds[i] > FD_LIMIT ||
		    (i && p->keep_fds[i] <= p->keep_fds[i - 1]))
			return "the list of descriptors is not valid";
	return 0;
}

/* A section that is there, but not with our element size, is another program's. */
#define SECTION(image, type, pointer, count)                                                       \
	(((pointer) = image_get(image, type, sizeof *(pointer), &(count))) ||                      \
	 !has_section(image, type))

static bool has_section(const struct image *image, uint32_t type)
{
	for (uint32_t i = 0; i < image->section_count; i++)
		if (image->sections[i].type == type)
			return true;
	return false;
}

const char *confine_record_read(const struct image *image, struct confine_parts *out)
{
	const struct image_header *header = (const void *)image->data;
	uint32_t count;
	const char *wrong;

	out->image = image;
	if (header->audit_arch != AUDIT_ARCH_NATIVE)
		return "it was compiled for another architecture";
	out->record = image_get(image, IMAGE_PLAN, sizeof *out->record, &count);
	if (!out->record || count != 1)
		return "it holds no policy for the preload library";
	if (!SECTION(image, IMAGE_RULES, out->rules, out->rule_count) ||
	    !SECTION(image, IMAGE_PORTS, out->ports, out->port_count) ||
	    !SECTION(image, IMAGE_FILTER, out->filter, out->filter_len) ||
	    !SECTION(image, IMAGE_RLIMITS, out->rlimits, out->rlimit_count) ||
	    !SECTION(image, IMAGE_ENV_EDITS, out->env, out->env_count) ||
	    !SECTION(image, IMAGE_KEEP_FDS, out->keep_fds, out->keep_count))
		return "a section has another form";
	/* In another form it is not for us; then the policy cannot be found by the name of its source. */
	out->sources =
		image_get(image, IMAGE_DEPENDENCIES, sizeof *out->sources, &out->source_count);
	wrong = check_record(image, out->record);
	if (wrong)
		return wrong;
	out->cwd = text_or_null(image, out->record->cwd);
	out->refused = text_or_null(image, out->record->refused);
	out->name = text_or_null(image, out->record->name);
	if (out->refused) { /* nothing else was compiled; what a damaged file has there is not looked at */
		out->rule_count = out->port_count = out->filter_len = out->rlimit_count = 0;
		out->env_count = out->keep_count = 0;
		return 0;
	}
	wrong = check_rules(image, out);
	return wrong ? wrong : check_rest(image, out);
}

/* ------------------------------------------------------------------------------------------------ writing */

#ifndef SANDLOCK_FREESTANDING

#include "launch/confine.h"
#include "policy/values.h"

#include <string.h>

static const char *const kept_names[] = {KEPT_VARIABLES};

static bool names(const struct policy *policy, enum option_id id, const char *name)
{
	const struct value *value = policy_value(policy, id);

	for (size_t i = 0; i < value->count; i++)
		if (!strcasecmp(value->items[i].text, name))
			return true;
	return false;
}

static enum confine_mode protection_mode(const struct policy *policy, const struct plan *plan,
					 unsigned i)
{
	if (plan->protection[i] == PROTECTION_DISABLED)
		return CONFINE_DISABLED;
	/* Where the filter was compiled without the fallback, the kernel's own protection must be there. */
	if (i == PROTECT_SIGNAL_SCOPE && !(plan->features & WHEN_NO_SIGNAL_SCOPE))
		return CONFINE_STRICT;
	if (i == PROTECT_NET_UDP && !(plan->features & WHEN_NO_UDP))
		return CONFINE_STRICT;
	return !protections[i].strict_by_default || names(policy, OPT_allow_degraded, bits[i].name)
		       ? CONFINE_DEGRADABLE
		       : CONFINE_STRICT;
}

/* The bits of a plan as they would be on the newest kernel: what is only degraded on this host comes back. TCP does not: what
 * the policy leaves open there can no longer be told. */
static void unmask(const struct plan *plan, struct confine_record *r)
{
	for (unsigned i = 0; i < PROTECT_COUNT; i++) {
		if (plan->protection[i] != PROTECTION_DEGRADED)
			continue;
		r->handled_fs |= plan->handled_fs ? bits[i].fs : 0;
		r->scoped |= bits[i].scoped;
		r->restrict_flags |= bits[i].restrict_flags;
		if (i == PROTECT_NET_UDP && (plan->features & WHEN_NO_UDP))
			r->handled_net |= bits[i].net;
	}
}

static void add_environment(const struct policy *policy, struct image_writer *w,
			    struct confine_record *r)
{
	const struct value *pass = policy_value(policy, OPT_env_pass);
	const struct value *set = policy_value(policy, OPT_env);
	const struct value *gpu = policy_value(policy, OPT_gpu);
	bool empty = policy_bool(policy, OPT_empty_env, false);
	bool clean = empty || policy_bool(policy, OPT_clean_env, false);
	struct confine_env *edits = arena_array(
		w->arena, ARRAY_LEN(kept_names) + pass->count + set->count + 2, sizeof *edits);
	uint32_t count = 0;

	if (clean) {
		r->flags |= CONFINE_ONLY_KEPT;
		for (size_t i = 0; !empty && i < ARRAY_LEN(kept_names); i++)
			edits[count++] =
				(struct confine_env){ENV_KEEP, image_add_text(w, kept_names[i])};
		for (size_t i = 0; i < pass->count; i++)
			edits[count++] = (struct confine_env){
				ENV_KEEP, image_add_text(w, pass->items[i].text)};
		/* KEY alone: the caller's value stays. */
		for (size_t i = 0; i < set->count; i++)
			if (!strchr(set->items[i].text, '='))
				edits[count++] = (struct confine_env){
					ENV_KEEP, image_add_text(w, set->items[i].text)};
	}
	for (size_t i = 0; i < set->count; i++)
		if (strchr(set->items[i].text, '='))
			edits[count++] = (struct confine_env){
				ENV_SET, image_add_text(w, set->items[i].text)};
	if (gpu->set && gpu->count) {
		auto_str indices = {0};

		for (size_t i = 0; i < gpu->count; i++)
			str_printf(&indices, "%s%llu", i ? "," : "",
				   (unsigned long long)gpu->items[i].num);
		edits[count++] = (struct confine_env){
			ENV_SET, image_add_text(w, arena_printf(w->arena, "CUDA_VISIBLE_DEVICES=%s",
								str_text(&indices)))};
		edits[count++] = (struct confine_env){
			ENV_SET, image_add_text(w, arena_printf(w->arena, "ROCR_VISIBLE_DEVICES=%s",
								str_text(&indices)))};
	}
	image_add(w, IMAGE_ENV_EDITS, edits, count, sizeof *edits);
}

static void add_rules(const struct plan *plan, struct image_writer *w)
{
	struct confine_rule *rules = arena_array(w->arena, plan->rule_count + 1, sizeof *rules);
	struct confine_port *ports = arena_array(w->arena, plan->port_count + 1, sizeof *ports);

	for (size_t i = 0; i < plan->rule_count; i++)
		rules[i] = (struct confine_rule){
			.access = plan->rules[i].access,
			.path = image_add_text(w, plan->rules[i].path),
			.flags = plan->rules[i].flags & (RULE_OPTIONAL | RULE_OWN),
		};
	for (size_t i = 0; i < plan->port_count; i++)
		ports[i] = (struct confine_port){
			.access = plan->ports[i].access,
			.port = plan->ports[i].port,
		};
	image_add(w, IMAGE_RULES, rules, (uint32_t)plan->rule_count, sizeof *rules);
	image_add(w, IMAGE_PORTS, ports, (uint32_t)plan->port_count, sizeof *ports);
}

static void add_rlimits(const struct plan *plan, struct image_writer *w)
{
	struct child_rlimit *limits = arena_array(w->arena, plan->rlimit_count + 1, sizeof *limits);

	for (size_t i = 0; i < plan->rlimit_count; i++)
		limits[i] = (struct child_rlimit){
			.resource = plan->rlimits[i].resource,
			.soft = MIN(plan->rlimits[i].soft, plan->rlimits[i].hard),
			.hard = plan->rlimits[i].hard,
		};
	image_add(w, IMAGE_RLIMITS, limits, (uint32_t)plan->rlimit_count, sizeof *limits);
}

const char *confine_refused(const struct policy *policy, struct arena *arena)
{
	auto_str list = {0};

	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct value *value = &policy->values[id];
		bool stands = false;

		if (!value->set || (options[id].modes & IN_CONFINE))
			continue;
		for (size_t i = 0; i < value->count; i++)
			stands |= !item_is_neutral(id, &value->items[i]);
		if (!stands)
			continue;
		if (list.len)
			str_add(&list, ", ");
		str_add(&list, option_name(arena, id, false));
	}
	/* Read when the policy is compiled, by whoever compiles; an image cannot say what the file holds later. */
	if (policy_value(policy, OPT_env_file)->count)
		str_printf(&list, "%s%s", list.len ? ", " : "",
			   option_name(arena, OPT_env_file, false));
	return list.len ? arena_strdup(arena, str_text(&list)) : NULL;
}

void image_confine_build(const struct policy *policy, const struct plan *plan,
			 struct image_writer *w)
{
	struct confine_record *r = arena_new(w->arena, struct confine_record);

	w->header.audit_arch = AUDIT_ARCH_NATIVE;
	r->kind = CONFINE_KIND;
	r->name = image_add_text(w, policy->name);
	r->refused = image_add_text(w, confine_refused(policy, w->arena));
	image_add(w, IMAGE_PLAN, r, 1, sizeof *r);
	if (!plan)
		return;

	/* The same decisions as for a launch, for user 0: whether capabilities are kept is known only where it is applied. */
	struct plan process = *plan;
	const struct host root = {0};
	struct child_confine c;
	auto_error ignored = {0};
	process.rlimit_count = 0;
	confine_prepare(&process, &root, w->arena, &c, &ignored);

	r->flags |= (c.no_thp ? CONFINE_NO_THP : 0u) | (c.no_core ? CONFINE_NO_CORE : 0u) |
		    (c.drop_caps ? CONFINE_DROP_CAPS : 0u) |
		    (c.root_closed ? CONFINE_ROOT_CLOSED : 0u) |
		    (plan->has_cpu_mask ? CONFINE_HAS_CPU_MASK : 0u);
	r->keep_caps = c.keep_caps;
	r->handled_fs = plan->handled_fs;
	r->handled_net = plan->handled_net;
	r->scoped = plan->scoped;
	r->restrict_flags = plan->restrict_flags & RESTRICT_LOG;
	r->features = plan->features;
	for (unsigned i = 0; i < PROTECT_COUNT; i++)
		r->protection[i] = (uint8_t)protection_mode(policy, plan, i);
	unmask(plan, r);
	if (plan->has_cpu_mask)
		memcpy(r->cpu_mask, plan->cpu_mask, sizeof r->cpu_mask);
	r->cwd = image_add_text(w, plan->cwd);
	add_rules(plan, w);
	add_rlimits(plan, w);
	add_environment(policy, w, r);
	image_add(w, IMAGE_FILTER, plan->filter, (uint32_t)plan->filter_len, sizeof *plan->filter);
	image_add(w, IMAGE_KEEP_FDS, NULL, 0, sizeof(int32_t));
}

#endif
