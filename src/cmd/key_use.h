/*
 * What the `key` subcommands share: finding the store of a key by its reference, opening it, and showing a key.
 *
 *   pii                 the first store of the registry, the local keyring
 *   local:pii           the same, said
 *   vault:transit/pii   whatever the registry has under that name
 */
#ifndef CMD_KEY_USE_H
#define CMD_KEY_USE_H

#include <stdio.h>

#include "cmd/command.h"
#include "keys/admin.h"

/* A key as a command names it. Zero it first. */
struct managed_key {
	const char *text; /* as typed */
	const struct key_source_ops *source; /* the store's */
	const struct key_admin_ops *ops;
	struct seal_bytes reference; /* what stands after the colon */
	struct key_admin on; /* once open */
};

/* Which store, and is this a key's name there? No I/O. SEAL_E_USAGE names the nearest store. */
SEAL_MUST_USE enum seal_status key_use_find(const char *text, struct managed_key *out, struct seal_err *err);
/* Only the store: "vault:transit", "local"; NULL: the first one. `reference` is what stands after the colon. */
SEAL_MUST_USE enum seal_status key_use_find_store(const char *text, struct managed_key *out, struct seal_err *err);

/* Opens the store of a key that was found; where `create` made a master key, says where it lies. */
SEAL_MUST_USE enum seal_status key_use_open(const struct command_call *call, bool create, struct managed_key *use,
					    struct seal_err *err);
/* Both of them for the command's first argument. */
SEAL_MUST_USE enum seal_status key_use_begin(const struct command_call *call, bool create, struct managed_key *use,
					     struct seal_err *err);
void key_use_end(struct managed_key *use);

/* "2026-11-22T06:51:49Z" in `out`. */
#define KEY_TIME_MAX 32
void key_use_time(uint64_t unix_ms, char out[KEY_TIME_MAX]);

/* "aes256-gcm96", "aes256-gcm96, convergent". */
#define KEY_TYPE_TEXT_MAX (KEY_ADMIN_TYPE_MAX + 16)
void key_use_type(const char *type, bool derived, bool convergent, char out[KEY_TYPE_TEXT_MAX]);

/* A key for people: several lines. */
void key_use_show(FILE *to, const struct key_admin_info *info);
/* Its members as JSON, without braces around them. */
void key_use_json(FILE *to, const struct key_admin_info *info);

/* Says it when a new version changes nothing until policies name it: results of ff1 and hmac keys carry no version. */
void key_use_tell_fixed(const struct key_admin_info *info);

extern const struct command command_key_config, command_key_copy, command_key_create, command_key_destroy,
	command_key_export, command_key_forget, command_key_import, command_key_list, command_key_rotate,
	command_key_show;

#endif
