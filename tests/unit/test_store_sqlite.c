/* store_sqlite: what every store promises, and what can be wrong with a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "store_suite.h"
#include "stores/sqlite/sqlite.h"

static char directory[] = "/tmp/sealstream-store.XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][200];
	static size_t next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", directory, name);
	return out;
}

static const char *address_of(const char *name)
{
	static char address[200];

	snprintf(address, sizeof(address), "sqlite:%s", path_of(name));
	return address;
}

static void addresses(void **state)
{
	static const char *const good[] = {"sqlite:a", "sqlite:a/b.db", "sqlite:/a", "sqlite:../a", "sqlite:a b?c#d"};
	static const char *const bad[] = {"sqlite:",	"sqlite",      "",
					  "sqlit:a",	"sqlite:a/",   "sqlite:/",
					  "sqlite://a", "sqlite:///a", "sqlite::memory:"};
	char long_one[5000] = "sqlite:";
	const char *why;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(sqlite_store.check(bytes_str(good[i]), &why));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seal_err err = SEAL_ERR_INIT;
		struct store *store = NULL;

		assert_false(sqlite_store.check(bytes_str(bad[i]), &why));
		assert_int_equal(sqlite_store.open(bad[i], &(struct store_config){.create = true}, &store, &err),
				 SEAL_USAGE);
		assert_string_equal(err.text, why);
		assert_null(store);
	}
	assert_false(sqlite_store.check(bytes_of("sqlite:a\0b", 10), &why));
	memset(long_one + 7, 'x', sizeof(long_one) - 8);
	assert_false(sqlite_store.check(bytes_str(long_one), &why));
	assert_string_equal(why, "the path of the file is too long");
}

static void fails_to_open(const char *address, bool create, enum seal_status status, enum seal_code code,
			  const char *says)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	assert_int_equal(sqlite_store.open(address, &(struct store_config){.create = create}, &store, &err), status);
	assert_null(store);
	if (err.code != code || strstr(err.text, says) == NULL)
		fail_msg("%s: %s: %s", address, seal_code_name(err.code), err.text);
}

static void the_file(void **state)
{
	struct stat st;
	mode_t mask = umask(0);

	fails_to_open(address_of("new.db"), false, SEAL_USAGE, SEAL_E_NO_INPUT, "there is no store");
	assert_int_equal(access(path_of("new.db"), F_OK), -1);
	fails_to_open(address_of("none/new.db"), true, SEAL_USAGE, SEAL_E_CREATE, "whose directory must exist");
	sqlite_store.free(suite_open(&sqlite_store, address_of("new.db"), true));
	assert_int_equal(stat(path_of("new.db"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	sqlite_store.free(suite_open(&sqlite_store, address_of("new.db"), false));
	umask(mask);
	assert_int_equal(mkdir(path_of("directory"), 0700), 0);
	fails_to_open(address_of("directory"), true, SEAL_USAGE, SEAL_E_CONFIG, "is no file");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	fails_to_open(address_of("fifo"), true, SEAL_USAGE, SEAL_E_CONFIG, "is no file");
	fails_to_open("sqlite:/dev/null", true, SEAL_USAGE, SEAL_E_CONFIG, "is no file");
}

/* It is made by `make` alone, and what is no store is wrong at once. */
static void one_that_may_be_missing(void **state)
{
	const struct store_config config = {.later = true};
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	assert_int_equal(sqlite_store.open(address_of("later.db"), &config, &store, &err), SEAL_OK);
	assert_int_equal(access(path_of("later.db"), F_OK), -1);
	sqlite_store.free(store);
	assert_int_equal(mkdir(path_of("later"), 0700), 0);
	assert_int_equal(sqlite_store.open(address_of("later"), &config, &store, &err), SEAL_USAGE);
	assert_int_equal(err.code, SEAL_E_CONFIG);
	assert_null(store);
}

/* A name that means something to SQLite is a name, and starts at the current directory. */
static void odd_names(void **state)
{
	static const char name[] = "file:x?mode=memory";
	char was[500], address[100];

	assert_non_null(getcwd(was, sizeof(was)));
	assert_int_equal(chdir(directory), 0);
	snprintf(address, sizeof(address), "sqlite:%s", name);
	sqlite_store.free(suite_open(&sqlite_store, address, true));
	assert_int_equal(access(path_of(name), F_OK), 0);
	assert_int_equal(chdir(was), 0);
}

static void sql(const char *name, const char *text)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path_of(name), &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(db);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void other_files(void **state)
{
	struct seal_buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);

	sql("foreign.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	assert_int_equal(file_read(path_of("foreign.db"), &before, NULL), SEAL_OK);
	fails_to_open(address_of("foreign.db"), true, SEAL_USAGE, SEAL_E_CONFIG, "another program's");
	assert_int_equal(file_read(path_of("foreign.db"), &after, NULL), SEAL_OK);
	assert_true(bytes_eq(buf_bytes(&before), buf_bytes(&after)));
	buf_clear(&before);
	buf_clear(&after);
	sql("id.db", "PRAGMA application_id = 7");
	fails_to_open(address_of("id.db"), true, SEAL_USAGE, SEAL_E_CONFIG, "another program's");
	sqlite_store.free(suite_open(&sqlite_store, address_of("newer.db"), true));
	sql("newer.db", "PRAGMA user_version = 2");
	fails_to_open(address_of("newer.db"), true, SEAL_USAGE, SEAL_E_CONFIG, "made by a newer sealstream");
	sql("newer.db", "PRAGMA user_version = 0");
	fails_to_open(address_of("newer.db"), true, SEAL_USAGE, SEAL_E_CONFIG, "another program's");
	sqlite_store.free(suite_open(&sqlite_store, address_of("changed.db"), true));
	sql("changed.db", "ALTER TABLE sealstream_row RENAME COLUMN value TO price");
	fails_to_open(address_of("changed.db"), true, SEAL_FATAL, SEAL_E_KEY_FILE, "is damaged");
	write_file("text.db", "This is a text and no data base, though it is a file.\n", 54);
	fails_to_open(address_of("text.db"), true, SEAL_FATAL, SEAL_E_KEY_FILE, "is damaged");
	write_file("empty.db", "", 0);
	fails_to_open(address_of("empty.db"), false, SEAL_USAGE, SEAL_E_NO_INPUT, "is empty");
	sqlite_store.free(suite_open(&sqlite_store, address_of("empty.db"), true));
}

/* Rows ----------------------------------------------------------------------------------------------------------- */

struct work {
	struct store *store;
	struct store_session *session;
	struct arena arena;
	struct store_call call;
	struct seal_err err;
};

static void work_open(struct work *w, const char *name)
{
	memset(w, 0, sizeof(*w));
	w->store = suite_open(&sqlite_store, address_of(name), true);
	w->session = suite_session(w->store);
	arena_init(&w->arena, 0);
	w->call = (struct store_call){.arena = &w->arena, .deadline_ms = clock_mono_ms() + 300000};
}

static void work_close(struct work *w)
{
	sqlite_store.session_free(w->session);
	sqlite_store.free(w->store);
	arena_clear(&w->arena);
}

/* Rows that somebody else wrote. */
static void odd_rows(void **state)
{
	static const char *const odd[] = {"zeroblob(65537)", "'text'", "7", "NULL"};
	struct store_item item = {.key = BYTES_LIT("k")}, *items;
	struct work w;
	size_t n;

	work_open(&w, "odd.db");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char text[300];

		/* Without its constraints the table takes everything. */
		snprintf(text, sizeof(text),
			 "DROP TABLE sealstream_row; CREATE TABLE sealstream_row (space, key, value);"
			 "INSERT INTO sealstream_row VALUES ('s', x'6b', %s)",
			 odd[i]);
		sql("odd.db", text);
		err_clear(&w.err);
		assert_int_equal(sqlite_store.get(w.session, "s", &item, 1, &w.call, &w.err), SEAL_FATAL);
		assert_int_equal(w.err.code, SEAL_E_KEY_FILE);
		assert_non_null(strstr(w.err.text, "a row that is none of ours"));
		err_clear(&w.err);
		assert_int_equal(sqlite_store.scan(w.session, "s", BYTES_EMPTY, 5, &items, &n, &w.call, &w.err),
				 SEAL_FATAL);
		assert_int_equal(n, 0);
	}
	work_close(&w);
}

/* A file that is cut or overwritten is told, and nothing that stood there is given as a row. */
static void damaged(void **state)
{
	static const off_t cuts[] = {100, 4096, 6000};
	struct seal_buf whole = BUF_INIT(8 << 20);
	struct store_item *items;
	struct work w;

	work_open(&w, "whole.db");
	items = arena_alloc(&w.arena, 3000 * sizeof(*items), _Alignof(struct store_item));
	for (size_t i = 0; i < 3000; i++)
		items[i] = (struct store_item){.key = bytes_str(arena_printf(&w.arena, "key %zu", i)),
					       .value = BYTES_LIT("value")};
	assert_int_equal(sqlite_store.insert(w.session, "s", items, 3000, &w.call, &w.err), SEAL_OK);
	sqlite_store.session_free(w.session);
	assert_int_equal(file_read(path_of("whole.db"), &whole, NULL), SEAL_OK);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		enum seal_status rc;

		write_file("whole.db", whole.ptr, (size_t)cuts[i]);
		err_clear(&w.err);
		w.session = NULL;
		rc = sqlite_store.session(w.store, &w.session, &w.err);
		if (rc == SEAL_OK)
			rc = sqlite_store.get(w.session, "s", items, 3000, &w.call, &w.err);
		assert_int_equal(rc, SEAL_FATAL);
		assert_true(w.err.code == SEAL_E_KEY_FILE || w.err.code == SEAL_E_IO);
		sqlite_store.session_free(w.session);
	}
	memset(whole.ptr + 4096, 0xa5, whole.len - 4096);
	write_file("whole.db", whole.ptr, whole.len);
	err_clear(&w.err);
	w.session = NULL;
	if (sqlite_store.session(w.store, &w.session, &w.err) == SEAL_OK)
		assert_int_equal(sqlite_store.get(w.session, "s", items, 1, &w.call, &w.err), SEAL_FATAL);
	assert_int_equal(w.err.code, SEAL_E_KEY_FILE);
	buf_clear(&whole);
	work_close(&w);
}

/* Who holds the lock for longer than the caller waits. */
static void busy(void **state)
{
	struct store_item item = {.key = BYTES_LIT("k"), .value = BYTES_LIT("v")};
	sqlite3 *other = NULL;
	struct work w;
	uint64_t start;

	work_open(&w, "busy.db");
	assert_int_equal(sqlite3_open(path_of("busy.db"), &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	start = clock_mono_ms();
	w.call.deadline_ms = start + 200;
	assert_int_equal(sqlite_store.insert(w.session, "s", &item, 1, &w.call, &w.err), SEAL_RETRY);
	assert_int_equal(w.err.code, SEAL_E_BUSY);
	assert_true(clock_mono_ms() - start >= 200 && clock_mono_ms() - start < 60000);
	assert_int_equal(sqlite_store.get(w.session, "s", &item, 1, &w.call, NULL), SEAL_OK); /* readers don't wait */
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	w.call.deadline_ms = clock_mono_ms() + 60000;
	item.value = BYTES_LIT("v");
	assert_int_equal(sqlite_store.insert(w.session, "s", &item, 1, &w.call, NULL), SEAL_OK);
	assert_true(item.inserted);
	sqlite3_close(other);
	work_close(&w);
}

static bool file_has(const char *name, struct seal_bytes what)
{
	struct seal_buf content = BUF_INIT(64 << 20);
	bool has;

	has = file_read(path_of(name), &content, NULL) == SEAL_OK && content.len > 0 &&
	      memmem(content.ptr, content.len, what.ptr, what.len) != NULL;
	buf_clear(&content);
	return has;
}

/* 64 bytes that nothing else has. */
static struct seal_bytes mark_of(struct arena *arena, size_t i)
{
	return bytes_str(arena_printf(arena, "<%063zu>", i * 7919));
}

static void replace(struct work *w, const struct store_item *item, bool erase)
{
	bool swapped = false;

	assert_int_equal(sqlite_store.swap(w->session, "people", item->key, item->value, BYTES_LIT("gone"), erase,
					   &swapped, &w->call, &w->err),
			 SEAL_OK);
	assert_true(swapped);
}

/* What was erased stands nowhere in the files, though its row has moved from page to page before. */
static void erased(void **state)
{
	const size_t n = 4000;
	struct store_item *items, *by_key;
	struct work w;

	work_open(&w, "erase.db");
	items = arena_alloc(&w.arena, n * sizeof(*items), _Alignof(struct store_item));
	by_key = arena_alloc(&w.arena, n * sizeof(*items), _Alignof(struct store_item));
	for (size_t i = 0; i < n; i++) {
		const size_t at = i * 1237 % n; /* in no order, so that pages split */

		items[i] = by_key[at] = (struct store_item){.key = bytes_str(arena_printf(&w.arena, "%06zu", at)),
							    .value = mark_of(&w.arena, at)};
	}
	for (size_t i = 0; i < n; i += 100)
		assert_int_equal(sqlite_store.insert(w.session, "people", items + i, 100, &w.call, &w.err), SEAL_OK);
	for (size_t at = 0; at < n; at++) /* pages that get empty are merged, and so the rows that stay move */
		if (at % 4 != 0)
			replace(&w, &by_key[at], false);
	for (size_t at = 0; at < n; at += 40) {
		replace(&w, &by_key[at], true);
		assert_false(file_has("erase.db", by_key[at].value));
		assert_false(file_has("erase.db-wal", by_key[at].value));
	}
	work_close(&w);
}

/* A copy that a tool without secure_delete left in the file is found, and the file made anew. */
static void copies_of_others(void **state)
{
	struct store_item item = {.key = BYTES_LIT("k"), .value = BYTES_LIT("<a value that stands in two rows>")};
	struct work w;

	work_open(&w, "copies.db");
	assert_int_equal(sqlite_store.insert(w.session, "people", &item, 1, &w.call, &w.err), SEAL_OK);
	sql("copies.db",
	    "PRAGMA secure_delete = OFF;"
	    "INSERT INTO sealstream_row SELECT 'other', CAST(n AS BLOB), p.value FROM sealstream_row p, "
	    "(WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < 999) SELECT n FROM c);"
	    "DELETE FROM sealstream_row WHERE space = 'other'");
	sql("copies.db", "PRAGMA wal_checkpoint(TRUNCATE)");
	replace(&w, &item, false);
	sql("copies.db", "PRAGMA wal_checkpoint(TRUNCATE)");
	assert_true(file_has("copies.db", item.value)); /* it is there, though no row has it */
	replace(&w, &(struct store_item){.key = item.key, .value = BYTES_LIT("gone")}, false);
	assert_int_equal(sqlite_store.insert(w.session, "again", &item, 1, &w.call, &w.err), SEAL_OK);
	assert_int_equal(sqlite_store.swap(w.session, "again", item.key, item.value, BYTES_EMPTY, true,
					   &(bool){false}, &w.call, &w.err),
			 SEAL_OK);
	assert_false(file_has("copies.db", item.value));
	assert_false(file_has("copies.db-wal", item.value));
	work_close(&w);
}

/* A reader of an older state: the row is replaced, but it is told that the old one still lies there. */
static void erased_under_a_reader(void **state)
{
	struct store_item item = {.key = BYTES_LIT("k"), .value = BYTES_LIT("the old value")};
	sqlite3 *reader = NULL;
	bool swapped = false;
	struct work w;

	work_open(&w, "reader.db");
	assert_int_equal(sqlite_store.insert(w.session, "s", &item, 1, &w.call, &w.err), SEAL_OK);
	assert_int_equal(sqlite3_open(path_of("reader.db"), &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM sealstream_row", NULL, NULL, NULL), SQLITE_OK);
	w.call.deadline_ms = clock_mono_ms() + 200;
	assert_int_equal(sqlite_store.swap(w.session, "s", item.key, BYTES_LIT("the old value"), BYTES_LIT("new"),
					   true, &swapped, &w.call, &w.err),
			 SEAL_RETRY);
	assert_true(swapped);
	assert_int_equal(w.err.code, SEAL_E_BUSY);
	assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	w.call.deadline_ms = clock_mono_ms() + 60000;
	err_clear(&w.err);
	assert_int_equal(sqlite_store.swap(w.session, "s", item.key, BYTES_LIT("new"), BYTES_LIT("new"), true,
					   &swapped, &w.call, &w.err),
			 SEAL_OK);
	assert_true(swapped);
	assert_false(file_has("reader.db", BYTES_LIT("the old value")));
	assert_false(file_has("reader.db-wal", BYTES_LIT("the old value")));
	sqlite3_close(reader);
	work_close(&w);
}

/* In a process of its own: files may not grow. */
static int without_room(void)
{
	static uint8_t big[STORE_VALUE_MAX];
	struct store_item items[50], one = {.key = BYTES_LIT("one"), .value = BYTES_LIT("1")};
	const struct rlimit none = {400000, 400000};
	struct work w;

	work_open(&w, "full.db");
	if (sqlite_store.insert(w.session, "s", &one, 1, &w.call, &w.err) != SEAL_OK)
		return 1;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	for (size_t i = 0; i < 50; i++)
		items[i] = (struct store_item){.key = bytes_str(arena_printf(&w.arena, "%zu", i)),
					       .value = bytes_of(big, sizeof(big))};
	if (sqlite_store.insert(w.session, "s", items, 50, &w.call, &w.err) == SEAL_OK || w.err.code != SEAL_E_IO)
		return 2;
	if (items[0].inserted)
		return 3;
	err_clear(&w.err);
	if (sqlite_store.get(w.session, "s", items, 50, &w.call, &w.err) != SEAL_OK || items[0].value.ptr != NULL)
		return 4; /* nothing of the lot is there, and the session goes on */
	one.value = BYTES_EMPTY;
	if (sqlite_store.get(w.session, "s", &one, 1, &w.call, &w.err) != SEAL_OK || !bytes_eq_str(one.value, "1"))
		return 5;
	work_close(&w);
	return 0;
}

/* In a process of its own, as somebody who may not write. */
static int without_right(void)
{
	struct seal_err err = SEAL_ERR_INIT;
	struct store *store = NULL;

	if (getuid() == 0 && (chown(directory, 0, 0) != 0 || setuid(65534) != 0))
		return 1;
	if (getuid() != 65534)
		chmod(directory, 0500);
	if (sqlite_store.open(address_of("right.db"), &(struct store_config){.create = true}, &store, &err) !=
	    SEAL_DENIED)
		return 2;
	return err.code == SEAL_E_DENIED && strstr(err.text, "right.db") != NULL ? 0 : 3;
}

static void in_a_child(int (*work)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(work());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void disk_full(void **state)
{
	in_a_child(without_room);
}

static void not_allowed(void **state)
{
	assert_int_equal(chmod(directory, 0755), 0);
	in_a_child(without_right); /* there is none, and none may be made */
	sqlite_store.free(suite_open(&sqlite_store, address_of("right.db"), true));
	in_a_child(without_right); /* somebody else's */
	assert_int_equal(chmod(path_of("right.db"), 0444), 0);
	in_a_child(without_right); /* one that may only be read */
	assert_int_equal(chmod(directory, 0700), 0);
}

static int make_directory(void **state)
{
	return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(the_file),
		cmocka_unit_test(one_that_may_be_missing),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(other_files),
		cmocka_unit_test(odd_rows),
		cmocka_unit_test(damaged),
		cmocka_unit_test(busy),
		cmocka_unit_test(erased),
		cmocka_unit_test(erased_under_a_reader),
		cmocka_unit_test(copies_of_others),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(not_allowed),
	};
	int failed;

	if (make_directory(NULL) != 0)
		return 1;
	failed = store_suite_run(&sqlite_store, address_of("suite.db")) + cmocka_run_group_tests(tests, NULL, NULL);
	return remove_directory(NULL) != 0 || failed != 0;
}
