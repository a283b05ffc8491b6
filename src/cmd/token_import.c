/*
 * `token import`: lines of `token export` become tokens of one key and store. A line that is none, or whose token or value is here
 * under another, fails alone.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cmd/stream_open.h"
#include "cmd/token_line.h"
#include "cmd/token_use.h"
#include "pump/pump.h"

struct import_options {
	struct token_options token; /* first */
};

static const struct opt_row rows[] = {TOKEN_ROWS, OPT_END};

struct import {
	struct token_use use;
	struct source *source;
	struct batch batch;
	struct token_reader reader;
	struct token_record *records; /* of a batch */
	size_t *line; /* records[i] is of batch.records[line[i]] */
	uint64_t read, added, failed;
};

static void fail_line(struct import *in, const struct record *record, struct seal_err *why)
{
	char place[SEAL_ERR_PLACE_MAX];

	pump_place_of(in->source, record, place, sizeof(place));
	err_prefix(why, "%s%s%s", place, why->place[0] ? ": " : "", why->place);
	why->place[0] = '\0';
	log_err(LOG_ERROR, why);
	in->failed++;
}

/* Fails without memory alone. */
static enum seal_status read_lines(struct import *in, size_t *n, struct seal_err *err)
{
	*n = 0;
	for (size_t i = 0; i < in->batch.n; i++) {
		const struct record *record = &in->batch.records[i];
		struct seal_err why = record->broken ? *record->broken : (struct seal_err)SEAL_ERR_INIT;
		enum seal_status rc = why.status;

		if (rc == SEAL_OK)
			rc = token_line_read(&in->reader, record->value, &in->use.arena, &in->records[*n], &why);
		if (rc == SEAL_OK)
			in->line[(*n)++] = i;
		else if (rc == SEAL_DATA)
			fail_line(in, record, &why);
		else
			return err_set(err, why.status, why.code, "%s", why.text);
	}
	return SEAL_OK;
}

static enum seal_status import_batch(struct import *in, struct seal_err *err)
{
	const struct key_call call = token_use_call(&in->use);
	uint64_t added = 0;
	enum seal_status rc;
	size_t n;

	in->read += in->batch.n;
	SEAL_TRY(read_lines(in, &n, err));
	if (n > 0)
		SEAL_TRY(tokens_import(in->use.tokens, in->use.open.session, in->records, n, &added, &call, err));
	in->added += added;
	for (size_t i = 0; i < n; i++) {
		struct seal_err why;

		if (in->records[i].item.err == NULL)
			continue;
		why = *in->records[i].item.err;
		fail_line(in, &in->batch.records[in->line[i]], &why);
	}
out:
	arena_reset(&in->use.arena);
	return rc;
}

static enum seal_status import_all(struct import *in, struct seal_err *err)
{
	enum read_result result = READ_SOME;
	enum seal_status rc = SEAL_OK;

	while (stop_requested() == 0 && result != READ_END) {
		in->batch.n = 0;
		arena_reset(&in->batch.arena);
		SEAL_TRY(in->source->ops->read(in->source, &in->batch, in->batch.cap, 100, &result, err));
		if (in->batch.n > 0)
			rc = import_batch(in, err);
		if (result == READ_SOME)
			in->source->ops->release(in->source, &in->batch);
		SEAL_TRY(rc);
	}
out:
	return rc;
}

static enum seal_status open_import(struct command_call *call, struct import *in, struct seal_err *err)
{
	const struct stream_setting none[] = {{NULL, NULL}};
	enum seal_status rc;

	in->batch.cap = TOKEN_PAGE;
	in->batch.records = arena_alloc(call->arena, in->batch.cap * sizeof(struct record), _Alignof(struct record));
	in->records = arena_alloc(call->arena, in->batch.cap * sizeof(*in->records), _Alignof(struct token_record));
	in->line = arena_alloc(call->arena, in->batch.cap * sizeof(*in->line), _Alignof(size_t));
	if (in->batch.records == NULL || in->records == NULL || in->line == NULL)
		return err_memory(err);
	SEAL_TRY(token_reader_init(&in->reader, err));
	SEAL_TRY(token_use_only(&in->use, err));
	SEAL_TRY(token_use_open(&in->use, 0, true, err));
	rc = stream_open_source("file", call->n_args ? call->args[0] : "-", none, call->arena, &in->source, err);
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct import in = {.read = 0};
	enum seal_status rc;

	arena_init(&in.batch.arena, STREAM_BATCH_BYTES);
	SEAL_TRY(token_use_begin(call, &in.use, err));
	SEAL_TRY(open_import(call, &in, err));
	SEAL_TRY(import_all(&in, err));
	printf("%llu added, %llu there already, %llu failed\n", (unsigned long long)in.added,
	       (unsigned long long)(in.read - in.added - in.failed), (unsigned long long)in.failed);
	*exit_code = stop_requested() != 0 ? 128 + stop_requested() : in.failed > 0 ? 1 : 0;
out:
	if (in.source != NULL)
		in.source->ops->close(in.source, true);
	token_reader_clear(&in.reader);
	arena_clear(&in.batch.arena);
	token_use_end(&in.use);
	return rc;
}

const struct command command_token_import = {
	.name = "import",
	.usage = "[FILE|-] -p POLICY",
	.summary = "Put tokens from elsewhere into the store",
	.details =
		"Reads what `token export` writes. A token that is here already with the same value is left as it "
		"is, "
		"so that an import that was cut off can be done again. One that stands for another value here, or a "
		"convergent value that has another token here, fails: its line is told, the others go on, and the "
		"run ends with 1. Tokens keep what they were bound to: they reveal under a policy whose namespace, "
		"paths and domains are those of the old one.",
	.examples = "sealstream token export -p old.yaml --yes |\n"
		    "  sealstream token import -p new.yaml\n",
	.options = rows,
	.options_size = sizeof(struct import_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
