/*
 * transfer_receive: files of records, whatever order, damage, repetition or interruption these come with. The topic, the key and
 * the clock of the disk are stand-ins; crash points have a file of their own.
 */
#include "receive_fake.h"

#include <signal.h>
#include <sys/resource.h>

static void test_one_file(void **state)
{
	struct sent s = sent_new("report.csv", 10 * CHUNK + 17);

	send_all(&s, 1);
	receive_ok();
	check_file(&s, "report.csv");
	assert_int_equal(count_files(), 1);
	check_state_empty();
	assert_int_equal(t.counts.files, 1);
	assert_int_equal(t.counts.bytes, s.size);
	assert_int_equal(t.counts.files_known, 1);
	assert_int_equal(t.counts.bytes_known, s.size);
	assert_int_equal(t.counts.failed + t.counts.foreign, 0);
	assert_int_equal(t.events[TRANSFER_STARTED], 1);
	assert_int_equal(t.events[TRANSFER_DONE], 1);
	assert_string_equal(t.last_name, "report.csv");
	assert_int_equal(kek.unwrapped, 1);
	assert_int_equal(topic.marks->at[1], 11);
	assert_int_equal(topic.synced, 1);
	sent_clear(&s);
}

/* Modes: what is made is closed to others, whatever the umask. */
static void test_modes(void **state)
{
	struct sent s = sent_new("a", 1);
	mode_t was = umask(0);
	struct stat st;
	char path[200];

	send_all(&s, 0);
	receive_ok();
	umask(was);
	assert_int_equal(stat(t.to, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/.sealstream", t.to);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/.sealstream/received", t.to);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	check_file(&s, "a");
	sent_clear(&s);
}

static void test_sizes(void **state)
{
	const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK};
	char name[32];

	for (int unknown = 0; unknown <= 1; unknown++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct sent s;

			snprintf(name, sizeof(name), "f%d-%zu", unknown, sizes[i]);
			s = sent_as(name, sizes[i], unknown);
			send_all(&s, 0);
			receive_ok();
			check_file(&s, name);
			sent_clear(&s);
		}
	}
	check_state_empty();
}

/* A fixed shuffle. */
static void shuffle(uint32_t *order, uint32_t n)
{
	uint32_t seed = 12345;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j, swap = order[i];

		seed = seed * 1664525 + 1013904223;
		j = (seed >> 8) % (i + 1);
		order[i] = order[j];
		order[j] = swap;
	}
}

static void test_shuffled_repeated_interleaved(void **state)
{
	struct sent a = sent_new("a", 40 * CHUNK), b = sent_as("b", 40 * CHUNK - 5, true), c = sent_new("c", 3);
	uint32_t order[40];

	shuffle(order, 40);
	for (int i = 0; i < 40; i++) {
		send_chunk(&a, 0, order[i]);
		send_chunk(&b, i % 2 ? 0 : 1, order[39 - i]);
		if (i % 3 == 0)
			send_chunk(&a, 0, order[i]);
		if (i == 20)
			send_chunk(&c, 0, 0);
	}
	send_all(&b, 1); /* all of it again */
	receive_ok();
	check_file(&a, "a");
	check_file(&b, "b");
	check_file(&c, "c");
	assert_int_equal(count_files(), 3);
	assert_int_equal(kek.unwrapped, 3);
	assert_int_equal(t.counts.foreign, 0);
	assert_int_equal(topic.marks->at[0], topic.logs[0].n);
	assert_int_equal(topic.marks->at[1], topic.logs[1].n);
	check_state_empty();
	sent_clear(&a);
	sent_clear(&b);
	sent_clear(&c);
}

static void test_tampered(void **state)
{
	struct sent s = sent_new("s", 3 * CHUNK), other = sent_new("other", 3 * CHUNK);
	struct record *bad;

	send_chunk(&s, 0, 0);
	bad = send_chunk(&s, 0, 1);
	((uint8_t *)bad->value.ptr)[bad->value.len - 1] ^= 1;
	/* a chunk of another file behind this file's header */
	bad = send_chunk(&s, 0, 1);
	memcpy((uint8_t *)bad->value.ptr + bad->value.len - CHUNK - FILE_TAG_LEN,
	       other.parts[1] + other.lens[1] - CHUNK - FILE_TAG_LEN, CHUNK + FILE_TAG_LEN);
	/* another index, and the last flag */
	bad = send_chunk(&s, 0, 1);
	((uint8_t *)bad->value.ptr)[bad->value.len - CHUNK - FILE_TAG_LEN - 2] = 0;
	bad = send_chunk(&s, 0, 1);
	((uint8_t *)bad->value.ptr)[bad->value.len - CHUNK - FILE_TAG_LEN - 1] = 1;
	topic_add(0, BYTES_LIT("something else"));
	topic_add(0, BYTES_LIT("SEALFILE"));
	topic_add(0, BYTES_EMPTY);
	topic_add(0, BYTES_LIT("{}"));
	receive_ok();
	/* (a changed index 0 is one that is there already, and skipped) */
	assert_int_equal(t.counts.foreign, 7);
	assert_int_equal(t.foreign, 7);
	assert_string_equal(t.foreign_place, "files/0/8");
	assert_int_equal(count_files(), 0);
	assert_int_equal(topic.marks->at[0], 0);
	assert_int_equal(t.counts.failed, 0);
	send_chunk(&s, 0, 1);
	send_chunk(&s, 0, 2);
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(t.events[TRANSFER_RESUMED], 1);
	sent_clear(&s);
	sent_clear(&other);
}

/* Every flipped bit of a record of one chunk: told as foreign, never a file. */
static void test_every_byte(void **state)
{
	struct sent s = sent_new("s", 40);

	for (size_t i = 0; i < s.lens[0]; i++) {
		struct record *bad = send_chunk(&s, 0, 0);

		((uint8_t *)bad->value.ptr)[i] ^= 1 << (i % 8);
	}
	receive_ok();
	assert_int_equal(count_files(), 0);
	assert_int_equal(t.counts.foreign, s.lens[0]);
	for (size_t i = 0; i < s.lens[0]; i++)
		topic_add(0, bytes_of(s.parts[0], i));
	receive_ok();
	assert_int_equal(count_files(), 0);
	assert_int_equal(t.counts.foreign, s.lens[0]);
	send_all(&s, 0);
	receive_ok();
	check_file(&s, "s");
	sent_clear(&s);
}

static void test_given_up(void **state)
{
	struct sent s = sent_new("s", 12 * CHUNK);

	for (uint32_t i = 0; i < 12; i++)
		if (i != 2 && i != 3 && i != 7 && i != 11)
			send_chunk(&s, 0, i);
	topic.endless = true;
	t.options.timeout_ms = 300;
	t.stop_when = when_failed;
	receive_ok();
	assert_int_equal(t.counts.failed, 1);
	assert_string_equal(t.last_name, "s");
	assert_non_null(strstr(t.last_why, "missing of 12 chunks: 2-3, 7, 11"));
	check_state_empty();
	assert_int_equal(count_files(), 0);
	assert_int_equal(topic.marks->at[0], 8);
	sent_clear(&s);
}

/* What comes after it was given up is not taken up again. */
static struct sent late;
static unsigned late_reads;

static void send_late(void)
{
	if (t.events[TRANSFER_FAILED] == 1 && late_reads++ == 0) {
		send_chunk(&late, 0, 1);
		send_chunk(&late, 0, 1);
	}
}

/* Long enough for a second one to be given up, if it had begun. */
static bool when_late_is_read(void)
{
	return late_reads > 700;
}

static void test_given_up_once(void **state)
{
	late = sent_new("late", 3 * CHUNK);
	late_reads = 0;
	send_chunk(&late, 0, 0);
	topic.endless = true;
	topic.before_read = send_late;
	t.options.timeout_ms = 200;
	t.stop_when = when_late_is_read;
	receive_ok();
	assert_int_equal(t.events[TRANSFER_FAILED], 1);
	assert_int_equal(t.events[TRANSFER_STARTED], 1);
	assert_int_equal(t.counts.foreign, 2);
	assert_int_equal(topic.marks->at[0], 3);
	sent_clear(&late);
}

static void test_interrupted_and_resumed(void **state)
{
	struct sent s = sent_new("s", 10 * CHUNK);

	for (uint32_t i = 0; i < 6; i++)
		send_chunk(&s, 0, i);
	receive_ok();
	assert_int_equal(count_files(), 0);
	assert_int_equal(topic.marks->at[0], 0);
	assert_int_equal(count_names(".sealstream", ".part"), 1);
	assert_int_equal(count_names(".sealstream", ".state"), 1);
	/* the sender goes on, too: under another data key */
	sent_seal(&s);
	for (uint32_t i = 5; i < 10; i++)
		send_chunk(&s, 0, i);
	topic_rewind();
	kek.unwrapped = 0;
	receive_ok();
	check_file(&s, "s");
	check_state_empty();
	assert_int_equal(t.events[TRANSFER_RESUMED], 1);
	assert_int_equal(t.events[TRANSFER_STARTED], 0);
	assert_int_equal(kek.unwrapped, 2); /* each header once; the skipped chunks needed none of their own */
	assert_int_equal(topic.marks->at[0], 11);
	sent_clear(&s);
}

/* A queue of which nothing more is to be had while a message of it is held: the second read finds all of the first one marked. */
static void marks_come_at_once(void)
{
	assert_int_equal(topic.marks->at[0], topic.logs[0].next);
}

static void test_queue_in_any_order_and_twice(void **state)
{
	struct sent a = sent_new("a", 40 * CHUNK), b = sent_as("b", 7 * CHUNK - 5, true);
	uint32_t order[40];

	shuffle(order, 40);
	for (int i = 0; i < 40; i++) {
		send_chunk(&a, 0, order[i]);
		if (i % 3 == 0)
			send_chunk(&a, 0, order[i / 2]);
		if (i < 7)
			send_chunk(&b, 0, (uint32_t)(6 - i));
	}
	send_all(&b, 0);
	topic.batch = 1;
	topic.before_read = marks_come_at_once;
	t.options.source_lends = true;
	receive_ok();
	check_file(&a, "a");
	check_file(&b, "b");
	assert_int_equal(count_files(), 2);
	assert_int_equal(t.counts.foreign, 0);
	check_state_empty();
	sent_clear(&a);
	sent_clear(&b);
}

/* What was taken does not come again; the directory has it. */
static void test_queue_goes_on_after_a_restart(void **state)
{
	struct sent s = sent_new("s", 10 * CHUNK);

	for (uint32_t i = 0; i < 6; i++)
		send_chunk(&s, 0, 9 - i);
	t.options.source_lends = true;
	receive_ok();
	assert_int_equal(count_files(), 0);
	assert_int_equal(topic.marks->at[0], 6);
	for (uint32_t i = 0; i < 5; i++)
		send_chunk(&s, 0, i);
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(t.events[TRANSFER_RESUMED], 1);
	assert_int_equal(topic.marks->at[0], 11);
	check_state_empty();
	sent_clear(&s);
}

/* Under a wrong key all of it stays in the queue. */
static void test_queue_with_a_wrong_key(void **state)
{
	struct sent s = sent_new("s", 3 * CHUNK);

	send_all(&s, 0);
	t.options.source_lends = true;
	kek.wrong = true;
	receive_ok();
	assert_int_equal(topic.marks->at[0], 0);
	assert_int_equal(t.counts.unopened, 3);
	kek.wrong = false;
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(topic.marks->at[0], 3);
	sent_clear(&s);
}

/* Chunks that are there are not decrypted again: these don't even open any more. */
static void test_skipped_without_decrypting(void **state)
{
	struct sent s = sent_new("s", 4 * CHUNK);

	for (uint32_t i = 0; i < 3; i++)
		send_chunk(&s, 0, i);
	receive_ok();
	for (uint32_t i = 0; i < 3; i++)
		((uint8_t *)topic.logs[0].records[i].value.ptr)[topic.logs[0].records[i].value.len - 1] ^= 1;
	send_chunk(&s, 0, 3);
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(t.counts.foreign, 0);
	sent_clear(&s);
}

static void test_resumed_as_another_file(void **state)
{
	struct sent s = sent_new("s", 4 * CHUNK), liar = sent_new("liar", 4 * CHUNK);

	send_chunk(&s, 0, 0);
	memcpy(liar.id, s.id, FILE_ID_LEN);
	sent_seal(&liar);
	for (uint32_t i = 1; i < 4; i++)
		send_chunk(&liar, 0, i);
	kek.unwrapped = 0;
	receive_ok();
	assert_int_equal(t.counts.foreign, 3);
	assert_int_equal(t.foreign, 1); /* told once for the header */
	assert_int_equal(kek.unwrapped, 2);
	assert_non_null(strstr(t.foreign_why, "other things"));
	/* after a restart it is still the first one that counts, whoever comes first */
	topic.marks->at[0] = 1;
	topic_rewind();
	receive_ok();
	assert_int_equal(t.counts.foreign, 3);
	assert_int_equal(count_files(), 0);
	topic_forget_marks();
	for (uint32_t i = 1; i < 4; i++)
		send_chunk(&s, 0, i);
	receive_ok();
	check_file(&s, "s");
	sent_clear(&s);
	sent_clear(&liar);
}

static void test_whole_ones_are_dropped(void **state)
{
	struct sent a = sent_new("a", 2 * CHUNK), b = sent_new("b", 5);

	send_all(&a, 0);
	send_all(&b, 0);
	receive_ok();
	send_all(&a, 1);
	topic_forget_marks();
	kek.unwrapped = 0;
	receive_ok();
	assert_int_equal(count_files(), 2);
	assert_int_equal(t.counts.files, 0);
	assert_int_equal(t.counts.files_known, 0);
	assert_int_equal(kek.unwrapped, 0);
	assert_int_equal(topic.marks->at[0], 3);
	/* moved away by whoever uses the files: still not made again */
	assert_int_equal(unlinkat(to_fd(), "a", 0), 0);
	topic_forget_marks();
	receive_ok();
	assert_int_equal(count_files(), 1);
	sent_clear(&a);
	sent_clear(&b);
}

/* ---- names ---- */

static void test_names(void **state)
{
	const char *hostile[] = {"../x", "a/b", "/etc/passwd", ".ssh",	  "..",
				 "",	 "CON", "x\ny",	       "bad\xff", ".sealstream"};
	const size_t n = sizeof(hostile) / sizeof(hostile[0]);

	for (size_t i = 0; i < n; i++) {
		struct sent s = sent_new(hostile[i], 10 + i);

		send_all(&s, 0);
		sent_clear(&s);
	}
	receive_ok();
	assert_int_equal(t.counts.files, n);
	assert_int_equal(count_files(), n);
	assert_true(there_is("x") && there_is("b") && there_is("passwd"));
	assert_int_equal(count_names("../", ""), 1); /* nothing beside the destination */
}

static void test_taken_names(void **state)
{
	struct sent s[5];

	assert_int_equal(symlinkat("/nonexistent-sealstream", to_fd(), "x.txt"), 0);
	assert_int_equal(mkdirat(to_fd(), "x-2.txt", 0700), 0);
	for (int i = 0; i < 5; i++) {
		s[i] = sent_new("x.txt", 10 + (size_t)i);
		send_all(&s[i], 0);
	}
	receive_ok();
	check_file(&s[0], "x-3.txt");
	check_file(&s[1], "x-4.txt");
	check_file(&s[4], "x-7.txt");
	assert_string_equal(t.last_name, "x-7.txt");
	assert_int_equal(access("/nonexistent-sealstream", F_OK), -1);
	for (int i = 0; i < 5; i++)
		sent_clear(&s[i]);
}

static void test_overwrite(void **state)
{
	struct sent old = sent_new("x", 100), new = sent_new("x", 200), dir = sent_new("d", 5),
		    link = sent_new("l", 6);

	t.options.overwrite = true;
	send_all(&old, 0);
	receive_ok();
	assert_int_equal(mkdirat(to_fd(), "d", 0700), 0);
	assert_int_equal(symlinkat("x", to_fd(), "l"), 0);
	send_all(&new, 0);
	send_all(&dir, 0);
	send_all(&link, 0);
	receive_ok();
	check_file(&new, "x"); /* not through the link */
	check_file(&dir, "d-2");
	check_file(&link, "l");
	sent_clear(&old);
	sent_clear(&new);
	sent_clear(&dir);
	sent_clear(&link);
}

/* ---- limits ---- */

static void test_too_large(void **state)
{
	struct sent big = sent_new("big", 5 * CHUNK), pipe = sent_as("pipe", 5 * CHUNK, true),
		    ok = sent_new("ok", 100);

	t.options.max_file_bytes = 4 * CHUNK;
	send_all(&big, 0);
	send_all(&pipe, 0);
	send_all(&ok, 0);
	receive_ok();
	check_file(&ok, "ok");
	assert_int_equal(count_files(), 1);
	assert_int_equal(t.counts.failed, 2);
	assert_int_equal(t.events[TRANSFER_FAILED], 2);
	assert_int_equal(topic.marks->at[0], 11);
	check_state_empty();
	sent_clear(&big);
	sent_clear(&pipe);
	sent_clear(&ok);
}

/* The disk has room for it, but no file there can be so large: it fails alone. */
static void test_larger_than_files_can_be(void **state)
{
	struct sent big = sent_new("big", 300 * CHUNK), ok = sent_new("ok", 3);
	struct rlimit limit, was;

	send_all(&big, 0);
	send_all(&ok, 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = (struct rlimit){200 * CHUNK, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	receive_ok();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	check_file(&ok, "ok");
	assert_int_equal(count_files(), 1);
	assert_int_equal(t.counts.failed, 1);
	assert_int_equal(topic.marks->at[0], 301);
	check_state_empty();
	sent_clear(&big);
	sent_clear(&ok);
}

/* A header that says 2^47 bytes: refused where no disk is so large, and in any case nothing of that size is made. */
static void test_size_that_lies(void **state)
{
	struct sent s = sent_new("s", CHUNK), last = sent_as("pipe", CHUNK, true);
	struct arena arena;
	struct key_call call = {.arena = &arena, .deadline_ms = DEADLINE_NONE};
	struct file_meta meta = {.name = BYTES_LIT("huge"), .size = 1ull << 47, .chunk_size = FILE_CHUNK_MAX};
	struct file_sealer *sealer = NULL;
	uint8_t *chunk = mem_calloc(1, FILE_CHUNK_MAX + FILE_TAG_LEN);
	struct seal_buf part = BUF_INIT(FILE_CHUNK_MAX * 2);

	arena_init(&arena, 0);
	memset(meta.id, 7, FILE_ID_LEN);
	assert_int_equal(file_sealer_new(&meta, &kek.session, false, &call, &sealer, NULL), SEAL_OK);
	assert_int_equal(file_seal(sealer, 0, false, bytes_of(chunk, FILE_CHUNK_MAX), chunk, NULL), SEAL_OK);
	assert_int_equal(buf_append(&part, file_sealer_header(sealer), NULL), SEAL_OK);
	assert_int_equal(buf_append(&part, bytes_of("\0\0\0\0", 5), NULL), SEAL_OK);
	assert_int_equal(buf_append(&part, bytes_of(chunk, FILE_CHUNK_MAX + FILE_TAG_LEN), NULL), SEAL_OK);
	topic_add(0, buf_bytes(&part));
	topic_add(0, buf_bytes(&part));
	send_all(&s, 0);
	kek.unwrapped = 0;
	receive_ok();
	check_file(&s, "s");
	assert_int_equal(t.counts.failed, 1);
	assert_int_equal(kek.unwrapped, 2);
	file_sealer_free(sealer);
	buf_clear(&part);
	mem_free(chunk);
	arena_clear(&arena);
	sent_clear(&s);
	sent_clear(&last);
}

/* A file of unknown size that has chunks behind its last one. */
static void test_behind_the_last(void **state)
{
	struct sent s = sent_as("s", 4 * CHUNK, true), shorter;

	shorter = sent_as("s", 2 * CHUNK, true);
	memcpy(shorter.id, s.id, FILE_ID_LEN);
	sent_seal(&shorter);
	send_chunk(&s, 0, 3);
	send_chunk(&shorter, 0, 1); /* says that it is the last */
	send_chunk(&s, 0, 0);
	receive_ok();
	assert_int_equal(t.counts.failed, 1);
	assert_int_equal(t.counts.foreign, 1);
	assert_int_equal(count_files(), 0);
	check_state_empty();
	assert_int_equal(topic.marks->at[0], 3);
	sent_clear(&s);
	sent_clear(&shorter);
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	DIR *dir = opendir("/proc/self/fd");

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static unsigned most_fds;

static void look_at_fds(void)
{
	unsigned n = open_fds();

	most_fds = n > most_fds ? n : most_fds;
}

/* More transfers at once than may be open: those that nothing comes for are parked, and all become files in the end. */
static void test_many_at_once(void **state)
{
	enum { N = 400 };
	static struct sent s[N];
	char name[16];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		s[i] = sent_new(name, 2 * CHUNK + 1 + (size_t)i);
		send_chunk(&s[i], 0, 0);
	}
	for (int i = 0; i < N; i++) {
		send_chunk(&s[i], 0, 2);
		send_chunk(&s[i], 0, 1);
	}
	most_fds = 0;
	topic.before_read = look_at_fds;
	receive_ok();
	assert_in_range(most_fds, 200, 256 + 40);
	assert_int_equal(t.counts.files, N);
	assert_int_equal(count_files(), N);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		check_file(&s[i], name);
		sent_clear(&s[i]);
	}
	check_state_empty();
	for (int p = 0; p < 3; p++)
		assert_int_equal(topic.marks->at[p], topic.logs[p].n);
}

/* Parts of parked transfers that somebody takes away: the transfer fails, the run goes on. */
static void take_parts_away(void)
{
	char command[300];

	if (topic.logs[0].next == 400) {
		snprintf(command, sizeof(command), "rm -f %s/.sealstream/*.part %s/.sealstream/*.state", t.to, t.to);
		assert_int_equal(system(command), 0);
	}
}

static void test_parked_and_lost(void **state)
{
	struct sent s = sent_new("s", 2 * CHUNK);

	send_chunk(&s, 0, 0);
	for (int i = 1; i < 400; i++) {
		struct sent other = sent_new("other", 2 * CHUNK);

		send_chunk(&other, 0, 0);
		sent_clear(&other);
	}
	send_chunk(&s, 0, 1);
	topic.before_read = take_parts_away;
	receive_ok();
	assert_int_equal(t.counts.failed, 1);
	assert_non_null(strstr(t.last_why, "taken away"));
	assert_int_equal(count_files(), 0);
	sent_clear(&s);
}

static void test_max_files(void **state)
{
	struct sent a = sent_new("a", 10), b = sent_new("b", 2 * CHUNK), c = sent_new("c", 10);

	send_chunk(&b, 0, 0);
	send_all(&a, 0);
	send_chunk(&b, 0, 1);
	send_all(&c, 0);
	t.options.max_files = 1;
	receive_ok();
	assert_int_equal(t.counts.files, 1);
	check_file(&a, "a");
	assert_int_equal(topic.marks->at[0], 0);
	topic_rewind();
	receive_ok();
	check_file(&b, "b");
	assert_int_equal(count_files(), 2);
	assert_int_equal(topic.marks->at[0], 3);
	sent_clear(&a);
	sent_clear(&b);
	sent_clear(&c);
}

/* ---- keys ---- */

static void test_key_away(void **state)
{
	struct sent s = sent_new("s", 3 * CHUNK), a = sent_new("a", 3);

	send_all(&a, 0);
	send_all(&s, 0);
	topic.batch = 1;
	kek.unwrapped = 0;
	kek.away = 2;
	topic.away = 1;
	receive_ok();
	check_file(&s, "s");
	check_file(&a, "a");
	assert_int_equal(t.waits, 2);
	assert_int_equal(t.resumes, 2);
	assert_int_equal(kek.unwrapped, 2 + 2);
	sent_clear(&s);
	sent_clear(&a);
}

static void test_key_away_for_too_long(void **state)
{
	struct sent s = sent_new("s", CHUNK), whole = sent_new("whole", 5);

	send_all(&s, 0);
	kek.away = 1000;
	t.options.retry_ms = 100;
	assert_int_equal(receive_now(), SEAL_RETRY);
	assert_int_equal(t.err.code, SEAL_E_SERVICE);
	assert_non_null(strstr(t.err.text, "given up after"));
	assert_int_equal(topic.marks->at[0], 0);
	kek.away = 0;
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	sent_clear(&s);
	sent_clear(&whole);
}

/* A stop request ends a wait, and that is no failure. */
static void test_stop_while_waiting(void **state)
{
	struct sent s = sent_new("s", CHUNK);

	send_all(&s, 0);
	kek.away = 1000;
	t.stop_in = 6;
	receive_ok();
	assert_int_equal(t.waits, 1);
	assert_int_equal(t.resumes, 0);
	assert_int_equal(topic.marks->at[0], 0);
	sent_clear(&s);
}

/* A token that may do nothing is no reason to pass files by. */
static void test_key_denied(void **state)
{
	struct sent s = sent_new("s", CHUNK);

	send_all(&s, 0);
	kek.denied = true;
	assert_int_equal(receive_now(), SEAL_DENIED);
	assert_int_equal(topic.marks->at[0], 0);
	assert_int_equal(t.counts.foreign, 0);
	kek.denied = false;
	topic_rewind();
	receive_ok();
	check_file(&s, "s");
	sent_clear(&s);
}

/* What a wrong key does not open is not passed: a run with the right one gets it. What is no container is. */
static void test_wrong_key(void **state)
{
	struct sent a = sent_new("a", 5 * CHUNK), b = sent_new("b", 9);

	topic_add(0, BYTES_LIT("no container"));
	send_all(&a, 0);
	topic_add(0, BYTES_LIT("no container"));
	send_all(&b, 1);
	topic_add(2, BYTES_LIT("no container"));
	kek.wrong = true;
	for (int run = 0; run < 2; run++) {
		topic_rewind();
		receive_ok();
		assert_int_equal(t.counts.foreign, run == 0 ? 9 : 7);
		assert_int_equal(t.counts.unopened, 6);
		assert_int_equal(topic.marks->at[0], 1);
		assert_int_equal(topic.marks->at[1], 0);
		assert_int_equal(topic.marks->at[2], 1);
		assert_int_equal(count_files(), 0);
	}
	kek.wrong = false;
	topic_rewind();
	receive_ok();
	assert_int_equal(t.counts.unopened, 0);
	check_file(&a, "a");
	check_file(&b, "b");
	assert_int_equal(topic.marks->at[0], topic.logs[0].n);
	assert_int_equal(topic.marks->at[1], topic.logs[1].n);
	sent_clear(&a);
	sent_clear(&b);
}

static unsigned hostile_reads;

/* More headers than are remembered, each another one, before anything that opens; then a file. */
static void write_hostile(void)
{
	static const unsigned reads = 100, each = 30;
	static struct sent s, ok;

	if (hostile_reads == 0) {
		s = sent_new("s", 9);
		ok = sent_new("ok", 9);
	}
	if (hostile_reads++ < reads) {
		assert_int_equal(topic.marks->at[0], 0);
		for (unsigned i = 0; i < each; i++) {
			struct record *bad = send_chunk(&s, 0, 0);

			char *text = memmem(bad->value.ptr, bad->value.len, "vault:v1:", 9);
			char number[9];

			snprintf(number, sizeof(number), "%08u", hostile_reads * each + i);
			memcpy(text + 9, number, 8);
		}
	} else if (hostile_reads == reads + 1) {
		assert_int_equal(topic.logs[0].next, reads * each); /* all was read, file or not */
		send_all(&ok, 1);
	} else if (hostile_reads == reads + 2) {
		check_file(&ok, "ok");
		sent_clear(&s);
		sent_clear(&ok);
	}
}

static void test_hostile_writer_before_the_first_file(void **state)
{
	hostile_reads = 0;
	topic.batch = 64;
	topic.before_read = write_hostile;
	receive_ok();
	assert_true(hostile_reads > 100);
	assert_int_equal(t.counts.foreign, topic.logs[0].n);
	assert_int_equal(t.counts.unopened, 0);
	assert_int_equal(topic.marks->at[0], topic.logs[0].n);
	assert_int_equal(topic.marks->at[1], topic.logs[1].n);
}

/* A version that the key does not have: asked once for the whole file, told once, passed by. */
static void key_version_unknown(enum seal_code code)
{
	struct sent s = sent_new("s", 5 * CHUNK), ok = sent_new("ok", 9);

	for (uint32_t i = 0; i < 5; i++) {
		struct record *r = send_chunk(&s, 0, i);

		((uint8_t *)memmem(r->value.ptr, r->value.len, "vault:v1:", 9))[7] = '9';
	}
	send_all(&ok, 0);
	kek.unwrapped = 0;
	kek.version_code = code;
	receive_ok();
	assert_int_equal(kek.unwrapped, 2);
	assert_int_equal(t.counts.foreign, 5);
	assert_int_equal(t.foreign, 1);
	assert_string_equal(t.foreign_place, "files/0/0");
	check_file(&ok, "ok");
	assert_int_equal(count_files(), 1);
	sent_clear(&s);
	sent_clear(&ok);
}

static void test_key_version_unknown(void **state)
{
	key_version_unknown(SEAL_E_KEY_VERSION);
}

static void test_key_version_below_minimum(void **state)
{
	key_version_unknown(SEAL_E_KEY_MINIMUM);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_file),
		T(test_modes),
		T(test_sizes),
		T(test_shuffled_repeated_interleaved),
		T(test_tampered),
		T(test_every_byte),
		T(test_given_up),
		T(test_given_up_once),
		T(test_interrupted_and_resumed),
		T(test_queue_in_any_order_and_twice),
		T(test_queue_goes_on_after_a_restart),
		T(test_queue_with_a_wrong_key),
		T(test_skipped_without_decrypting),
		T(test_resumed_as_another_file),
		T(test_whole_ones_are_dropped),
		T(test_names),
		T(test_taken_names),
		T(test_overwrite),
		T(test_too_large),
		T(test_larger_than_files_can_be),
		T(test_size_that_lies),
		T(test_behind_the_last),
		T(test_many_at_once),
		T(test_parked_and_lost),
		T(test_max_files),
		T(test_key_away),
		T(test_key_away_for_too_long),
		T(test_stop_while_waiting),
		T(test_key_denied),
		T(test_wrong_key),
		T(test_hostile_writer_before_the_first_file),
		T(test_key_version_unknown),
		T(test_key_version_below_minimum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
