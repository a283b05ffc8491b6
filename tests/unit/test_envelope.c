/* envelope: what comes out, where keys are carried, what is refused, and how often the key encryption key is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/clock.h"
#include "engine/work.h"
#include "keys/key_cache.h"
#include "fake_store.h"
#include "kit.h"
#include "methods/envelope_work.h"
#include "methods/text_form.h"

#define TOPIC(protect) KIT_HEAD "topics: [{match: t, protect: {" protect "}}]\n"
#define PLAIN "{type: envelope, key: k}"
#define HEADER "{type: envelope, key: k, carry: header}"
#define WRAPPED_RAW 60 /* nonce, 32 bytes, tag */

static struct arena arena;
static uint64_t now_ms;

static uint64_t test_clock(void)
{
	return now_ms;
}

static int setup(void **state)
{
	arena_init(&arena, 0);
	fake_control = (struct fake_control){.fail_call = SEAL_OK};
	now_ms = 1000;
	key_cache_test_clock(test_clock);
	return 0;
}

static int teardown(void **state)
{
	key_cache_test_clock(NULL);
	arena_clear(&arena);
	return 0;
}

static struct seal_bytes keep(struct seal_bytes bytes)
{
	return bytes.ptr != NULL ? arena_copy(&arena, bytes) : bytes;
}

/* A record with its header, and what becomes of it. */
struct rec {
	struct seal_bytes value, header;
	const struct seal_err *err;
	uint32_t cells, kept;
};

static struct rec run_rec(struct kit *kit, enum engine_direction direction, struct rec in)
{
	const struct engine_input input = {&in.value, &in.header, 1};
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct rec out;

	if (engine_run_input(kit->engine, kit->topic, direction, &input, &result, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	out = (struct rec){.value = keep(result.value),
			   .header = keep(result.key_header),
			   .cells = result.cells,
			   .kept = result.kept};
	if (result.err != NULL) {
		struct seal_err *copy = ARENA_NEW(&arena, struct seal_err);

		*copy = *result.err;
		out.err = copy;
	}
	return out;
}

static struct rec good(struct kit *kit, enum engine_direction direction, struct rec in)
{
	struct rec out = run_rec(kit, direction, in);

	if (out.err != NULL)
		fail_msg("%.*s: %s: %s", BYTES_FMT(in.value), out.err->place, out.err->text);
	return out;
}

static struct rec text(const char *value)
{
	return (struct rec){.value = bytes_str(value)};
}

static void is(struct rec got, const char *value)
{
	if (!bytes_eq_str(got.value, value))
		fail_msg("%.*s is not %s", BYTES_FMT(got.value), value);
}

static void bad(struct kit *kit, enum engine_direction direction, struct rec in, enum seal_code code,
		const char *says)
{
	const struct rec out = run_rec(kit, direction, in);

	if (out.err == NULL)
		fail_msg("%.*s was taken", BYTES_FMT(in.value));
	assert_int_equal(out.err->status, SEAL_DATA);
	if (out.err->code != code || strstr(out.err->text, says) == NULL)
		fail_msg("%s: %s", seal_code_name(out.err->code), out.err->text);
	assert_null(out.value.ptr);
	assert_null(out.header.ptr);
}

static void bad_policy(const char *policy, const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct kit kit;

	if (kit_try(&kit, policy, NULL, NULL, &err) == SEAL_OK)
		fail_msg("taken: %s", policy);
	if (strstr(err.text, says) == NULL)
		fail_msg("%s", err.text);
}

/* The text of field "a", which stands first, decoded. */
static struct seal_bytes bytes_of_a(struct rec rec)
{
	const struct seal_bytes begin = BYTES_LIT("{\"a\":\"" TEXT_FORM_ENVELOPE);
	const uint8_t *end;
	uint8_t *raw;
	size_t len;

	assert_true(bytes_starts(rec.value, begin));
	rec.value = bytes_skip(rec.value, begin.len);
	end = memchr(rec.value.ptr, '"', rec.value.len);
	assert_non_null(end);
	rec.value.len = (size_t)(end - rec.value.ptr);
	raw = arena_alloc(&arena, BASE64_RAW_MAX(rec.value.len), 1);
	assert_true(base64url_decode(rec.value, raw, &len));
	return bytes_of(raw, len);
}

/* A record whose field "a" has these bytes. */
static struct rec with_a(struct seal_bytes raw, struct seal_bytes header)
{
	char *value = arena_alloc(&arena, 64 + BASE64_LEN(raw.len), 1);
	const struct seal_bytes begin = BYTES_LIT("{\"a\":\"" TEXT_FORM_ENVELOPE);
	size_t len = begin.len;

	memcpy(value, begin.ptr, begin.len);
	len += base64url_encode(raw, value + len);
	memcpy(value + len, "\"}", 2);
	return (struct rec){.value = bytes_of(value, len + 2), .header = header};
}

static void round_trip(struct kit *kit, const char *value)
{
	const struct rec sealed = good(kit, ENGINE_PROTECT, text(value));

	assert_false(bytes_eq_str(sealed.value, value));
	is(good(kit, ENGINE_REVEAL, sealed), value);
}

static void values_come_back(void **state)
{
	static const char *const values[] = {
		"{\"a\":\"\"}",
		"{\"a\":\"x\"}",
		"{\"a\":\"1 High St\\n\xc3\xa9\"}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":null}",
		"{\"a\":1.10}",
		"{\"a\":12345678901234567890123}",
		"{\"a\":[1, {\"b\" :2}]}",
		"{\"a\":{}}",
		"{\"a\":\"SEALENV1\"}",
		"{\"x\":1}",
	};
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	for (size_t i = 0; i + 1 < sizeof(values) / sizeof(values[0]); i++)
		round_trip(&kit, values[i]);
	is(good(&kit, ENGINE_PROTECT, text(values[10])), values[10]);
	kit_close(&kit);
}

/* Texts of every length have their own tail; large ones take their own chunk. */
static void lengths_come_back(void **state)
{
	static char value[200100];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	for (size_t len = 0; len < 200; len++) {
		snprintf(value, sizeof(value), "{\"a\":\"%0*d\"}", (int)len + 1, 7);
		round_trip(&kit, value);
	}
	snprintf(value, sizeof(value), "{\"a\":\"%0*d\"}", 200000, 7);
	round_trip(&kit, value);
	kit_close(&kit);
}

static void the_bytes_are_as_described(void **state)
{
	struct seal_bytes raw;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	raw = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"12345\"}")));
	assert_int_equal(raw.len, 2 + 1 + 4 + 2 + WRAPPED_RAW + 32 + 12 + 5 + 16);
	assert_memory_equal(raw.ptr, "\x01\x01\x01\0\0\0\x02\0\x3c", 9);
	kit_close(&kit);

	kit_open(&kit, TOPIC("$.a: " HEADER));
	raw = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"12345\"}")));
	assert_int_equal(raw.len, 2 + 8 + 12 + 5 + 16);
	assert_memory_equal(raw.ptr, "\x01\x02", 2);
	kit_close(&kit);
}

static void one_key_does_for_many(void **state)
{
	enum { N = 1000 };
	static struct seal_bytes in[N], copies[N];
	static struct engine_result results[N];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN ", $.b: " PLAIN));
	for (size_t i = 0; i < N; i++)
		in[i] = bytes_str(arena_printf(&arena, "{\"a\":\"%zu\",\"b\":[%zu]}", i, i));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, in, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 1);
	for (size_t i = 0; i < N; i++)
		copies[i] = keep(results[i].value);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, copies, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 1); /* the writer's key is the reader's, too */
	for (size_t i = 0; i < N; i++) {
		assert_true(bytes_eq(results[i].value, in[i]));
		assert_int_equal(results[i].cells, 2);
	}
	kit_close(&kit);

	kit_open(&kit, TOPIC("$.a: " PLAIN ", $.b: " PLAIN)); /* somebody else */
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, copies, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 2);
	for (size_t i = 0; i < N; i++)
		assert_true(bytes_eq(results[i].value, in[i]));
	kit_close(&kit);
}

static void uses_are_limited(void **state)
{
	enum { N = 95 };
	static struct seal_bytes in[N], copies[N];
	static struct engine_result results[N];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, max_uses: 10}"));
	for (size_t i = 0; i < N; i++)
		in[i] = bytes_str(arena_printf(&arena, "{\"a\":\"%zu\"}", i));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, in, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 10);
	for (size_t i = 0; i < N; i++)
		copies[N - 1 - i] = keep(results[i].value);
	kit_close(&kit);

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	fake_control.calls = 0;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, copies, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 1); /* all keys in one */
	for (size_t i = 0; i < N; i++)
		assert_true(bytes_eq(results[N - 1 - i].value, in[i]));
	kit_close(&kit);
}

/* Keys of methods whose key encryption keys differ are never mixed, whatever else is alike. */
static void other_keys_are_other_keys(void **state)
{
	const char *topics =
		"topics: [{match: t, protect: {$.a: {type: envelope, key: k}, $.b: {type: envelope, key: l}}}]\n";
	struct rec sealed;
	struct kit kit;

	kit_open(&kit, arena_printf(&arena, "version: 1\nkeys: {k: 'fake:aes', l: 'fake:aes1'}\n%s", topics));
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\",\"b\":\"x\"}"));
	assert_int_equal(fake_control.calls, 2);
	is(good(&kit, ENGINE_REVEAL, sealed), "{\"a\":\"x\",\"b\":\"x\"}");
	kit_close(&kit);
	kit_open(&kit, arena_printf(&arena, "version: 1\nkeys: {k: 'fake:aes', l: 'fake:aes1'}\n%s", topics));
	is(good(&kit, ENGINE_REVEAL, sealed), "{\"a\":\"x\",\"b\":\"x\"}");
	kit_close(&kit);
}

/* A method's own limits hold beside another one's. */
static void other_limits_are_other_keys(void **state)
{
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN ", $.b: {type: envelope, key: k, max_uses: 1}, "
			     "$.c: {type: envelope, key: k, max_age: 1s}"));
	for (int i = 0; i < 2; i++) {
		good(&kit, ENGINE_PROTECT, text("{\"a\":1,\"b\":1,\"c\":1}"));
		now_ms += 1000;
	}
	assert_int_equal(fake_control.calls, 1 + 2 + 2);
	kit_close(&kit);
}

/* A session lets go of what it has keyed, once that is too old: forgotten people's keys, above all. */
static void keyed_contexts_end(void **state)
{
	const struct envelope_session *session;
	struct rec first;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, max_uses: 1, max_age: 5m}"));
	session = (const struct envelope_session *)kit.engine->sessions[kit.topic->rules[0].method->index];
	first = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	for (int i = 0; i < 20; i++)
		good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	for (int reveal = 0; reveal < 2; reveal++) {
		size_t n = 0;

		now_ms += 5 * 60 * 1000;
		good(&kit, reveal ? ENGINE_REVEAL : ENGINE_PROTECT, reveal ? first : text("{\"a\":\"x\"}"));
		for (size_t i = 0; i < ENVELOPE_CONTEXTS; i++)
			n += session->contexts[i].key != NULL;
		assert_int_equal(n, 1);
	}
	kit_close(&kit);
}

/* Away for less than the age: nobody notices. For longer: nothing goes through. */
static void an_outage_is_bridged_for_the_age(void **state)
{
	struct seal_bytes value = BYTES_LIT("{\"a\":\"x\"}"), sealed;
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, max_age: 5m}"));
	sealed = good(&kit, ENGINE_PROTECT, (struct rec){.value = value}).value;
	fake_control.fail_call = SEAL_RETRY;
	fake_control.fail_code = SEAL_E_SERVICE;
	now_ms += 5 * 60 * 1000 - 1;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_OK);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, &sealed, 1, &result, &err), SEAL_OK);
	assert_true(bytes_eq(result.value, value));
	now_ms += 1;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, &err), SEAL_RETRY);
	assert_null(result.value.ptr);
	err_clear(&err);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, &sealed, 1, &result, &err), SEAL_RETRY);
	assert_null(result.value.ptr);
	fake_control.fail_call = SEAL_OK;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, &sealed, 1, &result, NULL), SEAL_OK);
	assert_true(bytes_eq(result.value, value));
	kit_close(&kit);
}

static void values_are_bound(void **state)
{
	struct rec sealed, moved;
	char *text_of;
	struct kit kit, other;

	kit_open(&kit, TOPIC("$.a: " PLAIN ", $.b: " PLAIN));
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	moved = sealed;
	text_of = arena_strndup(&arena, (const char *)sealed.value.ptr, sealed.value.len);
	text_of[2] = 'b';
	moved.value = bytes_str(text_of);
	bad(&kit, ENGINE_REVEAL, moved, SEAL_E_TAMPERED, "does not authenticate under its data key");
	kit_open(&other,
		 "version: 1\nnamespace: hop\nkeys: {k: 'fake:aes'}\ntopics: [{match: t, protect: {$.a: " PLAIN
		 "}}]\n");
	bad(&other, ENGINE_REVEAL, sealed, SEAL_E_TAMPERED, "does not authenticate");
	kit_close(&other);
	/* A string is no JSON value. */
	bad(&kit, ENGINE_REVEAL,
	    text(arena_printf(&arena, "{\"a\":\"json+%.*s", (int)sealed.value.len - 6, sealed.value.ptr + 6)),
	    SEAL_E_TAMPERED, "does not authenticate");
	kit_close(&kit);

	kit_open(&kit, TOPIC("'$.*': {type: envelope, key: k, bind: none}"));
	text_of[2] = 'a';
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	text_of = arena_strndup(&arena, (const char *)sealed.value.ptr, sealed.value.len);
	text_of[2] = 'b';
	is(good(&kit, ENGINE_REVEAL, text(text_of)), "{\"b\":\"x\"}");
	kit_close(&kit);
}

/* A key of another policy, or of the same key encryption key but another envelope. */
static void keys_are_committed_to(void **state)
{
	struct seal_bytes one, two, mixed;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, max_uses: 1}"));
	one = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"one\"}")));
	two = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"two\"}")));
	mixed = keep(one);
	is(good(&kit, ENGINE_REVEAL, with_a(mixed, BYTES_EMPTY)), "{\"a\":\"one\"}");
	memcpy((uint8_t *)mixed.ptr + 9, two.ptr + 9, WRAPPED_RAW); /* its wrapped key */
	bad(&kit, ENGINE_REVEAL, with_a(mixed, BYTES_EMPTY), SEAL_E_TAMPERED, "");
	memcpy((uint8_t *)mixed.ptr + 9 + WRAPPED_RAW, two.ptr + 9 + WRAPPED_RAW, 32); /* and its commitment */
	bad(&kit, ENGINE_REVEAL, with_a(mixed, BYTES_EMPTY), SEAL_E_TAMPERED, "does not authenticate");
	mixed = keep(one);
	memcpy((uint8_t *)mixed.ptr + 9 + WRAPPED_RAW, two.ptr + 9 + WRAPPED_RAW, 32); /* that alone */
	bad(&kit, ENGINE_REVEAL, with_a(mixed, BYTES_EMPTY), SEAL_E_TAMPERED, "");
	kit_close(&kit);
}

static void damaged_and_newer_ones_are_told_apart(void **state)
{
	struct seal_bytes raw, changed;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	raw = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}")));
	for (size_t len = 0; len < raw.len; len++)
		bad(&kit, ENGINE_REVEAL, with_a(bytes_of(raw.ptr, len), BYTES_EMPTY), SEAL_E_TAMPERED, "");
	changed = keep(raw);
	*(uint8_t *)changed.ptr = 2;
	bad(&kit, ENGINE_REVEAL, with_a(changed, BYTES_EMPTY), SEAL_E_SYNTAX, "newer release");
	*(uint8_t *)changed.ptr = 0;
	bad(&kit, ENGINE_REVEAL, with_a(changed, BYTES_EMPTY), SEAL_E_TAMPERED, "damaged");
	changed = keep(raw);
	((uint8_t *)changed.ptr)[1] = 4;
	bad(&kit, ENGINE_REVEAL, with_a(changed, BYTES_EMPTY), SEAL_E_SYNTAX, "newer release");
	/* a wrapped key has one spelling */
	changed.ptr = arena_alloc(&arena, 2 * raw.len, 1);
	memcpy((uint8_t *)changed.ptr, raw.ptr, 2);
	snprintf((char *)changed.ptr + 5, 32, "vault:v%u:", be32_load(raw.ptr + 3));
	changed.len = strlen((char *)changed.ptr + 5);
	changed.len += base64_encode(bytes_of(raw.ptr + 9, WRAPPED_RAW), (char *)changed.ptr + 5 + changed.len);
	((uint8_t *)changed.ptr)[2] = ((uint8_t *)changed.ptr)[3] = 0;
	((uint8_t *)changed.ptr)[4] = (uint8_t)changed.len;
	changed.len += 5;
	memcpy((uint8_t *)changed.ptr + changed.len, raw.ptr + 9 + WRAPPED_RAW, raw.len - 9 - WRAPPED_RAW);
	changed.len += raw.len - 9 - WRAPPED_RAW;
	bad(&kit, ENGINE_REVEAL, with_a(changed, BYTES_EMPTY), SEAL_E_TAMPERED, "damaged");
	bad(&kit, ENGINE_REVEAL, text("{\"a\":\"seal:e2:AAAA\"}"), SEAL_E_SYNTAX, "newer release");
	bad(&kit, ENGINE_REVEAL, text("{\"a\":\"seal:e1:A\"}"), SEAL_E_TAMPERED, "damaged");
	bad(&kit, ENGINE_REVEAL, text("{\"a\":\"vault:v1:AAAA\"}"), SEAL_E_PLAINTEXT, "not an envelope");
	bad(&kit, ENGINE_REVEAL, text("{\"a\":\"plain\"}"), SEAL_E_PLAINTEXT, "is not protected");
	kit_close(&kit);
}

/* One that cannot be opened leaves the others alone. */
static void neighbours_are_done(void **state)
{
	struct seal_bytes values[3], raw;
	struct engine_result results[3];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, max_uses: 1}"));
	for (size_t i = 0; i < 3; i++)
		values[i] = good(&kit, ENGINE_PROTECT, text(arena_printf(&arena, "{\"a\":\"%zu\"}", i))).value;
	raw = bytes_of_a((struct rec){.value = values[1]});
	((uint8_t *)raw.ptr)[12] ^= 1; /* of the wrapped key */
	values[1] = with_a(raw, BYTES_EMPTY).value;
	kit_close(&kit);
	kit_open(&kit, TOPIC("$.a: " PLAIN));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, values, 3, results, NULL), SEAL_OK);
	assert_true(bytes_eq_str(results[0].value, "{\"a\":\"0\"}"));
	assert_int_equal(results[1].err->status, SEAL_DATA);
	assert_string_equal(results[1].err->place, "$['a']");
	assert_true(bytes_eq_str(results[2].value, "{\"a\":\"2\"}"));
	kit_close(&kit);
}

/* ---- carry: header ---- */

static void the_header_carries_keys(void **state)
{
	struct rec sealed, back;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " HEADER ", $.b: " HEADER));
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\",\"b\":1}"));
	assert_int_equal(fake_control.calls, 1);
	assert_int_equal(sealed.header.len, 43 + 1 + strlen("vault:v2:") + BASE64_LEN(WRAPPED_RAW));
	assert_int_equal(sealed.header.ptr[43], '.');
	back = good(&kit, ENGINE_REVEAL, sealed);
	is(back, "{\"a\":\"x\",\"b\":1}");
	assert_null(back.header.ptr);
	kit_close(&kit);
}

static void other_entries_stay(void **state)
{
	struct rec first, both, back;
	struct kit one, two;

	kit_open(&one, TOPIC("$.a: " HEADER));
	kit_open(&two, TOPIC("$.b: " HEADER));
	first = good(&one, ENGINE_PROTECT, text("{\"a\":\"x\",\"b\":\"y\"}"));
	both = good(&two, ENGINE_PROTECT, first);
	assert_int_equal(both.header.len, 2 * first.header.len + 1);
	assert_true(bytes_starts(both.header, first.header));
	/* The key is there already. */
	back = good(&two, ENGINE_REVEAL, both);
	assert_true(bytes_eq(back.header, both.header)); /* a still needs its entry */
	both = good(&two, ENGINE_PROTECT, back);
	assert_true(bytes_eq(back.header, both.header));
	/* a, written by somebody who escapes letters: it needs its entry as well. */
	back.value = bytes_str(arena_printf(&arena, "{\"a\":\"\\u0073%.*s", BYTES_FMT(bytes_skip(both.value, 7))));
	back = good(&two, ENGINE_REVEAL, (struct rec){.value = back.value, .header = both.header});
	assert_true(bytes_eq(back.header, both.header));
	is(good(&one, ENGINE_REVEAL, back), "{\"a\":\"x\",\"b\":\"y\"}");
	back = good(&two, ENGINE_REVEAL, good(&one, ENGINE_REVEAL, both));
	is(back, "{\"a\":\"x\",\"b\":\"y\"}");
	assert_null(back.header.ptr);
	kit_close(&one);
	kit_close(&two);
}

static void a_lost_header_is_told(void **state)
{
	struct rec sealed, without;
	struct kit kit, other;

	kit_open(&kit, TOPIC("$.a: " HEADER));
	kit_open(&other, TOPIC("$.a: " HEADER));
	sealed = without = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	without.header = BYTES_EMPTY;
	bad(&kit, ENGINE_REVEAL, without, SEAL_E_MISSING, "in the record header seal-key, which is not there");
	without.header = BYTES_LIT("");
	bad(&kit, ENGINE_REVEAL, without, SEAL_E_MISSING, "not in the record header seal-key");
	without.header = good(&other, ENGINE_PROTECT, text("{\"a\":\"x\"}")).header;
	bad(&kit, ENGINE_REVEAL, without, SEAL_E_MISSING, "not in the record header seal-key");
	without.header =
		bytes_str(arena_printf(&arena, "%.*s,%.*s", BYTES_FMT(sealed.header), BYTES_FMT(sealed.header)));
	bad(&kit, ENGINE_REVEAL, without, SEAL_E_MISSING, "or not once");
	without.header = bytes_of(sealed.header.ptr, 43);
	bad(&kit, ENGINE_REVEAL, without, SEAL_E_SYNTAX, "not a list of wrapped data keys");
	kit_close(&kit);
	kit_close(&other);
}

/* The header of the record before must not serve the next one. */
static void headers_are_not_mixed_up(void **state)
{
	struct seal_bytes values[4], headers[4];
	struct engine_result results[4];
	const struct engine_input input = {values, headers, 4};
	struct rec one, two;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: {type: envelope, key: k, carry: header, max_uses: 1}"));
	one = good(&kit, ENGINE_PROTECT, text("{\"a\":\"1\"}"));
	two = good(&kit, ENGINE_PROTECT, text("{\"a\":\"2\"}"));
	values[0] = values[1] = values[2] = one.value;
	values[3] = two.value;
	headers[0] = one.header;
	headers[1] = headers[2] = headers[3] = two.header;
	assert_int_equal(engine_run_input(kit.engine, kit.topic, ENGINE_REVEAL, &input, results, NULL), SEAL_OK);
	assert_null(results[0].err);
	assert_int_equal(results[1].err->code, SEAL_E_MISSING);
	assert_int_equal(results[2].err->code, SEAL_E_MISSING);
	assert_true(bytes_eq_str(results[3].value, "{\"a\":\"2\"}"));
	kit_close(&kit);
}

static void a_full_header_is_told(void **state)
{
	struct seal_buf header = BUF_INIT(1 << 20);
	struct rec in = text("{\"a\":\"x\"}"), sealed;
	char name[44];
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " HEADER));
	for (unsigned i = 0; i < KEY_HEADER_ENTRIES_MAX; i++) {
		uint8_t commitment[32] = {(uint8_t)i, 1};

		name[base64url_encode(bytes_of(commitment, 32), name)] = '\0';
		assert_int_equal(buf_printf(&header, NULL, "%s%s.vault:v1:AAAA", i ? "," : "", name), SEAL_OK);
		in.header = buf_bytes(&header);
		if (i + 1 < KEY_HEADER_ENTRIES_MAX) {
			sealed = good(&kit, ENGINE_PROTECT, in);
			is(good(&kit, ENGINE_REVEAL, sealed), "{\"a\":\"x\"}");
		}
	}
	bad(&kit, ENGINE_PROTECT, in, SEAL_E_LIMIT, "no room for another wrapped data key");
	in.header = BYTES_LIT("not ours");
	bad(&kit, ENGINE_PROTECT, in, SEAL_E_SYNTAX, "not a list of wrapped data keys");
	buf_clear(&header);
	kit_close(&kit);
}

/* Few entries, but too many bytes. */
static void a_large_header_is_none(void **state)
{
	const size_t entry = 43 + 1 + 4000;
	struct key_header *header = ARENA_NEW(&arena, struct key_header);
	char *value = arena_alloc(&arena, 17 * (entry + 1), 1);

	for (size_t i = 0; i < 17; i++) {
		memset(value + i * (entry + 1), 'A', entry + 1);
		value[i * (entry + 1) + 43] = '.';
		value[i * (entry + 1) + entry] = ',';
	}
	assert_true(key_header_parse(bytes_of(value, 16 * (entry + 1) - 1), header));
	assert_int_equal(header->n, 16);
	assert_false(key_header_parse(bytes_of(value, 17 * (entry + 1) - 1), header));
}

static void streams_without_headers_are_refused(void **state)
{
	struct seal_bytes value = BYTES_LIT("{\"a\":\"x\"}");
	struct seal_err err = SEAL_ERR_INIT;
	struct engine_result result;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " HEADER));
	for (int direction = ENGINE_PROTECT; direction <= ENGINE_REWRAP; direction++) {
		err_clear(&err);
		assert_int_equal(
			engine_run(kit.engine, kit.topic, (enum engine_direction)direction, &value, 1, &result, &err),
			SEAL_USAGE);
		assert_int_equal(err.code, SEAL_E_CONFIG);
		assert_non_null(strstr(err.text, "these records have no headers"));
	}
	kit_close(&kit);
}

/* What is read says itself where its key is. */
static void all_forms_are_read_under_any_option(void **state)
{
	struct rec carried, inlined;
	struct kit value, header;

	kit_open(&value, TOPIC("$.a: " PLAIN));
	kit_open(&header, TOPIC("$.a: " HEADER));
	carried = good(&header, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	inlined = good(&value, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	is(good(&value, ENGINE_REVEAL, carried), "{\"a\":\"x\"}");
	is(good(&header, ENGINE_REVEAL, inlined), "{\"a\":\"x\"}");
	kit_close(&value);
	kit_close(&header);
}

static void tombstones_and_failures_keep_what_they_have(void **state)
{
	struct rec in = {.header = BYTES_LIT("anything")}, out;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " HEADER));
	out = good(&kit, ENGINE_PROTECT, in);
	assert_null(out.value.ptr);
	assert_true(bytes_eq(out.header, in.header));
	out = good(&kit, ENGINE_REVEAL, in);
	assert_true(bytes_eq(out.header, in.header));
	kit_close(&kit);
}

/* ---- carry: bytes ---- */

#define BYTES_TOPIC(options) KIT_HEAD "topics: [{match: t, format: bytes, " options "}]\n"

static void payloads_come_back(void **state)
{
	static const uint8_t binary[] = {0, 0xff, '"', 1, 2, 0};
	struct rec in = {.value = bytes_of(binary, sizeof(binary))}, sealed;
	struct text_form form;
	struct kit kit;

	kit_open(&kit, BYTES_TOPIC("protect: {$: {type: envelope, key: k, carry: bytes}}"));
	sealed = good(&kit, ENGINE_PROTECT, in);
	assert_int_equal(sealed.value.len, 8 + 9 + WRAPPED_RAW + 32 + 28 + sizeof(binary));
	assert_memory_equal(sealed.value.ptr, "SEALENV1\x01\x01", 10);
	assert_true(text_form_parse(sealed.value, &form));
	assert_string_equal(form.method, "envelope");
	assert_int_equal(form.version, 2);
	assert_int_equal(form.plain_len, sizeof(binary));
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, sealed).value, in.value));
	bad(&kit, ENGINE_PROTECT, sealed, SEAL_E_PROTECTED, "already protected");
	bad(&kit, ENGINE_REVEAL, in, SEAL_E_PLAINTEXT, "is not protected");
	bad(&kit, ENGINE_REVEAL, text("SEALENV1"), SEAL_E_TAMPERED, "damaged");
	bad(&kit, ENGINE_REVEAL, text("SEALENV1\x02"), SEAL_E_SYNTAX, "newer");
	for (size_t len = 8; len < sealed.value.len; len++)
		bad(&kit, ENGINE_REVEAL, (struct rec){.value = bytes_of(sealed.value.ptr, len)}, SEAL_E_TAMPERED, "");
	in.value = bytes_of(binary, 0);
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, good(&kit, ENGINE_PROTECT, in)).value, in.value));
	kit_close(&kit);

	/* Text and header do for payloads, too, and each reads the other. */
	kit_open(&kit, BYTES_TOPIC("protect: {$: {type: envelope, key: k}}, on_protected: keep"));
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, sealed).value, bytes_of(binary, sizeof(binary))));
	assert_true(bytes_eq(good(&kit, ENGINE_PROTECT, sealed).value, sealed.value));
	bad(&kit, ENGINE_PROTECT, text("SEALENV1 is a fine way to begin"), SEAL_E_PROTECTED, "but is none");
	in.value = bytes_of(binary, sizeof(binary));
	sealed = good(&kit, ENGINE_PROTECT, in);
	assert_true(bytes_starts(sealed.value, BYTES_LIT(TEXT_FORM_ENVELOPE)));
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, sealed).value, in.value));
	kit_close(&kit);
	kit_open(&kit, BYTES_TOPIC("protect: {$: {type: envelope, key: k, carry: header}}"));
	sealed = good(&kit, ENGINE_PROTECT, in);
	assert_non_null(sealed.header.ptr);
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, sealed).value, in.value));
	kit_close(&kit);
}

static void bad_options_are_refused(void **state)
{
	bad_policy(TOPIC("$.a: {type: envelope, key: k, carry: bytes}"), "for format: bytes");
	bad_policy(TOPIC("$.a: {type: envelope, key: k, carry: heder}"), "did you mean \"header\"");
	bad_policy(TOPIC("$.a: {type: envelope, key: k, max_uses: 0}"), "max_uses");
	bad_policy(TOPIC("$.a: {type: envelope, key: k, max_uses: 2147483649}"), "max_uses");
	bad_policy(TOPIC("$.a: {type: envelope, key: k, max_age: 1ms}"), "max_age");
	bad_policy(TOPIC("$.a: {type: envelope}"), "needs a key");
	bad_policy(TOPIC("$.a: {type: envelope, key: f}"), "needs a key that can encrypt");
}

/* ---- rewrapping ---- */

#define OLD_HEAD "version: 1\nnamespace: shop\nkeys: {k: 'fake:aes1'}\n"
#define OLD(protect) OLD_HEAD "topics: [{match: t, protect: {" protect "}}]\n"

static void wrapped_keys_are_renewed(void **state)
{
	static const char *const protects[] = {PLAIN, HEADER};

	for (size_t i = 0; i < 2; i++) {
		const char *rules = arena_printf(&arena, "$.a: %s, $.b: %s", protects[i], protects[i]);
		struct rec sealed, newer;
		struct seal_bytes a, b;
		struct kit kit;

		kit_open(&kit, arena_printf(&arena, OLD("%s"), rules));
		sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\",\"b\":{\"c\":1}}"));
		kit_close(&kit);
		kit_open(&kit, arena_printf(&arena, TOPIC("%s"), rules));
		newer = good(&kit, ENGINE_REWRAP, sealed);
		assert_int_equal(newer.cells + newer.kept, 2);
		assert_true(newer.cells > 0);
		a = bytes_of_a(sealed);
		b = bytes_of_a(newer);
		assert_int_equal(a.len, b.len);
		/* The message is what it was. */
		assert_memory_equal(a.ptr + a.len - 29, b.ptr + b.len - 29, 29);
		if (i == 0) {
			assert_int_equal(a.ptr[6], 1);
			assert_int_equal(b.ptr[6], 2);
		} else {
			assert_true(bytes_eq(sealed.value, newer.value));
			assert_non_null(strstr((const char *)sealed.header.ptr, ".vault:v1:"));
			assert_non_null(strstr((const char *)newer.header.ptr, ".vault:v2:"));
			assert_int_equal(newer.header.len, sealed.header.len);
		}
		is(good(&kit, ENGINE_REVEAL, newer), "{\"a\":\"x\",\"b\":{\"c\":1}}");
		sealed = good(&kit, ENGINE_REWRAP, newer);
		assert_true(bytes_eq(sealed.value, newer.value));
		assert_true(bytes_eq(sealed.header, newer.header));
		assert_int_equal(sealed.kept, 2);
		kit_close(&kit);
	}
}

/* The next batch has the same wrapped keys: they are not asked for again before their age is over. */
static void renewed_keys_are_remembered(void **state)
{
	struct rec sealed, once, again;
	struct kit kit;

	kit_open(&kit, OLD("$.a: " PLAIN));
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}"));
	kit_close(&kit);
	kit_open(&kit, TOPIC("$.a: " PLAIN));
	fake_control.calls = 0;
	once = good(&kit, ENGINE_REWRAP, sealed);
	assert_int_equal(fake_control.calls, 1);
	again = good(&kit, ENGINE_REWRAP, sealed);
	assert_true(bytes_eq(once.value, again.value));
	assert_int_equal(again.cells, 1);
	assert_int_equal(fake_control.calls, 1);
	/* One that is renewed already is remembered, too. */
	assert_int_equal(good(&kit, ENGINE_REWRAP, once).kept, 1);
	assert_int_equal(good(&kit, ENGINE_REWRAP, once).kept, 1);
	assert_int_equal(fake_control.calls, 2);
	now_ms += DATA_KEYS_MAX_AGE_DEFAULT_MS;
	good(&kit, ENGINE_REWRAP, sealed);
	assert_int_equal(fake_control.calls, 3);
	kit_close(&kit);
}

static void payloads_are_rewrapped(void **state)
{
	struct rec sealed, newer;
	struct kit kit;

	kit_open(&kit, OLD_HEAD "topics: [{match: t, format: bytes, protect: {$: {type: envelope, key: k, carry: "
				"bytes}}}]\n");
	sealed = good(&kit, ENGINE_PROTECT, text("payload"));
	kit_close(&kit);
	kit_open(&kit, BYTES_TOPIC("protect: {$: {type: envelope, key: k, carry: bytes}}"));
	newer = good(&kit, ENGINE_REWRAP, sealed);
	assert_int_equal(newer.value.len, sealed.value.len);
	assert_memory_equal(newer.value.ptr, "SEALENV1", 8);
	assert_int_equal(newer.value.ptr[14], 2);
	is(good(&kit, ENGINE_REVEAL, newer), "payload");
	kit_close(&kit);
}

static void forged_wrapped_keys_are_not_rewrapped(void **state)
{
	struct seal_bytes raw;
	struct kit kit;

	kit_open(&kit, TOPIC("$.a: " PLAIN));
	raw = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}")));
	((uint8_t *)raw.ptr)[6] = 1; /* another version: it does not open */
	bad(&kit, ENGINE_REWRAP, with_a(raw, BYTES_EMPTY), SEAL_E_TAMPERED, "");
	kit_close(&kit);
	kit_open(&kit, "version: 1\nkeys: {k: 'fake:stiff'}\ntopics: [{match: t, protect: {$.a: " PLAIN "}}]\n");
	assert_int_equal(engine_can_rewrap(kit.engine, kit.topic, NULL), SEAL_USAGE);
	kit_close(&kit);
}

/* ---- keys of people ---- */

#define PEOPLE                                                                                                       \
	"version: 1\nnamespace: shop\nkeys: {k: 'fake:aes'}\nstores: {main: 'fake:x'}\ntopics: [{match: t, "         \
	"protect: "                                                                                                  \
	"{$.a: {type: envelope, key: {name: k, per: $.id}}}}]\n"

static void people_have_keys_of_their_own(void **state)
{
	enum { N = 300 };
	static struct seal_bytes in[N], copies[N];
	static struct engine_result results[N];
	struct seal_bytes one, two, again;
	struct kit kit, plain;

	kit_store = fake_store_new();
	kit_open(&kit, PEOPLE);
	for (size_t i = 0; i < N; i++)
		in[i] = bytes_str(arena_printf(&arena, "{\"a\":\"v%zu\",\"id\":%zu}", i, i % 100));
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, in, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 1);
	assert_int_equal(fake_store_count(kit_store, "people"), 100);
	for (size_t i = 0; i < N; i++)
		copies[N - 1 - i] = keep(results[i].value);
	one = bytes_of_a((struct rec){.value = copies[0]});
	two = bytes_of_a((struct rec){.value = copies[1]});
	again = bytes_of_a((struct rec){.value = copies[100]});
	assert_int_equal(one.len, 2 + 16 + 32 + 28 + 4);
	assert_memory_equal(one.ptr, "\x01\x03", 2);
	assert_memory_equal(one.ptr, again.ptr, 50); /* the same person */
	assert_memory_not_equal(one.ptr, two.ptr, 50);
	kit_close(&kit);

	kit_open(&kit, PEOPLE); /* another process */
	fake_control.calls = 0;
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_REVEAL, copies, N, results, NULL), SEAL_OK);
	assert_int_equal(fake_control.calls, 1);
	for (size_t i = 0; i < N; i++)
		assert_true(bytes_eq(results[N - 1 - i].value, in[i]));
	/* Nothing of them is wrapped by the key itself. */
	assert_int_equal(good(&kit, ENGINE_REWRAP, (struct rec){.value = copies[0]}).kept, 1);
	kit_close(&kit);

	kit_open(&plain, TOPIC("$.a: " PLAIN));
	bad(&plain, ENGINE_REVEAL, (struct rec){.value = copies[0]}, SEAL_E_KEY_UNKNOWN, "which a store has");
	kit_close(&plain);
	fake_store_free(kit_store);
	kit_store = NULL;
}

static void forget(struct kit *kit, const char *person)
{
	const struct person_scope scope = {"shop", "fake", BYTES_LIT("aes")};
	const struct key_call call = {.arena = &arena, .deadline_ms = clock_mono_ms() + 10000};
	const struct envelope_session *session = (struct envelope_session *)kit->engine->sessions[0];
	struct person_keys *people;
	enum person_state was;

	assert_int_equal(person_keys_new(kit_store, &scope, &(struct data_keys_options){0}, &people, NULL), SEAL_OK);
	assert_int_equal(person_keys_forget(people, session->kek, bytes_str(person), &was, &call, NULL), SEAL_OK);
	assert_int_equal(was, PERSON_LIVE);
	person_keys_free(people);
}

static void forgotten_people_stay_so(void **state)
{
	struct rec one, two;
	struct kit kit;

	kit_store = fake_store_new();
	kit_open(&kit, PEOPLE);
	one = good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\",\"id\":\"c-1\"}"));
	two = good(&kit, ENGINE_PROTECT, text("{\"a\":\"y\",\"id\":\"c-2\"}"));
	forget(&kit, "c-1");
	now_ms += DATA_KEYS_MAX_AGE_DEFAULT_MS;
	bad(&kit, ENGINE_REVEAL, one, SEAL_E_KEY_FORGOTTEN, "");
	bad(&kit, ENGINE_PROTECT, text("{\"a\":\"z\",\"id\":\"c-1\"}"), SEAL_E_KEY_FORGOTTEN, "");
	is(good(&kit, ENGINE_REVEAL, two), "{\"a\":\"y\",\"id\":\"c-2\"}");
	bad(&kit, ENGINE_PROTECT, text("{\"a\":\"z\"}"), SEAL_E_MISSING, "$.id");
	kit_close(&kit);
	fake_store_free(kit_store);
	kit_store = NULL;
}

static void an_unreachable_store_is_waited_for(void **state)
{
	struct seal_bytes value = BYTES_LIT("{\"a\":\"x\",\"id\":1}");
	struct engine_result result;
	struct kit kit;

	kit_store = fake_store_new();
	kit_open(&kit, PEOPLE);
	atomic_store(&fake_store_control(kit_store)->fail, SEAL_RETRY);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_RETRY);
	assert_null(result.value.ptr);
	atomic_store(&fake_store_control(kit_store)->fail, SEAL_OK);
	assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_OK);
	assert_non_null(result.value.ptr);
	kit_close(&kit);
	fake_store_free(kit_store);
	kit_store = NULL;
	bad_policy("version: 1\nkeys: {k: 'fake:aes'}\nstores: {main: 'fake:x'}\ntopics: [{match: t, protect: "
		   "{$.a: {type: envelope, carry: header, key: {name: k, per: $.id}}}}]\n",
		   "so there is none to carry");
}

/* ---- bounds ---- */

/* A record with thousands of wrapped keys costs one call of the key server, and no more than so many keys. */
static void many_keys_are_one_call(void **state)
{
	struct seal_buf value = BUF_INIT(64 << 20);
	struct seal_bytes raw;
	struct rec out;
	struct kit kit;

	kit_open(&kit, TOPIC("'$.*': {type: envelope, key: k, bind: none}"));
	raw = bytes_of_a(good(&kit, ENGINE_PROTECT, text("{\"a\":\"x\"}")));
	for (unsigned n = ENVELOPE_KEYS_MAX; n <= ENVELOPE_KEYS_MAX + 1; n++) {
		buf_reset(&value);
		for (unsigned i = 0; i < n; i++) {
			char *one = arena_alloc(&arena, BASE64_LEN(raw.len) + 1, 1);

			be32_store((uint8_t *)raw.ptr + 20, i); /* in the wrapped key */
			one[base64url_encode(raw, one)] = '\0';
			assert_int_equal(buf_printf(&value, NULL, "%s\"a%u\":\"seal:e1:%s\"", i ? "," : "{", i, one),
					 SEAL_OK);
		}
		assert_int_equal(buf_append_str(&value, "}", NULL), SEAL_OK);
		fake_control.calls = 0;
		out = run_rec(&kit, ENGINE_REVEAL, (struct rec){.value = buf_bytes(&value)});
		assert_non_null(out.err);
		assert_int_equal(out.err->status, SEAL_DATA);
		assert_true(fake_control.calls <= 1);
	}
	buf_clear(&value);
	kit_close(&kit);
}

/* What protect makes can be revealed: it refuses more keys for a record than readers take. */
static void a_record_has_so_many_keys(void **state)
{
	struct seal_buf value = BUF_INIT(64 << 20);
	struct rec sealed;
	struct kit kit;

	kit_open(&kit, TOPIC("'$.*': {type: envelope, key: k, max_uses: 1, bind: none}"));
	for (unsigned i = 0; i < ENVELOPE_KEYS_MAX; i++)
		assert_int_equal(buf_printf(&value, NULL, "%s\"a%u\":1", i ? "," : "{", i), SEAL_OK);
	assert_int_equal(buf_append_str(&value, "}", NULL), SEAL_OK);
	sealed = good(&kit, ENGINE_PROTECT, (struct rec){.value = buf_bytes(&value)});
	assert_true(bytes_eq(good(&kit, ENGINE_REVEAL, sealed).value, buf_bytes(&value)));
	value.len--;
	assert_int_equal(buf_append_str(&value, ",\"one too many\":1}", NULL), SEAL_OK);
	bad(&kit, ENGINE_PROTECT, (struct rec){.value = buf_bytes(&value)}, SEAL_E_LIMIT, "raise max_uses");
	/* made by somebody who does not know the limit */
	value.len = 0;
	assert_int_equal(buf_append(&value, bytes_of(sealed.value.ptr, sealed.value.len - 1), NULL), SEAL_OK);
	sealed = good(&kit, ENGINE_PROTECT, text("{\"a\":1}"));
	assert_int_equal(buf_append_u8(&value, ',', NULL), SEAL_OK);
	assert_int_equal(buf_append(&value, bytes_skip(sealed.value, 1), NULL), SEAL_OK);
	bad(&kit, ENGINE_REVEAL, (struct rec){.value = buf_bytes(&value)}, SEAL_E_LIMIT, "different data keys");
	buf_clear(&value);
	kit_close(&kit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_come_back),
		TEST(lengths_come_back),
		TEST(the_bytes_are_as_described),
		TEST(one_key_does_for_many),
		TEST(uses_are_limited),
		TEST(other_keys_are_other_keys),
		TEST(other_limits_are_other_keys),
		TEST(keyed_contexts_end),
		TEST(an_outage_is_bridged_for_the_age),
		TEST(values_are_bound),
		TEST(keys_are_committed_to),
		TEST(damaged_and_newer_ones_are_told_apart),
		TEST(neighbours_are_done),
		TEST(the_header_carries_keys),
		TEST(other_entries_stay),
		TEST(a_lost_header_is_told),
		TEST(headers_are_not_mixed_up),
		TEST(a_full_header_is_told),
		TEST(a_large_header_is_none),
		TEST(streams_without_headers_are_refused),
		TEST(all_forms_are_read_under_any_option),
		TEST(tombstones_and_failures_keep_what_they_have),
		TEST(payloads_come_back),
		TEST(bad_options_are_refused),
		TEST(wrapped_keys_are_renewed),
		TEST(renewed_keys_are_remembered),
		TEST(payloads_are_rewrapped),
		TEST(forged_wrapped_keys_are_not_rewrapped),
		TEST(people_have_keys_of_their_own),
		TEST(forgotten_people_stay_so),
		TEST(an_unreachable_store_is_waited_for),
		TEST(many_keys_are_one_call),
		TEST(a_record_has_so_many_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
