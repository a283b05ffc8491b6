/* Back ends of aead.h: one vtable each, one file each. Inside src/crypto only. */
#ifndef CRYPTO_AEAD_OPS_H
#define CRYPTO_AEAD_OPS_H

#include "crypto/aead.h"

struct aead_ops {
	size_t size;
	const char *name;
	/* Does this machine have what it takes? Called once, before anything else. */
	bool (*available)(void);
	/* `key` has a length that the cipher takes. *out is NULL on failure. */
	enum seal_status (*open)(struct seal_bytes key, struct aead **out, struct seal_err *err);
	void (*close)(struct aead *aead);
	/* Items are within the limits. Each sets `out` and `tag`. */
	enum seal_status (*seal)(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err);
	/* Each sets `ok`; `out` holds anything where not ok, the caller zeroes it. */
	enum seal_status (*unseal)(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err);
};

/* Embedded first in each back end's own struct. */
struct aead {
	const struct aead_ops *ops;
};

extern const struct aead_ops aead_openssl_ops; /* AES-GCM */
extern const struct aead_ops aead_chacha_ops, aead_xchacha_ops;
extern const struct aead_ops aead_ipsec_mb_ops; /* only where the build found the library */

#endif
