/* The rule languages of the network. The first byte chooses one; what is accepted must be well formed, and a rule's rendering must be
 * accepted as the same rule. */
#include "fuzz.h"

#include "policy/endpoint.h"

static void check_rule(struct arena *arena, const struct endpoint_rule *rule)
{
	struct complaint c = {.arena = arena};
	struct endpoint_rule again;

	if (!rule->protocols || !rule->directions || rule->protocols & ~ENDPOINT_PROTOCOLS)
		abort();
	if ((rule->target == TARGET_NAME || rule->target == TARGET_SUFFIX) &&
	    (!rule->name || !*rule->name || strlen(rule->name) > 253))
		abort();
	if (rule->target == TARGET_NETWORK &&
	    (!address_within(rule->first, rule->first, rule->last) ||
	     (rule->family != ENDPOINT_IPV4 && rule->family != ENDPOINT_IPV6)))
		abort();
	if (rule->target == TARGET_GROUP && rule->group == NET_GROUP_NONE)
		abort();
	for (size_t i = 0; i < rule->port_count; i++)
		if (rule->ports[i].first > rule->ports[i].last ||
		    (i && rule->ports[i].first <= rule->ports[i - 1].last + 1))
			abort();

	const char *text = endpoint_render(arena, rule);
	if (!endpoint_parse(text, false, arena, &again, &c))
		abort();
	if (again.protocols != rule->protocols || again.target != rule->target ||
	    again.family != rule->family || again.group != rule->group ||
	    !address_equal(again.first, rule->first) || !address_equal(again.last, rule->last) ||
	    again.port_count != rule->port_count ||
	    strcmp(endpoint_render(arena, &again), text) != 0)
		abort();
	again.allow = true;
	struct endpoint_rule self = *rule;
	self.allow = true;
	self.directions = again.directions;
	if (!endpoint_covers(&again, &self) || !endpoint_covers(&self, &again))
		abort();
}

static void check_address(struct arena *arena, const char *text)
{
	struct address address, again;
	uint8_t family;

	if (!address_parse(text, &address, &family))
		return;
	if (!address_parse(address_render(arena, address), &again, &family) ||
	    !address_equal(address, again) || family != address_family(address))
		abort();
	if (address_group(address) == NET_GROUP_NONE || address_group(address) == NET_GROUP_HOST ||
	    address_group(address) == NET_GROUP_LOCAL)
		abort();
}

static void check_refusal(const struct complaint *c)
{
	if (!c->reason || !utf8_valid(c->reason, strlen(c->reason)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct complaint c = {.arena = &arena};
	struct endpoint_rule rule, *rules;
	struct endpoint_publish publish;
	size_t count;

	if (size < 1)
		return 0;
	struct source src = fuzz_source(&arena, "", data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
	case 1:
		if (endpoint_parse(src.text, data[0] % 4, &arena, &rule, &c)) {
			if (rule.allow == (data[0] % 4))
				abort();
			check_rule(&arena, &rule);
		} else {
			check_refusal(&c);
		}
		break;
	case 2:
		if (endpoint_parse_tokens(src.text, &arena, &rules, &count, &c)) {
			for (size_t i = 0; i < count; i++)
				check_rule(&arena, &rules[i]);
		} else {
			check_refusal(&c);
		}
		break;
	default:
		if (endpoint_parse_publish(src.text, &publish, &c)) {
			if (!publish.guest || publish.family != address_family(publish.address))
				abort();
		} else {
			check_refusal(&c);
		}
		break;
	}
	endpoint_is_ambiguous(src.text);
	check_address(&arena, src.text);
	free((char *)src.text);
	arena_free(&arena);
	return 0;
}
