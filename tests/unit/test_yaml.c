/* Policy files in YAML: what a file can say, and where exactly it is wrong. */
#include "policy/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *const environment[] = {"USER=ann", NULL};
static const struct surroundings around = {.environment = environment,
					   .cwd = "/work/dir",
					   .home = "/home/ann",
					   .uid = 1000,
					   .gid = 100};

static struct arena arena;
static struct error err;
static struct policy policy;
static struct extends extends;

static bool load_bytes(const char *text, size_t size)
{
	const struct source src = {.path = "/etc/sandlock/test.yaml", .text = text, .size = size};

	error_free(&err);
	arena_free(&arena);
	extends = (struct extends){0};
	policy_init(&policy, &arena);
	return yaml_load(&src, &around, &policy, &extends, &err);
}

static bool load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static const char *said(void)
{
	static struct str text;

	str_free(&text);
	error_format(&err, &text);
	return str_text(&text);
}

static void expect_ok(const char *text)
{
	if (!load(text) || err.errors)
		fail_msg("%s\n%s", text, said());
}

static const char *text_of(enum option_id id, size_t i)
{
	assert_true(i < policy.values[id].count);
	return policy.values[id].items[i].text;
}

/* Every key of the format is known; those of later versions load as well, and policy_check() refuses them. */
static void every_key(void **state UNUSED)
{
	expect_ok("version: 1\n"
		  "name: test\n"
		  "description: Shows every key; not a sensible policy.\n"
		  "extends: [base-system, net-dns]\n"
		  "locked: false\n"
		  "config:\n"
		  "  name: api.local\n"
		  "  hostname: api\n"
		  "  supervisor: true\n"
		  "  log_level: warn\n"
		  "  http_ca: ${POLICY_DIR}/ca.pem\n"
		  "  http_key: ${POLICY_DIR}/ca.key\n"
		  "  http_inject_ca: [/etc/ssl/certs/ca-certificates.crt]\n"
		  "  http_ca_out: ${XDG_RUNTIME_DIR:-/run}/sandlock-ca.pem\n"
		  "  fs_storage: /var/lib/sandlock/cow\n"
		  "  workdir: ${CWD}\n"
		  "determinism:\n"
		  "  random_seed: 42\n"
		  "  time_start: \"2026-01-01T00:00:00Z\"\n"
		  "  deterministic_dirs: true\n"
		  "  no_randomize_memory: true\n"
		  "program:\n"
		  "  exec: /usr/bin/make\n"
		  "  args: [\"-j4\", \"all\"]\n"
		  "  env: {CC: gcc, LANG: C.UTF-8}\n"
		  "  env_pass: [TERM, \"LC_*\"]\n"
		  "  env_file: [~/.config/sandlock/build.env]\n"
		  "  cwd: ${CWD}\n"
		  "  uid: 1000\n"
		  "  gid: 1000\n"
		  "  clean_env: true\n"
		  "  no_coredump: true\n"
		  "  no_huge_pages: false\n"
		  "  shell: /bin/sh\n"
		  "  entrypoint: [/usr/bin/env]\n"
		  "  scripts: {setup: \"${POLICY_DIR}/setup.sh\"}\n"
		  "filesystem:\n"
		  "  read: [/usr, /lib, /bin, /etc]\n"
		  "  read_if_exists: [/lib64, /opt]\n"
		  "  write: [\"${CWD}/build\"]\n"
		  "  write_if_exists: [\"${HOME}/.cache/ccache\"]\n"
		  "  exec: [\"${HOME}/toolchain/bin\"]\n"
		  "  read_only_data: false\n"
		  "  deny: [/etc/shadow, \"${HOME}/.ssh\"]\n"
		  "  chroot: /var/lib/rootfs\n"
		  "  mount: [\"/data:/srv/data:ro\"]\n"
		  "  volumes: [\"./src:/app/src:ro\"]\n"
		  "  tmpfs: [\"/scratch:100M\", \"/run:16M\"]\n"
		  "  isolation: none\n"
		  "  on_exit: commit\n"
		  "  on_error: abort\n"
		  "network:\n"
		  "  disable: false\n"
		  "  allow: [\"example.com:443\", \"udp://192.0.2.53:53\", \"10.0.0.0/8:5432\"]\n"
		  "  deny: [\"169.254.169.254\", \"[fc00::/7]:80\"]\n"
		  "  allow_bind: [8080, \"9000-9005\"]\n"
		  "  port_remap: true\n"
		  "  publish: [\"8080:80\", \"127.0.0.1:5353:53/udp\"]\n"
		  "  max_connections: 256\n"
		  "  ipv6: true\n"
		  "  trust_host_cas: false\n"
		  "http:\n"
		  "  ports: [80, 443]\n"
		  "  allow: [\"GET example.com/v1/*\", \"POST example.org/upload\"]\n"
		  "  deny: [\"* */admin/*\"]\n"
		  "  credentials: {api: \"env:API_TOKEN\", db: \"file:/run/secrets/db\"}\n"
		  "  auth: [\"POST example.com/* bearer api\"]\n"
		  "dns:\n"
		  "  block_domains: [ads.example.net]\n"
		  "  block_suffixes: [.tracker.example]\n"
		  "  rebind_protection: true\n"
		  "  nameservers: [\"192.0.2.53\", \"[2001:db8::53]:5353\"]\n"
		  "  query_timeout_ms: 5000\n"
		  "  block_response: nxdomain\n"
		  "tls:\n"
		  "  intercept: true\n"
		  "  ports: [443]\n"
		  "  bypass: [\"*.pinned.example\", bank.example]\n"
		  "  block_quic: true\n"
		  "  upstream_ca_cert: [/etc/ssl/corp-root.pem]\n"
		  "secrets:\n"
		  "  on_violation: block-and-log\n"
		  "  entries:\n"
		  "    - {env: API_KEY, source: \"env:API_KEY\", hosts: [api.example.com],\n"
		  "       headers: true, basic_auth: true, query: false, body: false}\n"
		  "syscalls:\n"
		  "  extra_allow: [sysv_ipc]\n"
		  "  extra_deny: [mincore]\n"
		  "limits:\n"
		  "  memory: 512M\n"
		  "  processes: 64\n"
		  "  open_files: 256\n"
		  "  cpu: 50\n"
		  "  disk: 1G\n"
		  "  gpu_devices: []\n"
		  "  cpu_cores: [0, 1]\n"
		  "  num_cpus: 2\n"
		  "  memory_action: enomem\n"
		  "  rlimits: {nproc: 64, fsize: \"1G\", stack: \"8M:unlimited\"}\n"
		  "lifecycle:\n"
		  "  timeout: 10m\n"
		  "  max_duration: 1h\n"
		  "  idle_timeout: 5m\n"
		  "  kill_after: 2s\n"
		  "  replace: false\n"
		  "image:\n"
		  "  ref: python:3.12-slim\n"
		  "  pull: never\n"
		  "protection:\n"
		  "  allow_degraded: [fs-ioctl-dev]\n"
		  "  disable: [signal-scope]\n"
		  "audit:\n"
		  "  file: ${XDG_STATE_HOME:-~/.local/state}/sandlock/audit.jsonl\n"
		  "  format: json\n"
		  "  level: denied\n");
	assert_int_equal(extends.count, 2);
	assert_string_equal(extends.names[1].text, "net-dns");
	assert_int_equal(extends.names[1].origin.line, 4);
	assert_int_equal(extends.names[1].origin.col, 24);
	assert_string_equal(text_of(OPT_workdir, 0), "/work/dir");
	assert_string_equal(text_of(OPT_http_ca, 0), "/etc/sandlock/ca.pem");
	assert_string_equal(text_of(OPT_audit_file, 0),
			    "/home/ann/.local/state/sandlock/audit.jsonl");
	assert_string_equal(text_of(OPT_env_file, 0), "/home/ann/.config/sandlock/build.env");
	assert_string_equal(text_of(OPT_volume, 0), "/app/src");
	assert_true(policy_is_set(&policy, OPT_gpu));
	assert_int_equal(policy.values[OPT_gpu].count, 0);
	assert_int_equal(policy_u64(&policy, OPT_timeout, 0), 600000000000);
	assert_int_equal(policy.values[OPT_rlimits].items[2].num2, UINT64_MAX);
	assert_int_equal(policy_origin(&policy, OPT_max_processes).line, 91);
	assert_int_equal(policy_origin(&policy, OPT_max_processes).col, 14);
}

static void types_by_schema(void **state UNUSED)
{
	expect_ok("program:\n"
		  "  env: {GCC: 12, DEBUG: no, ON: on, N: \"\", T: '1', DATE: 2026-01-01}\n"
		  "  args: [1, true, null, ~, \"\"]\n"
		  "limits: {processes: 0x10, open_files: 0o17, cpu_cores: 3}\n"
		  "filesystem:\n  read: /usr\n"
		  "determinism: {time_start: 1767225600}\n");
	assert_string_equal(text_of(OPT_env, 0), "GCC=12");
	assert_string_equal(text_of(OPT_env, 1), "DEBUG=no");
	assert_string_equal(text_of(OPT_env, 3), "N=");
	assert_string_equal(text_of(OPT_args, 1), "true");
	assert_string_equal(text_of(OPT_args, 3), "~");
	assert_string_equal(text_of(OPT_args, 4), "");
	assert_int_equal(policy_u64(&policy, OPT_max_processes, 0), 16);
	assert_int_equal(policy_u64(&policy, OPT_open_files, 0), 15);
	assert_int_equal(policy_u64(&policy, OPT_cpu_cores, 0), 3);
	assert_string_equal(text_of(OPT_fs_read, 0), "/usr");
}

static void paths(void **state UNUSED)
{
	expect_ok("filesystem:\n"
		  "  read: [/lib64?, 'lib', \"${HOME}/x?\", /a$$b]\n"
		  "  read_if_exists: [/opt]\n"
		  "program: {exec: python3}\n");
	assert_string_equal(text_of(OPT_fs_read, 0), "/lib64");
	assert_int_equal(policy.values[OPT_fs_read].items[0].flags, ITEM_OPTIONAL);
	assert_string_equal(text_of(OPT_fs_read, 1), "/etc/sandlock/lib");
	assert_int_equal(policy.values[OPT_fs_read].items[1].flags, 0);
	assert_string_equal(text_of(OPT_fs_read, 2), "/home/ann/x");
	assert_string_equal(text_of(OPT_fs_read, 3), "/a$b");
	assert_int_equal(policy.values[OPT_fs_read_if_exists].items[0].flags, ITEM_OPTIONAL);
	assert_string_equal(text_of(OPT_exec, 0), "python3");
	assert_int_equal(policy.dependency_count, 1);
}

static void edits(void **state UNUSED)
{
	expect_ok("filesystem:\n"
		  "  read: {add: [/a], remove: [/b/../c, /d]}\n"
		  "  write: {set: /w}\n"
		  "  mount: null\n"
		  "limits:\n"
		  "  processes:\n"
		  "  memory: ~\n"
		  "program: {env: {A: , B: 1}}\n");
	assert_int_equal(policy.edit_count, 7);
	assert_string_equal(policy.edits[0].item.text, "/c");
	assert_false(policy.edits[0].reset);
	assert_int_equal(policy.edits[0].item.origin.line, 2);
	assert_true(policy.edits[2].reset && policy.edits[2].id == OPT_fs_write);
	assert_true(policy.edits[3].reset && policy.edits[3].id == OPT_fs_mount);
	assert_true(policy.edits[4].reset && policy.edits[4].id == OPT_max_processes);
	assert_true(policy.edits[6].id == OPT_env && !policy.edits[6].reset);
	assert_int_equal(policy.values[OPT_env].count, 1);

	struct policy base;
	policy_init(&base, &arena);
	static const struct {
		enum option_id id;
		const char *text;
	} before[] = {
		{OPT_fs_read, "/c"},	{OPT_fs_read, "/d"},	  {OPT_fs_read, "/e"},
		{OPT_fs_write, "/tmp"}, {OPT_max_processes, "5"}, {OPT_env, "A=2"},
		{OPT_env, "C=3"},
	};
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		assert_true(policy_add(&base, before[i].id, before[i].text, NO_ORIGIN, &err));
	assert_true(policy_apply(&base, &policy, &err));
	assert_int_equal(base.values[OPT_fs_read].count, 2);
	assert_string_equal(base.values[OPT_fs_read].items[0].text, "/e");
	assert_string_equal(base.values[OPT_fs_read].items[1].text, "/a");
	assert_int_equal(base.values[OPT_fs_write].count, 1);
	assert_false(policy_is_set(&base, OPT_max_processes));
	assert_int_equal(base.values[OPT_env].count, 2);

	/* A second time there is nothing to remove. */
	base.values[OPT_fs_read].count = 0;
	assert_false(policy_apply(&base, &policy, &err));
	assert_non_null(strstr(said(), "test.yaml:2:30: filesystem.read: cannot remove \"/c\""));
}

static void wrong(void **state UNUSED)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "empty: a policy is a mapping"},
		{"# nothing\n", "empty: a policy is a mapping"},
		{"- a\n", "1:1: a policy is a mapping of sections"},
		{"text\n", "1:1: a policy is a mapping of sections"},
		{"filesystem: {read: [/a]}\n---\nversion: 1\n", "2:1: a second document"},
		{"version: 2\n", "1:10: version: version 2 is not known"},
		{"version: one\n", "expected an integer"},
		{"name: other\n", "1:7: name: the name \"other\" differs"},
		{"locked: yes\n", "write true"},
		{"filesytem:\n  read: /a\n", "did you mean \"filesystem\"?"},
		{"read: [/a]\n", "it belongs into the section filesystem"},
		{"filesystem:\n  raed: [/a]\n", "2:3: filesystem: unknown key \"raed\""},
		{"filesystem:\n  raed: [/a]\n",
		 "did you mean \"read\"? valid keys of filesystem: read, write,"},
		{"filesystem:\n  raed: [/a]\n", "      raed: [/a]\n      ^~~~\n"},
		{"filesystem:\n  processes: 5\n", "it is written limits.processes"},
		{"filesystem:\n  read: [/a]\n  read: [/b]\n",
		 "3:3: filesystem: \"read\" is given twice"},
		{"filesystem:\n  read: [/a]\n  read: [/b]\n",
		 "first defined at /etc/sandlock/test.yaml:2:3"},
		{"limits: {cpu: 1}\nlimits: {cpu: 2}\n", "2:1: \"limits\" is given twice"},
		{"program:\n  env: {A: 1, B: 2, A: 3}\n",
		 "2:21: program.env: \"A\" is given twice"},
		{"limits: 5\n", "1:9: limits: expected a mapping of keys"},
		{"limits: [5]\n", "limits: expected a mapping of keys"},
		{"version: &x 1\n", "1:10: anchors are not accepted"},
		{"program: {args: [&x a, *x]}\n", "anchors are not accepted"},
		{"program: {args: [&x a, *x]}\n", "1:24: aliases are not accepted"},
		{"program: {shell: !!str /bin/sh}\n", "tags are not accepted"},
		{"program: {args: !foo [a]}\n", "tags are not accepted"},
		{"limits: !!map {cpu: 1}\n", "tags are not accepted"},
		{"limits: {<<: {cpu: 1}}\n", "merge keys (<<) are not accepted"},
		{"limits: {[a]: 1}\n", "expected a name as the key, not a list"},
		{"? {a: b}\n: c\n", "expected a name as the key, not a mapping"},
		{"network:\n  allow_bind: *\n", "a plain value cannot start with * or &"},
		{"network:\n  allow_bind: *\n", "quote it: \"*\""},
		{"http:\n  deny: [* */admin]\n", "quote it"},
		{"program:\n  args: [${HOME}/x]\n", "quote values that contain ${"},
		{"program:\n  args: [a: b: c]\n", "2:"},
		{"program:\n  shell: a: b\n", "quote values that contain \": \""},
		{"program:\n\tshell: /bin/sh\n", "cannot start any token"},
		{"program: {shell: \"/bin\\0/sh\"}\n", "a NUL byte"},
		{"program: {clean_env: on}\n",
		 "1:22: program.clean_env: invalid value \"on\": expected true or "
		 "false"},
		{"program: {clean_env: on}\n", "write true"},
		{"program: {shell: [/a]}\n", "program.shell: expected one value, not a list"},
		{"program: {shell: {a: b}}\n", "program.shell: expected one value, not a mapping"},
		{"program: {args: [[a]]}\n", "program.args: expected one value, not a list"},
		{"program: {args: [a, , b]}\n", "1:"},
		{"program:\n  args:\n  - a\n  -\n", "an element is empty"},
		{"program: {env: [A=1]}\n", "program.env: expected a mapping of names"},
		{"program: {env: {A: [1]}}\n", "expected one value, not a list"},
		{"program: {env: {\"A=B\": 1}}\n", "must not contain \"=\""},
		{"program: {env: {\"\": 1}}\n", "must not be empty"},
		{"filesystem: {read: {ad: [/a]}}\n", "valid keys: add, remove, set"},
		{"filesystem: {read: {set: [/a], add: [/b]}}\n", "set replaces the list"},
		{"filesystem: {read: [\"\"]}\n", "empty path"},
		{"filesystem: {read: [~bob]}\n", "~NAME is not expanded"},
		{"filesystem:\n  read: ${FOO}/x\n", "unknown variable ${FOO}"},
		{"limits: {processes: 010}\n", "leading zeros"},
		{"limits: {processes: 1_000}\n", "expected an integer"},
		{"limits: {processes: -1}\n", "expected an integer"},
		{"limits: {memory: 5X}\n", "unknown unit"},
		{"limits: {rlimits: {nprocs: 1}}\n", "did you mean \"nproc\"?"},
		{"extends: [a, {b: c}]\n", "extends: expected the name of a policy, not a mapping"},
		{"extends: \"\"\n", "expected the name of a policy"},
		{"filesystem: {read: [/a\n", "did not find expected ',' or ']'"},
		{"filesystem: {read: \"/a\n", "1:"},
		{"\xff\xfe", "not UTF-8 text"},
		{"program: {args: [\xc3\x28]}\n", "not UTF-8 text"},
		{"%YAML 1.1\n%YAML 1.1\n---\n", "duplicate %YAML"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (load(rows[i].text) || !err.errors)
			fail_msg("accepted: %s", rows[i].text);
		if (!strstr(said(), rows[i].says))
			fail_msg("\"%s\" is not in:\n%s", rows[i].says, said());
	}
	assert_false(load_bytes("version: 1\n\0x", 13));
	assert_non_null(strstr(said(), "test.yaml:2: a NUL byte"));
}

static void limits(void **state UNUSED)
{
	auto_str text = {0};

	str_add(&text, "program: {args: ");
	for (int i = 0; i < 20; i++)
		str_add(&text, "[");
	assert_false(load(str_text(&text)));
	assert_non_null(strstr(said(), "nested more than 16 deep"));

	str_free(&text);
	for (int i = 0; i < 100000; i++)
		str_add(&text, "[");
	assert_false(load(str_text(&text)));
	str_free(&text);
	for (int i = 0; i < 100000; i++)
		str_add(&text, "? ");
	assert_false(load(str_text(&text)));

	str_free(&text);
	str_add(&text, "program:\n  args:\n");
	for (int i = 0; i < 20000; i++)
		str_add(&text, "  - a\n");
	assert_false(load(str_text(&text)));
	assert_non_null(strstr(said(), "more than 20000 values"));

	str_free(&text);
	str_add(&text, "program:\n  env:\n");
	for (int i = 0; i < 9000; i++)
		str_printf(&text, "    K%d: v\n", i);
	expect_ok(str_text(&text));
	assert_int_equal(policy.values[OPT_env].count, 9000);

	str_free(&text);
	while (text.len <= 1024 * 1024)
		str_add(&text, "# a comment of some length, again and again\n");
	assert_false(load(str_text(&text)));
	assert_non_null(strstr(said(), "larger than 1 MiB"));

	/* All errors at once, but not more than one can read. */
	str_free(&text);
	str_add(&text, "limits:\n");
	for (int i = 0; i < 50; i++)
		str_printf(&text, "  wrong%d: 1\n", i);
	assert_false(load(str_text(&text)));
	assert_int_equal(err.errors, ERROR_LIMIT);
	assert_non_null(strstr(said(), "too many errors"));
}

static void several_errors(void **state UNUSED)
{
	assert_false(load("limits: {processes: x, open_files: 0}\n"
			  "filesystem:\n"
			  "  raed: [/a]\n"
			  "  read: [/ok, relative, \"${NOPE}\"]\n"
			  "program: {clean_env: yes}\n"));
	assert_int_equal(err.errors, 5);
	for (size_t i = 0; i < err.count; i++)
		assert_non_null(err.list[i].excerpt);
	assert_int_equal(policy.values[OPT_fs_read].count, 2);
}

static void older_keys(void **state UNUSED)
{
	assert_true(load("network: {bind: [80]}\nfilesystem: {isolation: none}\n"));
	assert_int_equal(err.count, 1);
	assert_string_equal(err.list[0].id, "W001");
	assert_int_equal(policy.values[OPT_net_allow_bind].items[0].num, 80);
	assert_false(load("network: {bind: [80], allow_bind: [81]}\n"));
	assert_true(load("network: {net_bind: 80, net_allow: a.test, net_deny: [private]}\n"));
	assert_int_equal(err.count, 3);
	assert_int_equal(policy.values[OPT_net_allow_bind].count, 1);
	assert_string_equal(policy.values[OPT_net_allow].items[0].text, "a.test");
	assert_string_equal(policy.values[OPT_net_deny].items[0].text, "private");
	assert_false(load("network: {net_deny: [private], deny: [host]}\n"));
}

static void network_rules(void **state UNUSED)
{
	assert_true(load("network:\n"
			 "  allow: tcp://a.test:80,443\n"
			 "  deny: [metadata, '10.0.0.0/8:25']\n"
			 "  rules:\n"
			 "  - deny@private,allow@public:tcp:443\n"
			 "  - allow:ingress@any\n"
			 "  allow_bind: [80, 'udp://53,54', udp://5000-5010]\n"
			 "  publish: [8080:80, '[::1]:53:53/udp']\n"
			 "  default: deny\n"
			 "  deny_errno: EACCES\n"
			 "  max_connections: 9\n"
			 "  port_remap: true\n"));
	assert_int_equal(policy.values[OPT_net_allow].count, 1);
	assert_int_equal(policy.values[OPT_net_deny].count, 2);
	assert_int_equal(policy.values[OPT_net_rules].count, 2);
	assert_int_equal(policy.values[OPT_net_allow_bind].count, 4);
	assert_true(policy.values[OPT_net_allow_bind].items[2].flags & ITEM_UDP);
	assert_string_equal(policy.values[OPT_publish].items[0].text, "8080:80");
	assert_true(policy_check(&policy, IN_SUPERVISED, &err));

	/* Each has its place, and a warning points at the value. */
	assert_false(load("network:\n  allow:\n  - a b\n  - c.test\n  deny: [c.test]\n"));
	assert_int_equal(err.errors, 2);
	assert_int_equal(err.list[0].origin.line, 3);
	assert_int_equal(err.list[0].origin.col, 5);
	assert_int_equal(err.list[1].origin.line, 5);
	assert_true(load("network:\n  allow: ['::1:443']\n"));
	assert_int_equal(err.count, 1);
	assert_string_equal(err.list[0].id, "W004");
	assert_int_equal(err.list[0].origin.line, 2);
	assert_non_null(err.list[0].excerpt);
}

static int clean(void **state UNUSED)
{
	error_free(&err);
	said();
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key),	  cmocka_unit_test(types_by_schema),
		cmocka_unit_test(paths),	  cmocka_unit_test(edits),
		cmocka_unit_test(wrong),	  cmocka_unit_test(limits),
		cmocka_unit_test(several_errors), cmocka_unit_test(older_keys),
		cmocka_unit_test(network_rules),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, clean);
}
