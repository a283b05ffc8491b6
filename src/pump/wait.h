/*
 * Waits for services that are away: told once, however many threads wait, and given up in the end.
 *
 *   pump_wait_on ── pump_wait_on ─┬─ it answers: pump_wait_end      the first one tells "waiting", the last one "going on"
 *                                 └─ false: the run ends
 *
 * All functions are called under `lock`.
 */
#ifndef PUMP_WAIT_H
#define PUMP_WAIT_H

#include "base/err.h"

struct pump;

/* Zeroed: nothing is waited for. */
struct pump_wait {
	uint64_t since_ms; /* 0: not waiting */
	bool told;
	int pause_ms; /* for callers that sleep between two tries: before the next one */
};

/*
 * It answers SEAL_RETRY, `why` says what and why: told once that has gone on for after_ms. False: for as long as retry_ms of the
 * run's options allows.
 */
bool pump_wait_on(struct pump *p, struct pump_wait *wait, const struct seal_err *why, unsigned after_ms);
/* It is over; `answered`: as it was answered. No wait is fine. */
void pump_wait_end(struct pump *p, struct pump_wait *wait, bool answered);

/* Where the run has waited since then for as long as it may, its error says so. */
void pump_wait_given_up(const struct pump *p, uint64_t since_ms, struct seal_err *err);

#endif
