/*
 * Starts a program under a kernel that lacks or fakes things:
 *
 *	faulty RULE[,RULE...] PROGRAM [ARG]...
 *
 * RULE is CALL:ERRNO (0 = the call reports success and does nothing), CALL@INDEX=VALUE:ERRNO (only when that argument has
 * exactly this low half), CALL@INDEX&MASK:ERRNO (only when it has one of these bits), or layers:N (N Landlock layers first).
 */
#include "probe.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

static const struct {
	const char *name;
	int nr;
} calls[] = {
	{ "landlock_create_ruleset", 444 }, { "landlock_add_rule", 445 }, { "landlock_restrict_self", 446 },
	{ "seccomp", SYS_seccomp }, { "prctl", SYS_prctl }, { "setns", SYS_setns }, { "mount", SYS_mount },
	{ "move_mount", 429 }, { "pivot_root", SYS_pivot_root }, { "unshare", SYS_unshare }, { "clone", SYS_clone }, { "clone3", 435 },
	{ "memfd_create", SYS_memfd_create }, { "pidfd_open", 434 }, { "pidfd_getfd", 438 }, { "pidfd_send_signal", 424 },
	{ "close_range", 436 }, { "setpgid", SYS_setpgid }, { "capset", SYS_capset }, { "prlimit64", SYS_prlimit64 },
	{ "chdir", SYS_chdir }, { "fchdir", SYS_fchdir }, { "openat2", 437 }, { "setresuid", SYS_setresuid }, { "keyctl", SYS_keyctl },
	{ "add_key", SYS_add_key }, { "signalfd4", SYS_signalfd4 }, { "epoll_create1", SYS_epoll_create1 }, { "ppoll", SYS_ppoll },
	{ "fcntl", SYS_fcntl }, { "ioctl", SYS_ioctl }, { "sched_setaffinity", SYS_sched_setaffinity }, { "rt_sigaction", SYS_rt_sigaction },
	{ "rt_sigprocmask", SYS_rt_sigprocmask }, { "wait4", SYS_wait4 }, { "waitid", SYS_waitid }, { "getrandom", SYS_getrandom },
	{ "execveat", SYS_execveat }, { "pipe2", SYS_pipe2 }, { "socketpair", SYS_socketpair }, { "process_vm_readv", SYS_process_vm_readv },
};

int main(int argc, char **argv)
{
	static struct sock_filter code[256];
	unsigned short n = 0;
	if (argc < 3)
		return 98;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (char *rule = strtok(argv[1], ","); rule; rule = strtok(NULL, ",")) {
		char name[64] = "", operator = 0;
		unsigned index = 0, value = 0;
		int error = 0, nr = -1;
		if (sscanf(rule, "layers:%d", &error) == 1) {
			struct landlock_ruleset_attr attribute = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK };
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			for (int i = 0; i < error; i++) {
				long fd = sys(444, &attribute, 8, 0);
				if (fd < 0 || sys(446, fd, 0) < 0)
					return 97;
				close((int)fd);
			}
			continue;
		}
		if (sscanf(rule, "%63[a-z0-9_]@%u%c%x:%d", name, &index, &operator, &value, &error) != 5 &&
		    sscanf(rule, "%63[a-z0-9_]:%d", name, &error) != 2)
			return 96;
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
			if (!strcmp(calls[i].name, name))
				nr = calls[i].nr;
		if (nr < 0)
			return fprintf(stderr, "faulty: %s?\n", name), 95;
		if (!operator) {
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
		} else {
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4);
			code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * index);
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | (operator == '=' ? BPF_JEQ : BPF_JSET) | BPF_K, value, 0, 1);
		}
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
		if (operator)
			code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { n, code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (n > 2 && sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return 94;
	execv(argv[2], argv + 2);
	return 93;
}
