/*
 * A growable, owned run of bytes with a maximum. Growth wipes what it leaves behind, so a buffer may hold
 * plaintext. Invariant: len <= cap <= max, and ptr is NULL exactly when cap is 0.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"
#include "base/err.h"

struct seal_buf {
	uint8_t *ptr;
	size_t len, cap, max;
};

#define BUF_INIT(maximum)                                                                                            \
	{                                                                                                            \
		NULL, 0, 0, (maximum)                                                                                \
	}

/* Makes room for `more` bytes after len. SEAL_DATA/SEAL_E_LIMIT past the maximum, else SEAL_E_MEMORY. */
SEAL_MUST_USE enum seal_status buf_reserve(struct seal_buf *b, size_t more, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_append(struct seal_buf *b, struct seal_bytes bytes, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_append_str(struct seal_buf *b, const char *text, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_append_u8(struct seal_buf *b, uint8_t byte, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_append_be32(struct seal_buf *b, uint32_t v, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_append_be64(struct seal_buf *b, uint64_t v, struct seal_err *err);
/* Length as 32-bit big-endian, then the bytes. */
SEAL_MUST_USE enum seal_status buf_append_lp32(struct seal_buf *b, struct seal_bytes bytes, struct seal_err *err);
SEAL_MUST_USE enum seal_status buf_printf(struct seal_buf *b, struct seal_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline struct seal_bytes buf_bytes(const struct seal_buf *b)
{
	return bytes_of(b->ptr, b->len);
}

/* Forgets the content but keeps the memory; the content is wiped. */
void buf_reset(struct seal_buf *b);
/* Wipes and frees; the buffer can be used again. */
void buf_clear(struct seal_buf *b);

#endif
