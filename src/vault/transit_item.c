/*
 * One item of a lot: what is written into a request, what is read from an answer.
 *
 *   encrypt   {"plaintext":"…" [,"associated_data":"…" | ,"context":"…"] [,"key_version":N]}  ──▶  {"ciphertext":"vault:vN:…"}
 *   decrypt   {"ciphertext":"vault:vN:…" [, …]}                                               ──▶  {"plaintext":"…"}
 *   rewrap    {"ciphertext":"vault:vN:…" [,"context":"…"] [,"key_version":M]}                 ──▶  {"ciphertext":"vault:vM:…"}
 *   hmac      {"input":"…"}                                                                   ──▶  {"hmac":"vault:vN:…"}
 *
 * All values are base64 or checked Transit texts, so nothing needs an escape. The server's results are believed only as far
 * as they can be checked: form, version, length.
 */
#include <stdio.h>

#include "base/encode.h"
#include "keys/item_err.h"
#include "keys/keyring_text.h"
#include "vault/transit.h"

#define NONCE_AND_TAG 28
#define HMAC_LEN 32

static const struct {
	const char *before; /* the value */
	enum vault_field result;
} forms[] = {
	[TRANSIT_ENCRYPT] = {"{\"plaintext\":\"", VAULT_CIPHERTEXT},
	[TRANSIT_DECRYPT] = {"{\"ciphertext\":\"", VAULT_PLAINTEXT},
	[TRANSIT_REWRAP] = {"{\"ciphertext\":\"", VAULT_CIPHERTEXT},
	[TRANSIT_HMAC] = {"{\"input\":\"", VAULT_HMAC},
};

#define ASSOCIATED_DATA "\",\"associated_data\":\""
#define CONTEXT "\",\"context\":\""
#define KEY_VERSION "\",\"key_version\":"

static const struct transit_key *key_of(const struct transit_lot *lot)
{
	return lot->session->key;
}

size_t transit_item_size(void *arg, size_t index)
{
	const struct transit_lot *lot = arg;
	const struct key_item *item = lot->items[index];
	const size_t around =
		sizeof("{\"ciphertext\":\"") + sizeof(ASSOCIATED_DATA) + sizeof(KEY_VERSION "4294967295}");

	switch (lot->what) {
	case TRANSIT_ENCRYPT:
		return around + BASE64_LEN(item->in.len) + BASE64_LEN(item->aad.len);
	case TRANSIT_HMAC:
		return around + BASE64_LEN(item->in.len + item->aad.len);
	default:
		return around + item->in.len + BASE64_LEN(item->aad.len);
	}
}

static uint8_t *put(uint8_t *to, const char *text)
{
	const size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static uint8_t *put_base64(uint8_t *to, struct seal_bytes raw)
{
	return to + base64_encode(raw, (char *)to);
}

/* The base64 of `a` and `b` as one text. */
static uint8_t *put_base64_joined(uint8_t *to, struct seal_bytes a, struct seal_bytes b)
{
	const size_t whole = a.len - a.len % 3;
	uint8_t group[3] = {0};
	size_t n = 0;

	to = put_base64(to, bytes_of(a.ptr, whole));
	if (whole == a.len)
		return put_base64(to, b);
	for (a = bytes_skip(a, whole); n < a.len; n++)
		group[n] = a.ptr[n];
	for (size_t i = 0; n < 3 && i < b.len; i++)
		group[n++] = b.ptr[i];
	to = put_base64(to, bytes_of(group, n));
	return put_base64(to, bytes_skip(b, n - a.len));
}

/* Cells of one field share their place, so its text is mostly that of the item before. */
static uint8_t *put_aad(struct transit_lot *lot, uint8_t *to, struct seal_bytes aad)
{
	if (BASE64_LEN(aad.len) > sizeof(lot->aad_base64))
		return put_base64(to, aad);
	if (aad.ptr != lot->aad.ptr || aad.len != lot->aad.len) {
		lot->aad_len = base64_encode(aad, lot->aad_base64);
		lot->aad = aad;
	}
	memcpy(to, lot->aad_base64, lot->aad_len);
	return to + lot->aad_len;
}

/* The end of a value and of its item; in between the version to encrypt under, where one is asked for. */
static uint8_t *put_end(const struct transit_lot *lot, uint8_t *to)
{
	char end[sizeof(KEY_VERSION "4294967295}")] = "\"}";

	if (lot->version != 0)
		snprintf(end, sizeof(end), KEY_VERSION "%u}", lot->version);
	return put(to, end);
}

uint8_t *transit_item_write(void *arg, size_t index, uint8_t *to)
{
	struct transit_lot *lot = arg;
	const struct key_item *item = lot->items[index];

	to = put(to, forms[lot->what].before);
	if (lot->what == TRANSIT_HMAC) {
		to = put_base64_joined(to, item->aad, item->in);
		return put(to, "\"}");
	}
	if (lot->what == TRANSIT_ENCRYPT) {
		to = put_base64(to, item->in);
	} else {
		memcpy(to, item->in.ptr, item->in.len);
		to += item->in.len;
	}
	if (item->aad.len > 0) {
		to = put(to, key_of(lot)->info.derived ? CONTEXT : ASSOCIATED_DATA);
		to = put_aad(lot, to, item->aad);
	}
	return put_end(lot, to);
}

void transit_item_fail(struct transit_lot *lot, struct key_item *item, const struct seal_err *why)
{
	item->out = BYTES_EMPTY;
	item->err = item_err_share(lot->call->arena, why, &lot->session->failed);
}

enum seal_status transit_item_refused(void *arg, size_t index, const struct seal_err *why, struct seal_err *err)
{
	struct transit_lot *lot = arg;

	transit_item_fail(lot, lot->items[index], why);
	return SEAL_OK;
}

uint32_t transit_text_check(struct seal_bytes text, size_t *raw)
{
	struct seal_bytes base64;
	uint32_t version;

	if (text_split(text, &version, &base64) != TEXT_FINE || !base64_is_canonical(base64, raw))
		return 0;
	return version;
}

uint32_t transit_text_version(struct transit_lot *lot, struct key_item *item)
{
	struct seal_err why = SEAL_ERR_INIT;
	size_t raw = 0;
	const uint32_t version = transit_text_check(item->in, &raw);

	if (version != 0 && raw >= NONCE_AND_TAG)
		return version;
	if (!bytes_starts(item->in, BYTES_LIT("vault:v")))
		(void)err_set(&why, SEAL_DATA, SEAL_E_PLAINTEXT,
			      "not encrypted: the text does not begin with vault:v");
	else
		(void)err_set(
			&why, SEAL_DATA, SEAL_E_TAMPERED,
			"damaged: what stands after vault:v is not a key version and whole base64 of an encrypted "
			"value");
	transit_item_fail(lot, item, &why);
	return 0;
}

static enum seal_status bad_result(const char *what, struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "%s", what);
}

static enum seal_status take_text(struct transit_lot *lot, struct key_item *item, struct seal_bytes text,
				  struct seal_err *err)
{
	size_t raw = 0;
	const uint32_t version = transit_text_check(text, &raw);

	if (version == 0 || (lot->version != 0 && version != lot->version) ||
	    (lot->what == TRANSIT_ENCRYPT && raw != item->in.len + key_of(lot)->overhead) || raw < NONCE_AND_TAG)
		return bad_result("a ciphertext that is none, or of another version", err);
	item->out = arena_copy(lot->call->arena, text);
	if (item->out.ptr == NULL)
		return err_memory(err);
	transit_key_saw(lot->session->key, version);
	return SEAL_OK;
}

static enum seal_status take_plaintext(struct transit_lot *lot, struct key_item *item, struct seal_bytes text,
				       struct seal_err *err)
{
	const size_t room = BASE64_RAW_MAX(text.len);
	uint8_t *to = arena_alloc(lot->call->arena, room, 1);
	size_t len;

	if (to == NULL)
		return err_memory(err);
	if (!base64_decode(text, to, &len))
		return bad_result("a plaintext that is not base64", err);
	arena_shrink(lot->call->arena, to + room, to + len);
	item->out = bytes_of(to, len);
	return SEAL_OK;
}

static enum seal_status take_hmac(struct transit_lot *lot, struct key_item *item, struct seal_bytes text,
				  struct seal_err *err)
{
	struct seal_bytes base64;
	uint32_t version;

	if (text_split(text, &version, &base64) != TEXT_FINE || (lot->version != 0 && version != lot->version))
		return bad_result("an HMAC that is none, or of another version", err);
	if (take_plaintext(lot, item, base64, err) != SEAL_OK)
		return err != NULL ? err->status : SEAL_DATA;
	return item->out.len == HMAC_LEN ? SEAL_OK : bad_result("an HMAC that is not 32 bytes", err);
}

/* An item that the server says failed. */
static enum seal_status take_error(struct transit_lot *lot, struct key_item *item, struct seal_bytes text,
				   struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	char quote[VAULT_QUOTE_MAX + 1];
	enum seal_status rc;

	vault_quote(text, quote);
	rc = transit_explain(key_of(lot), lot->what, lot->version, item, quote, &why);
	if (rc == SEAL_DATA) {
		transit_item_fail(lot, item, &why);
		return SEAL_OK;
	}
	if (rc == SEAL_OK) /* nothing that is known to be a value's fault: the server's own */
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "%s could not do one value of POST %s: \"%s\"",
			       vault_client_name(key_of(lot)->source->client), key_of(lot)->paths[lot->what], quote);
	*err = why;
	return rc;
}

enum seal_status transit_item_read(void *arg, size_t index, const struct vault_result *result, struct seal_err *err)
{
	struct transit_lot *lot = arg;
	struct key_item *item = lot->items[index];
	const struct vault_text *error = &result->field[VAULT_ERROR];
	const struct vault_text *text = &result->field[forms[lot->what].result];
	struct seal_bytes decoded;

	if (error->there && error->raw.len > 0)
		text = error;
	if (!text->there)
		return bad_result("a result without its value", err);
	if (!vault_text_decode(text, lot->call->arena, &decoded))
		return bad_result("a value that is no text", err);
	if (decoded.ptr == NULL && text->raw.len > 0)
		return err_memory(err);
	if (text == error)
		return take_error(lot, item, decoded, err);
	switch (lot->what) {
	case TRANSIT_DECRYPT:
		return take_plaintext(lot, item, decoded, err);
	case TRANSIT_HMAC:
		return take_hmac(lot, item, decoded, err);
	default:
		return take_text(lot, item, decoded, err);
	}
}
