/*
 * Socket diagnostics (sock_diag(7)) over two netlink sockets. Only the kernel answers there, and yet nothing is read past the bounds
 * that a datagram really has: a broken answer is an error, never half a table.
 */
#include "net/diag.h"

#include "base/compiler.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { TIMEOUT_SECONDS = 2, ANSWER_ROOM = 32768 };

/* Whoever wants one socket must not wait for somebody who wants all of them. */
enum { SINGLE, DUMPS, CHANNELS };

static struct channel {
	pthread_mutex_t lock;
	int fd; /* 0: not opened; standard input is never ours */
	uint32_t sequence;
	uint64_t align;
	char answer[ANSWER_ROOM] __attribute__((aligned(8)));
} channels[CHANNELS] = {
	[SINGLE] = {.lock = PTHREAD_MUTEX_INITIALIZER},
	[DUMPS] = {.lock = PTHREAD_MUTEX_INITIALIZER},
};

bool diag_open(void)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};

	for (size_t i = 0; i < CHANNELS; i++) {
		if (channels[i].fd)
			continue;
		auto_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0)
			return false;
		channels[i].fd = fd_take(&fd);
	}
	return true;
}

/* ---- answers ---- */

static struct address address_of(uint8_t family, const __be32 words[4])
{
	if (family == AF_INET)
		return (struct address){.low = 0xffff00000000u | ntohl(words[0])};
	return (struct address){
		.high = (uint64_t)ntohl(words[0]) << 32 | ntohl(words[1]),
		.low = (uint64_t)ntohl(words[2]) << 32 | ntohl(words[3]),
	};
}

static void describe(const struct inet_diag_msg *m, struct diag_socket *out)
{
	*out = (struct diag_socket){
		.local = address_of(m->idiag_family, m->id.idiag_src),
		.peer = address_of(m->idiag_family, m->id.idiag_dst),
		.cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
		.inode = m->idiag_inode,
		.uid = m->idiag_uid,
		.local_port = ntohs(m->id.idiag_sport),
		.peer_port = ntohs(m->id.idiag_dport),
		.state = m->idiag_state,
	};
}

/* NLMSG_ERROR and NLMSG_DONE both begin with an errno, negative; a DONE of old kernels may be empty. */
static int status_of(const char *payload, size_t len, int when_missing)
{
	int32_t status;

	if (len < sizeof status)
		return when_missing;
	memcpy(&status, payload, sizeof status);
	if (!status)
		return 1;
	return status < 0 && status >= -4095 ? status : -EBADMSG;
}

int diag_parse(const void *data, size_t len, uint32_t sequence,
	       void (*visit)(void *context, const struct diag_socket *socket), void *context)
{
	const char *at = data;

	while (len) {
		struct nlmsghdr header;

		if (len < sizeof header)
			return -EBADMSG;
		memcpy(&header, at, sizeof header);
		if (header.nlmsg_len < sizeof header || header.nlmsg_len > len)
			return -EBADMSG;

		const char *payload = at + sizeof header;
		size_t payload_len = header.nlmsg_len - sizeof header;
		size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);

		at += MIN(step, len);
		len -= MIN(step, len);
		if (header.nlmsg_seq != sequence) /* the rest of an answer that came too late */
			continue;
		if (header.nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		switch (header.nlmsg_type) {
		case NLMSG_DONE:
			return status_of(payload, payload_len, 1);
		case NLMSG_ERROR:
			return status_of(payload, payload_len, -EBADMSG);
		case NLMSG_OVERRUN:
			return -ENOBUFS;
		case SOCK_DIAG_BY_FAMILY: {
			struct inet_diag_msg message;
			struct diag_socket socket;

			if (payload_len < sizeof message)
				return -EBADMSG;
			memcpy(&message, payload, sizeof message);
			if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)
				return -EBADMSG;
			describe(&message, &socket);
			visit(context, &socket);
			if (!(header.nlmsg_flags & NLM_F_MULTI))
				return 1;
			break;
		}
		default:
			break;
		}
	}
	return 0;
}

/* ---- questions ---- */

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static int receive(struct channel *c, uint32_t sequence,
		   void (*visit)(void *context, const struct diag_socket *socket), void *context)
{
	for (;;) {
		struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
		socklen_t from_len = sizeof from;
		ssize_t n = recvfrom(c->fd, c->answer, sizeof c->answer, MSG_TRUNC,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if ((size_t)n > sizeof c->answer)
			return -EMSGSIZE;
		if (from_len < sizeof from || from.nl_family != AF_NETLINK || from.nl_pid != 0)
			continue; /* not the kernel */
		int r = diag_parse(c->answer, (size_t)n, sequence, visit, context);
		if (r)
			return r < 0 ? r : 0;
	}
}

static int ask(struct channel *c, struct request *request,
	       void (*visit)(void *context, const struct diag_socket *socket), void *context)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int r = -ENOTCONN;

	pthread_mutex_lock(&c->lock);
	if (c->fd) {
		request->header.nlmsg_seq = ++c->sequence;
		ssize_t n = sendto(c->fd, request, sizeof *request, MSG_NOSIGNAL,
				   (const struct sockaddr *)&kernel, sizeof kernel);
		r = n < 0 ? -errno : receive(c, request->header.nlmsg_seq, visit, context);
	}
	pthread_mutex_unlock(&c->lock);
	return r;
}

static struct request request_of(uint8_t family, uint8_t protocol, uint16_t flags)
{
	return (struct request){
		.header =
			{
				.nlmsg_len = sizeof(struct request),
				.nlmsg_type = SOCK_DIAG_BY_FAMILY,
				.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
			},
		.body =
			{
				.sdiag_family = family,
				.sdiag_protocol =
					protocol == ENDPOINT_TCP ? IPPROTO_TCP : IPPROTO_UDP,
			},
	};
}

int diag_dump(uint8_t protocol, uint32_t states,
	      void (*visit)(void *context, const struct diag_socket *socket), void *context)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct request request = request_of(families[i], protocol, NLM_F_DUMP);

		request.body.idiag_states = states;
		int r = ask(&channels[DUMPS], &request, visit, context);
		if (r < 0)
			return r;
	}
	return 0;
}

static void take_cookie(void *context, const struct diag_socket *socket)
{
	*(uint64_t *)context = socket->cookie;
}

int diag_find(uint8_t protocol, struct address to, uint16_t port, uint64_t *cookie)
{
	bool v4 = address_within(to, (struct address){0, 0xffff00000000},
				 (struct address){0, 0xffffffffffff});
	struct request request = request_of(v4 ? AF_INET : AF_INET6, protocol, 0);
	struct inet_diag_sockid *id = &request.body.id;
	/* The socket's own side is the source for TCP. For UDP it is the destination: the kernel looks up who would receive. */
	bool tcp = protocol == ENDPOINT_TCP;
	__be32 *own = tcp ? id->idiag_src : id->idiag_dst;

	*(tcp ? &id->idiag_sport : &id->idiag_dport) = htons(port);
	if (v4) {
		own[0] = htonl((uint32_t)to.low);
	} else {
		own[0] = htonl((uint32_t)(to.high >> 32));
		own[1] = htonl((uint32_t)to.high);
		own[2] = htonl((uint32_t)(to.low >> 32));
		own[3] = htonl((uint32_t)to.low);
	}
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	request.body.idiag_states = UINT32_MAX;
	*cookie = 0;
	int r = ask(&channels[SINGLE], &request, take_cookie, cookie);
	return r == 0 && !*cookie ? -ENOENT : r;
}
