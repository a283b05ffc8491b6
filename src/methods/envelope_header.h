/*
 * The record header seal-key (docs/FORMAT.md): wrapped data keys beside a record, for envelopes that name them only.
 *
 *   entry , entry …      entry: base64url of the commitment (43 characters) . wrapped key
 *
 * A wrapped key is printable ASCII without a comma ("vault:vN:…").
 */
#ifndef METHODS_ENVELOPE_HEADER_H
#define METHODS_ENVELOPE_HEADER_H

#include "methods/envelope_form.h"

#define KEY_HEADER_ENTRIES_MAX 64
#define KEY_HEADER_MAX (64u << 10) /* bytes */

/* One wrapped key; `text` is the whole entry. Views. */
struct key_header_entry {
	uint8_t commitment[DATA_KEY_COMMITMENT_LEN];
	struct seal_bytes text, wrapped;
};

struct key_header {
	struct key_header_entry entries[KEY_HEADER_ENTRIES_MAX];
	size_t n;
};

/* False when it is not exactly such a list, or larger than the limits. An empty value has no entries. */
bool key_header_parse(struct seal_bytes value, struct key_header *header);

/* The only entry that `name` (ENVELOPE_NAME_LEN bytes) names; NULL: there is none, or more than one. */
const struct key_header_entry *key_header_find(const struct key_header *header, const uint8_t *name);

/* The version of the key that wraps the key of the entry that `name` names; 0: the header does not tell. */
uint32_t key_header_version(struct seal_bytes value, const uint8_t *name);

/* An entry's text, in `arena`. SEAL_FATAL when `wrapped` cannot stand in one. */
SEAL_MUST_USE enum seal_status key_header_entry_write(const uint8_t *commitment, struct seal_bytes wrapped,
						      struct arena *arena, struct seal_bytes *entry,
						      struct seal_err *err);

/*
 * *value with `entry` in the place of entry `at`, or behind all when `at` is header->n. *fits is false, and *value as it was,
 * when that would be too large.
 */
SEAL_MUST_USE enum seal_status key_header_put(const struct key_header *header, size_t at, struct seal_bytes entry,
					      struct arena *arena, struct seal_bytes *value, bool *fits,
					      struct seal_err *err);

#endif
