/* Transactions of a run; see transaction.h. Everything here is guarded by `lock`, which sink.end is called without. */
#include "pump/transaction.h"

#include "base/clock.h"

#define TRANSACTION_MS 100
#define TRANSACTION_RECORDS 50000
#define TRANSACTION_BYTES (16u << 20)
#define TELL_AFTER_MS 2000 /* an end that takes longer is told as a wait */

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

enum seal_status transaction_begin(struct pump *p, struct seal_err *err)
{
	struct sink *sink = p->options->sink;
	enum seal_status rc;

	if (p->transaction.state == TRANSACTION_OPEN)
		return SEAL_OK;
	SEAL_INVARIANT(p->transaction.state == TRANSACTION_NONE);
	SEAL_TRY(sink->ops->begin(sink, err));
	p->transaction.state = TRANSACTION_OPEN;
	p->transaction.began_ms = clock_mono_ms();
	p->transaction.counts = (struct pump_counts){0};
out:
	return rc;
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

/* The service takes long to end it: told like any other wait. */
static void tell_wait(struct pump *p, const struct seal_err *why)
{
	if (p->transaction.told_wait || clock_mono_ms() - p->transaction.ending_ms < TELL_AFTER_MS)
		return;
	p->transaction.told_wait = true;
	if (p->waiting++ == 0) {
		p->waiting_ms = p->transaction.ending_ms;
		if (p->options->waiting != NULL)
			p->options->waiting(p->options->arg, why);
	}
}

static void tell_wait_over(struct pump *p)
{
	if (!p->transaction.told_wait)
		return;
	p->transaction.told_wait = false;
	if (--p->waiting == 0 && p->options->resumed != NULL)
		p->options->resumed(p->options->arg, clock_mono_ms() - p->waiting_ms);
}

static void ended(struct pump *p, bool committed, const struct seal_err *why)
{
	p->transaction.state = TRANSACTION_NONE;
	p->transaction.ending_ms = 0;
	tell_wait_over(p);
	if (committed) {
		pump_add_counts(&p->counts, &p->transaction.counts);
		p->counts.transactions++;
		return;
	}
	p->counts.aborted++;
	p->transaction.stale = true;
	if (p->options->aborted != NULL)
		p->options->aborted(p->options->arg, why);
}

/* One step of the end, by the only thread that has set `driven`. */
static void drive(struct pump *p)
{
	struct sink *sink = p->options->sink;
	struct seal_err err = SEAL_ERR_INIT;
	bool committed = false;
	enum seal_status rc;

	p->transaction.driven = true;
	if (p->transaction.ending_ms == 0)
		p->transaction.ending_ms = clock_mono_ms();
	pthread_mutex_unlock(&p->lock);
	rc = sink->ops->end(sink, p->options->source, PUMP_TICK_MS, &committed, &err);
	pthread_mutex_lock(&p->lock);
	p->transaction.driven = false;
	if (rc == SEAL_OK) {
		ended(p, committed, &err);
	} else if (rc == SEAL_RETRY) {
		tell_wait(p, &err);
	} else {
		p->transaction.state = TRANSACTION_NONE;
		tell_wait_over(p);
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

	if (p->transaction.state != TRANSACTION_OPEN)
		return idle_ms;
	return age_ms(p) >= limit ? 0 : (int)(limit - age_ms(p) < PUMP_TICK_MS ? limit - age_ms(p) : PUMP_TICK_MS);
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
	pthread_mutex_unlock(&p->lock);
	if (!stale)
		return SEAL_OK;
	SEAL_TRY(source->ops->rewind(source, err));
	pthread_mutex_lock(&p->lock);
	p->transaction.stale = false;
	p->transaction.fresh = p->next_read;
	p->records_read = p->counts.records_in;
	pthread_mutex_unlock(&p->lock);
out:
	return rc;
}
