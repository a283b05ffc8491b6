/* Errors of items, shared by those that fail alike. */
#include "keys/item_err.h"

#include <string.h>

const struct seal_err *item_err_share(struct arena *arena, const struct seal_err *why, const struct seal_err **last)
{
	static const struct seal_err no_memory = {SEAL_FATAL, SEAL_E_MEMORY, "out of memory", ""};
	struct seal_err *copy;

	if (*last != NULL && (*last)->code == why->code && strcmp((*last)->text, why->text) == 0)
		return *last;
	copy = ARENA_NEW(arena, struct seal_err);
	if (copy == NULL)
		return &no_memory;
	*copy = *why;
	*last = copy;
	return copy;
}
