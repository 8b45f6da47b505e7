/* Names of policies: the order of places, who may own what is found, and what is remembered for the cache. */
#include "policy/load.h"

#include "lacking.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char xdg[600];
static char *environment[] = {NULL, NULL};
static struct surroundings around;

struct opened {
	struct arena arena;
	struct policy policy;
	struct source source;
	struct error err;
	struct str text;
	bool ok;
};

static void try_open(struct opened *o, const char *name, const char *relative_to)
{
	*o = (struct opened){0};
	policy_init(&o->policy, &o->arena);
	o->ok = source_open(name, relative_to, &around, &o->policy, &o->source, &o->err);
	error_format(&o->err, &o->text);
	assert_int_equal(o->ok, o->err.errors == 0);
}

static void forget(struct opened *o)
{
	arena_free(&o->arena);
	error_free(&o->err);
	str_free(&o->text);
}

static void finds(const char *name, const char *text)
{
	struct opened o;

	try_open(&o, name, NULL);
	if (!o.ok)
		fail_msg("%s: %s", name, str_text(&o.text));
	assert_string_equal(o.source.text, text);
	assert_int_equal(o.source.size, strlen(text));
	forget(&o);
}

static void refuses_from(const char *name, const char *relative_to, const char *why)
{
	struct opened o;

	try_open(&o, name, relative_to);
	if (o.ok || !strstr(str_text(&o.text), why))
		fail_msg("%s: expected \"%s\", got \"%s\"", name, why, str_text(&o.text));
	forget(&o);
}

static void refuses(const char *name, const char *why)
{
	refuses_from(name, NULL, why);
}

static int set_up(void **state)
{
	static char cwd[600], home[600], shipped[600];

	(void)state;
	scratch_begin();
	snprintf(cwd, sizeof cwd, "%s", scratch("cwd"));
	snprintf(home, sizeof home, "%s", scratch("home"));
	snprintf(shipped, sizeof shipped, "%s", scratch("shipped"));
	scratch_dir("cwd", 0755);
	scratch_dir("home", 0755);
	around = (struct surroundings){
		.environment = environment,
		.cwd = cwd,
		.home = home,
		.shipped = shipped,
		.uid = getuid(),
		.euid = geteuid(),
		.gid = getgid(),
	};
	environment[0] = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_end();
	return 0;
}

static void use_xdg(void)
{
	snprintf(xdg, sizeof xdg, "XDG_CONFIG_HOME=%s", scratch("xdg"));
	environment[0] = xdg;
}

static void test_order(void **state)
{
	(void)state;
	static char path[1300];

	scratch_file("shipped/t-one.yaml", "shipped", 0644);
	finds("t-one", "shipped");
	scratch_file("home/.config/sandlock/profiles/t-one.toml", "profile", 0644);
	finds("t-one", "profile");
	scratch_file("home/.config/sandlock/profiles/t-one.yml", "yml", 0644);
	finds("t-one", "yml");
	scratch_file("home/.config/sandlock/policies/t-one.yaml", "user", 0644);
	finds("t-one", "user");
	finds("user:t-one", "user");
	finds("shipped:t-one", "shipped");
	refuses("system:t-one", "no policy named");
	refuses("builtin:t-one", "no policy named");
	refuses("other:t-one", "is not a name");

	/* An absolute XDG_CONFIG_HOME moves policies; the reference's directory stays where it was as well. */
	use_xdg();
	finds("t-one", "yml");
	scratch_file("xdg/sandlock/profiles/t-one.toml", "xdg profile", 0644);
	finds("t-one", "xdg profile");
	scratch_file("xdg/sandlock/policies/t-one.yaml", "xdg user", 0644);
	finds("t-one", "xdg user");
	around.privileged = true;
	finds("t-one", "user");
	around.privileged = false;
	environment[0] = (char[]){"XDG_CONFIG_HOME=relative"};
	finds("t-one", "user");
	environment[0] = NULL;

	snprintf(path, sizeof path, "relative:%s::%s/", scratch("missing"), scratch("extra"));
	around.policy_path = path;
	finds("t-one", "user");
	scratch_file("extra/t-one.yaml", "extra", 0644);
	finds("t-one", "extra");
	around.policy_path = NULL;

	around.home = NULL;
	finds("t-one", "shipped");
	around.home = "/";
	finds("t-one", "shipped");
}

static void test_names(void **state)
{
	(void)state;
	static const char *const bad[] = {"",	  ".",	   "..",       ".x",	"-x",
					  "a..b", "a b",   "a\nb",     "user:", "user:..x",
					  ":x",	  "a:b:c", "\xc3\xa9", "$x"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refuses(bad[i], "is not a name");
	refuses("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"is not a name");
	scratch_file("shipped/t-python.yaml", "p", 0644);
	refuses("t-pyhton", "did you mean \"t-python\"?");
	/* A name is never looked for in the current directory. */
	scratch_file("cwd/t-local", "x", 0644);
	scratch_file("cwd/t-local.yaml", "local", 0644);
	refuses("t-local", "no policy named");
	finds("./t-local.yaml", "local");
	finds("t-local.yaml", "local");
}

static void test_paths(void **state)
{
	(void)state;
	struct opened o;

	scratch_file("cwd/a.yaml", "A", 0644);
	scratch_file("cwd/sub/b.yaml", "B", 0644);
	finds(scratch("cwd/a.yaml"), "A");
	finds("sub/../a.yaml", "A");
	finds("./././/a.yaml", "A");
	refuses("nothing.yaml", "No such file");
	refuses("a.yaml/", "Not a directory");
	refuses("a.yaml/x", "Not a directory");
	refuses("/", "directory");
	refuses("sub/", "directory");
	refuses("./sub", "not a regular file");
	refuses("/dev/null", "not a regular file");

	try_open(&o, "b.yaml", scratch("cwd/sub"));
	assert_true(o.ok);
	assert_string_equal(o.source.path, scratch("cwd/sub/b.yaml"));
	forget(&o);

	/* Links are followed; the canonical path and the way that led there are both remembered. */
	assert_int_equal(symlink("sub/b.yaml", scratch("cwd/link.yaml")), 0);
	assert_int_equal(symlink(scratch("cwd"), scratch("cwd/sub/up")), 0);
	try_open(&o, "sub/up/link.yaml", NULL);
	assert_true(o.ok);
	assert_string_equal(o.source.path, scratch("cwd/sub/b.yaml"));
	assert_int_equal(o.policy.dependency_count, 1);
	assert_string_equal(o.policy.dependencies[0].path, scratch("cwd/sub/b.yaml"));
	assert_string_equal(o.policy.dependencies[0].lookup, scratch("cwd/sub/up/link.yaml"));
	forget(&o);
	assert_int_equal(symlink("loop.yaml", scratch("cwd/loop.yaml")), 0);
	refuses("loop.yaml", "symbolic links");
	assert_int_equal(symlink("gone", scratch("cwd/dangling.yaml")), 0);
	refuses("dangling.yaml", "No such file");
	assert_int_equal(mkfifo(scratch("cwd/fifo.yaml"), 0600), 0);
	refuses("fifo.yaml", "not a regular file");
}

static void test_size(void **state)
{
	(void)state;
	scratch_file("cwd/big.yaml", "", 0644);
	assert_int_equal(truncate(scratch("cwd/big.yaml"), 1024 * 1024 + 1), 0);
	refuses("big.yaml", "larger than 1 MiB");
	assert_int_equal(truncate(scratch("cwd/big.yaml"), 1024 * 1024), 0);
	struct opened o;
	try_open(&o, "big.yaml", NULL);
	assert_true(o.ok);
	assert_int_equal(o.source.size, 1024 * 1024);
	forget(&o);
}

static void test_modes(void **state)
{
	(void)state;
	scratch_file("cwd/w.yaml", "x", 0666);
	refuses("w.yaml", "everybody can write the file");
	around.trust_policy = true;
	if (geteuid() == 0)
		refuses("w.yaml", "everybody can write the file");
	else
		finds("w.yaml", "x");
	around.trust_policy = false;

	scratch_file("cwd/open/x.yaml", "x", 0644);
	scratch_dir("cwd/open", 0777);
	refuses("open/x.yaml", "everybody can write the directory");
	scratch_dir("cwd/open", 01777);
	finds("open/x.yaml", "x");

	/* A name: no override, and no way around a bad hit to a good one further down. */
	scratch_file("shipped/t-w.yaml", "good", 0644);
	scratch_file("home/.config/sandlock/policies/t-w.yaml", "bad", 0666);
	refuses("t-w", "everybody can write");
	around.trust_policy = true;
	refuses("t-w", "everybody can write");
	around.trust_policy = false;
	scratch_remove("home/.config/sandlock/policies/t-w.yaml");
	/* A directory that others can write matters only for what is found there. */
	scratch_dir("home/.config/sandlock/policies", 0777);
	finds("t-w", "good");
	scratch_file("home/.config/sandlock/policies/t-w.yaml", "bad", 0644);
	refuses("t-w", "everybody can write the directory");

	/* The group's bit: fine for a private group only. */
	scratch_file("cwd/g.yaml", "x", 0664);
	uint32_t gid = around.gid;
	around.gid = gid + 1;
	if (gid != 0)
		refuses("g.yaml", "can write the file");
	around.gid = gid;
}

static void test_owners(void **state)
{
	(void)state;
	if (geteuid() != 0)
		SKIP("geteuid() says that this is not root: it cannot give a file away");
	scratch_file("cwd/o.yaml", "x", 0644);
	finds("o.yaml", "x");
	assert_int_equal(chown(scratch("cwd/o.yaml"), 1234, 0), 0);
	refuses("o.yaml", "belongs to user 1234");
	around.trust_policy = true;
	refuses("o.yaml", "belongs to user 1234"); /* root may not */
	around.euid = around.uid = 1234;
	finds("o.yaml", "x");
	around.euid = around.uid = 1235;
	finds("o.yaml", "x"); /* others may, by an explicit path */
	around.trust_policy = false;
	refuses("o.yaml", "belongs to user 1234");
	around.euid = around.uid = 0;

	scratch_file("cwd/dir/p.yaml", "x", 0644);
	assert_int_equal(chown(scratch("cwd/dir"), 1234, 0), 0);
	refuses("dir/p.yaml", "the directory");
	assert_int_equal(symlink("o2.yaml", scratch("cwd/l.yaml")), 0);
	scratch_file("cwd/o2.yaml", "x", 0644);
	finds("l.yaml", "x");
	assert_int_equal(lchown(scratch("cwd/l.yaml"), 1234, 0), 0);
	refuses("l.yaml", "the symbolic link");

	/* Group write by another group than root's and the user's own. */
	scratch_file("cwd/g.yaml", "x", 0664);
	finds("g.yaml", "x");
	assert_int_equal(chown(scratch("cwd/g.yaml"), 0, 50), 0);
	refuses("g.yaml", "group 50 can write the file");

	/* Root ignores a directory of the search path that is not its own, files in it and all. */
	scratch_file("extra/t-x.yaml", "x", 0644);
	around.policy_path = scratch("extra");
	finds("t-x", "x");
	assert_int_equal(chown(scratch("extra"), 1234, 0), 0);
	refuses("t-x", "no policy named");
	around.policy_path = NULL;
}

static void test_descriptors(void **state)
{
	(void)state;
	int pipes[2];
	char name[32];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "piped", 5), 5);
	close(pipes[1]);
	snprintf(name, sizeof name, "fd:%d", pipes[0]);
	refuses_from(name, "/x", "cannot extend");
	finds(name, "piped");
	close(pipes[0]);
	refuses(name, "Bad file descriptor");
	refuses("fd:x", "is not a name");
	refuses("fd:99999999999", "is not a name");

	scratch_file("cwd/f.yaml", "file", 0666);
	int fd = open(scratch("cwd/f.yaml"), O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof name, "/dev/fd/%d", fd);
	refuses(name, "everybody can write");
	assert_int_equal(fchmod(fd, 0600), 0);
	finds(name, "file");
	close(fd);
	fd = open(scratch("cwd"), O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof name, "fd:%d", fd);
	refuses(name, "is not a file");
	close(fd);
}

static const struct dependency *dependency(const struct policy *p, const char *path)
{
	for (size_t i = 0; i < p->dependency_count; i++) {
		if (strcmp(p->dependencies[i].path, path) == 0)
			return &p->dependencies[i];
	}
	return NULL;
}

static void test_dependencies(void **state)
{
	(void)state;
	struct opened o;

	scratch_dir("home/.config/sandlock/policies", 0755);
	scratch_file("shipped/t-d.yml", "x", 0644);
	try_open(&o, "t-d", NULL);
	assert_true(o.ok);
	assert_true(
		dependency(&o.policy, scratch("home/.config/sandlock/policies/t-d.yaml"))->missing);
	assert_true(
		dependency(&o.policy, scratch("home/.config/sandlock/policies/t-d.toml"))->missing);
	/* Of a directory that is missing only itself is remembered. */
	assert_true(dependency(&o.policy, scratch("home/.config/sandlock/profiles"))->missing);
	assert_true(dependency(&o.policy, scratch("shipped/t-d.yaml"))->missing);
	assert_null(dependency(&o.policy, scratch("shipped/t-d.toml")));
	const struct dependency *hit = dependency(&o.policy, scratch("shipped/t-d.yml"));
	assert_non_null(hit);
	assert_false(hit->missing);
	assert_int_equal(hit->size, 1);
	assert_true(hit->hash[0] && hit->hash[1]);
	/* Twice the same is remembered once. */
	size_t count = o.policy.dependency_count;
	assert_true(source_open("t-d", NULL, &around, &o.policy, &o.source, &o.err));
	assert_int_equal(o.policy.dependency_count, count);
	forget(&o);
}

static const struct policy_entry *entry(const struct policy_entry *list, size_t count,
					const char *name, size_t nth)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) == 0 && nth-- == 0)
			return &list[i];
	}
	return NULL;
}

static void test_enumerate(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena arena = {0};
	size_t count;

	scratch_file("shipped/t-e.yaml",
		     "version: 1\ndescription: \"for: tests\" # x\nlocked: true\n", 0644);
	scratch_file("shipped/.hidden.yaml", "", 0644);
	scratch_file("shipped/README", "", 0644);
	scratch_dir("shipped/t-dir.yaml", 0755);
	scratch_file("home/.config/sandlock/policies/t-e.yml", "description: mine  # comment\n",
		     0644);
	scratch_file("home/.config/sandlock/policies/t-e.yaml", "description: first\nlocked: false",
		     0644);
	scratch_file("home/.config/sandlock/profiles/t-t.toml", "description: x", 0644);
	scratch_file("home/.config/sandlock/profiles/t-u.yaml", "description: secret", 0666);
	const struct policy_entry *list = policy_enumerate(&around, &arena, &count);

	const struct policy_entry *first = entry(list, count, "t-e", 0);
	assert_string_equal(first->description, "first");
	assert_string_equal(first->place, "user");
	assert_false(first->shadowed || first->locked);
	assert_string_equal(entry(list, count, "t-e", 1)->description, "mine");
	assert_true(entry(list, count, "t-e", 1)->shadowed);
	const struct policy_entry *third = entry(list, count, "t-e", 2);
	assert_string_equal(third->description, "for: tests");
	assert_string_equal(third->place, "shipped");
	assert_true(third->shadowed && third->locked);
	assert_null(entry(list, count, "t-e", 3));
	assert_string_equal(entry(list, count, "t-t", 0)->place, "profiles");
	assert_null(entry(list, count, "t-t", 0)->description);
	assert_null(entry(list, count, "t-u", 0)->description);
	assert_null(entry(list, count, "README", 0));
	assert_null(entry(list, count, "t-dir", 0));
	for (size_t i = 1; i < count; i++)
		assert_true(strcmp(list[i - 1].name, list[i].name) <= 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_order),	TEST(test_names),	 TEST(test_paths),
		TEST(test_size),	TEST(test_modes),	 TEST(test_owners),
		TEST(test_descriptors), TEST(test_dependencies), TEST(test_enumerate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
