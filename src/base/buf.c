/* Growable buffers: doubling, bounded, wiped where they leave memory behind. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ckd.h"
#include "base/mem.h"

enum seal_status buf_reserve(struct seal_buf *b, size_t more, struct seal_err *err)
{
	size_t need, cap;
	uint8_t *grown;

	if (more <= b->cap - b->len)
		return SEAL_OK;
	if (ckd_add(&need, b->len, more) || need > b->max)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "larger than the limit of %zu bytes", b->max);
	cap = b->cap < 128 ? 256 : b->cap;
	while (cap < need)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	grown = mem_alloc(cap);
	if (grown == NULL)
		return err_memory(err);
	if (b->len)
		memcpy(grown, b->ptr, b->len);
	mem_wipe(b->ptr, b->len);
	mem_free(b->ptr);
	b->ptr = grown;
	b->cap = cap;
	return SEAL_OK;
}

enum seal_status buf_append(struct seal_buf *b, struct seal_bytes bytes, struct seal_err *err)
{
	enum seal_status rc = buf_reserve(b, bytes.len, err);

	if (rc == SEAL_OK && bytes.len) {
		memcpy(b->ptr + b->len, bytes.ptr, bytes.len);
		b->len += bytes.len;
	}
	return rc;
}

enum seal_status buf_append_str(struct seal_buf *b, const char *text, struct seal_err *err)
{
	return buf_append(b, bytes_str(text), err);
}

enum seal_status buf_append_u8(struct seal_buf *b, uint8_t byte, struct seal_err *err)
{
	return buf_append(b, bytes_of(&byte, 1), err);
}

enum seal_status buf_append_be32(struct seal_buf *b, uint32_t v, struct seal_err *err)
{
	uint8_t raw[4];

	be32_store(raw, v);
	return buf_append(b, bytes_of(raw, sizeof(raw)), err);
}

enum seal_status buf_append_be64(struct seal_buf *b, uint64_t v, struct seal_err *err)
{
	uint8_t raw[8];

	be64_store(raw, v);
	return buf_append(b, bytes_of(raw, sizeof(raw)), err);
}

enum seal_status buf_append_lp32(struct seal_buf *b, struct seal_bytes bytes, struct seal_err *err)
{
	enum seal_status rc;

	if (bytes.len > UINT32_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "longer than 4 GiB");
	SEAL_TRY(buf_reserve(b, bytes.len + 4, err));
	SEAL_TRY(buf_append_be32(b, (uint32_t)bytes.len, err));
	SEAL_TRY(buf_append(b, bytes, err));
out:
	return rc;
}

enum seal_status buf_printf(struct seal_buf *b, struct seal_err *err, const char *fmt, ...)
{
	enum seal_status rc;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "text could not be formatted");
	rc = buf_reserve(b, (size_t)len + 1, err);
	if (rc != SEAL_OK)
		return rc;
	va_start(args, fmt);
	vsnprintf((char *)b->ptr + b->len, (size_t)len + 1, fmt, args);
	va_end(args);
	b->len += (size_t)len;
	return SEAL_OK;
}

void buf_reset(struct seal_buf *b)
{
	mem_wipe(b->ptr, b->len);
	b->len = 0;
}

void buf_clear(struct seal_buf *b)
{
	mem_wipe(b->ptr, b->len);
	mem_free(b->ptr);
	b->ptr = NULL;
	b->len = b->cap = 0;
}
