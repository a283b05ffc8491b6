/* The run of pump, rewrap, produce and consume: policy, streams, pump, and what is said at the end. */
#include "cmd/stream_job.h"

#include "base/log.h"
#include "cmd/policy_reload.h"
#include "cmd/progress.h"
#include "cmd/service.h"

/* On their way to a target that acknowledges each: what a connection of 50 ms needs to stay busy. */
#define ACKNOWLEDGED_BATCHES 20

static void tell_counts(const struct pump_counts *counts)
{
	const struct log_field fields[] = {{"records_in", NULL, (int64_t)counts->records_in},
					   {"records_out", NULL, (int64_t)counts->records_out},
					   {"fields", NULL, (int64_t)counts->fields},
					   {"failed", NULL, (int64_t)counts->failed},
					   {"dead_letters", NULL, (int64_t)counts->dead_letters},
					   {"dropped", NULL, (int64_t)counts->dropped},
					   {NULL, NULL, 0}};

	log_say_with(LOG_INFO, fields,
		     "%llu records in, %llu out, %llu fields, %llu failed (%llu dead letters, %llu dropped)",
		     (unsigned long long)counts->records_in, (unsigned long long)counts->records_out,
		     (unsigned long long)counts->fields, (unsigned long long)counts->failed,
		     (unsigned long long)counts->dead_letters, (unsigned long long)counts->dropped);
}

static enum seal_status open_policy(const struct stream_job *job, const struct global_options *global,
				    const char *const *topics, struct policy_use *use, struct seal_err *err)
{
	if (job->plain)
		return SEAL_OK;
	if (job->options->policy == NULL)
		return policy_is_needed(err);
	return policy_use_open_any(job->options->policy, topics, job->direction, global, use, err);
}

/* What is known before anything is open. */
static struct pump_options options_of(const struct stream_job *job)
{
	return (struct pump_options){
		.direction = job->direction,
		.plain = job->plain,
		.engine.max_record_bytes = (size_t)job->options->max_record_bytes,
		.threads = (unsigned)job->options->threads,
		.max_records = (uint64_t)job->options->count,
		.retry_ms = (uint64_t)job->options->retry_ms,
		.bare = job->to != NULL && job->to->traits->headers == NULL,
		.headers = job->headers,
		.keep_partition = job->keep_partition,
		.keep_topic = job->keep_topic,
		.keep_going = job->keep_going,
		.no_dead_letters = job->no_dead_letters,
		.exactly_once = job->exactly_once,
		.max_batches = job->exactly_once ? 0 : ACKNOWLEDGED_BATCHES + 2 * (unsigned)job->options->threads,
		.stop = stop_requested,
	};
}

/* What the source was told is safe stays so, however the run ended. */
static enum seal_status close_streams(struct source *source, struct sink *sink, enum seal_status rc,
				      struct seal_err *err)
{
	enum seal_status closed = SEAL_OK;

	if (source != NULL)
		source->ops->close(source, true);
	if (sink != NULL)
		closed = sink->ops->close(sink, err);
	return rc == SEAL_OK ? closed : rc;
}

/* Whose rules to use, the best first; ended by NULL. */
#define TOPICS_MAX 3

static enum seal_status choose_topics(const struct stream_job *job, struct arena *arena,
				      const char *topics[TOPICS_MAX], struct seal_err *err)
{
	const struct stream_side *sides[] = {job->from, job->to};
	size_t n = 0;

	if (job->options->policy_topic != NULL)
		topics[n++] = job->options->policy_topic;
	for (size_t i = 0; i < 2 && job->options->policy_topic == NULL; i++) {
		struct seal_bytes name = sides[i] != NULL ? sides[i]->topic : BYTES_EMPTY;

		if (name.len == 0)
			continue;
		topics[n] = arena_strndup(arena, (const char *)name.ptr, name.len);
		if (topics[n++] == NULL)
			return err_memory(err);
	}
	topics[n] = NULL;
	return SEAL_OK;
}

/* Of its numbers: the stream that is read, or that a FILE goes to. */
static struct seal_bytes name_of(const struct stream_job *job)
{
	const struct stream_side *side = job->from != NULL && job->from->topic.len > 0 ? job->from : job->to;

	return side != NULL ? side->topic : BYTES_EMPTY;
}

enum seal_status stream_job_run(const struct stream_job *job, struct command_call *call, int *exit_code,
				struct seal_err *err)
{
	const char *topics[TOPICS_MAX] = {NULL};
	struct policy_use use = POLICY_USE_INIT;
	struct global_options global = *call->global;
	struct monitor *monitor = NULL;
	struct policy_reload reload = {.file = job->options->policy,
				       .topics = topics, /* … or the policy's only one */
				       .direction = job->direction,
				       .global = &global,
				       .now = &use};
	struct source *source = NULL;
	struct sink *sink = NULL;
	struct progress progress;
	struct pump_counts counts = {0};
	struct pump_options pump = options_of(job);
	enum seal_status rc;

	progress_attach(&progress, call->global, job->prints, &pump);
	service_begin();
	SEAL_TRY(choose_topics(job, call->arena, topics, err));
	if (topics[0] == NULL)
		reload.topics = NULL;
	SEAL_TRY(sandbox_use_drop(job->options->sandbox, err)); /* before the first thread */
	SEAL_TRY(monitor_open(&(struct monitor_run){.address = job->options->listen, .command = call->command->name},
			      &monitor, err));
	progress.monitor = reload.monitor = monitor;
	progress.few_failures = true;
	global.key_metrics = monitor_keys(monitor);
	if (!job->plain) {
		stop_take_reloads();
		progress.reload = &reload;
	}
	rc = open_policy(job, &global, reload.topics, &use, err);
	monitor_plan(monitor, use.plan);
	if (rc == SEAL_OK)
		rc = job->open(job->arg, &source, &sink, err);
	if (stop_before_start(rc, exit_code, err)) {
		rc = SEAL_OK;
		goto out;
	}
	SEAL_TRY(rc);
	pump.plan = use.plan;
	pump.topic = use.topic;
	pump.source = progress.source = source;
	pump.sink = sink;
	SEAL_TRY(sandbox_use_enter(job->options->sandbox, err));
	monitor_start(monitor, &pump, name_of(job));
	service_ready();
	rc = pump_run(&pump, &counts, err);
	service_stopping();
	progress_hide(&progress);
	progress_tell_left_out(&progress);
	tell_counts(&counts);
	if (job->direction == ENGINE_REWRAP)
		progress_tell_rewrapped(&counts);
	SEAL_TRY(rc);
	/* After a reload the records would be those of the old policy, too. */
	if (!job->plain && job->direction == ENGINE_PROTECT && !reload.replaced)
		policy_use_tell_unfound(&use, counts.records_out, "");
	*exit_code = stop_requested() ? 128 + stop_requested() : counts.failed > 0 ? 1 : 0;
out:
	monitor_stop(monitor);
	rc = close_streams(source, sink, rc, err);
	policy_reload_end(&reload);
	policy_use_close(&use);
	monitor_close(monitor);
	return rc;
}
