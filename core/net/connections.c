/*
 * max_connections: how many TCP connections the sandbox may have open at once. Counted by the cookies of the sockets that connected;
 * only when the limit is reached the kernel is asked which of them are still open. Never counts on the program to tell.
 */
#include "net/net.h"

#include "net/diag.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>

enum { ROOM = 65536 };

/* Until the peer has nothing more to say to a descriptor of ours. Those that nobody holds any more (TIME_WAIT, orphans) are free. */
static const uint32_t open_states = 1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT |
				    1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 |
				    1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING;

static struct {
	pthread_mutex_t lock;
	uint32_t count;		  /* cookies in `table` */
	size_t size;		  /* places of the table in use: only so much of it is touched */
	uint64_t table[2 * ROOM]; /* open addressing, 0 = free; cookies begin at 1 */
	uint64_t open[ROOM];	  /* what a dump has found of them */
	uint32_t open_count;
} connections = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t slot_of(uint64_t cookie)
{
	return (size_t)(cookie * 0x9e3779b97f4a7c15u >> 40) % connections.size;
}

/* Where the cookie is, or the free place where it would go. The table is never more than half full. */
static uint64_t *find(uint64_t cookie)
{
	size_t slot = slot_of(cookie);

	while (connections.table[slot] && connections.table[slot] != cookie)
		slot = (slot + 1) % connections.size;
	return &connections.table[slot];
}

/* connections_full() looks without the lock. */
static void set_count(uint32_t count)
{
	__atomic_store_n(&connections.count, count, __ATOMIC_RELAXED);
}

static void insert(uint64_t cookie)
{
	uint64_t *place = find(cookie);

	if (!*place) {
		*place = cookie;
		set_count(connections.count + 1);
	}
}

static void found_open(void *context UNUSED, const struct diag_socket *socket)
{
	if (socket->inode && connections.open_count < ROOM && *find(socket->cookie))
		connections.open[connections.open_count++] = socket->cookie;
}

/* Keeps those that are open. When the kernel does not say, all of them are. */
static void drop_closed(void)
{
	connections.open_count = 0;
	if (diag_dump(ENDPOINT_TCP, open_states, found_open, NULL) < 0)
		return;
	memset(connections.table, 0, connections.size * sizeof *connections.table);
	set_count(0);
	for (uint32_t i = 0; i < connections.open_count; i++)
		insert(connections.open[i]);
}

bool connections_open(void)
{
	bool ports = net.published_count || (net.policy.flags & (NET_REMAP | NET_JUDGE_BIND));

	/* Without it a limit could never let anybody in again; ports merely count as taken for longer. */
	if (net.policy.max_connections)
		return diag_open();
	if (ports)
		diag_open();
	return true;
}

static uint32_t limit(void)
{
	return MIN(net.policy.max_connections, (uint32_t)ROOM);
}

bool connections_full(void)
{
	return __atomic_load_n(&connections.count, __ATOMIC_RELAXED) >= limit();
}

bool connections_admit(uint64_t cookie)
{
	bool admitted;

	if (!limit())
		return true;
	if (!cookie)
		return false;
	pthread_mutex_lock(&connections.lock);
	if (!connections.size)
		connections.size = 2 * (size_t)limit();
	/* The same socket may connect again: it holds one place. */
	if (!*find(cookie) && connections.count >= limit())
		drop_closed();
	admitted = *find(cookie) || connections.count < limit();
	if (admitted)
		insert(cookie);
	pthread_mutex_unlock(&connections.lock);
	return admitted;
}
