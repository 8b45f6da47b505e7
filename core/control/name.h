/* name.c: how a sandbox's name and its socket belong together. */
#ifndef SANDLOCK_CONTROL_NAME_H
#define SANDLOCK_CONTROL_NAME_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* The address of that user's sandbox; its length. `name` has at most 64 bytes. */
socklen_t control_address(uid_t uid, const char *name, struct sockaddr_un *address);
/* A connected socket that does not block, close-on-exec, and who listens; or -errno (EAGAIN: it takes nobody in). */
int control_connect(uid_t uid, const char *name, struct ucred *who);
/* Takes one line of /proc/net/unix; true when it is the listening socket of a sandbox of that user, whose name is put in `name`
 * (CONTROL_NAME_ROOM). */
bool control_name_of(char *line, uid_t uid, char *name);

#endif
