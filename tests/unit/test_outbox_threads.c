/*
 * outbox: what a service has seen in the end is what was written, in the order that each mode promises, whatever fails on the
 * way; and what callers are told. The service is a fake that keeps everything, by a plan or by dice; pauses take no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "streams/outbox.h"
#include "streams/silence.h"

#define NUMBERS 40000
#define LANES 64
#define SECRET "PLAINTEXT-THAT-MUST-BE-WIPED"

/* What happens to a record, or to a whole request. */
enum fate {
	GOOD,
	REFUSED, /* throttled */
	FAILS, /* not stored, and known not to be */
	VANISHED, /* nobody knows; it is not stored */
	DOUBTED, /* nobody knows; it is stored */
	POISON,
	AWAY, /* the whole request: nobody knows, not stored */
	DENIED /* the whole request */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct outbox_config config;
	/* what is to happen */
	unsigned dice; /* per mille of records that do not go well */
	bool whole_only; /* dice are cast for requests, not for records */
	uint64_t seed;
	enum fate fate[16]; /* of the first requests, where there are no dice */
	bool hold; /* sends wait */
	unsigned let; /* … but for so many */
	int no_worker; /* this one, from 1, cannot be made */
	/* what was seen */
	struct {
		uint32_t number;
		uint16_t lane, topic;
	} stored[2 * NUMBERS];
	size_t n_stored, n_requests, n_workers, n_freed, n_stopped, longest;
	unsigned in_send, most_in_send;
	uint64_t repeated; /* sends of what was, or could have been, stored before */
	uint8_t last[NUMBERS]; /* 1: stored or in doubt */
	bool busy[LANES * 4]; /* lanes that are out */
	size_t sizes[16]; /* of the first requests */
	bool watch_frees, seen_plain;
	unsigned tries_max; /* that pauses were asked for */
} f;

static unsigned roll(unsigned n)
{
	f.seed ^= f.seed << 13;
	f.seed ^= f.seed >> 7;
	f.seed ^= f.seed << 17;
	return (unsigned)(f.seed % n);
}

/* Linked in for http's: pauses are as short as can be, and their growth is seen. */
uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise);
uint64_t __wrap_retry_pause_ms(unsigned tries, uint32_t noise)
{
	if (tries > f.tries_max)
		f.tries_max = tries;
	return 0;
}

void __real_mem_free(void *ptr);
void __wrap_mem_free(void *ptr);
void __wrap_mem_free(void *ptr)
{
	if (ptr != NULL && f.watch_frees && memmem(ptr, malloc_usable_size(ptr), SECRET, strlen(SECRET)) != NULL)
		f.seen_plain = true;
	__real_mem_free(ptr);
}

/* ---- the service ---- */

static uint32_t number_of(const struct outbox_item *item)
{
	uint32_t number;

	assert_true(item->record->value.len >= sizeof(number));
	memcpy(&number, item->record->value.ptr, sizeof(number));
	assert_true(number < NUMBERS);
	return number;
}

static unsigned lane_of(const struct outbox_item *item)
{
	return item->record->key.len == 0 ? 0 : item->record->key.ptr[0];
}

static unsigned topic_of(const struct outbox_item *item)
{
	return item->record->topic.len == 0 ? 0 : item->record->topic.ptr[0] & 3u;
}

static enum seal_status fake_new(void *arg, void **worker, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	pthread_mutex_lock(&f.lock);
	if ((int)++f.n_workers == f.no_worker)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "no credentials");
	else
		*worker = &f;
	pthread_mutex_unlock(&f.lock);
	return rc;
}

static void fake_free(void *worker)
{
	assert_ptr_equal(worker, &f);
	pthread_mutex_lock(&f.lock);
	f.n_freed++;
	pthread_mutex_unlock(&f.lock);
}

static void store(const struct outbox_item *item)
{
	assert_true(f.n_stored < 2 * NUMBERS);
	f.stored[f.n_stored].number = number_of(item);
	f.stored[f.n_stored].lane = (uint16_t)lane_of(item);
	f.stored[f.n_stored++].topic = (uint16_t)topic_of(item);
}

/* Is it a request that may be? */
static void check_request(struct outbox_item *const *items, size_t n, bool begins)
{
	bool seen[LANES * 4] = {false};
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		const unsigned lane = lane_of(items[i]) * 4 + topic_of(items[i]);

		bytes += items[i]->bytes;
		assert_int_equal(topic_of(items[i]), topic_of(items[0]));
		if (lane_of(items[i]) == 0 || f.config.order == OUTBOX_ANY) {
			assert_true(f.config.order != OUTBOX_ALONE || lane_of(items[0]) == 0);
			continue;
		}
		if (f.config.order == OUTBOX_ONE)
			assert_false(seen[lane]);
		if (f.config.order == OUTBOX_ALONE)
			assert_int_equal(lane_of(items[i]), lane_of(items[0]));
		if (!seen[lane])
			assert_int_equal(f.busy[lane], !begins);
		seen[lane] = true;
		f.busy[lane] = begins;
	}
	assert_true(n <= f.config.records && (n == 1 || bytes <= f.config.bytes));
}

static enum fate fate_of_request(void)
{
	if (f.dice == 0)
		return f.n_requests <= 16 ? f.fate[f.n_requests - 1] : GOOD;
	if (!f.whole_only || roll(1000) >= f.dice)
		return GOOD;
	return roll(2) ? AWAY : REFUSED;
}

static enum fate fate_of_record(enum fate request)
{
	if (f.dice == 0 || f.whole_only || roll(1000) >= f.dice)
		return request;
	return REFUSED + roll(4);
}

static void apply(struct outbox_item *item, enum fate fate, struct seal_err *err)
{
	const uint32_t number = number_of(item);

	assert_int_equal(item->result, OUTBOX_UNSENT);
	assert_false(item->throttled);
	f.repeated += f.last[number];
	f.last[number] = fate == GOOD || fate == VANISHED || fate == DOUBTED || fate == AWAY;
	if (fate == GOOD || fate == DOUBTED)
		store(item);
	item->result = fate == GOOD ? OUTBOX_DONE : fate == POISON ? OUTBOX_FAILED : OUTBOX_UNSENT;
	if (fate == FAILS)
		item->result = OUTBOX_RETRY;
	item->throttled = fate == REFUSED;
	if (fate == POISON)
		(void)err_set(err, SEAL_DATA, SEAL_E_LIMIT, "record %u is poison", number);
	else if (fate != GOOD)
		(void)err_set(err, SEAL_RETRY, SEAL_E_SERVICE, "not now");
}

static enum seal_status fake_send(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
				  struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	enum fate request;

	assert_ptr_equal(worker, &f);
	assert_true(deadline_ms > clock_mono_ms());
	assert_true(n > 0);
	pthread_mutex_lock(&f.lock);
	if (++f.n_requests <= 16)
		f.sizes[f.n_requests - 1] = n;
	if (n > f.longest)
		f.longest = n;
	request = fate_of_request();
	check_request(items, n, true);
	if (++f.in_send > f.most_in_send)
		f.most_in_send = f.in_send;
	pthread_cond_broadcast(&f.changed);
	while (f.hold && f.let == 0)
		pthread_cond_wait(&f.changed, &f.lock);
	if (f.hold)
		f.let--;
	for (size_t i = 0; i < n; i++)
		apply(items[i], fate_of_record(request), err);
	if (request == AWAY || (request == REFUSED && f.dice > 0))
		rc = SEAL_RETRY;
	if (request == DENIED)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED, "the key was taken away");
	f.in_send--;
	check_request(items, n, false);
	pthread_mutex_unlock(&f.lock);
	return rc;
}

static enum seal_status fake_measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	if (record->value.len > 0 && record->value.ptr[record->value.len - 1] == '!')
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT, "too loud");
	*bytes = record->value.len + record->key.len;
	return SEAL_OK;
}

static struct seal_bytes fake_lane(void *arg, const struct record *record)
{
	return record->key;
}

/* What is held comes back. */
static void fake_stop(void *worker)
{
	assert_ptr_equal(worker, &f);
	pthread_mutex_lock(&f.lock);
	f.n_stopped++;
	f.hold = false;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
}

static const struct outbox_service service = {fake_new, fake_free, fake_send, fake_measure, fake_lane, fake_stop};

/* ---- helpers ---- */

static struct outbox *box;
static struct seal_err err;

static struct outbox *begin(enum outbox_order order, size_t records, unsigned requests)
{
	f.config = (struct outbox_config){.name = "fake:box",
					  .order = order,
					  .records = records,
					  .bytes = 1000,
					  .requests = requests,
					  .linger_ms = 3600000};
	assert_int_equal(outbox_new(&f.config, &service, NULL, &box, &err), SEAL_OK);
	return box;
}

static enum seal_status write_one(uint32_t number, unsigned lane, unsigned topic, uint64_t ticket, int timeout_ms)
{
	uint8_t value[4 + 40], key = (uint8_t)lane, name = (uint8_t)('0' + topic);
	struct record record = {.value = bytes_of(value, 4 + number % 40),
				.key = bytes_of(&key, lane > 0),
				.topic = bytes_of(&name, topic > 0),
				.partition = -1};

	memset(value, 'x', sizeof(value));
	memcpy(value, &number, sizeof(number));
	return outbox_write(box, &record, 1, ticket, timeout_ms, &err);
}

static void wait_for(const size_t *what, size_t least)
{
	pthread_mutex_lock(&f.lock);
	while (*what < least)
		pthread_cond_wait(&f.changed, &f.lock);
	pthread_mutex_unlock(&f.lock);
}

static void let(unsigned n)
{
	pthread_mutex_lock(&f.lock);
	f.let += n;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
}

static void let_all(void)
{
	pthread_mutex_lock(&f.lock);
	f.hold = false;
	pthread_cond_broadcast(&f.changed);
	pthread_mutex_unlock(&f.lock);
}

/* Until `ticket` is acknowledged. */
static void poll_until(uint64_t ticket)
{
	uint64_t acknowledged = 0;

	do {
		const enum seal_status rc = outbox_poll(box, 1000, &acknowledged, &err);

		assert_true(rc == SEAL_OK || rc == SEAL_RETRY);
		err_clear(&err);
	} while (acknowledged < ticket);
	assert_int_equal(acknowledged, ticket);
}

static int setup(void **state)
{
	memset(&f, 0, sizeof(f));
	pthread_mutex_init(&f.lock, NULL);
	pthread_cond_init(&f.changed, NULL);
	err_clear(&err);
	box = NULL;
	return 0;
}

static int teardown(void **state)
{
	outbox_free(box);
	assert_int_equal(f.n_freed, f.n_workers - (f.no_worker > 0));
	pthread_cond_destroy(&f.changed);
	pthread_mutex_destroy(&f.lock);
	return 0;
}

/* ---- storms ---- */

/* Each of n is stored; in each lane and topic, those that count stand in order; what stands twice was to be expected. */
static void check_stored(size_t n)
{
	static uint32_t times[NUMBERS];
	static size_t last_at[NUMBERS];
	int64_t first[LANES * 4], last[LANES * 4];

	memset(times, 0, sizeof(times));
	memset(first, -1, sizeof(first));
	memset(last, -1, sizeof(last));
	for (size_t i = 0; i < f.n_stored; i++) {
		const unsigned lane = f.stored[i].lane * 4u + f.stored[i].topic;
		const uint32_t number = f.stored[i].number;

		last_at[number] = i;
		/* One request, one record: the first time that each is seen, too. */
		if (times[number]++ == 0 && f.stored[i].lane > 0 && f.config.order == OUTBOX_ONE) {
			assert_true(number > first[lane]);
			first[lane] = number;
		}
	}
	for (size_t i = 0; i < f.n_stored; i++) {
		const unsigned lane = f.stored[i].lane * 4u + f.stored[i].topic;

		if (last_at[f.stored[i].number] != i || f.stored[i].lane == 0 || f.config.order == OUTBOX_ANY)
			continue;
		assert_true(f.stored[i].number > last[lane]);
		last[lane] = f.stored[i].number;
	}
	for (size_t i = 0; i < n; i++)
		assert_true(times[i] >= 1);
	assert_true(f.n_stored >= n && f.n_stored - n <= f.repeated);
}

static void storm(enum outbox_order order, bool whole_only, unsigned dice, unsigned requests, uint64_t seed)
{
	const size_t n = 4000;
	uint64_t acknowledged = 0;

	f.seed = seed;
	f.dice = dice;
	f.whole_only = whole_only;
	begin(order, 25, requests);
	for (uint32_t i = 0; i < n; i++) {
		pthread_mutex_lock(&f.lock);
		const unsigned lane = roll(3) ? roll(LANES - 1) : 1, topic = roll(10) ? 0 : roll(3);
		pthread_mutex_unlock(&f.lock);
		assert_int_equal(write_one(i, lane, topic, i + 1, 60000), SEAL_OK);
		if (i % 64 == 0)
			assert_true(outbox_poll(box, 0, &acknowledged, NULL) != SEAL_FATAL);
	}
	while (outbox_flush(box, 60000, &err) == SEAL_RETRY)
		err_clear(&err);
	assert_int_equal(err.status, SEAL_OK);
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_OK);
	assert_int_equal(acknowledged, n);
	check_stored(n);
	assert_int_equal(outbox_repeated(box), f.repeated);
	assert_true(f.longest <= 25 && f.most_in_send <= requests);
}

static void test_storm_any(void **state)
{
	storm(OUTBOX_ANY, false, 200, 4, 11);
}

static void test_storm_one(void **state)
{
	storm(OUTBOX_ONE, false, 200, 4, 12);
}

static void test_storm_several(void **state)
{
	storm(OUTBOX_SEVERAL, false, 100, 4, 13);
}

static void test_storm_alone(void **state)
{
	storm(OUTBOX_ALONE, true, 200, 4, 14);
}

static void test_storm_of_whole_requests(void **state)
{
	storm(OUTBOX_ONE, true, 400, 16, 15);
}

static void test_calm(void **state)
{
	storm(OUTBOX_SEVERAL, false, 0, 3, 16);
	assert_int_equal(outbox_repeated(box), 0);
	assert_int_equal(f.n_stored, 4000);
	assert_int_equal(f.tries_max, 0);
}

/* ---- requests ---- */

/* A request that is not full waits; one that is does not; a flush waits for nothing. */
static void test_linger(void **state)
{
	begin(OUTBOX_ANY, 4, 1);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(write_one(i, 0, 0, i + 1, 0), SEAL_OK);
	poll_until(4);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	assert_int_equal(f.n_requests, 2);
	assert_int_equal(f.sizes[0], 4);
	assert_int_equal(f.sizes[1], 2);
	poll_until(6);
	outbox_free(box);
	f.config.linger_ms = 1;
	assert_int_equal(outbox_new(&f.config, &service, NULL, &box, &err), SEAL_OK);
	assert_int_equal(write_one(7, 0, 0, 1, 0), SEAL_OK);
	poll_until(1);
}

static void test_bytes_fill_a_request(void **state)
{
	uint8_t value[400] = {0};
	struct record records[5];

	begin(OUTBOX_ANY, 100, 1);
	for (int i = 0; i < 5; i++)
		records[i] = (struct record){.value = bytes_of(value, i == 3 ? 300 : 400)};
	assert_int_equal(outbox_write(box, records, 5, 9, 0, &err), SEAL_OK);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	assert_int_equal(f.n_requests, 3); /* 400 + 400, 400 + 300, 400 */
	assert_int_equal(f.sizes[0], 2);
	poll_until(9);
}

/* One lane: a request each, and the next one only when the one before is answered. */
static void test_one_of_a_lane(void **state)
{
	f.hold = true;
	begin(OUTBOX_ONE, 2, 4);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(write_one(i, 5, 0, i + 1, 0), SEAL_OK);
	assert_int_equal(write_one(3, 6, 0, 4, 0), SEAL_OK);
	wait_for(&f.n_requests, 1); /* lanes 5 and 6 are a full request */
	assert_int_equal(outbox_flush(box, 20, &err), SEAL_RETRY);
	assert_non_null(strstr(err.text, "4 records are unacknowledged"));
	err_clear(&err);
	pthread_mutex_lock(&f.lock);
	assert_int_equal(f.n_requests, 1);
	pthread_mutex_unlock(&f.lock);
	let_all();
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	assert_int_equal(f.n_requests, 3);
	check_stored(4);
}

/* Behind a failed one of its lane all are sent again; other lanes of the request are not. */
static void test_several_again(void **state)
{
	begin(OUTBOX_SEVERAL, 4, 1);
	f.fate[0] = FAILS;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(write_one(i, 1 + i % 2, 0, i + 1, 0), SEAL_OK);
	poll_until(4);
	assert_int_equal(f.n_requests, 2);
	assert_int_equal(f.sizes[1], 4);
	assert_int_equal(outbox_repeated(box), 0);
	check_stored(4);
}

static void test_alone_prefers_full_lanes(void **state)
{
	begin(OUTBOX_ALONE, 3, 1);
	assert_int_equal(write_one(0, 1, 0, 1, 0), SEAL_OK); /* waits for others of its lane */
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(write_one(i, 2, 0, i + 1, 0), SEAL_OK);
	wait_for(&f.n_stored, 3);
	pthread_mutex_lock(&f.lock);
	assert_int_equal(f.sizes[0], 3);
	assert_int_equal(f.n_stored, 3);
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	poll_until(4);
}

/* ---- what callers are told ---- */

/* Tickets count in order, in whatever order requests end. */
static void test_tickets_in_order(void **state)
{
	uint64_t acknowledged;

	f.hold = true;
	f.fate[0] = FAILS; /* goes out once more, after the second one */
	begin(OUTBOX_ONE, 1, 2);
	assert_int_equal(write_one(0, 1, 0, 1, 0), SEAL_OK);
	wait_for(&f.n_requests, 1);
	let(1);
	wait_for(&f.n_requests, 2); /* again, and held */
	assert_int_equal(write_one(1, 2, 0, 2, 0), SEAL_OK);
	wait_for(&f.n_requests, 3);
	assert_true(outbox_poll(box, 0, &acknowledged, NULL) == SEAL_RETRY);
	assert_int_equal(acknowledged, 0);
	let_all();
	poll_until(2);
	check_stored(2);
}

static void test_failed_stops(void **state)
{
	uint64_t acknowledged;
	enum seal_status rc;

	f.fate[1] = POISON;
	begin(OUTBOX_ONE, 1, 1);
	for (uint32_t i = 0; i < 4; i++)
		if (write_one(i, 1 + i, 0, i + 1, 0) != SEAL_OK)
			break; /* it may be broken by now */
	err_clear(&err);
	while ((rc = outbox_poll(box, 1000, &acknowledged, &err)) == SEAL_OK)
		continue;
	assert_int_equal(rc, SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_string_equal(err.text, "record 1 is poison");
	assert_string_equal(err.place, "fake:box");
	assert_int_equal(acknowledged, 1);
	err_clear(&err);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_DATA);
	err_clear(&err);
	assert_int_equal(write_one(9, 1, 0, 9, 0), SEAL_DATA);
	assert_int_equal(f.n_requests, 2); /* nothing went out after it */
}

/* A service that fails without a reason, or says RETRY of what it calls failed, stops it all the same. */
static void test_denied_stops(void **state)
{
	f.fate[0] = DENIED;
	begin(OUTBOX_ANY, 1, 1);
	assert_int_equal(write_one(0, 0, 0, 1, 0), SEAL_OK);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_DENIED);
	assert_int_equal(err.code, SEAL_E_SERVICE);
}

static void test_away_is_told_and_waited_for(void **state)
{
	uint64_t acknowledged;

	for (int i = 0; i < 12; i++)
		f.fate[i] = i < 6 ? AWAY : REFUSED;
	f.hold = true;
	begin(OUTBOX_ANY, 1, 1);
	assert_int_equal(write_one(0, 0, 0, 1, 0), SEAL_OK);
	let(1);
	wait_for(&f.n_requests, 2);
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_RETRY);
	assert_string_equal(err.text, "not now");
	assert_string_equal(err.place, "fake:box");
	err_clear(&err);
	assert_int_equal(outbox_flush(box, 0, &err), SEAL_RETRY);
	let_all();
	poll_until(1);
	assert_int_equal(f.n_requests, 13);
	assert_int_equal(f.tries_max, 7); /* doubles until it is long enough */
	assert_int_equal(outbox_repeated(box), 6); /* AWAY only: what was refused is not there */
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_OK);
}

/* A request without an end, and no word on why. */
static void test_silence_is_told(void **state)
{
	uint64_t acknowledged;
	enum seal_status rc;

	f.hold = true;
	begin(OUTBOX_ANY, 1, 1);
	assert_int_equal(write_one(0, 0, 0, 1, 0), SEAL_OK);
	wait_for(&f.n_requests, 1);
	while ((rc = outbox_poll(box, 1000, &acknowledged, &err)) == SEAL_OK)
		continue;
	assert_int_equal(rc, SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_SERVICE);
	assert_string_equal(err.place, "fake:box");
	assert_int_equal(strncmp(err.text, "has acknowledged nothing for ", 29), 0);
	assert_non_null(strstr(err.text, "1 record is unacknowledged"));
	assert_int_equal(acknowledged, 0);
	err_clear(&err);
	let_all();
	poll_until(1);
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_OK);
}

/* What waits for company has not been asked for: nobody is silent. */
static void test_lingering_is_no_silence(void **state)
{
	const uint64_t until = clock_mono_ms() + SILENCE_MS + 200;
	uint64_t acknowledged;

	begin(OUTBOX_ANY, 2, 1);
	assert_int_equal(write_one(0, 0, 0, 1, 0), SEAL_OK);
	while (clock_mono_ms() < until)
		assert_int_equal(outbox_poll(box, 1000, &acknowledged, &err), SEAL_OK);
	assert_int_equal(f.n_requests, 0);
	f.hold = true; /* from when it goes out it counts */
	assert_int_equal(write_one(1, 0, 0, 2, 0), SEAL_OK);
	wait_for(&f.n_requests, 1);
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_OK);
	let_all();
	poll_until(2);
}

/* A service that never answers does not hold up the end; workers that wait are not stopped. */
static void test_end_without_answer(void **state)
{
	f.hold = true;
	begin(OUTBOX_ANY, 1, 4);
	assert_int_equal(write_one(0, 0, 0, 1, 0), SEAL_OK);
	wait_for(&f.n_requests, 1);
	outbox_free(box);
	box = NULL;
	assert_int_equal(f.n_stopped, 1);
	assert_int_equal(f.n_freed, 4);
}

static void test_memory_is_bounded(void **state)
{
	uint8_t value[1000] = {0};
	struct record records[3];
	size_t taken = 0;

	f.hold = true;
	begin(OUTBOX_ANY, 1, 1);
	outbox_free(box);
	f.config.memory = 20000;
	assert_int_equal(outbox_new(&f.config, &service, NULL, &box, &err), SEAL_OK);
	for (int i = 0; i < 3; i++)
		records[i] = (struct record){.value = bytes_of(value, 1000)};
	while (outbox_write(box, records, 3, taken + 1, 0, &err) == SEAL_OK)
		taken++;
	assert_int_equal(err.status, SEAL_RETRY);
	assert_string_equal(err.place, "fake:box");
	assert_in_range(taken, 4, 6);
	err_clear(&err);
	let(3);
	assert_int_equal(outbox_write(box, records, 3, ++taken, 60000, &err), SEAL_OK); /* waits for room */
	let_all();
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	poll_until(taken);
	/* More than fits at all passes when it is alone. */
	outbox_free(box);
	f.config.memory = 10;
	assert_int_equal(outbox_new(&f.config, &service, NULL, &box, &err), SEAL_OK);
	assert_int_equal(outbox_write(box, records, 3, 1, 0, &err), SEAL_OK);
	poll_until(1);
}

/* All of a batch or nothing: one that cannot be written is told before any is taken. */
static void test_unwritable(void **state)
{
	struct record records[3] = {{.value = BYTES_LIT("\0\0\0\0good")},
				    {.value = BYTES_LIT("bad!")},
				    {.value = BYTES_LIT("\0\0\0\0good")}};
	uint64_t acknowledged;

	begin(OUTBOX_SEVERAL, 10, 1);
	assert_int_equal(outbox_write(box, records, 3, 1, 0, &err), SEAL_DATA);
	assert_string_equal(err.text, "too loud");
	err_clear(&err);
	assert_int_equal(outbox_flush(box, 0, &err), SEAL_OK);
	assert_int_equal(f.n_requests, 0);
	assert_int_equal(outbox_write(box, records, 0, 5, 0, &err), SEAL_OK); /* nothing is done at once */
	assert_int_equal(outbox_poll(box, 0, &acknowledged, &err), SEAL_OK);
	assert_int_equal(acknowledged, 5);
}

static void test_too_many_targets(void **state)
{
	char name[8];
	struct record record = {.value = BYTES_LIT("\0\0\0\0")};
	enum seal_status rc = SEAL_OK;
	int i;

	begin(OUTBOX_ANY, 100, 1);
	for (i = 0; i < 100 && rc == SEAL_OK; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		record.topic = bytes_str(name);
		rc = outbox_write(box, &record, 1, (uint64_t)i + 1, 0, &err);
	}
	assert_int_equal(rc, SEAL_USAGE);
	assert_int_equal(i, 65);
}

static void test_no_worker(void **state)
{
	f.no_worker = 2;
	f.config = (struct outbox_config){.name = "fake:box", .records = 1, .bytes = 1, .requests = 3};
	assert_int_equal(outbox_new(&f.config, &service, NULL, &box, &err), SEAL_DENIED);
	assert_string_equal(err.text, "no credentials");
	assert_null(box);
}

/* ---- ends, and what they leave ---- */

static void write_secrets(unsigned n)
{
	static const struct record_header header = {BYTES_LIT("h"), BYTES_LIT(SECRET)};

	for (unsigned i = 0; i < n; i++) {
		struct record record = {.value = BYTES_LIT("\0\0\0\0" SECRET),
					.key = BYTES_LIT("\x01" SECRET),
					.headers = &header,
					.n_headers = 1};

		assert_int_equal(outbox_write(box, &record, 1, i + 1, 0, &err), SEAL_OK);
	}
}

static void *free_box(void *arg)
{
	outbox_free(box);
	return NULL;
}

/* Freed while records wait, are out, and after they were sent: nothing of them is left in memory. */
static void test_freed_in_each_state(void **state)
{
	pthread_t thread;

	f.watch_frees = true;
	begin(OUTBOX_ONE, 10, 2); /* lingering */
	write_secrets(3);
	outbox_free(box);

	begin(OUTBOX_ONE, 1, 2); /* out, and behind it in its lane */
	f.hold = true;
	write_secrets(3);
	wait_for(&f.n_requests, 1);
	assert_int_equal(pthread_create(&thread, NULL, free_box, NULL), 0);
	let_all();
	pthread_join(thread, NULL);

	f.n_requests = 0;
	f.fate[0] = POISON; /* broken */
	begin(OUTBOX_ONE, 1, 2);
	write_secrets(1);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_DATA);
	outbox_free(box);

	err_clear(&err);
	begin(OUTBOX_SEVERAL, 1, 2); /* sent */
	write_secrets(5);
	assert_int_equal(outbox_flush(box, 60000, &err), SEAL_OK);
	outbox_free(box);
	box = NULL;
	assert_false(f.seen_plain);
	/* Would it be seen? */
	mem_free(mem_strdup(SECRET));
	assert_true(f.seen_plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_storm_any, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_storm_of_whole_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_fill_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_a_lane, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alone_prefers_full_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tickets_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_denied_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_away_is_told_and_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lingering_is_no_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_without_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_in_each_state, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
