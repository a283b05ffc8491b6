/*
 * `token lookup`: what the store knows of tokens.
 *
 *   seal:t1:…    by its name, one query
 *   others       shaped: by each place and group that the policy's rules may have made it for; where a rule is bound to names or
 *                siblings that the records alone know, by a look at all rows
 */
#include "base/log.h"
#include "cmd/key_use.h"
#include "cmd/output.h"
#include "cmd/token_use.h"
#include "methods/text_form.h"
#include "methods/token.h"

#define TOKENS_MAX 1000 /* arguments */

struct lookup_options {
	struct token_options token; /* first */
	bool value, json;
};

#define AT(member) .offset = offsetof(struct lookup_options, member)

static const struct opt_row rows[] = {
	TOKEN_ROWS,
	{.name = "value", .help = "show the values, too: in clear", .type = OPT_FLAG, AT(value)},
	{.name = "json", .help = "print one JSON object", .type = OPT_FLAG, AT(json)},
	OPT_END};

/* One run. */
struct lookup {
	const struct lookup_options *options;
	struct seal_bytes token; /* the one that is looked for, without "json+" */
	size_t found; /* how often that was found … */
	size_t printed; /* … and how many were, of all */
};

static void print_text(struct lookup *look, const struct token_use *use, const struct token_record *record,
		       struct seal_bytes text, const char *place)
{
	const struct policy_method *method = use->target->method;
	char created[KEY_TIME_MAX], expires[KEY_TIME_MAX] = "never";

	key_use_time(record->created_ms, created);
	if (record->expires_ms != 0)
		key_use_time(record->expires_ms, expires);
	printf("%s%.*s\n", look->printed > 0 ? "\n" : "", BYTES_FMT(text));
	printf("  %-12s%s, under key %s%s\n", "store", method->store->name, method->key->name,
	       record->left_over ? ", still under its old keys" : "");
	printf("  %-12s%s\n", "kind", token_kinds[record->item.kind]);
	printf("  %-12s%s\n", "bound to", place);
	printf("  %-12s%s\n", "convergent", record->convergent ? "yes" : "no");
	printf("  %-12s%s\n", "created", created);
	printf("  %-12s%s%s\n", "expires", expires, token_expired(record) ? " (expired)" : "");
	if (record->metadata.len > 0)
		printf("  %-12s%.*s\n", "metadata", BYTES_FMT(record->metadata));
	if (!look->options->value)
		return;
	printf("  %-12s", "value");
	output_json_string(stdout, record->item.value);
	putchar('\n');
}

static void print_json(struct lookup *look, const struct token_use *use, const struct token_record *record,
		       struct seal_bytes text, const char *place)
{
	printf("%s{\"token\":", look->printed > 0 ? "," : "");
	output_json_string(stdout, text);
	printf(",\"key\":\"%s\",\"store\":\"%s\",\"kind\":\"%s\",\"bound_to\":", use->target->method->key->name,
	       use->target->method->store->name, token_kinds[record->item.kind]);
	output_json_string(stdout, bytes_str(place));
	printf(",\"shaped\":%s,\"convergent\":%s,\"created_ms\":%llu", record->shaped ? "true" : "false",
	       record->convergent ? "true" : "false", (unsigned long long)record->created_ms);
	if (record->expires_ms != 0)
		printf(",\"expires_ms\":%llu", (unsigned long long)record->expires_ms);
	printf(",\"expired\":%s,\"left_over\":%s,\"metadata\":", token_expired(record) ? "true" : "false",
	       record->left_over ? "true" : "false");
	output_json_string(stdout, record->metadata);
	if (look->options->value) {
		printf(",\"value\":");
		output_json_string(stdout, record->item.value);
	}
	putchar('}');
}

static enum seal_status tell(struct lookup *look, struct token_use *use, const struct token_record *record,
			     struct seal_err *err)
{
	const struct seal_bytes text = token_text(record, &use->arena);
	const char *place = token_place(record->item.place, &use->arena);

	if (text.ptr == NULL || place == NULL)
		return err_memory(err);
	(look->options->json ? print_json : print_text)(look, use, record, text, place);
	look->found++;
	look->printed++;
	return SEAL_OK;
}

/* One record as tokens_lookup wants it. One that is not there is none; other errors end the run. */
static enum seal_status ask(struct lookup *look, struct token_use *use, struct token_record *record,
			    struct seal_err *err)
{
	const struct key_call call = token_use_call(use);
	enum seal_status rc;

	SEAL_TRY(tokens_lookup(use->tokens, use->open.session, record, 1, &call, err));
	if (record->item.err == NULL)
		rc = tell(look, use, record, err);
	else if (record->item.err->code != SEAL_E_TOKEN_UNKNOWN)
		rc = err_set(err, record->item.err->status, record->item.err->code, "%s", record->item.err->text);
out:
	return rc;
}

/* The token as one that `rule` made of a value of this kind. */
static enum seal_status ask_rule(struct lookup *look, struct token_use *use, const struct policy_rule *rule,
				 enum cell_kind kind, struct seal_err *err)
{
	struct token_record record = {.shaped = true, .item = {.token = look->token, .kind = (enum token_kind)kind}};
	enum seal_status rc;

	record.item.place = kind == CELL_STRING ? rule->place_string : rule->place_json;
	SEAL_TRY(token_group(rule->method, kind, look->token, &use->arena, &record.item.group, err));
	if (record.item.group.len > 0)
		rc = ask(look, use, &record, err);
out:
	return rc;
}

/* *unsure: some rules are bound to what only records know. */
static enum seal_status ask_rules(struct lookup *look, struct token_use *use, bool *unsure, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < use->policy->n_topics; i++) {
		const struct policy_topic *topic = &use->policy->topics[i];

		for (size_t j = 0; j < topic->n_rules; j++) {
			const struct policy_rule *rule = &topic->rules[j];

			if (!store_target_has(use->target, rule->method))
				continue;
			*unsure |= rule->method->bind.mode != BIND_NONE && rule->place_string.len == 0;
			for (int kind = CELL_STRING; kind <= CELL_JSON && look->found == 0; kind++)
				SEAL_TRY(ask_rule(look, use, rule, (enum cell_kind)kind, err));
		}
	}
out:
	return rc;
}

static enum seal_status look_at(struct token_use *use, struct token_record *records, size_t n, void *arg,
				struct seal_err *err)
{
	struct lookup *look = arg;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		if (records[i].shaped && bytes_eq(records[i].item.token, look->token))
			SEAL_TRY(tell(look, use, &records[i], err));
out:
	return rc;
}

static enum seal_status look_in(struct lookup *look, struct token_use *use, uint64_t *bad, struct seal_err *err)
{
	uint8_t raw[TEXT_FORM_TOKEN_LEN];
	struct token_record record = {.item = {.token = {raw, sizeof(raw)}}};
	bool unsure = false;
	enum seal_status rc;

	if (text_form_token(look->token, raw))
		return ask(look, use, &record, err);
	if (text_form_looks_protected(look->token))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "%.60s is not a token: those are " TEXT_FORM_TOKEN
			       " and 22 characters, or shaped text",
			       (const char *)look->token.ptr);
	SEAL_TRY(ask_rules(look, use, &unsure, err));
	if (look->found == 0 && unsure)
		rc = token_use_walk(use, look_at, look, bad, err);
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct lookup look = {.options = call->options};
	struct token_use use;
	uint64_t bad = 0;
	size_t missing = 0;
	enum seal_status rc;

	SEAL_TRY(token_use_begin(call, &use, err));
	if (look.options->json)
		printf("{\"schema\":\"sealstream.tokens/1\",\"tokens\":[");
	for (size_t i = 0; i < call->n_args; i++) {
		look.token = bytes_str(call->args[i]);
		look.found = 0;
		text_form_strip_json(&look.token);
		for (size_t j = 0; j < use.n && look.found == 0 && stop_requested() == 0; j++) {
			SEAL_TRY(token_use_open(&use, j, false, err));
			SEAL_TRY(look_in(&look, &use, &bad, err));
		}
		missing += look.found == 0;
		if (look.found == 0)
			log_say(LOG_ERROR, "%.100s: the store has no such token", call->args[i]);
		arena_reset(&use.arena);
	}
	if (look.options->json)
		printf("],\"missing\":%zu}\n", missing);
	*exit_code = token_use_exit(&use, bad);
	if (*exit_code == 0 && missing > 0)
		*exit_code = 1;
out:
	token_use_end(&use);
	return rc;
}

const struct command command_token_lookup = {
	.name = "lookup",
	.usage = "TOKEN... -p POLICY",
	.summary = "Say what the store knows of tokens: when made, until when, bound to what",
	.details = "The value is shown with --value alone. A shaped token (shape: keep) is looked for under each "
		   "rule of the "
		   "policy that may have made it, and where a rule's place depends on the record, among all tokens, "
		   "which takes its time. An expired token that was not purged yet is shown, too. Ends with 1 when a "
		   "token is unknown.",
	.examples = "sealstream token lookup -p policy.yaml seal:t1:qX0pTbVZ6uJ2c0nWmM3y4Q\n"
		    "sealstream token lookup -p policy.yaml --value --json 4111-1148-2073-1111\n",
	.options = rows,
	.options_size = sizeof(struct lookup_options),
	.args_min = 1,
	.args_max = TOKENS_MAX,
	.keys = true,
	.run = run,
};
