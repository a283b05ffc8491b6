/* `consume`: records of a stream, revealed, to standard output. */
#include "cmd/audit_use.h"
#include "cmd/commands.h"
#include "cmd/kafka_use.h"
#include "cmd/stream_job.h"
#include "cmd/stream_open.h"

struct consume_command {
	struct stream_options common;
	const char *topic, *group, *offset, *output;
	int64_t partition;
	bool plain, envelopes, exit_at_end, fail_fast, commit;
};

#define AT(member) .offset = offsetof(struct consume_command, member)

static const struct opt_row rows[] = {
	STREAM_ROWS(struct consume_command, common),
	{.name = "topic",
	 .letter = 't',
	 .help = "stream to read",
	 .arg = "ADDRESS",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 .required = true,
	 AT(topic)},
	{.name = "offset",
	 .letter = 'o',
	 .help = "where to start: beginning, end, N, or -N for the last N of each partition",
	 .arg = "OFFSET",
	 .def = "beginning",
	 .type = OPT_STRING,
	 AT(offset)},
	{.name = "partition",
	 .help = "this partition only; -1: all",
	 .arg = "N",
	 .def = "-1",
	 .min = -1,
	 .max = INT32_MAX,
	 .type = OPT_INT,
	 AT(partition)},
	{.name = "group",
	 .letter = 'G',
	 .help = "read as a member of this consumer group, from where it stands, and commit",
	 .arg = "GROUP",
	 .env = "SEALSTREAM_GROUP",
	 .type = OPT_STRING,
	 AT(group)},
	{.name = "commit",
	 .help = "take what is printed out of a queue or a subscription, which else gets it back at the end",
	 .type = OPT_FLAG,
	 AT(commit)},
	{.name = "exit",
	 .letter = 'e',
	 .help = "stop at the end: of every partition, of what a queue holds",
	 .type = OPT_FLAG,
	 AT(exit_at_end)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "print envelopes as kcat -J does",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "output",
	 .help = "write here instead of standard output; behind what the file holds where what is read is "
		 "committed: with -G or --commit",
	 .arg = "FILE",
	 .def = "-",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "plain", .help = "print what the topic holds, without a policy", .type = OPT_FLAG, AT(plain)},
	{.name = "fail-fast", .help = "end at the first record that fails", .type = OPT_FLAG, AT(fail_fast)},
	OPT_END};

struct consume_job {
	const struct consume_command *options;
	struct command_call *call;
	struct stream_side from;
	struct kafka_config config;
};

static enum seal_status open_streams(void *arg, struct source **source, struct sink **sink, struct seal_err *err)
{
	struct consume_job *job = arg;
	const struct consume_command *o = job->options;
	/*
	 * Direct: what is in the file counts as done, and a consumer seldom ends but by a stop request. A group's next run does
	 * not get again what stands there, so that it must go on behind it.
	 */
	const struct stream_setting out[] = {{"layout", o->envelopes ? "envelope" : "value"},
					     {o->commit || o->group != NULL ? "append" : "direct", "true"},
					     {NULL, NULL}};
	const struct kafka_source_options in = {.connection = o->common.connection,
						.group = o->group,
						.offset = o->offset,
						.partition = o->partition,
						.exit_at_end = o->exit_at_end,
						.config = &job->config};
	enum seal_status rc = stream_open_sink("file", o->output, out, job->call->arena, sink, err);

	if (rc != SEAL_OK)
		return rc;
	if (!stream_side_is(&job->from, PLATFORM_KAFKA))
		return stream_side_open_source(&job->from, source, err);
	return kafka_use_source(job->from.at.rest, &in, source, err);
}

static enum seal_status choose_source(struct consume_job *job, struct seal_err *err)
{
	const struct consume_command *o = job->options;
	enum seal_status rc;

	SEAL_TRY(stream_side_init(job->call, PLATFORM_SOURCE, o->topic, &job->from, err));
	SEAL_TRY(stream_sides_check(job->call, &job->from, NULL, NULL, err));
	if (o->commit && !job->from.traits->lends)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--commit is for queues and subscriptions: of %s a group's place is committed (-G)",
			       o->topic);
	if (job->from.traits->lends && !o->commit)
		SEAL_TRY(stream_side_set(&job->from, "look", "true", job->call->arena, NULL, err));
	SEAL_TRY(stream_side_set(&job->from, "skip-blank", "true", job->call->arena, NULL, err));
	if (stream_side_is(&job->from, PLATFORM_KAFKA))
		rc = kafka_connection_load(&o->common.connection, &job->config, err);
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct consume_command *o = call->options;
	struct consume_job mine = {.options = o, .call = call};
	struct stream_job job = {.options = &o->common,
				 .direction = ENGINE_REVEAL,
				 .plain = o->plain,
				 .prints = strcmp(o->output, "-") == 0,
				 .from = &mine.from,
				 .keep_partition = true, /* as envelopes tell them */
				 .keep_topic = true,
				 .keep_going = !o->fail_fast,
				 .no_dead_letters = true,
				 .open = open_streams,
				 .arg = &mine};
	enum seal_status rc;

	kafka_config_init(&mine.config);
	SEAL_TRY(choose_source(&mine, err));
	job.headers = mine.from.traits->headers != NULL;
	audit_use_streams(call->global, o->topic, o->output);
	SEAL_TRY(stream_job_run(&job, call, exit_code, err));
out:
	kafka_config_clear(&mine.config);
	return rc;
}

const struct command command_consume = {
	.name = "consume",
	.usage = "",
	.summary = "Read a stream and print its records, revealed",
	.details =
		"A record that fails is told on standard error and left out; the run then ends with 1. With "
		"--fail-fast the "
		"first one ends it with 65.\n"
		"The rules are those of --policy-topic, else of the topic itself.\n"
		"Messages of a queue or a subscription are lent until the end, then given back: nobody misses one. "
		"With --commit they are taken out of it.\n" STREAM_DETAILS,
	.examples = "sealstream consume -b broker:9092 -t purchases_encrypted -p policy.yaml -e\n"
		    "sealstream consume -b broker:9092 -t purchases_encrypted --plain -o -10 -e -J\n"
		    "sealstream consume -p policy.yaml -t sqs:purchases_encrypted --commit -e\n",
	.options = rows,
	.options_size = sizeof(struct consume_command),
	.streams = COMMAND_READS,
	.keys = true,
	.run = run,
};
