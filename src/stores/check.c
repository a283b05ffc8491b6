/* See check.h. */
#include "stores/check.h"

enum seal_status store_open_end(struct store *store, const struct store_config *config, const struct seal_err *why,
				struct seal_err *err)
{
	store->missing = config->later && why->code == SEAL_E_NO_INPUT;
	if (why->status == SEAL_OK || store->missing)
		return SEAL_OK;
	return err_set(err, why->status, why->code, "%s", why->text);
}

void store_check_space(const char *space)
{
	size_t len = strlen(space);

	SEAL_INVARIANT(len > 0 && len <= STORE_SPACE_MAX);
	SEAL_INVARIANT(strspn(space, "abcdefghijklmnopqrstuvwxyz0123456789-") == len);
}

enum seal_status store_check_items(const struct store_item *items, size_t n, bool values, struct seal_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].key.len == 0 || items[i].key.len > STORE_KEY_MAX)
			return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "a row of a store has a key of 1 to %d bytes",
				       STORE_KEY_MAX);
		if (values && items[i].value.len > STORE_VALUE_MAX)
			return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "a row of a store has at most %d bytes",
				       STORE_VALUE_MAX);
	}
	return SEAL_OK;
}

enum seal_status store_check_changes(const struct store_change *changes, size_t n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		const struct store_item items[] = {{.key = changes[i].key, .value = changes[i].from},
						   {.key = changes[i].key, .value = changes[i].to}};

		SEAL_TRY(store_check_items(items, 2, true, err));
	}
out:
	return rc;
}

enum seal_status store_guard_begin(struct store_guard *guard, struct seal_err *err)
{
	const struct store_item item = {.key = guard != NULL ? guard->key : BYTES_EMPTY};

	if (guard == NULL)
		return SEAL_OK;
	guard->failed = false;
	return store_check_items(&item, 1, false, err);
}

enum seal_status store_guard_fail(struct store_guard *guard, const char *shown, struct seal_err *err)
{
	guard->failed = true;
	return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
		       "the store %s: another process has just changed how rows are written there; try again", shown);
}

struct seal_bytes store_prefix_end(struct seal_bytes prefix, uint8_t end[STORE_KEY_MAX + 1])
{
	size_t len = prefix.len;

	SEAL_INVARIANT(len <= STORE_KEY_MAX);
	while (len > 0 && prefix.ptr[len - 1] == 0xff)
		len--;
	if (len == 0) { /* nothing stands after them, and no key is as long as this */
		memset(end, 0xff, STORE_KEY_MAX + 1);
		return bytes_of(end, STORE_KEY_MAX + 1);
	}
	memcpy(end, prefix.ptr, len);
	end[len - 1]++;
	return bytes_of(end, len);
}

enum seal_status store_copy(const struct store_call *call, const void *ptr, size_t len, struct seal_bytes *out,
			    struct seal_err *err)
{
	*out = arena_copy(call->arena, bytes_of(len > 0 ? ptr : "", len));
	return out->ptr != NULL ? SEAL_OK : err_memory(err);
}
