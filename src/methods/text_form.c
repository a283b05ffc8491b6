/*
 * Text forms: how protected values look (docs/FORMAT.md, "Text forms").
 *
 *   [json+] vault:vN: base64        what Vault's Transit makes, byte for byte
 *   [json+] seal:e1: base64url      an envelope (envelope_form.h); as a payload also its bytes, behind "SEALENV1"
 *   [json+] seal:t1: base64url      a token of 16 random bytes, whose value is in a store
 *   seal:x1: base64url : text       what Vault's Transform made of a string, behind the tweak that it drew for it
 *   [json+] seal:X: …               reserved for forms of later versions
 *
 * Two questions, kept apart: does a text claim to be protected (then it is never taken for plaintext), and is it
 * well-formed.
 */
#include "methods/text_form.h"

#include "base/encode.h"
#include "methods/envelope_form.h"

#define VAULT_BODY_MIN 28 /* nonce 12 + tag 16 */
#define TWEAK_TEXT_MAX ((TEXT_FORM_TWEAK_MAX * 4 + 2) / 3)

static const struct seal_bytes json_prefix = {(const uint8_t *)TEXT_FORM_JSON, sizeof(TEXT_FORM_JSON) - 1};
static const struct seal_bytes vault_prefix = {(const uint8_t *)"vault:v", 7};
static const struct seal_bytes seal_prefix = {(const uint8_t *)"seal:", 5};
static const struct seal_bytes envelope_prefix = {(const uint8_t *)TEXT_FORM_ENVELOPE,
						  sizeof(TEXT_FORM_ENVELOPE) - 1};
static const struct seal_bytes envelope_magic = {(const uint8_t *)ENVELOPE_MAGIC, sizeof(ENVELOPE_MAGIC) - 1};
static const struct seal_bytes transform_prefix = {(const uint8_t *)TEXT_FORM_TRANSFORM,
						   sizeof(TEXT_FORM_TRANSFORM) - 1};

static const struct seal_bytes token_prefix = {(const uint8_t *)TEXT_FORM_TOKEN, sizeof(TEXT_FORM_TOKEN) - 1};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* The length of the run of bytes that `is` accepts, when a colon ends it and it is not empty; else 0. */
static size_t run_before_colon(struct seal_bytes text, bool (*is)(uint8_t))
{
	size_t n = 0;

	while (n < text.len && is(text.ptr[n]))
		n++;
	return n < text.len && text.ptr[n] == ':' ? n : 0;
}

bool text_form_strip_json(struct seal_bytes *text)
{
	if (!bytes_starts(*text, json_prefix))
		return false;
	*text = bytes_skip(*text, json_prefix.len);
	return true;
}

bool text_form_looks_protected(struct seal_bytes text)
{
	text_form_strip_json(&text);
	if (bytes_starts(text, vault_prefix))
		return run_before_colon(bytes_skip(text, vault_prefix.len), is_digit) > 0;
	if (bytes_starts(text, seal_prefix))
		return run_before_colon(bytes_skip(text, seal_prefix.len), is_word) > 0;
	return false;
}

bool text_form_is_raw(struct seal_bytes payload)
{
	return bytes_starts(payload, envelope_magic);
}

/* `head`: the envelope's first bytes, ENVELOPE_HEAD_MAX of them if it has so many; `len`: how many it has. */
static bool parse_envelope(struct seal_bytes head, size_t len, struct text_form *form)
{
	struct envelope_head parsed;

	if (envelope_head_parse(head, &parsed) != ENVELOPE_FINE || len - parsed.len < ENVELOPE_MESSAGE_MIN)
		return false;
	form->method = "envelope";
	form->version = parsed.key_version;
	form->plain_len = (int64_t)(len - parsed.len - ENVELOPE_MESSAGE_MIN);
	form->stored = parsed.how == ENVELOPE_STORED;
	if (parsed.how == ENVELOPE_CARRIED) {
		memcpy(form->entry_bytes, parsed.commitment, ENVELOPE_NAME_LEN);
		form->entry = form->entry_bytes;
	}
	return true;
}

static bool parse_envelope_text(struct seal_bytes base64, struct text_form *form)
{
	uint8_t head[BASE64_RAW_MAX(BASE64_LEN(ENVELOPE_HEAD_MAX))];
	size_t len, head_len;

	if (!base64url_is_canonical(base64, &len))
		return false;
	if (base64.len > BASE64_LEN(ENVELOPE_HEAD_MAX))
		base64.len = BASE64_LEN(ENVELOPE_HEAD_MAX);
	return base64url_decode(base64, head, &head_len) && parse_envelope(bytes_of(head, head_len), len, form);
}

static bool parse_transform(struct seal_bytes rest, struct text_form *form)
{
	uint8_t tweak[BASE64_RAW_MAX(TWEAK_TEXT_MAX)];
	const uint8_t *colon = rest.len == 0 ? NULL : memchr(rest.ptr, ':', rest.len);
	size_t len;

	if (form->json || colon == NULL)
		return false;
	form->tweak = bytes_of(rest.ptr, (size_t)(colon - rest.ptr));
	form->value = bytes_skip(rest, form->tweak.len + 1);
	if (form->tweak.len == 0 || form->tweak.len > TWEAK_TEXT_MAX || !base64url_decode(form->tweak, tweak, &len) ||
	    form->value.len == 0)
		return false;
	form->method = "transform";
	return true;
}

bool text_form_token(struct seal_bytes text, uint8_t token[TEXT_FORM_TOKEN_LEN])
{
	uint8_t raw[BASE64_RAW_MAX(TEXT_FORM_TOKEN_TEXT_LEN)];
	size_t len;

	if (!bytes_starts(text, token_prefix) || text.len != TEXT_FORM_TOKEN_TEXT_LEN ||
	    !base64url_decode(bytes_skip(text, token_prefix.len), raw, &len) || len != TEXT_FORM_TOKEN_LEN)
		return false;
	memcpy(token, raw, len);
	return true;
}

void text_form_token_write(const uint8_t token[TEXT_FORM_TOKEN_LEN], char text[TEXT_FORM_TOKEN_TEXT_LEN])
{
	memcpy(text, TEXT_FORM_TOKEN, token_prefix.len);
	base64url_encode(bytes_of(token, TEXT_FORM_TOKEN_LEN), text + token_prefix.len);
}

/* Sixteen neighbours at a time: `found` gets bits where an envelope may begin in the LOOK_LEN bytes at `at`. */
typedef uint8_t neighbours __attribute__((vector_size(16)));
#define ENVELOPE_LEN (sizeof(TEXT_FORM_ENVELOPE) - 1)
#define LOOK_LEN (sizeof(neighbours) + ENVELOPE_LEN - 1)

static inline void look_at(const uint8_t *at, neighbours *found)
{
	neighbours first, fifth, last;

	memcpy(&first, at, sizeof(first));
	memcpy(&fifth, at + 4, sizeof(fifth));
	memcpy(&last, at + ENVELOPE_LEN - 1, sizeof(last));
	*found |= (neighbours)(first == TEXT_FORM_ENVELOPE[0]) & (neighbours)(fifth == TEXT_FORM_ENVELOPE[4]) &
		  (neighbours)(last == TEXT_FORM_ENVELOPE[ENVELOPE_LEN - 1]);
}

/* False for nearly all records that have none. */
static bool may_have_envelope(struct seal_bytes text)
{
	neighbours found = {0};
	uint64_t halves[2];

	if (text.len < LOOK_LEN)
		return true;
	for (size_t i = 0; i + LOOK_LEN < text.len; i += sizeof(neighbours))
		look_at(text.ptr + i, &found);
	look_at(text.ptr + text.len - LOOK_LEN, &found);
	memcpy(halves, &found, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

bool text_form_has_envelope(struct seal_bytes text)
{
	return text.len >= ENVELOPE_LEN && may_have_envelope(text) &&
	       memmem(text.ptr, text.len, TEXT_FORM_ENVELOPE, ENVELOPE_LEN) != NULL;
}

bool text_form_parse(struct seal_bytes text, struct text_form *form)
{
	uint8_t token[TEXT_FORM_TOKEN_LEN];
	struct seal_bytes rest;
	uint64_t version;
	size_t digits, raw;

	*form = (struct text_form){.json = text_form_strip_json(&text), .plain_len = -1, .body = text};
	if (bytes_starts(text, envelope_prefix))
		return parse_envelope_text(bytes_skip(text, envelope_prefix.len), form);
	if (text_form_is_raw(text) && !form->json)
		return parse_envelope(bytes_skip(text, envelope_magic.len), text.len - envelope_magic.len, form);
	if (bytes_starts(text, token_prefix)) {
		form->method = "token";
		form->stored = true;
		return text_form_token(text, token);
	}
	if (bytes_starts(text, transform_prefix))
		return parse_transform(bytes_skip(text, transform_prefix.len), form);
	if (!bytes_starts(text, vault_prefix))
		return false;
	rest = bytes_skip(text, vault_prefix.len);
	digits = run_before_colon(rest, is_digit);
	if (digits == 0 || !bytes_to_u64(bytes_of(rest.ptr, digits), UINT32_MAX, &version) || version == 0)
		return false;
	if (!base64_is_canonical(bytes_skip(rest, digits + 1), &raw) || raw < VAULT_BODY_MIN)
		return false;
	form->method = "encrypt";
	form->version = (uint32_t)version;
	form->plain_len = (int64_t)(raw - VAULT_BODY_MIN);
	return true;
}
