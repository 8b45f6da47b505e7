/*
 * Receives notifications, finds the handler that syscalls.def names, sends the reply. Allocates nothing while serving. A call
 * without an active row can only mean that filter and table disagree: it is refused.
 */
#include "supervise/session.h"

#include "supervise/patience.h"

#include "base/fd.h"
#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const handler handlers[HANDLER_COUNT] = {
	[HANDLER_clone_process] = handle_clone_process,
	[HANDLER_own_task] = handle_own_task,
	[HANDLER_listen] = handle_listen,
	[HANDLER_uname] = handle_uname,
	[HANDLER_open_hostname] = handle_open_hostname,
	[HANDLER_signal] = handle_signal,
	[HANDLER_connect] = handle_connect,
	[HANDLER_send] = handle_send,
	[HANDLER_bind] = handle_bind,
	[HANDLER_socket] = handle_socket,
	[HANDLER_socket_name] = handle_socket_name,
	[HANDLER_netlink] = handle_netlink,
	[HANDLER_accept] = handle_accept,
	[HANDLER_landlock] = handle_landlock,
};

/* These deal with numbers and with what is the supervisor's own: nothing of the program's can make them wait. A timer costs more than
 * they do. */
static const bool brisk[HANDLER_COUNT] = {
	[HANDLER_clone_process] = true,
	[HANDLER_own_task] = true,
	[HANDLER_uname] = true,
	[HANDLER_signal] = true,
};

/* A kernel may send more than the struct we know: it says how much (seccomp(2), SECCOMP_GET_NOTIF_SIZES). */
static union {
	struct seccomp_notif notif;
	char room[1024];
} request;

enum { RESPONSE_ROOM = 256, PATIENCE_MS = 5 };
static size_t request_size = sizeof(struct seccomp_notif);

bool notify_prepare(void)
{
	struct seccomp_notif_sizes sizes;

	if (SYS(seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0 ||
	    sizes.seccomp_notif > sizeof request || sizes.seccomp_notif_resp > RESPONSE_ROOM)
		return false;
	request_size = sizes.seccomp_notif;
	park_prepare();
	return patience_prepare();
}

void notify_open(const struct session *s)
{
	/* The caller's wake-up happens on our CPU: without it a trap costs ten times as much in a virtual machine. EINVAL
	 * before Linux 6.6. The flags are passed by value. */
	SYS(ioctl, s->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

bool notify_valid(const struct call *call)
{
	return SYS(ioctl, call->session->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

static void send_response(const struct call *call, int32_t error, int64_t value, uint32_t flags)
{
	/* Workers answer too: each on its own stack. */
	union {
		struct seccomp_notif_resp resp;
		char room[RESPONSE_ROOM];
	} r = {.room = {0}};

	r.resp.id = call->id;
	r.resp.error = error;
	r.resp.val = value;
	r.resp.flags = flags;
	/* ENOENT: the caller is gone. */
	SYS(ioctl, call->session->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static void send_fd(const struct call *call, struct reply reply)
{
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)reply.fd,
		.newfd_flags = reply.cloexec ? O_CLOEXEC : 0,
	};
	if (reply.at) {
		add.flags |= SECCOMP_ADDFD_FLAG_SETFD;
		add.newfd = (uint32_t)reply.at;
	}
	long r = SYS(ioctl, call->session->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	if (reply.at && (r == -EBADF || r == -EMFILE)) { /* past the caller's limit: any number */
		add.flags = SECCOMP_ADDFD_FLAG_SEND;
		add.newfd = 0;
		r = SYS(ioctl, call->session->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	}
	if (r == -EINVAL) { /* before Linux 5.14: two steps */
		add.flags &= ~(uint32_t)SECCOMP_ADDFD_FLAG_SEND;
		r = SYS(ioctl, call->session->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
		if (r >= 0)
			send_response(call, 0, r, 0);
	}
	if (r < 0 && r != -ENOENT)
		send_response(call, r == -EMFILE || r == -ENFILE ? (int32_t)r : -EIO, 0, 0);
	close(reply.fd);
}

void notify_reply(const struct call *call, struct reply reply)
{
	switch (reply.kind) {
	case REPLY_PROCEED:
		send_response(call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
		return;
	case REPLY_FAIL:
		/* The kernel passes any number on; one outside errno's range would look like success. */
		send_response(call, reply.error > 0 && reply.error < 4096 ? -reply.error : -EIO, 0,
			      0);
		return;
	case REPLY_VALUE:
		send_response(call, 0, reply.value, 0);
		return;
	case REPLY_FD:
		send_fd(call, reply);
		return;
	case REPLY_LATER:
		if (!workers_submit(call, reply.work))
			send_response(call, -EAGAIN, 0, 0);
		return;
	case REPLY_KILL:
		call->session->reason = END_POLICY;
		everything_signal(call->session, SIGKILL);
		return;
	case REPLY_PARKED:
		return; /* its reply comes from there */
	}
}

void notify_serve(struct session *s)
{
	memset(&request, 0, request_size); /* the kernel insists */
	if (SYS(ioctl, s->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* ENOENT: the caller died meanwhile; EINTR */

	const struct seccomp_data *data = &request.notif.data;
	struct call call = {
		.session = s,
		.id = request.notif.id,
		.pid = (int)request.notif.pid,
		.nr = data->nr,
	};
	memcpy(call.args, data->args, sizeof call.args);

	unsigned slot = (unsigned)data->nr & (ARRAY_LEN(s->handler_of) - 1);
	s->traps++;
	s->traps_by_nr[slot]++;
	if (!s->handler_of[slot])
		s->handler_of[slot] = (uint8_t)(filter_handler(s->record.features, data->nr) + 1);
	unsigned id = s->handler_of[slot] - 1u;
	handler answer = handlers[id];

	if (!brisk[id])
		patience_begin(PATIENCE_MS);
	struct reply reply = answer ? answer(&call) : reply_fail(ENOSYS);
	if (!brisk[id])
		patience_end();
	if (reply.kind == REPLY_FAIL && !reply.outcome)
		s->denials++;
	notify_reply(&call, reply);
}
