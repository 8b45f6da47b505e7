/*
 * What rtnetlink says about a machine whose only interface is lo (rtnetlink(7), netlink(7)). Pure: bytes in, datagrams out. The
 * requests are hostile bytes: every length is checked against what is there, and nothing of the host's is known here.
 */
#include "net/netlink.h"

#include "base/compiler.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

enum { LOOPBACK_INDEX = 1, LOOPBACK_MTU = 65536, FOREVER = -1 };

static const char loopback[] = "lo";

/* One request, and where its answers go. */
struct exchange {
	struct nlmsghdr header; /* a copy: the bytes may be unaligned */
	const uint8_t *payload;
	size_t len;
	uint32_t port;
	netlink_deliver deliver;
	void *context;
};

/* One message under construction; the longest, a link, has about 150 bytes. */
struct message {
	union {
		struct nlmsghdr header;
		uint8_t bytes[512];
	} u;
	size_t len;
};

static void begin(struct message *m, const struct exchange *x, uint16_t type, uint16_t flags)
{
	memset(m, 0, sizeof *m);
	m->u.header = (struct nlmsghdr){
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = x->header.nlmsg_seq,
		.nlmsg_pid = x->port,
	};
	m->len = NLMSG_HDRLEN;
}

/* The room is fixed and so is everything that is put into it: no length here comes from a request. */
static void put(struct message *m, const void *data, size_t len)
{
	if (m->len + NLMSG_ALIGN(len) > sizeof m->u)
		return;
	memcpy(m->u.bytes + m->len, data, len);
	m->len += NLMSG_ALIGN(len);
}

static void put_attribute(struct message *m, uint16_t type, const void *data, size_t len)
{
	const struct rtattr attribute = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = type};

	put(m, &attribute, sizeof attribute);
	put(m, data, len);
}

static void put_u32(struct message *m, uint16_t type, uint32_t value)
{
	put_attribute(m, type, &value, sizeof value);
}

static void put_u8(struct message *m, uint16_t type, uint8_t value)
{
	put_attribute(m, type, &value, sizeof value);
}

static bool finish(struct message *m, const struct exchange *x)
{
	m->u.header.nlmsg_len = (uint32_t)m->len;
	return x->deliver(x->context, m->u.bytes, m->len);
}

/* An errno, or 0 as acknowledgement; with the request's header as it came. */
static bool answer_error(const struct exchange *x, int error)
{
	const struct nlmsgerr body = {.error = -error, .msg = x->header};
	struct message m;

	begin(&m, x, NLMSG_ERROR, 0);
	put(&m, &body, sizeof body);
	return finish(&m, x);
}

static bool answer_done(const struct exchange *x)
{
	const int nothing = 0;
	struct message m;

	begin(&m, x, NLMSG_DONE, NLM_F_MULTI);
	put(&m, &nothing, sizeof nothing);
	return finish(&m, x);
}

static bool answer_link(const struct exchange *x, uint16_t flags)
{
	static const uint8_t hardware[6];
	const struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC,
		.ifi_type = ARPHRD_LOOPBACK,
		.ifi_index = LOOPBACK_INDEX,
		.ifi_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING,
	};
	struct message m;

	begin(&m, x, RTM_NEWLINK, flags);
	put(&m, &link, sizeof link);
	put_attribute(&m, IFLA_IFNAME, loopback, sizeof loopback);
	put_u32(&m, IFLA_TXQLEN, 1000);
	put_u8(&m, IFLA_OPERSTATE, 0); /* IF_OPER_UNKNOWN, as the kernel says of lo */
	put_u8(&m, IFLA_LINKMODE, 0);
	put_u32(&m, IFLA_MTU, LOOPBACK_MTU);
	put_u32(&m, IFLA_GROUP, 0);
	put_u32(&m, IFLA_PROMISCUITY, 0);
	put_u32(&m, IFLA_NUM_TX_QUEUES, 1);
	put_u32(&m, IFLA_NUM_RX_QUEUES, 1);
	put_u8(&m, IFLA_CARRIER, 1);
	put_attribute(&m, IFLA_QDISC, "noqueue", sizeof "noqueue");
	put_attribute(&m, IFLA_ADDRESS, hardware, sizeof hardware);
	put_attribute(&m, IFLA_BROADCAST, hardware, sizeof hardware);
	return finish(&m, x);
}

static bool answer_address(const struct exchange *x, uint8_t family)
{
	static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	const uint8_t *address = family == AF_INET ? v4 : v6;
	size_t len = family == AF_INET ? sizeof v4 : sizeof v6;
	const struct ifa_cacheinfo life = {.ifa_prefered = (uint32_t)FOREVER,
					   .ifa_valid = (uint32_t)FOREVER};
	const struct ifaddrmsg body = {
		.ifa_family = family,
		.ifa_prefixlen = family == AF_INET ? 8 : 128,
		.ifa_flags = IFA_F_PERMANENT,
		.ifa_scope = RT_SCOPE_HOST,
		.ifa_index = LOOPBACK_INDEX,
	};
	struct message m;

	begin(&m, x, RTM_NEWADDR, NLM_F_MULTI);
	put(&m, &body, sizeof body);
	put_attribute(&m, IFA_ADDRESS, address, len);
	put_attribute(&m, IFA_LOCAL, address, len);
	if (family == AF_INET)
		put_attribute(&m, IFA_LABEL, loopback, sizeof loopback);
	put_u32(&m, IFA_FLAGS, IFA_F_PERMANENT);
	put_attribute(&m, IFA_CACHEINFO, &life, sizeof life);
	return finish(&m, x);
}

/* The first byte of every rtnetlink payload. */
static uint8_t family_of(const struct exchange *x)
{
	return x->payload[0];
}

static bool dump_links(const struct exchange *x)
{
	/* A bridge's ports are asked for with its family: there is no bridge. */
	return (family_of(x) == AF_BRIDGE || answer_link(x, NLM_F_MULTI)) && answer_done(x);
}

static bool dump_addresses(const struct exchange *x)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	uint8_t wanted = family_of(x);

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if ((wanted == AF_UNSPEC || wanted == families[i]) &&
		    !answer_address(x, families[i]))
			return false;
	return answer_done(x);
}

/* Which interface a single question names: 0 = lo, ENODEV = another one, EINVAL = none. The index goes before the name. */
static int named_link(const struct exchange *x)
{
	struct ifinfomsg link;
	int error = EINVAL;

	if (x->len < sizeof link)
		return EINVAL;
	memcpy(&link, x->payload, sizeof link);
	if (link.ifi_index > 0)
		return link.ifi_index == LOOPBACK_INDEX ? 0 : ENODEV;

	for (size_t at = NLMSG_ALIGN(sizeof link);
	     at < x->len && x->len - at >= sizeof(struct rtattr);) {
		struct rtattr attribute;

		memcpy(&attribute, x->payload + at, sizeof attribute);
		if (attribute.rta_len < sizeof attribute || attribute.rta_len > x->len - at)
			break;
		const uint8_t *name = x->payload + at + sizeof attribute;
		size_t len = strnlen((const char *)name, attribute.rta_len - sizeof attribute);

		if (attribute.rta_type == IFLA_IFNAME || attribute.rta_type == IFLA_ALT_IFNAME)
			error = len == strlen(loopback) && !memcmp(name, loopback, len) ? 0
											: ENODEV;
		at += RTA_ALIGN(attribute.rta_len);
	}
	return error;
}

static bool answer_acknowledged(const struct exchange *x, int error)
{
	return error || (x->header.nlmsg_flags & NLM_F_ACK) ? answer_error(x, error) : true;
}

static bool answer_request(const struct exchange *x)
{
	enum { KIND_GET = 2 }; /* NEW, DEL, GET, SET follow one another for every kind of object */
	uint16_t type = x->header.nlmsg_type;
	bool dump = x->header.nlmsg_flags & NLM_F_DUMP;

	if (type < NLMSG_MIN_TYPE || !(x->header.nlmsg_flags & NLM_F_REQUEST))
		return answer_acknowledged(x, 0);
	if (type < RTM_BASE || type > RTM_MAX)
		return answer_acknowledged(x, EOPNOTSUPP);
	if (!x->len) /* what the kernel does with a request that names no family */
		return answer_acknowledged(x, 0);
	if (((type - RTM_BASE) & 3) != KIND_GET)
		return answer_acknowledged(x, EPERM);

	if (dump && type == RTM_GETLINK)
		return dump_links(x);
	if (dump && type == RTM_GETADDR)
		return dump_addresses(x);
	if (dump) /* routes, neighbours, rules, queues, ...: none that anybody could use */
		return answer_done(x);
	if (type != RTM_GETLINK)
		return answer_acknowledged(x, EOPNOTSUPP);

	int error = named_link(x);
	return (error || answer_link(x, 0)) && answer_acknowledged(x, error);
}

bool netlink_reply(const void *request, size_t len, uint32_t port, netlink_deliver deliver,
		   void *context)
{
	const uint8_t *bytes = request;

	while (len >= NLMSG_HDRLEN) {
		struct exchange x = {.port = port, .deliver = deliver, .context = context};

		memcpy(&x.header, bytes, sizeof x.header);
		if (x.header.nlmsg_len < NLMSG_HDRLEN || x.header.nlmsg_len > len)
			return true; /* the kernel ignores the rest, too */
		x.payload = bytes + NLMSG_HDRLEN;
		x.len = x.header.nlmsg_len - NLMSG_HDRLEN;
		if (!answer_request(&x))
			return false;
		size_t step = MIN(len, NLMSG_ALIGN((size_t)x.header.nlmsg_len));
		bytes += step;
		len -= step;
	}
	return true;
}
