/*
 * The sink: an outbox whose requests are SendMessageBatch. On FIFO queues a lane is a message group, so that what is sent again stays
 * in its order, and has its deduplication id from the first try on: the queue drops what it has already. What it took although a message
 * before it failed goes out once more under another id: the first copy stands at the wrong place.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "json/string.h"
#include "streams/aws_message.h"
#include "streams/outbox.h"
#include "streams/rows.h"
#include "streams/sqs/checksum.h"
#include "streams/sqs/client.h"
#include "streams/sqs/sqs.h"

struct sqs_sink {
	struct outbox_sink base;
	struct sqs_client client;
	bool drop_headers;
	char run[AWS_RUN_LEN + 1];
	char name[SQS_NAME_MAX + 8];
};

static bool is_fifo(const struct sqs_sink *s, const struct record *record)
{
	return aws_name_is_fifo(record->topic.len > 0 ? record->topic : bytes_str(s->client.address.name));
}

static enum seal_status make(const struct sqs_sink *s, const struct record *record, struct aws_message *out,
			     struct seal_err *err)
{
	const struct aws_message_rules rules = {.fifo = is_fifo(s, record),
						.drop_headers = s->drop_headers,
						.max_bytes = s->client.max_bytes,
						.limit = "the queue's MaximumMessageSize"};

	return aws_message_make(&rules, record, out, err);
}

static enum seal_status measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	struct aws_message message;
	enum seal_status rc = make(arg, record, &message, err);

	if (rc == SEAL_OK)
		*bytes = message.bytes;
	return rc;
}

static enum seal_status worker_new(void *arg, void **worker, struct seal_err *err)
{
	struct sqs_sink *s = arg;
	struct sqs_worker *w;
	enum seal_status rc = sqs_worker_new(&s->client, s, &w, err);

	*worker = w;
	return rc;
}

static void worker_free(void *worker)
{
	sqs_worker_free(worker);
}

static void worker_stop(void *worker)
{
	aws_worker_stop(((struct sqs_worker *)worker)->aws);
}

static enum seal_status put_attributes(struct seal_buf *out, const struct aws_message *m, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < m->n; i++) {
		const struct aws_attribute *a = &m->attributes[i];

		SEAL_TRY(buf_printf(out, err, "%s\"%.*s\":{\"DataType\":\"%s\",\"%sValue\":",
				    i == 0 ? ",\"MessageAttributes\":{" : ",", (int)a->name.len,
				    (const char *)a->name.ptr, a->binary ? "Binary" : "String",
				    a->binary ? "Binary" : "String"));
		SEAL_TRY(a->binary ? json_base64_append(out, a->value, err) : json_string_append(out, a->value, err));
		SEAL_TRY(buf_append_u8(out, '}', err));
	}
	if (m->n > 0)
		SEAL_TRY(buf_append_u8(out, '}', err));
out:
	return rc;
}

static enum seal_status put_group(struct seal_buf *out, const struct sqs_sink *s, struct aws_message *m,
				  const struct outbox_item *item, struct seal_err *err)
{
	char id[AWS_DEDUPLICATION_MAX];
	enum seal_status rc;

	aws_message_name(m, s->run, item->number, item->copies, id);
	SEAL_TRY(buf_append_str(out, ",\"MessageGroupId\":", err));
	SEAL_TRY(json_string_append(out, bytes_str(m->group), err));
	SEAL_TRY(buf_printf(out, err, ",\"MessageDeduplicationId\":\"%s\"", id));
out:
	return rc;
}

struct sums {
	char body[SQS_SUM_SIZE], attributes[SQS_SUM_SIZE];
};

static enum seal_status put_entry(struct sqs_worker *w, const struct outbox_item *item, size_t i, struct sums *sums,
				  struct seal_err *err)
{
	const struct sqs_sink *s = w->arg;
	struct seal_buf *out = &w->body;
	struct aws_message m;
	struct seal_bytes body;
	char *text = NULL;
	enum seal_status rc;

	SEAL_TRY(make(s, item->record, &m, err));
	body = m.value;
	if (m.encoded) {
		text = arena_alloc(&w->arena, BASE64_LEN(body.len), 1);
		if (text == NULL)
			return err_memory(err);
		body = bytes_of(text, base64_encode(body, text));
	}
	sqs_sum_of_body(body, sums->body);
	SEAL_TRY(sqs_sum_of_attributes(m.attributes, s->client.attribute_sums ? m.n : 0, &w->arena, sums->attributes,
				       err));
	SEAL_TRY(buf_printf(out, err, "%s{\"Id\":\"%zu\",\"MessageBody\":", i == 0 ? "" : ",", i));
	SEAL_TRY(json_string_append(out, body, err));
	SEAL_TRY(put_attributes(out, &m, err));
	if (is_fifo(s, item->record))
		SEAL_TRY(put_group(out, s, &m, item, err));
	SEAL_TRY(buf_append_u8(out, '}', err));
out:
	return rc;
}

/* What the queue has must be what was sent. */
static void compare(const struct sums *sums, const struct aws_entry *entries, const struct sqs_said *said,
		    struct outbox_item *const *items, size_t n, struct seal_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!entries[i].good || (!sqs_sum_differs(sums[i].body, &said[i].body) &&
					 !sqs_sum_differs(sums[i].attributes, &said[i].attributes)))
			continue;
		items[i]->result = OUTBOX_FAILED;
		err_clear(err);
		(void)err_set(err, SEAL_FATAL, SEAL_E_SERVICE,
			      "SQS has got a message that is not what was sent: its check sum differs");
	}
}

static enum seal_status send(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
			     struct seal_err *err)
{
	struct sqs_worker *w = worker;
	struct aws_entry entries[SQS_BATCH];
	struct sqs_said said[SQS_BATCH];
	struct sums sums[SQS_BATCH];
	struct json_value root;
	const char *url;
	enum seal_status rc;

	SEAL_TRY(sqs_queue_url(w, items[0]->record->topic, &url, err));
	SEAL_TRY(sqs_begin(w, url, err));
	SEAL_TRY(buf_append_str(&w->body, ",\"Entries\":[", err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(put_entry(w, items[i], i, &sums[i], err));
	SEAL_TRY(buf_append_u8(&w->body, ']', err));
	w->call.once = true; /* the outbox sends it again, and counts that */
	rc = sqs_call(w, "SendMessageBatch", deadline_ms, &root, err);
	w->call.once = false;
	if (rc == SEAL_RETRY && w->call.failure == AWS_THROTTLED)
		outbox_throttled(items, n);
	if (rc != SEAL_OK)
		goto out;
	SEAL_TRY(sqs_entries(w, &root, n, entries, said, err));
	aws_entries_judge("SQS", entries, items, n, err);
	compare(sums, entries, said, items, n, err);
out:
	return rc;
}

static const struct outbox_service service = {.worker_new = worker_new,
					      .worker_free = worker_free,
					      .worker_stop = worker_stop,
					      .send = send,
					      .measure = measure};

static enum seal_status close_sink(struct sink *sink, struct seal_err *err)
{
	struct sqs_sink *s = (struct sqs_sink *)sink;

	if (s == NULL)
		return SEAL_OK;
	outbox_sink_close(&s->base);
	if (s->client.aws != NULL)
		sqs_client_close(&s->client);
	mem_free(s);
	return SEAL_OK;
}

static enum seal_status open_sink(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	const struct sqs_options *o = options;
	struct sqs_sink *s = mem_calloc(1, sizeof(*s));
	struct outbox_config config = {.records = SQS_BATCH,
				       .bytes = SQS_BYTES_MAX,
				       .requests = (unsigned)o->requests,
				       .linger_ms = (unsigned)o->linger_ms,
				       .memory = (size_t)o->memory};
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.sink.ops = &sqs_sink_ops;
	s->drop_headers = o->headers == ROW_HEADERS_DROP;
	SEAL_TRY(sqs_client_open(address, o, SEAL_E_CREATE, &s->client, err));
	SEAL_TRY(aws_run_new(s->run, err));
	snprintf(s->name, sizeof(s->name), "sqs:%s", s->client.address.name);
	config.name = s->name;
	config.order = aws_name_is_fifo(bytes_str(s->client.address.name)) ? OUTBOX_SEVERAL : OUTBOX_ANY;
	SEAL_TRY(outbox_new(&config, &service, s, &s->base.outbox, err));
	*out = &s->base.sink;
	s = NULL;
out:
	if (s != NULL)
		(void)close_sink(&s->base.sink, NULL);
	return rc;
}

static enum seal_status record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err)
{
	*max = aws_message_record_max(((struct sqs_sink *)sink)->client.max_bytes);
	*flag = "the queue's MaximumMessageSize";
	return SEAL_OK;
}

const struct sink_ops sqs_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "sqs",
	.help = "a queue of Amazon SQS",
	.traits = &sqs_traits,
	.options = sqs_sink_rows,
	.options_size = sizeof(struct sqs_options),
	.topic = sqs_topic,
	.open = open_sink,
	.write = outbox_sink_write,
	.poll = outbox_sink_poll,
	.check = outbox_sink_check,
	.record_max = record_max,
	.flush = outbox_sink_flush,
	.close = close_sink,
};
