/*
 * From plan to running program. The caller has resolved the policy and planned; these functions open, build, confine and
 * exec. They return only on failure.
 */
#ifndef SANDLOCK_LAUNCH_LAUNCH_H
#define SANDLOCK_LAUNCH_LAUNCH_H

#include "launch/holder.h"
#include "plan/plan.h"
#include "policy/load.h"

struct launch {
	const struct policy *policy;
	const struct plan *plan;
	const struct host *host;
	const struct surroundings *s;
	char **arguments; /* sandlock's own argv; wiped before process 1 of the sandbox can show it */
	char *const *command;	       /* NULL-terminated argv of the program */
	char *const *environment;      /* the program's, final */
	const char *const *candidates; /* paths to try, NULL-terminated */
	int status_fd, report_fd;      /* -1: none */
	const char *name;	       /* NULL: none */
	int registry_fd;	       /* listens under that name; -1: not registered */
	bool quiet, compat;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* environment.c: the program's environment, and the paths that its name can mean. */
bool environment_build(const struct policy *policy, const struct surroundings *s,
		       struct arena *arena, char ***out, struct error *err);
const char *const *exec_candidates(const char *name, char *const *environment, struct arena *arena);

/* Confines this process and execs the command. Returns the exit status for a failure that is in `err`. */
int launch_in_place(const struct launch *launch, struct error *err);
/* Builds the view when the plan has one, takes the outer layer, execs this program in the role supervisor. When the host does not
 * permit the view, *refused says what (nothing was started; plan again without). */
int launch_supervised(const struct launch *launch, enum refusal *refused, struct error *err);

/* Text for a failed step of the child: "cannot set RLIMIT_NPROC", "cannot enter the directory ...". */
struct child_failure;

/* Adds the message for a failed launch and returns the exit status (125, 126, 127). `command` is what the step was about: the
 * program's name, or the directory for STEP_CWD. */
int launch_explain(int step, int error, int index, const char *place, const char *const *candidates,
		   const char *command, struct error *err);

#endif
