/*
 * Data keys: made by the server where it can make them as they are wanted. With associated data they are drawn here and
 * encrypted: `datakey` takes associated data only in newer releases, and an older one would ignore it, leaving a key that
 * is bound to nothing.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "keys/by_encryption.h"
#include "json/string.h"
#include "vault/transit.h"

#define BODY_MAX 65536

static enum seal_status write_body(const struct transit_key *key, size_t len, struct seal_bytes context,
				   struct seal_buf *body, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(buf_printf(body, err, "{\"bits\":%zu", len * 8));
	if (key->info.derived) {
		SEAL_TRY(buf_append_str(body, ",\"context\":", err));
		SEAL_TRY(json_base64_append(body, context, err));
	}
	SEAL_TRY(buf_append_u8(body, '}', err));
out:
	return rc;
}

/* The answer's plaintext, straight into secret memory. False: it is not `len` bytes of base64; *rc: no memory. */
static bool take_plain(const struct vault_text *text, size_t len, struct secret *plain, enum seal_status *rc,
		       struct seal_err *err)
{
	uint8_t raw[BASE64_RAW_MAX(BASE64_LEN(64))];
	size_t got = 0;
	const bool good = text->there && !text->escaped && text->raw.len == BASE64_LEN(len) &&
			  base64_decode(text->raw, raw, &got) && got == len;

	*rc = good ? secret_copy(plain, bytes_of(raw, len), err) : SEAL_OK;
	mem_wipe(raw, sizeof(raw));
	return good;
}

static enum seal_status take(struct transit_session *session, const struct vault_call *call, size_t len,
			     struct secret *plain, struct seal_bytes *wrapped, struct arena *arena,
			     struct seal_err *err)
{
	struct vault_client *client = session->key->source->client;
	struct vault_text text;
	struct seal_bytes decoded;
	enum seal_status rc;
	size_t raw = 0;

	rc = vault_answer_read(session->answer, call->answer, NULL);
	if (rc == SEAL_FATAL)
		return err_memory(err);
	if (rc != SEAL_OK)
		return vault_call_nonsense(client, call, "not JSON", err);
	text = vault_answer_data(session->answer, VAULT_CIPHERTEXT);
	if (!text.there || !vault_text_decode(&text, arena, &decoded))
		return vault_call_nonsense(client, call, "a data key without its wrapped form", err);
	if (decoded.ptr == NULL)
		return err_memory(err);
	if (transit_text_check(decoded, &raw) == 0 || raw != len + session->key->overhead)
		return vault_call_nonsense(client, call, "a wrapped data key that is none", err);
	*wrapped = arena_copy(arena, decoded);
	if (wrapped->ptr == NULL)
		return err_memory(err);
	if (plain == NULL)
		return SEAL_OK;
	text = vault_answer_data(session->answer, VAULT_PLAINTEXT);
	if (!take_plain(&text, len, plain, &rc, err))
		return vault_call_nonsense(client, call, "a data key of another length", err);
	return rc;
}

static enum seal_status failed(struct transit_session *session, const struct vault_call *call, struct seal_err *err)
{
	char text[VAULT_QUOTE_MAX + 1];
	struct seal_err why = SEAL_ERR_INIT;

	if (call->err.status != SEAL_OK) {
		if (err != NULL)
			*err = call->err;
		return call->err.status;
	}
	if (call->status == 400 && vault_answer_errors(call->answer, text) == SEAL_OK &&
	    transit_explain(session->key, TRANSIT_DATA_KEY, 0, NULL, text, &why) > SEAL_DATA) {
		if (err != NULL)
			*err = why;
		return why.status;
	}
	return vault_call_error(session->key->source->client, call, err);
}

static enum seal_status ask(struct transit_session *session, struct vault_worker *worker, size_t len,
			    struct secret *plain, struct seal_bytes *wrapped, struct seal_bytes body,
			    const struct key_call *how, struct seal_err *err)
{
	struct vault_call call = {
		.method = "POST",
		.path = session->key->paths[plain != NULL ? TRANSIT_DATA_KEY : TRANSIT_WRAPPED_KEY],
		.capability = "update",
		.body = body,
		.look = true,
	};
	enum seal_status rc;

	SEAL_TRY(vault_start(worker, &call, how->deadline_ms, err));
	SEAL_INVARIANT(vault_next(worker) == &call);
	if (call.err.status == SEAL_OK && call.status == 200)
		rc = take(session, &call, len, plain, wrapped, how->arena, err);
	else
		rc = failed(session, &call, err);
	vault_call_clear(&call);
out:
	return rc;
}

enum seal_status transit_data_key(struct key_session *base, size_t len, struct seal_bytes aad, struct secret *plain,
				  struct seal_bytes *wrapped, const struct key_call *call, struct seal_err *err)
{
	struct transit_session *session = (struct transit_session *)base;
	struct seal_buf body = BUF_INIT(BODY_MAX);
	struct vault_worker *worker = NULL;
	enum seal_status rc;

	SEAL_INVARIANT(len == 16 || len == 32 || len == 64);
	*wrapped = BYTES_EMPTY;
	if (aad.len > 0 && !session->key->info.derived)
		return key_data_key(base, len, aad, plain, wrapped, call, err);
	if (session->key->info.derived && aad.len == 0)
		return transit_explain(session->key, TRANSIT_DATA_KEY, 0, NULL, "missing 'context'", err);
	SEAL_TRY(write_body(session->key, len, aad, &body, err));
	SEAL_TRY(vault_source_take(session->key->source, &worker, err));
	rc = ask(session, worker, len, plain, wrapped, buf_bytes(&body), call, err);
	vault_source_give(session->key->source, worker);
out:
	if (rc != SEAL_OK)
		*wrapped = BYTES_EMPTY;
	buf_clear(&body);
	return rc;
}
