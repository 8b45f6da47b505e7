/* Group H, who comes in: a port that may be bound is no leave for everybody to connect to it. */
#include "network.h"

enum { FRIEND = 2, STRANGER = 3 }; /* 127.0.0.N */

/* The outsider comes to W_FREE from 127.0.0.N. 0 when each side has heard the other; -ECONNREFUSED when neither has. */
static long visited(int type, int host)
{
	struct sockaddr_in address = loopback("W_FREE"), open_door = loopback("W_OPEN"), peer;
	unsigned length = sizeof(peer);
	const int one = 1;
	unsigned char call[] = { type == SOCK_STREAM ? 't' : 'u', (unsigned char)host, (unsigned char)(ntohs(address.sin_port) >> 8),
				 (unsigned char)ntohs(address.sin_port) };
	char byte = 0, answer = 0;
	long server = must("socket", sys(SYS_socket, AF_INET, type, 0)), door = tcp(), visitor = server;
	sys(SYS_setsockopt, server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must("bind", sys(SYS_bind, server, &address, sizeof(address)));
	if (type == SOCK_STREAM)
		must("listen", sys(SYS_listen, server, 5));
	sys(SYS_fcntl, server, F_SETFL, O_NONBLOCK);
	must("connect to the open door", sys(SYS_connect, door, &open_door, sizeof(open_door)));
	hear(door);
	must("call", sys(SYS_write, door, call, sizeof(call)));
	/* Until the outsider has told: it may be there and gone. */
	bool came = false;
	struct pollfd wait[] = { { .fd = (int)server, .events = POLLIN }, { .fd = (int)door, .events = POLLIN } };
	do {
		struct timespec limit = { 5, 0 };
		must("wait for either", sys(SYS_ppoll, wait, 2, &limit, 0, 0) > 0 ? 0 : -ETIMEDOUT);
		if (!came && type == SOCK_STREAM)
			came = (visitor = sys(SYS_accept4, server, 0, 0, 0)) >= 0;
		if (type == SOCK_STREAM ? came && wait[0].fd >= 0 : sys(SYS_recvfrom, server, &byte, 1, 0, &peer, &length) == 1) {
			came = true;
			sys(SYS_sendto, visitor, "s", 1, MSG_NOSIGNAL, type == SOCK_STREAM ? 0 : (void *)&peer, type == SOCK_STREAM ? 0 : length);
			wait[0].fd = -1;
		}
	} while (!(wait[1].revents & POLLIN) && !probe.failed);
	must("the outsider tells", sys(SYS_recvfrom, door, &answer, 1, 0, 0, 0));
	sys(SYS_close, server), sys(SYS_close, door);
	if (visitor != server)
		sys(SYS_close, visitor);
	return came || answer == 'y' ? 0 : -ECONNREFUSED;
}

static void tcp_stranger(void) { attempt("a stranger", visited(SOCK_STREAM, STRANGER)); }
static void tcp_friend_twin(void) { must("a friend", visited(SOCK_STREAM, FRIEND)); }
static void udp_stranger(void) { attempt("a stranger", visited(SOCK_DGRAM, STRANGER)); }
static void udp_friend_twin(void) { must("a friend", visited(SOCK_DGRAM, FRIEND)); }

static const struct probe_case cases[] = {
	CASE("H13-stranger", tcp_stranger, tcp_friend_twin, "--net-allow tcp://127.0.0.1:@W_OPEN@ --net-allow-bind @W_FREE@ --net-rule allow:ingress@127.0.0.2 --net-default-ingress deny", ECONNREFUSED),
	CASE("H13-stranger-udp", udp_stranger, udp_friend_twin, "--net-allow tcp://127.0.0.1:@W_OPEN@ --net-allow-bind udp://@W_FREE@ --net-rule allow:ingress@127.0.0.2 --net-default-ingress deny", ECONNREFUSED),
	CASE("H13-anybody", tcp_stranger, tcp_friend_twin, "--net-allow tcp://*:@W_OPEN@ --net-allow-bind @W_FREE@", ECONNREFUSED),
};
PROBE_MAIN(cases)
