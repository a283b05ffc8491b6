/*
 * Runs all cases in interleaved rounds and prints a Markdown table.
 *
 * Usage: bench [ROUNDS] [NAME-PART]      default: 21 rounds, all cases
 */
#include "bench.h"

#include "base/clock.h"

#define ROUNDS 21
#define ROUNDS_MAX 1000
#define SLICE_NS 4000000 /* how long a case runs in one round */

volatile uint64_t bench_sink;

static uint64_t thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void bench_check(enum seal_status status, const struct seal_err *err)
{
	if (status == SEAL_OK)
		return;
	fprintf(stderr, "bench: %s %s\n", err->place, err->text);
	exit(70);
}

void bench_add(struct bench *bench, struct bench_case add)
{
	SEAL_INVARIANT(bench->n < BENCH_CASES_MAX);
	bench->cases[bench->n++] = add;
}

const struct seal_bytes *bench_purchases(void)
{
	static char text[BENCH_PURCHASES * BENCH_PURCHASE_LEN + 1];
	static struct seal_bytes views[BENCH_PURCHASES];
	char *at = text;

	for (unsigned n = 0; n < BENCH_PURCHASES && views[BENCH_PURCHASES - 1].ptr == NULL; n++) {
		views[n] = bytes_of(at, BENCH_PURCHASE_LEN);
		at = bench_purchase(at, n);
	}
	return views;
}

/* CPU time of one operation, over at least SLICE_NS. */
static double measure(const struct bench_case *c)
{
	uint64_t began = thread_cpu_ns(), spent;
	double calls = 0;

	do {
		for (unsigned i = 0; i < 8; i++)
			c->run(c->arg);
		calls += 8;
		spent = thread_cpu_ns() - began;
	} while (spent < SLICE_NS);
	return (double)spent / (calls * c->ops);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run(struct bench *bench, unsigned rounds)
{
	static double all[BENCH_CASES_MAX][ROUNDS_MAX];

	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < bench->n; i++)
			all[i][round] = measure(&bench->cases[i]);
	}
	for (size_t i = 0; i < bench->n; i++) {
		qsort(all[i], rounds, sizeof(double), compare);
		bench->cases[i].ns = all[i][rounds / 2];
	}
}

static const struct bench_case *find(const struct bench *bench, const char *name)
{
	for (size_t i = 0; i < bench->n; i++) {
		if (strcmp(bench->cases[i].name, name) == 0)
			return &bench->cases[i];
	}
	return NULL;
}

static void print_case(const struct bench *bench, const struct bench_case *c)
{
	const struct bench_case *reference = c->reference ? find(bench, c->reference) : NULL;
	double gbs = c->bytes / c->ops / c->ns;
	bool pass = (c->most_ns == 0 || c->ns <= c->most_ns) && (c->least_gbs == 0 || gbs >= c->least_gbs) &&
		    (c->least_ratio == 0 || reference == NULL || reference->ns / c->ns >= c->least_ratio);

	printf("| %s | %.1f | ", c->name, c->ns);
	if (c->bytes > 0)
		printf("%.2f | ", gbs);
	else
		printf("| ");
	if (reference != NULL)
		printf("%.2f x %s | ", reference->ns / c->ns, reference->name);
	else
		printf("| ");
	if (c->most_ns > 0)
		printf("≤ %.0f ns | %s |\n", c->most_ns, pass ? "pass" : "**miss**");
	else if (c->least_gbs > 0)
		printf("≥ %.1f GB/s | %s |\n", c->least_gbs, pass ? "pass" : "**miss**");
	else if (c->least_ratio > 0)
		printf("≥ %.2f x | %s |\n", c->least_ratio, pass ? "pass" : "**miss**");
	else
		printf("| |\n");
}

int main(int argc, char **argv)
{
	static struct bench bench, chosen;
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
	const char *part = argc > 2 ? argv[2] : "";

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench [ROUNDS 1-%d] [NAME-PART]\n", ROUNDS_MAX);
		return 64;
	}
	bench_add_json(&bench);
	bench_add_scan(&bench);
	bench_add_detect(&bench);
	bench_add_base64(&bench);
	bench_add_gcm(&bench);
	bench_add_files(&bench);
	bench_add_ff1(&bench);
	bench_add_engine(&bench);
	for (size_t i = 0; i < bench.n; i++) {
		if (strstr(bench.cases[i].name, part) != NULL)
			bench_add(&chosen, bench.cases[i]);
	}
	run(&chosen, (unsigned)rounds);
	printf("CPU time of one thread, median of %lu interleaved rounds; a ratio above 1 means faster than the "
	       "reference.\n\n",
	       rounds);
	printf("| what | ns each | GB/s | against | target | |\n| --- | ---: | ---: | --- | --- | --- |\n");
	for (size_t i = 0; i < chosen.n; i++)
		print_case(&chosen, &chosen.cases[i]);
	return 0;
}
