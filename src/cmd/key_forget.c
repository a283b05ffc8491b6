/*
 * `key forget`: a person's data key goes away for ever, or (--admit) they may have a new one.
 *
 *   policy ─▶ methods with `per` that --method or --topic leave ─▶ targets: each key and store once ─▶ person_keys
 *
 * Without a choice all targets are meant, as long as they are about one kind of id: an order's number is no customer's.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/key_use.h"
#include "cmd/policy.h"
#include "cmd/policy_use.h"
#include "cmd/registry.h"
#include "keys/person_keys.h"

#define TIMEOUT_MS 120000

struct forget_options {
	const char *policy, *topic, *method, *per;
	bool admit;
};

static const struct opt_row rows[] = {
	{.name = "policy",
	 .letter = 'p',
	 .help = "the policy whose methods have a key for each person",
	 .arg = "FILE",
	 .env = "SEALSTREAM_POLICY",
	 .type = OPT_STRING,
	 .offset = offsetof(struct forget_options, policy)},
	{.name = "per",
	 .help = "whose key: the value that stands where the method's `per` points",
	 .arg = "ID",
	 .type = OPT_STRING,
	 .required = true,
	 .offset = offsetof(struct forget_options, per)},
	{.name = "method",
	 .help = "only this method's keys; default: those of all methods with `per`",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 .offset = offsetof(struct forget_options, method)},
	{.name = "topic",
	 .letter = 't',
	 .help = "only the keys of this topic's methods",
	 .arg = "TOPIC",
	 .type = OPT_STRING,
	 .offset = offsetof(struct forget_options, topic)},
	{.name = "admit",
	 .help = "take the mark of a forgotten person away: their next record makes a new key",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct forget_options, admit)},
	OPT_END};

/* People's keys of one key and store. */
struct target {
	const struct policy_key *key;
	const struct policy_store *store;
	const char *path; /* `per` as written, of the first method */
	int64_t max_age_ms; /* the longest of its methods */
};

/* What is open for one target. */
struct opened {
	const struct key_source_ops *source_ops;
	const struct store_ops *store_ops;
	struct key_source *source;
	struct key *key;
	struct key_session *session;
	struct store *store;
	struct person_keys *people;
};

static bool in_topic(const struct policy_topic *topic, const struct policy_method *method)
{
	for (size_t i = 0; i < topic->n_rules; i++)
		if (topic->rules[i].method == method)
			return true;
	return false;
}

/* The method's own max_age, where it has one. */
static int64_t max_age_of(const struct policy_method *method)
{
	const struct opt_row *row = opt_find(method->kind->options, BYTES_LIT("max_age"));

	if (row == NULL || row->type != OPT_DURATION)
		return DATA_KEYS_MAX_AGE_DEFAULT_MS;
	return *(const int64_t *)(const void *)((const uint8_t *)method->options + row->offset);
}

static void add_target(struct target *targets, size_t *n, const struct policy_method *method)
{
	const int64_t max_age_ms = max_age_of(method);
	size_t i = 0;

	while (i < *n && (strcmp(targets[i].key->scheme, method->key->scheme) != 0 ||
			  !bytes_eq(targets[i].key->reference, method->key->reference) ||
			  strcmp(targets[i].store->address, method->store->address) != 0))
		i++;
	if (i == *n)
		targets[(*n)++] = (struct target){method->key, method->store, method->per.text, max_age_ms};
	else if (targets[i].max_age_ms < max_age_ms)
		targets[i].max_age_ms = max_age_ms;
}

static enum seal_status no_such_method(const struct policy *policy, const char *name, struct arena *arena,
				       struct seal_err *err)
{
	const char **names = arena_alloc(arena, (policy->n_methods + 1) * sizeof(*names), _Alignof(char *)), *nearest;
	size_t n = 0;

	if (names == NULL)
		return err_memory(err);
	for (size_t i = 0; i < policy->n_methods; i++)
		if (policy->methods[i].per.text != NULL)
			names[n++] = policy->methods[i].name;
	names[n] = NULL;
	nearest = word_nearest(names, bytes_str(name));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "the policy has no method %.100s with a key for each person%s%.100s%s", name,
		       nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		       nearest != NULL ? "?" : "");
}

static enum seal_status check_targets(const struct forget_options *options, const struct policy *policy,
				      const struct target *targets, size_t n, struct arena *arena,
				      struct seal_err *err)
{
	if (n == 0 && options->method != NULL)
		return no_such_method(policy, options->method, arena, err);
	if (n == 0)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"no method of %s has a key for each person (key: {name: …, per: …}), so there is nothing "
			"to forget",
			options->topic != NULL ? "this topic" : "the policy");
	for (size_t i = 1; i < n; i++)
		if (strcmp(targets[i].path, targets[0].path) != 0)
			return err_set(
				err, SEAL_USAGE, SEAL_E_USAGE,
				"the policy has keys per %.100s and per %.100s; say which of them with --method or "
				"--topic",
				targets[0].path, targets[i].path);
	return SEAL_OK;
}

static enum seal_status find_targets(const struct command_call *call, const struct policy *policy,
				     struct target **out, size_t *n, struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const struct policy_topic *topic = NULL;

	*n = 0;
	*out = arena_alloc(call->arena, (policy->n_methods + 1) * sizeof(**out), _Alignof(struct target));
	if (*out == NULL)
		return err_memory(err);
	if (options->topic != NULL) {
		topic = policy_topic_find(policy, bytes_str(options->topic));
		if (topic == NULL)
			return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
				       "no topic of the policy matches %.150s; sealstream policy explain shows them",
				       options->topic);
	}
	for (size_t i = 0; i < policy->n_methods; i++) {
		const struct policy_method *method = &policy->methods[i];

		if (method->per.text != NULL && (topic == NULL || in_topic(topic, method)) &&
		    (options->method == NULL || strcmp(options->method, method->name) == 0))
			add_target(*out, n, method);
	}
	return check_targets(options, policy, *out, *n, call->arena, err);
}

static enum seal_status open_key(const struct command_call *call, const struct target *target, struct opened *open,
				 struct key_info *info, struct seal_err *err)
{
	const struct key_source_config config = global_key_config(call->global);
	enum seal_status rc;

	for (size_t i = 0; registry.sources[i] != NULL; i++)
		if (strcmp(registry.sources[i]->name, target->key->scheme) == 0)
			open->source_ops = registry.sources[i];
	SEAL_INVARIANT(open->source_ops != NULL); /* the policy was checked against the same registry */
	SEAL_TRY(open->source_ops->open(&config, &open->source, err));
	SEAL_TRY(open->source_ops->key(open->source, target->key->reference, &open->key, err));
	SEAL_TRY(open->key->ops->info(open->key, info, err));
	SEAL_TRY(open->key->ops->session(open->key, &open->session, err));
out:
	if (rc != SEAL_OK)
		err_prefix(err, "policy key '%s'", target->key->name);
	return rc;
}

/* One that is not there is not made: an empty store forgets nobody, whatever it says. */
static enum seal_status open_store(const struct target *target, struct opened *open, struct seal_err *err)
{
	const struct store_config config = {.create = false};
	enum seal_status rc;

	for (const struct store_ops *const *at = registry.stores; at != NULL && *at != NULL; at++)
		if (strcmp((*at)->name, target->store->scheme) == 0)
			open->store_ops = *at;
	SEAL_INVARIANT(open->store_ops != NULL);
	rc = open->store_ops->open(target->store->address, &config, &open->store, err);
	if (rc != SEAL_OK)
		err_prefix(err, "policy store '%s'", target->store->name);
	return rc;
}

static void close_target(struct opened *open)
{
	person_keys_free(open->people);
	if (open->store != NULL)
		open->store_ops->free(open->store);
	if (open->session != NULL)
		open->session->ops->free(open->session);
	if (open->key != NULL)
		open->key->ops->free(open->key);
	if (open->source != NULL)
		open->source_ops->free(open->source);
}

static enum seal_status open_target(const struct command_call *call, const struct policy *policy,
				    const struct target *target, struct opened *open, struct seal_err *err)
{
	struct data_keys_options limits = {.max_age_ms = (uint64_t)target->max_age_ms};
	struct person_scope scope = {policy->namespace_, target->key->scheme, target->key->reference};
	struct key_info info;
	enum seal_status rc;

	SEAL_TRY(open_key(call, target, open, &info, err));
	SEAL_TRY(open_store(target, open, err));
	limits.derived = info.derived;
	limits.latest_version = info.latest_version;
	SEAL_TRY(person_keys_new(open->store, &scope, &limits, &open->people, err));
out:
	return rc;
}

static void tell(const struct target *target, bool admit, enum person_state was)
{
	static const char *const words[2][3] = {
		{[PERSON_UNKNOWN] = "this person had no key; from now on none is made",
		 [PERSON_LIVE] = "forgotten; what was protected under this person's key is unreadable for ever",
		 [PERSON_FORGOTTEN] = "forgotten before; nothing has changed"},
		{[PERSON_UNKNOWN] = "this person was not forgotten, and has no key yet",
		 [PERSON_LIVE] = "this person was not forgotten; nothing has changed",
		 [PERSON_FORGOTTEN] =
			 "admitted; the next record makes a new key, and what is older stays unreadable"},
	};

	printf("key %s, store %s: %s\n", target->key->name, target->store->name, words[admit][was]);
	if (admit)
		return;
	if (was == PERSON_UNKNOWN)
		log_say(LOG_WARNING, "no key was there to forget: is the id written as it stands at %s?",
			target->path);
	else
		log_say(LOG_INFO,
			"processes that are running obey within %lld s (max_age); backups and replicas of the store "
			"still hold the key until they are gone, too",
			(long long)((target->max_age_ms + 999) / 1000));
}

static enum seal_status change(const struct command_call *call, const struct policy *policy,
			       const struct target *target, struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const struct key_call limits = {.arena = call->arena, .deadline_ms = clock_mono_ms() + TIMEOUT_MS};
	struct opened open = {0};
	enum person_state was;
	enum seal_status rc;

	SEAL_TRY(open_target(call, policy, target, &open, err));
	SEAL_TRY((options->admit ? person_keys_admit : person_keys_forget)(
		open.people, open.session, bytes_str(options->per), &was, &limits, err));
	tell(target, options->admit, was);
out:
	close_target(&open);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const size_t len = strlen(options->per);
	struct policy *policy = NULL;
	struct target *targets;
	enum seal_status rc;
	size_t n;

	if (options->policy == NULL)
		return policy_is_needed(err);
	if (len == 0 || len > PERSON_NAME_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--per takes an id of 1 to %d bytes", PERSON_NAME_MAX);
	SEAL_TRY(policy_command_load(options->policy, &policy, err));
	SEAL_TRY(find_targets(call, policy, &targets, &n, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(change(call, policy, &targets[i], err));
out:
	policy_free(policy);
	return rc;
}

const struct command command_key_forget = {
	.name = "forget",
	.usage = "--per ID -p POLICY",
	.summary = "Make one person's data unreadable for ever, wherever it lies",
	.details = "For methods with a data key for each person (key: {name: pii, per: $.customer_id}). The key is "
		   "wiped from "
		   "the store, and a mark stays in its place: records of this person that come later fail instead of "
		   "making "
		   "a new key, until `--admit` takes the mark away. Done again it does no harm, and finishes what "
		   "was cut "
		   "off. Processes that are running know a key for max_age at most.",
	.examples = "sealstream key forget --per c-1042 -p policy.yaml\n"
		    "sealstream key forget --per c-1042 -p policy.yaml --admit\n",
	.options = rows,
	.options_size = sizeof(struct forget_options),
	.keys = true,
	.run = run,
};
