/* The caller's memory, copied in bounded pieces. Nothing may act on a copy before notify_valid() said the caller is still there. */
#include "supervise/session.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static int64_t copy(const struct call *call, const struct iovec *local, size_t local_count,
		    const struct iovec *remote, size_t remote_count, bool write)
{
	if (!call->may_wait)
		watch_begin(call->session);
	ssize_t n =
		write ? process_vm_writev(call->pid, local, local_count, remote, remote_count, 0)
		      : process_vm_readv(call->pid, local, local_count, remote, remote_count, 0);
	int error = errno;

	if (!call->may_wait)
		watch_end();
	return n < 0 ? -error : n;
}

static int transfer(const struct call *call, uint64_t address, void *buffer, size_t len, bool write)
{
	struct iovec local = {.iov_base = buffer, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};
	int64_t n = copy(call, &local, 1, &remote, 1, write);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

int memory_read(const struct call *call, uint64_t address, void *buffer, size_t len)
{
	return transfer(call, address, buffer, len, false);
}

int memory_write(const struct call *call, uint64_t address, const void *buffer, size_t len)
{
	return transfer(call, address, (void *)(uintptr_t)buffer, len, true);
}

int64_t memory_gather(const struct call *call, const struct iovec *local, size_t local_count,
		      const struct iovec *remote, size_t remote_count)
{
	return copy(call, local, local_count, remote, remote_count, false);
}

int memory_read_string(const struct call *call, uint64_t address, char *buffer, size_t size)
{
	/* Page by page: a string may end right before an unmapped one. */
	for (size_t got = 0; got < size;) {
		size_t piece = MIN(size - got, PAGE - ((address + got) & (PAGE - 1)));
		int r = memory_read(call, address + got, buffer + got, piece);

		if (r < 0)
			return r;
		const char *end = memchr(buffer + got, '\0', piece);
		if (end)
			return (int)(end - buffer);
		got += piece;
	}
	return -ENAMETOOLONG;
}
