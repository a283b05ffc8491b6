/*
 * Many threads that want data keys at once, of a Transit key of the server that the environment names.
 *
 *     data_key_threads MOUNT/NAME THREADS
 *
 * First as one process that writes, then as another that reads what the first one wrote. Prints the wrapped form that all
 * writers got, when all threads of both had the same key. No test by itself: the tests count what the server was asked.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "keys/data_keys.h"
#include "vault/vault.h"

#define LIMIT_MS 30000
#define THREADS_MAX 64

/* What all threads of a "process" share. */
struct crowd {
	struct key *key;
	struct data_keys *keys;
	struct data_key *written; /* NULL: these write */
	pthread_barrier_t start;
};

struct worker {
	pthread_t thread;
	struct crowd *crowd;
	struct data_key *key;
	struct seal_err err;
};

static enum seal_status get(struct worker *w, struct key_session *session, const struct key_call *call)
{
	struct data_key_want want;
	enum seal_status rc;

	if (w->crowd->written == NULL)
		return data_keys_writer(w->crowd->keys, session, 1, call, &w->key, &w->err);
	want = (struct data_key_want){.wrapped = data_key_wrapped(w->crowd->written),
				      .commitment = data_key_commitment(w->crowd->written)};
	rc = data_keys_open(w->crowd->keys, session, &want, 1, call, &w->err);
	w->key = want.key;
	return rc;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct key_session *session = NULL;
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = clock_mono_ms() + LIMIT_MS};
	enum seal_status rc = w->crowd->key->ops->session(w->crowd->key, &session, &w->err);

	arena_init(&arena, 0);
	pthread_barrier_wait(&w->crowd->start);
	if (rc == SEAL_OK)
		rc = get(w, session, &call);
	if (session != NULL)
		session->ops->free(session);
	arena_clear(&arena);
	return NULL;
}

/* The key that all threads got, or NULL. */
static struct data_key *ask(struct key *key, struct data_key *written, size_t n)
{
	struct data_keys_options options = {0};
	struct crowd crowd = {.key = key, .written = written};
	struct worker workers[THREADS_MAX] = {0};
	struct data_key *got = NULL;
	bool same = true;

	if (data_keys_new(&options, &crowd.keys, NULL) != SEAL_OK ||
	    pthread_barrier_init(&crowd.start, NULL, (unsigned)n) != 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		workers[i].crowd = &crowd;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			abort();
	}
	for (size_t i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].key == NULL)
			fprintf(stderr, "data_key_threads: %s\n", workers[i].err.text);
		same = same && workers[i].key != NULL && workers[i].key == workers[0].key;
	}
	if (same)
		got = data_key_ref(workers[0].key);
	for (size_t i = 0; i < n; i++)
		data_key_unref(workers[i].key);
	pthread_barrier_destroy(&crowd.start);
	data_keys_free(crowd.keys);
	return got;
}

int main(int argc, char **argv)
{
	const struct key_source_config config = {.vault = NULL};
	struct data_key *written = NULL, *read = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	struct key_source *source = NULL;
	struct key *key = NULL;
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (n < 1 || n > THREADS_MAX)
		return 64;
	if (vault_source.open(&config, &source, &err) != SEAL_OK ||
	    vault_source.key(source, bytes_str(argv[1]), &key, &err) != SEAL_OK)
		fprintf(stderr, "data_key_threads: %s\n", err.text);
	if (key != NULL)
		written = ask(key, NULL, n);
	if (written != NULL)
		read = ask(key, written, n);
	if (read != NULL)
		printf("%.*s\n", BYTES_FMT(data_key_wrapped(read)));
	data_key_unref(written);
	data_key_unref(read);
	if (key != NULL)
		key->ops->free(key);
	if (source != NULL)
		vault_source.free(source);
	return read == NULL;
}
