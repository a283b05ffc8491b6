/* Files in memory, protected and revealed over a keyring of the test's own. */
#ifndef TESTS_FILE_FIXTURE_H
#define TESTS_FILE_FIXTURE_H

#include "keyring_fixture.h"

#include <sys/mman.h>

#include "base/file.h"
#include "files/file_protect.h"
#include "files/file_reveal.h"

#define CHUNK FILE_CHUNK_MIN

struct file_fixture {
	struct fixture f;
	struct key *key;
	struct key_session *kek;
	uint8_t plain[8 * CHUNK]; /* of any file, from its start */
	struct seal_buf out; /* what the last run wrote */
	int64_t mtime_ns; /* of the last reveal */
	int (*stop)(void);
};

static inline void files_open(struct file_fixture *x)
{
	memset(x, 0, sizeof(*x));
	fixture_open(&x->f);
	fixture_create(&x->f, "pii", "aes256-gcm96");
	x->key = fixture_key(&x->f, "pii");
	x->kek = fixture_session(&x->f, x->key);
	x->out.max = 1 << 24;
	for (size_t i = 0; i < sizeof(x->plain); i++)
		x->plain[i] = (uint8_t)(i * 7 + i / 251);
}

static inline void files_close(struct file_fixture *x)
{
	buf_clear(&x->out);
	x->kek->ops->free(x->kek);
	x->key->ops->free(x->key);
	fixture_close(&x->f);
}

/* `regular` false: as from a pipe, without size and places. */
static inline struct file_input files_input(struct file_fixture *x, struct seal_bytes bytes, bool regular)
{
	struct file_input in = {.fd = memfd_create("in", MFD_CLOEXEC),
				.path = "in",
				.regular = regular,
				.size = regular ? bytes.len : 0,
				.mtime_ns = regular ? 1500000000123456789 : INT64_MIN,
				.stop = x->stop};

	assert_true(in.fd > 2);
	assert_int_equal(pwrite(in.fd, bytes.ptr, bytes.len, 0), bytes.len);
	return in;
}

static inline struct file_target files_target(void)
{
	struct file_target out = {.fd = memfd_create("out", MFD_CLOEXEC), .dirfd = -1, .path = "out"};

	assert_true(out.fd > 2);
	return out;
}

/* What was written goes to x->out. */
static inline void files_take(struct file_fixture *x, struct file_input *in, struct file_target *out)
{
	buf_reset(&x->out);
	assert_int_equal(lseek(out->fd, 0, SEEK_SET), 0);
	assert_int_equal(file_read_fd(out->fd, "out", &x->out, NULL), SEAL_OK);
	assert_int_equal(x->out.len, out->written);
	close(out->fd);
	file_input_close(in);
}

static inline enum seal_status files_protect(struct file_fixture *x, struct seal_bytes plain, bool regular)
{
	struct file_input in = files_input(x, plain, regular);
	struct file_target out = files_target();
	const struct file_protect how = {.in = &in,
					 .out = &out,
					 .name = BYTES_LIT("n.csv"),
					 .media_type = BYTES_LIT("text/csv"),
					 .chunk_size = CHUNK,
					 .kek = x->kek,
					 .call = &x->f.call};
	enum seal_status rc = file_protect(&how, &x->f.err);

	files_take(x, &in, &out);
	arena_reset(&x->f.arena);
	return rc;
}

/* `part` NULL: all of it. */
static inline enum seal_status files_reveal(struct file_fixture *x, struct seal_bytes sealed, bool regular,
					    const uint64_t part[2])
{
	struct file_input in = files_input(x, sealed, regular);
	struct file_target out = files_target();
	const struct file_reveal how = {.in = &in,
					.out = &out,
					.kek = x->kek,
					.call = &x->f.call,
					.part = part != NULL,
					.offset = part ? part[0] : 0,
					.length = part ? part[1] : 0};
	enum seal_status rc = file_reveal(&how, &x->mtime_ns, &x->f.err);

	files_take(x, &in, &out);
	arena_reset(&x->f.arena);
	return rc;
}

/* A copy of what was written, for the caller to free. */
static inline struct seal_bytes files_copy(const struct file_fixture *x)
{
	uint8_t *copy = mem_dup(x->out.ptr, x->out.len);

	assert_non_null(copy);
	return bytes_of(copy, x->out.len);
}

/* After a reveal: is what was written the beginning of the file, and no more than whole chunks? */
static inline bool files_only_verified(const struct file_fixture *x)
{
	return x->out.len <= sizeof(x->plain) && x->out.len % CHUNK == 0 &&
	       (x->out.len == 0 || memcmp(x->out.ptr, x->plain, x->out.len) == 0);
}

#endif
