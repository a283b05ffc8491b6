/*
 * `rewrap`: what is protected moves to the newest version of its key; nothing else changes. Files go the way of `protect`,
 * topics that of `pump`.
 */
#include "cmd/commands.h"
#include "cmd/policy_use.h"
#include "cmd/topic_copy.h"
#include "cmd/transform.h"

struct rewrap_command {
	struct copy_options copy;
	const char *topic, *output;
	bool envelopes, fail_fast;
};

#define AT(member) .offset = offsetof(struct rewrap_command, member)

static const struct opt_row rows[] = {
	COPY_ROWS(struct rewrap_command, copy,
		  "consumer group; default: group.id of the settings, or sealstream.rewrap.FROM.TO"),
	{.name = "topic",
	 .letter = 't',
	 .help = "for a file: use the rules of this topic; default: the policy's only one",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 AT(topic)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "for a file: lines are envelopes of kcat -J: the record is their payload, with its key and headers",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "output",
	 .letter = 'o',
	 .help = "for a file: write here instead of standard output",
	 .arg = "FILE",
	 .def = "-",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "fail-fast",
	 .help = "for a file: end at the first record that fails",
	 .type = OPT_FLAG,
	 AT(fail_fast)},
	OPT_END};

static enum seal_status rewrap_file(const struct rewrap_command *o, struct command_call *call, int *exit_code,
				    struct seal_err *err)
{
	const struct stream_options *common = &o->copy.common;
	struct transform_options options = {.policy = common->policy,
					    .topic = o->topic ? o->topic : common->policy_topic,
					    .output = o->output,
					    .max_record_bytes = common->max_record_bytes,
					    .threads = common->threads,
					    .retry_ms = common->retry_ms,
					    .envelopes = o->envelopes,
					    .fail_fast = o->fail_fast};
	struct command_call file = *call;

	if (options.policy == NULL)
		return policy_is_needed(err);
	if (common->count > 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--count is for topics: a file is rewrapped whole");
	file.options = &options;
	return transform_run(&file, ENGINE_REWRAP, exit_code, err);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct rewrap_command *o = call->options;
	const struct kafka_connection *connection = &o->copy.common.connection;
	struct copy_options copy = o->copy;

	if (call->n_args > 0 && (o->copy.from != NULL || o->copy.to != NULL))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "rewrap takes a FILE, or topics (--from, --to), but not both");
	if (call->n_args > 0 || (o->copy.from == NULL && o->copy.to == NULL && connection->brokers == NULL &&
				 connection->file == NULL && connection->properties == NULL))
		return rewrap_file(o, call, exit_code, err);
	copy.keep_partition = true;
	return topic_copy_run(&copy, ENGINE_REWRAP, "sealstream.rewrap", call, exit_code, err);
}

const struct command command_rewrap = {
	.name = "rewrap",
	.usage = "[FILE|-]",
	.summary = "Move protected fields to the newest version of their keys",
	.details =
		"For after a rotation: when nothing is left under the old versions (sealstream inspect --versions "
		"says), the key's minimum decryption version can be raised. A value of `encrypt` that is under an "
		"older version is encrypted anew; one that is under the newest, every value of other methods and all "
		"bytes that the policy does not name stay as they are. Vault does it without showing plaintext to "
		"this side where it can: for values that are bound to nothing (bind: none). Bound ones are decrypted "
		"and encrypted here, never written.\n"
		"A value that the policy protects but that arrives in plain fails its record, as in reveal. Values "
		"of fpe and hash name no version: for them a policy says the version.\n"
		"With a FILE, or standard input, it works as protect does. With --from and --to it copies one topic "
		"into another as pump does, to the partitions of the same numbers, which the target must have; key, "
		"headers and timestamp are kept. Protected keys and headers are rewrapped as values are; a record "
		"whose key changes by it goes to the partition of the new one. "
		"Without FILE, a broker that is named (-b, -F, -X) means topics.\n"
		"At the end it says how many values were rewrapped and how many were there "
		"already.\n" DELIVERY_DETAILS STREAM_DETAILS,
	.examples = "sealstream rewrap -p policy.yaml protected.ndjson -o protected.ndjson\n"
		    "sealstream rewrap -b broker:9092 -p policy.yaml -e \\\n"
		    "    --from purchases_encrypted --to purchases_rewrapped\n",
	.options = rows,
	.options_size = sizeof(struct rewrap_command),
	.args_max = 1,
	.streams = COMMAND_READS | COMMAND_WRITES,
	.keys = true,
	.run = run,
};
