/* envelope: no bit of an envelope or of the header that carries its key can be changed, and none be cut off, unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "fake_store.h"
#include "kit.h"

#define HEAD KIT_HEAD "stores: {main: 'fake:x'}\n"
#define JSON(method) HEAD "topics: [{match: t, protect: {$.a: " method "}}]\n"
#define TEXT_MAX 1024

struct sealed {
	uint8_t value[TEXT_MAX], header[TEXT_MAX];
	size_t len, header_len;
};

static struct engine_result run(struct kit *kit, enum engine_direction direction, struct seal_bytes value,
				struct seal_bytes header)
{
	const struct engine_input input = {&value, &header, 1};
	struct engine_result result;

	assert_int_equal(engine_run_input(kit->engine, kit->topic, direction, &input, &result, NULL), SEAL_OK);
	return result;
}

static void protect(struct kit *kit, const char *value, struct sealed *to)
{
	const struct engine_result result = run(kit, ENGINE_PROTECT, bytes_str(value), BYTES_EMPTY);

	assert_null(result.err);
	assert_true(result.value.len < TEXT_MAX && result.key_header.len < TEXT_MAX);
	memcpy(to->value, result.value.ptr, to->len = result.value.len);
	to->header_len = result.key_header.len;
	if (to->header_len > 0)
		memcpy(to->header, result.key_header.ptr, to->header_len);
}

static struct engine_result reveal(struct kit *kit, const struct sealed *sealed, size_t len, size_t header_len)
{
	return run(kit, ENGINE_REVEAL, bytes_of(sealed->value, len),
		   sealed->header_len > 0 ? bytes_of(sealed->header, header_len) : BYTES_EMPTY);
}

static void refused(struct kit *kit, const struct sealed *sealed, size_t len, size_t header_len)
{
	const struct engine_result result = reveal(kit, sealed, len, header_len);

	if (result.err == NULL)
		fail_msg("revealed: %.*s with %.*s", (int)len, (const char *)sealed->value, (int)header_len,
			 (const char *)sealed->header);
	assert_int_equal(result.err->status, SEAL_DATA);
	assert_null(result.value.ptr);
	assert_null(result.key_header.ptr);
}

/* Each bit of `bytes` from `from` to `end`, one after the other. */
static void flip_each(struct kit *kit, struct sealed *sealed, uint8_t *bytes, size_t from, size_t end)
{
	for (size_t at = from; at < end; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1 << bit);
			refused(kit, sealed, sealed->len, sealed->header_len);
			bytes[at] ^= (uint8_t)(1 << bit);
		}
}

/* `from`: where the envelope begins in the value; `behind`: what stands behind it. */
static void nothing_passes(const char *policy, const char *value, size_t from, size_t behind)
{
	struct sealed sealed, cut;
	struct kit kit;

	kit_store = fake_store_new();
	kit_open(&kit, policy);
	protect(&kit, value, &sealed);
	flip_each(&kit, &sealed, sealed.value, from, sealed.len - behind);
	flip_each(&kit, &sealed, sealed.header, 0, sealed.header_len);
	for (size_t len = from; len < sealed.len - behind; len++) {
		cut = sealed;
		memcpy(cut.value + len, sealed.value + sealed.len - behind, behind);
		refused(&kit, &cut, len + behind, sealed.header_len);
	}
	for (size_t len = 0; len < sealed.header_len; len++)
		refused(&kit, &sealed, sealed.len, len);
	assert_true(bytes_eq_str(reveal(&kit, &sealed, sealed.len, sealed.header_len).value, value));
	kit_close(&kit);
	fake_store_free(kit_store);
	kit_store = NULL;
}

static void inline_ones(void **state)
{
	nothing_passes(JSON("{type: envelope, key: k}"), "{\"a\":\"1 High St\"}", 6, 2);
	nothing_passes(JSON("{type: envelope, key: k}"), "{\"a\":[1.10]}", 6, 2);
}

static void carried_ones(void **state)
{
	nothing_passes(JSON("{type: envelope, key: k, carry: header}"), "{\"a\":\"1 High St\"}", 6, 2);
}

static void stored_ones(void **state)
{
	nothing_passes(JSON("{type: envelope, key: {name: k, per: $.id}}"), "{\"a\":\"1 High St\",\"id\":7}", 6, 9);
}

static void payloads(void **state)
{
	nothing_passes(HEAD
		       "topics: [{match: t, format: bytes, protect: {$: {type: envelope, key: k, carry: bytes}}}]\n",
		       "a payload", 0, 0);
	nothing_passes(HEAD "topics: [{match: t, format: bytes, protect: {$: {type: envelope, key: k}}}]\n",
		       "a payload", 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_ones),
		cmocka_unit_test(carried_ones),
		cmocka_unit_test(stored_ones),
		cmocka_unit_test(payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
