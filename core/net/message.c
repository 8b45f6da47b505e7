/*
 * The caller's message, copied in as few pieces as there are: header, then vectors, name and control data together, then payload.
 * Each is copied once; what was copied is what is judged and sent. Payload is no input of a judgement and may be read in slices.
 */
#include "net/message.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* The kernel moves no more at once (MAX_RW_COUNT). */
#define LONGEST_TRANSFER (INT_MAX & ~4095u)

int vectors_total(const struct iovec *vectors, size_t count, uint64_t *total)
{
	*total = 0;
	for (size_t i = 0; i < count; i++) {
		if ((ssize_t)vectors[i].iov_len < 0)
			return -EINVAL;
		*total += MIN(vectors[i].iov_len, LONGEST_TRANSFER - *total);
	}
	return 0;
}

size_t vectors_slice(const struct iovec *vectors, size_t count, uint64_t offset, size_t limit,
		     struct iovec *out, size_t *len)
{
	size_t pieces = 0;

	*len = 0;
	for (size_t i = 0; i < count && *len < limit; i++) {
		size_t length = vectors[i].iov_len;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		size_t piece = MIN(length - (size_t)offset, limit - *len);
		out[pieces++] = (struct iovec){
			.iov_base = (void *)((uintptr_t)vectors[i].iov_base + (uintptr_t)offset),
			.iov_len = piece,
		};
		offset = 0;
		*len += piece;
	}
	return pieces;
}

static void add_piece(struct iovec *local, struct iovec *remote, size_t *count, void *to,
		      uint64_t from, size_t len)
{
	if (!len)
		return;
	local[*count] = (struct iovec){.iov_base = to, .iov_len = len};
	remote[(*count)++] = (struct iovec){.iov_base = (void *)(uintptr_t)from, .iov_len = len};
}

static void forget(struct message *m)
{
	m->named = m->denied = false;
	m->name_len = 0;
	m->vector_count = 0;
	m->total = 0;
	m->control_len = m->control_out_len = 0;
	m->fd_count = 0;
	memset(&m->name, 0, sizeof m->name);
}

int message_read(const struct call *call, uint64_t from, struct message *m)
{
	struct message_header header;
	struct iovec local[3], remote[3];
	size_t pieces = 0;

	forget(m);
	int r = memory_read(call, from, &header, sizeof header);
	if (r < 0)
		return r;
	if (header.name && header.name_len < 0)
		return -EINVAL;
	if (header.vector_count > MESSAGE_VECTORS)
		return -EMSGSIZE;
	if (header.control_len > MESSAGE_CONTROL)
		return -ENOBUFS;
	m->named = header.name && header.name_len;
	/* Here, unlike in sendto(), the kernel cuts a longer one off. */
	m->name_len = m->named ? MIN((socklen_t)header.name_len, sizeof m->name) : 0;
	m->vector_count = header.vector_count;
	m->control_len = header.control_len;
	add_piece(local, remote, &pieces, m->vectors, header.vectors,
		  m->vector_count * sizeof *m->vectors);
	add_piece(local, remote, &pieces, &m->name, header.name, m->name_len);
	add_piece(local, remote, &pieces, m->control, header.control, m->control_len);
	size_t wanted = m->vector_count * sizeof *m->vectors + m->name_len + m->control_len;
	int64_t got = pieces ? memory_gather(call, local, pieces, remote, pieces) : 0;
	if (got < 0)
		return (int)got;
	if ((size_t)got != wanted)
		return -EFAULT;
	return vectors_total(m->vectors, m->vector_count, &m->total);
}

int message_read_registers(const struct call *call, struct message *m)
{
	forget(m);
	m->vector_count = 1;
	m->vectors[0] = (struct iovec){
		.iov_base = (void *)(uintptr_t)call->args[1],
		.iov_len = MIN(call->args[2], LONGEST_TRANSFER),
	};
	m->total = m->vectors[0].iov_len;
	m->named = call->args[4];
	if (!m->named)
		return 0;
	int r = net_read_address(call, call->args[4], call->args[5], &m->name);
	if (r == 0)
		m->name_len = (socklen_t)call->args[5];
	return r;
}

int64_t message_payload(const struct call *call, struct message *m, uint64_t offset)
{
	size_t len;
	size_t pieces = vectors_slice(m->vectors, m->vector_count, offset,
				      (size_t)MIN(m->total - offset, (uint64_t)MESSAGE_PAYLOAD),
				      m->slice, &len);
	struct iovec local = {.iov_base = m->payload, .iov_len = len};

	return len ? memory_gather(call, &local, 1, m->slice, pieces) : 0;
}

void message_close(struct message *m)
{
	while (m->fd_count)
		close(m->fds[--m->fd_count]);
}
