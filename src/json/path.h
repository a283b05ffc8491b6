/*
 * Paths: the part of RFC 9535 that policies use, compiled into one automaton over all paths of a topic, so that
 * the cost of a scan does not grow with their number.
 *
 *   $  .name  ['any name']  ["any name"]  [0]  [*]  .*  ..name  ..['any name']
 *
 * [*] and .* select every child of an object or an array, as in RFC 9535. Names are compared by decoded
 * code points.
 */
#ifndef JSON_PATH_H
#define JSON_PATH_H

#include "base/arena.h"
#include "base/buf.h"
#include "json/scan.h"

#define JSON_PATH_STEPS_MAX 64
#define JSON_PATH_NAME_MAX 1024 /* bytes of one decoded name */
#define JSON_PATHS_MAX 1024
#define JSON_STATES_MAX 16384 /* of the automaton; more is SEAL_E_LIMIT */

enum json_path_kind { JSON_STEP_NAME, JSON_STEP_INDEX, JSON_STEP_WILD, JSON_STEP_DEEP_NAME };

struct json_path_step {
	enum json_path_kind kind;
	struct seal_bytes name; /* decoded UTF-8 */
	uint32_t index;
};

struct json_path {
	struct json_path_step *steps;
	size_t n_steps;
};

/*
 * Parses `text`. Memory comes from `arena`. The error is SEAL_USAGE/SEAL_E_CONFIG; *error_at (may be NULL) is
 * the offset in `text` of what is wrong.
 */
SEAL_MUST_USE enum seal_status json_path_parse(struct seal_bytes text, struct arena *arena, struct json_path *path,
					       size_t *error_at, struct seal_err *err);

/* True when some value could be selected by, or lie inside a value selected by, both. */
bool json_path_overlaps(const struct json_path *a, const struct json_path *b);
/* True when the names on the way to a hit differ from hit to hit (.* or ..): its steps are then reported. */
bool json_path_is_dynamic(const struct json_path *path);

/*
 * The canonical text of a path or of a dynamic hit: an RFC 9535 normalized path, with [*] for every array index
 * and every wildcard: $['items'][*]['note']. What ciphertext is bound to, so it never changes.
 */
SEAL_MUST_USE enum seal_status json_path_canonical(const struct json_path *path, struct seal_buf *out,
						   struct seal_err *err);
SEAL_MUST_USE enum seal_status json_steps_canonical(struct seal_bytes doc, const struct json_step *steps, size_t n,
						    struct seal_buf *out, struct seal_err *err);

/*
 * Appends the step to the member `name` (decoded) as people write it in policies: .name where that is allowed, else
 * ['any name']. What could steer a terminal becomes an escape.
 */
SEAL_MUST_USE enum seal_status json_path_put_name(struct seal_bytes name, struct seal_buf *out, struct seal_err *err);

/* Compiles; the result is immutable and may be shared by threads. Path i is reported as json_hit.path = i. */
SEAL_MUST_USE enum seal_status json_paths_new(const struct json_path *paths, size_t n, struct json_paths **out,
					      struct seal_err *err);
void json_paths_free(struct json_paths *paths);

#endif
