/*
 * Parts of files under way.
 *
 * Invariants: a part is written only by the holder of its lock; a state names no chunk that was not on disk before it was written.
 * Between opening a part and locking it, its last holder may have given it its final name: whoever got the lock looks whether the
 * name still stands for what was opened.
 */
#include "transfer/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "transfer/place.h"

#define STEMS 16 /* of one transfer: as many receivers may have it at once */
#define TRIES 8 /* for a part that comes and goes while it is opened */
#define NAME_MAX_LEN (PARTIAL_STEM_MAX + sizeof(PARTIAL_STATE))
#define STATE_HEAD "sealstream part 1\n"
#define STATE_MAX (RANGES_MAX * 52 + 1024)

/* ---- the text of a state ---- */

static enum seal_status write_hex(struct seal_buf *out, const char *word, const uint8_t *bytes, struct seal_err *err)
{
	char hex[2 * SHA256_LEN];

	hex_encode(bytes_of(bytes, SHA256_LEN), hex);
	return buf_printf(out, err, "%s %.*s\n", word, (int)sizeof(hex), hex);
}

enum seal_status partial_state_write(const struct partial *partial, struct seal_buf *out, struct seal_err *err)
{
	uint8_t sum[SHA256_LEN];
	enum seal_status rc;

	SEAL_TRY(buf_append_str(out, STATE_HEAD, err));
	SEAL_TRY(write_hex(out, "meta", partial->meta, err));
	SEAL_TRY(buf_printf(out, err, "end %" PRIu64 "\nsize %" PRIu64 "\n", partial->chunks, partial->size));
	for (size_t i = 0; i < partial->have.n; i++)
		SEAL_TRY(buf_printf(out, err, "chunks %" PRIu64 " %" PRIu64 "\n", partial->have.at[i].from,
				    partial->have.at[i].to));
	SEAL_TRY(sha256(buf_bytes(out), sum, err));
	SEAL_TRY(write_hex(out, "sum", sum, err));
out:
	return rc;
}

/* What stands after "WORD " in the next line, which is then behind; false where it is another line or is cut. */
static bool take_line(struct seal_bytes *rest, const char *word, struct seal_bytes *value)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
	struct seal_bytes line, start = bytes_str(word);

	if (end == NULL)
		return false;
	line = bytes_of(rest->ptr, (size_t)(end - rest->ptr));
	if (!bytes_starts(line, start) || line.len <= start.len || line.ptr[start.len] != ' ')
		return false;
	*value = bytes_skip(line, start.len + 1);
	*rest = bytes_skip(*rest, line.len + 1);
	return true;
}

static bool take_hex(struct seal_bytes *rest, const char *word, uint8_t *out)
{
	struct seal_bytes value;

	return take_line(rest, word, &value) && value.len == 2 * SHA256_LEN && hex_decode(value, out);
}

static bool take_number(struct seal_bytes *rest, const char *word, uint64_t *out)
{
	struct seal_bytes value;

	return take_line(rest, word, &value) && bytes_to_u64(value, UINT64_MAX, out);
}

static bool take_range(struct seal_bytes *rest, struct ranges *have)
{
	struct seal_bytes value, from;
	const uint8_t *space;
	struct range range;

	if (!take_line(rest, "chunks", &value))
		return false;
	space = memchr(value.ptr, ' ', value.len);
	if (space == NULL)
		return false;
	from = bytes_of(value.ptr, (size_t)(space - value.ptr));
	return bytes_to_u64(from, UINT32_MAX, &range.from) &&
	       bytes_to_u64(bytes_skip(value, from.len + 1), UINT32_MAX + 1ull, &range.to) && range.from < range.to &&
	       (have->n == 0 || ranges_end(have) < range.from) &&
	       ranges_append(have, range.from, range.to, NULL) == SEAL_OK;
}

bool partial_state_parse(struct seal_bytes text, struct partial *partial)
{
	struct seal_bytes rest = text, before;
	uint8_t sum[SHA256_LEN], expected[SHA256_LEN];
	bool good = bytes_starts(text, BYTES_LIT(STATE_HEAD));

	rest = bytes_skip(text, sizeof(STATE_HEAD) - 1);
	good = good && take_hex(&rest, "meta", partial->meta) && take_number(&rest, "end", &partial->chunks) &&
	       take_number(&rest, "size", &partial->size);
	while (good && bytes_starts(rest, BYTES_LIT("chunks ")))
		good = take_range(&rest, &partial->have);
	before = bytes_of(text.ptr, text.len - rest.len);
	good = good && take_hex(&rest, "sum", sum) && rest.len == 0 && sha256(before, expected, NULL) == SEAL_OK &&
	       memcmp(sum, expected, sizeof(sum)) == 0;
	good = good && (partial->chunks == 0 || ranges_end(&partial->have) <= partial->chunks);
	if (!good)
		ranges_clear(&partial->have);
	return good;
}

/* ---- names ---- */

static void name_of(const struct partial *partial, const char *suffix, char out[NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "%s%s", partial->stem, suffix);
}

static void stem_of(const uint8_t *id, unsigned number, char out[PARTIAL_STEM_MAX])
{
	char hex[2 * FILE_ID_LEN];

	hex_encode(bytes_of(id, FILE_ID_LEN), hex);
	if (number == 0)
		snprintf(out, PARTIAL_STEM_MAX, "%.*s", (int)sizeof(hex), hex);
	else
		snprintf(out, PARTIAL_STEM_MAX, "%.*s-%u", (int)sizeof(hex), hex, number);
}

bool partial_name_parse(const char *name, uint8_t id[FILE_ID_LEN])
{
	char stem[PARTIAL_STEM_MAX], again[NAME_MAX_LEN];

	if (strlen(name) < 2 * FILE_ID_LEN || !hex_decode(bytes_of(name, 2 * FILE_ID_LEN), id))
		return false;
	for (unsigned i = 0; i < STEMS; i++) {
		stem_of(id, i, stem);
		snprintf(again, sizeof(again), "%s%s", stem, PARTIAL_PART);
		if (strcmp(name, again) == 0)
			return true;
	}
	return false;
}

/* ---- opening ---- */

enum taken { TAKEN_OURS, TAKEN_BUSY, TAKEN_AGAIN };

/* Locks what was opened, if it is still a part and nobody's. */
static enum taken lock(int dir, const char *name, int fd)
{
	struct stat opened, named;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return TAKEN_BUSY;
	if (fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode))
		return TAKEN_BUSY;
	if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) != 0 || named.st_ino != opened.st_ino ||
	    named.st_dev != opened.st_dev)
		return TAKEN_AGAIN;
	/* A second name is its final one: its holder died between linking and unlinking. */
	return opened.st_nlink == 1 ? TAKEN_OURS : TAKEN_BUSY;
}

/* *fd: the part of that stem, locked, or -1 where another one is to be tried. */
static enum seal_status open_stem(struct partial *p, struct seal_err *err)
{
	char name[NAME_MAX_LEN];

	name_of(p, PARTIAL_PART, name);
	for (int i = 0; i < TRIES; i++) {
		enum taken taken;
		int fd = openat(p->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			fd = openat(p->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
			return SEAL_OK;
		if (fd < 0)
			return place_failed(errno, "make the part", name, err);
		taken = lock(p->dir, name, fd);
		if (taken == TAKEN_OURS) {
			p->fd = fd;
			return SEAL_OK;
		}
		close(fd);
		if (taken == TAKEN_BUSY)
			return SEAL_OK;
	}
	return SEAL_OK;
}

/* Takes over what the state says, as far as the part can be what it says. */
static enum seal_status load_state(struct partial *p, const uint8_t *meta, uint32_t chunk_size, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(STATE_MAX);
	struct seal_err ignored = SEAL_ERR_INIT;
	char name[NAME_MAX_LEN];
	enum seal_status rc = SEAL_OK;
	struct stat st;
	int fd;

	name_of(p, PARTIAL_STATE, name);
	fd = openat(p->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && file_read_fd(fd, name, &text, &ignored) == SEAL_OK &&
	    partial_state_parse(buf_bytes(&text), p) && fstat(p->fd, &st) == 0) {
		uint64_t full = ranges_end(&p->have) == 0 ? 0 : (ranges_end(&p->have) - 1) * chunk_size;

		if (memcmp(p->meta, meta, SHA256_LEN) != 0)
			rc = err_set(err, SEAL_DATA, SEAL_E_TAMPERED,
				     "its transfer id is that of another file under way (%s)", p->stem);
		else if ((uint64_t)st.st_size < full)
			ranges_clear(&p->have);
	}
	if (ignored.code == SEAL_E_MEMORY)
		rc = err_memory(err);
	if (fd >= 0)
		close(fd);
	buf_clear(&text);
	return rc;
}

static enum seal_status start_over(struct partial *p, const uint8_t *meta, struct seal_err *err)
{
	memcpy(p->meta, meta, SHA256_LEN);
	p->chunks = 0;
	p->size = FILE_SIZE_UNKNOWN;
	if (ftruncate(p->fd, 0) != 0)
		return place_failed(errno, "empty the part", p->stem, err);
	return SEAL_OK;
}

enum seal_status partial_open(int dir, const uint8_t *id, const uint8_t *meta, uint32_t chunk_size,
			      struct partial *out, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	*out = (struct partial){.fd = -1, .dir = dir};
	for (unsigned i = 0; i < STEMS && out->fd < 0; i++) {
		stem_of(id, i, out->stem);
		SEAL_TRY(open_stem(out, err));
	}
	if (out->fd < 0) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_BUSY,
			     "too many receivers put the transfer %.32s together in one directory", out->stem);
		goto out;
	}
	SEAL_TRY(load_state(out, meta, chunk_size, err));
	if (out->have.n == 0)
		SEAL_TRY(start_over(out, meta, err));
out:
	if (rc != SEAL_OK)
		partial_close(out);
	return rc;
}

/* ---- writing ---- */

enum seal_status partial_write(const struct partial *partial, uint64_t offset, struct seal_bytes bytes,
			       struct seal_err *err)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(partial->fd, bytes.ptr, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return place_failed(errno, "write the part", partial->stem, err);
		bytes = bytes_skip(bytes, (size_t)n);
		offset += (uint64_t)n;
	}
	return SEAL_OK;
}

enum seal_status partial_save(struct partial *partial, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(STATE_MAX);
	char name[NAME_MAX_LEN];
	enum seal_status rc = SEAL_OK;

	name_of(partial, PARTIAL_STATE, name);
	if (fdatasync(partial->fd) != 0) {
		rc = place_failed(errno, "sync the part", partial->stem, err);
		goto out;
	}
	SEAL_TRY(partial_state_write(partial, &text, err));
	SEAL_TRY(file_replace_at(partial->dir, name, buf_bytes(&text), 0600, name, err));
	partial->unsaved = 0;
out:
	buf_clear(&text);
	return rc;
}

enum seal_status partial_complete(const struct partial *partial, uint64_t size, int64_t mtime_ns,
				  struct seal_err *err)
{
	int64_t second = mtime_ns / 1000000000, rest = mtime_ns % 1000000000;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {second - (rest < 0), rest + (rest < 0) * 1000000000}};

	if (mtime_ns == INT64_MIN)
		times[1] = (struct timespec){.tv_nsec = UTIME_OMIT};
	if (ftruncate(partial->fd, (off_t)size) != 0 || fchmod(partial->fd, 0600) != 0)
		return place_failed(errno, "finish the part", partial->stem, err);
	/* A time that this file system cannot hold is not worth a file. */
	if (futimens(partial->fd, times) != 0 && errno != EINVAL && errno != EOVERFLOW)
		return place_failed(errno, "set the time of the part", partial->stem, err);
	if (fsync(partial->fd) != 0)
		return place_failed(errno, "sync the part", partial->stem, err);
	return SEAL_OK;
}

void partial_close(struct partial *partial)
{
	if (partial->fd >= 0)
		close(partial->fd);
	partial->fd = -1;
	ranges_clear(&partial->have);
}

void partial_remove(struct partial *partial)
{
	char name[NAME_MAX_LEN];

	/* The state first: without it the part is as good as empty. */
	name_of(partial, PARTIAL_STATE, name);
	unlinkat(partial->dir, name, 0);
	name_of(partial, PARTIAL_PART, name);
	unlinkat(partial->dir, name, 0);
	partial_close(partial);
}

bool partial_discard(int dir, const char *name)
{
	struct partial p = {.fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), .dir = dir};

	if (p.fd < 0)
		return false;
	if (flock(p.fd, LOCK_EX | LOCK_NB) != 0) {
		close(p.fd);
		return false;
	}
	snprintf(p.stem, sizeof(p.stem), "%.*s", (int)(strlen(name) - strlen(PARTIAL_PART)), name);
	partial_remove(&p);
	return true;
}
