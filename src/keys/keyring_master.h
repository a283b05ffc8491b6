/*
 * Where the master key comes from: a raw file of 32 bytes, a passphrase through scrypt, or DIR/master.key. Files that
 * others may read are refused, as ssh does.
 */
#ifndef KEYS_KEYRING_MASTER_H
#define KEYS_KEYRING_MASTER_H

#include "base/secret.h"
#include "keys/key.h"
#include "keys/keyring_head.h"

#define MASTER_LEN 32
#define MASTER_FILE "master.key"
#define PASSPHRASE_MIN 8
#define PASSPHRASE_MAX 1024

/* SEAL_USAGE when the config names both kinds. */
SEAL_MUST_USE enum seal_status master_config_check(const struct key_source_config *config, struct seal_err *err);

/*
 * The master key that `head` asks for; `dir` is the keyring's path. SEAL_E_MASTER where config and head do not fit or a file has
 * the wrong length, SEAL_E_DENIED, SEAL_E_NO_INPUT.
 */
SEAL_MUST_USE enum seal_status master_load(const struct key_source_config *config, const char *dir,
					   const struct keyring_head *head, struct secret *out, struct seal_err *err);

/*
 * For a new keyring: fills kdf, salt and parameters of `head` and gets the master key. Where config names no file that is
 * DIR/master.key (*beside says so), made with mode 0600 unless it is there already. The caller holds the keyring's lock.
 */
SEAL_MUST_USE enum seal_status master_make(const struct key_source_config *config, int dirfd, const char *dir,
					   struct keyring_head *head, struct secret *out, bool *beside,
					   struct seal_err *err);

/* The cost of scrypt in keyrings made from now on, as log2 N. For tests. */
void master_scrypt_cost(unsigned log2_n);

#endif
