/*
 * Protects the record of a test, looks at what came out, and reveals it again: its value, then its key and its headers, as
 * far as the test has them.
 *
 *   in ─ protect ─▶ out ─ expectations
 *                    └── reveal ─▶ back: `in` again, byte for byte; when a rule is one-way: its other fields
 */
#include "cmd/policy_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "json/string.h"

#define SHOWN_MAX 120 /* bytes of a value in a message */

struct check {
	struct engine *engine;
	const struct policy_test *test;
	struct arena *arena;
	struct check_result *result;
	struct seal_err *err;
};

static enum seal_status fail(struct check *check, struct policy_mark mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum seal_status fail(struct check *check, struct policy_mark mark, const char *fmt, ...)
{
	struct check_failure *failure = ARENA_NEW(check->arena, struct check_failure);
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (failure == NULL)
		return err_memory(check->err);
	*failure = (struct check_failure){.mark = mark, .text = arena_strndup(check->arena, text, strlen(text))};
	if (failure->text == NULL)
		return err_memory(check->err);
	*check->result->tail = failure;
	check->result->tail = &failure->next;
	check->result->n_failures++;
	return SEAL_OK;
}

/* A value for a message: one line, cut where it is long. */
static const char *shown(struct check *check, struct seal_bytes value)
{
	size_t at = 0, end = 0;
	uint32_t code_point;
	char *text;

	while (at < value.len && at < SHOWN_MAX && utf8_next(value, &at, &code_point))
		end = at;
	text = arena_printf(check->arena, "%.*s%s", (int)end, value.len ? (const char *)value.ptr : "",
			    end < value.len ? "..." : "");
	for (char *c = text; c != NULL && *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	return text ? text : "";
}

/* The text of a JSON string, or of another value as it is. false: no Unicode text. */
static bool text_of(struct check *check, struct seal_bytes json, struct seal_bytes *out)
{
	*out = json;
	if (json.len < 2 || json.ptr[0] != '"')
		return true;
	return json_string_decode(bytes_of(json.ptr + 1, json.len - 2), check->arena, out) && out->ptr != NULL;
}

/* Strings are equal when their texts are; everything else to the digit. */
static bool json_equal(struct check *check, struct seal_bytes a, struct seal_bytes b)
{
	bool string_a = a.len && a.ptr[0] == '"', string_b = b.len && b.ptr[0] == '"';
	struct seal_bytes text_a, text_b;

	if (string_a != string_b)
		return false;
	return text_of(check, a, &text_a) && text_of(check, b, &text_b) && bytes_eq(text_a, text_b);
}

static enum seal_status check_value(struct check *check, const struct policy_expect *expect, struct seal_bytes value)
{
	struct seal_bytes text;

	switch (expect->kind) {
	case EXPECT_VALUE:
		if (json_equal(check, expect->value, value))
			return SEAL_OK;
		return fail(check, expect->mark, "%s is %s, expected %s", expect->name, shown(check, value),
			    shown(check, expect->value));
	case EXPECT_LIKE:
		if (text_of(check, value, &text) && regex_match(expect->regex, text) == REGEX_YES)
			return SEAL_OK;
		return fail(check, expect->mark, "%s is %s, expected it like %s", expect->name, shown(check, value),
			    shown(check, expect->value));
	case EXPECT_NOT:
		if (!json_equal(check, expect->value, value))
			return SEAL_OK;
		return fail(check, expect->mark, "%s is %s, expected anything else", expect->name,
			    shown(check, value));
	case EXPECT_ABSENT:
		return fail(check, expect->mark, "%s is there, expected it to be absent", expect->name);
	}
	return SEAL_OK;
}

static enum seal_status check_hits(struct check *check, const struct policy_expect *expect, struct seal_bytes doc,
				   const struct json_scan *scan)
{
	enum seal_status rc = SEAL_OK;

	if (scan->n_hits == 0 && expect->kind != EXPECT_ABSENT)
		return fail(check, expect->mark, "%s is not there", expect->name);
	for (size_t i = 0; rc == SEAL_OK && i < scan->n_hits; i++)
		rc = check_value(check, expect,
				 bytes_of(doc.ptr + scan->hits[i].start, scan->hits[i].end - scan->hits[i].start));
	return rc;
}

static enum seal_status check_json(struct check *check, const struct policy_expect *expect, struct seal_bytes doc)
{
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_paths *paths = NULL;
	enum seal_status rc;

	SEAL_TRY(json_paths_new(&expect->path, 1, &paths, check->err));
	SEAL_TRY(json_scan(paths, doc, &scan, check->err));
	SEAL_TRY(check_hits(check, expect, doc, &scan));
out:
	json_scan_clear(&scan);
	json_paths_free(paths);
	return rc;
}

/* The whole payload as if it were a JSON string. */
static enum seal_status check_bytes(struct check *check, const struct policy_expect *expect,
				    struct seal_bytes payload)
{
	uint8_t *json;

	if (!utf8_valid(payload))
		return fail(check, expect->mark, "%s is not text", expect->name);
	json = arena_alloc(check->arena, JSON_STRING_MAX(payload.len), 1);
	if (json == NULL)
		return err_memory(check->err);
	return check_value(check, expect, bytes_of(json, json_string_write(payload, json)));
}

/* The exact text of the next value at `path`, from hit *at on; ptr NULL when there is none. */
static struct seal_bytes next_value(const struct json_scan *scan, struct seal_bytes doc, size_t path, size_t *at)
{
	while (*at < scan->n_hits && scan->hits[*at].path != path)
		(*at)++;
	if (*at == scan->n_hits)
		return BYTES_EMPTY;
	doc = bytes_of(doc.ptr + scan->hits[*at].start, scan->hits[*at].end - scan->hits[*at].start);
	(*at)++;
	return doc;
}

static bool same_values(const struct json_scan *before, struct seal_bytes in, const struct json_scan *after,
			struct seal_bytes back, size_t path)
{
	struct seal_bytes a, b;
	size_t i = 0, j = 0;

	do {
		a = next_value(before, in, path, &i);
		b = next_value(after, back, path, &j);
	} while (bytes_eq(a, b) && a.len > 0);
	return bytes_eq(a, b);
}

/* Where some rules are one-way, the others must still give back what was. */
static enum seal_status compare_reversible(struct check *check, const struct policy_topic *topic,
					   struct seal_bytes in, struct seal_bytes back)
{
	struct json_scan before = JSON_SCAN_INIT, after = JSON_SCAN_INIT;
	enum seal_status rc;

	SEAL_TRY(json_scan(topic->paths, in, &before, check->err));
	SEAL_TRY(json_scan(topic->paths, back, &after, check->err));
	for (size_t path = 0; path < topic->n_rules; path++)
		if (!(topic->rules[path].method->flags & METHOD_ONE_WAY) &&
		    !same_values(&before, in, &after, back, path))
			SEAL_TRY(fail(check, check->test->mark, "%s is not what it was after the round trip",
				      topic->rules[path].path_text));
out:
	json_scan_clear(&before);
	json_scan_clear(&after);
	return rc;
}

static bool has_one_way(const struct policy_topic *topic)
{
	for (size_t i = 0; i < topic->n_rules; i++)
		if (topic->rules[i].method->flags & METHOD_ONE_WAY)
			return true;
	return false;
}

/* One part of a record, as of a stream that has headers. */
static enum seal_status run_one(struct check *check, const struct policy_topic *topic,
				enum engine_direction direction, struct seal_bytes value,
				struct seal_bytes key_header, struct engine_result *result)
{
	const struct engine_input input = {&value, &key_header, 1};

	return engine_run_input(check->engine, topic, direction, &input, result, check->err);
}

/* What protecting made of a part; copies, for the engine's views end with the next call. */
struct outcome {
	struct seal_bytes value, key_header;
};

/* "key: " in front of what is said about a key; nothing for a value. */
static const char *part_prefix(struct check *check, const struct policy_topic *topic)
{
	const char *prefix = topic->part == PART_VALUE ? "" : arena_printf(check->arena, "%s: ", topic->root);

	return prefix ? prefix : "";
}

static enum seal_status check_round_trip(struct check *check, const struct policy_test_part *part,
					 const struct outcome *out)
{
	const struct policy_test *test = check->test;
	struct engine_result result;
	enum seal_status rc;

	SEAL_TRY(run_one(check, part->topic, ENGINE_REVEAL, out->value, out->key_header, &result));
	if (result.err != NULL)
		return fail(check, test->mark, "revealing failed: %s%s%s", result.err->place,
			    result.err->place[0] ? ": " : "", result.err->text);
	if (bytes_eq(part->in, result.value))
		return SEAL_OK;
	if (part->topic->format == FORMAT_JSON && has_one_way(part->topic))
		return compare_reversible(check, part->topic, part->in, result.value);
	if (part->topic->part == PART_HEADER && has_one_way(part->topic))
		return SEAL_OK; /* other parts may come back */
	rc = fail(check, test->mark, "%sthe round trip gives %s, expected %s", part_prefix(check, part->topic),
		  shown(check, result.value), shown(check, part->in));
out:
	return rc;
}

static enum seal_status check_error(struct check *check, const struct seal_err *got)
{
	const struct policy_test *test = check->test;

	if (got == NULL)
		return fail(check, test->mark, "protecting went well, expected the error %s", test->error);
	if (strcmp(seal_code_name(got->code), test->error) == 0)
		return SEAL_OK;
	return fail(check, test->mark, "protecting ended in the error %s (%s), expected %s",
		    seal_code_name(got->code), got->text, test->error);
}

/* Protects a part into *out. *failed: why that went wrong, in the engine's memory; NULL: it did not. */
static enum seal_status protect_part(struct check *check, const struct policy_test_part *part, struct outcome *out,
				     const struct seal_err **failed)
{
	struct engine_result result;
	enum seal_status rc;

	SEAL_TRY(run_one(check, part->topic, ENGINE_PROTECT, part->in, BYTES_EMPTY, &result));
	*failed = result.err;
	*out = (struct outcome){BYTES_EMPTY, BYTES_EMPTY};
	if (result.err != NULL)
		return SEAL_OK;
	out->value = arena_copy(check->arena, result.value);
	if (result.key_header.ptr != NULL)
		out->key_header = arena_copy(check->arena, result.key_header);
	if (out->value.ptr == NULL || (result.key_header.ptr != NULL && out->key_header.ptr == NULL))
		rc = err_memory(check->err);
out:
	return rc;
}

/* *failed: as of protect_part. */
static enum seal_status check_part(struct check *check, const struct policy_test_part *part,
				   const struct seal_err **failed)
{
	const bool json = part->topic->format == FORMAT_JSON;
	struct outcome out;
	enum seal_status rc;

	SEAL_TRY(protect_part(check, part, &out, failed));
	if (*failed != NULL)
		return SEAL_OK;
	for (size_t i = 0; i < part->n_expects; i++)
		SEAL_TRY(json ? check_json(check, &part->expects[i], out.value)
			      : check_bytes(check, &part->expects[i], out.value));
	if (check->test->round_trip)
		SEAL_TRY(check_round_trip(check, part, &out));
out:
	return rc;
}

/* The record fails with the first of its parts. */
static enum seal_status check_parts(struct check *check, const struct seal_err **failed)
{
	const struct policy_test *test = check->test;
	enum seal_status rc;

	SEAL_TRY(check_part(check, &test->value, failed));
	if (*failed == NULL && test->key.topic != NULL)
		SEAL_TRY(check_part(check, &test->key, failed));
	for (size_t i = 0; *failed == NULL && i < test->n_headers; i++)
		SEAL_TRY(check_part(check, &test->headers[i], failed));
out:
	return rc;
}

enum seal_status check_test(struct engine *engine, const struct policy_test *test, struct arena *arena,
			    struct check_result *result, struct seal_err *err)
{
	struct check check = {engine, test, arena, result, err};
	const struct seal_err *failed = NULL;
	enum seal_status rc;

	*result = (struct check_result){.failures = NULL};
	result->tail = &result->failures;
	SEAL_TRY(check_parts(&check, &failed));
	if (test->error != NULL)
		rc = check_error(&check, failed);
	else if (failed != NULL)
		rc = fail(&check, test->mark, "protecting failed: %s%s%s", failed->place,
			  failed->place[0] ? ": " : "", failed->text);
out:
	return rc;
}
