/* From names to one policy: extends, order, circles, locks, and the command line on top. Uses real files. */
#include "policy/image.h"
#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *const environment[] = {"USER=ann", NULL};
static char dir[] = "/tmp/sandlock-load-XXXXXX";
static struct surroundings around = {.environment = environment, .cwd = dir, .home = "/home/ann"};

static struct arena arena;
static struct error err;
static struct policy policy;
static struct command_line line;
static bool usage;

static void write_file(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static int begin(void **state UNUSED)
{
	error_free(&err);
	arena_free(&arena);
	policy_init(&policy, &arena);
	line = (struct command_line){0};
	policy_init(&line.policy, &arena);
	usage = false;
	return 0;
}

static bool load(const char *name)
{
	begin(NULL);
	return policy_load(name, (struct origin){.file = "-p"}, &around, &policy, &err);
}

static bool resolve(const char *const *args)
{
	static char name[] = "run";
	char *argv[16] = {name};

	begin(NULL);
	for (size_t n = 0; args[n]; n++)
		argv[n + 1] = arena_strdup(&arena, args[n]);
	return flags_parse(argv, &around, &line, &usage, &err) &&
	       policy_resolve(&line, &around, &policy, &err);
}

#define RESOLVE(...) resolve((const char *const[]){__VA_ARGS__, NULL})

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

static void expect_paths(enum option_id id, const char *expected)
{
	auto_str text = {0};

	for (size_t i = 0; i < policy.values[id].count; i++)
		str_printf(&text, "%s%s", i ? " " : "", policy.values[id].items[i].text);
	if (strcmp(str_text(&text), expected) != 0)
		fail_msg("%s instead of %s\n%s", str_text(&text), expected, said());
}

static void order(void **state UNUSED)
{
	write_file("base.yaml",
		   "filesystem: {read: [/base]}\nlimits: {processes: 1, open_files: 1}\n");
	write_file("left.yaml",
		   "extends: base.yaml\nfilesystem: {read: [/left]}\nlimits: {processes: 2}\n");
	write_file("right.yaml", "extends: [./base.yaml]\nfilesystem: {read: [/right, /base]}\n");
	write_file("top.yaml", "extends: [left.yaml, right.yaml]\n"
			       "filesystem: {read: [/top], write: [sub]}\n");
	assert_true(load("./top.yaml"));
	expect_paths(OPT_fs_read, "/base /left /right /top");
	/* base.yaml counts once, at its first place: right.yaml does not bring its limit back. */
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 2);
	assert_int_equal(policy_u64(&policy, OPT_open_files, 0), 1);
	assert_true(strstr(policy_origin(&policy, OPT_max_processes).file, "left.yaml") != NULL);
	assert_true(strstr(policy_text(&policy, OPT_fs_write, ""), "/sub") != NULL);
	assert_int_equal(policy.edit_count, 0);
}

static void taking_away(void **state UNUSED)
{
	write_file("base.yaml",
		   "filesystem: {read: [/a, /b, /c], write: [/w]}\nlimits: {processes: 1}\n"
		   "program: {env: {A: 1, B: 2}}\n");
	write_file("child.yaml",
		   "extends: base.yaml\nfilesystem:\n  read: {remove: [/b], add: [/d]}\n"
		   "  write: {set: [/x]}\nlimits: {processes: null}\nprogram: {env: {A: ~}}\n");
	assert_true(load("./child.yaml"));
	expect_paths(OPT_fs_read, "/a /c /d");
	expect_paths(OPT_fs_write, "/x");
	expect_paths(OPT_env, "B=2");
	assert_false(policy_is_set(&policy, OPT_max_processes));

	write_file("bad.yaml", "extends: base.yaml\nfilesystem:\n  read: {remove: [/nothing]}\n");
	assert_false(load("./bad.yaml"));
	expect_said("bad.yaml:3:19: filesystem.read: cannot remove \"/nothing\"");
}

static void faults(void **state UNUSED)
{
	write_file("a.yaml", "extends: b.yaml\n");
	write_file("b.yaml", "extends: c.yaml\n");
	write_file("c.yaml", "extends: a.yaml\n");
	assert_false(load("./a.yaml"));
	expect_said("c.yaml:1:10: extends: policies extend each other in a cycle");
	expect_said("a.yaml -> ");
	write_file("self.yaml", "extends: self.yaml\n");
	assert_false(load("./self.yaml"));

	assert_false(load("./missing.yaml"));
	expect_said("error: -p: ");
	write_file("lost.yaml", "extends: [gone.yaml]\nlimits: {processes: x}\n");
	assert_false(load("./lost.yaml"));
	assert_int_equal(err.errors, 2); /* both faults, the name's with its place */
	expect_said("lost.yaml:1:11: ");

	for (int i = 0; i < 12; i++) {
		char name[32], text[64];

		snprintf(name, sizeof name, "deep%d.yaml", i);
		snprintf(text, sizeof text, "extends: deep%d.yaml\n", i + 1);
		write_file(name, i < 11 ? text : "version: 1\n");
	}
	assert_false(load("./deep0.yaml"));
	expect_said("more than 8 deep");
	assert_true(load("./deep3.yaml"));

	auto_str wide = {0};
	str_add(&wide, "extends:\n");
	for (int i = 0; i < 70; i++) {
		char name[32];

		snprintf(name, sizeof name, "wide%d.yaml", i);
		write_file(name, "version: 1\n");
		str_printf(&wide, "- %s\n", name);
	}
	write_file("wide.yaml", str_text(&wide));
	assert_false(load("./wide.yaml"));
	expect_said("more than 64 files");
}

static void locks(void **state UNUSED)
{
	write_file("locked.yaml",
		   "locked: true\nfilesystem: {read: [/usr]}\nlimits: {processes: 9}\n");
	write_file("less.yaml", "extends: locked.yaml\nlocked: false\nlimits: {processes: 5}\n"
				"syscalls: {extra_deny: [mincore]}\n");
	write_file("more.yaml", "extends: locked.yaml\nfilesystem: {read: [/etc]}\n");
	write_file("other.yaml", "filesystem: {read: [/opt]}\n");
	assert_true(load("./less.yaml"));
	assert_true(policy_bool(&policy, OPT_locked, false));
	assert_false(load("./more.yaml"));
	expect_said("more.yaml:2:21: filesystem.read: adding \"/etc\" widens a locked policy");
	expect_said("locked.yaml:1:9");
	assert_int_equal(err.errors, 1);

	assert_true(RESOLVE("-p", "./less.yaml", "-P", "3"));
	assert_false(RESOLVE("-p", "./less.yaml", "-P", "6"));
	expect_said("-P: limits.processes: raising the limit to \"6\" widens a locked policy");
	assert_false(RESOLVE("-p", "./less.yaml", "--reset", "limits.processes"));
	expect_said("--reset: limits.processes: dropping the limit widens");
	assert_false(RESOLVE("-p", "./less.yaml", "-w", "/tmp"));
	assert_false(RESOLVE("-p", "./less.yaml", "--no-supervisor"));
	assert_false(RESOLVE("-p", "./less.yaml", "-p", "./other.yaml"));
	expect_said("other.yaml:1:21: filesystem.read: adding \"/opt\"");
	assert_true(RESOLVE("-p", "./less.yaml", "-r", "/usr/lib"));
	/* A lock binds what comes after it only. */
	assert_true(RESOLVE("-p", "./other.yaml", "-p", "./less.yaml"));
}

static void command_line_on_top(void **state UNUSED)
{
	write_file("one.yaml",
		   "extends: common.yaml\nfilesystem: {read: [/one]}\nlimits: {processes: 1}\n"
		   "program: {env: {A: 1, B: 1}, clean_env: true, args: [a, b]}\n");
	write_file("two.yaml",
		   "extends: common.yaml\nfilesystem: {read: [/two]}\nlimits: {open_files: 2}\n");
	write_file("common.yaml", "filesystem: {read: [/common]}\nlimits: {processes: 7}\n");
	assert_true(RESOLVE("-p", "./one.yaml", "--profile-file", "two.yaml", "-r", "/flag",
			    "--env", "B=2", "--no-clean-env", "--", "ls"));
	expect_paths(OPT_fs_read, "/common /one /two /flag");
	expect_paths(OPT_env, "A=1 B=2");
	/* common.yaml came with one.yaml already: two.yaml does not undo what stands on top of it. */
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 1);
	assert_int_equal(policy_u64(&policy, OPT_open_files, 0), 2);
	assert_false(policy_bool(&policy, OPT_clean_env, true));
	assert_string_equal(policy.name, "./one.yaml+./two.yaml");
	assert_string_equal(policy_origin(&policy, OPT_fs_read).file, "-r");

	assert_true(RESOLVE("-p", "./one.yaml", "--reset", "filesystem.read", "-r", "/flag"));
	expect_paths(OPT_fs_read, "/flag");
	assert_true(RESOLVE("-p", "./one.yaml", "--set", "filesystem.read={remove: /one}"));
	expect_paths(OPT_fs_read, "/common");
	assert_false(RESOLVE("-p", "./one.yaml", "--set", "filesystem.read={remove: /nothing}"));
	expect_said("--set: filesystem.read: cannot remove");
	assert_true(RESOLVE("-r", "/only"));
	expect_paths(OPT_fs_read, "/only");
	assert_false(RESOLVE("-p", "./missing.yaml", "-p", "./missing2.yaml"));
	expect_said("missing.yaml");
	expect_said("missing2.yaml");
}

static void compiled(void **state UNUSED)
{
	struct image_writer w;
	char path[256];
	size_t size;

	write_file("source.yaml", "filesystem: {read: [/usr]}\nlimits: {processes: 4}\n");
	assert_true(load("./source.yaml"));
	image_begin(&w, &arena);
	policy_to_image(&policy, &w);
	const char *data = image_finish(&w, &size);
	snprintf(path, sizeof path, "%s/out.slpc", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_true(load("./out.slpc"));
	expect_paths(OPT_fs_read, "/usr");
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 4);
	assert_true(RESOLVE("-p", "./out.slpc", "-P", "5", "-r", "/etc"));
	expect_paths(OPT_fs_read, "/usr /etc");
	write_file("text.slpc", "version: 1\n");
	assert_false(load("./text.slpc"));
	expect_said("text.slpc: not a compiled policy");
}

static int make_directory(void **state UNUSED)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_directory(void **state UNUSED)
{
	char command[64];

	begin(NULL);
	arena_free(&arena);
	said();
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(taking_away),
		cmocka_unit_test(faults),
		cmocka_unit_test(locks),
		cmocka_unit_test(command_line_on_top),
		cmocka_unit_test(compiled),
	};

	around.uid = (uint32_t)getuid();
	around.euid = (uint32_t)geteuid();
	around.gid = (uint32_t)getgid();
	return cmocka_run_group_tests_name("load", tests, make_directory, remove_directory);
}
