/*
 * PutRecords of up to 500 records, one of a key at a time, since a request promises no order. Everything else is the outbox's.
 *
 *   key     UTF-8 text of 1 … 256 characters: the PartitionKey; any other: its SHA-256 in hex; none: random hex
 *   value   the bytes; none is refused
 */
#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "json/string.h"
#include "streams/kinesis/call.h"
#include "streams/outbox.h"

#define REQUEST_RECORDS 500
#define REQUEST_BYTES (5u << 20) /* what each service has always taken; a longer record goes alone */
#define RECORD_BYTES_MOST (10u << 20)
#define RECORD_BYTES (1u << 20) /* unless the stream says more */
#define KEY_CHARACTERS 256
#define KEY_NOISE 16 /* bytes of a random one */

struct kinesis_sink {
	struct outbox_sink base;
	struct kinesis_address address;
	struct aws_client *client;
	size_t record_max;
};

struct worker {
	struct kinesis_sink *sink;
	struct aws_worker *aws;
	struct kinesis_call call;
	struct random_pool noise; /* for keys of records without one */
};

static struct kinesis_sink *of(struct sink *sink)
{
	return (struct kinesis_sink *)((char *)sink - offsetof(struct kinesis_sink, base));
}

/* ---- keys ---- */

static bool is_partition_key(struct seal_bytes key)
{
	uint32_t character;
	size_t n = 0;

	if (key.len == 0 || key.len > 4 * KEY_CHARACTERS)
		return false;
	for (size_t at = 0; at < key.len; n++)
		if (!utf8_next(key, &at, &character))
			return false;
	return n <= KEY_CHARACTERS;
}

static enum seal_status put_hex(struct seal_bytes bytes, struct seal_buf *out, struct seal_err *err)
{
	char hex[2 * SHA256_LEN];

	hex_encode(bytes, hex);
	return buf_append(out, bytes_of(hex, 2 * bytes.len), err);
}

static enum seal_status put_key(struct worker *worker, struct seal_bytes key, struct seal_buf *out,
				struct seal_err *err)
{
	uint8_t hash[SHA256_LEN];
	enum seal_status rc;

	if (is_partition_key(key))
		return json_string_append(out, key, err);
	SEAL_TRY(key.ptr == NULL ? random_pool_take(&worker->noise, hash, KEY_NOISE, err) : sha256(key, hash, err));
	SEAL_TRY(buf_append_u8(out, '"', err));
	SEAL_TRY(put_hex(bytes_of(hash, key.ptr == NULL ? KEY_NOISE : SHA256_LEN), out, err));
	rc = buf_append_u8(out, '"', err);
out:
	return rc;
}

/* ---- the outbox's service ---- */

/* An empty key is one, too, unlike none. */
static struct seal_bytes lane(void *arg, const struct record *record)
{
	return record->key.ptr != NULL && record->key.len == 0 ? BYTES_LIT("\0") : record->key;
}

/* As put_key writes it. */
static size_t key_len(struct seal_bytes key)
{
	return 2 * (key.ptr == NULL	    ? KEY_NOISE
		    : is_partition_key(key) ? 0
					    : SHA256_LEN) +
	       (is_partition_key(key) ? key.len : 0);
}

static enum seal_status measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	const struct kinesis_sink *k = arg;

	if (record->value.ptr == NULL)
		return err_set(err, SEAL_DATA, SEAL_E_TYPE, "has no value, and Kinesis has no records without one");
	*bytes = record->value.len + key_len(record->key);
	if (*bytes <= k->record_max)
		return SEAL_OK;
	return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
		       "a record of %zu bytes with its key is larger than the stream takes (%zu)", *bytes,
		       k->record_max);
}

static enum seal_status worker_new(void *arg, void **out, struct seal_err *err)
{
	struct worker *worker = mem_calloc(1, sizeof(*worker));
	enum seal_status rc;

	if (worker == NULL)
		return err_memory(err);
	worker->sink = arg;
	random_pool_init(&worker->noise);
	kinesis_call_init(&worker->call);
	worker->call.once = true; /* the outbox sends it again, and counts that */
	rc = aws_worker_new(worker->sink->client, &worker->aws, err);
	if (rc == SEAL_OK)
		*out = worker;
	else
		mem_free(worker);
	return rc;
}

static void worker_stop(void *worker)
{
	aws_worker_stop(((struct worker *)worker)->aws);
}

static void worker_free(void *arg)
{
	struct worker *worker = arg;

	aws_worker_free(worker->aws);
	kinesis_call_clear(&worker->call);
	random_pool_clear(&worker->noise);
	mem_free(worker);
}

static enum seal_status put_record(struct worker *worker, const struct record *record, struct seal_buf *out,
				   struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, "{\"Data\":", err));
	SEAL_TRY(json_base64_append(out, record->value, err));
	SEAL_TRY(buf_append_str(out, ",\"PartitionKey\":", err));
	SEAL_TRY(put_key(worker, record->key, out, err));
	rc = buf_append_u8(out, '}', err);
out:
	return rc;
}

static enum seal_status put_request(struct worker *worker, struct outbox_item *const *items, size_t n,
				    struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_append_u8(out, '{', err));
	SEAL_TRY(kinesis_put_stream(&worker->sink->address, items[0]->record->topic, out, err));
	SEAL_TRY(buf_append_str(out, ",\"Records\":[", err));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			SEAL_TRY(buf_append_u8(out, ',', err));
		SEAL_TRY(put_record(worker, items[i]->record, out, err));
	}
	rc = buf_append_str(out, "]}", err);
out:
	return rc;
}

/* One entry of an answer. */
static void take_result(const struct json_value values[3], struct outbox_item *item, struct seal_err *err)
{
	enum aws_failure failure;

	if (!json_value_is(&values[0], JSON_STRING) || values[0].text.len == 0) {
		/* Only a number says that it is there. */
		if (json_value_is(&values[2], JSON_STRING) && values[2].text.len > 0)
			item->result = OUTBOX_DONE;
		else
			(void)err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "PutRecords: a record was given no number");
		return;
	}
	/* InternalFailure is the service's; what it calls neither that nor throttling would be refused again. */
	failure = aws_failure_of_code(values[0].text, !bytes_eq_str(values[0].text, "InternalFailure"));
	item->throttled = failure == AWS_THROTTLED;
	item->result = failure == AWS_THROTTLED || failure == AWS_AWAY ? OUTBOX_RETRY : OUTBOX_FAILED;
	if (item->result == OUTBOX_FAILED && err != NULL && err->status == SEAL_RETRY)
		err_clear(err); /* that of one that only has to wait */
	(void)err_set(err,
		      item->result == OUTBOX_RETRY ? SEAL_RETRY
		      : failure == AWS_DENIED	   ? SEAL_DENIED
						   : SEAL_DATA,
		      item->throttled ? SEAL_E_BUSY : SEAL_E_SERVICE, "PutRecords: %.*s: %.*s",
		      BYTES_FMT(values[0].text), BYTES_FMT(values[1].text));
}

/* In the array of results, behind its bracket: how many there were. */
static size_t take_list(struct json_events *e, struct outbox_item *const *items, size_t n, struct seal_err *err)
{
	struct json_value values[3];
	const struct json_slot slots[] = {{BYTES_LIT("ErrorCode"), &values[0]},
					  {BYTES_LIT("ErrorMessage"), &values[1]},
					  {BYTES_LIT("SequenceNumber"), &values[2]}};
	size_t got = 0;

	for (; json_events_next(e) == JSON_EVENT_VALUE; got++) {
		memset(values, 0, sizeof(values));
		if (e->type == JSON_OBJECT)
			while (json_events_next(e) == JSON_EVENT_NAME)
				json_take_member(e, slots, 3);
		else
			(void)json_take(e);
		if (got < n)
			take_result(values, items[got], err);
	}
	return got;
}

static enum seal_status take_results(struct seal_bytes answer, struct outbox_item *const *items, size_t n,
				     struct seal_err *err)
{
	struct json_events e;
	size_t got = 0;

	json_events_init(&e, answer);
	(void)json_events_next(&e);
	while (json_events_next(&e) == JSON_EVENT_NAME) {
		const bool is_list = bytes_eq_str(json_events_text(&e), "Records");

		(void)json_events_next(&e);
		if (is_list && e.type == JSON_ARRAY)
			got += take_list(&e, items, n, err);
		else
			(void)json_take(&e);
	}
	if (got >= n)
		return SEAL_OK;
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "PutRecords: %zu of %zu records were answered", got, n);
}

static enum seal_status send(void *arg, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
			     struct seal_err *err)
{
	struct worker *worker = arg;
	struct kinesis_call *call = &worker->call;
	enum seal_status rc;

	SEAL_TRY(put_request(worker, items, n, &call->body, err));
	call->deadline_ms = deadline_ms;
	rc = kinesis_call_run(call, worker->aws, "PutRecords", SEAL_E_CREATE, err);
	if (rc == SEAL_RETRY && call->call.failure == AWS_THROTTLED)
		outbox_throttled(items, n);
	SEAL_TRY(rc);
	rc = take_results(call->answer.text, items, n, err);
out:
	kinesis_call_reset(call);
	return rc;
}

static const struct outbox_service service = {worker_new, worker_free, send, measure, lane, worker_stop};

/* ---- the sink ---- */

static enum seal_status sink_record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err)
{
	*max = of(sink)->record_max;
	*flag = "MaxRecordSizeInKiB of the stream";
	return SEAL_OK;
}

static enum seal_status sink_close(struct sink *sink, struct seal_err *err)
{
	struct kinesis_sink *k = sink != NULL ? of(sink) : NULL;

	if (k == NULL)
		return SEAL_OK;
	outbox_sink_close(&k->base);
	aws_client_free(k->client);
	kinesis_address_clear(&k->address);
	mem_free(k);
	return SEAL_OK;
}

/* Is the stream there, and how long may records be? Who may write but not describe gets the usual limit. */
static enum seal_status look_at_stream(struct kinesis_sink *k, struct seal_err *err)
{
	static const char *const outer[] = {"StreamDescriptionSummary"}, *const inner[] = {"MaxRecordSizeInKiB"};
	struct aws_worker *worker = NULL;
	struct json_value summary, size;
	struct kinesis_call call;
	uint64_t kib;
	enum seal_status rc;

	kinesis_call_init(&call);
	SEAL_TRY(aws_worker_new(k->client, &worker, err));
	SEAL_TRY(buf_append_u8(&call.body, '{', err));
	SEAL_TRY(kinesis_put_stream(&k->address, BYTES_EMPTY, &call.body, err));
	SEAL_TRY(buf_append_u8(&call.body, '}', err));
	rc = kinesis_call_run(&call, worker, "DescribeStreamSummary", SEAL_E_CREATE, err);
	if (rc == SEAL_DENIED && strcmp(call.call.code, "AccessDeniedException") == 0) {
		err_clear(err);
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	json_members(&call.answer, outer, 1, &summary);
	json_members(&summary, inner, 1, &size);
	if (json_value_is(&size, JSON_NUMBER) && bytes_to_u64(size.text, RECORD_BYTES_MOST >> 10, &kib) && kib > 1024)
		k->record_max = (size_t)kib << 10;
out:
	kinesis_call_clear(&call);
	aws_worker_free(worker);
	return rc;
}

static enum seal_status start(struct kinesis_sink *k, const char *address, const struct kinesis_options *o,
			      struct seal_err *err)
{
	char name[160];
	struct outbox_config config = {.name = name,
				       .order = OUTBOX_ONE,
				       .records = REQUEST_RECORDS,
				       .bytes = REQUEST_BYTES,
				       .memory = o->memory > 0 ? (size_t)o->memory : 0,
				       .requests = (unsigned)o->requests};
	enum seal_status rc;

	SEAL_TRY(kinesis_address_read(address, &k->address, err));
	snprintf(name, sizeof(name), "kinesis:%.*s", BYTES_FMT(k->address.name));
	SEAL_TRY(kinesis_client_new(o, &k->address, &k->client, err));
	SEAL_TRY(look_at_stream(k, err));
	rc = outbox_new(&config, &service, k, &k->base.outbox, err);
out:
	if (rc != SEAL_OK)
		err_place(err, "kinesis:%s", address);
	return rc;
}

static enum seal_status sink_open(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	struct kinesis_sink *k = mem_calloc(1, sizeof(*k));
	enum seal_status rc;

	*out = NULL;
	if (k == NULL)
		return err_memory(err);
	k->base.sink.ops = &kinesis_sink_ops;
	k->record_max = RECORD_BYTES;
	rc = start(k, address, options, err);
	if (rc == SEAL_OK)
		*out = &k->base.sink;
	else
		(void)sink_close(&k->base.sink, NULL);
	return rc;
}

static const struct opt_row rows[] = {
	KINESIS_ROWS,
	OPT_END,
};

const struct sink_ops kinesis_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "kinesis",
	.help = "a stream of Amazon Kinesis",
	.traits = &kinesis_traits,
	.options = rows,
	.options_size = sizeof(struct kinesis_options),
	.topic = kinesis_topic,
	.open = sink_open,
	.write = outbox_sink_write,
	.poll = outbox_sink_poll,
	.check = outbox_sink_check,
	.record_max = sink_record_max,
	.flush = outbox_sink_flush,
	.close = sink_close,
};
