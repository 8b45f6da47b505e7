/*
 * Rows of the kernel's socket tables (proc_pid_net(5)), made fit to be shown. Pure text. The rows' last column may hold any bytes that some
 * process chose as a name.
 */
#include "net/proc_net.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The n-th column, counted from 0; NULL: there are fewer. */
static const char *column(const char *row, unsigned n)
{
	const char *p = row + strspn(row, " ");

	for (; n && *p; n--) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	return *p ? p : NULL;
}

static bool is_hex(const char *p, size_t digits)
{
	return strspn(p, "0123456789ABCDEFabcdef") >= digits;
}

/* Where the inode stands, where the kernel's address of the socket, and how many columns a row has at least. */
enum { INET_INODE = 9, INET_POINTER = 11, UNIX_INODE = 6 };

uint64_t proc_net_inode(enum proc_net_table table, const char *row)
{
	const char *p = column(row, table == TABLE_UNIX ? UNIX_INODE : INET_INODE);
	const char *first = column(row, 0);
	char *end;

	if (!p || !first || *p < '0' || *p > '9' || first[strcspn(first, " ") - 1] != ':')
		return 0;
	uint64_t inode = strtoull(p, &end, 10);
	return *end == ' ' || *end == '\0' ? inode : 0;
}

/* Zeros for the number in a column: an address of the kernel's, or a count that tells of others. */
static void blank_column(char *row, unsigned n)
{
	const char *from = column(row, n);

	for (char *p = from ? row + (from - row) : NULL; p && is_hex(p, 1); p++)
		*p = '0';
}

static bool show_inet(enum proc_net_table table, const char *row, size_t number,
		      uint16_t (*port_inside)(uint8_t protocol, uint16_t port), char *out,
		      size_t size)
{
	bool tcp = table == TABLE_TCP || table == TABLE_TCP6;
	const char *local = column(row, 1);
	char port[8];

	if (!local || !column(row, INET_POINTER))
		return false;
	int n = snprintf(out, size, tcp ? "%4zu: %s" : "%5zu: %s", number, local);
	if (n < 0 || (size_t)n >= size)
		return false;
	char *shown = strchr(out, ':') + 2;
	char *colon = strchr(shown, ':');
	if (!colon || !is_hex(colon + 1, 4))
		return false;
	uint16_t real = (uint16_t)strtoul(colon + 1, NULL, 16);
	snprintf(port, sizeof port, "%04X",
		 (unsigned)port_inside(tcp ? ENDPOINT_TCP : ENDPOINT_UDP, real));
	memcpy(colon + 1, port, 4);
	blank_column(out, INET_POINTER);
	return true;
}

static bool show_unix(const char *row, char *out, size_t size)
{
	const char *name = column(row, UNIX_INODE + 1);

	/* What would break the line or a reader; the kernel writes an abstract name's zeros as '@'. */
	if (name && (strchr(name, '\r') || !utf8_valid(name, strlen(name))))
		return false;
	int n = snprintf(out, size, "%s", row);
	if (n < 0 || (size_t)n >= size)
		return false;
	blank_column(out, 0);
	blank_column(out, 1);
	/* A path of ours, through which the supervisor bound it, is nobody's business. */
	if (name && !strncmp(name, "/proc/", 6))
		out[name - row - 1] = '\0';
	return true;
}

bool proc_net_show(enum proc_net_table table, const char *row, size_t number,
		   uint16_t (*port_inside)(uint8_t protocol, uint16_t port), char *out, size_t size)
{
	return table == TABLE_UNIX ? show_unix(row, out, size)
				   : show_inet(table, row, number, port_inside, out, size);
}
