/* Finding what to protect in 314-byte purchases of 13 values, against checking that they are JSON. */
#include "bench.h"

#include "scan/scan.h"

static struct scanner scanner;

static void check_all(void *arg)
{
	static struct json_scan scan = JSON_SCAN_INIT;
	const struct seal_bytes *docs = bench_purchases();
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < BENCH_PURCHASES; i++) {
		bench_check(json_scan(NULL, docs[i], &scan, &err), &err);
		bench_sink += scan.n_hits;
	}
}

static void scan_all(void *arg)
{
	static uint64_t number;
	const struct seal_bytes *docs = bench_purchases();
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < BENCH_PURCHASES; i++) {
		const struct record record = {.value = docs[i]};

		bench_check(scanner_record(&scanner, &record, number++, &err), &err);
	}
	bench_sink += scanner.totals.records;
}

void bench_add_scan(struct bench *bench)
{
	static struct scan_rules rules;
	struct bench_case c = {.ops = BENCH_PURCHASES, .bytes = BENCH_PURCHASES * BENCH_PURCHASE_LEN};
	struct seal_err err = SEAL_ERR_INIT;

	bench_check(scan_rules_init(&rules, NULL, false, &err), &err);
	bench_check(scanner_init(&scanner, &rules, &err), &err);
	c.name = "check that a purchase is JSON", c.run = check_all;
	bench_add(bench, c);
	/* A million in ten seconds on one core. */
	c.name = "find what to protect in a purchase", c.run = scan_all, c.most_ns = 10000;
	c.reference = "check that a purchase is JSON";
	bench_add(bench, c);
}
