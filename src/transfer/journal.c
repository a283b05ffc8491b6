/*
 * The journal: lines of a file, and what they come to in memory.
 *
 *   sent  ─ refresh ─▶ entries: by file (target, name, inode), and those under way by id as well
 *    ▲                   │
 *    └──── append ───────┘   each under byte 0 of sent.lock, after a refresh: so that nobody writes on top of another's line, and
 *                            `position` is where the file ends
 *
 * `lock` guards everything but the syncing; `syncing` is taken after it, and by whoever changes `fd`. Locks of open file
 * descriptions do not keep two threads of this process apart: `lock` does.
 */
#include "transfer/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "transfer/journal_line.h"
#include "base/table.h"
#include "transfer/transfer.h"

#define NAME "sent"
#define LOCK_NAME "sent.lock"
#define BLOCK_LEN (4 * JOURNAL_LINE_MAX)
#define TIDY_LINES_LEAST 1000 /* a shorter journal is left alone */
#define TIDY_FACTOR 4 /* lines to one entry that counts */
#define JOURNAL_BYTES_MAX ((size_t)1 << 32)
#define FIRST_LINE JOURNAL_HEAD JOURNAL_VERSION "\n"

struct entry {
	struct table_node by_file, by_id; /* by_id: only while it is under way */
	uint8_t id[FILE_ID_LEN];
	bool sent;
	uint32_t chunk_size;
	uint64_t acknowledged;
	int64_t heard_s;
	struct journal_file file; /* its name is a view of `text` */
	struct seal_bytes target; /* so is this */
	uint8_t text[];
};

struct journal {
	int directory, files; /* the caller's */
	int fd, lock_fd;
	char *path; /* DIR/sent, for messages */
	char *target_text;
	struct seal_bytes target; /* a view of it */
	pthread_mutex_t lock;
	struct table by_file, by_id;
	uint64_t position; /* all before it has been read */
	uint64_t lines, looked_at; /* how many there are; how many there were when tidying was last thought of */
	pthread_mutex_t syncing; /* guards `synced`, and fd from being closed */
	atomic_ullong appended; /* bytes, since the start, by this journal */
	unsigned long long synced;
};

/* ---- entries ---- */

static uint64_t hash_of(struct seal_bytes target, const struct journal_file *file)
{
	uint64_t hash = table_hash(TABLE_SEED, target);

	hash = table_hash(hash, bytes_of(&file->inode, sizeof(file->inode)));
	return table_hash(hash, file->name);
}

static struct entry *find_file(const struct journal *j, struct seal_bytes target, const struct journal_file *file)
{
	uint64_t hash = hash_of(target, file);
	struct table_node *node = NULL;

	while ((node = table_find(&j->by_file, hash, node)) != NULL) {
		struct entry *e = (struct entry *)((char *)node - offsetof(struct entry, by_file));

		if (e->file.inode == file->inode && bytes_eq(e->file.name, file->name) && bytes_eq(e->target, target))
			return e;
	}
	return NULL;
}

static struct entry *find_id(const struct journal *j, const uint8_t *id)
{
	uint64_t hash = be64_load(id);
	struct table_node *node = NULL;

	while ((node = table_find(&j->by_id, hash, node)) != NULL) {
		struct entry *e = (struct entry *)((char *)node - offsetof(struct entry, by_id));

		if (memcmp(e->id, id, FILE_ID_LEN) == 0)
			return e;
	}
	return NULL;
}

static void remove_entry(struct journal *j, struct entry *e)
{
	if (!e->sent)
		table_remove(&j->by_id, &e->by_id);
	table_remove(&j->by_file, &e->by_file);
	mem_free(e);
}

static void forget_all(struct journal *j)
{
	struct table_node *node;

	while ((node = table_next(&j->by_file, NULL)) != NULL)
		remove_entry(j, (struct entry *)((char *)node - offsetof(struct entry, by_file)));
	j->position = 0;
	j->lines = 0;
}

static enum seal_status add_entry(struct journal *j, const struct journal_line *line, struct seal_err *err)
{
	struct entry *old = find_file(j, line->target, &line->file), *e;
	enum seal_status rc;

	e = mem_alloc(sizeof(*e) + line->target.len + line->file.name.len);
	if (e == NULL)
		return err_memory(err);
	*e = (struct entry){.chunk_size = line->chunk_size, .heard_s = line->at_s, .file = line->file};
	memcpy(e->id, line->id, FILE_ID_LEN);
	memcpy(e->text, line->file.name.ptr, line->file.name.len);
	if (line->target.len > 0)
		memcpy(e->text + line->file.name.len, line->target.ptr, line->target.len);
	e->file.name.ptr = e->text;
	e->target = bytes_of(e->text + line->file.name.len, line->target.len);
	rc = table_add(&j->by_file, &e->by_file, hash_of(e->target, &e->file), err);
	if (rc == SEAL_OK) {
		rc = table_add(&j->by_id, &e->by_id, be64_load(e->id), err);
		if (rc != SEAL_OK)
			table_remove(&j->by_file, &e->by_file);
	}
	if (rc != SEAL_OK)
		mem_free(e);
	else if (old != NULL)
		remove_entry(j, old);
	return rc;
}

/* What a line says becomes so. One about a transfer that is not under way says nothing: a newer one has taken its place. */
static enum seal_status apply(struct journal *j, const struct journal_line *line, struct seal_err *err)
{
	struct entry *e;

	j->lines++;
	if (line->event == JOURNAL_BEGIN)
		return add_entry(j, line, err);
	e = find_id(j, line->id);
	if (e == NULL)
		return SEAL_OK;
	if (line->event == JOURNAL_ACKED) {
		e->acknowledged = line->acknowledged;
		e->heard_s = line->at_s;
	} else if (line->event == JOURNAL_DONE) {
		table_remove(&j->by_id, &e->by_id);
		e->sent = true;
	} else {
		remove_entry(j, e);
	}
	return SEAL_OK;
}

/* ---- reading ---- */

static enum seal_status fail_io(const struct journal *j, const char *what, struct seal_err *err)
{
	return err_set_errno(err, errno == EACCES || errno == EPERM ? SEAL_DENIED : SEAL_FATAL, SEAL_E_IO, errno,
			     "cannot %s %s", what, j->path);
}

static enum seal_status check_first_line(const struct journal *j, struct seal_bytes line, struct seal_err *err)
{
	if (bytes_eq_str(line, JOURNAL_HEAD JOURNAL_VERSION))
		return SEAL_OK;
	if (bytes_starts(line, BYTES_LIT(JOURNAL_HEAD)))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "%s was written by a newer sealstream; use that one, or another --state", j->path);
	return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
		       "%s is not a journal of sealstream file send; move it away, or name another --state", j->path);
}

static enum seal_status take_line(struct journal *j, uint8_t *text, size_t len, struct seal_err *err)
{
	struct journal_line line;

	if (j->position == 0)
		return check_first_line(j, bytes_of(text, len), err);
	if (!journal_line_parse(text, len, &line))
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "line %llu of %s is damaged; without that file all files are sent anew",
			       (unsigned long long)j->lines + 2, j->path);
	return apply(j, &line, err);
}

/* All whole lines of block[0 … n-1]; *used is how much that was. */
static enum seal_status take_lines(struct journal *j, uint8_t *block, size_t n, size_t *used, struct seal_err *err)
{
	uint8_t *newline;
	enum seal_status rc = SEAL_OK;

	*used = 0;
	while ((newline = memchr(block + *used, '\n', n - *used)) != NULL) {
		size_t len = (size_t)(newline - (block + *used));

		SEAL_TRY(take_line(j, block + *used, len, err));
		*used += len + 1;
		j->position += len + 1;
	}
out:
	return rc;
}

/* From `position` to the end. A last line that was cut goes; so does the first one of a file that was just made. */
static enum seal_status read_rest(struct journal *j, struct seal_err *err)
{
	uint8_t *block = mem_alloc(BLOCK_LEN);
	size_t used = 0;
	ssize_t n;
	enum seal_status rc = SEAL_OK;

	if (block == NULL)
		return err_memory(err);
	for (;;) {
		n = pread(j->fd, block, BLOCK_LEN, (off_t)j->position);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		SEAL_TRY(take_lines(j, block, (size_t)n, &used, err));
		if (used > 0)
			continue;
		if (n >= JOURNAL_LINE_MAX || (j->position == 0 && memcmp(block, FIRST_LINE, (size_t)n) != 0)) {
			rc = take_line(j, block, (size_t)n, err);
			SEAL_INVARIANT(rc != SEAL_OK);
			goto out;
		}
		n = ftruncate(j->fd, (off_t)j->position);
		break;
	}
	if (n < 0)
		rc = fail_io(j, "read", err);
out:
	mem_free(block);
	return rc;
}

static enum seal_status reopen(struct journal *j, struct seal_err *err)
{
	int fd = openat(j->directory, NAME, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return fail_io(j, "open", err);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "%s is not a regular file", j->path);
	}
	forget_all(j);
	pthread_mutex_lock(&j->syncing);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	pthread_mutex_unlock(&j->syncing);
	return SEAL_OK;
}

/* Under byte 0: is fd still the file of that name, and what has been added? */
static enum seal_status refresh(struct journal *j, struct seal_err *err)
{
	struct stat mine, named;
	enum seal_status rc = SEAL_OK;

	if (j->fd < 0 || fstat(j->fd, &mine) != 0 || fstatat(j->directory, NAME, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
	    mine.st_ino != named.st_ino || mine.st_dev != named.st_dev || (uint64_t)mine.st_size < j->position) {
		SEAL_TRY(reopen(j, err));
		SEAL_TRY(read_rest(j, err));
	} else if ((uint64_t)mine.st_size > j->position) {
		SEAL_TRY(read_rest(j, err));
	}
out:
	return rc;
}

static int64_t now_s(void)
{
	return clock_unix_ms() / 1000;
}

/* ---- locks ---- */

static bool set_lock(const struct journal *j, int command, short type, off_t at)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
	int rc;

	do
		rc = fcntl(j->lock_fd, command, &range);
	while (rc != 0 && errno == EINTR);
	return rc == 0;
}

/* A file's own byte: names of one inode, and inodes of one name, have different ones. */
static off_t claim_at(const struct journal_file *file)
{
	uint64_t hash = table_hash(table_hash(TABLE_SEED, bytes_of(&file->dev, sizeof(file->dev))),
				   bytes_of(&file->inode, sizeof(file->inode)));

	return (off_t)(table_hash(hash, file->name) >> 2) + 1;
}

/* To be ended by `leave`, also when it fails. */
static enum seal_status enter(struct journal *j, struct seal_err *err)
{
	pthread_mutex_lock(&j->lock);
	if (!set_lock(j, F_OFD_SETLKW, F_WRLCK, 0))
		return fail_io(j, "lock", err);
	return refresh(j, err);
}

static void leave(struct journal *j)
{
	(void)set_lock(j, F_OFD_SETLK, F_UNLCK, 0);
	pthread_mutex_unlock(&j->lock);
}

/* ---- writing ---- */

/* Under byte 0, after refresh. What could not be written whole is taken back. */
static enum seal_status append(struct journal *j, struct seal_bytes text, struct seal_err *err)
{
	enum seal_status rc = file_write_all(j->fd, text, j->path, err);

	if (rc != SEAL_OK) {
		/* If this fails as well, the next reader takes the cut line away. */
		int ignored = ftruncate(j->fd, (off_t)j->position);

		(void)ignored;
		return rc;
	}
	j->position += text.len;
	atomic_fetch_add(&j->appended, text.len);
	return SEAL_OK;
}

static enum seal_status append_line(struct journal *j, const struct journal_line *line, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(JOURNAL_LINE_MAX);
	enum seal_status rc;

	if (j->position == 0)
		SEAL_TRY(buf_append_str(&text, FIRST_LINE, err));
	SEAL_TRY(journal_line_write(&text, line, err));
	SEAL_TRY(append(j, buf_bytes(&text), err));
	SEAL_TRY(apply(j, line, err));
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status note(struct journal *j, const struct journal_line *line, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(enter(j, err));
	/* One that a newer has taken the place of is nobody's business any more. */
	if (find_id(j, line->id) != NULL)
		SEAL_TRY(append_line(j, line, err));
out:
	leave(j);
	return rc;
}

static void set_id(struct journal_line *line, const uint8_t *id)
{
	memcpy(line->id, id, FILE_ID_LEN);
}

enum seal_status journal_note_acknowledged(struct journal *j, const uint8_t *id, uint64_t chunks,
					   struct seal_err *err)
{
	struct journal_line line = {.event = JOURNAL_ACKED, .acknowledged = chunks, .at_s = now_s()};

	set_id(&line, id);
	return note(j, &line, err);
}

enum seal_status journal_note_done(struct journal *j, const uint8_t *id, struct seal_err *err)
{
	struct journal_line line = {.event = JOURNAL_DONE};

	set_id(&line, id);
	return note(j, &line, err);
}

enum seal_status journal_note_gone(struct journal *j, const uint8_t *id, struct seal_err *err)
{
	struct journal_line line = {.event = JOURNAL_GONE};

	set_id(&line, id);
	return note(j, &line, err);
}

enum seal_status journal_sync(struct journal *j, struct seal_err *err)
{
	unsigned long long wanted = atomic_load(&j->appended);
	enum seal_status rc = SEAL_OK;

	/* Whoever waits here finds, mostly, that the one before has synced its line as well. */
	pthread_mutex_lock(&j->syncing);
	if (j->synced < wanted) {
		wanted = atomic_load(&j->appended);
		if (fdatasync(j->fd) != 0)
			rc = fail_io(j, "sync", err);
		else
			j->synced = wanted;
	}
	pthread_mutex_unlock(&j->syncing);
	return rc;
}

/* ---- files ---- */

static bool is_as_sent(const struct entry *e, const struct journal_file *file)
{
	return e != NULL && e->sent && e->file.size == file->size && e->file.mtime_ns == file->mtime_ns;
}

/* A clock that was set back a little is none of its business. */
static bool is_recent(const struct entry *e)
{
	return llabs(now_s() - e->heard_s) <= TRANSFER_RESUME_MAX_S;
}

static bool can_go_on(const struct entry *e, const struct journal_file *file, uint32_t chunk_size)
{
	return e != NULL && !e->sent && is_recent(e) && e->chunk_size == chunk_size && e->file.dev == file->dev &&
	       e->file.size == file->size && e->file.mtime_ns == file->mtime_ns && e->file.ctime_ns == file->ctime_ns;
}

bool journal_has_sent(struct journal *j, const struct journal_file *file)
{
	bool sent;

	pthread_mutex_lock(&j->lock);
	sent = is_as_sent(find_file(j, j->target, file), file);
	pthread_mutex_unlock(&j->lock);
	return sent;
}

static enum seal_status begin(struct journal *j, const struct journal_file *file, uint32_t chunk_size,
			      struct journal_transfer *transfer, struct seal_err *err)
{
	struct journal_line line = {.event = JOURNAL_BEGIN,
				    .target = j->target,
				    .file = *file,
				    .chunk_size = chunk_size,
				    .at_s = now_s()};
	enum seal_status rc;

	*transfer = (struct journal_transfer){.heard_s = line.at_s};
	SEAL_TRY(random_bytes(transfer->id, FILE_ID_LEN, err));
	set_id(&line, transfer->id);
	SEAL_TRY(append_line(j, &line, err));
out:
	return rc;
}

enum seal_status journal_take(struct journal *j, const struct journal_file *file, uint32_t chunk_size,
			      enum journal_claim *claim, struct journal_transfer *transfer, struct seal_err *err)
{
	const struct entry *e;
	bool held = false;
	enum seal_status rc;

	SEAL_TRY(enter(j, err));
	e = find_file(j, j->target, file);
	held = !is_as_sent(e, file) && set_lock(j, F_OFD_SETLK, F_WRLCK, claim_at(file));
	if (is_as_sent(e, file)) {
		*claim = JOURNAL_SENT;
	} else if (!held) {
		if (errno != EAGAIN && errno != EACCES)
			rc = fail_io(j, "lock a file in", err);
		*claim = JOURNAL_BUSY;
	} else if (can_go_on(e, file, chunk_size)) {
		memcpy(transfer->id, e->id, FILE_ID_LEN);
		transfer->acknowledged = e->acknowledged;
		transfer->heard_s = e->heard_s;
		*claim = JOURNAL_RESUME;
	} else {
		SEAL_TRY(begin(j, file, chunk_size, transfer, err));
		*claim = JOURNAL_NEW;
	}
out:
	leave(j);
	if (rc != SEAL_OK && held)
		journal_release(j, file);
	return rc;
}

void journal_release(struct journal *j, const struct journal_file *file)
{
	(void)set_lock(j, F_OFD_SETLK, F_UNLCK, claim_at(file));
}

/* ---- tidying ---- */

/* Is the file of that name still this one? Where names cannot be looked up, all are. */
static bool is_there(const struct journal *j, const struct entry *e)
{
	char name[256];
	struct stat st;

	if (j->files < 0)
		return true;
	if (e->file.name.len >= sizeof(name))
		return false;
	memcpy(name, e->file.name.ptr, e->file.name.len);
	name[e->file.name.len] = '\0';
	if (fstatat(j->files, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno != ENOENT;
	return (uint64_t)st.st_ino == e->file.inode;
}

static enum seal_status write_entry(const struct entry *e, struct seal_buf *text, struct seal_err *err)
{
	struct journal_line line = {.event = JOURNAL_BEGIN,
				    .target = e->target,
				    .file = e->file,
				    .chunk_size = e->chunk_size,
				    .acknowledged = e->acknowledged,
				    .at_s = e->heard_s};
	enum seal_status rc;

	set_id(&line, e->id);
	SEAL_TRY(journal_line_write(text, &line, err));
	line.event = e->sent ? JOURNAL_DONE : JOURNAL_ACKED;
	if (e->sent || e->acknowledged > 0)
		SEAL_TRY(journal_line_write(text, &line, err));
out:
	return rc;
}

/* Under byte 0, after refresh. */
static enum seal_status rewrite(struct journal *j, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(JOURNAL_BYTES_MAX);
	struct table_node *node = NULL;
	enum seal_status rc;

	SEAL_TRY(buf_append_str(&text, FIRST_LINE, err));
	while ((node = table_next(&j->by_file, node)) != NULL) {
		const struct entry *e = (const struct entry *)((const char *)node - offsetof(struct entry, by_file));

		if (is_there(j, e))
			SEAL_TRY(write_entry(e, &text, err));
	}
	SEAL_TRY(file_replace_at(j->directory, NAME, buf_bytes(&text), 0600, j->path, err));
	SEAL_TRY(refresh(j, err));
out:
	buf_clear(&text);
	return rc;
}

static bool is_worthwhile(struct journal *j)
{
	struct table_node *node = NULL;
	uint64_t live = 0;

	if (j->lines < TIDY_LINES_LEAST || j->lines < 2 * j->looked_at)
		return false;
	while ((node = table_next(&j->by_file, node)) != NULL)
		live += is_there(j, (const struct entry *)((const char *)node - offsetof(struct entry, by_file)));
	j->looked_at = j->lines;
	return j->lines >= TIDY_FACTOR * live;
}

enum seal_status journal_tidy(struct journal *j, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_TRY(enter(j, err));
	if (is_worthwhile(j)) {
		/* Where there is no room, the old one does as well. */
		if (rewrite(j, &why) != SEAL_OK && why.code == SEAL_E_MEMORY)
			rc = err_memory(err);
		j->looked_at = j->lines;
	}
out:
	leave(j);
	return rc;
}

/* ---- open and close ---- */

enum seal_status journal_open(int directory, const char *path, int files, const char *target, struct journal **out,
			      struct seal_err *err)
{
	struct journal *j = mem_calloc(1, sizeof(*j));
	size_t room = strlen(path) + sizeof("/" NAME);
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (j == NULL)
		return err_memory(err);
	j->directory = directory;
	j->files = files;
	j->fd = j->lock_fd = -1;
	pthread_mutex_init(&j->lock, NULL);
	pthread_mutex_init(&j->syncing, NULL);
	j->path = mem_alloc(room);
	j->target_text = mem_strdup(target != NULL ? target : "");
	if (j->path == NULL || j->target_text == NULL) {
		rc = err_memory(err);
		goto out;
	}
	snprintf(j->path, room, "%s/" NAME, path);
	j->target = bytes_str(j->target_text);
	j->lock_fd = openat(directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (j->lock_fd < 0) {
		rc = err_set_errno(err, errno == EACCES ? SEAL_DENIED : SEAL_FATAL, SEAL_E_CREATE, errno,
				   "cannot make %s.lock", j->path);
		goto out;
	}
	rc = enter(j, err);
	leave(j);
out:
	if (rc == SEAL_OK)
		*out = j;
	else
		journal_close(j);
	return rc;
}

void journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0) {
		(void)fdatasync(j->fd);
		close(j->fd);
	}
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	forget_all(j);
	table_clear(&j->by_file);
	table_clear(&j->by_id);
	mem_free(j->path);
	mem_free(j->target_text);
	pthread_mutex_destroy(&j->lock);
	pthread_mutex_destroy(&j->syncing);
	mem_free(j);
}
