/* See store_suite.h. Each test has a space of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define MANY 100000
#define MOMENTS 100 /* changes while large lots are read */
#define MOMENT_ROWS 20002
#define SAY_(number) #number
#define SAY(number) SAY_(number)
#define RACERS 4
#define RACE_ROWS 2000
#define LOT 500
#define GUARDED_LOT 100
#define CHANGED 25000 /* more than one statement */

static const struct store_ops *suite_ops;
static const char *suite_address;
static bool in_child; /* a process of a test's: it ends where a test would */

#define BROKEN(...)                                                                                                  \
	do {                                                                                                         \
		if (in_child)                                                                                        \
			_exit(1);                                                                                    \
		fail_msg(__VA_ARGS__);                                                                               \
	} while (0)

struct store *suite_open(const struct store_ops *ops, const char *address, bool create)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	if (ops->open(address, &(struct store_config){.create = create}, &store, &err) != SEAL_OK)
		BROKEN("open: %s", err.text);
	return store;
}

struct store_session *suite_session(struct store *store)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct store_session *session = NULL;

	if (store->ops->session(store, &session, &err) != SEAL_OK)
		BROKEN("session: %s", err.text);
	return session;
}

/* One test at work. */
struct bench {
	struct store *store;
	struct store_session *session;
	struct arena arena;
	struct store_call call;
	struct seal_err err;
};

static void bench_open(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->store = suite_open(suite_ops, suite_address, true);
	b->session = suite_session(b->store);
	arena_init(&b->arena, 1 << 20);
	b->call = (struct store_call){.arena = &b->arena, .deadline_ms = clock_mono_ms() + 300000};
}

static void bench_close(struct bench *b)
{
	suite_ops->session_free(b->session);
	suite_ops->free(b->store);
	arena_clear(&b->arena);
}

static void get(struct bench *b, const char *space, struct store_item *items, size_t n)
{
	if (suite_ops->get(b->session, space, items, n, &b->call, &b->err) != SEAL_OK)
		BROKEN("get: %s", b->err.text);
}

static void insert(struct bench *b, const char *space, struct store_item *items, size_t n)
{
	if (suite_ops->insert(b->session, space, items, n, &b->call, &b->err) != SEAL_OK)
		BROKEN("insert: %s", b->err.text);
}

static bool swap(struct bench *b, const char *space, const char *key, const char *from, const char *to, bool erase)
{
	bool swapped = false;

	if (suite_ops->swap(b->session, space, bytes_str(key), bytes_str(from), to ? bytes_str(to) : BYTES_EMPTY,
			    erase, &swapped, &b->call, &b->err) != SEAL_OK)
		fail_msg("swap: %s", b->err.text);
	return swapped;
}

static struct store_item row(const char *key, const char *value)
{
	return (struct store_item){.key = bytes_str(key), .value = value ? bytes_str(value) : BYTES_EMPTY};
}

static void value_is(struct bench *b, const char *space, const char *key, const char *value)
{
	struct store_item item = row(key, "what was here");

	get(b, space, &item, 1);
	if (value == NULL)
		assert_null(item.value.ptr);
	else
		assert_true(item.value.ptr != NULL && bytes_eq_str(item.value, value));
}

static void rows_come_back(void **state)
{
	struct bench b;
	struct store_item in[] = {row("a", "1"), row("b", "22"), row("c", "")};
	struct store_item out[] = {row("b", NULL), row("x", NULL), row("a", NULL), row("b", NULL), row("c", NULL)};

	bench_open(&b);
	value_is(&b, "rows", "a", NULL);
	insert(&b, "rows", in, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(in[i].inserted);
	get(&b, "rows", out, 5);
	assert_true(bytes_eq_str(out[0].value, "22"));
	assert_null(out[1].value.ptr);
	assert_true(bytes_eq_str(out[2].value, "1"));
	assert_true(bytes_eq_str(out[3].value, "22"));
	assert_non_null(out[4].value.ptr); /* empty is not absent */
	assert_int_equal(out[4].value.len, 0);
	value_is(&b, "rows-2", "a", NULL); /* another space */
	get(&b, "rows", NULL, 0);
	insert(&b, "rows", NULL, 0);
	bench_close(&b);
	bench_open(&b); /* … and later */
	value_is(&b, "rows", "b", "22");
	bench_close(&b);
}

static void first_one_wins(void **state)
{
	struct bench b;
	struct store_item one = row("k", "one"),
			  lot[] = {row("j", "j"), row("k", "two"), row("l", "l"), row("l", "m")};

	bench_open(&b);
	insert(&b, "first", &one, 1);
	assert_true(one.inserted);
	insert(&b, "first", lot, 4);
	assert_true(lot[0].inserted);
	assert_false(lot[1].inserted);
	assert_true(bytes_eq_str(lot[1].value, "one"));
	assert_true(lot[2].inserted);
	assert_false(lot[3].inserted); /* a key that repeats: its first */
	assert_true(bytes_eq_str(lot[0].value, "j"));
	assert_true(bytes_eq_str(lot[2].value, "l"));
	assert_true(bytes_eq_str(lot[3].value, "l"));
	value_is(&b, "first", "k", "one");
	value_is(&b, "first", "l", "l");
	bench_close(&b);
}

static void any_bytes(void **state)
{
	static uint8_t key[STORE_KEY_MAX + 1], value[STORE_VALUE_MAX + 1];
	const struct seal_bytes keys[] = {BYTES_LIT("\0"), BYTES_LIT("\0\0"), BYTES_LIT("\xff\\x00'; DROP"),
					  bytes_of(key, STORE_KEY_MAX), BYTES_LIT("\\")};
	struct store_item items[5];
	struct bench b;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(key, value, sizeof(key));
	bench_open(&b);
	for (size_t i = 0; i < 5; i++)
		items[i] = (struct store_item){.key = keys[i],
					       .value = bytes_of(value + i, STORE_VALUE_MAX - i * 16000)};
	insert(&b, "bytes", items, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_true(items[i].inserted);
		items[i].value = BYTES_EMPTY;
	}
	get(&b, "bytes", items, 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(bytes_eq(items[i].value, bytes_of(value + i, STORE_VALUE_MAX - i * 16000)));
	items[0] = (struct store_item){.key = bytes_of(key, STORE_KEY_MAX + 1)};
	assert_int_equal(suite_ops->get(b.session, "bytes", items, 1, &b.call, &b.err), SEAL_USAGE);
	assert_int_equal(b.err.code, SEAL_E_LIMIT);
	err_clear(&b.err);
	items[0] = (struct store_item){.key = BYTES_EMPTY};
	assert_int_equal(suite_ops->get(b.session, "bytes", items, 1, &b.call, &b.err), SEAL_USAGE);
	err_clear(&b.err);
	items[0] = row("new", "new");
	items[1] = (struct store_item){.key = BYTES_LIT("k"), .value = bytes_of(value, STORE_VALUE_MAX + 1)};
	assert_int_equal(suite_ops->insert(b.session, "bytes", items, 2, &b.call, &b.err), SEAL_USAGE);
	assert_false(items[0].inserted);
	value_is(&b, "bytes", "new", NULL); /* all of a lot, or nothing */
	bench_close(&b);
}

static void swaps(void **state)
{
	struct store_item rows[] = {row("a", "1"), row("b", "1"), row("e", "")};
	struct bench b;

	bench_open(&b);
	insert(&b, "swap", rows, 3);
	assert_true(swap(&b, "swap", "a", "1", "2", false));
	value_is(&b, "swap", "a", "2");
	assert_false(swap(&b, "swap", "a", "1", "3", false));
	value_is(&b, "swap", "a", "2");
	assert_true(swap(&b, "swap", "a", "2", "22222", true));
	assert_true(swap(&b, "swap", "a", "22222", "22222", true)); /* as it is: only erases */
	value_is(&b, "swap", "a", "22222");
	assert_true(swap(&b, "swap", "e", "", "x", false));
	assert_true(swap(&b, "swap", "e", "x", "", false));
	value_is(&b, "swap", "e", "");
	assert_false(swap(&b, "swap", "none", "1", "2", true));
	value_is(&b, "swap", "none", NULL);
	assert_false(swap(&b, "swap", "b", "2", NULL, false));
	assert_true(swap(&b, "swap", "b", "1", NULL, true));
	value_is(&b, "swap", "b", NULL);
	assert_false(swap(&b, "swap", "b", "1", NULL, false));
	assert_false(swap(&b, "swap-2", "a", "22222", "3", false));
	bench_close(&b);
}

static void scans(void **state)
{
	struct store_item rows[] = {row("b", "2"), row("a", "1"), row("\xff", "5"), row("ba", "3"), row("c", "4")};
	static const char *const order[] = {"a", "b", "ba", "c", "\xff"};
	struct store_item *items = NULL, other = row("aa", "other");
	struct seal_bytes after = BYTES_EMPTY;
	size_t n = 0, seen = 0;
	struct bench b;

	bench_open(&b);
	assert_int_equal(suite_ops->scan(b.session, "scan", after, 10, &items, &n, &b.call, &b.err), SEAL_OK);
	assert_int_equal(n, 0);
	insert(&b, "scan", rows, 5);
	insert(&b, "scan-2", &other, 1);
	do {
		assert_int_equal(suite_ops->scan(b.session, "scan", after, 2, &items, &n, &b.call, &b.err), SEAL_OK);
		for (size_t i = 0; i < n; i++, seen++) {
			assert_true(bytes_eq_str(items[i].key, order[seen]));
			assert_int_equal(items[i].value.ptr[0], '1' + (int)seen);
			after = items[i].key;
		}
	} while (n > 0);
	assert_int_equal(seen, 5);
	bench_close(&b);
}

/* Keys "PREFIX%06zu", values "VALUE". */
static struct store_item *make_lot(struct arena *arena, const char *prefix, size_t n, const char *value)
{
	struct store_item *items = arena_alloc(arena, n * sizeof(*items), _Alignof(struct store_item));

	for (size_t i = 0; i < n; i++)
		items[i] = row(arena_printf(arena, "%s%06zu", prefix, i), value);
	return items;
}

static void huge_lot(void **state)
{
	struct store_item *items;
	struct bench b;
	uint64_t start;

	bench_open(&b);
	items = make_lot(&b.arena, "k", MANY,
			 "a value of about as many bytes as a sealed data key with its nonce and its tag has");
	start = clock_mono_ms();
	insert(&b, "huge", items, MANY);
	print_message("%d rows inserted in %llu ms", MANY, (unsigned long long)(clock_mono_ms() - start));
	for (size_t i = 0; i < MANY; i++) {
		assert_true(items[i].inserted);
		items[i].value = BYTES_EMPTY;
	}
	start = clock_mono_ms();
	get(&b, "huge", items, MANY);
	print_message(", read in %llu ms\n", (unsigned long long)(clock_mono_ms() - start));
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(items[i].value.len, 82);
	bench_close(&b);
}

static struct store_change change_of(const char *key, const char *from, const char *to)
{
	return (struct store_change){
		.key = bytes_str(key), .from = bytes_str(from), .to = to ? bytes_str(to) : BYTES_EMPTY};
}

static void change(struct bench *b, const char *space, struct store_change *changes, size_t n)
{
	if (suite_ops->change(b->session, space, changes, n, &b->call, &b->err) != SEAL_OK)
		BROKEN("change: %s", b->err.text);
}

/* Each for itself: what is replaced, what goes away, what is another value or not there. */
static void changes(void **state)
{
	struct store_item rows[] = {row("a", "1"), row("b", "1"), row("c", "1"), row("d", ""), row("e", "1")};
	struct store_change lot[] = {change_of("e", "1", NULL),	  change_of("none", "1", "2"),
				     change_of("b", "2", NULL),	  change_of("a", "1", "22"),
				     change_of("gone", "", NULL), change_of("d", "", "not empty"),
				     change_of("c", "1", ""),	  change_of("A", "1", "2")};
	static const bool changed[] = {true, false, false, true, false, true, true, false};
	static uint8_t big[STORE_VALUE_MAX + 1];
	struct bench b;

	bench_open(&b);
	insert(&b, "change", rows, 5);
	change(&b, "change", lot, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(lot[i].changed, changed[i]);
	value_is(&b, "change", "a", "22");
	value_is(&b, "change", "b", "1");
	value_is(&b, "change", "c", "");
	value_is(&b, "change", "d", "not empty");
	value_is(&b, "change", "e", NULL);
	value_is(&b, "change", "none", NULL);
	change(&b, "change", NULL, 0);
	change(&b, "change-2", lot, 8);
	for (size_t i = 0; i < 8; i++)
		assert_false(lot[i].changed); /* another space */
	lot[0] = change_of("a", "22", "3");
	lot[1].to = bytes_of(big, sizeof(big));
	assert_int_equal(suite_ops->change(b.session, "change", lot, 2, &b.call, &b.err), SEAL_USAGE);
	assert_int_equal(b.err.code, SEAL_E_LIMIT);
	assert_false(lot[0].changed);
	value_is(&b, "change", "a", "22"); /* all of a lot, or nothing */
	bench_close(&b);
}

static void change_of_many(void **state)
{
	struct store_change *lot;
	struct store_item *items;
	struct bench b;
	uint64_t start;

	bench_open(&b);
	items = make_lot(&b.arena, "m", CHANGED, "a value");
	insert(&b, "many", items, CHANGED);
	lot = arena_alloc(&b.arena, CHANGED * sizeof(*lot), _Alignof(struct store_change));
	for (size_t i = 0; i < CHANGED; i++)
		lot[i] = (struct store_change){.key = items[i].key,
					       .from = i % 5 == 0 ? BYTES_LIT("another") : BYTES_LIT("a value"),
					       .to = i % 2 == 0 ? BYTES_LIT("a new one") : BYTES_EMPTY};
	start = clock_mono_ms();
	change(&b, "many", lot, CHANGED);
	print_message("%d rows changed in %llu ms\n", CHANGED, (unsigned long long)(clock_mono_ms() - start));
	get(&b, "many", items, CHANGED);
	for (size_t i = 0; i < CHANGED; i++) {
		assert_int_equal(lot[i].changed, i % 5 != 0);
		if (i % 5 == 0)
			assert_true(bytes_eq_str(items[i].value, "a value"));
		else if (i % 2 == 0)
			assert_true(bytes_eq_str(items[i].value, "a new one"));
		else
			assert_null(items[i].value.ptr);
	}
	bench_close(&b);
}

static uint64_t count(struct bench *b, const char *space, struct seal_bytes prefix, uint64_t max)
{
	uint64_t n = 77;

	if (suite_ops->count(b->session, space, prefix, max, &n, &b->call, &b->err) != SEAL_OK)
		BROKEN("count: %s", b->err.text);
	return n;
}

static void counts(void **state)
{
	struct store_item rows[] = {row("a", "1"),	    row("ab", "1"),	  row("ab\xff", "1"),
				    row("ab\xff\xff", "1"), row("ac", "1"),	  row("b", "1"),
				    row("\xff", "1"),	    row("\xff\xff", "1"), row("\xfe", "1")};
	static uint8_t longest[STORE_KEY_MAX];
	struct bench b;

	memset(longest, 0xff, sizeof(longest));
	bench_open(&b);
	assert_int_equal(count(&b, "count", BYTES_EMPTY, 100), 0);
	insert(&b, "count", rows, 9);
	insert(&b, "count-2", rows, 2);
	assert_int_equal(count(&b, "count", BYTES_EMPTY, UINT64_MAX), 9);
	assert_int_equal(count(&b, "count", BYTES_LIT("a"), 100), 5);
	assert_int_equal(count(&b, "count", BYTES_LIT("ab"), 100), 3);
	assert_int_equal(count(&b, "count", BYTES_LIT("ab\xff"), 100), 2);
	assert_int_equal(count(&b, "count", BYTES_LIT("\xff"), 100), 2);
	assert_int_equal(count(&b, "count", BYTES_LIT("abc"), 100), 0);
	assert_int_equal(count(&b, "count", BYTES_LIT("a"), 4), 4); /* stops there */
	assert_int_equal(count(&b, "count", BYTES_LIT("a"), 0), 0);
	rows[0].key = bytes_of(longest, sizeof(longest));
	insert(&b, "count", rows, 1);
	assert_int_equal(count(&b, "count", bytes_of(longest, sizeof(longest)), 100), 1);
	assert_int_equal(count(&b, "count", BYTES_LIT("\xff"), 100), 3);
	bench_close(&b);
}

/* Guards --------------------------------------------------------------------------------------------------------- */

/* An insertion that a row guards; true: it took place. */
static bool insert_guarded(struct bench *b, struct store_item *items, size_t n, const char *key, const char *value)
{
	struct store_guard guard = {.key = bytes_str(key), .value = bytes_str(value), .failed = true};
	enum seal_status rc;

	b->call.guard = &guard;
	rc = suite_ops->insert(b->session, "guard", items, n, &b->call, &b->err);
	b->call.guard = NULL;
	if (rc == SEAL_OK ? guard.failed : !guard.failed || rc != SEAL_RETRY || b->err.code != SEAL_E_BUSY)
		BROKEN("insert: %s", b->err.text);
	err_clear(&b->err);
	return rc == SEAL_OK;
}

static void guards(void **state)
{
	struct store_item state_row = row("state", "1"), lot[] = {row("b", "b"), row("a", "a")}, more = row("c", "c"),
			  again[] = {row("a", "other"), row("d", "d")};
	struct bench b;

	bench_open(&b);
	assert_false(insert_guarded(&b, lot, 2, "state", "1")); /* there is no such row */
	value_is(&b, "guard", "a", NULL);
	insert(&b, "guard", &state_row, 1);
	assert_true(insert_guarded(&b, lot, 2, "state", "1"));
	assert_true(lot[0].inserted && lot[1].inserted);
	assert_false(insert_guarded(&b, &more, 1, "state", "2"));
	assert_false(more.inserted);
	value_is(&b, "guard", "c", NULL);
	assert_false(insert_guarded(&b, &more, 1, "state", ""));
	assert_false(insert_guarded(&b, &more, 1, "stat", "1"));
	assert_true(swap(&b, "guard", "state", "1", "2", false));
	assert_false(insert_guarded(&b, again, 2, "state", "1"));
	value_is(&b, "guard", "d", NULL);
	again[0] = row("a", "other");
	again[1] = row("d", "d");
	assert_true(insert_guarded(&b, again, 2, "state", "2"));
	assert_true(!again[0].inserted && again[1].inserted);
	assert_true(bytes_eq_str(again[0].value, "a"));
	assert_true(swap(&b, "guard", "state", "2", NULL, false));
	assert_false(insert_guarded(&b, &more, 1, "state", "2"));
	bench_close(&b);
}

/* Races -------------------------------------------------------------------------------------------------------- */

struct racer {
	pthread_t thread;
	struct bench bench;
	char name[2];
	size_t won;
	bool failed;
};

/* Inserts all rows, some at a time, in the same order as the others. */
static void *race(void *arg)
{
	struct racer *racer = arg;
	struct store_item *items = make_lot(&racer->bench.arena, "r", RACE_ROWS, racer->name);

	for (size_t at = 0; at < RACE_ROWS && !racer->failed; at += 100) {
		racer->failed = suite_ops->insert(racer->bench.session, "race", items + at, 100, &racer->bench.call,
						  &racer->bench.err) != SEAL_OK;
		for (size_t i = at; i < at + 100; i++)
			racer->won += items[i].inserted;
	}
	return items;
}

/* Every row has one that made it, and everybody was told the same. */
static void threads(void **state)
{
	struct racer racers[RACERS];
	struct store_item *items[RACERS];
	size_t won = 0;

	memset(racers, 0, sizeof(racers));
	for (size_t i = 0; i < RACERS; i++) {
		racers[i].name[0] = (char)('0' + i);
		bench_open(&racers[i].bench);
	}
	for (size_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, (void **)&items[i]);
	for (size_t i = 0; i < RACERS; i++) {
		if (racers[i].failed)
			fail_msg("racer %zu: %s", i, racers[i].bench.err.text);
		won += racers[i].won;
		for (size_t j = 0; j < RACE_ROWS; j++)
			assert_true(bytes_eq(items[i][j].value, items[0][j].value));
	}
	assert_int_equal(won, RACE_ROWS);
	for (size_t i = 0; i < RACERS; i++)
		bench_close(&racers[i].bench);
}

/* Inserts lots as long as its guard is "1"; a little at a time, and never without one under way somewhere. */
static void *add_guarded(void *arg)
{
	struct racer *racer = arg;

	for (size_t lot = 0;; lot++) {
		char prefix[32];
		struct store_item *items;

		snprintf(prefix, sizeof(prefix), "%s-%06zu-", racer->name, lot);
		items = make_lot(&racer->bench.arena, prefix, GUARDED_LOT, "v");
		if (!insert_guarded(&racer->bench, items, GUARDED_LOT, "race", "1"))
			return NULL;
		racer->won += GUARDED_LOT;
	}
}

/* Who swaps a guard's row waits for what is under way, and after that nothing comes; and gets its turn, however many insert. */
static void guard_race_threads(void **state)
{
	struct racer racers[RACERS];
	struct store_item state_row = row("race", "1");
	uint64_t start, then;
	size_t won = 0;
	struct bench b;

	bench_open(&b);
	insert(&b, "guard", &state_row, 1);
	memset(racers, 0, sizeof(racers));
	for (size_t i = 0; i < RACERS; i++) {
		racers[i].name[0] = (char)('0' + i);
		bench_open(&racers[i].bench);
	}
	for (size_t i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, add_guarded, &racers[i]), 0);
	for (size_t i = 0; i < RACERS; i++) /* all of them are at it */
		while (count(&b, "guard", bytes_str(arena_printf(&b.arena, "%s-", racers[i].name)), 1) == 0)
			usleep(1000);
	usleep(300000);
	start = clock_mono_ms();
	assert_true(swap(&b, "guard", "race", "1", "2", false));
	print_message("the guard's row was swapped in %llu ms\n", (unsigned long long)(clock_mono_ms() - start));
	then = 0;
	for (size_t i = 0; i < RACERS; i++)
		then += count(&b, "guard", bytes_str(arena_printf(&b.arena, "%s-", racers[i].name)), UINT64_MAX);
	for (size_t i = 0; i < RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		won += racers[i].won;
	}
	assert_true(won > 0);
	assert_int_equal(then, won);
	for (size_t i = 0; i < RACERS; i++)
		bench_close(&racers[i].bench);
	bench_close(&b);
}

/* Two rows, at both ends of a large lot, become the next number together. */
static void *count_up(void *arg)
{
	struct racer *racer = arg;

	for (int i = 0; i < MOMENTS; i++) {
		const char *from = arena_printf(&racer->bench.arena, "%d", i);
		const char *to = arena_printf(&racer->bench.arena, "%d", i + 1);
		struct store_change both[] = {change_of("a", from, to), change_of("z", from, to)};

		change(&racer->bench, "moment", both, 2);
		racer->won += both[0].changed && both[1].changed;
	}
	return NULL;
}

/* What a query reads, however large, is all of one moment. */
static void one_moment_threads(void **state)
{
	struct store_item ends[] = {row("a", "0"), row("z", "0")}, *items;
	struct racer racer = {.won = 0};
	struct bench b;
	size_t seen = 0;

	bench_open(&b);
	bench_open(&racer.bench);
	insert(&b, "moment", ends, 2);
	items = make_lot(&b.arena, "k", MOMENT_ROWS, "");
	items[0] = ends[0];
	items[MOMENT_ROWS - 1] = ends[1];
	assert_int_equal(pthread_create(&racer.thread, NULL, count_up, &racer), 0);
	while (!items[0].value.ptr || !bytes_eq_str(items[0].value, SAY(MOMENTS))) {
		get(&b, "moment", items, MOMENT_ROWS);
		assert_true(bytes_eq(items[0].value, items[MOMENT_ROWS - 1].value));
		seen++;
	}
	pthread_join(racer.thread, NULL);
	assert_int_equal(racer.won, MOMENTS);
	assert_true(seen > 0);
	bench_close(&racer.bench);
	bench_close(&b);
}

/* The child inserts the same rows as its sibling, and reports how many it made. */
static pid_t start_inserter(int report, const char *value)
{
	pid_t pid = fork();
	struct bench b;
	struct store_item *items;
	size_t made = 0;

	if (pid != 0)
		return pid;
	in_child = true;
	bench_open(&b);
	items = make_lot(&b.arena, "p", RACE_ROWS, value);
	for (size_t at = 0; at < RACE_ROWS; at += 50) {
		insert(&b, "processes", items + at, 50);
		for (size_t i = at; i < at + 50; i++)
			made += items[i].inserted;
	}
	_exit(write(report, &made, sizeof(made)) == sizeof(made) ? 0 : 1);
}

static void processes(void **state)
{
	size_t made = 0, total = 0;
	int ends[2], status;
	pid_t pids[2];

	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < 2; i++)
		pids[i] = start_inserter(ends[1], i ? "second" : "first");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		assert_int_equal(read(ends[0], &made, sizeof(made)), sizeof(made));
		total += made;
	}
	assert_int_equal(total, RACE_ROWS);
	close(ends[0]);
	close(ends[1]);
}

/* Inserts lots until it is killed; *going, which is shared, says that one is there. */
static pid_t start_victim(size_t round, atomic_bool *going)
{
	pid_t pid = fork();
	struct bench b;

	if (pid != 0)
		return pid;
	in_child = true;
	bench_open(&b);
	for (size_t lot = 0;; lot++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "%zu-%03zu-", round, lot);
		insert(&b, "killed", make_lot(&b.arena, prefix, LOT, "v"), LOT);
		atomic_store(going, true);
	}
}

static void killed_in_the_middle(void **state)
{
	atomic_bool *going = mmap(NULL, sizeof(*going), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t whole = 0;
	struct bench b;

	assert_ptr_not_equal(going, MAP_FAILED);
	for (size_t round = 0; round < 8; round++) {
		pid_t pid;
		int status;

		atomic_store(going, false);
		pid = start_victim(round, going);
		while (round % 2 && !atomic_load(going) && waitpid(pid, &status, WNOHANG) == 0)
			usleep(1000);
		usleep((useconds_t)(20000 + round * 17000));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
	}
	bench_open(&b);
	for (size_t round = 0; round < 8; round++) {
		for (size_t lot = 0, there = LOT; there > 0; lot++) {
			struct store_item *items;
			char prefix[32];

			snprintf(prefix, sizeof(prefix), "%zu-%03zu-", round, lot);
			items = make_lot(&b.arena, prefix, LOT, NULL);
			get(&b, "killed", items, LOT);
			there = 0;
			for (size_t i = 0; i < LOT; i++)
				there += items[i].value.ptr != NULL;
			assert_true(there == 0 || there == LOT);
			whole += there > 0;
		}
	}
	assert_true(whole > 0);
	munmap(going, sizeof(*going));
	bench_close(&b);
}

/* The first test: who reads only must not make the store; who protects does, and is the first or not. */
static void it_may_be_missing(void **state)
{
	const struct store_config config = {.later = true};
	struct store_session *session = NULL;
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	assert_int_equal(suite_ops->open(suite_address, &config, &store, &err), SEAL_OK);
	assert_int_equal(err.status, SEAL_OK);
	assert_true(store->missing);
	for (int i = 0; i < 2; i++) {
		err_clear(&err);
		assert_int_equal(store->ops->session(store, &session, &err), SEAL_USAGE);
		assert_int_equal(err.code, SEAL_E_NO_INPUT);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store->ops->make(store, NULL), SEAL_OK);
		store->ops->session_free(suite_session(store));
	}
	store->ops->free(store);
	assert_int_equal(suite_ops->open(suite_address, &config, &store, NULL), SEAL_OK);
	assert_false(store->missing);
	store->ops->free(store);
}

static int run(const struct store_ops *ops, const char *address, const struct CMUnitTest *tests, size_t n)
{
	suite_ops = ops;
	suite_address = address;
	return _cmocka_run_group_tests(ops->name, tests, n, NULL, NULL);
}

int store_suite_run_here(const struct store_ops *ops, const char *address)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back),
		cmocka_unit_test(first_one_wins),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(swaps),
		cmocka_unit_test(changes),
		cmocka_unit_test(change_of_many),
		cmocka_unit_test(scans),
		cmocka_unit_test(counts),
		cmocka_unit_test(guards),
		cmocka_unit_test(huge_lot),
		cmocka_unit_test(threads),
		cmocka_unit_test(guard_race_threads),
		cmocka_unit_test(one_moment_threads),
	};

	return run(ops, address, tests, sizeof(tests) / sizeof(tests[0]));
}

int store_suite_run(const struct store_ops *ops, const char *address)
{
	const struct CMUnitTest first[] = {cmocka_unit_test(it_may_be_missing)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes),
		cmocka_unit_test(killed_in_the_middle),
	};
	int failed = run(ops, address, first, 1);

	failed += store_suite_run_here(ops, address);
	return failed + run(ops, address, tests, sizeof(tests) / sizeof(tests[0]));
}
