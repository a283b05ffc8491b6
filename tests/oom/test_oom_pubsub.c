/* streams/pubsub: each allocation of writing and reading messages fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "json/value.h"
#include "oom.h"
#include "streams/pubsub/acknowledge.h"
#include "streams/pubsub/message.h"

#define B(text) BYTES_LIT(text)

static enum seal_status written(void *arg, struct seal_err *err)
{
	static uint8_t long_value[9000];
	static const struct record_header headers[] = {{B("a"), B("1")}, {B("raw"), B("\xff")}};
	const struct record r = {
		.key = B("\xfe"), .value = {long_value, sizeof(long_value)}, .headers = headers, .n_headers = 2};
	struct seal_buf out = BUF_INIT(1 << 20);
	size_t bytes;
	enum seal_status rc;

	(void)arg;
	SEAL_TRY(message_measure(&r, true, &bytes, err));
	SEAL_TRY(message_append(&r, true, &out, err));
out:
	buf_clear(&out);
	return rc;
}

static enum seal_status read_one(void *arg, struct seal_err *err)
{
	struct inbox_message message;
	struct json_value value;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(json_value_of(bytes_str(arg), &value, err));
	SEAL_TRY(message_read(&value, 100000, &arena, &message, err));
	assert_true((message.record.broken != NULL) == (strstr(arg, "\"*\"") != NULL));
out:
	arena_clear(&arena);
	return rc;
}

static enum seal_status acknowledged(void *arg, struct seal_err *err)
{
	struct inbox_message m = {.handle = B("a")}, *all[] = {&m};
	struct seal_buf out = BUF_INIT(4 * ACKNOWLEDGE_BODY_MAX);
	size_t taken;
	enum seal_status rc = acknowledge_write(all, 1, NULL, &out, &taken, err);

	(void)arg;
	buf_clear(&out);
	return rc;
}

static void messages_are_written(void **state)
{
	assert_true(oom_each(written, NULL) > 0);
	assert_true(oom_each(acknowledged, NULL) > 0);
}

static void messages_are_read(void **state)
{
	assert_true(oom_each(read_one,
			     "{\"ackId\":\"a\\u003d\",\"message\":{\"data\":\"aGVsbG8=\",\"orderingKey\":\"k\","
			     "\"attributes\":{\"a\":\"\\u00fc\",\"raw\":\"//4=\",\"seal.base64\":\"raw\","
			     "\"seal.key\":\"/w==\"},\"messageId\":\"1\"}}") > 0);
	assert_true(oom_each(read_one, "{\"ackId\":\"a\",\"message\":{\"data\":\"*\"}}") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_written),
		cmocka_unit_test(messages_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
