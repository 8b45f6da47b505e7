/* Socket diagnostics: answers that are whole, cut off, lying about their length, late, or interrupted. */
#include "net/diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { SEQUENCE = 7 };

static size_t seen;
static struct diag_socket last;

static void visit(void *context UNUSED, const struct diag_socket *socket)
{
	seen++;
	last = *socket;
}

struct answer {
	char data[1024];
	size_t len;
};

static void add(struct answer *a, uint16_t type, uint16_t flags, uint32_t sequence,
		const void *payload, size_t len)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(sizeof header + len),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = sequence,
	};

	memcpy(a->data + a->len, &header, sizeof header);
	memcpy(a->data + a->len + sizeof header, payload, len);
	a->len += NLMSG_ALIGN(sizeof header + len);
}

static struct inet_diag_msg socket_message(void)
{
	struct inet_diag_msg m = {
		.idiag_family = AF_INET,
		.idiag_state = 10,
		.id.idiag_sport = htons(80),
		.id.idiag_dport = htons(1234),
		.id.idiag_src = {htonl(0x7f000001)},
		.id.idiag_dst = {htonl(0x0a000001)},
		.id.idiag_cookie = {5, 1},
		.idiag_uid = 1000,
		.idiag_inode = 99,
	};

	return m;
}

/* In a block of exactly that size, so that a sanitizer sees what is read past it. */
static int parse(const struct answer *a, size_t len)
{
	char *exact = malloc(len ? len : 1);

	memcpy(exact, a->data, len);
	seen = 0;
	int r = diag_parse(exact, len, SEQUENCE, visit, NULL);
	free(exact);
	return r;
}

static void test_whole(void **state UNUSED)
{
	struct answer a = {.len = 0};
	struct inet_diag_msg m = socket_message();
	int32_t zero = 0;

	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m);
	assert_int_equal(parse(&a, a.len), 0);
	assert_int_equal(seen, 1);
	assert_true(address_equal(last.local, (struct address){0, 0xffff7f000001}));
	assert_true(address_equal(last.peer, (struct address){0, 0xffff0a000001}));
	assert_int_equal(last.local_port, 80);
	assert_int_equal(last.peer_port, 1234);
	assert_int_equal(last.cookie, 0x100000005);
	assert_int_equal(last.inode, 99);
	assert_int_equal(last.uid, 1000);
	assert_int_equal(last.state, 10);

	m.idiag_family = AF_INET6;
	for (int i = 0; i < 4; i++)
		m.id.idiag_src[i] = htonl(0x11111111u * (unsigned)(i + 1));
	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m);
	add(&a, NLMSG_DONE, NLM_F_MULTI, SEQUENCE, &zero, sizeof zero);
	assert_int_equal(parse(&a, a.len), 1);
	assert_int_equal(seen, 2);
	assert_true(address_equal(last.local,
				  (struct address){0x1111111122222222, 0x3333333344444444}));
	/* One answer to one question needs no end. */
	a.len = 0;
	add(&a, SOCK_DIAG_BY_FAMILY, 0, SEQUENCE, &m, sizeof m);
	assert_int_equal(parse(&a, a.len), 1);
}

static void test_cut_off(void **state UNUSED)
{
	struct answer a = {.len = 0};
	struct inet_diag_msg m = socket_message();
	int32_t zero = 0;

	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m);
	size_t one = a.len;
	add(&a, NLMSG_DONE, NLM_F_MULTI, SEQUENCE, &zero, sizeof zero);
	for (size_t len = 1; len < a.len; len++)
		assert_int_equal(parse(&a, len), len == one ? 0 : -EBADMSG);
	assert_int_equal(parse(&a, 0), 0);
}

static void test_lengths(void **state UNUSED)
{
	static const uint32_t lengths[] = {0,	 1,	     15,	 17 + 1000,
					   1025, 0x7fffffff, 0xfffffff0, 0xffffffff};
	struct answer a = {.len = 0};
	struct inet_diag_msg m = socket_message();

	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		memcpy(a.data, &lengths[i], sizeof lengths[i]);
		assert_int_equal(parse(&a, a.len), -EBADMSG);
		assert_int_equal(seen, 0);
	}
	/* A body shorter than its type. */
	a.len = 0;
	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m - 1);
	assert_int_equal(parse(&a, a.len), -EBADMSG);
	/* A length that is not aligned ends the datagram. */
	a.len = 0;
	add(&a, NLMSG_NOOP, 0, SEQUENCE, "x", 1);
	assert_int_equal(parse(&a, sizeof(struct nlmsghdr) + 1), 0);
}

static void test_status(void **state UNUSED)
{
	static const struct {
		uint16_t type;
		int32_t status;
		size_t len;
		int result;
	} cases[] = {
		{NLMSG_ERROR, -ENOENT, 4, -ENOENT},  {NLMSG_ERROR, 0, 4, 1},
		{NLMSG_ERROR, 5, 4, -EBADMSG},	     {NLMSG_ERROR, INT32_MIN, 4, -EBADMSG},
		{NLMSG_ERROR, -ENOENT, 3, -EBADMSG}, {NLMSG_DONE, 0, 0, 1},
		{NLMSG_DONE, -EINVAL, 4, -EINVAL},   {NLMSG_OVERRUN, 0, 4, -ENOBUFS},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer a = {.len = 0};

		add(&a, cases[i].type, 0, SEQUENCE, &cases[i].status, cases[i].len);
		assert_int_equal(parse(&a, a.len), cases[i].result);
	}
}

static void test_foreign(void **state UNUSED)
{
	struct answer a = {.len = 0};
	struct inet_diag_msg m = socket_message();
	int32_t zero = 0;

	/* The end of an answer that was given up does not end this one. */
	add(&a, NLMSG_DONE, NLM_F_MULTI, SEQUENCE - 1, &zero, sizeof zero);
	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE - 1, &m, sizeof m);
	assert_int_equal(parse(&a, a.len), 0);
	assert_int_equal(seen, 0);
	/* Sockets came and went during the dump: nobody knows what is missing. */
	a.len = 0;
	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI | NLM_F_DUMP_INTR, SEQUENCE, &m, sizeof m);
	assert_int_equal(parse(&a, a.len), -EAGAIN);
	/* Another family has another body. */
	a.len = 0;
	m.idiag_family = AF_UNIX;
	add(&a, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, SEQUENCE, &m, sizeof m);
	assert_int_equal(parse(&a, a.len), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_status),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
