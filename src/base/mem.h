/*
 * All allocation of the project goes through here, so that tests can make the n-th one fail.
 *
 * Sizes of 0 give a valid pointer. Products are checked for overflow.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_calloc(size_t count, size_t size);
/* On failure the old block is untouched. */
void *mem_realloc(void *old, size_t size);
/* Grows to `count` elements of `size` bytes. */
void *mem_realloc_array(void *old, size_t count, size_t size);
/* Room for at least `need` elements in an array of *cap: it grows by half, from 64. False: no memory, and all is as it was. */
bool mem_grow(void **array, size_t *cap, size_t need, size_t size);
void *mem_dup(const void *from, size_t size);
/* A NUL-terminated copy, for the few interfaces that need one. */
char *mem_strndup(const char *from, size_t len);
char *mem_strdup(const char *from);
void mem_free(void *ptr);

/*
 * For programs that move large buffers from thread to thread: what is freed goes back to the system soon, instead of being kept
 * for each thread. Whole process; call before threads start.
 */
void mem_keep_little(void);

/* Overwrites memory so that the compiler can't leave it out. NULL is fine with size 0. */
void mem_wipe(void *ptr, size_t size);

/* Tests only: asked before each allocation; false makes it fail. NULL removes it. Not thread-safe to change. */
void mem_set_hook(bool (*allow)(void *arg, size_t size), void *arg);

/* Used by allocators of their own (secret memory, the arena): true when the hook lets this one pass. */
bool mem_allowed(size_t size);

#endif
