/* Rows of the kernel's socket tables as the sandbox sees them. */
#include "net/proc_net.h"

#include "base/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char tcp[] =
	"   7: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
	"12345 1 00000000dead9e7a 100 0 0 10 0                      ";
static const char tcp_shown[] =
	"   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
	"12345 1 0000000000000000 100 0 0 10 0                      ";
static const char udp6[] =
	"  123: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 "
	"00000000:00000000 00:00000000 00000000     0        0 77 2 00000000abcdef01 0";
static const char udp6_shown[] =
	"    0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 07 "
	"00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 0";

static uint16_t always_80(uint8_t protocol, uint16_t port)
{
	if (protocol == ENDPOINT_TCP)
		assert_int_equal(port, 8080);
	else
		assert_int_equal(port, 53);
	return 80;
}

static void inet_rows(void **state UNUSED)
{
	char out[256];

	assert_int_equal(proc_net_inode(TABLE_TCP, tcp), 12345);
	assert_true(proc_net_show(TABLE_TCP, tcp, 2, always_80, out, sizeof out));
	assert_string_equal(out, tcp_shown);
	assert_int_equal(proc_net_inode(TABLE_UDP6, udp6), 77);
	assert_true(proc_net_show(TABLE_UDP6, udp6, 0, always_80, out, sizeof out));
	assert_string_equal(out, udp6_shown);
	assert_false(proc_net_show(TABLE_TCP, tcp, 2, always_80, out, 40));
}

static void what_is_no_row(void **state UNUSED)
{
	static const char *const rows[] = {
		"",
		":",
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
		"timeout inode",
		"   0: 0100007F:1F90 00000000:0000",
		"   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  1000        0 -5 1 0",
		"   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  1000        0 12x 1 0",
		"   0  0100007F:1F90 00000000:0000 0A 0:0 00:0 0  1000        0 12 1 0",
	};
	char out[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(proc_net_inode(TABLE_TCP, rows[i]), 0);
	assert_false(proc_net_show(TABLE_TCP, rows[3], 0, always_80, out, sizeof out));
	assert_false(proc_net_show(TABLE_TCP, "0: a b c d e f g h 9 1 0", 0, always_80, out,
				   sizeof out));
}

static void unix_rows(void **state UNUSED)
{
	static const struct {
		const char *row, *shown;
		uint64_t inode;
	} rows[] = {
		{"00000000fa6dd286: 00000003 00000000 00000000 0001 03  1450",
		 "0000000000000000: 00000000 00000000 00000000 0001 03  1450", 1450},
		{"00000000fa6dd286: 00000002 00000000 00010000 0001 01 22 /run/a b",
		 "0000000000000000: 00000000 00000000 00010000 0001 01 22 /run/a b", 22},
		{"00000000fa6dd286: 00000002 00000000 00010000 0001 01 22 @x@@",
		 "0000000000000000: 00000000 00000000 00010000 0001 01 22 @x@@", 22},
		{"00000000fa6dd286: 00000002 00000000 00010000 0001 01 22 /proc/self/fd/9/s",
		 "0000000000000000: 00000000 00000000 00010000 0001 01 22", 22},
		{"00000000fa6dd286: 00000002 00000000 00010000 0001 01 22 @\xff", NULL, 22},
		{"00000000fa6dd286: 00000002 00000000 00010000 0001 01 22 a\rb", NULL, 22},
		{"Num       RefCount Protocol Flags    Type St Inode Path", NULL, 0},
	};
	char out[256];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(proc_net_inode(TABLE_UNIX, rows[i].row), rows[i].inode);
		if (!rows[i].inode)
			continue;
		assert_int_equal(
			proc_net_show(TABLE_UNIX, rows[i].row, 0, always_80, out, sizeof out),
			rows[i].shown != NULL);
		if (rows[i].shown)
			assert_string_equal(out, rows[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inet_rows),
		cmocka_unit_test(what_is_no_row),
		cmocka_unit_test(unix_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
