/* `produce`: records of a file or of standard input, protected, into a stream. */
#include "base/log.h"
#include "cmd/audit_use.h"
#include "cmd/commands.h"
#include "cmd/kafka_use.h"
#include "cmd/stream_job.h"
#include "cmd/stream_open.h"
#include "streams/ndjson/ndjson.h"

struct produce_command {
	struct stream_options common;
	const char *topic, *key_delimiter;
	bool plain, envelopes, keep_partition;
};

#define AT(member) .offset = offsetof(struct produce_command, member)

static const struct opt_row rows[] = {
	STREAM_ROWS(struct produce_command, common),
	{.name = "topic",
	 .letter = 't',
	 .help = "stream to write",
	 .arg = "ADDRESS",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 .required = true,
	 AT(topic)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "lines are envelopes of kcat -J: key, headers, timestamp and value are theirs",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "key-delimiter",
	 .letter = 'K',
	 .help = "what stands before this text in a line is the record's key",
	 .arg = "TEXT",
	 .type = OPT_STRING,
	 AT(key_delimiter)},
	{.name = "keep-partition",
	 .help = "with -J: a record goes to the partition that its envelope names",
	 .env = "SEALSTREAM_KEEP_PARTITION",
	 .type = OPT_FLAG,
	 AT(keep_partition)},
	{.name = "plain", .help = "send as it is, without a policy", .type = OPT_FLAG, AT(plain)},
	OPT_END};

struct produce_job {
	const struct produce_command *options;
	struct command_call *call;
	struct stream_side to;
	struct kafka_config config;
};

static enum seal_status open_streams(void *arg, struct source **source, struct sink **sink, struct seal_err *err)
{
	struct produce_job *job = arg;
	const struct produce_command *o = job->options;
	char *limit = arena_printf(job->call->arena, "%lld", (long long)o->common.max_record_bytes);
	const struct stream_setting in[] = {{"max-record-bytes", limit},
					    {"envelopes", o->envelopes ? "true" : "false"},
					    {"skip-blank", "true"},
					    {"key-delimiter", o->key_delimiter},
					    {NULL, NULL}};
	const struct kafka_sink_options out = {
		.connection = o->common.connection, .keep_partition = o->keep_partition, .config = &job->config};
	enum seal_status rc;

	if (limit == NULL)
		return err_memory(err);
	rc = stream_open_source("file", job->call->n_args ? job->call->args[0] : "-", in, job->call->arena, source,
				err);
	if (rc != SEAL_OK)
		return rc;
	if (!stream_side_is(&job->to, PLATFORM_KAFKA))
		return stream_side_open_sink(&job->to, sink, err);
	return kafka_use_sink(job->to.at.rest, &out, sink, err);
}

static enum seal_status check_options(const struct produce_command *o, struct seal_err *err)
{
	if (o->envelopes && o->key_delimiter != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "-J and -K exclude each other: an envelope has its key");
	if (o->key_delimiter != NULL && o->key_delimiter[0] == '\0')
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "-K needs a delimiter of at least one character");
	return SEAL_OK;
}

static enum seal_status open_target(struct produce_job *job, struct seal_err *err)
{
	const struct produce_command *o = job->options;
	enum seal_status rc;

	SEAL_TRY(stream_side_init(job->call, PLATFORM_SINK, o->topic, &job->to, err));
	SEAL_TRY(stream_sides_check(job->call, NULL, &job->to, NULL, err));
	if (o->keep_partition &&
	    (job->to.traits->order != STREAM_ORDER_PARTITION || !stream_side_has(&job->to, "keep-partition")))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--keep-partition: %s has no partitions", o->topic);
	if (stream_side_is(&job->to, PLATFORM_KAFKA))
		rc = kafka_connection_load(&o->common.connection, &job->config, err);
out:
	return rc;
}

/* What comes in envelopes and the target does not keep; a line has nothing that could be lost. */
static void tell_lost(const struct produce_job *job)
{
	char lost[STREAM_LOST_MAX];

	stream_lost(job->options->envelopes ? &ndjson_envelope_traits : &ndjson_traits, job->to.traits, lost);
	if (lost[0] != '\0')
		log_say(LOG_INFO, "%s does not keep all that envelopes have: %s", job->to.at.text, lost);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct produce_command *o = call->options;
	struct produce_job mine = {.options = o, .call = call};
	struct stream_job job = {.options = &o->common,
				 .direction = ENGINE_PROTECT,
				 .plain = o->plain,
				 .to = &mine.to,
				 .keep_partition = o->keep_partition,
				 .open = open_streams,
				 .arg = &mine};
	enum seal_status rc;

	kafka_config_init(&mine.config);
	SEAL_TRY(check_options(o, err));
	SEAL_TRY(open_target(&mine, err));
	job.headers = mine.to.traits->headers != NULL;
	job.no_dead_letters = stream_side_is(&mine.to, PLATFORM_FILE);
	job.prints = job.no_dead_letters && strcmp(mine.to.at.rest, "-") == 0;
	audit_use_streams(call->global, call->n_args ? call->args[0] : "-", o->topic);
	tell_lost(&mine);
	SEAL_TRY(stream_job_run(&job, call, exit_code, err));
out:
	kafka_config_clear(&mine.config);
	return rc;
}

const struct command command_produce = {
	.name = "produce",
	.usage = "[FILE|-]",
	.summary = "Protect records of a file and send them to a stream",
	.details =
		"Input is newline-delimited JSON, or with -J what kcat -J and sealstream consume -J print. Empty "
		"lines are "
		"left out.\n"
		"A record that fails goes where the policy's on_error says: reject ends the run in front of it (65), "
		"dead_letter sends it, encrypted whole, to the dead-letter topic, drop leaves it out; the last two "
		"end a "
		"run with 1.\n" STREAM_DETAILS,
	.examples = "sealstream sample | sealstream produce -b broker:9092 -t purchases --plain\n"
		    "sealstream produce -b broker:9092 -t purchases_encrypted -p policy.yaml \\\n"
		    "    purchases.ndjson\n",
	.options = rows,
	.options_size = sizeof(struct produce_command),
	.args_max = 1,
	.streams = COMMAND_WRITES,
	.keys = true,
	.run = run,
};
