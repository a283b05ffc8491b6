/*
 * A transactional producer as a sink: what is written becomes visible as a whole, with the position of the source.
 *
 *   NEW ──init_transactions──▶ READY ──begin──▶ OPEN ──offsets sent──▶ COMMITTING ──▶ READY: committed
 *    ▲                                           │ a record, a member or the service fails │
 *    │                                           ▼                                         ▼
 *    └──── another producer, where it is fatal or not known how it ended ◀──────────── ABORTING ──▶ READY: aborted
 *
 * librdkafka sorts errors as Kafka's documents do: what can be retried is called again, what asks for an abort is aborted, and
 * anything else, fencing and a commit that nobody knows the end of included, costs the producer: it is destroyed, and a new one
 * with the same transactional id waits in init_transactions until the coordinator has brought the old transaction to an end.
 * Only then the source asks the group how it ended. The same is done after an end during which a connection failed: a request
 * to end this transaction that is still on its way must not meet the next one of the same epoch.
 *
 * A record that fails breaks the transaction, not the sink: writes after it are taken and dropped, and the end tells why.
 */
#include "base/clock.h"
#include "base/log.h"
#include "streams/kafka/sink.h"
#include "streams/kafka/source.h"

/* A call to send offsets can't be taken up again: when its time is over the transaction must be aborted. */
#define OFFSETS_MS 10000
#define RIVAL_MS                                                                                                     \
	10000 /* the group tells a member that it was replaced at its next heartbeat: after 3 s unless set otherwise */
#define CLOSE_MS 2000
#define COMMIT_MS 2000

/* What librdkafka says of a call; NULL error: SEAL_OK. */
struct answer {
	enum seal_status rc;
	rd_kafka_resp_err_t code;
	bool again, abort;
};

static struct answer take_answer(struct kafka_sink *k, rd_kafka_error_t *error, struct seal_err *err)
{
	struct answer a = {.rc = SEAL_OK};

	if (error == NULL)
		return a;
	a.code = rd_kafka_error_code(error);
	a.again = rd_kafka_error_is_retriable(error) != 0;
	a.abort = rd_kafka_error_txn_requires_abort(error) != 0;
	a.rc = kafka_client_error(&k->client, a.code, k->targets[0].name, err);
	log_say(LOG_DEBUG, "transaction: %s", rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return a;
}

static unsigned errors_of(struct kafka_sink *k)
{
	unsigned errors;

	pthread_mutex_lock(&k->client.lock);
	errors = k->client.errors;
	pthread_mutex_unlock(&k->client.lock);
	return errors;
}

/* ---- the producer ---- */

static bool has_none(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE || code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION ||
	       code == RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT;
}

/* Its epoch is new after that, and what the last one with this id had left open has ended. */
static enum seal_status initialise(struct kafka_sink *k, int timeout_ms, struct seal_err *err)
{
	struct answer a;
	enum seal_status rc;

	if (k->client.rk == NULL)
		SEAL_TRY(kafka_sink_producer_new(k, err));
	rd_kafka_poll(k->client.rk, 0);
	SEAL_TRY(kafka_client_health(&k->client, err));
	a = take_answer(k, rd_kafka_init_transactions(k->client.rk, timeout_ms), err);
	rc = a.again ? SEAL_RETRY : a.rc;
	if (rc != SEAL_OK && has_none(a.code)) {
		err_clear(err);
		err_place(err, "kafka at %s", k->client.brokers);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "the brokers have no transactions; use --delivery at-least-once");
	}
	if (rc == SEAL_RETRY && err != NULL)
		err->status = SEAL_RETRY;
	if (rc == SEAL_OK)
		k->transaction.step = TRANSACTION_READY;
out:
	return rc;
}

static bool is_fenced(struct kafka_sink *k)
{
	char text[16];

	return rd_kafka_fatal_error(k->client.rk, text, sizeof(text)) == RD_KAFKA_RESP_ERR__FENCED;
}

static void renew(struct kafka_sink *k)
{
	log_say(LOG_DEBUG, "transaction: a new producer is made");
	kafka_sink_producer_free(k);
	kafka_sink_forget(k);
	k->transaction.step = TRANSACTION_NEW;
	k->transaction.renew = false;
}

enum seal_status kafka_transaction_start(struct kafka_sink *k, int timeout_ms, struct seal_err *err)
{
	const uint64_t start_ms = clock_mono_ms();
	enum seal_status rc;

	do {
		err_clear(err);
		rc = initialise(k, SINK_TICK_MS, err);
	} while (rc == SEAL_RETRY && clock_mono_ms() - start_ms < (uint64_t)timeout_ms);
	if (rc == SEAL_RETRY)
		err_prefix(err, "no transaction could be begun; --delivery at-least-once does without");
	return rc;
}

/* ---- the end ---- */

/* The first reason stays. */
static void give_up(struct kafka_sink *k, const struct seal_err *why, enum transaction_step next)
{
	struct kafka_transaction *t = &k->transaction;

	if (t->why.status == SEAL_OK)
		t->why = *why;
	t->step = next;
	if (next == TRANSACTION_NEW)
		renew(k);
}

/*
 * What to do with a call that failed. A coordinator that aborts what took too long fences, too, and so does another process that
 * was given the same name: see `is_taken_over`.
 */
static enum seal_status failed(struct kafka_sink *k, const struct answer *a, struct seal_err *err)
{
	struct kafka_transaction *t = &k->transaction;

	if (a->again) {
		err->status = SEAL_RETRY;
		return SEAL_RETRY;
	}
	if (t->named && is_fenced(k))
		t->fenced_ms = clock_mono_ms();
	if (kafka_sink_is_for_ever(k->broken.status)) /* the call may say no more than that a record has failed */
		*err = k->broken;
	give_up(k, err, a->abort && t->step != TRANSACTION_ABORTING ? TRANSACTION_ABORTING : TRANSACTION_NEW);
	err_clear(err);
	return SEAL_OK;
}

static enum seal_status send_offsets(struct kafka_sink *k, struct source *source, struct seal_err *err)
{
	rd_kafka_topic_partition_list_t *offsets = NULL;
	rd_kafka_consumer_group_metadata_t *member = NULL;
	struct answer a;

	if (source == NULL)
		err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the run ends");
	else
		(void)kafka_sink_broken(k, err);
	if (err->status != SEAL_OK || kafka_source_staged(source, &offsets, &member, err) != SEAL_OK) {
		give_up(k, err, TRANSACTION_ABORTING);
		err_clear(err);
		return SEAL_OK;
	}
	a = take_answer(k, rd_kafka_send_offsets_to_transaction(k->client.rk, offsets, member, OFFSETS_MS), err);
	rd_kafka_consumer_group_metadata_destroy(member);
	rd_kafka_topic_partition_list_destroy(offsets);
	if (a.rc != SEAL_OK)
		return failed(k, &a, err);
	k->transaction.step = TRANSACTION_COMMITTING;
	return SEAL_OK;
}

/*
 * Each call begins with a question to librdkafka's own thread. Where that is stopped for longer than the call may take, librdkafka
 * forgets which call is under way: it fails the next one, or takes the broker's word that it has committed for that of an abort, and
 * ends the process. So this one may take longer than others; it does where the coordinator does not answer.
 */
static enum seal_status commit(struct kafka_sink *k, struct seal_err *err)
{
	struct answer a = take_answer(k, rd_kafka_commit_transaction(k->client.rk, COMMIT_MS), err);

	if (a.rc != SEAL_OK)
		return failed(k, &a, err);
	k->transaction.step = TRANSACTION_READY;
	kafka_client_alive(&k->client);
	return SEAL_OK;
}

static enum seal_status abort_it(struct kafka_sink *k, int timeout_ms, struct seal_err *err)
{
	struct answer a = take_answer(k, rd_kafka_abort_transaction(k->client.rk, timeout_ms), err);

	if (a.rc != SEAL_OK)
		return failed(k, &a, err);
	k->transaction.step = TRANSACTION_READY;
	return SEAL_OK;
}

/*
 * A named producer was fenced. If it was another process of that name, the group puts it in this one's place, too, which the
 * next heartbeat tells: then this one ends. Else it was the coordinator, and this one goes on.
 */
static enum seal_status wait_for_rival(struct kafka_sink *k, struct source *source, int timeout_ms,
				       struct seal_err *err)
{
	const struct timespec pause = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	if (k->transaction.fenced_ms == 0)
		return SEAL_OK;
	if (source == NULL || kafka_source_is_replaced(source))
		return kafka_client_error(&k->client, RD_KAFKA_RESP_ERR__FENCED, k->targets[0].name, err);
	if (clock_mono_ms() - k->transaction.fenced_ms >= RIVAL_MS) {
		k->transaction.fenced_ms = 0;
		return SEAL_OK;
	}
	nanosleep(&pause, NULL);
	return err_set(err, SEAL_RETRY, SEAL_E_BUSY, "another process may have taken over");
}

/* One step towards READY. */
static enum seal_status step(struct kafka_sink *k, struct source *source, int timeout_ms, struct seal_err *err)
{
	enum seal_status rc;

	switch (k->transaction.step) {
	case TRANSACTION_NEW:
		rc = wait_for_rival(k, source, timeout_ms, err);
		return rc == SEAL_OK ? initialise(k, timeout_ms, err) : rc;
	case TRANSACTION_OPEN:
		return send_offsets(k, source, err);
	case TRANSACTION_COMMITTING:
		return commit(k, err);
	case TRANSACTION_ABORTING:
		return abort_it(k, timeout_ms, err);
	case TRANSACTION_READY:
		break;
	}
	return SEAL_OK;
}

/* The group knows the offsets after the first commit; a broker that does not keep them is found here, not at the next start. */
static enum seal_status check_kept(struct kafka_sink *k, struct source *source, struct seal_err *err)
{
	enum seal_status rc;

	if (k->transaction.asked)
		return SEAL_OK;
	rc = kafka_source_kept(source, err);
	if (rc == SEAL_RETRY) {
		err_clear(err);
		return SEAL_OK;
	}
	k->transaction.asked = true;
	return rc;
}

static enum seal_status sink_end(struct sink *sink, struct source *source, int timeout_ms, bool *committed,
				 struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	struct kafka_transaction *t = &k->transaction;
	struct seal_err own = SEAL_ERR_INIT;
	enum seal_status rc;

	*committed = false;
	if (err == NULL)
		err = &own;
	if (k->client.rk != NULL)
		rd_kafka_poll(k->client.rk, 0);
	while (t->step != TRANSACTION_READY)
		SEAL_TRY(step(k, source, timeout_ms, err));
	t->renew = t->renew || errors_of(k) != t->errors;
	if (t->why.status != SEAL_OK) {
		*err = kafka_sink_is_for_ever(k->broken.status) ? k->broken : t->why; /* that may have come later */
		return kafka_sink_is_for_ever(err->status) ? err->status : SEAL_OK;
	}
	*committed = true;
	rc = check_kept(k, source, err);
	kafka_source_settled(source);
out:
	return rc;
}

static enum seal_status sink_begin(struct sink *sink, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	struct kafka_transaction *t = &k->transaction;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;

	if (t->renew)
		renew(k);
	if (t->step == TRANSACTION_NEW)
		SEAL_TRY(initialise(k, SINK_TICK_MS, err));
	SEAL_INVARIANT(t->step == TRANSACTION_READY);
	kafka_sink_forget(k);
	err_clear(&t->why);
	t->errors = errors_of(k);
	t->step = TRANSACTION_OPEN;
	/* What fails here (it was fenced meanwhile) has broken this transaction already. */
	if (take_answer(k, rd_kafka_begin_transaction(k->client.rk), &why).rc != SEAL_OK)
		kafka_sink_break(k, &why);
out:
	return rc;
}

/* ---- writing ---- */

static enum seal_status sink_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);
	enum seal_status rc = SEAL_OK;

	if (kafka_sink_broken(k, NULL) == SEAL_OK)
		rc = kafka_sink_write(sink, records, n, ticket, timeout_ms, err);
	if (rc == SEAL_OK || kafka_sink_broken(k, NULL) == SEAL_OK)
		return rc;
	err_clear(err);
	return SEAL_OK;
}

static enum seal_status sink_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	struct kafka_sink *k = kafka_sink_of(sink);

	*acknowledged = 0;
	if (k->client.rk == NULL)
		return SEAL_OK;
	rd_kafka_poll(k->client.rk, timeout_ms);
	/* What is broken is told by the end. */
	return kafka_sink_broken(k, NULL) == SEAL_OK ? kafka_sink_away(k, err) : SEAL_OK;
}

/* What is open is aborted, so that readers need not wait until the coordinator does it. */
static enum seal_status sink_close(struct sink *sink, struct seal_err *err)
{
	struct kafka_sink *k = sink ? kafka_sink_of(sink) : NULL;

	if (k != NULL && k->client.rk != NULL &&
	    (k->transaction.step == TRANSACTION_OPEN || k->transaction.step == TRANSACTION_ABORTING))
		(void)take_answer(k, rd_kafka_abort_transaction(k->client.rk, CLOSE_MS), NULL);
	return kafka_sink_close(sink, err);
}

const struct sink_ops kafka_transaction_ops = {
	.size = sizeof(struct sink_ops),
	.name = "kafka",
	.help = "a topic of Apache Kafka, in transactions",
	.write = sink_write,
	.poll = sink_poll,
	.check = kafka_sink_check,
	.record_max = kafka_sink_record_max,
	.begin = sink_begin,
	.end = sink_end,
	.flush = kafka_sink_flush,
	.close = sink_close,
};
