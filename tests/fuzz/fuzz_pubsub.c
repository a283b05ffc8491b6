/* Answers of Pub/Sub: any bytes give whole messages, ones that are marked as broken, or an error; and no id is judged that is not there. */
#include "fuzz.h"
#include "streams/pubsub/acknowledge.h"
#include "streams/pubsub/message.h"

static void check_message(const struct json_value *received)
{
	struct inbox_message m = {.refused = false};
	struct seal_err err = SEAL_ERR_INIT;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	rc = message_read(received, 1000, &arena, &m, &err);
	CHECK(rc == SEAL_OK || rc == SEAL_RETRY);
	if (rc == SEAL_OK) {
		CHECK(m.handle.len > 0);
		CHECK(m.record.broken == NULL || m.record.broken->status == SEAL_DATA);
		CHECK(m.record.value.len <= 1010 && m.record.timestamp_ms >= 0);
		for (size_t i = 0; i < m.record.n_headers; i++)
			CHECK(m.record.headers[i].value.ptr != NULL);
	}
	arena_clear(&arena);
}

static void check_failures(struct seal_bytes body)
{
	struct inbox_message m[3] = {
		{.handle = BYTES_LIT("a")}, {.handle = BYTES_LIT("b")}, {.handle = BYTES_LIT("c")}};
	struct inbox_message *all[] = {&m[0], &m[1], &m[2]};
	size_t again;

	if (!acknowledge_failures(body, body.len % 2, all, 3, &again))
		CHECK(!m[0].refused && !m[1].refused && !m[2].refused);
	CHECK(again <= 3 && all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"receivedMessages"};
	struct json_value document, received, one;
	struct json_items items;

	check_failures(bytes_of(data, size));
	if (json_value_of(bytes_of(data, size), &document, NULL) != SEAL_OK)
		return 0;
	json_members(&document, names, 1, &received);
	json_items(&received, &items);
	while (json_item_next(&items, &one))
		check_message(&one);
	return 0;
}
