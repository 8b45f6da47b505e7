/* The netlink stand-in: any bytes are requests or noise, and every answer is one well-formed message to the socket's own port. */
#include "net/netlink.h"

#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PORT = 77 };

static bool check(void *context, const void *datagram, size_t len)
{
	struct nlmsghdr header;
	size_t *left = context;

	if (len < sizeof header)
		abort();
	memcpy(&header, datagram, sizeof header);
	if (header.nlmsg_len != len || header.nlmsg_pid != PORT || len > 512)
		abort();
	return (*left)-- > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* From malloc, so that the sanitizer sees a step past the end. */
	uint8_t *copy = malloc(size ? size : 1);
	size_t left = size ? data[0] * 8u : 0;

	if (size)
		memcpy(copy, data, size);
	netlink_reply(copy, size, PORT, check, &left);
	free(copy);
	return 0;
}
