/* What pump, rewrap of topics, produce and consume have in common: options, and the run from a source to a sink under a policy. */
#ifndef CMD_STREAM_JOB_H
#define CMD_STREAM_JOB_H

#include "cmd/command.h"
#include "cmd/sandbox_use.h"
#include "cmd/stream_open.h"
#include "cmd/stream_use.h"
#include "cmd/monitor.h"
#include "pump/pump.h"
#include "streams/kafka/kafka.h"

struct stream_options {
	struct kafka_connection connection;
	const char *policy, *policy_topic, *listen;
	int64_t threads, max_record_bytes, count, retry_ms;
	int sandbox;
};

#define STREAM_ROWS(owner, member)                                                                                   \
	KAFKA_CONNECTION_ROWS(owner, member.connection),                                                             \
		{.name = "policy",                                                                                   \
		 .letter = 'p',                                                                                      \
		 .arg = "FILE",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .env = "SEALSTREAM_POLICY",                                                                         \
		 .offset = offsetof(owner, member.policy),                                                           \
		 .help = "the policy: which fields, how, with which keys"},                                          \
		{.name = "policy-topic",                                                                             \
		 .arg = "TOPIC",                                                                                     \
		 .type = OPT_STRING,                                                                                 \
		 .env = "SEALSTREAM_POLICY_TOPIC",                                                                   \
		 .offset = offsetof(owner, member.policy_topic),                                                     \
		 .help = "use the policy's rules of this topic instead of those of the topic itself"},               \
		{.name = "threads",                                                                                  \
		 .letter = 'j',                                                                                      \
		 .arg = "N",                                                                                         \
		 .type = OPT_INT,                                                                                    \
		 .def = "1",                                                                                         \
		 .min = 1,                                                                                           \
		 .max = 64,                                                                                          \
		 .env = "SEALSTREAM_THREADS",                                                                        \
		 .offset = offsetof(owner, member.threads),                                                          \
		 .help = "workers; the order within a partition does not depend on it"},                             \
		SANDBOX_ROW(owner, member.sandbox), RETRY_FOR_ROW(owner, member.retry_ms, "0"),                      \
		MAX_RECORD_BYTES_ROW(owner, member.max_record_bytes), LISTEN_ROW(owner, member.listen),              \
	{                                                                                                            \
		.name = "count", .letter = 'c', .arg = "N", .type = OPT_INT, .max = INT64_MAX,                       \
		.offset = offsetof(owner, member.count), .help = "stop after this many records"                      \
	}

#define STREAM_DETAILS                                                                                               \
	"Options that kcat has, too, mean the same here, but for -p, which is the policy (kcat's -p is "             \
	"--partition). "                                                                                             \
	"--bootstrap-server, --command-config and --command-property are those of Kafka's own tools. -F takes "      \
	"getting_started.ini and kcat's and Java's client.properties.\n"                                             \
	"A stream is named by its address: TOPIC or kafka:TOPIC, file:PATH, - (standard input or output), or "       \
	"SCHEME:ADDRESS of one of the streams below, whose options are --SCHEME-NAME, or of one side alone "         \
	"--from-SCHEME-NAME and --to-SCHEME-NAME.\n"                                                                 \
	"While a key server, the source or the target is away the run waits, says so once, and goes on where it "    \
	"was: nothing is lost for it, and no dead letter is made.\n"                                                 \
	"The first SIGINT or SIGTERM ends the run cleanly: what was read is written, acknowledged and committed, "   \
	"and the exit code is 130 or 143. A second one ends it at once."

/* A job's parts; source and sink are closed by stream_job_run whatever happens. */
struct stream_job {
	const struct stream_options *options;
	enum engine_direction direction;
	bool plain; /* no policy at all */
	bool prints; /* the sink is standard output */
	const struct stream_side *from,
		*to; /* the one whose topic's rules are used: the first that the policy knows; NULL: a FILE */
	bool headers; /* records have some where it matters: see struct pump_options */
	bool keep_partition, keep_topic, keep_going, no_dead_letters;
	bool exactly_once; /* the source has `stage`, and the sink transactions */
	/* Opens both; called when the policy is known to be good. `arg` is the caller's. */
	enum seal_status (*open)(void *arg, struct source **source, struct sink **sink, struct seal_err *err);
	void *arg;
};

SEAL_MUST_USE enum seal_status stream_job_run(const struct stream_job *job, struct command_call *call, int *exit_code,
					      struct seal_err *err);

#endif
