/* The cache is as small as a batch has different places: mostly one a field. What is not in it is hashed again. */
#include "methods/tweak.h"

#include "crypto/mac.h"

enum seal_status tweak_of_place(struct tweaks *cache, struct seal_bytes place, size_t len, struct arena *arena,
				struct seal_bytes *tweak, struct seal_err *err)
{
	const size_t slot = ((uintptr_t)place.ptr >> 4) % TWEAKS_CACHED;
	uint8_t digest[SHA256_LEN];
	enum seal_status rc = SEAL_OK;

	SEAL_INVARIANT(len <= sizeof(digest));
	*tweak = BYTES_EMPTY;
	if (cache->place[slot] != place.ptr) {
		SEAL_TRY(sha256(place, digest, err));
		cache->place[slot] = NULL;
		cache->tweak[slot] = arena_copy(arena, bytes_of(digest, len));
		if (cache->tweak[slot].ptr == NULL)
			return err_memory(err);
		cache->place[slot] = place.ptr;
	}
	*tweak = cache->tweak[slot];
out:
	return rc;
}
