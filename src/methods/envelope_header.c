/* The header seal-key, both ways. Parsing copies commitments alone; everything else is a view of the value. */
#include "methods/envelope_header.h"

#include "base/encode.h"
#include "keys/keyring_text.h"

#define COMMITMENT_TEXT ((DATA_KEY_COMMITMENT_LEN * 4 + 2) / 3)

static bool is_wrapped(struct seal_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == ',')
			return false;
	return text.len > 0 && text.len <= DATA_KEY_WRAPPED_MAX;
}

static bool parse_entry(struct seal_bytes text, struct key_header_entry *entry)
{
	uint8_t raw[BASE64_RAW_MAX(COMMITMENT_TEXT)];
	size_t len;

	if (text.len <= COMMITMENT_TEXT || text.ptr[COMMITMENT_TEXT] != '.' ||
	    !base64url_decode(bytes_of(text.ptr, COMMITMENT_TEXT), raw, &len) || len != DATA_KEY_COMMITMENT_LEN)
		return false;
	memcpy(entry->commitment, raw, DATA_KEY_COMMITMENT_LEN);
	entry->text = text;
	entry->wrapped = bytes_skip(text, COMMITMENT_TEXT + 1);
	return is_wrapped(entry->wrapped);
}

bool key_header_parse(struct seal_bytes value, struct key_header *header)
{
	header->n = 0;
	if (value.len > KEY_HEADER_MAX)
		return false;
	for (bool more = value.len > 0; more;) {
		const uint8_t *comma = value.len > 0 ? memchr(value.ptr, ',', value.len) : NULL;
		const size_t len = comma != NULL ? (size_t)(comma - value.ptr) : value.len;

		if (header->n == KEY_HEADER_ENTRIES_MAX ||
		    !parse_entry(bytes_of(value.ptr, len), &header->entries[header->n]))
			return false;
		header->n++;
		more = comma != NULL;
		value = bytes_skip(value, len + more);
	}
	return true;
}

const struct key_header_entry *key_header_find(const struct key_header *header, const uint8_t *name)
{
	const struct key_header_entry *found = NULL;

	for (size_t i = 0; i < header->n; i++) {
		if (memcmp(header->entries[i].commitment, name, ENVELOPE_NAME_LEN) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = &header->entries[i];
	}
	return found;
}

uint32_t key_header_version(struct seal_bytes value, const uint8_t *name)
{
	const struct key_header_entry *entry;
	struct key_header header;
	struct seal_bytes base64;
	uint32_t version;

	if (!key_header_parse(value, &header))
		return 0;
	entry = key_header_find(&header, name);
	return entry != NULL && text_split(entry->wrapped, &version, &base64) == TEXT_FINE ? version : 0;
}

enum seal_status key_header_entry_write(const uint8_t *commitment, struct seal_bytes wrapped, struct arena *arena,
					struct seal_bytes *entry, struct seal_err *err)
{
	uint8_t *to;

	if (!is_wrapped(wrapped))
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL,
			       "the wrapped data key cannot stand in a record header; use 'carry: value'");
	to = arena_alloc(arena, COMMITMENT_TEXT + 1 + wrapped.len, 1);
	if (to == NULL)
		return err_memory(err);
	base64url_encode(bytes_of(commitment, DATA_KEY_COMMITMENT_LEN), (char *)to);
	to[COMMITMENT_TEXT] = '.';
	memcpy(to + COMMITMENT_TEXT + 1, wrapped.ptr, wrapped.len);
	*entry = bytes_of(to, COMMITMENT_TEXT + 1 + wrapped.len);
	return SEAL_OK;
}

enum seal_status key_header_put(const struct key_header *header, size_t at, struct seal_bytes entry,
				struct arena *arena, struct seal_bytes *value, bool *fits, struct seal_err *err)
{
	const size_t n = at < header->n ? header->n : at + 1;
	uint8_t *out, *to;
	size_t len = n - 1;

	for (size_t i = 0; i < n; i++)
		len += i == at ? entry.len : header->entries[i].text.len;
	*fits = n <= KEY_HEADER_ENTRIES_MAX && len <= KEY_HEADER_MAX;
	if (!*fits)
		return SEAL_OK;
	out = to = arena_alloc(arena, len, 1);
	if (out == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++) {
		const struct seal_bytes one = i == at ? entry : header->entries[i].text;

		if (i > 0)
			*to++ = ',';
		memcpy(to, one.ptr, one.len);
		to += one.len;
	}
	*value = bytes_of(out, len);
	return SEAL_OK;
}
