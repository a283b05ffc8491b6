/*
 * What callers of an outbox see; outbox_work.h draws the whole.
 *
 *   write(ticket 7, n records) ──▶ slots: [5: 0 left] [6: 12 left] [7: n left]
 *                                                        ▲
 *   a record is done: its slot's count falls ────────────┘   acknowledged = the last ticket with all before it at 0
 *
 * write is called by one thread at a time, as a sink's; poll and flush may be called beside it.
 */
#include "streams/outbox.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "streams/outbox_work.h"

#define MEMORY_BYTES (32u << 20)
#define LINGER_MS 10
#define SLOTS_FIRST 64
#define REQUESTS_MAX 16

/* ---- tickets ---- */

static struct outbox_slot *slot_of(struct outbox *o, uint64_t number)
{
	return &o->slots[number & (o->n_slots - 1)];
}

/* Under lock: the next write has a slot. */
static enum seal_status make_slot(struct outbox *o, struct seal_err *err)
{
	struct outbox_slot *slots;

	if (o->last_slot - o->first_slot < o->n_slots)
		return SEAL_OK;
	slots = mem_alloc(2 * o->n_slots * sizeof(*slots));
	if (slots == NULL)
		return err_memory(err);
	for (uint64_t i = o->first_slot; i < o->last_slot; i++)
		slots[i & (2 * o->n_slots - 1)] = *slot_of(o, i);
	mem_free(o->slots);
	o->slots = slots;
	o->n_slots *= 2;
	return SEAL_OK;
}

static void advance(struct outbox *o)
{
	while (o->first_slot < o->last_slot && slot_of(o, o->first_slot)->left == 0)
		o->acknowledged = slot_of(o, o->first_slot++)->ticket;
}

void outbox_done(struct outbox *o, struct outbox_entry *entry)
{
	slot_of(o, entry->slot)->left--;
	o->n--;
	o->used -= entry->size;
	outbox_leave(o, entry);
	outbox_entry_free(entry);
	advance(o);
}

/* ---- writing ---- */

/* Under lock. */
static enum seal_status broken(const struct outbox *o, struct seal_err *err)
{
	if (o->broken.status != SEAL_OK && err != NULL && err->status == SEAL_OK)
		*err = o->broken;
	return o->broken.status;
}

/* Under lock: callers that wait want no lingering. */
static void hurry(struct outbox *o)
{
	o->hurries++;
	pthread_cond_broadcast(&o->work);
}

/* Under lock, with records that wait: SEAL_RETRY and why, when the service does not take them. */
static enum seal_status away(const struct outbox *o, struct seal_err *err)
{
	if (o->away.status == SEAL_OK)
		return silence_check(&o->silence, o->out > 0 ? o->n : 0, o->name, err);
	if (err != NULL && err->status == SEAL_OK)
		*err = o->away;
	return SEAL_RETRY;
}

/* Under lock: why it takes so long. */
static enum seal_status too_long(const struct outbox *o, enum seal_code code, const char *what, struct seal_err *err)
{
	if (away(o, err) != SEAL_OK)
		return SEAL_RETRY;
	err_place(err, "%s", o->name);
	return err_set(err, SEAL_RETRY, code, "%s: %zu record%s unacknowledged", what, o->n,
		       o->n == 1 ? " is" : "s are");
}

/* A batch above the bound still passes when it is alone. */
static bool has_room(const struct outbox *o)
{
	return o->n == 0 || o->used + o->room <= o->config.memory;
}

void outbox_tell(struct outbox *o)
{
	if (o->broken.status != SEAL_OK || (o->polling > 0 && o->acknowledged != o->told) ||
	    (o->flushing > 0 && o->n == 0) || (o->room > 0 && has_room(o)))
		pthread_cond_broadcast(&o->changed);
}

static enum seal_status wait_for_room(struct outbox *o, size_t cost, int timeout_ms, struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	enum seal_status rc;

	pthread_mutex_lock(&o->lock);
	hurry(o);
	o->room = cost;
	while ((rc = broken(o, err)) == SEAL_OK && !has_room(o)) {
		if (clock_mono_ms() >= until) {
			rc = too_long(o, SEAL_E_BUSY, "takes no more for now", err);
			break;
		}
		cond_wait_until(&o->changed, &o->lock, until);
	}
	o->room = 0;
	o->hurries--;
	pthread_mutex_unlock(&o->lock);
	return rc;
}

static void drop(struct outbox *o, struct outbox_entry *entry)
{
	for (struct outbox_entry *next; entry != NULL; entry = next) {
		next = entry->next;
		outbox_leave(o, entry);
		outbox_entry_free(entry);
	}
}

static enum seal_status copy_all(struct outbox *o, const struct record *records, size_t n, struct outbox_entry **out,
				 struct seal_err *err)
{
	struct outbox_entry **end = out;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n && rc == SEAL_OK; i++) {
		rc = outbox_entry_new(o, &records[i], end, err);
		if (rc == SEAL_OK)
			end = &(*end)->next;
	}
	return rc;
}

/* Under lock: all of them, or none. */
static enum seal_status take_in(struct outbox *o, struct outbox_entry *entries, size_t n, uint64_t ticket,
				struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(broken(o, err));
	for (struct outbox_entry *entry = entries; entry != NULL; entry = entry->next)
		SEAL_TRY(outbox_join(o, entry, err));
	SEAL_TRY(make_slot(o, err));
	*slot_of(o, o->last_slot) = (struct outbox_slot){ticket, n};
	for (struct outbox_entry *entry = entries, *next; entry != NULL; entry = next) {
		next = entry->next;
		entry->item.number = o->numbers++;
		entry->slot = o->last_slot;
		o->used += entry->size;
		outbox_put(o, entry);
	}
	o->n += n;
	o->last_slot++;
	advance(o);
	pthread_cond_signal(&o->work);
out:
	return rc;
}

enum seal_status outbox_write(struct outbox *o, const struct record *records, size_t n, uint64_t ticket,
			      int timeout_ms, struct seal_err *err)
{
	struct outbox_entry *entries = NULL;
	size_t cost = 0;
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		cost += outbox_cost(&records[i]);
	SEAL_TRY(wait_for_room(o, cost, timeout_ms, err));
	rc = copy_all(o, records, n, &entries, err);
	pthread_mutex_lock(&o->lock);
	if (rc == SEAL_OK)
		rc = take_in(o, entries, n, ticket, err);
	if (rc != SEAL_OK)
		drop(o, entries);
	pthread_mutex_unlock(&o->lock);
out:
	return rc;
}

/* ---- waiting ---- */

enum seal_status outbox_poll(struct outbox *o, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	enum seal_status rc;

	pthread_mutex_lock(&o->lock);
	o->polling++;
	while (broken(o, NULL) == SEAL_OK && o->acknowledged == o->told && clock_mono_ms() < until)
		cond_wait_until(&o->changed, &o->lock, until);
	o->polling--;
	*acknowledged = o->told = o->acknowledged;
	rc = broken(o, err);
	if (rc == SEAL_OK && o->n > 0)
		rc = away(o, err);
	pthread_mutex_unlock(&o->lock);
	return rc;
}

enum seal_status outbox_flush(struct outbox *o, int timeout_ms, struct seal_err *err)
{
	const uint64_t until = clock_mono_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
	enum seal_status rc;

	pthread_mutex_lock(&o->lock);
	hurry(o);
	o->flushing++;
	while ((rc = broken(o, err)) == SEAL_OK && o->n > 0) {
		if (clock_mono_ms() >= until) {
			rc = too_long(o, SEAL_E_TIMEOUT, "not all was acknowledged in time", err);
			break;
		}
		cond_wait_until(&o->changed, &o->lock, until);
	}
	o->flushing--;
	o->hurries--;
	pthread_mutex_unlock(&o->lock);
	return rc;
}

void outbox_throttled(struct outbox_item *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		items[i]->result = OUTBOX_RETRY;
		items[i]->throttled = true;
	}
}

uint64_t outbox_repeated(const struct outbox *outbox)
{
	struct outbox *o = (struct outbox *)outbox;
	uint64_t repeated;

	pthread_mutex_lock(&o->lock);
	repeated = o->repeated;
	pthread_mutex_unlock(&o->lock);
	return repeated;
}

/* ---- new and free ---- */

static enum seal_status init(struct outbox *o, const struct outbox_config *config, struct seal_err *err)
{
	enum seal_status rc;

	pthread_mutex_init(&o->lock, NULL);
	o->config = *config;
	if (o->config.memory == 0)
		o->config.memory = MEMORY_BYTES;
	if (o->config.linger_ms == 0)
		o->config.linger_ms = LINGER_MS;
	o->n_slots = SLOTS_FIRST;
	o->slots = mem_alloc(SLOTS_FIRST * sizeof(*o->slots));
	o->name = mem_strdup(config->name);
	if (o->slots == NULL || o->name == NULL)
		return err_memory(err);
	o->has_work = cond_init(&o->work);
	o->has_changed = cond_init(&o->changed);
	if (!o->has_work || !o->has_changed)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "cannot make a condition");
	SEAL_TRY(random_bytes(o->hash_key, sizeof(o->hash_key), err));
	rc = outbox_start(o, err);
out:
	return rc;
}

enum seal_status outbox_new(const struct outbox_config *config, const struct outbox_service *service, void *arg,
			    struct outbox **out, struct seal_err *err)
{
	struct outbox *o = mem_calloc(1, sizeof(*o));
	enum seal_status rc;

	SEAL_INVARIANT(config->records > 0 && config->bytes > 0 && config->requests > 0 &&
		       config->requests <= REQUESTS_MAX);
	*out = NULL;
	if (o == NULL)
		return err_memory(err);
	o->service = service;
	o->arg = arg;
	rc = init(o, config, err);
	if (rc == SEAL_OK)
		*out = o;
	else
		outbox_free(o);
	return rc;
}

void outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	outbox_stop(o);
	outbox_queue_clear(o);
	if (o->has_work)
		pthread_cond_destroy(&o->work);
	if (o->has_changed)
		pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	mem_free(o->slots);
	mem_free(o->name);
	mem_free(o);
}

/* ---- as a sink ---- */

static struct outbox *box_of(struct sink *sink)
{
	return ((struct outbox_sink *)sink)->outbox;
}

enum seal_status outbox_sink_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	return outbox_write(box_of(sink), records, n, ticket, timeout_ms, err);
}

enum seal_status outbox_sink_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	return outbox_poll(box_of(sink), timeout_ms, acknowledged, err);
}

enum seal_status outbox_sink_check(struct sink *sink, const struct record *record, struct seal_err *err)
{
	const struct outbox *o = box_of(sink);
	size_t bytes;

	return o->service->measure(o->arg, record, &bytes, err);
}

enum seal_status outbox_sink_flush(struct sink *sink, int timeout_ms, struct seal_err *err)
{
	return outbox_flush(box_of(sink), timeout_ms, err);
}

void outbox_sink_close(struct outbox_sink *sink)
{
	const uint64_t repeated = sink->outbox != NULL ? outbox_repeated(sink->outbox) : 0;

	if (repeated > 0)
		log_say(LOG_WARNING,
			"%s: %llu record%s had to be sent again without knowing whether the first time had arrived: "
			"they may stand there twice",
			sink->outbox->name, (unsigned long long)repeated, plural_s(repeated));
	outbox_free(sink->outbox);
	sink->outbox = NULL;
}
