/* YAML policies: any bytes are a policy or an error. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct error err = {0};
	struct extends extends = {0};
	struct policy policy;
	struct source src = fuzz_source(&arena, "/p/x.yaml", data, size);

	policy_init(&policy, &arena);
	bool ok = yaml_load(&src, &fuzz_surroundings, &policy, &extends, &err);
	fuzz_judge(ok, &err);
	fuzz_use(&policy);
	error_free(&err);
	free((char *)src.text);
	arena_free(&arena);
	return 0;
}
