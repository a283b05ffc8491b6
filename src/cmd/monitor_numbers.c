/*
 * A run's numbers. They are those of the pump and of the plan's methods, as they stand when somebody asks; nothing is counted
 * twice. Names are in one place, here and in docs/METRICS.md.
 */
#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "cmd/monitor_work.h"

#define LAG_MAX 4096 /* partitions */

static void tell_run(const struct monitor *monitor, struct metrics_page *page)
{
	metrics_family(page, METRIC_GAUGE, "sealstream_build_info", "What runs; the value is always 1.");
	metrics_sample_count(page, "", METRIC_LABELS({"version", SEALSTREAM_VERSION}, {"command", monitor->command}),
			     1);
}

static void tell_policy(const struct monitor *monitor, struct metrics_page *page)
{
	char hash[2 * SHA256_LEN + 1] = "";

	if (monitor->plan == NULL)
		return;
	hex_encode(bytes_of(plan_policy(monitor->plan)->sha256, SHA256_LEN), hash);
	metrics_family(page, METRIC_GAUGE, "sealstream_policy_info", "The policy in use; the value is always 1.");
	metrics_sample_count(page, "", METRIC_LABELS({"sha256", hash}), 1);
}

static void tell_state(struct monitor *monitor, struct metrics_page *page)
{
	metrics_family(page, METRIC_GAUGE, "sealstream_ready", "1 when /readyz says so, else 0.");
	metrics_sample_count(page, "", NULL, monitor_is_ready(monitor));
	metrics_family(page, METRIC_GAUGE, "sealstream_waiting", "1 while a service is away and waited for, else 0.");
	metrics_sample_count(page, "", NULL, monitor->waiting);
	metrics_family(page, METRIC_COUNTER, "sealstream_waits_total", "How often a service was away.");
	metrics_sample_count(page, "", NULL, monitor->waits);
	metrics_family(page, METRIC_COUNTER, "sealstream_policy_reloads_total", "Policies that were loaded anew.");
	metrics_sample_count(page, "", METRIC_LABELS({"outcome", "success"}), monitor->reloads);
	metrics_sample_count(page, "", METRIC_LABELS({"outcome", "failure"}), monitor->reloads_refused);
}

static const char *outcome_of(const struct monitor *monitor)
{
	static const char *const names[] = {"protected", "revealed", "rewrapped"};

	return monitor->plain ? "passthrough" : names[monitor->direction];
}

static void tell_record(struct metrics_page *page, const char *topic, const char *outcome, uint64_t n)
{
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}, {"outcome", outcome}), n);
}

static void tell_records(const struct monitor *monitor, const char *topic, struct metrics_page *page)
{
	const struct pump_counts *c = &monitor->counts;

	metrics_family(page, METRIC_COUNTER, "sealstream_records_total",
		       "Records by what became of them; dead letters were written, too.");
	tell_record(page, topic, outcome_of(monitor), c->records_out - c->dead_letters);
	tell_record(page, topic, "rejected", c->failed - c->dead_letters - c->dropped);
	tell_record(page, topic, "dead_lettered", c->dead_letters);
	tell_record(page, topic, "dropped", c->dropped);
	metrics_family(page, METRIC_COUNTER, "sealstream_bytes_total", "Bytes of record values.");
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}, {"direction", "in"}), c->bytes_in);
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}, {"direction", "out"}), c->bytes_out);
	metrics_family(page, METRIC_COUNTER, "sealstream_transactions_total", "Transactions by how they ended.");
	metrics_sample_count(page, "", METRIC_LABELS({"outcome", "committed"}), c->transactions);
	metrics_sample_count(page, "", METRIC_LABELS({"outcome", "aborted"}), c->aborted);
}

/* ---- methods ---- */

/* The uses of one method of any plan so far. */
struct method_use {
	const char *name, *kind;
	struct plan_use use;
};

typedef void tell_method_fn(struct metrics_page *page, const struct method_use *method);

static bool is_same(const struct past_use *past, const struct policy_method *method)
{
	return strcmp(past->name, method->name) == 0 && strcmp(past->kind, method->kind->name) == 0;
}

static bool is_used(const struct monitor *monitor, const struct past_use *past)
{
	for (size_t i = 0; monitor->plan != NULL && i < plan_policy(monitor->plan)->n_methods; i++)
		if (is_same(past, &plan_policy(monitor->plan)->methods[i]))
			return true;
	return false;
}

static bool are_alike(const struct policy_method *a, const struct policy_method *b)
{
	return strcmp(a->name, b->name) == 0 && a->kind == b->kind;
}

/* Is it the first of its name and kind? Inline methods have their path for a name: two topics may have the same. */
static bool is_first(const struct policy *policy, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (are_alike(&policy->methods[i], &policy->methods[index]))
			return false;
	return true;
}

/* Of all that are alike, as they are one series. */
static struct method_use use_of(const struct monitor *monitor, size_t index)
{
	const struct policy *policy = plan_policy(monitor->plan);
	const struct policy_method *method = &policy->methods[index];
	struct method_use all = {.name = method->name, .kind = method->kind->name};
	struct plan_use use;

	for (size_t i = index; i < policy->n_methods; i++) {
		if (!are_alike(&policy->methods[i], method))
			continue;
		plan_use_get(monitor->plan, i, &use);
		monitor_add_use(&all.use, &use);
	}
	for (const struct past_use *past = monitor->past; past != NULL; past = past->next)
		if (is_same(past, method))
			monitor_add_use(&all.use, &past->use);
	return all;
}

/* All methods of now, then those of former plans alone. */
static void each_method(const struct monitor *monitor, struct metrics_page *page, tell_method_fn *tell)
{
	struct method_use all;

	for (size_t i = 0; monitor->plan != NULL && i < plan_policy(monitor->plan)->n_methods; i++) {
		if (!is_first(plan_policy(monitor->plan), i))
			continue;
		all = use_of(monitor, i);
		tell(page, &all);
	}
	for (const struct past_use *past = monitor->past; past != NULL; past = past->next) {
		if (is_used(monitor, past))
			continue;
		all = (struct method_use){past->name, past->kind, past->use};
		tell(page, &all);
	}
}

static void tell_fields(struct metrics_page *page, const struct method_use *m)
{
	const struct {
		const char *outcome;
		uint64_t n;
	} rows[] = {{"protected", m->use.protected},
		    {"revealed", m->use.revealed},
		    {"rewrapped", m->use.rewrapped},
		    {"failed", m->use.failed}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		metrics_sample_count(
			page, "", METRIC_LABELS({"method", m->name}, {"type", m->kind}, {"outcome", rows[i].outcome}),
			rows[i].n);
}

static void tell_passed(struct metrics_page *page, const struct method_use *m)
{
	metrics_sample_count(page, "", METRIC_LABELS({"method", m->name}, {"type", m->kind}), m->use.passed);
}

static void tell_duration(struct metrics_page *page, const struct method_use *m)
{
	const struct metric_label *labels = METRIC_LABELS({"method", m->name}, {"type", m->kind});

	metrics_sample(page, "_sum", labels, (double)m->use.ns / 1e9);
	metrics_sample_count(page, "_count", labels, m->use.lots);
}

static void tell_methods(const struct monitor *monitor, struct metrics_page *page)
{
	metrics_family(page, METRIC_COUNTER, "sealstream_fields_total",
		       "Values by method and outcome, those that were done again after an abort included.");
	each_method(monitor, page, tell_fields);
	metrics_family(page, METRIC_COUNTER, "sealstream_plaintext_passed_total",
		       "Values met in clear where they should be protected, and let through (on_plaintext: pass).");
	each_method(monitor, page, tell_passed);
	metrics_family(page, METRIC_SUMMARY, "sealstream_transform_duration_seconds",
		       "Time in a method, by calls; a call has the values of a batch.");
	each_method(monitor, page, tell_duration);
}

/* ---- files ---- */

static void tell_files(const struct monitor *monitor, const char *topic, struct metrics_page *page)
{
	const struct file_numbers *c = &monitor->file_counts;

	metrics_family(page, METRIC_COUNTER, "sealstream_files_total", "Files by what became of them.");
	tell_record(page, topic, monitor->files, c->files);
	tell_record(page, topic, "failed", c->failed);
	tell_record(page, topic, "abandoned", c->abandoned);
	metrics_family(page, METRIC_GAUGE, "sealstream_files_under_way", "Files of which a part has been moved.");
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}), c->under_way);
	metrics_family(page, METRIC_COUNTER, "sealstream_file_bytes_total", "Bytes of files, whole or not.");
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}), c->bytes);
	metrics_family(page, METRIC_COUNTER, "sealstream_file_chunks_total",
		       "Chunks that brokers have acknowledged, or that were verified and written.");
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}), c->chunks);
	metrics_family(page, METRIC_COUNTER, "sealstream_file_foreign_records_total",
		       "Records that are no part of a file, or of one under another key.");
	metrics_sample_count(page, "", METRIC_LABELS({"topic", topic}), c->foreign);
}

/* ---- lag ---- */

/* One number of each partition, where it is known. */
static void tell_partitions(const char *topic, const struct source_lag *rows, size_t n, bool time,
			    struct metrics_page *page)
{
	for (size_t i = 0; i < n; i++) {
		const double value = time ? (double)rows[i].ms / 1000 : (double)rows[i].records;
		char partition[16];

		snprintf(partition, sizeof(partition), "%d", (int)rows[i].partition);
		if (value >= 0)
			metrics_sample(page, "", METRIC_LABELS({"topic", topic}, {"partition", partition}), value);
	}
}

static void tell_lag(const struct monitor *monitor, const char *topic, struct metrics_page *page)
{
	struct source *source = monitor->source;
	struct source_lag *rows;
	size_t n;

	if (source == NULL || source->ops->lag == NULL)
		return;
	rows = mem_calloc(LAG_MAX, sizeof(*rows));
	n = rows != NULL ? source->ops->lag(source, rows, LAG_MAX) : 0;
	n = n < LAG_MAX ? n : LAG_MAX;
	metrics_family(page, METRIC_GAUGE, "sealstream_consumer_lag_records",
		       "Records behind the end of a partition that is read here.");
	tell_partitions(topic, rows, n, false, page);
	metrics_family(page, METRIC_GAUGE, "sealstream_source_behind_seconds",
		       "Time behind the end of a shard that is read here.");
	tell_partitions(topic, rows, n, true, page);
	mem_free(rows);
}

void monitor_collect(void *arg, struct metrics_page *page)
{
	struct monitor *monitor = arg;
	char topic[256];

	pthread_mutex_lock(&monitor->lock);
	snprintf(topic, sizeof(topic), "%.*s", BYTES_FMT(monitor->topic));
	tell_run(monitor, page);
	tell_policy(monitor, page);
	tell_state(monitor, page);
	if (monitor->files != NULL) {
		tell_files(monitor, topic, page);
	} else {
		tell_records(monitor, topic, page);
		tell_methods(monitor, page);
	}
	tell_lag(monitor, topic, page);
	monitor_keys_tell(monitor, page);
	pthread_mutex_unlock(&monitor->lock);
}
