/* One walk over the answer; what is not wanted is passed over. Members of one name: the last one counts. */
#include "streams/kinesis/page.h"

#include "base/encode.h"
#include "base/mem.h"
#include "json/string.h"
#include "json/value.h"

/* What a page that is used again may have: an answer of 10,000 records of some hundred bytes. */
#define TEXT_KEEP (8u << 20)
#define ENTRIES_KEEP 16384
#define ARENA_KEEP (64u << 10)

struct page *page_new(void)
{
	struct page *page = mem_calloc(1, sizeof(*page));

	if (page != NULL) {
		arena_init(&page->arena, ARENA_KEEP);
		page->users = 1;
	}
	return page;
}

void page_free(struct page *page)
{
	if (page == NULL)
		return;
	buf_clear(&page->text);
	arena_clear(&page->arena);
	mem_free(page->entries);
	mem_free(page);
}

bool page_reset(struct page *page)
{
	if (page->text.cap > TEXT_KEEP || page->cap > ENTRIES_KEEP)
		return false;
	buf_reset(&page->text);
	arena_reset(&page->arena);
	page->next = NULL;
	page->users = 1;
	page->n = page->at = page->bytes = 0;
	return true;
}

bool page_leave(struct page *page)
{
	return --page->users == 0;
}

/* ---- one record ---- */

/* As its members stand there. */
struct raw {
	struct json_value number, time, data, key;
};

/* Seconds since 1970 with a fraction, or in exponents, as JSON has numbers. */
static int64_t arrival_ms(const struct json_value *number)
{
	char text[40];
	double seconds;

	if (!json_value_is(number, JSON_NUMBER) || number->text.len >= sizeof(text))
		return -1;
	memcpy(text, number->text.ptr, number->text.len);
	text[number->text.len] = '\0';
	seconds = strtod(text, NULL);
	return seconds >= 0 && seconds < 1e12 ? (int64_t)(seconds * 1000 + 0.5) : -1;
}

/* A record that could be framed, and no more: is its own failure. */
static enum seal_status set_broken(struct page *page, struct record *record, const struct seal_err *why,
				   struct seal_err *err)
{
	record->broken = ARENA_NEW(&page->arena, struct seal_err);
	if (record->broken == NULL)
		return err_memory(err);
	*record->broken = *why;
	return SEAL_OK;
}

static enum seal_status break_record(struct page *page, struct record *record, const char *text, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, SEAL_E_SYNTAX, "%s", text);
	return set_broken(page, record, &why, err);
}

/* Text without its escapes; ptr NULL: there is none. *good false: it has half a character. */
static enum seal_status decode(struct page *page, const struct json_value *value, struct seal_bytes *out, bool *good,
			       struct seal_err *err)
{
	*out = BYTES_EMPTY;
	*good = true;
	if (!json_value_is(value, JSON_STRING))
		return SEAL_OK;
	*good = json_string_decode(value->text, &page->arena, out);
	return *good && out->ptr == NULL ? err_memory(err) : SEAL_OK;
}

/* Base64, of which some servers escape the slashes. */
static enum seal_status read_data(struct page *page, const struct json_value *value, struct seal_bytes *out,
				  bool *good, struct seal_err *err)
{
	struct seal_bytes text;
	uint8_t *bytes;
	enum seal_status rc = decode(page, value, &text, good, err);

	*good = *good && text.ptr != NULL;
	if (rc != SEAL_OK || !*good)
		return rc;
	/* In place: nobody looks at it again. */
	bytes = value->escaped ? arena_alloc(&page->arena, BASE64_RAW_MAX(text.len), 1)
			       : page->text.ptr + (text.ptr - page->text.ptr);
	if (bytes == NULL)
		return err_memory(err);
	*out = bytes_of(bytes, 0);
	*good = base64_decode(text, bytes, &out->len);
	return SEAL_OK;
}

static enum seal_status add_entry(struct page *page, const struct record *record, struct aggregate *aggregate,
				  struct seal_err *err)
{
	if (page->n == page->cap &&
	    !mem_grow((void **)&page->entries, &page->cap, page->n + 1, sizeof(*page->entries)))
		return err_memory(err);
	page->entries[page->n++] = (struct page_entry){.record = *record, .aggregate = aggregate};
	return SEAL_OK;
}

/* Where `data` is an aggregate: *taken, as an entry, or not at all. */
static enum seal_status take_apart(struct page_answer *a, struct record *record, struct seal_bytes data, bool *taken,
				   struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	struct seal_bytes key, value;
	struct aggregate found, *aggregate;
	enum aggregate_kind kind;
	enum seal_status rc = aggregate_open(data, a->range, &a->page->arena, &found, &kind, &why);

	*taken = kind != AGGREGATE_NONE;
	if (rc == SEAL_DATA)
		return set_broken(a->page, record, &why, err);
	if (rc != SEAL_OK)
		return err_memory(err);
	a->foreign += kind != AGGREGATE_NONE ? found.foreign : 0;
	if (kind != AGGREGATE_HERE)
		return SEAL_OK;
	/* Of the one at which we begin, some were done before. */
	if (a->from.done > 0 && bytes_eq_str(record->id, a->from.at))
		while (found.at < a->from.done && aggregate_next(&found, &key, &value))
			continue;
	if (found.at == found.n)
		return SEAL_OK;
	aggregate = ARENA_NEW(&a->page->arena, struct aggregate);
	if (aggregate == NULL)
		return err_memory(err);
	*aggregate = found;
	return add_entry(a->page, record, aggregate, err);
}

static enum seal_status take_raw(struct page_answer *a, const struct raw *raw, struct seal_err *err)
{
	struct page *page = a->page;
	struct record record = {.topic = a->topic, .timestamp_ms = arrival_ms(&raw->time), .id = raw->number.text};
	bool good_key, good_data, taken = false;
	enum seal_status rc;

	if (!json_value_is(&raw->number, JSON_STRING) || raw->number.escaped || record.id.len == 0 ||
	    record.id.len >= SEQUENCE_MAX)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetRecords: a record without a number");
	record.timestamp_type = record.timestamp_ms < 0 ? TIMESTAMP_NONE : TIMESTAMP_LOG_APPEND;
	memcpy(a->last.at, record.id.ptr, record.id.len);
	a->last.at[record.id.len] = '\0';
	SEAL_TRY(decode(page, &raw->key, &record.key, &good_key, err));
	SEAL_TRY(read_data(page, &raw->data, &record.value, &good_data, err));
	a->n_records++;
	a->bytes += record.key.len + record.value.len;
	if (!good_key)
		SEAL_TRY(break_record(page, &record, "its PartitionKey has half a character", err));
	else if (!good_data)
		SEAL_TRY(break_record(page, &record, "its Data is no base64", err));
	else
		SEAL_TRY(take_apart(a, &record, record.value, &taken, err));
	if (record.broken != NULL)
		record.key = record.value = BYTES_EMPTY;
	if (!taken)
		rc = add_entry(page, &record, NULL, err);
out:
	return rc;
}

/* ---- the walk ---- */

/* In the array of records, behind its bracket. */
static enum seal_status take_records(struct page_answer *a, struct json_events *e, struct seal_err *err)
{
	struct raw raw;
	const struct json_slot slots[] = {{BYTES_LIT("Data"), &raw.data},
					  {BYTES_LIT("PartitionKey"), &raw.key},
					  {BYTES_LIT("SequenceNumber"), &raw.number},
					  {BYTES_LIT("ApproximateArrivalTimestamp"), &raw.time}};
	enum seal_status rc = SEAL_OK;

	while (rc == SEAL_OK && json_events_next(e) == JSON_EVENT_VALUE) {
		if (e->type != JSON_OBJECT) {
			(void)json_take(e);
			continue;
		}
		memset(&raw, 0, sizeof(raw));
		while (json_events_next(e) == JSON_EVENT_NAME)
			json_take_member(e, slots, sizeof(slots) / sizeof(slots[0]));
		rc = take_raw(a, &raw, err);
	}
	return rc;
}

enum seal_status page_read(struct page_answer *a, struct seal_err *err)
{
	struct json_value next = {.type = JSON_NULL}, behind = {.type = JSON_NULL};
	const struct json_slot slots[] = {{BYTES_LIT("NextShardIterator"), &next},
					  {BYTES_LIT("MillisBehindLatest"), &behind}};
	struct json_events e;
	uint64_t behind_ms;
	bool good, has_records = false;
	enum seal_status rc;

	json_events_init(&e, buf_bytes(&a->page->text));
	if (json_events_next(&e) != JSON_EVENT_VALUE || e.type != JSON_OBJECT)
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetRecords: the answer is no object");
	while (json_events_next(&e) == JSON_EVENT_NAME) {
		if (!bytes_eq_str(json_events_text(&e), "Records")) {
			json_take_member(&e, slots, sizeof(slots) / sizeof(slots[0]));
			continue;
		}
		(void)json_events_next(&e);
		has_records = e.type == JSON_ARRAY;
		if (has_records)
			SEAL_TRY(take_records(a, &e, err));
		else
			(void)json_take(&e);
	}
	if (!has_records) /* without an iterator it would be the end of the shard, for ever */
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetRecords: an answer without a list of records");
	a->behind_ms = json_value_is(&behind, JSON_NUMBER) && bytes_to_u64(behind.text, INT64_MAX, &behind_ms)
			       ? (int64_t)behind_ms
			       : -1;
	SEAL_TRY(decode(a->page, &next, &a->next, &good, err));
	if (!good)
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "GetRecords: an iterator with half a character");
	a->page->bytes = a->page->text.cap + arena_held(&a->page->arena) + a->page->cap * sizeof(*a->page->entries);
out:
	return rc;
}

void page_take(struct page *page, struct record *out, uint64_t *done)
{
	struct page_entry *entry = &page->entries[page->at];
	struct aggregate *aggregate = entry->aggregate;

	*out = entry->record;
	*done = 0;
	if (aggregate != NULL) {
		SEAL_INVARIANT(aggregate_next(aggregate, &out->key, &out->value));
		*done = aggregate->at < aggregate->n ? aggregate->at : 0;
	}
	page->at += *done == 0;
}
