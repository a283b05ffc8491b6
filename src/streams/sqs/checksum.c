/*
 * MD5OfMessageBody is that of the body as it is sent. MD5OfMessageAttributes is that of all attributes in the order of their names, each
 *
 *   length, name | length, data type | 1 (text) or 2 (binary) | length, value        lengths: four bytes, the first counts most
 *
 * (docs.aws.amazon.com/sqs, "Calculating the MD5 message digest for message attributes").
 */
#include "streams/sqs/checksum.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/encode.h"

#define TEXT_MAX (64u << 20)
#define STRING 1
#define BINARY 2

void sqs_sum_of_body(struct seal_bytes body, char out[SQS_SUM_SIZE])
{
	uint8_t digest[MD5_LEN];

	out[0] = '\0';
	if (!md5(body, digest))
		return;
	hex_encode(bytes_of(digest, sizeof(digest)), out);
	out[SQS_SUM_SIZE - 1] = '\0';
}

static int by_name(const void *a, const void *b)
{
	const struct seal_bytes x = (*(const struct aws_attribute *const *)a)->name,
				y = (*(const struct aws_attribute *const *)b)->name;
	const size_t len = x.len < y.len ? x.len : y.len;
	const int order = len > 0 ? memcmp(x.ptr, y.ptr, len) : 0;

	return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static enum seal_status put(struct seal_buf *out, struct seal_bytes part, struct seal_err *err)
{
	const uint8_t length[] = {(uint8_t)(part.len >> 24), (uint8_t)(part.len >> 16), (uint8_t)(part.len >> 8),
				  (uint8_t)part.len};
	enum seal_status rc;

	SEAL_TRY(buf_append(out, bytes_of(length, sizeof(length)), err));
	rc = buf_append(out, part, err);
out:
	return rc;
}

enum seal_status sqs_sum_of_attributes(const struct aws_attribute *attributes, size_t n, struct arena *arena,
				       char out[SQS_SUM_SIZE], struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(TEXT_MAX);
	const struct aws_attribute **sorted;
	enum seal_status rc = SEAL_OK;

	out[0] = '\0';
	if (n == 0)
		return SEAL_OK;
	sorted = arena_alloc(arena, n * sizeof(*sorted), _Alignof(struct aws_attribute *));
	if (sorted == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		sorted[i] = &attributes[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(put(&text, sorted[i]->name, err));
		SEAL_TRY(put(&text, sorted[i]->type, err));
		SEAL_TRY(buf_append_u8(&text, sorted[i]->binary ? BINARY : STRING, err));
		SEAL_TRY(put(&text, sorted[i]->value, err));
	}
	sqs_sum_of_body(buf_bytes(&text), out);
out:
	buf_clear(&text);
	return rc;
}

bool sqs_sum_differs(const char *sum, const struct json_value *said)
{
	return sum[0] != '\0' && json_value_is(said, JSON_STRING) && !bytes_eq_str(said->text, sum);
}
