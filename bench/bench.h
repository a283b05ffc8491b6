/*
 * Benchmarks as ratios within one process: every case runs a short while in each of many rounds, so that a slow phase of
 * the machine hits all of them alike; the median counts. Time is CPU time of this thread.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/bytes.h"
#include "base/err.h"
#include "purchase.h"

struct bench_case {
	const char *name; /* unique; other cases refer to it */
	void (*run)(void *arg); /* one call; several operations at a time where that is the point */
	void *arg;
	double ops; /* operations a call */
	double bytes; /* bytes a call; 0: report time an operation, else GB/s, too */
	const char *reference; /* the case that it is compared with, or NULL */
	double most_ns; /* target: at most this an operation; 0: none */
	double least_gbs; /* target: at least this many GB/s; 0: none */
	double least_ratio; /* target: at least so much of the reference's speed; 0: none */
	double ns; /* result: an operation, median of the rounds */
};

#define BENCH_CASES_MAX 40

struct bench {
	struct bench_case cases[BENCH_CASES_MAX];
	size_t n;
};

/* Each adds its cases; ends the process when something does not work. */
void bench_add_json(struct bench *bench);
void bench_add_scan(struct bench *bench);
void bench_add_detect(struct bench *bench);
void bench_add_base64(struct bench *bench);
void bench_add_files(struct bench *bench);
void bench_add_gcm(struct bench *bench);
void bench_add_ff1(struct bench *bench);
void bench_add_engine(struct bench *bench);

void bench_add(struct bench *bench, struct bench_case add);
/* Ends the process with a message unless `status` is SEAL_OK. */
void bench_check(enum seal_status status, const struct seal_err *err);

/* Makes results count, so that the compiler leaves nothing out. */
extern volatile uint64_t bench_sink;

#define BENCH_PURCHASES 512
const struct seal_bytes *bench_purchases(void);

#endif
