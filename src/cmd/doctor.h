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

struct doctor_check {
	const char *name;
	void (*run)(const struct command_call *call, struct doctor_result *result);
};

void doctor_check_kafka(const struct command_call *call, struct doctor_result *result);
void doctor_check_keyring(const struct command_call *call, struct doctor_result *result);

#endif
