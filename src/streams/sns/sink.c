/*
 * The sink: an outbox whose requests are PublishBatch, in the query protocol. As with queues, a lane of a FIFO topic is a message group,
 * and a message keeps its deduplication id however often it is sent, unless it was taken before one that it stands behind.
 */
#include <stdio.h>

#include "aws/fetch.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "streams/aws_message.h"
#include "streams/outbox.h"
#include "streams/rows.h"
#include "streams/sns/answer.h"
#include "streams/sns/sns.h"

#define ARN_MAX 400
#define NAME_MAX_LEN 256
#define LIMIT (256u << 10) /* where the topic says nothing */
#define FORM_MAX (64u << 20)
#define CALL_MS 30000
#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"

struct sns_options {
	const char *region, *profile, *endpoint;
	int64_t requests, linger_ms, memory;
	int headers;
};

static const struct opt_row rows[] = {
	ROW_AWS_REGION(struct sns_options, "another region than the one of the topic's ARN"),
	ROW_AWS_PROFILE(struct sns_options),
	ROW_AWS_ENDPOINT(struct sns_options, "SNS"),
	ROW_REQUESTS(struct sns_options),
	ROW_LINGER(struct sns_options),
	ROW_HEADERS(struct sns_options),
	ROW_MEMORY(struct sns_options),
	OPT_END};

static const struct stream_traits fifo_traits = {
	.title = "Amazon SNS FIFO",
	.address = "ARN that ends in .fifo",
	.key = AWS_TRAIT_FIFO_KEY,
	.headers = AWS_TRAIT_HEADERS,
	.timestamp = "the service's own",
	.null = AWS_TRAIT_NULL,
	.limit = "256 KiB with attributes, or the topic's MaximumMessageSize",
	.order = STREAM_ORDER_KEY,
	.text = true,
};

static struct seal_bytes name_of(const char *address)
{
	const char *colon = strrchr(address, ':');

	return bytes_str(colon != NULL ? colon + 1 : address);
}

static bool is_fifo_address(const char *address)
{
	return aws_name_is_fifo(name_of(address));
}

static const struct stream_traits traits = {
	.title = "Amazon SNS",
	.address = "ARN",
	.key = AWS_TRAIT_KEY,
	.headers = AWS_TRAIT_HEADERS,
	.timestamp = "the service's own",
	.null = AWS_TRAIT_NULL,
	.limit = "256 KiB with attributes, or the topic's MaximumMessageSize",
	.order = STREAM_ORDER_NONE,
	.text = true,
	.special = &fifo_traits,
	.is_special = is_fifo_address,
};

struct sns_sink {
	struct outbox_sink base;
	struct aws_client *aws;
	char arn[ARN_MAX]; /* up to and with the last ':'; the topic's name follows */
	char topic[NAME_MAX_LEN + 1];
	size_t max_bytes;
	bool drop_headers;
	char run[AWS_RUN_LEN + 1];
	char name[NAME_MAX_LEN + 8];
};

struct sns_worker {
	struct sns_sink *sink;
	struct aws_worker *aws;
	struct aws_call call;
	struct seal_buf form;
	struct arena arena; /* of one call */
};

/* ---- messages ---- */

static struct seal_bytes topic_of(const struct sns_sink *s, const struct record *record)
{
	return record->topic.len > 0 ? record->topic : bytes_str(s->topic);
}

static enum seal_status make(const struct sns_sink *s, const struct record *record, struct aws_message *out,
			     struct seal_err *err)
{
	const struct aws_message_rules rules = {.fifo = aws_name_is_fifo(topic_of(s, record)),
						.drop_headers = s->drop_headers,
						.max_bytes = s->max_bytes,
						.limit = "the topic's MaximumMessageSize"};

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

/* NAME of the form: PublishBatchRequestEntries.member.I.NAME */
static enum seal_status put(struct sns_worker *w, size_t i, const char *name, struct seal_bytes value,
			    struct seal_err *err)
{
	char whole[160];

	snprintf(whole, sizeof(whole), "PublishBatchRequestEntries.member.%zu.%s", i + 1, name);
	return aws_form_add(&w->form, whole, value, err);
}

/* Its base64, until the next call. */
static enum seal_status base64_of(struct sns_worker *w, struct seal_bytes *value, struct seal_err *err)
{
	char *text = arena_alloc(&w->arena, BASE64_LEN(value->len), 1);

	if (text == NULL)
		return err_memory(err);
	*value = bytes_of(text, base64_encode(*value, text));
	return SEAL_OK;
}

static enum seal_status put_attributes(struct sns_worker *w, size_t i, const struct aws_message *m,
				       struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t k = 0; k < m->n; k++) {
		const struct aws_attribute *a = &m->attributes[k];
		struct seal_bytes value = a->value;
		char name[80];

		snprintf(name, sizeof(name), "MessageAttributes.entry.%zu.Name", k + 1);
		SEAL_TRY(put(w, i, name, a->name, err));
		snprintf(name, sizeof(name), "MessageAttributes.entry.%zu.Value.DataType", k + 1);
		SEAL_TRY(put(w, i, name, a->binary ? BYTES_LIT("Binary") : BYTES_LIT("String"), err));
		if (a->binary)
			SEAL_TRY(base64_of(w, &value, err));
		snprintf(name, sizeof(name), "MessageAttributes.entry.%zu.Value.%sValue", k + 1,
			 a->binary ? "Binary" : "String");
		SEAL_TRY(put(w, i, name, value, err));
	}
out:
	return rc;
}

static enum seal_status put_entry(struct sns_worker *w, const struct outbox_item *item, size_t i,
				  struct seal_err *err)
{
	const struct sns_sink *s = w->sink;
	char id[AWS_DEDUPLICATION_MAX];
	struct aws_message m;
	struct seal_bytes body;
	enum seal_status rc;

	SEAL_TRY(make(s, item->record, &m, err));
	body = m.value;
	if (m.encoded)
		SEAL_TRY(base64_of(w, &body, err));
	snprintf(id, sizeof(id), "%zu", i);
	SEAL_TRY(put(w, i, "Id", bytes_str(id), err));
	SEAL_TRY(put(w, i, "Message", body, err));
	SEAL_TRY(put_attributes(w, i, &m, err));
	if (!aws_name_is_fifo(topic_of(s, item->record)))
		goto out;
	aws_message_name(&m, s->run, item->number, item->copies, id);
	SEAL_TRY(put(w, i, "MessageGroupId", bytes_str(m.group), err));
	SEAL_TRY(put(w, i, "MessageDeduplicationId", bytes_str(id), err));
out:
	return rc;
}

/* ---- calls ---- */

static enum seal_status begin(struct sns_worker *w, const char *action, struct seal_bytes topic, struct seal_err *err)
{
	char arn[ARN_MAX + NAME_MAX_LEN];
	enum seal_status rc;

	if (!aws_name_is_good(topic, NAME_MAX_LEN))
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "\"%.*s\" cannot be the name of a topic of SNS",
			       BYTES_FMT(topic));
	snprintf(arn, sizeof(arn), "%s%.*s", w->sink->arn, (int)topic.len, (const char *)topic.ptr);
	buf_reset(&w->form);
	arena_reset(&w->arena);
	SEAL_TRY(aws_form_add(&w->form, "Action", bytes_str(action), err));
	SEAL_TRY(aws_form_add(&w->form, "Version", BYTES_LIT("2010-03-31"), err));
	SEAL_TRY(aws_form_add(&w->form, "TopicArn", bytes_str(arn), err));
out:
	return rc;
}

static enum seal_status run(struct sns_worker *w, bool once, uint64_t deadline_ms, struct seal_err *err)
{
	w->call.content_type = FORM_TYPE;
	w->call.body = buf_bytes(&w->form);
	w->call.once = once;
	return aws_call_run(w->aws, &w->call, deadline_ms, err);
}

static void worker_free(void *worker)
{
	struct sns_worker *w = worker;

	if (w == NULL)
		return;
	aws_worker_free(w->aws);
	aws_call_clear(&w->call);
	buf_clear(&w->form);
	arena_clear(&w->arena);
	mem_free(w);
}

static void worker_stop(void *worker)
{
	aws_worker_stop(((struct sns_worker *)worker)->aws);
}

static enum seal_status worker_new(void *arg, void **worker, struct seal_err *err)
{
	struct sns_worker *w = mem_calloc(1, sizeof(*w));
	enum seal_status rc;

	*worker = NULL;
	if (w == NULL)
		return err_memory(err);
	w->sink = arg;
	w->form.max = FORM_MAX;
	arena_init(&w->arena, 1u << 20);
	rc = aws_worker_new(w->sink->aws, &w->aws, err);
	if (rc != SEAL_OK) {
		worker_free(w);
		w = NULL;
	}
	*worker = w;
	return rc;
}

static enum seal_status send(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
			     struct seal_err *err)
{
	struct sns_worker *w = worker;
	struct aws_entry entries[SNS_BATCH];
	enum seal_status rc;

	SEAL_TRY(begin(w, "PublishBatch", topic_of(w->sink, items[0]->record), err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(put_entry(w, items[i], i, err));
	rc = run(w, true, deadline_ms, err); /* the outbox sends it again, and counts that */
	if (rc == SEAL_RETRY && w->call.failure == AWS_THROTTLED)
		outbox_throttled(items, n);
	if (rc != SEAL_OK)
		goto out;
	rc = sns_entries_read(buf_bytes(&w->call.answer), n, entries, err);
	if (rc == SEAL_DATA) {
		rc = SEAL_RETRY;
		goto out;
	}
	if (rc == SEAL_OK)
		aws_entries_judge("SNS", entries, items, n, err);
out:
	return rc;
}

static const struct outbox_service service = {.worker_new = worker_new,
					      .worker_free = worker_free,
					      .worker_stop = worker_stop,
					      .send = send,
					      .measure = measure};

/* ---- the sink ---- */

/* arn:aws:sns:REGION:ACCOUNT:NAME */
static enum seal_status parse(const char *address, struct sns_sink *s, char region[64], struct seal_err *err)
{
	const struct seal_bytes name = name_of(address);
	struct aws_arn arn;

	if (!aws_arn_parse(bytes_str(address), &arn) || !bytes_eq_str(arn.service, "sns") || arn.region.len == 0 ||
	    arn.region.len >= 64 || !bytes_eq(arn.resource, name) || !aws_name_is_good(name, NAME_MAX_LEN) ||
	    strlen(address) >= ARN_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "\"%.100s\" is no topic of SNS: give its ARN, such as "
			       "arn:aws:sns:eu-west-1:123456789012:purchases",
			       address);
	snprintf(s->arn, sizeof(s->arn), "%.*s", (int)(strlen(address) - name.len), address);
	snprintf(s->topic, sizeof(s->topic), "%.*s", (int)name.len, (const char *)name.ptr);
	snprintf(s->name, sizeof(s->name), "sns:%s", s->topic);
	snprintf(region, 64, "%.*s", (int)arn.region.len, (const char *)arn.region.ptr);
	return SEAL_OK;
}

/* The topic's own limit. Who may publish but not ask gets the usual one. */
static enum seal_status ask_limit(struct sns_sink *s, struct seal_err *err)
{
	struct seal_err own = SEAL_ERR_INIT;
	void *worker = NULL;
	struct sns_worker *w;
	enum seal_status rc;

	s->max_bytes = LIMIT;
	SEAL_TRY(worker_new(s, &worker, err));
	w = worker;
	SEAL_TRY(begin(w, "GetTopicAttributes", bytes_str(s->topic), err));
	rc = run(w, false, clock_mono_ms() + CALL_MS, &own);
	if (rc == SEAL_OK) {
		rc = sns_limit_read(buf_bytes(&w->call.answer), &s->max_bytes, &own);
		rc = rc == SEAL_DATA ? SEAL_OK : rc;
	} else if (rc == SEAL_DENIED && strncmp(w->call.code, "Authorization", 13) == 0) {
		rc = SEAL_OK;
	} else if (strncmp(w->call.code, "NotFound", 8) == 0) {
		own.code = SEAL_E_CREATE;
	}
	if (rc != SEAL_OK && err != NULL)
		*err = own;
out:
	worker_free(worker);
	return rc;
}

static enum seal_status close_sink(struct sink *sink, struct seal_err *err)
{
	struct sns_sink *s = (struct sns_sink *)sink;

	(void)err;
	if (s == NULL)
		return SEAL_OK;
	outbox_sink_close(&s->base);
	aws_client_free(s->aws);
	mem_free(s);
	return SEAL_OK;
}

static enum seal_status open_sink(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	const struct sns_options *o = options;
	struct sns_sink *s = mem_calloc(1, sizeof(*s));
	struct aws_config aws = {.service = "sns", .profile = o->profile, .endpoint = o->endpoint};
	struct outbox_config config = {.records = SNS_BATCH,
				       .requests = (unsigned)o->requests,
				       .linger_ms = (unsigned)o->linger_ms,
				       .memory = (size_t)o->memory};
	char region[64];
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.sink.ops = &sns_sink_ops;
	s->drop_headers = o->headers == ROW_HEADERS_DROP;
	SEAL_TRY(parse(address, s, region, err));
	aws.region = o->region != NULL ? o->region : region;
	SEAL_TRY(aws_client_new(&aws, &s->aws, err));
	SEAL_TRY(ask_limit(s, err));
	SEAL_TRY(aws_run_new(s->run, err));
	config.name = s->name;
	config.bytes = s->max_bytes;
	config.order = aws_name_is_fifo(bytes_str(s->topic)) ? OUTBOX_SEVERAL : OUTBOX_ANY;
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
	(void)err;
	*max = aws_message_record_max(((struct sns_sink *)sink)->max_bytes);
	*flag = "the topic's MaximumMessageSize";
	return SEAL_OK;
}

const struct sink_ops sns_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "sns",
	.help = "a topic of Amazon SNS",
	.traits = &traits,
	.options = rows,
	.options_size = sizeof(struct sns_options),
	.topic = name_of,
	.open = open_sink,
	.write = outbox_sink_write,
	.poll = outbox_sink_poll,
	.check = outbox_sink_check,
	.record_max = record_max,
	.flush = outbox_sink_flush,
	.close = close_sink,
};
