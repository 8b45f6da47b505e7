/*
 * The exported function: a program confines itself with a compiled policy.
 * Must never end the process: it belongs to the caller.
 */
#include "apply.h"
#include "sandlock_confine.h"

#include <errno.h>

#define EXPORT __attribute__((visibility("default")))
#define KNOWN_FLAGS                                                                                \
	(SANDLOCK_CONFINE_THIS_THREAD | SANDLOCK_CONFINE_ALL_THREADS |                             \
	 SANDLOCK_CONFINE_NO_SECCOMP | SANDLOCK_CONFINE_DRY | SANDLOCK_CONFINE_SWEEP_FDS)

EXPORT const char sandlock_confine_version[] = "sandlock_confine " SANDLOCK_VERSION;

static bool confine(const void *data, size_t len, uint64_t flags, struct blob *blob,
		    struct result *result, struct failure *failure)
{
	const uint64_t threads = SANDLOCK_CONFINE_THIS_THREAD | SANDLOCK_CONFINE_ALL_THREADS;
	const struct request request = {
		.this_thread = flags & SANDLOCK_CONFINE_THIS_THREAD,
		.all_threads = flags & SANDLOCK_CONFINE_ALL_THREADS,
		.no_seccomp = flags & SANDLOCK_CONFINE_NO_SECCOMP,
		.dry = flags & SANDLOCK_CONFINE_DRY,
		.sweep = flags & SANDLOCK_CONFINE_SWEEP_FDS,
		.keep_fd = -1,
	};

	if ((flags & ~(uint64_t)KNOWN_FLAGS) || (flags & threads) == threads)
		return failed(failure, "flags", NULL, -EINVAL, NULL);
	if (!load_bytes(data, len, blob, failure))
		return false;
	if (blob->parts.env_count || (blob->parts.record->flags & CONFINE_ONLY_KEPT))
		return failed(failure, "environment", "program.env", -EOPNOTSUPP,
			      "can only be changed before main");
	return apply(&blob->parts, &request, result, failure);
}

static void fill_protections(const struct confine_record *record, const struct result *result,
			     struct sandlock_confine_report *report)
{
	struct confine_record lenient = *record;
	struct confine_masks nothing;

	/* What a kernel without any of them would lack is what the policy uses. */
	for (unsigned i = 0; i < PROTECT_COUNT; i++)
		lenient.protection[i] = (uint8_t)MIN(lenient.protection[i], CONFINE_DEGRADABLE);
	confine_masks(&lenient, 0, &nothing);
	for (unsigned i = 0; i < PROTECT_COUNT; i++) {
		if (result->masks.degraded & (1u << i))
			report->protection[i] = SANDLOCK_PROTECTION_DEGRADED;
		else if (nothing.degraded & (1u << i))
			report->protection[i] = SANDLOCK_PROTECTION_ACTIVE;
	}
	if (result->threads && (result->applied & SANDLOCK_APPLIED_LANDLOCK))
		report->protection[PROTECT_ALL_THREADS] = SANDLOCK_PROTECTION_ACTIVE;
}

EXPORT int sandlock_confine_blob(const void *data, size_t len, uint64_t flags,
				 struct sandlock_confine_report *out, size_t out_size)
{
	struct sandlock_confine_report report = {0};
	struct failure failure = {0};
	struct blob blob = {0};
	struct result result = {0};
	struct line line = {.len = 0};
	bool ok = confine(data, len, flags, &blob, &result, &failure);

	report.size = (uint32_t)MIN(sizeof report, out_size);
	report.abi = result.abi;
	report.applied = result.applied;
	if (ok) {
		fill_protections(blob.parts.record, &result, &report);
	} else {
		report.error = failure.error < 0 ? (int32_t)-failure.error : ENOSYS;
		if (result.applied)
			report.applied |= SANDLOCK_APPLIED_PARTIAL;
		describe_failure(&failure, &line);
		line.text[line.len] = '\0';
		text_copy(report.message, line.text, sizeof report.message);
		text_copy(report.path, failure.object, sizeof report.path);
		if (blob.parts.refused)
			text_copy(report.field, blob.parts.refused, sizeof report.field);
	}
	unload(&blob);
	if (out)
		memcpy(out, &report, report.size);
	return -report.error;
}
