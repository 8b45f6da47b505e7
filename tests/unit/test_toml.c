/* TOML profiles: the grammar, the reference's schema, and where each error points. */
#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct loaded {
	struct arena arena;
	struct policy policy;
	struct error err;
	bool ok;
};

static char *environment[] = {NULL};
static struct surroundings around = {
	.environment = environment,
	.cwd = "/work",
	.home = "/home/u",
	.uid = 1000,
	.euid = 1000,
	.gid = 1000,
};

static void load_bytes(struct loaded *l, const char *text, size_t size)
{
	*l = (struct loaded){0};
	policy_init(&l->policy, &l->arena);

	char *copy = arena_alloc(&l->arena, size + 1);
	memcpy(copy, text, size);
	struct source src = {.path = "/p/x.toml", .text = copy, .size = size};
	l->ok = toml_load(&src, &around, &l->policy, &l->err);
	assert_int_equal(l->ok, l->err.errors == 0);
}

static void load(struct loaded *l, const char *text)
{
	load_bytes(l, text, strlen(text));
}

static void unload(struct loaded *l)
{
	arena_free(&l->arena);
	error_free(&l->err);
}

static const char *text_of(struct loaded *l, enum option_id id, size_t i)
{
	assert_true(i < l->policy.values[id].count);
	return l->policy.values[id].items[i].text;
}

struct bad {
	const char *text;
	uint32_t line, col;
	const char *expected;
};

static void expect_errors(const struct bad *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct loaded l;
		auto_str text = {0};

		load(&l, rows[i].text);
		error_format(&l.err, &text);
		if (l.ok || !strstr(str_text(&text), rows[i].expected))
			fail_msg("row %zu: expected \"%s\" for\n%s\ngot\n%s", i, rows[i].expected,
				 rows[i].text, str_text(&text));
		if (rows[i].line) {
			assert_string_equal(l.err.list[0].origin.file, "/p/x.toml");
			if (l.err.list[0].origin.line != rows[i].line ||
			    l.err.list[0].origin.col != rows[i].col)
				fail_msg("row %zu: expected %u:%u, got\n%s", i, rows[i].line,
					 rows[i].col, str_text(&text));
		}
		unload(&l);
	}
}

static void test_every_key(void **state)
{
	(void)state;
	struct loaded l;

	load(&l,
	     "# a comment\n"
	     "[config]\r\n"
	     "http_ca = \"/ca.pem\"\nhttp_key = '/ca.key'\nhttp_inject_ca = [ \"/a\", '/b', ]\n"
	     "http_ca_out = \"/out\"\nfs_storage = \"/s\"\nworkdir = \"/w\"\n"
	     "[determinism]\nrandom_seed = 0x2A\ntime_start = \"2026-01-01T00:00:00Z\"\n"
	     "deterministic_dirs = true\nno_randomize_memory = true\n"
	     "[program]\nexec = \"/usr/bin/make\"\nargs = [\"-j4\", \"all\"]\n"
	     "env = { CC = \"gcc\", \"LANG\" = 'C' }\ncwd = \"/\"\nuid = 1_000\ngid = 0b101\n"
	     "clean_env = true\nno_coredump = true\nno_huge_pages = false\n"
	     "[filesystem]\nread = [\n \"/usr\", # one\n \"/lib\"\n\n]\nwrite = [\"${HOME}/x\", \"rel\"]\n"
	     "deny = []\nchroot_ = 1\n");
	assert_false(l.ok); /* chroot_ */
	assert_int_equal(l.err.errors, 1);
	assert_int_equal(l.policy.values[OPT_random_seed].items[0].num, 42);
	assert_int_equal(l.policy.values[OPT_uid].items[0].num, 1000);
	assert_int_equal(l.policy.values[OPT_gid].items[0].num, 5);
	assert_string_equal(text_of(&l, OPT_env, 0), "CC=gcc");
	assert_string_equal(text_of(&l, OPT_env, 1), "LANG=C");
	assert_string_equal(text_of(&l, OPT_fs_read, 1), "/lib");
	assert_int_equal(l.policy.values[OPT_fs_read].items[1].origin.line, 27);
	assert_int_equal(l.policy.values[OPT_fs_read].items[1].origin.col, 2);
	assert_string_equal(text_of(&l, OPT_fs_write, 0), "/home/u/x");
	assert_string_equal(text_of(&l, OPT_fs_write, 1), "/work/rel");
	assert_true(l.policy.values[OPT_fs_deny].set);
	assert_string_equal(text_of(&l, OPT_args, 0), "-j4");
	unload(&l);

	load(&l,
	     "filesystem.mount = [\"/v:/h:ro\", \"/w:/a:b\"]\nfilesystem.on_exit = \"defer\"\n"
	     "filesystem.on_error = 'keep'\n"
	     "[network]\nallow_bind = [8080, \"9000-9005\", \"80,443\"]\ndeny_bind = [22]\n"
	     "allow = [\"example.com:443\"]\ndeny = [\"10.0.0.0/8\"]\nport_remap = true\n"
	     "[http]\nports = [80]\nallow = [\"GET a/b\"]\ndeny = [\"* */x\"]\n"
	     "[syscalls]\nextra_allow = [\"sysv_ipc\"]\nextra_deny = [\"mincore\"]\n"
	     "[limits]\nmemory = \"512M\"\ndisk = \"1g\"\nprocesses = 64\nopen_files = +256\nnum_cpus = 2\n"
	     "cpu = 50\ngpu_devices = []\ncpu_cores = [0, 1]\n"
	     "[program.env]\nA = \"1\"\n\"B.C\" = \"2\"\n");
	if (!l.ok) {
		auto_str text = {0};
		error_format(&l.err, &text);
		fail_msg("%s", str_text(&text));
	}
	assert_string_equal(text_of(&l, OPT_fs_mount, 0), "/v");
	assert_true(l.policy.values[OPT_fs_mount].items[0].flags & ITEM_READ_ONLY);
	assert_string_equal(l.policy.values[OPT_fs_mount].items[1].text2, "/a:b");
	assert_int_equal(l.policy.values[OPT_net_allow_bind].count, 4);
	assert_int_equal(l.policy.values[OPT_memory].items[0].num, 512u << 20);
	assert_int_equal(l.policy.values[OPT_disk].items[0].num, 1u << 30);
	assert_true(l.policy.values[OPT_gpu].set);
	assert_int_equal(l.policy.values[OPT_gpu].count, 0);
	assert_string_equal(text_of(&l, OPT_env, 1), "B.C=2");
	unload(&l);

	/* Keys of earlier releases. */
	load(&l, "[network]\nnet_bind = [80]\nnet_allow = [\"a.test\"]\nnet_deny = [\"host\"]\n");
	assert_true(l.ok);
	assert_int_equal(l.err.count, 3);
	assert_string_equal(l.err.list[0].id, "W001");
	assert_int_equal(l.policy.values[OPT_net_allow_bind].items[0].num, 80);
	assert_string_equal(text_of(&l, OPT_net_allow, 0), "a.test");
	assert_string_equal(text_of(&l, OPT_net_deny, 0), "host");
	unload(&l);
}

static void test_strings(void **state)
{
	(void)state;
	static const struct {
		const char *toml, *expected;
	} rows[] = {
		{"\"a\\tb\\n\\\"\\\\\\u00e9\\U0001F600\\b\\f\\r\"",
		 "a\tb\n\"\\\xc3\xa9\xf0\x9f\x98\x80\b\f\r"},
		{"'a\\tb'", "a\\tb"},
		{"\"\"\"\nx\ny\"\"\"", "x\ny"},
		{"\"\"\"a \\\n   \r\n  b\"\"\"", "a b"},
		{"\"\"\"say \"\"hi\"\"\"\"\"", "say \"\"hi\"\""},
		{"'''\r\nl\\n'q' '''", "l\\n'q' "},
		{"\"\"", ""},
		{"\"\xe2\x82\xac\"", "\xe2\x82\xac"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loaded l;
		auto_str text = {0};

		str_printf(&text, "[program]\nargs = [%s]\n", rows[i].toml);
		load(&l, str_text(&text));
		assert_true(l.ok);
		assert_string_equal(text_of(&l, OPT_args, 0), rows[i].expected);
		unload(&l);
	}
}

static void test_syntax_errors(void **state)
{
	(void)state;
	static const struct bad rows[] = {
		{"[filesystem\n", 1, 12, "TOML parse error"},
		{"[filesystem]\nread = [\"/a\" \"/b\"]\n", 2, 14,
		 "TOML parse error: expected `,` or `]`"},
		{"[filesystem]\nread = [\"/a\n", 2, 12, "TOML parse error: unterminated string"},
		{"[filesystem]\nread = \n", 2, 8, "TOML parse error: expected a value"},
		{"[filesystem]\nread = usr\n", 2, 8, "TOML parse error: expected a value"},
		{"[filesystem]\nread []\n", 2, 6, "TOML parse error: expected `.` or `=`"},
		{"[filesystem]\n[filesystem]\n", 2, 2,
		 "TOML parse error: duplicate key `filesystem`"},
		{"[limits]\ncpu = 1\ncpu = 2\n", 3, 1, "TOML parse error: duplicate key `cpu`"},
		{"[limits]\ncpu = 007\n", 2, 7, "TOML parse error: invalid value"},
		{"[limits]\ncpu = 1__0\n", 2, 7, "TOML parse error: invalid value"},
		{"[limits]\ncpu = _1\n", 2, 7, "TOML parse error"},
		{"[limits]\ncpu = 99999999999999999999\n", 2, 7, "too large"},
		{"[limits] x\n", 1, 10, "TOML parse error: expected a newline"},
		{"[limits]\nmemory = \"\\q\"\n", 2, 12, "TOML parse error: invalid escape"},
		{"[limits]\nmemory = \"\\uD800\"\n", 2, 0, "Unicode scalar"},
		{"[limits]\nmemory = \"\\u0000\"\n", 2, 0, "NUL"},
		{"[limits]\nmemory = \"a\x01\"\n", 2, 12, "control character"},
		{"program.env = {A = \"1\"}\nprogram.env.B = \"2\"\n", 2, 0, "duplicate key `env`"},
		{"[program]\nenv = {A = \"1\",}\n", 2, 16, "expected a key"},
		{"[program.env]\nA = \"x\"\n[program]\nenv.B = \"y\"\n", 4, 1,
		 "duplicate key `env`"},
		{"=1\n", 1, 1, "expected a key"},
		{"\xff\n", 1, 1, "UTF-8"},
		{"[program]\nargs = [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", 2, 0, "deep"},
		{"a\rb = 1\n", 1, 2, "TOML parse error"},
	};
	struct bad fixed[ARRAY_LEN(rows)];

	memcpy(fixed, rows, sizeof rows);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (!fixed[i].col)
			fixed[i].line = 0;
	}
	expect_errors(fixed, ARRAY_LEN(fixed));
}

static void test_schema_errors(void **state)
{
	(void)state;
	static const struct bad rows[] = {
		{"[filesystm]\n", 1, 2, "unknown field `filesystm`"},
		{"[filesystm]\n", 1, 2, "did you mean `filesystem`?"},
		{"fs_readable = []\n", 1, 1, "unknown field `fs_readable`"},
		{"[filesystem]\nraed = []\n", 2, 1, "unknown field `raed`"},
		{"[filesystem]\nisolation = \"none\"\n", 2, 1, "unknown field `isolation`"},
		{"[program]\nno_supervisor = true\n", 2, 1, "unknown field `no_supervisor`"},
		{"[[filesystem]]\n", 1, 3,
		 "filesystem: TOML parse error: invalid type: sequence, expected a map"},
		{"[limits]\nmemory = 512\n", 2, 10,
		 "limits.memory: TOML parse error: invalid type: integer `512`, expected a string"},
		{"[limits]\ncpu = 1.5\n", 2, 7, "invalid type: floating point `1.5`"},
		{"[limits]\ncpu = 256\n", 2, 7, "invalid value: integer `256`, expected u8"},
		{"[limits]\ncpu = 101\n", 2, 7, "100"},
		{"[limits]\nprocesses = -1\n", 2, 13, "invalid value: integer `-1`, expected u32"},
		{"[limits]\nopen_files = 0\n", 2, 14, "[limits].open_files"},
		{"[limits]\nmemory = \"1.5G\"\n", 2, 10, "[limits].memory: invalid size \"1.5G\""},
		{"[limits]\nmemory = \"1T\"\n", 2, 10, "invalid size"},
		{"[limits]\nmemory = \"\"\n", 2, 10, "invalid size"},
		{"[limits]\nmemory = \"99999999999999999999G\"\n", 2, 10, "too large"},
		{"[program]\nclean_env = \"yes\"\n", 2, 13,
		 "program.clean_env: TOML parse error: invalid type: string \"yes\", expected a boolean"},
		{"[program]\nuid = 1000\n", 2, 7, "program.uid and program.gid must both be set"},
		{"[program]\ngid = 1000\n", 2, 7, "program.uid and program.gid must both be set"},
		{"[program]\nenv = {A = 1}\n", 2, 12, "program.env.A"},
		{"[program]\nenv = {\"A=B\" = \"1\"}\n", 2, 8, "invalid variable name"},
		{"[program]\nargs = \"x\"\n", 2, 8, "expected a sequence"},
		{"[determinism]\ntime_start = 2026-01-01T00:00:00Z\n", 2, 14,
		 "invalid type: datetime `2026-01-01T00:00:00Z`"},
		{"[determinism]\ntime_start = 2026-01-01 00:00:00\n", 2, 14,
		 "invalid type: datetime `2026-01-01 00:00:00`"},
		{"[determinism]\ntime_start = \"@5\"\n", 2, 14, "[determinism].time_start"},
		{"[determinism]\ntime_start = \"2026-01-01\"\n", 2, 14, "[determinism].time_start"},
		{"[network]\nallow_bind = [65536]\n", 2, 15, "expected u16"},
		{"[network]\ndeny_bind = [\"*\"]\n", 2, 14, "wildcard"},
		{"[network]\nallow = [\"a b\"]\n", 2, 10, "[network].allow: invalid rule"},
		{"[network]\ndeny = [\"a.test\"]\n", 2, 9, "not an IP or CIDR"},
		{"[network]\nallow = [80]\n", 2, 10, "expected a string"},
		{"[network]\nallow_bind = [1]\nnet_bind = [2]\n", 3, 1, "unknown field"},
		{"[network]\nrules = [\"allow@any\"]\n", 2, 1, "unknown field"},
		{"[limits]\nnet_bind = [2]\n", 2, 1, "unknown field"},
		{"[filesystem]\non_exit = \"x\"\n", 2, 11,
		 "[filesystem].on_exit: invalid branch action \"x\"; expected \"commit\" | \"abort\" | \"keep\" | \"defer\""},
		{"[filesystem]\nread = [\"~/x\"]\n", 2, 9,
		 "tilde is not expanded in profiles; write ${HOME} instead"},
		{"[filesystem]\nread = [\"~/x\"]\n", 2, 9, "[filesystem].read: "},
		{"[filesystem]\nread = [\"${HOME\"]\n", 2, 9, "unterminated ${"},
		{"[filesystem]\nread = [\"${1x}\"]\n", 2, 9, "malformed variable name"},
		{"[filesystem]\nread = [\"${}\"]\n", 2, 9, "malformed variable name"},
		{"[filesystem]\nread = [\"${home}\"]\n", 2, 9,
		 "unknown variable ${home}; did you mean ${HOME}?; supported: ${HOME}"},
		{"[filesystem]\nread = [\"$HOME\"]\n", 2, 9,
		 "bare $ is not a variable; write ${HOME} for a variable"},
		{"[filesystem]\nread = [\"/a$\"]\n", 2, 9,
		 "bare $ is not allowed; a literal $ cannot appear in a profile path"},
		{"[filesystem]\nchroot = \"/r\"\nread = [\"${HOME}\"]\n", 3, 9,
		 "[filesystem].read: "},
		{"[filesystem]\nread = [\"${HOME}\"]\nchroot = \"/r\"\n", 2, 9, "chroot"},
	};

	expect_errors(rows, ARRAY_LEN(rows));
}

static void test_all_errors_are_reported(void **state)
{
	(void)state;
	struct loaded l;

	load(&l, "[limits]\ncpu = \"x\"\nmemory = 3\nfoo = 1\n[nope]\n");
	assert_int_equal(l.err.errors, 4);
	unload(&l);
}

static void test_home(void **state)
{
	(void)state;
	struct loaded l;

	around.home = "/";
	load(&l, "[filesystem]\nwrite = [\"${HOME}\"]\n");
	assert_false(l.ok);
	unload(&l);
	around.home = NULL;
	load(&l, "[filesystem]\nwrite = [\"/x\"]\n");
	assert_true(l.ok);
	unload(&l);
	around.home = "/home/u";
	load(&l, "[program]\nargs = [\"~ $HOME ${x\"]\nenv = {A = \"${HOME}\"}\n");
	assert_true(l.ok);
	assert_string_equal(text_of(&l, OPT_env, 0), "A=${HOME}");
	unload(&l);
}

/* Cheap to parse whatever it contains: no step is quadratic in the size of the file. */
static void test_bombs(void **state)
{
	(void)state;
	const size_t size = 1024 * 1024;
	char *text = malloc(size);
	static const char *const patterns[] = {"[", "a.", "\"",	   "[[",	"a=[", "{", "a={b.",
					       "#", "'",  "x=1\n", "[a.a.a]\n", "=",   "1,"};
	struct loaded l;

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		size_t n = strlen(patterns[i]);

		for (size_t at = 0; at < size; at++)
			text[at] = patterns[i][at % n];
		load_bytes(&l, text, size);
		unload(&l);
	}
	free(text);
}

/* Every prefix of a good file is either good or an error with a place; nothing is read past the end. */
static void test_prefixes(void **state)
{
	(void)state;
	static const char text[] =
		"[program]\nenv = {A = \"1\", b.c = '''x'''}\nargs = [\"\"\"a\\\n b\"\"\", 'c']\n"
		"[limits]\ncpu = 0x10 # c\n[[x.y]]\nd = 2026-01-01 10:00:00.5Z\n";

	for (size_t n = 0; n < sizeof text; n++) {
		struct loaded l;

		load_bytes(&l, text, n);
		for (size_t i = 0; i < l.err.count; i++)
			assert_true(l.err.list[i].origin.line >= 1 &&
				    l.err.list[i].origin.col >= 1);
		unload(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_schema_errors),
		cmocka_unit_test(test_all_errors_are_reported),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
