/*
 * The network part of the sealed image becomes `struct net`. The image is trusted as far as it is sealed and no further: every
 * count and index is checked, and what does not fit refuses the whole image. Nothing here decides.
 */
#include "net/net.h"
#include "net/behalf.h"

#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

struct net net;

static struct image sealed; /* mapped for the whole life of the process */
static uid_t own_uid;

const char *net_text(uint32_t offset)
{
	return image_text(&sealed, offset);
}

uid_t net_own_uid(void)
{
	return own_uid;
}

/* A section that may be missing; false when it is there with elements of another size. */
static bool section(uint32_t type, uint32_t size, const void **data, size_t *count)
{
	uint32_t n;

	*data = image_get(&sealed, type, size, &n);
	*count = *data ? n : 0;
	if (*data)
		return true;
	for (uint32_t i = 0; i < sealed.section_count; i++)
		if (sealed.sections[i].type == type)
			return false;
	return true;
}

static bool entries_fit(const struct endpoint_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct endpoint_entry *entry = &table->entries[i];

		if (entry->group >= NET_GROUP_COUNT || entry->ports > table->port_count ||
		    entry->port_count > table->port_count - entry->ports)
			return false;
	}
	return true;
}

static bool load_table(void)
{
	struct endpoint_table *table = &net.table;
	const void *entries, *ports, *own;

	if (!section(IMAGE_ENDPOINTS, sizeof *table->entries, &entries, &table->count) ||
	    !section(IMAGE_ENDPOINT_PORTS, sizeof *table->ports, &ports, &table->port_count) ||
	    !section(IMAGE_OWN_ADDRESSES, sizeof *table->own, &own, &table->own_count))
		return false;
	table->entries = entries;
	table->ports = ports;
	table->own = own;
	table->allow_egress = net.policy.flags & NET_ALLOW_EGRESS;
	table->allow_ingress = net.policy.flags & NET_ALLOW_INGRESS;
	return entries_fit(table);
}

static bool load_binds(void)
{
	const void *data;
	size_t count;

	if (!section(IMAGE_NET_BINDS, sizeof(struct net_bind), &data, &count))
		return false;
	for (const struct net_bind *bind = data; count; bind++, count--) {
		uint8_t *ports = bind->protocol == ENDPOINT_TCP	  ? net.allow_bind_tcp
				 : bind->protocol == ENDPOINT_UDP ? net.allow_bind_udp
								  : NULL;

		if (!ports || bind->first > bind->last)
			return false;
		for (uint32_t port = bind->first; port <= bind->last; port++)
			ports[port / 8] |= (uint8_t)(1u << (port % 8));
	}
	return true;
}

static bool load_grants(void)
{
	const void *grants, *published;

	if (!section(IMAGE_NET_GRANTS, sizeof *net.grants, &grants, &net.grant_count) ||
	    !section(IMAGE_NET_PUBLISHED, sizeof *net.published, &published, &net.published_count))
		return false;
	net.grants = grants;
	net.published = published;
	for (size_t i = 0; i < net.grant_count; i++) {
		const char *path = net_text(net.grants[i].path);

		if (!path || *path != '/')
			return false;
	}
	return true;
}

bool net_open(const struct image *image, struct session *s)
{
	const void *record;
	size_t count;

	sealed = *image;
	own_uid = geteuid();
	net.ids_change = !(s->record.flags & RECORD_DROP_CAPS) ||
			 s->record.keep_caps & (BIT(CAP_SETUID) | BIT(CAP_SETGID));
	if (!section(IMAGE_NET, sizeof net.policy, &record, &count))
		return false;
	if (!record) /* nothing of the network is judged here */
		return true;
	if (count != 1)
		return false;
	memcpy(&net.policy, record, sizeof net.policy);
	if (net.policy.deny_errno <= 0 || net.policy.deny_errno >= 512)
		return false;
	if (net.policy.hosts && !(net.hosts = net_text(net.policy.hosts)))
		return false;
	/* Whoever judges binds or counts connections asks the kernel about sockets. */
	bool asks = net.policy.max_connections || (net.policy.flags & (NET_REMAP | NET_JUDGE_BIND));

	return load_table() && load_grants() && load_binds() && (!asks || connections_open());
}
