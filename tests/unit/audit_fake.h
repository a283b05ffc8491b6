/* A target of audit trails that does as it is told, a meter that counts, and files in a directory that goes away. */
#ifndef TESTS_UNIT_AUDIT_FAKE_H
#define TESTS_UNIT_AUDIT_FAKE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "audit/check.h"
#include "base/mem.h"

struct fake {
	struct audit_target base;
	atomic_int fail_at; /* this append, from 1 */
	atomic_int appends, enters, leaves, closes, failed;
	struct seal_buf text;
	struct audit_link *say; /* what enter finds; NULL: nothing */
};

static struct fake fake;

static inline enum seal_status fake_enter(struct audit_target *target, struct audit_link *link, uint64_t *cut,
					  struct seal_err *err)
{
	(void)target;
	(void)err;
	atomic_fetch_add(&fake.enters, 1);
	if (fake.say != NULL) {
		*link = *fake.say;
		*cut = 7;
	}
	return SEAL_OK;
}

static inline enum seal_status fake_append(struct audit_target *target, const struct audit_link *link,
					   struct seal_bytes line, struct seal_err *err)
{
	(void)target;
	(void)link;
	if (atomic_fetch_add(&fake.appends, 1) + 1 == atomic_load(&fake.fail_at))
		return err_set(err, SEAL_FATAL, SEAL_E_IO, "no room");
	return buf_append(&fake.text, line, err);
}

static inline void fake_leave(struct audit_target *target)
{
	(void)target;
	atomic_fetch_add(&fake.leaves, 1);
}

static inline void fake_close(struct audit_target *target)
{
	(void)target;
	atomic_fetch_add(&fake.closes, 1);
}

static const struct audit_target_ops fake_ops = {
	.name = "fake", .enter = fake_enter, .append = fake_append, .leave = fake_leave, .close = fake_close};

static inline void on_failed(void *arg)
{
	(void)arg;
	atomic_fetch_add(&fake.failed, 1);
}

static inline struct audit *start(uint64_t interval_ms)
{
	const struct audit_options options = {.interval_ms = interval_ms, .failed = on_failed};
	struct seal_err err = SEAL_ERR_INIT;
	struct audit *audit;

	fake = (struct fake){.base.ops = &fake_ops, .text = BUF_INIT(1 << 20)};
	assert_int_equal(audit_new(&fake.base, &options, &audit, &err), SEAL_OK);
	return audit;
}

/* All lines are one whole chain. Returns how many there are. */
static inline uint64_t check_text(void)
{
	struct seal_bytes rest = buf_bytes(&fake.text);
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_check check;
	uint64_t lines;

	audit_check_init(&check, &(struct audit_check_options){.n_expect = 0});
	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.ptr, '\n', rest.len);

		assert_non_null(newline);
		assert_int_equal(audit_check_line(&check, bytes_of(rest.ptr, (size_t)(newline - rest.ptr)), "", &err),
				 SEAL_OK);
		rest = bytes_skip(rest, (size_t)(newline - rest.ptr) + 1);
	}
	audit_check_end(&check);
	assert_int_equal(check.faults, 0);
	lines = check.lines;
	audit_check_clear(&check);
	return lines;
}

static inline void end(struct audit *audit)
{
	audit_free(audit);
	assert_int_equal(atomic_load(&fake.closes), 1);
	assert_int_equal(atomic_load(&fake.enters), atomic_load(&fake.leaves));
	buf_clear(&fake.text);
}

struct counter {
	struct audit_meter meter;
	atomic_int count; /* used so far */
	int told;
	atomic_int reads;
};

static inline enum seal_status read_counter(struct audit_meter *meter, struct audit *audit, struct seal_err *err)
{
	struct counter *c = (struct counter *)meter;
	const int now = atomic_load(&c->count);
	enum seal_status rc = SEAL_OK;

	if (now != c->told)
		rc = audit_append(audit, "use", BYTES_EMPTY, err);
	if (rc == SEAL_OK)
		c->told = now;
	atomic_fetch_add(&c->reads, 1);
	return rc;
}

static inline void wait_until(atomic_int *value, int least)
{
	const struct timespec pause = {0, 1000000};

	while (atomic_load(value) < least)
		(void)nanosleep(&pause, NULL);
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

struct dir {
	char path[64], file[96];
};

static inline int setup(void **state)
{
	struct dir *d = calloc(1, sizeof(*d));

	snprintf(d->path, sizeof(d->path), "%s/sealauditXXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->file, sizeof(d->file), "%s/audit.log", d->path);
	*state = d;
	return 0;
}

static inline int teardown(void **state)
{
	struct dir *d = *state;

	assert_int_equal(nftw(d->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(d);
	return 0;
}

static inline struct audit *open_file(const char *path)
{
	const struct audit_options options = {.interval_ms = 60000};
	struct seal_err err = SEAL_ERR_INIT;
	struct audit_target *target;
	struct audit *audit;

	assert_int_equal(audit_file_open(path, &target, &err), SEAL_OK);
	assert_int_equal(audit_new(target, &options, &audit, &err), SEAL_OK);
	return audit;
}

#endif
