/*
 * One item of a lot.
 *
 *   encode   {"value":"…" [,"transformation":"…"] [,"ttl":…] … [,"tweak":"…"]}   ──▶  {"encoded_value":"…" [,"tweak":"…"]}
 *   decode   the same without the members of tokens                               ──▶  {"decoded_value":"…"}
 *
 * Whose fault an error is: of its known texts, one is the call's (the size of the tweak), and some words mean a server in
 * trouble, which is nobody's value. What quotes the value is about the value, and is not passed on.
 */
#include "base/encode.h"
#include "json/string.h"
#include "keys/item_err.h"
#include "vault/transform.h"

#define HEAD "{\"value\":"
#define TWEAK ",\"tweak\":\""
#define TWEAK_TEXT_MAX 1024
#define PART 4 /* so many bytes of a value in a text give it away */

size_t transform_item_size(void *arg, size_t index)
{
	const struct transform_lot *lot = arg;
	const struct key_transform_item *item = &lot->items[index];

	return sizeof(HEAD TWEAK "\"}") + json_string_written(item->in) + lot->tail.len + BASE64_LEN(item->tweak.len);
}

static uint8_t *put(uint8_t *to, struct seal_bytes bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.ptr, bytes.len);
	return to + bytes.len;
}

uint8_t *transform_item_write(void *arg, size_t index, uint8_t *to)
{
	const struct transform_lot *lot = arg;
	const struct key_transform_item *item = &lot->items[index];

	to = put(to, BYTES_LIT(HEAD));
	to += json_string_write(item->in, to);
	to = put(to, lot->tail);
	if (item->tweak.len > 0) {
		to = put(to, BYTES_LIT(TWEAK));
		to += base64_encode(item->tweak, (char *)to);
		*to++ = '"';
	}
	*to++ = '}';
	return to;
}

void transform_item_fail(struct transform_lot *lot, struct key_transform_item *item, const struct seal_err *why)
{
	item->out = item->out_tweak = BYTES_EMPTY;
	item->err = item_err_share(lot->call->arena, why, &lot->last_err);
	lot->failed++;
}

/* Does `text` show a part of the value? */
static bool shows(const char *text, struct seal_bytes value)
{
	const size_t len = strlen(text);

	if (value.len < PART)
		return value.len > 1 && memmem(text, len, value.ptr, value.len) != NULL;
	for (size_t i = 0; i + PART <= value.len; i++)
		if (memmem(text, len, value.ptr + i, PART) != NULL)
			return true;
	return false;
}

static bool holds(struct seal_bytes value, const char *word)
{
	return value.len > 0 && memmem(value.ptr, value.len, word, strlen(word)) != NULL;
}

/* Does `text` quote the value as a whole? */
static bool quotes(const char *text, struct seal_bytes value)
{
	return value.len >= PART && memmem(text, strlen(text), value.ptr, value.len) != NULL;
}

/* Words of a server that cannot do its work just now, and which are not the value's own. */
static bool is_outage(const char *text, struct seal_bytes value)
{
	static const char *const words[] = {
		"connect",  "timeout",	"timed out", "deadline", "unavailable",	 "database",	  "sealed",
		"storage",  "i/o",	"dial ",     "EOF",	 "no such host", "broken pipe",	  "internal error",
		"too many", "shutting", "read-only", "standby",	 "x509",	 "authentication"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(text, words[i]) != NULL && !holds(value, words[i]))
			return true;
	return false;
}

static const char *server_of(const struct transform_lot *lot)
{
	return vault_client_name(lot->session->role->source->client);
}

/* What is known of the text, which may be about the value: SEAL_OK: nothing. */
static enum seal_status explain(const struct transform_lot *lot, unsigned status, const char *text,
				struct seal_bytes value, struct seal_err *err)
{
	const char *label = lot->session->role->label;

	if (strstr(text, "tweak size") != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "%s, role %s: \"%s\"; make 'tweak_source' and 'tweak_bytes' (or 'tweak') fit the "
			       "transformation: FF3-1 takes 7 bytes",
			       server_of(lot), label, text);
	if ((status >= 500 && !quotes(text, value)) || is_outage(text, value))
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "%s has trouble with role %s: \"%s\"", server_of(lot),
			       label, text);
	return SEAL_OK;
}

static void refuse(struct transform_lot *lot, struct key_transform_item *item, const char *text)
{
	struct seal_err why = SEAL_ERR_INIT;
	const bool quote = text[0] != '\0' && !shows(text, item->in);

	(void)err_set(&why, SEAL_DATA, lot->decode ? SEAL_E_TAMPERED : SEAL_E_DOMAIN, "role %s %s the value%s%s%s",
		      lot->session->role->label, lot->decode ? "cannot decode" : "does not take", quote ? ": \"" : "",
		      quote ? text : "", quote ? "\"" : "");
	transform_item_fail(lot, item, &why);
}

static void note(struct transform_lot *lot, const char *text)
{
	if (lot->doubt[0] == '\0')
		snprintf(lot->doubt, sizeof(lot->doubt), "%s", text);
}

enum seal_status transform_item_refused(void *arg, size_t index, const struct seal_err *why, struct seal_err *err)
{
	struct transform_lot *lot = arg;
	struct key_transform_item *item = &lot->items[index];

	if (why->code == SEAL_E_LIMIT || !shows(why->text, item->in))
		transform_item_fail(lot, item, why);
	else
		refuse(lot, item, "");
	return SEAL_OK;
}

static enum seal_status take_error(struct transform_lot *lot, struct key_transform_item *item, unsigned status,
				   struct seal_bytes text, struct seal_err *err)
{
	char quote[VAULT_QUOTE_MAX + 1];
	enum seal_status rc;

	vault_quote(text, quote);
	rc = explain(lot, status, quote, item->in, err);
	if (rc != SEAL_OK)
		return rc;
	if (!shows(quote, item->in))
		note(lot, quote);
	refuse(lot, item, quote);
	return SEAL_OK;
}

/* Base64 as clients and servers have been seen to write it: line ends, padding or none, either alphabet. */
static bool lenient_base64(struct seal_bytes text, uint8_t *out, size_t *len)
{
	uint8_t clean[TWEAK_TEXT_MAX];
	size_t n = 0;

	if (text.len > sizeof(clean))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t c = text.ptr[i];

		if (c > ' ' && c != '=')
			clean[n++] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	return base64url_decode(bytes_of(clean, n), out, len);
}

static enum seal_status take_tweak(struct transform_lot *lot, struct key_transform_item *item, struct seal_bytes text,
				   struct seal_err *err)
{
	uint8_t *to = arena_alloc(lot->call->arena, BASE64_RAW_MAX(text.len), 1);
	size_t len;

	if (to == NULL)
		return err_memory(err);
	if (!lenient_base64(text, to, &len))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a tweak that is not base64");
	item->out_tweak = bytes_of(to, len);
	return SEAL_OK;
}

/* The text in the call's arena: the answer's body goes away. */
static enum seal_status own(struct transform_lot *lot, const struct vault_text *text, struct seal_bytes *out,
			    struct seal_err *err)
{
	if (!vault_text_decode(text, lot->call->arena, out))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a value that is no text");
	if (out->ptr != NULL && !text->escaped)
		*out = arena_copy(lot->call->arena, *out);
	return out->ptr != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status transform_item_read(void *arg, size_t index, const struct vault_result *result, struct seal_err *err)
{
	struct transform_lot *lot = arg;
	struct key_transform_item *item = &lot->items[index];
	const struct vault_text *error = &result->field[VAULT_ERROR], *tweak = &result->field[VAULT_TWEAK];
	const struct vault_text *value = &result->field[VAULT_ENCODED_VALUE];
	struct seal_bytes text;
	enum seal_status rc;

	if (error->there && error->raw.len > 0) {
		SEAL_TRY(own(lot, error, &text, err));
		return take_error(lot, item, result->status, text, err);
	}
	if (lot->decode && result->field[VAULT_DECODED_VALUE].there)
		value = &result->field[VAULT_DECODED_VALUE];
	if (!value->there)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a result without its value");
	SEAL_TRY(own(lot, value, &item->out, err));
	if (!lot->decode && item->out.len == 0 && item->in.len > 0) /* the value would be lost */
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "an encoded value that is empty");
	if (!lot->decode && tweak->there && tweak->raw.len > 0) {
		SEAL_TRY(own(lot, tweak, &text, err));
		SEAL_TRY(take_tweak(lot, item, text, err));
	}
	lot->taken++;
out:
	return rc;
}

enum vault_blame transform_blame(void *arg, size_t first, size_t n, unsigned status, const char *text,
				 struct seal_err *err)
{
	struct transform_lot *lot = arg;
	bool certain, about_one = false;

	for (size_t i = first; i < first + n; i++)
		about_one |= shows(text, lot->items[i].in);
	if (about_one && n > 1) /* halved until it stands alone, so that the others are asked without it */
		return VAULT_BLAME_ITEM;
	if (explain(lot, status, text, n == 1 ? lot->items[first].in : BYTES_EMPTY, err) != SEAL_OK)
		return VAULT_BLAME_CALL;
	if (about_one)
		return VAULT_BLAME_ITEM;
	note(lot, text);
	if (lot->taken > 0)
		return VAULT_BLAME_ITEM;
	if (transform_doubt(lot, text, &certain, err) != SEAL_OK)
		return VAULT_BLAME_CALL;
	return certain ? VAULT_BLAME_ITEM : VAULT_BLAME_UNKNOWN;
}
