/*
 * Protobuf in as far as the one message needs it; unknown fields are passed over. Two passes, since the tables may stand behind the
 * records: the first counts and checks the form, the second fills the tables; then each record is held against them.
 */
#include "streams/kinesis/aggregate.h"

#include "crypto/digest.h"

#define MAGIC BYTES_LIT("\xF3\x89\x9A\xC2")

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
	uint64_t number;
	enum wire wire;
	uint64_t value; /* WIRE_VARINT */
	struct seal_bytes bytes; /* WIRE_BYTES */
};

static bool read_varint(struct cursor *c, uint64_t *out)
{
	uint8_t byte = 0x80;

	*out = 0;
	for (unsigned shift = 0; (byte & 0x80) != 0; shift += 7) {
		if (shift > 63 || !cursor_u8(c, &byte) || (shift == 63 && byte > 1))
			return false;
		*out |= (uint64_t)(byte & 0x7f) << shift;
	}
	return true;
}

static bool read_field(struct cursor *c, struct field *out)
{
	uint64_t tag;

	*out = (struct field){.number = 0};
	if (!read_varint(c, &tag) || tag >> 3 == 0)
		return false;
	out->number = tag >> 3;
	out->wire = (enum wire)(tag & 7);
	switch (out->wire) {
	case WIRE_VARINT:
		return read_varint(c, &out->value);
	case WIRE_FIXED64:
		return cursor_take(c, 8, &out->bytes);
	case WIRE_BYTES:
		return read_varint(c, &out->value) && out->value <= c->rest.len &&
		       cursor_take(c, (size_t)out->value, &out->bytes);
	case WIRE_FIXED32:
		return cursor_take(c, 4, &out->bytes);
	}
	return false; /* groups are none of it */
}

/* What one Record says. */
struct item {
	uint64_t key, hash_key; /* indexes */
	bool has_key, has_hash_key, has_data;
	struct seal_bytes data;
};

static bool read_item(struct seal_bytes text, struct item *out)
{
	struct cursor c = {text};
	struct field field;

	*out = (struct item){.key = 0};
	while (c.rest.len > 0) {
		if (!read_field(&c, &field) || (field.number <= 2 && field.wire != WIRE_VARINT) ||
		    (field.number == 3 && field.wire != WIRE_BYTES))
			return false;
		if (field.number == 1) {
			out->key = field.value;
			out->has_key = true;
		} else if (field.number == 2) {
			out->hash_key = field.value;
			out->has_hash_key = true;
		} else if (field.number == 3) {
			out->data = field.bytes;
			out->has_data = true;
		}
	}
	return out->has_key && out->has_data;
}

/* ---- keys ---- */

enum place { PLACE_UNKNOWN, PLACE_HERE, PLACE_FOREIGN, PLACE_NONE };

struct aggregate_key {
	struct seal_bytes text;
	enum place place; /* of its hash */
};

bool hash_key_read(struct seal_bytes text, uint8_t out[HASH_KEY_LEN])
{
	memset(out, 0, HASH_KEY_LEN);
	for (size_t i = 0; i < text.len; i++) {
		unsigned carry = text.ptr[i] - (unsigned)'0';

		if (carry > 9)
			return false;
		for (size_t at = HASH_KEY_LEN; at-- > 0; carry >>= 8) {
			carry += out[at] * 10u;
			out[at] = (uint8_t)carry;
		}
		if (carry > 0)
			return false;
	}
	return text.len > 0;
}

static enum place place_of(const struct hash_range *range, struct seal_bytes text, bool explicit)
{
	uint8_t hash[HASH_KEY_LEN];

	_Static_assert(MD5_LEN == HASH_KEY_LEN, "a key's hash is its MD5");
	if (explicit && !hash_key_read(text, hash))
		return PLACE_NONE;
	if (range == NULL || (!explicit && !md5(text, hash)))
		return PLACE_HERE;
	return memcmp(hash, range->first, HASH_KEY_LEN) < 0 || memcmp(hash, range->last, HASH_KEY_LEN) > 0
		       ? PLACE_FOREIGN
		       : PLACE_HERE;
}

/* ---- the message ---- */

struct tables {
	struct aggregate_key *keys, *hash_keys; /* NULL: only count */
	size_t n_keys, n_hash_keys, n_items;
	bool too_long; /* a key */
};

/* The next field of the message, if it has the form that its number asks for. */
static bool next_field(struct cursor *c, struct field *out)
{
	return read_field(c, out) && (out->number > 3 || out->wire == WIRE_BYTES);
}

static void add_key(struct aggregate_key *keys, size_t *n, struct seal_bytes text)
{
	if (keys != NULL)
		keys[*n] = (struct aggregate_key){text, PLACE_UNKNOWN};
	++*n;
}

static bool read_tables(struct seal_bytes message, struct tables *t)
{
	struct cursor c = {message};
	struct field field;
	struct item item;

	t->n_keys = t->n_hash_keys = t->n_items = 0;
	while (c.rest.len > 0) {
		if (!next_field(&c, &field) ||
		    (field.number == 3 && t->keys == NULL && !read_item(field.bytes, &item)))
			return false;
		if (field.number == 1)
			add_key(t->keys, &t->n_keys, field.bytes);
		else if (field.number == 2)
			add_key(t->hash_keys, &t->n_hash_keys, field.bytes);
		else if (field.number == 3)
			t->n_items++;
		t->too_long = t->too_long || (field.number <= 2 && field.bytes.len > AGGREGATE_KEY_BYTES);
	}
	return t->n_items > 0;
}

/* Each record's keys are there; *foreign: of how many they are another shard's. */
static bool check_items(struct seal_bytes message, const struct tables *t, const struct hash_range *range,
			size_t *foreign)
{
	struct cursor c = {message};
	struct field field;
	struct item item;

	*foreign = 0;
	while (c.rest.len > 0) {
		struct aggregate_key *key;

		if (!next_field(&c, &field))
			return false;
		if (field.number != 3)
			continue;
		if (!read_item(field.bytes, &item) || item.key >= t->n_keys ||
		    (item.has_hash_key && item.hash_key >= t->n_hash_keys))
			return false;
		key = item.has_hash_key ? &t->hash_keys[item.hash_key] : &t->keys[item.key];
		if (key->place == PLACE_UNKNOWN)
			key->place = place_of(range, key->text, item.has_hash_key);
		if (key->place == PLACE_NONE)
			return false;
		*foreign += key->place == PLACE_FOREIGN;
	}
	return true;
}

static bool is_aggregate(struct seal_bytes data, struct seal_bytes *message)
{
	uint8_t sum[MD5_LEN];

	if (!bytes_starts(data, MAGIC) || data.len < MAGIC.len + MD5_LEN)
		return false;
	*message = bytes_of(data.ptr + MAGIC.len, data.len - MAGIC.len - MD5_LEN);
	return !md5(*message, sum) || memcmp(sum, data.ptr + data.len - MD5_LEN, MD5_LEN) == 0;
}

/* From the record `at` on: the first that is this shard's. */
static void find_next(struct aggregate *a)
{
	for (; a->at < a->n; a->at++) {
		struct field field = {.number = 0};
		const struct aggregate_key *key;
		struct item item;

		while (field.number != 3)
			SEAL_INVARIANT(next_field(&a->rest, &field));
		SEAL_INVARIANT(read_item(field.bytes, &item));
		key = item.has_hash_key ? &a->hash_keys[item.hash_key] : &a->keys[item.key];
		if (key->place == PLACE_FOREIGN)
			continue;
		a->key = a->keys[item.key].text;
		a->data = item.data;
		return;
	}
}

enum seal_status aggregate_open(struct seal_bytes data, const struct hash_range *range, struct arena *arena,
				struct aggregate *out, enum aggregate_kind *kind, struct seal_err *err)
{
	struct tables t = {.keys = NULL};
	struct seal_bytes message;
	size_t foreign;

	*kind = AGGREGATE_NONE;
	if (!is_aggregate(data, &message) || !read_tables(message, &t))
		return SEAL_OK;
	if (t.n_items > AGGREGATE_RECORDS_MAX || t.n_keys > AGGREGATE_KEYS_MAX ||
	    t.n_hash_keys > AGGREGATE_KEYS_MAX || t.too_long)
		return err_set(
			err, SEAL_DATA, SEAL_E_LIMIT,
			"is an aggregate of %zu records and %zu keys; %u and %u, with keys of %d bytes, are the "
			"most that are taken apart",
			t.n_items, t.n_keys + t.n_hash_keys, AGGREGATE_RECORDS_MAX, AGGREGATE_KEYS_MAX,
			AGGREGATE_KEY_BYTES);
	t.keys = arena_alloc(arena, (t.n_keys + t.n_hash_keys + 1) * sizeof(*t.keys), _Alignof(struct aggregate_key));
	if (t.keys == NULL)
		return err_memory(err);
	t.hash_keys = t.keys + t.n_keys;
	(void)read_tables(message, &t);
	if (!check_items(message, &t, range, &foreign))
		return SEAL_OK;
	*kind = foreign < t.n_items ? AGGREGATE_HERE : AGGREGATE_FOREIGN;
	*out = (struct aggregate){
		.rest = {message}, .keys = t.keys, .hash_keys = t.hash_keys, .n = t.n_items, .foreign = foreign};
	find_next(out);
	return SEAL_OK;
}

bool aggregate_next(struct aggregate *a, struct seal_bytes *key, struct seal_bytes *data)
{
	if (a->at == a->n)
		return false;
	*key = a->key;
	*data = a->data;
	a->at++;
	find_next(a);
	return true;
}
