/*
 * From one stream to another: which, as members of which group, with which delivery; and the streams of the run.
 *
 *   --from, --to, -F ──▶ two sides ──▶ checked against the options ──▶ opened: Kafka with settings that both share,
 *                                                                      others with the options of their rows
 */
#include "cmd/topic_copy.h"

#include <unistd.h>

#include "base/log.h"
#include "cmd/audit_use.h"
#include "cmd/kafka_use.h"
#include "crypto/random.h"

struct copy_job {
	const struct copy_options *options;
	struct arena *arena;
	struct stream_side from, to;
	const char *group; /* NULL: the source has no groups */
	const char *transactional_id; /* NULL: at least once */
	bool named; /* that another process may have on purpose */
	bool keep_partition;
	struct kafka_config config; /* … of Kafka, or where -F says what the sides are */
	bool loaded; /* it has been read */
};

/* ---- opening ---- */

static enum seal_status open_sink(struct copy_job *job, struct sink **sink, struct seal_err *err)
{
	const struct kafka_sink_options out = {.connection = job->options->common.connection,
					       .keep_partition = job->keep_partition,
					       .transactional_id = job->transactional_id,
					       .named = job->named,
					       .config = &job->config};

	if (stream_side_is(&job->to, PLATFORM_KAFKA))
		return kafka_use_sink(job->to.at.rest, &out, sink, err);
	return stream_side_open_sink(&job->to, sink, err);
}

static enum seal_status open_source(struct copy_job *job, struct source **source, struct seal_err *err)
{
	const struct kafka_source_options in = {.connection = job->options->common.connection,
						.group = job->group,
						.partition = -1,
						.exit_at_end = job->options->exit_at_end,
						.exactly_once = job->transactional_id != NULL,
						.member = job->options->member_name,
						.config = &job->config};

	if (stream_side_is(&job->from, PLATFORM_KAFKA))
		return kafka_use_source(job->from.at.rest, &in, source, err);
	return stream_side_open_source(&job->from, source, err);
}

static enum seal_status open_streams(void *arg, struct source **source, struct sink **sink, struct seal_err *err)
{
	struct copy_job *job = arg;
	enum seal_status rc = open_sink(job, sink, err);

	/* The source last: a group should not wait for a member that finds no target. */
	return rc == SEAL_OK ? open_source(job, source, err) : rc;
}

/* ---- which streams, and how ---- */

static enum seal_status load(struct copy_job *job, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (!job->loaded)
		rc = kafka_connection_load(&job->options->common.connection, &job->config, err);
	job->loaded = true;
	return rc;
}

static bool is_topic(const char *address)
{
	return address == NULL || (strchr(address, ':') == NULL && strcmp(address, "-") != 0);
}

/* A stream of one name and two places, such as regions, is two streams. */
static bool are_same(const struct copy_job *job)
{
	static const char *const places[] = {"region", "profile", "endpoint"};
	const struct stream_side *from = &job->from, *to = &job->to;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (stream_side_is_told(from, places[i]) || stream_side_is_told(to, places[i]))
			return false;
	return from->at.platform == to->at.platform && strcmp(from->at.rest, to->at.rest) == 0 &&
	       strcmp(from->at.rest, "-") != 0;
}

static enum seal_status choose_sides(struct copy_job *job, struct command_call *call, struct seal_err *err)
{
	const struct copy_options *o = job->options;
	const char *from = o->from, *to = o->to;
	enum seal_status rc;

	/* A topic alone, or nothing, leaves the rest to settings; another stream alone does so where a file of them is named. */
	if ((from == NULL || to == NULL) && (o->common.connection.file != NULL || (is_topic(from) && is_topic(to)))) {
		SEAL_TRY(load(job, err));
		from = from != NULL ? from : job->config.source_topic;
		to = to != NULL ? to : job->config.target_topic;
	}
	if (from == NULL || to == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "say %s TOPIC, or set %s in [encryptor] of the -F file",
			       from ? "--to" : "--from", from ? "targettopic" : "sourcetopic");
	SEAL_TRY(stream_side_init(call, PLATFORM_SOURCE, from, &job->from, err));
	SEAL_TRY(stream_side_init(call, PLATFORM_SINK, to, &job->to, err));
	if (are_same(job))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--from and --to are the same topic: it would never end");
	SEAL_TRY(stream_sides_check(call, &job->from, &job->to, NULL, err));
	if (stream_side_is(&job->from, PLATFORM_KAFKA) || stream_side_is(&job->to, PLATFORM_KAFKA))
		rc = load(job, err);
out:
	return rc;
}

/* "file" for one without a name of its own: part of the names of groups. */
static struct seal_bytes name_of(const struct stream_side *side)
{
	return side->topic.len > 0 ? side->topic : bytes_str(side->at.platform->scheme);
}

static enum seal_status choose_group(struct copy_job *job, const char *prefix, struct seal_err *err)
{
	const struct seal_bytes from = name_of(&job->from), to = name_of(&job->to);
	enum seal_status rc = SEAL_OK;

	if (!stream_side_has(&job->from, "group"))
		return SEAL_OK;
	job->group = job->options->group;
	if (job->group == NULL && job->loaded && stream_side_is(&job->from, PLATFORM_KAFKA))
		job->group = kafka_config_get(&job->config, KAFKA_CONSUMER, "group.id");
	if (job->group == NULL)
		job->group = arena_printf(job->arena, "%s.%.*s.%.*s", prefix, BYTES_FMT(from), BYTES_FMT(to));
	if (job->group == NULL)
		return err_memory(err);
	if (!stream_side_is(&job->from, PLATFORM_KAFKA))
		rc = stream_side_set(&job->from, "group", job->group, job->arena, NULL, err);
	return rc;
}

/* Of one cluster, namespace or account: all that stands before what policies call them is the same. */
static bool are_neighbours(const struct stream_side *a, const struct stream_side *b)
{
	const char *x = a->at.rest, *y = b->at.rest;
	const size_t len = strlen(x) - a->topic.len;

	return a->at.platform == b->at.platform && len == strlen(y) - b->topic.len && strncasecmp(x, y, len) == 0;
}

/* A sink of this kind takes a source's position into a transaction of its own. */
static bool has_transactions(const struct copy_job *job)
{
	return are_neighbours(&job->from, &job->to) && stream_side_has(&job->to, "transactional-id") &&
	       !stream_side_is_told(&job->from, "endpoint") && !stream_side_is_told(&job->to, "endpoint");
}

static enum seal_status choose_delivery(const struct copy_job *job, bool *exactly_once, struct seal_err *err)
{
	const int delivery = job->options->delivery;

	*exactly_once = has_transactions(job) && delivery != DELIVERY_AT_LEAST_ONCE;
	if (delivery == DELIVERY_EXACTLY_ONCE && !*exactly_once)
		return err_set(
			err, SEAL_USAGE, SEAL_E_USAGE,
			"from %s to %s nothing is exactly once: that takes transactions that hold both sides, as "
			"between two topics of Kafka; use --delivery at-least-once, its default there",
			job->from.at.text, job->to.at.text);
	return SEAL_OK;
}

/* Of this process alone, unless it was given a name: two with the same id would end each other's transactions. */
static enum seal_status name_transactions(struct copy_job *job, struct seal_err *err)
{
	const char *theirs = job->loaded ? kafka_config_get(&job->config, KAFKA_PRODUCER, "transactional.id") : NULL;
	const char *member = job->options->member_name;
	char host[64] = "";
	uint64_t number;
	enum seal_status rc;

	job->named = theirs != NULL || member != NULL;
	SEAL_TRY(random_bytes((uint8_t *)&number, sizeof(number), err));
	gethostname(host, sizeof(host) - 1);
	if (theirs != NULL)
		job->transactional_id = theirs;
	else if (member != NULL)
		job->transactional_id = arena_printf(job->arena, "%s.%s", job->group, member);
	else
		job->transactional_id =
			arena_printf(job->arena, "%s.%s.%016llx", job->group, host, (unsigned long long)number);
	if (job->transactional_id == NULL)
		rc = err_memory(err);
out:
	return rc;
}

/* What the rows of streams other than Kafka are told of the run. */
static enum seal_status set_rows(struct copy_job *job, struct seal_err *err)
{
	const bool from_file = stream_side_is(&job->from, PLATFORM_FILE);
	const bool to_file = stream_side_is(&job->to, PLATFORM_FILE);
	enum seal_status rc = SEAL_OK;

	if (job->transactional_id != NULL) {
		SEAL_TRY(stream_side_set(&job->from, "exactly-once", "true", job->arena, NULL, err));
		SEAL_TRY(stream_side_set(&job->to, "transactional-id", job->transactional_id, job->arena, NULL, err));
		SEAL_TRY(stream_side_set(&job->to, "named", job->named ? "true" : "false", job->arena, NULL, err));
	}
	if (from_file)
		SEAL_TRY(
			stream_side_set(&job->from, "skip-blank", to_file ? "false" : "true", job->arena, NULL, err));
	if (to_file) {
		/* A file's own lines keep their form. What was committed does not come again: its output must stay. */
		SEAL_TRY(stream_side_set(&job->to, "layout", from_file ? "source" : "value", job->arena, NULL, err));
		SEAL_TRY(stream_side_set(&job->to, "append", from_file ? "false" : "true", job->arena, NULL, err));
	}
	stream_side_look_again(&job->from);
	stream_side_look_again(&job->to);
	if (from_file && to_file)
		job->to.traits = job->from.traits;
out:
	return rc;
}

static enum seal_status choose_partition(struct copy_job *job, enum engine_direction direction, struct seal_err *err)
{
	const bool both = job->from.traits->order == STREAM_ORDER_PARTITION &&
			  job->to.traits->order == STREAM_ORDER_PARTITION &&
			  stream_side_has(&job->to, "keep-partition");

	if (job->options->keep_partition && !both && direction != ENGINE_REWRAP)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--keep-partition needs partitions on both sides, which %s and %s do not have",
			       job->from.at.text, job->to.at.text);
	job->keep_partition = job->options->keep_partition && both;
	return SEAL_OK;
}

static void tell_lost(const struct copy_job *job)
{
	char lost[STREAM_LOST_MAX];

	stream_lost(job->from.traits, job->to.traits, lost);
	if (lost[0] != '\0')
		log_say(LOG_INFO, "%s does not keep all of %s: %s", job->to.at.text, job->from.at.text, lost);
}

/* Where rules for headers find them: in what comes, in what goes out, or in both. */
static bool has_headers(const struct copy_job *job, enum engine_direction direction)
{
	const bool in = job->from.traits->headers != NULL, out = job->to.traits->headers != NULL;

	return direction == ENGINE_PROTECT ? out : direction == ENGINE_REVEAL ? in : in && out;
}

enum seal_status topic_copy_run(const struct copy_options *options, enum engine_direction direction,
				const char *group_prefix, struct command_call *call, int *exit_code,
				struct seal_err *err)
{
	struct copy_job mine = {.options = options, .arena = call->arena};
	struct stream_job job = {.options = &options->common,
				 .direction = direction,
				 .from = &mine.from,
				 .to = &mine.to,
				 .open = open_streams,
				 .arg = &mine};
	enum seal_status rc;

	kafka_config_init(&mine.config);
	SEAL_TRY(choose_sides(&mine, call, err));
	SEAL_TRY(choose_group(&mine, group_prefix, err));
	SEAL_TRY(choose_delivery(&mine, &job.exactly_once, err));
	if (job.exactly_once)
		SEAL_TRY(name_transactions(&mine, err));
	SEAL_TRY(set_rows(&mine, err));
	SEAL_TRY(choose_partition(&mine, direction, err));
	job.keep_partition = mine.keep_partition;
	job.headers = has_headers(&mine, direction);
	job.no_dead_letters = stream_side_is(&mine.to, PLATFORM_FILE);
	job.prints = job.no_dead_letters && strcmp(mine.to.at.rest, "-") == 0;
	audit_use_streams(call->global, mine.from.at.text, mine.to.at.text);
	tell_lost(&mine);
	SEAL_TRY(stream_job_run(&job, call, exit_code, err));
out:
	kafka_config_clear(&mine.config);
	return rc;
}
