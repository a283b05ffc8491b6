/* A policy put to use. */
#include "cmd/policy_use.h"

#include "base/log.h"
#include "base/secret.h"
#include "cmd/audit_use.h"
#include "cmd/registry.h"

static void tell_findings(const char *file, const struct policy_findings *findings)
{
	for (const struct policy_finding *f = findings->first; f != NULL; f = f->next)
		if (f->warning)
			log_say(LOG_WARNING, "%s:%u:%u: %s", file, f->mark.line, f->mark.column, f->text);
}

/* `topics`: NULL for the policy's only one. `option` is where the user could have named one. */
static enum seal_status choose_topic(const char *file, const char *const *topics, const char *option,
				     struct policy_use *use, struct seal_err *err)
{
	if (topics == NULL)
		use->topic = policy_topic_only(use->policy);
	for (size_t i = 0; topics != NULL && use->topic == NULL && topics[i] != NULL; i++)
		use->topic = policy_topic_find(use->policy, bytes_str(topics[i]));
	if (use->topic != NULL)
		return SEAL_OK;
	err_place(err, "%s", file);
	if (topics == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "the policy has several topics; choose one with --%s",
			       option);
	return err_set(
		err, SEAL_USAGE, SEAL_E_CONFIG,
		"no topic of the policy matches %.150s%s%.150s; name one of the policy's, or add this one to it "
		"(sealstream policy explain shows them)",
		topics[0], topics[1] ? " or " : "", topics[1] ? topics[1] : "");
}

static void tell_plan(const struct plan *plan)
{
	char text[SEAL_ERR_TEXT_MAX];

	for (size_t i = 0; i < plan_policy(plan)->n_methods; i++)
		if (plan_warning(plan, i, text))
			log_say(LOG_WARNING, "%s", text);
}

#define UNFOUND_TOLD 8

void policy_use_tell_unfound(const struct policy_use *use, uint64_t records, const char *hint)
{
	const struct policy_topic *topic = use->topic;
	size_t unfound = 0;

	for (size_t i = 0; i < topic->n_rules; i++)
		unfound += !plan_rule_found(use->plan, topic, i);
	if (records == 0 || unfound == 0)
		return;
	if (unfound == topic->n_rules) {
		log_say(LOG_WARNING,
			"no record (of %llu) has a field that the policy protects: nothing was protected; names are "
			"compared exactly, upper and lower case too%s",
			(unsigned long long)records, hint);
		return;
	}
	for (size_t i = 0, told = 0; i < topic->n_rules && told < UNFOUND_TOLD; i++) {
		if (plan_rule_found(use->plan, topic, i))
			continue;
		told++;
		log_say(LOG_WARNING, "no record (of %llu) has %s: is it written as in the records?%s",
			(unsigned long long)records, topic->rules[i].path_text,
			told == UNFOUND_TOLD && unfound > told ? " There are more such paths" : "");
	}
}

static enum seal_status load(const char *file, const char *const *topics, const char *option, struct policy_use *out,
			     struct seal_err *err)
{
	struct policy_findings findings;
	enum seal_status rc;

	*out = (struct policy_use)POLICY_USE_INIT;
	policy_findings_init(&findings);
	rc = policy_load_file(file, &registry_schema, &findings, &out->policy, err);
	tell_findings(file, &findings);
	policy_findings_clear(&findings);
	SEAL_TRY(rc);
	rc = choose_topic(file, topics, option, out, err);
out:
	if (rc != SEAL_OK)
		policy_use_close(out);
	return rc;
}

enum seal_status policy_use_load(const char *file, const char *const *topics, struct policy_use *out,
				 struct seal_err *err)
{
	return load(file, topics, "policy-topic", out, err);
}

static enum seal_status open_with(const char *file, const char *const *topics, const char *option,
				  enum engine_direction direction, const struct global_options *global,
				  struct policy_use *out, struct seal_err *err)
{
	struct key_source_config keys = global_key_config(global);
	enum seal_status rc;

	SEAL_TRY(load(file, topics, option, out, err));
	SEAL_TRY(audit_policy_open(global, file, out->policy, &out->audit, err));
	keys.create_stores = direction == ENGINE_PROTECT;
	SEAL_TRY(plan_new(out->policy, &registry, &keys, &out->plan, err));
	audit_policy_watch(out->audit, out->plan);
	tell_plan(out->plan);
	if (!secret_all_locked())
		log_say(LOG_WARNING,
			"keys are in memory that may be swapped out: the limit of locked memory is too low; "
			"see sealstream doctor");
out:
	if (rc != SEAL_OK)
		policy_use_close(out);
	return rc;
}

enum seal_status policy_use_open(const char *file, const char *topic, enum engine_direction direction,
				 const struct global_options *global, struct policy_use *out, struct seal_err *err)
{
	const char *topics[] = {topic, NULL};

	return open_with(file, topic ? topics : NULL, "topic", direction, global, out, err);
}

enum seal_status policy_use_open_any(const char *file, const char *const *topics, enum engine_direction direction,
				     const struct global_options *global, struct policy_use *out,
				     struct seal_err *err)
{
	return open_with(file, topics, "policy-topic", direction, global, out, err);
}

enum seal_status policy_is_needed(struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "a policy is needed: -p FILE (or SEALSTREAM_POLICY); see sealstream policy --help");
}

void policy_use_close(struct policy_use *use)
{
	audit_policy_close(use->audit);
	plan_free(use->plan);
	policy_free(use->policy);
	*use = (struct policy_use)POLICY_USE_INIT;
}
