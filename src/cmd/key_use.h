/* What the `key` subcommands share: opening the keyring, and showing a key. */
#ifndef CMD_KEY_USE_H
#define CMD_KEY_USE_H

#include <stdio.h>

#include "cmd/command.h"
#include "keys/keyring.h"

/* Before a keyring is made for it: is this a key's name? */
SEAL_MUST_USE enum seal_status key_use_check_name(const char *name, struct seal_err *err);

/* Opens the keyring that the global options name; where `create` made it, says where the master key lies. */
SEAL_MUST_USE enum seal_status key_use_open(const struct command_call *call, bool create, struct keyring **out,
					    struct seal_err *err);

/* "2026-11-22T06:51:49Z" in `out`. */
#define KEY_TIME_MAX 32
void key_use_time(uint64_t unix_ms, char out[KEY_TIME_MAX]);

/* A key for people: several lines. */
void key_use_show(FILE *to, const struct keyring_key_info *info);
/* Its members as JSON, without braces around them. */
void key_use_json(FILE *to, const struct keyring_key_info *info);

/* Says it when a new version changes nothing until policies name it: results of ff1 and hmac keys carry no version. */
void key_use_tell_fixed(const struct keyring_key_info *info);

extern const struct command command_key_config, command_key_create, command_key_destroy, command_key_export,
	command_key_import, command_key_list, command_key_rotate, command_key_show;

#endif
