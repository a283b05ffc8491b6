/* A set of transfer ids in little memory: 16 bytes a slot, at most three quarters full. */
#ifndef TRANSFER_ID_SET_H
#define TRANSFER_ID_SET_H

#include "base/err.h"
#include "files/container.h"

struct id_set {
	uint8_t (*slots)[FILE_ID_LEN]; /* all zero: free */
	size_t n, n_slots; /* n_slots: 0 or a power of two */
	bool zero; /* the id of zeros is in the set; it is not counted in n */
};

bool id_set_has(const struct id_set *set, const uint8_t *id);
SEAL_MUST_USE enum seal_status id_set_add(struct id_set *set, const uint8_t *id, struct seal_err *err);
void id_set_clear(struct id_set *set);

#endif
