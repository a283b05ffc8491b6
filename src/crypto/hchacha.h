/* HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2): a key and 16 bytes of nonce make another key. */
#ifndef CRYPTO_HCHACHA_H
#define CRYPTO_HCHACHA_H

#include "base/err.h"

#define HCHACHA_KEY_LEN 32
#define HCHACHA_NONCE_LEN 16

struct hchacha; /* a keyed context: belongs to one thread at a time */

/* `key` has HCHACHA_KEY_LEN bytes and is copied into secret memory. */
SEAL_MUST_USE enum seal_status hchacha_new(struct seal_bytes key, struct hchacha **out, struct seal_err *err);
void hchacha_free(struct hchacha *hchacha);
/* `out` is zeroed on failure. */
SEAL_MUST_USE enum seal_status hchacha_derive(struct hchacha *hchacha, const uint8_t nonce[HCHACHA_NONCE_LEN],
					      uint8_t out[HCHACHA_KEY_LEN], struct seal_err *err);

#endif
