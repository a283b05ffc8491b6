/*
 * The engine on arbitrary records, keys and headers, in all directions, under rules of every method. The input's first byte says which of the
 * policies below; the rest is one record.
 *
 * What is refused gives no value and says so in one line; what is taken is JSON again; what was protected can be
 * revealed, and is then what it was, but for escapes.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "json/scan.h"
#include "kit.h"

/* KIT_HEAD with a convergent key. */
#define HEAD                                                                                                         \
	"version: 1\nnamespace: shop\nkeys: {k: 'fake:aes', f: 'fake:ff1', h: 'fake:hmac', c: 'fake:convergent'}\n"

#define ALL_METHODS                                                                                                  \
	"$.a: {type: encrypt, key: k}, $.n: {type: encrypt, key: k, bind: none}, '$.w[*].e': {type: encrypt, key: "  \
	"k}, "                                                                                                       \
	"$.f: {type: fpe, key: f, bind: none}, $.u: {type: fpe, key: f, alphabet: 'αβγδ\"'}, "                   \
	"$.b: {type: encrypt, key: k, bind: {record: $.id}}, $.d: {type: deterministic, key: c, bind: {domain: d}}"

/* … for keys and headers, whose first rules are used. */
#define PARTS(rest) HEAD "topics:\n- match: t\n  protect: {$.v: {type: encrypt, key: k}}\n" rest

static const struct {
	const char *text;
	bool json, reversible;
	enum record_part part;
} policies[] = {
	{HEAD "topics: [{match: t, protect: {" ALL_METHODS "}}]\n", true, true, PART_VALUE},
	{HEAD "topics: [{match: t, on_protected: keep, on_plaintext: pass, on_null: keep, protect: {" ALL_METHODS
	      ", $.m: {type: mask, keep: {last: 2}}, $.h: {type: hash, key: h}, $.r: {type: redact}, "
	      "$.x: {type: remove}}}]\n",
	 true, false, PART_VALUE},
	{HEAD "topics: [{match: t, protect: {$..s: {type: encrypt, key: k}}}]\n", true, true, PART_VALUE},
	{HEAD "topics: [{match: t, format: bytes, protect: {$: {type: encrypt, key: k}}}]\n", false, true,
	 PART_VALUE},
	{PARTS("  key: {type: fpe, key: f}\n"), false, true, PART_KEY},
	{PARTS("  key: {$.id: {type: fpe, key: f}, '$.any.*': {type: fpe, key: f, bind: {domain: d}}}\n"), true, true,
	 PART_KEY},
	{PARTS("  headers: {x: {type: encrypt, key: k}}\n"), false, true, PART_HEADER},
	{PARTS("  on_protected: keep\n  on_plaintext: pass\n  headers: {x: {type: encrypt, key: k, bind: none}}\n"),
	 false, false, PART_HEADER},
};

#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static struct kit kits[POLICIES], again[POLICIES];

static void open_kit(struct kit *kit, size_t which)
{
	const struct policy_topic *topic;

	kit_open(kit, policies[which].text);
	topic = kit->topic;
	if (policies[which].part == PART_KEY)
		kit->topic = topic->key;
	else if (policies[which].part == PART_HEADER)
		kit->topic = topic->headers[0];
}

static bool check_result(const struct engine_result *result, size_t which)
{
	if (result->err == NULL) {
		CHECK(result->value.ptr != NULL);
		CHECK(!policies[which].json || json_is_value(result->value, true));
		CHECK(kits[which].topic->format != FORMAT_TEXT || utf8_valid(result->value));
		return true;
	}
	CHECK(policies[which].part == PART_VALUE ||
	      bytes_starts(bytes_str(result->err->place), bytes_str(kits[which].topic->root)));
	CHECK(result->value.ptr == NULL && result->cells == 0);
	CHECK(result->err->status == SEAL_DATA && result->err->code != SEAL_E_NONE);
	CHECK(result->err->text[0] != '\0' && strchr(result->err->text, '\n') == NULL);
	return false;
}

static void check_round_trip(size_t which, struct seal_bytes record)
{
	const struct engine_result *result = kit_one(&kits[which], ENGINE_PROTECT, record);

	if (!check_result(result, which))
		return;
	result = kit_one(&again[which], ENGINE_REVEAL, result->value);
	if (!policies[which].reversible) {
		(void)check_result(result, which);
		return;
	}
	CHECK(check_result(result, which));
	if (record.len == 0 || memchr(record.ptr, '\\', record.len) == NULL)
		CHECK(bytes_eq(result->value, record));
}

/* What can be revealed can be rewrapped; here it is under the newest version already. */
static void check_rewrap(size_t which, struct seal_bytes record)
{
	const bool revealed = check_result(kit_one(&again[which], ENGINE_REVEAL, record), which);
	const struct engine_result *result = kit_one(&kits[which], ENGINE_REWRAP, record);

	CHECK(check_result(result, which) || !revealed);
	CHECK(result->err == NULL || result->kept == 0);
	if (result->err == NULL && result->cells == 0)
		CHECK(bytes_eq(result->value, record));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_bytes record;
	size_t which;

	if (size == 0)
		return 0;
	which = data[0] % POLICIES;
	if (kits[which].engine == NULL) {
		open_kit(&kits[which], which);
		open_kit(&again[which], which);
	}
	record = bytes_of(data + 1, size - 1);
	check_rewrap(which, record);
	check_round_trip(which, record);
	return 0;
}
