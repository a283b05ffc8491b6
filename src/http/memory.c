/*
 * libcurl allocates through these functions. They give plain malloc memory (a host program may have started libcurl before us
 * or may free what it gets from it) and wipe it all when it goes: request buffers hold tokens, receive buffers plaintext.
 *
 * They don't ask the hook of base/mem.h, whose users count allocations: libcurl's depend on timing. They have one of their
 * own.
 */
#include "http/memory.h"

#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>

#include "base/ckd.h"
#include "base/mem.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;
static bool (*hook)(void *arg, size_t size);
static void *hook_arg;

void memory_set_hook(bool (*allow)(void *arg, size_t size), void *arg)
{
	hook = allow;
	hook_arg = arg;
}

static void *wiped_malloc(size_t size)
{
	return hook == NULL || hook(hook_arg, size) ? malloc(size ? size : 1) : NULL;
}

static void wiped_free(void *ptr)
{
	if (ptr != NULL)
		mem_wipe(ptr, malloc_usable_size(ptr));
	free(ptr);
}

static void *wiped_realloc(void *old, size_t size)
{
	size_t had = old == NULL ? 0 : malloc_usable_size(old);
	void *grown = wiped_malloc(size);

	if (grown != NULL && old != NULL) {
		memcpy(grown, old, had < size ? had : size);
		wiped_free(old);
	}
	return grown;
}

static char *wiped_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = wiped_malloc(size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void *wiped_calloc(size_t count, size_t size)
{
	size_t total;

	if (ckd_mul(&total, count, size) || (hook != NULL && !hook(hook_arg, total)))
		return NULL;
	return calloc(1, total ? total : 1);
}

static void start(void)
{
	started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiped_malloc, wiped_free, wiped_realloc, wiped_strdup,
				       wiped_calloc);
}

enum seal_status memory_curl_init(struct seal_err *err)
{
	pthread_once(&once, start);
	if (started != CURLE_OK)
		return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "libcurl does not start: %s",
			       curl_easy_strerror(started));
	return SEAL_OK;
}
