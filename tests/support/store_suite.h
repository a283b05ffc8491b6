/* What every store promises (stores/store.h), tried on one that is empty: the same for SQLite, PostgreSQL and
 * the tests' own in memory. */
#ifndef TESTS_STORE_SUITE_H
#define TESTS_STORE_SUITE_H

#include "stores/store.h"

/* Runs all; the number of tests that failed. */
int store_suite_run(const struct store_ops *ops, const char *address);
/* Without those that need several processes. */
int store_suite_run_here(const struct store_ops *ops, const char *address);

/* The two calls of nearly all tests: abort the test when they fail. */
struct store *suite_open(const struct store_ops *ops, const char *address, bool create);
struct store_session *suite_session(struct store *store);

#endif
