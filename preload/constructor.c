/*
 * The constructor: runs after the loader has mapped everything and before main. With no variable of ours it does nothing;
 * otherwise the process is confined when it returns, or it does not return.
 * Must never leave a trace in a program it lets start: no descriptor, no errno, no signal mask, no memory but that of
 * environment variables which the policy sets.
 */
#include "apply.h"
#include "base/sys.h"
#include "environment.h"
#include "sandlock_confine.h"

#include <errno.h>
#include <fcntl.h>

enum { EXIT_STATUS = 125, FD_TOP = 1 << 20 };
enum { AT_SECURE_TYPE = 23, PR_GET_AUXV_CALL = 0x41555856 /* Linux 6.4 */ };

/* ------------------------------------------------------------------------------------------------ reporting */

static void acknowledge(int fd, char byte)
{
	if (fd < 0)
		return;
	SYS(write, fd, &byte, 1);
	SYS(close, fd);
}

static void NORETURN stop(const struct failure *failure, int ack)
{
	struct line line = {.len = 0};

	line_add(&line, "sandlock-confine: ");
	describe_failure(failure, &line);
	line_add(&line, "; not starting\n");
	SYS(write, 2, line.text, line.len);
	acknowledge(ack, CONFINE_ACK_FAILED);
	for (;;)
		SYS(exit_group, EXIT_STATUS);
}

static void describe_result(const struct confine_parts *parts, const struct result *result)
{
	struct line line = {.len = 0};
	static const char prefix[] = "sandlock-confine: ";

	line_add(&line, prefix);
	line_add_outside(&line, parts->name ? parts->name : "policy");
	line_add(&line, " applied: Landlock ABI ");
	line_add_number(&line, (uint64_t)result->abi, 10);
	line_add(&line, ", file rights 0x");
	line_add_number(&line, result->masks.handled_fs, 16);
	line_add(&line, ", net 0x");
	line_add_number(&line, result->masks.handled_net, 16);
	line_add(&line, ", scopes 0x");
	line_add_number(&line, result->masks.scoped, 16);
	line_add(&line, ", ");
	line_add_number(&line, parts->rule_count, 10);
	line_add(&line, " paths, ");
	line_add_number(&line, parts->port_count, 10);
	line_add(&line, " ports, filter of ");
	line_add_number(&line, parts->filter_len, 10);
	line_add(&line, " instructions");
	for (unsigned i = 0; i < PROTECT_COUNT; i++)
		if (result->masks.degraded & (1u << i)) {
			line_add(&line, ", without ");
			line_add(&line, confine_protection_name(i));
		}
	line_add(&line, "\n");
	SYS(write, 2, line.text, line.len);
}

/* ------------------------------------------------------------------------------------------------ privileges */

struct auxiliary {
	uint64_t type, value;
};

static bool find_secure(const struct auxiliary *aux, size_t count)
{
	for (size_t i = 0; i < count && aux[i].type; i++)
		if (aux[i].type == AT_SECURE_TYPE)
			return aux[i].value != 0;
	return true; /* cut off: assume the worst */
}

static bool ids_differ(void)
{
	uint32_t id[3];

	if (SYS(getresuid, &id[0], &id[1], &id[2]) < 0 || id[0] != id[1] || id[1] != id[2])
		return true;
	return SYS(getresgid, &id[0], &id[1], &id[2]) < 0 || id[0] != id[1] || id[1] != id[2];
}

/* Was privilege gained by this exec? Then the environment is the caller's word against the program's. */
static bool is_privileged(void)
{
	struct auxiliary aux[64] = {{0}};
	long n = SYS(prctl, PR_GET_AUXV_CALL, aux, sizeof aux, 0, 0);

	if (n > 0)
		return find_secure(aux, ARRAY_LEN(aux));

	long fd = SYS(openat, AT_FDCWD, "/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = SYS(read, fd, aux, sizeof aux);
		SYS(close, fd);
		if (n > 0)
			return find_secure(aux, (size_t)n / sizeof *aux);
	}
	return ids_differ();
}

/* ------------------------------------------------------------------------------------------------ the constructor */

/* Without `environ` nothing can be found or edited; the kernel still knows what the process was started with. */
static bool environment_names_us(void)
{
	char text[4096];
	size_t same = 0;
	bool at_start = true;
	static const char name[] = CONFINE_VARIABLE;
	long fd = SYS(openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return false;
	while ((n = SYS(read, fd, text, sizeof text)) > 0)
		for (long i = 0; i < n; i++) {
			if (at_start && text[i] == name[same]) {
				if (++same == sizeof name - 1) {
					SYS(close, fd);
					return true;
				}
				continue;
			}
			same = 0;
			at_start = !text[i];
		}
	SYS(close, fd);
	return false;
}

/* A child of a process that left the variables: is it confined by this very policy already? */
static bool is_done(const struct settings *settings, const struct blob *blob, bool loaded,
		    const struct failure *failure)
{
	char mark[MARK_ROOM];

	if (settings->fd || !settings->done || !apply_is_confined())
		return false;
	if (!loaded) /* out of reach inside the sandbox */
		return failure->error == -EACCES;
	apply_mark(blob, mark);
	return *mark && text_same(mark, settings->done);
}

static bool load(const struct settings *settings, struct blob *blob, struct failure *failure)
{
	if (!settings->fd)
		return load_path(settings->path, blob, failure);

	long fd = text_number(settings->fd, FD_TOP);
	if (fd < 0)
		return failed(failure, CONFINE_VARIABLE "_FD", settings->fd, -EINVAL,
			      "not a number");
	bool ok = load_memory_file((int)fd, blob, failure);
	SYS(close, fd);
	return ok;
}

__attribute__((constructor)) static void confine_this_process(void)
{
	struct settings settings;
	struct failure failure = {0};
	struct blob blob = {0};
	struct result result = {0};
	char mark[MARK_ROOM];

	if (!&environ || !environ) {
		if (environment_names_us()) {
			failed(&failure, "environment", NULL, -EOPNOTSUPP,
			       "the program's C library does not export environ");
			stop(&failure, -1);
		}
		return;
	}
	settings_read(environ, &settings);
	if (!settings.path && !settings.fd)
		return;

	long ack = settings.ack ? text_number(settings.ack, FD_TOP) : -1;
	if (settings.ack && ack < 0) {
		failed(&failure, CONFINE_VARIABLE "_ACK", settings.ack, -EINVAL, "not a number");
		stop(&failure, -1);
	}
	if (is_privileged()) {
		failed(&failure, "privileges", NULL, -EPERM,
		       "the program gains privileges, so its environment is not trusted");
		stop(&failure, (int)ack);
	}

	bool loaded = load(&settings, &blob, &failure);
	if (is_done(&settings, &blob, loaded, &failure)) {
		unload(&blob);
		return;
	}
	const struct request request = {.all_threads = false, .sweep = true, .keep_fd = (int)ack};
	if (!loaded || !apply(&blob.parts, &request, &result, &failure))
		stop(&failure, (int)ack);
	apply_mark(&blob, mark);
	if (!environment_edit(&blob.parts, &settings, mark, &failure))
		stop(&failure, (int)ack);
	if (settings.debug)
		describe_result(&blob.parts, &result);
	unload(&blob);
	acknowledge((int)ack, CONFINE_ACK_DONE);
}
