/*
 * A Kafka producer as a sink: idempotent, acks=all.
 *
 *   write(ticket 7, n records) ──▶ slots: [5: 0 left] [6: 12 left] [7: n left] ──▶ librdkafka
 *                                                        ▲
 *   delivery report of a record: its slot's count falls ─┘   acknowledged = the last ticket with all before it at 0
 *
 * Memory is bounded by our own account of what is in flight (IN_FLIGHT_RECORDS, max_in_flight): write waits while it is full, so librdkafka's
 * own limits, set well above, are not met in the middle of a batch. One record that cannot be delivered breaks the sink for
 * good: later records may have overtaken it, so nothing from its ticket on is ever acknowledged.
 *
 * In transactions no record is reported but one that failed, which saves the reports' time: the end of the transaction speaks for all of
 * them, and what is in flight is counted from what librdkafka still has (recount).
 *
 * There is no lock: calls of a sink come one after the other (`check` only reads what never changes), and librdkafka reports inside them.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "streams/kafka/sink.h"

#define IN_FLIGHT_RECORDS 100000
#define IN_FLIGHT_BYTES (32u << 20) /* unless asked otherwise */
#define RECORD_OVERHEAD 512 /* librdkafka's own per record, about */
#define SLOTS_FIRST 64
#define MESSAGE_MAX 1000000 /* librdkafka's default */
#define ASK_LIMIT_MS 5000
#define ROOM_TICK_MS 5 /* for room to be made: without reports nothing ends a poll */

static struct slot *slot_of(struct kafka_sink *k, uint64_t number)
{
	return &k->slots[number & (k->n_slots - 1)];
}

/* ---- delivery reports ---- */

static size_t cost(size_t key_len, size_t len)
{
	return key_len + len + RECORD_OVERHEAD;
}

static void advance(struct kafka_sink *k)
{
	while (k->first < k->last && slot_of(k, k->first)->left == 0) {
		k->acknowledged = slot_of(k, k->first)->ticket;
		k->first++;
	}
}

/* The first reason stays. But of a transaction records that are dropped for another one may be told before that one. */
void kafka_sink_break(struct kafka_sink *k, const struct seal_err *why)
{
	const bool is_cause = k->transactional_id != NULL && kafka_sink_is_for_ever(why->status) &&
			      !kafka_sink_is_for_ever(k->broken.status);

	if (k->broken.status == SEAL_OK || is_cause)
		k->broken = *why;
}

static void undelivered(struct kafka_sink *k, const rd_kafka_message_t *message)
{
	struct seal_err err = SEAL_ERR_INIT;
	const char *topic = rd_kafka_topic_name(message->rkt);

	(void)kafka_client_error(&k->client, message->err, topic, &err);
	if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
		snprintf(err.text, sizeof(err.text),
			 "the broker refuses a record of %zu bytes (or a batch with it) as too large; raise "
			 "max.message.bytes "
			 "of the topic",
			 message->len + message->key_len);
	} else if (err.code == SEAL_E_NO_INPUT) {
		err.code = SEAL_E_CREATE;
	}
	if (k->transactional_id != NULL && (err.status == SEAL_RETRY || err.status == SEAL_FATAL)) {
		err_clear(&err);
		(void)err_set(&err, SEAL_RETRY, SEAL_E_SERVICE, "topic %s: a record was not delivered: %s", topic,
			      rd_kafka_err2str(message->err));
	}
	if (err.status == SEAL_RETRY)
		err.status = SEAL_FATAL; /* librdkafka has already retried for message.timeout.ms */
	kafka_sink_break(k, &err);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_sink *k = opaque;

	(void)rk;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		undelivered(k, message);
	else
		kafka_client_alive(&k->client);
	if (k->transactional_id != NULL)
		return;
	k->delivered++;
	k->in_flight--;
	k->in_flight_bytes -= cost(message->key_len, message->len);
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		slot_of(k, (uint64_t)(uintptr_t)message->_private)->left--;
	advance(k);
}

enum seal_status kafka_sink_broken(struct kafka_sink *k, struct seal_err *err)
{
	const enum seal_status status = k->broken.status;

	if (status != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = k->broken;
	return status != SEAL_OK ? status : kafka_client_health(&k->client, err);
}

/* ---- writing ---- */

/* A missing topic is here no input, but something that cannot be written. */
static enum seal_status find_output(struct kafka_sink *k, const char *topic, int timeout_ms, int32_t *partitions,
				    struct seal_err *err)
{
	enum seal_status rc = kafka_client_find_topic(&k->client, topic, timeout_ms, partitions, err);

	if (rc != SEAL_OK && err != NULL && err->code == SEAL_E_NO_INPUT)
		err->code = SEAL_E_CREATE;
	return rc;
}

static enum seal_status find_target(struct kafka_sink *k, struct seal_bytes name, size_t *out, struct seal_err *err)
{
	struct target target;
	int32_t partitions;
	enum seal_status rc;

	*out = 0;
	if (name.len == 0)
		return SEAL_OK;
	for (size_t i = 0; i < k->n_targets; i++) {
		if (bytes_eq_str(name, k->targets[i].name)) {
			*out = i;
			return SEAL_OK;
		}
	}
	if (k->n_targets == SINK_TOPICS_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "more than %d target topics", SINK_TOPICS_MAX);
	target.name = mem_strndup((const char *)name.ptr, name.len);
	if (target.name == NULL)
		return err_memory(err);
	/* A missing dead-letter topic must stop the pump here: librdkafka would hold its records until they time out. */
	rc = find_output(k, target.name, 10000, &partitions, err);
	target.topic = rc == SEAL_OK ? rd_kafka_topic_new(k->client.rk, target.name, NULL) : NULL;
	if (target.topic == NULL) {
		mem_free(target.name);
		return rc != SEAL_OK ? rc : kafka_client_error(&k->client, rd_kafka_last_error(), NULL, err);
	}
	*out = k->n_targets;
	k->targets[k->n_targets++] = target;
	return SEAL_OK;
}

static rd_kafka_headers_t *headers_of(const struct record *record)
{
	rd_kafka_headers_t *headers = record->n_headers ? rd_kafka_headers_new(record->n_headers) : NULL;

	for (size_t i = 0; i < record->n_headers; i++) {
		const struct record_header *h = &record->headers[i];

		rd_kafka_header_add(headers, (const char *)h->name.ptr, (ssize_t)h->name.len, h->value.ptr,
				    (ssize_t)h->value.len);
	}
	return headers;
}

/* Hands one record over; librdkafka copies it. Full queue: RD_KAFKA_RESP_ERR__QUEUE_FULL. */
static rd_kafka_resp_err_t produce(struct kafka_sink *k, const struct record *r, size_t target, uint64_t slot)
{
	rd_kafka_headers_t *headers = headers_of(r);
	rd_kafka_vu_t args[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = k->targets[target].topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION,
		 .u.i32 = k->keep_partition && target == 0 ? r->partition : RD_KAFKA_PARTITION_UA},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)r->key.ptr, r->key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)r->value.ptr, r->value.len}},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)slot},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
		 .u.i64 = r->timestamp_type == TIMESTAMP_NONE ? 0 : r->timestamp_ms},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	rd_kafka_error_t *error;
	rd_kafka_resp_err_t code;

	error = rd_kafka_produceva(k->client.rk, args, sizeof(args) / sizeof(args[0]) - (headers ? 0 : 1));
	if (error == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	if (headers != NULL)
		rd_kafka_headers_destroy(headers);
	return code;
}

static enum seal_status write_one(struct kafka_sink *k, const struct record *r, size_t target, uint64_t slot,
				  struct seal_err *err)
{
	rd_kafka_resp_err_t code;
	enum seal_status rc = SEAL_OK;

	while ((code = produce(k, r, target, slot)) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		/* Not before a batch has a gigabyte: see bound_queue. */
		rd_kafka_poll(k->client.rk, ROOM_TICK_MS);
		SEAL_TRY(kafka_sink_broken(k, err));
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rc = kafka_client_error(&k->client, code, k->targets[target].name, err);
out:
	if (rc == SEAL_OK) { /* its report comes in a later poll */
		k->in_flight++;
		k->in_flight_bytes += cost(r->key.len, r->value.len);
		slot_of(k, slot)->left++;
	} else if (err != NULL) {
		kafka_sink_break(k, err);
	}
	return rc;
}

enum seal_status kafka_sink_check(struct sink *sink, const struct record *r, struct seal_err *err)
{
	const struct kafka_sink *k = kafka_sink_of(sink);
	size_t size = r->key.len + r->value.len;

	for (size_t i = 0; i < r->n_headers; i++)
		size += r->headers[i].name.len + r->headers[i].value.len;
	if (size <= k->max_message)
		return SEAL_OK;
	err_place(err, "topic %s", k->targets[0].name);
	return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
		       "a record of %zu bytes is larger than message.max.bytes (%zu); raise it with -X "
		       "message.max.bytes=N, and max.message.bytes of the topic",
		       size, k->max_message);
}

enum seal_status kafka_sink_record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	uint64_t limit;
	enum seal_status rc = kafka_client_health(&k->client, err);

	*max = k->max_message;
	*flag = "-X message.max.bytes";
	if (rc == SEAL_OK && kafka_client_topic_limit(&k->client, k->targets[0].name, ASK_LIMIT_MS, &limit) &&
	    limit < *max) {
		*max = (size_t)limit;
		*flag = "max.message.bytes of the topic";
	}
	return rc;
}

/* What can be said before anything is taken. */
static enum seal_status check_record(struct kafka_sink *k, const struct record *r, struct seal_err *err)
{
	enum seal_status rc = kafka_sink_check(&k->base, r, err);

	SEAL_INVARIANT(r->broken == NULL);
	if (rc != SEAL_OK)
		return rc;
	if (k->keep_partition && r->topic.len == 0 && r->partition >= k->partitions) {
		err_place(err, "topic %s", k->targets[0].name);
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"has %d partitions, but a record comes from partition %d; give it as many as the source, or "
			"leave out --keep-partition",
			k->partitions, r->partition);
	}
	return SEAL_OK;
}

/* In transactions: what is in flight, its bytes by the average of what was written. */
static void recount(struct kafka_sink *k)
{
	const size_t left = (size_t)rd_kafka_outq_len(k->client.rk);

	if (k->transactional_id == NULL || left >= k->in_flight)
		return;
	k->delivered += k->in_flight - left;
	if (k->broken.status == SEAL_OK)
		kafka_client_alive(&k->client);
	k->in_flight_bytes = k->in_flight_bytes / k->in_flight * left;
	k->in_flight = left;
}

static bool is_full(const struct kafka_sink *k, size_t n, size_t bytes)
{
	/* A batch above the bound still passes when it is alone. */
	return k->in_flight > 0 &&
	       (k->in_flight + n > k->max_records || k->in_flight_bytes + bytes > k->max_in_flight);
}

static enum seal_status wait_for_room(struct kafka_sink *k, size_t n, size_t bytes, int timeout_ms,
				      struct seal_err *err)
{
	uint64_t start = clock_mono_ms(), spent = 0;
	enum seal_status rc;

	rd_kafka_poll(k->client.rk, 0);
	SEAL_TRY(kafka_sink_broken(k, err));
	recount(k);
	while (is_full(k, n, bytes)) {
		if (spent >= (uint64_t)timeout_ms)
			return err_set(err, SEAL_RETRY, SEAL_E_BUSY,
				       "topic %s takes no more for now: %zu records are unacknowledged",
				       k->targets[0].name, k->in_flight);
		rd_kafka_poll(k->client.rk, ROOM_TICK_MS < timeout_ms ? ROOM_TICK_MS : timeout_ms);
		SEAL_TRY(kafka_sink_broken(k, err));
		recount(k);
		spent = clock_mono_ms() - start;
	}
out:
	return rc;
}

/* A slot for the ticket, with one count held so that it cannot complete before all its records are in. */
static enum seal_status open_slot(struct kafka_sink *k, uint64_t ticket, uint64_t *number, struct seal_err *err)
{
	if (k->last - k->first == k->n_slots) {
		struct slot *slots = mem_alloc(2 * k->n_slots * sizeof(*slots));

		if (slots == NULL)
			return err_memory(err);
		for (uint64_t i = k->first; i < k->last; i++)
			slots[i & (2 * k->n_slots - 1)] = *slot_of(k, i);
		mem_free(k->slots);
		k->slots = slots;
		k->n_slots *= 2;
	}
	*number = k->last++;
	*slot_of(k, *number) = (struct slot){ticket, 1};
	return SEAL_OK;
}

static void close_slot(struct kafka_sink *k, uint64_t number)
{
	slot_of(k, number)->left--;
	advance(k);
}

enum seal_status kafka_sink_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				  int timeout_ms, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	size_t bytes = 0, target;
	uint64_t slot = 0;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(check_record(k, &records[i], err));
		SEAL_TRY(find_target(k, records[i].topic, &target, err));
		bytes += cost(records[i].key.len, records[i].value.len);
	}
	SEAL_TRY(wait_for_room(k, n, bytes, timeout_ms, err));
	SEAL_TRY(open_slot(k, ticket, &slot, err));
	if (k->in_flight == 0)
		silence_end(&k->silence);
	for (size_t i = 0; i < n; i++) {
		SEAL_TRY(find_target(k, records[i].topic, &target, err));
		SEAL_TRY(write_one(k, &records[i], target, slot, err));
	}
	close_slot(k, slot);
out:
	return rc;
}

enum seal_status kafka_sink_away(struct kafka_sink *k, struct seal_err *err)
{
	char place[SEAL_ERR_PLACE_MAX];

	recount(k);
	if (k->in_flight == 0 || k->delivered != k->seen_delivered) {
		k->seen_delivered = k->delivered;
		silence_end(&k->silence);
		return SEAL_OK;
	}
	if (kafka_client_away(&k->client))
		return kafka_client_error(&k->client, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, k->targets[0].name, err);
	snprintf(place, sizeof(place), "topic %s at %s", k->targets[0].name, k->client.brokers);
	return silence_check(&k->silence, k->in_flight, place, err);
}

static enum seal_status sink_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	enum seal_status rc;

	rd_kafka_poll(k->client.rk, timeout_ms);
	*acknowledged = k->acknowledged;
	rc = kafka_sink_broken(k, err);
	return rc == SEAL_OK ? kafka_sink_away(k, err) : rc;
}

enum seal_status kafka_sink_flush(struct sink *sink, int timeout_ms, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	uint64_t start = clock_mono_ms();
	rd_kafka_resp_err_t code;
	enum seal_status rc;

	do {
		/* In steps: a broken sink need not wait for the rest. flush skips the linger time. */
		code = rd_kafka_flush(k->client.rk, timeout_ms < SINK_TICK_MS ? timeout_ms : SINK_TICK_MS);
		SEAL_TRY(kafka_sink_broken(k, err));
		recount(k);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR && k->in_flight == 0)
			return SEAL_OK;
	} while (clock_mono_ms() - start < (uint64_t)timeout_ms);
	rc = kafka_client_error(&k->client, RD_KAFKA_RESP_ERR__TIMED_OUT, k->targets[0].name, err);
out:
	return rc;
}

/* ---- open and close ---- */

static const struct kafka_setting sink_defaults[] = {
	{"client.id", "sealstream"},
	{"enable.idempotence", "true"},
	{"linger.ms", "10"},
	{"partitioner", "murmur2_random"}, /* Java's: equal keys meet in equal partitions */
	{NULL, NULL},
};

static const struct kafka_setting queue_bounds[] = {
	{"queue.buffering.max.messages", "1000000"},
	{"queue.buffering.max.kbytes", "1048576"},
	{NULL, NULL},
};

/* Without transactions: how long brokers are waited for is the caller's to say, not librdkafka's, to which it would be a loss. */
static const struct kafka_setting no_timeout[] = {
	{"message.timeout.ms", "0"},
	{NULL, NULL},
};

static const struct kafka_setting sink_fixed[] = {
	{"acks", "all"}, /* with less a record that counts as done, and whose offset is committed, could be lost */
	{"delivery.report.only.error", "false"},
	{"transactional.id", NULL}, /* librdkafka would take no record before a transaction is begun */
	{NULL, NULL},
};

static const struct kafka_setting transaction_fixed[] = {
	{"acks", "all"},
	{"delivery.report.only.error", "true"}, /* see the head */
	{NULL, NULL},
};

/* A setting that is a number, as it is now. */
static size_t number_of(const rd_kafka_conf_t *conf, const char *name, size_t otherwise)
{
	char text[32];
	size_t size = sizeof(text);
	uint64_t value;

	if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK ||
	    !bytes_to_u64(bytes_str(text), INT32_MAX, &value))
		return otherwise;
	return (size_t)value;
}

/*
 * The user's queue.buffering.* bounds our own account. librdkafka's is above it: its queue would be full in the middle of a batch,
 * and as long as the brokers are away.
 */
static void bound_queue(struct kafka_sink *k, rd_kafka_conf_t *conf)
{
	const size_t records = number_of(conf, "queue.buffering.max.messages", 0);
	const size_t kbytes = number_of(conf, "queue.buffering.max.kbytes", 0);
	char why[100];

	if (records > 0 && records < k->max_records)
		k->max_records = records;
	if (kbytes > 0 && kbytes < k->max_in_flight / 1024)
		k->max_in_flight = kbytes * 1024;
	for (const struct kafka_setting *row = queue_bounds; row->name != NULL; row++)
		SEAL_INVARIANT(rd_kafka_conf_set(conf, row->name, row->value, why, sizeof(why)) == RD_KAFKA_CONF_OK);
}

/* librdkafka sends again what a broker did not take, be it behind what was sent since; fewer requests on their way change nothing. */
static void tell_lost_order(const rd_kafka_conf_t *conf)
{
	char text[16] = "";
	size_t size = sizeof(text);

	if (rd_kafka_conf_get(conf, "enable.idempotence", text, &size) == RD_KAFKA_CONF_OK &&
	    strcmp(text, "false") == 0)
		log_say(LOG_WARNING,
			"with enable.idempotence=false a record that has to be sent again may come twice, or after "
			"later ones of its partition");
}

static void sink_callbacks(rd_kafka_conf_t *conf, void *owner)
{
	struct kafka_sink *k = owner;
	const size_t max = number_of(conf, "message.max.bytes", MESSAGE_MAX);

	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	tell_lost_order(conf);
	bound_queue(k, conf);
	if (k->max_message != max) /* written once: other threads check records while a producer is made anew */
		k->max_message = max;
}

void kafka_sink_forget(struct kafka_sink *k)
{
	k->first = k->last = 0;
	k->in_flight = k->in_flight_bytes = 0;
	err_clear(&k->broken);
}

void kafka_sink_producer_free(struct kafka_sink *k)
{
	if (k->client.rk == NULL)
		return;
	rd_kafka_purge(k->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_poll(k->client.rk, 0);
	for (size_t i = 0; i < k->n_targets; i++) {
		if (k->targets[i].topic != NULL) /* none: this producer was not made to the end */
			rd_kafka_topic_destroy(k->targets[i].topic);
		k->targets[i].topic = NULL;
	}
	kafka_client_close(&k->client, 0);
}

enum seal_status kafka_sink_close(struct sink *sink, struct seal_err *err)
{
	struct kafka_sink *k = sink ? kafka_sink_of(sink) : NULL;

	(void)err;
	if (k == NULL)
		return SEAL_OK;
	/* Flushed before when the end was a good one; what is left now was never acknowledged. */
	kafka_sink_producer_free(k);
	for (size_t i = 0; i < k->n_targets; i++)
		mem_free(k->targets[i].name);
	kafka_client_clear(&k->client);
	kafka_config_clear(&k->own_config);
	mem_free(k->transactional_id);
	mem_free(k->slots);
	mem_free(k);
	return SEAL_OK;
}

enum seal_status kafka_sink_producer_new(struct kafka_sink *k, struct seal_err *err)
{
	const struct kafka_setting transactional[] = {
		{"transaction.timeout.ms", "20000"}, /* what a killed pump leaves open blocks readers for so long */
		{"transactional.id", k->transactional_id},
		{NULL, NULL},
	};
	/* A batch beyond the longest record could break a topic's limit that each record keeps. */
	const struct kafka_number numbers[] = {
		{"message.max.bytes", k->record_bytes > MESSAGE_MAX ? k->record_bytes : 0},
		{"batch.size", k->record_bytes},
		{NULL, 0}};
	struct kafka_client_setup setup = {.role = KAFKA_PRODUCER,
					   .config = k->config,
					   .defaults = sink_defaults,
					   .more = k->transactional_id ? transactional : no_timeout,
					   .numbers = numbers,
					   .fixed = k->transactional_id ? transaction_fixed : sink_fixed,
					   .callbacks = sink_callbacks,
					   .owner = k};
	enum seal_status rc;

	SEAL_TRY(kafka_client_open(&k->client, &setup, err));
	for (size_t i = 0; i < k->n_targets; i++) {
		k->targets[i].topic = rd_kafka_topic_new(k->client.rk, k->targets[i].name, NULL);
		SEAL_INVARIANT(k->targets[i].topic != NULL); /* these names were taken before */
	}
out:
	return rc;
}

static enum seal_status start(struct kafka_sink *k, const char *topic, const struct kafka_sink_options *o,
			      struct seal_err *err)
{
	const int timeout_ms = (int)o->connection.connect_timeout_ms;
	struct target *own = &k->targets[0];
	enum seal_status rc;

	SEAL_TRY(kafka_sink_producer_new(k, err));
	SEAL_TRY(find_output(k, topic, timeout_ms, &k->partitions, err));
	own->name = mem_strdup(topic);
	own->topic = own->name ? rd_kafka_topic_new(k->client.rk, topic, NULL) : NULL;
	if (own->topic == NULL) {
		mem_free(own->name);
		rc = err_memory(err);
		goto out;
	}
	k->n_targets = 1;
	if (k->transactional_id != NULL)
		rc = kafka_transaction_start(k, timeout_ms, err);
out:
	return rc;
}

static enum seal_status sink_open(const char *address, const void *options, struct sink **out, struct seal_err *err)
{
	const struct kafka_sink_options *o = options;
	struct kafka_sink *k = mem_calloc(1, sizeof(*k));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (k == NULL)
		return err_memory(err);
	k->base.ops = o->transactional_id != NULL ? &kafka_transaction_ops : &kafka_sink_ops;
	kafka_client_init(&k->client);
	kafka_config_init(&k->own_config);
	k->keep_partition = o->keep_partition;
	k->max_records = IN_FLIGHT_RECORDS;
	k->max_in_flight = o->memory_bytes > 0 ? (size_t)o->memory_bytes : IN_FLIGHT_BYTES;
	k->record_bytes = o->record_bytes;
	k->transaction.named = o->named;
	k->n_slots = SLOTS_FIRST;
	k->slots = mem_alloc(SLOTS_FIRST * sizeof(*k->slots));
	k->transactional_id = o->transactional_id != NULL ? mem_strdup(o->transactional_id) : NULL;
	if (k->slots == NULL || (k->transactional_id == NULL && o->transactional_id != NULL)) {
		rc = err_memory(err);
		goto out;
	}
	k->config = o->config ? o->config : &k->own_config;
	if (o->config == NULL)
		SEAL_TRY(kafka_connection_load(&o->connection, k->config, err));
	SEAL_TRY(start(k, address, o, err));
	*out = &k->base;
out:
	if (rc != SEAL_OK)
		(void)kafka_sink_close(&k->base, NULL);
	return rc;
}

static const struct opt_row rows[] = {
	KAFKA_CONNECTION_ROWS(struct kafka_sink_options, connection),
	KAFKA_SINK_ROWS(struct kafka_sink_options, ),
	OPT_END,
};

const struct sink_ops kafka_sink_ops = {
	.size = sizeof(struct sink_ops),
	.name = "kafka",
	.traits = &kafka_traits,
	.help = "a topic of Apache Kafka",
	.options = rows,
	.options_size = sizeof(struct kafka_sink_options),
	.open = sink_open,
	.write = kafka_sink_write,
	.poll = sink_poll,
	.check = kafka_sink_check,
	.record_max = kafka_sink_record_max,
	.flush = kafka_sink_flush,
	.close = kafka_sink_close,
};
