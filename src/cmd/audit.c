/* `audit`: the group of commands about audit trails. */
#include "cmd/audit_verify.h"
#include "cmd/commands.h"

static const struct command *const subs[] = {
	&command_audit_verify,
	NULL,
};

const struct command command_audit = {
	.name = "audit",
	.usage = "COMMAND",
	.summary = "Check the audit trails that --audit writes",
	.subs = subs,
};
