/*
 * Transfers under way.
 *
 *   table   by id, all       list   oldest … newest, by the time something came       open   those with work, at most 256
 *
 * Invariants: a transfer is in the table and in the list from begin to forget; it has work exactly when it is in `open`; each chunk
 * that was dealt with is in its part before the record's offset can be passed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "files/names.h"
#include "transfer/receiver.h"

#define PROGRESS_MS 100
#define SAVE_MS 2000
#define SAVE_BYTES (64ull << 20)
#define LEFTOVER_S 60 /* after which a temporary file is nobody's */

/* ---- list and table ---- */

static void unlink_list(struct receiver *r, struct incoming *t)
{
	*(t->older ? &t->older->newer : &r->oldest) = t->newer;
	*(t->newer ? &t->newer->older : &r->newest) = t->older;
	t->older = t->newer = NULL;
}

static void append_list(struct receiver *r, struct incoming *t)
{
	t->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = t;
	r->newest = t;
}

static uint64_t hash_of(const uint8_t *id)
{
	return table_hash(TABLE_SEED, bytes_of(id, FILE_ID_LEN));
}

struct incoming *incoming_find(const struct receiver *r, const uint8_t *id)
{
	const uint64_t hash = hash_of(id);
	struct table_node *node = NULL;

	while ((node = table_find(&r->table, hash, node)) != NULL)
		if (memcmp(((struct incoming *)node)->id, id, FILE_ID_LEN) == 0)
			return (struct incoming *)node;
	return NULL;
}

static void work_free(struct receiver *r, struct incoming *t)
{
	if (t->work == NULL)
		return;
	for (size_t i = 0; i < t->work->n_openers; i++)
		file_opener_free(t->work->openers[i].opener);
	partial_close(&t->work->part);
	buf_clear(&t->work->placed);
	mem_free(t->work);
	t->work = NULL;
	for (size_t i = 0; i < r->n_open; i++)
		if (r->open[i] == t)
			r->open[i] = r->open[--r->n_open];
}

static void drop_whole(struct receiver *r, const struct incoming *t)
{
	for (size_t i = 0; i < r->n_whole; i++)
		if (r->whole[i] == t) {
			r->n_whole--;
			memmove(&r->whole[i], &r->whole[i + 1], (r->n_whole - i) * sizeof(r->whole[0]));
		}
}

void incoming_forget(struct receiver *r, struct incoming *t)
{
	drop_whole(r, t);
	work_free(r, t);
	unlink_list(r, t);
	table_remove(&r->table, &t->node);
	mem_free(t->name);
	mem_free(t);
}

void incoming_clear(struct receiver *r)
{
	while (r->oldest != NULL)
		incoming_forget(r, r->oldest);
	table_clear(&r->table);
}

/* ---- failing ---- */

void incoming_fail(struct receiver *r, struct incoming *t, const struct seal_err *why)
{
	receiver_refuse(r, t->id);
	r->counts->failed++;
	receiver_tell(r, TRANSFER_FAILED, t, t->name, why);
	if (t->work != NULL)
		partial_remove(&t->work->part);
	incoming_forget(r, t);
}

/* One that is refused before it is known. */
static void refuse(struct receiver *r, const struct file_meta *meta, const char *name, const struct seal_err *why)
{
	struct incoming told = {.size = meta->size};

	memcpy(told.id, meta->id, FILE_ID_LEN);
	receiver_refuse(r, meta->id);
	r->counts->files_known++;
	r->counts->failed++;
	receiver_tell(r, TRANSFER_FAILED, &told, name, why);
}

static void missing_text(const struct incoming *t, char *out, size_t room)
{
	const uint64_t chunks = t->size == FILE_SIZE_UNKNOWN ? 0 : file_chunks(t->size, t->chunk_size);
	char list[256];

	if (t->work == NULL) {
		snprintf(out, room, "%" PRIu64 " byte%s of it had come", t->bytes, plural_s(t->bytes));
		return;
	}
	ranges_missing_text(&t->work->part.have, chunks, list, sizeof(list));
	if (chunks > 0)
		snprintf(out, room, "missing of %" PRIu64 " chunks: %s", chunks, list);
	else
		snprintf(out, room, "missing chunks: %s (how many there are is not known)", list);
}

static void give_up(struct receiver *r, struct incoming *t, const char *because)
{
	struct seal_err why = SEAL_ERR_INIT;
	char missing[320];
	bool gone = false;

	/* Its ranges are on disk when it is parked; where they cannot be read, it is told without. */
	if (t->work == NULL && r->n_open < INCOMING_OPEN_MAX && incoming_unpark(r, t, &gone, NULL) == SEAL_OK && gone)
		return;
	missing_text(t, missing, sizeof(missing));
	err_set(&why, SEAL_DATA, SEAL_E_TIMEOUT, "given up, %s; %s", because, missing);
	incoming_fail(r, t, &why);
}

void incoming_forgive(struct receiver *r, uint64_t ms)
{
	const uint64_t now = receiver_now(r);

	for (struct incoming *t = r->oldest; t != NULL; t = t->newer)
		t->touched_ms = now - t->touched_ms > ms ? t->touched_ms + ms : now;
	r->start_ms = now - r->start_ms > ms ? r->start_ms + ms : now;
}

void incoming_expire(struct receiver *r)
{
	const uint64_t timeout = r->options->timeout_ms, now = receiver_now(r);
	char because[80];

	snprintf(because, sizeof(because), "since nothing came for %.0f s", (double)timeout / 1000);
	while (timeout > 0 && r->oldest != NULL && !r->oldest->whole && now - r->oldest->touched_ms >= timeout)
		give_up(r, r->oldest, because);
}

/* ---- open and parked ---- */

/* A failure that room could mend is one to wait for, whatever it is called. */
static enum seal_status save_now(struct partial *part, struct seal_err *err)
{
	enum seal_status rc = partial_save(part, err);

	if (rc == SEAL_FATAL && err != NULL && (err->code == SEAL_E_IO || err->code == SEAL_E_CREATE))
		rc = err->status = SEAL_RETRY;
	return rc;
}

/* Saved and out of memory. */
static enum seal_status park(struct receiver *r, struct incoming *t, struct seal_err *err)
{
	enum seal_status rc = save_now(&t->work->part, err);

	if (rc == SEAL_OK)
		work_free(r, t);
	return rc;
}

/* Room for one more that is open. */
static enum seal_status make_room(struct receiver *r, struct seal_err *err)
{
	struct incoming *least = NULL;

	if (r->n_open < INCOMING_OPEN_MAX)
		return SEAL_OK;
	for (size_t i = 0; i < r->n_open; i++)
		if (!r->open[i]->whole && (least == NULL || r->open[i]->touched_ms < least->touched_ms))
			least = r->open[i];
	SEAL_INVARIANT(least != NULL); /* INCOMING_WHOLE_MAX is less than INCOMING_OPEN_MAX */
	return park(r, least, err);
}

/* How many bytes the part has, as far as its chunks tell. */
static uint64_t bytes_there(const struct incoming *t)
{
	const struct partial *part = &t->work->part;
	uint64_t bytes = ranges_count(&part->have) * t->chunk_size;

	if (part->chunks > 0 && part->size != FILE_SIZE_UNKNOWN && ranges_has(&part->have, part->chunks - 1))
		bytes -= part->chunks * t->chunk_size - part->size;
	return bytes;
}

static enum seal_status open_work(struct receiver *r, struct incoming *t, struct seal_err *err)
{
	struct incoming_work *work = mem_calloc(1, sizeof(*work));
	enum seal_status rc;

	if (work == NULL)
		return err_memory(err);
	work->placed.max = FILE_LOCAL_NAME_MAX + 1;
	SEAL_TRY(partial_open(r->place.state, t->id, t->meta, t->chunk_size, &work->part, err));
	if (t->size != FILE_SIZE_UNKNOWN) {
		work->part.chunks = file_chunks(t->size, t->chunk_size);
		work->part.size = t->size;
	}
	t->size = work->part.size;
	work->saved_ms = receiver_now(r);
	t->work = work;
	r->open[r->n_open++] = t;
	work = NULL;
out:
	mem_free(work);
	return rc;
}

enum seal_status incoming_unpark(struct receiver *r, struct incoming *t, bool *gone, struct seal_err *err)
{
	const uint64_t had = t->bytes;
	enum seal_status rc;

	*gone = false;
	if (t->work != NULL)
		return SEAL_OK;
	SEAL_TRY(make_room(r, err));
	SEAL_TRY(open_work(r, t, err));
	if (bytes_there(t) < had) {
		struct seal_err why = SEAL_ERR_INIT;

		err_set(&why, SEAL_DATA, SEAL_E_MISSING,
			"what had come of it was taken away from the state directory");
		incoming_fail(r, t, &why);
		*gone = true;
	}
out:
	return rc;
}

/* ---- beginning ---- */

/* NULL, or why a file of that size is not begun. */
static const char *refusal(const struct receiver *r, uint64_t size)
{
	if (size == FILE_SIZE_UNKNOWN)
		return NULL;
	if (r->options->max_file_bytes > 0 && size > r->options->max_file_bytes)
		return "is larger than --max-file-bytes allows";
	if (size > r->place.capacity || size > INT64_MAX)
		return "is larger than the whole file system of the destination";
	return NULL;
}

static enum seal_status make(const struct file_meta *meta, const uint8_t *digest, const struct seal_buf *name,
			     struct incoming **out, struct seal_err *err)
{
	struct incoming *t = mem_calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return err_memory(err);
	memcpy(t->id, meta->id, FILE_ID_LEN);
	memcpy(t->meta, digest, SHA256_LEN);
	t->size = meta->size;
	t->mtime_ns = meta->mtime_ns;
	t->chunk_size = meta->chunk_size;
	t->name = mem_strndup((const char *)name->ptr, name->len);
	return t->name ? SEAL_OK : err_memory(err);
}

/* Into table and list, and told. */
static enum seal_status add(struct receiver *r, struct incoming *t, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(make_room(r, err));
	SEAL_TRY(table_add(&r->table, &t->node, hash_of(t->id), err));
	rc = open_work(r, t, err);
	if (rc != SEAL_OK) {
		table_remove(&r->table, &t->node);
		goto out;
	}
	append_list(r, t);
	t->touched_ms = receiver_now(r);
	t->bytes = bytes_there(t);
	r->counts->files_known++;
	r->counts->bytes_known += t->size == FILE_SIZE_UNKNOWN ? 0 : t->size;
	receiver_tell(r, t->work->part.have.n > 0 ? TRANSFER_RESUMED : TRANSFER_STARTED, t, t->name, NULL);
out:
	return rc;
}

enum seal_status incoming_begin(struct receiver *r, const struct file_meta *meta, const uint8_t *digest,
				struct incoming **out, struct seal_err *err)
{
	const char *because = refusal(r, meta->size);
	struct seal_buf name = BUF_INIT(FILE_LOCAL_NAME_MAX + 1);
	struct incoming *t = NULL;
	enum seal_status rc;
	bool changed;

	*out = NULL;
	SEAL_TRY(file_name_safe(meta->name, &name, &changed, err));
	SEAL_TRY(make(meta, digest, &name, &t, err));
	if (because != NULL) {
		struct seal_err why = SEAL_ERR_INIT;

		err_set(&why, SEAL_DATA, SEAL_E_LIMIT, "a file of %" PRIu64 " byte%s %s", meta->size,
			plural_s(meta->size), because);
		refuse(r, meta, t->name, &why);
		goto out;
	}
	if (r->table.n >= INCOMING_KNOWN_MAX && !r->oldest->whole)
		give_up(r, r->oldest, "since too many others are under way");
	SEAL_TRY(add(r, t, err));
	*out = t;
	t = NULL;
out:
	if (t != NULL)
		mem_free(t->name);
	mem_free(t);
	buf_clear(&name);
	return rc;
}

void incoming_touch(struct receiver *r, struct incoming *t, const struct record *record)
{
	t->touched_ms = receiver_now(r);
	unlink_list(r, t);
	append_list(r, t);
	for (size_t i = 0; i < t->n_holds; i++) {
		struct hold *hold = &t->holds[i];

		if (hold->partition != record->partition)
			continue;
		hold->offset = record->offset < hold->offset ? record->offset : hold->offset;
		return;
	}
	/* Copies may stand in any partition; they must not take the place of the rest of it. */
	if (t->n_holds == INCOMING_HOLDS_MAX)
		t->save_always = true;
	else
		t->holds[t->n_holds++] = (struct hold){record->partition, record->offset};
}

/* ---- chunks ---- */

/* The last chunk of a file whose size was not known: now it is. False when others are behind it. */
static bool learn_size(struct receiver *r, struct incoming *t, uint32_t index, size_t len)
{
	struct partial *part = &t->work->part;
	struct seal_err why = SEAL_ERR_INIT;

	if (part->chunks > 0)
		return true;
	if (ranges_end(&part->have) > (uint64_t)index + 1) {
		err_set(&why, SEAL_DATA, SEAL_E_TAMPERED, "it has chunks behind its last one");
		incoming_fail(r, t, &why);
		return false;
	}
	part->chunks = (uint64_t)index + 1;
	part->size = t->size = (uint64_t)index * t->chunk_size + len;
	r->counts->bytes_known += t->size;
	return true;
}

/* False where this chunk makes the transfer impossible. */
static bool fits(struct receiver *r, struct incoming *t, uint32_t index, bool last, size_t len)
{
	const uint64_t end = (uint64_t)index * t->chunk_size + len;
	const struct partial *part = &t->work->part;
	const char *because = refusal(r, end);
	struct seal_err why = SEAL_ERR_INIT;

	if (part->chunks > 0 && (index >= part->chunks || last != (index == part->chunks - 1)))
		because = "has more than one last chunk, or chunks behind it";
	if (because == NULL)
		return true;
	err_set(&why, SEAL_DATA, SEAL_E_LIMIT, "a file of at least %" PRIu64 " bytes %s", end, because);
	incoming_fail(r, t, &why);
	return false;
}

static void tell_progress(struct receiver *r, struct incoming *t)
{
	const uint64_t now = clock_mono_ms();

	if (t->whole || now - t->work->told_ms < PROGRESS_MS)
		return;
	t->work->told_ms = now;
	receiver_tell(r, TRANSFER_PROGRESS, t, t->name, NULL);
}

enum seal_status incoming_write(struct receiver *r, struct incoming *t, uint32_t index, bool last,
				struct seal_bytes plain, struct seal_err *err)
{
	struct partial *part = &t->work->part;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	if (!fits(r, t, index, last, plain.len))
		return SEAL_OK;
	rc = partial_write(part, (uint64_t)index * t->chunk_size, plain, &why);
	if (rc == SEAL_OK)
		rc = ranges_add(&part->have, index, &why);
	if (rc == SEAL_DATA) {
		incoming_fail(r, t, &why);
		return SEAL_OK;
	}
	if (rc != SEAL_OK) {
		if (err != NULL)
			*err = why;
		goto out;
	}
	part->unsaved += plain.len;
	t->bytes += plain.len;
	r->counts->chunks++;
	if (last && !learn_size(r, t, index, plain.len))
		return SEAL_OK;
	if (part->chunks > 0 && ranges_count(&part->have) == part->chunks) {
		SEAL_INVARIANT(r->n_whole < INCOMING_WHOLE_MAX);
		t->whole = true;
		r->whole[r->n_whole++] = t;
	} else if (t->save_always) {
		SEAL_TRY(save_now(&t->work->part, err));
	}
	tell_progress(r, t);
out:
	return rc;
}

/* ---- from time to time ---- */

enum seal_status incoming_save(struct receiver *r, bool all, struct seal_err *err)
{
	const uint64_t now = receiver_now(r);
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < r->n_open && rc == SEAL_OK; i++) {
		struct incoming_work *work = r->open[i]->work;
		struct seal_err why = SEAL_ERR_INIT;

		if (work->part.unsaved == 0 || r->open[i]->whole ||
		    (!all && work->part.unsaved < SAVE_BYTES && now - work->saved_ms < SAVE_MS))
			continue;
		work->saved_ms = now;
		/* What was not saved comes again after a restart, as the offset says: no reason to stop. */
		if (partial_save(&work->part, &why) != SEAL_OK && why.code == SEAL_E_MEMORY)
			rc = err_memory(err);
	}
	return rc;
}

void incoming_abandon(struct receiver *r, struct incoming *t)
{
	r->counts->files_known--;
	r->counts->bytes_known -= t->size == FILE_SIZE_UNKNOWN ? 0 : t->size;
	receiver_tell(r, TRANSFER_ABANDONED, t, t->name, NULL);
	incoming_forget(r, t);
}

/* For a new owner that has the same directory; one that has another, or finds no state, gets it all again. */
static void save_for_others(struct incoming *t)
{
	struct seal_err ignored = SEAL_ERR_INIT;

	if (t->work != NULL && t->work->part.unsaved > 0 && partial_save(&t->work->part, &ignored) != SEAL_OK)
		t->work->part.unsaved = 0;
}

/* False where nothing of it came from there. */
static bool let_go(struct incoming *t, int32_t partition)
{
	for (size_t i = 0; i < t->n_holds; i++)
		if (t->holds[i].partition == partition) {
			t->holds[i] = t->holds[--t->n_holds];
			return true;
		}
	return false;
}

void incoming_lose(struct receiver *r, int32_t partition)
{
	struct incoming *next;

	for (struct incoming *t = r->oldest; t != NULL; t = next) {
		next = t->newer;
		if (!let_go(t, partition) || t->n_holds > 0)
			continue;
		save_for_others(t);
		incoming_abandon(r, t);
	}
}

/* True when `name` in the state directory has not been written for `s` seconds. */
static bool is_older(const struct receiver *r, const char *name, uint64_t s)
{
	struct stat st;

	return fstatat(r->place.state, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mtime < clock_unix_ms() / 1000 - (int64_t)s;
}

static void sweep_part(struct receiver *r, const char *name, const uint8_t *id)
{
	const uint64_t timeout = r->options->timeout_ms;
	struct incoming t = {.size = FILE_SIZE_UNKNOWN};
	struct seal_err why = SEAL_ERR_INIT;
	bool has = false;

	if (incoming_find(r, id) != NULL || received_has(r->received, id, &has, NULL) != SEAL_OK)
		return;
	if (has) {
		partial_discard(r->place.state, name);
		return;
	}
	/* Whoever reads the topic has had as much time as a transfer under way to go on with it. */
	if (timeout == 0 || receiver_now(r) - r->start_ms < timeout || !is_older(r, name, timeout / 1000) ||
	    !partial_discard(r->place.state, name))
		return;
	memcpy(t.id, id, FILE_ID_LEN);
	err_set(&why, SEAL_DATA, SEAL_E_TIMEOUT,
		"given up: an earlier run had begun it, and nothing came of it in %.0f s", (double)timeout / 1000);
	r->counts->failed++;
	receiver_tell(r, TRANSFER_FAILED, &t, name, &why);
}

static bool ends_in(const char *name, const char *suffix)
{
	const size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* The state of a part that has become a file, or was taken away. */
static bool is_orphan(const struct receiver *r, const char *name)
{
	char part[NAME_MAX + 1];
	uint8_t id[FILE_ID_LEN];

	snprintf(part, sizeof(part), "%.*s%s", (int)(strlen(name) - strlen(PARTIAL_STATE)), name, PARTIAL_PART);
	return partial_name_parse(part, id) && faccessat(r->place.state, part, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
	       errno == ENOENT;
}

static void sweep_entry(struct receiver *r, const char *name)
{
	uint8_t id[FILE_ID_LEN];

	if (partial_name_parse(name, id))
		sweep_part(r, name, id);
	else if (((name[0] == '.' && ends_in(name, ".tmp")) ||
		  (ends_in(name, PARTIAL_STATE) && is_orphan(r, name))) &&
		 is_older(r, name, LEFTOVER_S))
		unlinkat(r->place.state, name, 0);
}

void incoming_sweep(struct receiver *r)
{
	int fd = openat(r->place.state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		sweep_entry(r, entry->d_name);
	if (dir != NULL)
		closedir(dir);
}
