/* `pump`: from one topic to another, protecting or revealing on the way. */
#include "cmd/commands.h"
#include "cmd/kafka_use.h"
#include "cmd/stream_job.h"

struct pump_command {
	struct stream_options common;
	const char *from, *to, *group;
	bool reveal, keep_partition, exit_at_end;
};

#define AT(member) .offset = offsetof(struct pump_command, member)

static const struct opt_row rows[] = {
	STREAM_ROWS(struct pump_command, common),
	{.name = "from",
	 .help = "topic to read; default: [encryptor] sourcetopic of the -F file",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_FROM",
	 .type = OPT_STRING,
	 AT(from)},
	{.name = "to",
	 .help = "topic to write; default: [encryptor] targettopic of the -F file",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_TO",
	 .type = OPT_STRING,
	 AT(to)},
	{.name = "reveal", .help = "give protected fields back in clear instead", .type = OPT_FLAG, AT(reveal)},
	{.name = "group",
	 .letter = 'G',
	 .help = "consumer group; default: group.id of the settings, or sealstream.FROM.TO",
	 .arg = "GROUP",
	 .env = "SEALSTREAM_GROUP",
	 .type = OPT_STRING,
	 AT(group)},
	{.name = "keep-partition",
	 .help = "a record goes to the partition number that it came from",
	 .env = "SEALSTREAM_KEEP_PARTITION",
	 .type = OPT_FLAG,
	 AT(keep_partition)},
	{.name = "exit",
	 .letter = 'e',
	 .help = "stop at the end of every partition",
	 .type = OPT_FLAG,
	 AT(exit_at_end)},
	OPT_END};

struct pump_job {
	const struct pump_command *options;
	const char *from, *to, *group;
	struct kafka_config config;
};

static enum seal_status open_streams(void *arg, struct source **source, struct sink **sink, struct seal_err *err)
{
	struct pump_job *job = arg;
	const struct kafka_source_options in = {.connection = job->options->common.connection,
						.group = job->group,
						.partition = -1,
						.exit_at_end = job->options->exit_at_end,
						.config = &job->config};
	const struct kafka_sink_options out = {.connection = job->options->common.connection,
					       .keep_partition = job->options->keep_partition,
					       .config = &job->config};
	enum seal_status rc = kafka_use_sink(job->to, &out, sink, err);

	/* The source last: a group should not wait for a member that finds no target. */
	return rc == SEAL_OK ? kafka_use_source(job->from, &in, source, err) : rc;
}

static enum seal_status choose(struct pump_job *job, struct arena *arena, struct seal_err *err)
{
	const struct pump_command *o = job->options;

	job->from = o->from ? o->from : job->config.source_topic;
	job->to = o->to ? o->to : job->config.target_topic;
	if (job->from == NULL || job->to == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "say %s TOPIC, or set %s in [encryptor] of the -F file",
			       job->from ? "--to" : "--from", job->from ? "targettopic" : "sourcetopic");
	if (strcmp(job->from, job->to) == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--from and --to are the same topic: it would never end");
	job->group = o->group ? o->group : kafka_config_get(&job->config, KAFKA_CONSUMER, "group.id");
	if (job->group == NULL)
		job->group = arena_printf(arena, "sealstream.%s.%s", job->from, job->to);
	return job->group ? SEAL_OK : err_memory(err);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct pump_command *o = call->options;
	struct pump_job mine = {.options = o};
	struct stream_job job = {.options = &o->common,
				 .direction = o->reveal ? ENGINE_REVEAL : ENGINE_PROTECT,
				 .keep_partition = o->keep_partition,
				 .open = open_streams,
				 .arg = &mine};
	enum seal_status rc;

	kafka_config_init(&mine.config);
	SEAL_TRY(kafka_connection_load(&o->common.connection, &mine.config, err));
	SEAL_TRY(choose(&mine, call->arena, err));
	job.topics[0] = mine.from;
	job.topics[1] = mine.to;
	SEAL_TRY(stream_job_run(&job, call, exit_code, err));
out:
	kafka_config_clear(&mine.config);
	return rc;
}

const struct command command_pump = {
	.name = "pump",
	.usage = "",
	.summary = "Copy a Kafka topic into another, protecting or revealing on the way",
	.details =
		"Reads as a member of a consumer group and writes with an idempotent producer. Key, headers, "
		"timestamp and "
		"tombstones are kept; the offset of a record is committed only after its output was acknowledged, so "
		"that "
		"nothing is lost when the pump, its machine or the broker dies (a few records may then come twice).\n"
		"As timestamps are kept, the target's retention counts from when a record was first made.\n"
		"The rules are those of --policy-topic, else of the source topic, else of the target topic.\n"
		"A record that fails goes where the policy's on_error says: reject stops the pump in front of it "
		"(65), "
		"dead_letter sends it, encrypted whole, to the dead-letter topic, drop leaves it out; the last two "
		"end a "
		"run with 1.\n" STREAM_DETAILS,
	.examples = "sealstream pump -F getting_started.ini -p policy.yaml -e\n"
		    "sealstream pump -b broker:9092 -p policy.yaml \\\n"
		    "    --from purchases --to purchases_encrypted\n",
	.options = rows,
	.options_size = sizeof(struct pump_command),
	.keys = true,
	.run = run,
};
