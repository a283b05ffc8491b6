/*
 * A sender's surroundings: a directory with files, a local key, and a sink that keeps all records, acknowledges as told, and calls a
 * hook before each write. What it kept is put together again as a receiver would.
 */
#ifndef TESTS_SEND_FIXTURE_H
#define TESTS_SEND_FIXTURE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/encode.h"
#include "keyring_fixture.h"
#include "transfer/transfer.h"

#define KEPT_MAX 20000
#define DONE_MAX 1000

struct kept {
	uint8_t *bytes; /* key, value */
	size_t key_len, value_len;
	char name[300], wrapped[300], index[24], count[24], id[40];
	bool has_name;
};

struct send_fixture {
	struct fixture keys;
	struct key *key;
	char dir[80], state[100];
	struct sink sink;
	struct send_options options;
	struct transfer_counts counts;
	struct seal_err err;

	/* the sink; `lock` guards what follows, as two calls at once would be a bug: */
	pthread_mutex_t lock;
	struct kept kept[KEPT_MAX];
	size_t n_kept, run_from; /* run_from: before this run */
	uint64_t tickets[KEPT_MAX]; /* by the number of the record */
	uint64_t acknowledged;
	atomic_size_t lag; /* so many records stay unacknowledged */
	size_t fail_after; /* once so many are written, no more are taken and poll fails; 0: never */
	size_t record_max;
	atomic_int away; /* so many writes answer RETRY */
	bool silent; /* poll says so as long as records stay unacknowledged */
	size_t refused; /* longer values are refused by check; 0: none */
	int log; /* -1, or a datagram socket: another process gets the records' values as well */
	long write_ns; /* how long a write takes */
	void (*before_write)(struct send_fixture *f, const struct record *record);
	bool (*full)(struct send_fixture *f,
		     const struct record *record); /* no room for this one now; NULL: there is */
	bool finished;

	/* the watch */
	atomic_bool stop;
	size_t stop_after; /* records; 0: never */
	atomic_uint started, resumed, done, failed, abandoned, waits, goes_on;
	struct {
		char name[300];
		uint64_t size;
	} done_as[DONE_MAX]; /* the first `done` of them are written */
	uint64_t progress; /* the most bytes told */
	char last_failed[300], last_why[SEAL_ERR_TEXT_MAX];
};

static struct send_fixture *fixture_now; /* for callbacks without an argument */

/* For threads that are not the test's: cmocka's own would end the process without a word. */
#define in_thread(cond) ((cond) ? (void)0 : not_so(__LINE__, #cond))
static void not_so(int line, const char *what)
{
	fprintf(stderr, "send_fixture.h:%d: %s\n", line, what);
	abort();
}

static struct send_fixture *of_sink(struct sink *sink)
{
	return (struct send_fixture *)((char *)sink - offsetof(struct send_fixture, sink));
}

static void keep_header(struct kept *k, const struct record_header *h)
{
	const struct {
		const char *name;
		char *to;
		size_t room;
	} known[] = {{TRANSFER_HEADER_KEY, k->wrapped, sizeof(k->wrapped)},
		     {TRANSFER_HEADER_NAME, k->name, sizeof(k->name)},
		     {TRANSFER_HEADER_ID, k->id, sizeof(k->id)},
		     {TRANSFER_HEADER_INDEX, k->index, sizeof(k->index)},
		     {TRANSFER_HEADER_COUNT, k->count, sizeof(k->count)}};

	for (size_t i = 0; i < 5; i++) {
		if (!bytes_eq_str(h->name, known[i].name))
			continue;
		in_thread(h->value.len < known[i].room);
		memcpy(known[i].to, h->value.ptr, h->value.len);
		k->has_name = k->has_name || i == 1;
		return;
	}
	in_thread(!"an unknown header");
}

static void keep(struct send_fixture *f, const struct record *r)
{
	struct kept *k = &f->kept[f->n_kept];

	in_thread(f->n_kept < KEPT_MAX);
	*k = (struct kept){.key_len = r->key.len, .value_len = r->value.len};
	k->bytes = malloc(r->key.len + r->value.len + 1);
	memcpy(k->bytes, r->key.ptr, r->key.len);
	memcpy(k->bytes + r->key.len, r->value.ptr, r->value.len);
	for (size_t i = 0; i < r->n_headers; i++)
		keep_header(k, &r->headers[i]);
	if (f->log >= 0 && send(f->log, r->value.ptr, r->value.len, 0) != (ssize_t)r->value.len)
		_exit(99);
	f->n_kept++;
}

static enum seal_status fake_write(struct sink *sink, const struct record *records, size_t n, uint64_t ticket,
				   int timeout_ms, struct seal_err *err)
{
	struct send_fixture *f = of_sink(sink);
	enum seal_status rc = SEAL_OK;

	if (f->write_ns > 0)
		nanosleep(&(struct timespec){.tv_nsec = f->write_ns}, NULL);
	if (f->before_write != NULL)
		f->before_write(f, records);
	in_thread(pthread_mutex_trylock(&f->lock) == 0); /* else two are in the sink */
	in_thread(n == 1);
	if (atomic_load(&f->away) > 0) {
		atomic_fetch_sub(&f->away, 1);
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the sink is away");
		goto out;
	}
	if ((f->fail_after > 0 && f->n_kept >= f->fail_after) || (f->full != NULL && f->full(f, records))) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY, "the sink is full");
		goto out;
	}
	keep(f, records);
	in_thread(f->n_kept - f->run_from == 1 || ticket > f->tickets[f->n_kept - 2]);
	f->tickets[f->n_kept - 1] = ticket;
	if (f->stop_after > 0 && f->n_kept >= f->stop_after)
		atomic_store(&f->stop, true);
out:
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static enum seal_status fake_poll(struct sink *sink, int timeout_ms, uint64_t *acknowledged, struct seal_err *err)
{
	struct send_fixture *f = of_sink(sink);
	enum seal_status rc = SEAL_OK;
	size_t lag = atomic_load(&f->lag);

	in_thread(pthread_mutex_trylock(&f->lock) == 0); /* else two are in the sink */
	if (f->n_kept - f->run_from > lag)
		f->acknowledged = f->tickets[f->n_kept - lag - 1];
	*acknowledged = f->acknowledged;
	if (f->fail_after > 0 && f->n_kept >= f->fail_after)
		rc = err_set(err, SEAL_FATAL, SEAL_E_SERVICE, "undeliverable");
	else if (f->silent && f->n_kept > f->run_from && lag > 0)
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "the sink says nothing");
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static enum seal_status fake_check(struct sink *sink, const struct record *record, struct seal_err *err)
{
	struct send_fixture *f = of_sink(sink);

	if (f->refused == 0 || record->value.len <= f->refused)
		return SEAL_OK;
	return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "a record too large for the sink");
}

static enum seal_status fake_record_max(struct sink *sink, size_t *max, const char **flag, struct seal_err *err)
{
	*max = of_sink(sink)->record_max;
	*flag = "fake.limit";
	return SEAL_OK;
}

static enum seal_status fake_finish(struct sink *sink, struct seal_err *err)
{
	of_sink(sink)->finished = true;
	return SEAL_OK;
}

static const struct sink_ops fake_sink_ops = {.size = sizeof(fake_sink_ops),
					      .name = "fake",
					      .write = fake_write,
					      .poll = fake_poll,
					      .check = fake_check,
					      .record_max = fake_record_max,
					      .finish = fake_finish};

/* ---- the watch ---- */

static int watch_stop(void)
{
	return atomic_load(&fixture_now->stop);
}

static void watch_event(void *arg, const struct transfer_event *event)
{
	struct send_fixture *f = arg;

	in_thread(event->name != NULL);
	in_thread(event->bytes <= event->size || event->what == TRANSFER_FAILED);
	f->started += event->what == TRANSFER_STARTED;
	f->resumed += event->what == TRANSFER_RESUMED;
	f->failed += event->what == TRANSFER_FAILED;
	f->abandoned += event->what == TRANSFER_ABANDONED;
	if (event->what == TRANSFER_DONE) {
		in_thread(event->bytes == event->size && f->done < DONE_MAX);
		snprintf(f->done_as[f->done].name, sizeof(f->done_as[0].name), "%s", event->name);
		f->done_as[f->done].size = event->size;
		f->done++;
	}
	if (event->what == TRANSFER_PROGRESS && event->bytes > f->progress)
		f->progress = event->bytes;
	if (event->what == TRANSFER_FAILED) {
		in_thread(event->why != NULL);
		snprintf(f->last_failed, sizeof(f->last_failed), "%s", event->name);
		snprintf(f->last_why, sizeof(f->last_why), "%s", event->why->text);
	}
}

static void watch_waiting(void *arg, const struct seal_err *why)
{
	in_thread(why->status == SEAL_RETRY);
	((struct send_fixture *)arg)->waits++;
}

static void watch_resumed(void *arg, uint64_t waited_ms)
{
	((struct send_fixture *)arg)->goes_on++;
}

/* ---- set up ---- */

static void forget_kept(struct send_fixture *f)
{
	for (size_t i = 0; i < f->n_kept; i++)
		free(f->kept[i].bytes);
	f->n_kept = 0;
	f->acknowledged = 0;
}

/* What a run starts with; records stay. */
static void send_reset(struct send_fixture *f)
{
	atomic_store(&f->stop, false);
	f->stop_after = f->fail_after = f->refused = 0;
	f->before_write = NULL;
	f->full = NULL;
	f->silent = false;
	f->started = f->resumed = f->done = f->failed = f->abandoned = f->waits = f->goes_on = 0;
	f->finished = false;
	f->progress = 0;
	atomic_store(&f->away, 0);
	atomic_store(&f->lag, 0);
	err_clear(&f->err);
	f->options = (struct send_options){
		.directory = f->dir,
		.once = true,
		.parallel = 1,
		.chunk_size = 1024,
		.settle_ms = 50,
		.sink = &f->sink,
		.key = f->key,
		.watch = {.stop = watch_stop,
			  .event = watch_event,
			  .waiting = watch_waiting,
			  .resumed = watch_resumed,
			  .arg = f},
	};
}

static struct send_fixture *send_fixture_new(void)
{
	struct send_fixture *f = calloc(1, sizeof(*f));

	fixture_open(&f->keys);
	fixture_create(&f->keys, "files", "aes256-gcm96");
	f->key = fixture_key(&f->keys, "files");
	snprintf(f->dir, sizeof(f->dir), "%s/source", f->keys.dir);
	snprintf(f->state, sizeof(f->state), "%s/.sealstream", f->dir);
	assert_int_equal(mkdir(f->dir, 0755), 0);
	f->sink.ops = &fake_sink_ops;
	f->record_max = 1 << 20;
	f->log = -1;
	pthread_mutex_init(&f->lock, NULL);
	fixture_now = f;
	send_reset(f);
	return f;
}

static void send_fixture_free(struct send_fixture *f)
{
	forget_kept(f);
	f->key->ops->free(f->key);
	fixture_close(&f->keys);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static enum seal_status send_run(struct send_fixture *f)
{
	err_clear(&f->err);
	f->run_from = f->n_kept;
	f->acknowledged = 0;
	return transfer_send(&f->options, &f->counts, &f->err);
}

/* ---- files ---- */

/* What a test file holds: of its size and a seed alone. */
static uint8_t byte_at(size_t i, unsigned seed)
{
	return (uint8_t)(i * 2654435761u >> 13 ^ seed * 97);
}

/* Its last change is long ago: nobody waits for a tick. */
static void make_file(struct send_fixture *f, const char *name, size_t size, unsigned seed)
{
	const struct timespec times[2] = {{1700000000 + seed, 5}, {1700000000 + seed, 7}};
	uint8_t *bytes = malloc(size + 1);
	char path[400];
	int fd;

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(i, seed);
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	free(bytes);
}

/* ---- what came out ---- */

/* A file put together from the kept records of one transfer. */
struct rebuilt {
	uint8_t *bytes;
	size_t len;
	uint64_t chunks; /* different ones */
	bool whole;
	char name[300];
	char id[40];
	int64_t mtime_ns;
};

static struct file_opener *open_part(struct send_fixture *f, struct key_session *kek, const struct file_part *part)
{
	struct file_opener *opener = NULL;

	OK(&f->keys, file_opener_new(&part->header, kek, false, &f->keys.call, &opener, &f->keys.err));
	return opener;
}

/* All records with that id (32 hex digits). */
static struct rebuilt rebuild(struct send_fixture *f, const char *id)
{
	struct key_session *kek = fixture_session(&f->keys, f->key);
	struct rebuilt r = {.bytes = NULL};
	struct file_opener *opener = NULL;
	struct seal_bytes header = BYTES_EMPTY;
	bool *seen = NULL;
	uint64_t count = 0;

	memcpy(r.id, id, 33);
	for (size_t i = 0; i < f->n_kept; i++) {
		struct kept *k = &f->kept[i];
		struct file_part part;
		const struct file_meta *meta;
		uint8_t *plain = malloc(k->value_len);

		if (k->key_len == 32 && memcmp(k->bytes, id, 32) == 0) {
			OK(&f->keys, file_part_parse(bytes_of(k->bytes + 32, k->value_len), &part, &f->keys.err));
			if (opener == NULL || !bytes_eq(header, part.header.all)) {
				file_opener_free(opener);
				opener = open_part(f, kek, &part);
				header = part.header.all;
			}
			meta = file_opener_meta(opener);
			if (r.bytes == NULL) {
				r.len = meta->size;
				r.bytes = malloc(r.len + 1);
				count = file_chunks(meta->size, meta->chunk_size);
				seen = calloc(count, 1);
				memcpy(r.name, meta->name.ptr, meta->name.len);
				r.mtime_ns = meta->mtime_ns;
			}
			OK(&f->keys, file_open_chunk(opener, part.index, part.last, part.chunk, plain, &f->keys.err));
			assert_int_equal(part.last, part.index == count - 1);
			r.chunks += !seen[part.index];
			seen[part.index] = true;
			memcpy(r.bytes + (size_t)part.index * meta->chunk_size, plain, part.chunk.len - FILE_TAG_LEN);
		}
		free(plain);
	}
	r.whole = count > 0 && r.chunks == count;
	file_opener_free(opener);
	free(seen);
	kek->ops->free(kek);
	return r;
}

static void rebuilt_free(struct rebuilt *r)
{
	free(r->bytes);
}

/* Different transfers, in order of their first record; *ids[i] has room for 33. */
static size_t transfers_of(const struct send_fixture *f, char (*ids)[33], size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_kept; i++) {
		size_t j = 0;

		while (j < n && memcmp(ids[j], f->kept[i].bytes, 32) != 0)
			j++;
		if (j < n)
			continue;
		assert_true(n < room);
		memcpy(ids[n], f->kept[i].bytes, 32);
		ids[n++][32] = '\0';
	}
	return n;
}

/* How many whole transfers of that name hold make_file(size, seed). */
static unsigned arrived(struct send_fixture *f, const char *name, size_t size, unsigned seed)
{
	static char ids[KEPT_MAX][33];
	size_t n = transfers_of(f, ids, KEPT_MAX);
	unsigned found = 0;

	for (size_t i = 0; i < n; i++) {
		struct rebuilt r = rebuild(f, ids[i]);
		bool same = r.whole && r.len == size && strcmp(r.name, name) == 0;

		for (size_t at = 0; same && at < size; at++)
			same = r.bytes[at] == byte_at(at, seed);
		found += same;
		rebuilt_free(&r);
	}
	return found;
}

#define RUN(f)                                                                                                       \
	do {                                                                                                         \
		if (send_run(f) != SEAL_OK)                                                                          \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, (f)->err.text);                                    \
	} while (0)

static inline int send_setup(void **state)
{
	*state = send_fixture_new();
	return 0;
}

static inline int send_teardown(void **state)
{
	send_fixture_free(*state);
	return 0;
}

#endif
