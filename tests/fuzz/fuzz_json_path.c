/*
 * The path parser and the automaton: the input is one path a line. A path that parses has a canonical text; a set
 * that compiles scans; paths overlap with themselves and both ways round.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "json/path.h"

#define PATHS_TRIED 24

static const char doc[] = "{\"a\":[{\"b\":1,\"c\":[0,1,2,{\"a\":{\"a\":{\"b\":null}}}]},2],\"b\":{\"a\":\"x\"},"
			  "\"\":[[[]]],\"items\":[{\"note\":\"n\"}]}";

static void check_path(struct seal_bytes text, const struct json_path *path)
{
	struct seal_buf canonical = BUF_INIT(1 << 20);

	CHECK(path->n_steps <= JSON_PATH_STEPS_MAX);
	CHECK(json_path_canonical(path, &canonical, NULL) == SEAL_OK);
	CHECK(utf8_valid(buf_bytes(&canonical)) && canonical.ptr[0] == '$');
	CHECK(json_path_overlaps(path, path));
	CHECK(utf8_valid(text));
	buf_clear(&canonical);
}

static void check_set(const struct json_path *parsed, size_t n)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	struct json_paths *paths;

	for (size_t i = 1; i < n; i++)
		CHECK(json_path_overlaps(&parsed[i - 1], &parsed[i]) ==
		      json_path_overlaps(&parsed[i], &parsed[i - 1]));
	if (json_paths_new(parsed, n, &paths, &err) != SEAL_OK) {
		CHECK(err.code == SEAL_E_LIMIT && paths == NULL);
		return;
	}
	CHECK(json_scan(paths, bytes_str(doc), &scan, NULL) == SEAL_OK);
	for (size_t i = 0; i < scan.n_hits; i++)
		CHECK(scan.hits[i].path < n);
	json_scan_clear(&scan);
	json_paths_free(paths);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_path parsed[PATHS_TRIED];
	struct arena arena;
	size_t n = 0, from = 0;

	arena_init(&arena, 0);
	while (from <= size && n < PATHS_TRIED) {
		const uint8_t *line = size ? data + from : data;
		const uint8_t *stop = size > from ? memchr(line, '\n', size - from) : NULL;
		struct seal_bytes text = bytes_of(line, stop != NULL ? (size_t)(stop - line) : size - from);
		struct seal_err err = SEAL_ERR_INIT;
		size_t at;

		if (json_path_parse(text, &arena, &parsed[n], &at, &err) == SEAL_OK) {
			check_path(text, &parsed[n]);
			n++;
		} else {
			CHECK(err.status == SEAL_USAGE && at <= text.len && parsed[n].n_steps == 0);
		}
		from += text.len + 1;
	}
	check_set(parsed, n);
	arena_clear(&arena);
	return 0;
}
