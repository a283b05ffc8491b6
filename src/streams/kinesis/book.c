/*
 * Two kinds: rows of a store, and rows in memory, which a file may stand behind: lines of JSON strings, key and value, written
 * anew (a temporary file, renamed) after each lot. A second file beside it is locked as long as it is open.
 */
#include "streams/kinesis/book.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "json/string.h"
#include "json/value.h"

#define SPACE "kinesis-leases"
#define STORE_MS 10000
#define FILE_MAX (64u << 20)

struct row {
	char *key, *value;
};

struct book {
	struct store *store;
	struct store_session *session;
	/* else */
	struct row *rows;
	size_t n_rows, cap_rows;
	char *path; /* NULL: memory */
	const char *name; /* its last part, */
	int folder; /* in this one; -1 */
	int lock; /* -1 */
};

bool book_is_shared(const struct book *book)
{
	return book->store != NULL;
}

/* ---- rows in memory ---- */

static struct row *find(const struct book *book, struct seal_bytes key)
{
	for (size_t i = 0; i < book->n_rows; i++)
		if (bytes_eq_str(key, book->rows[i].key))
			return &book->rows[i];
	return NULL;
}

static enum seal_status add(struct book *book, struct seal_bytes key, struct seal_bytes value, struct seal_err *err)
{
	struct row row;

	if (!mem_grow((void **)&book->rows, &book->cap_rows, book->n_rows + 1, sizeof(row)))
		return err_memory(err);
	row.key = mem_strndup((const char *)key.ptr, key.len);
	row.value = mem_strndup((const char *)value.ptr, value.len);
	if (row.key == NULL || row.value == NULL) {
		mem_free(row.key);
		mem_free(row.value);
		return err_memory(err);
	}
	book->rows[book->n_rows++] = row;
	return SEAL_OK;
}

/* ---- the file ---- */

static enum seal_status read_line(struct book *book, struct seal_bytes line, struct arena *arena,
				  struct seal_err *err)
{
	struct json_value document, fields[3];
	struct seal_bytes key, value;
	struct json_items items;
	size_t n = 0;
	enum seal_status rc;

	SEAL_TRY(json_value_of(line, &document, err));
	json_items(&document, &items);
	while (n < 3 && json_item_next(&items, &fields[n]))
		n++;
	if (!json_value_is(&document, JSON_ARRAY) || n != 2)
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX, "a line is not [\"shard\", \"place\"]");
	SEAL_TRY(json_value_string(&fields[0], arena, &key, err));
	SEAL_TRY(json_value_string(&fields[1], arena, &value, err));
	rc = add(book, key, value, err);
out:
	return rc;
}

static enum seal_status read_file(struct book *book, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(FILE_MAX);
	struct seal_err why = SEAL_ERR_INIT;
	struct arena arena;
	size_t at = 0;
	enum seal_status rc;

	arena_init(&arena, 0);
	rc = file_read(book->path, &text, &why);
	if (rc != SEAL_OK && why.code == SEAL_E_NO_INPUT && access(book->path, F_OK) != 0)
		rc = SEAL_OK; /* the first run */
	while (rc == SEAL_OK && at < text.len) {
		const uint8_t *line = text.ptr + at, *end = memchr(line, '\n', text.len - at);
		const size_t len = end != NULL ? (size_t)(end - line) : text.len - at;

		rc = read_line(book, bytes_of(line, len), &arena, &why);
		at += len + 1;
	}
	if (rc != SEAL_OK) {
		err_prefix(&why, "the checkpoint file");
		why.place[0] = '\0';
		err_place(&why, "%s", book->path);
		if (err != NULL)
			*err = why;
	}
	buf_clear(&text);
	arena_clear(&arena);
	return rc;
}

/* Whole, to disk. */
static enum seal_status save(struct book *book, struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(FILE_MAX);
	enum seal_status rc = SEAL_OK;

	if (book->path == NULL)
		return SEAL_OK;
	for (size_t i = 0; i < book->n_rows; i++) {
		SEAL_TRY(buf_append_u8(&text, '[', err));
		SEAL_TRY(json_string_append(&text, bytes_str(book->rows[i].key), err));
		SEAL_TRY(buf_append_u8(&text, ',', err));
		SEAL_TRY(json_string_append(&text, bytes_str(book->rows[i].value), err));
		SEAL_TRY(buf_append_str(&text, "]\n", err));
	}
	rc = file_replace_at(book->folder, book->name, buf_bytes(&text), 0600, book->path, err);
out:
	buf_clear(&text);
	return rc;
}

static enum seal_status open_folder(struct book *book, const char *path, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	char *folder;

	book->path = mem_strdup(path);
	folder = slash == NULL ? mem_strdup(".") : mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (book->path == NULL || folder == NULL) {
		mem_free(folder);
		return err_memory(err);
	}
	book->name = slash == NULL ? book->path : book->path + (slash + 1 - path);
	book->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mem_free(folder);
	if (book->folder >= 0)
		return SEAL_OK;
	err_place(err, "%s", path);
	return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "the checkpoint file's directory");
}

static enum seal_status open_file(struct book *book, const char *path, struct seal_err *err)
{
	char beside[NAME_MAX + 1];
	enum seal_status rc = open_folder(book, path, err);

	if (rc != SEAL_OK)
		return rc;
	if (*book->name == '\0' || (size_t)snprintf(beside, sizeof(beside), "%s.lock", book->name) >= sizeof(beside))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s cannot be a checkpoint file's name", path);
	book->lock = openat(book->folder, beside, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (book->lock < 0) {
		err_place(err, "%s.lock", path);
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot make the checkpoint file's lock");
	}
	if (flock(book->lock, LOCK_EX | LOCK_NB) != 0) {
		err_place(err, "%s", path);
		return err_set(
			err, SEAL_RETRY, SEAL_E_BUSY,
			"another process keeps its place in this file; several readers of a stream share a data "
			"base (sqlite:FILE, postgresql://…)");
	}
	return read_file(book, err);
}

/* ---- stores ---- */

static enum seal_status open_store(struct book *book, const char *address, const struct store_ops *const *stores,
				   struct seal_err *err)
{
	const char *const colon = strchr(address, ':');
	const struct store_config config = {.create = true};
	enum seal_status rc;

	for (; colon != NULL && stores != NULL && *stores != NULL; stores++) {
		if (!bytes_eq_str(bytes_of(address, (size_t)(colon - address)), (*stores)->name))
			continue;
		SEAL_TRY((*stores)->open(address, &config, &book->store, err));
		rc = book->store->ops->session(book->store, &book->session, err);
		goto out;
	}
	rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		     "checkpoints are kept in file:PATH, sqlite:FILE or postgresql://…, and this is none of them");
out:
	return rc;
}

static struct store_call call_of(struct arena *arena)
{
	return (struct store_call){.arena = arena, .deadline_ms = clock_mono_ms() + STORE_MS};
}

/* ---- public ---- */

enum seal_status book_open(const char *address, const struct store_ops *const *stores, struct book **out,
			   struct seal_err *err)
{
	struct book *book = mem_calloc(1, sizeof(*book));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (book == NULL)
		return err_memory(err);
	book->lock = book->folder = -1;
	if (address != NULL && strncmp(address, "file:", 5) == 0)
		rc = open_file(book, address + 5, err);
	else if (address != NULL)
		rc = open_store(book, address, stores, err);
	if (rc == SEAL_OK)
		*out = book;
	else
		book_close(book);
	return rc;
}

enum seal_status book_get(struct book *book, struct store_item *items, size_t n, struct arena *arena,
			  struct seal_err *err)
{
	const struct store_call call = call_of(arena);

	if (book->session != NULL)
		return book->session->ops->get(book->session, SPACE, items, n, &call, err);
	for (size_t i = 0; i < n; i++) {
		const struct row *row = find(book, items[i].key);

		items[i].value = row != NULL ? bytes_str(row->value) : BYTES_EMPTY;
		if (row != NULL)
			items[i].value = arena_copy(arena, items[i].value);
		if (row != NULL && items[i].value.ptr == NULL)
			return err_memory(err);
	}
	return SEAL_OK;
}

enum seal_status book_insert(struct book *book, struct store_item *items, size_t n, struct arena *arena,
			     struct seal_err *err)
{
	const struct store_call call = call_of(arena);
	enum seal_status rc = SEAL_OK;

	if (book->session != NULL)
		return book->session->ops->insert(book->session, SPACE, items, n, &call, err);
	for (size_t i = 0; i < n; i++) {
		items[i].inserted = find(book, items[i].key) == NULL;
		if (items[i].inserted)
			SEAL_TRY(add(book, items[i].key, items[i].value, err));
	}
	rc = save(book, err);
out:
	return rc;
}

enum seal_status book_change(struct book *book, struct store_change *changes, size_t n, struct arena *arena,
			     struct seal_err *err)
{
	const struct store_call call = call_of(arena);

	if (book->session != NULL)
		return book->session->ops->change(book->session, SPACE, changes, n, &call, err);
	for (size_t i = 0; i < n; i++) {
		struct row *row = find(book, changes[i].key);
		char *value;

		changes[i].changed = row != NULL && bytes_eq_str(changes[i].from, row->value);
		if (!changes[i].changed)
			continue;
		value = mem_strndup((const char *)changes[i].to.ptr, changes[i].to.len);
		if (value == NULL)
			return err_memory(err);
		mem_free(row->value);
		row->value = value;
	}
	return save(book, err);
}

void book_close(struct book *book)
{
	if (book == NULL)
		return;
	if (book->session != NULL)
		book->session->ops->session_free(book->session);
	if (book->store != NULL)
		book->store->ops->free(book->store);
	for (size_t i = 0; i < book->n_rows; i++) {
		mem_free(book->rows[i].key);
		mem_free(book->rows[i].value);
	}
	if (book->lock >= 0)
		close(book->lock);
	if (book->folder >= 0)
		close(book->folder);
	mem_free(book->rows);
	mem_free(book->path);
	mem_free(book);
}
