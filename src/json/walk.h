/*
 * What the scanner's back ends and scan.c share: the state of one scan. Internal to src/json.
 *
 * A back end is scan_core.inc, the whole scanner, compiled over its own way of skipping runs of bytes. So the hot
 * loops hold no indirect call.
 */
#ifndef JSON_WALK_H
#define JSON_WALK_H

#include "json/paths.h"
#include "json/scan.h"

enum walk_fault {
	FAULT_NONE,
	FAULT_EMPTY,
	FAULT_END,
	FAULT_VALUE,
	FAULT_LITERAL,
	FAULT_NUMBER,
	FAULT_NAME,
	FAULT_COLON,
	FAULT_MEMBER_NEXT,
	FAULT_ELEMENT_NEXT,
	FAULT_TRAILING,
	FAULT_CONTROL,
	FAULT_ESCAPE,
	FAULT_UTF8,
	FAULT_BOM,
	FAULT_DEPTH,
	FAULT_HITS,
	FAULT_MEMORY
};

/* One open container, and where in it the scan is. */
struct walk_frame {
	uint32_t state; /* of the automaton, for the container itself */
	uint32_t index; /* of the current element */
	uint32_t item; /* start of the current member (its quote); in an array unused */
	uint32_t name_end; /* closing quote of the current member's name */
	uint8_t close; /* ']' or '}'; 0 in frame 0, which stands for the document */
	bool escaped; /* the name has a backslash */
};

struct walk {
	const uint8_t *doc, *end;
	const struct paths_state *states;
	const struct json_paths *paths;
	struct json_scan *scan; /* NULL when `paths` is paths_none */
	uint32_t next; /* automaton state of the value that comes next */
	uint32_t depth; /* frame in use */
	uint32_t hit_depth; /* frame of the container that is a match, 0: none */
	enum walk_fault fault;
	const uint8_t *fault_at;
	struct json_hit hit; /* that match, until its end is known */
	struct walk_frame frames[JSON_DEPTH_MAX + 1];
};

struct walk_backend {
	const char *name;
	bool (*walk)(struct walk *w); /* false: fault and fault_at are set */
	bool (*usable)(void); /* by this machine */
};

extern const struct walk_backend walk_plain;
#if defined(__x86_64__)
extern const struct walk_backend walk_sse2;
extern const struct walk_backend walk_avx2;
#endif

/* Starts a match at offset `start`: everything but its end. FAULT_NONE, FAULT_HITS or FAULT_MEMORY. */
enum walk_fault walk_hit_open(struct walk *w, uint32_t start, enum json_type type);
/* Adds the finished match to the result. The same faults. */
enum walk_fault walk_hit_close(struct walk *w, uint32_t end);
/* Where a member with backslashes in its name leads. */
uint32_t walk_member_escaped(const struct paths_state *state, struct seal_bytes raw);

#endif
