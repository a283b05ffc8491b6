/*
 * vault/login: many threads, one login; a thread of its own that renews; an end while requests are under way; fork. Runs under
 * ThreadSanitizer.
 */
#include "vault_fake.h"

#include <pthread.h>
#include <sys/wait.h>

enum { THREADS = 6, ROUNDS = 200 };

static struct vault_options options;
static struct vault_tokens *tokens;
static atomic_int logins, renewals, looks, slow_ms;
static atomic_bool away, refuse_look, refuse_login;
static atomic_bool held; /* answers wait until they are let go */
static atomic_int begun, awaited; /* calls of get_once; answers wait until there are so many */
static _Atomic uint64_t behind_ms; /* so much is the clock of tokens behind the real one */
static const char *ttl = "3600", *renewable = "true";

static void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static enum seal_status answer(const char *path, const char *token, json_t **out, struct seal_err *err)
{
	bool look = strcmp(path, "auth/token/lookup-self") == 0, renew = strcmp(path, "auth/token/renew-self") == 0;
	atomic_int *counter = look ? &looks : renew ? &renewals : &logins;
	int n = atomic_fetch_add(counter, 1) + 1;
	char text[200];

	while (atomic_load(&held) || atomic_load(&begun) < atomic_load(&awaited))
		pause_ms(1);
	pause_ms((unsigned)atomic_load(&slow_ms));
	if (atomic_load(&away))
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "away");
	if (look ? atomic_load(&refuse_look) : !renew && atomic_load(&refuse_login))
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "permission denied");
	snprintf(text, sizeof(text),
		 "{\"auth\":{\"client_token\":\"t%d\",\"lease_duration\":%s,\"renewable\":%s},\"data\":{}}",
		 renew ? 0 : n, ttl, renewable);
	*out = json_loads(text, 0, NULL);
	return SEAL_OK;
}

static uint64_t late_clock(void)
{
	return clock_mono_ms() - atomic_load(&behind_ms);
}

static int fresh(void **state)
{
	atomic_store(&held, false);
	atomic_store(&begun, 0);
	atomic_store(&awaited, 0);
	atomic_store(&behind_ms, 0);
	atomic_store(&logins, 0);
	atomic_store(&renewals, 0);
	atomic_store(&looks, 0);
	atomic_store(&slow_ms, 0);
	atomic_store(&away, false);
	atomic_store(&refuse_look, true);
	atomic_store(&refuse_login, false);
	ttl = "3600";
	renewable = "true";
	answer_by = answer;
	vault_login_test_clock(NULL, true);
	memset(&options, 0, sizeof(options));
	options.auth = "approle";
	options.role = "r";
	return vault_tokens_new(&fake_client, &options, &tokens, NULL) == SEAL_OK ? 0 : -1;
}

static int stale(void **state)
{
	vault_tokens_free(tokens);
	assert_int_equal(atomic_load(&workers_made), 0);
	return 0;
}

struct worker {
	pthread_t thread;
	enum seal_status rc;
	struct seal_err err;
	bool same;
};

static void run(void *(*work)(void *), struct worker workers[THREADS])
{
	memset(workers, 0, THREADS * sizeof(*workers));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static void *get_once(void *arg)
{
	struct worker *w = arg;
	struct vault_token *token;

	atomic_fetch_add(&begun, 1);
	w->rc = vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &token, &w->err);
	if (w->rc == SEAL_OK) {
		w->same = strcmp(vault_token_text(token), "t1") == 0;
		vault_token_release(tokens, token);
	}
	return NULL;
}

static void one_login(void **state)
{
	struct worker workers[THREADS];

	atomic_store(&slow_ms, 100);
	run(get_once, workers);
	assert_int_equal(atomic_load(&logins), 1);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].rc, SEAL_OK);
		assert_true(workers[i].same);
	}
}

/* Those who waited get the failure of the one that tried; the next call tries again. */
static void one_failure(void **state)
{
	struct worker workers[THREADS];

	atomic_store(&slow_ms, 200);
	atomic_store(&awaited, THREADS);
	atomic_store(&refuse_login, true);
	run(get_once, workers);
	assert_true(atomic_load(&logins) < THREADS);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].rc, SEAL_DENIED);
		assert_non_null(strstr(workers[i].err.text, "logging in with approle at auth/approle failed"));
	}
	atomic_store(&refuse_login, false);
	atomic_store(&slow_ms, 0);
	get_once(&workers[0]);
	assert_int_equal(workers[0].rc, SEAL_OK);
}

static pthread_barrier_t barrier;

/* Each round: the token is revoked, all are refused, one logs in. */
static void *be_refused(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS && w->rc == SEAL_OK; i++) {
		struct vault_token *token = NULL;
		bool by_policy;

		w->rc = vault_token_get(tokens, &fake_worker, DEADLINE_NONE, &token, &w->err);
		pthread_barrier_wait(&barrier);
		if (w->rc == SEAL_OK)
			w->rc = vault_token_refused(tokens, &fake_worker, token, DEADLINE_NONE, &by_policy, &w->err);
		pthread_barrier_wait(&barrier);
		if (token != NULL)
			vault_token_release(tokens, token);
	}
	return NULL;
}

static uint64_t leaping_clock(void)
{
	static atomic_uint_fast64_t now;

	return atomic_fetch_add(&now, 3000); /* each token is old enough to be replaced */
}

static void one_login_a_revocation(void **state)
{
	struct worker workers[THREADS];

	ttl = "0"; /* the clock leaps */
	vault_login_test_clock(leaping_clock, false);
	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	run(be_refused, workers);
	pthread_barrier_destroy(&barrier);
	for (int i = 0; i < THREADS; i++)
		if (workers[i].rc != SEAL_OK)
			fail_msg("%s", workers[i].err.text);
	assert_int_equal(atomic_load(&logins), ROUNDS + 1);
	assert_int_equal(atomic_load(&looks), 2 * ROUNDS); /* the refused one, and the new one */
}

/*
 * A token of 60 s that seems to be 33 s old: it is to be renewed 3 to 11 s from now, and ends after 27, so that a machine may take its
 * time. Its next renewal is as far away.
 */
static void get_aged(struct worker *w)
{
	ttl = "60";
	vault_login_test_clock(late_clock, true);
	atomic_store(&behind_ms, 33000);
	get_once(w);
	atomic_store(&behind_ms, 0);
	assert_int_equal(w->rc, SEAL_OK);
}

/* Nobody calls, and the token is renewed: at two thirds of its time, a tenth of that more or less. */
static void renewed_by_itself(void **state)
{
	uint64_t start = clock_mono_ms();
	struct worker w = {0};

	get_aged(&w);
	while (atomic_load(&renewals) == 0 && clock_mono_ms() < start + 60000)
		pause_ms(10);
	assert_int_equal(atomic_load(&renewals), 1);
	assert_true(clock_mono_ms() - start >= 2990);
	assert_int_equal(atomic_load(&logins), 1);
}

/* A batch token is replaced by itself. */
static void replaced_by_itself(void **state)
{
	uint64_t start = clock_mono_ms();
	struct worker w = {0};

	ttl = "1";
	renewable = "false";
	get_once(&w);
	assert_int_equal(w.rc, SEAL_OK);
	while (atomic_load(&logins) < 3 && clock_mono_ms() < start + 60000)
		pause_ms(10);
	assert_true(atomic_load(&logins) >= 3);
	assert_int_equal(atomic_load(&renewals), 0);
}

/* While it is renewed the others use the token that is good still; the end waits for what is under way. */
static void ends_in_a_renewal(void **state)
{
	struct vault_token *token;
	struct worker w = {0};

	get_aged(&w);
	atomic_store(&held, true);
	while (atomic_load(&renewals) == 0)
		pause_ms(5);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(vault_token_get(tokens, &fake_worker, clock_mono_ms() + 60000, &token, NULL),
				 SEAL_OK);
		vault_token_release(tokens, token);
	}
	atomic_store(&slow_ms, 500);
	atomic_store(&held, false);
}

/* A deadline of one who waits for another's login. */
static void *get_slowly(void *arg)
{
	return get_once(arg);
}

static void waits_no_longer(void **state)
{
	struct worker slow = {0};
	struct vault_token *token;
	struct seal_err err = SEAL_ERR_INIT;

	atomic_store(&held, true);
	assert_int_equal(pthread_create(&slow.thread, NULL, get_slowly, &slow), 0);
	while (atomic_load(&logins) == 0)
		pause_ms(1);
	assert_int_equal(vault_token_get(tokens, &fake_worker, clock_mono_ms() + 50, &token, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_TIMEOUT);
	atomic_store(&held, false);
	assert_int_equal(pthread_join(slow.thread, NULL), 0);
	assert_int_equal(slow.rc, SEAL_OK);
}

/* The child has no thread, and logs in by itself, even when the parent forked in the middle of a login. */
static void after_fork(void **state)
{
	struct worker slow = {0};
	int status = -1;
	pid_t pid;

	ttl = "1";
	atomic_store(&held, true);
	assert_int_equal(pthread_create(&slow.thread, NULL, get_slowly, &slow), 0);
	while (atomic_load(&logins) == 0)
		pause_ms(1);
	pid = fork();
	if (pid == 0) {
		struct worker w = {0};

		atomic_store(&held, false);
		get_once(&w);
		if (w.rc != SEAL_OK)
			_exit(1);
		pause_ms(1100);
		if (atomic_load(&renewals) != 0)
			_exit(3); /* it has ended, and nobody renewed it */
		get_once(&w);
		vault_tokens_free(tokens);
		_exit(w.rc == SEAL_OK && atomic_load(&logins) >= 2 ? 0 : 2);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	atomic_store(&held, false);
	assert_int_equal(status, 0);
	assert_int_equal(pthread_join(slow.thread, NULL), 0);
	assert_int_equal(slow.rc, SEAL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, stale)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_login),	 TEST(one_failure),	   TEST(one_login_a_revocation),
		TEST(renewed_by_itself), TEST(replaced_by_itself), TEST(ends_in_a_renewal),
		TEST(waits_no_longer),	 TEST(after_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
