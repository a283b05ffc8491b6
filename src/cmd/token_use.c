/* The tokens of a policy, for commands. See token_use.h. */
#include "cmd/token_use.h"

#include "base/clock.h"
#include "base/log.h"
#include "cmd/policy.h"
#include "cmd/policy_use.h"
#include "methods/text_form.h"
#include "policy/place.h"

#define ARENA_KEEP ((size_t)4 << 20)

const char *const token_kinds[] = {
	[TOKEN_STRING] = "string", [TOKEN_JSON] = "json", [TOKEN_BYTES] = "bytes", [TOKEN_BYTES + 1] = NULL};

static bool keeps_values(const struct policy_method *method)
{
	return (method->flags & METHOD_STORE) != 0;
}

enum seal_status token_use_begin(const struct command_call *call, struct token_use *use, struct seal_err *err)
{
	const struct token_options *options = call->options;
	const struct store_choice choice = {
		.fits = keeps_values,
		.topic = options->topic,
		.method = options->method,
		.with = "of type token",
		.none = ", so it has no tokens",
	};
	enum seal_status rc;

	*use = (struct token_use){.call = call};
	arena_init(&use->arena, ARENA_KEEP);
	if (options->policy == NULL)
		return policy_is_needed(err);
	SEAL_TRY(policy_command_load(options->policy, &use->policy, err));
	SEAL_TRY(store_targets_find(call, use->policy, &choice, &use->targets, &use->n, err));
out:
	return rc;
}

static void close_target(struct token_use *use)
{
	tokens_free(use->tokens);
	store_target_close(&use->open);
	use->tokens = NULL;
}

void token_use_end(struct token_use *use)
{
	close_target(use);
	arena_clear(&use->arena);
	policy_free(use->policy);
}

enum seal_status token_use_only(const struct token_use *use, struct seal_err *err)
{
	if (use->n == 1)
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "the policy has tokens of %zu keys and stores; say which with --method, like --method %.100s",
		       use->n, use->targets[0].method->name);
}

enum seal_status token_use_open(struct token_use *use, size_t i, bool create, struct seal_err *err)
{
	const struct store_target *target = &use->targets[i];
	const struct policy_key *key = target->method->key;
	const struct person_scope scope = {use->policy->namespace_, key->scheme, key->reference};
	struct data_keys_options limits = {.max_uses = TOKENS_STORE_KEY_USES};
	enum seal_status rc;

	close_target(use);
	use->target = target;
	SEAL_TRY(store_target_open(use->call, target, create, &use->open, err));
	limits.derived = use->open.info.derived;
	limits.latest_version = use->open.info.latest_version;
	SEAL_TRY(tokens_new(use->open.store, &scope, &limits, &use->tokens, err));
out:
	return rc;
}

struct key_call token_use_call(struct token_use *use)
{
	return (struct key_call){.arena = &use->arena, .deadline_ms = clock_mono_ms() + TOKEN_TIMEOUT_MS};
}

enum seal_status token_use_walk(struct token_use *use, token_visit visit, void *arg, uint64_t *bad,
				struct seal_err *err)
{
	uint8_t after[STORE_KEY_MAX];
	struct seal_bytes cursor = BYTES_EMPTY;
	enum seal_status rc = SEAL_OK;

	while (stop_requested() == 0) {
		const struct key_call call = token_use_call(use);
		struct token_record *records;
		uint64_t damaged = 0;
		size_t n;

		SEAL_TRY(tokens_walk(use->tokens, use->open.session, &cursor, TOKEN_PAGE, &records, &n, &damaged,
				     &call, err));
		*bad += damaged;
		if (n > 0)
			SEAL_TRY(visit(use, records, n, arg, err));
		if (n == 0 && damaged == 0)
			break;
		SEAL_INVARIANT(cursor.len <= sizeof(after));
		memcpy(after, cursor.ptr, cursor.len);
		cursor.ptr = after;
		arena_reset(&use->arena);
	}
out:
	arena_reset(&use->arena);
	return rc;
}

int token_use_exit(const struct token_use *use, uint64_t bad)
{
	if (bad > 0)
		log_say(LOG_ERROR, "%llu row%s of the store %s damaged, or of another key by the same name: left out",
			(unsigned long long)bad, plural_s(bad), bad == 1 ? "is" : "are");
	if (stop_requested() != 0)
		return 128 + stop_requested();
	return bad > 0 ? 1 : 0;
}

bool token_expired(const struct token_record *record)
{
	return record->expires_ms != 0 && record->expires_ms <= (uint64_t)clock_unix_ms();
}

struct seal_bytes token_text(const struct token_record *record, struct arena *arena)
{
	const bool json = record->item.kind == TOKEN_JSON;
	const size_t prefix = json ? sizeof(TEXT_FORM_JSON) - 1 : 0;
	char *text;

	if (record->shaped)
		return arena_copy(arena, record->item.token);
	text = arena_alloc(arena, prefix + TEXT_FORM_TOKEN_TEXT_LEN, 1);
	if (text == NULL)
		return BYTES_EMPTY;
	memcpy(text, TEXT_FORM_JSON, prefix);
	text_form_token_write(record->item.token.ptr, text + prefix);
	return bytes_of(text, prefix + TEXT_FORM_TOKEN_TEXT_LEN);
}

const char *token_place(struct seal_bytes bytes, struct arena *arena)
{
	struct place place;

	if (bytes.len == 0)
		return "nothing";
	if (!place_parse(bytes, &place))
		return "something unknown";
	return arena_printf(arena, "%s%.*s%s%s%.*s%s", place.bound == PLACE_DOMAIN ? "domain " : "",
			    BYTES_FMT(place.name), place.bound == PLACE_RECORD ? " and another field" : "",
			    place.namespace_.len > 0 ? " of namespace \"" : "", BYTES_FMT(place.namespace_),
			    place.namespace_.len > 0 ? "\"" : "");
}
