/*
 * librdkafka starts its threads with C11's thrd_create, which the thread sanitizer (LLVM 14) does not know: it ends at the
 * first thing that such a thread does. Linked into tests under that sanitizer, and visible to librdkafka, these take the place of libc's.
 */
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>

struct start {
	thrd_start_t run;
	void *arg;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.run(start.arg);
	return NULL;
}

__attribute__((visibility("default"))) int thrd_create(thrd_t *thread, thrd_start_t function, void *arg)
{
	struct start *start = malloc(sizeof(*start));

	if (start == NULL)
		return thrd_nomem;
	*start = (struct start){function, arg};
	if (pthread_create(thread, NULL, run, start) == 0)
		return thrd_success;
	free(start);
	return thrd_error;
}

__attribute__((visibility("default"))) int thrd_join(thrd_t thread, int *result)
{
	if (result != NULL)
		*result = 0;
	return pthread_join(thread, NULL) == 0 ? thrd_success : thrd_error;
}
