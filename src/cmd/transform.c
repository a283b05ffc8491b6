/* `protect`, `reveal` and `rewrap` of files: file source → pump → file sink. */
#include "cmd/transform.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/audit_use.h"
#include "cmd/policy_use.h"
#include "cmd/progress.h"
#include "cmd/stream_open.h"

#define AT(member) .offset = offsetof(struct transform_options, member)

const struct opt_row transform_rows[] = {
	{.name = "policy",
	 .letter = 'p',
	 .help = "the policy: which fields, how, with which keys",
	 .arg = "FILE",
	 .env = "SEALSTREAM_POLICY",
	 .type = OPT_STRING,
	 .required = true,
	 AT(policy)},
	{.name = "topic",
	 .letter = 't',
	 .help = "use the rules of this topic; default: the policy's only one",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_TOPIC",
	 .type = OPT_STRING,
	 AT(topic)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "lines are envelopes of kcat -J: the record is their payload, with its key and headers",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "output",
	 .letter = 'o',
	 .help = "write here instead of standard output",
	 .arg = "FILE",
	 .def = "-",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "threads",
	 .letter = 'j',
	 .help = "workers; the output's order does not depend on it",
	 .arg = "N",
	 .def = "1",
	 .min = 1,
	 .max = 64,
	 .env = "SEALSTREAM_THREADS",
	 .type = OPT_INT,
	 AT(threads)},
	{.name = "fail-fast", .help = "end at the first record that fails", .type = OPT_FLAG, AT(fail_fast)},
	RETRY_FOR_ROW(struct transform_options, retry_ms, "5m"),
	MAX_RECORD_BYTES_ROW(struct transform_options, max_record_bytes),
	OPT_END};

/* The end, as an exit code and words: only what the user would not expect is said. */
static int conclude(const struct pump_counts *counts, const struct progress *progress,
		    enum engine_direction direction, const char *output, bool in_place)
{
	const bool not_json = progress->not_json == counts->records_in;

	if (direction == ENGINE_REWRAP)
		progress_tell_rewrapped(counts);
	log_say(LOG_DEBUG, "%llu records, %llu fields, %llu failed, %llu bytes in, %llu bytes out",
		(unsigned long long)counts->records_in, (unsigned long long)counts->fields,
		(unsigned long long)counts->failed, (unsigned long long)counts->bytes_in,
		(unsigned long long)counts->bytes_out);
	if (counts->failed > 0 && in_place)
		log_say(LOG_WARNING,
			"%llu of %llu record%s failed, so %s stays as it was: in its place they would be lost; give "
			"another output",
			(unsigned long long)counts->failed, (unsigned long long)counts->records_in,
			plural_s(counts->records_in), output);
	else if (counts->failed > 0)
		log_say(LOG_WARNING, "%llu of %llu record%s failed and %s left out%s",
			(unsigned long long)counts->failed, (unsigned long long)counts->records_in,
			plural_s(counts->records_in), counts->failed == 1 ? "was" : "were",
			not_json
				? "; input is one JSON value a line: `jq -c .` makes it so of JSON in several lines, "
				  "`jq -c '.[]'` of an array"
				: "");
	if (stop_requested() == 0)
		return counts->failed > 0 ? 1 : 0;
	log_say(LOG_WARNING, "stopped after %llu record%s%s%s", (unsigned long long)counts->records_in,
		plural_s(counts->records_in),
		strcmp(output, "-") == 0 ? "" : "; not written: ", strcmp(output, "-") == 0 ? "" : output);
	return 128 + stop_requested();
}

/* Is the file that is read the one that is to be replaced? */
static bool is_in_place(const struct command_call *call, const char *output)
{
	const char *input = call->n_args ? call->args[0] : "-";
	struct stat in, out;

	if (strcmp(output, "-") == 0 || stat(output, &out) != 0)
		return false;
	if ((strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &in) : stat(input, &in)) != 0)
		return false;
	return S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static enum seal_status open_streams(struct command_call *call, struct source **source, struct sink **sink,
				     struct seal_err *err)
{
	const struct transform_options *options = call->options;
	char *limit = arena_printf(call->arena, "%lld", (long long)options->max_record_bytes);
	const struct stream_setting in[] = {
		{"envelopes", options->envelopes ? "true" : "false"}, {"max-record-bytes", limit}, {NULL, NULL}};
	const struct stream_setting out[] = {{"layout", "source"}, {NULL, NULL}};
	enum seal_status rc;

	if (limit == NULL)
		return err_memory(err);
	SEAL_TRY(stream_open_source("file", call->n_args ? call->args[0] : "-", in, call->arena, source, err));
	rc = stream_open_sink("file", options->output, out, call->arena, sink, err);
out:
	return rc;
}

enum seal_status transform_run(struct command_call *call, enum engine_direction direction, int *exit_code,
			       struct seal_err *err)
{
	const struct transform_options *options = call->options;
	struct policy_use use = POLICY_USE_INIT;
	struct source *source = NULL;
	struct sink *sink = NULL;
	struct progress progress;
	struct pump_counts counts;
	struct pump_options pump = {
		.direction = direction,
		.engine.max_record_bytes = (size_t)options->max_record_bytes,
		.threads = (unsigned)options->threads,
		.retry_ms = (uint64_t)options->retry_ms,
		.max_batches = options->threads == 1 ? 1 : 2 * (unsigned)options->threads,
		.keep_going = !options->fail_fast,
		.all_or_nothing = is_in_place(call, options->output),
		.no_dead_letters = true,
		.headers = options->envelopes,
		.stop = stop_requested,
	};
	enum seal_status rc;

	progress_attach(&progress, call->global, strcmp(options->output, "-") == 0, &pump);
	audit_use_streams(call->global, call->n_args ? call->args[0] : "-", options->output);
	rc = policy_use_open(options->policy, options->topic, direction, call->global, &use, err);
	if (rc == SEAL_OK)
		rc = open_streams(call, &source, &sink, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	pump.plan = use.plan;
	pump.topic = use.topic;
	pump.source = source;
	pump.sink = sink;
	rc = pump_run(&pump, &counts, err);
	progress_hide(&progress);
	SEAL_TRY(rc);
	if (direction == ENGINE_PROTECT)
		policy_use_tell_unfound(&use, counts.records_out,
					options->envelopes ? "" : "; envelopes of kcat -J need -J");
	*exit_code = conclude(&counts, &progress, direction, options->output, pump.all_or_nothing);
out:
	if (sink != NULL) {
		enum seal_status closed = sink->ops->close(sink, err);

		rc = rc == SEAL_OK ? closed : rc;
	}
	if (source != NULL)
		source->ops->close(source, rc == SEAL_OK);
	policy_use_close(&use);
	return rc;
}
