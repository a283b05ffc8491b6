/*
 * A Kafka consumer as a source.
 *
 *        librdkafka queue ──consume_batch──▶ messages, kept until release ──views──▶ batch->records
 *                                               │
 *   rebalance_cb ──▶ parts[p]: mine, since      │ commit(batch): parts[p].done = last offset + 1
 *                                               ▼
 *                     every second, on revocation and on close: committed to the group, and no offset else
 *
 * Offsets: librdkafka commits and stores nothing by itself. A partition that was taken away forgets what it had not yet
 * committed (`mine` false, or `since` newer than the batch), as its new owner starts from the last commit.
 *
 * While the pump waits for a slow sink or a key server nobody reads; a keeper thread then commits what has become safe, and
 * after a while pauses the partitions and polls, so that the group neither throws this member out (max.poll.interval.ms) nor
 * waits for it in a rebalance.
 *
 * Two locks: `reading` is held around everything that takes from the queue (read, the keeper); `lock` guards parts and
 * what belongs to commits. `reading` comes first. Callbacks run inside polls, thus under `reading`.
 */
#include "streams/kafka/source.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define COMMIT_EVERY_MS 250 /* bounds what comes twice after a kill */
#define GATHER_MS 5 /* after the first record, for more to come */
#define BATCH_BYTES (256u << 10) /* what is made of them stays in the cache of a core until it is written */
#define RECORD_GUESS 1024 /* bytes, before the first record was seen */

/* ---- what is safe ---- */

/* Under lock: the first n messages of a batch are safe. */
static void mark_safe(struct kafka_source *s, const struct held *held, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const rd_kafka_message_t *message = held->messages[i];
		struct part *part = group_part(s, message->partition);

		if (part != NULL && part->mine && part->since <= held->epoch && message->offset >= part->done)
			part->done = message->offset + 1;
	}
}

static enum seal_status check_refused(struct kafka_source *s, struct seal_err *err)
{
	rd_kafka_resp_err_t refused;

	pthread_mutex_lock(&s->lock);
	refused = s->refused;
	pthread_mutex_unlock(&s->lock);
	return refused ? kafka_client_error(&s->client, refused, s->topic, err) : SEAL_OK;
}

/* A caller that is done with a part of its batch has shortened batch->n. */
static enum seal_status source_commit(struct source *source, const struct batch *batch, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	const struct held *held = batch->native;
	enum seal_status rc;

	if (!s->group || held == NULL)
		return SEAL_OK;
	pthread_mutex_lock(&s->lock);
	for (const struct held *h = s->oldest; h != NULL && h != held; h = h->next)
		mark_safe(s, h, h->n);
	mark_safe(s, held, batch->n < held->n ? batch->n : held->n);
	pthread_mutex_unlock(&s->lock);
	rc = check_refused(s, err);
	if (rc == SEAL_OK)
		group_commit_when_due(s);
	return rc;
}

static uint64_t source_assignment(struct source *source, int32_t partition)
{
	struct kafka_source *s = kafka_source_of(source);
	const struct part *part;
	uint64_t seen;

	pthread_mutex_lock(&s->lock);
	part = group_part(s, partition);
	seen = part ? part->seen : 0;
	pthread_mutex_unlock(&s->lock);
	return seen;
}

static enum seal_status source_mark(struct source *source, int32_t partition, uint64_t assignment, int64_t offset,
				    struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	struct part *part;
	enum seal_status rc;

	if (!s->group)
		return SEAL_OK;
	pthread_mutex_lock(&s->lock);
	part = group_part(s, partition);
	if (part != NULL && part->mine && part->since == assignment && offset > part->done)
		part->done = offset;
	pthread_mutex_unlock(&s->lock);
	rc = check_refused(s, err);
	if (rc == SEAL_OK)
		group_commit_when_due(s);
	return rc;
}

static enum seal_status source_sync(struct source *source, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	rd_kafka_resp_err_t code;
	enum seal_status rc;

	pthread_mutex_lock(&s->reading);
	code = group_commit_last(s);
	pthread_mutex_unlock(&s->reading);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return check_refused(s, err);
	rc = kafka_client_error(&s->client, code, s->topic, err);
	err_prefix(err, "all went out, but the last offsets were not committed, so the next run sends records again");
	return rc;
}

/* ---- reading ---- */

static void record_headers(const rd_kafka_message_t *message, struct record *record, struct arena *arena,
			   bool *failed)
{
	struct record_header *out;
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t n, size;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	n = rd_kafka_header_cnt(headers);
	out = arena_alloc(arena, n * sizeof(*out), _Alignof(struct record_header));
	if (out == NULL) {
		*failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		rd_kafka_header_get_all(headers, i, &name, &value, &size);
		out[i] = (struct record_header){bytes_str(name), bytes_of(value, value ? size : 0)};
	}
	record->headers = out;
	record->n_headers = n;
}

static enum timestamp_type timestamp_of(rd_kafka_timestamp_type_t type)
{
	return type == RD_KAFKA_TIMESTAMP_CREATE_TIME	    ? TIMESTAMP_CREATE
	       : type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TIMESTAMP_LOG_APPEND
							    : TIMESTAMP_NONE;
}

static bool record_of(struct kafka_source *s, const rd_kafka_message_t *message, struct record *record,
		      struct arena *arena)
{
	rd_kafka_timestamp_type_t type;
	bool failed = false;

	*record = (struct record){
		.key = bytes_of(message->key, message->key ? message->key_len : 0),
		.value = bytes_of(message->payload, message->payload ? message->len : 0),
		.topic = bytes_of(s->topic, s->topic_len),
		.partition = message->partition,
		.offset = message->offset,
	};
	record->timestamp_ms = rd_kafka_message_timestamp(message, &type);
	record->timestamp_type = timestamp_of(type);
	record_headers(message, record, arena, &failed);
	return !failed;
}

/* A message without data. What is only trouble on the way was told by error_cb and passes. */
static enum seal_status take_event(struct kafka_source *s, const rd_kafka_message_t *message, struct seal_err *err)
{
	struct part *part;
	enum seal_status rc;

	switch (message->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		pthread_mutex_lock(&s->lock);
		part = group_part(s, message->partition);
		if (part != NULL)
			part->ended = true;
		pthread_mutex_unlock(&s->lock);
		return SEAL_OK;
	case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: /* the group takes us back with the next poll */
		log_say(LOG_WARNING, "topic %s: %s", s->topic, rd_kafka_message_errstr(message));
		return SEAL_OK;
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		if (!s->group) /* said of the name that we never join */
			return SEAL_OK;
		break;
	default:
		break;
	}
	rc = kafka_client_error(&s->client, message->err, s->topic, err);
	if (rc == SEAL_RETRY) { /* a read that failed would lose what it has taken */
		err_clear(err);
		rc = group_is_stuck(s, message) ? group_rejoin(s, err) : SEAL_OK;
	}
	return rc;
}

struct fill {
	struct batch *batch;
	struct held *held;
	size_t max, bytes;
};

/* Sorts one chunk into records and events; every message ends up held or destroyed. */
static enum seal_status take_chunk(struct kafka_source *s, struct fill *f, rd_kafka_message_t **chunk, size_t n,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		rd_kafka_message_t *message = chunk[i];
		struct part *part = group_part(s, message->partition);

		if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || part == NULL || !part->mine || rc != SEAL_OK) {
			if (rc == SEAL_OK && message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
				rc = take_event(s, message, err);
			rd_kafka_message_destroy(message);
			continue;
		}
		if (part->first < 0)
			part->first = message->offset;
		f->held->messages[f->held->n++] = message;
		if (!record_of(s, message, &f->batch->records[f->batch->n++], &f->batch->arena))
			rc = err_memory(err);
		f->bytes += message->len + message->key_len;
	}
	if (n > 0)
		kafka_client_alive(&s->client);
	if (f->held->n > 0)
		s->average = (s->average + f->bytes / f->held->n) / 2 + 1;
	return rc;
}

/* How many to ask for so that the batch stays within its bytes. */
static size_t chunk_size(const struct kafka_source *s, const struct fill *f)
{
	size_t room = f->max - f->held->n, by_bytes;

	if (f->bytes >= BATCH_BYTES)
		return 0;
	by_bytes = (BATCH_BYTES - f->bytes) / s->average + 1;
	return room < by_bytes ? room : by_bytes;
}

static enum seal_status fill_batch(struct kafka_source *s, struct fill *f, int timeout_ms, struct seal_err *err)
{
	rd_kafka_message_t **chunk = f->held->messages + f->max; /* scratch behind what is held */
	enum seal_status rc = SEAL_OK;
	size_t want = 1;
	ssize_t got;

	while (want > 0) {
		s->gathering = f->held->n > 0;
		got = rd_kafka_consume_batch_queue(s->queue, timeout_ms, chunk, want);
		s->gathering = false;
		if (got <= 0)
			break;
		SEAL_TRY(take_chunk(s, f, chunk, (size_t)got, err));
		if (f->held->n == 0) /* events only: the pump may want to look at them */
			break;
		if (want > 1 && (size_t)got < want)
			break;
		timeout_ms = GATHER_MS;
		want = chunk_size(s, f);
	}
	SEAL_TRY(kafka_client_health(&s->client, err));
	if (s->no_memory)
		rc = err_memory(err);
out:
	return rc;
}

static struct held *held_new(size_t max)
{
	struct held *held = mem_alloc(sizeof(*held));

	if (held == NULL)
		return NULL;
	*held = (struct held){.messages = mem_alloc(2 * max * sizeof(rd_kafka_message_t *)), .max = max};
	if (held->messages == NULL) {
		mem_free(held);
		return NULL;
	}
	return held;
}

/* Gives the messages back. */
static void held_drop(struct held *held)
{
	for (size_t i = 0; held != NULL && i < held->n; i++)
		rd_kafka_message_destroy(held->messages[i]);
	if (held != NULL)
		held->n = 0;
}

static void held_free(struct held *held)
{
	if (held == NULL)
		return;
	held_drop(held);
	mem_free(held->messages);
	mem_free(held);
}

/* Under `reading`. The spare one when it is large enough: an idle source allocates nothing. */
static struct held *held_get(struct kafka_source *s, size_t max)
{
	struct held *held = s->spare;

	s->spare = NULL;
	if (held != NULL && held->max >= max)
		return held;
	held_free(held);
	return held_new(max);
}

static bool all_ended(struct kafka_source *s)
{
	bool ended, any = false;

	pthread_mutex_lock(&s->lock);
	ended = s->assigned;
	for (size_t i = 0; i < s->n_parts; i++) {
		any = any || s->parts[i].mine;
		ended = ended && (!s->parts[i].mine || s->parts[i].ended);
	}
	pthread_mutex_unlock(&s->lock);
	return ended && any;
}

static enum seal_status take_carried(struct kafka_source *s, struct fill *f, struct seal_err *err)
{
	size_t n = s->n_carried < f->max ? s->n_carried : f->max;
	rd_kafka_message_t *taken[CARRIED_MAX];

	if (s->paused)
		group_pause(s, false);
	s->paused = false;
	memcpy(taken, s->carried, n * sizeof(*taken));
	s->n_carried -= n;
	memmove(s->carried, s->carried + n, s->n_carried * sizeof(*taken));
	return take_chunk(s, f, taken, n, err);
}

static void list_add(struct kafka_source *s, struct held *held)
{
	pthread_mutex_lock(&s->lock);
	held->next = NULL;
	held->previous = s->newest;
	if (s->newest != NULL)
		s->newest->next = held;
	else
		s->oldest = held;
	s->newest = held;
	pthread_mutex_unlock(&s->lock);
}

/* Its memory is given back next: the consumer that it is of stays until then. */
static void list_remove(struct kafka_source *s, struct held *held)
{
	pthread_mutex_lock(&s->lock);
	s->releasing++;
	if (held->past != NULL)
		held->past->batches--;
	if (held->previous != NULL)
		held->previous->next = held->next;
	else
		s->oldest = held->next;
	if (held->next != NULL)
		held->next->previous = held->previous;
	else
		s->newest = held->previous;
	pthread_mutex_unlock(&s->lock);
}

static enum seal_status read_locked(struct kafka_source *s, struct fill *f, int timeout_ms, enum read_result *result,
				    struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(member_check(s, err));
	group_take_later(s);
	if (s->lost) {
		s->lost = false;
		SEAL_TRY(group_rejoin(s, err));
	}
	if (s->unplaced.status != SEAL_OK) {
		if (err != NULL)
			*err = s->unplaced;
		return s->unplaced.status;
	}
	SEAL_TRY(check_refused(s, err)); /* also when nothing new comes that could be committed */
	SEAL_TRY(take_carried(s, f, err));
	if (f->held->n == 0 && s->exit_at_end && all_ended(s)) {
		*result = READ_END;
		goto out;
	}
	if (f->held->n < f->max && s->n_carried == 0)
		SEAL_TRY(fill_batch(s, f, f->held->n > 0 ? 0 : timeout_ms, err));
	group_commit_when_due(s);
	if (f->held->n > 0)
		*result = READ_SOME;
	else if (s->exit_at_end && all_ended(s))
		*result = READ_END;
out:
	return rc;
}

static void note_assignments(struct kafka_source *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_parts; i++)
		s->parts[i].seen = s->parts[i].mine ? s->parts[i].since : 0;
	pthread_mutex_unlock(&s->lock);
}

static enum seal_status source_read(struct source *source, struct batch *batch, size_t max_records, int timeout_ms,
				    enum read_result *result, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	struct fill f = {.batch = batch, .max = max_records < batch->cap ? max_records : batch->cap};
	enum seal_status rc;

	*result = READ_IDLE;
	batch->n = 0;
	pthread_mutex_lock(&s->reading);
	f.held = held_get(s, f.max);
	rc = f.held ? read_locked(s, &f, timeout_ms, result, err) : err_memory(err);
	rc = member_forgive(s, rc, err);
	if (rc == SEAL_OK && *result == READ_SOME) {
		f.held->epoch = s->epoch;
		batch->native = f.held;
		list_add(s, f.held);
	} else {
		batch->n = 0;
		held_drop(f.held);
		s->spare = f.held;
	}
	note_assignments(s);
	s->read_at_ms = clock_mono_ms();
	pthread_mutex_unlock(&s->reading);
	return rc;
}

static void source_release(struct source *source, struct batch *batch)
{
	struct kafka_source *s = kafka_source_of(source);

	if (batch->native == NULL)
		return;
	list_remove(s, batch->native);
	held_free(batch->native);
	pthread_mutex_lock(&s->lock);
	s->releasing--;
	pthread_mutex_unlock(&s->lock);
	batch->native = NULL;
	batch->n = 0;
}

/* ---- open and close ---- */

static void source_callbacks(rd_kafka_conf_t *conf, void *owner)
{
	struct kafka_source *s = owner;

	rd_kafka_conf_set_stats_cb(conf, kafka_source_statistics);
	rd_kafka_conf_set_offset_commit_cb(conf, group_committed);
	if (s->group)
		rd_kafka_conf_set_rebalance_cb(conf, group_rebalance);
}

static const struct kafka_setting source_defaults[] = {
	{"client.id", "sealstream"},
	{"group.id", "sealstream"}, /* librdkafka wants one even for assigned partitions, which never join it */
	{"auto.offset.reset", "earliest"}, /* a pump that starts late must not skip what is there */
	{"queued.min.messages", "100000"},
	{"queued.max.messages.kbytes", "32768"}, /* bounds what lies ready */
	{"fetch.message.max.bytes", "4194304"},
	{"fetch.wait.max.ms", "100"},
	{"statistics.interval.ms", "5000"}, /* lag.c */
	{NULL, NULL},
};

/* The first is for exactly once only. */
static const struct kafka_setting source_fixed[] = {
	/* Of the topic, and of offsets: what the last owner of a partition has not finished is waited for. */
	{"isolation.level", "read_committed"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	{NULL, NULL},
};

static enum seal_status parse_offset(const char *text, int64_t *out, struct seal_err *err)
{
	bool negative = text[0] == '-';
	uint64_t n;

	if (strcmp(text, "beginning") == 0 || strcmp(text, "earliest") == 0) {
		*out = RD_KAFKA_OFFSET_BEGINNING;
	} else if (strcmp(text, "end") == 0 || strcmp(text, "latest") == 0) {
		*out = RD_KAFKA_OFFSET_END;
	} else if (bytes_to_u64(bytes_str(text + negative), INT64_MAX / 2, &n)) {
		*out = negative ? RD_KAFKA_OFFSET_TAIL((int64_t)n) : (int64_t)n;
	} else {
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--offset must be beginning, end, a number, or -N for the last N");
	}
	return SEAL_OK;
}

/* Without a group: all partitions (or the one asked for) from the same kind of offset. */
static enum seal_status assign(struct kafka_source *s, const struct kafka_source_options *o, int32_t partitions,
			       int64_t offset, struct seal_err *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	if (o->partition >= partitions)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "topic %s has no partition %lld, only 0 to %d",
			       s->topic, (long long)o->partition, partitions - 1);
	list = rd_kafka_topic_partition_list_new(partitions);
	for (int32_t i = 0; i < partitions; i++)
		if (o->partition < 0 || o->partition == i)
			rd_kafka_topic_partition_list_add(list, s->topic, i)->offset = offset;
	group_take(s, list);
	code = rd_kafka_assign(s->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_client_error(&s->client, code, s->topic, err) : SEAL_OK;
}

static uint64_t time_of(const struct kafka_config *config, const char *name, uint64_t otherwise_ms)
{
	const char *text = kafka_config_get(config, KAFKA_CONSUMER, name);
	uint64_t ms;

	return text != NULL && bytes_to_u64(bytes_str(text), INT64_MAX, &ms) ? ms : otherwise_ms;
}

/*
 * librdkafka before 2.3.0 aborts in rd_kafka_destroy when a member with this assignor never led its group
 * (confluentinc/librdkafka#4312). Such a handle has left the group by then, and ends with the process.
 */
static bool crashes_on_destroy(const struct kafka_source *s)
{
	return rd_kafka_version() < 0x02030000 && s->cooperative;
}

/* librdkafka refuses it beside an eager one. It could be asked, but does not always answer; see group_leave. */
static bool is_cooperative(const struct kafka_config *config)
{
	const char *text = kafka_config_get(config, KAFKA_CONSUMER, "partition.assignment.strategy");

	return text != NULL && strstr(text, "cooperative-sticky") != NULL;
}

/* A quarter of the bound, but never less than message.max.bytes: librdkafka refuses that, and settings files are shared with producers. */
static int64_t answer_bytes(const struct kafka_config *config, int64_t memory_bytes)
{
	const char *text = kafka_config_get(config, KAFKA_CONSUMER, "message.max.bytes");
	const uint64_t quarter = (uint64_t)memory_bytes / 4;
	uint64_t longest = 0;

	if (memory_bytes == 0 || text == NULL || !bytes_to_u64(bytes_str(text), INT32_MAX, &longest))
		longest = 0;
	return (int64_t)(longest > quarter ? longest : quarter);
}

enum seal_status kafka_source_consumer_new(struct kafka_source *s, struct seal_err *err)
{
	/*
	 * librdkafka asks for more while less than the queue's bound lies ready, so one answer may come on top, and a batch
	 * pins the answer that its records are of: 1/2 + 1/4 + 1/4.
	 */
	const struct kafka_number numbers[] = {{"queued.max.messages.kbytes", s->memory_bytes / 2 / 1024},
					       {"fetch.max.bytes", answer_bytes(s->config, s->memory_bytes)},
					       {"fetch.message.max.bytes", s->memory_bytes / 4},
					       {NULL, 0}};
	struct kafka_client_setup setup = {.role = KAFKA_CONSUMER,
					   .config = s->config,
					   .defaults = source_defaults,
					   .numbers = numbers,
					   .fixed = s->exactly_once ? source_fixed : source_fixed + 1,
					   .callbacks = source_callbacks,
					   .owner = s};
	enum seal_status rc;

	SEAL_TRY(kafka_client_open(&s->client, &setup, err));
	s->queue = rd_kafka_queue_get_consumer(s->client.rk);
out:
	return rc;
}

static enum seal_status start(struct kafka_source *s, const struct kafka_source_options *o, struct seal_err *err)
{
	int32_t partitions;
	int64_t offset = RD_KAFKA_OFFSET_BEGINNING;
	enum seal_status rc;

	if (o->offset != NULL)
		SEAL_TRY(parse_offset(o->offset, &offset, err)); /* before brokers are waited for */
	if (o->group != NULL)
		SEAL_TRY(kafka_config_set(s->config, "group.id", o->group, err));
	if (o->member != NULL)
		SEAL_TRY(kafka_config_set(s->config, "group.instance.id", o->member, err));
	s->group_name = kafka_config_get(s->config, KAFKA_CONSUMER, "group.id");
	s->member = kafka_config_get(s->config, KAFKA_CONSUMER, "group.instance.id");
	/* A quarter of the time after which the group gives up on a member that does not poll. */
	s->patience_ms = time_of(s->config, "max.poll.interval.ms", 300000) / 4;
	s->session_ms = time_of(s->config, "session.timeout.ms", 45000);
	s->cooperative = is_cooperative(s->config);
	s->keep_handle = crashes_on_destroy(s);
	SEAL_TRY(kafka_source_consumer_new(s, err));
	SEAL_TRY(kafka_client_find_topic(&s->client, s->topic, (int)o->connection.connect_timeout_ms, &partitions,
					 err));
	/* Not before: that a group is refused is told once, and who looks for a topic serves what comes meanwhile. */
	rd_kafka_poll_set_consumer(s->client.rk);
	if (s->group)
		SEAL_TRY(group_subscribe(s, err));
	else
		SEAL_TRY(assign(s, o, partitions, offset, err));
	s->read_at_ms = clock_mono_ms();
	if (s->group)
		group_keeper_start(s);
out:
	return rc;
}

static void source_close(struct source *source, bool clean)
{
	struct kafka_source *s = source ? kafka_source_of(source) : NULL;

	if (s == NULL)
		return;
	group_keeper_stop(s);
	if (s->stuck) {
		kafka_client_quiet(&s->client);
		return;
	}
	group_take_later(s);
	for (size_t i = 0; i < s->n_carried; i++)
		rd_kafka_message_destroy(s->carried[i]);
	held_free(s->spare);
	member_sweep(s, true);
	if (s->client.rk != NULL) {
		s->abandon = !clean || kafka_client_away(&s->client);
		if (!s->abandon)
			(void)group_commit_last(s);
		if (s->queue != NULL && s->group && !kafka_client_away(&s->client) && !group_leave(s)) {
			kafka_client_quiet(&s->client);
			return;
		}
		if (s->queue != NULL)
			rd_kafka_queue_destroy(s->queue);
		if (s->keep_handle)
			kafka_client_quiet(&s->client);
		else
			kafka_client_close(&s->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	}
	kafka_client_clear(&s->client);
	kafka_config_clear(&s->own_config);
	pthread_mutex_destroy(&s->reading);
	pthread_mutex_destroy(&s->using);
	pthread_mutex_destroy(&s->lock);
	mem_free(s->parts);
	mem_free(s->topic);
	mem_free(s);
}

static enum seal_status source_open(const char *address, const void *options, struct source **out,
				    struct seal_err *err)
{
	const struct kafka_source_options *o = options;
	struct kafka_source *s = mem_calloc(1, sizeof(*s));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.ops = &kafka_source_ops;
	kafka_client_init(&s->client);
	pthread_mutex_init(&s->reading, NULL);
	pthread_mutex_init(&s->using, NULL);
	pthread_mutex_init(&s->lock, NULL);
	kafka_config_init(&s->own_config);
	s->config = o->config ? o->config : &s->own_config;
	s->memory_bytes = o->memory_bytes;
	if (o->config == NULL)
		SEAL_TRY(kafka_connection_load(&o->connection, s->config, err));
	s->group = o->group != NULL;
	s->exit_at_end = o->exit_at_end;
	s->exactly_once = o->exactly_once;
	s->commit_every_ms = o->commit_every_ms > 0 ? (uint64_t)o->commit_every_ms : COMMIT_EVERY_MS;
	s->average = RECORD_GUESS;
	s->topic_len = strlen(address);
	s->topic = mem_strdup(address);
	if (s->topic == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(start(s, o, err));
	*out = &s->base;
out:
	if (rc != SEAL_OK)
		source_close(&s->base, false);
	return rc;
}

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct kafka_source_options, connection),
	KAFKA_SOURCE_ROWS(struct kafka_source_options, ),
	OPT_END,
};

const struct stream_traits kafka_traits = {
	.title = "Apache Kafka",
	.address = "TOPIC",
	.key = "the record's key",
	.headers = "the record's headers",
	.timestamp = "the record's timestamp, the writer's or the broker's as the topic says",
	.limit = "message.max.bytes of the client (1 MB), max.message.bytes of the topic",
	.order = STREAM_ORDER_PARTITION,
	.keeps_timestamp = true,
};

const struct source_ops kafka_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "kafka",
	.traits = &kafka_traits,
	.help = "a topic of Apache Kafka",
	.options = rows,
	.options_size = sizeof(struct kafka_source_options),
	.open = source_open,
	.read = source_read,
	.commit = source_commit,
	.sync = source_sync,
	.assignment = source_assignment,
	.mark = source_mark,
	.stage = kafka_source_stage,
	.rewind = kafka_source_rewind,
	.lag = kafka_source_lag,
	.away = kafka_source_away,
	.release = source_release,
	.close = source_close,
};
