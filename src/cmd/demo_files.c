/*
 * The third story's files: made, shown as the topic holds them, and compared with what arrived.
 *
 *   source/photo.png  ┐                                                             ┌ destination/photo.png
 *   source/orders.csv ├─ file send ─▶ a record for each chunk: headers, ciphertext ─┤ destination/orders.csv
 *   source/notes.txt  ┘                                                             └ destination/notes.txt
 *
 * The topic is read with a plain consumer, as an admin of the brokers would: nothing here has a key.
 */
#include "cmd/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "cmd/kafka_use.h"
#include "crypto/mac.h"
#include "transfer/transfer.h"

#define FILE_BYTES_MAX (2u << 20)
#define PROBE_LEN 16 /* so many bytes of a file must be nowhere in the topic */
#define EXCERPT_LEN 12
#define READ_MS 30000
#define READ_RECORDS 16
#define NAME_WIDTH 12
#define CHUNK_WIDTH 7
#define VALUE_WIDTH 44

static enum seal_status orders(struct seal_buf *out, struct seal_err *err)
{
	enum seal_status rc = buf_append_str(out, "order,customer,amount,currency\n", err);

	for (unsigned i = 1; rc == SEAL_OK && i <= 500; i++)
		rc = buf_printf(out, err, "%u,C-%06u,%u.%02u,EUR\n", 1000 + i, i * 7919 % 1000000, i * 37 % 900 + 1,
				i * 61 % 100);
	return rc;
}

static enum seal_status notes(struct seal_buf *out, struct seal_err *err)
{
	return buf_append_str(out,
			      "Minutes of the meeting about the new terms\n\n"
			      "Nobody but the people who were there should read this, and least of all\n"
			      "whoever runs the brokers.\n",
			      err);
}

static const struct demo_file {
	const char *name;
	enum seal_status (*make)(struct seal_buf *out, struct seal_err *err);
} files[] = {{"notes.txt", notes}, {"orders.csv", orders}, {"photo.png", demo_picture}};

#define FILES (sizeof(files) / sizeof(files[0]))

static enum seal_status make_one(const struct demo_file *file, struct seal_err *err)
{
	struct seal_buf content = BUF_INIT(FILE_BYTES_MAX);
	char path[64];
	int fd = -1;
	enum seal_status rc;

	snprintf(path, sizeof(path), DEMO_SOURCE "/%s", file->name);
	SEAL_TRY(file->make(&content, err));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot create %s", path);
		goto out;
	}
	SEAL_TRY(file_write_all(fd, buf_bytes(&content), path, err));
	printf("  %-12s %8zu bytes\n", file->name, content.len);
out:
	if (fd >= 0)
		close(fd);
	buf_clear(&content);
	return rc;
}

enum seal_status demo_files_make(struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	if (mkdir(DEMO_SOURCE, 0700) != 0)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot create " DEMO_SOURCE);
	for (size_t i = 0; rc == SEAL_OK && i < FILES; i++)
		rc = make_one(&files[i], err);
	return rc;
}

static enum seal_status broken(const char *name, const char *what, struct seal_err *err)
{
	return err_set(err, SEAL_FATAL, SEAL_E_INTERNAL, "the demo failed: %s: %s", name, what);
}

/* ---- what the topic holds ---- */

struct topic_view {
	const struct demo *demo;
	struct seal_buf sent[FILES]; /* as in source/ */
	unsigned chunks[FILES]; /* seen */
	size_t width;
};

static struct seal_bytes header(const struct record *record, const char *name)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (bytes_eq_str(record->headers[i].name, name))
			return record->headers[i].value;
	return BYTES_EMPTY;
}

static bool number(const struct record *record, const char *name, uint64_t *out)
{
	return bytes_to_u64(header(record, name), UINT32_MAX, out);
}

static void show_record(const struct topic_view *view, const struct record *record, struct seal_bytes name,
			uint64_t index, uint64_t count)
{
	const struct demo *demo = view->demo;
	char value[2 * EXCERPT_LEN + 40] = "…", chunk[48];

	snprintf(chunk, sizeof(chunk), "%llu of %llu", (unsigned long long)index + 1, (unsigned long long)count);
	hex_encode(bytes_skip(record->value, record->value.len - EXCERPT_LEN), value + strlen(value));
	snprintf(value + strlen(value), sizeof(value) - strlen(value), "  %zu bytes", record->value.len);
	demo_cell(demo, DEMO_RESET, name, NAME_WIDTH, false);
	demo_cell(demo, DEMO_RESET, header(record, TRANSFER_HEADER_KEY), view->width, false);
	demo_cell(demo, DEMO_RESET, bytes_str(chunk), CHUNK_WIDTH, false);
	demo_cell(demo, DEMO_YELLOW, bytes_str(value), VALUE_WIDTH, true);
	printf("\n");
}

/* Nothing of any file is in it: looked for where a file begins, and in its middle. */
static bool shows(const struct topic_view *view, struct seal_bytes value)
{
	for (size_t i = 0; i < FILES; i++) {
		struct seal_bytes sent = buf_bytes(&view->sent[i]);

		if (memmem(value.ptr, value.len, sent.ptr, PROBE_LEN) != NULL ||
		    memmem(value.ptr, value.len, sent.ptr + sent.len / 2, PROBE_LEN) != NULL)
			return true;
	}
	return false;
}

static enum seal_status take_record(struct topic_view *view, const struct record *record, struct seal_err *err)
{
	struct seal_bytes name = header(record, TRANSFER_HEADER_NAME);
	uint64_t index, count;
	size_t at = 0;

	while (at < FILES && !bytes_eq_str(name, files[at].name))
		at++;
	if (at == FILES)
		return broken(view->demo->files.name, "a record without the name of a file", err);
	if (!bytes_starts(header(record, TRANSFER_HEADER_KEY), BYTES_LIT("vault:v")) ||
	    !number(record, TRANSFER_HEADER_INDEX, &index) || !number(record, TRANSFER_HEADER_COUNT, &count) ||
	    record->value.len < EXCERPT_LEN)
		return broken(files[at].name, "a record without its headers", err);
	if (shows(view, record->value))
		return broken(files[at].name, "the topic shows what is in a file", err);
	show_record(view, record, name, index, count);
	view->chunks[at]++;
	return SEAL_OK;
}

static enum seal_status read_topic(struct topic_view *view, struct seal_err *err)
{
	const struct kafka_source_options options = {
		.connection = view->demo->reach, .offset = "beginning", .partition = -1, .exit_at_end = true};
	uint64_t deadline = clock_mono_ms() + READ_MS;
	enum read_result result = READ_IDLE;
	struct source *source = NULL;
	struct record records[READ_RECORDS];
	struct batch batch = {.records = records, .cap = READ_RECORDS};
	enum seal_status rc;

	arena_init(&batch.arena, 0);
	SEAL_TRY(kafka_use_source(view->demo->files.name, &options, &source, err));
	while (rc == SEAL_OK && result != READ_END && stop_requested() == 0 && clock_mono_ms() < deadline) {
		batch.n = 0;
		rc = source->ops->read(source, &batch, READ_RECORDS, 100, &result, err);
		for (size_t i = 0; rc == SEAL_OK && i < batch.n; i++)
			rc = take_record(view, &batch.records[i], err);
		if (result == READ_SOME)
			source->ops->release(source, &batch);
	}
out:
	if (source != NULL)
		source->ops->close(source, true);
	arena_clear(&batch.arena);
	return rc;
}

static enum seal_status show_topic(struct topic_view *view, struct seal_err *err)
{
	const struct demo *demo = view->demo;
	enum seal_status rc;

	printf("\n");
	demo_cell(demo, DEMO_BOLD, bytes_str("an admin of the brokers sees in the topic, one line a record"), 80,
		  true);
	printf("\n");
	demo_cell(demo, DEMO_DIM, bytes_str(TRANSFER_HEADER_NAME), NAME_WIDTH, false);
	demo_cell(demo, DEMO_DIM, bytes_str(TRANSFER_HEADER_KEY), view->width, false);
	demo_cell(demo, DEMO_DIM, bytes_str("chunk"), CHUNK_WIDTH, false);
	demo_cell(demo, DEMO_DIM, bytes_str("value"), VALUE_WIDTH, true);
	printf("\n");
	SEAL_TRY(read_topic(view, err));
	for (size_t i = 0; i < FILES; i++)
		if (view->chunks[i] != file_chunks(view->sent[i].len, FILE_CHUNK_DEFAULT))
			rc = broken(files[i].name, "the topic does not hold all of its chunks", err);
out:
	return rc;
}

/* ---- what arrived ---- */

static enum seal_status show_received(const struct demo *demo, const struct demo_file *file, struct seal_bytes sent,
				      struct seal_err *err)
{
	struct seal_buf content = BUF_INIT(FILE_BYTES_MAX);
	char path[64], hex[2 * SHA256_LEN + 1] = "", size[24];
	uint8_t hash[SHA256_LEN];
	enum seal_status rc;

	snprintf(path, sizeof(path), DEMO_DESTINATION "/%s", file->name);
	SEAL_TRY(file_read(path, &content, err));
	SEAL_TRY(sha256(buf_bytes(&content), hash, err));
	hex_encode(bytes_of(hash, sizeof(hash)), hex);
	snprintf(size, sizeof(size), "%zu bytes", content.len);
	demo_cell(demo, DEMO_RESET, bytes_str(file->name), NAME_WIDTH, false);
	demo_cell(demo, DEMO_RESET, bytes_str(size), NAME_WIDTH, false);
	demo_cell(demo, DEMO_GREEN, bytes_str(hex), 2 * SHA256_LEN, true);
	printf("\n");
	if (!bytes_eq(buf_bytes(&content), sent))
		rc = broken(file->name, "it did not arrive as it was", err);
out:
	buf_clear(&content);
	return rc;
}

static enum seal_status show_arrived(const struct topic_view *view, struct seal_err *err)
{
	const struct demo *demo = view->demo;
	enum seal_status rc = SEAL_OK;

	printf("\n");
	demo_cell(demo, DEMO_BOLD, bytes_str("a receiver with the key has in " DEMO_DESTINATION "/"), 80, true);
	printf("\n");
	demo_cell(demo, DEMO_DIM, bytes_str("name"), NAME_WIDTH, false);
	demo_cell(demo, DEMO_DIM, bytes_str("size"), NAME_WIDTH, false);
	demo_cell(demo, DEMO_DIM, bytes_str("SHA-256"), 2 * SHA256_LEN, true);
	printf("\n");
	for (size_t i = 0; rc == SEAL_OK && i < FILES; i++)
		rc = show_received(demo, &files[i], buf_bytes(&view->sent[i]), err);
	return rc;
}

enum seal_status demo_files_show(const struct demo *demo, struct seal_err *err)
{
	struct topic_view view = {.demo = demo, .width = demo_column_width()};
	char path[64];
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < FILES; i++) {
		view.sent[i] = (struct seal_buf)BUF_INIT(FILE_BYTES_MAX);
		snprintf(path, sizeof(path), DEMO_SOURCE "/%s", files[i].name);
		SEAL_TRY(file_read(path, &view.sent[i], err));
	}
	if (demo->platform == NULL)
		SEAL_TRY(show_topic(&view, err));
	if (stop_requested() == 0)
		SEAL_TRY(show_arrived(&view, err));
	printf("\n  %sChecked:%s all %zu files arrived whole%s.\n", demo_color(demo, DEMO_GREEN),
	       demo_color(demo, DEMO_RESET), FILES,
	       demo->platform == NULL ? ", and nothing of them is to be read in the topic" : "");
out:
	for (size_t i = 0; i < FILES; i++)
		buf_clear(&view.sent[i]);
	return rc;
}
