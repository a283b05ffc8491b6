/*
 * The JSON span scanner: one pass over a document checks all of RFC 8259 and finds the values that a set of
 * paths names. It builds no tree, never recurses, allocates nothing but the growth of its result, and copies no
 * byte of the document.
 *
 * Strict: UTF-8 is checked everywhere, no leading zeros, no trailing commas, no control characters in strings,
 * nothing but white space after the value, no byte order mark. Lone surrogate escapes (\ud800) are grammatical
 * and accepted; a value that has one is marked (json_string_decode refuses it).
 * The member names are compared decoded: "credit\u005fcard" is credit_card. A duplicate member matches each
 * time. When one matching value contains another, only the outer one is reported.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/bytes.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 128 /* containers inside containers */
#define JSON_DOCUMENT_MAX (1u << 30) /* offsets are 32 bits */
#define JSON_HITS_MAX (1u << 20) /* in one document: bounds what a hostile one can make us keep */
#define JSON_STEPS_MAX (1u << 22)
#define JSON_NO_NAME UINT32_MAX

struct json_paths; /* json/path.h */

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* One value that a path named. Spans are offsets into the document. */
struct json_hit {
	uint32_t start, end; /* the value's exact text, quotes included */
	uint32_t item_start; /* where its member starts (the name's opening quote), or `start` in an array or at
			       * the root */
	uint32_t path; /* index of the path, as given to json_paths_new */
	uint32_t steps; /* first of its steps in json_scan.steps; only when the path has wildcards on
			       * names (json_path_is_dynamic), else 0 */
	uint16_t n_steps;
	uint8_t type; /* enum json_type */
	bool escaped; /* a string with at least one backslash */
	bool in_object; /* item_start is a member name */
};

/* One step from the root to a dynamic hit: a member name's raw text without quotes, or an array element. */
struct json_step {
	uint32_t start, end; /* both JSON_NO_NAME for an array element */
	bool escaped;
};

/* Result and scratch of scans; reused, so that a steady stream allocates nothing. */
struct json_scan {
	struct json_hit *hits; /* in document order */
	size_t n_hits, cap_hits;
	struct json_step *steps;
	size_t n_steps, cap_steps;
};

#define JSON_SCAN_INIT                                                                                               \
	{                                                                                                            \
		NULL, 0, 0, NULL, 0, 0                                                                               \
	}

/*
 * Scans `doc`. On success hits and steps hold what `paths` (may be NULL: only check) names. On failure they are
 * empty and err has SEAL_DATA: SEAL_E_SYNTAX with the byte offset in its place ("byte 17"), or SEAL_E_LIMIT.
 * Reads no byte outside `doc`.
 */
SEAL_MUST_USE enum seal_status json_scan(const struct json_paths *paths, struct seal_bytes doc,
					 struct json_scan *scan, struct seal_err *err);
void json_scan_clear(struct json_scan *scan);

/* True when `text` is exactly one JSON value, with white space around it only if `space` is true. */
bool json_is_value(struct seal_bytes text, bool space);

/* The scanner in use: "avx2", "sse2" or "plain". Tests may force one; false when this machine lacks it. */
const char *json_backend(void);
bool json_backend_force(const char *name);

#endif
