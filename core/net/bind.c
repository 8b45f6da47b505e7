/*
 * bind() of inet sockets on behalf: judged on a copy of the address, done on a duplicate of the socket, under the port that the
 * sandbox's port space says. Never another port than the one asked for without port_remap, and never a port shared with a stranger.
 */
#include "net/behalf.h"
#include "net/bind.h"

#include "base/fd.h"
#include "net/diag.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	IPV6_LEN = 24,	     /* without the scope id, as RFC 2133 had it: the kernel takes that */
	REMAP_FIRST = 49152, /* the range for dynamic use */
	REMAP_ATTEMPTS = 256,
};

static const struct address loopback4 = {0, ADDRESS_MAPPED | 0x7f000001}, loopback6 = {0, 1};

/* ---- addresses ---- */

static struct address address_of(const union net_address *address)
{
	const uint8_t *bytes = address->v6.sin6_addr.s6_addr;
	struct address a = {0, 0};

	if (address->any.sa_family == AF_INET)
		return (struct address){0, ADDRESS_MAPPED | ntohl(address->v4.sin_addr.s_addr)};
	for (size_t i = 0; i < 8; i++) {
		a.high = a.high << 8 | bytes[i];
		a.low = a.low << 8 | bytes[8 + i];
	}
	return a;
}

/* The family of `address` stays as it is: an IPv4 address on an IPv6 socket is a mapped one. */
static void set_address(union net_address *address, struct address to)
{
	if (address->any.sa_family == AF_INET) {
		address->v4.sin_addr.s_addr = htonl((uint32_t)to.low);
		return;
	}
	for (unsigned i = 0; i < 8; i++) {
		address->v6.sin6_addr.s6_addr[i] = (uint8_t)(to.high >> (56 - 8 * i));
		address->v6.sin6_addr.s6_addr[8 + i] = (uint8_t)(to.low >> (56 - 8 * i));
	}
}

static void set_port(union net_address *address, uint16_t port)
{
	address->v4.sin_port = htons(port); /* at the same place in both families */
}

static bool is_v4(struct address a)
{
	return !a.high && a.low >> 32 == 0xffff;
}

static bool is_wildcard(struct address a)
{
	return !a.high && (a.low == 0 || a.low == ADDRESS_MAPPED);
}

static bool is_loopback(struct address a)
{
	return address_equal(a, loopback6) || (is_v4(a) && (a.low >> 24 & 0xff) == 127);
}

int bind_endpoint(const struct net_socket *socket, union net_address *address, socklen_t len,
		  struct endpoint *out)
{
	bool v4 = socket->domain == AF_INET;

	if (len < (v4 ? sizeof address->v4 : IPV6_LEN))
		return -EINVAL;
	/* The kernel takes the wildcard address without a family for old programs' sake. */
	if (v4 && address->any.sa_family == AF_UNSPEC &&
	    address->v4.sin_addr.s_addr == htonl(INADDR_ANY))
		address->any.sa_family = AF_INET;
	if (address->any.sa_family != socket->domain)
		return -EAFNOSUPPORT;
	*out = (struct endpoint){
		.address = address_of(address),
		.port = ntohs(address->v4.sin_port),
		.protocol = net_protocol_of(socket),
		.direction = ENDPOINT_INGRESS,
	};
	return 0;
}

/* ---- judging ---- */

const struct net_publish *bind_published(uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < net.published_count; i++)
		if (net.published[i].protocol == protocol && net.published[i].guest == port)
			return &net.published[i];
	return NULL;
}

bool bind_allowed(uint8_t protocol, uint16_t port)
{
	const uint8_t *ports = protocol == ENDPOINT_TCP ? net.allow_bind_tcp : net.allow_bind_udp;

	if (!(net.policy.flags & NET_JUDGE_BIND)) /* the outer layer holds the same rule */
		return true;
	return (ports[port / 8] >> (port % 8) & 1) || bind_published(protocol, port);
}

bool bind_publish_address(const struct net_publish *publish, const struct net_socket *socket,
			  struct address asked, struct address *out)
{
	struct address to = {publish->address[0], publish->address[1]};
	int v6only = 0;
	socklen_t len = sizeof v6only;

	*out = asked;
	if (!is_wildcard(asked) && !is_loopback(asked))
		return true;
	if (socket->domain == AF_INET6)
		getsockopt(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &len);
	/* Everywhere and loopback exist in both families; any other address in its own. */
	if (socket->domain == AF_INET ? !is_v4(to) : is_v4(to) && v6only) {
		if (is_wildcard(to))
			to = socket->domain == AF_INET ? (struct address){0, ADDRESS_MAPPED}
						       : (struct address){0, 0};
		else if (is_loopback(to))
			to = socket->domain == AF_INET ? loopback4 : loopback6;
		else
			return false;
	}
	*out = to;
	return true;
}

/* Numbers outside that published ports will need. */
static bool is_reserved(uint8_t protocol, uint16_t real)
{
	for (size_t i = 0; i < net.published_count; i++)
		if (net.published[i].protocol == protocol && net.published[i].host == real &&
		    net.published[i].guest != real)
			return true;
	return false;
}

/* ---- who else is there ---- */

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

/* Could this address be bound by a socket that shares with nobody? 0 or -errno. */
static int probe(int domain, int type, bool v6only, bool reuse, const union net_address *address,
		 socklen_t len)
{
	const int on = 1;
	auto_fd fd = socket(domain, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if ((v6only && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
	    (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0))
		return -errno;
	return bind(fd, &address->any, len) < 0 ? -errno : 0;
}

bool binding_gone(const struct binding *b)
{
	union net_address address = {.any = {.sa_family = AF_INET}};
	socklen_t len = sizeof address.v4;
	uint64_t cookie;
	int r = diag_find(b->protocol, b->address, b->real, &cookie);

	if (r == 0 && cookie == b->cookie)
		return false;
	if (b->family == 6) {
		address.any.sa_family = AF_INET6;
		len = sizeof address.v6;
	}
	set_address(&address, b->address);
	set_port(&address, b->real);
	/* Another one answers: a stranger, unless the sandbox shares the port among its own. */
	if (r == 0 && !ports_holds(b->protocol, b->real, cookie))
		return true;
	/* Bound sockets that do not listen and connected ones are not found that way. Who could bind it, knows. */
	return probe(address.any.sa_family, b->protocol == ENDPOINT_TCP ? SOCK_STREAM : SOCK_DGRAM,
		     b->family == 6 && !is_v4(b->address), false, &address, len) == 0;
}

/* Would the bind share the address with somebody outside? SO_REUSEPORT, and SO_REUSEADDR of UDP, let sockets of one user share
 * a port and split what arrives: a program must not get what is meant for another one of its user. The options cannot be judged,
 * the program may set them at any moment; so a socket without them tries first. 0, -EADDRINUSE, or another -errno. */
static int check_sharing(const struct net_socket *socket, const struct endpoint *at,
			 const union net_address *address, socklen_t len, bool multicast)
{
	bool reuse = option(socket->fd, SOL_SOCKET, SO_REUSEADDR);
	uint64_t cookie;
	int r;

	if (at->protocol == ENDPOINT_UDP && reuse && multicast)
		return 0; /* receivers of one group share its port by design */
	r = probe(socket->domain, socket->type,
		  socket->domain == AF_INET6 && option(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY),
		  reuse && at->protocol == ENDPOINT_TCP, address, len);
	if (r == -EADDRNOTAVAIL || r == -EINVAL || r == -ENODEV) /* the real bind will say so */
		return 0;
	if (r != -EADDRINUSE)
		return r;
	if (!ports_bound_at(at->protocol, at->address, at->port))
		return -EADDRINUSE;
	r = diag_find(at->protocol, at->address, at->port, &cookie);
	return r == -ENOENT || (r == 0 && ports_holds(at->protocol, at->port, cookie))
		       ? 0
		       : -EADDRINUSE;
}

/* ---- doing it ---- */

struct binder {
	const struct net_socket *socket;
	union net_address address;
	socklen_t len;
	struct endpoint asked; /* numbers of the inside */
	bool multicast;	       /* groups may be joined */
};

static int attempt(struct binder *b, uint16_t real)
{
	struct endpoint at = b->asked;

	set_port(&b->address, real);
	at.address = address_of(&b->address);
	at.port = real;
	int r = check_sharing(b->socket, &at, &b->address, b->len, b->multicast);
	if (r < 0)
		return r;
	if (bind(b->socket->fd, &b->address.any, b->len) < 0)
		return -errno;
	const struct binding binding = {
		.cookie = net_cookie(b->socket->fd),
		.address = at.address,
		.port = b->asked.port,
		.real = real,
		.protocol = at.protocol,
		.family = b->socket->domain == AF_INET ? 4 : 6,
	};
	/* There is room: it was made before. */
	return ports_record(&binding) ? 0 : -ENOBUFS;
}

static int attempt_others(struct binder *b)
{
	enum { SPAN = PORT_COUNT - REMAP_FIRST };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (unsigned i = 0; i < REMAP_ATTEMPTS; i++) {
		unsigned at = ((unsigned)now.tv_nsec / 64 + i) % SPAN;
		uint16_t real = (uint16_t)(REMAP_FIRST + at);

		if (ports_virtual(b->asked.protocol, real) != real ||
		    ports_bound(b->asked.protocol, real) || is_reserved(b->asked.protocol, real))
			continue;
		int r = attempt(b, real);
		if (r != -EADDRINUSE)
			return r;
	}
	return -EADDRINUSE;
}

static int bind_port(struct binder *b)
{
	uint8_t protocol = b->asked.protocol;
	uint16_t port = b->asked.port, bound = ports_bound(protocol, port);
	const struct net_publish *publish = bind_published(protocol, port);

	if (bound) {
		/* One number has one meaning inside, at every address. */
		int r = attempt(b, bound);
		if (r != -EADDRINUSE || publish || ports_prune(protocol, port, binding_gone))
			return r;
	}
	if (publish && !publish->host)
		return attempt_others(b);
	if (publish) {
		/* A number that something else inside had before: is it still there? */
		if (!ports_free(protocol, publish->host) &&
		    ports_prune(protocol, ports_virtual(protocol, publish->host), binding_gone))
			return -EADDRINUSE;
		return attempt(b, publish->host);
	}
	int r = -EADDRINUSE;
	if (!is_reserved(protocol, port) &&
	    (ports_free(protocol, port) ||
	     !ports_prune(protocol, ports_virtual(protocol, port), binding_gone)))
		r = attempt(b, port);
	return r == -EADDRINUSE && (net.policy.flags & NET_REMAP) ? attempt_others(b) : r;
}

bool bind_record_chosen(const struct net_socket *socket)
{
	union net_address name = {.room = {0}};
	socklen_t len = sizeof name;
	struct binding binding = {
		.cookie = net_cookie(socket->fd),
		.protocol = net_protocol_of(socket),
		.family = socket->domain == AF_INET ? 4 : 6,
	};

	if (getsockname(socket->fd, &name.any, &len) < 0)
		return false;
	binding.address = address_of(&name);
	binding.real = ntohs(name.v4.sin_port);
	binding.port = ports_number_for(binding.protocol, binding.real);
	return binding.real && binding.port && ports_record(&binding);
}

static int bind_chosen(struct binder *b)
{
	if (bind(b->socket->fd, &b->address.any, b->len) < 0)
		return -errno;
	/* The port comes with the connection. */
	if (option(b->socket->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT))
		return 0;
	return bind_record_chosen(b->socket) ? 0 : -ENOBUFS;
}

static int bind_judged(struct binder *b)
{
	const struct net_socket *socket = b->socket;
	const struct net_publish *publish;
	uint8_t protocol = b->asked.protocol;
	int r;

	if (protocol &
	    (ENDPOINT_ICMP | ENDPOINT_ICMPV6)) /* its "port" is a mark on echo requests */
		return bind(socket->fd, &b->address.any, b->len) < 0 ? -errno : 0;
	if (!(protocol & (ENDPOINT_TCP | ENDPOINT_UDP)) || !bind_allowed(protocol, b->asked.port))
		return -EACCES;
	if (!ports_make_room(binding_gone))
		return -ENOBUFS;
	if (!b->asked.port)
		return bind_chosen(b);
	publish = bind_published(protocol, b->asked.port);
	if (publish) {
		struct address to;

		if (!bind_publish_address(publish, socket, b->asked.address, &to))
			return -EADDRNOTAVAIL;
		set_address(&b->address, to);
	}
	/* Before the first datagram can arrive. Clients that take any port get answers from whoever they ask. */
	r = protocol == ENDPOINT_UDP ? ingress_attach(socket->fd, protocol, b->asked.port) : 0;
	return r < 0 ? r : bind_port(b);
}

int bind_inet(const struct net_socket *socket, const union net_address *address, socklen_t len,
	      bool multicast)
{
	struct binder b = {
		.socket = socket,
		.address = *address,
		.len = len,
		.multicast = multicast,
	};
	int r = bind_endpoint(socket, &b.address, len, &b.asked);

	return r < 0 ? r : bind_judged(&b);
}

struct reply handle_bind(const struct call *call)
{
	struct net_socket socket;
	union net_address address;
	int r = net_socket_of(call, (int)(uint32_t)call->args[0], &socket);

	if (r < 0)
		return reply_fail(-r);
	auto_fd fd = socket.fd;
	if (socket.domain == AF_UNIX)
		return netlink_is_ours(net_cookie(fd)) ? handle_netlink(call)
						       : reply_later(bind_unix);
	if (socket.domain != AF_INET && socket.domain != AF_INET6)
		return reply_fail(EAFNOSUPPORT);
	r = net_read_address(call, call->args[1], call->args[2], &address);
	if (r < 0)
		return reply_fail(-r);
	if (!notify_valid(call))
		return reply_fail(ESRCH);
	/* Whoever gave up being us has given up the low ports too. */
	uint16_t port = ntohs(address.v4.sin_port);
	if (port && port < FIRST_UNPRIVILEGED && !net_same_identity(call))
		return reply_fail(EACCES);
	r = bind_inet(&socket, &address, (socklen_t)(uint32_t)call->args[2],
		      !(call->session->record.features & WHEN_NO_MULTICAST));
	return r < 0 ? reply_fail(-r) : reply_value(0);
}
