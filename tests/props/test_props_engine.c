/*
 * engine: laws over random documents under random policies.
 *
 * A document is written value by value, and each value remembers where it stands and which rule names it, so the test
 * knows without the engine what must change and what must not.
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

#define FIELDS 6 /* members $.m0 … $.m5, at most one rule each */
#define SPANS_MAX 64
#define DOC_MAX 16384
#define ROUNDS 300

enum shape { AT_MEMBER, AT_CHILD, AT_ELEMENTS, AT_ELEMENT_CHILD, SHAPES };

static const char *const shape_paths[SHAPES] = {"$.m%u", "$.m%u.v", "$.m%u[*]", "$.m%u[*].v"};

/* What a rule does; the first two can be revealed. */
enum does { ENCRYPTS, FPES, MASKS, REDACTS, DOES };

static const char *const does_text[DOES] = {"{type: encrypt, key: k, bind: %s}", "{type: fpe, key: f, bind: %s}",
					    "{type: mask}", "{type: redact}"};
static const char *const binds[] = {"place", "none", "{domain: d}"};

struct rule {
	bool is;
	enum shape shape;
	enum does does;
};

struct span {
	size_t start, end;
	const struct rule *rule;
};

struct world {
	struct prop_random dice;
	struct rule rules[FIELDS];
	char policy[4096];
	char doc[DOC_MAX];
	size_t len;
	struct span spans[SPANS_MAX];
	size_t n_spans;
};

static void put(struct world *w, const char *text)
{
	size_t len = strlen(text);

	assert_true(w->len + len < sizeof(w->doc));
	memcpy(w->doc + w->len, text, len + 1);
	w->len += len;
}

static void put_space(struct world *w)
{
	static const char *const spaces[] = {"", "", "", " ", "\n", "\t ", " \r"};

	put(w, spaces[prop_below(&w->dice, sizeof(spaces) / sizeof(spaces[0]))]);
}

/* A string as json_string_write makes it, of any characters. */
static void put_string(struct world *w)
{
	uint8_t text[64], quoted[JSON_STRING_MAX(sizeof(text)) + 1];
	size_t len = 0, n = prop_below(&w->dice, 12);

	for (size_t i = 0; i < n; i++) {
		uint32_t c = prop_below(&w->dice, prop_below(&w->dice, 2) ? 0x80 : 0x110000);

		len += utf8_put(c >= 0xd800 && c <= 0xdfff ? 0x20ac : c, text + len);
	}
	quoted[json_string_write(bytes_of(text, len), quoted)] = '\0';
	put(w, (const char *)quoted);
}

static void put_digits(struct world *w, bool quoted)
{
	char text[64];
	size_t n = (quoted ? 6 : 7) + prop_below(&w->dice, 20), at = 0;

	if (quoted)
		text[at++] = '"';
	for (size_t i = 0; i < n; i++) {
		text[at++] = (char)('0' + (i == 0 ? 1 + prop_below(&w->dice, 9) : prop_below(&w->dice, 10)));
		if (quoted && prop_below(&w->dice, 5) == 0)
			text[at++] = '-';
	}
	if (quoted)
		text[at++] = '"';
	text[at] = '\0';
	put(w, text);
}

static void put_any(struct world *w, int depth)
{
	static const char *const scalars[] = {"null",  "true",	       "-1.50e+05", "0", "12345678901234567890",
					      "false", "\"\\ud800x\"", "[ ]",	    "{}"};
	uint32_t n = prop_below(&w->dice, 4);

	switch (prop_below(&w->dice, depth > 0 ? 4 : 2)) {
	case 0:
		put_string(w);
		break;
	case 1:
		put(w, scalars[prop_below(&w->dice, sizeof(scalars) / sizeof(scalars[0]))]);
		break;
	case 2:
		put(w, "[");
		for (uint32_t i = 0; i < n; i++) {
			put(w, i ? ", " : "");
			put_any(w, depth - 1);
		}
		put(w, "]");
		break;
	default:
		put(w, "{");
		for (uint32_t i = 0; i < n; i++) {
			put(w, i ? ",\"m1\" :" : "\"v\":");
			put_any(w, depth - 1);
		}
		put(w, "}");
	}
}

/* A value that `rule` names (NULL: none does), of a type that its method takes. */
static void put_value(struct world *w, const struct rule *rule)
{
	size_t start = w->len;

	if (rule == NULL || rule->does == ENCRYPTS || rule->does == REDACTS)
		put_any(w, 3);
	else if (rule->does == FPES)
		put_digits(w, prop_below(&w->dice, 2));
	else
		put_string(w);
	if (rule == NULL)
		return;
	assert_true(w->n_spans < SPANS_MAX);
	w->spans[w->n_spans++] = (struct span){start, w->len, rule};
}

static void put_object(struct world *w, const struct rule *rule)
{
	put(w, "{\"x\":");
	put_value(w, NULL);
	if (prop_below(&w->dice, 4) != 0) {
		put(w, prop_below(&w->dice, 2) ? ",\"v\":" : " , \"\\u0076\" : ");
		put_value(w, rule);
	}
	put(w, "}");
}

static void put_member(struct world *w, const struct rule *rule)
{
	const enum shape shape = rule != NULL ? rule->shape : (enum shape)prop_below(&w->dice, SHAPES);
	uint32_t n = prop_below(&w->dice, 4);

	switch (shape) {
	case AT_MEMBER:
		put_value(w, rule);
		break;
	case AT_CHILD:
		put_object(w, rule);
		break;
	default:
		put(w, "[");
		for (uint32_t i = 0; i < n; i++) {
			put(w, i ? "," : " ");
			if (shape == AT_ELEMENTS)
				put_value(w, rule);
			else
				put_object(w, rule);
			put_space(w);
		}
		put(w, "]");
	}
}

static void make_policy(struct world *w, uint32_t does)
{
	size_t at = (size_t)snprintf(w->policy, sizeof(w->policy), "%s",
				     KIT_HEAD "topics:\n- match: t\n  protect:\n"
					      "    $.unused: {type: remove}\n");

	for (unsigned i = 0; i < FIELDS; i++) {
		struct rule *rule = &w->rules[i];

		*rule = (struct rule){prop_below(&w->dice, 3) != 0, (enum shape)prop_below(&w->dice, SHAPES),
				      (enum does)prop_below(&w->dice, does)};
		if (!rule->is)
			continue;
		at += (size_t)snprintf(w->policy + at, sizeof(w->policy) - at, "    ");
		at += (size_t)snprintf(w->policy + at, sizeof(w->policy) - at, shape_paths[rule->shape], i);
		at += (size_t)snprintf(w->policy + at, sizeof(w->policy) - at, ": ");
		at += (size_t)snprintf(w->policy + at, sizeof(w->policy) - at, does_text[rule->does],
				       binds[prop_below(&w->dice, 3)]);
		at += (size_t)snprintf(w->policy + at, sizeof(w->policy) - at, "\n");
	}
}

static void make_document(struct world *w)
{
	w->len = w->n_spans = 0;
	put_space(w);
	put(w, "{");
	for (unsigned i = 0; i < FIELDS + 2; i++) {
		unsigned field = prop_below(&w->dice, FIELDS); /* duplicates happen */
		char name[32];

		put(w, i ? "," : "");
		put_space(w);
		snprintf(name, sizeof(name), prop_below(&w->dice, 8) ? "\"m%u\":" : "\"\\u006d%u\" : ", field);
		put(w, name);
		put_space(w);
		put_member(w, w->rules[field].is ? &w->rules[field] : NULL);
		put_space(w);
	}
	put(w, "}");
	put_space(w);
}

/* Where the string or number that starts at `at` ends. */
static size_t value_end(const char *text, size_t at)
{
	if (text[at] != '"')
		return at + strspn(text + at, "0123456789");
	for (at++; text[at] != '"'; at++)
		at += text[at] == '\\';
	return at + 1;
}

/* Everything outside the spans is as it was, everything inside is what the method makes. */
static void check_protected(const struct world *w, const char *got, size_t len)
{
	size_t from = 0, at = 0;

	for (size_t i = 0; i < w->n_spans; i++) {
		const struct span *span = &w->spans[i];
		size_t end;

		assert_memory_equal(got + at, w->doc + from, span->start - from);
		at += span->start - from;
		from = span->end;
		end = value_end(got, at);
		switch (span->rule->does) {
		case ENCRYPTS:
			assert_true(strncmp(got + at, "\"vault:v2:", 10) == 0 ||
				    strncmp(got + at, "\"json+vault:v2:", 15) == 0);
			break;
		case FPES:
			assert_int_equal(end - at, span->end - span->start);
			assert_memory_not_equal(got + at, w->doc + span->start, end - at);
			break;
		case REDACTS:
			assert_memory_equal(got + at, "\"[redacted]\"", 12);
			break;
		default:
			for (size_t c = at + 1; c < end - 1; c++)
				assert_int_equal(got[c], '*');
		}
		at = end;
	}
	assert_int_equal(len - at, w->len - from);
	assert_memory_equal(got + at, w->doc + from, w->len - from);
}

static const struct engine_result *run(struct kit *kit, const struct world *w, enum engine_direction direction,
				       struct seal_bytes value)
{
	const struct engine_result *result = kit_one(kit, direction, value);

	if (result->err != NULL)
		fail_msg("%s: %s\n%s\n%s", result->err->place, result->err->text, w->policy, w->doc);
	return result;
}

static char *copy_of(struct seal_bytes value)
{
	static char text[8 * DOC_MAX];

	assert_true(value.len < sizeof(text));
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	return text;
}

static void only_what_is_named_changes_and_comes_back(void **state)
{
	static struct world w;
	size_t cells = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct engine_result *result;
		struct kit kit;
		char *text;

		w.dice = prop_seed(round);
		make_policy(&w, 2);
		kit_open(&kit, w.policy);
		for (unsigned i = 0; i < 4; i++) {
			make_document(&w);
			result = run(&kit, &w, ENGINE_PROTECT, bytes_of(w.doc, w.len));
			assert_int_equal(result->cells, w.n_spans);
			text = copy_of(result->value);
			check_protected(&w, text, result->value.len);
			result = run(&kit, &w, ENGINE_REVEAL, bytes_str(text));
			assert_int_equal(result->cells, w.n_spans);
			if (!bytes_eq(result->value, bytes_of(w.doc, w.len)))
				fail_msg("%s\n%s\n%s", w.policy, w.doc, copy_of(result->value));
			cells += result->cells;
		}
		kit_close(&kit);
	}
	assert_true(cells > (size_t)8 * ROUNDS); /* the documents do have what the policies name */
}

/* The policy with a key that has its first version only. */
static const char *before_rotation(const struct world *w)
{
	static char text[sizeof(w->policy) + 1];
	const char *key = strstr(w->policy, "fake:aes");

	assert_non_null(key);
	key += strlen("fake:aes");
	snprintf(text, sizeof(text), "%.*s1%s", (int)(key - w->policy), w->policy, key);
	return text;
}

static size_t encrypted_spans(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_spans; i++)
		n += w->spans[i].rule->does == ENCRYPTS;
	return n;
}

/* What was protected under the old version is rewrapped to what protecting now gives, and reveals to what it was. */
static void rewrapping_changes_versions_alone(void **state)
{
	static char again[8 * DOC_MAX];
	static struct world w;
	size_t cells = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct engine_result *result;
		struct kit old, kit;
		char *text;

		w.dice = prop_seed(3 * ROUNDS + round);
		make_policy(&w, DOES);
		make_document(&w);
		kit_open(&old, before_rotation(&w));
		text = copy_of(run(&old, &w, ENGINE_PROTECT, bytes_of(w.doc, w.len))->value);
		kit_open(&kit, w.policy);
		result = run(&kit, &w, ENGINE_REWRAP, bytes_str(text));
		assert_int_equal(result->cells, encrypted_spans(&w));
		assert_int_equal(result->kept, 0);
		cells += result->cells;
		memcpy(again, result->value.ptr, result->value.len);
		again[result->value.len] = '\0';
		check_protected(&w, again, result->value.len);

		result = run(&kit, &w, ENGINE_REWRAP, bytes_str(again));
		assert_true(result->cells == 0 && result->kept == encrypted_spans(&w));
		assert_true(bytes_eq_str(result->value, again));

		/* Both reveal alike: what is format-preserving was left alone. */
		text = copy_of(run(&kit, &w, ENGINE_REVEAL, bytes_str(text))->value);
		result = run(&kit, &w, ENGINE_REVEAL, bytes_str(again));
		assert_true(bytes_eq_str(result->value, text));
		kit_close(&old);
		kit_close(&kit);
	}
	assert_true(cells > ROUNDS);
}

static void one_way_methods_leave_the_rest_alone(void **state)
{
	static struct world w;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct engine_result *result;
		struct kit kit;

		w.dice = prop_seed(ROUNDS + round);
		make_policy(&w, DOES);
		kit_open(&kit, w.policy);
		make_document(&w);
		result = run(&kit, &w, ENGINE_PROTECT, bytes_of(w.doc, w.len));
		check_protected(&w, copy_of(result->value), result->value.len);
		kit_close(&kit);
	}
}

/* The batch does not matter: records one by one, or all at once with broken ones between, give values that reveal alike. */
static void batches_are_as_good_as_single_records(void **state)
{
	static struct world w;
	static char docs[16][DOC_MAX];
	struct seal_bytes values[32];
	struct engine_result results[32];
	struct kit kit;

	for (unsigned round = 0; round < 40; round++) {
		w.dice = prop_seed(2 * ROUNDS + round);
		make_policy(&w, 2);
		kit_open(&kit, w.policy);
		for (unsigned i = 0; i < 32; i++) {
			values[i] = i % 3 == 0 ? bytes_str("{\"m0\":[\"x\",}") : BYTES_EMPTY;
			if (i % 2 == 0)
				continue;
			make_document(&w);
			memcpy(docs[i / 2], w.doc, w.len + 1);
			values[i] = bytes_str(docs[i / 2]);
		}
		assert_int_equal(engine_run(kit.engine, kit.topic, ENGINE_PROTECT, values, 32, results, NULL),
				 SEAL_OK);
		for (unsigned i = 0; i < 32; i++) {
			if (i % 2 == 0) {
				assert_null(results[i].value.ptr);
				assert_int_equal(results[i].err != NULL, i % 3 == 0);
			} else {
				assert_null(results[i].err);
				values[i] = results[i].value;
			}
		}
		for (unsigned i = 1; i < 32; i += 2) {
			struct kit other;

			kit_open(&other, w.policy);
			assert_true(
				bytes_eq(run(&other, &w, ENGINE_REVEAL, values[i])->value, bytes_str(docs[i / 2])));
			kit_close(&other);
		}
		kit_close(&kit);
	}
}

/* The protected text of one random value, as `{"m0":"…"}`. */
static char *one_protected(struct kit *kit, struct world *w)
{
	w->rules[0] = (struct rule){true, AT_MEMBER, ENCRYPTS};
	w->len = w->n_spans = 0;
	put(w, "{\"m0\":");
	put_value(w, &w->rules[0]);
	put(w, "}");
	return copy_of(run(kit, w, ENGINE_PROTECT, bytes_of(w->doc, w->len))->value);
}

static void refused(struct kit *kit, const char *text, size_t len)
{
	const struct engine_result *result = kit_one(kit, ENGINE_REVEAL, bytes_of(text, len));

	if (result->err == NULL)
		fail_msg("revealed: %.*s", (int)len, text);
	assert_int_equal(result->err->status, SEAL_DATA);
	assert_null(result->value.ptr);
}

#define TWO "topics: [{match: t, protect: {$.m0: {type: encrypt, key: k}, $.m1: {type: encrypt, key: k}}}]\n"

static void each_flipped_bit_and_each_cut_is_refused(void **state)
{
	static struct world w;
	char cut[4096];
	struct kit kit;
	char *text;
	size_t len;

	kit_open(&kit, KIT_HEAD TWO);
	for (unsigned round = 0; round < 12; round++) {
		w.dice = prop_seed(3 * ROUNDS + round);
		text = one_protected(&kit, &w);
		len = strlen(text);
		if (len > 400)
			continue;
		for (size_t at = 7; at < len - 2; at++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				text[at] ^= (char)(1 << bit);
				refused(&kit, text, len);
				text[at] ^= (char)(1 << bit);
			}
			refused(&kit, cut, (size_t)snprintf(cut, sizeof(cut), "%.*s\"}", (int)at, text));
			refused(&kit, cut, (size_t)snprintf(cut, sizeof(cut), "{\"m0\":\"%s", text + at + 1));
			refused(&kit, cut,
				(size_t)snprintf(cut, sizeof(cut), "%.*s%s", (int)at, text, text + at + 1));
		}
		assert_true(bytes_eq(kit_one(&kit, ENGINE_REVEAL, bytes_str(text))->value, bytes_of(w.doc, w.len)));
	}
	kit_close(&kit);
}

static void ciphertext_moves_nowhere(void **state)
{
	static struct world w;
	struct kit kit, elsewhere;
	char moved[DOC_MAX];
	char *text;

	kit_open(&kit, KIT_HEAD TWO);
	kit_open(&elsewhere, "version: 1\nnamespace: sho\nkeys: {k: 'fake:aes'}\n" TWO);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool json;

		w.dice = prop_seed(4 * ROUNDS + round);
		text = one_protected(&kit, &w);
		if (strlen(text) > sizeof(moved) - 16)
			continue;
		json = strncmp(text, "{\"m0\":\"json+", 12) == 0;
		refused(&elsewhere, text, strlen(text));
		text[3] = '1';
		refused(&kit, text, strlen(text));
		text[3] = '0';
		refused(&kit, moved,
			(size_t)snprintf(moved, sizeof(moved), "{\"m0\":\"%s%s", json ? "" : "json+",
					 text + (json ? 12 : 7)));
		assert_true(bytes_eq(kit_one(&kit, ENGINE_REVEAL, bytes_str(text))->value, bytes_of(w.doc, w.len)));
	}
	kit_close(&elsewhere);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_named_changes_and_comes_back),
		cmocka_unit_test(rewrapping_changes_versions_alone),
		cmocka_unit_test(one_way_methods_leave_the_rest_alone),
		cmocka_unit_test(batches_are_as_good_as_single_records),
		cmocka_unit_test(each_flipped_bit_and_each_cut_is_refused),
		cmocka_unit_test(ciphertext_moves_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
