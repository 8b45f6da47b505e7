/*
 * Control data. Inet sockets get what is on a list: a routing header would send the packet to somebody who was not judged. Unix
 * sockets get descriptors, as duplicates of the caller's, and never a claim about identities. What is not known is refused.
 */
#include "net/behalf.h"
#include "net/message.h"

#include "base/fd.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's values: not all are in every C library. */
struct control_header { /* struct cmsghdr as the kernel has it: C libraries differ about the length */
	uint64_t len;
	int32_t level, type;
};

enum {
	LEVEL_SOCKET = 1,
	LEVEL_IP = 0,
	LEVEL_UDP = 17,
	LEVEL_IPV6 = 41,
	HEADER = sizeof(struct control_header),
	TYPE_RIGHTS = 1,
	TYPE_CREDENTIALS = 2,
	STATUS_ROOM = 4096,
	OWN_ROOM = 32, /* of add_identity() */
};

static const struct {
	uint8_t level, type;
} inet_allowed[] = {
	{LEVEL_SOCKET, 12}, /* SO_PRIORITY */
	{LEVEL_SOCKET, 37}, /* SO_TIMESTAMPING_OLD */
	{LEVEL_SOCKET, 61}, /* SCM_TXTIME */
	{LEVEL_SOCKET, 65}, /* SO_TIMESTAMPING_NEW */
	{LEVEL_IP, 1},	    /* IP_TOS */
	{LEVEL_IP, 2},	    /* IP_TTL */
	{LEVEL_IP, 8},	    /* IP_PKTINFO: the kernel takes own addresses only */
	{LEVEL_IP, 52},	    /* IP_PROTOCOL */
	{LEVEL_IPV6, 2},    /* IPV6_2292PKTINFO */
	{LEVEL_IPV6, 8},    /* IPV6_2292HOPLIMIT */
	{LEVEL_IPV6, 11},   /* IPV6_FLOWINFO */
	{LEVEL_IPV6, 50},   /* IPV6_PKTINFO */
	{LEVEL_IPV6, 52},   /* IPV6_HOPLIMIT */
	{LEVEL_IPV6, 62},   /* IPV6_DONTFRAG */
	{LEVEL_IPV6, 67},   /* IPV6_TCLASS */
	{LEVEL_UDP, 103},   /* UDP_SEGMENT */
};

static size_t aligned(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/* The element at *at, which is moved behind it. 1, 0 at the end, or -EINVAL. Header and length are copied: alignment is not ours to
 * assume. */
static int next_element(const void *control, size_t len, size_t *at, struct control_header *header,
			const char **data)
{
	if (*at > len || len - *at < HEADER)
		return 0;
	memcpy(header, (const char *)control + *at, HEADER);
	uint64_t size = header->len;
	if (size < HEADER || size > len - *at)
		return -EINVAL;
	*data = (const char *)control + *at + HEADER;
	*at += MIN(aligned((size_t)size), len - *at);
	return 1;
}

static bool inet_may(const struct control_header *header)
{
	for (size_t i = 0; i < ARRAY_LEN(inet_allowed); i++)
		if (header->level == inet_allowed[i].level && header->type == inet_allowed[i].type)
			return true;
	return false;
}

int control_check_inet(const void *control, size_t len)
{
	struct control_header header;
	const char *data;
	size_t at = 0;
	int r;

	while ((r = next_element(control, len, &at, &header, &data)) > 0)
		if (!inet_may(&header))
			return -EPERM;
	return r;
}

static bool among(const char *status, const char *field, long id)
{
	const char *text = status_field(status, field);
	char *end;

	/* real, effective, saved: what the kernel lets a task claim */
	for (int i = 0; text && i < 3; i++, text = end)
		if (strtol(text, &end, 10) == id)
			return true;
	return false;
}

bool control_own_ids(const char *status, const struct ucred *ids)
{
	const char *text = status_field(status, "NStgid");
	long inside = 0;

	/* One number for each PID namespace; the last is the innermost one's, which the caller knows. */
	while (text && *text != '\n') {
		char *end;

		inside = strtol(text, &end, 10);
		text = end == text ? NULL : end;
	}
	return inside > 0 && inside == ids->pid && among(status, "Uid", (long)ids->uid) &&
	       among(status, "Gid", (long)ids->gid);
}

static int check_credentials(const struct call *call, const struct control_header *header,
			     const char *data)
{
	char status[STATUS_ROOM];
	struct ucred ids;

	if (header->len != HEADER + sizeof ids)
		return -EINVAL;
	memcpy(&ids, data, sizeof ids);
	task_status(call, status, sizeof status);
	return control_own_ids(status, &ids) ? 0 : -EPERM;
}

/* Takes the descriptors and writes an element with the duplicates' numbers. */
static int translate_rights(int task, struct message *m, const struct control_header *header,
			    const char *data)
{
	size_t count = (header->len - HEADER) / sizeof(int);
	char *out = (char *)m->control_out + m->control_out_len;
	struct control_header written = {
		.len = HEADER + count * sizeof(int), .level = SOL_SOCKET, .type = TYPE_RIGHTS};

	if (!count)
		return 0;
	if (m->fd_count + count > MESSAGE_FDS)
		return -EINVAL;
	memcpy(out, &written, HEADER);
	for (size_t i = 0; i < count; i++) {
		int theirs;

		memcpy(&theirs, data + i * sizeof theirs, sizeof theirs);
		int fd = task_take(task, theirs);
		if (fd < 0)
			return fd;
		m->fds[m->fd_count++] = fd;
		memcpy(out + HEADER + i * sizeof fd, &fd, sizeof fd);
	}
	/* No larger than what it was made of, so it fits. */
	m->control_out_len += aligned(written.len);
	return 0;
}

/* The kernel would name our user to the receiver. (It names our process in any case.) */
static int add_identity(const struct call *call, struct message *m)
{
	char status[STATUS_ROOM];
	const struct control_header header = {.len = HEADER + sizeof(struct ucred),
					      .level = SOL_SOCKET,
					      .type = TYPE_CREDENTIALS};
	char *out = (char *)m->control_out;

	m->own_len = 0;
	if (net_same_identity(call))
		return 0;
	task_status(call, status, sizeof status);
	const char *uid = status_field(status, "Uid"), *gid = status_field(status, "Gid");
	if (!uid || !gid)
		return -ESRCH;
	const struct ucred ids = {
		.pid = getpid(),
		.uid = (uid_t)strtoul(uid, NULL, 10),
		.gid = (gid_t)strtoul(gid, NULL, 10),
	};
	_Static_assert(HEADER + sizeof ids <= OWN_ROOM, "fits before the caller's");
	memcpy(out, &header, HEADER);
	memcpy(out + HEADER, &ids, sizeof ids);
	m->own_len = aligned(header.len);
	return 0;
}

int control_translate(const struct call *call, struct message *m)
{
	auto_fd task = -1;
	struct control_header header;
	const char *data;
	size_t at = 0;
	int r;

	memset(m->control_out, 0, aligned(m->control_len) + OWN_ROOM);
	r = add_identity(call, m);
	if (r < 0)
		return r;
	m->control_out_len = m->own_len;
	while ((r = next_element(m->control, m->control_len, &at, &header, &data)) > 0) {
		if (header.level != SOL_SOCKET)
			continue; /* the kernel overlooks it too */
		if (header.type == TYPE_RIGHTS) {
			if (task < 0)
				task = task_open(call);
			r = task < 0 ? task : translate_rights(task, m, &header, data);
		} else {
			r = header.type == TYPE_CREDENTIALS ? check_credentials(call, &header, data)
							    : -EPERM;
		}
		if (r < 0)
			return r;
	}
	return r;
}
