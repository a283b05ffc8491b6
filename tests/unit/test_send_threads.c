/* send: many workers; a directory that is watched while others write to it; several senders at once; senders that are killed. */
#include "send_fixture.h"

#include "base/clock.h"

#define FILES 60

/* Sizes from nothing to 40 chunks. */
static size_t size_of(unsigned i)
{
	return (size_t)i * i * 11;
}

static void make_many(struct send_fixture *f, unsigned n)
{
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		make_file(f, name, size_of(i), i);
	}
}

static void expect_many(struct send_fixture *f, unsigned n)
{
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		if (arrived(f, name, size_of(i), i) != 1)
			fail_msg("%s arrived %u times", name, arrived(f, name, size_of(i), i));
	}
}

static void test_many(void **state)
{
	struct send_fixture *f = *state;

	make_many(f, FILES);
	f->options.parallel = 16;
	RUN(f);
	expect_many(f, FILES);
	assert_int_equal(f->counts.files, FILES);
	assert_int_equal(atomic_load(&f->done), FILES);
}

/*
 * Room for a file's first chunk; for others when each of three files has one there. Threads may start as late as they like; a file
 * that would wait for another one's end finds the room after 20 s, and the test sees it.
 */
static bool full_until_all_began(struct send_fixture *f, const struct record *record)
{
	static uint64_t began_ms;
	bool seen[3] = {false, false, false};

	if (f->n_kept == 0)
		began_ms = clock_mono_ms();
	for (size_t i = 0; i < f->n_kept; i++)
		seen[f->kept[i].name[0] - 'a'] = true;
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq_str(record->headers[i].name, TRANSFER_HEADER_NAME) &&
		    !seen[record->headers[i].value.ptr[0] - 'a'])
			return false;
	return !(seen[0] && seen[1] && seen[2]) && clock_mono_ms() - began_ms < 20000;
}

/* None waits for another: the first chunks of all come before the last of any. */
static void test_interleaved(void **state)
{
	struct send_fixture *f = *state;
	size_t first[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX}, last[3] = {0, 0, 0};

	make_file(f, "a", 100 * 1024, 1);
	make_file(f, "b", 100 * 1024, 2);
	make_file(f, "c", 100 * 1024, 3);
	f->options.parallel = 3;
	f->write_ns = 100000;
	f->full = full_until_all_began;
	RUN(f);
	for (size_t i = 0; i < f->n_kept; i++) {
		size_t which = (size_t)(f->kept[i].name[0] - 'a');

		first[which] = first[which] == SIZE_MAX ? i : first[which];
		last[which] = i;
	}
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++)
			assert_true(first[i] < last[j]);
	assert_true(f->progress > 0);
}

/* ---- watching ---- */

static atomic_bool run_ended;

struct scene {
	struct send_fixture *f;
	void (*play)(struct send_fixture *f);
	pthread_t thread;
};

static void *scene_main(void *arg)
{
	struct scene *scene = arg;

	scene->play(scene->f);
	atomic_store(&scene->f->stop, true);
	return NULL;
}

static enum seal_status run_scene(struct send_fixture *f, void (*play)(struct send_fixture *f))
{
	struct scene scene = {.f = f, .play = play};
	enum seal_status rc;

	f->options.once = false;
	f->options.parallel = 2;
	atomic_store(&run_ended, false);
	in_thread(pthread_create(&scene.thread, NULL, scene_main, &scene) == 0);
	rc = send_run(f);
	atomic_store(&run_ended, true);
	pthread_join(scene.thread, NULL);
	return rc;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static bool is_done(struct send_fixture *f, const char *name, uint64_t size)
{
	for (unsigned i = 0; i < atomic_load(&f->done); i++)
		if (strcmp(f->done_as[i].name, name) == 0 && f->done_as[i].size == size)
			return true;
	return false;
}

/* Until a file of that size has been sent. A shorter one may have been, of which the rest was late. */
static void wait_done(struct send_fixture *f, const char *name, uint64_t size)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (!is_done(f, name, size) && clock_mono_ms() < end)
		pause_ms(2);
	in_thread(is_done(f, name, size));
}

/* The run ends by itself. */
static void wait_ended(void)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (!atomic_load(&run_ended) && clock_mono_ms() < end)
		pause_ms(2);
}

#define SETTLE_MS 200

/* The longest that a file, which the sender knows, was left as it is before it was whole. */
static uint64_t longest_ms;

static void note_pause(uint64_t from_ms)
{
	uint64_t ms = clock_mono_ms() - from_ms;

	longest_ms = ms > longest_ms ? ms : longest_ms;
}

/* A writer that was stopped for so long is taken for one that is through: what is there is sent, and the rest with the next change. */
static bool was_calm(void)
{
	return longest_ms < SETTLE_MS - 10;
}

static void make_file_there(struct send_fixture *f, const char *name, size_t size, unsigned seed)
{
	uint64_t from = clock_mono_ms();

	make_file(f, name, size, seed);
	note_pause(from);
}

static void write_slowly(struct send_fixture *f)
{
	uint64_t from = clock_mono_ms(), before;
	uint8_t bytes[3000];
	char path[200];
	int fd;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i, 4);
	snprintf(path, sizeof(path), "%s/slow", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	for (size_t i = 0; i < 10; i++) {
		before = clock_mono_ms();
		in_thread(write(fd, bytes + 300 * i, 300) == 300);
		note_pause(from);
		from = before;
		pause_ms(40);
	}
	wait_done(f, "slow", 3000); /* still open */
	close(fd);
}

static void come_and_change(struct send_fixture *f)
{
	char from[200], to[200];

	wait_done(f, "there", 1000);
	make_file_there(f, "written", 2000, 2);
	wait_done(f, "written", 2000);
	make_file(f, ".moved", 2500, 3);
	snprintf(from, sizeof(from), "%s/.moved", f->dir);
	snprintf(to, sizeof(to), "%s/moved", f->dir);
	in_thread(rename(from, to) == 0);
	wait_done(f, "moved", 2500);
	write_slowly(f);
	make_file_there(f, "written", 2100, 5);
	wait_done(f, "written", 2100);
	/* A link that is made here was never opened here. */
	make_file(f, ".linked", 100, 6);
	snprintf(from, sizeof(from), "%s/.linked", f->dir);
	snprintf(to, sizeof(to), "%s/linked", f->dir);
	in_thread(link(from, to) == 0);
	wait_done(f, "linked", 100);
}

static void test_watch(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		unsigned seed;
	} files[] = {{"there", 1000, 1}, {"written", 2000, 2}, {"moved", 2500, 3},
		     {"slow", 3000, 4},	 {"written", 2100, 5}, {"linked", 100, 6}};
	struct send_fixture *f = *state;

	longest_ms = 0;
	make_file(f, "there", 1000, 1);
	f->options.settle_ms = SETTLE_MS;
	if (run_scene(f, come_and_change) != SEAL_OK)
		fail_msg("%s", f->err.text);
	for (size_t i = 0; i < 6; i++)
		assert_in_range(arrived(f, files[i].name, files[i].size, files[i].seed), 1, was_calm() ? 1 : 6);
	assert_true(was_calm() ? f->counts.files == 6 : f->counts.files >= 6);
	assert_int_equal(f->counts.failed, 0);
}

/* Written again while it is under way: the newest content arrives. */
static void write_again(struct send_fixture *f)
{
	for (unsigned i = 2; i < 12; i++) {
		make_file(f, "busy", 50 * 1024, i);
		pause_ms(15);
	}
	make_file(f, "busy", 51 * 1024, 99);
	make_file(f, "other", 10, 1);
	wait_done(f, "busy", 51 * 1024);
	wait_done(f, "other", 10);
}

static void test_watch_rewritten(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "busy", 50 * 1024, 1);
	f->write_ns = 500000;
	if (run_scene(f, write_again) != SEAL_OK)
		fail_msg("%s", f->err.text);
	/* more than once, where its times were set after it had been looked at */
	assert_true(arrived(f, "busy", 51 * 1024, 99) >= 1);
	assert_true(arrived(f, "other", 10, 1) >= 1);
}

static void move_directory(struct send_fixture *f)
{
	char to[200];

	wait_done(f, "a", 10);
	snprintf(to, sizeof(to), "%s/elsewhere", f->keys.dir);
	in_thread(rename(f->dir, to) == 0);
	wait_ended();
}

static void test_directory_moved(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 10, 1);
	assert_int_equal(run_scene(f, move_directory), SEAL_USAGE);
	assert_int_equal(f->err.code, SEAL_E_NO_INPUT);
	assert_non_null(strstr(f->err.text, "removed or moved"));
}

static void remove_directory(struct send_fixture *f)
{
	wait_done(f, "a", 10);
	in_thread(nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
	wait_ended();
}

static void test_directory_removed(void **state)
{
	struct send_fixture *f = *state;

	make_file(f, "a", 10, 1);
	assert_int_equal(run_scene(f, remove_directory), SEAL_USAGE);
	assert_non_null(strstr(f->err.text, "removed or moved"));
}

/* ---- processes ---- */

/* Forks a sender whose records come out of `socket`. */
static pid_t start_sender(struct send_fixture *f, int socket)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	f->log = socket;
	_exit(send_run(f) == SEAL_OK && f->counts.failed == 0 ? 0 : 1);
}

static void take_record(struct send_fixture *f, const uint8_t *value, size_t len)
{
	struct kept *k = &f->kept[f->n_kept++];
	struct file_part part;

	assert_true(f->n_kept < KEPT_MAX);
	OK(&f->keys, file_part_parse(bytes_of(value, len), &part, &f->keys.err));
	*k = (struct kept){.key_len = 32, .value_len = len, .bytes = malloc(32 + len)};
	hex_encode(bytes_of(part.header.id, FILE_ID_LEN), (char *)k->bytes);
	memcpy(k->bytes + 32, value, len);
}

/* What comes within `ms`. */
static void take_records(struct send_fixture *f, int socket, uint64_t ms)
{
	static uint8_t value[65536];
	uint64_t end = clock_mono_ms() + ms;
	ssize_t n;

	do {
		while ((n = recv(socket, value, sizeof(value), MSG_DONTWAIT)) > 0)
			take_record(f, value, (size_t)n);
		if (clock_mono_ms() < end)
			pause_ms(1);
	} while (clock_mono_ms() < end);
}

/* No data key has sealed two chunks of one index. */
static void expect_fresh_nonces(struct send_fixture *f)
{
	for (size_t i = 0; i < f->n_kept; i++) {
		struct file_part a, b;

		OK(&f->keys,
		   file_part_parse(bytes_of(f->kept[i].bytes + 32, f->kept[i].value_len), &a, &f->keys.err));
		for (size_t j = 0; j < i; j++) {
			OK(&f->keys,
			   file_part_parse(bytes_of(f->kept[j].bytes + 32, f->kept[j].value_len), &b, &f->keys.err));
			assert_false(a.index == b.index && memcmp(a.header.commitment, b.header.commitment, 32) == 0);
		}
	}
}

static void test_two_senders(void **state)
{
	struct send_fixture *f = *state;
	int sockets[2], status;
	pid_t senders[2];
	unsigned ended = 0;

	make_many(f, FILES);
	f->options.parallel = 3;
	f->write_ns = 100000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	for (size_t i = 0; i < 2; i++)
		senders[i] = start_sender(f, sockets[1]);
	while (ended < 2) {
		take_records(f, sockets[0], 5);
		for (size_t i = 0; i < 2; i++) {
			if (senders[i] > 0 && waitpid(senders[i], &status, WNOHANG) > 0) {
				assert_int_equal(status, 0);
				senders[i] = 0;
				ended++;
			}
		}
	}
	take_records(f, sockets[0], 5);
	expect_many(f, FILES);
	close(sockets[0]);
	close(sockets[1]);
}

static void test_killed(void **state)
{
	struct send_fixture *f = *state;
	unsigned dice = 7;
	int sockets[2], status;
	pid_t pid;

	make_many(f, 30);
	f->options.parallel = 3;
	f->write_ns = 300000;
	atomic_store(&f->lag, 2);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	for (unsigned i = 0; i < 20; i++) {
		pid = start_sender(f, sockets[1]);
		dice = dice * 1103515245u + 12345u;
		while (i == 0 && f->n_kept == 0 && waitpid(pid, &status, WNOHANG) == 0)
			take_records(f, sockets[0], 1); /* one record at least comes from them */
		take_records(f, sockets[0], 5 + (dice >> 16) % 60);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		take_records(f, sockets[0], 0);
	}
	assert_true(f->n_kept > 0);
	atomic_store(&f->lag, 0);
	pid = start_sender(f, sockets[1]);
	while (waitpid(pid, &status, WNOHANG) == 0)
		take_records(f, sockets[0], 1);
	assert_int_equal(status, 0);
	take_records(f, sockets[0], 0);
	expect_many(f, 30);
	expect_fresh_nonces(f);
	close(sockets[0]);
	close(sockets[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_interleaved, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_watch, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_watch_rewritten, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_directory_moved, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_directory_removed, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_two_senders, send_setup, send_teardown),
		cmocka_unit_test_setup_teardown(test_killed, send_setup, send_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
