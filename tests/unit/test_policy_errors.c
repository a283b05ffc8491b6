/* policy_errors: is every mistake found, all of them in one run, each with its line:column and the nearest word? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "policy_fake.h"

/* A policy, and all that lint says about it: "line:column text" a line, warnings with "warning: " before the text. */
struct mistake {
	const char *policy;
	const char *said;
};

/* A right policy whose only topic is on line 4; `rest` follows its `match`. */
#define HEAD "version: 1\nkeys: {k: local:k}\ntopics:\n- match: t\n"
/* … and where it doesn't matter what is protected. */
#define TOPICS "topics: [{match: t, protect: {$.a: {type: redact}}}]\n"

static void say_all(const struct policy_findings *findings, struct seal_buf *said)
{
	for (const struct policy_finding *one = findings->first; one != NULL; one = one->next)
		assert_int_equal(buf_printf(said, NULL, "%u:%u %s%s\n", one->mark.line, one->mark.column,
					    one->warning ? "warning: " : "", one->text),
				 SEAL_OK);
}

static void check_err(const struct policy_findings *findings, const struct seal_err *err)
{
	const struct policy_finding *first = findings->first;
	char place[64];

	while (first->warning)
		first = first->next;
	snprintf(place, sizeof(place), "p.yaml:%u:%u", first->mark.line, first->mark.column);
	assert_string_equal(err->place, place);
	assert_int_equal(strncmp(err->text, first->text, strlen(first->text)), 0);
	assert_int_equal(err->code, SEAL_E_CONFIG);
}

/* False when something else is said. */
static bool check_one(const struct mistake *mistake, struct seal_buf *said)
{
	struct policy_findings findings;
	struct seal_err err = SEAL_ERR_INIT;
	struct policy *policy = NULL;
	enum seal_status rc;
	bool same;

	policy_findings_init(&findings);
	rc = policy_load(bytes_str(mistake->policy), "p.yaml", &fake_schema, &findings, &policy, &err);
	buf_reset(said);
	say_all(&findings, said);
	assert_int_equal(buf_append_u8(said, 0, NULL), SEAL_OK);
	same = strcmp((const char *)said->ptr, mistake->said) == 0;
	if (!same)
		fprintf(stderr, "--- of ---\n%s\n--- said ---\n%s\n--- expected ---\n%s\n", mistake->policy,
			(const char *)said->ptr, mistake->said);
	assert_int_equal(rc, findings.errors ? SEAL_USAGE : SEAL_OK);
	assert_int_equal(policy == NULL, findings.errors > 0);
	if (findings.errors > 0)
		check_err(&findings, &err);
	policy_free(policy);
	policy_findings_clear(&findings);
	return same;
}

static void check_all(const struct mistake *mistakes, size_t n)
{
	struct seal_buf said = BUF_INIT(1 << 20);
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += !check_one(&mistakes[i], &said);
	buf_clear(&said);
	assert_int_equal(wrong, 0);
}
#define CHECK_ALL(mistakes) check_all(mistakes, sizeof(mistakes) / sizeof((mistakes)[0]))

static void yaml(void **state)
{
	static const struct mistake mistakes[] = {
		{"", "1:1 the policy is empty; it starts with version: 1\n"},
		{"# nothing\n", "1:1 the policy is empty; it starts with version: 1\n"},
		{"version: 1\nkeys: [a\n",
		 "3:1 not YAML: did not find expected ',' or ']' while parsing a flow sequence "
		 "that starts on line 2\n"},
		{"version: 1\ntopics: [{protect: {$.a[0]: x}}]\n",
		 "2:24 not YAML: did not find expected ',' or '}' while parsing a flow mapping; between { and } a "
		 "path "
		 "with [ ] needs quotes\n"},
		{"version: 1\n\tkeys: 1\n",
		 "2:1 not YAML: found a tab character that violates indentation while scanning a plain scalar "
		 "that starts on line 1\n"},
		{"version: 1\nkeys:\n\tk: fake:aes\n", "3:1 not YAML: found character that cannot start any token "
						       "while scanning for the next token; indent with "
						       "spaces, not tabs, and quote what begins with @, % or `\n"},
		{"version: 1\ntopics:\n- match: *\n",
		 "3:11 not YAML: did not find expected alphabetic or numeric character while scanning an alias; text "
		 "that "
		 "begins with * or & needs quotes, and so does a path with [*] between { and }\n"},
		{"version: 1\ntopics:\n  - match: t\n  protect: {}\n",
		 "4:3 not YAML: did not find expected '-' indicator while parsing a block collection that starts on "
		 "line 3; "
		 "what belongs to one entry begins in one column, right of its '-'\n"},
		{"version: 1\n  keys: {}\n", "2:7 not YAML: mapping values are not allowed in this context; keys of "
					     "one map begin in one column\n"},
		{"\xef\xbb\xbfversion: 1\r\nnamespace: \"a\\0b\"\r\n" TOPICS,
		 "2:12 text must not contain a zero byte\n"},
		{"\xef\xbb\xbfversion: 2\n" TOPICS, "1:10 this sealstream reads policies of version 1 only\n"},
		{"version: 1\nnamespace: \"\xff\"\n", "2:13 not YAML: invalid leading UTF-8 octet\n"},
		{"version: 1\nnamespace: a\x01\n", "2:13 not YAML: control characters are not allowed\n"},
		{"version: 1\n" TOPICS "---\nversion: 1\n", "3:1 a policy is one document: remove this one\n"},
		{"version: &v 1\nnamespace: *v\n" TOPICS,
		 "1:10 anchors are not allowed here: write the value out, or quote the '&'\n"
		 "2:12 aliases are not allowed here: write the value out, or quote the '*'\n"},
		{"version: !!int 1\nnamespace: !x a\nkeys: !!map {}\n" TOPICS,
		 "1:10 tags are not allowed here: leave it out, or quote the '!'\n"
		 "2:12 tags are not allowed here: leave it out, or quote the '!'\n"
		 "3:7 tags are not allowed here: leave it out, or quote the '!'\n"},
		{"%TAG ! tag:x,2000:\n---\nversion: 1\n" TOPICS, "1:1 tag directives are not allowed here\n"},
		{"version: 1\nnamespace: a\nversion: 1\nnamespace: b\n" TOPICS,
		 "3:1 \"version\" stands here twice, first on line 1\n"
		 "4:1 \"namespace\" stands here twice, first on line 2\n"},
		{"version: 1\n? [a]\n: b\n? {c: d}\n: e\n" TOPICS,
		 "2:3 a key must be text, not a list\n4:3 a key must be text, not a map\n"},
		{"version: 1\nnamespace: \"a\\0b\"\n" TOPICS, "2:12 text must not contain a zero byte\n"},
		{"version: 1\nx: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
		 "2:35 nested deeper than 32\n"},
		{"version: 1\n\"a\\nb\\x7f\": 1\n" TOPICS,
		 "2:1 unknown key \"a?b?\" in a policy; it may have: "
		 "version, namespace, defaults, keys, stores, methods, topics, "
		 "tests\n"},
		{"- version\n", "1:1 a policy must be a map, not a list\n"},
		{"version\n", "1:1 a policy must be a map, not text\n"},
	};

	CHECK_ALL(mistakes);
}

static void top_level(void **state)
{
	static const struct mistake mistakes[] = {
		{TOPICS, "1:1 version is missing; a policy starts with version: 1\n"},
		{"version: 2\n" TOPICS, "1:10 this sealstream reads policies of version 1 only\n"},
		{"version: [1]\n" TOPICS, "1:1 version is missing; a policy starts with version: 1\n"
					  "1:10 version in a policy must be text, not a list\n"},
		{"version: 1\n", "1:1 topics is missing: it says what to protect where\n"},
		{"version: 1\ntopics: []\n", "2:9 topics is empty: it says what to protect where\n"},
		{"version: 1\ntopics: {}\n", "2:9 topics in a policy must be a list, not a map\n"},
		{"version: 1\ntopics:\n- match: t\n  protect:\n  $.a: {type: redact}\n",
		 "4:11 protect in a topic must be a map, not empty: what belongs to it must be indented\n"
		 "5:3 unknown key \"$.a\" in a topic; it may have: match, protect, key, headers, allow, dead_letter, "
		 "key_format, format, on_error, on_missing, on_protected, on_plaintext, on_null\n"},
		{"version: 1\ntopic: []\nwarehouse: {}\n" TOPICS,
		 "2:1 unknown key \"topic\" in a policy; did you mean \"topics\"?\n"
		 "3:1 unknown key \"warehouse\" in a policy; it may have: version, namespace, defaults, keys, "
		 "stores, "
		 "methods, topics, tests\n"},
		{"version: 1\nkeys: a\nmethods: []\ntests: {}\n" TOPICS,
		 "2:7 keys in a policy must be a map, not text\n"
		 "3:10 methods in a policy must be a map, not a list\n"
		 "4:8 tests in a policy must be a list, not a map\n"},
		{"version: 1\ndefaults:\n  on_eror: reject\n  on_error: rejct\n  on_null: [x]\n  format: "
		 "json\n" TOPICS,
		 "3:3 unknown key \"on_eror\" in defaults; did you mean \"on_error\"?\n"
		 "4:13 on_error must be one of reject|dead_letter|drop in defaults; did you mean \"reject\"?\n"
		 "5:12 on_null in defaults must be text, not a list\n"
		 "6:3 unknown key \"format\" in defaults; it may have: on_error, on_missing, on_protected, "
		 "on_plaintext, "
		 "on_null\n"},
	};

	CHECK_ALL(mistakes);
}

static void keys(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\nkeys:\n  a: cards\n  b: [x]\n  c: \n  d: locl:x\n  e: zzzzzzzz:x\n  f: 'local:'\n  \"g "
		 "g\": "
		 "local:g\n" TOPICS,
		 "3:6 key a must say where it lives, like local:a\n"
		 "4:6 key b must say where it lives, like local:b\n"
		 "5:5 key c must say where it lives, like local:c\n"
		 "6:6 unknown place of keys \"locl:\"; did you mean \"local:\"?\n"
		 "7:6 unknown place of keys \"zzzzzzzz:\"; there is \"local:\"\n"
		 "8:13 key f: the name of a key stands after local:\n"
		 "9:3 the name of a key has 1 to 64 letters, digits, '_', '-' or '.'\n"},
		{"version: 1\nkeys:\n  a: local:a\n  b: vault:transit/b\n" TOPICS,
		 "3:3 warning: key a is not used\n4:3 warning: key b is not used\n"},
	};

	CHECK_ALL(mistakes);
}

static void methods(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\nmethods:\n  a: encrypt\n  b: {key: k}\n  c: {type: encript}\n  d: {type: zzzzzzzzz}\n"
		 "  e: {type: [encrypt]}\n  \"é\": {type: redact}\n" TOPICS,
		 "3:6 method a must be a map, like {type: encrypt, key: NAME}\n"
		 "4:6 method b needs a type, like type: encrypt\n"
		 "5:13 unknown method type \"encript\"; did you mean \"encrypt\"?\n"
		 "6:13 unknown method type \"zzzzzzzzz\"; there are: encrypt, envelope, fpe, hash, remove, redact, "
		 "role, token, same\n"
		 "7:13 type in method e must be text, not a list\n"
		 "8:3 the name of a method has 1 to 64 letters, digits, '_', '-' or '.'\n"},
		{"version: 1\nkeys: {cards: local:c}\nmethods:\n  a: {type: encrypt}\n  b: {type: redact, key: "
		 "cards}\n"
		 "  c: {type: encrypt, key: card}\n  d: {type: encrypt, key: zzzzzzzz}\n  e: {type: encrypt, key: "
		 "[a]}\n" TOPICS,
		 "4:6 method a of type encrypt needs a key\n"
		 "5:26 type redact takes no key; remove it from method b\n"
		 "6:27 unknown key \"card\"; did you mean \"cards\"?\n"
		 "7:27 unknown key \"zzzzzzzz\"; add it under keys, like zzzzzzzz: local:zzzzzzzz\n"
		 "8:27 key in method e must be text or a map, not a list\n"},
		{"version: 1\nmethods:\n"
		 "  a: {type: role, role: ''}\n  b: {type: role}\n  c: {type: role, role: r, key: k}\n"
		 "  d: {type: role, role: r}\n  e: {type: role, role: r, output: base64, bind: place}\n"
		 "  f: {type: encrypt, key: 'vault:r'}\n" TOPICS,
		 "3:6 key vault:: the name of a key stands after local:\n"
		 "4:6 method b of type role needs role: whose\n"
		 "5:33 type role takes no key; remove it from method c\n"
		 "7:50 type role binds to nothing with these options; remove bind from method e\n"
		 "8:27 unknown key \"vault:r\"; add it under keys, like vault:r: local:vault:r\n"},
		{"version: 1\nkeys: {k: local:k}\nmethods:\n"
		 "  a: {type: fpe, key: k, alphabt: digits}\n"
		 "  b: {type: fpe, key: k, alphabet: x, keep: 4}\n"
		 "  c: {type: fpe, key: k, alphabet: x, keep: {frist: 1, last: -1, middle: 2}}\n"
		 "  d: {type: fpe, key: k, alphabet: [x], tweak: 0g, legacy: yes}\n"
		 "  e: {type: fpe, key: k, alphabet: x, keep: {first: 60, last: 60}}\n"
		 "  f: {type: hash, key: k, output: hx, key_version: 0}\n"
		 "  g: {type: envelope, key: k, cache: 1XiB, ttl: 5, words: {}, output: hex}\n"
		 "  h: {type: fpe, key: k, alphabet: x, keep.first: 3}\n" TOPICS,
		 "4:6 method a of type fpe needs alphabet: the characters that are encrypted\n"
		 "4:26 unknown key \"alphabt\" in method a; did you mean \"alphabet\"?\n"
		 "5:45 keep in method b must be a map, not text\n"
		 "6:46 unknown key \"frist\" in method c; did you mean \"first\"?\n"
		 "6:62 keep.last must be a whole number from 0 to 64\n"
		 "6:66 unknown key \"middle\" in method c; it may have: first, last\n"
		 "7:36 alphabet in method d must be text, not a list\n"
		 "7:48 tweak must be hexadecimal, two digits a byte\n"
		 "7:60 legacy must be true or false\n"
		 "8:6 method e: keep leaves nothing to encrypt\n"
		 "9:35 output must be one of hex|base64 in method f; did you mean \"hex\"?\n"
		 "9:52 key_version must be a whole number from 1 to 1000\n"
		 "10:38 cache must be a size such as 4096, 64KiB or 16MiB\n"
		 "10:49 ttl must be a duration such as 100ms, 30s, 5m or 1h\n"
		 "10:59 words in method g must be text, not a map\n"
		 "10:63 unknown key \"output\" in method g; it may have: type, key, bind, cache, ttl, words\n"
		 "11:39 unknown key \"keep.first\" in method h; it may have: type, key, bind, alphabet, keep, tweak, "
		 "legacy\n"},
		{"version: 1\nkeys: {k: local:k}\nmethods:\n  a: {type: encrypt, key: k}\n" TOPICS,
		 "4:3 warning: method a is not used\n"},
		{"version: 1\nkeys: {k: local:k, same: local:k, other: local:o}\nmethods:\n"
		 "  open: {type: encrypt, key: same, bind: none}\n  wraps: {type: envelope, key: k}\n"
		 "  apart: {type: envelope, key: other}\n  bound: {type: encrypt, key: other}\n"
		 "topics:\n- match: t\n  protect: {$.a: open, $.b: wraps, $.c: apart, $.d: bound}\n",
		 "5:3 warning: method wraps wraps data keys under the key of method open, which has bind: none: who "
		 "chooses "
		 "a value there chooses a data key here; give one of them another key\n"},
	};

	CHECK_ALL(mistakes);
}

static void binds(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\nkeys: {k: local:k}\nmethods:\n"
		 "  a: {type: encrypt, key: k, bind: plac}\n"
		 "  b: {type: encrypt, key: k, bind: zzzzzzzz}\n"
		 "  c: {type: encrypt, key: k, bind: [place]}\n"
		 "  d: {type: encrypt, key: k, bind: {}}\n"
		 "  e: {type: encrypt, key: k, bind: {domain: a, record: $.b}}\n"
		 "  f: {type: encrypt, key: k, bind: {domain: \"\"}}\n"
		 "  g: {type: encrypt, key: k, bind: {domian: cards}}\n"
		 "  h: {type: encrypt, key: k, bind: {record: order_id}}\n"
		 "  i: {type: encrypt, key: k, bind: {record: '$.items[*].id'}}\n"
		 "  j: {type: encrypt, key: k, bind: {record: $}}\n"
		 "  k: {type: redact, bind: place}\n" TOPICS,
		 "4:36 bind in method a must be place, none, {domain: NAME} or {record: PATH}; did you mean "
		 "\"place\"?\n"
		 "5:36 bind in method b must be place, none, {domain: NAME} or {record: PATH}\n"
		 "6:36 bind in method c must be text or a map, not a list\n"
		 "7:36 bind takes one of domain and record\n"
		 "8:36 bind takes one of domain and record\n"
		 "9:45 the domain of a bind has 1 to 255 bytes\n"
		 "10:37 unknown key \"domian\" in bind; did you mean \"domain\"?\n"
		 "11:45 path: must start with $, as $.name does, at byte 0\n"
		 "12:45 the record of a bind is one field, like $.order_id: no wildcards and not $ alone\n"
		 "13:45 the record of a bind is one field, like $.order_id: no wildcards and not $ alone\n"
		 "14:27 type redact binds to nothing; remove bind from method k\n"},
		{HEAD "  protect:\n"
		      "    $.a: {type: encrypt, key: k, bind: {record: $.id}}\n"
		      "    $.id: {type: redact}\n"
		      "    $.b: {type: encrypt, key: k, bind: {record: $.c}}\n"
		      "    $.d: {type: encrypt, key: k, bind: {record: $.c.e}}\n",
		 "6:5 $.a is bound to the field $.id, which $.id can change: name one that stays in clear\n"
		 "9:5 $.d is bound to the field $.c.e, which lies in or around another one that counts, too\n"},
	};

	CHECK_ALL(mistakes);
}

static void stores(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\nstores: [a]\n" TOPICS, "2:9 stores in a policy must be a map, not a list\n"},
		{"version: 1\nstores:\n  a: tokens.db\n  b: {lite: x}\n  c: lit:x\n  d: postgres://u:secret@h/d\n"
		 "  e: \"lite:\"\n  'f g': lite:x\n" TOPICS,
		 "3:6 store a must say where it is, like \"sqlite:a.db\"\n"
		 "4:6 store b must say where it is, like \"sqlite:b.db\"\n"
		 "5:6 unknown place of stores \"lit:\"; did you mean \"lite:\"?\n"
		 "6:6 unknown place of stores \"postgres:\"; there is \"lite:\"\n"
		 "7:6 store e: a file stands after lite:\n"
		 "8:3 the name of a store has 1 to 64 letters, digits, '_', '-' or '.'\n"},
		{"version: 1\nstores: {a: lite:x, b: \"server://h/d\"}\n" TOPICS,
		 "2:10 warning: store a is not used\n2:21 warning: store b is not used\n"},
	};

	CHECK_ALL(mistakes);
}

#define TWO_STORES "version: 1\nkeys: {k: local:k}\nstores: {main: lite:x, other: lite:y}\n"

static void stores_of_methods(void **state)
{
	static const struct mistake mistakes[] = {
		{TWO_STORES "methods:\n"
			    "  a: {type: token, key: k, store: mian}\n"
			    "  b: {type: token, key: k}\n"
			    "  c: {type: token, key: k, store: [main]}\n"
			    "  d: {type: token, key: {name: k, per: $.id, store: main}, store: main}\n"
			    "  e: {type: encrypt, key: k, store: main}\n"
			    "  f: {type: token, store: other}\n"
			    "  g: {type: token, key: k, stor: main}\n" TOPICS,
		 "5:35 unknown store \"mian\"; did you mean \"main\"?\n"
		 "6:6 there are several stores; say in which one the tokens are, like store: main\n"
		 "7:35 store in method c must be text, not a list\n"
		 "8:25 type token has one key for all: write its name, like key: pii\n"
		 "9:30 unknown key \"store\" in method e; it may have: type, key, bind\n"
		 "10:6 method f of type token needs a key\n"
		 "11:6 there are several stores; say in which one the tokens are, like store: main\n"
		 "11:28 unknown key \"stor\" in method g; did you mean \"store\"?\n"},
		{HEAD "  protect: {$.a: {type: token, key: k}}\n",
		 "5:18 type token needs a store for its tokens; add stores: {main: \"sqlite:tokens.db\"} to the "
		 "policy\n"},
	};

	CHECK_ALL(mistakes);
}

static void keys_per_person(void **state)
{
	static const struct mistake mistakes[] = {
		{TWO_STORES "methods:\n"
			    "  a: {type: encrypt, key: {name: k, per: $.id, store: main}}\n"
			    "  b: {type: envelope, key: {name: k, per: $.id, store: mian}}\n"
			    "  c: {type: envelope, key: {name: k, per: $.id, store: zzzzzzzz}}\n"
			    "  d: {type: envelope, key: {name: k, per: $.id}}\n"
			    "  e: {type: envelope, key: {name: kk, per: $.id, store: main}}\n"
			    "  f: {type: envelope, key: {name: k, store: main}}\n"
			    "  g: {type: envelope, key: {per: $.id, store: main}}\n"
			    "  h: {type: envelope, key: {name: k, pre: $.id, store: main}}\n"
			    "  i: {type: envelope, key: {name: k, per: id, store: main}}\n"
			    "  j: {type: envelope, key: {name: k, per: '$.a[*]', store: main}}\n"
			    "  k: {type: envelope, key: {name: k, per: $, store: main}}\n"
			    "  l: {type: envelope, key: {name: [k], per: $.id, store: main}}\n"
			    "  m: {type: envelope, key: [k]}\n"
			    "  n: {type: redact, key: {name: k, per: $.id, store: main}}\n" TOPICS,
		 "5:27 type encrypt has one key for all: write its name, like key: pii\n"
		 "6:56 unknown store \"mian\"; did you mean \"main\"?\n"
		 "7:56 unknown store \"zzzzzzzz\"; add it under stores, like zzzzzzzz: \"sqlite:zzzzzzzz.db\"\n"
		 "8:28 there are several stores; say in which one the keys are, like store: main\n"
		 "9:35 unknown key \"kk\"; did you mean \"k\"?\n"
		 "10:28 key needs both, like {name: pii, per: $.customer_id}; one key for all is key: NAME\n"
		 "11:28 key needs both, like {name: pii, per: $.customer_id}; one key for all is key: NAME\n"
		 "12:38 unknown key \"pre\" in key; did you mean \"per\"?\n"
		 "13:43 path: must start with $, as $.name does, at byte 0\n"
		 "14:43 what a key is per is one field, like $.order_id: no wildcards and not $ alone\n"
		 "15:43 what a key is per is one field, like $.order_id: no wildcards and not $ alone\n"
		 "16:35 name in key must be text, not a list\n"
		 "17:28 key in method m must be text or a map, not a list\n"
		 "18:26 type redact takes no key; remove it from method n\n"},
		{HEAD "  protect: {$.a: {type: envelope, key: {name: k, per: $.id}}}\n",
		 "5:40 per needs a store for its keys; add stores: {main: \"sqlite:keys.db\"} to the policy\n"},
		{TWO_STORES "topics:\n- match: t\n  protect:\n"
			    "    $.a: {type: envelope, key: {name: k, per: $.id, store: main}}\n"
			    "    $.id: {type: redact}\n"
			    "    $.b: {type: envelope, key: {name: k, per: $.c, store: main}, bind: {record: $.c}}\n"
			    "    $.d: {type: envelope, key: {name: k, per: $.c.e, store: other}}\n",
		 "7:5 $.a has a key for each value of the field $.id, which $.id can change: name one that stays in "
		 "clear\n"
		 "10:5 $.d has a key for each value of the field $.c.e, which lies in or around another one that "
		 "counts, "
		 "too\n"},
	};

	CHECK_ALL(mistakes);
}

static void topics(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\ntopics:\n- {}\n- t\n- match: a\n- protect: {$.a: {type: redact}}\n- mtch: a\n"
		 "- match: []\n  protect: {}\n- match: [a, [b], \"\"]\n  protect: []\n",
		 "3:3 the topic needs match, like match: purchases\n"
		 "3:3 the topic needs protect: a map from paths to methods\n"
		 "4:3 a topic must be a map, not text\n"
		 "5:3 the topic needs protect: a map from paths to methods\n"
		 "6:3 the topic needs match, like match: purchases\n"
		 "7:3 unknown key \"mtch\" in a topic; did you mean \"match\"?\n"
		 "8:10 match names no topic\n"
		 "9:12 protect has 1 to 1024 paths: a topic without any would pass in clear, which needs key: or "
		 "headers: in it\n"
		 "10:14 match must be a topic, a glob, a /regex/ or a list of these\n"
		 "10:19 match must be a topic, a glob, a /regex/ or a list of these\n"
		 "11:12 protect in a topic must be a map, not a list\n"},
		{"version: 1\ntopics:\n- match: ['a[b', 'c\\', /(/, '/a)b/', '/\\C/']\n  format: jsn\n  on_error: x\n"
		 "  protect: {$.a: {type: redact}}\n",
		 "3:11 a set in a glob needs its closing ]\n"
		 "3:18 a glob must not end in a backslash\n"
		 "3:26 not a regular expression: missing closing parenthesis\n"
		 "3:32 not a regular expression: unmatched closing parenthesis\n"
		 "3:42 not a regular expression: using \\C is disabled by the application\n"
		 "4:11 format must be one of json|bytes in a topic; did you mean \"json\"?\n"
		 "5:13 on_error must be one of reject|dead_letter|drop\n"},
		{"version: 1\ntopics:\n"
		 "- {match: 'a*', protect: {$.a: {type: redact}}}\n"
		 "- {match: ab, protect: {$.a: {type: redact}}}\n"
		 "- {match: [__x, ac, '/b+/'], protect: {$.a: {type: redact}}}\n"
		 "- {match: bb, protect: {$.a: {type: redact}}}\n"
		 "- {match: 'a*', protect: {$.a: {type: redact}}}\n"
		 "- {match: '*', protect: {$.a: {type: redact}}}\n"
		 "- {match: /c/, protect: {$.a: {type: redact}}}\n"
		 "- {match: c, protect: {$.a: {type: redact}}}\n"
		 "- {match: _schemas, protect: {$.a: {type: redact}}}\n",
		 "4:3 warning: topic ab is taken by \"a*\" (line 3), which comes first\n"
		 "5:3 warning: topic ac is taken by \"a*\" (line 3), which comes first\n"
		 "6:3 warning: topic bb is taken by \"/b+/\" (line 5), which comes first\n"
		 "7:3 warning: \"a*\" is never reached: an earlier topic takes all of it\n"
		 "9:3 warning: \"/c/\" is never reached: an earlier topic takes all of it\n"
		 "10:3 warning: topic c is taken by \"*\" (line 8), which comes first\n"},
	};

	CHECK_ALL(mistakes);
}

static void rules(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\nkeys: {k: local:k}\nmethods: {secret: {type: encrypt, key: k}}\ntopics:\n- match: t\n  "
		 "protect:\n"
		 "    $.a: secrt\n"
		 "    $.b: zzzzzzzz\n"
		 "    $.c: [secret]\n"
		 "    d: secret\n"
		 "    $.e[: secret\n"
		 "    $: {type: remove}\n"
		 "    '$.f.': secret\n",
		 "7:10 unknown method \"secrt\"; did you mean \"secret\"?\n"
		 "8:10 unknown method \"zzzzzzzz\"; add it under methods, or write {type: ...} here\n"
		 "9:10 $.c gets one method: its name, or {type: ...}\n"
		 "10:5 path: must start with $, as $.name does, at byte 0\n"
		 "11:9 path: expected 'name', \"name\", an index or * at byte 4\n"
		 "12:5 $ and $.a (line 7) can name the same value or one inside the other\n"
		 "12:8 remove takes a field away and can't be used on $, the whole record\n"
		 "13:10 path: expected a name (other names than letters, digits and _ need ['...']) at byte 4\n"},
		{HEAD "  protect:\n"
		      "    $.a.b: {type: redact}\n"
		      "    $.a: {type: redact}\n"
		      "    $.c[*]: {type: redact}\n"
		      "    $.c[0]: {type: redact}\n"
		      "    $['d']: {type: redact}\n"
		      "    $.d: {type: redact}\n",
		 "7:5 $.a and $.a.b (line 6) can name the same value or one inside the other\n"
		 "9:5 $.c[0] and $.c[*] (line 8) can name the same value or one inside the other\n"
		 "11:5 $.d and $['d'] (line 10) can name the same value or one inside the other\n"},
		{HEAD "  format: bytes\n  protect:\n"
		      "    $.a: {type: encrypt, key: k}\n",
		 "7:5 with format: bytes the only path is $, the whole value\n"},
		{HEAD "  format: bytes\n  protect:\n"
		      "    $: {type: redact}\n",
		 "7:8 redact can't take a whole payload (format: bytes)\n"},
		{HEAD "  format: bytes\n  protect:\n"
		      "    $: {type: encrypt, key: k, bind: {record: $.a}}\n",
		 "7:8 with format: bytes there is no field to bind to\n"},
		{"version: 1\nkeys: {k: local:k}\nstores: {m: lite:a}\ntopics:\n- match: t\n"
		 "  format: bytes\n  protect:\n"
		 "    $: {type: envelope, key: {name: k, per: $.a}}\n",
		 "8:8 with format: bytes there is no field that says whose key it is\n"},
	};

	CHECK_ALL(mistakes);
}

static void dead_letters(void **state)
{
	static const struct mistake mistakes[] = {
		{HEAD "  on_error: dead_letter\n  protect: {$.a: {type: redact}}\n",
		 "4:3 on_error: dead_letter needs dead_letter: {topic: NAME, key: NAME} in this topic\n"},
		{HEAD "  dead_letter: {topic: t_dlq, key: k}\n  protect: {$.a: {type: redact}}\n",
		 "5:16 warning: dead_letter has no effect without on_error: dead_letter\n"},
		{HEAD "  on_error: dead_letter\n  dead_letter: {topic: t_dlq}\n  protect: {$.a: {type: redact}}\n",
		 "6:16 dead_letter needs both, like {topic: purchases_dlq, key: NAME}\n"},
		{HEAD
		 "  on_error: dead_letter\n  dead_letter: {topic: 't*', key: k}\n  protect: {$.a: {type: redact}}\n",
		 "6:16 dead_letter needs both, like {topic: purchases_dlq, key: NAME}\n"},
		{HEAD
		 "  on_error: dead_letter\n  dead_letter: {topc: t_dlq, key: kk}\n  protect: {$.a: {type: redact}}\n",
		 "6:17 unknown key \"topc\" in dead_letter; did you mean \"topic\"?\n"},
		{HEAD "  on_error: dead_letter\n  dead_letter: {topic: t_dlq, key: kk}\n  protect: {$.a: {type: "
		      "redact}}\n",
		 "6:36 unknown key \"kk\"; did you mean \"k\"?\n"},
		{HEAD
		 "  on_error: dead_letter\n  dead_letter: {topic: t_dlq, key: k}\n  protect: {$.a: {type: redact}}\n"
		 "- match: [u, t_dlq]\n  protect: {$.a: {type: redact}}\n",
		 "8:3 t_dlq is a dead-letter topic and can't have an entry of its own\n"},
		{"version: 1\nkeys: {k: local:k, l: local:l}\ndefaults: {on_error: dead_letter}\ntopics:\n"
		 "- {match: a, dead_letter: {topic: dlq, key: k}, protect: {$.a: {type: redact}}}\n"
		 "- {match: b, dead_letter: {topic: dlq, key: k}, protect: {$.a: {type: redact}}}\n"
		 "- {match: c, dead_letter: {topic: dlq, key: l}, protect: {$.a: {type: redact}}}\n",
		 "7:45 dead letters in dlq have the key k already (line 5)\n"},
	};

	CHECK_ALL(mistakes);
}

/* What is too long, and a build without the kind that dead letters need. */
static void limits(void **state)
{
	static const struct method_kind *const few[] = {&fake_redact, NULL};
	static const struct policy_schema few_schema = {few, fake_schemes, NULL};
	struct policy *policy = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	char long_text[1100], text[1400];

	memset(long_text, 'x', sizeof(long_text));
	snprintf(text, sizeof(text), "version: 1\nnamespace: %.256s\n" TOPICS, long_text);
	assert_int_equal(policy_load(bytes_str(text), "p", &fake_schema, NULL, &policy, &err), SEAL_USAGE);
	assert_string_equal(err.text, "a namespace has at most 255 bytes");
	err_clear(&err);
	snprintf(text, sizeof(text), "version: 1\ntopics: [{match: /%.1001s/, protect: {$.a: {type: redact}}}]\n",
		 long_text);
	assert_int_equal(policy_load(bytes_str(text), "p", &fake_schema, NULL, &policy, &err), SEAL_USAGE);
	assert_string_equal(err.text, "a regular expression has at most 1000 bytes");
	err_clear(&err);
	assert_int_equal(policy_load(bytes_str(HEAD "  on_error: dead_letter\n  dead_letter: {topic: d, key: k}\n"
						    "  protect: {$.a: {type: redact}}\n"),
				     "p", &few_schema, NULL, &policy, &err),
			 SEAL_USAGE);
	assert_string_equal(err.text, "dead letters need the method type encrypt, which is not built in");
	assert_string_equal(err.place, "p:6:16");
}

/* The first error is the result, whatever warnings stand before it; the text says that there are more. */
static void first_error(void **state)
{
	struct policy *policy = NULL;
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(
		policy_load(bytes_str(HEAD "  dead_letter: {topic: d, key: k}\n  protect: {$.a: x, $.b: y}\n"),
			    "p.yaml", &fake_schema, NULL, &policy, &err),
		SEAL_USAGE);
	assert_string_equal(err.place, "p.yaml:6:18");
	assert_string_equal(err.text,
			    "unknown method \"x\"; add it under methods, or write {type: ...} here (and 1 more; "
			    "see: sealstream policy lint p.yaml)");
}

static void tests_of_policies(void **state)
{
	static const struct mistake mistakes[] = {
		{"version: 1\n" TOPICS "tests:\n"
		 "- {}\n"
		 "- {topic: t, in: {}}\n"
		 "- {topic: u, in: {}, round_trip: true}\n"
		 "- {topic: t, in: {}, out: {}, error: domain}\n"
		 "- {topic: t, in: {}, error: domian}\n"
		 "- {topic: t, in: {}, error: zzzzzzzzz}\n"
		 "- {topic: t, in: {}, round_trip: yes}\n"
		 "- {topic: t, in: {a: +1, b: 0x10, c: .5, d: -.inf, e: 0o17}, round_trip: true}\n"
		 "- {topic: t, in: {}, out: {a: {like: '('}, b: {absent: no}, '$.c[': 1, d: {like: [x]}}}\n"
		 "- {topic: t, in: {}, otu: {}}\n",
		 "4:3 a test needs topic and in\n"
		 "5:3 the test checks nothing: give it out, error or round_trip: true\n"
		 "6:11 no topic entry matches u\n"
		 "7:3 a test with error has no result: remove out and round_trip\n"
		 "8:29 unknown error \"domian\"; did you mean \"domain\"?\n"
		 "9:29 unknown error \"zzzzzzzzz\", such as domain, type, protected or missing\n"
		 "10:34 round_trip must be true or false\n"
		 "11:22 a number of YAML that JSON can't write; put it in quotes or write it in decimal\n"
		 "11:29 a number of YAML that JSON can't write; put it in quotes or write it in decimal\n"
		 "11:38 a number of YAML that JSON can't write; put it in quotes or write it in decimal\n"
		 "11:45 a number of YAML that JSON can't write; put it in quotes or write it in decimal\n"
		 "11:55 a number of YAML that JSON can't write; put it in quotes or write it in decimal\n"
		 "12:40 not a regular expression: missing closing parenthesis\n"
		 "12:56 absent can only be true\n"
		 "12:66 path: expected 'name', \"name\", an index or * at byte 4\n"
		 "12:82 like must be a regular expression, not a list\n"
		 "13:22 unknown key \"otu\" in a test; did you mean \"out\"?\n"},
		{HEAD "  format: bytes\n  protect: {$: {type: encrypt, key: k}}\ntests:\n"
		      "- {topic: t, in: {a: 1}, round_trip: true}\n"
		      "- {topic: t, in: x, out: {a: 1}}\n",
		 "8:18 in must be text, not a map: the topic has format: bytes\n"
		 "9:27 with format: bytes the only path is $, the whole value\n"},
	};

	CHECK_ALL(mistakes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml),
		cmocka_unit_test(top_level),
		cmocka_unit_test(keys),
		cmocka_unit_test(methods),
		cmocka_unit_test(binds),
		cmocka_unit_test(topics),
		cmocka_unit_test(rules),
		cmocka_unit_test(dead_letters),
		cmocka_unit_test(tests_of_policies),
		cmocka_unit_test(limits),
		cmocka_unit_test(first_error),
		cmocka_unit_test(stores),
		cmocka_unit_test(stores_of_methods),
		cmocka_unit_test(keys_per_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
