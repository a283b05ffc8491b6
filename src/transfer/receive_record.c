/*
 * One record.
 *
 *   parse ── whole already? ── under way, and the chunk there? ── a key for this header ── same file? ── open ── write
 *              │ dropped           │ skipped, not decrypted         │ kept, asked once      │
 *
 * Nothing that a record says is believed before its header opened under the KEK, and no byte is written before its chunk did. What
 * fails is the record's alone: it is counted and told, the transfer goes on.
 */
#include "base/mem.h"
#include "transfer/receiver.h"

bool receive_is_about_key(const struct seal_err *err)
{
	return err->status == SEAL_DATA || err->code == SEAL_E_KEY_VERSION || err->code == SEAL_E_KEY_MINIMUM ||
	       err->code == SEAL_E_KEY_FORGOTTEN;
}

/* What every header of a transfer must say alike. */
static enum seal_status digest_meta(const struct file_meta *meta, uint8_t out[SHA256_LEN], struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(FILE_HEADER_MAX);
	enum seal_status rc;

	SEAL_TRY(buf_append(&text, bytes_of(meta->id, FILE_ID_LEN), err));
	SEAL_TRY(buf_append_be64(&text, meta->size, err));
	SEAL_TRY(buf_append_be64(&text, (uint64_t)meta->mtime_ns, err));
	SEAL_TRY(buf_append_be32(&text, meta->chunk_size, err));
	SEAL_TRY(buf_append_lp32(&text, meta->name, err));
	SEAL_TRY(buf_append_lp32(&text, meta->media_type, err));
	SEAL_TRY(sha256(buf_bytes(&text), out, err));
out:
	buf_clear(&text);
	return rc;
}

static struct file_opener *known_opener(const struct incoming *t, const uint8_t *hash)
{
	for (size_t i = 0; t != NULL && t->work != NULL && i < t->work->n_openers; i++)
		if (memcmp(t->work->openers[i].header, hash, SHA256_LEN) == 0)
			return t->work->openers[i].opener;
	return NULL;
}

/* The transfer keeps `opener`; with too many, the oldest goes. */
static void keep_opener(struct incoming *t, const uint8_t *hash, struct file_opener *opener)
{
	struct incoming_work *work = t->work;

	if (work->n_openers == INCOMING_OPENERS_MAX) {
		file_opener_free(work->openers[0].opener);
		work->n_openers--;
		memmove(&work->openers[0], &work->openers[1], work->n_openers * sizeof(work->openers[0]));
	}
	work->openers[work->n_openers].opener = opener;
	memcpy(work->openers[work->n_openers].header, hash, SHA256_LEN);
	work->n_openers++;
}

/* Asks the KEK, but not again for a header whose transfer had to wait for room. */
static enum seal_status ask(struct receiver *r, const struct file_part *part, const uint8_t *hash,
			    struct seal_err *err)
{
	struct key_call call = receiver_call(r);
	enum seal_status rc;

	if (r->asked.opener != NULL && memcmp(r->asked.header, hash, SHA256_LEN) == 0)
		return SEAL_OK;
	file_opener_free(r->asked.opener);
	memcpy(r->asked.header, hash, SHA256_LEN);
	rc = file_opener_new(&part->header, r->kek, r->options->key_derived, &call, &r->asked.opener, err);
	if (rc == SEAL_OK)
		receiver_opened(r);
	return rc;
}

/* The key of this header; *t is the transfer, begun where it is new, or NULL where it cannot be. */
static enum seal_status find_opener(struct receiver *r, const struct file_part *part, const uint8_t *hash,
				    struct incoming **t, struct file_opener **out, struct seal_err *err)
{
	const struct file_meta *meta;
	uint8_t digest[SHA256_LEN];
	enum seal_status rc;

	*out = known_opener(*t, hash);
	if (*out != NULL)
		return SEAL_OK;
	SEAL_TRY(ask(r, part, hash, err));
	meta = file_opener_meta(r->asked.opener);
	SEAL_TRY(digest_meta(meta, digest, err));
	if (*t == NULL)
		SEAL_TRY(incoming_begin(r, meta, digest, t, err));
	else if (memcmp((*t)->meta, digest, SHA256_LEN) != 0)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			     "its header says other things than the first one of its transfer");
	if (rc != SEAL_OK || *t == NULL)
		goto out;
	keep_opener(*t, hash, r->asked.opener);
	*out = r->asked.opener;
	r->asked.opener = NULL;
out:
	return rc;
}

/* A chunk of a transfer that is open. */
static enum seal_status take_chunk(struct receiver *r, struct incoming *t, const struct file_part *part,
				   struct file_opener *opener, struct seal_err *err)
{
	const size_t len = part->chunk.len - FILE_TAG_LEN;
	enum seal_status rc;

	buf_reset(&r->plain);
	SEAL_TRY(buf_reserve(&r->plain, len, err));
	SEAL_TRY(file_open_chunk(opener, part->index, part->last, part->chunk, r->plain.ptr, err));
	r->plain.len = len;
	SEAL_TRY(incoming_write(r, t, part->index, part->last, buf_bytes(&r->plain), err));
out:
	return rc;
}

/* *done: nothing more is to be done with it. */
static enum seal_status find_transfer(struct receiver *r, const struct file_part *part, struct incoming **t,
				      bool *done, struct seal_err *err)
{
	bool has = false;
	enum seal_status rc = SEAL_OK;

	*t = incoming_find(r, part->header.id);
	if (*t != NULL) {
		SEAL_TRY(incoming_unpark(r, *t, done, err));
		*done = *done || (*t)->whole;
		goto out;
	}
	SEAL_TRY(received_has(r->received, part->header.id, &has, err));
	*done = has;
	if (!has && receiver_has_refused(r, part->header.id)) {
		r->counts->foreign++;
		*done = true;
	}
out:
	return rc;
}

static enum seal_status take_part(struct receiver *r, const struct record *record, const struct file_part *part,
				  struct seal_err *err)
{
	struct file_opener *opener = NULL;
	struct incoming *t = NULL;
	uint8_t hash[SHA256_LEN];
	bool done = false;
	enum seal_status rc;

	SEAL_TRY(find_transfer(r, part, &t, &done, err));
	if (done)
		goto out;
	if (t != NULL && ranges_has(&t->work->part.have, part->index)) {
		incoming_touch(r, t, record);
		goto out;
	}
	SEAL_TRY(sha256(part->header.all, hash, err));
	if (receiver_has_refused(r, hash)) {
		r->counts->foreign++;
		receiver_unopened(r, record);
		goto out;
	}
	rc = find_opener(r, part, hash, &t, &opener, err);
	if (rc != SEAL_OK && err != NULL && receive_is_about_key(err)) {
		receiver_refuse(r, hash);
		receiver_unopened(r, record);
	}
	SEAL_TRY(rc);
	if (t == NULL)
		goto out;
	incoming_touch(r, t, record);
	if (!ranges_has(&t->work->part.have, part->index))
		SEAL_TRY(take_chunk(r, t, part, opener, err));
out:
	return rc;
}

static void tell_foreign(struct receiver *r, const struct record *record, struct seal_err *why)
{
	r->counts->foreign++;
	err_place(why, "%.*s/%d/%lld", BYTES_FMT(record->topic), record->partition, (long long)record->offset);
	if (r->options->watch.foreign != NULL)
		r->options->watch.foreign(r->options->watch.arg, why);
}

enum seal_status receive_record(struct receiver *r, const struct record *record, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	struct file_part part;
	enum seal_status rc;

	arena_reset(&r->arena);
	if (record->broken != NULL)
		rc = err_set(&why, SEAL_DATA, record->broken->code, "%s", record->broken->text);
	else if (record->value.len > 0 && record->value.ptr[0] == '{')
		rc = receive_legacy(r, record, &why);
	else
		rc = file_part_parse(record->value, &part, &why);
	if (rc == SEAL_OK && record->value.ptr[0] != '{')
		rc = take_part(r, record, &part, &why);
	if (rc == SEAL_OK)
		return SEAL_OK;
	if (receive_is_about_key(&why)) {
		tell_foreign(r, record, &why);
		return SEAL_OK;
	}
	if (err != NULL)
		*err = why;
	return rc;
}
