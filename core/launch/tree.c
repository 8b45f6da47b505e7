/* Finds and signals the sandbox's processes. Must never call libc (shared memory with a supervisor that may be gone). */
#include "launch/tree.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>

static char *add_text(char *p, const char *text)
{
	while (*text)
		*p++ = *text++;
	*p = '\0';
	return p;
}

static char *add_number(char *p, unsigned value)
{
	char digits[12];
	int n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	while (n)
		*p++ = digits[--n];
	*p = '\0';
	return p;
}

/* Appends the numbers of a children file ("12 13 14 "). */
static size_t read_children(const char *path, int *pids, size_t count, size_t room)
{
	char text[512];
	unsigned value = 0;
	bool digits = false;
	long fd = SYS(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return count;
	for (long n; (n = SYS(read, fd, text, sizeof text)) > 0 || n == -EINTR;) {
		for (long i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				value = value * 10 + (unsigned)(text[i] - '0');
				digits = true;
			} else if (digits) {
				if (count < room)
					pids[count++] = (int)value;
				value = 0;
				digits = false;
			}
		}
	}
	SYS(close, fd);
	return count;
}

int tree_parent(int pid)
{
	char text[256];
	int parent = 0;

	add_text(add_number(add_text(text, "/proc/"), (unsigned)pid), "/stat");
	long fd = SYS(openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? fd : SYS(read, fd, text, sizeof text);
	if (fd >= 0)
		SYS(close, fd);
	if (n <= 0) /* hidden, or gone */
		return SYS(kill, pid, 0) == -ESRCH ? -1 : 0;
	/* "PID (NAME) S PARENT": the name may hold anything, also ") "; the last ')' counts. */
	long at = n - 1;
	while (at > 0 && text[at] != ')')
		at--;
	for (at += 4; at < n && text[at] >= '0' && text[at] <= '9'; at++)
		parent = parent * 10 + text[at] - '0';
	return parent;
}

struct kernel_dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* Children are listed per thread that made them. */
static size_t children_of(int pid, int *pids, size_t count, size_t room)
{
	char path[64], buffer[512] __attribute__((aligned(8)));
	char *end = add_text(add_number(add_text(path, "/proc/"), (unsigned)pid), "/task");
	long dir = SYS(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return count;
	for (long n; (n = SYS(getdents64, dir, buffer, sizeof buffer)) > 0;) {
		for (long at = 0; at < n;) {
			struct kernel_dirent64 *e = (struct kernel_dirent64 *)(void *)(buffer + at);

			at += e->reclen;
			if (e->name[0] < '0' || e->name[0] > '9')
				continue;
			add_text(add_text(add_text(end, "/"), e->name), "/children");
			count = read_children(path, pids, count, room);
		}
	}
	SYS(close, dir);
	return count;
}

size_t tree_children(int pid, int *pids, size_t room)
{
	return children_of(pid, pids, 0, room);
}

size_t tree_list(int root, int *pids, size_t room)
{
	size_t count = children_of(root, pids, 0, room);

	for (size_t next = 0; next < count; next++)
		count = children_of(pids[next], pids, count, room);
	return count;
}

size_t tree_signal(int root, int signal, int *pids, size_t room)
{
	size_t count = 0, before;
	int rounds = 0;

	if (signal == SIGKILL) {
		/* A stopped process cannot fork: stop until a round finds nobody new. */
		do {
			before = count;
			count = tree_list(root, pids, room);
			for (size_t i = 0; i < count; i++)
				SYS(kill, pids[i], SIGSTOP);
		} while (count > before && ++rounds < 64);
	}
	count = tree_list(root, pids, room);
	for (size_t i = 0; i < count; i++)
		SYS(kill, pids[i], signal);
	return count;
}

void tree_signal_scoped(int signal)
{
	SYS(kill, -1, signal);
}
