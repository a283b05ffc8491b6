/*
 * Secret memory for many small keys: slots of 32 bytes, 128 to a locked page. A page for each key would use up what a process may
 * lock (often 8 MiB) with two thousand keys. Thread-safe.
 */
#ifndef BASE_SECRET_SLOT_H
#define BASE_SECRET_SLOT_H

#include "base/secret.h"

#define SECRET_SLOT_LEN 32

struct secret_slab;

struct secret_slot {
	uint8_t *ptr; /* SECRET_SLOT_LEN bytes */
	struct secret_slab *slab;
};

#define SECRET_SLOT_INIT                                                                                             \
	{                                                                                                            \
		NULL, NULL                                                                                           \
	}

/* Zeroed. */
SEAL_MUST_USE enum seal_status secret_slot_alloc(struct secret_slot *slot, struct seal_err *err);
/* Wipes and releases; an empty slot is fine. */
void secret_slot_clear(struct secret_slot *slot);

/* Pages in use, of the whole process. */
size_t secret_slot_pages(void);

#endif
