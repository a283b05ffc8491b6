/* Rows of people's keys; the layout is in the header. */
#include "keys/person_row.h"

#include "crypto/random.h"

#define LABEL_PERSON "sealstream person key v1"
#define LABEL_PEPPER "sealstream person pepper v1"
#define AAD_MAX (sizeof(LABEL_PEPPER) + 2 * ROW_ID_LEN)

/* Which parts a kind has, in this order. */
struct shape {
	bool store_key, sealed, commitment, number, wrapped;
};

static const struct shape shapes[] = {
	[ROW_LIVE] = {.store_key = true, .sealed = true, .commitment = true},
	[ROW_FORGOTTEN] = {.number = true},
	[ROW_STORE_KEY] = {.commitment = true, .wrapped = true},
	[ROW_PEPPER] = {.store_key = true, .sealed = true},
	[ROW_CURRENT] = {.store_key = true, .number = true},
};

/* The next `len` bytes where the shape has them. */
static bool part(struct cursor *c, bool there, size_t len, const uint8_t **out)
{
	struct seal_bytes bytes;

	if (!there)
		return true;
	if (!cursor_take(c, len, &bytes))
		return false;
	*out = bytes.ptr;
	return true;
}

struct row row_parse(struct seal_bytes bytes)
{
	struct cursor c = {bytes};
	const struct row bad = {.kind = ROW_BAD};
	struct row row = bad;
	const struct shape *shape;
	uint8_t kind;

	if (!cursor_u8(&c, &kind) || kind == ROW_BAD || kind > ROW_CURRENT)
		return bad;
	row.kind = (enum row_kind)kind;
	shape = &shapes[kind];
	if (!part(&c, shape->store_key, ROW_ID_LEN, &row.store_key) ||
	    !part(&c, shape->sealed, ROW_SEALED_LEN, &row.sealed) ||
	    !part(&c, shape->commitment, DATA_KEY_COMMITMENT_LEN, &row.commitment) ||
	    (shape->number && !cursor_be64(&c, &row.number)))
		return bad;
	if (shape->wrapped) {
		row.wrapped = c.rest;
		return c.rest.len > 0 && c.rest.len <= DATA_KEY_WRAPPED_MAX ? row : bad;
	}
	return c.rest.len == 0 ? row : bad;
}

/* Of the space "keys". */
static bool key_fits(struct seal_bytes key, const struct row *row)
{
	const struct seal_bytes id = bytes_skip(key, ROW_ID_LEN + 1);

	if (key.len <= ROW_ID_LEN)
		return false;
	switch (key.ptr[ROW_ID_LEN]) {
	case 'k': /* its id is the start of its commitment */
		return row->kind == ROW_STORE_KEY && id.len == ROW_ID_LEN &&
		       bytes_eq(id, bytes_of(row->commitment, ROW_ID_LEN));
	case 'p':
		return row->kind == ROW_PEPPER && id.len == 0;
	case 'c':
		return row->kind == ROW_CURRENT && id.len == 0;
	default:
		return false;
	}
}

struct row row_look(const char *space, struct seal_bytes key, struct seal_bytes value)
{
	const struct row row = row_parse(value), bad = {.kind = ROW_BAD};
	const bool person = row.kind == ROW_LIVE || row.kind == ROW_FORGOTTEN;

	if (strcmp(space, PEOPLE_SPACE) == 0)
		return person && key.len == ROW_ID_LEN ? row : bad;
	return key_fits(key, &row) ? row : bad;
}

static uint8_t *put(uint8_t *at, bool there, const uint8_t *bytes, size_t len)
{
	if (there && len > 0)
		memcpy(at, bytes, len);
	return at + (there ? len : 0);
}

size_t row_write(const struct row *row, uint8_t *out)
{
	const struct shape *shape = &shapes[row->kind];
	uint8_t *at = out;

	*at++ = (uint8_t)row->kind;
	at = put(at, shape->store_key, row->store_key, ROW_ID_LEN);
	at = put(at, shape->sealed, row->sealed, ROW_SEALED_LEN);
	at = put(at, shape->commitment, row->commitment, DATA_KEY_COMMITMENT_LEN);
	if (shape->number) {
		be64_store(at, row->number);
		at += 8;
	}
	at = put(at, shape->wrapped, row->wrapped.ptr, row->wrapped.len);
	return (size_t)(at - out);
}

static struct seal_bytes associated(const struct row_owner *owner, uint8_t out[AAD_MAX])
{
	const struct seal_bytes label = owner->person != NULL ? BYTES_LIT(LABEL_PERSON) : BYTES_LIT(LABEL_PEPPER);
	uint8_t *at = put(out, true, label.ptr, label.len);

	at = put(at, true, owner->scope, ROW_ID_LEN);
	at = put(at, owner->person != NULL, owner->person, ROW_ID_LEN);
	return bytes_of(out, (size_t)(at - out));
}

enum seal_status row_seal(struct aead *aead, const struct row_owner *owner, const uint8_t *secret, uint8_t *sealed,
			  struct seal_err *err)
{
	uint8_t aad[AAD_MAX];
	struct aead_item item = {.nonce = sealed,
				 .aad = associated(owner, aad),
				 .in = bytes_of(secret, ROW_SECRET_LEN),
				 .out = sealed + AEAD_NONCE_LEN,
				 .tag = sealed + AEAD_NONCE_LEN + ROW_SECRET_LEN};
	enum seal_status rc;

	SEAL_TRY(random_bytes(sealed, AEAD_NONCE_LEN, err));
	SEAL_TRY(aead_seal_many(aead, &item, 1, err));
out:
	return rc;
}

enum seal_status row_open(struct aead *aead, const struct row_owner *owner, const uint8_t *sealed, uint8_t *secret,
			  struct seal_err *err)
{
	uint8_t aad[AAD_MAX], tag[AEAD_TAG_LEN];
	struct aead_item item = {.nonce = sealed,
				 .aad = associated(owner, aad),
				 .in = bytes_of(sealed + AEAD_NONCE_LEN, ROW_SECRET_LEN),
				 .out = secret,
				 .tag = tag};
	enum seal_status rc;

	memcpy(tag, sealed + AEAD_NONCE_LEN + ROW_SECRET_LEN, sizeof(tag));
	SEAL_TRY(aead_open_many(aead, &item, 1, err));
	if (!item.ok)
		rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
			     "a row of keys does not authenticate: the store was changed or damaged; restore it");
out:
	return rc;
}
