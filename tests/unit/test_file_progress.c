/*
 * file_progress, file_bars: does a terminal show one bar a file that fits its width, a log one line a file, and is JSON JSON?
 * Standard error is a pseudo terminal, or a pipe, of the test's own, and so is time.
 */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/file_bars.h"
#include "cmd/file_progress.h"

enum { AUTO, BAR, LINES, JSON, NONE };

static int saved = -1, ours = -1; /* the real standard error; our end of the false one */
static char said[1 << 20];
static size_t heard;

static void become(int fd)
{
	saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	assert_int_equal(fcntl(ours, F_SETFL, O_NONBLOCK), 0);
}

static void on_terminal(unsigned short columns, unsigned short rows)
{
	struct winsize size = {.ws_col = columns, .ws_row = rows};
	int theirs;

	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
	setenv("TERM", "xterm", 1);
	become(theirs);
}

static void in_log(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	ours = ends[0];
	become(ends[1]);
}

/* All that was said since the last time; or since the beginning, as a screen is what all of it makes. */
static char *listen_on(bool from_start)
{
	size_t n = from_start ? heard : 0;
	ssize_t got;

	while (n < sizeof(said) - 1 && (got = read(ours, said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	heard = n;
	return said;
}

static char *listen_now(void)
{
	return listen_on(false);
}

static int back(void **state)
{
	if (saved < 0)
		return 0;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ours);
	saved = -1;
	heard = 0;
	return 0;
}

static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void)
{
	return now_ms;
}

static void pass(uint64_t ms)
{
	now_ms += ms;
}

/* ---- a transfer ---- */

static struct transfer_counts counts;
static struct transfer_watch watch;
static struct file_progress *progress;

static void open_progress(int form, bool quiet)
{
	const struct global_options global = {.quiet = quiet};
	struct seal_err err = SEAL_ERR_INIT;

	memset(&counts, 0, sizeof(counts));
	log_setup(quiet ? LOG_ERROR : LOG_INFO, LOG_TEXT);
	assert_int_equal(file_progress_new(form, "sent", &counts, &global, &progress, &err), SEAL_OK);
	file_progress_watch(progress, &watch);
}

static void tell(int what, uint8_t id, const char *name, uint64_t bytes, uint64_t size)
{
	struct transfer_event event = {.name = name, .id = {id}, .bytes = bytes, .size = size};

	event.what = what;
	watch.event(watch.arg, &event);
}

static void tell_failed(uint8_t id, const char *name, const char *text)
{
	struct transfer_event event = {.what = TRANSFER_FAILED, .name = name, .id = {id}, .size = 10};
	struct seal_err why = SEAL_ERR_INIT;

	why.status = SEAL_DATA;
	why.code = SEAL_E_LIMIT;
	snprintf(why.text, sizeof(why.text), "%s", text);
	event.why = &why;
	watch.event(watch.arg, &event);
}

static void draw(void)
{
	pass(120);
	assert_int_equal(watch.stop(), 0);
}

/* ---- a terminal ---- */

/* What a terminal of `columns` shows in the end: rows of text, folded at its width. Returns how many. */
static size_t screen(const char *text, size_t columns, char rows[40][256])
{
	size_t row = 0, column = 0, up;

	memset(rows, 0, 40 * 256);
	for (; *text != '\0'; text++) {
		if (*text == '\r') {
			column = 0;
		} else if (*text == '\n') {
			row++;
			column = 0;
		} else if (strncmp(text, "\033[J", 3) == 0) {
			memset(&rows[row][column], 0, 256 - column);
			memset(rows[row + 1], 0, (39 - row) * 256);
			text += 2;
		} else if (*text == '\033') {
			assert_int_equal(sscanf(text, "\033[%zuA", &up), 1);
			assert_true(up <= row);
			row -= up;
			text = strchr(text, 'A');
		} else {
			if (column == columns) {
				row++;
				column = 0;
			}
			rows[row][column++] = *text;
		}
		assert_true(row < 39);
	}
	return row;
}

static void test_bars(void **state)
{
	static char rows[40][256];
	char name[20];

	on_terminal(80, 24);
	open_progress(AUTO, false);
	counts.files_known = 5;
	counts.bytes_known = 40000000;
	tell(TRANSFER_STARTED, 1, "report.csv", 0, 20000000);
	tell(TRANSFER_STARTED, 2, "a name that is too long for its column by far.txt", 0, 10000000);
	draw();
	pass(600);
	tell(TRANSFER_PROGRESS, 1, "report.csv", 10000000, 20000000);
	draw();
	assert_int_equal(screen(listen_on(true), 80, rows), 3);
	assert_non_null(strstr(rows[0], "report.csv "));
	assert_non_null(strstr(rows[0], " 50%  "));
	assert_non_null(strstr(rows[0], "[######>"));
	assert_non_null(strstr(rows[0], "10.0 MB "));
	assert_non_null(strstr(rows[0], "MB/s"));
	assert_non_null(strstr(rows[0], " 0:0")); /* time left */
	assert_non_null(strstr(rows[1], "a name that is too lo.."));
	assert_non_null(strstr(rows[1], "--:--"));
	assert_non_null(strstr(rows[2], "total, 0 of 5"));
	assert_non_null(strstr(rows[2], " 25%  "));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(strlen(rows[i]), 79);
	tell(TRANSFER_DONE, 1, "report.csv", 20000000, 20000000);
	for (uint8_t i = 10; i < 30; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		tell(TRANSFER_STARTED, i, name, 0, 100);
	}
	draw();
	screen(listen_on(true), 80, rows);
	assert_non_null(strstr(rows[BARS_MAX - 2], "and 13 more")); /* 21 under way, 8 shown */
	assert_non_null(strstr(rows[BARS_MAX - 1], "total, 1 of 22"));
	assert_int_equal(rows[BARS_MAX][0], '\0');
	file_progress_end(progress, false);
	file_progress_free(progress);
	screen(listen_on(true), 80, rows);
	assert_memory_equal(rows[0], "sealstream: 1 file sent, 20.0 MB in ", 36);
	assert_int_equal(rows[2][0], '\0'); /* the bars are gone; that line took two */
}

/* Drawn at 80 columns, then the window becomes 30 wide and 4 high: what was folded is taken away, too. */
static void test_resize(void **state)
{
	static char rows[40][256];
	struct winsize small = {.ws_col = 30, .ws_row = 4};

	on_terminal(80, 24);
	open_progress(BAR, false);
	for (uint8_t i = 1; i <= 6; i++)
		tell(TRANSFER_STARTED, i, "some-file.bin", 1, 100);
	draw();
	assert_int_equal(ioctl(ours, TIOCSWINSZ, &small), 0);
	draw();
	assert_int_equal(screen(listen_on(true), 30, rows), 3); /* one below what stands there */
	assert_non_null(strstr(rows[0], "some-file.bin"));
	assert_non_null(strstr(rows[0], "  1%"));
	assert_non_null(strstr(rows[1], "and 5 more"));
	assert_non_null(strstr(rows[2], "total, 0 of 6"));
	for (size_t i = 0; i < 40; i++)
		assert_true(strlen(rows[i]) < 30);
	file_progress_end(progress, false);
	file_progress_free(progress);
}

/* At every width: exactly as wide as it says, never wider than the terminal, nothing that steers it. */
static void test_line_widths(void **state)
{
	static const char *const names[] = {
		"",
		"a",
		"esc \033[2J \r\n",
		"c1 \xc2\x9b"
		"31m",
		"bidi \xe2\x80\xae"
		"gpj.exe",
		"bad \xff\xc0\x80 utf-8",
		"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97",
		"an extraordinarily long name, of more columns than any bar would ever leave for it.tar.gz",
	};
	char line[BAR_LINE_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (unsigned columns = 1; columns <= BAR_COLUMNS_MAX; columns++) {
			struct bar bar = {names[i], columns, columns % 3 ? 400 : BAR_SIZE_UNKNOWN, columns};
			unsigned width = bars_line(&bar, columns, line);
			size_t at = 0, wide = 0;
			uint32_t c;

			assert_true(width < columns || columns == 1);
			for (struct seal_bytes text = bytes_str(line); at < text.len;) {
				assert_true(utf8_next(text, &at, &c));
				assert_false(utf8_steers(c));
				wide += c >= 0x2e80 ? 2 : 1;
			}
			assert_int_equal(wide, width);
		}
	}
}

static void test_texts(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {{0, "0 B"},	 {999, "999 B"},	 {1000, "1.0 kB"},	 {999949, "999.9 kB"},
		     {999950, "1.0 MB"}, {4294967296, "4.3 GB"}, {UINT64_MAX, "18.4 EB"}};
	static const struct {
		double seconds;
		const char *text;
	} times[] = {{0, "0:00"}, {9.6, "0:10"}, {61, "1:01"}, {3599.6, "1:00:00"}, {-1, "--:--"}, {1e9, "--:--"}};
	struct bar bar = {.bytes = 50, .size = 100, .rate = 25};
	char text[BAR_TEXT_ROOM];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		bars_bytes(sizes[i].bytes, text);
		assert_string_equal(text, sizes[i].text);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		bars_time(times[i].seconds, text);
		assert_string_equal(text, times[i].text);
	}
	assert_true(bars_left(&bar) > 1.99 && bars_left(&bar) < 2.01);
	bar.rate = 0;
	assert_true(bars_left(&bar) < 0);
	bar.bytes = 100;
	assert_true(bars_left(&bar) >= 0);
}

/* ---- a log ---- */

static void test_lines(void **state)
{
	char *text;

	in_log();
	open_progress(AUTO, false);
	tell(TRANSFER_STARTED, 1, "a.csv", 0, 5000);
	tell(TRANSFER_PROGRESS, 1, "a.csv", 2500, 5000);
	tell(TRANSFER_RESUMED, 2, "b.iso", 1000000, 4000000);
	tell(TRANSFER_DONE, 1, "a.csv", 5000, 5000);
	tell_failed(3, "c\033.txt", "it changed while it was read");
	draw();
	text = listen_now();
	assert_non_null(strstr(text, "sealstream: a.csv: sent, 5.0 kB in "));
	assert_non_null(strstr(text, "sealstream: b.iso: going on, 1.0 MB of 4.0 MB are there already\n"));
	assert_non_null(strstr(text, "sealstream: error: c?.txt: it changed while it was read\n"));
	assert_null(strchr(text, '\033'));
	assert_int_equal(text[strlen(text) - 1], '\n');
	raise(SIGUSR1);
	assert_int_equal(watch.stop(), 0);
	assert_non_null(strstr(listen_now(), "sealstream: 1 of 3 files sent, 1 failed, 1.0 MB of 4.0 MB, "));
	file_progress_end(progress, false);
	text = listen_now();
	assert_non_null(strstr(text, "sealstream: 1 file sent, 5.0 kB in "));
	assert_non_null(strstr(text, "1 failed; what is under way goes on with the next run\n"));
	file_progress_free(progress);
}

static void test_quiet(void **state)
{
	on_terminal(80, 24);
	open_progress(AUTO, true);
	tell(TRANSFER_STARTED, 1, "a.csv", 0, 5000);
	draw();
	tell(TRANSFER_DONE, 1, "a.csv", 5000, 5000);
	assert_string_equal(listen_now(), "");
	tell_failed(3, "c.txt", "not readable"); /* an error is told in any case */
	file_progress_end(progress, false);
	assert_string_equal(listen_now(), "sealstream: error: c.txt: not readable\r\n");
	file_progress_free(progress);
}

/* A run that failed before any file was known has nothing to count; one that failed later has. */
static void test_failed(void **state)
{
	in_log();
	open_progress(AUTO, false);
	file_progress_end(progress, true);
	assert_string_equal(listen_now(), "");
	file_progress_free(progress);
	open_progress(JSON, false);
	file_progress_end(progress, true);
	assert_string_equal(listen_now(), "");
	file_progress_free(progress);
	open_progress(AUTO, false);
	file_progress_end(progress, false);
	assert_non_null(strstr(listen_now(), "sealstream: 0 files sent, "));
	file_progress_free(progress);
	open_progress(AUTO, false);
	tell(TRANSFER_STARTED, 1, "a.csv", 0, 5000);
	file_progress_end(progress, true);
	assert_non_null(strstr(listen_now(), "sealstream: 0 files sent, "));
	file_progress_free(progress);
}

/* ---- json ---- */

/* The next line: it must begin with schema and event, then a time, then exactly `rest`. Lines of totals are passed over. */
static void expect_json(char **text, const char *event, const char *rest)
{
	char start[200], *end;
	long long ts;
	int n = 0;

	do {
		end = strchr(*text, '\n');
		assert_non_null(end);
		*end = '\0';
		snprintf(start, sizeof(start),
			 "{\"schema\":\"sealstream.file.progress/1\",\"event\":\"%s\",\"ts\":", event);
		if (strstr(*text, "\"event\":\"total\"") == NULL || strcmp(event, "total") == 0)
			break;
		*text = end + 1;
	} while (true);
	assert_memory_equal(*text, start, strlen(start));
	assert_int_equal(sscanf(*text + strlen(start), "%lld%n", &ts, &n), 1);
	assert_true(ts > 1700000000000);
	assert_string_equal(*text + strlen(start) + n, rest);
	*text = end + 1;
}

#define ID_1 ",\"id\":\"01000000000000000000000000000000\""

static void test_json(void **state)
{
	const struct seal_err away = {.status = SEAL_RETRY, .code = SEAL_E_SERVICE, .text = "no \"broker\""};
	static char name[5001], escaped[31000];
	char *text;

	in_log();
	open_progress(JSON, true); /* what is asked for is given, however quiet */
	memset(name, '\x01', 5000); /* longest when escaped; a shorter line follows */
	snprintf(escaped, sizeof(escaped), ID_1 ",\"name\":\"");
	for (size_t i = 0; i < 5000; i++)
		memcpy(escaped + strlen(escaped), "\\u0001", 7);
	snprintf(escaped + strlen(escaped), 100, "%s", "\",\"bytes\":0,\"size\":5000}");
	tell(TRANSFER_STARTED, 1, name, 0, 5000);
	pass(1100);
	tell(TRANSFER_PROGRESS, 1, "bad \xff name\n", 2500, FILE_SIZE_UNKNOWN);
	tell(TRANSFER_PROGRESS, 1, "again too soon", 2600, 5000);
	tell_failed(2, "c.txt", "too \"large\"");
	tell(TRANSFER_DONE, 1, "a", 5000, 5000);
	watch.waiting(watch.arg, &away);
	watch.resumed(watch.arg, 1500);
	raise(SIGUSR1);
	assert_int_equal(watch.stop(), 0);
	text = listen_now();
	expect_json(&text, "started", escaped);
	expect_json(&text, "progress", ID_1 ",\"name\":\"bad \\ufffd name\\u000a\",\"bytes\":2500,\"size\":null}");
	expect_json(&text, "failed",
		    ",\"id\":\"02000000000000000000000000000000\",\"name\":\"c.txt\",\"bytes\":0,\"size\":10,"
		    "\"class\":\"data\",\"code\":\"limit\",\"error\":\"too \\\"large\\\"\"}");
	expect_json(&text, "done", ID_1 ",\"name\":\"a\",\"bytes\":5000,\"size\":5000}");
	expect_json(&text, "waiting", ",\"class\":\"retry\",\"code\":\"service\",\"error\":\"no \\\"broker\\\"\"}");
	expect_json(&text, "going_on", ",\"waited_ms\":1500}");
	assert_non_null(strstr(text, "\"event\":\"total\""));
	assert_non_null(
		strstr(text, "\"files\":1,\"files_known\":2,\"failed\":1,\"bytes\":5000,\"bytes_known\":5010,"));
	file_progress_end(progress, false);
	text = listen_now();
	assert_non_null(strstr(text, "\"event\":\"end\""));
	assert_non_null(strstr(text, "\"rate\":"));
	file_progress_free(progress);
}

/* A terminal that can't move its cursor, and no terminal at all, get lines even where bars are asked for. */
static void test_forms(void **state)
{
	on_terminal(80, 24);
	setenv("TERM", "dumb", 1);
	open_progress(BAR, false);
	tell(TRANSFER_STARTED, 1, "a", 0, 10);
	draw();
	assert_string_equal(listen_now(), "");
	tell(TRANSFER_DONE, 1, "a", 10, 10);
	assert_non_null(strstr(listen_now(), "sealstream: a: sent, 10 B in "));
	file_progress_free(progress);
	open_progress(NONE, false);
	tell(TRANSFER_STARTED, 1, "a", 0, 10);
	draw();
	tell(TRANSFER_DONE, 1, "a", 10, 10);
	assert_string_equal(listen_now(), "");
	file_progress_free(progress);
}

static bool no_memory(void *arg, size_t size)
{
	return false;
}

/* Nobody fails for want of memory for a bar; what went wrong is still told. */
static void test_no_memory(void **state)
{
	in_log();
	open_progress(LINES, false);
	mem_set_hook(no_memory, NULL);
	tell(TRANSFER_STARTED, 1, "a", 0, 10);
	tell(TRANSFER_DONE, 1, "a", 10, 10);
	tell_failed(2, "b", "too large");
	mem_set_hook(NULL, NULL);
	assert_string_equal(listen_now(), "sealstream: error: b: too large\n");
	file_progress_free(progress);
}

/* Anybody who may write to the topic can make such records: a log tells some of them, and how many. */
static void test_many_foreign(void **state)
{
	struct seal_err why = SEAL_ERR_INIT;
	unsigned lines = 0;

	in_log();
	open_progress(LINES, false);
	(void)err_set(&why, SEAL_DATA, SEAL_E_SYNTAX, "this is no sealstream container");
	for (int i = 0; i < 300; i++)
		watch.foreign(watch.arg, &why);
	for (const char *at = listen_now(); (at = strstr(at, "no sealstream container")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 50);
	file_progress_end(progress, false);
	file_progress_free(progress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_line_widths),
		cmocka_unit_test_teardown(test_bars, back),
		cmocka_unit_test_teardown(test_resize, back),
		cmocka_unit_test_teardown(test_lines, back),
		cmocka_unit_test_teardown(test_quiet, back),
		cmocka_unit_test_teardown(test_failed, back),
		cmocka_unit_test_teardown(test_many_foreign, back),
		cmocka_unit_test_teardown(test_json, back),
		cmocka_unit_test_teardown(test_forms, back),
		cmocka_unit_test_teardown(test_no_memory, back),
	};

	stop_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
