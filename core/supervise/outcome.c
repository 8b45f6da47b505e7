/* How a run ended: the exit status and the status record (cli-and-policy 1.11, 5.4). */
#include "supervise/session.h"

#include "base/fd.h"
#include "base/json.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

enum { STATUS_POLICY = 123, STATUS_TIMEOUT = 124, STATUS_SANDLOCK = 125 };

static const char *const reasons[] = {
	[END_EXIT] = "exit",	   [END_SIGNAL] = "signal",
	[END_TIMEOUT] = "timeout", [END_MAX_DURATION] = "max-duration",
	[END_KILLED] = "killed",   [END_SETUP] = "setup-error",
	[END_POLICY] = "policy",
};

static bool died_by_signal(const struct session *s)
{
	return s->code == CLD_KILLED || s->code == CLD_DUMPED;
}

int outcome_status(const struct session *s)
{
	bool compat = s->record.flags & RECORD_COMPAT;

	switch (s->reason) {
	case END_TIMEOUT:
	case END_MAX_DURATION:
		return STATUS_TIMEOUT;
	case END_POLICY:
		return STATUS_POLICY;
	case END_SETUP:
		return STATUS_SANDLOCK;
	case END_EXIT:
	case END_SIGNAL:
	case END_KILLED:
		break;
	}
	if (s->reason == END_KILLED && s->interrupted_by && !compat)
		return 128 + s->interrupted_by;
	if (died_by_signal(s))
		return compat ? 1 : 128 + s->status;
	return s->status;
}

static const char *signal_name(int signal)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT",
		[SIGILL] = "SIGILL",   [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",   [SIGKILL] = "SIGKILL",
		[SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",
		[SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ", [SIGSYS] = "SIGSYS",
	};

	return signal > 0 && signal < (int)ARRAY_LEN(names) ? names[signal] : NULL;
}

static uint64_t milliseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
}

static void add_seconds(struct str *out, uint64_t ns)
{
	str_printf(out, "%llu", (unsigned long long)(ns / 1000000000u));
	if (ns % 1000000000u)
		str_printf(out, ".%03u", (unsigned)(ns % 1000000000u / 1000000u));
	str_add_char(out, 's');
}

void outcome_message(const struct session *s, struct error *err)
{
	auto_str text = {0};

	if (s->reason != END_TIMEOUT && s->reason != END_MAX_DURATION)
		return;
	add_seconds(&text,
		    s->reason == END_TIMEOUT ? s->record.timeout_ns : s->record.max_duration_ns);
	error_say(err, "%s after %s", s->reason == END_TIMEOUT ? "timeout" : "maximum duration",
		  str_text(&text));
}

void outcome_report(const struct session *s, int exit_status, const struct error *err)
{
	auto_str text = {0};
	struct json j = {.out = &text};
	struct rusage usage;
	struct timespec now;

	if (s->record.status_fd < 0 && s->record.report_fd < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	getrusage(RUSAGE_CHILDREN, &usage);

	json_object(&j, NULL);
	/* These two first and as the reference writes them. */
	json_i64(&j, "exit_code", died_by_signal(s) ? -1 : s->status);
	if (died_by_signal(s))
		json_i64(&j, "signal", s->status);
	json_i64(&j, "status", exit_status);
	json_string(&j, "reason", reasons[s->reason]);
	if (died_by_signal(s) && signal_name(s->status))
		json_string(&j, "signal_name", signal_name(s->status));
	if (s->name)
		json_string(&j, "name", s->name);
	json_i64(&j, "pid", s->guard.guest_pid);
	json_bool(&j, "core_dumped", s->code == CLD_DUMPED);
	json_u64(&j, "duration_ms",
		 ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec -
		  s->record.started_ns) /
			 1000000u);
	json_u64(&j, "user_ms", milliseconds(usage.ru_utime));
	json_u64(&j, "sys_ms", milliseconds(usage.ru_stime));
	json_u64(&j, "peak_memory", (uint64_t)usage.ru_maxrss * 1024u);
	if (s->peak_processes)
		json_u64(&j, "peak_processes", s->peak_processes);
	if (s->reason == END_SETUP && err->count)
		json_string(&j, "error", err->list[0].message);
	json_u64(&j, "denials", s->denials);
	json_u64(&j, "traps", s->traps);
	json_object(&j, "traps_by_call");
	for (int nr = 0; nr < (int)ARRAY_LEN(s->traps_by_nr); nr++)
		if (s->traps_by_nr[nr]) {
			const char *name = syscall_name(nr);

			json_u64(&j, name ? name : "unknown", s->traps_by_nr[nr]);
		}
	json_end_object(&j);
	ports_report(&j);
	json_end_object(&j);
	str_add_char(&text, '\n');

	if (s->record.status_fd >= 0)
		fd_write_all(s->record.status_fd, text.data, text.len);
	if (s->record.report_fd >= 0 && s->record.report_fd != s->record.status_fd)
		fd_write_all(s->record.report_fd, text.data, text.len);
}
