/* A virtual host name where no UTS namespace can give one: uname() is answered here, the files that tell it by virtual.c. */
#include "supervise/session.h"

#include "base/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

struct reply handle_uname(const struct call *call)
{
	static struct utsname name; /* the loop is one thread, and nothing in it changes */

	if (!name.sysname[0]) {
		if (SYS(uname, &name) < 0)
			return reply_fail(EFAULT);
		memset(name.nodename, 0, sizeof name.nodename);
		strncpy(name.nodename, call->session->hostname, sizeof name.nodename - 1);
	}
	if (!notify_valid(call))
		return reply_fail(EINTR);
	int r = memory_write(call, call->args[0], &name, sizeof name);
	if (r == -EPERM) /* a program that is not dumpable: the real name is no secret */
		return reply_proceed();
	return r < 0 ? reply_fail(EFAULT) : reply_value(0);
}
