/* `key list`: all keys of a store, a line each. A damaged one is told and does not hide the others. */
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

static void print_json(const char *name, const struct key_admin_info *info, const struct seal_err *failure,
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

static void print_line(const struct key_admin_info *info)
{
	printf("%-24s %-13s %7u %7u", info->name, info->type, info->latest_version, info->min_decryption_version);
	if (info->counted)
		printf(" %14llu", (unsigned long long)info->versions[info->n_versions - 1].uses);
	printf("\n");
}

/* The server answers for an engine of another kind as for a mount without keys. */
static void say_none(const struct managed_key *store)
{
	const char *where = store->ops->where(store->on.source);

	if (store->reference.len > 0)
		log_say(LOG_INFO, "no keys at %.*s of %s; is that a mount of Transit?", BYTES_FMT(store->reference),
			where);
	else
		log_say(LOG_INFO, "no keys in %s", where);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct list_options *options = call->options;
	struct managed_key store = {0};
	const char *const *names;
	enum seal_status rc;
	size_t n;

	SEAL_TRY(key_use_find_store(call->args[0], &store, err));
	SEAL_TRY(key_use_open(call, false, &store, err));
	SEAL_TRY(store.ops->list(&store.on, store.reference, &names, &n, err));
	if (options->json) {
		printf("{\"schema\":\"sealstream.keys/1\",\"%s\":", store.ops->place);
		output_json_string(stdout, bytes_str(store.ops->where(store.on.source)));
		printf(",\"keys\":[");
	} else if (n > 0) {
		printf("%-24s %-13s %7s %7s %14s\n", "NAME", "TYPE", "LATEST", "MINIMUM", "USES");
	} else {
		say_none(&store);
	}
	for (size_t i = 0; i < n; i++) {
		struct seal_err failure = SEAL_ERR_INIT;
		struct key_admin_info info;
		bool good = store.ops->show(&store.on, bytes_str(names[i]), &info, &failure) == SEAL_OK;

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
	key_use_end(&store);
	return rc;
}

const struct command command_key_list = {
	.name = "list",
	.usage = "[STORE]",
	.summary = "List the keys: latest version, minimum decryption version, uses of the latest",
	.details = "STORE is local, the keyring, unless told otherwise, or a Transit mount: vault:MOUNT. Uses are "
		   "counted by the keyring alone, and not for convergent keys.",
	.examples = "sealstream key list\n"
		    "sealstream key list vault:transit\n",
	.args_max = 1,
	.options = rows,
	.options_size = sizeof(struct list_options),
	.keys = true,
	.run = run,
};
