/* What a failed step of a launch means to the user, and which exit status it gives (docs/sandlock.1). */
#include "launch/launch.h"
#include "launch/child.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_SANDLOCK = 125, STATUS_CANNOT_EXEC = 126, STATUS_NOT_FOUND = 127 };

static const char *const step_texts[STEP_COUNT] = {
	[STEP_NONE] = "the sandbox ended before the program started",
	[STEP_GROUP] = "cannot make a process group",
	[STEP_PARENT_DEATH] = "cannot tie the program to its supervisor",
	[STEP_SIGNALS] = "cannot reset signals",
	[STEP_PERSONALITY] = "cannot switch off address space randomisation",
	[STEP_AFFINITY] = "cannot set the CPU affinity",
	[STEP_THP] = "cannot switch off transparent huge pages",
	[STEP_CORE] = "cannot forbid core dumps",
	[STEP_RLIMIT] = "cannot set a resource limit",
	[STEP_CWD] = "cannot enter the working directory",
	[STEP_CAPABILITIES] = "cannot drop capabilities",
	[STEP_NO_NEW_PRIVS] = "cannot set no_new_privs",
	[STEP_LANDLOCK] = "cannot apply the Landlock rules",
	[STEP_SECCOMP] = "cannot install the system call filter",
	[STEP_SWEEP] = "cannot close inherited descriptors",
	[STEP_NOFILE] = "cannot set the limit of open files",
	[STEP_EXEC] = "cannot execute",
	[STEP_NAMESPACE] = "cannot enter the sandbox's namespaces",
	[STEP_CLONE] = "cannot make a process",
	[STEP_CANARY] = "a protection that was switched on does not work on this kernel",
};

static const char *existing(const char *const *candidates)
{
	struct stat st;

	for (; *candidates; candidates++)
		if (stat(*candidates, &st) == 0)
			return *candidates;
	return NULL;
}

static int explain_exec(int error, const char *const *candidates, const char *command,
			struct error *err)
{
	const char *found = existing(candidates);
	struct stat st;

	if (!found && (error == ENOENT || error == ENOTDIR || error == EACCES)) {
		error_add(err, NO_ORIGIN, NULL, "cannot execute %s: command not found",
			  error_quote(err, command));
		return STATUS_NOT_FOUND;
	}
	error_add_errno(err, NO_ORIGIN, NULL, error, "cannot execute %s",
			error_quote(err, command));
	if (error == ENOENT || error == ENOTDIR)
		error_hint(err, "%s exists; its interpreter or loader is missing or not granted",
			   error_quote(err, found));
	else if (error == EACCES && stat(found, &st) == 0 && S_ISREG(st.st_mode) &&
		 access(found, X_OK) == 0)
		error_hint(err,
			   "grant it with the program's libraries: -r %s (or a directory above)",
			   found);
	return STATUS_CANNOT_EXEC;
}

int launch_explain(int step, int error, int index, const char *place, const char *const *candidates,
		   const char *command, struct error *err)
{
	struct origin origin = {.file = place && *place ? place : NULL};

	if (step == STEP_EXEC)
		return explain_exec(error, candidates, command, err);
	if (step <= STEP_NONE || step >= STEP_COUNT) {
		error_add(err, origin, NULL, "%s", step_texts[STEP_NONE]);
		return STATUS_SANDLOCK;
	}
	if (step == STEP_CWD && command)
		error_add_errno(err, origin, NULL, error, "%s %s", step_texts[step],
				error_quote(err, command));
	else
		error_add_errno(err, origin, NULL, error, "%s", step_texts[step]);
	if (step == STEP_SECCOMP && error == EBUSY)
		error_hint(
			err,
			"a supervised sandbox cannot run inside another one: use --no-supervisor");
	if (step == STEP_LANDLOCK && error == E2BIG)
		error_hint(err, "16 Landlock layers are the kernel's limit");
	if (step == STEP_CANARY && index == STEP_LANDLOCK)
		error_hint(err,
			   "Landlock was accepted but did not refuse a path that is not granted");
	return STATUS_SANDLOCK;
}
