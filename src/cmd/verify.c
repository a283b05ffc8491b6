/*
 * `verify`: does every record of a topic or a file meet the policy? Reads, judges (verify_record.c), and tells. Writes nothing
 * anywhere, commits nothing, and keeps no value that it reveals.
 */
#include "cmd/verify.h"

#include <time.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/audit_use.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/policy_use.h"
#include "cmd/record_input.h"
#include "cmd/stream_open.h"

#define PAUSE_FIRST_MS 50
#define PAUSE_LONGEST_MS 2000

#define AT(member) .offset = offsetof(struct verify_options, member)

static const struct opt_row rows[] = {
	{.name = "policy",
	 .letter = 'p',
	 .help = "the policy that every record must meet",
	 .arg = "FILE",
	 .env = "SEALSTREAM_POLICY",
	 .type = OPT_STRING,
	 .required = true,
	 AT(policy)},
	{.name = "policy-topic",
	 .help = "use the policy's rules of this topic; default: the topic that is read, or the policy's only one",
	 .arg = "TOPIC",
	 .env = "SEALSTREAM_POLICY_TOPIC",
	 .type = OPT_STRING,
	 AT(policy_topic)},
	{.name = "report",
	 .help = "how to tell: text, json, or html (one page that needs nothing else)",
	 .choices = "text|json|html",
	 .arg = "FORM",
	 .def = "text",
	 .type = OPT_CHOICE,
	 AT(report)},
	{.name = "failures",
	 .help = "how many records that fail are listed; all are counted",
	 .arg = "N",
	 .def = VERIFY_FAILURES_DEFAULT,
	 .min = 0,
	 .max = 1000000,
	 .type = OPT_INT,
	 AT(failures)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "lines are envelopes of kcat -J: with key, headers and payload",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	{.name = "count",
	 .letter = 'c',
	 .help = "stop after this many records; 0: all",
	 .arg = "N",
	 .def = "0",
	 .max = INT64_MAX,
	 .type = OPT_INT,
	 AT(count)},
	RETRY_FOR_ROW(struct verify_options, retry_ms, "5m"),
	MAX_RECORD_BYTES_ROW(struct verify_options, max_record_bytes),
	RECORD_INPUT_ROWS(struct verify_options),
	KAFKA_CONNECTION_ROWS(struct verify_options, connection),
	OPT_END};

/* A wait for brokers or keys that are away. */
struct patience {
	uint64_t since_ms; /* 0: not waiting */
	uint64_t pause_ms;
};

static void sleep_ms(uint64_t ms)
{
	const struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};

	(void)nanosleep(&pause, NULL);
}

/* After SEAL_RETRY: pauses. False when it is time to give up, or to stop. */
static bool wait_for(struct patience *patience, const struct verify_options *options, struct seal_err *why)
{
	const uint64_t now = clock_mono_ms(), limit_ms = (uint64_t)options->retry_ms;

	if (stop_requested() != 0)
		return false;
	if (patience->since_ms == 0) {
		*patience = (struct patience){.since_ms = now, .pause_ms = PAUSE_FIRST_MS};
		output_waiting(why);
	} else if (limit_ms > 0 && now - patience->since_ms >= limit_ms) {
		err_prefix(why, "given up after %.1f s", (double)(now - patience->since_ms) / 1000);
		return false;
	}
	err_clear(why);
	sleep_ms(patience->pause_ms);
	patience->pause_ms = patience->pause_ms * 2 > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : patience->pause_ms * 2;
	return true;
}

static void waited(struct patience *patience)
{
	if (patience->since_ms != 0)
		output_resumed(clock_mono_ms() - patience->since_ms);
	patience->since_ms = 0;
}

/* The next batch that has records; *end: there is none. */
static enum seal_status read_batch(const struct verify *v, struct source *source, struct batch *batch, bool *end,
				   struct seal_err *err)
{
	const uint64_t count = (uint64_t)v->options->count, left = count > 0 ? count - v->records : UINT64_MAX;
	enum read_result result = READ_IDLE;
	struct patience patience = {0, 0};
	enum seal_status rc = SEAL_OK;

	*end = left == 0;
	while (!*end && result != READ_SOME && stop_requested() == 0) {
		batch->n = 0;
		arena_reset(&batch->arena);
		rc = source->ops->read(source, batch, left < batch->cap ? (size_t)left : batch->cap, 100, &result,
				       err);
		if (rc == SEAL_RETRY && wait_for(&patience, v->options, err))
			continue;
		SEAL_TRY(rc);
		waited(&patience);
		*end = result == READ_END;
	}
	*end |= result != READ_SOME;
out:
	return rc;
}

/* A stop request while keys are away leaves the batch unread. */
static enum seal_status judge_batch(struct verify *v, struct source *source, const struct batch *batch,
				    struct seal_err *err)
{
	struct patience patience = {0, 0};
	enum seal_status rc;

	do
		rc = verify_batch(v, source, batch, err);
	while (rc == SEAL_RETRY && wait_for(&patience, v->options, err));
	if (rc == SEAL_OK)
		waited(&patience);
	return rc;
}

static enum seal_status verify_all(struct verify *v, struct source *source, struct seal_err *err)
{
	struct batch batch = {.cap = STREAM_BATCH_RECORDS};
	enum seal_status rc = SEAL_OK;
	bool end = false;

	arena_init(&batch.arena, STREAM_BATCH_BYTES);
	batch.records = mem_calloc(batch.cap, sizeof(*batch.records));
	if (batch.records == NULL)
		rc = err_memory(err);
	while (rc == SEAL_OK && !end) {
		rc = read_batch(v, source, &batch, &end, err);
		if (rc != SEAL_OK || end)
			break;
		rc = judge_batch(v, source, &batch, err);
		source->ops->release(source, &batch);
	}
	if (stop_requested() != 0 && rc == SEAL_RETRY) {
		err_clear(err);
		rc = SEAL_OK;
	}
	v->complete = rc == SEAL_OK && stop_requested() == 0;
	arena_clear(&batch.arena);
	mem_free(batch.records);
	return rc;
}

static int by_partition(const void *a, const void *b)
{
	const struct verify_range *x = a, *y = b;

	return (x->partition > y->partition) - (x->partition < y->partition);
}

static void tell(struct verify *v)
{
	if (v->n_ranges > 0)
		qsort(v->ranges, v->n_ranges, sizeof(*v->ranges), by_partition);
	v->ended_ms = clock_unix_ms();
	if (v->records == 0)
		log_say(LOG_WARNING, "there were no records in %s: nothing is proven", v->source);
	else if (v->failed == 0 && !verify_saw_values(v))
		log_say(LOG_WARNING,
			"no record in %s has a field that the policy protects: nothing is proven of what they hold; "
			"`sealstream scan -p` finds what is in clear",
			v->source);
	if (v->options->report == VERIFY_HTML)
		verify_html(v);
	else
		verify_report(v);
}

static enum seal_status verify_run(struct verify *v, struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct verify_options *o = v->options;
	const struct stream_side *side = o->topic != NULL ? &v->side : NULL;
	const struct record_input input = {.side = side,
					   .offset = o->offset,
					   .partition = o->partition,
					   .connection = &o->connection,
					   .everything = true,
					   .envelopes = o->envelopes,
					   .max_record_bytes = o->max_record_bytes};
	struct policy_use use = POLICY_USE_INIT;
	struct source *source = NULL;
	const char *topics[] = {NULL, NULL};
	struct kafka_config config;
	enum seal_status rc;

	kafka_config_init(&config);
	audit_use_streams(call->global, v->source, NULL);
	SEAL_TRY(record_input_side(call, o->topic, &v->side, err));
	v->file = side == NULL || stream_side_is(side, PLATFORM_FILE);
	SEAL_TRY(record_input_topic(o->policy_topic, side, call->arena, &topics[0], err));
	rc = policy_use_open_any(o->policy, topics[0] != NULL ? topics : NULL, ENGINE_REVEAL, call->global, &use,
				 err);
	if (rc == SEAL_OK)
		rc = record_input_open(&input, call, &config, &source, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	hex_encode(bytes_of(use.policy->sha256, sizeof(use.policy->sha256)), v->policy_sha256);
	SEAL_TRY(verify_begin(v, use.plan, use.topic, side != NULL ? side->traits->headers != NULL : o->envelopes,
			      err));
	SEAL_TRY(verify_all(v, source, err));
	tell(v);
	*exit_code = stop_requested() ? 128 + stop_requested() : v->failed > 0 ? 1 : 0;
out:
	verify_clear(v); /* its engines are the plan's */
	if (source != NULL)
		source->ops->close(source, true);
	policy_use_close(&use);
	kafka_config_clear(&config);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct verify_options *o = call->options;
	struct verify *v = mem_calloc(1, sizeof(*v));
	enum seal_status rc;

	if (v == NULL)
		return err_memory(err);
	v->options = o;
	v->arena = call->arena;
	v->source = o->topic != NULL ? o->topic : call->n_args > 0 ? call->args[0] : "-";
	if (o->topic == NULL && strcmp(v->source, "-") == 0)
		v->source = "stdin"; /* as places of its records have it */
	v->policy_file = o->policy;
	v->began_ms = clock_unix_ms();
	rc = verify_run(v, call, exit_code, err);
	mem_free(v);
	return rc;
}

const struct command command_verify = {
	.name = "verify",
	.usage = "[FILE|-]",
	.summary = "Prove that every record of a topic or a file meets a policy",
	.details =
		"Each record is revealed as a consumer would, and what comes of it is thrown away: nothing is "
		"written "
		"or committed, and no value is shown. A record fails when a field that the policy names is in clear "
		"(also where the policy says on_plaintext: pass), when a value does not open under its key at its "
		"place, when `remove` has left something, or when a one-way value does not look like one. Record "
		"keys "
		"and headers count as far as the policy has rules for them.\n"
		"What cannot be proven is said so. Text of encrypt, deterministic, envelope and token is authentic "
		"or "
		"fails. What fpe and transform make looks like any other value of its shape, and a hash or a mask "
		"proves nothing about who made it: of these only the shape is looked at.\n"
		"For each field it tells how many values are under which version of a key; then which records fail, "
		"where, and why. With --report json it is one object, sealstream.verify/1; with --report html one "
		"page that needs nothing else.\n"
		"Ends with 0 when every record meets the policy, with 1 when some do not.",
	.examples = "sealstream verify -p policy.yaml protected.ndjson\n"
		    "sealstream verify -b broker:9092 -t orders -p policy.yaml -o -1000\n"
		    "sealstream verify -b broker:9092 -t orders -p policy.yaml --report html\n",
	.options = rows,
	.options_size = sizeof(struct verify_options),
	.args_max = 1,
	.streams = COMMAND_READS,
	.keys = true,
	.run = run,
};
