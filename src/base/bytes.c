/* Views and checked reads. */
#include "base/bytes.h"

int bytes_cmp(struct seal_bytes a, struct seal_bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	if (order != 0)
		return order < 0 ? -1 : 1;
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool bytes_is_name(struct seal_bytes a)
{
	if (a.len == 0 || !is_word(a.ptr[0]) || !is_word(a.ptr[a.len - 1]))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (!is_word(a.ptr[i]) && a.ptr[i] != '-' && a.ptr[i] != '.')
			return false;
	return true;
}

bool bytes_is_bearer(struct seal_bytes a, size_t max)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

	for (size_t i = 0; i < a.len; i++)
		if (memchr(allowed, a.ptr[i], sizeof(allowed) - 1) == NULL)
			return false;
	return a.len > 0 && a.len <= max;
}

bool bytes_to_u64(struct seal_bytes a, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (a.len == 0 || a.len > 20 || (a.len > 1 && a.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned digit = (unsigned)a.ptr[i] - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool cursor_take(struct cursor *c, size_t len, struct seal_bytes *out)
{
	if (len > c->rest.len)
		return false;
	*out = bytes_of(c->rest.ptr, len);
	c->rest = bytes_skip(c->rest, len);
	return true;
}

bool cursor_copy(struct cursor *c, uint8_t *dst, size_t len)
{
	struct seal_bytes part;

	if (!cursor_take(c, len, &part))
		return false;
	if (len)
		memcpy(dst, part.ptr, len);
	return true;
}

bool cursor_u8(struct cursor *c, uint8_t *out)
{
	return cursor_copy(c, out, 1);
}

bool cursor_be32(struct cursor *c, uint32_t *out)
{
	struct seal_bytes part;

	if (!cursor_take(c, 4, &part))
		return false;
	*out = be32_load(part.ptr);
	return true;
}

bool cursor_be64(struct cursor *c, uint64_t *out)
{
	struct seal_bytes part;

	if (!cursor_take(c, 8, &part))
		return false;
	*out = be64_load(part.ptr);
	return true;
}

bool cursor_lp32(struct cursor *c, size_t max, struct seal_bytes *out)
{
	struct cursor at = *c;
	uint32_t len;

	if (!cursor_be32(&at, &len) || len > max || !cursor_take(&at, len, out))
		return false;
	*c = at;
	return true;
}
