/* What calls come to, for who watches: by what was asked, and how it ended. */
#include "base/clock.h"
#include "base/metrics.h"
#include "vault/client_work.h"

static const struct {
	const char *segment;
	enum key_request request;
} names[] = {
	{"encrypt", KEY_REQUEST_ENCRYPT}, {"decrypt", KEY_REQUEST_DECRYPT},  {"rewrap", KEY_REQUEST_REWRAP},
	{"hmac", KEY_REQUEST_HMAC},	  {"datakey", KEY_REQUEST_DATA_KEY}, {"encode", KEY_REQUEST_ENCODE},
	{"decode", KEY_REQUEST_DECODE},
};

static enum key_request request_named(struct seal_bytes segment)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (bytes_eq_str(segment, names[i].segment))
			return names[i].request;
	return KEY_REQUEST_OTHER;
}

/* MOUNT/OPERATION/NAME, MOUNT/datakey/plaintext/NAME; a mount may have slashes, so it counts from the end. */
static enum key_request request_of(const char *path)
{
	struct seal_bytes rest = bytes_str(path);
	enum key_request request = KEY_REQUEST_OTHER;

	if (bytes_starts(rest, BYTES_LIT("auth/")))
		return KEY_REQUEST_LOGIN;
	while (request == KEY_REQUEST_OTHER && rest.len > 0) {
		const uint8_t *slash = memrchr(rest.ptr, '/', rest.len);
		const size_t from = slash != NULL ? (size_t)(slash - rest.ptr) + 1 : 0;

		request = request_named(bytes_skip(rest, from));
		rest.len = from > 0 ? from - 1 : 0;
	}
	return request;
}

static enum key_outcome outcome_of(unsigned status)
{
	if (status >= 200 && status < 300)
		return KEY_OUTCOME_SUCCESS;
	if (status == 401 || status == 403)
		return KEY_OUTCOME_DENIED;
	return status >= 400 && status < 500 && status != 429 ? KEY_OUTCOME_REFUSED : KEY_OUTCOME_AWAY;
}

void client_count(const struct vault_client *client, const struct vault_call *call, uint64_t started_ns)
{
	const enum key_request request = request_of(call->path);

	metric_count(client->metrics->requests[request][outcome_of(call->status)], 1);
	metric_observe(client->metrics->seconds[request], clock_mono_ns() - started_ns);
}

void vault_client_watch(struct vault_client *client, const struct key_metrics *metrics)
{
	client->metrics = metrics != NULL ? metrics : &key_metrics_none;
}
