/* The launcher's side of the registry: a name is claimed by listening under it. Never waits, never replaces anybody. */
#include "control/control.h"

#include "control/name.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, TRIES = 8 };

static int listen_as(const char *name)
{
	struct sockaddr_un address;
	socklen_t len = control_address(geteuid(), name, &address);
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return fd_take(&fd);
}

/* Here are no unix sockets: inside a sandbox, say. Nobody expects a name. */
static bool no_sockets(int error)
{
	return error == EPERM || error == EACCES || error == EAFNOSUPPORT || error == ENOSYS ||
	       error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT;
}

static bool taken(const char *name, struct origin origin, struct error *err)
{
	struct ucred who;

	error_add(err, origin, NULL, "a sandbox named %s is running already",
		  error_quote(err, name));
	int fd = control_connect(geteuid(), name, &who);
	if (fd < 0)
		return false;
	if (who.uid == geteuid())
		error_hint(err, "its supervisor is process %d; \"sandlock ps\" lists what runs",
			   (int)who.pid);
	else
		error_hint(err, "process %d of user %u holds the name: choose another",
			   (int)who.pid, (unsigned)who.uid);
	close(fd);
	return false;
}

bool control_claim(const char *name, struct origin origin, struct arena *arena, const char **out,
		   int *fd, struct error *err)
{
	int r = -EADDRINUSE;

	*out = name;
	if (name)
		r = listen_as(name);
	else /* Another PID namespace may have the same number, and another user may have taken the name: then one nobody can guess. */
		for (int i = 0; i < TRIES && r == -EADDRINUSE; i++) {
			uint32_t number = 0;

			if (i)
				getrandom(&number, sizeof number, GRND_NONBLOCK);
			*out = i ? arena_printf(arena, "sandbox-%d-%08x", (int)getpid(), number)
				 : arena_printf(arena, "sandbox-%d", (int)getpid());
			r = listen_as(*out);
		}
	*fd = MAX(r, -1);
	if (r < 0 && (r != -EADDRINUSE || !name) && !no_sockets(-r))
		error_warn(err, origin, NULL, "W050",
			   "this run is not in \"sandlock ps\": no name could be had for it: %s",
			   strerror(-r));
	return !name || r != -EADDRINUSE || taken(name, origin, err);
}
