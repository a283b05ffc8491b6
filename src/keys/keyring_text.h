/* Transit's text of an encrypted value: "vault:vN:" + base64(nonce | ciphertext | tag 16). */
#ifndef KEYS_KEYRING_TEXT_H
#define KEYS_KEYRING_TEXT_H

#include "base/bytes.h"

#define TEXT_PREFIX_MAX (sizeof("vault:v4294967295:") - 1)

/* "vault:vN:" without NUL; the length. */
size_t text_prefix(uint32_t version, char out[TEXT_PREFIX_MAX]);

enum text_fault { TEXT_FINE, TEXT_NOT_OURS, TEXT_BAD_VERSION };

/* Splits the text; `base64` is a view of what follows the prefix, not looked at. Version without leading zeros. */
enum text_fault text_split(struct seal_bytes text, uint32_t *version, struct seal_bytes *base64);

#endif
