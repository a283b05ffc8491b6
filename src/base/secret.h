/*
 * Secret memory: own pages, locked where the system allows, left out of core files, wiped before release.
 * Keys, passphrases and keyed cipher contexts live here. Never printed; compared with ct_equal only.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"
#include "base/err.h"

struct secret {
	uint8_t *ptr; /* page-aligned */
	size_t len;
};

#define SECRET_INIT                                                                                                  \
	{                                                                                                            \
		NULL, 0                                                                                              \
	}

/* Zeroed memory of `len` bytes (1 … 1 MiB). */
SEAL_MUST_USE enum seal_status secret_alloc(struct secret *s, size_t len, struct seal_err *err);
SEAL_MUST_USE enum seal_status secret_copy(struct secret *s, struct seal_bytes from, struct seal_err *err);
/* Wipes and releases. */
void secret_clear(struct secret *s);

static inline struct seal_bytes secret_bytes(const struct secret *s)
{
	return bytes_of(s->ptr, s->len);
}

/* True while every allocation so far could be locked (for `doctor` and a warning at start). */
bool secret_all_locked(void);

/* No core files and no ptrace by others for this process. Called first thing by the program. */
void secret_harden_process(void);

/* Equal in time that depends on `len` alone. */
bool ct_equal(const void *a, const void *b, size_t len);

#endif
