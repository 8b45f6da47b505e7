/*
 * landlock_create_ruleset() of the program. What is done on behalf is not held by layers that the program adds to itself: its
 * rights over ports, and the scopes, would be taken as enforced and would not be. So the program sees a kernel of ABI 3, which knows neither;
 * its rulesets are made from a judged copy. Never makes one that handles what this file does not understand.
 */
#include "net/net.h"

#include "base/sys.h"
#include "host/uapi.h"

#include <errno.h>
#include <string.h>

enum { SHOWN_ABI = 3, FIRST_SIZE = sizeof(uint64_t), LARGEST_SIZE = 4096 };

bool net_own_layers;

/* 0, or what the kernel of that ABI answers. */
static int judge(const uint64_t *words, size_t size)
{
	for (size_t i = 1; i < size / sizeof *words; i++)
		if (words[i])
			return -E2BIG;
	for (size_t i = size & ~(sizeof *words - 1); i < size; i++)
		if (((const char *)words)[i])
			return -E2BIG;
	if (words[0] & ~landlock_fs_mask(SHOWN_ABI))
		return -EINVAL;
	return words[0] ? 0 : -ENOMSG;
}

static struct reply create(const struct call *call)
{
	uint64_t words[LARGEST_SIZE / sizeof(uint64_t)];
	size_t size = call->args[1];

	if (size < FIRST_SIZE)
		return reply_result(-EINVAL);
	if (size > LARGEST_SIZE)
		return reply_result(-E2BIG);
	int r = memory_read(call, call->args[0], words, size);
	if (r < 0)
		return reply_result(-EFAULT);
	if (!notify_valid(call))
		return reply_result(-ESRCH);
	r = judge(words, size);
	if (r < 0)
		return reply_result(r);
	long fd = SYS(landlock_create_ruleset, words, FIRST_SIZE, 0);
	if (fd < 0)
		return reply_result((int)fd);
	if (words[0] & LL_MAKE_SOCK)
		__atomic_store_n(&net_own_layers, true, __ATOMIC_SEQ_CST);
	return reply_fd((int)fd, true);
}

struct reply handle_landlock(const struct call *call)
{
	uint32_t flags = (uint32_t)call->args[2];

	if (!flags)
		return create(call);
	if (call->args[0] || call->args[1] || flags != LL_CREATE_VERSION)
		return reply_result(-EINVAL);
	long abi = SYS(landlock_create_ruleset, 0, 0, LL_CREATE_VERSION);

	return abi < 0 ? reply_result((int)abi) : reply_value(MIN(abi, SHOWN_ABI));
}
