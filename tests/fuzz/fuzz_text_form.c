/*
 * Text forms: what parses looks protected, and is written in exactly one way: from what was parsed the text can be made
 * again. "json+" is taken off once. What looks protected still does when anything follows. The same of heads of envelopes, and
 * of the header that carries their keys.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "fuzz.h"
#include "methods/envelope_header.h"
#include "methods/text_form.h"

static void check_transform(struct seal_bytes text, const struct text_form *form)
{
	uint8_t raw[TEXT_FORM_TWEAK_MAX];
	char again[BASE64_LEN(TEXT_FORM_TWEAK_MAX)];
	size_t len;

	CHECK(bytes_starts(text, BYTES_LIT(TEXT_FORM_TRANSFORM)) && !form->json && form->version == 0);
	CHECK(base64url_decode(form->tweak, raw, &len) && len > 0 && form->value.len > 0);
	CHECK(bytes_eq(bytes_of(again, base64url_encode(bytes_of(raw, len), again)), form->tweak));
	CHECK(text.len == sizeof(TEXT_FORM_TRANSFORM) + form->tweak.len + form->value.len);
}

static void check_form(struct seal_bytes text, const struct text_form *form)
{
	char again[64];
	int prefix = snprintf(again, sizeof(again), "%svault:v%u:", form->json ? TEXT_FORM_JSON : "",
			      (unsigned)form->version);
	struct seal_bytes base64 = bytes_skip(text, (size_t)prefix);
	uint8_t *raw = mem_alloc(BASE64_RAW_MAX(base64.len));
	char *encoded = mem_alloc(BASE64_LEN(BASE64_RAW_MAX(base64.len)));
	size_t len;

	CHECK(raw != NULL && encoded != NULL);
	CHECK(bytes_eq(form->body, bytes_skip(text, form->json ? sizeof(TEXT_FORM_JSON) - 1 : 0)));
	CHECK(bytes_starts(text, bytes_str(again)) && form->version > 0);
	CHECK(base64_decode(base64, raw, &len) && len >= 28);
	CHECK(bytes_eq(bytes_of(encoded, base64_encode(bytes_of(raw, len), encoded)), base64));
	mem_free(encoded);
	mem_free(raw);
}

/* A head that parses can be written again, and has no other spelling. */
static void check_head(struct seal_bytes bytes)
{
	struct seal_bytes wrapped = BYTES_EMPTY, again;
	struct envelope_head head, second;
	struct arena arena;

	if (envelope_head_parse(bytes, &head) != ENVELOPE_FINE)
		return;
	CHECK(head.len <= bytes.len && head.len <= ENVELOPE_HEAD_MAX);
	arena_init(&arena, 0);
	if (head.how == ENVELOPE_INLINE) {
		wrapped = envelope_head_wrapped(&head, &arena);
		CHECK(wrapped.ptr != NULL && wrapped.len > 0 && wrapped.len <= DATA_KEY_WRAPPED_MAX);
	}
	CHECK(envelope_head_write(head.how, wrapped, head.person, head.commitment, &arena, &again, NULL) == SEAL_OK);
	CHECK(bytes_eq(again, bytes_of(bytes.ptr, head.len)));
	/* What follows does not count, and without its last byte it is none. */
	CHECK(envelope_head_parse(bytes_of(bytes.ptr, head.len), &second) == ENVELOPE_FINE);
	CHECK(envelope_head_parse(bytes_of(bytes.ptr, head.len - 1), &second) != ENVELOPE_FINE);
	arena_clear(&arena);
}

static void check_envelope(struct seal_bytes text, const struct text_form *form)
{
	const size_t skip = form->json ? sizeof(TEXT_FORM_JSON) - 1 : 0;
	const struct seal_bytes base64 = bytes_skip(text, skip + sizeof(TEXT_FORM_ENVELOPE) - 1);
	uint8_t *raw = mem_alloc(BASE64_RAW_MAX(base64.len));
	struct envelope_head head;
	size_t len;

	CHECK(raw != NULL && form->plain_len >= 0);
	CHECK(bytes_starts(bytes_skip(text, skip), BYTES_LIT(TEXT_FORM_ENVELOPE)));
	CHECK(base64url_decode(base64, raw, &len));
	CHECK(envelope_head_parse(bytes_of(raw, len), &head) == ENVELOPE_FINE);
	CHECK(len == head.len + ENVELOPE_MESSAGE_MIN + (size_t)form->plain_len);
	CHECK((head.how == ENVELOPE_CARRIED) == (form->entry != NULL));
	CHECK(form->version == head.key_version);
	mem_free(raw);
}

/* Entries that parse are the value again, part by part; one that is put there parses, and is found. */
static void check_header(struct seal_bytes value)
{
	static const uint8_t commitment[DATA_KEY_COMMITMENT_LEN] = {0xfe, 0xdc};
	static struct key_header header, second;
	struct seal_bytes entry;
	struct arena arena;
	size_t len = 0;
	bool fits;

	if (!key_header_parse(value, &header))
		return;
	CHECK(header.n <= KEY_HEADER_ENTRIES_MAX && (header.n > 0) == (value.len > 0));
	arena_init(&arena, 0);
	for (size_t i = 0; i < header.n; i++) {
		CHECK(key_header_entry_write(header.entries[i].commitment, header.entries[i].wrapped, &arena, &entry,
					     NULL) == SEAL_OK);
		CHECK(bytes_eq(entry, header.entries[i].text));
		len += entry.len + (i > 0);
	}
	CHECK(len == value.len);
	CHECK(key_header_entry_write(commitment, BYTES_LIT("vault:v1:AAAA"), &arena, &entry, NULL) == SEAL_OK);
	CHECK(key_header_put(&header, header.n, entry, &arena, &value, &fits, NULL) == SEAL_OK);
	CHECK(fits == key_header_parse(value, &second) || !fits);
	if (fits && key_header_find(&header, commitment) == NULL)
		CHECK(second.n == header.n + 1);
	arena_clear(&arena);
}

static void check_token(struct seal_bytes text, const struct text_form *form)
{
	uint8_t token[TEXT_FORM_TOKEN_LEN];
	char again[TEXT_FORM_TOKEN_TEXT_LEN];

	CHECK(text_form_token(form->body, token) && form->stored && form->version == 0);
	CHECK(bytes_eq(form->body, bytes_skip(text, form->json ? sizeof(TEXT_FORM_JSON) - 1 : 0)));
	text_form_token_write(token, again);
	CHECK(bytes_eq(bytes_of(again, sizeof(again)), form->body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_bytes text = bytes_of(data, size), rest = text;
	const bool looks = text_form_looks_protected(text);
	struct text_form form;

	if (text_form_parse(text, &form)) {
		CHECK(looks || text_form_is_raw(text));
		if (form.tweak.len > 0)
			check_transform(text, &form);
		else if (strcmp(form.method, "encrypt") == 0)
			check_form(text, &form);
		else if (strcmp(form.method, "token") == 0)
			check_token(text, &form);
		else if (!text_form_is_raw(text))
			check_envelope(text, &form);
	}
	check_head(text);
	if (text_form_is_raw(text))
		check_head(bytes_skip(text, sizeof(ENVELOPE_MAGIC) - 1));
	check_header(text);
	if (size > 0 && text_form_looks_protected(bytes_of(data, size - 1)))
		CHECK(looks);
	if (text_form_strip_json(&rest))
		CHECK(rest.len == size - 5 && (!looks || text_form_looks_protected(rest)));
	else
		CHECK(rest.ptr == data && rest.len == size);
	return 0;
}
