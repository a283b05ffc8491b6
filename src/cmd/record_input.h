/* What a command reads that only looks: a stream, as no member of any group, to where it ends now; or a file. */
#ifndef CMD_RECORD_INPUT_H
#define CMD_RECORD_INPUT_H

#include "cmd/stream_use.h"
#include "streams/kafka/kafka.h"

/* Rows of a command that looks at a topic; its options have `topic`, `offset` and `partition` as struct record_input has. */
#define RECORD_INPUT_ROWS(options_type)                                                                              \
	{.name = "topic",                                                                                            \
	 .letter = 't',                                                                                              \
	 .help = "read this stream, as no member of any group, to where it ends now, instead of a file",             \
	 .arg = "ADDRESS",                                                                                           \
	 .type = OPT_STRING,                                                                                         \
	 .offset = offsetof(options_type, topic)},                                                                   \
		{.name = "offset",                                                                                   \
		 .letter = 'o',                                                                                      \
		 .help = "of a topic: where to start: beginning, N, or -N for the last N of each partition",         \
		 .arg = "OFFSET",                                                                                    \
		 .def = "beginning",                                                                                 \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(options_type, offset)},                                                          \
	{                                                                                                            \
		.name = "partition", .help = "of a topic: this partition only; -1: all", .arg = "N", .def = "-1",    \
		.min = -1, .max = INT32_MAX, .type = OPT_INT, .offset = offsetof(options_type, partition)            \
	}

struct record_input {
	const struct stream_side *side; /* of record_input_side; NULL: the call's FILE, or standard input */
	const char *offset; /* of a topic: where to start */
	int64_t partition; /* of a topic; -1: all */
	const struct kafka_connection *connection;
	bool everything; /* of a topic: whatever the settings say, also what no committed transaction wrote */
	bool envelopes; /* of a file: its lines are those of kcat -J */
	bool skip_blank; /* of a file: empty lines are no records */
	const char *key_delimiter; /* of a file: what stands between key and value; NULL: lines are values */
	int64_t max_record_bytes;
};

/*
 * The side that `topic` names, checked against the options; of a file (`topic` NULL) only that no option of a stream is there.
 * SEAL_USAGE.
 */
SEAL_MUST_USE enum seal_status record_input_side(struct command_call *call, const char *topic,
						 struct stream_side *side, struct seal_err *err);

/* Whose rules a policy has for it: those of `policy_topic`, else of the side; *out NULL: the policy's only one. */
SEAL_MUST_USE enum seal_status record_input_topic(const char *policy_topic, const struct stream_side *side,
						  struct arena *arena, const char **out, struct seal_err *err);

/* `config` is made with kafka_config_init and lives longer than the source. SEAL_E_USAGE: a topic, and what is for files. */
SEAL_MUST_USE enum seal_status record_input_open(const struct record_input *input, struct command_call *call,
						 struct kafka_config *config, struct source **source,
						 struct seal_err *err);

#endif
