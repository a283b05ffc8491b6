/* `audit verify`: is an audit trail whole and unchanged? Reads lines of a file or records of a topic; audit/check.h judges. */
#include "cmd/audit_verify.h"

#include <inttypes.h>

#include "audit/check.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/output.h"
#include "cmd/record_input.h"
#include "pump/pump.h"

#define FAULTS_TOLD_MAX 1000
#define READ_MS 100

struct verify_command {
	struct kafka_connection connection;
	const char *topic, *offset, *after;
	struct opt_list *expect;
	int64_t partition;
	bool json;
};

#define AT(member) .offset = offsetof(struct verify_command, member)

static const struct opt_row rows[] = {
	{.name = "expect",
	 .help = "the line with this hash must be there: one that was noted when it was the last",
	 .arg = "HASH",
	 .type = OPT_LIST,
	 AT(expect)},
	{.name = "after",
	 .help = "the trail goes on from another one, whose last line has this hash",
	 .arg = "HASH",
	 .type = OPT_STRING,
	 AT(after)},
	{.name = "json",
	 .help = "the result as one JSON object, sealstream.audit.verify/1",
	 .type = OPT_FLAG,
	 AT(json)},
	RECORD_INPUT_ROWS(struct verify_command),
	KAFKA_CONNECTION_ROWS(struct verify_command, connection),
	OPT_END};

struct verify {
	const struct verify_command *options;
	const char *source; /* what is read, for messages */
	struct audit_check check;
};

/* ---- the result ---- */

static void on_fault(void *arg, const char *place, const char *what)
{
	struct verify *v = arg;
	const uint64_t n = v->check.faults;

	if (n > FAULTS_TOLD_MAX)
		return;
	if (!v->options->json) {
		printf("%s: %s\n", place[0] != '\0' ? place : v->source, what);
		return;
	}
	fputs(n > 1 ? ",{\"place\":" : "{\"place\":", stdout);
	output_json_string(stdout, bytes_str(place));
	fputs(",\"what\":", stdout);
	output_json_string(stdout, bytes_str(what));
	putchar('}');
}

static void chain_text(const struct audit_chain *chain, const char *id, const char *last)
{
	printf("chain %s: line%s %" PRIu64, id, plural_s(chain->lines), chain->first_seq);
	if (chain->last_seq != chain->first_seq)
		printf(" to %" PRIu64, chain->last_seq);
	printf(", %s to %s, last hash %s\n", chain->first_time, chain->last_time, last);
}

static void chain_json(const struct audit_chain *chain, const char *id, const char *last, bool first)
{
	printf("%s{\"chain\":\"%s\",\"lines\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"hash\":\"%s\"",
	       first ? "" : ",", id, chain->lines, chain->first_seq, chain->last_seq, last);
	fputs(",\"began\":", stdout);
	output_json_string(stdout, bytes_str(chain->first_time));
	fputs(",\"ended\":", stdout);
	output_json_string(stdout, bytes_str(chain->last_time));
	putchar('}');
}

static void tell_chains(const struct verify *v)
{
	const struct audit_id *newest = v->check.chains.last;

	for (const struct audit_id *at = newest; at != NULL; at = at->before) {
		const struct audit_chain *chain = (const struct audit_chain *)at;
		char id[2 * AUDIT_ID_LEN + 1] = "", last[2 * SHA256_LEN + 1] = "";

		hex_encode(bytes_of(at->id, sizeof(at->id)), id);
		hex_encode(bytes_of(chain->last, sizeof(chain->last)), last);
		if (v->options->json)
			chain_json(chain, id, last, at == newest);
		else
			chain_text(chain, id, last);
	}
}

static void tell(const struct verify *v)
{
	const struct audit_check *check = &v->check;

	if (v->options->json) {
		printf("],\"intact\":%s,\"lines\":%" PRIu64 ",\"faulty\":%" PRIu64 ",\"runs\":%" PRIu64
		       ",\"unfinished\":%" PRIu64 ",\"chains\":[",
		       check->faults == 0 ? "true" : "false", check->lines, check->faults, (uint64_t)check->runs.n,
		       check->unfinished);
		tell_chains(v);
		puts("]}");
		return;
	}
	if (check->faults > FAULTS_TOLD_MAX)
		printf("… and %" PRIu64 " more\n", check->faults - FAULTS_TOLD_MAX);
	printf("%s: %" PRIu64 " line%s, %zu chain%s, %zu run%s", v->source, check->lines, plural_s(check->lines),
	       check->chains.n, plural_s(check->chains.n), check->runs.n, plural_s(check->runs.n));
	if (check->unfinished > 0)
		printf(" (%" PRIu64 " without a stop: under way, or killed)", check->unfinished);
	putchar('\n');
	tell_chains(v);
}

/* ---- reading ---- */

static enum seal_status take_batch(struct verify *v, struct source *source, const struct batch *batch,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < batch->n && rc == SEAL_OK; i++) {
		const struct record *record = &batch->records[i];
		char place[SEAL_ERR_PLACE_MAX];

		pump_place_of(source, record, place, sizeof(place));
		rc = audit_check_line(&v->check, record->broken != NULL ? BYTES_EMPTY : record->value, place, err);
	}
	return rc;
}

static enum seal_status read_all(struct verify *v, struct source *source, struct seal_err *err)
{
	struct batch batch = {.cap = STREAM_BATCH_RECORDS};
	enum read_result result = READ_IDLE;
	enum seal_status rc = SEAL_OK;

	arena_init(&batch.arena, STREAM_BATCH_BYTES);
	batch.records = mem_calloc(batch.cap, sizeof(*batch.records));
	if (batch.records == NULL)
		rc = err_memory(err);
	while (rc == SEAL_OK && result != READ_END && stop_requested() == 0) {
		batch.n = 0;
		arena_reset(&batch.arena);
		rc = source->ops->read(source, &batch, batch.cap, READ_MS, &result, err);
		if (rc != SEAL_OK || result != READ_SOME)
			continue;
		rc = take_batch(v, source, &batch, err);
		source->ops->release(source, &batch);
	}
	arena_clear(&batch.arena);
	mem_free(batch.records);
	return rc;
}

/* ---- options ---- */

static enum seal_status parse_hash(const char *option, const char *text, uint8_t out[SHA256_LEN],
				   struct seal_err *err)
{
	if (strlen(text) == 2 * SHA256_LEN && hex_decode(bytes_str(text), out))
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s wants the hash of a line: %d hex digits", option,
		       2 * SHA256_LEN);
}

static enum seal_status parse_hashes(const struct verify_command *o, uint8_t expect[AUDIT_EXPECT_MAX][SHA256_LEN],
				     uint8_t after[SHA256_LEN], size_t *n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*n = 0;
	for (const struct opt_list *at = o->expect; at != NULL; at = at->next) {
		if (*n == AUDIT_EXPECT_MAX)
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "at most %d times --expect", AUDIT_EXPECT_MAX);
		SEAL_TRY(parse_hash("--expect", at->text, expect[*n], err));
		(*n)++;
	}
	if (o->after != NULL)
		rc = parse_hash("--after", o->after, after, err);
out:
	return rc;
}

/* ---- the command ---- */

static enum seal_status judge(struct verify *v, struct source *source, int *exit_code, struct seal_err *err)
{
	enum seal_status rc;

	if (v->options->json)
		fputs("{\"schema\":\"sealstream.audit.verify/1\",\"faults\":[", stdout);
	SEAL_TRY(read_all(v, source, err));
	if (stop_requested() != 0) {
		*exit_code = 128 + stop_requested();
		goto out;
	}
	audit_check_end(&v->check);
	tell(v);
	if (v->check.lines == 0)
		log_say(LOG_WARNING, "there were no lines in %s: nothing is proven", v->source);
	if (v->check.faults > 0)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "the audit trail %s is not whole: %" PRIu64 " fault%s",
			     v->source, v->check.faults, plural_s(v->check.faults));
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct verify_command *o = call->options;
	struct stream_side side;
	const struct record_input input = {.side = o->topic != NULL ? &side : NULL,
					   .offset = o->offset,
					   .partition = o->partition,
					   .connection = &o->connection,
					   .everything = true,
					   .max_record_bytes = AUDIT_LINE_MAX};
	uint8_t expect[AUDIT_EXPECT_MAX][SHA256_LEN], after[SHA256_LEN];
	struct verify v = {.options = o};
	struct audit_check_options check = {.expect = (const uint8_t(*)[SHA256_LEN])expect,
					    .after = o->after != NULL ? after : NULL,
					    .fault = on_fault,
					    .arg = &v};
	struct source *source = NULL;
	struct kafka_config config;
	enum seal_status rc;

	v.source = o->topic != NULL ? o->topic : call->n_args > 0 ? call->args[0] : "-";
	if (strcmp(v.source, "-") == 0)
		v.source = "stdin"; /* as places have it */
	kafka_config_init(&config);
	audit_check_init(&v.check, &check);
	SEAL_TRY(parse_hashes(o, expect, after, &check.n_expect, err));
	audit_check_init(&v.check, &check);
	SEAL_TRY(record_input_side(call, o->topic, &side, err));
	SEAL_TRY(record_input_open(&input, call, &config, &source, err));
	rc = judge(&v, source, exit_code, err);
out:
	if (source != NULL)
		source->ops->close(source, true);
	audit_check_clear(&v.check);
	kafka_config_clear(&config);
	return rc;
}

const struct command command_audit_verify = {
	.name = "verify",
	.usage = "[FILE|-]",
	.summary = "Prove that an audit trail is whole and unchanged",
	.details = "Each line holds the hash of the one before it, so that a line that was changed, taken out, moved "
		   "or put "
		   "in shows. Chains may be mixed: a topic, or a log, has one for each run.\n"
		   "What was taken from the end shows only against a hash that was noted elsewhere: --expect HASH, "
		   "where "
		   "HASH is what a run says on standard error at its end, or what this command says of a chain. So "
		   "does a "
		   "trail that somebody wrote anew from some line on.\n"
		   "A file that logrotate has put away is verified by itself; the one after it with --after and the "
		   "last "
		   "hash of the first.\n"
		   "Ends with 0 when all is well, with 65 when not.",
	.examples = "sealstream audit verify /var/log/sealstream/audit.log\n"
		    "journalctl -t sealstream-audit -o cat | sealstream audit verify -\n"
		    "sealstream audit verify -b broker:9092 -t sealstream-audit\n",
	.options = rows,
	.options_size = sizeof(struct verify_command),
	.args_max = 1,
	.streams = COMMAND_READS,
	.run = run,
};
