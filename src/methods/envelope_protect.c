/*
 * Values to envelopes.
 *
 *   1 keys    one data key for the lot (or for as many cells as it may still have), or one for each person in it
 *   2 seal    key by key, ENVELOPE_CHUNK at a time: tail, nonce, ciphertext, tag ──base64url──▶ behind the head's text
 *   3 carry   wrapped keys into headers
 *
 * The head of a key's envelopes is the same for all, so its base64 is made once, but for the 1 or 2 bytes (the tail) behind
 * its last whole group of 3. Every message takes a fresh random nonce and was counted before it was sealed.
 */
#include "base/ckd.h"
#include "base/encode.h"
#include "methods/envelope_work.h"
#include "methods/text_form.h"

/* One data key of the lot. */
struct protecting {
	struct data_key *key; /* a reference */
	const struct seal_err *err; /* why there is none */
	struct seal_bytes head;
	struct seal_bytes text; /* "json+seal:e1:" and the head's whole groups; a string's begins behind "json+" */
	struct seal_bytes entry; /* of the header; carry: header alone */
};

struct work {
	struct envelope_session *s;
	struct lot *lot;
	struct protecting *keys;
	size_t n_keys;
	uint32_t *group_of; /* by cell: which key; NAME_NONE: failed */
	uint8_t *to; /* where the next result goes */
};

#define JSON_LEN (sizeof(TEXT_FORM_JSON) - 1)

static bool is_raw(const struct work *w, const struct cell *cell)
{
	return cell->kind == CELL_BYTES && envelope_options_of(w->s)->carry == CARRY_BYTES;
}

/* Refuses what is too large, each cell alone. */
static void check_sizes(struct work *w)
{
	for (size_t i = 0; i < w->lot->n; i++) {
		w->group_of[i] = 0;
		if (w->lot->cells[i].in.len <= AEAD_MESSAGE_MAX)
			continue;
		w->group_of[i] = NAME_NONE;
		cell_fail(w->lot, &w->lot->cells[i], SEAL_E_LIMIT,
			  "larger than %u bytes, the most one value can have", AEAD_MESSAGE_MAX);
	}
}

static enum seal_status allocate_keys(struct work *w, size_t n, struct seal_err *err)
{
	w->keys = arena_alloc(w->lot->arena, (n + 1) * sizeof(*w->keys), _Alignof(struct protecting));
	if (w->keys == NULL)
		return err_memory(err);
	memset(w->keys, 0, (n + 1) * sizeof(*w->keys));
	return SEAL_OK;
}

/* What readers would refuse is not made: a record's values under more keys than any record may have. */
static void check_key_counts(struct work *w)
{
	uint32_t record = UINT32_MAX, first = 0;

	for (size_t i = 0; i < w->lot->n; i++) {
		struct cell *cell = &w->lot->cells[i];

		if (w->group_of[i] == NAME_NONE)
			continue;
		if (cell->record != record)
			first = w->group_of[i];
		record = cell->record;
		if (w->group_of[i] - first < ENVELOPE_KEYS_MAX)
			continue;
		w->group_of[i] = NAME_NONE;
		cell_fail(w->lot, cell, SEAL_E_LIMIT,
			  "the record's values would be under more than %d different data keys; raise max_uses",
			  ENVELOPE_KEYS_MAX);
	}
}

/* Runs of cells under one key each; mostly there is one run. */
static enum seal_status take_keys(struct work *w, struct seal_err *err)
{
	const struct key_call call = {.arena = w->lot->arena, .deadline_ms = w->lot->deadline_ms};
	const size_t max = (size_t)envelope_options_of(w->s)->max_uses;
	enum seal_status rc;

	SEAL_TRY(allocate_keys(w, w->lot->n / max + 1, err));
	for (size_t from = 0, n; from < w->lot->n; from += n) {
		n = w->lot->n - from < max ? w->lot->n - from : max;
		for (size_t i = from; i < from + n; i++)
			if (w->group_of[i] != NAME_NONE)
				w->group_of[i] = (uint32_t)w->n_keys;
		SEAL_TRY(data_keys_writer(w->s->method->keys, w->s->kek, n, &call, &w->keys[w->n_keys].key, err));
		w->n_keys++;
	}
	check_key_counts(w);
out:
	return rc;
}

/* The key of each person in the lot. */
static enum seal_status take_persons_keys(struct work *w, uint8_t **ids, struct seal_err *err)
{
	const struct key_call call = {.arena = w->lot->arena, .deadline_ms = w->lot->deadline_ms};
	struct key_names names = {.arena = w->lot->arena};
	struct person_want *wants;
	uint32_t *described_by;
	enum seal_status rc;
	size_t n;

	for (size_t i = 0; i < w->lot->n; i++)
		if (w->group_of[i] != NAME_NONE)
			SEAL_TRY(names_note(&names, w->lot->cells[i].person, BYTES_EMPTY, &w->group_of[i], err));
	SEAL_TRY(names_number(&names, &described_by, &n, err));
	SEAL_TRY(allocate_keys(w, n, err));
	wants = arena_alloc(w->lot->arena, (n + 1) * sizeof(*wants), _Alignof(struct person_want));
	*ids = arena_alloc(w->lot->arena, (n + 1) * PERSON_ID_LEN, 1);
	if (wants == NULL || *ids == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		wants[i] = (struct person_want){.person = names.names[described_by[i]].first};
	SEAL_TRY(person_keys_writer(w->s->method->people, w->s->kek, wants, n, &call, err));
	for (size_t i = 0; i < n; i++) {
		w->keys[i].key = wants[i].key;
		w->keys[i].err = wants[i].err;
		memcpy(*ids + i * PERSON_ID_LEN, wants[i].id, PERSON_ID_LEN);
	}
	w->n_keys = n;
	for (size_t i = 0; i < w->lot->n; i++)
		if (w->group_of[i] != NAME_NONE)
			w->group_of[i] = names.names[w->group_of[i]].group;
out:
	return rc;
}

/* What all envelopes under a key begin with. */
static enum seal_status make_head(struct work *w, struct protecting *key, const uint8_t *person, struct seal_err *err)
{
	static const char before[] = TEXT_FORM_JSON TEXT_FORM_ENVELOPE;
	const size_t len = sizeof(before) - 1;
	const bool carries = envelope_options_of(w->s)->carry == CARRY_HEADER;
	const enum envelope_how how = person != NULL ? ENVELOPE_STORED : carries ? ENVELOPE_CARRIED : ENVELOPE_INLINE;
	enum seal_status rc;
	uint8_t *text;

	SEAL_TRY(envelope_head_write(how, data_key_wrapped(key->key), person, data_key_commitment(key->key),
				     w->lot->arena, &key->head, err));
	if (how == ENVELOPE_CARRIED)
		SEAL_TRY(key_header_entry_write(data_key_commitment(key->key), data_key_wrapped(key->key),
						w->lot->arena, &key->entry, err));
	text = arena_alloc(w->lot->arena, len + BASE64_LEN(key->head.len), 1);
	if (text == NULL) {
		rc = err_memory(err);
		goto out;
	}
	memcpy(text, before, len);
	key->text = bytes_of(
		text, len + base64url_encode(bytes_of(key->head.ptr, key->head.len / 3 * 3), (char *)text + len));
out:
	return rc;
}

static enum seal_status make_heads(struct work *w, const uint8_t *ids, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < w->n_keys; i++)
		if (w->keys[i].key != NULL)
			SEAL_TRY(make_head(w, &w->keys[i], ids != NULL ? ids + i * PERSON_ID_LEN : NULL, err));
out:
	return rc;
}

static size_t tail_len(const struct protecting *key)
{
	return key->head.len % 3;
}

/* How long the envelope of a cell is at most. */
static size_t size_of(const struct work *w, const struct cell *cell, const struct protecting *key)
{
	if (is_raw(w, cell))
		return sizeof(ENVELOPE_MAGIC) - 1 + key->head.len + ENVELOPE_MESSAGE_MIN + cell->in.len;
	return key->text.len + BASE64_LEN(tail_len(key) + ENVELOPE_MESSAGE_MIN + cell->in.len);
}

/* The one allocation for all results, back to back. Cells whose key there is not fail. */
static enum seal_status allocate_results(struct work *w, struct seal_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < w->lot->n; i++) {
		struct cell *cell = &w->lot->cells[i];
		const struct protecting *key;

		if (w->group_of[i] == NAME_NONE)
			continue;
		key = &w->keys[w->group_of[i]];
		if (key->key == NULL) {
			cell_fail_err(cell, key->err);
			w->group_of[i] = NAME_NONE;
		} else if (ckd_add(&total, total, size_of(w, cell, key))) {
			return err_memory(err);
		}
	}
	w->to = arena_alloc(w->lot->arena, total + 1, 1);
	return w->to != NULL ? SEAL_OK : err_memory(err);
}

struct chunk {
	struct aead_item messages[ENVELOPE_CHUNK];
	struct cell *cells[ENVELOPE_CHUNK];
	uint8_t *raw[ENVELOPE_CHUNK]; /* tail | nonce | ciphertext | tag */
	size_t n;
};

static struct aead_item message_at(uint8_t *nonce, const struct cell *cell)
{
	return (struct aead_item){
		.nonce = nonce,
		.aad = cell->place,
		.in = cell->in,
		.out = nonce + AEAD_NONCE_LEN,
		.tag = nonce + AEAD_NONCE_LEN + cell->in.len,
	};
}

/* Picks cells from *at on, gives them room and nonces. */
static enum seal_status fill_chunk(struct work *w, const struct protecting *key, struct chunk *chunk,
				   const uint32_t *cells, size_t n, size_t *at, struct seal_err *err)
{
	const size_t n_tail = tail_len(key);
	enum seal_status rc = SEAL_OK;
	size_t bytes = 0;
	uint8_t *raw;

	for (chunk->n = 0; *at < n && chunk->n < ENVELOPE_CHUNK && bytes < ENVELOPE_CHUNK_BYTES; (*at)++) {
		chunk->cells[chunk->n] = &w->lot->cells[cells[*at]];
		bytes += n_tail + ENVELOPE_MESSAGE_MIN + chunk->cells[chunk->n++]->in.len;
	}
	w->s->raw.len = 0;
	SEAL_TRY(buf_reserve(&w->s->raw, bytes, err));
	raw = w->s->raw.ptr;
	for (size_t i = 0; i < chunk->n; i++) {
		const struct cell *cell = chunk->cells[i];

		chunk->raw[i] = raw;
		memcpy(raw, key->head.ptr + key->head.len - n_tail, n_tail);
		SEAL_TRY(random_pool_take(&w->s->nonces, raw + n_tail, AEAD_NONCE_LEN, err));
		chunk->messages[i] = message_at(raw + n_tail, cell);
		raw += n_tail + ENVELOPE_MESSAGE_MIN + cell->in.len;
	}
out:
	return rc;
}

static void write_texts(struct work *w, const struct protecting *key, const struct chunk *chunk)
{
	for (size_t i = 0; i < chunk->n; i++) {
		struct cell *cell = chunk->cells[i];
		const struct seal_bytes before =
			cell->kind == CELL_JSON ? key->text : bytes_skip(key->text, JSON_LEN);
		const struct seal_bytes raw =
			bytes_of(chunk->raw[i], tail_len(key) + ENVELOPE_MESSAGE_MIN + cell->in.len);

		memcpy(w->to, before.ptr, before.len);
		cell->out = bytes_of(w->to, before.len + base64url_encode(raw, (char *)w->to + before.len));
		cell->form = FORM_ASCII;
		w->to += cell->out.len;
	}
}

/* A payload that stays bytes is sealed where it goes. */
static enum seal_status seal_raw(struct work *w, const struct protecting *key, struct aead *aead, struct cell *cell,
				 struct seal_err *err)
{
	const size_t magic = sizeof(ENVELOPE_MAGIC) - 1;
	struct aead_item message = message_at(w->to + magic + key->head.len, cell);
	enum seal_status rc;

	memcpy(w->to, ENVELOPE_MAGIC, magic);
	memcpy(w->to + magic, key->head.ptr, key->head.len);
	SEAL_TRY(random_pool_take(&w->s->nonces, w->to + magic + key->head.len, AEAD_NONCE_LEN, err));
	SEAL_TRY(aead_seal_many(aead, &message, 1, err));
	cell->out = bytes_of(w->to, magic + key->head.len + ENVELOPE_MESSAGE_MIN + cell->in.len);
	cell->form = FORM_STRING;
	w->to += cell->out.len;
out:
	return rc;
}

/* Cells of one key. A lot's cells are all payloads or none is. */
static enum seal_status seal_group(struct work *w, const struct protecting *key, const uint32_t *cells, size_t n,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	struct chunk chunk;
	struct aead *aead;

	if (n == 0)
		return SEAL_OK;
	SEAL_TRY(envelope_context_get(w->s, key->key, &aead, err));
	for (size_t at = 0; at < n;) {
		if (is_raw(w, &w->lot->cells[cells[at]])) {
			SEAL_TRY(seal_raw(w, key, aead, &w->lot->cells[cells[at++]], err));
			continue;
		}
		SEAL_TRY(fill_chunk(w, key, &chunk, cells, n, &at, err));
		SEAL_TRY(aead_seal_many(aead, chunk.messages, chunk.n, err));
		write_texts(w, key, &chunk);
	}
out:
	return rc;
}

static enum seal_status seal_cells(struct work *w, struct seal_err *err)
{
	struct cell_groups groups;
	enum seal_status rc;

	SEAL_TRY(cells_group(w->group_of, w->lot->n, w->n_keys, w->lot->arena, &groups, err));
	for (size_t g = 0; g < w->n_keys; g++)
		SEAL_TRY(seal_group(w, &w->keys[g], groups.order + groups.start[g],
				    groups.start[g + 1] - groups.start[g], err));
out:
	return rc;
}

/* The key's entry is in the header, or was put there; else the cell fails. */
static enum seal_status carry_key(struct work *w, const struct protecting *key, struct cell *cell,
				  struct key_header *scratch, struct seal_err *err)
{
	struct carrier *carrier = &w->lot->carriers[cell->record];
	enum seal_status rc = SEAL_OK;
	bool fits;

	if (carrier->value.ptr == NULL) {
		carrier->value = key->entry;
		return SEAL_OK;
	}
	if (bytes_eq(carrier->value, key->entry))
		return SEAL_OK;
	if (!key_header_parse(carrier->value, scratch)) {
		cell_fail(
			w->lot, cell, SEAL_E_SYNTAX,
			"the record has a header seal-key that is not a list of wrapped data keys, or is too large");
		return SEAL_OK;
	}
	for (size_t i = 0; i < scratch->n; i++)
		if (memcmp(scratch->entries[i].commitment, data_key_commitment(key->key), DATA_KEY_COMMITMENT_LEN) ==
		    0)
			return SEAL_OK;
	SEAL_TRY(key_header_put(scratch, scratch->n, key->entry, w->lot->arena, &carrier->value, &fits, err));
	if (!fits)
		cell_fail(w->lot, cell, SEAL_E_LIMIT,
			  "the record header seal-key has no room for another wrapped data key; it takes %d",
			  KEY_HEADER_ENTRIES_MAX);
out:
	return rc;
}

static enum seal_status carry_keys(struct work *w, struct seal_err *err)
{
	struct key_header *scratch = ARENA_NEW(w->lot->arena, struct key_header);
	uint32_t record = UINT32_MAX, group = NAME_NONE;
	enum seal_status rc = SEAL_OK;

	SEAL_INVARIANT(w->lot->carriers != NULL); /* the engine refuses such a topic where records have no headers */
	if (scratch == NULL)
		return err_memory(err);
	for (size_t i = 0; i < w->lot->n; i++) {
		struct cell *cell = &w->lot->cells[i];

		if (w->group_of[i] == NAME_NONE || (cell->record == record && w->group_of[i] == group))
			continue;
		record = cell->record;
		group = w->group_of[i];
		SEAL_TRY(carry_key(w, &w->keys[group], cell, scratch, err));
	}
out:
	return rc;
}

enum seal_status envelope_protect(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct work w = {.s = (struct envelope_session *)base, .lot = lot};
	const bool by_person = w.s->method->people != NULL;
	uint8_t *ids = NULL;
	enum seal_status rc;

	w.group_of = arena_alloc(lot->arena, (lot->n + 1) * sizeof(uint32_t), _Alignof(uint32_t));
	if (w.group_of == NULL)
		return err_memory(err);
	envelope_contexts_expire(w.s);
	check_sizes(&w);
	SEAL_TRY(by_person ? take_persons_keys(&w, &ids, err) : take_keys(&w, err));
	SEAL_TRY(make_heads(&w, ids, err));
	SEAL_TRY(allocate_results(&w, err));
	SEAL_TRY(seal_cells(&w, err));
	if (envelope_options_of(w.s)->carry == CARRY_HEADER)
		SEAL_TRY(carry_keys(&w, err));
out:
	for (size_t i = 0; i < w.n_keys; i++)
		data_key_unref(w.keys[i].key);
	return rc;
}
