/* `file receive`: the files of a topic, into a directory. */
#include "base/mem.h"
#include "base/log.h"
#include "cmd/file_progress.h"
#include "cmd/file_use.h"
#include "cmd/kafka_use.h"
#include "cmd/sandbox_use.h"
#include "cmd/service.h"
#include "cmd/stream_open.h"

#define SOURCE_BYTES (16 << 20) /* read ahead; the chunks in work come on top, and all must stay below 64 MiB */

struct receive_command {
	struct kafka_connection connection;
	const char *topic, *directory, *state, *group, *key;
	int64_t count, transfer_timeout_ms, max_file_bytes, retry_ms;
	int progress, sandbox;
	bool exit_at_end, overwrite;
};

#define AT(member) .offset = offsetof(struct receive_command, member)

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct receive_command, connection),
	{.name = "topic",
	 .letter = 't',
	 .help = "topic to read; default: [large_payload] topic of the -F file",
	 .arg = "TOPIC",
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
	 .help = "stop at the end of every partition",
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
	SANDBOX_ROW(struct receive_command, sandbox),
	RETRY_FOR_ROW(struct receive_command, retry_ms, "0"),
	FILE_PROGRESS_ROW(struct receive_command, progress),
	OPT_END};

/* From the -F file what no flag said. */
static enum seal_status choose(struct receive_command *o, const struct kafka_config *config, struct arena *arena,
			       struct seal_err *err)
{
	if (o->topic == NULL)
		o->topic = config->payload_topic;
	if (o->directory == NULL)
		o->directory = config->payload_destination_dir;
	if (o->topic == NULL || o->directory == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "say %s, or set %s in [large_payload] of the -F file",
			       o->topic ? "--to DIR" : "-t TOPIC", o->topic ? "destinationdir" : "topic");
	if (o->group == NULL)
		o->group = kafka_config_get(config, KAFKA_CONSUMER, "group.id");
	if (o->group == NULL)
		o->group = arena_printf(arena, "sealstream.%s.files", o->topic);
	return o->group ? SEAL_OK : err_memory(err);
}

static enum seal_status receive(const struct receive_command *o, const struct command_call *call,
				struct file_key *key, struct source *source, struct transfer_counts *counts,
				struct seal_err *err)
{
	struct receive_options options = {.directory = o->directory,
					  .state = o->state,
					  .overwrite = o->overwrite,
					  .max_files = (uint64_t)o->count,
					  .timeout_ms = (uint64_t)o->transfer_timeout_ms,
					  .max_file_bytes = (uint64_t)o->max_file_bytes,
					  .retry_ms = (uint64_t)o->retry_ms,
					  .source = source,
					  .key = key->key,
					  .key_derived = key->derived};
	struct file_progress *progress = NULL;
	enum seal_status rc;

	SEAL_TRY(file_progress_new(o->progress, "received", counts, call->global, &progress, err));
	file_progress_watch(progress, &options.watch);
	file_progress_also(progress, file_key_count, key);
	SEAL_TRY(sandbox_use_enter(o->sandbox, err));
	service_ready();
	rc = transfer_receive(&options, counts, err);
	service_stopping();
	file_progress_end(progress, rc != SEAL_OK);
out:
	file_progress_free(progress);
	return rc;
}

/* What did not become a file: passed over, or, when nothing opened at all, left for a run with the right key. */
static void tell_foreign(const struct receive_command *o, const struct transfer_counts *counts)
{
	const unsigned long long foreign = counts->foreign, unopened = counts->unopened;

	if (unopened > 0)
		log_say(LOG_WARNING,
			"nothing opened under %s, and %llu record%s did not: is it the right key? They were not "
			"committed; group %s reads them again",
			o->key, unopened, plural_s(unopened), o->group);
	else if (foreign > 0)
		log_say(LOG_WARNING, "%llu record%s no part of a file under %s; group %s has passed over %s", foreign,
			foreign == 1 ? " was" : "s were", o->key, o->group, foreign == 1 ? "it" : "them");
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
	struct kafka_config config;
	struct file_key key = {.key = NULL};
	struct source *source = NULL;
	struct transfer_counts counts = {0};
	enum seal_status rc;

	mem_keep_little();
	stop_take_reloads(); /* there is nothing to reload */
	service_begin();
	kafka_config_init(&config);
	SEAL_TRY(sandbox_use_drop(o->sandbox, err));
	SEAL_TRY(kafka_connection_load(&o->connection, &config, err));
	SEAL_TRY(choose(o, &config, call->arena, err));
	audit_use_streams(call->global, o->topic, o->directory);
	rc = file_key_open(call, o->key, true, &key, err);
	if (rc == SEAL_OK)
		rc = kafka_use_source(o->topic,
				      &(struct kafka_source_options){.connection = o->connection,
								     .group = o->group,
								     .partition = -1,
								     .exit_at_end = o->exit_at_end,
								     .config = &config,
								     .memory_bytes = SOURCE_BYTES},
				      &source, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	SEAL_TRY(receive(o, call, &key, source, &counts, err));
	tell_foreign(o, &counts);
	*exit_code = exit_code_for(o, &counts);
out:
	if (source != NULL)
		source->ops->close(source, true);
	file_key_close(&key);
	kafka_config_clear(&config);
	return rc;
}

const struct command command_file_receive = {
	.name = "receive",
	.usage = "",
	.summary = "Put the files of a Kafka topic into a directory",
	.details =
		"A file appears under its name when it is whole and verified, with mode 0600 and the sender's time; "
		"until then it is put together in DIR/.sealstream. A name is made safe, and gets a number where it "
		"is "
		"taken. A run that ended, however it did, is gone on with by the next one from what is there "
		"already; several receivers of one group may share a directory.\n"
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
	.keys = true,
	.run = run,
};
