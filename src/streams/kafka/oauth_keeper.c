/*
 * The thread that fetches tokens. `lock` guards everything but `oauth`, `rk` and `who`, which the thread alone uses after the start.
 * It is not held while a token is fetched or handed over.
 *
 * When a refusal of a broker counts (oauth_keeper_refused):
 *
 *   first token                       at once: the settings are wrong
 *   a later one, older than RENEW_MS  another is fetched
 *   a later one, younger than that    yes, unless it is so young (STALE_MS) that the refusal is of the one before
 */
#include "streams/kafka/oauth_keeper.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

#define RENEW_MS 30000
#define STALE_MS 2000
#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS 10000

struct oauth_keeper {
	rd_kafka_t *rk;
	struct oauth *oauth;
	const char *who;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool closing;
	uint64_t due_ms; /* of the next fetch, on the monotonic clock */
	uint64_t pause_ms; /* after the next failure */
	uint64_t tokens; /* handed over */
	uint64_t since_ms, ends_ms; /* of the last one */
	struct seal_err failure; /* of the last fetch; empty: it succeeded */
};

/* librdkafka asks for tokens by this, from whoever polls. The thread has its own plan. */
static void ignore(rd_kafka_t *rk, const char *settings, void *opaque)
{
	(void)rk;
	(void)settings;
	(void)opaque;
}

void oauth_keeper_conf(rd_kafka_conf_t *conf)
{
	rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, ignore);
}

/* librdkafka's own text is not shown: it may quote the token. */
static enum seal_status hand_over(struct oauth_keeper *k, const struct oauth_token *token, struct seal_err *err)
{
	char why[512];
	size_t n;
	const char **extensions = oauth_extensions(k->oauth, &n);

	if (rd_kafka_oauthbearer_set_token(k->rk, (const char *)token->text.ptr,
					   clock_unix_ms() + (int64_t)token->lifetime_ms, oauth_client_id(k->oauth),
					   extensions, n, why, sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SEAL_OK;
	return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "librdkafka does not take the OAUTHBEARER token");
}

static void succeeded(struct oauth_keeper *k, uint64_t asked_ms, uint64_t lifetime_ms)
{
	k->tokens++;
	k->since_ms = clock_mono_ms();
	k->ends_ms = asked_ms + lifetime_ms;
	k->due_ms = asked_ms + lifetime_ms / 5 * 4;
	k->pause_ms = PAUSE_FIRST_MS;
	err_clear(&k->failure);
}

static void failed(struct oauth_keeper *k, const struct seal_err *err)
{
	uint64_t now = clock_mono_ms();

	log_say(LOG_WARNING, "kafka %s: %s%s; trying again", k->who, err->text,
		now < k->ends_ms ? "; the last token is still good" : "");
	k->failure = *err;
	k->due_ms = now + k->pause_ms;
	k->pause_ms = 2 * k->pause_ms < PAUSE_MAX_MS ? 2 * k->pause_ms : PAUSE_MAX_MS;
}

static void *keeper_main(void *arg)
{
	struct oauth_token token = OAUTH_TOKEN_INIT;
	struct oauth_keeper *k = arg;

	pthread_mutex_lock(&k->lock);
	while (!k->closing) {
		struct seal_err err = SEAL_ERR_INIT;
		uint64_t now = clock_mono_ms();
		enum seal_status rc;

		if (now < k->due_ms) {
			cond_wait_until(&k->wake, &k->lock, k->due_ms);
			continue;
		}
		pthread_mutex_unlock(&k->lock);
		rc = oauth_fetch(k->oauth, &token, &err);
		if (rc == SEAL_OK)
			rc = hand_over(k, &token, &err);
		pthread_mutex_lock(&k->lock);
		if (rc == SEAL_OK)
			succeeded(k, now, token.lifetime_ms);
		else if (!k->closing)
			failed(k, &err);
		oauth_token_clear(&token);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

static void keeper_free(struct oauth_keeper *k)
{
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	oauth_free(k->oauth);
	mem_free(k);
}

enum seal_status oauth_keeper_start(rd_kafka_t *rk, struct oauth *oauth, const char *who, struct oauth_keeper **out,
				    struct seal_err *err)
{
	struct oauth_keeper *k = mem_calloc(1, sizeof(*k));

	*out = NULL;
	if (k == NULL || !cond_init(&k->wake)) {
		mem_free(k);
		oauth_free(oauth);
		return err_memory(err);
	}
	k->rk = rk;
	k->oauth = oauth;
	k->who = who;
	k->pause_ms = PAUSE_FIRST_MS;
	pthread_mutex_init(&k->lock, NULL);
	if (pthread_create(&k->thread, NULL, keeper_main, k) != 0) {
		keeper_free(k);
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "no thread can be started to fetch tokens");
	}
	*out = k;
	return SEAL_OK;
}

void oauth_keeper_stop(struct oauth_keeper *keeper)
{
	if (keeper == NULL)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->closing = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
	keeper_free(keeper);
}

enum seal_status oauth_keeper_state(struct oauth_keeper *keeper, struct seal_err *err)
{
	enum seal_status status = SEAL_OK;

	if (keeper == NULL)
		return SEAL_OK;
	pthread_mutex_lock(&keeper->lock);
	if (keeper->failure.status != SEAL_OK && clock_mono_ms() >= keeper->ends_ms) {
		status = keeper->failure.status;
		if (err != NULL && err->status == SEAL_OK)
			*err = keeper->failure;
	}
	pthread_mutex_unlock(&keeper->lock);
	return status;
}

bool oauth_keeper_refused(struct oauth_keeper *keeper)
{
	uint64_t age;
	bool final = true;

	if (keeper == NULL)
		return true;
	pthread_mutex_lock(&keeper->lock);
	age = clock_mono_ms() - keeper->since_ms;
	if (age > RENEW_MS) {
		keeper->due_ms = 0;
		pthread_cond_signal(&keeper->wake);
		final = false;
	} else if (keeper->tokens > 1 && age < STALE_MS) {
		final = false;
	}
	pthread_mutex_unlock(&keeper->lock);
	return final;
}
