/*
 * An answer of GetRecords: its records, in memory of their own. Pure functions, but for memory.
 *
 *   {"Records":[{"SequenceNumber":"4963…","Data":"aGk=","PartitionKey":"k","ApproximateArrivalTimestamp":1795320049.7}],
 *    "NextShardIterator":"…","MillisBehindLatest":0}
 *
 *   text ──page_read──▶ entries, one a record of the service ──page_take──▶ records, several of an entry that is an aggregate
 */
#ifndef STREAMS_KINESIS_PAGE_H
#define STREAMS_KINESIS_PAGE_H

#include "streams/kinesis/aggregate.h"
#include "streams/kinesis/lease.h"
#include "base/buf.h"
#include "streams/stream.h"

struct page_entry {
	struct record record; /* of an aggregate: without key and value */
	struct aggregate *aggregate; /* NULL: it is none */
};

struct page {
	struct page *next;
	struct seal_buf text; /* the answer; most of what records have are views of it, their data decoded in place */
	struct arena arena; /* the rest */
	size_t users; /* the queue, and each batch that has records of it */
	struct page_entry *entries;
	size_t n, cap, at; /* at: the next to be taken */
	size_t bytes; /* of memory, about */
};

struct page_answer {
	struct page *page; /* its text is the answer */
	struct seal_bytes topic; /* of them; must live as long */
	const struct hash_range *range; /* of the shard; NULL: not known */
	struct position from; /* of the record at which it begins, so much was done before */
	/* results */
	struct position last; /* of its last record; at "": there was none */
	struct seal_bytes next; /* iterator, in the page's memory; ptr NULL: the end of the shard */
	int64_t behind_ms; /* the tip of the shard is so much younger; -1: it does not say */
	size_t n_records; /* of the service */
	size_t bytes; /* of them */
	size_t foreign; /* records in aggregates that are another shard's, and were left out */
};

struct page *page_new(void); /* NULL: no memory */
void page_free(struct page *page); /* wipes; accepts NULL */
/* As new, but for memory that it has already. False: it has too much of that, and should go. */
bool page_reset(struct page *page);
/* True: nobody uses it any more; it is the caller's to free. */
bool page_leave(struct page *page);

/*
 * The page's text has been accepted by json_scan. A record that could be framed and not read is `broken`. SEAL_RETRY: one has no number, the
 * iterator is none, there is no list of them, or the answer no object; then, and without memory, the page is of no use.
 */
SEAL_MUST_USE enum seal_status page_read(struct page_answer *answer, struct seal_err *err);

/* The next record (there is one: at < n). *done: what position.done is when it is done; 0: all of its entry is. */
void page_take(struct page *page, struct record *out, uint64_t *done);

#endif
