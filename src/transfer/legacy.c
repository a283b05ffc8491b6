/* The original script's messages: a small JSON object, read by our scanner, which copies nothing. */
#include "transfer/legacy.h"

#include "base/mem.h"
#include "json/path.h"
#include "json/string.h"

enum member { CIPHERTEXT, TAG, NONCE, MEMBERS };

static const char *const paths_text[MEMBERS] = {"$.ciphertext", "$.tag", "$.nonce"};

static enum seal_status make_paths(struct arena *arena, struct json_paths **out, struct seal_err *err)
{
	struct json_path paths[MEMBERS];
	enum seal_status rc;

	for (size_t i = 0; i < MEMBERS; i++)
		SEAL_TRY(json_path_parse(bytes_str(paths_text[i]), arena, &paths[i], NULL, err));
	SEAL_TRY(json_paths_new(paths, MEMBERS, out, err));
out:
	return rc;
}

static enum seal_status not_one(struct seal_err *err)
{
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
		       "it is neither a sealstream container nor a message with ciphertext, tag and nonce");
}

/* The texts of the three members, each there once and a string. */
static enum seal_status find(struct seal_bytes value, struct arena *arena, struct seal_bytes texts[MEMBERS],
			     struct seal_err *err)
{
	struct json_paths *paths = NULL;
	struct json_scan scan = JSON_SCAN_INIT;
	bool seen[MEMBERS] = {false};
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_TRY(make_paths(arena, &paths, err));
	rc = json_scan(paths, value, &scan, &why);
	if (rc != SEAL_OK) {
		rc = why.code == SEAL_E_MEMORY ? err_memory(err) : not_one(err);
		goto out;
	}
	for (size_t i = 0; i < scan.n_hits; i++) {
		const struct json_hit *hit = &scan.hits[i];

		if (hit->type != JSON_STRING || seen[hit->path] ||
		    !json_string_decode(bytes_of(value.ptr + hit->start + 1, hit->end - hit->start - 2), arena,
					&texts[hit->path])) {
			rc = not_one(err);
			goto out;
		}
		if (texts[hit->path].ptr == NULL) {
			rc = err_memory(err);
			goto out;
		}
		seen[hit->path] = true;
	}
	if (!seen[CIPHERTEXT] || !seen[TAG] || !seen[NONCE])
		rc = not_one(err);
out:
	json_scan_clear(&scan);
	json_paths_free(paths);
	return rc;
}

static bool decode_nonce(struct seal_bytes text, struct legacy_message *out)
{
	size_t raw;

	return base64_is_canonical(text, &raw) && raw > 0 && raw <= GCM_NONCE_MAX &&
	       base64_decode(text, out->nonce, &out->nonce_len);
}

/* The form of the tag, which has one length in each, tells that of the ciphertext. */
static bool decode(const struct seal_bytes texts[MEMBERS], struct legacy_message *out)
{
	uint8_t tag[BASE64_RAW_MAX(BASE64_LEN(GCM_TAG_LEN))];
	size_t len;

	if (texts[TAG].len == 2 * GCM_TAG_LEN) {
		out->ciphertext.len = texts[CIPHERTEXT].len / 2;
		return texts[CIPHERTEXT].len % 2 == 0 && hex_decode(texts[TAG], out->tag) &&
		       hex_decode(texts[CIPHERTEXT], out->ciphertext.ptr);
	}
	if (texts[TAG].len != BASE64_LEN(GCM_TAG_LEN) || !base64_decode(texts[TAG], tag, &len) || len != GCM_TAG_LEN)
		return false;
	memcpy(out->tag, tag, GCM_TAG_LEN);
	return base64_decode(texts[CIPHERTEXT], out->ciphertext.ptr, &out->ciphertext.len);
}

enum seal_status legacy_parse(struct seal_bytes value, struct legacy_message *out, struct seal_err *err)
{
	struct seal_bytes texts[MEMBERS] = {BYTES_EMPTY, BYTES_EMPTY, BYTES_EMPTY};
	struct arena arena;
	enum seal_status rc;

	*out = (struct legacy_message){.ciphertext = BUF_INIT(SIZE_MAX / 2)};
	arena_init(&arena, 0);
	SEAL_TRY(find(value, &arena, texts, err));
	SEAL_TRY(buf_reserve(&out->ciphertext, BASE64_RAW_MAX(texts[CIPHERTEXT].len), err));
	if (!decode_nonce(texts[NONCE], out) || !decode(texts, out))
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			     "a message of the original script's form has a member that is neither hex nor base64 of "
			     "the right length");
out:
	arena_clear(&arena);
	return rc;
}

void legacy_clear(struct legacy_message *message)
{
	buf_clear(&message->ciphertext);
}

enum seal_status legacy_open(struct legacy_message *message, struct seal_bytes key, struct seal_buf *out,
			     struct seal_err *err)
{
	struct seal_buf *text = &message->ciphertext;
	enum seal_status rc;

	buf_reset(out);
	SEAL_TRY(gcm_open(key, bytes_of(message->nonce, message->nonce_len), BYTES_EMPTY, buf_bytes(text),
			  message->tag, text->ptr, err));
	SEAL_TRY(buf_reserve(out, BASE64_RAW_MAX(text->len), err));
	if (!base64_decode(buf_bytes(text), out->ptr, &out->len)) {
		out->len = 0;
		rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			     "what the original script encrypted is not a file in base64");
	}
out:
	return rc;
}
