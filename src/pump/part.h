/*
 * The parts of a record that go through an engine: its value, and by rules of their own its key and headers by name.
 *
 *   batch ─┬─ values ───────────▶ engine ─┐
 *          ├─ keys ─────────────▶ engine ─┼─▶ a record each; one part fails → the record fails
 *          └─ headers "a", "b" ─▶ engines ┘
 *
 * Each part has an engine of its own, because results live in their engine until it is used again.
 */
#ifndef PUMP_PART_H
#define PUMP_PART_H

#include "pump/pump.h"

/* Which value of which record: PART_HEADER may have several in one. */
struct part_item {
	uint32_t record; /* in the batch */
	uint32_t header; /* PART_HEADER: which of its headers */
};

struct part {
	const struct policy_topic *topic; /* its rules */
	enum record_part kind;
	struct seal_bytes header; /* PART_HEADER: the name */
	bool of_dead_letter; /* headers that were encrypted when a dead letter was made; others of the name pass */
	bool takes_key_header; /* PART_VALUE: engine_uses_key_header */
	struct engine *engine;
	/* Beside each other, in the order of the records. */
	struct part_item *items;
	struct seal_bytes *values, *key_headers;
	struct engine_result *results;
	size_t n, cap;
	size_t next; /* the first result that part_apply has not seen */
};

/* Do dead letters of `topic` go to the topics of the entry `dead`? */
bool part_goes_to(const struct policy_topic *topic, const struct policy_topic *dead);

/*
 * Which parts a run has. *out is the caller's, to be freed with parts_free; *n may be 0. Fails where engine_new, engine_check_headers
 * or engine_can_rewrap do.
 */
SEAL_MUST_USE enum seal_status parts_new(const struct pump_options *options, struct part **out, size_t *n,
					 struct seal_err *err);
void parts_free(struct part *parts, size_t n); /* accepts NULL */

/*
 * Runs this part of the batch's records; those that have failed already (`why`, by record) are left out, and those that fail
 * get their reason there, in `arena` or the engine's memory. Fails as engine_run_input does.
 */
SEAL_MUST_USE enum seal_status part_run(struct part *part, const struct batch *batch, enum engine_direction direction,
					struct arena *arena, const struct seal_err **why, struct seal_err *err);

/*
 * Puts the results of record `index` into `out`, a copy of it; headers that change are in `arena` then. Records are asked for
 * in their order. SEAL_DATA: the record cannot be written so; SEAL_FATAL: no memory.
 */
SEAL_MUST_USE enum seal_status part_apply(struct part *part, size_t index, const struct record *record,
					  enum engine_direction direction, struct arena *arena, struct record *out,
					  struct pump_counts *counts, struct seal_err *err);

#endif
