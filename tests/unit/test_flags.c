/* The command line: every form of a flag, what is refused and how it is said. */
#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST = 24 };

static char *const environment[] = {"HOME=/home/ann", NULL};
static const struct surroundings around = {.environment = environment,
					   .cwd = "/work/dir",
					   .home = "/home/ann",
					   .uid = 1000,
					   .gid = 100};

static struct arena arena;
static struct error err;
static struct command_line line;
static bool usage;

static bool parse(const char *const *args)
{
	static char name[] = "run";
	char *argv[MOST] = {name};
	size_t n = 1;

	error_free(&err);
	arena_free(&arena);
	line = (struct command_line){0};
	usage = false;
	policy_init(&line.policy, &arena);
	for (; args[n - 1]; n++)
		argv[n] = arena_strdup(&arena, args[n - 1]);
	return flags_parse(argv, &around, &line, &usage, &err);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static const struct item *item(enum option_id id, size_t i)
{
	assert_true(i < line.policy.values[id].count);
	return &line.policy.values[id].items[i];
}

static size_t count(enum option_id id)
{
	return line.policy.values[id].count;
}

static const char *said(void)
{
	static struct str text;

	str_free(&text);
	error_format(&err, &text);
	return str_text(&text);
}

static void expect_said(const char *part)
{
	if (!strstr(said(), part))
		fail_msg("\"%s\" is not in:\n%s", part, said());
}

static void forms(void **state UNUSED)
{
	static const char *const rows[][3] = {
		{"--fs-read", "/usr", NULL}, {"--fs-read=/usr", NULL},
		{"-r", "/usr", NULL},	     {"-r/usr", NULL},
		{"-r=/usr", NULL},	     {"-ir", "/usr", NULL},
		{"-iqr/usr", NULL},	     {"-ir=/usr", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(parse(rows[i]));
		assert_int_equal(count(OPT_fs_read), 1);
		assert_string_equal(item(OPT_fs_read, 0)->text, "/usr");
		assert_int_equal(item(OPT_fs_read, 0)->origin.line, 0);
		assert_int_equal(item(OPT_fs_read, 0)->origin.file[0], '-');
	}
	assert_true(PARSE("-ir", "/usr"));
	assert_string_equal(item(OPT_fs_read, 0)->origin.file, "-r");
	assert_true(policy_bool(&line.policy, OPT_interactive, false));
	assert_true(PARSE("--fs-read=/a=b"));
	assert_string_equal(item(OPT_fs_read, 0)->text, "/a=b");
	assert_true(PARSE("--fs-read=/a"));
	assert_string_equal(item(OPT_fs_read, 0)->origin.file, "--fs-read");
}

static void command(void **state UNUSED)
{
	assert_true(PARSE("-r", "/usr", "--", "ls", "-r", "--", "x"));
	assert_string_equal(line.command[0], "ls");
	assert_string_equal(line.command[2], "--");
	assert_string_equal(line.command[3], "x");
	assert_null(line.command[4]);
	assert_true(PARSE("--"));
	assert_null(line.command);
	assert_true(PARSE("-i"));
	assert_null(line.command);
	assert_false(PARSE("-r", "/usr", "ls", "--nonsense"));
	assert_true(usage);
	assert_int_equal(err.errors, 1);
	expect_said("unexpected argument \"ls\"");
	expect_said("the command goes behind --");
	assert_false(PARSE("-"));
}

static void paths(void **state UNUSED)
{
	assert_true(PARSE("-r", "lib/../x/", "-w", ".", "-r", "~/x", "-r", "/a$b", "-r", "/a\xff"));
	assert_string_equal(item(OPT_fs_read, 0)->text, "/work/dir/x");
	assert_string_equal(item(OPT_fs_write, 0)->text, "/work/dir");
	assert_string_equal(item(OPT_fs_read, 1)->text, "/work/dir/~/x");
	assert_string_equal(item(OPT_fs_read, 2)->text, "/a$b");
	assert_string_equal(item(OPT_fs_read, 3)->text, "/a\xff");
	assert_true(PARSE("-r", "/what?", "--fs-read-if-exists", "/x", "--fs-read-noexec", "/y"));
	assert_string_equal(item(OPT_fs_read, 0)->text, "/what?");
	assert_int_equal(item(OPT_fs_read_if_exists, 0)->flags, ITEM_OPTIONAL);
	assert_int_equal(item(OPT_fs_read_noexec, 0)->flags, ITEM_NOEXEC);
	assert_false(PARSE("-r", ""));
	expect_said("-r: invalid path \"\": empty path");
}

static void usage_errors(void **state UNUSED)
{
	static const struct {
		const char *args[4];
		const char *says;
	} rows[] = {
		{{"--fs-raed", "/x"}, "did you mean --fs-read?"},
		{{"--fs_read", "/x"}, "did you mean --fs-read?"},
		{{"--fs-re", "/x"}, "unknown option \"--fs-re\""},
		{{"--r", "/x"}, "a single letter takes one dash: -r"},
		{{"-Z"}, "unknown option \"-Z\""},
		{{"-timeout"}, "-t: invalid duration \"imeout\""},
		{{"--\x1b[31m"}, "unknown option \"--\\x1b[31m\""},
		{{"-t", "5", "--timeout", "6"}, "--timeout: given twice"},
		{{"-t", "5", "--timeout", "6"}, "first given as -t"},
		{{"-i", "-i"}, "-i: given twice"},
		{{"-ii"}, "-i: given twice"},
		{{"-r"}, "-r: a value is missing"},
		{{"-r", "--", "ls"}, "-r: a value is missing"},
		{{"-r", "-w"}, "write -r=\"-w\""},
		{{"--clean-env=yes"}, "--clean-env: takes no value"},
		{{"--no-supervisor=1"}, "or --supervisor for the opposite"},
		{{"-P", "0"}, "-P: invalid number \"0\": smaller than 1"},
		{{"-P", "4294967296"}, "larger than 4294967295"},
		{{"-P", "many"}, "expected an integer"},
		{{"--cpu", "101"}, "larger than 100"},
		{{"-t", "0"}, "must be longer than 0"},
		{{"-t", "3650d"}, "shorter than 10 years"},
		{{"-m", "512"}, "forgot a suffix? a number alone is bytes; 512M is megabytes"},
		{{"-p", "8080:80"}, "write --port 8080:80"},
		{{"-p", ""}, "must not be empty"},
		{{"--user", "0:"}, "a part is empty"},
		{{"-n", "a b"}, "whitespace"},
		{{"-n", "\xff"}, "not valid UTF-8"},
		{{"--view", "privat"}, "did you mean \"private\"?"},
		{{"--disable", "signal-scop"}, "did you mean \"signal-scope\"?"},
		{{"--net-allow", "icmp"}, "write icmp://*"},
		{{"--net-allow-bind", "80,,81"}, "empty"},
		{{"--cpu-cores", "1,x"}, "invalid number \"x\""},
		{{"--gpu", "some"}, "expected an integer"},
		{{"--reset", "filesystem.raed"}, "is not a key of a policy"},
		{{"--reset", "nonsense"}, "is not a key of a policy"},
		{{"--set", "limits.processes"}, "expected SECTION.KEY=VALUE"},
		{{"--set", "limits.proceses=1"}, "did you mean \"limits.processes\"?"},
		{{"--set", "limits.processes=x"}, "--set: limits.processes: invalid number"},
		{{"--set", "limits.processes=[1"}, "--set: "},
		{{"--set", "limits.processes=[1, 2]"}, "expected one value, not a list"},
		{{"--status-fd", "2147483648"}, "larger than"},
		{{"--caps", "all"}, "expected files, none or keep"},
		{{"--env", "=x"}, "empty"},
		{{"--rlimit", "nproc"}, "expected NAME=SOFT"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (parse(rows[i].args))
			fail_msg("accepted: %s", rows[i].args[0]);
		assert_true(usage);
		expect_said(rows[i].says);
	}
	assert_false(PARSE("-P", "0", "--nonsense", "-t", "x")); /* all at once */
	assert_int_equal(err.errors, 3);
}

static void switches(void **state UNUSED)
{
	assert_true(PARSE("--clean-env", "--no-supervisor", "--no-ipv6", "--no-net"));
	assert_true(policy_bool(&line.policy, OPT_clean_env, false));
	assert_false(policy_bool(&line.policy, OPT_supervisor, true));
	assert_false(policy_bool(&line.policy, OPT_ipv6, true));
	assert_true(policy_bool(&line.policy, OPT_no_net, false));
	assert_true(PARSE("--no-clean-env", "--supervisor", "--ipv6", "--no-no-net"));
	assert_false(policy_bool(&line.policy, OPT_clean_env, true));
	assert_true(policy_bool(&line.policy, OPT_supervisor, false));
	assert_true(policy_bool(&line.policy, OPT_ipv6, false));
	assert_false(policy_bool(&line.policy, OPT_no_net, true));
	assert_false(PARSE("--no-timeout"));
	assert_false(PARSE("--no-fs-read"));
	assert_true(PARSE("-h") && line.help && !line.help_all);
	assert_true(PARSE("--help") && line.help && !line.help_all);
	assert_true(PARSE("--help=all") && line.help && line.help_all);
}

static void lists(void **state UNUSED)
{
	assert_true(
		PARSE("--cpu-cores", "0,1", "--cpu-cores=3", "--net-allow-bind", "80,9000-9005"));
	assert_int_equal(count(OPT_cpu_cores), 3);
	assert_int_equal(item(OPT_cpu_cores, 2)->num, 3);
	assert_int_equal(item(OPT_net_allow_bind, 1)->num2, 9005);
	assert_true(PARSE("--gpu", "all"));
	assert_true(policy_is_set(&line.policy, OPT_gpu) && count(OPT_gpu) == 0);
	assert_true(PARSE("--env", "A=1", "--env", "B", "--env", "A=2"));
	assert_int_equal(count(OPT_env), 2);
	assert_string_equal(item(OPT_env, 0)->text, "A=2");
	assert_int_equal(item(OPT_env, 1)->flags, ITEM_PASS);
	assert_true(PARSE("--rlimit", "nproc=5", "--rlimit", "NPROC=6"));
	assert_int_equal(count(OPT_rlimits), 1);
	assert_int_equal(item(OPT_rlimits, 0)->num, 6);
}

/* The last word about a protection wins, so one order runs through both lists. */
static void protections(void **state UNUSED)
{
	assert_true(PARSE("--disable", "Signal-Scope", "--allow-degraded", "net-tcp",
			  "--allow-degraded", "signal-scope", "--disable=net-tcp"));
	assert_string_equal(item(OPT_disable, 0)->text, "signal-scope");
	assert_int_equal(item(OPT_disable, 0)->num2, 1);
	assert_int_equal(item(OPT_allow_degraded, 0)->num2, 2);
	assert_int_equal(item(OPT_allow_degraded, 1)->num2, 3);
	assert_int_equal(item(OPT_disable, 1)->num2, 4);

	/* Those of a later layer come after all below. */
	struct policy base;
	policy_init(&base, &arena);
	assert_true(policy_add(&base, OPT_disable, "net-tcp", NO_ORIGIN, &err));
	assert_true(policy_add(&base, OPT_allow_degraded, "fs-truncate", NO_ORIGIN, &err));
	policy_merge(&base, &line.policy);
	assert_int_equal(base.values[OPT_disable].count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(base.values[OPT_disable].items[i].num2 > 2);
}

static void policies(void **state UNUSED)
{
	assert_true(PARSE("-p", "a", "--profile-file", "b.yaml", "--profile", "c", "--policy=-",
			  "-p", "./d"));
	assert_int_equal(line.policy_count, 5);
	assert_string_equal(line.policies[0].text, "a");
	assert_string_equal(line.policies[1].text, "./b.yaml");
	assert_string_equal(line.policies[2].text, "c");
	assert_string_equal(line.policies[3].text, "-");
	assert_string_equal(line.policies[4].text, "./d");
	assert_string_equal(line.policies[1].origin.file, "--profile-file");
}

static void older_spellings(void **state UNUSED)
{
	assert_true(PARSE("--net-bind", "80", "--block-syscall=mincore", "--isolate-ipc", "--uid",
			  "7"));
	assert_int_equal(err.count, 4);
	for (size_t i = 0; i < err.count; i++)
		assert_string_equal(err.list[i].id, "W001");
	assert_int_equal(item(OPT_net_allow_bind, 0)->num, 80);
	assert_string_equal(item(OPT_extra_deny, 0)->text, "mincore");
	assert_string_equal(item(OPT_user, 0)->text, "7:7");
	assert_true(PARSE("--privileged"));
	assert_string_equal(item(OPT_user, 0)->text, "0:0");
	assert_true(PARSE("--net-allow-host", "h", "--net-connect", "1", "--net-connect=2"));
	assert_int_equal(count(OPT_net_allow), 2);
	assert_string_equal(item(OPT_net_allow, 1)->text, "tcp://h:2");
	assert_true(PARSE("--net-connect", "443"));
	assert_string_equal(item(OPT_net_allow, 0)->text, "tcp://*:443");
	assert_true(PARSE("--net-allow-host", "h"));
	assert_string_equal(item(OPT_net_allow, 0)->text, "tcp://h");
	assert_true(PARSE("--net-allow-host", "::1", "--net-connect", "443"));
	assert_string_equal(item(OPT_net_allow, 0)->text, "tcp://[::1]:443");
	assert_false(PARSE("--net-allow-host", "a b", "--net-connect", "443"));
	assert_true(PARSE("-e", "A=b"));
	expect_said("[W003]");
	expect_said("write --env \"A=b\"");
	assert_true(PARSE("-e", "A=b make"));
	assert_int_equal(err.count, 0);
}

static void set_and_reset(void **state UNUSED)
{
	assert_true(PARSE("-r", "/a", "--reset", "filesystem.read", "-r", "/b", "--set",
			  "limits.processes=5", "--set", "filesystem.write=[x, ~/y]", "--set",
			  "program.env={A: no}"));
	assert_int_equal(count(OPT_fs_read), 1);
	assert_string_equal(item(OPT_fs_read, 0)->text, "/b");
	assert_int_equal(line.policy.edit_count, 1);
	assert_int_equal(item(OPT_max_processes, 0)->num, 5);
	assert_string_equal(item(OPT_max_processes, 0)->origin.file, "--set");
	assert_string_equal(item(OPT_fs_write, 0)->text, "/work/dir/x");
	assert_string_equal(item(OPT_fs_write, 1)->text, "/home/ann/y");
	assert_string_equal(item(OPT_env, 0)->text, "A=no");

	struct policy base;
	policy_init(&base, &arena);
	assert_true(policy_add(&base, OPT_fs_read, "/usr", NO_ORIGIN, &err));
	assert_true(policy_add(&base, OPT_fs_write, "/tmp", NO_ORIGIN, &err));
	policy_merge(&base, &line.policy);
	assert_int_equal(base.values[OPT_fs_read].count, 1);
	assert_string_equal(base.values[OPT_fs_read].items[0].text, "/b");
	assert_int_equal(base.values[OPT_fs_write].count, 3);
	assert_true(PARSE("--set", "limits.processes="));
	assert_int_equal(line.policy.edit_count, 1);
	assert_true(PARSE("--reset", "max-processes"));
}

/* Each option with a flag is reachable by it, and so is each letter. */
static void whole_table(void **state UNUSED)
{
	for (enum option_id id = 0; id < OPT_COUNT; id++) {
		const struct option *o = &options[id];

		assert_non_null(option_text(o->help));
		assert_true(o->modes != 0);
		assert_true(!option_text(o->section) == !option_text(o->key));
		assert_true(option_text(o->flag) || option_text(o->key));
		assert_true((o->kind == KIND_BOOL) == !option_text(o->metavar));
		assert_true(o->kind != KIND_ENUM || option_text(o->words));
		assert_true(o->kind != KIND_UINT || o->max > o->min);
		if (option_text(o->flag))
			assert_int_equal(option_by_flag(option_text(o->flag)), id);
		if (o->letter)
			assert_int_equal(option_by_letter(o->letter), id);
		if (option_text(o->key))
			assert_int_equal(
				option_by_key(option_text(o->section), option_text(o->key)), id);
		if (o->flags & OPTION_NEGATIVE)
			assert_true(strncmp(option_text(o->flag), "no-", 3) == 0);
	}
	assert_int_equal(option_by_flag("nonsense"), OPT_COUNT);
	assert_int_equal(option_by_letter(0), OPT_COUNT);
	assert_int_equal(option_by_key("filesystem", "raed"), OPT_COUNT);
	assert_string_equal(option_name(&arena, OPT_fs_read, false), "filesystem.read");
	assert_string_equal(option_name(&arena, OPT_fs_read, true), "--fs-read");
	assert_string_equal(option_name(&arena, OPT_exec, true), "program.exec");
	assert_string_equal(option_name(&arena, OPT_dry_run, false), "--dry-run");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void many_arguments(void **state UNUSED)
{
	enum { N = 10000 };
	char **argv = calloc(2 * N + 2, sizeof *argv);
	struct policy base;
	double start;

	error_free(&err);
	arena_free(&arena);
	line = (struct command_line){0};
	policy_init(&line.policy, &arena);
	argv[0] = arena_strdup(&arena, "run");
	for (size_t i = 0; i < N; i++) {
		argv[1 + 2 * i] =
			i % 2 ? arena_strdup(&arena, "-r") : arena_strdup(&arena, "--env");
		argv[2 + 2 * i] = arena_printf(&arena, i % 2 ? "/usr/%zu" : "NAME%zu=x", i);
	}
	start = seconds();
	assert_true(flags_parse(argv, &around, &line, &usage, &err));
	policy_init(&base, &arena);
	policy_merge(&base, &line.policy);
	policy_merge(&base, &line.policy);
	assert_int_equal(base.values[OPT_fs_read].count, N / 2);
	assert_int_equal(base.values[OPT_env].count, N / 2);
	assert_true(seconds() - start < 0.5); /* about 5 ms; a quadratic step takes seconds */
	free(argv);

	/* One argument of a megabyte. */
	char *long_path = malloc(1 << 20);
	memset(long_path, 'a', (1 << 20) - 1);
	long_path[(1 << 20) - 1] = '\0';
	assert_false(PARSE("-r", long_path));
	expect_said("longer than 4095 bytes");
	free(long_path);
}

static int clean(void **state UNUSED)
{
	said();
	error_free(&err);
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),	   cmocka_unit_test(command),
		cmocka_unit_test(paths),	   cmocka_unit_test(usage_errors),
		cmocka_unit_test(switches),	   cmocka_unit_test(lists),
		cmocka_unit_test(protections),	   cmocka_unit_test(policies),
		cmocka_unit_test(older_spellings), cmocka_unit_test(set_and_reset),
		cmocka_unit_test(whole_table),	   cmocka_unit_test(many_arguments),
	};

	return cmocka_run_group_tests_name("flags", tests, NULL, clean);
}
