/*
 * The compiled form of a set of paths: a deterministic automaton that the scanner steps once for each member name
 * and array element. Internal to src/json.
 *
 *   state 0            dead: nothing below can match
 *   state 1 … n        "path i - 1 selects this value"; what lies inside is dead, because the outer match wins
 *   further states     on the way to matches
 */
#ifndef JSON_PATHS_H
#define JSON_PATHS_H

#include "json/path.h"

#define PATHS_DEAD 0u

struct paths_name {
	const uint8_t *text; /* decoded; NULL: a free slot */
	uint32_t len, hash;
	uint32_t next; /* state of that member's value */
};

struct paths_index {
	uint32_t index, next;
};

struct paths_state {
	uint64_t lengths; /* bit min(len, 63) is set when some name here has that length */
	const struct paths_name *names; /* open addressing, at most half full; valid when lengths != 0 */
	uint32_t names_mask;
	uint32_t member; /* next state under any other name */
	uint32_t element; /* next state at any other index */
	uint32_t n_indexes;
	const struct paths_index *indexes; /* ascending */
};

struct json_paths {
	struct arena memory; /* of all that follows */
	const struct paths_state *states;
	const bool *dynamic; /* of each path */
	uint32_t start;
	uint32_t n_paths;
};

/* The automaton of no paths. */
extern const struct json_paths paths_none;

static inline uint64_t paths_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Any hash will do; it is never stored. Reads only the name's bytes. */
static inline uint32_t paths_hash(const uint8_t *p, size_t len)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = len, last = 0;

	if (len >= 8) {
		for (size_t at = 0; at + 8 < len; at += 8)
			h = ((h ^ paths_load64(p + at)) * k) ^ (h >> 29);
		last = paths_load64(p + len - 8);
	} else if (len >= 4) {
		uint32_t low, high;

		memcpy(&low, p, 4);
		memcpy(&high, p + len - 4, 4);
		last = (uint64_t)high << 32 | low;
	} else if (len > 0) {
		last = (uint64_t)p[0] | (uint64_t)p[len / 2] << 8 | (uint64_t)p[len - 1] << 16;
	}
	h = (h ^ last) * k;
	return (uint32_t)(h >> 32);
}

/* The state of the member called `name` (decoded). */
static inline uint32_t paths_member(const struct paths_state *s, const uint8_t *name, size_t len)
{
	uint32_t hash;

	if ((s->lengths >> (len < 63 ? len : 63) & 1) == 0)
		return s->member;
	hash = paths_hash(name, len);
	for (uint32_t slot = hash & s->names_mask; s->names[slot].text != NULL; slot = (slot + 1) & s->names_mask) {
		const struct paths_name *n = &s->names[slot];

		if (n->hash == hash && n->len == len && memcmp(n->text, name, len) == 0)
			return n->next;
	}
	return s->member;
}

static inline uint32_t paths_element(const struct paths_state *s, uint32_t index)
{
	for (uint32_t i = 0; i < s->n_indexes; i++)
		if (s->indexes[i].index == index)
			return s->indexes[i].next;
	return s->element;
}

#endif
