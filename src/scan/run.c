/* The threads of a scan: each takes a batch under the source's lock and counts it in a scanner of its own. */
#include "scan/run.h"

#include <pthread.h>

#include "base/mem.h"

struct run {
	const struct scan_run_options *options;
	pthread_mutex_t lock; /* guards the source's read, calls of `failed`, and what follows */
	uint64_t n_read; /* records so far */
	bool ended, more;
	struct seal_err err; /* the first one that ends the run */
};

/* What one thread owns. */
struct worker {
	struct run *run;
	struct scanner scanner;
	struct batch batch;
	pthread_t thread;
	bool started;
};

static bool stopped(const struct run *run)
{
	return run->options->stop != NULL && run->options->stop() != 0;
}

/* Under the lock. True: there is a batch, and *first is the number of its first record. */
static bool read_batch(struct worker *w, uint64_t *first)
{
	struct run *run = w->run;
	struct source *source = run->options->source;
	uint64_t max = run->options->max_records, left = max > 0 ? max - run->n_read : UINT64_MAX;
	enum read_result result = READ_IDLE;

	while (!run->ended && result == READ_IDLE) {
		size_t want = left < w->batch.cap ? (size_t)left : w->batch.cap;

		w->batch.n = 0;
		arena_reset(&w->batch.arena);
		run->ended = stopped(run) ||
			     source->ops->read(source, &w->batch, want, 100, &result, &run->err) != SEAL_OK ||
			     result == READ_END;
	}
	if (run->err.status != SEAL_OK || result != READ_SOME)
		return false;
	*first = run->n_read;
	run->n_read += w->batch.n;
	run->more = max > 0 && run->n_read >= max;
	run->ended = run->more;
	return true;
}

static void tell(struct run *run, const struct record *record, const struct seal_err *why)
{
	pthread_mutex_lock(&run->lock);
	run->options->failed(run->options->arg, record, why);
	pthread_mutex_unlock(&run->lock);
}

static enum seal_status scan_batch(struct worker *w, uint64_t first, struct seal_err *err)
{
	for (size_t i = 0; i < w->batch.n; i++) {
		struct seal_err why = SEAL_ERR_INIT;
		enum seal_status rc = scanner_record(&w->scanner, &w->batch.records[i], first + i, &why);

		if (rc == SEAL_DATA)
			tell(w->run, &w->batch.records[i], &why);
		else if (rc != SEAL_OK)
			return err_set(err, why.status, why.code, "%s", why.text);
	}
	return SEAL_OK;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct run *run = w->run;
	struct source *source = run->options->source;
	struct seal_err err = SEAL_ERR_INIT;
	uint64_t first = 0;
	bool some;

	do {
		pthread_mutex_lock(&run->lock);
		some = read_batch(w, &first);
		pthread_mutex_unlock(&run->lock);
		if (!some)
			return NULL;
		some = scan_batch(w, first, &err) == SEAL_OK;
		source->ops->release(source, &w->batch);
	} while (some);
	pthread_mutex_lock(&run->lock);
	run->ended = true;
	err_set(&run->err, err.status, err.code, "%s", err.text);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

static enum seal_status worker_init(struct worker *w, struct run *run, struct seal_err *err)
{
	w->run = run;
	w->batch.cap = STREAM_BATCH_RECORDS;
	arena_init(&w->batch.arena, STREAM_BATCH_BYTES);
	w->batch.records = mem_calloc(w->batch.cap, sizeof(*w->batch.records));
	if (w->batch.records == NULL)
		return err_memory(err);
	return scanner_init(&w->scanner, run->options->rules, err);
}

static void worker_clear(struct worker *w)
{
	if (w->run == NULL)
		return;
	scanner_clear(&w->scanner);
	arena_clear(&w->batch.arena);
	mem_free(w->batch.records);
}

/* The calling thread is the first worker. */
static enum seal_status run_workers(struct worker *workers, size_t n, struct run *run, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		SEAL_TRY(worker_init(&workers[i], run, err));
	for (size_t i = 1; i < n; i++)
		workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
	work(&workers[0]);
	for (size_t i = 1; i < n; i++)
		if (workers[i].started)
			pthread_join(workers[i].thread, NULL);
	if (run->err.status != SEAL_OK) {
		if (err != NULL)
			*err = run->err;
		return run->err.status;
	}
	for (size_t i = 1; i < n; i++)
		SEAL_TRY(scanner_merge(&workers[0].scanner, &workers[i].scanner, err));
	rc = scan_table_finish(workers[0].scanner.table, err);
out:
	return rc;
}

enum seal_status scan_run(const struct scan_run_options *options, struct scanner *scanner, bool *more,
			  struct seal_err *err)
{
	struct run run = {.options = options, .err = SEAL_ERR_INIT};
	struct worker *workers = mem_calloc(options->threads, sizeof(*workers));
	enum seal_status rc;

	if (workers == NULL)
		return err_memory(err);
	pthread_mutex_init(&run.lock, NULL);
	SEAL_TRY(run_workers(workers, options->threads, &run, err));
	*scanner = workers[0].scanner;
	workers[0].scanner = (struct scanner){.rules = NULL};
	*more = run.more;
out:
	for (size_t i = 0; i < options->threads; i++)
		worker_clear(&workers[i]);
	pthread_mutex_destroy(&run.lock);
	mem_free(workers);
	return rc;
}
