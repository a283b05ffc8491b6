/*
 * Waiting for what answers SEAL_RETRY: a key server or a broker that is away, a full disk. Told once, tried again at growing
 * intervals, given up at a stop request or after a time.
 */
#ifndef TRANSFER_WAIT_H
#define TRANSFER_WAIT_H

#include "transfer/transfer.h"

struct wait {
	uint64_t since_ms; /* 0: not waiting */
	uint64_t pause_ms;
};

/*
 * After SEAL_RETRY with `err`: sleeps and clears err for the next try. False when that is enough: at a stop request, or after
 * `limit_ms` (0: never), when err says so.
 */
bool wait_again(struct wait *wait, const struct transfer_watch *watch, uint64_t limit_ms, struct seal_err *err);
/* It answered, or there will be no next try. Returns how long it was waited. */
uint64_t wait_end(struct wait *wait, const struct transfer_watch *watch, bool answered);

#endif
