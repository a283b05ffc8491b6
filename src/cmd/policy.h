/* What the `policy` subcommands share: finding the file, loading it. */
#ifndef CMD_POLICY_H
#define CMD_POLICY_H

#include "cmd/command.h"
#include "policy/policy.h"

/* The options that all of them start with; a command with more embeds it first. */
struct policy_options {
	const char *file; /* -p, SEALSTREAM_POLICY */
	bool json;
};

#define POLICY_ROW_FILE                                                                                              \
	{                                                                                                            \
		.name = "policy", .letter = 'p', .help = "the policy; or give it as FILE", .arg = "FILE",            \
		.env = "SEALSTREAM_POLICY", .type = OPT_STRING, .offset = offsetof(struct policy_options, file)      \
	}
#define POLICY_ROW_JSON                                                                                              \
	{                                                                                                            \
		.name = "json", .help = "print JSON", .type = OPT_FLAG,                                              \
		.offset = offsetof(struct policy_options, json)                                                      \
	}

/* FILE if there is one, else -p or SEALSTREAM_POLICY; none is SEAL_USAGE. "-" is standard input. */
SEAL_MUST_USE enum seal_status policy_command_file(const struct command_call *call, const char **file,
						   struct seal_err *err);
/* Loads it. Warnings go to the log; with mistakes the error names the first of them. */
SEAL_MUST_USE enum seal_status policy_command_load(const char *file, struct policy **out, struct seal_err *err);
/* Loads `file` or standard input ("-"), as policy_load_file. */
SEAL_MUST_USE enum seal_status policy_command_read(const char *file, struct policy_findings *findings,
						   struct policy **out, struct seal_err *err);
/* Writes to standard output. */
SEAL_MUST_USE enum seal_status policy_command_print(const struct seal_buf *text, struct seal_err *err);

extern const struct command command_policy_diff, command_policy_explain, command_policy_lint, command_policy_schema,
	command_policy_test;

#endif
