/* `file send`: the files of a directory, protected chunk by chunk, into a stream. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/file_progress.h"
#include "cmd/file_use.h"
#include "cmd/kafka_use.h"
#include "cmd/sandbox_use.h"
#include "cmd/service.h"
#include "cmd/stream_open.h"
#include "cmd/stream_use.h"
#include "transfer/transfer.h"

#define SINK_BYTES (16 << 20) /* on their way; chunks beside it take 8 MiB, and all must stay below 64 MiB */

struct send_command {
	struct kafka_connection connection;
	const char *topic, *from, *key, *state, *listen;
	int64_t parallel, chunk_size, settle_ms, retry_ms;
	int progress, sandbox;
	bool once, hide_names;
};

#define AT(member) .offset = offsetof(struct send_command, member)

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct send_command, connection),
	{.name = "topic",
	 .letter = 't',
	 .help = "stream to write; default: [large_payload] topic of the -F file",
	 .arg = "ADDRESS",
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
	LISTEN_ROW(struct send_command, listen),
	SANDBOX_ROW(struct send_command, sandbox),
	RETRY_FOR_ROW(struct send_command, retry_ms, "0"),
	FILE_PROGRESS_ROW(struct send_command, progress),
	OPT_END};

struct send_job {
	const struct send_command *options;
	struct command_call *call;
	struct stream_side to;
	struct kafka_config config; /* empty unless it goes to Kafka, or -F says what is open */
};

/* Where files go: what the command line leaves open comes from the settings. */
static enum seal_status choose_target(struct send_job *job, struct seal_err *err)
{
	const struct send_command *o = job->options;
	enum seal_status rc = SEAL_OK;
	const bool other = o->topic != NULL && strchr(o->topic, ':') != NULL;

	if (!other || o->connection.file != NULL || strncmp(o->topic, "kafka:", sizeof("kafka:") - 1) == 0)
		SEAL_TRY(kafka_connection_load(&o->connection, &job->config, err));
	if (o->topic == NULL && job->config.payload_topic == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "which topic? Say -t TOPIC, or set topic in [large_payload] of the -F file");
	SEAL_TRY(stream_side_init(job->call, PLATFORM_SINK, o->topic != NULL ? o->topic : job->config.payload_topic,
				  &job->to, err));
	if (stream_side_is(&job->to, PLATFORM_FILE))
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"files go to streams of records, not to %s; sealstream file protect makes a file of a file",
			job->to.at.text);
	rc = stream_sides_check(job->call, NULL, &job->to, NULL, err);
out:
	return rc;
}

static enum seal_status choose_files(const struct send_job *job, struct send_options *send, struct seal_err *err)
{
	const struct send_command *o = job->options;

	send->target = job->to.at.text;
	if (job->call->n_args > 0 && o->from != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "either FILE or --from DIR, not both");
	if (job->call->n_args > 0)
		send->files = job->call->args;
	else
		send->directory = o->from != NULL ? o->from : job->config.payload_source_dir;
	if (send->files == NULL && send->directory == NULL)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"what is to be sent? Say --from DIR or FILE, or set sourcedir in [large_payload] of the "
			"-F file");
	return SEAL_OK;
}

static enum seal_status open_kafka(struct send_job *job, struct sink **out, struct seal_err *err)
{
	const struct send_command *o = job->options;
	const struct kafka_sink_options sink = {.connection = o->connection,
						.config = &job->config,
						.memory_bytes = SINK_BYTES,
						.record_bytes = o->chunk_size + TRANSFER_RECORD_ROOM};

	return kafka_use_sink(job->to.at.rest, &sink, out, err);
}

static enum seal_status open_other(struct send_job *job, struct sink **out, struct seal_err *err)
{
	struct arena *arena = job->call->arena;
	const char *memory = arena_printf(arena, "%d", SINK_BYTES);
	const char *record =
		arena_printf(arena, "%lld", (long long)(job->options->chunk_size + TRANSFER_RECORD_ROOM));
	enum seal_status rc;

	if (memory == NULL || record == NULL)
		return err_memory(err);
	SEAL_TRY(stream_side_set(&job->to, "memory", memory, arena, NULL, err));
	SEAL_TRY(stream_side_set(&job->to, "record-bytes", record, arena, NULL, err));
	rc = stream_side_open_sink(&job->to, out, err);
out:
	return rc;
}

/*
 * Chunks become smaller where the service takes no record of their size. Only said: nothing else depends on it. Kafka's limit is a
 * setting, whose name the transfer tells.
 */
static void fit_chunks(const struct send_job *job, struct send_options *send)
{
	const struct sink_ops *ops = send->sink->ops;
	struct seal_err ignored = SEAL_ERR_INIT;
	const char *flag = NULL;
	size_t max = 0;

	if (stream_side_is(&job->to, PLATFORM_KAFKA) || ops->record_max == NULL ||
	    ops->record_max(send->sink, &max, &flag, &ignored) != SEAL_OK ||
	    (size_t)send->chunk_size + TRANSFER_RECORD_ROOM <= max || max < FILE_CHUNK_MIN + TRANSFER_RECORD_ROOM)
		return; /* where it does not fit for other reasons, the transfer says so */
	send->chunk_size = (uint32_t)((max - TRANSFER_RECORD_ROOM) / 1024 * 1024);
	log_say(LOG_INFO, "chunks are of %u bytes: %s takes records of at most %zu bytes", send->chunk_size,
		job->to.at.text, max);
}

static enum seal_status open_sink(struct send_job *job, struct send_options *send, struct seal_err *err)
{
	enum seal_status rc = stream_side_is(&job->to, PLATFORM_KAFKA) ? open_kafka(job, &send->sink, err)
								       : open_other(job, &send->sink, err);

	if (rc == SEAL_OK)
		fit_chunks(job, send);
	return rc;
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
	struct file_watch watch = {.monitor = NULL};
	struct send_job job = {.options = o, .call = call};
	enum seal_status rc;

	mem_keep_little();
	stop_take_reloads(); /* there is nothing to reload */
	service_begin();
	kafka_config_init(&job.config);
	SEAL_TRY(sandbox_use_drop(o->sandbox, err)); /* before the first thread */
	SEAL_TRY(file_watch_open(&watch, call, o->listen, "sent", err));
	SEAL_TRY(choose_target(&job, err));
	SEAL_TRY(choose_files(&job, &send, err));
	audit_use_streams(call->global, send.directory, job.to.at.text);
	rc = file_key_open(&watch.call, o->key, false, &watch.key, err);
	if (rc == SEAL_OK)
		rc = open_sink(&job, &send, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	send.key = watch.key.key;
	send.key_derived = watch.key.derived;
	SEAL_TRY(file_progress_new(o->progress, "sent", &counts, call->global, &progress, err));
	file_progress_watch(progress, &send.watch);
	SEAL_TRY(sandbox_use_enter(o->sandbox, err));
	file_watch_start(&watch, progress, o->key, job.to.at.text, NULL);
	service_ready();
	rc = transfer_send(&send, &counts, err);
	service_stopping();
	file_progress_end(progress, rc != SEAL_OK);
	SEAL_TRY(rc);
	if (counts.before > 0)
		log_say(LOG_INFO, "%" PRIu64 " file%s had been sent before", counts.before, plural_s(counts.before));
	*exit_code = stop_requested() ? 128 + stop_requested() : counts.failed > 0 ? 1 : 0;
out:
	file_watch_end(&watch);
	file_progress_free(progress);
	if (send.sink != NULL) {
		enum seal_status closed = send.sink->ops->close(send.sink, err);

		rc = rc == SEAL_OK ? closed : rc;
	}
	file_watch_close(&watch);
	kafka_config_clear(&job.config);
	return rc;
}

const struct command command_file_send = {
	.name = "send",
	.usage = "[FILE …]",
	.summary = "Send files of any size through a stream, encrypted chunk by chunk",
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
		   "Chunks become smaller where a service takes no record of their size. A service that keeps no "
		   "headers loses nothing by it: all that counts is in the chunks.\n"
		   "While a key server or the brokers are away the run waits, says so once, and goes on. The first "
		   "SIGINT or "
		   "SIGTERM ends it cleanly with 130 or 143. It ends with 1 when single files could not be sent.",
	.examples = "sealstream file send -F getting_started.ini --key vault:transit/files\n"
		    "sealstream file send -b broker:9092 -t files --key local:pii --from out --once\n"
		    "sealstream file send -b broker:9092 -t files --key local:pii a.csv photo.jpg\n",
	.options = rows,
	.options_size = sizeof(struct send_command),
	.args_max = SIZE_MAX,
	.streams = COMMAND_WRITES,
	.keys = true,
	.run = run,
};
