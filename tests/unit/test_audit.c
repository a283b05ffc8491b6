/* audit: lines and their hashes, what the check finds, how a trail ends that cannot be written. */
#include "audit_fake.h"

#include "base/file.h"

static const uint8_t run_id[AUDIT_ID_LEN] = "0123456789abcdef";

/* ---- lines ---- */

/* The bytes were made with another implementation: printf and sha256sum. */
static const char first_line[] = "{\"v\":1,\"chain\":\"30313233343536373839616263646566\",\"seq\":1,\"prev\":"
				 "\"0000000000000000000000000000000000"
				 "000000000000000000000000000000\",\"time\":\"2026-11-22T20:41:07.123Z\",\"run\":"
				 "\"303132333435363738396162636465"
				 "66\",\"event\":\"use\",\"key\":\"local:p\\\"i\",\"n\":18446744073709551615,"
				 "\"hash\":\"e4740dcf6d3c646c84ddce3c296d06a6055c89a8d3c7e079c448401098c2c3f6\"}\n";

static void test_a_line(void **state)
{
	struct seal_buf out = BUF_INIT(AUDIT_LINE_MAX + 1), members = BUF_INIT(1000);
	struct audit_link link = {.seq = 0};
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_line line;
	enum audit_line_state what;

	(void)state;
	memcpy(link.chain, run_id, sizeof(run_id));
	assert_int_equal(audit_put_text(&members, "key", "local:p\"i", &err), SEAL_OK);
	assert_int_equal(audit_put_number(&members, "n", UINT64_MAX, &err), SEAL_OK);
	assert_int_equal(audit_line_write(&out, &link, run_id, 1795380067123, "use", buf_bytes(&members), &err),
			 SEAL_OK);
	assert_int_equal(out.len, sizeof(first_line) - 1);
	assert_memory_equal(out.ptr, first_line, out.len);
	assert_int_equal(link.seq, 1);
	assert_int_equal(audit_line_parse(bytes_of(out.ptr, out.len - 1), &line, &what, &err), SEAL_OK);
	assert_int_equal(what, AUDIT_LINE_GOOD);
	assert_memory_equal(line.hash, link.hash, sizeof(link.hash));
	assert_memory_equal(line.run, run_id, sizeof(run_id));
	assert_true(bytes_eq_str(line.event, "use"));
	buf_reset(&out);
	assert_int_equal(audit_line_write(&out, &link, run_id, 1795380067124, "stop", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_line_parse(bytes_of(out.ptr, out.len - 1), &line, &what, &err), SEAL_OK);
	assert_int_equal(what, AUDIT_LINE_GOOD);
	assert_int_equal(line.seq, 2);
	buf_clear(&out);
	buf_clear(&members);
}

static void test_texts_are_made_plain(void **state)
{
	struct seal_buf members = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	char longest[AUDIT_TEXT_MAX + 10];

	(void)state;
	assert_int_equal(audit_put_text(&members, "a", "\xff\n\x1b[1m\xc3\xa9", &err), SEAL_OK);
	assert_true(bytes_eq_str(buf_bytes(&members), ",\"a\":\"???[1m\xc3\xa9\""));
	buf_reset(&members);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(audit_put_text(&members, "a", longest, &err), SEAL_OK);
	assert_int_equal(members.len, strlen(",\"a\":\"\"") + AUDIT_TEXT_MAX);
	assert_memory_equal(members.ptr + members.len - 5, "x...\"", 5);
	buf_clear(&members);
}

static void test_a_line_has_a_limit(void **state)
{
	struct seal_buf out = BUF_INIT(2 * AUDIT_LINE_MAX), members = BUF_INIT(2 * AUDIT_LINE_MAX);
	struct audit_link link = {.seq = 41};
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	for (int i = 0; i < 70; i++) {
		char text[AUDIT_TEXT_MAX + 1] = "";

		memset(text, 'x', AUDIT_TEXT_MAX);
		assert_int_equal(audit_put_text(&members, "a", text, &err), SEAL_OK);
	}
	assert_int_equal(audit_line_write(&out, &link, run_id, 0, "use", buf_bytes(&members), &err), SEAL_FATAL);
	assert_int_equal(err.code, SEAL_E_LIMIT);
	assert_int_equal(link.seq, 41);
	buf_clear(&out);
	buf_clear(&members);
}

static void test_a_failure_stays(void **state)
{
	struct audit *audit = start(60000);
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	atomic_store(&fake.fail_at, 2);
	assert_int_equal(audit_append(audit, "start", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_failure(audit, &err), SEAL_OK);
	assert_int_equal(audit_append(audit, "use", BYTES_EMPTY, &err), SEAL_FATAL);
	assert_string_equal(err.text, "no room");
	err_clear(&err);
	assert_int_equal(audit_append(audit, "stop", BYTES_EMPTY, &err), SEAL_FATAL);
	assert_string_equal(err.text, "no room");
	assert_int_equal(audit_failure(audit, &err), SEAL_FATAL);
	assert_int_equal(atomic_load(&fake.appends), 2);
	assert_int_equal(atomic_load(&fake.failed), 1);
	assert_int_equal(audit_end(audit).seq, 1); /* the one that is there */
	assert_int_equal(check_text(), 1);
	end(audit);
}

static void test_the_chain_of_the_target_goes_on(void **state)
{
	struct audit *audit = start(60000);
	struct audit_link link = {.seq = 41};
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_line line;
	enum audit_line_state what;

	(void)state;
	memcpy(link.chain, run_id, sizeof(run_id));
	memset(link.hash, 5, sizeof(link.hash));
	fake.say = &link;
	assert_int_equal(audit_append(audit, "start", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_line_parse(bytes_of(fake.text.ptr, fake.text.len - 1), &line, &what, &err), SEAL_OK);
	assert_int_equal(what, AUDIT_LINE_GOOD);
	assert_int_equal(line.seq, 42);
	assert_memory_equal(line.prev, link.hash, sizeof(link.hash));
	assert_memory_equal(line.chain, run_id, sizeof(run_id));
	assert_memory_not_equal(line.run, run_id, sizeof(run_id));
	assert_non_null(memmem(fake.text.ptr, fake.text.len, ",\"cut\":7,", 9));
	end(audit);
}

/* ---- meters ---- */

static void test_meters_are_read(void **state)
{
	struct audit *audit = start(5);
	struct counter a = {.meter.read = read_counter}, b = {.meter.read = read_counter};
	struct seal_err err = SEAL_ERR_INIT;
	int reads;

	(void)state;
	audit_meter_add(audit, &a.meter);
	audit_meter_add(audit, &b.meter);
	wait_until(&a.reads, 2);
	assert_int_equal(fake.appends, 0);
	atomic_store(&a.count, 1);
	wait_until(&fake.appends, 1);
	wait_until(&a.reads, atomic_load(&a.reads) + 3);
	assert_int_equal(atomic_load(&fake.appends), 1); /* told once */
	atomic_store(&b.count, 1);
	assert_int_equal(audit_meter_remove(audit, &b.meter, &err), SEAL_OK);
	assert_int_equal(b.told, 1);
	reads = atomic_load(&b.reads);
	wait_until(&a.reads, atomic_load(&a.reads) + 3);
	assert_int_equal(atomic_load(&b.reads), reads);
	assert_int_equal(audit_meter_remove(audit, &a.meter, &err), SEAL_OK);
	wait_until(&fake.enters, fake.appends + 3); /* without lines, too */
	assert_int_equal(check_text(), 2);
	end(audit);
}

static void test_a_meter_finds_the_failure(void **state)
{
	struct audit *audit = start(5);
	struct counter a = {.meter.read = read_counter};
	struct seal_err err = SEAL_ERR_INIT;

	(void)state;
	atomic_store(&fake.fail_at, 1);
	atomic_store(&a.count, 1);
	audit_meter_add(audit, &a.meter);
	wait_until(&fake.failed, 1);
	assert_int_equal(audit_meter_remove(audit, &a.meter, &err), SEAL_FATAL);
	assert_string_equal(err.text, "no room");
	assert_int_equal(a.told, 0);
	end(audit);
}

/* ---- files ---- */

static void write_file(const char *path, struct seal_bytes text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_int_equal(write(fd, text.ptr, text.len), text.len);
	close(fd);
}

/* Two programs that take turns, and a third that comes later; the file is cut at every byte of its last line between them. */
static void test_a_file_goes_on_wherever_it_was_cut(void **state)
{
	struct dir *d = *state;
	struct audit *one = open_file(d->file), *two = open_file(d->file);
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_buf whole = BUF_INIT(1 << 20);
	const uint8_t *last;

	assert_int_equal(audit_append(one, "start", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_append(two, "start", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_append(one, "stop", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(audit_end(one).seq, 3);
	assert_int_equal(audit_end(two).seq, 2);
	audit_free(one);
	audit_free(two);
	assert_int_equal(file_read(d->file, &whole, &err), SEAL_OK);
	last = memrchr(whole.ptr, '\n', whole.len - 1);
	for (size_t len = (size_t)(last - whole.ptr) + 1; len <= whole.len; len++) {
		const bool cut = len < whole.len;

		assert_int_equal(truncate(d->file, (off_t)len), 0);
		one = open_file(d->file);
		assert_int_equal(audit_append(one, "start", BYTES_EMPTY, &err), SEAL_OK);
		assert_int_equal(audit_end(one).seq, cut ? 3 : 4);
		audit_free(one);
		fake.text = (struct seal_buf)BUF_INIT(1 << 20);
		assert_int_equal(file_read(d->file, &fake.text, &err), SEAL_OK);
		assert_int_equal(check_text(), cut ? 3 : 4);
		buf_clear(&fake.text);
		write_file(d->file, buf_bytes(&whole));
	}
	buf_clear(&whole);
}

static void test_a_file_that_became_shorter(void **state)
{
	struct dir *d = *state;
	struct audit *audit = open_file(d->file);
	struct seal_err err = SEAL_ERR_INIT;

	assert_int_equal(audit_append(audit, "start", BYTES_EMPTY, &err), SEAL_OK);
	assert_int_equal(truncate(d->file, 0), 0);
	assert_int_equal(audit_append(audit, "use", BYTES_EMPTY, &err), SEAL_DATA);
	assert_int_equal(err.code, SEAL_E_TAMPERED);
	audit_free(audit);
}

/* As many as a trail of years has runs; with a list this would not end. */
static void test_many_ids(void **state)
{
	struct audit_ids ids = {.buckets = NULL};
	struct audit_id *found, *newest;
	uint8_t id[AUDIT_ID_LEN] = {0};
	bool added;

	for (unsigned round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 300000; i++) {
			be32_store(id + 4, i);
			assert_int_equal(audit_ids_find(&ids, id, sizeof(*found), &found, &added, NULL), SEAL_OK);
			assert_int_equal(added, round == 0);
			assert_memory_equal(found->id, id, sizeof(id));
		}
	assert_int_equal(ids.n, 300000);
	newest = ids.last;
	assert_memory_equal(newest->id, id, sizeof(id));
	be32_store(id + 4, 299998);
	assert_memory_equal(newest->before->id, id, sizeof(id));
	audit_ids_clear(&ids);
	assert_null(ids.last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line),
		cmocka_unit_test(test_texts_are_made_plain),
		cmocka_unit_test(test_a_line_has_a_limit),
		cmocka_unit_test(test_a_failure_stays),
		cmocka_unit_test(test_many_ids),
		cmocka_unit_test(test_the_chain_of_the_target_goes_on),
		cmocka_unit_test(test_meters_are_read),
		cmocka_unit_test(test_a_meter_finds_the_failure),
		cmocka_unit_test_setup_teardown(test_a_file_goes_on_wherever_it_was_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_became_shorter, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
