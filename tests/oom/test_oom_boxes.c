/* outbox and inbox: every allocation that fails ends in SEAL_E_MEMORY, with nothing left over and no thread running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "oom.h"
#include "streams/inbox.h"
#include "streams/outbox.h"

static int nobody;
static atomic_uint lent;

static enum seal_status worker_new(void *arg, void **worker, struct seal_err *err)
{
	*worker = &nobody;
	return SEAL_OK;
}

static void worker_free(void *worker)
{
}

/* ---- outbox ---- */

static enum seal_status send(void *worker, struct outbox_item *const *items, size_t n, uint64_t deadline_ms,
			     struct seal_err *err)
{
	for (size_t i = 0; i < n; i++)
		items[i]->result = OUTBOX_DONE;
	return SEAL_OK;
}

static enum seal_status measure(void *arg, const struct record *record, size_t *bytes, struct seal_err *err)
{
	*bytes = record->value.len;
	return SEAL_OK;
}

static struct seal_bytes lane(void *arg, const struct record *record)
{
	return record->key;
}

static enum seal_status write_some(void *arg, struct seal_err *err)
{
	static const struct outbox_service service = {worker_new, worker_free, send, measure, lane, NULL};
	const struct outbox_config config = {
		.name = "o", .order = OUTBOX_SEVERAL, .records = 10, .bytes = 1000, .requests = 2};
	const struct record records[] = {{.key = BYTES_LIT("a"), .value = BYTES_LIT("1")},
					 {.key = BYTES_LIT("b"), .value = BYTES_LIT("2"), .topic = BYTES_LIT("t")},
					 {.value = BYTES_LIT("3")}};
	struct outbox *box = NULL;
	uint64_t acknowledged = 0;
	enum seal_status rc;

	SEAL_TRY(outbox_new(&config, &service, NULL, &box, err));
	for (uint64_t ticket = 1; ticket <= 70; ticket++) {
		rc = outbox_write(box, records, 3, ticket, 60000, err);
		if (rc != SEAL_OK) { /* nothing of it was taken: what went before arrives */
			assert_int_equal(outbox_flush(box, 60000, NULL), SEAL_OK);
			assert_int_equal(outbox_poll(box, 0, &acknowledged, NULL), SEAL_OK);
			assert_int_equal(acknowledged, ticket - 1);
			goto out;
		}
	}
	rc = outbox_flush(box, 60000, err);
out:
	outbox_free(box);
	return rc;
}

static void test_outbox(void **state)
{
	assert_true(oom_each(write_some, NULL) > 100);
}

/* ---- inbox ---- */

static enum seal_status receive(void *worker, struct arena *arena, struct inbox_message *messages, size_t max,
				int wait_ms, size_t *n, struct seal_err *err)
{
	for (*n = 0; *n < max && atomic_load(&lent) < 9; atomic_fetch_add(&lent, 1), ++*n) {
		struct inbox_message *message = &messages[*n];

		message->record.value = arena_copy(arena, BYTES_LIT("value"));
		message->record.id = message->handle = arena_copy(arena, BYTES_LIT("id"));
		if (message->record.value.ptr == NULL || message->handle.ptr == NULL)
			return err_memory(err);
	}
	if (*n == 0)
		usleep(1000);
	return SEAL_OK;
}

static enum seal_status acknowledge(void *worker, struct inbox_message *const *messages, size_t n,
				    struct seal_err *err)
{
	return SEAL_OK;
}

static enum seal_status extend(void *worker, struct inbox_message *const *messages, size_t n, unsigned seconds,
			       struct seal_err *err)
{
	return SEAL_OK;
}

static enum seal_status read_some(void *arg, struct seal_err *err)
{
	static const struct inbox_service service = {.worker_new = worker_new,
						     .worker_free = worker_free,
						     .receive = receive,
						     .acknowledge = acknowledge,
						     .extend = extend};
	const struct inbox_config config = {.name = "i", .fetch = 4, .lot = 4, .lend_s = 30, .requests = 1};
	struct record records[16];
	struct batch batch = {.records = records, .cap = 16};
	enum read_result result;
	struct inbox *box = NULL;
	size_t n = 0;
	enum seal_status rc;

	atomic_store(&lent, 0);
	arena_init(&batch.arena, 0);
	SEAL_TRY(inbox_new(&config, &service, NULL, &box, err));
	while (n < 9) {
		SEAL_TRY(inbox_read(box, &batch, 16, 1000, &result, err));
		if (result != READ_SOME)
			continue;
		n += batch.n;
		rc = inbox_commit(box, &batch, err);
		inbox_release(box, &batch);
		arena_clear(&batch.arena);
		batch.n = 0;
		SEAL_TRY(rc);
	}
	rc = inbox_sync(box, err);
out:
	inbox_close(box, true);
	arena_clear(&batch.arena);
	return rc;
}

/* How many allocations there are depends on which thread was faster: each of the first ones fails. */
static void test_inbox(void **state)
{
	for (int stay = 0; stay <= 1; stay++) {
		for (size_t n = 1; n <= 60; n++) {
			struct oom_plan plan = {.fail_at = n, .stay = stay};
			struct seal_err err = SEAL_ERR_INIT;

			if (oom_run(&plan, read_some, NULL, &err) == SEAL_OK)
				continue;
			assert_int_equal(err.code, SEAL_E_MEMORY);
			assert_int_equal(err.status, SEAL_FATAL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outbox),
		cmocka_unit_test(test_inbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
