/*
 * envelope: engines that were cloned from one another, each in its thread, share data keys that expire under their hands, and
 * people's keys in SQLite. Runs under ThreadSanitizer.
 *
 *   each thread   protect own records ─▶ the board ─▶ reveal what hangs there, mostly another thread's
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <unistd.h>

#include "base/bytes.h"
#include "keys/key_cache.h"
#include "sealstream/engine.h"

#define HEAD "version: 1\nnamespace: shop\nkeys: {pii: 'local:pii'}\n"
/* Both methods share their data keys: a record's header has the one that stands in its other value. */
#define SHARED                                                                                                       \
	HEAD "topics:\n- match: t\n  protect:\n"                                                                     \
	     "    $.a: {type: envelope, key: pii, max_age: 1s, carry: header}\n"                                     \
	     "    $.b: {type: envelope, key: pii, max_age: 1s}\n"
#define PEOPLE_OF                                                                                                    \
	HEAD "stores: {main: 'sqlite:%s/people.db'}\ntopics:\n- match: t\n  protect:\n"                              \
	     "    $.a: {type: envelope, key: {name: pii, per: $.id}, max_age: 1s}\n"

enum { THREADS = 6, ROUNDS = 40, RECORDS = 12, PEOPLE = 20, RECORD_MAX = 1024, STEP_MS = 20 };
/* Characters that two texts under one person's key share: form, id and the most of the commitment. */
#define PERSON_TEXT (sizeof("seal:e1:") - 1 + 64)

static char dir[64];
static struct seal_policy *policy;
static const struct seal_topic *topic;

/* Every look at the clock takes a while: keys last for some fifty of them. */
static _Atomic uint64_t now_ms;

static uint64_t fast_clock(void)
{
	return atomic_fetch_add(&now_ms, STEP_MS);
}

/* A record, its plaintext and its header. */
struct rec {
	char plain[64], value[RECORD_MAX], header[RECORD_MAX];
	size_t value_len, header_len; /* 0: no header */
};

static struct {
	pthread_mutex_t lock;
	struct rec records[RECORDS]; /* of whoever came last */
	bool full;
	char person[PEOPLE][PERSON_TEXT]; /* what each person's texts begin with */
	bool known[PEOPLE];
	char header[RECORD_MAX]; /* the newest */
	unsigned owner; /* who wrote it first */
	unsigned headers, shared; /* how many there were; how often a thread had one that was another's first */
} board = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct worker {
	pthread_t thread;
	struct seal_engine *engine;
	unsigned number, seed;
	const char *wrong; /* NULL: all is well */
	struct seal_err err;
	struct rec records[RECORDS];
};

static bool copy_result(struct worker *w, size_t i, struct rec *rec)
{
	const struct seal_bytes value = seal_result_value(w->engine, i),
				header = seal_result_key_header(w->engine, i);

	if (seal_result_status(w->engine, i) != SEAL_OK || value.len >= RECORD_MAX || header.len >= RECORD_MAX)
		return false;
	memcpy(rec->value, value.ptr, value.len);
	rec->value_len = value.len;
	if (header.len > 0)
		memcpy(rec->header, header.ptr, header.len);
	rec->header_len = header.len;
	rec->value[value.len] = rec->header[header.len] = '\0';
	return true;
}

/* All records of the worker's through its engine; with their headers. */
static enum seal_status run(struct worker *w, bool reveal)
{
	struct seal_bytes values[RECORDS], headers[RECORDS];
	const struct seal_records records = {sizeof(records), values, headers, RECORDS};

	for (size_t i = 0; i < RECORDS; i++) {
		const struct rec *rec = &w->records[i];

		values[i] = reveal ? bytes_of(rec->value, rec->value_len) : bytes_str(rec->plain);
		headers[i] = rec->header_len > 0 ? bytes_of(rec->header, rec->header_len) : BYTES_EMPTY;
	}
	return reveal ? seal_engine_reveal_records(w->engine, topic, &records, &w->err)
		      : seal_engine_protect_records(w->engine, topic, &records, &w->err);
}

static const char *protect(struct worker *w)
{
	for (size_t i = 0; i < RECORDS; i++) {
		w->seed = w->seed * 1103515245 + 12345;
		snprintf(w->records[i].plain, sizeof(w->records[i].plain), "{\"id\":%u,\"a\":\"text %u\",\"b\":%u}",
			 (w->seed >> 16) % PEOPLE, w->seed, w->number);
		w->records[i].header_len = 0;
	}
	if (run(w, false) != SEAL_OK)
		return "protect";
	for (size_t i = 0; i < RECORDS; i++)
		if (!copy_result(w, i, &w->records[i]) || strcmp(w->records[i].value, w->records[i].plain) == 0)
			return "a record that was not protected";
	return NULL;
}

static const char *reveal(struct worker *w)
{
	if (run(w, true) != SEAL_OK)
		return "reveal";
	for (size_t i = 0; i < RECORDS; i++)
		if (seal_result_status(w->engine, i) != SEAL_OK) {
			w->err = *seal_result_error(w->engine, i);
			return "a record that was not revealed";
		} else if (!bytes_eq_str(seal_result_value(w->engine, i), w->records[i].plain) ||
			   seal_result_key_header(w->engine, i).ptr != NULL) {
			return "another record came back";
		}
	return NULL;
}

/* Under the lock. A person has one key, whoever came first. */
static const char *note_person(const struct rec *rec)
{
	const char *text = strstr(rec->value, "seal:e1:");
	unsigned id;

	if (text == NULL || strlen(text) < PERSON_TEXT || sscanf(rec->plain, "{\"id\":%u", &id) != 1)
		return "a record without its envelope";
	if (!board.known[id])
		memcpy(board.person[id], text, PERSON_TEXT);
	board.known[id] = true;
	return memcmp(board.person[id], text, PERSON_TEXT) == 0 ? NULL : "a person with two keys";
}

/* Under the lock. A batch has one header, but for one whose key expired between the two methods. */
static void note_header(unsigned number, const char *header)
{
	if (strcmp(board.header, header) != 0) {
		snprintf(board.header, sizeof(board.header), "%s", header);
		board.owner = number;
		board.headers++;
	} else if (board.owner != number) {
		board.shared++;
	}
}

/* Hangs up what was protected; the worker's records become those that hung there. */
static const char *swap(struct worker *w)
{
	static struct rec before[RECORDS];
	const char *wrong = NULL;

	pthread_mutex_lock(&board.lock);
	for (size_t i = 0; i < RECORDS && wrong == NULL; i++)
		if (w->records[i].header_len == 0)
			wrong = note_person(&w->records[i]);
	if (w->records[0].header_len > 0)
		note_header(w->number, w->records[0].header);
	memcpy(before, board.records, sizeof(before));
	memcpy(board.records, w->records, sizeof(before));
	if (board.full)
		memcpy(w->records, before, sizeof(before));
	board.full = true;
	pthread_mutex_unlock(&board.lock);
	return wrong;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int round = 0; round < ROUNDS && w->wrong == NULL; round++) {
		w->wrong = protect(w);
		if (w->wrong == NULL)
			w->wrong = swap(w);
		if (w->wrong == NULL)
			w->wrong = reveal(w);
	}
	seal_engine_free(w->engine);
	return NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int setup(void **state)
{
	struct seal_keyring_options keys = {.size = sizeof(keys), .dir = dir, .create = true};
	struct seal_keyring *keyring;

	snprintf(dir, sizeof(dir), "/tmp/sealstream-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(seal_keyring_open(&keys, &keyring, NULL), SEAL_OK);
	assert_int_equal(seal_keyring_create_key(keyring, "pii", "aes256-gcm96", false, NULL), SEAL_OK);
	seal_keyring_close(keyring);
	board.full = false;
	board.header[0] = '\0';
	board.headers = board.shared = 0;
	memset(board.known, 0, sizeof(board.known));
	atomic_store(&now_ms, 1000);
	key_cache_test_clock(fast_clock);
	return 0;
}

static int teardown(void **state)
{
	key_cache_test_clock(NULL);
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* The first engine is freed while the others work: the last of them closes keys and store. */
static void run_threads(const char *text)
{
	const struct seal_keyring_options keys = {.size = sizeof(keys), .dir = dir};
	const struct seal_engine_options options = {.size = sizeof(options), .keyring = &keys};
	static struct worker workers[THREADS];
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_engine *first;

	if (seal_policy_load(bytes_str(text), "p.yaml", &policy, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	topic = seal_policy_topic(policy, "t");
	if (seal_engine_new(policy, &options, &first, &err) != SEAL_OK)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.number = i, .seed = i + 1};
		assert_int_equal(seal_engine_clone(first, &workers[i].engine, NULL), SEAL_OK);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	seal_engine_free(first);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		if (workers[i].wrong != NULL)
			fail_msg("thread %u: %s: %s: %s", i, workers[i].wrong, workers[i].err.place,
				 workers[i].err.text);
	seal_policy_free(policy);
}

static void data_keys_are_shared_and_expire(void **state)
{
	run_threads(SHARED);
	assert_true(board.headers >= 3); /* they expired … */
	assert_true(board.shared > 0); /* … and were each other's meanwhile */
}

static void people_have_one_key_each(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), PEOPLE_OF, dir);
	run_threads(text);
	for (size_t i = 0; i < PEOPLE; i++)
		assert_true(board.known[i]);
	assert_true(atomic_load(&now_ms) > 10000); /* all keys expired several times */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(data_keys_are_shared_and_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(people_have_one_key_each, setup, teardown),
	};

	return cmocka_run_group_tests_name("envelope_threads", tests, NULL, NULL);
}
