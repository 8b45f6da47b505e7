/* Socket tables as the sandbox may know them: what proc_net.c asks of proc_net_rows.c. */
#ifndef SANDLOCK_NET_PROC_NET_H
#define SANDLOCK_NET_PROC_NET_H

#include "net/net.h"

/* The kernel's rows, one at a time and without their line end. Pure. */
enum proc_net_table { TABLE_TCP, TABLE_TCP6, TABLE_UDP, TABLE_UDP6, TABLE_UNIX };
/* The row's inode; 0: it has none, or is no row. */
uint64_t proc_net_inode(enum proc_net_table table, const char *row);
/* Writes to `out` (as long as the row and eight bytes more) what is shown: the number of the row, the port as the sandbox knows it,
 * no kernel address. False: the row is dropped. */
bool proc_net_show(enum proc_net_table table, const char *row, size_t number,
		   uint16_t (*port_inside)(uint8_t protocol, uint16_t port), char *out,
		   size_t size);

#endif
