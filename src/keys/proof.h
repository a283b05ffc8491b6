/* Does a store hold this very key? Proved by use, since a store may keep its material to itself. */
#ifndef KEYS_PROOF_H
#define KEYS_PROOF_H

#include "keys/key.h"

/* One version of a key as raw material. */
struct key_material {
	const char *type;
	bool derived, convergent;
	uint32_t version;
	struct seal_bytes bytes;
};

/*
 * An encryption key: a text that `material` makes here must open there, and where it is the latest version, one made there
 * must open here. Others: both must give the same result; a version below the minimum encryption version gives none any
 * more, and passes. SEAL_USAGE/SEAL_E_KEY_EXISTS when the key that `reference` names
 * has another key as that version; any error of the store.
 */
SEAL_MUST_USE enum seal_status key_prove(struct key_source *source, struct seal_bytes reference,
					 const struct key_material *material, uint64_t deadline_ms,
					 struct seal_err *err);

#endif
