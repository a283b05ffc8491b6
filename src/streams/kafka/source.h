/* What a Kafka source is made of; see source.c. Inside src/streams/kafka only. */
#ifndef STREAMS_KAFKA_SOURCE_H
#define STREAMS_KAFKA_SOURCE_H

#include <stdatomic.h>

#include "streams/kafka/client.h"

#define CARRIED_MAX 64

/* A consumer that lost its place for good: there until no batch is left that was read with it. See member.c. */
struct past {
	struct past *next;
	struct kafka_client client; /* its rk only */
	size_t batches; /* from read to release; guarded by `lock` */
};

/* batch->native; in a list, in reading order, from read to release. */
struct held {
	struct held *next, *previous;
	struct past *past; /* the consumer that read it; NULL: the one of now */
	rd_kafka_message_t **messages; /* room for 2 * max: what is held, and scratch behind it */
	size_t n, max;
	uint64_t epoch; /* of the assignment when it was read */
};

struct part {
	bool mine; /* assigned to this member */
	bool ended; /* its end has been seen since */
	uint64_t since; /* the epoch of its assignment */
	uint64_t seen; /* `since` at the end of the last read, 0: not ours then */
	int64_t done; /* the next offset to read after what is safe; -1: nothing yet */
	int64_t sent; /* the last one committed … */
	int64_t kept; /* … and the last one of which the group has said so */
	int64_t first; /* the first one read since it was assigned; -1: none. Under `reading` */
	int64_t lag; /* records not yet read, of the last statistics; -1: not known */
	int64_t staged; /* exactly once: the next offset after what is in the transaction; -1: nothing of it is */
};

struct kafka_source {
	struct kafka_client client; /* first: librdkafka's opaque points here */
	struct source base;
	char *topic;
	size_t topic_len;
	rd_kafka_queue_t *queue;
	bool group, exit_at_end, exactly_once;
	bool keep_handle; /* destroying it would crash */
	bool stuck; /* librdkafka did not come back from leaving the group */
	bool cooperative; /* its assignor's protocol */
	struct kafka_config own_config;
	struct kafka_config *config; /* that, or the caller's */
	int64_t memory_bytes; /* as asked at open */
	const char *group_name, *member; /* the config's; NULL: none */

	pthread_mutex_t reading; /* whoever takes from the queue; taken before `using` and `lock` */
	pthread_mutex_t using; /* client.rk changes under `reading` and this; who needs it without `reading` takes it. Before `lock` */
	struct past *past; /* under `reading` */
	char member_id[320]; /* the group's for this member, when it was last assigned partitions; under `reading` */
	uint64_t session_ms;
	atomic_bool replaced; /* another process has its name in the group */
	atomic_uint_least64_t fenced_ms; /* when it last was put out by another of its name; 0: never */
	atomic_uint_least64_t
		slept_ms; /* when it last awoke: the whole process was stopped for half a session or longer */
	size_t average; /* bytes of a record, lately */
	rd_kafka_message_t *carried[CARRIED_MAX]; /* taken by the keeper, for the next reads; in order */
	size_t n_carried;
	struct held *spare; /* for the next read */
	bool paused; /* by the keeper */
	bool gathering; /* librdkafka is asked for more while records of this read are held */
	rd_kafka_topic_partition_list_t *later; /* assigned while gathering; taken before the next record, or NULL */
	bool no_memory;
	bool lost; /* exactly once: it could not be found out where the partitions begin */
	struct seal_err unplaced; /* … and never will be: the next read fails with it */
	uint64_t read_at_ms; /* end of the last read */

	pthread_mutex_t lock; /* guards the next block */
	struct part *parts; /* by partition number; they and epoch change under both locks */
	size_t n_parts;
	struct held *oldest, *newest; /* batches from read to release */
	size_t releasing; /* batches whose memory is being given back */
	uint64_t epoch; /* counts assignments and revocations */
	bool assigned; /* at least once */
	uint64_t commit_every_ms; /* never changes */
	uint64_t commit_at_ms;
	rd_kafka_resp_err_t refused; /* commits are not allowed */
	bool torn; /* a partition with something in the transaction is not ours any more */

	pthread_t keeper;
	bool kept; /* the keeper runs */
	atomic_bool closing;
	atomic_bool left; /* its group */
	uint64_t patience_ms; /* after which the keeper polls */
	bool abandon; /* closing without commits */
};

static inline struct kafka_source *kafka_source_of(struct source *source)
{
	return (struct kafka_source *)((char *)source - offsetof(struct kafka_source, base));
}

/* group.c: all but the first take what locks they need; those marked R are called under `reading`. */
struct part *group_part(struct kafka_source *s, int32_t partition); /* under a lock; NULL: not known */
SEAL_MUST_USE enum seal_status group_subscribe(struct kafka_source *s, struct seal_err *err);
/*
 * Does this error leave partitions without a position? librdkafka has then given up on the offsets that the group knows, and reads
 * nothing of these partitions until they are assigned anew: by a rejoin.
 */
bool group_is_stuck(const struct kafka_source *s, const rd_kafka_message_t *message);
SEAL_MUST_USE enum seal_status group_rejoin(struct kafka_source *s, struct seal_err *err); /* R */
void group_take(struct kafka_source *s, const rd_kafka_topic_partition_list_t *list); /* R */
void group_take_later(struct kafka_source *s); /* R: what was assigned while gathering */
rd_kafka_resp_err_t group_commit(struct kafka_source *s, bool wait); /* of what is safe and not yet committed */
rd_kafka_resp_err_t group_commit_last(struct kafka_source *s); /* R: waits, through a rebalance, too */
void group_commit_when_due(struct kafka_source *s);
void group_pause(struct kafka_source *s, bool pause); /* R */
void group_keeper_start(struct kafka_source *s);
void group_keeper_stop(struct kafka_source *s);
/*
 * Leaves the group, serving the last rebalance, within twelve seconds. False: librdkafka does not come back; what it has been given,
 * the source included, is its own from now on.
 */
bool group_leave(struct kafka_source *s);
void group_lose_all(struct kafka_source *s); /* R: no partition is ours, nothing is carried */
/* source.c: librdkafka's handle and its queue; a member has yet to subscribe. What failed is left for the caller to close. */
SEAL_MUST_USE enum seal_status kafka_source_consumer_new(struct kafka_source *s, struct seal_err *err);
/* member.c, R: before each read; another consumer where this one was fenced, SEAL_FATAL where a living process did it. */
SEAL_MUST_USE enum seal_status member_check(struct kafka_source *s, struct seal_err *err);
/* What a read or a rewind says that was fenced while it lasted: SEAL_RETRY where the next one finds another consumer. */
SEAL_MUST_USE enum seal_status member_forgive(struct kafka_source *s, enum seal_status rc, struct seal_err *err);
void member_note(struct kafka_source *s); /* R: partitions are assigned */
void member_look(struct kafka_source *s); /* R: when they are lost, has another process our name? Asks the group */
void member_sweep(struct kafka_source *s, bool all); /* R: past consumers that nothing needs any more, or all */
bool kafka_source_is_fenced(struct kafka_source *s);
/* stage.c: the source's calls, and what the producer's transaction needs of it. */
enum seal_status kafka_source_stage(struct source *source, const struct batch *batch, struct seal_err *err);
enum seal_status kafka_source_rewind(struct source *source, struct seal_err *err);
/* The offsets that belong into the transaction, and the member that sends them; the caller destroys both. SEAL_RETRY: it can't
 * be committed, what was staged is another's. */
SEAL_MUST_USE enum seal_status kafka_source_staged(struct source *source, rd_kafka_topic_partition_list_t **offsets,
						   rd_kafka_consumer_group_metadata_t **member, struct seal_err *err);
/* Fills in what the group has committed of each; stays negative where it has nothing. SEAL_RETRY: not now. */
SEAL_MUST_USE enum seal_status kafka_source_positions(struct kafka_source *s, rd_kafka_topic_partition_list_t *list,
						      struct seal_err *err);
/* It was committed: nothing is staged any more. */
void kafka_source_settled(struct source *source);
/* Another process of the same name has its place in the group. */
bool kafka_source_is_replaced(struct source *source);
/* Just committed, not yet settled: does the group know it? SEAL_RETRY: can't be asked now. */
SEAL_MUST_USE enum seal_status kafka_source_kept(struct source *source, struct seal_err *err);
/* lag.c */
size_t kafka_source_lag(struct source *source, struct source_lag *out, size_t max);
bool kafka_source_away(struct source *source);
void kafka_source_take_statistics(struct kafka_source *source, struct seal_bytes json);
int kafka_source_statistics(rd_kafka_t *rk, char *json, size_t len, void *opaque); /* librdkafka's callback */
/* librdkafka's callbacks. */
void group_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque);
void group_committed(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque);

#endif
