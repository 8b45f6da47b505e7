/* Values with paths: how they are cleaned, which variables they take, and the grammars of mounts. */
#include "policy/values.h"

#include "rows.h"

static char *const environment_list[] = {"USER=ann", "XDG_CACHE_HOME=/cache",
					 "EMPTY=", "TMPDIR=/tmp/x", NULL};
static const struct surroundings around = {
	.environment = environment_list,
	.cwd = "/work/dir",
	.home = "/home/ann",
	.uid = 1000,
	.gid = 100,
};

static void cleaning(void **state UNUSED)
{
	static const char *const rows[][3] = {
		{"/a", "b", "/a/b"},	     {"/a", "/b", "/b"},
		{"/a", "../b", "/b"},	     {"/a/b", "./../c/", "/a/c"},
		{"/", "a//b/./c", "/a/b/c"}, {"/a", ".", "/a"},
		{"/a", "../../..", "/"},     {NULL, "//", "/"},
		{NULL, "/a/../../b", "/b"},  {"/a", "..b/...", "/a/..b/..."},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(path_clean(&arena, rows[i][0], rows[i][1]), rows[i][2]);
	assert_true(path_within("/a/b", "/a") && path_within("/a", "/a") && path_within("/a", "/"));
	assert_false(path_within("/ab", "/a"));
	assert_false(path_within("/a", "/a/b"));
}

static void yaml_paths(void **state UNUSED)
{
	static const struct {
		const char *text, *path, *reason;
	} rows[] = {
		{"/usr", "/usr", NULL},
		{"lib", "/etc/sandlock/lib", NULL},
		{"~/x", "/home/ann/x", NULL},
		{"~", "/home/ann", NULL},
		{"${HOME}/x", "/home/ann/x", NULL},
		{"/run/user/${UID}/${GID}", "/run/user/1000/100", NULL},
		{"/h/${USER}", "/h/ann", NULL},
		{"${CWD}/build", "/work/dir/build", NULL},
		{"${POLICY_DIR}/a", "/etc/sandlock/a", NULL},
		{"${TMPDIR}", "/tmp/x", NULL},
		{"${XDG_CACHE_HOME}/s", "/cache/s", NULL},
		{"${XDG_STATE_HOME:-~/.local/state}/s", "/home/ann/.local/state/s", NULL},
		{"${XDG_STATE_HOME:-${HOME}/st}/s", "/home/ann/st/s", NULL},
		{"${EMPTY:-/e}", "/e", NULL},
		{"${OTHER:-/o}", "/o", NULL},
		{"/a$$b", "/a$b", NULL},
		{"/a b", "/a b", NULL},
		{"", NULL, "empty path"},
		{"${OTHER:-}", NULL, "empty path"},
		{"~bob/x", NULL, "~NAME is not expanded"},
		{"${OTHER}", NULL, "unknown variable ${OTHER}"},
		{"${HOEM}", NULL, "unknown variable"},
		{"${XDG_STATE_HOME}", NULL, "is not set"},
		{"${HOME", NULL, "unterminated"},
		{"${}", NULL, "malformed"},
		{"${1x}", NULL, "malformed"},
		{"${HOME-x}", NULL, "malformed"},
		{"$HOME", NULL, "a lone $"},
		{"/a$", NULL, "a lone $"},
	};
	struct value_context x = {.s = &around,
				  .dir = "/etc/sandlock",
				  .policy_dir = "/etc/sandlock",
				  .syntax = SYNTAX_YAML};
	const typeof(rows[0]) *row;
	const char *path;

	EACH(row, rows)
	{
		bool ok = value_path(row->text, &x, &path, &c);

		if (row->reason)
			expect_reason(row->text, ok, row->reason);
		else if (!ok || strcmp(path, row->path) != 0)
			fail_row(row->text, ok ? path : c.reason);
	}
	value_path("${HOEM}", &x, &path, &c);
	assert_string_equal(c.hint, "did you mean ${HOME}?");

	/* A set-id start is not steered by the invoker's variables. */
	struct surroundings privileged = around;
	privileged.privileged = true;
	x.s = &privileged;
	expect_reason("${USER}", value_path("${USER}", &x, &path, &c), "is not set");
	assert_true(value_path("~/x", &x, &path, &c));
}

static void toml_paths(void **state UNUSED)
{
	static const struct {
		const char *text, *path, *reason;
	} rows[] = {
		{"/usr", "/usr", NULL},
		{"${HOME}/x/${HOME}", "/home/ann/x/home/ann", NULL},
		{"~/x", NULL, "tilde is not expanded in profiles; write ${HOME} instead"},
		{"/a/${HOME", NULL, "unterminated ${"},
		{"/a/${1x}", NULL, "malformed variable name"},
		{"/a/${}", NULL, "malformed variable name"},
		{"/a/${HOME:-x}", NULL, "malformed variable name"},
		{"${home}", NULL,
		 "unknown variable ${home}; did you mean ${HOME}?; supported: ${HOME}"},
		{"${USER}", NULL, "unknown variable ${USER}"},
		{"$HOME", NULL, "bare $ is not a variable; write ${HOME} for a variable"},
		{"/a$", NULL, "bare $ is not allowed; a literal $ cannot appear in a profile path"},
		{"/a$$b", NULL, "bare $ is not allowed"},
	};
	struct surroundings s = around;
	struct value_context x = {.s = &s, .dir = "/cwd", .syntax = SYNTAX_TOML};
	const typeof(rows[0]) *row;
	const char *path;

	EACH(row, rows)
	{
		bool ok = value_path(row->text, &x, &path, &c);

		if (row->reason)
			expect_reason(row->text, ok, row->reason);
		else if (!ok || strcmp(path, row->path) != 0)
			fail_row(row->text, ok ? path : c.reason);
	}
	s.home = "//";
	expect_reason("${HOME}", value_path("${HOME}", &x, &path, &c), "no usable home directory");
	s.home = NULL;
	expect_reason("${HOME}", value_path("${HOME}", &x, &path, &c), "no usable home directory");
	assert_true(value_path("/usr", &x, &path, &c)); /* asked for only when needed */
}

struct mount_row {
	const char *text, *target, *source;
	uint32_t flags;
	const char *reason;
};

/* Relative to "/cwd". */
static void expect_mount(const struct mount_row *row,
			 bool (*parse)(const char *, const struct value_context *, struct item *,
				       struct complaint *))
{
	struct value_context x = {.s = &around, .dir = "/cwd", .syntax = SYNTAX_PLAIN};
	struct item item = {0};
	bool ok = parse(row->text, &x, &item, &c);

	if (row->reason)
		expect_reason(row->text, ok, row->reason);
	else if (!ok || strcmp(item.text, row->target) != 0 ||
		 strcmp(item.text2, row->source) != 0 || item.flags != row->flags)
		fail_row(row->text, c.reason);
}

static void mounts(void **state UNUSED)
{
	static const struct mount_row rows[] = {
		{"/data:/srv", "/data", "/srv", 0, NULL},
		{"/data:/srv:ro", "/data", "/srv", ITEM_READ_ONLY, NULL},
		{"/data:/srv:rw", "/data", "/srv", 0, NULL},
		{"/w:/a:b:ro", "/w", "/a:b", ITEM_READ_ONLY, NULL},
		{"/w:rel", "/w", "/cwd/rel", 0, NULL},
		{"/data", NULL, NULL, 0, "expected VIRTUAL:HOST"},
		{"/data:", NULL, NULL, 0, "expected VIRTUAL:HOST"},
		{":/srv", NULL, NULL, 0, "expected VIRTUAL:HOST"},
		{"/data:ro", NULL, NULL, 0, "expected VIRTUAL:HOST"},
		{"", NULL, NULL, 0, "expected VIRTUAL:HOST"},
		{"data:/srv", NULL, NULL, 0, "must be absolute"},
	};
	const struct mount_row *row;

	EACH(row, rows)
	expect_mount(row, value_mount);
}

static void volumes(void **state UNUSED)
{
	static const struct mount_row rows[] = {
		{"/srv:/data", "/data", "/srv", 0, NULL},
		{"./src:/app/src:ro", "/app/src", "/cwd/src", ITEM_READ_ONLY, NULL},
		{"../a:/b:ro,noexec", "/b", "/a", ITEM_READ_ONLY | ITEM_NOEXEC, NULL},
		{".:/b:rw", "/b", "/cwd", 0, NULL},
		{"/a:b:/c", "/c", "/a:b", 0, NULL},
		{"cache:/c", NULL, NULL, 0, "named volumes are not available"},
		{"/a", NULL, NULL, 0, "expected SRC:DEST"},
		{"/a:", NULL, NULL, 0, "expected SRC:DEST"},
		{":/a", NULL, NULL, 0, "expected SRC:DEST"},
		{"/a:/b:fast", NULL, NULL, 0, "unknown option \"fast\""},
		{"/a:rel", NULL, NULL, 0, "must be absolute"},
		{"/a:/", NULL, NULL, 0, "must not be /"},
		{"/a:/b;c", NULL, NULL, 0, "must not contain"},
	};
	const struct mount_row *row;

	EACH(row, rows)
	expect_mount(row, value_volume);

	struct value_context x = {.s = &around, .dir = "/cwd", .syntax = SYNTAX_YAML};
	struct item item = {0};
	assert_true(value_volume("${XDG_DATA_HOME:-~/d}:/data", &x, &item, &c));
	assert_string_equal(item.text2, "/home/ann/d");
}

static void memory_file_systems(void **state UNUSED)
{
	static const struct {
		const char *text, *path;
		uint64_t size, mode;
		uint32_t flags;
		const char *reason;
	} rows[] = {
		{"/scratch", "/scratch", 0, 01777, 0, NULL},
		{"/scratch:100M", "/scratch", 100 << 20, 01777, 0, NULL},
		{"/s::ro,mode=700", "/s", 0, 0700, ITEM_READ_ONLY, NULL},
		{"/s:1G:noexec", "/s", 1 << 30, 01777, ITEM_NOEXEC, NULL},
		{"", NULL, 0, 0, 0, "empty path"},
		{":1M", NULL, 0, 0, 0, "empty path"},
		{"rel", NULL, 0, 0, 0, "must be absolute"},
		{"/", NULL, 0, 0, 0, "must not be /"},
		{"/s:100", NULL, 0, 0, 0, "smaller than a page"},
		{"/s:x", NULL, 0, 0, 0, "size: expected a number"},
		{"/s:1M:mode=8", NULL, 0, 0, 0, "octal"},
		{"/s:1M:mode=17777", NULL, 0, 0, 0, "octal"},
		{"/s:1M:mode=", NULL, 0, 0, 0, "octal"},
		{"/s:1M:big", NULL, 0, 0, 0, "unknown option"},
	};
	const typeof(rows[0]) *row;

	EACH(row, rows)
	{
		struct item item = {0};
		bool ok = value_tmpfs(row->text, NULL, &item, &c);

		if (row->reason)
			expect_reason(row->text, ok, row->reason);
		else if (!ok || strcmp(item.text, row->path) != 0 || item.num != row->size ||
			 item.num2 != row->mode || item.flags != row->flags)
			fail_row(row->text, c.reason);
	}
}

static void variables(void **state UNUSED)
{
	struct policy policy;
	struct value_context x = {
		.s = &around, .dir = "/", .syntax = SYNTAX_YAML, .policy = &policy};
	const char *path;

	policy_init(&policy, &arena);
	assert_true(value_path("${HOME}/${XDG_STATE_HOME:-s}/${HOME}", &x, &path, &c));
	assert_int_equal(policy.dependency_count, 2);
	assert_string_equal(policy.dependencies[0].path, "${HOME}=/home/ann");
	assert_string_equal(policy.dependencies[1].path, "${XDG_STATE_HOME}");
	assert_true(variable_unchanged("${HOME}=/home/ann", &around));
	assert_false(variable_unchanged("${HOME}=/home/bob", &around));
	assert_true(variable_unchanged("${XDG_STATE_HOME}", &around));
	assert_false(variable_unchanged("${USER}", &around));
	assert_false(variable_unchanged("/etc", &around));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleaning),   cmocka_unit_test(yaml_paths),
		cmocka_unit_test(toml_paths), cmocka_unit_test(mounts),
		cmocka_unit_test(volumes),    cmocka_unit_test(memory_file_systems),
		cmocka_unit_test(variables),
	};

	return cmocka_run_group_tests(tests, NULL, rows_end);
}
