/* Checks of `doctor`: one function each, told apart by what they look at. */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include "cmd/command.h"

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_result {
	enum doctor_status status; /* DOCTOR_OK before the check */
	char text[600]; /* what was found */
	char hint[300]; /* what to do about it; "" when nothing */
};

/* Where results go; they are shown as they come. */
struct doctor_report {
	bool json, colored;
	int width; /* of the names' column */
	bool any, failed; /* something was shown; something had DOCTOR_FAIL */
};

void doctor_tell(struct doctor_report *report, const char *name, const struct doctor_result *result);

struct doctor_check {
	const char *name;
	void (*run)(const struct command_call *call, struct doctor_result *result);
};

void doctor_check_kafka(const struct command_call *call, struct doctor_result *result);
void doctor_check_keyring(const struct command_call *call, struct doctor_result *result);

/*
 * `doctor --vault`: the server, the login, each key and role of the policy in the file, and the key of files that `file_key`
 * names (each NULL: none).
 */
SEAL_MUST_USE enum seal_status doctor_vault(const struct command_call *call, const char *policy_file,
					    const char *file_key, struct doctor_report *report, struct seal_err *err);

/* What `address` names: is it there, may it be read? SEAL_USAGE: it is no such address. */
SEAL_MUST_USE enum seal_status doctor_stream(struct command_call *call, const char *address,
					     struct doctor_report *report, struct seal_err *err);

/* Each store of the policy. */
SEAL_MUST_USE enum seal_status doctor_stores(const struct command_call *call, const char *policy_file,
					     struct doctor_report *report, struct seal_err *err);

#endif
