/*
 * base64 (RFC 4648 §4, padded; §5 url-safe, unpadded) and hex. Decoders are strict: no white space, no
 * missing or extra padding, no stray bits, so that each value has exactly one text.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/bytes.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
#define BASE64_RAW_MAX(n) ((n) / 4 * 3 + 3)

/* `out` has room for BASE64_LEN(in.len); returns the length written. */
size_t base64_encode(struct seal_bytes in, char *out);
/*
 * `out` has room for BASE64_RAW_MAX(in.len), or is where `in` is; false when `in` is not canonical base64 (what `out` holds then is of no
 * use).
 */
bool base64_decode(struct seal_bytes in, uint8_t *out, size_t *out_len);
/* Would base64_decode take it? In little memory whatever its length; *raw is the decoded length. Not for secrets. */
bool base64_is_canonical(struct seal_bytes text, size_t *raw);

size_t base64url_encode(struct seal_bytes in, char *out);
bool base64url_decode(struct seal_bytes in, uint8_t *out, size_t *out_len);
bool base64url_is_canonical(struct seal_bytes text, size_t *raw);

/* Lower case, 2 * in.len characters, no NUL. */
void hex_encode(struct seal_bytes in, char *out);
/* Either case; `out` has room for in.len / 2. */
bool hex_decode(struct seal_bytes in, uint8_t *out);

#endif
