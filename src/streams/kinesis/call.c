/* Calls of Kinesis: JSON 1.1 to one path, told apart by a header. */
#include "streams/kinesis/call.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "json/string.h"

#define KEEP_BYTES (2u << 20)

const struct stream_traits kinesis_traits = {
	.title = "Amazon Kinesis",
	.address = "STREAM, or its ARN",
	.key = "PartitionKey; one that is no text of 1 to 256 characters: its SHA-256 in hex",
	.headers = NULL,
	.timestamp = "ApproximateArrivalTimestamp, the service's own",
	.null = "refused",
	.limit = "1 MiB with the key, or what the stream is set to",
	.order = STREAM_ORDER_KEY,
};

/* ---- addresses ---- */

static struct seal_bytes name_of(const char *text, bool *is_arn)
{
	const struct seal_bytes whole = bytes_str(text);
	struct aws_arn arn;

	*is_arn = aws_arn_parse(whole, &arn) && bytes_starts(arn.resource, BYTES_LIT("stream/"));
	return *is_arn ? bytes_skip(arn.resource, strlen("stream/")) : whole;
}

struct seal_bytes kinesis_topic(const char *address)
{
	bool is_arn;

	return name_of(address, &is_arn);
}

enum seal_status kinesis_address_read(const char *text, struct kinesis_address *out, struct seal_err *err)
{
	bool good;

	*out = (struct kinesis_address){.text = mem_strdup(text)};
	if (out->text == NULL)
		return err_memory(err);
	out->name = name_of(out->text, &out->is_arn);
	good = out->name.len >= 1 && out->name.len <= 128;
	for (size_t i = 0; i < out->name.len && good; i++)
		good = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
			      out->name.ptr[i]) != NULL;
	if (good)
		return SEAL_OK;
	err_place(err, "kinesis:%s", text);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "is no name of a stream (1 to 128 letters, digits, '_', '.' and '-'), and no ARN of one");
}

void kinesis_address_clear(struct kinesis_address *address)
{
	mem_free(address->text);
	address->text = NULL;
}

enum seal_status kinesis_put_stream(const struct kinesis_address *address, struct seal_bytes topic,
				    struct seal_buf *out, struct seal_err *err)
{
	const struct seal_bytes whole = bytes_str(address->text);
	const struct seal_bytes name = topic.len > 0 ? topic : address->name;
	enum seal_status rc;

	if (!address->is_arn) {
		SEAL_TRY(buf_append_str(out, "\"StreamName\":", err));
		rc = json_string_append(out, name, err);
		goto out;
	}
	SEAL_TRY(buf_append_str(out, "\"StreamARN\":\"", err));
	SEAL_TRY(buf_append(out, bytes_of(whole.ptr, whole.len - address->name.len), err));
	SEAL_TRY(buf_append(out, name, err));
	rc = buf_append_u8(out, '"', err);
out:
	return rc;
}

enum seal_status kinesis_client_new(const struct kinesis_options *o, const struct kinesis_address *address,
				    struct aws_client **out, struct seal_err *err)
{
	struct aws_config config = {.service = "kinesis",
				    .region = o->region,
				    .profile = o->profile,
				    .endpoint = o->endpoint,
				    .ca_file = o->ca_file};
	struct aws_arn arn;
	char region[64];

	*out = NULL;
	if (config.region == NULL && address->is_arn && aws_arn_parse(bytes_str(address->text), &arn) &&
	    arn.region.len > 0 && arn.region.len < sizeof(region)) {
		snprintf(region, sizeof(region), "%.*s", BYTES_FMT(arn.region));
		config.region = region;
	}
	return aws_client_new(&config, out, err);
}

/* ---- calls ---- */

void kinesis_call_init(struct kinesis_call *call)
{
	*call = (struct kinesis_call){.body = BUF_INIT(KINESIS_BODY_MAX)};
}

static void reset(struct seal_buf *buf)
{
	if (buf->cap > KEEP_BYTES)
		buf_clear(buf);
	buf_reset(buf);
}

void kinesis_call_reset(struct kinesis_call *call)
{
	reset(&call->call.answer);
	reset(&call->body);
}

void kinesis_call_clear(struct kinesis_call *call)
{
	aws_call_clear(&call->call);
	buf_clear(&call->body);
}

enum seal_status kinesis_call_run(struct kinesis_call *call, struct aws_worker *worker, const char *operation,
				  enum seal_code missing, struct seal_err *err)
{
	const uint64_t deadline_ms = call->deadline_ms != 0 ? call->deadline_ms : clock_mono_ms() + KINESIS_CALL_MS;
	const struct seal_buf answer = call->call.answer;
	char target[64];
	enum seal_status rc;

	snprintf(target, sizeof(target), "Kinesis_20131202.%s", operation);
	call->call = (struct aws_call){.target = target,
				       .content_type = "application/x-amz-json-1.1",
				       .body = buf_bytes(&call->body),
				       .answer = answer,
				       .once = call->once};
	rc = aws_call_run(worker, &call->call, deadline_ms, err);
	call->call.target = NULL;
	if (rc != SEAL_OK && strcmp(call->call.code, "ResourceNotFoundException") == 0 && err != NULL)
		err->code = missing;
	if (rc != SEAL_OK)
		return rc;
	/* Some servers answer with nothing where there is nothing to say. */
	if (json_value_of(buf_bytes(&call->call.answer), &call->answer, NULL) == SEAL_OK &&
	    json_value_is(&call->answer, JSON_OBJECT))
		return SEAL_OK;
	return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "%s was answered with something else than JSON", operation);
}
