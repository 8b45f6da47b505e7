/* See planning.h. */
#include "planning.h"

#include "host/uapi.h"

#include <stdlib.h>
#include <string.h>

struct planning planning_new(int abi)
{
	struct planning p = {
		.arena = calloc(1, sizeof *p.arena),
		.host = {.audit_arch = AUDIT_ARCH_NATIVE,
			 .landlock_abi = abi,
			 .landlock_errno = abi ? 0 : 95,
			 .seccomp_filter = true,
			 .seccomp_notify = true,
			 .wait_killable = true,
			 .proc_mounted = true,
			 .user_namespace = ANSWER_YES,
			 .private_proc = ANSWER_YES,
			 .tcp_filter = ANSWER_YES,
			 .udp_filter = ANSWER_YES,
			 .uid = 1000,
			 .gid = 1000,
			 .cpu_count = 4,
			 .cpu_mask = {0x5a}}, /* 1, 3, 4, 6 */
		.request = {.wanted = PLAN_SUPERVISE, .mode = IN_SUPERVISED, .cwd = "/"},
	};

	policy_init(&p.policy, p.arena);
	return p;
}

void planning_add_at(struct planning *p, enum option_id id, const char *text, const char *file,
		     uint32_t line)
{
	struct origin origin = {.file = file, .line = line, .col = 1};

	if (!policy_add(&p->policy, id, text, origin, &p->err))
		abort();
}

void planning_add(struct planning *p, enum option_id id, const char *text)
{
	planning_add_at(p, id, text, "test.yaml", 1);
}

struct planning planning_with(int abi, const struct pair *pairs)
{
	struct planning p = planning_new(abi);

	for (; pairs->text; pairs++)
		planning_add(&p, pairs->id, pairs->text);
	return p;
}

bool planning_build(struct planning *p)
{
	return plan_build(&p->policy, &p->host, &p->request, p->arena, &p->plan, &p->err);
}

const struct plan_rule *planning_rule(const struct planning *p, const char *path)
{
	for (size_t i = 0; i < p->plan.rule_count; i++)
		if (!strcmp(p->plan.rules[i].path, path))
			return &p->plan.rules[i];
	return NULL;
}

bool planning_said(const struct planning *p, const char *text)
{
	for (size_t i = 0; i < p->err.count; i++) {
		const struct diagnostic *d = &p->err.list[i];

		if (strstr(d->message, text) || (d->hint && strstr(d->hint, text)))
			return true;
	}
	return false;
}

void planning_free(struct planning *p)
{
	error_free(&p->err);
	arena_free(p->arena);
	free(p->arena);
}
