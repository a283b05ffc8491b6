/* Requests for credentials. What they answer is a secret: http_exchange_clear wipes it. */
#include "aws/fetch.h"

#include "aws/answer.h"
#include "base/clock.h"

#define ANSWER_MAX 262144
#define LOCAL_MS 5000
#define LOCAL_CONNECT_MS 1000
#define REMOTE_MS 20000

struct http_config aws_fetch_local(const char *base)
{
	return (struct http_config){.base = base,
				    .proxy = "",
				    .user_agent = "sealstream/" SEALSTREAM_VERSION,
				    .retries = 1,
				    .timeout_ms = LOCAL_MS,
				    .connect_ms = LOCAL_CONNECT_MS,
				    .max_response = ANSWER_MAX};
}

struct http_config aws_fetch_remote(const char *base, const char *ca_file)
{
	return (struct http_config){.base = base,
				    .ca_file = ca_file,
				    .user_agent = "sealstream/" SEALSTREAM_VERSION,
				    .retries = 2,
				    .timeout_ms = REMOTE_MS,
				    .max_response = ANSWER_MAX};
}

static enum seal_status refused(const struct http_config *config, const struct http_exchange *exchange,
				struct seal_err *err)
{
	const int path_len = (int)strcspn(exchange->path, "?");
	struct aws_error error;
	bool later = exchange->status == 429 || exchange->status >= 500;
	enum seal_status rc = aws_error_read(buf_bytes(&exchange->answer), &error, err);

	if (rc != SEAL_OK)
		return rc;
	later |= aws_failure_of(exchange->status, error.code) == AWS_THROTTLED;
	return err_set(err, later ? SEAL_RETRY : SEAL_DENIED, later ? SEAL_E_BUSY : SEAL_E_DENIED,
		       "%s%.*s answers %u%s%s%s%s", config->base, path_len, exchange->path, exchange->status,
		       error.code[0] != '\0' ? " " : "", error.code, error.message[0] != '\0' ? ": " : "",
		       error.message);
}

enum seal_status aws_fetch(const struct http_config *config, struct http_exchange *exchange, uint64_t deadline_ms,
			   struct seal_err *err)
{
	struct http_client *client = NULL;
	uint64_t end_ms = clock_mono_ms() + config->timeout_ms;
	enum seal_status rc;

	SEAL_TRY(http_client_new(config, &client, err));
	SEAL_TRY(http_ask(client, exchange, end_ms < deadline_ms ? end_ms : deadline_ms, err));
	if (exchange->status != 200) {
		rc = refused(config, exchange, err);
		goto out;
	}
	SEAL_TRY(buf_append_u8(&exchange->answer, 0, err));
	exchange->answer.len--;
out:
	http_client_free(client);
	return rc;
}

enum seal_status aws_form_add(struct seal_buf *out, const char *name, struct seal_bytes value, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(out, err, "%s%s=", out->len > 0 ? "&" : "", name));
	for (;;) {
		const uint8_t *space = value.len > 0 ? memchr(value.ptr, ' ', value.len) : NULL;
		size_t n = space != NULL ? (size_t)(space - value.ptr) : value.len;

		SEAL_TRY(http_percent_append(out, bytes_of(value.ptr, n), err));
		if (space == NULL)
			break;
		SEAL_TRY(buf_append_u8(out, '+', err));
		value = bytes_of(space + 1, value.len - n - 1);
	}
out:
	return rc;
}
