/*
 * Messages of the original script, so that a topic that it wrote can be drained: one file a message,
 *
 *   value    {"ciphertext": …, "tag": …, "nonce": …}   ciphertext and tag both in hex or both in base64; nonce in base64, 32 bytes
 *   headers  X-encryptionkey   the wrapped data key    X-filename   the name
 *
 * AES-256-GCM under the data key, without associated data; the plaintext is the file in base64. Neither name nor key are
 * authenticated beyond that.
 */
#ifndef TRANSFER_LEGACY_H
#define TRANSFER_LEGACY_H

#include "base/buf.h"
#include "base/encode.h"
#include "crypto/gcm.h"

struct legacy_message {
	struct seal_buf ciphertext; /* owned */
	uint8_t tag[GCM_TAG_LEN];
	uint8_t nonce[BASE64_RAW_MAX(BASE64_LEN(GCM_NONCE_MAX))];
	size_t nonce_len;
};

/* SEAL_DATA/SEAL_E_SYNTAX when `value` is not one. The caller clears `out` in any case. */
SEAL_MUST_USE enum seal_status legacy_parse(struct seal_bytes value, struct legacy_message *out,
					    struct seal_err *err);
void legacy_clear(struct legacy_message *message);

/* The file, in `out`, which has room for it. SEAL_DATA when it does not authenticate or is not base64; `out` is then empty. */
SEAL_MUST_USE enum seal_status legacy_open(struct legacy_message *message, struct seal_bytes key,
					   struct seal_buf *out, struct seal_err *err);

#endif
