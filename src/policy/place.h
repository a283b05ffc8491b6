/*
 * The place that ciphertext is bound to: an unambiguous, length-prefixed encoding (docs/FORMAT.md, "Place").
 *
 *   01                     version of this encoding
 *   01 | 02 | 03           bound to: place | domain | record
 *   u32 n, namespace       big-endian lengths everywhere
 *   u32 n, canonical path  (or the domain's name)
 *   01 | 02 | 03           kind of value: string | json | bytes
 *   u8 kind, u32 n, value  record only: the sibling (01: decoded string, 02: exact JSON text)
 */
#ifndef POLICY_PLACE_H
#define POLICY_PLACE_H

#include "base/buf.h"

enum place_bound { PLACE_PATH = 1, PLACE_DOMAIN = 2, PLACE_RECORD = 3 };
enum place_kind { PLACE_STRING = 1, PLACE_JSON = 2, PLACE_BYTES = 3 };

struct place {
	enum place_bound bound;
	struct seal_bytes namespace_;
	struct seal_bytes name; /* canonical path, or domain */
	enum place_kind kind;
	enum place_kind sibling_kind; /* PLACE_RECORD */
	struct seal_bytes sibling;
};

/* Appends the encoding to `out`. */
SEAL_MUST_USE enum seal_status place_encode(const struct place *place, struct seal_buf *out, struct seal_err *err);

/* The reverse: views of `text`. False when it is none. */
bool place_parse(struct seal_bytes text, struct place *place);

#endif
