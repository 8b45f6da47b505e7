/* Group L: limits of open files, processes and threads, at the number and one above. */
#include "probe.h"

static void open_files(void)
{
	struct rlimit more = { 4096, 4096 };
	int opened = 0;
	while (opened < 200 && sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY) >= 0)
		opened++;
	long r = probe.control || opened >= 64 ? 0 : sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY);
	attempt("64 descriptors", r);
	attempt("dup over it", probe.control ? 0 : sys(SYS_dup, 0));
	attempt("raise the hard limit", probe.control ? 0 : sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, 0));
	if (!probe.control)
		must("exactly 61 above the standard three", opened == 61 ? 0 : -EINVAL);
}
static void open_files_twin(void)
{
	for (int i = 0; i < 50; i++)
		must("open", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_RDONLY));
}

static void processes(void)
{
	/* -P 10: this process and nine children; whoever asks for the tenth child gets EAGAIN, however it asks */
	long pids[32];
	int made = 0;
	for (; made < 20; made++) {
		long pid = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			for (;;)
				sys(SYS_pause);
		if (pid < 0)
			break;
		pids[made] = pid;
	}
	attempt("more than ten processes", made >= 10 ? 0 : -EAGAIN);
	if (!probe.control) {
		must("exactly nine children", made == 9 ? 0 : -EINVAL);
		long pid = sys(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			sys(SYS_exit_group, 0);
		attempt("CLONE_PARENT", pid);
		pid = sys(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			sys(SYS_exit_group, 0);
		attempt("CLONE_VFORK", pid);
	}
	for (int i = 0; i < made; i++) {
		sys(SYS_kill, pids[i], SIGKILL);
		sys(SYS_wait4, pids[i], 0, 0, 0);
	}
}
static void processes_twin(void)
{
	for (int i = 0; i < 300; i++) {
		long pid = must("clone", sys(SYS_clone, SIGCHLD, 0, 0, 0, 0));
		if (pid == 0)
			sys(SYS_exit_group, 0);
		must("wait", sys(SYS_wait4, pid, 0, 0, 0));
	}
}

static const struct probe_case cases[] = {
	CASE("L08-open-files", open_files, open_files_twin, "--max-open-files 64", EMFILE, EPERM),
	CASE("L07-D15-processes", processes, processes_twin, "-P 10", EAGAIN),
};
PROBE_MAIN(cases)
