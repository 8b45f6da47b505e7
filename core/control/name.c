/* Names and addresses. What stands in the kernel's table was written by anybody: names are checked before they are used. */
#include "control/name.h"

#include "control/control.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "sandlock/%u/"

enum {
	ACCEPTS = 0x10000,
	SEQPACKET = 5
}; /* flags and type in /proc/net/unix (include/linux/net.h) */

socklen_t control_address(uid_t uid, const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, PREFIX "%s",
			 (unsigned)uid, name);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int control_connect(uid_t uid, const char *name, struct ucred *who)
{
	struct sockaddr_un address;
	socklen_t len = control_address(uid, name, &address), size = sizeof *who;
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) < 0)
		return -errno;
	return fd_take(&fd);
}

/* "Num: RefCount Protocol Flags Type St Inode Path" (proc_net(5)); an abstract name begins with "@". */
bool control_name_of(char *line, uid_t uid, char *name)
{
	enum { FLAGS = 2, TYPE = 3, FIELDS = 6 };
	unsigned long fields[FIELDS];
	char prefix[32];
	char *text = strchr(line, ':');

	if (!text++)
		return false;
	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = strtoul(text, &text, 16);
	if (*text++ != ' ')
		return false;
	int n = snprintf(prefix, sizeof prefix, "@" PREFIX, (unsigned)uid);
	if (fields[FLAGS] != ACCEPTS || fields[TYPE] != SEQPACKET ||
	    strncmp(text, prefix, (size_t)n) != 0)
		return false;
	text += n;
	size_t len = strcspn(text, "\n");
	if (len == 0 || len >= CONTROL_NAME_ROOM || memchr(text, '/', len))
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	return true;
}
