/*
 * transfer_receive: a process that dies at any system call that changes something on disk, before or after it or in the middle of a
 * write, gives every file once and whole with the next run; a disk that is full at any of them is waited for.
 *
 * The system calls are wrapped (tests/unit/meson.build). What a crash of the machine would lose is not tried here.
 */
#include "receive_fake.h"

#include <errno.h>
#include <sys/wait.h>

enum how { NEVER, EXIT_BEFORE, EXIT_AFTER, EXIT_WITHIN, NO_SPACE };

static struct {
	enum how how;
	unsigned calls, at; /* the first is 1 */
	bool for_good; /* and at all later ones */
	bool no_noreplace; /* a file system without RENAME_NOREPLACE */
	bool no_colon; /* one that has no names with it, nor links: FAT */
	bool names_only; /* only calls of renameat2 count */
} plan;

/* True where this call fails for want of room. */
static bool before(bool needs_room)
{
	if (plan.names_only)
		return false;
	plan.calls++;
	if (plan.calls == plan.at && plan.how == EXIT_BEFORE)
		_exit(77);
	if ((plan.calls == plan.at || (plan.calls > plan.at && plan.for_good)) && plan.how == NO_SPACE &&
	    needs_room) {
		errno = ENOSPC;
		return true;
	}
	return false;
}

static void after(void)
{
	if (plan.calls == plan.at && (plan.how == EXIT_AFTER || plan.how == EXIT_WITHIN))
		_exit(77);
}

/* A write that gets only half of it down before the process dies. */
static size_t cut(size_t len)
{
	return plan.calls == plan.at && plan.how == EXIT_WITHIN ? len / 2 : len;
}

#define WRAPPED(type, name, needs_room, parameters, arguments)                                                       \
	type __real_##name parameters;                                                                               \
	type __wrap_##name parameters;                                                                               \
	type __wrap_##name parameters                                                                                \
	{                                                                                                            \
		type done;                                                                                           \
                                                                                                                     \
		if (before(needs_room))                                                                              \
			return -1;                                                                                   \
		done = __real_##name arguments;                                                                      \
		after();                                                                                             \
		return done;                                                                                         \
	}

WRAPPED(ssize_t, pwrite64, true, (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, cut(len), at))
WRAPPED(ssize_t, write, true, (int fd, const void *bytes, size_t len), (fd, bytes, cut(len)))
WRAPPED(int, fdatasync, true, (int fd), (fd))
WRAPPED(int, fsync, true, (int fd), (fd))
WRAPPED(int, ftruncate64, false, (int fd, off_t len), (fd, len))
WRAPPED(int, futimens, true, (int fd, const struct timespec *times), (fd, times))
WRAPPED(int, fchmod, false, (int fd, mode_t mode), (fd, mode))
WRAPPED(int, renameat, true, (int from, const char *a, int to, const char *b), (from, a, to, b))
WRAPPED(int, unlinkat, false, (int fd, const char *name, int flags), (fd, name, flags))

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	int done;

	if (plan.no_colon) {
		errno = EPERM;
		return -1;
	}
	if (before(true))
		return -1;
	done = __real_linkat(from, a, to, b, flags);
	after();
	return done;
}

int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	int done;

	if (plan.no_noreplace || (plan.no_colon && strchr(b, ':') != NULL)) {
		errno = EINVAL;
		return -1;
	}
	if (before(true))
		return -1;
	done = __real_renameat2(from, a, to, b, flags);
	plan.calls += plan.names_only;
	after();
	return done;
}

/* ---- what is sent ---- */

static struct sent a, b, same, later;

static void send_most(void)
{
	a = sent_new("a", 3 * CHUNK + 1);
	b = sent_new("b", 10);
	same = sent_new("a", 20);
	later = sent_new("later", 3 * CHUNK);
	send_chunk(&later, 1, 0);
	send_chunk(&later, 1, 1);
	send_all(&b, 0);
	send_chunk(&a, 0, 0);
	send_chunk(&a, 0, 1);
	send_all(&same, 0);
	send_chunk(&a, 0, 2);
	send_chunk(&a, 0, 3);
	topic.batch = 3;
	mkdir(t.to, 0700);
}

static void clear_sent(void)
{
	sent_clear(&a);
	sent_clear(&b);
	sent_clear(&same);
	sent_clear(&later);
}

/* All that was sent is there, once. */
static void check_all(void)
{
	send_chunk(&later, 1, 2);
	topic_rewind();
	receive_ok();
	check_file(&same, "a");
	check_file(&b, "b");
	check_file(&a, "a-2");
	check_file(&later, "later");
	assert_int_equal(count_files(), 4);
	assert_int_equal(count_names(".sealstream", ".part"), 0);
	assert_int_equal(topic.marks->at[0], topic.logs[0].n);
	assert_int_equal(topic.marks->at[1], topic.logs[1].n);
	/* … and nothing comes again from the start of the topic */
	topic_forget_marks();
	receive_ok();
	assert_int_equal(count_files(), 4);
	assert_int_equal(t.counts.files, 0);
}

/* One run in a process of its own; true when it got to its end. */
static bool run_in_child(enum how how, unsigned at)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		plan.how = how;
		plan.calls = 0;
		plan.at = at;
		_exit(receive_now() == SEAL_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 1)
		fail_msg("the run failed at call %u", at);
	return WEXITSTATUS(status) == 0;
}

static void die_everywhere(enum how how)
{
	void *state = NULL;
	unsigned n = 1;

	for (bool whole = false; !whole; n++) {
		send_most();
		whole = run_in_child(how, n);
		topic_rewind();
		/* and once more in the next run, which has other things to do */
		(void)run_in_child(how, n / 2 + 1);
		topic_rewind();
		check_all();
		clear_sent();
		assert_int_equal(fake_teardown(&state), 0);
		assert_int_equal(fake_setup(&state), 0);
	}
	assert_in_range(n, 30, 200); /* it did die that often */
}

static void test_dies_before(void **state)
{
	die_everywhere(EXIT_BEFORE);
}

static void test_dies_after(void **state)
{
	die_everywhere(EXIT_AFTER);
}

static void test_dies_within_a_write(void **state)
{
	die_everywhere(EXIT_WITHIN);
}

static void test_dies_where_files_are_linked(void **state)
{
	plan.no_noreplace = true;
	die_everywhere(EXIT_AFTER);
	plan.no_noreplace = false;
}

static void test_disk_full_once(void **state)
{
	unsigned waited = 0, n;

	for (n = 1;; n++) {
		bool reached;

		send_most();
		plan.how = NO_SPACE;
		plan.calls = 0;
		plan.at = n;
		receive_ok();
		reached = plan.calls >= n;
		plan.how = NEVER;
		assert_int_equal(t.waits, t.resumes);
		waited += t.waits > 0;
		topic_rewind();
		check_all();
		clear_sent();
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
		if (!reached)
			break;
	}
	assert_in_range(n, 30, 200);
	assert_in_range(waited, 15, n);
}

/* Full for good: given up in the end, nothing lost, and gone on with when there is room again. */
static void test_disk_full_for_good(void **state)
{
	const unsigned from[] = {1, 4, 12, 20, 26};

	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		send_most();
		plan.how = NO_SPACE;
		plan.calls = 0;
		plan.at = from[i];
		plan.for_good = true;
		t.options.retry_ms = 1;
		assert_int_equal(receive_now(), SEAL_RETRY);
		assert_int_equal(t.err.code, SEAL_E_IO);
		assert_non_null(strstr(t.err.text, "given up"));
		assert_non_null(strstr(t.err.text, "No space left"));
		plan.how = NEVER;
		plan.for_good = false;
		topic_rewind();
		check_all();
		clear_sent();
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
}

/* Another receiver of the directory, which is killed where the file has its name, but the log does not say so. */
static void other_dies(void)
{
	int status;
	pid_t child;

	topic.before_read = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		plan.how = EXIT_AFTER;
		plan.calls = 0;
		plan.at = 1;
		plan.names_only = true;
		_exit(receive_now() == SEAL_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

/* This one runs already when it dies, and has all records as well. */
static void test_other_dies_meanwhile(void **state)
{
	a = sent_new("a", 3 * CHUNK);
	send_all(&a, 0);
	topic.before_read = other_dies;
	receive_ok();
	check_file(&a, "a");
	assert_int_equal(count_files(), 1);
	assert_int_equal(count_names(".sealstream", ".part"), 0);
	sent_clear(&a);
}

/* A name that this file system does not have stops neither its file nor others. */
static void test_name_that_cannot_be(void **state)
{
	char name[2 * FILE_ID_LEN + 1] = "";

	a = sent_new("12:30", 3 * CHUNK);
	b = sent_new("b", 10);
	send_all(&a, 0);
	send_all(&b, 0);
	plan.no_colon = true;
	receive_ok();
	plan.no_colon = false;
	hex_encode(bytes_of(a.id, FILE_ID_LEN), name);
	check_file(&a, name);
	check_file(&b, "b");
	assert_int_equal(count_files(), 2);
	assert_int_equal(t.counts.files, 2);
	sent_clear(&a);
	sent_clear(&b);
}

/* A log that is to be written anew, for which there is no room. */
static void test_disk_full_for_a_new_log(void **state)
{
	char path[128], line[] = "take 00112233445566778899aabbccddeeff 00112233445566778899aabbccddeeff x\n";
	unsigned n, calls = 1;

	for (n = 1; n <= calls; n++) {
		FILE *log;

		a = sent_new("a", CHUNK);
		send_all(&a, 0);
		mkdir(t.to, 0700);
		snprintf(path, sizeof(path), "%s/.sealstream", t.to);
		mkdir(path, 0700);
		snprintf(path, sizeof(path), "%s/.sealstream/received", t.to);
		log = fopen(path, "w");
		for (size_t i = 0; i < (2u << 20) / sizeof(line); i++)
			fputs(line, log);
		fclose(log);
		plan.how = NO_SPACE;
		plan.calls = 0;
		plan.at = n;
		receive_ok();
		calls = plan.calls;
		plan.how = NEVER;
		check_file(&a, "a");
		assert_int_equal(count_files(), 1);
		sent_clear(&a);
		assert_int_equal(fake_teardown(state), 0);
		assert_int_equal(fake_setup(state), 0);
	}
	assert_in_range(n, 10, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dies_before, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_dies_after, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_dies_within_a_write, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_dies_where_files_are_linked, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_disk_full_once, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_disk_full_for_good, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_name_that_cannot_be, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_disk_full_for_a_new_log, fake_setup, fake_teardown),
		cmocka_unit_test_setup_teardown(test_other_dies_meanwhile, fake_setup, fake_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
