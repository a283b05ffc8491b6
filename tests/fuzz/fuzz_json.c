/*
 * The scanner, strings and splicing: any bytes as a document. All back ends must say the same; what was found must
 * be exact values; what was spliced must be JSON again with everything else in place.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "json/path.h"
#include "json/splice.h"
#include "json/string.h"

static const char *const texts[] = {
	"$.a",	   "$.b.c",  "$['\xc3\xa9']", "$.list[*]", "$.list2[*].note", "$.grid[1][0]",
	"$..deep", "$..x.y", "$.any.*.z",     "$[2]",	   "$[*].id",	      "$['']",
};
#define N_PATHS (sizeof(texts) / sizeof(texts[0]))

static struct json_paths *paths;

static void setup(void)
{
	struct json_path parsed[N_PATHS];
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < N_PATHS; i++)
		CHECK(json_path_parse(bytes_str(texts[i]), &arena, &parsed[i], NULL, NULL) == SEAL_OK);
	CHECK(json_paths_new(parsed, N_PATHS, &paths, NULL) == SEAL_OK);
	arena_clear(&arena);
}

static bool same(const struct json_scan *a, const struct json_scan *b)
{
	if (a->n_hits != b->n_hits || a->n_steps != b->n_steps)
		return false;
	for (size_t i = 0; i < a->n_hits; i++) {
		const struct json_hit *x = &a->hits[i], *y = &b->hits[i];

		if (x->start != y->start || x->end != y->end || x->item_start != y->item_start ||
		    x->path != y->path || x->steps != y->steps || x->n_steps != y->n_steps || x->type != y->type ||
		    x->escaped != y->escaped || x->in_object != y->in_object)
			return false;
	}
	for (size_t i = 0; i < a->n_steps; i++)
		if (a->steps[i].start != b->steps[i].start || a->steps[i].end != b->steps[i].end ||
		    a->steps[i].escaped != b->steps[i].escaped)
			return false;
	return true;
}

static void check_string(struct seal_bytes raw, bool escaped)
{
	struct arena arena;
	struct seal_bytes text;

	arena_init(&arena, 0);
	CHECK(escaped == (raw.len && memchr(raw.ptr, '\\', raw.len) != NULL));
	if (json_string_decode(raw, &arena, &text)) {
		uint8_t *quoted = mem_alloc(JSON_STRING_MAX(text.len));
		size_t len;

		CHECK(quoted != NULL && utf8_valid(text));
		len = json_string_write(text, quoted);
		CHECK(len == json_string_written(text));
		CHECK(json_is_value(bytes_of(quoted, len), false));
		mem_free(quoted);
	}
	arena_clear(&arena);
}

static void check_hits(struct seal_bytes doc, const struct json_scan *scan)
{
	uint32_t behind = 0;

	for (size_t i = 0; i < scan->n_hits; i++) {
		const struct json_hit *h = &scan->hits[i];
		struct seal_buf place = BUF_INIT(1 << 20);

		CHECK(h->item_start >= behind && h->item_start <= h->start && h->start < h->end && h->end <= doc.len);
		CHECK(json_is_value(bytes_of(doc.ptr + h->start, h->end - h->start), false));
		behind = h->end;
		if (h->type == JSON_STRING)
			check_string(bytes_of(doc.ptr + h->start + 1, h->end - h->start - 2), h->escaped);
		if (json_steps_canonical(doc, scan->steps + h->steps, h->n_steps, &place, NULL) == SEAL_OK)
			CHECK(utf8_valid(buf_bytes(&place)));
		buf_clear(&place);
	}
}

/* Replaces some matches and removes others, as the input's bytes have it. */
static void check_splice(struct seal_bytes doc, const struct json_scan *scan)
{
	struct json_edit *edits = mem_alloc(scan->n_hits * sizeof(*edits));
	struct json_scan again = JSON_SCAN_INIT;
	size_t max, len;
	uint8_t *out;

	CHECK(edits != NULL);
	for (size_t i = 0; i < scan->n_hits; i++) {
		const struct json_hit *h = &scan->hits[i];
		uint8_t way = doc.ptr[h->start] ^ doc.ptr[(h->start * 7 + i) % doc.len];

		edits[i] = (struct json_edit){h->start, h->end, h->item_start, BYTES_LIT("new"), true, way & 1};
	}
	max = json_splice_max(doc, edits, scan->n_hits);
	out = mem_alloc(max);
	CHECK(out != NULL);
	len = json_splice(doc, edits, scan->n_hits, out);
	CHECK(len <= max);
	CHECK(json_scan(paths, bytes_of(out, len), &again, NULL) == SEAL_OK);
	if (scan->n_hits == 0)
		CHECK(len == doc.len && (len == 0 || memcmp(out, doc.ptr, len) == 0));
	json_scan_clear(&again);
	mem_free(out);
	mem_free(edits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const others[] = {"sse2", "avx2"};
	struct seal_bytes doc = bytes_of(data, size);
	struct json_scan first = JSON_SCAN_INIT;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	if (paths == NULL)
		setup();
	CHECK(json_backend_force("plain"));
	rc = json_scan(paths, doc, &first, &why);
	CHECK(json_is_value(doc, true) == (rc == SEAL_OK));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct json_scan scan = JSON_SCAN_INIT;
		struct seal_err err = SEAL_ERR_INIT;

		if (!json_backend_force(others[i]))
			continue;
		CHECK(json_scan(paths, doc, &scan, &err) == rc);
		CHECK(strcmp(err.place, why.place) == 0 && strcmp(err.text, why.text) == 0);
		CHECK(same(&first, &scan));
		json_scan_clear(&scan);
	}
	if (rc == SEAL_OK) {
		check_hits(doc, &first);
		check_splice(doc, &first);
	}
	json_scan_clear(&first);
	return 0;
}
