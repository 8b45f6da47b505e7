/* A plan in words, for `run --explain` and `check`: what is enforced, and who enforces it. */
#include "plan/parts.h"
#include "plan/syscalls.h"

#include "base/json.h"
#include "host/uapi.h"

#include <linux/seccomp.h>
#include <string.h>

static const char *const mode_names[] = {
	[PLAN_IN_PLACE] = "in-place",
	[PLAN_SUPERVISE] = "supervised",
	[PLAN_PRELOAD] = "preload",
};
static const char *const mode_texts[] = {
	[PLAN_IN_PLACE] = "in place: the kernel enforces everything, nobody stays",
	[PLAN_SUPERVISE] = "supervised: a supervisor ends what the command leaves behind",
	[PLAN_PRELOAD] = "preload: the library confines the process it is loaded into",
};
static const char *const state_names[] = {
	[PROTECTION_ACTIVE] = "active",
	[PROTECTION_DEGRADED] = "degraded",
	[PROTECTION_DISABLED] = "disabled",
};
static const char *const capability_names[] = {
	[CAPS_FILES] = "files",
	[CAPS_NONE] = "none",
	[CAPS_KEEP] = "keep",
};
static const char mount_names[][6] = {
	[MOUNT_BIND] = "bind",
	[MOUNT_TMPFS] = "tmpfs",
	[MOUNT_FILE] = "file",
};

/* "read write execute ioctl" */
static void access_words(uint64_t access, struct str *out)
{
	static const struct {
		uint64_t bit;
		const char *word;
	} words[] = {{LL_READ_FILE, "read"},
		     {LL_EXECUTE, "execute"},
		     {LL_WRITE_FILE, "write"},
		     {LL_MAKE_REG, "create"},
		     {LL_IOCTL_DEV, "ioctl"}};
	size_t start = out->len;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (access & words[i].bit)
			str_printf(out, "%s%s", out->len > start ? "+" : "", words[i].word);
}

/* Calls the supervisor is asked about; `emit` gets each name once. Those on the few descriptors of the netlink stand-in are left
 * out: socket() stands for them. */
static void each_trap(const struct plan *plan, void (*emit)(const char *name, void *ctx), void *ctx)
{
	bool seen[CALL_COUNT] = {false};

	for (size_t i = 0; i < syscall_row_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if (row->verdict != SECCOMP_RET_USER_NOTIF || !row_active(row, plan->features) ||
		    row->handler == HANDLER_netlink || seen[row->call] ||
		    call_infos[row->call].number[arch_index(AUDIT_ARCH_NATIVE)] < 0)
			continue;
		seen[row->call] = true;
		emit(call_name((enum call_id)row->call), ctx);
	}
}

static void trap_word(const char *name, void *ctx)
{
	struct str *out = ctx;

	str_printf(out, " %s", name);
}

static void describe_view(const struct plan *plan, struct str *out)
{
	const struct plan_view *view = &plan->view;

	if (!view->wanted) {
		str_add(out, "view         none: the host's processes, mounts and name\n");
		return;
	}
	str_printf(out, "view         private processes, mounts and IPC%s%s",
		   view->private_proc ? ", own /proc" : "",
		   view->required ? "" : " (when possible)");
	if (view->hostname) {
		str_add(out, ", host name ");
		str_add_escaped(out, view->hostname);
	}
	str_printf(out, "\nids          %u:%u%s\n", view->inside_uid, view->inside_gid,
		   view->map_all ? "" : ", all others shown as nobody");
	for (size_t i = 0; i < view->mount_count; i++) {
		const struct plan_mount *m = &view->mounts[i];

		str_printf(out, "mount        %-5s ", mount_names[m->kind]);
		str_add_escaped(out, m->target);
		if (m->source) {
			str_add(out, " from ");
			str_add_escaped(out, m->source);
		}
		str_printf(out, "%s%s\n", (m->flags & ITEM_READ_ONLY) ? " read-only" : "",
			   (m->flags & ITEM_NOEXEC) ? " noexec" : "");
	}
}

static void describe_supervision(const struct plan *plan, struct str *out)
{
	if (plan->mode != PLAN_SUPERVISE)
		return;
	str_add(out, "answers     ");
	if (plan->listener)
		each_trap(plan, trap_word, out);
	else
		str_add(out, " nothing");
	str_add_char(out, '\n');
	if (plan->max_processes)
		str_printf(out, "processes    at most %u\n", plan->max_processes);
	if (plan->timeout_ns)
		str_printf(out, "timeout      %.3f s, then %.3f s to end\n",
			   (double)plan->timeout_ns / 1e9, (double)plan->kill_after_ns / 1e9);
	if (plan->max_duration_ns)
		str_printf(out, "duration     at most %.3f s\n",
			   (double)plan->max_duration_ns / 1e9);
	str_printf(out, "descendants  %s\n",
		   plan->descendants == DESCENDANTS_WAIT    ? "waited for"
		   : plan->descendants == DESCENDANTS_LEAVE ? "left alone"
							    : "killed");
}

void plan_describe(const struct plan *plan, struct str *out)
{
	str_printf(out, "mode         %s\n", mode_texts[plan->mode]);
	describe_view(plan, out);
	for (size_t i = 0; i < plan->rule_count; i++) {
		auto_str words = {0};

		access_words(plan->rules[i].access, &words);
		str_printf(out, "files        %-24s ", str_text(&words));
		str_add_escaped(out, plan->rules[i].path);
		str_printf(out, "%s\n",
			   (plan->rules[i].flags & RULE_OWN)	    ? " (default)"
			   : (plan->rules[i].flags & RULE_OPTIONAL) ? " (if it exists)"
								    : "");
	}
	describe_network(plan, out);
	for (size_t i = 0; i < PROTECT_COUNT; i++)
		str_printf(out, "protection   %-27s %s\n", protections[i].name,
			   state_names[plan->protection[i]]);
	str_printf(out, "filter       %zu instructions%s\n", plan->filter_len,
		   (plan->features & WHEN_METADATA_CLOSED) ? ", file metadata closed" : "");
	describe_supervision(plan, out);
	str_printf(out, "process      capabilities %s%s%s%s\n",
		   capability_names[plan->capabilities], plan->no_core ? ", no core dumps" : "",
		   plan->no_aslr ? ", fixed layout" : "", plan->no_thp ? ", no huge pages" : "");
}

/* ---- JSON ---- */

static void trap_json(const char *name, void *ctx)
{
	json_string(ctx, NULL, name);
}

static void view_json(const struct plan_view *view, struct json *j)
{
	json_object(j, "view");
	json_bool(j, "wanted", view->wanted);
	if (view->wanted) {
		json_bool(j, "required", view->required);
		json_bool(j, "private_proc", view->private_proc);
		if (view->hostname)
			json_string(j, "hostname", view->hostname);
		json_u64(j, "uid", view->inside_uid);
		json_u64(j, "gid", view->inside_gid);
		json_array(j, "mounts");
		for (size_t i = 0; i < view->mount_count; i++) {
			const struct plan_mount *m = &view->mounts[i];

			json_object(j, NULL);
			json_string(j, "kind", mount_names[m->kind]);
			json_string(j, "target", m->target);
			if (m->source)
				json_string(j, "source", m->source);
			json_bool(j, "read_only", (m->flags & ITEM_READ_ONLY) != 0);
			json_bool(j, "noexec", (m->flags & ITEM_NOEXEC) != 0);
			json_end_object(j);
		}
		json_end_array(j);
	}
	json_end_object(j);
}

void plan_describe_json(const struct plan *plan, struct json *j)
{
	json_string(j, "mode", mode_names[plan->mode]);
	view_json(&plan->view, j);
	json_array(j, "files");
	for (size_t i = 0; i < plan->rule_count; i++) {
		auto_str words = {0};

		access_words(plan->rules[i].access, &words);
		json_object(j, NULL);
		json_string(j, "path", plan->rules[i].path);
		json_string(j, "access", str_text(&words));
		json_bool(j, "default", (plan->rules[i].flags & RULE_OWN) != 0);
		json_bool(j, "optional", (plan->rules[i].flags & RULE_OPTIONAL) != 0);
		json_end_object(j);
	}
	json_end_array(j);
	describe_network_json(plan, j);
	json_object(j, "protections");
	for (size_t i = 0; i < PROTECT_COUNT; i++)
		json_string(j, protections[i].name, state_names[plan->protection[i]]);
	json_end_object(j);
	json_u64(j, "filter_instructions", plan->filter_len);
	json_bool(j, "metadata_closed", (plan->features & WHEN_METADATA_CLOSED) != 0);
	json_bool(j, "listener", plan->listener);
	json_array(j, "traps");
	each_trap(plan, trap_json, j);
	json_end_array(j);
	json_string(j, "capabilities", capability_names[plan->capabilities]);
	json_u64(j, "max_processes", plan->max_processes);
	json_u64(j, "timeout_ns", plan->timeout_ns);
	json_u64(j, "max_duration_ns", plan->max_duration_ns);
}
