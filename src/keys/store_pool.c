/*
 * Idle sessions on a stack. `lock` guards it; nothing blocks under it. Invariant: the stack has room for all sessions that are
 * open, so that giving one back needs no memory.
 */
#include "keys/store_pool.h"

#include <pthread.h>

#include "base/mem.h"

struct store_pool {
	struct store *store;
	pthread_mutex_t lock;
	struct store_session **idle;
	size_t n_idle, n_open, room;
	bool made; /* the store, which was missing */
};

enum seal_status store_pool_new(struct store *store, struct store_pool **out, struct seal_err *err)
{
	struct store_pool *pool = mem_calloc(1, sizeof(*pool));

	*out = pool;
	if (pool == NULL)
		return err_memory(err);
	pool->store = store;
	pthread_mutex_init(&pool->lock, NULL);
	return SEAL_OK;
}

void store_pool_free(struct store_pool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->n_idle; i++)
		pool->idle[i]->ops->session_free(pool->idle[i]);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool->idle);
	mem_free(pool);
}

/* With the lock held: room for one session more. */
static enum seal_status grow(struct store_pool *pool, struct seal_err *err)
{
	const size_t room = pool->room + 8;
	struct store_session **grown;

	if (pool->n_open < pool->room)
		return SEAL_OK;
	grown = mem_realloc_array(pool->idle, room, sizeof(struct store_session *));
	if (grown == NULL)
		return err_memory(err);
	pool->idle = grown;
	pool->room = room;
	return SEAL_OK;
}

/* One session is open no more. */
static void count_closed(struct store_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->n_open--;
	pthread_mutex_unlock(&pool->lock);
}

enum seal_status store_pool_take(struct store_pool *pool, struct store_session **out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&pool->lock);
	if (pool->n_idle > 0) {
		*out = pool->idle[--pool->n_idle];
	} else {
		rc = grow(pool, err);
		if (rc == SEAL_OK)
			pool->n_open++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (rc != SEAL_OK || *out != NULL)
		return rc;
	rc = pool->store->ops->session(pool->store, out, err);
	if (rc != SEAL_OK)
		count_closed(pool);
	return rc;
}

enum seal_status store_pool_make(struct store_pool *pool, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool made;

	if (!pool->store->missing)
		return SEAL_OK;
	pthread_mutex_lock(&pool->lock);
	made = pool->made;
	pthread_mutex_unlock(&pool->lock);
	if (!made)
		rc = pool->store->ops->make(pool->store, err);
	pthread_mutex_lock(&pool->lock);
	pool->made |= rc == SEAL_OK;
	pthread_mutex_unlock(&pool->lock);
	return rc;
}

void store_pool_give(struct store_pool *pool, struct store_session *session, bool good)
{
	if (session == NULL)
		return;
	if (!good) {
		session->ops->session_free(session);
		count_closed(pool);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->idle[pool->n_idle++] = session;
	pthread_mutex_unlock(&pool->lock);
}
