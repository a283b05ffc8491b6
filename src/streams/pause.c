/* A level, and a random time below 100 ms * 2^level: full jitter, as for calls over HTTP. */
#include "streams/pause.h"

#include "crypto/random.h"
#include "http/retry.h"

#define LEVEL_MAX 8 /* 100 ms * 2^7 is above RETRY_CAP_MS */

static uint64_t length_ms(const struct pause *pause)
{
	uint32_t noise = 0;

	if (random_bytes((uint8_t *)&noise, sizeof(noise), NULL) != SEAL_OK)
		noise = UINT32_MAX; /* the longest */
	return retry_pause_ms(pause->level - 1, noise);
}

void pause_start(struct pause *pause, uint64_t now_ms)
{
	if (pause->level > 0)
		pause->until_ms = now_ms + length_ms(pause);
}

void pause_longer(struct pause *pause, uint64_t began_ms, uint64_t now_ms)
{
	if (pause->level == 0 || (began_ms >= pause->changed_ms && pause->level < LEVEL_MAX)) {
		pause->level++;
		pause->changed_ms = now_ms;
	}
	pause_start(pause, now_ms);
}

void pause_keep(struct pause *pause, uint64_t now_ms)
{
	if (pause->level == 0)
		pause_longer(pause, now_ms, now_ms);
	else
		pause_start(pause, now_ms);
}

void pause_shorter(struct pause *pause)
{
	if (pause->level > 0)
		pause->level--;
	if (pause->level == 0)
		pause->until_ms = 0;
}
