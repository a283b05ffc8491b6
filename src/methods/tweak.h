/* Tweaks made of the place of a value: the first bytes of its SHA-256. */
#ifndef METHODS_TWEAK_H
#define METHODS_TWEAK_H

#include "base/arena.h"
#include "base/err.h"

#define TWEAKS_CACHED 16 /* a power of two */

/* Tweaks by the address of the place: right within one call, as a lot's places lie still. Zero it before the first. */
struct tweaks {
	const uint8_t *place[TWEAKS_CACHED];
	struct seal_bytes tweak[TWEAKS_CACHED];
};

/* The first `len` (at most 32) bytes of the hash of `place`, which is not empty; in the arena. */
SEAL_MUST_USE enum seal_status tweak_of_place(struct tweaks *cache, struct seal_bytes place, size_t len,
					      struct arena *arena, struct seal_bytes *tweak, struct seal_err *err);

#endif
