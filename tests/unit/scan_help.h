/* What the tests of src/scan share: records from text, and tables as text. */
#ifndef TESTS_SCAN_HELP_H
#define TESTS_SCAN_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "kit.h"
#include "scan/scan.h"
#include "scan/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK(call) assert_int_equal((call), SEAL_OK)

/*
 * One line a node that is told: path, values by type, "below", what it looks like when that is sure, and the policy's word.
 * "$.a null:1 string:2 email 12 open". The result is the caller's to clear.
 */
static inline void table_text(const struct scan_table *table, struct seal_buf *out)
{
	static const char *const types[SCAN_TYPES] = {"null",  "boolean", "number", "string",
						      "bytes", "array",	  "object"};
	static const char *const statuses[] = {"", " allowed", " protected"};
	const struct scan_node *node = scan_table_top(table);
	struct scan_verdict verdict;

	*out = (struct seal_buf)BUF_INIT(64u << 20);
	while ((node = scan_node_next(node)) != NULL) {
		if (!scan_node_is_told(node))
			continue;
		OK(scan_node_path(node, out, NULL));
		for (size_t i = 0; i < SCAN_TYPES; i++)
			if (node->counts.types[i] > 0)
				OK(buf_printf(out, NULL, " %s:%llu", types[i],
					      (unsigned long long)node->counts.types[i]));
		if (node->counts.below > 0)
			OK(buf_printf(out, NULL, " below:%llu", (unsigned long long)node->counts.below));
		scan_judge(node, &verdict);
		if (verdict.names)
			OK(buf_printf(out, NULL, " names:%llu", (unsigned long long)node->counts.names[0]));
		if (verdict.best != NULL)
			OK(buf_printf(out, NULL, " %s", verdict.best->name));
		OK(buf_printf(out, NULL, "%s%s\n", statuses[verdict.status],
			      scan_is_open_find(&verdict) ? " open" : ""));
	}
	OK(buf_append_u8(out, '\0', NULL));
}

static inline void scan_text(struct scanner *scanner, const char *value, uint64_t number)
{
	const struct record record = {.value = bytes_str(value)};

	OK(scanner_record(scanner, &record, number, NULL));
}

#endif
