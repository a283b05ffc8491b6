/* audit: whichever allocation fails, the trail stays whole, or says that it is not written. */
#include "audit_fake.h"

#include "base/file.h"
#include "oom.h"

static enum seal_status write_trail(void *arg, struct seal_err *err)
{
	const struct audit_options options = {.interval_ms = 60000};
	struct counter counter = {.meter.read = read_counter};
	const struct dir *d = arg;
	struct seal_buf members = BUF_INIT(1000);
	struct audit_target *target;
	struct audit *audit = NULL;
	enum seal_status rc;

	SEAL_TRY(audit_file_open(d->file, &target, err));
	SEAL_TRY(audit_new(target, &options, &audit, err));
	SEAL_TRY(audit_put_text(&members, "key", "local:pii", err));
	SEAL_TRY(audit_append(audit, "start", buf_bytes(&members), err));
	atomic_store(&counter.count, 1);
	audit_meter_add(audit, &counter.meter);
	rc = audit_meter_remove(audit, &counter.meter, err);
out:
	audit_free(audit);
	buf_clear(&members);
	return rc;
}

static enum seal_status check_trail(void *arg, struct seal_err *err)
{
	struct seal_bytes rest = *(const struct seal_bytes *)arg;
	struct audit_check check;
	enum seal_status rc = SEAL_OK;

	audit_check_init(&check, &(struct audit_check_options){.n_expect = 0});
	while (rest.len > 0 && rc == SEAL_OK) {
		const uint8_t *newline = memchr(rest.ptr, '\n', rest.len);
		const size_t len = (size_t)(newline - rest.ptr);

		rc = audit_check_line(&check, bytes_of(rest.ptr, len), "", err);
		rest = bytes_skip(rest, len + 1);
	}
	audit_check_clear(&check);
	return rc;
}

static void test_trail(void **state)
{
	struct dir *d = *state;
	struct seal_buf text = BUF_INIT(1 << 20);
	struct seal_err err = SEAL_ERR_INIT;
	struct seal_bytes view;

	assert_true(oom_each(write_trail, d) > 5);
	assert_int_equal(file_read(d->file, &text, &err), SEAL_OK);
	fake.text = text;
	assert_true(check_text() > 4);
	view = buf_bytes(&text);
	assert_true(oom_each(check_trail, &view) > 2);
	buf_clear(&text);
}

static enum seal_status open_syslog(void *arg, struct seal_err *err)
{
	struct audit_target *target;
	enum seal_status rc = audit_syslog_open(arg, &target, err);

	if (rc == SEAL_OK)
		target->ops->close(target);
	return rc;
}

static void test_syslog(void **state)
{
	char path[] = "/no/such/socket";

	(void)state;
	assert_int_equal(oom_each(open_syslog, path), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trail, setup, teardown),
		cmocka_unit_test(test_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
