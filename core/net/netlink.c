/*
 * The stand-in for AF_NETLINK, NETLINK_ROUTE: one end of a unix socket pair whose other end is here. Our end is bound to a name that
 * reads as the kernel's own netlink address, so receiving needs no help; the few other calls come here by descriptor number. A stand-in
 * is known by its socket's cookie, never by number or process: descriptors are duplicated, inherited and reused. No request
 * ever reaches the kernel's netlink.
 */
#include "net/net.h"
#include "net/netlink.h"

#include "base/fd.h"
#include "supervise/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	STAND_INS = 64,
	MAX_VECTORS = 1024,
	PATIENCE_MS = 5,
	PASS_RIGHTS = 83, /* SO_PASSRIGHTS */
	NAME_LENGTH = sizeof(struct sockaddr_nl),
};

/* As the kernel reads it; C libraries declare parts of it narrower, with padding. */
struct message_header {
	uint64_t name;
	uint32_t name_len, pad;
	uint64_t vectors, vector_count, control, control_len;
	uint32_t flags, pad2;
};

struct stand_in {
	uint64_t cookie, inode; /* of the program's end; 0 = free */
	uint32_t port;
	int fd; /* our end */
};

/* Written by the loop alone; workers look at it. */
static struct {
	pthread_mutex_t lock;
	struct stand_in entries[STAND_INS];
	int events; /* epoll: our ends, by index. -1 = there was none yet */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .events = -1};

/* One request at a time, on the loop. */
static uint8_t request[NETLINK_REQUEST_MAX];

/* The program has closed its last descriptor. */
static void forget(struct stand_in *s)
{
	pthread_mutex_lock(&table.lock);
	fd_close(&s->fd);
	s->cookie = s->inode = 0;
	pthread_mutex_unlock(&table.lock);
}

static struct stand_in *free_entry(void)
{
	struct stand_in *free = NULL;

	for (size_t i = 0; i < STAND_INS; i++) {
		struct stand_in *s = &table.entries[i];
		struct pollfd end = {.fd = s->fd};

		if (s->cookie && poll(&end, 1, 0) == 1 && (end.revents & (POLLHUP | POLLERR)))
			forget(s);
		if (!s->cookie && !free)
			free = s;
	}
	return free;
}

/* What comes by another number than the filter knows, or by write(), is answered by events. Without them it is not. */
static void watch(const struct stand_in *s)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
				    .data.u32 = (uint32_t)(s - table.entries)};

	if (table.events < 0)
		table.events = epoll_create1(EPOLL_CLOEXEC);
	if (table.events >= 0)
		epoll_ctl(table.events, EPOLL_CTL_ADD, s->fd, &event);
}

static const struct stand_in *find(uint64_t cookie)
{
	for (size_t i = 0; cookie && i < STAND_INS; i++)
		if (table.entries[i].cookie == cookie)
			return &table.entries[i];
	return NULL;
}

bool netlink_is_ours(uint64_t cookie)
{
	pthread_mutex_lock(&table.lock);
	bool ours = find(cookie) != NULL;
	pthread_mutex_unlock(&table.lock);
	return ours;
}

bool netlink_owns_inode(uint64_t inode)
{
	bool ours = false;

	pthread_mutex_lock(&table.lock);
	for (size_t i = 0; inode && i < STAND_INS; i++)
		ours |= table.entries[i].inode == inode;
	pthread_mutex_unlock(&table.lock);
	return ours;
}

/*
 * The program sees the sender's address as a sockaddr_nl: an abstract name of ten bytes has its length, with zeros where the
 * port id lies (the kernel's), and what makes the name unique lies in the groups.
 */
static int bind_as_kernel(int fd)
{
	struct sockaddr_nl name = {.nl_family = AF_UNIX};

	for (int tries = 0; tries < 16; tries++) {
		if (getrandom(&name.nl_groups, sizeof name.nl_groups, 0) < 0)
			return -errno;
		if (bind(fd, (const void *)&name, NAME_LENGTH) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

/* A number that the caller does not use, so that the filter can tell the stand-in by it; 0: none, or none that could be seen. */
static int free_number(int pid)
{
	char path[48], target[8];

	for (int number = NETLINK_FD_FIRST; number <= NETLINK_FD_LAST; number++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
		if (readlink(path, target, sizeof target) < 0)
			return errno == ENOENT ? number : 0;
	}
	return 0;
}

struct reply handle_socket(const struct call *call)
{
	uint32_t flags = (uint32_t)call->args[1] & ~0xfu, type = (uint32_t)call->args[1] & 0xf;
	int ends[2];
	struct stat st;

	if ((uint32_t)call->args[0] != AF_NETLINK || (uint32_t)call->args[2] != NETLINK_ROUTE)
		return reply_fail(EAFNOSUPPORT);
	if (flags & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return reply_fail(EINVAL);
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return reply_fail(ESOCKTNOSUPPORT);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (int)(flags & SOCK_NONBLOCK), 0,
		       ends) < 0)
		return reply_fail(errno == EMFILE || errno == ENFILE ? ENFILE : ENOBUFS);
	auto_fd ours = ends[0], theirs = ends[1];
	uint64_t cookie = net_cookie(theirs);
	/* Descriptors that come along would be closed here, and the last one of a large file takes its time (Linux 6.16). */
	setsockopt(ours, SOL_SOCKET, PASS_RIGHTS, &(const int){0}, sizeof(int));
	if (!cookie || fstat(theirs, &st) < 0 || bind_as_kernel(ours) < 0)
		return reply_fail(ENOBUFS);

	struct stand_in *place = free_entry();
	if (!place)
		return reply_fail(ENOBUFS);
	const struct stand_in entry = {.cookie = cookie,
				       .inode = st.st_ino,
				       .port = (uint32_t)task_inside(call->pid),
				       .fd = fd_take(&ours)};
	pthread_mutex_lock(&table.lock);
	*place = entry;
	pthread_mutex_unlock(&table.lock);
	watch(place);

	struct reply reply = reply_fd(fd_take(&theirs), flags & SOCK_CLOEXEC);
	reply.at = free_number(call->pid);
	return reply;
}

static struct reply answer_name(const struct call *call, const struct stand_in *s)
{
	const struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_pid = s->port};
	int32_t room, len = sizeof name;

	if (memory_read(call, call->args[2], &room, sizeof room) < 0)
		return reply_fail(EFAULT);
	if (room < 0)
		return reply_fail(EINVAL);
	if (!notify_valid(call))
		return reply_fail(EINTR);
	if (memory_write(call, call->args[1], &name, (size_t)MIN(room, len)) < 0 ||
	    memory_write(call, call->args[2], &len, sizeof len) < 0)
		return reply_fail(EFAULT);
	return reply_value(0);
}

/* Requests go to the kernel and to nobody else: 0 or -errno. */
static int check_destination(const struct call *call, uint64_t address, uint32_t len)
{
	struct sockaddr_nl to;

	if (!address || !len)
		return 0;
	if (len < sizeof to)
		return -EINVAL;
	if (memory_read(call, address, &to, sizeof to) < 0)
		return -EFAULT;
	if (to.nl_family != AF_NETLINK)
		return -EINVAL;
	if (to.nl_groups)
		return -EPERM;
	return to.nl_pid ? -ECONNREFUSED : 0;
}

/* The vectors' bytes in one piece: count or -errno. */
static int gather(const struct call *call, const struct message_header *message, uint8_t *into)
{
	size_t used = 0;
	struct iovec vector;

	if (message->vector_count > MAX_VECTORS)
		return -EMSGSIZE;
	for (size_t i = 0; i < message->vector_count; i++) {
		if (memory_read(call, message->vectors + i * sizeof vector, &vector,
				sizeof vector) < 0)
			return -EFAULT;
		if (vector.iov_len > NETLINK_REQUEST_MAX - used)
			return -EMSGSIZE;
		if (vector.iov_len &&
		    memory_read(call, (uintptr_t)vector.iov_base, into + used, vector.iov_len) < 0)
			return -EFAULT;
		used += vector.iov_len;
	}
	return (int)used;
}

/* The request's bytes, copied once: count or -errno. */
static int copy_request(const struct call *call, uint8_t *into)
{
	struct message_header message;
	int r;

	if (call->nr == SYS_sendto) {
		r = check_destination(call, call->args[4], (uint32_t)call->args[5]);
		if (r < 0)
			return r;
		if (call->args[2] > NETLINK_REQUEST_MAX)
			return -EMSGSIZE;
		size_t len = (size_t)call->args[2];
		return len && memory_read(call, call->args[1], into, len) < 0 ? -EFAULT : (int)len;
	}
	if (memory_read(call, call->args[1], &message, sizeof message) < 0)
		return -EFAULT;
	r = check_destination(call, message.name, message.name_len);
	return r < 0 ? r : gather(call, &message, into);
}

static bool deliver(void *context, const void *datagram, size_t len)
{
	ssize_t n;

	do
		n = send(*(const int *)context, datagram, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* The answer lies in the program's queue before its send returns: some C libraries look once, without waiting. */
static struct reply answer_request(const struct call *call, const struct stand_in *s)
{
	int fd = s->fd, len = copy_request(call, request);

	if (len < 0)
		return reply_fail(-len);
	if (!len)
		return reply_fail(ENODATA);
	if (!notify_valid(call))
		return reply_fail(EINTR);
	/* A program that does not read fills its own queue, as it would the kernel's. */
	return netlink_reply(request, (size_t)len, s->port, deliver, &fd) ? reply_value(len)
									  : reply_fail(ENOBUFS);
}

int netlink_events(void)
{
	return table.events;
}

void netlink_serve(void)
{
	enum { AT_ONCE = 16 };
	struct epoll_event events[AT_ONCE];
	int count = epoll_wait(table.events, events, AT_ONCE, 0);

	for (int i = 0; i < count; i++) {
		struct stand_in *s = &table.entries[events[i].data.u32 % STAND_INS];
		/* What comes with it is closed here, and a socket may linger. */
		patience_begin(PATIENCE_MS);
		ssize_t n = s->cookie
				    ? recv(s->fd, request, sizeof request, MSG_DONTWAIT | MSG_TRUNC)
				    : 0;

		patience_end();
		/* One for each round: nobody can keep the loop here. Too long a request is none. */
		if (n > 0 && n <= (ssize_t)sizeof request)
			netlink_reply(request, (size_t)n, s->port, deliver, &s->fd);
		else if (n <= 0 && s->cookie &&
			 (events[i].events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)))
			forget(s);
	}
}

/* An ordinary descriptor with a number from the range: what would have happened to it elsewhere. */
static struct reply pass_on(const struct call *call)
{
	uint32_t features = call->session->record.features;

	switch (call->nr) {
	case SYS_bind:
		return features & (WHEN_TRAP_BIND | WHEN_INGRESS) ? handle_bind(call)
								  : reply_proceed();
	case SYS_connect:
		return features & WHEN_TRAP_CONNECT ? handle_connect(call) : reply_proceed();
	case SYS_getsockname:
		return features & WHEN_TRAP_NAMES ? handle_socket_name(call) : reply_proceed();
	case SYS_sendto:
		return (features & WHEN_TRAP_SENDTO) && call->args[4] ? handle_send(call)
								      : reply_proceed();
	case SYS_sendmsg:
		return features & WHEN_TRAP_SENDMSG ? handle_send(call) : reply_proceed();
	default:
		return reply_fail(ENOSYS); /* no row of the table sends anything else here */
	}
}

struct reply handle_netlink(const struct call *call)
{
	auto_fd fd = task_fd(call, (int)(uint32_t)call->args[0]);
	/* Only the loop changes the table, and this is the loop. */
	const struct stand_in *s = fd < 0 ? NULL : find(net_cookie(fd));

	if (!s)
		return pass_on(call);
	switch (call->nr) {
	case SYS_getsockname:
		return answer_name(call, s);
	case SYS_sendto:
	case SYS_sendmsg:
		return answer_request(call, s);
	default: /* bind, connect: there is one address and one peer */
		return reply_value(0);
	}
}
