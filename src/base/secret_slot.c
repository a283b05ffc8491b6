/*
 * Slots of secret memory.
 *
 *   open ──▶ slab ──▶ slab ──▶ …        those with a free slot; full ones are found through their slots alone
 *             │
 *             └──▶ page: slot 0 │ slot 1 │ … │ slot 127        used: a bit for each
 *
 * Invariants: `lock` guards all slabs and the list. A slab without a used slot is given back. Free slots are zero.
 * fork() holds the lock, so that its child finds it free and the list whole.
 */
#include "base/secret_slot.h"

#include <pthread.h>

#include "base/mem.h"

#define SLAB_LEN 4096
#define SLOTS (SLAB_LEN / SECRET_SLOT_LEN)
#define WORDS (SLOTS / 64)

struct secret_slab {
	struct secret_slab *previous, *next; /* in `open` */
	struct secret page;
	uint64_t used[WORDS];
	unsigned n_used;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret_slab *open_slabs;
static size_t n_slabs;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void watch_fork(void)
{
	(void)pthread_atfork(before_fork, after_fork, after_fork); /* it fails for want of memory alone */
}

static void link_open(struct secret_slab *slab)
{
	slab->previous = NULL;
	slab->next = open_slabs;
	if (open_slabs != NULL)
		open_slabs->previous = slab;
	open_slabs = slab;
}

static void unlink_open(struct secret_slab *slab)
{
	if (slab->previous != NULL)
		slab->previous->next = slab->next;
	else
		open_slabs = slab->next;
	if (slab->next != NULL)
		slab->next->previous = slab->previous;
}

static enum seal_status slab_new(struct seal_err *err)
{
	struct secret_slab *slab = mem_calloc(1, sizeof(*slab));
	enum seal_status rc;

	if (slab == NULL)
		return err_memory(err);
	rc = secret_alloc(&slab->page, SLAB_LEN, err);
	if (rc != SEAL_OK) {
		mem_free(slab);
		return rc;
	}
	link_open(slab);
	n_slabs++;
	return SEAL_OK;
}

static unsigned take_free(struct secret_slab *slab)
{
	unsigned word = 0, bit;

	while (slab->used[word] == UINT64_MAX)
		word++;
	bit = (unsigned)__builtin_ctzll(~slab->used[word]);
	slab->used[word] |= UINT64_C(1) << bit;
	if (++slab->n_used == SLOTS)
		unlink_open(slab);
	return word * 64 + bit;
}

enum seal_status secret_slot_alloc(struct secret_slot *slot, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	pthread_once(&once, watch_fork);
	pthread_mutex_lock(&lock);
	if (open_slabs == NULL)
		SEAL_TRY(slab_new(err));
	slot->slab = open_slabs;
	slot->ptr = slot->slab->page.ptr + (size_t)take_free(slot->slab) * SECRET_SLOT_LEN;
out:
	pthread_mutex_unlock(&lock);
	return rc;
}

void secret_slot_clear(struct secret_slot *slot)
{
	struct secret_slab *slab = slot->slab;
	size_t index;

	if (slab == NULL)
		return;
	mem_wipe(slot->ptr, SECRET_SLOT_LEN);
	index = (size_t)(slot->ptr - slab->page.ptr) / SECRET_SLOT_LEN;
	*slot = (struct secret_slot)SECRET_SLOT_INIT;
	pthread_mutex_lock(&lock);
	if (slab->n_used-- == SLOTS)
		link_open(slab);
	slab->used[index / 64] &= ~(UINT64_C(1) << index % 64);
	if (slab->n_used == 0) {
		unlink_open(slab);
		secret_clear(&slab->page);
		mem_free(slab);
		n_slabs--;
	}
	pthread_mutex_unlock(&lock);
}

size_t secret_slot_pages(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_slabs;
	pthread_mutex_unlock(&lock);
	return n;
}
