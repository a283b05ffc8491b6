/*
 * json: laws over random documents.
 *
 * Documents are made as trees and written with random white space, so that the tree says what a scan must find and
 * what a splice must leave: a naive implementation beside the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "json/path.h"
#include "json/splice.h"
#include "prop.h"

#define NODES_MAX 400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum fate { KEEP, REPLACE, REMOVE };

struct node {
	char kind; /* '{', '[' or 's' for a scalar */
	const char *name; /* raw, quotes included; NULL in arrays and at the root */
	const char *text; /* of a scalar */
	size_t child, next; /* first child and next sibling; 0: none */
	enum fate fate;
	uint32_t start, end, item; /* where it was written */
};

struct tree {
	struct prop_random dice;
	struct node nodes[NODES_MAX];
	size_t n;
	struct seal_buf doc;
};

static const char *const names[] = {"\"a\"",	"\"b\"",       "\"note\"",	     "\"\\u0061\"",
				    "\"\"",	"\"x,y\\\"\"", "\"\xc3\xa9 {[,]}\"", "\"a b\"",
				    "\"deep\"", "\"\\ud800\""};
static const char *const scalars[] = {"0",
				      "-1.10e+5",
				      "12345678901234567890",
				      "true",
				      "false",
				      "null",
				      "\"\"",
				      "\"text, with ] and } and \\\" in it\"",
				      "\"\\\\\"",
				      "\"\\u0000\\ud83d\\ude00\\n\"",
				      "\"\xf0\x9f\x98\x80 0123456789 0123456789 0123456789 0123456789\""};

static size_t grow(struct tree *t, const char *name, int depth)
{
	size_t at = t->n++;
	struct node *node = &t->nodes[at];
	uint32_t dice = prop_below(&t->dice, 10);

	*node = (struct node){.name = name, .kind = 's', .text = scalars[prop_below(&t->dice, COUNT(scalars))]};
	if (depth < 6 && (depth == 0 || dice < 5)) {
		uint32_t children = prop_below(&t->dice, depth == 0 ? 12 : 7);
		size_t last = 0;

		node->kind = dice % 2 ? '{' : '[';
		for (uint32_t i = 0; i < children && t->n < NODES_MAX - 8; i++) {
			const char *child = node->kind == '{' ? names[prop_below(&t->dice, COUNT(names))] : NULL;
			size_t made = grow(t, child, depth + 1);

			if (last == 0)
				node->child = made;
			else
				t->nodes[last].next = made;
			last = made;
		}
	}
	return at;
}

static void put(struct seal_buf *out, const char *text)
{
	assert_int_equal(buf_append_str(out, text, NULL), SEAL_OK);
}

static void put_space(struct tree *t)
{
	static const char *const spaces[] = {"", "", "", " ", "\n", "\t ", "\r\n                                  "};

	put(&t->doc, spaces[prop_below(&t->dice, COUNT(spaces))]);
}

/* Writes the node with random white space and notes where. */
static void render(struct tree *t, size_t at)
{
	struct node *node = &t->nodes[at];

	node->item = (uint32_t)t->doc.len;
	if (node->name != NULL) {
		put(&t->doc, node->name);
		put_space(t);
		put(&t->doc, ":");
		put_space(t);
	}
	node->start = (uint32_t)t->doc.len;
	if (node->kind == 's') {
		put(&t->doc, node->text);
	} else {
		put(&t->doc, node->kind == '{' ? "{" : "[");
		put_space(t);
		for (size_t child = node->child; child != 0; child = t->nodes[child].next) {
			render(t, child);
			put_space(t);
			if (t->nodes[child].next != 0) {
				put(&t->doc, ",");
				put_space(t);
			}
		}
		put(&t->doc, node->kind == '{' ? "}" : "]");
	}
	node->end = (uint32_t)t->doc.len;
}

/* The naive splice: the tree after its edits, without white space. */
static void render_edited(const struct tree *t, size_t at, struct seal_buf *out)
{
	const struct node *node = &t->nodes[at];
	bool first = true;

	if (node->name != NULL) {
		put(out, node->name);
		put(out, ":");
	}
	if (node->fate == REPLACE || node->kind == 's') {
		put(out, node->fate == REPLACE ? "\"new value\"" : node->text);
		return;
	}
	put(out, node->kind == '{' ? "{" : "[");
	for (size_t child = node->child; child != 0; child = t->nodes[child].next) {
		if (t->nodes[child].fate == REMOVE)
			continue;
		if (!first)
			put(out, ",");
		first = false;
		render_edited(t, child, out);
	}
	put(out, node->kind == '{' ? "}" : "]");
}

/* Drops white space outside strings. */
static void compact(struct seal_bytes doc, struct seal_buf *out)
{
	bool inside = false;

	for (size_t i = 0; i < doc.len; i++) {
		uint8_t c = doc.ptr[i];

		if (!inside && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
			continue;
		assert_int_equal(buf_append_u8(out, c, NULL), SEAL_OK);
		if (inside && c == '\\')
			assert_int_equal(buf_append_u8(out, doc.ptr[++i], NULL), SEAL_OK);
		else if (c == '"')
			inside = !inside;
	}
}

/* A new document; nothing is edited yet. */
static void plant(struct tree *t, uint64_t seed)
{
	t->dice = prop_seed(seed);
	t->n = 0;
	buf_reset(&t->doc);
	grow(t, NULL, 0);
	put_space(t);
	render(t, 0);
	put_space(t);
}

static size_t edits_of(struct tree *t, size_t at, uint32_t one_in, struct json_edit *edits, size_t n)
{
	struct node *node = &t->nodes[at];

	if (at != 0 && prop_below(&t->dice, one_in) == 0) {
		node->fate = prop_below(&t->dice, 2) ? REPLACE : REMOVE;
		edits[n++] = (struct json_edit){.start = node->start,
						.end = node->end,
						.item_start = node->item,
						.with = BYTES_LIT("new value"),
						.quote = true,
						.remove = node->fate == REMOVE};
		return n;
	}
	for (size_t child = node->child; child != 0; child = t->nodes[child].next)
		n = edits_of(t, child, one_in, edits, n);
	return n;
}

static void splice_is_the_naive_one(void **state)
{
	static struct tree t = {.doc = BUF_INIT(1 << 20)};
	struct json_edit edits[NODES_MAX];
	struct seal_buf expected = BUF_INIT(1 << 20), found = BUF_INIT(1 << 20);
	size_t removed = 0;

	for (uint64_t seed = 1; seed <= 3000; seed++) {
		size_t n, len;
		uint8_t *out;

		plant(&t, seed);
		n = edits_of(&t, 0, 1 + (uint32_t)(seed % 5), edits, 0);
		out = mem_alloc(json_splice_max(buf_bytes(&t.doc), edits, n));
		assert_non_null(out);
		len = json_splice(buf_bytes(&t.doc), edits, n, out);
		assert_true(json_is_value(bytes_of(out, len), true));
		buf_reset(&expected);
		buf_reset(&found);
		render_edited(&t, 0, &expected);
		compact(bytes_of(out, len), &found);
		if (!bytes_eq(buf_bytes(&expected), buf_bytes(&found)))
			fail_msg("seed %llu: %.*s", (unsigned long long)seed, (int)len, (const char *)out);
		for (size_t i = 0; i < n; i++)
			removed += edits[i].remove;
		mem_free(out);
	}
	assert_true(removed > 1000);
	buf_clear(&expected);
	buf_clear(&found);
	buf_clear(&t.doc);
}

static struct json_paths *compile(void)
{
	static const char *const texts[] = {"$.a", "$[1]", "$[*].b", "$..note", "$.b[*].*", "$.deep..a", "$['']"};
	struct json_path paths[COUNT(texts)];
	struct json_paths *compiled;
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(json_path_parse(bytes_str(texts[i]), &arena, &paths[i], NULL, NULL), SEAL_OK);
	assert_int_equal(json_paths_new(paths, COUNT(texts), &compiled, NULL), SEAL_OK);
	arena_clear(&arena);
	return compiled;
}

/* Replacing what paths find changes those spans and not one byte around them. */
static void untouched_bytes_stay(void **state)
{
	static struct tree t = {.doc = BUF_INIT(1 << 20)};
	struct json_paths *paths = compile();
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_edit edits[NODES_MAX];
	size_t hits = 0;

	for (uint64_t seed = 1; seed <= 2000; seed++) {
		size_t doc_at = 0, out_at = 0, len;
		uint8_t *out;

		plant(&t, seed * 77);
		assert_int_equal(json_scan(paths, buf_bytes(&t.doc), &scan, NULL), SEAL_OK);
		for (size_t i = 0; i < scan.n_hits; i++)
			edits[i] = (struct json_edit){scan.hits[i].start,
						      scan.hits[i].end,
						      scan.hits[i].item_start,
						      BYTES_LIT("123"),
						      false,
						      false};
		out = mem_alloc(json_splice_max(buf_bytes(&t.doc), edits, scan.n_hits));
		assert_non_null(out);
		len = json_splice(buf_bytes(&t.doc), edits, scan.n_hits, out);
		for (size_t i = 0; i < scan.n_hits; i++) {
			size_t run = scan.hits[i].start - doc_at;

			assert_memory_equal(out + out_at, t.doc.ptr + doc_at, run);
			assert_memory_equal(out + out_at + run, "123", 3);
			out_at += run + 3;
			doc_at = scan.hits[i].end;
		}
		assert_int_equal(len - out_at, t.doc.len - doc_at);
		assert_memory_equal(out + out_at, t.doc.ptr + doc_at, len - out_at);
		hits += scan.n_hits;
		mem_free(out);
	}
	assert_true(hits > 2000);
	json_scan_clear(&scan);
	json_paths_free(paths);
	buf_clear(&t.doc);
}

/* All back ends give the same status, place, text, hits and steps. */
static bool agree(const struct json_paths *paths, struct seal_bytes doc)
{
	static const char *const others[] = {"sse2", "avx2"};
	struct json_scan first = JSON_SCAN_INIT;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	assert_true(json_backend_force("plain"));
	rc = json_scan(paths, doc, &first, &why);
	for (size_t i = 0; i < COUNT(others); i++) {
		struct json_scan scan = JSON_SCAN_INIT;
		struct seal_err err = SEAL_ERR_INIT;

		if (!json_backend_force(others[i]))
			continue;
		assert_int_equal(json_scan(paths, doc, &scan, &err), rc);
		assert_string_equal(err.place, why.place);
		assert_string_equal(err.text, why.text);
		assert_int_equal(scan.n_hits, first.n_hits);
		assert_int_equal(scan.n_steps, first.n_steps);
		for (size_t h = 0; h < scan.n_hits; h++) {
			assert_int_equal(scan.hits[h].start, first.hits[h].start);
			assert_int_equal(scan.hits[h].end, first.hits[h].end);
			assert_int_equal(scan.hits[h].item_start, first.hits[h].item_start);
			assert_int_equal(scan.hits[h].path, first.hits[h].path);
			assert_int_equal(scan.hits[h].escaped, first.hits[h].escaped);
		}
		json_scan_clear(&scan);
	}
	json_scan_clear(&first);
	return rc == SEAL_OK;
}

static void back_ends_agree(void **state)
{
	static struct tree t = {.doc = BUF_INIT(1 << 20)};
	struct json_paths *paths = compile();
	size_t good = 0, bad = 0;

	for (uint64_t seed = 1; seed <= 1000; seed++) {
		plant(&t, seed * 1001);
		assert_true(agree(paths, buf_bytes(&t.doc)));
		for (int i = 0; i < 20; i++) {
			static const uint8_t bytes[] =
				"\"\\{}[],:0123456789-.eEtuabc \n\x1f\x7f\x80\xc2\xe0\xed\xf4\xff";
			size_t at = prop_below(&t.dice, (uint32_t)t.doc.len);
			uint8_t was = t.doc.ptr[at];

			t.doc.ptr[at] = bytes[prop_below(&t.dice, sizeof(bytes) - 1)];
			if (agree(paths, buf_bytes(&t.doc)))
				good++;
			else
				bad++;
			if (i % 10 != 9)
				t.doc.ptr[at] = was;
		}
	}
	assert_true(good > 1000 && bad > 1000);
	json_paths_free(paths);
	buf_clear(&t.doc);
}

/* A container cut anywhere is refused; what is missing can only be white space at its end. */
static void every_cut_is_refused(void **state)
{
	static struct tree t = {.doc = BUF_INIT(1 << 20)};
	size_t cuts = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		plant(&t, seed * 31);
		for (size_t cut = 0; cut < t.doc.len; cut++) {
			struct json_scan scan = JSON_SCAN_INIT;
			struct seal_err err = SEAL_ERR_INIT;
			uint8_t *copy = mem_dup(t.doc.ptr, cut);
			enum seal_status rc;

			assert_non_null(copy);
			rc = json_scan(NULL, bytes_of(copy, cut), &scan, &err);
			assert_int_equal(rc, cut >= t.nodes[0].end ? SEAL_OK : SEAL_DATA);
			mem_free(copy);
			cuts++;
		}
	}
	assert_true(cuts > 1000);
	buf_clear(&t.doc);
}

/* Whether the node is a member of that (decoded) name. */
static bool name_is(const struct node *node, const char *decoded)
{
	if (node->name == NULL)
		return false;
	if (strcmp(node->name, "\"\\u0061\"") == 0)
		return strcmp(decoded, "a") == 0;
	return strlen(decoded) + 2 == strlen(node->name) && strncmp(node->name + 1, decoded, strlen(decoded)) == 0;
}

/* All values called `name` at any depth: where each starts. */
static size_t naive_deep(const struct tree *t, size_t at, const char *name, uint32_t *starts, size_t n)
{
	for (size_t child = t->nodes[at].child; child != 0; child = t->nodes[child].next) {
		if (name_is(&t->nodes[child], name))
			starts[n++] = t->nodes[child].start;
		else
			n = naive_deep(t, child, name, starts, n);
	}
	return n;
}

static void deep_names_are_all_found(void **state)
{
	static struct tree t = {.doc = BUF_INIT(1 << 20)};
	static const char *const wanted[] = {"a", "note", "deep", "b"};
	struct json_scan scan = JSON_SCAN_INIT;
	size_t total = 0;

	for (size_t w = 0; w < COUNT(wanted); w++) {
		struct json_paths *paths;
		struct json_path path;
		struct arena arena;
		char text[32];

		arena_init(&arena, 0);
		snprintf(text, sizeof(text), "$..%s", wanted[w]);
		assert_int_equal(json_path_parse(bytes_str(text), &arena, &path, NULL, NULL), SEAL_OK);
		assert_int_equal(json_paths_new(&path, 1, &paths, NULL), SEAL_OK);
		for (uint64_t seed = 1; seed <= 500; seed++) {
			uint32_t starts[NODES_MAX];
			size_t n;

			plant(&t, seed * 13 + w);
			n = naive_deep(&t, 0, wanted[w], starts, 0);
			assert_int_equal(json_scan(paths, buf_bytes(&t.doc), &scan, NULL), SEAL_OK);
			assert_int_equal(scan.n_hits, n);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(scan.hits[i].start, starts[i]);
			total += n;
		}
		json_paths_free(paths);
		arena_clear(&arena);
	}
	assert_true(total > 1000);
	json_scan_clear(&scan);
	buf_clear(&t.doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splice_is_the_naive_one),  cmocka_unit_test(untouched_bytes_stay),
		cmocka_unit_test(back_ends_agree),	    cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(deep_names_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
