/*
 * Data keys from and to their key encryption key. A session gives plaintext in the arena of the call, which is not locked:
 * it is wiped as soon as the key is derived of it, not first when the arena is.
 */
#include "keys/kek.h"

#include "base/mem.h"
#include "keys/data_keys.h"
#include "keys/item_err.h"

#define RAW_MAX 64 /* bytes of the longest data key */

struct seal_bytes kek_context(bool derived)
{
	return derived ? BYTES_LIT(DATA_KEYS_CONTEXT) : BYTES_EMPTY;
}

enum seal_status kek_make(const struct kek *kek, const struct key_call *call, struct data_key **out,
			  struct seal_err *err)
{
	struct seal_bytes wrapped;
	struct secret raw = SECRET_INIT;
	enum seal_status rc;

	*out = NULL;
	if (kek->session->ops->data_key == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "a key of this type makes no data keys; take one of type aes256-gcm96");
	SEAL_TRY(kek->session->ops->data_key(kek->session, DATA_KEY_LEN, kek_context(kek->derived), &raw, &wrapped,
					     call, err));
	SEAL_TRY(data_key_new(secret_bytes(&raw), wrapped, out, err));
out:
	secret_clear(&raw);
	return rc;
}

/* Asks for those that can be wrapped keys by their length: `asked` are their items, in the order of `lot`. */
static size_t choose(struct kek_item *items, size_t n, struct seal_bytes context, struct key_item *lot,
		     struct kek_item **asked, struct arena *arena)
{
	struct seal_err why = SEAL_ERR_INIT;
	const struct seal_err *last = NULL;
	size_t count = 0;

	(void)err_set(&why, SEAL_DATA, SEAL_E_LIMIT, "a wrapped data key is longer than %d bytes",
		      DATA_KEY_WRAPPED_MAX);
	for (size_t i = 0; i < n; i++) {
		items[i].key = NULL;
		items[i].err = NULL;
		if (items[i].wrapped.len > DATA_KEY_WRAPPED_MAX) {
			items[i].err = item_err_share(arena, &why, &last);
			continue;
		}
		asked[count] = &items[i];
		lot[count++] = (struct key_item){.in = items[i].wrapped, .aad = context};
	}
	return count;
}

/* One answer becomes a key; the plaintext is wiped. */
static void take(struct key_item *answer, struct kek_item *item, struct arena *arena, const struct seal_err **last)
{
	struct seal_err why = SEAL_ERR_INIT;

	if (answer->err != NULL) {
		item->err = answer->err;
		return;
	}
	if (data_key_new(answer->out, item->wrapped, &item->key, &why) != SEAL_OK)
		item->err = item_err_share(arena, &why, last);
	mem_wipe((uint8_t *)answer->out.ptr, answer->out.len);
}

enum seal_status kek_unwrap(const struct kek *kek, struct kek_item *items, size_t n, const struct key_call *call,
			    struct seal_err *err)
{
	struct key_item *lot = arena_alloc(call->arena, n * sizeof(*lot), _Alignof(struct key_item));
	struct kek_item **asked = arena_alloc(call->arena, n * sizeof(*asked), _Alignof(struct kek_item *));
	const struct seal_err *last = NULL;
	enum seal_status rc = SEAL_OK;
	size_t count;

	if (lot == NULL || asked == NULL)
		return err_memory(err);
	count = choose(items, n, kek_context(kek->derived), lot, asked, call->arena);
	if (count > 0)
		SEAL_TRY(kek->session->ops->decrypt(kek->session, lot, count, call, err));
	for (size_t i = 0; i < count; i++)
		take(&lot[i], asked[i], call->arena, &last);
out:
	return rc;
}

enum seal_status kek_unwrap_raw(const struct kek *kek, struct seal_bytes wrapped, const char *what,
				const struct key_call *call, struct secret *raw, struct seal_err *err)
{
	struct key_item item = {.in = wrapped, .aad = kek_context(kek->derived)};
	enum seal_status rc;

	SEAL_TRY(kek->session->ops->decrypt(kek->session, &item, 1, call, err));
	if (item.err != NULL) {
		rc = err_set(err, item.err->status, item.err->code, "%s", item.err->text);
		if (what != NULL)
			err_prefix(err, "%s", what);
	} else if (item.out.len > 0 && item.out.len <= RAW_MAX) {
		rc = secret_copy(raw, item.out, err);
	}
	mem_wipe((uint8_t *)item.out.ptr, item.out.len); /* the arena is ours to wipe, its view only looks const */
out:
	return rc;
}

enum seal_status kek_rewrap(const struct kek *kek, struct seal_bytes *texts, size_t n, const struct key_call *call,
			    struct seal_err *err)
{
	struct key_item *lot = arena_alloc(call->arena, n * sizeof(*lot), _Alignof(struct key_item));
	enum seal_status rc;

	if (lot == NULL)
		return err_memory(err);
	if (kek->session->ops->rewrap == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "a key of this type rewraps nothing");
	for (size_t i = 0; i < n; i++)
		lot[i] = (struct key_item){.in = texts[i], .aad = kek_context(kek->derived)};
	SEAL_TRY(kek->session->ops->rewrap(kek->session, lot, n, call, err));
	for (size_t i = 0; i < n; i++)
		texts[i] = lot[i].err == NULL ? lot[i].out : BYTES_EMPTY;
out:
	return rc;
}
