/* policy: every allocation that fails gives SEAL_E_MEMORY and leaves nothing behind. libyaml's own are not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../unit/policy_fake.h"
#include "oom.h"
#include "policy/diff.h"
#include "policy/explain.h"
#include "policy/json_schema.h"

static const char big[] =
	"version: 1\nnamespace: n\nkeys: {k: local:k, unused: local:k}\nstores: {main: lite:x}\n"
	"defaults: {on_error: dead_letter}\n"
	"methods: {a: {type: encrypt, key: k, bind: {record: $.id}}, a2: {type: encrypt, key: k}}\ntopics:\n"
	"- match: [t, 'g*', /r+/]\n"
	"  dead_letter: {topic: dlq, key: k}\n"
	"  protect: {$.a: a, $.b: {type: fpe, key: k, alphabet: x, tweak: 00ff}, $.c.*: {type: "
	"envelope, key: {name: k, per: $.id, store: main}, words: [x, y]}}\n"
	"  key: {$.id: {type: same, key: k}, $.x.*: {type: same, key: k}}\n"
	"  headers: {x: a2, y: {type: redact}}\n"
	"  allow: [$.z, $.id, key, 'header:q']\n"
	"- {match: t, on_error: drop, key: {type: same, key: k}, key_format: bytes, protect: {$: {type: redact}}}\n"
	"tests:\n- {topic: t, in: {a: [1, x]}, out: {a: {like: 'x+'}, '$.b[0]': 1}, round_trip: true, "
	"key: {in: {id: 7}, out: {id: {not: 7}, $.y: 1}}, headers: {y: {in: a, out: {like: b}}, x: {in: c}}}\n";

/* Loads with findings, explains, and throws all of it away. */
static enum seal_status load(void *arg, struct seal_err *err)
{
	struct seal_buf out = BUF_INIT(1 << 20);
	struct policy_findings findings;
	struct policy *policy = NULL;
	enum seal_status rc;

	policy_findings_init(&findings);
	SEAL_TRY(policy_load(bytes_str(arg), "p.yaml", &fake_schema, &findings, &policy, err));
	assert_int_equal(findings.warnings, 2);
	SEAL_TRY(explain_text(policy, "p.yaml", "gg", &out, err));
	SEAL_TRY(explain_json(policy, "p.yaml", NULL, &out, err));
out:
	if (rc != SEAL_OK && policy == NULL)
		assert_null(out.ptr);
	buf_clear(&out);
	policy_free(policy);
	policy_findings_clear(&findings);
	return rc;
}

static void loads(void **state)
{
	char text[sizeof(big)];

	memcpy(text, big, sizeof(big));
	assert_true(oom_each(load, text) >= 20);
}

/* A policy with mistakes: no memory wins over them, and is never taken for one. */
static enum seal_status load_wrong(void *arg, struct seal_err *err)
{
	struct seal_err first = SEAL_ERR_INIT;
	struct policy *policy = NULL;
	enum seal_status rc = policy_load(bytes_str(arg), "p.yaml", &fake_schema, NULL, &policy, &first);

	assert_null(policy);
	if (first.code == SEAL_E_CONFIG)
		return SEAL_OK; /* what it should be */
	*err = first;
	return rc;
}

static void mistakes(void **state)
{
	char text[] = "version: 1\nkeys: {kk: local:k}\nmethods: {a: {type: encript, key: k}, b: {type: fpe, key: k, "
		      "keap: 1}, c: {type: envelope, key: {name: kk, per: $.x, store: s}}}\nstores: {a: lite:x, b: "
		      "lit:x}\ntopics:\n- {match: /(/, protect: {$.a: b, $.b: secret, $.c: {type: x}, '$[': b}}\n"
		      "- {match: t, key: {type: redact}, headers: {seal-x: a, y: {type: remove}}, allow: [$.a, x], "
		      "protect: {$.a: "
		      "{type: redact}}}\ntests: [{topic: x, in: {}, error: domian}]\n";

	assert_true(oom_each(load_wrong, text) >= 5);
}

static enum seal_status write_schema(void *arg, struct seal_err *err)
{
	struct seal_buf out = BUF_INIT(1 << 20);
	enum seal_status rc = json_schema_write(&fake_schema, &out, err);

	buf_clear(&out);
	return rc;
}

static void schemas(void **state)
{
	assert_true(oom_each(write_schema, NULL) >= 3);
}

static enum seal_status match(void *arg, struct seal_err *err)
{
	const struct policy_topic *found = policy_topic_find(arg, BYTES_LIT("rrr"));

	return found != NULL ? SEAL_OK : err_memory(err);
}

/* Without memory a topic has no rules, rather than those of a later entry. */
static void matching(void **state)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_load(bytes_str("version: 1\ntopics:\n- {match: /r+/, protect: {$: {type: redact}}}\n"
					       "- {match: '*', protect: {$: {type: redact}}}\n"),
				     "p.yaml", &fake_schema, NULL, &policy, NULL),
			 SEAL_OK);
	assert_true(oom_each(match, policy) >= 1);
	policy_free(policy);
}

static enum seal_status compare(void *arg, struct seal_err *err)
{
	struct policy *const *policies = arg;
	struct policy_diff diff;
	enum seal_status rc;

	policy_diff_init(&diff);
	rc = policy_diff(policies[0], policies[1], NULL, &diff, err);
	if (rc == SEAL_OK)
		assert_int_equal(diff.n[CHANGE_LOSES], 2);
	policy_diff_clear(&diff);
	return rc;
}

/* No memory is never taken for no change. */
static void differences(void **state)
{
	struct policy *policies[2] = {NULL, NULL};

	for (size_t i = 0; i < 2; i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "version: 1\nkeys: {k: local:%zu}\ntopics:\n- {match: [t, u, '*'], protect: {$.a: {type: "
			 "encrypt, "
			 "key: k}, $.b: {type: encrypt, key: k}}}\n",
			 i);
		assert_int_equal(policy_load(bytes_str(text), "p.yaml", &fake_schema, NULL, &policies[i], NULL),
				 SEAL_OK);
	}
	assert_true(oom_each(compare, policies) >= 1);
	policy_free(policies[0]);
	policy_free(policies[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads),    cmocka_unit_test(mistakes),	   cmocka_unit_test(schemas),
		cmocka_unit_test(matching), cmocka_unit_test(differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
