/*
 * Why items fail. Hundreds of thousands of one call may fail alike: those that do so one after the other share one error.
 */
#ifndef KEYS_ITEM_ERR_H
#define KEYS_ITEM_ERR_H

#include "base/arena.h"
#include "base/err.h"

/*
 * *last where that says the same as `why`, else a copy in `arena`, which *last then is. *last is NULL at the start of a
 * call. Never NULL: without memory it is an error that says so.
 */
const struct seal_err *item_err_share(struct arena *arena, const struct seal_err *why, const struct seal_err **last);

#endif
