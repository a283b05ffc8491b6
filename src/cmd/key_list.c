/* `key list`: all keys of the keyring, a line each. A damaged one is told and does not hide the others. */
#include "base/log.h"
#include "cmd/key_use.h"
#include "cmd/output.h"

struct list_options {
	bool json;
};

static const struct opt_row rows[] = {{.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct list_options, json)},
				      OPT_END};

static void print_json(const char *name, const struct keyring_key_info *info, const struct seal_err *failure,
		       bool first)
{
	printf("%s{", first ? "" : ",");
	if (info != NULL) {
		key_use_json(stdout, info);
	} else {
		printf("\"name\":\"%s\",\"error\":{\"code\":\"%s\",\"text\":", name, seal_code_name(failure->code));
		output_json_string(stdout, bytes_str(failure->text));
		printf("}");
	}
	printf("}");
}

static void print_line(const struct keyring_key_info *info)
{
	uint64_t uses = info->versions[info->latest_version - 1].uses;

	printf("%-24s %-13s %7u %7u", info->name, info->type, info->latest_version, info->min_decryption_version);
	if (info->counted)
		printf(" %14llu", (unsigned long long)uses);
	printf("\n");
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct list_options *options = call->options;
	struct keyring *keyring = NULL;
	const char *const *names;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(key_use_open(call, false, &keyring, err));
	SEAL_TRY(keyring_names(keyring, call->arena, &names, &n, err));
	if (options->json) {
		printf("{\"schema\":\"sealstream.keys/1\",\"keyring\":");
		output_json_string(stdout, bytes_str(keyring_path(keyring)));
		printf(",\"keys\":[");
	} else if (n > 0) {
		printf("%-24s %-13s %7s %7s %14s\n", "NAME", "TYPE", "LATEST", "MINIMUM", "USES");
	}
	for (size_t i = 0; i < n; i++) {
		struct seal_err failure = SEAL_ERR_INIT;
		struct keyring_key_info info;
		bool good = keyring_info(keyring, bytes_str(names[i]), call->arena, &info, &failure) == SEAL_OK;

		if (!good) {
			log_err(LOG_ERROR, &failure);
			*exit_code = 1;
		}
		if (options->json)
			print_json(names[i], good ? &info : NULL, &failure, i == 0);
		else if (good)
			print_line(&info);
	}
	if (options->json)
		printf("]}\n");
out:
	keyring_close(keyring);
	return rc;
}

const struct command command_key_list = {
	.name = "list",
	.usage = "",
	.summary = "List the keys: latest version, minimum decryption version, uses of the latest",
	.examples = "sealstream key list\n",
	.options = rows,
	.options_size = sizeof(struct list_options),
	.keys = true,
	.run = run,
};
