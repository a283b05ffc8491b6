/* What a receiver is made of: sets of chunks, sets of ids, parts and their states, the log of whole transfers. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "transfer/id_set.h"
#include "transfer/partial.h"
#include "transfer/received.h"

static char dir[64];
static int dir_fd;

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "%s/sealpartsXXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir_fd >= 0);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int teardown(void **state)
{
	close(dir_fd);
	return nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- ranges ---- */

static void expect_missing(const struct ranges *set, uint64_t total, size_t room, const char *want)
{
	char text[128];

	assert_true(room <= sizeof(text));
	memset(text, 'X', sizeof(text));
	ranges_missing_text(set, total, text, room);
	assert_string_equal(text, want);
	assert_true(strlen(text) < room);
}

/* Against a plain array, in a fixed shuffle. */
static void test_ranges(void **state)
{
	enum { N = 300 };
	struct ranges set = {0};
	bool plain[N] = {false};
	uint32_t seed = 7;

	for (int step = 0; step < 2000; step++) {
		uint32_t i;
		size_t count = 0;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % N;
		assert_int_equal(ranges_has(&set, i), plain[i]);
		plain[i] = true;
		assert_int_equal(ranges_add(&set, i, NULL), SEAL_OK);
		for (size_t k = 0; k < N; k++)
			count += plain[k];
		assert_int_equal(ranges_count(&set), count);
		for (size_t k = 1; k < set.n; k++)
			assert_true(set.at[k - 1].from < set.at[k - 1].to && set.at[k - 1].to < set.at[k].from);
	}
	for (uint32_t k = 0; k < N; k++)
		assert_int_equal(ranges_has(&set, k), plain[k]);
	ranges_clear(&set);
}

static void test_ranges_are_bounded(void **state)
{
	struct ranges set = {0};
	struct seal_err err = SEAL_ERR_INIT;

	for (uint64_t i = 0; i < RANGES_MAX; i++)
		assert_int_equal(ranges_add(&set, i * 2, &err), SEAL_OK);
	assert_int_equal(ranges_add(&set, RANGES_MAX * 2, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(ranges_count(&set), RANGES_MAX);
	assert_int_equal(ranges_add(&set, 1, &err), SEAL_OK); /* closes a gap */
	assert_int_equal(set.n, RANGES_MAX - 1);
	ranges_clear(&set);
}

static void test_missing_text(void **state)
{
	struct ranges set = {0};

	expect_missing(&set, 3, 128, "0-2");
	expect_missing(&set, 0, 128, "0-");
	assert_int_equal(ranges_add(&set, 1, NULL), SEAL_OK);
	expect_missing(&set, 2, 128, "0");
	expect_missing(&set, 10, 128, "0, 2-9");
	expect_missing(&set, 0, 128, "0, 2-");
	for (uint64_t i = 5; i < 100; i += 2)
		assert_int_equal(ranges_add(&set, i, NULL), SEAL_OK);
	expect_missing(&set, 100, 20, "0, 2-4, 6, 8, …");
	expect_missing(&set, 100, 12, "0, 2-4, …");
	ranges_clear(&set);
}

/* ---- ids ---- */

static void test_id_set(void **state)
{
	struct id_set set = {0};
	uint8_t id[FILE_ID_LEN] = {0};

	assert_false(id_set_has(&set, id));
	assert_int_equal(id_set_add(&set, id, NULL), SEAL_OK); /* that of zeros */
	assert_true(id_set_has(&set, id));
	for (uint32_t i = 1; i <= 100000; i++) {
		be32_store(id + (i % 4) * 4, i);
		assert_int_equal(id_set_add(&set, id, NULL), SEAL_OK);
		assert_int_equal(id_set_add(&set, id, NULL), SEAL_OK);
		memset(id, 0, sizeof(id));
	}
	assert_int_equal(set.n, 100000);
	assert_true(set.n_slots * FILE_ID_LEN <= 4 << 20);
	for (uint32_t i = 1; i <= 100100; i++) {
		be32_store(id + (i % 4) * 4, i);
		assert_int_equal(id_set_has(&set, id), i <= 100000);
		memset(id, 0, sizeof(id));
	}
	id_set_clear(&set);
}

/* ---- states ---- */

static void test_state_text(void **state)
{
	struct partial p = {.fd = -1, .chunks = 9, .size = 8500}, again = PARTIAL_INIT;
	struct seal_buf text = BUF_INIT(1 << 20);

	memset(p.meta, 0xab, sizeof(p.meta));
	assert_int_equal(ranges_append(&p.have, 0, 3, NULL), SEAL_OK);
	assert_int_equal(ranges_append(&p.have, 5, 9, NULL), SEAL_OK);
	assert_int_equal(partial_state_write(&p, &text, NULL), SEAL_OK);
	assert_true(partial_state_parse(buf_bytes(&text), &again));
	assert_int_equal(again.chunks, 9);
	assert_int_equal(again.size, 8500);
	assert_int_equal(again.have.n, 2);
	assert_int_equal(again.have.at[1].to, 9);
	assert_memory_equal(again.meta, p.meta, sizeof(p.meta));
	ranges_clear(&again.have);
	/* every flipped bit and every cut is no state */
	for (size_t i = 0; i < text.len; i++) {
		struct partial bad = PARTIAL_INIT;

		text.ptr[i] ^= 1;
		if (partial_state_parse(buf_bytes(&text), &bad))
			fail_msg("a state with byte %zu changed was believed", i);
		assert_int_equal(bad.have.n, 0);
		text.ptr[i] ^= 1;
		assert_false(partial_state_parse(bytes_of(text.ptr, i), &bad));
		assert_int_equal(bad.have.n, 0);
	}
	ranges_clear(&p.have);
	buf_clear(&text);
}

static void test_part_names(void **state)
{
	uint8_t id[FILE_ID_LEN];

	assert_true(partial_name_parse("00112233445566778899aabbccddeeff.part", id));
	assert_int_equal(id[1], 0x11);
	assert_true(partial_name_parse("00112233445566778899aabbccddeeff-15.part", id));
	assert_false(partial_name_parse("00112233445566778899aabbccddeeff-16.part", id));
	assert_false(partial_name_parse("00112233445566778899aabbccddeeff-01.part", id));
	assert_false(partial_name_parse("00112233445566778899AABBCCDDEEFF.part", id));
	assert_false(partial_name_parse("00112233445566778899aabbccddeeff.state", id));
	assert_false(partial_name_parse("0011.part", id));
	assert_false(partial_name_parse("received", id));
}

static void test_part_goes_on(void **state)
{
	uint8_t id[FILE_ID_LEN] = {1}, meta[SHA256_LEN] = {2}, other[SHA256_LEN] = {3};
	struct partial p, second;
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p, &err), SEAL_OK);
	assert_int_equal(partial_write(&p, 1024, BYTES_LIT("hello"), &err), SEAL_OK);
	assert_int_equal(ranges_add(&p.have, 1, &err), SEAL_OK);
	assert_int_equal(partial_save(&p, &err), SEAL_OK);
	/* held: another one gets a part of its own */
	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &second, &err), SEAL_OK);
	assert_string_equal(second.stem + 32, "-1");
	assert_int_equal(second.have.n, 0);
	partial_remove(&second);
	partial_close(&p);
	assert_int_equal(partial_open(dir_fd, id, other, 1024, &p, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_TAMPERED);
	err_clear(&err);
	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p, &err), SEAL_OK);
	assert_true(ranges_has(&p.have, 1) && !ranges_has(&p.have, 0));
	/* a part that is shorter than its state says is begun anew */
	assert_int_equal(ftruncate(p.fd, 1000), 0);
	partial_close(&p);
	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p, &err), SEAL_OK);
	assert_int_equal(p.have.n, 0);
	partial_remove(&p);
	assert_int_equal(faccessat(dir_fd, "01000000000000000000000000000000.part", F_OK, 0), -1);
}

static void test_all_parts_held(void **state)
{
	uint8_t id[FILE_ID_LEN] = {1}, meta[SHA256_LEN] = {2};
	struct partial p[17];
	struct seal_err err = SEAL_ERR_INIT;

	for (int i = 0; i < 16; i++)
		assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p[i], &err), SEAL_OK);
	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p[16], &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_BUSY);
	for (int i = 0; i < 16; i++)
		partial_close(&p[i]);
}

static void test_times(void **state)
{
	const int64_t times[] = {0, -1, -1500000000, 1234567890123456789, INT64_MIN, INT64_MAX};
	uint8_t id[FILE_ID_LEN] = {1}, meta[SHA256_LEN] = {2};
	struct partial p;
	struct stat st;

	assert_int_equal(partial_open(dir_fd, id, meta, 1024, &p, NULL), SEAL_OK);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_int_equal(partial_complete(&p, 0, times[i], NULL), SEAL_OK);
		assert_int_equal(fstat(p.fd, &st), 0);
		if (i < 4)
			assert_true((__int128)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == times[i]);
	}
	partial_close(&p);
}

/* ---- the log ---- */

static void log_write(const char *text)
{
	int fd = openat(dir_fd, "received", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool log_has(struct received *r, uint8_t last)
{
	uint8_t id[FILE_ID_LEN] = {0};
	bool has;

	id[FILE_ID_LEN - 1] = last;
	assert_int_equal(received_has(r, id, &has, NULL), SEAL_OK);
	return has;
}

static void log_add(struct received *r, uint8_t last)
{
	uint8_t id[FILE_ID_LEN] = {0};

	id[FILE_ID_LEN - 1] = last;
	assert_int_equal(received_lock(r, NULL), SEAL_OK);
	assert_int_equal(received_done(r, id, BYTES_LIT("name with space"), NULL), SEAL_OK);
	assert_int_equal(received_flush(r, NULL), SEAL_OK);
	received_unlock(r);
}

#define ID(last) "000000000000000000000000000000" last

static void test_log(void **state)
{
	struct received *a, *b;
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(received_open(dir_fd, &a, NULL), SEAL_OK);
	assert_int_equal(received_open(dir_fd, &b, NULL), SEAL_OK);
	assert_false(log_has(a, 1));
	log_add(a, 1);
	assert_true(log_has(a, 1) && log_has(b, 1)); /* one that another wrote is seen, too */
	log_add(b, 2);
	assert_true(log_has(a, 2));
	assert_int_equal(received_lock(a, NULL), SEAL_OK);
	assert_int_equal(received_lock(b, &err), SEAL_RETRY);
	assert_int_equal(err.code, SEAL_E_BUSY);
	received_unlock(a);
	/* a process that died while it wrote */
	log_write("done " ID("03") " whole\ndone " ID("04"));
	assert_true(log_has(a, 3));
	assert_false(log_has(a, 4));
	log_add(b, 5);
	assert_true(log_has(a, 5));
	received_close(a);
	received_close(b);
	assert_int_equal(received_open(dir_fd, &a, NULL), SEAL_OK);
	assert_int_equal(received_count(a), 5); /* with the torn one, which was nearly there */
	received_close(a);
}

/* Lines that mean nothing are passed by. */
static void test_strange_lines(void **state)
{
	struct received *r;

	log_write("sealstream received 1\n\n\ndone\ndone zz\ndone " ID("0") "\ndone " ID("01") "x\nnew " ID(
		"02") " of a newer release\ntake " ID("03") "\ntake " ID("04") " \ndone " ID("05") "\n");
	assert_int_equal(received_open(dir_fd, &r, NULL), SEAL_OK);
	assert_int_equal(received_count(r), 1);
	assert_true(log_has(r, 5));
	received_close(r);
}

/* `take` without `done`: done where its part is gone, else not. */
static void test_taken(void **state)
{
	struct received *r;

	close(openat(dir_fd, ID("01") ".part", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(openat(dir_fd, ID("03") ".part", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(linkat(dir_fd, ID("03") ".part", dir_fd, "final", 0), 0);
	log_write(
		"take " ID("01") " " ID("01") " there\ntake " ID("02") " " ID("02") "-1 gone\ntake " ID("03") " " ID(
			"03") " linked\ntake " ID("04") " ../../etc/passwd evil\ntake " ID("05") " " ID("06") " anoth"
													      "er'"
													      "s\n");
	assert_int_equal(received_open(dir_fd, &r, NULL), SEAL_OK);
	assert_false(log_has(r, 1));
	assert_true(log_has(r, 2));
	assert_true(log_has(r, 3));
	assert_false(log_has(r, 4) || log_has(r, 5));
	assert_int_equal(faccessat(dir_fd, ID("03") ".part", F_OK, 0), -1);
	assert_int_equal(faccessat(dir_fd, "final", F_OK, 0), 0);
	received_close(r);
}

/* A log with too many ids is written anew with the newer half, and others notice. */
static void test_log_is_bounded(void **state)
{
	struct received *a, *b;
	FILE *file;
	char path[100];
	struct stat st;
	uint8_t id[FILE_ID_LEN] = {0};
	bool has;

	snprintf(path, sizeof(path), "%s/received", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("sealstream received 1\n", file);
	for (unsigned i = 1; i < RECEIVED_MAX; i++)
		fprintf(file, "done 000000000000000000000000%08x some name\n", i);
	fclose(file);
	assert_int_equal(received_open(dir_fd, &a, NULL), SEAL_OK);
	assert_int_equal(received_count(a), RECEIVED_MAX - 1);
	assert_int_equal(received_open(dir_fd, &b, NULL), SEAL_OK);
	be32_store(id + 12, RECEIVED_MAX);
	assert_int_equal(received_lock(a, NULL), SEAL_OK);
	assert_int_equal(received_done(a, id, BYTES_EMPTY, NULL), SEAL_OK);
	assert_int_equal(received_flush(a, NULL), SEAL_OK);
	assert_int_equal(received_has(a, id, &has, NULL), SEAL_OK);
	assert_true(has);
	assert_int_equal(received_tidy(a, NULL), SEAL_OK);
	received_unlock(a);
	assert_int_equal(received_count(a), RECEIVED_MAX / 2);
	assert_true(log_has(a, 0) == false);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, RECEIVED_MAX / 2 * 38, RECEIVED_MAX / 2 * 38 + 100);
	be32_store(id + 12, 77); /* an old one: the other looks, and finds a new log */
	assert_int_equal(received_has(b, id, &has, NULL), SEAL_OK);
	be32_store(id + 12, RECEIVED_MAX);
	assert_int_equal(received_has(b, id, &has, NULL), SEAL_OK);
	assert_true(has);
	log_add(b, 200);
	assert_true(log_has(a, 200));
	received_close(a);
	received_close(b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_ranges),		T(test_ranges_are_bounded),
		T(test_missing_text),	T(test_id_set),
		T(test_state_text),	T(test_part_names),
		T(test_part_goes_on),	T(test_all_parts_held),
		T(test_times),		T(test_log),
		T(test_strange_lines),	T(test_taken),
		T(test_log_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
