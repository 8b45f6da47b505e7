/*
 * /proc/net for the sandbox: the one interface lo, and of the kernel's socket tables the rows whose sockets a process of the sandbox holds.
 * Works on worker threads and allocates nothing. What cannot be attributed is not shown.
 */
#include "net/proc_net.h"
#include "net/netlink.h"

#include "base/fd.h"
#include "base/sys.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Name and content in turn, up to an empty name. */
static const char texts[] =
	"dev\0"
	"Inter-|   Receive                                                |  Transmit\n"
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
	"fifo colls carrier compressed\n"
	"    lo:       0       0    0    0    0     0          0         0        0       0    0    0    "
	"0     0       0          0\n\0"
	"if_inet6\0"
	"00000000000000000000000000000001 01 80 10 80       lo\n\0"
	"route\0"
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	"lo\t0000007F\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n\0"
	"ipv6_route\0"
	"00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
	"00000000000000000000000000000000 00000000 00000000 00000000 80200001       lo\n\0"
	"arp\0"
	"IP address       HW type     Flags       HW address            Mask     Device\n\0"
	"fib_trie\0"
	"Main:\n"
	"  +-- 127.0.0.0/8 1 0 0\n"
	"     |-- 127.0.0.1\n"
	"        /32 host LOCAL\n"
	"Local:\n"
	"  +-- 127.0.0.0/8 1 0 0\n"
	"     |-- 127.0.0.1\n"
	"        /32 host LOCAL\n\0";

static const struct {
	char name[8];
	enum proc_net_table table;
} tables[] = {
	{"tcp", TABLE_TCP},   {"tcp6", TABLE_TCP6}, {"udp", TABLE_UDP},
	{"udp6", TABLE_UDP6}, {"unix", TABLE_UNIX},
};

enum { MAX_TASKS = 4096, MAX_SOCKETS = 16384, LINE = 1024 };

/* Scratch space; more tasks or sockets than it holds are not shown. */
static struct {
	pthread_mutex_t lock;
	int tasks[MAX_TASKS];
	uint32_t sockets[MAX_SOCKETS]; /* inodes, sorted */
	size_t count;
} owned = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct output {
	int fd, error;
	size_t used;
	char buffer[4096];
};

static void flush(struct output *out)
{
	int r = out->used && !out->error ? fd_write_all(out->fd, out->buffer, out->used) : 0;

	if (r < 0)
		out->error = r;
	out->used = 0;
}

static void put_line(struct output *out, const char *line)
{
	size_t len = strlen(line);

	if (out->used + len + 1 > sizeof out->buffer)
		flush(out);
	memcpy(out->buffer + out->used, line, len);
	out->used += len;
	out->buffer[out->used++] = '\n';
}

/* ---- whose sockets ---- */

struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static void add_sockets_of(int pid)
{
	char path[32], target[64], buffer[2048] __attribute__((aligned(8)));

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	auto_fd dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	for (long n; (n = SYS(getdents64, dir, buffer, sizeof buffer)) > 0;) {
		for (long at = 0; at < n;) {
			const struct directory_entry *e = (const void *)(buffer + at);

			at += e->length;
			ssize_t len = readlinkat(dir, e->name, target, sizeof target - 1);
			if (len <= 0 || owned.count == MAX_SOCKETS)
				continue;
			target[len] = '\0';
			if (!strncmp(target, "socket:[", 8))
				owned.sockets[owned.count++] =
					(uint32_t)strtoul(target + 8, NULL, 10);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* With the lock held. Everything below the guard, and in a view what process 1 has inherited. */
static void find_sockets(const struct session *s)
{
	const int roots[] = {s->guard.guard_pid, s->record.holder_pid};

	owned.count = 0;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		size_t tasks = roots[i] > 0 ? tree_list(roots[i], owned.tasks, MAX_TASKS) : 0;

		for (size_t k = 0; k < tasks; k++)
			add_sockets_of(owned.tasks[k]);
	}
	qsort(owned.sockets, owned.count, sizeof *owned.sockets, compare);
	/* Shared descriptors once; the program's ends of netlink stand-ins are no sockets to it. */
	size_t kept = 0;
	for (size_t i = 0; i < owned.count; i++)
		if ((!i || owned.sockets[i] != owned.sockets[i - 1]) &&
		    !netlink_owns_inode(owned.sockets[i]))
			owned.sockets[kept++] = owned.sockets[i];
	owned.count = kept;
}

static bool is_owned(uint64_t inode)
{
	uint32_t key = (uint32_t)inode;

	return inode && inode == key &&
	       bsearch(&key, owned.sockets, owned.count, sizeof key, compare) != NULL;
}

/* ---- tables ---- */

/* Goes through one of the kernel's tables; the number of rows that are the sandbox's. `out` NULL: they are only counted. */
static size_t copy_table(size_t which, struct output *out)
{
	enum proc_net_table table = tables[which].table;
	char path[32], text[4096], shown[LINE + 8];
	size_t used = 0, rows = 0;
	bool header = true, skipping = false;

	snprintf(path, sizeof path, "/proc/self/net/%s", tables[which].name);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (ssize_t n; (n = read(fd, text + used, sizeof text - 1 - used)) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		used += (size_t)n;
		char *line = text, *end;
		for (; (end = memchr(line, '\n', used - (size_t)(line - text))); line = end + 1) {
			size_t len = (size_t)(end - line);

			*end = '\0';
			bool usable = !skipping && len < LINE && strlen(line) == len;
			skipping = false;
			if (usable && header && out)
				put_line(out, line);
			else if (usable && !header && is_owned(proc_net_inode(table, line)) &&
				 proc_net_show(table, line, rows, ports_virtual, shown,
					       sizeof shown)) {
				rows++;
				if (out)
					put_line(out, shown);
			}
			header = false;
		}
		used -= (size_t)(line - text);
		memmove(text, line, used);
		if (used == sizeof text - 1) { /* no row of the kernel's is that long */
			used = 0;
			skipping = true;
		}
	}
	return rows;
}

static void write_counts(struct output *out, bool v6)
{
	char line[80];
	size_t tcp = copy_table(v6 ? TABLE_TCP6 : TABLE_TCP, NULL);
	size_t udp = copy_table(v6 ? TABLE_UDP6 : TABLE_UDP, NULL);
	const char *suffix = v6 ? "6" : "";

	if (!v6) {
		snprintf(line, sizeof line, "sockets: used %zu", owned.count);
		put_line(out, line);
		snprintf(line, sizeof line, "TCP: inuse %zu orphan 0 tw 0 alloc %zu mem 0", tcp,
			 tcp + copy_table(TABLE_TCP6, NULL));
	} else {
		snprintf(line, sizeof line, "TCP6: inuse %zu", tcp);
	}
	put_line(out, line);
	snprintf(line, sizeof line, "UDP%s: inuse %zu%s", suffix, udp, v6 ? "" : " mem 0");
	put_line(out, line);
	snprintf(line, sizeof line, "UDPLITE%s: inuse 0\nRAW%s: inuse 0\nFRAG%s: inuse 0 memory 0",
		 suffix, suffix, suffix);
	put_line(out, line);
}

const char *net_hosts(void)
{
	return net.hosts;
}

int proc_net_write(const struct call *call, const char *name, int fd)
{
	struct output out = {.fd = fd};
	bool v6 = !strcmp(name, "sockstat6"), counts = v6 || !strcmp(name, "sockstat");
	size_t which = 0;

	for (const char *text = texts; *text;) {
		const char *content = text + strlen(text) + 1;

		if (!strcmp(text, name))
			return fd_write_all(fd, content, strlen(content));
		text = content + strlen(content) + 1;
	}
	while (which < ARRAY_LEN(tables) && strcmp(tables[which].name, name) != 0)
		which++;
	if (which == ARRAY_LEN(tables) && !counts)
		return -ENOENT;

	pthread_mutex_lock(&owned.lock);
	find_sockets(call->session);
	if (counts)
		write_counts(&out, v6);
	else
		copy_table(which, &out);
	pthread_mutex_unlock(&owned.lock);
	flush(&out);
	return out.error;
}
