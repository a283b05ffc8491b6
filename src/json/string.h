/* The content of JSON strings: raw text between the quotes to UTF-8 and back. */
#ifndef JSON_STRING_H
#define JSON_STRING_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * Decodes the escapes of `raw` (the text between the quotes, already checked by the scanner). Without a backslash
 * *out is `raw` itself; else it is in `arena`. false: a lone surrogate, so there is no Unicode text for it;
 * memory: *out.ptr is NULL and true.
 */
bool json_string_decode(struct seal_bytes raw, struct arena *arena, struct seal_bytes *out);

/* The same straight into the caller's memory of raw.len bytes: for secrets. false: a lone surrogate. */
bool json_string_decode_to(struct seal_bytes raw, uint8_t *out, size_t *len);

/* How many bytes json_string_write needs at most for `len` bytes of text. */
#define JSON_STRING_MAX(len) ((len)*6 + 2)

/*
 * Writes `text` (valid UTF-8) quoted: only what must be escaped is (quote, backslash, U+0000-U+001F; \n, \t … in
 * their short forms, else \u00xx in lower case). Returns the length. `out` has JSON_STRING_MAX(text.len) bytes, or
 * exactly json_string_written(text).
 */
size_t json_string_write(struct seal_bytes text, uint8_t *out);

/* How long json_string_write's result is, exactly. */
size_t json_string_written(struct seal_bytes text);

/* The same, appended to a buffer. */
SEAL_MUST_USE enum seal_status json_string_append(struct seal_buf *out, struct seal_bytes text, struct seal_err *err);
/* Bytes as JSON has them: a string of base64. */
SEAL_MUST_USE enum seal_status json_base64_append(struct seal_buf *out, struct seal_bytes raw, struct seal_err *err);

#endif
