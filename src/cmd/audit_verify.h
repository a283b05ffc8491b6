/* The `audit` subcommands. */
#ifndef CMD_AUDIT_VERIFY_H
#define CMD_AUDIT_VERIFY_H

#include "cmd/command.h"

extern const struct command command_audit_verify;

#endif
