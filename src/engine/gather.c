/*
 * Step 1: each record is scanned once; every value that the topic's rules name, and that there is something to do
 * about, becomes a spot in its record and a cell in its method's lot.
 *
 *   what arrives                    protect               reveal
 *   plaintext                       cell                  on_plaintext, where the method's text names itself
 *   a text form                     on_protected          cell; "json+" is taken off and told by the cell's kind
 *   null                            on_null               on_null, else as plaintext
 *   anything under a one-way method cell                  stays
 *
 * Rewrapping takes what revealing takes, of the methods that can do it; values of the others stay.
 *
 * A record that fails leaves no cell behind.
 */
#include "engine/work.h"

#include <stdio.h>

#include "base/utf8.h"
#include "json/string.h"
#include "methods/text_form.h"
#include "policy/place.h"

#define PLACE_FRAME 16 /* what place_encode adds */

/* What to do with one value. SEAL_DATA: the record fails, engine->err says why. */
enum verdict { TAKE, LEAVE, REFUSE };

static enum verdict refuse(struct engine *engine, enum seal_code code, const char *text)
{
	err_set(&engine->err, SEAL_DATA, code, "%s", text);
	return REFUSE;
}

static bool looks_protected(const struct cell *cell)
{
	return text_form_looks_protected(cell->in) || (cell->kind == CELL_BYTES && text_form_is_raw(cell->in));
}

/* A prefix alone proves nothing: what is kept must be a whole text form, as a reveal would take it. */
static bool can_be_kept(const struct engine *engine, const struct cell *cell)
{
	struct text_form form;

	return text_form_parse(cell->in, &form) && !(form.json && engine->whole);
}

/* Looks at a value that is about to be protected. */
static enum verdict judge_protect(struct engine *engine, unsigned flags, const struct cell *cell)
{
	if (cell->kind == CELL_JSON || (flags & METHOD_REMOVES) != 0 || !looks_protected(cell))
		return TAKE;
	if (engine->topic->on.on_protected != ON_PROTECTED_KEEP)
		return refuse(engine, SEAL_E_PROTECTED,
			      "the value is already protected; reveal it first, or set 'on_protected: keep'");
	if (can_be_kept(engine, cell))
		return LEAVE;
	return refuse(
		engine, SEAL_E_PROTECTED,
		"the value begins like a protected one but is none, so it is not kept; correct it at its source");
}

/* Looks at a value that is about to be revealed or rewrapped; "json+" becomes the cell's kind. */
static enum verdict judge_reveal(struct engine *engine, const struct policy_method *method, struct cell *cell)
{
	const unsigned flags = method->flags;

	if ((flags & METHOD_ONE_WAY) != 0)
		return LEAVE;
	if ((flags & METHOD_TEXT_FORM) == 0)
		return TAKE;
	if (cell->kind != CELL_JSON && looks_protected(cell)) {
		if (!engine->whole && text_form_strip_json(&cell->in))
			cell->kind = CELL_JSON;
		return TAKE;
	}
	if (engine->options.refuse_plaintext)
		return refuse(engine, SEAL_E_PLAINTEXT, "the value is not protected, but the policy says it must be");
	if (engine->topic->on.on_plaintext == ON_PLAINTEXT_PASS) {
		engine->use[method->index].passed++;
		return LEAVE;
	}
	return refuse(
		engine, SEAL_E_PLAINTEXT,
		"the value is not protected, but the policy says it must be; set 'on_plaintext: pass' to let such "
		"values through");
}

static enum verdict judge(struct engine *engine, const struct policy_method *method, struct cell *cell)
{
	const unsigned flags = method->flags;

	if (cell->kind == CELL_JSON && cell->json_type == JSON_NULL && (flags & METHOD_REMOVES) == 0 &&
	    engine->topic->on.on_null == ON_NULL_KEEP)
		return LEAVE;
	if (engine->direction == ENGINE_PROTECT)
		return judge_protect(engine, flags, cell);
	if (engine->direction == ENGINE_REWRAP && engine->sessions[method->index]->ops->rewrap == NULL)
		return LEAVE;
	return judge_reveal(engine, method, cell);
}

/* Appends spot and cell. */
static enum seal_status add_cell(struct engine *engine, size_t record, const struct policy_method *method,
				 struct spot *spot, const struct cell *cell, struct seal_err *err)
{
	struct lot_cells *lot = &engine->lots[method->index];
	enum seal_status rc;

	SEAL_TRY(engine_grow((void **)&lot->cells, &lot->cap, lot->n + 1, sizeof(*lot->cells), err));
	SEAL_TRY(engine_grow((void **)&engine->spots, &engine->cap_spots, engine->n_spots + 1, sizeof(*engine->spots),
			     err));
	spot->method = method->index;
	spot->cell = (uint32_t)lot->n;
	lot->cells[lot->n] = *cell;
	lot->cells[lot->n].record = (uint32_t)record;
	lot->cells[lot->n].hit = (uint32_t)engine->n_spots;
	lot->n++;
	engine->spots[engine->n_spots++] = *spot;
out:
	return rc;
}

/* Takes back the cells of a record that failed: they are the last of their lots. */
static void drop_cells(struct engine *engine, size_t record)
{
	while (engine->n_spots > engine->records[record].first)
		engine->lots[engine->spots[--engine->n_spots].method].n--;
}

/* The decoded text of a string, or the exact text of any other value (a string without Unicode text is one). */
static enum seal_status read_value(struct engine *engine, struct seal_bytes doc, const struct json_hit *hit,
				   struct cell *cell, struct seal_err *err)
{
	cell->json_type = hit->type;
	cell->kind = CELL_JSON;
	cell->in = bytes_of(doc.ptr + hit->start, hit->end - hit->start);
	if (hit->type != JSON_STRING)
		return SEAL_OK;
	if (!hit->escaped) {
		cell->in = bytes_of(cell->in.ptr + 1, cell->in.len - 2);
	} else {
		struct seal_bytes text;

		if (!json_string_decode(bytes_of(cell->in.ptr + 1, cell->in.len - 2), &engine->arena, &text))
			return SEAL_OK;
		if (text.ptr == NULL)
			return err_memory(err);
		cell->in = text;
	}
	cell->kind = CELL_STRING;
	return SEAL_OK;
}

static enum place_kind place_kind_of(enum cell_kind kind)
{
	return kind == CELL_STRING ? PLACE_STRING : kind == CELL_JSON ? PLACE_JSON : PLACE_BYTES;
}

static void allow_places(struct engine *engine, size_t record_len)
{
	size_t most = ENGINE_PLACES_MAX;

	if (record_len < ENGINE_PLACES_MAX / ENGINE_PLACES_FACTOR)
		most = ENGINE_PLACES_LEAST + record_len * ENGINE_PLACES_FACTOR;
	engine->places_left = most < ENGINE_PLACES_MAX ? most : ENGINE_PLACES_MAX;
}

/* Takes `len` bytes of what the record may have; SEAL_DATA and engine->err when it has too many. */
static enum seal_status take_places(struct engine *engine, size_t len)
{
	if (len > engine->places_left)
		return err_set(&engine->err, SEAL_DATA, SEAL_E_LIMIT,
			       "the record's values are too many for the length of the names above them, or of the "
			       "field they are bound to");
	engine->places_left -= len;
	return SEAL_OK;
}

/* The place of a value whose rule could not know it beforehand, in the arena. SEAL_DATA: engine->err says why not. */
static enum seal_status make_place(struct engine *engine, const struct policy_bind *bind, uint32_t record_path,
				   struct seal_bytes doc, struct seal_bytes path, struct cell *cell,
				   struct seal_err *err)
{
	struct place place = {.bound = PLACE_PATH,
			      .namespace_ = bytes_str(engine->plan->policy->namespace_),
			      .name = path,
			      .kind = place_kind_of(cell->kind)};
	struct cell sibling = {.kind = CELL_JSON};
	enum seal_status rc;

	if (bind->mode == BIND_DOMAIN) {
		place.bound = PLACE_DOMAIN;
		place.name = bytes_str(bind->domain);
	} else if (bind->mode == BIND_RECORD) {
		const struct json_hit *hit = engine->siblings[record_path - engine->topic->n_rules].hit;

		SEAL_TRY(take_places(engine, hit->escaped ? hit->end - hit->start : 0));
		SEAL_TRY(read_value(engine, doc, hit, &sibling, err));
		place.bound = PLACE_RECORD;
		place.sibling_kind = place_kind_of(sibling.kind);
		place.sibling = sibling.in;
	}
	SEAL_TRY(take_places(engine, place.namespace_.len + place.name.len + place.sibling.len + PLACE_FRAME));
	buf_reset(&engine->place);
	SEAL_TRY(place_encode(&place, &engine->place, err));
	cell->place = arena_copy(&engine->arena, buf_bytes(&engine->place));
	if (cell->place.ptr == NULL)
		rc = err_memory(err);
out:
	return rc;
}

static enum seal_status bind_cell(struct engine *engine, const struct policy_rule *rule, struct seal_bytes doc,
				  struct seal_bytes path, struct cell *cell, struct seal_err *err)
{
	if ((rule->method->flags & METHOD_BINDS) == 0 || rule->method->bind.mode == BIND_NONE)
		return SEAL_OK;
	cell->place = cell->kind == CELL_STRING ? rule->place_string : rule->place_json;
	if (cell->place.len > 0)
		return SEAL_OK;
	return make_place(engine, &rule->method->bind, rule->record_path, doc, path, cell, err);
}

/*
 * The canonical path of a hit whose names differ from hit to hit, in the arena. SEAL_DATA: engine->err says why not; its
 * names are looked at before anything is made of them, for they may be long.
 */
static enum seal_status hit_path(struct engine *engine, struct seal_bytes doc, const struct json_hit *hit,
				 struct seal_bytes *path, struct seal_err *err)
{
	enum seal_status rc;

	for (size_t i = hit->steps; i < (size_t)hit->steps + hit->n_steps; i++)
		SEAL_TRY(take_places(engine, engine->scan.steps[i].end - engine->scan.steps[i].start));
	buf_reset(&engine->name);
	SEAL_TRY(json_steps_canonical(doc, engine->scan.steps + hit->steps, hit->n_steps, &engine->name, err));
	*path = arena_copy(&engine->arena, buf_bytes(&engine->name));
	if (path->ptr != NULL)
		*path = policy_path(engine->topic, *path, &engine->arena);
	if (path->ptr == NULL)
		rc = err_memory(err);
out:
	return rc;
}

/*
 * The sibling's value as text: whose key it is. Read once for all values of the record; SEAL_DATA: engine->err says why not.
 * A number counts by its digits as they are, so 7 and "7" are one, 7.0 is another.
 */
static enum seal_status read_person(struct engine *engine, const char *name, struct seal_bytes doc,
				    struct sibling *sibling, struct seal_err *err)
{
	struct cell cell = {.kind = CELL_JSON};
	enum seal_status rc;

	SEAL_TRY(read_value(engine, doc, sibling->hit, &cell, err));
	if (cell.kind != CELL_STRING && cell.json_type != JSON_NUMBER)
		return err_set(&engine->err, SEAL_DATA, SEAL_E_MISSING,
			       "%s says whose key the value gets, and must be text or a number", name);
	/* Somebody has protected it on the way: each record would be a person of its own, whom nobody can forget. */
	if (text_form_looks_protected(cell.in))
		return err_set(&engine->err, SEAL_DATA, SEAL_E_PROTECTED,
			       "%s says whose key the value gets, but is protected itself; reveal it first", name);
	if (cell.in.len == 0 || cell.in.len > CELL_PERSON_MAX)
		return err_set(&engine->err, SEAL_DATA, SEAL_E_LIMIT,
			       "%s says whose key the value gets, and must have 1 to %d bytes", name,
			       CELL_PERSON_MAX);
	sibling->person = cell.in;
out:
	return rc;
}

static enum seal_status person_cell(struct engine *engine, const struct policy_rule *rule, struct seal_bytes doc,
				    struct cell *cell, struct seal_err *err)
{
	struct sibling *sibling;
	enum seal_status rc = SEAL_OK;

	if (rule->per_path == UINT32_MAX || engine->direction != ENGINE_PROTECT)
		return SEAL_OK;
	sibling = &engine->siblings[rule->per_path - engine->topic->n_rules];
	if (sibling->count != 1)
		return err_set(&engine->err, SEAL_DATA, SEAL_E_MISSING,
			       "the value gets the key of %s, which the record has %s", rule->method->per.text,
			       sibling->count == 0 ? "not" : "more than once");
	if (sibling->person.ptr == NULL)
		SEAL_TRY(read_person(engine, rule->method->per.text, doc, sibling, err));
	cell->person = sibling->person;
out:
	return rc;
}

static enum seal_status fail_here(struct engine *engine, size_t record, struct seal_bytes path, struct seal_err *err)
{
	drop_cells(engine, record);
	return engine_fail(engine, record, &engine->err, path, err);
}

/* The record fails as a whole, or the key or header that the topic is about; engine->err may say at which byte. */
static enum seal_status fail_part(struct engine *engine, size_t record, struct seal_err *err)
{
	const struct policy_topic *topic = engine->topic;
	char byte[sizeof(engine->err.place)];

	if (topic->part == PART_VALUE)
		return fail_here(engine, record, BYTES_EMPTY, err);
	if (engine->err.place[0] != '\0') {
		memcpy(byte, engine->err.place, sizeof(byte));
		snprintf(engine->err.place, sizeof(engine->err.place), "%s, %.40s", topic->root, byte);
	}
	return fail_here(engine, record, bytes_str(topic->root), err);
}

/* A value bound to a sibling needs exactly one; false, and engine->err, where it is not so. */
static bool siblings_fit(struct engine *engine, const struct policy_rule *rule)
{
	const struct sibling *sibling;

	if (rule->record_path == UINT32_MAX)
		return true;
	sibling = &engine->siblings[rule->record_path - engine->topic->n_rules];
	if (sibling->count == 1)
		return true;
	err_set(&engine->err, SEAL_DATA, SEAL_E_MISSING, "the value is bound to %s, which the record has %s",
		rule->method->bind.record, sibling->count == 0 ? "not" : "more than once");
	return false;
}

/* False, and engine->err, when the record has too many values: memory is bounded by records, not by their shape. */
static bool has_room(struct engine *engine, size_t record)
{
	if (engine->n_spots - engine->records[record].first < ENGINE_CELLS_MAX)
		return true;
	err_set(&engine->err, SEAL_DATA, SEAL_E_LIMIT, "the record has more than %u values that the policy names",
		ENGINE_CELLS_MAX);
	return false;
}

static enum seal_status gather_hit(struct engine *engine, size_t record, const struct json_hit *hit,
				   struct seal_err *err)
{
	const struct policy_rule *rule = &engine->topic->rules[hit->path];
	const struct seal_bytes doc = engine->values[record];
	struct spot spot = {.start = hit->start, .end = hit->end, .item_start = hit->item_start, .path = rule->path};
	struct cell cell = {.form = FORM_UNSET};
	enum verdict verdict;
	enum seal_status rc;

	engine->matched[hit->path] = engine->stamp;
	SEAL_TRY(read_value(engine, doc, hit, &cell, err));
	verdict = judge(engine, rule->method, &cell);
	if (verdict == LEAVE)
		goto out;
	rc = rule->dynamic ? hit_path(engine, doc, hit, &spot.path, err) : SEAL_OK;
	if (rc == SEAL_OK && verdict == TAKE) {
		rc = siblings_fit(engine, rule) && has_room(engine, record) ? SEAL_OK : SEAL_DATA;
		if (rc == SEAL_OK)
			rc = bind_cell(engine, rule, doc, spot.path, &cell, err);
		if (rc == SEAL_OK)
			rc = person_cell(engine, rule, doc, &cell, err);
	}
	if (rc == SEAL_DATA || (rc == SEAL_OK && verdict == REFUSE)) {
		engine->use[rule->method->index].failed++;
		rc = fail_here(engine, record, spot.path, err);
		goto out;
	}
	SEAL_TRY(rc);
	rc = add_cell(engine, record, rule->method, &spot, &cell, err);
out:
	return rc;
}

/* Notes the values that others are bound to, or whose keys they get. */
static void find_siblings(struct engine *engine)
{
	memset(engine->siblings, 0,
	       engine->plan->topics[engine->topic->index].n_siblings * sizeof(*engine->siblings));
	for (size_t i = 0; i < engine->scan.n_hits; i++) {
		const struct json_hit *hit = &engine->scan.hits[i];

		if (hit->path >= engine->topic->n_rules) {
			engine->siblings[hit->path - engine->topic->n_rules].hit = hit;
			engine->siblings[hit->path - engine->topic->n_rules].count++;
		}
	}
}

/* on_missing: reject: every rule but `remove` must have found something. */
static enum seal_status check_missing(struct engine *engine, size_t record, struct seal_err *err)
{
	const struct policy_topic *topic = engine->topic;

	for (size_t i = 0; i < topic->n_rules; i++) {
		const struct policy_rule *rule = &topic->rules[i];

		if (engine->matched[i] == engine->stamp || (rule->method->flags & METHOD_REMOVES) != 0)
			continue;
		err_set(&engine->err, SEAL_DATA, SEAL_E_MISSING,
			"the record does not have this field; set 'on_missing: ignore' to let such records through");
		return fail_here(engine, record, rule->path, err);
	}
	return SEAL_OK;
}

static enum seal_status gather_json(struct engine *engine, size_t record, struct seal_err *err)
{
	const size_t n_siblings = engine->plan->topics[engine->topic->index].n_siblings;
	enum seal_status rc;

	engine->stamp++;
	allow_places(engine, engine->values[record].len);
	rc = json_scan(engine->topic->paths, engine->values[record], &engine->scan, &engine->err);
	if (rc == SEAL_DATA)
		return fail_part(engine, record, err);
	if (rc != SEAL_OK)
		return err_set(err, rc, engine->err.code, "%s", engine->err.text);
	if (n_siblings > 0)
		find_siblings(engine);
	for (size_t i = 0; i < engine->scan.n_hits && engine->results[record].err == NULL; i++) {
		const struct json_hit *hit = &engine->scan.hits[i];

		if (hit->path < engine->topic->n_rules)
			SEAL_TRY(gather_hit(engine, record, hit, err));
	}
	if (engine->topic->on.on_missing == ON_MISSING_REJECT && engine->results[record].err == NULL)
		SEAL_TRY(check_missing(engine, record, err));
out:
	return rc;
}

/* A whole payload, key or header under the topic's one rule, if it has one. */
static enum seal_status gather_whole(struct engine *engine, size_t record, struct seal_err *err)
{
	const bool text = engine->topic->format == FORMAT_TEXT;
	const struct policy_rule *rule = engine->topic->rules;
	struct cell cell = {.kind = text ? CELL_STRING : CELL_BYTES,
			    .json_type = text ? JSON_STRING : 0,
			    .in = engine->values[record]};
	struct spot spot = {.start = 0};

	SEAL_INVARIANT(engine->topic->n_rules <= 1);
	if (engine->topic->n_rules == 0)
		return SEAL_OK;
	spot.path = rule->path;
	engine->matched[0] = ++engine->stamp;
	if (text && !utf8_valid(cell.in)) {
		err_set(&engine->err, SEAL_DATA, SEAL_E_SYNTAX, "it is not UTF-8 text%s",
			engine->topic->part == PART_KEY ? "; for keys that are bytes set 'key_format: bytes'" : "");
		return fail_part(engine, record, err);
	}
	switch (judge(engine, rule->method, &cell)) {
	case LEAVE:
		return SEAL_OK;
	case REFUSE:
		engine->use[rule->method->index].failed++;
		return fail_here(engine, record, spot.path, err);
	case TAKE:
		break;
	}
	if ((rule->method->flags & METHOD_BINDS) != 0)
		cell.place = text ? rule->place_string : rule->place_bytes;
	return add_cell(engine, record, rule->method, &spot, &cell, err);
}

enum seal_status engine_gather(struct engine *engine, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < engine->n; i++) {
		engine->records[i].first = engine->n_spots;
		err_clear(&engine->err);
		if (engine->values[i].ptr != NULL) {
			if (engine->values[i].len > engine->limit) {
				err_set(&engine->err, SEAL_DATA, SEAL_E_LIMIT,
					"%s has %zu bytes, more than the limit of %zu", engine_part(engine),
					engine->values[i].len, engine->limit);
				SEAL_TRY(fail_part(engine, i, err));
			} else if (engine->whole) {
				SEAL_TRY(gather_whole(engine, i, err));
			} else {
				SEAL_TRY(gather_json(engine, i, err));
			}
		}
		engine->records[i].n = engine->n_spots - engine->records[i].first;
	}
out:
	return rc;
}

enum seal_status engine_gather_dead_letters(struct engine *engine, struct seal_err *err)
{
	const struct policy_method *method = engine->topic->dead_letter_method;
	struct cell cell = {.kind = CELL_BYTES};
	enum seal_status rc;

	SEAL_INVARIANT(method->bind.mode == BIND_DOMAIN);
	allow_places(engine, 0);
	SEAL_TRY(make_place(engine, &method->bind, UINT32_MAX, BYTES_EMPTY, BYTES_EMPTY, &cell, err));
	for (size_t i = 0; i < engine->n; i++) {
		struct spot spot = {.start = 0};

		engine->records[i] = (struct record_spots){engine->n_spots, engine->values[i].ptr != NULL};
		cell.in = engine->values[i];
		if (cell.in.ptr != NULL)
			SEAL_TRY(add_cell(engine, i, method, &spot, &cell, err));
	}
out:
	return rc;
}
