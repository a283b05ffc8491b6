/*
 * Numbers for whoever watches a run, written as Prometheus' text format has them (version 0.0.4).
 *
 *   metric      one time series, made at start and counted in by any thread without a lock
 *   collector   asked at each writing, for what others count already or what comes and goes (partitions)
 *
 * The program makes the registry; the library has none. So whoever counts takes a `struct metric *` that may be NULL. Names are
 * lower case, with the unit last, and "_total" behind a counter's; a label's values must be few.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/buf.h"

struct metrics;
struct metric;

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM, /* of seconds, in buckets from half a millisecond to half a minute */
	METRIC_SUMMARY /* a collector's: NAME_sum and NAME_count alone */
};

struct metric_label {
	const char *name; /* NULL ends a list */
	const char *value; /* any text; escaped where it is written */
};

/* A list of them for one call: METRIC_LABELS({"topic", topic}, {"outcome", "dropped"}). */
#define METRIC_LABELS(...)                                                                                           \
	(const struct metric_label[])                                                                                \
	{                                                                                                            \
		__VA_ARGS__,                                                                                         \
		{                                                                                                    \
			NULL, NULL                                                                                   \
		}                                                                                                    \
	}

SEAL_MUST_USE enum seal_status metrics_new(struct metrics **out, struct seal_err *err);
void metrics_free(struct metrics *metrics); /* accepts NULL; nobody counts any more */

/*
 * A series of the family `name`, which has one type and help. Label texts are copied, `name` and `help` must stay. `labels` NULL:
 * none. Thread-safe.
 */
SEAL_MUST_USE enum seal_status metrics_add(struct metrics *metrics, enum metric_type type, const char *name,
					   const char *help, const struct metric_label *labels, struct metric **out,
					   struct seal_err *err);

/* All accept NULL. Thread-safe. */
void metric_count(struct metric *metric, uint64_t n); /* METRIC_COUNTER */
void metric_set(struct metric *metric, double value); /* METRIC_GAUGE */
void metric_observe(struct metric *metric, uint64_t ns); /* METRIC_HISTOGRAM */

/* What is being written. Its functions note the first error, which metrics_write returns. */
struct metrics_page;

/* Begins a family; all its samples follow. */
void metrics_family(struct metrics_page *page, enum metric_type type, const char *name, const char *help);
/* Samples; `suffix` behind the family's name: "" but for summaries. */
void metrics_sample(struct metrics_page *page, const char *suffix, const struct metric_label *labels, double value);
void metrics_sample_count(struct metrics_page *page, const char *suffix, const struct metric_label *labels,
			  uint64_t value);

/* Memory is the caller's, from add to remove. */
struct metrics_collector {
	void (*collect)(void *arg, struct metrics_page *page); /* by one thread at a time; may not add or remove */
	void *arg;
	struct metrics_collector *next; /* the registry's */
};

void metrics_collector_add(struct metrics *metrics, struct metrics_collector *collector);
/* When it returns, no call is under way. */
void metrics_collector_remove(struct metrics *metrics, struct metrics_collector *collector);

/* Appends everything to `out`. Thread-safe. */
SEAL_MUST_USE enum seal_status metrics_write(struct metrics *metrics, struct seal_buf *out, struct seal_err *err);

/* process_cpu_seconds_total, process_resident_memory_bytes and the others that Prometheus' own clients have. */
void metrics_collect_process(void *none, struct metrics_page *page);

#endif
