/* streams/pubsub: records as messages and back, byte for byte; and what a subscription says to acknowledgement ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/encode.h"
#include "json/value.h"
#include "streams/pubsub/acknowledge.h"
#include "streams/pubsub/message.h"
#include "streams/pubsub/work.h"

#define B(text) BYTES_LIT(text)

static void writes(const struct record *r, bool headers, const char *expected)
{
	struct seal_buf out = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	if (message_measure(r, headers, &bytes, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	assert_int_equal(message_append(r, headers, &out, NULL), SEAL_OK);
	if (!bytes_eq_str(buf_bytes(&out), expected))
		fail_msg("%.*s is not %s", (int)out.len, (const char *)out.ptr, expected);
	assert_true(json_is_value(buf_bytes(&out), false));
	buf_clear(&out);
}

static void values_become_data(void **state)
{
	writes(&(struct record){.value = B("hello")}, true, "{\"data\":\"aGVsbG8=\"}");
	writes(&(struct record){.value = B("\xff\0x")}, true, "{\"data\":\"/wB4\"}");
	writes(&(struct record){.value = B("v"), .key = B("k \xc3\xbc\"")}, true,
	       "{\"data\":\"dg==\",\"orderingKey\":\"k \xc3\xbc\\\"\"}");
	writes(&(struct record){.key = B("k")}, true,
	       "{\"orderingKey\":\"k\",\"attributes\":{\"seal.null\":\"true\"}}");
	writes(&(struct record){.value = B("")}, true, "{\"attributes\":{\"seal.null\":\"false\"}}");
	writes(&(struct record){.value = BYTES_EMPTY}, true, "{\"attributes\":{\"seal.null\":\"true\"}}");
}

/* SHA-256 of FF: a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89. */
static void keys_that_are_no_text(void **state)
{
	writes(&(struct record){.value = B("v"), .key = B("\xff")}, true,
	       "{\"data\":\"dg==\",\"orderingKey\":"
	       "\"a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89\","
	       "\"attributes\":{\"seal.key\":\"/w==\"}}");
	writes(&(struct record){.value = B("v"), .key = B("")}, true,
	       "{\"data\":\"dg==\",\"attributes\":{\"seal.key\":\"\"}}");
	writes(&(struct record){.value = B(""), .key = B("")}, true, "{\"attributes\":{\"seal.key\":\"\"}}");
}

static void headers_become_attributes(void **state)
{
	static const struct record_header headers[] = {{B("a"), B("1")},
						       {B("\xc3\xbc"), B("")},
						       {B("raw"), B("\xff\xfe")},
						       {B("none"), {NULL, 0}},
						       {B("r2"), B("\x80")}};
	const struct record r = {.value = B("v"), .headers = headers, .n_headers = 5};

	writes(&r, true,
	       "{\"data\":\"dg==\",\"attributes\":{\"a\":\"1\",\"\xc3\xbc\":\"\",\"raw\":\"//4=\",\"none\":\"\","
	       "\"r2\":\"gA==\",\"seal.base64\":\"raw,r2\"}}");
	writes(&r, false, "{\"data\":\"dg==\"}");
	writes(&(struct record){.value = B(""), .headers = headers, .n_headers = 1}, true,
	       "{\"attributes\":{\"a\":\"1\"}}");
	writes(&(struct record){.value = B(""), .headers = headers, .n_headers = 1}, false,
	       "{\"attributes\":{\"seal.null\":\"false\"}}");
}

static void refused(const struct record *r, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	size_t bytes;

	if (message_measure(r, true, &bytes, &err) != SEAL_DATA)
		fail_msg("taken, though %s", says);
	if (strstr(err.text, says) == NULL || strchr(err.text, '\n') != NULL)
		fail_msg("\"%s\" is not in: %s", says, err.text);
}

static void header_refused(struct seal_bytes name, struct seal_bytes value, const char *says)
{
	const struct record_header headers[] = {{B("good"), B("1")}, {name, value}};
	const struct record r = {.value = B("v"), .headers = headers, .n_headers = 2};

	refused(&r, says);
}

static void limits_are_the_services(void **state)
{
	static uint8_t big[11000000];
	struct record_header many[101];
	char names[101][8];
	struct record r = {.value = B("v"), .headers = many, .n_headers = 100};
	size_t bytes;

	memset(big, 'a', sizeof(big));
	header_refused(B(""), B("x"), "1 to 256 bytes");
	header_refused(bytes_of(big, 257), B("x"), "1 to 256 bytes");
	header_refused(B("\xff"), B("x"), "is no text");
	header_refused(B("googclient"), B("x"), "goog");
	header_refused(B("good"), B("x"), "twice");
	header_refused(B("seal.key"), B("x"), "itself");
	header_refused(B("seal.base64"), B("x"), "itself");
	header_refused(B("seal.null"), B("x"), "itself");
	header_refused(B("a,b"), B("\xff"), "comma");
	header_refused(B("a"), bytes_of(big, 1025), "too long");
	for (size_t i = 0; i < 101; i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu", i);
		many[i] = (struct record_header){bytes_str(names[i]), B("x")};
	}
	assert_int_equal(message_measure(&r, true, &bytes, NULL), SEAL_OK);
	r.n_headers = 101;
	refused(&r, "100 attributes");
	assert_int_equal(message_measure(&r, false, &bytes, NULL), SEAL_OK);
	r.n_headers = 100;
	r.key = B("\xff"); /* needs an attribute of its own */
	refused(&r, "100 attributes");
	refused(&(struct record){.value = B("v"), .key = bytes_of(big, 1025)}, "key of 1025 bytes");
	assert_int_equal(
		message_measure(&(struct record){.value = B("v"), .key = bytes_of(big, 1024)}, true, &bytes, NULL),
		SEAL_OK);
	refused(&(struct record){.value = bytes_of(big, 10000000)}, "10 MB");
	assert_int_equal(message_measure(&(struct record){.value = bytes_of(big, 9998000)}, true, &bytes, NULL),
			 SEAL_OK);
	big[0] = 0xff;
	refused(&(struct record){.value = B("v"), .key = bytes_of(big, 769)}, "key of 769 bytes");
	assert_int_equal(
		message_measure(&(struct record){.value = B("v"), .key = bytes_of(big, 768)}, true, &bytes, NULL),
		SEAL_OK);
	header_refused(B("a"), bytes_of(big, 769), "too long");
}

static void too_many_raw_names(void **state)
{
	struct record_header headers[5];
	static char names[5][256];

	for (size_t i = 0; i < 5; i++) {
		memset(names[i], 'a' + (int)i, 255);
		headers[i] = (struct record_header){bytes_of(names[i], 255), B("\xff")};
	}
	refused(&(struct record){.value = B("v"), .headers = headers, .n_headers = 5}, "no text");
}

/* ---- reading ---- */

struct reading {
	struct arena arena;
	struct inbox_message message;
	struct seal_err err;
};

static enum seal_status reads(struct reading *g, const char *text, size_t max)
{
	char *copy = strdup(text);
	struct json_value value;
	enum seal_status rc;

	memset(g, 0, sizeof(*g));
	arena_init(&g->arena, 0);
	assert_int_equal(json_value_of(bytes_str(copy), &value, NULL), SEAL_OK);
	rc = message_read(&value, max, &g->arena, &g->message, &g->err);
	memset(copy, '#', strlen(copy)); /* nothing may look into the answer any more */
	free(copy);
	return rc;
}

static bool is(struct seal_bytes bytes, struct seal_bytes expected)
{
	return (bytes.ptr == NULL) == (expected.ptr == NULL) && bytes_eq(bytes, expected);
}

static void a_message_is_read(void **state)
{
	struct reading g;
	struct record *r = &g.message.record;

	assert_int_equal(
		reads(&g,
		      "{\"ackId\":\"a\\u003d1\",\"deliveryAttempt\":3,\"message\":{\"data\":\"aGVsbG8\\u003d\","
		      "\"attributes\":{\"ct\":\"\\u00fc\",\"x\":\"\"},\"messageId\":\"m7\","
		      "\"publishTime\":\"2026-11-22T04:37:57.917388927Z\",\"orderingKey\":\"k1\"}}",
		      100),
		SEAL_OK);
	assert_true(is(g.message.handle, B("a=1")));
	assert_true(is(r->value, B("hello")));
	assert_true(is(r->key, B("k1")));
	assert_true(is(r->id, B("m7")));
	assert_int_equal(r->n_headers, 2);
	assert_true(is(r->headers[0].name, B("ct")) && is(r->headers[0].value, B("\xc3\xbc")));
	assert_true(is(r->headers[1].name, B("x")) && is(r->headers[1].value, B("")));
	assert_int_equal(r->timestamp_type, TIMESTAMP_LOG_APPEND);
	assert_true(r->timestamp_ms == 1795322277917);
	assert_null(r->broken);
	arena_clear(&g.arena);
}

static void our_own_attributes_are_undone(void **state)
{
	struct reading g;
	struct record *r = &g.message.record;

	assert_int_equal(
		reads(&g,
		      "{\"ackId\":\"a\",\"message\":{\"messageId\":\"m\",\"orderingKey\":\"hash\",\"attributes\":{"
		      "\"raw\":\"//4=\",\"seal.base64\":\"raw,r2\",\"seal.key\":\"/"
		      "w==\",\"r2\":\"\",\"seal.null\":\"true\"}}}",
		      100),
		SEAL_OK);
	assert_true(is(r->key, B("\xff")));
	assert_true(is(r->value, BYTES_EMPTY));
	assert_int_equal(r->n_headers, 2);
	assert_true(is(r->headers[0].value, B("\xff\xfe")));
	assert_true(bytes_eq(r->headers[1].value, B("")));
	assert_int_equal(r->timestamp_type, TIMESTAMP_NONE);
	arena_clear(&g.arena);

	assert_int_equal(
		reads(&g,
		      "{\"ackId\":\"a\",\"message\":{\"attributes\":{\"seal.key\":\"\",\"seal.null\":\"false\"}}}",
		      100),
		SEAL_OK);
	assert_true(r->key.ptr != NULL && r->key.len == 0);
	assert_true(r->value.ptr != NULL && r->value.len == 0);
	assert_int_equal(r->n_headers, 0);
	arena_clear(&g.arena);

	assert_int_equal(reads(&g, "{\"ackId\":\"a\",\"message\":{}}", 100), SEAL_OK);
	assert_null(r->key.ptr);
	assert_non_null(r->value.ptr);
	arena_clear(&g.arena);
}

static void broken(const char *text, enum seal_code code)
{
	struct reading g;

	if (reads(&g, text, 8) != SEAL_OK)
		fail_msg("%s: %s", text, g.err.text);
	if (g.message.record.broken == NULL)
		fail_msg("taken: %s", text);
	assert_int_equal(g.message.record.broken->code, code);
	assert_int_equal(g.message.record.broken->status, SEAL_DATA);
	assert_int_equal(g.message.record.n_headers, 0);
	assert_true(is(g.message.handle, B("a")));
	arena_clear(&g.arena);
}

static void messages_that_cannot_be_read(void **state)
{
	static const char *const no_messages[] = {"{}",
						  "[]",
						  "7",
						  "{\"ackId\":\"a\"}",
						  "{\"message\":{}}",
						  "{\"ackId\":7,\"message\":{}}",
						  "{\"ackId\":\"\",\"message\":{}}",
						  "{\"ackId\":\"\\ud800\",\"message\":{}}"};
	struct reading g;

	broken("{\"ackId\":\"a\",\"message\":{\"data\":\"*\"}}", SEAL_E_SYNTAX);
	broken("{\"ackId\":\"a\",\"message\":{\"data\":\"aGVsbG8aGVsbG8aGVsbG8\"}}", SEAL_E_LIMIT);
	broken("{\"ackId\":\"a\",\"message\":{\"attributes\":{\"a\":7}}}", SEAL_E_SYNTAX);
	broken("{\"ackId\":\"a\",\"message\":{\"attributes\":{\"a\":\"\\ud800\"}}}", SEAL_E_SYNTAX);
	broken("{\"ackId\":\"a\",\"message\":{\"attributes\":{\"a\":\"1\",\"seal.base64\":\"a\"}}}", SEAL_E_SYNTAX);
	broken("{\"ackId\":\"a\",\"message\":{\"attributes\":{\"seal.key\":\"*\"}}}", SEAL_E_SYNTAX);
	for (size_t i = 0; i < sizeof(no_messages) / sizeof(no_messages[0]); i++) {
		if (reads(&g, no_messages[i], 8) != SEAL_RETRY)
			fail_msg("taken: %s", no_messages[i]);
		arena_clear(&g.arena);
	}
}

/* What is written is read as it was. */
static void there_and_back(void **state)
{
	static const struct record_header headers[] = {{B("a"), B("1")}, {B("b"), B("\x80\0")}, {B("c,d"), B("x")}};
	static const struct record records[] = {
		{.value = B("v"), .key = B("k"), .headers = headers, .n_headers = 3},
		{.value = B("\0\xff"), .key = B("\xff\xfe")},
		{.value = B(""), .key = B("")},
		{.value = B("")},
		{.key = B("k")},
		{.value = B("v"), .headers = headers, .n_headers = 1},
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct seal_buf text = BUF_INIT(1 << 16);
		struct reading g;

		assert_int_equal(buf_append_str(&text, "{\"ackId\":\"a\",\"message\":", NULL), SEAL_OK);
		assert_int_equal(message_append(&records[i], true, &text, NULL), SEAL_OK);
		assert_int_equal(buf_append(&text, bytes_of("}\0", 2), NULL), SEAL_OK);
		assert_int_equal(reads(&g, (const char *)text.ptr, 100), SEAL_OK);
		assert_null(g.message.record.broken);
		assert_true(is(g.message.record.key, records[i].key));
		assert_true(is(g.message.record.value, records[i].value));
		assert_int_equal(g.message.record.n_headers, records[i].n_headers);
		for (size_t h = 0; h < records[i].n_headers; h++) {
			assert_true(is(g.message.record.headers[h].name, headers[h].name));
			assert_true(is(g.message.record.headers[h].value, headers[h].value));
		}
		arena_clear(&g.arena);
		buf_clear(&text);
	}
}

/* ---- acknowledgement ids ---- */

static void ids_are_written(void **state)
{
	struct inbox_message a = {.handle = B("a\"")}, b = {.handle = B("b")}, *both[] = {&a, &b};
	struct seal_buf out = BUF_INIT(4 * ACKNOWLEDGE_BODY_MAX);
	const unsigned seconds = 0;
	size_t taken;

	assert_int_equal(acknowledge_write(both, 2, NULL, &out, &taken, NULL), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&out), "{\"ackIds\":[\"a\\\"\",\"b\"]}"));
	assert_int_equal(taken, 2);
	assert_int_equal(acknowledge_write(both, 1, &seconds, &out, &taken, NULL), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&out), "{\"ackDeadlineSeconds\":0,\"ackIds\":[\"a\\\"\"]}"));
	buf_clear(&out);
}

static void long_ids_take_several_requests(void **state)
{
	static uint8_t text[200000];
	struct inbox_message m = {.handle = {text, sizeof(text)}}, *all[] = {&m, &m, &m, &m};
	struct seal_buf out = BUF_INIT(4 * ACKNOWLEDGE_BODY_MAX);
	size_t taken;

	memset(text, 'a', sizeof(text));
	assert_int_equal(acknowledge_write(all, 4, NULL, &out, &taken, NULL), SEAL_OK);
	assert_int_equal(taken, 2);
	m.handle.len = 1;
	assert_int_equal(acknowledge_write(all, 4, NULL, &out, &taken, NULL), SEAL_OK);
	assert_int_equal(taken, 4);
	buf_clear(&out);
}

#define FAILURES(metadata)                                                                                           \
	B("{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"@type\":\"x\"},{\"@type\":"      \
	  "\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"EXACTLY_ONCE_ACKID_FAILURE\",\"domain\":"       \
	  "\"pubsub.googleapis.com\",\"metadata\":{" metadata "}}]}}")

static void failures_are_told_apart(void **state)
{
	struct inbox_message m[4] = {
		{.handle = B("a")}, {.handle = B("b")}, {.handle = B("c")}, {.handle = B("d\"")}};
	struct inbox_message *all[] = {&m[0], &m[1], &m[2], &m[3]};
	size_t again;

	assert_true(acknowledge_failures(FAILURES("\"d\\\"\":\"TRANSIENT_FAILURE_SERVICE_UNAVAILABLE\","
						  "\"b\":\"PERMANENT_FAILURE_INVALID_ACK_ID\","
						  "\"c\":\"TRANSIENT_FAILURE_X\",\"zz\":\"PERMANENT_FAILURE_X\""),
					 false, all, 4, &again));
	assert_int_equal(again, 2);
	assert_ptr_equal(all[0], &m[3]);
	assert_ptr_equal(all[1], &m[2]);
	assert_true(!m[0].refused && m[1].refused && !m[2].refused && !m[3].refused);
	m[1].refused = false;
	assert_true(
		acknowledge_failures(FAILURES("\"b\":\"PERMANENT_FAILURE_INVALID_ACK_ID\""), true, all, 4, &again));
	assert_int_equal(again, 3); /* all but b: the failure passes, and it is not said that they have succeeded */
	assert_ptr_equal(all[3], &m[1]);
}

/* Then none of the ids has succeeded. */
static void other_failures_name_no_ids(void **state)
{
	static const char disabled[] = "{\"error\":{\"code\":403,\"details\":[{\"reason\":\"SERVICE_DISABLED\","
				       "\"metadata\":{\"service\":\"pubsub.googleapis.com\"}}]}}";
	static const char *const bodies[] = {
		disabled,
		"{\"error\":{\"code\":400,\"details\":[{\"reason\":\"OTHER\",\"metadata\":{}}]}}",
		"{\"error\":{\"code\":400,\"details\":[{\"metadata\":{\"a\":1}}]}}",
		"{\"error\":\"x\"}",
		"<html>",
		""};
	struct inbox_message m = {.handle = B("a")}, *all[] = {&m};
	size_t again;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		if (acknowledge_failures(bytes_str(bodies[i]), i % 2, all, 1, &again))
			fail_msg("taken: %s", bodies[i]);
		assert_int_equal(again, 0);
		assert_false(m.refused);
	}
}

/* ---- names ---- */

static void topics_of_addresses(void **state)
{
	assert_true(bytes_eq_str(pubsub_topic("shop/orders"), "orders"));
	assert_true(bytes_eq_str(pubsub_topic("projects/shop/topics/orders"), "orders"));
	assert_true(bytes_eq_str(pubsub_topic("orders"), "orders"));
	assert_true(pubsub_is_name(B("abc")) && pubsub_is_name(B("a-_.~+%9")));
	assert_false(pubsub_is_name(B("ab")) || pubsub_is_name(B("9abc")) || pubsub_is_name(B("a b c")) ||
		     pubsub_is_name(B("a/bc")) || pubsub_is_name(BYTES_EMPTY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_become_data),
		cmocka_unit_test(keys_that_are_no_text),
		cmocka_unit_test(headers_become_attributes),
		cmocka_unit_test(limits_are_the_services),
		cmocka_unit_test(too_many_raw_names),
		cmocka_unit_test(a_message_is_read),
		cmocka_unit_test(our_own_attributes_are_undone),
		cmocka_unit_test(messages_that_cannot_be_read),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(ids_are_written),
		cmocka_unit_test(long_ids_take_several_requests),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(other_failures_name_no_ids),
		cmocka_unit_test(topics_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
