/* Which opens may be of a virtual file, by their path alone. Pure. */
#ifndef SANDLOCK_PROC_VIRTUAL_NAME_H
#define SANDLOCK_PROC_VIRTUAL_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Every open of the program is asked this: false for nearly all of them. */
bool virtual_name_suspect(const char *path, size_t len);
/* Cleans an absolute path in place: no empty component, no ".", and ".." as if there were no symlinks. */
void virtual_name_clean(char *path);
/* A clean path with /proc/self, /proc/thread-self and /proc/net spelled with the process's number, because these links mean
 * whoever follows them. False: no room. */
bool virtual_name_own(const char *path, int pid, char *out, size_t size);
/* NAME of a clean .../PID/net/NAME or .../PID/task/TID/net/NAME (it may hold slashes); NULL: no such path. */
const char *virtual_name_net(const char *path);

#endif
