/* deterministic: laws over random values: round trip, equality and nothing else, each bit flipped, cut at each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../unit/keyring_fixture.h"

#include "base/encode.h"
#include "kit.h"
#include "prop.h"

#define POLICY                                                                                                       \
	"version: 1\nkeys: {k: 'local:k'}\n"                                                                         \
	"topics: [{match: t, format: bytes, protect: {$: {type: deterministic, key: k}}}]\n"
#define PREFIX_LEN (sizeof("vault:v1:") - 1)
#define VALUE_MAX 100
#define TEXT_MAX (PREFIX_LEN + BASE64_LEN(VALUE_MAX + 28))

static const char *const types[] = {"aes256-gcm96", "aes128-gcm96", "chacha20-poly1305"};

struct world {
	struct fixture f;
	struct kit kit;
	struct prop_random dice;
};

static void world_begin(struct world *w, const char *type, uint64_t seed)
{
	const struct key_admin_new how = {.type = type, .derived = true, .convergent = true};

	fixture_open(&w->f);
	OK(&w->f, keyring_create(w->f.keyring, BYTES_LIT("k"), &how, &w->f.err));
	OK(&w->f, kit_try(&w->kit, POLICY, &w->f.config, NULL, &w->f.err));
	w->dice = prop_seed(seed);
}

static void world_end(struct world *w)
{
	kit_close(&w->kit);
	fixture_close(&w->f);
}

static size_t draw(struct world *w, uint8_t value[VALUE_MAX])
{
	const size_t len = prop_below(&w->dice, VALUE_MAX + 1);

	for (size_t i = 0; i < len; i++)
		value[i] = (uint8_t)prop_below(&w->dice, 256);
	return len;
}

/* The text of a value, in `text`; its length. */
static size_t protect(struct world *w, struct seal_bytes value, uint8_t text[TEXT_MAX])
{
	const struct engine_result *result = kit_one(&w->kit, ENGINE_PROTECT, value);

	assert_null(result->err);
	assert_true(result->value.len <= TEXT_MAX);
	memcpy(text, result->value.ptr, result->value.len);
	return result->value.len;
}

static void reveals(struct world *w, struct seal_bytes text, struct seal_bytes value)
{
	const struct engine_result *result = kit_one(&w->kit, ENGINE_REVEAL, text);

	assert_null(result->err);
	assert_true(bytes_eq(result->value, value));
}

static void refused(struct world *w, struct seal_bytes text)
{
	const struct engine_result *result = kit_one(&w->kit, ENGINE_REVEAL, text);

	assert_true(result->err != NULL && result->value.ptr == NULL);
}

static void equal_if_and_only_if_equal(void **state)
{
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		uint8_t a[VALUE_MAX], b[VALUE_MAX], text_a[TEXT_MAX], text_b[TEXT_MAX];
		struct world w;

		world_begin(&w, types[t], t);
		for (int round = 0; round < 300; round++) {
			const size_t len = draw(&w, a);
			size_t len_b = len, n, m;

			memcpy(b, a, len);
			if (len > 0 && round % 3 == 1)
				b[prop_below(&w.dice, (uint32_t)len)] ^= (uint8_t)(1 << prop_below(&w.dice, 8));
			else if (round % 3 == 2)
				len_b = draw(&w, b);
			n = protect(&w, bytes_of(a, len), text_a);
			m = protect(&w, bytes_of(b, len_b), text_b);
			assert_int_equal(bytes_eq(bytes_of(text_a, n), bytes_of(text_b, m)),
					 bytes_eq(bytes_of(a, len), bytes_of(b, len_b)));
			reveals(&w, bytes_of(text_a, n), bytes_of(a, len));
			reveals(&w, bytes_of(text_b, m), bytes_of(b, len_b));
		}
		world_end(&w);
	}
}

/* Every bit of nonce, ciphertext and tag. */
static void a_flipped_bit_is_refused(void **state)
{
	uint8_t value[VALUE_MAX], text[TEXT_MAX], raw[BASE64_RAW_MAX(TEXT_MAX)];
	struct world w;
	size_t n, len;

	world_begin(&w, types[0], 7);
	n = protect(&w, bytes_of(value, draw(&w, value)), text);
	assert_true(base64_decode(bytes_of(text + PREFIX_LEN, n - PREFIX_LEN), raw, &len));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(base64_encode(bytes_of(raw, len), (char *)text + PREFIX_LEN), n - PREFIX_LEN);
		refused(&w, bytes_of(text, n));
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	world_end(&w);
}

static void a_cut_text_is_refused(void **state)
{
	uint8_t value[VALUE_MAX], text[TEXT_MAX];
	struct world w;
	size_t n;

	world_begin(&w, types[0], 8);
	n = protect(&w, bytes_of(value, draw(&w, value)), text);
	for (size_t cut = 0; cut < n; cut++)
		refused(&w, bytes_of(text, cut));
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_if_and_only_if_equal),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(a_cut_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
