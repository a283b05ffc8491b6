/* The life of a monitor, and what a run tells it. */
#include "cmd/monitor_work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum seal_status monitor_open(const struct monitor_run *run, struct monitor **out, struct seal_err *err)
{
	struct monitor *monitor;
	enum seal_status rc;

	*out = NULL;
	if (run->address == NULL)
		return SEAL_OK;
	monitor = mem_calloc(1, sizeof(*monitor));
	if (monitor == NULL)
		return err_memory(err);
	pthread_mutex_init(&monitor->lock, NULL);
	arena_init(&monitor->arena, 0);
	monitor->command = run->command;
	monitor->files = run->files;
	monitor->alive_ms = clock_mono_ms();
	SEAL_TRY(metrics_new(&monitor->metrics, err));
	SEAL_TRY(monitor_keys_open(monitor, err));
	monitor->run = (struct metrics_collector){.collect = monitor_collect, .arg = monitor};
	monitor->process = (struct metrics_collector){.collect = metrics_collect_process};
	metrics_collector_add(monitor->metrics, &monitor->run);
	metrics_collector_add(monitor->metrics, &monitor->process);
	SEAL_TRY(listener_open(run->address, monitor_pages, monitor, &monitor->listener, err));
	log_say(LOG_INFO, "listening at http://%s: /livez, /readyz, /startupz, /metrics",
		listener_address(monitor->listener));
out:
	if (rc != SEAL_OK)
		monitor_close(monitor);
	else
		*out = monitor;
	return rc;
}

const struct key_metrics *monitor_keys(const struct monitor *monitor)
{
	return monitor != NULL ? &monitor->keys : NULL;
}

void monitor_stop(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	listener_close(monitor->listener);
	monitor->listener = NULL;
}

void monitor_close(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	monitor_stop(monitor);
	metrics_free(monitor->metrics);
	arena_clear(&monitor->arena);
	pthread_mutex_destroy(&monitor->lock);
	mem_free(monitor);
}

void monitor_add_use(struct plan_use *to, const struct plan_use *more)
{
	to->protected += more->protected;
	to->revealed += more->revealed;
	to->rewrapped += more->rewrapped;
	to->failed += more->failed;
	to->passed += more->passed;
	to->lots += more->lots;
	to->ns += more->ns;
}

/* Under `lock`: what the plan's method did stays counted. Without memory it does not: counters may begin anew at any time. */
static void keep_use(struct monitor *monitor, size_t index)
{
	const struct policy_method *method = &plan_policy(monitor->plan)->methods[index];
	struct past_use *past = monitor->past;
	struct plan_use use;

	plan_use_get(monitor->plan, index, &use);
	while (past != NULL && (strcmp(past->name, method->name) != 0 || strcmp(past->kind, method->kind->name) != 0))
		past = past->next;
	if (past == NULL) {
		past = ARENA_NEW(&monitor->arena, struct past_use);
		if (past == NULL)
			return;
		*past = (struct past_use){
			.next = monitor->past,
			.name = arena_strndup(&monitor->arena, method->name, strlen(method->name)),
			.kind = arena_strndup(&monitor->arena, method->kind->name, strlen(method->kind->name))};
		if (past->name == NULL || past->kind == NULL)
			return;
		monitor->past = past;
	}
	monitor_add_use(&past->use, &use);
}

void monitor_plan(struct monitor *monitor, const struct plan *plan)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	for (size_t i = 0; monitor->plan != NULL && i < plan_policy(monitor->plan)->n_methods; i++)
		keep_use(monitor, i);
	monitor->plan = plan;
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_start(struct monitor *monitor, const struct pump_options *pump, struct seal_bytes topic)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->started = true;
	monitor->source = pump->source;
	monitor->direction = pump->direction;
	monitor->plain = pump->plain;
	monitor->topic = topic;
	monitor->alive_ms = clock_mono_ms();
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_start_files(struct monitor *monitor, const struct monitor_transfer *transfer)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->started = true;
	monitor->source = transfer->source;
	monitor->direction = transfer->source != NULL ? ENGINE_REVEAL : ENGINE_PROTECT;
	monitor->topic = transfer->topic;
	monitor->key = transfer->key;
	monitor->key_name = transfer->key_name;
	monitor->alive_ms = clock_mono_ms();
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_files(struct monitor *monitor, const struct file_numbers *numbers)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->file_counts = *numbers;
	monitor->alive_ms = clock_mono_ms();
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_counts(struct monitor *monitor, const struct pump_counts *counts)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->counts = *counts;
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_alive(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->alive_ms = clock_mono_ms();
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_waiting(struct monitor *monitor, const struct seal_err *why)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->waiting = true;
	monitor->why = why->code;
	monitor->waiting_ms = clock_mono_ms();
	monitor->waits++;
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_resumed(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	monitor->waiting = false;
	pthread_mutex_unlock(&monitor->lock);
}

void monitor_reloaded(struct monitor *monitor, bool good)
{
	if (monitor == NULL)
		return;
	pthread_mutex_lock(&monitor->lock);
	if (good)
		monitor->reloads++;
	else
		monitor->reloads_refused++;
	pthread_mutex_unlock(&monitor->lock);
}
