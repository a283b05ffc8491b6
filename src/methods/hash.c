/*
 * hash: HMAC-SHA-256 of place and value under a key, as text. One-way; equal values give equal texts, which is what
 * it is for (joins, counting), and what it leaks.
 *
 * The place goes in front of the value (its encoding is length-prefixed, so the two can't be confused): equal values
 * of two fields differ unless `bind: {domain: …}` says that they belong together.
 */
#include "base/encode.h"
#include "methods/builtin.h"
#include "methods/simple.h"

#define HMAC_LEN 32

enum encoding { ENCODING_HEX, ENCODING_BASE64URL };

struct hash_options {
	int64_t version;
	int encoding; /* enum encoding */
};

static const struct opt_row rows[] = {
	{.name = "version",
	 .help = "version of the key, fixed so that equal values stay equal when the key is rotated; default 1",
	 .arg = "N",
	 .def = "1",
	 .min = 1,
	 .max = UINT32_MAX,
	 .offset = offsetof(struct hash_options, version),
	 .type = OPT_INT},
	{.name = "encoding",
	 .help = "how the 32 bytes become text: hex (64 characters, the default) or base64url (43)",
	 .arg = "NAME",
	 .def = "hex",
	 .choices = "hex|base64url",
	 .offset = offsetof(struct hash_options, encoding),
	 .type = OPT_CHOICE},
	OPT_END,
};

static enum seal_status encode_mac(struct lot *lot, int encoding, struct seal_bytes mac, struct cell *cell,
				   struct seal_err *err)
{
	char *text = arena_alloc(lot->arena, 2 * HMAC_LEN, 1);

	if (text == NULL)
		return err_memory(err);
	cell->form = FORM_ASCII;
	if (encoding == ENCODING_HEX) {
		hex_encode(mac, text);
		cell->out = bytes_of(text, 2 * mac.len);
	} else {
		cell->out = bytes_of(text, base64url_encode(mac, text));
	}
	return SEAL_OK;
}

static enum seal_status protect(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	const struct hash_options *options = simple_options(base);
	const struct key_call call = {.arena = lot->arena, .deadline_ms = lot->deadline_ms};
	struct key_item *items = simple_items(lot, err);
	enum seal_status rc = SEAL_FATAL;

	if (items == NULL)
		goto out;
	SEAL_TRY(session->key->ops->hmac(session->key, (uint32_t)options->version, items, lot->n, &call, err));
	for (size_t i = 0; i < lot->n; i++) {
		if (items[i].err != NULL)
			cell_fail_err(&lot->cells[i], items[i].err);
		else
			SEAL_TRY(encode_mac(lot, options->encoding, items[i].out, &lot->cells[i], err));
	}
out:
	return rc;
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.free = simple_session_free,
};

static enum seal_status hash_open(const struct policy_method *spec, const struct method_needs *needs,
				  struct method **out, struct seal_err *err)
{
	const struct hash_options *options = spec->options;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(key_has_version(needs->key, options->version, err));
	SEAL_TRY(simple_open(&method_hash, &session_ops, spec, needs, out, err));
out:
	return rc;
}

static bool could_be(const void *base, bool string, struct seal_bytes text)
{
	const struct hash_options *options = base;
	size_t raw;

	if (!string)
		return false;
	if (options->encoding == ENCODING_BASE64URL)
		return base64url_is_canonical(text, &raw) && raw == HMAC_LEN;
	for (size_t i = 0; i < text.len; i++)
		if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && !(text.ptr[i] >= 'a' && text.ptr[i] <= 'f'))
			return false;
	return text.len == 2 * (size_t)HMAC_LEN;
}

const struct method_ops method_hash = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "hash",
			.summary =
				"HMAC-SHA-256 of place and value; one-way; equal values give equal texts; any value",
			.leaks = "equality",
			.flags = METHOD_HMAC_KEY | METHOD_BINDS | METHOD_ONE_WAY | METHOD_BYTES,
			.options = rows,
			.options_size = sizeof(struct hash_options),
			.could_be = could_be,
		},
	.open = hash_open,
	.session = simple_session_new,
	.free = simple_free,
};
