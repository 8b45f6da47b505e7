/* The supervisor's side: whoever of the same user asks gets the state. Reads nothing, waits for nobody. */
#include "control/control.h"

#include "net/bind.h"
#include "net/ports.h"
#include "supervise/session.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ports that are asked about before they are told: each costs the loop some microseconds. */
enum { LOOKED_AT = 64 };

/* Outside, and the same user or root. What the sandbox's own programs ask for comes from one of them, or from us on behalf of one. */
static bool may_ask(const struct session *s, int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == geteuid() || who.uid == 0) && who.pid != getpid() &&
	       who.pid != s->guard.guard_pid && !task_is_ours(s, who.pid) &&
	       (who.pid == 0 || kill(who.pid, 0) == 0 || errno != ESRCH); /* whose was it? */
}

static uint32_t add_ports(struct control_port *ports)
{
	struct mapped_port at = {0};
	uint32_t count = 0;

	while (count < CONTROL_PORTS && ports_next(&at)) {
		/* Bindings are dropped when somebody asks. */
		if (count < LOOKED_AT && !ports_prune(at.protocol, at.port, binding_gone))
			continue;
		ports[count++] = (struct control_port){
			.port = at.port,
			.real = at.real,
			.protocol = at.protocol == ENDPOINT_TCP ? IPPROTO_TCP : IPPROTO_UDP,
		};
	}
	return count;
}

struct packet {
	struct control_state state;
	struct control_port ports[CONTROL_PORTS];
};

static void send_state(const struct session *s, int fd)
{
	struct packet *packet = malloc(sizeof *packet);

	if (!packet)
		return;
	packet->state = (struct control_state){
		.version = CONTROL_STATE_VERSION,
		.size = sizeof packet->state,
		.supervisor = getpid(),
		.pid = s->guard.guest_pid,
		.port_count = add_ports(packet->ports),
		.traps = s->traps,
		.denials = s->denials,
	};
	send(fd, packet, sizeof packet->state + packet->state.port_count * sizeof *packet->ports,
	     MSG_DONTWAIT | MSG_NOSIGNAL);
	free(packet);
}

/* A descriptor for the time when there is no other: without it somebody who waits could not even be sent away, and the loop
 * would find him there again and again. */
static int spare = -1;

int control_events(const struct session *s)
{
	if (s->record.registry_fd >= 0 && spare < 0)
		spare = fcntl(s->record.registry_fd, F_DUPFD_CLOEXEC, 0);
	return spare < 0 ? -1 : s->record.registry_fd;
}

void control_serve(const struct session *s)
{
	int listener = s->record.registry_fd;
	auto_fd fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && errno != EAGAIN) {
		fd_close(&spare);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		fd_close(&fd);
	}
	if (fd >= 0 && may_ask(s, fd))
		send_state(s, fd);
}
