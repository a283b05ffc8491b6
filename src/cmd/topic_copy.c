/* From one topic to another: which topics, which group, and the streams of the run. */
#include "cmd/topic_copy.h"

#include <unistd.h>

#include "cmd/audit_use.h"
#include "cmd/kafka_use.h"
#include "crypto/random.h"

struct copy_job {
	const struct copy_options *options;
	const char *from, *to, *group;
	const char *transactional_id; /* NULL: at least once */
	bool named; /* that another process may have on purpose */
	struct kafka_config config;
};

static enum seal_status open_streams(void *arg, struct source **source, struct sink **sink, struct seal_err *err)
{
	struct copy_job *job = arg;
	const struct kafka_source_options in = {.connection = job->options->common.connection,
						.group = job->group,
						.partition = -1,
						.exit_at_end = job->options->exit_at_end,
						.exactly_once = job->transactional_id != NULL,
						.member = job->options->member_name,
						.config = &job->config};
	const struct kafka_sink_options out = {.connection = job->options->common.connection,
					       .keep_partition = job->options->keep_partition,
					       .transactional_id = job->transactional_id,
					       .named = job->named,
					       .config = &job->config};
	enum seal_status rc = kafka_use_sink(job->to, &out, sink, err);

	/* The source last: a group should not wait for a member that finds no target. */
	return rc == SEAL_OK ? kafka_use_source(job->from, &in, source, err) : rc;
}

static enum seal_status choose(struct copy_job *job, const char *group_prefix, struct arena *arena,
			       struct seal_err *err)
{
	const struct copy_options *o = job->options;

	job->from = o->from ? o->from : job->config.source_topic;
	job->to = o->to ? o->to : job->config.target_topic;
	if (job->from == NULL || job->to == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "say %s TOPIC, or set %s in [encryptor] of the -F file",
			       job->from ? "--to" : "--from", job->from ? "targettopic" : "sourcetopic");
	if (strcmp(job->from, job->to) == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--from and --to are the same topic: it would never end");
	job->group = o->group ? o->group : kafka_config_get(&job->config, KAFKA_CONSUMER, "group.id");
	if (job->group == NULL)
		job->group = arena_printf(arena, "%s.%s.%s", group_prefix, job->from, job->to);
	return job->group ? SEAL_OK : err_memory(err);
}

/* Of this process alone, unless it was given a name: two with the same id would end each other's transactions. */
static enum seal_status name_transactions(struct copy_job *job, struct arena *arena, struct seal_err *err)
{
	const char *theirs = kafka_config_get(&job->config, KAFKA_PRODUCER, "transactional.id");
	const char *member = job->options->member_name;
	char host[64] = "";
	uint64_t number;
	enum seal_status rc;

	if (job->options->delivery != DELIVERY_EXACTLY_ONCE)
		return SEAL_OK;
	job->named = theirs != NULL || member != NULL;
	SEAL_TRY(random_bytes((uint8_t *)&number, sizeof(number), err));
	gethostname(host, sizeof(host) - 1);
	if (theirs != NULL)
		job->transactional_id = theirs;
	else if (member != NULL)
		job->transactional_id = arena_printf(arena, "%s.%s", job->group, member);
	else
		job->transactional_id =
			arena_printf(arena, "%s.%s.%016llx", job->group, host, (unsigned long long)number);
	if (job->transactional_id == NULL)
		rc = err_memory(err);
out:
	return rc;
}

enum seal_status topic_copy_run(const struct copy_options *options, enum engine_direction direction,
				const char *group_prefix, struct command_call *call, int *exit_code,
				struct seal_err *err)
{
	struct copy_job mine = {.options = options};
	struct stream_job job = {.options = &options->common,
				 .direction = direction,
				 .keep_partition = options->keep_partition,
				 .open = open_streams,
				 .arg = &mine};
	enum seal_status rc;

	kafka_config_init(&mine.config);
	SEAL_TRY(kafka_connection_load(&options->common.connection, &mine.config, err));
	SEAL_TRY(choose(&mine, group_prefix, call->arena, err));
	SEAL_TRY(name_transactions(&mine, call->arena, err));
	job.exactly_once = mine.transactional_id != NULL;
	audit_use_streams(call->global, mine.from, mine.to);
	job.topics[0] = mine.from;
	job.topics[1] = mine.to;
	SEAL_TRY(stream_job_run(&job, call, exit_code, err));
out:
	kafka_config_clear(&mine.config);
	return rc;
}
