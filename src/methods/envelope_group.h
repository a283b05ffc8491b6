/*
 * Cells of a lot by the data key that they need.
 *
 *   names    what names a key, noted as cells are read: the same one over and over, in practice; in the worst case another
 *            one for each cell. Numbered by content in the end, in time n log n whatever somebody put into a record
 *   groups   cells in the order of their keys, so that each key is set up once
 */
#ifndef METHODS_ENVELOPE_GROUP_H
#define METHODS_ENVELOPE_GROUP_H

#include "base/arena.h"
#include "base/err.h"

#define NAME_NONE UINT32_MAX

/* What names a key. Two names are one when both parts are equal. Views. */
struct key_name {
	struct seal_bytes first, second;
	uint32_t group; /* names_number sets it */
};

struct key_names {
	struct key_name *names;
	size_t n, cap;
	struct arena *arena;
};

/* *index: the name's place in `names`; a name that was noted lately is found again. */
SEAL_MUST_USE enum seal_status names_note(struct key_names *names, struct seal_bytes first, struct seal_bytes second,
					  uint32_t *index, struct seal_err *err);

/* Gives equal names the same group, 0 … *n_groups - 1, and says with which of `names` each group may be described. */
SEAL_MUST_USE enum seal_status names_number(struct key_names *names, uint32_t **described_by, size_t *n_groups,
					    struct seal_err *err);

struct cell_groups {
	uint32_t *
		order; /* indexes of cells, group by group, in each in the order of the lot; those of no group left out */
	size_t *start; /* of each group in `order`; n_groups + 1 */
};

/* `group_of`: by cell, NAME_NONE for one that belongs to none. */
SEAL_MUST_USE enum seal_status cells_group(const uint32_t *group_of, size_t n_cells, size_t n_groups,
					   struct arena *arena, struct cell_groups *out, struct seal_err *err);

#endif
