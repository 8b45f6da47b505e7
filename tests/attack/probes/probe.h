/*
 * Shared by the attack probes. A probe is one static program with a table of cases; it calls the kernel directly, so nothing
 * between the case and the kernel can soften it.
 *
 *	probe attack ID    the attack, confined: exit 0 stopped, 1 escaped, 2 stopped with an errno nobody documented
 *	probe control ID   the same attack, unconfined: exit 0 when every variant works; 78 when only the answer can be asserted
 *	probe twin ID      the nearest legitimate use, confined: exit 0 when it works
 *
 * 77 = a precondition is missing; the reason is printed. The world around the probe comes in W_* variables (tests/attack/world.py).
 */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	ret = x0;
#else
	ret = syscall(nr, a, b, c, d, e, f);
	ret = ret == -1 ? -errno : ret;
#endif
	return ret;
}
#define SYS_1(n) sys6(n, 0, 0, 0, 0, 0, 0)
#define SYS_2(n, a) sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define SYS_3(n, a, b) sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_4(n, a, b, c) sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_5(n, a, b, c, d) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_6(n, a, b, c, d, e) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_7(n, a, b, c, d, e, f) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS_PICK(_1, _2, _3, _4, _5, _6, _7, NAME, ...) NAME
#define sys(...) SYS_PICK(__VA_ARGS__, SYS_7, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, )(__VA_ARGS__)

#define EKILLED 900 /* "errno" of a child that the filter killed */
#define HIGH(x) (0x5eadbeef00000000UL | (uint32_t)(x)) /* garbage in the half that the kernel ignores */

struct probe_case {
	const char *id;
	void (*attack)(void);
	void (*twin)(void);
	const char *flags; /* further sandlock options, split at blanks; @NAME@ is a W_ variable */
	int errnos[6];
};
/* The runner reads these rows from the source text: keep ID and flags as plain string literals on the row's first line. */
#define CASE(id, attack, twin, flags, ...) { id, attack, twin, flags, { __VA_ARGS__ } }

static struct {
	const struct probe_case *row;
	bool control;
	int extra[4];
	int tried, escaped, wrong, failed;
} probe;

static inline void allow(int error)
{
	for (size_t i = 0; i < 4; i++)
		if (!probe.extra[i] || probe.extra[i] == error) {
			probe.extra[i] = error;
			return;
		}
}

static inline bool expected(int error)
{
	for (size_t i = 0; i < 6 && probe.row->errnos[i]; i++)
		if (probe.row->errnos[i] == error)
			return true;
	for (size_t i = 0; i < 4; i++)
		if (error && probe.extra[i] == error)
			return true;
	return false;
}

/* One variant of the attack: r is what the kernel answered, negative errno when it refused. */
static inline long attempt(const char *what, long r)
{
	probe.tried++;
	if (r >= 0) {
		probe.escaped++;
		if (!probe.control)
			printf("  %s: escaped (%ld)\n", what, r);
	} else if (probe.control || !expected((int)-r)) {
		probe.wrong++;
		printf("  %s: %s\n", what, r == -EKILLED ? "killed" : strerrorname_np((int)-r));
	}
	return r;
}

/* A step that has to work for the case to mean anything (set-up, and everything in a twin). */
static inline long must(const char *what, long r)
{
	if (r < 0) {
		printf("  %s: %s\n", what, strerrorname_np((int)-r));
		probe.failed++;
	}
	return r;
}

static inline void skip(const char *why)
{
	printf("skip %s: %s\n", probe.row->id, why);
	exit(77);
}

/* In the control run only: the unconfined call cannot show the difference on this host. */
static inline void assert_only(const char *why)
{
	if (probe.control) {
		printf("assert-only %s: %s\n", probe.row->id, why);
		exit(78);
	}
}

static inline const char *world(const char *name)
{
	const char *value = getenv(name);
	if (!value) {
		printf("  the runner did not set %s\n", name);
		exit(99);
	}
	return value;
}
static inline long world_number(const char *name) { return strtol(world(name), NULL, 10); }

/* "W_OUT", "secret" -> path; a ring of buffers, so several may be used in one call. */
static inline const char *in(const char *tree, const char *name)
{
	static char ring[8][512];
	static unsigned next;
	char *buffer = ring[next++ % 8];
	snprintf(buffer, 512, "%s/%s", world(tree), name);
	return buffer;
}

static inline bool has_view(void) { return strcmp(world("W_MODE"), "view") == 0; }
static inline bool is_root(void) { return sys(SYS_geteuid) == 0; }

/* A process of the same user outside the sandbox. Inside a PID namespace its number names nobody. */
static inline int outsider(void)
{
	if (has_view())
		allow(ESRCH);
	return (int)world_number("W_PID");
}

/* Runs f in a child and reports its result: f's return value, or -EKILLED when the filter killed it. */
static inline long in_child(long (*f)(void))
{
	int pipes[2];
	if (sys(SYS_pipe2, pipes, 0) < 0)
		return must("pipe2", -EMFILE);
	fflush(stdout);
	long pid = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		long r = f();
		sys(SYS_write, pipes[1], &r, sizeof(r));
		sys(SYS_exit_group, 0);
	}
	int status = 0;
	long r = -EKILLED;
	if (pid < 0)
		r = must("clone", pid);
	else
		sys(SYS_wait4, pid, &status, 0, 0);
	sys(SYS_close, pipes[1]);
	if (pid > 0 && sys(SYS_read, pipes[0], &r, sizeof(r)) != sizeof(r))
		r = -EKILLED;
	sys(SYS_close, pipes[0]);
	return r;
}

/* For attacks that need privileges: root of a fresh user and mount namespace where the host gives one. Refused when confined. */
static inline void try_namespace_root(void)
{
	long uid = sys(SYS_getuid);
	if (is_root()) {
		/* never in the host's own mount namespace */
		if (probe.control && (sys(SYS_unshare, CLONE_NEWNS) < 0 || sys(SYS_mount, 0, "/", 0, 0x44000 /* REC|PRIVATE */, 0) < 0))
			skip("root cannot have a mount namespace here");
		return;
	}
	if (sys(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0) {
		if (probe.control)
			skip("needs root or unprivileged user namespaces");
		return;
	}
	char map[64];
	int n = snprintf(map, sizeof(map), "0 %ld 1", uid);
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/uid_map", O_WRONLY);
	sys(SYS_write, fd, map, n);
	sys(SYS_close, fd);
}

/* The content must never reach the guest's output; the runner looks for the canary there. */
static inline long open_and_show(const char *path, int flags)
{
	long fd = sys(SYS_openat, AT_FDCWD, path, flags);
	if (fd < 0)
		return fd;
	char text[256];
	long n = sys(SYS_read, fd, text, sizeof(text));
	if (n > 0)
		sys(SYS_write, 1, text, n);
	sys(SYS_close, fd);
	return 0;
}

static inline int probe_main(int argc, char **argv, const struct probe_case *rows, size_t count)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
	for (size_t i = 0; argc >= 3 && i < count; i++) {
		if (strcmp(rows[i].id, argv[2]))
			continue;
		probe.row = &rows[i];
		probe.control = !strcmp(argv[1], "control");
		if (!strcmp(argv[1], "twin")) {
			rows[i].twin();
			printf("verdict %s %s\n", argv[2], probe.failed ? "broken" : "works");
			return probe.failed ? 1 : 0;
		}
		rows[i].attack();
		if (probe.control) {
			bool works = probe.tried && !probe.wrong && !probe.failed;
			printf("verdict %s %s\n", argv[2], works ? "works" : "void");
			return works ? 0 : 1;
		}
		const char *verdict = probe.escaped ? "escaped" : probe.wrong ? "wrong" : probe.failed || !probe.tried ? "void" : "stopped";
		printf("verdict %s %s\n", argv[2], verdict);
		return probe.escaped ? 1 : probe.wrong ? 2 : probe.failed || !probe.tried ? 99 : 0;
	}
	fprintf(stderr, "usage: probe attack|control|twin ID\n");
	return 98;
}
#define PROBE_MAIN(rows)                                                                         \
	int main(int argc, char **argv)                                                              \
	{                                                                                            \
		return probe_main(argc, argv, rows, sizeof(rows) / sizeof(*(rows)));                    \
	}

#endif
