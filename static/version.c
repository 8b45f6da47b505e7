/* `sandlock version`: name, version, commit. */
#include "cli.h"

#include "base/json.h"

#ifndef SANDLOCK_VERSION
#define SANDLOCK_VERSION "0"
#endif
#ifndef SANDLOCK_BUILD_ID
#define SANDLOCK_BUILD_ID "unknown"
#endif

int version_main(struct cli *cli, int argc, char **argv)
{
	auto_str out = {0};
	int status = cli_flags(cli, &argc, argv, NULL, 0, NULL);

	if (status >= 0)
		return status;
	if (argc > 1)
		return cli_usage_error(cli, "version takes no operand");
	if (cli->json) {
		struct json j = {.out = &out};

		json_object(&j, NULL);
		json_u64(&j, "schema", 1);
		json_string(&j, "name", "sandlock");
		json_string(&j, "version", SANDLOCK_VERSION);
		json_string(&j, "build", SANDLOCK_BUILD_ID);
		json_end_object(&j);
		str_add_char(&out, '\n');
	} else {
		str_add(&out, "sandlock " SANDLOCK_VERSION " (" SANDLOCK_BUILD_ID ")\n");
	}
	return cli_print(&out);
}
