/*
 * The sink of a run: what is safe in it, and whether its service is away. All functions are called under `lock`.
 */
#ifndef PUMP_TARGET_H
#define PUMP_TARGET_H

#include "pump/work.h"

/*
 * Serves the sink; *ticket: what is safe. Its poll says, too, whether its service is away; the run fails where poll does, or the
 * service is away for too long.
 */
void target_serve(struct pump *p, int timeout_ms, uint64_t *ticket);
/* The sink's service is away: told once, given up in the end. */
void target_is_away(struct pump *p, const struct seal_err *why);
/* Batches up to the ticket are safe. */
void target_acknowledge(struct pump *p, uint64_t ticket);
/* SEAL_RETRY: `what`, and why where the service is away. */
enum seal_status target_too_late(const struct pump *p, const char *what, struct seal_err *err);

#endif
