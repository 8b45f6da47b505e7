/*
 * network.allow and network.deny: [SCHEME://]TARGET[:PORTS] as data, and back to text. What is not plainly an address, a keyword or a
 * host name is refused: nothing a user mistyped may turn into a name that somebody else can register. Must never resolve anything.
 */
#include "policy/endpoint_parts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, NAME_MAX_LENGTH = 253 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool all_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

char *endpoint_trim(struct arena *arena, const char *text, size_t len)
{
	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return arena_strndup(arena, text, len);
}

/* ---- ports ---- */

bool endpoint_ports(const char *text, size_t len, struct port_range *out, struct complaint *c)
{
	const char *token = endpoint_trim(c->arena, text, len), *p = token;
	uint64_t numbers[2] = {0, 0};

	for (unsigned i = 0; i < 2; i++) {
		if (!is_digit(*p))
			goto invalid;
		for (; is_digit(*p); p++)
			if ((numbers[i] = numbers[i] * 10 + (uint64_t)(*p - '0')) > 65535)
				goto invalid;
		p += strspn(p, " \t");
		if (i == 0 && *p == '\0')
			numbers[++i] = numbers[0];
		else if (i == 0 && *p == '-')
			p += 1 + strspn(p + 1, " \t");
		else if (i == 0 || *p)
			goto invalid;
	}
	if (numbers[0] > numbers[1])
		return complain(c, "invalid port range \"%s\": it is reversed", token);
	*out = (struct port_range){(uint16_t)numbers[0], (uint16_t)numbers[1]};
	return true;
invalid:
	if (*token)
		complain(c, "invalid port \"%s\"", token);
	else
		complain(c, "invalid port: a port is missing");
	suggest(c, "write a port from 1 to 65535, a range 8000-8010, a list 80,443, or *");
	return false;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return x->first != y->first ? (x->first < y->first ? -1 : 1) : 0;
}

/* Sorted, and what touches is one range: a set of ports has one form. */
static size_t merge_ranges(struct port_range *ranges, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(ranges, count, sizeof *ranges, compare_ranges);
	for (size_t i = 0; i < count; i++) {
		if (kept && ranges[i].first <= ranges[kept - 1].last + 1)
			ranges[kept - 1].last = MAX(ranges[kept - 1].last, ranges[i].last);
		else
			ranges[kept++] = ranges[i];
	}
	return kept;
}

bool endpoint_port_list(const char *text, const char *separator, const char *every,
			struct arena *arena, struct endpoint_rule *out, struct complaint *c)
{
	size_t count = 0, tokens = 1;
	bool any = false;

	for (const char *p = text; *p; p++)
		tokens += *p == *separator;

	struct port_range *ranges = arena_array(arena, tokens, sizeof *ranges);
	for (const char *p = text;; p++) {
		size_t len = strcspn(p, separator);

		if (strcmp(endpoint_trim(c->arena, p, len), every) == 0) {
			any = true;
		} else {
			if (!endpoint_ports(p, len, &ranges[count], c))
				return false;
			if (ranges[count].first == 0) {
				complain(c, "port 0 is not a port to connect to");
				suggest(c, "write %s for every port", every);
				return false;
			}
			count++;
		}
		p += len;
		if (!*p)
			break;
	}
	if (any && count)
		return complain(c, "cannot mix %s with ports: it is all of them already", every);
	out->ports = count ? ranges : NULL;
	out->port_count = merge_ranges(ranges, count);
	return true;
}

static bool parse_ports(const char *text, struct arena *arena, struct endpoint_rule *out,
			struct complaint *c)
{
	return endpoint_port_list(text, ",", "*", arena, out, c);
}

/* ---- addresses ---- */

enum found endpoint_network(const char *text, struct endpoint_rule *out, struct complaint *c)
{
	const char *slash = strchr(text, '/'), *prefix_text = slash ? slash + 1 : "";
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char part[INET6_ADDRSTRLEN];
	struct in_addr plain;
	struct address address;
	uint64_t prefix = 0;

	if (len >= sizeof part || strchr(prefix_text, ':'))
		return FOUND_NOT;
	memcpy(part, text, len);
	part[len] = '\0';
	if (!address_parse(part, &address, &out->family))
		return FOUND_NOT;

	unsigned top = strchr(part, ':') ? 128 : 32;
	if (slash && top == 32 && inet_pton(AF_INET, part, &plain) != 1) {
		/* "10/8" is 0.0.0.10/8 to inet_aton(), and surely not meant so. */
		complain(c, "a network is written with all four numbers, each decimal");
		suggest(c, "write it like 10.0.0.0/8");
		return FOUND_BAD;
	}
	if (!slash) {
		prefix = top;
	} else if (!all_digits(prefix_text) || strlen(prefix_text) > 3) {
		complain(c, "invalid prefix length \"%s\"", prefix_text);
		return FOUND_BAD;
	} else {
		for (const char *p = prefix_text; *p; p++)
			prefix = prefix * 10 + (uint64_t)(*p - '0');
	}
	if (prefix > top) {
		complain(c, "prefix too large: /%s is more than /%u", prefix_text, top);
		return FOUND_BAD;
	}

	unsigned bits = (unsigned)prefix + (128 - top);
	address_network(address, bits, &out->first, &out->last);
	/* ::ffff:0:0/90 is wider than IPv4: a network of IPv6. */
	out->family = bits < 96 ? ENDPOINT_IPV6 : address_family(address);
	out->target = TARGET_NETWORK;
	return FOUND;
}

bool endpoint_is_port(const char *text, struct complaint *c)
{
	uint64_t number = 0;

	if (!all_digits(text))
		return false;
	for (const char *p = text; *p && number <= 65535; p++)
		number = number * 10 + (uint64_t)(*p - '0');
	if (number > 65535)
		return false;
	complain(c, "\"%s\" alone looks like a port and would be an address", text);
	suggest(c, "write *:%s for the port on every address", text);
	return true;
}

bool endpoint_is_ambiguous(const char *text)
{
	const char *scheme = strstr(text, "://"), *body = scheme ? scheme + 3 : text;
	const char *colon = strrchr(body, ':');
	char before[INET6_ADDRSTRLEN];
	struct address address;
	uint8_t family;

	/* Two digits at least: "2001:db8::1:2" is written so. */
	if (!colon || strlen(colon) < 3 || !all_digits(colon + 1) ||
	    (size_t)(colon - body) >= sizeof before || !address_parse(body, &address, &family))
		return false;
	memcpy(before, body, (size_t)(colon - body));
	before[colon - body] = '\0';
	return strchr(before, ':') && address_parse(before, &address, &family);
}

/* ---- names ---- */

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* A resolver may take such a name for an address, and others may not. */
static bool is_number(const char *label)
{
	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
	return all_digits(label);
}

static bool refuse_byte(unsigned char byte, struct complaint *c)
{
	switch (byte) {
	case '@':
		complain(c, "a rule names a host, without user or password");
		break;
	case '/':
		complain(c, "neither a network (ADDRESS/PREFIX) nor a host: a rule has no path");
		break;
	case '%':
		complain(c, "an address with a zone (%%...) is not accepted");
		break;
	case '*':
		complain(c, "a * stands alone or as the first label");
		suggest(c, "write * for every address");
		break;
	case '[':
	case ']':
	case ':':
		complain(c, "neither an address nor a host name");
		suggest(c, "an IPv6 address with a port is written [ADDRESS]:PORT");
		break;
	default:
		if (byte <= 0x20 || byte == 0x7f)
			complain(c, "blanks and control characters are not accepted");
		else
			complain(c, "a host name has letters, digits, \"-\", \"_\" and \".\" only");
		if (byte >= 0x80)
			suggest(c, "write the name's ASCII form (xn--...)");
		break;
	}
	return false;
}

const char *endpoint_host(const char *text, struct arena *arena, struct complaint *c)
{
	size_t len = strlen(text);
	char *name = arena_strndup(arena, text, len && text[len - 1] == '.' ? len - 1 : len);
	const char *label = name;

	for (char *p = name; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
		if (*p != '.' && !is_label_byte(*p)) {
			refuse_byte((unsigned char)*p, c);
			return NULL;
		}
	}
	if (strlen(name) > NAME_MAX_LENGTH) {
		complain(c, "a host name has at most %d bytes", NAME_MAX_LENGTH);
		return NULL;
	}
	for (;; label++) {
		size_t n = strcspn(label, ".");

		if (n == 0) {
			complain(c, "a part of the host name is empty");
			return NULL;
		}
		if (n > LABEL_MAX) {
			complain(c, "a part of the host name has more than %d bytes", LABEL_MAX);
			return NULL;
		}
		if (label[0] == '-' || label[n - 1] == '-') {
			complain(c, "a part of a host name neither starts nor ends with \"-\"");
			return NULL;
		}
		if (!label[n])
			break;
		label += n;
	}
	if (is_number(label)) {
		complain(c, "not an address, and the last part of a host name is not a number");
		return NULL;
	}
	return name;
}

bool endpoint_suffix(const char *name, struct arena *arena, struct endpoint_rule *out,
		     struct complaint *c)
{
	out->target = TARGET_SUFFIX;
	out->name = endpoint_host(name, arena, c);
	if (!out->name)
		return false;
	if (strchr(out->name, '.'))
		return true;
	complain(c, "a wildcard needs a name of at least two parts");
	suggest(c, "write it like *.example.com");
	return false;
}

bool endpoint_named(const char *name, struct arena *arena, struct endpoint_rule *out,
		    struct complaint *c)
{
	out->target = TARGET_NAME;
	out->name = endpoint_host(name, arena, c);
	return out->name != NULL;
}

/* ---- targets ---- */

static char *lower_case(struct arena *arena, const char *text)
{
	char *lower = arena_strdup(arena, text);

	for (char *p = lower; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	return lower;
}

bool endpoint_group(const char *text, struct endpoint_rule *out)
{
	out->group = net_group_by_name(text);
	if (out->group == NET_GROUP_NONE)
		return false;
	out->target = TARGET_GROUP;
	return true;
}

static bool refuse_name(struct complaint *c)
{
	complain(c, "not an IP or CIDR: what is denied by name is reached by another name");
	suggest(c, "deny its addresses, or groups: private, loopback, link-local, metadata, ...");
	return false;
}

static bool parse_target(const char *text, bool deny, struct arena *arena,
			 struct endpoint_rule *out, struct complaint *c)
{
	if (!*text || strcmp(text, "*") == 0) {
		out->target = TARGET_ANY;
		return true;
	}
	if (endpoint_group(lower_case(c->arena, text), out))
		return true;
	if (endpoint_is_port(text, c))
		return false;
	enum found found = endpoint_network(text, out, c);
	if (found != FOUND_NOT)
		return found == FOUND;
	bool good = strncmp(text, "*.", 2) == 0 ? endpoint_suffix(text + 2, arena, out, c)
						: endpoint_named(text, arena, out, c);
	return good && (!deny || refuse_name(c));
}

/* "[ADDRESS]:PORTS" */
static bool parse_bracketed(const char *body, struct arena *arena, struct endpoint_rule *out,
			    struct complaint *c)
{
	const char *close = NULL;

	for (const char *p = strstr(body, "]:"); p; p = strstr(p + 1, "]:"))
		close = p;
	if (!close) {
		complain(c, "malformed bracketed address: no \"]:\"");
		suggest(c, "write [ADDRESS]:PORTS, or the address without brackets");
		return false;
	}
	const char *inside = arena_strndup(c->arena, body + 1, (size_t)(close - body) - 1);
	enum found found = endpoint_network(inside, out, c);
	if (found == FOUND_NOT)
		complain(c, "malformed bracketed address: not an IP or CIDR in the brackets");
	return found == FOUND && parse_ports(close + 2, arena, out, c);
}

static bool parse_body(const char *body, bool deny, struct arena *arena, struct endpoint_rule *out,
		       struct complaint *c)
{
	const char *colon;

	if (strchr(body, '%'))
		return refuse_byte('%', c);
	if (*body == '[')
		return parse_bracketed(body, arena, out, c);
	if (!*body) {
		complain(c, "the rule is empty");
		suggest(c, "write * for every address");
		return false;
	}
	/* A colon inside an IPv6 address separates no ports. */
	colon = strrchr(body, ':');
	if (colon) {
		enum found found = endpoint_network(body, out, c);
		if (found != FOUND_NOT)
			return found == FOUND;
		if (!parse_ports(colon + 1, arena, out, c))
			return false;
	}
	return parse_target(
		arena_strndup(c->arena, body, colon ? (size_t)(colon - body) : strlen(body)), deny,
		arena, out, c);
}

static bool parse_icmp(const char *body, bool deny, struct arena *arena, struct endpoint_rule *out,
		       struct complaint *c)
{
	if (!*body)
		return complain(c, "an icmp rule needs a host/IP or `*`");
	if (strchr(body, ':')) {
		switch (endpoint_network(body, out, c)) {
		case FOUND:
			return true;
		case FOUND_BAD:
			return false;
		case FOUND_NOT:
			return complain(c, "an icmp rule takes no port");
		}
	}
	return parse_target(body, deny, arena, out, c);
}

/* ---- schemes ---- */

enum { ICMP_BITS = ENDPOINT_ICMP | ENDPOINT_ICMPV6 };

static const struct {
	char name[7];
	uint8_t protocols;
} schemes[] = {
	{"tcp", ENDPOINT_TCP},	   {"udp", ENDPOINT_UDP},	{"icmp", ICMP_BITS},
	{"icmpv4", ENDPOINT_ICMP}, {"icmpv6", ENDPOINT_ICMPV6},
};

static const char *scheme_name(size_t index, const void *ctx UNUSED)
{
	return schemes[index].name;
}

static bool parse_schemes(const char *text, size_t len, uint8_t *protocols, struct complaint *c)
{
	for (const char *p = text, *end = text + len;; p++) {
		size_t n = strcspn(p, "+:"), i = 0;
		const char *name = arena_strndup(c->arena, p, MIN(n, (size_t)(end - p)));

		while (i < ARRAY_LEN(schemes) && strcmp(schemes[i].name, name) != 0)
			i++;
		if (i == ARRAY_LEN(schemes)) {
			const char *near =
				nearest_name(name, ARRAY_LEN(schemes), scheme_name, NULL);

			complain(c, "unknown scheme \"%s\", expected tcp, udp or icmp", name);
			if (near)
				suggest(c, "did you mean %s://?", near);
			return false;
		}
		*protocols |= schemes[i].protocols;
		p += n;
		if (p >= end)
			return true;
		if (*p != '+')
			return complain(c, "unknown scheme, expected tcp, udp or icmp");
	}
}

/* These words were whole rules once; today they would be names of hosts. */
static bool is_bare_protocol(const char *text, struct complaint *c)
{
	static const char bare[][6] = {"icmp", "icmp6", "udp", "tcp", "raw"};

	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		if (strcmp(text, bare[i]) != 0)
			continue;
		complain(c, "a protocol alone is no rule any more");
		if (strcmp(text, "raw") == 0)
			suggest(c, "raw sockets are always denied");
		else
			suggest(c, "write %.4s://*", bare[i]);
		return true;
	}
	return false;
}

bool endpoint_parse(const char *text, bool deny, struct arena *arena, struct endpoint_rule *out,
		    struct complaint *c)
{
	const char *scheme = strstr(text, "://"), *body = scheme ? scheme + 3 : text;

	*out = (struct endpoint_rule){.allow = !deny, .directions = ENDPOINT_EGRESS};
	if (is_bare_protocol(text, c))
		return false;
	if (!scheme)
		out->protocols = ENDPOINT_TCP | ENDPOINT_UDP;
	else if (!parse_schemes(text, (size_t)(scheme - text), &out->protocols, c))
		return false;
	return out->protocols & ICMP_BITS ? parse_icmp(body, deny, arena, out, c)
					  : parse_body(body, deny, arena, out, c);
}

/* ---- back to text ---- */

static void render_schemes(uint8_t protocols, struct str *out)
{
	bool first = true;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		uint8_t bits = schemes[i].protocols;

		if ((protocols & bits) != bits)
			continue;
		str_printf(out, "%s%s", first ? "" : "+", schemes[i].name);
		protocols = (uint8_t)(protocols & ~bits);
		first = false;
	}
	str_add(out, "://");
}

static unsigned prefix_of(const struct endpoint_rule *rule)
{
	uint64_t high = rule->first.high ^ rule->last.high, low = rule->first.low ^ rule->last.low;

	if (high)
		return (unsigned)__builtin_clzll(high);
	return 64 + (low ? (unsigned)__builtin_clzll(low) : 64);
}

static void render_network(struct arena *arena, const struct endpoint_rule *rule, struct str *out)
{
	bool brackets = rule->family == ENDPOINT_IPV6 && rule->port_count;
	unsigned prefix = prefix_of(rule);

	str_printf(out, "%s%s", brackets ? "[" : "", address_render(arena, rule->first));
	if (prefix < 128)
		str_printf(out, "/%u", rule->family == ENDPOINT_IPV4 ? prefix - 96 : prefix);
	if (brackets)
		str_add_char(out, ']');
}

const char *endpoint_render(struct arena *arena, const struct endpoint_rule *rule)
{
	auto_str out = {0};

	render_schemes(rule->protocols, &out);
	switch (rule->target) {
	case TARGET_ANY:
		str_add_char(&out, '*');
		break;
	case TARGET_NETWORK:
		render_network(arena, rule, &out);
		break;
	case TARGET_GROUP:
		str_add(&out, net_group_name(rule->group));
		break;
	case TARGET_NAME:
		/* A dot at the end makes a keyword a name. */
		str_printf(&out, "%s%s", rule->name,
			   net_group_by_name(rule->name) != NET_GROUP_NONE ? "." : "");
		break;
	case TARGET_SUFFIX:
		str_printf(&out, "*.%s", rule->name);
		break;
	}
	for (size_t i = 0; i < rule->port_count; i++) {
		const struct port_range *range = &rule->ports[i];

		str_printf(&out, "%c%u", i ? ',' : ':', range->first);
		if (range->last != range->first)
			str_printf(&out, "-%u", range->last);
	}
	return arena_strdup(arena, str_text(&out));
}
