/*
 * Publishing: an outbox whose requests have messages of one ordering key, or of none.
 *
 *   POST /v1/projects/P/topics/T:publish   {"messages":[…]}   ──▶   {"messageIds":["…",…]}
 *
 * A request is taken as a whole or not at all. One that failed for the time being goes out again before anything else of its key does;
 * one that failed for good ends the sink.
 */
#include "base/mem.h"
#include "streams/outbox.h"
#include "streams/pubsub/message.h"
#include "streams/pubsub/work.h"

#define RECORDS_MAX 1000
#define BODY_MAX (64u << 20)

struct pubsub_sink {
	struct outbox_sink base;
	struct pubsub_stream stream;
	bool headers;
};

struct sink_worker {
	struct pubsub_sink *sink;
	struct google_worker *google;
	struct seal_buf path, body;
};

static const struct opt_row rows[] = {PUBSUB_COMMON_ROWS, ROW_LINGER(struct pubsub_options),
				      ROW_HEADERS(struct pubsub_options), OPT_END};

static struct pubsub_sink *sink_of(struct sink *base)
{
	return (struct pubsub_sink *)base;
}

/* ---- the outbox's service ---- */

static void worker_stop(void *worker)
{
	google_worker_stop(((struct sink_worker *)worker)->google);
}

static void worker_free(void *arg)
{
	struct sink_worker *w = arg;

	google_worker_free(w->google);
	buf_clear(&w->path);
	buf_clear(&w->body);
	mem_free(w);
}

static enum seal_status worker_new(void *arg, void **out, struct seal_err *err)
{
	struct pubsub_sink *sink = arg;
	struct sink_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	if (w == NULL)
		return err_memory(err);
	w->sink = sink;
	w->path = (struct seal_buf)BUF_INIT(4096);
	w->body = (struct seal_buf)BUF_INIT(BODY_MAX);
	rc = google_worker_new(sink->stream.client, &w->google, err);
	if (rc != SEAL_OK)
		worker_free(w);
	else
		*out = w;
	return rc;
}

static enum seal_status measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	const struct pubsub_sink *sink = arg;

	if (record->topic.len > 0 && !pubsub_is_name(record->topic))
		return err_set(err, SEAL_DATA, SEAL_E_TYPE, "\"%.*s\" cannot be the name of a topic of Pub/Sub",
			       BYTES_FMT(record->topic));
	return message_measure(record, sink->headers, bytes, err);
}

static enum seal_status write_body(struct sink_worker *w, struct outbox_item *const *items, size_t n,
				   struct seal_err *err)
{
	enum seal_status rc;

	buf_reset(&w->body);
	SEAL_TRY(buf_append_str(&w->body, "{\"messages\":[", err));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			SEAL_TRY(buf_append_u8(&w->body, ',', err));
		SEAL_TRY(message_append(items[i]->record, w->sink->headers, &w->body, err));
	}
	SEAL_TRY(buf_append_str(&w->body, "]}", err));
out:
	return rc;
}

/* As many names as there were messages: anything else is not the service's answer. */
static enum seal_status check_answer(struct seal_bytes answer, size_t n, struct seal_err *err)
{
	static const char *const names[] = {"messageIds"};
	struct json_value document, ids, id;
	struct json_items items;
	size_t count = 0;
	enum seal_status rc = json_value_of(answer, &document, NULL);

	if (rc == SEAL_FATAL)
		return err_memory(err);
	if (rc == SEAL_OK) {
		json_members(&document, names, 1, &ids);
		json_items(&ids, &items);
		while (json_item_next(&items, &id))
			count++;
	}
	if (count == n)
		return SEAL_OK;
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the answer to %zu message%s names %zu", n, plural_s(n),
		       count);
}

static enum seal_status send(void *arg, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
			     struct seal_err *err)
{
	struct sink_worker *w = arg;
	const struct seal_bytes other = items[0]->record->topic;
	struct google_call call = {.method = "POST", .once = true}; /* the outbox sends it again, and counts that */
	enum seal_status rc;

	buf_reset(&w->path);
	SEAL_TRY(pubsub_path(&w->sink->stream, "topics", other.len > 0 ? other : w->sink->stream.short_name,
			     "publish", &w->path, err));
	SEAL_TRY(write_body(w, items, n, err));
	call.path = (const char *)w->path.ptr;
	call.body = buf_bytes(&w->body);
	rc = google_call_run(w->google, &call, deadline_ms, err);
	if (rc != SEAL_OK && err != NULL && strcmp(call.code, "NOT_FOUND") == 0)
		err->code = SEAL_E_CREATE; /* no output, rather than no input */
	SEAL_TRY(rc);
	SEAL_TRY(check_answer(buf_bytes(&call.answer), n, err));
	for (size_t i = 0; i < n; i++)
		items[i]->result = OUTBOX_DONE;
out:
	if (rc == SEAL_RETRY && call.failure == GOOGLE_THROTTLED)
		outbox_throttled(items, n);
	google_call_clear(&call);
	return rc;
}

static const struct outbox_service service = {.worker_new = worker_new,
					      .worker_free = worker_free,
					      .worker_stop = worker_stop,
					      .send = send,
					      .measure = measure};

/* ---- the sink ---- */

static enum seal_status sink_close(struct sink *base, struct seal_err *err)
{
	struct pubsub_sink *sink = sink_of(base);

	(void)err;
	if (sink == NULL)
		return SEAL_OK;
	outbox_sink_close(&sink->base);
	pubsub_stream_close(&sink->stream);
	mem_free(sink);
	return SEAL_OK;
}

static enum seal_status sink_open(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	const struct pubsub_options *o = options;
	struct outbox_config config = {.order = OUTBOX_ALONE,
				       .records = RECORDS_MAX,
				       .bytes = MESSAGE_REQUEST_MAX - MESSAGE_REQUEST_ROOM,
				       .memory = (size_t)o->memory,
				       .requests = (unsigned)o->requests,
				       .linger_ms = (unsigned)o->linger_ms};
	struct pubsub_sink *sink = mem_calloc(1, sizeof(*sink));
	enum seal_status rc;

	*out = NULL;
	if (sink == NULL)
		return err_memory(err);
	sink->base.sink.ops = &pubsub_sink_ops;
	sink->headers = o->headers == ROW_HEADERS_KEEP;
	SEAL_TRY(pubsub_stream_open(address, "topics", o, &sink->stream, err));
	config.name = sink->stream.name;
	SEAL_TRY(outbox_new(&config, &service, sink, &sink->base.outbox, err));
	*out = &sink->base.sink;
	sink = NULL;
out:
	if (sink != NULL)
		(void)sink_close(&sink->base.sink, NULL);
	return rc;
}

static enum seal_status sink_record_max(struct sink *base, size_t *max, const char **flag, struct seal_err *err)
{
	(void)base;
	(void)err;
	*max = MESSAGE_REQUEST_MAX - MESSAGE_REQUEST_ROOM - MESSAGE_OVERHEAD_MAX;
	*flag = NULL;
	return SEAL_OK;
}

const struct sink_ops pubsub_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "pubsub",
	.help = "a topic of Google Cloud Pub/Sub",
	.traits = &pubsub_traits,
	.options = rows,
	.options_size = sizeof(struct pubsub_options),
	.topic = pubsub_topic,
	.open = sink_open,
	.write = outbox_sink_write,
	.poll = outbox_sink_poll,
	.check = outbox_sink_check,
	.record_max = sink_record_max,
	.flush = outbox_sink_flush,
	.close = sink_close,
};
