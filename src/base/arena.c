/*
 * Bump allocation out of blocks.
 *
 *   a->blocks ─▶ [block | used … next ─ free ─ end]  ─▶ [full block] ─▶ …
 *   a->spare  ─▶ blocks kept from earlier batches
 *
 * Only a block's used part is wiped; `used` of the current block is known from a->next.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ckd.h"
#include "base/mem.h"

#define BLOCK_MIN (64u << 10)

struct arena_block {
	struct arena_block *next;
	size_t size; /* of data[] */
	size_t used; /* valid once the block is no longer the current one */
	_Alignas(64) uint8_t data[];
};

void arena_init(struct arena *a, size_t keep)
{
	*a = (struct arena){.keep = keep};
}

/* Notes how far the current block was used. */
static void settle(struct arena *a)
{
	if (a->blocks != NULL)
		a->blocks->used = (size_t)(a->next - a->blocks->data);
}

static struct arena_block *spare_of(struct arena *a, size_t size)
{
	for (struct arena_block **at = &a->spare; *at != NULL; at = &(*at)->next) {
		struct arena_block *block = *at;

		if (block->size >= size) {
			*at = block->next;
			return block;
		}
	}
	return NULL;
}

void *arena_alloc_slow(struct arena *a, size_t size, size_t align)
{
	struct arena_block *block;
	size_t need, total;
	uintptr_t at;

	if (ckd_add(&need, size, align))
		return NULL;
	block = spare_of(a, need);
	if (block == NULL) {
		/* Blocks double, so that a large batch takes few of them. */
		size_t doubled = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
		size_t want = doubled > (4u << 20) ? (4u << 20) : doubled;

		if (want < need)
			want = need;
		if (ckd_add(&total, want, sizeof(*block)))
			return NULL;
		block = mem_alloc(total);
		if (block == NULL)
			return NULL;
		block->size = want;
	}
	settle(a);
	block->next = a->blocks;
	a->blocks = block;
	a->end = block->data + block->size;
	at = ((uintptr_t)block->data + (align - 1)) & ~(uintptr_t)(align - 1);
	a->next = (uint8_t *)at + size;
	return (void *)at;
}

void arena_reset(struct arena *a)
{
	size_t kept = 0;
	struct arena_block *all;

	settle(a);
	for (struct arena_block *block = a->spare; block != NULL; block = block->next)
		kept += block->size;
	all = a->blocks;
	a->blocks = NULL;
	a->next = a->end = NULL;
	while (all != NULL) {
		struct arena_block *next = all->next;

		mem_wipe(all->data, all->used);
		if (kept + all->size <= a->keep) {
			kept += all->size;
			all->next = a->spare;
			a->spare = all;
		} else {
			mem_free(all);
		}
		all = next;
	}
}

void arena_clear(struct arena *a)
{
	a->keep = 0;
	arena_reset(a);
	while (a->spare != NULL) {
		struct arena_block *next = a->spare->next;

		mem_free(a->spare);
		a->spare = next;
	}
}

size_t arena_held(const struct arena *a)
{
	size_t held = 0;

	for (const struct arena_block *block = a->blocks; block != NULL; block = block->next)
		held += block->size;
	for (const struct arena_block *block = a->spare; block != NULL; block = block->next)
		held += block->size;
	return held;
}

static bool any_owns(const struct arena_block *block, uintptr_t at)
{
	for (; block != NULL; block = block->next)
		if (at - (uintptr_t)block->data < block->size)
			return true;
	return false;
}

bool arena_owns(const struct arena *a, const void *ptr)
{
	return any_owns(a->blocks, (uintptr_t)ptr) || any_owns(a->spare, (uintptr_t)ptr);
}

struct seal_bytes arena_copy(struct arena *a, struct seal_bytes bytes)
{
	uint8_t *copy = arena_alloc(a, bytes.len ? bytes.len : 1, 1);

	if (copy == NULL)
		return BYTES_EMPTY;
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	return bytes_of(copy, bytes.len);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_alloc(a, len + 1, 1);

	if (copy != NULL) {
		if (len)
			memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = arena_alloc(a, (size_t)len + 1, 1);
	if (text == NULL)
		return NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}
