/*
 * Judging records: each part is revealed, under rules that let nothing pass in clear, and what came back is thrown away; then its
 * values are looked at as they stand in the record, for what reveals to nothing.
 *
 *   batch ─ part_run ─┬─ fails: why[i]
 *                     └─ reveals ─ each value a rule names ─┬─ text form: authentic; its key version
 *                                                           ├─ one-way: could it be a result? else why[i]
 *                                                           ├─ `remove`: must not be there
 *                                                           └─ fpe, transform: it has the shape, no more
 *
 * Values count for their fields only when their whole record is good.
 */
#include "cmd/verify.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "json/string.h"
#include "methods/envelope_header.h"
#include "methods/text_form.h"
#include "pump/dead.h"

/* A value that counts when its record turns out good. */
struct seen {
	struct verify_field *field;
	uint32_t version; /* 0: none to be seen */
	bool null;
};

struct seen_list {
	struct seen *at;
	size_t n, cap;
};

/* A token that has its value's shape opens, too; but so may a plain value, as half of that shape may be tokens. */
static enum verify_proof proof_of(const struct policy_method *method)
{
	return (method->flags & (METHOD_TEXT_FORM | METHOD_TRANSFORM_KEY)) == METHOD_TEXT_FORM ? VERIFY_AUTHENTIC
											       : VERIFY_SHAPE;
}

static const char *field_path(const struct verify *v, const struct part *part, const struct policy_rule *rule)
{
	if (part->of_dead_letter)
		return arena_printf(v->arena, "header:%.*s", BYTES_FMT(part->header));
	return arena_strndup(v->arena, (const char *)rule->path.ptr, rule->path.len);
}

static enum seal_status view_part(struct verify *v, struct part *part, struct verify_part *view, struct seal_err *err)
{
	view->part = part;
	view->n_fields = part->topic->n_rules;
	view->fields = arena_alloc(v->arena, view->n_fields * sizeof(*view->fields), _Alignof(struct verify_field));
	if (view->fields == NULL)
		return err_memory(err);
	for (size_t i = 0; i < view->n_fields; i++) {
		const struct policy_rule *rule = &part->topic->rules[i];

		view->fields[i] = (struct verify_field){
			.path = field_path(v, part, rule), .method = rule->method, .proof = proof_of(rule->method)};
		if (view->fields[i].path == NULL)
			return err_memory(err);
	}
	return SEAL_OK;
}

enum seal_status verify_begin(struct verify *v, const struct plan *plan, const struct policy_topic *topic,
			      bool headers, struct seal_err *err)
{
	const struct pump_options options = {
		.plan = plan,
		.topic = topic,
		.direction = ENGINE_REVEAL,
		.headers = headers,
		.engine = {.max_record_bytes = (size_t)v->options->max_record_bytes, .refuse_plaintext = true},
	};
	enum seal_status rc;

	v->policy = plan_policy(plan);
	v->topic = topic;
	arena_init(&v->scratch, STREAM_BATCH_BYTES);
	SEAL_TRY(parts_new(&options, &v->parts, &v->n_parts, err));
	v->why = mem_calloc(STREAM_BATCH_RECORDS, sizeof(*v->why));
	v->views = mem_calloc(v->n_parts + 1, sizeof(*v->views));
	if (v->why == NULL || v->views == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (size_t i = 0; i < v->n_parts; i++)
		SEAL_TRY(view_part(v, &v->parts[i], &v->views[i], err));
out:
	return rc;
}

void verify_clear(struct verify *v)
{
	parts_free(v->parts, v->n_parts);
	mem_free(v->views);
	mem_free(v->why);
	mem_free(v->ranges);
	mem_free(v->failures);
	json_scan_clear(&v->scan);
	arena_clear(&v->scratch);
}

/* ---- one value ---- */

static enum seal_status note(struct seen_list *seen, struct verify_field *field, uint32_t version, bool null,
			     struct seal_err *err)
{
	if (!mem_grow((void **)&seen->at, &seen->cap, seen->n + 1, sizeof(*seen->at)))
		return err_memory(err);
	seen->at[seen->n++] = (struct seen){field, version, null};
	return SEAL_OK;
}

/* The text is one that was opened. `key_header`: of the record, or empty. */
static uint32_t version_of(struct seal_bytes text, struct seal_bytes key_header)
{
	struct text_form form;

	if (!text_form_parse(text, &form))
		return 0;
	return form.entry != NULL ? key_header_version(key_header, form.entry) : form.version;
}

/* SEAL_DATA: the value is not what its method leaves behind, and `why` says so. `text` as in method_kind.could_be. */
static enum seal_status look(struct verify_field *field, bool string, struct seal_bytes text,
			     struct seal_bytes key_header, struct seen_list *seen, struct seal_err *why)
{
	const struct policy_method *method = field->method;
	enum seal_status rc = SEAL_OK;

	if ((method->flags & METHOD_REMOVES) != 0)
		rc = err_set(why, SEAL_DATA, SEAL_E_PLAINTEXT, "the field is there, but the policy removes it");
	else if (method->kind->could_be != NULL && !method->kind->could_be(method->options, string, text))
		rc = err_set(why, SEAL_DATA, SEAL_E_PLAINTEXT, "the value is not what %s makes; it may be in clear",
			     method->kind->name);
	else
		rc = note(seen, field, (method->flags & METHOD_TEXT_FORM) != 0 ? version_of(text, key_header) : 0,
			  false, why);
	if (rc == SEAL_DATA)
		err_place(why, "%s", field->path);
	return rc;
}

static enum seal_status look_at_hit(struct verify *v, struct verify_part *view, size_t item,
				    const struct json_hit *hit, struct seen_list *seen, struct seal_err *why)
{
	const struct part *part = view->part;
	struct verify_field *field = &view->fields[hit->path];
	struct seal_bytes text = bytes_of(part->values[item].ptr + hit->start, hit->end - hit->start);
	bool string = hit->type == JSON_STRING;

	if (hit->type == JSON_NULL && part->topic->on.on_null == ON_NULL_KEEP &&
	    (field->method->flags & METHOD_REMOVES) == 0)
		return note(seen, field, 0, true, why);
	if (string) {
		struct seal_bytes decoded, raw = bytes_of(text.ptr + 1, text.len - 2);

		if (!hit->escaped)
			text = raw;
		else if (!json_string_decode(raw, &v->scratch, &decoded))
			string = false; /* no Unicode text */
		else if (decoded.ptr == NULL)
			return err_memory(why);
		else
			text = decoded;
	}
	return look(field, string, text, part->takes_key_header ? part->key_headers[item] : BYTES_EMPTY, seen, why);
}

static enum seal_status look_at_value(struct verify *v, struct verify_part *view, size_t item, struct seen_list *seen,
				      struct seal_err *why)
{
	const struct part *part = view->part;
	const struct seal_bytes value = part->values[item];
	enum seal_status rc = SEAL_OK;

	if (value.ptr == NULL || part->topic->n_rules == 0)
		return SEAL_OK;
	if (part->topic->format != FORMAT_JSON)
		return look(&view->fields[0], true, value,
			    part->takes_key_header ? part->key_headers[item] : BYTES_EMPTY, seen, why);
	SEAL_TRY(json_scan(part->topic->paths, value, &v->scan, why));
	for (size_t i = 0; i < v->scan.n_hits; i++)
		if (v->scan.hits[i].path < part->topic->n_rules)
			SEAL_TRY(look_at_hit(v, view, item, &v->scan.hits[i], seen, why));
out:
	return rc;
}

/* ---- dead letters ---- */

static enum seal_status in_clear(const char *place, struct seal_err *why)
{
	err_place(why, "%s", place);
	return err_set(
		why, SEAL_DATA, SEAL_E_PLAINTEXT,
		"it is in clear, but the policy protects it in the topic that the dead letter is of, or may be");
}

/* What letters of `from` must not show: part_run passes it, for letters of other topics may. */
static enum seal_status look_at_letter_of(const struct policy_topic *from, const struct record *record,
					  struct seal_err *why)
{
	if (from->key != NULL && record->key.ptr != NULL)
		return in_clear("key", why);
	for (const struct policy_topic *const *at = from->headers; at != NULL && *at != NULL; at++)
		for (size_t i = 0; i < record->n_headers; i++)
			if (bytes_eq_str(record->headers[i].name, (*at)->header) &&
			    record->headers[i].value.ptr != NULL &&
			    !text_form_looks_protected(record->headers[i].value))
				return in_clear((*at)->root, why);
	return SEAL_OK;
}

/* By the topic that the letter says it is of; one that names none of those with these dead letters could be of any. */
static enum seal_status look_at_letter(const struct verify *v, const struct record *record, struct seal_err *why)
{
	const struct policy_topic *from = NULL;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq(record->headers[i].name, BYTES_LIT(DEAD_TOPIC_HEADER)))
			from = policy_topic_find(v->policy, record->headers[i].value); /* the last one is ours */
	if (from != NULL && part_goes_to(from, v->topic))
		return look_at_letter_of(from, record, why);
	for (size_t i = 0; i < v->policy->n_entries && rc == SEAL_OK; i++)
		if (part_goes_to(&v->policy->topics[i], v->topic))
			rc = look_at_letter_of(&v->policy->topics[i], record, why);
	return rc;
}

/* ---- counts ---- */

static void count_version(struct verify_field *field, uint32_t version)
{
	struct verify_version *at = field->versions, *end = at + field->n_versions;

	if (version == 0) {
		field->no_version++;
		return;
	}
	while (at < end && at->version != version)
		at++;
	if (at == end && field->n_versions == VERIFY_VERSIONS_MAX) {
		field->other_versions++;
		return;
	}
	if (at == end) {
		*at = (struct verify_version){.version = version};
		field->n_versions++;
	}
	at->values++;
}

static void count_seen(const struct seen_list *seen)
{
	for (size_t i = 0; i < seen->n; i++) {
		struct verify_field *field = seen->at[i].field;

		field->nulls += seen->at[i].null;
		field->values += !seen->at[i].null;
		if (!seen->at[i].null && field->proof == VERIFY_AUTHENTIC)
			count_version(field, seen->at[i].version);
	}
}

static enum seal_status count_range(struct verify *v, const struct record *record, struct seal_err *err)
{
	struct verify_range *range = v->ranges, *end = v->ranges + v->n_ranges;

	while (range < end && range->partition != record->partition)
		range++;
	if (range == end && v->n_ranges == VERIFY_RANGES_MAX) {
		v->beyond_ranges++;
		return SEAL_OK;
	}
	if (range == end) {
		if (!mem_grow((void **)&v->ranges, &v->cap_ranges, v->n_ranges + 1, sizeof(*v->ranges)))
			return err_memory(err);
		range = &v->ranges[v->n_ranges++];
		*range = (struct verify_range){.partition = record->partition, .first = record->offset};
	}
	range->last = record->offset;
	range->records++;
	return SEAL_OK;
}

/* The field's path out of an error's place; what only says at which byte does not tell kinds apart. */
static size_t path_len(const char *place)
{
	const char *byte = strstr(place, ", byte ");

	if (strncmp(place, "byte ", 5) == 0)
		return 0;
	return byte != NULL ? (size_t)(byte - place) : strlen(place);
}

static enum seal_status count_kind(struct verify *v, const char *record, const char *path, enum seal_code code)
{
	struct verify_kind *kind = v->kinds, *end = v->kinds + v->n_kinds;

	while (kind < end && (kind->code != code || strcmp(kind->path, path) != 0))
		kind++;
	if (kind == end && v->n_kinds == VERIFY_KINDS_MAX) {
		v->beyond_kinds++;
		return SEAL_OK;
	}
	if (kind == end) {
		*kind = (struct verify_kind){.path = arena_strndup(v->arena, path, strlen(path)),
					     .code = code,
					     .first = arena_strndup(v->arena, record, strlen(record))};
		if (kind->path == NULL || kind->first == NULL)
			return SEAL_FATAL;
		v->n_kinds++;
	}
	kind->records++;
	return SEAL_OK;
}

static enum seal_status list_failure(struct verify *v, const char *record, const char *path,
				     const struct seal_err *why)
{
	struct verify_failure *to;

	if (v->n_failures >= (size_t)v->options->failures)
		return SEAL_OK;
	if (!mem_grow((void **)&v->failures, &v->cap_failures, v->n_failures + 1, sizeof(*v->failures)))
		return SEAL_FATAL;
	to = &v->failures[v->n_failures];
	*to = (struct verify_failure){.record = arena_strndup(v->arena, record, strlen(record)),
				      .path = arena_strndup(v->arena, path, strlen(path)),
				      .text = arena_strndup(v->arena, why->text, strlen(why->text)),
				      .code = why->code};
	if (to->record == NULL || to->path == NULL || to->text == NULL)
		return SEAL_FATAL;
	v->n_failures++;
	return SEAL_OK;
}

static enum seal_status count_failure(struct verify *v, struct source *source, const struct record *record,
				      const struct seal_err *why, struct seal_err *err)
{
	char place[SEAL_ERR_PLACE_MAX], path[SEAL_ERR_PLACE_MAX];

	pump_place_of(source, record, place, sizeof(place));
	snprintf(path, sizeof(path), "%.*s", (int)path_len(why->place), why->place);
	if (v->options->report == VERIFY_TEXT) /* the others have escapes */
		utf8_keep_to_one_line(path, strlen(path));
	v->failed++;
	if (count_kind(v, place, path, why->code) != SEAL_OK || list_failure(v, place, path, why) != SEAL_OK)
		return err_memory(err);
	return SEAL_OK;
}

/* ---- records ---- */

/* All values of record `index`, which reveals. SEAL_DATA: it fails after all, and `why` says so. */
static enum seal_status look_at_record(struct verify *v, const struct batch *batch, size_t index,
				       struct seen_list *seen, struct seal_err *why)
{
	struct record out = batch->records[index];
	struct pump_counts counts = {0};
	enum seal_status rc = SEAL_OK;

	if (v->topic->is_dead_letter)
		SEAL_TRY(look_at_letter(v, &batch->records[index], why));
	for (size_t p = 0; p < v->n_parts; p++) {
		struct verify_part *view = &v->views[p];

		SEAL_TRY(part_apply(view->part, index, &batch->records[index], ENGINE_REVEAL, &v->scratch, &out,
				    &counts, why));
		while (view->next < view->part->n && view->part->items[view->next].record < index)
			view->next++;
		for (; view->next < view->part->n && view->part->items[view->next].record == index; view->next++)
			SEAL_TRY(look_at_value(v, view, view->next, seen, why));
	}
out:
	return rc;
}

static enum seal_status judge(struct verify *v, struct source *source, const struct batch *batch, size_t index,
			      struct seen_list *seen, struct seal_err *err)
{
	const struct record *record = &batch->records[index];
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	v->records++;
	v->tombstones += record->value.ptr == NULL && record->broken == NULL;
	SEAL_TRY(count_range(v, record, err));
	if (v->why[index] != NULL) {
		rc = count_failure(v, source, record, v->why[index], err);
		goto out;
	}
	seen->n = 0;
	rc = look_at_record(v, batch, index, seen, &why);
	if (rc == SEAL_OK)
		count_seen(seen);
	else if (rc == SEAL_DATA)
		rc = count_failure(v, source, record, &why, err);
	else
		(void)err_set(err, rc, why.code, "%s", why.text);
out:
	return rc;
}

enum seal_status verify_batch(struct verify *v, struct source *source, const struct batch *batch,
			      struct seal_err *err)
{
	struct seen_list seen = {NULL, 0, 0};
	enum seal_status rc = SEAL_OK;

	arena_reset(&v->scratch);
	for (size_t i = 0; i < batch->n; i++)
		v->why[i] = batch->records[i].broken;
	for (size_t p = 0; p < v->n_parts; p++) {
		v->views[p].next = 0;
		SEAL_TRY(part_run(&v->parts[p], batch, ENGINE_REVEAL, &v->scratch, v->why, err));
	}
	for (size_t i = 0; i < batch->n; i++)
		SEAL_TRY(judge(v, source, batch, i, &seen, err));
out:
	mem_free(seen.at);
	return rc;
}
