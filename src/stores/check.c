/* See check.h. */
#include "stores/check.h"

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

enum seal_status store_copy(const struct store_call *call, const void *ptr, size_t len, struct seal_bytes *out,
			    struct seal_err *err)
{
	*out = arena_copy(call->arena, bytes_of(len > 0 ? ptr : "", len));
	return out->ptr != NULL ? SEAL_OK : err_memory(err);
}
