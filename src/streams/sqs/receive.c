/*
 * ReceiveMessage, DeleteMessageBatch, ChangeMessageVisibilityBatch. What is wrong with one message (a signature that does not hold, a body
 * that is not what an attribute says) is that record's. One that cannot be judged now (its check sum is wrong, a certificate cannot be had)
 * is left out, on FIFO queues with those behind it: they come back when their time is over. It keeps no others from being read.
 */
#include "streams/sqs/receive.h"

#include "base/clock.h"
#include "base/encode.h"
#include "json/string.h"
#include "streams/sqs/checksum.h"

#define DEADLINE_MS 30000

static enum seal_status worker_new(void *arg, void **worker, struct seal_err *err)
{
	struct sqs_reader *reader = arg;
	struct sqs_worker *w;
	enum seal_status rc = sqs_worker_new(&reader->client, reader, &w, err);

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

/* A string's text in `arena`, which outlives the answer. */
static enum seal_status own(const struct json_value *value, struct arena *arena, struct seal_bytes *out,
			    struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(json_value_string(value, arena, out, err));
	if (out->ptr == NULL || value->escaped)
		return SEAL_OK;
	*out = arena_copy(arena, *out);
	if (out->ptr == NULL)
		return err_memory(err);
out:
	return rc;
}

static enum seal_status read_attribute(const struct json_value *name, const struct json_value *value,
				       struct arena *arena, struct aws_attribute *out, bool *good,
				       struct seal_err *err)
{
	static const char *const names[] = {"DataType", "StringValue", "BinaryValue"};
	struct json_value found[3];
	enum seal_status rc;

	json_members(value, names, 3, found);
	SEAL_TRY(own(name, arena, &out->name, err));
	SEAL_TRY(own(&found[0], arena, &out->type, err));
	SEAL_TRY(own(&found[aws_is_binary(out->type) ? 2 : 1], arena, &out->value, err));
	SEAL_TRY(aws_attribute_decode(out, arena, good, err));
out:
	return rc;
}

static enum seal_status read_attributes(const struct json_value *object, struct arena *arena,
					struct aws_attribute **out, size_t *n, struct seal_err *err)
{
	struct json_items items;
	struct json_value value;
	size_t count = 0;
	enum seal_status rc = SEAL_OK;

	*n = 0;
	json_items(object, &items);
	while (json_item_next(&items, &value))
		count++;
	*out = arena_alloc(arena, (count + 1) * sizeof(**out), _Alignof(struct aws_attribute));
	if (*out == NULL)
		return err_memory(err);
	json_items(object, &items);
	while (rc == SEAL_OK && json_item_next(&items, &value)) {
		bool good = false;

		rc = read_attribute(&items.name, &value, arena, &(*out)[*n], &good, err);
		*n += good;
	}
	return rc;
}

/* A record that could be framed, and no more. */
static enum seal_status set_broken(struct record *record, const struct seal_err *why, struct arena *arena,
				   struct seal_err *err)
{
	record->broken = ARENA_NEW(arena, struct seal_err);
	if (record->broken == NULL)
		return err_memory(err);
	*record->broken = *why;
	return SEAL_OK;
}

static enum seal_status check_sums(struct seal_bytes body, const struct json_value *body_sum,
				   const struct aws_attribute *attributes, size_t n,
				   const struct json_value *attributes_sum, struct arena *arena, struct seal_err *err)
{
	char of_body[SQS_SUM_SIZE], of_attributes[SQS_SUM_SIZE];
	enum seal_status rc;

	sqs_sum_of_body(body, of_body);
	SEAL_TRY(sqs_sum_of_attributes(attributes, n, arena, of_attributes, err));
	if (sqs_sum_differs(of_body, body_sum) || sqs_sum_differs(of_attributes, attributes_sum))
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
			     "SQS gave a message that is not what it says: its check sum differs");
out:
	return rc;
}

/* Body and attributes, of the notification where it is one. */
static enum seal_status read_content(struct sqs_reader *reader, struct seal_bytes body,
				     const struct aws_attribute *attributes, size_t n, struct seal_bytes group,
				     struct arena *arena, struct record *record, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	struct sqs_notification notification;
	bool is;
	enum seal_status rc;

	rc = sqs_notification_read(reader->verify ? &reader->trust : NULL, body, arena, &is, &notification, &why);
	if (rc == SEAL_OK && is) {
		if (notification.timestamp_ms != 0)
			record->timestamp_ms = notification.timestamp_ms;
		return aws_message_read(notification.message, notification.attributes, notification.n, group, arena,
					record, err);
	}
	if (rc != SEAL_OK && rc != SEAL_DATA) {
		if (err != NULL)
			*err = why;
		return rc;
	}
	if (rc == SEAL_DATA)
		SEAL_TRY(set_broken(record, &why, arena, err));
	rc = aws_message_read(body, attributes, n, group, arena, record, err);
out:
	return rc;
}

static enum seal_status read_message(struct sqs_reader *reader, const struct json_value *value, struct arena *arena,
				     struct inbox_message *out, bool *good, struct seal_err *err)
{
	enum { ID, HANDLE, BODY, SYSTEM, ATTRIBUTES, BODY_SUM, ATTRIBUTES_SUM, N };
	static const char *const names[N] = {
		"MessageId", "ReceiptHandle",	      "Body", "Attributes", "MessageAttributes",
		"MD5OfBody", "MD5OfMessageAttributes"};
	static const char *const system_names[] = {"SentTimestamp", "MessageGroupId"};
	struct json_value found[N], system[2];
	struct seal_bytes body, group;
	struct record *record = &out->record;
	struct aws_attribute *attributes;
	uint64_t sent_ms = 0;
	size_t n;
	enum seal_status rc;

	json_members(value, names, N, found);
	SEAL_TRY(own(&found[HANDLE], arena, &out->handle, err));
	SEAL_TRY(own(&found[ID], arena, &record->id, err));
	SEAL_TRY(own(&found[BODY], arena, &body, err));
	*good = out->handle.len > 0 && body.ptr != NULL;
	if (!*good)
		goto out;
	SEAL_TRY(read_attributes(&found[ATTRIBUTES], arena, &attributes, &n, err));
	SEAL_TRY(check_sums(body, &found[BODY_SUM], attributes, reader->client.attribute_sums ? n : 0,
			    &found[ATTRIBUTES_SUM], arena, err));
	json_members(&found[SYSTEM], system_names, 2, system);
	SEAL_TRY(own(&system[1], arena, &group, err));
	if (json_value_is(&system[0], JSON_STRING) && bytes_to_u64(system[0].text, INT64_MAX, &sent_ms)) {
		record->timestamp_ms = (int64_t)sent_ms;
		record->timestamp_type = TIMESTAMP_LOG_APPEND;
	}
	record->topic = bytes_str(reader->client.address.name);
	rc = read_content(reader, body, attributes, n, group, arena, record, err);
out:
	return rc;
}

static enum seal_status receive(void *worker, struct arena *arena, struct inbox_message *messages, size_t max,
				int wait_ms, size_t *n, struct seal_err *err)
{
	static const char *const names[] = {"Messages"};
	struct sqs_worker *w = worker;
	struct sqs_reader *reader = w->arg;
	const unsigned wait_s = wait_ms >= 20000 ? 20 : (unsigned)wait_ms / 1000;
	struct json_value root, list, message;
	struct seal_err later = SEAL_ERR_INIT;
	struct json_items items;
	enum seal_status rc;

	*n = 0;
	SEAL_TRY(sqs_begin(w, reader->client.url, err));
	SEAL_TRY(
		buf_printf(&w->body, err,
			   ",\"MaxNumberOfMessages\":%zu,\"WaitTimeSeconds\":%u,\"VisibilityTimeout\":%u,"
			   "\"MessageAttributeNames\":[\"All\"],"
			   "\"MessageSystemAttributeNames\":[\"SentTimestamp\",\"MessageGroupId\"],"
			   "\"AttributeNames\":[\"SentTimestamp\",\"MessageGroupId\"]", /* older servers know it so */
			   max, wait_s, reader->visibility_s));
	SEAL_TRY(sqs_call(w, "ReceiveMessage", clock_mono_ms() + DEADLINE_MS, &root, err));
	json_members(&root, names, 1, &list);
	json_items(&list, &items);
	while (*n < max && json_item_next(&items, &message)) {
		bool good = false;

		messages[*n] = (struct inbox_message){.record = {.partition = -1}};
		rc = read_message(reader, &message, arena, &messages[*n], &good, &later);
		if (rc == SEAL_OK)
			*n += good;
		else if ((rc != SEAL_RETRY && rc != SEAL_DATA) ||
			 aws_name_is_fifo(bytes_str(reader->client.address.name)))
			break;
	}
	if (rc == SEAL_OK || rc == SEAL_RETRY || rc == SEAL_DATA)
		rc = *n == 0 && later.status != SEAL_OK ? SEAL_RETRY : SEAL_OK;
	if (rc != SEAL_OK && err != NULL)
		*err = later;
out:
	if (rc == SEAL_DATA) /* a text that is none, which SQS lets nobody send */
		rc = SEAL_RETRY;
	if (rc != SEAL_OK && err != NULL)
		err->status = rc;
	if (rc != SEAL_OK)
		*n = 0;
	return rc;
}

/* One request for all of them, with `more` in each entry. What an entry's failure means is the same for both operations. */
static enum seal_status for_all(struct sqs_worker *w, const char *operation, const char *more,
				struct inbox_message *const *messages, size_t n, struct seal_err *err)
{
	struct sqs_reader *reader = w->arg;
	struct aws_entry entries[SQS_BATCH];
	struct json_value root;
	enum seal_status rc;

	SEAL_TRY(sqs_begin(w, reader->client.url, err));
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(buf_printf(&w->body, err,
				    "%s{\"Id\":\"%zu\",\"ReceiptHandle\":", i == 0 ? ",\"Entries\":[" : ",", i));
		SEAL_TRY(json_string_append(&w->body, messages[i]->handle, err));
		SEAL_TRY(buf_printf(&w->body, err, "%s}", more));
	}
	SEAL_TRY(buf_append_u8(&w->body, ']', err));
	SEAL_TRY(sqs_call(w, operation, clock_mono_ms() + DEADLINE_MS, &root, err));
	SEAL_TRY(sqs_entries(w, &root, n, entries, NULL, err));
	for (size_t i = 0; i < n; i++) {
		messages[i]->refused = entries[i].failed && entries[i].failure == AWS_REFUSED;
		messages[i]->done = entries[i].good || messages[i]->refused;
		if (messages[i]->done)
			continue;
		rc = err_set(err, entries[i].failed && entries[i].failure == AWS_DENIED ? SEAL_DENIED : SEAL_RETRY,
			     SEAL_E_SERVICE, "sqs %s: %s", operation,
			     entries[i].failed ? entries[i].code : "the answer does not name every message");
	}
out:
	return rc;
}

static enum seal_status acknowledge(void *worker, struct inbox_message *const *messages, size_t n,
				    struct seal_err *err)
{
	return for_all(worker, "DeleteMessageBatch", "", messages, n, err);
}

static enum seal_status extend(void *worker, struct inbox_message *const *messages, size_t n, unsigned seconds,
			       struct seal_err *err)
{
	char more[48];

	snprintf(more, sizeof(more), ",\"VisibilityTimeout\":%u", seconds);
	return for_all(worker, "ChangeMessageVisibilityBatch", more, messages, n, err);
}

const struct inbox_service sqs_inbox_service = {.worker_new = worker_new,
						.worker_free = worker_free,
						.worker_stop = worker_stop,
						.receive = receive,
						.acknowledge = acknowledge,
						.extend = extend};
