/* `token`: the group of commands about tokens that methods of type token have made. */
#include "cmd/commands.h"
#include "cmd/token_use.h"

static const struct command *const subs[] = {
	&command_token_lookup, &command_token_purge,  &command_token_stats,
	&command_token_export, &command_token_import, NULL,
};

const struct command command_token = {
	.name = "token",
	.usage = "COMMAND",
	.summary = "Look after the tokens of a policy: find, count, take away, move",
	.details = "For methods of type token, whose values are kept in a store. The policy says where: each key and "
		   "store of its methods is worked on, or with --method or --topic only some of them. Who runs these "
		   "commands needs the policy's keys, as whoever reveals does.",
	.subs = subs,
};
