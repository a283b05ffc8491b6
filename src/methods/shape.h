/*
 * Shapes: a value of which only some characters change. Those of an alphabet do, but for the first and last of them that are
 * kept; all others stay where they are. What a value of a shape needs, for methods whose results look like their values.
 *
 *   text       4 1 1 1 - 1 1 1 1 - 1 1 1 1 - 1 1 1 1      alphabet: digits, keep: {first: 6, last: 4}
 *   numerals   4 1 1 1   1 1 1 1   1 1 1 1   1 1 1 1
 *              └─ kept ────┘ └─ free ────┘ └─ kept ┘      a domain of 10^6 at least
 */
#ifndef METHODS_SHAPE_H
#define METHODS_SHAPE_H

#include "methods/alphabet.h"
#include "methods/method.h"

#define SHAPE_DOMAIN_MIN 1000000

struct shape {
	const char *method; /* whose, for messages */
	struct alphabet *alphabet;
	size_t keep_first, keep_last;
	size_t n_min, n_max; /* how many characters can be free */
	bool digits; /* integers are taken, too */
};

/* `alphabet` as for alphabet_new. n_max bounds the free characters. */
SEAL_MUST_USE enum seal_status shape_init(struct shape *shape, const char *method, const char *alphabet,
					  int64_t keep_first, int64_t keep_last, size_t n_max, struct seal_err *err);
void shape_clear(struct shape *shape); /* all zero is fine */

/* The numerals of a value, in the arena of its lot. */
struct shaped {
	uint16_t *numerals; /* kept ones, too */
	uint16_t *free; /* where those begin that are not … */
	uint32_t n; /* … and how many there are */
};

/* Reads one cell; where its type or length is none for this shape, the cell is failed. Fails without memory alone. */
SEAL_MUST_USE enum seal_status shape_read(const struct shape *shape, struct lot *lot, struct cell *cell,
					  struct shaped *out, struct seal_err *err);

/* An integer of JSON must not begin with a zero. */
bool shape_leads(const struct shape *shape, bool json);

/* `text`, of which `numerals` were read, with these in their stead, in the arena. */
SEAL_MUST_USE enum seal_status shape_write(const struct shape *shape, struct seal_bytes text,
					   const uint16_t *numerals, struct arena *arena, struct seal_bytes *out,
					   struct seal_err *err);

#endif
