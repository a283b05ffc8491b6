/*
 * `inspect`: what is protected in a file or a topic, how, and under which version of a key. Needs no policy and no key: all
 * of it stands in the text forms. What `fpe` made looks like plain text and cannot be found.
 *
 *   record ─ each string of value and key ─┬─ text_form ─▶ one line (or JSON object) a value, counted by path, form and
 *          ─ each header ──────────────────┘               version
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/commands.h"
#include "cmd/inspect.h"
#include "cmd/output.h"
#include "cmd/record_input.h"
#include "cmd/stream_open.h"
#include "cmd/value_walk.h"
#include "files/container.h"
#include "json/path.h"
#include "json/string.h"
#include "methods/envelope_header.h"
#include "methods/text_form.h"
#include "pump/pump.h"

#define PATH_BYTES_MAX (1u << 20)

#define AT(member) .offset = offsetof(struct inspect_options, member)

static const struct opt_row rows[] = {
	{.name = "json", .help = "print one JSON object a line", .type = OPT_FLAG, AT(json)},
	{.name = "summary", .letter = 's', .help = "print only the summary", .type = OPT_FLAG, AT(summary)},
	{.name = "versions",
	 .help = "print only a table of fields and key versions, with counts",
	 .type = OPT_FLAG,
	 AT(versions)},
	{.name = "envelopes",
	 .letter = 'J',
	 .help = "lines are envelopes of kcat -J: the record is their payload",
	 .type = OPT_FLAG,
	 AT(envelopes)},
	MAX_RECORD_BYTES_ROW(struct inspect_options, max_record_bytes),
	{.name = "topic",
	 .letter = 't',
	 .help = "read this stream, from its beginning to where it ends now, instead of a file",
	 .arg = "ADDRESS",
	 .type = OPT_STRING,
	 AT(topic)},
	KAFKA_CONNECTION_ROWS(struct inspect_options, connection),
	OPT_END};

static enum seal_status count(struct inspection *in, const char *path, const struct text_form *form, size_t bytes,
			      struct seal_err *err)
{
	struct kind *kind = in->kinds, *end = in->kinds + in->n_kinds;

	for (; kind < end; kind++)
		if (kind->method == form->method && kind->json == form->json && kind->version == form->version &&
		    kind->stored == form->stored && strcmp(kind->path, path) == 0)
			break;
	if (kind == end && in->n_kinds == KINDS_MAX) {
		in->beyond++;
		return SEAL_OK;
	}
	if (kind == end) {
		*kind = (struct kind){.path = arena_strndup(in->arena, path, strlen(path)),
				      .method = form->method,
				      .json = form->json,
				      .stored = form->stored,
				      .version = form->version};
		if (kind->path == NULL)
			return err_memory(err);
		in->n_kinds++;
	}
	kind->values++;
	kind->bytes += bytes;
	return SEAL_OK;
}

static void show_json(const char *place, const char *path, const struct text_form *form, size_t bytes)
{
	int64_t plain = form->method ? form->plain_len : -1;
	char name[VERSION_NAME_MAX];

	fputs("{\"schema\":\"sealstream.inspect.value/1\",\"place\":", stdout);
	output_json_string(stdout, bytes_str(place));
	fputs(",\"path\":", stdout);
	output_json_string(stdout, bytes_str(path));
	if (form->method == NULL)
		fputs(",\"method\":null,\"damaged\":true", stdout);
	else
		printf(",\"method\":\"%s\",\"damaged\":false,\"value\":\"%s\",\"key_version\":%s", form->method,
		       inspect_form_name(form->method, form->json),
		       inspect_version_name(form->version, "null", name));
	printf(",\"bytes\":%zu", bytes);
	if (plain >= 0)
		printf(",\"plaintext_bytes\":%lld", (long long)plain);
	fputs("}\n", stdout);
}

static void show_text(const char *place, const char *path, const struct text_form *form, size_t bytes)
{
	int64_t plain = form->method ? form->plain_len : -1;
	char name[VERSION_NAME_MAX];

	printf("%s: %s: ", place, path);
	if (form->method == NULL) {
		printf("damaged, %zu byte%s\n", bytes, plural_s(bytes));
		return;
	}
	printf("%s of a %s, key version %s, %zu byte%s", form->method,
	       form->json ? "JSON value" : inspect_form_name(form->method, false),
	       inspect_version_name(form->version, inspect_no_version(form->stored), name), bytes, plural_s(bytes));
	if (plain >= 0)
		printf(", %lld in clear", (long long)plain);
	putchar('\n');
}

/* The version of a wrapped key that stands in the record's header; 0: it is not there. */
static uint32_t carried_version(const struct record *record, const struct text_form *form)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq(record->headers[i].name, BYTES_LIT(ENGINE_KEY_HEADER)))
			return key_header_version(record->headers[i].value, form->entry);
	return 0;
}

/* Something protected, or damaged, at `path`. */
static enum seal_status tell(struct inspection *in, const char *place, const char *path, const struct text_form *form,
			     size_t bytes, struct seal_err *err)
{
	in->damaged += form->method == NULL;
	in->values++;
	if (in->tells_values && in->options->json)
		show_json(place, path, form, bytes);
	else if (in->tells_values)
		show_text(place, path, form, bytes);
	return count(in, path, form, bytes, err);
}

/* A text that claims to be protected. */
static enum seal_status found(struct inspection *in, const char *place, const char *path, struct seal_bytes text,
			      struct seal_err *err)
{
	struct text_form form = {.method = NULL};

	if (!text_form_parse(text, &form))
		form = (struct text_form){.method = NULL};
	if (form.entry != NULL)
		form.version = carried_version(in->record, &form);
	return tell(in, place, path, &form, text.len, err);
}

/* A record of a transfer: one chunk of a file. */
static enum seal_status found_chunk(struct inspection *in, const char *place, struct seal_bytes value,
				    struct seal_err *err)
{
	struct text_form key, form = {.method = NULL};
	struct file_part part;

	if (file_part_parse(value, &part, NULL) == SEAL_OK)
		form = (struct text_form){.method = INSPECT_CHUNK,
					  .version = text_form_parse(part.header.wrapped, &key) ? key.version : 0,
					  .plain_len = (int64_t)(part.chunk.len - FILE_TAG_LEN)};
	return tell(in, place, "$", &form, value.len, err);
}

/* The canonical path of the current string, into in->path; "key" or "$" as its root. */
static enum seal_status path_of_string(struct inspection *in, const char *root, struct seal_err *err)
{
	const size_t len = strlen(root);
	enum seal_status rc;

	buf_reset(&in->path);
	SEAL_TRY(buf_append_str(&in->path, root, err));
	SEAL_TRY(json_steps_canonical(in->walk.doc, in->walk.steps, in->walk.n_steps, &in->path, err));
	memmove(in->path.ptr + len, in->path.ptr + len + 1, in->path.len - len - 1); /* its own "$" */
	in->path.ptr[--in->path.len] = '\0';
	if (!in->options->json) /* which has escapes */
		utf8_keep_to_one_line((char *)in->path.ptr, in->path.len);
out:
	return rc;
}

static enum seal_status inspect_string(struct inspection *in, const char *place, const char *root,
				       struct seal_bytes raw, bool escaped, bool *any, struct seal_err *err)
{
	struct seal_bytes text = raw;
	enum seal_status rc;

	if (escaped && (!json_string_decode(raw, &in->scratch, &text) || text.ptr == NULL))
		return SEAL_OK; /* no Unicode text: no text form */
	if (!text_form_looks_protected(text))
		return SEAL_OK;
	*any = true;
	rc = path_of_string(in, root, err);
	return rc == SEAL_OK ? found(in, place, (const char *)in->path.ptr, text, err) : rc;
}

/* All strings of a document that json_scan has accepted. */
static enum seal_status inspect_json(struct inspection *in, const char *place, const char *root,
				     struct seal_bytes doc, bool *any, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	struct seal_bytes raw;
	bool escaped;

	value_walk_init(&in->walk, doc);
	while (value_walk_next(&in->walk, &raw, &escaped))
		SEAL_TRY(inspect_string(in, place, root, raw, escaped, any, err));
out:
	return rc;
}

static enum seal_status inspect_value(struct inspection *in, const char *place, struct seal_bytes value, bool *any,
				      struct seal_err *err)
{
	enum seal_status rc;

	if (value.ptr == NULL)
		return SEAL_OK;
	*any = true;
	if (text_form_looks_protected(value) || text_form_is_raw(value))
		return found(in, place, "$", value, err);
	if (bytes_starts(value, BYTES_LIT(FILE_MAGIC)))
		return found_chunk(in, place, value, err);
	*any = false;
	rc = json_scan(NULL, value, &in->scan, err);
	return rc == SEAL_OK ? inspect_json(in, place, "$", value, any, err) : rc;
}

/* Most keys are no JSON: that is no mistake. */
static enum seal_status inspect_key(struct inspection *in, const char *place, struct seal_bytes key, bool *any,
				    struct seal_err *err)
{
	if (text_form_looks_protected(key)) {
		*any = true;
		return found(in, place, "key", key, err);
	}
	if (key.len == 0 || json_scan(NULL, key, &in->scan, NULL) != SEAL_OK)
		return SEAL_OK;
	return inspect_json(in, place, "key", key, any, err);
}

static enum seal_status inspect_headers(struct inspection *in, const char *place, const struct record *record,
					bool *any, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *header = &record->headers[i];
		char *path;

		if (!text_form_looks_protected(header->value))
			continue;
		*any = true;
		path = arena_printf(&in->scratch, "header:%.*s", BYTES_FMT(header->name));
		if (path == NULL)
			return err_memory(err);
		utf8_keep_to_one_line(path, strlen(path));
		SEAL_TRY(found(in, place, path, header->value, err));
	}
out:
	return rc;
}

/* Fails only when the run cannot go on; a record that cannot be read is told and counted. */
static enum seal_status inspect_record(struct inspection *in, const char *place, const struct record *record,
				       struct seal_err *err)
{
	struct seal_err why = record->broken ? *record->broken : (struct seal_err)SEAL_ERR_INIT;
	enum seal_status rc = why.status;
	bool any = false, in_value = false;

	in->records++;
	in->record = record;
	if (rc == SEAL_OK)
		rc = inspect_key(in, place, record->key, &any, &why);
	if (rc == SEAL_OK)
		rc = inspect_headers(in, place, record, &any, &why);
	if (rc == SEAL_OK)
		rc = inspect_value(in, place, record->value, &in_value, &why);
	any |= in_value;
	in->protected_records += any;
	arena_reset(&in->scratch);
	if (rc == SEAL_OK)
		return SEAL_OK;
	if (rc != SEAL_DATA)
		return err_set(err, why.status, why.code, "%s", why.text);
	err_prefix(&why, "%s%s%s", place, why.place[0] ? ": " : "", why.place);
	why.place[0] = '\0';
	log_err(LOG_ERROR, &why);
	in->failed++;
	return SEAL_OK;
}

static enum seal_status inspect_all(struct inspection *in, struct source *source, struct batch *batch,
				    struct seal_err *err)
{
	enum read_result result = READ_SOME;
	enum seal_status rc = SEAL_OK;

	while (stop_requested() == 0) {
		batch->n = 0;
		arena_reset(&batch->arena);
		SEAL_TRY(source->ops->read(source, batch, batch->cap, 100, &result, err));
		for (size_t i = 0; i < batch->n && rc == SEAL_OK; i++) {
			char place[SEAL_ERR_PLACE_MAX];

			pump_place_of(source, &batch->records[i], place, sizeof(place));
			rc = inspect_record(in, place, &batch->records[i], err);
		}
		if (result == READ_SOME)
			source->ops->release(source, batch);
		SEAL_TRY(rc);
		if (result == READ_END)
			break;
		if (ferror(stdout))
			break; /* told at the end of the program */
	}
out:
	return rc;
}

static enum seal_status inspect_records(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct inspect_options *options = call->options;
	struct stream_side side;
	const struct record_input input = {.side = options->topic != NULL ? &side : NULL,
					   .offset = "beginning",
					   .partition = -1,
					   .connection = &options->connection,
					   .envelopes = options->envelopes,
					   .max_record_bytes = options->max_record_bytes};
	struct inspection *in = mem_calloc(1, sizeof(*in));
	struct batch batch = {.cap = STREAM_BATCH_RECORDS};
	struct source *source = NULL;
	struct kafka_config config;
	enum seal_status rc;

	kafka_config_init(&config);
	arena_init(&batch.arena, STREAM_BATCH_BYTES);
	batch.records = mem_calloc(batch.cap, sizeof(*batch.records));
	if (in == NULL || batch.records == NULL) {
		rc = err_memory(err);
		goto out;
	}
	in->options = options;
	in->tells_values = !options->summary && !options->versions;
	in->arena = call->arena;
	in->path = (struct seal_buf)BUF_INIT(PATH_BYTES_MAX);
	arena_init(&in->scratch, STREAM_BATCH_BYTES);
	rc = record_input_side(call, options->topic, &side, err);
	if (rc == SEAL_OK)
		rc = record_input_open(&input, call, &config, &source, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	SEAL_TRY(inspect_all(in, source, &batch, err));
	inspect_report(in);
	*exit_code = stop_requested() ? 128 + stop_requested() : in->failed > 0 ? 1 : 0;
out:
	if (source != NULL)
		source->ops->close(source, true);
	kafka_config_clear(&config);
	arena_clear(&batch.arena);
	mem_free(batch.records);
	if (in != NULL) {
		arena_clear(&in->scratch);
		json_scan_clear(&in->scan);
		buf_clear(&in->path);
	}
	mem_free(in);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct inspect_options *options = call->options;
	const char *file = call->n_args > 0 ? call->args[0] : "-";

	if (options->topic == NULL && inspect_is_container(file))
		return inspect_container(file, options->json, err);
	return inspect_records(call, exit_code, err);
}

const struct command command_inspect = {
	.name = "inspect",
	.usage = "[FILE|-]",
	.summary = "Show what is protected in a file or a topic, how, and under which version of a key",
	.details =
		"Needs no policy and no key, and decrypts nothing. For each protected value it prints where it "
		"stands, the "
		"method, the version of the key (of envelope: of the key that wraps the data key, or that it is in "
		"the "
		"policy's store, which is not read), and sizes; then a "
		"summary. Record keys and headers count, too (-J, --topic): as key and header:NAME. Values made by "
		"fpe, mask, redact and "
		"hash look "
		"like any other text and cannot be told.\n"
		"With --versions it prints a table instead: how many values of each field are under which version of "
		"a "
		"key, and in which form (a string, or another JSON value). When an old version has none left, the "
		"key's minimum decryption version can be raised; sealstream rewrap moves values to the newest one.\n"
		"With --topic it reads a stream, as no member of any group, and stops at the end of every "
		"partition. A record of a file on its way (file send) counts as one value at $: a chunk of a file.\n"
		"Of a container that sealstream file protect made it prints one line: the versions of container and "
		"key, and sizes; with --json one object, sealstream.inspect.file/1.\n"
		"With --json every line is an object: sealstream.inspect.value/1 for a value, and "
		"sealstream.inspect/1 for "
		"the summary, which comes last; with --versions one object, sealstream.inspect.versions/1.",
	.examples = "sealstream inspect -s protected.ndjson\n"
		    "sealstream inspect --json protected.ndjson\n"
		    "sealstream inspect report.csv.seal\n"
		    "sealstream inspect --versions -b broker:9092 -t purchases_encrypted\n",
	.options = rows,
	.options_size = sizeof(struct inspect_options),
	.args_max = 1,
	.streams = COMMAND_READS,
	.run = run,
};
