/*
 * The circuit breaker: spares a server that is away, and its callers the wait. Time is an argument, so that tests need no
 * clock. Thread-safe.
 *
 *              `limit` failures in a row              pause is over
 *     CLOSED ───────────────────────────▶ OPEN ─────────────────────────▶ HALF_OPEN: one probe
 *       ▲                                  ▲  │                              │   │
 *       │                                  │  └── any success ──┐            │   │
 *       │                                  └── probe failed: pause doubles ──┘   │
 *       └───────────────────────── success ◀────────────────────┴────────────────┘
 */
#ifndef HTTP_BREAKER_H
#define HTTP_BREAKER_H

#include <pthread.h>

#include "base/err.h"

#define BREAKER_PAUSE_FIRST_MS 500u
#define BREAKER_PAUSE_MAX_MS 30000u
/* A probe that has not said how it went by then has been forgotten by its owner: another one may try. */
#define BREAKER_PROBE_MAX_MS 120000u
#define BREAKER_WHY_MAX 128

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum breaker_pass {
	BREAKER_PASS, /* try */
	BREAKER_PROBE, /* try; all others wait for how it goes */
	BREAKER_STOP /* don't */
};

struct breaker {
	pthread_mutex_t lock; /* guards all below */
	enum breaker_state state;
	unsigned limit, failures;
	uint64_t pause_ms, until_ms; /* OPEN: until then; HALF_OPEN: when the probe counts as forgotten */
	char why[BREAKER_WHY_MAX]; /* the last failure */
};

/* Closed. `limit` is at least 1. */
void breaker_init(struct breaker *b, unsigned limit);
void breaker_destroy(struct breaker *b);

/*
 * May one try at `now_ms`? After BREAKER_STOP *wait_ms says when to ask again, and `why` (BREAKER_WHY_MAX bytes) has the last
 * failure. After the other two exactly one of the functions below is called with what was answered.
 */
enum breaker_pass breaker_ask(struct breaker *b, uint64_t now_ms, uint64_t *wait_ms, char *why);
void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b, enum breaker_pass pass, uint64_t now_ms, const char *why);
/* Nothing was learned: given up, or no memory. */
void breaker_abandon(struct breaker *b, enum breaker_pass pass, uint64_t now_ms);

#endif
