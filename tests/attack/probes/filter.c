/* Group F and parts of G and O: the encoding of system calls against the filter. */
#include "probe.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <ucontext.h>

#if defined(__x86_64__)
static long x32(void) { return sys6(0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0), 0; }
static long x32_denied(void) { return sys6(0x40000000 | SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0, 0), 0; }
static void x32_numbers(void)
{
	/* Whether or not the kernel has x32: coming back at all is the escape. */
	attempt("getpid", in_child(x32));
	attempt("unshare", in_child(x32_denied));
}
static long int80(void)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20 /* getpid */) : "memory", "r8", "r9", "r10", "r11");
	return r;
}
static void foreign_numbers(void)
{
	long r = in_child(int80);
	if (probe.control && r == -EKILLED)
		skip("kernel has no 32-bit system calls");
	attempt("int 0x80", r);
}

static void srop_handler(int signal, siginfo_t *info, void *context)
{
	/* The frame returns into a system call instruction with a denied number loaded. */
	extern char srop_syscall[];
	ucontext_t *u = context;
	(void)signal, (void)info;
	u->uc_mcontext.gregs[REG_RAX] = SYS_unshare;
	u->uc_mcontext.gregs[REG_RDI] = CLONE_NEWUSER;
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)srop_syscall;
}
static long srop_call(void)
{
	struct sigaction action = { .sa_sigaction = srop_handler, .sa_flags = SA_SIGINFO };
	sigaction(SIGUSR1, &action, NULL);
	long r = sys(SYS_getpid);
	__asm__ volatile("mov $39, %%eax\n"	/* getpid, kill(self, SIGUSR1): the handler redirects behind it */
			 "syscall\n"
			 "mov %%rax, %%rdi\n"
			 "mov $10, %%esi\n"
			 "mov $62, %%eax\n"
			 "syscall\n"
			 "jmp 1f\n"
			 ".globl srop_syscall\n"
			 "srop_syscall: syscall\n"
			 "1: mov %%rax, %0\n"
			 : "=r"(r)
			 :
			 : "rax", "rdi", "rsi", "rcx", "r11", "memory");
	return r;
}
static void srop(void) { attempt("unshare from a forged frame", in_child(srop_call)); }
#else
static void x32_numbers(void) { skip("x32 is of x86_64"); }
static void foreign_numbers(void) { skip("int 0x80 is of x86"); }
static void srop(void) { skip("the forged frame of this probe is for x86_64"); }
#endif
static void plain_twin(void)
{
	must("getpid", sys(SYS_getpid));
	struct timespec now;
	must("clock_gettime", sys(SYS_clock_gettime, 0, &now));
}

static void unknown(void)
{
	assert_only("the kernel answers ENOSYS as well; that nothing else comes back is asserted");
	for (long nr = 480; nr < 1024; nr += 17) {
		char what[32];
		snprintf(what, sizeof(what), "number %ld", nr);
		attempt(what, sys6(nr, 0, 0, 0, 0, 0, 0));
	}
	attempt("number -1", sys6(-1, 0, 0, 0, 0, 0, 0));
	attempt("number 2^30-1", sys6(0x3fffffff, 0, 0, 0, 0, 0, 0));
	attempt("number 512 (x32 range)", sys6(512, 0, 0, 0, 0, 0, 0));
}

static void dirty(void)
{
	struct rlimit limit = { 0, 0 };
	int pid = outsider();
	allow(EPROTONOSUPPORT), allow(EAFNOSUPPORT);
	attempt("socket(AF_INET, STREAM, MPTCP)", sys(SYS_socket, HIGH(AF_INET), HIGH(SOCK_STREAM), HIGH(262)));
	attempt("socket(NETLINK, RAW, SOCK_DIAG)", sys(SYS_socket, HIGH(AF_NETLINK), HIGH(SOCK_RAW), HIGH(4)));
	attempt("socket(INET, DGRAM)", sys(SYS_socket, HIGH(AF_INET), HIGH(SOCK_DGRAM), HIGH(0)));
	attempt("prlimit64", sys(SYS_prlimit64, HIGH(pid), HIGH(RLIMIT_CORE), &limit, 0));
	attempt("personality", sys(SYS_personality, HIGH(0x40000)));
	attempt("keyctl", sys(SYS_keyctl, HIGH(0), HIGH(-3), 1));
}
static void dirty_twin(void)
{
	must("socket", sys(SYS_socket, HIGH(AF_UNIX), HIGH(SOCK_STREAM | SOCK_CLOEXEC), HIGH(0)));
	must("personality", sys(SYS_personality, HIGH(0xffffffff)));
	must("prctl", sys(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static long clone_flags(void)
{
	long pid = sys(SYS_clone, CLONE_NEWUSER | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		sys(SYS_exit_group, 0);
	return pid;
}
static long unshare_flags(void) { return sys(SYS_unshare, CLONE_FS | CLONE_FILES | CLONE_NEWUSER); }
static void combined(void)
{
	attempt("clone(NEWUSER|VFORK|SIGCHLD)", in_child(clone_flags));
	attempt("unshare(FS|FILES|NEWUSER)", in_child(unshare_flags));
	allow(EPROTONOSUPPORT);
	attempt("socket(DGRAM|CLOEXEC|NONBLOCK)", sys(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (!probe.control || is_root())
		attempt("socket(RAW|CLOEXEC|NONBLOCK)", sys(SYS_socket, AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 1));
}
static void combined_twin(void)
{
	must("socket(STREAM|CLOEXEC|NONBLOCK)", sys(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	long pid = must("clone(VFORK)", sys(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0)
		sys(SYS_exit_group, 0);
	must("wait", sys(SYS_wait4, pid, 0, 0, 0));
}

static void terminal_ioctls(void)
{
	/* Unconfined, on a pipe, the command reaches the file and is not understood: ENOTTY. Filtered, it never gets there. */
	int pipes[2];
	char byte = 'x';
	must("pipe", sys(SYS_pipe2, pipes, 0));
	static const struct {
		unsigned long command;
		const char *name;
	} all[] = { { 0x5412, "TIOCSTI" }, { 0x541c, "TIOCLINUX" }, { 0x541d, "TIOCCONS" }, { 0x5423, "TIOCSETD" } };
	for (size_t i = 0; i < 4; i++) {
		long r = sys(SYS_ioctl, pipes[0], all[i].command, &byte);
		attempt(all[i].name, r == -ENOTTY ? 0 : r);
		r = sys(SYS_ioctl, pipes[0], HIGH(all[i].command), &byte);
		attempt("with dirty half", r == -ENOTTY ? 0 : r);
	}
	long unix_socket = sys(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	char request[40] = "lo";
	attempt("SIOCGIFFLAGS", sys(SYS_ioctl, unix_socket, 0x8913, request));
	attempt("SIOCGIFADDR, dirty", sys(SYS_ioctl, unix_socket, HIGH(0x8913), request));
	long list[2] = { 0 };
	attempt("SIOCGIFCONF", sys(SYS_ioctl, unix_socket, 0x8912, list));
}
static void ioctl_twin(void)
{
	int pipes[2], n, one = 1;
	char settings[128];
	must("pipe", sys(SYS_pipe2, pipes, 0));
	must("FIONREAD", sys(SYS_ioctl, pipes[0], 0x541b, &n));
	must("FIONBIO", sys(SYS_ioctl, pipes[0], 0x5421, &one));
	must("TCGETS says ENOTTY", sys(SYS_ioctl, pipes[0], 0x5401, settings) == -ENOTTY ? 0 : -EINVAL);
}

static void uring(void)
{
	static char parameters[120];
	attempt("io_uring_setup", sys(425, 4, parameters));
	if (!probe.control) {
		attempt("io_uring_enter", sys(426, 0, 0, 0, 0, 0, 0));
		attempt("io_uring_register", sys(427, 0, 0, 0, 0));
	}
}
static void poll_twin(void)
{
	char events[16];
	long fd = must("epoll_create1", sys(SYS_epoll_create1, 0));
	must("eventfd2", sys(SYS_eventfd2, 0, 0));
	must("epoll_pwait", sys(SYS_epoll_pwait, fd, events, 1, 0, 0, 8));
}

static void newer(void)
{
	static char buffer[256];
	assert_only("most of these need privileges or do nothing unconfined; the class of each is asserted");
	allow(ENOSYS);
	attempt("lsm_set_self_attr", sys(460, 100, buffer, 32, 0));
	attempt("statmount", sys(457, buffer, buffer, 64, 0));
	attempt("listmount", sys(458, buffer, buffer, 8, 0));
	attempt("open_tree_attr", sys(467, AT_FDCWD, "/", 0, 0, 0));
	attempt("listns", sys(470, buffer, buffer, 8, 0));
	attempt("quotactl_fd", sys(443, 0, 0, 0, 0));
	if (strcmp(world("W_MODE"), "kernel")) /* hides arguments from a supervisor; there is none */
		attempt("memfd_secret", sys(447, 0));
	attempt("process_mrelease", sys(448, -1, 0));
	attempt("pidfd_getfd", sys(438, -1, 0, 0));
	attempt("kexec_file_load", sys(320, -1, -1, 0, 0, 0));
}
static void newer_twin(void)
{
	static char buffer[256];
	must("statx", sys(SYS_statx, AT_FDCWD, in("W_RO", "file"), 0, 0x7ff, buffer));
	must("faccessat2", sys(439, AT_FDCWD, in("W_RO", "file"), R_OK, 0));
	must("membarrier", sys(SYS_membarrier, 0, 0, 0));
	must("rseq answers as the kernel", sys(SYS_rseq, 0, 0, 0, 0) != -EPERM ? 0 : -EPERM);
}

/* D26, G01: a signal every 200 us over calls that a process limit traps. Each fork happens exactly once. */
static volatile sig_atomic_t alarms;
static void on_alarm(int signal) { (void)signal, alarms++; }
static void storm(void)
{
	struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
	struct timespec start, now;
	int made = 0, reaped = 0, interrupted = 0;
	assert_only("a promise about trapped calls; there is nothing to attack unconfined");
	sigaction(SIGALRM, &action, NULL);
	timer_t timer;
	struct itimerspec often = { { 0, 200000 }, { 0, 200000 } };
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &often, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		long pid = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			sys(SYS_exit_group, 0);
		if (pid == -EINTR)
			interrupted++;
		else if (pid < 0)
			attempt("fork under signals", pid == -EAGAIN ? 0 : pid);
		else
			made++;
		while (sys(SYS_wait4, -1, 0, WNOHANG, 0) > 0)
			reaped++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 1);
	often = (struct itimerspec){ 0 };
	timer_settime(timer, 0, &often, NULL);
	while (sys(SYS_wait4, -1, 0, 0, 0) > 0)
		reaped++;
	printf("  %d forks, %d reaped, %d signals, %d interrupted\n", made, reaped, (int)alarms, interrupted);
	attempt("every fork once", made > 20 && made == reaped ? -EPERM : 0);
	/* A fork that the supervisor had not received yet is interrupted before it happened; that must stay the exception. */
	attempt("few are interrupted", interrupted * 5 > made ? 0 : -EPERM);
}

static void *flood_thread(void *arg)
{
	long *done = arg;
	for (int i = 0; i < 20; i++) {
		long pid = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			sys(SYS_exit_group, 0);
		if (pid < 0 && pid != -EAGAIN)
			return NULL;
		if (pid > 0)
			sys(SYS_wait4, pid, 0, 0, 0);
		++*done;
	}
	return NULL;
}
static void flood(void)
{
	enum { THREADS = 64 };
	static long done[THREADS];
	pthread_t threads[THREADS];
	assert_only("a promise about trapped calls; there is nothing to attack unconfined");
	for (int i = 0; i < THREADS; i++)
		must("pthread_create", -pthread_create(&threads[i], NULL, flood_thread, &done[i]));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		if (done[i] != 20)
			attempt("a thread was not served", 0);
	attempt("all served", -EPERM);
}

static const struct probe_case cases[] = {
	CASE("F01-x32-numbers", x32_numbers, plain_twin, "", EKILLED),
	CASE("F02-int80", foreign_numbers, plain_twin, "", EKILLED),
	CASE("F03-unknown-numbers", unknown, plain_twin, "", ENOSYS),
	CASE("F04-dirty-halves", dirty, dirty_twin, "", EPERM, EACCES),
	CASE("F05-combined-flags", combined, combined_twin, "", EPERM, EACCES),
	CASE("F06-O05-H16-ioctls", terminal_ioctls, ioctl_twin, "", EPERM),
	CASE("F08-io-uring", uring, poll_twin, "", ENOSYS),
	CASE("F10-newer-calls", newer, newer_twin, "", EPERM),
	CASE("F11-forged-frame", srop, plain_twin, "", EPERM),
	CASE("D26-G01-signal-storm", storm, combined_twin, "", EPERM),
	CASE("G04-flood", flood, combined_twin, "", EPERM),
};
PROBE_MAIN(cases)
