/*
 * The bytes of an envelope (docs/FORMAT.md, "Envelopes"): a head that names the data key, and the message.
 *
 *   head     u8 version 1 | u8 how | what names the key
 *              inline   key part | commitment 32      the wrapped data key stands in the envelope
 *              carried  first 8 bytes of the commitment      … in the record's header seal-key
 *              stored   person id 16 | commitment 32         … in a store
 *            key part: u8 1 | u32 key version | u16 n | n bytes      the text "vault:vN:" and the base64 of these bytes
 *                      u8 0 | u16 n | n bytes                        any other text, as it is
 *   message  nonce 12 | ciphertext | tag 16
 *
 * Numbers are big-endian. As text: "seal:e1:" and base64url without padding; raw: the 8 bytes of ENVELOPE_MAGIC before it.
 */
#ifndef METHODS_ENVELOPE_FORM_H
#define METHODS_ENVELOPE_FORM_H

#include "base/arena.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "keys/data_key.h"
#include "keys/person_keys.h"

#define ENVELOPE_VERSION 1
#define ENVELOPE_MAGIC "SEALENV1"
#define ENVELOPE_NAME_LEN 8 /* bytes of the commitment that name an entry of the header */
#define ENVELOPE_MESSAGE_MIN (AEAD_NONCE_LEN + AEAD_TAG_LEN)
#define ENVELOPE_HEAD_MAX (2 + 1 + 4 + 2 + DATA_KEY_WRAPPED_MAX + DATA_KEY_COMMITMENT_LEN)

enum envelope_how { ENVELOPE_INLINE = 1, ENVELOPE_CARRIED = 2, ENVELOPE_STORED = 3 };

/* A head. Views. */
struct envelope_head {
	enum envelope_how how;
	uint32_t key_version; /* inline, of the wrapped key; 0: `wrapped` is the text itself */
	struct seal_bytes wrapped; /* inline: the raw bytes behind "vault:vN:", or the text */
	const uint8_t *person; /* stored: PERSON_ID_LEN bytes */
	const uint8_t *commitment; /* DATA_KEY_COMMITMENT_LEN bytes; carried: ENVELOPE_NAME_LEN bytes */
	size_t len; /* of the head in bytes */
};

enum envelope_fault { ENVELOPE_FINE, ENVELOPE_DAMAGED, ENVELOPE_NEWER };

/*
 * Reads the head at the start of `bytes`, which may be cut behind it. NEWER: a version or a way to name the key that this
 * release does not know. The message is what follows; the caller checks that it has ENVELOPE_MESSAGE_MIN bytes.
 */
enum envelope_fault envelope_head_parse(struct seal_bytes bytes, struct envelope_head *head);

/* The wrapped key of an inline head as text, in `arena`; ptr NULL: no memory. */
struct seal_bytes envelope_head_wrapped(const struct envelope_head *head, struct arena *arena);

/*
 * Writes a head of `how`, with what it needs of `wrapped` (the text), `person` and `commitment`, into `arena`. SEAL_FATAL
 * when the text is empty or longer than DATA_KEY_WRAPPED_MAX.
 */
SEAL_MUST_USE enum seal_status envelope_head_write(enum envelope_how how, struct seal_bytes wrapped,
						   const uint8_t *person, const uint8_t *commitment,
						   struct arena *arena, struct seal_bytes *out, struct seal_err *err);

#endif
