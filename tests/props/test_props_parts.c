/*
 * parts: laws over random record keys and headers: round trip; equal in a key, a header and a field of one domain, and only
 * there; no bit and no byte of a protected header can be changed, and nothing that is no text comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "json/string.h"
#include "kit.h"
#include "prop.h"

#define TEXT_MAX 256
#define ROUNDS 300

/* The entries of one policy: what they protect agrees where they share the domain. */
#define POLICY                                                                                                       \
	"version: 1\nkeys: {c: 'fake:convergent', k: 'fake:aes'}\n"                                                  \
	"methods: {id: {type: deterministic, key: c, bind: {domain: d}}, other: {type: deterministic, key: c}}\n"    \
	"topics:\n- match: t\n  protect: {$.a: id}\n  key: id\n"                                                     \
	"  headers: {x: id, y: other, z: other, w: {type: encrypt, key: k}}\n"                                       \
	"- {match: u, protect: {$.a: id}, key: {$.a: id}}\n"

enum { VALUE, KEY, DOMAIN_HEADER, Y, Z, ENCRYPTED, JSON_KEY, ENTRIES };

struct text {
	uint8_t bytes[TEXT_MAX];
	size_t len;
};

struct world {
	struct kit kit;
	const struct policy_topic *entries[ENTRIES];
	struct prop_random dice;
};

static void world_begin(struct world *w, uint64_t seed)
{
	const struct policy_topic *topics;

	kit_open(&w->kit, POLICY);
	topics = w->kit.policy->topics;
	w->entries[VALUE] = &topics[0];
	w->entries[KEY] = topics[0].key;
	for (int i = 0; i < 4; i++)
		w->entries[DOMAIN_HEADER + i] = topics[0].headers[i];
	w->entries[JSON_KEY] = topics[1].key;
	w->dice = prop_seed(seed);
}

static struct seal_bytes view(const struct text *text)
{
	return bytes_of(text->bytes, text->len);
}

/* Any characters, also none. */
static struct text draw(struct world *w)
{
	const uint32_t n = prop_below(&w->dice, 20);
	struct text text = {.len = 0};

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t c = prop_below(&w->dice, prop_below(&w->dice, 2) ? 0x80 : 0x110000);

		text.len += utf8_put(c >= 0xd800 && c <= 0xdfff ? 0x20ac : c, text.bytes + text.len);
	}
	return text;
}

static const struct engine_result *run(struct world *w, int entry, enum engine_direction direction,
				       struct seal_bytes value)
{
	w->kit.topic = w->entries[entry];
	return kit_one(&w->kit, direction, value);
}

static struct text must(struct world *w, int entry, enum engine_direction direction, struct seal_bytes value)
{
	const struct engine_result *result = run(w, entry, direction, value);
	struct text text;

	assert_null(result->err);
	assert_true(result->value.len <= sizeof(text.bytes));
	text.len = result->value.len;
	memcpy(text.bytes, result->value.ptr, text.len);
	return text;
}

/* {"a": TEXT}, and of such a document the text, which has no escapes. */
static struct seal_bytes document(const struct text *text, uint8_t out[JSON_STRING_MAX(TEXT_MAX) + 16])
{
	size_t len = 5;

	memcpy(out, "{\"a\":", len);
	len += json_string_write(view(text), out + len);
	out[len++] = '}';
	return bytes_of(out, len);
}

static struct seal_bytes inside(const struct text *document)
{
	return bytes_of(document->bytes + 6, document->len - 8);
}

static void equal_where_they_share_a_domain(void **state)
{
	uint8_t out[JSON_STRING_MAX(TEXT_MAX) + 16];
	struct world w;

	world_begin(&w, 1);
	for (int i = 0; i < ROUNDS; i++) {
		const struct text plain = draw(&w);
		const struct text key = must(&w, KEY, ENGINE_PROTECT, view(&plain));
		const struct text header = must(&w, DOMAIN_HEADER, ENGINE_PROTECT, view(&plain));
		const struct text value = must(&w, VALUE, ENGINE_PROTECT, document(&plain, out));
		const struct text json_key = must(&w, JSON_KEY, ENGINE_PROTECT, document(&plain, out));
		const struct text y = must(&w, Y, ENGINE_PROTECT, view(&plain));
		const struct text z = must(&w, Z, ENGINE_PROTECT, view(&plain));

		assert_true(bytes_eq(view(&key), view(&header)));
		assert_true(bytes_eq(view(&key), inside(&value)));
		assert_true(bytes_eq(view(&key), inside(&json_key)));
		assert_false(bytes_eq(view(&key), view(&y))); /* bound to its name */
		assert_false(bytes_eq(view(&z), view(&y)));
	}
	kit_close(&w.kit);
}

static void round_trips(void **state)
{
	struct world w;

	world_begin(&w, 2);
	for (int i = 0; i < ROUNDS; i++) {
		const struct text plain = draw(&w);

		for (int entry = KEY; entry <= ENCRYPTED; entry++) {
			const struct text made = must(&w, entry, ENGINE_PROTECT, view(&plain));
			const struct text back = must(&w, entry, ENGINE_REVEAL, view(&made));

			assert_true(utf8_valid(view(&made)));
			assert_true(bytes_eq(view(&back), view(&plain)));
			for (int other = Y; other <= ENCRYPTED; other++)
				if (other != entry)
					assert_non_null(run(&w, other, ENGINE_REVEAL, view(&made))->err);
		}
	}
	kit_close(&w.kit);
}

static void refused(struct world *w, int entry, struct seal_bytes value)
{
	const struct engine_result *result = run(w, entry, ENGINE_REVEAL, value);

	assert_non_null(result->err);
	assert_int_equal(result->err->status, SEAL_DATA);
	assert_string_equal(result->err->place, w->entries[entry]->root);
	assert_null(result->value.ptr);
}

static void each_bit_and_cut(void **state)
{
	struct world w;

	world_begin(&w, 3);
	for (int i = 0; i < 20; i++) {
		const struct text plain = draw(&w);

		for (int entry = KEY; entry <= ENCRYPTED; entry++) {
			const struct text made = must(&w, entry, ENGINE_PROTECT, view(&plain));

			for (size_t bit = 0; bit < 8 * made.len; bit++) {
				struct text changed = made;

				changed.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
				refused(&w, entry, view(&changed));
			}
			for (size_t len = 0; len < made.len; len++)
				refused(&w, entry, bytes_of(made.bytes, len));
		}
	}
	kit_close(&w.kit);
}

/* Bytes that are no text are refused in both directions, wherever they go wrong. */
static void only_text(void **state)
{
	struct world w;

	world_begin(&w, 4);
	for (int i = 0; i < ROUNDS; i++) {
		struct text plain = draw(&w);
		const size_t at = prop_below(&w.dice, (uint32_t)plain.len + 1);

		memmove(plain.bytes + at + 1, plain.bytes + at, plain.len - at);
		plain.bytes[at] = 0xff;
		plain.len++;
		for (int entry = KEY; entry <= ENCRYPTED; entry++) {
			const struct engine_result *result = run(&w, entry, ENGINE_PROTECT, view(&plain));

			assert_non_null(result->err);
			assert_int_equal(result->err->code, SEAL_E_SYNTAX);
			refused(&w, entry, view(&plain));
		}
	}
	kit_close(&w.kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_where_they_share_a_domain),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(each_bit_and_cut),
		cmocka_unit_test(only_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
