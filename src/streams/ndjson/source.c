/*
 * Reads lines in blocks; a record is a view of its block, nothing is copied but the part of a line that a block's end cut.
 *
 *   block   │ line │ line │ … │ part of a line │ free │
 *           ╰── batch ──╯╰ batch ╯ ╰ copied to the next block
 *
 * A block lives until the last batch that looks into it is released. Blocks are reused, so a steady stream allocates
 * nothing; one that grew for a long line is freed. Invariant: at <= scanned <= len <= cap, and no newline stands between
 * `at` and `scanned`.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "json/path.h"
#include "streams/ndjson/line.h"
#include "streams/ndjson/ndjson.h"

#define BLOCK_BYTES (256u << 10)

struct options {
	int64_t max_record_bytes;
	bool envelopes, skip_blank;
	const char *key_delimiter; /* NULL: no keys */
};

static const struct opt_row rows[] = {{.name = "max-record-bytes",
				       .help = "longest line; a longer one is a failed record",
				       .arg = "SIZE",
				       .def = "16MiB",
				       .min = 1,
				       .max = JSON_DOCUMENT_MAX,
				       .type = OPT_SIZE,
				       .offset = offsetof(struct options, max_record_bytes)},
				      {.name = "envelopes",
				       .help = "lines are envelopes of kcat -J; the record is their payload",
				       .type = OPT_FLAG,
				       .offset = offsetof(struct options, envelopes)},
				      {.name = "skip-blank",
				       .help = "empty lines are left out instead of passed on",
				       .type = OPT_FLAG,
				       .internal = true,
				       .offset = offsetof(struct options, skip_blank)},
				      {.name = "key-delimiter",
				       .help = "what stands before it in a line is the record's key, as kcat -K",
				       .arg = "TEXT",
				       .type = OPT_STRING,
				       .offset = offsetof(struct options, key_delimiter)},
				      OPT_END};

struct block {
	struct block *next; /* in the free list */
	atomic_uint users; /* the source while it is current, and each batch */
	size_t len, cap;
	uint8_t bytes[];
};

struct file_source {
	struct source base;
	int fd;
	bool close_fd, regular;
	struct options options;
	char *name; /* for messages */
	struct block *block; /* current, or NULL */
	size_t at, scanned; /* in block */
	uint64_t lines; /* handed out so far */
	bool ended; /* read() gave 0 */
	bool skipping; /* inside a line that was too long */
	struct envelope_reader reader;
	pthread_mutex_t lock; /* guards `free`: batches are released by any thread */
	struct block *free;
};

static void block_free(struct block *block)
{
	if (block != NULL)
		mem_wipe(block->bytes, block->cap);
	mem_free(block);
}

static struct block *block_new(struct file_source *s, size_t cap)
{
	struct block *block = NULL;

	if (cap == BLOCK_BYTES) {
		pthread_mutex_lock(&s->lock);
		block = s->free;
		if (block != NULL)
			s->free = block->next;
		pthread_mutex_unlock(&s->lock);
	}
	if (block == NULL) {
		block = mem_alloc(sizeof(*block) + cap);
		if (block == NULL)
			return NULL;
		block->cap = cap;
	}
	block->len = 0;
	atomic_init(&block->users, 1);
	return block;
}

static void block_drop(struct file_source *s, struct block *block)
{
	if (block == NULL || atomic_fetch_sub(&block->users, 1) != 1)
		return;
	if (block->cap != BLOCK_BYTES) {
		block_free(block);
		return;
	}
	pthread_mutex_lock(&s->lock);
	block->next = s->free;
	s->free = block;
	pthread_mutex_unlock(&s->lock);
}

/* Makes room to read into: the unfinished line moves to the start of a block of its own that is not full. */
static enum seal_status make_room(struct file_source *s, struct seal_err *err)
{
	size_t part = s->block ? s->block->len - s->at : 0, cap = BLOCK_BYTES;
	struct block *block;

	if (s->block != NULL && s->block->len < s->block->cap)
		return SEAL_OK;
	while (cap < part + part / 2)
		cap *= 2;
	block = block_new(s, cap);
	if (block == NULL)
		return err_memory(err);
	if (part > 0)
		memcpy(block->bytes, s->block->bytes + s->at, part);
	block->len = part;
	block_drop(s, s->block);
	s->block = block;
	s->scanned -= s->at;
	s->at = 0;
	return SEAL_OK;
}

/* True when a read would not block. */
static bool readable(const struct file_source *s, int timeout_ms)
{
	struct pollfd on = {.fd = s->fd, .events = POLLIN};

	return s->regular || poll(&on, 1, timeout_ms) > 0;
}

static enum seal_status read_once(struct file_source *s, struct seal_err *err)
{
	struct block *block = s->block;
	ssize_t n = read(s->fd, block->bytes + block->len, block->cap - block->len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return SEAL_OK;
	if (n < 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read %s", s->name);
	block->len += (size_t)n;
	s->ended = n == 0;
	return SEAL_OK;
}

/* The next newline of the block from `scanned` on, or NULL; then all is scanned. */
static const uint8_t *next_newline(struct file_source *s)
{
	const uint8_t *found = NULL;

	if (s->block != NULL && s->scanned < s->block->len)
		found = memchr(s->block->bytes + s->scanned, '\n', s->block->len - s->scanned);
	s->scanned = found ? (size_t)(found - s->block->bytes) : s->block ? s->block->len : 0;
	return found;
}

static bool too_long(const struct file_source *s, size_t len)
{
	return len > (size_t)s->options.max_record_bytes;
}

/* Forgets the part of a line that is already too long; the room is used again unless a batch looks into the block. */
static void skip_part(struct file_source *s)
{
	if (atomic_load(&s->block->users) == 1)
		s->block->len = 0;
	s->at = s->scanned = s->block->len;
}

/*
 * Reads until a line is whole, too long, or the input ends: *result is then READ_SOME. A line that is being skipped is
 * dropped as it comes in; a block in which batches look is never written to behind their back, as only free room is.
 */
static enum seal_status fill(struct file_source *s, int timeout_ms, enum read_result *result, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	bool have_line = false;

	while (!s->ended) {
		if (have_line && (s->block->len == s->block->cap || !readable(s, 0)))
			break;
		if (!have_line && !readable(s, timeout_ms)) {
			*result = READ_IDLE;
			return SEAL_OK;
		}
		SEAL_TRY(make_room(s, err));
		SEAL_TRY(read_once(s, err));
		have_line = next_newline(s) != NULL;
		if (have_line)
			continue;
		if (s->skipping) {
			skip_part(s);
			*result = READ_IDLE; /* such a line may have no end; a stop request must be seen */
			return SEAL_OK;
		}
		if (too_long(s, s->block->len - s->at))
			break;
	}
	*result = READ_SOME;
out:
	return rc;
}

/* A copy of `err` in the batch's arena, as record->broken. */
static enum seal_status set_broken(struct batch *batch, struct record *record, const struct seal_err *why,
				   struct seal_err *err)
{
	if (why->code == SEAL_E_MEMORY)
		return err_memory(err);
	record->broken = ARENA_NEW(&batch->arena, struct seal_err);
	if (record->broken == NULL)
		return err_memory(err);
	*record->broken = *why;
	return SEAL_OK;
}

static bool is_blank(struct seal_bytes text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t' || text.ptr[0] == '\r'))
		text = bytes_skip(text, 1);
	return text.len == 0;
}

/* What a line needs besides its record. */
static struct ndjson_line *keep_line(struct batch *batch, struct record *record, struct seal_bytes text,
				     bool unterminated)
{
	struct ndjson_line *line = ARENA_NEW(&batch->arena, struct ndjson_line);

	if (line == NULL)
		return NULL;
	*line = (struct ndjson_line){.text = text, .number = (uint64_t)record->offset, .unterminated = unterminated};
	record->native = line;
	return line;
}

/* kcat's -K: "key:value"; a line without the delimiter has no key. */
static void split_key(const char *delimiter, struct record *record)
{
	size_t len = strlen(delimiter);
	const uint8_t *at = memmem(record->value.ptr, record->value.len, delimiter, len);

	if (at == NULL)
		return;
	record->key = bytes_of(record->value.ptr, (size_t)(at - record->value.ptr));
	record->value = bytes_skip(record->value, record->key.len + len);
}

/* Adds a record for the line `text`; a NULL `text.ptr` is a line that was too long. */
static enum seal_status add(struct file_source *s, struct batch *batch, struct seal_bytes text, bool unterminated,
			    struct seal_err *err)
{
	struct record *record = &batch->records[batch->n];
	struct seal_err why = SEAL_ERR_INIT;
	struct ndjson_line *line = NULL;
	bool blank = text.ptr != NULL && (text.len == 0 || (text.ptr[0] <= ' ' && is_blank(text)));

	if (blank && s->options.skip_blank) {
		s->lines++;
		return SEAL_OK;
	}
	batch->n++;
	*record = (struct record){.value = text, .partition = -1, .offset = (int64_t)++s->lines};
	if (blank || unterminated || s->options.envelopes) {
		line = keep_line(batch, record, text, unterminated);
		if (line == NULL)
			return err_memory(err);
	}
	if (text.ptr == NULL)
		err_set(&why, SEAL_DATA, SEAL_E_LIMIT, "the record is longer than %lld bytes; see --max-record-bytes",
			(long long)s->options.max_record_bytes);
	else if (blank)
		record->value = BYTES_EMPTY;
	else if (s->options.envelopes)
		why.status = envelope_read(&s->reader, line, &batch->arena, record, &why);
	else if (s->options.key_delimiter != NULL)
		split_key(s->options.key_delimiter, record);
	return why.status == SEAL_OK ? SEAL_OK : set_broken(batch, record, &why, err);
}

/* Takes the line that ends at `end` (its newline, or the end of the input). */
static enum seal_status take_line(struct file_source *s, struct batch *batch, size_t end, bool unterminated,
				  struct seal_err *err)
{
	struct seal_bytes text = bytes_of(s->block->bytes + s->at, end - s->at);
	bool skipped = s->skipping;

	s->at = s->scanned = end + !unterminated;
	s->skipping = false;
	if (skipped)
		return SEAL_OK;
	return add(s, batch, too_long(s, text.len) ? BYTES_EMPTY : text, unterminated, err);
}

/* Turns what the block holds into records. */
static enum seal_status frame(struct file_source *s, struct batch *batch, size_t max_records, struct seal_err *err)
{
	const uint8_t *newline;
	enum seal_status rc = SEAL_OK;

	while (batch->n < max_records && (newline = next_newline(s)) != NULL)
		SEAL_TRY(take_line(s, batch, (size_t)(newline - s->block->bytes), false, err));
	if (batch->n == max_records || s->block == NULL || s->scanned < s->block->len)
		goto out;
	if (s->ended && s->at < s->block->len) {
		rc = take_line(s, batch, s->block->len, true, err);
	} else if (!s->skipping && too_long(s, s->block->len - s->at)) {
		rc = add(s, batch, BYTES_EMPTY, false, err);
		s->skipping = true;
		s->at = s->block->len;
	}
out:
	return rc;
}

static bool has_more(struct file_source *s)
{
	return next_newline(s) != NULL || (s->ended && s->block != NULL && s->at < s->block->len);
}

static enum seal_status file_read_batch(struct source *source, struct batch *batch, size_t max_records,
					int timeout_ms, enum read_result *result, struct seal_err *err)
{
	struct file_source *s = (struct file_source *)source;
	enum seal_status rc = SEAL_OK;

	batch->native = NULL;
	if (max_records > batch->cap)
		max_records = batch->cap;
	*result = READ_SOME;
	if (!has_more(s))
		SEAL_TRY(fill(s, timeout_ms, result, err));
	if (*result == READ_IDLE)
		goto out;
	SEAL_TRY(frame(s, batch, max_records, err));
	if (batch->n == 0) {
		/* Only blank lines, or what was left of one too long: not yet the end, but time to look around. */
		*result = s->ended && !has_more(s) ? READ_END : READ_IDLE;
		goto out;
	}
	atomic_fetch_add(&s->block->users, 1);
	batch->native = s->block;
out:
	return rc;
}

static void file_release(struct source *source, struct batch *batch)
{
	block_drop((struct file_source *)source, batch->native);
	batch->native = NULL;
}

static void file_close(struct source *source, bool clean)
{
	struct file_source *s = (struct file_source *)source;

	if (s == NULL)
		return;
	block_free(s->block);
	while (s->free != NULL) {
		struct block *next = s->free->next;

		block_free(s->free);
		s->free = next;
	}
	if (s->close_fd)
		close(s->fd);
	envelope_reader_clear(&s->reader);
	pthread_mutex_destroy(&s->lock);
	mem_free(s->name);
	mem_free(s);
}

/* "in.json:17"; with envelopes also what they say: "in.json:17 (purchases/0/4711)". */
static void file_place(struct source *source, const struct record *record, char *out, size_t room)
{
	struct file_source *s = (struct file_source *)source;
	const struct ndjson_line *line = record->native;

	if (line == NULL || line->payload_end == 0)
		snprintf(out, room, "%s:%lld", s->name, (long long)(line ? (int64_t)line->number : record->offset));
	else
		snprintf(out, room, "%s:%llu (%.*s/%d/%lld)", s->name, (unsigned long long)line->number,
			 BYTES_FMT(record->topic), (int)record->partition, (long long)record->offset);
	/* The topic comes from the line: it must not break a message or steer a terminal. */
	for (; *out != '\0'; out++)
		if ((unsigned char)*out < 0x20 || *out == 0x7f)
			*out = '?';
}

static enum seal_status open_fd(struct file_source *s, const char *address, struct seal_err *err)
{
	struct stat st;

	s->fd = STDIN_FILENO;
	if (strcmp(address, "-") != 0) {
		s->fd = open(address, O_RDONLY | O_CLOEXEC);
		if (s->fd < 0 && (errno == EACCES || errno == EPERM))
			return err_set_errno(err, SEAL_DENIED, SEAL_E_DENIED, errno, "cannot open %s", address);
		if (s->fd < 0)
			return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot open %s", address);
		s->close_fd = true;
	}
	if (fstat(s->fd, &st) != 0)
		return err_set_errno(err, SEAL_USAGE, SEAL_E_NO_INPUT, errno, "cannot read %s", s->name);
	if (S_ISDIR(st.st_mode))
		return err_set(err, SEAL_USAGE, SEAL_E_NO_INPUT, "%s is a directory; name a file", s->name);
	s->regular = S_ISREG(st.st_mode);
	return SEAL_OK;
}

static enum seal_status file_open(const char *address, const void *options, struct source **out, struct seal_err *err)
{
	struct file_source *s = mem_calloc(1, sizeof(*s));
	enum seal_status rc;

	*out = NULL;
	if (s == NULL)
		return err_memory(err);
	s->base.ops = &ndjson_source_ops;
	s->options = *(const struct options *)options;
	pthread_mutex_init(&s->lock, NULL);
	s->name = mem_strdup(strcmp(address, "-") == 0 ? "stdin" : address);
	if (s->name == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(open_fd(s, address, err));
	rc = s->options.envelopes ? envelope_reader_init(&s->reader, err) : SEAL_OK;
out:
	if (rc != SEAL_OK) {
		file_close(&s->base, false);
		return rc;
	}
	*out = &s->base;
	return SEAL_OK;
}

const struct stream_traits ndjson_traits = {
	.title = "files of lines",
	.address = "PATH",
	.null = "an empty line",
	.limit = "--max-record-bytes",
	.order = STREAM_ORDER_PARTITION,
};

const struct stream_traits ndjson_envelope_traits = {
	.title = "files of kcat's envelopes",
	.address = "PATH",
	.key = "`key`, UTF-8 text",
	.headers = "`headers`, UTF-8 text",
	.timestamp = "`ts`",
	.limit = "--max-record-bytes",
	.order = STREAM_ORDER_PARTITION,
	.keeps_timestamp = true,
};

const struct source_ops ndjson_source_ops = {
	.size = sizeof(struct source_ops),
	.name = "file",
	.traits = &ndjson_traits,
	.help = "records in lines: a path, or - for stdin",
	.options = rows,
	.options_size = sizeof(struct options),
	.open = file_open,
	.read = file_read_batch,
	.release = file_release,
	.close = file_close,
	.place = file_place,
};
