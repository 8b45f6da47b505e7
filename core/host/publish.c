/* Are the ports to publish free? Asked by binding them for a moment, at the start, where the answer can still be told. */
#include "host/publish.h"

#include "base/fd.h"
#include "policy/endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int try_bind(const struct endpoint_publish *p)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(p->host)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(p->host)};
	bool is_v4 = p->family == ENDPOINT_IPV4, tcp = p->protocol == ENDPOINT_TCP;
	auto_fd fd = socket(is_v4 ? AF_INET : AF_INET6,
			    (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	const int on = 1;

	v4.sin_addr.s_addr = htonl((uint32_t)p->address.low);
	for (unsigned i = 0; i < 16; i++)
		v6.sin6_addr.s6_addr[i] =
			(uint8_t)((i < 8 ? p->address.high : p->address.low) >> (56 - i % 8 * 8));
	/* What a server does itself: connections that only linger are no hindrance. */
	if (fd < 0 || (tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
	    bind(fd, is_v4 ? (const void *)&v4 : (const void *)&v6, is_v4 ? sizeof v4 : sizeof v6) <
		    0)
		return -errno;
	return 0;
}

bool publish_probe(const struct policy *policy, struct error *err)
{
	const struct value *value = policy_value(policy, OPT_publish);
	size_t before = err->errors;

	for (size_t i = 0; i < value->count; i++) {
		const struct item *item = &value->items[i];
		struct complaint c = {.arena = &err->arena};
		struct endpoint_publish p;

		if (!endpoint_parse_publish(item->text, &p, &c) || !p.host)
			continue;
		int r = try_bind(&p);
		if (r == 0)
			continue;
		error_add_errno(err, item->origin, NULL, -r, "%s: cannot publish port %u",
				error_quote(err, item->text), p.host);
		if (r == -EADDRINUSE)
			error_hint(err, "HOST 0 takes a free port; \"sandlock ps\" shows which");
	}
	return err->errors == before;
}
