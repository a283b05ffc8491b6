/*
 * A service that takes nothing and says nothing: a sink whose records wait for it calls it away after a while, as if it had
 * refused them. What counts as heard is the sink's to say: any record that was taken.
 */
#ifndef STREAMS_SILENCE_H
#define STREAMS_SILENCE_H

#include <stddef.h>

#include "base/err.h"

#define SILENCE_MS 5000

/* Guarded by its owner. */
struct silence {
	uint64_t since_ms; /* when it was heard of last, or owed nothing */
};

/* It was heard of, or owes nothing, or its first record goes out. */
void silence_end(struct silence *silence);
/* SEAL_OK, or after SILENCE_MS SEAL_RETRY with why; `owed` records wait for it, `place` is who. */
enum seal_status silence_check(const struct silence *silence, size_t owed, const char *place, struct seal_err *err);

#endif
