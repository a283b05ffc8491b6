/* `file send`: the files of a directory, protected chunk by chunk, into a topic. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/file_progress.h"
#include "cmd/file_use.h"
#include "cmd/kafka_use.h"
#include "cmd/sandbox_use.h"
#include "cmd/service.h"
#include "cmd/stream_open.h"
#include "transfer/transfer.h"

#define SINK_BYTES (16 << 20) /* on their way; chunks beside it take 8 MiB, and all must stay below 64 MiB */

struct send_command {
	struct kafka_connection connection;
	const char *topic, *from, *key, *state;
	int64_t parallel, chunk_size, settle_ms, retry_ms;
	int progress, sandbox;
	bool once, hide_names;
};

#define AT(member) .offset = offsetof(struct send_command, member)

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct send_command, connection),
	{.name = "topic",
	 .letter = 't',
	 .help = "topic to write; default: [large_payload] topic of the -F file",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 AT(topic)},
	{.name = "from",
	 .help = "directory whose files are sent; default: [large_payload] sourcedir of the -F file",
	 .arg = "DIR",
	 .env = "SEALSTREAM_FROM",
	 .type = OPT_STRING,
	 AT(from)},
	FILE_KEY_ROW(struct send_command, key),
	{.name = "once", .help = "end when all files that are there have been sent", .type = OPT_FLAG, AT(once)},
	{.name = "parallel",
	 .letter = 'j',
	 .help = "files that are sent at once",
	 .arg = "N",
	 .def = "4",
	 .min = 1,
	 .max = 64,
	 .env = "SEALSTREAM_PARALLEL",
	 .type = OPT_INT,
	 AT(parallel)},
	FILE_CHUNK_SIZE_ROW(struct send_command, chunk_size),
	{.name = "hide-names",
	 .help = "no header with the file's name; the receiver gets it all the same",
	 .env = "SEALSTREAM_HIDE_NAMES",
	 .type = OPT_FLAG,
	 AT(hide_names)},
	{.name = "state",
	 .help = "where to keep what was sent; default: .sealstream in the directory of the files",
	 .arg = "DIR",
	 .env = "SEALSTREAM_STATE",
	 .type = OPT_STRING,
	 AT(state)},
	{.name = "settle",
	 .help = "a file that is kept open is sent when it has not changed for so long",
	 .arg = "TIME",
	 .def = "5s",
	 .min = 0,
	 .max = INT64_MAX,
	 .env = "SEALSTREAM_SETTLE",
	 .type = OPT_DURATION,
	 AT(settle_ms)},
	SANDBOX_ROW(struct send_command, sandbox),
	RETRY_FOR_ROW(struct send_command, retry_ms, "0"),
	FILE_PROGRESS_ROW(struct send_command, progress),
	OPT_END};

/* What the command line leaves open comes from the settings. */
static enum seal_status choose(const struct command_call *call, const struct kafka_config *config,
			       struct send_options *send, const char **topic, struct seal_err *err)
{
	const struct send_command *o = call->options;

	*topic = o->topic != NULL ? o->topic : config->payload_topic;
	if (*topic == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "which topic? Say -t TOPIC, or set topic in [large_payload] of the -F file");
	send->target = *topic;
	if (call->n_args > 0 && o->from != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "either FILE or --from DIR, not both");
	if (call->n_args > 0)
		send->files = call->args;
	else
		send->directory = o->from != NULL ? o->from : config->payload_source_dir;
	if (send->files == NULL && send->directory == NULL)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"what is to be sent? Say --from DIR or FILE, or set sourcedir in [large_payload] of the "
			"-F file");
	return SEAL_OK;
}

/*
 * How long brokers are waited for is --retry-for's to say: librdkafka's own limit, after which a record counts as lost, is set
 * aside unless the user sets it.
 */
static enum seal_status open_sink(const struct send_command *o, const char *topic, struct kafka_config *config,
				  struct sink **out, struct seal_err *err)
{
	const struct kafka_sink_options sink = {.connection = o->connection,
						.config = config,
						.memory_bytes = SINK_BYTES,
						.record_bytes = o->chunk_size + TRANSFER_RECORD_ROOM};
	enum seal_status rc = SEAL_OK;

	if (kafka_config_get(config, KAFKA_PRODUCER, "message.timeout.ms") == NULL &&
	    kafka_config_get(config, KAFKA_PRODUCER, "delivery.timeout.ms") == NULL)
		rc = kafka_config_set(config, "message.timeout.ms", "0", err);
	return rc == SEAL_OK ? kafka_use_sink(topic, &sink, out, err) : rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct send_command *o = call->options;
	struct send_options send = {.state = o->state,
				    .once = o->once,
				    .hide_names = o->hide_names,
				    .parallel = (unsigned)o->parallel,
				    .chunk_size = (uint32_t)o->chunk_size,
				    .settle_ms = (uint64_t)o->settle_ms,
				    .retry_ms = (uint64_t)o->retry_ms};
	struct transfer_counts counts = {0};
	struct file_progress *progress = NULL;
	struct file_key key = {.key = NULL};
	struct kafka_config config;
	const char *topic = NULL;
	enum seal_status rc;

	mem_keep_little();
	stop_take_reloads(); /* there is nothing to reload */
	service_begin();
	kafka_config_init(&config);
	SEAL_TRY(sandbox_use_drop(o->sandbox, err));
	SEAL_TRY(kafka_connection_load(&o->connection, &config, err));
	SEAL_TRY(choose(call, &config, &send, &topic, err));
	audit_use_streams(call->global, send.directory, topic);
	rc = file_key_open(call, o->key, false, &key, err);
	if (rc == SEAL_OK)
		rc = open_sink(o, topic, &config, &send.sink, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	send.key = key.key;
	send.key_derived = key.derived;
	SEAL_TRY(file_progress_new(o->progress, "sent", &counts, call->global, &progress, err));
	file_progress_watch(progress, &send.watch);
	file_progress_also(progress, file_key_count, &key);
	SEAL_TRY(sandbox_use_enter(o->sandbox, err));
	service_ready();
	rc = transfer_send(&send, &counts, err);
	service_stopping();
	file_progress_end(progress, rc != SEAL_OK);
	SEAL_TRY(rc);
	if (counts.before > 0)
		log_say(LOG_INFO, "%" PRIu64 " file%s had been sent before", counts.before, plural_s(counts.before));
	*exit_code = stop_requested() ? 128 + stop_requested() : counts.failed > 0 ? 1 : 0;
out:
	file_progress_free(progress);
	if (send.sink != NULL) {
		enum seal_status closed = send.sink->ops->close(send.sink, err);

		rc = rc == SEAL_OK ? closed : rc;
	}
	file_key_close(&key);
	kafka_config_clear(&config);
	return rc;
}

const struct command command_file_send = {
	.name = "send",
	.usage = "[FILE …]",
	.summary = "Send files of any size through a Kafka topic, encrypted chunk by chunk",
	.details = "Sends the regular files of a directory, without hidden ones, links and directories below it, and "
		   "with "
		   "--once ends; else watches the directory and sends what comes: a file when whoever wrote it has "
		   "closed it "
		   "or moved it there. FILE arguments are sent instead, once. A file that was sent and has not "
		   "changed since "
		   "is not sent again; one that changed is.\n"
		   "Each file has a data key of its own, which --key wraps; its name, size and time travel "
		   "encrypted. The "
		   "header X-filename shows the name to whoever may read the topic; --hide-names leaves it out.\n"
		   "What was sent, and how far what is under way has come, stands in .sealstream/sent of the "
		   "directory: an "
		   "interrupted run is gone on with by the next one, and several senders may share a directory.\n"
		   "While a key server or the brokers are away the run waits, says so once, and goes on. The first "
		   "SIGINT or "
		   "SIGTERM ends it cleanly with 130 or 143. It ends with 1 when single files could not be sent.",
	.examples = "sealstream file send -F getting_started.ini --key vault:transit/files\n"
		    "sealstream file send -b broker:9092 -t files --key local:pii --from out --once\n"
		    "sealstream file send -b broker:9092 -t files --key local:pii a.csv photo.jpg\n",
	.options = rows,
	.options_size = sizeof(struct send_command),
	.args_max = SIZE_MAX,
	.keys = true,
	.run = run,
};
