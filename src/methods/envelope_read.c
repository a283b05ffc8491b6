/*
 * From the text of an envelope to the key that it names and its message.
 *
 *   seal:e1:AQEBAAAAAQA8…                     …Zm9v
 *           ╰ head_text: whole groups of 3 ╯╰ tail, nonce, ciphertext, tag
 *
 * Envelopes that one writer made in a row differ in the second part alone, so that the head is decoded, parsed and noted
 * once, and compared as text after that. A key in a header counts as the same only while the header is, byte for byte.
 */
#include "base/encode.h"
#include "methods/envelope_work.h"
#include "methods/text_form.h"

static void fail_damaged(struct lot *lot, struct cell *cell)
{
	cell_fail(lot, cell, SEAL_E_TAMPERED,
		  "damaged: what stands after " TEXT_FORM_ENVELOPE " is not a whole envelope");
}

static void fail_newer(struct lot *lot, struct cell *cell)
{
	cell_fail(lot, cell, SEAL_E_SYNTAX,
		  "the envelope is of a form that this release does not know; a newer release of sealstream wrote "
		  "it, use that");
}

/* Records of one writer mostly share the header. */
static bool same_header(const struct envelope_reader *r, struct seal_bytes value)
{
	return value.ptr != NULL && r->header_value.ptr != NULL && value.len == r->header_value.len &&
	       (value.ptr == r->header_value.ptr || bytes_eq(value, r->header_value));
}

/* The header of the cell's record, parsed; false, and the cell has its error, where that is none. */
static bool read_header(struct envelope_reader *r, struct cell *cell)
{
	const struct seal_bytes value = r->lot->carriers != NULL ? r->lot->carriers[cell->record].value : BYTES_EMPTY;

	if (value.ptr == NULL) {
		cell_fail(r->lot, cell, SEAL_E_MISSING,
			  "the value's data key is in the record header seal-key, which is not there; something on "
			  "the way has taken the record's headers off ('carry: value' does without)");
		return false;
	}
	if (!same_header(r, value)) {
		r->header_value = value;
		r->like.name = NAME_NONE; /* it may be of the other header */
		r->header_good = key_header_parse(value, &r->header);
	}
	if (!r->header_good)
		cell_fail(r->lot, cell, SEAL_E_SYNTAX,
			  "the record header seal-key is not a list of wrapped data keys, or is too large");
	return r->header_good;
}

static enum seal_status note_carried(struct envelope_reader *r, struct cell *cell, const struct envelope_head *head,
				     uint32_t *name, struct seal_err *err)
{
	const struct key_header_entry *entry;
	struct seal_bytes commitment;

	*name = NAME_NONE;
	if (!read_header(r, cell))
		return SEAL_OK;
	entry = key_header_find(&r->header, head->commitment);
	if (entry == NULL) {
		cell_fail(r->lot, cell, SEAL_E_MISSING,
			  "the value's data key is not in the record header seal-key, or not once");
		return SEAL_OK;
	}
	commitment = arena_copy(r->lot->arena, bytes_of(entry->commitment, DATA_KEY_COMMITMENT_LEN));
	if (commitment.ptr == NULL)
		return err_memory(err);
	return names_note(&r->names, commitment, entry->wrapped, name, err);
}

/* The key that a head names. */
static enum seal_status note_head(struct envelope_reader *r, struct cell *cell, const struct envelope_head *head,
				  uint32_t *name, struct seal_err *err)
{
	struct seal_bytes wrapped;

	switch (head->how) {
	case ENVELOPE_INLINE:
		wrapped = envelope_head_wrapped(head, r->lot->arena);
		if (wrapped.ptr == NULL)
			return err_memory(err);
		return names_note(&r->names, bytes_of(head->commitment, DATA_KEY_COMMITMENT_LEN), wrapped, name, err);
	case ENVELOPE_STORED: /* id and commitment stand side by side */
		return names_note(&r->names, bytes_of(head->person, PERSON_ID_LEN + DATA_KEY_COMMITMENT_LEN),
				  BYTES_EMPTY, name, err);
	case ENVELOPE_CARRIED:
		return note_carried(r, cell, head, name, err);
	}
	err_bug(__FILE__, __LINE__, "no such way to name a key");
}

/* A whole envelope; `bytes` is ours. */
static enum seal_status read_bytes(struct envelope_reader *r, struct cell *cell, struct envelope_cell *to,
				   uint8_t *bytes, size_t len, struct envelope_head *head, struct seal_err *err)
{
	enum envelope_fault fault = envelope_head_parse(bytes_of(bytes, len), head);
	enum seal_status rc;

	if (fault == ENVELOPE_FINE && len - head->len < ENVELOPE_MESSAGE_MIN)
		fault = ENVELOPE_DAMAGED;
	if (fault == ENVELOPE_NEWER)
		fail_newer(r->lot, cell);
	else if (fault == ENVELOPE_DAMAGED)
		fail_damaged(r->lot, cell);
	if (fault != ENVELOPE_FINE)
		return SEAL_OK;
	to->how = head->how;
	to->message = bytes + head->len;
	to->len = len - head->len;
	SEAL_TRY(note_head(r, cell, head, &to->name, err));
out:
	return rc;
}

/* Does the envelope begin as the one before? Then its message is decoded; false where it does not, or is damaged. */
static bool read_alike(struct envelope_reader *r, const struct cell *cell, struct seal_bytes text,
		       struct envelope_cell *to)
{
	size_t len;

	if (r->like.name == NAME_NONE || !bytes_starts(text, r->head_text))
		return false;
	if (r->like.how == ENVELOPE_CARRIED &&
	    (r->lot->carriers == NULL || !same_header(r, r->lot->carriers[cell->record].value)))
		return false;
	if (!base64url_decode(bytes_skip(text, r->head_text.len), r->room, &len) ||
	    len < r->n_tail + ENVELOPE_MESSAGE_MIN || memcmp(r->room, r->tail, r->n_tail) != 0)
		return false;
	to->how = r->like.how;
	to->name = r->like.name;
	to->message = r->room + r->n_tail;
	to->len = len - r->n_tail;
	r->room += len;
	return true;
}

static enum seal_status read_text(struct envelope_reader *r, struct cell *cell, struct seal_bytes text,
				  struct envelope_cell *to, struct seal_err *err)
{
	struct envelope_head head;
	uint8_t *bytes = r->room;
	enum seal_status rc;
	size_t len;

	if (read_alike(r, cell, text, to))
		return SEAL_OK;
	if (!base64url_decode(text, bytes, &len)) {
		fail_damaged(r->lot, cell);
		return SEAL_OK;
	}
	r->room += len;
	SEAL_TRY(read_bytes(r, cell, to, bytes, len, &head, err));
	if (to->name == NAME_NONE)
		goto out;
	r->like = *to;
	r->n_tail = head.len % 3;
	memcpy(r->tail, bytes + head.len - r->n_tail, r->n_tail);
	r->head_text = bytes_of(text.ptr, head.len / 3 * 4);
out:
	return rc;
}

static enum seal_status read_raw(struct envelope_reader *r, struct cell *cell, struct envelope_cell *to,
				 struct seal_err *err)
{
	const struct seal_bytes in = bytes_skip(cell->in, sizeof(ENVELOPE_MAGIC) - 1);
	struct envelope_head head;
	uint8_t *bytes = r->room;

	to->raw = true;
	if (in.len > 0)
		memcpy(bytes, in.ptr, in.len);
	r->room += in.len;
	return read_bytes(r, cell, to, bytes, in.len, &head, err);
}

static void fail_other(struct lot *lot, struct cell *cell)
{
	if (bytes_starts(cell->in, BYTES_LIT("seal:e")))
		fail_newer(lot, cell);
	else
		cell_fail(lot, cell, SEAL_E_PLAINTEXT,
			  "not an envelope: the text does not begin with " TEXT_FORM_ENVELOPE);
}

static enum seal_status read_cell(struct envelope_reader *r, struct cell *cell, struct envelope_cell *to,
				  struct seal_err *err)
{
	*to = (struct envelope_cell){.name = NAME_NONE};
	if (bytes_starts(cell->in, BYTES_LIT(TEXT_FORM_ENVELOPE)))
		return read_text(r, cell, bytes_skip(cell->in, sizeof(TEXT_FORM_ENVELOPE) - 1), to, err);
	if (cell->kind == CELL_BYTES && text_form_is_raw(cell->in))
		return read_raw(r, cell, to, err);
	fail_other(r->lot, cell);
	return SEAL_OK;
}

/*
 * Groups of cells by their key, but for those of a record that names more keys than any should: each may cost a call of the
 * key server. `last`: by group, the last record that needs it, plus 1.
 */
static void choose_groups(struct envelope_reader *r, uint32_t *last, uint32_t *group_of)
{
	uint32_t record = UINT32_MAX;
	size_t used = 0;

	for (size_t i = 0; i < r->lot->n; i++) {
		struct cell *cell = &r->lot->cells[i];
		const uint32_t name = r->cells[i].name;
		uint32_t group;

		group_of[i] = NAME_NONE;
		if (cell->record != record)
			used = 0;
		record = cell->record;
		if (name == NAME_NONE)
			continue;
		group = r->names.names[name].group;
		if (last[group] != record + 1 && used == ENVELOPE_KEYS_MAX) {
			cell_fail(r->lot, cell, SEAL_E_LIMIT,
				  "the record's values are under more than %d different data keys",
				  ENVELOPE_KEYS_MAX);
			continue;
		}
		used += last[group] != record + 1;
		last[group] = record + 1;
		group_of[i] = group;
	}
}

static enum seal_status group_cells(struct envelope_reader *r, struct seal_err *err)
{
	struct arena *arena = r->lot->arena;
	uint32_t *last, *group_of;
	enum seal_status rc;

	SEAL_TRY(names_number(&r->names, &r->described_by, &r->n_groups, err));
	last = arena_alloc(arena, (r->n_groups + 1) * sizeof(*last), _Alignof(uint32_t));
	group_of = arena_alloc(arena, (r->lot->n + 1) * sizeof(*group_of), _Alignof(uint32_t));
	if (last == NULL || group_of == NULL) {
		rc = err_memory(err);
		goto out;
	}
	memset(last, 0, (r->n_groups + 1) * sizeof(*last));
	choose_groups(r, last, group_of);
	rc = cells_group(group_of, r->lot->n, r->n_groups, arena, &r->groups, err);
out:
	return rc;
}

enum seal_status envelope_read_lot(struct envelope_reader *r, struct lot *lot, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	size_t room = 0;

	*r = (struct envelope_reader){.lot = lot, .names.arena = lot->arena, .like.name = NAME_NONE};
	for (size_t i = 0; i < lot->n; i++)
		room += lot->cells[i].in.len; /* never fewer than its decoded bytes */
	r->room = arena_alloc(lot->arena, room + 1, 1);
	r->cells = arena_alloc(lot->arena, (lot->n + 1) * sizeof(*r->cells), _Alignof(struct envelope_cell));
	if (r->room == NULL || r->cells == NULL)
		return err_memory(err);
	for (size_t i = 0; i < lot->n; i++)
		SEAL_TRY(read_cell(r, &lot->cells[i], &r->cells[i], err));
	rc = group_cells(r, err);
out:
	return rc;
}
