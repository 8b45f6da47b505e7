/*
 * Facts that cost microseconds: asked on every start. Nothing here forks, and nothing is concluded from a version number: a
 * vendor's kernel has old numbers and new features, a container has new numbers and few features.
 */
#include "host/host.h"

#include "base/compiler.h"
#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

static void probe_landlock(struct host *host)
{
	long abi = SYS(landlock_create_ruleset, 0, 0, LL_CREATE_VERSION);

	if (abi < 1) {
		host->landlock_errno = abi < 0 ? (int)-abi : ENOSYS;
		return;
	}
	host->landlock_abi = (int)abi;

	long errata = SYS(landlock_create_ruleset, 0, 0, LL_CREATE_ERRATA);
	host->landlock_errata = errata > 0 ? (uint32_t)errata : 0;
}

static bool action_available(uint32_t action)
{
	return SYS(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* With no program at all: unknown flags are EINVAL, known ones get as far as EFAULT. Nothing is installed either way. */
static bool flags_known(unsigned long flags)
{
	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags, 0) == -EFAULT;
}

static void probe_seccomp(struct host *host)
{
	host->filtered = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
	host->seccomp_filter =
		action_available(SECCOMP_RET_KILL_PROCESS) && action_available(SECCOMP_RET_ERRNO);
	host->seccomp_notify = host->seccomp_filter && action_available(SECCOMP_RET_USER_NOTIF) &&
			       flags_known(SECCOMP_FILTER_FLAG_NEW_LISTENER);
	host->wait_killable =
		host->seccomp_notify && flags_known(SECCOMP_FILTER_FLAG_NEW_LISTENER |
						    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

static void probe_identity(struct host *host)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	host->uid = geteuid();
	host->gid = getegid();
	if (SYS(capget, &header, data) == 0)
		host->capabilities = (uint64_t)data[1].effective << 32 | data[0].effective;
}

static void probe_processors(struct host *host)
{
	/* The raw call says how many bytes it wrote; the rest stays zero. */
	if (SYS(sched_getaffinity, 0, sizeof host->cpu_mask, host->cpu_mask) < 0)
		host->cpu_mask[0] = 1;
	for (size_t i = 0; i < ARRAY_LEN(host->cpu_mask); i++)
		host->cpu_count += (uint32_t)__builtin_popcountll(host->cpu_mask[i]);
}

void host_probe(struct host *host)
{
	struct statfs fs;

	memset(host, 0, sizeof *host);
	host->audit_arch = AUDIT_ARCH_NATIVE;
	host->user_namespace = ANSWER_UNKNOWN;
	host->private_proc = ANSWER_UNKNOWN;
	host->tcp_filter = host->udp_filter = ANSWER_UNKNOWN;
	host->proc_mounted = statfs("/proc", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	probe_landlock(host);
	probe_seccomp(host);
	probe_identity(host);
	probe_processors(host);
}

static enum answer attach_filter(int type)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct sock_fprog program = {.len = 1, .filter = &code};
	auto_fd fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		return ANSWER_NO;
	return ANSWER_YES;
}

/* Capabilities are of the thread. What stays permitted can be made effective again. */
void host_probe_socket_filters(struct host *host)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct own[_LINUX_CAPABILITY_U32S_3] = {{0}},
				      none[_LINUX_CAPABILITY_U32S_3];

	host->tcp_filter = host->udp_filter = ANSWER_NO;
	if (SYS(capget, &header, own) < 0)
		return;
	memcpy(none, own, sizeof none);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		none[i].effective = 0;
	if (SYS(capset, &header, none) < 0)
		return;
	host->tcp_filter = attach_filter(SOCK_STREAM);
	host->udp_filter = attach_filter(SOCK_DGRAM);
	SYS(capset, &header, own);
}

uint64_t host_features(const struct host *host)
{
	uint64_t features = (uint64_t)(host->landlock_abi & 0xff);

	features |= host->seccomp_filter ? BIT(8) : 0;
	features |= host->seccomp_notify ? BIT(9) : 0;
	features |= host->wait_killable ? BIT(10) : 0;
	features |= (uint64_t)host->user_namespace << 12;
	features |= (uint64_t)host->private_proc << 14;
	features |= (uint64_t)host->landlock_errata << 32;
	return features;
}
