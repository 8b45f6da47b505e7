/* Group H, the host's network as it can be read or changed: netlink, controls of interfaces, /proc/net. */
#include "network.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

static void other_protocols(void)
{
	static const struct {
		int protocol;
		const char *name;
	} all[] = { { 4, "SOCK_DIAG" }, { 6, "XFRM" }, { 9, "AUDIT" }, { 12, "NETFILTER" }, { 15, "KOBJECT_UEVENT" }, { 16, "GENERIC" } };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		long r = sys(SYS_socket, AF_NETLINK, SOCK_RAW, all[i].protocol);
		if (!probe.control || r != -EPROTONOSUPPORT)
			attempt(all[i].name, r);
		if (!probe.control)
			attempt("dirty half", sys(SYS_socket, AF_NETLINK, HIGH(SOCK_RAW | SOCK_CLOEXEC), HIGH(all[i].protocol)));
	}
}

/* ---- H15 ---- */

static long route_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	long fd = sys(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd >= 0)
		must("bind", sys(SYS_bind, fd, &address, sizeof(address)));
	return fd;
}

struct request {
	struct nlmsghdr header;
	union {
		struct rtgenmsg any;
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
		char room[64];
	};
};

/* What a dump tells: `seen` for each message. The number of messages, or -errno. */
static long dump(long fd, int type, int length, void (*seen)(const struct nlmsghdr *))
{
	_Alignas(8) static char answer[65536];
	struct request request = { .header = { .nlmsg_len = NLMSG_LENGTH(length), .nlmsg_type = (uint16_t)type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	long count = 0;
	request.any.rtgen_family = AF_UNSPEC;
	long n = sys(SYS_sendto, fd, &request, request.header.nlmsg_len, 0, 0, 0);
	while (n >= 0) {
		if (!readable(fd))
			return must("answer", -ETIMEDOUT);
		n = sys(SYS_recvfrom, fd, answer, sizeof(answer), 0, 0, 0);
		size_t left = n > 0 ? (size_t)n : 0;
		for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			if (m->nlmsg_type == NLMSG_DONE)
				return count;
			if (m->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(m))->error;
			seen(m);
			count++;
		}
	}
	return n;
}
static int foreign;
static void link_seen(const struct nlmsghdr *m)
{
	const struct ifinfomsg *link = NLMSG_DATA(m);
	int left = (int)IFLA_PAYLOAD(m);
	foreign += link->ifi_index != 1;
	for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_IFNAME)
			foreign += strcmp(RTA_DATA(a), "lo") != 0;
}
static void address_seen(const struct nlmsghdr *m)
{
	const struct ifaddrmsg *address = NLMSG_DATA(m);
	foreign += address->ifa_index != 1;
}
static void route_seen(const struct nlmsghdr *m)
{
	const struct rtmsg *route = NLMSG_DATA(m);
	int left = (int)RTM_PAYLOAD(m);
	for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_OIF)
			foreign += *(int *)RTA_DATA(a) != 1;
}
static void anything_seen(const struct nlmsghdr *m) { foreign += m->nlmsg_len != 0; }

static void route(void)
{
	static const struct {
		int type, length;
		void (*seen)(const struct nlmsghdr *);
		const char *what;
	} dumps[] = {
		{ RTM_GETLINK, sizeof(struct ifinfomsg), link_seen, "links" },
		{ RTM_GETADDR, sizeof(struct ifaddrmsg), address_seen, "addresses" },
		{ RTM_GETROUTE, sizeof(struct rtmsg), route_seen, "routes" },
		{ RTM_GETNEIGH, 12, anything_seen, "neighbours" },
	};
	long fd = route_socket();
	if (fd < 0) {
		attempt("socket", fd);
		return;
	}
	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		foreign = 0;
		long r = dump(fd, dumps[i].type, dumps[i].length, dumps[i].seen);
		if (probe.control && !foreign) {
			if (!i)
				skip("this host has no interface but lo");
			continue;
		}
		allow(EOPNOTSUPP);
		attempt(dumps[i].what, foreign ? foreign : r < 0 ? r : -EPERM);
	}
	if (probe.control) /* the host's own interfaces are not for trying this */
		return;
	static const struct {
		int type, length;
		const char *what;
	} changes[] = {
		{ RTM_NEWLINK, sizeof(struct ifinfomsg), "change a link" },	{ RTM_SETLINK, sizeof(struct ifinfomsg), "set a link" },
		{ RTM_DELLINK, sizeof(struct ifinfomsg), "remove a link" },	{ RTM_NEWADDR, sizeof(struct ifaddrmsg), "add an address" },
		{ RTM_DELADDR, sizeof(struct ifaddrmsg), "remove an address" }, { RTM_NEWROUTE, sizeof(struct rtmsg), "add a route" },
		{ RTM_DELROUTE, sizeof(struct rtmsg), "remove a route" },	{ RTM_NEWNEIGH, 12, "add a neighbour" },
		{ RTM_NEWRULE, 12, "add a rule" },				{ RTM_NEWQDISC, 20, "add a queue" },
		{ RTM_NEWNETCONF, 1, "netconf" },
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		_Alignas(8) char answer[4096];
		struct request request = { .header = { .nlmsg_len = (uint32_t)NLMSG_LENGTH(changes[i].length), .nlmsg_type = (uint16_t)changes[i].type,
						       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE } };
		request.link.ifi_index = 1;
		must("send", sys(SYS_sendto, fd, &request, request.header.nlmsg_len, 0, 0, 0));
		if (must("answer", readable(fd) ? 0 : -ETIMEDOUT) < 0)
			return;
		long n = sys(SYS_recvfrom, fd, answer, sizeof(answer), 0, 0, 0);
		const struct nlmsghdr *m = (void *)answer;
		bool error = n >= (long)NLMSG_LENGTH(sizeof(struct nlmsgerr)) && m->nlmsg_type == NLMSG_ERROR;
		attempt(changes[i].what, error ? ((struct nlmsgerr *)NLMSG_DATA(m))->error : -EBADMSG);
	}
	/* membership in the kernel's multicast groups would tell of changes outside; pretended, and silent */
	int group = RTNLGRP_LINK;
	sys(SYS_setsockopt, fd, 270, 1 /* NETLINK_ADD_MEMBERSHIP */, &group, sizeof(group));
	struct pollfd wait = { .fd = (int)fd, .events = POLLIN };
	struct timespec limit = { 0, 100000000 };
	attempt("news of the host's links", sys(SYS_ppoll, &wait, 1, &limit, 0, 0) ? 0 : -EPERM);
}
static int links;
static void link_counted(const struct nlmsghdr *m) { links += m->nlmsg_type == RTM_NEWLINK; }
static void route_twin(void)
{
	if (!strcmp(world("W_MODE"), "kernel")) { /* nobody is there to stand in: there is no netlink, as on kernels without it */
		tcp_socket_twin();
		return;
	}
	long fd = must("netlink", route_socket());
	must("dump of links", dump(fd, RTM_GETLINK, sizeof(struct ifinfomsg), link_counted));
	must("lo and nothing else", links == 1 ? 0 : -ENODEV);
	struct sockaddr_nl name;
	unsigned length = sizeof(name);
	must("getsockname", sys(SYS_getsockname, fd, &name, &length));
	must("a netlink address", name.nl_family == AF_NETLINK && name.nl_pid ? 0 : -EINVAL);
}

/* ---- H16 ---- */

static void controls(void)
{
	static const unsigned reading[] = { SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFINDEX, SIOCGIFHWADDR };
	char what[48], room[4096];
	long fd[] = { sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0), tcp() };
	for (int s = 0; s < 2; s++)
		for (size_t i = 0; i < sizeof(reading) / sizeof(*reading); i++) {
			struct ifreq request = { .ifr_name = "lo" };
			if (!s && (reading[i] == SIOCGIFADDR || reading[i] == SIOCGIFNETMASK)) /* the inet family's own */
				continue;
			struct ifconf list = { .ifc_len = sizeof(room), .ifc_buf = room };
			snprintf(what, sizeof(what), "read, %#x on %s", reading[i], s ? "tcp" : "unix");
			void *argument = reading[i] == SIOCGIFCONF ? (void *)&list : &request;
			attempt(what, sys(SYS_ioctl, fd[s], reading[i], argument));
			attempt(what, sys(SYS_ioctl, fd[s], HIGH(reading[i]), argument));
		}
	if (probe.control)
		return;
	/* Routes by the old calls, tunnels, bridges, bonds, private and wireless ones: by number, whatever they mean. */
	for (unsigned number = 0x890b; number <= 0x8bff; number++) {
		struct ifreq request = { .ifr_name = "lo" };
		if (number == 0x890d || number == 0x894b /* SIOCOUTQNSD, of one's own socket */ || (number >= 0x890e && number < 0x8910) ||
		    (number >= 0x8a00 && number < 0x8b00))
			continue;
		snprintf(what, sizeof(what), "%#x", number);
		attempt(what, sys(SYS_ioctl, fd[1], number, &request));
	}
}
static void controls_twin(void)
{
	int pair[2], waiting = 0;
	must("socketpair", sys(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	must("write", sys(SYS_write, pair[0], "x", 1));
	must("FIONREAD", sys(SYS_ioctl, pair[1], FIONREAD, &waiting));
	must("one byte", waiting == 1 ? 0 : -EBADMSG);
	must("FIONBIO", sys(SYS_ioctl, pair[1], FIONBIO, &waiting));
	must("SIOCOUTQ", sys(SYS_ioctl, tcp(), TIOCOUTQ, &waiting));
}

/* ---- H17 ---- */

static const char *hexadecimal_port(void)
{
	static char text[16];
	snprintf(text, sizeof(text), ":%04lX ", world_number("W_TCP"));
	return text;
}
/* Opens, and escapes when `word` is in it. Without a word, opening is too much. */
static long tells(long directory, const char *path, const char *word)
{
	static char text[1 << 20];
	long fd = sys(SYS_openat, directory, path, O_RDONLY), n, all = 0;
	if (fd < 0)
		return fd;
	while ((n = sys(SYS_read, fd, text + all, sizeof(text) - 1 - (size_t)all)) > 0)
		all += n;
	sys(SYS_close, fd);
	text[all] = 0;
	return !word || strstr(text, word) ? 0 : -ENOENT;
}
static void look(const char *name, const char *word)
{
	static const char *const ways[] = { "/proc/net/", "/proc/self/net/", "/proc/thread-self/net/", "//proc/./self/../net//", "/proc/self/task/../net/" };
	char path[128], more[64];
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		snprintf(path, sizeof(path), "%s%s", ways[i], name);
		attempt(path, tells(AT_FDCWD, path, word));
	}
	snprintf(path, sizeof(path), "/proc/%ld/net/%s", sys(SYS_getpid), name);
	attempt(path, tells(AT_FDCWD, path, word));
	snprintf(more, sizeof(more), "%s, from the directory", name);
	long directory = must("open", sys(SYS_openat, AT_FDCWD, "/proc/self/net", O_RDONLY | O_DIRECTORY));
	attempt(more, tells(directory, name, word));
	sys(SYS_close, directory);
}
static void proc_net(void)
{
	look("tcp", hexadecimal_port());
	look("udp", hexadecimal_port());
	look("unix", world("W_ABSTRACT"));
	look("netlink", NULL);
	look("protocols", NULL);
}
static void proc_net_by_link(void)
{
	const char *link = in("W_RW", "numbers");
	sys(SYS_unlinkat, AT_FDCWD, link, 0);
	must("symlink", sys(SYS_symlinkat, "/proc/self/net/tcp", AT_FDCWD, link));
	attempt("a link of another name", tells(AT_FDCWD, link, hexadecimal_port()));
	sys(SYS_unlinkat, AT_FDCWD, link, 0);
}
static void proc_net_twin(void)
{
	struct sockaddr_in address = loopback("W_FREE");
	char text[16];
	long fd = tcp();
	must("bind", sys(SYS_bind, fd, &address, sizeof(address)));
	must("listen", sys(SYS_listen, fd, 1));
	snprintf(text, sizeof(text), ":%04lX ", world_number("W_FREE"));
	must("my own port is there", tells(AT_FDCWD, "/proc/net/tcp", text) == 0 ? 0 : -ENOENT);
	must("other files of /proc", tells(AT_FDCWD, "/proc/self/status", "Pid:"));
}
static void proc_readable_twin(void) { must("/proc/self/status", tells(AT_FDCWD, "/proc/self/status", "Pid:")); }
static void sys_class(void)
{
	attempt("/sys/class/net", sys(SYS_openat, AT_FDCWD, "/sys/class/net", O_RDONLY | O_DIRECTORY));
	attempt("/sys/class/net/lo/address", sys(SYS_openat, AT_FDCWD, "/sys/class/net/lo/address", O_RDONLY));
	attempt("/proc/net/tcp", sys(SYS_openat, AT_FDCWD, "/proc/net/tcp", O_RDONLY));
	attempt("/proc/self/net/dev", sys(SYS_openat, AT_FDCWD, "/proc/self/net/dev", O_RDONLY));
}

static const struct probe_case cases[] = {
	CASE("H15-netlink", other_protocols, unix_twin, "", EAFNOSUPPORT, EPROTONOSUPPORT),
	CASE("H15-netlink-route", route, route_twin, "", EPERM, EAFNOSUPPORT),
	CASE("H16-interface-controls", controls, controls_twin, "", EPERM),
	CASE("H17-no-grant", sys_class, unix_twin, "", EACCES, ENOENT),
	CASE("H17-proc-net", proc_net, proc_readable_twin, "-r /proc", EACCES, ENOENT),
	CASE("H17-proc-net-with-port-space", proc_net, proc_net_twin, "-r /proc --port-remap --net-allow-bind @W_FREE@", EACCES, ENOENT),
	CASE("H17-proc-net-by-another-name", proc_net_by_link, proc_net_twin, "-r /proc --port-remap --net-allow-bind @W_FREE@", EACCES, ENOENT),
};
PROBE_MAIN(cases)
