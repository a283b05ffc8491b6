/* Verifying records, when any allocation fails: no verdict, or the right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/verify.h"
#include "kit.h"
#include "oom.h"

#define RECORDS 4

static const char policy_text[] =
	"version: 1\nkeys: {k: 'fake:aes', f: 'fake:ff1', h: 'fake:hmac', c: 'fake:convergent'}\n"
	"topics: [{match: t, on_null: keep, key: {type: deterministic, key: c}, headers: {x: {type: encrypt, key: "
	"k}}, "
	"protect: {$.a: {type: encrypt, key: k}, $.f: {type: fpe, key: f}, $.h: {type: hash, key: h}, "
	"$.m: {type: mask}, $.r: {type: redact}, $.x: {type: remove}}}]\n";

static const struct source_ops source_ops = {.size = sizeof(struct source_ops), .name = "test"};
static struct source source = {&source_ops};

/* What `topic` makes of a value, kept for the test. */
static struct seal_bytes protect(struct kit *kit, const struct policy_topic *topic, const char *text)
{
	struct seal_bytes value = bytes_str(text);
	struct engine_result result;

	assert_int_equal(engine_run(kit->engine, topic, ENGINE_PROTECT, &value, 1, &result, NULL), SEAL_OK);
	assert_null(result.err);
	return bytes_of(mem_dup(result.value.ptr, result.value.len), result.value.len);
}

struct world {
	struct kit kit;
	struct record records[RECORDS];
	struct record_header header;
};

/* A good one, one without a value, one that is in clear, one that is broken. */
static void world_begin(struct world *w)
{
	kit_open(&w->kit, policy_text);
	w->header = (struct record_header){BYTES_LIT("x"), protect(&w->kit, w->kit.topic->headers[0], "Ada")};
	w->records[0] = (struct record){
		.key = protect(&w->kit, w->kit.topic->key, "k1"),
		.value = protect(
			&w->kit, w->kit.topic,
			"{\"a\":\"\\u00e9\",\"f\":\"4111 1111\",\"h\":\"\",\"m\":\"abc\",\"r\":null,\"x\":1}"),
		.headers = &w->header,
		.n_headers = 1,
		.topic = BYTES_LIT("t")};
	w->records[1] = (struct record){.topic = BYTES_LIT("t"), .offset = 1};
	w->records[2] =
		(struct record){.value = BYTES_LIT("{\"h\":\"\\u0061\"}"), .topic = BYTES_LIT("t"), .partition = 1};
	w->records[3] =
		(struct record){.value = BYTES_LIT("{"), .topic = BYTES_LIT("t"), .partition = 1, .offset = 1};
}

static void world_end(struct world *w)
{
	mem_free((void *)w->records[0].key.ptr);
	mem_free((void *)w->records[0].value.ptr);
	mem_free((void *)w->header.value.ptr);
	kit_close(&w->kit);
}

static enum seal_status work(void *arg, struct seal_err *err)
{
	static const struct verify_options options = {.failures = 1, .max_record_bytes = 1 << 20};
	static struct verify v;
	const struct batch batch = {.records = ((struct world *)arg)->records, .n = RECORDS};
	struct world *w = arg;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	memset(&v, 0, sizeof(v));
	v.options = &options;
	v.arena = &arena;
	SEAL_TRY(verify_begin(&v, w->kit.plan, w->kit.topic, true, err));
	SEAL_TRY(verify_batch(&v, &source, &batch, err));
	assert_true(v.records == 4 && v.tombstones == 1 && v.failed == 2 && v.n_kinds == 2 && v.n_failures == 1);
	assert_string_equal(v.failures[0].record, "t/1/0");
	assert_string_equal(v.failures[0].path, "$['h']");
	assert_int_equal(v.failures[0].code, SEAL_E_PLAINTEXT);
	assert_true(v.n_ranges == 2 && v.ranges[1].first == 0 && v.ranges[1].last == 1 && v.ranges[1].records == 2);
	assert_string_equal(v.views[0].fields[0].path, "key");
	assert_true(v.views[0].fields[0].values == 1 && v.views[0].fields[0].versions[0].version == 1);
	assert_string_equal(v.views[1].fields[0].path, "header:x");
	assert_true(v.views[1].fields[0].values == 1 && v.views[1].fields[0].versions[0].version == 2);
	assert_true(v.views[2].fields[4].values == 0 && v.views[2].fields[4].nulls == 1);
out:
	verify_clear(&v);
	arena_clear(&arena);
	return rc;
}

static void every_failing_allocation_ends_well(void **state)
{
	struct world w;

	world_begin(&w);
	assert_true(oom_each(work, &w) > 20);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_failing_allocation_ends_well)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
