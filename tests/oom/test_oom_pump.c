/* pump and ndjson: every allocation that fails ends the run with SEAL_E_MEMORY, and the output gets no name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kit.h"
#include "oom.h"
#include "pump/pump.h"
#include "streams/ndjson/ndjson.h"

static char folder[64], in_path[80], out_path[80];

static int setup(void **state)
{
	FILE *f;

	snprintf(folder, sizeof(folder), "/tmp/test_oom_pump.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(in_path, sizeof(in_path), "%s/in", folder);
	snprintf(out_path, sizeof(out_path), "%s/out", folder);
	f = fopen(in_path, "wb");
	assert_non_null(f);
	for (int i = 0; i < 400; i++) {
		fprintf(f,
			"{\"topic\":\"t\\u0041\",\"key\":\"k\\n\",\"payload\":\"{\\\"n\\\":%d,\\\"pad\\\":\\\"%0*"
			"d\\\"}\"}\n",
			i, i == 200 ? 400000 : 2000, i);
	}
	fputs("\nnot an envelope\n", f);
	assert_int_equal(fclose(f), 0);
	return 0;
}

static int teardown(void **state)
{
	unlink(in_path);
	unlink(out_path);
	/* Fails when a temporary file was left behind. */
	return rmdir(folder);
}

static enum seal_status open_both(struct arena *arena, struct source **source, struct sink **sink,
				  struct seal_err *err)
{
	const struct opt_row *in = ndjson_source_ops.options, *out = ndjson_sink_ops.options;
	void *in_options = arena_alloc(arena, ndjson_source_ops.options_size, 16);
	void *out_options = arena_alloc(arena, ndjson_sink_ops.options_size, 16);
	enum seal_status rc;

	if (in_options == NULL || out_options == NULL)
		return err_memory(err);
	memset(in_options, 0, ndjson_source_ops.options_size);
	memset(out_options, 0, ndjson_sink_ops.options_size);
	SEAL_TRY(opt_defaults(in, in_options, arena, err));
	SEAL_TRY(opt_set(opt_find(in, BYTES_LIT("envelopes")), in_options, BYTES_LIT("true"), arena, err));
	SEAL_TRY(opt_defaults(out, out_options, arena, err));
	SEAL_TRY(opt_set(opt_find(out, BYTES_LIT("layout")), out_options, BYTES_LIT("source"), arena, err));
	SEAL_TRY(ndjson_source_ops.open(in_path, in_options, source, err));
	rc = ndjson_sink_ops.open(out_path, out_options, sink, err);
out:
	return rc;
}

static enum seal_status copy(void *arg, struct seal_err *err)
{
	struct pump_options options = {.plain = true, .keep_going = true, .threads = *(unsigned *)arg, .drain_ms = 1};
	struct source *source = NULL;
	struct sink *sink = NULL;
	struct pump_counts counts;
	struct arena arena;
	enum seal_status rc;

	unlink(out_path);
	arena_init(&arena, 0);
	SEAL_TRY(open_both(&arena, &source, &sink, err));
	options.source = source;
	options.sink = sink;
	SEAL_TRY(pump_run(&options, &counts, err));
	assert_int_equal(counts.records_out, 401);
	assert_int_equal(counts.failed, 1);
out:
	if (sink != NULL)
		assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	if (source != NULL)
		source->ops->close(source, rc == SEAL_OK);
	arena_clear(&arena);
	assert_int_equal(access(out_path, F_OK), rc == SEAL_OK ? 0 : -1);
	return rc;
}

static void copies(void **state)
{
	unsigned threads = 1;

	assert_true(oom_each(copy, &threads) > 10);
}

static void copies_with_threads(void **state)
{
	unsigned threads = 3;

	assert_true(oom_each(copy, &threads) > 10);
}

static const char parts_policy[] =
	KIT_HEAD "topics: [{match: t, on_error: dead_letter, dead_letter: {topic: dead, key: k}, "
		 "protect: {$.a: {type: encrypt, key: k}}, key: {type: fpe, key: f}, "
		 "headers: {x: {type: encrypt, key: k}}}]\n";

/* A good record, one that brings no headers, and one that becomes a dead letter: its key has no digits. */
static int setup_parts(void **state)
{
	FILE *f;
	int rc = setup(state);

	f = fopen(in_path, "wb");
	assert_non_null(f);
	for (int i = 0; i < 40; i++)
		fprintf(f,
			"{\"headers\":[\"x\",\"secret\",\"y\",\"z\"],\"key\":\"123456%d\",\"payload\":"
			"\"{\\\"a\\\":\\\"b\\\"}\"}\n",
			i);
	fputs("{\"payload\":\"{}\",\"key\":\"7654321\"}\n"
	      "{\"headers\":[\"x\",\"secret\"],\"key\":\"secret\",\"payload\":\"{}\"}\n",
	      f);
	assert_int_equal(fclose(f), 0);
	return rc;
}

static enum seal_status protect(void *policy, struct seal_err *err)
{
	static const struct key_source_config no_keys;
	struct pump_options options = {.direction = ENGINE_PROTECT, .threads = 1, .drain_ms = 1, .headers = true};
	struct source *source = NULL;
	struct plan *plan = NULL;
	struct sink *sink = NULL;
	struct pump_counts counts;
	struct arena arena;
	enum seal_status rc;

	unlink(out_path);
	arena_init(&arena, 0);
	SEAL_TRY(plan_new(policy, &kit_registry, &no_keys, &plan, err));
	SEAL_TRY(open_both(&arena, &source, &sink, err));
	options.plan = plan;
	options.topic = policy_topic_find(policy, bytes_str("t"));
	options.source = source;
	options.sink = sink;
	SEAL_TRY(pump_run(&options, &counts, err));
	assert_int_equal(counts.records_out, 42);
	assert_int_equal(counts.dead_letters, 1);
	assert_int_equal(counts.fields, 40 * 3 + 1);
out:
	if (sink != NULL)
		assert_int_equal(sink->ops->close(sink, NULL), SEAL_OK);
	if (source != NULL)
		source->ops->close(source, rc == SEAL_OK);
	plan_free(plan);
	arena_clear(&arena);
	assert_int_equal(access(out_path, F_OK), rc == SEAL_OK ? 0 : -1);
	assert_int_equal(fake_control.keys, 0);
	return rc;
}

static void keys_headers_and_dead_letters(void **state)
{
	struct policy *policy;

	assert_int_equal(policy_load(bytes_str(parts_policy), "oom.yaml", &kit_schema, NULL, &policy, NULL), SEAL_OK);
	assert_true(oom_each(protect, policy) > 50);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_headers_and_dead_letters, setup_parts, teardown),
		cmocka_unit_test_setup_teardown(copies_with_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
