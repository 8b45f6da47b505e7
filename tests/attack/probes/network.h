/* What the network probes share: addresses of the outsider, and talking with its open door. */
#ifndef NETWORK_H
#define NETWORK_H

#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/uio.h>
#include <time.h>

static inline struct sockaddr_in v4(const char *host, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)world_number(port)) };
	inet_pton(AF_INET, host, &address.sin_addr);
	return address;
}
static inline struct sockaddr_in loopback(const char *port) { return v4("127.0.0.1", port); }
static inline struct sockaddr_in6 v6(const char *host, const char *port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)world_number(port)) };
	inet_pton(AF_INET6, host, &address.sin6_addr);
	return address;
}

static inline long tcp(void) { return must("tcp socket", sys(SYS_socket, AF_INET, SOCK_STREAM, 0)); }
static inline long udp(void) { return must("udp socket", sys(SYS_socket, AF_INET, SOCK_DGRAM, 0)); }
static inline bool has_v6(void)
{
	long fd = sys(SYS_socket, AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 any = v6("::1", "W_TCP");
	any.sin6_port = 0;
	/* bind, because that also fails where the kernel has the family and no address; confined it is EACCES */
	long r = fd < 0 ? fd : sys(SYS_bind, fd, &any, sizeof(any));
	sys(SYS_close, fd);
	return fd >= 0 && r != -EADDRNOTAVAIL;
}

static inline struct msghdr message_to(void *name, size_t length, struct iovec *part)
{
	static char byte[] = "x";
	*part = (struct iovec){ byte, 1 };
	return (struct msghdr){ .msg_name = name, .msg_namelen = (socklen_t)length, .msg_iov = part, .msg_iovlen = 1 };
}

static inline bool readable(long fd)
{
	struct pollfd wait = { .fd = (int)fd, .events = POLLIN };
	struct timespec limit = { 5, 0 };
	return sys(SYS_ppoll, &wait, 1, &limit, 0, 0) == 1;
}

/* The open door says one byte to everybody who connects. */
static inline void hear(long fd)
{
	char byte = 0;
	must("wait for the open door", readable(fd) ? 0 : -ETIMEDOUT);
	must("hear the open door", sys(SYS_recvfrom, fd, &byte, 1, 0, 0, 0) == 1 && byte == 'o' ? 0 : -EBADMSG);
}
static inline void tcp_twin(void)
{
	struct sockaddr_in address = loopback("W_OPEN");
	long fd = tcp();
	must("connect to the allowed port", sys(SYS_connect, fd, &address, sizeof(address)));
	hear(fd);
	must("write", sys(SYS_write, fd, "x", 1));
	sys(SYS_close, fd);
}
static inline void udp_twin(void)
{
	struct sockaddr_in address = loopback("W_OPEN");
	struct iovec part;
	struct mmsghdr batch[2];
	char byte;
	long fd = udp();
	for (int i = 0; i < 2; i++)
		batch[i] = (struct mmsghdr){ .msg_hdr = message_to(&address, sizeof(address), &part) };
	must("sendto", sys(SYS_sendto, fd, "x", 1, 0, &address, sizeof(address)));
	must("sendmsg", sys(SYS_sendmsg, fd, &batch[0].msg_hdr, 0));
	must("sendmmsg", sys(SYS_sendmmsg, fd, batch, 2, 0) == 2 ? 0 : -EBADMSG);
	must("udp connect", sys(SYS_connect, fd, &address, sizeof(address)));
	must("send", sys(SYS_sendto, fd, "x", 1, 0, 0, 0));
	for (int i = 0; i < 5; i++) {
		must("wait for the echo", readable(fd) ? 0 : -ETIMEDOUT);
		must("echo", sys(SYS_recvfrom, fd, &byte, 1, 0, 0, 0));
	}
	sys(SYS_close, fd);
}
static inline void both_twin(void)
{
	tcp_twin();
	udp_twin();
}

static inline void unix_twin(void)
{
	int pair[2];
	char byte;
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	must("write", sys(SYS_write, pair[0], "x", 1));
	must("read", sys(SYS_read, pair[1], &byte, 1));
	must("datagram", sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0));
}
/* TCP itself stays creatable, so that a rule can name a destination. */
static inline void tcp_socket_twin(void)
{
	unix_twin();
	long fd = must("tcp socket", sys(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
	int one = 1;
	must("setsockopt", sys(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	must("tcp6 socket", sys(SYS_socket, AF_INET6, SOCK_STREAM, 0) == -EAFNOSUPPORT ? 0 : sys(SYS_socket, AF_INET6, SOCK_STREAM, 0));
}

#endif
