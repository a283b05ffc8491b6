/*
 * streams/kinesis: sink and source with their threads, against a server that plays the service: partial failures, throttling,
 * iterators that expire, shards that are split, places and leases. Run under TSan, too.
 */
#include "kinesis_fixture.h"

/* ---- the sink ---- */

static void write_all(struct sink *sink, size_t n, unsigned keys)
{
	char value[16], key[8];

	for (size_t i = 0; i < n; i++) {
		struct record record = {.key = bytes_str(key), .value = bytes_str(value)};

		snprintf(value, sizeof(value), "%05zu", i);
		snprintf(key, sizeof(key), "k%u", (unsigned)i % keys);
		record.value = bytes_str(value);
		record.key = bytes_str(key);
		assert_int_equal(sink->ops->write(sink, &record, 1, i + 1, LONG_MS, &err), SEAL_OK);
	}
}

static void flush(struct sink *sink, uint64_t ticket)
{
	uint64_t acknowledged = 0;

	while (sink->ops->flush(sink, LONG_MS, &err) == SEAL_RETRY)
		err_clear(&err);
	assert_int_equal(err.status, SEAL_OK);
	assert_int_equal(sink->ops->poll(sink, 0, &acknowledged, &err), SEAL_OK);
	assert_int_equal(acknowledged, ticket);
}

/* Entries are throttled, whole calls, too: each record is stored once, those of a key in order. */
static void test_sink_keeps_order(void **state)
{
	struct sink *sink = open_sink();
	int last[9];

	f.dice = 300;
	f.fail.operation = "PutRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 3;
	write_all(sink, 500, 9);
	flush(sink, 500);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 500);
	memset(last, -1, sizeof(last));
	for (size_t i = 0; i < f.n_stored; i++) {
		uint8_t raw[32];
		size_t len;
		int n;

		assert_true(base64_decode(bytes_str(f.stored[i].data), raw, &len));
		raw[len] = '\0';
		n = (int)strtol((char *)raw, NULL, 10);
		assert_int_equal(f.stored[i].key[1] - '0', n % 9);
		assert_true(n > last[n % 9]);
		last[n % 9] = n;
	}
}

static void test_sink_entry_refused(void **state)
{
	struct sink *sink = open_sink();
	const char *const refused = "InvalidArgumentException";
	const struct record two[] = {{.key = BYTES_LIT("a"), .value = BYTES_LIT("1")},
				     {.key = BYTES_LIT("b"), .value = BYTES_LIT("2")}};

	for (unsigned i = 0; i < 2; i++) { /* also behind one that only has to wait */
		f.throttled = i;
		f.entry_code = refused;
		assert_int_equal(sink->ops->write(sink, two, i + 1, 1, LONG_MS, &err), SEAL_OK);
		assert_int_equal(sink->ops->flush(sink, LONG_MS, &err), SEAL_DATA);
		assert_string_equal(err.text, "PutRecords: InvalidArgumentException: no");
		assert_string_equal(err.place, "kinesis:purchases");
		assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
		err_clear(&err);
		sink = open_sink();
	}
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.entry_code = "InternalFailure"; /* is tried again */
	sink = open_sink();
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 1);
	f.entry_code = ""; /* neither refused nor stored */
	sink = open_sink();
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 2);
}

/* Closes it; true where it says so on the way. */
static bool closes_with(struct sink *sink, const char *text)
{
	char path[100], said[1000] = "";
	const int was = dup(2);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/said", folder);
	fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	assert_true(was >= 0 && fd >= 0 && dup2(fd, 2) == 2);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(dup2(was, 2), 2);
	n = pread(fd, said, sizeof(said) - 1, 0);
	close(was);
	close(fd);
	return n > 0 && strstr(said, text) != NULL;
}

/* Whether it is there after a 500 nobody knows: the one who counts what may be twice sends it again, and no one below. */
static void test_sink_repeats_nothing_unseen(void **state)
{
	struct sink *sink = open_sink();

	f.fail.operation = "PutRecords";
	f.fail.code = "InternalFailure";
	f.fail.status = 500;
	f.fail.times = 2;
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_int_equal(f.n_stored, 1);
	assert_true(closes_with(sink, "2 records had to be sent again"));
	sink = open_sink();
	f.fail.code = "ProvisionedThroughputExceededException"; /* not there: not twice */
	f.fail.status = 400;
	f.fail.times = 2;
	write_all(sink, 1, 1);
	flush(sink, 1);
	assert_false(closes_with(sink, "twice"));
}

/* Empty keys are alike, and keep their order, too: the double takes no two of a key in a request. */
static void test_sink_empty_keys(void **state)
{
	struct record records_of_it[3] = {
		{.key = BYTES_LIT(""), .value = BYTES_LIT("1")},
		{.key = BYTES_LIT(""), .value = BYTES_LIT("2")},
		{.key = BYTES_LIT(""), .value = BYTES_LIT("3")},
	};
	struct sink *sink = open_sink();

	assert_int_equal(sink->ops->write(sink, records_of_it, 3, 1, LONG_MS, &err), SEAL_OK);
	flush(sink, 1);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	assert_int_equal(f.n_stored, 3);
	assert_int_equal(f.n_puts, 3);
}

static void test_sink_keys_and_targets(void **state)
{
	struct sink *sink = open_sink();
	struct record three[3] = {{.value = BYTES_LIT("")},
				  {.value = BYTES_LIT("x"), .key = BYTES_LIT("\xFF")},
				  {.value = BYTES_LIT("x"), .key = BYTES_LIT("\""), .topic = BYTES_LIT("dead")}};

	assert_int_equal(sink->ops->write(sink, three, 3, 1, 0, &err), SEAL_OK);
	flush(sink, 1);
	assert_int_equal(f.n_puts, 2);
	for (size_t i = 0; i < 3; i++) {
		const struct entry *e = &f.stored[i];

		if (strcmp(e->stream, "dead") == 0)
			assert_string_equal(e->key, "\\\"");
		else if (e->data[0] == '\0')
			assert_int_equal(strlen(e->key), 32);
		else /* SHA-256 of FF */
			assert_string_equal(e->key,
					    "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89");
	}
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
}

static void test_sink_limits(void **state)
{
	uint8_t *large = mem_calloc(1, 3 << 20);
	struct record record = {.key = BYTES_LIT("key"), .value = bytes_of(large, (1 << 20) - 3)};
	struct sink *sink = open_sink();
	const char *flag;
	size_t max;

	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_OK);
	record.value.len++;
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	err_clear(&err);
	record.value = BYTES_EMPTY;
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_DATA);
	err_clear(&err);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.max_kib = 2048;
	sink = open_sink();
	assert_int_equal(sink->ops->record_max(sink, &max, &flag, &err), SEAL_OK);
	assert_int_equal(max, 2 << 20);
	record.value = bytes_of(large, (2 << 20) - 3);
	assert_int_equal(sink->ops->check(sink, &record, &err), SEAL_OK);
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	mem_free(large);
}

static void test_who_may_not(void **state)
{
	struct sink *sink = NULL;
	struct source *source = NULL;

	f.fail.operation = "DescribeStreamSummary"; /* may write all the same */
	f.fail.code = "AccessDeniedException";
	f.fail.status = 400;
	f.fail.times = 1;
	sink = open_sink();
	assert_int_equal(sink->ops->close(sink, &err), SEAL_OK);
	f.fail.code = "ResourceNotFoundException";
	f.fail.times = 1;
	assert_int_equal(kinesis_sink_ops.open("nobody", &options, &sink, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CREATE);
	assert_string_equal(err.place, "kinesis:nobody");
	err_clear(&err);
	f.fail.operation = "ListShards";
	f.fail.times = 1;
	assert_int_equal(kinesis_source_ops.open("nobody", &options, &source, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_NO_INPUT);
	err_clear(&err);
	f.fail.code = "AccessDeniedException";
	f.fail.times = 1;
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_DENIED);
	err_clear(&err);
	assert_int_equal(kinesis_source_ops.open("no stream", &options, &source, &err), SEAL_USAGE);
	assert_null(source);
}

/* ---- the source ---- */

static void test_source_reads_all(void **state)
{
	struct source *source;

	options.exit_at_end = true;
	add_shard(-1, 50);
	add_shard(-1, 0);
	add_shard(-1, 33);
	f.fail.operation = "GetRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 4;
	f.expired = 2;
	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, NULL), 83);
	source->ops->close(source, true);
}

/* Children of children, a merge among them: each after those it came from, though all are there from the start. */
static void test_source_parents_first(void **state)
{
	struct source *source;

	keep_in("file");
	add_shard(-1, 20);
	add_shard(0, 20);
	add_shard(0, 20);
	add_shard(1, 20);
	source = open_source();
	assert_int_equal(read_all(source, 80, NULL), 80);
	add_shard(3, 10); /* while it is read */
	assert_int_equal(read_all(source, 10, (size_t[SHARDS]){20, 20, 20, 20}), 10);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
	source->ops->close(source, true);
	options.exit_at_end = true;
	source = open_source();
	assert_int_equal(next(source, 1), READ_END);
	source->ops->close(source, true);
}

static void test_source_latest(void **state)
{
	struct source *source;

	options.start = "latest";
	options.exit_at_end = true;
	add_shard(-1, 20);
	add_shard(0, 20);
	source = open_source();
	assert_int_equal(next(source, 1), READ_END);
	assert_int_equal(f.shards[0].asked, 0);
	assert_string_equal(f.last_type, "LATEST");
	source->ops->close(source, true);
	options.exit_at_end = false;
	source = open_source();
	while (asked(1) < 2)
		usleep(1000);
	add_shard(1, 5); /* what comes later is read from its beginning */
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20, 20}), 5);
	assert_string_equal(f.last_type, "TRIM_HORIZON");
	source->ops->close(source, true);
	options.start = "1795320001.094";
	source = open_source();
	assert_int_equal(next(source, 1), READ_SOME);
	release(source);
	assert_string_equal(f.last_type, "AT_TIMESTAMP");
	assert_string_equal(f.last_start, "1795320001.094");
	source->ops->close(source, true);
}

#define REFUSED 1000000

/* Waits until so many GetRecords were refused; then there are 23 records, and no more is refused. */
static void refuse_until_more(unsigned times)
{
	bool enough = false;

	while (!enough) {
		usleep(1000);
		pthread_mutex_lock(&f.lock);
		enough = f.fail.times <= REFUSED - times;
		pthread_mutex_unlock(&f.lock);
	}
	pthread_mutex_lock(&f.lock);
	f.shards[0].n = 23;
	f.fail.times = 0;
	pthread_mutex_unlock(&f.lock);
}

/* What comes while the first answer is waited for is not passed over, although "latest" is behind it by then. */
static void test_source_latest_refused(void **state)
{
	struct source *source;

	options.start = "latest";
	options.exit_at_end = true;
	add_shard(-1, 23);
	for (int i = 0; i < 2; i++) {
		f.shards[0].n = 20;
		f.fail.operation = "GetRecords";
		f.fail.code = i == 0 ? "ProvisionedThroughputExceededException" : "InternalFailure";
		f.fail.status = i == 0 ? 400 : 500;
		f.fail.times = REFUSED;
		source = open_source();
		refuse_until_more(i == 0 ? 1 : 20);
		assert_int_equal(next(source, 5), READ_SOME);
		pthread_mutex_lock(&f.lock);
		assert_string_equal(f.last_type, i == 0 ? "LATEST" : "AT_TIMESTAMP");
		pthread_mutex_unlock(&f.lock);
		assert_true(bytes_eq_str(records[0].value, i == 0 ? "0-020" : "0-000"));
		release(source);
		source->ops->close(source, true);
	}
}

/* What was read and not committed is there for who comes after, although "latest" is somewhere else by then. */
static void test_source_latest_again(void **state)
{
	struct source *source;

	keep_in("sqlite");
	options.start = "latest";
	add_shard(-1, 23);
	f.shards[0].n = 20;
	source = open_source();
	while (asked(0) < 1)
		usleep(1000);
	assert_string_equal(f.last_type, "LATEST");
	pthread_mutex_lock(&f.lock);
	f.shards[0].n = 23;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(next(source, 5), READ_SOME);
	assert_true(bytes_eq_str(records[0].value, "0-020"));
	release(source);
	source->ops->close(source, false); /* as if killed */
	source = open_source();
	assert_int_equal(next(source, 5), READ_SOME);
	assert_string_equal(f.last_type, "AT_TIMESTAMP");
	assert_true(strtod(f.last_start, NULL) > 1e9);
	release(source);
	source->ops->close(source, false);
}

/* A batch whose first records alone are committed, and a mark: the next run begins there. */
static void test_source_places(void **state)
{
	struct source *source;
	struct batch part;

	keep_in("sqlite");
	options.exit_at_end = true;
	add_shard(-1, 40);
	source = open_source();
	while (next(source, 10) == READ_SOME && records[0].offset != 1)
		release(source);
	part = batch;
	part.n = 3;
	assert_int_equal(source->ops->commit(source, &part, &err), SEAL_OK);
	release(source);
	assert_int_equal(source->ops->sync(source, &err), SEAL_OK);
	source->ops->close(source, true);

	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	assert_true(bytes_eq_str(records[0].value, "0-003"));
	assert_true(bytes_eq_str(records[0].id, "103"));
	assert_int_equal(source->ops->assignment(source, 0), 1);
	assert_int_equal(source->ops->assignment(source, 1), 0);
	release(source); /* a mark may come later than that */
	assert_int_equal(source->ops->mark(source, 0, 7, 6, &err), SEAL_OK); /* of another time: nothing */
	assert_int_equal(source->ops->mark(source, 0, 1, 3, &err), SEAL_OK);
	source->ops->close(source, true); /* saves, too */

	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, (size_t[SHARDS]){5}), 35);
	source->ops->close(source, false); /* as if killed: what the keeper had not saved is read again */
}

/* Another reader writes its name into our line: what we read since counts for nothing, and its place is left alone. */
static void test_source_loses_its_lease(void **state)
{
	static const char other[] = "{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"101\","
				    "\"done\":0,\"ended\":false}";
	struct store *store;
	struct store_session *session;
	struct store_item item = {.key = BYTES_LIT("app/eu-west-1/purchases/shard-0")};
	struct arena arena;
	struct store_call call = {.arena = &arena, .deadline_ms = UINT64_MAX / 2};
	const struct store_config config = {.create = true};
	struct source *source;
	bool swapped = false;

	arena_init(&arena, 0);
	keep_in("sqlite");
	options.lease_ms = 3600000; /* the other one's does not end: it would be ours again */
	add_shard(-1, 40);
	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	assert_int_equal(sqlite_store.open(book, &config, &store, &err), SEAL_OK);
	assert_int_equal(store->ops->session(store, &session, &err), SEAL_OK);
	while (!swapped) {
		assert_int_equal(store->ops->get(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
		assert_int_equal(store->ops->swap(session, "kinesis-leases", item.key, item.value, BYTES_LIT(other),
						  false, &swapped, &call, &err),
				 SEAL_OK);
	}
	assert_int_equal(source->ops->commit(source, &batch, &err), SEAL_OK);
	release(source);
	while (source->ops->assignment(source, 0) != 0)
		usleep(1000);
	source->ops->close(source, true);
	assert_int_equal(store->ops->get(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
	assert_true(bytes_eq_str(item.value, other));
	store->ops->session_free(session);
	store->ops->free(store);
	arena_clear(&arena);
}

static void test_source_away(void **state)
{
	enum read_result result;
	struct source *source;
	enum seal_status rc;

	add_shard(-1, 3);
	f.fail.operation = "GetRecords";
	f.fail.code = "ProvisionedThroughputExceededException";
	f.fail.status = 400;
	f.fail.times = 1000000;
	source = open_source();
	while ((rc = source->ops->read(source, &batch, 1, 100, &result, &err)) == SEAL_OK)
		assert_int_equal(result, READ_IDLE);
	assert_int_equal(rc, SEAL_RETRY);
	assert_true(source->ops->away(source));
	pthread_mutex_lock(&f.lock);
	f.fail.times = 0;
	pthread_mutex_unlock(&f.lock);
	err_clear(&err);
	assert_int_equal(next(source, 1), READ_SOME);
	assert_false(source->ops->away(source));
	release(source);
	source->ops->close(source, true);

	f.fail.code = "AccessDeniedException";
	f.fail.times = 1000000;
	source = open_source();
	while ((rc = source->ops->read(source, &batch, 1, 100, &result, &err)) == SEAL_OK)
		assert_int_equal(result, READ_IDLE);
	assert_int_equal(rc, SEAL_DENIED);
	source->ops->close(source, true);
}

/* A shard that the service has forgotten ends; its children are read. */
static void test_source_of_a_shard_that_is_gone(void **state)
{
	struct source *source;

	add_shard(-1, 20);
	source = open_source();
	assert_int_equal(read_all(source, 20, NULL), 20);
	add_shard(0, 5);
	pthread_mutex_lock(&f.lock);
	f.gone = 1;
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20}), 5);
	source->ops->close(source, true);
}

/* The reader of a parent died, and the service forgot the parent before its lease was over. */
static void test_source_of_a_parent_that_is_gone(void **state)
{
	static const char other[] = "{\"owner\":\"other\",\"counter\":99,\"from\":\"trim-horizon\",\"at\":\"101\","
				    "\"done\":0,\"ended\":false}";
	struct store_item item = {.key = BYTES_LIT("app/eu-west-1/purchases/shard-0"), .value = BYTES_LIT(other)};
	const struct store_config config = {.create = true};
	struct store_session *session;
	struct store *store;
	struct arena arena;
	struct store_call call = {.arena = &arena, .deadline_ms = UINT64_MAX / 2};
	struct source *source;

	arena_init(&arena, 0);
	keep_in("sqlite");
	options.lease_ms = 3600000;
	assert_int_equal(sqlite_store.open(book, &config, &store, &err), SEAL_OK);
	assert_int_equal(store->ops->session(store, &session, &err), SEAL_OK);
	assert_int_equal(store->ops->insert(session, "kinesis-leases", &item, 1, &call, &err), SEAL_OK);
	add_shard(-1, 20);
	add_shard(0, 5);
	add_shard(-1, 3);
	source = open_source();
	assert_int_equal(read_all(source, 3, NULL), 3);
	pthread_mutex_lock(&f.lock);
	f.gone = 1;
	pthread_mutex_unlock(&f.lock);
	add_shard(2, 0); /* the end of a shard is why the list is read again */
	assert_int_equal(read_all(source, 5, (size_t[SHARDS]){20, 0, 3}), 5);
	source->ops->close(source, true);
	store->ops->session_free(session);
	store->ops->free(store);
	arena_clear(&arena);
}

/* The one that had the shard was killed: who reads to the end waits until its lease is over, and reads what it left. */
static void test_source_reads_to_the_end_behind_a_dead_one(void **state)
{
	struct source *source;

	keep_in("sqlite");
	options.exit_at_end = true;
	add_shard(-1, 40);
	source = open_source();
	assert_int_equal(next(source, 10), READ_SOME);
	release(source);
	source->ops->close(source, false);
	source = open_source();
	assert_int_equal(read_all(source, SIZE_MAX, NULL), 40);
	source->ops->close(source, true);
}

/* Who begins at "latest" writes down when that was, by the service's clock: a later reader asks for no time to come. */
static void test_source_latest_by_other_clocks(void **state)
{
	struct source *source;

	for (int i = 0; i < 2; i++) {
		snprintf(book, sizeof(book), "sqlite:%s/%d", folder, i);
		options.checkpoint = book;
		options.start = "latest";
		f.ahead_s = i == 0 ? -3600 : 3600;
		if (i == 0)
			add_shard(-1, 20);
		f.shards[0].n = 20;
		source = open_source();
		while (asked(0) < 1)
			usleep(1000);
		assert_string_equal(f.last_type, "LATEST");
		source->ops->close(source, false);
		settle();
		f.shards[0].asked = 0;
		source = open_source();
		while (asked(0) < 1)
			usleep(1000);
		assert_string_equal(f.last_type, "AT_TIMESTAMP");
		/* Not much before the first one had come, either. */
		assert_true(strtod(f.last_start, NULL) > (double)clock_unix_ms() / 1000 + (double)f.ahead_s - 600);
		source->ops->close(source, false);
		settle();
		f.shards[0].asked = 0;
	}
	options.start = "4000000000";
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "time to come"));
}

/* The time by which a shard is behind its tip, as the service says. */
static void test_source_lag(void **state)
{
	struct source_lag rows[2];
	struct source *source;

	add_shard(-1, 2);
	add_shard(-1, 2);
	f.behind_ms = 1500;
	source = open_source();
	assert_int_equal(source->ops->lag(source, rows, 1), 2);
	assert_int_equal(read_all(source, 4, NULL), 4);
	do
		assert_int_equal(source->ops->lag(source, rows, 2), 2);
	while (rows[0].ms != 1500 || rows[1].ms != 1500);
	assert_true(rows[0].records == -1 && rows[1].partition == 1);
	pthread_mutex_lock(&f.lock);
	f.behind_ms = 0;
	f.shards[0].closed = true;
	pthread_mutex_unlock(&f.lock);
	do
		usleep(1000);
	while (source->ops->lag(source, rows, 2) != 1 || rows[0].ms != 0);
	assert_int_equal(rows[0].partition, 1);
	source->ops->close(source, true);
}

static void test_group_is_needed(void **state)
{
	struct source *source;

	keep_in("file");
	options.group = NULL;
	assert_int_equal(kinesis_source_ops.open("purchases", &options, &source, &err), SEAL_USAGE);
	assert_non_null(strstr(err.text, "--group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sink_keeps_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_entry_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_repeats_nothing_unseen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_empty_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_keys_and_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may_not, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_reads_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_parents_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_loses_its_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_shard_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_of_a_parent_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_reads_to_the_end_behind_a_dead_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_latest_by_other_clocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_lag, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_is_needed, setup, teardown),
	};

	setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "nothing", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
