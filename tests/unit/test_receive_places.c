/*
 * transfer_receive where partitions come and go, directories are not what they should be, and runs left something behind.
 */
#include "receive_fake.h"

#include <sys/file.h>

/* The clock of timeouts, so much later. */
static uint64_t clock_shift_ms;

uint64_t __real_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + clock_shift_ms;
}

/* ---- partitions that come and go ---- */

static struct sent moving;

static void lose_partition(void)
{
	if (topic.logs[0].next == 3 && topic.assignment[0] == 1) {
		topic.assignment[0] = 0;
		topic.logs[0].next = 0;
	}
}

/* The partition goes to another receiver in the middle; `same`: which has the same directory. */
static void rebalance(bool same)
{
	struct sent stays = sent_new("stays", 3 * CHUNK);

	moving = sent_new("moving", 6 * CHUNK);
	send_all(&moving, 0);
	send_all(&stays, 1);
	topic.batch = 3;
	topic.before_read = lose_partition;
	receive_ok();
	check_file(&stays, "stays");
	assert_int_equal(topic.marks->at[0], 0);
	assert_int_equal(count_files(), 1);
	assert_int_equal(t.counts.files_known, 1);
	assert_int_equal(t.counts.bytes_known, stays.size);
	assert_int_equal(t.events[TRANSFER_ABANDONED], 1);
	topic.before_read = NULL;
	topic.assignment[0] = 2;
	topic_rewind();
	if (!same)
		snprintf(t.to, sizeof(t.to), "%s/other", t.dir);
	receive_ok();
	check_file(&moving, "moving");
	assert_int_equal(t.events[TRANSFER_RESUMED], same);
	assert_int_equal(topic.marks->at[0], 6);
	check_state_empty();
	sent_clear(&stays);
	sent_clear(&moving);
}

static void test_rebalance_same_directory(void **state)
{
	rebalance(true);
}

static void test_rebalance_other_directory(void **state)
{
	rebalance(false);
}

static void stall(void)
{
	if (topic.logs[0].next == 3) {
		clock_shift_ms += 3600000;
		topic.before_read = NULL;
	}
}

/* The process was stopped for an hour: what lies in the topic had no chance to come. */
static void test_stalled(void **state)
{
	struct sent s = sent_new("s", 6 * CHUNK), other = sent_new("other", 20 * CHUNK);

	for (uint32_t i = 0; i < 3; i++)
		send_chunk(&s, 0, i);
	for (uint32_t i = 0; i < 3; i++)
		send_chunk(&other, 0, i);
	for (uint32_t i = 3; i < 6; i++)
		send_chunk(&s, 0, i);
	topic.batch = 3;
	topic.before_read = stall;
	t.options.timeout_ms = 1800000;
	receive_ok();
	clock_shift_ms = 0;
	assert_int_equal(t.counts.failed, 0);
	check_file(&s, "s");
	sent_clear(&s);
	sent_clear(&other);
}

/* Who has no key can write copies to any partition. Those take nothing away from the rest of the file. */
static void test_copies_elsewhere(void **state)
{
	struct sent s = sent_new("s", 6 * CHUNK);

	for (int p = 0; p < 5; p++)
		send_chunk(&s, p, 0);
	send_all(&s, 5);
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(t.counts.foreign, 0);
	assert_int_equal(topic.marks->at[5], 6);
	sent_clear(&s);
}

static void lose_copy(void)
{
	if (topic.logs[0].next == 1)
		topic.assignment[0] = 0;
}

/* A partition with a copy is taken away; where the file comes from, all of it is still needed. */
static void test_copy_is_lost(void **state)
{
	struct sent s = sent_new("s", 6 * CHUNK);

	send_chunk(&s, 0, 0);
	for (uint32_t i = 0; i < 3; i++)
		send_chunk(&s, 1, i);
	topic.before_read = lose_copy;
	receive_ok();
	topic.before_read = NULL;
	assert_int_equal(topic.marks->at[1], 0);
	for (uint32_t i = 3; i < 6; i++)
		send_chunk(&s, 1, i);
	topic_rewind();
	snprintf(t.to, sizeof(t.to), "%s/other", t.dir);
	receive_ok();
	check_file(&s, "s");
	sent_clear(&s);
}

static void give_back(void)
{
	if (topic.logs[0].next == 3 && topic.assignment[0] == 1) {
		topic.assignment[0] = 2; /* taken away and given back between two reads */
		topic.logs[0].next = 0;
	}
}

static void test_partition_comes_back(void **state)
{
	moving = sent_new("moving", 6 * CHUNK);
	send_all(&moving, 0);
	topic.batch = 3;
	topic.before_read = give_back;
	receive_ok();
	check_file(&moving, "moving");
	assert_int_equal(topic.marks->at[0], 6);
	sent_clear(&moving);
}

/* Another receiver still has the part (it has not noticed that it lost the partition): this one makes its own. */
static void test_part_held_by_another(void **state)
{
	struct sent s = sent_new("s", 4 * CHUNK);
	char hex[2 * FILE_ID_LEN + 1] = "", path[200];
	int held;

	send_chunk(&s, 0, 0);
	send_chunk(&s, 0, 1);
	receive_ok();
	hex_encode(bytes_of(s.id, FILE_ID_LEN), hex);
	snprintf(path, sizeof(path), ".sealstream/%s.part", hex);
	held = openat(to_fd(), path, O_RDWR | O_CLOEXEC);
	assert_true(held >= 0);
	assert_int_equal(flock(held, LOCK_EX), 0);
	send_chunk(&s, 0, 2);
	topic_rewind();
	receive_ok();
	assert_int_equal(t.events[TRANSFER_STARTED], 1); /* from nothing */
	assert_int_equal(count_names(".sealstream", ".part"), 2);
	send_chunk(&s, 0, 3);
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(count_names(".sealstream", ".part"), 1); /* the other's, which it holds */
	assert_int_equal(ftruncate(held, 0), 0);
	check_file(&s, "s");
	close(held);
	receive_ok(); /* nobody's any more, and of a whole file */
	assert_int_equal(count_names(".sealstream", ".part"), 0);
	assert_int_equal(count_files(), 1);
	sent_clear(&s);
}

/* Two receivers have the same transfer whole; the second one to get the lock finds it done. */
static struct sent twice;

static void finished_by_another(void)
{
	static const char done[] = "done %s twice\n";
	char hex[2 * FILE_ID_LEN + 1] = "", line[128];
	int fd;

	if (topic.logs[0].next != 2)
		return;
	hex_encode(bytes_of(twice.id, FILE_ID_LEN), hex);
	fd = openat(to_fd(), ".sealstream/received", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(line, sizeof(line), done, hex);
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	close(fd);
}

static void test_finished_by_another(void **state)
{
	twice = sent_new("twice", 3 * CHUNK);
	send_all(&twice, 0);
	topic.batch = 2;
	topic.before_read = finished_by_another;
	receive_ok();
	assert_int_equal(count_files(), 0);
	assert_int_equal(t.counts.files, 0);
	assert_int_equal(t.counts.files_known, 0);
	assert_int_equal(t.counts.bytes_known, 0);
	assert_int_equal(t.events[TRANSFER_ABANDONED], 1);
	assert_int_equal(topic.marks->at[0], 3);
	check_state_empty();
	sent_clear(&twice);
}

/* ---- directories ---- */

static void test_planted_links(void **state)
{
	struct sent s = sent_new("s", CHUNK);
	char hex[2 * FILE_ID_LEN + 1] = "", name[100], victim[100];
	struct stat st;

	snprintf(victim, sizeof(victim), "%s/victim", t.dir);
	close(open(victim, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	assert_int_equal(mkdirat(to_fd(), ".sealstream", 0700), 0);
	hex_encode(bytes_of(s.id, FILE_ID_LEN), hex);
	snprintf(name, sizeof(name), ".sealstream/%s.part", hex);
	assert_int_equal(symlinkat(victim, to_fd(), name), 0);
	snprintf(name, sizeof(name), ".sealstream/%s-1.part", hex);
	assert_int_equal(mkfifoat(to_fd(), name, 0600), 0);
	snprintf(name, sizeof(name), ".sealstream/%s.state", hex);
	assert_int_equal(symlinkat(victim, to_fd(), name), 0);
	send_all(&s, 0);
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	sent_clear(&s);
}

static void test_state_directory_is_a_link(void **state)
{
	assert_int_equal(symlinkat("/tmp", to_fd(), ".sealstream"), 0);
	assert_int_equal(receive_now(), SEAL_DENIED);
	assert_non_null(strstr(t.err.text, "is not a directory"));
}

static void test_state_open_to_others(void **state)
{
	assert_int_equal(mkdirat(to_fd(), ".sealstream", 0700), 0);
	assert_int_equal(fchmodat(to_fd(), ".sealstream", 0755, 0), 0);
	assert_int_equal(receive_now(), SEAL_DENIED);
	assert_non_null(strstr(t.err.text, "chmod 700"));
	if (geteuid() != 0)
		return;
	/* Root may not be made to put files together where a user can exchange them. */
	assert_int_equal(fchmodat(to_fd(), ".sealstream", 0700, 0), 0);
	assert_int_equal(fchownat(to_fd(), ".sealstream", 65534, 65534, 0), 0);
	assert_int_equal(receive_now(), SEAL_DENIED);
	assert_int_equal(fchownat(to_fd(), ".sealstream", 0, 0, 0), 0);
}

static void test_state_elsewhere(void **state)
{
	struct sent s = sent_new("s", CHUNK);
	char path[100];

	snprintf(path, sizeof(path), "%s/state/of/it", t.dir);
	t.options.state = path;
	send_all(&s, 0);
	receive_ok();
	check_file(&s, "s");
	assert_false(there_is(".sealstream"));
	t.options.state = "/proc/self/fd"; /* another file system */
	assert_int_equal(receive_now(), SEAL_USAGE);
	assert_non_null(strstr(t.err.text, "different file systems"));
	sent_clear(&s);
}

static void test_no_directory(void **state)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/file", t.dir);
	close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	t.options.directory = path;
	assert_int_not_equal(receive_now(), SEAL_OK);
	assert_int_equal(t.err.code, SEAL_E_CREATE);
	snprintf(path, sizeof(path), "%s/file/below", t.dir);
	assert_int_not_equal(receive_now(), SEAL_OK);
	assert_int_equal(t.err.code, SEAL_E_CREATE);
}

static struct sent removed;

static void remove_directory(void)
{
	char command[200];

	if (topic.logs[0].next == 1) {
		snprintf(command, sizeof(command), "rm -rf %s", t.to);
		assert_int_equal(system(command), 0);
	}
}

static void test_directory_removed(void **state)
{
	removed = sent_new("removed", 3 * CHUNK);
	send_all(&removed, 0);
	topic.batch = 1;
	topic.before_read = remove_directory;
	assert_int_equal(receive_now(), SEAL_FATAL);
	assert_non_null(strstr(t.err.text, "removed"));
	assert_int_equal(topic.marks->at[0], 0);
	topic.before_read = NULL;
	topic_rewind();
	receive_ok();
	check_file(&removed, "removed");
	sent_clear(&removed);
}

/* ---- leftovers ---- */

static void age(const char *name)
{
	struct timespec old[2] = {{1, 0}, {1, 0}};

	assert_int_equal(utimensat(to_fd(), name, old, AT_SYMLINK_NOFOLLOW), 0);
}

static void touch_at(const char *name)
{
	int fd = openat(to_fd(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_leftovers(void **state)
{
	assert_int_equal(mkdirat(to_fd(), ".sealstream", 0700), 0);
	touch_at(".sealstream/00112233445566778899aabbccddeeff.part");
	touch_at(".sealstream/00112233445566778899aabbccddeef0.state");
	touch_at(".sealstream/.x.state.1.2.tmp");
	touch_at(".sealstream/keep");
	touch_at(".sealstream/00112233445566778899aabbccddeeff-77.part");
	receive_ok();
	assert_int_equal(count_names(".sealstream", ""), 5 + 2); /* all young; and received, received.lock */
	age(".sealstream/00112233445566778899aabbccddeeff.part");
	age(".sealstream/00112233445566778899aabbccddeef0.state");
	age(".sealstream/.x.state.1.2.tmp");
	age(".sealstream/keep");
	receive_ok();
	/* the part stays: its records may come again */
	assert_int_equal(count_names(".sealstream", ".part"), 2);
	assert_int_equal(count_names(".sealstream", ""), 3 + 2);
	topic.endless = true;
	t.options.timeout_ms = 100;
	t.stop_when = when_failed;
	receive_ok();
	assert_int_equal(count_names(".sealstream", ".part"), 1);
	assert_non_null(strstr(t.last_why, "earlier run"));
	assert_int_equal(t.counts.failed, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_rebalance_same_directory),
		T(test_rebalance_other_directory),
		T(test_stalled),
		T(test_copies_elsewhere),
		T(test_copy_is_lost),
		T(test_partition_comes_back),
		T(test_part_held_by_another),
		T(test_finished_by_another),
		T(test_planted_links),
		T(test_state_directory_is_a_link),
		T(test_state_open_to_others),
		T(test_state_elsewhere),
		T(test_no_directory),
		T(test_directory_removed),
		T(test_leftovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
