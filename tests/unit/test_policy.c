/* policy: does a policy become the rules that it says, and is every mistake told with its place and a way out? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/pattern.h"
#include "policy/tests.h"
#include "policy_fake.h"

static struct policy *load(const char *text)
{
	struct policy_findings findings;
	struct seal_err err = SEAL_ERR_INIT;
	struct policy *policy = NULL;
	enum seal_status rc;

	policy_findings_init(&findings);
	rc = policy_load(bytes_str(text), "p.yaml", &fake_schema, &findings, &policy, &err);
	if (rc != SEAL_OK)
		print_message("%s: %s\n", err.place, err.text);
	assert_int_equal(rc, SEAL_OK);
	assert_non_null(policy);
	assert_int_equal(findings.errors, 0);
	policy_findings_clear(&findings);
	return policy;
}

static void example_loads(void **state)
{
	struct policy *policy = load(fake_example);
	const struct policy_topic *topic = &policy->topics[0];
	const struct fake_options *card;

	assert_string_equal(policy->namespace_, "shop");
	assert_int_equal(policy->n_keys, 2);
	assert_string_equal(policy->keys[0].name, "pii");
	assert_string_equal(policy->keys[0].scheme, "vault");
	assert_true(bytes_eq_str(policy->keys[0].reference, "transit/pii"));
	assert_int_equal(policy->n_methods, 4);
	assert_int_equal(policy->n_topics, 1);
	assert_ptr_equal(policy_topic_only(policy), topic);
	assert_int_equal(topic->n_rules, 5);
	assert_string_equal(topic->rules[0].path_text, "$.Address");
	assert_ptr_equal(topic->rules[0].method, &policy->methods[0]);
	assert_ptr_equal(topic->rules[2].method, &policy->methods[0]);
	assert_true(bytes_eq_str(topic->rules[2].path, "$['items'][*]['note']"));
	assert_string_equal(topic->rules[3].method->name, "$.customer");
	assert_ptr_equal(topic->rules[3].method->kind, &fake_envelope);
	card = topic->rules[1].method->options;
	assert_string_equal(card->alphabet, "digits");
	assert_int_equal(card->first, 6);
	assert_int_equal(card->last, 4);
	assert_ptr_equal(topic->rules[1].method->key, &policy->keys[1]);
	assert_non_null(topic->paths);
	assert_int_equal(policy->n_tests, 1);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
