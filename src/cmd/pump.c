/* `pump`: from one stream to another, protecting or revealing on the way. */
#include "cmd/commands.h"
#include "cmd/topic_copy.h"

struct pump_command {
	struct copy_options copy;
	bool reveal;
};

static const struct opt_row rows[] = {
	COPY_ROWS(struct pump_command, copy,
		  "consumer group; default: group.id of the settings, or sealstream.FROM.TO"),
	{.name = "reveal",
	 .help = "give protected fields back in clear instead",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct pump_command, reveal)},
	{.name = "keep-partition",
	 .help = "a record goes to the partition number that it came from; where both sides have partitions",
	 .env = "SEALSTREAM_KEEP_PARTITION",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct pump_command, copy.keep_partition)},
	OPT_END};

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct pump_command *o = call->options;

	return topic_copy_run(&o->copy, o->reveal ? ENGINE_REVEAL : ENGINE_PROTECT, "sealstream", call, exit_code,
			      err);
}

const struct command command_pump = {
	.name = "pump",
	.usage = "",
	.summary = "Copy a stream into another, protecting or revealing on the way",
	.details =
		"Reads as a member of a consumer group, where the source has groups. Key and headers are "
		"kept, or protected where the policy has rules for them (key:, headers:); timestamp and "
		"tombstones are kept, as far as the target can.\n" DELIVERY_DETAILS
		"As timestamps are kept, a topic's retention counts from when a record was first made.\n"
		"The rules are those of --policy-topic, else of the source topic, else of the target topic: the last "
		"part of an address, such as the queue's name.\n"
		"A record that fails goes where the policy's on_error says: reject stops the pump in front of it "
		"(65), "
		"dead_letter sends it, encrypted whole, to the dead-letter topic, drop leaves it out; the last two "
		"end a "
		"run with 1.\n" STREAM_DETAILS,
	.examples = "sealstream pump -F getting_started.ini -p policy.yaml -e\n"
		    "sealstream pump -b broker:9092 -p policy.yaml \\\n"
		    "    --from purchases --to purchases_encrypted\n"
		    "sealstream pump -p policy.yaml --from file:in.ndjson --to file:out.ndjson\n"
		    "sealstream pump -p policy.yaml \\\n"
		    "    --from sqs:purchases --to kinesis:purchases_encrypted\n"
		    "sealstream pump -b broker:9092 -p policy.yaml \\\n"
		    "    --from file:orders.txt --file-key-delimiter : --to orders_encrypted\n",
	.options = rows,
	.options_size = sizeof(struct pump_command),
	.streams = COMMAND_READS | COMMAND_WRITES,
	.keys = true,
	.run = run,
};
