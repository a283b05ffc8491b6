/* files: every allocation may fail; nothing appears under a final name then, and names that are being made stay empty. */
#include "../unit/file_fixture.h"

#include "files/names.h"
#include "oom.h"

static const uint8_t zeros[2 * CHUNK];

struct work {
	struct file_fixture x;
	struct seal_bytes sealed;
	char path[200];
};

static enum seal_status protect_work(void *arg, struct seal_err *err)
{
	struct work *w = arg;
	struct file_input in = files_input(&w->x, bytes_of(zeros, sizeof(zeros)), true);
	struct file_target out;
	struct file_protect how = {.in = &in,
				   .out = &out,
				   .name = BYTES_LIT("n"),
				   .chunk_size = CHUNK,
				   .kek = w->x.kek,
				   .call = &w->x.f.call};
	enum seal_status rc;

	SEAL_TRY(file_target_open(w->path, false, &out, err));
	SEAL_TRY(file_protect(&how, err));
	SEAL_TRY(file_target_keep(&out, INT64_MIN, err));
out:
	file_target_close(&out);
	file_input_close(&in);
	arena_clear(&w->x.f.arena);
	assert_int_equal(access(w->path, F_OK) == 0, rc == SEAL_OK);
	unlink(w->path);
	return rc;
}

static enum seal_status reveal_work(void *arg, struct seal_err *err)
{
	struct work *w = arg;
	struct file_input in = files_input(&w->x, w->sealed, true);
	struct file_target out;
	struct file_reveal how = {.in = &in, .out = &out, .kek = w->x.kek, .call = &w->x.f.call};
	enum seal_status rc;

	SEAL_TRY(file_target_open(w->path, false, &out, err));
	SEAL_TRY(file_reveal(&how, &w->x.mtime_ns, err));
	SEAL_TRY(file_target_keep(&out, w->x.mtime_ns, err));
out:
	file_target_close(&out);
	file_input_close(&in);
	arena_clear(&w->x.f.arena);
	assert_int_equal(access(w->path, F_OK) == 0, rc == SEAL_OK);
	unlink(w->path);
	return rc;
}

static void streams(void **state)
{
	struct work w;

	files_open(&w.x);
	OK(&w.x.f, files_protect(&w.x, bytes_of(zeros, sizeof(zeros)), true));
	w.sealed = files_copy(&w.x);
	snprintf(w.path, sizeof(w.path), "%s/out", w.x.f.dir);
	assert_true(oom_each(protect_work, &w) > 10);
	assert_true(oom_each(reveal_work, &w) > 10);
	mem_free((void *)w.sealed.ptr);
	files_close(&w.x);
}

static enum seal_status name_work(void *arg, struct seal_err *err)
{
	struct seal_buf out = BUF_INIT(1024);
	enum seal_status rc;
	bool changed;

	SEAL_TRY(file_name_safe(BYTES_LIT("../nul.txt"), &out, &changed, err));
	buf_reset(&out);
	SEAL_TRY(file_name_numbered(BYTES_LIT("report.csv"), 2, &out, err));
out:
	if (rc != SEAL_OK)
		assert_int_equal(out.len, 0);
	buf_clear(&out);
	return rc;
}

static void names(void **state)
{
	assert_true(oom_each(name_work, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(streams), cmocka_unit_test(names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
