/* Transactions of a run; see transaction.h. Everything here is guarded by `lock`, which sink.end is called without. */
#include "pump/transaction.h"

#include "base/clock.h"

#define TRANSACTION_MS 100
#define TRANSACTION_RECORDS 50000
#define TRANSACTION_BYTES (16u << 20)
#define TELL_AFTER_MS 2000 /* a begin or an end that takes longer is told as a wait */
/* The first abort is followed by another try at once: it is mostly the group's. More in a row are trouble that lasts. */
#define AGAIN_FIRST_MS 50
#define AGAIN_LONGEST_MS 2000

static uint64_t limit_of(uint64_t asked, uint64_t otherwise)
{
	return asked > 0 ? asked : otherwise;
}

static uint64_t age_ms(const struct pump *p)
{
	return clock_mono_ms() - p->transaction.began_ms;
}

static bool is_due(const struct pump *p)
{
	const struct pump_options *o = p->options;
	const struct pump_counts *counts = &p->transaction.counts;

	return age_ms(p) >= limit_of(o->transaction_ms, TRANSACTION_MS) ||
	       counts->records_in >= limit_of(o->transaction_records, TRANSACTION_RECORDS) ||
	       counts->bytes_out >= limit_of(o->transaction_bytes, TRANSACTION_BYTES);
}

/* It was tried for as long as the user wants: the run ends. */
static void give_up(struct pump *p, const struct seal_err *why, uint64_t since_ms)
{
	struct seal_err err = *why;

	pump_wait_given_up(p, since_ms, &err);
	p->sink_failed = p->transaction.state != TRANSACTION_NONE;
	pump_fail(p, &err);
}

/* The service puts a begin or an end off: told like any other wait, and given up like one. */
static void put_off(struct pump *p, const struct seal_err *why)
{
	if (!pump_wait_on(p, &p->transaction.wait, why, TELL_AFTER_MS))
		give_up(p, why, p->transaction.wait.since_ms);
}

enum seal_status transaction_begin(struct pump *p, struct seal_err *err)
{
	struct sink *sink = p->options->sink;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	if (p->transaction.state == TRANSACTION_OPEN)
		return SEAL_OK;
	SEAL_INVARIANT(p->transaction.state == TRANSACTION_NONE);
	rc = sink->ops->begin(sink, &why);
	if (rc != SEAL_OK) {
		*err = why;
		if (rc == SEAL_RETRY)
			put_off(p, &why);
		return rc;
	}
	pump_wait_end(p, &p->transaction.wait, true);
	p->transaction.state = TRANSACTION_OPEN;
	p->transaction.began_ms = clock_mono_ms();
	p->transaction.counts = (struct pump_counts){0};
	return SEAL_OK;
}

enum seal_status transaction_add(struct pump *p, const struct batch *batch, const struct pump_counts *counts,
				 struct seal_err *err)
{
	struct source *source = p->options->source;
	enum seal_status rc;

	SEAL_TRY(source->ops->stage(source, batch, err));
	pump_add_counts(&p->transaction.counts, counts);
	if (is_due(p))
		p->transaction.state = TRANSACTION_ENDING;
out:
	return rc;
}

/* What was read is dropped, and read again. */
static void aborted(struct pump *p, const struct seal_err *why)
{
	struct transaction *t = &p->transaction;
	const uint64_t now = clock_mono_ms();
	uint64_t pause_ms = 0;

	if (t->aborts++ == 0)
		t->aborting_ms = now;
	for (unsigned i = 1; i < t->aborts && pause_ms < AGAIN_LONGEST_MS; i++)
		pause_ms = pause_ms == 0 ? AGAIN_FIRST_MS : 2 * pause_ms;
	t->again_ms = now + pause_ms;
	t->why = *why;
	t->stale = true;
	p->counts.aborted++;
	if (p->options->aborted != NULL)
		p->options->aborted(p->options->arg, why);
	if (p->options->retry_ms > 0 && now - t->aborting_ms >= p->options->retry_ms)
		give_up(p, why, t->aborting_ms);
}

static void ended(struct pump *p, bool committed, const struct seal_err *why)
{
	p->transaction.state = TRANSACTION_NONE;
	pump_wait_end(p, &p->transaction.wait, true);
	if (!committed) {
		aborted(p, why);
		return;
	}
	pump_add_counts(&p->counts, &p->transaction.counts);
	p->counts.transactions++;
	p->transaction.aborts = 0;
}

/* One step of the end, by the only thread that has set `driven`. */
static void drive(struct pump *p)
{
	struct sink *sink = p->options->sink;
	struct seal_err err = SEAL_ERR_INIT;
	bool committed = false;
	enum seal_status rc;

	p->transaction.driven = true;
	pthread_mutex_unlock(&p->lock);
	rc = sink->ops->end(sink, p->options->source, PUMP_TICK_MS, &committed, &err);
	pthread_mutex_lock(&p->lock);
	p->transaction.driven = false;
	if (rc == SEAL_OK) {
		ended(p, committed, &err);
	} else if (rc == SEAL_RETRY) {
		put_off(p, &err);
	} else {
		p->transaction.state = TRANSACTION_NONE;
		pump_wait_end(p, &p->transaction.wait, true);
		p->sink_failed = true;
		pump_fail(p, &err);
	}
	pthread_cond_broadcast(&p->changed);
}

void transaction_drive(struct pump *p, bool now)
{
	struct transaction *t = &p->transaction;

	if (t->state == TRANSACTION_OPEN && (now || is_due(p)))
		t->state = TRANSACTION_ENDING;
	if (t->state == TRANSACTION_ENDING && !t->driven && !p->sink_failed)
		drive(p);
}

int transaction_read_ms(struct pump *p)
{
	const uint64_t limit = limit_of(p->options->transaction_ms, TRANSACTION_MS);
	/* Another thread may open a transaction while this one reads, and nobody ends it before the read does. */
	const int idle_ms = p->options->threads > 1 && limit < PUMP_TICK_MS ? (int)limit : PUMP_TICK_MS;
	uint64_t age;

	if (p->transaction.state != TRANSACTION_OPEN)
		return idle_ms;
	age = age_ms(p); /* once: what is less than none is for ever to a source */
	if (age >= limit)
		return 0;
	return limit - age < PUMP_TICK_MS ? (int)(limit - age) : PUMP_TICK_MS;
}

bool transaction_is_stale(const struct pump *p, uint64_t sequence)
{
	return p->transaction.stale || sequence < p->transaction.fresh;
}

enum seal_status transaction_rewind(struct pump *p, struct seal_err *err)
{
	struct source *source = p->options->source;
	bool stale;
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&p->lock);
	stale = p->transaction.stale;
	if (stale && clock_mono_ms() < p->transaction.again_ms)
		rc = err_set(err, SEAL_RETRY, p->transaction.why.code, "transactions are aborted again and again: %s",
			     p->transaction.why.text);
	pthread_mutex_unlock(&p->lock);
	if (!stale || rc != SEAL_OK)
		return rc;
	SEAL_TRY(source->ops->rewind(source, err));
	pthread_mutex_lock(&p->lock);
	p->transaction.stale = false;
	p->transaction.fresh = p->next_read;
	p->records_read = p->counts.records_in;
	pthread_mutex_unlock(&p->lock);
out:
	return rc;
}
