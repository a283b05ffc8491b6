/*
 * `store check`: is every row of a store as it should be? Nothing is changed, and no value is shown.
 *
 *   ADDRESS    rows by their form alone (store_rows.h); needs no key
 *   -p POLICY  that, and every row that the policy's keys have sealed is opened
 */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/store_rows.h"
#include "cmd/store_use.h"
#include "keys/person_keys.h"
#include "tokens/tokens.h"

#define PAGE 1000 /* rows at a time */
#define EXIT_BAD 1

struct check_options {
	struct store_options store; /* first */
	bool json;
};

static const struct opt_row rows[] = {STORE_ROWS,
				      {.name = "json",
				       .help = "print one JSON object",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct check_options, json)},
				      OPT_END};

/* What a policy's key opens in a store. */
struct opened {
	const struct store_target *target;
	struct person_tally people;
	uint64_t tokens, bad_tokens;
};

/* One target at work. */
struct target {
	struct store_opened open;
	struct person_scope scope;
	struct data_keys_options options;
	struct seal_bytes cursor; /* a view of `after` */
	uint8_t after[STORE_KEY_MAX + 8];
	struct arena arena; /* of a page */
};

/* For one page; what the one before it has left is gone, but for the cursor. */
static struct key_call next_call(struct target *target)
{
	if (target->cursor.len > 0)
		memcpy(target->after, target->cursor.ptr, target->cursor.len);
	target->cursor.ptr = target->after;
	arena_reset(&target->arena);
	return (struct key_call){.arena = &target->arena, .deadline_ms = clock_mono_ms() + STORE_CALL_MS};
}

static enum seal_status open_people(struct target *target, struct person_tally *tally, struct seal_err *err)
{
	struct person_keys *people = NULL;
	enum seal_status rc;
	bool end = false;

	target->cursor = BYTES_EMPTY;
	SEAL_TRY(person_keys_new(target->open.store, &target->scope, &target->options, &people, err));
	while (!end) {
		const struct key_call call = next_call(target);

		SEAL_TRY(person_keys_check(people, target->open.session, &target->cursor, PAGE, tally, &end, &call,
					   err));
	}
out:
	person_keys_free(people);
	return rc;
}

static enum seal_status open_tokens(struct target *target, uint64_t *good, uint64_t *bad, struct seal_err *err)
{
	struct token_record *records;
	struct tokens *tokens = NULL;
	enum seal_status rc;
	size_t n;

	target->cursor = BYTES_EMPTY;
	SEAL_TRY(tokens_new(target->open.store, &target->scope, &target->options, &tokens, err));
	do {
		const struct key_call call = next_call(target);

		SEAL_TRY(tokens_walk(tokens, target->open.session, &target->cursor, PAGE, &records, &n, bad, &call,
				     err));
		*good += n;
	} while (n > 0);
out:
	tokens_free(tokens);
	return rc;
}

static enum seal_status open_target(const struct command_call *call, struct opened *opened, struct seal_err *err)
{
	const struct policy_key *key = opened->target->method->key;
	struct target target = {.scope = {opened->target->policy->namespace_, key->scheme, key->reference}};
	enum seal_status rc;

	arena_init(&target.arena, 1 << 20);
	SEAL_TRY(store_target_open(call, opened->target, false, &target.open, err));
	target.options.derived = target.open.info.derived;
	target.options.latest_version = target.open.info.latest_version;
	SEAL_TRY(open_people(&target, &opened->people, err));
	SEAL_TRY(open_tokens(&target, &opened->tokens, &opened->bad_tokens, err));
out:
	store_target_close(&target.open);
	arena_clear(&target.arena);
	return rc;
}

static bool has_store(const struct policy_method *method)
{
	return method->store != NULL && method->key != NULL;
}

/* Each key of the policy that has the store; *n of them. */
static enum seal_status open_all(const struct command_call *call, const struct policy *policy, const char *address,
				 struct opened **out, size_t *n, struct seal_err *err)
{
	const struct store_choice choice = {.fits = has_store, .with = "with a store", .none = ""};
	struct store_target *targets;
	enum seal_status rc;
	bool any = false;
	size_t all;

	*n = 0;
	for (size_t i = 0; i < policy->n_methods && !any; i++)
		any = has_store(&policy->methods[i]);
	if (!any)
		return SEAL_OK;
	SEAL_TRY(store_targets_find(call, policy, &choice, &targets, &all, err));
	*out = arena_alloc(call->arena, all * sizeof(**out), _Alignof(struct opened));
	if (*out == NULL)
		return err_memory(err);
	for (size_t i = 0; i < all; i++) {
		if (strcmp(targets[i].method->store->address, address) != 0)
			continue;
		(*out)[*n] = (struct opened){.target = &targets[i]};
		SEAL_TRY(open_target(call, &(*out)[(*n)++], err));
	}
out:
	return rc;
}

static void print_count(const char *what, uint64_t n)
{
	if (n > 0)
		printf("  %-54s %12llu\n", what, (unsigned long long)n);
}

static void print_text(const struct store_ref *ref, const struct store_rows *all, const struct opened *opened,
		       size_t n)
{
	const uint64_t bad = store_rows_bad(all), total = store_rows_all(all);

	if (bad == 0)
		printf("%s: %llu row%s, all as they should be\n", ref->address, (unsigned long long)total,
		       plural_s(total));
	else
		printf("%s: %llu of %llu rows not as they should be\n", ref->address, (unsigned long long)bad,
		       (unsigned long long)total);
	for (size_t i = 0; i < STORE_ROW_KINDS; i++)
		print_count(store_row_words[i], all->counts[i]);
	print_count("rows that are damaged, or that others wrote", all->unknown);
	print_count("rows whose store key is gone", all->lost);
	for (size_t i = 0; i < n; i++) {
		const struct person_tally *people = &opened[i].people;

		if (people->opened + people->bad + people->others + opened[i].tokens + opened[i].bad_tokens == 0)
			continue;
		printf("key %s:\n", opened[i].target->method->key->name);
		print_count("people's keys that open", people->opened);
		print_count("people's keys that do not: changed, moved or damaged", people->bad);
		print_count("people's keys of other policies", people->others);
		print_count("tokens that open", opened[i].tokens);
		print_count("tokens that do not: changed, moved or damaged", opened[i].bad_tokens);
	}
}

static void print_json(const struct store_ref *ref, const struct store_rows *all, const struct opened *opened,
		       size_t n)
{
	printf("{\"store\":");
	output_json_string(stdout, bytes_str(ref->address));
	printf(",\"rows\":{");
	for (size_t i = 0; i < STORE_ROW_KINDS; i++)
		printf("%s\"%s\":%llu", i > 0 ? "," : "", store_row_names[i], (unsigned long long)all->counts[i]);
	printf("},\"unknown\":%llu,\"lost\":%llu,\"keys\":[", (unsigned long long)all->unknown,
	       (unsigned long long)all->lost);
	for (size_t i = 0; i < n; i++) {
		const struct person_tally *people = &opened[i].people;

		printf("%s{\"key\":", i > 0 ? "," : "");
		output_json_string(stdout, bytes_str(opened[i].target->method->key->name));
		printf(",\"people\":{\"opened\":%llu,\"bad\":%llu,\"others\":%llu},"
		       "\"tokens\":{\"opened\":%llu,\"bad\":%llu}}",
		       (unsigned long long)people->opened, (unsigned long long)people->bad,
		       (unsigned long long)people->others, (unsigned long long)opened[i].tokens,
		       (unsigned long long)opened[i].bad_tokens);
	}
	printf("]}");
}

/* *bad: something is not as it should be. */
static enum seal_status check(const struct command_call *call, const struct store_find *found, size_t at, bool *bad,
			      struct seal_err *err)
{
	const struct check_options *options = call->options;
	const struct store_ref *ref = &found->refs[at];
	struct opened *opened = NULL;
	struct store_rows all;
	enum seal_status rc;
	size_t n = 0;

	SEAL_TRY(store_rows_look(ref, &all, err));
	if (found->policy != NULL)
		SEAL_TRY(open_all(call, found->policy, ref->address, &opened, &n, err));
	if (options->json) {
		printf("%s", at > 0 ? "," : "");
		print_json(ref, &all, opened, n);
	} else {
		print_text(ref, &all, opened, n);
	}
	*bad |= store_rows_bad(&all) > 0;
	for (size_t i = 0; i < n; i++)
		*bad |= opened[i].people.bad > 0 || opened[i].bad_tokens > 0;
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct check_options *options = call->options;
	struct store_find found;
	enum seal_status rc;
	bool bad = false;

	SEAL_TRY(store_find(call, &found, err));
	if (options->json)
		printf("{\"schema\":\"sealstream.store.check/1\",\"stores\":[");
	for (size_t i = 0; i < found.n; i++)
		SEAL_TRY(check(call, &found, i, &bad, err));
	if (options->json)
		printf("]}\n");
	if (bad) {
		log_say(LOG_WARNING, "rows are not as they should be: their values cannot be revealed; bring them "
				     "back from a backup");
		*exit_code = EXIT_BAD;
	}
out:
	store_find_clear(&found);
	return rc;
}

const struct command command_store_check = {
	.name = "check",
	.usage = "[ADDRESS]",
	.summary = "Look at every row of a store: is it as it should be?",
	.details =
		"With an ADDRESS rows are looked at by their form, which needs no key, and counted. With a policy "
		"people's keys and tokens that its keys have sealed are opened, too. Nothing is changed, and no "
		"value is shown. Programs may go on working meanwhile. Ends with 1 when rows are damaged, changed, "
		"or under a store key that is gone.",
	.examples = "sealstream store check sqlite:tokens.db\n"
		    "sealstream store check -p policy.yaml --json\n",
	.options = rows,
	.options_size = sizeof(struct check_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
