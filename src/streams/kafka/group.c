/*
 * The member of a consumer group: which partitions are ours, what of them is safe, and when it is committed.
 *
 *   parts[p]: mine ── since (epoch of its assignment) ── done (safe up to here) ── sent (committed up to here)
 *
 * A partition that was taken away forgets what it had not committed: its new owner starts from the last commit, and a batch
 * from before (its epoch is older than `since`) no longer counts. See source.c for the locks.
 *
 * All records of a batch are of the assignments that stood when its read ended (`seen`): partitions that are assigned while
 * some of them are held already (`gathering`) are taken at the next read or by the keeper (`later`).
 */
#include "streams/kafka/source.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define CLOSE_MS 10000
#define LEAVE_TICK_MS 5
#define LEAVE_GRACE_MS 2000 /* a rebalance that is served at the end of it may still commit */
#define KEEPER_TICK_MS 500
#define POSITIONS_MS 10000 /* others who want a rebalance wait for it, too */

/* ---- membership ---- */

enum seal_status group_subscribe(struct kafka_source *s, struct seal_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, s->topic, RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(s->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_client_error(&s->client, code, s->topic, err) : SEAL_OK;
}

/* The code may be that of any request; only the text says which one it was. */
bool group_is_stuck(const struct kafka_source *s, const rd_kafka_message_t *message)
{
	return s->group && strstr(rd_kafka_message_errstr(message), "fetch committed offset") != NULL;
}

enum seal_status group_rejoin(struct kafka_source *s, struct seal_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_unsubscribe(s->client.rk);

	log_say(LOG_DEBUG, "topic %s: joins its group again", s->topic);
	return code ? kafka_client_error(&s->client, code, s->topic, err) : group_subscribe(s, err);
}

/* ---- partitions ---- */

struct part *group_part(struct kafka_source *s, int32_t partition)
{
	return partition >= 0 && (size_t)partition < s->n_parts ? &s->parts[partition] : NULL;
}

#define PART_NONE                                                                                                    \
	{                                                                                                            \
		.done = -1, .sent = -1, .kept = -1, .first = -1, .staged = -1, .lag = -1                             \
	}

/* Under both locks: it is not ours any more, or anew. */
static void part_drop(struct kafka_source *s, struct part *part)
{
	const uint64_t seen = part->seen;

	s->torn = s->torn || part->staged >= 0;
	*part = (struct part)PART_NONE;
	part->seen = seen;
}

static bool parts_grow(struct kafka_source *s, int32_t partition)
{
	size_t want = (size_t)partition + 1;
	struct part *parts;

	if (want <= s->n_parts)
		return true;
	parts = mem_realloc_array(s->parts, want, sizeof(*parts));
	if (parts == NULL)
		return false;
	for (size_t i = s->n_parts; i < want; i++)
		parts[i] = (struct part)PART_NONE;
	s->parts = parts;
	s->n_parts = want;
	return true;
}

void group_take(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	struct part *part;

	pthread_mutex_lock(&s->lock);
	s->epoch++;
	s->assigned = true;
	for (int i = 0; i < list->cnt; i++) {
		if (!parts_grow(s, list->elems[i].partition)) {
			s->no_memory = true;
			break;
		}
		part = group_part(s, list->elems[i].partition);
		part_drop(s, part);
		part->mine = true;
		part->since = s->epoch;
	}
	pthread_mutex_unlock(&s->lock);
}

/* What the keeper took of a partition that is lost: it would look like the next assignment's. */
static void drop_carried(struct kafka_source *s, int32_t partition)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_carried; i++) {
		if (s->carried[i]->partition == partition && s->carried[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_message_destroy(s->carried[i]);
		else
			s->carried[kept++] = s->carried[i];
	}
	s->n_carried = kept;
}

static void parts_lose(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	pthread_mutex_lock(&s->lock);
	s->epoch++;
	for (int i = 0; i < list->cnt; i++) {
		struct part *part = group_part(s, list->elems[i].partition);

		if (part != NULL)
			part_drop(s, part);
		drop_carried(s, list->elems[i].partition);
	}
	pthread_mutex_unlock(&s->lock);
}

void group_lose_all(struct kafka_source *s)
{
	for (size_t i = 0; i < s->n_carried; i++)
		rd_kafka_message_destroy(s->carried[i]);
	s->n_carried = 0;
	if (s->later != NULL)
		rd_kafka_topic_partition_list_destroy(s->later);
	s->later = NULL;
	s->paused = s->lost = false;
	pthread_mutex_lock(&s->lock);
	s->epoch++;
	for (size_t i = 0; i < s->n_parts; i++)
		part_drop(s, &s->parts[i]);
	pthread_mutex_unlock(&s->lock);
}

/* ---- commits ---- */

/*
 * What is safe and not yet sent, or with `wait` not yet answered: the answer to what was sent before may never be asked for. NULL when
 * there is nothing. Marks it as sent.
 */
static rd_kafka_topic_partition_list_t *commits_due(struct kafka_source *s, bool wait)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_parts; i++) {
		struct part *part = &s->parts[i];

		if (!part->mine || part->done < 0 || part->done == (wait ? part->kept : part->sent))
			continue;
		if (list == NULL)
			list = rd_kafka_topic_partition_list_new((int)s->n_parts);
		rd_kafka_topic_partition_list_add(list, s->topic, (int32_t)i)->offset = part->done;
		part->sent = part->done;
	}
	s->commit_at_ms = clock_mono_ms() + s->commit_every_ms;
	pthread_mutex_unlock(&s->lock);
	return list;
}

/* The group has them now. */
static void commits_kept(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < list->cnt; i++) {
		struct part *part = group_part(s, list->elems[i].partition);

		if (part != NULL && list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
		    list->elems[i].offset > part->kept)
			part->kept = list->elems[i].offset;
	}
	pthread_mutex_unlock(&s->lock);
}

/* So that the next commit sends them again. */
static void commits_failed(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list)
{
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < list->cnt; i++) {
		struct part *part = group_part(s, list->elems[i].partition);

		if (part != NULL)
			part->sent = -1;
	}
	pthread_mutex_unlock(&s->lock);
}

static bool is_rebalance(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
	       code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST ||
	       code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR__DESTROY;
}

static void commit_failed(struct kafka_source *s, rd_kafka_resp_err_t code,
			  const rd_kafka_topic_partition_list_t *list)
{
	commits_failed(s, list);
	log_say(is_rebalance(code) ? LOG_DEBUG : LOG_WARNING,
		"topic %s: commit of offsets failed: %s; sent again later", s->topic, rd_kafka_err2str(code));
	if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
	    code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
		pthread_mutex_lock(&s->lock);
		s->refused = code;
		pthread_mutex_unlock(&s->lock);
	}
}

void group_committed(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	(void)rk;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL)
		commits_kept(opaque, list);
	else if (code != RD_KAFKA_RESP_ERR__NO_OFFSET && list != NULL)
		commit_failed(opaque, code, list);
}

rd_kafka_resp_err_t group_commit(struct kafka_source *s, bool wait)
{
	rd_kafka_topic_partition_list_t *list = s->group ? commits_due(s, wait) : NULL;
	rd_kafka_resp_err_t code;

	if (list == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	code = rd_kafka_commit(s->client.rk, list, !wait);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		commit_failed(s, code, list);
	else if (wait)
		commits_kept(s, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

rd_kafka_resp_err_t group_commit_last(struct kafka_source *s)
{
	uint64_t start_ms = clock_mono_ms();
	rd_kafka_message_t *message;
	rd_kafka_resp_err_t code;

	group_take_later(s);
	/* A rebalance refuses commits until it is served; what it hands out is never looked at. */
	while (is_rebalance(code = group_commit(s, true)) && clock_mono_ms() - start_ms < CLOSE_MS) {
		message = rd_kafka_consumer_poll(s->client.rk, 100);
		if (message != NULL)
			rd_kafka_message_destroy(message);
	}
	/* Who lost its partitions meanwhile has nothing to commit: their new owner begins at the last commit. */
	return is_rebalance(code) || code == RD_KAFKA_RESP_ERR__NO_OFFSET ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
}

void group_commit_when_due(struct kafka_source *s)
{
	bool due;

	if (!s->group)
		return;
	pthread_mutex_lock(&s->lock);
	due = clock_mono_ms() >= s->commit_at_ms;
	pthread_mutex_unlock(&s->lock);
	if (due)
		group_commit(s, false);
}

/* ---- rebalance ---- */

static void rebalance_done(struct kafka_source *s, rd_kafka_error_t *error)
{
	if (error == NULL)
		return;
	log_say(LOG_WARNING, "topic %s: rebalance: %s", s->topic, rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
}

/*
 * Exactly once: librdkafka is told where its partitions begin. When it asks the group itself and an assignment comes between its
 * question and the answer "not stable yet", it takes the partition for one without offsets and reads it all again.
 */
static enum seal_status find_positions(struct kafka_source *s, rd_kafka_topic_partition_list_t *list,
				       struct seal_err *err)
{
	const uint64_t start_ms = clock_mono_ms();
	enum seal_status rc;

	do {
		err_clear(err);
		rc = kafka_source_positions(s, list, err);
	} while (rc == SEAL_RETRY && !atomic_load(&s->closing) && clock_mono_ms() - start_ms < POSITIONS_MS);
	return rc;
}

/*
 * A member that can't ask takes nothing of this assignment, and joins again at its next read; one that is refused fails there.
 * librdkafka never asks in its place: see above.
 */
static void take_positions(struct kafka_source *s, rd_kafka_topic_partition_list_t *list)
{
	struct seal_err err = SEAL_ERR_INIT;
	enum seal_status rc = find_positions(s, list, &err);

	s->lost = rc == SEAL_RETRY;
	if (rc != SEAL_OK && rc != SEAL_RETRY)
		s->unplaced = err;
	while (rc != SEAL_OK && list->cnt > 0)
		rd_kafka_topic_partition_list_del_by_idx(list, list->cnt - 1);
}

static void take_assigned(struct kafka_source *s, rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *assigned)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(assigned);

	if (s->exactly_once && list->cnt > 0)
		take_positions(s, list);
	group_take(s, list);
	member_note(s);
	if (s->cooperative)
		rebalance_done(s, rd_kafka_incremental_assign(rk, list));
	else
		rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void group_take_later(struct kafka_source *s)
{
	rd_kafka_topic_partition_list_t *list = s->later;

	if (list == NULL)
		return;
	s->later = NULL;
	take_assigned(s, s->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void group_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_source *s = opaque;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		log_say(LOG_DEBUG, "topic %s: %d partitions assigned", s->topic, list->cnt);
		if (s->gathering)
			s->later = rd_kafka_topic_partition_list_copy(list);
		else
			take_assigned(s, rk, list);
		return;
	}
	log_say(LOG_DEBUG, "topic %s: %d partitions revoked", s->topic, list->cnt);
	group_take_later(s);
	if (!rd_kafka_assignment_lost(rk) && code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !s->abandon)
		group_commit(s, true);
	parts_lose(s, list);
	if (!atomic_load(&s->closing)) {
		member_look(s);
		if (atomic_load(&s->replaced)) /* joining would put its successor out */
			(void)rd_kafka_unsubscribe(rk);
	}
	if (s->cooperative)
		rebalance_done(s, rd_kafka_incremental_unassign(rk, list));
	else
		rd_kafka_assign(rk, NULL);
}

/* ---- keeper ---- */

void group_pause(struct kafka_source *s, bool pause)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	if (rd_kafka_assignment(s->client.rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (list->cnt > 0 && pause)
		rd_kafka_pause_partitions(s->client.rk, list);
	else if (list->cnt > 0)
		rd_kafka_resume_partitions(s->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/*
 * Under `reading`. What slips through the pause (events; a record of a partition that a rebalance has just brought) is kept
 * for the next read. Each tick brings one at most, and the next tick's pause reaches new partitions, too.
 */
static void keep_alive(struct kafka_source *s)
{
	group_take_later(s);
	group_pause(s, true); /* each time: a rebalance may have brought new partitions */
	s->paused = true;
	if (s->n_carried < CARRIED_MAX)
		s->carried[s->n_carried] = rd_kafka_consumer_poll(s->client.rk, 0);
	if (s->n_carried < CARRIED_MAX && s->carried[s->n_carried] != NULL)
		s->n_carried++;
}

static void *keeper_main(void *arg)
{
	struct kafka_source *s = arg;
	struct timespec tick = {0, KEEPER_TICK_MS * 1000000L};

	while (!atomic_load(&s->closing)) {
		const uint64_t before_ms = clock_mono_ms();

		nanosleep(&tick, NULL);
		if (clock_mono_ms() - before_ms > KEEPER_TICK_MS + s->session_ms / 2)
			atomic_store(&s->slept_ms, clock_mono_ms());
		if (pthread_mutex_trylock(&s->reading) != 0)
			continue;
		if (!atomic_load(&s->closing)) {
			if (clock_mono_ms() - s->read_at_ms > s->patience_ms)
				keep_alive(s);
			group_commit_when_due(s);
		}
		pthread_mutex_unlock(&s->reading);
	}
	return NULL;
}

void group_keeper_start(struct kafka_source *s)
{
	s->commit_at_ms = clock_mono_ms() + s->commit_every_ms;
	s->kept = pthread_create(&s->keeper, NULL, keeper_main, s) == 0;
}

void group_keeper_stop(struct kafka_source *s)
{
	atomic_store(&s->closing, true);
	if (s->kept)
		pthread_join(s->keeper, NULL);
	s->kept = false;
}

/* ---- leaving ---- */

/* Serves the last rebalance. */
static void leave(struct kafka_source *s)
{
	uint64_t start_ms = clock_mono_ms();
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(s->client.rk, s->queue);

	if (error != NULL) {
		rd_kafka_error_destroy(error);
		return;
	}
	while (!rd_kafka_consumer_closed(s->client.rk) && clock_mono_ms() - start_ms < CLOSE_MS) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(s->queue, 100);

		if (event == NULL)
			continue;
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
			group_rebalance(s->client.rk, rd_kafka_event_error(event),
					rd_kafka_event_topic_partition_list(event), s);
		rd_kafka_event_destroy(event);
	}
}

static void *leave_main(void *arg)
{
	struct kafka_source *s = arg;

	leave(s);
	atomic_store(&s->left, true);
	return NULL;
}

/*
 * On a thread of its own: a rebalance that was under way when the group was closed may be asked of a librdkafka that answers no
 * more, and waits for ever (confluentinc/librdkafka#4041, #4884).
 */
bool group_leave(struct kafka_source *s)
{
	const struct timespec tick = {0, LEAVE_TICK_MS * 1000000L};
	const uint64_t until_ms = clock_mono_ms() + CLOSE_MS + LEAVE_GRACE_MS;
	pthread_t thread;

	atomic_store(&s->left, false);
	if (pthread_create(&thread, NULL, leave_main, s) != 0) {
		leave(s);
		return true;
	}
	while (!atomic_load(&s->left) && clock_mono_ms() < until_ms)
		nanosleep(&tick, NULL);
	if (!atomic_load(&s->left)) {
		pthread_detach(thread);
		return false;
	}
	pthread_join(thread, NULL);
	return true;
}
