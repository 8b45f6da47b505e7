/*
 * sendto() with an address, sendmsg() and sendmmsg() on behalf. Every message is copied, judged and sent on a duplicate of the caller's
 * socket; every attempt does all of that anew, so a call that had to wait is judged like one that begins. Never blocks.
 */
#include "net/message.h"

#include "base/fd.h"
#include "base/sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

enum {
	THREADS = 4,	 /* the loop, two workers, the one of parked calls */
	LONG_BATCH = 16, /* messages; more are a worker's */
	SLICES = 4,	 /* of one stream, before others have their turn */
	FAST_OPEN = 0x20000000,
	/* What the caller may ask for. Not MSG_ZEROCOPY: the pages would be ours. */
	FLAGS = MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_CONFIRM | MSG_MORE,
};

/* How far a call has come. */
struct progress {
	uint64_t offset; /* in the message at `index` */
	uint32_t index;	 /* in the batch */
	bool denied;	 /* the errno is the policy's */
};
_Static_assert(sizeof(struct progress) <= sizeof((struct parked *)0)->state, "fits a parked call");

/* ---- one buffer for each thread ---- */

static struct message messages[THREADS];
static atomic_bool taken[THREADS];

static struct message *message_take(void)
{
	for (size_t i = 0; i < THREADS; i++)
		if (!atomic_exchange(&taken[i], true))
			return &messages[i];
	return NULL;
}

static void message_give(struct message **m)
{
	if (!*m)
		return;
	message_close(*m);
	atomic_store(&taken[*m - messages], false);
}

/* ---- judging one message ---- */

static int judge_inet(const struct net_socket *socket, struct message *m)
{
	struct endpoint to;
	int error;

	bool unspecified = m->name_len >= sizeof(sa_family_t) && m->name.any.sa_family == AF_UNSPEC;
	/* TCP does not look at it, and IPv6 takes AF_UNSPEC for "no address". */
	if (socket->type == SOCK_STREAM || (socket->domain == AF_INET6 && unspecified))
		m->named = false;
	if (m->named) {
		if (!net_endpoint_of(socket, &m->name, m->name_len, &to, &error))
			return -error;
		error = net_judge(socket, &to, &m->name);
		if (error) {
			m->denied = true;
			return -error;
		}
	}
	int r = control_check_inet(m->control, m->control_len);
	m->denied = r == -EPERM;
	return r;
}

/* The address that a unix socket is to be given. `target` is what must stay open until then. */
static int judge_unix_name(const struct call *call, const struct net_socket *socket,
			   struct message *m, int *target)
{
	char path[UNIX_PATH_ROOM];

	if (!m->name_len) {
		m->named = false;
		return 0;
	}
	if (socket->type == SOCK_STREAM) {
		/* Not looked at: EISCONN or EOPNOTSUPP is the answer to any. */
		m->name.any.sa_family = AF_UNSPEC;
		m->name_len = sizeof(sa_family_t);
		return 0;
	}
	/* A name for the stand-in's peer is a netlink address; the pair knows its way. */
	if (socket->type == SOCK_SEQPACKET ||
	    (m->name.any.sa_family == AF_NETLINK && netlink_is_ours(net_cookie(socket->fd)))) {
		m->named = false;
		return 0;
	}
	if (m->name.any.sa_family != AF_UNIX)
		return 0; /* the kernel refuses it */
	int r = unix_path_of(&m->name, m->name_len, path);
	if (r <= 0)
		return r; /* abstract: the outer layer's scope decides */
	*target = net_unix_target(call, &m->name, m->name_len);
	if (*target < 0) {
		m->denied = *target == -EACCES;
		return *target;
	}
	m->name_len = unix_address_of(*target, &m->name);
	return 0;
}

static int judge(const struct call *call, const struct net_socket *socket, struct message *m,
		 bool with_control, int *target)
{
	if (!with_control)
		m->control_len = 0;
	switch (socket->domain) {
	case AF_INET:
	case AF_INET6:
		return judge_inet(socket, m);
	case AF_UNIX: {
		int r = m->named ? judge_unix_name(call, socket, m, target) : 0;

		return r < 0 ? r : control_translate(call, m);
	}
	default:
		m->denied = true;
		return -EAFNOSUPPORT;
	}
}

/* ---- sending one message ---- */

static int64_t send_copy(const struct net_socket *socket, struct message *m, size_t len, int flags)
{
	bool translated = socket->domain == AF_UNIX;
	struct iovec payload = {.iov_base = m->payload, .iov_len = len};
	/* The kernel's layout and its call: a C library may copy control data, and has less room for it. */
	const struct message_header header = {
		.name = m->named ? (uintptr_t)&m->name : 0,
		.name_len = m->named ? (int32_t)m->name_len : 0,
		.vectors = (uintptr_t)&payload,
		.vector_count = 1,
		.control = (uintptr_t)(translated ? m->control_out : m->control),
		.control_len = translated ? m->control_out_len : m->control_len,
	};

	return SYS(sendmsg, socket->fd, &header, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int64_t send_whole(const struct call *call, const struct net_socket *socket,
			  struct message *m, int flags)
{
	if (m->total > MESSAGE_PAYLOAD)
		return -EMSGSIZE;
	int64_t got = message_payload(call, m, 0);
	if (got < 0)
		return got;
	if ((uint64_t)got != m->total)
		return -EFAULT;
	return notify_valid(call) ? send_copy(socket, m, (size_t)got, flags) : -ESRCH;
}

static int flags_of(const struct call *call)
{
	return (int)(uint32_t)call->args[call->nr == SYS_sendmsg ? 2 : 3];
}

/* The error of a connection that broke is for the next call: this one has sent something. */
static bool has_failed(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

/* From *offset on. The bytes of the whole message when it is over, early or not; -EAGAIN: there is more to send; an error when
 * nothing was sent. */
static int64_t send_stream(const struct call *call, const struct net_socket *socket,
			   struct message *m, int flags, uint64_t *offset)
{
	/* Who does not wait is told how much there was room for, not how much we had time for: nothing would wake it again. That much
	 * is for a worker. */
	bool at_once = socket->nonblocking || flags_of(call) & MSG_DONTWAIT;
	bool all = call->may_wait && at_once;

	if (!call->may_wait && at_once && m->total > SLICES * MESSAGE_PAYLOAD)
		return NET_LATER;
	for (int slice = 0; all || slice < SLICES; slice++) {
		if (*offset && (*offset >= m->total || has_failed(socket->fd)))
			return (int64_t)*offset;
		uint64_t left = m->total - *offset, wanted = MIN(left, (uint64_t)MESSAGE_PAYLOAD);
		int64_t got = message_payload(call, m, *offset);
		if (got >= 0 && !notify_valid(call))
			got = -ESRCH;
		/* "Urgent" is the last byte alone. */
		int64_t sent = got < 0 ? got
				       : send_copy(socket, m, (size_t)got,
						   wanted < left ? flags & ~MSG_OOB : flags);
		if (sent == -EAGAIN)
			return sent;
		if (sent < 0)
			return *offset ? (int64_t)*offset : sent;
		*offset += (uint64_t)sent;
		m->control_len = 0; /* it went with the first byte */
		m->control_out_len = m->own_len;
		if ((uint64_t)got < wanted && sent == got) /* the caller's memory ends here */
			return (int64_t)*offset;
		if (sent < got)
			return -EAGAIN;
		if (*offset >= m->total)
			return (int64_t)*offset;
	}
	return -EAGAIN;
}

static int64_t send_one(const struct call *call, const struct net_socket *socket, struct message *m,
			int flags, uint64_t *offset)
{
	auto_fd target = -1;
	int r = judge(call, socket, m, !*offset, &target);

	if (r < 0)
		return r;
	return socket->type == SOCK_STREAM ? send_stream(call, socket, m, flags, offset)
					   : send_whole(call, socket, m, flags);
}

/* ---- the calls ---- */

static uint32_t batch_of(const struct call *call)
{
	return MIN((uint32_t)call->args[2], MESSAGE_VECTORS);
}

static int tell_sent(const struct call *call, uint32_t index, uint64_t sent)
{
	uint32_t value = (uint32_t)sent;

	return memory_write(call,
			    call->args[1] + index * sizeof(struct batch_entry) +
				    offsetof(struct batch_entry, sent),
			    &value, sizeof value);
}

/* What the call returns when it ends here, with `error` (negative) if nothing was done. */
static int64_t early(const struct call *call, const struct progress *at, int64_t error)
{
	if (call->nr != SYS_sendmmsg)
		return at->offset ? (int64_t)at->offset : error;
	/* The message that went out in part counts. */
	uint32_t sent = at->index;
	if (at->offset && tell_sent(call, at->index, at->offset) == 0)
		sent++;
	return sent ? sent : error;
}

static int64_t advance_batch(const struct call *call, const struct net_socket *socket,
			     struct message *m, int flags, struct progress *at)
{
	uint32_t count = batch_of(call);

	while (at->index < count) {
		uint64_t entry = call->args[1] + at->index * sizeof(struct batch_entry);
		int64_t r = message_read(call, entry, m);

		if (r == 0)
			r = send_one(call, socket, m, flags, &at->offset);
		message_close(m);
		if (r == -EAGAIN)
			return r;
		if (r >= 0) {
			int error = tell_sent(call, at->index, (uint64_t)r);

			at->offset = 0;
			if (error < 0)
				r = error;
		}
		if (r < 0) {
			at->denied = m->denied && !at->index;
			return at->index ? at->index : r;
		}
		at->index++;
		if ((uint64_t)r < m->total)
			break;
	}
	return at->index;
}

/* Until the call is over or would block (-EAGAIN). */
static int64_t advance(const struct call *call, const struct net_socket *socket, struct message *m,
		       struct progress *at)
{
	int flags = flags_of(call) & FLAGS;

	if (call->nr == SYS_sendmmsg)
		return advance_batch(call, socket, m, flags, at);
	int64_t r = call->nr == SYS_sendmsg ? message_read(call, call->args[1], m)
					    : message_read_registers(call, m);
	if (r == 0)
		r = send_one(call, socket, m, flags, &at->offset);
	at->denied = m->denied;
	return r;
}

static struct reply answer(const struct call *call, const struct net_socket *socket,
			   const struct progress *at, int64_t result)
{
	if (result == -EPIPE && socket->type == SOCK_STREAM && !(flags_of(call) & MSG_NOSIGNAL) &&
	    notify_valid(call))
		SYS(tkill, call->pid, SIGPIPE);
	if (result < 0 && at->denied)
		return reply_fail((int)-result);
	return reply_result(result);
}

static struct reply resume(struct parked *p, bool timed_out)
{
	struct net_socket socket = {.fd = p->fd}; /* stays the entry's */
	struct progress at, before;

	memcpy(&before, p->state.room, sizeof before);
	at = before;
	int r = net_socket_describe(&socket);
	if (r < 0) {
		p->fd = socket.fd;
		return reply_result(r);
	}
	if (timed_out)
		return answer(&p->call, &socket, &at, early(&p->call, &at, -EAGAIN));
	CLEANUP(message_give) struct message *m = message_take();
	if (!m)
		return reply_result(-ENOBUFS);
	int64_t result = advance(&p->call, &socket, m, &at);
	if (result != -EAGAIN)
		return answer(&p->call, &socket, &at, result);

	/* Ready, and yet there was no room: a receiver's queue is full, and of that poll() does not tell. */
	bool moved = at.offset != before.offset || at.index != before.index;
	p->events = moved || !p->events ? POLLOUT : 0;
	memcpy(p->state.room, &at, sizeof at);
	p->progress = moved ? early(&p->call, &at, 0) : p->progress;
	return (struct reply){.kind = REPLY_PARKED};
}

static struct reply wait_for_room(const struct call *call, struct net_socket *socket,
				  const struct progress *at)
{
	struct parked *p = park_new(call);

	if (!p) {
		int64_t result = early(call, at, -ENOBUFS);

		return reply_result(result);
	}
	memcpy(p->state.room, at, sizeof *at);
	p->progress = early(call, at, 0);
	p->deadline_ns = net_deadline(socket->fd, SO_SNDTIMEO);
	p->events = POLLOUT;
	p->fd = fd_take(&socket->fd);
	p->resume = resume;
	return park(p);
}

static struct reply send_now(const struct call *call)
{
	struct progress at = {0};
	auto_socket socket;
	int r = net_socket_of(call, (int)call->args[0], &socket);

	if (r < 0)
		return reply_result(r);
	CLEANUP(message_give) struct message *m = message_take();
	if (!m)
		return reply_result(-ENOBUFS);
	int64_t result = advance(call, &socket, m, &at);
	if (result == NET_LATER)
		return reply_later(send_now);
	if (result != -EAGAIN)
		return answer(call, &socket, &at, result);
	if (flags_of(call) & MSG_DONTWAIT || socket.nonblocking)
		return reply_result(early(call, &at, -EAGAIN));
	return wait_for_room(call, &socket, &at);
}

struct reply handle_send(const struct call *call)
{
	/* It would connect; the filter refuses it too. */
	if (flags_of(call) & FAST_OPEN)
		return reply_fail(EOPNOTSUPP);
	if (call->nr == SYS_sendmmsg && batch_of(call) > LONG_BATCH)
		return reply_later(send_now);
	return send_now(call);
}
