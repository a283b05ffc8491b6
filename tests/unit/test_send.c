/* send: what leaves a directory: each file once and whole, whatever happens meanwhile. */
#include "send_fixture.h"

#define SENT(f, name, size, seed, times) assert_int_equal(arrived(f, name, size, seed), times)

/* ---- what is sent ---- */

static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 4096, 10000};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void make_all(struct send_fixture *f)
{
	char name[32];

	for (unsigned i = 0; i < N_SIZES; i++) {
		snprintf(name, sizeof(name), "f%u.bin", i);
		make_file(f, name, sizes[i], i);
	}
}

static void expect_all(struct send_fixture *f, unsigned times)
{
	char name[32];

	for (unsigned i = 0; i < N_SIZES; i++) {
		snprintf(name, sizeof(name), "f%u.bin", i);
		SENT(f, name, sizes[i], i, times);
	}
}

static void test_directory(void **state)
{
	struct send_fixture *f = *state;
	char path[200];

	make_all(f);
	make_file(f, ".hidden", 10, 1);
	snprintf(path, sizeof(path), "%s/link", f->dir);
	assert_int_equal(symlink("f1.bin", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", f->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/below", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	RUN(f);
	expect_all(f, 1);
	assert_int_equal(f->n_kept, 1 + 1 + 1 + 1 + 2 + 4 + 10);
	assert_int_equal(f->counts.files, N_SIZES);
	assert_int_equal(f->counts.bytes, 17169);
	assert_int_equal(f->counts.files_known, N_SIZES);
	assert_int_equal(f->counts.bytes_known, 17169);
	assert_int_equal(f->counts.failed + f->counts.before, 0);
	assert_int_equal(f->started, N_SIZES);
	assert_int_equal(f->done, N_SIZES);
	assert_true(f->finished);
	/* Another run has nothing to do. */
	RUN(f);
	assert_int_equal(f->n_kept, 20);
	assert_int_equal(f->counts.files, 0);
	assert_int_equal(f->counts.before, N_SIZES);
}

static void test_headers(void **state)
{
	struct send_fixture *f = *state;
	char index[8];

	make_file(f, "a.csv", 2500, 3);
	RUN(f);
	assert_int_equal(f->n_kept, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct kept *k = &f->kept[i];
		struct file_part part;

		OK(&f->keys, file_part_parse(bytes_of(k->bytes + 32, k->value_len), &part, &f->keys.err));
		snprintf(index, sizeof(index), "%zu", i);
		assert_string_equal(k->index, index);
		assert_string_equal(k->count, "3");
		assert_string_equal(k->name, "a.csv");
		assert_int_equal(k->key_len, 32);
		assert_memory_equal(k->id, k->bytes, 32);
		assert_int_equal(part.index, i);
		assert_int_equal(part.last, i == 2);
		assert_int_equal(strlen(k->wrapped), part.header.wrapped.len);
		assert_memory_equal(k->wrapped, part.header.wrapped.ptr, part.header.wrapped.len);
	}
	make_file(f, "b.csv", 10, 4);
	f->options.hide_names = true;
	RUN(f);
	assert_int_equal(f->n_kept, 4);
	assert_false(f->kept[3].has_name);
	SENT(f, "b.csv", 10, 4, 1);
}

static void test_names(void **state)
{
	struct send_fixture *f = *state;
	char longest[256];
	const char *const names[] = {"with space", "percent%41",  "new\nline", "\xff\xfe not utf-8",
				     "-rf",	   "caf\xc3\xa9", "a\\b",      "CON",
				     longest};

	memset(longest, 'x', 255);
	longest[255] = '\0';
	for (unsigned i = 0; i < 9; i++)
		make_file(f, names[i], 100 + i, i);
	RUN(f);
	for (unsigned i = 0; i < 9; i++)
		SENT(f, names[i], 100 + i, i, 1);
	RUN(f);
	assert_int_equal(f->counts.before, 9);
	assert_int_equal(f->n_kept, 9);
}

static void test_files_named(void **state)
{
	struct send_fixture *f = *state;
	char paths[4][200];
	const char *files[] = {paths[0], paths[1], paths[2], paths[3], NULL};

	make_all(f);
	make_file(f, ".hidden", 10, 1);
	snprintf(paths[0], sizeof(paths[0]), "%s/f5.bin", f->dir);
	snprintf(paths[1], sizeof(paths[1]), "%s/.hidden", f->dir);
	snprintf(paths[2], sizeof(paths[2]), "%s/nothing", f->dir);
	snprintf(paths[3], sizeof(paths[3]), "%s/link", f->dir);
	assert_int_equal(symlink("f1.bin", paths[3]), 0);
	f->options.files = files;
	f->options.directory = NULL;
	RUN(f);
	SENT(f, "f5.bin", 4096, 5, 1);
	SENT(f, ".hidden", 10, 1, 1);
	assert_int_equal(f->counts.files, 2);
	assert_int_equal(f->counts.failed, 2);
	assert_int_equal(f->failed, 2);
	/* The directory knows what was sent that way. */
	f->options.files = NULL;
	f->options.directory = f->dir;
	RUN(f);
	assert_int_equal(f->counts.files, N_SIZES - 1);
	assert_int_equal(f->counts.before, 1);
	/* Files of two directories have no state in common. */
	snprintf(paths[1], sizeof(paths[1]), "%s/ring/x", f->keys.dir);
	f->options.files = files;
	assert_int_equal(send_run(f), SEAL_USAGE);
	assert_non_null(strstr(f->err.text, "--state"));
}

static void test_changed_is_sent_again(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	RUN(f);
	make_file(f, "a", 3000, 2);
	RUN(f);
	SENT(f, "a", 3000, 1, 1);
	SENT(f, "a", 3000, 2, 1);
	/* To another topic nothing has gone yet. */
	f->options.target = "elsewhere";
	RUN(f);
	SENT(f, "a", 3000, 2, 2);
	RUN(f);
	SENT(f, "a", 3000, 2, 2);
}

/* ---- interrupted ---- */

static void test_resume(void **state)
{
	struct send_fixture *f = *state;
	char ids[4][33];
	size_t first;

	make_file(f, "big", 20 * 1024, 1);
	f->fail_after = 12;
	f->lag = 3;
	assert_int_equal(send_run(f), SEAL_FATAL);
	assert_string_equal(f->err.text, "undeliverable");
	first = f->n_kept;
	assert_int_equal(first, 12);
	send_reset(f);
	RUN(f);
	assert_int_equal(f->resumed, 1);
	assert_int_equal(f->started, 0);
	assert_int_equal(transfers_of(f, ids, 4), 1);
	SENT(f, "big", 20 * 1024, 1, 1);
	/* After the last acknowledged one, under another data key. */
	assert_string_equal(f->kept[first].index, "9");
	assert_string_not_equal(f->kept[first].wrapped, f->kept[0].wrapped);
}

/* The clock of files and journals, so much later. */
static _Atomic int64_t later_ms;

int64_t __real_clock_unix_ms(void);
int64_t __wrap_clock_unix_ms(void);
int64_t __wrap_clock_unix_ms(void)
{
	return __real_clock_unix_ms() + later_ms;
}

/* Receivers have given it up: they would drop the rest, and never have the start. */
static void test_resume_too_late(void **state)
{
	struct send_fixture *f = *state;
	char ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	f->fail_after = 12;
	f->lag = 3;
	assert_int_equal(send_run(f), SEAL_FATAL);
	forget_kept(f); /* as receivers do */
	send_reset(f);
	later_ms = (TRANSFER_RESUME_MAX_S + 60) * 1000ll;
	RUN(f);
	later_ms = 0;
	assert_int_equal(f->resumed, 0);
	assert_int_equal(f->started, 1);
	assert_int_equal(transfers_of(f, ids, 4), 1);
	SENT(f, "big", 20 * 1024, 1, 1);
}

static size_t late_at;

static void wait_long(struct send_fixture *f, const struct record *record)
{
	if (f->n_kept == late_at)
		later_ms += (TRANSFER_RESUME_MAX_S + 60) * 1000ll;
}

/* The same within one run: the brokers were away, in the middle (5) or before the last chunk (19). */
static void test_late_meanwhile(void **state)
{
	struct send_fixture *f = *state;
	struct rebuilt anew;
	char ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	for (size_t at = 5; at < 20; at += 14) {
		send_reset(f);
		forget_kept(f);
		later_ms = 0;
		f->options.target = at == 5 ? "one" : "other";
		late_at = at;
		f->before_write = wait_long;
		RUN(f);
		later_ms = 0;
		assert_int_equal(f->abandoned, 1);
		assert_int_equal(f->done, 1);
		assert_int_equal(f->counts.files, 1);
		assert_int_equal(f->counts.failed, 0);
		assert_int_equal(transfers_of(f, ids, 4), 2);
		anew = rebuild(f, ids[1]);
		assert_true(anew.whole);
		rebuilt_free(&anew);
	}
}

/* In a directory that everybody may write to, somebody else was there first, and says what was sent. */
static void test_state_of_another(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	assert_int_equal(mkdir(f->state, 0700), 0);
	assert_int_equal(chmod(f->state, 0777), 0);
	assert_int_equal(send_run(f), SEAL_DENIED);
	assert_non_null(strstr(f->err.text, "everybody may write to it (mode 777)"));
	assert_int_equal(chmod(f->state, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(f->state, 65534, 65534), 0);
		assert_int_equal(send_run(f), SEAL_DENIED);
		assert_int_equal(chown(f->state, 0, 0), 0);
	}
	assert_int_equal(f->n_kept, 0);
	RUN(f);
	SENT(f, "a", 3000, 1, 1);
}

static void test_changed_before_resume(void **state)
{
	struct send_fixture *f = *state;
	char ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	f->fail_after = 12;
	assert_int_equal(send_run(f), SEAL_FATAL);
	send_reset(f);
	make_file(f, "big", 20 * 1024, 2);
	RUN(f);
	assert_int_equal(transfers_of(f, ids, 4), 2);
	assert_int_equal(f->started, 1);
	SENT(f, "big", 20 * 1024, 1, 0);
	SENT(f, "big", 20 * 1024, 2, 1);
}

/* Size and mtime are what they were, but somebody has touched it: that could be anything. */
static void test_touched_before_resume(void **state)
{
	struct send_fixture *f = *state;
	char path[200], ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	f->fail_after = 12;
	assert_int_equal(send_run(f), SEAL_FATAL);
	send_reset(f);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	snprintf(path, sizeof(path), "%s/big", f->dir);
	assert_int_equal(chmod(path, 0600), 0);
	RUN(f);
	assert_int_equal(transfers_of(f, ids, 4), 2);
	assert_int_equal(f->resumed, 0);
	SENT(f, "big", 20 * 1024, 1, 1);
}

static void test_other_chunk_size(void **state)
{
	struct send_fixture *f = *state;
	char ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	f->fail_after = 12;
	assert_int_equal(send_run(f), SEAL_FATAL);
	send_reset(f);
	f->options.chunk_size = 2048;
	RUN(f);
	assert_int_equal(transfers_of(f, ids, 4), 2);
	SENT(f, "big", 20 * 1024, 1, 1);
}

static void test_stop(void **state)
{
	struct send_fixture *f = *state;
	size_t first;

	make_file(f, "big", 20 * 1024, 1);
	f->stop_after = 7;
	RUN(f);
	assert_int_equal(f->counts.files, 0);
	assert_false(f->finished);
	first = f->n_kept;
	assert_int_equal(first, 7);
	send_reset(f);
	RUN(f);
	/* All that was written had been acknowledged before it ended: nothing comes twice. */
	assert_int_equal(f->n_kept, 20);
	assert_string_equal(f->kept[7].index, "7");
	SENT(f, "big", 20 * 1024, 1, 1);
}

/* ---- files that change ---- */

static void change_big(struct send_fixture *f, const struct record *record)
{
	if (f->n_kept == 5)
		make_file(f, "big", 20 * 1024, 2);
}

static void test_change_while_sent(void **state)
{
	struct send_fixture *f = *state;
	char ids[4][33];

	make_file(f, "big", 20 * 1024, 1);
	f->before_write = change_big;
	RUN(f);
	assert_int_equal(transfers_of(f, ids, 4), 2);
	SENT(f, "big", 20 * 1024, 1, 0);
	SENT(f, "big", 20 * 1024, 2, 1);
	assert_int_equal(f->counts.files, 1);
	assert_int_equal(f->counts.failed, 0);
	assert_int_equal(f->started, 2);
	assert_int_equal(f->abandoned, 1);
}

static void cut_big(struct send_fixture *f, const struct record *record)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/big", f->dir);
	if (f->n_kept == 5)
		assert_int_equal(truncate(path, 3000), 0);
}

static void test_cut_while_sent(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "big", 20 * 1024, 1);
	f->before_write = cut_big;
	RUN(f);
	SENT(f, "big", 3000, 1, 1);
	assert_int_equal(f->counts.files, 1);
	assert_int_equal(f->counts.bytes_known, 3000);
}

static void change_always(struct send_fixture *f, const struct record *record)
{
	if (record->headers[4].value.len == 3)
		make_file(f, "big", 20 * 1024, (unsigned)f->n_kept);
}

static void test_changes_for_ever(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "big", 20 * 1024, 1);
	make_file(f, "other", 20 * 1024, 2);
	f->before_write = change_always;
	RUN(f);
	assert_int_equal(f->counts.files, 1);
	assert_int_equal(f->counts.failed, 1);
	assert_string_equal(f->last_failed, "big");
	assert_non_null(strstr(f->last_why, "changes while"));
	SENT(f, "other", 20 * 1024, 2, 1);
}

static void remove_second(struct send_fixture *f, const struct record *record)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/b", f->dir);
	(void)unlink(path);
}

static void test_vanished(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	make_file(f, "b", 3000, 2);
	f->before_write = remove_second;
	RUN(f);
	SENT(f, "a", 3000, 1, 1);
	SENT(f, "b", 3000, 2, 0);
	assert_int_equal(f->counts.files, 1);
	assert_int_equal(f->counts.failed, 0);
	assert_int_equal(f->counts.files_known, 1);
}

/* ---- services ---- */

static void test_sink_away(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	atomic_store(&f->away, 20);
	RUN(f);
	SENT(f, "a", 3000, 1, 1);
	/* For good: the time is up. */
	make_file(f, "b", 3000, 2);
	atomic_store(&f->away, 1 << 30);
	f->options.retry_ms = 200;
	assert_int_equal(send_run(f), SEAL_RETRY);
	assert_int_equal(f->err.code, SEAL_E_SERVICE);
	assert_non_null(strstr(f->err.text, "given up"));
}

static void test_silent_sink(void **state)
{
	struct send_fixture *f = *state;
	double seconds = 0;

	make_file(f, "a", 3000, 1);
	atomic_store(&f->lag, KEPT_MAX);
	f->silent = true;
	f->options.retry_ms = 1200;
	assert_int_equal(send_run(f), SEAL_RETRY);
	assert_int_equal(sscanf(f->err.text, "given up after %lf s: ", &seconds), 1);
	assert_true(seconds >= 1.2);
	assert_non_null(strstr(f->err.text, " s: the sink says nothing"));
	assert_int_equal(f->waits, 1);
	assert_int_equal(f->goes_on, 0);
	send_reset(f);
	RUN(f);
	SENT(f, "a", 3000, 1, 1);
}

static void test_refused_record(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	make_file(f, "small", 10, 2);
	f->refused = 1000;
	RUN(f);
	assert_int_equal(f->counts.failed, 1);
	assert_string_equal(f->last_failed, "a");
	assert_string_equal(f->last_why, "a record too large for the sink");
	SENT(f, "small", 10, 2, 1);
}

static void test_record_max(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	f->record_max = 100000;
	f->options.chunk_size = 100000;
	assert_int_equal(send_run(f), SEAL_USAGE);
	assert_non_null(strstr(f->err.text, "--chunk-size 97280"));
	assert_non_null(strstr(f->err.text, "fake.limit"));
	f->options.chunk_size = 97280;
	RUN(f);
	f->record_max = 3000;
	f->options.chunk_size = 1024;
	assert_int_equal(send_run(f), SEAL_USAGE);
	assert_non_null(strstr(f->err.text, "raise fake.limit"));
	f->record_max = 1 << 20;
}

/* A key whose next calls fail. */
static struct {
	struct key key;
	struct key *real;
	atomic_int away;
	enum seal_status status;
	atomic_int asked;
} shy;

struct shy_session {
	struct key_session base;
	struct key_session *real;
};

static enum seal_status shy_data_key(struct key_session *session, size_t len, struct seal_bytes aad,
				     struct secret *plain, struct seal_bytes *wrapped, const struct key_call *call,
				     struct seal_err *err)
{
	struct key_session *real = ((struct shy_session *)session)->real;

	atomic_fetch_add(&shy.asked, 1);
	if (atomic_fetch_sub(&shy.away, 1) > 0)
		return err_set(err, shy.status, SEAL_E_SERVICE, "the key server is away");
	return real->ops->data_key(real, len, aad, plain, wrapped, call, err);
}

static void shy_session_free(struct key_session *session)
{
	struct key_session *real = ((struct shy_session *)session)->real;

	real->ops->free(real);
	free(session);
}

static enum seal_status shy_session(struct key *key, struct key_session **out, struct seal_err *err)
{
	static const struct key_session_ops ops = {
		.size = sizeof(ops), .data_key = shy_data_key, .free = shy_session_free};
	struct shy_session *session = calloc(1, sizeof(*session));

	session->base.ops = &ops;
	*out = &session->base;
	return shy.real->ops->session(shy.real, &session->real, err);
}

static void make_shy(struct send_fixture *f, int away, enum seal_status status)
{
	static const struct key_ops ops = {.size = sizeof(ops), .session = shy_session};

	shy.key.ops = &ops;
	shy.real = f->key;
	shy.status = status;
	atomic_store(&shy.away, away);
	atomic_store(&shy.asked, 0);
	f->options.key = &shy.key;
}

static void test_key_away(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 3000, 1);
	make_shy(f, 2, SEAL_RETRY);
	RUN(f);
	assert_int_equal(f->waits, 1);
	assert_int_equal(f->goes_on, 1);
	assert_int_equal(atomic_load(&shy.asked), 3);
	SENT(f, "a", 3000, 1, 1);
	make_file(f, "b", 3000, 2);
	make_shy(f, 1000, SEAL_RETRY);
	f->options.retry_ms = 150;
	assert_int_equal(send_run(f), SEAL_RETRY);
	assert_non_null(strstr(f->err.text, "given up after"));
	make_shy(f, 1, SEAL_DENIED);
	assert_int_equal(send_run(f), SEAL_DENIED);
	assert_int_equal(atomic_load(&shy.asked), 1);
}

/* One data key for each file, none for one that was sent. */
static void test_one_key_each(void **state)
{
	struct send_fixture *f = *state;

	make_all(f);
	make_shy(f, 0, SEAL_OK);
	f->options.parallel = 4;
	RUN(f);
	assert_int_equal(atomic_load(&shy.asked), N_SIZES);
	RUN(f);
	assert_int_equal(atomic_load(&shy.asked), N_SIZES);
}

/* ---- bad surroundings ---- */

static void test_bad_places(void **state)
{
	struct send_fixture *f = *state;
	char missing[200], linked[200];

	snprintf(missing, sizeof(missing), "%s/none", f->dir);
	f->options.directory = missing;
	assert_int_equal(send_run(f), SEAL_USAGE);
	assert_int_equal(f->err.code, SEAL_E_NO_INPUT);
	make_file(f, "none", 10, 1);
	assert_int_equal(send_run(f), SEAL_USAGE);
	f->options.directory = f->dir;
	snprintf(linked, sizeof(linked), "%s/.sealstream", f->dir);
	assert_int_equal(symlink(f->keys.dir, linked), 0);
	assert_int_equal(send_run(f), SEAL_USAGE);
	assert_non_null(strstr(f->err.text, ".sealstream"));
	assert_int_equal(f->n_kept, 0);
	f->options.parallel = 65;
	assert_int_equal(send_run(f), SEAL_USAGE);
	f->options.parallel = 1;
	f->options.chunk_size = FILE_CHUNK_MAX + 1;
	assert_int_equal(send_run(f), SEAL_USAGE);
}

/* Sparse: no byte of it is ever read. */
static void test_too_many_chunks(void **state)
{
	struct send_fixture *f = *state;
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/huge", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	if (ftruncate(fd, ((off_t)1 << 42) + 1) != 0) {
		close(fd);
		unlink(path);
		skip(); /* this file system has no files of that size */
	}
	close(fd);
	RUN(f);
	assert_int_equal(f->counts.failed, 1);
	assert_non_null(strstr(f->last_why, "2^32"));
	assert_int_equal(f->n_kept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directory, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_headers, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_names, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_files_named, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_changed_is_sent_again, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_resume, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_resume_too_late, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_late_meanwhile, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_changed_before_resume, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_state_of_another, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_touched_before_resume, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_other_chunk_size, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_stop, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_change_while_sent, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_cut_while_sent, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_changes_for_ever, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_vanished, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_sink_away, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_silent_sink, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_refused_record, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_record_max, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_key_away, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_one_key_each, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_bad_places, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_too_many_chunks, send_setup, send_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
