/* TOML profiles: any bytes are a policy or an error with a place in the file. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct error err = {0};
	struct policy policy;
	struct source src = fuzz_source(&arena, "/p/x.toml", data, size);

	policy_init(&policy, &arena);
	bool ok = toml_load(&src, &fuzz_surroundings, &policy, &err);
	fuzz_judge(ok, &err);
	for (size_t i = 0; i < err.count; i++) {
		if (!err.list[i].origin.line || !err.list[i].origin.col)
			abort();
	}
	fuzz_use(&policy);
	error_free(&err);
	free((char *)src.text);
	arena_free(&arena);
	return 0;
}
