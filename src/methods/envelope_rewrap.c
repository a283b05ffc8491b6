/*
 * Rewrapping: the wrapped data key, in the envelope or in the header, comes under the newest version of its key encryption
 * key. The data key is the same, so nothing that it encrypted changes; values under keys of a store have nothing to rewrap.
 */
#include "base/encode.h"
#include "keys/kek.h"
#include "keys/key_cache.h"
#include "methods/envelope_work.h"
#include "methods/text_form.h"

/* One wrapped key of the lot. */
struct rewrapping {
	struct seal_bytes wrapped; /* the new text; ptr NULL: it was under the newest version */
	const struct seal_err *err;
	struct seal_bytes head, entry; /* made when they are first needed */
};

struct work {
	struct envelope_session *s;
	struct lot *lot;
	struct envelope_reader *reader;
	struct rewrapping *keys; /* by group */
	struct key_header header; /* scratch */
};

/* What `wrapped` became a moment ago; ptr NULL: not known. */
static struct seal_bytes find_renewed(const struct envelope_session *s, struct seal_bytes wrapped, uint64_t now_ms)
{
	const uint64_t max_age_ms = (uint64_t)envelope_options_of(s)->max_age_ms;

	for (size_t i = 0; i < ENVELOPE_RENEWED; i++)
		if (bytes_eq(buf_bytes(&s->renewed[i].old), wrapped) && now_ms - s->renewed[i].asked_ms < max_age_ms)
			return buf_bytes(&s->renewed[i].new);
	return BYTES_EMPTY;
}

static enum seal_status remember_renewed(struct envelope_session *s, const struct key_item *item, uint64_t now_ms,
					 struct seal_err *err)
{
	struct envelope_renewed *slot = &s->renewed[s->next_renewed];
	enum seal_status rc = SEAL_OK;

	if (item->err != NULL || item->out.len > DATA_KEY_WRAPPED_MAX)
		return SEAL_OK;
	s->next_renewed = (s->next_renewed + 1) % ENVELOPE_RENEWED;
	buf_reset(&slot->old);
	buf_reset(&slot->new);
	SEAL_TRY(buf_append(&slot->new, item->out, err));
	SEAL_TRY(buf_append(&slot->old, item->in, err));
	slot->asked_ms = now_ms;
out:
	return rc;
}

static void take_renewed(struct rewrapping *key, struct seal_bytes old, struct seal_bytes renewed)
{
	if (!bytes_eq(old, renewed))
		key->wrapped = renewed;
}

/* Those of group `g` that are known already are left out of `items`. */
static bool is_known(struct work *w, size_t g, uint64_t now_ms, struct seal_err *err, enum seal_status *rc)
{
	const struct seal_bytes old = reader_name(w->reader, g)->second, known = find_renewed(w->s, old, now_ms);
	struct seal_bytes copy;

	if (known.ptr == NULL)
		return false;
	copy = arena_copy(w->lot->arena, known); /* its slot may be taken by another key of this lot */
	if (copy.ptr == NULL)
		*rc = err_memory(err);
	else
		take_renewed(&w->keys[g], old, copy);
	return true;
}

/* All wrapped keys of the lot in one call. */
static enum seal_status rewrap_keys(struct work *w, struct seal_err *err)
{
	const struct envelope_reader *r = w->reader;
	const struct key_call call = {.arena = w->lot->arena, .deadline_ms = w->lot->deadline_ms};
	const size_t size = (r->n_groups + 1) * sizeof(*w->keys);
	struct key_item *items =
		arena_alloc(w->lot->arena, (r->n_groups + 1) * sizeof(*items), _Alignof(struct key_item));
	const uint64_t now_ms = key_cache_now_ms();
	size_t *group_of = arena_alloc(w->lot->arena, (r->n_groups + 1) * sizeof(*group_of), _Alignof(size_t));
	enum seal_status rc = SEAL_OK;
	size_t n = 0;

	w->keys = arena_alloc(w->lot->arena, size, _Alignof(struct rewrapping));
	if (items == NULL || w->keys == NULL || group_of == NULL)
		return err_memory(err);
	memset(w->keys, 0, size);
	for (size_t g = 0; g < r->n_groups && rc == SEAL_OK; g++) {
		if (!reader_needs(r, g, false) || is_known(w, g, now_ms, err, &rc))
			continue;
		group_of[n] = g;
		items[n++] =
			(struct key_item){.in = reader_name(r, g)->second, .aad = kek_context(w->s->method->derived)};
	}
	SEAL_TRY(rc);
	if (n > 0)
		SEAL_TRY(w->s->kek->ops->rewrap(w->s->kek, items, n, &call, err));
	for (size_t i = 0; i < n; i++) {
		w->keys[group_of[i]].err = items[i].err;
		if (items[i].err == NULL)
			take_renewed(&w->keys[group_of[i]], items[i].in, items[i].out);
		SEAL_TRY(remember_renewed(w->s, &items[i], now_ms, err));
	}
out:
	return rc;
}

/* The envelope anew: `head` before the message that it had. */
static enum seal_status write_envelope(struct work *w, struct cell *cell, const struct envelope_cell *from,
				       struct seal_bytes head, struct seal_err *err)
{
	const size_t magic = sizeof(ENVELOPE_MAGIC) - 1, len = magic + head.len + from->len;
	static const char before[] = TEXT_FORM_JSON TEXT_FORM_ENVELOPE;
	const size_t skip = cell->kind == CELL_JSON ? 0 : sizeof(TEXT_FORM_JSON) - 1, n = sizeof(before) - 1 - skip;
	uint8_t *raw = arena_alloc(w->lot->arena, len, 1), *text;

	if (raw == NULL)
		return err_memory(err);
	memcpy(raw, ENVELOPE_MAGIC, magic);
	memcpy(raw + magic, head.ptr, head.len);
	memcpy(raw + magic + head.len, from->message, from->len);
	cell->out = bytes_of(raw, len);
	cell->form = from->raw ? FORM_STRING : FORM_ASCII;
	if (from->raw)
		return SEAL_OK;
	text = arena_alloc(w->lot->arena, n + BASE64_LEN(len), 1);
	if (text == NULL)
		return err_memory(err);
	memcpy(text, before + skip, n);
	cell->out = bytes_of(text, n + base64url_encode(bytes_of(raw + magic, len - magic), (char *)text + n));
	return SEAL_OK;
}

/* The entry of a carried key in its record's header; other values of the record may have put the new one there. */
static enum seal_status replace_entry(struct work *w, struct cell *cell, struct rewrapping *key,
				      const struct key_name *name, struct seal_err *err)
{
	struct carrier *carrier = &w->lot->carriers[cell->record];
	enum seal_status rc = SEAL_OK;
	bool fits = true;

	if (key->entry.ptr == NULL)
		SEAL_TRY(key_header_entry_write(name->first.ptr, key->wrapped, w->lot->arena, &key->entry, err));
	SEAL_INVARIANT(key_header_parse(carrier->value, &w->header)); /* as it was when it was read, or ours */
	for (size_t i = 0; i < w->header.n; i++)
		if (bytes_eq(bytes_of(w->header.entries[i].commitment, DATA_KEY_COMMITMENT_LEN), name->first) &&
		    bytes_eq(w->header.entries[i].wrapped, name->second)) {
			rc = key_header_put(&w->header, i, key->entry, w->lot->arena, &carrier->value, &fits, err);
			break;
		}
	if (rc == SEAL_OK && !fits)
		cell_fail(w->lot, cell, SEAL_E_LIMIT, "the record header seal-key would be too large");
out:
	return rc;
}

static enum seal_status rewrap_cell(struct work *w, size_t group, uint32_t index, struct seal_err *err)
{
	const struct envelope_cell *from = &w->reader->cells[index];
	const struct key_name *name = reader_name(w->reader, group);
	struct cell *cell = &w->lot->cells[index];
	struct rewrapping *key = &w->keys[group];
	struct seal_bytes head;
	enum seal_status rc = SEAL_OK;

	if (key->err != NULL) {
		cell_fail_err(cell, key->err);
		goto out;
	}
	if (key->wrapped.ptr == NULL) {
		cell->form = FORM_KEEP;
		goto out;
	}
	if (from->how == ENVELOPE_CARRIED) {
		/* The value stays as it is, but counts as rewrapped. */
		SEAL_TRY(envelope_head_write(ENVELOPE_CARRIED, BYTES_EMPTY, NULL, name->first.ptr, w->lot->arena,
					     &head, err));
		SEAL_TRY(write_envelope(w, cell, from, head, err));
		rc = replace_entry(w, cell, key, name, err);
		goto out;
	}
	if (key->head.ptr == NULL)
		SEAL_TRY(envelope_head_write(ENVELOPE_INLINE, key->wrapped, NULL, name->first.ptr, w->lot->arena,
					     &key->head, err));
	rc = write_envelope(w, cell, from, key->head, err);
out:
	return rc;
}

enum seal_status envelope_rewrap(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct envelope_reader *reader = ARENA_NEW(lot->arena, struct envelope_reader);
	struct work *w = ARENA_NEW(lot->arena, struct work);
	enum seal_status rc = SEAL_OK;

	if (reader == NULL || w == NULL)
		return err_memory(err);
	*w = (struct work){.s = (struct envelope_session *)base, .lot = lot, .reader = reader};
	if (w->s->kek->ops->rewrap == NULL) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "keys of this type cannot rewrap; reveal the records and protect them again");
		goto out;
	}
	if (lot->n == 0)
		goto out;
	SEAL_TRY(envelope_read_lot(reader, lot, err));
	SEAL_TRY(rewrap_keys(w, err));
	for (size_t g = 0; g < reader->n_groups; g++) {
		size_t n;
		const uint32_t *cells = reader_cells(reader, g, &n);

		for (size_t i = 0; i < n; i++)
			SEAL_TRY(rewrap_cell(w, g, cells[i], err));
	}
out:
	return rc;
}
