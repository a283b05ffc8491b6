/*
 * Who finds credentials, and when.
 *
 *   get ─┬─ valid, not due ─────────────────────────────▶ current
 *        ├─ due, nobody at it ─▶ find (without the lock) ─▶ current = new; where it failed and the old ones are still valid, these
 *        └─ due, somebody at it ─▶ current, or wait for it where that is over
 *
 * Invariant: `current` counts as one user of its keys.
 */
#include "aws/provider.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

#define DUE_S 300
#define AGAIN_MS 30000 /* after a try that failed, while the old ones are valid */

struct aws_provider {
	struct aws_want want; /* own strings */
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t found;
	struct aws_keys *current; /* NULL: none */
	int64_t due_s; /* to be found anew, since 1970; 0: never */
	uint64_t not_before_ms; /* the next try */
	bool refused; /* by the service */
	bool finding;
};

static void keys_drop(struct aws_keys *keys)
{
	if (keys == NULL || --keys->users > 0)
		return;
	aws_credentials_clear(&keys->credentials);
	mem_free(keys);
}

static int64_t now_s(void)
{
	return clock_unix_ms() / 1000;
}

static bool is_over(const struct aws_provider *p)
{
	const struct aws_keys *keys = p->current;

	return keys == NULL || p->refused ||
	       (keys->credentials.expires_s != 0 && keys->credentials.expires_s <= now_s());
}

static bool is_due(const struct aws_provider *p)
{
	return is_over(p) || (p->due_s != 0 && p->due_s <= now_s() && p->not_before_ms <= clock_mono_ms());
}

/* New keys take the place of the old ones. */
static void replace(struct aws_provider *p, struct aws_keys *keys)
{
	const int64_t expires_s = keys->credentials.expires_s, left = expires_s - now_s();

	keys_drop(p->current);
	p->current = keys;
	p->want.again = keys->credentials.of_instance;
	p->refused = false;
	p->not_before_ms = 0;
	p->due_s = expires_s == 0 ? 0 : expires_s - (left / 4 < DUE_S ? left / 4 : DUE_S);
}

/* With the lock held, which is let go while it looks. */
static enum seal_status find(struct aws_provider *p, uint64_t deadline_ms, struct seal_err *err)
{
	struct seal_err own = SEAL_ERR_INIT;
	struct aws_keys *keys = mem_calloc(1, sizeof(*keys));
	enum seal_status rc;

	if (keys == NULL)
		return err_memory(err);
	keys->users = 1;
	p->finding = true;
	pthread_mutex_unlock(&p->lock);
	rc = aws_credentials_find(&p->want, deadline_ms, &keys->credentials, &own);
	pthread_mutex_lock(&p->lock);
	p->finding = false;
	pthread_cond_broadcast(&p->found);
	if (rc == SEAL_OK) {
		replace(p, keys);
		return SEAL_OK;
	}
	keys_drop(keys);
	if (is_over(p)) {
		if (err != NULL)
			*err = own;
		return rc;
	}
	p->not_before_ms = clock_mono_ms() + AGAIN_MS;
	log_say(LOG_WARNING, "AWS credentials are not renewed yet, the old ones are still valid: %s", own.text);
	return SEAL_OK;
}

enum seal_status aws_provider_get(struct aws_provider *p, uint64_t deadline_ms, struct aws_keys **out,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&p->lock);
	while (p->finding && is_over(p) && clock_mono_ms() < deadline_ms)
		cond_wait_until(&p->found, &p->lock, deadline_ms);
	if (!p->finding && is_due(p))
		rc = find(p, deadline_ms, err);
	if (rc == SEAL_OK && is_over(p))
		rc = err_set(err, SEAL_RETRY, SEAL_E_TIMEOUT,
			     p->finding ? "AWS credentials were not renewed in time"
					: "the AWS credentials that were found are over already: check this "
					  "machine's clock, and who gives them");
	if (rc == SEAL_OK) {
		p->current->users++;
		*out = p->current;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void aws_provider_put(struct aws_provider *p, struct aws_keys *keys)
{
	pthread_mutex_lock(&p->lock);
	keys_drop(keys);
	pthread_mutex_unlock(&p->lock);
}

void aws_provider_refuse(struct aws_provider *p, const struct aws_keys *keys)
{
	pthread_mutex_lock(&p->lock);
	if (keys == p->current)
		p->refused = true;
	pthread_mutex_unlock(&p->lock);
}

static bool copy(const char *from, const char **out)
{
	*out = from != NULL ? mem_strdup(from) : NULL;
	return from == NULL || *out != NULL;
}

enum seal_status aws_provider_new(const struct aws_want *want, uint64_t deadline_ms, struct aws_provider **out,
				  struct seal_err *err)
{
	struct aws_provider *p = mem_calloc(1, sizeof(*p));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (p == NULL || !cond_init(&p->found)) {
		mem_free(p);
		return err_memory(err);
	}
	pthread_mutex_init(&p->lock, NULL);
	if (!copy(want->profile, &p->want.profile) || !copy(want->region, &p->want.region) ||
	    !copy(want->ca_file, &p->want.ca_file)) {
		rc = err_memory(err);
	} else {
		pthread_mutex_lock(&p->lock);
		rc = find(p, deadline_ms, err);
		pthread_mutex_unlock(&p->lock);
	}
	if (rc != SEAL_OK) {
		aws_provider_free(p);
		p = NULL;
	}
	*out = p;
	return rc;
}

void aws_provider_free(struct aws_provider *p)
{
	if (p == NULL)
		return;
	keys_drop(p->current);
	mem_free((char *)(uintptr_t)p->want.profile);
	mem_free((char *)(uintptr_t)p->want.region);
	mem_free((char *)(uintptr_t)p->want.ca_file);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->found);
	mem_free(p);
}
