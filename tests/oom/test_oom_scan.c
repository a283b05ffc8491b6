/* scan: every allocation that fails gives SEAL_E_MEMORY and leaves nothing behind: tables, folds, merges, runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kit.h"
#include "oom.h"
#include "scan/scan.h"
#include "scan/verdict.h"

static const char policy[] =
	KIT_HEAD "topics:\n  - match: t\n    protect: {$.mail: {type: encrypt, key: k}}\n    allow: [$.id, key]\n"
		 "    headers: {x-a: {type: encrypt, key: k}}\n";

static enum seal_status scan_text(struct scanner *scanner, const char *value, struct seal_err *err)
{
	static const struct record_header headers[] = {{BYTES_LIT("x-a"), BYTES_LIT("1")},
						       {BYTES_LIT("b"), BYTES_LIT("2")}};
	static uint64_t number;
	const struct record record = {.key = BYTES_LIT("{\"k\":\"ada@example.com\"}"),
				      .value = bytes_str(value),
				      .headers = headers,
				      .n_headers = 2};

	return scanner_record(scanner, &record, number++, err);
}

/* More names than an object keeps, once, and then its values at one path. */
static enum seal_status scan_map(struct scanner *scanner, struct seal_err *err)
{
	char value[64];
	enum seal_status rc = SEAL_OK;

	for (unsigned i = 0; rc == SEAL_OK && i < SCAN_NAMES_MAX + 2; i++) {
		snprintf(value, sizeof(value), "{\"m\":{\"id%u\":{\"v\":[%u]}}}", i, i);
		rc = scan_text(scanner, value, err);
	}
	return rc;
}

static enum seal_status scan_some(struct scanner *scanner, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(scan_text(scanner, "{\"id\":1,\"mail\":\"ada\\u0040example.com\",\"l\":[{\"n\":[null]}]}", err));
	SEAL_TRY(scan_text(scanner, "{\"by\":{\"a\":{\"x\":1},\"bob@example.com\":{\"y\":\"[\\\"\\\\u0061\\\"]\"}}}",
			   err));
out:
	return rc;
}

static enum seal_status tell(const struct scan_table *table, struct seal_err *err)
{
	const struct scan_node *node = scan_table_top(table);
	struct seal_buf text = BUF_INIT(1 << 20);
	enum seal_status rc = SEAL_OK;

	while (rc == SEAL_OK && (node = scan_node_next(node)) != NULL)
		rc = scan_node_path(node, &text, err);
	buf_clear(&text);
	return rc;
}

static enum seal_status scan_and_merge(void *arg, struct seal_err *err)
{
	struct scanner a = {.rules = NULL}, b = {.rules = NULL};
	struct scan_rules rules;
	enum seal_status rc = scan_rules_init(&rules, arg, false, err);

	if (rc != SEAL_OK)
		return rc;
	SEAL_TRY(scanner_init(&a, &rules, err));
	SEAL_TRY(scanner_init(&b, &rules, err));
	SEAL_TRY(scan_some(&a, err));
	SEAL_TRY(scan_some(&b, err));
	SEAL_TRY(scan_text(&b, "{\"more\":{\"x\":1}}", err));
	SEAL_TRY(scanner_merge(&a, &b, err));
	SEAL_TRY(scan_table_finish(a.table, err));
	SEAL_TRY(tell(a.table, err));
out:
	scanner_clear(&a);
	scanner_clear(&b);
	scan_rules_clear(&rules);
	return rc;
}

static void scans(void **state)
{
	struct kit kit;

	kit_open(&kit, policy);
	assert_true(oom_each(scan_and_merge, (void *)kit.topic) > 50);
	kit_close(&kit);
}

/* A fold that runs out of memory in the middle. Every 37th allocation, as there are thousands. */
static void folds(void **state)
{
	struct oom_plan all = {.fail_at = 0};
	struct scan_rules rules;

	assert_int_equal(scan_rules_init(&rules, NULL, false, NULL), SEAL_OK);
	for (size_t fail_at = 0;; fail_at += 37) {
		struct oom_plan plan = {.fail_at = fail_at};
		struct seal_err err = SEAL_ERR_INIT;
		struct scanner scanner = {.rules = NULL};
		enum seal_status rc;

		mem_set_hook(oom_allow, fail_at == 0 ? &all : &plan);
		rc = scanner_init(&scanner, &rules, &err);
		if (rc == SEAL_OK)
			rc = scan_map(&scanner, &err);
		mem_set_hook(NULL, NULL);
		scanner_clear(&scanner);
		if (fail_at > atomic_load(&all.calls))
			break;
		assert_int_equal(rc, fail_at == 0 ? SEAL_OK : SEAL_FATAL);
		assert_int_equal(err.code, fail_at == 0 ? SEAL_E_NONE : SEAL_E_MEMORY);
	}
	scan_rules_clear(&rules);
	assert_true(atomic_load(&all.calls) > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scans),
		cmocka_unit_test(folds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
