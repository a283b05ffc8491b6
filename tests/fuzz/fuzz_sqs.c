/* Bodies of queues and answers of SNS: any bytes are a notification or none, and entries are what they say or nothing. */
#include "fuzz.h"
#include "json/value.h"
#include "streams/sns/answer.h"
#include "streams/sqs/client.h"
#include "streams/sqs/notification.h"
#include "streams/sqs/options.h"

/* As a body and as what attributes say: base64, or broken, or no attribute at all. */
static void as_message(struct seal_bytes doc, struct arena *arena, struct seal_err *err)
{
	struct aws_attribute attributes[] = {
		{.name = BYTES_LIT("seal.encoding"), .value = BYTES_LIT("base64"), .type = BYTES_LIT("String")},
		{.name = BYTES_LIT("seal.key"), .value = doc, .type = BYTES_LIT("Binary.x")}};
	struct record record = {.partition = -1};
	bool good;

	CHECK(aws_attribute_decode(&attributes[1], arena, &good, err) == SEAL_OK);
	CHECK(attributes[1].binary && (!good || attributes[1].value.len <= doc.len));
	CHECK(aws_message_read(doc, attributes, 1 + good, BYTES_EMPTY, arena, &record, err) == SEAL_OK);
	CHECK(record.n_headers == 0 && record.value.len <= doc.len);
	CHECK(record.broken == NULL || bytes_eq(record.value, doc));
}

static void as_entries(struct seal_bytes doc, struct seal_err *err)
{
	struct sqs_worker worker = {.client = NULL};
	struct aws_entry entries[SQS_BATCH];
	struct sqs_said said[SQS_BATCH];
	struct json_value root;

	if (json_value_of(doc, &root, NULL) != SEAL_OK)
		return;
	arena_init(&worker.arena, 0);
	if (sqs_entries(&worker, &root, SQS_BATCH, entries, said, err) == SEAL_OK)
		for (size_t i = 0; i < SQS_BATCH; i++)
			CHECK(entries[i].failed || entries[i].code[0] == '\0');
	arena_clear(&worker.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seal_bytes doc = bytes_of(data, size);
	struct sqs_notification notification;
	struct aws_entry entries[10];
	struct sqs_address address;
	struct seal_err err = SEAL_ERR_INIT;
	struct arena arena;
	char text[300];
	size_t max = 1;
	bool is;

	arena_init(&arena, 0);
	if (sqs_notification_read(NULL, doc, &arena, &is, &notification, &err) == SEAL_OK && is) {
		CHECK(notification.message.len <= size);
		for (size_t i = 0; i < notification.n; i++)
			CHECK(notification.attributes[i].value.ptr != NULL &&
			      notification.attributes[i].value.len <= size);
	}
	err_clear(&err);
	as_message(doc, &arena, &err);
	as_entries(doc, &err);
	if (sns_entries_read(doc, 10, entries, &err) == SEAL_OK)
		for (size_t i = 0; i < 10; i++)
			CHECK(!entries[i].good || !entries[i].failed);
	CHECK(sns_limit_read(doc, &max, &err) != SEAL_OK || max > 0);
	(void)sqs_certificate_url(doc);
	snprintf(text, sizeof(text), "%.*s", (int)(size < 299 ? size : 299), size > 0 ? (const char *)data : "");
	if (sqs_address_parse(text, &address, &err) == SEAL_OK)
		CHECK(address.name[0] != '\0');
	arena_clear(&arena);
	return 0;
}
