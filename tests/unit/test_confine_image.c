/* A confine plan through an image and back, what is refused, and what other kernels get of it. */
#include "launch/confine_image.h"

#include "planning.h"

#include "host/uapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct planning planning(int abi)
{
	struct planning p = planning_new(abi);

	p.request.wanted = PLAN_PRELOAD;
	p.request.mode = IN_CONFINE;
	planning_add(&p, OPT_fs_read, "/usr");
	return p;
}

/* The bytes of a plan; they live in the plan's arena, and may be changed. */
static unsigned char *build_bytes(struct planning *p, size_t *size)
{
	struct image_writer w;

	image_begin(&w, p->arena);
	image_confine_build(&p->policy, &p->plan, &w);
	const void *made = image_finish(&w, size);
	assert_non_null(made);
	assert_true(image_verify(made, *size));
	return (unsigned char *)(uintptr_t)made;
}

static struct confine_parts round_trip(struct planning *p)
{
	struct image *image = arena_new(p->arena, struct image);
	struct confine_parts parts;
	size_t size;

	assert_true(planning_build(p));
	const unsigned char *bytes = build_bytes(p, &size);
	assert_int_equal(image_open(bytes, size, image), 0);
	const char *wrong = confine_record_read(image, &parts);
	assert_null(wrong);
	return parts;
}

static void tables_agree(void **state UNUSED)
{
	for (unsigned i = 0; i < PROTECT_COUNT; i++) {
		assert_string_equal(confine_protection_name(i), protections[i].name);
		assert_int_equal(confine_protection_abi(i), protections[i].abi);
	}
	assert_string_equal(confine_protection_name(PROTECT_COUNT), "");
}

static void whole_policy(void **state UNUSED)
{
	struct planning p = planning(LANDLOCK_KNOWN_ABI);

	planning_add(&p, OPT_fs_write, "/tmp");
	planning_add(&p, OPT_net_allow, "tcp://*:443");
	planning_add(&p, OPT_open_files, "100");
	planning_add(&p, OPT_rlimits, "fsize=1M:2M");
	planning_add(&p, OPT_no_huge_pages, "true");
	planning_add(&p, OPT_no_coredump, "true");
	planning_add(&p, OPT_cwd, "/usr/lib");
	planning_add(&p, OPT_clean_env, "true");
	planning_add(&p, OPT_env, "A=1");
	planning_add(&p, OPT_env_pass, "LC_*");

	struct confine_parts parts = round_trip(&p);
	const struct confine_record *r = parts.record;
	bool usr = false, tmp = false, port = false, nofile = false, fsize = false;

	assert_int_equal(r->handled_fs, p.plan.handled_fs);
	assert_int_equal(r->handled_net, p.plan.handled_net);
	assert_int_equal(r->scoped, p.plan.scoped);
	assert_true(r->flags & CONFINE_NO_THP && r->flags & CONFINE_NO_CORE &&
		    r->flags & CONFINE_ROOT_CLOSED && r->flags & CONFINE_ONLY_KEPT);
	assert_string_equal(parts.cwd, "/usr/lib");
	assert_null(parts.refused);
	assert_int_equal(parts.filter_len, p.plan.filter_len);
	for (uint32_t i = 0; i < parts.rule_count; i++) {
		const char *path = image_text(parts.image, parts.rules[i].path);

		usr |= !strcmp(path, "/usr") && (parts.rules[i].access & LL_EXECUTE) &&
		       !(parts.rules[i].access & LL_WRITE_FILE);
		tmp |= !strcmp(path, "/tmp") && (parts.rules[i].access & LL_WRITE_FILE);
	}
	for (uint32_t i = 0; i < parts.port_count; i++)
		port |= parts.ports[i].port == 443 && parts.ports[i].access == LL_NET_CONNECT_TCP;
	for (uint32_t i = 0; i < parts.rlimit_count; i++) {
		nofile |= parts.rlimits[i].resource == RLIMIT_NOFILE;
		fsize |= parts.rlimits[i].resource == RLIMIT_FSIZE &&
			 parts.rlimits[i].soft == 1 << 20 && parts.rlimits[i].hard == 2 << 20;
	}
	assert_true(usr && tmp && port && nofile && fsize);
	assert_string_equal(image_text(parts.image, parts.env[parts.env_count - 1].text), "A=1");
	assert_int_equal(parts.env[parts.env_count - 1].kind, ENV_SET);
	assert_int_equal(parts.env[0].kind, ENV_KEEP);
	planning_free(&p);
}

static void granted_root_is_not_tested_closed(void **state UNUSED)
{
	struct planning p = planning(7);

	planning_add(&p, OPT_fs_read, "/");
	assert_false(round_trip(&p).record->flags & CONFINE_ROOT_CLOSED);
	planning_free(&p);
}

/* Compiled on an old kernel, what was only missing there comes back on a new one. */
static void masks_for_every_abi(void **state UNUSED)
{
	for (int from = 6; from <= LANDLOCK_KNOWN_ABI; from++) {
		struct planning p = planning(from);
		const struct confine_record *r = round_trip(&p).record;

		for (int abi = 1; abi <= LANDLOCK_KNOWN_ABI + 1; abi++) {
			struct confine_masks m;
			int missing = confine_masks(r, abi, &m);

			if (abi < 6) {
				assert_true(missing >= 0);
				assert_true(protections[missing].strict_by_default);
				assert_true(protections[missing].abi > abi);
				continue;
			}
			assert_int_equal(missing, -1);
			assert_int_equal(m.handled_fs, landlock_fs_mask(abi));
			assert_int_equal(m.scoped, landlock_scope_mask(abi));
			/* Never a bit that the kernel would refuse. */
			assert_int_equal(m.handled_net & ~landlock_net_mask(abi), 0);
			assert_int_equal(m.handled_net & landlock_net_mask(4),
					 landlock_net_mask(4));
			assert_true(!m.restrict_flags || abi >= 7);
			assert_int_equal(!!(m.degraded & (1u << PROTECT_UNIX_RESOLVE)), abi < 9);
		}
		planning_free(&p);
	}
}

static void states_of_protections(void **state UNUSED)
{
	struct planning p = planning(LANDLOCK_KNOWN_ABI);
	struct confine_masks m;

	planning_add(&p, OPT_allow_degraded, "fs-truncate");
	planning_add(&p, OPT_allow_degraded, "fs-ioctl-dev");
	planning_add(&p, OPT_allow_degraded, "signal-scope");
	planning_add(&p, OPT_disable, "net-tcp");
	planning_add(&p, OPT_disable, "abstract-unix-socket-scope");
	const struct confine_record *r = round_trip(&p).record;
	assert_int_equal(r->protection[PROTECT_FS_REFER], CONFINE_STRICT);
	assert_int_equal(r->protection[PROTECT_FS_TRUNCATE], CONFINE_DEGRADABLE);
	assert_int_equal(r->protection[PROTECT_NET_TCP], CONFINE_DISABLED);
	/* The filter was compiled for kernels with the scope: elsewhere it must be compiled again. */
	assert_int_equal(r->protection[PROTECT_SIGNAL_SCOPE], CONFINE_STRICT);
	assert_int_equal(confine_masks(r, 2, &m), PROTECT_SIGNAL_SCOPE);
	assert_int_equal(confine_masks(r, 1, &m), PROTECT_FS_REFER);
	assert_int_equal(confine_masks(r, 6, &m), -1);
	assert_int_equal(m.handled_net & landlock_net_mask(4), 0);
	assert_int_equal(m.scoped, LL_SCOPE_SIGNAL);
	planning_free(&p);

	p = planning(2);
	static const char *const all[] = {"fs-truncate", "net-tcp", "fs-ioctl-dev", "signal-scope",
					  "abstract-unix-socket-scope"};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		planning_add(&p, OPT_allow_degraded, all[i]);
	r = round_trip(&p).record;
	assert_true(r->features & WHEN_NO_SIGNAL_SCOPE);
	assert_int_equal(confine_masks(r, 2, &m), -1);
	assert_int_equal(m.handled_fs, landlock_fs_mask(2));
	assert_true(m.degraded & (1u << PROTECT_SIGNAL_SCOPE));
	assert_int_equal(confine_masks(r, 7, &m), -1);
	assert_int_equal(m.handled_fs, landlock_fs_mask(7));
	assert_int_equal(m.scoped, landlock_scope_mask(7));
	planning_free(&p);
}

static void refused_fields(void **state UNUSED)
{
	struct planning p = planning(7);
	struct image_writer w;
	struct image image;
	struct confine_parts parts;
	size_t size;

	assert_null(confine_refused(&p.policy, p.arena));
	planning_add(&p, OPT_max_processes, "5");
	planning_add(&p, OPT_hostname, "box");
	planning_add(&p, OPT_no_randomize_memory, "true");
	planning_add(&p, OPT_view, "none"); /* changes nothing */
	assert_string_equal(confine_refused(&p.policy, p.arena),
			    "limits.processes, determinism.no_randomize_memory, config.hostname");
	image_begin(&w, p.arena);
	image_confine_build(&p.policy, NULL, &w);
	const void *bytes = image_finish(&w, &size);
	assert_int_equal(image_open(bytes, size, &image), 0);
	assert_null(confine_record_read(&image, &parts));
	assert_string_equal(parts.refused,
			    "limits.processes, determinism.no_randomize_memory, config.hostname");
	planning_free(&p);
}

/* ---- hostile images ---- */

struct hostile {
	struct planning p;
	unsigned char *bytes;
	size_t size;
	struct image image;
	struct confine_parts parts;
};

static struct hostile hostile(void)
{
	struct hostile h = {.p = planning(7)};

	planning_add(&h.p, OPT_net_allow, "tcp://*:443");
	planning_add(&h.p, OPT_open_files, "100");
	planning_add(&h.p, OPT_env, "A=1");
	planning_add(&h.p, OPT_cwd, "/usr");
	assert_true(planning_build(&h.p));
	h.bytes = build_bytes(&h.p, &h.size);
	assert_int_equal(image_open(h.bytes, h.size, &h.image), 0);
	assert_null(confine_record_read(&h.image, &h.parts));
	return h;
}

/* Applies a change to a valid image, and expects a complaint. */
#define EXPECT_REFUSED(change)                                                                     \
	do {                                                                                       \
		struct hostile h = hostile();                                                      \
		struct confine_record *record UNUSED = (void *)(uintptr_t)h.parts.record;          \
		struct confine_rule *rule UNUSED = (void *)(uintptr_t)h.parts.rules;               \
		struct confine_port *port UNUSED = (void *)(uintptr_t)h.parts.ports;               \
		struct child_rlimit *limit UNUSED = (void *)(uintptr_t)h.parts.rlimits;            \
		struct confine_env *env UNUSED = (void *)(uintptr_t)h.parts.env;                   \
		struct image_header *header UNUSED = (void *)h.bytes;                              \
		change;                                                                            \
		if (!confine_record_read(&h.image, &h.parts))                                      \
			fail_msg("accepted: %s", #change);                                         \
		planning_free(&h.p);                                                               \
	} while (0)

static struct image_section *section(struct hostile *h, uint32_t type)
{
	struct image_section *s = (void *)(h->bytes + IMAGE_HEADER_SIZE);

	while (s->type != type)
		s++;
	return s;
}

static void hostile_records(void **state UNUSED)
{
	EXPECT_REFUSED(header->audit_arch ^= 1);
	EXPECT_REFUSED(record->kind++);
	EXPECT_REFUSED(record->flags |= 1u << 31);
	EXPECT_REFUSED(record->handled_fs |= 1ULL << 63);
	EXPECT_REFUSED(record->handled_net |= 1ULL << 4);
	EXPECT_REFUSED(record->scoped |= 4);
	EXPECT_REFUSED(record->restrict_flags |= LL_RESTRICT_TSYNC);
	EXPECT_REFUSED(record->protection[0] = 3);
	EXPECT_REFUSED(record->protection[15] = 1);
	EXPECT_REFUSED(record->cwd = UINT32_MAX);
	EXPECT_REFUSED(record->cwd++); /* no longer absolute */
	EXPECT_REFUSED(record->refused = 1u << 30);
	EXPECT_REFUSED(record->name = 1u << 30);
	EXPECT_REFUSED(rule->access |= 1ULL << 40);
	EXPECT_REFUSED(rule->flags |= 1u << 7);
	EXPECT_REFUSED(rule->path = 0);
	EXPECT_REFUSED(rule->path = UINT32_MAX);
	EXPECT_REFUSED(rule->path++);
	EXPECT_REFUSED(port->port = 65536);
	EXPECT_REFUSED(port->access |= 1ULL << 32);
	EXPECT_REFUSED(limit->resource = -1);
	EXPECT_REFUSED(limit->resource = RLIM_NLIMITS);
	EXPECT_REFUSED(limit->soft = limit->hard + 1);
	EXPECT_REFUSED(env->kind = 7);
	EXPECT_REFUSED(env->kind = ENV_KEEP); /* with a '=' */
	EXPECT_REFUSED(env->text = 0);
	EXPECT_REFUSED(env->text = UINT32_MAX);
	EXPECT_REFUSED(env->text++);
	EXPECT_REFUSED(section(&h, IMAGE_FILTER)->count = 0);
	EXPECT_REFUSED(section(&h, IMAGE_FILTER)->type = 63);
	EXPECT_REFUSED(section(&h, IMAGE_PLAN)->count = 2);
	EXPECT_REFUSED(section(&h, IMAGE_PLAN)->element_size--);
	EXPECT_REFUSED(section(&h, IMAGE_RULES)->element_size++);
	EXPECT_REFUSED(section(&h, IMAGE_KEEP_FDS)->element_size++);
}

/* Whatever bytes: an answer, and no read outside (the sanitizers watch). */
static void random_damage(void **state UNUSED)
{
	struct hostile h = hostile();
	unsigned char *copy = arena_alloc(h.p.arena, h.size);
	unsigned accepted = 0;

	srandom(11);
	for (int round = 0; round < 20000; round++) {
		struct image image;
		struct confine_parts parts;
		size_t hits = 1 + (size_t)random() % 4;
		/* Half of them in the tables, where a byte means most. */
		size_t range = round % 2 ? h.size : MIN(h.size, (size_t)1200);

		memcpy(copy, h.bytes, h.size);
		while (hits--)
			copy[(size_t)random() % range] ^= (unsigned char)(1u << random() % 8);
		if (image_open(copy, h.size, &image) == 0 && !confine_record_read(&image, &parts)) {
			struct confine_masks m;

			accepted++;
			confine_masks(parts.record, 7, &m);
			for (uint32_t i = 0; i < parts.rule_count; i++)
				assert_int_equal(image_text(&image, parts.rules[i].path)[0], '/');
			for (uint32_t i = 0; i < parts.env_count; i++)
				assert_true(strlen(image_text(&image, parts.env[i].text)) > 0);
		}
	}
	assert_true(accepted > 0); /* else nothing was looked at */
	planning_free(&h.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_agree),
		cmocka_unit_test(whole_policy),
		cmocka_unit_test(granted_root_is_not_tested_closed),
		cmocka_unit_test(masks_for_every_abi),
		cmocka_unit_test(states_of_protections),
		cmocka_unit_test(refused_fields),
		cmocka_unit_test(hostile_records),
		cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
