/* aws: many threads, one provider: are keys renewed once, and never used after their end? */
#include "aws_fixture.h"

#include "aws/provider.h"

#define THREADS 8

static struct aws_double d;
static struct aws_provider *provider;
static atomic_bool over;
static atomic_uint taken;

static void *use(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		const int64_t asked_s = clock_unix_ms() / 1000;
		struct aws_keys *keys;
		const enum seal_status rc = aws_provider_get(provider, clock_mono_ms() + 60000, &keys, NULL);

		if (rc == SEAL_RETRY && clock_unix_ms() / 1000 - asked_s >= 2)
			continue; /* on their way for longer than they are good */
		assert_int_equal(rc, SEAL_OK);
		assert_true(keys->credentials.expires_s > asked_s); /* they were good when they were given out */
		assert_string_equal((const char *)keys->credentials.access_key.ptr, "ID-container");
		if (atomic_fetch_add(&taken, 1) % 100 == 0)
			aws_provider_refuse(provider, keys);
		aws_provider_put(provider, keys);
	}
	return NULL;
}

static unsigned given(void)
{
	unsigned n;

	pthread_mutex_lock(&d.lock);
	n = d.given;
	d.log[0] = '\0';
	pthread_mutex_unlock(&d.lock);
	return n;
}

static void open_provider(int64_t life_s)
{
	const struct aws_want want = {.region = "eu-west-1"};
	char url[100];

	aws_nothing();
	pthread_mutex_lock(&d.lock);
	d.life_s = life_s;
	d.given = 0;
	d.busy = false;
	pthread_mutex_unlock(&d.lock);
	snprintf(url, sizeof(url), "%s/v2/creds?id=1", d.server.url);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	assert_int_equal(aws_provider_new(&want, DEADLINE_NONE, &provider, NULL), SEAL_OK);
}

/* Keys of two seconds are found again and again, and each time by one thread. */
static void many(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	open_provider(2);
	atomic_store(&over, false);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
	while (given() < 6)
		poll(NULL, 0, 5);
	atomic_store(&over, true);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	aws_provider_free(provider);
}

/* Keys that are good for long are found once. */
static void once(void **state)
{
	struct aws_keys *keys[3];

	(void)state;
	open_provider(3600);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys[i], NULL), SEAL_OK);
	assert_int_equal(given(), 1);
	aws_provider_refuse(provider, keys[0]);
	aws_provider_put(provider, keys[0]); /* the two others keep theirs */
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys[0], NULL), SEAL_OK);
	assert_int_equal(given(), 2);
	assert_ptr_equal(keys[1], keys[2]);
	assert_ptr_not_equal(keys[0], keys[1]);
	aws_provider_refuse(provider, keys[1]); /* old ones: nothing to do */
	for (size_t i = 0; i < 3; i++)
		aws_provider_put(provider, keys[i]);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys[0], NULL), SEAL_OK);
	aws_provider_put(provider, keys[0]);
	assert_int_equal(given(), 2);
	aws_provider_free(provider);
}

/* While the old keys are good, a giver that is in trouble is no failure; once they are over, it is. */
static void in_trouble(void **state)
{
	struct aws_keys *keys;
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	open_provider(100); /* due after 75 s: not in this test */
	pthread_mutex_lock(&d.lock);
	d.busy = true;
	pthread_mutex_unlock(&d.lock);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_OK);
	aws_provider_refuse(provider, keys);
	aws_provider_put(provider, keys);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_RETRY);
	assert_null(keys);
	assert_non_null(strstr(err.text, "answers 503"));
	aws_provider_free(provider);
}

/* Metadata that gave keys and does not answer any more is away: the run waits for it. */
static void instance_away(void **state)
{
	const struct aws_want want = {.region = "eu-west-1"};
	struct seal_err err = SEAL_ERR_INIT;
	struct aws_keys *keys;

	(void)state;
	aws_nothing();
	unsetenv("AWS_EC2_METADATA_DISABLED");
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
	assert_int_equal(aws_provider_new(&want, DEADLINE_NONE, &provider, &err), SEAL_DENIED);
	pthread_mutex_lock(&d.lock);
	d.busy = false;
	pthread_mutex_unlock(&d.lock);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", d.server.url, 1);
	err_clear(&err);
	assert_int_equal(aws_provider_new(&want, DEADLINE_NONE, &provider, &err), SEAL_OK);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_OK);
	aws_provider_refuse(provider, keys);
	aws_provider_put(provider, keys);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_RETRY);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", d.server.url, 1);
	err_clear(&err);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_OK);
	aws_provider_put(provider, keys);
	aws_provider_free(provider);
}

/* Keys that are over when they come are told as such, by whoever asks. */
static void over_already(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct aws_keys *keys;

	(void)state;
	open_provider(-10);
	assert_int_equal(aws_provider_get(provider, DEADLINE_NONE, &keys, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "check this machine's clock"));
	aws_provider_free(provider);
}

static int start(void **state)
{
	(void)state;
	aws_double_start(&d);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	aws_double_stop(&d);
	aws_remove_home();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(many), cmocka_unit_test(once),
					   cmocka_unit_test(in_trouble), cmocka_unit_test(instance_away),
					   cmocka_unit_test(over_already)};

	return cmocka_run_group_tests(tests, start, stop);
}
