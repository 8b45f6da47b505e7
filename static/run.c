/* sandlock run, sandlock confine, and the hidden role supervisor: from arguments to the program's exit status. */
#include "cli.h"

#include "base/fd.h"
#include "base/json.h"
#include "control/control.h"
#include "host/publish.h"
#include "launch/launch.h"
#include "launch/shield.h"
#include "supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Names become numbers here, at run time: user databases are no part of a policy (and never of its cache). */
static void resolve_user(struct policy *policy, struct error *err)
{
	struct value *value = &policy->values[OPT_user];

	for (size_t i = 0; i < value->count; i++) {
		struct item *item = &value->items[i];
		char *name = arena_strdup(policy->arena, item->text);
		char *group_name = strchr(name, ':');
		uint64_t uid, gid;
		char *end;

		if (item->flags & ITEM_NUMERIC)
			continue;
		if (group_name)
			*group_name++ = '\0';
		uid = strtoul(name, &end, 10);
		const struct passwd *user = *end ? getpwnam(name) : getpwuid((uid_t)uid);
		if (*end && !user) {
			error_add(err, item->origin, NULL, "there is no user %s",
				  error_quote(err, name));
			continue;
		}
		uid = user ? user->pw_uid : uid;
		gid = user ? user->pw_gid : getgid();
		if (group_name) {
			gid = strtoul(group_name, &end, 10);
			const struct group *group = *end ? getgrnam(group_name) : NULL;

			if (*end && !group) {
				error_add(err, item->origin, NULL, "there is no group %s",
					  error_quote(err, group_name));
				continue;
			}
			gid = group ? group->gr_gid : gid;
		}
		item->num = uid;
		item->num2 = gid;
		item->flags |= ITEM_NUMERIC;
		item->text = arena_printf(policy->arena, "%llu:%llu", (unsigned long long)uid,
					  (unsigned long long)gid);
	}
}

static bool open_reports(const struct policy *policy, struct launch *launch, struct error *err)
{
	launch->status_fd = launch->report_fd = -1;
	if (policy_is_set(policy, OPT_status_fd)) {
		int fd = (int)policy_u64(policy, OPT_status_fd, 0);
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
			return error_add(err, policy_origin(policy, OPT_status_fd), NULL,
					 "descriptor %d is not open for writing", fd);
		launch->status_fd = fd;
	}
	const char *report = policy_text(policy, OPT_report, NULL);
	if (!report)
		return true;
	/* A file, never a link or a pipe that something could have put in its place. */
	int fd = open(report, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		      0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_add_errno(err, policy_origin(policy, OPT_report), NULL, errno,
				       "cannot write the report %s", error_quote(err, report));
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return error_add(err, policy_origin(policy, OPT_report), NULL,
				 "%s is not a regular file", error_quote(err, report));
	launch->report_fd = fd;
	return true;
}

static int explain(const struct cli *cli, const struct plan *plan)
{
	auto_str out = {0};

	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		plan_describe_json(plan, &j);
		json_end_object(&j);
		str_add_char(&out, '\n');
	} else {
		plan_describe(plan, &out);
	}
	return cli_print(&out);
}

bool network_facts(const struct policy *policy, struct arena *arena, struct host *host,
		   struct plan_request *request, struct error *err)
{
	struct endpoint_name *names;
	struct address *own = NULL;
	size_t count;

	if (policy_value(policy, OPT_net_rules)->count ||
	    !endpoint_default(policy, ENDPOINT_INGRESS))
		host_probe_socket_filters(host);
	if (!endpoint_names(policy, arena, &names, &count, err))
		return false;
	if (count) {
		struct name_pin *pins = arena_array(arena, count, sizeof *pins);

		if (!resolve_names(names, count, arena, pins, err))
			return false;
		request->pins = pins;
		request->pin_count = count;
	}
	if (policy_value(policy, OPT_net_rules)->count ||
	    policy_value(policy, OPT_net_deny)->count ||
	    policy_value(policy, OPT_net_allow)->count) {
		if (!own_addresses(arena, &own, &request->own_count, err))
			return false;
		request->own = own;
	}
	return true;
}

struct start {
	struct arena arena;
	struct command_line line;
	struct policy policy;
	struct host host;
	struct plan plan;
	struct launch launch;
	struct error err;
	enum refusal refused;
};

/* Everything from the parsed line to the exec; returns the status of a failure (or of --explain). */
static int start(struct cli *cli, struct start *st, struct plan_request *request)
{
	const struct policy *policy = &st->policy;
	struct error *err = &st->err;

	if (!policy_bool(policy, OPT_supervisor, true)) {
		request->wanted = PLAN_IN_PLACE;
		if (request->mode == IN_SUPERVISED)
			request->mode = IN_KERNEL;
	}
	policy_check(policy, request->mode, err);
	resolve_user(&st->policy, err);
	char **command = cli_choose_command(policy, st->line.command, cli->command->name, err);
	host_probe(&st->host);
	if (!network_facts(policy, &st->arena, &st->host, request, err))
		return EXIT_SANDLOCK;
	shields_find(policy, &cli->s, &st->arena, request, err);
	if (!plan_build(policy, &st->host, request, &st->arena, &st->plan, err) || err->errors ||
	    !command)
		return EXIT_SANDLOCK;
	if (policy_bool(policy, OPT_explain, false))
		return explain(cli, &st->plan);

	struct launch *launch = &st->launch;
	char **environment;

	launch->policy = policy;
	launch->plan = &st->plan;
	launch->host = &st->host;
	launch->s = &cli->s;
	launch->quiet = cli->quiet;
	launch->compat = cli->compat;
	if (!environment_build(policy, &cli->s, &st->arena, &environment, err) ||
	    !open_reports(policy, launch, err))
		return EXIT_SANDLOCK;
	launch->command = command;
	launch->environment = environment;
	launch->candidates = exec_candidates(command[0], environment, &st->arena);

	if (st->plan.mode != PLAN_IN_PLACE &&
	    (!publish_probe(policy, err) ||
	     !control_claim(policy_text(policy, OPT_name, NULL), policy_origin(policy, OPT_name),
			    &st->arena, &launch->name, &launch->registry_fd, err)))
		return EXIT_SANDLOCK;
	if (err->count) { /* warnings: the program owns the terminal from here on */
		cli_report(cli, err, 0);
		error_free(err);
	}
	if (st->plan.mode == PLAN_IN_PLACE)
		return launch_in_place(launch, err);

	int status = launch_supervised(launch, &st->refused, err);
	for (int tries = 0; st->refused != REFUSED_NOTHING && tries < 2; tries++) {
		/* The host said no where the plan had hoped: plan again for such a host. */
		if (st->refused == REFUSED_PROC) {
			st->host.private_proc = ANSWER_NO;
		} else if (!st->plan.view.required) {
			st->host.user_namespace = ANSWER_NO;
			st->host.user_namespace_reason = "the kernel refused a user namespace";
		} else {
			break;
		}
		error_free(err);
		if (!plan_build(policy, &st->host, request, &st->arena, &st->plan, err))
			return EXIT_SANDLOCK;
		if (err->count) {
			cli_report(cli, err, 0);
			error_free(err);
		}
		status = launch_supervised(launch, &st->refused, err);
	}
	return status;
}

static int run_with(struct cli *cli, char **argv, struct plan_request request)
{
	struct arena arena = {0}; /* lives until the exec */
	struct start *st = arena_new(&arena, struct start);
	struct timespec now;
	bool usage = false;

	st->arena = arena;
	clock_gettime(CLOCK_MONOTONIC, &now);
	st->launch.arguments = argv;
	st->launch.started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	policy_init(&st->policy, &st->arena);
	policy_init(&st->line.policy, &st->arena);
	const struct policy *flags = &st->line.policy;
	bool understood = flags_parse(argv, &cli->s, &st->line, &usage, &st->err);
	/* How to say that something is wrong, whatever is wrong. */
	cli->json |= policy_bool(flags, OPT_json, false);
	cli->quiet |= policy_bool(flags, OPT_quiet, false);
	if (!understood) {
		usage &= st->line.malformed || !cli->compat;
		return cli_report(cli, &st->err, usage ? EXIT_USAGE : EXIT_SANDLOCK);
	}
	if (st->line.help) {
		auto_str help = {0};

		cli_help(argv[0], st->line.help_all, &help);
		return cli_print(&help);
	}
	cli->s.trust_policy |= policy_bool(flags, OPT_trust_policy, false);
	cli->s.use_cache &= !policy_bool(flags, OPT_no_cache, false);
	cli->s.policy_path = policy_text(flags, OPT_policy_path, cli->s.policy_path);

	request.cwd = cli->s.cwd;
	if (st->line.policy_count)
		cli->s.shipped = cli_shipped();
	if (!policy_resolve(&st->line, &cli->s, &st->policy, &st->err))
		return cli_report(cli, &st->err, EXIT_SANDLOCK);
	return cli_report(cli, &st->err, start(cli, st, &request));
}

int run_main(struct cli *cli, int argc UNUSED, char **argv)
{
	return run_with(cli, argv,
			(struct plan_request){.wanted = PLAN_SUPERVISE, .mode = IN_SUPERVISED});
}

int confine_main(struct cli *cli, int argc UNUSED, char **argv)
{
	return run_with(cli, argv,
			(struct plan_request){.wanted = PLAN_IN_PLACE, .mode = IN_CONFINE});
}

int supervise_main(struct cli *cli, int argc, char **argv)
{
	struct error err = {0};
	char *end;
	long fd = argc == 2 ? strtol(argv[1], &end, 10) : -1;

	if (fd < 3 || fd > 1 << 20 || *end) {
		error_add(&err, NO_ORIGIN, NULL, "this role is started by sandlock itself");
		return cli_report(cli, &err, EXIT_USAGE);
	}
	int status = supervise((int)fd, &err);
	return cli_report(cli, &err, status);
}
