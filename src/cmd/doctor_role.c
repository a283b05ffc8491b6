/*
 * `doctor --vault`: a role of Transform, and each method that uses it. What fits a template only its author knows, so the
 * round trip takes the values of the policy's own tests first, then some that common templates take.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/doctor_vault.h"
#include "cmd/registry.h"
#include "json/paths.h"
#include "json/string.h"
#include "methods/method.h"
#include "policy/tests.h"
#include "vault/reference.h"
#include "vault/vault.h"

#define SAMPLES_MAX 64

static const char *const common_samples[] = {"4111-1111-1111-1111", "4111111111111111", "123-45-6789", "123456789",
					     "sealstream doctor"};
static const struct seal_bytes test_place = {(const uint8_t *)"sealstream doctor: place", 24};

struct samples {
	struct seal_bytes list[SAMPLES_MAX];
	size_t n;
};

/* One method of the policy at the server. */
struct method_trial {
	struct vault_visit *visit;
	const struct policy_method *spec;
	const char *subject; /* "card": the method's name */
	struct method *method;
	enum vault_right encode, decode;
};

/* Values of the policy's tests that the method would protect. */
static void collect(struct method_trial *trial, const struct policy_test *test, struct samples *samples)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct seal_bytes text;

	if (test->topic->paths != NULL && json_scan(test->topic->paths, test->value.in, &scan, NULL) == SEAL_OK)
		for (size_t i = 0; i < scan.n_hits && samples->n < SAMPLES_MAX / 2; i++) {
			const struct json_hit *hit = &scan.hits[i];

			if (hit->path >= test->topic->n_rules || hit->type != JSON_STRING ||
			    test->topic->rules[hit->path].method != trial->spec)
				continue;
			text = bytes_of(test->value.in.ptr + hit->start + 1, hit->end - hit->start - 2);
			if (json_string_decode(text, trial->visit->arena, &text) && text.ptr != NULL)
				samples->list[samples->n++] = text;
		}
	json_scan_clear(&scan);
}

static void find_samples(struct method_trial *trial, struct samples *samples)
{
	const struct policy *policy = trial->visit->policy;

	samples->n = 0;
	for (size_t i = 0; i < policy->n_tests; i++)
		if (policy->tests[i].error == NULL)
			collect(trial, &policy->tests[i], samples);
	for (size_t i = 0; i < sizeof(common_samples) / sizeof(common_samples[0]); i++)
		samples->list[samples->n++] = bytes_str(common_samples[i]);
}

typedef enum seal_status step(struct method_session *session, struct lot *lot, struct seal_err *err);

/* One value through the method; *out in the arena. SEAL_DATA: the server does not take it. */
static enum seal_status one(struct method_trial *trial, struct method_session *session, step *does,
			    struct seal_bytes in, struct seal_bytes *out, struct seal_err *err)
{
	struct cell cell = {.in = in, .place = test_place, .kind = CELL_STRING, .json_type = JSON_STRING};
	struct lot lot = {
		.cells = &cell, .n = 1, .arena = trial->visit->arena, .deadline_ms = trial->visit->deadline_ms};
	enum seal_status rc = does(session, &lot, err);

	if (rc == SEAL_OK && cell.err != NULL) {
		*err = *cell.err;
		rc = SEAL_DATA;
	}
	*out = cell.out;
	return rc;
}

static bool reveals(const struct method_trial *trial)
{
	return (trial->spec->flags & METHOD_ONE_WAY) == 0 && trial->decode != VAULT_RIGHT_NONE;
}

static void tell_back(struct method_trial *trial, struct method_session *session, struct seal_bytes sample,
		      struct seal_bytes coded, uint64_t since_ns)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes back;

	if (one(trial, session, session->ops->reveal, coded, &back, &err) != SEAL_OK)
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", NULL,
			   "encoded, but not decoded: %s", err.text);
	else if (bytes_eq(back, sample))
		visit_tell(trial->visit, DOCTOR_OK, trial->subject, "round trip", NULL,
			   "a test value was encoded and decoded, in %.1f ms",
			   (double)(clock_mono_ns() - since_ns) / 1e6);
	else
		visit_tell(trial->visit, DOCTOR_WARN, trial->subject, "round trip",
			   "right where 'decode_format' asks for a part, or the template has an encode_format of its "
			   "own",
			   "a test value was encoded and decoded, and came back as another one");
}

static void round_trip(struct method_trial *trial, struct method_session *session)
{
	const uint64_t since_ns = clock_mono_ns();
	struct seal_err err = SEAL_ERR_INIT;
	struct samples samples;
	struct seal_bytes coded;
	enum seal_status rc = SEAL_DATA;
	size_t i;

	find_samples(trial, &samples);
	for (i = 0; i < samples.n && rc == SEAL_DATA; i++) {
		err_clear(&err);
		rc = one(trial, session, session->ops->protect, samples.list[i], &coded, &err);
	}
	if (rc == SEAL_DATA)
		visit_tell(trial->visit, DOCTOR_WARN, trial->subject, "round trip",
			   "give the policy a test with a value that fits (see docs/POLICY.md, Tests)",
			   "the server takes none of %zu test values: %s", samples.n, err.text);
	else if (rc != SEAL_OK)
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", NULL, "%s", err.text);
	else if (!reveals(trial))
		visit_tell(trial->visit, DOCTOR_OK, trial->subject, "round trip", NULL,
			   "a test value was encoded, in %.1f ms", (double)(clock_mono_ns() - since_ns) / 1e6);
	else
		tell_back(trial, session, samples.list[i - 1], coded, since_ns);
}

static const struct method_ops *ops_of(const struct method_kind *kind)
{
	const struct method_ops *const *at = registry.methods;

	while (&(*at)->kind != kind)
		at++;
	return *at;
}

static void try_method(struct vault_visit *visit, const struct policy_method *spec, struct key *key,
		       enum vault_right encode, enum vault_right decode)
{
	const struct method_ops *ops = ops_of(spec->kind);
	struct method_trial trial = {
		.visit = visit, .spec = spec, .subject = spec->name, .encode = encode, .decode = decode};
	const struct method_needs needs = {.key = key, .namespace_ = ""};
	struct method_session *session = NULL;
	struct seal_err err = SEAL_ERR_INIT;

	if (ops->open(spec, &needs, &trial.method, &err) != SEAL_OK ||
	    ops->session(trial.method, &session, &err) != SEAL_OK) {
		visit_tell(visit, DOCTOR_FAIL, trial.subject, "transformation", NULL, "%s", err.text);
	} else {
		visit_tell(visit, DOCTOR_OK, trial.subject, "transformation", NULL,
			   "nothing that the server lets be read speaks against the policy");
		if (encode != VAULT_RIGHT_NONE)
			round_trip(&trial, session);
		session->ops->free(session);
	}
	ops->free(trial.method);
}

static void tell_role(struct vault_visit *visit, const char *subject, const char *path)
{
	struct seal_err err = SEAL_ERR_INIT;
	const char *all;

	if (vault_probe_list(visit->probe, path, "transformations", visit->arena, visit->deadline_ms, &all, &err) !=
	    SEAL_OK)
		visit_tell(visit, DOCTOR_WARN, subject, "role",
			   "with `read` on it and on its transformations, what does not fit the policy is found at "
			   "start",
			   "it may not be read: %s", err.text);
	else
		visit_tell(visit, DOCTOR_OK, subject, "role", NULL, "its transformations: %.300s",
			   all[0] ? all : "none");
}

static bool all_one_way(const struct policy *policy, const struct policy_key *key)
{
	for (size_t i = 0; i < policy->n_methods; i++)
		if (policy->methods[i].key == key && (policy->methods[i].flags & METHOD_ONE_WAY) == 0)
			return false;
	return true;
}

void visit_role(struct vault_visit *visit, const struct policy_key *spec)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct vault_reference at;
	struct key *key = NULL;
	enum vault_right encode, decode = VAULT_RIGHT_YES;
	const char *why, *subject, *encode_path, *decode_path;

	SEAL_INVARIANT(vault_reference_parse(spec->reference, &at, &why)); /* the policy was compiled */
	subject = arena_strndup(visit->arena, (const char *)spec->reference.ptr, spec->reference.len);
	encode_path = arena_printf(visit->arena, "%.*s/encode/%.*s", BYTES_FMT(at.mount), BYTES_FMT(at.name));
	decode_path = arena_printf(visit->arena, "%.*s/decode/%.*s", BYTES_FMT(at.mount), BYTES_FMT(at.name));
	if (subject == NULL || encode_path == NULL || decode_path == NULL ||
	    vault_source.key(visit->source, spec->reference, &key, &err) != SEAL_OK) {
		visit_tell(visit, DOCTOR_FAIL, spec->name, "role", NULL, "%s",
			   err.status != SEAL_OK ? err.text : "out of memory");
		return;
	}
	tell_role(visit, subject, subject);
	encode = visit_needs(visit, subject, encode_path, "update", "encode: protect will fail", DOCTOR_WARN);
	if (!all_one_way(visit->policy, spec))
		decode = visit_needs(visit, subject, decode_path, "update", "decode: reveal will fail", DOCTOR_WARN);
	if (encode == VAULT_RIGHT_YES && decode == VAULT_RIGHT_YES)
		visit_tell(visit, DOCTOR_OK, subject, "policy", NULL, "the token may do all that is needed");
	for (size_t i = 0; i < visit->policy->n_methods; i++)
		if (visit->policy->methods[i].key == spec)
			try_method(visit, &visit->policy->methods[i], key, encode, decode);
	key->ops->free(key);
}
