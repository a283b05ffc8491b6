/*
 * The log of whole transfers.
 *
 *   on disk    │ lines that were read: `seen` bytes │ what others added since │ perhaps a torn line of a process that died
 *   in memory  ids of done lines; `taken`: takes without their done; `pending`: lines of the next flush
 *
 * Whoever gets the lock ends what a dead process had taken, not only at its start: another receiver that runs already may have
 * all records of that transfer as well, and would give the file a second name. Nobody begins a transfer that is taken before that
 * is settled: its part would stand for the dead one's.
 *
 * Invariants: only the holder of the lock appends, after the last newline. Lines that mean nothing (torn, of a newer release) are
 * skipped. A rewritten log takes the old one's name; whoever has the old one open sees that and reads the new one.
 */
#include "transfer/received.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "transfer/id_set.h"
#include "transfer/partial.h"
#include "transfer/place.h"

#define LOG_NAME "received"
#define LOCK_NAME "received.lock"
#define LOG_HEAD "sealstream received 1\n"
#define PENDING_MAX (1u << 20)
#define ID_HEX (2 * FILE_ID_LEN)
#define DONE_LINE_LEN (5 + ID_HEX + 1) /* without a name */
#define REWRITE_MIN (1u << 20) /* bytes below which a log is left as it is */

/* A take without its done. */
struct taken {
	struct taken *next;
	uint8_t id[FILE_ID_LEN];
	char stem[PARTIAL_STEM_MAX];
};

struct received {
	int dir, fd, lock; /* dir: the caller's */
	bool locked;
	struct id_set ids;
	struct taken *taken; /* the newest first */
	uint64_t seen; /* bytes of the log that were read */
	struct seal_buf pending;
};

void received_line_parse(struct seal_bytes line, struct received_line *out)
{
	struct seal_bytes rest = bytes_skip(line, 5);
	const uint8_t *space;

	*out = (struct received_line){.what = RECEIVED_OTHER};
	if (rest.len < ID_HEX || !hex_decode(bytes_of(rest.ptr, ID_HEX), out->id))
		return;
	rest = bytes_skip(rest, ID_HEX);
	if (bytes_starts(line, BYTES_LIT("done ")) && (rest.len == 0 || rest.ptr[0] == ' '))
		out->what = RECEIVED_DONE;
	if (!bytes_starts(line, BYTES_LIT("take ")) || rest.len < 2 || rest.ptr[0] != ' ')
		return;
	rest = bytes_skip(rest, 1);
	space = memchr(rest.ptr, ' ', rest.len);
	if (space == NULL || space == rest.ptr || (size_t)(space - rest.ptr) >= PARTIAL_STEM_MAX)
		return;
	out->stem = bytes_of(rest.ptr, (size_t)(space - rest.ptr));
	out->what = RECEIVED_TAKE;
}

/* ---- reading ---- */

typedef enum seal_status (*line_each)(void *arg, const struct received_line *line, struct seal_err *err);

/* Calls `each` for every whole line from *at on; *at is then behind the last newline. */
static enum seal_status read_lines(const struct received *r, uint64_t *at, line_each each, void *arg,
				   struct seal_err *err)
{
	enum { ROOM = 65536 };
	uint8_t *block = mem_alloc(ROOM);
	struct received_line line;
	enum seal_status rc = SEAL_OK;

	if (block == NULL)
		return err_memory(err);
	for (;;) {
		ssize_t n = pread(r->fd, block, ROOM, (off_t)*at);
		struct seal_bytes rest = bytes_of(block, n > 0 ? (size_t)n : 0);
		const uint8_t *end = NULL;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = place_failed(errno, "read", LOG_NAME, err);
			goto out;
		}
		while (rest.len > 0 && (end = memchr(rest.ptr, '\n', rest.len)) != NULL) {
			size_t len = (size_t)(end - rest.ptr);

			received_line_parse(bytes_of(rest.ptr, len), &line);
			SEAL_TRY(each(arg, &line, err));
			rest = bytes_skip(rest, len + 1);
		}
		if ((size_t)n == rest.len && n == ROOM) /* one line fills the block: it means nothing */
			rest.len = 0;
		*at += (uint64_t)n - rest.len;
		if (n < ROOM)
			goto out;
	}
out:
	mem_free(block);
	return rc;
}

static void forget_taken(struct received *r, const uint8_t *id)
{
	struct taken **at = &r->taken, *found;

	while (*at != NULL && memcmp((*at)->id, id, FILE_ID_LEN) != 0)
		at = &(*at)->next;
	found = *at;
	if (found != NULL)
		*at = found->next;
	mem_free(found);
}

static enum seal_status add_taken(struct received *r, const struct received_line *line, struct seal_err *err)
{
	struct taken *taken = mem_calloc(1, sizeof(*taken));

	if (taken == NULL)
		return err_memory(err);
	memcpy(taken->id, line->id, FILE_ID_LEN);
	memcpy(taken->stem, line->stem.ptr, line->stem.len);
	taken->next = r->taken;
	r->taken = taken;
	return SEAL_OK;
}

static enum seal_status take_in(void *arg, const struct received_line *line, struct seal_err *err)
{
	struct received *r = arg;

	if (line->what == RECEIVED_OTHER)
		return SEAL_OK;
	forget_taken(r, line->id);
	return line->what == RECEIVED_DONE ? id_set_add(&r->ids, line->id, err) : add_taken(r, line, err);
}

static void forget_all(struct received *r)
{
	id_set_clear(&r->ids);
	while (r->taken != NULL)
		forget_taken(r, r->taken->id);
	r->seen = 0;
}

static enum seal_status open_log(struct received *r, struct seal_err *err)
{
	if (r->fd >= 0)
		close(r->fd);
	r->seen = 0;
	r->fd = openat(r->dir, LOG_NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return r->fd >= 0 ? SEAL_OK : place_failed(errno, "open", LOG_NAME, err);
}

/* Takes in what others added. */
static enum seal_status refresh(struct received *r, struct seal_err *err)
{
	struct stat opened, named;
	enum seal_status rc = SEAL_OK;

	if (fstat(r->fd, &opened) != 0 || fstatat(r->dir, LOG_NAME, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
	    named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) {
		SEAL_TRY(open_log(r, err));
		forget_all(r);
	} else if ((uint64_t)opened.st_size < r->seen) {
		forget_all(r); /* a flush that failed was taken back */
	}
	SEAL_TRY(read_lines(r, &r->seen, take_in, r, err));
out:
	return rc;
}

/* By a process that names its file now, or has died. */
static bool is_taken(const struct received *r, const uint8_t *id)
{
	const struct taken *taken = r->taken;

	while (taken != NULL && memcmp(taken->id, id, FILE_ID_LEN) != 0)
		taken = taken->next;
	return taken != NULL;
}

enum seal_status received_has(struct received *received, const uint8_t *id, bool *has, struct seal_err *err)
{
	enum seal_status rc;

	*has = id_set_has(&received->ids, id);
	if (*has)
		return SEAL_OK;
	SEAL_TRY(refresh(received, err));
	if (!received->locked && is_taken(received, id)) {
		SEAL_TRY(received_lock(received, err));
		received_unlock(received);
	}
	*has = id_set_has(&received->ids, id);
out:
	return rc;
}

size_t received_count(const struct received *received)
{
	return received->ids.n + received->ids.zero;
}

/* ---- writing ---- */

static enum seal_status append(const struct received *r, struct seal_bytes bytes, struct seal_err *err)
{
	while (bytes.len > 0) {
		ssize_t n = write(r->fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return place_failed(errno, "write", LOG_NAME, err);
		bytes = bytes_skip(bytes, (size_t)n);
	}
	return SEAL_OK;
}

/* The log ends with a newline before anything is appended: a torn line of a process that died gets its own. */
static enum seal_status end_last_line(const struct received *r, struct seal_err *err)
{
	struct stat st;
	uint8_t last = '\n';

	if (fstat(r->fd, &st) != 0)
		return place_failed(errno, "examine", LOG_NAME, err);
	if (st.st_size == 0)
		return append(r, BYTES_LIT(LOG_HEAD), err);
	if (pread(r->fd, &last, 1, st.st_size - 1) != 1)
		return place_failed(errno, "read", LOG_NAME, err);
	return last == '\n' ? SEAL_OK : append(r, BYTES_LIT("\n"), err);
}

enum seal_status received_flush(struct received *received, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	struct stat before;

	SEAL_INVARIANT(received->locked);
	if (fstat(received->fd, &before) != 0)
		return place_failed(errno, "examine", LOG_NAME, err);
	SEAL_TRY(append(received, buf_bytes(&received->pending), err));
	if (fdatasync(received->fd) != 0)
		rc = place_failed(errno, "sync", LOG_NAME, err);
out:
	/* What was torn or is not safe must not be built upon. */
	if (rc != SEAL_OK && ftruncate(received->fd, before.st_size) != 0 && rc == SEAL_RETRY)
		rc = SEAL_FATAL;
	buf_reset(&received->pending);
	return rc;
}

static enum seal_status note(struct received *r, const char *word, const uint8_t *id, const char *stem,
			     struct seal_bytes name, struct seal_err *err)
{
	char hex[ID_HEX];
	enum seal_status rc;

	SEAL_INVARIANT(r->locked);
	hex_encode(bytes_of(id, FILE_ID_LEN), hex);
	SEAL_TRY(buf_printf(&r->pending, err, "%s %.*s%s%s ", word, ID_HEX, hex, stem ? " " : "", stem ? stem : ""));
	SEAL_TRY(buf_append(&r->pending, name, err));
	SEAL_TRY(buf_append_u8(&r->pending, '\n', err));
out:
	return rc;
}

enum seal_status received_take(struct received *received, const uint8_t *id, const char *stem, struct seal_bytes name,
			       struct seal_err *err)
{
	return note(received, "take", id, stem, name, err);
}

enum seal_status received_done(struct received *received, const uint8_t *id, struct seal_bytes name,
			       struct seal_err *err)
{
	return note(received, "done", id, NULL, name, err);
}

/*
 * Has what was taken left its part? A part with two names was linked, on a file system that cannot rename without replacing; the
 * process died before it took the first one away.
 */
static bool has_left(const struct received *r, const struct taken *taken)
{
	char name[PARTIAL_STEM_MAX + sizeof(PARTIAL_PART)];
	uint8_t id[FILE_ID_LEN];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", taken->stem, PARTIAL_PART);
	if (!partial_name_parse(name, id) || memcmp(id, taken->id, FILE_ID_LEN) != 0)
		return false;
	if (fstatat(r->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	return S_ISREG(st.st_mode) && st.st_nlink > 1 && unlinkat(r->dir, name, 0) == 0;
}

/* Files that got their name from a process that died before it could say so. */
static enum seal_status end_taken(struct received *r, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (const struct taken *t = r->taken; t != NULL; t = t->next)
		if (has_left(r, t))
			SEAL_TRY(received_done(r, t->id, BYTES_EMPTY, err));
	if (r->pending.len == 0)
		return rc;
	SEAL_TRY(received_flush(r, err));
	SEAL_TRY(refresh(r, err));
out:
	return rc;
}

enum seal_status received_lock(struct received *received, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_INVARIANT(!received->locked);
	if (flock(received->lock, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK || errno == EINTR
			       ? err_set(err, SEAL_RETRY, SEAL_E_BUSY,
					 "another receiver is giving files their names in the same directory")
			       : place_failed(errno, "lock", LOCK_NAME, err);
	received->locked = true;
	SEAL_TRY(refresh(received, err));
	SEAL_TRY(end_last_line(received, err));
	SEAL_TRY(end_taken(received, err));
out:
	if (rc != SEAL_OK)
		received_unlock(received);
	return rc;
}

void received_unlock(struct received *received)
{
	SEAL_INVARIANT(received->locked);
	flock(received->lock, LOCK_UN);
	received->locked = false;
	buf_reset(&received->pending);
}

/* ---- tidying ---- */

struct rewrite {
	uint64_t skip; /* done lines, the oldest */
	struct seal_buf text;
};

static enum seal_status count_done(void *arg, const struct received_line *line, struct seal_err *err)
{
	*(uint64_t *)arg += line->what == RECEIVED_DONE;
	return SEAL_OK;
}

static enum seal_status keep_done(void *arg, const struct received_line *line, struct seal_err *err)
{
	struct rewrite *w = arg;
	char hex[ID_HEX];

	if (line->what != RECEIVED_DONE)
		return SEAL_OK;
	if (w->skip > 0) {
		w->skip--;
		return SEAL_OK;
	}
	hex_encode(bytes_of(line->id, FILE_ID_LEN), hex);
	return buf_printf(&w->text, err, "done %.*s\n", ID_HEX, hex);
}

/* A new log with the newest ids alone, without names. Nothing is taken at this moment. */
static enum seal_status rewrite(struct received *r, struct seal_err *err)
{
	struct rewrite w = {.text = BUF_INIT(sizeof(LOG_HEAD) + (size_t)RECEIVED_MAX / 2 * DONE_LINE_LEN)};
	uint64_t at = 0, done = 0;
	enum seal_status rc;

	SEAL_TRY(read_lines(r, &at, count_done, &done, err));
	w.skip = done > RECEIVED_MAX / 2 ? done - RECEIVED_MAX / 2 : 0;
	SEAL_TRY(buf_append_str(&w.text, LOG_HEAD, err));
	at = 0;
	SEAL_TRY(read_lines(r, &at, keep_done, &w, err));
	SEAL_TRY(file_replace_at(r->dir, LOG_NAME, buf_bytes(&w.text), 0600, LOG_NAME, err));
	SEAL_TRY(refresh(r, err));
out:
	buf_clear(&w.text);
	return rc;
}

enum seal_status received_tidy(struct received *received, struct seal_err *err)
{
	uint64_t needed = received_count(received) * DONE_LINE_LEN;
	struct seal_err why = SEAL_ERR_INIT;

	SEAL_INVARIANT(received->locked && received->pending.len == 0);
	if (received_count(received) < RECEIVED_MAX && (received->seen < REWRITE_MIN || received->seen / 4 < needed))
		return SEAL_OK;
	/* On a full disk the old one does as well, until there is room. */
	return rewrite(received, &why) != SEAL_OK && why.code == SEAL_E_MEMORY ? err_memory(err) : SEAL_OK;
}

enum seal_status received_open(int dir, struct received **out, struct seal_err *err)
{
	struct received *r = mem_calloc(1, sizeof(*r));
	enum seal_status rc;

	*out = NULL;
	if (r == NULL)
		return err_memory(err);
	*r = (struct received){.dir = dir, .fd = -1, .pending = BUF_INIT(PENDING_MAX)};
	r->lock = openat(dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (r->lock < 0) {
		rc = place_failed(errno, "open", LOCK_NAME, err);
		goto out;
	}
	SEAL_TRY(open_log(r, err));
	SEAL_TRY(received_lock(r, err));
	SEAL_TRY(received_tidy(r, err));
	received_unlock(r);
	*out = r;
	r = NULL;
out:
	received_close(r);
	return rc;
}

void received_close(struct received *received)
{
	if (received == NULL)
		return;
	if (received->fd >= 0)
		close(received->fd);
	if (received->lock >= 0)
		close(received->lock);
	forget_all(received);
	buf_clear(&received->pending);
	mem_free(received);
}
