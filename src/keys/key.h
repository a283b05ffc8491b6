/*
 * Where keys come from: the plug point between methods and key stores (the local keyring; Vault and OpenBao).
 *
 *   key_source   one store: a keyring directory, a Vault address       thread-safe, shared
 *   key          one named key of it                                   thread-safe, shared
 *   key_session  a key in use by one engine: cipher contexts, scratch  one thread at a time
 *
 * All operations take a lot and a deadline; a source may block up to that deadline (an embedded one never does but
 * for its disk). One bad item fails alone: its `err` is set and its neighbours are done. The call itself fails
 * only when nothing could be done (service away: SEAL_RETRY, refused: SEAL_DENIED).
 */
#ifndef KEYS_KEY_H
#define KEYS_KEY_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/secret.h"

struct vault_options;
struct key_admin_ops;

/* What a key can be used for; bits. */
enum key_use {
	KEY_ENCRYPT = 1 << 0, /* encrypt and decrypt */
	KEY_HMAC = 1 << 1,
	KEY_FPE = 1 << 2,
	KEY_TRANSFORM = 1 << 3 /* a role of Vault's Transform engine: not a key, but used like one */
};

struct key_info {
	const char *type; /* "aes256-gcm96", … ; static */
	unsigned uses; /* enum key_use, or'ed */
	uint32_t latest_version;
	uint32_t min_decryption_version;
	uint32_t min_encryption_version; /* 0: the latest */
	/*
	 * A derived key makes another one of each context (HKDF): an item's aad is that context and is not
	 * authenticated as associated data besides, and must not be empty. A convergent one (Transit's version 3) makes equal
	 * text of equal plaintext and context; with associated data it would repeat nonces.
	 */
	bool derived, convergent;
	int64_t created_ms; /* of the latest version, Unix time; 0: not known */
	bool counted; /* its encryptions are counted, and at most so many more may follow under the latest version: */
	uint64_t uses_left;
};

/* What is asked of a key server. */
enum key_request {
	KEY_REQUEST_ENCRYPT,
	KEY_REQUEST_DECRYPT,
	KEY_REQUEST_REWRAP,
	KEY_REQUEST_HMAC,
	KEY_REQUEST_DATA_KEY,
	KEY_REQUEST_ENCODE,
	KEY_REQUEST_DECODE,
	KEY_REQUEST_LOGIN,
	KEY_REQUEST_OTHER,
	KEY_REQUESTS
};

enum key_outcome { KEY_OUTCOME_SUCCESS, KEY_OUTCOME_REFUSED, KEY_OUTCOME_DENIED, KEY_OUTCOME_AWAY, KEY_OUTCOMES };

struct metric;

/* Where key sources and caches count, for who watches them (base/metrics.h); each may be NULL. */
struct key_metrics {
	struct metric *requests[KEY_REQUESTS][KEY_OUTCOMES]; /* answers of a key server */
	struct metric *seconds[KEY_REQUESTS]; /* … and how long they took, tries and waits included */
	struct metric *cache_hits, *cache_misses; /* data keys that were there, or had to be made or unwrapped */
	struct metric *data_key_made; /* when one was made last, seconds of Unix time */
	atomic_uint *data_keys_late; /* data keys near the end of their age whose next one could not be made */
};

/* What counts nothing, for who was given none. */
extern const struct key_metrics key_metrics_none;

/* One message of a lot. */
struct key_item {
	struct seal_bytes in; /* encrypt: plaintext; decrypt: text "vault:vN:…"; hmac: message */
	struct seal_bytes aad; /* authenticated with it, or a derived key's context; empty: none */
	struct seal_bytes out; /* encrypt: text "vault:vN:…"; decrypt: plaintext; hmac: 32 bytes. In the arena
				     * of the call; empty when err is set */
	const struct seal_err *err; /* NULL, or why this item failed; in the arena of the call */
};

/* One numeral string of a lot, transformed in place (see crypto/ff1.h for the limits). */
struct key_fpe_item {
	uint16_t *numerals;
	uint32_t n;
	uint32_t radix;
	struct seal_bytes tweak;
};

/* Who makes the tweak of a Transform transformation; the server's words are supplied, generated, internal. */
enum key_tweak {
	KEY_TWEAK_INTERNAL, /* the server, once for all; masking and tokenization have none and count as this */
	KEY_TWEAK_SUPPLIED, /* the caller, for encode and decode */
	KEY_TWEAK_GENERATED /* the server, anew each time; the caller keeps it */
};

/* How a Transform role is used: the same for all items of a lot. Strings in the policy's arena; NULL: not said. */
struct key_transform {
	const char *transformation; /* NULL: the role's only one */
	const char *ttl; /* tokenization: "42d" */
	const char *expiration; /* tokenization, instead of ttl: RFC 3339 */
	const char *metadata; /* tokenization: "k=v,k=v" */
	const char *decode_format; /* a named one of the template */
	enum key_tweak tweak;
	size_t tweak_len; /* supplied: bytes that every tweak has */
};

struct key_transform_item {
	struct seal_bytes in; /* UTF-8 */
	struct seal_bytes tweak; /* raw; empty: none is sent */
	struct seal_bytes out; /* in the arena of the call; empty when err is set */
	struct seal_bytes out_tweak; /* encode: the one that the server made up, raw; empty: none */
	const struct seal_err *err;
};

/* What every call brings along. */
struct key_call {
	struct arena *arena; /* for results; lives longer than the items */
	uint64_t deadline_ms; /* clock_mono_ms() scale. A server that goes on answering part after part of a lot may
			       * take longer; one that has stopped may not */
	/*
	 * encrypt, rewrap: under this version of the key, so that equal values stay equal through rotations (deterministic);
	 * 0: the newest that may encrypt. One that is unknown is SEAL_E_KEY_VERSION, one below min_encryption_version
	 * SEAL_E_KEY_MINIMUM. Other operations take no notice. Keys that count their uses (the keyring's, but for convergent
	 * ones) encrypt under the newest alone: SEAL_E_KEY_TYPE.
	 */
	uint32_t version;
};

struct key_session {
	const struct key_session_ops *ops;
};

struct key_session_ops {
	size_t size;
	/* Members that a key's type has no use for are NULL. `version` 0: the newest that may encrypt. */
	enum seal_status (*encrypt)(struct key_session *session, struct key_item *items, size_t n,
				    const struct key_call *call, struct seal_err *err);
	enum seal_status (*decrypt)(struct key_session *session, struct key_item *items, size_t n,
				    const struct key_call *call, struct seal_err *err);
	/* `version` is fixed by the policy: these results carry none. Unknown: SEAL_E_KEY_VERSION. */
	enum seal_status (*hmac)(struct key_session *session, uint32_t version, struct key_item *items, size_t n,
				 const struct key_call *call, struct seal_err *err);
	enum seal_status (*fpe)(struct key_session *session, uint32_t version, bool decrypt,
				struct key_fpe_item *items, size_t n, const struct key_call *call,
				struct seal_err *err);
	/* FF3-1, decrypt only, for data of older systems; same rules. NULL where unsupported. */
	enum seal_status (*fpe_legacy_decrypt)(struct key_session *session, uint32_t version,
					       struct key_fpe_item *items, size_t n, const struct key_call *call,
					       struct seal_err *err);
	/*
	 * Text under an older version becomes text under the newest, in `out`; text of the newest comes back as it is. By the
	 * store itself where it can (plaintext never leaves it), else by decrypting and encrypting here.
	 */
	enum seal_status (*rewrap)(struct key_session *session, struct key_item *items, size_t n,
				   const struct key_call *call, struct seal_err *err);
	enum seal_status (*transform)(struct key_session *session, const struct key_transform *how, bool decode,
				      struct key_transform_item *items, size_t n, const struct key_call *call,
				      struct seal_err *err);
	/*
	 * A new random data key of 16, 32 or 64 bytes, wrapped: *wrapped is a text that `decrypt` opens with the same aad,
	 * in the arena of the call. `plain` NULL: only the wrapped form is made.
	 */
	enum seal_status (*data_key)(struct key_session *session, size_t len, struct seal_bytes aad,
				     struct secret *plain, struct seal_bytes *wrapped, const struct key_call *call,
				     struct seal_err *err);
	void (*free)(struct key_session *session); /* never NULL in the table; accepts NULL sessions */
};

struct key {
	const struct key_ops *ops;
};

struct key_ops {
	size_t size;
	enum seal_status (*info)(struct key *key, struct key_info *info, struct seal_err *err);
	enum seal_status (*session)(struct key *key, struct key_session **out, struct seal_err *err);
	void (*free)(struct key *key);
	/*
	 * KEY_TRANSFORM: can the role do what is asked (SEAL_USAGE if not), as far as the store lets that be seen? Called at
	 * start, before the first session. NULL: not a role.
	 */
	enum seal_status (*transform_check)(struct key *key, const struct key_transform *how, struct seal_err *err);
};

struct key_source {
	const struct key_source_ops *ops;
};

/* What the program (or a library user) says about where keys live. */
struct key_source_config {
	const char *keyring_dir; /* NULL: the default place */
	const char *master_key_file; /* raw 32 bytes; NULL: see keyring.h */
	const char *passphrase_file; /* scrypt; NULL: none */
	bool create; /* make keyring and master key when absent (only `key create`, `demo`) */
	bool create_stores; /* make the policy's stores of keys when absent: only what protects; else SEAL_E_NO_INPUT */
	bool stores_later; /* stores may be absent: the first call that protects makes them, one that reveals fails */
	const struct key_metrics *metrics; /* NULL: nothing is counted; else it outlives the source */
	const struct vault_options *vault; /* vault/options.h; NULL: the environment's */
};

struct key_source_ops {
	size_t size;
	const char *name; /* the scheme in a policy: "local" */
	const char *help; /* one line: what stands after the colon */
	enum seal_status (*open)(const struct key_source_config *config, struct key_source **out,
				 struct seal_err *err);
	/* `reference` is what stands after "scheme:". The key must exist (SEAL_E_KEY_UNKNOWN names the nearest). */
	enum seal_status (*key)(struct key_source *source, struct seal_bytes reference, struct key **out,
				struct seal_err *err);
	/* True when `reference` is well-formed; else *why says what it should look like. For lint, without I/O. */
	bool (*check)(struct seal_bytes reference, const char **why);
	void (*free)(struct key_source *source);
	const struct key_admin_ops *admin; /* keys/admin.h; NULL: keys are not managed from here */
};

#endif
