/* `scan`: what there is to protect in a file or a topic, path by path; counts and names, never a value. */
#include "cmd/scan.h"

#include <unistd.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/policy_use.h"
#include "cmd/record_input.h"
#include "cmd/stream_open.h"
#include "pump/pump.h"
#include "scan/run.h"

#define THREADS_MAX 64
#define THREADS_OWN_MAX 8 /* when nobody asks for a number */
#define FAILURES_SHOWN 10

#define AT(member) .offset = offsetof(struct scan_options, member)

static const struct opt_row rows[] = {
	{.name = "policy",
	 .letter = 'p',
	 .help = "tell what this policy protects, what it allows in clear, and what it leaves open",
	 .arg = "FILE",
	 .env = "SEALSTREAM_POLICY",
	 .type = OPT_STRING,
	 AT(policy)},
	{.name = "policy-topic",
	 .help = "the policy's rules of this topic; default: the topic that is read, or the policy's only one",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_POLICY_TOPIC",
	 .type = OPT_STRING,
	 AT(policy_topic)},
	{.name = "suggest",
	 .help = "print a policy for what was found, instead of a report",
	 .type = OPT_FLAG,
	 AT(suggest)},
	{.name = "json", .help = "print the report as JSON", .type = OPT_FLAG, AT(json)},
	{.name = "finds", .help = "leave out paths at which nothing was found", .type = OPT_FLAG, AT(finds)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "lines are envelopes of kcat -J: with key, headers and payload",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "key-delimiter",
	 .letter = 'K',
	 .help = "lines are key and value with this in between, as of kcat -K",
	 .arg = "TEXT",
	 .type = OPT_STRING,
	 AT(key_delimiter)},
	{.name = "format",
	 .help = "without a policy: what values are; text is looked at as a whole",
	 .choices = "json|text",
	 .arg = "FORMAT",
	 .def = "json",
	 .type = OPT_CHOICE,
	 AT(format)},
	{.name = "threads",
	 .letter = 'j',
	 .help = "threads; 0: one a processor, at most 8. The result does not depend on it",
	 .arg = "N",
	 .def = "0",
	 .min = 0,
	 .max = THREADS_MAX,
	 .env = "SEALSTREAM_THREADS",
	 .type = OPT_INT,
	 AT(threads)},
	{.name = "count",
	 .letter = 'c',
	 .help = "stop after this many records: a sample; 0: all",
	 .arg = "N",
	 .def = "0",
	 .min = 0,
	 .max = INT64_MAX,
	 .type = OPT_INT,
	 AT(count)},
	MAX_RECORD_BYTES_ROW(struct scan_options, max_record_bytes),
	RECORD_INPUT_ROWS(struct scan_options),
	KAFKA_CONNECTION_ROWS(struct scan_options, connection),
	OPT_END};

/* Records that cannot be read: the first ones are told. */
struct failures {
	struct source *source;
	uint64_t shown;
};

static void tell_failure(void *arg, const struct record *record, const struct seal_err *why)
{
	struct failures *failures = arg;
	char place[SEAL_ERR_PLACE_MAX];
	struct seal_err told = *why;

	if (failures->shown == FAILURES_SHOWN)
		return;
	failures->shown++;
	pump_place_of(failures->source, record, place, sizeof(place));
	err_prefix(&told, "%s%s%s", place, why->place[0] ? ": " : "", why->place);
	told.place[0] = '\0';
	log_err(LOG_ERROR, &told);
}

static enum seal_status open_source(struct command_call *call, const struct stream_side *side,
				    struct kafka_config *config, struct source **source, struct seal_err *err)
{
	const struct scan_options *o = call->options;
	const struct record_input input = {.side = side,
					   .offset = o->offset,
					   .partition = o->partition,
					   .connection = &o->connection,
					   .everything = true,
					   .envelopes = o->envelopes,
					   .skip_blank = true,
					   .key_delimiter = o->key_delimiter,
					   .max_record_bytes = o->max_record_bytes};

	return record_input_open(&input, call, config, source, err);
}

static enum seal_status check_options(const struct command_call *call, struct seal_err *err)
{
	const struct scan_options *o = call->options;
	if (o->envelopes && o->key_delimiter != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--envelopes excludes --key-delimiter: envelopes have keys");
	if (o->suggest && o->json)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--suggest excludes --json: a policy is YAML");
	return SEAL_OK;
}

static enum seal_status open_policy(const struct scan_options *o, const struct stream_side *side, struct arena *arena,
				    struct policy_use *use, struct seal_err *err)
{
	const char *topics[] = {NULL, NULL};
	enum seal_status rc;

	SEAL_TRY(record_input_topic(o->policy_topic, side, arena, &topics[0], err));
	if (o->policy != NULL)
		rc = policy_use_load(o->policy, topics[0] != NULL ? topics : NULL, use, err);
out:
	return rc;
}

static size_t threads_of(const struct scan_options *o)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->threads > 0)
		return (size_t)o->threads;
	return processors < 1 ? 1 : processors > THREADS_OWN_MAX ? THREADS_OWN_MAX : (size_t)processors;
}

static enum seal_status print_result(struct scan_result *result, struct seal_err *err)
{
	const struct scan_options *o = result->options;
	struct seal_buf text = BUF_INIT(SCAN_OUTPUT_MAX);
	enum seal_status rc;

	scan_count_finds(result);
	if (o->suggest)
		rc = scan_suggest(result, &text, err);
	else
		rc = o->json ? scan_report_json(result, &text, err) : scan_report_text(result, &text, err);
	if (rc == SEAL_OK)
		fwrite(text.ptr, 1, text.len, stdout); /* failure is told at the end of the program */
	buf_clear(&text);
	return rc;
}

/* The run itself, of what is open. */
static enum seal_status scan(struct command_call *call, struct source *source, const struct scan_rules *rules,
			     int *exit_code, struct seal_err *err)
{
	const struct scan_options *o = call->options;
	struct failures failures = {.source = source};
	const struct scan_run_options how = {.source = source,
					     .rules = rules,
					     .threads = threads_of(o),
					     .max_records = (uint64_t)o->count,
					     .stop = stop_requested,
					     .failed = tell_failure,
					     .arg = &failures};
	struct scan_result result = {.options = o,
				     .rules = rules->value.topic,
				     .from = o->topic != NULL	? o->topic
					     : call->n_args > 0 ? call->args[0]
								: "-",
				     .colored = output_colored(call->global, stdout)};
	struct scanner scanner = {.rules = NULL};
	enum seal_status rc;

	SEAL_TRY(scan_run(&how, &scanner, &result.more, err));
	result.table = scanner.table;
	result.totals = scanner.totals;
	SEAL_TRY(print_result(&result, err));
	if (result.totals.failed > failures.shown)
		log_say(LOG_ERROR, "%llu more records cannot be read",
			(unsigned long long)(result.totals.failed - failures.shown));
	if (result.totals.records == 0)
		log_say(LOG_WARNING, "there were no records in %s: nothing was looked at",
			strcmp(result.from, "-") == 0 ? "stdin" : result.from);
	if (stop_requested() != 0)
		*exit_code = 128 + stop_requested();
	else if (result.totals.failed > 0 || (result.rules != NULL && result.open_finds > 0))
		*exit_code = 1;
out:
	scanner_clear(&scanner);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct scan_options *o = call->options;
	struct policy_use use = POLICY_USE_INIT;
	struct source *source = NULL;
	struct kafka_config config;
	struct scan_rules rules = {.text = false};
	const struct stream_side *side;
	struct stream_side read;
	enum seal_status rc;

	kafka_config_init(&config);
	SEAL_TRY(check_options(call, err));
	SEAL_TRY(record_input_side(call, o->topic, &read, err));
	side = o->topic != NULL ? &read : NULL;
	SEAL_TRY(open_policy(o, side, call->arena, &use, err));
	SEAL_TRY(scan_rules_init(&rules, use.topic, o->format != 0, err));
	rc = open_source(call, side, &config, &source, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	rc = scan(call, source, &rules, exit_code, err);
out:
	if (source != NULL)
		source->ops->close(source, true);
	kafka_config_clear(&config);
	scan_rules_clear(&rules);
	policy_use_close(&use);
	return rc;
}

const struct command command_scan = {
	.name = "scan",
	.usage = "[FILE|-]",
	.summary = "Find what to protect in a file or a topic, and what a policy leaves open",
	.details =
		"Reads newline-delimited JSON, or a topic as no member of any group, and tells for each path which "
		"types "
		"stand there, how often it is there, and what the values look like: card and account numbers, "
		"addresses, national ids, keys and passwords, tokens. It prints counts and names, never a value. "
		"Elements "
		"of an array share one path, [*]; members of objects with very many different names, or with names "
		"that "
		"are data themselves, share .* instead. Memory is bounded whatever comes.\n"
		"With --policy each path is protected, allowed (in clear by intent: the policy's allow:) or "
		"unclassified, "
		"record keys and headers as well. The end is 1 when something was found at an unclassified path or a "
		"record could not be read, else 0: for CI. No key is opened.\n"
		"With --suggest it prints a policy for what was found, which passes policy lint: a proposal to be "
		"read, not "
		"to be trusted. Its comments say which keys it needs.\n"
		"With --json it prints one object, sealstream.scan/1.",
	.examples = "sealstream scan purchases.ndjson\n"
		    "sealstream scan --suggest purchases.ndjson > policy.yaml\n"
		    "sealstream scan -p policy.yaml --finds purchases.ndjson\n"
		    "sealstream scan -b broker:9092 -t purchases -o -10000 -c 1000000\n",
	.options = rows,
	.options_size = sizeof(struct scan_options),
	.args_max = 1,
	.streams = COMMAND_READS,
	.run = run,
};
