/*
 * Exactly once against the embedded broker, which has transactions but shows and forgets what it likes: what goes into one, how each
 * ends, and where reading goes on.
 */
#include <dlfcn.h>

#include "kafka_fixture.h"

#define CALL_MS 3000 /* long enough that no call has to be made again because this machine is slow */

static int shortest_ms = INT32_MAX; /* how long the shortest call to commit may take */
static bool says_little; /* a commit that fails for a record says that one has failed, and no more */

/* Stands before librdkafka's. */
rd_kafka_error_t *rd_kafka_commit_transaction(rd_kafka_t *rk, int timeout_ms)
{
	rd_kafka_error_t *(*real)(rd_kafka_t *, int), *error;

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_commit_transaction");
	if (timeout_ms < shortest_ms)
		shortest_ms = timeout_ms;
	error = real(rk, timeout_ms);
	if (error == NULL || !says_little || rd_kafka_error_is_retriable(error))
		return error;
	rd_kafka_error_destroy(error);
	return rd_kafka_error_new(RD_KAFKA_RESP_ERR__INCONSISTENT, "1 message(s) failed delivery");
}

static struct source *open_exactly_once(const char *name, const char *group)
{
	const struct kafka_source_options options = {.connection = connection(),
						     .group = group,
						     .partition = -1,
						     .exit_at_end = true,
						     .exactly_once = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;

	expect_ok(kafka_source_ops.open(name, &options, &source, &err), &err);
	return source;
}

static int n_staged(struct source *source)
{
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	struct seal_err err = SEAL_ERR_INIT;
	int n;

	expect_ok(kafka_source_staged(source, &offsets, &member, &err), &err);
	n = offsets->cnt;
	rd_kafka_topic_partition_list_destroy(offsets);
	rd_kafka_consumer_group_metadata_destroy(member);
	return n;
}

/* After an abort all is read again, and a partition of which nothing was read is still at its end. */
static void test_rewind(void **state)
{
	struct source *source;
	struct seal_err err = SEAL_ERR_INIT;
	struct batch batch;

	topic("rewind", 2);
	fill("rewind", 20, 1);
	source = open_exactly_once("rewind", "g.rewind");
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	source->ops->release(source, &batch);
	assert_int_equal(n_staged(source), 1);
	(void)count_all(source);
	rewind_source(source);
	assert_int_equal(n_staged(source), 0);
	assert_int_equal(count_all(source), 20);
	source->ops->close(source, true);
	batch_clear(&batch);
}

/* Where the group knows nothing of it, a partition begins again at what was read of it first, which may not be its start. */
static void test_rewind_to_the_first(void **state)
{
	static struct opt_list latest = {NULL, "auto.offset.reset=latest"};
	struct kafka_source_options options = {
		.connection = connection(), .group = "g.first", .partition = -1, .exactly_once = true};
	const uint64_t until = clock_mono_ms() + 120000;
	enum read_result result = READ_IDLE;
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source = NULL;
	struct batch batch;
	int64_t first;

	topic("first", 1);
	fill("first", 10, 1);
	options.connection.properties = &latest;
	expect_ok(kafka_source_ops.open("first", &options, &source, &err), &err);
	batch_init(&batch);
	while (result == READ_IDLE) { /* until it stands at the end, and something comes behind it */
		assert_true(clock_mono_ms() < until);
		fill("first", 1, 1);
		expect_ok(source->ops->read(source, &batch, BATCH, 100, &result, &err), &err);
	}
	first = batch.records[0].offset;
	assert_in_range(first, 10, 10000);
	source->ops->release(source, &batch);
	rewind_source(source);
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);
	assert_int_equal(batch.records[0].offset, first);
	source->ops->release(source, &batch);
	source->ops->close(source, true);
	batch_clear(&batch);
}

/* What the keeper took of a partition that nobody has read yet outlives the abort of what was read of others. */
static void test_rewind_with_carried(void **state)
{
	struct source *source;

	topic("carried", 1);
	fill("carried", 20, 1);
	source = open_exactly_once("carried", "g.carried");
	carry_one(source);
	rewind_source(source);
	assert_int_equal(count_all(source), 20);
	source->ops->close(source, true);
	topic("carried-end", 1);
	source = open_exactly_once("carried-end", "g.carried-end");
	carry_one(source); /* that it has ended */
	rewind_source(source);
	assert_int_equal(count_all(source), 0);
	source->ops->close(source, true);
}

static int64_t staged_offset(struct source *source)
{
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	struct seal_err err = SEAL_ERR_INIT;
	int64_t offset;

	expect_ok(kafka_source_staged(source, &offsets, &member, &err), &err);
	assert_int_equal(offsets->cnt, 1);
	offset = offsets->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(offsets);
	rd_kafka_consumer_group_metadata_destroy(member);
	return offset;
}

static void lose_and_take(struct kafka_source *s, const char *name)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, name, 0);
	pthread_mutex_lock(&s->reading);
	group_take(s, list);
	pthread_mutex_unlock(&s->reading);
	rd_kafka_topic_partition_list_destroy(list);
}

/* The position that goes into a transaction is behind the last record that was staged, and what was lost to others is refused. */
static void test_staged(void **state)
{
	struct source *source;
	struct kafka_source *s;
	struct seal_err err = SEAL_ERR_INIT;
	struct batch batch;
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	size_t n;

	topic("staged", 1);
	fill("staged", 20, 1);
	source = open_exactly_once("staged", "g.staged");
	s = kafka_source_of(source);
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, 15), READ_SOME);
	n = batch.n;
	batch.n = 1;
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(staged_offset(source), 1);
	batch.n = n;
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(staged_offset(source), n);
	lose_and_take(s, "staged"); /* another may have had it meanwhile, and what is staged is of then */
	assert_int_equal(kafka_source_staged(source, &offsets, &member, &err), SEAL_RETRY);
	err_clear(&err);
	kafka_source_settled(source);
	assert_int_equal(n_staged(source), 0);
	pthread_mutex_lock(&s->lock);
	s->parts[0].since = ++s->epoch; /* it was another's for a while */
	pthread_mutex_unlock(&s->lock);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(kafka_source_staged(source, &offsets, &member, &err), SEAL_RETRY);
	err_clear(&err);
	kafka_source_settled(source);
	pthread_mutex_lock(&s->reading);
	group_lose_all(s); /* and nobody has it now */
	pthread_mutex_unlock(&s->reading);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(kafka_source_staged(source, &offsets, &member, &err), SEAL_RETRY);
	source->ops->release(source, &batch);
	batch_clear(&batch);
	source->ops->close(source, true);
}

/* Batch by batch, also where each is one record. */
static void test_staged_one_by_one(void **state)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct batch batch;

	topic("singles", 1);
	fill("singles", 3, 1);
	source = open_exactly_once("singles", "g.singles");
	batch_init(&batch);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(read_some(source, &batch, 1), READ_SOME);
		assert_int_equal(batch.n, 1);
		expect_ok(source->ops->stage(source, &batch, &err), &err);
		assert_int_equal(staged_offset(source), i);
		source->ops->release(source, &batch);
	}
	source->ops->close(source, true);
	batch_clear(&batch);
}

/*
 * A member that the group has put out, before it was told so by a rebalance: what it sends would pass for an old client's, so it
 * sends nothing.
 */
static void put_out(const char *name, rd_kafka_resp_err_t code)
{
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *member;
	const uint64_t until = clock_mono_ms() + 120000;
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct batch batch;

	topic(name, 1);
	fill(name, 3, 1);
	source = open_exactly_once(name, name);
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);
	expect_ok(source->ops->stage(source, &batch, &err), &err);
	assert_int_equal(n_staged(source), 1);
	rd_kafka_mock_push_request_errors(cluster, 12, 1, code);
	while (kafka_source_staged(source, &offsets, &member, &err) ==
	       SEAL_OK) { /* nobody polls: no rebalance is served */
		rd_kafka_topic_partition_list_destroy(offsets);
		rd_kafka_consumer_group_metadata_destroy(member);
		assert_true(clock_mono_ms() < until);
		usleep(50000);
	}
	assert_int_equal(err.status, SEAL_RETRY);
	assert_non_null(strstr(err.text, "put this member out"));
	source->ops->release(source, &batch);
	batch_clear(&batch);
	source->ops->close(source, true);
}

static void test_staged_by_nobody(void **state)
{
	put_out("unknown-member", RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
	put_out("old-generation", RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
}

/* A source and a sink, and a batch of it. */
struct pair {
	struct source *source;
	struct sink *sink;
	struct kafka_sink *k;
	struct batch batch;
};

static struct pair open_pair(const char *name, struct opt_list *properties)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = name};
	struct seal_err err = SEAL_ERR_INIT;
	char out[64];
	struct pair pair;

	snprintf(out, sizeof(out), "%s-out", name);
	topic(name, 1);
	topic(out, 1);
	fill(name, 1, 1);
	options.connection.properties = properties;
	expect_ok(kafka_sink_ops.open(out, &options, &pair.sink, &err), &err);
	pair.k = kafka_sink_of(pair.sink);
	pair.source = open_exactly_once(name, name);
	batch_init(&pair.batch);
	assert_int_equal(read_some(pair.source, &pair.batch, BATCH), READ_SOME);
	return pair;
}

/* Without a source it is aborted, which is what was asked for. */
static void end_aborted(struct sink *sink)
{
	struct seal_err err = SEAL_ERR_INIT;
	bool committed = true;
	enum seal_status rc;

	do {
		err_clear(&err);
		rc = sink->ops->end(sink, NULL, CALL_MS, &committed, &err);
	} while (rc == SEAL_RETRY);
	expect_ok(rc, &err);
	assert_false(committed);
}

/* A producer that is new is waited for as long as it takes. Where librdkafka has confused calls meanwhile it breaks what it begins. */
static enum seal_status try_begin(struct sink *sink, struct seal_err *err)
{
	enum seal_status rc;

	for (;;) {
		while ((rc = sink->ops->begin(sink, err)) == SEAL_RETRY)
			err_clear(err);
		if (rc != SEAL_OK || kafka_sink_of(sink)->broken.status == SEAL_OK)
			return rc;
		end_aborted(sink);
	}
}

static void begin(struct sink *sink)
{
	struct seal_err err = SEAL_ERR_INIT;

	expect_ok(try_begin(sink, &err), &err);
}

static void close_pair(struct pair *pair)
{
	pair->source->ops->release(pair->source, &pair->batch);
	batch_clear(&pair->batch);
	assert_int_equal(pair->sink->ops->close(pair->sink, NULL), SEAL_OK);
	pair->source->ops->close(pair->source, true);
}

static void write_one(struct pair *pair)
{
	const struct record record = {.value = BYTES_LIT("v"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;

	expect_ok(pair->sink->ops->write(pair->sink, &record, 1, 1, 1000, &err), &err);
}

/* Until it is over; how often it was put off is in `retries`. */
static enum seal_status end_transaction(struct sink *sink, struct source *source, int timeout_ms, bool *committed,
					int *retries, struct seal_err *err)
{
	enum seal_status rc;

	*retries = 0;
	for (;; ++*retries) {
		err_clear(err);
		rc = sink->ops->end(sink, source, timeout_ms, committed, err);
		if (rc != SEAL_RETRY)
			return rc;
	}
}

static void expect_committed(struct sink *sink, struct source *source)
{
	struct seal_err err = SEAL_ERR_INIT;
	bool committed = false;
	int retries;

	expect_ok(end_transaction(sink, source, CALL_MS, &committed, &retries, &err), &err);
	if (!committed)
		fail_msg("aborted: %s", err.text);
}

static struct sink *open_transactional(const char *name, struct opt_list *properties)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = name};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	options.connection.properties = properties;
	expect_ok(kafka_sink_ops.open(name, &options, &sink, &err), &err);
	begin(sink);
	return sink;
}

/* A record that the broker refuses: the end says it. What it would refuse again ends the run, it must not be tried for ever. */
static void test_refused(void **state)
{
	static const struct {
		rd_kafka_resp_err_t code;
		enum seal_status status;
		const char *text;
	} rows[] = {
		{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SEAL_DATA, "max.message.bytes"},
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SEAL_DENIED, "ACL"},
		{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, SEAL_USAGE, "topic's name"},
		{RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, SEAL_OK, "a record was not delivered"},
	};
	struct opt_list soon = {NULL, "linger.ms=0"};
	struct pair pair = open_pair("refused", &soon);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint64_t until = clock_mono_ms() + 120000;
		struct seal_err err = SEAL_ERR_INIT;
		uint64_t acknowledged;
		bool committed = true;
		int retries;

		pair.k->transaction.renew = i > 0; /* librdkafka remembers for a while that it may not write there */
		begin(pair.sink);
		rd_kafka_mock_push_request_errors(cluster, 0, 1, rows[i].code);
		write_one(&pair);
		while (pair.k->broken.status == SEAL_OK) { /* writes go on, and tell nothing */
			assert_true(clock_mono_ms() < until);
			write_one(&pair);
			usleep(10000);
		}
		expect_ok(pair.sink->ops->poll(pair.sink, 0, &acknowledged, &err), &err);
		expect_ok(pair.source->ops->stage(pair.source, &pair.batch, &err), &err);
		if (end_transaction(pair.sink, pair.source, CALL_MS, &committed, &retries, &err) != rows[i].status)
			fail_msg("%zu: %s", i, err.text);
		assert_false(committed);
		assert_non_null(strstr(err.text, rows[i].text));
	}
	close_pair(&pair);
}

/* The same where it goes out with the commit, and not before, whatever that says. */
static void test_refused_in_commit(void **state)
{
	struct opt_list late = {NULL, "linger.ms=5000"};
	struct pair pair = open_pair("refused-late", &late);

	for (int i = 0; i < 2; i++) {
		struct seal_err err = SEAL_ERR_INIT;
		bool committed = true;
		int retries;

		says_little = i == 1;
		begin(pair.sink);
		rd_kafka_mock_push_request_errors(cluster, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
		write_one(&pair);
		expect_ok(pair.source->ops->stage(pair.source, &pair.batch, &err), &err);
		assert_int_equal(end_transaction(pair.sink, pair.source, CALL_MS, &committed, &retries, &err),
				 SEAL_DATA);
		assert_false(committed);
		assert_non_null(strstr(err.text, "max.message.bytes"));
	}
	says_little = false;
	close_pair(&pair);
}

/*
 * Under a name of its own another process may have taken over: it waits for the group's word on that, and goes on without one. Nobody
 * else has another id.
 */
static void test_fenced_producer(void **state)
{
	static const struct {
		bool named, replaced;
	} rows[] = {{false, false}, {true, false}, {true, true}};
	struct pair pair = open_pair("fenced", NULL);
	struct kafka_transaction *t = &pair.k->transaction;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		bool committed = true, waited = false;
		char producer[64];
		enum seal_status rc;

		begin(pair.sink);
		snprintf(producer, sizeof(producer), "%s", rd_kafka_name(pair.k->client.rk));
		t->named = rows[i].named;
		write_one(&pair);
		expect_ok(pair.source->ops->stage(pair.source, &pair.batch, &err), &err);
		rd_kafka_mock_push_request_errors(cluster, 26, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
		atomic_store(&kafka_source_of(pair.source)->replaced, rows[i].replaced);
		while ((rc = pair.sink->ops->end(pair.sink, pair.source, CALL_MS, &committed, &err)) == SEAL_RETRY) {
			if (strstr(err.text, "another process may have taken over") != NULL) {
				waited = true;
				assert_int_not_equal(t->fenced_ms, 0);
				t->fenced_ms -= 10000; /* nobody has said so in that time */
			}
			err_clear(&err);
		}
		assert_int_equal(rc, rows[i].replaced ? SEAL_FATAL : SEAL_OK);
		assert_false(committed);
		assert_int_equal(waited, rows[i].named && !rows[i].replaced);
		if (!rows[i].replaced)
			assert_string_not_equal(rd_kafka_name(pair.k->client.rk), producer);
	}
	close_pair(&pair);
}

/* What is open when the sink is closed is aborted then, so that readers need not wait. */
static void test_close_aborts(void **state)
{
	const struct record record = {.value = BYTES_LIT("v"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;
	char producer[64];
	struct sink *sink;

	topic("left-open", 1);
	for (int i = 0; i < 2; i++) {
		sink = open_transactional("left-open", NULL);
		expect_ok(sink->ops->write(sink, &record, 1, 1, 1000, &err), &err);
		expect_ok(sink->ops->flush(sink, 100000, &err), &err);
		if (i == 1)
			break;
		rd_kafka_mock_push_request_errors(cluster, 26, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
		assert_int_equal(sink->ops->close(sink, NULL),
				 SEAL_OK); /* its abort meets that error: no other end does */
	}
	snprintf(producer, sizeof(producer), "%s", rd_kafka_name(kafka_sink_of(sink)->client.rk));
	end_aborted(sink);
	assert_string_equal(rd_kafka_name(kafka_sink_of(sink)->client.rk), producer);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* What a killed process leaves open blocks readers for so long, unless the user sets it. */
static void test_transaction_timeout(void **state)
{
	struct opt_list mine = {NULL, "transaction.timeout.ms=7000"};

	topic("timeout", 1);
	for (int i = 0; i < 2; i++) {
		struct sink *sink = open_transactional("timeout", i ? &mine : NULL);
		const rd_kafka_conf_t *conf = rd_kafka_conf(kafka_sink_of(sink)->client.rk);
		char text[16];
		size_t size = sizeof(text);

		assert_int_equal(rd_kafka_conf_get(conf, "transaction.timeout.ms", text, &size), RD_KAFKA_CONF_OK);
		assert_string_equal(text, i ? "7000" : "20000");
		end_aborted(sink);
		assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	}
}

/* Brokers that are away in the middle of a transaction are told by poll; what they then take says that they are back. */
static void test_away_in_a_transaction(void **state)
{
	struct opt_list late = {NULL, "linger.ms=15000"}; /* it goes out when it is flushed, not before */
	struct pair pair = open_pair("away-within", &late);
	struct kafka_client *client = &pair.k->client;
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t acknowledged, delivered;

	begin(pair.sink);
	write_one(&pair);
	expect_ok(pair.sink->ops->flush(pair.sink, 100000, &err), &err);
	expect_ok(pair.sink->ops->poll(pair.sink, 0, &acknowledged, &err), &err);
	delivered = pair.k->delivered;
	write_one(&pair);
	pthread_mutex_lock(&client->lock);
	client->away = true;
	pthread_mutex_unlock(&client->lock);
	assert_int_equal(pair.sink->ops->poll(pair.sink, 0, &acknowledged, &err), SEAL_RETRY);
	err_clear(&err);
	expect_ok(pair.sink->ops->flush(pair.sink, 100000, &err), &err);
	assert_int_equal(pair.k->delivered, delivered + 1);
	assert_false(kafka_client_away(client));
	expect_ok(pair.sink->ops->poll(pair.sink, 0, &acknowledged, &err), &err);
	end_aborted(pair.sink);
	close_pair(&pair);
}

/* A producer that is made anew knows the topics of dead letters, too; one that cannot be made is told by the next begin. */
static void test_another_producer(void **state)
{
	const struct record letter = {.value = BYTES_LIT("v"), .topic = BYTES_LIT("anew-dead"), .partition = -1};
	struct pair pair = open_pair("anew", NULL);
	struct seal_err err = SEAL_ERR_INIT;

	topic("anew-dead", 1);
	begin(pair.sink);
	for (int i = 0; i < 2; i++) {
		expect_ok(pair.sink->ops->write(pair.sink, &letter, 1, 1, 1000, &err), &err);
		expect_ok(pair.sink->ops->flush(pair.sink, 100000, &err), &err);
		assert_int_equal(pair.k->broken.status, SEAL_OK);
		pair.k->transaction.renew = true;
		end_aborted(pair.sink);
		if (i == 1)
			rd_kafka_mock_push_request_errors(cluster, 22, 1,
							  RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
		assert_int_equal(try_begin(pair.sink, &err), i == 1 ? SEAL_DENIED : SEAL_OK);
	}
	assert_non_null(strstr(err.text, "transactional ids"));
	close_pair(&pair);
}

/* One record in a transaction, with the position behind all that was read; as the pump does it. */
static void fill_transaction(struct sink *sink, struct source *source, const struct batch *batch)
{
	const struct record record = {.value = BYTES_LIT("v"), .partition = -1};
	struct seal_err err = SEAL_ERR_INIT;

	begin(sink);
	expect_ok(sink->ops->write(sink, &record, 1, 1, 1000, &err), &err);
	expect_ok(sink->ops->flush(sink, 100000, &err), &err);
	expect_ok(source->ops->stage(source, batch, &err), &err);
}

/*
 * What commits, what is aborted, and when the producer is another one afterwards. The embedded broker forgets the position, which is
 * found out after the first commit, and once.
 */
static void test_ends_of_transactions(void **state)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = "g.ends.1"};
	struct seal_err err = SEAL_ERR_INIT, why = SEAL_ERR_INIT;
	bool committed = false;
	struct source *source;
	char producer[64];
	struct batch batch;
	struct sink *sink;
	struct kafka_sink *k;
	int retries;

	topic("ends", 1);
	topic("ends-out", 1);
	fill("ends", 5, 1);
	expect_ok(kafka_sink_ops.open("ends-out", &options, &sink, &err), &err);
	k = kafka_sink_of(sink);
	source = open_exactly_once("ends", "g.ends");
	batch_init(&batch);
	assert_int_equal(read_some(source, &batch, BATCH), READ_SOME);

	/* An end that takes longer than it may is called again, and is the same end. */
	fill_transaction(sink, source, &batch);
	assert_int_equal(n_staged(source), 1);
	assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(cluster, 1, 26, 1, RD_KAFKA_RESP_ERR_NO_ERROR,
								      5000), /* EndTxn */
			 0);
	assert_int_equal(end_transaction(sink, source, 50, &committed, &retries, &err), SEAL_USAGE);
	assert_true(committed && retries > 0);
	assert_in_range(shortest_ms, 2000, INT32_MAX); /* less may end the process: see transaction.c */
	assert_non_null(strstr(err.text, "--delivery at-least-once"));
	assert_int_equal(n_staged(source), 0);

	/* A record that was lost breaks its transaction, not the next one: the same producer goes on. */
	snprintf(producer, sizeof(producer), "%s", rd_kafka_name(k->client.rk));
	fill_transaction(sink, source, &batch);
	err_set(&why, SEAL_FATAL, SEAL_E_SERVICE, "it was not delivered");
	kafka_sink_break(k, &why);
	expect_ok(end_transaction(sink, source, CALL_MS, &committed, &retries, &err), &err);
	assert_false(committed);
	assert_non_null(strstr(err.text, "it was not delivered"));
	fill_transaction(sink, source, &batch);
	expect_committed(sink, source);
	assert_string_equal(rd_kafka_name(k->client.rk), producer);

	/* So does one whose offsets the group refuses. */
	rd_kafka_mock_push_request_errors(cluster, 28, 1, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
	fill_transaction(sink, source, &batch);
	expect_ok(end_transaction(sink, source, CALL_MS, &committed, &retries, &err), &err);
	assert_false(committed);
	assert_false(k->transaction.renew);
	assert_string_equal(rd_kafka_name(k->client.rk), producer);

	/* A connection that failed meanwhile costs the producer, committed or not. */
	fill_transaction(sink, source, &batch);
	pthread_mutex_lock(&k->client.lock);
	k->client.errors++;
	pthread_mutex_unlock(&k->client.lock);
	expect_committed(sink, source);
	assert_true(k->transaction.renew);
	fill_transaction(sink, source, &batch);
	assert_string_not_equal(rd_kafka_name(k->client.rk), producer);
	expect_committed(sink, source);

	/* The first reason is told, not what came of it. */
	fill_transaction(sink, source, &batch);
	kafka_sink_break(k, &why);
	rd_kafka_mock_push_request_errors(cluster, 26, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
	expect_ok(end_transaction(sink, source, CALL_MS, &committed, &retries, &err), &err);
	assert_false(committed);
	assert_non_null(strstr(err.text, "it was not delivered"));

	/* Unless it is one that would come again, which may be told after those of records that were dropped for it. */
	fill_transaction(sink, source, &batch);
	kafka_sink_break(k, &why);
	err_clear(&why);
	err_set(&why, SEAL_DATA, SEAL_E_LIMIT, "too large");
	kafka_sink_break(k, &why);
	assert_int_equal(end_transaction(sink, source, CALL_MS, &committed, &retries, &err), SEAL_DATA);
	assert_false(committed);
	assert_string_equal(err.text, "too large");
	source->ops->release(source, &batch);
	batch_clear(&batch);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	source->ops->close(source, true);
}

/* Brokers without transactions: found at the start, with what to do. */
static void test_no_transactions(void **state)
{
	struct kafka_sink_options options = {.connection = connection(), .transactional_id = "g.none.1"};
	struct seal_err err = SEAL_ERR_INIT;
	struct sink *sink = NULL;

	topic("none-out", 1);
	for (int i = 0; i < 50; i++) /* they never have any: a call that was too short asks again */
		rd_kafka_mock_push_request_errors(cluster, 22, 1, RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT);
	assert_int_equal(kafka_sink_ops.open("none-out", &options, &sink, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	rd_kafka_mock_clear_request_errors(cluster, 22);
	assert_non_null(strstr(err.text, "the brokers have no transactions; use --delivery at-least-once"));
	assert_null(sink);
}

/* No record is reported in a transaction: its account follows what librdkafka still has, and is bounded all the same. */
static void test_transaction_account(void **state)
{
	static uint8_t value[100000];
	struct record records[10];
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t ticket = 0;
	enum seal_status rc = SEAL_OK;
	const struct kafka_sink *k;
	struct sink *sink;
	size_t most;

	topic("slow-transaction", 1);
	sink = open_transactional("slow-transaction", NULL);
	k = kafka_sink_of(sink);
	for (size_t i = 0; i < 10; i++)
		records[i] = (struct record){.value = {value, sizeof(value)}, .partition = -1};
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 3000), 0);
	while (rc == SEAL_OK && ticket < 200)
		rc = sink->ops->write(sink, records, 10, ++ticket, 100, &err);
	assert_int_equal(rc, SEAL_RETRY);
	assert_in_range(ticket, 20, 50); /* 1 MB each against 32 MiB */
	most = k->in_flight;
	assert_in_range(k->in_flight_bytes, most * sizeof(value), 32 << 20);
	err_clear(&err);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, 1, 0), 0);
	expect_ok(sink->ops->write(sink, records, 10, ticket, 100000, &err), &err); /* room is made */
	assert_in_range(k->in_flight, 10, most + 9); /* and these ten are in it */
	assert_in_range(k->in_flight_bytes, 0, 32 << 20);
	assert_in_range(k->in_flight_bytes, k->in_flight * sizeof(value), k->in_flight * (sizeof(value) + 1000));
	expect_ok(sink->ops->flush(sink, 100000, &err), &err);
	assert_int_equal(k->in_flight, 0);
	assert_int_equal(k->in_flight_bytes, 0);
	end_aborted(sink);
	begin(sink); /* the next one begins with an empty account */
	expect_ok(sink->ops->write(sink, records, 10, 1, 0, &err), &err);
	assert_in_range(k->in_flight, 1, 10);
	end_aborted(sink);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/* The user's queue holds less than one write: it goes out bit by bit, whole and in order. */
static void test_transaction_queue_full(void **state)
{
	struct opt_list property = {NULL, "queue.buffering.max.messages=7"};
	struct record records[50];
	char texts[50][4];
	struct seal_err err = SEAL_ERR_INIT;
	struct source *source;
	struct sink *sink;
	long sum;

	topic("small-queue", 1);
	sink = open_transactional("small-queue", &property);
	for (int i = 0; i < 50; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%d", i);
		records[i] = (struct record){.value = bytes_str(texts[i]), .partition = -1};
	}
	expect_ok(sink->ops->write(sink, records, 50, 1, 60000, &err), &err);
	expect_ok(sink->ops->flush(sink, 100000, &err), &err);
	assert_int_equal(kafka_sink_of(sink)->in_flight, 0);
	source = source_open("small-queue", NULL,
			     "beginning"); /* this broker shows what no transaction has committed */
	assert_int_equal(drain(source, &sum), 50);
	assert_int_equal(sum, 49 * 50 / 2);
	source->ops->close(source, true);
	end_aborted(sink);
	assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
}

/*
 * Exactly once never begins where librdkafka guesses: a group that may not be asked ends the run, with nothing read, though it
 * would answer the next time.
 */
static void test_positions_refused(void **state)
{
	const uint64_t until = clock_mono_ms() + 120000;
	enum read_result result = READ_IDLE;
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;
	struct source *source;
	struct batch batch;

	topic("unplaced", 1);
	fill("unplaced", 10, 1);
	batch_init(&batch);
	rd_kafka_mock_push_request_errors(cluster, 9, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	source = open_exactly_once("unplaced", "g.unplaced");
	while (rc == SEAL_OK && result == READ_IDLE && clock_mono_ms() < until)
		rc = source->ops->read(source, &batch, BATCH, 100, &result, &err);
	assert_int_equal(rc, SEAL_DENIED);
	assert_int_equal(batch.n, 0);
	assert_non_null(strstr(err.text, "asking the group where it stands"));
	assert_non_null(strstr(err.text, "Read on the consumer group"));
	err_clear(&err);
	assert_int_equal(source->ops->read(source, &batch, BATCH, 100, &result, &err),
			 SEAL_DENIED); /* and stays so */
	source->ops->close(source, true);
	batch_clear(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewind),
		cmocka_unit_test(test_rewind_with_carried),
		cmocka_unit_test(test_rewind_to_the_first),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_in_commit),
		cmocka_unit_test(test_fenced_producer),
		cmocka_unit_test(test_close_aborts),
		cmocka_unit_test(test_transaction_timeout),
		cmocka_unit_test(test_away_in_a_transaction),
		cmocka_unit_test(test_another_producer),
		cmocka_unit_test(test_staged),
		cmocka_unit_test(test_staged_one_by_one),
		cmocka_unit_test(test_staged_by_nobody),
		cmocka_unit_test(test_positions_refused),
		cmocka_unit_test(test_ends_of_transactions),
		cmocka_unit_test(test_no_transactions),
		cmocka_unit_test(test_transaction_account),
		cmocka_unit_test(test_transaction_queue_full),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
