/*
 * A batch's memory: allocations are bumps, all are given back at once. What was used is wiped on reset and
 * clear, since it holds plaintext. Blocks are kept across resets, up to `keep` bytes, so a steady stream
 * allocates nothing.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
	uint8_t *next, *end; /* free part of the current block */
	struct arena_block *blocks; /* current first */
	struct arena_block *spare; /* kept for reuse */
	size_t keep;
};

/* No allocation yet. `keep` is how many bytes of spare blocks survive a reset. */
void arena_init(struct arena *a, size_t keep);
/* Slow path of arena_alloc; NULL when out of memory. `align` is a power of two, at most 64. */
void *arena_alloc_slow(struct arena *a, size_t size, size_t align);
/* Wipes and forgets all allocations. */
void arena_reset(struct arena *a);
/* Wipes and frees everything; the arena can be used again. */
void arena_clear(struct arena *a);
/* Bytes held, spare ones included. */
size_t arena_held(const struct arena *a);
/* True when `ptr` lies in memory that the arena holds, spare blocks included. */
bool arena_owns(const struct arena *a, const void *ptr);

/* NULL when out of memory. The memory is not zeroed. */
static inline void *arena_alloc(struct arena *a, size_t size, size_t align)
{
	uintptr_t at = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);

	if (a->next == NULL || at > (uintptr_t)a->end || size > (uintptr_t)a->end - at)
		return arena_alloc_slow(a, size, align);
	a->next = (uint8_t *)at + size;
	return (void *)at;
}

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type), _Alignof(type)))

/* Gives back the tail of the last allocation: it ended at `end_was` and is now used only to `end_now`. */
static inline void arena_shrink(struct arena *a, uint8_t *end_was, uint8_t *end_now)
{
	if (a->next == end_was)
		a->next = end_now;
}

/* A copy; ptr is NULL when out of memory. */
struct seal_bytes arena_copy(struct arena *a, struct seal_bytes bytes);
/* A NUL-terminated copy, or NULL. */
char *arena_strndup(struct arena *a, const char *text, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
