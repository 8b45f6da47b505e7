/* Rows of socket tables, whose last column anybody may choose: shown or dropped, one line each, no address of the kernel's. */
#include "net/proc_net.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t another(uint8_t protocol, uint16_t port)
{
	return (uint16_t)(port + protocol);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	enum proc_net_table table = data[0] % (TABLE_UNIX + 1);
	/* From malloc, so that the sanitizer sees a step past the end. */
	char *row = malloc(size), *out = malloc(size + 8);

	memcpy(row, data + 1, size - 1);
	row[size - 1] = '\0';
	for (size_t i = 0; i < size - 1; i++)
		if (row[i] == '\n' || !row[i])
			row[i] = ' '; /* what the caller has split off */
	uint64_t inode = proc_net_inode(table, row);
	if (proc_net_show(table, row, 7, another, out, size + 8)) {
		if (strlen(out) >= size + 8 || strchr(out, '\n'))
			abort();
		/* What is shown is a row still, of the same socket. */
		if (inode && proc_net_inode(table, out) != inode)
			abort();
	}
	free(out);
	free(row);
	return 0;
}
