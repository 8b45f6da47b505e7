/* The launcher: opens what the plan names, builds the view, takes the outer layer, and becomes what the plan says. */
#include "launch/launch.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"
#include "launch/child.h"
#include "launch/confine.h"
#include "launch/holder.h"
#include "launch/record.h"
#include "launch/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STATUS_SANDLOCK = 125 };

static void keep_over_exec(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/* What execvp hands to the shell for a script without #!. */
char **shell_arguments(char *const *command, struct arena *arena)
{
	size_t count = 0;

	while (command[count])
		count++;
	char **argv = arena_array(arena, count + 2, sizeof *argv);
	argv[0] = arena_strdup(arena, "/bin/sh");
	for (size_t i = 1; i < count; i++)
		argv[i + 1] = command[i];
	return argv;
}

/* The mask and dispositions that a program expects at its start. */
static void default_signals(void)
{
	static const struct kernel_sigaction {
		void *handler;
		unsigned long flags, restorer;
		uint64_t mask;
	} standard; /* SIG_DFL */
	const uint64_t none = 0;

	for (int sig = 1; sig <= 64; sig++)
		SYS(rt_sigaction, sig, &standard, NULL, sizeof none);
	SYS(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

int launch_in_place(const struct launch *l, struct error *err)
{
	struct arena *arena = &err->arena;
	struct child_confine confine;
	struct child_failure failure = {0};
	int ruleset;

	if (!rules_open(l->plan, -1, NULL, 0, &ruleset, NULL, err) ||
	    !confine_prepare(l->plan, l->host, arena, &confine, err))
		return STATUS_SANDLOCK;
	confine.ruleset_fd = ruleset;
	default_signals();

	int r = child_confine(&confine, &failure);
	if (r == 0)
		r = child_filter(&confine, &failure);
	if (r == 0 && (r = child_sweep(3, NULL, 0, false)) < 0)
		failure = (struct child_failure){.step = STEP_SWEEP, .error = -r};
	if (r == 0 && confine.has_nofile) {
		uint64_t value[2] = {confine.nofile.soft, confine.nofile.hard};

		r = (int)SYS(prlimit64, 0, confine.nofile.resource, value, 0);
		if (r < 0)
			failure = (struct child_failure){.step = STEP_NOFILE, .error = -r};
	}
	if (r == 0) {
		r = child_exec(l->candidates, l->command, l->environment,
			       shell_arguments(l->command, arena));
		failure = (struct child_failure){.step = STEP_EXEC, .error = -r};
	}
	return launch_explain(failure.step, failure.error, failure.index,
			      confine_place(l->plan, failure.step, failure.index, err),
			      l->candidates,
			      failure.step == STEP_CWD ? l->plan->cwd : l->command[0], err);
}

/* What the supervisor itself needs of the file system, inside the layer it shares with its guests. */
static size_t own_rules(const struct launch *l, struct own_rule *own)
{
	size_t n = 0;

	own[n++] = (struct own_rule){"/proc/self/exe", LL_EXECUTE | LL_READ_FILE};
	/* Process trees are read from /proc: to find who is left, and to count. */
	if (l->plan->listener || !(l->plan->scoped & LL_SCOPE_SIGNAL) || getppid() == 0)
		own[n++] = (struct own_rule){"/proc", LL_READ_FILE | LL_READ_DIR};
	return n;
}

static void add_texts(struct image_writer *w, struct arena *arena, uint32_t type,
		      const char *const *texts)
{
	size_t count = 0;

	while (texts[count])
		count++;
	uint32_t *offsets = arena_array(arena, count + 1, sizeof *offsets);
	for (size_t i = 0; i < count; i++)
		offsets[i] = image_add_text(w, texts[i]);
	image_add(w, type, offsets, (uint32_t)count, sizeof *offsets);
}

static void add_network(struct image_writer *w, struct arena *arena, const struct plan_net *net)
{
	struct net_record *record = arena_new(arena, struct net_record);
	struct net_grant *grants = arena_array(arena, net->grant_count, sizeof *grants);
	const struct endpoint_table *table = &net->table;

	*record = net->record;
	record->hosts = image_add_text(w, net->hosts);
	for (size_t i = 0; i < net->grant_count; i++)
		grants[i].path = image_add_text(w, net->grants[i]);
	image_add(w, IMAGE_NET, record, 1, sizeof *record);
	image_add(w, IMAGE_ENDPOINTS, table->entries, (uint32_t)table->count,
		  sizeof *table->entries);
	image_add(w, IMAGE_ENDPOINT_PORTS, table->ports, (uint32_t)table->port_count,
		  sizeof *table->ports);
	image_add(w, IMAGE_OWN_ADDRESSES, table->own, (uint32_t)table->own_count,
		  sizeof *table->own);
	image_add(w, IMAGE_NET_GRANTS, grants, (uint32_t)net->grant_count, sizeof *grants);
	image_add(w, IMAGE_NET_PUBLISHED, net->published, (uint32_t)net->published_count,
		  sizeof *net->published);
	image_add(w, IMAGE_NET_BINDS, net->binds, (uint32_t)net->bind_count, sizeof *net->binds);
}

static int write_image(const struct launch *l, const struct holder *holder, int ruleset,
		       const struct child_confine *confine, struct arena *arena, struct error *err)
{
	const struct plan *plan = l->plan;
	struct image_writer w;
	struct launch_record record = {
		.features = plan->features,
		.ruleset_fd = ruleset,
		.cwd_fd = -1,
		.control_fd = holder->control_fd,
		.holder_pid = holder->pid,
		.status_fd = l->status_fd,
		.report_fd = l->report_fd,
		.registry_fd = l->registry_fd,
		.restrict_flags = plan->restrict_flags,
		.max_processes = plan->max_processes,
		.keep_caps = confine->keep_caps,
		.timeout_ns = plan->timeout_ns,
		.max_duration_ns = plan->max_duration_ns,
		.kill_after_ns = plan->kill_after_ns,
		.started_ns = l->started_ns,
		.nofile = confine->nofile,
	};
	const struct {
		bool set;
		uint32_t flag;
	} flags[] = {
		{plan->listener, RECORD_LISTENER},
		{confine->wait_killable, RECORD_WAIT_KILLABLE},
		{confine->no_aslr, RECORD_NO_ASLR},
		{confine->no_thp, RECORD_NO_THP},
		{confine->no_core, RECORD_NO_CORE},
		{confine->drop_caps, RECORD_DROP_CAPS},
		{confine->root_closed, RECORD_ROOT_CLOSED},
		{plan->scoped & LL_SCOPE_SIGNAL, RECORD_SCOPED},
		{plan->view.wanted, RECORD_VIEW},
		{plan->descendants == DESCENDANTS_WAIT, RECORD_DESCENDANTS_WAIT},
		{policy_bool(l->policy, OPT_new_session, false), RECORD_NEW_SESSION},
		{l->quiet, RECORD_QUIET},
		{l->compat, RECORD_COMPAT},
		{confine->cpu_mask, RECORD_HAS_CPU_MASK},
		{plan->view.wanted && !plan->cwd, RECORD_CWD_FALLBACK},
		{confine->has_nofile, RECORD_HAS_NOFILE},
	};
	size_t size;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		record.flags |= flags[i].set ? flags[i].flag : 0;
	memcpy(record.namespace_fd, holder->namespace_fd, sizeof record.namespace_fd);
	memcpy(record.cpu_mask, plan->cpu_mask, sizeof record.cpu_mask);

	image_begin(&w, arena);
	/* Entering a mount namespace forgets the directory: a view starts where the caller was. */
	record.cwd = image_add_text(&w, plan->cwd	    ? plan->cwd
					: plan->view.wanted ? l->s->cwd
							    : NULL);
	record.hostname = image_add_text(&w, plan->hostname);
	record.name = image_add_text(&w, l->name);

	struct launch_origin *origins = arena_array(arena, plan->rlimit_count + 4, sizeof *origins);
	uint32_t origin_count = confine_origins(plan, &w, origins, err);

	image_add(&w, IMAGE_PLAN, &record, 1, sizeof record);
	image_add(&w, IMAGE_ORIGINS, origins, origin_count, sizeof *origins);
	image_add(&w, IMAGE_RLIMITS, confine->rlimits, confine->rlimit_count,
		  sizeof *confine->rlimits);
	image_add(&w, IMAGE_FILTER, plan->filter, (uint32_t)plan->filter_len, sizeof *plan->filter);
	add_texts(&w, arena, IMAGE_ARGV, (const char *const *)l->command);
	add_texts(&w, arena, IMAGE_ENVIRONMENT, (const char *const *)l->environment);
	add_texts(&w, arena, IMAGE_CANDIDATES, l->candidates);

	if (plan->listener)
		add_network(&w, arena, &plan->net);

	const void *bytes = image_finish(&w, &size);
	int fd = image_seal(bytes, size);
	if (fd < 0)
		error_add_errno(err, NO_ORIGIN, NULL, -fd, "cannot seal the policy image");
	return fd;
}

/* The holder keeps this memory, and /proc/1/cmdline needs no permission: flags can hold secrets (--env). */
static void wipe_arguments(char **arguments)
{
	for (; *arguments; arguments++)
		memset(*arguments, 0, strlen(*arguments));
}

int launch_supervised(const struct launch *l, enum refusal *refused, struct error *err)
{
	struct arena *arena = &err->arena;
	struct holder holder = NO_HOLDER;
	struct own_rule own[4];
	struct child_confine confine;
	int guest_rules = -1, outer_rules = -1, image = -1;

	*refused = REFUSED_NOTHING;
	auto_fd self = openat(AT_FDCWD, "/proc/self/exe", O_PATH | O_CLOEXEC);
	if (self < 0)
		self = open((const char *)getauxval(AT_EXECFN), O_PATH | O_CLOEXEC);
	if (self < 0) {
		error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot open this program's own file");
		return STATUS_SANDLOCK;
	}
	if (!confine_prepare(l->plan, l->host, arena, &confine, err))
		return STATUS_SANDLOCK;
	if (l->plan->view.wanted && !holder_start(l->plan, l->host, &holder, refused, err))
		return STATUS_SANDLOCK;
	if (!rules_open(l->plan, holder.root_fd, own, own_rules(l, own), &guest_rules, &outer_rules,
			err) ||
	    (image = write_image(l, &holder, guest_rules, &confine, arena, err)) < 0)
		goto failed;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot set no_new_privs");
		goto failed;
	}
	long r = SYS(landlock_restrict_self, outer_rules, 0);
	if (r < 0) {
		error_add_errno(err, NO_ORIGIN, NULL, (int)-r,
				"cannot take the outer Landlock layer");
		if (r == -E2BIG)
			error_hint(err, "16 Landlock layers are the kernel's limit");
		goto failed;
	}

	char number[16];
	snprintf(number, sizeof number, "%d", image);
	char *argv[] = {(char[]){"sandlock"}, (char[]){"__supervise"}, number, NULL};
	char *no_environment[] = {NULL};

	if (l->plan->view.wanted)
		wipe_arguments(l->arguments);
	keep_over_exec(image);
	keep_over_exec(guest_rules);
	keep_over_exec(holder.control_fd);
	for (size_t i = 0; i < HOLDER_NAMESPACES; i++)
		keep_over_exec(holder.namespace_fd[i]);
	keep_over_exec(l->status_fd);
	keep_over_exec(l->report_fd);
	keep_over_exec(l->registry_fd);
	r = SYS(execveat, self, "", argv, no_environment, AT_EMPTY_PATH);
	error_add_errno(err, NO_ORIGIN, NULL, (int)-r, "cannot start the supervisor");

failed:
	fd_close(&guest_rules);
	fd_close(&outer_rules);
	fd_close(&image);
	holder_close(&holder);
	return STATUS_SANDLOCK;
}
