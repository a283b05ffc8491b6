/* How long to leave a service alone that is away or throttles: doubles with each trouble up to 10 s, halves with each success. */
#ifndef STREAMS_PAUSE_H
#define STREAMS_PAUSE_H

#include <stdint.h>

/* Zeroed: no pause. Guarded by its owner's lock; times are clock_mono_ms(). */
struct pause {
	unsigned level; /* 0: none; the longest pause is 100 ms * 2^level */
	uint64_t until_ms; /* nothing is to start before */
	uint64_t changed_ms;
};

/* A call that began at began_ms was refused. Calls that were under way together count as one. */
void pause_longer(struct pause *pause, uint64_t began_ms, uint64_t now_ms);
/* Some of it was refused: a pause, but not a longer one. */
void pause_keep(struct pause *pause, uint64_t now_ms);
/* It went well. */
void pause_shorter(struct pause *pause);
/* A call starts: where there is trouble, the next one is as far away as the pause is long. */
void pause_start(struct pause *pause, uint64_t now_ms);

#endif
