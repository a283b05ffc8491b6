/*
 * Exactly once: what is written goes into a transaction of the sink, which commits the source's position with it.
 *
 *   NONE ──a batch in turn──▶ OPEN ──due──▶ ENDING ─┬─ committed ──▶ NONE
 *                                                   └─ aborted ────▶ NONE, and `stale`: what was read is dropped, the source
 *                                                                    rewinds, and it is all read again
 *
 * A batch's memory is free as soon as it is written: what has to be done again is read again. Writers wait while a transaction
 * ends; readers and transforming workers don't. Whoever finds one ENDING drives it, one thread at a time, without `lock`.
 */
#ifndef PUMP_TRANSACTION_H
#define PUMP_TRANSACTION_H

#include "pump/work.h"

/* All under `lock`. */

/* Before a write: begins one when none is open. SEAL_RETRY: no answer yet; the run may have failed by it. */
SEAL_MUST_USE enum seal_status transaction_begin(struct pump *p, struct seal_err *err);
/* After it: `batch` is in it, and so are its counts. Another transaction is due from now on when this one is full. */
SEAL_MUST_USE enum seal_status transaction_add(struct pump *p, const struct batch *batch,
					       const struct pump_counts *counts, struct seal_err *err);
/* Ends what is due, or with `now` what is open, as far as it can in about a tick; gives `lock` away meanwhile. */
void transaction_drive(struct pump *p, bool now);
/* How long a read may wait for records. */
int transaction_read_ms(struct pump *p);
/* Was this batch read before a rewind? Then it must not go out. */
bool transaction_is_stale(const struct pump *p, uint64_t sequence);

/* Under read_lock, not `lock`: the source goes back, where it has to. SEAL_RETRY: it is away. */
SEAL_MUST_USE enum seal_status transaction_rewind(struct pump *p, struct seal_err *err);

#endif
