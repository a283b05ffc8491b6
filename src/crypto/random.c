/*
 * Random bytes and the nonce pool.
 *
 *   bytes  | wiped, given out ........ | random, not yet given out |
 *          0                           used               sizeof bytes
 *
 * Invariants: bytes at and after `used` have never left the pool; bytes before it are zero. A pool whose fork_epoch is
 * not the process's is empty: fork() copies the pool, so the child throws its copy away. (libcrypto's generator
 * reseeds itself after fork.) The epoch is advanced by pthread_atfork, which a raw clone() does not call. No fork() comes while a
 * thread is in libcrypto's generator: the child would wait for ever for a lock that it holds there.
 */
#include "crypto/random.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/libcrypto.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint_fast64_t epoch = 1; /* 0 is never current: a zeroed pool refills */
static bool watching;
static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER; /* in the generator, or forking; pools make it rare */

static void before_fork(void)
{
	pthread_mutex_lock(&drawing);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&drawing);
}

static void in_child(void)
{
	pthread_mutex_unlock(&drawing);
	atomic_fetch_add(&epoch, 1);
}

static void watch(void)
{
	watching = pthread_atfork(before_fork, in_parent, in_child) == 0;
}

void random_watch_fork(void)
{
	pthread_once(&once, watch);
}

static int draw(uint8_t *out, int len)
{
	int drawn;

	pthread_mutex_lock(&drawing);
	drawn = RAND_bytes(out, len);
	pthread_mutex_unlock(&drawing);
	return drawn;
}

enum seal_status random_bytes(uint8_t *out, size_t len, struct seal_err *err)
{
	const size_t step = 1u << 30; /* RAND_bytes takes an int */

	random_watch_fork();
	for (size_t done = 0; done < len;) {
		size_t now = len - done < step ? len - done : step;

		if (draw(out + done, (int)now) != 1) {
			mem_wipe(out, len);
			return libcrypto_failed(err, "RAND_bytes");
		}
		done += now;
	}
	return SEAL_OK;
}

void random_pool_init(struct random_pool *pool)
{
	random_watch_fork();
	memset(pool->bytes, 0, sizeof(pool->bytes));
	pool->used = sizeof(pool->bytes);
	pool->fork_epoch = 0;
}

static enum seal_status refill(struct random_pool *pool, uint64_t now, struct seal_err *err)
{
	enum seal_status rc = random_bytes(pool->bytes, sizeof(pool->bytes), err);

	pool->used = rc == SEAL_OK ? 0 : sizeof(pool->bytes);
	pool->fork_epoch = now;
	return rc;
}

enum seal_status random_pool_take(struct random_pool *pool, uint8_t *out, size_t len, struct seal_err *err)
{
	uint64_t now = atomic_load_explicit(&epoch, memory_order_relaxed);
	enum seal_status rc;

	if (!watching || len > sizeof(pool->bytes))
		return random_bytes(out, len, err); /* no fork handler: never buffer */
	if (pool->fork_epoch != now || len > sizeof(pool->bytes) - pool->used) {
		rc = refill(pool, now, err);
		if (rc != SEAL_OK)
			return rc;
	}
	if (len > 0)
		memcpy(out, pool->bytes + pool->used, len);
	mem_wipe(pool->bytes + pool->used, len);
	pool->used += len;
	return SEAL_OK;
}

void random_pool_clear(struct random_pool *pool)
{
	mem_wipe(pool->bytes, sizeof(pool->bytes));
	pool->used = sizeof(pool->bytes);
	pool->fork_epoch = 0;
}
