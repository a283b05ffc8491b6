/*
 * One message of the original script: a whole file. It has no transfer id, so one is made of where it stands and of its tag; the
 * latter since a topic that was made anew counts from 0 again.
 */
#include "base/mem.h"
#include "keys/kek.h"
#include "transfer/legacy.h"
#include "transfer/receiver.h"

static struct seal_bytes header_of(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq_str(record->headers[i].name, name))
			return record->headers[i].value;
	return BYTES_EMPTY;
}

static enum seal_status make_id(const struct record *record, const struct legacy_message *message,
				uint8_t id[SHA256_LEN], struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(4096);
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&text, "sealstream file of the original script", err));
	SEAL_TRY(buf_append_lp32(&text, record->topic, err));
	SEAL_TRY(buf_append_be32(&text, (uint32_t)record->partition, err));
	SEAL_TRY(buf_append_be64(&text, (uint64_t)record->offset, err));
	SEAL_TRY(buf_append(&text, bytes_of(message->tag, GCM_TAG_LEN), err));
	SEAL_TRY(sha256(buf_bytes(&text), id, err));
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status unwrap(struct receiver *r, struct seal_bytes wrapped, struct secret *key,
			       struct seal_err *err)
{
	const struct kek kek = {r->kek, false};
	struct key_call call = receiver_call(r);
	enum seal_status rc;

	if (r->options->key_derived)
		return err_set(err, SEAL_DATA, SEAL_E_KEY_TYPE,
			       "the original script's files are under a key that is not derived, and this one is");
	SEAL_TRY(kek_unwrap_raw(&kek, wrapped, NULL, &call, key, err));
	if (key->len != 32 && key->len != 16)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED, "the wrapped key is not one of 128 or 256 bits");
out:
	return rc;
}

static enum seal_status open_message(struct receiver *r, const struct record *record, struct legacy_message *message,
				     struct seal_err *err)
{
	struct seal_bytes wrapped = header_of(record, TRANSFER_HEADER_KEY);
	struct secret key = SECRET_INIT;
	enum seal_status rc;

	if (wrapped.len == 0 || wrapped.len > DATA_KEY_WRAPPED_MAX)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "a message of the original script's form has no header " TRANSFER_HEADER_KEY
			       " with a wrapped key");
	rc = unwrap(r, wrapped, &key, err);
	if (rc != SEAL_OK && receive_is_about_key(err))
		receiver_unopened(r, record);
	SEAL_TRY(rc);
	SEAL_TRY(legacy_open(message, secret_bytes(&key), &r->plain, err));
	receiver_opened(r);
out:
	secret_clear(&key);
	return rc;
}

/* The file as a transfer of one chunk. */
static enum seal_status begin(struct receiver *r, const struct record *record, const uint8_t *digest,
			      struct incoming **out, struct seal_err *err)
{
	struct seal_bytes name = header_of(record, TRANSFER_HEADER_NAME);
	struct file_meta meta = {
		.size = r->plain.len,
		.chunk_size = r->plain.len > 0 ? (uint32_t)r->plain.len : 1,
		.mtime_ns = record->timestamp_type == TIMESTAMP_NONE ? INT64_MIN : record->timestamp_ms * 1000000};

	meta.name = bytes_of(name.ptr, name.len < FILE_NAME_LEN_MAX ? name.len : FILE_NAME_LEN_MAX);
	memcpy(meta.id, digest, FILE_ID_LEN);
	return incoming_begin(r, &meta, digest, out, err);
}

enum seal_status receive_legacy(struct receiver *r, const struct record *record, struct seal_err *err)
{
	struct legacy_message message = {.ciphertext = BUF_INIT(0)};
	struct incoming *t;
	uint8_t digest[SHA256_LEN];
	bool has = false;
	enum seal_status rc;

	SEAL_TRY(legacy_parse(record->value, &message, err));
	SEAL_TRY(make_id(record, &message, digest, err));
	t = incoming_find(r, digest);
	if (t != NULL && t->whole)
		goto out;
	SEAL_TRY(received_has(r->received, digest, &has, err));
	if (has)
		goto out;
	SEAL_TRY(open_message(r, record, &message, err));
	if (t == NULL)
		SEAL_TRY(begin(r, record, digest, &t, err));
	if (t == NULL)
		goto out;
	incoming_touch(r, t, record);
	SEAL_TRY(incoming_write(r, t, 0, true, buf_bytes(&r->plain), err));
out:
	legacy_clear(&message);
	return rc;
}
