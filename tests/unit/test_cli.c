/* The command line front end without its main: options of subcommands, help, rendering of policies, warnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../static/cli.c"
#include "../../static/help.c"
#include "../../static/lint.c"
#include "../../static/render.c"

#include "policy/values.h"

static int nothing(struct cli *cli, int argc, char **argv)
{
	(void)cli, (void)argc, (void)argv;
	return 0;
}

/* In place of main.c's table. */
const struct command commands[] = {
	{"run", "", IN_SUPERVISED | IN_KERNEL, nothing, "run a command", "[OPTION]... -- COMMAND"},
	{"policy", "profile", 0, nothing, "policies", "VERB\n  list    all\n"},
	{"ps", "list", 0, NULL, "list sandboxes", NULL},
	{"__hidden", "", 0, nothing, NULL, NULL},
};
const size_t command_count = ARRAY_LEN(commands);

/* ---- options of subcommands ---- */

struct given {
	bool strict, yes;
	const char *output;
	char **rest;
};

static int parse(struct given *given, int *argc, char **argv)
{
	struct cli cli = {.command = &commands[0]};
	const struct cli_flag flags[] = {
		{"strict", 0, &given->strict, NULL},
		{"yes", 'y', &given->yes, NULL},
		{"output", 'o', NULL, &given->output},
	};

	for (*argc = 0; argv[*argc]; ++*argc)
		;
	return cli_flags(&cli, argc, argv, flags, ARRAY_LEN(flags), &given->rest);
}

static void flags_and_operands_mix(void **state UNUSED)
{
	char *argv[] = {"check", "a", "--strict", "-o", "out", "b", "-y", NULL};
	struct given given = {0};
	int argc;

	assert_int_equal(parse(&given, &argc, argv), -1);
	assert_int_equal(argc, 3);
	assert_string_equal(argv[1], "a");
	assert_string_equal(argv[2], "b");
	assert_null(argv[3]);
	assert_true(given.strict && given.yes);
	assert_string_equal(given.output, "out");
	assert_null(given.rest);
}

static void values_have_three_forms(void **state UNUSED)
{
	static const char *const forms[] = {"--output=x", "-ox", "-o=x"};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		char *argv[] = {"check", (char *)(uintptr_t)forms[i], NULL};
		struct given given = {0};
		int argc;

		assert_int_equal(parse(&given, &argc, argv), -1);
		assert_string_equal(given.output, "x");
	}
}

static void words_behind_dashes_are_handed_on(void **state UNUSED)
{
	char *argv[] = {"show", "--strict", "name", "--", "-r", "/usr", NULL};
	struct given given = {0};
	int argc;

	assert_int_equal(parse(&given, &argc, argv), -1);
	assert_int_equal(argc, 2);
	assert_string_equal(argv[1], "name");
	assert_non_null(given.rest);
	assert_string_equal(given.rest[0], "-r");
	assert_string_equal(given.rest[1], "/usr");
	assert_null(given.rest[2]);
}

static void wrong_flags_are_usage_errors(void **state UNUSED)
{
	static const char *const wrong[] = {"--strickt", "-z", "--strict=1", "-o", "--output"};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		char *argv[] = {"check", (char *)(uintptr_t)wrong[i], NULL};
		struct given given = {0};
		int argc;

		assert_int_equal(parse(&given, &argc, argv), EXIT_USAGE);
	}
}

static void compatible_statuses(void **state UNUSED)
{
	auto_error err = {0};
	struct cli cli = {.compat = true};

	assert_int_equal(cli_report(&cli, &err, EXIT_SANDLOCK), 1);
	assert_int_equal(cli_report(&cli, &err, EXIT_CANNOT_EXEC), EXIT_NOT_FOUND);
	assert_int_equal(cli_report(&cli, &err, 7), 7);
	cli.compat = false;
	assert_int_equal(cli_report(&cli, &err, EXIT_SANDLOCK), EXIT_SANDLOCK);
}

static void colours_only_the_word(void **state UNUSED)
{
	auto_str out = {0};

	paint("sandlock: error: a\n    error: b\nsandlock: hint: c", &out);
	assert_string_equal(str_text(&out), "sandlock: \033[1;31merror:\033[0m a\n    error: b\n"
					    "sandlock: \033[1;36mhint:\033[0m c");
}

/* ---- help ---- */

static void every_section_has_a_title(void **state UNUSED)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const char *section =
			option_text(options[id].section) ? option_text(options[id].section) : "";
		bool found = !section[0];

		for (size_t i = 0; i < help_section_count; i++)
			found |= strcmp(help_sections[i].name, section) == 0;
		if (!found)
			fail_msg("no title for the section \"%s\"", section);
	}
}

static void help_lists_what_works(void **state UNUSED)
{
	auto_str some = {0}, all = {0};

	cli_help("run", false, &some);
	cli_help("run", true, &all);
	assert_non_null(strstr(str_text(&some), "-r, --fs-read PATH"));
	assert_null(strstr(str_text(&some), "[later version]"));
	assert_non_null(strstr(str_text(&all), "[later version]"));
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct option *o = &options[id];
		char flag[64];

		if (!option_text(o->flag) || (o->flags & OPTION_HIDDEN))
			continue;
		snprintf(flag, sizeof flag, "--%s", option_text(o->flag));
		if (!strstr(str_text(&all), flag))
			fail_msg("%s is not in the help", flag);
	}
}

static void help_of_the_program(void **state UNUSED)
{
	auto_str some = {0}, all = {0};

	cli_help(NULL, false, &some);
	cli_help(NULL, true, &all);
	assert_non_null(strstr(str_text(&some), "policy, profile"));
	assert_null(strstr(str_text(&some), "ps, list"));
	assert_non_null(strstr(str_text(&all), "ps, list"));
	assert_null(strstr(str_text(&all), "__hidden"));
}

/* ---- rendering ---- */

static char *no_environment[] = {"PATH=/opt/tools:/usr/bin", NULL};
static const struct surroundings surroundings = {.environment = no_environment,
						 .cwd = "/work",
						 .home = "/home/u",
						 .uid = 1000,
						 .euid = 1000};

static void load(const char *text, bool toml, struct arena *arena, struct policy *policy)
{
	struct source source = {
		.path = toml ? "/p/x.toml" : "/p/x.yaml", .text = text, .size = strlen(text)};
	struct extends extends = {0};
	auto_error err = {0};
	bool ok;

	policy_init(policy, arena);
	ok = toml ? toml_load(&source, &surroundings, policy, &err)
		  : yaml_load(&source, &surroundings, policy, &extends, &err);
	if (!ok)
		fail_msg("%s\n%s", err.count ? err.list[0].message : "?", text);
}

/* Every option that `a` has, with the same elements. */
static void assert_same(const struct policy *a, const struct policy *b)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct value *v = policy_value(a, id), *w = policy_value(b, id);

		if (v->set != w->set || v->count != w->count)
			fail_msg("%s.%s: %zu elements became %zu", option_text(options[id].section),
				 option_text(options[id].key), v->count, w->count);
		for (size_t i = 0; i < v->count; i++) {
			auto_str x = {0}, y = {0};

			item_render(&v->items[i], id, &x);
			item_render(&w->items[i], id, &y);
			assert_string_equal(str_text(&x), str_text(&y));
			assert_int_equal(v->items[i].flags, w->items[i].flags);
			assert_int_equal(v->items[i].num, w->items[i].num);
		}
	}
}

static const char awkward[] =
	"version: 1\n"
	"description: 'a \"b\" \\ # c: d'\n"
	"filesystem:\n"
	"  read: [/usr, '/a b', '/x$$y', '/q?', \"/tab\\there\", '/- x', '/\xc3\xa4']\n"
	"  read_if_exists: [/opt]\n"
	"  read_noexec: [/data]\n"
	"  tmpfs: ['/t:4096:ro,noexec', '/u']\n"
	"  mount: ['/in:/out:ro']\n"
	"  volumes: ['/o ut:/in2:noexec']\n"
	"program:\n"
	"  env: {A: '3.10', B: '', C: 'x=y', D: 'null', E: \"l1\\nl2\", F: 'yes', G: '${HOME}'}\n"
	"  args: ['-x', '*', '&a', '~', '0']\n"
	"  clean_env: true\n"
	"network: {allow_bind: [8080, '9000-9005'], allow: ['tcp://*:443'], ipv6: false}\n"
	"limits: {processes: 7, gpu_devices: [], rlimits: {fsize: 1G, stack: '8M:unlimited'}}\n"
	"lifecycle: {timeout: 1h30m}\n"
	"config: {supervisor: false, hostname: box}\n"
	"protection: {allow_degraded: [net-tcp]}\n";

static void yaml_loads_again(void **state UNUSED)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str text = {0}, origins = {0};
	struct policy a, b;

	load(awkward, false, &arena, &a);
	assert_true(render_yaml(&a, false, &text, &err));
	load(str_text(&text), false, &arena, &b);
	assert_same(&a, &b);
	assert_true(render_yaml(&a, true, &origins, &err));
	assert_non_null(strstr(str_text(&origins), "/usr  # /p/x.yaml:4:10"));
	load(str_text(&origins), false, &arena, &b);
	assert_same(&a, &b);
}

static void toml_loads_again(void **state UNUSED)
{
	static const char text[] =
		"version: 1\n"
		"filesystem: {read: [/usr, '/a \"b\"'], mount: ['/in:/out:ro']}\n"
		"program: {env: {A: 'x y', B: ''}, clean_env: true, args: [a]}\n"
		"network: {allow_bind: [80, '90-95']}\n"
		"limits: {processes: 7, cpu_cores: [0, 1]}\n";
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy a, b;

	load(text, false, &arena, &a);
	assert_true(render_toml(&a, false, &out, &err));
	load(str_text(&out), true, &arena, &b);
	assert_same(&a, &b);
}

static void toml_refuses_what_it_cannot_hold(void **state UNUSED)
{
	static const char *const texts[] = {
		"filesystem: {read_if_exists: [/opt]}\n",
		"filesystem: {read: ['/opt?']}\n",
		"filesystem: {read: ['/a$${b}']}\n",
		"lifecycle: {timeout: 5}\n",
		"syscalls: {nestable: true}\n",
		"network: {allow: ['tcp://*:80-90']}\n",
		"network: {allow: ['private:80']}\n",
		"network: {deny: [metadata]}\n",
		"network: {allow: ['*.a.test:80']}\n",
		"network: {allow: ['tcp+udp://10.0.0.1:80']}\n",
		"network: {allow: ['icmpv4://*']}\n",
		"network: {allow_bind: ['udp://53']}\n",
	};
	static const char held[] =
		"network: {allow: ['tcp://a-b.test:80,81', '[::1]:443', 'udp://*:53', 'icmp://*', "
		"'my-v4.test', ':80'], deny: ['fc00::/7', '10.0.0.0/8:22'], allow_bind: [80, 90-91]}\n";

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(arena_free) struct arena arena = {0};
		auto_error err = {0};
		auto_str out = {0};
		struct policy policy;

		load(texts[i], false, &arena, &policy);
		assert_false(render_toml(&policy, false, &out, &err));
		assert_int_equal(err.errors, 1);
	}

	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;

	load(held, false, &arena, &policy);
	assert_true(render_toml(&policy, false, &out, &err));
}

static void names_that_are_not_text_are_refused(void **state UNUSED)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct policy policy;

	policy_init(&policy, &arena);
	assert_true(policy_add(&policy, OPT_fs_read, "/caf\xe9", (struct origin){"--fs-read", 0, 0},
			       &err));
	assert_false(render_yaml(&policy, false, &out, &err));
}

static void json_has_types(void **state UNUSED)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	auto_str out = {0};
	struct json j = {.out = &out};
	struct policy policy;

	load("limits: {processes: 7}\nprogram: {clean_env: true, env: {A: b}}\n"
	     "filesystem: {read: [/usr]}\nnetwork: {allow_bind: [80, 90-91, 'udp://53']}\n",
	     false, &arena, &policy);
	json_object(&j, NULL);
	render_json(&policy, false, &j, &err);
	json_end_object(&j);
	assert_string_equal(str_text(&out),
			    "{\"filesystem\":{\"read\":[\"/usr\"]},"
			    "\"network\":{\"allow_bind\":[80,\"90-91\",\"udp://53\"]},"
			    "\"program\":{\"env\":{\"A\":\"b\"},\"clean_env\":true},"
			    "\"limits\":{\"processes\":7}}");
}

/* ---- warnings ---- */

static void assert_warns(const char *text, const char *id)
{
	CLEANUP(arena_free) struct arena arena = {0};
	auto_error err = {0};
	struct policy policy;
	bool found = !id && !err.count;

	load(text, false, &arena, &policy);
	policy_lint(&policy, &surroundings, &err);
	for (size_t i = 0; i < err.count; i++)
		found |= id && strcmp(err.list[i].id, id) == 0;
	if (!id)
		found = err.count == 0;
	if (!found)
		fail_msg("%s: expected %s, got %s", text, id ? id : "nothing",
			 err.count ? err.list[0].message : "nothing");
}

static void warnings(void **state UNUSED)
{
	assert_warns("filesystem: {read: [/home/u]}\n", "W201");
	assert_warns("filesystem: {read: [/home/u/.ssh]}\n", "W201");
	assert_warns("filesystem: {write: [/etc]}\n", "W202");
	assert_warns("filesystem: {write: [/home/u/.config]}\n", "W202");
	assert_warns("filesystem: {write_if_exists: [/usr/local]}\n", "W203");
	assert_warns("filesystem: {write_if_exists: [/opt]}\n", "W203");
	assert_warns("filesystem: {read: [/]}\n", "W204");
	assert_warns("filesystem: {read: [/no/such/place]}\n", "W205");
	assert_warns("filesystem: {isolation: none}\n", "W206");
	assert_warns("filesystem: {read: [/usr, /usr/lib]}\n", "W207");
	assert_warns("filesystem: {write_if_exists: [/sys/kernel]}\n", "W208");
	assert_warns("protection: {disable: [net-tcp]}\n", "W210");
	assert_warns("filesystem: {read: [/usr, /usr/lib?]}\n", "W207");
	assert_warns("network: {rules: [deny@private, 'allow@10.0.0.1:tcp:80']}\n", "W211");
	assert_warns("network: {rules: ['allow@any:tcp:443,allow@public:tcp:443']}\n", "W211");
	assert_warns("network: {deny: [private], allow: ['tcp://10.0.0.0/8:80']}\n", "W211");
	assert_warns("network: {deny: [local], rules: [allow@loopback:tcp]}\n", "W211");
	assert_warns("network: {rules: ['allow@10.0.0.1:tcp', deny@private, 'allow@any:tcp:443'], "
		     "deny: ['tcp://*:22', metadata], allow: ['link-local:80', '*:22']}\n",
		     NULL);
	assert_warns("filesystem: {read: [/usr], read_noexec: ['/dev/null?'], "
		     "write_if_exists: [/srv/data]}\n",
		     NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_operands_mix),
		cmocka_unit_test(values_have_three_forms),
		cmocka_unit_test(words_behind_dashes_are_handed_on),
		cmocka_unit_test(wrong_flags_are_usage_errors),
		cmocka_unit_test(compatible_statuses),
		cmocka_unit_test(colours_only_the_word),
		cmocka_unit_test(every_section_has_a_title),
		cmocka_unit_test(help_lists_what_works),
		cmocka_unit_test(help_of_the_program),
		cmocka_unit_test(yaml_loads_again),
		cmocka_unit_test(toml_loads_again),
		cmocka_unit_test(toml_refuses_what_it_cannot_hold),
		cmocka_unit_test(names_that_are_not_text_are_refused),
		cmocka_unit_test(json_has_types),
		cmocka_unit_test(warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
