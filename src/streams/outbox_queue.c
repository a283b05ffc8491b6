/*
 * Which records wait for what; see outbox_work.h.
 *
 *   ANY      all are loose
 *   ONE      a request takes the oldest record of each lane in the target's list, and loose ones between by age
 *   SEVERAL  … as many records of a lane as fit
 *   ALONE    … records of one lane, or loose ones, whichever waits longer
 *
 * target.n and .bytes count loose records and what a lane in its list adds: its first record in ONE, else all that wait in it.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/siphash.h"
#include "streams/outbox_work.h"

/* ---- queues ---- */

static void push(struct outbox_queue *queue, struct outbox_entry *entry)
{
	entry->next = NULL;
	if (queue->last != NULL)
		queue->last->next = entry;
	else
		queue->first = entry;
	queue->last = entry;
	queue->n++;
	queue->bytes += entry->item.bytes;
}

static void push_front(struct outbox_queue *queue, struct outbox_entry *entry)
{
	entry->next = queue->first;
	queue->first = entry;
	if (queue->last == NULL)
		queue->last = entry;
	queue->n++;
	queue->bytes += entry->item.bytes;
}

static struct outbox_entry *pop(struct outbox_queue *queue)
{
	struct outbox_entry *entry = queue->first;

	queue->first = entry->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->n--;
	queue->bytes -= entry->item.bytes;
	entry->next = NULL;
	return entry;
}

/* ---- entries ---- */

size_t outbox_cost(const struct record *record)
{
	size_t size = sizeof(struct outbox_entry) + record->n_headers * sizeof(struct record_header);

	size += record->key.len + record->value.len + record->topic.len + record->id.len;
	for (size_t i = 0; i < record->n_headers; i++)
		size += record->headers[i].name.len + record->headers[i].value.len;
	return size;
}

/* NULL stays NULL, and empty stays a pointer. */
static struct seal_bytes copy(uint8_t **to, struct seal_bytes bytes)
{
	struct seal_bytes out = {bytes.ptr == NULL ? NULL : *to, bytes.len};

	if (bytes.len > 0)
		memcpy(*to, bytes.ptr, bytes.len);
	*to += bytes.len;
	return out;
}

static void copy_record(struct outbox_entry *entry, const struct record *record)
{
	struct record_header *headers = (struct record_header *)(entry + 1);
	uint8_t *to = (uint8_t *)(headers + record->n_headers);

	entry->record = *record;
	entry->record.native = NULL;
	entry->record.headers = record->n_headers > 0 ? headers : NULL;
	for (size_t i = 0; i < record->n_headers; i++) {
		headers[i].name = copy(&to, record->headers[i].name);
		headers[i].value = copy(&to, record->headers[i].value);
	}
	entry->record.key = copy(&to, record->key);
	entry->record.value = copy(&to, record->value);
	entry->record.topic = copy(&to, record->topic);
	entry->record.id = copy(&to, record->id);
}

enum seal_status outbox_entry_new(struct outbox *o, const struct record *record, struct outbox_entry **out,
				  struct seal_err *err)
{
	const size_t size = outbox_cost(record);
	struct outbox_entry *entry = mem_alloc(size);
	enum seal_status rc;

	*out = NULL;
	if (entry == NULL)
		return err_memory(err);
	*entry = (struct outbox_entry){.size = size, .due_ms = clock_mono_ms() + o->config.linger_ms};
	copy_record(entry, record);
	entry->item.record = &entry->record;
	SEAL_TRY(o->service->measure(o->arg, &entry->record, &entry->item.bytes, err));
	if (o->config.order != OUTBOX_ANY)
		entry->item.lane =
			o->service->lane != NULL ? o->service->lane(o->arg, &entry->record) : entry->record.key;
	*out = entry;
out:
	if (rc != SEAL_OK)
		outbox_entry_free(entry);
	return rc;
}

void outbox_entry_free(struct outbox_entry *entry)
{
	mem_wipe(entry, entry->size);
	mem_free(entry);
}

/* ---- targets and lanes ---- */

static enum seal_status find_target(struct outbox *o, struct seal_bytes name, struct outbox_target **out,
				    struct seal_err *err)
{
	struct outbox_target *target = o->targets, **end = &o->targets;
	unsigned n = 0;

	for (; target != NULL; end = &target->next, target = target->next, n++) {
		if (bytes_eq(bytes_of(target->name, target->name_len), name)) {
			*out = target;
			return SEAL_OK;
		}
	}
	if (n == OUTBOX_TARGETS_MAX)
		return err_set(err, SEAL_USAGE, SEAL_E_LIMIT, "%s: records for more than %d targets", o->name,
			       OUTBOX_TARGETS_MAX);
	target = mem_calloc(1, sizeof(*target) + name.len);
	if (target == NULL)
		return err_memory(err);
	target->name_len = name.len;
	if (name.len > 0)
		memcpy(target->name, name.ptr, name.len);
	*end = *out = target;
	if (o->turn == NULL)
		o->turn = target;
	return SEAL_OK;
}

static void lane_free(struct outbox_lane *lane)
{
	mem_wipe(lane->key, lane->key_len);
	mem_free(lane);
}

static enum seal_status find_lane(struct outbox *o, struct outbox_target *target, struct seal_bytes key,
				  struct outbox_lane **out, struct seal_err *err)
{
	/* Targets are few: records of one key for two of them share a chain. Keyed, as others choose the keys. */
	const uint64_t hash = siphash(o->hash_key, key);
	struct outbox_lane *lane;
	struct table_node *node = NULL;

	while ((node = table_find(&o->lanes, hash, node)) != NULL) {
		lane = (struct outbox_lane *)node;
		if (lane->target == target && bytes_eq(bytes_of(lane->key, lane->key_len), key)) {
			*out = lane;
			return SEAL_OK;
		}
	}
	lane = mem_calloc(1, sizeof(*lane) + key.len);
	if (lane == NULL)
		return err_memory(err);
	lane->target = target;
	lane->key_len = key.len;
	memcpy(lane->key, key.ptr, key.len);
	if (table_add(&o->lanes, &lane->node, hash, err) != SEAL_OK) {
		lane_free(lane);
		return SEAL_FATAL;
	}
	*out = lane;
	return SEAL_OK;
}

static void lane_drop(struct outbox *o, struct outbox_lane *lane)
{
	table_remove(&o->lanes, &lane->node);
	lane_free(lane);
}

enum seal_status outbox_join(struct outbox *o, struct outbox_entry *entry, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(find_target(o, entry->record.topic, &entry->target, err));
	if (entry->item.lane.len == 0)
		goto out;
	SEAL_TRY(find_lane(o, entry->target, entry->item.lane, &entry->lane, err));
	entry->lane->users++;
out:
	return rc;
}

void outbox_leave(struct outbox *o, struct outbox_entry *entry)
{
	struct outbox_lane *lane = entry->lane;

	entry->lane = NULL;
	if (lane != NULL && --lane->users == 0 && !lane->busy)
		lane_drop(o, lane);
}

/* ---- the list of lanes that can send ---- */

static bool lane_is_full(const struct outbox *o, const struct outbox_lane *lane)
{
	return lane->waiting.n >= o->config.records || lane->waiting.bytes >= o->config.bytes;
}

static void list(struct outbox *o, struct outbox_lane *lane, bool in_front)
{
	struct outbox_target *target = lane->target;
	const bool one = o->config.order == OUTBOX_ONE;

	lane->older = in_front ? NULL : target->last;
	lane->newer = in_front ? target->first : NULL;
	*(lane->older != NULL ? &lane->older->newer : &target->first) = lane;
	*(lane->newer != NULL ? &lane->newer->older : &target->last) = lane;
	target->n += one ? 1 : lane->waiting.n;
	target->bytes += one ? lane->waiting.first->item.bytes : lane->waiting.bytes;
}

static void unlist(struct outbox *o, struct outbox_lane *lane)
{
	struct outbox_target *target = lane->target;
	const bool one = o->config.order == OUTBOX_ONE;

	*(lane->older != NULL ? &lane->older->newer : &target->first) = lane->newer;
	*(lane->newer != NULL ? &lane->newer->older : &target->last) = lane->older;
	lane->older = lane->newer = NULL;
	target->n -= one ? 1 : lane->waiting.n;
	target->bytes -= one ? lane->waiting.first->item.bytes : lane->waiting.bytes;
}

void outbox_put(struct outbox *o, struct outbox_entry *entry)
{
	struct outbox_lane *lane = entry->lane;
	bool was_full;

	if (lane == NULL) {
		push(&entry->target->loose, entry);
		entry->target->n++;
		entry->target->bytes += entry->item.bytes;
		return;
	}
	was_full = lane_is_full(o, lane);
	push(&lane->waiting, entry);
	if (lane->busy)
		return;
	if (lane->waiting.n == 1) {
		list(o, lane, false);
	} else if (o->config.order != OUTBOX_ONE) {
		lane->target->n++;
		lane->target->bytes += entry->item.bytes;
	}
	/* One that fills a request of its own need not wait for lanes that do not. */
	if (o->config.order == OUTBOX_ALONE && !was_full && lane_is_full(o, lane)) {
		unlist(o, lane);
		list(o, lane, true);
	}
}

/* ---- requests ---- */

/* Does the next one fit? The first always does: what is too long for a request was refused by measure. */
static bool fits(const struct outbox *o, const struct outbox_thread *thread, size_t bytes,
		 const struct outbox_entry *entry)
{
	return thread->n == 0 || (thread->n < o->config.records && bytes + entry->item.bytes <= o->config.bytes);
}

static void take_entry(struct outbox_thread *thread, struct outbox_queue *queue, size_t *bytes)
{
	struct outbox_entry *entry = pop(queue);

	*bytes += entry->item.bytes;
	thread->items[thread->n++] = &entry->item;
}

static void take_loose(struct outbox_thread *thread, struct outbox_target *target, size_t *bytes)
{
	target->n--;
	target->bytes -= target->loose.first->item.bytes;
	take_entry(thread, &target->loose, bytes);
}

static void take_lane(struct outbox *o, struct outbox_thread *thread, struct outbox_lane *lane, size_t *bytes)
{
	unlist(o, lane);
	lane->busy = true;
	do
		take_entry(thread, &lane->waiting, bytes);
	while (o->config.order != OUTBOX_ONE && lane->waiting.n > 0 && fits(o, thread, *bytes, lane->waiting.first));
}

/* The older of what a request could begin with: a lane (true), or a loose record. */
static bool lane_is_next(const struct outbox_target *target)
{
	if (target->first == NULL || target->loose.first == NULL)
		return target->first != NULL;
	return target->first->waiting.first->item.number < target->loose.first->item.number;
}

static void take_request(struct outbox *o, struct outbox_thread *thread, struct outbox_target *target)
{
	const bool alone = o->config.order == OUTBOX_ALONE;
	size_t bytes = 0;

	thread->n = 0;
	if (alone && lane_is_next(target)) {
		take_lane(o, thread, target->first, &bytes);
		return;
	}
	while (target->n > 0 && !(alone && target->loose.n == 0)) {
		const bool lane = !alone && lane_is_next(target);

		if (!fits(o, thread, bytes, lane ? target->first->waiting.first : target->loose.first))
			break;
		if (lane)
			take_lane(o, thread, target->first, &bytes);
		else
			take_loose(thread, target, &bytes);
	}
}

/* When a request of this target is due: 0: now, as it is full; DEADLINE_NONE: it has none. */
static uint64_t due_ms(const struct outbox *o, const struct outbox_target *target)
{
	const bool alone = o->config.order == OUTBOX_ALONE;
	const struct outbox_queue *lane = target->first != NULL ? &target->first->waiting : NULL;
	size_t n = target->n, bytes = target->bytes;
	uint64_t due = DEADLINE_NONE;

	if (alone) {
		const struct outbox_queue *next = lane_is_next(target) ? lane : &target->loose;

		n = next->n;
		bytes = next->bytes;
	}
	if (n >= o->config.records || bytes >= o->config.bytes)
		return 0;
	if (lane != NULL)
		due = lane->first->due_ms;
	if (target->loose.n > 0 && target->loose.first->due_ms < due)
		due = target->loose.first->due_ms;
	return due != DEADLINE_NONE && o->hurries > 0 ? 0 : due;
}

bool outbox_take(struct outbox *o, struct outbox_thread *thread, uint64_t now_ms, uint64_t *until_ms)
{
	struct outbox_target *target = o->turn;

	*until_ms = DEADLINE_NONE;
	if (target == NULL)
		return false;
	do { /* each once, beginning behind the one that had the last turn */
		uint64_t due;

		target = target->next != NULL ? target->next : o->targets;
		due = due_ms(o, target);
		if (due <= now_ms) {
			o->turn = target;
			take_request(o, thread, target);
			return true;
		}
		*until_ms = due < *until_ms ? due : *until_ms;
	} while (target != o->turn);
	return false;
}

void outbox_give_back(struct outbox *o, struct outbox_entry *entry)
{
	if (entry->lane != NULL) {
		SEAL_INVARIANT(entry->lane->busy);
		push_front(&entry->lane->waiting, entry);
		return;
	}
	push_front(&entry->target->loose, entry);
	entry->target->n++;
	entry->target->bytes += entry->item.bytes;
}

void outbox_lane_done(struct outbox *o, struct outbox_lane *lane)
{
	lane->busy = false;
	if (lane->waiting.n > 0)
		list(o, lane, lane->waiting.first->item.tries > 0);
	else if (lane->users == 0)
		lane_drop(o, lane);
}

static void queue_free(struct outbox_queue *queue)
{
	while (queue->n > 0) {
		struct outbox_entry *entry = pop(queue);

		entry->lane = NULL;
		outbox_entry_free(entry);
	}
}

void outbox_queue_clear(struct outbox *o)
{
	struct table_node *node;

	while ((node = table_next(&o->lanes, NULL)) != NULL) {
		struct outbox_lane *lane = (struct outbox_lane *)node;

		queue_free(&lane->waiting);
		lane_drop(o, lane);
	}
	table_clear(&o->lanes);
	for (struct outbox_target *target = o->targets, *next; target != NULL; target = next) {
		next = target->next;
		queue_free(&target->loose);
		mem_free(target);
	}
}
