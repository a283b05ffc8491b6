/*
 * policy_parts: do `key`, `key_format`, `headers` and `allow` become the entries and places that they say, and
 * are they explained and tested as such?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "policy/explain.h"
#include "policy/tests.h"
#include "policy_fake.h"

/* A policy for one topic; `rest` is what follows its protect. */
#define TOPIC(rest)                                                                                                  \
	"version: 1\nnamespace: n\nkeys: {k: local:k}\n"                                                             \
	"methods: {id: {type: fpe, key: k, alphabet: x}, secret: {type: encrypt, key: k}}\n"                         \
	"topics:\n- match: t\n  protect: {$.a: secret}\n" rest

static enum seal_status try_load(const char *text, struct policy **policy, struct seal_err *err)
{
	*err = (struct seal_err)SEAL_ERR_INIT;
	return policy_load(bytes_str(text), "p.yaml", &fake_schema, NULL, policy, err);
}

static struct policy *load(const char *text)
{
	struct seal_err err;
	struct policy *policy = NULL;

	if (try_load(text, &policy, &err) != SEAL_OK)
		print_error("%s: %s\n", err.place, err.text);
	assert_non_null(policy);
	return policy;
}

static void check_place(struct seal_bytes place, const char *hex)
{
	uint8_t expected[256];

	assert_int_equal(strlen(hex), 2 * place.len);
	assert_true(hex_decode(bytes_str(hex), expected));
	assert_memory_equal(place.ptr, expected, place.len);
}

/* `text` is refused, and the first error says so at `place`. */
static void check_refused(const char *text, const char *place, const char *said)
{
	struct seal_err err;
	struct policy *policy = NULL;

	assert_int_equal(try_load(text, &policy, &err), SEAL_USAGE);
	assert_null(policy);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	if (strstr(err.text, said) == NULL || strcmp(err.place, place) != 0)
		print_error("%s\n%s: %s\n", text, err.place, err.text);
	assert_string_equal(err.place, place);
	assert_non_null(strstr(err.text, said));
}

/* Record keys ------------------------------------------------------------------------------------------------ */

static void key_as_text(void **state)
{
	struct policy *policy = load(TOPIC("  key: id\n"));
	const struct policy_topic *topic = policy_topic_only(policy), *key = topic->key;

	assert_int_equal(policy->n_entries, 1);
	assert_int_equal(policy->n_topics, 2);
	assert_ptr_equal(topic, &policy->topics[0]);
	assert_ptr_equal(key, &policy->topics[1]);
	assert_int_equal(topic->part, PART_VALUE);
	assert_string_equal(topic->root, "$");
	assert_null(topic->headers);
	assert_int_equal(key->index, 1);
	assert_int_equal(key->part, PART_KEY);
	assert_int_equal(key->format, FORMAT_TEXT);
	assert_int_equal(key->n_patterns, 0);
	assert_null(key->matches[0]);
	assert_int_equal(key->n_rules, 1);
	assert_string_equal(key->root, "key");
	assert_string_equal(key->rules[0].path_text, "key");
	assert_true(bytes_eq_str(key->rules[0].path, "key"));
	assert_string_equal(key->rules[0].method->name, "id");
	assert_int_equal(key->rules[0].record_path, UINT32_MAX);
	check_place(key->rules[0].place_string, "0101000000016e000000036b657901");
	check_place(key->rules[0].place_bytes, "0101000000016e000000036b657903");
	assert_null(policy_topic_find(policy, BYTES_LIT("key")));
	assert_null(policy_topic_find(policy, BYTES_LIT("")));
	policy_free(policy);
}

static void key_as_bytes(void **state)
{
	struct policy *policy = load(TOPIC("  key: {type: same, key: k}\n  key_format: bytes\n"));
	const struct policy_topic *key = policy->topics[0].key;

	assert_int_equal(key->format, FORMAT_BYTES);
	assert_string_equal(key->rules[0].method->name, "key");
	policy_free(policy);
	policy = load(TOPIC("  key: {type: same, key: k}\n  key_format: text\n"));
	assert_int_equal(policy->topics[0].key->format, FORMAT_TEXT);
	policy_free(policy);
}

static void key_as_json(void **state)
{
	struct policy *policy =
		load(TOPIC("  key: {$.id: id, \"$['a b'].*\": {type: same, key: k}, $.d: {type: same, "
			   "key: k, bind: {domain: d}}}\n"));
	const struct policy_topic *key = policy->topics[0].key;

	assert_int_equal(key->format, FORMAT_JSON);
	assert_int_equal(key->n_rules, 3);
	assert_string_equal(key->rules[0].path_text, "key.id");
	assert_true(bytes_eq_str(key->rules[0].path, "key['id']"));
	check_place(key->rules[0].place_string, "0101000000016e000000096b65795b276964275d01");
	check_place(key->rules[0].place_json, "0101000000016e000000096b65795b276964275d02");
	assert_string_equal(key->rules[1].path_text, "key['a b'].*");
	assert_true(bytes_eq_str(key->rules[1].path, "key['a b'][*]"));
	assert_true(key->rules[1].dynamic);
	check_place(key->rules[2].place_string, "0102000000016e000000016401"); /* as that of a field or a header */
	policy_free(policy);
}

/* The whole of a key that is JSON is no field of it, but the same as the key. */
static void key_as_one_json_value(void **state)
{
	struct policy *policy = load(TOPIC("  key: {$: id}\n"));
	const struct policy_topic *key = policy->topics[0].key;

	assert_int_equal(key->format, FORMAT_JSON);
	assert_true(bytes_eq_str(key->rules[0].path, "key"));
	check_place(key->rules[0].place_string, "0101000000016e000000036b657901");
	policy_free(policy);
}

static void what_keys_refuse(void **state)
{
	check_refused(TOPIC("  key: secret\n"), "p.yaml:8:8",
		      "type encrypt can't protect record keys: equal keys must stay equal, and come back; types that "
		      "can: fpe, same");
	check_refused(TOPIC("  key: {type: same, key: k, loose: true}\n"), "p.yaml:8:8",
		      "type same with these options can't protect record keys");
	check_refused(TOPIC("  key: {type: redact}\n"), "p.yaml:8:8", "type redact can't protect record keys");
	check_refused(TOPIC("  key: {$.id: secret}\n"), "p.yaml:8:15", "type encrypt can't protect record keys");
	check_refused(TOPIC("  key: {type: same, key: k, bind: {record: $.b}}\n"), "p.yaml:8:8",
		      "a record key can't be bound to a field of the record's value");
	check_refused(TOPIC("  key: {type: same, key: {name: k, per: $.b}}\nstores: {s: 'lite:x'}\n"), "p.yaml:8:8",
		      "a record key can't have a key per field");
	check_refused(TOPIC("  key: {}\n"), "p.yaml:8:8", "key needs a method");
	check_refused(TOPIC("  key: [id]\n"), "p.yaml:8:8", "key in a topic must be text or a map, not a list");
	check_refused(TOPIC("  key: ids\n"), "p.yaml:8:8", "unknown method \"ids\"; did you mean \"id\"?");
	check_refused(TOPIC("  key: {tpe: same}\n"), "p.yaml:8:8", "method key needs a type");
	check_refused(TOPIC("  key: {$.a: id, $.a.b: id}\n"), "p.yaml:8:18", "key.a.b and key.a (line 8)");
	check_refused(TOPIC("  key: {$.a: id, type: same}\n"), "p.yaml:8:18", "path:");
	check_refused(TOPIC("  key: id\n  key_format: bytes\n"), "p.yaml:8:8",
		      "fpe can't take a whole payload (key_format: bytes)");
	check_refused(TOPIC("  key: id\n  key_format: byte\n"), "p.yaml:9:15", "did you mean \"bytes\"?");
	check_refused(TOPIC("  key: {$.id: id}\n  key_format: text\n"), "p.yaml:6:3", "key_format says how a key");
	check_refused(TOPIC("  key_format: text\n"), "p.yaml:6:3", "it needs key: METHOD in this topic");
	check_refused(
		"version: 1\ndefaults: {key_format: text}\ntopics: [{match: t, protect: {$.a: {type: redact}}}]\n",
		"p.yaml:2:12", "unknown key \"key_format\"");
	check_refused(TOPIC("  kee: id\n"), "p.yaml:8:3", "did you mean \"key\"?");
	check_refused("version: 1\ntopics: [{match: t, protect: {key: {type: redact}}}]\n", "p.yaml:2:31",
		      "\"key\" is no path of the value: key: METHOD");
	check_refused("version: 1\ntopics: [{match: t, protect: {'header:x': {type: redact}}}]\n", "p.yaml:2:31",
		      "\"header:x\" is no path of the value");
}

/* Headers ---------------------------------------------------------------------------------------------------- */

static void headers(void **state)
{
	struct policy *policy = load(TOPIC("  on_plaintext: pass\n"
					   "  headers: {x-customer: id, X-Customer: secret, b: {type: redact}}\n"));
	const struct policy_topic *topic = &policy->topics[0], *first = topic->headers[0];

	assert_int_equal(policy->n_topics, 4);
	assert_int_equal(policy->n_entries, 1);
	assert_null(topic->key);
	assert_null(topic->headers[3]);
	assert_int_equal(first->part, PART_HEADER);
	assert_int_equal(first->format, FORMAT_TEXT);
	assert_int_equal(first->on.on_plaintext, ON_PLAINTEXT_PASS);
	assert_string_equal(first->header, "x-customer");
	assert_string_equal(first->root, "header:x-customer");
	assert_true(bytes_eq_str(first->rules[0].path, "header:x-customer"));
	check_place(first->rules[0].place_string, "0101000000016e000000116865616465723a782d637573746f6d657201");
	assert_string_equal(topic->headers[1]->header, "X-Customer");
	assert_string_equal(topic->headers[2]->rules[0].method->name, "header:b");
	policy_free(policy);
}

#define CLEAR(rest)                                                                                                  \
	"version: 1\nkeys: {k: local:k}\nmethods: {id: {type: fpe, key: k, alphabet: x}}\n"                          \
	"topics:\n- match: t\n" rest

/* Values may pass in clear on purpose, where a key or headers do not; never by leaving something out. */
static void values_in_clear(void **state)
{
	static const char *const good[] = {CLEAR("  protect: {}\n  key: id\n"),
					   CLEAR("  protect: {}\n  headers: {h: id}\n"),
					   CLEAR("  protect: {}\n  key: {$.a: id}\n  format: bytes\n"),
					   CLEAR("  protect: {}\n  key: id\n  allow: [$]\n")};
	static const char refused[] = "protect has 1 to 1024 paths: a topic without any would pass in clear, which "
				      "needs key: or headers: in it";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct policy *policy = load(good[i]);
		struct seal_buf text = BUF_INIT(65536);
		struct seal_err err = SEAL_ERR_INIT;

		assert_int_equal(policy->topics[0].n_rules, 0);
		assert_non_null(policy->topics[0].paths);
		assert_int_equal(explain_text(policy, "p.yaml", "t", &text, &err), SEAL_OK);
		assert_int_equal(buf_append_u8(&text, 0, &err), SEAL_OK);
		assert_non_null(strstr((char *)text.ptr, "Values pass in clear"));
		buf_clear(&text);
		policy_free(policy);
	}
	check_refused(CLEAR("  protect: {}\n"), "p.yaml:6:12", refused);
	check_refused(CLEAR("  protect: {}\n  allow: [key]\n"), "p.yaml:6:12", refused);
	check_refused(CLEAR("  key: id\n"), "p.yaml:5:3", "a map from paths to methods, or {}: values pass in clear");
	check_refused(CLEAR("  protect: {}\n  headers: {}\n"), "p.yaml:7:12", "headers has 1 to 64 names");
	check_refused(CLEAR("  protect: {}\n  key: {}\n"), "p.yaml:7:8", "");
}

/* The longest name that there may be is whole in its place. */
static void long_header(void **state)
{
	char name[257], text[1024];
	struct policy *policy;

	memset(name, 'x', 256);
	name[255] = '\0';
	snprintf(text, sizeof(text), TOPIC("  headers: {%s: id}\n"), name);
	policy = load(text);
	assert_string_equal(policy->topics[0].headers[0]->header, name);
	assert_int_equal(policy->topics[0].headers[0]->rules[0].path.len, strlen("header:") + 255);
	policy_free(policy);
	name[255] = 'x';
	name[256] = '\0';
	snprintf(text, sizeof(text), TOPIC("  headers: {%s: id}\n"), name);
	check_refused(text, "p.yaml:8:13", "a header's name has 1 to 255 bytes");
}

static void what_headers_refuse(void **state)
{
	check_refused(TOPIC("  headers: {}\n"), "p.yaml:8:12", "headers has 1 to 64 names");
	check_refused(TOPIC("  headers: [a]\n"), "p.yaml:8:12", "headers in a topic must be a map, not a list");
	check_refused(TOPIC("  headers: {'': id}\n"), "p.yaml:8:13", "a header's name has 1 to 255 bytes");
	check_refused(TOPIC("  headers: {\"a\\tb\": id}\n"), "p.yaml:8:13", "no control characters");
	check_refused(TOPIC("  headers: {seal-key: id}\n"), "p.yaml:8:13", "sealstream's own");
	check_refused(TOPIC("  headers: {a: id, a: id}\n"), "p.yaml:8:20", "\"a\"");
	check_refused(TOPIC("  headers: {a: {type: remove}}\n"), "p.yaml:8:16", "can't be used on a header");
	check_refused(TOPIC("  headers: {a: {type: same, key: k, carry: true}}\n"), "p.yaml:8:16",
		      "type same with these options is for a record's value");
	check_refused(TOPIC("  headers: {a: {type: encrypt, key: k, bind: {record: $.b}}}\n"), "p.yaml:8:16",
		      "a header can't be bound to a field");
	check_refused(TOPIC("  headers: {a: {type: envelope, key: {name: k, per: $.b}}}\nstores: {s: 'lite:x'}\n"),
		      "p.yaml:8:16", "a header can't have a key per field");
	check_refused(TOPIC("  headers: {a: {$.b: id}}\n"), "p.yaml:8:16", "needs a type");
	check_refused(TOPIC("  headers: {a: [id]}\n"), "p.yaml:8:16", "header:a gets one method");
}

static void too_many_headers(void **state)
{
	struct seal_buf text = BUF_INIT(1 << 16);

	assert_int_equal(buf_append_str(&text, TOPIC("  headers:\n"), NULL), SEAL_OK);
	for (int i = 0; i < POLICY_HEADERS_MAX; i++)
		assert_int_equal(buf_printf(&text, NULL, "    h%d: id\n", i), SEAL_OK);
	assert_int_equal(buf_append_u8(&text, 0, NULL), SEAL_OK);
	policy_free(load((const char *)text.ptr));
	text.len--;
	assert_int_equal(buf_append(&text, BYTES_LIT("    more: id\n\0"), NULL), SEAL_OK);
	check_refused((const char *)text.ptr, "p.yaml:9:5", "headers has 1 to 64 names");
	buf_clear(&text);
}

/* Several topics: each has its own parts, in the order of the file, behind all entries. */
static void several(void **state)
{
	struct policy *policy = load(
		TOPIC("  key: id\n  headers: {a: id}\n  on_error: dead_letter\n  dead_letter: {topic: d, key: k}\n"
		      "- {match: u, protect: {$.a: secret}}\n"
		      "- {match: v, protect: {$.a: secret}, headers: {a: secret}, key: {$.x: id}}\n"));
	const struct policy_topic *t = policy_topic_find(policy, BYTES_LIT("t"));
	const struct policy_topic *v = policy_topic_find(policy, BYTES_LIT("v"));

	assert_int_equal(policy->n_entries, 4); /* one for dead letters */
	assert_int_equal(policy->n_topics, 8);
	for (size_t i = 0; i < policy->n_topics; i++) {
		assert_int_equal(policy->topics[i].index, i);
		assert_int_equal(policy->topics[i].part == PART_VALUE, i < policy->n_entries);
		assert_non_null(policy->topics[i].paths);
	}
	assert_ptr_not_equal(t->key, v->key);
	assert_string_equal(t->headers[0]->rules[0].method->name, "id");
	assert_string_equal(v->headers[0]->rules[0].method->name, "secret");
	assert_int_equal(t->key->on.on_error, ON_ERROR_DEAD_LETTER);
	assert_string_equal(t->key->dead_letter_topic, "d");
	assert_ptr_equal(t->headers[0]->dead_letter_method, t->dead_letter_method);
	assert_null(policy_topic_only(policy));
	policy_free(policy);
}

/* In clear by intent ----------------------------------------------------------------------------------------- */

static void allow(void **state)
{
	struct policy *policy = load(TOPIC("  key: {$.id: id}\n  headers: {a: id}\n"
					   "  allow: [$.id, $.meta.*, key, 'header:b', \"header:c d\"]\n"));
	const struct policy_topic *topic = &policy->topics[0];

	assert_int_equal(topic->n_allow, 2);
	assert_string_equal(topic->allow_text[1], "$.meta.*");
	assert_int_equal(topic->allow[0].n_steps, 1);
	assert_int_equal(topic->allow[1].n_steps, 2);
	assert_true(topic->allow_key);
	assert_string_equal(topic->allow_headers[0], "b");
	assert_string_equal(topic->allow_headers[1], "c d");
	assert_null(topic->allow_headers[2]);
	policy_free(policy);
	policy = load(TOPIC("  allow: []\n"));
	assert_int_equal(policy->topics[0].n_allow, 0);
	assert_false(policy->topics[0].allow_key);
	policy_free(policy);
}

/* What a value is bound to stays in clear, so it may be named. */
static void allow_sibling(void **state)
{
	struct policy *policy = load("version: 1\nkeys: {k: local:k}\ntopics:\n- match: t\n  allow: [$.id]\n"
				     "  protect: {$.a: {type: encrypt, key: k, bind: {record: $.id}}}\n");

	assert_int_equal(policy->topics[0].n_allow, 1);
	policy_free(policy);
}

static void what_allow_refuses(void **state)
{
	check_refused(TOPIC("  allow: $.b\n"), "p.yaml:8:10", "allow in a topic must be a list, not text");
	check_refused(TOPIC("  allow: [$.b, $.a]\n"), "p.yaml:8:16",
		      "$.a is in clear by intent, but $.a (line 7) protects it");
	check_refused(TOPIC("  allow: [$.a.b]\n"), "p.yaml:8:11", "but $.a (line 7) protects it");
	check_refused(TOPIC("  allow: [$]\n"), "p.yaml:8:11", "but $.a (line 7) protects it or something in");
	check_refused(TOPIC("  allow: ['$[']\n"), "p.yaml:8:14", "path:");
	check_refused(TOPIC("  allow: [id]\n"), "p.yaml:8:11", "allow takes paths like $.id, key and header:NAME");
	check_refused(TOPIC("  allow: ['header:']\n"), "p.yaml:8:11", "allow takes paths");
	check_refused(TOPIC("  allow: [{a: b}]\n"), "p.yaml:8:11", "allow takes paths");
	check_refused(TOPIC("  key: id\n  allow: [key]\n"), "p.yaml:9:11", "but key (line 8) protects it");
	check_refused(TOPIC("  headers: {a: id}\n  allow: ['header:a']\n"), "p.yaml:9:11",
		      "header:a is in clear by intent, but headers (line 8) protects it");
	check_refused("version: 1\ntopics: [{match: t, format: bytes, allow: [$.a], protect: {$: {type: same, key: "
		      "k}}}]\nkeys: {k: local:k}\n",
		      "p.yaml:2:44", "allow takes no paths with format: bytes");
}

/* Paths whose automaton would be too large are found by lint, not by who looks for them. */
static void allow_too_much(void **state)
{
	struct seal_buf text = BUF_INIT(1 << 16);

	assert_int_equal(buf_append_str(&text, TOPIC("  allow:\n"), NULL), SEAL_OK);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(buf_append_str(&text, "  - $.m", NULL), SEAL_OK);
		for (int j = 0; j < 16; j++)
			assert_int_equal(buf_append_str(&text, i == j ? ".a" : ".*", NULL), SEAL_OK);
		assert_int_equal(buf_append_u8(&text, '\n', NULL), SEAL_OK);
	}
	assert_int_equal(buf_append_u8(&text, 0, NULL), SEAL_OK);
	check_refused((const char *)text.ptr, "p.yaml:9:3", "the paths are too complex together");
	buf_clear(&text);
}

/* Explained ---------------------------------------------------------------------------------------------------- */

static void check_says(const struct seal_buf *out, const char *text)
{
	if (memmem(out->ptr, out->len, text, strlen(text)) == NULL)
		fail_msg("\"%s\" is not in:\n%.*s", text, (int)out->len, (const char *)out->ptr);
}

static void explains(void **state)
{
	struct seal_buf out = BUF_INIT(1 << 20);
	struct policy *policy = load(
		TOPIC("  key: {$.id: id}\n  headers: {x: secret, key: {type: redact}}\n"
		      "  allow: [$.b, $.c.d, key, 'header:y']\n- {match: u, protect: {$: secret}, allow: [key]}\n"
		      "- {match: v, protect: {$: secret}, key: {type: same, key: k}, key_format: bytes}\n"));

	assert_int_equal(explain_text(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	check_says(&out, ", on_null protect, key as json\n");
	check_says(&out, "  $.a         secret     encrypt  k local:k  its place  yes    length\n"
			 "  key.id      id         fpe      k local:k  its place  yes    equality, format\n"
			 "  header:x    secret     encrypt  k local:k  its place  yes    length\n"
			 "  header:key  (in line)  redact   -          nothing    never  nothing\n");
	check_says(&out, "In clear by intent: $.b, $.c.d, key, header:y.\n");
	buf_reset(&out);
	assert_int_equal(explain_text(policy, "p.yaml", "u", &out, NULL), SEAL_OK);
	check_says(&out, "In clear by intent: key.\n");
	buf_reset(&out);
	assert_int_equal(explain_text(policy, "p.yaml", NULL, &out, NULL), SEAL_OK);
	check_says(&out, ", key as bytes\n");
	buf_reset(&out);
	assert_int_equal(explain_json(policy, "p.yaml", "t", &out, NULL), SEAL_OK);
	assert_true(json_is_value(buf_bytes(&out), true));
	check_says(&out,
		   "\"format\": \"json\",\n        \"rules\": [\n          {\n            \"path\": \"key.id\"");
	check_says(&out, "\"name\": \"x\"");
	check_says(&out, "\"key\": true,\n        \"headers\": [\n          \"y\"\n        ]");
	buf_clear(&out);
	policy_free(policy);
}

/* Tests of policies -------------------------------------------------------------------------------------------- */

#define TESTED                                                                                                       \
	TOPIC("  key: id\n  headers: {x: secret, y: secret}\n"                                                       \
	      "- {match: j, protect: {$.a: secret}, key: {$.id: id}}\n- {match: n, protect: {$.a: secret}}\n")

static void tests_of_parts(void **state)
{
	struct policy *policy = load(
		TESTED "tests:\n- {topic: t, in: {}, key: {in: 17, out: {not: 17}}, headers: {y: {in: ''}}}\n"
		       "- {topic: j, in: {}, key: {in: {id: 7}, out: {id: {like: '\\d'}, '$.n': {absent: true}}}}\n");
	const struct policy_test *test = &policy->tests[0];

	assert_ptr_equal(test->value.topic, test->topic);
	assert_ptr_equal(test->key.topic, test->topic->key);
	assert_true(bytes_eq_str(test->key.in, "17"));
	assert_int_equal(test->key.n_expects, 1);
	assert_string_equal(test->key.expects[0].name, "key");
	assert_int_equal(test->key.expects[0].kind, EXPECT_NOT);
	assert_int_equal(test->n_headers, 1);
	assert_ptr_equal(test->headers[0].topic, test->topic->headers[1]);
	assert_non_null(test->headers[0].in.ptr);
	assert_int_equal(test->headers[0].in.len + test->headers[0].n_expects, 0);
	test = &policy->tests[1];
	assert_true(bytes_eq_str(test->key.in, "{\"id\":7}"));
	assert_int_equal(test->key.n_expects, 2);
	assert_string_equal(test->key.expects[0].name, "key.id");
	assert_true(bytes_eq_str(test->key.expects[0].path.steps[0].name, "id"));
	assert_string_equal(test->key.expects[1].name, "key.n");
	assert_int_equal(test->n_headers, 0);
	policy_free(policy);
}

static void what_tests_refuse(void **state)
{
	check_refused(TESTED "tests:\n- {topic: n, in: {}, key: {in: a, out: b}}\n", "p.yaml:13:27",
		      "the topic entry (line 11) has no key");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, headers: {xx: {in: a, out: b}}}\n", "p.yaml:13:32",
		      "headers of the topic entry (line 6) has no \"xx\"; did you mean \"x\"?");
	check_refused(TESTED "tests:\n- {topic: n, in: {}, headers: {abc: {in: a, out: b}}}\n", "p.yaml:13:32",
		      "has no \"abc\": it stays as it is");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, key: {out: b}}\n", "p.yaml:13:27", "needs in");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, key: {in: a, ot: b}, round_trip: true}\n", "p.yaml:13:35",
		      "did you mean \"out\"?");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, key: {in: {a: b}, out: b}}\n", "p.yaml:13:32",
		      "in must be text, not a map: it is taken as a whole");
	check_refused(TESTED "tests:\n- {topic: j, in: {}, key: {in: {id: 1}, out: b}}\n", "p.yaml:13:46",
		      "out of key must be a map");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, key: {in: a}}\n", "p.yaml:13:3",
		      "the test checks nothing");
	check_refused(TESTED "tests:\n- {topic: t, in: {}, error: type, key: {in: a, out: b}}\n", "p.yaml:13:3",
		      "a test with error has no result");
	check_refused(TESTED
		      "tests:\n- {topic: t, in: {}, round_trip: true, headers: {x: {in: a, out: {like: '('}}}}\n",
		      "p.yaml:13:75", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_as_text),
		cmocka_unit_test(key_as_bytes),
		cmocka_unit_test(key_as_json),
		cmocka_unit_test(key_as_one_json_value),
		cmocka_unit_test(what_keys_refuse),
		cmocka_unit_test(headers),
		cmocka_unit_test(values_in_clear),
		cmocka_unit_test(long_header),
		cmocka_unit_test(what_headers_refuse),
		cmocka_unit_test(too_many_headers),
		cmocka_unit_test(several),
		cmocka_unit_test(allow),
		cmocka_unit_test(allow_sibling),
		cmocka_unit_test(what_allow_refuses),
		cmocka_unit_test(allow_too_much),
		cmocka_unit_test(explains),
		cmocka_unit_test(tests_of_parts),
		cmocka_unit_test(what_tests_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
