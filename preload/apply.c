/*
 * From a checked policy to a confined process, in the order of the steps below. Everything that can fail for a reason of
 * the user's comes before the first step that cannot be taken back.
 * Must never continue after a failed step.
 */
#include "apply.h"

#include "base/sys.h"
#include "host/uapi.h"
#include "sandlock_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/stat.h>
#include <sched.h>
#include <sys/resource.h>

enum { TSYNC_ABI = 8, NET_ABI = 4, SCOPE_ABI = 6 };

/* ------------------------------------------------------------------------------------------------ threads */

/* Field 20 of /proc/self/stat: number of threads, or -errno. */
static long count_threads(void)
{
	char text[1024];
	long fd = SYS(openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fd;
	long n = SYS(read, fd, text, sizeof text - 1);
	SYS(close, fd);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	text[n] = '\0';

	char *at = text + n;
	while (at > text && *at != ')') /* the name in field 2 may hold anything, parentheses too */
		at--;
	for (int field = 2; field < 20; field++) {
		while (*at && *at != ' ')
			at++;
		if (*at++ != ' ')
			return -EIO;
	}
	long threads = 0;
	for (; *at >= '0' && *at <= '9' && threads < 1 << 22; at++)
		threads = threads * 10 + (*at - '0');
	return threads > 0 ? threads : -EIO;
}

/* unshare(CLONE_THREAD) has no effect in a process of one thread and is EINVAL otherwise (unshare(2)); it needs no /proc. */
static long has_threads(void)
{
	long r = SYS(unshare, CLONE_THREAD);

	if (r == 0)
		return false;
	if (r == -EINVAL)
		return true;
	r = count_threads(); /* a filter that is already on refuses unshare */
	return r < 0 ? r : r > 1;
}

/* Capabilities belong to threads, and those of another thread cannot be dropped. */
static bool holds_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (SYS(capget, &header, data) < 0)
		return true;
	return (data[0].permitted & ~(uint32_t)keep) ||
	       (data[1].permitted & ~(uint32_t)(keep >> 32));
}

static bool check_threads(const struct confine_record *record, const struct request *request,
			  uint64_t keep_caps, struct result *result, struct failure *failure)
{
	static const char step[] = "threads";

	if (request->this_thread)
		return true;
	long many = has_threads();
	if (many < 0)
		return failed(failure, step, "cannot count them", many, NULL);
	result->threads = many;
	if (!many)
		return true;
	if (result->abi < TSYNC_ABI)
		return failed(failure, step, "this kernel confines only one thread at a time",
			      request->all_threads ? -EOPNOTSUPP : -EBUSY,
			      "needs Landlock ABI 8, or a process of one thread");
	if ((record->flags & CONFINE_DROP_CAPS) && holds_capabilities(keep_caps))
		return failed(failure, step, "they would keep their capabilities", -EBUSY, NULL);
	return true;
}

/* ------------------------------------------------------------------------------------------------ Landlock */

static bool add_path(int ruleset, const struct confine_parts *parts, uint32_t index,
		     const struct confine_masks *masks, struct failure *failure)
{
	const struct confine_rule *rule = &parts->rules[index];
	const char *path = image_text(parts->image, rule->path);
	struct statx st;
	long fd = SYS(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		bool missing = fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES;

		return missing && (rule->flags & (RULE_OPTIONAL | RULE_OWN))
			       ? true
			       : failed(failure, "open", path, fd, NULL);
	}

	long r = SYS(statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);
	if (r >= 0) {
		bool directory = (st.stx_mode & S_IFMT) == S_IFDIR;
		const struct ll_path_beneath beneath = {
			.allowed_access = rule->access & masks->handled_fs &
					  (directory ? ~0ULL : LL_FILE_RIGHTS),
			.parent_fd = (int)fd,
		};
		if (beneath.allowed_access)
			r = SYS(landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &beneath, 0);
	}
	SYS(close, fd);
	return r < 0 ? failed(failure, "landlock rule", path, r, NULL) : true;
}

/* The ruleset's descriptor, or a negative number. */
static int make_ruleset(const struct confine_parts *parts, const struct result *result,
			struct failure *failure)
{
	const struct confine_masks *masks = &result->masks;
	const struct ll_ruleset_attr attr = {
		.handled_access_fs = masks->handled_fs,
		.handled_access_net = masks->handled_net,
		.scoped = masks->scoped,
	};
	/* An older kernel may not take the longer struct. */
	size_t size = result->abi >= SCOPE_ABI ? sizeof attr : result->abi >= NET_ABI ? 16 : 8;
	long ruleset = SYS(landlock_create_ruleset, &attr, size, 0);
	bool ok = true;

	if (ruleset < 0) {
		failed(failure, "landlock", "ruleset", ruleset, NULL);
		return -1;
	}
	for (uint32_t i = 0; ok && i < parts->rule_count; i++)
		ok = add_path((int)ruleset, parts, i, masks, failure);
	for (uint32_t i = 0; ok && i < parts->port_count; i++) {
		const struct ll_net_port port = {
			.allowed_access = parts->ports[i].access & masks->handled_net,
			.port = parts->ports[i].port,
		};
		long r = port.allowed_access
				 ? SYS(landlock_add_rule, ruleset, LL_RULE_NET_PORT, &port, 0)
				 : 0;

		if (r < 0)
			ok = failed(failure, "landlock rule", "port", r, NULL);
	}
	if (!ok) {
		SYS(close, ruleset);
		return -1;
	}
	return (int)ruleset;
}

/* ------------------------------------------------------------------------------------------------ process state */

struct prepared {
	struct child_confine confine;
	struct child_rlimit limits[RLIM_NLIMITS];
};

/* A limit above the inherited one is no grant: the smaller holds. */
static struct child_rlimit clamp(struct child_rlimit limit)
{
	uint64_t now[2];

	if (SYS(prlimit64, 0, limit.resource, NULL, now) < 0)
		return limit;
	limit.hard = MIN(limit.hard, now[1]);
	limit.soft = MIN(limit.soft, limit.hard);
	if (limit.resource == RLIMIT_NOFILE)
		limit.soft = MIN(limit.soft, now[0]);
	return limit;
}

static void prepare(const struct confine_parts *parts, const struct request *request,
		    const struct result *result, uint64_t keep_caps, int ruleset,
		    struct prepared *p)
{
	const struct confine_record *r = parts->record;

	p->confine = (struct child_confine){
		.rlimits = p->limits,
		.cpu_mask = r->flags & CONFINE_HAS_CPU_MASK ? r->cpu_mask : NULL,
		.cpu_mask_bytes = sizeof r->cpu_mask,
		.no_thp = r->flags & CONFINE_NO_THP,
		.no_core = r->flags & CONFINE_NO_CORE,
		.cwd_fd = -1,
		.cwd = parts->cwd,
		.drop_caps = r->flags & CONFINE_DROP_CAPS,
		.keep_caps = keep_caps,
		.ruleset_fd = ruleset,
		.restrict_flags =
			result->masks.restrict_flags | (result->threads ? LL_RESTRICT_TSYNC : 0),
		.filter = parts->filter,
		.filter_len = request->no_seccomp ? 0 : parts->filter_len,
		.tsync = result->threads,
		.root_closed = (r->flags & CONFINE_ROOT_CLOSED) &&
			       (result->masks.handled_fs & LL_READ_DIR),
	};
	for (uint32_t i = 0; i < parts->rlimit_count; i++) {
		struct child_rlimit limit = clamp(parts->rlimits[i]);

		if (limit.resource == RLIMIT_NOFILE) {
			p->confine.has_nofile = true;
			p->confine.nofile = limit;
		} else {
			p->limits[p->confine.rlimit_count++] = limit;
		}
	}
}

static bool sweep(const struct confine_parts *parts, int ruleset, int keep_fd,
		  struct failure *failure)
{
	int keep[CONFINE_KEEP_LIMIT + 2];
	uint32_t count = 0;
	const int more[] = {ruleset, keep_fd};

	for (uint32_t i = 0; i < parts->keep_count; i++)
		keep[count++] = parts->keep_fds[i];
	for (size_t m = 0; m < ARRAY_LEN(more); m++) {
		uint32_t at = count;

		if (more[m] < 0)
			continue;
		for (; at && keep[at - 1] > more[m]; at--)
			keep[at] = keep[at - 1];
		keep[at] = more[m];
		count++;
	}
	int r = child_sweep(3, keep, count, false);
	return r < 0 ? failed(failure, "close descriptors", NULL, r, NULL) : true;
}

static bool child_failed(const struct child_failure *child, const struct confine_parts *parts,
			 struct failure *failure)
{
	static const struct {
		char name[24];
	} names[STEP_COUNT] = {
		[STEP_AFFINITY] = {"cpu affinity"},
		[STEP_THP] = {"huge pages"},
		[STEP_CORE] = {"core dumps"},
		[STEP_RLIMIT] = {"resource limit"},
		[STEP_CWD] = {"directory"},
		[STEP_CAPABILITIES] = {"capabilities"},
		[STEP_NO_NEW_PRIVS] = {"no_new_privs"},
		[STEP_LANDLOCK] = {"landlock"},
		[STEP_SECCOMP] = {"seccomp"},
		[STEP_CANARY] = {"self-test"},
	};
	const char *step =
		child->step > 0 && child->step < STEP_COUNT ? names[child->step].name : "";
	const char *object = NULL;

	if (child->step == STEP_CWD)
		object = parts->cwd;
	if (child->step == STEP_CANARY)
		object = child->index == STEP_LANDLOCK ? "the root directory can still be opened"
						       : "the system call filter is not on";
	return failed(failure, step, object, -child->error, NULL);
}

bool apply(const struct confine_parts *parts, const struct request *request, struct result *result,
	   struct failure *failure)
{
	const struct confine_record *record = parts->record;
	uint64_t keep_caps = SYS(geteuid) == 0 ? record->keep_caps : 0;
	struct child_failure child = {0};
	struct prepared p = {0};

	long abi = SYS(landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	if (abi <= 0)
		return failed(failure, "landlock", NULL, abi, "it is not available on this kernel");
	result->abi = (int)abi;

	int missing = confine_masks(record, result->abi, &result->masks);
	if (missing >= 0)
		return failed(failure, "protection", confine_protection_name((unsigned)missing),
			      -EOPNOTSUPP,
			      "this kernel lacks it, and the policy does not allow that");
	if (!check_threads(record, request, keep_caps, result, failure))
		return false;

	/* Rule paths that are missing must be found before anything has changed. */
	int ruleset = make_ruleset(parts, result, failure);
	if (ruleset < 0)
		return false;
	if (request->dry) {
		SYS(close, ruleset);
		return true;
	}
	prepare(parts, request, result, keep_caps, ruleset, &p);

	if (request->sweep) {
		result->applied |= SANDLOCK_APPLIED_PROCESS;
		if (!sweep(parts, ruleset, request->keep_fd, failure))
			return false;
	}
	result->applied |= SANDLOCK_APPLIED_PROCESS;
	int r = child_confine(&p.confine, &child);
	SYS(close, ruleset);
	if (r < 0)
		return child_failed(&child, parts, failure);
	result->applied |= SANDLOCK_APPLIED_LANDLOCK;
	/* Last, because opening the rule paths needed descriptors. */
	if (p.confine.has_nofile) {
		const uint64_t limit[2] = {p.confine.nofile.soft, p.confine.nofile.hard};
		long set = SYS(prlimit64, 0, RLIMIT_NOFILE, limit, NULL);

		if (set < 0)
			return failed(failure, "resource limit", "nofile", set, NULL);
	}
	if (child_filter(&p.confine, &child) < 0)
		return child_failed(&child, parts, failure);
	if (p.confine.filter_len)
		result->applied |= SANDLOCK_APPLIED_SECCOMP;
	return true;
}

/* ------------------------------------------------------------------------------------------------ children */

void apply_mark(const struct blob *blob, char mark[MARK_ROOM])
{
	size_t n = 0;

	if (blob->parts.record->flags & CONFINE_ROOT_CLOSED)
		for (; n < 16; n++)
			mark[n] = "0123456789abcdef"[(blob->id >> (60 - 4 * n)) & 15];
	mark[n] = '\0';
}

bool apply_is_confined(void)
{
	if (SYS(prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return false;

	long fd = SYS(openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		SYS(close, fd);
	return fd == -EACCES;
}
