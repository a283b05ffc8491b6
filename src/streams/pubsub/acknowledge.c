/*
 * Acknowledgement ids.
 *
 *   {"error":{"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
 *      "reason":"EXACTLY_ONCE_ACKID_FAILURE","metadata":{ID:"PERMANENT_FAILURE_INVALID_ACK_ID", ID:"TRANSIENT_FAILURE_…"}}]}}
 *
 * An id that is not named has succeeded, as the service's libraries see it, or, where the failure is one that passes, is asked for again.
 * Other failures have an ErrorInfo, too (a service that is not enabled): without any of our ids nothing has succeeded.
 */
#include "streams/pubsub/acknowledge.h"

#include "json/string.h"
#include "json/value.h"

enum seal_status acknowledge_write(struct inbox_message *const *messages, size_t n, const unsigned *seconds,
				   struct seal_buf *out, size_t *taken, struct seal_err *err)
{
	size_t i;
	enum seal_status rc;

	buf_reset(out);
	SEAL_TRY(buf_append_u8(out, '{', err));
	if (seconds != NULL)
		SEAL_TRY(buf_printf(out, err, "\"ackDeadlineSeconds\":%u,", *seconds));
	SEAL_TRY(buf_append_str(out, "\"ackIds\":[", err));
	for (i = 0; i < n && (i == 0 || out->len + messages[i]->handle.len + 8 < ACKNOWLEDGE_BODY_MAX); i++) {
		if (i > 0)
			SEAL_TRY(buf_append_u8(out, ',', err));
		SEAL_TRY(json_string_append(out, messages[i]->handle, err));
	}
	SEAL_TRY(buf_append_str(out, "]}", err));
	*taken = i;
out:
	return rc;
}

/* Of the first `from` messages nothing is looked at. -1: none has that handle. */
static ptrdiff_t find_handle(struct inbox_message *const *messages, size_t from, size_t n, struct seal_bytes handle)
{
	for (size_t i = from; i < n; i++)
		if (bytes_eq(messages[i]->handle, handle))
			return (ptrdiff_t)i;
	return -1;
}

static void put_in_front(struct inbox_message **messages, size_t at, size_t *again)
{
	struct inbox_message *message = messages[at];

	messages[at] = messages[*again];
	messages[(*again)++] = message;
}

/* One detail's metadata: {ID: how it failed}. How many of them are of these messages. */
static size_t sort_out(const struct json_value *metadata, struct arena *arena, struct inbox_message **messages,
		       size_t n, size_t *again)
{
	struct json_items items;
	struct json_value value;
	size_t named = 0;

	json_items(metadata, &items);
	while (json_item_next(&items, &value)) {
		struct seal_bytes handle;
		ptrdiff_t at;

		if (!json_value_is(&value, JSON_STRING) ||
		    json_value_string(&items.name, arena, &handle, NULL) != SEAL_OK)
			continue;
		at = find_handle(messages, *again, n, handle);
		if (at < 0)
			continue;
		named++;
		if (bytes_starts(value.text, BYTES_LIT("TRANSIENT_")))
			put_in_front(messages, (size_t)at, again);
		else
			messages[at]->refused = true;
	}
	return named;
}

bool acknowledge_failures(struct seal_bytes body, bool passing, struct inbox_message **messages, size_t n,
			  size_t *again)
{
	static const char *const error_name[] = {"error"}, *const details_name[] = {"details"},
				 *const metadata_name[] = {"metadata"};
	struct json_value document, error, details, detail, metadata;
	struct json_items items;
	struct arena arena;
	size_t named = 0;

	*again = 0;
	if (body.len == 0 || json_value_of(body, &document, NULL) != SEAL_OK)
		return false;
	arena_init(&arena, 0);
	json_members(&document, error_name, 1, &error);
	json_members(&error, details_name, 1, &details);
	json_items(&details, &items);
	while (json_item_next(&items, &detail)) {
		json_members(&detail, metadata_name, 1, &metadata);
		named += sort_out(&metadata, &arena, messages, n, again);
	}
	for (size_t i = *again; named > 0 && passing && i < n; i++)
		if (!messages[i]->refused)
			put_in_front(messages, i, again);
	arena_clear(&arena);
	return named > 0;
}
