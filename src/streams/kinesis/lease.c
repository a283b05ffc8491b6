/* Lines of the book, and what a user says about where to begin. */
#include "streams/kinesis/lease.h"

#include <stdio.h>

#include "base/clock.h"
#include "json/string.h"
#include "json/value.h"

/* ---- where to begin ---- */

static bool read_seconds(const char *text, int64_t *ms)
{
	const char *point = strchr(text, '.');
	const size_t len = point != NULL ? (size_t)(point - text) : strlen(text);
	uint64_t seconds;
	int64_t fraction = 0, scale = 100;

	if (!bytes_to_u64(bytes_of(text, len), INT64_MAX / 1000, &seconds))
		return false;
	for (text += len + (point != NULL); *text >= '0' && *text <= '9'; text++, scale /= 10)
		fraction += (*text - '0') * scale;
	*ms = (int64_t)seconds * 1000 + fraction;
	return *text == '\0';
}

enum seal_status lease_read_from(const char *text, enum shard_from *from, int64_t *from_ms, struct seal_err *err)
{
	*from_ms = 0;
	if (strcmp(text, "trim-horizon") == 0)
		*from = FROM_TRIM_HORIZON;
	else if (strcmp(text, "latest") == 0)
		*from = FROM_LATEST;
	else if (clock_of_rfc3339(bytes_str(text), from_ms) || read_seconds(text, from_ms))
		*from = FROM_TIME;
	else
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "where to begin is trim-horizon, latest, or a time (2026-11-22T10:00:00Z, or seconds "
			       "since 1970), not \"%.60s\"",
			       text);
	return SEAL_OK;
}

/* ---- lines ---- */

enum seal_status lease_write(const struct lease *lease, struct seal_buf *out, struct seal_err *err)
{
	char from[40] = "trim-horizon";
	enum seal_status rc;

	if (lease->from == FROM_LATEST)
		snprintf(from, sizeof(from), "latest");
	else if (lease->from == FROM_TIME)
		snprintf(from, sizeof(from), "%lld.%03lld", (long long)(lease->from_ms / 1000),
			 (long long)(lease->from_ms % 1000));
	SEAL_TRY(buf_append_str(out, "{\"owner\":", err));
	SEAL_TRY(json_string_append(out, bytes_str(lease->owner), err));
	SEAL_TRY(buf_printf(out, err, ",\"counter\":%llu,\"from\":\"%s\",\"at\":", (unsigned long long)lease->counter,
			    from));
	SEAL_TRY(json_string_append(out, bytes_str(lease->position.at), err));
	rc = buf_printf(out, err, ",\"done\":%llu,\"ended\":%s}", (unsigned long long)lease->position.done,
			lease->ended ? "true" : "false");
out:
	return rc;
}

/* A string of less than `room` characters into `out`. */
static bool take_text(const struct json_value *value, char *out, size_t room)
{
	size_t len;

	if (!json_value_is(value, JSON_STRING) || value->text.len >= room ||
	    !json_string_decode_to(value->text, (uint8_t *)out, &len) || memchr(out, '\0', len) != NULL)
		return false;
	out[len] = '\0';
	return true;
}

enum seal_status lease_read(struct seal_bytes text, struct lease *out, struct seal_err *err)
{
	enum { OWNER, COUNTER, FROM, AT, DONE, ENDED, N };
	static const char *const names[] = {"owner", "counter", "from", "at", "done", "ended"};
	struct json_value document, v[N];
	char from[40];
	bool good;

	*out = (struct lease){.counter = 0};
	good = json_value_of(text, &document, NULL) == SEAL_OK;
	if (good) {
		json_members(&document, names, N, v);
		good = take_text(&v[OWNER], out->owner, sizeof(out->owner)) &&
		       take_text(&v[FROM], from, sizeof(from)) &&
		       take_text(&v[AT], out->position.at, sizeof(out->position.at)) &&
		       json_value_is(&v[COUNTER], JSON_NUMBER) && json_value_is(&v[DONE], JSON_NUMBER) &&
		       bytes_to_u64(v[COUNTER].text, UINT64_MAX, &out->counter) &&
		       bytes_to_u64(v[DONE].text, UINT64_MAX, &out->position.done) &&
		       (json_value_is(&v[ENDED], JSON_TRUE) || json_value_is(&v[ENDED], JSON_FALSE)) &&
		       lease_read_from(from, &out->from, &out->from_ms, NULL) == SEAL_OK;
	}
	if (!good)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "a place in the stream is not as this program writes it");
	out->ended = json_value_is(&v[ENDED], JSON_TRUE);
	return SEAL_OK;
}
