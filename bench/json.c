/* The scanner on 314-byte purchases: against a copy of the same bytes, and ten paths against one. */
#include "bench.h"

#include "json/path.h"

static struct json_paths *compile(const char *const *texts, size_t n)
{
	static struct arena arena;
	struct json_path paths[16];
	struct json_paths *out;
	struct seal_err err = SEAL_ERR_INIT;

	arena_init(&arena, 0);
	for (size_t i = 0; i < n; i++)
		bench_check(json_path_parse(bytes_str(texts[i]), &arena, &paths[i], NULL, &err), &err);
	bench_check(json_paths_new(paths, n, &out, &err), &err);
	arena_clear(&arena);
	return out;
}

static void scan_all(void *paths)
{
	static struct json_scan scan = JSON_SCAN_INIT;
	const struct seal_bytes *docs = bench_purchases();
	struct seal_err err = SEAL_ERR_INIT;

	for (size_t i = 0; i < BENCH_PURCHASES; i++) {
		bench_check(json_scan(paths, docs[i], &scan, &err), &err);
		bench_sink += scan.n_hits;
	}
}

static void copy_all(void *arg)
{
	static uint8_t to[BENCH_PURCHASE_LEN];
	const struct seal_bytes *docs = bench_purchases();

	for (size_t i = 0; i < BENCH_PURCHASES; i++) {
		memcpy(to, docs[i].ptr, docs[i].len);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
}

void bench_add_json(struct bench *bench)
{
	static const char *const paths[] = {"$.credit_card",
					    "$.Address",
					    "$.Name",
					    "$.email",
					    "$.phone",
					    "$.items[*].note",
					    "$.customer.Address",
					    "$.customer.card",
					    "$['date of birth']",
					    "$.shipping.street"};
	struct bench_case c = {.ops = BENCH_PURCHASES, .bytes = BENCH_PURCHASES * BENCH_PURCHASE_LEN};

	c.name = "memcpy of a purchase", c.run = copy_all;
	bench_add(bench, c);
	c.run = scan_all, c.least_gbs = 1.0, c.reference = "memcpy of a purchase";
	c.name = "scan a purchase, 1 path", c.arg = compile(paths, 1);
	bench_add(bench, c);
	c.name = "scan a purchase, 10 paths", c.arg = compile(paths, 10), c.reference = "scan a purchase, 1 path";
	bench_add(bench, c);
}
