/* Spellings of the virtual files' names. Text only: what is really opened is looked at by virtual.c. */
#include "proc/virtual_name.h"

#include <stdio.h>
#include <string.h>

/* Last components worth a look, each between blanks: the host's name and hosts, and what kernels have in /proc/net, for opens relative
 * to that directory. */
static const char suspects[] =
	" hostname hosts tcp tcp6 udp udp6 udplite udplite6 unix raw raw6 icmp icmp6 packet netlink dev "
	"dev_mcast dev_snmp6 if_inet6 route rt_cache rt6_stats rt_acct ipv6_route fib_trie fib_triestat "
	"arp sockstat sockstat6 snmp snmp6 netstat igmp igmp6 mcfilter mcfilter6 anycast6 "
	"ip6_flowlabel ip_mr_cache ip_mr_vif ip6_mr_cache ip6_mr_vif ip_tables_matches ip_tables_names "
	"ip_tables_targets ip6_tables_matches ip6_tables_names ip6_tables_targets protocols ptype "
	"psched softnet_stat wireless xfrm_stat connector nf_conntrack nf_conntrack_expect tls_stat "
	"mptcp hci bnep l2cap rfcomm sco vlan pppoe pppol2tp nfsfs rpc bonding ";

bool virtual_name_suspect(const char *path, size_t len)
{
	char word[32];
	const char *slash = memrchr(path, '/', len);
	const char *last = slash ? slash + 1 : path;
	size_t n = len - (size_t)(last - path);

	if (strstr(path, "/net/") || !strncmp(path, "net/", 4))
		return true;
	if (!n || n + 3 > sizeof word)
		return false;
	word[0] = word[n + 1] = ' ';
	memcpy(word + 1, last, n);
	word[n + 2] = '\0';
	return strstr(suspects, word) != NULL && !strchr(last, ' ');
}

void virtual_name_clean(char *path)
{
	char *out = path;

	for (const char *p = path; *p;) {
		while (*p == '/')
			p++;
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (out > path && *--out != '/')
				;
		} else if (n && !(n == 1 && p[0] == '.')) {
			*out++ = '/'; /* at most where the separator was */
			memmove(out, p, n);
			out += n;
		}
		p += n;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

bool virtual_name_own(const char *path, int pid, char *out, size_t size)
{
	static const char links[][20] = {"/proc/self/", "/proc/thread-self/"};
	int n = 0;

	for (size_t i = 0; i < sizeof links / sizeof links[0] && !n; i++)
		if (!strncmp(path, links[i], strlen(links[i])))
			n = snprintf(out, size, "/proc/%d/%s", pid, path + strlen(links[i]));
	if (!n && !strncmp(path, "/proc/net/", 10))
		n = snprintf(out, size, "/proc/%d/net/%s", pid, path + 10);
	if (!n)
		n = snprintf(out, size, "%s", path);
	return n > 0 && (size_t)n < size;
}

static const char *after_number(const char *p)
{
	size_t n = strspn(p, "0123456789");

	return n ? p + n : NULL;
}

const char *virtual_name_net(const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		const char *rest = after_number(p + 1);

		if (rest && !strncmp(rest, "/task/", 6))
			rest = after_number(rest + 6);
		if (rest && !strncmp(rest, "/net/", 5) && rest[5])
			return rest + 5;
	}
	return NULL;
}
