/* journal: what a sender remembers across crashes, and shares with others; what it refuses to read. */
#include "keyring_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "transfer/journal.h"
#include "transfer/journal_line.h"

struct test {
	char dir[64], path[128];
	int fd, files;
	struct journal *journal;
	struct seal_err err;
};

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	snprintf(t->dir, sizeof(t->dir), "%s/sealjournalXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/sent", t->dir);
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->files = -1;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	journal_close(t->journal);
	close(t->fd);
	assert_int_equal(nftw(t->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(t);
	return 0;
}

static enum seal_status open_again(struct test *t)
{
	journal_close(t->journal);
	t->journal = NULL;
	err_clear(&t->err);
	return journal_open(t->fd, t->dir, t->files, "topic", &t->journal, &t->err);
}

static struct journal_file file_of(const char *name, uint64_t inode)
{
	return (struct journal_file){
		.name = bytes_str(name), .dev = 1, .inode = inode, .size = 9000, .mtime_ns = -5, .ctime_ns = 7};
}

static enum journal_claim take_file(struct test *t, const struct journal_file *file,
				    struct journal_transfer *transfer)
{
	enum journal_claim claim = JOURNAL_BUSY;

	OK(t, journal_take(t->journal, file, 1024, &claim, transfer, &t->err));
	return claim;
}

static void add_text(struct test *t, const char *text)
{
	int fd = open(t->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static char *read_text(struct test *t)
{
	static char text[1 << 17];
	int fd = open(t->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void test_states(void **state)
{
	struct test *t = *state;
	struct journal_file a = file_of("a %\n\xff", 5), other;
	struct journal_transfer first, again;

	OK(t, open_again(t));
	assert_false(journal_has_sent(t->journal, &a));
	assert_int_equal(take_file(t, &a, &first), JOURNAL_NEW);
	OK(t, journal_sync(t->journal, &t->err));
	OK(t, journal_note_acknowledged(t->journal, first.id, 4, &t->err));
	OK(t, open_again(t)); /* the one who had it is gone */
	assert_int_equal(take_file(t, &a, &again), JOURNAL_RESUME);
	assert_memory_equal(first.id, again.id, FILE_ID_LEN);
	assert_int_equal(again.acknowledged, 4);
	OK(t, journal_note_done(t->journal, first.id, &t->err));
	OK(t, open_again(t));
	assert_true(journal_has_sent(t->journal, &a));
	assert_int_equal(take_file(t, &a, &again), JOURNAL_SENT);
	/* Another device or ctime do not matter for what was sent; inode, size, mtime and name do. */
	other = a;
	other.dev = 2;
	other.ctime_ns = 8;
	assert_true(journal_has_sent(t->journal, &other));
	other = a;
	other.mtime_ns++;
	assert_false(journal_has_sent(t->journal, &other));
	other = a;
	other.inode++;
	assert_false(journal_has_sent(t->journal, &other));
	other = a;
	other.size++;
	assert_false(journal_has_sent(t->journal, &other));
	other = a;
	other.name = BYTES_LIT("b");
	assert_false(journal_has_sent(t->journal, &other));
}

/* Each of these makes what was begun another file. */
static void test_no_resumption(void **state)
{
	struct test *t = *state;
	struct journal_transfer first, again;
	struct journal_file file = file_of("a", 5), changed[4] = {file, file, file, file};

	changed[0].dev++;
	changed[1].ctime_ns++;
	changed[2].mtime_ns++;
	changed[3].size++;
	for (size_t i = 0; i < 4; i++) {
		OK(t, open_again(t));
		assert_int_equal(take_file(t, &file, &first), JOURNAL_NEW);
		OK(t, open_again(t));
		assert_int_equal(take_file(t, &file, &again), JOURNAL_RESUME);
		OK(t, open_again(t));
		assert_int_equal(take_file(t, &changed[i], &again), JOURNAL_NEW);
		assert_memory_not_equal(first.id, again.id, FILE_ID_LEN);
		/* What is said about the old one counts no more. */
		OK(t, journal_note_done(t->journal, first.id, &t->err));
		assert_false(journal_has_sent(t->journal, &changed[i]));
		OK(t, journal_note_gone(t->journal, again.id, &t->err));
	}
	OK(t, open_again(t));
	assert_int_equal(take_file(t, &file, &again), JOURNAL_NEW);
}

static void test_two_journals(void **state)
{
	struct test *t = *state;
	struct journal_file file = file_of("a", 5), other = file_of("b", 6);
	struct journal_transfer transfer;
	enum journal_claim claim;
	struct journal *second = NULL;

	OK(t, open_again(t));
	OK(t, journal_open(t->fd, t->dir, -1, "topic", &second, &t->err));
	assert_int_equal(take_file(t, &file, &transfer), JOURNAL_NEW);
	OK(t, journal_take(second, &file, 1024, &claim, &transfer, &t->err));
	assert_int_equal(claim, JOURNAL_BUSY);
	OK(t, journal_take(second, &other, 1024, &claim, &transfer, &t->err));
	assert_int_equal(claim, JOURNAL_NEW);
	OK(t, journal_note_done(second, transfer.id, &t->err));
	journal_release(second, &other);
	assert_int_equal(take_file(t, &other, &transfer), JOURNAL_SENT);
	/* Given back unfinished: the other one goes on. */
	journal_release(t->journal, &file);
	OK(t, journal_take(second, &file, 1024, &claim, &transfer, &t->err));
	assert_int_equal(claim, JOURNAL_RESUME);
	journal_close(second);
	/* Another target has sent nothing. */
	OK(t, journal_open(t->fd, t->dir, -1, "elsewhere", &second, &t->err));
	assert_false(journal_has_sent(second, &other));
	journal_close(second);
}

static void test_torn_lines(void **state)
{
	struct test *t = *state;
	struct journal_file a = file_of("a", 5), b = file_of("b", 6);
	struct journal_transfer transfer;
	char *whole, *text;
	size_t len;

	OK(t, open_again(t));
	assert_int_equal(take_file(t, &a, &transfer), JOURNAL_NEW);
	OK(t, journal_note_done(t->journal, transfer.id, &t->err));
	assert_int_equal(take_file(t, &b, &transfer), JOURNAL_NEW);
	journal_close(t->journal);
	t->journal = NULL;
	whole = strdup(read_text(t));
	len = strlen(whole);
	/* Cut at any byte: what is left of the last line never counts, and others can be added after it. */
	for (size_t cut = 0; cut < len; cut++) {
		bool has_begun, has_sent;

		assert_int_equal(truncate(t->path, 0), 0);
		text = strndup(whole, cut);
		add_text(t, text);
		OK(t, open_again(t));
		has_sent = strstr(text, "done") != NULL && strchr(strstr(text, "done"), '\n') != NULL;
		assert_int_equal(journal_has_sent(t->journal, &a), has_sent);
		has_begun = strstr(text, "begin") != NULL && strchr(strstr(text, "begin"), '\n') != NULL;
		if (!has_sent)
			assert_int_equal(take_file(t, &a, &transfer), has_begun ? JOURNAL_RESUME : JOURNAL_NEW);
		assert_int_equal(take_file(t, &b, &transfer), JOURNAL_NEW);
		OK(t, journal_note_done(t->journal, transfer.id, &t->err));
		OK(t, open_again(t));
		assert_true(journal_has_sent(t->journal, &b));
		free(text);
	}
	free(whole);
}

static void refuse(struct test *t, const char *text, const char *why)
{
	assert_int_equal(unlink(t->path) != 0 && errno != ENOENT, 0);
	add_text(t, text);
	assert_int_equal(open_again(t), SEAL_DATA);
	if (strstr(t->err.text, why) == NULL)
		fail_msg("\"%s\" has no \"%s\"", t->err.text, why);
	assert_string_equal(read_text(t), text); /* untouched */
}

#define HEAD "sealstream sent 1\n"
#define ID "00112233445566778899aabbccddeeff"

static void test_refused(void **state)
{
	struct test *t = *state;
	static const char *const bad[] = {"begin",
					  "nonsense " ID,
					  "begin " ID,
					  "done " ID " 1",
					  "done 0011",
					  "done " ID "00",
					  "acked " ID,
					  "acked " ID " -1",
					  "acked " ID " 99999999999999999999",
					  "begin " ID " t 1 2 3 4 5 1024 a b",
					  "begin " ID " t 1 2 3 4 5 1024 a 1 2",
					  "acked " ID " 1 x",
					  "begin " ID " t 1 2 3 4 5 1024 ",
					  "begin " ID " t 1 2 3 4 5 1024 %",
					  "begin " ID " t 1 2 3 4 5 1024 %4",
					  "begin " ID " t 1 2 3 4 5 1024 %zz",
					  "begin " ID " t 1 2 3 4 5 0 a",
					  "begin " ID " t 1 2 3 4 5 4294967296 a",
					  "begin " ID " t 1 2 -3 4 5 1024 a",
					  "begin  " ID " t 1 2 3 4 5 1024 a",
					  ""};
	char text[400];

	refuse(t, "sealstream sent 2\nwhatever\n", "newer");
	refuse(t, "my notes\n", "not a journal");
	refuse(t, "my notes", "not a journal");
	refuse(t, "sealstream sent 1\r\n", "newer");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), HEAD "acked " ID " 7\n%s\ndone " ID "\n", bad[i]);
		refuse(t, text, "line 3");
	}
	assert_int_equal(unlink(t->path), 0);
	assert_int_equal(mkdir(t->path, 0700), 0);
	assert_int_not_equal(open_again(t), SEAL_OK);
}

static void test_line_too_long(void **state)
{
	struct test *t = *state;
	char *text = calloc(1, 80000);

	memcpy(text, HEAD, strlen(HEAD));
	memset(text + strlen(HEAD), 'x', 70000);
	refuse(t, text, "line 2");
	free(text);
}

/* Of many lines those stay that somebody needs. */
static void test_tidy(void **state)
{
	struct test *t = *state;
	struct journal_file sent = file_of("sent", 0), under_way = file_of("under-way", 0),
			    gone = file_of("gone", 99);
	struct journal_transfer transfer, again;
	struct journal *second, *third = NULL;
	struct rlimit was;
	struct stat st;
	char path[200];

	t->files = t->fd;
	snprintf(path, sizeof(path), "%s/sent-file", t->dir);
	fixture_write(path, "x", 1, 0600);
	assert_int_equal(stat(path, &st), 0);
	sent.name = BYTES_LIT("sent-file");
	sent.inode = st.st_ino;
	snprintf(path, sizeof(path), "%s/under-way", t->dir);
	fixture_write(path, "x", 1, 0600);
	assert_int_equal(stat(path, &st), 0);
	under_way.inode = st.st_ino;
	OK(t, open_again(t));
	assert_int_equal(take_file(t, &sent, &transfer), JOURNAL_NEW);
	OK(t, journal_note_done(t->journal, transfer.id, &t->err));
	assert_int_equal(take_file(t, &gone, &transfer), JOURNAL_NEW);
	OK(t, journal_note_done(t->journal, transfer.id, &t->err));
	assert_int_equal(take_file(t, &under_way, &transfer), JOURNAL_NEW);
	OK(t, journal_open(t->fd, t->dir, -1, "topic", &second, &t->err));
	OK(t, journal_tidy(t->journal, &t->err));
	assert_non_null(strstr(read_text(t), " gone ")); /* too short to be worthwhile */
	for (uint64_t i = 1; i <= 1000; i++)
		OK(t, journal_note_acknowledged(t->journal, transfer.id, i, &t->err));
	/* No room for another one: the old one goes on to be used. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){64, was.rlim_max}), 0);
	OK(t, journal_open(t->fd, t->dir, t->files, "topic", &third, &t->err));
	OK(t, journal_tidy(third, &t->err));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	journal_close(third);
	assert_non_null(strstr(read_text(t), " gone "));
	OK(t, journal_tidy(t->journal, &t->err));
	assert_true(strlen(read_text(t)) < 600);
	assert_null(strstr(read_text(t), " gone "));
	/* Whoever has the old file open finds the new one, and what is added to it. */
	OK(t, journal_note_acknowledged(second, transfer.id, 1001, &t->err));
	assert_true(journal_has_sent(second, &sent));
	journal_close(second);
	OK(t, open_again(t));
	assert_true(journal_has_sent(t->journal, &sent));
	assert_false(journal_has_sent(t->journal, &gone));
	assert_int_equal(take_file(t, &under_way, &again), JOURNAL_RESUME);
	assert_int_equal(again.acknowledged, 1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_resumption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_journals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tidy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
