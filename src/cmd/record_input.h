/* What a command reads that only looks: a topic, as no member of any group, to where it ends now; or a file. */
#ifndef CMD_RECORD_INPUT_H
#define CMD_RECORD_INPUT_H

#include "cmd/command.h"
#include "streams/kafka/kafka.h"

struct record_input {
	const char *topic; /* NULL: the call's FILE, or standard input */
	const char *offset; /* of a topic: where to start */
	int64_t partition; /* of a topic; -1: all */
	const struct kafka_connection *connection;
	bool everything; /* of a topic: whatever the settings say, also what no committed transaction wrote */
	bool envelopes; /* of a file: its lines are those of kcat -J */
	int64_t max_record_bytes;
};

/* `config` is made with kafka_config_init and lives longer than the source. SEAL_E_USAGE: a topic, and what is for files. */
SEAL_MUST_USE enum seal_status record_input_open(const struct record_input *input, struct command_call *call,
						 struct kafka_config *config, struct source **source,
						 struct seal_err *err);

#endif
