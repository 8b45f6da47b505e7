/*
 * sandlock preload: compiles the policy into a sealed memory file, checks that the program will load the library, lays an
 * outer Landlock layer around both, and execs. With --verify a parent stays and insists on the library's acknowledgement.
 * Must never exec a program that is known to ignore the library.
 */
#include "preload.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"
#include "launch/confine.h"
#include "launch/confine_image.h"
#include "launch/launch.h"
#include "launch/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ACKNOWLEDGE_MS = 2000, OWN_RULES = 96 };

struct preload {
	struct arena arena;
	struct command_line line;
	struct policy policy;
	struct host host;
	struct plan plan;
	struct error err;

	bool keep_parent; /* --verify */
	bool outer;
	bool trust_interpreter;

	char **command;
	const char *library;
	struct preload_target target;
	char **environment;
	int image_fd;
	int outer_fd;
};

static const char usage_text[] =
	"Usage: sandlock preload [POLICY OPTION]... [OPTION]... -- COMMAND [ARG]...\n"
	"\n"
	"COMMAND loads libsandlock_confine.so and confines itself before its main function.\n"
	"No supervisor: only what the kernel enforces alone. Statically linked programs are refused.\n"
	"\n"
	"      --verify        stay, and end the command unless it is confined within 2 s (default)\n"
	"      --exec          become the command: no parent stays, only the checks before the start protect\n"
	"      --outer WORD    auto: a Landlock layer around the start as well (default); none\n"
	"      --trust-interp  accept a loader that is not known to honour LD_PRELOAD\n"
	"\n"
	"Policy options are those of \"sandlock confine\".\n";

/* ---- options ---- */

/* Takes our own options out of argv, up to "--"; the policy's stay for flags_parse(). An option that wants a value takes
 * the next word there, so a value that reads like one of ours is written --flag=VALUE. */
static bool take_options(struct preload *p, char **argv)
{
	char **out = argv + 1;
	char **in = argv + 1;

	p->keep_parent = p->outer = true;
	for (; *in && strcmp(*in, "--") != 0; in++) {
		const char *outer = NULL;

		if (!strcmp(*in, "--verify")) {
			p->keep_parent = true;
		} else if (!strcmp(*in, "--exec")) {
			p->keep_parent = false;
		} else if (!strcmp(*in, "--trust-interp")) {
			p->trust_interpreter = true;
		} else if (!strcmp(*in, "--outer") || !strncmp(*in, "--outer=", 8)) {
			outer = (*in)[7] ? *in + 8 : in[1] ? *++in : "";
			if (strcmp(outer, "auto") != 0 && strcmp(outer, "none") != 0)
				return error_add(&p->err, (struct origin){.file = "--outer"}, NULL,
						 "%s is neither auto nor none",
						 error_quote(&p->err, outer));
			p->outer = outer[0] == 'a';
		} else {
			*out++ = *in;
		}
	}
	while ((*out++ = *in))
		in++;
	return true;
}

/* ---- what the library gets ---- */

/* Files of variables and variables of the caller are read here: the library cannot. */
static bool settle_environment(struct preload *p, const struct cli *cli, struct policy *settled)
{
	static struct item yes = {.text = "true", .num = 1};
	struct policy sets = p->policy;
	char **entries;
	size_t count = 0;

	sets.values[OPT_empty_env] = (struct value){.items = &yes, .count = 1, .set = true};
	sets.values[OPT_env_pass] = (struct value){0};
	if (!environment_build(&sets, &cli->s, &p->arena, &entries, &p->err))
		return false;
	while (entries[count])
		count++;

	struct item *items = arena_array(&p->arena, count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++)
		items[i].text = entries[i];
	*settled = p->policy;
	settled->values[OPT_env_file] = (struct value){0};
	settled->values[OPT_env] =
		(struct value){.items = items, .count = count, .set = count != 0};
	return true;
}

static bool compile(struct preload *p, const struct policy *policy)
{
	struct image_writer w;
	size_t size;

	image_begin(&w, &p->arena);
	image_confine_build(policy, &p->plan, &w);
	const void *bytes = image_finish(&w, &size);
	if (!bytes)
		return error_add(&p->err, NO_ORIGIN, NULL, "the policy is too large");
	p->image_fd = image_seal(bytes, size);
	if (p->image_fd < 0)
		return error_add_errno(&p->err, NO_ORIGIN, NULL, -p->image_fd,
				       "cannot make a sealed memory file");
	return true;
}

/* The caller's environment with the library's variables. The policy's own edits happen in the library; a placeholder for each
 * variable that it sets leaves room in the array that main's third argument points to. */
static void build_environment(struct preload *p, const struct cli *cli, size_t sets, int ack)
{
	static const char preload[] = "LD_PRELOAD=";
	const char *more = surroundings_env(&cli->s, "LD_PRELOAD");
	size_t count = 0, n = 0;

	while (cli->s.environment[count])
		count++;
	char **env = arena_array(&p->arena, count + sets + 6, sizeof *env);
	for (size_t i = 0; i < count; i++) {
		char *entry = cli->s.environment[i];
		bool ours =
			!strncmp(entry, "SANDLOCK_", 9) &&
			strncmp(entry,
				CONFINE_VARIABLE "_DEBUG=", sizeof CONFINE_VARIABLE "_DEBUG") &&
			strncmp(entry, CONFINE_VARIABLE "_KEEP=", sizeof CONFINE_VARIABLE "_KEEP");

		if (!ours && strncmp(entry, preload, sizeof preload - 1) != 0)
			env[n++] = entry;
	}
	env[n++] = arena_printf(&p->arena, "%s%s%s%s", preload, p->library,
				more && *more ? ":" : "", more ? more : "");
	env[n++] = arena_printf(&p->arena, CONFINE_VARIABLE "_FD=%d", p->image_fd);
	if (ack >= 0)
		env[n++] = arena_printf(&p->arena, CONFINE_VARIABLE "_ACK=%d", ack);
	for (size_t i = 0; i < sets; i++)
		env[n++] = arena_strdup(&p->arena, CONFINE_VARIABLE "_ROOM=");
	p->environment = env;
}

/* ---- the outer layer ---- */

static void add_own(struct own_rule *own, size_t *count, const char *path, uint64_t access)
{
	if (*count < OWN_RULES && path[0] == '/' &&
	    faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0)
		own[(*count)++] = (struct own_rule){path, access};
}

/* Each absolute directory of a list; $ORIGIN is the program's own. Other tokens are the loader's secret. */
static void add_list(struct preload *p, struct own_rule *own, size_t *count, const char *list,
		     uint64_t access)
{
	while (list && *list) {
		size_t len = strcspn(list, ": ");
		char *path = arena_strndup(&p->arena, list, len);
		const char *rest = NULL;

		if (!strncmp(path, "$ORIGIN", 7))
			rest = path + 7;
		else if (!strncmp(path, "${ORIGIN}", 9))
			rest = path + 9;
		if (rest)
			path = arena_printf(&p->arena, "%s%s", p->target.origin, rest);
		add_own(own, count, path, access);
		list += len;
		list += strspn(list, ": ");
	}
}

/* The policy, and what the kernel and the loader read before the library acts. */
static bool make_outer(struct preload *p, const struct cli *cli)
{
	static const char *const system[] = {
		"/lib",		  "/lib64",	      "/usr/lib",	    "/usr/lib64",
		"/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.preload",
	};
	const uint64_t read = LL_READ_FILE | LL_READ_DIR;
	struct own_rule own[OWN_RULES];
	auto_fd guest = -1;
	size_t count = 0;

	if (!p->outer)
		return true;
	for (size_t i = 0; i < p->target.file_count; i++)
		add_own(own, &count,
			p->target.files[i][0] == '/'
				? p->target.files[i]
				: arena_printf(&p->arena, "%s/%s", cli->s.cwd, p->target.files[i]),
			LL_READ_FILE | LL_EXECUTE);
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		add_own(own, &count, system[i], read);
	const char *name = p->target.file_count
				   ? strrchr(p->target.files[p->target.file_count - 1], '/')
				   : NULL;
	if (name && !strncmp(name, "/ld-musl-",
			     9)) /* /lib/ld-musl-ARCH.so.1 reads /etc/ld-musl-ARCH.path */
		add_own(own, &count,
			arena_printf(&p->arena, "/etc/ld-musl-%.*s.path",
				     (int)strcspn(name + 9, "."), name + 9),
			read);
	add_own(own, &count, p->library, read);
	add_list(p, own, &count, p->target.library_path, read);
	add_list(p, own, &count, surroundings_env(&cli->s, "LD_LIBRARY_PATH"), read);
	add_list(p, own, &count, surroundings_env(&cli->s, "LD_PRELOAD"), read);
	return rules_open(&p->plan, -1, own, count, &guest, &p->outer_fd, &p->err);
}

/* ---- starting ---- */

/* The library asks /proc whether it is alone where unshare() is out of bounds, as in a container. */
static void grant_own_proc(int ruleset)
{
	auto_fd fd = open("/proc/self", O_PATH | O_CLOEXEC);
	const struct ll_path_beneath rule = {
		.allowed_access = LL_READ_FILE | LL_READ_DIR,
		.parent_fd = fd,
	};

	if (fd >= 0)
		SYS(landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);
}

/* Only returns on failure. */
static void become(const struct preload *p, struct child_failure *failure)
{
	const char *const candidates[] = {p->target.path, NULL};
	long r = SYS(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	if (r < 0) {
		*failure = (struct child_failure){.step = STEP_NO_NEW_PRIVS, .error = (int32_t)-r};
		return;
	}
	if (p->outer_fd >= 0) {
		const uint32_t logging = LL_RESTRICT_LOG_SAME_EXEC_OFF |
					 LL_RESTRICT_LOG_NEW_EXEC_ON |
					 LL_RESTRICT_LOG_SUBDOMAINS_OFF;

		grant_own_proc(p->outer_fd);
		/* Denials of the inner layer are reported as its own wishes say. */
		r = SYS(landlock_restrict_self, p->outer_fd,
			p->plan.restrict_flags & logging & ~LL_RESTRICT_LOG_SUBDOMAINS_OFF);
		if (r < 0) {
			*failure =
				(struct child_failure){.step = STEP_LANDLOCK, .error = (int32_t)-r};
			return;
		}
	}
	int error = child_exec(candidates, p->command, p->environment,
			       shell_arguments(p->command, (struct arena *)&p->arena));
	*failure = (struct child_failure){.step = STEP_EXEC, .error = -error};
}

static int explain(struct preload *p, const struct child_failure *failure)
{
	const char *const candidates[] = {p->target.path, NULL};

	return launch_explain(failure->step, failure->error, failure->index, NULL, candidates,
			      p->command[0], &p->err);
}

static volatile sig_atomic_t child_pid;

static void forward(int sig)
{
	int saved = errno;

	if (child_pid > 0)
		kill(child_pid, sig);
	errno = saved;
}

/* The terminal's own signals reach the child without us; the others are handed on. */
static void forward_signals(void)
{
	static const int passed[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM};
	struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		sigaction(passed[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends the child and everything it has started: as a subreaper we inherit its orphans. */
static void end_all(pid_t pid)
{
	kill(pid, SIGKILL);
	for (;;) {
		char path[64];
		char text[4096];
		pid_t gone = waitpid(-1, NULL, 0);

		if (gone < 0 && errno == EINTR)
			continue;
		if (gone < 0)
			return; /* no child is left */
		snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
		auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) /* a kernel without the list: the outer layer has to do */
			return;
		ssize_t n = fd_read_all(fd, text, sizeof text - 1);

		text[n > 0 ? n : 0] = '\0';
		for (char *at = text, *end; *at; at = end) {
			long child = strtol(at, &end, 10);

			if (end == at)
				break;
			if (child > 0)
				kill((pid_t)child, SIGKILL);
		}
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One byte within the time, or 0. */
static char wait_for_byte(int fd)
{
	int64_t end = now_ms() + ACKNOWLEDGE_MS;
	char byte = 0;

	for (;;) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		int r = left <= 0 ? 0 : poll(&waiting, 1, (int)left);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return 0;
		ssize_t n = read(fd, &byte, 1);
		if (n < 0 && errno == EINTR)
			continue;
		return n == 1 ? byte : 0;
	}
}

static int no_effect(struct preload *p, pid_t pid)
{
	end_all(pid);
	error_add(&p->err, NO_ORIGIN, NULL, "preload did not take effect in %s; it was ended",
		  error_quote(&p->err, p->target.path));
	error_hint(&p->err,
		   "\"sandlock run --no-supervisor\" confines the program before it starts");
	return EXIT_SANDLOCK;
}

static int start_verified(struct preload *p, const int exec_pipe[2], const int ack_pipe[2])
{
	struct child_failure failure = {0};
	int status = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid_t pid = fork();
	if (pid < 0) {
		error_add_errno(&p->err, NO_ORIGIN, NULL, errno, "cannot make a process");
		return EXIT_SANDLOCK;
	}
	if (pid == 0) {
		become(p, &failure);
		(void)!write(exec_pipe[1], &failure, sizeof failure);
		_exit(EXIT_SANDLOCK);
	}
	child_pid = pid;
	forward_signals();
	close(exec_pipe[1]);
	close(ack_pipe[1]);

	/* Its end is closed by a successful exec. */
	ssize_t n = fd_read_all(exec_pipe[0], &failure, sizeof failure);
	if (n == (ssize_t)sizeof failure) {
		waitpid(pid, &status, 0);
		return explain(p, &failure);
	}
	char byte = wait_for_byte(ack_pipe[0]);
	close(exec_pipe[0]);
	close(ack_pipe[0]);
	if (byte != CONFINE_ACK_DONE && byte != CONFINE_ACK_FAILED)
		return no_effect(p, pid);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	for (;;) {
		pid_t gone = waitpid(-1, &status, 0);

		if (gone == pid)
			return exit_status(status);
		if (gone < 0 && errno != EINTR)
			return EXIT_SANDLOCK;
	}
}

static int start(struct preload *p, const struct cli *cli, size_t sets)
{
	int exec_pipe[2] = {-1, -1}, ack_pipe[2] = {-1, -1};

	if (p->keep_parent && (pipe2(exec_pipe, O_CLOEXEC) < 0 || pipe2(ack_pipe, O_CLOEXEC) < 0)) {
		error_add_errno(&p->err, NO_ORIGIN, NULL, errno, "cannot make a pipe");
		return EXIT_SANDLOCK;
	}
	build_environment(p, cli, sets, ack_pipe[1]);
	/* These two, and nothing else of ours, survive the exec; the library closes them. */
	fcntl(p->image_fd, F_SETFD, 0);
	if (p->keep_parent)
		fcntl(ack_pipe[1], F_SETFD, 0);
	if (p->err.count) { /* warnings: the program owns the terminal from here on */
		cli_report(cli, &p->err, 0);
		error_free(&p->err);
	}
	if (p->keep_parent)
		return start_verified(p, exec_pipe, ack_pipe);

	struct child_failure failure = {0};
	become(p, &failure);
	return explain(p, &failure);
}

/* The file that execve would take. */
static const char *find_program(struct preload *p, const struct cli *cli)
{
	const char *const *list = exec_candidates(p->command[0], cli->s.environment, &p->arena);
	const char *first = list[0];

	for (; *list; list++)
		if (faccessat(AT_FDCWD, *list, X_OK, AT_EACCESS) == 0)
			return *list;
	return first;
}

static int prepare(struct cli *cli, struct preload *p)
{
	const struct plan_request request = {
		.wanted = PLAN_PRELOAD,
		.mode = IN_CONFINE,
		.cwd = cli->s.cwd,
	};
	struct policy settled;
	struct error *err = &p->err;

	policy_check(&p->policy, IN_CONFINE, err);
	p->command = cli_choose_command(&p->policy, p->line.command, "preload", &p->err);
	host_probe(&p->host);
	if (!plan_build(&p->policy, &p->host, &request, &p->arena, &p->plan, err) || err->errors)
		return EXIT_SANDLOCK;
	if (policy_bool(&p->policy, OPT_explain, false)) {
		auto_str out = {0};

		plan_describe(&p->plan, &out);
		return cli_print(&out);
	}

	const char *path = find_program(p, cli);
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
		const struct child_failure failure = {.step = STEP_EXEC, .error = errno};

		p->target.path = path;
		return explain(p, &failure);
	}
	p->library = preload_library(&cli->s, &p->arena, err);
	if (!p->library || !preload_check(path, p->trust_interpreter, &p->arena, &p->target, err) ||
	    !settle_environment(p, cli, &settled) || !compile(p, &settled) || !make_outer(p, cli))
		return EXIT_SANDLOCK;
	/* One more for the mark that SANDLOCK_CONFINE_KEEP leaves. */
	return start(p, cli, settled.values[OPT_env].count + 1);
}

int preload_main(struct cli *cli, int argc UNUSED, char **argv)
{
	struct preload *p = calloc(1, sizeof *p); /* lives until the exec */
	bool usage = false;

	if (!p)
		return EXIT_SANDLOCK;
	p->image_fd = p->outer_fd = -1;
	policy_init(&p->policy, &p->arena);
	policy_init(&p->line.policy, &p->arena);
	if (!take_options(p, argv))
		return cli_report(cli, &p->err, EXIT_USAGE);
	const struct policy *flags = &p->line.policy;
	bool understood = flags_parse(argv, &cli->s, &p->line, &usage, &p->err);
	cli->json |= policy_bool(flags, OPT_json, false);
	cli->quiet |= policy_bool(flags, OPT_quiet, false);
	if (!understood)
		return cli_report(cli, &p->err, usage ? EXIT_USAGE : EXIT_SANDLOCK);
	if (p->line.help) {
		auto_str help = {0};

		str_add(&help, usage_text);
		return cli_print(&help);
	}
	cli->s.trust_policy |= policy_bool(flags, OPT_trust_policy, false);
	cli->s.use_cache &= !policy_bool(flags, OPT_no_cache, false);
	cli->s.policy_path = policy_text(flags, OPT_policy_path, cli->s.policy_path);
	if (!policy_resolve(&p->line, &cli->s, &p->policy, &p->err))
		return cli_report(cli, &p->err, EXIT_SANDLOCK);
	int status = prepare(cli, p);
	/* Without a message it is the program's own status. */
	return p->err.count ? cli_report(cli, &p->err, status) : status;
}
