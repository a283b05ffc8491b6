/*
 * Reading answers in two passes of the scanner: over the whole body for where results, errors and warnings are, then over
 * each result for its fields.
 *
 *   {"data":{"batch_results":[ {…} , {…} ], "ciphertext":…}, "errors":[…], "warnings":[…]}
 *                              └ hit ┘ └ hit ┘
 *
 * Invariant: results[] are the hits of PATH_RESULT in document order, so result i belongs to item i of the request.
 */
#include "vault/answer.h"

#include <stdio.h>

#include "base/mem.h"
#include "json/path.h"
#include "json/string.h"

/* Paths of the outer pass: those of the fields of `data`, then these. */
enum { PATH_RESULT = VAULT_FIELDS, PATH_ERROR, PATH_WARNING, OUTER_PATHS };

static const char *const field_names[VAULT_FIELDS] = {
	[VAULT_CIPHERTEXT] = "ciphertext",
	[VAULT_PLAINTEXT] = "plaintext",
	[VAULT_HMAC] = "hmac",
	[VAULT_ENCODED_VALUE] = "encoded_value",
	[VAULT_DECODED_VALUE] = "decoded_value",
	[VAULT_TWEAK] = "tweak",
	[VAULT_ERROR] = "error",
};

struct vault_answer {
	struct json_paths *outer, *inner;
	struct json_scan found; /* of the outer pass */
	struct json_scan fields; /* of one result */
	struct seal_bytes body;
	struct seal_bytes *results; /* their exact text */
	size_t n_results, cap_results;
};

static enum seal_status compile(const char *const *texts, size_t n, struct json_paths **out, struct seal_err *err)
{
	struct json_path paths[OUTER_PATHS];
	struct arena arena;
	enum seal_status rc = SEAL_OK;

	arena_init(&arena, 0);
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(json_path_parse(bytes_str(texts[i]), &arena, &paths[i], NULL, err));
	SEAL_TRY(json_paths_new(paths, n, out, err));
out:
	arena_clear(&arena);
	return rc;
}

static enum seal_status compile_fields(const char *under, const char *const *more, size_t n_more,
				       struct json_paths **out, struct seal_err *err)
{
	char names[VAULT_FIELDS][32];
	const char *texts[OUTER_PATHS];
	size_t n = 0;

	for (; n < VAULT_FIELDS; n++) {
		snprintf(names[n], sizeof(names[n]), "%s.%s", under, field_names[n]);
		texts[n] = names[n];
	}
	for (size_t i = 0; i < n_more; i++)
		texts[n++] = more[i];
	return compile(texts, n, out, err);
}

enum seal_status vault_answer_new(struct vault_answer **out, struct seal_err *err)
{
	static const char *const outside[] = {"$.data.batch_results[*]", "$.errors[*]", "$.warnings[*]"};
	struct vault_answer *answer = mem_calloc(1, sizeof(*answer));
	enum seal_status rc;

	*out = NULL;
	if (answer == NULL)
		return err_memory(err);
	SEAL_TRY(compile_fields("$.data", outside, 3, &answer->outer, err));
	SEAL_TRY(compile_fields("$", NULL, 0, &answer->inner, err));
out:
	if (rc != SEAL_OK)
		vault_answer_free(answer);
	else
		*out = answer;
	return rc;
}

void vault_answer_free(struct vault_answer *answer)
{
	if (answer == NULL)
		return;
	json_paths_free(answer->outer);
	json_paths_free(answer->inner);
	json_scan_clear(&answer->found);
	json_scan_clear(&answer->fields);
	mem_free(answer->results);
	mem_free(answer);
}

static struct seal_bytes span(struct seal_bytes doc, const struct json_hit *hit)
{
	return bytes_of(doc.ptr + hit->start, hit->end - hit->start);
}

static struct vault_text text_of(struct seal_bytes doc, const struct json_hit *hit)
{
	struct seal_bytes whole = span(doc, hit);

	return (struct vault_text){bytes_of(whole.ptr + 1, whole.len - 2), true, hit->escaped};
}

static enum seal_status collect_results(struct vault_answer *answer, struct seal_err *err)
{
	for (size_t i = 0; i < answer->found.n_hits; i++) {
		if (answer->found.hits[i].path != PATH_RESULT)
			continue;
		if (answer->n_results == answer->cap_results) {
			const size_t wanted = answer->cap_results ? answer->cap_results * 2 : 256;
			void *grown = mem_realloc_array(answer->results, wanted, sizeof(*answer->results));

			if (grown == NULL)
				return err_memory(err);
			answer->results = grown;
			answer->cap_results = wanted;
		}
		answer->results[answer->n_results++] = span(answer->body, &answer->found.hits[i]);
	}
	return SEAL_OK;
}

enum seal_status vault_answer_read(struct vault_answer *answer, struct seal_bytes body, struct seal_err *err)
{
	enum seal_status rc;

	answer->body = body;
	answer->n_results = 0;
	SEAL_TRY(json_scan(answer->outer, body, &answer->found, err));
	SEAL_TRY(collect_results(answer, err));
out:
	if (rc != SEAL_OK)
		answer->n_results = answer->found.n_hits = 0;
	return rc;
}

size_t vault_answer_results(const struct vault_answer *answer)
{
	return answer->n_results;
}

enum seal_status vault_answer_result(struct vault_answer *answer, size_t i, struct vault_result *out,
				     struct seal_err *err)
{
	const struct seal_bytes doc = answer->results[i];
	enum seal_status rc;

	SEAL_INVARIANT(i < answer->n_results);
	memset(out, 0, sizeof(*out));
	SEAL_TRY(json_scan(answer->inner, doc, &answer->fields, err));
	for (size_t k = 0; k < answer->fields.n_hits; k++) {
		const struct json_hit *hit = &answer->fields.hits[k];

		if (hit->type == JSON_NULL)
			continue;
		if (hit->type != JSON_STRING || out->field[hit->path].there) {
			rc = err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "result %zu of the answer has a bad member '%s'",
				     i, field_names[hit->path]);
			goto out;
		}
		out->field[hit->path] = text_of(doc, hit);
	}
out:
	return rc;
}

struct vault_text vault_answer_data(const struct vault_answer *answer, enum vault_field field)
{
	for (size_t i = 0; i < answer->found.n_hits; i++) {
		const struct json_hit *hit = &answer->found.hits[i];

		if (hit->path == (uint32_t)field && hit->type == JSON_STRING)
			return text_of(answer->body, hit);
	}
	return (struct vault_text){.there = false};
}

static bool contains(struct seal_bytes text, const char *part)
{
	return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

bool vault_answer_ignored(const struct vault_answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->found.n_hits; i++) {
		const struct seal_bytes text = span(answer->body, &answer->found.hits[i]);

		if (answer->found.hits[i].path == PATH_WARNING && contains(text, "ignored these unrecognized") &&
		    contains(text, name))
			return true;
	}
	return false;
}

bool vault_text_decode(const struct vault_text *text, struct arena *arena, struct seal_bytes *out)
{
	*out = text->raw;
	return !text->escaped || json_string_decode(text->raw, arena, out);
}

/* What Go's error lists put around a text: "1 error occurred:", and a star before each. */
static struct seal_bytes undecorated(struct seal_bytes text)
{
	static const char head[] = " occurred:";
	const uint8_t *at = text.len > 0 ? memmem(text.ptr, text.len, head, sizeof(head) - 1) : NULL;

	if (at == NULL || at - text.ptr > 20 || text.ptr[0] < '0' || text.ptr[0] > '9')
		return text;
	return bytes_skip(text, (size_t)(at - text.ptr) + sizeof(head) - 1);
}

/* What stays of one byte: controls and white space part words, what is not ASCII becomes one '?' a character. */
static char plain(uint8_t c)
{
	if (c <= ' ' || c == 0x7f)
		return ' ';
	return c < 0x80 ? (char)c : (c & 0xc0) == 0x80 ? '\0' : '?';
}

/* Appends to the `len` bytes in `out`; the new length. */
static size_t quote_more(struct seal_bytes raw, char out[VAULT_QUOTE_MAX + 1], size_t len)
{
	const struct seal_bytes text = undecorated(raw);
	bool space = len > 0, star = true;

	for (size_t i = 0; i < text.len; i++) {
		const char c = plain(text.ptr[i]);

		if (c == '\0')
			continue;
		if (c == ' ' || (c == '*' && star)) {
			star |= text.ptr[i] == '\n';
			space = len > 0;
			continue;
		}
		star = false;
		if (len + 6 > VAULT_QUOTE_MAX) {
			memcpy(out + len, " ...", 4);
			len += 4;
			break;
		}
		if (space)
			out[len++] = ' ';
		space = false;
		out[len++] = c;
	}
	out[len] = '\0';
	return len;
}

void vault_quote(struct seal_bytes raw, char out[VAULT_QUOTE_MAX + 1])
{
	(void)quote_more(raw, out, 0);
}

/* Adds what the hits say. */
static enum seal_status quote_all(struct seal_bytes body, const struct json_scan *scan, char out[VAULT_QUOTE_MAX + 1])
{
	enum seal_status rc = SEAL_OK;
	struct arena arena;
	size_t len = 0;

	arena_init(&arena, 0);
	for (size_t i = 0; i < scan->n_hits && len + 8 < VAULT_QUOTE_MAX && rc == SEAL_OK; i++) {
		struct vault_text text;
		struct seal_bytes decoded;

		if (scan->hits[i].type != JSON_STRING)
			continue;
		text = text_of(body, &scan->hits[i]);
		if (!vault_text_decode(&text, &arena, &decoded))
			continue; /* not even text */
		if (decoded.ptr == NULL)
			rc = SEAL_FATAL;
		else
			len = quote_more(decoded, out, len);
	}
	arena_clear(&arena);
	return rc;
}

enum seal_status vault_answer_errors(struct seal_bytes body, char out[VAULT_QUOTE_MAX + 1])
{
	static const char *const path = "$.errors[*]";
	struct json_scan scan = JSON_SCAN_INIT;
	struct json_paths *paths = NULL;
	enum seal_status rc;

	out[0] = '\0';
	SEAL_TRY(compile(&path, 1, &paths, NULL));
	SEAL_TRY(json_scan(paths, body, &scan, NULL));
	SEAL_TRY(quote_all(body, &scan, out));
out:
	if (rc != SEAL_OK)
		out[0] = '\0';
	json_scan_clear(&scan);
	json_paths_free(paths);
	return rc;
}
