/* What the JSON tests share: paths from text, and hits as text. */
#ifndef TESTS_JSON_HELP_H
#define TESTS_JSON_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "json/path.h"
#include "json/scan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const json_backends[] = {"plain", "sse2", "avx2"};

/* Compiles `texts` (ends with NULL). */
static inline struct json_paths *paths_of(const char *const *texts)
{
	struct json_path paths[64];
	struct json_paths *out;
	struct arena arena;
	size_t n = 0;

	arena_init(&arena, 0);
	for (; texts[n] != NULL; n++)
		assert_int_equal(json_path_parse(bytes_str(texts[n]), &arena, &paths[n], NULL, NULL), SEAL_OK);
	assert_int_equal(json_paths_new(paths, n, &out, NULL), SEAL_OK);
	arena_clear(&arena);
	return out;
}

/*
 * The hits of a scan as text, one after the other: "path:text" and " @ name" for what would be removed with it, so
 * that a table of expectations can be read. `out` has room for 4096 bytes.
 */
static inline void hits_text(struct seal_bytes doc, const struct json_scan *scan, char *out)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < scan->n_hits; i++) {
		const struct json_hit *h = &scan->hits[i];

		used += (size_t)snprintf(out + used, 4096 - used, "%s%u:%.*s", i ? " " : "", h->path,
					 (int)(h->end - h->start), (const char *)doc.ptr + h->start);
	}
}

#endif
