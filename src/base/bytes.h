/*
 * Views of bytes and the cursor that parsers read them with. A cursor never reads past its end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <string.h>

#include "sealstream/seal.h"

#define BYTES_EMPTY ((struct seal_bytes){NULL, 0})
#define BYTES_LIT(literal) ((struct seal_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

/* For printf's "%.*s" with text that may be shown (names, paths; never values). */
#define BYTES_FMT(b) (int)((b).len > 200 ? 200 : (b).len), (b).len ? (const char *)(b).ptr : ""

static inline struct seal_bytes bytes_of(const void *ptr, size_t len)
{
	return (struct seal_bytes){ptr, len};
}

static inline struct seal_bytes bytes_str(const char *text)
{
	return (struct seal_bytes){(const uint8_t *)text, strlen(text)};
}

/* Plain comparison, for public bytes only; secrets use ct_equal. */
static inline bool bytes_eq(struct seal_bytes a, struct seal_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool bytes_eq_str(struct seal_bytes a, const char *text)
{
	return bytes_eq(a, bytes_str(text));
}

static inline bool bytes_starts(struct seal_bytes a, struct seal_bytes prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* The part from `from` (at most the length) to the end. */
static inline struct seal_bytes bytes_skip(struct seal_bytes a, size_t from)
{
	if (from > a.len)
		from = a.len;
	return (struct seal_bytes){a.len ? a.ptr + from : a.ptr, a.len - from};
}

/* -1, 0, 1 as memcmp, shorter first on a common prefix. Public bytes only. */
int bytes_cmp(struct seal_bytes a, struct seal_bytes b);

/* What Vault takes as a name: letters, digits, '_', and between these '-' and '.'. */
bool bytes_is_name(struct seal_bytes a);
/* What may stand behind "Bearer " in a header (RFC 6750, section 2.1), 1 … max bytes of it. */
bool bytes_is_bearer(struct seal_bytes a, size_t max);

/* Decimal without sign, leading zeros or white space; false when not that or above `max`. */
bool bytes_to_u64(struct seal_bytes a, uint64_t max, uint64_t *out);

/* Big-endian loads and stores. */
static inline uint32_t be32_load(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t be64_load(const uint8_t *p)
{
	return (uint64_t)be32_load(p) << 32 | be32_load(p + 4);
}

static inline void be32_store(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void be64_store(uint8_t *p, uint64_t v)
{
	be32_store(p, (uint32_t)(v >> 32));
	be32_store(p + 4, (uint32_t)v);
}

/* Checked reads; each returns false and moves nothing when the bytes are not there. */
struct cursor {
	struct seal_bytes rest;
};

bool cursor_u8(struct cursor *c, uint8_t *out);
bool cursor_be32(struct cursor *c, uint32_t *out);
bool cursor_be64(struct cursor *c, uint64_t *out);
bool cursor_take(struct cursor *c, size_t len, struct seal_bytes *out);
bool cursor_copy(struct cursor *c, uint8_t *dst, size_t len);
/* A 32-bit big-endian length, at most `max`, and that many bytes. */
bool cursor_lp32(struct cursor *c, size_t max, struct seal_bytes *out);

#endif
