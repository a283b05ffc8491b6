/*
 * The policy compiler: whatever the text is, it gives a policy whose rules can be used, explained and matched, or a finding
 * for the first error that stands where the error says.
 */
#include "../unit/policy_fake.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "policy/explain.h"
#include "policy/tests.h"

static void check_findings(const struct policy_findings *findings, const struct seal_err *err)
{
	uint32_t line = 0;

	for (const struct policy_finding *one = findings->first; one != NULL; one = one->next) {
		CHECK(one->mark.line >= 1 && one->mark.line >= line);
		CHECK(one->text[0] != '\0' && strchr(one->text, '\n') == NULL && utf8_valid(bytes_str(one->text)));
		line = one->mark.line;
	}
	CHECK((findings->errors > 0) == (err->status != SEAL_OK));
	CHECK(err->status == SEAL_OK || (err->code == SEAL_E_CONFIG && err->place[0] != '\0'));
}

static void check_topic(const struct policy *policy, const struct policy_topic *topic)
{
	CHECK(topic->paths != NULL && topic->n_rules >= 1);
	CHECK((topic->n_patterns >= 1) == (topic->part == PART_VALUE));
	CHECK(topic->on.on_error != ON_ERROR_DEAD_LETTER || topic->dead_letter_method != NULL);
	for (size_t i = 0; i < topic->n_rules; i++) {
		const struct policy_rule *rule = &topic->rules[i];

		CHECK(rule->method >= policy->methods && rule->method < policy->methods + policy->n_methods);
		CHECK(rule->method->kind != NULL && rule->path.len >= 1);
		CHECK(bytes_starts(rule->path, bytes_str(topic->root)));
		CHECK((rule->method->kind->flags & METHOD_ANY_KEY) == 0 || rule->method->key != NULL);
		CHECK((rule->method->bind.mode == BIND_RECORD) == (rule->record_path != UINT32_MAX));
	}
}

static void check_part(const struct policy_test_part *part)
{
	CHECK(part->topic != NULL && part->in.ptr != NULL);
	CHECK(part->topic->format != FORMAT_JSON || json_is_value(part->in, false));
	CHECK(part->n_expects == 0 || part->expects != NULL);
}

static void check_test(const struct policy_test *test)
{
	CHECK(test->topic != NULL && test->topic == test->value.topic);
	check_part(&test->value);
	if (test->key.topic != NULL)
		check_part(&test->key);
	for (size_t i = 0; i < test->n_headers; i++)
		check_part(&test->headers[i]);
}

static void check_policy(const struct policy *policy)
{
	struct seal_buf out = BUF_INIT(64 << 20);

	for (size_t i = 0; i < policy->n_topics; i++)
		check_topic(policy, &policy->topics[i]);
	for (size_t i = 0; i < policy->n_tests; i++)
		check_test(&policy->tests[i]);
	policy_topic_find(policy, BYTES_LIT("purchases"));
	policy_topic_find(policy, BYTES_LIT("__x"));
	CHECK(explain_text(policy, "p", NULL, &out, NULL) == SEAL_OK);
	buf_reset(&out);
	CHECK(explain_json(policy, "p", NULL, &out, NULL) == SEAL_OK);
	CHECK(json_is_value(buf_bytes(&out), true));
	buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_findings findings;
	struct seal_err err = SEAL_ERR_INIT;
	struct policy *policy;

	policy_findings_init(&findings);
	if (policy_load(bytes_of(data, size), "p", &fake_schema, &findings, &policy, &err) == SEAL_OK)
		check_policy(policy);
	check_findings(&findings, &err);
	policy_free(policy);
	policy_findings_clear(&findings);
	return 0;
}
