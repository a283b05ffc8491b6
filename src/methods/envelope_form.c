/*
 * Heads of envelopes, both ways. Each head has one spelling: a text that could stand as raw bytes is not taken as text, so that
 * nobody can write one envelope twice.
 */
#include "methods/envelope_form.h"

#include "base/encode.h"
#include "keys/keyring_text.h"

#define KEY_PART_TEXT 0
#define KEY_PART_VAULT 1

/* Is `text` what a Vault form is made of? Then *raw (room for BASE64_RAW_MAX of it) are its bytes. */
static bool is_vault_text(struct seal_bytes text, uint32_t *version, uint8_t *raw, size_t *raw_len)
{
	struct seal_bytes base64;

	return text_split(text, version, &base64) == TEXT_FINE && base64.len > 0 &&
	       base64_decode(base64, raw, raw_len);
}

static bool parse_key_part(struct cursor *at, struct envelope_head *head)
{
	uint8_t raw[BASE64_RAW_MAX(DATA_KEY_WRAPPED_MAX)], kind, length[2];
	size_t len, max = DATA_KEY_WRAPPED_MAX;
	uint32_t version;

	if (!cursor_u8(at, &kind) || kind > KEY_PART_VAULT)
		return false;
	if (kind == KEY_PART_VAULT && (!cursor_be32(at, &head->key_version) || head->key_version == 0))
		return false;
	if (kind == KEY_PART_VAULT)
		max = (DATA_KEY_WRAPPED_MAX - TEXT_PREFIX_MAX) / 4 * 3; /* as text it must not be longer, either */
	if (!cursor_copy(at, length, 2))
		return false;
	len = (size_t)length[0] << 8 | length[1];
	if (len == 0 || len > max || !cursor_take(at, len, &head->wrapped))
		return false;
	return kind == KEY_PART_VAULT || !is_vault_text(head->wrapped, &version, raw, &len);
}

enum envelope_fault envelope_head_parse(struct seal_bytes bytes, struct envelope_head *head)
{
	struct cursor at = {bytes};
	struct seal_bytes named;
	uint8_t version, how;

	*head = (struct envelope_head){.key_version = 0};
	if (!cursor_u8(&at, &version) || version == 0)
		return ENVELOPE_DAMAGED;
	if (version != ENVELOPE_VERSION)
		return ENVELOPE_NEWER;
	if (!cursor_u8(&at, &how) || how == 0)
		return ENVELOPE_DAMAGED;
	if (how > ENVELOPE_STORED)
		return ENVELOPE_NEWER;
	head->how = how;
	if (how == ENVELOPE_INLINE && !parse_key_part(&at, head))
		return ENVELOPE_DAMAGED;
	if (how == ENVELOPE_STORED) {
		if (!cursor_take(&at, PERSON_ID_LEN, &named))
			return ENVELOPE_DAMAGED;
		head->person = named.ptr;
	}
	if (!cursor_take(&at, how == ENVELOPE_CARRIED ? ENVELOPE_NAME_LEN : DATA_KEY_COMMITMENT_LEN, &named))
		return ENVELOPE_DAMAGED;
	head->commitment = named.ptr;
	head->len = bytes.len - at.rest.len;
	return ENVELOPE_FINE;
}

struct seal_bytes envelope_head_wrapped(const struct envelope_head *head, struct arena *arena)
{
	char *text;
	size_t len;

	if (head->key_version == 0)
		return arena_copy(arena, head->wrapped);
	text = arena_alloc(arena, TEXT_PREFIX_MAX + BASE64_LEN(head->wrapped.len), 1);
	if (text == NULL)
		return BYTES_EMPTY;
	len = text_prefix(head->key_version, text);
	return bytes_of(text, len + base64_encode(head->wrapped, text + len));
}

static void put(uint8_t **to, const void *from, size_t len)
{
	memcpy(*to, from, len);
	*to += len;
}

/* Writes the key part of a text that has been checked; returns where it ends. */
static uint8_t *put_key_part(struct seal_bytes text, uint8_t *to)
{
	uint8_t raw[BASE64_RAW_MAX(DATA_KEY_WRAPPED_MAX)];
	uint32_t version;
	size_t len;

	if (is_vault_text(text, &version, raw, &len)) {
		*to++ = KEY_PART_VAULT;
		be32_store(to, version);
		to += 4;
		text = bytes_of(raw, len);
	} else {
		*to++ = KEY_PART_TEXT;
	}
	*to++ = (uint8_t)(text.len >> 8);
	*to++ = (uint8_t)text.len;
	put(&to, text.ptr, text.len);
	return to;
}

enum seal_status envelope_head_write(enum envelope_how how, struct seal_bytes wrapped, const uint8_t *person,
				     const uint8_t *commitment, struct arena *arena, struct seal_bytes *out,
				     struct seal_err *err)
{
	uint8_t *head, *to;

	if (how == ENVELOPE_INLINE && (wrapped.len == 0 || wrapped.len > DATA_KEY_WRAPPED_MAX))
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL,
			       "the wrapped data key has %zu bytes; an envelope takes 1 to %d", wrapped.len,
			       DATA_KEY_WRAPPED_MAX);
	head = to = arena_alloc(arena, ENVELOPE_HEAD_MAX, 1);
	if (head == NULL)
		return err_memory(err);
	*to++ = ENVELOPE_VERSION;
	*to++ = (uint8_t)how;
	if (how == ENVELOPE_INLINE)
		to = put_key_part(wrapped, to);
	if (how == ENVELOPE_STORED)
		put(&to, person, PERSON_ID_LEN);
	put(&to, commitment, how == ENVELOPE_CARRIED ? ENVELOPE_NAME_LEN : DATA_KEY_COMMITMENT_LEN);
	*out = bytes_of(head, (size_t)(to - head));
	arena_shrink(arena, head + ENVELOPE_HEAD_MAX, to);
	return SEAL_OK;
}
