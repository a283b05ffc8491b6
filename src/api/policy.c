/* sealstream/policy.h over policy/policy.h. */
#include "sealstream/policy.h"

#include "api/api.h"
#include "base/mem.h"
#include "engine/registry.h"

/* Wraps what `load` made, or frees it. */
static enum seal_status wrap(enum seal_status rc, struct policy *policy, struct seal_policy **out,
			     struct seal_err *err)
{
	struct seal_policy *wrapped;

	*out = NULL;
	if (rc != SEAL_OK)
		return rc;
	wrapped = mem_alloc(sizeof(*wrapped));
	if (wrapped == NULL) {
		policy_free(policy);
		return err_memory(err);
	}
	wrapped->policy = policy;
	*out = wrapped;
	return SEAL_OK;
}

enum seal_status seal_policy_load(struct seal_bytes text, const char *name, struct seal_policy **out,
				  struct seal_err *err)
{
	struct policy *policy = NULL;
	enum seal_status rc;

	rc = policy_load(text, name != NULL ? name : "policy", &registry_schema, NULL, &policy, err);
	return wrap(rc, policy, out, err);
}

enum seal_status seal_policy_load_file(const char *path, struct seal_policy **out, struct seal_err *err)
{
	struct policy *policy = NULL;
	enum seal_status rc;

	rc = policy_load_file(path, &registry_schema, NULL, &policy, err);
	return wrap(rc, policy, out, err);
}

void seal_policy_free(struct seal_policy *policy)
{
	if (policy == NULL)
		return;
	policy_free(policy->policy);
	mem_free(policy);
}

enum seal_status seal_policy_check(struct seal_bytes text, const char *name,
				   void (*found)(void *arg, const struct seal_finding *finding), void *arg,
				   struct seal_err *err)
{
	struct policy_findings findings;
	struct policy *policy = NULL;
	enum seal_status rc;

	policy_findings_init(&findings);
	rc = policy_load(text, name != NULL ? name : "policy", &registry_schema, &findings, &policy, err);
	for (const struct policy_finding *at = findings.first; at != NULL && found != NULL; at = at->next) {
		const struct seal_finding finding = {at->mark.line, at->mark.column, at->warning, at->text};

		found(arg, &finding);
	}
	policy_findings_clear(&findings);
	policy_free(policy);
	return rc;
}

const char *seal_policy_namespace(const struct seal_policy *policy)
{
	return policy->policy->namespace_;
}

size_t seal_policy_key_count(const struct seal_policy *policy)
{
	return policy->policy->n_keys;
}

const char *seal_policy_key_name(const struct seal_policy *policy, size_t index)
{
	return index < policy->policy->n_keys ? policy->policy->keys[index].name : NULL;
}

const char *seal_policy_key_scheme(const struct seal_policy *policy, size_t index)
{
	return index < policy->policy->n_keys ? policy->policy->keys[index].scheme : NULL;
}

struct seal_bytes seal_policy_key_reference(const struct seal_policy *policy, size_t index)
{
	return index < policy->policy->n_keys ? policy->policy->keys[index].reference : BYTES_EMPTY;
}

const struct seal_topic *seal_policy_topic(const struct seal_policy *policy, const char *name)
{
	return api_topic(policy_topic_find(policy->policy, bytes_str(name)));
}

size_t seal_policy_topic_count(const struct seal_policy *policy)
{
	return policy->policy->n_entries;
}

const struct seal_topic *seal_policy_topic_at(const struct seal_policy *policy, size_t index)
{
	return index < policy->policy->n_entries ? api_topic(&policy->policy->topics[index]) : NULL;
}

const struct seal_topic *seal_topic_key(const struct seal_topic *topic)
{
	return api_topic(api_policy_topic(topic)->key);
}

const struct seal_topic *seal_topic_header(const struct seal_topic *topic, const char *name)
{
	const struct policy_topic *const *at = api_policy_topic(topic)->headers;

	for (; at != NULL && *at != NULL; at++)
		if (strcmp((*at)->header, name) == 0)
			return api_topic(*at);
	return NULL;
}

const char *seal_topic_pattern(const struct seal_topic *topic, size_t index)
{
	const char *const *matches = api_policy_topic(topic)->matches;

	for (; *matches != NULL && index > 0; index--)
		matches++;
	return *matches;
}

enum seal_on_error seal_topic_on_error(const struct seal_topic *topic)
{
	switch ((enum on_error)api_policy_topic(topic)->on.on_error) {
	case ON_ERROR_DEAD_LETTER:
		return SEAL_ON_ERROR_DEAD_LETTER;
	case ON_ERROR_DROP:
		return SEAL_ON_ERROR_DROP;
	case ON_ERROR_REJECT:
		break;
	}
	return SEAL_ON_ERROR_REJECT;
}

const char *seal_topic_dead_letter(const struct seal_topic *topic)
{
	return api_policy_topic(topic)->dead_letter_topic;
}

size_t seal_topic_rule_count(const struct seal_topic *topic)
{
	return api_policy_topic(topic)->n_rules;
}

static const struct policy_rule *rule_at(const struct seal_topic *topic, size_t index)
{
	const struct policy_topic *of = api_policy_topic(topic);

	return index < of->n_rules ? &of->rules[index] : NULL;
}

const char *seal_topic_rule_path(const struct seal_topic *topic, size_t index)
{
	const struct policy_rule *rule = rule_at(topic, index);

	return rule != NULL ? rule->path_text : NULL;
}

const char *seal_topic_rule_type(const struct seal_topic *topic, size_t index)
{
	const struct policy_rule *rule = rule_at(topic, index);

	return rule != NULL ? rule->method->kind->name : NULL;
}

const char *seal_topic_rule_key(const struct seal_topic *topic, size_t index)
{
	const struct policy_rule *rule = rule_at(topic, index);

	return rule != NULL && rule->method->key != NULL ? rule->method->key->name : NULL;
}

bool seal_topic_rule_reversible(const struct seal_topic *topic, size_t index)
{
	const struct policy_rule *rule = rule_at(topic, index);

	return rule != NULL && (rule->method->flags & METHOD_ONE_WAY) == 0;
}
