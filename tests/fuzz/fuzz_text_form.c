/*
 * Text forms: what parses looks protected, and is written in exactly one way: from what was parsed the text can be made
 * again. "json+" is taken off once. What looks protected still does when anything follows.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "fuzz.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_bytes text = bytes_of(data, size), rest = text;
	const bool looks = text_form_looks_protected(text);
	struct text_form form;

	if (text_form_parse(text, &form)) {
		CHECK(looks);
		if (form.tweak.len > 0)
			check_transform(text, &form);
		else
			check_form(text, &form);
	}
	if (size > 0 && text_form_looks_protected(bytes_of(data, size - 1)))
		CHECK(looks);
	if (text_form_strip_json(&rest))
		CHECK(rest.len == size - 5 && (!looks || text_form_looks_protected(rest)));
	else
		CHECK(rest.ptr == data && rest.len == size);
	return 0;
}
