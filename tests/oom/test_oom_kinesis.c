/*
 * streams/kinesis: each allocation of reading answers, aggregates, lines and the book fails once; then each of a whole run of sink and
 * source with their threads, against a double of the service.
 */
#include "aws_fixture.h"

#include "base/encode.h"
#include "crypto/digest.h"
#include "json/value.h"
#include "oom.h"
#include "streams/kinesis/book.h"
#include "streams/kinesis/kinesis.h"
#include "streams/kinesis/page.h"

#define RECORDS 3

/* ---- parts ---- */

static char answer_text[600];

/* One record in base64 with an escape, an aggregate, one whose key is half a character. */
static void make_answer(void)
{
	static const char message[] = "\x0a\x01"
				      "a\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x00\x1a\x01y";
	uint8_t raw[64] = "\xF3\x89\x9A\xC2";
	char data[100];
	const size_t len = sizeof(message) - 1;

	memcpy(raw + 4, message, len);
	assert_true(md5(bytes_of(message, len), raw + 4 + len));
	data[base64_encode(bytes_of(raw, 4 + len + MD5_LEN), data)] = '\0';
	snprintf(answer_text, sizeof(answer_text),
		 "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"\\/\\/8=\",\"PartitionKey\":\"k\\u20ac\"},"
		 "{\"SequenceNumber\":\"2\",\"Data\":\"%s\",\"PartitionKey\":\"k\"},"
		 "{\"SequenceNumber\":\"3\",\"Data\":\"\",\"PartitionKey\":\"\\ud800\"}],\"NextShardIterator\":"
		 "\"a\\n\"}",
		 data);
}

static enum seal_status read_page(void *arg, struct seal_err *err)
{
	struct page_answer answer = {.page = page_new(), .from = {.at = "2", .done = 1}};
	enum seal_status rc;

	if (answer.page == NULL)
		return err_memory(err);
	answer.page->text.max = sizeof(answer_text);
	SEAL_TRY(buf_append_str(&answer.page->text, arg, err));
	SEAL_TRY(page_read(&answer, err));
	assert_int_equal(answer.page->n, RECORDS);
	assert_non_null(answer.page->entries[2].record.broken);
out:
	page_free(answer.page);
	return rc;
}

static enum seal_status use_book(void *arg, struct seal_err *err)
{
	struct store_item item = {.key = BYTES_LIT("k"), .value = BYTES_LIT("one")};
	struct store_change change = {.key = BYTES_LIT("k"), .from = BYTES_LIT("one"), .to = BYTES_LIT("two")};
	struct book *book = NULL;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	remove((const char *)arg + strlen("file:"));
	SEAL_TRY(book_open(arg, NULL, &book, err));
	SEAL_TRY(book_insert(book, &item, 1, &arena, err));
	SEAL_TRY(book_change(book, &change, 1, &arena, err));
	book_close(book);
	book = NULL;
	SEAL_TRY(book_open(arg, NULL, &book, err)); /* reads what is there */
	rc = book_get(book, &item, 1, &arena, err);
	assert_true(rc != SEAL_OK || bytes_eq_str(item.value, "two"));
out:
	book_close(book);
	arena_clear(&arena);
	return rc;
}

static void parts(void **state)
{
	char path[100];

	make_answer();
	assert_true(oom_each(read_page, answer_text) > 0);
	aws_nothing();
	snprintf(path, sizeof(path), "file:%s/book", aws_home);
	assert_true(oom_each(use_book, path) > 0);
}

/* ---- a whole run ---- */

/* One shard, that has an answer and ends. Takes what is put. */
static bool answer(struct test_server *server, int fd, const struct test_request *r)
{
	static const char type[] = "Content-Type: application/x-amz-json-1.1\r\n";
	char target[80];
	const char *text = "{}";

	assert_true(test_request_header(r, "X-Amz-Target", target, sizeof(target)));
	if (strstr(target, "ListShards") != NULL)
		text = "{\"Shards\":[{\"ShardId\":\"s\",\"HashKeyRange\":{\"StartingHashKey\":\"0\","
		       "\"EndingHashKey\":"
		       "\"340282366920938463463374607431768211455\"},\"SequenceNumberRange\":{"
		       "\"EndingSequenceNumber\":"
		       "\"9\"}}]}";
	else if (strstr(target, "GetShardIterator") != NULL)
		text = "{\"ShardIterator\":\"i\"}";
	else if (strstr(target, "GetRecords") != NULL)
		text = "{\"Records\":[{\"SequenceNumber\":\"1\",\"Data\":\"aGk=\",\"PartitionKey\":\"k\"}],"
		       "\"MillisBehindLatest\":0}";
	else if (strstr(target, "PutRecords") != NULL)
		text = "{\"Records\":[{\"SequenceNumber\":\"1\"},{\"SequenceNumber\":\"2\"}]}";
	return test_reply(fd, 200, type, text);
}

/* All of the shard, committed and saved. */
static enum seal_status read_all(struct source *source, struct batch *batch, struct seal_err *err)
{
	enum read_result result = READ_IDLE;
	enum seal_status rc = SEAL_OK;
	size_t n = 0;

	while (rc == SEAL_OK && result != READ_END) {
		rc = source->ops->read(source, batch, 10, 100, &result, err);
		if (batch->n == 0)
			continue;
		n += batch->n;
		if (rc == SEAL_OK)
			rc = source->ops->commit(source, batch, err);
		source->ops->release(source, batch);
		arena_reset(&batch->arena);
		batch->n = 0;
	}
	assert_true(rc != SEAL_OK || n == 1); /* nothing is left out in silence */
	return rc == SEAL_OK ? source->ops->sync(source, err) : rc;
}

static enum seal_status run_source(void *arg, struct seal_err *err)
{
	struct record records[10];
	struct batch batch = {.records = records, .cap = 10};
	struct source *source = NULL;
	enum seal_status rc;

	remove(((const struct kinesis_options *)arg)->checkpoint + strlen("file:"));
	arena_init(&batch.arena, 0);
	SEAL_TRY(kinesis_source_ops.open("purchases", arg, &source, err));
	rc = read_all(source, &batch, err);
out:
	if (source != NULL)
		source->ops->close(source, rc == SEAL_OK);
	arena_clear(&batch.arena);
	return rc;
}

static enum seal_status run_sink(void *arg, struct seal_err *err)
{
	const struct record records[2] = {{.value = BYTES_LIT("1")},
					  {.value = BYTES_LIT("2"), .key = BYTES_LIT("\xff")}};
	struct sink *sink = NULL;
	uint64_t acknowledged = 0;
	enum seal_status rc;

	SEAL_TRY(kinesis_sink_ops.open("purchases", arg, &sink, err));
	SEAL_TRY(sink->ops->write(sink, records, 2, 1, 10000, err));
	SEAL_TRY(sink->ops->flush(sink, 10000, err));
	SEAL_TRY(sink->ops->poll(sink, 0, &acknowledged, err));
	assert_int_equal(acknowledged, 1);
out:
	if (sink != NULL && sink->ops->close(sink, err) != SEAL_OK && rc == SEAL_OK)
		rc = SEAL_FATAL;
	return rc;
}

/*
 * As oom_each, but threads make some allocations in another order each time, and some after the work is done: a run may go well though one
 * of them failed. All others say what it was, and none hangs.
 */
static void each_of_a_run(oom_work work, void *arg)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct oom_plan all = {.fail_at = 0};

	assert_int_equal(oom_run(&all, work, arg, &err), SEAL_OK);
	assert_true(atomic_load(&all.calls) > 40);
	for (size_t n = 1; n <= atomic_load(&all.calls); n++) {
		struct oom_plan plan = {.fail_at = n, .stay = n % 2};

		err_clear(&err);
		if (oom_run(&plan, work, arg, &err) == SEAL_OK)
			continue;
		assert_int_equal(err.code, SEAL_E_MEMORY);
		assert_int_equal(err.status, SEAL_FATAL);
	}
}

static void runs(void **state)
{
	static struct test_server server;
	char path[100];
	struct kinesis_options options = {.region = "eu-west-1",
					  .endpoint = server.url,
					  .requests = 1,
					  .start = "trim-horizon",
					  .group = "app",
					  .checkpoint = path,
					  .lease_ms = 600000,
					  .exit_at_end = true};

	aws_nothing();
	setenv("AWS_ACCESS_KEY_ID", "AKIDNOBODY", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "nothing", 1);
	snprintf(path, sizeof(path), "file:%s/places", aws_home);
	test_server_start(&server, answer, NULL);
	each_of_a_run(run_source, &options);
	each_of_a_run(run_sink, &options);
	test_server_stop(&server);
}

static int remove_home(void **state)
{
	aws_remove_home();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(runs)};

	return cmocka_run_group_tests(tests, NULL, remove_home);
}
