/* Bodies of queues and answers of SNS: any bytes are a notification or none, and entries are what they say or nothing. */
#include "fuzz.h"
#include "streams/sns/answer.h"
#include "streams/sqs/notification.h"
#include "streams/sqs/options.h"

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
