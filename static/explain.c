/*
 * `sandlock policy explain NAME connect HOST:PORT` and `bind PORT`: would it be allowed here, by which rule, and who enforces that?
 * Asks the plan of a start on this machine; connects to nothing but the resolver.
 */
#include "verbs.h"

#include "base/json.h"
#include "host/host.h"
#include "plan/plan.h"

#include <ctype.h>
#include <string.h>

enum { DENIED = 1 };

/* What is asked. */
struct question {
	bool bind;
	uint8_t protocol; /* ENDPOINT_TCP, ENDPOINT_UDP; ENDPOINT_ICMP stands for both families */
	uint16_t port;
	const char *host; /* NULL: bind */
	const struct address *addresses;
	size_t count;
};

struct reply {
	const struct policy *policy;
	struct arena *arena;
	struct str text;
	struct json json;
	bool as_json, allowed;
};

/* ---- the question ---- */

/* Takes "/tcp", "/udp" or "/icmp" off the end. */
static bool take_protocol(char *text, struct question *q)
{
	static const struct {
		char name[5];
		uint8_t protocol;
	} names[] = {{"tcp", ENDPOINT_TCP}, {"udp", ENDPOINT_UDP}, {"icmp", ENDPOINT_ICMP}};
	char *slash = strrchr(text, '/');

	q->protocol = ENDPOINT_TCP;
	if (!slash)
		return true;
	*slash = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i].name, slash + 1) != 0)
			continue;
		q->protocol = names[i].protocol;
		return true;
	}
	return false;
}

static bool take_port(const char *text, struct question *q)
{
	unsigned port = 0;
	size_t digits = 0;

	for (; text[digits]; digits++) {
		if (text[digits] < '0' || text[digits] > '9' || digits == 5)
			return false;
		port = port * 10 + (unsigned)(text[digits] - '0');
	}
	q->port = (uint16_t)port;
	return digits && port <= UINT16_MAX;
}

/* "HOST:PORT", "[ADDRESS]:PORT"; of ping the host alone. */
static bool take_endpoint(char *text, struct question *q)
{
	char *end = text;

	if (q->protocol == ENDPOINT_ICMP && *text != '[') {
		q->host = text;
		return *text != '\0';
	}
	if (*text == '[') {
		text++;
		end = strchr(text, ']');
		if (!end)
			return false;
		*end++ = '\0';
	} else {
		end = strchr(text, ':');
		if (!end || strchr(end + 1, ':')) /* IPv6 needs brackets */
			return false;
	}
	q->host = text;
	if (q->protocol == ENDPOINT_ICMP)
		return !*end;
	if (*end != ':')
		return false;
	*end = '\0';
	return *text && take_port(end + 1, q);
}

static bool parse_question(const char *verb, char *text, struct question *q)
{
	q->bind = strcmp(verb, "bind") == 0;
	if (!take_protocol(text, q))
		return false;
	if (q->bind)
		return q->protocol != ENDPOINT_ICMP && take_port(text, q);
	return take_endpoint(text, q);
}

/* ---- addresses ---- */

/* As the program would find it: an address, a name that a rule has pinned, else what the resolver says now. */
static bool find_addresses(struct question *q, const struct plan_request *request,
			   struct arena *arena, struct error *err)
{
	struct address *address = arena_new(arena, struct address);
	uint8_t family;

	q->addresses = address;
	q->count = 1;
	if (address_parse(q->host, address, &family))
		return true;

	char *name = arena_strdup(arena, q->host);
	size_t len = strlen(name);

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (len && name[len - 1] == '.')
		name[len - 1] = '\0';

	const struct endpoint_name asked = {.name = name, .origin = NO_ORIGIN};
	struct name_pin pin = {.name = name};
	bool known = false;

	for (size_t i = 0; i < request->pin_count && !known; i++) {
		known = strcmp(request->pins[i].name, name) == 0;
		if (known)
			pin = request->pins[i];
	}
	if (!known && !resolve_names(&asked, 1, arena, &pin, err))
		return false;
	q->addresses = pin.addresses;
	q->count = pin.count;
	return true;
}

/* ---- what decided ---- */

static bool names_port(enum option_id id, const struct item *item, const struct question *q,
		       struct arena *arena)
{
	struct complaint unheard = {.arena = arena};
	struct endpoint_publish p;

	if (id == OPT_publish)
		return endpoint_parse_publish(item->text, &p, &unheard) && p.guest == q->port &&
		       p.protocol == q->protocol;
	return ((item->flags & ITEM_UDP) != 0) == (q->protocol == ENDPOINT_UDP) &&
	       q->port >= item->num && q->port <= item->num2;
}

/* The element that speaks of the port, denials first, as the plan asks them. */
static bool find_bind(const struct reply *r, const struct question *q, struct plan_net_rule *out)
{
	static const enum option_id ids[] = {OPT_net_deny_bind, OPT_net_allow_bind, OPT_publish};

	for (size_t k = 0; k < ARRAY_LEN(ids); k++) {
		const struct value *value = policy_value(r->policy, ids[k]);

		for (size_t i = 0; i < value->count; i++) {
			const struct item *item = &value->items[i];

			if (!names_port(ids[k], item, q, r->arena))
				continue;
			*out = (struct plan_net_rule){item->text, item->origin};
			return true;
		}
	}
	return false;
}

/* A switch that stands before all rules: there are no sockets, or none of this family. */
static bool find_switch(const struct reply *r, bool v6, struct plan_net_rule *out)
{
	bool no_net = policy_bool(r->policy, OPT_no_net, false);
	enum option_id id = no_net ? OPT_no_net : OPT_ipv6;

	if (!no_net && (!v6 || policy_bool(r->policy, OPT_ipv6, true)))
		return false;
	out->text = arena_printf(r->arena, "%s: %s", option_name(r->arena, id, false),
				 no_net ? "true" : "false");
	out->origin = policy_origin(r->policy, id);
	return true;
}

/* The smallest change that makes a yes of it. */
static const char *suggestion(const struct reply *r, const struct question *q,
			      const struct plan_answer *a)
{
	bool udp = q->protocol == ENDPOINT_UDP;
	/* The kernel alone compares no addresses. */
	const char *host = policy_bool(r->policy, OPT_supervisor, true) ? q->host : "*";

	if (a->rule)
		return arena_printf(r->arena, "drop %s", a->rule->text);
	if (q->bind)
		return arena_printf(r->arena, "--net-allow-bind %s%u", udp ? "udp://" : "",
				    q->port);
	if (q->protocol == ENDPOINT_ICMP)
		return arena_printf(r->arena, "--net-allow icmp://%s", host);
	return arena_printf(
		r->arena, strchr(host, ':') ? "--net-allow %s://[%s]:%u" : "--net-allow %s://%s:%u",
		udp ? "udp" : "tcp", host, q->port);
}

/* ---- the answer ---- */

static void say(struct reply *r, const struct question *q, const char *where,
		const struct plan_answer *a)
{
	static const char words[][4] = {[ENDPOINT_TCP] = "tcp", [ENDPOINT_UDP] = "udp"};
	const char *protocol = q->protocol <= ENDPOINT_UDP ? words[q->protocol] : "icmp";
	const char *suggest = a->allow ? NULL : suggestion(r, q, a);
	auto_str origin = {0};

	r->allowed |= a->allow;
	if (a->rule)
		origin_words(a->rule->origin, &origin);
	if (r->as_json) {
		json_object(&r->json, NULL);
		json_string(&r->json, "to", where);
		json_string(&r->json, "protocol", protocol);
		json_string(&r->json, "verdict", a->allow ? "allow" : "deny");
		json_string(&r->json, "rule", a->rule ? a->rule->text : "default");
		json_string(&r->json, "origin", str_text(&origin));
		json_string(&r->json, "mechanism", mechanism_name(a->mechanism));
		if (suggest)
			json_string(&r->json, "suggest", suggest);
		json_end_object(&r->json);
		return;
	}
	str_printf(&r->text, "%s  %s/%s: ", a->allow ? "allow" : "deny ", where, protocol);
	if (a->rule) {
		str_add_escaped(&r->text, a->rule->text);
		if (origin.len)
			str_printf(&r->text, " (%s)", str_text(&origin));
	} else {
		str_add(&r->text, q->bind ? "ports that may be bound" : "default");
	}
	str_printf(&r->text, "; enforced by %s\n", mechanism_name(a->mechanism));
	if (suggest) {
		str_add(&r->text, "  to allow: ");
		str_add_escaped(&r->text, suggest);
		str_add_char(&r->text, '\n');
	}
}

static void answer(struct reply *r, const struct plan *plan, const struct question *q)
{
	struct arena *arena = r->arena;
	struct plan_net_rule said;

	if (q->bind) {
		struct plan_answer a = plan_judge_bind(plan, q->protocol, q->port);

		if (find_switch(r, false, &said) || find_bind(r, q, &said))
			a.rule = &said;
		say(r, q, arena_printf(arena, "port %u", q->port), &a);
		return;
	}
	for (size_t i = 0; i < q->count; i++) {
		struct endpoint to = {.address = q->addresses[i],
				      .port = q->port,
				      .protocol = q->protocol,
				      .direction = ENDPOINT_EGRESS};
		const char *text = address_render(arena, to.address);
		bool v6 = address_family(to.address) == ENDPOINT_IPV6;

		if (q->protocol == ENDPOINT_ICMP)
			to.protocol = v6 ? ENDPOINT_ICMPV6 : ENDPOINT_ICMP;
		else
			text = arena_printf(arena, v6 ? "[%s]:%u" : "%s:%u", text, q->port);

		struct plan_answer a = plan_judge_connect(plan, to);

		if (find_switch(r, v6, &said))
			a.rule = &said;
		say(r, q, text, &a);
	}
}

static bool make_plan(const struct cli *cli, const struct policy *policy, struct question *q,
		      struct arena *arena, struct plan *plan, struct error *err)
{
	bool supervised = policy_bool(policy, OPT_supervisor, true);
	struct plan_request request = {
		.wanted = supervised ? PLAN_SUPERVISE : PLAN_IN_PLACE,
		.mode = supervised ? IN_SUPERVISED : IN_KERNEL,
		.cwd = cli->s.cwd,
	};
	struct host host;

	host_probe(&host);
	return policy_check(policy, request.mode, err) &&
	       network_facts(policy, arena, &host, &request, err) &&
	       (q->bind || find_addresses(q, &request, arena, err)) &&
	       plan_build(policy, &host, &request, arena, plan, err);
}

int verb_explain(struct cli *cli, int argc, char **argv)
{
	CLEANUP(arena_free) struct arena arena = {0};
	CLEANUP(str_free) struct str text = {0};
	auto_error err = {0};
	struct policy policy;
	struct plan plan;
	struct question q = {0};
	char **extra = NULL;
	bool usage = false;
	int status = cli_flags(cli, &argc, argv, NULL, 0, &extra);

	if (status >= 0)
		return status;
	if (argc != 4 || (strcmp(argv[2], "connect") != 0 && strcmp(argv[2], "bind") != 0))
		return cli_usage_error(
			cli, "policy explain NAME connect HOST:PORT[/udp] | bind PORT[/udp]");
	if (!parse_question(argv[2], arena_strdup(&arena, argv[3]), &q))
		return cli_usage_error(cli, "%s",
				       q.bind ? "bind takes PORT, PORT/tcp or PORT/udp"
					      : "connect takes HOST:PORT, [IPV6]:PORT, "
						"either with /tcp or /udp, or HOST/icmp");
	policy_init(&policy, &arena);
	if (!policy_with_flags(cli, argv[1], extra, &arena, &policy, &usage, &err))
		return cli_report(cli, &err, usage ? EXIT_USAGE : EXIT_SANDLOCK);
	if (!make_plan(cli, &policy, &q, &arena, &plan, &err))
		return cli_report(cli, &err, EXIT_SANDLOCK);

	struct reply r = {.policy = &policy, .arena = &arena, .as_json = cli->json};

	r.json.out = &r.text;
	if (r.as_json) {
		json_object(&r.json, NULL);
		json_u64(&r.json, "schema", 1);
		json_string(&r.json, "question", argv[2]);
		json_array(&r.json, "answers");
	}
	answer(&r, &plan, &q);
	if (r.as_json) {
		json_end_array(&r.json);
		json_string(&r.json, "verdict", r.allowed ? "allow" : "deny");
		json_end_object(&r.json);
		str_add_char(&r.text, '\n');
	}
	text = r.text;
	if (err.count)
		cli_report(cli, &err, 0);
	status = cli_print(&text);
	return status ? status : r.allowed ? 0 : DENIED;
}
