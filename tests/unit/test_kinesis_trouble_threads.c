/*
 * streams/kinesis: a reader whose book, list or iterators cannot be had, or whose service does not answer: what it says, keeps and gives
 * back. Run under TSan, too.
 */
#include "kinesis_fixture.h"

/* Reads, without committing, until the source says that its leases may be over. */
static size_t read_until_stale(struct source *source)
{
	enum read_result result = READ_IDLE;
	size_t n = 0;

	for (;;) {
		const enum seal_status rc = source->ops->read(source, &batch, 1, 10, &result, &err);

		if (rc == SEAL_OK && result == READ_SOME) {
			n++;
			release(source);
			continue;
		}
		if (rc == SEAL_RETRY && asked(0) > 0 && strstr(err.text, "were not renewed") != NULL)
			return n;
		err_clear(&err);
		assert_true(rc == SEAL_OK || rc == SEAL_RETRY);
	}
}

/* The data base is away for longer than a lease: another may have the shard, so that it is not read on, until it is back. */
static void test_source_with_a_book_that_is_away(void **state)
{
	struct source *source;
	size_t n, calls;

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	options.lease_ms = 400;
	f.page = 1;
	add_shard(-1, 200);
	source = open_source();
	assert_int_equal(next(source, 1), READ_SOME);
	release(source);
	fake_set_away(true);
	n = 1 + read_until_stale(source);
	assert_true(n < 200); /* a page is a record, and 200 ms */
	assert_non_null(strstr(err.text, "400 ms"));
	assert_string_equal(err.place, "kinesis:purchases");
	assert_true(source->ops->away(source));
	err_clear(&err);
	calls = asked(0) + 1; /* one may be under way */
	for (unsigned was = fake_asked(); fake_asked() < was + 5;) { /* passes of the keeper */
		enum read_result result;

		assert_int_equal(source->ops->read(source, &batch, 1, 10, &result, &err), SEAL_RETRY);
		err_clear(&err);
	}
	assert_true(asked(0) <= calls);
	fake_set_away(false);
	assert_int_equal(next(source, 1), READ_SOME); /* it was still ours, and goes on where it was */
	assert_int_equal(records[0].offset, n + 1);
	assert_int_equal(source->ops->assignment(source, 0), 1);
	release(source);
	/* Once more; this time somebody else has taken it. */
	fake_set_away(true);
	(void)read_until_stale(source);
	err_clear(&err);
	fake_store_remove(fake, "kinesis-leases", FAKE_LINE);
	fake_store_put(
		fake, "kinesis-leases", FAKE_LINE,
		BYTES_LIT("{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"\",\"done\":0,"
			  "\"ended\":false}"));
	fake_set_away(false);
	while (source->ops->assignment(source, 0) == 1) /* 0, or 2, once the other's lease is over */
		usleep(1000);
	source->ops->close(source, true);
}

/* The list of shards cannot be had, and is asked for again and again: leases are renewed all the same. */
static void test_source_without_a_list(void **state)
{
	struct source *source;
	unsigned long counter;

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	add_shard(-1, 3);
	add_shard(-1, 0);
	source = open_source();
	pthread_mutex_lock(&f.lock);
	f.shards[1].closed = true; /* its end is why the list is asked for */
	f.fail.operation = "ListShards";
	f.fail.code = "LimitExceededException";
	f.fail.status = 400;
	f.fail.times = 1000000;
	pthread_mutex_unlock(&f.lock);
	while (!source->ops->away(source))
		usleep(1000);
	counter = fake_counter();
	while (fake_counter() < counter + 5)
		usleep(1000);
	assert_int_equal(read_all(source, 3, NULL), 3);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK); /* what was committed is in the book */
	source->ops->close(source, true);
}

/* A list that has no end, or does not come: neither leases nor the end of the run wait for it for long. */
static void test_source_with_an_endless_list(void **state)
{
	for (unsigned held = 0; held < 2; held++) {
		struct source *source;
		uint64_t until;
		unsigned long counter;

		snprintf(book, sizeof(book), "fake:");
		options.checkpoint = book;
		options.lease_ms = 3000;
		add_shard(-1, 0);
		add_shard(-1, 0);
		source = open_source();
		pthread_mutex_lock(&f.lock);
		f.shards[1].closed = true; /* its end is why the list is asked for */
		f.endless = held == 0;
		f.held = held == 1 ? "ListShards" : NULL;
		pthread_mutex_unlock(&f.lock);
		while (!source->ops->away(source))
			usleep(1000);
		until = clock_mono_ms() + 20000; /* a call may take 30 s */
		for (counter = fake_counter(); fake_counter() < counter + 2; usleep(1000))
			assert_true(clock_mono_ms() < until);
		source->ops->close(source, true);
		pthread_mutex_lock(&f.lock);
		f.endless = f.shards[1].closed = false;
		f.held = NULL;
		pthread_mutex_unlock(&f.lock);
		settle();
		f.n_shards = 0;
	}
}

/* A service that does not answer any more: the end of the run does not wait for it, and the leases are given back. */
static void test_source_of_a_silent_service(void **state)
{
	static const char *const operations[] = {"GetRecords", "GetShardIterator", "ListShards"};

	snprintf(book, sizeof(book), "fake:");
	options.checkpoint = book;
	options.lease_ms = 60000;
	for (size_t i = 0; i < 3; i++) {
		struct source *source;
		uint64_t began;
		bool held = false;

		add_shard(-1, 3);
		add_shard(-1, 0);
		pthread_mutex_lock(&f.lock);
		f.shards[1].closed = i == 2; /* its end is why the list is asked for */
		f.n_held = 0;
		pthread_mutex_unlock(&f.lock);
		source = open_source();
		pthread_mutex_lock(&f.lock);
		f.held = operations[i];
		f.expired = i == 1; /* asks for an iterator again */
		pthread_mutex_unlock(&f.lock);
		while (!held) {
			usleep(1000);
			pthread_mutex_lock(&f.lock);
			held = f.n_held > 0;
			pthread_mutex_unlock(&f.lock);
		}
		began = clock_mono_ms();
		source->ops->close(source, true);
		assert_true(clock_mono_ms() - began < 15000); /* a call may take 30 s */
		pthread_mutex_lock(&f.lock);
		f.held = NULL;
		pthread_mutex_unlock(&f.lock);
		settle(); /* else what was held takes what is meant for the next one */
		pthread_mutex_lock(&f.lock);
		f.n_shards = f.expired = 0;
		pthread_mutex_unlock(&f.lock);
	}
}

/* Each iterator has expired as it comes: the service is in trouble, and is asked with pauses. */
static void test_source_of_expired_iterators(void **state)
{
	enum seal_status rc = SEAL_OK;
	enum read_result result;
	struct source *source;

	add_shard(-1, 3);
	f.expired = SIZE_MAX;
	source = open_source();
	for (unsigned i = 0; rc == SEAL_OK && i < 6000; i++)
		rc = source->ops->read(source, &batch, 1, 10, &result, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_int_equal(err.status, SEAL_RETRY);
	assert_non_null(strstr(err.text, "ExpiredIteratorException"));
	err_clear(&err);
	pthread_mutex_lock(&f.lock);
	f.expired = 0;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(read_all(source, 3, NULL), 3);
	source->ops->close(source, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_source_with_a_book_that_is_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_without_a_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_with_an_endless_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_expired_iterators, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_silent_service, setup, teardown),
	};

	setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "nothing", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
