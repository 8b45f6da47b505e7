/* Exits 1 when it runs with ids that its caller does not have (a set-user-ID bit was honoured), else writes the answer EPERM and exits 0. */
#include "probe.h"

int main(void)
{
	long r = geteuid() != getuid() || getegid() != getgid() ? 0 : -EPERM;
	/* the descriptor of in_child's pipe: the highest open one */
	for (int fd = 15; fd > 2; fd--)
		if (sys(SYS_write, fd, &r, sizeof(r)) == sizeof(r))
			break;
	return r == 0;
}
