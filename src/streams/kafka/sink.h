/* What a Kafka sink is made of; see sink.c and transaction.c. Inside src/streams/kafka only. */
#ifndef STREAMS_KAFKA_SINK_H
#define STREAMS_KAFKA_SINK_H

#include "streams/kafka/client.h"
#include "streams/silence.h"

#define SINK_TICK_MS 100 /* how long a call of librdkafka blocks before it is looked around */
#define SINK_TOPICS_MAX 64

struct slot {
	uint64_t ticket;
	size_t left; /* records not yet acknowledged */
};

struct target {
	char *name;
	rd_kafka_topic_t *topic;
};

enum transaction_step {
	TRANSACTION_NEW, /* the producer has yet to be told its id and epoch (init_transactions) */
	TRANSACTION_READY, /* none is open */
	TRANSACTION_OPEN,
	TRANSACTION_COMMITTING, /* the offsets are in it */
	TRANSACTION_ABORTING,
};

/* Of a transactional sink; used by one thread at a time. */
struct kafka_transaction {
	enum transaction_step step;
	bool named; /* another process may take the id on purpose */
	bool renew; /* the producer must not be used for another transaction */
	bool asked; /* the group was asked whether it keeps what a transaction commits */
	unsigned errors; /* the client's, when it began */
	uint64_t fenced_ms; /* a named one was fenced then; 0: it was not */
	struct seal_err why; /* it was given up */
};

struct kafka_sink {
	struct kafka_client client; /* first: librdkafka's opaque points here */
	struct sink base;
	struct kafka_config own_config;
	struct kafka_config *config; /* that, or the caller's */
	struct target targets[SINK_TOPICS_MAX]; /* [0] is the sink's own topic, then dead letters' */
	size_t n_targets;
	int32_t partitions; /* of the own topic */
	bool keep_partition;
	size_t max_message; /* message.max.bytes */
	size_t max_records, max_in_flight; /* on their way at once; bytes of them */
	int64_t record_bytes; /* as asked at open */
	char *transactional_id; /* NULL: none */
	struct kafka_transaction transaction;

	struct slot *slots; /* a ring of n_slots (a power of two): numbers first … last-1 */
	size_t n_slots;
	uint64_t first, last;
	uint64_t acknowledged;
	size_t in_flight, in_flight_bytes;
	uint64_t delivered, seen_delivered; /* records that are no more in flight; at the last poll */
	struct silence silence;
	struct seal_err broken;
};

static inline struct kafka_sink *kafka_sink_of(struct sink *sink)
{
	return (struct kafka_sink *)((char *)sink - offsetof(struct kafka_sink, base));
}

/* Would it be the same when the records were written once more? */
static inline bool kafka_sink_is_for_ever(enum seal_status status)
{
	return status == SEAL_DATA || status == SEAL_DENIED || status == SEAL_USAGE;
}

/* sink.c: the calls that both kinds of sink have, and what transactions need of it. */
enum seal_status kafka_sink_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				  int timeout_ms, struct seal_err *err);
enum seal_status kafka_sink_check(struct sink *sink, const struct record *record, struct seal_err *err);
enum seal_status kafka_sink_record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err);
enum seal_status kafka_sink_flush(struct sink *sink, int timeout_ms, struct seal_err *err);
enum seal_status kafka_sink_close(struct sink *sink, struct seal_err *err);
/* SEAL_OK, or why it can't go on. */
enum seal_status kafka_sink_broken(struct kafka_sink *k, struct seal_err *err);
/* After what was reported: SEAL_OK, or SEAL_RETRY when records wait and the brokers take none. */
enum seal_status kafka_sink_away(struct kafka_sink *k, struct seal_err *err);
/* The first cause stays. */
void kafka_sink_break(struct kafka_sink *k, const struct seal_err *why);
/* Another producer with the same settings. */
SEAL_MUST_USE enum seal_status kafka_sink_producer_new(struct kafka_sink *k, struct seal_err *err);
/* What it has not delivered is given up. */
void kafka_sink_producer_free(struct kafka_sink *k);
/* Nothing is in flight, nothing is broken. */
void kafka_sink_forget(struct kafka_sink *k);

/* transaction.c: init_transactions at the start, within timeout_ms. */
SEAL_MUST_USE enum seal_status kafka_transaction_start(struct kafka_sink *k, int timeout_ms, struct seal_err *err);
extern const struct sink_ops kafka_transaction_ops;

#endif
