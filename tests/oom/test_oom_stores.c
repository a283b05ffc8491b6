/* stores: every allocation that fails gives SEAL_E_MEMORY and leaves nothing behind. SQLite's and libpq's own are not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "oom.h"
#include "stores/postgresql/postgresql.h"
#include "stores/sqlite/sqlite.h"

#define ROWS 20

static char path[] = "/tmp/sealstream-oom.XXXXXX";
static char address[100];

/* All operations. */
static enum seal_status use(void *arg, struct seal_err *err)
{
	struct store_item items[ROWS], *found = NULL;
	struct store *store = NULL;
	struct store_session *session = NULL;
	struct arena arena;
	struct store_call call = {.arena = &arena, .deadline_ms = clock_mono_ms() + 120000};
	struct store_guard guard = {.key = BYTES_LIT("c"), .value = BYTES_LIT("value")};
	struct store_change change = {.key = BYTES_LIT("b"), .from = BYTES_LIT("value"), .to = BYTES_LIT("value")};
	bool swapped = false;
	uint64_t counted = 0;
	size_t n = 0;
	enum seal_status rc;

	(void)arg;
	arena_init(&arena, 0);
	for (size_t i = 0; i < ROWS; i++)
		items[i] = (struct store_item){.key = bytes_of(&"abcdefghijklmnopqrst"[i], 1),
					       .value = BYTES_LIT("value")};
	SEAL_TRY(sqlite_store.open(address, &(struct store_config){.create = true}, &store, err));
	SEAL_TRY(sqlite_store.session(store, &session, err));
	SEAL_TRY(sqlite_store.insert(session, "s", items, ROWS, &call, err));
	call.guard = &guard;
	SEAL_TRY(sqlite_store.insert(session, "s", items, ROWS, &call, err));
	SEAL_TRY(sqlite_store.change(session, "s", &change, 1, &call, err));
	SEAL_TRY(sqlite_store.count(session, "s", BYTES_LIT("a"), 10, &counted, &call, err));
	SEAL_TRY(sqlite_store.get(session, "s", items, ROWS, &call, err));
	SEAL_TRY(sqlite_store.swap(session, "s", items[0].key, BYTES_LIT("value"), BYTES_LIT("other"), true, &swapped,
				   &call, err));
	SEAL_TRY(sqlite_store.swap(session, "s", items[0].key, BYTES_LIT("other"), BYTES_LIT("value"), false,
				   &swapped, &call, err));
	SEAL_TRY(sqlite_store.scan(session, "s", BYTES_EMPTY, ROWS, &found, &n, &call, err));
	assert_int_equal(n, ROWS);
out:
	assert_true(rc == SEAL_OK || err->code != SEAL_E_NONE);
	if (session == NULL)
		assert_int_not_equal(rc, SEAL_OK);
	sqlite_store.session_free(session);
	if (store != NULL)
		sqlite_store.free(store);
	arena_clear(&arena);
	return rc;
}

static void sqlite(void **state)
{
	assert_true(oom_each(use, NULL) >= 6);
}

/* As far as it goes without a server, which is not reachable then. */
static enum seal_status reach(void *arg, struct seal_err *err)
{
	struct seal_err first = SEAL_ERR_INIT;
	struct store *store = NULL;
	enum seal_status rc = postgresql_store.open(arg, &(struct store_config){.create = true}, &store, &first);

	assert_null(store);
	assert_int_not_equal(rc, SEAL_OK);
	if (first.code == SEAL_E_SERVICE)
		return SEAL_OK; /* what it should be */
	*err = first;
	return first.status;
}

static void postgresql(void **state)
{
	char server[] = "postgresql://127.0.0.1:1/n?connect_timeout=1";

	assert_true(oom_each(reach, server) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sqlite), cmocka_unit_test(postgresql)};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	snprintf(address, sizeof(address), "sqlite:%s", path);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
