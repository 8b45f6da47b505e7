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

/* ---- the answer ---- */

static void say(struct reply *r, const struct question *q, const char *where,
		const struct plan_answer *a)
{
	static const char words[][4] = {[ENDPOINT_TCP] = "tcp", [ENDPOINT_UDP] = "udp"};
	const char *protocol = q->protocol <= ENDPOINT_UDP ? words[q->protocol] : "icmp";
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
}

static void answer(struct reply *r, const struct plan *plan, const struct question *q,
		   struct arena *arena)
{
	if (q->bind) {
		const struct plan_answer a = plan_judge_bind(plan, q->protocol, q->port);

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

		const struct plan_answer a = plan_judge_connect(plan, to);

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

	struct reply r = {.as_json = cli->json};

	r.json.out = &r.text;
	if (r.as_json) {
		json_object(&r.json, NULL);
		json_u64(&r.json, "schema", 1);
		json_string(&r.json, "question", argv[2]);
		json_array(&r.json, "answers");
	}
	answer(&r, &plan, &q, &arena);
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
