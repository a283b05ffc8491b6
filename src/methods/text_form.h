/* The text forms of docs/FORMAT.md: what a protected value looks like, and how one is told from plaintext. */
#ifndef METHODS_TEXT_FORM_H
#define METHODS_TEXT_FORM_H

#include "base/bytes.h"

#define TEXT_FORM_JSON "json+" /* before a text whose plaintext is JSON text */

/* What stands in a protected value; views of the text. */
struct text_form {
	bool json; /* "json+" stands before it: the plaintext is JSON text */
	const char *method; /* "encrypt": the `type` of the method that made it; static */
	uint32_t version; /* of the key; envelope: of the key that wraps its data key; 0 where the form has none */
	bool stored; /* the wrapped data key (token: the value itself), and so the version, is in the policy's store */
	int64_t plain_len; /* bytes of the plaintext; -1: it does not tell */
	struct seal_bytes body; /* without "json+" */
	struct seal_bytes tweak; /* transform: base64url, not empty */
	struct seal_bytes value; /* transform: what the tweak belongs to */
	const uint8_t *
		entry; /* envelope whose key is in the header seal-key: ENVELOPE_NAME_LEN bytes that name it; else NULL */
	uint8_t entry_bytes[8]; /* … in here */
};

/* envelope: "seal:e1:", base64url of the bytes of methods/envelope_form.h. */
#define TEXT_FORM_ENVELOPE "seal:e1:"

/* token: "seal:t1:", base64url unpadded of TOKEN_LEN random bytes. */
#define TEXT_FORM_TOKEN "seal:t1:"
#define TEXT_FORM_TOKEN_LEN 16
#define TEXT_FORM_TOKEN_TEXT_LEN 30 /* characters, without "json+" */

/* transform with a tweak that the server makes: "seal:x1:", base64url of the tweak, a colon, the encoded value. */
#define TEXT_FORM_TRANSFORM "seal:x1:"
#define TEXT_FORM_TWEAK_MAX 256 /* bytes of a tweak */

/*
 * True when `text` starts like a sealstream or Vault value (vault:vN: , seal:X: , either after json+), whether or
 * not the rest is well-formed: such a value is never taken for plaintext.
 */
bool text_form_looks_protected(struct seal_bytes text);
/* Does TEXT_FORM_ENVELOPE stand anywhere in it? For whole records: as fast as they can be read. */
bool text_form_has_envelope(struct seal_bytes text);
/* Takes "json+" off *text; false, and *text as it was, when it is not there. */
bool text_form_strip_json(struct seal_bytes *text);
/* The same for a payload that an envelope is in as bytes. */
bool text_form_is_raw(struct seal_bytes payload);
/* Parses, such a payload, too; false when it is not exactly one of the forms. */
bool text_form_parse(struct seal_bytes text, struct text_form *form);
/* The bytes of a token, whose text is without "json+"; false when it is not exactly one. */
bool text_form_token(struct seal_bytes text, uint8_t token[TEXT_FORM_TOKEN_LEN]);
void text_form_token_write(const uint8_t token[TEXT_FORM_TOKEN_LEN], char text[TEXT_FORM_TOKEN_TEXT_LEN]);

#endif
