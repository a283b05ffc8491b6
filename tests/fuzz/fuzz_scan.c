/*
 * Scans of any records: lines of a value, or of a key, a tab and a value. Two tables of halves are the table of the whole; every
 * path of a value is one that policies take; values are counted once, however deep, wide or odd.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "json/path.h"
#include "scan/scan.h"
#include "scan/verdict.h"

/* Of each node: path, counts and verdict. */
static void describe(const struct scan_table *table, struct seal_buf *out)
{
	const struct scan_node *node = scan_table_top(table);
	struct scan_verdict verdict;

	while ((node = scan_node_next(node)) != NULL) {
		const struct scan_counts *c = &node->counts;

		CHECK(scan_node_path(node, out, NULL) == SEAL_OK);
		scan_judge(node, &verdict);
		for (size_t i = 0; i < SCAN_TYPES; i++)
			CHECK(buf_printf(out, NULL, " %llu", (unsigned long long)c->types[i]) == SEAL_OK);
		CHECK(c->by_cover[SCAN_CLEAR] == scan_node_values(node) + c->below);
		CHECK(buf_printf(out, NULL, " %llu %llu %llx %zu %s\n", (unsigned long long)c->below,
				 (unsigned long long)c->looks[0].values, (unsigned long long)c->looks[0].named,
				 verdict.n_findings, verdict.best ? verdict.best->name : "-") == SEAL_OK);
	}
}

static void check_paths(const struct scan_table *table, struct arena *arena)
{
	const struct scan_node *part = scan_table_part(table, SCAN_VALUE), *end = scan_node_skip(part);

	for (const struct scan_node *node = part; node != end; node = scan_node_next(node)) {
		struct seal_buf text = BUF_INIT(1 << 22);
		struct json_path path;

		CHECK(scan_node_path(node, &text, NULL) == SEAL_OK);
		CHECK(json_path_parse(buf_bytes(&text), arena, &path, NULL, NULL) == SEAL_OK);
		CHECK(path.n_steps == node->depth - 1);
		if (node->step == SCAN_MEMBER)
			CHECK(bytes_eq(path.steps[path.n_steps - 1].name, node->name));
		buf_clear(&text);
	}
}

static void scan_line(struct scanner *scanner, struct seal_bytes line, uint64_t number)
{
	const uint8_t *tab = line.len > 0 ? memchr(line.ptr, '\t', line.len) : NULL;
	struct record record = {.value = line};
	enum seal_status rc;

	if (tab != NULL) {
		record.key = bytes_of(line.ptr, (size_t)(tab - line.ptr));
		record.value = bytes_skip(line, record.key.len + 1);
	}
	rc = scanner_record(scanner, &record, number, NULL);
	CHECK(rc == SEAL_OK || rc == SEAL_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_buf texts[2] = {BUF_INIT(64u << 20), BUF_INIT(64u << 20)};
	struct scanner whole, halves[2];
	struct scan_rules rules;
	struct arena arena;
	uint64_t n = 0;

	arena_init(&arena, 0);
	CHECK(scan_rules_init(&rules, NULL, false, NULL) == SEAL_OK);
	CHECK(scanner_init(&whole, &rules, NULL) == SEAL_OK);
	CHECK(scanner_init(&halves[0], &rules, NULL) == SEAL_OK);
	CHECK(scanner_init(&halves[1], &rules, NULL) == SEAL_OK);
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline != NULL ? (size_t)(newline - data) : size;

		scan_line(&whole, bytes_of(data, len), n);
		scan_line(&halves[n % 2], bytes_of(data, len), n);
		n++;
		data += len + (newline != NULL);
		size -= len + (newline != NULL);
	}
	CHECK(scanner_merge(&halves[1], &halves[0], NULL) == SEAL_OK);
	CHECK(whole.totals.records == n && halves[1].totals.failed == whole.totals.failed);
	CHECK(scan_table_finish(whole.table, NULL) == SEAL_OK && scan_table_finish(halves[1].table, NULL) == SEAL_OK);
	describe(whole.table, &texts[0]);
	describe(halves[1].table, &texts[1]);
	if (scan_table_paths(whole.table) < SCAN_PATHS_MAX)
		CHECK(bytes_eq(buf_bytes(&texts[0]), buf_bytes(&texts[1])));
	check_paths(whole.table, &arena);
	buf_clear(&texts[0]);
	buf_clear(&texts[1]);
	scanner_clear(&halves[0]);
	scanner_clear(&halves[1]);
	scanner_clear(&whole);
	scan_rules_clear(&rules);
	arena_clear(&arena);
	return 0;
}
