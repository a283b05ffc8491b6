/* The one door to malloc. */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/ckd.h"

static bool (*hook)(void *arg, size_t size);
static void *hook_arg;

void mem_set_hook(bool (*allow)(void *arg, size_t size), void *arg)
{
	hook = allow;
	hook_arg = arg;
}

bool mem_allowed(size_t size)
{
	return hook == NULL || hook(hook_arg, size);
}

void *mem_alloc(size_t size)
{
	return mem_allowed(size) ? malloc(size ? size : 1) : NULL;
}

void *mem_calloc(size_t count, size_t size)
{
	size_t total;

	if (ckd_mul(&total, count, size) || !mem_allowed(total))
		return NULL;
	return calloc(1, total ? total : 1);
}

void *mem_realloc(void *old, size_t size)
{
	return mem_allowed(size) ? realloc(old, size ? size : 1) : NULL;
}

void *mem_realloc_array(void *old, size_t count, size_t size)
{
	size_t total;

	return ckd_mul(&total, count, size) ? NULL : mem_realloc(old, total);
}

bool mem_grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t wanted = *cap < 64 ? 64 : *cap;
	void *grown;

	if (need <= *cap)
		return true;
	while (wanted < need)
		wanted += wanted / 2;
	grown = mem_realloc_array(*array, wanted, size);
	if (grown == NULL)
		return false;
	*array = grown;
	*cap = wanted;
	return true;
}

void *mem_dup(const void *from, size_t size)
{
	void *copy = mem_alloc(size);

	if (copy != NULL && size)
		memcpy(copy, from, size);
	return copy;
}

char *mem_strndup(const char *from, size_t len)
{
	char *copy = mem_alloc(len + 1);

	if (copy != NULL) {
		if (len)
			memcpy(copy, from, len);
		copy[len] = '\0';
	}
	return copy;
}

char *mem_strdup(const char *from)
{
	return mem_strndup(from, strlen(from));
}

void mem_keep_little(void)
{
#ifdef __GLIBC__
	/* Otherwise a freed buffer raises both thresholds to its own size, and each thread has a heap of its own. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	mallopt(M_ARENA_MAX, 2);
#endif
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_wipe(void *ptr, size_t size)
{
	if (size)
		explicit_bzero(ptr, size);
}
