/* files/file_protect.h, file_reveal.h, file_input.h, file_target.h, media_type.h: files and pipes, whole and in parts. */
#include "file_fixture.h"

#include <sys/time.h>

#include "files/media_type.h"

static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5};

static void sizes_come_back(void **state)
{
	struct file_fixture x;

	files_open(&x);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int way = 0; way < 4; way++) {
			struct seal_bytes plain = bytes_of(x.plain, sizes[s]), sealed;

			OK(&x.f, files_protect(&x, plain, way & 1));
			sealed = files_copy(&x);
			OK(&x.f, files_reveal(&x, sealed, way & 2, NULL));
			assert_true(bytes_eq(buf_bytes(&x.out), plain));
			assert_true(x.mtime_ns == (way & 1 ? 1500000000123456789 : INT64_MIN));
			mem_free((void *)sealed.ptr);
		}
	files_close(&x);
}

static void parts_come_back(void **state)
{
	static const uint64_t at[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7, UINT64_MAX};
	struct file_fixture x;

	files_open(&x);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int known = 0; known < 2; known++) {
			struct seal_bytes sealed;

			OK(&x.f, files_protect(&x, bytes_of(x.plain, sizes[s]), known));
			sealed = files_copy(&x);
			for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
				for (size_t j = 0; j < sizeof(at) / sizeof(at[0]); j++) {
					const uint64_t part[2] = {at[i], at[j]}, size = sizes[s];
					size_t want = part[0] > size		 ? 0
						      : part[1] < size - part[0] ? part[1]
										 : size - part[0];

					if (part[0] > size) {
						FAILS(&x.f, files_reveal(&x, sealed, true, part), SEAL_USAGE,
						      SEAL_E_USAGE, "beyond the end");
						continue;
					}
					OK(&x.f, files_reveal(&x, sealed, true, part));
					assert_true(bytes_eq(buf_bytes(&x.out), bytes_of(x.plain + part[0], want)));
				}
			FAILS(&x.f, files_reveal(&x, sealed, false, at), SEAL_USAGE, SEAL_E_USAGE, "regular file");
			mem_free((void *)sealed.ptr);
		}
	files_close(&x);
}

/* Only the chunks of a part are read: all others may be damaged. */
static void a_part_reads_what_it_needs(void **state)
{
	const size_t full = CHUNK + FILE_TAG_LEN;
	const uint64_t inside[2] = {CHUNK + 10, CHUNK - 20}, over[2] = {CHUNK + 10, CHUNK};
	struct seal_bytes sealed;
	struct file_fixture x;
	uint8_t *body;

	files_open(&x);
	OK(&x.f, files_protect(&x, bytes_of(x.plain, 4 * CHUNK), true));
	sealed = files_copy(&x);
	body = (uint8_t *)sealed.ptr + sealed.len - 4 * full;
	body[0] ^= 1;
	body[2 * full] ^= 1;
	body[3 * full] ^= 1;
	OK(&x.f, files_reveal(&x, sealed, true, inside));
	assert_true(bytes_eq(buf_bytes(&x.out), bytes_of(x.plain + inside[0], (size_t)inside[1])));
	FAILS(&x.f, files_reveal(&x, sealed, true, over), SEAL_DATA, SEAL_E_TAMPERED, "chunk 2");
	mem_free((void *)sealed.ptr);
	files_close(&x);
}

static void errors_of_reading(void **state)
{
	struct file_input in;
	struct file_fixture x;

	files_open(&x);
	FAILS(&x.f, file_input_open("/nowhere/x", NULL, &in, &x.f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "/nowhere/x");
	assert_int_equal(in.fd, -1);
	FAILS(&x.f, file_input_open(x.f.dir, NULL, &in, &x.f.err), SEAL_USAGE, SEAL_E_NO_INPUT, "is a directory");
	assert_int_equal(in.fd, -1);
	FAILS(&x.f, files_reveal(&x, BYTES_LIT("PK\3\4"), true, NULL), SEAL_DATA, SEAL_E_SYNTAX,
	      "no sealstream container");
	FAILS(&x.f, files_reveal(&x, BYTES_EMPTY, true, NULL), SEAL_DATA, SEAL_E_SYNTAX, "after 0 bytes");
	FAILS(&x.f, files_reveal(&x, BYTES_LIT("SEALFILE\1"), false, NULL), SEAL_DATA, SEAL_E_SYNTAX,
	      "after 9 bytes");
	files_close(&x);
}

static void sizes_are_compared_first(void **state)
{
	struct seal_bytes sealed;
	struct file_fixture x;

	files_open(&x);
	OK(&x.f, files_protect(&x, bytes_of(x.plain, 3 * CHUNK), true));
	OK(&x.f, buf_append_u8(&x.out, 0, &x.f.err));
	sealed = files_copy(&x);
	FAILS(&x.f, files_reveal(&x, sealed, true, NULL), SEAL_DATA, SEAL_E_TAMPERED, "1 byte after its end");
	assert_int_equal(x.out.len, 0);
	FAILS(&x.f, files_reveal(&x, bytes_of(sealed.ptr, sealed.len - 3), true, NULL), SEAL_DATA, SEAL_E_TAMPERED,
	      "2 bytes are missing");
	FAILS(&x.f, files_reveal(&x, bytes_of(sealed.ptr, sealed.len - 2), true, NULL), SEAL_DATA, SEAL_E_TAMPERED,
	      "1 byte is missing");
	assert_int_equal(x.out.len, 0);
	/* From a pipe it is found on the way, and whoever reads the output hears it. */
	FAILS(&x.f, files_reveal(&x, sealed, false, NULL), SEAL_DATA, SEAL_E_TAMPERED,
	      "what was written is not the whole file (2048 bytes of it)");
	assert_true(x.out.len == 2 * CHUNK && files_only_verified(&x));
	mem_free((void *)sealed.ptr);
	files_close(&x);
}

/* The input's stop function is called before each read: a place to change the file in the middle. */
static struct {
	int fd, calls, at;
	off_t size;
} changer;

static int change_then(void)
{
	if (++changer.calls == changer.at)
		assert_int_equal(ftruncate(changer.fd, changer.size), 0);
	return 0;
}

static void a_file_that_changes(void **state)
{
	static const struct {
		off_t size;
		const char *part;
	} cases[] = {{2 * CHUNK, "last chunk"}, {3 * CHUNK - 1, "another size"}, {5 * CHUNK, "fewer chunks"}};
	struct file_fixture x;

	files_open(&x);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct file_input in = files_input(&x, bytes_of(x.plain, 3 * CHUNK), true);
		struct file_target out = files_target();
		const struct file_protect how = {
			.in = &in, .out = &out, .chunk_size = CHUNK, .kek = x.kek, .call = &x.f.call};

		in.stop = change_then;
		changer.fd = in.fd;
		changer.calls = 0;
		changer.at = 2;
		changer.size = cases[i].size;
		err_clear(&x.f.err);
		assert_int_equal(file_protect(&how, &x.f.err), SEAL_DATA);
		assert_non_null(strstr(x.f.err.text, "change while it was read"));
		files_take(&x, &in, &out);
	}
	files_close(&x);
}

static int stop_now(void)
{
	return 15;
}

static void a_stop_is_heard(void **state)
{
	struct seal_bytes sealed;
	struct file_fixture x;

	files_open(&x);
	OK(&x.f, files_protect(&x, bytes_of(x.plain, CHUNK), true));
	sealed = files_copy(&x);
	x.stop = stop_now;
	FAILS(&x.f, files_protect(&x, bytes_of(x.plain, CHUNK), true), SEAL_RETRY, SEAL_E_BUSY, "stopped");
	FAILS(&x.f, files_reveal(&x, sealed, true, NULL), SEAL_RETRY, SEAL_E_BUSY, "stopped");
	assert_int_equal(x.out.len, 0);
	mem_free((void *)sealed.ptr);
	files_close(&x);
}

static size_t entries(const char *dir)
{
	char command[200], answer[20] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "ls -A '%s' | wc -l", dir);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(answer, sizeof(answer), pipe));
	pclose(pipe);
	return (size_t)strtoul(answer, NULL, 10);
}

static void targets_appear_when_whole(void **state)
{
	struct file_target t;
	struct file_fixture x;
	struct stat st;
	char path[200], dir[100];

	files_open(&x);
	snprintf(dir, sizeof(dir), "%s/out", x.f.dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	OK(&x.f, file_target_open(path, false, &t, &x.f.err));
	OK(&x.f, file_target_write(&t, BYTES_LIT("half"), &x.f.err));
	assert_true(access(path, F_OK) != 0 && entries(dir) == 1);
	file_target_close(&t);
	assert_int_equal(entries(dir), 0); /* not kept: nothing stays */

	OK(&x.f, file_target_open(path, false, &t, &x.f.err));
	OK(&x.f, file_target_write(&t, BYTES_LIT("whole"), &x.f.err));
	OK(&x.f, file_target_keep(&t, -1500000001, &x.f.err));
	file_target_close(&t);
	assert_int_equal(entries(dir), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_true((st.st_mode & 07777) == 0600 && st.st_size == 5);
	assert_true(st.st_mtim.tv_sec == -2 && st.st_mtim.tv_nsec == 499999999);

	FAILS(&x.f, file_target_open(path, false, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "--force");
	OK(&x.f, file_target_open(path, true, &t, &x.f.err));
	OK(&x.f, file_target_keep(&t, INT64_MIN, &x.f.err));
	file_target_close(&t);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size == 0 && st.st_mtim.tv_sec > 1700000000);
	files_close(&x);
}

static void somebody_else_is_first(void **state)
{
	struct file_target t;
	struct file_fixture x;
	char path[200];

	files_open(&x);
	snprintf(path, sizeof(path), "%s/file", x.f.dir);
	OK(&x.f, file_target_open(path, false, &t, &x.f.err));
	fixture_write(path, "theirs", 6, 0600);
	FAILS(&x.f, file_target_keep(&t, INT64_MIN, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "there already");
	file_target_close(&t);
	OK(&x.f, file_read(path, &x.out, &x.f.err));
	assert_true(bytes_eq_str(buf_bytes(&x.out), "theirs"));
	assert_int_equal(entries(x.f.dir), 2); /* the keyring and the file */
	files_close(&x);
}

static void places_that_cannot_be(void **state)
{
	struct file_target t;
	struct file_fixture x;
	char path[200];

	files_open(&x);
	FAILS(&x.f, file_target_open("/nowhere/x", false, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "/nowhere/x");
	FAILS(&x.f, file_target_open("/dev/null", true, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "no regular file");
	FAILS(&x.f, file_target_open("", true, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "not the name");
	snprintf(path, sizeof(path), "%s/none/", x.f.dir);
	FAILS(&x.f, file_target_open(path, true, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "not the name");
	FAILS(&x.f, file_target_open(x.f.dir, true, &t, &x.f.err), SEAL_USAGE, SEAL_E_CREATE, "no regular file");
	assert_int_equal(t.fd, -1);
	files_close(&x);
}

static void a_full_disk_is_an_error(void **state)
{
	struct seal_bytes sealed;
	struct file_fixture x;

	files_open(&x);
	OK(&x.f, files_protect(&x, bytes_of(x.plain, 3 * CHUNK), true));
	sealed = files_copy(&x);
	for (int way = 0; way < 2; way++) {
		struct file_input in = files_input(&x, way ? sealed : bytes_of(x.plain, 3 * CHUNK), true);
		struct file_target out = {.fd = open("/dev/full", O_WRONLY | O_CLOEXEC), .dirfd = -1, .path = "full"};
		const struct file_protect protect = {
			.in = &in, .out = &out, .chunk_size = CHUNK, .kek = x.kek, .call = &x.f.call};
		const struct file_reveal reveal = {.in = &in, .out = &out, .kek = x.kek, .call = &x.f.call};

		FAILS(&x.f, way ? file_reveal(&reveal, &x.mtime_ns, &x.f.err) : file_protect(&protect, &x.f.err),
		      SEAL_FATAL, SEAL_E_IO, "cannot write full");
		close(out.fd);
		file_input_close(&in);
	}
	mem_free((void *)sealed.ptr);
	files_close(&x);
}

static void media_types(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{"a.csv", "text/csv"},
		{"A.CSV", "text/csv"},
		{"x.tar.gz", "application/gzip"},
		{"photo.jpeg", "image/jpeg"},
		{"csv", "application/octet-stream"},
		{"a.", "application/octet-stream"},
		{"a.unknown", "application/octet-stream"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(media_type_of(bytes_str(cases[i].name)), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_come_back),
		cmocka_unit_test(parts_come_back),
		cmocka_unit_test(a_part_reads_what_it_needs),
		cmocka_unit_test(errors_of_reading),
		cmocka_unit_test(sizes_are_compared_first),
		cmocka_unit_test(a_file_that_changes),
		cmocka_unit_test(a_stop_is_heard),
		cmocka_unit_test(targets_appear_when_whole),
		cmocka_unit_test(somebody_else_is_first),
		cmocka_unit_test(places_that_cannot_be),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(media_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
