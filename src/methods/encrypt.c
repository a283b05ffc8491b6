/*
 * encrypt: authenticated encryption by the key source; the result is the text form that names its key version.
 *
 *   string           vault:v3:…            the plaintext is the string's text
 *   other JSON       json+vault:v3:…       the plaintext is the value's exact JSON text
 *   payload          vault:v3:…            the plaintext is the payload
 *
 * The cell's place is the associated data, so that what was moved does not open. `deterministic` does the same work under a
 * version of the key that its policy names.
 */
#include "methods/builtin.h"
#include "methods/simple.h"
#include "methods/text_form.h"

/* "json+" before `text`, in the lot's arena. */
static enum seal_status with_json_prefix(struct lot *lot, struct seal_bytes *text, struct seal_err *err)
{
	const size_t prefix = sizeof(TEXT_FORM_JSON) - 1;
	uint8_t *to = arena_alloc(lot->arena, prefix + text->len, 1);

	if (to == NULL)
		return err_memory(err);
	memcpy(to, TEXT_FORM_JSON, prefix);
	memcpy(to + prefix, text->ptr, text->len);
	*text = bytes_of(to, prefix + text->len);
	return SEAL_OK;
}

/* Items' texts, or why they failed, into their cells. A rewrapped text that is what it was stays as it stands. */
static enum seal_status take_texts(struct lot *lot, const struct key_item *items, bool rewrapped,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < lot->n; i++) {
		struct cell *cell = &lot->cells[i];

		if (items[i].err != NULL) {
			cell_fail_err(cell, items[i].err);
			continue;
		}
		cell->form = FORM_ASCII;
		if (rewrapped && bytes_eq(items[i].out, cell->in))
			cell->form = FORM_KEEP;
		cell->out = items[i].out;
		if (cell->kind == CELL_JSON && cell->form == FORM_ASCII)
			SEAL_TRY(with_json_prefix(lot, &cell->out, err));
	}
out:
	return rc;
}

typedef enum seal_status (*key_operation)(struct key_session *session, struct key_item *items, size_t n,
					  const struct key_call *call, struct seal_err *err);

/* One item a cell, and what the key does with them all. */
static enum seal_status work(struct simple_session *session, key_operation operation, const struct lot *lot,
			     struct key_item **items, struct seal_err *err)
{
	const struct key_call call = {
		.arena = lot->arena, .deadline_ms = lot->deadline_ms, .version = session->method->version};

	*items = simple_items(lot, err);
	return *items != NULL ? operation(session->key, *items, lot->n, &call, err) : SEAL_FATAL;
}

static enum seal_status protect(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	struct key_item *items;
	enum seal_status rc;

	SEAL_TRY(work(session, session->key->ops->encrypt, lot, &items, err));
	rc = take_texts(lot, items, false, err);
out:
	return rc;
}

static enum seal_status reveal(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	struct key_item *items;
	enum seal_status rc;

	SEAL_TRY(work(session, session->key->ops->decrypt, lot, &items, err));
	for (size_t i = 0; i < lot->n; i++) {
		struct cell *cell = &lot->cells[i];

		if (items[i].err != NULL) {
			cell_fail_err(cell, items[i].err);
			continue;
		}
		cell->out = items[i].out;
		cell->form = cell->kind == CELL_JSON ? FORM_JSON : FORM_STRING;
	}
out:
	return rc;
}

/* Text under another version becomes text under the newest, or the method's; "json+" stays before it. */
static enum seal_status rewrap(struct method_session *base, struct lot *lot, struct seal_err *err)
{
	struct simple_session *session = (struct simple_session *)base;
	struct key_item *items;
	enum seal_status rc;

	if (session->key->ops->rewrap == NULL) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "keys of this type cannot rewrap; reveal the records and protect them again");
		goto out;
	}
	rc = SEAL_OK;
	if (lot->n == 0)
		goto out;
	SEAL_TRY(work(session, session->key->ops->rewrap, lot, &items, err));
	rc = take_texts(lot, items, true, err);
out:
	return rc;
}

const struct method_session_ops encrypt_session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.reveal = reveal,
	.rewrap = rewrap,
	.free = simple_session_free,
};

static enum seal_status encrypt_open(const struct policy_method *spec, const struct method_needs *needs,
				     struct method **out, struct seal_err *err)
{
	return simple_open(&method_encrypt, &encrypt_session_ops, spec, needs, out, err);
}

const struct method_ops method_encrypt = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "encrypt",
			.summary =
				"AES-GCM under a key of the key source; the text names the key's version; any value",
			.leaks = "length",
			.flags = METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_TEXT_FORM | METHOD_BYTES,
		},
	.open = encrypt_open,
	.session = simple_session_new,
	.free = simple_free,
};
