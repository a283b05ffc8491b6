/*
 * The one token. `lock` guards what stands below it; it is not held while a token is fetched. One thread at a time fetches (`busy`),
 * and alone calls `fetch` meanwhile.
 */
#include "http/tokens.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

#define REFRESH_MS 225000u /* before its end; metadata servers give out a new one from five minutes before */
#define PAUSE_MS 10000u /* after a renewal that failed */

struct http_token {
	struct secret header;
	uint64_t due_ms, ends_ms;
	size_t users;
};

struct http_tokens {
	http_token_fetch *fetch;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool busy;
	uint64_t flights; /* ended fetches, and what the last one came to */
	enum seal_status failed;
	struct seal_err failure;
	struct http_token *current;
};

static uint64_t (*clock_now_ms)(void) = clock_mono_ms;

void http_tokens_set_clock(uint64_t (*now_ms)(void))
{
	clock_now_ms = now_ms != NULL ? now_ms : clock_mono_ms;
}

const char *http_token_header(const struct http_token *token)
{
	return (const char *)token->header.ptr;
}

/* Under lock, as all below that take a token. */
static void put(struct http_token *token)
{
	if (token == NULL || --token->users > 0)
		return;
	secret_clear(&token->header);
	mem_free(token);
}

void http_token_release(struct http_tokens *t, struct http_token *token)
{
	pthread_mutex_lock(&t->lock);
	put(token);
	pthread_mutex_unlock(&t->lock);
}

void http_token_refused(struct http_tokens *t, const struct http_token *token)
{
	pthread_mutex_lock(&t->lock);
	if (t->current == token) {
		put(t->current);
		t->current = NULL;
	}
	pthread_mutex_unlock(&t->lock);
}

static bool usable(const struct http_tokens *t, uint64_t now)
{
	return t->current != NULL && now < t->current->ends_ms;
}

static struct http_token *use(struct http_tokens *t)
{
	t->current->users++;
	return t->current;
}

/* Without the lock, but alone. */
static enum seal_status fetch(struct http_tokens *t, uint64_t deadline_ms, struct http_token **out,
			      struct seal_err *err)
{
	struct http_token *token = mem_calloc(1, sizeof(*token));
	const uint64_t asked_ms = clock_now_ms();
	uint64_t lifetime_s, life_ms, ahead_ms;
	enum seal_status rc;

	*out = NULL;
	if (token == NULL)
		return err_memory(err);
	SEAL_TRY(t->fetch(t->arg, deadline_ms, &token->header, &lifetime_s, err));
	life_ms = lifetime_s * 1000;
	ahead_ms = life_ms / 4 < REFRESH_MS ? life_ms / 4 : REFRESH_MS;
	token->users = 1;
	token->ends_ms = asked_ms + life_ms;
	token->due_ms = token->ends_ms - ahead_ms;
	*out = token;
	token = NULL;
out:
	mem_free(token);
	return rc;
}

/* Is there one to be had without fetching? Also true when the wait is over, for better or worse. Under lock. */
static bool settled(struct http_tokens *t, uint64_t deadline_ms, struct http_token **out, enum seal_status *rc,
		    struct seal_err *err)
{
	uint64_t flights;

	for (;;) {
		const uint64_t now = clock_now_ms();

		*rc = SEAL_OK;
		if (usable(t, now) && (t->busy || now < t->current->due_ms)) {
			*out = use(t);
			return true;
		}
		if (!t->busy)
			return false;
		flights = t->flights;
		while (t->flights == flights && clock_mono_ms() < deadline_ms)
			cond_wait_until(&t->done, &t->lock, deadline_ms);
		if (t->flights == flights) {
			*rc = err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT, "no token in time");
			return true;
		}
		if (t->failed != SEAL_OK && !usable(t, clock_now_ms())) {
			if (err != NULL)
				*err = t->failure;
			*rc = t->failed;
			return true;
		}
	}
}

/* What the fetch came to. Under lock. */
static enum seal_status install(struct http_tokens *t, enum seal_status rc, struct http_token *fresh,
				struct seal_err *own)
{
	const uint64_t now = clock_now_ms();

	t->busy = false;
	t->flights++;
	t->failed = rc;
	t->failure = *own;
	pthread_cond_broadcast(&t->done);
	if (rc == SEAL_OK) {
		put(t->current);
		t->current = fresh;
	} else if (usable(t, now)) {
		log_say(LOG_WARNING, "%s; the last one is still good", own->text);
		t->current->due_ms = now + PAUSE_MS;
		rc = SEAL_OK;
	}
	return rc;
}

enum seal_status http_token_get(struct http_tokens *t, uint64_t deadline_ms, struct http_token **out,
				struct seal_err *err)
{
	struct http_token *fresh;
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc;

	*out = NULL;
	pthread_mutex_lock(&t->lock);
	if (settled(t, deadline_ms, out, &rc, err)) {
		pthread_mutex_unlock(&t->lock);
		return rc;
	}
	t->busy = true;
	pthread_mutex_unlock(&t->lock);
	rc = fetch(t, deadline_ms, &fresh, &own);
	pthread_mutex_lock(&t->lock);
	rc = install(t, rc, fresh, &own);
	if (rc == SEAL_OK)
		*out = use(t);
	else if (err != NULL)
		*err = own;
	pthread_mutex_unlock(&t->lock);
	return rc;
}

enum seal_status http_tokens_new(http_token_fetch *fetch_one, void *arg, struct http_tokens **out,
				 struct seal_err *err)
{
	struct http_tokens *t = mem_calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL || !cond_init(&t->done)) {
		mem_free(t);
		return err_memory(err);
	}
	pthread_mutex_init(&t->lock, NULL);
	t->fetch = fetch_one;
	t->arg = arg;
	*out = t;
	return SEAL_OK;
}

void http_tokens_free(struct http_tokens *t)
{
	if (t == NULL)
		return;
	put(t->current);
	pthread_cond_destroy(&t->done);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}
