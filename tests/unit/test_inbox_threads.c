/*
 * inbox: every message of a service that lends them is acknowledged once it is committed and not before, kept while it is worked
 * on, and given back where it is not. The service is a fake that knows who has lent what; the clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "streams/inbox.h"

#define MESSAGES 3000
#define SECRET "PLAINTEXT-THAT-MUST-BE-WIPED"

enum holder { NOBODY, LENT, GONE };

static struct {
	pthread_mutex_t lock;
	atomic_uint_least64_t now_ms;
	atomic_uint tick; /* by which time goes on with each look at it */
	atomic_bool machine_stands; /* for threads that receive, between two receives */
	atomic_uint standing; /* so many by now */
	/* the queue */
	struct {
		enum holder holder;
		unsigned times; /* received */
		unsigned extended, given_back;
		uint64_t until_ms;
	} messages[MESSAGES];
	size_t n;
	/* what is to happen */
	unsigned dice; /* per mille of calls that are to be repeated */
	uint64_t seed;
	_Atomic enum seal_status receive, acknowledge, extend; /* of all calls */
	unsigned no_worker;
	bool half; /* of an acknowledge that fails is done */
	/* what was seen */
	size_t n_workers, n_freed, n_receives, n_acknowledges, n_extends, n_gone, in_receive, most_in_receive;
	unsigned seconds; /* of the last extension */
	unsigned granted_ms; /* what a receive says of how long it lends; 0: nothing */
	bool watch_frees, seen_plain;
} f;

uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void)
{
	return atomic_fetch_add(&f.now_ms, atomic_load(&f.tick));
}

static _Thread_local bool receives; /* it has, before */

/* Waits are short, and look at the test's clock again. */
void __real_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ms);
void __wrap_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ms);
void __wrap_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ms)
{
	struct timespec now;

	atomic_fetch_add(&f.standing, receives && atomic_load(&f.machine_stands));
	while (receives && atomic_load(&f.machine_stands)) {
		pthread_mutex_unlock(lock);
		usleep(100);
		pthread_mutex_lock(lock);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	__real_cond_wait_until(cond, lock, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 2);
}

void __real_mem_free(void *ptr);
void __wrap_mem_free(void *ptr);
void __wrap_mem_free(void *ptr)
{
	if (ptr != NULL && f.watch_frees && memmem(ptr, malloc_usable_size(ptr), SECRET, strlen(SECRET)) != NULL)
		f.seen_plain = true;
	__real_mem_free(ptr);
}

uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise);
uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise)
{
	return 0;
}

/* ---- the service ---- */

static unsigned roll(unsigned n)
{
	f.seed ^= f.seed << 13;
	f.seed ^= f.seed >> 7;
	f.seed ^= f.seed << 17;
	return (unsigned)(f.seed % n);
}

static enum seal_status fake_new(void *arg, void **worker, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&f.lock);
	if (++f.n_workers == f.no_worker)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "no credentials");
	else
		*worker = &f;
	pthread_mutex_unlock(&f.lock);
	return rc;
}

static void fake_free(void *worker)
{
	pthread_mutex_lock(&f.lock);
	f.n_freed++;
	pthread_mutex_unlock(&f.lock);
}

/* Under lock: how a call ends. */
static enum seal_status outcome(enum seal_status fixed, struct seal_err *err)
{
	if (fixed == SEAL_DENIED)
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED, "not allowed");
	if (fixed != SEAL_OK || (f.dice > 0 && roll(1000) < f.dice))
		return err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "is away");
	return SEAL_OK;
}

static void lend(struct arena *arena, struct inbox_message *message, size_t number)
{
	f.messages[number].holder = LENT;
	f.messages[number].times++;
	f.messages[number].until_ms = atomic_load(&f.now_ms) + 2000;
	if (f.granted_ms > 0)
		f.messages[number].until_ms = message->until_ms = atomic_load(&f.now_ms) + f.granted_ms;
	message->record.value = bytes_str(arena_printf(arena, "%s %zu", SECRET, number));
	message->record.id = bytes_str(arena_printf(arena, "id-%zu", number));
	message->handle = bytes_str(arena_printf(arena, "%zu %u", number, f.messages[number].times));
}

static enum seal_status fake_receive(void *worker, struct arena *arena, struct inbox_message *messages, size_t max,
				     int wait_ms, size_t *n, struct seal_err *err)
{
	enum seal_status rc;

	assert_in_range(wait_ms, 1, 20000);
	receives = true;
	pthread_mutex_lock(&f.lock);
	f.n_receives++;
	if (++f.in_receive > f.most_in_receive)
		f.most_in_receive = f.in_receive;
	*n = 0;
	rc = outcome(f.receive, err);
	for (size_t i = 0; i < f.n && *n < max && rc == SEAL_OK; i++) {
		const bool over = f.messages[i].holder == LENT && f.messages[i].until_ms < atomic_load(&f.now_ms);

		if (f.messages[i].holder == NOBODY || over)
			lend(arena, &messages[(*n)++], i);
	}
	pthread_mutex_unlock(&f.lock);
	usleep(100);
	pthread_mutex_lock(&f.lock);
	f.in_receive--;
	pthread_mutex_unlock(&f.lock);
	return rc;
}

/* Whose handle it is, if it is the last one and nobody else has got the message since. */
static bool find(const struct inbox_message *message, size_t *number)
{
	unsigned times;
	char text[40], id[40];

	assert_null(message->record.value.ptr); /* may be gone by now, so it is not there */
	snprintf(text, sizeof(text), "%.*s", BYTES_FMT(message->handle));
	assert_int_equal(sscanf(text, "%zu %u", number, &times), 2);
	snprintf(id, sizeof(id), "id-%zu", *number);
	assert_true(bytes_eq_str(message->record.id, id));
	return f.messages[*number].holder == LENT && f.messages[*number].times == times;
}

static enum seal_status fake_acknowledge(void *worker, struct inbox_message *const *messages, size_t n,
					 struct seal_err *err)
{
	enum seal_status rc;
	size_t number;

	assert_in_range(n, 1, 7);
	pthread_mutex_lock(&f.lock);
	f.n_acknowledges++;
	rc = outcome(f.acknowledge, err);
	for (size_t i = 0; i < n && (rc == SEAL_OK || (f.half && i < n / 2)); i++) {
		messages[i]->done = rc != SEAL_OK;
		messages[i]->refused = !find(messages[i], &number);
		if (!messages[i]->refused) {
			f.messages[number].holder = GONE;
			f.n_gone++;
		}
	}
	pthread_mutex_unlock(&f.lock);
	return rc;
}

static enum seal_status fake_extend(void *worker, struct inbox_message *const *messages, size_t n, unsigned seconds,
				    struct seal_err *err)
{
	enum seal_status rc;
	size_t number;

	assert_in_range(n, 1, 7);
	pthread_mutex_lock(&f.lock);
	f.n_extends++;
	f.seconds = seconds;
	rc = outcome(f.extend, err);
	for (size_t i = 0; i < n && rc == SEAL_OK; i++) {
		messages[i]->refused = !find(messages[i], &number);
		if (messages[i]->refused)
			continue;
		f.messages[number].until_ms = atomic_load(&f.now_ms) + seconds * 1000ull;
		f.messages[number].extended += seconds > 0;
		f.messages[number].given_back += seconds == 0;
		if (seconds == 0)
			f.messages[number].holder = NOBODY;
	}
	pthread_mutex_unlock(&f.lock);
	return rc;
}

static const struct inbox_service service = {.worker_new = fake_new,
					     .worker_free = fake_free,
					     .receive = fake_receive,
					     .acknowledge = fake_acknowledge,
					     .extend = fake_extend};

/* ---- helpers ---- */

static struct inbox *box;
static struct seal_err err;
#define BATCHES 20
#define BATCH_CAP 100
static struct record records[BATCHES][BATCH_CAP];
static struct batch batches[BATCHES], *last;
static size_t n_batches;

static void begin(size_t n, unsigned requests, const struct inbox_config *more)
{
	struct inbox_config config = {.name = "fake:box", .fetch = 5, .lot = 7, .lend_s = 2, .requests = requests};

	if (more != NULL) {
		config.ahead = more->ahead;
		config.ahead_bytes = more->ahead_bytes;
		config.lend_max_s = more->lend_max_s;
		config.exit_when_empty = more->exit_when_empty;
		config.idle_ms = more->idle_ms;
		config.look = more->look;
	}
	f.n = n;
	assert_int_equal(inbox_new(&config, &service, NULL, &box, &err), SEAL_OK);
}

static void pass(uint64_t ms)
{
	atomic_fetch_add(&f.now_ms, ms);
}

/* Until a number of the fake's is at least so large. */
static void wait_for(const size_t *what, size_t least)
{
	size_t seen;

	do {
		usleep(200);
		pthread_mutex_lock(&f.lock);
		seen = *what;
		pthread_mutex_unlock(&f.lock);
	} while (seen < least);
}

static unsigned number_of(const struct record *record)
{
	unsigned number;

	assert_int_equal(sscanf((const char *)record->id.ptr, "id-%u", &number), 1);
	return number;
}

/* Reads n records in as many batches as it takes; the last one is `last`. */
static void read_all(size_t n)
{
	for (size_t got = 0; got < n;) {
		struct batch *batch = &batches[n_batches];
		enum read_result result = READ_IDLE;

		assert_true(n_batches < BATCHES);
		assert_int_equal(inbox_read(box, batch, n - got, 0, &result, &err), SEAL_OK);
		if (result == READ_IDLE) {
			usleep(100);
			continue;
		}
		assert_int_equal(result, READ_SOME);
		assert_in_range(batch->n, 1, n - got);
		got += batch->n;
		last = batch;
		n_batches++;
	}
}

static void release_all(void)
{
	while (n_batches > 0) {
		struct batch *batch = &batches[--n_batches];

		inbox_release(box, batch);
		arena_reset(&batch->arena);
		batch->n = 0;
	}
}

static void commit(size_t keep)
{
	struct batch part = *last;

	part.n -= keep;
	assert_int_equal(inbox_commit(box, &part, &err), SEAL_OK);
}

/* How many of the fake's messages have this holder. */
static size_t count(enum holder holder)
{
	size_t n = 0;

	pthread_mutex_lock(&f.lock);
	for (size_t i = 0; i < f.n; i++)
		n += f.messages[i].holder == holder;
	pthread_mutex_unlock(&f.lock);
	return n;
}

static int setup(void **state)
{
	memset(&f, 0, sizeof(f));
	f.now_ms = 1000000;
	f.seed = 7;
	pthread_mutex_init(&f.lock, NULL);
	err_clear(&err);
	box = NULL;
	n_batches = 0;
	for (int i = 0; i < BATCHES; i++) {
		batches[i] = (struct batch){.records = records[i], .cap = BATCH_CAP};
		arena_init(&batches[i].arena, 1 << 12);
	}
	return 0;
}

static int teardown(void **state)
{
	atomic_store(&f.machine_stands, false);
	if (box != NULL)
		release_all();
	inbox_close(box, true);
	for (int i = 0; i < BATCHES; i++)
		arena_clear(&batches[i].arena);
	assert_int_equal(f.n_freed, f.n_workers - (f.no_worker > 0));
	pthread_mutex_destroy(&f.lock);
	return 0;
}

/* ---- storms ---- */

/* Reads, works and commits until the end: all gone, each read, offsets without a gap. */
static void storm(unsigned requests, unsigned dice, uint64_t seed)
{
	const struct inbox_config more = {.exit_when_empty = true, .idle_ms = 3000};
	enum read_result result = READ_IDLE;
	int64_t offset = 0;

	f.dice = dice;
	f.seed = seed;
	atomic_store(&f.tick, 1);
	begin(MESSAGES, requests, &more);
	while (result != READ_END) {
		enum seal_status rc;

		err_clear(&err);
		rc = inbox_read(box, &batches[0], BATCH_CAP, 5, &result, &err);
		if (rc != SEAL_OK) {
			assert_int_equal(rc, SEAL_RETRY);
			assert_string_equal(err.text, "is away");
			result = READ_IDLE;
		} else if (result == READ_SOME) {
			for (size_t i = 0; i < batches[0].n; i++) {
				assert_int_equal(batches[0].records[i].offset, ++offset);
				assert_int_equal(batches[0].records[i].partition, 0);
				assert_in_range(number_of(&batches[0].records[i]), 0, MESSAGES - 1);
			}
			assert_int_equal(inbox_commit(box, &batches[0], &err), SEAL_OK);
			inbox_release(box, &batches[0]);
			arena_reset(&batches[0].arena);
			batches[0].n = 0;
		}
	}
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, MESSAGES);
	assert_int_equal(count(GONE), MESSAGES);
	assert_true(offset >= MESSAGES && (uint64_t)offset - MESSAGES <= inbox_late(box));
	assert_true(f.most_in_receive <= requests);
}

static void test_storm(void **state)
{
	storm(4, 200, 21);
}

static void test_storm_of_one(void **state)
{
	storm(1, 100, 22);
}

static void test_calm(void **state)
{
	storm(3, 0, 23);
}

/* ---- what is acknowledged ---- */

static void test_only_what_is_committed(void **state)
{
	begin(20, 1, NULL);
	read_all(5);
	commit(2);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 3);
	commit(2); /* once more changes nothing */
	release_all();
	inbox_close(box, true);
	box = NULL;
	/* The two that were not, and all that was fetched ahead, can be had by others now. */
	assert_int_equal(count(GONE), 3);
	assert_int_equal(count(NOBODY), 17);
	assert_int_equal(f.messages[3].given_back + f.messages[4].given_back, 2);
	assert_int_equal(f.messages[0].given_back, 0);
}

/* A commit speaks for all batches before its own. */
static void test_commit_of_a_later_batch(void **state)
{
	begin(20, 2, NULL);
	read_all(2);
	read_all(3);
	release_all(); /* in any order */
	assert_int_equal(inbox_mark(box, last->records[0].offset, &err), SEAL_OK);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_true(f.n_gone >= 2 && f.n_gone < 5);
	assert_int_equal(inbox_mark(box, 6, &err), SEAL_OK);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 5);
}

static void test_unclean_close_says_nothing(void **state)
{
	begin(20, 1, NULL);
	read_all(5);
	release_all();
	inbox_close(box, false);
	box = NULL;
	assert_int_equal(f.n_acknowledges + f.n_extends, 0);
	assert_true(count(LENT) >= 5);
}

/* What was committed before a clean close is acknowledged by it, even if the service was away. */
static void test_close_acknowledges(void **state)
{
	begin(5, 1, NULL);
	read_all(5);
	f.acknowledge = SEAL_RETRY;
	commit(0);
	wait_for(&f.n_acknowledges, 2);
	assert_true(inbox_away(box));
	f.acknowledge = SEAL_OK;
	release_all();
	inbox_close(box, true);
	box = NULL;
	assert_int_equal(f.n_gone, 5);
}

/* What a failed call has done is not asked for again, and not taken for late. */
static void test_half_of_it_is_done(void **state)
{
	begin(5, 1, NULL);
	read_all(5);
	f.half = true;
	f.acknowledge = SEAL_RETRY;
	commit(0);
	wait_for(&f.n_acknowledges, 4);
	f.acknowledge = SEAL_OK;
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 5);
	assert_int_equal(inbox_late(box), 0);
}

/* ---- leases ---- */

static void test_extended_while_working(void **state)
{
	begin(3, 2, NULL);
	read_all(3);
	for (size_t i = 1; i <= 5; i++) {
		pass(1000);
		wait_for(&f.n_extends, i);
	}
	pthread_mutex_lock(&f.lock);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f.messages[i].times, 1);
	assert_int_equal(f.seconds, 2);
	pthread_mutex_unlock(&f.lock);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 3);
	assert_int_equal(inbox_late(box), 0);
}

/* Beyond the longest time nothing is extended; what is committed later counts. */
/* Lent for a shorter time than those before: extended at once, while the others' time has not begun to run out. */
static void test_lent_for_less(void **state)
{
	size_t extends;

	begin(5, 1, NULL);
	read_all(5);
	pthread_mutex_lock(&f.lock);
	f.granted_ms = 400;
	f.extend = SEAL_RETRY;
	f.n = 7;
	pthread_mutex_unlock(&f.lock);
	pass(150); /* the next receive is due */
	wait_for(&f.n_extends, 3);
	pthread_mutex_lock(&f.lock);
	assert_int_equal(f.messages[0].extended, 0);
	f.extend = SEAL_OK;
	extends = f.n_extends;
	pthread_mutex_unlock(&f.lock);
	wait_for(&f.n_extends, extends + 1);
	while (inbox_away(box)) /* until that is known here, too */
		usleep(100);
	pass(500); /* what was granted at first is over */
	read_all(2);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 7);
	assert_int_equal(f.messages[0].times + f.messages[5].times + f.messages[6].times, 3);
	assert_int_equal(inbox_late(box), 0);
}

static void test_longest_time(void **state)
{
	const struct inbox_config more = {.lend_max_s = 5};

	begin(3, 1, &more);
	read_all(3);
	for (size_t i = 1; i <= 4; i++) { /* until 2, 3, 4, 5 and no more */
		pass(1000);
		wait_for(&f.n_extends, i < 4 ? i : 3);
	}
	pass(1500);
	usleep(20000);
	pthread_mutex_lock(&f.lock);
	assert_in_range(f.n_extends, 3, 6); /* a lot may have had to be split */
	pthread_mutex_unlock(&f.lock);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(inbox_late(box), 3);
}

/* Somebody else has it by now: it is not acknowledged, and counted once. */
static void test_taken_away(void **state)
{
	begin(2, 1, NULL);
	read_all(2);
	pthread_mutex_lock(&f.lock);
	f.messages[0].times++;
	pthread_mutex_unlock(&f.lock);
	pass(1000);
	wait_for(&f.n_extends, 1);
	while (inbox_late(box) == 0)
		usleep(100);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 1);
	assert_int_equal(inbox_late(box), 1);
}

static void test_acknowledged_too_late(void **state)
{
	begin(2, 1, NULL);
	read_all(2);
	pthread_mutex_lock(&f.lock);
	f.messages[1].times++;
	pthread_mutex_unlock(&f.lock);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(inbox_late(box), 1);
}

/* What waited so long that its time was over is not read: it comes again, once, with all of its receive behind it. */
static void test_stale_ones_are_not_read(void **state)
{
	begin(5, 1, NULL);
	f.extend = SEAL_RETRY;
	wait_for(&f.n_receives, 2); /* what the first has brought waits here by then */
	pass(2100);
	read_all(5);
	assert_int_equal(last->records[last->n - 1].offset, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(f.messages[i].times, 2);
	f.extend = SEAL_OK;
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 5);
	assert_int_equal(inbox_late(box), 0);
}

/* How often messages were. */
static unsigned given_back(void)
{
	unsigned n = 0;

	pthread_mutex_lock(&f.lock);
	for (size_t i = 0; i < f.n; i++)
		n += f.messages[i].given_back;
	pthread_mutex_unlock(&f.lock);
	return n;
}

/* Those behind one that somebody else has by now are given back at once, so that they come again in their order. */
static void test_behind_a_lost_one(void **state)
{
	const struct inbox_config more = {.ahead = 5};
	enum read_result result;

	begin(5, 1, &more);
	read_all(1);
	pthread_mutex_lock(&f.lock);
	f.messages[1].times++;
	f.messages[1].until_ms = UINT64_MAX;
	pthread_mutex_unlock(&f.lock);
	pass(1000);
	wait_for(&f.n_extends, 1);
	pass(1000);
	wait_for(&f.n_extends, 2); /* the others, since it is known that the first is lost */
	assert_int_equal(inbox_read(box, &batches[BATCHES - 1], 1, 0, &result, &err), SEAL_OK);
	assert_int_equal(result, READ_IDLE);
	while (given_back() < 3)
		usleep(100);
	pass(101); /* a receive may have come before that */
	read_all(3);
	for (int i = 2; i < 5; i++) {
		assert_int_equal(f.messages[i].given_back, 1);
		assert_int_equal(f.messages[i].times, 2);
	}
	assert_int_equal(f.messages[0].given_back + f.messages[1].given_back, 0);
}

/* What is lent to us no more is not given back: its handle may be that of what another reader has by now. */
static void test_close_leaves_what_is_over(void **state)
{
	const struct inbox_config more = {.ahead = 5, .lend_max_s = 2};

	begin(5, 1, &more);
	while (count(LENT) < 5)
		usleep(100);
	read_all(2);
	pass(2100);
	release_all();
	inbox_close(box, true);
	box = NULL;
	assert_int_equal(f.n_extends, 0);
}

/* ---- looking ---- */

/* Time goes on after each receive. */
static void read_to_the_end(void)
{
	enum read_result result = READ_IDLE;
	size_t seen = 0, now;

	while (result != READ_END) {
		pthread_mutex_lock(&f.lock);
		now = f.n_receives;
		pthread_mutex_unlock(&f.lock);
		if (now != seen)
			pass(101);
		seen = now;
		assert_int_equal(inbox_read(box, &batches[BATCHES - 1], 1, 0, &result, &err), SEAL_OK);
		assert_int_not_equal(result, READ_SOME);
		usleep(100);
	}
}

/* Whatever is committed: all of it is there again afterwards, and comes once while it is looked at. */
static void test_look(void **state)
{
	const struct inbox_config more = {.exit_when_empty = true, .idle_ms = 300, .look = true};

	begin(20, 2, &more);
	read_all(20);
	commit(0);
	read_to_the_end();
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	release_all();
	inbox_close(box, true);
	box = NULL;
	assert_int_equal(f.n_acknowledges, 0);
	assert_int_equal(count(NOBODY), 20);
	for (int i = 0; i < 20; i++)
		assert_true(f.messages[i].times == 1 && f.messages[i].given_back == 1);
}

/* Nobody waits for a receive that is begun when the end is known. */
static void test_nothing_is_asked_for_at_the_end(void **state)
{
	const struct inbox_config more = {.exit_when_empty = true, .idle_ms = 300};
	size_t asked;

	begin(0, 4, &more);
	read_to_the_end();
	pthread_mutex_lock(&f.lock);
	asked = f.n_receives;
	pthread_mutex_unlock(&f.lock);
	pass(10000);
	usleep(20000);
	assert_int_equal(f.n_receives, asked);
}

/* Time in which nobody could look is no time in which nothing came: what another reader gives up meanwhile is read. */
static void test_nobody_looked(void **state)
{
	const struct inbox_config more = {.exit_when_empty = true, .idle_ms = 300};
	enum read_result result;

	f.messages[0].holder = LENT;
	f.messages[0].until_ms = atomic_load(&f.now_ms) + 200;
	atomic_store(&f.machine_stands, true);
	begin(1, 1, &more);
	while (atomic_load(&f.standing) == 0)
		usleep(100);
	pass(1000);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(inbox_read(box, &batches[BATCHES - 1], 1, 0, &result, &err), SEAL_OK);
		assert_int_equal(result, READ_IDLE);
		usleep(100);
	}
	atomic_store(&f.machine_stands, false);
	read_all(1);
	commit(0);
	read_to_the_end();
}

/* ---- bounds ---- */

static void test_no_more_ahead_than_asked_for(void **state)
{
	const struct inbox_config more = {.ahead = 12};

	begin(100, 4, &more);
	wait_for(&f.n_receives, 2);
	usleep(20000);
	assert_int_equal(count(LENT), 10);
	read_all(10);
	while (count(LENT) < 20)
		usleep(100);
}

static void test_bytes_ahead(void **state)
{
	const struct inbox_config more = {.ahead_bytes = 1};

	begin(100, 1, &more);
	wait_for(&f.n_receives, 1);
	usleep(20000);
	assert_int_equal(count(LENT), 5);
}

/* A queue that is empty is asked by one thread. */
static void test_idle_queue(void **state)
{
	begin(0, 8, NULL);
	for (size_t i = 1; i <= 10; i++) {
		wait_for(&f.n_receives, i);
		pass(100);
	}
	assert_int_equal(f.most_in_receive, 1);
}

/* ---- trouble ---- */

static void test_away(void **state)
{
	enum read_result result;
	enum seal_status rc;

	f.receive = SEAL_RETRY;
	begin(1, 1, NULL);
	while ((rc = inbox_read(box, &batches[0], 1, 0, &result, &err)) == SEAL_OK)
		assert_int_equal(result, READ_IDLE);
	assert_int_equal(rc, SEAL_RETRY);
	assert_string_equal(err.text, "is away");
	assert_string_equal(err.place, "fake:box");
	assert_true(inbox_away(box));
	err_clear(&err);
	f.receive = SEAL_OK;
	while ((rc = inbox_read(box, &batches[0], 1, 0, &result, &err)) == SEAL_RETRY || result != READ_SOME) {
		err_clear(&err);
		usleep(100);
	}
	assert_false(inbox_away(box));
	n_batches = 1;
}

/* Receives fail for good; what was read before is acknowledged all the same. */
static void test_receive_denied(void **state)
{
	enum read_result result;
	enum seal_status rc;

	begin(5, 1, NULL);
	read_all(5);
	f.receive = SEAL_DENIED;
	pass(200);
	while ((rc = inbox_read(box, &batches[BATCHES - 1], 1, 0, &result, &err)) == SEAL_OK)
		usleep(100);
	assert_int_equal(rc, SEAL_DENIED);
	assert_string_equal(err.place, "fake:box");
	err_clear(&err);
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_OK);
	assert_int_equal(f.n_gone, 5);
}

static void test_acknowledge_denied(void **state)
{
	begin(5, 1, NULL);
	read_all(5);
	f.acknowledge = SEAL_DENIED;
	commit(0);
	assert_int_equal(inbox_sync(box, &err), SEAL_DENIED);
	err_clear(&err);
	assert_int_equal(inbox_mark(box, 6, &err), SEAL_DENIED);
}

/* A run's end does not wait for ever for a service that is away. */
static void test_sync_gives_up(void **state)
{
	begin(1, 1, NULL);
	read_all(1);
	f.acknowledge = SEAL_RETRY;
	commit(0);
	wait_for(&f.n_acknowledges, 1);
	atomic_store(&f.tick, 1000);
	assert_int_equal(inbox_sync(box, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "1 message could not be acknowledged"));
	atomic_store(&f.tick, 0);
	f.acknowledge = SEAL_OK;
}

static void test_no_worker(void **state)
{
	const struct inbox_config config = {.name = "fake:box", .fetch = 1, .lot = 1, .lend_s = 1, .requests = 2};

	f.no_worker = 3;
	assert_int_equal(inbox_new(&config, &service, NULL, &box, &err), SEAL_DENIED);
	assert_string_equal(err.text, "no credentials");
	assert_null(box);
}

/* ---- memory ---- */

/* A record's memory goes, wiped, when its batch is released, though the message is still lent. */
static void test_wiped(void **state)
{
	f.watch_frees = true;
	begin(30, 2, NULL);
	read_all(10);
	release_all();
	inbox_close(box, true);
	box = NULL;
	assert_false(f.seen_plain);
	mem_free(mem_strdup(SECRET)); /* would it be seen? */
	assert_true(f.seen_plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm_of_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_what_is_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_of_a_later_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unclean_close_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_acknowledges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_of_it_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extended_while_working, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lent_for_less, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_acknowledged_too_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_ones_are_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_behind_a_lost_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_leaves_what_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_asked_for_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_looked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_more_ahead_than_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_denied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_acknowledge_denied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sync_gives_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wiped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
