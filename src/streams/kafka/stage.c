/*
 * Exactly once, the source's side: what of it is in the transaction that is open, and the way back when that is aborted.
 *
 *   stage(batch) ──▶ parts[p].staged ──kafka_source_staged──▶ offsets and member, for the producer to send
 *
 * The member (group, id, generation) is asked for before the partitions are looked at. A revocation after that look belongs to
 * a newer generation, so the coordinator refuses what is sent with the older one; a revocation before it has marked what was
 * staged as `torn`. Brokers take the offsets of a client that names no member for those of an old client and let them pass;
 * such a member is refused here.
 *
 * The way back is asked from the group, never remembered: a commit whose outcome is not known may have gone through. Only where
 * the group knows nothing of a partition, the first offset read since its assignment is where it began.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "streams/kafka/source.h"

#define ASK_MS 5000
#define MAGIC "CGMDv2:"

/* Under lock. */
static void stage_one(struct kafka_source *s, const struct held *held, const struct record *record)
{
	struct part *part = group_part(s, record->partition);

	if (part == NULL || !part->mine || part->since > held->epoch)
		s->torn = true;
	else if (record->offset >= part->staged)
		part->staged = record->offset + 1;
}

enum seal_status kafka_source_stage(struct source *source, const struct batch *batch, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	const struct held *held = batch->native;

	(void)err;
	if (held == NULL)
		return SEAL_OK;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < held->n && i < batch->n; i++)
		stage_one(s, held, &batch->records[i]); /* as its messages are, and nearer */
	pthread_mutex_unlock(&s->lock);
	return SEAL_OK;
}

/* ---- for the producer ---- */

/* librdkafka shows a member only as the text that it makes of it: magic, generation (int32), group, member id. */
static bool is_member(const rd_kafka_consumer_group_metadata_t *member)
{
	const size_t head = sizeof(MAGIC) - 1 + sizeof(int32_t);
	void *text = NULL;
	size_t size = 0;
	rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(member, &text, &size);
	int32_t generation = -1;
	const char *end, *id;
	bool is = false;

	if (error != NULL) {
		rd_kafka_error_destroy(error);
		return false;
	}
	end = (const char *)text + size;
	if (size > head && memcmp(text, MAGIC, sizeof(MAGIC) - 1) == 0) {
		memcpy(&generation, (const char *)text + sizeof(MAGIC) - 1, sizeof(generation));
		id = memchr((const char *)text + head, '\0', size - head);
		is = generation >= 0 && id != NULL && id + 1 < end && id[1] != '\0';
	}
	rd_kafka_mem_free(NULL, text);
	return is;
}

static enum seal_status list_staged(struct kafka_source *s, rd_kafka_topic_partition_list_t *list,
				    struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&s->lock);
	if (s->torn)
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the group gave partitions to another member");
	for (size_t i = 0; rc == SEAL_OK && i < s->n_parts; i++)
		if (s->parts[i].staged >= 0)
			rd_kafka_topic_partition_list_add(list, s->topic, (int32_t)i)->offset = s->parts[i].staged;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum seal_status kafka_source_staged(struct source *source, rd_kafka_topic_partition_list_t **offsets,
				     rd_kafka_consumer_group_metadata_t **member, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	enum seal_status rc;

	SEAL_INVARIANT(source->ops == &kafka_source_ops);
	*offsets = rd_kafka_topic_partition_list_new(8);
	pthread_mutex_lock(&s->using);
	*member = rd_kafka_consumer_group_metadata(s->client.rk); /* first: see the head */
	pthread_mutex_unlock(&s->using);
	SEAL_TRY(list_staged(s, *offsets, err));
	if (*member == NULL || !is_member(*member))
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the group has put this member out");
out:
	if (rc == SEAL_OK)
		return rc;
	if (*member != NULL)
		rd_kafka_consumer_group_metadata_destroy(*member);
	rd_kafka_topic_partition_list_destroy(*offsets);
	*member = NULL;
	*offsets = NULL;
	return rc;
}

void kafka_source_settled(struct source *source)
{
	struct kafka_source *s = kafka_source_of(source);

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_parts; i++)
		s->parts[i].staged = -1;
	s->torn = false;
	pthread_mutex_unlock(&s->lock);
}

/* ---- what the group knows ---- */

enum seal_status kafka_source_positions(struct kafka_source *s, rd_kafka_topic_partition_list_t *list,
					struct seal_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_committed(s->client.rk, list, ASK_MS);
	enum seal_status rc;

	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
		code = list->elems[i].err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SEAL_OK;
	rc = kafka_client_error(&s->client, code, s->topic, err);
	err_prefix(err, "asking the group where it stands");
	return rc;
}

enum seal_status kafka_source_kept(struct source *source, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	enum seal_status rc;

	pthread_mutex_lock(&s->using);
	SEAL_TRY(list_staged(s, list, err));
	if (list->cnt > 0)
		SEAL_TRY(kafka_source_positions(s, list, err));
	for (int i = 0; rc == SEAL_OK && i < list->cnt; i++) {
		if (list->elems[i].offset >= 0)
			continue;
		err_place(err, "topic %s at %s", s->topic, s->client.brokers);
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "the broker has lost the offsets that a transaction committed, as librdkafka's embedded "
			     "broker does; use --delivery at-least-once");
	}
out:
	pthread_mutex_unlock(&s->using);
	rd_kafka_topic_partition_list_destroy(list);
	return rc;
}

/* ---- rewind ---- */

/* Under `reading`: partitions of which something was read since they were assigned. */
static rd_kafka_topic_partition_list_t *list_moved(struct kafka_source *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)s->n_parts + 1);

	for (size_t i = 0; i < s->n_parts; i++)
		if (s->parts[i].mine && s->parts[i].first >= 0)
			rd_kafka_topic_partition_list_add(list, s->topic, (int32_t)i);
	return list;
}

static enum seal_status seek(struct kafka_source *s, rd_kafka_topic_partition_list_t *list, struct seal_err *err)
{
	/* librdkafka before 2.1.0 waits a thousandth of the time that it is told (its bug 4230). */
	const int wait_ms = rd_kafka_version() < 0x02010000 ? ASK_MS * 1000 : ASK_MS;
	rd_kafka_error_t *error = rd_kafka_seek_partitions(s->client.rk, list, wait_ms);
	rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
	enum seal_status rc;

	if (error != NULL)
		rd_kafka_error_destroy(error);
	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
		code = list->elems[i].err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SEAL_OK;
	rc = kafka_client_error(&s->client, code, s->topic, err);
	err_prefix(err, "reading again what was aborted");
	return rc;
}

/*
 * Under `reading`: what is known of partitions that were sought. Of the others nothing was read; librdkafka does not give again what
 * the keeper took of them, nor tell again that they have ended.
 */
static void forget_read(struct kafka_source *s, rd_kafka_topic_partition_list_t *sought)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_carried; i++) {
		rd_kafka_message_t *message = s->carried[i];

		if (rd_kafka_topic_partition_list_find(sought, s->topic, message->partition) != NULL)
			rd_kafka_message_destroy(message);
		else
			s->carried[kept++] = message;
	}
	s->n_carried = kept;
	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < sought->cnt; i++)
		group_part(s, sought->elems[i].partition)->ended = false;
	pthread_mutex_unlock(&s->lock);
}

enum seal_status kafka_source_rewind(struct source *source, struct seal_err *err)
{
	struct kafka_source *s = kafka_source_of(source);
	rd_kafka_topic_partition_list_t *list = NULL;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&s->reading);
	SEAL_TRY(member_check(s, err));
	list = list_moved(s);
	if (list->cnt > 0)
		SEAL_TRY(kafka_source_positions(s, list, err));
	for (int i = 0; i < list->cnt; i++) {
		const struct part *part = group_part(s, list->elems[i].partition);

		if (list->elems[i].offset < part->first)
			list->elems[i].offset = part->first;
	}
	if (list->cnt > 0)
		SEAL_TRY(seek(s, list, err));
	forget_read(s, list);
	kafka_source_settled(source);
	log_say(LOG_DEBUG, "topic %s: %d partitions are read again", s->topic, list->cnt);
out:
	if (list != NULL)
		rd_kafka_topic_partition_list_destroy(list);
	rc = member_forgive(s, rc, err);
	pthread_mutex_unlock(&s->reading);
	return rc;
}
