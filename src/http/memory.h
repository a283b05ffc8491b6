/* libcurl's memory: wiped when it is given back, since it holds tokens and plaintext. */
#ifndef HTTP_MEMORY_H
#define HTTP_MEMORY_H

#include "base/err.h"

/* Makes libcurl ready, once a process; any thread. */
SEAL_MUST_USE enum seal_status memory_curl_init(struct seal_err *err);

/* Tests only: asked before each of libcurl's allocations, from any thread; false makes it fail. NULL removes it. */
void memory_set_hook(bool (*allow)(void *arg, size_t size), void *arg);

#endif
