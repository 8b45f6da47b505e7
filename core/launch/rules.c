/* Landlock rulesets from a plan. */
#include "launch/rules.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int create_ruleset(const struct plan *plan, uint64_t handled_net)
{
	const struct ll_ruleset_attr attr = {
		.handled_access_fs = plan->handled_fs,
		.handled_access_net = handled_net,
		.scoped = plan->scoped,
	};
	/* An older kernel takes the longer struct only if what it does not know is zero; the shorter one always works. */
	size_t size = plan->scoped ? sizeof attr : handled_net ? 16 : 8;

	return (int)SYS(landlock_create_ruleset, &attr, size, 0);
}

/* -1 and errno, as libc has it; without libc's open(), which makes a second call to set close-on-exec. */
static int sys_result(long result)
{
	if (result < 0)
		errno = (int)-result;
	return result < 0 ? -1 : (int)result;
}

/* Inside a view every path is the view's: links are followed within it. */
static int open_path(int root_fd, const char *path)
{
	if (root_fd < 0)
		return sys_result(SYS(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC));

	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	long fd = SYS(openat2, root_fd, path, &how, sizeof how);

	if (fd == -ENOENT && !strncmp(path, "/proc/", 6) &&
	    (isdigit((unsigned char)path[6]) || !strncmp(path + 6, "self", 4) ||
	     !strncmp(path + 6, "thread-self", 11)))
		/* Whose? Each process of the sandbox means its own: the private /proc shows no others anyway. */
		fd = SYS(openat2, root_fd, "/proc", &how, sizeof how);
	return sys_result(fd);
}

static long add_rule(int ruleset, int fd, uint64_t access, uint64_t handled, bool directory)
{
	const struct ll_path_beneath rule = {
		.allowed_access = access & handled & (directory ? ~0ULL : LL_FILE_RIGHTS),
		.parent_fd = fd,
	};

	if (!rule.allowed_access) /* nothing that this kernel handles: it is not restricted either */
		return 0;
	return SYS(landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);
}

static bool missing_path(const struct plan_rule *rule, int error, struct error *err)
{
	if (error != ENOENT && error != ENOTDIR)
		return error_add_errno(err, rule->origin, NULL, error, "cannot open %s",
				       error_quote(err, rule->path));
	error_add(err, rule->origin, NULL, "%s does not exist", error_quote(err, rule->path));
	error_hint(err,
		   rule->origin.line
			   ? "append '?' to the path to skip it where it is missing"
			   : "--fs-read-if-exists and --fs-write-if-exists skip a missing path");
	return false;
}

static bool add_ports(const struct plan *plan, uint64_t handled_net, int ruleset, struct error *err)
{
	for (size_t i = 0; i < plan->port_count; i++) {
		const struct ll_net_port rule = {
			.allowed_access = plan->ports[i].access & handled_net,
			.port = plan->ports[i].port,
		};
		long r = rule.allowed_access
				 ? SYS(landlock_add_rule, ruleset, LL_RULE_NET_PORT, &rule, 0)
				 : 0;

		if (r < 0)
			return error_add_errno(err, NO_ORIGIN, NULL, (int)-r,
					       "cannot add a Landlock rule for port %u",
					       plan->ports[i].port);
	}
	return true;
}

bool rules_open(const struct plan *plan, int root_fd, const struct own_rule *own, size_t own_count,
		int *guest, int *outer, struct error *err)
{
	size_t errors = err->errors;

	*guest = create_ruleset(plan, plan->handled_net);
	if (outer)
		*outer = create_ruleset(plan, plan->outer_net);
	if (*guest < 0 || (outer && *outer < 0))
		return error_add_errno(err, NO_ORIGIN, NULL, *guest < 0 ? -*guest : -*outer,
				       "cannot make a Landlock ruleset");

	for (size_t i = 0; i < plan->rule_count; i++) {
		const struct plan_rule *rule = &plan->rules[i];
		auto_fd fd = open_path(root_fd, rule->path);
		struct stat st;

		if (fd < 0) {
			if ((rule->flags & (RULE_OPTIONAL | RULE_OWN)) &&
			    (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
				continue;
			missing_path(rule, errno, err);
			continue;
		}
		long r = fstat(fd, &st) < 0 ? -errno
					    : add_rule(*guest, fd, rule->access, plan->handled_fs,
						       S_ISDIR(st.st_mode));
		if (r >= 0 && outer)
			r = add_rule(*outer, fd, rule->access, plan->handled_fs,
				     S_ISDIR(st.st_mode));
		if (r < 0)
			error_add_errno(err, rule->origin, NULL, (int)-r,
					"cannot add a Landlock rule for %s",
					error_quote(err, rule->path));
	}
	if (!add_ports(plan, plan->handled_net, *guest, err) ||
	    (outer && !add_ports(plan, plan->outer_net, *outer, err)))
		return false;
	for (size_t i = 0; outer && i < own_count; i++) {
		auto_fd fd = open_path(-1, own[i].path);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return error_add_errno(err, NO_ORIGIN, NULL, errno, "cannot open %s",
					       own[i].path);
		long r = add_rule(*outer, fd, own[i].access, plan->handled_fs, S_ISDIR(st.st_mode));
		/* EBADFD: a program in a memfd; no rule reaches it and none is needed. */
		if (r < 0 && r != -EBADFD)
			return error_add_errno(err, NO_ORIGIN, NULL, (int)-r,
					       "cannot add a Landlock rule for %s", own[i].path);
	}
	return err->errors == errors;
}
