/* What the netlink stand-in answers: to the questions of real programs, and to bytes that are none. */
#include "net/netlink.h"

#include "base/compiler.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { PORT = 4711, SEQUENCE = 99, MAX_ANSWERS = 600 };

static struct {
	uint8_t bytes[512] __attribute__((aligned(4)));
	size_t len;
} answers[MAX_ANSWERS];
static size_t answer_count, answer_limit;

static bool collect(void *context, const void *datagram, size_t len)
{
	assert_ptr_equal(context, &answers);
	if (answer_count == answer_limit)
		return false;
	assert_true(len >= NLMSG_HDRLEN && len <= sizeof answers[0].bytes);
	memcpy(answers[answer_count].bytes, datagram, len);
	answers[answer_count++].len = len;
	return true;
}

static bool ask(const void *request, size_t len)
{
	answer_count = 0;
	answer_limit = MAX_ANSWERS;
	return netlink_reply(request, len, PORT, collect, &answers);
}

static const struct nlmsghdr *header(size_t i)
{
	const struct nlmsghdr *h = (const void *)answers[i].bytes;

	assert_true(i < answer_count);
	/* One message for each datagram, exactly. */
	assert_int_equal(h->nlmsg_len, answers[i].len);
	assert_int_equal(h->nlmsg_pid, PORT);
	assert_int_equal(h->nlmsg_seq, SEQUENCE);
	return h;
}

static const void *attribute(size_t i, size_t body, uint16_t type, size_t *len)
{
	const struct nlmsghdr *h = header(i);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(body));

	for (const struct rtattr *a = (const void *)(answers[i].bytes + NLMSG_LENGTH(body));
	     RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type) {
			*len = RTA_PAYLOAD(a);
			return RTA_DATA(a);
		}
	return NULL;
}

static void assert_attribute(size_t i, size_t body, uint16_t type, const void *data, size_t len)
{
	size_t found;
	const void *value = attribute(i, body, type, &found);

	assert_non_null(value);
	assert_int_equal(found, len);
	assert_memory_equal(value, data, len);
}

static void assert_done(size_t i)
{
	const struct nlmsghdr *h = header(i);

	assert_int_equal(h->nlmsg_type, NLMSG_DONE);
	assert_int_equal(h->nlmsg_flags, NLM_F_MULTI);
	assert_int_equal(h->nlmsg_len, NLMSG_LENGTH(sizeof(int)));
	assert_int_equal(*(const int *)NLMSG_DATA(h), 0);
}

static void assert_error(size_t i, int error)
{
	const struct nlmsghdr *h = header(i);
	const struct nlmsgerr *e = NLMSG_DATA(h);

	assert_int_equal(h->nlmsg_type, NLMSG_ERROR);
	assert_int_equal(h->nlmsg_len, NLMSG_LENGTH(sizeof *e));
	assert_int_equal(e->error, -error);
	assert_int_equal(e->msg.nlmsg_seq, SEQUENCE);
}

struct request {
	struct nlmsghdr header;
	union {
		struct rtgenmsg any;
		struct ifinfomsg link;
		struct ifaddrmsg address;
	} body;
	struct rtattr attribute;
	char name[16];
};

static struct request make(uint16_t type, uint16_t flags, uint8_t family)
{
	return (struct request){
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = type,
			   .nlmsg_flags = NLM_F_REQUEST | flags,
			   .nlmsg_seq = SEQUENCE,
			   .nlmsg_pid = 12345},
		.body.any.rtgen_family = family,
	};
}

static void by_name(struct request *r, uint16_t type, const char *name)
{
	r->attribute = (struct rtattr){.rta_type = type,
				       .rta_len = (uint16_t)RTA_LENGTH(strlen(name) + 1)};
	strcpy(r->name, name);
	r->header.nlmsg_len =
		(uint32_t)(offsetof(struct request, attribute) + r->attribute.rta_len);
}

static bool send_request(const struct request *r)
{
	return ask(r, r->header.nlmsg_len);
}

static void assert_is_lo(size_t i, uint16_t flags)
{
	const struct nlmsghdr *h = header(i);
	const struct ifinfomsg *link = NLMSG_DATA(h);
	const uint32_t mtu = 65536, queue = 1000;

	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(h->nlmsg_flags, flags);
	assert_int_equal(link->ifi_family, AF_UNSPEC);
	assert_int_equal(link->ifi_type, 772);
	assert_int_equal(link->ifi_index, 1);
	assert_int_equal(link->ifi_flags, 0x49);
	assert_int_equal(link->ifi_change, 0);
	assert_attribute(i, sizeof *link, IFLA_IFNAME, "lo", 3);
	assert_attribute(i, sizeof *link, IFLA_MTU, &mtu, 4);
	assert_attribute(i, sizeof *link, IFLA_TXQLEN, &queue, 4);
	assert_attribute(i, sizeof *link, IFLA_ADDRESS, "\0\0\0\0\0", 6);
	assert_attribute(i, sizeof *link, IFLA_BROADCAST, "\0\0\0\0\0", 6);
}

static void links_are_lo_alone(void **state UNUSED)
{
	/* glibc sends one byte of payload, padded; every form of dump flag is one. */
	struct request r = make(RTM_GETLINK, NLM_F_DUMP, AF_UNSPEC);

	r.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg));
	assert_true(ask(&r, NLMSG_ALIGN(r.header.nlmsg_len)));
	assert_int_equal(answer_count, 2);
	assert_is_lo(0, NLM_F_MULTI);
	assert_done(1);

	r = make(RTM_GETLINK, NLM_F_ROOT, AF_PACKET);
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 2);

	r = make(RTM_GETLINK, NLM_F_DUMP | NLM_F_ACK, AF_BRIDGE);
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 1);
	assert_done(0);
}

static void addresses_by_family(void **state UNUSED)
{
	static const uint8_t v4[] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
	struct request r = make(RTM_GETADDR, NLM_F_DUMP, AF_UNSPEC);

	assert_true(send_request(&r));
	assert_int_equal(answer_count, 3);
	const struct ifaddrmsg *a = NLMSG_DATA(header(0));
	assert_int_equal(header(0)->nlmsg_type, RTM_NEWADDR);
	assert_int_equal(a->ifa_family, AF_INET);
	assert_int_equal(a->ifa_prefixlen, 8);
	assert_int_equal(a->ifa_scope, 254);
	assert_int_equal(a->ifa_index, 1);
	assert_attribute(0, sizeof *a, IFA_ADDRESS, v4, 4);
	assert_attribute(0, sizeof *a, IFA_LOCAL, v4, 4);
	assert_attribute(0, sizeof *a, IFA_LABEL, "lo", 3);
	a = NLMSG_DATA(header(1));
	assert_int_equal(a->ifa_family, AF_INET6);
	assert_int_equal(a->ifa_prefixlen, 128);
	assert_attribute(1, sizeof *a, IFA_ADDRESS, v6, 16);
	assert_done(2);

	r = make(RTM_GETADDR, NLM_F_DUMP, AF_INET6);
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 2);
	a = NLMSG_DATA(header(0));
	assert_int_equal(a->ifa_family, AF_INET6);
	assert_done(1);

	r = make(RTM_GETADDR, NLM_F_DUMP, AF_PACKET);
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 1);
	assert_done(0);
}

static void one_link(void **state UNUSED)
{
	struct request r = make(RTM_GETLINK, 0, AF_UNSPEC);

	r.body.link.ifi_index = 1;
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 1);
	assert_is_lo(0, 0);

	r.header.nlmsg_flags |= NLM_F_ACK;
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 2);
	assert_is_lo(0, 0);
	assert_error(1, 0);

	/* The index goes before the name. */
	by_name(&r, IFLA_IFNAME, "lo");
	r.body.link.ifi_index = 2;
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 1);
	assert_error(0, ENODEV);

	r = make(RTM_GETLINK, 0, AF_UNSPEC);
	assert_true(send_request(&r));
	assert_error(0, EINVAL);
	r.header.nlmsg_len = NLMSG_LENGTH(1);
	assert_true(send_request(&r));
	assert_error(0, EINVAL);

	static const struct {
		uint16_t type;
		const char *name;
		int error;
	} names[] = {
		{IFLA_IFNAME, "lo", 0},	       {IFLA_ALT_IFNAME, "lo", 0},
		{IFLA_IFNAME, "eth0", ENODEV}, {IFLA_IFNAME, "l", ENODEV},
		{IFLA_IFNAME, "lo1", ENODEV},  {IFLA_IFNAME, "", ENODEV},
		{IFLA_EXT_MASK, "lo", EINVAL},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		r = make(RTM_GETLINK, 0, AF_UNSPEC);
		by_name(&r, names[i].type, names[i].name);
		assert_true(send_request(&r));
		assert_int_equal(answer_count, 1);
		if (names[i].error)
			assert_error(0, names[i].error);
		else
			assert_is_lo(0, 0);
	}
	/* Without its NUL, as some libraries send it. */
	by_name(&r, IFLA_IFNAME, "lo");
	r.attribute.rta_len--;
	r.header.nlmsg_len--;
	assert_true(send_request(&r));
	assert_is_lo(0, 0);
}

static void the_rest_is_empty_or_refused(void **state UNUSED)
{
	static const uint16_t empty[] = {RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE, RTM_GETQDISC};
	static const uint16_t changes[] = {RTM_NEWLINK, RTM_DELLINK,  RTM_SETLINK, RTM_NEWADDR,
					   RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE};
	struct request r;

	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		r = make(empty[i], NLM_F_DUMP, AF_INET);
		assert_true(send_request(&r));
		assert_int_equal(answer_count, 1);
		assert_done(0);
	}
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		/* NLM_F_CREATE | NLM_F_EXCL are the bits of a dump. */
		r = make(changes[i], NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, AF_INET);
		assert_true(send_request(&r));
		assert_int_equal(answer_count, 1);
		assert_error(0, EPERM);
	}
	r = make(RTM_GETROUTE, 0, AF_INET);
	assert_true(send_request(&r));
	assert_error(0, EOPNOTSUPP);
	r = make(0x7fff, NLM_F_DUMP, AF_INET);
	assert_true(send_request(&r));
	assert_error(0, EOPNOTSUPP);
	assert_int_equal(((const struct nlmsgerr *)NLMSG_DATA(header(0)))->msg.nlmsg_pid, 12345);
	/* Control messages and what is no request: acknowledged when asked for. */
	r = make(NLMSG_NOOP, NLM_F_ACK, 0);
	assert_true(send_request(&r));
	assert_error(0, 0);
	r.header.nlmsg_flags = 0;
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 0);
	r = make(RTM_GETLINK, NLM_F_DUMP, 0);
	r.header.nlmsg_len = NLMSG_HDRLEN;
	assert_true(send_request(&r));
	assert_int_equal(answer_count, 0);
}

static void several_in_one_datagram(void **state UNUSED)
{
	uint8_t bytes[2 * NLMSG_LENGTH(sizeof(struct ifinfomsg))];
	struct request link = make(RTM_GETLINK, NLM_F_DUMP, AF_UNSPEC);
	struct request address = make(RTM_GETADDR, NLM_F_DUMP, AF_INET);

	memcpy(bytes, &link, sizeof bytes / 2);
	memcpy(bytes + sizeof bytes / 2, &address, sizeof bytes / 2);
	assert_true(ask(bytes, sizeof bytes));
	assert_int_equal(answer_count, 4);
	assert_int_equal(header(2)->nlmsg_type, RTM_NEWADDR);
	assert_done(3);
	/* The second is cut short: it is not answered. */
	assert_true(ask(bytes, sizeof bytes - 1));
	assert_int_equal(answer_count, 2);
	/* A reader that does not keep up ends it. */
	answer_count = 0;
	answer_limit = 1;
	assert_false(netlink_reply(bytes, sizeof bytes, PORT, collect, &answers));
}

static void hostile_lengths(void **state UNUSED)
{
	static const uint32_t lengths[] = {0, 1, 15, 33, 0x7fffffff, 0xfffffff0, 0xffffffff};
	struct request r = make(RTM_GETLINK, 0, AF_UNSPEC);

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		r.header.nlmsg_len = lengths[i];
		assert_true(ask(&r, 32));
		assert_int_equal(answer_count, 0);
	}
	for (size_t len = 0; len < NLMSG_HDRLEN; len++) {
		assert_true(ask(&r, len));
		assert_int_equal(answer_count, 0);
	}
	/* Attributes that lie about their length. */
	static const uint16_t attributes[] = {0, 1, 3, 4, 8, 0x7fff, 0xffff};
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		r = make(RTM_GETLINK, 0, AF_UNSPEC);
		by_name(&r, IFLA_IFNAME, "lo");
		r.attribute.rta_len = attributes[i];
		assert_true(send_request(&r));
		assert_int_equal(answer_count, 1);
		assert_error(0, attributes[i] == 4 ? ENODEV : EINVAL); /* an empty name is a name */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_are_lo_alone),
		cmocka_unit_test(addresses_by_family),
		cmocka_unit_test(one_link),
		cmocka_unit_test(the_rest_is_empty_or_refused),
		cmocka_unit_test(several_in_one_datagram),
		cmocka_unit_test(hostile_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
