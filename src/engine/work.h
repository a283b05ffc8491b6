/*
 * An engine at work, shared by its files.
 *
 *   records[i] ── first, n ──▶ spots[]  in document order: where in the record, and which cell
 *                                │
 *                                └── method, cell ──▶ lots[method].cells[]
 */
#ifndef ENGINE_WORK_H
#define ENGINE_WORK_H

#include "engine/plan.h"
#include "json/splice.h"

/* One value to be replaced. */
struct spot {
	uint32_t start, end, item_start; /* as in json_hit; all 0 for a whole payload */
	uint32_t method; /* whose lot */
	uint32_t cell; /* in that lot */
	struct seal_bytes path; /* canonical; for errors */
};

struct record_spots {
	size_t first;
	size_t n;
};

struct lot_cells {
	struct cell *cells;
	size_t n, cap;
};

struct sibling {
	const struct json_hit *hit;
	uint32_t count; /* how many values the path found */
	struct seal_bytes person; /* its value as a person, once it was asked for */
};

struct engine {
	const struct plan *plan;
	struct engine_options options;
	struct method_session **sessions; /* by method */
	struct lot_cells *lots; /* by method */
	struct plan_use *use; /* by method: of the current call, until it has succeeded */
	struct spot *spots;
	size_t n_spots, cap_spots;
	struct record_spots *records;
	size_t cap_records;
	struct json_edit *edits; /* of one record */
	size_t cap_edits;
	struct json_scan scan;
	uint64_t *matched; /* by rule: the last record (by `stamp`) in which it matched */
	uint64_t stamp, stamp_before; /* … now, and before the current call */
	struct sibling *siblings;
	struct seal_buf name, place; /* scratch: a hit's canonical path, an encoded place */
	size_t places_left; /* bytes of both that the current record may still take */
	struct arena arena; /* everything of the current batch */
	struct carrier *carriers; /* by record; see `headers` */
	size_t cap_carriers;
	struct seal_err err; /* scratch: why the current record fails */

	/* The current call. */
	const struct policy_topic *topic;
	enum engine_direction direction;
	bool whole; /* values are payloads, not JSON */
	size_t limit; /* bytes of a value, before and after */
	const struct seal_bytes *values;
	bool headers; /* these records have some: carriers count */
	size_t n;
	struct engine_result *results;
};

/* Makes room for `need` elements in a growing array. */
SEAL_MUST_USE enum seal_status engine_grow(void **array, size_t *cap, size_t need, size_t size, struct seal_err *err);

/* results[index].err becomes a copy of `why` with `path` as its place unless it has one. SEAL_FATAL without memory. */
SEAL_MUST_USE enum seal_status engine_fail(struct engine *engine, size_t index, const struct seal_err *why,
					   struct seal_bytes path, struct seal_err *err);

/* What is being transformed, for messages: "the record", "the key". */
static inline const char *engine_part(const struct engine *engine)
{
	static const char *const parts[] = {"the record", "the key", "the header"};

	return parts[engine->topic->part];
}

/* By direction: where what a method has done is counted. */
uint64_t *engine_done(struct engine *engine, size_t method);

/* Step 1: records to spots and cells. Fails only as a whole; records that fail have their result's err. */
SEAL_MUST_USE enum seal_status engine_gather(struct engine *engine, struct seal_err *err);
SEAL_MUST_USE enum seal_status engine_gather_dead_letters(struct engine *engine, struct seal_err *err);

/* Step 4: cells back into records. */
SEAL_MUST_USE enum seal_status engine_splice(struct engine *engine, struct seal_err *err);

#endif
