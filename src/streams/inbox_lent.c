/*
 * Messages that are lent to us; see inbox_work.h. All steps take a time that does not depend on how many there are, but to sort one in
 * that is lent for a shorter time than others.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "streams/inbox_work.h"

/* ---- parcels ---- */

struct inbox_parcel *inbox_parcel_new(void)
{
	struct inbox_parcel *parcel = mem_calloc(1, sizeof(*parcel));

	if (parcel != NULL)
		arena_init(&parcel->arena, 0);
	return parcel;
}

void inbox_parcel_free(struct inbox_parcel *parcel)
{
	if (parcel == NULL)
		return;
	arena_clear(&parcel->arena);
	mem_free(parcel);
}

bool inbox_parcel_leave(struct inbox_parcel *parcel)
{
	return --parcel->users == 0;
}

/* ---- lents ---- */

static size_t bytes_of_record(const struct record *record)
{
	size_t bytes = sizeof(*record) + record->key.len + record->value.len;

	for (size_t i = 0; i < record->n_headers; i++)
		bytes += record->headers[i].name.len + record->headers[i].value.len;
	return bytes;
}

static struct inbox_lent *wrap_one(const struct inbox_message *message)
{
	const struct seal_bytes handle = message->handle, id = message->record.id;
	struct inbox_lent *lent = mem_calloc(1, sizeof(*lent) + handle.len + id.len);
	uint8_t *to = (uint8_t *)(lent + 1);

	if (lent == NULL)
		return NULL;
	if (handle.len > 0)
		memcpy(to, handle.ptr, handle.len);
	if (id.len > 0)
		memcpy(to + handle.len, id.ptr, id.len);
	lent->message.handle = bytes_of(to, handle.len);
	lent->message.record.id = bytes_of(to + handle.len, id.len);
	lent->record = message->record;
	lent->bytes = bytes_of_record(&message->record);
	return lent;
}

enum seal_status inbox_wrap(struct inbox *inbox, struct inbox_parcel *parcel, const struct inbox_message *messages,
			    size_t n, uint64_t now_ms, struct inbox_lent **out, struct seal_err *err)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = wrap_one(&messages[i]);
		if (out[i] == NULL) {
			while (i > 0)
				mem_free(out[--i]);
			return err_memory(err);
		}
		out[i]->parcel = parcel;
		out[i]->since_ms = now_ms;
		out[i]->until_ms =
			messages[i].until_ms != 0 ? messages[i].until_ms : now_ms + inbox->config.lend_s * 1000ull;
	}
	parcel->users = n;
	return SEAL_OK;
}

void inbox_lent_free(struct inbox_lent *lent)
{
	if (lent->parcel != NULL && inbox_parcel_leave(lent->parcel))
		inbox_parcel_free(lent->parcel);
	mem_free(lent);
}

/* ---- queues ---- */

void inbox_push(struct inbox_queue *queue, struct inbox_lent *lent)
{
	lent->next = NULL;
	*(queue->last != NULL ? &queue->last->next : &queue->first) = lent;
	queue->last = lent;
	queue->n++;
}

void inbox_push_front(struct inbox_queue *queue, struct inbox_lent *lent)
{
	lent->next = queue->first;
	queue->first = lent;
	if (queue->last == NULL)
		queue->last = lent;
	queue->n++;
}

struct inbox_lent *inbox_pop(struct inbox_queue *queue)
{
	struct inbox_lent *lent = queue->first;

	queue->first = lent->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->n--;
	lent->next = NULL;
	return lent;
}

void inbox_time(struct inbox *inbox, struct inbox_lent *lent, bool in_front)
{
	lent->sooner = in_front ? NULL : inbox->latest;
	lent->later = in_front ? inbox->soonest : NULL;
	*(lent->sooner != NULL ? &lent->sooner->later : &inbox->soonest) = lent;
	*(lent->later != NULL ? &lent->later->sooner : &inbox->latest) = lent;
	lent->timed = true;
}

void inbox_time_sorted(struct inbox *inbox, struct inbox_lent *lent)
{
	struct inbox_lent *later =
		inbox->latest != NULL && inbox->latest->until_ms > lent->until_ms ? inbox->soonest : NULL;

	while (later != NULL && later->until_ms <= lent->until_ms)
		later = later->later;
	if (later == NULL || later == inbox->soonest) {
		inbox_time(inbox, lent, later != NULL);
		return;
	}
	lent->later = later;
	lent->sooner = later->sooner;
	lent->sooner->later = lent;
	later->sooner = lent;
	lent->timed = true;
}

void inbox_untime(struct inbox *inbox, struct inbox_lent *lent)
{
	if (!lent->timed)
		return;
	*(lent->sooner != NULL ? &lent->sooner->later : &inbox->soonest) = lent->later;
	*(lent->later != NULL ? &lent->later->sooner : &inbox->latest) = lent->sooner;
	lent->sooner = lent->later = NULL;
	lent->timed = false;
}

/* ---- states ---- */

void inbox_count_late(struct inbox *inbox, struct inbox_lent *lent)
{
	if (!lent->late)
		inbox->late++;
	lent->late = true;
}

void inbox_drop(struct inbox *inbox, struct inbox_lent *lent)
{
	if (lent->state == INBOX_COMMITTED)
		inbox->n_committed--;
	SEAL_INVARIANT(!lent->extending);
	inbox_untime(inbox, lent);
	inbox->n_lent--;
	inbox->gone_ms = clock_mono_ms();
	inbox->empty_ms = 0;
	inbox_lent_free(lent);
}

void inbox_give_back(struct inbox *inbox, struct inbox_lent *lent)
{
	inbox_untime(inbox, lent);
	lent->state = INBOX_BACK;
	if (lent->extending)
		return;
	if (lent->lost || lent->until_ms <= clock_mono_ms())
		inbox_drop(inbox, lent);
	else
		inbox_push(&inbox->back, lent);
}

void inbox_settle(struct inbox *inbox, struct inbox_lent *lent, bool in_front)
{
	lent->extending = false;
	if (lent->lost && lent->state > INBOX_READ) {
		inbox_drop(inbox, lent);
		return;
	}
	switch (lent->state) {
	case INBOX_WAITING:
	case INBOX_READ:
		if (!lent->lost)
			inbox_time(inbox, lent, in_front);
		break;
	case INBOX_COMMITTED:
		inbox_push(&inbox->committed, lent);
		break;
	case INBOX_BACK:
		inbox_give_back(inbox, lent);
		break;
	}
}

static void commit_one(struct inbox *inbox, struct inbox_lent *lent)
{
	inbox_untime(inbox, lent);
	if (lent->lost) { /* the service has lent it to somebody else by now */
		inbox_drop(inbox, lent);
		return;
	}
	lent->state = INBOX_COMMITTED;
	inbox->n_committed++;
	if (!lent->extending)
		inbox_push(&inbox->committed, lent);
}

void inbox_commit_before(struct inbox *inbox, uint64_t number)
{
	while (inbox->read.n > 0 && inbox->read.first->number < number)
		commit_one(inbox, inbox_pop(&inbox->read));
}

static void return_queue(struct inbox *inbox, struct inbox_queue *queue)
{
	while (queue->n > 0)
		inbox_give_back(inbox, inbox_pop(queue));
}

void inbox_return_all(struct inbox *inbox)
{
	return_queue(inbox, &inbox->read);
	return_queue(inbox, &inbox->waiting);
	inbox->waiting_bytes = 0;
}

static void queue_clear(struct inbox_queue *queue)
{
	while (queue->n > 0)
		inbox_lent_free(inbox_pop(queue));
}

void inbox_lents_clear(struct inbox *inbox)
{
	queue_clear(&inbox->waiting);
	queue_clear(&inbox->read);
	queue_clear(&inbox->committed);
	queue_clear(&inbox->back);
}
