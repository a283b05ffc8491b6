/* Transit's text, written and parsed. */
#include "keys/keyring_text.h"

#define PREFIX "vault:v"

size_t text_prefix(uint32_t version, char out[TEXT_PREFIX_MAX])
{
	char digits[10];
	size_t n = 0, len = sizeof(PREFIX) - 1;

	do {
		digits[n++] = (char)('0' + version % 10);
		version /= 10;
	} while (version != 0);
	memcpy(out, PREFIX, len);
	while (n > 0)
		out[len++] = digits[--n];
	out[len++] = ':';
	return len;
}

enum text_fault text_split(struct seal_bytes text, uint32_t *version, struct seal_bytes *base64)
{
	struct seal_bytes number;
	const uint8_t *colon;
	uint64_t value;

	if (!bytes_starts(text, BYTES_LIT(PREFIX)))
		return TEXT_NOT_OURS;
	number = bytes_skip(text, sizeof(PREFIX) - 1);
	colon = number.len == 0 ? NULL : memchr(number.ptr, ':', number.len < 11 ? number.len : 11);
	if (colon == NULL)
		return TEXT_BAD_VERSION;
	*base64 = bytes_skip(number, (size_t)(colon - number.ptr) + 1);
	number.len = (size_t)(colon - number.ptr);
	if (!bytes_to_u64(number, UINT32_MAX, &value) || value == 0)
		return TEXT_BAD_VERSION;
	*version = (uint32_t)value;
	return TEXT_FINE;
}
