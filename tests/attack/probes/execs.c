/* Group E: running what is not granted, and code of another architecture. */
#include "probe.h"

#include <elf.h>

static char *const no_arguments[] = { "x", NULL };
static char target[512], first[512];

static long run_target(void) { return sys(SYS_execve, target, no_arguments, NULL); }
static long ran(long r) { return r == -EKILLED ? 0 : r; }

/* What the exec of `path` came to: 0 it ran and exited 0; -errno; -EKILLED by a signal; 1000+status when it ran and failed. */
static long exec_result(const char *path)
{
	int pipes[2], status;
	long r = 0;
	snprintf(target, sizeof(target), "%s", path);
	sys(SYS_pipe2, pipes, O_CLOEXEC);
	long pid = sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		r = run_target();
		sys(SYS_write, pipes[1], &r, sizeof(r));
		sys(SYS_exit_group, 0);
	}
	sys(SYS_close, pipes[1]);
	if (sys(SYS_read, pipes[0], &r, sizeof(r)) != sizeof(r))
		r = 0;
	sys(SYS_close, pipes[0]);
	sys(SYS_wait4, pid, &status, 0, 0);
	if (r < 0)
		return r;
	return WIFSIGNALED(status) ? -EKILLED : WEXITSTATUS(status) ? 1000 + WEXITSTATUS(status) : 0;
}

static void write_file(const char *path, const void *bytes, size_t length)
{
	long fd = must(path, sys(SYS_openat, AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY, 0755));
	must("write", sys(SYS_write, fd, bytes, length));
	sys(SYS_close, fd);
}

static void direct(void) { attempt("exec", exec_result(in("W_OUT", "true"))); }
static void granted_twin(void) { must("exec", exec_result(in("W_BIN", "true"))); }

static void script(void)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "#!%s\n", in("W_OUT", "true"));
	snprintf(first, sizeof(first), "%s", in("W_RW", "script"));
	write_file(first, text, (size_t)n);
	attempt("#! denied", exec_result(first));
	n = snprintf(text, sizeof(text), "#!%s\n", first);
	write_file(in("W_RW", "script2"), text, (size_t)n);
	attempt("#! script #! denied", exec_result(in("W_RW", "script2")));
	sys(SYS_unlinkat, AT_FDCWD, first, 0);
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "script2"), 0);
}
static void script_twin(void)
{
	char text[600];
	int n = snprintf(text, sizeof(text), "#!%s\n", in("W_BIN", "true"));
	snprintf(first, sizeof(first), "%s", in("W_RW", "script"));
	write_file(first, text, (size_t)n);
	must("#! granted", exec_result(first));
	sys(SYS_unlinkat, AT_FDCWD, first, 0);
}

static long memfd_exec(void)
{
	long from = sys(SYS_openat, AT_FDCWD, in("W_BIN", "true"), O_RDONLY);
	long to = sys(SYS_memfd_create, "x", 0);
	while (sys(SYS_sendfile, to, from, 0, 1 << 20) > 0)
		;
	return sys(SYS_execveat, to, "", no_arguments, NULL, AT_EMPTY_PATH);
}
static void memfd(void) { attempt("execveat(memfd)", ran(in_child(memfd_exec))); }

static void argument_sizes(void)
{
	/* What the kernel answers must come through unchanged; the attack is to crash or stall whoever looks at arguments. */
	static char *arguments[3];
	char *large = malloc(200 << 10);
	memset(large, 'a', (200 << 10) - 1);
	large[(200 << 10) - 1] = 0;
	arguments[0] = "x", arguments[1] = large;
	snprintf(first, sizeof(first), "%s", in("W_BIN", "true"));
	assert_only("the kernel's own answers are asserted");
	attempt("one argument above 128 KiB", sys(SYS_execve, first, arguments, NULL));
	attempt("arguments unmapped", sys(SYS_execve, first, 8, NULL));
	attempt("path unmapped", sys(SYS_execve, 8, no_arguments, NULL));
	attempt("empty path", sys(SYS_execve, "", no_arguments, NULL));
}
static long exec_null(void) { return sys(SYS_execve, in("W_BIN", "true"), NULL, NULL); }
static void arguments_twin(void) { must("NULL argv", ran(in_child(exec_null))); }

#ifdef __x86_64__
static void foreign(void)
{
	/* A whole i386 program: exit(0) by int 0x80. */
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		unsigned char code[16];
	} image = { .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
				.e_machine = EM_386, .e_version = EV_CURRENT, .e_entry = 0x8048000 + offsetof(typeof(image), code),
				.e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
				.e_phnum = 1 },
		    .segment = { .p_type = PT_LOAD, .p_vaddr = 0x8048000, .p_paddr = 0x8048000, .p_filesz = sizeof(image),
				 .p_memsz = sizeof(image), .p_flags = PF_R | PF_X, .p_align = 0x1000 },
		    .code = { 0x31, 0xdb, 0x31, 0xc0, 0x40, 0xcd, 0x80 } };
	write_file(in("W_RW", "i386"), &image, sizeof(image));
	long r = exec_result(in("W_RW", "i386"));
	if (probe.control && r == -ENOEXEC)
		skip("kernel runs no 32-bit programs");
	attempt("i386 program", r);
	sys(SYS_unlinkat, AT_FDCWD, in("W_RW", "i386"), 0);
}
#else
static void foreign(void) { skip("the foreign program of this probe is for x86_64"); }
#endif

static const struct probe_case cases[] = {
	CASE("E00-exec-denied", direct, granted_twin, "", EACCES),
	CASE("E03-exec-memfd", memfd, granted_twin, "", EACCES, EPERM),
	CASE("E04-script-chain", script, script_twin, "", EACCES),
	CASE("E08-argument-sizes", argument_sizes, arguments_twin, "", E2BIG, EFAULT, ENOENT),
	CASE("E14-foreign-architecture", foreign, granted_twin, "", ENOEXEC, EKILLED),
};
PROBE_MAIN(cases)
