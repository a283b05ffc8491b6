/* `file receive`: the files of a stream, into a directory. */
#include "base/mem.h"
#include "base/log.h"
#include "cmd/file_progress.h"
#include "cmd/file_use.h"
#include "cmd/kafka_use.h"
#include "cmd/sandbox_use.h"
#include "cmd/service.h"
#include "cmd/stream_open.h"
#include "cmd/stream_use.h"

#define SOURCE_BYTES (16 << 20) /* read ahead; the chunks in work come on top, and all must stay below 64 MiB */

struct receive_command {
	struct kafka_connection connection;
	const char *topic, *directory, *state, *group, *key, *listen;
	int64_t count, transfer_timeout_ms, max_file_bytes, retry_ms;
	int progress, sandbox;
	bool exit_at_end, overwrite;
};

#define AT(member) .offset = offsetof(struct receive_command, member)

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct receive_command, connection),
	{.name = "topic",
	 .letter = 't',
	 .help = "stream to read; default: [large_payload] topic of the -F file",
	 .arg = "ADDRESS",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 AT(topic)},
	{.name = "to",
	 .help = "directory for the files, made if missing; default: [large_payload] destinationdir of the -F file",
	 .arg = "DIR",
	 .env = "SEALSTREAM_TO",
	 .type = OPT_STRING,
	 AT(directory)},
	{.name = "state",
	 .help = "where files are put together, on the same file system; default: .sealstream in DIR",
	 .arg = "DIR",
	 .type = OPT_STRING,
	 AT(state)},
	{.name = "group",
	 .letter = 'G',
	 .help = "consumer group; default: group.id of the settings, or sealstream.TOPIC.files",
	 .arg = "GROUP",
	 .env = "SEALSTREAM_GROUP",
	 .type = OPT_STRING,
	 AT(group)},
	FILE_KEY_ROW(struct receive_command, key),
	{.name = "exit",
	 .letter = 'e',
	 .help = "stop at the end: of every partition, of what a queue holds",
	 .type = OPT_FLAG,
	 AT(exit_at_end)},
	{.name = "count",
	 .letter = 'c',
	 .help = "stop after this many files",
	 .arg = "N",
	 .type = OPT_INT,
	 .max = INT64_MAX,
	 AT(count)},
	{.name = "overwrite",
	 .help = "replace a file that has the same name; else the new one gets a number",
	 .type = OPT_FLAG,
	 AT(overwrite)},
	{.name = "transfer-timeout",
	 .help = "give a file up to which nothing came for so long; 0: never. Senders go on within 30m",
	 .arg = "TIME",
	 .def = "1h",
	 .max = INT64_MAX,
	 .env = "SEALSTREAM_TRANSFER_TIMEOUT",
	 .type = OPT_DURATION,
	 AT(transfer_timeout_ms)},
	{.name = "max-file-bytes",
	 .help = "refuse larger files; 0: only those that the file system could never hold",
	 .arg = "SIZE",
	 .def = "0",
	 .max = INT64_MAX,
	 .env = "SEALSTREAM_MAX_FILE_BYTES",
	 .type = OPT_SIZE,
	 AT(max_file_bytes)},
	LISTEN_ROW(struct receive_command, listen),
	SANDBOX_ROW(struct receive_command, sandbox),
	RETRY_FOR_ROW(struct receive_command, retry_ms, "0"),
	FILE_PROGRESS_ROW(struct receive_command, progress),
	OPT_END};

struct receive_job {
	struct receive_command *options;
	struct command_call *call;
	struct stream_side from;
	struct kafka_config config; /* empty unless it comes from Kafka, or -F says what is open */
};

static enum seal_status choose_group(struct receive_job *job, struct seal_err *err)
{
	struct receive_command *o = job->options;
	const struct seal_bytes topic = job->from.topic;
	const bool kafka = stream_side_is(&job->from, PLATFORM_KAFKA);

	if (o->group == NULL && kafka)
		o->group = kafka_config_get(&job->config, KAFKA_CONSUMER, "group.id");
	if (o->group == NULL)
		o->group = arena_printf(job->call->arena, "sealstream.%.*s.files", BYTES_FMT(topic));
	if (o->group == NULL)
		return err_memory(err);
	return kafka ? SEAL_OK : stream_side_set(&job->from, "group", o->group, job->call->arena, NULL, err);
}

/* From the -F file what no flag said. */
static enum seal_status choose(struct receive_job *job, struct seal_err *err)
{
	struct receive_command *o = job->options;
	const bool other = o->topic != NULL && strchr(o->topic, ':') != NULL;
	enum seal_status rc = SEAL_OK;

	if (!other || o->connection.file != NULL || strncmp(o->topic, "kafka:", sizeof("kafka:") - 1) == 0)
		SEAL_TRY(kafka_connection_load(&o->connection, &job->config, err));
	if (o->topic == NULL)
		o->topic = job->config.payload_topic;
	if (o->directory == NULL)
		o->directory = job->config.payload_destination_dir;
	if (o->topic == NULL || o->directory == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "say %s, or set %s in [large_payload] of the -F file",
			       o->topic ? "--to DIR" : "-t TOPIC", o->topic ? "destinationdir" : "topic");
	SEAL_TRY(stream_side_init(job->call, PLATFORM_SOURCE, o->topic, &job->from, err));
	if (stream_side_is(&job->from, PLATFORM_FILE))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "files come from streams of records, not from %s; sealstream file reveal opens a file",
			       o->topic);
	SEAL_TRY(stream_sides_check(job->call, &job->from, NULL, NULL, err));
	rc = choose_group(job, err);
out:
	return rc;
}

static enum seal_status open_source(struct receive_job *job, struct source **out, struct seal_err *err)
{
	const struct receive_command *o = job->options;
	const struct kafka_source_options kafka = {.connection = o->connection,
						   .group = o->group,
						   .partition = -1,
						   .exit_at_end = o->exit_at_end,
						   .config = &job->config,
						   .memory_bytes = SOURCE_BYTES};
	const char *memory = arena_printf(job->call->arena, "%d", SOURCE_BYTES);
	enum seal_status rc;

	if (stream_side_is(&job->from, PLATFORM_KAFKA))
		return kafka_use_source(job->from.at.rest, &kafka, out, err);
	if (memory == NULL)
		return err_memory(err);
	SEAL_TRY(stream_side_set(&job->from, "memory", memory, job->call->arena, NULL, err));
	rc = stream_side_open_source(&job->from, out, err);
out:
	return rc;
}

static enum seal_status receive(const struct receive_job *job, struct file_watch *watch, struct source *source,
				struct transfer_counts *counts, struct seal_err *err)
{
	const struct receive_command *o = job->options;
	struct receive_options options = {.directory = o->directory,
					  .state = o->state,
					  .overwrite = o->overwrite,
					  .max_files = (uint64_t)o->count,
					  .timeout_ms = (uint64_t)o->transfer_timeout_ms,
					  .max_file_bytes = (uint64_t)o->max_file_bytes,
					  .retry_ms = (uint64_t)o->retry_ms,
					  .source = source,
					  .source_lends = job->from.traits->lends,
					  .key = watch->key.key,
					  .key_derived = watch->key.derived};
	struct file_progress *progress = NULL;
	enum seal_status rc;

	SEAL_TRY(file_progress_new(o->progress, "received", counts, watch->call.global, &progress, err));
	file_progress_watch(progress, &options.watch);
	SEAL_TRY(sandbox_use_enter(o->sandbox, err));
	file_watch_start(watch, progress, o->key, o->topic, source);
	service_ready();
	rc = transfer_receive(&options, counts, err);
	service_stopping();
	file_progress_end(progress, rc != SEAL_OK);
out:
	file_watch_end(watch);
	file_progress_free(progress);
	return rc;
}

/* What did not become a file: passed over, or, when nothing opened at all, left for a run with the right key. */
static void tell_foreign(const struct receive_job *job, const struct transfer_counts *counts)
{
	const struct receive_command *o = job->options;
	const bool has_group = stream_side_has(&job->from, "group");
	const char *group = has_group ? "group " : "", *who = has_group ? o->group : "the next run";
	const unsigned long long foreign = counts->foreign, unopened = counts->unopened;

	if (unopened > 0)
		log_say(LOG_WARNING,
			"nothing opened under %s, and %llu record%s did not: is it the right key? They were not "
			"committed; %s%s reads them again",
			o->key, unopened, plural_s(unopened), group, who);
	else if (foreign > 0)
		log_say(LOG_WARNING, "%llu record%s no part of a file under %s; %s%s has passed over %s", foreign,
			foreign == 1 ? " was" : "s were", o->key, group, has_group ? o->group : "this run",
			foreign == 1 ? "it" : "them");
}

/* Finished, but was everything that came a file in the end? */
static int exit_code_for(const struct receive_command *o, const struct transfer_counts *counts)
{
	bool all = counts->failed == 0 && counts->foreign == 0;

	if (stop_requested() != 0)
		return 128 + stop_requested();
	if (o->exit_at_end && counts->files + counts->failed < counts->files_known)
		all = false; /* what is under way stays for the next run */
	return all ? 0 : 1;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct receive_command *o = call->options;
	struct receive_job job = {.options = o, .call = call};
	struct file_watch watch = {.monitor = NULL};
	struct source *source = NULL;
	struct transfer_counts counts = {0};
	enum seal_status rc;

	mem_keep_little();
	stop_take_reloads(); /* there is nothing to reload */
	service_begin();
	kafka_config_init(&job.config);
	SEAL_TRY(sandbox_use_drop(o->sandbox, err)); /* before the first thread */
	SEAL_TRY(file_watch_open(&watch, call, o->listen, "received", err));
	SEAL_TRY(choose(&job, err));
	audit_use_streams(call->global, o->topic, o->directory);
	rc = file_key_open(&watch.call, o->key, true, &watch.key, err);
	if (rc == SEAL_OK)
		rc = open_source(&job, &source, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	SEAL_TRY(receive(&job, &watch, source, &counts, err));
	tell_foreign(&job, &counts);
	*exit_code = exit_code_for(o, &counts);
out:
	file_watch_end(&watch);
	if (source != NULL)
		source->ops->close(source, true);
	file_watch_close(&watch);
	kafka_config_clear(&job.config);
	return rc;
}

const struct command command_file_receive = {
	.name = "receive",
	.usage = "",
	.summary = "Put the files of a stream into a directory",
	.details =
		"A file appears under its name when it is whole and verified, with mode 0600 and the sender's time; "
		"until then it is put together in DIR/.sealstream. A name is made safe, and gets a number where it "
		"is "
		"taken. A run that ended, however it did, is gone on with by the next one from what is there "
		"already; several receivers of one group may share a directory.\n"
		"Messages of a queue (SQS, Pub/Sub) are taken as soon as they are safe in DIR/.sealstream: all "
		"receivers of "
		"a queue then need the same directory.\n"
		"A record that is no part of a file, was changed, or is under another key is told with its topic, "
		"partition and offset, and passed over, once something has opened under the key: a run with a "
		"wrong key commits none of it, and the next one reads it again. "
		"A file to which nothing comes any more is given up after "
		"--transfer-timeout, with the list of what is missing. Either ends a run with 1, as does -e when a "
		"file is "
		"not whole yet.\n"
		"While a key server, the brokers or room on the disk are away the run waits, says so once, and goes "
		"on "
		"where it was.\n"
		"Messages of the Python demo's script (a JSON object with ciphertext, tag and nonce) become files, "
		"too.",
	.examples = "sealstream file receive -F getting_started.ini --key vault:transit/pii\n"
		    "sealstream file receive -b broker:9092 -t files --to inbox --key local:pii -e\n",
	.options = rows,
	.options_size = sizeof(struct receive_command),
	.streams = COMMAND_READS,
	.keys = true,
	.run = run,
};
