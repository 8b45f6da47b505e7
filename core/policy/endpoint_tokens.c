/*
 * network.rules: ACTION[:DIRECTION]@TARGET[:PROTOCOL[:PORTS]], several separated by commas, in the order in which they are asked; and
 * network.publish. A word that could be two things is refused with both named. Must never guess.
 */
#include "policy/endpoint_parts.h"

#include <string.h>

struct word {
	char name[8];
	uint8_t bits;
};

static const struct word actions[] = {{"allow", 1}, {"deny", 0}};
static const struct word directions[] = {
	{"egress", ENDPOINT_EGRESS},
	{"ingress", ENDPOINT_INGRESS},
	{"any", ENDPOINT_EGRESS | ENDPOINT_INGRESS},
};
static const struct word protocols[] = {
	{"any", ENDPOINT_PROTOCOLS}, {"tcp", ENDPOINT_TCP},
	{"udp", ENDPOINT_UDP},	     {"icmp", ENDPOINT_ICMP | ENDPOINT_ICMPV6},
	{"icmpv4", ENDPOINT_ICMP},   {"icmpv6", ENDPOINT_ICMPV6},
};

static const char *word_name(size_t index, const void *ctx)
{
	return ((const struct word *)ctx)[index].name;
}

static bool find_word(const char *text, const struct word *words, size_t count, const char *what,
		      uint8_t *bits, struct complaint *c)
{
	const char *near;
	auto_str list = {0};

	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i].name, text) == 0) {
			*bits = words[i].bits;
			return true;
		}
		str_printf(&list, "%s%s",
			   i == 0	    ? ""
			   : i + 1 == count ? " or "
					    : ", ",
			   words[i].name);
	}
	near = nearest_name(text, count, word_name, words);
	complain(c, "unknown %s \"%s\", expected %s", what, text, str_text(&list));
	if (near)
		suggest(c, "did you mean \"%s\"?", near);
	return false;
}

#define WHOLE_FORM "ACTION[:DIRECTION]@TARGET[:PROTOCOL[:PORTS]]"

/* ---- before the @ ---- */

static bool parse_head(const char *head, struct endpoint_rule *out, struct complaint *c)
{
	const char *colon = strchr(head, ':');
	const char *action =
		arena_strndup(c->arena, head, colon ? (size_t)(colon - head) : strlen(head));
	uint8_t allow;

	out->directions = ENDPOINT_EGRESS;
	if (!find_word(action, actions, ARRAY_LEN(actions), "action", &allow, c))
		return false;
	out->allow = allow;
	return !colon || find_word(colon + 1, directions, ARRAY_LEN(directions), "direction",
				   &out->directions, c);
}

/* ---- targets ---- */

/* "any" stands where the word for no group does. */
static const char *group_at(size_t index, const void *ctx UNUSED)
{
	return index == NET_GROUP_NONE ? "any" : net_group_name((enum endpoint_group)index);
}

static bool single_label(const char *text, const char *name, struct complaint *c)
{
	const char *near = nearest_name(name, NET_GROUP_COUNT, group_at, NULL);

	complain(c, "\"%s\" is ambiguous: a group, or the name of a host?", text);
	if (near)
		suggest(c, "write \"%s\" for the group, or domain=%s for the host", near, text);
	else
		suggest(c, "write domain=%s for the host", text);
	return false;
}

static const char *without_dots(struct arena *arena, const char *name)
{
	size_t len;

	name += strspn(name, ".");
	len = strlen(name);
	while (len && name[len - 1] == '.')
		len--;
	return arena_strndup(arena, name, len);
}

/* The forms of names, each by what it starts with. */
static const struct {
	char start[8];
	bool (*parse)(const char *name, struct arena *arena, struct endpoint_rule *out,
		      struct complaint *c);
} forms[] = {{"suffix=", endpoint_suffix}, {"domain=", endpoint_named}, {"*.", endpoint_suffix}};

static bool parse_target(const char *text, struct arena *arena, struct endpoint_rule *out,
			 struct complaint *c)
{
	if (!*text) {
		complain(c, "the target is missing");
		suggest(c, "write any, a group, an address, [IPV6] or a host name");
		return false;
	}
	if (strcmp(text, "any") == 0) {
		out->target = TARGET_ANY;
		return true;
	}
	if (endpoint_group(text, out))
		return true;
	if (strcmp(text, "dns") == 0 || strncmp(text, "unix=", 5) == 0)
		return complain(c, "the target \"%s\" is not available in this version", text);
	if (strcmp(text, "*") == 0) {
		complain(c, "unknown target \"*\"");
		suggest(c, "write any");
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		size_t n = strlen(forms[i].start);

		if (strncmp(text, forms[i].start, n) == 0)
			return forms[i].parse(without_dots(c->arena, text + n), arena, out, c);
	}
	if (endpoint_is_port(text, c))
		return false;
	enum found found = endpoint_network(text, out, c);
	if (found != FOUND_NOT)
		return found == FOUND;
	if (strchr(text, '/'))
		return complain(c, "\"%s\" is no network: write ADDRESS/PREFIX", text);
	return endpoint_named(without_dots(c->arena, text), arena, out, c) &&
	       (strchr(text, '.') || single_label(text, out->name, c));
}

/* "[IPV6]" or "[IPV6/PREFIX]". What follows the bracket, or NULL after complaining. */
static const char *parse_bracketed(const char *text, struct endpoint_rule *out, struct complaint *c)
{
	const char *close = strchr(text, ']');

	if (!close) {
		complain(c, "the bracket is not closed");
		return NULL;
	}
	const char *inside = arena_strndup(c->arena, text + 1, (size_t)(close - text) - 1);
	enum found found = strchr(inside, ':') ? endpoint_network(inside, out, c) : FOUND_NOT;
	if (found == FOUND_NOT)
		complain(c, "brackets are for IPv6 addresses; \"%s\" is none", inside);
	if (found != FOUND)
		return NULL;
	if (close[1] && close[1] != ':') {
		complain(c, "\"%s\" after the bracket: only :PROTOCOL may follow", close + 1);
		return NULL;
	}
	return close + 1;
}

/* Nobody means the target "2001": the brackets are missing. */
static bool is_bare_ipv6(const char *text, struct complaint *c)
{
	struct endpoint_rule ignored = {0};
	struct complaint unheard = {.arena = c->arena};

	if (!strstr(text, "::") &&
	    (!strchr(text, ':') || endpoint_network(text, &ignored, &unheard) == FOUND_NOT))
		return false;
	complain(c, "an IPv6 address stands in brackets");
	suggest(c, "write [ADDRESS] or [ADDRESS/PREFIX]");
	return true;
}

/* ---- behind the target ---- */

static bool parse_protocol(const char *text, struct endpoint_rule *out, struct complaint *c)
{
	if (*text && text[strspn(text, "0123456789-")] == '\0') {
		complain(c, "the port \"%s\" stands where the protocol belongs", text);
		suggest(c, "write TARGET:tcp:%s", text);
		return false;
	}
	return find_word(text, protocols, ARRAY_LEN(protocols), "protocol", &out->protocols, c);
}

static bool parse_rule_ports(const char *text, struct arena *arena, struct endpoint_rule *out,
			     struct complaint *c)
{
	if (!endpoint_port_list(text, "+", "any", arena, out, c)) {
		suggest(c,
			"write any, a port from 1 to 65535, a range 8000-8010, or a list 80+443");
		return false;
	}
	if (!out->port_count)
		return true;
	/* ICMP has no ports, so a rule with ports says nothing about it. */
	out->protocols &= (uint8_t)(ENDPOINT_TCP | ENDPOINT_UDP);
	return out->protocols || complain(c, "icmp has no ports");
}

static bool parse_tail(const char *rest, struct arena *arena, struct endpoint_rule *out,
		       struct complaint *c)
{
	char *parts[2] = {NULL, NULL};
	const char *p = rest;

	out->protocols = ENDPOINT_PROTOCOLS;
	for (size_t i = 0; *p == ':' && i < ARRAY_LEN(parts); i++) {
		size_t n = strcspn(p + 1, ":");

		parts[i] = arena_strndup(c->arena, p + 1, n);
		p += 1 + n;
	}
	if (*p) {
		complain(c, "too many fields: \"%s\"", p + 1);
		suggest(c, "write " WHOLE_FORM);
		return false;
	}
	if (parts[0] && !parse_protocol(parts[0], out, c))
		return false;
	if ((out->directions & ENDPOINT_INGRESS) &&
	    !(out->protocols & (ENDPOINT_TCP | ENDPOINT_UDP)))
		return complain(c, "icmp rules have the direction egress only");
	if (parts[1] && !parse_rule_ports(parts[1], arena, out, c))
		return false;
	if ((out->directions & ENDPOINT_INGRESS) && out->name) {
		complain(c, "who connects has an address and no name");
		suggest(c, "for ingress write any, a group or an address");
		return false;
	}
	if (out->directions == ENDPOINT_INGRESS)
		out->protocols &= (uint8_t)(ENDPOINT_TCP | ENDPOINT_UDP);
	return true;
}

static bool parse_token(const char *token, struct arena *arena, struct endpoint_rule *out,
			struct complaint *c)
{
	const char *at = strchr(token, '@'), *rest = NULL;

	*out = (struct endpoint_rule){.token = token};
	if (!at) {
		complain(c, "\"%s\" has no \"@\", expected " WHOLE_FORM, token);
		if (token[strspn(token, "0123456789-")] == '\0')
			suggest(c, "several ports of a rule are joined by +: 80+443");
		else
			suggest(c, "write allow@TARGET or deny@TARGET");
		return false;
	}
	if (!parse_head(arena_strndup(c->arena, token, (size_t)(at - token)), out, c))
		return false;
	at++;
	if (*at == '[') {
		rest = parse_bracketed(at, out, c);
	} else {
		size_t n = strcspn(at, ":");

		if (!is_bare_ipv6(at, c) &&
		    parse_target(arena_strndup(c->arena, at, n), arena, out, c))
			rest = at + n;
	}
	return rest && parse_tail(rest, arena, out, c);
}

bool endpoint_parse_tokens(const char *text, struct arena *arena, struct endpoint_rule **out,
			   size_t *count, struct complaint *c)
{
	size_t most = 1;

	for (const char *p = text; *p; p++)
		most += *p == ',';
	*out = arena_array(arena, most, sizeof **out);
	*count = 0;
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ",");
		const char *token = endpoint_trim(arena, p, n);

		if (*token && !parse_token(token, arena, &(*out)[(*count)++], c))
			return false;
		p += n;
		if (!*p)
			break;
	}
	if (*count)
		return true;
	complain(c, "the rule is empty");
	suggest(c, "write allow@TARGET or deny@TARGET");
	return false;
}

/* ---- published ports ---- */

static bool one_port(const char *text, size_t len, uint16_t *out, struct complaint *c)
{
	struct port_range range;

	if (!endpoint_ports(text, len, &range, c)) {
		suggest(c, "write [ADDRESS:]HOST:GUEST[/tcp|/udp]");
		return false;
	}
	if (range.first != range.last)
		return complain(c, "one port is published at a time, not a range");
	*out = range.first;
	return true;
}

static bool publish_address(const char *text, struct endpoint_publish *out, struct complaint *c)
{
	size_t len = strlen(text);
	bool brackets = len > 1 && text[0] == '[' && text[len - 1] == ']';
	const char *plain = brackets ? arena_strndup(c->arena, text + 1, len - 2) : text;

	if (endpoint_is_port(plain, c)) {
		suggest(c, "write [ADDRESS:]HOST:GUEST");
		return false;
	}
	if (!address_parse(plain, &out->address, &out->family)) {
		complain(c, "\"%s\" is not an address of this machine", plain);
		suggest(c, "write 127.0.0.1, 0.0.0.0, [::1] or another address of this machine");
		return false;
	}
	if (brackets == (strchr(plain, ':') != NULL))
		return true;
	complain(c, brackets ? "brackets are for IPv6 addresses"
			     : "an IPv6 address stands in brackets");
	suggest(c, "write [ADDRESS]:HOST:GUEST");
	return false;
}

bool endpoint_parse_publish(const char *text, struct endpoint_publish *out, struct complaint *c)
{
	char *copy = endpoint_trim(c->arena, text, strlen(text));
	char *slash = strrchr(copy, '/'), *guest, *host;

	*out = (struct endpoint_publish){
		.address = {0, ADDRESS_MAPPED | 0x7f000001},
		.family = ENDPOINT_IPV4,
		.protocol = ENDPOINT_TCP,
	};
	if (slash) {
		*slash = '\0';
		if (strcmp(slash + 1, "tcp") != 0 && strcmp(slash + 1, "udp") != 0)
			return complain(c, "unknown protocol \"%s\", expected tcp or udp",
					slash + 1);
		if (slash[1] == 'u')
			out->protocol = ENDPOINT_UDP;
	}
	guest = strrchr(copy, ':');
	if (!guest) {
		complain(c, "expected HOST:GUEST");
		if (*copy && copy[strspn(copy, "0123456789")] == '\0')
			suggest(c, "write %s:%s to publish it under the same number", copy, copy);
		return false;
	}
	*guest++ = '\0';
	host = strrchr(copy, ':');
	if (host && (host == copy || host[-1] == ']' || !strchr(copy, '['))) {
		*host++ = '\0';
		if (!publish_address(copy, out, c))
			return false;
	} else {
		host = copy;
	}
	if (!one_port(host, strlen(host), &out->host, c) ||
	    !one_port(guest, strlen(guest), &out->guest, c))
		return false;
	return out->guest || complain(c, "GUEST 0 is no port that a program binds");
}
