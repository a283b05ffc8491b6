/* `pump`: from one topic to another, protecting or revealing on the way. */
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
	 .help = "a record goes to the partition number that it came from",
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
	.summary = "Copy a Kafka topic into another, protecting or revealing on the way",
	.details =
		"Reads as a member of a consumer group. Key and headers are "
		"kept, or protected where the policy has rules for them (key:, headers:); timestamp and "
		"tombstones are kept.\n" DELIVERY_DETAILS
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
