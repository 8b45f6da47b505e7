/* `sandlock policy check` and `compile`: is it right, and its binary form. */
#include "verbs.h"

#include "base/fd.h"
#include "base/json.h"
#include "host/host.h"
#include "launch/confine_image.h"
#include "policy/cache.h"
#include "policy/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Errors and warnings of one file into `err`; counts them. */
static void check_one(const struct cli *cli, const char *name, struct arena *arena,
		      struct error *err)
{
	struct policy policy;

	policy_init(&policy, arena);
	if (!policy_load(name, NO_ORIGIN, &cli->s, &policy, err))
		return;
	bool supervised = policy_bool(&policy, OPT_supervisor, true);
	/* Whether it covers its own file may depend on the directory of the run: a warning here. */
	policy_add(&policy, OPT_allow_self_modify, "true", NO_ORIGIN, err);
	policy_check(&policy, supervised ? IN_SUPERVISED : IN_KERNEL, err);
	policy_lint(&policy, &cli->s, err);
}

int verb_check(struct cli *cli, int argc, char **argv)
{
	bool strict = false;
	const struct cli_flag flags[] = {{"strict", 0, &strict, NULL}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);
	size_t errors = 0, warnings = 0;
	auto_str out = {0};

	if (status >= 0)
		return status;
	if (argc < 2)
		return cli_usage_error(cli, "policy check takes one or more files or names");
	/* The files themselves decide, not what was compiled from them. */
	cli->s.use_cache = false;
	for (int i = 1; i < argc; i++) {
		CLEANUP(arena_free) struct arena arena = {0}; /* the errors name places in it */
		auto_error err = {0};

		check_one(cli, argv[i], &arena, &err);
		errors += err.errors + err.dropped;
		warnings += err.count - err.errors;
		cli_report(cli, &err, EXIT_SANDLOCK);
	}
	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_u64(&j, "files", (uint64_t)(argc - 1));
		json_u64(&j, "errors", errors);
		json_u64(&j, "warnings", warnings);
		json_end_object(&j);
		str_add_char(&out, '\n');
	} else if (!cli->quiet) {
		str_printf(&out, "%d checked: %zu error%s, %zu warning%s\n", argc - 1, errors,
			   errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	}
	if (cli_print(&out))
		return EXIT_SANDLOCK;
	return errors ? EXIT_SANDLOCK : strict && warnings ? 1 : 0;
}

/* Whole and in place, or not at all. */
static bool write_file(const char *path, const void *data, size_t size, struct error *err)
{
	const char *temporary = arena_printf(&err->arena, "%s.%d.tmp", path, (int)getpid());
	auto_fd fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : fd_write_all(fd, data, size);

	if (!error && rename(temporary, path) < 0)
		error = -errno;
	if (!error)
		return true;
	if (fd >= 0)
		unlink(temporary);
	return error_add_errno(err, NO_ORIGIN, NULL, -error, "cannot write %s",
			       error_quote(err, path));
}

/* What the preload library applies: rights as on the newest kernel, which it masks where it runs. */
static bool add_confinement(const struct policy *policy, const struct host *host, const char *cwd,
			    struct arena *arena, struct image_writer *w, struct error *err)
{
	struct host newest = *host;
	struct plan plan;
	const struct plan_request request = {
		.wanted = PLAN_PRELOAD,
		.mode = IN_CONFINE,
		.cwd = cwd,
	};

	newest.landlock_abi = LANDLOCK_KNOWN_ABI;
	newest.landlock_errno = 0;
	if (confine_refused(policy, arena)) {
		image_confine_build(policy, NULL, w);
		return true;
	}
	if (!plan_build(policy, &newest, &request, arena, &plan, err))
		return false;
	image_confine_build(policy, &plan, w);
	return true;
}

static bool compile_to(const struct policy *policy, const char *path, const char *cwd,
		       struct arena *arena, struct error *err)
{
	struct image_writer writer;
	struct host host;
	size_t size;

	host_probe(&host);
	image_begin(&writer, arena);
	writer.header.audit_arch = host.audit_arch;
	writer.header.landlock_abi = (uint32_t)host.landlock_abi;
	writer.header.kernel_features = host_features(&host);
	writer.header.euid = geteuid();
	policy_to_image(policy, &writer);
	if (!add_confinement(policy, &host, cwd, arena, &writer, err))
		return false;
	const void *image = image_finish(&writer, &size);
	return write_file(path, image, size, err);
}

int verb_compile(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;
	const char *output = NULL;
	const struct cli_flag flags[] = {{"output", 'o', NULL, &output}};
	int status = cli_flags(cli, &argc, argv, flags, ARRAY_LEN(flags), NULL);

	if (status >= 0)
		return status;
	if (argc != 2)
		return cli_usage_error(cli, "policy compile takes one name or file");
	policy_init(&policy, &arena);
	bool use_cache = cli->s.use_cache;
	cli->s.use_cache = use_cache && !output;
	if (!policy_load(argv[1], NO_ORIGIN, &cli->s, &policy, &err) ||
	    !policy_check(&policy, IN_SUPERVISED, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);
	if (output) {
		if (!compile_to(&policy, output, cli->s.cwd, &arena, &err))
			return cli_report(cli, &err, EXIT_SANDLOCK);
		output = arena_strdup(&arena, output);
	} else if (!use_cache) {
		return cli_usage_error(cli, "the cache is off: name the result with -o");
	} else {
		/* Loading has put it there; this makes sure of it. */
		cache_put(argv[1], &cli->s, &policy);
		output = cache_directory(&cli->s, &arena);
	}
	cli_report(cli, &err, 0);
	if (!cli->quiet) {
		str_add(&out, "compiled ");
		str_add_escaped(&out, argv[1]);
		str_add(&out, " into ");
		str_add_escaped(&out, output ? output : "nothing: there is no cache directory");
		str_add_char(&out, '\n');
	}
	return cli_print(&out);
}
