/* scan/run: however many threads, the same table; samples, stops, and sources that fail. */
#include "scan_help.h"

#include <stdatomic.h>
#include <unistd.h>

#include "scan/run.h"
#include "streams/ndjson/ndjson.h"

#define RECORDS 40000

/* A file of records, some of which cannot be read; removed when it is closed. */
static struct source *source_of(size_t n)
{
	char name[] = "/tmp/test_scan_XXXXXX";
	int fd = mkstemp(name);
	FILE *file = fdopen(fd, "w");
	struct source *source;
	struct arena arena;
	void *options;

	assert_non_null(file);
	for (size_t i = 0; i < n; i++)
		fprintf(file, "{\"id\":%zu,\"mail\":\"u%zu@example.com\",\"m\":{\"k%zu\":[%zu]}}%s\n", i, i, i, i,
			i % 1000 == 999 ? "," : "");
	assert_int_equal(fclose(file), 0);
	arena_init(&arena, 0);
	options = arena_alloc(&arena, ndjson_source_ops.options_size, _Alignof(max_align_t));
	assert_non_null(options);
	memset(options, 0, ndjson_source_ops.options_size);
	OK(opt_defaults(ndjson_source_ops.options, options, &arena, NULL));
	OK(ndjson_source_ops.open(name, options, &source, NULL));
	assert_int_equal(unlink(name), 0);
	arena_clear(&arena);
	return source;
}

static void count_failed(void *arg, const struct record *record, const struct seal_err *why)
{
	assert_int_equal(why->code, SEAL_E_SYNTAX);
	assert_int_equal(record->offset % 1000, 0);
	++*(uint64_t *)arg; /* by one thread at a time: TSan looks */
}

static atomic_int stops;

static int stop_now(void)
{
	return atomic_load(&stops);
}

/* The table's text; the caller's to clear. */
static struct scan_totals run_threads(size_t threads, uint64_t max, bool expect_more, struct seal_buf *text)
{
	struct source *source = source_of(RECORDS);
	struct scan_rules rules;
	struct scanner scanner;
	struct scan_totals totals;
	uint64_t failed = 0;
	const struct scan_run_options options = {.source = source,
						 .rules = &rules,
						 .threads = threads,
						 .max_records = max,
						 .stop = stop_now,
						 .failed = count_failed,
						 .arg = &failed};
	bool more;

	OK(scan_rules_init(&rules, NULL, false, NULL));
	OK(scan_run(&options, &scanner, &more, NULL));
	assert_int_equal(more, expect_more);
	totals = scanner.totals;
	assert_int_equal(totals.failed, failed);
	table_text(scanner.table, text);
	scanner_clear(&scanner);
	scan_rules_clear(&rules);
	source->ops->close(source, true);
	return totals;
}

static void threads_change_nothing(void **state)
{
	struct seal_buf one, many;
	struct scan_totals totals = run_threads(1, 0, false, &one);

	assert_int_equal(totals.records, RECORDS);
	assert_int_equal(totals.failed, RECORDS / 1000);
	assert_string_equal((const char *)one.ptr,
			    "$.id number:39960\n$.mail string:39960 email open\n$.m.*[*] number:39960\n");
	for (size_t threads = 2; threads <= 6; threads += 2) {
		totals = run_threads(threads, 0, false, &many);
		assert_int_equal(totals.records, RECORDS);
		assert_string_equal((const char *)many.ptr, (const char *)one.ptr);
		buf_clear(&many);
	}
	buf_clear(&one);
}

/* The first ones, whoever reads them. */
static void samples(void **state)
{
	for (size_t threads = 1; threads <= 4; threads++) {
		struct seal_buf text;
		struct scan_totals totals = run_threads(threads, 10007, true, &text);

		assert_int_equal(totals.records, 10007);
		assert_int_equal(totals.failed, 10);
		buf_clear(&text);
	}
}

static void stop_requests(void **state)
{
	struct seal_buf text;
	struct scan_totals totals;

	atomic_store(&stops, 15);
	totals = run_threads(3, 0, false, &text);
	assert_int_equal(totals.records, 0);
	assert_string_equal((const char *)text.ptr, "");
	buf_clear(&text);
	atomic_store(&stops, 0);
}

/* A source that gives some batches and then fails. */
struct failing {
	struct source base;
	struct source *inner;
	size_t left;
	atomic_size_t held; /* batches that were not released */
};

static enum seal_status failing_read(struct source *source, struct batch *batch, size_t max, int timeout_ms,
				     enum read_result *result, struct seal_err *err)
{
	struct failing *f = (struct failing *)source;

	if (f->left-- == 0)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "gone");
	atomic_fetch_add(&f->held, 1);
	return f->inner->ops->read(f->inner, batch, max < 100 ? max : 100, timeout_ms, result, err);
}

static void failing_release(struct source *source, struct batch *batch)
{
	struct failing *f = (struct failing *)source;

	atomic_fetch_sub(&f->held, 1);
	f->inner->ops->release(f->inner, batch);
}

static const struct source_ops failing_ops = {
	.size = sizeof(struct source_ops), .read = failing_read, .release = failing_release};

static void failures_of_the_source(void **state)
{
	struct failing source = {.base = {&failing_ops}, .inner = source_of(RECORDS), .left = 5};
	struct scan_rules rules;
	struct scanner scanner = {.rules = NULL};
	uint64_t failed = 0;
	const struct scan_run_options options = {
		.source = &source.base, .rules = &rules, .threads = 4, .failed = count_failed, .arg = &failed};
	struct seal_err err = SEAL_ERR_INIT;
	bool more;

	OK(scan_rules_init(&rules, NULL, false, NULL));
	assert_int_equal(scan_run(&options, &scanner, &more, &err), SEAL_RETRY);
	assert_string_equal(err.text, "gone");
	assert_null(scanner.table);
	assert_int_equal(source.held, 0);
	scan_rules_clear(&rules);
	source.inner->ops->close(source.inner, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(samples),
		cmocka_unit_test(stop_requests),
		cmocka_unit_test(failures_of_the_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
