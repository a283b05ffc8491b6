/*
 * The registry: families in the order of their first series, each with its series.
 *
 *   metrics ── family ── family ── …
 *                └── metric ── metric ── …      a metric's numbers are atomics; all else is fixed when it is linked
 *
 * The lock guards the lists and is held while everything is written, collectors included.
 */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"

#define ARENA_KEEP (1u << 16)
#define NS_PER_SECOND 1e9

static const struct {
	uint64_t ns;
	const char *text;
} buckets[] = {
	{500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
	{25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"}, {500000000, "0.5"},
	{1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},   {10000000000, "10"}, {30000000000, "30"},
};

#define BUCKETS (sizeof(buckets) / sizeof(buckets[0]))

struct metric {
	struct metric *next;
	enum metric_type type;
	struct metric_label *labels; /* ended by NULL */
	_Atomic double value; /* METRIC_GAUGE */
	atomic_uint_least64_t count; /* METRIC_COUNTER; METRIC_HISTOGRAM: of all */
	atomic_uint_least64_t sum_ns, in[BUCKETS]; /* METRIC_HISTOGRAM; longer ones are in no bucket */
};

struct family {
	struct family *next;
	const char *name, *help;
	enum metric_type type;
	struct metric *first, **last;
};

struct metrics {
	pthread_mutex_t lock; /* guards all below */
	struct arena arena;
	struct family *first, **last;
	struct metrics_collector *collectors, **last_collector;
};

struct metrics_page {
	struct seal_buf *out;
	struct seal_err *err;
	const char *family;
	enum seal_status rc;
};

enum seal_status metrics_new(struct metrics **out, struct seal_err *err)
{
	struct metrics *metrics = mem_calloc(1, sizeof(*metrics));

	*out = metrics;
	if (metrics == NULL)
		return err_memory(err);
	pthread_mutex_init(&metrics->lock, NULL);
	arena_init(&metrics->arena, ARENA_KEEP);
	metrics->last = &metrics->first;
	metrics->last_collector = &metrics->collectors;
	return SEAL_OK;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	arena_clear(&metrics->arena);
	pthread_mutex_destroy(&metrics->lock);
	mem_free(metrics);
}

/* Under `lock`: NULL without memory. */
static struct family *family_of(struct metrics *metrics, enum metric_type type, const char *name, const char *help)
{
	struct family *family = metrics->first;

	while (family != NULL && strcmp(family->name, name) != 0)
		family = family->next;
	if (family != NULL) {
		SEAL_INVARIANT(family->type == type);
		return family;
	}
	family = ARENA_NEW(&metrics->arena, struct family);
	if (family == NULL)
		return NULL;
	*family = (struct family){.name = name, .help = help, .type = type, .last = &family->first};
	*metrics->last = family;
	metrics->last = &family->next;
	return family;
}

/* NULL without memory. */
static struct metric_label *copy_labels(struct arena *arena, const struct metric_label *labels)
{
	struct metric_label *copy;
	size_t n = 0;

	while (labels != NULL && labels[n].name != NULL)
		n++;
	copy = arena_alloc(arena, (n + 1) * sizeof(*copy), _Alignof(struct metric_label));
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i].name = arena_strndup(arena, labels[i].name, strlen(labels[i].name));
		copy[i].value = arena_strndup(arena, labels[i].value, strlen(labels[i].value));
		if (copy[i].name == NULL || copy[i].value == NULL)
			return NULL;
	}
	if (copy != NULL)
		copy[n] = (struct metric_label){NULL, NULL};
	return copy;
}

enum seal_status metrics_add(struct metrics *metrics, enum metric_type type, const char *name, const char *help,
			     const struct metric_label *labels, struct metric **out, struct seal_err *err)
{
	struct family *family = NULL;
	struct metric *metric;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	pthread_mutex_lock(&metrics->lock);
	metric = ARENA_NEW(&metrics->arena, struct metric);
	if (metric != NULL) {
		memset(metric, 0, sizeof(*metric));
		metric->type = type;
		metric->labels = copy_labels(&metrics->arena, labels);
		family = metric->labels != NULL ? family_of(metrics, type, name, help) : NULL;
	}
	if (family != NULL) {
		*family->last = metric;
		family->last = &metric->next;
		*out = metric;
	} else {
		rc = err_memory(err);
	}
	pthread_mutex_unlock(&metrics->lock);
	return rc;
}

void metric_count(struct metric *metric, uint64_t n)
{
	if (metric == NULL)
		return;
	SEAL_INVARIANT(metric->type == METRIC_COUNTER);
	atomic_fetch_add_explicit(&metric->count, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, double value)
{
	if (metric == NULL)
		return;
	SEAL_INVARIANT(metric->type == METRIC_GAUGE);
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, uint64_t ns)
{
	size_t i = 0;

	if (metric == NULL)
		return;
	SEAL_INVARIANT(metric->type == METRIC_HISTOGRAM);
	while (i < BUCKETS && ns > buckets[i].ns)
		i++;
	if (i < BUCKETS)
		atomic_fetch_add_explicit(&metric->in[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->sum_ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->count, 1, memory_order_relaxed);
}

static void put(struct metrics_page *page, const char *text)
{
	if (page->rc == SEAL_OK)
		page->rc = buf_append_str(page->out, text, page->err);
}

/* "The text format": backslash, quote and line feed are escaped. */
static void put_value(struct metrics_page *page, const char *text)
{
	for (; *text != '\0' && page->rc == SEAL_OK; text++) {
		if (*text == '\\' || *text == '"')
			put(page, "\\");
		if (*text == '\n')
			put(page, "\\n");
		else
			page->rc = buf_append_u8(page->out, (uint8_t)*text, page->err);
	}
}

static void put_label(struct metrics_page *page, const char *before, const struct metric_label *label)
{
	put(page, before);
	put(page, label->name);
	put(page, "=\"");
	put_value(page, label->value);
	put(page, "\"");
}

/* NAME SUFFIX {LABELS,EXTRA} and the space behind it; `labels` and `extra` may be NULL. */
static void put_series(struct metrics_page *page, const char *suffix, const struct metric_label *labels,
		       const struct metric_label *extra)
{
	const char *before = "{";

	SEAL_INVARIANT(page->family != NULL);
	put(page, page->family);
	put(page, suffix);
	for (; labels != NULL && labels->name != NULL; labels++, before = ",")
		put_label(page, before, labels);
	if (extra != NULL) {
		put_label(page, before, extra);
		before = ",";
	}
	put(page, *before == ',' ? "} " : " ");
}

void metrics_family(struct metrics_page *page, enum metric_type type, const char *name, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "summary"};

	page->family = name;
	put(page, "# HELP ");
	put(page, name);
	put(page, " ");
	put(page, help);
	put(page, "\n# TYPE ");
	put(page, name);
	put(page, " ");
	put(page, types[type]);
	put(page, "\n");
}

static void put_double(struct metrics_page *page, double value)
{
	if (page->rc == SEAL_OK)
		page->rc = buf_printf(page->out, page->err, "%.15g\n", value);
}

static void put_count(struct metrics_page *page, uint64_t value)
{
	if (page->rc == SEAL_OK)
		page->rc = buf_printf(page->out, page->err, "%llu\n", (unsigned long long)value);
}

void metrics_sample(struct metrics_page *page, const char *suffix, const struct metric_label *labels, double value)
{
	put_series(page, suffix, labels, NULL);
	put_double(page, value);
}

void metrics_sample_count(struct metrics_page *page, const char *suffix, const struct metric_label *labels,
			  uint64_t value)
{
	put_series(page, suffix, labels, NULL);
	put_count(page, value);
}

/* Buckets hold all that is not longer; the last one is the count, however many came while it was written. */
static void put_histogram(struct metrics_page *page, struct metric *metric)
{
	const double sum = (double)atomic_load(&metric->sum_ns) / NS_PER_SECOND;
	uint64_t so_far = 0, count = atomic_load(&metric->count);

	for (size_t i = 0; i < BUCKETS; i++) {
		const struct metric_label le = {"le", buckets[i].text};

		so_far += atomic_load(&metric->in[i]);
		put_series(page, "_bucket", metric->labels, &le);
		put_count(page, so_far);
	}
	if (count < so_far)
		count = so_far;
	put_series(page, "_bucket", metric->labels, &(struct metric_label){"le", "+Inf"});
	put_count(page, count);
	metrics_sample(page, "_sum", metric->labels, sum);
	metrics_sample_count(page, "_count", metric->labels, count);
}

static void put_metric(struct metrics_page *page, struct metric *metric)
{
	if (metric->type == METRIC_HISTOGRAM)
		put_histogram(page, metric);
	else if (metric->type == METRIC_GAUGE)
		metrics_sample(page, "", metric->labels, atomic_load(&metric->value));
	else
		metrics_sample_count(page, "", metric->labels, atomic_load(&metric->count));
}

enum seal_status metrics_write(struct metrics *metrics, struct seal_buf *out, struct seal_err *err)
{
	struct metrics_page page = {.out = out, .err = err, .rc = SEAL_OK};

	pthread_mutex_lock(&metrics->lock);
	for (const struct family *family = metrics->first; family != NULL; family = family->next) {
		metrics_family(&page, family->type, family->name, family->help);
		for (struct metric *metric = family->first; metric != NULL; metric = metric->next)
			put_metric(&page, metric);
	}
	for (struct metrics_collector *at = metrics->collectors; at != NULL; at = at->next)
		at->collect(at->arg, &page);
	pthread_mutex_unlock(&metrics->lock);
	return page.rc;
}

void metrics_collector_add(struct metrics *metrics, struct metrics_collector *collector)
{
	pthread_mutex_lock(&metrics->lock);
	collector->next = NULL;
	*metrics->last_collector = collector;
	metrics->last_collector = &collector->next;
	pthread_mutex_unlock(&metrics->lock);
}

void metrics_collector_remove(struct metrics *metrics, struct metrics_collector *collector)
{
	struct metrics_collector **at = &metrics->collectors;

	pthread_mutex_lock(&metrics->lock);
	while (*at != NULL && *at != collector)
		at = &(*at)->next;
	SEAL_INVARIANT(*at == collector);
	*at = collector->next;
	if (metrics->last_collector == &collector->next)
		metrics->last_collector = at;
	pthread_mutex_unlock(&metrics->lock);
}
