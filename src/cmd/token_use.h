/* What the `token` subcommands and `store rekey` share: the tokens of a policy's keys and stores, one after the other. */
#ifndef CMD_TOKEN_USE_H
#define CMD_TOKEN_USE_H

#include "cmd/store_use.h"
#include "tokens/tokens.h"

#define TOKEN_PAGE 1000 /* rows at a time */
#define TOKEN_TIMEOUT_MS 120000

/* The options that all of them start with; a command with more embeds it first. */
struct token_options {
	const char *policy, *topic, *method;
};

#define TOKEN_ROWS                                                                                                   \
	{.name = "policy",                                                                                           \
	 .letter = 'p',                                                                                              \
	 .help = "the policy with the methods of type token",                                                        \
	 .arg = "FILE",                                                                                              \
	 .env = "SEALSTREAM_POLICY",                                                                                 \
	 .type = OPT_STRING,                                                                                         \
	 .offset = offsetof(struct token_options, policy)},                                                          \
		{.name = "method",                                                                                   \
		 .help = "only the key and the store of this method; default: those of all methods of type token",   \
		 .arg = "NAME",                                                                                      \
		 .type = OPT_STRING,                                                                                 \
		 .offset = offsetof(struct token_options, method)},                                                  \
	{                                                                                                            \
		.name = "topic", .letter = 't', .help = "only those of this topic's methods", .arg = "TOPIC",        \
		.type = OPT_STRING, .offset = offsetof(struct token_options, topic)                                  \
	}

struct token_use {
	const struct command_call *call;
	struct policy *policy;
	struct store_target *targets;
	size_t n;
	/* The one that is open. */
	const struct store_target *target;
	struct store_opened open;
	struct tokens *tokens;
	struct arena arena; /* of one page */
};

/* Loads the policy and finds its targets. token_use_end whatever happens. */
SEAL_MUST_USE enum seal_status token_use_begin(const struct command_call *call, struct token_use *use,
					       struct seal_err *err);
void token_use_end(struct token_use *use);
/* There must be one target only: a command that takes or gives a file works on one. */
SEAL_MUST_USE enum seal_status token_use_only(const struct token_use *use, struct seal_err *err);
/* Opens targets[i], and closes the one before. */
SEAL_MUST_USE enum seal_status token_use_open(struct token_use *use, size_t i, bool create, struct seal_err *err);
/* For one call on what is open; results are in use->arena. */
struct key_call token_use_call(struct token_use *use);

/* Some rows, in use->arena, which is empty again afterwards. */
typedef enum seal_status (*token_visit)(struct token_use *use, struct token_record *records, size_t n, void *arg,
					struct seal_err *err);
/* All rows of the target that is open, or until a stop is asked for. *bad: how many had been tampered with. */
SEAL_MUST_USE enum seal_status token_use_walk(struct token_use *use, token_visit visit, void *arg, uint64_t *bad,
					      struct seal_err *err);
/* 1 and a word about it when rows were bad; 130 or 143 after a stop. */
int token_use_exit(const struct token_use *use, uint64_t bad);

bool token_expired(const struct token_record *record);
/* "seal:t1:…", behind "json+" where that belongs, or the shaped text; in the arena, ptr NULL without memory. */
struct seal_bytes token_text(const struct token_record *record, struct arena *arena);
/* "domain customer", "$['card']": what it is bound to, in words; in the arena, NULL without memory. */
const char *token_place(struct seal_bytes place, struct arena *arena);
extern const char *const token_kinds[]; /* by enum token_kind: "string" … */

extern const struct command command_token_lookup, command_token_purge, command_token_stats, command_token_export,
	command_token_import;

#endif
