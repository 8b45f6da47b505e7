/*
 * One message that the caller sends, copied: what is judged is what is sent. The pure parts (vectors, control data) are asked by
 * tests.
 */
#ifndef SANDLOCK_NET_MESSAGE_H
#define SANDLOCK_NET_MESSAGE_H

#include "net/behalf.h"

enum {
	MESSAGE_PAYLOAD = 256 * 1024, /* a slice of a stream; the longest datagram */
	MESSAGE_VECTORS = 1024,	      /* UIO_MAXIOV */
	MESSAGE_CONTROL = 8192,
	MESSAGE_FDS = 253, /* SCM_MAX_FD */
};

/* struct user_msghdr of 64-bit kernels */
struct message_header {
	uint64_t name;
	int32_t name_len;
	uint32_t pad1;
	uint64_t vectors, vector_count;
	uint64_t control, control_len;
	uint32_t flags, pad2;
};
struct batch_entry { /* struct mmsghdr */
	struct message_header header;
	uint32_t sent, pad;
};

/* Large: one for each thread that sends, never on a stack. */
struct message {
	bool named;  /* the caller gave an address, perhaps of no length */
	bool denied; /* the errno is the policy's */
	union net_address name;
	socklen_t name_len;
	size_t vector_count;
	uint64_t total; /* bytes of payload */
	size_t control_len, control_out_len;
	size_t own_len;	      /* at the beginning of control_out: what we say of the sender */
	int fds[MESSAGE_FDS]; /* duplicates of what SCM_RIGHTS sends */
	size_t fd_count;
	uint64_t control[MESSAGE_CONTROL / 8],
		control_out[MESSAGE_CONTROL / 8 + 4]; /* and who sends */
	struct iovec vectors[MESSAGE_VECTORS];	      /* of the caller */
	struct iovec slice[MESSAGE_VECTORS];
	char payload[MESSAGE_PAYLOAD];
};

/* message.c. All return 0 or -errno as the kernel would have it. */
/* From a struct msghdr of the caller. */
int message_read(const struct call *call, uint64_t header, struct message *m);
/* From sendto()'s registers. */
int message_read_registers(const struct call *call, struct message *m);
/* Copies up to MESSAGE_PAYLOAD bytes from `offset` on; fewer when memory ends. The count, or -errno. */
int64_t message_payload(const struct call *call, struct message *m, uint64_t offset);
/* What message_judge() opened. */
void message_close(struct message *m);

/* Pure. */
/* The sum of the lengths as the kernel counts it; EINVAL for one that is negative. */
int vectors_total(const struct iovec *vectors, size_t count, uint64_t *total);
/* The pieces that hold at most `limit` bytes from `offset` on: their number; *len is their length. */
size_t vectors_slice(const struct iovec *vectors, size_t count, uint64_t offset, size_t limit,
		     struct iovec *out, size_t *len);

/* control.c */
/* Control data that an inet socket may be given. 0, -EINVAL (malformed), -EPERM. */
int control_check_inet(const void *control, size_t len);
/* Control data of a unix socket: descriptors become duplicates, the caller's credentials become ours, with its user where that is
 * another one. The result is in control_out. */
int control_translate(const struct call *call, struct message *m);
/* Does the text of /proc/TID/status show these ids as the task's own? */
bool control_own_ids(const char *status, const struct ucred *ids);

#endif
