/* Group D: signals, tracing, limits and priorities of processes outside; capabilities, namespaces, own filters. */
#include "probe.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/uio.h>

static long child_pid(void) { return sys(SYS_getpid); }

static void own_child_twin(void)
{
	long pid = must("clone", sys(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (pid == 0)
		for (;;)
			sys(SYS_pause);
	struct rlimit limit = { 16, 16 };
	must("prlimit own child", sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit));
	must("setpriority self", sys(SYS_setpriority, 0, 0, 5));
	must("kill own child", sys(SYS_kill, pid, SIGKILL));
	must("wait", sys(SYS_wait4, pid, 0, 0, 0));
}

static void kill_outsider(void)
{
	int pid = outsider();
	siginfo_t info = { .si_code = SI_QUEUE, .si_signo = SIGUSR1 };
	attempt("kill 0", sys(SYS_kill, pid, 0));
	attempt("kill USR1", sys(SYS_kill, pid, SIGUSR1));
	attempt("tkill", sys(SYS_tkill, pid, SIGUSR1));
	attempt("tgkill", sys(SYS_tgkill, pid, pid, SIGUSR1));
	attempt("rt_sigqueueinfo", sys(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info));
	attempt("rt_tgsigqueueinfo", sys(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, &info));
	attempt("kill group", sys(SYS_kill, -pid, SIGUSR1));
	long fd = sys(434 /* pidfd_open */, pid, 0);
	attempt("pidfd_send_signal", fd < 0 ? fd : sys(424, fd, SIGUSR1, 0, 0));
}
static void kill_everybody(void)
{
	if (probe.control)
		assert_only("kill(-1) unconfined would reach the whole session");
	/* The kernel answers 0 when every single signal was refused, so only the oracle, which counts what arrived, can tell. */
	sys(SYS_kill, -1, SIGUSR2);
	attempt("delivered?", -EPERM);
}
static void kill_parent(void)
{
	/* the supervisor, the launcher or whoever started us; 0 in a PID namespace, where 1 is the holder */
	long parent = sys(SYS_getppid);
	if (probe.control && !is_root() && parent == 1)
		skip("the parent is init");
	attempt("parent", sys(SYS_kill, parent ? parent : 1, 0));
	attempt("tgkill", sys(SYS_tgkill, parent ? parent : 1, parent ? parent : 1, 0));
}
static void sigio(void)
{
	int pid = outsider();
	int pipes[2];
	must("pipe2", sys(SYS_pipe2, pipes, 0));
	/* F_SETOWN itself is allowed to name anyone; delivery is what counts, and the oracle counts the outsider's signals. */
	sys(SYS_fcntl, pipes[0], F_SETOWN, pid);
	sys(SYS_fcntl, pipes[0], F_SETSIG, SIGUSR1);
	sys(SYS_fcntl, pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	if (probe.control)
		assert_only("delivery is seen by the oracle");
	must("write", sys(SYS_write, pipes[1], "x", 1));
	attempt("delivered?", -EPERM);
}

static long attach(void) { return sys(SYS_ptrace, 16 /* ATTACH */, world_number("W_PID"), 0, 0); }
static long seize(void)
{
	long r = sys(SYS_ptrace, 0x4206 /* SEIZE */, world_number("W_PID"), 0, 0);
	if (r == 0)
		sys(SYS_ptrace, 17 /* DETACH */, world_number("W_PID"), 0, 0);
	return r;
}
static void trace(void)
{
	outsider();
	attempt("PTRACE_SEIZE", in_child(seize));
	attempt("PTRACE_ATTACH", in_child(attach));
}

static void memory(void)
{
	int pid = outsider();
	long byte = 0;
	struct iovec here = { &byte, 1 }, there = { (void *)strtoul(world("W_ADDRESS"), NULL, 16), 1 };
	attempt("process_vm_readv", sys(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0));
	attempt("process_vm_writev", sys(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0));
	attempt("move_pages", sys(SYS_move_pages, pid, 0, 0, 0, 0, 0));
	allow(EBADF);
	long fd = sys(434, pid, 0);
	if (!probe.control || is_root())
		attempt("process_madvise", sys(440, fd, &there, 0, 21 /* PAGEOUT */, 0));
}
static void memory_twin(void)
{
	/* process_vm_* is on the block list even for oneself; own memory is reached by /proc/self/mem */
	char word[8] = "x", back[8] = "";
	long fd = must("/proc/self/mem", sys(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY));
	must("pread", sys(SYS_pread64, fd, back, 1, word));
	must("same", back[0] == 'x' ? 0 : -EINVAL);
}
static void proc_of_outsider(void)
{
	char path[64];
	int pid = outsider();
	if (has_view())
		allow(ENOENT);
	static const struct {
		const char *name;
		int flags;
	} files[] = { { "mem", O_RDONLY }, { "mem", O_RDWR }, { "environ", O_RDONLY }, { "maps", O_RDONLY }, { "fd/3", O_RDONLY },
		      { "oom_score_adj", O_WRONLY }, { "coredump_filter", O_WRONLY } };
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (probe.control && !strcmp(files[i].name, "fd/3"))
			continue; /* a socket: not openable by anyone */
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i].name);
		long fd = sys(SYS_openat, AT_FDCWD, path, files[i].flags);
		if (!probe.control && fd == -ENXIO)
			fd = -EACCES;
		char what[64];
		snprintf(what, sizeof(what), "%s %s", files[i].name, files[i].flags == O_RDONLY ? "read" : "write");
		attempt(what, fd);
	}
}

static void limits(void)
{
	int pid = outsider();
	struct rlimit limit = { 100, 200 };
	attempt("NOFILE", sys(SYS_prlimit64, pid, RLIMIT_NOFILE, &limit, 0));
	attempt("CPU", sys(SYS_prlimit64, pid, RLIMIT_CPU, &limit, 0));
	limit = (struct rlimit){ 0, 0 };
	attempt("CORE", sys(SYS_prlimit64, pid, RLIMIT_CORE, &limit, 0));
	attempt("dirty pid", sys(SYS_prlimit64, HIGH(pid), RLIMIT_CORE, &limit, 0));
}
static void limits_parent(void)
{
	struct rlimit limit = { 64, 64 };
	assert_only("the runner is the parent of a control run");
	long parent = sys(SYS_getppid);
	allow(ESRCH);
	attempt("parent", sys(SYS_prlimit64, parent ? parent : 1, RLIMIT_NOFILE, &limit, 0));
}
static void limits_twin(void)
{
	struct rlimit limit;
	must("get own", sys(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit));
	must("set own", sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, 0));
	struct rlimit none = { 0, 0 };
	must("setrlimit", sys(SYS_setrlimit, RLIMIT_CORE, &none));
	must("of the own pid", sys(SYS_prlimit64, sys(SYS_getpid), RLIMIT_CORE, 0, &limit));
}

static void priority(void)
{
	int pid = outsider();
	struct sched_param parameter = { 0 };
	unsigned long cpus = 1;
	uint32_t attribute[12] = { 48, 3 /* BATCH */, 0, 0, 7 /* nice */ };
	attempt("setpriority", sys(SYS_setpriority, 0, pid, 7));
	attempt("sched_setscheduler", sys(SYS_sched_setscheduler, pid, 3 /* BATCH */, &parameter));
	attempt("sched_setparam", sys(SYS_sched_setparam, pid, &parameter));
	attempt("sched_setattr", sys(SYS_sched_setattr, pid, attribute, 0));
	attempt("sched_setaffinity", sys(SYS_sched_setaffinity, pid, sizeof(cpus), &cpus));
	attempt("ioprio_set", sys(SYS_ioprio_set, 1, pid, 3 << 13));
}
static void priority_many(void)
{
	long uid = sys(SYS_getuid);
	attempt("setpriority group", sys(SYS_setpriority, 1, outsider(), 7));
	attempt("ioprio_set group", sys(SYS_ioprio_set, 2, outsider(), 3 << 13));
	if (probe.control)
		return; /* unconfined these would reach every process of the user */
	long user = sys(SYS_setpriority, 2, uid, 7), io = sys(SYS_ioprio_set, 3, uid, 3 << 13);
	if (has_view())
		return; /* they reach the PID namespace only; the oracle looks at the outsider */
	attempt("setpriority user", user);
	attempt("ioprio_set user", io);
}
static void priority_twin(void)
{
	struct sched_param parameter = { 0 };
	long tid = sys(SYS_gettid);
	unsigned long cpus[16];
	must("setpriority", sys(SYS_setpriority, 0, 0, 3));
	must("setpriority own tid", sys(SYS_setpriority, 0, tid, 4));
	long n = must("sched_getaffinity", sys(SYS_sched_getaffinity, 0, sizeof(cpus), cpus));
	must("sched_setaffinity", sys(SYS_sched_setaffinity, 0, n, cpus));
	must("sched_setaffinity own tid", sys(SYS_sched_setaffinity, tid, n, cpus));
	must("sched_setscheduler", sys(SYS_sched_setscheduler, tid, 3, &parameter));
	must("ioprio_set", sys(SYS_ioprio_set, 1, 0, 3 << 13));
	long child = must("clone", sys(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (child == 0)
		for (;;)
			sys(SYS_pause);
	must("setpriority child", sys(SYS_setpriority, 0, child, 5));
	must("sched_setaffinity child", sys(SYS_sched_setaffinity, child, n, cpus));
	must("kill child", sys(SYS_kill, child, SIGKILL));
	must("wait", sys(SYS_wait4, child, 0, 0, 0));
}

static void pidfds(void)
{
	int pid = outsider();
	long fd = sys(434, pid, 0);
	if (!probe.control)
		allow(EBADF);
	attempt("outsider", sys(438 /* pidfd_getfd */, fd, 0, 0));
	attempt("kcmp", sys(SYS_kcmp, pid, sys(SYS_getpid), 0, 0, 0));
	/* one's own child: the answer must be the same, so that nothing depends on timing */
	long child = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		for (;;)
			sys(SYS_pause);
	fd = must("pidfd_open", sys(434, child, 0));
	attempt("own child", sys(438, fd, 0, 0));
	sys(SYS_kill, child, SIGKILL);
	sys(SYS_wait4, child, 0, 0, 0);
}
static void pidfd_twin(void)
{
	long child = must("clone", sys(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	if (child == 0)
		for (;;)
			sys(SYS_pause);
	long fd = must("pidfd_open", sys(434, child, 0));
	must("pidfd_send_signal", sys(424, fd, SIGKILL, 0, 0));
	must("waitid(P_PIDFD)", sys(SYS_waitid, 3, fd, 0, WEXITED, 0));
}

static void undumpable(void)
{
	/* Success is pretended; what counts is that the supervisor stays able to look, and that nothing opens up. */
	must("PR_SET_DUMPABLE", sys(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
	if (strcmp(world("W_MODE"), "kernel")) /* without a supervisor nobody has to look */
		attempt("is undumpable", sys(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -EPERM);
	attempt("read", open_and_show(in("W_OUT", "secret"), O_RDONLY));
}
static void undumpable_twin(void)
{
	must("PR_SET_DUMPABLE 1", sys(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
	must("PR_SET_NAME", sys(SYS_prctl, PR_SET_NAME, "name", 0, 0, 0));
	must("fork", in_child(child_pid));
}

static long own_filter(struct sock_filter *code, size_t length)
{
	struct sock_fprog program = { (unsigned short)length, code };
	sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
static void own_filters(void)
{
	static struct sock_filter large[4096];
	struct sock_filter allow_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_filter answer_zero[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	for (size_t i = 0; i < 4095; i++)
		large[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	large[4095] = allow_all[0];
	if (!probe.control) {
		must("allow everything", own_filter(allow_all, 1));
		must("trace", own_filter(answer_zero, 4));
		int depth = 0;
		while (depth < 20 && own_filter(large, 4096) == 0)
			depth++;
		must("some large ones", depth > 0 ? 0 : -EINVAL);
	}
	attempt("read", open_and_show(in("W_OUT", "secret"), O_RDONLY));
	attempt("unshare", sys(SYS_unshare, CLONE_NEWUSER));
}
static void second_listener(void)
{
	struct sock_filter notify_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, notify_all };
	sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	attempt("own listener", sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}
static void own_filter_twin(void)
{
	struct sock_filter answer[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	must("own filter", own_filter(answer, 4));
	must("it works", sys(SYS_getppid) == -ENOTTY ? 0 : -EINVAL);
	must("fork", in_child(child_pid));
}

static void own_layers(void)
{
	struct landlock_ruleset_attr attribute = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK };
	int layers = 0;
	sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (; !probe.control && layers < 64; layers++) {
		long fd = sys(444, &attribute, 8, 0);
		if (fd < 0 || sys(446, fd, 0) < 0)
			break;
		sys(SYS_close, fd);
	}
	if (!probe.control)
		must("a few layers", layers >= 8 ? 0 : -E2BIG);
	attempt("read", open_and_show(in("W_OUT", "secret"), O_RDONLY));
	attempt("write", sys(SYS_openat, AT_FDCWD, in("W_RO", "file"), O_WRONLY));
}

static long exec_suid(void)
{
	char *argv[] = { "ids", "ids", NULL };
	return sys(SYS_execve, in("W_RW", "suid"), argv, NULL);
}
static void suid(void)
{
	/* Root makes a program of another owner; a user looks at a program of the system that tells its own ids. */
	if (!is_root())
		skip("only root can make a set-user-ID program of another owner");
	assert_only("a set-user-ID copy cannot be told from the outside; its own answer is asserted");
	long from = must("open", sys(SYS_openat, AT_FDCWD, in("W_BIN", "ids"), O_RDONLY));
	long to = must("create", sys(SYS_openat, AT_FDCWD, in("W_RW", "suid"), O_CREAT | O_WRONLY | O_TRUNC, 0755));
	while (sys(SYS_sendfile, to, from, 0, 1 << 20) > 0)
		;
	sys(SYS_fchown, to, 65534, 65534);
	sys(SYS_fchmod, to, 06755);
	sys(SYS_close, to);
	long r = in_child(exec_suid);
	attempt("runs with other ids", r == -EKILLED ? -EPERM : r);
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "suid"), 0);
}
static void exec_plain_twin(void)
{
	struct stat st;
	must("stat", stat(in("W_BIN", "ids"), &st));
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };
	if (!is_root())
		skip("not root: there are no capabilities to drop");
	must("capget", sys(SYS_capget, &header, data));
	/* CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID and the like only concern files the grants allow; these concern the machine: */
	/* KILL stays with --caps files: Landlock's scope holds root as well, and root may change the user of its own children. */
	static const int dangerous[] = { 2 /* DAC_READ_SEARCH */, 8 /* SETPCAP */, 12 /* NET_ADMIN */, 13 /* NET_RAW */,
					 16 /* SYS_MODULE */, 17 /* RAWIO */, 18 /* CHROOT */, 19 /* PTRACE */, 21 /* ADMIN */, 22 /* BOOT */,
					 23 /* NICE */, 24 /* RESOURCE */, 25 /* TIME */, 27 /* MKNOD */, 38 /* PERFMON */, 39 /* BPF */ };
	for (size_t i = 0; i < sizeof(dangerous) / sizeof(*dangerous); i++) {
		int cap = dangerous[i];
		char what[32];
		snprintf(what, sizeof(what), "capability %d", cap);
		if (probe.control && sys(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue; /* root of a container does not have it either */
		bool held = (data[cap / 32].effective | data[cap / 32].permitted) >> (cap % 32) & 1;
		attempt(what, held ? 0 : -EPERM);
		snprintf(what, sizeof(what), "bounding %d", cap);
		attempt(what, sys(SYS_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) == 1 ? 0 : -EPERM);
	}
	attempt("ambient", probe.control ? 0 : sys(SYS_prctl, PR_CAP_AMBIENT, 1 /* IS_SET */, 21, 0, 0) == 1 ? 0 : -EPERM);
	attempt("no_new_privs", probe.control ? 0 : sys(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -EPERM : 0);
	attempt("sethostname", probe.control ? 0 : sys(SYS_sethostname, "x", 1));
}

static long new_user(void) { return sys(SYS_unshare, CLONE_NEWUSER); }
static long new_user_dirty(void) { return sys(SYS_unshare, HIGH(CLONE_NEWUSER | CLONE_FS)); }
static long clone_user(void)
{
	long pid = sys(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		sys(SYS_exit_group, 0);
	return pid;
}
static long clone_dirty(void)
{
	long pid = sys(SYS_clone, HIGH(CLONE_NEWUSER | SIGCHLD), 0, 0, 0, 0);
	if (pid == 0)
		sys(SYS_exit_group, 0);
	return pid;
}
static long set_namespace(void)
{
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/ns/uts", O_RDONLY);
	long r = sys(SYS_setns, fd, CLONE_NEWUTS);
	return r == -EBADF ? 0 : r;
}
static void namespaces(void)
{
	attempt("unshare user", in_child(new_user));
	if (!probe.control) { /* unshare looks at all 64 bits: EINVAL unconfined */
		allow(EINVAL);
		attempt("unshare user, dirty half", in_child(new_user_dirty));
	}
	attempt("clone user", in_child(clone_user));
	attempt("clone user, dirty half", in_child(clone_dirty));
	static const struct {
		int flag;
		const char *name;
	} all[] = { { CLONE_NEWNS, "mnt" }, { CLONE_NEWUTS, "uts" }, { CLONE_NEWIPC, "ipc" }, { CLONE_NEWNET, "net" },
		    { CLONE_NEWPID, "pid" }, { CLONE_NEWCGROUP, "cgroup" } };
	if (probe.control)
		try_namespace_root();
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		attempt(all[i].name, sys(SYS_unshare, all[i].flag));
	if (!probe.control)
		attempt("setns", set_namespace());
}
static void namespace_twin(void)
{
	must("unshare(FILES)", sys(SYS_unshare, CLONE_FILES));
	must("unshare(FS)", sys(SYS_unshare, CLONE_FS));
	must("fork", in_child(child_pid));
}
static void clone3(void)
{
	uint64_t arguments[11] = { [0] = 0, [4] = SIGCHLD };
	long pid = sys(435, arguments, sizeof(arguments));
	if (pid == 0)
		sys(SYS_exit_group, 0);
	attempt("clone3", pid);
}

static void kernel_surface(void)
{
	static char attribute[128];
	*(uint32_t *)(attribute + 4) = sizeof(attribute);
	*(uint32_t *)attribute = 1;		 /* SOFTWARE */
	*(uint64_t *)(attribute + 40) = 1 | 1 << 5; /* disabled, exclude_kernel */
	long r = sys(SYS_perf_event_open, attribute, 0, -1, -1, 0);
	if (!probe.control || is_root())
		attempt("perf_event_open", r);
	uint32_t map[32] = { 2 /* ARRAY */, 4, 4, 1 };
	r = sys(SYS_bpf, 0 /* MAP_CREATE */, map, sizeof(map));
	if (!probe.control || is_root())
		attempt("bpf", r);
	r = sys(SYS_userfaultfd, 1 /* USER_MODE_ONLY */);
	attempt("userfaultfd", r);
	attempt("personality", sys(SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */));
}
static void personality_twin(void)
{
	must("personality query", sys(SYS_personality, 0xffffffff));
	must("personality 0", sys(SYS_personality, 0));
}

static void supervisor_secrets(void)
{
	char path[64];
	long parent = sys(SYS_getppid);
	parent = parent ? parent : 1;
	if (probe.control)
		parent = world_number("W_PID");
	static const char *const names[] = { "environ", "mem", "maps", "auxv" };
	if (has_view())
		allow(ENOENT);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/proc/%ld/%s", parent, names[i]);
		attempt(names[i], sys(SYS_openat, AT_FDCWD, path, O_RDONLY));
	}
	snprintf(path, sizeof(path), "/proc/%ld/root/", parent);
	attempt("root", sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
}

static const struct probe_case cases[] = {
	CASE("D01-signal-outsider", kill_outsider, own_child_twin, "", EPERM),
	CASE("D01-signal-everybody", kill_everybody, own_child_twin, "", EPERM),
	CASE("D01-signal-parent", kill_parent, own_child_twin, "", EPERM),
	CASE("D03-sigio-outsider", sigio, own_child_twin, "", EPERM),
	CASE("D04-ptrace-outsider", trace, own_child_twin, "", EPERM),
	CASE("D06-memory-of-outsider", memory, memory_twin, "-r /proc", EPERM),
	CASE("D06-D09-proc-of-outsider", proc_of_outsider, memory_twin, "-r /proc", EACCES, EPERM),
	CASE("D07-prlimit-outsider", limits, limits_twin, "", EPERM),
	CASE("D07-prlimit-parent", limits_parent, limits_twin, "", EPERM),
	CASE("D08-priority-outsider", priority, priority_twin, "", EPERM),
	CASE("D08-priority-group-user", priority_many, priority_twin, "", EPERM),
	CASE("C06-D33-pidfd-getfd-kcmp", pidfds, pidfd_twin, "", EPERM),
	CASE("D18-undumpable", undumpable, undumpable_twin, "", EPERM, EACCES),
	CASE("D19-own-filters", own_filters, own_filter_twin, "", EACCES, EPERM, ENOSYS),
	CASE("G13-second-listener", second_listener, own_filter_twin, "", EBUSY),
	CASE("D20-own-layers", own_layers, own_child_twin, "", EACCES),
	CASE("D22-set-user-id", suid, exec_plain_twin, "", EPERM, EACCES),
	CASE("D23-capabilities", capabilities, own_child_twin, "", EPERM),
	CASE("D24-namespaces", namespaces, namespace_twin, "", EPERM),
	CASE("D24-clone3", clone3, namespace_twin, "", ENOSYS),
	CASE("D30-kernel-surface", kernel_surface, personality_twin, "", EPERM),
	CASE("D32-supervisor-proc", supervisor_secrets, memory_twin, "-r /proc", EACCES, EPERM),
};
PROBE_MAIN(cases)
