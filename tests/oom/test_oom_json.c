/* json: every allocation that fails gives SEAL_E_MEMORY and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "json/path.h"
#include "json/string.h"
#include "oom.h"

static const char *const path_texts[] = {"$.a", "$['b\\n'][*].c", "$..deep", "$.list[3]", "$.x.*"};
#define N_PATHS (sizeof(path_texts) / sizeof(path_texts[0]))

static enum seal_status compile(struct arena *arena, struct json_paths **out, struct seal_err *err)
{
	struct json_path paths[N_PATHS];
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < N_PATHS; i++)
		SEAL_TRY(json_path_parse(bytes_str(path_texts[i]), arena, &paths[i], NULL, err));
	SEAL_TRY(json_paths_new(paths, N_PATHS, out, err));
out:
	return rc;
}

static enum seal_status compile_and_scan(void *arg, struct seal_err *err)
{
	struct seal_bytes doc = *(struct seal_bytes *)arg;
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_paths *paths = NULL;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(compile(&arena, &paths, err));
	SEAL_TRY(json_scan(paths, doc, &scan, err));
	assert_int_equal(scan.n_hits, 102);
out:
	if (rc != SEAL_OK) {
		assert_int_equal(scan.n_hits, 0);
		assert_int_equal(scan.n_steps, 0);
	}
	json_scan_clear(&scan);
	json_paths_free(paths);
	arena_clear(&arena);
	return rc;
}

/* A document with so many matches that the result grows several times. */
static void scans(void **state)
{
	struct seal_buf doc = BUF_INIT(1 << 20);
	struct seal_bytes bytes;

	assert_int_equal(buf_append_str(&doc, "{\"a\":1,\"list\":[0,0,0,7],\"x\":[", NULL), SEAL_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_append_str(&doc, i % 3 ? ",{}" : i ? ",1" : "[]", NULL), SEAL_OK);
	assert_int_equal(buf_append_str(&doc, "]}", NULL), SEAL_OK);
	bytes = buf_bytes(&doc);
	assert_true(oom_each(compile_and_scan, &bytes) >= 8);
	buf_clear(&doc);
}

static enum seal_status canonical(void *arg, struct seal_err *err)
{
	struct seal_buf out = BUF_INIT(4096);
	struct json_path path;
	struct arena arena;
	enum seal_status rc;

	arena_init(&arena, 0);
	SEAL_TRY(json_path_parse(bytes_str(arg), &arena, &path, NULL, err));
	SEAL_TRY(json_path_canonical(&path, &out, err));
out:
	buf_clear(&out);
	arena_clear(&arena);
	return rc;
}

static void canonical_texts(void **state)
{
	char text[600] = "$";

	for (size_t i = 0; i < 40; i++)
		memcpy(text + 1 + 10 * i, ".aaaaaaaaa", 10);
	text[401] = '\0';
	assert_true(oom_each(canonical, text) >= 3);
}

/* Decoding has no error of its own: no memory is a NULL pointer with true. */
static enum seal_status decode(void *arg, struct seal_err *err)
{
	struct seal_bytes out;
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 0);
	assert_true(json_string_decode(bytes_str(arg), &arena, &out));
	if (out.ptr == NULL)
		rc = err_memory(err);
	arena_clear(&arena);
	return rc;
}

static void strings(void **state)
{
	assert_int_equal(oom_each(decode, "a\\nb"), 1);
	assert_int_equal(oom_each(decode, "plain"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scans),
		cmocka_unit_test(canonical_texts),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
