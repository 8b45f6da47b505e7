/* The command line: NUL-separated arguments. Files that it names are not opened here. */
#include "fuzz.h"

enum { ARGUMENTS = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct error err = {0};
	struct command_line line;
	struct source src = fuzz_source(&arena, "", data, size);
	char *argv[ARGUMENTS + 2] = {(char *)"run"};
	bool usage = false;
	size_t count = 1;

	for (const char *p = src.text; p < src.text + size && count <= ARGUMENTS;
	     p += strlen(p) + 1)
		argv[count++] = (char *)p;
	memset(&line, 0, sizeof line);
	policy_init(&line.policy, &arena);
	bool ok = flags_parse(argv, &fuzz_surroundings, &line, &usage, &err);
	fuzz_judge(ok, &err);
	if (ok && usage)
		abort();
	fuzz_use(&line.policy);
	for (char **p = line.command; p && *p; p++)
		(void)strlen(*p);
	error_free(&err);
	free((char *)src.text);
	arena_free(&arena);
	return 0;
}
