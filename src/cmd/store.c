/* `store`: the group of commands about stores. */
#include "cmd/commands.h"
#include "cmd/store_find.h"

static const struct command *const subs[] = {
	&command_store_init,
	&command_store_check,
	&command_store_rekey,
	NULL,
};

const struct command command_store = {
	.name = "store",
	.usage = "COMMAND",
	.summary = "Look after the stores where tokens and people's keys are",
	.details = "A store is named by its address (sqlite:FILE, postgresql://HOST/NAME) or by a policy (-p).",
	.subs = subs,
};
