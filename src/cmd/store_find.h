/* What the `store` subcommands share: which stores are meant, the one of an address or those of a policy. */
#ifndef CMD_STORE_FIND_H
#define CMD_STORE_FIND_H

#include "cmd/command.h"
#include "policy/policy.h"
#include "stores/store.h"

#define STORE_CALL_MS 120000

/* The options that all of them start with; a command with more embeds it first. */
struct store_options {
	const char *policy, *store;
};

#define STORE_ROWS                                                                                                   \
	{.name = "policy",                                                                                           \
	 .letter = 'p',                                                                                              \
	 .help = "the policy whose stores are meant; or give an ADDRESS",                                            \
	 .arg = "FILE",                                                                                              \
	 .env = "SEALSTREAM_POLICY",                                                                                 \
	 .type = OPT_STRING,                                                                                         \
	 .offset = offsetof(struct store_options, policy)},                                                          \
	{                                                                                                            \
		.name = "store", .help = "only this store of the policy", .arg = "NAME", .type = OPT_STRING,         \
		.offset = offsetof(struct store_options, store)                                                      \
	}

struct store_ref {
	const char *address;
	const struct store_ops *ops;
};

struct store_find {
	struct policy *policy; /* NULL: the store of an address */
	struct store_ref *refs;
	size_t n;
};

/* At least one. An address is told by call->args; store_find_clear whatever happens. */
SEAL_MUST_USE enum seal_status store_find(const struct command_call *call, struct store_find *out,
					  struct seal_err *err);
void store_find_clear(struct store_find *found);

extern const struct command command_store_init, command_store_check, command_store_rekey;

#endif
