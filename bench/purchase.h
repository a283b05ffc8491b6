/* Realistic purchases of 314 bytes each; the same ones in every run. */
#ifndef BENCH_PURCHASE_H
#define BENCH_PURCHASE_H

#define BENCH_PURCHASE_LEN 314

/* Purchase `n`, and a NUL behind it, at `at`; returns the end. */
char *bench_purchase(char *at, unsigned n);

#endif
