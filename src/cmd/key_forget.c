/*
 * `key forget`: a person's data key goes away for ever, or (--admit) they may have a new one.
 *
 *   policy ─▶ methods with `per` that --method or --topic leave ─▶ targets (store_use.h) ─▶ person_keys
 *
 * Without a choice all targets are meant, as long as they are about one kind of id: an order's number is no customer's.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/key_use.h"
#include "cmd/policy.h"
#include "cmd/policy_use.h"
#include "cmd/store_use.h"
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

/* The method's own max_age, where it has one. */
static int64_t max_age_of(const struct policy_method *method)
{
	const struct opt_row *row = opt_find(method->kind->options, BYTES_LIT("max_age"));

	if (row == NULL || row->type != OPT_DURATION)
		return DATA_KEYS_MAX_AGE_DEFAULT_MS;
	return *(const int64_t *)(const void *)((const uint8_t *)method->options + row->offset);
}

static bool has_per(const struct policy_method *method)
{
	return method->per.text != NULL;
}

/* The longest of the methods that share the target. */
static int64_t max_age_in(const struct store_target *target)
{
	int64_t max_age_ms = 0;

	for (size_t i = 0; i < target->policy->n_methods; i++) {
		const struct policy_method *method = &target->policy->methods[i];

		if (has_per(method) && store_target_has(target, method) && max_age_of(method) > max_age_ms)
			max_age_ms = max_age_of(method);
	}
	return max_age_ms;
}

static enum seal_status find_targets(const struct command_call *call, const struct policy *policy,
				     struct store_target **out, size_t *n, struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const struct store_choice choice = {
		.fits = has_per,
		.topic = options->topic,
		.method = options->method,
		.with = "with a key for each person",
		.none = " (key: {name: …, per: …}), so there is nothing to forget",
	};
	enum seal_status rc;

	SEAL_TRY(store_targets_find(call, policy, &choice, out, n, err));
	for (size_t i = 1; i < *n; i++)
		if (strcmp((*out)[i].method->per.text, (*out)[0].method->per.text) != 0)
			return err_set(
				err, SEAL_USAGE, SEAL_E_USAGE,
				"the policy has keys per %.100s and per %.100s; say which of them with --method or "
				"--topic",
				(*out)[0].method->per.text, (*out)[i].method->per.text);
out:
	return rc;
}

static void tell(const struct store_target *target, int64_t max_age_ms, bool admit, enum person_state was)
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

	printf("key %s, store %s: %s\n", target->method->key->name, target->method->store->name, words[admit][was]);
	if (admit)
		return;
	if (was == PERSON_UNKNOWN)
		log_say(LOG_WARNING, "no key was there to forget: is the id written as it stands at %s?",
			target->method->per.text);
	else
		log_say(LOG_INFO,
			"processes that are running obey within %lld s (max_age); backups and replicas of the store "
			"still hold the key until they are gone, too",
			(long long)((max_age_ms + 999) / 1000));
}

/* A store that is not there is not made: an empty one forgets nobody, whatever it says. */
static enum seal_status change(const struct command_call *call, const struct store_target *target,
			       struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const struct policy_key *key = target->method->key;
	const struct key_call limits = {.arena = call->arena, .deadline_ms = clock_mono_ms() + TIMEOUT_MS};
	const struct person_scope scope = {target->policy->namespace_, key->scheme, key->reference};
	const int64_t max_age_ms = max_age_in(target);
	struct data_keys_options ages = {.max_age_ms = (uint64_t)max_age_ms};
	struct person_keys *people = NULL;
	struct store_opened open;
	enum person_state was;
	enum seal_status rc;

	SEAL_TRY(store_target_open(call, target, false, &open, err));
	ages.derived = open.info.derived;
	ages.latest_version = open.info.latest_version;
	SEAL_TRY(person_keys_new(open.store, &scope, &ages, &people, err));
	SEAL_TRY((options->admit ? person_keys_admit : person_keys_forget)(
		people, open.session, bytes_str(options->per), &was, &limits, err));
	tell(target, max_age_ms, options->admit, was);
out:
	person_keys_free(people);
	store_target_close(&open);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct forget_options *options = call->options;
	const size_t len = strlen(options->per);
	struct policy *policy = NULL;
	struct store_target *targets;
	enum seal_status rc;
	size_t n;

	if (options->policy == NULL)
		return policy_is_needed(err);
	if (len == 0 || len > PERSON_NAME_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--per takes an id of 1 to %d bytes", PERSON_NAME_MAX);
	SEAL_TRY(policy_command_load(options->policy, &policy, err));
	SEAL_TRY(find_targets(call, policy, &targets, &n, err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(change(call, &targets[i], err));
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
