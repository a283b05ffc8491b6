/*
 * Envelopes back to values: one call for all keys of the lot that have to be unwrapped, one for those in a store, and then
 * key by key. Nothing is handed out that did not authenticate, and no key is used that has not the envelope's commitment.
 */
#include "methods/envelope_work.h"

/* One data key of the lot. */
struct revealing {
	struct data_key *key; /* a reference */
	const struct seal_err *err; /* why there is none */
};

struct work {
	struct envelope_session *s;
	struct lot *lot;
	struct envelope_reader *reader;
	struct revealing *keys; /* by group */
};

/* Keys that have to be unwrapped. */
static enum seal_status open_wrapped(struct work *w, struct seal_err *err)
{
	const struct envelope_reader *r = w->reader;
	const struct key_call call = {.arena = w->lot->arena, .deadline_ms = w->lot->deadline_ms};
	struct data_key_want *wants =
		arena_alloc(w->lot->arena, (r->n_groups + 1) * sizeof(*wants), _Alignof(struct data_key_want));
	enum seal_status rc = SEAL_OK;
	size_t n = 0, at = 0;

	if (wants == NULL)
		return err_memory(err);
	for (size_t g = 0; g < r->n_groups; g++)
		if (reader_needs(r, g, false))
			wants[n++] = (struct data_key_want){.wrapped = reader_name(r, g)->second,
							    .commitment = reader_name(r, g)->first.ptr};
	if (n > 0)
		SEAL_TRY(data_keys_open(w->s->method->keys, w->s->kek, wants, n, &call, err));
	for (size_t g = 0; g < r->n_groups; g++)
		if (reader_needs(r, g, false)) {
			w->keys[g] = (struct revealing){wants[at].key, wants[at].err};
			at++;
		}
out:
	return rc;
}

/* Keys of people. */
static enum seal_status open_stored(struct work *w, struct seal_err *err)
{
	static const struct seal_err no_store = {
		SEAL_DATA, SEAL_E_KEY_UNKNOWN,
		"the value is under a person's key, which a store has; the policy's method names none (key: {name: "
		"K, per: PATH})",
		""};
	const struct envelope_reader *r = w->reader;
	const struct key_call call = {.arena = w->lot->arena, .deadline_ms = w->lot->deadline_ms};
	struct person_want *wants =
		arena_alloc(w->lot->arena, (r->n_groups + 1) * sizeof(*wants), _Alignof(struct person_want));
	enum seal_status rc = SEAL_OK;
	size_t n = 0, at = 0;

	if (wants == NULL)
		return err_memory(err);
	for (size_t g = 0; g < r->n_groups; g++) {
		const struct seal_bytes name = reader_name(r, g)->first;

		if (!reader_needs(r, g, true))
			continue;
		wants[n] = (struct person_want){.commitment = name.ptr + PERSON_ID_LEN, .err = &no_store};
		memcpy(wants[n++].id, name.ptr, PERSON_ID_LEN);
	}
	if (n > 0 && w->s->method->people != NULL)
		SEAL_TRY(person_keys_open(w->s->method->people, w->s->kek, wants, n, &call, err));
	for (size_t g = 0; g < r->n_groups; g++)
		if (reader_needs(r, g, true)) {
			w->keys[g] = (struct revealing){wants[at].key, wants[at].err};
			at++;
		}
out:
	return rc;
}

static enum seal_status open_keys(struct work *w, struct seal_err *err)
{
	const size_t size = (w->reader->n_groups + 1) * sizeof(*w->keys);
	enum seal_status rc;

	w->keys = arena_alloc(w->lot->arena, size, _Alignof(struct revealing));
	if (w->keys == NULL)
		return err_memory(err);
	memset(w->keys, 0, size);
	SEAL_TRY(open_wrapped(w, err));
	SEAL_TRY(open_stored(w, err));
out:
	return rc;
}

struct chunk {
	struct aead_item messages[ENVELOPE_CHUNK];
	struct cell *cells[ENVELOPE_CHUNK];
	size_t n;
};

/* Opens what the chunk holds and empties it. */
static enum seal_status open_chunk(struct lot *lot, struct aead *aead, struct chunk *chunk, struct seal_err *err)
{
	enum seal_status rc = aead_open_many(aead, chunk->messages, chunk->n, err);

	if (rc != SEAL_OK)
		return rc;
	for (size_t i = 0; i < chunk->n; i++) {
		const struct aead_item *message = &chunk->messages[i];
		struct cell *cell = chunk->cells[i];

		if (!message->ok) {
			cell_fail(lot, cell, SEAL_E_TAMPERED,
				  "does not authenticate under its data key: changed, or moved from another place");
			continue;
		}
		cell->out = bytes_of(message->out, message->in.len);
		cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
	}
	chunk->n = 0;
	return SEAL_OK;
}

/* Cells of one key. */
static enum seal_status open_group(struct work *w, struct data_key *key, const uint32_t *cells, size_t n,
				   struct seal_err *err)
{
	struct aead *aead;
	struct chunk chunk;
	enum seal_status rc;

	chunk.n = 0;
	SEAL_TRY(envelope_context_get(w->s, key, &aead, err));
	for (size_t i = 0; i < n; i++) {
		const struct envelope_cell *from = &w->reader->cells[cells[i]];
		struct cell *cell = &w->lot->cells[cells[i]];
		const size_t len = from->len - ENVELOPE_MESSAGE_MIN;

		if (len > AEAD_MESSAGE_MAX) {
			cell_fail(w->lot, cell, SEAL_E_LIMIT, "larger than %u bytes, the most one value can have",
				  AEAD_MESSAGE_MAX);
			continue;
		}
		chunk.cells[chunk.n] = cell;
		chunk.messages[chunk.n++] = (struct aead_item){
			.nonce = from->message,
			.aad = cell->place,
			.in = bytes_of(from->message + AEAD_NONCE_LEN, len),
			.out = from->message + AEAD_NONCE_LEN,
			.tag = from->message + AEAD_NONCE_LEN + len,
		};
		if (chunk.n == ENVELOPE_CHUNK)
			SEAL_TRY(open_chunk(w->lot, aead, &chunk, err));
	}
	if (chunk.n > 0)
		rc = open_chunk(w->lot, aead, &chunk, err);
out:
	return rc;
}

static enum seal_status open_cells(struct work *w, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t g = 0; g < w->reader->n_groups; g++) {
		size_t n;
		const uint32_t *cells = reader_cells(w->reader, g, &n);

		for (size_t i = 0; w->keys[g].key == NULL && i < n; i++)
			cell_fail_err(&w->lot->cells[cells[i]], w->keys[g].err);
		if (w->keys[g].key != NULL)
			SEAL_TRY(open_group(w, w->keys[g].key, cells, n, err));
	}
out:
	return rc;
}

enum seal_status envelope_reveal(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct envelope_reader *reader = ARENA_NEW(lot->arena, struct envelope_reader);
	struct work w = {.s = (struct envelope_session *)base, .lot = lot, .reader = reader};
	enum seal_status rc;

	if (reader == NULL)
		return err_memory(err);
	envelope_contexts_expire(w.s);
	SEAL_TRY(envelope_read_lot(reader, lot, err));
	SEAL_TRY(open_keys(&w, err));
	SEAL_TRY(open_cells(&w, err));
out:
	for (size_t g = 0; w.keys != NULL && g < reader->n_groups; g++)
		data_key_unref(w.keys[g].key);
	return rc;
}
