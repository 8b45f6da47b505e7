/*
 * `sandlock check`: what this machine can enforce, found out by doing; `-p NAME`: how it would enforce one policy.
 * The first block of the text keeps the reference's labels and columns, for scripts.
 */
#include "cli.h"

#include "base/fd.h"
#include "base/json.h"
#include "host/host.h"
#include "plan/plan.h"
#include "policy/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MINIMUM_ABI = 6, AUDIT_ABI = 7 };

/* What a missing fact costs. */
enum weight {
	WEIGHT_VALUE,	 /* the detail is the answer */
	WEIGHT_NONE,	 /* information */
	WEIGHT_DEGRADED, /* a shipped policy loses something: status 1 */
	WEIGHT_FATAL,	 /* nothing can run: status 125 */
};

struct fact {
	const char *key, *label;
	bool good;
	enum weight weight;
	const char *detail; /* or NULL */
};

struct report {
	struct arena arena;
	struct host host;
	struct host_details details;
	struct fact facts[32];
	size_t count;
	int status;
};

static void add(struct report *r, const char *key, const char *label, bool good, enum weight weight,
		const char *detail)
{
	if (!good && weight == WEIGHT_FATAL)
		r->status = EXIT_SANDLOCK;
	if (!good && weight == WEIGHT_DEGRADED && r->status == 0)
		r->status = 1;
	if (r->count < ARRAY_LEN(r->facts))
		r->facts[r->count++] = (struct fact){key, label, good, weight, detail};
}

/* A kernel setting without its newline, or NULL. */
static const char *read_setting(struct report *r, const char *path)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t len = fd < 0 ? -1 : fd_read_all(fd, text, sizeof text - 1);

	if (len <= 0)
		return NULL;
	text[len] = 0;
	text[strcspn(text, "\n")] = 0;
	for (char *tab = text; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	return arena_strdup(&r->arena, text);
}

static const char *failure(int error)
{
	return error ? strerror(error) : NULL;
}

static const char *ptrace_scope(struct report *r)
{
	static const char *const words[] = {"0: processes of one user", "1: descendants only",
					    "2: administrators only", "3: nobody"};
	int scope = r->details.ptrace_scope;

	return scope >= 0 && scope < (int)ARRAY_LEN(words) ? words[scope] : "no Yama";
}

static const char *cache_state(struct report *r, const struct surroundings *s)
{
	const char *directory = cache_directory(s, &r->arena);
	size_t count = 0;

	if (!s->use_cache || !directory)
		return "off";
	cache_list(s, &r->arena, &count);
	return arena_printf(&r->arena, "%s (%zu compiled)", directory, count);
}

static void gather(struct report *r, const struct surroundings *s)
{
	const struct host *h = &r->host;
	const struct host_details *d = &r->details;
	size_t policies = 0;

	host_probe_all(&r->host, &r->details);
	if (h->landlock_abi <= 0)
		r->status = EXIT_SANDLOCK;
	else if (h->landlock_abi < MINIMUM_ABI)
		r->status = 1;

	const char *knob =
		read_setting(r, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	const char *ping = read_setting(r, "/proc/sys/net/ipv4/ping_group_range");
	const char *reason = h->user_namespace_reason;

	add(r, "seccomp_filter", "System call filter", h->seccomp_filter, WEIGHT_FATAL, NULL);
	add(r, "seccomp_notify", "Answering calls", h->seccomp_notify, WEIGHT_DEGRADED, NULL);
	add(r, "wait_killable", "WAIT_KILLABLE_RECV", h->wait_killable, WEIGHT_NONE, "Linux 5.19");
	add(r, "addfd_send", "ADDFD_SEND", d->addfd_send, WEIGHT_NONE, "Linux 5.14");
	add(r, "sync_wake_up", "Same-CPU wake-up", d->sync_wake_up, WEIGHT_NONE, "Linux 6.6");
	add(r, "process_vm", "process_vm_readv", !d->process_vm_errno, WEIGHT_DEGRADED,
	    failure(d->process_vm_errno));
	add(r, "pidfd_getfd", "pidfd_getfd", !d->pidfd_getfd_errno, WEIGHT_NONE,
	    failure(d->pidfd_getfd_errno));
	add(r, "tcp_filter", "Filters on TCP sockets", h->tcp_filter == ANSWER_YES, WEIGHT_NONE,
	    NULL);
	add(r, "udp_filter", "Filters on UDP sockets", h->udp_filter == ANSWER_YES, WEIGHT_NONE,
	    NULL);
	add(r, "ptrace_scope", "ptrace scope", d->ptrace_scope < 3, WEIGHT_VALUE, ptrace_scope(r));
	add(r, "user_namespaces", "User namespaces", h->user_namespace == ANSWER_YES,
	    WEIGHT_DEGRADED, reason ? reason : failure(d->user_namespace_errno));
	add(r, "private_proc", "Private /proc", h->private_proc == ANSWER_YES, WEIGHT_DEGRADED,
	    failure(d->mount_proc_errno));
	add(r, "overlayfs", "overlayfs", !d->overlay_errno, WEIGHT_NONE, failure(d->overlay_errno));
	if (knob)
		add(r, "apparmor_userns", "AppArmor allows them", knob[0] == '0', WEIGHT_NONE,
		    "kernel.apparmor_restrict_unprivileged_userns");
	add(r, "ping", "Ping sockets", ping && strcmp(ping, "1 0") != 0, WEIGHT_NONE, ping);
	add(r, "cgroup", "Delegated cgroup", d->cgroup_delegated, WEIGHT_NONE, NULL);
	add(r, "ipv6", "IPv6", d->ipv6, WEIGHT_NONE, NULL);
	add(r, "audit", "Denials in audit log", h->landlock_abi >= AUDIT_ABI, WEIGHT_NONE,
	    "ABI v7");
	add(r, "keyring", "User keyring", d->keyring, WEIGHT_NONE, NULL);

	policy_enumerate(s, &r->arena, &policies);
	add(r, "policies", "Policies", policies > 0, WEIGHT_VALUE,
	    arena_printf(&r->arena, "%zu can be named%s%s", policies,
			 s->policy_path ? ", first from " : "",
			 s->policy_path ? s->policy_path : ""));
	add(r, "cache", "Policy cache", s->use_cache, WEIGHT_VALUE, cache_state(r, s));
}

static const char *landlock_reason(const struct host *h)
{
	switch (h->landlock_errno) {
	case ENOSYS:
		return "not built into this kernel";
	case EOPNOTSUPP:
		return "switched off when the kernel was started";
	default:
		return strerror(h->landlock_errno);
	}
}

static void print_landlock(const struct host *h, struct str *out)
{
	static const struct {
		char label[16];
		int abi;
	} rows[] = {
		{"Filesystem:", 1},   {"File truncate:", 3}, {"TCP ports:", 4},
		{"Device ioctl:", 5}, {"IPC scoping:", 6},   {"Signal scoping:", 6},
	};

	if (h->landlock_abi <= 0) {
		str_printf(out, "  Landlock:         unavailable (%s)\n", landlock_reason(h));
		str_add(out, "  Status:           UNSUPPORTED\n");
		return;
	}
	str_printf(out, "  Landlock:         ABI v%d\n", h->landlock_abi);
	str_printf(out, "  Minimum required: ABI v%d\n", MINIMUM_ABI);
	str_printf(out, "  Status:           %s\n",
		   h->landlock_abi >= MINIMUM_ABI ? "OK" : "UNSUPPORTED (upgrade kernel)");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str_printf(out, "  %-17s ", rows[i].label);
		if (h->landlock_abi >= rows[i].abi)
			str_printf(out, "supported (ABI v%d+)\n", rows[i].abi);
		else
			str_add(out, "not supported\n");
	}
	str_printf(out, "\nPer-protection availability (host Landlock ABI v%d):\n",
		   h->landlock_abi);
	for (size_t i = 0; i < PROTECT_COUNT; i++) {
		const struct protection *p = &protections[i];

		str_printf(out, "  %-22s requires v%d \xe2\x80\x94 %s%s\n", p->name, p->abi,
			   h->landlock_abi >= p->abi ? "available" : "unavailable",
			   p->strict_by_default ? "" : " (optional)");
	}
	if (h->landlock_errata)
		str_printf(out, "  Errata fixed: 0x%x\n", h->landlock_errata);
}

static void print_text(const struct report *r, const char *machine, struct str *out)
{
	static const char *const verdicts[] = {
		"everything that the shipped policies use works here",
		"programs can be confined here; what is marked ! is missing",
		"no program can be confined here",
	};

	str_add(out, "Kernel feature support:\n");
	print_landlock(&r->host, out);
	str_add(out, "\nBeyond Landlock, tried on this machine:\n");
	for (size_t i = 0; i < r->count; i++) {
		const struct fact *f = &r->facts[i];

		bool value = f->weight == WEIGHT_VALUE;

		str_printf(out, "%c %-22s %s", !f->good && f->weight > WEIGHT_NONE ? '!' : ' ',
			   f->label,
			   value     ? ""
			   : f->good ? "yes"
				     : "no");
		if (f->detail) {
			str_add(out, value ? "" : " (");
			str_add_escaped(out, f->detail);
			str_add(out, value ? "" : ")");
		}
		str_add_char(out, '\n');
	}
	str_printf(out, "\nResult: %s\nPlatform: %s\n",
		   verdicts[r->status == EXIT_SANDLOCK ? 2 : r->status], machine);
}

static void print_json(const struct report *r, const char *machine, struct str *out)
{
	struct json j = {.out = out};
	const struct host *h = &r->host;

	json_object(&j, NULL);
	json_u64(&j, "schema", 1);
	json_string(&j, "status", r->status == 0 ? "ok" : r->status == 1 ? "degraded" : "unusable");
	json_string(&j, "platform", machine);
	json_object(&j, "landlock");
	json_i64(&j, "abi", h->landlock_abi);
	json_i64(&j, "minimum", MINIMUM_ABI);
	json_u64(&j, "errata", h->landlock_errata);
	if (h->landlock_abi <= 0)
		json_string(&j, "reason", landlock_reason(h));
	json_end_object(&j);
	json_array(&j, "protections");
	for (size_t i = 0; i < PROTECT_COUNT; i++) {
		json_object(&j, NULL);
		json_string(&j, "name", protections[i].name);
		json_i64(&j, "requires", protections[i].abi);
		json_bool(&j, "available", h->landlock_abi >= protections[i].abi);
		json_bool(&j, "strict", protections[i].strict_by_default);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_object(&j, "features");
	for (size_t i = 0; i < r->count; i++) {
		json_object(&j, r->facts[i].key);
		json_bool(&j, "available", r->facts[i].good);
		json_bool(&j, "needed", r->facts[i].weight > WEIGHT_NONE);
		if (r->facts[i].detail)
			json_string(&j, "detail", r->facts[i].detail);
		json_end_object(&j);
	}
	json_end_object(&j);
	json_end_object(&j);
	str_add_char(out, '\n');
}

static int check_host(const struct cli *cli)
{
	struct report r = {0};
	struct utsname name;
	auto_str out = {0};
	int status;

	gather(&r, &cli->s);
	if (uname(&name) < 0)
		strcpy(name.machine, "unknown");
	if (cli->json)
		print_json(&r, name.machine, &out);
	else
		print_text(&r, name.machine, &out);
	status = r.status;
	arena_free(&r.arena);
	return cli_print(&out) ? EXIT_SANDLOCK : status;
}

/* 0: all active; 1: something degraded or switched off; 125: this host cannot enforce the policy. */
static int check_policy(const struct cli *cli, const char *name)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;
	struct host host;
	struct host_details details;
	struct plan plan;
	int status = 0;

	policy_init(&policy, &arena);
	if (!policy_load(name, NO_ORIGIN, &cli->s, &policy, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);

	bool supervised = policy_bool(&policy, OPT_supervisor, true);
	struct plan_request request = {
		.wanted = supervised ? PLAN_SUPERVISE : PLAN_IN_PLACE,
		.mode = supervised ? IN_SUPERVISED : IN_KERNEL,
		.cwd = cli->s.cwd,
	};

	host_probe_all(&host, &details);
	if (!policy_check(&policy, request.mode, &err) ||
	    !network_facts(&policy, &arena, &host, &request, &err) ||
	    !plan_build(&policy, &host, &request, &arena, &plan, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);
	for (size_t i = 0; i < PROTECT_COUNT; i++) {
		if (protections[i].strict_by_default && plan.protection[i] != PROTECTION_ACTIVE)
			status = 1;
	}
	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_string(&j, "policy", name);
		json_string(&j, "status", status ? "degraded" : "ok");
		json_object(&j, "plan");
		plan_describe_json(&plan, &j);
		json_end_object(&j);
		json_end_object(&j);
		str_add_char(&out, '\n');
	} else {
		str_add(&out, "Policy ");
		str_add_escaped(&out, name);
		str_printf(&out, " on this machine: %s\n\n",
			   status ? "enforced, with protections missing" : "enforced");
		plan_describe(&plan, &out);
	}
	if (err.count)
		cli_report(cli, &err, 0);
	return cli_print(&out) ? EXIT_SANDLOCK : status;
}

int check_main(struct cli *cli, int argc, char **argv)
{
	const char *name = NULL;
	const struct cli_flag flags[] = {
		{"policy", 'p', NULL, &name},
		{"profile", 0, NULL, &name},
	};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);

	if (status >= 0)
		return status;
	if (argc > 1)
		return cli_usage_error(cli, "check takes no operand: \"%s\"", argv[1]);
	return name ? check_policy(cli, name) : check_host(cli);
}
